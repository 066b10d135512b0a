/* The bibliography as CSL JSON: what citeproc, pandoc and Zotero read.
 *
 * Names of types and fields: CSL 1.0.2, appendices III and IV; the form of names and dates: csl-data.json of the same
 * project. An author list that is cut short ends with the name {"literal": "others"}, as pandoc writes it. */
#include "layout/writers.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static void
set_text(json_t *item, const char *key, const char *text)
{
    if (!text) return;
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    json_object_set_new(item, key, json_string(valid));
}

static const char *
type_of(const layout_reference *r)
{
    switch (r->kind) {
    case LAYOUT_REFERENCE_ARTICLE:
        return "article-journal";
    case LAYOUT_REFERENCE_CONFERENCE:
        return "paper-conference";
    case LAYOUT_REFERENCE_CHAPTER:
        return "chapter";
    case LAYOUT_REFERENCE_BOOK:
        return "book";
    case LAYOUT_REFERENCE_THESIS:
    case LAYOUT_REFERENCE_MASTERS_THESIS:
        return "thesis";
    case LAYOUT_REFERENCE_REPORT:
        return "report";
    default:
        if (r->arxiv) return "article";
        return r->url && !r->venue ? "webpage" : "document";
    }
}

static json_t *
make_name(const layout_name *name)
{
    json_t *one = json_object();
    set_text(one, name->given ? "family" : "literal", name->family);
    set_text(one, "given", name->given);
    return one;
}

static json_t *
make_authors(const lode_document *d, const layout_reference *r)
{
    json_t *authors = json_array();
    for (guint i = 0; i < r->n_names; i++)
        json_array_append_new(authors, make_name(&d->names[r->first_name + i]));
    const layout_name whole = {r->authors, NULL}, others = {"others", NULL};
    if (r->n_names == 0 && r->authors) json_array_append_new(authors, make_name(&whole));
    if (r->et_al) json_array_append_new(authors, make_name(&others));
    return authors;
}

static json_t *
make_item(const lode_document *d, const layout_reference *r, const char *key)
{
    json_t *item = json_object();
    set_text(item, "id", key);
    set_text(item, "type", type_of(r));
    if (r->n_names > 0 || r->authors) json_object_set_new(item, "author", make_authors(d, r));
    set_text(item, "title", r->title);
    set_text(item, r->kind == LAYOUT_REFERENCE_BOOK ? "collection-title" : "container-title",
             r->venue);
    set_text(item, "publisher", r->publisher);
    if (r->kind == LAYOUT_REFERENCE_THESIS) set_text(item, "genre", "PhD thesis");
    if (r->kind == LAYOUT_REFERENCE_MASTERS_THESIS) set_text(item, "genre", "Master's thesis");
    set_text(item, "volume", r->volume);
    set_text(item, "issue", r->issue);
    set_text(item, "page", r->pages);
    if (r->year) {
        json_t *part = json_array();
        json_array_append_new(part, json_integer(atoi(r->year)));
        json_t *parts = json_array();
        json_array_append_new(parts, part);
        json_t *issued = json_object();
        json_object_set_new(issued, "date-parts", parts);
        json_object_set_new(item, "issued", issued);
    }
    set_text(item, "DOI", r->doi);
    if (r->arxiv) {
        g_autofree char *number = g_strconcat("arXiv:", r->arxiv, NULL);
        set_text(item, "number", number);
        set_text(item, "archive", "arXiv");
        set_text(item, "archive_location", r->arxiv);
    }
    set_text(item, "URL", r->url);
    if (!r->title) set_text(item, "note", d->blocks[r->block].text);
    return item;
}

char *
layout_document_to_csl(const lode_document *document)
{
    json_t *items = json_array();
    g_auto(GStrv) keys = layout_reference_keys(document);
    for (guint i = 0; i < document->n_references; i++)
        json_array_append_new(items, make_item(document, &document->references[i], keys[i]));
    /* json_dumps allocates with malloc; the rest of us frees with g_free */
    char *text = json_dumps(items, JSON_INDENT(2));
    g_assert(text != NULL);
    json_decref(items);
    char *result = g_strconcat(text, "\n", NULL);
    free(text);
    return result;
}

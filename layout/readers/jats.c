/* JATS XML (ANSI/NISO Z39.96, versions 1.0 to 1.3, and the NLM DTDs before it): PubMed Central's format, and that
 * of many journals' full texts.
 *
 *   article -> front/article-meta      title, authors, abstracts, identifiers, keywords
 *              body                    sections: jats_blocks.c, tables: jats_table.c
 *              back                    acknowledgements, appendices, notes, ref-list: jats_references.c
 *              floats-group            figures and tables that stand nowhere else
 *              sub-article, response   the same again
 *
 * Left out: affiliations, licences, funding groups, histories: what says something of the article and not in it. */
#include "layout/readers/jats.h"

#include <string.h>

layout_sniff
layout_jats_sniff(const layout_source *source)
{
    g_autofree char *space = NULL, *root = layout_source_xml_root(source, &space);
    if (root == NULL) return LAYOUT_SNIFF_NO;
    const gboolean set = strcmp(root, "pmc-articleset") == 0;
    if (!set && strcmp(root, "article") != 0) return LAYOUT_SNIFF_NO;
    if (set) return LAYOUT_SNIFF_SURE;
    if (space != NULL && strstr(space, "docbook") != NULL) return LAYOUT_SNIFF_NO;
    /* DocBook has an <article>, too */
    g_autofree char *head = layout_source_head(source);
    if (strstr(head, "JATS") != NULL || strstr(head, "NLM//DTD") != NULL ||
        strstr(head, "<article-meta") != NULL || strstr(head, "<front>") != NULL ||
        strstr(head, "article-type=") != NULL)
        return LAYOUT_SNIFF_SURE;
    return strstr(head, "<body") != NULL ? LAYOUT_SNIFF_LIKELY : LAYOUT_SNIFF_NO;
}

/* ---- front ---- */

/* "Matthew G. Cooper", a collaboration's name; NULL. Free with g_free. */
static char *
contributor_name(const xmlNode *contrib)
{
    const xmlNode *name = layout_xml_find(contrib, "name");
    if (name == NULL) {
        const xmlNode *other = layout_xml_find(contrib, "string-name");
        if (other == NULL) other = layout_xml_find(contrib, "collab");
        if (other == NULL) return NULL;
        if (layout_xml_child(other, "surname") == NULL) {
            /* members may be listed inside of a collaboration */
            const xmlNode *own = other->children;
            g_autofree char *text = own != NULL && own->type == XML_TEXT_NODE
                                        ? g_strdup((const char *)own->content)
                                        : layout_xml_text(other);
            return layout_html_clean(text);
        }
        name = other;
    }
    g_autofree char *given = layout_xml_clean_text(layout_xml_child(name, "given-names"));
    g_autofree char *family = layout_xml_clean_text(layout_xml_child(name, "surname"));
    g_autofree char *suffix = layout_xml_clean_text(layout_xml_child(name, "suffix"));
    g_autofree char *style = layout_xml_attribute(name, "name-style");
    const gboolean eastern = style != NULL && strcmp(style, "eastern") == 0;
    g_autofree char *whole =
        g_strjoin(" ", eastern ? family : given, eastern ? given : family, suffix, NULL);
    return layout_html_clean(whole);
}

static void
gather_authors(const xmlNode *node, GPtrArray *names)
{
    for (const xmlNode *n = node->children; n != NULL; n = n->next) {
        if (layout_xml_is(n, "contrib-group")) {
            gather_authors(n, names);
            continue;
        }
        if (!layout_xml_is(n, "contrib")) continue;
        g_autofree char *type = layout_xml_attribute(n, "contrib-type");
        if (type != NULL && strcmp(type, "author") != 0 && strcmp(type, "collab") != 0) continue;
        char *name = contributor_name(n);
        if (name != NULL) g_ptr_array_add(names, name);
    }
}

static void
write_authors(jats_reader *r, const xmlNode *meta, gboolean own)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    gather_authors(meta, names);
    if (own)
        layout_builder_set_authors(r->pen.builder, (const char *const *)(gpointer)names->pdata,
                                   names->len);
    for (guint i = 0; i < names->len; i++) {
        if (i > 0) layout_pen_text(&r->pen, ", ", 2);
        layout_pen_text(&r->pen, names->pdata[i], -1);
    }
    layout_pen_block(&r->pen, LAYOUT_BLOCK_AUTHOR, 0, NULL);
}

static const char *
year_of(layout_builder *builder, const xmlNode *meta)
{
    const xmlNode *best = NULL;
    for (const xmlNode *n = meta->children; n != NULL; n = n->next) {
        if (!layout_xml_is(n, "pub-date")) continue;
        const xmlNode *year = layout_xml_child(n, "year");
        if (year == NULL) continue;
        g_autofree char *a = layout_xml_clean_text(year);
        g_autofree char *b = best != NULL ? layout_xml_clean_text(best) : NULL;
        if (b == NULL || strcmp(a, b) < 0) best = year; /* the first time it came out */
    }
    g_autofree char *text = layout_xml_clean_text(best);
    return strlen(text) == 4 && strspn(text, "0123456789") == 4
               ? layout_builder_copy(builder, text, 4)
               : NULL;
}

static void
read_identifiers(jats_reader *r, const xmlNode *article, const xmlNode *meta)
{
    layout_builder *builder = r->pen.builder;
    layout_metadata *to = layout_builder_meta(builder);
    for (const xmlNode *n = meta->children; n != NULL; n = n->next) {
        if (!layout_xml_is(n, "article-id")) continue;
        g_autofree char *kind = layout_xml_attribute(n, "pub-id-type");
        g_autofree char *text = layout_xml_clean_text(n);
        if (kind == NULL) continue;
        if (strcmp(kind, "doi") == 0 && g_str_has_prefix(text, "10.") && to->doi == NULL)
            to->doi = layout_builder_copy(builder, text, -1);
        if (strcmp(kind, "arxiv") == 0 && to->arxiv == NULL)
            to->arxiv = layout_builder_copy(
                builder, g_ascii_strncasecmp(text, "arxiv:", 6) == 0 ? text + 6 : text, -1);
    }
    to->year = year_of(builder, meta);
    g_autofree char *language = layout_xml_attribute(article, "lang");
    if (language != NULL && *language != '\0')
        to->language =
            layout_builder_copy(builder, language, (gssize)MIN(strcspn(language, "-_"), 8));
}

/* own: the document's, not a part's. */
static void
write_title(jats_reader *r, const xmlNode *meta, gboolean own)
{
    const xmlNode *group = layout_xml_child(meta, "title-group");
    const xmlNode *title = layout_xml_child(group != NULL ? group : meta, "article-title");
    if (title == NULL) return;
    jats_inline(r, title);
    const xmlNode *subtitle = layout_xml_child(group, "subtitle");
    if (subtitle != NULL && r->pen.text->len > 0) {
        const char last = r->pen.text->str[r->pen.text->len - 1];
        layout_pen_text(&r->pen, strchr(":?!.", last) != NULL ? " " : ": ", -1);
        jats_inline(r, subtitle);
    }
    if (!own) {
        layout_pen_block(&r->pen, LAYOUT_BLOCK_HEADING, 1, NULL);
        return;
    }
    g_autofree char *plain = g_strdup(r->pen.text->str);
    if (*g_strstrip(plain) != '\0')
        layout_builder_meta(r->pen.builder)->title = layout_builder_copy(r->pen.builder, plain, -1);
    layout_pen_block(&r->pen, LAYOUT_BLOCK_TITLE, 0, NULL);
}

static void
write_abstract(jats_reader *r, const xmlNode *abstract)
{
    g_autofree char *kind = layout_xml_attribute(abstract, "abstract-type");
    const xmlNode *title = layout_xml_child(abstract, "title");
    layout_metadata *to = layout_builder_meta(r->pen.builder);
    if (kind == NULL && to->abstract == NULL) {
        g_autoptr(GString) plain = g_string_new(NULL);
        for (const xmlNode *n = abstract->children; n != NULL; n = n->next) {
            if (n->type != XML_ELEMENT_NODE || n == title) continue;
            g_autofree char *text = jats_flat_text(n);
            g_string_append_printf(plain, "%s%s", plain->len > 0 && *text ? " " : "", text);
        }
        if (plain->len > 0) to->abstract = layout_builder_copy(r->pen.builder, plain->str, -1);
    }
    if (title != NULL && kind != NULL) jats_heading(r, NULL, title, NULL, 1);
    r->paragraph = LAYOUT_BLOCK_ABSTRACT;
    jats_blocks(r, abstract, 2);
    r->paragraph = LAYOUT_BLOCK_PARAGRAPH;
}

static void
write_keywords(jats_reader *r, const xmlNode *group)
{
    g_autofree char *title = layout_xml_clean_text(layout_xml_child(group, "title"));
    guint n_words = 0;
    for (const xmlNode *n = group->children; n != NULL; n = n->next) {
        if (!layout_xml_is(n, "kwd")) continue;
        if (n_words == 0) {
            layout_pen_text(&r->pen, *title != '\0' ? title : "Keywords", -1);
            if (!g_str_has_suffix(title, ":")) layout_pen_text(&r->pen, ":", 1);
        }
        layout_pen_text(&r->pen, n_words++ > 0 ? ", " : " ", -1);
        jats_inline(r, n);
    }
    layout_pen_block(&r->pen, LAYOUT_BLOCK_PARAGRAPH, 0, NULL);
}

static void
write_front(jats_reader *r, const xmlNode *article, const xmlNode *meta, gboolean own)
{
    if (own) read_identifiers(r, article, meta);
    write_title(r, meta, own);
    write_authors(r, meta, own);
    for (const xmlNode *n = meta->children; n != NULL; n = n->next)
        if (layout_xml_is_one_of(n, " abstract trans-abstract ")) write_abstract(r, n);
    for (const xmlNode *n = meta->children; n != NULL; n = n->next)
        if (layout_xml_is(n, "kwd-group")) write_keywords(r, n);
}

/* ---- the whole ---- */

static void
write_article(jats_reader *r, const xmlNode *article, gboolean own)
{
    for (const xmlNode *n = article->children; n != NULL; n = n->next) {
        if (layout_xml_is_one_of(n, " front front-stub ")) {
            const xmlNode *meta = layout_xml_child(n, "article-meta");
            write_front(r, article, meta != NULL ? meta : n, own);
        } else if (layout_xml_is_one_of(n, " body back floats-group floats-wrap ")) {
            jats_blocks(r, n, own ? 1 : 2);
        } else if (layout_xml_is_one_of(n, " sub-article response ")) {
            write_article(r, n, FALSE);
        } else if (layout_xml_is(n, "article")) { /* of a set: the first is the document */
            write_article(r, n, own);
            own = FALSE;
        }
    }
}

gboolean
layout_jats_read(const layout_source *source, const layout_options *options,
                 layout_builder *builder, GHashTable *pictures, GError **error)
{
    (void)options;
    gboolean cut = FALSE;
    xmlDoc *tree = layout_xml_parse(source->data, source->len, &cut, error);
    if (tree == NULL) return FALSE;
    jats_reader r = {.source = source,
                     .pictures = pictures,
                     .notes = g_ptr_array_new(),
                     .paragraph = LAYOUT_BLOCK_PARAGRAPH};
    layout_reader_add_page(builder);
    if (cut)
        layout_builder_add_warning(builder, LAYOUT_NONE,
                                   "damaged XML: what stands behind the damage may be missing");
    layout_pen_init(&r.pen, builder);
    write_article(&r, xmlDocGetRootElement(tree), TRUE);
    layout_pen_finish(&r.pen);
    const gboolean found = r.pen.chars > 0;
    layout_pen_clear(&r.pen);
    g_ptr_array_unref(r.notes);
    xmlFreeDoc(tree);
    if (!found)
        g_set_error_literal(error, LAYOUT_ERROR, LAYOUT_ERROR_FORMAT, "an article without text");
    return found;
}

/* BibTeX -> what is known of documents. Grammar: layout/layout.h. */
#include <string.h>

#include "layout/layout.h"
#include "pipelines/bibliography.h"

typedef struct {
    GPtrArray *entries;  /* of bibliography_entry */
    GHashTable *parents; /* entry -> key of the one it refers to, owned */
} bib_collector;

/* ---- names of people ---- */

/* "First von Last Jr"; g_free. */
static char *
full_name(const layout_bibtex_name *name)
{
    const char *const tex[] = {name->first, name->last, name->junior};
    g_autoptr(GString) out = g_string_new(NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(tex); i++) {
        if (tex[i] == NULL) continue;
        g_autofree char *text = pipelines_tex_to_text(tex[i], strlen(tex[i]));
        if (out->len > 0 && *text != '\0') g_string_append_c(out, ' ');
        g_string_append(out, text);
    }
    return g_strdup(out->str);
}

/* NULL for nobody. */
static char **
people(const char *tex)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    g_autoptr(GPtrArray) names = layout_bibtex_people(tex);
    guint n = 0;
    for (guint i = 0; i < names->len; i++) {
        g_autofree char *name = full_name(names->pdata[i]);
        if (*name == '\0' || g_ascii_strcasecmp(name, "others") == 0) continue;
        g_strv_builder_add(builder, name);
        n++;
    }
    return n > 0 ? g_strv_builder_end(builder) : NULL;
}

/* ---- entries ---- */

/* Base names of what JabRef ("note:folder/a.pdf:PDF;..."), Zotero and others write into "file". */
static char **
base_names(const char *field)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    g_autoptr(GString) piece = g_string_new(NULL);
    guint n = 0;
    for (const char *p = field;; p++) {
        if (*p == '\\' && p[1] != '\0' && strchr(":;\\_&%#{}", p[1]) != NULL) {
            g_string_append_c(piece, *++p == '\\' ? '/' : *p); /* C\:\\papers\\a.pdf */
        } else if (*p != '\0' && *p != ':' && *p != ';') {
            if (*p != '{' && *p != '}') g_string_append_c(piece, *p == '\\' ? '/' : *p);
        } else {
            const char *slash = strrchr(piece->str, '/');
            const char *base = slash != NULL ? slash + 1 : piece->str;
            if (strchr(base, '.') != NULL) {
                g_strv_builder_add(builder, base);
                n++;
            }
            g_string_truncate(piece, 0);
            if (*p == '\0') break;
        }
    }
    return n > 0 ? g_strv_builder_end(builder) : NULL;
}

/* The first of the named fields that says something, as plain text; NULL. */
static char *
field_text(const layout_bibtex_entry *found, const char *const *names)
{
    for (; *names != NULL; names++) {
        const char *tex = g_hash_table_lookup(found->fields, *names);
        if (tex == NULL) continue;
        g_autofree char *text = pipelines_tex_to_text(tex, strlen(tex));
        if (*text != '\0') return g_steal_pointer(&text);
    }
    return NULL;
}

/* The first four digits that stand alone. */
static int
year_in(const char *text)
{
    for (const char *p = text; p != NULL && *p != '\0';) {
        size_t n = strspn(p, "0123456789");
        if (n == 4) return (int)g_ascii_strtoull(p, NULL, 10);
        p += MAX(n, 1);
    }
    return 0;
}

/* "Title: subtitle" (biblatex); NULL. */
static char *
title_of(const layout_bibtex_entry *found)
{
    char *title = field_text(found, (const char *const[]){"title", NULL});
    g_autofree char *subtitle = field_text(found, (const char *const[]){"subtitle", NULL});
    if (title == NULL || subtitle == NULL) return title;
    g_autofree char *main = title;
    const gboolean ends = strchr(".:?!", main[strlen(main) - 1]) != NULL;
    return g_strconcat(main, ends ? " " : ": ", subtitle, NULL);
}

static bibliography_entry *
make_entry(const layout_bibtex_entry *found)
{
    bibliography_entry *entry = pipelines_bibliography_entry_new(found->key);
    entry->known->title = title_of(found);
    entry->known->venue =
        field_text(found, (const char *const[]){"journaltitle", "journal", "booktitle", NULL});
    g_autofree char *year = field_text(found, (const char *const[]){"year", "date", NULL});
    entry->known->year = year_in(year);
    const char *authors = g_hash_table_lookup(found->fields, "author");
    if (authors != NULL) entry->known->authors = people(authors);
    const char *file = g_hash_table_lookup(found->fields, "file");
    if (file != NULL) entry->files = base_names(file);
    g_autofree char *doi = field_text(found, (const char *const[]){"doi", NULL});
    g_autofree char *eprint = field_text(found, (const char *const[]){"eprint", NULL});
    g_autofree char *archive =
        field_text(found, (const char *const[]){"archiveprefix", "eprinttype", NULL});
    if (doi != NULL) pipelines_bibliography_entry_identify(entry, doi);
    if (eprint != NULL && (archive == NULL || g_ascii_strcasecmp(archive, "arxiv") == 0))
        entry->known->arxiv = pipelines_bare_arxiv(eprint, TRUE);
    static const char *const elsewhere[] = {"url", "journal", "howpublished", "note", "number"};
    for (size_t i = 0; i < G_N_ELEMENTS(elsewhere); i++) {
        g_autofree char *text = field_text(found, (const char *const[]){elsewhere[i], NULL});
        if (text != NULL) pipelines_bibliography_entry_identify(entry, text);
    }
    return entry;
}

static void
take_entry(const layout_bibtex_entry *found, gpointer user_data)
{
    bib_collector *r = user_data;
    bibliography_entry *entry = make_entry(found);
    g_ptr_array_add(r->entries, entry);
    const char *parent = g_hash_table_lookup(found->fields, "crossref");
    if (parent != NULL)
        g_hash_table_insert(r->parents, entry, g_strstrip(g_ascii_strdown(parent, -1)));
}

/* What an entry leaves open it has from the one that its crossref names, wherever that stands: the year, and what the
 * whole is called that it is a part of. */
static void
resolve_parents(const bib_collector *r)
{
    if (g_hash_table_size(r->parents) == 0) return;
    g_autoptr(GHashTable) by_key = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = r->entries->len; i-- > 0;) { /* of several with one key the first */
        bibliography_entry *entry = r->entries->pdata[i];
        g_hash_table_replace(by_key, g_ascii_strdown(entry->key, -1), entry);
    }
    for (guint i = 0; i < r->entries->len; i++) {
        retrieval_metadata *known = ((bibliography_entry *)r->entries->pdata[i])->known;
        const char *key = g_hash_table_lookup(r->parents, r->entries->pdata[i]);
        const bibliography_entry *parent = key != NULL ? g_hash_table_lookup(by_key, key) : NULL;
        if (parent == NULL || parent->known == known) continue;
        if (known->year == 0) known->year = parent->known->year;
        if (known->venue == NULL)
            known->venue = g_strdup(parent->known->venue != NULL ? parent->known->venue
                                                                 : parent->known->title);
    }
}

GPtrArray *
pipelines_bibtex_parse(const char *name, const char *text, size_t len, GError **error)
{
    g_autoptr(GPtrArray) entries = pipelines_bibliography_entries_new();
    g_autoptr(GHashTable) parents = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    g_autoptr(GError) wrong = NULL;
    bib_collector r = {entries, parents};
    if (!layout_bibtex_read(name, text, len, take_entry, &r, &wrong)) {
        g_set_error_literal(error, PIPELINES_ERROR, LODE_ERROR_FORMAT, wrong->message);
        return NULL;
    }
    resolve_parents(&r);
    return g_steal_pointer(&entries);
}

/* Bibliographies: which document is it, and what does it learn? */
#include "pipelines/bibliography.h"

#include <glib/gstdio.h>
#include <string.h>

/* ---- entries ---- */

static void
free_entry(gpointer data)
{
    bibliography_entry *entry = data;
    g_free(entry->key);
    retrieval_metadata_free(entry->known);
    g_strfreev(entry->files);
    g_free(entry);
}

GPtrArray *
pipelines_bibliography_entries_new(void)
{
    return g_ptr_array_new_with_free_func(free_entry);
}

bibliography_entry *
pipelines_bibliography_entry_new(const char *key)
{
    bibliography_entry *entry = g_new0(bibliography_entry, 1);
    entry->key = g_strdup(key);
    entry->known = g_new0(retrieval_metadata, 1);
    return entry;
}

void
pipelines_bibliography_entry_identify(bibliography_entry *entry, const char *text)
{
    retrieval_metadata *known = entry->known;
    if (known->doi == NULL) known->doi = pipelines_bare_doi(text);
    if (known->arxiv == NULL) known->arxiv = pipelines_bare_arxiv(text, FALSE);
}

/* A DOI's prefix is "10.", digits, a slash: ISO 26324; its suffix ends at white space. */
char *
pipelines_bare_doi(const char *text)
{
    for (const char *p = text; (p = strstr(p, "10.")) != NULL; p += 3) {
        if (p > text && (g_ascii_isalnum(p[-1]) || p[-1] == '.')) continue;
        size_t n = 3 + strspn(p + 3, "0123456789.");
        if (n == 3 || p[n] != '/') continue;
        size_t len = n + 1 + strcspn(p + n + 1, " \t\r\n\"<>{}");
        while (len > n + 1 && strchr(".,;", p[len - 1]) != NULL)
            len--;
        if (len > n + 1) return g_ascii_strdown(p, (gssize)len);
    }
    return NULL;
}

/* Length of "2301.00001" or "hep-th/9901001" at p; 0 where there is none. */
static size_t
arxiv_length(const char *p)
{
    size_t n = strspn(p, "0123456789");
    if (n == 4 && p[4] == '.') {
        size_t digits = strspn(p + 5, "0123456789");
        return digits == 4 || digits == 5 ? 5 + digits : 0;
    }
    const size_t longest =
        24; /* an archive's name; a longer run of letters is not read again and again */
    for (n = 0; n < longest && (g_ascii_islower(p[n]) || p[n] == '-' || p[n] == '.');)
        n++;
    return n > 0 && p[n] == '/' && strspn(p + n + 1, "0123456789") == 7 ? n + 8 : 0;
}

char *
pipelines_bare_arxiv(const char *text, gboolean bare)
{
    g_autofree char *lower = g_ascii_strdown(text, -1);
    size_t n = bare ? arxiv_length(lower) : 0;
    if (n > 0) return g_strndup(lower, n);
    for (const char *p = lower; (p = strstr(p, "arxiv")) != NULL;) {
        p += strlen("arxiv");
        const char *id = p;
        if (g_str_has_prefix(id, ".org/")) {
            id = strchr(id + 5, '/'); /* "abs/", "pdf/" */
            if (id == NULL) return NULL;
        }
        id += strspn(id, ":./ ");
        if ((n = arxiv_length(id)) > 0) return g_strndup(id, n);
    }
    return NULL;
}

/* ---- files ---- */

static gboolean
read_text(const char *path, char **text, size_t *len, GError **error)
{
    GStatBuf status;
    g_autoptr(GError) cause = NULL;
    if (!pipelines_check_input(path, error)) return FALSE;
    if (g_stat(path, &status) == 0 && status.st_size > (goffset)BIBLIOGRAPHY_MAX_BYTES) {
        g_set_error(error, PIPELINES_ERROR, LODE_ERROR_LIMIT,
                    "%s: a bibliography of more than %u MiB", path, BIBLIOGRAPHY_MAX_BYTES >> 20);
        return FALSE;
    }
    if (!g_file_get_contents(path, text, len, &cause)) {
        g_set_error(error, PIPELINES_ERROR, LODE_ERROR_IO, "%s: %s", path, cause->message);
        return FALSE;
    }
    const char *zero = memchr(*text, '\0', *len);
    if (zero != NULL) {
        g_set_error(error, PIPELINES_ERROR, LODE_ERROR_FORMAT, "%s: neither BibTeX nor CSL JSON",
                    path);
        return FALSE;
    }
    if (g_utf8_validate(*text, (gssize)*len, NULL)) return TRUE;
    /* what is not UTF-8 is from the time before: Latin-1, where any byte is a character */
    char *converted = g_convert(*text, (gssize)*len, "UTF-8", "ISO-8859-1", NULL, len, error);
    g_free(*text);
    *text = converted;
    return converted != NULL;
}

GPtrArray *
pipelines_bibliography_load(const char *path, GError **error)
{
    g_autofree char *text = NULL;
    size_t len = 0;
    if (!read_text(path, &text, &len, error)) return NULL;
    const char *start = g_str_has_prefix(text, "\xEF\xBB\xBF") ? text + 3 : text;
    const char *first = start;
    while (g_ascii_isspace(*first))
        first++;
    len -= (size_t)(start - text);
    g_autoptr(GPtrArray) entries = *first == '[' || *first == '{'
                                       ? pipelines_csl_parse(path, start, len, error)
                                       : pipelines_bibtex_parse(path, start, len, error);
    if (entries == NULL) return NULL;
    if (entries->len > 0) return g_steal_pointer(&entries);
    g_set_error(error, PIPELINES_ERROR, LODE_ERROR_FORMAT, "%s: no entries", path);
    return NULL;
}

/* ---- matching ---- */

typedef enum { BY_DOI, BY_ARXIV, BY_FILE, BY_TITLE, N_WAYS } match_way;

typedef struct {
    const char *path; /* borrowed */
    retrieval_metadata *known;
    const bibliography_entry *entry; /* its own; NULL */
    match_way way;
} document_match;

/* Letters and digits, without accents and case; NULL where there are none. */
static char *
title_key(const char *title)
{
    if (title == NULL) return NULL;
    g_autofree char *folded = g_utf8_casefold(title, -1);
    g_autofree char *apart = g_utf8_normalize(folded, -1, G_NORMALIZE_NFKD);
    g_autoptr(GString) key = g_string_new(NULL);
    for (const char *p = apart; p != NULL && *p != '\0'; p = g_utf8_next_char(p))
        if (g_unichar_isalnum(g_utf8_get_char(p))) g_string_append_unichar(key, g_utf8_get_char(p));
    return key->len > 0 ? g_strdup(key->str) : NULL;
}

/* What an entry or a document (path not NULL) goes by; NULL. g_free. */
static char *
match_key(match_way way, const retrieval_metadata *known, const char *path)
{
    switch (way) {
    case BY_DOI:
        return known->doi != NULL ? pipelines_bare_doi(known->doi) : NULL;
    case BY_ARXIV:
        return known->arxiv != NULL ? pipelines_bare_arxiv(known->arxiv, TRUE) : NULL;
    case BY_FILE:
        return path != NULL ? g_path_get_basename(path) : NULL;
    case BY_TITLE:
    default:
        return title_key(known->title);
    }
}

/* Do both have a DOI, and not the same? */
static gboolean
are_different(const retrieval_metadata *a, const retrieval_metadata *b)
{
    g_autofree char *x = match_key(BY_DOI, a, NULL);
    g_autofree char *y = match_key(BY_DOI, b, NULL);
    return x != NULL && y != NULL && strcmp(x, y) != 0;
}

/* key -> GPtrArray of document_match, for one way. */
static GHashTable *
index_documents(GArray *documents, match_way way)
{
    GHashTable *index =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
    for (guint i = 0; i < documents->len; i++) {
        document_match *document = &g_array_index(documents, document_match, i);
        char *key = match_key(way, document->known, document->path);
        if (key == NULL) continue;
        GPtrArray *same = g_hash_table_lookup(index, key);
        if (same == NULL) {
            same = g_ptr_array_new();
            g_hash_table_insert(index, key, same);
        } else {
            g_free(key);
        }
        g_ptr_array_add(same, document);
    }
    return index;
}

/* Give the documents of this key to the entry, unless they have a surer or an earlier one. TRUE where there are any. */
static gboolean
claim(GHashTable *index, match_way way, const bibliography_entry *entry, const char *key)
{
    const GPtrArray *documents = key != NULL ? g_hash_table_lookup(index, key) : NULL;
    gboolean any = FALSE;
    for (guint i = 0; documents != NULL && i < documents->len; i++) {
        document_match *document = documents->pdata[i];
        if (way == BY_TITLE && are_different(entry->known, document->known)) continue;
        any = TRUE;
        if (document->entry != NULL && document->way <= way) continue;
        document->entry = entry;
        document->way = way;
    }
    return any;
}

static void
match_entries(GArray *documents, const GPtrArray *entries, bibliography_report *report)
{
    GHashTable *indexes[N_WAYS];
    for (match_way way = 0; way < N_WAYS; way++)
        indexes[way] = index_documents(documents, way);
    for (guint i = 0; i < entries->len; i++) {
        bibliography_entry *entry = entries->pdata[i];
        gboolean matched = FALSE;
        for (match_way way = 0; way < N_WAYS && !matched; way++) {
            g_autofree char *key = match_key(way, entry->known, NULL);
            matched = claim(indexes[way], way, entry, key);
            for (char **file = way == BY_FILE ? entry->files : NULL; file != NULL && *file != NULL;
                 file++)
                matched |= claim(indexes[way], way, entry, *file);
        }
        if (matched)
            report->n_matched++;
        else
            g_ptr_array_add(report->unmatched, entry);
    }
    for (match_way way = 0; way < N_WAYS; way++)
        g_hash_table_unref(indexes[way]);
}

static gboolean
says_something_new(const retrieval_metadata *entry, const retrieval_metadata *known)
{
    const char *const pairs[][2] = {{entry->title, known->title},
                                    {entry->venue, known->venue},
                                    {entry->doi, known->doi},
                                    {entry->arxiv, known->arxiv}};
    for (size_t i = 0; i < G_N_ELEMENTS(pairs); i++)
        if (pairs[i][0] != NULL && g_strcmp0(pairs[i][0], pairs[i][1]) != 0) return TRUE;
    if (entry->year != 0 && entry->year != known->year) return TRUE;
    return entry->authors != NULL &&
           (known->authors == NULL || !g_strv_equal((const char *const *)entry->authors,
                                                    (const char *const *)known->authors));
}

static void
clear_document(gpointer data)
{
    retrieval_metadata_free(((document_match *)data)->known);
}

gboolean
pipelines_bibliography_apply(retrieval_library *library, const GPtrArray *entries,
                             bibliography_report *report, GError **error)
{
    g_auto(GStrv) paths = retrieval_library_list(library, error);
    if (paths == NULL) return FALSE;
    g_autoptr(GArray) documents = g_array_new(FALSE, TRUE, sizeof(document_match));
    g_array_set_clear_func(documents, clear_document);
    for (char **path = paths; *path != NULL; path++) {
        document_match document = {.path = *path};
        document.known = retrieval_library_get_metadata(library, *path, error);
        if (document.known == NULL) return FALSE;
        g_array_append_val(documents, document);
    }
    g_autoptr(GPtrArray) unmatched = g_ptr_array_new();
    *report = (bibliography_report){.n_entries = entries->len, .unmatched = unmatched};
    match_entries(documents, entries, report);
    for (guint i = 0; i < documents->len; i++) {
        const document_match *document = &g_array_index(documents, document_match, i);
        if (document->entry == NULL) continue;
        if (!says_something_new(document->entry->known, document->known)) continue;
        if (!retrieval_library_set_metadata(library, document->path, document->entry->known,
                                            error)) {
            report->unmatched = NULL;
            return FALSE;
        }
        report->n_documents++;
    }
    g_steal_pointer(&unmatched);
    return TRUE;
}

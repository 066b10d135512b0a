/* BibTeX -> entries. Grammar: pipelines/bibliography.h. */
#include <string.h>

#include "pipelines/bibliography.h"

typedef struct {
    const char *name; /* of the file */
    const char *text, *p, *end;
    GHashTable *strings; /* @string: lower-case name -> TeX */
    size_t n_expanded;   /* bytes that @strings gave so far */
    GPtrArray *entries;  /* of bibliography_entry */
    GHashTable *fields;  /* of the entry being read: lower-case name -> TeX */
    GHashTable *parents; /* entry -> key of the one it refers to, owned */
} bib_reader;

/* ---- tokens ---- */

G_GNUC_PRINTF(4, 5)
static gboolean
fail_at(const bib_reader *r, const char *place, GError **error, const char *format, ...)
{
    size_t line = 1;
    const char *start = r->text;
    for (const char *p = r->text; p < place; p++)
        if (*p == '\n') {
            line++;
            start = p + 1;
        }
    va_list args;
    va_start(args, format);
    g_autofree char *what = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, PIPELINES_ERROR, LODE_ERROR_FORMAT, "%s: line %zu, column %ld: %s", r->name,
                line, g_utf8_pointer_to_offset(start, place) + 1, what);
    return FALSE;
}

static void
skip_space(bib_reader *r)
{
    while (r->p < r->end && g_ascii_isspace(*r->p))
        r->p++;
}

/* A name in lower case, "" where none stands here; g_free. */
static char *
read_name(bib_reader *r)
{
    skip_space(r);
    const char *start = r->p;
    while (r->p < r->end && !g_ascii_isspace(*r->p) && strchr("\"#%'(),={}@", *r->p) == NULL)
        r->p++;
    return g_ascii_strdown(start, r->p - start);
}

static gboolean
take(bib_reader *r, char c)
{
    skip_space(r);
    if (r->p >= r->end || *r->p != c) return FALSE;
    r->p++;
    return TRUE;
}

/* The inside of braces or quotes that open at r->p, appended to value. A backslash hides nothing: BibTeX counts the
 * brace of "\{" too. */
static gboolean
read_delimited(bib_reader *r, GString *value, GError **error)
{
    const char *open = r->p++;
    size_t depth = *open == '{' ? 1 : 0;
    for (; r->p < r->end; r->p++) {
        if (*r->p == '{')
            depth++;
        else if (*r->p == '}' && depth == 0)
            return fail_at(r, r->p, error, "a } without its { inside quotes");
        else if (*r->p == '}')
            depth--;
        if (depth == 0 && *r->p == (*open == '{' ? '}' : '"')) {
            g_string_append_len(value, open + 1, r->p - open - 1);
            r->p++;
            return TRUE;
        }
    }
    return fail_at(r, open, error, "this %s is never closed", *open == '{' ? "{" : "quote");
}

/* A value: pieces joined by #. */
static gboolean
read_value(bib_reader *r, GString *value, GError **error)
{
    do {
        skip_space(r);
        if (r->p < r->end && (*r->p == '{' || *r->p == '"')) {
            if (!read_delimited(r, value, error)) return FALSE;
            continue;
        }
        const char *start = r->p;
        g_autofree char *name = read_name(r);
        if (*name == '\0') return fail_at(r, start, error, "a value is missing here");
        if (strspn(name, "0123456789") == strlen(name)) {
            g_string_append(value, name);
            continue;
        }
        const char *given = g_hash_table_lookup(r->strings, name);
        if (given == NULL) continue;
        r->n_expanded += strlen(given);
        if (r->n_expanded > BIBLIOGRAPHY_MAX_BYTES)
            return fail_at(r, start, error, "its @strings expand to more than %u MiB",
                           BIBLIOGRAPHY_MAX_BYTES >> 20);
        g_string_append(value, given);
    } while (take(r, '#'));
    return TRUE;
}

/* ---- names of people ---- */

/* The separator at depth 0 of braces from p on: a comma, or " and ". Returns its start, end where there is none. */
static const char *
find_separator(const char *p, const char *end, gboolean comma, const char **behind)
{
    size_t depth = 0;
    for (; p < end; p++) {
        if (*p == '{') depth++;
        if (*p == '}' && depth > 0) depth--;
        if (depth > 0) continue;
        *behind = p + 1;
        if (comma && *p == ',') return p;
        *behind = p + 4;
        if (!comma && g_ascii_isspace(*p) && end - p > 4 &&
            g_ascii_strncasecmp(p + 1, "and", 3) == 0 && g_ascii_isspace(p[4]))
            return p;
    }
    *behind = end;
    return end;
}

/* One name as TeX -> "First von Last Jr"; g_free. */
static char *
person(const char *p, const char *end)
{
    g_auto(GStrv) parts = g_new0(char *, 4);
    guint n = 0;
    while (n < 3) {
        const char *behind;
        const char *stop = n < 2 ? find_separator(p, end, TRUE, &behind) : end;
        parts[n++] = pipelines_tex_to_text(p, (size_t)(stop - p));
        if (stop == end) break;
        p = behind;
    }
    char *name = n == 1   ? g_strdup(parts[0])
                 : n == 2 ? g_strconcat(parts[1], " ", parts[0], NULL)
                          : g_strconcat(parts[2], " ", parts[0], " ", parts[1], NULL);
    return g_strstrip(name);
}

/* NULL for nobody. */
static char **
people(const char *tex)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    const char *end = tex + strlen(tex);
    guint n = 0;
    for (const char *p = tex, *behind; p < end; p = behind) {
        const char *stop = find_separator(p, end, FALSE, &behind);
        g_autofree char *name = person(p, stop);
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
field_text(const bib_reader *r, const char *const *names)
{
    for (; *names != NULL; names++) {
        const char *tex = g_hash_table_lookup(r->fields, *names);
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
title_of(const bib_reader *r)
{
    char *title = field_text(r, (const char *const[]){"title", NULL});
    g_autofree char *subtitle = field_text(r, (const char *const[]){"subtitle", NULL});
    if (title == NULL || subtitle == NULL) return title;
    g_autofree char *main = title;
    const gboolean ends = strchr(".:?!", main[strlen(main) - 1]) != NULL;
    return g_strconcat(main, ends ? " " : ": ", subtitle, NULL);
}

static bibliography_entry *
make_entry(const bib_reader *r, const char *key)
{
    bibliography_entry *entry = pipelines_bibliography_entry_new(key);
    entry->known->title = title_of(r);
    entry->known->venue =
        field_text(r, (const char *const[]){"journaltitle", "journal", "booktitle", NULL});
    g_autofree char *year = field_text(r, (const char *const[]){"year", "date", NULL});
    entry->known->year = year_in(year);
    const char *authors = g_hash_table_lookup(r->fields, "author");
    if (authors != NULL) entry->known->authors = people(authors);
    const char *file = g_hash_table_lookup(r->fields, "file");
    if (file != NULL) entry->files = base_names(file);
    g_autofree char *doi = field_text(r, (const char *const[]){"doi", NULL});
    g_autofree char *eprint = field_text(r, (const char *const[]){"eprint", NULL});
    g_autofree char *archive =
        field_text(r, (const char *const[]){"archiveprefix", "eprinttype", NULL});
    if (doi != NULL) pipelines_bibliography_entry_identify(entry, doi);
    if (eprint != NULL && (archive == NULL || g_ascii_strcasecmp(archive, "arxiv") == 0))
        entry->known->arxiv = pipelines_bare_arxiv(eprint, TRUE);
    static const char *const elsewhere[] = {"url", "journal", "howpublished", "note", "number"};
    for (size_t i = 0; i < G_N_ELEMENTS(elsewhere); i++) {
        g_autofree char *text = field_text(r, (const char *const[]){elsewhere[i], NULL});
        if (text != NULL) pipelines_bibliography_entry_identify(entry, text);
    }
    return entry;
}

/* name = value. */
static gboolean
read_assignment(bib_reader *r, GHashTable *into, gboolean again, GError **error)
{
    skip_space(r);
    const char *start = r->p;
    g_autofree char *name = read_name(r);
    if (*name == '\0') return fail_at(r, start, error, "expected a field's name");
    if (!take(r, '=')) return fail_at(r, r->p, error, "expected = behind \"%s\"", name);
    g_autoptr(GString) value = g_string_new(NULL);
    if (!read_value(r, value, error)) return FALSE;
    if (again || !g_hash_table_contains(into, name))
        g_hash_table_replace(into, g_steal_pointer(&name),
                             g_string_free(g_steal_pointer(&value), FALSE));
    return TRUE;
}

/* Behind "@article{", up to its end. */
static gboolean
read_entry(bib_reader *r, const char *start, char close, GError **error)
{
    skip_space(r);
    const char *key = r->p;
    while (r->p < r->end && !g_ascii_isspace(*r->p) && *r->p != ',' && *r->p != close)
        r->p++;
    g_autofree char *name = g_strndup(key, (size_t)(r->p - key));
    g_hash_table_remove_all(r->fields);
    while (take(r, ',')) {
        skip_space(r);
        if (r->p < r->end && *r->p == close) break; /* a comma behind the last field */
        if (!read_assignment(r, r->fields, FALSE, error)) return FALSE;
    }
    if (!take(r, close)) {
        if (r->p >= r->end) return fail_at(r, start, error, "this entry is never closed");
        return fail_at(r, r->p, error, "expected a comma or %c", close);
    }
    if (r->entries->len >= BIBLIOGRAPHY_MAX_ENTRIES)
        return fail_at(r, start, error, "more than %u entries", BIBLIOGRAPHY_MAX_ENTRIES);
    bibliography_entry *entry = make_entry(r, name);
    g_ptr_array_add(r->entries, entry);
    const char *parent = g_hash_table_lookup(r->fields, "crossref");
    if (parent != NULL)
        g_hash_table_insert(r->parents, entry, g_strstrip(g_ascii_strdown(parent, -1)));
    return TRUE;
}

/* What an entry leaves open it has from the one that its crossref names, wherever that stands: the year, and what the
 * whole is called that it is a part of. */
static void
resolve_parents(const bib_reader *r)
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

/* At an @. */
static gboolean
read_command(bib_reader *r, GError **error)
{
    const char *start = r->p++;
    g_autofree char *kind = read_name(r);
    skip_space(r);
    char open = r->p < r->end ? *r->p : '\0';
    if (open != '{' && open != '(') {
        /* an address in text between entries; a comment need not have braces */
        if ((start > r->text && g_ascii_isalnum(start[-1])) || strcmp(kind, "comment") == 0)
            return TRUE;
        return fail_at(r, r->p, error, "expected { behind \"@%s\"", kind);
    }
    if (strcmp(kind, "comment") == 0) {
        g_autoptr(GString) ignored = g_string_new(NULL);
        return open != '{' || read_delimited(r, ignored, error);
    }
    r->p++;
    const char close = open == '{' ? '}' : ')';
    if (strcmp(kind, "string") == 0) {
        if (!read_assignment(r, r->strings, TRUE, error)) return FALSE;
    } else if (strcmp(kind, "preamble") == 0) {
        g_autoptr(GString) ignored = g_string_new(NULL);
        if (!read_value(r, ignored, error)) return FALSE;
    } else {
        return read_entry(r, start, close, error);
    }
    return take(r, close) || fail_at(r, r->p, error, "expected %c", close);
}

GPtrArray *
pipelines_bibtex_parse(const char *name, const char *text, size_t len, GError **error)
{
    static const char *const months[][2] = {
        {"jan", "January"},   {"feb", "February"}, {"mar", "March"},    {"apr", "April"},
        {"may", "May"},       {"jun", "June"},     {"jul", "July"},     {"aug", "August"},
        {"sep", "September"}, {"oct", "October"},  {"nov", "November"}, {"dec", "December"}};
    g_autoptr(GHashTable) strings = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_autoptr(GHashTable) fields = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    for (size_t i = 0; i < G_N_ELEMENTS(months); i++)
        g_hash_table_insert(strings, g_strdup(months[i][0]), g_strdup(months[i][1]));
    g_autoptr(GPtrArray) entries = pipelines_bibliography_entries_new();
    g_autoptr(GHashTable) parents = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    bib_reader r = {name, text, text, text + len, strings, 0, entries, fields, parents};
    while (r.p < r.end) {
        if (*r.p == '%') {
            while (r.p < r.end && *r.p != '\n')
                r.p++;
        } else if (*r.p != '@') {
            r.p++;
        } else if (!read_command(&r, error)) {
            return NULL;
        }
    }
    resolve_parents(&r);
    return g_steal_pointer(&entries);
}

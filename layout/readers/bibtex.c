/* BibTeX -> entries as they stand. Grammar: layout.h. */
#include <string.h>

#include "layout/layout.h"

typedef struct {
    const char *name; /* of the file */
    const char *text, *p, *end;
    GHashTable *strings; /* @string: lower-case name -> TeX */
    size_t n_expanded;   /* bytes that @strings gave so far */
    size_t n_entries;
    GHashTable *fields; /* of the entry being read: lower-case name -> TeX */
    layout_bibtex_visit visit;
    gpointer user_data;
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
    g_set_error(error, LAYOUT_ERROR, LAYOUT_ERROR_FORMAT, "%s: line %zu, column %ld: %s", r->name,
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
        if (r->n_expanded > LAYOUT_BIBTEX_MAX_BYTES)
            return fail_at(r, start, error, "its @strings expand to more than %u MiB",
                           LAYOUT_BIBTEX_MAX_BYTES >> 20);
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

static void
name_free(gpointer data)
{
    layout_bibtex_name *name = data;
    g_free(name->last);
    g_free(name->first);
    g_free(name->junior);
    g_free(name);
}

static char *
piece(const char *p, const char *end)
{
    return g_strstrip(g_strndup(p, (size_t)(end - p)));
}

static layout_bibtex_name *
person(const char *p, const char *end)
{
    char *parts[3] = {NULL, NULL, NULL};
    guint n = 0;
    for (const char *behind; n < 3; p = behind) {
        const char *stop = n < 2 ? find_separator(p, end, TRUE, &behind) : end;
        parts[n++] = piece(p, stop);
        if (stop == end) break;
    }
    layout_bibtex_name *name = g_new0(layout_bibtex_name, 1);
    name->last = parts[0];
    name->junior = n == 3 ? parts[1] : NULL;
    name->first = n == 3 ? parts[2] : parts[1];
    return name;
}

GPtrArray *
layout_bibtex_people(const char *tex)
{
    GPtrArray *people = g_ptr_array_new_with_free_func(name_free);
    const char *end = tex + strlen(tex);
    for (const char *p = tex, *behind; p < end; p = behind)
        g_ptr_array_add(people, person(p, find_separator(p, end, FALSE, &behind)));
    return people;
}

/* ---- entries ---- */

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
read_entry(bib_reader *r, const char *start, const char *kind, char close, GError **error)
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
    if (r->n_entries++ >= LAYOUT_BIBTEX_MAX_ENTRIES)
        return fail_at(r, start, error, "more than %u entries", LAYOUT_BIBTEX_MAX_ENTRIES);
    const layout_bibtex_entry entry = {kind, name, r->fields};
    r->visit(&entry, r->user_data);
    return TRUE;
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
        return read_entry(r, start, kind, close, error);
    }
    return take(r, close) || fail_at(r, r->p, error, "expected %c", close);
}

gboolean
layout_bibtex_read(const char *name, const char *text, size_t len, layout_bibtex_visit visit,
                   gpointer user_data, GError **error)
{
    static const char *const months[][2] = {
        {"jan", "January"},   {"feb", "February"}, {"mar", "March"},    {"apr", "April"},
        {"may", "May"},       {"jun", "June"},     {"jul", "July"},     {"aug", "August"},
        {"sep", "September"}, {"oct", "October"},  {"nov", "November"}, {"dec", "December"}};
    g_autoptr(GHashTable) strings = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_autoptr(GHashTable) fields = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    for (size_t i = 0; i < G_N_ELEMENTS(months); i++)
        g_hash_table_insert(strings, g_strdup(months[i][0]), g_strdup(months[i][1]));
    bib_reader r = {.name = name,
                    .text = text,
                    .p = text,
                    .end = text + len,
                    .strings = strings,
                    .fields = fields,
                    .visit = visit,
                    .user_data = user_data};
    while (r.p < r.end) {
        if (*r.p == '%') {
            while (r.p < r.end && *r.p != '\n')
                r.p++;
        } else if (*r.p != '@') {
            r.p++;
        } else if (!read_command(&r, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

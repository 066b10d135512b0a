/* CSL JSON -> entries. Names and shapes: the schema csl-data.json of the Citation Style Language, with what Crossref and
 * Zotero make of it (lists of one title, years as text). */
#include <string.h>

#include "pipelines/bibliography.h"

/* A string, or the first of a list of strings; NULL. */
static const char *
string_of(const json_t *item, const char *name)
{
    const json_t *value = json_object_get(item, name);
    if (json_is_array(value)) value = json_array_get(value, 0);
    const char *text = json_string_value(value);
    return text != NULL && *text != '\0' ? text : NULL;
}

#define MAX_TAG 256 /* bytes of a tag */

/* Without the markup that CSL has inside of text: <i>, <sub>, <span class="nocase">. White space is one blank. g_free;
 * NULL for NULL and for nothing. */
static char *
plain_text(const char *text)
{
    static const char *const tags[] = {"i", "b", "sub", "sup", "sc", "scp", "em", "span"};
    if (text == NULL) return NULL;
    g_autoptr(GString) out = g_string_new(NULL);
    for (const char *p = text; *p != '\0'; p++) {
        const char *name = p + 1 + (p[1] == '/');
        size_t n = 0;
        while (*p == '<' && n < MAX_TAG && g_ascii_isalpha(name[n]))
            n++;
        const char *close = n > 0 ? memchr(name, '>', strnlen(name, MAX_TAG)) : NULL;
        gboolean tag = FALSE;
        for (size_t i = 0; close != NULL && i < G_N_ELEMENTS(tags); i++)
            tag |= strlen(tags[i]) == n && strncmp(tags[i], name, n) == 0;
        if (tag)
            p = close;
        else if (!g_ascii_isspace(*p))
            g_string_append_c(out, *p);
        else if (out->len > 0 && out->str[out->len - 1] != ' ')
            g_string_append_c(out, ' ');
    }
    g_strchomp(out->str);
    return *out->str != '\0' ? g_strdup(out->str) : NULL;
}

/* "Given von Family Jr"; NULL for nobody. g_free. */
static char *
person(const json_t *name)
{
    if (string_of(name, "literal") != NULL) return plain_text(string_of(name, "literal"));
    static const char *const parts[] = {"given", "dropping-particle", "non-dropping-particle",
                                        "family", "suffix"};
    g_autoptr(GString) out = g_string_new(NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
        const char *part = string_of(name, parts[i]);
        if (part != NULL) g_string_append_printf(out, "%s%s", out->len > 0 ? " " : "", part);
    }
    return plain_text(out->str);
}

static char **
people(const json_t *names)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    guint n = 0;
    for (size_t i = 0; i < json_array_size(names); i++) {
        g_autofree char *name = person(json_array_get(names, i));
        if (name == NULL) continue;
        g_strv_builder_add(builder, name);
        n++;
    }
    return n > 0 ? g_strv_builder_end(builder) : NULL;
}

/* "date-parts": [[2023, 5]], or a date as text. */
static int
year_of(const json_t *date)
{
    const json_t *year = json_array_get(json_array_get(json_object_get(date, "date-parts"), 0), 0);
    json_int_t value = json_integer_value(year);
    const char *text = json_string_value(year);
    if (text == NULL) text = string_of(date, "raw");
    if (text == NULL) text = string_of(date, "literal");
    if (year == NULL && text == NULL) text = json_string_value(date);
    if (value == 0 && text != NULL) value = g_ascii_strtoll(text, NULL, 10);
    return value > 0 && value < 10000 ? (int)value : 0;
}

static bibliography_entry *
make_entry(const json_t *item)
{
    const json_t *id = json_object_get(item, "id");
    g_autofree char *number = json_is_integer(id)
                                  ? g_strdup_printf("%" JSON_INTEGER_FORMAT, json_integer_value(id))
                                  : NULL;
    const char *key = number != NULL ? number : json_string_value(id);
    bibliography_entry *entry = pipelines_bibliography_entry_new(key != NULL ? key : "");
    entry->known->title = plain_text(string_of(item, "title"));
    entry->known->venue = plain_text(string_of(item, "container-title"));
    entry->known->authors = people(json_object_get(item, "author"));
    entry->known->year = year_of(json_object_get(item, "issued"));
    static const char *const places[] = {"DOI",    "URL",  "archive_location",
                                         "number", "note", "container-title"};
    for (size_t i = 0; i < G_N_ELEMENTS(places); i++)
        if (string_of(item, places[i]) != NULL)
            pipelines_bibliography_entry_identify(entry, string_of(item, places[i]));
    const char *file = string_of(item, "file");
    if (file != NULL) {
        entry->files = g_new0(char *, 2);
        entry->files[0] = g_path_get_basename(file);
    }
    return entry;
}

GPtrArray *
pipelines_csl_parse(const char *name, const char *text, size_t len, GError **error)
{
    json_error_t problem;
    g_autoptr(json_t) root = json_loadb(text, len, 0, &problem);
    if (root == NULL) {
        g_set_error(error, PIPELINES_ERROR, LODE_ERROR_FORMAT, "%s: line %d, column %d: %s", name,
                    problem.line, problem.column, problem.text);
        return NULL;
    }
    const json_t *items = json_is_object(root) ? json_object_get(root, "items") : root;
    g_autoptr(GPtrArray) entries = pipelines_bibliography_entries_new();
    if (items == NULL) {
        g_ptr_array_add(entries, make_entry(root));
        return g_steal_pointer(&entries);
    }
    size_t n = json_array_size(items);
    if (!json_is_array(items) || n > BIBLIOGRAPHY_MAX_ENTRIES) {
        g_set_error(error, PIPELINES_ERROR, LODE_ERROR_FORMAT, "%s: %s", name,
                    n > 0 ? "too many items" : "no list of CSL items");
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        if (!json_is_object(json_array_get(items, i))) {
            g_set_error(error, PIPELINES_ERROR, LODE_ERROR_FORMAT, "%s: item %zu is no object",
                        name, i + 1);
            return NULL;
        }
        g_ptr_array_add(entries, make_entry(json_array_get(items, i)));
    }
    return g_steal_pointer(&entries);
}

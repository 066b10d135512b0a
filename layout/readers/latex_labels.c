/* Labels of numbered lists: enumitem's "label=(\alph*), start=4", and "(i)" of enumerate and of enumitem's short
 * labels, whose first A, a, I, i or 1 outside of braces is the counter. */
#include "layout/readers/latex.h"

#include <stdlib.h>
#include <string.h>

#define MAX_LABEL 12 /* bytes; a longer one is text */

/* The value of a key in "key=value, key={a, b}"; NULL: it has none. Free with g_free. */
static char *
value_of(const char *option, const char *key)
{
    const gsize n = strlen(key);
    for (const char *at = option; *at != '\0';) {
        int depth = 0;
        const char *end = at;
        for (; *end != '\0' && (*end != ',' || depth > 0); end++)
            depth += *end == '{' ? 1 : *end == '}' ? -1 : 0;
        at += strspn(at, " \t\n");
        const char *sign = at + n <= end && strncmp(at, key, n) == 0 ? at + n : NULL;
        if (sign != NULL) sign += strspn(sign, " \t\n");
        if (sign != NULL && sign < end && *sign == '=')
            return g_strstrip(g_strndup(sign + 1, (gsize)(end - sign - 1)));
        at = *end == ',' ? end + 1 : end;
    }
    return NULL;
}

/* Behind "\alph*" or "\alph{enumi}", whose kind of number is then in *kind; NULL: it is neither. */
static const char *
behind_counter(const char *p, char *kind)
{
    static const struct {
        const char *command;
        char kind;
    } counters[] = {
        {"\\arabic", '1'}, {"\\alph", 'a'}, {"\\Alph", 'A'}, {"\\roman", 'i'}, {"\\Roman", 'I'}};
    for (gsize i = 0; i < G_N_ELEMENTS(counters); i++) {
        if (!g_str_has_prefix(p, counters[i].command)) continue;
        const char *behind = p + strlen(counters[i].command);
        const char *close = *behind == '{' ? strchr(behind, '}') : NULL;
        *kind = counters[i].kind;
        if (*behind == '*') return behind + 1;
        if (close != NULL) return close + 1;
    }
    return NULL;
}

static char *
long_label(const char *pattern, guint n)
{
    GString *out = g_string_new(NULL);
    for (const char *p = pattern; *p != '\0';) {
        char kind = '1';
        const char *behind = behind_counter(p, &kind);
        if (behind != NULL)
            layout_number_append(out, kind, n);
        else
            g_string_append_c(out, *p);
        p = behind != NULL ? behind : p + 1;
    }
    return g_string_free(out, FALSE);
}

static char *
short_label(const char *pattern, guint n)
{
    GString *out = g_string_new(NULL);
    gboolean counted = FALSE;
    int depth = 0;
    for (const char *p = pattern; *p != '\0'; p++) {
        depth += *p == '{' ? 1 : *p == '}' ? -1 : 0;
        const gboolean counter = !counted && depth == 0 && strchr("AaIi1", *p) != NULL &&
                                 (p == pattern || p[-1] != '\\');
        if (counter)
            layout_number_append(out, *p, n);
        else
            g_string_append_c(out, *p);
        counted = counted || counter;
    }
    return g_string_free(out, !counted);
}

static gboolean
is_numbered(const tex_environment *e)
{
    return g_str_has_prefix(e->name, "enumerate") || strcmp(e->name, "compactenum") == 0;
}

/* As the standard classes label numbered lists within each other: "1.", "(a)", "i.", "A.". */
static char *
usual_label(const tex_reader *r, guint n)
{
    static const struct {
        const char *before;
        char kind;
        const char *behind;
    } levels[] = {{"", '1', "."}, {"(", 'a', ")"}, {"", 'i', "."}, {"", 'A', "."}};
    guint level = 0;
    for (guint i = 0; i < r->environments->len; i++)
        level += is_numbered(&g_array_index(r->environments, tex_environment, i)) ? 1 : 0;
    level = CLAMP(level, 1, (guint)G_N_ELEMENTS(levels)) - 1;
    GString *out = g_string_new(levels[level].before);
    layout_number_append(out, levels[level].kind, n);
    g_string_append(out, levels[level].behind);
    return g_string_free(out, FALSE);
}

char *
tex_item_label(tex_reader *r, guint n)
{
    const guint depth = r->environments->len;
    const tex_environment *list =
        depth > 0 ? &g_array_index(r->environments, tex_environment, depth - 1) : NULL;
    if (list == NULL || !is_numbered(list)) return NULL;
    const char *option = list->option;
    g_autofree char *label = option != NULL ? value_of(option, "label") : NULL;
    g_autofree char *source = label != NULL ? long_label(label, n)
                              : option != NULL && *option != '\0' && strchr(option, '=') == NULL
                                  ? short_label(option, n)
                                  : NULL;
    g_autofree char *flat = source != NULL ? tex_flat(r, source) : NULL;
    if (flat != NULL && *flat != '\0' && strlen(flat) <= MAX_LABEL) return g_steal_pointer(&flat);
    return usual_label(r, n);
}

guint
tex_list_start(const char *option)
{
    g_autofree char *start = option != NULL ? value_of(option, "start") : NULL;
    return start != NULL ? (guint)CLAMP(strtol(start, NULL, 10), 0, 100000) : 1;
}

/* robots.txt, RFC 9309.
 *
 * The groups whose User-agent line names us are joined; without one, those of "*". Of the rules that match, the one
 * with the longest pattern decides, Allow before Disallow of the same length. Patterns know '*' and a '$' at the
 * end; %-escapes are compared in one spelling (2.2.2). */
#include "search/client.h"

#include <string.h>

#define RULES_MAX   2000
#define PATTERN_MAX 2048

typedef struct {
    gboolean allow;
    char *pattern;
} robots_rule;

struct search_robots {
    GArray *rules; /* of robots_rule */
};

static void
clear_rule(gpointer data)
{
    robots_rule *rule = data;
    g_free(rule->pattern);
}

/* Unreserved characters unescaped, others escaped in upper case: one spelling for both sides. */
static char *
normalize(const char *text)
{
    static const char plain[] = "-._~!$&'()*+,;=:@/?%";
    GString *out = g_string_new(NULL);

    for (const char *p = text; *p; p++) {
        guchar c = (guchar)*p;
        gboolean escaped = c == '%' && g_ascii_isxdigit(p[1]) && g_ascii_isxdigit(p[2]);
        if (escaped) {
            c = (guchar)(g_ascii_xdigit_value(p[1]) << 4 | g_ascii_xdigit_value(p[2]));
            p += 2;
        }
        gboolean keep = escaped ? g_ascii_isalnum(c) || (c && strchr("-._~", c) != NULL)
                                : g_ascii_isalnum(c) || strchr(plain, c) != NULL;
        if (keep)
            g_string_append_c(out, (char)c);
        else
            g_string_append_printf(out, "%%%02X", c);
    }
    return g_string_free(out, FALSE);
}

/* Does text start with pattern? One star is remembered at a time: linear but for what it spans. */
static gboolean
matches(const char *pattern, const char *text)
{
    const char *star = NULL, *retry = NULL;

    for (;;) {
        if (*pattern == '\0') return TRUE;
        if (*pattern == '$' && pattern[1] == '\0' && *text == '\0') return TRUE;
        if (*pattern == '*') {
            star = ++pattern;
            retry = text;
        } else if (*text && *pattern == *text) {
            pattern++;
            text++;
        } else if (star && *retry) {
            pattern = star;
            text = ++retry;
        } else {
            return FALSE;
        }
    }
}

/* ---- reading ---- */

typedef enum { GROUP_NONE, GROUP_OURS, GROUP_ANY } group_kind;

/* The product token at the start of a User-agent value. */
static group_kind
group_of(const char *agent)
{
    gsize len = strspn(agent, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-");
    if (agent[0] == '*') return GROUP_ANY;
    return len == strlen(SEARCH_ROBOTS_AGENT) &&
                   g_ascii_strncasecmp(agent, SEARCH_ROBOTS_AGENT, len) == 0
               ? GROUP_OURS
               : GROUP_NONE;
}

static void
add_rule(GArray *rules, gboolean allow, const char *pattern)
{
    if (!*pattern || rules->len >= RULES_MAX || strlen(pattern) > PATTERN_MAX) return;
    robots_rule rule = {.allow = allow, .pattern = normalize(pattern)};
    g_array_append_val(rules, rule);
}

search_robots *
search_robots_parse(const char *text, gsize len)
{
    g_autofree char *copy = g_strndup(len > 0 ? text : "", MIN(len, SEARCH_ROBOTS_BYTES));
    GArray *ours = g_array_new(FALSE, FALSE, sizeof(robots_rule));
    GArray *any = g_array_new(FALSE, FALSE, sizeof(robots_rule));
    g_array_set_clear_func(ours, clear_rule);
    g_array_set_clear_func(any, clear_rule);
    gboolean for_us = FALSE, for_any = FALSE, found_us = FALSE, in_agents = FALSE;
    char *start = copy;

    if (g_str_has_prefix(start, "\xef\xbb\xbf")) start += 3;
    g_auto(GStrv) lines = g_strsplit_set(start, "\r\n", -1);
    for (char **l = lines; *l; l++) {
        (*l)[strcspn(*l, "#")] = '\0';
        char *colon = strchr(*l, ':');
        if (!colon) continue;
        *colon = '\0';
        const char *key = g_strstrip(*l), *value = g_strstrip(colon + 1);
        if (g_ascii_strcasecmp(key, "user-agent") == 0) {
            if (!in_agents) for_us = for_any = FALSE;
            in_agents = TRUE;
            group_kind kind = group_of(value);
            for_us = for_us || kind == GROUP_OURS;
            for_any = for_any || kind == GROUP_ANY;
            found_us = found_us || for_us;
            continue;
        }
        gboolean allow = g_ascii_strcasecmp(key, "allow") == 0;
        if (!allow && g_ascii_strcasecmp(key, "disallow") != 0) continue; /* Sitemap ... */
        in_agents = FALSE;
        if (for_us) add_rule(ours, allow, value);
        if (for_any) add_rule(any, allow, value);
    }
    search_robots *robots = g_new0(search_robots, 1);
    robots->rules = found_us ? ours : any;
    g_array_unref(found_us ? any : ours);
    return robots;
}

void
search_robots_free(search_robots *robots)
{
    if (!robots) return;
    g_array_unref(robots->rules);
    g_free(robots);
}

gboolean
search_robots_allow(const search_robots *robots, const char *target)
{
    gsize best = 0;
    gboolean allowed = TRUE;

    if (!robots || g_str_equal(target, "/robots.txt")) return TRUE;
    g_autofree char *head = g_strndup(target, PATTERN_MAX); /* no pattern is longer */
    g_autofree char *path = normalize(head);
    for (guint i = 0; i < robots->rules->len; i++) {
        const robots_rule *rule = &g_array_index(robots->rules, robots_rule, i);
        gsize len = strlen(rule->pattern);
        if (len < best || !matches(rule->pattern, path)) continue;
        if (len > best || rule->allow) allowed = rule->allow;
        best = len;
    }
    return allowed;
}

/* One page that needs nothing else: the answer, its sources, the plan drawn as a graph, what was read.
 *
 * Columns of the drawing are the depth of a node, rows the order in which they were added. Everything from outside is
 * escaped, links are http(s) only, and the page may load nothing. */
#include <string.h>

#include "pipelines/web.h"

enum { BOX_WIDTH = 230, BOX_HEIGHT = 74, GAP_X = 50, GAP_Y = 16, LINE = 34, LINES = 3 };

static const char STYLE[] =
    "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:62rem;padding:0 "
    "1rem;color:#222}"
    "h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}q{color:#444}li{margin:.4rem 0}"
    ".status,.note{color:#666;font-size:.9rem}.unsupported{color:#a33}svg{max-width:100%;height:"
    "auto}"
    "svg text{font:12px system-ui,sans-serif}";

static void
append_escaped(GString *out, const char *text)
{
    g_autofree char *escaped = g_markup_escape_text(text != NULL ? text : "", -1);
    g_string_append(out, escaped);
}

static const char *
color_of(search_node_state state)
{
    if (state == SEARCH_NODE_ANSWERED) return "#d7f0d7";
    return state == SEARCH_NODE_NO_EVIDENCE ? "#f4efd2" : "#f6d9d5";
}

/* A word that is longer than a line is cut. */
static char *
fit(const char *word)
{
    if (g_utf8_strlen(word, -1) <= LINE) return g_strdup(word);
    g_autofree char *cut = g_utf8_substring(word, 0, LINE - 1);
    return g_strconcat(cut, "\xE2\x80\xA6", NULL);
}

/* Text in lines of a box, cut where they end. */
static void
append_lines(GString *out, int x, int y, const char *text, int n_lines)
{
    g_auto(GStrv) words = g_strsplit(text, " ", -1);
    g_autoptr(GString) line = g_string_new(NULL);
    int n = 0;
    for (char **word = words; n < n_lines; word++) {
        glong len = g_utf8_strlen(line->str, -1);
        gboolean ends = *word == NULL;
        if (!ends && (len == 0 || len + 1 + g_utf8_strlen(*word, -1) <= LINE)) {
            g_autofree char *next = fit(*word);
            g_string_append_printf(line, "%s%s", len > 0 ? " " : "", next);
            continue;
        }
        if (!ends && n == n_lines - 1 && !g_str_has_suffix(line->str, "\xE2\x80\xA6"))
            g_string_append(line, "\xE2\x80\xA6");
        g_string_append_printf(out, "<text x=\"%d\" y=\"%d\">", x, y + 15 * n);
        append_escaped(out, line->str);
        g_string_append(out, "</text>");
        if (ends) return;
        g_autofree char *next = fit(*word);
        g_string_assign(line, next);
        n++;
    }
}

static void
append_box(GString *out, int x, int y, const char *color, const char *text, const char *answer)
{
    g_string_append_printf(out, "<g><title>");
    append_escaped(out, text);
    if (answer != NULL) g_string_append(out, " = ");
    append_escaped(out, answer);
    g_string_append_printf(out,
                           "</title><rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"6\" "
                           "fill=\"%s\" stroke=\"#888\"/>",
                           x, y, BOX_WIDTH, BOX_HEIGHT, color);
    append_lines(out, x + 8, y + 18, text, answer != NULL ? LINES - 1 : LINES);
    if (answer != NULL) {
        g_autofree char *line = g_strdup_printf("= %s", answer);
        append_lines(out, x + 8, y + 18 + 15 * (LINES - 1) + 6, line, 1);
    }
    g_string_append(out, "</g>\n");
}

static void
append_edge(GString *out, int x0, int y0, int x1, int y1)
{
    int from_x = x0 + BOX_WIDTH, from_y = y0 + BOX_HEIGHT / 2, to_y = y1 + BOX_HEIGHT / 2;
    int mid = (from_x + x1) / 2;
    g_string_append_printf(
        out, "<path d=\"M%d %d C%d %d %d %d %d %d\" fill=\"none\" stroke=\"#888\"/>\n", from_x,
        from_y, mid, from_y, mid, to_y, x1, to_y);
}

static void
append_graph(GString *out, const search_plan *plan)
{
    guint n = search_plan_n_nodes(plan), rows[8] = {0}, most = 1;
    g_autofree int *x = g_new0(int, (gsize)n + 1), *y = g_new0(int, (gsize)n + 1);
    guint deepest = 0;
    for (guint i = 0; i < n; i++) {
        guint depth = MIN(search_plan_node(plan, i)->depth, G_N_ELEMENTS(rows) - 1);
        x[i] = (int)depth * (BOX_WIDTH + GAP_X);
        y[i] = (int)rows[depth]++ * (BOX_HEIGHT + GAP_Y);
        most = MAX(most, rows[depth]);
        deepest = MAX(deepest, depth);
    }
    g_string_append_printf(out, "<svg viewBox=\"-4 -4 %d %d\" role=\"img\">\n",
                           (int)(deepest + 1) * (BOX_WIDTH + GAP_X),
                           (int)most * (BOX_HEIGHT + GAP_Y) + 8);
    for (guint i = 0; i < n; i++) {
        const search_node *node = search_plan_node(plan, i);
        if (node->needs->len == 0) append_edge(out, 0, 0, x[i], y[i]);
        for (guint j = 0; j < node->needs->len; j++)
            for (guint k = 0; k < n; k++)
                if (search_plan_node(plan, k) == node->needs->pdata[j])
                    append_edge(out, x[k], y[k], x[i], y[i]);
    }
    append_box(out, 0, 0, "#fff", search_plan_question(plan), NULL);
    for (guint i = 0; i < n; i++) {
        const search_node *node = search_plan_node(plan, i);
        append_box(out, x[i], y[i], color_of(node->state),
                   node->asked != NULL ? node->asked : node->question, node->answer);
    }
    g_string_append(out, "</svg>\n");
}

static void
append_answer(GString *out, const lode_answer *answer)
{
    for (guint i = 0; i < answer->claims->len; i++) {
        const pipelines_claim *claim = answer->claims->pdata[i];
        if (!claim->supported && answer->options.strict) continue;
        g_string_append(out, claim->supported ? "<p>" : "<p class=\"unsupported\">");
        append_escaped(out, claim->text);
        for (guint j = 0; j < claim->citations->len; j++) {
            guint index = g_array_index(claim->citations, guint, j);
            int number = g_array_index(answer->citations, pipelines_citation, index).number;
            g_string_append_printf(out, " <a href=\"#s%u\">[%d]</a>", index, number);
        }
        g_string_append(out, "</p>\n");
    }
    if (answer->claims->len == 0) {
        g_string_append(out, "<p>");
        append_escaped(out, answer->text->str);
        g_string_append(out, "</p>\n");
    }
}

static void
append_link(GString *out, const char *url, const char *text)
{
    gboolean safe = g_str_has_prefix(url, "http://") || g_str_has_prefix(url, "https://");
    if (safe) {
        g_string_append(out, "<a rel=\"noreferrer\" href=\"");
        append_escaped(out, url);
        g_string_append(out, "\">");
    }
    append_escaped(out, text);
    if (safe) g_string_append(out, "</a>");
}

static void
append_sources(GString *out, const lode_answer *answer)
{
    int last = 0;
    if (answer->citations->len > 0) g_string_append(out, "<h2>Sources</h2>\n<ul>\n");
    for (guint i = 0; i < answer->citations->len; i++) {
        const pipelines_citation *c = &g_array_index(answer->citations, pipelines_citation, i);
        const retrieval_hit *hit = answer->hits->pdata[c->passage];
        g_autofree char *link = pipelines_text_link(hit->path, answer->quotes->pdata[i]);
        /* citations are sorted by number: the quotes of a source follow each other */
        if (c->number != last) {
            g_string_append_printf(out, "%s<li>[%d] ", last > 0 ? "</li>\n" : "", c->number);
            append_link(out, hit->path, hit->title);
        }
        last = c->number;
        g_string_append_printf(out, "<br><q id=\"s%u\">", i);
        append_link(out, link, answer->quotes->pdata[i]);
        g_string_append(out, "</q>");
    }
    if (answer->citations->len > 0) g_string_append(out, "</li>\n</ul>\n");
}

static void
append_pages(GString *out, const lode_web_answer *answer)
{
    g_string_append(out, "<h2>Read</h2>\n<ul>\n");
    for (guint i = 0; i < answer->pages->len; i++) {
        const web_page *page = answer->pages->pdata[i];
        if (page->state != WEB_PAGE_READ && page->problem == NULL) continue;
        g_string_append(out, "<li>");
        append_link(out, page->key, page->title != NULL ? page->title : page->key);
        if (page->problem != NULL) {
            g_string_append(out, " <span class=\"note\">");
            append_escaped(out, page->problem);
            g_string_append(out, "</span>");
        }
        g_string_append(out, "</li>\n");
    }
    g_string_append(out, "</ul>\n");
}

char *
pipelines_web_to_html(const lode_web_answer *answer)
{
    GString *out = g_string_new(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
        "'unsafe-inline'\">\n<meta name=\"viewport\" content=\"width=device-width\">\n<title>");
    append_escaped(out, answer->answer->question);
    g_string_append_printf(out, "</title>\n<style>%s</style></head>\n<body>\n<h1>", STYLE);
    append_escaped(out, answer->answer->question);
    g_string_append(out, "</h1>\n");
    append_answer(out, answer->answer);
    g_string_append_printf(out, "<p class=\"status\">%s</p>\n",
                           pipelines_status_name(answer->answer->status));
    append_sources(out, answer->answer);
    g_string_append(out, "<h2>Plan</h2>\n");
    append_graph(out, answer->plan);
    append_pages(out, answer);
    g_string_append(out, "</body></html>\n");
    return g_string_free(out, FALSE);
}

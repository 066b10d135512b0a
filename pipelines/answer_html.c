/* An answer as one page of HTML: a click on a source shows the page of the document with the quote marked on it.
 *
 * Self-contained: pictures of the cited pages are part of the file, each once however often it is cited, and nothing is
 * fetched and no script run (a policy in the page forbids both). All text is escaped: what a paper says can do no
 * more than be read. Which source is shown is a matter of the address's fragment and CSS's :target. */
#include <string.h>

#include "parse/parse.h"
#include "pipelines/answer.h"

#define DPI 110.0

static const char STYLE[] =
    "body{margin:0;font:16px/1.5 Georgia,serif;color:#222;display:flex;min-height:100vh}"
    "main{flex:1;min-width:20em;max-width:44em;padding:2em}h1{font-size:1.3em}"
    "aside{flex:1;background:#eee;padding:1em;position:sticky;top:0;height:calc(100vh - 2em);"
    "overflow:auto}.view{display:none}.view:target{display:block}.view:target~.hint{display:none}"
    ".page{position:relative;background:#fff 0 0/100% 100% no-repeat;box-shadow:0 1px 4px #888;"
    "margin:0 auto 1em}.page i{position:absolute;background:#fd0;mix-blend-mode:multiply}"
    "a{color:#05a;text-decoration:none}q{color:#444}li{margin:.7em 0}"
    ".unsupported{background:#fdd}.status{color:#666}.note{color:#a00}"
    "@media(max-width:60em){body{display:block}aside{height:auto;position:static}}";

static void
append_escaped(GString *out, const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text != NULL ? text : "", -1);
    g_autofree char *escaped = g_markup_escape_text(valid, -1);
    g_string_append(out, escaped);
}

/* ---- pictures ---- */

typedef struct {
    char *path;
    int page; /* 0-based */
    double width_pt, height_pt;
    char *problem; /* NULL: there is a picture */
} picture;

static void
picture_clear(gpointer data)
{
    picture *p = data;
    g_free(p->path);
    g_free(p->problem);
}

static uint32_t
big_endian(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* The rule of CSS that holds a page's picture; the size from its PNG header. */
static gboolean
append_picture(GString *css, guint index, picture *p, const char *sha256, GError **error)
{
    g_autofree char *now = layout_file_sha256(p->path, error);
    if (now == NULL) return FALSE;
    if (g_strcmp0(now, sha256) != 0) {
        g_set_error_literal(error, PIPELINES_ERROR, LODE_ERROR_FORMAT,
                            "the file has changed since it was indexed");
        return FALSE;
    }
    g_autoptr(parse_file) file = parse_file_open(p->path, NULL, error);
    if (file == NULL) return FALSE;
    g_autoptr(GBytes) png = parse_file_render_png(file, p->page, NULL, 0, DPI, error);
    if (png == NULL) return FALSE;
    gsize n = 0;
    const uint8_t *bytes = g_bytes_get_data(png, &n);
    g_assert(n > 24);
    p->width_pt = big_endian(bytes + 16) * 72.0 / DPI;
    p->height_pt = big_endian(bytes + 20) * 72.0 / DPI;
    g_autofree char *base64 = g_base64_encode(bytes, n);
    g_string_append_printf(
        css, ".p%u{aspect-ratio:%.1f/%.1f;background-image:url(data:image/png;base64,%s)}\n", index,
        p->width_pt, p->height_pt, base64);
    return TRUE;
}

/* Index of the picture of a page, drawn when it is new. */
static guint
find_picture(GArray *pictures, GString *css, const retrieval_hit *hit, int page)
{
    for (guint i = 0; i < pictures->len; i++) {
        const picture *p = &g_array_index(pictures, picture, i);
        if (p->page == page && strcmp(p->path, hit->path) == 0) return i;
    }
    picture fresh = {.path = g_strdup(hit->path), .page = page};
    g_autoptr(GError) error = NULL;
    if (!append_picture(css, pictures->len, &fresh, hit->sha256, &error))
        fresh.problem = g_strdup(error->message);
    g_array_append_val(pictures, fresh);
    return pictures->len - 1;
}

/* ---- parts ---- */

static void
append_view(GString *out, GString *css, GArray *pictures, const lode_answer *answer, guint index)
{
    const pipelines_citation *c = &g_array_index(answer->citations, pipelines_citation, index);
    const retrieval_hit *hit = answer->hits->pdata[c->passage];
    pipelines_location at = pipelines_quote_location(hit, c->quote.start, c->quote.len);
    g_autoptr(GArray) boxes = pipelines_quote_boxes(hit, c->quote.start, c->quote.len);
    g_string_append_printf(out, "<section class=\"view\" id=\"e%u\">\n", index + 1);
    for (int page = at.page; page <= MAX(at.page, at.last_page); page++) {
        guint n = find_picture(pictures, css, hit, page);
        const picture *p = &g_array_index(pictures, picture, n);
        g_string_append(out, "<p>");
        append_escaped(out, answer->works->pdata[index]);
        g_string_append_printf(out, ", page %d</p>\n", page + 1);
        if (p->problem != NULL) {
            g_string_append(out, "<p class=\"note\">No picture: ");
            append_escaped(out, p->problem);
            g_string_append(out, "</p>\n<blockquote>");
            append_escaped(out, answer->quotes->pdata[index]);
            g_string_append(out, "</blockquote>\n");
            continue;
        }
        g_string_append_printf(out, "<div class=\"page p%u\">", n);
        for (guint i = 0; i < boxes->len; i++) {
            const layout_box *box = &g_array_index(boxes, layout_box, i);
            if (box->page != page) continue;
            g_string_append_printf(
                out, "<i style=\"left:%.2f%%;top:%.2f%%;width:%.2f%%;height:%.2f%%\"></i>",
                100 * (double)box->rect.x0 / p->width_pt, 100 * (double)box->rect.y0 / p->height_pt,
                100 * (double)(box->rect.x1 - box->rect.x0) / p->width_pt,
                100 * (double)(box->rect.y1 - box->rect.y0) / p->height_pt);
        }
        g_string_append(out, "</div>\n");
    }
    g_string_append(out, "</section>\n");
}

static void
append_claims(GString *out, const lode_answer *answer)
{
    for (guint i = 0; i < answer->claims->len; i++) {
        const pipelines_claim *claim = answer->claims->pdata[i];
        if (!claim->supported && answer->options.strict) continue;
        g_string_append(out, claim->supported ? "<p>" : "<p class=\"unsupported\">");
        if (claim->verbatim) g_string_append(out, "<q>");
        append_escaped(out, claim->text);
        if (claim->verbatim) g_string_append(out, "</q>");
        for (guint j = 0; j < claim->citations->len; j++) {
            guint index = g_array_index(claim->citations, guint, j);
            g_string_append_printf(
                out, " <a href=\"#e%u\">[%d]</a>", index + 1,
                g_array_index(answer->citations, pipelines_citation, index).number);
        }
        if (!claim->supported) {
            g_string_append(out, " [unsupported: ");
            append_escaped(out, claim->problem);
            g_string_append_c(out, ']');
        }
        g_string_append(out, "</p>\n");
    }
    if (answer->claims->len > 0) return;
    g_string_append(out, "<p>");
    append_escaped(out, answer->text->str);
    g_string_append(out, "</p>\n");
}

/* What a quote cites itself. */
static void
append_references(GString *out, const GPtrArray *references)
{
    for (guint i = 0; i < references->len; i++) {
        g_autofree char *line = pipelines_reference_line(references->pdata[i]);
        g_string_append(out, "<br><small>cites ");
        append_escaped(out, line);
        g_string_append(out, "</small>");
    }
}

static void
append_sources(GString *out, const lode_answer *answer)
{
    if (answer->citations->len == 0) return;
    g_string_append(out, "<h2>Sources</h2>\n<ul>\n");
    for (guint i = 0; i < answer->citations->len; i++) {
        const pipelines_citation *c = &g_array_index(answer->citations, pipelines_citation, i);
        const retrieval_hit *hit = answer->hits->pdata[c->passage];
        g_string_append_printf(out, "<li><a href=\"#e%u\">[%d] ", i + 1, c->number);
        append_escaped(out, answer->works->pdata[i]);
        g_autofree char *place =
            pipelines_place_name(hit, lode_citation_page_number(answer, i), NULL);
        g_string_append(out, place != NULL ? ", " : "");
        append_escaped(out, place);
        g_string_append(out, "</a>");
        g_autofree char *cell = pipelines_cell_name(answer, i);
        g_string_append(out, cell != NULL ? ", " : "");
        append_escaped(out, cell);
        g_string_append(out, ". ");
        append_escaped(out, hit->title);
        g_string_append(out, "<br><q>");
        append_escaped(out, answer->quotes->pdata[i]);
        g_string_append(out, "</q>");
        if (i < answer->references->len) append_references(out, answer->references->pdata[i]);
        g_string_append(out, "</li>\n");
    }
    g_string_append(out, "</ul>\n");
}

/* ---- the page ---- */

char *
pipelines_answer_html(const lode_answer *answer)
{
    g_autoptr(GString) css = g_string_new(STYLE), views = g_string_new(NULL);
    g_autoptr(GArray) pictures = g_array_new(FALSE, FALSE, sizeof(picture));
    g_array_set_clear_func(pictures, picture_clear);
    g_string_append_c(css, '\n');
    for (guint i = 0; i < answer->citations->len; i++)
        append_view(views, css, pictures, answer, i);
    GString *out = g_string_new(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
        "style-src 'unsafe-inline'\">\n"
        "<meta name=\"viewport\" content=\"width=device-width\">\n<title>");
    append_escaped(out, answer->question);
    g_string_append_printf(out, "</title>\n<style>%s</style></head>\n<body><main>\n<h1>", css->str);
    append_escaped(out, answer->question);
    g_string_append(out, "</h1>\n");
    append_claims(out, answer);
    g_string_append(out, "<p class=\"status\">");
    append_escaped(out, pipelines_status_name(answer->status));
    g_string_append(out, "</p>\n");
    append_sources(out, answer);
    g_string_append_printf(out,
                           "</main><aside>\n%s<p class=\"hint\">Click on a source to see its quote "
                           "in the document.</p>\n</aside></body></html>\n",
                           views->str);
    return g_string_free(out, FALSE);
}

gboolean
pipelines_write_html(const lode_answer *answer, const char *path, GError **error)
{
    g_autofree char *html = pipelines_answer_html(answer);
    return pipelines_write_file(path, html, strlen(html), error);
}

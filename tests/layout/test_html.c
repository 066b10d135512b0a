/* HTML and plain text: on papers, cases and the sample. HTML is read as XML: what that reader takes, every reader does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "every_document.h"
#include "sample_document.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    GHashTable *ids;   /* -> element */
    GPtrArray *links;  /* "#..." */
    GString *text;     /* of everything */
    guint n_h1, depth; /* depth: open sections */
} page;

static void
on_start(GMarkupParseContext *context, const char *element, const char **names, const char **values,
         gpointer data, GError **error)
{
    (void)context, (void)error;
    page *p = data;
    if (strcmp(element, "h1") == 0) p->n_h1++;
    for (guint i = 0; names[i]; i++) {
        if (strcmp(names[i], "id") == 0) {
            if (!g_hash_table_insert(p->ids, g_strdup(values[i]), g_strdup(element)))
                fail_msg("id %s twice", values[i]);
        } else if (strcmp(names[i], "href") == 0 && values[i][0] == '#') {
            g_ptr_array_add(p->links, g_strdup(values[i] + 1));
        } else if (strcmp(names[i], "href") == 0) {
            assert_true(g_str_has_prefix(values[i], "http") || g_str_has_prefix(values[i], "ftp") ||
                        g_str_has_prefix(values[i], "mailto:"));
        } else if (strcmp(names[i], "data-page") == 0) {
            assert_true(atoi(values[i]) >= 1);
        }
    }
}

static void
on_text(GMarkupParseContext *context, const char *text, gsize len, gpointer data, GError **error)
{
    (void)context, (void)error;
    g_string_append_len(((page *)data)->text, text, (gssize)len);
}

/* Fails the test where the page is not sound in itself. Free with page_free. */
static page *
read_page(const char *name, const char *html)
{
    static const GMarkupParser parser = {.start_element = on_start, .text = on_text};
    page *p = g_new0(page, 1);
    p->ids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    p->links = g_ptr_array_new_with_free_func(g_free);
    p->text = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    GMarkupParseContext *context =
        g_markup_parse_context_new(&parser, G_MARKUP_TREAT_CDATA_AS_TEXT, p, NULL);
    if (!g_markup_parse_context_parse(context, html, (gssize)strlen(html), &error) ||
        !g_markup_parse_context_end_parse(context, &error))
        fail_msg("%s: %s", name, error->message);
    g_markup_parse_context_free(context);
    for (guint i = 0; i < p->links->len; i++)
        if (!g_hash_table_contains(p->ids, p->links->pdata[i]))
            fail_msg("%s: nothing has the id %s", name, (char *)p->links->pdata[i]);
    return p;
}

static void
page_free(page *p)
{
    g_hash_table_unref(p->ids);
    g_ptr_array_unref(p->links);
    g_string_free(p->text, TRUE);
    g_free(p);
}

static void
check_html(const char *name, const char *path, const lode_document *d)
{
    (void)path;
    g_autofree char *html = layout_document_to_html(d, NULL);
    assert_true(g_utf8_validate(html, -1, NULL));
    page *p = read_page(name, html);
    guint n_titles = 0;
    for (guint b = 0; b < d->n_blocks; b++) {
        const layout_block *block = &d->blocks[b];
        if (block->type == LAYOUT_BLOCK_TITLE) n_titles++;
        if (layout_block_type_is_furniture(block->type)) continue;
        const gboolean shown = block->text_len > 0 || block->item != LAYOUT_NONE;
        g_autofree char *id = g_strdup_printf("b%u", b);
        if (shown && !g_hash_table_contains(p->ids, id)) fail_msg("%s: no block %u", name, b);
        if (block->n_spans == 0 && block->type == LAYOUT_BLOCK_PARAGRAPH &&
            !strstr(p->text->str, block->text))
            fail_msg("%s: block %u: \"%.60s\" is not in the text", name, b, block->text);
    }
    if (n_titles > 0) assert_int_equal(p->n_h1, n_titles);
    page_free(p);
}

static void
html_of_every_document_is_sound(void **state)
{
    (void)state;
    every_document(check_html);
    every_document_without_paper(check_html);
    g_autoptr(lode_document) sample = sample_document();
    check_html("sample", NULL, sample);
}

static void
html_has_the_structure(void **state)
{
    (void)state;
    static const char *const parts[] = {
        "<h1 class=\"title\" id=\"b0\" data-page=\"1\" data-box=\"60.00 50.00 540.00 62.25\">",
        "<h2 id=\"b3\"",
        "<sup><a id=\"call-1\" href=\"#fn-1\">1</a></sup> a <strong>very</strong> "
        "<strong>good</strong> foam at 10<sup>−3</sup> and <span class=\"math\">\\(E = "
        "mc^2\\)</span>, "
        "see <a href=\"https://example.org/a_b\">the site</a>.</p>",
        "<li id=\"b6\" data-page=\"1\" data-box=\"60.00 314.00 540.00 326.25\">second<ol>\n<li "
        "id=\"b7\"",
        ">two<ul class=\"marked\">\n<li id=\"b9\" data-page=\"1\" data-box=\"60.00 356.00 540.00 "
        "368.25\">"
        "<span class=\"marker\">(a)</span> deep</li>\n</ul>\n</li>\n</ol>\n</li>\n<li id=\"b10\"",
        "<pre id=\"b11\" data-page=\"1\" data-box=\"60.00 500.00 540.00 512.25\"><code>if (a) {\n  "
        "  b(",
        "<a class=\"back\" id=\"fn-1\" href=\"#call-1\">1</a> Bought in a shop.</aside>",
        "<span id=\"ref-1\"><span class=\"marker\">[1]</span> A. Writer. A title. "
        "2020.</span></li>",
        "<th rowspan=\"2\">a&lt;b</th><th colspan=\"2\">&quot;wide&quot;</th>",
        "<img src=\"images/page-2-figure-1.png\" alt=\"Figure 1: A curve.\" />\n<figcaption>\n<p",
        "<span class=\"math\">\\[E = mc^2\\]</span> <span class=\"number\">(1)</span></div>",
        NULL};
    g_autoptr(lode_document) d = sample_document();
    g_autofree char *html = layout_document_to_html(d, NULL);
    for (guint i = 0; parts[i]; i++)
        if (!strstr(html, parts[i])) fail_msg("not in the HTML: %s\n%s", parts[i], html);
    layout_write_options options = layout_write_options_default();
    options.images = LAYOUT_IMAGES_NONE;
    g_autofree char *bare = layout_document_to_html(d, &options);
    assert_null(strstr(bare, "<img"));
    assert_null(strstr(bare, "Running header"));
    options.furniture = TRUE;
    g_autofree char *all = layout_document_to_html(d, &options);
    assert_non_null(strstr(all, "<p class=\"header\""));
}

/* Citations over spans, links that must not be followed, markup in the text. */
static void
html_nests_whatever_overlaps(void **state)
{
    (void)state;
    layout_builder *b = sample_builder(1);
    const char *text = "See [1, 2] & <b> now";
    const layout_span spans[] = {sample_span(text, "[1, 2]", LAYOUT_SPAN_BOLD, NULL),
                                 sample_span(text, "now", LAYOUT_SPAN_LINK, "javascript:alert(1)")};
    const layout_box box = {0, {60, 50, 540, 60}};
    const layout_block block = {
        .type = LAYOUT_BLOCK_PARAGRAPH, .text = text, .parent = LAYOUT_NONE};
    layout_builder_add_block(b, &block, &box, 1, spans, 2, NULL, 0);
    for (int i = 0; i < 2; i++) {
        const int entry = sample_add(b, LAYOUT_BLOCK_REFERENCE, i ? "Two." : "One.", 0, 90);
        const layout_reference reference = {.block = entry};
        layout_builder_add_reference(b, &reference, NULL, 0);
    }
    const layout_citation citations[] = {{0, 5, 1, 0}, {0, 8, 1, 1}};
    layout_builder_add_citation(b, &citations[0]);
    layout_builder_add_citation(b, &citations[1]);
    g_autoptr(lode_document) d = layout_builder_finish(b);
    g_autofree char *html = layout_document_to_html(d, NULL);
    page_free(read_page("overlaps", html));
    assert_non_null(strstr(
        html, "See <strong>[</strong><a class=\"citation\" href=\"#ref-1\"><strong>1</strong></a>"
              "<strong>,</strong> <a class=\"citation\" href=\"#ref-2\"><strong>2</strong></a>"
              "<strong>]</strong> &amp; &lt;b&gt; now</p>"));
    assert_null(strstr(html, "javascript"));
}

static void
text_is_one_paragraph_per_line(void **state)
{
    (void)state;
    g_autoptr(lode_document) d = sample_document();
    g_autofree char *text = layout_document_to_text(d, NULL);
    assert_string_equal(
        text,
        "A Título\n\nAnn Writer and Bo Reader\n\nAbstract—We did things.\n\n1 Introduction\n\n"
        "We bought¹ a very good foam at 10⁻³ and E = m c2, see the site.\n\n"
        "• first\n• second\n  1. one\n  2. two\n    (a) deep\n• third\n\n"
        "if (a) {\n    b(\"```\");\n}\n\n"
        "¹ Bought in a shop.\n\n* Nobody calls this one.\n\nReferences\n\n"
        "[1] A. Writer. A title. 2020.\n\n[2] B. Writer. Another. 2021.\n\n"
        "Table 1: Plain & simple.\n\nFoam  X\nRC-4  87.3\n\na<b  \"wide\"\n     c  d e\n\n"
        "Figure 1: A curve.\n\nE = mc2  (1)\n\n∑ a * b\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(html_of_every_document_is_sound),
        cmocka_unit_test(html_has_the_structure),
        cmocka_unit_test(html_nests_whatever_overlaps),
        cmocka_unit_test(text_is_one_paragraph_per_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The sample papers, converted: compared with golden Markdown and JSON, and held against what every document must
 * keep (properties) and what these papers say (facts).
 *
 * The golden files are reviewed like code. To record them again:
 *     LODE_UPDATE_GOLDEN=1 ctest --test-dir BUILD -R layout_golden
 * or run the program with --update. What a failing run got lies beside it as NAME.md and NAME.json. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "layout/layout.h"

#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const papers[] = {"ceria", "lake", "manual"};
static gboolean update;

static lode_document *
open_paper(const char *name)
{
    g_autofree char *path = g_strdup_printf("%s/papers/%s.pdf", LODE_TEST_DATA, name);
    g_autoptr(GError) error = NULL;
    lode_document *document = layout_document_open(path, NULL, &error);
    if (!document) fail_msg("%s", error->message);
    return document;
}

/* ---- golden ---- */

static void
show_first_difference(const char *file, const char *expected, const char *actual)
{
    g_auto(GStrv) old = g_strsplit(expected, "\n", -1), new = g_strsplit(actual, "\n", -1);
    guint i = 0;
    while (old[i] && new[i] && strcmp(old[i], new[i]) == 0)
        i++;
    print_error("%s, line %u\n  golden: %.300s\n  now:    %.300s\n", file, i + 1,
                old[i] ? old[i] : "(end)", new[i] ? new[i] : "(end)");
}

static gboolean
matches_golden(const char *paper, const char *extension, const char *actual)
{
    g_autofree char *file = g_strconcat(paper, extension, NULL);
    g_autofree char *path = g_build_filename(LODE_TEST_DATA, "papers", "golden", file, NULL);
    g_autofree char *expected = NULL;
    if (update) {
        g_autoptr(GError) error = NULL;
        if (!layout_write_file_atomic(path, actual, strlen(actual), &error))
            fail_msg("%s", error->message);
        return TRUE;
    }
    if (!g_file_get_contents(path, &expected, NULL, NULL)) fail_msg("%s: no golden file", path);
    if (strcmp(expected, actual) == 0) return TRUE;
    show_first_difference(file, expected, actual);
    g_file_set_contents(file, actual, -1, NULL);
    return FALSE;
}

static void
papers_come_out_as_reviewed(void **state)
{
    (void)state;
    gboolean good = TRUE;
    for (guint i = 0; i < G_N_ELEMENTS(papers); i++) {
        g_autoptr(lode_document) document = open_paper(papers[i]);
        g_autofree char *markdown = layout_document_to_markdown(document, NULL);
        g_autofree char *json = layout_document_to_traced_json(document, NULL);
        g_autofree char *list = layout_document_to_content_list(document, NULL);
        good &= matches_golden(papers[i], ".md", markdown);
        good &= matches_golden(papers[i], ".json", json);
        good &= matches_golden(papers[i], "_content_list.json", list);
    }
    assert_true(good);
}

/* ---- properties ---- */

static void
json_of_papers_round_trips(void **state)
{
    (void)state;
    for (guint i = 0; i < G_N_ELEMENTS(papers); i++) {
        g_autoptr(lode_document) document = open_paper(papers[i]);
        g_autofree char *json = layout_document_to_json(document);
        g_autoptr(GError) error = NULL;
        g_autoptr(lode_document) again = layout_document_from_json(json, strlen(json), &error);
        if (!again) fail_msg("%s: %s", papers[i], error->message);
        g_autofree char *same = layout_document_to_json(again);
        assert_string_equal(json, same);
        g_autofree char *markdown = layout_document_to_markdown(document, NULL);
        g_autofree char *markdown_again = layout_document_to_markdown(again, NULL);
        assert_string_equal(markdown, markdown_again);
    }
}

static void
the_same_file_gives_the_same_bytes(void **state)
{
    (void)state;
    g_autoptr(lode_document) one = open_paper("ceria"), two = open_paper("ceria");
    g_autofree char *first = layout_document_to_json(one), *second = layout_document_to_json(two);
    assert_string_equal(first, second);
}

static gboolean
is_on_page(const lode_document *d, const layout_box *box)
{
    const layout_page *page = &d->pages[box->page];
    return box->rect.x0 >= -1 && box->rect.y0 >= -1 && box->rect.x1 <= page->width_pt + 1 &&
           box->rect.y1 <= page->height_pt + 1;
}

static void
boxes_lie_on_their_pages(void **state)
{
    (void)state;
    for (guint i = 0; i < G_N_ELEMENTS(papers); i++) {
        g_autoptr(lode_document) d = open_paper(papers[i]);
        for (guint b = 0; b < d->n_boxes; b++)
            assert_true(is_on_page(d, &d->boxes[b]));
        for (guint l = 0; l < d->n_lines; l++)
            assert_true(is_on_page(d, &d->lines[l].box));
        for (guint c = 0; c < d->n_cells; c++)
            assert_true(is_on_page(d, &d->cells[c].box));
        for (guint f = 0; f < d->n_figures; f++)
            assert_true(is_on_page(d, &d->figures[f].box));
        for (guint b = 0; b < d->n_blocks; b++)
            assert_true(d->blocks[b].n_boxes > 0);
    }
}

static gboolean
is_blank(const char *text, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        if (text[i] != ' ' && text[i] != '\n') return FALSE;
    }
    return TRUE;
}

/* Between two lines joining may add a blank; nothing else of the text may be without a place. */
static void
lines_cover_the_text(void **state)
{
    (void)state;
    for (guint i = 0; i < G_N_ELEMENTS(papers); i++) {
        g_autoptr(lode_document) d = open_paper(papers[i]);
        for (guint b = 0; b < d->n_blocks; b++) {
            const layout_block *block = &d->blocks[b];
            uint32_t end = 0;
            if (block->type == LAYOUT_BLOCK_TABLE || block->type == LAYOUT_BLOCK_FIGURE) continue;
            for (guint l = 0; l <= block->n_lines; l++) {
                const layout_line *line = &d->lines[block->first_line + MIN(l, block->n_lines - 1)];
                const uint32_t start =
                    block->n_lines > 0 && l < block->n_lines ? line->start : block->text_len;
                if (!is_blank(block->text, end, start))
                    fail_msg("%s: block %u (\"%.40s\"): bytes %u to %u are in no line", papers[i],
                             b, block->text, end, start);
                if (l < block->n_lines) end = line->start + line->len;
            }
        }
    }
}

static void
spans_begin_and_end_between_characters(void **state)
{
    (void)state;
    for (guint i = 0; i < G_N_ELEMENTS(papers); i++) {
        g_autoptr(lode_document) d = open_paper(papers[i]);
        for (guint b = 0; b < d->n_blocks; b++) {
            const layout_block *block = &d->blocks[b];
            for (guint s = 0; s < block->n_spans; s++) {
                const layout_span *span = &d->spans[block->first_span + s];
                assert_true(g_utf8_validate(block->text + span->start, span->len, NULL));
                assert_true(span->flags != 0);
            }
        }
    }
}

/* ---- facts ---- */

static void
assert_contains(const char *paper, const char *markdown, const char *const *texts)
{
    gboolean good = TRUE;
    for (; *texts; texts++) {
        if (strstr(markdown, *texts)) continue;
        print_error("%s: not in the Markdown: %s\n", paper, *texts);
        good = FALSE;
    }
    assert_true(good);
}

static void
two_column_paper_is_understood(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "# Ammonia Decomposition over Ruthenium-Doped Ceria Foams at Moderate Temperature\n",
        "\n## Abstract\n\nAmmonia carries hydrogen",
        "\n## 1 Introduction\n",
        "\n### 2.1 Preparation of the foams\n",
        "\n### 3.5 Energy demand\n",
        "\n## References\n",
        "reached an ammonia conversion of 87.3 % at 415 °C", /* over a column's end and a line's */
        "A rate law with hydrogen inhibition describes",     /* hyphenated in print */
        "dipped into an aqueous slurry",
        "\n- a recipe for ceria foams",
        "\n1. soak the template for 30 minutes at 40 °C;\n2. remove",
        "\nTable 1: Composition of the foams",
        "| RC-4 | 1.8 | 410 | 87.3 |\n",
        "<th colspan=\"2\">At 415 °C</th>",
        "\nFigure 2: Ammonia conversion against temperature",
        "made the same observation for nickel",                /* over the column's end */
        "because transport to the struts limits the reaction", /* over the page's end */
        "\n[4] H. Dietl and J. Marsh. How little ruthenium is enough?",
        NULL};
    static const char *const absent[] = {"Okonkwo-Lindt and Harrow\n", "inhi- bition",
                                         "Ruthenium-Doped Ceria Foams\n\n"};
    g_autoptr(lode_document) document = open_paper("ceria");
    g_autofree char *markdown = layout_document_to_markdown(document, NULL);
    assert_contains("ceria", markdown, texts);
    for (guint i = 0; i < G_N_ELEMENTS(absent); i++)
        assert_null(strstr(markdown, absent[i]));
    assert_int_equal(document->n_pages, 4);
    assert_int_equal(document->n_figures, 2);
    assert_int_equal(document->n_tables, 2);
    assert_int_equal(document->n_references, 6);
}

static void
single_column_article_is_understood(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "# Nine Centuries of Water Level in Lake Ostra, Reconstructed from Drowned Trees\n",
        "\n## Why drowned trees\n",
        "upright and bare, and in a calm hour",
        "\n- a survey of the lake bed by sonar",
        "\n  - cut a disc 40 centimetres above the foot",
        "rowspan=\"2\">Pine</td>",
        "the balance predicts a fall of only 2.3 metres",
        "\nMoritz, E., & Dahl, K. (2016). Evaporation from cold lakes.",
        NULL};
    g_autoptr(lode_document) document = open_paper("lake");
    g_autofree char *markdown = layout_document_to_markdown(document, NULL);
    assert_contains("lake", markdown, texts);
}

static void
tagged_manual_is_understood(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "# 1 Reading a gauge log\n",
        "Values such as 3 * 4, a_b_c, $5 or \\<none> are taken literally",
        "10³ metres",
        "H₂O",
        "**default tolerance** is *seven millimetres*",
        "```\ndef highest(path):\n    best = None\n",
        "| time | 20 | 2022-05-02T06:00:00Z |\n",
        "The level of 10412 millimetres is the highest",
        NULL};
    g_autoptr(lode_document) document = open_paper("manual");
    g_autofree char *markdown = layout_document_to_markdown(document, NULL);
    assert_contains("manual", markdown, texts);
    assert_null(strstr(markdown, "draft-0417"));
    assert_int_equal(g_strcmp0(document->pages[1].label, "ii"), 0);
}

/* ---- pictures ---- */

static void
pictures_are_png_and_always_the_same(void **state)
{
    (void)state;
    const layout_image_options small = {.which = LAYOUT_IMAGES_FIGURES, .dpi = 72};
    g_autofree char *path = g_build_filename(LODE_TEST_DATA, "papers", "ceria.pdf", NULL);
    g_autoptr(lode_document) document = open_paper("ceria");
    g_autoptr(GError) error = NULL;
    if (!layout_document_write_images(document, path, NULL, "pictures", &small, &error))
        fail_msg("%s", error->message);
    for (guint i = 0; i < document->n_figures; i++) {
        g_autofree char *name = g_build_filename("pictures", document->figures[i].image, NULL);
        g_autofree char *first = NULL, *second = NULL;
        gsize n_first = 0, n_second = 0;
        assert_true(g_file_get_contents(name, &first, &n_first, NULL));
        assert_true(n_first > 100);
        assert_memory_equal(first, "\x89PNG\r\n\x1a\n", 8);
        assert_true(layout_document_write_images(document, path, NULL, "pictures", &small, NULL));
        assert_true(g_file_get_contents(name, &second, &n_second, NULL));
        assert_int_equal(n_first, n_second);
        assert_memory_equal(first, second, n_first);
    }
}

static void
vector_art_comes_as_svg_unless_unwanted(void **state)
{
    (void)state;
    g_autofree char *path = g_build_filename(LODE_TEST_DATA, "papers", "ceria.pdf", NULL);
    g_autoptr(lode_document) document = open_paper("ceria");
    layout_image_options options = {.which = LAYOUT_IMAGES_FIGURES, .dpi = 36, .no_svg = TRUE};
    guint n = 0;
    assert_true(layout_document_write_images(document, path, NULL, "drawings", &options, NULL));
    options.no_svg = FALSE;
    for (guint i = 0; i < document->n_figures; i++) {
        const layout_figure *figure = &document->figures[i];
        assert_true(figure->vector == (figure->svg != NULL));
        if (figure->svg == NULL) continue;
        g_autofree char *name = g_build_filename("drawings", figure->svg, NULL);
        g_autofree char *first = NULL, *second = NULL;
        assert_false(g_file_test(name, G_FILE_TEST_EXISTS));
        assert_true(layout_document_write_images(document, path, NULL, "drawings", &options, NULL));
        assert_true(g_file_get_contents(name, &first, NULL, NULL));
        assert_non_null(strstr(first, "<svg "));
        assert_true(layout_document_write_images(document, path, NULL, "drawings", &options, NULL));
        assert_true(g_file_get_contents(name, &second, NULL, NULL));
        assert_string_equal(first, second);
        g_remove(name);
        n++;
    }
    assert_true(n > 0);
}

/* A page of text around a figure, 200 x 100 points, as matrix turns it. */
static void
write_turned(const char *path, const char *media_box, const char *matrix)
{
    g_autoptr(GString) content = g_string_new(matrix);
    g_autoptr(GString) pdf = g_string_new("%PDF-1.4\n");
    gsize offsets[6] = {0};
    g_string_append(content, " BT /F 11 Tf 14 TL 60 740 Td\n");
    for (int i = 0; i < 22; i++) {
        if (i == 8) g_string_append(content, "0 -180 Td (Figure 1: A slope.) Tj 0 -24 Td\n");
        g_string_append(content,
                        "(The wind came over the lake and the boats lay still in it.) Tj T*\n");
    }
    g_string_append(content, "ET 1 0 0 RG 2 w 200 500 200 100 re S 200 500 m 400 600 l S\n"
                             "240 520 m 390 520 l S 240 560 m 300 590 l 350 510 l S\n");
    const char *const objects[] = {"<</Type/Catalog/Pages 2 0 R>>",
                                   "<</Type/Pages/Kids[3 0 R]/Count 1>>", NULL, NULL,
                                   "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"};
    for (guint i = 0; i < G_N_ELEMENTS(objects); i++) {
        offsets[i + 1] = pdf->len;
        g_string_append_printf(pdf, "%u 0 obj\n", i + 1);
        if (i == 2)
            g_string_append_printf(pdf,
                                   "<</Type/Page/Parent 2 0 R/MediaBox%s/Contents 4 0 R"
                                   "/Resources<</Font<</F 5 0 R>>>>>>",
                                   media_box);
        else if (i == 3)
            g_string_append_printf(pdf, "<</Length %zu>>stream\n%s\nendstream", content->len + 1,
                                   content->str);
        else
            g_string_append(pdf, objects[i]);
        g_string_append(pdf, "\nendobj\n");
    }
    const gsize xref = pdf->len;
    g_string_append(pdf, "xref\n0 6\n0000000000 65535 f \n");
    for (guint i = 1; i < 6; i++)
        g_string_append_printf(pdf, "%010zu 00000 n \n", offsets[i]);
    g_string_append_printf(pdf, "trailer<</Size 6/Root 1 0 R>>\nstartxref\n%zu\n%%%%EOF\n", xref);
    assert_true(g_file_set_contents(path, pdf->str, (gssize)pdf->len, NULL));
}

static void
pictures_of_turned_pages_stand_upright(void **state)
{
    static const struct {
        const char *media_box, *matrix;
        int turn;
    } cases[] = {{"[0 0 612 792]", "1 0 0 1 0 0 cm", 0},
                 {"[0 0 792 612]", "0 1 -1 0 792 0 cm", 90},
                 {"[0 0 612 792]", "-1 0 0 -1 612 792 cm", 180},
                 {"[0 0 792 612]", "0 -1 1 0 0 612 cm", 270}};
    const layout_image_options options = {.which = LAYOUT_IMAGES_FIGURES, .dpi = 72};
    (void)state;
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        write_turned("turned.pdf", cases[i].media_box, cases[i].matrix);
        g_autoptr(lode_document) read = layout_document_open("turned.pdf", NULL, &error);
        if (read == NULL) fail_msg("%s", error->message);
        g_autofree char *json = layout_document_to_json(read);
        g_autoptr(lode_document) document = layout_document_from_json(json, strlen(json), &error);
        assert_int_equal(document->pages[0].turn, cases[i].turn);
        assert_int_equal(document->n_figures, 1);
        assert_true(
            layout_document_write_images(document, "turned.pdf", NULL, "turned", &options, &error));
        g_autofree char *name = g_build_filename("turned", document->figures[0].image, NULL);
        g_autofree char *png = NULL, *svg = NULL;
        assert_true(g_file_get_contents(name, &png, NULL, NULL));
        const guchar *size = (const guchar *)png + 16;
        assert_in_range(size[2] << 8 | size[3], 200, 208); /* wide */
        assert_in_range(size[6] << 8 | size[7], 100, 108);
        g_remove(name);
        g_autofree char *drawing = g_build_filename("turned", document->figures[0].svg, NULL);
        assert_true(g_file_get_contents(drawing, &svg, NULL, NULL));
        assert_non_null(strstr(svg, "viewBox=\"0 0 20"));
        g_remove(drawing);
    }
    g_remove("turned.pdf");
    g_rmdir("turned");
}

static void
pictures_never_leave_their_folder(void **state)
{
    (void)state;
    const layout_image_options small = {.which = LAYOUT_IMAGES_FIGURES, .dpi = 72};
    g_autofree char *path = g_build_filename(LODE_TEST_DATA, "papers", "ceria.pdf", NULL);
    static const char *const names[] = {"../x.png", "/tmp/x.png", ".hidden", ""};
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        layout_builder *builder = layout_builder_new();
        const layout_page page = {.width_pt = 595, .height_pt = 842};
        layout_builder_add_page(builder, &page);
        const layout_block block = {.type = LAYOUT_BLOCK_FIGURE, .parent = LAYOUT_NONE};
        const layout_figure figure = {
            .block = layout_builder_add_block(builder, &block, NULL, 0, NULL, 0, NULL, 0),
            .caption = LAYOUT_NONE,
            .box = {0, {100, 100, 200, 200}},
            .image = names[i]};
        layout_builder_add_figure(builder, &figure, NULL, 0);
        g_autoptr(lode_document) document = layout_builder_finish(builder);
        g_autoptr(GError) error = NULL;
        assert_false(
            layout_document_write_images(document, path, NULL, "pictures", &small, &error));
        assert_true(g_error_matches(error, LAYOUT_ERROR, LAYOUT_ERROR_FORMAT));
    }
}

int
main(int argc, char **argv)
{
    const char *wanted = g_getenv("LODE_UPDATE_GOLDEN");
    update = (argc > 1 && strcmp(argv[1], "--update") == 0) || (wanted && strcmp(wanted, "1") == 0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(papers_come_out_as_reviewed),
        cmocka_unit_test(json_of_papers_round_trips),
        cmocka_unit_test(the_same_file_gives_the_same_bytes),
        cmocka_unit_test(boxes_lie_on_their_pages),
        cmocka_unit_test(lines_cover_the_text),
        cmocka_unit_test(spans_begin_and_end_between_characters),
        cmocka_unit_test(two_column_paper_is_understood),
        cmocka_unit_test(single_column_article_is_understood),
        cmocka_unit_test(tagged_manual_is_understood),
        cmocka_unit_test(pictures_are_png_and_always_the_same),
        cmocka_unit_test(vector_art_comes_as_svg_unless_unwanted),
        cmocka_unit_test(pictures_of_turned_pages_stand_upright),
        cmocka_unit_test(pictures_never_leave_their_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What is known of pages that were read in their pixels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

#include "page_maker.h"

/* A word as recognition hands it on. */
static float
put_word(page_maker *maker, float x, float y, const char *text, gboolean doubtful)
{
    const float end = page_maker_text(maker, MAKER_ROMAN, 10, x, y, text);
    parse_run *run = &g_array_index(maker->runs, parse_run, maker->runs->len - 1);
    run->flags = PARSE_RUN_OCR | (doubtful ? PARSE_RUN_DOUBTFUL : 0);
    return end + 3;
}

/* Words between blanks; those with a '?' before them are in doubt. */
static float
put_line(page_maker *maker, float x, float y, const char *line)
{
    g_auto(GStrv) words = g_strsplit(line, " ", -1);
    for (guint i = 0; words[i] != NULL; i++)
        x = put_word(maker, x, y, words[i] + (words[i][0] == '?'), words[i][0] == '?');
    return x;
}

/* The stretches of a block in doubt, with a bar behind each; free with g_free. */
static char *
doubts_of(const lode_document *document, const layout_block *block)
{
    GString *out = g_string_new(NULL);
    for (guint i = 0; i < block->n_spans; i++) {
        const layout_span *span = &document->spans[block->first_span + i];
        if (!(span->flags & LAYOUT_SPAN_DOUBTFUL)) continue;
        g_string_append_len(out, block->text + span->start, span->len);
        g_string_append_c(out, '|');
    }
    return g_string_free(out, FALSE);
}

/* The document that its JSON tells of. */
static lode_document *
through_json(lode_document *document, char **json)
{
    g_autoptr(GError) error = NULL;
    document->meta.source_name = "scan.pdf";
    document->meta.format = "PDF 1.5";
    document->meta.source_sha256 = "00";
    *json = layout_document_to_json(document);
    lode_document *again = layout_document_from_json(*json, strlen(*json), &error);
    if (again == NULL) fail_msg("%s", error->message);
    return again;
}

static void
words_in_doubt_stay_marked_over_line_ends(void **state)
{
    (void)state;
    page_maker *maker = page_maker_new(612, 792);
    put_line(maker, 72, 100, "The first ?wcrd of this line cannot be read and the next sen- ");
    put_line(maker, 72, 112, "tence ends in a word that is ?bro- ");
    put_line(maker, 72, 124, "?kem in two, ?and ?agoin there is nothing else to be told of it.");
    lode_document *document = page_maker_document(&maker, 1);
    const layout_block *block = document_find(document, LAYOUT_BLOCK_PARAGRAPH, "The first");
    assert_non_null(block);
    g_autofree char *doubts = doubts_of(document, block);
    assert_non_null(strstr(block->text, "is brokem in two"));
    assert_string_equal(doubts, "wcrd|brokem|and agoin|");
    /* and come back from the JSON */
    g_autofree char *json = NULL;
    lode_document *again = through_json(document, &json);
    assert_non_null(strstr(json, "\"style\": [\"doubtful\"]"));
    g_autofree char *doubts_again =
        doubts_of(again, document_find(again, LAYOUT_BLOCK_PARAGRAPH, "The first"));
    assert_string_equal(doubts_again, doubts);
    lode_document_free(again);
    lode_document_free(document);
}

static void
doubt_does_not_show_in_markdown(void **state)
{
    (void)state;
    char *texts[2];
    for (guint i = 0; i < 2; i++) {
        page_maker *maker = page_maker_new(612, 792);
        put_line(maker, 72, 100,
                 i == 0 ? "Some ?words of this ?line, ?are in" : "Some words of this line, are in");
        put_line(maker, 72, 112,
                 i == 0 ? "?doubt but it is set as others are."
                        : "doubt but it is set as others are.");
        lode_document *document = page_maker_document(&maker, 1);
        texts[i] = layout_document_to_markdown(document, NULL);
        lode_document_free(document);
    }
    assert_string_equal(texts[0], texts[1]);
    g_free(texts[0]);
    g_free(texts[1]);
}

static void
a_cell_tells_that_its_words_are_in_doubt(void **state)
{
    (void)state;
    static const char *const cells[3][3] = {
        {"Name", "Height", "Width"}, {"first", "?1O.5", "20.5"}, {"second", "11.5", "21.5"}};
    page_maker *maker = page_maker_new(612, 792);
    for (guint row = 0; row < 3; row++)
        for (guint column = 0; column < 3; column++)
            put_line(maker, 110 + 100 * (float)column, 114 + 20 * (float)row, cells[row][column]);
    for (guint i = 0; i <= 3; i++) {
        page_maker_rule_h(maker, 100, 400, 100 + 20 * (float)i);
        page_maker_rule_v(maker, 100 + 100 * (float)i, 100, 160);
    }
    lode_document *document = page_maker_document(&maker, 1);
    assert_int_equal(document->n_tables, 1);
    for (guint i = 0; i < document->n_cells; i++)
        assert_int_equal(document->cells[i].doubtful, strcmp(document->cells[i].text, "1O.5") == 0);
    g_autofree char *json = NULL;
    lode_document *again = through_json(document, &json);
    assert_non_null(strstr(json, "\"at\": [1, 1, 1, 1], \"doubtful\": true"));
    g_autofree char *json_again = layout_document_to_json(again);
    assert_string_equal(json, json_again);
    lode_document_free(again);
    lode_document_free(document);
}

/* ---- two pages in one scan ---- */

#define LINE "words of a line that fills its column quite well."

/* Lines of text, n of them, each about 240 points wide at 10 points. */
static void
put_column(page_maker *maker, float x, float y, guint n, const char *line)
{
    for (guint i = 0; i < n; i++)
        put_line(maker, x, y + 12 * (float)i, line);
}

/* How many sheets a page becomes. */
static guint
n_parts(page_maker *maker)
{
    layout_work *work = layout_work_new();
    layout_sheet *sheets[2];
    layout_spread_boil(work, page_maker_page(maker), sheets);
    const guint n = sheets[1] != NULL ? 2 : 1;
    layout_sheet_free(sheets[0]);
    layout_sheet_free(sheets[1]);
    layout_work_free(work);
    page_maker_free(maker);
    return n;
}

/* Two facing pages, each with a header, 40 lines and its number. */
static page_maker *
make_spread(guint number)
{
    page_maker *maker = page_maker_new(842, 595);
    g_autofree char *left = g_strdup_printf("%u", number);
    g_autofree char *right = g_strdup_printf("%u", number + 1);
    put_line(maker, 60, 30, left);
    put_line(maker, 200, 30, "Lakes");
    put_line(maker, 600, 30, "Rivers");
    put_line(maker, 760, 30, right);
    put_column(maker, 60, 70, 40, "Left " LINE);
    put_column(maker, 500, 70, 40, "Right " LINE);
    return maker;
}

static void
a_spread_is_read_as_two_pages(void **state)
{
    (void)state;
    layout_work *work = layout_work_new();
    for (guint page = 0; page < 2; page++) {
        page_maker *maker = make_spread(12 + 2 * page);
        layout_sheet *sheets[2];
        layout_spread_boil(work, page_maker_page(maker), sheets);
        assert_non_null(sheets[1]);
        for (guint i = 0; i < 2; i++)
            layout_work_add_sheet(work, sheets[i]);
        assert_int_equal(work->n_pages, page + 1);
        page_maker_free(maker);
    }
    lode_document *document = layout_analyze(work, layout_builder_new(), NULL);
    layout_work_free(work);
    assert_non_null(document);
    assert_int_equal(document->n_pages, 2);
    /* the left page wholly, then the right one; boxes are those of the file's page */
    guint n_furniture = 0, n_places = 0;
    int place = -1; /* page and side of the last box */
    for (guint i = 0; i < document->n_blocks; i++) {
        const layout_block *block = &document->blocks[i];
        if (layout_block_type_is_furniture(block->type)) {
            n_furniture++;
            continue;
        }
        assert_null(strstr(block->text, "Lakes"));
        assert_null(strstr(block->text, "Rivers"));
        for (guint k = 0; k < block->n_boxes; k++) {
            const layout_box *box = &document->boxes[block->first_box + k];
            const int side = box->rect.x0 > 421 ? 1 : 0;
            assert_true(2 * box->page + side >= place);
            assert_true(side == 1 || box->rect.x1 < 421);
            n_places += 2 * box->page + side > place ? 1 : 0;
            place = 2 * box->page + side;
        }
    }
    assert_int_equal(n_places, 4);
    assert_true(n_furniture >= 4);
    for (guint i = 0; i < 2; i++) {
        assert_float_equal(document->pages[i].width_pt, 842, 0.1F);
        assert_true(layout_ledger_balances(&document->pages[i].ledger));
    }
    lode_document_free(document);
}

static void
a_spread_that_lies_turned_is_parted_too(void **state)
{
    (void)state;
    page_maker *maker = make_spread(12);
    /* the page clockwise by a quarter: (x, y) -> (595 - y, x) */
    for (guint i = 0; i < maker->glyphs->len; i++) {
        parse_glyph *g = &g_array_index(maker->glyphs, parse_glyph, i);
        const parse_rect b = g->box;
        const float x = g->x;
        g->x = 595 - g->y;
        g->y = x;
        g->box = (parse_rect){595 - b.y1, b.x0, 595 - b.y0, b.x1};
    }
    for (guint i = 0; i < maker->runs->len; i++) {
        parse_run *run = &g_array_index(maker->runs, parse_run, i);
        const parse_rect b = run->box;
        run->dir_x = 0;
        run->dir_y = 1;
        run->box = (parse_rect){595 - b.y1, b.x0, 595 - b.y0, b.x1};
    }
    maker->page.width_pt = 595;
    maker->page.height_pt = 842;
    layout_work *work = layout_work_new();
    layout_sheet *sheets[2];
    layout_spread_boil(work, page_maker_page(maker), sheets);
    assert_non_null(sheets[1]);
    for (guint i = 0; i < 2; i++) {
        assert_non_null(strstr(sheets[i]->text->str, i == 0 ? "Left" : "Right"));
        assert_null(strstr(sheets[i]->text->str, i == 0 ? "Right" : "Left"));
        layout_rect box = layout_sheet_to_page(sheets[i], layout_sheet_seg(sheets[i], 0)->box);
        assert_int_equal(box.y0 > 421, i == 1);
        layout_sheet_free(sheets[i]);
    }
    layout_work_free(work);
    page_maker_free(maker);
}

static void
columns_slides_and_tables_stay_one_page(void **state)
{
    (void)state;
    /* two columns */
    page_maker *maker = page_maker_new(842, 595);
    put_column(maker, 130, 70, 40, LINE);
    put_column(maker, 395, 70, 40, LINE);
    assert_int_equal(n_parts(maker), 1);
    /* far apart, below a title across them */
    maker = page_maker_new(842, 595);
    put_line(maker, 200, 40,
             "A title that stands above both columns and goes over their gutter as one");
    put_column(maker, 60, 70, 40, LINE);
    put_column(maker, 500, 70, 40, LINE);
    assert_int_equal(n_parts(maker), 1);
    /* a wide table, its rows ruled */
    maker = page_maker_new(842, 595);
    put_column(maker, 60, 70, 40, LINE);
    put_column(maker, 500, 70, 40, LINE);
    for (guint i = 0; i < 5; i++)
        page_maker_rule_h(maker, 50, 790, 60 + 100 * (float)i);
    assert_int_equal(n_parts(maker), 1);
    /* columns of numbers without rules */
    maker = page_maker_new(842, 595);
    for (guint column = 0; column < 8; column++)
        put_column(maker, 60 + 95 * (float)column, 70, 40, "10.25");
    assert_int_equal(n_parts(maker), 1);
    /* a slide */
    maker = page_maker_new(842, 595);
    for (guint i = 0; i < 8; i++)
        for (guint column = 0; column < 2; column++)
            page_maker_text(maker, MAKER_ROMAN, 20, 40 + 420 * (float)column, 100 + 30 * (float)i,
                            "large letters on a slide");
    for (guint i = 0; i < maker->runs->len; i++)
        g_array_index(maker->runs, parse_run, i).flags = PARSE_RUN_OCR;
    assert_int_equal(n_parts(maker), 1);
    /* higher than wide */
    maker = page_maker_new(842, 1191);
    put_column(maker, 60, 70, 40, LINE);
    put_column(maker, 500, 70, 40, LINE);
    assert_int_equal(n_parts(maker), 1);
    /* no scan: its own order holds */
    maker = make_spread(12);
    for (guint i = 0; i < maker->runs->len; i++)
        g_array_index(maker->runs, parse_run, i).flags = 0;
    assert_int_equal(n_parts(maker), 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_in_doubt_stay_marked_over_line_ends),
        cmocka_unit_test(doubt_does_not_show_in_markdown),
        cmocka_unit_test(a_cell_tells_that_its_words_are_in_doubt),
        cmocka_unit_test(a_spread_is_read_as_two_pages),
        cmocka_unit_test(a_spread_that_lies_turned_is_parted_too),
        cmocka_unit_test(columns_slides_and_tables_stay_one_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

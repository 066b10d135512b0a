/* Glyphs -> segments: words, scripts, accents, gaps, directions. */
#include "page_maker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

static layout_sheet *
sheet_of(layout_work *work, page_maker *maker)
{
    layout_sheet *sheet = layout_sheet_take(work, page_maker_page(maker));
    page_maker_free(maker);
    return sheet;
}

static void
assert_seg(const layout_sheet *sheet, guint i, const char *text)
{
    assert_true(i < sheet->segs->len);
    const layout_seg *seg = layout_sheet_seg(sheet, i);
    g_autofree char *copy = g_strndup(sheet->text->str + seg->start, seg->len);
    assert_string_equal(copy, text);
}

static void
gaps_become_spaces(void **state)
{
    (void)state;
    g_autoptr(layout_work) work = layout_work_new();
    page_maker *maker = page_maker_new(600, 800);
    page_maker_text(maker, MAKER_ROMAN, 10, 50, 100, "no spaces in the file");
    layout_sheet *sheet = sheet_of(work, maker);
    assert_int_equal(sheet->segs->len, 1);
    assert_seg(sheet, 0, "no spaces in the file");
    assert_int_equal(layout_sheet_seg(sheet, 0)->n_words, 5);
}

static void
letter_spacing_makes_no_words(void **state)
{
    (void)state;
    g_autoptr(layout_work) work = layout_work_new();
    page_maker *maker = page_maker_new(600, 800);
    page_maker_spaced(maker, MAKER_ROMAN, 10, 50, 100, "INTRODUCTION AND RELATED WORK", 0.18F);
    layout_sheet *sheet = sheet_of(work, maker);
    assert_seg(sheet, 0, "INTRODUCTION AND RELATED WORK");
}

static void
wide_gaps_end_a_segment(void **state)
{
    (void)state;
    g_autoptr(layout_work) work = layout_work_new();
    page_maker *maker = page_maker_new(600, 800);
    page_maker_text(maker, MAKER_ROMAN, 10, 50, 100, "left");
    page_maker_text(maker, MAKER_ROMAN, 10, 200, 100, "right");
    layout_sheet *sheet = sheet_of(work, maker);
    assert_int_equal(sheet->segs->len, 2);
    assert_seg(sheet, 0, "left");
    assert_seg(sheet, 1, "right");
}

static void
scripts_join_their_line(void **state)
{
    (void)state;
    g_autoptr(layout_work) work = layout_work_new();
    page_maker *maker = page_maker_new(600, 800);
    float x = page_maker_text(maker, MAKER_MATH, 10, 50, 100, "x");
    float up = page_maker_text(maker, MAKER_ROMAN, 7, x, 96, "2");
    page_maker_text(maker, MAKER_MATH, 7, x, 102.5F, "i");
    page_maker_text(maker, MAKER_ROMAN, 10, up + 3, 100, "is positive");
    layout_sheet *sheet = sheet_of(work, maker);
    assert_int_equal(sheet->segs->len, 1);
    guint super = 0, sub = 0;
    const layout_seg *seg = layout_sheet_seg(sheet, 0);
    for (guint i = seg->first_style; i < seg->first_style + seg->n_styles; i++) {
        const layout_style *style = layout_sheet_style(sheet, i);
        if (style->flags & LAYOUT_SPAN_SUPERSCRIPT) super += style->len;
        if (style->flags & LAYOUT_SPAN_SUBSCRIPT) sub += style->len;
    }
    assert_int_equal(super, 1);
    assert_int_equal(sub, 1);
    assert_float_equal(seg->baseline, 100, 0.01);
}

static void
drawn_accents_are_composed(void **state)
{
    (void)state;
    g_autoptr(layout_work) work = layout_work_new();
    page_maker *maker = page_maker_new(600, 800);
    float x = page_maker_text(maker, MAKER_ROMAN, 10, 50, 100, "caf");
    page_maker_text(maker, MAKER_ROMAN, 10, x + 0.2F, 100, "\xC2\xB4");
    page_maker_text(maker, MAKER_ROMAN, 10, x, 100, "e");
    layout_sheet *sheet = sheet_of(work, maker);
    assert_int_equal(sheet->segs->len, 1);
    assert_seg(sheet, 0, "caf\xC3\xA9");
}

static void
ligatures_are_expanded(void **state)
{
    (void)state;
    g_autoptr(layout_work) work = layout_work_new();
    page_maker *maker = page_maker_new(600, 800);
    page_maker_text(maker, MAKER_ROMAN, 10, 50, 100,
                    "e\xEF\xAC\x83"
                    "cient \xEF\xAC\x81nd");
    assert_seg(sheet_of(work, maker), 0, "efficient find");
}

static void
text_printed_twice_is_read_once(void **state)
{
    (void)state;
    g_autoptr(layout_work) work = layout_work_new();
    page_maker *maker = page_maker_new(600, 800);
    page_maker_text(maker, MAKER_ROMAN, 10, 50, 100, "shadow");
    page_maker_text(maker, MAKER_ROMAN, 10, 50.3F, 100.2F, "shadow");
    assert_seg(sheet_of(work, maker), 0, "shadow");
}

static void
right_to_left_text_is_in_reading_order(void **state)
{
    (void)state;
    g_autoptr(layout_work) work = layout_work_new();
    page_maker *maker = page_maker_new(600, 800);
    /* drawn from left to right: the last letter first, a number inside */
    page_maker_text(maker, MAKER_ROMAN, 10, 50, 100,
                    "\xD7\x92\xD7\x91\xD7\x90 12 \xD7\x93\xD7\x92");
    assert_seg(sheet_of(work, maker), 0, "\xD7\x92\xD7\x93 12 \xD7\x90\xD7\x91\xD7\x92");
}

static void
stamps_up_the_margin_are_no_text(void **state)
{
    (void)state;
    g_autoptr(layout_work) work = layout_work_new();
    page_maker *maker = page_maker_new(600, 800);
    page_maker_text(maker, MAKER_ROMAN, 10, 100, 100, "upright body text of this page");
    page_maker_text(maker, MAKER_ROMAN, 10, 20, 400, "arXiv");
    parse_run *run = &g_array_index(maker->runs, parse_run, 1);
    run->dir_x = 0;
    run->dir_y = -1;
    for (guint i = 0; i < 5; i++) {
        parse_glyph *g = &g_array_index(maker->glyphs, parse_glyph, run->first_glyph + i);
        g->x = 20;
        g->y = 400 - 5 * (float)i;
        g->box = (parse_rect){12.5F, g->y - 5, 22.5F, g->y};
    }
    layout_sheet *sheet = sheet_of(work, maker);
    assert_int_equal(sheet->segs->len, 2);
    assert_seg(sheet, 1, "arXiv");
    const layout_seg *seg = layout_sheet_seg(sheet, 1);
    assert_int_equal(seg->role, LAYOUT_ROLE_MARGIN);
    assert_true(seg->box.x1 < 30 && seg->box.y0 > 370 && seg->box.y1 < 405);
}

static void
a_split_segment_keeps_all_its_text(void **state)
{
    (void)state;
    g_autoptr(layout_work) work = layout_work_new();
    page_maker *maker = page_maker_new(600, 800);
    page_maker_text(maker, MAKER_ROMAN, 10, 50, 100, "12 words of a line");
    layout_sheet *sheet = sheet_of(work, maker);
    guint front = layout_seg_split(sheet, 0, 1);
    assert_seg(sheet, front, "12");
    assert_seg(sheet, 0, "words of a line");
    const layout_seg *rest = layout_sheet_seg(sheet, 0);
    uint32_t covered = 0;
    for (guint i = rest->first_style; i < rest->first_style + rest->n_styles; i++)
        covered += layout_sheet_style(sheet, i)->len;
    assert_int_equal(covered, rest->len);
    assert_int_equal(rest->n_words, 4);
}

/* A hundred thousand glyphs at wild places must not take quadratic time: the test's time limit says so. */
static void
a_hostile_page_ends_in_time(void **state)
{
    (void)state;
    g_autoptr(layout_work) work = layout_work_new();
    page_maker *maker = page_maker_new(600, 800);
    guint32 seed = 1;
    for (guint i = 0; i < 60000; i++) {
        seed = seed * 1664525 + 1013904223;
        float x = (float)(seed >> 16 & 0x3FF) * 0.6F, y = (float)(seed >> 6 & 0x3FF) * 0.8F;
        page_maker_text(maker, (maker_font)(i % MAKER_N_FONTS), (float)(4 + i % 9), x, y, "ab");
    }
    for (guint i = 0; i < 30000; i++) {
        seed = seed * 1664525 + 1013904223;
        float y = (float)(seed >> 8 & 0xFFFF) * 0.012F;
        if (i % 2)
            page_maker_rule_h(maker, 50, 550, y);
        else
            page_maker_rule_v(maker, y * 0.7F, 50, 700);
    }
    lode_document *document = page_maker_document(&maker, 1);
    assert_int_equal(document->n_pages, 1);
    lode_document_free(document);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gaps_become_spaces),
        cmocka_unit_test(letter_spacing_makes_no_words),
        cmocka_unit_test(wide_gaps_end_a_segment),
        cmocka_unit_test(scripts_join_their_line),
        cmocka_unit_test(drawn_accents_are_composed),
        cmocka_unit_test(ligatures_are_expanded),
        cmocka_unit_test(text_printed_twice_is_read_once),
        cmocka_unit_test(right_to_left_text_is_in_reading_order),
        cmocka_unit_test(stamps_up_the_margin_are_no_text),
        cmocka_unit_test(a_split_segment_keeps_all_its_text),
        cmocka_unit_test(a_hostile_page_ends_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

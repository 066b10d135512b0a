/* What is read from a page. The files are written by tests/data/make_pdfs.py, which says where things are. */
#include "tests/parse/helpers.h"

#include <math.h>

static void
glyphs_stand_where_the_file_puts_them(void **state)
{
    (void)state;
    g_autoptr(parse_page) page = load_single(PDF("glyphs.pdf"));
    assert_near(page->width_pt, 612, 1e-3);
    assert_near(page->height_pt, 792, 1e-3);
    assert_int_equal(page->rotation, 0);
    assert_null(page->label);

    const parse_run *hello = the_run(page, "Hello");
    assert_near(hello->size_pt, 12, 1e-3);
    assert_near(hello->dir_x, 1, 1e-6);
    assert_int_equal(hello->color, 0xff000000u);
    assert_int_equal(hello->mcid, -1);
    const parse_glyph *g = &page->glyphs[hello->first_glyph];
    assert_near(g[0].x, 72, 1e-3);
    assert_near(g[0].y, 72, 1e-3);
    /* widths of Helvetica: H 722, e 556, l 222 */
    assert_near(g[1].x, 72 + 0.722 * 12, 0.02);
    assert_near(g[2].x, 72 + (0.722 + 0.556) * 12, 0.02);
    assert_near(g[1].box.x1, g[2].x, 0.02);
    assert_true(g[0].box.y0 < 72 - 8 && g[0].box.y1 > 72);

    const parse_run *red = the_run(page, "ab");
    assert_near(red->size_pt, 20, 1e-3); /* 10 in a matrix of 2 */
    assert_int_equal(red->color, 0xffff0000u);
    assert_int_equal(the_run(page, "black")->color, 0xff000000u); /* CMYK */
}

static void
rotated_text_has_its_direction_and_an_upright_box(void **state)
{
    (void)state;
    g_autoptr(parse_page) page = load_single(PDF("glyphs.pdf"));
    const parse_run *up = the_run(page, "up");
    assert_near(up->dir_x, 0, 1e-6);
    assert_near(up->dir_y, -1, 1e-6);
    assert_near(up->size_pt, 10, 1e-3);
    /* Courier: 600 wide; upwards from (300, 792 - 300) */
    assert_near(up->box.y1, 492, 1e-2);
    assert_near(up->box.y0, 492 - 12, 1e-2);
    assert_true(up->box.x0 < 300 && up->box.x1 > 300);
}

static void
fonts_tell_their_style(void **state)
{
    (void)state;
    g_autoptr(parse_page) page = load_single(PDF("glyphs.pdf"));
    const parse_font *plain = &page->fonts[the_run(page, "Hello")->font];
    const parse_font *bold = &page->fonts[the_run(page, "ab")->font];
    const parse_font *mono = &page->fonts[the_run(page, "up")->font];
    assert_string_equal(plain->name, "Helvetica");
    assert_int_equal(plain->flags, PARSE_FONT_SUBSTITUTE);
    assert_true(bold->flags & PARSE_FONT_BOLD && bold->flags & PARSE_FONT_ITALIC);
    assert_true(bold->flags & PARSE_FONT_SERIF && !(bold->flags & PARSE_FONT_MONO));
    assert_true(mono->flags & PARSE_FONT_MONO && !(mono->flags & PARSE_FONT_BOLD));
    for (guint i = 0; i < page->n_fonts; i++) {
        assert_true(page->fonts[i].ascender > 0.5f && page->fonts[i].ascender <= 1.2f);
        assert_true(page->fonts[i].descender <= 0 && page->fonts[i].descender >= -0.5f);
    }
}

static void
strings_on_one_baseline_are_one_run(void **state)
{
    (void)state;
    g_autoptr(parse_page) page = load_single(PDF("glyphs.pdf"));
    const parse_run *run = the_run(page, "one run");
    assert_int_equal(run->n_glyphs, 7);
    assert_null(find_run(page, "blackone run")); /* another line */
    guint n = 0;
    for (guint i = 0; i < page->n_runs; i++) {
        assert_int_equal(page->runs[i].first_glyph, n);
        n += page->runs[i].n_glyphs;
    }
    assert_int_equal(n, page->n_glyphs);
}

static void
rotation_and_crop_box_are_applied(void **state)
{
    (void)state;
    g_autoptr(parse_file) file = open_file(PDF("rotated.pdf"));
    g_autoptr(parse_page) turned = load_page(file, 0);
    assert_int_equal(turned->rotation, 90);
    assert_near(turned->width_pt, 600, 1e-3);
    assert_near(turned->height_pt, 500, 1e-3);
    const parse_run *corner = the_run(turned, "corner");
    assert_near(corner->dir_x, 0, 1e-6);
    assert_near(corner->dir_y, 1, 1e-6);
    /* 10 right and 10 up of the crop box's lower left corner, turned clockwise */
    assert_near(turned->glyphs[corner->first_glyph].x, 10, 1e-2);
    assert_near(turned->glyphs[corner->first_glyph].y, 10, 1e-2);

    g_autoptr(parse_page) cropped = load_page(file, 1);
    const parse_run *inside = the_run(cropped, "inside");
    assert_near(cropped->glyphs[inside->first_glyph].x, 10, 1e-2);
    assert_near(cropped->glyphs[inside->first_glyph].y, 590, 1e-2);
    assert_int_equal(inside->flags, 0);
    assert_int_equal(the_run(cropped, "outside")->flags, PARSE_RUN_OFF_PAGE);

    g_autoptr(parse_page) upside_down = load_page(file, 2);
    assert_int_equal(upside_down->rotation, 180);
    assert_near(the_run(upside_down, "turned")->dir_x, -1, 1e-6);
}

static void
rules_and_rectangles_are_told_apart(void **state)
{
    (void)state;
    g_autoptr(parse_page) page = load_single(PDF("rules.pdf"));
    const parse_path *p = page->paths;
    assert_int_equal(page->n_paths, 12);

    assert_int_equal(p[0].kind, PARSE_PATH_RULE_H);
    assert_box(p[0].box, 100, 91.5, 300, 92.5, 1e-2);
    assert_near(p[0].width_pt, 1, 1e-3);
    assert_true(p[0].stroked && !p[0].filled);

    assert_int_equal(p[1].kind, PARSE_PATH_RULE_V);
    assert_box(p[1].box, 99.75, 102, 100.25, 192, 1e-2);

    assert_int_equal(p[2].kind, PARSE_PATH_RULE_H); /* a thin filled rectangle */
    assert_near(p[2].width_pt, 0.8, 1e-2);
    assert_true(p[2].filled && !p[2].stroked);

    assert_int_equal(p[3].kind, PARSE_PATH_RECT);
    assert_box(p[3].box, 99, 241, 201, 293, 1e-2); /* with half of its 2 pt line outside */

    assert_int_equal(p[4].kind, PARSE_PATH_RECT); /* filled and stroked is one */
    assert_true(p[4].filled && p[4].stroked);
    assert_int_equal(p[4].color, 0xffe6e6e6u);

    assert_int_equal(p[5].kind, PARSE_PATH_OTHER);
    assert_int_equal(p[5].color, 0xffff0000u);
    for (int i = 6; i < 9; i++) { /* three segments of one path */
        assert_int_equal(p[i].kind, PARSE_PATH_RULE_H);
        assert_near(p[i].box.y0, 391.5 + 20 * (i - 6), 1e-2);
    }
    assert_box(p[9].box, 100, 472, 120, 492, 1e-2); /* clipped */
    assert_near(p[10].width_pt, 2, 1e-3);           /* 1 in a matrix of 2 */
    assert_int_equal(p[11].kind, PARSE_PATH_OTHER); /* slanted */
}

static void
images_have_their_box_and_size(void **state)
{
    (void)state;
    g_autoptr(parse_page) page = load_single(PDF("image.pdf"));
    assert_int_equal(page->n_images, 3);
    assert_box(page->images[0].box, 100, 192, 300, 292, 1e-2);
    assert_int_equal(page->images[0].width_px, 2);
    assert_int_equal(page->images[0].height_px, 1);
    assert_false(page->images[0].mask);
    assert_true(page->images[1].mask);
    assert_box(page->images[2].box, 300, 442, 350, 492, 1e-2); /* clipped to a quarter */
    assert_int_equal(page->images[2].index, 2);
}

static void
links_keep_their_names(void **state)
{
    (void)state;
    g_autoptr(parse_page) page = load_single(PDF("document.pdf"));
    assert_int_equal(page->n_links, 3); /* the JavaScript one leads nowhere */
    const parse_link *l = page->links;
    assert_string_equal(l[0].uri, "https://example.org/a?b=c");
    assert_int_equal(l[0].dest_page, -1);
    assert_box(l[0].box, 72, 172, 172, 192, 1e-2);
    assert_null(l[1].uri);
    assert_null(l[1].dest);
    assert_int_equal(l[1].dest_page, 1);
    assert_near(l[1].dest_x, 72, 1e-2);
    assert_near(l[1].dest_y, 100, 1e-2);
    assert_string_equal(l[2].dest, "cite.smith2020");
    assert_int_equal(l[2].dest_page, 2);
    assert_near(l[2].dest_y, 200, 1e-2);
}

static void
page_labels_are_formatted(void **state)
{
    (void)state;
    static const char *const expected[] = {"i", "ii", "1", "A-AA"};
    g_autoptr(parse_file) file = open_file(PDF("document.pdf"));
    for (int i = 0; i < 4; i++) {
        g_autoptr(parse_page) page = load_page(file, i);
        assert_string_equal(page->label, expected[i]);
    }
}

static void
marked_content_reaches_the_runs(void **state)
{
    (void)state;
    g_autoptr(parse_page) page = load_single(PDF("tagged.pdf"));
    assert_true(the_run(page, "running head")->artifact);
    assert_int_equal(the_run(page, "running head")->mcid, -1);
    assert_int_equal(the_run(page, "Title")->mcid, 0);
    assert_false(the_run(page, "Title")->artifact);
    assert_int_equal(the_run(page, "some ")->mcid, 1);
    assert_int_equal(the_run(page, "inner ")->mcid, 2);
    assert_int_equal(the_run(page, "rest")->mcid, 1); /* back to the outer one */
    assert_int_equal(the_run(page, "by name")->mcid, 3);
}

static void
marks_a_form_leaves_open_end_with_it(void **state)
{
    (void)state;
    g_autoptr(parse_page) page = load_single(PDF("tagged.pdf"));
    assert_true(the_run(page, "in form")->artifact);
    assert_int_equal(the_run(page, "in form")->mcid, -1); /* ids of a form are not the page's */
    assert_false(the_run(page, "loose")->artifact);
    assert_int_equal(the_run(page, "loose")->mcid, -1);
}

static void
render_modes_become_flags(void **state)
{
    (void)state;
    g_autoptr(parse_page) page = load_single(PDF("modes.pdf"));
    assert_int_equal(the_run(page, "hidden")->flags, PARSE_RUN_HIDDEN);
    assert_int_equal(the_run(page, "plain")->flags, 0);
    assert_int_equal(the_run(page, "stroked")->flags, PARSE_RUN_STROKED);
    assert_int_equal(the_run(page, "both")->flags, PARSE_RUN_STROKED); /* once, not twice */
    assert_int_equal(the_run(page, "clip")->flags, PARSE_RUN_CLIPPED);
    assert_int_equal(the_run(page, "beyond")->flags, PARSE_RUN_OFF_PAGE);
    assert_int_equal(the_run(page, "within")->flags, 0);
    assert_int_equal(the_run(page, "cut off")->flags, PARSE_RUN_OFF_PAGE);
    assert_int_equal(page->n_runs, 9);
}

static void
text_filled_with_a_shading_is_visible_text(void **state)
{
    (void)state;
    g_autoptr(parse_page) page = load_single(PDF("modes.pdf"));
    assert_int_equal(the_run(page, "shaded")->flags, 0);
    assert_int_equal(page->n_paths, 0); /* and not a region as well */
}

static void
type3_glyphs_are_text_and_not_drawings(void **state)
{
    (void)state;
    g_autoptr(parse_page) page = load_single(PDF("type3.pdf"));
    const parse_run *ab = the_run(page, "AB"); /* by /ToUnicode; b is drawn in place */
    assert_int_equal(ab->flags, 0);
    assert_true(page->fonts[ab->font].flags & PARSE_FONT_TYPE3);
    assert_near(ab->size_pt, 10, 1e-3);
    assert_near(page->glyphs[ab->first_glyph + 1].x, 78, 1e-2);
    /* a bitmap font of 60 pixels' height, drawn at size 1 in a matrix of 0.2: about 10 pt */
    const parse_run *bitmap = the_run(page, "AA");
    assert_near(bitmap->size_pt, 10, 0.5);
    assert_near(bitmap->box.y0, 192 - 9, 0.1);
    assert_near(bitmap->box.y1, 192 + 3, 0.1);
    assert_int_equal(page->n_paths, 0);
    assert_int_equal(page->n_images, 0);
}

static void
ligatures_are_expanded_and_share_the_width(void **state)
{
    (void)state;
    g_autoptr(parse_page) page = load_single(PDF("unicode_maps.pdf"));
    const parse_run *ffi = the_run(page, "ffi"); /* three characters in /ToUnicode */
    const parse_glyph *g = &page->glyphs[ffi->first_glyph];
    assert_true(g[0].gid >= 0);
    assert_int_equal(g[1].gid, -1);
    assert_int_equal(g[2].gid, -1);
    float width = g[2].box.x1 - 72;
    assert_true(width > 5 && width < 8);
    assert_near(g[0].x, 72, 1e-2);
    assert_near(g[0].box.x1, g[1].x, 1e-2);
    assert_near(g[1].x, 72 + width / 3, 1e-2);
    assert_near(g[2].x, 72 + width * 2 / 3, 1e-2);
    assert_int_equal(the_run(page, "fi")->n_glyphs, 2); /* U+FB01 in /ToUnicode */
}

static void
glyphs_without_a_character_are_counted(void **state)
{
    (void)state;
    g_autoptr(parse_page) page = load_single(PDF("unicode_maps.pdf"));
    /* private use stays; a control character is none, but the font knows the glyph as "D" */
    assert_non_null(find_run(page, "\xee\x80\x80"
                                   "Dz"));
    /* the same in a font that knows nothing */
    assert_non_null(find_run(page, "\xef\xbf\xbd\xef\xbf\xbd"));
    assert_int_equal(page->n_unmapped, 2);
    assert_string_equal(page->fonts[the_run(page, "fi")->font].name, "Helvetica-Oblique");
}

static void
only_what_is_seen_of_masks_and_tiles_is_read(void **state)
{
    (void)state;
    g_autoptr(parse_page) page = load_single(PDF("masks.pdf"));
    assert_null(find_run(page, "in the mask"));
    assert_int_equal(the_run(page, "through it")->flags, 0);
    assert_int_equal(the_run(page, "after it")->flags, 0);
    assert_null(find_run(page, "tile"));
    assert_non_null(find_run(page, "after the tiles"));
    assert_int_equal(page->n_runs, 3);
    assert_int_equal(page->n_paths, 1); /* the tiled region */
    assert_int_equal(page->paths[0].kind, PARSE_PATH_OTHER);
    assert_box(page->paths[0].box, 72, 192, 272, 292, 1);
}

static void
layers_that_are_off_are_not_read(void **state)
{
    (void)state;
    g_autoptr(parse_page) page = load_single(PDF("layers.pdf"));
    assert_null(find_run(page, "switched off"));
    assert_non_null(find_run(page, "switched on"));
}

static void
vertical_text_runs_downwards(void **state)
{
    (void)state;
    g_autoptr(parse_page) page = load_single(PDF("vertical.pdf"));
    const parse_run *run = the_run(page, "\xe6\x97\xa5\xe6\x9c\xac");
    assert_int_equal(run->flags, PARSE_RUN_VERTICAL);
    assert_near(run->dir_y, 1, 1e-6);
    const parse_glyph *g = &page->glyphs[run->first_glyph];
    assert_near(g[1].x, g[0].x, 1e-2);
    assert_near(g[1].y - g[0].y, 12, 0.1);
}

static void
annotations_and_fields_are_read(void **state)
{
    (void)state;
    g_autoptr(parse_page) page = load_single(PDF("annotations.pdf"));
    assert_near(the_run(page, "a note")->box.x0, 74, 1e-2);
    assert_non_null(find_run(page, "a field"));
}

static void
forms_within_forms_end(void **state)
{
    (void)state;
    g_autoptr(parse_file) file = open_file(PDF("nested_forms.pdf"));
    g_autoptr(parse_page) page = load_page(file, 0);
    assert_non_null(find_run(page, "self"));   /* draws itself: once */
    assert_non_null(find_run(page, "bottom")); /* five levels down: there */
    assert_non_null(find_run(page, "after"));
    guint n_bottom = 0;
    for (guint i = 0; i < page->n_runs; i++) {
        g_autofree char *text = run_text(page, &page->runs[i]);
        n_bottom += strcmp(text, "bottom") == 0;
    }
    assert_int_equal(n_bottom, 1); /* 64 levels down: not */
    guint n = 0;
    const char *const *warnings = parse_file_warnings(file, &n);
    gboolean told = FALSE;
    for (guint i = 0; i < n; i++)
        told = told || strstr(warnings[i], "nested too deeply");
    assert_true(told);
}

static void
limits_truncate_a_page(void **state)
{
    (void)state;
    parse_options few_glyphs = {.max_glyphs = 6}, few_paths = {.max_paths = 3};
    g_autoptr(parse_file) glyphs = parse_file_open(PDF("glyphs.pdf"), &few_glyphs, NULL);
    g_autoptr(parse_page) short_text = load_page(glyphs, 0);
    assert_true(short_text->truncated);
    assert_int_equal(short_text->n_glyphs, 6);
    g_autoptr(parse_file) rules = parse_file_open(PDF("rules.pdf"), &few_paths, NULL);
    g_autoptr(parse_page) few = load_page(rules, 0);
    assert_true(few->truncated);
    assert_int_equal(few->n_paths, 3);
    g_autoptr(parse_page) whole = load_single(PDF("rules.pdf"));
    assert_false(whole->truncated);
}

static void
a_page_out_of_time_fails_alone(void **state)
{
    (void)state;
    parse_options options = {.page_seconds = 0.2};
    g_autoptr(GError) error = NULL;
    g_autoptr(parse_file) file = parse_file_open(PDF("bomb.pdf"), &options, &error);
    assert_non_null(file);
    gint64 start = g_get_monotonic_time();
    assert_null(parse_file_load_page(file, 0, &error));
    assert_true(g_get_monotonic_time() - start < 10 * G_USEC_PER_SEC);
    assert_true(g_error_matches(error, PARSE_ERROR, PARSE_ERROR_LIMIT));
    assert_non_null(strstr(error->message, "bomb.pdf: page 1: "));
}

static void
a_page_of_a_million_kilometres_is_refused(void **state)
{
    (void)state;
    g_autoptr(parse_file) file = open_file(PDF("huge_page.pdf"));
    g_autoptr(GError) error = NULL;
    assert_null(parse_file_load_page(file, 0, &error));
    assert_true(g_error_matches(error, PARSE_ERROR, PARSE_ERROR_LIMIT));
    g_autoptr(GError) render = NULL;
    assert_null(parse_file_render_png(file, 0, NULL, 0, 72, &render));
    assert_true(g_error_matches(render, PARSE_ERROR, PARSE_ERROR_LIMIT));
}

static void
a_page_that_is_not_there_is_an_error(void **state)
{
    (void)state;
    g_autoptr(parse_file) file = open_file(PDF("glyphs.pdf"));
    for (int index = -1; index <= 1; index += 2) {
        g_autoptr(GError) error = NULL;
        assert_null(parse_file_load_page(file, index, &error));
        assert_true(g_error_matches(error, PARSE_ERROR, PARSE_ERROR_PAGE));
    }
}

static void
loading_twice_gives_the_same(void **state)
{
    (void)state;
    g_autoptr(parse_file) file = open_file(PDF("tagged.pdf"));
    g_autoptr(parse_page) a = load_page(file, 0);
    g_autoptr(parse_page) b = load_page(file, 0);
    assert_int_equal(a->n_glyphs, b->n_glyphs);
    assert_memory_equal(a->glyphs, b->glyphs, a->n_glyphs * sizeof *a->glyphs);
    assert_int_equal(a->n_runs, b->n_runs);
    assert_memory_equal(a->runs, b->runs, a->n_runs * sizeof *a->runs);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(glyphs_stand_where_the_file_puts_them),
        cmocka_unit_test(rotated_text_has_its_direction_and_an_upright_box),
        cmocka_unit_test(fonts_tell_their_style),
        cmocka_unit_test(strings_on_one_baseline_are_one_run),
        cmocka_unit_test(rotation_and_crop_box_are_applied),
        cmocka_unit_test(rules_and_rectangles_are_told_apart),
        cmocka_unit_test(images_have_their_box_and_size),
        cmocka_unit_test(links_keep_their_names),
        cmocka_unit_test(page_labels_are_formatted),
        cmocka_unit_test(marked_content_reaches_the_runs),
        cmocka_unit_test(marks_a_form_leaves_open_end_with_it),
        cmocka_unit_test(render_modes_become_flags),
        cmocka_unit_test(text_filled_with_a_shading_is_visible_text),
        cmocka_unit_test(type3_glyphs_are_text_and_not_drawings),
        cmocka_unit_test(ligatures_are_expanded_and_share_the_width),
        cmocka_unit_test(glyphs_without_a_character_are_counted),
        cmocka_unit_test(only_what_is_seen_of_masks_and_tiles_is_read),
        cmocka_unit_test(layers_that_are_off_are_not_read),
        cmocka_unit_test(vertical_text_runs_downwards),
        cmocka_unit_test(annotations_and_fields_are_read),
        cmocka_unit_test(forms_within_forms_end),
        cmocka_unit_test(limits_truncate_a_page),
        cmocka_unit_test(a_page_out_of_time_fails_alone),
        cmocka_unit_test(a_page_of_a_million_kilometres_is_refused),
        cmocka_unit_test(a_page_that_is_not_there_is_an_error),
        cmocka_unit_test(loading_twice_gives_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

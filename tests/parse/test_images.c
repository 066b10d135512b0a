/* Pictures as documents: tests/data/make_images.py made them, each the same 60 x 40 pixels. */
#include "tests/parse/helpers.h"

#include <leptonica/allheaders.h>

#include "parse/images.h"

#define IMAGE(name) LODE_TEST_DATA "/images/" name

/* The colour of the turned page in the middle of the eighth of it in column, row: 'r', 'b', 'w', 'd' dark. */
static char
color_turned(parse_file *file, int index, guint quarters, int column, int row)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) png = parse_file_render_png(file, index, NULL, quarters, 144, &error);
    if (!png) fail_msg("%s", error->message);
    PIX *pix = pixReadMemPng(g_bytes_get_data(png, NULL), g_bytes_get_size(png));
    l_int32 r = 0, g = 0, b = 0;
    pixGetRGBPixel(pix, pixGetWidth(pix) * (2 * column + 1) / 16,
                   pixGetHeight(pix) * (2 * row + 1) / 16, &r, &g, &b);
    pixDestroy(&pix);
    if (r > 200 && g > 200 && b > 200) return 'w';
    return r > b + 60 ? 'r' : b > r + 60 ? 'b' : 'd';
}

static char
color_at(parse_file *file, int index, int column, int row)
{
    return color_turned(file, index, 0, column, row);
}

static void
assert_size(parse_file *file, int index, double width_pt, double height_pt)
{
    g_autoptr(parse_page) page = load_page(file, index);
    assert_near(page->width_pt, width_pt, 0.1);
    assert_near(page->height_pt, height_pt, 0.1);
    assert_int_equal(page->n_images, 1);
    assert_int_equal(page->n_glyphs, 0);
}

static void
pages_are_rendered_turned_clockwise(void **state)
{
    (void)state;
    g_autoptr(parse_file) file = open_file(IMAGE("plain.png"));
    for (int column = 0; column < 8; column++) {
        for (int row = 0; row < 8; row++) {
            const char color = color_at(file, 0, column, row);
            assert_int_equal(color_turned(file, 0, 1, 7 - row, column), color);
            assert_int_equal(color_turned(file, 0, 2, 7 - column, 7 - row), color);
            assert_int_equal(color_turned(file, 0, 3, row, 7 - column), color);
        }
    }
}

static void
pictures_of_every_format_open_as_a_page(void **state)
{
    (void)state;
    static const struct {
        const char *path, *format;
        double width_pt;
        gboolean color;
    } cases[] = {
        {IMAGE("plain.png"), "PNG", 30, TRUE},   {IMAGE("plain.bmp"), "BMP", 45, TRUE},
        {IMAGE("plain.gif"), "GIF", 45, TRUE},   {IMAGE("plain.ppm"), "PORTABLE-ANYMAP", 45, TRUE},
        {IMAGE("plain.webp"), "WEBP", 60, TRUE}, {IMAGE("plain.jp2"), "JP2", 60, TRUE},
        {IMAGE("plain.j2k"), "JP2", 60, TRUE},   {IMAGE("cmyk.jpg"), "JPEG", 30, TRUE},
        {IMAGE("g4.tif"), "TIFF", 30, FALSE},    {IMAGE("g3.tif"), "TIFF", 30, FALSE},
        {IMAGE("jpeg.tif"), "TIFF", 30, FALSE},  {IMAGE("palette.tif"), "TIFF", 30, TRUE},
        {IMAGE("cmyk.tif"), "TIFF", 30, TRUE},   {IMAGE("deep.tif"), "TIFF", 30, FALSE},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(parse_file) file = open_file(cases[i].path);
        print_message("%s\n", cases[i].path);
        assert_string_equal(parse_file_metadata(file)->format, cases[i].format);
        assert_int_equal(parse_file_n_pages(file), 1);
        assert_size(file, 0, cases[i].width_pt, cases[i].width_pt * 2 / 3);
        assert_int_equal(color_at(file, 0, 7, 0), 'w');
        if (!cases[i].color) continue;
        assert_int_equal(color_at(file, 0, 1, 0), 'r');
        assert_int_equal(color_at(file, 0, 7, 6), 'b');
    }
}

static void
a_turned_photograph_stands_upright(void **state)
{
    (void)state;
    /* where the red block, stored in the upper left corner, is seen: column and row of eight */
    static const int red[9][2] = {{0, 0}, {1, 1}, {6, 1}, {6, 6}, {1, 6},
                                  {1, 1}, {6, 1}, {6, 6}, {1, 6}};
    for (int orientation = 1; orientation <= 8; orientation++) {
        g_autofree char *path = g_strdup_printf(IMAGE("turned_%d.jpg"), orientation);
        g_autoptr(parse_file) file = open_file(path);
        print_message("%s\n", path);
        assert_size(file, 0, orientation >= 5 ? 20 : 30, orientation >= 5 ? 30 : 20);
        assert_int_equal(color_at(file, 0, red[orientation][0], red[orientation][1]), 'r');
    }
    static const char *const others[] = {IMAGE("turned_6.tif"), IMAGE("turned_6.webp")};
    for (gsize i = 0; i < G_N_ELEMENTS(others); i++) {
        g_autoptr(parse_file) file = open_file(others[i]);
        assert_int_equal(color_at(file, 0, 6, 1), 'r');
        assert_int_equal(color_at(file, 0, 1, 7), 'b');
    }
}

static void
frames_of_a_tiff_are_pages(void **state)
{
    (void)state;
    g_autoptr(parse_file) file = open_file(IMAGE("pages.tif"));
    assert_int_equal(parse_file_n_pages(file), 3);
    assert_size(file, 0, 30, 20);
    assert_size(file, 2, 15, 10);
    assert_int_equal(color_at(file, 0, 1, 0), 'r');
    assert_int_equal(color_at(file, 1, 6, 6), 'd'); /* the same block, turned and gray */
    assert_int_equal(color_at(file, 0, 1, 0), 'r'); /* and back */
    g_autoptr(GError) error = NULL;
    const parse_options few = {.max_pages = 2};
    assert_null(parse_file_open(IMAGE("pages.tif"), &few, &error));
    assert_true(g_error_matches(error, PARSE_ERROR, PARSE_ERROR_LIMIT));
}

static void
assert_warned(parse_file *file, const char *what)
{
    guint n = 0;
    const char *const *warnings = parse_file_warnings(file, &n);
    for (guint i = 0; i < n; i++)
        if (strstr(warnings[i], what)) return;
    fail_msg("no warning says \"%s\"", what);
}

static void
what_is_left_of_a_damaged_picture_is_used(void **state)
{
    (void)state;
    static const struct {
        const char *path, *warning;
        int n_pages;
    } cases[] = {
        {IMAGE("loop.tif"), "list of its pages is damaged", 2},
        {IMAGE("cut_list.tif"), "list of its pages is damaged", 2},
        {IMAGE("cut_strip.tif"), "picture is damaged", 1},
        {IMAGE("cut.jpg"), "premature end", 1},
        {IMAGE("cut.png"), "cut short", 1},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(parse_file) file = open_file(cases[i].path);
        print_message("%s\n", cases[i].path);
        assert_int_equal(parse_file_n_pages(file), cases[i].n_pages);
        const char seen = color_at(file, 0, 1, 0);
        assert_true(i == 4 || seen == 'r'); /* the PNG is noise, so that it is long enough to cut */
        assert_warned(file, cases[i].warning);
    }
    g_autoptr(parse_file) file = open_file(IMAGE("cut_strip.tif"));
    assert_int_equal(color_at(file, 0, 1, 7), 'w'); /* as paper is */
}

static void
a_picture_of_too_many_pixels_is_refused(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    g_autoptr(parse_file) file = open_file(IMAGE("huge.tif"));
    assert_null(parse_file_load_page(file, 0, &error));
    assert_true(g_error_matches(error, PARSE_ERROR, PARSE_ERROR_LIMIT));
    assert_non_null(strstr(error->message, "90000 x 90000 pixels are too many"));
}

static void
a_page_has_the_size_of_its_paper(void **state)
{
    (void)state;
    static const struct {
        guint width_px, height_px;
        double dpi_x, dpi_y, width_pt, height_pt;
    } cases[] = {
        {2480, 3508, 300, 300, 595.2, 841.9}, /* what the file says */
        {1728, 1143, 204, 98, 609.9, 839.8},  /* a fax: not square */
        {595, 842, 72, 72, 595, 842},         /* the default, and it fits */
        {2480, 3508, 72, 72, 595.2, 841.9},   /* the default, and it does not: A4 */
        {2550, 3300, 0, 0, 612, 792},         /* Letter */
        {3300, 2550, 1, 1, 792, 612},         /* on its side */
        {4000, 3000, 72, 72, 792, 594},       /* a photograph: as large as fits on a sheet */
        {400, 200, 0, 0, 400, 200},           /* small: no less than 72 dpi */
        {1000, 1000, 4000, 4000, 612, 612},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        float w = 0, h = 0;
        parse_paper_size(cases[i].width_px, cases[i].height_px, cases[i].dpi_x, cases[i].dpi_y, &w,
                         &h);
        assert_near(w, cases[i].width_pt, 0.1);
        assert_near(h, cases[i].height_pt, 0.1);
    }
}

/* Every way to cut the file off, and every byte of its directory changed: pages or an error, nothing worse. */
static void
no_damage_to_a_tiff_does_harm(void **state)
{
    (void)state;
    g_autofree char *bytes = NULL;
    gsize n = 0;
    assert_true(g_file_get_contents(IMAGE("pages.tif"), &bytes, &n, NULL));
    for (gsize i = 8; i < n; i++) {
        for (int cut = 0; cut <= 1; cut++) {
            g_autofree char *copy = g_memdup2(bytes, n);
            gboolean damaged;
            copy[i] ^= cut ? 0 : (char)(i * 37 | 1);
            g_autoptr(GArray) frames =
                parse_tiff_frames((const guint8 *)copy, cut ? i : n, &damaged);
            assert_true(frames->len <= 3);
            g_autoptr(parse_file) file =
                parse_file_open_memory(copy, cut ? i : n, "pages.tif", NULL, NULL);
            if (file && i % 7 == 0) parse_page_free(parse_file_load_page(file, 0, NULL));
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_of_every_format_open_as_a_page),
        cmocka_unit_test(pages_are_rendered_turned_clockwise),
        cmocka_unit_test(a_turned_photograph_stands_upright),
        cmocka_unit_test(frames_of_a_tiff_are_pages),
        cmocka_unit_test(what_is_left_of_a_damaged_picture_is_used),
        cmocka_unit_test(a_picture_of_too_many_pixels_is_refused),
        cmocka_unit_test(a_page_has_the_size_of_its_paper),
        cmocka_unit_test(no_damage_to_a_tiff_does_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

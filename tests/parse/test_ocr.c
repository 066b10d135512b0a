/* Reading pixels: a page of our own, drawn by MuPDF, then turned, skewed, shaded and read back. */
#include "tests/parse/helpers.h"

#include <glib/gstdio.h>
#include <leptonica/allheaders.h>
#include <math.h>
#include <unistd.h>

#include "parse/ocr_internal.h"

#define DPI    200
#define WIDTH  420.0
#define HEIGHT 300.0

static const char *const lines[] = {
    "The keeper of the lighthouse wrote down the weather every four hours",
    "for thirty years, in brown ink, and never missed a single night. His",
    "books are the longest record of wind that we have from this coast and",
    "they were found in a barrel when the tower was pulled down. We copied",
    "all of them, and this paper says what can be learned from the first.",
};
#define HEADING "Records of the Wind"
static const char *const cells[2][3] = {{"Season", "Gales", "Calm"}, {"Winter", "417", "35"}};

static void
lines_append(GString *content)
{
    for (guint i = 0; i < G_N_ELEMENTS(lines); i++)
        g_string_append_printf(content, "BT /F1 10 Tf 40 %u Td (%s) Tj ET\n", 236 - 14 * i,
                               lines[i]);
}

/* A heading, five lines, and a ruled table of two rows; origin at the lower left. */
static char *
page_content(void)
{
    GString *s = g_string_new("BT /F2 18 Tf 40 260 Td (" HEADING ") Tj ET\n");
    lines_append(s);
    for (guint row = 0; row < 2; row++)
        for (guint col = 0; col < 3; col++)
            g_string_append_printf(s, "BT /F1 10 Tf %u %u Td (%s) Tj ET\n", 48 + 100 * col,
                                   126 - 24 * row, cells[row][col]);
    g_string_append(s, "1 w\n");
    for (guint row = 0; row < 3; row++)
        g_string_append_printf(s, "40 %u m 340 %u l S\n", 142 - 24 * row, 142 - 24 * row);
    for (guint col = 0; col < 4; col++)
        g_string_append_printf(s, "%u 142 m %u 94 l S\n", 40 + 100 * col, 40 + 100 * col);
    return g_string_free(s, FALSE);
}

static char *folder;

static int
make_folder(void **state)
{
    (void)state;
    folder = g_dir_make_tmp("lode-ocr-XXXXXX", NULL);
    return folder != NULL ? 0 : -1;
}

static char *
scratch(const char *name)
{
    return g_build_filename(folder, name, NULL);
}

static int
remove_folder(void **state)
{
    static const char *const files[] = {"page.pdf", "page.png"};
    (void)state;
    for (guint i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *path = scratch(files[i]);
        if (g_remove(path) != 0) return -1;
    }
    const int failed = g_rmdir(folder);
    g_clear_pointer(&folder, g_free);
    return failed;
}

/* What draws content on a page, as gray pixels. */
static PIX *
picture_of(const char *content)
{
    g_autofree char *path = scratch("page.pdf");
    g_autofree char *pdf = g_strdup_printf(
        "%%PDF-1.4\n1 0 obj <</Type/Catalog/Pages 2 0 R>> endobj\n"
        "2 0 obj <</Type/Pages/Kids[3 0 R]/Count 1>> endobj\n"
        "3 0 obj <</Type/Page/Parent 2 0 R/MediaBox[0 0 %g %g]/Contents 4 0 R/Resources<</Font<<"
        "/F1<</Type/Font/Subtype/Type1/BaseFont/Times-Roman>>"
        "/F2<</Type/Font/Subtype/Type1/BaseFont/Times-Bold>>>>>>>> endobj\n"
        "4 0 obj <</Length %zu>> stream\n%sendstream endobj\ntrailer <</Root 1 0 R>>\n",
        WIDTH, HEIGHT, strlen(content), content);
    assert_true(g_file_set_contents(path, pdf, -1, NULL));
    g_autoptr(parse_file) file = open_file(path);
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) png = parse_file_render_png(file, 0, NULL, 0, DPI, &error);
    if (png == NULL) fail_msg("%s", error->message);
    PIX *color = pixReadMemPng(g_bytes_get_data(png, NULL), g_bytes_get_size(png));
    PIX *gray = pixConvertTo8(color, 0);
    pixDestroy(&color);
    pixSetResolution(gray, DPI, DPI);
    return gray;
}

static PIX *
page_picture(void)
{
    g_autofree char *content = page_content();
    return picture_of(content);
}

/* A picture as a document of one page; takes pix. */
static parse_file *
open_picture(PIX *pix)
{
    g_autofree char *path = scratch("page.png");
    pixSetResolution(pix, DPI, DPI);
    assert_int_equal(pixWrite(path, pix, IFF_PNG), 0);
    pixDestroy(&pix);
    return open_file(path);
}

static parse_page *
read_picture(PIX *pix, const parse_rect *region)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(parse_file) file = open_picture(pix);
    g_autoptr(parse_page) page = parse_file_load_page(file, 0, &error);
    g_autoptr(parse_ocr) ocr = parse_ocr_new(NULL, &error);
    if (ocr == NULL) fail_msg("%s", error->message);
    parse_page *read = parse_ocr_page(ocr, file, page, region, region != NULL ? 1 : 0, &error);
    if (read == NULL) fail_msg("%s", error->message);
    return read;
}

static char *
page_text(const parse_page *page)
{
    GString *text = g_string_new(NULL);
    for (guint r = 0; r < page->n_runs; r++) {
        const parse_run *run = &page->runs[r];
        assert_true(run->flags & PARSE_RUN_OCR);
        for (guint i = 0; i < run->n_glyphs; i++)
            g_string_append_unichar(text, page->glyphs[run->first_glyph + i].unicode);
        if (text->len > 0 && text->str[text->len - 1] != ' ') g_string_append_c(text, ' ');
    }
    return g_string_free(text, FALSE);
}

static void
assert_all_lines(const parse_page *page)
{
    g_autofree char *text = page_text(page);
    for (guint i = 0; i < G_N_ELEMENTS(lines); i++)
        if (strstr(text, lines[i]) == NULL) fail_msg("no \"%s\" in \"%s\"", lines[i], text);
    assert_non_null(strstr(text, HEADING));
}

/* The run that this word begins. */
static const parse_run *
find_word(const parse_page *page, const char *word)
{
    for (guint r = 0; r < page->n_runs; r++) {
        const parse_run *run = &page->runs[r];
        const size_t len = strlen(word);
        guint i = 0;
        while (i < len && i < run->n_glyphs &&
               page->glyphs[run->first_glyph + i].unicode == (uint32_t)(guchar)word[i])
            i++;
        if (i == len) return run;
    }
    fail_msg("no word \"%s\"", word);
    return NULL;
}

/* ---- tests ---- */

static void
a_page_of_pixels_is_read_with_its_sizes_and_places(void **state)
{
    (void)state;
    g_autoptr(parse_page) page = read_picture(page_picture(), NULL);
    assert_all_lines(page);
    assert_near(page->width_pt, WIDTH, 1);
    assert_near(page->skew, 0, 0.002);
    const parse_run *heading = find_word(page, "Records"), *body = find_word(page, "keeper");
    assert_near(heading->size_pt, 18, 1.1);
    assert_near(body->size_pt, 10, 0.6);
    assert_true(page->fonts[heading->font].flags & PARSE_FONT_BOLD);
    assert_false(page->fonts[body->font].flags & PARSE_FONT_BOLD);
    assert_near(page->glyphs[body->first_glyph].y, HEIGHT - 236, 1);
    assert_near(heading->dir_x, 1, 0);
    assert_near(page->glyphs[heading->first_glyph].x, 40, 1.5);
}

static void
cells_of_a_ruled_table_stand_where_they_are_drawn(void **state)
{
    (void)state;
    g_autoptr(parse_page) page = read_picture(page_picture(), NULL);
    for (guint row = 0; row < 2; row++)
        for (guint col = 0; col < 3; col++) {
            const parse_run *cell = find_word(page, cells[row][col]);
            assert_near(page->glyphs[cell->first_glyph].x, 48 + 100 * col, 2);
            assert_near(page->glyphs[cell->first_glyph].y, HEIGHT - 126 + 24 * row, 1.5);
        }
    guint across = 0, down = 0;
    for (guint i = 0; i < page->n_paths; i++) {
        across += page->paths[i].kind == PARSE_PATH_RULE_H;
        down += page->paths[i].kind == PARSE_PATH_RULE_V;
    }
    assert_int_equal(across, 3);
    assert_int_equal(down, 4);
}

static void
a_page_upside_down_or_on_its_side_is_read_in_its_own_direction(void **state)
{
    (void)state;
    /* the picture turned clockwise: along which way the text then runs */
    static const float direction[4][2] = {{1, 0}, {0, 1}, {-1, 0}, {0, -1}};
    for (int quarters = 1; quarters < 4; quarters++) {
        PIX *upright = page_picture();
        PIX *turned = pixRotateOrth(upright, quarters);
        pixDestroy(&upright);
        g_autoptr(parse_page) page = read_picture(turned, NULL);
        assert_all_lines(page);
        const parse_run *body = find_word(page, "keeper");
        assert_near(body->dir_x, direction[quarters][0], 0);
        assert_near(body->dir_y, direction[quarters][1], 0);
        if (quarters == 2) assert_near(page->glyphs[body->first_glyph].y, 236, 1.5);
    }
}

static void
a_page_laid_askew_is_put_straight_and_its_places_lead_back(void **state)
{
    (void)state;
    const float radians = 3.0F * (float)(G_PI / 180);
    PIX *straight = page_picture();
    PIX *askew = pixRotate(straight, radians, L_ROTATE_AREA_MAP, L_BRING_IN_WHITE, 0, 0);
    pixDestroy(&straight);
    g_autoptr(parse_page) page = read_picture(askew, NULL);
    assert_all_lines(page);
    assert_near(page->skew, -radians, 0.004);
    const parse_run *body = find_word(page, "keeper");
    float x = page->glyphs[body->first_glyph].x, y = page->glyphs[body->first_glyph].y;
    assert_near(y, HEIGHT - 236, 1.5);
    /* where it was drawn, turned clockwise about the middle */
    const float u = x - (float)WIDTH / 2, v = (float)(HEIGHT - 236 - HEIGHT / 2);
    const float drawn_x = (float)WIDTH / 2 + u * cosf(radians) - v * sinf(radians);
    const float drawn_y = (float)HEIGHT / 2 + u * sinf(radians) + v * cosf(radians);
    parse_unskew(page->width_pt, page->height_pt, page->skew, &x, &y);
    assert_near(x, drawn_x, 1.5);
    assert_near(y, drawn_y, 1.5);
}

static void
a_shadow_over_the_page_hides_no_word(void **state)
{
    (void)state;
    PIX *pix = page_picture();
    const int w = pixGetWidth(pix), h = pixGetHeight(pix), wpl = pixGetWpl(pix);
    for (int y = 0; y < h; y++) {
        l_uint32 *line = pixGetData(pix) + (size_t)y * (size_t)wpl;
        for (int x = 0; x < w; x++) /* down to a third of the light at the right */
            SET_DATA_BYTE(line, x, (l_uint8)(GET_DATA_BYTE(line, x) * (3 * w - 2 * x) / (3 * w)));
    }
    g_autoptr(parse_page) page = read_picture(pix, NULL);
    assert_all_lines(page);
}

static void
a_region_adds_its_words_to_the_page(void **state)
{
    (void)state;
    const parse_rect region = {30, 50, 400, 80};
    g_autoptr(parse_page) page = read_picture(page_picture(), &region);
    g_autofree char *text = page_text(page);
    assert_non_null(strstr(text, lines[0]));
    assert_null(strstr(text, HEADING));
    assert_int_equal(page->n_images, 1);
    assert_near(page->glyphs[find_word(page, "keeper")->first_glyph].y, HEIGHT - 236, 1);
}

static void
the_same_pixels_give_the_same_page(void **state)
{
    (void)state;
    g_autoptr(parse_page) a = read_picture(page_picture(), NULL);
    g_autoptr(parse_page) b = read_picture(page_picture(), NULL);
    assert_int_equal(a->n_glyphs, b->n_glyphs);
    assert_memory_equal(a->glyphs, b->glyphs, a->n_glyphs * sizeof *a->glyphs);
}

static void
a_language_that_is_not_installed_is_named_with_its_package(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    const parse_ocr_options options = {.languages = "eng+tlh_old"};
    assert_null(parse_ocr_new(&options, &error));
    assert_int_equal(error->code, PARSE_ERROR_IO);
    assert_non_null(strstr(error->message, "tesseract-ocr-tlh-old"));
    g_clear_error(&error);
    assert_false(parse_ocr_languages_check("../eng", &error));
    assert_non_null(error);
}

static void
a_script_is_read_with_the_languages_installed_for_it(void **state)
{
    (void)state;
    static const char *const installed[] = {"chi_sim", "deu", "eng", "osd", "rus"};
    g_autofree char *dir = scratch("tessdata");
    assert_int_equal(g_mkdir(dir, 0700), 0);
    for (guint i = 0; i < G_N_ELEMENTS(installed); i++) {
        g_autofree char *path = g_strdup_printf("%s/%s.traineddata", dir, installed[i]);
        assert_true(g_file_set_contents(path, "", 0, NULL));
    }
    static const struct {
        const char *script, *languages, *usual;
    } cases[] = {{"Latin", "eng+deu", "eng"},
                 {"Cyrillic", "rus", "rus"},
                 {"Han", "chi_sim", "chi_sim"},
                 {"Greek", NULL, "ell"}};
    static const char *const guesses[] = {"eng+deu", "rus+eng", "chi_sim+eng", "eng"};
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *languages = parse_ocr_languages_of_script(dir, cases[i].script);
        g_autofree char *usual = parse_ocr_script_language(cases[i].script);
        assert_int_equal(g_strcmp0(languages, cases[i].languages), 0);
        assert_string_equal(usual, cases[i].usual);
        g_autofree char *guess = parse_ocr_languages_of_guess(dir, cases[i].script, "eng");
        assert_string_equal(guess, guesses[i]);
    }
    g_autofree char *package = parse_ocr_package("chi_sim");
    assert_string_equal(package, "tesseract-ocr-chi-sim");
    for (guint i = 0; i < G_N_ELEMENTS(installed); i++) {
        g_autofree char *path = g_strdup_printf("%s/%s.traineddata", dir, installed[i]);
        assert_int_equal(g_remove(path), 0);
    }
    assert_int_equal(g_rmdir(dir), 0);
}

/* Two lines of capitals, as of an emblem, are taken for Cyrillic where several languages are installed. */
static void
few_letters_are_read_whatever_script_they_seem_to_be(void **state)
{
    (void)state;
    static const char *const links[][2] = {{"eng", "eng"}, {"osd", "osd"}, {"chi_sim", "eng"}};
    g_autofree char *from = parse_ocr_data_path(), *dir = scratch("several");
    g_autofree char *before = g_strdup(g_getenv("TESSDATA_PREFIX"));
    assert_int_equal(g_mkdir_with_parents(dir, 0700), 0);
    for (guint i = 0; i < G_N_ELEMENTS(links); i++) {
        g_autofree char *link = g_strdup_printf("%s/%s.traineddata", dir, links[i][0]);
        g_autofree char *target = g_strdup_printf("%s/%s.traineddata", from, links[i][1]);
        g_unlink(link);
        assert_int_equal(symlink(target, link), 0);
    }
    assert_true(g_setenv("TESSDATA_PREFIX", dir, TRUE));
    g_autoptr(parse_page) page =
        read_picture(picture_of("BT /F1 14 Tf 40 200 Td (HAMPTON ROAD) Tj ET\n"
                                "BT /F1 14 Tf 40 160 Td (EAST MARKET TOWER BATH) Tj ET\n"),
                     NULL);
    g_autofree char *text = page_text(page);
    if (before != NULL)
        g_setenv("TESSDATA_PREFIX", before, TRUE);
    else
        g_unsetenv("TESSDATA_PREFIX");
    assert_non_null(strstr(text, "MARKET TOWER"));
    for (guint i = 0; i < G_N_ELEMENTS(links); i++) {
        g_autofree char *link = g_strdup_printf("%s/%s.traineddata", dir, links[i][0]);
        assert_int_equal(g_remove(link), 0);
    }
    assert_int_equal(g_rmdir(dir), 0);
}

static void
recognition_can_be_cancelled(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    static const int now = 1;
    const parse_ocr_options options = {.cancel = &now};
    g_autoptr(parse_file) file = open_picture(page_picture());
    g_autoptr(parse_page) page = parse_file_load_page(file, 0, &error);
    g_autoptr(parse_ocr) ocr = parse_ocr_new(&options, &error);
    assert_non_null(ocr);
    assert_null(parse_ocr_page(ocr, file, page, NULL, 0, &error));
    assert_int_equal(error->code, PARSE_ERROR_CANCELLED);
}

/* What Tesseract would have said of content, had it read these places: words of six letters, in points from the upper
 * left. */
static parse_ocr_text *
text_of(const parse_rect *places, guint n, double scale)
{
    parse_ocr_text *text = g_new0(parse_ocr_text, 1);
    text->symbols = g_array_new(FALSE, FALSE, sizeof(parse_ocr_symbol));
    text->words = g_array_new(FALSE, FALSE, sizeof(parse_ocr_word));
    text->rules = g_array_new(FALSE, FALSE, sizeof(parse_path));
    text->pictures = g_array_new(FALSE, FALSE, sizeof(parse_rect));
    for (guint i = 0; i < n; i++) {
        const parse_ocr_word word = {.first_symbol = text->symbols->len,
                                     .n_symbols = 6,
                                     .x0 = (int)((double)places[i].x0 * scale),
                                     .y0 = (int)((double)places[i].y0 * scale),
                                     .x1 = (int)((double)places[i].x1 * scale),
                                     .y1 = (int)((double)places[i].y1 * scale),
                                     .confidence = 0.95F};
        for (int k = 0; k < 6; k++) {
            const int width = (word.x1 - word.x0) / 6;
            const parse_ocr_symbol symbol = {.unicode = 'n',
                                             .x0 = word.x0 + k * width,
                                             .y0 = word.y1 - (int)(5 * scale),
                                             .x1 = word.x0 + (k + 1) * width,
                                             .y1 = word.y1};
            g_array_append_val(text->symbols, symbol);
        }
        g_array_append_val(text->words, word);
    }
    return text;
}

static void
text_drop(parse_ocr_text *text)
{
    g_array_unref(text->symbols);
    g_array_unref(text->words);
    g_array_unref(text->rules);
    g_array_unref(text->pictures);
    g_free(text);
}

/* Two rows of a table without rules; the column in the middle, a dash and a number, went unread. */
static void
ink_that_no_word_covers_is_found_piece_by_piece(void **state)
{
    (void)state;
    static const parse_rect read[] = {
        {40, 90, 80, 102}, {300, 90, 340, 102}, {40, 114, 80, 126}, {300, 114, 340, 126}};
    PIX *gray = picture_of(
        "BT /F1 10 Tf 40 200 Td (Alphas) Tj 150 0 Td (-) Tj 110 0 Td (Omegas) Tj ET\n"
        "BT /F1 10 Tf 40 176 Td (Gammas) Tj 148 0 Td (0.31) Tj 112 0 Td (Deltas) Tj ET\n");
    parse_ocr_image image = {.gray = gray, .binary = parse_ocr_binary(gray), .dpi = DPI};
    parse_ocr_text *text = text_of(read, G_N_ELEMENTS(read), DPI / 72.0);
    g_autoptr(GArray) pieces = parse_ocr_missed_find(&image, text);
    assert_int_equal(pieces->len, 2);
    for (guint i = 0; i < pieces->len; i++) {
        const parse_rect *piece = &g_array_index(pieces, parse_rect, i);
        const double x = (double)piece->x0 * 72 / DPI;
        assert_true(x > 182 && x < 192);
    }
    text_drop(text);
    pixDestroy(&image.binary);
    pixDestroy(&gray);
}

/* A number between 0 and n, always the same ones. */
static guint
dice(guint *state, guint n)
{
    *state = *state * 1664525U + 1013904223U;
    return (*state >> 8) % n;
}

/* Dust, black and white, all over the page; it is no screen, whose dots stand in rows and are larger. */
static void
dust_is_taken_out_and_smears_no_letter(void **state)
{
    (void)state;
    guint seed = 1;
    PIX *small = page_picture();
    PIX *pix = pixScaleGrayLI(small, 2, 2);
    const guint wide = (guint)pixGetWidth(pix), high = (guint)pixGetHeight(pix);
    for (guint i = 0; i < wide * high / 70; i++)
        pixSetPixel(pix, (l_int32)dice(&seed, wide), (l_int32)dice(&seed, high), i % 2 ? 255 : 0);
    parse_ocr_image image = {.gray = pix, .binary = parse_ocr_binary(pix), .dpi = 2 * DPI};
    NUMA *before = pixCountPixelsByRow(image.binary, NULL);
    parse_ocr_image_clean(&image);
    NUMA *after = pixCountPixelsByRow(image.binary, NULL);
    l_float32 dusty = 0, clean = 0;
    /* the last inch is empty but for dust */
    for (guint y = high - 2 * DPI / 2; y < high; y++) {
        l_float32 n = 0;
        numaGetFValue(before, (l_int32)y, &n);
        dusty += n;
        numaGetFValue(after, (l_int32)y, &n);
        clean += n;
    }
    assert_true(dusty > 1000);
    assert_true(clean < 0.02F * dusty);
    numaDestroy(&before);
    numaDestroy(&after);
    /* and strokes are not smeared as dots of a screen would be */
    l_float32 ink = 255;
    assert_int_equal(pixGetAverageMasked(image.gray, image.binary, 0, 0, 1, L_MEAN_ABSVAL, &ink),
                     0);
    if (ink > 60) fail_msg("ink of %.0f", (double)ink);
    pixDestroy(&image.gray);
    pixDestroy(&image.binary);
    pixDestroy(&small);
}

/* The number of a page may stand alone in its foot; what stands alone between the lines is dirt. */
static void
a_character_alone_is_read_in_the_foot_only(void **state)
{
    (void)state;
    static const parse_rect read[] = {{40, 90, 380, 102}, {40, 190, 380, 202}};
    PIX *gray = picture_of("BT /F1 10 Tf 40 200 Td (Alphas) Tj 310 0 Td (Omegas) Tj ET\n"
                           "BT /F1 10 Tf 200 150 Td (x) Tj 0 -120 Td (7) Tj ET\n"
                           "BT /F1 10 Tf 40 100 Td (Gammas) Tj 310 0 Td (Deltas) Tj ET\n");
    parse_ocr_image image = {.gray = gray, .binary = parse_ocr_binary(gray), .dpi = DPI};
    parse_ocr_text *text = text_of(read, G_N_ELEMENTS(read), DPI / 72.0);
    g_autoptr(GArray) pieces = parse_ocr_missed_find(&image, text);
    assert_int_equal(pieces->len, 1);
    const parse_rect *piece = &g_array_index(pieces, parse_rect, 0);
    assert_true((double)piece->y0 * 72 / DPI > HEIGHT - 50);
    text_drop(text);
    pixDestroy(&image.binary);
    pixDestroy(&gray);
}

static void
an_address_that_was_read_in_pieces_is_one_word(void **state)
{
    (void)state;
    g_autoptr(GString) content = g_string_new(NULL);
    lines_append(content);
    g_string_append(
        content, "BT /F1 10 Tf 40 150 Td (See https: //wind.org/gales and the books: /a) Tj ET\n");
    g_autoptr(parse_page) page = read_picture(picture_of(content->str), NULL);
    g_autofree char *text = page_text(page);
    if (strstr(text, " https://wind.org/gales and") == NULL || strstr(text, "books: /a") == NULL)
        fail_msg("%s", text);
}

/* Slanted lines between labels are a drawing; with a paragraph over them, or read as letters, they would not be. */
static void
lines_that_are_no_letters_are_a_drawing(void **state)
{
    (void)state;
    static const parse_rect label = {60, 20, 100, 32}, paragraph = {40, 40, 340, 190};
    PIX *gray = picture_of("1 w 60 120 m 100 200 l 110 150 l S 106 130 m 160 210 l 170 140 l S\n"
                           "166 120 m 220 190 l 230 130 l S 226 120 m 280 220 l 290 150 l S\n"
                           "BT /F1 10 Tf 60 270 Td (Labels) Tj ET\n");
    parse_ocr_image image = {.gray = gray, .binary = parse_ocr_binary(gray), .dpi = DPI};
    parse_ocr_text *text = text_of(&label, 1, DPI / 72.0);
    parse_ocr_drawings_find(&image, text);
    assert_int_equal(text->pictures->len, 1);
    const parse_rect *box = &g_array_index(text->pictures, parse_rect, 0);
    assert_true(fabs((double)box->x0 * 72 / DPI - 60) < 4);
    assert_true(fabs((double)box->x1 * 72 / DPI - 290) < 4);
    assert_true(fabs((double)box->y1 * 72 / DPI - (HEIGHT - 120)) < 4);
    text_drop(text);
    text = text_of(&paragraph, 1, DPI / 72.0);
    parse_ocr_drawings_find(&image, text);
    assert_int_equal(text->pictures->len, 0);
    text_drop(text);
    pixDestroy(&image.binary);
    pixDestroy(&gray);
}

/* The text of a page, with "^" before what is set smaller and "_" behind it. */
static char *
raised_text(const parse_page *page, float body_pt)
{
    GString *text = g_string_new(NULL);
    for (guint r = 0; r < page->n_runs; r++) {
        const parse_run *run = &page->runs[r];
        const gboolean small = run->size_pt < 0.8F * body_pt;
        if (small) g_string_append_c(text, '^');
        for (guint i = 0; i < run->n_glyphs; i++)
            g_string_append_unichar(text, page->glyphs[run->first_glyph + i].unicode);
        if (small) g_string_append_c(text, '_');
    }
    return g_string_free(text, FALSE);
}

static void
marks_of_notes_are_read_and_raised_inside_of_a_sentence_too(void **state)
{
    (void)state;
    /* as small as they come on coarse scans */
    g_autoptr(GString) content = g_string_new(NULL);
    lines_append(content);
    g_string_append(content,
                    "BT /F1 10 Tf 40 150 Td (Wind is measured in other studies) Tj "
                    "/F1 6.5 Tf 3.6 Ts (16) Tj /F1 10 Tf 0 Ts (, as was said, and in reports) Tj "
                    "/F1 6.5 Tf 3.6 Ts (17) Tj /F1 10 Tf 0 Ts (.) Tj ET\n");
    g_autoptr(parse_page) page = read_picture(picture_of(content->str), NULL);
    g_autofree char *text = raised_text(page, 10);
    if (strstr(text, "studies^16_,") == NULL || strstr(text, "reports^17_.") == NULL)
        fail_msg("%s", text);
}

static void
add_symbols(parse_ocr_text *text, const char *characters, int x, int y0, int y1)
{
    for (; *characters != '\0'; characters++, x += 20) {
        const parse_ocr_symbol symbol = {(uint32_t)*characters, x, y0, x + 18, y1};
        g_array_append_val(text->symbols, symbol);
    }
}

/* A word of 60 pixels' em on the baseline 100: "see", something raised that is so high, and a full stop. */
static guint
n_misread(const char *raised, int height, const char *figures, char **shown)
{
    parse_ocr_text text = {.symbols = g_array_new(FALSE, FALSE, sizeof(parse_ocr_symbol)),
                           .words = g_array_new(FALSE, FALSE, sizeof(parse_ocr_word)),
                           .lines = g_array_new(FALSE, FALSE, sizeof(parse_ocr_line))};
    const parse_ocr_line line = {.n_words = 1, .baseline = 100, .em = 60};
    const guint n = (guint)strlen(raised);
    const parse_ocr_word word = {.n_symbols = 4 + n, .baseline = 100};
    add_symbols(&text, "see", 0, 73, 100);
    add_symbols(&text, raised, 60, 80 - height, 80);
    add_symbols(&text, ".", 60 + 20 * (int)n, 95, 100);
    g_array_append_val(text.lines, line);
    g_array_append_val(text.words, word);
    g_autoptr(GArray) found = parse_ocr_raised_find(&text);
    if (found->len == 1)
        parse_ocr_raised_put(&text, &g_array_index(found, parse_ocr_raised, 0), figures);
    const parse_ocr_word *now = &g_array_index(text.words, parse_ocr_word, 0);
    GString *out = g_string_new(NULL);
    for (guint i = 0; i < now->n_symbols; i++)
        g_string_append_unichar(
            out, g_array_index(text.symbols, parse_ocr_symbol, now->first_symbol + i).unicode);
    *shown = g_string_free(out, FALSE);
    g_array_unref(text.symbols);
    g_array_unref(text.words);
    g_array_unref(text.lines);
    return found->len;
}

static void
what_was_misread_of_raised_figures_is_read_again(void **state)
{
    (void)state;
    static const struct {
        const char *raised;
        int height; /* of 60 */
        guint n;
        const char *shown;
    } cases[] = {{"!?", 26, 1, "see17."},   {"\"", 14, 0, "see\"."}, {"17", 26, 0, "see17."},
                 {"**", 26, 0, "see**."},   {"*!", 26, 1, "see17."}, {"!", 50, 0, "see!."},
                 {"?????????", 26, 0, NULL}};
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *shown = NULL;
        assert_int_equal(n_misread(cases[i].raised, cases[i].height, "17", &shown), cases[i].n);
        if (cases[i].shown != NULL) assert_string_equal(shown, cases[i].shown);
    }
}

/* The words of the page in bold type, each with its blank; g_free. */
static char *
bold_text(const parse_page *page)
{
    GString *text = g_string_new(NULL);
    for (guint r = 0; r < page->n_runs; r++) {
        const parse_run *run = &page->runs[r];
        if (!(page->fonts[run->font].flags & PARSE_FONT_BOLD)) continue;
        for (guint i = 0; i < run->n_glyphs; i++)
            g_string_append_unichar(text, page->glyphs[run->first_glyph + i].unicode);
    }
    return g_string_free(text, FALSE);
}

static void
a_heading_that_runs_into_its_paragraph_ends_at_its_full_stop(void **state)
{
    (void)state;
    g_autoptr(GString) content = g_string_new(NULL);
    lines_append(content);
    g_string_append(content,
                    "BT /F2 10 Tf 40 150 Td (Why are gauges read at noon every day?) Tj "
                    "/F1 10 Tf (  Be-) Tj 0 -14 Td (cause the wind is then most even, and the "
                    "boats are in the harbour.) Tj ET\n"
                    "BT /F2 10 Tf 40 108 Td (All of this heading is bold. So is the end) Tj ET\n");
    g_autoptr(parse_page) page = read_picture(picture_of(content->str), NULL);
    g_autofree char *text = bold_text(page);
    if (strstr(text, "noon every day? All of this heading is bold. So is the end") == NULL)
        fail_msg("%s", text);
}

/* Two lines: Han parted into words, a blank as wide as a character, Latin words. */
static void
chinese_has_no_blanks_between_its_words(void **state)
{
    static const struct {
        const char *characters;
        int x, line; /* each character 50 wide, 60 from the next */
    } words[] = {{"\xe4\xb8\x8a", 0, 0},   {"\xe7\x9a\x84\xe5\xae\x9e\xe6\x97\xb6", 68, 0},
                 {"\xe6\x80\xa7", 320, 0}, {"GPU", 400, 0},
                 {"\xe4\xb8\x8e", 590, 0}, {"\xe9\xa2\x84", 0, 1}};
    (void)state;
    parse_ocr_text text = {.symbols = g_array_new(FALSE, FALSE, sizeof(parse_ocr_symbol)),
                           .words = g_array_new(FALSE, FALSE, sizeof(parse_ocr_word)),
                           .lines = g_array_new(FALSE, FALSE, sizeof(parse_ocr_line)),
                           .rules = g_array_new(FALSE, FALSE, sizeof(parse_path)),
                           .pictures = g_array_new(FALSE, FALSE, sizeof(parse_rect))};
    for (guint i = 0; i < G_N_ELEMENTS(words); i++) {
        const int foot = 100 + 80 * words[i].line;
        parse_ocr_word word = {.first_symbol = text.symbols->len,
                               .x0 = words[i].x,
                               .y0 = foot - 50,
                               .y1 = foot,
                               .confidence = 0.9F,
                               .line = (guint)words[i].line,
                               .baseline = (float)foot};
        for (const char *at = words[i].characters; *at != '\0'; at = g_utf8_next_char(at)) {
            const int x = words[i].x + 60 * (int)word.n_symbols++;
            const parse_ocr_symbol symbol = {g_utf8_get_char(at), x, foot - 50, x + 50, foot};
            g_array_append_val(text.symbols, symbol);
            word.x1 = symbol.x1;
        }
        g_array_append_val(text.words, word);
    }
    for (guint i = 0; i < 2; i++) {
        const parse_ocr_line line = {
            .first_word = 5 * i, .n_words = 5 - 4 * i, .baseline = 100 + 80 * (float)i, .em = 60};
        g_array_append_val(text.lines, line);
    }
    const parse_ocr_image image = {.dpi = DPI, .width = (float)WIDTH, .height = (float)HEIGHT};
    parse_page *page = parse_page_new(0);
    page->width_pt = (float)WIDTH;
    page->height_pt = (float)HEIGHT;
    parse_ocr_page_add(page, &image, &text);
    parse_page_publish(page);
    g_autoptr(GString) read = g_string_new(NULL);
    for (guint i = 0; i < page->n_glyphs; i++)
        g_string_append_unichar(read, page->glyphs[i].unicode);
    assert_string_equal(read->str,
                        "\xe4\xb8\x8a\xe7\x9a\x84\xe5\xae\x9e\xe6\x97\xb6 \xe6\x80\xa7 GPU "
                        "\xe4\xb8\x8e\xe9\xa2\x84");
    parse_page_free(page);
    g_array_unref(text.symbols);
    g_array_unref(text.words);
    g_array_unref(text.lines);
    g_array_unref(text.rules);
    g_array_unref(text.pictures);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_of_pixels_is_read_with_its_sizes_and_places),
        cmocka_unit_test(cells_of_a_ruled_table_stand_where_they_are_drawn),
        cmocka_unit_test(a_page_upside_down_or_on_its_side_is_read_in_its_own_direction),
        cmocka_unit_test(a_page_laid_askew_is_put_straight_and_its_places_lead_back),
        cmocka_unit_test(a_shadow_over_the_page_hides_no_word),
        cmocka_unit_test(a_region_adds_its_words_to_the_page),
        cmocka_unit_test(the_same_pixels_give_the_same_page),
        cmocka_unit_test(a_language_that_is_not_installed_is_named_with_its_package),
        cmocka_unit_test(a_script_is_read_with_the_languages_installed_for_it),
        cmocka_unit_test(few_letters_are_read_whatever_script_they_seem_to_be),
        cmocka_unit_test(recognition_can_be_cancelled),
        cmocka_unit_test(marks_of_notes_are_read_and_raised_inside_of_a_sentence_too),
        cmocka_unit_test(what_was_misread_of_raised_figures_is_read_again),
        cmocka_unit_test(a_heading_that_runs_into_its_paragraph_ends_at_its_full_stop),
        cmocka_unit_test(chinese_has_no_blanks_between_its_words),
        cmocka_unit_test(ink_that_no_word_covers_is_found_piece_by_piece),
        cmocka_unit_test(dust_is_taken_out_and_smears_no_letter),
        cmocka_unit_test(a_character_alone_is_read_in_the_foot_only),
        cmocka_unit_test(an_address_that_was_read_in_pieces_is_one_word),
        cmocka_unit_test(lines_that_are_no_letters_are_a_drawing),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

/* The parts of parse that need no file. */
#include "tests/parse/helpers.h"

#include "parse/parse_internal.h"

static const char *
sniff(const char *bytes, const char *name)
{
    const char *reason = NULL;
    const char *mime = parse_sniff((const uint8_t *)bytes, strlen(bytes), name, &reason);
    assert_true((mime == NULL) != (reason == NULL));
    return mime ? mime : reason;
}

static void
formats_are_known_by_their_first_bytes(void **state)
{
    (void)state;
    assert_string_equal(sniff("%PDF-1.4\n", "x.txt"), "application/pdf");
    assert_string_equal(sniff("noise\n%PDF-1.4\n", "x"), "application/pdf");
    assert_string_equal(sniff("12 0 obj\n<<>>", "x"), "application/pdf");
    assert_string_equal(sniff("look at 12 0 obj", "x.pdf"), "it is plain text");
    assert_string_equal(sniff("\xff\xd8\xff\xe0", "x.pdf"), "image/jpeg");
    assert_string_equal(sniff("P5 640 480 255\n", "x"), "image/x-portable-anymap");
    assert_string_equal(sniff("P5 is a page", "x"), "it is plain text");
    assert_string_equal(sniff("PK\3\4", "Book.EPUB"), "application/epub+zip");
    assert_string_equal(sniff("PK\3\4", "x.docx"),
                        "it is a ZIP archive, but neither EPUB, XPS nor CBZ");
    assert_string_equal(sniff("\x1f\x8b\x08", "x.pdf.gz"), "it is gzip data");
    assert_string_equal(sniff("", "x"), "it is empty");
    /* a header too far in is text about PDF */
    g_autofree char *late = g_strnfill(2000, 'a');
    memcpy(late + 1500, "%PDF-", 5);
    assert_string_equal(sniff(late, "x"), "it is plain text");
}

static void
font_names_tell_styles(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        guint flags;
    } fonts[] = {
        {"CMBX12", PARSE_FONT_BOLD | PARSE_FONT_SERIF},
        {"CMMI10", PARSE_FONT_ITALIC | PARSE_FONT_SERIF},
        {"CMTT9", PARSE_FONT_MONO},
        {"CMSY10", 0},
        {"SFBX1095", PARSE_FONT_BOLD | PARSE_FONT_SERIF},
        {"LMRoman10-BoldItalic", PARSE_FONT_BOLD | PARSE_FONT_ITALIC | PARSE_FONT_SERIF},
        {"LMMono10-Regular", PARSE_FONT_MONO},
        {"NimbusRomNo9L-MediItal", PARSE_FONT_BOLD | PARSE_FONT_ITALIC | PARSE_FONT_SERIF},
        {"Roboto-Medium", 0},
        {"ArialMT", 0},
        {"Arial,BoldItalic", PARSE_FONT_BOLD | PARSE_FONT_ITALIC},
        {"MonotypeCorsiva", 0},
        {"AdvOT12345.B", PARSE_FONT_BOLD},
        {"AdvOT12345.I", PARSE_FONT_ITALIC},
        {"", 0},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(fonts); i++)
        if (parse_font_name_flags(fonts[i].name) != fonts[i].flags)
            fail_msg("%s: %x, not %x", fonts[i].name, parse_font_name_flags(fonts[i].name),
                     fonts[i].flags);
}

static void
tex_glyph_names_have_characters(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t unicode;
    } glyphs[] = {
        {"summationdisplay", 0x2211},
        {"parenleftBigg", '('},
        {"parenleftbig4", '('},
        {"iintegdisplay", 0x222c},
        {"Lcal", 0x2112},
        {"Fbbb", 0x1d53d},
        {"gfrak", 0x1d524},
        {"lessorequalslant", 0x2a7d},
        {"bracketrightbig", ']'},
        {"uniontext", 0x22c3},
        {"integraldisplay", 0x222b},
        {"arrowdblright", 0x21d2},
        {"alpha", 0x3b1},
        {"epsilon1", 0x3b5},
        {"uni2A7D", 0x2a7d},
        {"u1D49C", 0x1d49c},
        {"A.sc", 'A'},
        {"mapsto", 0x21a6},
        {"similarequal", 0x2243},
        {"Finv", 0x2132},
        {"wreathproduct", 0x2240},
        {"g123", 0},
        {".notdef", 0},
        {"", 0},
        {"uniD800", 0},
        {"big", 0},
        {"notelement", 0x2209},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(glyphs); i++)
        if (parse_unicode_from_name(glyphs[i].name) != glyphs[i].unicode)
            fail_msg("%s: %x, not %x", glyphs[i].name, parse_unicode_from_name(glyphs[i].name),
                     glyphs[i].unicode);
}

/* widths [n] of codes [n], in dots of 300 to the inch; one dot is 0.24 pt. */
static parse_tex_match
match_of(const int *codes, const int *dots, guint n, gboolean tex_file)
{
    float widths[256];
    for (guint i = 0; i < 256; i++)
        widths[i] = -1;
    for (guint i = 0; i < n; i++)
        widths[codes[i]] = (float)dots[i];
    return parse_tex_font_match(widths, 1, 0.24f, tex_file);
}

static void
bitmaps_of_tex_fonts_are_known_by_their_widths(void **state)
{
    (void)state;
    /* cmmi10: alpha, beta, lambda, omega, i, m, partial */
    static const int greek[] = {11, 12, 21, 33, 'i', 'm', 64};
    static const int greek_dots[] = {27, 23, 24, 26, 14, 36, 22};
    parse_tex_match match = match_of(greek, greek_dots, 7, FALSE);
    assert_non_null(match.font);
    assert_string_equal(match.font->name, "CMMI10");
    assert_float_equal(match.em, 41.5, 0.3);
    assert_int_equal(parse_tex_character(&match, 11), 0x3b1);
    assert_int_equal(parse_tex_character(&match, 64), 0x2202);
    assert_int_equal(parse_tex_character(&match, 300), 0);
    /* the same codes and widths that no font of TeX's has */
    static const int other_dots[] = {27, 39, 24, 9, 14, 50, 22};
    assert_null(match_of(greek, other_dots, 7, FALSE).font);
}

static void
a_sign_alone_is_known_in_files_of_tex_only(void **state)
{
    (void)state;
    static const int minus[] = {0}, dots[] = {32};
    parse_tex_match match = match_of(minus, dots, 1, TRUE);
    assert_non_null(match.font);
    assert_int_equal(match.font->kind, TEX_OMS);
    assert_int_equal(parse_tex_character(&match, 0), 0x2212);
    assert_null(match_of(minus, dots, 1, FALSE).font);
    static const parse_tex_match none = {0};
    assert_int_equal(parse_tex_character(&none, 65), 0);
}

static void
accents_of_the_cork_encoding_are_told_by_their_letters(void **state)
{
    (void)state;
    /* ecrm1000: fi, quotedblleft, A, c, e, m, w, e with an acute accent */
    static const int codes[] = {28, 16, 'A', 'c', 'e', 'm', 'w', 0xe9};
    static const int dots[] = {23, 21, 31, 18, 18, 35, 30, 18};
    const parse_tex_match match = match_of(codes, dots, 8, FALSE);
    assert_non_null(match.font);
    assert_true(match.t1);
    assert_int_equal(parse_tex_character(&match, 0xe9), 0xe9);
    assert_int_equal(parse_tex_character(&match, 28), 0xfb01);
    assert_int_equal(parse_tex_character(&match, 0x80), 0x102);
}

static void
labels_count_in_every_style(void **state)
{
    (void)state;
    static const struct {
        parse_label_range range;
        int index;
        const char *label;
    } cases[] = {
        {{0, 1, 'D', NULL}, 0, "1"},          {{0, 1, 'r', NULL}, 3, "iv"},
        {{0, 1, 'R', NULL}, 1993, "MCMXCIV"}, {{0, 1, 'a', NULL}, 25, "z"},
        {{0, 1, 'A', NULL}, 27, "BB"},        {{0, 1, 0, "Cover"}, 0, "Cover"},
        {{2, 7, 'D', "B-"}, 4, "B-9"},        {{0, G_MAXINT, 'D', NULL}, 5, "2147483647"},
        {{0, -5, 'r', NULL}, 0, "i"},         {{0, 1000000, 'a', NULL}, 0, "1000000"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *label = parse_label_format(&cases[i].range, 1, cases[i].index);
        assert_string_equal(label, cases[i].label);
    }
    parse_label_range later = {.first = 3, .start = 1, .style = 'D'};
    assert_null(parse_label_format(&later, 1, 2));
    assert_null(parse_label_format(NULL, 0, 0));
}

static void
memory_is_counted_and_bounded(void **state)
{
    (void)state;
    parse_memory memory;
    parse_memory_init(&memory, 4096);
    const fz_alloc_context *a = &memory.alloc;
    void *block = a->malloc(a->user, 1000);
    assert_non_null(block);
    assert_true(memory.used_bytes >= 1000);
    assert_null(a->malloc(a->user, 8000));
    assert_int_equal(memory.refused_bytes, 8000);
    assert_null(a->malloc(a->user, SIZE_MAX));
    assert_null(a->realloc(a->user, block, SIZE_MAX)); /* block stays */
    block = a->realloc(a->user, block, 2000);
    assert_non_null(block);
    memset(block, 1, 2000);
    a->free(a->user, block);
    a->free(a->user, NULL);
    assert_int_equal(memory.used_bytes, 0);
    assert_true(memory.peak_bytes >= 2000);
}

static void
the_guard_fires_once_and_only_when_armed(void **state)
{
    (void)state;
    parse_guard guard;
    fz_cookie cookie = {0}, later = {0};
    parse_guard_init(&guard);
    parse_guard_arm(&guard, &cookie, 0.02);
    gint64 until = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;
    while (!__atomic_load_n(&cookie.abort, __ATOMIC_RELAXED) && g_get_monotonic_time() < until)
        g_usleep(1000);
    assert_true(parse_guard_disarm(&guard));
    assert_int_equal(cookie.abort, 1);
    parse_guard_arm(&guard, &later, 1000);
    assert_false(parse_guard_disarm(&guard));
    parse_guard_arm(&guard, &later, -1); /* no limit */
    g_usleep(30000);
    assert_false(parse_guard_disarm(&guard));
    assert_int_equal(later.abort, 0);
    parse_guard_clear(&guard);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_are_known_by_their_first_bytes),
        cmocka_unit_test(font_names_tell_styles),
        cmocka_unit_test(tex_glyph_names_have_characters),
        cmocka_unit_test(bitmaps_of_tex_fonts_are_known_by_their_widths),
        cmocka_unit_test(a_sign_alone_is_known_in_files_of_tex_only),
        cmocka_unit_test(accents_of_the_cork_encoding_are_told_by_their_letters),
        cmocka_unit_test(labels_count_in_every_style),
        cmocka_unit_test(memory_is_counted_and_bounded),
        cmocka_unit_test(the_guard_fires_once_and_only_when_armed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

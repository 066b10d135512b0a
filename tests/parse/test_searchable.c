/* Text that lies on a page unseen: what is written is what is read back, and where. */
#include "tests/parse/helpers.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <math.h>
#include <unistd.h>

#include "parse/ocr_internal.h"

#define IMAGE(name) LODE_TEST_DATA "/images/" name
#define OUT         "searchable.pdf"

/* The page's own text as if it had been recognised: it must come to lie where it is. */
static parse_page *
own_text(int index, gpointer user_data, GError **error)
{
    g_autoptr(parse_page) page = parse_file_load_page(user_data, index, error);
    if (!page) return NULL;
    parse_page *copy = parse_page_copy(page, TRUE);
    GArray *runs = ((parse_storage *)copy->storage)->runs;
    for (guint i = 0; i < runs->len; i++)
        g_array_index(runs, parse_run, i).flags |= PARSE_RUN_OCR;
    parse_page_publish(copy);
    return copy;
}

static gboolean
write_searchable(const char *path, parse_words_fn words, gpointer user_data, GError **error)
{
    g_autoptr(parse_file) target = open_file(path);
    const int fd = g_open(OUT, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    const gboolean good = parse_file_write_searchable(target, words, user_data, fd, error);
    close(fd);
    return good;
}

/* The hidden runs in front of the page's own, without the blanks between them. */
static GPtrArray *
layer_of(const parse_page *page)
{
    GPtrArray *runs = g_ptr_array_new();
    for (guint i = 0; i < page->n_runs; i++) {
        g_autofree char *text = run_text(page, &page->runs[i]);
        if ((page->runs[i].flags & PARSE_RUN_HIDDEN) && *g_strstrip(text))
            g_ptr_array_add(runs, (gpointer)&page->runs[i]);
    }
    return runs;
}

static void
assert_layer(const parse_page *before, const parse_page *after)
{
    g_autoptr(GPtrArray) layer = layer_of(after);
    guint n = 0;
    assert_near(after->width_pt, before->width_pt, 0.01);
    assert_near(after->height_pt, before->height_pt, 0.01);
    for (guint i = 0; i < before->n_runs; i++) {
        const parse_run *old = &before->runs[i];
        g_autofree char *text = run_text(before, old);
        if (!*g_strstrip(text)) continue;
        assert_true(n < layer->len);
        const parse_run *new = layer->pdata[n++];
        g_autofree char *found = run_text(after, new);
        assert_string_equal(g_strstrip(found), text);
        assert_near(after->glyphs[new->first_glyph].x, before->glyphs[old->first_glyph].x, 0.1);
        assert_near(after->glyphs[new->first_glyph].y, before->glyphs[old->first_glyph].y, 0.1);
        assert_near(new->dir_x, old->dir_x, 0.01);
        assert_near(new->dir_y, old->dir_y, 0.01);
        assert_near(new->size_pt, old->size_pt, 0.1 + 0.5 * (double)old->size_pt);
        assert_near(new->box.x1 - new->box.x0, old->box.x1 - old->box.x0,
                    1 + 0.3 * (double)(old->box.y1 - old->box.y0));
    }
    assert_true(n > 0);
}

static void
words_lie_where_they_are_seen(void **state)
{
    (void)state;
    static const char *const paths[] = {PDF("document.pdf"), PDF("rotated.pdf"), PDF("tagged.pdf")};
    for (gsize f = 0; f < G_N_ELEMENTS(paths); f++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(parse_file) source = open_file(paths[f]);
        print_message("%s\n", paths[f]);
        if (!write_searchable(paths[f], own_text, source, &error)) fail_msg("%s", error->message);
        g_autoptr(parse_file) written = open_file(OUT);
        assert_int_equal(parse_file_n_pages(written), parse_file_n_pages(source));
        assert_false(parse_file_metadata(written)->repaired);
        for (int i = 0; i < parse_file_n_pages(source); i++) {
            g_autoptr(parse_page) before = load_page(source, i), after = load_page(written, i);
            if (before->n_runs > 0) assert_layer(before, after);
        }
    }
}

/* One word of four characters on a page of 45 x 30 points, as code points ask for. */
static parse_page *
one_word(int index, gpointer user_data, GError **error)
{
    (void)error;
    const gunichar *characters = user_data;
    parse_page *page = parse_page_new(index);
    parse_storage *storage = page->storage;
    const parse_font font = {.name = "x", .ascender = 0.8f, .descender = -0.2f};
    parse_run run = {
        .size_pt = 6, .dir_x = 1, .flags = PARSE_RUN_OCR, .n_glyphs = 4, .box = {10, 10, 30, 16}};
    page->width_pt = 45, page->height_pt = 30;
    g_array_append_val(storage->fonts, font);
    for (guint i = 0; i < 4; i++) {
        const parse_glyph glyph = {.unicode = characters[i],
                                   .x = 10 + 5 * (float)i,
                                   .y = 15,
                                   .box = {10 + 5 * (float)i, 10, 15 + 5 * (float)i, 16}};
        g_array_append_val(storage->glyphs, glyph);
    }
    g_array_append_val(storage->runs, run);
    parse_page_publish(page);
    return page;
}

static void
any_script_is_read_back(void **state)
{
    (void)state;
    static const gunichar words[][4] = {
        {'l', 'o', 'd', 'e'},
        {0x6F22, 0x5B57, 0x304B, 0x306A},    /* Han and Hiragana */
        {0x1D44E, 0x10400, 0x20000, 0xE000}, /* beyond the first plane, and for private use */
        {0x391, 0x416, 0x905, 0xFFFD},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(words); i++) {
        g_autoptr(GError) error = NULL;
        if (!write_searchable(IMAGE("plain.png"), one_word, (gpointer)words[i], &error))
            fail_msg("%s", error->message);
        g_autoptr(parse_page) page = load_single(OUT);
        g_autoptr(GPtrArray) layer = layer_of(page);
        assert_int_equal(layer->len, 1);
        const parse_run *run = layer->pdata[0];
        assert_int_equal(run->n_glyphs, 4);
        for (guint k = 0; k < 4; k++) {
            const parse_glyph *glyph = &page->glyphs[run->first_glyph + k];
            assert_int_equal(glyph->unicode, words[i][k]);
            assert_near(glyph->x, 10 + 5 * (double)k, 0.05);
        }
    }
}

static parse_page *
nothing(int index, gpointer user_data, GError **error)
{
    (void)index;
    (void)user_data;
    (void)error;
    return NULL;
}

static gboolean
holds(const char *bytes, gsize n, const char *path)
{
    g_autofree char *part = NULL;
    gsize n_part = 0;
    assert_true(g_file_get_contents(path, &part, &n_part, NULL));
    return memmem(bytes, n, part, n_part) != NULL;
}

static void
pictures_become_pages_of_their_own_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *path, *filter;
        gboolean same;
    } cases[] = {{IMAGE("turned_6.jpg"), "/DCTDecode", TRUE},
                 {IMAGE("plain.jp2"), "/JPXDecode", TRUE},
                 {IMAGE("words.tif"), "/CCITTFaxDecode", FALSE},
                 {IMAGE("turned_6.webp"), "/FlateDecode", FALSE}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *bytes = NULL;
        gsize n = 0;
        print_message("%s\n", cases[i].path);
        if (!write_searchable(cases[i].path, nothing, NULL, &error)) fail_msg("%s", error->message);
        assert_true(g_file_get_contents(OUT, &bytes, &n, NULL));
        assert_non_null(memmem(bytes, n, cases[i].filter, strlen(cases[i].filter)));
        assert_true(!cases[i].same || holds(bytes, n, cases[i].path));
        g_autoptr(parse_file) source = open_file(cases[i].path), written = open_file(OUT);
        assert_int_equal(parse_file_n_pages(written), parse_file_n_pages(source));
        g_autoptr(GBytes) a = parse_file_render_png(source, 0, NULL, 0, 72, NULL);
        g_autoptr(GBytes) b = parse_file_render_png(written, 0, NULL, 0, 72, NULL);
        assert_true(a && b);
        assert_true(i > 0 || g_bytes_equal(a, b)); /* upright in both */
    }
}

static parse_page *
failing(int index, gpointer user_data, GError **error)
{
    (void)user_data;
    g_set_error(error, PARSE_ERROR, PARSE_ERROR_CANCELLED, "cancelled at page %d", index + 1);
    return NULL;
}

static void
what_cannot_be_written_says_why(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    assert_false(write_searchable(PDF("document.pdf"), failing, NULL, &error));
    assert_true(g_error_matches(error, PARSE_ERROR, PARSE_ERROR_CANCELLED));
    g_clear_error(&error);
    g_autoptr(parse_file) file = open_file(PDF("document.pdf"));
    assert_false(parse_file_write_searchable(file, nothing, NULL, -1, &error));
    assert_true(g_error_matches(error, PARSE_ERROR, PARSE_ERROR_IO));
}

static void
a_page_comes_back_from_its_bytes(void **state)
{
    (void)state;
    g_autoptr(parse_page) page = load_single(PDF("document.pdf"));
    g_autoptr(GBytes) bytes = parse_page_pack(page);
    g_autoptr(parse_page) back = parse_page_unpack(bytes, 7);
    assert_non_null(back);
    assert_int_equal(back->index, 7);
    assert_int_equal(back->n_runs, page->n_runs);
    for (guint i = 0; i < page->n_runs; i++) {
        g_autofree char *a = run_text(page, &page->runs[i]), *b = run_text(back, &back->runs[i]);
        assert_string_equal(a, b);
        assert_string_equal(page->fonts[page->runs[i].font].name,
                            back->fonts[back->runs[i].font].name);
    }
    g_autoptr(GBytes) again = parse_page_pack(back);
    assert_int_equal(g_bytes_get_size(again), g_bytes_get_size(bytes));
    for (gsize n = 0; n < g_bytes_get_size(bytes); n += n < 600 ? 1 : 37) {
        g_autoptr(GBytes) cut = g_bytes_new_from_bytes(bytes, 0, n);
        assert_null(parse_page_unpack(cut, 0));
    }
    for (gsize n = 0; n < g_bytes_get_size(bytes); n += 13) {
        g_autofree guint8 *copy = g_memdup2(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
        copy[n] ^= 0xFF;
        g_autoptr(GBytes) changed = g_bytes_new_static(copy, g_bytes_get_size(bytes));
        parse_page_free(
            parse_page_unpack(changed, 0)); /* any page, or none; nothing out of bounds */
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_lie_where_they_are_seen),
        cmocka_unit_test(any_script_is_read_back),
        cmocka_unit_test(pictures_become_pages_of_their_own_bytes),
        cmocka_unit_test(what_cannot_be_written_says_why),
        cmocka_unit_test(a_page_comes_back_from_its_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Opening files: good, damaged, locked, and not documents at all. */
#include "tests/parse/helpers.h"

#include <math.h>
#include <glib/gstdio.h>

#include "parse/parse_internal.h"

static void
assert_refused(const char *path, parse_error_code code, const char *reason)
{
    g_autoptr(GError) error = NULL;
    parse_file *file = parse_file_open(path, NULL, &error);
    assert_null(file);
    assert_non_null(error);
    if (!g_error_matches(error, PARSE_ERROR, (gint)code))
        fail_msg("%s: code %d", error->message, error->code);
    g_autofree char *name = g_path_get_basename(path);
    if (!g_str_has_prefix(error->message, name) || !strstr(error->message, reason))
        fail_msg("\"%s\" does not say \"%s: ... %s\"", error->message, name, reason);
}

static void
write_file(const char *path, const char *bytes, gssize n)
{
    assert_true(g_file_set_contents(path, bytes, n, NULL));
}

static void
what_is_no_document_is_refused_with_a_reason(void **state)
{
    (void)state;
    assert_refused("missing.pdf", PARSE_ERROR_IO, "No such file");
    g_mkdir("folder.pdf", 0700);
    assert_refused("folder.pdf", PARSE_ERROR_IO, "directory");
    assert_refused("/dev/null", PARSE_ERROR_IO, "not a regular file");
    write_file("empty.pdf", "", 0);
    assert_refused("empty.pdf", PARSE_ERROR_FORMAT, "empty");
    write_file("text.pdf", "Dear reader,\nthis is not a PDF.\n", -1);
    assert_refused("text.pdf", PARSE_ERROR_FORMAT, "plain text");
    write_file("text.txt", "Dear reader,\nthis is not a PDF.\n", -1);
    assert_refused("text.txt", PARSE_ERROR_FORMAT, "plain text");
    write_file("page.pdf", "<!DOCTYPE html><html><body>404</body></html>", -1);
    assert_refused("page.pdf", PARSE_ERROR_FORMAT, "HTML");
    write_file("old.pdf", "%!PS-Adobe-3.0\n", -1);
    assert_refused("old.pdf", PARSE_ERROR_FORMAT, "PostScript");
    write_file("some.zip", "PK\3\4 and so on", -1);
    assert_refused("some.zip", PARSE_ERROR_FORMAT, "ZIP");
    write_file("garbage.pdf", "\1\2\3\x80\xff\xfe\0\7garbage", 15);
    assert_refused("garbage.pdf", PARSE_ERROR_FORMAT, "not known");
    write_file("header_only.pdf", "%PDF-1.7\n", -1);
    assert_refused("header_only.pdf", PARSE_ERROR_FORMAT, "not a readable document");
    assert_refused(PDF("cut_short.pdf"), PARSE_ERROR_FORMAT, "not a readable document");
    assert_refused(PDF("no_pages.pdf"), PARSE_ERROR_FORMAT, "no pages");
}

static void
damaged_files_are_repaired_and_say_so(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        int n_pages;
        const char *text;
    } files[] = {{PDF("lying_xref.pdf"), 1, "Hello"},
                 {PDF("late_header.pdf"), 1, "Hello"},
                 {PDF("truncated.pdf"), 3, "page 1"}};
    for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autoptr(parse_file) file = open_file(files[i].path);
        assert_int_equal(parse_file_n_pages(file), files[i].n_pages);
        assert_true(parse_file_metadata(file)->repaired);
        guint n = 0;
        assert_non_null(parse_file_warnings(file, &n));
        assert_true(n > 0);
        g_autoptr(parse_page) page = load_page(file, 0);
        assert_non_null(find_run(page, files[i].text));
    }
    g_autoptr(parse_file) sound = open_file(PDF("glyphs.pdf"));
    assert_false(parse_file_metadata(sound)->repaired);
    guint n = 1;
    parse_file_warnings(sound, &n);
    assert_int_equal(n, 0);
}

static void
unsound_page_trees_are_read_all_the_same(void **state)
{
    (void)state;
    g_autoptr(parse_file) cyclic = open_file(PDF("cyclic_pages.pdf"));
    assert_int_equal(parse_file_n_pages(cyclic), 1);
    g_autoptr(parse_page) only = load_page(cyclic, 0);
    assert_non_null(find_run(only, "only page"));

    g_autoptr(parse_file) counted = open_file(PDF("bad_count.pdf"));
    assert_int_equal(parse_file_n_pages(counted), 2);
    g_autoptr(parse_page) second = load_page(counted, 1);
    assert_non_null(find_run(second, "page 2"));

    g_autoptr(parse_file) deep = open_file(PDF("deep_pages.pdf"));
    assert_int_equal(parse_file_n_pages(deep), 1);
    g_autoptr(parse_page) bottom = load_page(deep, 0);
    assert_near(bottom->width_pt, 100, 1e-3);
}

/* Too large to keep: 50,000 levels, each an object of its own. */
static void
a_bottomless_page_tree_does_not_end_the_stack(void **state)
{
    (void)state;
    enum { DEPTH = 50000 };
    g_autoptr(GString) pdf =
        g_string_new("%PDF-1.4\n1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n");
    for (int i = 2; i < DEPTH; i++)
        g_string_append_printf(pdf, "%d 0 obj\n<</Type/Pages/Count 1/Kids[%d 0 R]>>\nendobj\n", i,
                               i + 1);
    g_string_append_printf(pdf,
                           "%d 0 obj\n<</Type/Page/MediaBox[0 0 9 9]/Parent %d 0 R>>\nendobj\n",
                           DEPTH, DEPTH - 1);
    g_string_append(pdf, "trailer\n<</Root 1 0 R>>\n");
    g_autoptr(GError) error = NULL;
    g_autoptr(parse_file) file =
        parse_file_open_memory(pdf->str, pdf->len, "deep.pdf", NULL, &error);
    assert_non_null(file);
    assert_int_equal(parse_file_n_pages(file), 1);
    g_autoptr(parse_page) page = load_page(file, 0);
    assert_near(page->height_pt, 9, 1e-3);
}

static void
limits_on_the_file_are_kept(void **state)
{
    (void)state;
    parse_options few = {.max_pages = 3};
    g_autoptr(GError) error = NULL;
    assert_null(parse_file_open(PDF("document.pdf"), &few, &error));
    assert_true(g_error_matches(error, PARSE_ERROR, PARSE_ERROR_LIMIT));
    parse_options small = {.memory_limit = 64 * 1024};
    g_clear_error(&error);
    assert_null(parse_file_open(PDF("document.pdf"), &small, &error));
    assert_true(g_error_matches(error, PARSE_ERROR, PARSE_ERROR_LIMIT));
}

/* Whatever amount is allowed: a result or an error, never a crash, never a leak. */
static void
every_shortage_of_memory_is_survived(void **state)
{
    (void)state;
    guint n_opened = 0, n_loaded = 0;
    for (uint64_t limit = 100 * 1024; limit < 8 * 1024 * 1024; limit += limit / 16) {
        parse_options options = {.memory_limit = limit};
        g_autoptr(GError) error = NULL;
        g_autoptr(parse_file) file = parse_file_open(PDF("tagged.pdf"), &options, &error);
        assert_true((file == NULL) == (error != NULL));
        if (!file) continue;
        n_opened++;
        g_autoptr(parse_page) page = parse_file_load_page(file, 0, &error);
        assert_true((page == NULL) == (error != NULL));
        if (page && !page->truncated) {
            assert_non_null(find_run(page, "Title"));
            n_loaded++;
        }
        guint n = 0;
        parse_file_tags(file, &n);
        assert_true(file->memory.peak_bytes <= limit + limit / 8);
    }
    assert_true(n_opened > 0 && n_loaded > 0);
}

static void
encrypted_files_need_their_password(void **state)
{
    (void)state;
    assert_refused(PDF("encrypted.pdf"), PARSE_ERROR_PASSWORD, "no password");
    parse_options wrong = {.password = "guess"}, right = {.password = "user"};
    g_autoptr(GError) error = NULL;
    assert_null(parse_file_open(PDF("encrypted.pdf"), &wrong, &error));
    assert_true(g_error_matches(error, PARSE_ERROR, PARSE_ERROR_PASSWORD));
    assert_non_null(strstr(error->message, "wrong"));
    g_autoptr(parse_file) file = parse_file_open(PDF("encrypted.pdf"), &right, NULL);
    assert_non_null(file);
    assert_true(parse_file_metadata(file)->encrypted);
    g_autoptr(parse_page) page = load_page(file, 0);
    assert_non_null(find_run(page, "Hello"));
}

static void
metadata_is_utf8_and_blank_is_absent(void **state)
{
    (void)state;
    g_autoptr(parse_file) file = open_file(PDF("document.pdf"));
    const parse_metadata *m = parse_file_metadata(file);
    assert_string_equal(parse_file_name(file), "document.pdf");
    assert_string_equal(m->format, "PDF 1.7");
    assert_string_equal(m->title, "\xc3\x9c"
                                  "ber");
    assert_string_equal(m->author, "A. Author");
    assert_null(m->subject);
    assert_null(m->keywords);
    assert_string_equal(m->created, "D:20240131120000Z");
    assert_string_equal(m->language, "en-GB");
    assert_non_null(strstr(m->xmp, "packet"));
    assert_false(m->encrypted || m->tagged || m->repaired);
}

static void
outline_is_flattened_and_ends(void **state)
{
    (void)state;
    g_autoptr(parse_file) file = open_file(PDF("document.pdf"));
    guint n = 0;
    const parse_outline_item *items = parse_file_outline(file, &n);
    assert_int_equal(n, 3); /* the last leads back to the first */
    assert_string_equal(items[0].title, "One");
    assert_int_equal(items[0].level, 1);
    assert_int_equal(items[0].page, 0);
    assert_near(items[0].y, 0, 1e-2);
    assert_string_equal(items[1].title, "Kind\xc3\xa9");
    assert_int_equal(items[1].level, 2);
    assert_int_equal(items[1].page, 2);
    assert_near(items[1].x, 100, 1e-2);
    assert_near(items[1].y, 200, 1e-2);
    assert_string_equal(items[2].title, "Two");
    assert_int_equal(items[2].page, 3);
    assert_true(isnan(items[2].y));
}

static void
structure_tree_is_flattened_with_standard_roles(void **state)
{
    (void)state;
    g_autoptr(parse_file) file = open_file(PDF("tagged.pdf"));
    assert_true(parse_file_metadata(file)->tagged);
    guint n = 0;
    const parse_tag *t = parse_file_tags(file, &n);
    static const struct {
        const char *role;
        int parent, page, mcid;
    } expected[] = {
        {"Document", -1, -1, -1}, {"H1", 0, 0, -1},     {"H1", 1, 0, 0},
        {"P", 0, 0, -1},          {"P", 3, 0, 1},       {"P", 3, 0, 2},
        {"P", 3, 0, 3},           {"Figure", 0, 0, -1}, {"Loop", 0, -1, -1},
    };
    assert_int_equal(n, G_N_ELEMENTS(expected));
    for (guint i = 0; i < n; i++) {
        assert_string_equal(t[i].role, expected[i].role);
        assert_int_equal(t[i].parent, expected[i].parent);
        assert_int_equal(t[i].page, expected[i].page);
        assert_int_equal(t[i].mcid, expected[i].mcid);
    }
    assert_string_equal(t[7].alt, "a (small) picture");
    g_autoptr(parse_file) plain = open_file(PDF("glyphs.pdf"));
    assert_null(parse_file_tags(plain, &n));
    assert_int_equal(n, 0);
}

/* Also the way to an image file without keeping one. */
static void
rendering_gives_a_png_that_opens_as_a_document(void **state)
{
    (void)state;
    g_autoptr(parse_file) file = open_file(PDF("rules.pdf"));
    parse_rect clip = {250, 242, 350, 292}; /* the filled rectangle */
    g_autoptr(GBytes) png = parse_file_render_png(file, 0, &clip, 0, 144, NULL);
    g_autoptr(GBytes) again = parse_file_render_png(file, 0, &clip, 0, 144, NULL);
    assert_non_null(png);
    assert_true(g_bytes_equal(png, again));
    gsize size = 0;
    const char *data = g_bytes_get_data(png, &size);
    write_file("clip.dat", data, (gssize)size); /* no helpful extension */
    g_autoptr(parse_file) image = open_file("clip.dat");
    assert_int_equal(parse_file_n_pages(image), 1);
    g_autoptr(parse_page) page = load_page(image, 0);
    assert_int_equal(page->n_images, 1);
    assert_int_equal(page->images[0].width_px, 200);
    assert_int_equal(page->images[0].height_px, 100);

    parse_rect nowhere = {1000, 1000, 1100, 1100};
    g_autoptr(GError) error = NULL;
    assert_null(parse_file_render_png(file, 0, &nowhere, 0, 72, &error));
    assert_true(g_error_matches(error, PARSE_ERROR, PARSE_ERROR_PAGE));
    g_clear_error(&error);
    assert_null(parse_file_render_png(file, 0, NULL, 0, 4000, &error));
    assert_true(g_error_matches(error, PARSE_ERROR, PARSE_ERROR_LIMIT));
    g_clear_error(&error);
    assert_null(parse_file_render_png(file, 0, NULL, 0, NAN, &error));
    assert_non_null(error);
}

static void
svg_holds_the_part_alone_and_always_the_same(void **state)
{
    (void)state;
    g_autoptr(parse_file) file = open_file(PDF("rules.pdf"));
    parse_rect clip = {250, 242, 350, 292}; /* the filled rectangle */
    g_autoptr(GBytes) svg = parse_file_render_svg(file, 0, &clip, 0, 0, NULL);
    g_autoptr(GBytes) again = parse_file_render_svg(file, 0, &clip, 0, 0, NULL);
    g_autoptr(GBytes) page = parse_file_render_svg(file, 0, NULL, 0, 0, NULL);
    assert_non_null(svg);
    assert_true(g_bytes_equal(svg, again));
    assert_true(g_bytes_get_size(svg) < g_bytes_get_size(page));
    gsize size = 0;
    const char *data = g_bytes_get_data(svg, &size);
    g_autofree char *text = g_strndup(data, size);
    assert_non_null(strstr(text, "viewBox=\"0 0 100 50\""));

    g_autoptr(GError) error = NULL;
    assert_null(parse_file_render_svg(file, 0, NULL, 0, 100, &error));
    assert_true(g_error_matches(error, PARSE_ERROR, PARSE_ERROR_LIMIT));
    g_clear_error(&error);
    g_autoptr(GBytes) turned = parse_file_render_svg(file, 0, &clip, 3, 0, NULL);
    g_autofree char *sideways = g_strndup(g_bytes_get_data(turned, NULL), g_bytes_get_size(turned));
    assert_non_null(strstr(sideways, "viewBox=\"0 0 50 100\""));
    parse_rect nowhere = {1000, 1000, 1100, 1100};
    assert_null(parse_file_render_svg(file, 0, &nowhere, 0, 0, &error));
    assert_true(g_error_matches(error, PARSE_ERROR, PARSE_ERROR_PAGE));
}

static void
other_formats_are_known_by_content(void **state)
{
    (void)state;
    static const char fb2[] =
        "<?xml version=\"1.0\"?><FictionBook><body><section><p>Once upon a time"
        "</p></section></body></FictionBook>";
    g_autoptr(parse_file) file =
        parse_file_open_memory(fb2, sizeof fb2 - 1, "story.pdf", NULL, NULL);
    assert_non_null(file);
    g_autoptr(parse_page) page = load_page(file, 0);
    GString *all = g_string_new(NULL);
    for (guint i = 0; i < page->n_glyphs; i++)
        g_string_append_unichar(all, page->glyphs[i].unicode);
    assert_non_null(strstr(all->str, "Once"));
    g_string_free(all, TRUE);
}

static gpointer
read_in_thread(gpointer path)
{
    g_autoptr(parse_file) file = parse_file_open(path, NULL, NULL);
    return parse_file_load_page(file, 0, NULL);
}

static void
threads_with_files_of_their_own_agree(void **state)
{
    (void)state;
    GThread *threads[8];
    for (gsize i = 0; i < G_N_ELEMENTS(threads); i++)
        threads[i] = g_thread_new("reader", read_in_thread, (gpointer)PDF("modes.pdf"));
    g_autoptr(parse_page) own = load_single(PDF("modes.pdf"));
    for (gsize i = 0; i < G_N_ELEMENTS(threads); i++) {
        g_autoptr(parse_page) page = g_thread_join(threads[i]);
        assert_non_null(page);
        assert_int_equal(page->n_glyphs, own->n_glyphs);
        assert_memory_equal(page->glyphs, own->glyphs, own->n_glyphs * sizeof *own->glyphs);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_document_is_refused_with_a_reason),
        cmocka_unit_test(damaged_files_are_repaired_and_say_so),
        cmocka_unit_test(unsound_page_trees_are_read_all_the_same),
        cmocka_unit_test(a_bottomless_page_tree_does_not_end_the_stack),
        cmocka_unit_test(limits_on_the_file_are_kept),
        cmocka_unit_test(every_shortage_of_memory_is_survived),
        cmocka_unit_test(encrypted_files_need_their_password),
        cmocka_unit_test(metadata_is_utf8_and_blank_is_absent),
        cmocka_unit_test(outline_is_flattened_and_ends),
        cmocka_unit_test(structure_tree_is_flattened_with_standard_roles),
        cmocka_unit_test(rendering_gives_a_png_that_opens_as_a_document),
        cmocka_unit_test(svg_holds_the_part_alone_and_always_the_same),
        cmocka_unit_test(other_formats_are_known_by_content),
        cmocka_unit_test(threads_with_files_of_their_own_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

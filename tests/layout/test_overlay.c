/* The layout PDF: a copy that has the source's pages, drawn over; sources that cannot be copied say so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "every_document.h"
#include "parse/parse.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>

#define OUT "overlay.pdf"

static GBytes *
render(parse_file *file, int page)
{
    g_autoptr(GError) error = NULL;
    GBytes *png = parse_file_render_png(file, page, NULL, 0, 20, &error);
    if (png == NULL) fail_msg("%s", error->message);
    return png;
}

static void
check_page(const char *name, parse_file *source, parse_file *copy, int page, gboolean marked)
{
    g_autoptr(parse_page) a = parse_file_load_page(source, page, NULL);
    g_autoptr(parse_page) b = parse_file_load_page(copy, page, NULL);
    assert_non_null(a);
    assert_non_null(b);
    assert_true(a->width_pt == b->width_pt && a->height_pt == b->height_pt);
    assert_int_equal(a->rotation, b->rotation);
    assert_true(b->n_glyphs >= a->n_glyphs && b->n_images == a->n_images);
    g_autoptr(GBytes) before = render(source, page), after = render(copy, page);
    if (g_bytes_equal(before, after) == marked)
        fail_msg("%s: page %d %s", name, page + 1, marked ? "has no marks" : "was changed");
}

static gboolean
has_box_on(const lode_document *d, int page)
{
    for (guint i = 0; i < d->n_boxes; i++)
        if (d->boxes[i].page == page) return TRUE;
    return FALSE;
}

static void
check_document(const char *name, const char *path, const lode_document *d)
{
    g_autoptr(GError) error = NULL;
    if (!layout_document_write_overlay(d, path, NULL, OUT, &error)) fail_msg("%s", error->message);
    g_autoptr(parse_file) source = parse_file_open(path, NULL, NULL);
    g_autoptr(parse_file) copy = parse_file_open(OUT, NULL, &error);
    if (copy == NULL) fail_msg("%s: %s", name, error->message);
    assert_int_equal(parse_file_n_pages(copy), parse_file_n_pages(source));
    for (int i = 0; i < parse_file_n_pages(copy); i++)
        check_page(name, source, copy, i, has_box_on(d, i));
}

static void
every_page_is_kept_and_marked(void **state)
{
    (void)state;
    every_document(check_document);
}

static void
the_same_document_gives_the_same_bytes(void **state)
{
    (void)state;
    const char *path = LODE_TEST_DATA "/papers/ceria.pdf";
    g_autoptr(lode_document) d = layout_document_open(path, NULL, NULL);
    assert_true(layout_document_write_overlay(d, path, NULL, "one.pdf", NULL));
    assert_true(layout_document_write_overlay(d, path, NULL, "two.pdf", NULL));
    g_autofree char *one = NULL, *two = NULL;
    gsize n = 0, m = 0;
    assert_true(g_file_get_contents("one.pdf", &one, &n, NULL));
    assert_true(g_file_get_contents("two.pdf", &two, &m, NULL));
    assert_int_equal(n, m);
    assert_memory_equal(one, two, n);
}

/* Rotated, cropped, repaired, with nested or cyclic page trees: a copy that opens with as many pages, or a reason. */
static void
strange_files_are_copied_or_refused(void **state)
{
    (void)state;
    g_autoptr(GDir) dir = g_dir_open(LODE_TEST_DATA "/pdf", 0, NULL);
    guint n = 0;
    for (const char *name; (name = g_dir_read_name(dir)) != NULL;) {
        g_autofree char *path = g_build_filename(LODE_TEST_DATA, "pdf", name, NULL);
        g_autoptr(lode_document) d = layout_document_open(path, NULL, NULL);
        g_autoptr(GError) error = NULL;
        if (d == NULL) continue;
        g_unlink(OUT);
        if (!layout_document_write_overlay(d, path, NULL, OUT, &error)) {
            assert_int_equal(error->code, LAYOUT_ERROR_FORMAT);
            assert_false(g_file_test(OUT, G_FILE_TEST_EXISTS));
            continue;
        }
        n++;
        g_autoptr(parse_file) copy = parse_file_open(OUT, NULL, &error);
        if (copy == NULL) fail_msg("%s: %s", name, error->message);
        assert_int_equal(parse_file_n_pages(copy), d->n_pages);
    }
    assert_true(n >= 15);
}

static void
encryption_stays(void **state)
{
    (void)state;
    const char *path = LODE_TEST_DATA "/pdf/encrypted.pdf";
    const layout_options options = {.password = "user"};
    const parse_options with = {.password = "user"};
    g_autoptr(lode_document) d = layout_document_open(path, &options, NULL);
    g_autoptr(GError) error = NULL;
    assert_false(layout_document_write_overlay(d, path, NULL, OUT, &error));
    assert_int_equal(error->code, LAYOUT_ERROR_FORMAT);
    assert_true(layout_document_write_overlay(d, path, "user", OUT, NULL));
    assert_null(parse_file_open(OUT, NULL, NULL));
    g_autoptr(parse_file) copy = parse_file_open(OUT, &with, NULL);
    assert_non_null(copy);
}

static void
failures_leave_nothing_behind(void **state)
{
    (void)state;
    const char *path = LODE_TEST_DATA "/papers/manual.pdf";
    g_autoptr(lode_document) d = layout_document_open(path, NULL, NULL);
    g_autoptr(GError) error = NULL;
    assert_false(layout_document_write_overlay(d, path, NULL, "no-such-folder/a.pdf", &error));
    assert_int_equal(error->code, LAYOUT_ERROR_IO);
    g_clear_error(&error);
    g_mkdir("folder", 0777);
    g_mkdir("folder/taken.pdf", 0777); /* a folder is in the way */
    assert_false(layout_document_write_overlay(d, path, NULL, "folder/taken.pdf", &error));
    assert_int_equal(error->code, LAYOUT_ERROR_IO);
    g_autoptr(GDir) dir = g_dir_open("folder", 0, NULL);
    assert_string_equal(g_dir_read_name(dir), "taken.pdf");
    assert_null(g_dir_read_name(dir));

    /* a full disk shows when the descriptor is written */
    g_autoptr(parse_file) file = parse_file_open(path, NULL, NULL);
    const int fd = g_open("/dev/full", O_WRONLY | O_CLOEXEC, 0);
    g_clear_error(&error);
    assert_false(parse_file_write_overlay(file, NULL, 0, fd, &error));
    assert_int_equal(error->code, PARSE_ERROR_IO);
    g_close(fd, NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_page_is_kept_and_marked),
        cmocka_unit_test(the_same_document_gives_the_same_bytes),
        cmocka_unit_test(strange_files_are_copied_or_refused),
        cmocka_unit_test(encryption_stays),
        cmocka_unit_test(failures_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

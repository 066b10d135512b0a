/* The builder: what it copies, tidies and refuses; names of block types; files as a whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "sample_document.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void
block_type_names_are_a_bijection(void **state)
{
    (void)state;
    for (guint i = 0; i < LAYOUT_N_BLOCK_TYPES; i++) {
        layout_block_type type = LAYOUT_N_BLOCK_TYPES;
        assert_true(
            layout_block_type_from_name(layout_block_type_name((layout_block_type)i), &type));
        assert_int_equal(type, i);
    }
    layout_block_type type;
    assert_false(layout_block_type_from_name("Title", &type));
    assert_string_equal(layout_block_type_name(LAYOUT_BLOCK_LIST_ITEM), "list_item");
    assert_string_equal(layout_block_type_name(LAYOUT_BLOCK_WATERMARK), "watermark");
    assert_true(layout_block_type_is_furniture(LAYOUT_BLOCK_PAGE_NUMBER));
    assert_false(layout_block_type_is_furniture(LAYOUT_BLOCK_FOOTNOTE));
}

static void
strings_belong_to_the_document(void **state)
{
    (void)state;
    layout_builder *builder = sample_builder(1);
    char text[] = "not for long";
    const layout_block block = {.text = text, .text_len = 8, .parent = LAYOUT_NONE, .item = 7};
    const int index = layout_builder_add_block(builder, &block, NULL, 0, NULL, 0, NULL, 0);
    memset(text, 'x', strlen(text));
    g_autoptr(lode_document) document = layout_builder_finish(builder);
    assert_string_equal(document->blocks[index].text, "not for ");
    assert_int_equal(document->blocks[index].text_len, 8);
    assert_int_equal(document->blocks[index].item, LAYOUT_NONE);
    assert_string_equal(document->meta.source_name, "");
    assert_null(document->meta.authors[0]);
}

static void
wild_geometry_is_tidied(void **state)
{
    (void)state;
    layout_builder *builder = sample_builder(1);
    const layout_box box = {0, {NAN, 50, -INFINITY, 20}};
    const layout_block block = {
        .text = "x", .parent = LAYOUT_NONE, .confidence = 7, .font_size_pt = -NAN};
    layout_builder_add_block(builder, &block, &box, 1, NULL, 0, NULL, 0);
    g_autoptr(lode_document) document = layout_builder_finish(builder);
    assert_true(document->boxes[0].rect.x0 == 0 && document->boxes[0].rect.x1 == 0);
    assert_true(document->boxes[0].rect.y0 == 20 && document->boxes[0].rect.y1 == 50);
    assert_true(document->blocks[0].confidence == 1);
    assert_true(document->blocks[0].font_size_pt == 0);
}

static void
an_unfinished_builder_can_be_freed(void **state)
{
    (void)state;
    g_autoptr(layout_builder) builder = sample_builder(3);
    sample_add(builder, LAYOUT_BLOCK_TITLE, "T", 0, 1);
    layout_builder_free(NULL);
    lode_document_free(NULL);
}

static void
sha256_is_that_of_the_bytes(void **state)
{
    (void)state;
    assert_true(g_file_set_contents("abc.txt", "abc", 3, NULL));
    g_autofree char *sum = layout_file_sha256("abc.txt", NULL);
    /* FIPS 180-4, the one-block message */
    assert_string_equal(sum, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    g_autoptr(GError) error = NULL;
    assert_null(layout_file_sha256("no such file", &error));
    assert_true(g_error_matches(error, LAYOUT_ERROR, LAYOUT_ERROR_IO));
    assert_non_null(strstr(error->message, "no such file"));
    g_clear_error(&error);
    assert_null(layout_file_sha256(".", &error));
    assert_true(g_error_matches(error, LAYOUT_ERROR, LAYOUT_ERROR_IO));
}

static guint
count_files(const char *path)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    guint n = 0;
    while (g_dir_read_name(dir))
        n++;
    return n;
}

static void
files_are_replaced_whole_or_not_at_all(void **state)
{
    (void)state;
    g_autofree char *dir = g_dir_make_tmp("lode-test-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "out.md", NULL);
    g_autofree char *content = NULL;
    gsize len = 0;
    assert_true(layout_write_file_atomic(path, "old", 3, NULL));
    assert_true(layout_write_file_atomic(path, "n\0w", 3, NULL));
    assert_true(g_file_get_contents(path, &content, &len, NULL));
    assert_int_equal(len, 3);
    assert_memory_equal(content, "n\0w", 3);
    assert_int_equal(count_files(dir), 1);

    g_autofree char *taken = g_build_filename(dir, "taken", NULL);
    assert_int_equal(g_mkdir(taken, 0777), 0);
    g_autoptr(GError) error = NULL;
    assert_false(layout_write_file_atomic(taken, "x", 1, &error));
    assert_true(g_error_matches(error, LAYOUT_ERROR, LAYOUT_ERROR_IO));
    assert_int_equal(count_files(dir), 2);
    g_clear_error(&error);
    g_autofree char *nowhere = g_build_filename(dir, "no", "where", NULL);
    assert_false(layout_write_file_atomic(nowhere, "x", 1, &error));
    assert_non_null(error);
    g_rmdir(taken);
    g_unlink(path);
    g_rmdir(dir);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(block_type_names_are_a_bijection),
        cmocka_unit_test(strings_belong_to_the_document),
        cmocka_unit_test(wild_geometry_is_tidied),
        cmocka_unit_test(an_unfinished_builder_can_be_freed),
        cmocka_unit_test(sha256_is_that_of_the_bytes),
        cmocka_unit_test(files_are_replaced_whole_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

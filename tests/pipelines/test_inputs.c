/* Inputs, stems, errors as one line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "pipelines/internal.h"

static char *scratch;

static int
make_scratch(void **state)
{
    (void)state;
    scratch = g_dir_make_tmp("lode-test-XXXXXX", NULL);
    return scratch == NULL;
}

static void
remove_tree(const char *dir)
{
    GDir *handle = g_dir_open(dir, 0, NULL);
    if (handle != NULL) {
        for (const char *name; (name = g_dir_read_name(handle)) != NULL;) {
            g_autofree char *path = g_build_filename(dir, name, NULL);
            if (g_file_test(path, G_FILE_TEST_IS_SYMLINK) || !g_file_test(path, G_FILE_TEST_IS_DIR))
                g_unlink(path);
            else
                remove_tree(path);
        }
        g_dir_close(handle);
    }
    g_rmdir(dir);
}

static int
drop_scratch(void **state)
{
    (void)state;
    remove_tree(scratch);
    g_clear_pointer(&scratch, g_free);
    return 0;
}

static char *
put(const char *name, const char *content)
{
    char *path = g_build_filename(scratch, name, NULL);
    g_autofree char *dir = g_path_get_dirname(path);
    assert_int_equal(g_mkdir_with_parents(dir, 0700), 0);
    assert_true(g_file_set_contents(path, content, -1, NULL));
    return path;
}

static void
folders_give_their_documents_in_byte_order(void **state)
{
    (void)state;
    g_free(put("b/two.PDF", "x"));
    g_free(put("a/one.pdf", "x"));
    g_free(put("a/notes.txt", "plain text"));
    g_free(put("a/README.md", "# Of the folder"));
    g_free(put("a/figure.png", "x"));
    g_free(put("a/one.tex", "\\documentclass{article}"));
    g_free(put("a/part.tex", "\\section{A part}"));
    g_free(put("a/whole.tex", "% main\n\\documentclass{article}"));
    g_free(put("a/build.xml", "<project/>"));
    g_free(put("a/out/convert.jsonl", ""));
    g_free(put("a/out/one/one.md", "# One"));
    g_free(put("a/page.html", "<html>"));
    g_free(put("a/page_files/box.html", "<html>"));
    g_free(put("scans/1.tif", "x"));
    g_free(put("a/no_extension", "junk\n%PDF-1.4\n"));
    g_free(put("a/.hidden.pdf", "x"));
    g_autofree char *link = g_build_filename(scratch, "a", "loop", NULL);
    assert_int_equal(symlink("..", link), 0);
    const char *args[] = {scratch, scratch};
    g_autoptr(GPtrArray) inputs = pipelines_collect_inputs(args, 2);
    const char *const expected[] = {"a/no_extension", "a/notes.txt", "a/one.pdf",  "a/page.html",
                                    "a/whole.tex",    "b/two.PDF",   "scans/1.tif"};
    assert_int_equal(inputs->len, G_N_ELEMENTS(expected));
    for (guint i = 0; i < inputs->len; i++)
        assert_true(g_str_has_suffix(inputs->pdata[i], expected[i]));
}

static void
a_missing_argument_stays_an_input(void **state)
{
    (void)state;
    const char *args[] = {"/nonexistent/x.pdf"};
    g_autoptr(GPtrArray) inputs = pipelines_collect_inputs(args, 1);
    assert_int_equal(inputs->len, 1);
    assert_string_equal(inputs->pdata[0], "/nonexistent/x.pdf");
}

static void
stems_are_safe_file_names(void **state)
{
    (void)state;
    static const struct {
        const char *path, *stem;
    } cases[] = {
        {"/a/paper.pdf", "paper"},
        {"paper.v2.pdf", "paper.v2"},
        {"/a/.pdf", "_.pdf"},
        {"/a/-rf.pdf", "_-rf"},
        {"/a/...pdf", "_.."},
        {"/a/l\n1.pdf", "l_1"},
        {"/a/\xC3\xA9tude.pdf", "\xC3\xA9tude"},
        {"/a/b\xFF.pdf", "b\xEF\xBF\xBD"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *stem = pipelines_stem(cases[i].path);
        assert_string_equal(stem, cases[i].stem);
    }
    g_autofree char *accents = g_strnfill(300, 'x');
    for (size_t i = 0; i + 1 < 300; i += 2)
        memcpy(accents + i, "\xC3\xA9", 2);
    g_autofree char *stem = pipelines_stem(accents);
    assert_true(strlen(stem) <= 200 && strlen(stem) > 190);
    assert_true(g_utf8_validate(stem, -1, NULL));
}

static void
an_error_line_is_never_cut_inside_a_character(void **state)
{
    (void)state;
    lode_error error;
    for (size_t pad = 0; pad < 4; pad++) {
        g_autoptr(GString) text = g_string_new(NULL);
        for (size_t i = 0; i < pad; i++)
            g_string_append_c(text, 'a');
        for (size_t i = 0; i < 200; i++)
            g_string_append(text, i == 3 ? "\n" : "\xE2\x82\xAC");
        pipelines_fail(&error, g_error_new_literal(PIPELINES_ERROR, LODE_ERROR_LIMIT, text->str));
        assert_int_equal(error.code, LODE_ERROR_LIMIT);
        assert_true(g_utf8_validate(error.message, -1, NULL));
        assert_true(strlen(error.message) > sizeof error.message - 4);
        assert_null(strchr(error.message, '\n'));
    }
}

static void
every_module_error_has_a_status(void **state)
{
    (void)state;
    static const int n_engine = ENGINE_ERROR_ARGUMENT, n_layout = LAYOUT_ERROR_CANCELLED;
    for (int code = 0; code <= n_engine; code++) {
        g_autoptr(GError) error = g_error_new_literal(ENGINE_ERROR, code, "x");
        assert_int_not_equal(pipelines_status(error), LODE_ERROR_INTERNAL);
    }
    for (int code = 0; code <= n_layout; code++) {
        g_autoptr(GError) error = g_error_new_literal(LAYOUT_ERROR, code, "x");
        assert_int_not_equal(pipelines_status(error), LODE_ERROR_INTERNAL);
    }
    for (int code = 0; code <= RETRIEVAL_ERROR_CANCELLED; code++) {
        g_autoptr(GError) error = g_error_new_literal(RETRIEVAL_ERROR, code, "x");
        assert_int_not_equal(pipelines_status(error), LODE_ERROR_INTERNAL);
    }
    assert_int_equal(pipelines_status(NULL), LODE_OK);
    for (int status = LODE_OK; status <= LODE_ERROR_INTERNAL; status++)
        assert_string_not_equal(lode_status_name((lode_status)status), "unknown status");
    assert_string_equal(lode_status_name((lode_status)99), "unknown status");
}

/* ---- journal ---- */

static pipelines_record *
record(const char *input, const char *stem, gboolean ok)
{
    pipelines_record *r = pipelines_record_new();
    r->input = g_strdup(input);
    r->stem = g_strdup(stem);
    r->ok = ok;
    r->sha256 = g_strdup("00");
    return r;
}

static void
a_journal_keeps_stems_and_the_last_word_on_an_input(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    pipelines_journal *journal = pipelines_journal_open(scratch, &error);
    assert_non_null(journal);
    assert_string_equal(pipelines_journal_stem(journal, "/a/x.pdf"), "x");
    assert_string_equal(pipelines_journal_stem(journal, "/b/x.pdf"), "x-2");
    assert_string_equal(pipelines_journal_stem(journal, "/b/x.pdf"), "x-2");
    assert_true(pipelines_journal_append(journal, record("/b/x.pdf", "x-2", FALSE), &error));
    assert_true(pipelines_journal_append(journal, record("/b/x.pdf", "x-2", TRUE), &error));
    pipelines_journal_free(journal); /* as after a kill */

    journal = pipelines_journal_open(scratch, &error);
    assert_non_null(journal);
    assert_true(pipelines_journal_lookup(journal, "/b/x.pdf")->ok);
    assert_string_equal(pipelines_journal_stem(journal, "/b/x.pdf"), "x-2");
    assert_string_equal(pipelines_journal_stem(journal, "/c/x.pdf"), "x");
    assert_true(pipelines_journal_close(journal, &error));
    g_autofree char *path = g_build_filename(scratch, "convert.jsonl", NULL);
    g_autofree char *text = NULL;
    assert_true(g_file_get_contents(path, &text, NULL, NULL));
    assert_ptr_equal(strchr(text, '\n') + 1, text + strlen(text)); /* one line */
}

static void
a_journal_survives_damage(void **state)
{
    (void)state;
    g_free(put("convert.jsonl", "not json\n{\"input\":1}\n{\"input\":\"/q\",\"stem\":\"../up\"}\n"
                                "{\"input\":\"/a\",\"stem\":\"a\",\"status\":\"ok\",\"pages\":-5}\n"
                                "{\"input\":\"/b\",\"stem\":\"b\",\"stat"));
    g_autoptr(GError) error = NULL;
    g_autoptr(pipelines_journal) journal = pipelines_journal_open(scratch, &error);
    assert_non_null(journal);
    assert_non_null(pipelines_journal_lookup(journal, "/a"));
    assert_int_equal(pipelines_journal_lookup(journal, "/a")->n_pages, 0);
    assert_null(pipelines_journal_lookup(journal, "/b"));
    assert_null(pipelines_journal_lookup(journal, "/q"));
    assert_true(pipelines_journal_append(journal, record("/c", "c", TRUE), &error));
    g_autofree char *path = g_build_filename(scratch, "convert.jsonl", NULL);
    g_autofree char *text = NULL;
    assert_true(g_file_get_contents(path, &text, NULL, NULL));
    assert_non_null(strstr(text, "\n{\"input\":\"/c\"")); /* on a line of its own */
}

static void
two_batches_do_not_write_into_one_folder(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    g_autoptr(pipelines_journal) first = pipelines_journal_open(scratch, &error);
    assert_non_null(first);
    g_autoptr(pipelines_journal) second = pipelines_journal_open(scratch, &error);
    assert_null(second);
    assert_int_equal(pipelines_status(error), LODE_ERROR_BUSY);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(folders_give_their_documents_in_byte_order, make_scratch,
                                        drop_scratch),
        cmocka_unit_test(a_missing_argument_stays_an_input),
        cmocka_unit_test(stems_are_safe_file_names),
        cmocka_unit_test(an_error_line_is_never_cut_inside_a_character),
        cmocka_unit_test(every_module_error_has_a_status),
        cmocka_unit_test_setup_teardown(a_journal_keeps_stems_and_the_last_word_on_an_input,
                                        make_scratch, drop_scratch),
        cmocka_unit_test_setup_teardown(a_journal_survives_damage, make_scratch, drop_scratch),
        cmocka_unit_test_setup_teardown(two_batches_do_not_write_into_one_folder, make_scratch,
                                        drop_scratch),
    };
    return cmocka_run_group_tests_name("inputs", tests, NULL, NULL);
}

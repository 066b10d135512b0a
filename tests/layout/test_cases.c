/* Small PDFs, each made to show one behaviour: tests/data/cases/NAME.pdf, with the recipe beside it. What lode makes of
 * them is compared with NAME.md and with NAME.blocks, a line per block: type, level, pages of its boxes, marker, the
 * block it belongs to, the start of its text, or of that inside a figure.
 *
 * To record them again:    LODE_UPDATE_GOLDEN=1 ctest --test-dir BUILD -R layout_cases
 * One alone:               test_layout_cases NAME */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "layout/layout.h"

#include <stdlib.h>
#include <string.h>

static const char *only; /* a case named on the command line, or NULL */

static void
append_excerpt(GString *out, const char *text)
{
    glong n = g_utf8_strlen(text, -1);
    g_autofree char *start = g_utf8_substring(text, 0, MIN(n, 60));
    g_string_append_printf(out, " \"%s%s\"", start, n > 60 ? "..." : "");
}

/* A figure has no text of its own: what it is made of, and the text inside. */
static void
append_figure(GString *out, const lode_document *document, const layout_figure *figure)
{
    g_string_append(out, figure->vector ? " drawn" : " pixels");
    if (figure->n_panels > 0) g_string_append(out, ", panels");
    for (guint i = 0; i < figure->n_panels; i++) {
        const char *label = document->panels[figure->first_panel + i].label;
        g_string_append_printf(out, " %s", label != NULL ? label : "-");
    }
    append_excerpt(out, figure->inner_text != NULL ? figure->inner_text : "");
}

static void
append_block(GString *out, const lode_document *document, guint index)
{
    const layout_block *block = &document->blocks[index];
    g_string_append_printf(out, "%u %s", index, layout_block_type_name(block->type));
    if (block->level > 0) g_string_append_printf(out, " %d", block->level);
    for (guint b = 0; b < block->n_boxes; b++)
        g_string_append_printf(out, "%sp%d", b == 0 ? " [" : " ",
                               document->boxes[block->first_box + b].page + 1);
    if (block->n_boxes > 0) g_string_append_c(out, ']');
    if (block->marker != NULL) g_string_append_printf(out, " <%s>", block->marker);
    if (block->parent != LAYOUT_NONE) g_string_append_printf(out, " of %d", block->parent);
    if (block->type == LAYOUT_BLOCK_FIGURE && block->item != LAYOUT_NONE)
        append_figure(out, document, &document->figures[block->item]);
    else
        append_excerpt(out, block->text);
    g_string_append_c(out, '\n');
}

static char *
describe(const lode_document *document)
{
    GString *out = g_string_new(NULL);
    for (guint i = 0; i < document->n_blocks; i++)
        append_block(out, document, i);
    return g_string_free(out, FALSE);
}

static gboolean
is_as_recorded(const char *name, const char *extension, const char *actual)
{
    g_autofree char *file = g_strconcat(name, extension, NULL);
    g_autofree char *path = g_build_filename(LODE_TEST_DATA, "cases", file, NULL);
    g_autofree char *expected = NULL;
    if (g_getenv("LODE_UPDATE_GOLDEN") != NULL) {
        g_autoptr(GError) error = NULL;
        if (!layout_write_file_atomic(path, actual, strlen(actual), &error))
            fail_msg("%s", error->message);
        return TRUE;
    }
    if (!g_file_get_contents(path, &expected, NULL, NULL)) {
        print_error("%s: not recorded yet\n", path);
        return FALSE;
    }
    if (strcmp(expected, actual) == 0) return TRUE;
    g_auto(GStrv) old = g_strsplit(expected, "\n", -1), new = g_strsplit(actual, "\n", -1);
    guint i = 0;
    while (old[i] != NULL && new[i] != NULL && strcmp(old[i], new[i]) == 0)
        i++;
    print_error("%s, line %u\n  recorded: %.300s\n  now:      %.300s\n", file, i + 1,
                old[i] != NULL ? old[i] : "(end)", new[i] != NULL ? new[i] : "(end)");
    g_file_set_contents(file, actual, -1, NULL);
    return FALSE;
}

static gboolean
case_holds(const char *name)
{
    g_autofree char *file = g_strconcat(name, ".pdf", NULL);
    g_autofree char *path = g_build_filename(LODE_TEST_DATA, "cases", file, NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(lode_document) document = layout_document_open(path, NULL, &error);
    if (document == NULL) {
        print_error("%s\n", error->message);
        return FALSE;
    }
    g_autofree char *markdown = layout_document_to_markdown(document, NULL);
    g_autofree char *blocks = describe(document);
    gboolean good = is_as_recorded(name, ".md", markdown);
    return is_as_recorded(name, ".blocks", blocks) && good;
}

static void
cases_come_out_as_recorded(void **state)
{
    (void)state;
    g_autofree char *folder = g_build_filename(LODE_TEST_DATA, "cases", NULL);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    assert_non_null(dir);
    guint n = 0, n_bad = 0;
    for (const char *file; (file = g_dir_read_name(dir)) != NULL;) {
        if (!g_str_has_suffix(file, ".pdf")) continue;
        g_autofree char *name = g_strndup(file, strlen(file) - strlen(".pdf"));
        if (only != NULL && strcmp(only, name) != 0) continue;
        n++;
        if (!case_holds(name)) n_bad++;
    }
    if (n_bad > 0) fail_msg("%u of %u cases differ", n_bad, n);
    assert_true(n > 0);
}

int
main(int argc, char **argv)
{
    if (argc > 1) only = argv[1];
    const struct CMUnitTest tests[] = {cmocka_unit_test(cases_come_out_as_recorded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Long documents: which sheets are in memory changes nothing but memory. */
#include "layout/spill.h"
#include "page_maker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define N_PAGES 40

/* Headers and page numbers, two columns on some pages, a hyphen across pages, a table, a figure, a link. */
static void
page_fill(page_maker *maker, guint index)
{
    char text[160];
    g_snprintf(text, sizeof text, "%u", index + 1);
    page_maker_text(maker, MAKER_ROMAN, 10, 300, 770, text);
    page_maker_text(maker, MAKER_ITALIC, 9, 72, 40, "On the growth of lakes");
    if (index % 4 == 0) {
        g_snprintf(text, sizeof text, "%u Section of the lake", index / 4 + 1);
        page_maker_text(maker, MAKER_BOLD, 12, 72, 80, text);
    }
    for (guint i = 0; i < 30; i++) {
        g_snprintf(text, sizeof text,
                   "line %u of page %u tells what the water did in the cold of that winter%s", i,
                   index, i == 29 ? " morn-" : "");
        page_maker_text(maker, MAKER_ROMAN, 10, 72, 110 + 12 * (float)i, text);
    }
    if (index % 5 == 2) {
        for (guint r = 0; r < 3; r++) {
            page_maker_rule_h(maker, 100, 400, 520 + 20 * (float)r);
            for (guint c = 0; c < 3 && r < 2; c++) {
                g_snprintf(text, sizeof text, "%u.%u", r, c + index);
                page_maker_text(maker, MAKER_ROMAN, 10, 110 + 90 * (float)c, 534 + 20 * (float)r,
                                text);
            }
        }
        page_maker_text(maker, MAKER_ROMAN, 10, 100, 500, "Table 1: Depths of the lake");
    }
    if (index % 7 == 3) {
        page_maker_image(maker, 100, 560, 300, 700);
        page_maker_text(maker, MAKER_ROMAN, 10, 100, 720, "Figure 1: The lake in spring");
    }
}

/* The document of N_PAGES pages with so many sheets in memory, as JSON. */
static char *
document_json(guint window)
{
    g_autoptr(layout_work) work = layout_work_new();
    layout_work_set_window(work, window);
    for (guint i = 0; i < N_PAGES; i++) {
        page_maker *maker = page_maker_new(612, 792);
        page_fill(maker, i);
        maker->page.index = (int)i;
        layout_sheet_take(work, page_maker_page(maker));
        page_maker_free(maker);
    }
    g_autoptr(GError) error = NULL;
    g_autoptr(lode_document) document = layout_analyze(work, layout_builder_new(), &error);
    assert_null(error);
    assert_int_equal(document->n_pages, N_PAGES);
    assert_true(document->n_tables > 0 && document->n_figures > 0);
    return layout_document_to_json(document);
}

static void
any_window_gives_the_same_document(void **state)
{
    (void)state;
    g_autofree char *all = document_json(N_PAGES);
    for (guint window = 1; window <= 8; window *= 2) {
        g_autofree char *some = document_json(window);
        assert_string_equal(all, some);
    }
}

static void
a_folder_that_cannot_be_written_keeps_all_in_memory(void **state)
{
    (void)state;
    g_autofree char *kept = g_strdup(g_getenv("TMPDIR"));
    g_autofree char *all = document_json(N_PAGES);
    g_setenv("TMPDIR", "/nonexistent/folder", TRUE);
    g_autofree char *none = document_json(1);
    if (kept != NULL)
        g_setenv("TMPDIR", kept, TRUE);
    else
        g_unsetenv("TMPDIR");
    assert_string_equal(all, none);
}

static void
a_limit_on_file_sizes_keeps_all_in_memory(void **state)
{
    (void)state;
    struct rlimit old, small = {.rlim_cur = 4096};
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small.rlim_max = old.rlim_max;
    g_autofree char *all = document_json(N_PAGES);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    g_autofree char *none = document_json(1);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_string_equal(all, none);
}

static void
slots_hold_what_was_last_put(void **state)
{
    (void)state;
    layout_spill *spill = layout_spill_new();
    layout_slot slots[20] = {0};
    for (guint pass = 1; pass < 4; pass++) {
        for (guint i = 0; i < G_N_ELEMENTS(slots); i++) {
            g_autofree guint8 *data = g_malloc(1000 * pass * pass);
            memset(data, (int)(i + pass), 1000 * pass * pass);
            assert_true(layout_spill_put(spill, &slots[i], data, 1000 * pass * pass - i));
        }
        for (guint i = 0; i < G_N_ELEMENTS(slots); i++) {
            g_autofree guint8 *data = g_malloc0(1000 * pass * pass);
            assert_int_equal(slots[i].len, 1000 * pass * pass - i);
            layout_spill_get(spill, &slots[i], data);
            for (guint k = 0; k < slots[i].len; k++)
                assert_int_equal(data[k], i + pass);
        }
    }
    layout_spill_free(spill);
}

static void
blocks_keep_their_bytes_over_a_rest(void **state)
{
    (void)state;
    layout_spill *spill = layout_spill_new();
    g_autoptr(GPtrArray) small = g_ptr_array_new();
    size_t size = 64;
    guint8 *large = NULL;
    for (guint i = 0; i < 30000; i++) {
        guint8 *block = layout_spill_alloc(spill, 1 + i % 200);
        assert_int_equal((guintptr)block & 15, 0);
        memset(block, (int)(i & 0xFF), 1 + i % 200);
        g_ptr_array_add(small, block);
        if (i % 4096 == 0) {
            large = layout_spill_grow(spill, large, large != NULL ? size : 0, 3 * size);
            if (i == 0) memset(large, 7, 3 * size);
            memset(large + size, 7, 2 * size);
            size *= 3;
            layout_spill_rest(spill);
        }
    }
    for (guint i = 0; i < small->len; i++) {
        const guint8 *block = small->pdata[i];
        assert_int_equal(block[0], i & 0xFF);
        assert_int_equal(block[i % 200], i & 0xFF);
    }
    for (size_t i = 0; i < size; i++)
        assert_int_equal(large[i], 7);
    layout_spill_free(spill);
}

/* Bytes of mapped files in this process's memory; 0 where the system does not say. */
static guint64
mapped_bytes(void)
{
    g_autofree char *statm = NULL;
    guint64 pages = 0;
    if (!g_file_get_contents("/proc/self/statm", &statm, NULL, NULL)) return 0;
    for (const char *at = strchr(statm, ' '); at != NULL && pages == 0;) {
        at = strchr(at + 1, ' ');
        if (at != NULL) pages = g_ascii_strtoull(at, NULL, 10);
    }
    return pages * (guint64)sysconf(_SC_PAGESIZE);
}

static void
a_pass_over_all_blocks_holds_only_some_in_memory(void **state)
{
    (void)state;
    enum { N = 60000 };
    g_autoptr(layout_work) work = layout_work_new();
    for (guint i = 0; i < N; i++) {
        g_ptr_array_add(work->paras, layout_para_new(work, LAYOUT_BLOCK_PARAGRAPH, i));
        layout_para_add_place(layout_work_para(work, i), i, 0);
    }
    layout_spill_rest(layout_work_spill(work));
    const guint64 before = mapped_bytes();
    if (before == 0) skip();
    guint64 most = 0;
    for (guint i = 0; i < N; i++) {
        /* far apart: up from the front and down from the end in turns */
        const guint at = i % 2 == 0 ? i : N - i;
        assert_int_equal(layout_work_para(work, at)->sheet, at);
        if (i % 512 == 0) most = MAX(most, mapped_bytes());
    }
    most = MAX(most, mapped_bytes());
    assert_true(most < before + ((guint64)2 << 20));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_window_gives_the_same_document),
        cmocka_unit_test(a_folder_that_cannot_be_written_keeps_all_in_memory),
        cmocka_unit_test(a_limit_on_file_sizes_keeps_all_in_memory),
        cmocka_unit_test(slots_hold_what_was_last_put),
        cmocka_unit_test(blocks_keep_their_bytes_over_a_rest),
        cmocka_unit_test(a_pass_over_all_blocks_holds_only_some_in_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

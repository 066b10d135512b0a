/* What the tests of parse share. */
#ifndef LODE_TESTS_PARSE_HELPERS_H
#define LODE_TESTS_PARSE_HELPERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "parse/parse.h"

#define PDF(name) LODE_TEST_DATA "/pdf/" name

#define assert_near(a, b, tolerance)                                                               \
    do {                                                                                           \
        double near_a = (double)(a), near_b = (double)(b);                                         \
        if (!(near_a - near_b <= (tolerance) && near_b - near_a <= (tolerance)))                   \
            fail_msg("%s is %g, not %g", #a, near_a, near_b);                                      \
    } while (0)

#define assert_box(box, left, top, right, bottom, tolerance)                                       \
    do {                                                                                           \
        assert_near((box).x0, left, tolerance);                                                    \
        assert_near((box).y0, top, tolerance);                                                     \
        assert_near((box).x1, right, tolerance);                                                   \
        assert_near((box).y1, bottom, tolerance);                                                  \
    } while (0)

static inline parse_file *
open_file(const char *path)
{
    g_autoptr(GError) error = NULL;
    parse_file *file = parse_file_open(path, NULL, &error);
    if (!file) fail_msg("%s", error->message);
    assert_null(error);
    return file;
}

static inline parse_page *
load_page(parse_file *file, int index)
{
    g_autoptr(GError) error = NULL;
    parse_page *page = parse_file_load_page(file, index, &error);
    if (!page) fail_msg("%s", error->message);
    assert_null(error);
    return page;
}

static inline parse_page *
load_single(const char *path)
{
    g_autoptr(parse_file) file = open_file(path);
    return load_page(file, 0); /* the page outlives the file */
}

static inline char *
run_text(const parse_page *page, const parse_run *run)
{
    GString *out = g_string_new(NULL);
    for (guint i = 0; i < run->n_glyphs; i++)
        g_string_append_unichar(out, page->glyphs[run->first_glyph + i].unicode);
    return g_string_free(out, FALSE);
}

/* The run that reads text, NULL if there is none. */
static inline const parse_run *
find_run(const parse_page *page, const char *text)
{
    for (guint i = 0; i < page->n_runs; i++) {
        g_autofree char *found = run_text(page, &page->runs[i]);
        if (strcmp(found, text) == 0) return &page->runs[i];
    }
    return NULL;
}

static inline const parse_run *
the_run(const parse_page *page, const char *text)
{
    const parse_run *run = find_run(page, text);
    if (!run) fail_msg("no run reads \"%s\"", text);
    return run;
}

#endif

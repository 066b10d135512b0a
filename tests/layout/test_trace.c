/* From Markdown back to the page: each block's byte range holds its text, ranges do not overlap, and nothing of the
 * Markdown but blanks and comments lies outside of them. On the golden papers and all cases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "every_document.h"
#include "sample_document.h"

#include <stdlib.h>
#include <string.h>

/* Letters and digits alone, raised and lowered ones as plain ones. */
static char *
bare(const char *text, gsize len)
{
    g_autofree char *copy = g_strndup(text, len);
    g_autofree char *plain = g_utf8_normalize(copy, -1, G_NORMALIZE_NFKC);
    GString *out = g_string_new(NULL);
    for (const char *p = plain; *p; p = g_utf8_next_char(p)) {
        const gunichar c = g_utf8_get_char(p);
        if (g_unichar_isalnum(c)) g_string_append_unichar(out, c);
    }
    return g_string_free(out, FALSE);
}

typedef struct {
    const char *name;
    guint block;
    char *slice; /* bare */
    const char *at;
} search;

/* The stretches of a block come in order. */
static void
expect(search *s, const char *text, gsize len)
{
    g_autofree char *wanted = bare(text, len);
    const char *found = strstr(s->at, wanted);
    if (!found)
        fail_msg("%s: block %u: \"%s\" is not in its range: \"%.200s\"", s->name, s->block, wanted,
                 s->slice);
    s->at = found + strlen(wanted);
}

/* What spans turn into something else (LaTeX, addresses, numbers of footnotes) is left out. */
static void
expect_text(search *s, const lode_document *d, const layout_block *block)
{
    uint32_t at = 0;
    for (guint i = 0; i < block->n_spans; i++) {
        const layout_span *span = &d->spans[block->first_span + i];
        if (!(span->flags & (LAYOUT_SPAN_MATH | LAYOUT_SPAN_LINK | LAYOUT_SPAN_SUPERSCRIPT |
                             LAYOUT_SPAN_SUBSCRIPT)))
            continue;
        if (span->start > at) expect(s, block->text + at, span->start - at);
        at = span->start + span->len;
    }
    expect(s, block->text + at, block->text_len - at);
}

static void
expect_block(search *s, const lode_document *d, const char *slice, gsize len)
{
    const layout_block *block = &d->blocks[s->block];
    const gboolean item = block->item != LAYOUT_NONE;
    if (block->type == LAYOUT_BLOCK_TABLE && item) {
        const layout_table *table = &d->tables[block->item];
        g_autofree char *cells = g_strndup(slice, len);
        g_auto(GStrv) parts = g_strsplit(cells, "<br />", -1);
        g_autofree char *joined = g_strjoinv(" ", parts);
        g_free(s->slice);
        s->at = s->slice = bare(joined, strlen(joined));
        for (guint i = 0; i < table->n_cells; i++) {
            const layout_cell *cell = &d->cells[table->first_cell + i];
            if (!strpbrk(cell->text, "<>&\"$\\"))
                expect(s, cell->text, strlen(cell->text) - cell->n_mark);
        }
    } else if (block->type == LAYOUT_BLOCK_FORMULA && item && d->formulas[block->item].latex) {
        const char *latex = d->formulas[block->item].latex;
        if (!g_strstr_len(slice, (gssize)len, latex)) expect_text(s, d, block);
    } else if (block->type == LAYOUT_BLOCK_FIGURE) {
        assert_memory_equal(slice, "![", 2);
        assert_non_null(g_strstr_len(slice, (gssize)len, d->figures[block->item].image));
    } else {
        expect_text(s, d, block);
    }
}

static void
check_block(const char *name, const lode_document *d, guint b, const char *markdown,
            const layout_range *range)
{
    const layout_block *block = &d->blocks[b];
    if (range->end == 0) {
        const gboolean silent = layout_block_type_is_furniture(block->type) ||
                                block->type == LAYOUT_BLOCK_FIGURE || block->text_len == 0;
        if (!silent) fail_msg("%s: block %u (\"%.40s\") has no range", name, b, block->text);
        return;
    }
    assert_true(range->start < range->end && range->end <= strlen(markdown));
    const char *slice = markdown + range->start;
    const gsize len = range->end - range->start;
    assert_true(g_utf8_validate(slice, (gssize)len, NULL));
    assert_false(g_ascii_isspace(slice[0]) || g_ascii_isspace(slice[len - 1]));
    search s = {name, b, bare(slice, len), NULL};
    s.at = s.slice;
    expect_block(&s, d, slice, len);
    g_free(s.slice);
}

/* What lies outside every range, without comments. */
static void
check_rest(const char *name, const char *markdown, const layout_range *ranges, guint n)
{
    g_autofree char *rest = g_strdup(markdown);
    for (guint b = 0; b < n; b++) {
        for (gsize i = ranges[b].start; i < ranges[b].end; i++) {
            if (rest[i] == '\1') fail_msg("%s: block %u overlaps another at byte %zu", name, b, i);
            rest[i] = '\1';
        }
    }
    for (const char *p = rest; *p;) {
        const char *end = g_str_has_prefix(p, "<!--") ? strstr(p, "-->") : NULL;
        if (!end && !strchr("\1\n ", *p)) fail_msg("%s: in no block: \"%.60s\"", name, p);
        p = end ? end + 3 : p + 1;
    }
}

/* Captions and footnotes apart, blocks come in their own order. */
static void
check_order(const char *name, const lode_document *d, const layout_range *ranges)
{
    gsize last = 0;
    for (guint b = 0; b < d->n_blocks; b++) {
        if (d->blocks[b].type == LAYOUT_BLOCK_CAPTION ||
            d->blocks[b].type == LAYOUT_BLOCK_FOOTNOTE || ranges[b].end == 0)
            continue;
        if (ranges[b].start < last) fail_msg("%s: block %u comes too early", name, b);
        last = ranges[b].end;
    }
}

static void
check_document(const char *name, const char *path, const lode_document *d)
{
    (void)path;
    for (guint variant = 0; variant < 3; variant++) {
        layout_write_options options = layout_write_options_default();
        options.page_breaks = variant > 0;
        options.furniture = variant == 1;
        if (variant == 2) options.images = LAYOUT_IMAGES_NONE;
        g_autofree layout_range *ranges = g_new(layout_range, d->n_blocks + 1);
        g_autofree char *markdown = layout_document_to_markdown_ranges(d, &options, ranges);
        g_autofree char *plain = layout_document_to_markdown(d, &options);
        assert_string_equal(markdown, plain);
        for (guint b = 0; b < d->n_blocks; b++)
            check_block(name, d, b, markdown, &ranges[b]);
        check_rest(name, markdown, ranges, d->n_blocks);
        check_order(name, d, ranges);
    }
}

static void
every_block_is_where_its_range_says(void **state)
{
    (void)state;
    every_document(check_document);
    every_document_without_paper(check_document);
    g_autoptr(lode_document) sample = sample_document();
    check_document("sample", NULL, sample);
}

static void
traced_json_names_its_markdown(void **state)
{
    (void)state;
    g_autoptr(lode_document) d = sample_document();
    layout_write_options options = layout_write_options_default();
    options.page_breaks = TRUE;
    options.images = LAYOUT_IMAGES_NONE;
    g_autofree char *markdown = layout_document_to_markdown(d, &options);
    g_autofree char *json = layout_document_to_traced_json(d, &options);
    g_autofree char *sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, markdown, -1);
    g_autofree char *expected = g_strdup_printf(
        "  \"markdown\": {\n    \"page_breaks\": true,\n    \"images\": \"none\",\n"
        "    \"image_dir\": \"images\",\n    \"bytes\": %zu,\n    \"sha256\": \"%s\"\n  },\n",
        strlen(markdown), sum);
    assert_non_null(strstr(json, expected));
    assert_null(strstr(json, ".png"));
    assert_non_null(strstr(json, "\"markdown\": [17, 28]")); /* behind "<!-- page 1 -->" */
    assert_memory_equal(markdown + 17, "# A Título", 11);

    /* the ranges are not the document's: reading leaves them out */
    g_autoptr(lode_document) again = layout_document_from_json(json, strlen(json), NULL);
    g_autofree char *one = layout_document_to_markdown(again, &options);
    assert_string_equal(one, markdown);
    g_autofree char *bare_json = layout_document_to_json(again);
    assert_null(strstr(bare_json, "\"markdown\""));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_block_is_where_its_range_says),
        cmocka_unit_test(traced_json_names_its_markdown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

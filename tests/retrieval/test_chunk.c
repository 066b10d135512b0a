/* Documents -> chunks. */
#include "support.h"

#include <string.h>

#include "retrieval/sentences.h"

static const retrieval_chunk *
chunk_at(const GPtrArray *chunks, guint i)
{
    assert_true(i < chunks->len);
    return chunks->pdata[i];
}

/* Some chunk's text contains text; its index. */
static int
find_chunk(const GPtrArray *chunks, const char *text)
{
    for (guint i = 0; i < chunks->len; i++)
        if (strstr(chunk_at(chunks, i)->text, text)) return (int)i;
    return -1;
}

static gboolean
stands_in_some_section(const GPtrArray *chunks, const char *heading)
{
    for (guint i = 0; i < chunks->len; i++)
        if (strstr(chunk_at(chunks, i)->section, heading)) return TRUE;
    return FALSE;
}

static char *
long_paragraph(guint32 seed, int n_sentences)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
    GString *text = g_string_new(NULL);
    for (int i = 0; i < n_sentences; i++) {
        g_autofree char *sentence = random_sentence(rand, 15);
        g_string_append_printf(text, "%s%s", i > 0 ? " " : "", sentence);
    }
    return g_string_free(text, FALSE);
}

static void
short_paragraphs_share_a_chunk_and_its_section(void **state)
{
    (void)state;
    writer w = writer_start();
    writer_add(&w, LAYOUT_BLOCK_HEADING, 1, "3 Methods");
    writer_add(&w, LAYOUT_BLOCK_HEADING, 2, "3.2 Training");
    const int first = writer_add(&w, LAYOUT_BLOCK_PARAGRAPH, 0, "We trained it.");
    const int last = writer_add(&w, LAYOUT_BLOCK_LIST_ITEM, 0, "With care.");
    writer_add(&w, LAYOUT_BLOCK_HEADING, 1, "4 Results");
    writer_add(&w, LAYOUT_BLOCK_PARAGRAPH, 0, "It worked.");
    g_autoptr(lode_document) document = writer_finish(&w, "T", "00");
    g_autoptr(GPtrArray) chunks = retrieval_chunk_document(document, NULL);
    assert_int_equal(chunks->len, 2);
    assert_string_equal(chunk_at(chunks, 0)->text, "We trained it.\n\n- With care.");
    assert_string_equal(chunk_at(chunks, 0)->section, "3 Methods > 3.2 Training");
    assert_int_equal(chunk_at(chunks, 0)->type, LAYOUT_BLOCK_PARAGRAPH);
    assert_int_equal(chunk_at(chunks, 0)->first_block, first);
    assert_int_equal(chunk_at(chunks, 0)->last_block, last);
    assert_int_equal(chunk_at(chunks, 0)->boxes->len, 2);
    assert_string_equal(chunk_at(chunks, 1)->section, "4 Results");
    assert_string_equal(chunk_at(chunks, 1)->text, "It worked.");
}

static void
a_long_paragraph_is_cut_at_sentences_that_overlap(void **state)
{
    (void)state;
    g_autofree char *text = long_paragraph(7, 60);
    writer w = writer_start();
    writer_add(&w, LAYOUT_BLOCK_PARAGRAPH, 0, text);
    g_autoptr(lode_document) document = writer_finish(&w, "T", "00");
    g_autoptr(GPtrArray) chunks = retrieval_chunk_document(document, NULL);
    const retrieval_chunk_options o = retrieval_chunk_options_default();
    assert_true(chunks->len >= 4);
    for (guint i = 0; i < chunks->len; i++) {
        const retrieval_chunk *chunk = chunk_at(chunks, i);
        const size_t len = strlen(chunk->text);
        assert_non_null(strstr(text, chunk->text));
        assert_int_equal(chunk->text[len - 1], '.');
        assert_true(retrieval_count_tokens(chunk->text, len) <= o.max_tokens);
        assert_true(retrieval_count_tokens(chunk->text, len) >= o.target_tokens / 4);
        if (i == 0) continue;
        /* the last sentence of the one before begins this one */
        const char *before = chunk_at(chunks, i - 1)->text;
        g_autoptr(GArray) ends = g_array_new(FALSE, FALSE, sizeof(uint32_t));
        retrieval_split_sentences(before, (uint32_t)strlen(before), ends);
        assert_true(ends->len >= 2);
        assert_true(
            g_str_has_prefix(chunk->text, before + g_array_index(ends, uint32_t, ends->len - 2)));
    }
}

static void
boxes_are_those_of_the_lines_in_the_chunk(void **state)
{
    (void)state;
    g_autofree char *text = long_paragraph(8, 120); /* more than one page of lines */
    writer w = writer_start();
    writer_add(&w, LAYOUT_BLOCK_PARAGRAPH, 0, text);
    g_autoptr(lode_document) document = writer_finish(&w, "T", "00");
    assert_true(document->n_pages >= 3);
    g_autoptr(GPtrArray) chunks = retrieval_chunk_document(document, NULL);
    for (guint i = 0; i < chunks->len; i++) {
        const retrieval_chunk *chunk = chunk_at(chunks, i);
        const uint32_t start = (uint32_t)(strstr(text, chunk->text) - text);
        const uint32_t end = start + (uint32_t)strlen(chunk->text);
        guint n = 0;
        for (guint l = 0; l < document->n_lines; l++) {
            const layout_line *line = &document->lines[l];
            if (line->start >= end || line->start + line->len <= start) continue;
            assert_true(n < chunk->boxes->len);
            const layout_box *box = &g_array_index(chunk->boxes, layout_box, n);
            assert_memory_equal(box, &line->box, sizeof *box);
            if (n == 0) assert_int_equal(chunk->first_page, line->box.page);
            assert_true(chunk->last_page >= line->box.page);
            n++;
        }
        /* white space between sentences may touch one more line */
        assert_in_range(chunk->boxes->len, n, n + 1);
    }
    assert_int_equal(chunk_at(chunks, chunks->len - 1)->last_page, (int)document->n_pages - 1);
}

static void
places_say_where_each_stretch_of_the_chunk_stands(void **state)
{
    (void)state;
    g_autofree char *text = long_paragraph(6, 60);
    writer w = writer_start();
    writer_add(&w, LAYOUT_BLOCK_HEADING, 1, "A heading");
    writer_add(&w, LAYOUT_BLOCK_PARAGRAPH, 0, "A short one before it.");
    writer_add(&w, LAYOUT_BLOCK_PARAGRAPH, 0, text);
    g_autoptr(lode_document) document = writer_finish(&w, "T", "00");
    g_autoptr(GPtrArray) chunks = retrieval_chunk_document(document, NULL);
    guint n_places = 0;
    for (guint i = 0; i < chunks->len; i++) {
        const retrieval_chunk *chunk = chunk_at(chunks, i);
        assert_int_equal(chunk->places->len, chunk->boxes->len);
        for (guint j = 0; j < chunk->places->len; j++, n_places++) {
            const retrieval_place *place = &g_array_index(chunk->places, retrieval_place, j);
            assert_true(place->start <= strlen(chunk->text) &&
                        place->len <= strlen(chunk->text) - place->start);
            assert_in_range(place->block, chunk->first_block, chunk->last_block);
            const layout_block *block = &document->blocks[place->block];
            assert_memory_equal(chunk->text + place->start, block->text + place->block_start,
                                place->len);
        }
    }
    assert_true(n_places > 10);
}

static void
a_formula_stays_with_the_text_around_it(void **state)
{
    (void)state;
    g_autofree char *before = long_paragraph(1, 9), *after = long_paragraph(2, 9);
    writer w = writer_start();
    writer_add(&w, LAYOUT_BLOCK_PARAGRAPH, 0, before);
    writer_add(&w, LAYOUT_BLOCK_FORMULA, 0, "E = m c^2");
    writer_add(&w, LAYOUT_BLOCK_PARAGRAPH, 0, after);
    g_autoptr(lode_document) document = writer_finish(&w, "T", "00");
    g_autoptr(GPtrArray) chunks = retrieval_chunk_document(document, NULL);
    const int with = find_chunk(chunks, "E = m c^2");
    assert_true(with >= 0);
    const char *text = chunk_at(chunks, (guint)with)->text;
    const char *formula = strstr(text, "E = m c^2");
    assert_true(formula > text);                        /* something before */
    assert_true(strlen(formula) > strlen("E = m c^2")); /* and after */
    assert_null(strstr(text + 1, "\n\n\n"));
}

/* A table of n rows below a header, 3 columns; each cell's box is its own. */
static int
add_numbers(writer *w, guint n)
{
    const int block = writer_add(w, LAYOUT_BLOCK_TABLE, 0, "cells");
    g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GArray) cells = g_array_new(FALSE, TRUE, sizeof(layout_cell));
    static const char *const header[3] = {"Plant", "Height (cm)", "Weight (kg)"};
    for (guint row = 0; row <= n; row++) {
        for (guint col = 0; col < 3; col++) {
            char *text = row == 0   ? g_strdup(header[col])
                         : col == 0 ? g_strdup_printf("plant%u", row)
                                    : g_strdup_printf("%u", 1000 * col + row);
            const float x = 100 * (float)col, y = 10 * (float)row;
            layout_cell cell = {row, col, 1, 1, row == 0, text, .box = {0, {x, y, x + 90, y + 9}}};
            g_ptr_array_add(texts, text);
            g_array_append_val(cells, cell);
        }
    }
    layout_table table = {
        .block = block, .caption = LAYOUT_NONE, .n_rows = n + 1, .n_cols = 3, .n_header_rows = 1};
    layout_builder_add_table(w->builder, &table, (layout_cell *)(void *)cells->data, cells->len);
    return block;
}

static void
a_small_table_is_one_chunk_of_its_rows(void **state)
{
    (void)state;
    writer w = writer_start();
    writer_add(&w, LAYOUT_BLOCK_PARAGRAPH, 0, "Before the table");
    const int caption = writer_add(&w, LAYOUT_BLOCK_CAPTION, 0, "Table 1: Yields.");
    const int block = writer_add(&w, LAYOUT_BLOCK_TABLE, 0, "cells");
    writer_add(&w, LAYOUT_BLOCK_PARAGRAPH, 0, "goes on after it.");
    const layout_box box = {0, {0, 0, 10, 10}};
    const layout_cell cells[] = {{0, 0, 1, 1, TRUE, "Plant", .box = box},
                                 {0, 1, 1, 1, TRUE, "kg", .box = box},
                                 {1, 0, 1, 1, FALSE, "Rye", .box = box},
                                 {1, 1, 1, 1, FALSE, "12", .box = box}};
    layout_table table = {.block = block, .caption = caption, .n_rows = 2, .n_cols = 2};
    layout_builder_add_table(w.builder, &table, cells, G_N_ELEMENTS(cells));
    g_autoptr(lode_document) document = writer_finish(&w, "T", "00");
    g_autoptr(GPtrArray) chunks = retrieval_chunk_document(document, NULL);
    assert_int_equal(chunks->len, 2);
    assert_string_equal(chunk_at(chunks, 0)->text, "Before the table\n\ngoes on after it.");
    assert_string_equal(chunk_at(chunks, 1)->text,
                        "Table 1: Yields.\n\nPlant | kg\nPlant: Rye | kg: 12");
    assert_int_equal(chunk_at(chunks, 1)->type, LAYOUT_BLOCK_TABLE);
    assert_int_equal(chunk_at(chunks, 1)->first_block, caption);
    assert_int_equal(chunk_at(chunks, 1)->last_block, block);
}

static void
a_big_table_is_split_by_rows_with_caption_and_headers(void **state)
{
    (void)state;
    writer w = writer_start();
    const int caption = writer_add(&w, LAYOUT_BLOCK_CAPTION, 0, "Table 1: Growth of plants.");
    const int block = add_numbers(&w, 60);
    layout_builder_block(w.builder, caption)->parent = block;
    g_autoptr(lode_document) document = writer_finish(&w, "T", "00");
    g_autoptr(GPtrArray) chunks = retrieval_chunk_document(document, NULL);
    assert_true(chunks->len > 2);
    guint n_rows = 0;
    for (guint i = 0; i < chunks->len; i++) {
        const retrieval_chunk *chunk = chunk_at(chunks, i);
        assert_int_equal(chunk->type, LAYOUT_BLOCK_TABLE);
        assert_true(g_str_has_prefix(chunk->text, "Table 1: Growth of plants.\n\n"));
        assert_true(retrieval_count_tokens(chunk->text, strlen(chunk->text)) <= 320);
        for (const char *at = chunk->text; (at = strstr(at, "Plant: plant")) != NULL; at++)
            n_rows++;
    }
    assert_int_equal(n_rows, 60);
    assert_true(find_chunk(chunks, "Plant: plant33 | Height (cm): 1033 | Weight (kg): 2033") >= 0);
}

/* Each place in a table says which cell it is, and holds its text and box. */
static void
cells_know_where_they_stand(void **state)
{
    (void)state;
    writer w = writer_start();
    add_numbers(&w, 40);
    g_autoptr(lode_document) document = writer_finish(&w, "T", "00");
    g_autoptr(GPtrArray) chunks = retrieval_chunk_document(document, NULL);
    guint n = 0;
    for (guint i = 0; i < chunks->len; i++) {
        const retrieval_chunk *chunk = chunk_at(chunks, i);
        for (guint k = 0; k < chunk->places->len; k++) {
            const retrieval_place *p = &g_array_index(chunk->places, retrieval_place, k);
            const layout_cell *cell = &document->cells[3 * (p->row - 1) + p->col - 1];
            assert_int_equal(strlen(cell->text), p->len);
            assert_memory_equal(chunk->text + p->start, cell->text, p->len);
            assert_float_equal(p->box.rect.x0, cell->box.rect.x0, 0.1);
            assert_float_equal(p->box.rect.y0, cell->box.rect.y0, 0.1);
            n++;
        }
    }
    assert_int_equal(n, 3 * 41);
}

static void
a_row_of_words_alone_heads_those_below(void **state)
{
    (void)state;
    writer w = writer_start();
    const int block = writer_add(&w, LAYOUT_BLOCK_TABLE, 0, "cells");
    const layout_box box = {0, {0, 0, 10, 10}};
    const layout_cell cells[] = {
        {0, 0, 1, 1, TRUE, "", .box = box},       {0, 1, 1, 2, TRUE, "Score", .box = box},
        {1, 0, 1, 1, TRUE, "Model", .box = box},  {1, 1, 1, 1, TRUE, "dev", .box = box},
        {1, 2, 1, 1, TRUE, "test", .box = box},   {2, 0, 1, 3, FALSE, "Small models", .box = box},
        {3, 0, 1, 1, FALSE, "first", .box = box}, {3, 1, 1, 1, FALSE, "0.5", .box = box},
        {3, 2, 1, 1, FALSE, "", .box = box}};
    layout_table table = {
        .block = block, .caption = LAYOUT_NONE, .n_rows = 4, .n_cols = 3, .n_header_rows = 2};
    layout_builder_add_table(w.builder, &table, cells, G_N_ELEMENTS(cells));
    g_autoptr(lode_document) document = writer_finish(&w, "T", "00");
    g_autoptr(GPtrArray) chunks = retrieval_chunk_document(document, NULL);
    assert_int_equal(chunks->len, 1);
    assert_string_equal(chunk_at(chunks, 0)->text, "Score\nModel | dev | test\nSmall models\n"
                                                   "Small models | Model: first | Score dev: 0.5");
}

static void
a_cell_as_long_as_a_page_is_cut(void **state)
{
    (void)state;
    writer w = writer_start();
    const int block = writer_add(&w, LAYOUT_BLOCK_TABLE, 0, "cells");
    const layout_box box = {0, {0, 0, 10, 10}};
    g_autoptr(GString) words = g_string_new("start");
    for (guint i = 0; i < 900; i++)
        g_string_append_printf(words, " word%u", i);
    const layout_cell cells[] = {{0, 0, 1, 1, TRUE, "Name", .box = box},
                                 {0, 1, 1, 1, TRUE, "Text", .box = box},
                                 {1, 0, 1, 1, FALSE, "first", .box = box},
                                 {1, 1, 1, 1, FALSE, words->str, .box = box}};
    layout_table table = {
        .block = block, .caption = LAYOUT_NONE, .n_rows = 2, .n_cols = 2, .n_header_rows = 1};
    layout_builder_add_table(w.builder, &table, cells, G_N_ELEMENTS(cells));
    g_autoptr(lode_document) document = writer_finish(&w, "T", "00");
    g_autoptr(GPtrArray) chunks = retrieval_chunk_document(document, NULL);
    assert_true(chunks->len > 2);
    g_autoptr(GString) all = g_string_new(NULL);
    for (guint i = 0; i < chunks->len; i++) {
        const retrieval_chunk *chunk = chunk_at(chunks, i);
        assert_true(retrieval_count_tokens(chunk->text, strlen(chunk->text)) <= 330);
        for (guint k = 0; k < chunk->places->len; k++) {
            const retrieval_place *p = &g_array_index(chunk->places, retrieval_place, k);
            if (p->col == 2 && p->row == 2)
                g_string_append_len(all, chunk->text + p->start, p->len);
        }
    }
    assert_string_equal(all->str, words->str);
}

static void
a_formula_is_a_chunk_with_the_sentences_around_it(void **state)
{
    (void)state;
    writer w = writer_start();
    writer_add(&w, LAYOUT_BLOCK_PARAGRAPH, 0, "We begin. The energy is");
    const int block = writer_add(&w, LAYOUT_BLOCK_FORMULA, 0, "E = mc2");
    writer_add(&w, LAYOUT_BLOCK_PARAGRAPH, 0, "where m is the mass. We end.");
    layout_formula formula = {
        .block = block, .latex = "E = mc^{2}", .number = "3", .confidence = 1};
    layout_builder_add_formula(w.builder, &formula);
    g_autoptr(lode_document) document = writer_finish(&w, "T", "00");
    g_autoptr(GPtrArray) chunks = retrieval_chunk_document(document, NULL);
    assert_int_equal(chunks->len, 2);
    assert_int_equal(chunk_at(chunks, 0)->type, LAYOUT_BLOCK_PARAGRAPH);
    assert_int_equal(chunk_at(chunks, 1)->type, LAYOUT_BLOCK_FORMULA);
    assert_string_equal(chunk_at(chunks, 1)->text,
                        "The energy is\n\nE = mc^{2} (3)\n\nwhere m is the mass.");
}

static void
a_figure_caption_and_a_footnote_stand_alone(void **state)
{
    (void)state;
    writer w = writer_start();
    writer_add(&w, LAYOUT_BLOCK_PARAGRAPH, 0, "The text");
    writer_add(&w, LAYOUT_BLOCK_CAPTION, 0, "Figure 2: A cell.");
    writer_add(&w, LAYOUT_BLOCK_FOOTNOTE, 0, "Funded by nobody.");
    writer_add(&w, LAYOUT_BLOCK_PAGE_NUMBER, 0, "17");
    writer_add(&w, LAYOUT_BLOCK_PARAGRAPH, 0, "goes on.");
    g_autoptr(lode_document) document = writer_finish(&w, "T", "00");
    g_autoptr(GPtrArray) chunks = retrieval_chunk_document(document, NULL);
    assert_int_equal(chunks->len, 3);
    assert_string_equal(chunk_at(chunks, 0)->text, "The text\n\ngoes on.");
    assert_int_equal(chunk_at(chunks, 1)->type, LAYOUT_BLOCK_CAPTION);
    assert_int_equal(chunk_at(chunks, 2)->type, LAYOUT_BLOCK_FOOTNOTE);
    assert_int_equal(find_chunk(chunks, "17"), -1);
}

static void
the_bibliography_is_left_out(void **state)
{
    (void)state;
    writer w = writer_start();
    writer_add(&w, LAYOUT_BLOCK_HEADING, 1, "5 End");
    writer_add(&w, LAYOUT_BLOCK_PARAGRAPH, 0, "We end.");
    writer_add(&w, LAYOUT_BLOCK_HEADING, 1, "References");
    writer_add(&w, LAYOUT_BLOCK_REFERENCE, 0, "Doe, J. 1999.");
    g_autoptr(lode_document) document = writer_finish(&w, "T", "00");
    g_autoptr(GPtrArray) chunks = retrieval_chunk_document(document, NULL);
    assert_int_equal(chunks->len, 1);
    assert_string_equal(chunk_at(chunks, 0)->text, "We end.");
}

static void
a_heading_with_nothing_under_it_is_kept(void **state)
{
    (void)state;
    writer w = writer_start();
    writer_add(&w, LAYOUT_BLOCK_HEADING, 1, "1 Parts");
    writer_add(&w, LAYOUT_BLOCK_HEADING, 2, "Lonely line in bold");
    writer_add(&w, LAYOUT_BLOCK_HEADING, 2, "1.1 Part");
    writer_add(&w, LAYOUT_BLOCK_PARAGRAPH, 0, "Text.");
    writer_add(&w, LAYOUT_BLOCK_HEADING, 1, "The end");
    g_autoptr(lode_document) document = writer_finish(&w, "T", "00");
    g_autoptr(GPtrArray) chunks = retrieval_chunk_document(document, NULL);
    assert_int_equal(chunks->len, 3);
    assert_string_equal(chunk_at(chunks, 0)->text, "Lonely line in bold");
    assert_string_equal(chunk_at(chunks, 0)->section, "1 Parts");
    assert_string_equal(chunk_at(chunks, 1)->section, "1 Parts > 1.1 Part");
    assert_string_equal(chunk_at(chunks, 2)->text, "The end");
    assert_string_equal(chunk_at(chunks, 2)->section, "");
}

static void
an_empty_document_has_no_chunks(void **state)
{
    (void)state;
    writer w = writer_start();
    writer_add(&w, LAYOUT_BLOCK_PARAGRAPH, 0, " \xc2\xa0 ");
    writer_add(&w, LAYOUT_BLOCK_TABLE, 0, "");
    g_autoptr(lode_document) document = writer_finish(&w, NULL, "00");
    g_autoptr(GPtrArray) chunks = retrieval_chunk_document(document, NULL);
    assert_int_equal(chunks->len, 0);
}

/* ---- properties of any document ---- */

/* Headings outside the stretch of blocks that a chunk of running text covers. */
static void
check_no_heading_inside(const lode_document *document, const retrieval_chunk *chunk)
{
    if (chunk->type == LAYOUT_BLOCK_HEADING) return;
    for (int b = chunk->first_block; b <= chunk->last_block; b++)
        assert_int_not_equal(document->blocks[b].type, LAYOUT_BLOCK_HEADING);
}

static void
check_length(const retrieval_chunk *chunk, guint max_tokens)
{
    const gboolean kept_whole = chunk->type == LAYOUT_BLOCK_TABLE ||
                                chunk->type == LAYOUT_BLOCK_CAPTION ||
                                chunk->type == LAYOUT_BLOCK_FORMULA;
    const guint n = retrieval_count_tokens(chunk->text, strlen(chunk->text));
    if (!kept_whole && n > max_tokens) print_error("%u tokens: %s\n", n, chunk->text);
    assert_true(kept_whole || n <= max_tokens);
}

/* Every sentence of the block stands in one chunk. */
static void
check_block_is_covered(const lode_document *document, guint b, const GPtrArray *chunks,
                       guint max_tokens)
{
    const layout_block *block = &document->blocks[b];
    if (block->type == LAYOUT_BLOCK_HEADING) {
        assert_true(find_chunk(chunks, block->text) >= 0 ||
                    strcmp(block->text, "References") == 0 ||
                    stands_in_some_section(chunks, block->text));
        return;
    }
    g_autoptr(GArray) ends = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    if (block->type == LAYOUT_BLOCK_CODE)
        g_array_append_val(ends, block->text_len); /* one line */
    else
        retrieval_split_sentences(block->text, block->text_len, ends);
    uint32_t start = 0;
    for (guint i = 0; i < ends->len; i++) {
        const uint32_t end = g_array_index(ends, uint32_t, i);
        g_autofree char *sentence = g_strndup(block->text + start, end - start);
        g_strstrip(sentence);
        if (retrieval_count_tokens(sentence, strlen(sentence)) + 8 < max_tokens)
            assert_true(find_chunk(chunks, sentence) >= 0);
        start = end;
    }
}

static void
any_document_is_covered_and_cut_within_its_limits(void **state)
{
    (void)state;
    for (guint32 seed = 0; seed < 150; seed++) {
        g_autoptr(lode_document) document = random_document(seed);
        retrieval_chunk_options options = retrieval_chunk_options_default();
        if (seed % 3 == 1) options = (retrieval_chunk_options){20, 30};
        if (seed % 3 == 2) options = (retrieval_chunk_options){60, 60};
        g_autoptr(GPtrArray) chunks = retrieval_chunk_document(document, &options);
        int last = 0;
        for (guint i = 0; i < chunks->len; i++) {
            const retrieval_chunk *chunk = chunk_at(chunks, i);
            assert_true(*chunk->text);
            assert_true(g_utf8_validate(chunk->text, -1, NULL));
            assert_true(chunk->first_block >= last && chunk->last_block >= chunk->first_block);
            last = chunk->first_block;
            assert_true(chunk->boxes->len > 0);
            for (guint j = 0; j < chunk->boxes->len; j++) {
                const layout_box *box = &g_array_index(chunk->boxes, layout_box, j);
                assert_in_range(box->page, chunk->first_page, chunk->last_page);
            }
            check_no_heading_inside(document, chunk);
            check_length(chunk, options.max_tokens);
        }
        for (guint b = 0; b < document->n_blocks; b++) {
            const layout_block_type type = document->blocks[b].type;
            if (layout_block_type_is_furniture(type) || type == LAYOUT_BLOCK_REFERENCE) continue;
            check_block_is_covered(document, b, chunks, options.max_tokens);
        }
        for (guint c = 0; c < document->n_cells; c++)
            assert_true(find_chunk(chunks, document->cells[c].text) >= 0);
    }
}

static void
text_without_spaces_or_stops_is_cut_all_the_same(void **state)
{
    (void)state;
    g_autoptr(GString) text = g_string_new(NULL);
    for (int i = 0; i < 20000; i++)
        g_string_append(text, i % 2 ? "\xe7\x8c\xab" : "x");
    writer w = writer_start();
    writer_add(&w, LAYOUT_BLOCK_LIST_ITEM, 0, text->str);
    g_autoptr(lode_document) document = writer_finish(&w, "T", "00");
    const retrieval_chunk_options options = {0, 0}; /* nonsense is raised to the least that works */
    g_autoptr(GPtrArray) chunks = retrieval_chunk_document(document, &options);
    g_autoptr(GString) joined = g_string_new(NULL);
    for (guint i = 0; i < chunks->len; i++) {
        const char *part = chunk_at(chunks, i)->text;
        assert_true(retrieval_count_tokens(part, strlen(part)) <= 16);
        g_string_append(joined, part);
    }
    /* overlaps repeat, nothing is missing */
    assert_true(joined->len >= text->len);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_paragraphs_share_a_chunk_and_its_section),
        cmocka_unit_test(a_long_paragraph_is_cut_at_sentences_that_overlap),
        cmocka_unit_test(boxes_are_those_of_the_lines_in_the_chunk),
        cmocka_unit_test(places_say_where_each_stretch_of_the_chunk_stands),
        cmocka_unit_test(a_formula_stays_with_the_text_around_it),
        cmocka_unit_test(a_small_table_is_one_chunk_of_its_rows),
        cmocka_unit_test(a_big_table_is_split_by_rows_with_caption_and_headers),
        cmocka_unit_test(cells_know_where_they_stand),
        cmocka_unit_test(a_row_of_words_alone_heads_those_below),
        cmocka_unit_test(a_cell_as_long_as_a_page_is_cut),
        cmocka_unit_test(a_formula_is_a_chunk_with_the_sentences_around_it),
        cmocka_unit_test(a_figure_caption_and_a_footnote_stand_alone),
        cmocka_unit_test(the_bibliography_is_left_out),
        cmocka_unit_test(a_heading_with_nothing_under_it_is_kept),
        cmocka_unit_test(an_empty_document_has_no_chunks),
        cmocka_unit_test(any_document_is_covered_and_cut_within_its_limits),
        cmocka_unit_test(text_without_spaces_or_stops_is_cut_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

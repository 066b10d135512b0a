/* A table -> chunks of its rows.
 *
 *     Table 2: Scores of both models.            its caption, before every chunk of it
 *
 *     Model: first | Recall: 0.91                one line a row: each cell behind its column's header, so that a
 *     Model: second | Recall: 0.72               question meets the words that it is asked with
 *
 * The header's own rows stand before the first row, as they are printed. A row that is a heading of those below it
 * ("Panel B: women") begins each of them. Rows are kept whole where they fit; of one that is too long each part
 * begins with the row's first cell. Only what is printed in cells has places. */
#include "retrieval/chunk.h"

#include <string.h>

#include "retrieval/sentences.h"

enum { MAX_HEADER_TOKENS = 24, MAX_CAPTION_TOKENS = 64, MIN_ROOM = 32 };

typedef struct {
    const lode_document *document;
    const layout_table *table;
    const retrieval_table_frame *frame;
    guint n_header;         /* rows */
    GPtrArray *headers;     /* [n_cols] char *: of each column, "" where none */
    const layout_cell **at; /* [n_cols] the cell that covers each place of the row in hand */
    const layout_cell *group;
    GPtrArray *chunks;
    retrieval_chunk *chunk; /* in the making, NULL: none */
    GString *text;
    guint n_tokens;
    gboolean has_rows;
} tabler;

/* A cell that no box was found for is left to the table's own. */
static gboolean
has_area(const layout_box *box)
{
    return box->rect.x1 > box->rect.x0 && box->rect.y1 > box->rect.y0;
}

static guint
count(const char *text)
{
    return retrieval_count_tokens(text, strlen(text));
}

/* ---- headers ---- */

static gboolean
is_number(const char *text)
{
    guint digits = 0, letters = 0;
    for (; *text != '\0'; text = g_utf8_next_char(text)) {
        const gunichar c = g_utf8_get_char(text);
        digits += g_unichar_isdigit(c) ? 1 : 0;
        letters += g_unichar_isalpha(c) ? 1 : 0;
    }
    return digits > 0 && letters <= digits;
}

/* Rows of words over columns of numbers are headers, marked or not. */
static guint
count_header_rows(const tabler *t)
{
    const layout_table *table = t->table;
    if (table->n_header_rows > 0) return MIN(table->n_header_rows, table->n_rows);
    guint words = 0, numbers = 0, below = 0, all = 0;
    for (guint i = 0; i < table->n_cells; i++) {
        const layout_cell *cell = &t->document->cells[table->first_cell + i];
        if (cell->text[0] == '\0' || (cell->col == 0 && cell->row > 0)) continue;
        const gboolean number = is_number(cell->text);
        if (cell->row == 0) {
            *(number ? &numbers : &words) += 1;
        } else {
            below += number ? 1 : 0;
            all++;
        }
    }
    return table->n_rows > 1 && words >= 2 && numbers == 0 && 2 * below > all ? 1 : 0;
}

static void
read_headers(tabler *t)
{
    const layout_table *table = t->table;
    g_autoptr(GPtrArray) parts = g_ptr_array_new();
    for (guint c = 0; c < table->n_cols; c++)
        g_ptr_array_add(parts, g_string_new(NULL));
    for (guint i = 0; i < table->n_cells; i++) {
        const layout_cell *cell = &t->document->cells[table->first_cell + i];
        if (cell->row >= t->n_header || cell->text[0] == '\0') continue;
        for (guint c = cell->col; c < cell->col + cell->col_span; c++) {
            GString *header = parts->pdata[c];
            if (header->len > 0) g_string_append_c(header, ' ');
            g_string_append(header, cell->text);
        }
    }
    for (guint c = 0; c < table->n_cols; c++) {
        GString *header = parts->pdata[c];
        const uint32_t len = (uint32_t)MIN(header->len, 1 << 16);
        if (retrieval_count_tokens(header->str, len) > MAX_HEADER_TOKENS)
            g_string_truncate(header, retrieval_cut_tokens(header->str, len, MAX_HEADER_TOKENS));
        g_strdelimit(g_strchomp(header->str), "\n\r\t", ' ');
        g_ptr_array_add(t->headers, g_string_free(header, FALSE));
    }
}

/* ---- chunks ---- */

static void
end_chunk(tabler *t)
{
    if (t->chunk == NULL) return;
    const layout_block *block = &t->document->blocks[t->table->block];
    gboolean any = FALSE;
    for (guint i = 0; i < t->chunk->places->len && !any; i++)
        any = g_array_index(t->chunk->places, retrieval_place, i).row > 0;
    for (guint i = 0; !any && i < block->n_boxes; i++) {
        retrieval_place place = {.len = (uint32_t)t->text->len,
                                 .block = t->table->block,
                                 .box = t->document->boxes[block->first_box + i]};
        retrieval_chunk_add_place(t->chunk, &place);
    }
    while (t->text->len > 0 && t->text->str[t->text->len - 1] == '\n')
        g_string_truncate(t->text, t->text->len - 1);
    t->chunk->text = g_string_free(g_steal_pointer(&t->text), FALSE);
    t->chunk->section = g_strdup(t->frame->section);
    g_ptr_array_add(t->chunks, g_steal_pointer(&t->chunk));
}

/* Behind the first, of a long caption only as much as tells what the table is about. */
static void
begin_chunk(tabler *t)
{
    const retrieval_table_frame *frame = t->frame;
    t->chunk = retrieval_chunk_new(LAYOUT_BLOCK_TABLE);
    t->chunk->first_block = frame->first_block;
    t->chunk->last_block = frame->last_block;
    t->text = g_string_new(frame->caption);
    for (guint i = 0; i < frame->places->len; i++)
        retrieval_chunk_add_place(t->chunk, &g_array_index(frame->places, retrieval_place, i));
    if (t->chunks->len > t->frame->n_before &&
        retrieval_count_tokens(t->text->str, (uint32_t)t->text->len) > MAX_CAPTION_TOKENS) {
        const uint32_t len =
            retrieval_cut_tokens(t->text->str, (uint32_t)t->text->len, MAX_CAPTION_TOKENS);
        retrieval_chunk_cut(t->chunk, t->text, len);
    }
    if (t->text->len > 0) g_string_append(t->text, "\n\n");
    t->n_tokens = count(t->text->str);
    t->has_rows = FALSE;
}

static void
append_cell(tabler *t, const layout_cell *cell, guint row, const char *header, uint32_t from,
            uint32_t len)
{
    if (t->text->len > 0 && t->text->str[t->text->len - 1] != '\n') g_string_append(t->text, " | ");
    if (header != NULL && header[0] != '\0') g_string_append_printf(t->text, "%s: ", header);
    retrieval_place place = {.start = (uint32_t)t->text->len,
                             .len = len,
                             .block = t->table->block,
                             .row = row + 1,
                             .col = cell->col + 1,
                             .box = cell->box};
    g_string_append_len(t->text, cell->text + from, (gssize)len);
    /* a line is a row, whatever a cell holds */
    g_strdelimit(t->text->str + place.start, "\n\r", ' ');
    if (has_area(&cell->box)) retrieval_chunk_add_place(t->chunk, &place);
}

static guint
cell_tokens(const layout_cell *cell, const char *header)
{
    return count(cell->text) + (header != NULL ? count(header) : 0);
}

static const char *
header_of(const tabler *t, const layout_cell *cell)
{
    return t->headers->pdata[cell->col];
}

/* Ends the line; the next begins with what tells its row. */
static void
end_line(tabler *t)
{
    g_string_append_c(t->text, '\n');
    t->has_rows = TRUE;
}

static void
begin_line(tabler *t, const layout_cell *stub, guint row)
{
    if (t->group != NULL)
        append_cell(t, t->group, t->group->row, NULL, 0, (uint32_t)strlen(t->group->text));
    if (stub != NULL)
        append_cell(t, stub, row, header_of(t, stub), 0, (uint32_t)strlen(stub->text));
}

/* A cell that is longer than a chunk has room for goes on in the next ones. */
static void
append_long_cell(tabler *t, const layout_cell *cell, const layout_cell *stub, guint row)
{
    const uint32_t len = (uint32_t)strlen(cell->text);
    for (uint32_t from = 0; from < len;) {
        const guint room = t->frame->max_tokens > t->n_tokens + MIN_ROOM
                               ? t->frame->max_tokens - t->n_tokens
                               : MIN_ROOM;
        uint32_t n = retrieval_cut_tokens(cell->text + from, len - from, room);
        append_cell(t, cell, row, header_of(t, cell), from, n);
        from += n;
        if (from >= len) break;
        end_line(t);
        end_chunk(t);
        begin_chunk(t);
        begin_line(t, stub != cell ? stub : NULL, row);
    }
    t->n_tokens = count(t->text->str);
}

/* A row that is longer than a chunk may be: cell by cell. */
static void
append_long_row(tabler *t, const layout_cell *const *cells, guint n, guint row)
{
    enum { SHORT = 40 }; /* tokens of a first cell that is worth repeating */
    const layout_cell *stub =
        n > 1 && cell_tokens(cells[0], header_of(t, cells[0])) <= SHORT ? cells[0] : NULL;
    for (guint i = 0; i < n; i++) {
        const guint tokens = cell_tokens(cells[i], header_of(t, cells[i]));
        if (i > 0 && t->n_tokens + tokens > t->frame->target_tokens) {
            end_line(t);
            end_chunk(t);
            begin_chunk(t);
            begin_line(t, stub, row);
            t->n_tokens = count(t->text->str);
        }
        if (t->n_tokens + tokens > t->frame->max_tokens) {
            append_long_cell(t, cells[i], stub, row);
        } else {
            append_cell(t, cells[i], row, header_of(t, cells[i]), 0,
                        (uint32_t)strlen(cells[i]->text));
            t->n_tokens += tokens;
        }
    }
    end_line(t);
}

static void
append_row(tabler *t, const layout_cell *const *cells, guint n, guint row)
{
    const guint target = t->frame->target_tokens, max = t->frame->max_tokens;
    guint tokens = t->group != NULL ? count(t->group->text) : 0;
    for (guint i = 0; i < n; i++)
        tokens += cell_tokens(cells[i], header_of(t, cells[i]));
    if (t->chunk != NULL && t->has_rows && t->n_tokens + tokens > target) end_chunk(t);
    if (t->chunk == NULL) begin_chunk(t);
    begin_line(t, NULL, row);
    if (t->n_tokens + tokens > max) {
        append_long_row(t, cells, n, row);
        return;
    }
    for (guint i = 0; i < n; i++)
        append_cell(t, cells[i], row, header_of(t, cells[i]), 0, (uint32_t)strlen(cells[i]->text));
    end_line(t);
    t->n_tokens += tokens;
}

/* ---- rows ---- */

/* The cells with text that cover a row, from left to right; at: [n_cols], kept from row to row. */
static guint
row_cells(tabler *t, guint *next, guint row, const layout_cell **cells)
{
    const layout_table *table = t->table;
    for (; *next < table->n_cells; (*next)++) {
        const layout_cell *cell = &t->document->cells[table->first_cell + *next];
        if (cell->row > row) break;
        for (guint c = cell->col; c < cell->col + cell->col_span; c++)
            t->at[c] = cell;
    }
    guint n = 0;
    for (guint c = 0; c < table->n_cols; c++) {
        const layout_cell *cell = t->at[c];
        if (cell == NULL || cell->col != c || cell->row + cell->row_span <= row ||
            cell->text[0] == '\0')
            continue;
        cells[n++] = cell;
    }
    return n;
}

/* A header's row as it is printed. */
static void
append_header(tabler *t, const layout_cell *const *cells, guint n, guint row)
{
    if (t->chunk == NULL) begin_chunk(t);
    for (guint i = 0; i < n; i++) {
        if (cells[i]->row != row) continue;
        const guint tokens = count(cells[i]->text);
        if (t->n_tokens + tokens > t->frame->max_tokens && t->has_rows) {
            end_line(t);
            end_chunk(t);
            begin_chunk(t);
        }
        append_cell(t, cells[i], row, NULL, 0, (uint32_t)strlen(cells[i]->text));
        t->n_tokens += tokens;
    }
    if (t->text->len > 0 && t->text->str[t->text->len - 1] != '\n')
        g_string_append_c(t->text, '\n');
}

/* Words alone in a row of several columns, at its left or over it. */
static gboolean
is_group(const tabler *t, const layout_cell *const *cells, guint n, guint row)
{
    return n == 1 && t->table->n_cols >= 3 && cells[0]->row == row && cells[0]->row_span == 1 &&
           cells[0]->col == 0 && !is_number(cells[0]->text) &&
           count(cells[0]->text) <= MAX_HEADER_TOKENS;
}

/* The line of such a row; it begins those of the rows below, too. */
static void
append_group(tabler *t, const layout_cell *cell, guint row)
{
    const guint tokens = count(cell->text);
    t->group = NULL;
    if (t->chunk != NULL && t->has_rows && t->n_tokens + tokens > t->frame->target_tokens)
        end_chunk(t);
    if (t->chunk == NULL) begin_chunk(t);
    append_cell(t, cell, row, NULL, 0, (uint32_t)strlen(cell->text));
    end_line(t);
    t->n_tokens += tokens;
    t->group = cell;
}

void
retrieval_chunk_table(GPtrArray *chunks, const lode_document *document, const layout_table *table,
                      const retrieval_table_frame *frame)
{
    tabler t = {.document = document,
                .table = table,
                .frame = frame,
                .headers = g_ptr_array_new_with_free_func(g_free),
                .at = g_new0(const layout_cell *, table->n_cols + 1),
                .chunks = chunks};
    g_autofree const layout_cell **cells = g_new(const layout_cell *, table->n_cols + 1);
    guint next = 0;
    t.n_header = count_header_rows(&t);
    read_headers(&t);
    for (guint row = 0; row < table->n_rows; row++) {
        const guint n = row_cells(&t, &next, row, cells);
        if (n == 0) continue;
        if (row < t.n_header) {
            append_header(&t, cells, n, row);
        } else if (is_group(&t, cells, n, row)) {
            append_group(&t, cells[0], row);
        } else {
            append_row(&t, cells, n, row);
        }
    }
    if (t.chunk == NULL && frame->caption[0] != '\0') begin_chunk(&t);
    end_chunk(&t);
    g_ptr_array_unref(t.headers);
    g_free(t.at);
}

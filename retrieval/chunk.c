/* Documents -> chunks.
 *
 * The reading order is cut into flows: stretches of running text under one heading. A table, figure
 * caption or footnote that floats in a flow does not interrupt it and becomes a chunk of its own. A flow
 * is packed block by block, so that a chunk is whole paragraphs where they fit; a paragraph too long for
 * one chunk is cut at sentence ends and its parts overlap by a sentence, so that what refers back
 * ("This shows ...") keeps what it refers to. A display formula goes with the text around it, for alone it
 * answers no question; with the sentences next to it, it is a chunk of its own as well, to be found as one. */
#include "retrieval/chunk.h"

#include <string.h>

#include "retrieval/places.h"
#include "retrieval/sentences.h"

retrieval_chunk_options
retrieval_chunk_options_default(void)
{
    return (retrieval_chunk_options){.target_tokens = 220, .max_tokens = 320};
}

retrieval_chunk *
retrieval_chunk_new(layout_block_type type)
{
    retrieval_chunk *chunk = g_new0(retrieval_chunk, 1);
    chunk->type = type;
    chunk->boxes = g_array_new(FALSE, FALSE, sizeof(layout_box));
    chunk->places = g_array_new(FALSE, FALSE, sizeof(retrieval_place));
    return chunk;
}

void
retrieval_chunk_free(retrieval_chunk *chunk)
{
    if (!chunk) return;
    g_free(chunk->text);
    g_free(chunk->section);
    g_array_unref(chunk->boxes);
    g_array_unref(chunk->places);
    g_free(chunk);
}

char *
retrieval_chunk_context(const char *title, const char *section, const char *text)
{
    GString *context = g_string_new(NULL);
    const char *const parts[] = {title, section, text};
    for (gsize i = 0; i < G_N_ELEMENTS(parts); i++) {
        if (!parts[i] || !*parts[i]) continue;
        if (context->len > 0) g_string_append_c(context, '\n');
        g_string_append(context, parts[i]);
    }
    return g_string_free(context, FALSE);
}

/* A stretch of a block's text. */
typedef struct {
    int block;
    uint32_t start, end;
    guint n_tokens;
} piece;

typedef struct {
    int level;
    char *text;
} heading;

/* What may stand together in a flow. */
typedef enum { FLOW_NONE, FLOW_FRONT, FLOW_ABSTRACT, FLOW_BODY } flow_kind;

typedef struct {
    const lode_document *document;
    retrieval_chunk_options options;
    GPtrArray *chunks; /* result */
    GArray *headings;  /* of heading: the path to here */
    int bare_heading;  /* a heading that nothing has followed yet, LAYOUT_NONE */
    GArray *flow;      /* of int: blocks of the flow that is being read */
    flow_kind kind;
    GArray *pieces;     /* of piece: the chunk that is being packed */
    guint n_tokens;     /* of pieces */
    char *section;      /* of the flow that is being packed */
    int *caption_of;    /* [n_blocks] first caption of a table, LAYOUT_NONE */
    int *next_caption;  /* [n_blocks] the same table's next caption, LAYOUT_NONE */
    gboolean *is_taken; /* [n_blocks] captions that go with their table */
} chunker;

static void
heading_clear(gpointer data)
{
    g_free(((heading *)data)->text);
}

static const layout_block *
block_at(const chunker *c, int index)
{
    return &c->document->blocks[index];
}

static gboolean
is_blank(const char *text)
{
    while (*text && g_unichar_isspace(g_utf8_get_char(text)))
        text = g_utf8_next_char(text);
    return *text == '\0';
}

/* ---- making a chunk ---- */

/* Returns where bytes begin in text. */
static uint32_t
append_paragraph(GString *text, const char *marker, const char *bytes, size_t len)
{
    while (len > 0 && g_ascii_isspace(bytes[len - 1]))
        len--;
    if (text->len > 0) g_string_append(text, "\n\n");
    if (marker && *marker) g_string_append_printf(text, "%s ", marker);
    const uint32_t at = (uint32_t)text->len;
    g_string_append_len(text, bytes, (gssize)len);
    return at;
}

void
retrieval_chunk_add_place(retrieval_chunk *chunk, const retrieval_place *place)
{
    retrieval_place kept = *place;
    const layout_box *box = &kept.box;
    kept.box = retrieval_box_on_grid(&place->box);
    if (chunk->boxes->len == 0) chunk->first_page = chunk->last_page = box->page;
    chunk->first_page = MIN(chunk->first_page, box->page);
    chunk->last_page = MAX(chunk->last_page, box->page);
    g_array_append_vals(chunk->boxes, box, 1);
    g_array_append_val(chunk->places, kept);
}

void
retrieval_chunk_cut(retrieval_chunk *chunk, GString *text, uint32_t len)
{
    g_string_truncate(text, len);
    guint kept = 0;
    for (guint i = 0; i < chunk->places->len; i++) {
        retrieval_place place = g_array_index(chunk->places, retrieval_place, i);
        if (place.start >= len) continue;
        place.len = MIN(place.len, len - place.start);
        g_array_index(chunk->boxes, layout_box, kept) = place.box;
        g_array_index(chunk->places, retrieval_place, kept++) = place;
    }
    g_array_set_size(chunk->boxes, kept);
    g_array_set_size(chunk->places, kept);
}

/* Places of the lines that hold some of [start, end) of a block, or the block's own where it has no lines. The
 * stretch stands in the chunk from `at` on, and the chunk's text ends there at n_text. */
static void
add_places(const chunker *c, retrieval_chunk *chunk, int index, uint32_t start, uint32_t end,
           uint32_t at, gsize n_text)
{
    const layout_block *block = block_at(c, index);
    const uint32_t room = (uint32_t)n_text - at; /* white space at the end is left out */
    for (guint i = 0; i < block->n_lines; i++) {
        const layout_line *line = &c->document->lines[block->first_line + i];
        if (line->start >= end || line->start + line->len <= start) continue;
        const uint32_t from = MAX(line->start, start), to = MIN(line->start + line->len, end);
        retrieval_place place = {.start = at + MIN(from - start, room),
                                 .len = MIN(to - start, room) - MIN(from - start, room),
                                 .block = index,
                                 .block_start = from,
                                 .box = line->box};
        retrieval_chunk_add_place(chunk, &place);
    }
    if (block->n_lines > 0) return;
    for (guint i = 0; i < block->n_boxes; i++) {
        retrieval_place place = {.start = at,
                                 .len = MIN(end - start, room),
                                 .block = index,
                                 .block_start = start,
                                 .box = c->document->boxes[block->first_box + i]};
        retrieval_chunk_add_place(chunk, &place);
    }
}

static void
take_chunk(chunker *c, retrieval_chunk *chunk, GString *text, const char *section)
{
    chunk->text = g_string_free(text, FALSE);
    chunk->section = g_strdup(section);
    g_ptr_array_add(c->chunks, chunk);
}

/* "3 Methods > 3.2 Training" */
static char *
section_path(const chunker *c)
{
    GString *path = g_string_new(NULL);
    for (guint i = 0; i < c->headings->len; i++)
        g_string_append_printf(path, "%s%s", i > 0 ? " > " : "",
                               g_array_index(c->headings, heading, i).text);
    return g_string_free(path, FALSE);
}

/* The pieces so far become a chunk. */
static void
flush_pieces(chunker *c)
{
    if (c->pieces->len == 0) return;
    const piece *first = &g_array_index(c->pieces, piece, 0);
    const piece *last = &g_array_index(c->pieces, piece, c->pieces->len - 1);
    retrieval_chunk *chunk = retrieval_chunk_new(block_at(c, first->block)->type);
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < c->pieces->len; i++) {
        const piece *p = &g_array_index(c->pieces, piece, i);
        const layout_block *block = block_at(c, p->block);
        if (block->type != chunk->type) chunk->type = LAYOUT_BLOCK_PARAGRAPH;
        const uint32_t at = append_paragraph(text, p->start == 0 ? block->marker : NULL,
                                             block->text + p->start, p->end - p->start);
        add_places(c, chunk, p->block, p->start, p->end, at, text->len);
    }
    chunk->first_block = first->block;
    chunk->last_block = last->block;
    take_chunk(c, chunk, text, c->section);
    g_array_set_size(c->pieces, 0);
    c->n_tokens = 0;
}

static void
add_piece(chunker *c, const piece *p)
{
    piece *last = c->pieces->len > 0 ? &g_array_index(c->pieces, piece, c->pieces->len - 1) : NULL;
    c->n_tokens += p->n_tokens;
    if (last && last->block == p->block && last->end == p->start) { /* the next sentence */
        last->end = p->end;
        last->n_tokens += p->n_tokens;
    } else {
        g_array_append_vals(c->pieces, p, 1);
    }
}

/* ---- cutting a block ---- */

static piece
piece_new(const chunker *c, int index, uint32_t start, uint32_t end)
{
    const layout_block *block = block_at(c, index);
    guint n = retrieval_count_tokens(block->text + start, end - start);
    if (start == 0 && block->marker)
        n += retrieval_count_tokens(block->marker, strlen(block->marker));
    return (piece){.block = index, .start = start, .end = end, .n_tokens = n};
}

/* Sentences of a block, lines of code; none longer than max_tokens. GArray of piece. */
static GArray *
split_block(const chunker *c, int index)
{
    const layout_block *block = block_at(c, index);
    g_autoptr(GArray) ends = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    GArray *pieces = g_array_new(FALSE, FALSE, sizeof(piece));
    if (block->type == LAYOUT_BLOCK_CODE) {
        for (uint32_t i = 0; i < block->text_len; i++) {
            uint32_t end = i + 1;
            if (block->text[i] == '\n' || end == block->text_len) g_array_append_val(ends, end);
        }
    } else {
        retrieval_split_sentences(block->text, block->text_len, ends);
    }
    uint32_t start = 0;
    for (guint i = 0; i < ends->len; i++) {
        const uint32_t end = g_array_index(ends, uint32_t, i);
        while (start < end) {
            piece p = piece_new(c, index, start, end);
            if (p.n_tokens > c->options.max_tokens) {
                /* leave room for a marker */
                guint room = c->options.max_tokens - MIN(8, c->options.max_tokens / 2);
                p = piece_new(c, index, start,
                              start + retrieval_cut_tokens(block->text + start, end - start, room));
            }
            g_array_append_val(pieces, p);
            start = p.end;
        }
    }
    return pieces;
}

/* Put block [index] into chunks sentence by sentence. */
static void
pack_sentences(chunker *c, int index)
{
    const guint target = c->options.target_tokens, max = c->options.max_tokens;
    g_autoptr(GArray) sentences = split_block(c, index);
    guint n_left = 0;
    for (guint i = 0; i < sentences->len; i++)
        n_left += g_array_index(sentences, piece, i).n_tokens;

    for (guint i = 0; i < sentences->len; i++) {
        const piece *p = &g_array_index(sentences, piece, i);
        const gboolean fits = c->n_tokens + p->n_tokens <= target;
        const gboolean all_fits = c->n_tokens + n_left <= max; /* no stub for the last few words */
        if (!fits && !all_fits && c->pieces->len > 0) {
            const piece *before = i > 0 ? &g_array_index(sentences, piece, i - 1) : NULL;
            flush_pieces(c);
            if (before && before->n_tokens <= target / 3 && before->n_tokens + p->n_tokens <= max)
                add_piece(c, before);
        }
        add_piece(c, p);
        n_left -= p->n_tokens;
    }
}

/* The last sentence of the chunk so far begins the next one. For a formula that no longer fits. */
static void
flush_keeping_last_sentence(chunker *c, guint n_more)
{
    const piece last = g_array_index(c->pieces, piece, c->pieces->len - 1);
    g_autoptr(GArray) sentences = split_block(c, last.block);
    flush_pieces(c);
    for (guint i = sentences->len; i-- > 0;) {
        const piece *p = &g_array_index(sentences, piece, i);
        if (p->end != last.end) continue;
        if (p->n_tokens + n_more <= c->options.target_tokens) add_piece(c, p);
        return;
    }
}

static void
pack_block(chunker *c, int index)
{
    const guint target = c->options.target_tokens, max = c->options.max_tokens;
    const layout_block *block = block_at(c, index);
    const piece whole = piece_new(c, index, 0, block->text_len);
    const gboolean is_formula = block->type == LAYOUT_BLOCK_FORMULA;
    if (c->pieces->len == 0) {
        if (whole.n_tokens <= max || is_formula)
            add_piece(c, &whole);
        else
            pack_sentences(c, index);
        return;
    }
    const piece *last = &g_array_index(c->pieces, piece, c->pieces->len - 1);
    const gboolean after_formula = block_at(c, last->block)->type == LAYOUT_BLOCK_FORMULA;
    const guint together = c->n_tokens + whole.n_tokens;
    if (together <= target ||
        (together <= max && (c->n_tokens < target / 2 || is_formula || after_formula))) {
        add_piece(c, &whole);
    } else if (is_formula) {
        flush_keeping_last_sentence(c, whole.n_tokens);
        add_piece(c, &whole);
    } else if (after_formula || whole.n_tokens > max) {
        if (!after_formula && c->n_tokens >= target / 2) flush_pieces(c);
        pack_sentences(c, index); /* "where x is ..." stays with its formula */
    } else {
        flush_pieces(c);
        add_piece(c, &whole);
    }
}

static void
pack_blocks(chunker *c, const int *blocks, guint n)
{
    c->section = section_path(c);
    if (n > 0 && !*c->section && block_at(c, blocks[0])->type == LAYOUT_BLOCK_ABSTRACT) {
        g_free(c->section);
        c->section = g_strdup("Abstract");
    }
    for (guint i = 0; i < n; i++)
        pack_block(c, blocks[i]);
    flush_pieces(c);
    g_clear_pointer(&c->section, g_free);
}

/* ---- formulas ---- */

/* The sentence of a block next to a formula. */
static void
append_sentence(chunker *c, retrieval_chunk *chunk, GString *text, int index, gboolean last)
{
    const layout_block *block = block_at(c, index);
    if (block->type != LAYOUT_BLOCK_PARAGRAPH && block->type != LAYOUT_BLOCK_LIST_ITEM) return;
    g_autoptr(GArray) sentences = split_block(c, index);
    if (sentences->len == 0) return;
    const piece *p = &g_array_index(sentences, piece, last ? sentences->len - 1 : 0);
    const uint32_t at = append_paragraph(text, NULL, block->text + p->start, p->end - p->start);
    add_places(c, chunk, index, p->start, p->end, at, text->len);
}

/* As LaTeX where that is known, with its number. */
static void
append_formula(const chunker *c, retrieval_chunk *chunk, GString *text, int index)
{
    const layout_block *block = block_at(c, index);
    const layout_formula *formula =
        block->item != LAYOUT_NONE ? &c->document->formulas[block->item] : NULL;
    const char *shown = formula && formula->latex ? formula->latex : block->text;
    const uint32_t at = append_paragraph(text, NULL, shown, strlen(shown));
    for (guint i = 0; i < block->n_boxes; i++) {
        retrieval_place place = {.start = at,
                                 .len = (uint32_t)text->len - at,
                                 .block = index,
                                 .box = c->document->boxes[block->first_box + i]};
        retrieval_chunk_add_place(chunk, &place);
    }
    if (formula && formula->number) g_string_append_printf(text, " (%s)", formula->number);
}

/* The formulas of the flow that stand together, with the sentences that lead up to them and on from them: a chunk of
 * its own beside those of the text, in which they stand as they are printed. */
static void
emit_formulas(chunker *c, guint first, guint n)
{
    const int *blocks = (const int *)(void *)c->flow->data;
    retrieval_chunk *chunk = retrieval_chunk_new(LAYOUT_BLOCK_FORMULA);
    GString *text = g_string_new(NULL);
    chunk->first_block = blocks[first > 0 ? first - 1 : first];
    chunk->last_block = blocks[MIN(first + n, c->flow->len - 1)];
    if (first > 0) append_sentence(c, chunk, text, blocks[first - 1], TRUE);
    for (guint i = first; i < first + n; i++)
        append_formula(c, chunk, text, blocks[i]);
    if (first + n < c->flow->len) append_sentence(c, chunk, text, blocks[first + n], FALSE);
    g_autofree char *section = section_path(c);
    take_chunk(c, chunk, text, section);
}

static void
read_formulas(chunker *c)
{
    const int *blocks = (const int *)(void *)c->flow->data;
    for (guint i = 0, n; i < c->flow->len; i += MAX(n, 1)) {
        for (n = 0;
             i + n < c->flow->len && block_at(c, blocks[i + n])->type == LAYOUT_BLOCK_FORMULA;)
            n++;
        /* alone it is such a chunk already */
        if (n > 0 && n < c->flow->len) emit_formulas(c, i, n);
    }
}

static void
end_flow(chunker *c)
{
    pack_blocks(c, (const int *)(void *)c->flow->data, c->flow->len);
    read_formulas(c);
    g_array_set_size(c->flow, 0);
    c->kind = FLOW_NONE;
}

/* ---- floats ---- */

/* A table with its captions: by its rows, see chunk_table.c; one without cells whole. */
static void
emit_table(chunker *c, int index)
{
    const lode_document *document = c->document;
    const layout_block *block = block_at(c, index);
    const layout_table *table = block->item != LAYOUT_NONE ? &document->tables[block->item] : NULL;
    retrieval_chunk *chunk = retrieval_chunk_new(LAYOUT_BLOCK_TABLE);
    GString *text = g_string_new(NULL);
    g_autofree char *section = section_path(c);
    chunk->first_block = chunk->last_block = index;
    for (int i = c->caption_of[index]; i != LAYOUT_NONE; i = c->next_caption[i]) {
        const layout_block *caption = block_at(c, i);
        const uint32_t at = append_paragraph(text, NULL, caption->text, caption->text_len);
        add_places(c, chunk, i, 0, caption->text_len, at, text->len);
        chunk->first_block = MIN(chunk->first_block, i);
        chunk->last_block = MAX(chunk->last_block, i);
    }
    if (table && table->n_cells > 0) {
        const retrieval_table_frame frame = {.caption = text->str,
                                             .places = chunk->places,
                                             .section = section,
                                             .first_block = chunk->first_block,
                                             .last_block = chunk->last_block,
                                             .target_tokens = c->options.target_tokens,
                                             .max_tokens = c->options.max_tokens,
                                             .n_before = c->chunks->len};
        retrieval_chunk_table(c->chunks, document, table, &frame);
    } else {
        const uint32_t at = append_paragraph(text, NULL, block->text, block->text_len);
        for (guint i = 0; text->len > at && i < block->n_boxes; i++) {
            retrieval_place place = {.start = at,
                                     .len = (uint32_t)text->len - at,
                                     .block = index,
                                     .box = document->boxes[block->first_box + i]};
            retrieval_chunk_add_place(chunk, &place);
        }
        if (!is_blank(text->str)) { /* else an image of a table without a caption */
            take_chunk(c, chunk, text, section);
            return;
        }
    }
    g_string_free(text, TRUE);
    retrieval_chunk_free(chunk);
}

/* Whole, whatever its length. */
static void
emit_caption(chunker *c, int index)
{
    const layout_block *block = block_at(c, index);
    retrieval_chunk *chunk = retrieval_chunk_new(block->type);
    GString *text = g_string_new(NULL);
    const uint32_t at = append_paragraph(text, block->marker, block->text, block->text_len);
    add_places(c, chunk, index, 0, block->text_len, at, text->len);
    chunk->first_block = chunk->last_block = index;
    g_autofree char *section = section_path(c);
    take_chunk(c, chunk, text, section);
}

/* ---- reading the document ---- */

/* A heading with nothing under it, not even other headings, would be lost: it becomes a chunk. Most are
 * bold lines that layout took for headings. */
static void
keep_bare_heading(chunker *c, int next_level)
{
    if (c->bare_heading == LAYOUT_NONE) return;
    const heading *top = &g_array_index(c->headings, heading, c->headings->len - 1);
    if (top->level >= next_level) {
        g_array_set_size(c->headings, c->headings->len - 1);
        pack_blocks(c, &c->bare_heading, 1);
    }
    c->bare_heading = LAYOUT_NONE;
}

static void
read_heading(chunker *c, int index)
{
    enum { MAX_HEADING_BYTES = 200 };
    const layout_block *block = block_at(c, index);
    end_flow(c);
    keep_bare_heading(c, block->level);
    while (c->headings->len > 0 &&
           g_array_index(c->headings, heading, c->headings->len - 1).level >= block->level) {
        g_array_set_size(c->headings, c->headings->len - 1);
    }
    uint32_t len = MIN(block->text_len, MAX_HEADING_BYTES);
    while (len > 0 && ((guchar)block->text[len] & 0xc0) == 0x80)
        len--;
    heading entry = {.level = block->level, .text = g_strndup(block->text, len)};
    g_strstrip(entry.text);
    g_array_append_val(c->headings, entry);
    c->bare_heading = index;
}

static void
read_flow_block(chunker *c, int index, flow_kind kind)
{
    if (c->kind != kind) end_flow(c);
    c->kind = kind;
    c->bare_heading = LAYOUT_NONE;
    g_array_append_val(c->flow, index);
}

static void
read_block(chunker *c, int index)
{
    const layout_block *block = block_at(c, index);
    if (block->type == LAYOUT_BLOCK_TABLE) {
        c->bare_heading = LAYOUT_NONE;
        emit_table(c, index);
        return;
    }
    if (is_blank(block->text)) return;
    switch (block->type) {
    case LAYOUT_BLOCK_TITLE:
    case LAYOUT_BLOCK_AUTHOR:
        read_flow_block(c, index, FLOW_FRONT);
        break;
    case LAYOUT_BLOCK_ABSTRACT:
        read_flow_block(c, index, FLOW_ABSTRACT);
        break;
    case LAYOUT_BLOCK_HEADING:
        read_heading(c, index);
        break;
    case LAYOUT_BLOCK_PARAGRAPH:
    case LAYOUT_BLOCK_LIST_ITEM:
    case LAYOUT_BLOCK_FORMULA:
    case LAYOUT_BLOCK_CODE:
        read_flow_block(c, index, FLOW_BODY);
        break;
    case LAYOUT_BLOCK_CAPTION:
        c->bare_heading = LAYOUT_NONE;
        if (!c->is_taken[index]) emit_caption(c, index);
        break;
    case LAYOUT_BLOCK_FIGURE:
    case LAYOUT_BLOCK_FOOTNOTE:
        c->bare_heading = LAYOUT_NONE;
        pack_blocks(c, &index, 1);
        break;
    case LAYOUT_BLOCK_REFERENCE: /* its heading, too, is bibliography */
        c->bare_heading = LAYOUT_NONE;
        break;
    default: /* furniture */
        break;
    }
}

/* Which captions go with which table: by their parent, else by the table's own word. */
static void
assign_captions(chunker *c)
{
    const lode_document *document = c->document;
    const guint n = document->n_blocks;
    g_autofree int *table_of = g_new(int, (gsize)n + 1);
    for (guint i = 0; i < n; i++)
        table_of[i] = c->caption_of[i] = c->next_caption[i] = LAYOUT_NONE;
    for (guint i = 0; i < document->n_tables; i++) {
        const layout_table *table = &document->tables[i];
        if (table->caption != LAYOUT_NONE) table_of[table->caption] = table->block;
    }
    for (guint i = n; i-- > 0;) { /* backwards: lists come out in reading order */
        const layout_block *block = &document->blocks[i];
        if (block->type != LAYOUT_BLOCK_CAPTION) continue;
        const int table = table_of[i] != LAYOUT_NONE ? table_of[i] : block->parent;
        if (table == LAYOUT_NONE || block_at(c, table)->type != LAYOUT_BLOCK_TABLE) continue;
        c->next_caption[i] = c->caption_of[table];
        c->caption_of[table] = (int)i;
        c->is_taken[i] = TRUE;
    }
}

static int
compare_chunks(gconstpointer a, gconstpointer b)
{
    const retrieval_chunk *x = *(retrieval_chunk *const *)a, *y = *(retrieval_chunk *const *)b;
    return (x->first_block > y->first_block) - (x->first_block < y->first_block);
}

GPtrArray *
retrieval_chunk_document(const lode_document *document, const retrieval_chunk_options *options)
{
    chunker c = {.document = document,
                 .options = options ? *options : retrieval_chunk_options_default(),
                 .bare_heading = LAYOUT_NONE};
    c.options.target_tokens = MAX(c.options.target_tokens, 16);
    c.options.max_tokens = MAX(c.options.max_tokens, c.options.target_tokens);
    c.chunks = g_ptr_array_new_with_free_func((GDestroyNotify)retrieval_chunk_free);
    c.headings = g_array_new(FALSE, FALSE, sizeof(heading));
    g_array_set_clear_func(c.headings, heading_clear);
    c.flow = g_array_new(FALSE, FALSE, sizeof(int));
    c.pieces = g_array_new(FALSE, FALSE, sizeof(piece));
    c.is_taken = g_new0(gboolean, (gsize)document->n_blocks + 1);
    c.caption_of = g_new(int, (gsize)document->n_blocks + 1);
    c.next_caption = g_new(int, (gsize)document->n_blocks + 1);

    assign_captions(&c);
    for (guint i = 0; i < document->n_blocks; i++)
        read_block(&c, (int)i);
    end_flow(&c);
    keep_bare_heading(&c, 0);
    /* floats were met before the flow around them ended; the sort is stable */
    g_ptr_array_sort(c.chunks, compare_chunks);

    g_free(c.next_caption);
    g_free(c.caption_of);
    g_free(c.is_taken);
    g_array_unref(c.pieces);
    g_array_unref(c.flow);
    g_array_unref(c.headings);
    return c.chunks;
}

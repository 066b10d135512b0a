/* A document -> MinerU's middle file: page -> block -> line -> span, boxes in points.
 *
 *   {"pdf_info": [{"preproc_blocks", "para_blocks", "discarded_blocks", "page_idx", "page_size": [w, h]}],
 *    "_backend": "pipeline", "_version_name"}
 *   block  {"type", "bbox", "index", "lines" or "blocks", "level", "sub_type", "bbox_fs", "lines_deleted"}
 *   line   {"bbox", "spans"}
 *   span   {"bbox", "type", "content" | "html", "image_path", "score", "cross_page"}
 *
 * preproc_blocks are what stands on the page: a paragraph that goes on in the next column or page is a block in
 * each place, with its lines there. In para_blocks the first of them has all the lines (those from another page
 * with cross_page), the others none (lines_deleted). image, table, code and list hold second-level blocks.
 * Figures and tables take their captions along where those stand on the same page. Spans are placed on their line
 * by their share of its characters. Pages that were not asked for are left out. */
#include "layout/mineru.h"

#include <math.h>
#include <string.h>

/* One box of one block: what is a block to MinerU. */
typedef struct {
    guint block, box; /* box counts from 0 within the block */
} piece;

typedef struct {
    const lode_document *document;
    const layout_write_options *options;
    layout_captions captions;
    guint heading_offset;
    gboolean merged; /* filling para_blocks, else preproc_blocks */
    int index;       /* of the next block of this page */
} writer;

static json_t *
make_bbox(const layout_rect *rect)
{
    const float sides[] = {rect->x0, rect->y0, rect->x1, rect->y1};
    json_t *bbox = json_array();
    for (guint i = 0; i < G_N_ELEMENTS(sides); i++)
        json_array_append_new(bbox, json_real(layout_hundredths(sides[i])));
    return bbox;
}

static const layout_box *
piece_box(const lode_document *d, piece p)
{
    return &d->boxes[d->blocks[p.block].first_box + p.box];
}

/* ---- lines and spans ---- */

static json_t *
make_span(const char *type, const layout_rect *rect, double score)
{
    json_t *span = json_object();
    json_object_set_new(span, "bbox", make_bbox(rect));
    json_object_set_new(span, "type", json_string(type));
    json_object_set_new(span, "score", json_real(round(score * 1000) / 1000));
    return span;
}

/* The part of a line between two of its bytes. */
static layout_rect
part_of_line(const layout_line *line, uint32_t from, uint32_t to)
{
    layout_rect rect = line->box.rect;
    rect.x0 = (float)layout_hundredths(rect.x0);
    rect.x1 = (float)layout_hundredths(rect.x1);
    const float width = rect.x1 - rect.x0, len = (float)MAX(line->len, 1);
    rect.x1 = rect.x0 + width * (float)(to - line->start) / len;
    rect.x0 += width * (float)(from - line->start) / len;
    return rect;
}

static void
append_span(json_t *spans, const layout_block *block, const layout_line *line, uint32_t from,
            uint32_t to, const char *latex, gboolean cross_page)
{
    while (!latex && from < to && block->text[from] == ' ')
        from++;
    while (!latex && to > from && block->text[to - 1] == ' ')
        to--;
    if (from >= to) return;
    g_autofree char *text = g_strndup(block->text + from, to - from);
    const layout_rect rect = part_of_line(line, from, to);
    json_t *span = make_span(latex ? "inline_equation" : "text", &rect, (double)block->confidence);
    json_object_set_new(span, "content", mineru_string(latex ? latex : text));
    if (cross_page) json_object_set_new(span, "cross_page", json_true());
    json_array_append_new(spans, span);
}

static json_t *
make_line(const writer *w, const layout_block *block, const layout_line *line, gboolean cross_page)
{
    const lode_document *d = w->document;
    const uint32_t end = line->start + line->len;
    json_t *spans = json_array();
    uint32_t at = line->start;
    for (guint i = 0; i < block->n_spans; i++) {
        const layout_span *span = &d->spans[block->first_span + i];
        const uint32_t stop = MIN(span->start + span->len, end);
        if (!(span->flags & LAYOUT_SPAN_MATH) || !span->target || !*span->target) continue;
        if (stop <= line->start || span->start >= end) continue;
        /* a formula over two lines is on the first */
        if (span->start >= line->start) {
            append_span(spans, block, line, at, span->start, NULL, cross_page);
            append_span(spans, block, line, span->start, stop, span->target, cross_page);
        }
        at = MAX(at, stop);
    }
    append_span(spans, block, line, at, end, NULL, cross_page);
    json_t *result = json_object();
    json_object_set_new(result, "bbox", make_bbox(&line->box.rect));
    json_object_set_new(result, "spans", spans);
    return result;
}

static gboolean
is_inside(const layout_rect *inner, const layout_rect *outer)
{
    const float x = (inner->x0 + inner->x1) / 2, y = (inner->y0 + inner->y1) / 2;
    return x >= outer->x0 - 1 && x <= outer->x1 + 1 && y >= outer->y0 - 1 && y <= outer->y1 + 1;
}

/* Which box of its block a line stands in. */
static guint
box_of_line(const lode_document *d, const layout_block *block, const layout_line *line)
{
    guint found = 0;
    for (guint i = block->n_boxes; i-- > 0;) {
        const layout_box *box = &d->boxes[block->first_box + i];
        if (box->page != line->box.page) continue;
        found = i;
        if (is_inside(&line->box.rect, &box->rect)) return i;
    }
    return found;
}

/* The lines of a piece; for its block as a whole where that is merged into its first piece. */
static json_t *
make_lines(const writer *w, piece p)
{
    const lode_document *d = w->document;
    const layout_block *block = &d->blocks[p.block];
    const int page = d->boxes[block->first_box].page;
    json_t *lines = json_array();
    for (guint i = 0; i < block->n_lines; i++) {
        const layout_line *line = &d->lines[block->first_line + i];
        const guint box = block->n_boxes > 1 ? box_of_line(d, block, line) : 0;
        if (w->merged ? p.box > 0 : box != p.box) continue;
        json_array_append_new(lines,
                              make_line(w, block, line, w->merged && line->box.page != page));
    }
    return lines;
}

/* One line with one span, for what is shown rather than read. */
static json_t *
make_single_line(json_t *span, const layout_rect *rect)
{
    json_t *line = json_object(), *lines = json_array(), *spans = json_array();
    json_array_append_new(spans, span);
    json_object_set_new(line, "bbox", make_bbox(rect));
    json_object_set_new(line, "spans", spans);
    json_array_append_new(lines, line);
    return lines;
}

/* ---- blocks ---- */

static json_t *
make_block(writer *w, const char *type, const layout_rect *rect)
{
    json_t *block = json_object();
    json_object_set_new(block, "type", json_string(type));
    json_object_set_new(block, "bbox", make_bbox(rect));
    json_object_set_new(block, "index", json_integer(w->index++));
    return block;
}

/* The hull of a block's boxes on the page of its first one. */
static layout_rect
hull_on_page(const lode_document *d, const layout_block *block)
{
    const layout_box *boxes = &d->boxes[block->first_box];
    layout_rect rect = boxes[0].rect;
    for (guint i = 1; i < block->n_boxes; i++)
        if (boxes[i].page == boxes[0].page) rect = mineru_union(rect, boxes[i].rect);
    return rect;
}

static json_t *
make_text_block(writer *w, const char *type, piece p)
{
    const layout_block *block = &w->document->blocks[p.block];
    json_t *result = make_block(w, type, &piece_box(w->document, p)->rect);
    json_object_set_new(result, "lines", make_lines(w, p));
    if (w->merged && block->n_boxes > 1) {
        const layout_rect hull = hull_on_page(w->document, block);
        if (p.box == 0)
            json_object_set_new(result, "bbox_fs", make_bbox(&hull));
        else
            json_object_set_new(result, "lines_deleted", json_true());
    }
    return result;
}

static json_t *
make_title(writer *w, piece p)
{
    const layout_block *block = &w->document->blocks[p.block];
    json_t *result = make_text_block(w, "title", p);
    const guint level =
        block->type == LAYOUT_BLOCK_TITLE ? 1 : (guint)MAX(block->level, 1) + w->heading_offset;
    json_object_set_new(result, "level", json_integer(level));
    return result;
}

static json_t *
make_formula(writer *w, piece p)
{
    const layout_block *block = &w->document->blocks[p.block];
    const layout_rect *rect = &piece_box(w->document, p)->rect;
    if (block->item == LAYOUT_NONE) return make_text_block(w, "text", p);
    const layout_formula *formula = &w->document->formulas[block->item];
    json_t *result = make_block(w, "interline_equation", rect);
    if (p.box > 0) {
        json_object_set_new(result, "lines", json_array());
        json_object_set_new(result, "lines_deleted", json_true());
        return result;
    }
    json_t *span = make_span("interline_equation", rect, (double)formula->confidence);
    json_object_set_new(span, "content",
                        mineru_string(formula->latex ? formula->latex : block->text));
    const char *picture = layout_formula_picture(w->options, formula);
    if (picture) json_object_set_new(span, "image_path", mineru_string(picture));
    json_object_set_new(result, "lines", make_single_line(span, rect));
    return result;
}

/* A block of the first level around its second level. Its index is that of the first one inside. */
static json_t *
make_group(writer *w, const char *type, const layout_rect *rect, json_t **blocks)
{
    json_t *group = make_block(w, type, rect);
    w->index--;
    *blocks = json_array();
    json_object_set_new(group, "blocks", *blocks);
    return group;
}

static void
append_captions(writer *w, piece p, json_t *blocks, const char *type, gboolean before)
{
    const lode_document *d = w->document;
    if (p.box > 0) return;
    for (int c = w->captions.first[p.block]; c != LAYOUT_NONE; c = w->captions.next[c]) {
        const layout_block *caption = &d->blocks[c];
        if (((guint)c < p.block) != before || caption->n_boxes == 0 ||
            d->boxes[caption->first_box].page != piece_box(d, p)->page)
            continue;
        json_array_append_new(blocks, make_text_block(w, type, (piece){(guint)c, 0}));
    }
}

/* image or table: its captions and its body, whose one span shows it. span NULL: it is with an earlier piece. */
static json_t *
make_float(writer *w, piece p, const char *type, json_t *span)
{
    const layout_rect *rect = &piece_box(w->document, p)->rect;
    g_autofree char *body = g_strconcat(type, "_body", NULL);
    g_autofree char *caption = g_strconcat(type, "_caption", NULL);
    json_t *blocks, *group = make_group(w, type, rect, &blocks);
    append_captions(w, p, blocks, caption, TRUE);
    json_t *inner = make_block(w, body, rect);
    json_object_set_new(inner, "lines", span ? make_single_line(span, rect) : json_array());
    if (!span) json_object_set_new(inner, "lines_deleted", json_true());
    json_array_append_new(blocks, inner);
    append_captions(w, p, blocks, caption, FALSE);
    return group;
}

static json_t *
make_figure(writer *w, piece p)
{
    const layout_block *block = &w->document->blocks[p.block];
    const layout_figure *figure =
        block->item != LAYOUT_NONE ? &w->document->figures[block->item] : NULL;
    if (p.box > 0) return make_float(w, p, "image", NULL);
    json_t *span = make_span("image", &piece_box(w->document, p)->rect, (double)block->confidence);
    const gboolean has_file = figure && layout_has_figure_image(w->options, figure->image);
    json_object_set_new(span, "image_path", mineru_string(has_file ? figure->image : ""));
    return make_float(w, p, "image", span);
}

static json_t *
make_table(writer *w, piece p)
{
    const layout_block *block = &w->document->blocks[p.block];
    if (block->item == LAYOUT_NONE) return make_text_block(w, "text", p);
    const layout_table *table = &w->document->tables[block->item];
    if (p.box > 0) return make_float(w, p, "table", NULL);
    json_t *span = make_span("table", &piece_box(w->document, p)->rect, (double)block->confidence);
    g_autoptr(GString) html = g_string_new(NULL);
    layout_table_to_html(html, w->document, table, LAYOUT_TABLE_LINE, w->options);
    json_object_set_new(span, "html", mineru_string(html->str));
    const gboolean has_file = layout_has_crop(w->options, table->image);
    json_object_set_new(span, "image_path", mineru_string(has_file ? table->image : ""));
    return make_float(w, p, "table", span);
}

static json_t *
make_code(writer *w, piece p)
{
    json_t *blocks;
    json_t *group = make_group(w, "code", &piece_box(w->document, p)->rect, &blocks);
    json_object_set_new(group, "sub_type", json_string("code"));
    json_array_append_new(blocks, make_text_block(w, "code_body", p));
    return group;
}

static json_t *
make_one(writer *w, piece p)
{
    switch (w->document->blocks[p.block].type) {
    case LAYOUT_BLOCK_TITLE:
    case LAYOUT_BLOCK_HEADING:
        return make_title(w, p);
    case LAYOUT_BLOCK_ABSTRACT:
        return make_text_block(w, "abstract", p);
    case LAYOUT_BLOCK_FORMULA:
        return make_formula(w, p);
    case LAYOUT_BLOCK_FIGURE:
        return make_figure(w, p);
    case LAYOUT_BLOCK_TABLE:
        return make_table(w, p);
    case LAYOUT_BLOCK_CODE:
        return make_code(w, p);
    default:
        return make_text_block(w, "text", p);
    }
}

/* NULL: it belongs to the page's text. */
static const char *
discarded_type(layout_block_type type)
{
    switch (type) {
    case LAYOUT_BLOCK_HEADER:
        return "header";
    case LAYOUT_BLOCK_FOOTER:
        return "footer";
    case LAYOUT_BLOCK_PAGE_NUMBER:
        return "page_number";
    case LAYOUT_BLOCK_WATERMARK:
        return "aside_text";
    case LAYOUT_BLOCK_FOOTNOTE:
        return "page_footnote";
    default:
        return NULL;
    }
}

/* ---- pages ---- */

/* Does the figure or table that this caption is of take it along? */
static gboolean
is_taken_along(const writer *w, piece p)
{
    const lode_document *d = w->document;
    const int owner = w->captions.owner[p.block];
    if (owner == LAYOUT_NONE || p.box > 0) return FALSE;
    const layout_block *block = &d->blocks[owner];
    return block->n_boxes > 0 && block->item != LAYOUT_NONE &&
           d->boxes[block->first_box].page == piece_box(d, p)->page;
}

static json_t *
make_blocks(writer *w, const piece *pieces, guint n, gboolean discarded)
{
    const lode_document *d = w->document;
    json_t *list = json_array(), *items = NULL, *group = NULL;
    layout_rect hull = {0};
    layout_block_type open = LAYOUT_BLOCK_PARAGRAPH; /* of the list being filled */
    for (guint i = 0; i < n; i++) {
        const layout_block_type type = d->blocks[pieces[i].block].type;
        const char *name = discarded_type(type);
        if ((name != NULL) != discarded || is_taken_along(w, pieces[i])) continue;
        if (type != LAYOUT_BLOCK_LIST_ITEM && type != LAYOUT_BLOCK_REFERENCE) {
            open = LAYOUT_BLOCK_PARAGRAPH;
            json_array_append_new(list, name ? make_text_block(w, name, pieces[i])
                                             : make_one(w, pieces[i]));
            continue;
        }
        const gboolean reference = type == LAYOUT_BLOCK_REFERENCE;
        const layout_rect *rect = &piece_box(d, pieces[i])->rect;
        if (open != type) {
            group = make_group(w, "list", rect, &items);
            json_object_set_new(group, "sub_type", json_string(reference ? "ref_text" : "text"));
            json_array_append_new(list, group);
            hull = *rect;
            open = type;
        }
        hull = mineru_union(hull, *rect);
        json_object_set_new(group, "bbox", make_bbox(&hull));
        json_array_append_new(items,
                              make_text_block(w, reference ? "ref_text" : "text", pieces[i]));
    }
    return list;
}

static json_t *
make_page(writer *w, guint page, const piece *pieces, guint n)
{
    const layout_page *p = &w->document->pages[page];
    json_t *result = json_object();
    w->merged = FALSE;
    w->index = 0;
    json_object_set_new(result, "preproc_blocks", make_blocks(w, pieces, n, FALSE));
    json_object_set_new(result, "page_idx", json_integer(page));
    json_object_set_new(result, "page_size",
                        json_pack("[ii]", (int)lround(layout_hundredths(p->width_pt)),
                                  (int)lround(layout_hundredths(p->height_pt))));
    json_object_set_new(result, "discarded_blocks", make_blocks(w, pieces, n, TRUE));
    w->merged = TRUE;
    w->index = 0;
    json_object_set_new(result, "para_blocks", make_blocks(w, pieces, n, FALSE));
    return result;
}

/* All pieces by page, in reading order; first [n_pages + 1] says where each page's begin. */
static piece *
sort_pieces(const lode_document *d, guint *first)
{
    piece *pieces = g_new(piece, MAX(d->n_boxes, 1));
    for (guint pass = 0; pass < 2; pass++) {
        g_autofree guint *next = g_memdup2(first, (d->n_pages + 1) * sizeof *first);
        for (guint b = 0; b < d->n_blocks; b++) {
            layout_document_pass(d, b);
            for (guint i = 0; i < d->blocks[b].n_boxes; i++) {
                const int page = d->boxes[d->blocks[b].first_box + i].page;
                if (pass == 0)
                    first[page + 1]++;
                else
                    pieces[next[page]++] = (piece){b, i};
            }
        }
        for (guint p = 0; pass == 0 && p < d->n_pages; p++)
            first[p + 1] += first[p];
    }
    return pieces;
}

char *
layout_document_to_middle(const lode_document *document, const layout_write_options *options)
{
    const layout_write_options defaults = layout_write_options_default();
    writer w = {.document = document, .options = options ? options : &defaults};
    layout_captions_init(&w.captions, document);
    w.heading_offset = layout_document_has_title(document) ? 1 : 0;
    g_autofree guint *first = g_new0(guint, document->n_pages + 2);
    g_autofree piece *pieces = sort_pieces(document, first);
    json_t *root = json_object(), *pages = json_array();
    json_object_set_new(root, "pdf_info", pages);
    for (guint p = 0; p < document->n_pages; p++) {
        layout_document_rest(document);
        if (document->pages[p].skipped) continue;
        json_array_append_new(pages, make_page(&w, p, pieces + first[p], first[p + 1] - first[p]));
    }
    json_object_set_new(root, "_backend", json_string("pipeline"));
    json_object_set_new(root, "_version_name", json_string(LODE_VERSION));
    char *dumped = json_dumps(root, JSON_INDENT(4) | JSON_REAL_PRECISION(9));
    json_decref(root);
    layout_captions_clear(&w.captions);
    char *result = g_strconcat(dumped, "\n", NULL);
    free(dumped);
    return result;
}

/* A document -> MinerU's content list, version 1: one flat array in reading order, as its users load it.
 *
 * Boxes are integers 0..1000 of the page's width and height; page_idx counts from 0. What their readers must
 * filter out (headers, footers, page numbers, margin text, footnotes) has its own type. A caption stands
 * inside its figure or table. Two things differ from what MinerU writes, both for the reader's good: there
 * are no empty texts, and a figure that was not rendered has an empty img_path. */
#include "layout/mineru.h"

#include <string.h>

typedef struct {
    const lode_document *document;
    const layout_write_options *options;
    json_t *list;
    layout_captions captions;
    guint heading_offset;
    json_t *references; /* list_items of the reference list being filled, borrowed from list */
    int references_page;
    layout_rect references_rect;
} writer;

static int
per_mille(float value, float whole)
{
    if (!(layout_hundredths(whole) > 0)) return 0;
    return (int)CLAMP(layout_hundredths(value) * 1000 / layout_hundredths(whole), 0, 1000);
}

static json_t *
make_bbox(const lode_document *d, int page, const layout_rect *rect)
{
    const layout_page *p = &d->pages[page];
    return json_pack("[iiii]", per_mille(rect->x0, p->width_pt), per_mille(rect->y0, p->height_pt),
                     per_mille(rect->x1, p->width_pt), per_mille(rect->y1, p->height_pt));
}

/* The block's page (of its first box) and the hull of its boxes there; -1 for a block without a place. */
static int
block_place(const lode_document *d, const layout_block *block, layout_rect *rect)
{
    if (block->n_boxes == 0) return LAYOUT_NONE;
    const layout_box *boxes = &d->boxes[block->first_box];
    *rect = boxes[0].rect;
    for (guint i = 1; i < block->n_boxes && boxes[i].page == boxes[0].page; i++)
        *rect = mineru_union(*rect, boxes[i].rect);
    return boxes[0].page;
}

static json_t *
append_entry(writer *w, const char *type)
{
    json_t *entry = json_object();
    json_object_set_new(entry, "type", json_string(type));
    json_array_append_new(w->list, entry);
    w->references = NULL;
    return entry;
}

static void
append_plain(writer *w, const layout_block *block, const char *type, guint text_level)
{
    if (block->text_len == 0) return;
    json_t *entry = append_entry(w, type);
    json_object_set_new(entry, "text", mineru_marked_text(w->document, block));
    if (text_level > 0) json_object_set_new(entry, "text_level", json_integer(text_level));
}

static void
set_image_path(json_t *entry, const char *image)
{
    g_autofree char *path = image ? g_strconcat("images/", image, NULL) : g_strdup("");
    json_object_set_new(entry, "img_path", mineru_string(path));
}

/* All captions of one figure or table, or notes of a table, in reading order. */
static json_t *
make_captions(const writer *w, guint owner, layout_block_type type)
{
    json_t *array = json_array();
    for (int c = w->captions.first[owner]; c != LAYOUT_NONE; c = w->captions.next[c])
        if (w->document->blocks[c].type == type)
            json_array_append_new(array, mineru_marked_text(w->document, &w->document->blocks[c]));
    return array;
}

static void
append_table(writer *w, guint index, const layout_table *table)
{
    json_t *entry = append_entry(w, "table");
    set_image_path(entry, layout_has_crop(w->options, table->image) ? table->image : NULL);
    json_object_set_new(entry, "table_caption", make_captions(w, index, LAYOUT_BLOCK_CAPTION));
    json_object_set_new(entry, "table_footnote", make_captions(w, index, LAYOUT_BLOCK_FOOTNOTE));
    g_autoptr(GString) html = g_string_new(NULL);
    layout_table_to_html(html, w->document, table, LAYOUT_TABLE_LINE, w->options);
    json_object_set_new(entry, "table_body", mineru_string(html->str));
}

static void
append_figure(writer *w, guint index, const layout_figure *figure)
{
    json_t *entry = append_entry(w, "image");
    set_image_path(entry,
                   layout_has_figure_image(w->options, figure->image) ? figure->image : NULL);
    json_object_set_new(entry, "image_caption", make_captions(w, index, LAYOUT_BLOCK_CAPTION));
    json_object_set_new(entry, "image_footnote", json_array());
}

static void
append_formula(writer *w, const layout_block *block, const layout_formula *formula)
{
    json_t *entry = append_entry(w, "equation");
    set_image_path(entry, layout_formula_picture(w->options, formula));
    if (!formula->latex) {
        json_object_set_new(entry, "text", mineru_string(block->text));
        return;
    }
    g_autofree char *text = g_strdup_printf("$$\n%s\n$$", formula->latex);
    json_object_set_new(entry, "text", mineru_string(text));
    json_object_set_new(entry, "text_format", json_string("latex"));
}

static void
append_code(writer *w, const layout_block *block)
{
    json_t *entry = append_entry(w, "code");
    json_object_set_new(entry, "sub_type", json_string("code"));
    json_object_set_new(entry, "code_caption", json_array());
    json_object_set_new(entry, "code_body", mineru_string(block->text));
    json_object_set_new(entry, "code_footnote", json_array());
}

/* Consecutive references of one page are one list. */
static void
append_reference(writer *w, const layout_block *block)
{
    layout_rect rect = {0};
    const int page = block_place(w->document, block, &rect);
    const gboolean begins = !w->references || page != w->references_page;
    if (begins) {
        json_t *entry = append_entry(w, "list");
        json_object_set_new(entry, "sub_type", json_string("ref_text"));
        json_t *items = json_array();
        json_object_set_new(entry, "list_items", items);
        w->references = items;
        w->references_page = page;
        w->references_rect = rect;
    }
    json_array_append_new(w->references, mineru_marked_text(w->document, block));
    if (!begins && page != LAYOUT_NONE) {
        json_t *entry = json_array_get(w->list, json_array_size(w->list) - 1);
        w->references_rect = mineru_union(w->references_rect, rect);
        json_object_set_new(entry, "bbox", make_bbox(w->document, page, &w->references_rect));
    }
}

/* The entry of one block, still without its place. */
static void
append_block(writer *w, guint index)
{
    const lode_document *d = w->document;
    const layout_block *block = &d->blocks[index];
    switch (block->type) {
    case LAYOUT_BLOCK_TITLE:
        append_plain(w, block, "text", 1);
        break;
    case LAYOUT_BLOCK_HEADING:
        append_plain(w, block, "text", (guint)MAX(block->level, 1) + w->heading_offset);
        break;
    case LAYOUT_BLOCK_HEADER:
        append_plain(w, block, "header", 0);
        break;
    case LAYOUT_BLOCK_FOOTER:
        append_plain(w, block, "footer", 0);
        break;
    case LAYOUT_BLOCK_PAGE_NUMBER:
        append_plain(w, block, "page_number", 0);
        break;
    case LAYOUT_BLOCK_WATERMARK:
        append_plain(w, block, "aside_text", 0);
        break;
    case LAYOUT_BLOCK_FOOTNOTE:
        append_plain(w, block, "page_footnote", 0);
        break;
    case LAYOUT_BLOCK_CODE:
        append_code(w, block);
        break;
    case LAYOUT_BLOCK_CAPTION:
        if (w->captions.owner[index] == LAYOUT_NONE) append_plain(w, block, "text", 0);
        break;
    case LAYOUT_BLOCK_TABLE:
        if (block->item != LAYOUT_NONE)
            append_table(w, index, &d->tables[block->item]);
        else
            append_plain(w, block, "text", 0);
        break;
    case LAYOUT_BLOCK_FIGURE:
        if (block->item != LAYOUT_NONE) append_figure(w, index, &d->figures[block->item]);
        break;
    case LAYOUT_BLOCK_FORMULA:
        if (block->item != LAYOUT_NONE)
            append_formula(w, block, &d->formulas[block->item]);
        else
            append_plain(w, block, "text", 0);
        break;
    default:
        append_plain(w, block, "text", 0);
        break;
    }
}

/* Entries but for the last n_kept become text; they stand one step in. */
static void
entries_flush(writer *w, GString *out, gsize n_kept, gboolean *first)
{
    const gsize size = json_array_size(w->list);
    for (gsize i = 0; i + n_kept < size; i++) {
        char *dumped = json_dumps(json_array_get(w->list, i), JSON_INDENT(4));
        g_string_append(out, *first ? "\n    " : ",\n    ");
        *first = FALSE;
        for (const char *line = dumped, *end; line != NULL; line = end) {
            end = strchr(line, '\n');
            end = end != NULL ? end + 1 : NULL;
            g_string_append_len(out, line, end != NULL ? end - line : (gssize)strlen(line));
            if (end != NULL) g_string_append(out, "    ");
        }
        free(dumped);
    }
    for (gsize i = 0; i + n_kept < size; i++)
        json_array_remove(w->list, 0);
}

static void
write_content_list(layout_sink *sink, const layout_write_options *options)
{
    const lode_document *document = sink->document;
    writer w = {.document = document, .options = options, .list = json_array()};
    gboolean first = TRUE;
    layout_captions_init(&w.captions, document);
    w.heading_offset = layout_document_has_title(document) ? 1 : 0;
    g_string_append_c(sink->text, '[');
    for (guint b = 0; b < document->n_blocks && !sink->failed; b++) {
        const layout_block *block = &document->blocks[b];
        const size_t before = json_array_size(w.list);
        if (block->type == LAYOUT_BLOCK_REFERENCE)
            append_reference(&w, block);
        else
            append_block(&w, b);
        if (json_array_size(w.list) == before) continue;
        json_t *entry = json_array_get(w.list, before);
        layout_rect rect;
        const int page = block_place(document, block, &rect);
        if (page != LAYOUT_NONE)
            json_object_set_new(entry, "bbox", make_bbox(document, page, &rect));
        json_object_set_new(entry, "page_idx", json_integer(MAX(page, 0)));
        entries_flush(&w, sink->text, 1, &first); /* the last may still grow: a bibliography */
        layout_sink_step(sink, 1);
    }
    entries_flush(&w, sink->text, 0, &first);
    g_string_append(sink->text, first ? "]\n" : "\n]\n");
    json_decref(w.list);
    layout_captions_clear(&w.captions);
}

gboolean
layout_document_write_content_list(const lode_document *document,
                                   const layout_write_options *options, layout_write_fn write,
                                   void *user_data)
{
    layout_sink sink;
    layout_sink_init(&sink, document, write, user_data);
    write_content_list(&sink, options);
    return layout_sink_end(&sink);
}

char *
layout_document_to_content_list(const lode_document *document, const layout_write_options *options)
{
    layout_sink sink;
    layout_sink_init(&sink, document, NULL, NULL);
    write_content_list(&sink, options);
    return layout_sink_take(&sink);
}

/* A document -> lode's own JSON, schema "lode-document", version 2.
 *
 * The whole document and nothing else: layout_document_from_json makes the same document of it again. Pages
 * are counted from 0; lengths are points with the origin at the page's top left; start and len are bytes of
 * the block's text in UTF-8. A key is left out where its value is none (null, empty, level 0). Unknown keys
 * are to be ignored: version rises only when a reader of the old one would go wrong.
 *
 *   {
 *     "schema": "lode-document",
 *     "version": 2,
 *     "markdown": {"page_breaks": true, "furniture": true, "images": none|figures|all,
 *                  "formulas": latex|image|both, "image_dir", "bytes", "sha256"},    of the Markdown that the blocks' ranges are of; only beside one
 *     "metadata": {"source_name", "source_sha256", "format",        always there
 *                  "title", "authors": [name], "abstract", "doi", "arxiv", "language", "year", "producer"},
 *     "pages": [{"index", "width", "height", "rotation", "turn", "label", "source": native|ocr|mixed|none, "failure",
 *                "order_confidence",      share of rows in the order of the tags, or else of drawing; 0 left out
 *                "glyphs": {"drawn", "text", "table", "figure", "furniture",        where each of them went,
 *                           "discarded": {reason: count}}}],                       left out where 0
 *     "blocks": [{                                                  in reading order
 *       "type",      title author abstract heading paragraph list_item table figure formula code caption
 *                    footnote reference header footer page_number watermark
 *       "level", "run_in": true, "marker", "text",
 *       "parent",    index of a block: caption -> figure or table, footnote -> caller, or the table that it stands under
 *       "item",      index into tables, figures, formulas or references, by type
 *       "font_size", "confidence",
 *       "markdown": [start, end],                                   bytes of the Markdown
 *       "boxes": [[page, x0, y0, x1, y1]],
 *       "spans": [{"start", "len", "style": [bold italic superscript subscript mono link math doubtful struck], "target"}],
 *       "lines": [[start, len, page, x0, y0, x1, y1]]}],
 *     "tables": [{"block", "caption", "rows", "cols", "header_rows",
 *                 "align",    a letter for each column: l(eft) c(enter) r(ight) d(ecimal point) - (not known)
 *                 "image",    of the first part; of others the same with "-2", "-3" before the suffix
 *                 "cells": [{"at": [row, col, row_span, col_span], "header": true, "doubtful": true, "box": [page, x0, y0, x1, y1],
 *                            "text",                               row-major, the grid covered once
 *                            "mark",     bytes at the end of text that are raised marks of notes
 *                            "notes": [block],                     that they call
 *                            "picture": [page, x0, y0, x1, y1], "image"}]}],   where one is in it
 *     "figures": [{"block", "caption", "box", "vector": true, "label", "inner_text", "image", "svg",
 *                  "panels": [{"box", "label"}]}],                  where it is made of several parts
 *     "formulas": [{"block", "latex", "number", "confidence", "image"}],
 *     "references": [{"block", "key",
 *                     "kind",     other article conference chapter book thesis masters_thesis report
 *                     "authors",  as printed
 *                     "names": [{"family", "given"}], "et_al": true, "title", "venue", "publisher",
 *                     "volume", "issue", "pages", "year", "doi", "arxiv", "url"}],
 *     "citations": [[block, start, len, reference]],                where the text calls a reference
 *     "discarded": [{"reason", "box", "glyphs", "text"}],           text in no block; reason one of repeated
 *                  invisible background tiny off_page covered lost, and space control in the counts alone
 *     "warnings": [{"page", "message"}]
 *   }
 *
 * Written by hand rather than through a tree: keys stay in order, and numbers do not depend on the locale.
 * Lengths have two decimals (1/7200 inch), confidences three. */
#include "layout/json_names.h"
#include "layout/writers.h"

#include <math.h>
#include <string.h>

const char *const layout_json_styles[LAYOUT_JSON_N_STYLES] = {
    "bold", "italic", "superscript", "subscript", "mono", "link", "math", "doubtful", "struck",
};
const char *const layout_json_sources[LAYOUT_TEXT_NONE + 1] = {"native", "ocr", "mixed", "none"};
const char *const layout_json_places[LAYOUT_JSON_N_PLACES] = {"text", "table", "figure",
                                                              "furniture"};

guint *
layout_json_place(layout_ledger *ledger, guint place)
{
    guint *const counts[LAYOUT_JSON_N_PLACES] = {&ledger->n_text, &ledger->n_table,
                                                 &ledger->n_figure, &ledger->n_furniture};
    return counts[place];
}

typedef struct {
    layout_sink *sink;
    GString *s;                          /* the sink's */
    guint depth;                         /* of the container being filled */
    gboolean first;                      /* nothing in it yet */
    const layout_write_options *options; /* of the Markdown beside it; NULL: the document alone */
    const layout_range *ranges;          /* [n_blocks] in that Markdown */
} json_out;

/* ---- values ---- */

static void
put_string(GString *s, const char *text)
{
    g_autofree char *valid = NULL;
    if (!g_utf8_validate(text, -1, NULL)) text = valid = g_utf8_make_valid(text, -1);
    g_string_append_c(s, '"');
    const char *from = text;
    for (const char *p = text;; p++) {
        const guchar c = (guchar)*p;
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        g_string_append_len(s, from, p - from);
        from = p + 1;
        switch (c) {
        case '\0':
            g_string_append_c(s, '"');
            return;
        case '"':
            g_string_append(s, "\\\"");
            break;
        case '\\':
            g_string_append(s, "\\\\");
            break;
        case '\n':
            g_string_append(s, "\\n");
            break;
        case '\r':
            g_string_append(s, "\\r");
            break;
        case '\t':
            g_string_append(s, "\\t");
            break;
        default:
            g_string_append_printf(s, "\\u%04x", c);
        }
    }
}

static void
put_integer(GString *s, gint64 value)
{
    char digits[24];
    guint n = sizeof digits;
    guint64 rest = value < 0 ? 0 - (guint64)value : (guint64)value;
    do {
        digits[--n] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0) digits[--n] = '-';
    g_string_append_len(s, digits + n, (gssize)(sizeof digits - n));
}

/* At most `decimals` (2 or 3) digits after the point, without trailing zeros. */
static void
put_number(GString *s, double value, guint decimals)
{
    const gint64 scale = decimals == 3 ? 1000 : 100;
    gint64 scaled = llround(value * (double)scale);
    if (scaled < 0) {
        g_string_append_c(s, '-');
        scaled = -scaled;
    }
    put_integer(s, scaled / scale);
    gint64 fraction = scaled % scale;
    if (fraction == 0) return;
    g_string_append_c(s, '.');
    for (gint64 unit = scale / 10; fraction > 0; unit /= 10) {
        g_string_append_c(s, (char)('0' + fraction / unit));
        fraction %= unit;
    }
}

static void
put_box(GString *s, const layout_box *box)
{
    put_integer(s, box->page);
    const float sides[] = {box->rect.x0, box->rect.y0, box->rect.x1, box->rect.y1};
    for (guint i = 0; i < G_N_ELEMENTS(sides); i++) {
        g_string_append(s, ", ");
        put_number(s, sides[i], 2);
    }
}

/* ---- containers ---- */

static void
next_line(json_out *o)
{
    if (!o->first) g_string_append_c(o->s, ',');
    o->first = FALSE;
    g_string_append_c(o->s, '\n');
    for (guint i = 0; i < o->depth; i++)
        g_string_append(o->s, "  ");
}

static void
put_key(json_out *o, const char *key)
{
    next_line(o);
    g_string_append_printf(o->s, "\"%s\": ", key);
}

static void
open_container(json_out *o, char bracket)
{
    g_string_append_c(o->s, bracket);
    o->depth++;
    o->first = TRUE;
}

static void
close_container(json_out *o, char bracket)
{
    o->depth--;
    if (!o->first) {
        o->first = TRUE;
        next_line(o);
    }
    g_string_append_c(o->s, bracket);
    o->first = FALSE;
}

static void
key_string(json_out *o, const char *key, const char *value)
{
    if (!value) return;
    put_key(o, key);
    put_string(o->s, value);
}

static void
key_integer(json_out *o, const char *key, gint64 value)
{
    put_key(o, key);
    put_integer(o->s, value);
}

static void
key_index(json_out *o, const char *key, int value)
{
    if (value != LAYOUT_NONE) key_integer(o, key, value);
}

static void
key_true(json_out *o, const char *key, gboolean value)
{
    if (!value) return;
    put_key(o, key);
    g_string_append(o->s, "true");
}

static void
key_number(json_out *o, const char *key, double value, guint decimals)
{
    put_key(o, key);
    put_number(o->s, value, decimals);
}

static void
key_box(json_out *o, const char *key, const layout_box *box)
{
    put_key(o, key);
    g_string_append_c(o->s, '[');
    put_box(o->s, box);
    g_string_append_c(o->s, ']');
}

/* ---- the document ---- */

static void
put_metadata(json_out *o, const layout_metadata *meta)
{
    put_key(o, "metadata");
    open_container(o, '{');
    key_string(o, "source_name", meta->source_name);
    key_string(o, "source_sha256", meta->source_sha256);
    key_string(o, "format", meta->format);
    key_string(o, "title", meta->title);
    if (meta->authors && meta->authors[0]) {
        put_key(o, "authors");
        open_container(o, '[');
        for (guint i = 0; meta->authors[i]; i++) {
            next_line(o);
            put_string(o->s, meta->authors[i]);
        }
        close_container(o, ']');
    }
    key_string(o, "abstract", meta->abstract);
    key_string(o, "doi", meta->doi);
    key_string(o, "arxiv", meta->arxiv);
    key_string(o, "language", meta->language);
    key_string(o, "year", meta->year);
    key_string(o, "producer", meta->producer);
    close_container(o, '}');
}

static void
put_ledger(json_out *o, const layout_ledger *ledger)
{
    if (ledger->n_glyphs == 0) return;
    put_key(o, "glyphs");
    g_string_append(o->s, "{\"drawn\": ");
    put_integer(o->s, ledger->n_glyphs);
    for (guint i = 0; i < LAYOUT_JSON_N_PLACES; i++) {
        guint n = *layout_json_place((layout_ledger *)ledger, i);
        if (n == 0) continue;
        g_string_append_printf(o->s, ", \"%s\": ", layout_json_places[i]);
        put_integer(o->s, n);
    }
    const char *separator = ", \"discarded\": {";
    for (guint i = 0; i < LAYOUT_N_DISCARD_REASONS; i++) {
        if (ledger->n_discarded[i] == 0) continue;
        const char *name = layout_discard_reason_name((layout_discard_reason)i);
        g_string_append_printf(o->s, "%s\"%s\": ", separator, name);
        put_integer(o->s, ledger->n_discarded[i]);
        separator = ", ";
    }
    g_string_append(o->s, strlen(separator) == 2 ? "}}" : "}");
}

static void
put_discard(json_out *o, const layout_discard *discard)
{
    key_string(o, "reason", layout_discard_reason_name(discard->reason));
    key_box(o, "box", &discard->box);
    key_integer(o, "glyphs", discard->n_glyphs);
    key_string(o, "text", discard->text);
}

static void
put_page(json_out *o, guint index, const layout_page *page)
{
    key_integer(o, "index", index);
    key_number(o, "width", page->width_pt, 2);
    key_number(o, "height", page->height_pt, 2);
    key_integer(o, "rotation", page->rotation);
    if (page->turn != 0) key_integer(o, "turn", page->turn);
    key_string(o, "label", page->label);
    key_string(o, "source", layout_json_sources[page->source]);
    key_string(o, "failure", page->failure);
    if (page->order_confidence > 0) key_number(o, "order_confidence", page->order_confidence, 3);
    put_ledger(o, &page->ledger);
}

static void
put_span(GString *s, const layout_span *span)
{
    g_string_append(s, "{\"start\": ");
    put_integer(s, span->start);
    g_string_append(s, ", \"len\": ");
    put_integer(s, span->len);
    g_string_append(s, ", \"style\": [");
    const char *separator = "";
    for (guint i = 0; i < LAYOUT_JSON_N_STYLES; i++) {
        if (!(span->flags & (1u << i))) continue;
        g_string_append_printf(s, "%s\"%s\"", separator, layout_json_styles[i]);
        separator = ", ";
    }
    g_string_append_c(s, ']');
    if (span->target) {
        g_string_append(s, ", \"target\": ");
        put_string(s, span->target);
    }
    g_string_append_c(s, '}');
}

static void
put_block(json_out *o, const lode_document *d, guint index)
{
    const layout_block *block = &d->blocks[index];
    key_string(o, "type", layout_block_type_name(block->type));
    if (block->level > 0) key_integer(o, "level", block->level);
    key_true(o, "run_in", block->run_in);
    key_string(o, "marker", block->marker);
    key_string(o, "text", block->text);
    key_index(o, "parent", block->parent);
    key_index(o, "item", block->item);
    key_number(o, "font_size", block->font_size_pt, 2);
    key_number(o, "confidence", block->confidence, 3);
    if (o->ranges && o->ranges[index].end > 0) {
        put_key(o, "markdown");
        g_string_append_c(o->s, '[');
        put_integer(o->s, (gint64)o->ranges[index].start);
        g_string_append(o->s, ", ");
        put_integer(o->s, (gint64)o->ranges[index].end);
        g_string_append_c(o->s, ']');
    }

    put_key(o, "boxes");
    g_string_append_c(o->s, '[');
    for (guint i = 0; i < block->n_boxes; i++) {
        g_string_append(o->s, i > 0 ? ", [" : "[");
        put_box(o->s, &d->boxes[block->first_box + i]);
        g_string_append_c(o->s, ']');
    }
    g_string_append_c(o->s, ']');
    if (block->n_spans > 0) {
        put_key(o, "spans");
        open_container(o, '[');
        for (guint i = 0; i < block->n_spans; i++) {
            next_line(o);
            put_span(o->s, &d->spans[block->first_span + i]);
        }
        close_container(o, ']');
    }
    if (block->n_lines > 0) {
        put_key(o, "lines");
        open_container(o, '[');
        for (guint i = 0; i < block->n_lines; i++) {
            const layout_line *line = &d->lines[block->first_line + i];
            next_line(o);
            g_string_append_c(o->s, '[');
            put_integer(o->s, line->start);
            g_string_append(o->s, ", ");
            put_integer(o->s, line->len);
            g_string_append(o->s, ", ");
            put_box(o->s, &line->box);
            g_string_append_c(o->s, ']');
        }
        close_container(o, ']');
    }
}

/* The notes that a cell's marks call. */
static void
put_notes(GString *s, const lode_document *d, const layout_table *table, const layout_cell *cell)
{
    gboolean any = FALSE;
    const char *at = cell->text + strlen(cell->text) - cell->n_mark;
    for (gsize len; (len = layout_next_mark(&at)) > 0; at += len) {
        const int note = layout_cell_note(d, table, at, len);
        if (note == LAYOUT_NONE) continue;
        g_string_append(s, any ? ", " : ", \"notes\": [");
        put_integer(s, note);
        any = TRUE;
    }
    if (any) g_string_append_c(s, ']');
}

static void
put_cell(json_out *o, const lode_document *d, const layout_table *table, const layout_cell *cell)
{
    GString *s = o->s;
    g_string_append(s, "{\"at\": [");
    const guint at[] = {cell->row, cell->col, cell->row_span, cell->col_span};
    for (guint i = 0; i < G_N_ELEMENTS(at); i++) {
        if (i > 0) g_string_append(s, ", ");
        put_integer(s, at[i]);
    }
    g_string_append(s, cell->header ? "], \"header\": true" : "]");
    g_string_append(s, cell->doubtful ? ", \"doubtful\": true, \"box\": [" : ", \"box\": [");
    put_box(s, &cell->box);
    g_string_append(s, "], \"text\": ");
    put_string(s, cell->text);
    if (cell->n_mark > 0) {
        g_string_append(s, ", \"mark\": ");
        put_integer(s, cell->n_mark);
        put_notes(s, d, table, cell);
    }
    if (cell->picture.x1 > cell->picture.x0) {
        const layout_box box = {cell->box.page, cell->picture};
        g_string_append(s, ", \"picture\": [");
        put_box(s, &box);
        g_string_append_c(s, ']');
    }
    if (layout_has_figure_image(o->options, cell->image)) {
        g_string_append(s, ", \"image\": ");
        put_string(s, cell->image);
    }
    g_string_append_c(s, '}');
}

static void
put_table(json_out *o, const lode_document *d, const layout_table *table)
{
    key_integer(o, "block", table->block);
    key_index(o, "caption", table->caption);
    key_integer(o, "rows", table->n_rows);
    key_integer(o, "cols", table->n_cols);
    key_integer(o, "header_rows", table->n_header_rows);
    key_string(o, "align", table->align);
    if (layout_has_crop(o->options, table->image)) key_string(o, "image", table->image);
    put_key(o, "cells");
    open_container(o, '[');
    for (guint i = 0; i < table->n_cells; i++) {
        next_line(o);
        put_cell(o, d, table, &d->cells[table->first_cell + i]);
    }
    close_container(o, ']');
}

static void
put_figure(json_out *o, const lode_document *d, const layout_figure *figure)
{
    key_integer(o, "block", figure->block);
    key_index(o, "caption", figure->caption);
    key_box(o, "box", &figure->box);
    key_true(o, "vector", figure->vector);
    key_string(o, "label", figure->label);
    key_string(o, "inner_text", figure->inner_text);
    if (layout_has_figure_image(o->options, figure->image)) {
        key_string(o, "image", figure->image);
        key_string(o, "svg", figure->svg);
    }
    if (figure->n_panels == 0) return;
    put_key(o, "panels");
    open_container(o, '[');
    for (guint i = 0; i < figure->n_panels; i++) {
        const layout_panel *panel = &d->panels[figure->first_panel + i];
        next_line(o);
        g_string_append(o->s, "{\"box\": [");
        put_box(o->s, &panel->box);
        g_string_append_c(o->s, ']');
        if (panel->label) {
            g_string_append(o->s, ", \"label\": ");
            put_string(o->s, panel->label);
        }
        g_string_append_c(o->s, '}');
    }
    close_container(o, ']');
}

static void
put_formula(json_out *o, const layout_formula *formula)
{
    key_integer(o, "block", formula->block);
    key_string(o, "latex", formula->latex);
    key_string(o, "number", formula->number);
    key_number(o, "confidence", formula->confidence, 3);
    key_string(o, "image", layout_formula_picture(o->options, formula));
}

static void
put_reference(json_out *o, const lode_document *d, const layout_reference *reference)
{
    key_integer(o, "block", reference->block);
    key_string(o, "key", reference->key);
    key_string(o, "kind", layout_reference_kind_name(reference->kind));
    key_string(o, "authors", reference->authors);
    if (reference->n_names > 0) {
        put_key(o, "names");
        open_container(o, '[');
        for (guint i = 0; i < reference->n_names; i++) {
            const layout_name *name = &d->names[reference->first_name + i];
            next_line(o);
            g_string_append(o->s, "{\"family\": ");
            put_string(o->s, name->family);
            if (name->given) {
                g_string_append(o->s, ", \"given\": ");
                put_string(o->s, name->given);
            }
            g_string_append_c(o->s, '}');
        }
        close_container(o, ']');
    }
    key_true(o, "et_al", reference->et_al);
    key_string(o, "title", reference->title);
    key_string(o, "venue", reference->venue);
    key_string(o, "publisher", reference->publisher);
    key_string(o, "volume", reference->volume);
    key_string(o, "issue", reference->issue);
    key_string(o, "pages", reference->pages);
    key_string(o, "year", reference->year);
    key_string(o, "doi", reference->doi);
    key_string(o, "arxiv", reference->arxiv);
    key_string(o, "url", reference->url);
}

static void
put_citations(json_out *o, const lode_document *d)
{
    put_key(o, "citations");
    open_container(o, '[');
    for (guint i = 0; i < d->n_citations; i++) {
        const layout_citation *c = &d->citations[i];
        const gint64 numbers[] = {c->block, c->start, c->len, c->reference};
        next_line(o);
        for (guint k = 0; k < G_N_ELEMENTS(numbers); k++) {
            g_string_append(o->s, k > 0 ? ", " : "[");
            put_integer(o->s, numbers[k]);
        }
        g_string_append_c(o->s, ']');
        layout_sink_step(o->sink, 1);
    }
    close_container(o, ']');
}

/* "name": [ then one object per element, each filled by `fill` with the index i in scope; spread: how many blocks
 * apart two of them lie in the document. */
#define PUT_ARRAY(o, name, n, spread, fill)                                                        \
    do {                                                                                           \
        put_key(o, name);                                                                          \
        open_container(o, '[');                                                                    \
        for (guint i = 0; i < (n); i++) {                                                          \
            next_line(o);                                                                          \
            open_container(o, '{');                                                                \
            fill;                                                                                  \
            close_container(o, '}');                                                               \
            layout_sink_step((o)->sink, spread);                                                   \
        }                                                                                          \
        close_container(o, ']');                                                                   \
    } while (0)

/* Those that were not asked for leave a gap in the indices. */
static void
put_pages(json_out *o, const lode_document *d)
{
    put_key(o, "pages");
    open_container(o, '[');
    for (guint i = 0; i < d->n_pages; i++) {
        if (d->pages[i].skipped) continue;
        next_line(o);
        open_container(o, '{');
        put_page(o, i, &d->pages[i]);
        close_container(o, '}');
        layout_sink_step(o->sink, 1);
    }
    close_container(o, ']');
}

/* The Markdown beside the JSON: only what is said about it is kept. */
typedef struct {
    GChecksum *sum;
    guint64 len;
} markdown_digest;

static gboolean
digest_take(const char *data, size_t len, void *user_data)
{
    markdown_digest *digest = user_data;
    g_checksum_update(digest->sum, (const guchar *)data, (gssize)len);
    digest->len += len;
    return TRUE;
}

/* Which Markdown the ranges of the blocks are of. */
static void
put_markdown(json_out *o, const layout_write_options *options, const markdown_digest *markdown)
{
    static const char *const images[] = {"none", "figures", "all"};
    static const char *const formulas[] = {"auto", "latex", "image", "both"};
    put_key(o, "markdown");
    open_container(o, '{');
    key_true(o, "page_breaks", options->page_breaks);
    key_true(o, "furniture", options->furniture);
    key_string(o, "images", images[options->images]);
    if (options->formulas != LAYOUT_FORMULAS_AUTO)
        key_string(o, "formulas", formulas[options->formulas]);
    key_string(o, "image_dir", options->image_dir ? options->image_dir : "images");
    key_integer(o, "bytes", (gint64)markdown->len);
    key_string(o, "sha256", g_checksum_get_string(markdown->sum));
    close_container(o, '}');
}

/* markdown NULL: the document alone. */
static void
write_json(json_out *o, const lode_document *d, const markdown_digest *markdown)
{
    open_container(o, '{');
    key_string(o, "schema", LAYOUT_JSON_SCHEMA);
    key_integer(o, "version", LAYOUT_JSON_VERSION);
    if (markdown) put_markdown(o, o->options, markdown);
    put_metadata(o, &d->meta);
    put_pages(o, d);
    PUT_ARRAY(o, "blocks", d->n_blocks, 1, put_block(o, d, i));
    PUT_ARRAY(o, "tables", d->n_tables, 4, put_table(o, d, &d->tables[i]));
    PUT_ARRAY(o, "figures", d->n_figures, 4, put_figure(o, d, &d->figures[i]));
    PUT_ARRAY(o, "formulas", d->n_formulas, 4, put_formula(o, &d->formulas[i]));
    PUT_ARRAY(o, "references", d->n_references, 1, put_reference(o, d, &d->references[i]));
    put_citations(o, d);
    PUT_ARRAY(o, "discarded", d->n_discards, 1, put_discard(o, &d->discards[i]));
    PUT_ARRAY(o, "warnings", d->n_warnings, 1, {
        key_index(o, "page", d->warnings[i].page);
        key_string(o, "message", d->warnings[i].message);
    });
    close_container(o, '}');
    g_string_append_c(o->s, '\n');
}

char *
layout_document_to_json(const lode_document *document)
{
    layout_sink sink;
    layout_sink_init(&sink, document, NULL, NULL);
    json_out out = {.sink = &sink, .s = sink.text, .first = TRUE};
    write_json(&out, document, NULL);
    return layout_sink_take(&sink);
}

static void
write_traced_json(layout_sink *sink, const layout_write_options *options)
{
    const layout_write_options defaults = layout_write_options_default();
    if (!options) options = &defaults;
    const lode_document *document = sink->document;
    g_autofree layout_range *ranges = g_new(layout_range, MAX(document->n_blocks, 1));
    markdown_digest digest = {.sum = g_checksum_new(G_CHECKSUM_SHA256)};
    layout_document_write_markdown(document, options, ranges, digest_take, &digest);
    json_out out = {
        .sink = sink, .s = sink->text, .first = TRUE, .options = options, .ranges = ranges};
    write_json(&out, document, &digest);
    g_checksum_free(digest.sum);
}

gboolean
layout_document_write_traced_json(const lode_document *document,
                                  const layout_write_options *options, layout_write_fn write,
                                  void *user_data)
{
    layout_sink sink;
    layout_sink_init(&sink, document, write, user_data);
    write_traced_json(&sink, options);
    return layout_sink_end(&sink);
}

char *
layout_document_to_traced_json(const lode_document *document, const layout_write_options *options)
{
    layout_sink sink;
    layout_sink_init(&sink, document, NULL, NULL);
    write_traced_json(&sink, options);
    return layout_sink_take(&sink);
}

/* lode's own JSON -> a document. The schema is in json.c.
 *
 * The bytes are foreign: types and ranges of single values are checked here, how they refer to each other by
 * layout_document_check. Messages name the place, "blocks[12].lines[3]: ...". */
#include "layout/document.h"
#include "layout/json_names.h"

#include <jansson.h>
#include <string.h>

#define MAX_JSON_BYTES ((size_t)1 << 30)
#define MAX_LENGTH_PT  1e6
#define MAX_PAGES      1000000

typedef struct {
    layout_builder *builder;
    const json_t *root;
    const char *array; /* where we are, for messages: array[index] */
    size_t index;
    guint n_pages; /* so far */
    GError **error;
} reader;

static gboolean
fail(reader *r, const char *key, const char *what)
{
    g_set_error(r->error, LAYOUT_ERROR, LAYOUT_ERROR_FORMAT, "%s[%zu].%s: %s", r->array, r->index,
                key, what);
    return FALSE;
}

/* ---- values; each leaves *value alone and succeeds where the key is absent, unless required ---- */

static gboolean
get_string(reader *r, const json_t *object, const char *key, gboolean required, const char **value)
{
    const json_t *v = json_object_get(object, key);
    if (!v) return required ? fail(r, key, "missing") : TRUE;
    if (!json_is_string(v)) return fail(r, key, "not a string");
    *value = json_string_value(v);
    return TRUE;
}

static gboolean
as_integer(const json_t *v, gint64 low, gint64 high, gint64 *value)
{
    if (!json_is_integer(v)) return FALSE;
    const json_int_t n = json_integer_value(v);
    if (n < low || n > high) return FALSE;
    *value = n;
    return TRUE;
}

static gboolean
get_int(reader *r, const json_t *object, const char *key, gboolean required, gint64 high,
        int *value)
{
    const json_t *v = json_object_get(object, key);
    gint64 n;
    if (!v) return required ? fail(r, key, "missing") : TRUE;
    if (!as_integer(v, 0, high, &n)) return fail(r, key, "not an integer in range");
    *value = (int)n;
    return TRUE;
}

static gboolean
get_guint(reader *r, const json_t *object, const char *key, guint *value)
{
    const json_t *v = json_object_get(object, key);
    gint64 n;
    if (!v || !as_integer(v, 0, G_MAXINT32, &n)) return fail(r, key, "not an integer in range");
    *value = (guint)n;
    return TRUE;
}

static gboolean
get_number(reader *r, const json_t *object, const char *key, double high, float *value)
{
    const json_t *v = json_object_get(object, key);
    if (!json_is_number(v)) return fail(r, key, "not a number");
    const double n = json_number_value(v);
    if (!(n >= 0 && n <= high)) return fail(r, key, "out of range");
    *value = (float)n;
    return TRUE;
}

static gboolean
get_true(reader *r, const json_t *object, const char *key, gboolean *value)
{
    const json_t *v = json_object_get(object, key);
    if (v && !json_is_boolean(v)) return fail(r, key, "not a boolean");
    *value = v && json_is_true(v);
    return TRUE;
}

/* Elements from..from+4 of an array: page, x0, y0, x1, y1. */
static gboolean
as_box(const json_t *array, size_t from, layout_box *box)
{
    gint64 page;
    double sides[4];
    if (!as_integer(json_array_get(array, from), 0, G_MAXINT32, &page)) return FALSE;
    for (size_t i = 0; i < 4; i++) {
        const json_t *v = json_array_get(array, from + 1 + i);
        if (!json_is_number(v)) return FALSE;
        sides[i] = json_number_value(v);
        if (!(sides[i] >= -MAX_LENGTH_PT && sides[i] <= MAX_LENGTH_PT)) return FALSE;
    }
    if (sides[0] > sides[2] || sides[1] > sides[3]) return FALSE;
    box->page = (int)page;
    box->rect = (layout_rect){(float)sides[0], (float)sides[1], (float)sides[2], (float)sides[3]};
    return TRUE;
}

static gboolean
get_box(reader *r, const json_t *object, const char *key, layout_box *box)
{
    const json_t *v = json_object_get(object, key);
    if (json_array_size(v) != 5 || !as_box(v, 0, box)) return fail(r, key, "not a box");
    return TRUE;
}

/* ---- parts ---- */

static gboolean
read_metadata(reader *r, const json_t *object)
{
    layout_metadata meta = {0};
    r->array = "metadata";
    if (!get_string(r, object, "source_name", TRUE, &meta.source_name) ||
        !get_string(r, object, "source_sha256", TRUE, &meta.source_sha256) ||
        !get_string(r, object, "format", TRUE, &meta.format) ||
        !get_string(r, object, "title", FALSE, &meta.title) ||
        !get_string(r, object, "abstract", FALSE, &meta.abstract) ||
        !get_string(r, object, "doi", FALSE, &meta.doi) ||
        !get_string(r, object, "arxiv", FALSE, &meta.arxiv) ||
        !get_string(r, object, "language", FALSE, &meta.language) ||
        !get_string(r, object, "year", FALSE, &meta.year) ||
        !get_string(r, object, "producer", FALSE, &meta.producer))
        return FALSE;

    const json_t *authors = json_object_get(object, "authors");
    if (authors && !json_is_array(authors)) return fail(r, "authors", "not an array");
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    for (size_t i = 0; i < json_array_size(authors); i++) {
        const char *name = json_string_value(json_array_get(authors, i));
        if (!name) return fail(r, "authors", "not all strings");
        g_ptr_array_add(names, (gpointer)name);
    }
    layout_builder_set_authors(r->builder, (const char *const *)names->pdata, names->len);

    layout_metadata *m = layout_builder_meta(r->builder);
    meta.authors = m->authors;
    const char **const strings[] = {
        &meta.source_name, &meta.source_sha256, &meta.format,   &meta.title, &meta.abstract,
        &meta.doi,         &meta.arxiv,         &meta.language, &meta.year,  &meta.producer};
    for (guint i = 0; i < G_N_ELEMENTS(strings); i++)
        *strings[i] = layout_builder_copy(r->builder, *strings[i], -1);
    *m = meta;
    return TRUE;
}

static gboolean
get_count(reader *r, const json_t *object, const char *key, guint *value)
{
    return json_object_get(object, key) ? get_guint(r, object, key, value) : TRUE;
}

static gboolean
read_ledger(reader *r, const json_t *object, layout_ledger *ledger)
{
    if (!object) return TRUE;
    if (!get_guint(r, object, "drawn", &ledger->n_glyphs)) return FALSE;
    for (guint i = 0; i < LAYOUT_JSON_N_PLACES; i++)
        if (!get_count(r, object, layout_json_places[i], layout_json_place(ledger, i)))
            return FALSE;
    const json_t *discarded = json_object_get(object, "discarded");
    for (guint i = 0; i < LAYOUT_N_DISCARD_REASONS; i++)
        if (!get_count(r, discarded, layout_discard_reason_name((layout_discard_reason)i),
                       &ledger->n_discarded[i]))
            return FALSE;
    return TRUE;
}

static gboolean
read_page(reader *r, const json_t *object)
{
    layout_page page = {0};
    const char *source = NULL;
    if (!get_number(r, object, "width", MAX_LENGTH_PT, &page.width_pt) ||
        !get_number(r, object, "height", MAX_LENGTH_PT, &page.height_pt) ||
        !get_int(r, object, "rotation", TRUE, 270, &page.rotation) ||
        !get_int(r, object, "turn", FALSE, 270, &page.turn) ||
        !get_string(r, object, "label", FALSE, &page.label) ||
        !get_string(r, object, "source", TRUE, &source) ||
        !get_string(r, object, "failure", FALSE, &page.failure) ||
        !read_ledger(r, json_object_get(object, "glyphs"), &page.ledger))
        return FALSE;
    if (json_object_get(object, "order_confidence") != NULL &&
        !get_number(r, object, "order_confidence", 1, &page.order_confidence))
        return FALSE;
    /* version 1 had no gaps, and no index */
    int index = (int)r->n_pages;
    if (!get_int(r, object, "index", FALSE, MAX_PAGES - 1, &index)) return FALSE;
    if ((guint)index < r->n_pages) return fail(r, "index", "not after the page before");
    for (; r->n_pages < (guint)index; r->n_pages++) {
        const layout_page gap = {.source = LAYOUT_TEXT_NONE, .skipped = TRUE};
        layout_builder_add_page(r->builder, &gap);
    }
    r->n_pages++;
    guint s = 0;
    while (s <= LAYOUT_TEXT_NONE && strcmp(source, layout_json_sources[s]) != 0)
        s++;
    if (s > LAYOUT_TEXT_NONE) return fail(r, "source", "unknown");
    page.source = (layout_text_source)s;
    layout_builder_add_page(r->builder, &page);
    return TRUE;
}

static gboolean
read_style(const json_t *array, guint *flags)
{
    if (!json_is_array(array)) return FALSE;
    for (size_t i = 0; i < json_array_size(array); i++) {
        const char *name = json_string_value(json_array_get(array, i));
        guint bit = 0;
        while (name && bit < LAYOUT_JSON_N_STYLES && strcmp(name, layout_json_styles[bit]) != 0)
            bit++;
        if (!name || bit == LAYOUT_JSON_N_STYLES) return FALSE;
        *flags |= 1u << bit;
    }
    return TRUE;
}

static gboolean
read_spans(reader *r, const json_t *array, GArray *spans)
{
    if (array && !json_is_array(array)) return fail(r, "spans", "not an array");
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *object = json_array_get(array, i);
        layout_span span = {0};
        gint64 start, len;
        if (!as_integer(json_object_get(object, "start"), 0, G_MAXINT32, &start) ||
            !as_integer(json_object_get(object, "len"), 1, G_MAXINT32, &len) ||
            !read_style(json_object_get(object, "style"), &span.flags))
            return fail(r, "spans", "a span needs start, len and style");
        if (!get_string(r, object, "target", FALSE, &span.target)) return FALSE;
        span.start = (uint32_t)start;
        span.len = (uint32_t)len;
        g_array_append_val(spans, span);
    }
    return TRUE;
}

static gboolean
read_boxes_and_lines(reader *r, const json_t *object, GArray *boxes, GArray *lines)
{
    const json_t *array = json_object_get(object, "boxes");
    if (!json_is_array(array)) return fail(r, "boxes", "not an array");
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *v = json_array_get(array, i);
        layout_box box;
        if (json_array_size(v) != 5 || !as_box(v, 0, &box)) return fail(r, "boxes", "not a box");
        g_array_append_val(boxes, box);
    }
    array = json_object_get(object, "lines");
    if (array && !json_is_array(array)) return fail(r, "lines", "not an array");
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *v = json_array_get(array, i);
        layout_line line;
        gint64 start, len;
        if (json_array_size(v) != 7 || !as_integer(json_array_get(v, 0), 0, G_MAXINT32, &start) ||
            !as_integer(json_array_get(v, 1), 0, G_MAXINT32, &len) || !as_box(v, 2, &line.box))
            return fail(r, "lines", "not a line");
        line.start = (uint32_t)start;
        line.len = (uint32_t)len;
        g_array_append_val(lines, line);
    }
    return TRUE;
}

static gboolean
read_block(reader *r, const json_t *object)
{
    layout_block block = {.parent = LAYOUT_NONE};
    const char *type = NULL;
    if (!get_string(r, object, "type", TRUE, &type) ||
        !get_string(r, object, "text", TRUE, &block.text) ||
        !get_string(r, object, "marker", FALSE, &block.marker) ||
        !get_int(r, object, "level", FALSE, 1000, &block.level) ||
        !get_true(r, object, "run_in", &block.run_in) ||
        !get_int(r, object, "parent", FALSE, G_MAXINT32, &block.parent) ||
        !get_number(r, object, "font_size", MAX_LENGTH_PT, &block.font_size_pt) ||
        !get_number(r, object, "confidence", 1, &block.confidence))
        return FALSE;
    if (!layout_block_type_from_name(type, &block.type)) return fail(r, "type", "unknown");
    block.text_len = (uint32_t)strlen(block.text);

    g_autoptr(GArray) boxes = g_array_new(FALSE, FALSE, sizeof(layout_box));
    g_autoptr(GArray) spans = g_array_new(FALSE, FALSE, sizeof(layout_span));
    g_autoptr(GArray) lines = g_array_new(FALSE, FALSE, sizeof(layout_line));
    if (!read_boxes_and_lines(r, object, boxes, lines) ||
        !read_spans(r, json_object_get(object, "spans"), spans))
        return FALSE;
    layout_builder_add_block(r->builder, &block, (layout_box *)boxes->data, boxes->len,
                             (layout_span *)spans->data, spans->len, (layout_line *)lines->data,
                             lines->len);
    return TRUE;
}

/* The block of an item: it must exist before the builder may be asked for it. */
static gboolean
get_block(reader *r, const json_t *object, int *block)
{
    const size_t n_blocks = json_array_size(json_object_get(r->root, "blocks"));
    if (!get_int(r, object, "block", TRUE, G_MAXINT32, block)) return FALSE;
    return (size_t)*block < n_blocks ? TRUE : fail(r, "block", "out of range");
}

/* "mark" alone counts: which notes it calls is known from them. */
static gboolean
read_mark(reader *r, const json_t *object, layout_cell *cell)
{
    gint64 n = 0;
    const json_t *mark = json_object_get(object, "mark");
    if (mark == NULL) return TRUE;
    if (!as_integer(mark, 1, (gint64)strlen(cell->text), &n) ||
        !g_utf8_validate(cell->text + strlen(cell->text) - n, -1, NULL))
        return fail(r, "cells", "mark is out of range");
    cell->n_mark = (guint)n;
    return TRUE;
}

static gboolean
read_picture(reader *r, const json_t *object, layout_cell *cell)
{
    layout_box box = {0};
    if (json_object_get(object, "picture") == NULL) return TRUE;
    if (!get_box(r, object, "picture", &box)) return FALSE;
    if (box.page != cell->box.page) return fail(r, "cells", "picture is on another page");
    cell->picture = box.rect;
    return TRUE;
}

static gboolean
read_cell(reader *r, const json_t *object, layout_cell *cell)
{
    const json_t *at = json_object_get(object, "at");
    guint *const places[] = {&cell->row, &cell->col, &cell->row_span, &cell->col_span};
    if (json_array_size(at) != G_N_ELEMENTS(places))
        return fail(r, "cells", "at has not four numbers");
    for (guint i = 0; i < G_N_ELEMENTS(places); i++) {
        gint64 n;
        if (!as_integer(json_array_get(at, i), i < 2 ? 0 : 1, LAYOUT_MAX_TABLE_ROWS, &n))
            return fail(r, "cells", "at is out of range");
        *places[i] = (guint)n;
    }
    return get_true(r, object, "header", &cell->header) &&
           get_true(r, object, "doubtful", &cell->doubtful) &&
           get_box(r, object, "box", &cell->box) &&
           get_string(r, object, "text", TRUE, &cell->text) && read_mark(r, object, cell) &&
           get_string(r, object, "image", FALSE, &cell->image) && read_picture(r, object, cell);
}

static gboolean
read_table(reader *r, const json_t *object)
{
    layout_table table = {.caption = LAYOUT_NONE};
    if (!get_block(r, object, &table.block) ||
        !get_int(r, object, "caption", FALSE, G_MAXINT32, &table.caption) ||
        !get_guint(r, object, "rows", &table.n_rows) ||
        !get_guint(r, object, "cols", &table.n_cols) ||
        !get_guint(r, object, "header_rows", &table.n_header_rows) ||
        !get_string(r, object, "align", FALSE, &table.align) ||
        !get_string(r, object, "image", FALSE, &table.image))
        return FALSE;
    const json_t *array = json_object_get(object, "cells");
    if (!json_is_array(array)) return fail(r, "cells", "not an array");
    g_autoptr(GArray) cells = g_array_new(FALSE, FALSE, sizeof(layout_cell));
    for (size_t i = 0; i < json_array_size(array); i++) {
        layout_cell cell = {0};
        if (!read_cell(r, json_array_get(array, i), &cell)) return FALSE;
        g_array_append_val(cells, cell);
    }
    layout_builder_add_table(r->builder, &table, (layout_cell *)cells->data, cells->len);
    return TRUE;
}

static gboolean
read_figure(reader *r, const json_t *object)
{
    layout_figure figure = {.caption = LAYOUT_NONE};
    if (!get_block(r, object, &figure.block) ||
        !get_int(r, object, "caption", FALSE, G_MAXINT32, &figure.caption) ||
        !get_box(r, object, "box", &figure.box) || !get_true(r, object, "vector", &figure.vector) ||
        !get_string(r, object, "label", FALSE, &figure.label) ||
        !get_string(r, object, "inner_text", FALSE, &figure.inner_text) ||
        !get_string(r, object, "image", FALSE, &figure.image) ||
        !get_string(r, object, "svg", FALSE, &figure.svg))
        return FALSE;
    g_autoptr(GArray) panels = g_array_new(FALSE, FALSE, sizeof(layout_panel));
    const json_t *array = json_object_get(object, "panels");
    if (array && !json_is_array(array)) return fail(r, "panels", "not an array");
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *v = json_array_get(array, i);
        layout_panel panel = {.label = NULL};
        if (!get_box(r, v, "box", &panel.box) || !get_string(r, v, "label", FALSE, &panel.label))
            return FALSE;
        g_array_append_val(panels, panel);
    }
    layout_builder_add_figure(r->builder, &figure, (layout_panel *)panels->data, panels->len);
    return TRUE;
}

static gboolean
read_formula(reader *r, const json_t *object)
{
    layout_formula formula = {0};
    if (!get_block(r, object, &formula.block) ||
        !get_string(r, object, "latex", FALSE, &formula.latex) ||
        !get_string(r, object, "number", FALSE, &formula.number) ||
        !get_number(r, object, "confidence", 1, &formula.confidence) ||
        !get_string(r, object, "image", FALSE, &formula.image))
        return FALSE;
    layout_builder_add_formula(r->builder, &formula);
    return TRUE;
}

static gboolean
read_kind(reader *r, const json_t *object, layout_reference_kind *kind)
{
    const char *name = NULL;
    if (!get_string(r, object, "kind", FALSE, &name)) return FALSE;
    for (guint k = 0; name && k < LAYOUT_N_REFERENCE_KINDS; k++) {
        *kind = (layout_reference_kind)k;
        if (strcmp(name, layout_reference_kind_name(*kind)) == 0) return TRUE;
    }
    return name ? fail(r, "kind", "unknown") : TRUE;
}

static gboolean
read_names(reader *r, const json_t *array, GArray *names)
{
    if (array && !json_is_array(array)) return fail(r, "names", "not an array");
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *object = json_array_get(array, i);
        layout_name name = {0};
        if (!get_string(r, object, "family", TRUE, &name.family) ||
            !get_string(r, object, "given", FALSE, &name.given))
            return FALSE;
        g_array_append_val(names, name);
    }
    return TRUE;
}

static gboolean
read_reference(reader *r, const json_t *object)
{
    layout_reference reference = {0};
    g_autoptr(GArray) names = g_array_new(FALSE, FALSE, sizeof(layout_name));
    if (!get_block(r, object, &reference.block) ||
        !get_string(r, object, "key", FALSE, &reference.key) ||
        !read_kind(r, object, &reference.kind) ||
        !get_string(r, object, "authors", FALSE, &reference.authors) ||
        !read_names(r, json_object_get(object, "names"), names) ||
        !get_true(r, object, "et_al", &reference.et_al) ||
        !get_string(r, object, "title", FALSE, &reference.title) ||
        !get_string(r, object, "venue", FALSE, &reference.venue) ||
        !get_string(r, object, "publisher", FALSE, &reference.publisher) ||
        !get_string(r, object, "volume", FALSE, &reference.volume) ||
        !get_string(r, object, "issue", FALSE, &reference.issue) ||
        !get_string(r, object, "pages", FALSE, &reference.pages) ||
        !get_string(r, object, "year", FALSE, &reference.year) ||
        !get_string(r, object, "doi", FALSE, &reference.doi) ||
        !get_string(r, object, "arxiv", FALSE, &reference.arxiv) ||
        !get_string(r, object, "url", FALSE, &reference.url))
        return FALSE;
    layout_builder_add_reference(r->builder, &reference, (layout_name *)names->data, names->len);
    return TRUE;
}

static gboolean
read_citation(reader *r, const json_t *array)
{
    gint64 n[4];
    if (json_array_size(array) != G_N_ELEMENTS(n)) return fail(r, "", "not four numbers");
    for (guint i = 0; i < G_N_ELEMENTS(n); i++) {
        if (!as_integer(json_array_get(array, i), 0, G_MAXINT32, &n[i]))
            return fail(r, "", "a number is out of range");
    }
    layout_citation citation = {(int)n[0], (uint32_t)n[1], (uint32_t)n[2], (int)n[3]};
    layout_builder_add_citation(r->builder, &citation);
    return TRUE;
}

static gboolean
read_discard(reader *r, const json_t *object)
{
    layout_discard discard = {0};
    const char *reason = NULL;
    if (!get_string(r, object, "reason", TRUE, &reason) ||
        !get_box(r, object, "box", &discard.box) ||
        !get_guint(r, object, "glyphs", &discard.n_glyphs) ||
        !get_string(r, object, "text", TRUE, &discard.text))
        return FALSE;
    if (!layout_discard_reason_from_name(reason, &discard.reason))
        return fail(r, "reason", "unknown");
    layout_builder_add_discard(r->builder, &discard);
    return TRUE;
}

static gboolean
read_warning(reader *r, const json_t *object)
{
    int page = LAYOUT_NONE;
    const char *message = NULL;
    if (!get_int(r, object, "page", FALSE, G_MAXINT32, &page) ||
        !get_string(r, object, "message", TRUE, &message))
        return FALSE;
    layout_builder_add_warning(r->builder, page, message);
    return TRUE;
}

/* ---- the whole ---- */

/* In the order of reading: items name blocks, everything names pages. */
static const struct {
    const char *name;
    gboolean (*read)(reader *r, const json_t *object);
} arrays[] = {
    {"pages", read_page},         {"blocks", read_block},      {"tables", read_table},
    {"figures", read_figure},     {"formulas", read_formula},  {"references", read_reference},
    {"citations", read_citation}, {"discarded", read_discard}, {"warnings", read_warning},
};

/* Both sides name each other; the builder has set the blocks' side from the items' one. */
static gboolean
check_items(reader *r, const lode_document *document, const json_t *blocks)
{
    r->array = "blocks";
    for (guint b = 0; b < document->n_blocks; b++) {
        int item = LAYOUT_NONE;
        r->index = b;
        if (!get_int(r, json_array_get(blocks, b), "item", FALSE, G_MAXINT32, &item)) return FALSE;
        if (item != document->blocks[b].item) return fail(r, "item", "does not point back");
    }
    return TRUE;
}

static gboolean
read_root(reader *r)
{
    const json_t *root = r->root;
    const char *schema = json_string_value(json_object_get(root, "schema"));
    gint64 version;
    if (!schema || strcmp(schema, LAYOUT_JSON_SCHEMA) != 0 ||
        !as_integer(json_object_get(root, "version"), 1, G_MAXINT32, &version)) {
        g_set_error_literal(r->error, LAYOUT_ERROR, LAYOUT_ERROR_FORMAT,
                            "not a document of schema \"" LAYOUT_JSON_SCHEMA "\"");
        return FALSE;
    }
    if (version > LAYOUT_JSON_VERSION) {
        g_set_error(r->error, LAYOUT_ERROR, LAYOUT_ERROR_FORMAT,
                    "version %" G_GINT64_FORMAT " of the schema is newer than this program",
                    version);
        return FALSE;
    }
    if (!read_metadata(r, json_object_get(root, "metadata"))) return FALSE;
    for (guint a = 0; a < G_N_ELEMENTS(arrays); a++) {
        const json_t *array = json_object_get(root, arrays[a].name);
        r->array = arrays[a].name;
        r->index = 0;
        /* documents written before there were citations or a ledger */
        if (!array && (arrays[a].read == read_citation || arrays[a].read == read_discard)) continue;
        if (!json_is_array(array)) return fail(r, "", "missing or not an array");
        for (; r->index < json_array_size(array); r->index++) {
            if (!arrays[a].read(r, json_array_get(array, r->index))) return FALSE;
        }
    }
    return TRUE;
}

lode_document *
layout_document_from_json(const char *json, size_t len, GError **error)
{
    if (len > MAX_JSON_BYTES) {
        g_set_error_literal(error, LAYOUT_ERROR, LAYOUT_ERROR_LIMIT, "more than 1 GiB of JSON");
        return NULL;
    }
    json_error_t problem;
    json_t *root = json_loadb(json, len, JSON_REJECT_DUPLICATES, &problem);
    if (!root) {
        g_set_error(error, LAYOUT_ERROR, LAYOUT_ERROR_FORMAT, "line %d: %s", problem.line,
                    problem.text);
        return NULL;
    }
    reader r = {.builder = layout_builder_new(), .root = root, .array = "", .error = error};
    g_autoptr(lode_document) document = NULL;
    const gboolean read = read_root(&r);
    document = layout_builder_take(r.builder);
    const gboolean good = read && layout_document_check(document, error) &&
                          check_items(&r, document, json_object_get(root, "blocks"));
    json_decref(root);
    return good ? g_steal_pointer(&document) : NULL;
}

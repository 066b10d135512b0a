/* Running text -> blocks. */
#include "layout/readers/pen.h"

#include "layout/analyze.h"

#include <string.h>

#define MAX_BLOCK_BYTES (64 << 20)

typedef struct {
    layout_citation at; /* reference: not known yet */
    const char *key;
} call;

void
layout_pen_init(layout_pen *pen, layout_builder *builder)
{
    *pen = (layout_pen){.builder = builder,
                        .strings = g_string_chunk_new(4096),
                        .text = g_string_new(NULL),
                        .spans = g_array_new(FALSE, FALSE, sizeof(layout_span)),
                        .boxes = g_array_new(FALSE, FALSE, sizeof(layout_box)),
                        .calls = g_array_new(FALSE, FALSE, sizeof(call)),
                        .references = g_hash_table_new(g_str_hash, g_str_equal)};
}

void
layout_pen_clear(layout_pen *pen)
{
    if (pen->builder == NULL) return;
    g_hash_table_unref(pen->references);
    g_array_unref(pen->calls);
    g_array_unref(pen->boxes);
    g_array_unref(pen->spans);
    g_string_free(pen->text, TRUE);
    g_string_chunk_free(pen->strings);
    *pen = (layout_pen){0};
}

/* ---- text ---- */

/* Never seen, or only there to deceive: soft hyphens, zero-width and bidirectional characters, tags. */
static gboolean
is_invisible(gunichar ch)
{
    return ch < 0x20 || (ch >= 0x7F && ch < 0xA0) || ch == 0xAD || (ch >= 0x200B && ch <= 0x200F) ||
           (ch >= 0x202A && ch <= 0x202E) || (ch >= 0x2060 && ch <= 0x206F) || ch == 0xFEFF ||
           (ch >= 0xE0000 && ch <= 0xE0FFF);
}

static void
append_collapsed(GString *out, const char *text)
{
    for (const char *p = text; *p != '\0'; p = g_utf8_next_char(p)) {
        const gunichar ch = g_utf8_get_char(p);
        if (ch == ' ' || (ch >= '\t' && ch <= '\r') || ch == 0x85 || ch == 0xA0 || ch == 0x2028 ||
            ch == 0x2029 || (ch >= 0x2000 && ch <= 0x200A) || ch == 0x202F) {
            if (out->len > 0 && out->str[out->len - 1] != ' ') g_string_append_c(out, ' ');
        } else if (!is_invisible(ch)) {
            g_string_append_len(out, p, g_utf8_next_char(p) - p);
        }
    }
}

static void
append_styled(layout_pen *pen, const char *text, guint style, const char *target)
{
    if (pen->text->len + strlen(text) > MAX_BLOCK_BYTES) return;
    g_autofree char *normal = g_utf8_normalize(text, -1, G_NORMALIZE_NFC);
    const gsize start = pen->text->len;
    append_collapsed(pen->text, normal != NULL ? normal : text);
    const gsize len = pen->text->len - start;
    if (len == 0 || style == 0) return;
    layout_span *last =
        pen->spans->len > 0 ? &g_array_index(pen->spans, layout_span, pen->spans->len - 1) : NULL;
    if (last != NULL && last->start + last->len == start && last->flags == style &&
        !(style & LAYOUT_SPAN_MATH) && g_strcmp0(last->target, target) == 0) {
        last->len += (uint32_t)len;
        return;
    }
    const layout_span span = {(uint32_t)start, (uint32_t)len, style, target};
    g_array_append_val(pen->spans, span);
}

void
layout_pen_text(layout_pen *pen, const char *text, gssize len)
{
    g_autofree char *valid = g_utf8_make_valid(text, len);
    append_styled(pen, valid, pen->style, pen->style & LAYOUT_SPAN_LINK ? pen->target : NULL);
}

/* Its blanks collapsed, none around it. Free with g_free. */
static char *
tidy(const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    GString *out = g_string_new(NULL);
    append_collapsed(out, valid);
    while (out->len > 0 && out->str[out->len - 1] == ' ')
        g_string_truncate(out, out->len - 1);
    return g_string_free(out, FALSE);
}

void
layout_pen_math(layout_pen *pen, const char *latex, const char *text)
{
    g_autofree char *source = tidy(latex), *shown = text != NULL ? tidy(text) : NULL;
    if (*source == '\0') {
        if (shown != NULL) layout_pen_text(pen, shown, -1);
        return;
    }
    append_styled(pen, shown != NULL && *shown != '\0' ? shown : source,
                  (pen->style & ~(guint)LAYOUT_SPAN_LINK) | LAYOUT_SPAN_MATH,
                  g_string_chunk_insert(pen->strings, source));
}

void
layout_pen_call(layout_pen *pen, gsize start, const char *key)
{
    gsize end = pen->text->len;
    while (start < end && pen->text->str[start] == ' ')
        start++;
    while (end > start && pen->text->str[end - 1] == ' ')
        end--;
    if (end == start) return;
    const call one = {{.start = (uint32_t)start, .len = (uint32_t)(end - start)},
                      g_string_chunk_insert_const(pen->strings, key)};
    g_array_append_val(pen->calls, one);
}

/* ---- blocks ---- */

void
layout_pen_place(layout_pen *pen, const layout_box *box)
{
    g_array_set_size(pen->boxes, 0);
    if (box != NULL) g_array_append_val(pen->boxes, *box);
}

void
layout_pen_move(layout_pen *pen, const layout_box *box)
{
    if (pen->text->len == 0) g_array_set_size(pen->boxes, 0);
    g_array_append_val(pen->boxes, *box);
}

/* What comes next stands where this block ended. */
static int
add_placed(layout_pen *pen, const layout_block *block)
{
    const int index = layout_builder_add_block(
        pen->builder, block, (const layout_box *)(gpointer)pen->boxes->data, pen->boxes->len,
        (const layout_span *)(gpointer)pen->spans->data, pen->spans->len, NULL, 0);
    if (pen->boxes->len > 1) g_array_remove_range(pen->boxes, 0, pen->boxes->len - 1);
    return index;
}

/* No span begins or ends with a blank, none is empty, none leaves the text. */
static void
trim_spans(layout_pen *pen)
{
    guint kept = 0;
    for (guint i = 0; i < pen->spans->len; i++) {
        layout_span s = g_array_index(pen->spans, layout_span, i);
        if (s.start >= pen->text->len) continue;
        s.len = (uint32_t)MIN(s.len, pen->text->len - s.start);
        while (s.len > 0 && pen->text->str[s.start] == ' ')
            s.start++, s.len--;
        while (s.len > 0 && pen->text->str[s.start + s.len - 1] == ' ')
            s.len--;
        if (s.len > 0) g_array_index(pen->spans, layout_span, kept++) = s;
    }
    g_array_set_size(pen->spans, kept);
}

static int
add_block(layout_pen *pen, layout_block_type type, int level, const char *marker, const char *text)
{
    const layout_block block = {.type = type,
                                .level = level,
                                .text = text,
                                .text_len = (uint32_t)strlen(text),
                                .marker = marker,
                                .parent = LAYOUT_NONE,
                                .item = LAYOUT_NONE,
                                .confidence = 1};
    pen->chars += block.text_len;
    return add_placed(pen, &block);
}

int
layout_pen_block(layout_pen *pen, layout_block_type type, int level, const char *marker)
{
    while (pen->text->len > 0 && pen->text->str[pen->text->len - 1] == ' ')
        g_string_truncate(pen->text, pen->text->len - 1);
    int index = LAYOUT_NONE;
    if (pen->text->len > 0) {
        trim_spans(pen);
        index = add_block(pen, type, level, marker, pen->text->str);
        for (guint i = pen->first_call; i < pen->calls->len; i++)
            g_array_index(pen->calls, call, i).at.block = index;
    } else {
        g_array_set_size(pen->calls, pen->first_call);
    }
    pen->first_call = pen->calls->len;
    g_string_truncate(pen->text, 0);
    g_array_set_size(pen->spans, 0);
    return index;
}

char *
layout_pen_take_flat(layout_pen *pen)
{
    g_autoptr(GString) out = g_string_new(NULL);
    gsize from = 0;
    for (guint i = 0; i < pen->spans->len; i++) {
        const layout_span *s = &g_array_index(pen->spans, layout_span, i);
        if (!(s->flags & LAYOUT_SPAN_MATH) || s->target == NULL) continue;
        g_string_append_len(out, pen->text->str + from, (gssize)(s->start - from));
        g_string_append_printf(out, "$%s$", s->target);
        from = s->start + s->len;
    }
    g_string_append(out, pen->text->str + from);
    g_string_truncate(pen->text, 0);
    g_array_set_size(pen->spans, 0);
    g_array_set_size(pen->calls, pen->first_call);
    return g_strstrip(g_strdup(out->str));
}

int
layout_pen_formula(layout_pen *pen, const char *latex, const char *number)
{
    g_assert(pen->text->len == 0);
    g_autofree char *source = tidy(latex);
    if (*source == '\0') return LAYOUT_NONE;
    layout_formula formula = {.latex = source, .number = number, .confidence = 1};
    formula.block = add_block(pen, LAYOUT_BLOCK_FORMULA, 0, NULL, source);
    layout_builder_add_formula(pen->builder, &formula);
    return formula.block;
}

int
layout_pen_code(layout_pen *pen, const char *code)
{
    g_assert(pen->text->len == 0);
    g_autofree char *valid = g_utf8_make_valid(code, -1);
    g_autofree char *normal = g_utf8_normalize(valid, -1, G_NORMALIZE_NFC);
    GString *out = pen->text;
    for (const char *p = normal != NULL ? normal : valid; *p != '\0'; p = g_utf8_next_char(p)) {
        const gunichar ch = g_utf8_get_char(p);
        if (ch == '\t')
            g_string_append(out, "    ");
        else if (ch == 0xA0)
            g_string_append_c(out, ' ');
        else if (ch == '\n' || !is_invisible(ch))
            g_string_append_unichar(out, ch);
    }
    while (out->len > 0 && g_ascii_isspace(out->str[out->len - 1]))
        g_string_truncate(out, out->len - 1);
    const char *start = out->str; /* with the first line's indentation */
    for (const char *p = start; g_ascii_isspace(*p); p++)
        if (*p == '\n') start = p + 1;
    g_array_set_size(pen->spans, 0);
    const int index =
        *start != '\0' ? add_block(pen, LAYOUT_BLOCK_CODE, 0, NULL, start) : LAYOUT_NONE;
    g_string_truncate(out, 0);
    return index;
}

int
layout_pen_figure(layout_pen *pen, const char *label, const char *image, const char *inner_text)
{
    const layout_block block = {
        .type = LAYOUT_BLOCK_FIGURE, .parent = LAYOUT_NONE, .item = LAYOUT_NONE, .confidence = 1};
    layout_figure figure = {.label = label, .image = image, .inner_text = inner_text};
    const layout_box *boxes = (const layout_box *)(gpointer)pen->boxes->data;
    if (pen->boxes->len > 0) figure.box = boxes[pen->boxes->len - 1];
    figure.block =
        layout_builder_add_block(pen->builder, &block, boxes, pen->boxes->len, NULL, 0, NULL, 0);
    figure.caption = layout_pen_block(pen, LAYOUT_BLOCK_CAPTION, 0, NULL);
    if (figure.caption != LAYOUT_NONE)
        layout_builder_block(pen->builder, figure.caption)->parent = figure.block;
    layout_builder_add_figure(pen->builder, &figure, NULL, 0);
    return figure.block;
}

/* ---- the bibliography ---- */

int
layout_pen_reference(layout_pen *pen, const char *key, const layout_reference *fields,
                     const layout_name *names, guint n_names, const char *marker)
{
    layout_reference reference = *fields;
    reference.block = layout_pen_block(pen, LAYOUT_BLOCK_REFERENCE, 0, marker);
    if (reference.block == LAYOUT_NONE) return LAYOUT_NONE;
    const int index = layout_builder_add_reference(pen->builder, &reference, names, n_names);
    if (key != NULL && !g_hash_table_contains(pen->references, key))
        g_hash_table_insert(pen->references, g_string_chunk_insert(pen->strings, key),
                            GINT_TO_POINTER(index + 1));
    return reference.block;
}

int
layout_pen_printed_reference(layout_pen *pen, const char *key, const char *marker)
{
    while (pen->text->len > 0 && pen->text->str[pen->text->len - 1] == ' ')
        g_string_truncate(pen->text, pen->text->len - 1);
    if (pen->text->len == 0) return LAYOUT_NONE;
    trim_spans(pen);
    layout_reference fields = {0};
    g_autoptr(GArray) names = g_array_new(FALSE, FALSE, sizeof(layout_name));
    layout_reference_parse(pen->builder, pen->text->str,
                           (const layout_span *)(gpointer)pen->spans->data, pen->spans->len, marker,
                           &fields, names);
    return layout_pen_reference(pen, key, &fields, (const layout_name *)(gpointer)names->data,
                                names->len, marker);
}

static gboolean
overlaps(const layout_citation *a, const layout_citation *b)
{
    const gboolean same = a->start == b->start && a->len == b->len;
    return a->block == b->block && !same && a->start < b->start + b->len &&
           b->start < a->start + a->len;
}

void
layout_pen_finish(layout_pen *pen)
{
    g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(layout_citation));
    for (guint i = 0; i < pen->calls->len; i++) {
        call *c = &g_array_index(pen->calls, call, i);
        c->at.reference = GPOINTER_TO_INT(g_hash_table_lookup(pen->references, c->key)) - 1;
        if (c->at.reference >= 0) g_array_append_val(found, c->at);
    }
    g_array_sort(found, layout_citation_compare);
    const layout_citation *last = NULL;
    for (guint i = 0; i < found->len; i++) {
        const layout_citation *c = &g_array_index(found, layout_citation, i);
        if (last != NULL && (layout_citation_compare(last, c) == 0 || overlaps(last, c))) continue;
        layout_builder_add_citation(pen->builder, c);
        last = c;
    }
}

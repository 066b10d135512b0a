/* Blocks in the making -> the document: what each kind of block takes along, furniture, pages, parents. */
#include "layout/compose.h"
#include "layout/document.h"
#include "layout/flow.h"
#include "layout/formula.h"
#include "layout/mathtext.h"

#include <math.h>
#include <string.h>

#define PARAS_AT_ONCE 64 /* between two rests of the builder */

/* ---- blocks ---- */

static int
block_add(layout_composer *c, layout_block_type type, int level, const char *marker, float size_pt,
          float confidence)
{
    layout_compose_mend(c);
    layout_logos_mend(c->text, c->spans);
    guint n_unreadable = layout_count_unreadable(c->text->str, c->text->len);
    if (n_unreadable > 0)
        confidence *= 1 - (float)n_unreadable / (float)g_utf8_strlen(c->text->str, -1);
    layout_block block = {.type = type,
                          .level = level,
                          .text = c->text->str,
                          .text_len = (uint32_t)c->text->len,
                          .marker = marker,
                          .parent = LAYOUT_NONE,
                          .item = LAYOUT_NONE,
                          .font_size_pt = size_pt,
                          .confidence = confidence};
    const int index = layout_builder_add_block(
        c->builder, &block, (layout_box *)c->boxes->data, c->boxes->len,
        (layout_span *)c->spans->data, c->spans->len, (layout_line *)c->lines->data, c->lines->len);
    for (guint i = 0; i < c->uses->len; i++) {
        layout_link_use use = g_array_index(c->uses, layout_link_use, i);
        /* hyphens and blanks at line ends may be gone */
        if (use.start >= c->text->len) break;
        use.len = MIN(use.len, (uint32_t)c->text->len - use.start);
        use.block = index;
        g_array_append_val(c->work->link_uses, use);
    }
    return index;
}

/* ---- formulas ---- */

/* Appends the marks of a segment; one that has none, for it is long and of text fonts alone, is put together from its
 * words. */
static void
marks_append(const layout_sheet *sheet, const layout_seg *seg, GArray *marks)
{
    guint n, first = layout_sheet_marks(sheet, seg, &n);
    if (n > 0) {
        g_array_append_vals(marks, &g_array_index(sheet->marks, layout_mark, first), n);
        return;
    }
    for (guint k = seg->first_word; k < seg->first_word + seg->n_words; k++) {
        const layout_word *word = layout_sheet_word(sheet, k);
        const char *text = sheet->text->str + word->start, *end = text + word->len;
        const float width = (word->x1 - word->x0) / (float)MAX(g_utf8_strlen(text, word->len), 1);
        for (guint i = 0; text < end; text = g_utf8_next_char(text), i++) {
            layout_mark mark = {.x0 = word->x0 + (float)i * width,
                                .x1 = word->x0 + (float)(i + 1) * width,
                                .y = seg->baseline,
                                .size_pt = seg->size_pt,
                                .ch = g_utf8_get_char(text),
                                .flags = seg->flags & ~(guint)LAYOUT_SPAN_MATH,
                                .font = seg->font};
            g_array_append_val(marks, mark);
        }
    }
}

typedef struct {
    GArray *marks; /* layout_mark */
    GArray *segs;  /* guint */
    layout_rect box;
} formula_parts;

/* One more number of a formula: "(3)" -> "3", "3, 4". */
static void
number_take(layout_composer *c, layout_para *para, layout_sheet *sheet, layout_seg *seg)
{
    const char *text = sheet->text->str + seg->start;
    layout_compose_take(c, sheet, seg, layout_ledger_count(sheet, seg->start, seg->len));
    g_autofree char *before = para->number;
    para->number = before == NULL
                       ? g_strndup(text + 1, seg->len - 2)
                       : g_strdup_printf("%s, %.*s", before, (int)seg->len - 2, text + 1);
}

/* The segments of a formula's rows on one sheet, but for the equation's number at the right or the left. */
static void
formula_gather(layout_composer *c, layout_para *para, layout_sheet *sheet, const layout_row *row,
               formula_parts *parts)
{
    guint n = row->n_segs;
    const guint *segs = &g_array_index(sheet->row_segs, guint, row->first_seg);
    layout_seg *last = layout_sheet_seg(sheet, segs[n - 1]);
    const char *text = sheet->text->str + last->start;
    if ((n > 1 || para->places->len > 1) && layout_equation_number(text, last->len) &&
        last->box.x0 > 0.5F * (row->col_x0 + row->col_x1)) {
        number_take(c, para, sheet, last);
        n--;
    }
    guint i = 0;
    if (n > 0 && (n > 1 || para->places->len > 1) && layout_row_number_left(sheet, row)) {
        number_take(c, para, sheet, layout_sheet_seg(sheet, segs[0]));
        i = 1;
    }
    for (; i < n; i++) {
        const layout_seg *seg = layout_sheet_seg(sheet, segs[i]);
        marks_append(sheet, seg, parts->marks);
        parts->box = parts->segs->len > 0 ? layout_rect_join(parts->box, seg->box) : seg->box;
        g_array_append_val(parts->segs, segs[i]);
    }
}

/* The rules among the marks of a formula, or of a line of one. */
static GArray *
formula_rules(const layout_sheet *sheet, const GArray *marks, float slack)
{
    GArray *rules = g_array_new(FALSE, FALSE, sizeof(layout_rule));
    layout_rect box = {G_MAXFLOAT, G_MAXFLOAT, -G_MAXFLOAT, -G_MAXFLOAT};
    for (guint i = 0; i < marks->len; i++) {
        const layout_mark *mark = &g_array_index(marks, layout_mark, i);
        const gboolean ink = mark->bottom > mark->top;
        box.x0 = MIN(box.x0, mark->x0 - slack);
        box.x1 = MAX(box.x1, mark->x1 + slack);
        box.y0 = MIN(box.y0, (ink ? mark->top : mark->y - mark->size_pt) - slack);
        box.y1 = MAX(box.y1, (ink ? mark->bottom : mark->y + 0.3F * mark->size_pt) + slack);
    }
    for (guint i = 0; i < sheet->hrules->len; i++) {
        const layout_rule *rule = &g_array_index(sheet->hrules, layout_rule, i);
        if (rule->y0 > box.y1) break;
        if (rule->y0 > box.y0 && rule->x0 > box.x0 && rule->x1 < box.x1 && rule->x1 - rule->x0 > 1)
            g_array_append_vals(rules, rule, 1);
    }
    return rules;
}

/* Returns how sure its LaTeX is. */
static float
formula_append(layout_composer *c, layout_para *para)
{
    float least = 1;
    for (guint i = 0; i < para->places->len;) {
        const layout_place *place = &g_array_index(para->places, layout_place, i);
        layout_sheet *sheet = layout_work_sheet(c->work, place->sheet);
        guint region = layout_sheet_row(sheet, place->row)->region;
        formula_parts parts = {g_array_new(FALSE, FALSE, sizeof(layout_mark)),
                               g_array_new(FALSE, FALSE, sizeof(guint)),
                               {0, 0, 0, 0}};
        for (; i < para->places->len; i++) {
            const layout_place *next = &g_array_index(para->places, layout_place, i);
            const layout_row *row = layout_sheet_row(sheet, next->row);
            if (next->sheet != place->sheet || row->region != region) break;
            formula_gather(c, para, sheet, row, &parts);
        }
        if (parts.segs->len > 0) {
            /* scripts, large operators and delimiters reach beyond their lines */
            for (guint k = 0; k < parts.marks->len; k++) {
                const layout_mark *mark = &g_array_index(parts.marks, layout_mark, k);
                const gboolean ink = mark->bottom > mark->top;
                parts.box.y0 = MIN(parts.box.y0, ink ? mark->top : mark->y - 0.7F * mark->size_pt);
                parts.box.y1 =
                    MAX(parts.box.y1, ink ? mark->bottom : mark->y + 0.22F * mark->size_pt);
            }
            g_autoptr(GArray) rules = formula_rules(sheet, parts.marks, 4);
            float confidence = 0;
            /* what OCR makes of mathematics is no basis for any: the picture tells it */
            const gboolean legible = sheet->source != LAYOUT_TEXT_OCR;
            g_autofree char *latex =
                !legible ? NULL
                         : layout_formula_build(c->work, (layout_mark *)parts.marks->data,
                                                parts.marks->len, (layout_rule *)rules->data,
                                                rules->len, &confidence);
            if (latex != NULL) {
                if (c->latex->len > 0) g_string_append(c->latex, " \\\\ ");
                g_string_append(c->latex, latex);
            }
            least = MIN(least, confidence);
            g_qsort_with_data(parts.segs->data, (gint)parts.segs->len, sizeof(guint),
                              layout_seg_compare, sheet);
            layout_compose_segs(c, sheet, (guint *)parts.segs->data, parts.segs->len, parts.box,
                                region);
        }
        g_array_unref(parts.marks);
        g_array_unref(parts.segs);
    }
    return least;
}

static void
formula_emit(layout_composer *c, layout_para *para, float size_pt)
{
    /* the first row may be a limit */
    for (guint i = 1; i < para->places->len; i++)
        size_pt = MAX(size_pt, layout_para_row(c->work, para, i)->size_pt);
    g_string_truncate(c->latex, 0);
    float confidence = formula_append(c, para);
    confidence *= layout_formula_trust(c->latex->str);
    para->block = block_add(c, LAYOUT_BLOCK_FORMULA, 0, NULL, size_pt, confidence);
    layout_formula formula = {.block = para->block,
                              .latex = c->latex->len > 0 ? c->latex->str : NULL,
                              .number = para->number,
                              .confidence = confidence};
    layout_builder_add_formula(c->builder, &formula);
}

static void
figure_emit(layout_composer *c, layout_para *para)
{
    layout_sheet *sheet = layout_work_sheet(c->work, para->sheet);
    layout_figure_region *region =
        &g_array_index(sheet->figures, layout_figure_region, para->figure);
    layout_compose_box(c, sheet, region->box, G_MAXUINT);
    para->block = region->block = block_add(c, LAYOUT_BLOCK_FIGURE, 0, NULL, 0, 0.8F);
    g_autoptr(GString) inner = g_string_new(NULL);
    for (guint i = 0; i < sheet->segs->len; i++) {
        layout_seg *seg = layout_sheet_seg(sheet, i);
        if (seg->role != LAYOUT_ROLE_FIGURE || seg->owner != para->figure) continue;
        layout_compose_take(c, sheet, seg, layout_ledger_count(sheet, seg->start, seg->len));
        if (inner->len > 0) g_string_append_c(inner, ' ');
        g_string_append_len(inner, sheet->text->str + seg->start, seg->len);
    }
    layout_figure figure = {.block = para->block,
                            .caption = LAYOUT_NONE,
                            .box = {sheet->page, layout_sheet_to_page(sheet, region->box)},
                            .vector = region->vector,
                            .label = para->marker};
    if (inner->len > 0) figure.inner_text = inner->str;
    g_autoptr(GArray) panels = g_array_new(FALSE, TRUE, sizeof(layout_panel));
    for (guint i = region->first_panel; i < region->first_panel + region->n_panels; i++) {
        const layout_panel_region *from = &g_array_index(sheet->panels, layout_panel_region, i);
        layout_panel panel = {.box = {sheet->page, layout_sheet_to_page(sheet, from->box)},
                              .label = from->label[0] != '\0' ? from->label : NULL};
        g_array_append_val(panels, panel);
    }
    layout_builder_add_figure(c->builder, &figure, (layout_panel *)panels->data, panels->len);
}

#define INLINE_SURE 0.7F /* below, the characters one after the other say more */

static gboolean
marks_latex(layout_composer *c, const layout_sheet *sheet, const GArray *marks, const char *script,
            GString *out)
{
    if (marks->len == 0) return TRUE;
    g_autoptr(GArray) rules = formula_rules(sheet, marks, 1.5F);
    float confidence;
    g_autofree char *latex =
        layout_formula_build(c->work, (layout_mark *)marks->data, marks->len,
                             (layout_rule *)rules->data, rules->len, &confidence);
    if (latex == NULL || confidence < INLINE_SURE) return FALSE;
    if (script != NULL)
        g_string_append_printf(out, "%s{%s}", script, latex);
    else
        g_string_append(out, latex);
    return TRUE;
}

/* Marks of one line. Scripts that it begins with are those of something in the text before it. */
static gboolean
line_latex(layout_composer *c, const layout_sheet *sheet, const GArray *marks, GString *out)
{
    g_autoptr(GArray) down = g_array_new(FALSE, FALSE, sizeof(layout_mark));
    g_autoptr(GArray) up = g_array_new(FALSE, FALSE, sizeof(layout_mark));
    g_autoptr(GArray) rest = g_array_new(FALSE, FALSE, sizeof(layout_mark));
    gboolean leads = TRUE;
    for (guint i = 0; i < marks->len; i++) {
        const layout_mark *mark = &g_array_index(marks, layout_mark, i);
        const guint script = mark->flags & (LAYOUT_SPAN_SUPERSCRIPT | LAYOUT_SPAN_SUBSCRIPT);
        leads = leads && script != 0;
        g_array_append_vals(!leads ? rest : script & LAYOUT_SPAN_SUBSCRIPT ? down : up, mark, 1);
    }
    if (out->len > 0) g_string_append_c(out, ' ');
    return marks_latex(c, sheet, down, "_", out) && marks_latex(c, sheet, up, "^", out) &&
           marks_latex(c, sheet, rest, NULL, out);
}

/* What a stretch of the block's text says in mathematics, from where its glyphs stand: a layout_math_reader. A
 * stretch that goes over a line's end is read line by line. */
static char *
inline_latex(gsize from, gsize to, gpointer data)
{
    layout_composer *c = data;
    g_autoptr(GString) out = g_string_new(NULL);
    g_autoptr(GArray) marks = g_array_new(FALSE, FALSE, sizeof(layout_mark));
    guint lo = 0, hi = c->origins->len;
    while (lo < hi) {
        const guint mid = lo + (hi - lo) / 2;
        const layout_origin *origin = &g_array_index(c->origins, layout_origin, mid);
        if (origin->start + origin->len <= from)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (; lo < c->origins->len; lo++) {
        const layout_origin *origin = &g_array_index(c->origins, layout_origin, lo);
        if (origin->start >= to) break;
        const gsize a = MAX(from, origin->start), z = MIN(to, origin->start + origin->len);
        const layout_seg part = {.start = origin->from + (uint32_t)(a - origin->start),
                                 .len = (uint32_t)(z - a)};
        guint n, first = layout_sheet_marks(origin->sheet, &part, &n);
        if (n == 0) continue;
        const layout_mark *next = &g_array_index(origin->sheet->marks, layout_mark, first);
        const layout_mark *last =
            marks->len > 0 ? &g_array_index(marks, layout_mark, marks->len - 1) : NULL;
        if (last != NULL &&
            (next->x0 < last->x0 - 2 * last->size_pt || fabsf(next->y - last->y) > last->size_pt)) {
            if (!line_latex(c, origin->sheet, marks, out)) return NULL;
            g_array_set_size(marks, 0);
        }
        g_array_append_vals(marks, next, n);
        if (z == to && !line_latex(c, origin->sheet, marks, out)) return NULL;
    }
    return out->len > 0 ? g_string_free(g_steal_pointer(&out), FALSE) : NULL;
}

/* ---- tables ---- */

/* Numbers and signs say the same without LaTeX, and can be sorted and added up: "1.2 ± 0.3", "3.20×". */
static gboolean
is_plain(const layout_composer *c, const layout_span *math)
{
    static const char *const built[] = {"^", "_", "\\frac", "\\sqrt"};
    for (guint i = 0; i < G_N_ELEMENTS(built); i++)
        if (strstr(math->target, built[i]) != NULL) return FALSE;
    const char *end = c->text->str + math->start + math->len;
    for (const char *at = end - math->len; at < end; at = g_utf8_next_char(at)) {
        const gunichar ch = g_utf8_get_char(at);
        if (g_unichar_isalpha(ch) || ch == '\\') return FALSE;
    }
    return TRUE;
}

/* Cuts marks of notes, of which there are such, off the end of a cell's text; how many bytes they take. */
static guint
marks_cut(const layout_grid_cell *cell, char *const *notes)
{
    const gsize len = cell->text != NULL ? strlen(cell->text) : 0;
    if (cell->n_raised == 0 || cell->n_raised >= len) return 0;
    g_auto(GStrv) marks = g_strsplit_set(cell->text + len - cell->n_raised, ", ", -1);
    guint n = 0;
    for (guint i = 0; marks[i] != NULL; i++) {
        if (*marks[i] == '\0') continue;
        if (!g_strv_contains((const char *const *)notes, marks[i])) return 0;
        n++;
    }
    return n > 0 ? cell->n_raised : 0;
}

/* The text of a cell, its printed lines as one, mathematics between dollars, without the last n_cut bytes. in_cell: for
 * what one cell needs. */
static void
cell_text(layout_composer *in_cell, const layout_sheet *sheet, const layout_grid_cell *cell,
          guint n_cut, GString *out)
{
    g_string_truncate(out, 0);
    if (cell->text == NULL) return;
    layout_compose_reset(in_cell);
    if (cell->parts == NULL) {
        const char *end = cell->text + strlen(cell->text) - n_cut;
        for (const char *at = cell->text; at < end;) {
            const gsize len = MIN(strcspn(at, "\n"), (gsize)(end - at));
            layout_compose_cell_line(in_cell, at, len);
            g_string_append_len(in_cell->text, at, (gssize)len);
            at += len + (at[len] == '\n' ? 1 : 0);
        }
        g_string_append_len(out, in_cell->text->str, (gssize)in_cell->text->len);
        return;
    }
    for (guint i = 0; i < cell->parts->len; i++) {
        layout_cell_part part = g_array_index(cell->parts, layout_cell_part, i);
        if (i + 1 == cell->parts->len) part.len -= MIN(part.len, n_cut);
        layout_compose_part(in_cell, sheet, &part);
    }
    const GString *text = in_cell->text;
    layout_math_spans(text->str, text->len, in_cell->spans, in_cell->strings, inline_latex,
                      in_cell);
    gsize done = 0;
    for (guint i = 0; i < in_cell->spans->len; i++) {
        const layout_span *span = &g_array_index(in_cell->spans, layout_span, i);
        if (!(span->flags & LAYOUT_SPAN_MATH) || span->target == NULL || is_plain(in_cell, span))
            continue;
        g_string_append_len(out, text->str + done, (gssize)(span->start - done));
        g_string_append_printf(out, "$%s$", span->target);
        done = span->start + span->len;
    }
    g_string_append_len(out, text->str + done, (gssize)(text->len - done));
}

/* Words of a segment in doubt -> the cells they stand in; cells [region's] in the region's order. */
static void
cells_doubt(const layout_sheet *sheet, const layout_seg *seg, const layout_table_region *region,
            layout_cell *cells)
{
    const float y = seg->baseline - 0.3F * seg->size_pt;
    guint word = seg->first_word;
    for (guint i = seg->first_style; i < seg->first_style + seg->n_styles; i++) {
        const layout_style *style = layout_sheet_style(sheet, i);
        if (!(style->flags & LAYOUT_SPAN_DOUBTFUL)) continue;
        for (; word < seg->first_word + seg->n_words; word++) {
            const layout_word *w = layout_sheet_word(sheet, word);
            if (w->start >= style->start + style->len) break;
            if (w->start + w->len <= style->start) continue;
            const float x = 0.5F * (w->x0 + w->x1);
            for (guint k = 0; k < region->cells->len; k++) {
                const layout_rect box = g_array_index(region->cells, layout_grid_cell, k).box;
                if (x > box.x0 && x < box.x1 && y > box.y0 && y < box.y1) cells[k].doubtful = TRUE;
            }
        }
    }
}

/* The cells of one part of a table, its first row being the first_row-th of the whole. The block's text gets them in
 * order, for whoever only reads text. texts keeps what cells point to. */
static void
part_append(layout_composer *c, layout_sheet *sheet, int index, guint first_row, char *const *notes,
            GArray *cells, GStringChunk *texts)
{
    const layout_table_region *part = &g_array_index(sheet->tables, layout_table_region, index);
    g_autoptr(GString) text = g_string_new(NULL);
    layout_composer in_cell;
    layout_composer_init(&in_cell, c->work, c->builder);
    g_string_chunk_clear(texts);
    g_array_set_size(cells, 0);
    for (guint i = 0; i < part->cells->len; i++) {
        const layout_grid_cell *from = &g_array_index(part->cells, layout_grid_cell, i);
        const guint n_mark = marks_cut(from, notes);
        cell_text(&in_cell, sheet, from, n_mark, text);
        if (n_mark > 0) g_string_append(text, from->text + strlen(from->text) - n_mark);
        layout_cell cell = {.row = first_row + from->row,
                            .col = from->col,
                            .row_span = from->row_span,
                            .col_span = from->col_span,
                            .header = from->header,
                            .n_mark = n_mark,
                            .text = g_string_chunk_insert_len(texts, text->str, (gssize)text->len),
                            .box = {sheet->page, layout_sheet_to_page(sheet, from->box)}};
        if (from->picture.x1 > from->picture.x0)
            cell.picture = layout_sheet_to_page(sheet, from->picture);
        g_array_append_val(cells, cell);
        layout_builder_page(c->builder, sheet->page)->ledger.n_table += from->n_glyphs;
        if (cell.text[0] == '\0') continue;
        if (c->text->len > 0) g_string_append_c(c->text, ' ');
        const gsize from_byte = c->text->len;
        g_string_append(c->text, cell.text);
        g_strdelimit(c->text->str + from_byte, "\n", ' ');
    }
    for (guint i = 0; i < sheet->segs->len; i++) {
        layout_seg *seg = layout_sheet_seg(sheet, i);
        if (seg->role != LAYOUT_ROLE_TABLE || seg->owner != index) continue;
        cells_doubt(sheet, seg, part, (layout_cell *)cells->data);
        layout_compose_take(c, sheet, seg, 0);
    }
    layout_composer_clear(&in_cell);
}

/* A letter for each column, as far as it is known, into out; NULL: none is. */
static const char *
columns_align(const layout_table_region *region, GString *out)
{
    gboolean known = FALSE;
    g_string_set_size(out, region->n_cols);
    memset(out->str, LAYOUT_ALIGN_NONE, region->n_cols);
    for (guint i = 0; i < region->cells->len; i++) {
        const layout_grid_cell *cell = &g_array_index(region->cells, layout_grid_cell, i);
        if (cell->align == 0 || cell->col_span > 1) continue;
        out->str[cell->col] = (char)cell->align;
        known |= cell->align != LAYOUT_ALIGN_NONE;
    }
    return known ? out->str : NULL;
}

/* One part after the other: those of a long table are not in memory at once. */
static void
table_emit(layout_composer *c, layout_para *para, guint para_index)
{
    g_auto(GStrv) notes = layout_footnotes_marks(c->work, para_index);
    layout_sheet *sheet = layout_work_sheet(c->work, para->sheet);
    const layout_table_region *region =
        &g_array_index(sheet->tables, layout_table_region, para->table);
    g_autoptr(GArray) cells = g_array_new(FALSE, TRUE, sizeof(layout_cell));
    g_autoptr(GStringChunk) texts = g_string_chunk_new(4096);
    g_autoptr(GString) align = g_string_new(NULL);
    layout_table table = {.caption = LAYOUT_NONE,
                          .n_rows = region->n_rows,
                          .n_cols = region->n_cols,
                          .n_header_rows = region->n_header_rows,
                          .align = columns_align(region, align)};
    const float confidence = region->confidence;
    layout_compose_box(c, sheet, region->box, G_MAXUINT);
    part_append(c, sheet, para->table, 0, notes, cells, texts);
    layout_builder_begin_table(c->builder, (layout_cell *)cells->data, cells->len);
    for (guint i = 0; i < para->places->len; i++) {
        const layout_place *place = &g_array_index(para->places, layout_place, i);
        layout_work_release(c->work);
        sheet = layout_work_sheet(c->work, place->sheet);
        const int index = layout_sheet_row(sheet, place->row)->table;
        region = &g_array_index(sheet->tables, layout_table_region, index);
        layout_compose_box(c, sheet, region->box, G_MAXUINT - 1 - i);
        part_append(c, sheet, index, table.n_rows, notes, cells, texts);
        table.n_rows += region->n_rows;
        layout_builder_add_cells(c->builder, (layout_cell *)cells->data, cells->len);
    }
    para->block = table.block = block_add(c, LAYOUT_BLOCK_TABLE, 0, NULL, 0, confidence);
    layout_builder_end_table(c->builder, &table);
}

static void
reference_emit(layout_composer *c, layout_para *para)
{
    layout_reference reference = {.block = para->block};
    g_autoptr(GArray) names = g_array_new(FALSE, FALSE, sizeof(layout_name));
    layout_reference_parse(c->builder, c->text->str, (layout_span *)c->spans->data, c->spans->len,
                           para->marker, &reference, names);
    layout_builder_add_reference(c->builder, &reference, (layout_name *)names->data, names->len);
}

/* A heading that stands alone loses what divided it from its paragraph. */
static void
run_in_trim(layout_composer *c)
{
    gsize len = c->text->len;
    while (len > 0) {
        const char *last = g_utf8_prev_char(c->text->str + len);
        gunichar ch = g_utf8_get_char(last);
        if (ch != ' ' && ch != 0x2013 && ch != 0x2014 && ch != '-' && ch != ':' && ch != '.') break;
        len = (gsize)(last - c->text->str);
    }
    if (len > 0) layout_compose_cut(c, len);
}

static void
para_emit(layout_composer *c, layout_para *para, guint index)
{
    layout_compose_reset(c);
    if (para->figure >= 0) {
        figure_emit(c, para);
        return;
    }
    if (para->table >= 0) {
        table_emit(c, para, index);
        return;
    }
    float size_pt = layout_para_row(c->work, para, 0)->size_pt;
    if (para->type == LAYOUT_BLOCK_FORMULA) {
        formula_emit(c, para, size_pt);
        return;
    }
    c->code = para->type == LAYOUT_BLOCK_CODE;
    c->contents = para->contents;
    if (para->type == LAYOUT_BLOCK_LIST_ITEM && !para->contents) {
        g_autofree char *first = layout_para_row_text(c->work, para, 0);
        c->skip = layout_list_marker(first, &para->marker);
    } else if (para->type == LAYOUT_BLOCK_REFERENCE && para->marker != NULL) {
        c->skip = (gsize)para->skip;
    }
    c->code_x0 = G_MAXFLOAT;
    for (guint i = 0; i < para->places->len; i++)
        c->code_x0 = MIN(c->code_x0, layout_para_row(c->work, para, i)->box.x0);
    for (guint i = 0; i < para->places->len; i++) {
        const layout_place *place = &g_array_index(para->places, layout_place, i);
        layout_sheet *sheet = layout_work_sheet(c->work, place->sheet);
        layout_compose_row(c, sheet, layout_sheet_row(sheet, place->row));
    }
    if (para->run_in && para->outline > 0) run_in_trim(c);
    if (!c->code)
        layout_math_spans(c->text->str, c->text->len, c->spans, c->strings, inline_latex, c);
    para->block = block_add(c, para->type, para->level, para->marker, size_pt, para->confidence);
    layout_builder_block(c->builder, para->block)->run_in = para->run_in && para->outline == 0;
    if (para->type == LAYOUT_BLOCK_REFERENCE) reference_emit(c, para);
}

/* ---- furniture ---- */

static layout_block_type
type_of_role(layout_role role)
{
    switch (role) {
    case LAYOUT_ROLE_HEADER:
        return LAYOUT_BLOCK_HEADER;
    case LAYOUT_ROLE_FOOTER:
        return LAYOUT_BLOCK_FOOTER;
    case LAYOUT_ROLE_PAGE_NUMBER:
        return LAYOUT_BLOCK_PAGE_NUMBER;
    default:
        return LAYOUT_BLOCK_WATERMARK;
    }
}

/* One block per kind and page: line numbers alone would be fifty. */
static void
furniture_emit(layout_composer *c, layout_sheet *sheet)
{
    static const layout_role roles[] = {LAYOUT_ROLE_HEADER, LAYOUT_ROLE_FOOTER,
                                        LAYOUT_ROLE_PAGE_NUMBER, LAYOUT_ROLE_MARGIN};
    for (guint r = 0; r < G_N_ELEMENTS(roles); r++) {
        layout_compose_reset(c);
        c->furniture = TRUE;
        float size_pt = 0;
        for (guint i = 0; i < sheet->segs->len; i++) {
            const layout_seg *seg = layout_sheet_seg(sheet, i);
            if (seg->role != roles[r]) continue;
            size_pt = size_pt > 0 ? size_pt : seg->size_pt;
            layout_compose_segs(c, sheet, &i, 1, seg->box, 0);
        }
        if (c->text->len > 0) block_add(c, type_of_role(roles[r]), 0, NULL, size_pt, 1);
    }
}

/* ---- pages ---- */

static int
compare_link(gconstpointer a, gconstpointer b)
{
    const layout_link *x = a, *y = b;
    if (x->box.y0 != y->box.y0) return x->box.y0 < y->box.y0 ? -1 : 1;
    if (x->box.x0 != y->box.x0) return x->box.x0 < y->box.x0 ? -1 : 1;
    return (x->box.x1 > y->box.x1) - (x->box.x1 < y->box.x1);
}

/* What the sheet of a page's second half adds to it. */
static void
page_widen(layout_page *page, const layout_sheet *sheet)
{
    page->order_confidence = MIN(page->order_confidence, sheet->order_confidence);
    page->ledger.n_glyphs += sheet->ledger.n_glyphs;
    for (guint i = 0; i < LAYOUT_N_DISCARD_REASONS; i++)
        page->ledger.n_discarded[i] += sheet->ledger.n_discarded[i];
}

static void
pages_add(layout_work *work, layout_builder *builder)
{
    for (guint s = 0; s < work->sheets->len; s++) {
        layout_sheet *sheet = layout_work_sheet(work, s);
        g_array_sort(sheet->links, compare_link);
        layout_page page = {.width_pt = sheet->whole.x1 - sheet->whole.x0,
                            .height_pt = sheet->whole.y1 - sheet->whole.y0,
                            .rotation = sheet->rotation,
                            .turn = 90 * (int)(sheet->turn & 3),
                            .source = sheet->source,
                            .order_confidence = sheet->order_confidence,
                            .ledger = sheet->ledger,
                            .label = sheet->label,
                            .failure = sheet->failure,
                            .skipped = sheet->skipped};
        if (sheet->second) {
            page_widen(layout_builder_page(builder, sheet->page), sheet);
            continue;
        }
        int index = layout_builder_add_page(builder, &page);
        if (sheet->failure != NULL) layout_builder_add_warning(builder, index, sheet->failure);
        layout_work_release(work);
    }
}

static void
parents_set(layout_work *work, layout_builder *builder)
{
    for (guint i = 0; i < work->paras->len; i++) {
        const layout_para *para = layout_work_para(work, i);
        if (i % PARAS_AT_ONCE == 0) layout_builder_rest(builder);
        if (para->parent < 0 || para->block < 0) continue;
        layout_builder_block(builder, para->block)->parent =
            layout_work_para(work, (guint)para->parent)->block;
    }
}

void
layout_emit(layout_work *work, layout_builder *builder)
{
    layout_composer c;
    layout_composer_init(&c, work, builder);
    pages_add(work, builder);
    guint s = 0;
    for (guint i = 0; i < work->paras->len; i++) {
        layout_para *para = layout_work_para(work, i);
        for (; !para->moved && s < para->sheet; s++)
            furniture_emit(&c, layout_work_sheet(work, s));
        layout_work_release(work);
        if (i % PARAS_AT_ONCE == 0) layout_builder_rest(builder);
        para_emit(&c, para, i);
    }
    for (; s < work->sheets->len; s++) {
        layout_work_release(work);
        furniture_emit(&c, layout_work_sheet(work, s));
    }
    parents_set(work, builder);
    for (s = 0; s < work->sheets->len; s++) {
        layout_work_release(work);
        layout_ledger_close(work, layout_work_sheet(work, s), builder);
        if (s % 8 == 0) layout_builder_rest(builder);
    }
    layout_composer_clear(&c);
}

/* The rows of a table: which lines of text belong together.
 *
 * A cell may take several lines, its neighbours fewer, set at its top, middle or bottom. No line says of itself
 * whether it goes on the one above. So every way to cut the lines into rows is given a cost, and dynamic programming
 * finds the cheapest: two lines of one cell must go on one another (the second starts in lower case, the first had
 * no room for its first word, a parenthesis is open), rows should be full, their cells aligned in one manner, and
 * rules are never crossed. The header's lines break where they please, and follow rules of their own. */
#include "layout/tables_grid.h"
#include "layout/tables_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LINES 40   /* of one row */
#define NEVER     1e6F /* cost of a row that a rule cuts */

/* What a row costs. Fitted by hand on the tables of the development corpora: what matters is their order. */
#define COST_EMPTY   0.5F /* a row with no cell filled; in proportion */
#define COST_ALIGNED 0.5F /* all cells of a row out of line with its extent */
#define COST_CLOSE   1.0F /* rows closer than their print is high */
#define COST_FULL    1.0F /* a line within a row that fills all columns */
#define COST_RULED   0.6F /* by which rows between rules may be dearer than others, each */

typedef enum { ALIGN_TOP, ALIGN_MIDDLE, ALIGN_BOTTOM, N_ALIGN } row_align;

/* What stands in one column, or over several, on one line. */
typedef struct {
    guint col0, col1, band;
    float x0, x1, first_x1, baseline, size;
    uint32_t start, end;
    guint flags;
    gboolean number, year;
    gboolean stretched; /* blanks wider than others: justified, and not the last line of its cell */
    int above;          /* the line nearest above in one of its columns, -1 */
    float link;         /* how well it goes on that */
} line;

typedef struct {
    layout_grid *grid;
    GArray *lines; /* line, by band then column */
    guint *first;  /* of each band in lines; one more at the end */
    guint n_cols, n_bands;
    float *widest;  /* per column: its widest line */
    float leading;  /* between lines of one cell */
    gboolean loose; /* rows stand clearly further apart than lines of a cell */
} rows;

static int
compare_piece(gconstpointer a, gconstpointer b)
{
    const layout_piece *x = a, *y = b;
    if (x->baseline != y->baseline) return x->baseline < y->baseline ? -1 : 1;
    if (x->x0 != y->x0) return x->x0 < y->x0 ? -1 : 1;
    return (x->start > y->start) - (x->start < y->start);
}

void
layout_grid_bands(layout_grid *g)
{
    g_array_sort(g->pieces, compare_piece);
    for (guint i = 0; i < g->pieces->len; i++) {
        layout_piece *p = layout_grid_piece(g, i);
        layout_band *last = g->bands->len > 0 ? layout_grid_band(g, g->bands->len - 1) : NULL;
        if (last == NULL || p->baseline - last->baseline > 0.42F * p->size) {
            layout_band b = {.top = p->baseline - 0.75F * p->size,
                             .bottom = p->baseline + 0.23F * p->size,
                             .baseline = p->baseline};
            g_array_append_val(g->bands, b);
            last = layout_grid_band(g, g->bands->len - 1);
        }
        last->top = MIN(last->top, p->baseline - 0.75F * p->size);
        last->bottom = MAX(last->bottom, p->baseline + 0.23F * p->size);
        last->n_pieces++;
        p->row = g->bands->len - 1;
    }
}

/* ---- what a line says ---- */

/* A number, or a mark that stands where one is missing. */
static gboolean
is_number(const char *text, gsize len)
{
    guint marks = 0;
    if (layout_parts_is_number(text, len) || (len == 3 && strncmp(text, "N/A", 3) == 0))
        return TRUE;
    for (const char *at = text; at < text + len; at = g_utf8_next_char(at)) {
        const gunichar ch = g_utf8_get_char(at);
        if (g_unichar_isdigit(ch) || g_unichar_isalpha(ch)) return FALSE;
        marks += g_unichar_isspace(ch) ? 0 : 1;
    }
    return marks > 0 && len <= 8;
}

/* "2007", "2007-08": heads a column as often as it stands in one. */
static gboolean
is_year(const char *text, gsize len)
{
    if (len < 4 || (text[0] != '1' && text[0] != '2') ||
        (text[1] != '9' && text[1] != '0' && text[1] != '8'))
        return FALSE;
    if (!g_ascii_isdigit(text[2]) || !g_ascii_isdigit(text[3])) return FALSE;
    return len == 4 || (len <= 11 && !g_ascii_isdigit(text[4]) && g_ascii_isdigit(text[len - 1]));
}

/* Words that no cell ends with. */
static gboolean
ends_open(const char *text, gsize len)
{
    static const char *const words[] = {"a",   "an",  "and",  "as",  "at",   "by",  "das",  "de",
                                        "der", "des", "die",  "du",  "et",   "for", "from", "in",
                                        "la",  "le",  "of",   "on",  "or",   "per", "the",  "to",
                                        "und", "von", "with", "que", "than", "that"};
    gsize from = len;
    while (from > 0 && text[from - 1] != ' ')
        from--;
    if (from == 0) return FALSE;
    for (guint i = 0; i < G_N_ELEMENTS(words); i++)
        if (strlen(words[i]) == len - from && strncmp(words[i], text + from, len - from) == 0)
            return TRUE;
    return FALSE;
}

static int
open_brackets(const char *text, gsize len)
{
    int open = 0;
    for (gsize i = 0; i < len; i++)
        open += text[i] == '(' || text[i] == '[' ? 1 : text[i] == ')' || text[i] == ']' ? -1 : 0;
    return open;
}

/* What the words say about b going on a. */
static float
words_link(const rows *r, const line *a, const line *b)
{
    const char *text = r->grid->sheet->text->str;
    const char *x = text + a->start, *y = text + b->start;
    gsize len = a->end - a->start;
    gunichar ch = g_utf8_get_char(y);
    char last = x[len - 1];
    if (open_brackets(x, len) > 0) return 1.2F;
    if (last == '-' && len > 1 && g_ascii_isalpha(x[len - 2])) return 0.8F;
    if (ends_open(x, len)) return 0.6F;
    if (last == ',' || last == '/' || last == '&') return 0.4F;
    if (ch == '/' || ch == ',' || ch == ')') return 0.4F;
    if (ch == '(') return 0.2F;
    if (g_unichar_islower(ch)) return 0.5F;
    if (layout_is_ideograph(ch)) return 0.3F;
    return -0.6F;
}

/* Is a a remark over all columns, b alone on the next line, below its start? */
static gboolean
is_paragraph(const rows *r, const line *a, const line *b)
{
    return a->col0 == 0 && a->col1 > 0 && a->col1 + 1 == r->n_cols && b->col0 == 0 &&
           b->band == a->band + 1 && r->first[b->band + 1] - r->first[b->band] == 1 &&
           fabsf(a->x0 - b->x0) < 2;
}

/* Does b begin with the number behind that of an item above it, with nothing beside it? Rows may be numbered, too. */
static gboolean
is_next_number(const rows *r, const line *a, const line *b)
{
    const char *text = r->grid->sheet->text->str;
    if (r->first[b->band + 1] - r->first[b->band] > 1) return FALSE;
    /* numbers alone count the rows of a column */
    if (memchr(text + b->start, ' ', b->end - b->start) == NULL) return FALSE;
    for (guint n = 0; n < MAX_LINES; n++) {
        if (fabsf(a->x0 - b->x0) < 0.6F * b->size &&
            layout_list_goes_on(text + a->start, a->end - a->start, text + b->start,
                                b->end - b->start))
            return TRUE;
        if (a->above < 0) break;
        a = &g_array_index(r->lines, line, a->above);
    }
    return FALSE;
}

/* Does b begin another item of the list that a is of? Labels of rows may have bullets, too. */
static gboolean
is_next_item(const rows *r, const line *a, const line *b)
{
    const char *text = r->grid->sheet->text->str;
    if (b->col0 == 0 || a->x0 >= b->x1) return FALSE;
    if (is_next_number(r, a, b)) return TRUE;
    return layout_list_bullet(text + b->start, b->end - b->start) > 0 &&
           (fabsf(a->x0 - b->x0) < 1 || a->x0 > b->x0);
}

/* Above 0: b goes on a, both in the same columns of the body. */
static float
body_link(const rows *r, const line *a, const line *b)
{
    float gap = b->baseline - a->baseline, size = MAX(a->size, b->size);
    if (gap > MAX(1.75F * size, 1.15F * r->leading)) return -2;
    if (is_next_item(r, a, b)) return 0.4F;
    float link = words_link(r, a, b);
    float limit = 0;
    for (guint c = a->col0; c <= a->col1; c++)
        limit += r->widest[c];
    /* over all columns its room is theirs and the blanks between them */
    if (a->col0 == 0 && a->col1 > 0 && a->col1 + 1 == r->n_cols)
        limit = MAX(limit, r->grid->box.x1 - a->x0 - 0.5F * size);
    float first = b->first_x1 - b->x0;
    if (layout_is_ideograph(g_utf8_get_char(r->grid->sheet->text->str + b->start)))
        first = 2 * b->size;
    gboolean full = a->x1 - a->x0 + 0.25F * a->size + first > 0.98F * limit;
    if (!full)
        link -= 0.8F;
    else if (a->stretched || (a->col1 > a->col0 && is_paragraph(r, a, b)))
        link += 0.8F;
    if (a->number != b->number) link -= 0.4F;
    if (a->number && b->number) link -= 2;
    if ((a->flags ^ b->flags) & LAYOUT_SPAN_BOLD) link -= 0.5F;
    if (b->x0 < a->x0 - 0.8F * size && fabsf(a->x0 + a->x1 - b->x0 - b->x1) > size) link -= 0.3F;
    if (gap > 1.25F * r->leading)
        link -= 0.6F;
    else if (r->loose)
        link += 0.4F;
    return link;
}

static float
header_link(const rows *r, const line *a, const line *b)
{
    float gap = b->baseline - a->baseline, size = MAX(a->size, b->size);
    return gap > MAX(1.75F * size, 1.15F * r->leading) ? -1 : 0.4F;
}

static float
link_of(const rows *r, const line *a, const line *b)
{
    const layout_grid *g = r->grid;
    const layout_band *from = layout_grid_band(g, a->band), *to = layout_grid_band(g, b->band);
    if (from->header != to->header) return -3;
    if (layout_grid_rule_between(g, a->baseline, b->baseline - 0.5F * b->size, MAX(a->x0, b->x0),
                                 MIN(a->x1, b->x1)))
        return -3;
    if (!is_paragraph(r, a, b) && (a->col0 != b->col0 || a->col1 != b->col1)) return -1;
    return from->header ? header_link(r, a, b) : body_link(r, a, b);
}

/* ---- lines ---- */

static int
compare_line(gconstpointer a, gconstpointer b)
{
    const line *x = a, *y = b;
    if (x->band != y->band) return x->band < y->band ? -1 : 1;
    if (x->col0 != y->col0) return x->col0 < y->col0 ? -1 : 1;
    if (x->x0 != y->x0) return x->x0 < y->x0 ? -1 : 1;
    return (x->start > y->start) - (x->start < y->start);
}

/* Pieces of one place that stand beside each other become one line. */
static void
lines_collect(rows *r)
{
    layout_grid *g = r->grid;
    g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(line));
    for (guint i = 0; i < g->pieces->len; i++) {
        const layout_piece *p = layout_grid_piece(g, i);
        line l = {.col0 = p->col0,
                  .col1 = p->col1,
                  .band = p->row,
                  .x0 = p->x0,
                  .x1 = p->x1,
                  .first_x1 = p->first_x1,
                  .baseline = p->baseline,
                  .size = p->size,
                  .start = p->start,
                  .end = p->start + p->len,
                  .flags = p->flags,
                  .above = -1};
        g_array_append_val(all, l);
    }
    g_array_sort(all, compare_line);
    for (guint i = 0; i < all->len; i++) {
        line l = g_array_index(all, line, i);
        line *last = r->lines->len > 0 ? &g_array_index(r->lines, line, r->lines->len - 1) : NULL;
        if (last != NULL && last->band == l.band && last->col0 == l.col0 && last->col1 == l.col1) {
            last->x0 = MIN(last->x0, l.x0);
            last->x1 = MAX(last->x1, l.x1);
            last->stretched = TRUE;
            if (l.start >= last->end) last->end = l.end;
            continue;
        }
        g_array_append_val(r->lines, l);
    }
    guint b = 0;
    for (guint i = 0; i < r->lines->len; i++) {
        line *l = &g_array_index(r->lines, line, i);
        l->number = is_number(g->sheet->text->str + l->start, l->end - l->start);
        l->year = is_year(g->sheet->text->str + l->start, l->end - l->start);
        while (b <= l->band)
            r->first[b++] = i;
    }
    while (b <= r->n_bands)
        r->first[b++] = r->lines->len;
}

static void
widest_find(rows *r)
{
    for (guint i = 0; i < r->lines->len; i++) {
        const line *l = &g_array_index(r->lines, line, i);
        if (l->col0 == l->col1 && !layout_grid_band(r->grid, l->band)->header)
            r->widest[l->col0] = MAX(r->widest[l->col0], l->x1 - l->x0);
    }
}

/* The nearest line above each. */
static void
above_find(rows *r)
{
    g_autofree int *last = g_new(int, r->n_cols);
    for (guint c = 0; c < r->n_cols; c++)
        last[c] = -1;
    for (guint i = 0; i < r->lines->len; i++) {
        line *l = &g_array_index(r->lines, line, i);
        for (guint c = l->col0; c <= l->col1; c++)
            if (last[c] >= 0 && g_array_index(r->lines, line, (guint)last[c]).band < l->band)
                l->above = MAX(l->above, last[c]);
        for (guint c = l->col0; c <= l->col1; c++)
            last[c] = (int)i;
    }
}

/* How far lines of one cell stand apart: the small steps of the columns. Loose: many steps are clearly larger. */
static void
leading_find(rows *r)
{
    g_autoptr(GArray) steps = g_array_new(FALSE, FALSE, sizeof(float));
    for (guint i = 0; i < r->lines->len; i++) {
        const line *l = &g_array_index(r->lines, line, i);
        if (l->above < 0 || l->col0 != l->col1) continue;
        /* what follows the header or a heading over columns stands apart anyway */
        const line *above = &g_array_index(r->lines, line, (guint)l->above);
        if (layout_grid_band(r->grid, above->band)->header || above->col0 != above->col1) continue;
        float step = l->baseline - above->baseline;
        if (step > 0.85F * l->size) g_array_append_val(steps, step);
    }
    r->leading = 1.2F * r->grid->size;
    if (steps->len < 3) return;
    g_array_sort(steps, layout_compare_float);
    r->leading = g_array_index(steps, float, steps->len / 10);
    guint larger = 0;
    for (guint i = 0; i < steps->len; i++)
        larger += g_array_index(steps, float, i) > 1.25F * r->leading ? 1 : 0;
    r->loose = larger * 10 >= steps->len * 3;
}

/* A header without a rule under it: the lines above the first number of the columns that hold numbers. */
static void
header_from_numbers(rows *r)
{
    layout_grid *g = r->grid;
    g_autofree guint *numbers = g_new0(guint, r->n_cols), *filled = g_new0(guint, r->n_cols);
    g_autofree guint *years = g_new0(guint, r->n_cols);
    for (guint b = 0; b < r->n_bands; b++)
        layout_grid_band(g, b)->header = FALSE;
    for (guint i = 0; i < r->lines->len; i++) {
        const line *l = &g_array_index(r->lines, line, i);
        if (l->col0 != l->col1) continue;
        filled[l->col0]++;
        numbers[l->col0] += l->number ? 1 : 0;
        years[l->col0] += l->year ? 1 : 0;
    }
    guint end = 0;
    for (guint b = 0; b < r->n_bands && b <= MIN(8, r->n_bands / 2); b++) {
        gboolean number = FALSE, text = FALSE;
        for (guint i = r->first[b]; i < r->first[b + 1]; i++) {
            const line *l = &g_array_index(r->lines, line, i);
            for (guint c = l->col0; c <= l->col1; c++) {
                if (filled[c] < 2 || numbers[c] * 10 < filled[c] * 6) continue;
                gboolean head = !l->number || (l->year && years[c] * 3 <= filled[c]);
                number = number || !head;
                text = text || head;
            }
        }
        if (number) break;
        if (text) end = b + 1;
    }
    if (end * 2 > r->n_bands) return;
    for (guint b = 0; b < end; b++)
        layout_grid_band(g, b)->header = TRUE;
}

/* The same before the columns are known: bands before the first that is mostly numbers, if most of the rest are. */
static guint
header_guess(const layout_grid *g)
{
    guint n = g->bands->len, end = 0, like = 0;
    g_autofree guint *pieces = g_new0(guint, n), *numbers = g_new0(guint, n);
    for (guint i = 0; i < g->pieces->len; i++) {
        const layout_piece *p = layout_grid_piece(g, i);
        const char *text = g->sheet->text->str + p->start;
        pieces[p->row]++;
        numbers[p->row] += is_number(text, p->len) && !is_year(text, p->len) ? 1 : 0;
    }
    while (end < n && (numbers[end] < 2 || numbers[end] * 2 < pieces[end]))
        end++;
    for (guint b = end; b < n; b++)
        like += numbers[b] > 0 ? 1 : 0;
    return end <= 6 && end * 2 <= n && like * 10 >= (n - end) * 6 ? end : 0;
}

void
layout_grid_header(layout_grid *g)
{
    const GArray *rules = g->rules->horizontal;
    float width = g->box.x1 - g->box.x0, inner = 0;
    float first_text = g->bands->len > 0 ? layout_grid_band(g, 0)->bottom : 0;
    for (guint i = 0; i < rules->len && inner == 0; i++) {
        const layout_rule *r = &g_array_index(rules, layout_rule, i);
        if (r->y0 < first_text - 2 || r->y0 > g->box.y1 - 4) continue;
        if (layout_overlap_1d(r->x0, r->x1, g->box.x0, g->box.x1) > 0.85F * width) inner = r->y0;
    }
    guint n_header = 0;
    while (inner > 0 && n_header < g->bands->len && layout_grid_band(g, n_header)->baseline < inner)
        n_header++;
    /* a rule that leaves next to nothing below is a foot rule */
    g->header_ruled = n_header > 0 && n_header * 2 <= g->bands->len + 1;
    if (!g->header_ruled) n_header = header_guess(g);
    for (guint i = 0; i < n_header; i++)
        layout_grid_band(g, i)->header = TRUE;
}

/* ---- the cheapest rows ---- */

static gboolean
parted(const rows *r, guint above)
{
    const layout_grid *g = r->grid;
    const layout_band *a = layout_grid_band(g, above), *b = layout_grid_band(g, above + 1);
    if (a->header != b->header) return TRUE;
    return layout_grid_rule_across(g, a->baseline, b->baseline - 0.3F * g->size);
}

/* Cells that are out of line with the row's extent, by their share. y0, y1: first and last baseline per column. */
static float
misaligned(const rows *r, const float *y0, const float *y1, float top, float bottom, row_align how)
{
    guint cells = 0, off = 0;
    float slack = 0.35F * r->grid->size;
    for (guint c = 0; c < r->n_cols; c++) {
        if (y0[c] > y1[c]) continue;
        cells++;
        float by = how == ALIGN_TOP      ? y0[c] - top
                   : how == ALIGN_BOTTOM ? bottom - y1[c]
                                         : 0.5F * (y0[c] + y1[c] - top - bottom);
        off += fabsf(by) > slack ? 1 : 0;
    }
    return cells > 0 ? (float)off / (float)cells : 0;
}

/* Costs of the rows that begin at band from, one for each last band, until one may not be. */
static guint
costs_from(const rows *r, guint from, row_align how, float *costs)
{
    g_autofree float *y0 = g_new(float, r->n_cols), *y1 = g_new(float, r->n_cols);
    for (guint c = 0; c < r->n_cols; c++) {
        y0[c] = G_MAXFLOAT;
        y1[c] = -G_MAXFLOAT;
    }
    float links = 0, top = layout_grid_band(r->grid, from)->baseline;
    guint n = 0, used = 0;
    for (guint b = from; b < r->n_bands && n < MAX_LINES; b++) {
        if (b > from && parted(r, b - 1)) break;
        guint here = 0;
        for (guint i = r->first[b]; i < r->first[b + 1]; i++) {
            const line *l = &g_array_index(r->lines, line, i);
            if (l->above >= 0 && g_array_index(r->lines, line, (guint)l->above).band >= from)
                links -= l->link;
            for (guint c = l->col0; c <= l->col1; c++) {
                used += y0[c] > y1[c] ? 1 : 0;
                y0[c] = MIN(y0[c], l->baseline);
                y1[c] = MAX(y1[c], l->baseline);
                here++;
            }
        }
        if (b > from && here == r->n_cols && r->first[b + 1] - r->first[b] > 1 &&
            !layout_grid_band(r->grid, b)->header)
            links += COST_FULL;
        float bottom = layout_grid_band(r->grid, b)->baseline;
        float cost = links + COST_EMPTY * (1 - (float)used / (float)r->n_cols);
        if (b > from) cost += COST_ALIGNED * misaligned(r, y0, y1, top, bottom, how);
        if (b + 1 < r->n_bands && !parted(r, b)) {
            const layout_band *next = layout_grid_band(r->grid, b + 1);
            if (next->baseline - bottom < 0.8F * r->grid->size) cost += COST_CLOSE;
        }
        costs[n++] = cost;
    }
    return n;
}

/* The cheapest way to cut the bands into rows; to[band] = row. Returns what it costs. */
static float
rows_choose(const rows *r, row_align how, guint *to)
{
    guint n = r->n_bands;
    g_autofree float *best = g_new(float, n + 1);
    g_autofree guint *start = g_new0(guint, n + 1);
    float costs[MAX_LINES];
    for (guint b = 1; b <= n; b++)
        best[b] = NEVER;
    best[0] = 0;
    for (guint b = 0; b < n; b++) {
        guint k = costs_from(r, b, how, costs);
        for (guint i = 0; i < k; i++) {
            /* of two that cost the same, the one with more rows */
            if (best[b] + costs[i] >= best[b + i + 1] - 1e-4F &&
                !(i == 0 && best[b] + costs[i] <= best[b + 1]))
                continue;
            best[b + i + 1] = best[b] + costs[i];
            start[b + i + 1] = b;
        }
    }
    guint row = 0;
    for (guint end = n; end > 0; end = start[end])
        row++;
    for (guint end = n; end > 0; end = start[end]) {
        row--;
        for (guint b = start[end]; b < end; b++)
            to[b] = row;
    }
    return best[n];
}

static float
rows_cheapest(const rows *r, guint *to)
{
    g_autofree guint *other = g_new(guint, r->n_bands);
    float least = rows_choose(r, ALIGN_TOP, to);
    for (row_align how = ALIGN_MIDDLE; how < N_ALIGN; how++) {
        float cost = rows_choose(r, how, other);
        if (cost >= least - 1e-4F) continue;
        least = cost;
        memcpy(to, other, r->n_bands * sizeof *to);
    }
    return least;
}

/* What the rows cost that to names. */
static float
rows_cost(const rows *r, const guint *to)
{
    float least = NEVER, costs[MAX_LINES];
    for (row_align how = ALIGN_TOP; how < N_ALIGN; how++) {
        float sum = 0;
        for (guint b = 0; b < r->n_bands;) {
            guint end = b + 1;
            while (end < r->n_bands && to[end] == to[b])
                end++;
            guint n = costs_from(r, b, how, costs);
            sum += n >= end - b ? costs[end - b - 1] : n == MAX_LINES ? costs[n - 1] : NEVER;
            b = end;
        }
        least = MIN(least, sum);
    }
    return least;
}

static void
rows_set(layout_grid *g, const guint *to)
{
    guint n = g->bands->len, rows_kept = 0;
    for (guint i = 0; i < g->pieces->len; i++) {
        layout_piece *p = layout_grid_piece(g, i);
        p->row = to[p->row];
    }
    for (guint b = 0; b < n; b++) {
        layout_band from = *layout_grid_band(g, b);
        layout_band *target = layout_grid_band(g, to[b]);
        if (b == 0 || to[b] != to[b - 1]) {
            *target = from;
            rows_kept = to[b] + 1;
        } else {
            target->top = MIN(target->top, from.top);
            target->bottom = MAX(target->bottom, from.bottom);
            target->n_pieces += from.n_pieces;
        }
    }
    g_array_set_size(g->bands, rows_kept);
}

static void
rows_init(rows *r, layout_grid *g)
{
    *r = (rows){.grid = g, .n_cols = g->cuts->len + 1, .n_bands = g->bands->len};
    r->lines = g_array_new(FALSE, FALSE, sizeof(line));
    r->first = g_new0(guint, r->n_bands + 2);
    r->widest = g_new0(float, r->n_cols);
    lines_collect(r);
}

static void
rows_link(rows *r)
{
    widest_find(r);
    above_find(r);
    leading_find(r);
    for (guint i = 0; i < r->lines->len; i++) {
        line *l = &g_array_index(r->lines, line, i);
        if (l->above >= 0) l->link = link_of(r, &g_array_index(r->lines, line, (guint)l->above), l);
    }
}

static void
rows_clear(rows *r)
{
    g_array_unref(r->lines);
    g_free(r->first);
    g_free(r->widest);
}

void
layout_grid_header_from_numbers(layout_grid *g)
{
    if (g->header_ruled) return;
    rows r;
    rows_init(&r, g);
    header_from_numbers(&r);
    rows_clear(&r);
}

void
layout_grid_rows(layout_grid *g)
{
    rows r;
    rows_init(&r, g);
    rows_link(&r);
    g_autofree guint *to = g_new0(guint, r.n_bands + 1);
    rows_cheapest(&r, to);
    rows_set(g, to);
    rows_clear(&r);
}

/* ---- ruled rows ---- */

/* Bands between the horizontal rules that cross columns. */
static GArray *
ruled_bands(const layout_grid *g)
{
    g_autoptr(GArray) ys = g_array_new(FALSE, FALSE, sizeof(float));
    GArray *bands = g_array_new(FALSE, TRUE, sizeof(layout_band));
    const GArray *rules = g->rules->horizontal;
    for (guint i = 0; i < rules->len; i++) {
        const layout_rule *r = &g_array_index(rules, layout_rule, i);
        float y = 0.5F * (r->y0 + r->y1);
        if (y < g->box.y0 - 3 || y > g->box.y1 + 3) continue;
        if (layout_overlap_1d(r->x0, r->x1, g->box.x0, g->box.x1) < 6) continue;
        g_array_append_val(ys, y);
    }
    layout_grid_snap(ys, 3);
    for (guint i = 0; i + 1 < ys->len; i++) {
        layout_band b = {.top = g_array_index(ys, float, i),
                         .bottom = g_array_index(ys, float, i + 1)};
        b.baseline = 0.5F * (b.top + b.bottom);
        if (b.bottom - b.top < 0.5F * g->size) continue;
        g_array_append_val(bands, b);
    }
    return bands;
}

static guint
ruled_row(const GArray *bands, float baseline, float size)
{
    float y = baseline - 0.3F * size;
    guint row = 0;
    while (row + 1 < bands->len && y > g_array_index(bands, layout_band, row).bottom)
        row++;
    return row;
}

gboolean
layout_grid_ruled_rows(layout_grid *g)
{
    g_autoptr(GArray) bands = ruled_bands(g);
    if (bands->len < 2) return FALSE;
    rows r;
    rows_init(&r, g);
    rows_link(&r);
    guint n = r.n_bands, used = 1;
    g_autofree guint *ruled = g_new0(guint, n + 1), *free_rows = g_new0(guint, n + 1);
    for (guint b = 0; b < n; b++) {
        ruled[b] = ruled_row(bands, layout_grid_band(g, b)->baseline, g->size);
        used += b > 0 && ruled[b] != ruled[b - 1] ? 1 : 0;
    }
    float by_rules = rows_cost(&r, ruled), by_text = rows_cheapest(&r, free_rows);
    rows_clear(&r);
    /* several rows between two rules are rows, not lines of one cell */
    if (used < 2 || by_rules > by_text + COST_RULED * (float)used) return FALSE;
    for (guint i = 0; i < g->pieces->len; i++) {
        layout_piece *p = layout_grid_piece(g, i);
        guint row = ruled[p->row];
        g_array_index(bands, layout_band, row).n_pieces++;
        g_array_index(bands, layout_band, row).header |= layout_grid_band(g, p->row)->header;
        p->row = row;
    }
    /* rows that hold nothing go */
    g_autofree guint *to = g_new0(guint, bands->len + 1);
    guint kept = 0;
    g_array_set_size(g->bands, 0);
    for (guint i = 0; i < bands->len; i++) {
        layout_band b = g_array_index(bands, layout_band, i);
        to[i] = kept;
        if (b.n_pieces == 0) continue;
        g_array_append_val(g->bands, b);
        kept++;
    }
    for (guint i = 0; i < g->pieces->len; i++) {
        layout_piece *p = layout_grid_piece(g, i);
        p->row = to[p->row];
    }
    return TRUE;
}

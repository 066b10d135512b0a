/* Which rows are displayed formulas: rows of mathematics set apart from the text, and whatever stands around
 * them that is a part of them, such as numerators and the limits of sums. */
#include "layout/analyze.h"
#include "layout/flow.h"

#include <math.h>
#include <string.h>

gboolean
layout_equation_number(const char *text, gsize len)
{
    if (len < 3 || len > 10 || text[0] != '(' || text[len - 1] != ')') return FALSE;
    gsize digits = 0;
    for (gsize i = 1; i + 1 < len; i++) {
        if (g_ascii_isdigit(text[i]))
            digits++;
        else if (text[i] != '.' && text[i] != '-' && !(i == 1 && g_ascii_isupper(text[i])) &&
                 !(g_ascii_islower(text[i]) && i + 2 == len) && text[i] != ' ')
            return FALSE;
    }
    return digits > 0;
}

static const layout_seg *
row_seg(const layout_sheet *sheet, const layout_row *row, guint i)
{
    return layout_sheet_seg(sheet, g_array_index(sheet->row_segs, guint, row->first_seg + i));
}

gboolean
layout_row_number_left(const layout_sheet *sheet, const layout_row *row)
{
    if (row->n_segs == 0) return FALSE;
    const layout_seg *first = row_seg(sheet, row, 0);
    if (first->box.x0 - row->col_x0 > 1.5F * first->size_pt ||
        !layout_equation_number(sheet->text->str + first->start, first->len))
        return FALSE;
    if (row->n_segs == 1) return TRUE;
    /* the marker of a list's item stands closer, unless the formula fills the line */
    const float gap = row_seg(sheet, row, 1)->box.x0 - first->box.x1;
    const gboolean full = row->box.x1 > row->col_x1 - 3 * first->size_pt;
    return gap > (full ? 0.8F : 2) * first->size_pt;
}

typedef struct {
    guint plain, math, digits, other, words; /* letters in text fonts, math characters, ... */
    gboolean relation;
} math_count;

static gboolean
is_relation(gunichar ch)
{
    return ch == '=' || ch == '<' || ch == '>' || (ch >= 0x2190 && ch <= 0x21FF) ||
           (ch >= 0x2200 && ch <= 0x22FF) || ch == 0xD7 || ch == '+';
}

/* One or two slanted letters by themselves: variables, where the font of words has those too. next: what follows. */
static gboolean
is_variable(const layout_style *style, guint letters, gunichar next)
{
    if (!(style->flags & LAYOUT_SPAN_ITALIC)) return FALSE;
    return letters == 1 || (letters == 2 && next != ' ' && next != ',' && next != '.');
}

static math_count
count_math(const layout_sheet *sheet, const layout_row *row)
{
    math_count c = {0};
    for (guint i = layout_row_number_left(sheet, row) ? 1 : 0; i < row->n_segs; i++) {
        const layout_seg *seg = row_seg(sheet, row, i);
        const char *seg_text = sheet->text->str + seg->start;
        if (i > 0 && i + 1 == row->n_segs && layout_equation_number(seg_text, seg->len)) continue;
        for (guint k = seg->first_style; k < seg->first_style + seg->n_styles; k++) {
            const layout_style *style = layout_sheet_style(sheet, k);
            const char *at = sheet->text->str + style->start, *end = at + style->len;
            /* words in scripts are names: "C_track" */
            const gboolean script =
                (style->flags & (LAYOUT_SPAN_SUPERSCRIPT | LAYOUT_SPAN_SUBSCRIPT)) != 0;
            guint run = 0;
            for (; at < end; at = g_utf8_next_char(at)) {
                gunichar ch = g_utf8_get_char(at);
                if (is_relation(ch)) c.relation = TRUE;
                gboolean letter = g_unichar_isalpha(ch);
                if (!letter && !script && is_variable(style, run, ch))
                    c.plain -= run, c.math += run;
                run = letter && !(style->flags & LAYOUT_SPAN_MATH) ? run + 1 : 0;
                if (run == 4 && !script) c.words++;
                if (ch == ' ') continue;
                if (style->flags & LAYOUT_SPAN_MATH)
                    c.math++;
                else if (script)
                    c.other++;
                else if (letter)
                    c.plain++;
                else if (g_unichar_isdigit(ch))
                    c.digits++;
                else if (is_relation(ch))
                    c.math++;
                else
                    c.other++;
            }
            if (!script && is_variable(style, run, 0)) c.plain -= run, c.math += run;
        }
    }
    return c;
}

static gboolean
row_has_number(const layout_sheet *sheet, const layout_row *row)
{
    if (row->n_segs == 0) return FALSE;
    const layout_seg *last = row_seg(sheet, row, row->n_segs - 1);
    return layout_equation_number(sheet->text->str + last->start, last->len) &&
           last->box.x1 > row->col_x1 - 3 * last->size_pt;
}

static gboolean
row_is_numbered(const layout_sheet *sheet, const layout_row *row)
{
    return row_has_number(sheet, row) || layout_row_number_left(sheet, row);
}

/* An equation's number by itself: under a formula that reaches the margin, or beside one of several lines. */
static gboolean
row_is_number(const layout_sheet *sheet, const layout_row *row)
{
    if (row->n_segs != 1) return FALSE;
    return (row_has_number(sheet, row) && row->box.x0 - row->col_x0 > 5 * row->size_pt) ||
           layout_row_number_left(sheet, row);
}

static gboolean
row_is_display(const layout_sheet *sheet, const layout_row *row)
{
    if (row->flags & LAYOUT_SPAN_MONO) return FALSE;
    math_count c = count_math(sheet, row);
    float indent = row->box.x0 - row->col_x0;
    float size = MAX(row->size_pt, 4);
    guint all = c.plain + c.math + c.digits + c.other;
    if (all == 0 || c.math == 0 || row_is_number(sheet, row)) return FALSE;
    gboolean apart = indent > 1.2F * size || row_is_numbered(sheet, row);
    if (!apart) {
        /* long formulas reach the margins */
        return c.math * 2 > all && c.words == 0 && c.relation && c.plain * 3 < c.math;
    }
    if (c.words >= 4) return FALSE;
    if (row_is_numbered(sheet, row) && row->n_segs > 1)
        return c.relation || c.plain * 2 < all * 1 + c.math * 2 || c.words <= 1;
    float middle = 0.5F * (row->box.x0 + row->box.x1), centre = 0.5F * (row->col_x0 + row->col_x1);
    gboolean centred = fabsf(middle - centre) < 0.2F * (row->col_x1 - row->col_x0);
    if (c.words >= 2 && c.plain > c.math) return FALSE;
    return c.math * 2 >= c.plain && (c.relation || centred || c.math > 2) &&
           (centred || indent > 2 * size);
}

/* ---- parts ---- */

/* Has it tips of a brace over or under a formula, with or without the brace's label? */
static gboolean
row_has_brace(const layout_sheet *sheet, const layout_row *row)
{
    for (guint i = 0; i < row->n_segs; i++) {
        guint n, first = layout_sheet_marks(sheet, row_seg(sheet, row, i), &n);
        for (guint k = first; k < first + n; k++) {
            const gunichar ch = g_array_index(sheet->marks, layout_mark, k).ch;
            if (ch == 0x23DE || ch == 0x23DF) return TRUE;
        }
    }
    return FALSE;
}

typedef struct {
    float x0, x1, y0, y1;
    float size;
    float relation; /* where its first relation stands, NAN where it has none */
    gboolean numbered;
} hull;

static gboolean
is_comparison(gunichar ch)
{
    return ch == '=' || ch == '<' || ch == '>' || ch == 0x2208 || ch == 0x221D ||
           (ch >= 0x223C && ch <= 0x228B) || (ch >= 0x2190 && ch <= 0x21FF);
}

/* What a row's ink covers: large operators and delimiters reach beyond its line. */
static hull
row_hull(const layout_sheet *sheet, const layout_row *row)
{
    hull h = {.x0 = row->box.x0,
              .x1 = row->box.x1,
              .y0 = row->baseline - 0.7F * row->size_pt,
              .y1 = row->baseline + 0.2F * row->size_pt,
              .size = row->size_pt,
              .relation = NAN,
              .numbered = row_is_numbered(sheet, row)};
    for (guint i = 0; i < row->n_segs; i++) {
        const layout_seg *seg = row_seg(sheet, row, i);
        guint n, first = layout_sheet_marks(sheet, seg, &n);
        for (guint k = first; k < first + n; k++) {
            const layout_mark *mark = &g_array_index(sheet->marks, layout_mark, k);
            const guint scripts = LAYOUT_SPAN_SUPERSCRIPT | LAYOUT_SPAN_SUBSCRIPT;
            if (is_comparison(mark->ch) && !(mark->flags & scripts) &&
                (isnan(h.relation) || mark->x0 < h.relation))
                h.relation = mark->x0;
            if (!(mark->bottom > mark->top)) continue;
            h.y0 = MIN(h.y0, mark->top);
            h.y1 = MAX(h.y1, mark->bottom);
        }
    }
    return h;
}

static void
hull_join(hull *h, const hull *other)
{
    h->x0 = MIN(h->x0, other->x0);
    h->x1 = MAX(h->x1, other->x1);
    h->y0 = MIN(h->y0, other->y0);
    h->y1 = MAX(h->y1, other->y1);
    h->size = MAX(h->size, other->size);
    h->numbered |= other->numbered;
    if (isnan(h->relation)) h->relation = other->relation;
}

/* Does a fraction bar stand between seg and the formula, on the axis of one of its lines? */
static gboolean
shares_a_bar(const layout_sheet *sheet, const hull *formula, const layout_row *row,
             const layout_seg *seg)
{
    const float em = formula->size;
    for (guint i = 0; i < sheet->hrules->len; i++) {
        const layout_rule *rule = &g_array_index(sheet->hrules, layout_rule, i);
        if (rule->y0 > formula->y1 + em) break;
        if (rule->y0 < formula->y0 - em || rule->x0 < formula->x0 - 30 * em ||
            rule->x1 - rule->x0 > 0.9F * (row->col_x1 - row->col_x0))
            continue;
        if (seg->box.x0 < rule->x0 - 0.4F * em || seg->box.x1 > rule->x1 + 0.4F * em) continue;
        const float off = fabsf(seg->baseline - 0.3F * seg->size_pt - rule->y0);
        const gboolean beside =
            rule->y0 > formula->y0 - 0.1F * em && rule->y0 < formula->y1 + 0.1F * em;
        if (beside && off < 1.25F * em) return TRUE;
    }
    return FALSE;
}

/* A formula as wide as its column begins at the margin: "f = g(" beside a fraction, whose rows stand above and below. */
static gboolean
is_left_side(const layout_sheet *sheet, const hull *formula, const layout_row *row, const hull *own)
{
    const math_count c = count_math(sheet, row);
    return c.relation && c.math > 0 && c.words <= 1 && row->n_segs == 1 &&
           layout_overlap_1d(formula->y0, formula->y1, own->y0, own->y1) > 0 &&
           fabsf(formula->x0 - row->box.x1) < 1.5F * formula->size;
}

/* Is row, which does not look like a formula by itself, a part of the one beside it? */
static gboolean
is_part(const layout_sheet *sheet, const hull *formula, const layout_row *row, const hull *own)
{
    if (row->flags & LAYOUT_SPAN_MONO) return FALSE;
    const float em = formula->size;
    const float overlap = layout_overlap_1d(formula->y0, formula->y1, own->y0, own->y1);
    const gboolean number = row_is_number(sheet, row);
    /* under a formula that leaves its number no room */
    if (overlap < (number && own->y0 > formula->y1 ? -1.8F : -1.2F) * em) return FALSE;
    if (number) return !formula->numbered;
    if (row_has_brace(sheet, row)) return overlap > -0.6F * em;
    const float indent = row->box.x0 - row->col_x0;
    if (indent < 0.5F * em) return is_left_side(sheet, formula, row, own);
    guint n_shared = 0;
    for (guint i = 0; i < row->n_segs; i++)
        n_shared += shares_a_bar(sheet, formula, row, row_seg(sheet, row, i)) ? 1 : 0;
    if (n_shared == row->n_segs) return TRUE;
    const math_count c = count_math(sheet, row);
    /* between the ends of a brace, say */
    if (overlap > 0.8F * (own->y1 - own->y0)) return c.words <= 4;
    if (c.words > 2 || (c.words > 0 && c.plain > c.math + 8)) return FALSE;
    if (overlap > 0.15F * (own->y1 - own->y0))
        return c.words == 0 || c.math > 0 || row->n_chars < 15;
    /* limits, a little apart */
    return overlap > -0.5F * em && c.words == 0 && row->n_chars < 30 && row->size_pt < 0.88F * em &&
           row->box.x0 > formula->x0 - em && row->box.x1 < formula->x1 + em;
}

/* ---- formulas ---- */

typedef struct {
    guint first, n; /* rows */
    guint region, n_chars;
    hull box;
} cluster;

/* Grows a formula around row i by the rows above and below that are parts of it. */
static cluster
cluster_grow(const layout_work *work, const layout_sheet *sheet, const hull *hulls,
             const gboolean *alike, const gboolean *taken, guint i)
{
    const layout_row *seed = layout_sheet_row(sheet, i);
    cluster c = {i, 1, seed->region, seed->n_chars, hulls[i]};
    c.box.size = MAX(c.box.size, work->body_pt);
    for (gboolean grown = TRUE; grown;) {
        grown = FALSE;
        for (guint side = 0; side < 2; side++) {
            if (side == 0 ? c.first == 0 : c.first + c.n >= sheet->rows->len) continue;
            const guint at = side == 0 ? c.first - 1 : c.first + c.n;
            const layout_row *row = layout_sheet_row(sheet, at);
            const hull *own = &hulls[at];
            if (taken[at] || own->size <= 0 || row->region != c.region) continue;
            const float gap = side == 0 ? c.box.y0 - own->y1 : own->y0 - c.box.y1;
            /* the number of the formula below, to which it is nearer */
            if (side == 1 && gap > 0 && at + 1 < sheet->rows->len && alike[at + 1] &&
                row_is_number(sheet, row) && hulls[at + 1].y0 - own->y1 < gap)
                continue;
            if (!(alike[at] && gap < 0.1F * c.box.size) && !is_part(sheet, &c.box, row, own))
                continue;
            hull_join(&c.box, own);
            c.n_chars += row->n_chars;
            c.first = MIN(c.first, at);
            c.n++;
            grown = TRUE;
        }
    }
    return c;
}

/* Is it a piece of a fraction or a root within running text, beside whose line it stands? */
static gboolean
is_inline(const layout_sheet *sheet, const hull *hulls, const gboolean *alike, const cluster *c)
{
    for (guint side = 0; side < 2; side++) {
        if (side == 0 ? c->first == 0 : c->first + c->n >= sheet->rows->len) continue;
        const guint at = side == 0 ? c->first - 1 : c->first + c->n;
        const layout_row *row = layout_sheet_row(sheet, at);
        if (alike[at] || hulls[at].size <= 0 || row->region != c->region) continue;
        const float overlap = layout_overlap_1d(c->box.y0, c->box.y1, hulls[at].y0, hulls[at].y1);
        if (overlap > 0.15F * (c->box.y1 - c->box.y0) && count_math(sheet, row).words > 2)
            return TRUE;
    }
    return FALSE;
}

/* Do two formulas, one below the other, make one? Lines of one formula stand closer than displays do, and are often
 * set with their relations below each other. */
static gboolean
goes_on(const cluster *above, const cluster *below)
{
    if (above->region != below->region || above->first + above->n != below->first) return FALSE;
    const float em = MAX(above->box.size, below->box.size), gap = below->box.y0 - above->box.y1;
    const gboolean aligned = fabsf(above->box.relation - below->box.relation) < 0.1F * em;
    return gap < (aligned ? 1.3F : 0.7F) * em;
}

/* A row of words and mathematics, set apart by blank on all sides. */
static gboolean
stands_alone(const layout_sheet *sheet, const hull *hulls, guint i)
{
    const layout_row *row = layout_sheet_row(sheet, i);
    const float left = row->box.x0 - row->col_x0, right = row->col_x1 - row->box.x1;
    const float em = row->size_pt;
    if (row->flags & LAYOUT_SPAN_MONO || left < 2 * em || fabsf(left - right) > 1.5F * em)
        return FALSE;
    for (guint side = 0; side < 2; side++) {
        if (side == 0 ? i == 0 : i + 1 >= sheet->rows->len) continue;
        const guint at = side == 0 ? i - 1 : i + 1;
        if (hulls[at].size <= 0 || layout_sheet_row(sheet, at)->region != row->region) continue;
        const float gap = side == 0 ? hulls[i].y0 - hulls[at].y1 : hulls[at].y0 - hulls[i].y1;
        if (gap < 0.6F * em) return FALSE;
    }
    const math_count c = count_math(sheet, row);
    return c.relation && c.math >= 3 && c.words <= 6;
}

/* The same of a number at the left margin. */
static void
number_cut_left(layout_sheet *sheet, layout_row *row)
{
    const guint index = g_array_index(sheet->row_segs, guint, row->first_seg);
    const layout_seg *seg = layout_sheet_seg(sheet, index);
    if (seg->n_words < 2 || seg->box.x0 - row->col_x0 > 1.5F * seg->size_pt) return;
    const layout_word *word = layout_sheet_word(sheet, seg->first_word);
    if (!layout_equation_number(sheet->text->str + word->start, word->len) ||
        word[1].x0 - word->x1 < 0.8F * seg->size_pt)
        return;
    const guint front = layout_seg_split(sheet, index, 1), first = sheet->row_segs->len;
    g_array_append_val(sheet->row_segs, front);
    for (guint i = 0; i < row->n_segs; i++) {
        const guint rest = g_array_index(sheet->row_segs, guint, row->first_seg + i);
        g_array_append_val(sheet->row_segs, rest);
    }
    row->first_seg = first;
    row->n_segs++;
}

/* A formula that fills its line stands close to its number: the number becomes a segment of its own. */
static void
number_cut(layout_sheet *sheet, layout_row *row)
{
    const guint index = g_array_index(sheet->row_segs, guint, row->first_seg + row->n_segs - 1);
    const layout_seg *last = layout_sheet_seg(sheet, index);
    if (last->n_words < 2) return;
    const layout_word *word = layout_sheet_word(sheet, last->first_word + last->n_words - 1);
    if (!layout_equation_number(sheet->text->str + word->start, word->len) ||
        word->x1 < row->col_x1 - last->size_pt)
        return;
    const guint front = layout_seg_split(sheet, index, last->n_words - 1);
    const guint first = sheet->row_segs->len;
    for (guint i = 0; i + 1 < row->n_segs; i++) {
        const guint seg = g_array_index(sheet->row_segs, guint, row->first_seg + i);
        g_array_append_val(sheet->row_segs, seg);
    }
    g_array_append_val(sheet->row_segs, front);
    g_array_append_val(sheet->row_segs, index);
    row->first_seg = first;
    row->n_segs++;
}

void
layout_displays_find(const layout_work *work, layout_sheet *sheet)
{
    const guint n = sheet->rows->len;
    g_autofree hull *hulls = g_new0(hull, n + 1);
    g_autofree gboolean *alike = g_new0(gboolean, n + 1);
    g_autofree gboolean *taken = g_new0(gboolean, n + 1);
    for (guint i = 0; i < n; i++) {
        layout_row *row = layout_sheet_row(sheet, i);
        row->formula = 0;
        if (row->n_segs == 0 || row_seg(sheet, row, 0)->caption != LAYOUT_NONE) continue;
        alike[i] = row_is_display(sheet, row);
        if (alike[i]) {
            number_cut(sheet, row);
            number_cut_left(sheet, row);
        }
        hulls[i] = row_hull(sheet, row);
        /* what stands over a number is what it numbers */
        if (i > 0 && hulls[i - 1].size > 0 && row_is_number(sheet, row) &&
            hulls[i].y0 - hulls[i - 1].y1 < row->size_pt) {
            const math_count c = count_math(sheet, layout_sheet_row(sheet, i - 1));
            alike[i - 1] |= c.relation && c.math > 0;
        }
    }
    for (guint i = 0; i < n; i++)
        alike[i] |= hulls[i].size > 0 && stands_alone(sheet, hulls, i);
    guint group = 0;
    cluster last = {0};
    for (guint i = 0; i < n; i++) {
        if (!alike[i] || taken[i]) continue;
        const cluster c = cluster_grow(work, sheet, hulls, alike, taken, i);
        if (is_inline(sheet, hulls, alike, &c) || (c.n_chars < 2 && !c.box.numbered)) continue;
        if (group == 0 || !goes_on(&last, &c)) group++;
        for (guint k = c.first; k < c.first + c.n; k++) {
            layout_sheet_row(sheet, k)->formula = group;
            taken[k] = TRUE;
        }
        last = c;
    }
}

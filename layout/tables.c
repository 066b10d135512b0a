/* Where the tables are.
 *
 *   ruled      horizontal and vertical rules that hang together
 *   booktabs   two or more horizontal rules of one width, one under the other, cells between
 *   unruled    three or more rows whose pieces stand under each other (tables_unruled.c)
 *
 * Each candidate must prove itself by making a grid (tables_grid.c) of at least two rows and columns. */
#include "layout/flow.h"
#include "layout/order_cards.h"
#include "layout/tables.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CHAIN_AHEAD 200
#define SAME_X_PT   4.0F
#define MAX_TABLES  200
#define MAX_STRIPES 600 /* of more fills a page is a drawing */
#define N_STRIPS    64
#define EXTEND_PT   40.0F /* a header of two lines */

typedef layout_table_finder finder;

static float
width_of(layout_rect r)
{
    return r.x1 - r.x0;
}

/* Fills by the strips of the page they reach into, so that those at a height are found without asking all. */
typedef struct {
    const GArray *fills;
    guint *at; /* indices of fills, strip by strip */
    guint starts[N_STRIPS + 1];
    float y0, height; /* of all strips; of one */
} fill_strips;

static guint
strip_of(const fill_strips *s, float y)
{
    const float k = (y - s->y0) / s->height;
    return !(k > 0) ? 0 : k >= N_STRIPS ? N_STRIPS - 1 : (guint)k;
}

static void
fill_strips_make(fill_strips *s, const GArray *fills)
{
    float y0 = G_MAXFLOAT, y1 = -G_MAXFLOAT;
    for (guint i = 0; i < fills->len; i++) {
        y0 = MIN(y0, g_array_index(fills, layout_fill, i).box.y0);
        y1 = MAX(y1, g_array_index(fills, layout_fill, i).box.y1);
    }
    *s = (fill_strips){.fills = fills, .y0 = y0, .height = MAX((y1 - y0) / N_STRIPS, 0.1F)};
    s->at = g_new(guint, (gsize)fills->len * N_STRIPS + 1);
    guint n = 0;
    for (guint k = 0; k < N_STRIPS; k++) {
        s->starts[k] = n;
        for (guint i = 0; i < fills->len; i++) {
            const layout_rect b = g_array_index(fills, layout_fill, i).box;
            if (strip_of(s, b.y0) <= k && strip_of(s, b.y1) >= k) s->at[n++] = i;
        }
    }
    s->starts[N_STRIPS] = n;
}

/* An edge between two fills of one colour is not seen. at: where the edge is, along x if vertical; from, to: how far it
 * reaches; out: on which side of it the fill is not. */
static gboolean
edge_hidden(const fill_strips *s, guint own, gboolean vertical, float at, float from, float to,
            int out)
{
    const layout_fill *self = &g_array_index(s->fills, layout_fill, own);
    if (self->outline) return FALSE;
    /* what hides most of the edge lies at this height */
    const guint strip = strip_of(s, vertical ? 0.5F * (from + to) : at + 1.75F * (float)out);
    for (guint k = s->starts[strip]; k < s->starts[strip + 1]; k++) {
        const layout_fill *f = &g_array_index(s->fills, layout_fill, s->at[k]);
        if (s->at[k] == own || f->outline || f->color != self->color) continue;
        float near = vertical ? f->box.x0 : f->box.y0, far = vertical ? f->box.x1 : f->box.y1;
        if (out < 0 ? near > at - 2 || far < at - 1.5F : far < at + 2 || near > at + 1.5F) continue;
        float shared = vertical ? layout_overlap_1d(f->box.y0, f->box.y1, from, to)
                                : layout_overlap_1d(f->box.x0, f->box.x1, from, to);
        if (shared > 0.8F * (to - from)) return TRUE;
    }
    return FALSE;
}

static void
edges_add(GArray *rules, const fill_strips *strips, guint i, gboolean vertical)
{
    layout_rect r = g_array_index(strips->fills, layout_fill, i).box;
    if (r.x1 - r.x0 < 6 || r.y1 - r.y0 < 5) return;
    for (int out = -1; out <= 1; out += 2) {
        float at = vertical ? (out < 0 ? r.x0 : r.x1) : (out < 0 ? r.y0 : r.y1);
        float from = vertical ? r.y0 : r.x0, to = vertical ? r.y1 : r.x1;
        if (edge_hidden(strips, i, vertical, at, from, to, out)) continue;
        layout_rule rule = vertical ? (layout_rule){at, at, from, to, 0.5F}
                                    : (layout_rule){from, to, at, at, 0.5F};
        g_array_append_val(rules, rule);
    }
}

/* Pieces of one rule, drawn cell by cell, become one. */
static GArray *
rules_join(const GArray *from, const fill_strips *strips, gboolean vertical)
{
    g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(layout_rule));
    g_array_append_vals(all, from->data, from->len);
    for (guint i = 0; i < strips->fills->len; i++)
        edges_add(all, strips, i, vertical);
    g_array_sort(all, vertical ? layout_compare_vrule : layout_compare_hrule);
    GArray *joined = g_array_new(FALSE, FALSE, sizeof(layout_rule));
    for (guint i = 0; i < all->len; i++) {
        layout_rule r = g_array_index(all, layout_rule, i);
        gboolean taken = FALSE;
        for (guint k = joined->len, n = 0; k-- > 0 && n < 24 && !taken; n++) {
            layout_rule *j = &g_array_index(joined, layout_rule, k);
            if (vertical) {
                if (r.x0 - j->x0 > 1.5F) break;
                if (r.y0 > j->y1 + 2.5F || r.y1 < j->y0 - 2.5F) continue;
            } else {
                if (r.y0 - j->y0 > 1.5F) break;
                if (r.x0 > j->x1 + 2.5F || r.x1 < j->x0 - 2.5F) continue;
            }
            j->x0 = MIN(j->x0, r.x0);
            j->x1 = MAX(j->x1, r.x1);
            j->y0 = MIN(j->y0, r.y0);
            j->y1 = MAX(j->y1, r.y1);
            taken = TRUE;
        }
        if (!taken) g_array_append_val(joined, r);
    }
    g_array_sort(joined, vertical ? layout_compare_vrule : layout_compare_hrule);
    return joined;
}

/* The first segment, by baseline, at or below y. */
static guint
first_below(const finder *f, float y)
{
    guint lo = 0, hi = f->n_segs;
    while (lo < hi) {
        guint mid = lo + (hi - lo) / 2;
        if (layout_sheet_seg(f->sheet, f->by_y[mid])->baseline < y)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Free segments whose middle lies in box. */
static GArray *
segs_in(const finder *f, layout_rect box)
{
    GArray *found = g_array_new(FALSE, FALSE, sizeof(guint));
    for (guint i = first_below(f, box.y0); i < f->n_segs; i++) {
        const layout_seg *seg = layout_sheet_seg(f->sheet, f->by_y[i]);
        if (seg->baseline > box.y1 + seg->size_pt) break;
        float x = 0.5F * (seg->box.x0 + seg->box.x1), y = seg->baseline - 0.3F * seg->size_pt;
        if (seg->role != LAYOUT_ROLE_TEXT || seg->caption >= 0 || x < box.x0 || x > box.x1 ||
            y < box.y0 || y > box.y1)
            continue;
        g_array_append_val(found, f->by_y[i]);
    }
    return found;
}

static layout_table_rules
rules_in(const finder *f, layout_rect box)
{
    layout_table_rules in = {g_array_new(FALSE, FALSE, sizeof(layout_rule)),
                             g_array_new(FALSE, FALSE, sizeof(layout_rule))};
    for (guint i = 0; i < f->rules.horizontal->len; i++) {
        const layout_rule *r = &g_array_index(f->rules.horizontal, layout_rule, i);
        if (r->y0 < box.y0 - 3 || r->y0 > box.y1 + 3 || r->x1 - r->x0 < 6) continue;
        if (layout_overlap_1d(r->x0, r->x1, box.x0, box.x1) > 0.5F * (r->x1 - r->x0))
            g_array_append_vals(in.horizontal, r, 1);
    }
    for (guint i = 0; i < f->rules.vertical->len; i++) {
        const layout_rule *r = &g_array_index(f->rules.vertical, layout_rule, i);
        if (r->x0 < box.x0 - 3 || r->x0 > box.x1 + 3) continue;
        if (layout_overlap_1d(r->y0, r->y1, box.y0, box.y1) > 0.5F * (r->y1 - r->y0))
            g_array_append_vals(in.vertical, r, 1);
    }
    return in;
}

/* Does a vertical rule run between y0 and y1 inside of box? */
static gboolean
divided(const layout_table_rules *rules, layout_rect box, float y0, float y1)
{
    for (guint i = 0; i < rules->vertical->len; i++) {
        const layout_rule *r = &g_array_index(rules->vertical, layout_rule, i);
        if (r->x0 < box.x0 + 6 || r->x0 > box.x1 - 6) continue;
        if (layout_overlap_1d(r->y0, r->y1, y0, y1) > 0.5F * (y1 - y0)) return TRUE;
    }
    return FALSE;
}

/* Words of the free text within box, and its lines. */
static guint
words_in(const finder *f, layout_rect box, guint *lines)
{
    g_autoptr(GArray) segs = segs_in(f, box);
    guint words = 0;
    float baseline = -G_MAXFLOAT;
    *lines = 0;
    for (guint i = 0; i < segs->len; i++) {
        const layout_seg *seg = layout_sheet_seg(f->sheet, g_array_index(segs, guint, i));
        words += seg->n_words;
        *lines += seg->baseline - baseline > 0.4F * seg->size_pt ? 1 : 0;
        baseline = seg->baseline;
    }
    return words;
}

/* A frame may hold more than the table: its title in a row of its own at the top, its source at the foot. They are
 * left to the text around it. */
static layout_rect
frame_trim(const finder *f, layout_rect box, const layout_table_rules *rules)
{
    g_autoptr(GArray) ys = g_array_new(FALSE, FALSE, sizeof(float));
    for (guint i = 0; i < rules->horizontal->len; i++) {
        /* of several pieces, perhaps */
        const layout_rule *r = &g_array_index(rules->horizontal, layout_rule, i);
        float covered = 0;
        for (guint k = i; k < rules->horizontal->len; k++) {
            const layout_rule *next = &g_array_index(rules->horizontal, layout_rule, k);
            if (next->y0 > r->y0 + 2) break;
            covered += MAX(0, layout_overlap_1d(next->x0, next->x1, box.x0, box.x1));
        }
        if (covered > 0.85F * width_of(box)) g_array_append_val(ys, r->y0);
    }
    for (guint k = 0; k + 2 < ys->len; k++) {
        float y0 = g_array_index(ys, float, k), y1 = g_array_index(ys, float, k + 1);
        guint lines, words = words_in(f, (layout_rect){box.x0, y0, box.x1, y1}, &lines);
        if (words == 0) continue;
        if (lines > 4 || words < 6 || divided(rules, box, y0, y1)) break;
        if (divided(rules, box, y1, g_array_index(ys, float, k + 2))) box.y0 = y1 - 1;
        break;
    }
    for (guint k = ys->len; k-- > 2;) {
        float y0 = g_array_index(ys, float, k - 1), y1 = g_array_index(ys, float, k);
        guint lines, words = words_in(f, (layout_rect){box.x0, y0, box.x1, y1}, &lines);
        if (words == 0) continue;
        if (words < 8 || y0 <= box.y0 || divided(rules, box, y0, y1)) break;
        if (divided(rules, box, g_array_index(ys, float, k - 2), y0)) box.y1 = y0 + 1;
        break;
    }
    return box;
}

gboolean
layout_table_try(layout_table_finder *f, layout_rect box, float confidence,
                 guint least_filled_percent)
{
    if (f->sheet->tables->len >= MAX_TABLES || layout_table_is_drawing(f->sheet, box)) return FALSE;
    for (guint i = 0; i < f->others->len; i++)
        if (layout_rect_overlap(g_array_index(f->others, layout_rect, i), box) >
            0.5F * width_of(box) * (box.y1 - box.y0))
            return FALSE;
    layout_table_rules rules = rules_in(f, box);
    box = frame_trim(f, box, &rules);
    g_autoptr(GArray) segs = segs_in(f, box);
    layout_table_region table = {.box = box, .confidence = confidence};
    const gboolean captioned = layout_table_has_caption(f->sheet, box);
    const gboolean program = layout_table_is_program(f->work, f->sheet, segs, &rules, captioned);
    /* nor is what its inner rules frame */
    if (program) g_array_append_val(f->others, box);
    gboolean fine = !program && segs->len + layout_table_pictures(f->sheet, box) >= 4 &&
                    layout_grid_build(f->sheet, &table, &rules, segs);
    g_array_unref(rules.horizontal);
    g_array_unref(rules.vertical);
    if (!fine) return FALSE;
    guint places = table.n_rows * table.n_cols, filled = layout_table_filled(&table);
    guint steps = 0;
    for (guint i = 0; i < segs->len; i++)
        steps += layout_sheet_seg(f->sheet, g_array_index(segs, guint, i))->code != 0 ? 1 : 0;
    if (steps * 2 > segs->len || filled * 100 < places * least_filled_percent ||
        layout_table_is_prose(f->sheet, segs, &table) ||
        (confidence < 0.7F && layout_table_is_columns(f->sheet, segs)) ||
        layout_table_is_bibliography(&table) ||
        (!captioned && layout_table_is_plot(f->sheet, &table)) ||
        (!captioned && layout_table_is_stretched(&table)) || !layout_table_has_columns(&table) ||
        layout_table_is_legend(f->sheet, segs, box) || layout_contents_in(f->sheet, box)) {
        g_array_unref(table.cells);
        return FALSE;
    }
    int owner = (int)f->sheet->tables->len;
    for (guint i = 0; i < segs->len; i++) {
        layout_seg *seg = layout_sheet_seg(f->sheet, g_array_index(segs, guint, i));
        seg->role = LAYOUT_ROLE_TABLE;
        seg->owner = owner;
        table.box = layout_rect_join(table.box, seg->box);
    }
    g_array_append_val(f->sheet->tables, table);
    return TRUE;
}

static gboolean
in_table(const finder *f, float x, float y)
{
    for (guint i = 0; i < f->sheet->tables->len; i++) {
        layout_rect b = g_array_index(f->sheet->tables, layout_table_region, i).box;
        if (x > b.x0 - 2 && x < b.x1 + 2 && y > b.y0 - 2 && y < b.y1 + 2) return TRUE;
    }
    return FALSE;
}

/* ---- what stands between rules ---- */

typedef struct {
    guint n_segs, n_rows, n_multi, n_full; /* rows, rows of several pieces, full lines of prose */
    gboolean caption;
    gboolean
        panel; /* its first line is "(b) ..." over all columns: the next panel's or this one's caption */
} between;

/* Gaps within a segment that may be between cells set close to each other. */
static guint
wide_gaps(const finder *f, const layout_seg *seg)
{
    guint n = 0;
    for (guint w = seg->first_word + 1; w < seg->first_word + seg->n_words; w++) {
        const layout_word *word = layout_sheet_word(f->sheet, w);
        n += word->x0 - word[-1].x1 > 0.55F * seg->size_pt ? 1 : 0;
    }
    return n;
}

/* "(a) Lemmatized" across a table, not the label of one of its rows. */
static gboolean
starts_panel(const finder *f, const layout_seg *seg, layout_rect box)
{
    const char *at = f->sheet->text->str + seg->start;
    float middle = 0.5F * (seg->box.x0 + seg->box.x1);
    return seg->len > 4 && at[0] == '(' && g_ascii_islower(at[1]) && at[2] == ')' &&
           seg->box.x0 > box.x0 + 6 &&
           fabsf(middle - 0.5F * (box.x0 + box.x1)) < 0.06F * width_of(box);
}

static between
look_between(const finder *f, layout_rect box)
{
    between b = {0};
    g_autoptr(GArray) segs = segs_in(f, box);
    float baseline = -G_MAXFLOAT;
    guint in_row = 0;
    gboolean counted = FALSE;
    b.n_segs = segs->len;
    for (guint i = 0; i < f->sheet->captions->len && !b.caption; i++) {
        layout_rect c = g_array_index(f->sheet->captions, layout_caption_region, i).box;
        b.caption = layout_rect_overlap(c, box) > 0.5F * width_of(c) * (c.y1 - c.y0);
    }
    for (guint i = 0; i < segs->len; i++) {
        const layout_seg *seg = layout_sheet_seg(f->sheet, g_array_index(segs, guint, i));
        if (i == 0 && starts_panel(f, seg, box)) b.panel = TRUE;
        if (width_of(seg->box) > 0.85F * width_of(box) && seg->n_words >= 8) b.n_full++;
        if (seg->baseline - baseline > 0.4F * seg->size_pt) {
            b.n_rows++;
            in_row = 0;
            counted = FALSE;
        }
        in_row += 1 + wide_gaps(f, seg);
        if (!counted && in_row >= 2) {
            b.n_multi++;
            counted = TRUE;
        }
        baseline = seg->baseline;
    }
    return b;
}

/* ---- ruled ---- */

/* Is there a rule of this width between y0 and y1? */
static gboolean
rule_like(const finder *f, const layout_rule *rule, float y0, float y1)
{
    for (guint i = 0; i < f->rules.horizontal->len; i++) {
        const layout_rule *r = &g_array_index(f->rules.horizontal, layout_rule, i);
        if (r->y0 > y0 && r->y0 < y1 && fabsf(r->x0 - rule->x0) <= SAME_X_PT &&
            fabsf(r->x1 - rule->x1) <= SAME_X_PT)
            return TRUE;
    }
    return FALSE;
}

/* A table whose body is shaded has a rule of the same width above its header and below its foot. */
static layout_rect
extend_to_rules(const finder *f, layout_rect box)
{
    for (guint i = 0; i < f->rules.horizontal->len; i++) {
        const layout_rule *r = &g_array_index(f->rules.horizontal, layout_rule, i);
        if (fabsf(r->x0 - box.x0) > SAME_X_PT || fabsf(r->x1 - box.x1) > SAME_X_PT) continue;
        gboolean above = r->y0 < box.y0 - 3 && r->y0 > box.y0 - EXTEND_PT;
        gboolean below = r->y0 > box.y1 + 3 && r->y0 < box.y1 + EXTEND_PT;
        if (!above && !below) continue;
        between b = look_between(f, (layout_rect){box.x0 - 2, above ? r->y0 : box.y1, box.x1 + 2,
                                                  above ? box.y0 : r->y0});
        if (b.caption || b.n_full > 0 || b.n_multi == 0) continue;
        /* the next table's header has a rule above and one below */
        if (below && (rule_like(f, r, box.y1 + 3, r->y0 - 3) ||
                      rule_like(f, r, r->y1 + 3, r->y1 + EXTEND_PT)))
            continue;
        box.y0 = MIN(box.y0, r->y0);
        box.y1 = MAX(box.y1, r->y1);
    }
    return box;
}

/* Where every other row is shaded, the first or the last is not: the line next to the shades, if it has pieces of its
 * own that stand in line with those within. */
static layout_rect
extend_by_row(const finder *f, layout_rect box, gboolean below)
{
    const float far = 1.8F * f->work->leading_pt, y = below ? box.y1 : box.y0;
    for (guint i = 0; i < f->sheet->hrules->len; i++) {
        const layout_rule *r = &g_array_index(f->sheet->hrules, layout_rule, i);
        if (fabsf(r->y0 - y) < 3 &&
            layout_overlap_1d(r->x0, r->x1, box.x0, box.x1) > 0.8F * width_of(box))
            return box;
    }
    const layout_rect strip = {box.x0, below ? y : y - far, box.x1, below ? y + far : y};
    g_autoptr(GArray) next = segs_in(f, strip);
    g_autoptr(GArray) within = segs_in(f, box);
    guint pieces = 0, lined = 0;
    float baseline = 0, size = 0;
    for (guint i = 0; i < next->len; i++) {
        /* one line of the strip: the one nearest to the box */
        guint at = g_array_index(next, guint, below ? i : next->len - 1 - i);
        const layout_seg *seg = layout_sheet_seg(f->sheet, at);
        if (pieces == 0) {
            baseline = seg->baseline;
            size = seg->size_pt;
        }
        if (fabsf(seg->baseline - baseline) > 0.4F * size) break;
        if (seg->n_words > 7) return box;
        pieces++;
        for (guint k = 0; k < within->len; k++)
            if (layout_table_in_line(
                    seg->box, layout_sheet_seg(f->sheet, g_array_index(within, guint, k))->box)) {
                lined++;
                break;
            }
    }
    if (pieces < 2 || lined < 2 || 2 * lined < pieces) return box;
    box.y0 = MIN(box.y0, baseline - size);
    box.y1 = MAX(box.y1, baseline + 0.4F * size);
    return box;
}

/* Shades of the same width, at most an unshaded row apart, are of one table. n: how many shades. */
static layout_rect
stripes_join(const finder *f, layout_rect box, guint *n)
{
    const float row = 1.8F * f->work->leading_pt;
    *n = 0;
    for (guint found = 1; found > *n;) {
        *n = found;
        found = 0;
        for (guint i = 0; i < f->sheet->fills->len; i++) {
            const layout_fill *fill = &g_array_index(f->sheet->fills, layout_fill, i);
            const layout_rect b = fill->box;
            if (fill->outline || b.x0 < box.x0 - SAME_X_PT || b.x1 > box.x1 + SAME_X_PT ||
                b.y0 > box.y1 + row || b.y1 < box.y0 - row)
                continue;
            found++;
            box.y0 = MIN(box.y0, b.y0);
            box.y1 = MAX(box.y1, b.y1);
        }
    }
    return extend_by_row(f, extend_by_row(f, box, FALSE), TRUE);
}

/* The shades that stand beside each other with this one, cell by cell, as one. */
static layout_rect
stripe_at(const finder *f, guint own)
{
    layout_rect box = g_array_index(f->sheet->fills, layout_fill, own).box;
    for (gboolean grew = TRUE; grew;) {
        grew = FALSE;
        for (guint i = 0; i < f->sheet->fills->len; i++) {
            const layout_rect b = g_array_index(f->sheet->fills, layout_fill, i).box;
            if (fabsf(b.y0 - box.y0) > 1 || fabsf(b.y1 - box.y1) > 1 || b.x0 > box.x1 + 3 ||
                b.x1 < box.x0 - 3 || (b.x0 >= box.x0 && b.x1 <= box.x1))
                continue;
            box.x0 = MIN(box.x0, b.x0);
            box.x1 = MAX(box.x1, b.x1);
            grew = TRUE;
        }
    }
    return box;
}

/* Every other row shaded, and no rules. */
static void
striped_find(finder *f)
{
    if (f->sheet->fills->len > MAX_STRIPES) return;
    for (guint i = 0; i < f->sheet->fills->len; i++) {
        const layout_fill *fill = &g_array_index(f->sheet->fills, layout_fill, i);
        const layout_rect b = stripe_at(f, i);
        guint n;
        if (fill->outline || width_of(b) < 50 || b.y1 - b.y0 > 4 * f->work->leading_pt ||
            in_table(f, 0.5F * (b.x0 + b.x1), 0.5F * (b.y0 + b.y1)))
            continue;
        const layout_rect box = stripes_join(f, b, &n);
        if (n >= 2) layout_table_try(f, box, 0.6F, 45);
    }
}

static void
ruled_find(finder *f)
{
    for (guint i = 0; i < f->sheet->clusters->len; i++) {
        const layout_cluster *c = &g_array_index(f->sheet->clusters, layout_cluster, i);
        guint straight = c->n_rules + 2 * c->n_rects;
        if (straight < 4 || c->n_curves > straight / 4) continue;
        if (c->n_images > straight / 8 && !layout_table_has_caption(f->sheet, c->box)) continue;
        if (width_of(c->box) < 50 || c->box.y1 - c->box.y0 < 14) continue;
        layout_table_rules in = rules_in(f, c->box);
        guint v = 0, h = 0;
        for (guint k = 0; k < in.vertical->len; k++) {
            const layout_rule *r = &g_array_index(in.vertical, layout_rule, k);
            v += r->y1 - r->y0 > 6 ? 1 : 0;
        }
        for (guint k = 0; k < in.horizontal->len; k++) {
            const layout_rule *r = &g_array_index(in.horizontal, layout_rule, k);
            h += r->x1 - r->x0 > 15 ? 1 : 0;
        }
        g_array_unref(in.horizontal);
        g_array_unref(in.vertical);
        if (h < 2 || v < 1) continue;
        layout_rect box = extend_to_rules(f, c->box);
        guint n;
        if (c->n_rects >= 2 && c->n_rules == 0) box = stripes_join(f, box, &n);
        layout_table_try(f, box, 0.9F, 25);
    }
}

/* ---- booktabs ---- */

/* Above the rule over the body the header may have one over some of its columns only, up to the right edge: the
 * corner over the labels is left open. */
static float
open_corner(const finder *f, const layout_rule *top)
{
    for (guint i = 0; i < f->rules.horizontal->len; i++) {
        const layout_rule *r = &g_array_index(f->rules.horizontal, layout_rule, i);
        if (r->y0 > top->y0 - 6) break;
        if (r->y0 < top->y0 - EXTEND_PT || fabsf(r->x1 - top->x1) > SAME_X_PT ||
            r->x0 < top->x0 + SAME_X_PT || r->x1 - r->x0 < 0.4F * (top->x1 - top->x0))
            continue;
        between b = look_between(f, (layout_rect){top->x0 - 2, r->y0, top->x1 + 2, top->y0});
        if (!b.caption && b.n_full == 0 && b.n_multi > 0 && b.n_segs >= 3) return r->y0;
    }
    return top->y0;
}

static void
booktabs_find(finder *f)
{
    const GArray *rules = f->rules.horizontal;
    for (guint i = 0; i < rules->len; i++) {
        layout_rule top = g_array_index(rules, layout_rule, i);
        if (top.x1 - top.x0 < 40 || in_table(f, 0.5F * (top.x0 + top.x1), top.y0)) continue;
        float last_y = top.y1, end_y = 0;
        guint multi = 0, rows = 0, n_rules = 1;
        guint pending_multi = 0, pending_rows = 0;
        for (guint k = i + 1; k < rules->len && k < i + CHAIN_AHEAD; k++) {
            const layout_rule *r = &g_array_index(rules, layout_rule, k);
            if (fabsf(r->x0 - top.x0) > SAME_X_PT || fabsf(r->x1 - top.x1) > SAME_X_PT) continue;
            between b = look_between(f, (layout_rect){top.x0 - 2, last_y, top.x1 + 2, r->y0});
            /* a header holds no sentences: the rule above is the page's, not the table's */
            if (b.caption || (b.n_full > 1 && (n_rules == 1 || b.n_full * 3 > b.n_rows))) break;
            if (b.panel && n_rules >= 2 && b.n_rows <= 2) break;
            if (b.n_segs == 0 && r->y0 - last_y > 30) break;
            pending_multi += b.n_multi;
            pending_rows += b.n_rows;
            last_y = r->y1;
            n_rules++;
            multi = pending_multi;
            rows = pending_rows;
            end_y = r->y1;
        }
        if (n_rules < 2 || rows < 2 || multi < 1 || multi * 3 < rows) continue;
        if (n_rules == 2 && multi < 2) continue;
        const float y0 = open_corner(f, &top);
        layout_table_try(f, (layout_rect){top.x0 - 2, y0 - 1, top.x1 + 2, end_y + 1}, 0.85F, 30);
    }
}

/* Does a bibliography begin on this sheet, or go on there, which its years tell? */
static gboolean
has_bibliography(layout_work *work, const layout_sheet *sheet)
{
    for (guint i = 0; i < sheet->segs->len; i++) {
        const layout_seg *seg = layout_sheet_seg(sheet, i);
        if (seg->len < 7 || seg->len > 40 || seg->role != LAYOUT_ROLE_TEXT) continue;
        g_autofree char *text = g_strndup(sheet->text->str + seg->start, seg->len);
        if (!layout_heading_is_references(text)) continue;
        work->bibliography = TRUE;
        return TRUE;
    }
    if (!work->bibliography) return FALSE;
    guint years = 0;
    for (const char *at = sheet->text->str; *at != '\0'; at++) {
        const gsize digits = strspn(at, "0123456789");
        if (digits == 0) continue;
        years += digits == 4 && (at[0] == '1' || at[0] == '2') && at[4] != '\0' &&
                 strchr(".,;)", at[4]) != NULL;
        at += digits - 1;
    }
    return years >= 8;
}

void
layout_tables_find(layout_work *work, layout_sheet *sheet)
{
    finder f = {.work = work, .sheet = sheet};
    if (sheet->hrules->len > LAYOUT_MAX_RULES || sheet->vrules->len > LAYOUT_MAX_RULES ||
        sheet->segs->len < 4)
        return;
    fill_strips strips;
    fill_strips_make(&strips, sheet->fills);
    f.rules.horizontal = rules_join(sheet->hrules, &strips, FALSE);
    f.rules.vertical = rules_join(sheet->vrules, &strips, TRUE);
    g_free(strips.at);
    f.others = g_array_new(FALSE, FALSE, sizeof(layout_rect));
    f.by_y = g_new(guint, sheet->segs->len + 1);
    for (guint i = 0; i < sheet->segs->len; i++) {
        const layout_seg *seg = layout_sheet_seg(sheet, i);
        if (seg->turn == 0 && seg->role == LAYOUT_ROLE_TEXT) f.by_y[f.n_segs++] = i;
    }
    g_qsort_with_data(f.by_y, (gint)f.n_segs, sizeof(guint), layout_seg_compare, sheet);
    layout_contents_announced(sheet, f.by_y, f.n_segs, f.others);
    f.cards = layout_cards_find(sheet, work->body_pt);
    f.bibliography = has_bibliography(work, sheet);
    ruled_find(&f);
    striped_find(&f);
    booktabs_find(&f);
    layout_tables_find_unruled(&f, 0);
    if (work->two_columns) layout_tables_find_unruled(&f, 1);
    g_array_unref(f.rules.horizontal);
    g_array_unref(f.rules.vertical);
    g_array_unref(f.cards);
    g_array_unref(f.others);
    g_free(f.by_y);
}

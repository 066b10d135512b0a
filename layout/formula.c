/* What rules, radicals and braces hold together, the narrowest first: a fraction inside another's numerator is one
 * item by the time the outer one is looked at. TeX sets the parts of a fraction centred on its rule, the
 * baselines about 0.68 em above and 0.69 em below the axis (The TeXbook, appendix G, rules 15 and 11). */
#include "layout/formula.h"

#include <math.h>
#include <string.h>

#define MAX_MARKS 1500 /* of one formula: looking at pairs of them has to end */
#define MAX_RULES 64

typedef struct {
    layout_rule rule;
    guint item; /* the radical or brace it belongs to, G_MAXUINT for a bar */
} structure;

static int
compare_structure(gconstpointer a, gconstpointer b)
{
    const structure *x = a, *y = b;
    float wx = x->rule.x1 - x->rule.x0, wy = y->rule.x1 - y->rule.x0;
    if (wx != wy) return wx < wy ? -1 : 1;
    if (x->rule.y0 != y->rule.y0) return x->rule.y0 < y->rule.y0 ? -1 : 1;
    return (x->rule.x0 > y->rule.x0) - (x->rule.x0 < y->rule.x0);
}

/* ---- collecting ---- */

typedef struct {
    float x0, x1, y; /* the rule */
    gboolean above;  /* which side of it */
} side;

static gboolean
is_within(const formula_item *item, const side *s)
{
    float middle = formula_middle(item), slack = 0.05F * item->size;
    return item->kind != FORMULA_GONE && middle > s->x0 - slack && middle < s->x1 + slack &&
           item->x1 - item->x0 < s->x1 - s->x0 + 2 * item->size &&
           (s->above ? item->y1 < s->y + 0.3F * item->size && item->y0 < s->y - 0.1F * item->size
                     : item->y0 > s->y - 0.3F * item->size && item->y1 > s->y + 0.1F * item->size);
}

/* Is another bar between the item and this one? */
static gboolean
is_behind_a_rule(const formula_builder *b, const formula_item *item, const side *s)
{
    float middle = formula_middle(item);
    for (guint r = 0; r < b->rules->len; r++) {
        const layout_rule *rule = &g_array_index(b->rules, layout_rule, r);
        if (middle < rule->x0 || middle > rule->x1) continue;
        float y = 0.5F * (rule->y0 + rule->y1);
        if (s->above ? y < s->y - 0.8F && item->y0 < y - 0.2F * item->size
                     : y > s->y + 0.8F && item->y1 > y + 0.2F * item->size)
            return TRUE;
    }
    return FALSE;
}

/* Appends the indices of what stands on one side of a rule and belongs to it. */
static void
side_collect(const formula_builder *b, const GArray *items, const side *s, GArray *found)
{
    float nearest = G_MAXFLOAT, em = 0;
    for (guint i = 0; i < items->len; i++) {
        const formula_item *item = formula_at(items, i);
        if (!is_within(item, s) || is_behind_a_rule(b, item, s)) continue;
        float gap = s->above ? s->y - item->y1 : item->y0 - s->y;
        if (gap < nearest) {
            nearest = gap;
            em = item->size;
        }
    }
    if (em <= 0 || nearest > 0.75F * em) return;
    /* a raised script may be nearer than its letter */
    for (guint i = 0; i < items->len; i++) {
        const formula_item *item = formula_at(items, i);
        if (!is_within(item, s) || is_behind_a_rule(b, item, s)) continue;
        const float gap = s->above ? s->y - item->y1 : item->y0 - s->y;
        if (gap < nearest + 0.45F * item->size) em = MAX(em, MIN(item->size, 1.6F * em));
    }
    float top = G_MAXFLOAT, bottom = -G_MAXFLOAT;
    g_autofree guint8 *taken = g_new0(guint8, items->len);
    for (guint pass = 0; pass < 2; pass++) {
        for (guint i = 0; i < items->len; i++) {
            const formula_item *item = formula_at(items, i);
            if (taken[i] || !is_within(item, s) || is_behind_a_rule(b, item, s)) continue;
            float off = s->above ? s->y - item->baseline : item->baseline - s->y;
            float gap = s->above ? s->y - item->y1 : item->y0 - s->y;
            if (off > (s->above ? 1.1F : 1.5F) * em && gap > 0.45F * em) continue;
            taken[i] = 1;
            em = MAX(em, MIN(item->size, 1.6F * em));
            top = MIN(top, item->y0);
            bottom = MAX(bottom, item->y1);
        }
    }
    /* scripts, limits and whatever else touches that */
    for (gboolean grown = TRUE; grown;) {
        grown = FALSE;
        for (guint i = 0; i < items->len; i++) {
            const formula_item *item = formula_at(items, i);
            if (taken[i] || !is_within(item, s) || is_behind_a_rule(b, item, s)) continue;
            float gap = MAX(top - item->y1, item->y0 - bottom);
            gboolean small = item->size < 0.87F * em;
            if (gap > (small ? 0.25F : -0.3F) * em) continue;
            taken[i] = 1;
            top = MIN(top, item->y0);
            bottom = MAX(bottom, item->y1);
            grown = TRUE;
        }
    }
    for (guint i = 0; i < items->len; i++)
        if (taken[i]) g_array_append_val(found, i);
}

/* Moves the named items out of items into a collection of their own. */
static GArray *
items_take(GArray *items, const GArray *indices, formula_item *hull)
{
    GArray *taken = g_array_new(FALSE, FALSE, sizeof(formula_item));
    for (guint k = 0; k < indices->len; k++) {
        formula_item *item = formula_at(items, g_array_index(indices, guint, k));
        hull->x0 = MIN(hull->x0, item->x0);
        hull->x1 = MAX(hull->x1, item->x1);
        hull->y0 = MIN(hull->y0, item->y0);
        hull->y1 = MAX(hull->y1, item->y1);
        hull->size = MAX(hull->size, item->size);
        g_array_append_vals(taken, item, 1);
        item->kind = FORMULA_GONE;
    }
    return taken;
}

static char *
items_latex(formula_builder *b, GArray *items, const GArray *indices, formula_item *hull)
{
    g_autoptr(GArray) taken = items_take(items, indices, hull);
    return formula_latex_of(b, taken);
}

static void
composite_add(formula_builder *b, GArray *items, formula_item *hull, const char *latex)
{
    hull->kind = FORMULA_ORDINARY;
    hull->latex = formula_keep(b, latex);
    g_array_append_vals(items, hull, 1);
    g_array_sort(items, formula_compare_x);
}

/* ---- structures ---- */

/* Is the rule drawn over what is below it, close, while what is above is of the line above? TeX keeps both sides of a
 * fraction at like distances, and 0.12 em between a letter and the line over it. */
static gboolean
is_over_alone(const GArray *items, const GArray *above, const GArray *below, float y)
{
    float up = G_MAXFLOAT, down = G_MAXFLOAT, up_size = 0, down_size = 0;
    for (guint k = 0; k < above->len; k++) {
        const formula_item *item = formula_at(items, g_array_index(above, guint, k));
        up = MIN(up, y - item->y1);
        up_size = MAX(up_size, item->size);
    }
    for (guint k = 0; k < below->len; k++) {
        const formula_item *item = formula_at(items, g_array_index(below, guint, k));
        if (item->tall || item->kind == FORMULA_OPEN || item->kind == FORMULA_CLOSE) return FALSE;
        if (item->size > down_size) down = G_MAXFLOAT; /* of its scripts so far */
        down_size = MAX(down_size, item->size);
        if (item->size >= down_size) down = MIN(down, item->y0 - y);
    }
    if (above->len == 0 || below->len == 0 || fabsf(up_size - down_size) > 0.1F * up_size)
        return FALSE;
    return up > 0.4F * up_size && down < 0.14F * up_size;
}

static gboolean
bar_reduce(formula_builder *b, GArray *items, const layout_rule *rule)
{
    float y = 0.5F * (rule->y0 + rule->y1);
    g_autoptr(GArray) above = g_array_new(FALSE, FALSE, sizeof(guint));
    g_autoptr(GArray) below = g_array_new(FALSE, FALSE, sizeof(guint));
    side_collect(b, items, &(side){rule->x0, rule->x1, y, TRUE}, above);
    side_collect(b, items, &(side){rule->x0, rule->x1, y, FALSE}, below);
    if (above->len == 0 && below->len == 0) return FALSE;
    if (is_over_alone(items, above, below, y)) g_array_set_size(above, 0);
    formula_item hull = {.x0 = rule->x0, .x1 = rule->x1, .y0 = y, .y1 = y, .atom = TRUE};
    if (above->len > 0 && below->len > 0) {
        g_autofree char *up = items_latex(b, items, above, &hull);
        g_autofree char *down = items_latex(b, items, below, &hull);
        hull.baseline = y + 0.25F * hull.size;
        hull.axis = y;
        g_autofree char *latex = g_strdup_printf("\\frac{%s}{%s}", up, down);
        composite_add(b, items, &hull, latex);
        return TRUE;
    }
    const GArray *part = above->len > 0 ? above : below;
    hull.baseline = formula_at(items, g_array_index(part, guint, 0))->baseline;
    for (guint k = 0; k < part->len; k++) {
        const formula_item *item = formula_at(items, g_array_index(part, guint, k));
        /* a part of a fraction is farther from the rule than a letter from the line over it */
        float gap = above->len > 0 ? y - item->baseline : item->y0 - y;
        if (gap > 0.62F * item->size) return FALSE;
        if (item->size > hull.size) hull.baseline = item->baseline;
        hull.size = MAX(hull.size, item->size);
    }
    g_autofree char *inner = items_latex(b, items, part, &hull);
    g_autofree char *latex =
        g_strdup_printf("%s{%s}", above->len > 0 ? "\\underline" : "\\overline", inner);
    composite_add(b, items, &hull, latex);
    return TRUE;
}

/* The small digit in the crook of a radical sign. */
static int
root_index(const GArray *items, const formula_item *radical)
{
    for (guint i = 0; i < items->len; i++) {
        const formula_item *item = formula_at(items, i);
        if (item->kind == FORMULA_GONE || item->size > 0.75F * radical->size) continue;
        float middle = formula_middle(item);
        if (item->x1 > radical->x0 + 0.12F * radical->size &&
            middle > radical->x0 - 0.35F * radical->size &&
            middle < radical->x0 + 0.55F * (radical->x1 - radical->x0) &&
            item->baseline < 0.5F * (radical->y0 + radical->y1) + 0.15F * radical->size &&
            item->baseline > radical->y0)
            return (int)i;
    }
    return LAYOUT_NONE;
}

static gboolean
radical_reduce(formula_builder *b, GArray *items, guint index, const layout_rule *rule)
{
    formula_item radical = *formula_at(items, index);
    g_autoptr(GArray) inside = g_array_new(FALSE, FALSE, sizeof(guint));
    const float slack = 0.05F * radical.size;
    formula_item hull = radical;
    hull.size = 0;
    for (guint i = 0; i < items->len; i++) {
        const formula_item *item = formula_at(items, i);
        float middle = formula_middle(item), height = 0.5F * (item->y0 + item->y1);
        if (i == index || item->kind == FORMULA_GONE || middle < rule->x0 - slack ||
            middle > rule->x1 + slack || height < rule->y0 || height > radical.y1 + 4 * slack)
            continue;
        if (item->size > hull.size) {
            hull.size = item->size;
            hull.baseline = item->baseline;
        }
        g_array_append_val(inside, i);
    }
    if (inside->len == 0) return FALSE;
    int degree = root_index(items, &radical);
    g_autofree char *inner = items_latex(b, items, inside, &hull);
    formula_at(items, index)->kind = FORMULA_GONE;
    g_autofree char *latex = NULL;
    if (degree >= 0 && formula_at(items, degree)->kind != FORMULA_GONE) {
        formula_at(items, degree)->kind = FORMULA_GONE;
        latex = g_strdup_printf("\\sqrt[%s]{%s}", formula_at(items, degree)->latex, inner);
    } else {
        latex = g_strdup_printf("\\sqrt{%s}", inner);
    }
    hull.x1 = MAX(hull.x1, rule->x1);
    hull.tall = FALSE;
    hull.ch = 0;
    composite_add(b, items, &hull, latex);
    return TRUE;
}

static gboolean
brace_reduce(formula_builder *b, GArray *items, guint index)
{
    formula_item hull = *formula_at(items, index);
    const gboolean over = hull.kind == FORMULA_BRACE_OVER;
    const side inner = {hull.x0, hull.x1, over ? hull.y1 : hull.y0, !over};
    g_autoptr(GArray) base = g_array_new(FALSE, FALSE, sizeof(guint));
    formula_at(items, index)->kind = FORMULA_GONE;
    side_collect(b, items, &inner, base);
    if (base->len == 0) return FALSE;
    float size = 0;
    for (guint k = 0; k < base->len; k++) {
        const formula_item *item = formula_at(items, g_array_index(base, guint, k));
        if (item->size <= size) continue;
        size = item->size;
        hull.baseline = item->baseline;
    }
    hull.size = 0;
    hull.ch = 0;
    hull.tall = FALSE;
    hull.labelled = TRUE;
    g_autofree char *inside = items_latex(b, items, base, &hull);
    g_autofree char *latex =
        g_strdup_printf("%s{%s}", over ? "\\overbrace" : "\\underbrace", inside);
    composite_add(b, items, &hull, latex);
    return TRUE;
}

/* The rule over what a radical covers: it starts where the sign ends. */
static int
vinculum_of(const formula_builder *b, const formula_item *radical)
{
    int best = LAYOUT_NONE;
    float least = 0.6F * radical->size;
    for (guint r = 0; r < b->rules->len; r++) {
        const layout_rule *rule = &g_array_index(b->rules, layout_rule, r);
        if (fabsf(rule->x0 - radical->x1) > 0.2F * radical->size) continue;
        float off = fabsf(0.5F * (rule->y0 + rule->y1) - radical->y0);
        if (off < least) {
            least = off;
            best = (int)r;
        }
    }
    return best;
}

/* Indices of items change as they are sorted anew, so structures know theirs by place. */
static int
item_near(const GArray *items, const formula_item *like)
{
    for (guint i = 0; i < items->len; i++) {
        const formula_item *item = formula_at(items, i);
        if (item->kind == like->kind && item->x0 == like->x0 && item->baseline == like->baseline)
            return (int)i;
    }
    return LAYOUT_NONE;
}

static void
structures_reduce(formula_builder *b, GArray *items)
{
    g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(structure));
    g_autoptr(GArray) owners = g_array_new(FALSE, FALSE, sizeof(formula_item));
    for (guint i = 0; i < items->len; i++) {
        const formula_item *item = formula_at(items, i);
        structure s = {.rule = {.x0 = item->x0, .x1 = item->x1, .y0 = item->y0, .y1 = item->y0},
                       .item = owners->len};
        if (item->kind == FORMULA_RADICAL) {
            int rule = vinculum_of(b, item);
            if (rule < 0) {
                b->n_doubts++;
                continue;
            }
            s.rule = g_array_index(b->rules, layout_rule, rule);
            g_array_remove_index(b->rules, (guint)rule);
        } else if (item->kind != FORMULA_BRACE_OVER && item->kind != FORMULA_BRACE_UNDER) {
            continue;
        }
        g_array_append_val(all, s);
        g_array_append_vals(owners, item, 1);
    }
    for (guint r = 0; r < b->rules->len; r++) {
        structure s = {g_array_index(b->rules, layout_rule, r), G_MAXUINT};
        g_array_append_val(all, s);
    }
    g_array_sort(all, compare_structure);
    for (guint k = 0; k < all->len; k++) {
        const structure *s = &g_array_index(all, structure, k);
        if (s->item == G_MAXUINT) {
            for (guint r = 0; r < b->rules->len; r++)
                if (memcmp(&g_array_index(b->rules, layout_rule, r), &s->rule,
                           sizeof(layout_rule)) == 0) {
                    g_array_remove_index(b->rules, r);
                    break;
                }
            if (!bar_reduce(b, items, &s->rule)) b->n_doubts++;
            continue;
        }
        const formula_item *owner = formula_at(owners, s->item);
        int index = item_near(items, owner);
        if (index < 0) continue;
        gboolean done = owner->kind == FORMULA_RADICAL
                            ? radical_reduce(b, items, (guint)index, &s->rule)
                            : brace_reduce(b, items, (guint)index);
        if (!done) b->n_doubts++;
    }
}

char *
layout_formula_build(const layout_work *work, const layout_mark *marks, guint n,
                     const layout_rule *rules, guint n_rules, float *confidence)
{
    *confidence = 0;
    if (n == 0 || n > MAX_MARKS) return NULL;
    formula_builder b = {.strings = g_string_chunk_new(1024),
                         .rules = g_array_new(FALSE, FALSE, sizeof(layout_rule))};
    g_array_append_vals(b.rules, rules, MIN(n_rules, MAX_RULES));
    g_autoptr(GArray) items = g_array_new(FALSE, FALSE, sizeof(formula_item));
    formula_items_make(&b, work, marks, n, items);
    structures_reduce(&b, items);
    char *latex = formula_latex_of(&b, items);
    float unknown = (float)b.n_unknown / (float)MAX(b.n_glyphs, 1);
    *confidence = CLAMP(1 - 3 * unknown, 0, 1) / (1 + 0.15F * (float)b.n_doubts);
    g_array_unref(b.rules);
    g_string_chunk_free(b.strings);
    if (latex[0] == '\0') g_clear_pointer(&latex, g_free);
    return latex;
}

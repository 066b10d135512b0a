/* One line of a formula: its symbols from left to right, each with its scripts, delimiters that stretch, words and
 * dots. */
#include "layout/formula.h"

#include <math.h>
#include <string.h>

typedef struct {
    formula_builder *b;
    GString *out;
    float em, baseline;
} line;

static gboolean
is_script(const line *l, const formula_item *item, const formula_item *base)
{
    if (item->size > FORMULA_SCRIPT * l->em) return FALSE;
    /* a fraction in a line of text is small and yet no script: its bar is on the line's axis */
    if (item->axis > 0 && fabsf(item->axis + 0.25F * l->em - l->baseline) < 0.09F * l->em)
        return FALSE;
    if (base->kind == FORMULA_OPERATOR || base->tall) return TRUE;
    float dy = item->baseline - l->baseline;
    return dy < -0.12F * l->em || dy > 0.05F * l->em || item->size < 0.6F * l->em;
}

static gboolean
is_raised(const line *l, const formula_item *item, const formula_item *base)
{
    if (base->kind == FORMULA_OPERATOR || base->tall)
        return 0.5F * (item->y0 + item->y1) < 0.5F * (base->y0 + base->y1);
    return item->baseline < l->baseline - 0.06F * l->em;
}

/* Scripts from items[from] to items[to]: which are up and which down. Smaller ones belong to the one before
 * them. */
static void
scripts_divide(const line *l, const GArray *items, guint from, guint to, const formula_item *base,
               GArray *up, GArray *down)
{
    float em = 0;
    for (guint i = from; i < to; i++)
        em = MAX(em, formula_is_large(formula_at(items, i)) ? 0 : formula_at(items, i)->size);
    const formula_item *last[2] = {NULL, NULL};
    for (guint i = from; i < to; i++) {
        const formula_item *item = formula_at(items, i);
        gboolean raised = is_raised(l, item, base);
        if (item->size < FORMULA_SCRIPT * em && (last[0] != NULL || last[1] != NULL)) {
            float cost[2] = {G_MAXFLOAT, G_MAXFLOAT};
            for (guint k = 0; k < 2; k++)
                if (last[k] != NULL)
                    cost[k] = fabsf(item->x0 - last[k]->x1) +
                              fabsf(0.5F * (item->y0 + item->y1 - last[k]->y0 - last[k]->y1));
            raised = cost[0] <= cost[1];
        } else {
            last[raised ? 0 : 1] = item;
        }
        g_array_append_vals(raised ? up : down, item, 1);
    }
}

static void
scripts_put(line *l, const GArray *items, guint from, guint to, const formula_item *base)
{
    g_autoptr(GArray) up = g_array_new(FALSE, FALSE, sizeof(formula_item));
    g_autoptr(GArray) down = g_array_new(FALSE, FALSE, sizeof(formula_item));
    scripts_divide(l, items, from, to, base, up, down);
    while (up->len > 0 && formula_at(up, 0)->ch >= 0x2032 && formula_at(up, 0)->ch <= 0x2034) {
        g_string_append_len(l->out, "'''", (gssize)(formula_at(up, 0)->ch - 0x2031));
        g_array_remove_index(up, 0);
    }
    /* of a tensor the lower ones may come behind the upper ones */
    if (up->len > 0 && down->len > 0 &&
        formula_at(down, 0)->x0 > formula_at(up, up->len - 1)->x1 - 0.05F * l->em) {
        g_autofree char *first = formula_part_latex(l->b, up);
        g_autofree char *second = formula_part_latex(l->b, down);
        g_string_append_printf(l->out, "^{%s}{}_{%s}", first, second);
        return;
    }
    if (down->len > 0) {
        g_autofree char *latex = formula_part_latex(l->b, down);
        g_string_append_printf(l->out, "_{%s}", latex);
    }
    if (up->len > 0) {
        g_autofree char *latex = formula_part_latex(l->b, up);
        g_string_append_printf(l->out, "^{%s}", latex);
    }
}

static gboolean
is_delimiter(const formula_item *item)
{
    return item->ch != 0 && (item->kind == FORMULA_OPEN || item->kind == FORMULA_CLOSE ||
                             item->ch == '|' || item->ch == 0x2225 || item->ch == '/');
}

/* Is the tall delimiter at i one of a pair in this row? */
static gboolean
is_paired(const line *l, const GArray *items, guint i)
{
    const formula_item *item = formula_at(items, i);
    int depth = 0, step = item->kind == FORMULA_OPEN ? 1 : -1;
    if (item->kind != FORMULA_OPEN && item->kind != FORMULA_CLOSE) return FALSE;
    for (int k = (int)i; k >= 0 && k < (int)items->len; k += step) {
        const formula_item *other = formula_at(items, k);
        if (!other->tall || other->ch == 0 || is_script(l, other, other)) continue;
        if (other->kind == FORMULA_OPEN) depth += step;
        if (other->kind == FORMULA_CLOSE) depth -= step;
        if (depth == 0) return TRUE;
    }
    return FALSE;
}

/* A large delimiter: one that grows with what it encloses, or of a fixed height: 1.2, 1.8, 2.4 and 3 em are the
 * steps of TeX's fonts. */
static void
delimiter_put(line *l, const GArray *items, guint i)
{
    static const char *const sizes[] = {"\\big", "\\Big", "\\bigg", "\\Bigg"};
    const formula_item *item = formula_at(items, i);
    float height = (item->y1 - item->y0) / MAX(l->em, 1);
    guint k = height < 1.5F ? 0 : height < 2.1F ? 1 : height < 2.7F ? 2 : 3;
    if (is_paired(l, items, i))
        formula_put(l->out, item->kind == FORMULA_OPEN ? "\\left" : "\\right");
    else
        formula_put(l->out, sizes[k]);
    formula_put(l->out, item->latex);
}

/* A word before a bracket is a name, "Var(x)", unless it joins two formulas: "for (x, y)". */
static gboolean
names_operator(const char *command, const char *word)
{
    static const char *const joints[] = {"if",   "for", "and",  "or", "where", "with",
                                         "when", "is",  "that", "as", "in",    "by",
                                         "of",   "on",  "such", "to", "from",  "let"};
    if (strcmp(command, "\\text") != 0) return FALSE;
    for (guint i = 0; i < G_N_ELEMENTS(joints); i++)
        if (g_ascii_strcasecmp(word, joints[i]) == 0) return FALSE;
    for (; *word != '\0'; word++)
        if (!g_ascii_isalpha(*word)) return FALSE;
    return TRUE;
}

/* Words from items[i] on: they make one text. Returns the index behind it. */
static guint
text_put(line *l, const GArray *items, guint i)
{
    const formula_item *first = formula_at(items, i);
    const guint first_index = i;
    const char *brace = strchr(first->latex, '{');
    g_autofree char *command = g_strndup(first->latex, (gsize)(brace - first->latex));
    g_autoptr(GString) text = g_string_new(NULL);
    gsize len = strlen(brace);
    g_string_append_len(text, brace + 1, (gssize)len - 2);
    float end = first->x1;
    guint n_words = 1;
    for (i++; i < items->len; i++, n_words++) {
        const formula_item *next = formula_at(items, i);
        gboolean word = next->kind == FORMULA_TEXT && next->font == first->font;
        gboolean letter = next->ch < 0x80 && g_ascii_isalpha((char)next->ch) && next->ch != 0 &&
                          next->font == first->font && next->x0 - end < 0.6F * l->em;
        if ((!word && !letter) || is_script(l, next, first)) break;
        float gap = next->x0 - end;
        if (gap > 1.5F * l->em) break;
        if (gap > 0.12F * l->em) g_string_append_c(text, ' ');
        if (word) {
            const char *inner = strchr(next->latex, '{');
            g_string_append_len(text, inner + 1, (gssize)strlen(inner) - 2);
        } else {
            g_string_append_c(text, (char)next->ch);
        }
        end = next->x1;
    }
    if (n_words == 1 && i < items->len && names_operator(command, text->str) &&
        formula_at(items, i)->kind == FORMULA_OPEN &&
        formula_at(items, i)->x0 - end < 0.5F * l->em) {
        g_autofree char *name = g_strdup_printf("\\operatorname{%s}", text->str);
        formula_put(l->out, name);
        return i;
    }
    /* LaTeX sets no blanks between text and mathematics by itself */
    const float before = first_index > 0 ? first->x0 - formula_at(items, first_index - 1)->x1 : 0;
    const float behind = i < items->len ? formula_at(items, i)->x0 - end : 0;
    const gboolean led = before > 0.15F * l->em && before < 0.9F * l->em;
    const gboolean followed = behind > 0.15F * l->em && behind < 0.9F * l->em;
    g_autofree char *whole =
        g_strdup_printf("%s{%s%s%s}", command, led ? " " : "", text->str, followed ? " " : "");
    formula_put(l->out, whole);
    return i;
}

/* Dots that were set one by one: how many items make them up. */
static guint
dots_put(line *l, const GArray *items, guint i)
{
    const formula_item *first = formula_at(items, i);
    gboolean centred = first->ch == 0x22C5 || first->ch == 0xB7 || first->ch == 0x2219;
    if (first->ch != '.' && !centred) return 0;
    guint n = 1;
    while (n < 3 && i + n < items->len && formula_at(items, i + n)->ch == first->ch &&
           formula_at(items, i + n)->x0 - formula_at(items, i + n - 1)->x1 < 0.4F * l->em)
        n++;
    if (n < 3) return 0;
    formula_put(l->out, centred ? "\\cdots" : "\\ldots");
    return 3;
}

/* Integrals that overlap: how many. */
static guint
integrals_put(line *l, const GArray *items, guint i)
{
    guint n = 1;
    if (formula_at(items, i)->ch != 0x222B) return 0;
    while (n < 3 && i + n < items->len && formula_at(items, i + n)->ch == 0x222B &&
           formula_at(items, i + n)->x0 - formula_at(items, i + n - 1)->x1 < 0.2F * l->em)
        n++;
    if (n == 1) return 0;
    formula_put(l->out, n == 2 ? "\\iint" : "\\iiint");
    return n;
}

/* Has an operator that has one of its limits by now the other one behind it? */
static gboolean
lacks_limit(const line *l, const formula_item *item, const formula_item *next)
{
    return item->kind == FORMULA_OPERATOR &&
           strchr(item->latex, is_raised(l, next, item) ? '^' : '_') == NULL;
}

/* Arrows that were put together from two characters. */
static guint
arrow_put(line *l, const GArray *items, guint i)
{
    static const struct {
        gunichar first, second;
        const char *latex;
    } arrows[] = {{'=', 0x21D2, "\\Longrightarrow"},
                  {0x21D0, '=', "\\Longleftarrow"},
                  {0x2212, 0x2192, "\\longrightarrow"},
                  {0x2190, 0x2212, "\\longleftarrow"},
                  {0x21D0, 0x21D2, "\\Longleftrightarrow"},
                  {0x2190, 0x2192, "\\longleftrightarrow"},
                  {0x21A6, 0x2192, "\\mapsto"},
                  {0x2192, 0x21A6, "\\mapsto"}};
    if (i + 1 >= items->len) return 0;
    const formula_item *a = formula_at(items, i), *b = formula_at(items, i + 1);
    if (b->x0 - a->x1 > 0.02F * l->em) return 0;
    for (guint k = 0; k < G_N_ELEMENTS(arrows); k++)
        if (arrows[k].first == a->ch && arrows[k].second == b->ch) {
            formula_put(l->out, arrows[k].latex);
            return 2;
        }
    return 0;
}

/* Writes the item at i and returns the index behind what was written, scripts aside. */
static guint
base_put(line *l, const GArray *items, guint i)
{
    const formula_item *item = formula_at(items, i);
    guint n = dots_put(l, items, i);
    if (n == 0) n = arrow_put(l, items, i);
    if (n == 0) n = integrals_put(l, items, i);
    if (n > 0) return i + n;
    if (item->kind == FORMULA_TEXT) return text_put(l, items, i);
    if (item->kind == FORMULA_ACCENT) {
        /* over nothing */
        l->b->n_doubts++;
        if (item->ch == '~') formula_put(l->out, "\\sim");
    } else if (item->tall && is_delimiter(item)) {
        delimiter_put(l, items, i);
    } else if (item->scripted && i + 1 < items->len &&
               is_script(l, formula_at(items, i + 1), item) &&
               !lacks_limit(l, item, formula_at(items, i + 1))) {
        g_string_append_printf(l->out, "{%s}", item->latex);
    } else {
        formula_put(l->out, item->latex);
    }
    return i + 1;
}

/* What stands behind a sign and a blank is a script of what follows: "+ {}_{p}F". */
static gboolean
has_no_scripts(const formula_item *base)
{
    return (base->kind == FORMULA_RELATION || base->kind == FORMULA_BINARY ||
            base->kind == FORMULA_PUNCTUATION) &&
           base->ch != 0;
}

void
formula_line_put(formula_builder *b, GString *out, const GArray *items, gboolean aligned)
{
    line l = {b, out, formula_whole_size(b, items), 0};
    g_autoptr(GArray) baselines = g_array_new(FALSE, FALSE, sizeof(float));
    for (guint i = 0; i < items->len; i++) {
        const formula_item *item = formula_at(items, i);
        if (item->size >= FORMULA_SCRIPT * l.em && !formula_is_large(item))
            g_array_append_val(baselines, item->baseline);
    }
    if (baselines->len > 0) {
        g_array_sort(baselines, layout_compare_float);
        l.baseline = g_array_index(baselines, float, baselines->len / 2);
    } else {
        l.baseline = formula_at(items, 0)->baseline;
    }
    const gsize start = out->len;
    gboolean marked = !aligned;
    float end = formula_at(items, 0)->x0;
    for (guint i = 0; i < items->len;) {
        const formula_item *item = formula_at(items, i);
        float gap = item->x0 - end;
        if (!marked && item->kind == FORMULA_RELATION && !is_script(&l, item, item)) {
            g_string_append_c(out, '&');
            marked = TRUE;
        } else if (gap > 0.9F * l.em && out->len > 0 && i > 0) {
            formula_put(out, gap > 1.8F * l.em ? "\\qquad" : "\\quad");
            g_string_append_c(out, ' ');
        }
        if (i > 0 && gap < -0.5F * l.em) b->n_doubts++;
        gboolean leading = is_script(&l, item, item);
        guint next = i;
        if (leading) {
            g_string_append(out, "{}"); /* a script of nothing: before what it belongs to */
        } else {
            next = base_put(&l, items, i);
        }
        const formula_item *base = leading ? item : formula_at(items, next - 1);
        for (guint k = i; k < MAX(next, i + 1); k++)
            end = MAX(end, formula_at(items, k)->x1);
        guint to = next;
        const float reach = has_no_scripts(base) ? 0.1F : 0.5F;
        while (to < items->len && is_script(&l, formula_at(items, to), base) &&
               formula_at(items, to)->x0 - end < reach * l.em) {
            end = MAX(end, formula_at(items, to)->x1);
            to++;
        }
        if (to > next) scripts_put(&l, items, next, to, base);
        i = MAX(to, i + 1);
    }
    /* a line that goes on from the one above starts where the relations are */
    if (!marked) g_string_insert_c(out, (gssize)start, '&');
}

/* At which level every heading stands.
 *
 * What the outline says counts first, unless it contradicts the printed numbers; then the number: the depth
 * of its parts, and for each way of counting ("I.", "A.", "1.") how deep the first of its kind stood; then a
 * heading's look: that of headings with a known level, else its rank by size. In the end depth grows by one
 * at a time, whatever was left out above. */
#include "layout/flow.h"

#include <math.h>
#include <string.h>

#define MAX_LEVEL   5
#define STYLE_UPPER (1U << 24) /* all letters are capitals */

typedef struct {
    float size_pt;
    guint flags;
    guint count[MAX_LEVEL + 1]; /* headings of this look by their level, [0] unknown */
    int level;
} heading_style;

/* What is needed of a block, so that of a long document no others have to be in memory. */
typedef struct {
    guint para;
    int outline, level; /* the block's */
    gboolean run_in;
    layout_heading_form form;
    heading_style style;
    gboolean matter; /* front or back matter: of the first level, with a look of its own */
    int number;      /* level by its number, 0 unknown */
} heading;

static gboolean
style_equal(const heading_style *a, const heading_style *b)
{
    return a->flags == b->flags && fabsf(a->size_pt - b->size_pt) < 0.6F;
}

/* "Abstract", "References": they say nothing about other headings that look the same. */
static gboolean
is_matter(const char *text)
{
    gsize len;
    if (layout_heading_is_references(text)) return TRUE;
    if (layout_heading_is_abstract(text, &len) && text[len] == '\0') return TRUE;
    return g_ascii_strncasecmp(text, "acknowledg", 10) == 0 || layout_contents_heading(text);
}

static GArray *
headings_collect(const layout_work *work)
{
    GArray *all = g_array_new(FALSE, TRUE, sizeof(heading));
    for (guint i = 0; i < work->paras->len; i++) {
        layout_para *para = layout_work_para(work, i);
        layout_work_release(work);
        if (para->type != LAYOUT_BLOCK_HEADING || para->places->len == 0) continue;
        g_autofree char *text = layout_para_row_text(work, para, 0);
        heading h = {.para = i,
                     .outline = para->outline,
                     .run_in = para->run_in,
                     .form = layout_heading_parse(text),
                     .matter = is_matter(text)};
        const layout_row *row = layout_para_row(work, para, 0);
        h.style.size_pt = roundf(row->size_pt * 2) / 2;
        h.style.flags = row->flags & (LAYOUT_SPAN_BOLD | LAYOUT_SPAN_ITALIC | LAYOUT_STYLE_CAPS);
        if (layout_text_is_upper(text + h.form.number_len)) h.style.flags |= STYLE_UPPER;
        if (para->run_in) h.style.flags |= LAYOUT_SPAN_LINK; /* a look of its own */
        g_array_append_val(all, h);
    }
    return all;
}

#define heading_at(all, i) (&g_array_index((all), heading, (i)))

/* ---- numbers ---- */

/* A single I, V or X is a letter where it follows H, U or W. */
static void
letters_tell(GArray *all)
{
    guint letter = 0;
    for (guint i = 0; i < all->len; i++) {
        layout_heading_form *form = &heading_at(all, i)->form;
        if (form->kind == LAYOUT_NUMBER_ROMAN &&
            (form->value == 1 || form->value == 5 || form->value == 10)) {
            guint as_letter = form->value == 1 ? 9 : form->value == 5 ? 22 : 24;
            if (letter + 1 == as_letter) {
                form->kind = LAYOUT_NUMBER_UPPER;
                form->value = as_letter;
            }
        }
        if (form->kind == LAYOUT_NUMBER_UPPER) letter = form->value;
    }
}

typedef struct {
    guint n;      /* headings counted this way with one part */
    guint firsts; /* of them, how often it began anew */
    guint deep;   /* with several parts */
    int first;    /* index of the first heading, LAYOUT_NONE */
    guint top;    /* largest value */
} number_use;

static void
uses_count(const GArray *all, number_use *uses)
{
    for (guint k = 0; k < LAYOUT_N_NUMBERS; k++)
        uses[k] = (number_use){.first = LAYOUT_NONE};
    for (guint i = 0; i < all->len; i++) {
        const heading *h = heading_at(all, i);
        if (!h->form.numbered) continue;
        number_use *use = &uses[h->form.kind];
        if (use->first < 0) use->first = (int)i;
        if (h->form.depth > 1) use->deep++;
        if (h->form.depth > 1) continue;
        use->n++;
        use->firsts += h->form.value == 1;
        use->top = MAX(use->top, h->form.value);
    }
}

/* The way of counting that the document's sections have. */
static layout_number_kind
top_kind(const number_use *uses)
{
    const number_use *roman = &uses[LAYOUT_NUMBER_ROMAN], *arabic = &uses[LAYOUT_NUMBER_ARABIC];
    if (uses[LAYOUT_NUMBER_PART].n > 1) return LAYOUT_NUMBER_PART;
    if (uses[LAYOUT_NUMBER_CHAPTER].n > 0) return LAYOUT_NUMBER_CHAPTER;
    if (roman->top >= 2 && arabic->deep == 0 &&
        (arabic->n == 0 || arabic->firsts > 1 || roman->first < arabic->first))
        return LAYOUT_NUMBER_ROMAN;
    if (uses[LAYOUT_NUMBER_HAN].n > 1 && uses[LAYOUT_NUMBER_HAN].first <= arabic->first)
        return LAYOUT_NUMBER_HAN;
    if (arabic->first >= 0) return LAYOUT_NUMBER_ARABIC;
    for (guint k = LAYOUT_NUMBER_PART; k < LAYOUT_N_NUMBERS; k++)
        if (uses[k].first >= 0) return (layout_number_kind)k;
    return LAYOUT_NUMBER_NONE;
}

/* Are capital letters those of appendices, rather than of sections inside sections? */
static gboolean
letters_on_top(const GArray *all, const number_use *uses, layout_number_kind top)
{
    const number_use *use = &uses[LAYOUT_NUMBER_UPPER];
    if (use->deep > 0 && use->firsts < 2) return TRUE;
    if (use->firsts > 1) return FALSE;
    gboolean behind = FALSE; /* the bibliography */
    for (guint i = 0; i < all->len; i++) {
        const heading *h = heading_at(all, i);
        behind = behind || h->matter;
        if (h->form.kind != LAYOUT_NUMBER_UPPER || h->form.depth > 1) continue;
        for (guint k = 0; k < i; k++) {
            const heading *other = heading_at(all, k);
            if (other->form.numbered && other->form.kind == top && other->form.depth == 1)
                return style_equal(&other->style, &h->style) || behind;
        }
        return TRUE;
    }
    return FALSE;
}

static void
numbers_level(GArray *all)
{
    int base[LAYOUT_N_NUMBERS] = {0};
    number_use uses[LAYOUT_N_NUMBERS];
    letters_tell(all);
    uses_count(all, uses);
    layout_number_kind top = top_kind(uses);
    if (top == LAYOUT_NUMBER_NONE) return;
    base[top] = 1;
    int chapter = top == LAYOUT_NUMBER_PART && uses[LAYOUT_NUMBER_CHAPTER].n > 0 ? 2 : 1;
    base[LAYOUT_NUMBER_CHAPTER] = base[LAYOUT_NUMBER_APPENDIX] = chapter;
    if (uses[LAYOUT_NUMBER_CHAPTER].n > 0) base[LAYOUT_NUMBER_ARABIC] = chapter;
    if (top != LAYOUT_NUMBER_UPPER && letters_on_top(all, uses, top))
        base[LAYOUT_NUMBER_UPPER] = chapter;
    int above = 0; /* level of the numbered heading before */
    for (guint i = 0; i < all->len; i++) {
        heading *h = heading_at(all, i);
        if (!h->form.numbered) continue;
        layout_number_kind kind = h->form.kind;
        if (base[kind] == 0) base[kind] = MIN(above + 1, MAX_LEVEL);
        h->number = MIN(base[kind] + (int)h->form.depth - 1, MAX_LEVEL);
        above = h->number;
    }
}

/* ---- the outline ---- */

/* Levels of the outline as they count for headings, 0 where it says nothing or cannot be trusted. */
static void
outline_level(GArray *all)
{
    int least = G_MAXINT;
    guint agree = 0, pairs = 0;
    const heading *before = NULL;
    for (guint i = 0; i < all->len; i++) {
        const heading *h = heading_at(all, i);
        if (h->outline == 0 || h->run_in) continue;
        least = MIN(least, h->outline);
        if (h->number == 0) continue;
        if (before != NULL) {
            int a = h->outline - before->outline, b = h->number - before->number;
            pairs++;
            agree += (a > 0) == (b > 0) && (a < 0) == (b < 0);
        }
        before = h;
    }
    gboolean trusted = pairs < 3 || agree * 10 >= pairs * 6;
    for (guint i = 0; i < all->len; i++) {
        heading *h = heading_at(all, i);
        if (h->outline == 0 || h->run_in || !trusted) continue;
        h->level = MIN(h->outline - least + 1, MAX_LEVEL);
    }
}

/* ---- looks ---- */

static heading_style *
style_find(const GArray *styles, const heading_style *style)
{
    for (guint i = 0; i < styles->len; i++) {
        heading_style *known = &g_array_index(styles, heading_style, i);
        if (style_equal(known, style)) return known;
    }
    return NULL;
}

static int
compare_style(gconstpointer a, gconstpointer b)
{
    const heading_style *x = a, *y = b;
    if (x->size_pt != y->size_pt) return x->size_pt > y->size_pt ? -1 : 1;
    static const guint weights[] = {LAYOUT_SPAN_BOLD, LAYOUT_STYLE_CAPS, STYLE_UPPER};
    for (guint i = 0; i < G_N_ELEMENTS(weights); i++) {
        gboolean bx = (x->flags & weights[i]) != 0, by = (y->flags & weights[i]) != 0;
        if (bx != by) return by - bx;
    }
    return (x->flags > y->flags) - (x->flags < y->flags);
}

/* Levels of looks: what most headings of that look have, else by rank among the others. */
static GArray *
styles_learn(const GArray *all)
{
    GArray *styles = g_array_new(FALSE, FALSE, sizeof(heading_style));
    for (guint i = 0; i < all->len; i++) {
        const heading *h = heading_at(all, i);
        if (h->run_in || h->matter) continue;
        heading_style *style = style_find(styles, &h->style);
        if (style == NULL) {
            g_array_append_val(styles, h->style);
            style = &g_array_index(styles, heading_style, styles->len - 1);
        }
        style->count[CLAMP(h->level, 0, MAX_LEVEL)]++;
    }
    g_array_sort(styles, compare_style);
    for (guint i = 0; i < styles->len; i++) {
        heading_style *style = &g_array_index(styles, heading_style, i);
        for (int l = 1; l <= MAX_LEVEL; l++)
            if (style->count[l] > (style->level > 0 ? style->count[style->level] : 0))
                style->level = l;
    }
    int above = 0;
    for (guint i = 0; i < styles->len; i++) {
        heading_style *style = &g_array_index(styles, heading_style, i);
        if (style->level == 0) {
            int below = 0;
            for (guint k = i + 1; k < styles->len && below == 0; k++)
                below = g_array_index(styles, heading_style, k).level;
            style->level = below > 0 && above > 0 ? MIN(above + 1, MAX(below, above))
                           : below > 0            ? MAX(1, below - 1)
                                                  : MIN(above + 1, MAX_LEVEL);
        }
        above = style->level;
    }
    return styles;
}

/* ---- all together ---- */

static void
levels_write(const layout_work *work, const GArray *all)
{
    for (guint i = 0; i < all->len; i++) {
        const heading *h = heading_at(all, i);
        layout_work_para(work, h->para)->level = h->level;
    }
}

/* Depth grows by one at a time, and headings of one level stay on one level. */
static void
levels_smooth(GArray *all)
{
    int stack[MAX_LEVEL + 1];
    int depth = 0;
    for (guint i = 0; i < all->len; i++) {
        heading *h = heading_at(all, i);
        if (h->run_in) {
            h->level = MIN(depth + 1, MAX_LEVEL);
            continue;
        }
        while (depth > 0 && stack[depth - 1] >= h->level)
            depth--;
        stack[depth++] = h->level;
        h->level = depth;
    }
}

void
layout_headings_level(layout_work *work)
{
    g_autoptr(GArray) all = headings_collect(work);
    for (guint i = 0; i < all->len; i++)
        heading_at(all, i)->level = 0;
    numbers_level(all);
    outline_level(all);
    for (guint i = 0; i < all->len; i++) {
        heading *h = heading_at(all, i);
        if (h->level == 0) h->level = h->number;
    }
    g_autoptr(GArray) styles = styles_learn(all);
    for (guint i = 0; i < all->len; i++) {
        heading *h = heading_at(all, i);
        if (h->level > 0) continue;
        const heading_style *style = style_find(styles, &h->style);
        h->level = h->matter || style == NULL ? 1 : style->level;
    }
    levels_smooth(all);
    levels_write(work, all);
}

/* ---- tables of contents ---- */

/* Numbered entries stand as deep as their numbers say, the others where they are indented like one. */
static void
entries_level(GArray *all, const float *x)
{
    numbers_level(all);
    for (guint i = 0; i < all->len; i++) {
        heading *h = heading_at(all, i);
        int level = h->number;
        for (guint k = i; level == 0 && k-- > 0 && i - k < 64;) {
            const heading *other = heading_at(all, k);
            if (fabsf(x[2 * k] - x[2 * i]) < 3 || fabsf(x[2 * k + 1] - x[2 * i]) < 3)
                level = other->number;
        }
        if (level == 0)
            level = i > 0 && x[2 * i] > x[2 * i - 2] + 3 ? heading_at(all, i - 1)->number + 1 : 1;
        h->number = h->level = MIN(level, MAX_LEVEL);
    }
}

void
layout_contents_level(layout_work *work)
{
    g_autoptr(GArray) all = g_array_new(FALSE, TRUE, sizeof(heading));
    g_autoptr(GArray) x = g_array_new(FALSE, FALSE, sizeof(float));
    for (guint i = 0; i < work->paras->len; i++) {
        layout_para *para = layout_work_para(work, i);
        layout_work_release(work);
        if (!para->contents || para->places->len == 0) continue;
        const layout_place *place = &g_array_index(para->places, layout_place, 0);
        const layout_sheet *sheet = layout_work_sheet(work, place->sheet);
        const layout_row *row = layout_sheet_row(sheet, place->row);
        const layout_seg *seg =
            layout_sheet_seg(sheet, g_array_index(sheet->row_segs, guint, row->first_seg));
        g_autofree char *text = layout_row_text(sheet, row);
        heading h = {.para = i, .form = layout_heading_parse(text)};
        /* where the number and where the title begin; sections of one kind begin at one place */
        float at[2] = {row->box.x0, row->box.x0};
        if (h.form.numbered && seg->n_words > 1)
            at[1] = layout_sheet_word(sheet, seg->first_word + 1)->x0;
        else if (h.form.numbered && row->n_segs > 1)
            at[1] =
                layout_sheet_seg(sheet, g_array_index(sheet->row_segs, guint, row->first_seg + 1))
                    ->box.x0;
        h.style.size_pt = at[1];
        g_array_append_val(all, h);
        g_array_append_vals(x, at, 2);
    }
    if (all->len > 0) entries_level(all, (const float *)x->data);
    levels_write(work, all);
}

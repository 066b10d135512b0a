/* Whole captions, found before anything else claims their lines.
 *
 * A candidate is a line that starts like a caption (caption_match.c). It is one when a separator follows its
 * label or the label is set apart, and when it does not merely go on with the sentence of the line above.
 * Where several candidates of a document carry the same number, those in the form that most captions have
 * (word, case, separator, style) stay. A caption then takes the lines below it as long as distance, size and
 * alignment agree, so that its short last line cannot fall into a column of its own.
 *
 * After: C. Clark, S. Divvala, PDFFigures 2.0, JCDL 2016, section 3.1, on consistency. */
#include "layout/analyze.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PER_SHEET 100
#define MAX_LINES     60
#define WIDE_GAP_EM   1.7F

typedef struct {
    guint sheet, seg;
    layout_caption_kind kind;
    gsize label_len;
    gboolean strong, labelled, small, mid;
    gboolean continued; /* "Table 3 (continued)" */
    guint form;         /* how it is written, hashed */
    guint32 name[4];    /* its number, as bytes, for comparing */
    gboolean dead;
} candidate;

typedef struct {
    const layout_work *work;
    layout_sheet *sheet;
    guint *by_baseline; /* upright running text */
    guint n;
    guint8 *starts; /* by segment: does it start a caption? */
} lines;

static void
lines_init(lines *l, const layout_work *work, layout_sheet *sheet)
{
    *l = (lines){.work = work, .sheet = sheet};
    l->by_baseline = g_new(guint, sheet->segs->len + 1);
    l->starts = g_new0(guint8, sheet->segs->len + 1);
    for (guint i = 0; i < sheet->segs->len; i++) {
        const layout_seg *seg = layout_sheet_seg(sheet, i);
        if (seg->role == LAYOUT_ROLE_TEXT && seg->turn == 0) l->by_baseline[l->n++] = i;
    }
    g_qsort_with_data(l->by_baseline, (gint)l->n, sizeof(guint), layout_seg_compare, sheet);
}

static void
lines_clear(lines *l)
{
    g_free(l->by_baseline);
    g_free(l->starts);
}

static const layout_seg *
seg_at(const lines *l, guint i)
{
    return layout_sheet_seg(l->sheet, l->by_baseline[i]);
}

/* The first place whose baseline is at or below y. */
static guint
first_below(const lines *l, float y)
{
    guint lo = 0, hi = l->n;
    while (lo < hi) {
        guint mid = lo + (hi - lo) / 2;
        if (seg_at(l, mid)->baseline < y)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* ---- candidates ---- */

/* Is the label bold, italic or in capitals, and what follows it is not? */
static gboolean
is_labelled(const layout_sheet *sheet, const layout_seg *seg, gsize label_len)
{
    const guint look = LAYOUT_SPAN_BOLD | LAYOUT_SPAN_ITALIC | LAYOUT_STYLE_CAPS;
    guint label = 0, rest = 0;
    gboolean has_rest = FALSE;
    for (guint i = seg->first_style; i < seg->first_style + seg->n_styles; i++) {
        const layout_style *style = layout_sheet_style(sheet, i);
        if (style->start < seg->start + label_len / 2) label = style->flags & look;
        if (style->start + style->len > seg->start + label_len + 2) {
            if (!has_rest) rest = style->flags & look;
            has_rest = TRUE;
        }
    }
    if (seg->flags & LAYOUT_SPAN_BOLD) return TRUE;
    return label != 0 && (!has_rest || label != rest);
}

/* Does the line above lead into this one, as within a paragraph? */
static gboolean
is_mid(const lines *l, const layout_seg *seg)
{
    const layout_work *work = l->work;
    float leading =
        MAX(1.3F * seg->size_pt, 1.1F * work->leading_pt * seg->size_pt / work->body_pt);
    for (guint i = first_below(l, seg->baseline - leading); i < l->n; i++) {
        const layout_seg *above = seg_at(l, i);
        if (above->baseline > seg->baseline - 0.6F * seg->size_pt) break;
        if (fabsf(above->size_pt - seg->size_pt) > 0.4F || above->n_words < 5) continue;
        if (above->box.x0 > seg->box.x0 + 2 || above->box.x1 < seg->box.x1 - 3 * seg->size_pt)
            continue;
        if (layout_overlap_1d(above->box.x0, above->box.x1, seg->box.x0, seg->box.x1) > 0)
            return TRUE;
    }
    return FALSE;
}

/* How the caption is written: word and case, what follows its number, its style. */
static guint
form_of(const layout_sheet *sheet, const layout_seg *seg, const candidate *c)
{
    const char *text = sheet->text->str + seg->start;
    guint hash = c->labelled ? 7 : 3;
    for (gsize i = 0; i < c->label_len && text[i] != ' '; i++)
        hash = hash * 31 + (guchar)text[i];
    gsize after = c->label_len;
    while (after < seg->len && text[after] == ' ')
        after++;
    return hash * 31 + (after < seg->len && g_ascii_ispunct(text[after]) ? (guchar)text[after] : 0);
}

static void
name_set(candidate *c, const char *text)
{
    const char *space = c->label_len > 0 ? g_strrstr_len(text, (gssize)c->label_len, " ") : NULL;
    const char *from = space != NULL ? space + 1 : text;
    gsize len = MIN((gsize)(text + c->label_len - from), sizeof c->name);
    memcpy(c->name, from, len);
}

static void
sheet_candidates(const lines *l, GArray *all)
{
    layout_sheet *sheet = l->sheet;
    for (guint i = 0, n = 0; i < l->n && n < MAX_PER_SHEET; i++) {
        const layout_seg *seg = seg_at(l, i);
        candidate c = {.sheet = (guint)sheet->index, .seg = l->by_baseline[i]};
        const char *text = sheet->text->str + seg->start;
        c.kind = layout_caption_match(text, seg->len, &c.label_len, &c.strong);
        if (c.kind == LAYOUT_CAPTION_NONE) continue;
        c.labelled = is_labelled(sheet, seg, c.label_len);
        c.small = seg->size_pt < 0.95F * l->work->body_pt;
        c.mid = is_mid(l, seg);
        if (c.kind == LAYOUT_CAPTION_OTHER && !c.strong) continue;
        /* "Figure 3 shows" is a sentence, unless its label stands out and a capital follows. */
        gsize after = MIN(c.label_len + 1, seg->len);
        gboolean capital =
            g_unichar_isupper(g_utf8_get_char_validated(text + after, (gssize)(seg->len - after)));
        if (!c.strong && !(capital && !c.mid && (c.labelled || c.small))) continue;
        if (c.mid && !(c.strong && c.labelled)) continue;
        c.continued = layout_continued_match(text + c.label_len, seg->len - c.label_len) > 0;
        c.form = form_of(sheet, seg, &c);
        name_set(&c, text);
        g_array_append_val(all, c);
        n++;
    }
}

/* Of several captions with one number, those of the usual form. */
static void
candidates_settle(GArray *all)
{
    for (guint kind = LAYOUT_CAPTION_FIGURE; kind <= LAYOUT_CAPTION_TABLE; kind++) {
        g_autoptr(GHashTable) forms = g_hash_table_new(NULL, NULL);
        guint usual = 0, most = 0;
        for (guint i = 0; i < all->len; i++) {
            const candidate *c = &g_array_index(all, candidate, i);
            if (c->kind != kind || c->continued) continue;
            gpointer key = GUINT_TO_POINTER(c->form);
            guint n = GPOINTER_TO_UINT(g_hash_table_lookup(forms, key)) + 1;
            g_hash_table_insert(forms, key, GUINT_TO_POINTER(n));
            if (n > most) usual = c->form;
            most = MAX(most, n);
        }
        if (most < 2) continue;
        g_autoptr(GHashTable) named = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        for (guint i = 0; i < all->len; i++) {
            const candidate *c = &g_array_index(all, candidate, i);
            if (c->kind == kind && c->form == usual && !c->continued)
                g_hash_table_add(named, g_strndup((const char *)c->name, sizeof c->name));
        }
        for (guint i = 0; i < all->len; i++) {
            candidate *c = &g_array_index(all, candidate, i);
            if (c->kind != kind || c->form == usual || c->small || c->continued) continue;
            g_autofree char *name = g_strndup((const char *)c->name, sizeof c->name);
            c->dead = g_hash_table_contains(named, name);
        }
    }
}

/* ---- extent ---- */

typedef struct {
    guint segs[32];
    guint n;
    float x0, x1, baseline, size;
    gboolean others; /* more stands beside it: the cells of a table */
} printed;

/* Does the document's gutter run between these two? */
static gboolean
gutter_between(const layout_work *work, float x1, float x0)
{
    return work->two_columns && work->gutter_x > x1 - 1 && work->gutter_x < x0 + 1;
}

/* The seg that tells where the line is that begins at place from: a fraction may stand above its baseline. */
static const layout_seg *
line_core(const lines *l, guint from, layout_rect box)
{
    const layout_seg *core = seg_at(l, from);
    float size = core->size_pt;
    for (guint i = from; i < l->n && seg_at(l, i)->baseline < seg_at(l, from)->baseline + size;
         i++) {
        const layout_seg *seg = seg_at(l, i);
        if (seg->caption == LAYOUT_NONE && seg->n_chars > 2 * core->n_chars &&
            seg->size_pt > core->size_pt &&
            layout_overlap_1d(seg->box.x0, seg->box.x1, box.x0, box.x1) > 0)
            core = seg;
    }
    return core;
}

/* The printed line around place from, seen from the caption's box so far. */
static printed
line_take(const lines *l, guint from, layout_rect box)
{
    const layout_seg *seg = line_core(l, from, box);
    printed p = {.baseline = seg->baseline, .size = seg->size_pt};
    guint most = 0;
    for (guint i = first_below(l, seg->baseline - 0.8F * seg->size_pt); i < l->n; i++) {
        const layout_seg *next = seg_at(l, i);
        if (next->baseline > seg->baseline + 0.8F * seg->size_pt) break;
        if (p.n >= G_N_ELEMENTS(p.segs) || next->caption != LAYOUT_NONE) continue;
        /* parts of a fraction may stand off the line */
        if (fabsf(next->baseline - seg->baseline) > 0.35F * seg->size_pt &&
            (next->size_pt > 0.85F * seg->size_pt || next->n_chars > 12))
            continue;
        gboolean under = layout_overlap_1d(next->box.x0, next->box.x1, box.x0, box.x1) > 0;
        if (!under) continue;
        if (p.n == 0) {
            p.x0 = next->box.x0;
            p.x1 = next->box.x1;
        }
        p.x0 = MIN(p.x0, next->box.x0);
        p.x1 = MAX(p.x1, next->box.x1);
        if (next->n_chars > most) p.size = next->size_pt;
        most = MAX(most, next->n_chars);
        p.segs[p.n++] = l->by_baseline[i];
    }
    /* from left to right: gaps within, and what goes on behind the box's right edge */
    for (guint i = 1; i < p.n; i++)
        for (guint k = i; k > 0 && layout_sheet_seg(l->sheet, p.segs[k])->box.x0 <
                                       layout_sheet_seg(l->sheet, p.segs[k - 1])->box.x0;
             k--) {
            guint t = p.segs[k];
            p.segs[k] = p.segs[k - 1];
            p.segs[k - 1] = t;
        }
    for (guint i = 1; i < p.n; i++) {
        float gap = layout_sheet_seg(l->sheet, p.segs[i])->box.x0 -
                    layout_sheet_seg(l->sheet, p.segs[i - 1])->box.x1;
        p.others = p.others || gap > 2.5F * p.size;
    }
    return p;
}

/* Extend a line to the right over narrow gaps. */
static void
line_extend(const lines *l, printed *p)
{
    gboolean grew = TRUE;
    while (grew && p->n < G_N_ELEMENTS(p->segs)) {
        grew = FALSE;
        for (guint i = first_below(l, p->baseline - 0.35F * p->size); i < l->n; i++) {
            const layout_seg *seg = seg_at(l, i);
            if (seg->baseline > p->baseline + 0.35F * p->size) break;
            if (seg->caption != LAYOUT_NONE || l->starts[l->by_baseline[i]]) continue;
            if (seg->box.x0 < p->x1 - 1 || seg->box.x0 - p->x1 > WIDE_GAP_EM * p->size) continue;
            if (gutter_between(l->work, p->x1, seg->box.x0)) continue;
            p->segs[p->n++] = l->by_baseline[i];
            p->x1 = MAX(p->x1, seg->box.x1);
            grew = TRUE;
            break;
        }
    }
}

static float
first_word_width(const lines *l, const printed *p)
{
    const layout_seg *seg = layout_sheet_seg(l->sheet, p->segs[0]);
    if (seg->n_words == 0) return 0;
    const layout_word *word = layout_sheet_word(l->sheet, seg->first_word);
    return word->x1 - word->x0;
}

static gboolean
rule_between(const layout_sheet *sheet, float y0, float y1, float x0, float x1)
{
    for (guint i = 0; i < sheet->hrules->len; i++) {
        const layout_rule *rule = &g_array_index(sheet->hrules, layout_rule, i);
        if (rule->y0 > y1) break;
        if (rule->y0 > y0 && rule->x1 - rule->x0 > 24 &&
            layout_overlap_1d(rule->x0, rule->x1, x0, x1) > 0.3F * (x1 - x0))
            return TRUE;
    }
    return FALSE;
}

/* The fill that a line stands on, if any; the last of several is on top. */
static int
ground_of(const layout_sheet *sheet, const printed *p)
{
    const float x = 0.5F * (p->x0 + p->x1), y = p->baseline - 0.3F * p->size;
    for (guint i = sheet->fills->len; i-- > 0;) {
        const layout_fill *fill = &g_array_index(sheet->fills, layout_fill, i);
        if (!fill->outline && x > fill->box.x0 && x < fill->box.x1 && y > fill->box.y0 &&
            y < fill->box.y1)
            return (int)i;
    }
    return LAYOUT_NONE;
}

typedef struct {
    layout_rect box;
    printed last;
    float left, step; /* left edge from the second line on; usual distance */
    guint n_lines;
    gboolean label_only; /* nothing but "TABLE I" so far */
} extent;

/* Does the printed line next go on with the caption? */
static gboolean
goes_on(const lines *l, const extent *e, const printed *next)
{
    const layout_work *work = l->work;
    const printed *last = &e->last;
    float size = last->size, step = next->baseline - last->baseline;
    float most =
        e->n_lines > 1 ? 1.22F * e->step + 0.6F : MAX(1.6F * size, 1.2F * work->leading_pt);
    if (e->label_only) most = MAX(most, 2.0F * size);
    if (step > most || next->others || next->n == 0) return FALSE;
    if (l->starts[next->segs[0]]) return FALSE;
    if (fabsf(next->size - size) > MAX(0.6F, 0.08F * size) && !e->label_only) return FALSE;
    if (rule_between(l->sheet, last->baseline, next->baseline - 0.3F * next->size, next->x0,
                     next->x1))
        return FALSE;
    /* a shaded row below an unshaded caption is the table's */
    if (ground_of(l->sheet, last) == LAYOUT_NONE && ground_of(l->sheet, next) != LAYOUT_NONE)
        return FALSE;
    if (e->label_only) return TRUE;
    float width = last->x1 - last->x0, wide = next->x1 - next->x0;
    gboolean centred = fabsf(last->x0 + last->x1 - next->x0 - next->x1) < 6;
    /* The line before had room for a word: it was the end. */
    float room = first_word_width(l, next) + 0.8F * size;
    if (next->x1 > last->x1 + room && !(centred && wide < width)) return FALSE;
    if (e->n_lines > 1 && e->box.x1 > last->x1 + room && !centred) return FALSE;
    if (centred && wide <= width + 2) return TRUE;
    float left = e->n_lines > 1 ? e->left : last->x0;
    float slack = e->n_lines > 1 ? 3 : 6 * size;
    return fabsf(next->x0 - left) < slack;
}

static void
caption_extend(const lines *l, const candidate *c)
{
    layout_sheet *sheet = l->sheet;
    const layout_seg *seg = layout_sheet_seg(sheet, c->seg);
    int id = (int)sheet->captions->len;
    extent e = {.box = seg->box, .n_lines = 1, .label_only = seg->len <= c->label_len + 1};
    e.last = (printed){.segs = {c->seg},
                       .n = 1,
                       .x0 = seg->box.x0,
                       .x1 = seg->box.x1,
                       .baseline = seg->baseline,
                       .size = seg->size_pt};
    line_extend(l, &e.last);
    e.box.x1 = e.last.x1;
    e.label_only = e.label_only && e.last.n == 1;
    for (guint k = 0; k < MAX_LINES; k++) {
        for (guint i = 0; i < e.last.n; i++) {
            layout_seg *part = layout_sheet_seg(sheet, e.last.segs[i]);
            part->caption = id;
            e.box = layout_rect_join(e.box, part->box);
        }
        guint at = first_below(l, e.last.baseline + 0.5F * e.last.size);
        while (at < l->n &&
               (seg_at(l, at)->caption != LAYOUT_NONE ||
                layout_overlap_1d(seg_at(l, at)->box.x0, seg_at(l, at)->box.x1, e.box.x0,
                                  e.box.x1) <= 0) &&
               seg_at(l, at)->baseline < e.last.baseline + 4 * e.last.size)
            at++;
        if (at >= l->n || seg_at(l, at)->baseline > e.last.baseline + 4 * e.last.size) break;
        printed next = line_take(l, at, e.box);
        if (next.n > 0) line_extend(l, &next);
        if (!goes_on(l, &e, &next)) break;
        float step = next.baseline - e.last.baseline;
        e.step = e.n_lines == 1 ? step : MIN(e.step, step);
        e.left = e.n_lines == 1 ? next.x0 : MIN(e.left, next.x0);
        e.last = next;
        e.label_only = FALSE;
        e.n_lines++;
    }
    layout_caption_region region = {e.box, c->kind, c->seg, e.n_lines, seg->size_pt};
    g_array_append_val(sheet->captions, region);
}

void
layout_captions_find(layout_work *work)
{
    work->captions = g_array_new(FALSE, TRUE, sizeof(candidate));
    for (guint s = 0; s < work->sheets->len; s++) {
        lines l;
        lines_init(&l, work, layout_work_sheet(work, s));
        sheet_candidates(&l, work->captions);
        lines_clear(&l);
        layout_work_release(work);
    }
    candidates_settle(work->captions);
}

void
layout_captions_take(const layout_work *work, layout_sheet *sheet)
{
    guint lo = 0, hi = work->captions->len;
    while (lo < hi) {
        guint mid = lo + (hi - lo) / 2;
        if (g_array_index(work->captions, candidate, mid).sheet < (guint)sheet->index)
            lo = mid + 1;
        else
            hi = mid;
    }
    guint from = lo, to = lo;
    while (to < work->captions->len &&
           g_array_index(work->captions, candidate, to).sheet == (guint)sheet->index)
        to++;
    if (from == to) return;
    lines l;
    lines_init(&l, work, sheet);
    for (guint i = from; i < to; i++) {
        const candidate *c = &g_array_index(work->captions, candidate, i);
        l.starts[c->seg] = !c->dead;
    }
    for (guint i = from; i < to; i++) {
        const candidate *c = &g_array_index(work->captions, candidate, i);
        if (!c->dead) caption_extend(&l, c);
    }
    lines_clear(&l);
}

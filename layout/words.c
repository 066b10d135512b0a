/* The glyphs of one segment -> text with words and styles.
 *
 * TeX writes no spaces: a word ends where the gap to the next glyph is wider than letters stand apart in
 * this segment, so letter-spaced headings stay whole. Ligatures are expanded, accents drawn over or under
 * a letter are composed with it, right-to-left text is put into reading order. */
#include "layout/analyze.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GAP_EM     0.155F /* narrowest word space: Times shrunk by TeX has 0.19 em, \, has 0.167 */
#define GAP_RTL_EM 0.12F
#define GAP_THIN_EM                                                                                \
    0.19F /* TeX's thin space of 0.167 em, between a formula and a bracket that grows with it */
#define GAP_GIVEN_EM 0.24F /* where the file has space glyphs, gaps only count when wide */

#define MAX_FRAGMENT 40 /* characters of a piece of a formula that are all set in text fonts */

#define STROKE 0x338 /* through a letter; TeX's is a character before it */

gunichar
layout_combining_mark(gunichar accent)
{
    switch (accent) {
    case 0x60:
    case 0x2CB:
        return 0x300;
    case 0xB4:
    case 0x2CA:
        return 0x301;
    case 0x5E:
    case 0x2C6:
        return 0x302;
    case 0x7E:
    case 0x2DC:
        return 0x303;
    case 0xAF:
    case 0x2C9:
        return 0x304;
    case 0x2D8:
        return 0x306;
    case 0x2D9:
        return 0x307;
    case 0xA8:
        return 0x308;
    case 0x2DA:
        return 0x30A;
    case 0x2DD:
        return 0x30B;
    case 0x2C7:
        return 0x30C;
    case 0xB8:
        return 0x327;
    case 0x2DB:
        return 0x328;
    case 0x335:
    case 0x337:
    case 0x338:
        return STROKE;
    default:
        return 0;
    }
}

static gboolean
is_letter(const layout_glyph *g)
{
    return g_unichar_isalpha(g->ch);
}

static gboolean
covers(const layout_glyph *letter, const layout_glyph *accent)
{
    float middle = 0.5F * (accent->x + accent->x1);
    return is_letter(letter) && middle > letter->x && middle < letter->x1 &&
           layout_overlap_1d(letter->x, letter->x1, accent->x, accent->x1) >
               0.5F * MIN(letter->x1 - letter->x, accent->x1 - accent->x);
}

/* Do scripts from i on touch a letter behind them, and not the glyph before? */
static gboolean
leads_letter(const layout_glyph *const *g, guint n, guint i)
{
    const guint scripts = LAYOUT_SPAN_SUPERSCRIPT | LAYOUT_SPAN_SUBSCRIPT;
    guint to = i;
    if (g[i - 1]->flags & scripts) return FALSE;
    while (to < n && to < i + 4 && (g[to]->flags & scripts) && g_unichar_isdigit(g[to]->ch))
        to++;
    return to > i && to < n && !(g[to]->flags & scripts) && is_letter(g[to]) &&
           g[to]->x - g[to - 1]->x1 < 0.1F * g[to]->size_pt;
}

static gboolean
is_thin_before(const layout_glyph *last, const layout_glyph *g)
{
    return ((last->flags & LAYOUT_SPAN_MATH) && (g->ch == '(' || g->ch == '[')) ||
           ((g->flags & LAYOUT_SPAN_MATH) && (last->ch == ')' || last->ch == ']'));
}

gboolean
layout_is_rtl(gunichar ch)
{
    return (ch >= 0x590 && ch <= 0x8FF) || (ch >= 0xFB1D && ch <= 0xFDFF) ||
           (ch >= 0xFE70 && ch <= 0xFEFC);
}

static gboolean
is_ltr(gunichar ch)
{
    return (g_unichar_isalpha(ch) && !layout_is_rtl(ch)) || g_unichar_isdigit(ch);
}

static void
reverse(const layout_glyph **g, guint n)
{
    for (guint i = 0; i < n / 2; i++) {
        const layout_glyph *t = g[i];
        g[i] = g[n - 1 - i];
        g[n - 1 - i] = t;
    }
}

/* Glyphs sorted by x -> reading order, when most letters are of a right-to-left script. Numbers and
 * foreign words inside keep their own direction. */
static gboolean
order_rtl(const layout_glyph **g, guint n)
{
    guint rtl = 0, ltr = 0;
    for (guint i = 0; i < n; i++) {
        if (layout_is_rtl(g[i]->ch)) rtl++;
        if (g_unichar_isalpha(g[i]->ch) && !layout_is_rtl(g[i]->ch)) ltr++;
    }
    if (rtl <= ltr) return FALSE;
    reverse(g, n);
    for (guint i = 0; i < n; i++) {
        if (!is_ltr(g[i]->ch)) continue;
        guint end = i;
        for (guint j = i; j < n && !layout_is_rtl(g[j]->ch); j++)
            if (is_ltr(g[j]->ch)) end = j;
        reverse(g + i, end - i + 1);
        i = end;
    }
    return TRUE;
}

static int
compare_x(gconstpointer a, gconstpointer b)
{
    const layout_glyph *x = *(const layout_glyph *const *)a, *y = *(const layout_glyph *const *)b;
    if (x->x != y->x) return x->x < y->x ? -1 : 1;
    return x < y ? -1 : x > y;
}

/* How far letters stand apart here, and so what separates words. */
typedef struct {
    float word_gap;         /* ems: the narrowest one between words */
    gboolean letters_given; /* blanks stand between the letters of words too: they tell nothing */
} spacing;

static gboolean
is_capital(const layout_glyph *g)
{
    return g_unichar_isupper(g->ch);
}

/* Capitals set apart evenly make one word, be it a short one: "A N D". */
static gboolean
is_spaced_word(const layout_glyph *const *g, guint n, const float *gaps, guint n_gaps)
{
    if (n_gaps < 2 || n_gaps + 1 != n || gaps[0] < 0.15F || gaps[n_gaps - 1] > 0.6F) return FALSE;
    if (gaps[n_gaps - 1] - gaps[0] > 0.06F) return FALSE;
    for (guint i = 0; i < n; i++)
        if (!is_capital(g[i]) || (g[i]->flags & LAYOUT_SPAN_MATH)) return FALSE;
    return TRUE;
}

static spacing
spacing_of(const layout_glyph *const *g, guint n)
{
    guint n_spaces = 0, n_gaps = 0, n_pairs = 0, n_given = 0,
          n_capitals = n > 0 && is_capital(g[0]);
    float gaps[256];
    for (guint i = 1; i < n; i++) {
        if (g[i]->space) n_spaces++;
        n_capitals += is_capital(g[i]) ? 1 : 0;
        if (!is_letter(g[i]) || !is_letter(g[i - 1]) || !(g[i]->size_pt > 0)) continue;
        n_pairs++;
        n_given += g[i]->space ? 1 : 0;
        if (n_gaps < G_N_ELEMENTS(gaps)) gaps[n_gaps++] = (g[i]->x - g[i - 1]->x1) / g[i]->size_pt;
    }
    spacing s = {.word_gap = n_spaces * 14 > n ? GAP_GIVEN_EM : GAP_EM};
    if (n_gaps < 2) return s;
    qsort(gaps, n_gaps, sizeof(float), layout_compare_float);
    float usual = gaps[n_gaps / 2];
    /* "R E S U L T S" typed with blanks */
    s.letters_given = n_pairs >= 4 && n_given * 10 >= n_pairs * 9 && n_capitals * 10 >= n * 9 &&
                      usual > 0.1F && usual < 0.6F;
    if (is_spaced_word(g, n, gaps, n_gaps))
        s.word_gap = gaps[n_gaps - 1] + 0.1F;
    else if (n_gaps >= 5 && usual > 0.04F && usual < 0.6F)
        s.word_gap = MAX(s.word_gap, usual + 0.14F);
    return s;
}

/* ---- writing ---- */

typedef struct {
    layout_sheet *sheet;
    layout_seg seg;
    layout_style style;
    gboolean has_style;
    layout_word word;
    gboolean has_word;
    guint first_mark;
    gunichar last;   /* last character written, 0 at a word's start */
    guint counts[6]; /* characters by flag: bold italic mono math script caps */
} writer;

static void
style_close(writer *w)
{
    if (!w->has_style) return;
    w->style.len = (uint32_t)w->sheet->text->len - w->style.start;
    if (w->style.len > 0) {
        g_array_append_val(w->sheet->styles, w->style);
        w->seg.n_styles++;
    }
    w->has_style = FALSE;
}

static void
word_close(writer *w)
{
    if (!w->has_word) return;
    w->word.len = (uint32_t)w->sheet->text->len - w->word.start;
    if (w->word.len > 0) {
        g_array_append_val(w->sheet->words, w->word);
        w->seg.n_words++;
    }
    w->has_word = FALSE;
    w->last = 0;
}

static gboolean
compose(gunichar letter, gunichar mark, gunichar *composed)
{
    if (letter == 0 || g_unichar_combining_class(mark) == 0) return FALSE;
    if (mark == STROKE && (letter == 'L' || letter == 'l')) {
        *composed = letter == 'L' ? 0x141 : 0x142;
        return TRUE;
    }
    return g_unichar_compose(letter, mark, composed);
}

static void
put_char(writer *w, gunichar ch)
{
    gunichar composed;
    if (compose(w->last, ch, &composed)) {
        GString *text = w->sheet->text;
        /* A base letter of the style before stays apart: composing it would move that style's end
         * into the middle of a character. */
        uint32_t from = w->has_style ? MAX(w->word.start, w->style.start) : w->word.start;
        const char *at = g_utf8_find_prev_char(text->str + from, text->str + text->len);
        if (at != NULL) {
            g_string_truncate(text, (gsize)(at - text->str));
            ch = composed;
        }
    }
    g_string_append_unichar(w->sheet->text, ch);
    w->last = ch;
}

/* Ligatures and presentation forms become the letters they stand for. */
static void
put_glyph(writer *w, gunichar ch, gunichar accent)
{
    if (ch == 0xF0B7)
        ch = 0x2022;
    else if (ch == 0xF0A7)
        ch = 0x25AA;
    if (accent != 0 && ch == 0x131) ch = 'i';
    if (accent != 0 && ch == 0x237) ch = 'j';
    if ((ch >= 0xFB00 && ch <= 0xFDFF) || (ch >= 0xFE70 && ch <= 0xFEFC)) {
        gunichar parts[G_UNICHAR_MAX_DECOMPOSITION_LENGTH];
        gsize n = g_unichar_fully_decompose(ch, TRUE, parts, G_N_ELEMENTS(parts));
        for (gsize i = 0; i < n; i++)
            put_char(w, parts[i]);
    } else {
        put_char(w, ch);
    }
    if (accent != 0) put_char(w, accent);
}

/* start: where in the text what g became begins. */
static void
mark_add(writer *w, const layout_glyph *g, gsize start)
{
    layout_mark mark = {.x0 = g->x,
                        .x1 = g->x1,
                        .y = g->y,
                        .top = g->top,
                        .bottom = g->bottom,
                        .size_pt = g->size_pt,
                        .ch = g->ch,
                        .start = (uint32_t)start,
                        .flags = g->flags,
                        .font = g->font};
    g_array_append_val(w->sheet->marks, mark);
}

static void
glyph_write(writer *w, const layout_glyph *g, gunichar accent, gboolean space)
{
    GString *text = w->sheet->text;
    guint flags = g->flags & ~(guint)(LAYOUT_STYLE_SYMBOL | LAYOUT_STYLE_TEX_SYMBOL);
    if (g->ch >= 0x1D400 && g->ch <= 0x1D7FF) flags |= LAYOUT_SPAN_MATH;
    uint32_t style_start = (uint32_t)text->len;
    if (space && text->len > w->seg.start) {
        word_close(w);
        /* a space belongs to what is before it, but not to a script nor to a word in doubt */
        const guint own = LAYOUT_SPAN_SUPERSCRIPT | LAYOUT_SPAN_SUBSCRIPT | LAYOUT_SPAN_DOUBTFUL;
        if (w->has_style && (w->style.flags & own) && w->style.flags != flags) style_close(w);
        g_string_append_c(text, ' ');
        if (w->has_style) style_start = (uint32_t)text->len;
    }
    /* A mark stays in the style of the letter it is composed with. */
    gboolean mark = w->last != 0 && g_unichar_combining_class(g->ch) > 0;
    if (!w->has_style || (!mark && (w->style.flags != flags || w->style.font != g->font ||
                                    fabsf(w->style.size_pt - g->size_pt) > 0.05F))) {
        style_close(w);
        w->style = (layout_style){.start = style_start,
                                  .flags = flags,
                                  .font = g->font,
                                  .size_pt = g->size_pt,
                                  .link = LAYOUT_NONE};
        w->has_style = TRUE;
    }
    if (!w->has_word) {
        w->word = (layout_word){.x0 = g->x, .x1 = g->x1, .start = (uint32_t)text->len};
        w->has_word = TRUE;
    }
    mark_add(w, g, text->len);
    put_glyph(w, g->ch, accent);
    w->word.n_glyphs += accent != 0 ? 2 : 1;
    w->word.x0 = MIN(w->word.x0, g->x);
    w->word.x1 = MAX(w->word.x1, g->x1);
    w->seg.n_chars++;
    w->counts[0] += (flags & LAYOUT_SPAN_BOLD) != 0;
    w->counts[1] += (flags & LAYOUT_SPAN_ITALIC) != 0;
    w->counts[2] += (flags & LAYOUT_SPAN_MONO) != 0;
    w->counts[3] += (flags & LAYOUT_SPAN_MATH) != 0;
    w->counts[4] += (flags & (LAYOUT_SPAN_SUPERSCRIPT | LAYOUT_SPAN_SUBSCRIPT)) != 0;
    w->counts[5] += (flags & LAYOUT_STYLE_CAPS) != 0;
}

static void
seg_finish(writer *w, float baseline, float size_pt, guint turn)
{
    layout_sheet *sheet = w->sheet;
    layout_seg *seg = &w->seg;
    style_close(w);
    word_close(w);
    seg->len = (uint32_t)sheet->text->len - seg->start;
    float n = (float)MAX(seg->n_chars, 1);
    static const guint bits[] = {LAYOUT_SPAN_BOLD, LAYOUT_SPAN_ITALIC, LAYOUT_SPAN_MONO};
    for (guint i = 0; i < G_N_ELEMENTS(bits); i++)
        if ((float)w->counts[i] > 0.7F * n) seg->flags |= bits[i];
    if ((float)w->counts[5] > 0.5F * n) seg->flags |= LAYOUT_STYLE_CAPS;
    if (w->counts[3] > 0)
        seg->flags |= LAYOUT_SPAN_MATH;
    else if (seg->n_chars > MAX_FRAGMENT || turn != sheet->turn)
        g_array_set_size(sheet->marks, w->first_mark);
    seg->math = (float)w->counts[3] / n;
    seg->script = (float)w->counts[4] / n;
    seg->baseline = baseline;
    seg->size_pt = size_pt;
    seg->box.y0 = baseline - 0.75F * size_pt;
    seg->box.y1 = baseline + 0.23F * size_pt;
    guint most = 0;
    for (guint i = seg->first_style; i < seg->first_style + seg->n_styles; i++) {
        const layout_style *style = layout_sheet_style(sheet, i);
        if (style->len > most) {
            most = style->len;
            seg->font = style->font;
        }
    }
    seg->turn = (turn + 4 - sheet->turn) & 3;
    if (seg->turn != 0) {
        layout_rect page =
            layout_rect_unturn(seg->box, turn, sheet->page_width, sheet->page_height);
        seg->box = layout_rect_turn(page, sheet->turn, sheet->page_width, sheet->page_height);
    }
    seg->role = seg->turn == 0 ? LAYOUT_ROLE_TEXT : LAYOUT_ROLE_MARGIN;
    seg->owner = LAYOUT_NONE;
    seg->caption = seg->tag = LAYOUT_NONE;
    if (seg->len > 0) g_array_append_val(sheet->segs, *seg);
}

void
layout_words_append(layout_work *work, layout_sheet *sheet, const layout_glyph *const *glyphs,
                    guint n, float baseline, float size_pt, guint turn)
{
    (void)work;
    if (n == 0) return;
    g_autofree const layout_glyph **g = g_memdup2(glyphs, n * sizeof *glyphs);
    gboolean rtl = FALSE;
    for (guint i = 0; i < n && !rtl; i++)
        rtl = layout_is_rtl(g[i]->ch);
    if (rtl) {
        qsort(g, n, sizeof *g, compare_x);
        rtl = order_rtl(g, n);
    }
    writer w = {.sheet = sheet, .first_mark = sheet->marks->len};
    if (sheet->text->len > 0) g_string_append_c(sheet->text, '\n');
    w.seg.start = (uint32_t)sheet->text->len;
    w.seg.first_word = sheet->words->len;
    w.seg.first_style = sheet->styles->len;
    w.seg.box.x0 = g[0]->x;
    w.seg.box.x1 = g[0]->x1;
    w.seg.mcid = g[0]->mcid;
    w.seg.nth = g[0]->nth;

    spacing spaced = spacing_of(g, n);
    /* letters of these scripts touch or nearly so, and their blanks are narrow */
    float least = rtl ? GAP_RTL_EM : spaced.word_gap;
    float end = rtl ? g[0]->x : g[0]->x1;
    for (guint i = 0; i < n; i++) {
        const layout_glyph *at = g[i];
        gunichar accent = layout_combining_mark(at->ch);
        float gap = rtl ? end - at->x1 : at->x - end;
        gboolean script = (at->flags & (LAYOUT_SPAN_SUPERSCRIPT | LAYOUT_SPAN_SUBSCRIPT)) != 0;
        float em = i > 0 ? MAX(at->size_pt, g[i - 1]->size_pt) : at->size_pt;
        /* Glyphs lie in memory as the file wrote them: a space was written before the later one. */
        gboolean given = i > 0 && (at > g[i - 1] ? at->space : g[i - 1]->space);
        if (spaced.letters_given && i > 0 && is_capital(at)) given = FALSE;
        /* "by ^14C": a mark of what follows is no note to the word before */
        if (script && i > 0 && leads_letter(g, n, i)) script = FALSE;
        const float enough = script                                  ? MAX(least, 0.25F)
                             : i > 0 && is_thin_before(g[i - 1], at) ? MAX(least, GAP_THIN_EM)
                                                                     : least;
        gboolean space = i > 0 && ((given && gap > 0.03F * em) || gap > enough * em);
        w.seg.box.x0 = MIN(w.seg.box.x0, at->x);
        w.seg.box.x1 = MAX(w.seg.box.x1, at->x1);
        end = rtl ? MIN(end, at->x) : MAX(end, at->x1);
        if (accent != 0 && i + 1 < n && covers(g[i + 1], at)) {
            const layout_glyph *letter = g[++i];
            glyph_write(&w, letter, accent, space);
            mark_add(&w, at, g_array_index(sheet->marks, layout_mark, sheet->marks->len - 1).start);
            w.seg.box.x1 = MAX(w.seg.box.x1, letter->x1);
            end = rtl ? MIN(end, letter->x) : MAX(end, letter->x1);
        } else if (accent != 0 && i > 0 && w.last != 0 && covers(g[i - 1], at)) {
            put_char(&w, accent);
            mark_add(&w, at, g_array_index(sheet->marks, layout_mark, sheet->marks->len - 1).start);
            w.word.n_glyphs++;
        } else {
            glyph_write(&w, at, 0, space);
        }
    }
    seg_finish(&w, baseline, size_pt, turn);
}

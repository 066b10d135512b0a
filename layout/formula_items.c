/* The glyphs of a formula -> items: words of text fonts put together, delimiters and radicals that are drawn in
 * pieces joined, accents set on their letters. The pieces are those of TeX's math extension fonts (Knuth, The
 * TeXbook, appendix F), under their Unicode names U+239B to U+23B1 or the private ones of Adobe's glyph list. */
#include "layout/formula.h"
#include "layout/mathtext.h"

#include <math.h>
#include <string.h>

const char *
formula_keep(formula_builder *b, const char *text)
{
    return g_string_chunk_insert(b->strings, text);
}

void
formula_put(GString *out, const char *latex)
{
    if (latex == NULL || latex[0] == '\0') return;
    if (g_ascii_isalpha(latex[0]) && out->len > 0) {
        gsize at = out->len;
        while (at > 0 && g_ascii_isalpha(out->str[at - 1]))
            at--;
        if (at > 0 && at < out->len && out->str[at - 1] == '\\') g_string_append_c(out, ' ');
        /* "a<b" begins a tag to what reads Markdown as HTML */
        if (out->str[out->len - 1] == '<') g_string_append_c(out, ' ');
    }
    g_string_append(out, latex);
}

int
formula_compare_x(gconstpointer a, gconstpointer b)
{
    const formula_item *x = a, *y = b;
    if (x->x0 != y->x0) return x->x0 < y->x0 ? -1 : 1;
    if (x->baseline != y->baseline) return x->baseline < y->baseline ? -1 : 1;
    return (x->ch > y->ch) - (x->ch < y->ch);
}

/* ---- characters ---- */

/* Adobe's private codes of delimiter pieces -> Unicode's. */
static gunichar
plain_piece(gunichar ch)
{
    static const guint16 pieces[] = {0x239B, 0x239C, 0x239D, 0x23A1, 0x23A2, 0x23A3, 0x23A7,
                                     0x23A8, 0x23A9, 0x23AA, 0x23AE, 0x239E, 0x239F, 0x23A0,
                                     0x23A4, 0x23A5, 0x23A6, 0x23AB, 0x23AC, 0x23AD};
    if (ch >= 0xF8EB && ch <= 0xF8FE) return pieces[ch - 0xF8EB];
    return ch;
}

static formula_kind
kind_of(gunichar ch)
{
    if (g_unichar_isdigit(ch)) return FORMULA_DIGIT;
    if (ch < 0x80) {
        if (strchr("([{", (int)ch) != NULL) return FORMULA_OPEN;
        if (strchr(")]}", (int)ch) != NULL) return FORMULA_CLOSE;
        if (strchr("=<>:", (int)ch) != NULL) return FORMULA_RELATION;
        if (strchr("+-*/", (int)ch) != NULL) return FORMULA_BINARY;
        if (strchr(",;.!?", (int)ch) != NULL) return FORMULA_PUNCTUATION;
        return FORMULA_ORDINARY;
    }
    if (ch == 0x221A) return FORMULA_RADICAL;
    if (ch == 0x2308 || ch == 0x230A || ch == 0x27E8 || ch == 0x2329) return FORMULA_OPEN;
    if (ch == 0x2309 || ch == 0x230B || ch == 0x27E9 || ch == 0x232A) return FORMULA_CLOSE;
    if (ch == 0x220F || ch == 0x2210 || ch == 0x2211 || (ch >= 0x222B && ch <= 0x2233) ||
        (ch >= 0x22C0 && ch <= 0x22C3) || (ch >= 0x2A00 && ch <= 0x2A06))
        return FORMULA_OPERATOR;
    if (ch == 0xB1 || ch == 0xD7 || ch == 0xF7 || ch == 0xB7 || ch == 0x2212 || ch == 0x2213 ||
        (ch >= 0x2215 && ch <= 0x2219) || (ch >= 0x2227 && ch <= 0x222A) ||
        (ch >= 0x2293 && ch <= 0x22A1) || (ch >= 0x22C4 && ch <= 0x22C7))
        return FORMULA_BINARY;
    if ((ch >= 0x2190 && ch <= 0x21FF) || (ch >= 0x2208 && ch <= 0x220D) || ch == 0x221D ||
        ch == 0x2223 || ch == 0x2225 || (ch >= 0x223C && ch <= 0x228B) ||
        (ch >= 0x22A2 && ch <= 0x22AF) || (ch >= 0x27F5 && ch <= 0x27FF) || ch == 0x2A7D ||
        ch == 0x2A7E)
        return FORMULA_RELATION;
    return FORMULA_ORDINARY;
}

/* The accents that stand over a letter: TeX draws them as characters of their own. */
static gunichar
accent_mark(gunichar ch)
{
    const gunichar mark = layout_combining_mark(ch);
    if (layout_math_accent(mark) != NULL) return mark;
    return layout_math_accent(ch) != NULL ? ch : 0;
}

static gboolean
name_has(const layout_work *work, guint font, const char *const *parts)
{
    g_autofree char *lower = g_ascii_strdown(layout_work_font(work, font)->name, -1);
    for (; *parts != NULL; parts++)
        if (strstr(lower, *parts) != NULL) return TRUE;
    return FALSE;
}

/* The command for a letter's alphabet; NULL for the usual italic of variables. */
static const char *
alphabet_of(const layout_work *work, gunichar ch, guint font, guint flags)
{
    static const char *const boards[] = {"msbm",         "bbm",   "bbold", "dsrom",
                                         "doublestroke", "txsyb", "pxsyb", "kp--m-syb",
                                         "blackboard",   NULL};
    static const char *const frakturs[] = {"eufm", "eufb", "fraktur", "txmia", "pxmia", NULL};
    static const char *const scripts[] = {"rsfs", "mathscr", NULL};
    static const char *const calligraphic[] = {"eusm", "eusb", "math-cal", "kp--m-sy-", NULL};
    static const char *const sans[] = {"cmss", "sans", "helvet", "arial", "lmss", NULL};
    /* the zero vector, an indicator; not the figures of a bold line */
    if ((ch == '0' || ch == '1') && flags & LAYOUT_SPAN_BOLD &&
        !(flags & (LAYOUT_SPAN_SUPERSCRIPT | LAYOUT_SPAN_SUBSCRIPT)))
        return flags & LAYOUT_SPAN_ITALIC ? "\\boldsymbol" : "\\mathbf";
    if (!g_unichar_isalpha(ch) || ch >= 0x1D400) return NULL;
    gboolean ascii = ch < 0x80;
    static const char *const mathptmx[] = {"standardsyml", NULL};
    if (flags & LAYOUT_SPAN_MATH) {
        if (!ascii) return flags & LAYOUT_SPAN_BOLD ? "\\boldsymbol" : NULL;
        if (name_has(work, font, boards)) return "\\mathbb";
        if (name_has(work, font, frakturs)) return "\\mathfrak";
        if (name_has(work, font, scripts)) {
            /* what mathptmx takes for \mathcal; its symbols give it away */
            for (guint i = 0; i < work->fonts->len; i++)
                if (name_has(work, i, mathptmx)) return "\\mathcal";
            return "\\mathscr";
        }
        if (name_has(work, font, calligraphic)) return "\\mathcal";
        if (flags & LAYOUT_STYLE_TEX_SYMBOL && g_unichar_isupper(ch)) return "\\mathcal";
        return flags & LAYOUT_SPAN_BOLD ? "\\boldsymbol" : NULL;
    }
    if (!ascii) return NULL;
    if (flags & LAYOUT_SPAN_MONO) return "\\mathtt";
    if (flags & LAYOUT_SPAN_BOLD) return flags & LAYOUT_SPAN_ITALIC ? "\\boldsymbol" : "\\mathbf";
    if (flags & LAYOUT_SPAN_ITALIC) return NULL;
    return name_has(work, font, sans) ? "\\mathsf" : "\\mathrm";
}

/* How far a character's ink goes up and down, in ems from the baseline. */
static void
extent_of(gunichar ch, formula_kind kind, float *up, float *down)
{
    *up = 0.7F;
    *down = 0;
    if (kind == FORMULA_RELATION || kind == FORMULA_BINARY) {
        *up = 0.55F;
        *down = 0.05F;
    } else if (kind == FORMULA_OPEN || kind == FORMULA_CLOSE || ch == '|' || ch == 0x2225) {
        *up = 0.75F;
        *down = 0.25F;
    } else if (ch == ',' || ch == ';' || ch == '.') {
        *up = 0.1F;
        *down = ch == '.' ? 0 : 0.2F;
    } else if (kind == FORMULA_OPERATOR) {
        *up = 0.75F;
        *down = 0.25F;
    } else if (kind == FORMULA_ORDINARY && g_unichar_islower(ch)) {
        gboolean low = (ch < 0x80 && strchr("gjpqy", (int)ch) != NULL) || ch == 0x3B2 ||
                       ch == 0x3B3 || ch == 0x3B6 || ch == 0x3B7 || ch == 0x3BC || ch == 0x3BE ||
                       ch == 0x3C1 || ch == 0x3C6 || ch == 0x3C7 || ch == 0x3C8 || ch == 0x3D5;
        gboolean high = (ch < 0x80 && strchr("bdfhijklt", (int)ch) != NULL) || ch == 0x3B2 ||
                        ch == 0x3B4 || ch == 0x3B6 || ch == 0x3B8 || ch == 0x3BB || ch == 0x3BE ||
                        ch == 0x3C6 || ch == 0x3C8 || ch == 0x3D5;
        *up = high ? 0.7F : 0.45F;
        *down = low ? 0.21F : 0;
    }
}

static const char *
latex_of_char(formula_builder *b, const layout_work *work, const formula_item *item)
{
    g_autoptr(GString) out = g_string_new(NULL);
    const char *alphabet = alphabet_of(work, item->ch, item->font, item->flags);
    if (item->ch == '|' && item->kind == FORMULA_RELATION) return "\\mid";
    layout_math_char(out, item->ch);
    while (out->len > 0 && out->str[out->len - 1] == ' ')
        g_string_truncate(out, out->len - 1);
    if (out->len == 0) return NULL;
    if (alphabet != NULL) {
        g_autofree char *letter = g_strdup(out->str);
        g_string_printf(out, "%s{%s}", alphabet, letter);
    } else if (((guchar)out->str[0] & 0x80) != 0 && g_unichar_isalpha(item->ch) &&
               g_unichar_get_script(item->ch) != G_UNICODE_SCRIPT_GREEK) {
        g_autofree char *letter = g_strdup(out->str);
        g_string_printf(out, "\\text{%s}", letter);
    }
    return formula_keep(b, out->str);
}

/* Does a rule start where a sign that hangs from its origin would end? */
static gboolean
is_under_a_rule(const formula_builder *b, const layout_mark *mark)
{
    for (guint r = 0; r < b->rules->len; r++) {
        const layout_rule *rule = &g_array_index(b->rules, layout_rule, r);
        if (fabsf(rule->x0 - mark->x1) < 0.15F * mark->size_pt &&
            fabsf(0.5F * (rule->y0 + rule->y1) - mark->y) < 0.15F * mark->size_pt)
            return TRUE;
    }
    return FALSE;
}

static formula_item
item_of(formula_builder *b, const layout_work *work, const layout_mark *mark)
{
    formula_item item = {.x0 = mark->x0,
                         .x1 = MAX(mark->x1, mark->x0),
                         .baseline = mark->y,
                         .size = mark->size_pt,
                         .ch = plain_piece(mark->ch),
                         .font = mark->font,
                         .flags = mark->flags,
                         .atom = TRUE};
    item.kind = kind_of(item.ch);
    float up, down;
    extent_of(item.ch, item.kind, &up, &down);
    item.y0 = mark->y - up * mark->size_pt;
    item.y1 = mark->y + down * mark->size_pt;
    if (mark->bottom > mark->top) {
        item.y0 = mark->top;
        item.y1 = mark->bottom;
        item.tall = item.y1 - item.y0 > 1.15F * item.size;
        /* it hangs from its origin, its middle on the axis of the line */
        if (accent_mark(item.ch) == 0 && item.ch != 0x23DE && item.ch != 0x23DF)
            item.baseline = 0.5F * (item.y0 + item.y1) + 0.25F * item.size;
    } else if (item.kind == FORMULA_RADICAL) {
        /* cmsy10's radical: 0.04 em over its origin, 0.96 em below, and so are those of fonts made after it; others
         * stand on the baseline */
        const gboolean hangs =
            (mark->flags & LAYOUT_STYLE_TEX_SYMBOL) != 0 || is_under_a_rule(b, mark);
        item.y0 = mark->y - (hangs ? 0.04F : 0.85F) * mark->size_pt;
        item.y1 = mark->y + (hangs ? 0.96F : 0.2F) * mark->size_pt;
        if (hangs) item.baseline = mark->y + 0.75F * mark->size_pt;
    }
    if (accent_mark(item.ch) != 0 && !(item.ch == '~' && item.flags == 0))
        item.kind = FORMULA_ACCENT;
    if (item.ch == 0xFFFD || g_unichar_type(item.ch) == G_UNICODE_PRIVATE_USE) b->n_unknown++;
    item.latex = latex_of_char(b, work, &item);
    return item;
}

/* ---- words ---- */

/* Does mark go on the word that ends in last? */
static gboolean
runs_on(const layout_mark *last, const layout_mark *mark)
{
    float em = mark->size_pt;
    return !(mark->flags & LAYOUT_SPAN_MATH) && last->font == mark->font &&
           fabsf(last->y - mark->y) < 0.03F * em && fabsf(last->size_pt - em) < 0.05F * em &&
           mark->x0 - last->x1 < 0.1F * em && mark->x0 > last->x0 - 0.05F * em;
}

static gboolean
is_word_letter(gunichar ch)
{
    return g_unichar_isalpha(ch) && g_unichar_get_script(ch) != G_UNICODE_SCRIPT_GREEK &&
           ch < 0x1D400;
}

/* The LaTeX of a word in a text font. */
static const char *
latex_of_word(formula_builder *b, const char *word, guint flags, gsize n_letters)
{
    const char *command = "\\text";
    if (flags & LAYOUT_SPAN_MONO)
        command = "\\texttt";
    else if (flags & LAYOUT_SPAN_BOLD)
        command = n_letters > 3 ? "\\textbf" : "\\mathbf";
    else if (flags & LAYOUT_SPAN_ITALIC)
        command = "\\textit";
    g_autofree char *latex = g_strdup_printf("%s{%s}", command, word);
    return formula_keep(b, latex);
}

#define WORD_LOOKAHEAD                                                                             \
    12 /* marks of scripts and braces that may stand between two letters of a word */

/* The next mark behind last that goes on its word, n where there is none. */
static guint
word_next(const layout_mark *marks, guint n, const guint8 *used, guint last)
{
    for (guint k = last + 1; k < n && k <= last + WORD_LOOKAHEAD; k++)
        if (!used[k] && runs_on(&marks[last], &marks[k])) return k;
    return n;
}

/* Letters of a text font from marks[i] on that make a word: appends their indices. None: they are variables. */
static void
word_find(const layout_mark *marks, guint n, const guint8 *used, guint i, GArray *word)
{
    g_array_set_size(word, 0);
    if ((marks[i].flags & LAYOUT_SPAN_MATH) || !is_word_letter(marks[i].ch)) return;
    guint letters = 0;
    for (guint at = i; at < n;) {
        g_array_append_val(word, at);
        letters += is_word_letter(marks[at].ch) ? 1 : 0;
        const guint next = word_next(marks, n, used, at);
        if (next >= n) break;
        const gunichar ch = marks[next].ch;
        const gboolean joint = ch == '-' || ch == '\'' || ch == 0x2019 || ch == 0x2013;
        if (!is_word_letter(ch)) {
            const guint behind = joint ? word_next(marks, n, used, next) : n;
            if (behind >= n || !is_word_letter(marks[behind].ch)) break;
        }
        at = next;
    }
    /* two italic letters may be a product */
    if (letters < ((marks[i].flags & LAYOUT_SPAN_ITALIC) ? 3U : 2U)) g_array_set_size(word, 0);
}

static void
word_append(formula_builder *b, const layout_mark *marks, const GArray *indices, GArray *items)
{
    g_autoptr(GString) word = g_string_new(NULL);
    const layout_mark *first = &marks[g_array_index(indices, guint, 0)];
    const guint n = indices->len;
    formula_item item = {.x0 = first->x0,
                         .x1 = marks[g_array_index(indices, guint, n - 1)].x1,
                         .y0 = first->y - 0.7F * first->size_pt,
                         .y1 = first->y + 0.1F * first->size_pt,
                         .baseline = first->y,
                         .size = first->size_pt,
                         .kind = FORMULA_TEXT,
                         .font = first->font,
                         .flags = first->flags,
                         .atom = TRUE};
    for (guint i = 0; i < n; i++) {
        const gunichar ch = marks[g_array_index(indices, guint, i)].ch;
        if (ch == 0x2013)
            g_string_append(word, "--");
        else if (ch == 0x2019)
            g_string_append_c(word, '\'');
        else
            g_string_append_unichar(word, ch);
    }
    guint styled = LAYOUT_SPAN_MONO | LAYOUT_SPAN_BOLD | LAYOUT_SPAN_ITALIC;
    if (!(item.flags & styled) && layout_math_is_function(word->str, word->len)) {
        item.kind = FORMULA_FUNCTION;
        g_autoptr(GString) name = g_string_new(NULL);
        layout_math_function(name, word->str, word->len);
        item.latex = formula_keep(b, name->str);
    } else {
        item.latex = latex_of_word(b, word->str, item.flags, n);
    }
    g_array_append_val(items, item);
}

/* ---- pieces ---- */

/* The character that a delimiter's piece is part of; 0: none. */
static gunichar
whole_of_piece(gunichar ch)
{
    if (ch >= 0x239B && ch <= 0x239D) return '(';
    if (ch >= 0x239E && ch <= 0x23A0) return ')';
    if (ch >= 0x23A1 && ch <= 0x23A3) return '[';
    if (ch >= 0x23A4 && ch <= 0x23A6) return ']';
    if (ch >= 0x23A7 && ch <= 0x23A9) return '{';
    if (ch >= 0x23AB && ch <= 0x23AD) return '}';
    return 0;
}

static gboolean
is_piece(gunichar ch)
{
    return whole_of_piece(ch) != 0 || ch == 0x23AA || ch == 0x23AE || ch == 0x23D0 ||
           ch == 0x250C || ch == 0x23B7;
}

static gboolean
is_radical_piece(gunichar ch)
{
    return ch == 0x221A || ch == 0x250C || ch == 0x23B7;
}

/* Pieces above and below items[i] that touch it or each other become one item. */
static void
pieces_join(formula_builder *b, GArray *items, guint i)
{
    formula_item *item = formula_at(items, i);
    gunichar whole = whole_of_piece(item->ch);
    gboolean radical = is_radical_piece(item->ch);
    for (gboolean grown = TRUE; grown;) {
        grown = FALSE;
        for (guint k = 0; k < items->len; k++) {
            formula_item *piece = formula_at(items, k);
            if (k == i || piece->kind == FORMULA_GONE ||
                (!is_piece(piece->ch) && piece->ch != 0x221A))
                continue;
            const float narrow = MIN(item->x1 - item->x0, piece->x1 - piece->x0);
            if (layout_overlap_1d(item->x0, item->x1, piece->x0, piece->x1) <= 0.3F * narrow ||
                piece->y0 > item->y1 + 0.2F * item->size ||
                piece->y1 < item->y0 - 0.2F * item->size)
                continue;
            gunichar ch = whole_of_piece(piece->ch);
            if (ch != 0 && whole != 0 && ch != whole) continue;
            /* a bracket right before a root */
            const gboolean sign = is_radical_piece(piece->ch);
            if ((sign && whole != 0) || (radical && ch != 0)) continue;
            if (whole == 0) whole = ch;
            radical |= sign;
            item->x0 = MIN(item->x0, piece->x0);
            item->x1 = MAX(item->x1, piece->x1);
            item->y0 = MIN(item->y0, piece->y0);
            item->y1 = MAX(item->y1, piece->y1);
            piece->kind = FORMULA_GONE;
            grown = TRUE;
        }
    }
    item->baseline = 0.5F * (item->y0 + item->y1) + 0.25F * item->size;
    item->tall = TRUE;
    if (radical) {
        item->kind = FORMULA_RADICAL;
        item->ch = 0x221A;
        item->latex = "\\surd";
        return;
    }
    item->ch = whole != 0 ? whole : '|';
    item->kind = kind_of(item->ch);
    item->latex = item->ch == '{'   ? "\\{"
                  : item->ch == '}' ? "\\}"
                                    : formula_keep(b, (char[]){(char)item->ch, '\0'});
}

/* A large bar is made of equal pieces, one upon the other. */
static void
bars_join(GArray *items)
{
    for (guint i = 0; i < items->len; i++) {
        formula_item *bar = formula_at(items, i);
        const gboolean vertical =
            bar->ch == 0x2223 || bar->ch == 0x2225 || bar->ch == '|' || bar->ch == 0x2016;
        if (!vertical || !(bar->flags & LAYOUT_STYLE_SYMBOL) || bar->kind == FORMULA_GONE) continue;
        guint n = 1;
        for (gboolean grown = TRUE; grown;) {
            grown = FALSE;
            for (guint k = i + 1; k < items->len; k++) {
                formula_item *piece = formula_at(items, k);
                if (piece->x0 > bar->x0 + 0.1F * bar->size) break;
                if (piece->kind == FORMULA_GONE || piece->ch != bar->ch ||
                    piece->y0 > bar->y1 + 0.2F * bar->size ||
                    piece->y1 < bar->y0 - 0.2F * bar->size)
                    continue;
                bar->y0 = MIN(bar->y0, piece->y0);
                bar->y1 = MAX(bar->y1, piece->y1);
                piece->kind = FORMULA_GONE;
                grown = TRUE;
                n++;
            }
        }
        bar->baseline = 0.5F * (bar->y0 + bar->y1) + 0.25F * bar->size;
        bar->tall = n > 1;
        bar->kind = FORMULA_ORDINARY;
        if (bar->ch == 0x2223) bar->ch = '|';
        if (bar->ch == 0x2016) bar->ch = 0x2225;
        bar->latex = bar->ch == '|' ? "|" : "\\|";
    }
}

/* Minus signs that touch each other and an arrow's head make it longer. */
static void
arrows_join(GArray *items)
{
    for (guint i = 0; i < items->len; i++) {
        formula_item *head = formula_at(items, i);
        guint n = 0;
        if (head->ch != 0x2192 || head->kind == FORMULA_GONE) continue;
        for (guint k = i; k-- > 0;) {
            formula_item *piece = formula_at(items, k);
            if (piece->ch != 0x2212 || piece->kind == FORMULA_GONE ||
                fabsf(piece->baseline - head->baseline) > 0.05F * head->size)
                continue;
            if (piece->x1 < head->x0 - 0.02F * head->size) break;
            head->x0 = piece->x0;
            piece->kind = FORMULA_GONE;
            n++;
        }
        if (n == 0) continue;
        head->latex = "\\longrightarrow";
        head->ch = 0;
    }
}

/* The four tips of a brace over or under a formula, and the rules between them, become one item. TeX sets the
 * tips from left to right; the first tells which way it opens. */
static void
braces_join(formula_builder *b, GArray *items)
{
    for (guint i = 0; i < items->len; i++) {
        formula_item *first = formula_at(items, i);
        if (first->kind == FORMULA_GONE || (first->ch != 0x23DE && first->ch != 0x23DF)) continue;
        formula_item *last = first;
        guint tips = 1;
        /* fonts of OpenType have it whole */
        const gboolean whole = first->x1 - first->x0 > 1.1F * first->size;
        for (guint k = i + 1; k < items->len && tips < 4 && !whole; k++) {
            formula_item *tip = formula_at(items, k);
            if (tip->kind == FORMULA_GONE || (tip->ch != 0x23DE && tip->ch != 0x23DF) ||
                fabsf(tip->baseline - first->baseline) > 0.2F * first->size)
                continue;
            last = tip;
            tips++;
            tip->kind = FORMULA_GONE;
        }
        first->kind = first->ch == 0x23DE ? FORMULA_BRACE_OVER : FORMULA_BRACE_UNDER;
        first->latex = NULL;
        first->x1 = MAX(first->x1, last->x1);
        for (guint r = b->rules->len; r-- > 0;) {
            const layout_rule *rule = &g_array_index(b->rules, layout_rule, r);
            if (rule->y0 > first->y0 - 1 && rule->y1 < first->y1 + 1 && rule->x0 > first->x0 - 1 &&
                rule->x1 < first->x1 + 1)
                g_array_remove_index(b->rules, r);
        }
    }
}

/* ---- accents, strokes ---- */

static void
accent_set(formula_builder *b, GArray *items, guint i)
{
    formula_item *accent = formula_at(items, i);
    int best = LAYOUT_NONE;
    float cost = G_MAXFLOAT, em = accent->size;
    guint covered = 0;
    for (guint k = 0; k < items->len; k++) {
        const formula_item *base = formula_at(items, k);
        if (k == i || base->kind == FORMULA_GONE || base->kind == FORMULA_ACCENT ||
            base->size < 0.75F * em || base->baseline < accent->baseline - 0.1F * em ||
            base->baseline > accent->baseline + 0.75F * em)
            continue;
        float shared = layout_overlap_1d(base->x0, base->x1, accent->x0, accent->x1);
        if (shared < 0.35F * MIN(base->x1 - base->x0, accent->x1 - accent->x0)) continue;
        float middle = formula_middle(base);
        covered += middle > accent->x0 && middle < accent->x1 ? 1 : 0;
        float off = fabsf(middle - formula_middle(accent)) + base->baseline - accent->baseline;
        if (off < cost) {
            cost = off;
            best = (int)k;
        }
    }
    if (best < 0) return;
    formula_item *base = formula_at(items, best);
    const char *command = layout_math_accent(accent_mark(accent->ch));
    /* from the extension font: stretched over what is below it */
    gboolean wide = (accent->flags & LAYOUT_STYLE_SYMBOL) != 0;
    if (wide && strcmp(command, "\\hat") == 0) command = "\\widehat";
    if (wide && strcmp(command, "\\tilde") == 0) command = "\\widetilde";
    g_autoptr(GString) out = g_string_new(command);
    g_string_append_c(out, '{');
    /* items are sorted by x0: what is under a wide accent beside its base comes in order */
    for (guint k = 0; k < items->len; k++) {
        formula_item *part = formula_at(items, k);
        const float middle = formula_middle(part);
        if ((int)k == best) {
            formula_put(out, base->latex);
            continue;
        }
        if (covered < 2 || part->kind == FORMULA_GONE || k == i || middle < accent->x0 ||
            middle > accent->x1 || fabsf(part->baseline - base->baseline) > 0.1F * em)
            continue;
        formula_put(out, part->latex);
        base->x0 = MIN(base->x0, part->x0);
        base->x1 = MAX(base->x1, part->x1);
        part->kind = FORMULA_GONE;
    }
    g_string_append_c(out, '}');
    base->latex = formula_keep(b, out->str);
    base->y0 = MIN(base->y0, accent->baseline - 0.7F * em);
    base->kind = base->kind == FORMULA_TEXT ? FORMULA_ORDINARY : base->kind;
    base->ch = 0;
    formula_at(items, i)->kind = FORMULA_GONE;
}

/* A small sign right over a letter: "\\overset{\\sim}{i}". That of a power stands behind it. */
static void
sign_set(formula_builder *b, GArray *items, guint i)
{
    formula_item *sign = formula_at(items, i);
    const float middle = formula_middle(sign);
    for (guint k = 0; k < items->len; k++) {
        formula_item *base = formula_at(items, k);
        if (k == i || base->kind != FORMULA_ORDINARY || base->latex == NULL ||
            sign->size > 0.87F * base->size || sign->size < 0.4F * base->size ||
            fabsf(middle - formula_middle(base)) > 0.2F * base->size || middle > base->x1 ||
            sign->y1 > base->y0 + 0.15F * base->size || sign->y1 < base->y0 - 0.5F * base->size)
            continue;
        g_autofree char *latex = g_strdup_printf("\\overset{%s}{%s}", sign->latex, base->latex);
        base->latex = formula_keep(b, latex);
        base->ch = 0;
        base->y0 = MIN(base->y0, sign->y0);
        sign->kind = FORMULA_GONE;
        return;
    }
}

/* A stroke through a relation negates it. */
static void
stroke_set(formula_builder *b, GArray *items, guint i)
{
    formula_item *stroke = formula_at(items, i);
    for (guint k = 0; k < items->len; k++) {
        formula_item *base = formula_at(items, k);
        if (k == i || base->kind != FORMULA_RELATION ||
            fabsf(base->baseline - stroke->baseline) > 0.2F * stroke->size ||
            base->x0 > stroke->x1 + 0.3F * stroke->size ||
            base->x1 < stroke->x0 - 0.1F * stroke->size)
            continue;
        /* \notin is a slash in the middle of a sign */
        if (stroke->ch == '/' &&
            fabsf(formula_middle(base) - formula_middle(stroke)) > 0.15F * stroke->size)
            continue;
        g_autofree char *latex = g_strdup_printf("\\not%s", base->latex);
        base->latex = base->ch == '='      ? "\\neq"
                      : base->ch == 0x2208 ? "\\notin"
                                           : formula_keep(b, latex);
        base->ch = 0;
        stroke->kind = FORMULA_GONE;
        return;
    }
}

void
formula_items_make(formula_builder *b, const layout_work *work, const layout_mark *marks, guint n,
                   GArray *items)
{
    b->n_glyphs += n;
    g_autofree guint8 *used = g_new0(guint8, n + 1);
    g_autoptr(GArray) word = g_array_new(FALSE, FALSE, sizeof(guint));
    for (guint i = 0; i < n; i++) {
        if (used[i]) continue;
        word_find(marks, n, used, i, word);
        if (word->len > 0) {
            word_append(b, marks, word, items);
            for (guint k = 0; k < word->len; k++)
                used[g_array_index(word, guint, k)] = 1;
        } else {
            formula_item item = item_of(b, work, &marks[i]);
            g_array_append_val(items, item);
        }
    }
    g_array_sort(items, formula_compare_x);
    braces_join(b, items);
    bars_join(items);
    arrows_join(items);
    for (guint i = 0; i < items->len; i++) {
        const formula_item *item = formula_at(items, i);
        if (item->kind == FORMULA_GONE) continue;
        if (is_piece(item->ch)) pieces_join(b, items, i);
    }
    for (guint i = 0; i < items->len; i++) {
        const formula_item *item = formula_at(items, i);
        if (item->kind != FORMULA_GONE &&
            (item->ch == 0x338 || item->ch == 0x337 || item->ch == '/'))
            stroke_set(b, items, i);
    }
    for (guint i = 0; i < items->len; i++)
        if (formula_at(items, i)->kind == FORMULA_ACCENT) accent_set(b, items, i);
    for (guint i = 0; i < items->len; i++) {
        const formula_item *item = formula_at(items, i);
        if (item->kind == FORMULA_RELATION && item->latex != NULL && !item->tall)
            sign_set(b, items, i);
    }
}

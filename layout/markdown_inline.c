/* A block's text and spans -> CommonMark inlines.
 *
 * Two rules keep the result readable. Emphasis is decided per word: a word is bold or italic when most of
 * it is, so a drop cap or an italic x in "x-axis" never cuts a word in pieces. And a character is escaped
 * only where a CommonMark reader would take it for markup: snake_case, 2 * 3, [12] and a lone $ stay.
 *
 * Source of the rules: CommonMark 0.31, sections 2.4, 6.1 to 6.6; GFM for ~ and bare URLs. */
#include "layout/writers.h"

#include <string.h>

typedef enum {
    PIECE_TEXT,
    PIECE_SUP,
    PIECE_SUB,
    PIECE_MONO, /* from here on without emphasis inside */
    PIECE_STRUCK,
    PIECE_MATH,
    PIECE_LINK,
    PIECE_CALL
} piece_kind;

typedef struct {
    piece_kind kind;
    uint32_t start, end;
    const char *target; /* LaTeX or address */
    guint number;       /* of a call */
} piece;

typedef struct {
    uint32_t start, end;
    uint32_t inner_start, inner_end; /* without the punctuation around that is not of its style */
    guint style;                     /* LAYOUT_SPAN_BOLD | LAYOUT_SPAN_ITALIC */
    gboolean neutral;
} word;

/* Which characters of this text could act as markup, so must be escaped. */
typedef struct {
    gboolean star, underscore, tilde, backtick, dollar, angle, bracket_paren;
} danger;

static gboolean
is_space_at(const char *text, uint32_t at)
{
    return g_unichar_isspace(g_utf8_get_char(text + at)) || (guchar)text[at] < 0x20;
}

static uint32_t
next_char(const char *text, uint32_t at)
{
    return at + (guchar)g_utf8_skip[(guchar)text[at]];
}

/* ---- pieces ---- */

static gboolean
is_external(const char *target)
{
    return target && target[0] != '#' && target[0] != '\0' && !strpbrk(target, " \n<>");
}

static gboolean
is_math(const char *latex)
{
    return latex && latex[strspn(latex, " ")] != '\0' && !strpbrk(latex, "$\n`");
}

static void
classify(piece *p, const layout_span *span)
{
    p->kind = PIECE_TEXT;
    p->target = NULL;
    if ((span->flags & LAYOUT_SPAN_LINK) && is_external(span->target)) {
        p->kind = PIECE_LINK;
        p->target = span->target;
    } else if ((span->flags & LAYOUT_SPAN_MATH) && is_math(span->target)) {
        p->kind = PIECE_MATH;
        p->target = span->target;
    } else if (span->flags & LAYOUT_SPAN_MONO) {
        p->kind = PIECE_MONO;
    } else if (span->flags & LAYOUT_SPAN_SUPERSCRIPT) {
        p->kind = PIECE_SUP;
    } else if (span->flags & LAYOUT_SPAN_SUBSCRIPT) {
        p->kind = PIECE_SUB;
    } else if (span->flags & LAYOUT_SPAN_STRUCK) {
        p->kind = PIECE_STRUCK;
    }
}

static gboolean
is_blank(const char *text, uint32_t start, uint32_t end)
{
    for (uint32_t at = start; at < end; at = next_char(text, at)) {
        if (!is_space_at(text, at)) return FALSE;
    }
    return TRUE;
}

/* Append p without the blanks at its ends, or lengthen its predecessor when both are one thing in two
 * spans: a link over two fonts, code over two words. */
static void
add_piece(GArray *pieces, const char *text, piece p)
{
    while (p.start < p.end && is_space_at(text, p.start))
        p.start = next_char(text, p.start);
    while (p.end > p.start && (guchar)text[p.end - 1] <= ' ')
        p.end--;
    /* a link's rectangle takes the full stop behind it along */
    while (p.kind == PIECE_LINK && p.end > p.start + 1 && strchr(".,;:", text[p.end - 1]))
        p.end--;
    if (p.start == p.end) return;
    if (pieces->len > 0) {
        piece *last = &g_array_index(pieces, piece, pieces->len - 1);
        const gboolean over_blank =
            p.kind == PIECE_LINK || p.kind == PIECE_MONO || p.kind == PIECE_STRUCK;
        if (last->kind == p.kind && p.kind != PIECE_MATH && p.kind != PIECE_CALL &&
            g_strcmp0(last->target, p.target) == 0 &&
            (last->end == p.start || (over_blank && is_blank(text, last->end, p.start)))) {
            last->end = p.end;
            return;
        }
    }
    g_array_append_val(pieces, p);
}

/* Everything that is not plain text, in order. */
static GArray *
find_pieces(const char *text, const layout_span *spans, guint n_spans,
            const layout_note_call *calls, guint n_calls)
{
    GArray *pieces = g_array_new(FALSE, FALSE, sizeof(piece));
    guint c = 0;
    for (guint s = 0; s < n_spans || c < n_calls;) {
        if (c < n_calls && (s == n_spans || calls[c].start <= spans[s].start)) {
            piece p = {PIECE_CALL, calls[c].start, calls[c].start + calls[c].len, NULL,
                       calls[c].number};
            add_piece(pieces, text, p);
            while (s < n_spans && spans[s].start < p.end)
                s++;
            c++;
            continue;
        }
        piece p = {PIECE_TEXT, spans[s].start, spans[s].start + spans[s].len, NULL, 0};
        classify(&p, &spans[s]);
        if (p.kind != PIECE_TEXT) add_piece(pieces, text, p);
        s++;
    }
    return pieces;
}

/* ---- words and their emphasis ---- */

static GArray *
find_words(const char *text, uint32_t len)
{
    GArray *words = g_array_new(FALSE, FALSE, sizeof(word));
    for (uint32_t at = 0; at < len;) {
        while (at < len && is_space_at(text, at))
            at = next_char(text, at);
        word w = {.start = at, .end = at};
        while (w.end < len && !is_space_at(text, w.end))
            w.end = next_char(text, w.end);
        at = w.end;
        w.inner_start = w.start;
        w.inner_end = w.end;
        if (w.end > w.start) g_array_append_val(words, w);
    }
    return words;
}

static guint
count_letters(const char *text, uint32_t start, uint32_t end)
{
    guint n = 0;
    for (uint32_t at = start; at < end; at = next_char(text, at))
        n += g_unichar_isalnum(g_utf8_get_char(text + at)) ? 1 : 0;
    return n;
}

/* May a marker stand at this byte inside a word? Not between two letters, which would cut the word; and where a
 * sign is on the marked side, a sign must be on the other, or readers do not see a marker there. */
static gboolean
is_marker_place(const char *text, uint32_t at, gboolean opening)
{
    const gunichar before = g_utf8_get_char(g_utf8_prev_char(text + at));
    const gunichar after = g_utf8_get_char(text + at);
    const gunichar inside = opening ? after : before, outside = opening ? before : after;
    if (!g_unichar_ispunct(outside)) return FALSE;
    return g_unichar_isalnum(inside) || g_unichar_ispunct(inside);
}

/* Move the inner borders to where the style begins and ends: "*Nature*, 3", "(*in vitro*)", "*34*(2)". spans[s] is
 * the first one that ends after the word's start. */
static void
trim_word(word *w, const char *text, const layout_span *spans, guint n_spans, guint s)
{
    const guint styled = w->style | LAYOUT_SPAN_SUPERSCRIPT | LAYOUT_SPAN_SUBSCRIPT;
    uint32_t start = w->end, end = w->start;
    for (guint k = s; k < n_spans && spans[k].start < w->end; k++) {
        if (!(spans[k].flags & styled)) continue;
        start = MIN(start, MAX(spans[k].start, w->start));
        end = MIN(spans[k].start + spans[k].len, w->end);
    }
    if (start >= end) return;
    if (start > w->start && is_marker_place(text, start, TRUE)) w->inner_start = start;
    if (end < w->end && is_marker_place(text, end, FALSE)) w->inner_end = end;
}

static void
style_words(GArray *words, const char *text, const layout_span *spans, guint n_spans,
            const GArray *pieces)
{
    guint s = 0, p = 0;
    for (guint i = 0; i < words->len; i++) {
        word *w = &g_array_index(words, word, i);
        while (p < pieces->len && g_array_index(pieces, piece, p).end <= w->start)
            p++;
        gboolean opaque = FALSE;
        for (guint k = p; k < pieces->len && g_array_index(pieces, piece, k).start < w->end; k++)
            opaque |= g_array_index(pieces, piece, k).kind >= PIECE_MONO;
        while (s < n_spans && spans[s].start + spans[s].len <= w->start)
            s++;
        if (opaque) continue;
        guint total = count_letters(text, w->start, w->end), bold = 0, italic = 0;
        for (guint k = s; k < n_spans && spans[k].start < w->end; k++) {
            const uint32_t from = MAX(spans[k].start, w->start);
            const guint n = count_letters(text, from, MIN(spans[k].start + spans[k].len, w->end));
            /* a raised or lowered index has no say in the style of its word */
            if (spans[k].flags & (LAYOUT_SPAN_SUPERSCRIPT | LAYOUT_SPAN_SUBSCRIPT))
                total -= MIN(n, total);
            else if (spans[k].flags & LAYOUT_SPAN_MATH)
                continue;
            else {
                bold += (spans[k].flags & LAYOUT_SPAN_BOLD) ? n : 0;
                italic += (spans[k].flags & LAYOUT_SPAN_ITALIC) ? n : 0;
            }
        }
        w->neutral = total == 0;
        if (2 * bold > total) w->style |= LAYOUT_SPAN_BOLD;
        if (2 * italic > total) w->style |= LAYOUT_SPAN_ITALIC;
        if (w->style != 0) trim_word(w, text, spans, n_spans, s);
    }
    /* a dash between two bold words belongs to them */
    for (guint i = 1; i + 1 < words->len; i++) {
        word *w = &g_array_index(words, word, i);
        if (w->neutral) w->style = w[-1].style & w[1].style;
    }
}

/* A style that most of a long text has is its typeface (a theorem, an abstract), not an emphasis. */
static void
drop_typeface(GArray *words)
{
    for (guint style = LAYOUT_SPAN_BOLD; style <= LAYOUT_SPAN_ITALIC; style <<= 1) {
        guint n = 0;
        for (guint i = 0; i < words->len; i++)
            n += (g_array_index(words, word, i).style & style) ? 1 : 0;
        if (words->len < 12 || n * 10 < words->len * 6) continue;
        for (guint i = 0; i < words->len; i++)
            g_array_index(words, word, i).style &= ~style;
    }
}

/* ---- escaping ---- */

static gboolean
is_ascii_punct(guchar c)
{
    return g_ascii_ispunct((char)c);
}

/* Can the delimiter run that the byte at belongs to open or close something? (CommonMark 6.2) */
static void
flanking(const char *text, uint32_t len, uint32_t at, gboolean *opens, gboolean *closes)
{
    const char c = text[at];
    uint32_t first = at, end = at + 1;
    while (first > 0 && text[first - 1] == c)
        first--;
    while (end < len && text[end] == c)
        end++;
    const gunichar before = first > 0 ? g_utf8_get_char(g_utf8_prev_char(text + first)) : ' ';
    const gunichar after = end < len ? g_utf8_get_char(text + end) : ' ';
    const gboolean space_before = g_unichar_isspace(before), space_after = g_unichar_isspace(after);
    const gboolean punct_before = g_unichar_ispunct(before), punct_after = g_unichar_ispunct(after);
    const gboolean left = !space_after && (!punct_after || space_before || punct_before);
    const gboolean right = !space_before && (!punct_before || space_after || punct_after);
    *opens = c == '_' ? left && (!right || punct_before) : left;
    *closes = c == '_' ? right && (!left || punct_after) : right;
}

/* Can this dollar end mathematics? Readers ask for no space before it and no digit behind, for the sake of prices. */
static gboolean
closes_math(const char *text, uint32_t len, uint32_t at)
{
    if (at == 0 || g_ascii_isspace(text[at - 1])) return FALSE;
    return at + 1 >= len || !g_ascii_isdigit(text[at + 1]);
}

static danger
find_danger(const char *text, uint32_t len, gboolean has_emphasis, const GArray *pieces)
{
    danger d = {0};
    gboolean star_open = has_emphasis, underscore_open = FALSE, tilde_open = FALSE;
    guint n_ticks = 0, n_dollars = 0;
    for (guint i = 0; i < pieces->len; i++) {
        n_ticks += g_array_index(pieces, piece, i).kind == PIECE_MONO;
        d.dollar |= g_array_index(pieces, piece, i).kind == PIECE_MATH;
        d.bracket_paren |= g_array_index(pieces, piece, i).kind == PIECE_LINK;
        d.tilde |= g_array_index(pieces, piece, i).kind == PIECE_STRUCK;
    }
    for (uint32_t i = 0; i < len; i++) {
        gboolean opens, closes;
        switch (text[i]) {
        case '*':
            flanking(text, len, i, &opens, &closes);
            d.star |= star_open && (closes || (has_emphasis && opens));
            star_open |= opens;
            break;
        case '_':
            flanking(text, len, i, &opens, &closes);
            /* our own markers beside it can turn a closing one into an opening one */
            d.underscore |= (underscore_open && closes) || (has_emphasis && (opens || closes));
            underscore_open |= opens;
            break;
        case '~':
            flanking(text, len, i, &opens, &closes);
            d.tilde |= tilde_open && closes;
            tilde_open |= opens;
            break;
        case '`':
            d.backtick |= ++n_ticks > 1;
            break;
        case '$':
            d.dollar |= n_dollars++ > 0 && closes_math(text, len, i);
            break;
        case '>':
            d.angle = TRUE;
            break;
        default:
            break;
        }
    }
    return d;
}

static gboolean
is_entity(const char *text, uint32_t len, uint32_t at)
{
    uint32_t end = at + 1;
    while (end < len && end - at < 33 && (g_ascii_isalnum(text[end]) || text[end] == '#'))
        end++;
    return end > at + 1 && end < len && text[end] == ';';
}

static gboolean
needs_escape(const char *text, uint32_t len, uint32_t at, const danger *d)
{
    const char next = at + 1 < len ? text[at + 1] : '\0';
    gboolean opens, closes;
    switch (text[at]) {
    case '\\':
        return next == '\0' || next == ' ' || (guchar)next >= 0x80 || is_ascii_punct((guchar)next);
    case '*':
        if (!d->star) return FALSE;
        flanking(text, len, at, &opens, &closes);
        return opens || closes;
    case '_':
        if (!d->underscore) return FALSE;
        flanking(text, len, at, &opens, &closes);
        return opens || closes;
    case '~':
        if (!d->tilde) return FALSE;
        flanking(text, len, at, &opens, &closes);
        return opens || closes;
    case '`':
        return d->backtick;
    case '$':
        return d->dollar;
    case '<':
        return (d->angle || at == 0) && (g_ascii_isalpha(next) || (next && strchr("/!?", next)));
    case '&':
        return is_entity(text, len, at);
    case '[':
        return next == '^';
    case ']':
        return next == '(';
    default:
        return FALSE;
    }
}

/* Readers make a link of a bare URL as it stands. */
static gboolean
is_url_word(const char *text, uint32_t start, uint32_t end)
{
    const char *word_start = text + start;
    const gssize n = (gssize)(end - start);
    return g_strstr_len(word_start, n, "http://") || g_strstr_len(word_start, n, "https://") ||
           g_strstr_len(word_start, n, "www.");
}

static void
append_escaped(GString *out, const char *text, uint32_t len, uint32_t start, uint32_t end,
               const danger *d)
{
    for (uint32_t i = start; i < end; i++) {
        const guchar c = (guchar)text[i];
        if (c < 0x20) {
            g_string_append_c(out, ' ');
            continue;
        }
        if (is_ascii_punct(c) && needs_escape(text, len, i, d)) g_string_append_c(out, '\\');
        g_string_append_c(out, (char)c);
    }
}

/* ---- pieces as text ---- */

static void
append_code(GString *out, const char *text, uint32_t start, uint32_t end)
{
    guint longest = 0, run = 0;
    for (uint32_t i = start; i < end; i++) {
        run = text[i] == '`' ? run + 1 : 0;
        longest = MAX(longest, run);
    }
    /* a fence longer than any run inside; a blank keeps it apart from a backtick at the border */
    const gboolean pad = text[start] == '`' || text[end - 1] == '`';
    for (guint i = 0; i <= longest; i++)
        g_string_append_c(out, '`');
    if (pad) g_string_append_c(out, ' ');
    for (uint32_t i = start; i < end; i++)
        g_string_append_c(out, (guchar)text[i] < 0x20 ? ' ' : text[i]);
    if (pad) g_string_append_c(out, ' ');
    for (guint i = 0; i <= longest; i++)
        g_string_append_c(out, '`');
}

/* A line's end may have left a blank inside a printed URL. */
static gboolean
equal_without_blanks(const char *shown, const char *address)
{
    for (; *shown; shown++) {
        if (*shown == ' ') continue;
        if (*shown != *address) return FALSE;
        address++;
    }
    return *address == '\0';
}

static void
append_link(GString *out, const char *text, uint32_t len, const piece *p, const danger *d)
{
    const uint32_t n = p->end - p->start;
    g_autofree char *shown = g_strndup(text + p->start, n);
    const char *address = g_str_has_prefix(p->target, "mailto:") ? p->target + 7 : p->target;
    /* an address that is its own text is a link in every reader as it stands */
    if (equal_without_blanks(shown, address)) {
        g_string_append(out, address);
        return;
    }
    if (is_url_word(text, p->start, p->end)) {
        g_string_append(out, shown);
        return;
    }
    g_string_append_c(out, '[');
    append_escaped(out, text, len, p->start, p->end, d);
    g_string_append(out, strpbrk(p->target, "()") ? "](<" : "](");
    g_string_append(out, p->target);
    g_string_append(out, strpbrk(p->target, "()") ? ">)" : ")");
}

/* "⁻³" for "−3": where Unicode has all the characters, raised or lowered, they need no markup. */
gboolean
layout_append_script(GString *out, const char *text, uint32_t start, uint32_t end, gboolean up)
{
    static const char plain[] = "0123456789+-=()";
    static const char *const raised[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷",
                                         "⁸", "⁹", "⁺", "⁻", "⁼", "⁽", "⁾"};
    static const char *const lowered[] = {"₀", "₁", "₂", "₃", "₄", "₅", "₆", "₇",
                                          "₈", "₉", "₊", "₋", "₌", "₍", "₎"};
    const gsize before = out->len;
    for (uint32_t at = start; at < end; at = next_char(text, at)) {
        const gboolean minus = g_utf8_get_char(text + at) == 0x2212;
        const char *found = strchr(plain, minus ? '-' : text[at]);
        if (!found || !*found) {
            g_string_truncate(out, before);
            return FALSE;
        }
        g_string_append(out, (up ? raised : lowered)[found - plain]);
    }
    return TRUE;
}

/* Do readers see "~~" here as marks around text (CommonMark's flanking runs)? Where a sign is next to a letter, and beside
 * another tilde, they do not. */
static gboolean
takes_tildes(const char *text, uint32_t len, uint32_t start, uint32_t end)
{
    const gunichar first = g_utf8_get_char(text + start);
    const gunichar last = g_utf8_get_char(g_utf8_prev_char(text + end));
    const gunichar before = start > 0 ? g_utf8_get_char(g_utf8_prev_char(text + start)) : ' ';
    const gunichar after = end < len ? g_utf8_get_char(text + end) : ' ';
    if (first == '~' || last == '~' || before == '~' || after == '~') return FALSE;
    return !(g_unichar_ispunct(first) && g_unichar_isalnum(before)) &&
           !(g_unichar_ispunct(last) && g_unichar_isalnum(after));
}

static void
append_piece(GString *out, const char *text, uint32_t len, const piece *p, const danger *d)
{
    g_autofree char *shown = NULL;
    switch (p->kind) {
    case PIECE_TEXT:
        break;
    case PIECE_SUP:
    case PIECE_SUB:
        if (layout_append_script(out, text, p->start, p->end, p->kind == PIECE_SUP)) break;
        shown = g_strndup(text + p->start, p->end - p->start);
        g_string_append(out, p->kind == PIECE_SUP ? "<sup>" : "<sub>");
        append_escaped(out, text, len, p->start, p->end, d);
        g_string_append(out, p->kind == PIECE_SUP ? "</sup>" : "</sub>");
        break;
    case PIECE_STRUCK: {
        const char *sign = takes_tildes(text, len, p->start, p->end) ? "~~" : NULL;
        g_string_append(out, sign != NULL ? sign : "<del>");
        append_escaped(out, text, len, p->start, p->end, d);
        g_string_append(out, sign != NULL ? sign : "</del>");
        break;
    }
    case PIECE_MONO:
        append_code(out, text, p->start, p->end);
        break;
    case PIECE_MATH:
        shown = g_strstrip(g_strdup(p->target));
        /* "$a$$b$" would begin a display formula */
        if (out->len > 0 && out->str[out->len - 1] == '$') g_string_append_c(out, ' ');
        g_string_append_printf(out, "$%s$", shown);
        break;
    case PIECE_LINK:
        append_link(out, text, len, p, d);
        break;
    case PIECE_CALL:
        g_string_append_printf(out, "[^%u]", p->number);
        break;
    }
}

static void
append_markers(GString *out, guint style)
{
    if (style & LAYOUT_SPAN_BOLD) g_string_append(out, "**");
    if (style & LAYOUT_SPAN_ITALIC) g_string_append_c(out, '*');
}

/* The text between start and end with the pieces inside; *p is the first piece not yet written. */
static void
append_stretch(GString *out, const char *text, uint32_t len, uint32_t start, uint32_t end,
               const GArray *pieces, guint *p, const danger *d)
{
    uint32_t at = start;
    while (*p < pieces->len && g_array_index(pieces, piece, *p).start < end) {
        const piece *next = &g_array_index(pieces, piece, *p);
        append_escaped(out, text, len, at, next->start, d);
        append_piece(out, text, len, next, d);
        at = next->end;
        (*p)++;
    }
    if (at < end) append_escaped(out, text, len, at, end, d);
}

void
markdown_inline(GString *out, const char *text, uint32_t len, const layout_span *spans,
                guint n_spans, const layout_note_call *calls, guint n_calls, guint flags)
{
    g_autoptr(GArray) pieces = find_pieces(text, spans, n_spans, calls, n_calls);
    g_autoptr(GArray) words = find_words(text, len);
    if (!(flags & MARKDOWN_NO_EMPHASIS)) {
        style_words(words, text, spans, n_spans, pieces);
        drop_typeface(words);
    }
    gboolean has_emphasis = FALSE;
    for (guint i = 0; i < words->len; i++)
        has_emphasis |= g_array_index(words, word, i).style != 0;
    const danger d = find_danger(text, len, has_emphasis, pieces);

    guint style = 0, p = 0;
    uint32_t written = 0; /* a link or code over several words is written with its first */
    for (guint i = 0; i < words->len; i++) {
        const word *w = &g_array_index(words, word, i);
        if (w->end <= written) continue;
        if (i > 0 && w->start >= written) g_string_append_c(out, ' ');
        uint32_t at = MAX(w->start, written);
        if (style != w->style) {
            append_stretch(out, text, len, at, MAX(at, w->inner_start), pieces, &p, &d);
            at = MAX(at, w->inner_start);
            append_markers(out, w->style);
            style = w->style;
        }
        const guint next_style = i + 1 < words->len ? w[1].style : 0;
        if (next_style != style) {
            append_stretch(out, text, len, at, MAX(at, w->inner_end), pieces, &p, &d);
            at = MAX(at, w->inner_end);
            append_markers(out, style);
            style = 0;
        }
        append_stretch(out, text, len, at, MAX(at, w->end), pieces, &p, &d);
        written = w->end;
        if (p > 0) written = MAX(written, g_array_index(pieces, piece, p - 1).end);
    }
}

void
markdown_escape_block_start(GString *out, gsize start)
{
    const char *s = out->str + start;
    gsize at = 0;
    gboolean escape = FALSE;
    const size_t hashes = strspn(s, "#"), digits = strspn(s, "0123456789");
    if (hashes >= 1 && hashes <= 6) {
        escape = s[hashes] == ' ' || s[hashes] == '\0';
    } else if (s[0] == '>') {
        escape = TRUE;
    } else if (s[0] == '-' || s[0] == '+' || s[0] == '*' || s[0] == '_') {
        const char rule[] = {s[0], ' ', '\0'};
        escape = (s[0] != '_' && (s[1] == ' ' || s[1] == '\0')) || strspn(s, rule) == strlen(s);
    } else if (digits >= 1 && digits <= 9 && (s[digits] == '.' || s[digits] == ')')) {
        escape = s[digits + 1] == ' ' || s[digits + 1] == '\0';
        at = digits;
    } else if (g_str_has_prefix(s, "```") || g_str_has_prefix(s, "~~~")) {
        escape = TRUE;
    } else if (s[0] == '[') {
        const char *end = strchr(s, ']');
        escape = end && end[1] == ':' && s[1] != '^';
        /* "[ ]" and "[x]" at the start of a list item are check boxes */
        escape |= s[1] && s[2] == ']' && s[3] == ' ' && strchr(" xX", s[1]);
    }
    if (escape) g_string_insert_c(out, (gssize)(start + at), '\\');
}

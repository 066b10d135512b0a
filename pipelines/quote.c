/* A quote and a source -> where the one stands in the other; see quote.h. Both texts are brought to the same form first,
 * see quote_normal.c. */
#include "pipelines/quote.h"

#include <string.h>

#include "pipelines/quote_normal.h"

enum { MAX_CELLS = 1 << 26 }; /* of an approximate search: a tenth of a second */

/* ---- borders ---- */

static gunichar
char_before(const char *text, size_t at)
{
    return at > 0 ? g_utf8_get_char(g_utf8_find_prev_char(text, text + at)) : 0;
}

/* Does [start, end) of text cut a word or a number in two? */
static gboolean
cuts(const char *text, size_t len, size_t start, size_t end)
{
    gunichar first = g_utf8_get_char(text + start), before = char_before(text, start);
    gunichar last = char_before(text, end), after = end < len ? g_utf8_get_char(text + end) : 0;
    if (g_unichar_isalnum(first) && g_unichar_isalnum(before)) return TRUE;
    if (g_unichar_isalnum(last) && g_unichar_isalnum(after)) return TRUE;
    if (g_unichar_isdigit(first)) {
        if (before == '.' || before == ',') {
            size_t point = start - 1;
            if (g_unichar_isdigit(char_before(text, point))) return TRUE;
        }
        /* the sign of a number; in "2-5" it is a range */
        if (quote_is_hyphen(before)) {
            size_t sign = (size_t)(g_utf8_find_prev_char(text, text + start) - text);
            gunichar ahead = char_before(text, sign);
            if (ahead == 0 || g_unichar_isspace(ahead) || ahead == '(' || ahead == '=') return TRUE;
        }
    }
    if (g_unichar_isdigit(last) && (after == '.' || after == ',') && end + 1 < len &&
        g_ascii_isdigit(text[end + 1]))
        return TRUE;
    return FALSE;
}

static gboolean
is_negation(const char *word, size_t len)
{
    static const char *const list[] = {"not",    "no",   "never", "without", "neither", "nor",
                                       "cannot", "non",  "lack",  "lacks",   "lacked",  "none",
                                       "hardly", "fail", "fails", "failed"};
    for (size_t i = 0; i < G_N_ELEMENTS(list); i++)
        if (strlen(list[i]) == len && g_ascii_strncasecmp(list[i], word, len) == 0) return TRUE;
    return len > 3 && (g_ascii_strncasecmp(word + len - 3, "n't", 3) == 0 ||
                       (len > 4 && memcmp(word + len - 5, "n\xE2\x80\x99t", 5) == 0));
}

/* Where the stretch begins once a negation right before it is part of it. */
static size_t
include_negation(const char *text, size_t start)
{
    size_t end = start;
    while (end > 0 && (text[end - 1] == ' ' || text[end - 1] == '\n'))
        end--;
    if (end == start && start > 0 && text[start - 1] != '-') return start;
    if (end > 0 && text[end - 1] == '-') end--; /* "non-significant" */
    size_t begin = end;
    while (begin > 0 && ((guchar)text[begin - 1] >= 0x80 || g_ascii_isalpha(text[begin - 1]) ||
                         text[begin - 1] == '\''))
        begin--;
    return begin < end && is_negation(text + begin, end - begin) ? begin : start;
}

static pipelines_alignment
found(pipelines_match match, double score, const char *source, size_t start, size_t end)
{
    start = include_negation(source, start);
    return (pipelines_alignment){match, score, start, end - start};
}

/* ---- exact ---- */

static pipelines_alignment
align_exact(const char *quote, size_t n_quote, const char *source, size_t n_source)
{
    for (const char *p = source; (p = strstr(p, quote)) != NULL; p++) {
        size_t start = (size_t)(p - source);
        if (!cuts(source, n_source, start, start + n_quote))
            return found(PIPELINES_MATCH_EXACT, 1, source, start, start + n_quote);
    }
    return (pipelines_alignment){0};
}

/* ---- normalised ---- */

/* Prefix function of Knuth, Morris and Pratt: a quote is found in time linear in both, whatever it repeats. */
static guint *
prefix_function(const GArray *quote)
{
    guint *borders = g_new0(guint, quote->len + 1);
    for (guint i = 1, k = 0; i < quote->len; i++) {
        while (k > 0 && quote_symbol_at(quote, i) != quote_symbol_at(quote, k))
            k = borders[k - 1];
        if (quote_symbol_at(quote, i) == quote_symbol_at(quote, k)) k++;
        borders[i] = k;
    }
    return borders;
}

static pipelines_alignment
align_normalised(const GArray *quote, const GArray *text, const char *source, size_t n_source)
{
    g_autofree guint *borders = prefix_function(quote);
    for (guint i = 0, k = 0; i < text->len; i++) {
        while (k > 0 && quote_symbol_at(text, i) != quote_symbol_at(quote, k))
            k = borders[k - 1];
        if (quote_symbol_at(text, i) == quote_symbol_at(quote, k)) k++;
        if (k < quote->len) continue;
        size_t start = g_array_index(text, quote_symbol, i + 1 - k).start;
        size_t end = g_array_index(text, quote_symbol, i).end;
        if (!cuts(source, n_source, start, end))
            return found(PIPELINES_MATCH_NORMALISED, 1, source, start, end);
        k = borders[k - 1];
    }
    return (pipelines_alignment){0};
}

/* ---- fuzzy ---- */

typedef struct {
    guint distance;
    guint start; /* first symbol of the source in this alignment */
} cell;

typedef struct {
    guint distance, start, end; /* symbols of the source */
} stretch;

/* The stretch of text with the smallest edit distance to the whole quote, if that is at most `most`. Columns are the
 * text's symbols; of each only the rows that can still come to `most` or less are kept. */
static gboolean
search_approximately(const GArray *quote, const GArray *text, guint most, stretch *best)
{
    guint n = quote->len, active = MIN(most + 1, n);
    g_autofree cell *column = g_new(cell, n + 1);
    g_autofree gunichar *wanted = g_new(gunichar, n);
    for (guint row = 0; row < n; row++)
        wanted[row] = quote_symbol_at(quote, row);
    for (guint row = 0; row <= n; row++)
        column[row] = (cell){row, 0};
    best->distance = most + 1;
    for (guint j = 0; j < text->len; j++) {
        gunichar c = quote_symbol_at(text, j);
        cell diagonal = column[0];
        column[0] = (cell){0, j + 1};
        guint last = MIN(active + 1, n);
        for (guint row = 1; row <= last; row++) {
            /* a row that has just come in was beyond the cut-off */
            cell left = row <= active ? column[row] : (cell){most + 1, j};
            cell cheapest = diagonal;
            if (wanted[row - 1] != c) cheapest.distance++;
            if (left.distance + 1 < cheapest.distance)
                cheapest = (cell){left.distance + 1, left.start};
            if (column[row - 1].distance + 1 < cheapest.distance)
                cheapest = (cell){column[row - 1].distance + 1, column[row - 1].start};
            diagonal = left;
            column[row] = cheapest;
        }
        active = last;
        while (active > 0 && column[active].distance > most)
            active--;
        if (active == n && column[n].distance < best->distance)
            *best = (stretch){column[n].distance, column[n].start, j + 1};
    }
    return best->distance <= most;
}

/* The words that a fuzzy match must have in common: what a single letter turns into its opposite. */
static gboolean
is_signal(const char *word, size_t len)
{
    static const char *const stems[] = {
        "above",    "after",   "agonis",     "all",      "antagonis", "any",     "before",
        "below",    "better",  "decreas",    "deni",     "down",      "except",  "exclud",
        "few",      "great",   "high",       "hyper",    "hypo",      "improv",  "includ",
        "increas",  "inhibit", "insignific", "larg",     "least",     "less",    "low",
        "major",    "max",     "min",        "more",     "most",      "negativ", "only",
        "over",     "positiv", "reduc",      "signific", "slow",      "small",   "some",
        "stimulat", "strong",  "under",      "up",       "weak",      "worse",   "activat",
        "fast",     "always",  "rarely",     "often"};
    if (is_negation(word, len)) return TRUE;
    for (size_t i = 0; i < G_N_ELEMENTS(stems); i++) {
        size_t n = strlen(stems[i]);
        if (len >= n && g_ascii_strncasecmp(word, stems[i], n) == 0 && (n > 3 || len <= n + 2))
            return TRUE;
    }
    return FALSE;
}

static gboolean
is_word_symbol(gunichar c)
{
    return g_unichar_isalnum(c) || g_unichar_ismark(c) || c == '%' || c == 0xB0 || c == '\'';
}

/* The words with digits, units behind them, capitals only, negations and directions, in order. */
static char *
signals(const GArray *text, guint start, guint end)
{
    g_autoptr(GString) out = g_string_new(NULL), word = g_string_new(NULL);
    gboolean after_number = FALSE;
    for (guint i = start; i <= end; i++) {
        gunichar c = i < end ? quote_symbol_at(text, i) : 0;
        gboolean inner = (c == '.' || c == ',' || c == '^' || c == '-') && i + 1 < end &&
                         g_unichar_isdigit(quote_symbol_at(text, i + 1));
        if (c != 0 && (is_word_symbol(c) || inner)) {
            g_string_append_unichar(word, c);
            continue;
        }
        if (c == '<' || c == '>' || c == '=' || c == 0x2264 || c == 0x2265 || c == 0xB1) {
            g_string_append_unichar(out, c);
            g_string_append_c(out, ' ');
        }
        if (word->len == 0) continue;
        gboolean digits = FALSE, lower = FALSE, upper = FALSE;
        for (const char *p = word->str; *p != '\0'; p = g_utf8_next_char(p)) {
            gunichar w = g_utf8_get_char(p);
            digits |= g_unichar_isdigit(w);
            lower |= g_unichar_islower(w);
            upper |= g_unichar_isupper(w);
        }
        gboolean short_unit = after_number && g_utf8_strlen(word->str, -1) <= 4;
        if (digits || short_unit || (upper && !lower && word->len > 1) || strchr(word->str, '%') ||
            is_signal(word->str, word->len))
            g_string_append_printf(out, "%s ", word->str);
        after_number = digits;
        g_string_truncate(word, 0);
    }
    return g_string_free(g_steal_pointer(&out), FALSE);
}

/* ---- fuzzy: words ---- */

typedef struct {
    guint start, len; /* symbols */
} word_range;

static GArray *
words_of(const GArray *text, guint start, guint end)
{
    GArray *words = g_array_new(FALSE, FALSE, sizeof(word_range));
    for (guint i = start; i < end;) {
        word_range w = {i, 0};
        while (i < end && is_word_symbol(quote_symbol_at(text, i)))
            i++;
        w.len = i - w.start;
        if (w.len > 0)
            g_array_append_val(words, w);
        else
            i++;
    }
    return words;
}

/* Are two words the same but for a quarter of their letters? Levenshtein's distance, row by row. */
static gboolean
is_slip(const GArray *a, const word_range *x, const GArray *b, const word_range *y)
{
    enum { MAX_WORD = 64 };
    if (x->len > MAX_WORD || y->len > MAX_WORD) return FALSE;
    guint row[MAX_WORD + 1];
    for (guint j = 0; j <= y->len; j++)
        row[j] = j;
    for (guint i = 1; i <= x->len; i++) {
        guint diagonal = row[0];
        row[0] = i;
        for (guint j = 1; j <= y->len; j++) {
            guint above = row[j];
            guint change =
                quote_symbol_at(a, x->start + i - 1) == quote_symbol_at(b, y->start + j - 1) ? 0
                                                                                             : 1;
            row[j] = MIN(diagonal + change, 1 + MIN(above, row[j - 1]));
            diagonal = above;
        }
    }
    return row[y->len] <= MAX(1, MAX(x->len, y->len) / 4);
}

/* Short words may come and go, but at either end; of the others each must be the other's slip, in order. */
static gboolean
says_the_same(const GArray *quote, const GArray *text, const stretch *s)
{
    enum { SHORT = 3 };
    g_autoptr(GArray) said = words_of(quote, 0, quote->len);
    g_autoptr(GArray) there = words_of(text, s->start, s->end);
    if (said->len == 0 || there->len == 0) return FALSE;
    const word_range *a = (const word_range *)(void *)said->data;
    const word_range *b = (const word_range *)(void *)there->data;
    guint i = 0, j = 0, n = said->len, m = there->len;
    if (!is_slip(quote, &a[0], text, &b[0]) || !is_slip(quote, &a[n - 1], text, &b[m - 1]))
        return FALSE;
    for (;; i++, j++) {
        while (i < n && a[i].len <= SHORT)
            i++;
        while (j < m && b[j].len <= SHORT)
            j++;
        if (i == n || j == m) return i == n && j == m;
        if (!is_slip(quote, &a[i], text, &b[j])) return FALSE;
    }
}

/* Widen a stretch of symbols to whole words. */
static void
widen(const GArray *text, stretch *s)
{
    while (s->start > 0 && g_unichar_isalnum(quote_symbol_at(text, s->start)) &&
           is_word_symbol(quote_symbol_at(text, s->start - 1)))
        s->start--;
    while (s->end < text->len && is_word_symbol(quote_symbol_at(text, s->end - 1)) &&
           is_word_symbol(quote_symbol_at(text, s->end)))
        s->end++;
}

static pipelines_alignment
align_fuzzy(const GArray *quote, const GArray *text, const char *source, size_t n_source)
{
    if (quote->len > PIPELINES_MAX_FUZZY || text->len == 0 ||
        (guint64)quote->len * text->len > MAX_CELLS)
        return (pipelines_alignment){0};
    guint most = (guint)((1 - PIPELINES_MIN_SIMILARITY) * quote->len + 1e-9);
    stretch best = {0};
    if (most == 0 || !search_approximately(quote, text, most, &best) || best.end <= best.start)
        return (pipelines_alignment){0};
    const guint found_len = best.end - best.start;
    widen(text, &best);
    best.distance += best.end - best.start - found_len;
    if (best.distance > most) return (pipelines_alignment){0};
    double score = 1 - (double)best.distance / quote->len;
    g_autofree char *said = signals(quote, 0, quote->len);
    g_autofree char *there = signals(text, best.start, best.end);
    if (strcmp(said, there) != 0 || !says_the_same(quote, text, &best))
        return (pipelines_alignment){0};
    size_t start = g_array_index(text, quote_symbol, best.start).start;
    size_t end = g_array_index(text, quote_symbol, best.end - 1).end;
    if (cuts(source, n_source, start, end)) return (pipelines_alignment){0};
    /* a negation that the quote leaves out at its very beginning turns it round */
    if (include_negation(source, start) != start) return (pipelines_alignment){0};
    return found(PIPELINES_MATCH_FUZZY, score, source, start, end);
}

/* ---- all of it ---- */

const char *
pipelines_match_name(pipelines_match match)
{
    static const char *const names[] = {"unverified", "exact", "normalised", "fuzzy"};
    return names[match];
}

pipelines_alignment
pipelines_align_quote(const char *quote, const char *source)
{
    g_autofree char *valid = g_utf8_make_valid(quote, -1);
    g_strstrip(valid);
    size_t n_quote = strlen(valid), n_source = strlen(source);
    if (n_quote == 0 || n_quote > G_MAXINT32 || n_source > G_MAXINT32)
        return (pipelines_alignment){0};
    pipelines_alignment result = align_exact(valid, n_quote, source, n_source);
    if (result.match != PIPELINES_MATCH_NONE) return result;
    g_autoptr(GArray) wanted = quote_normalise(valid, n_quote);
    g_autoptr(GArray) text = quote_normalise(source, n_source);
    if (wanted->len == 0) return (pipelines_alignment){0};
    result = align_normalised(wanted, text, source, n_source);
    if (result.match != PIPELINES_MATCH_NONE) return result;
    return align_fuzzy(wanted, text, source, n_source);
}

/* A quote and a source -> where the one stands in the other; see quote.h.
 *
 * Both texts are brought to the same form, each of whose characters remembers the bytes it came from:
 *
 *   compatibility decomposition (NFKD: ligatures, full width forms; two forms equal in NFKC are equal in it)
 *   soft hyphens and zero-width characters dropped
 *   a hyphen between letters dropped, with the white space behind it: "exam-\nple", "long-term" and "long- term"
 *     are what a line break makes of one another
 *   quotation marks to " and ', dashes and the minus sign to -, LaTeX's names to the characters they stand for
 *   raised digits to ^ and the digit: 10² is not 102
 *   white space to one blank, and to none before a comma and the like, inside brackets and around operators */
#include "pipelines/quote.h"

#include <string.h>

enum { MAX_CELLS = 1 << 26 }; /* of an approximate search: a tenth of a second */

typedef struct {
    gunichar c;
    uint32_t start, end; /* bytes of the original */
} symbol;

/* ---- normalised form ---- */

static gboolean
is_hyphen(gunichar c)
{
    return c == '-' || c == 0x2010 || c == 0x2011 || c == 0x2012 || c == 0x2013 || c == 0x2014 ||
           c == 0x2212;
}

static gboolean
is_dropped(gunichar c)
{
    return c == 0xAD || c == 0xFEFF || c == 0x2060 || (c >= 0x200B && c <= 0x200F) || c == '$' ||
           c == '{' || c == '}';
}

static gunichar
plain(gunichar c)
{
    switch (c) {
    case 0x2018:
    case 0x2019:
    case 0x201A:
    case 0x201B:
    case 0x2032:
    case 0xB4:
    case '`':
        return '\'';
    case 0x201C:
    case 0x201D:
    case 0x201E:
    case 0x2033:
    case 0xAB:
    case 0xBB:
        return '"';
    case 0x2217:
        return '*';
    case 0x223C:
        return '~';
    default:
        return is_hyphen(c) ? '-' : c;
    }
}

/* "\alpha" at text: the character, and how many bytes it takes; 0: none of ours. "\mathrm" and the like stand for
 * nothing. */
static size_t
latex_command(const char *text, size_t len, gunichar *c)
{
    static const struct {
        const char *name;
        gunichar c; /* 0: nothing */
    } commands[] = {{"alpha", 0x3B1},   {"beta", 0x3B2},       {"gamma", 0x3B3},   {"delta", 0x3B4},
                    {"epsilon", 0x3B5}, {"kappa", 0x3BA},      {"lambda", 0x3BB},  {"mu", 0x3BC},
                    {"pi", 0x3C0},      {"rho", 0x3C1},        {"sigma", 0x3C3},   {"tau", 0x3C4},
                    {"phi", 0x3C6},     {"omega", 0x3C9},      {"theta", 0x3B8},   {"Delta", 0x394},
                    {"times", 0xD7},    {"pm", 0xB1},          {"leq", 0x2264},    {"le", 0x2264},
                    {"geq", 0x2265},    {"ge", 0x2265},        {"approx", 0x2248}, {"sim", '~'},
                    {"cdot", 0xB7},     {"infty", 0x221E},     {"circ", 0xB0},     {"mathrm", 0},
                    {"text", 0},        {"mathbf", 0},         {"mathit", 0},      {"left", 0},
                    {"right", 0},       {"rightarrow", 0x2192}};
    if (len < 2 || text[0] != '\\') return 0;
    size_t n = 1;
    while (n < len && g_ascii_isalpha(text[n]))
        n++;
    if (n == 1) { /* "\%" */
        *c = (guchar)text[1] < 0x80 && g_ascii_ispunct(text[1]) ? (gunichar)text[1] : 0;
        return *c != 0 ? 2 : 0;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
        if (strlen(commands[i].name) != n - 1 || strncmp(commands[i].name, text + 1, n - 1) != 0)
            continue;
        *c = commands[i].c;
        return n;
    }
    return 0;
}

static void
push(GArray *symbols, gunichar c, size_t start, size_t end)
{
    symbol s = {c, (uint32_t)start, (uint32_t)end};
    g_array_append_val(symbols, s);
}

static gboolean
is_raised(gunichar c)
{
    return c == 0xB2 || c == 0xB3 || c == 0xB9 || c == 0x2070 || (c >= 0x2074 && c <= 0x2079) ||
           c == 0x207B;
}

/* One character of the original, decomposed. before: the one ahead of it. */
static void
push_character(GArray *symbols, gunichar before, gunichar c, size_t start, size_t end)
{
    if (is_dropped(c)) return;
    if (g_unichar_isspace(c)) {
        push(symbols, ' ', start, end);
        return;
    }
    gunichar parts[G_UNICHAR_MAX_DECOMPOSITION_LENGTH];
    gsize n = g_unichar_fully_decompose(plain(c), TRUE, parts, G_N_ELEMENTS(parts));
    if (is_raised(c) && !is_raised(before)) push(symbols, '^', start, end);
    for (gsize i = 0; i < MIN(n, G_N_ELEMENTS(parts)); i++)
        push(symbols, g_unichar_isspace(parts[i]) ? ' ' : plain(parts[i]), start, end);
}

static gunichar
symbol_at(const GArray *symbols, guint i)
{
    return i < symbols->len ? g_array_index(symbols, symbol, i).c : 0;
}

static gboolean
is_operator(gunichar c)
{
    switch (c) {
    case '=':
    case '<':
    case '>':
    case '~':
    case '/':
    case '+':
    case '*':
    case '^':
    case 0xB0:   /* degree */
    case 0xB1:   /* plus-minus */
    case 0xB7:   /* middle dot */
    case 0xD7:   /* times */
    case 0x2248: /* almost equal */
    case 0x2264:
    case 0x2265:
        return TRUE;
    default:
        return FALSE;
    }
}

/* May white space between these two go? */
static gboolean
closes_up(gunichar before, gunichar after)
{
    if (before == 0 || after == 0) return TRUE;
    if (g_unichar_isdigit(before) && (after == '.' || after == ',')) return FALSE;
    return is_operator(before) || is_operator(after) || before == '(' || before == '[' ||
           (after < 0x80 && strchr(".,;:!?)]%", (int)after) != NULL);
}

/* White space and hyphens, once it is known what stands on either side. */
static GArray *
tidy(const GArray *symbols)
{
    GArray *out = g_array_sized_new(FALSE, FALSE, sizeof(symbol), symbols->len);
    for (guint i = 0; i < symbols->len; i++) {
        const symbol *s = &g_array_index(symbols, symbol, i);
        gunichar before = symbol_at(out, out->len - 1);
        if (s->c == ' ') {
            guint next = i;
            while (symbol_at(symbols, next) == ' ')
                next++;
            if (!closes_up(before, symbol_at(symbols, next))) push(out, ' ', s->start, s->end);
            i = next - 1;
        } else if (s->c == '-' && g_unichar_isalpha(before)) {
            guint next = i + 1;
            while (symbol_at(symbols, next) == ' ')
                next++;
            gunichar after = symbol_at(symbols, next);
            gboolean joins = next > i + 1 ? g_unichar_islower(after) : g_unichar_isalpha(after);
            if (joins)
                i = next - 1;
            else
                g_array_append_val(out, *s);
        } else {
            g_array_append_val(out, *s);
        }
    }
    return out;
}

static GArray *
normalise(const char *text, size_t len)
{
    g_autoptr(GArray) symbols = g_array_sized_new(FALSE, FALSE, sizeof(symbol), (guint)len);
    gunichar before = 0;
    for (size_t at = 0; at < len;) {
        gunichar c = 0;
        size_t n = latex_command(text + at, len - at, &c);
        if (n == 0) {
            c = g_utf8_get_char(text + at);
            n = (size_t)(g_utf8_next_char(text + at) - (text + at));
        }
        if (c != 0) push_character(symbols, before, c, at, at + n);
        before = c;
        at += n;
    }
    return tidy(symbols);
}

char *
pipelines_normalise(const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    g_autoptr(GArray) symbols = normalise(valid, MIN(strlen(valid), G_MAXUINT32));
    GString *out = g_string_new(NULL);
    for (guint i = 0; i < symbols->len; i++)
        g_string_append_unichar(out, symbol_at(symbols, i));
    return g_string_free(out, FALSE);
}

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
        if (is_hyphen(before)) {
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
        while (k > 0 && symbol_at(quote, i) != symbol_at(quote, k))
            k = borders[k - 1];
        if (symbol_at(quote, i) == symbol_at(quote, k)) k++;
        borders[i] = k;
    }
    return borders;
}

static pipelines_alignment
align_normalised(const GArray *quote, const GArray *text, const char *source, size_t n_source)
{
    g_autofree guint *borders = prefix_function(quote);
    for (guint i = 0, k = 0; i < text->len; i++) {
        while (k > 0 && symbol_at(text, i) != symbol_at(quote, k))
            k = borders[k - 1];
        if (symbol_at(text, i) == symbol_at(quote, k)) k++;
        if (k < quote->len) continue;
        size_t start = g_array_index(text, symbol, i + 1 - k).start;
        size_t end = g_array_index(text, symbol, i).end;
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
        wanted[row] = symbol_at(quote, row);
    for (guint row = 0; row <= n; row++)
        column[row] = (cell){row, 0};
    best->distance = most + 1;
    for (guint j = 0; j < text->len; j++) {
        gunichar c = symbol_at(text, j);
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
        gunichar c = i < end ? symbol_at(text, i) : 0;
        gboolean inner = (c == '.' || c == ',' || c == '^' || c == '-') && i + 1 < end &&
                         g_unichar_isdigit(symbol_at(text, i + 1));
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
        while (i < end && is_word_symbol(symbol_at(text, i)))
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
            guint change = symbol_at(a, x->start + i - 1) == symbol_at(b, y->start + j - 1) ? 0 : 1;
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
    while (s->start > 0 && g_unichar_isalnum(symbol_at(text, s->start)) &&
           is_word_symbol(symbol_at(text, s->start - 1)))
        s->start--;
    while (s->end < text->len && is_word_symbol(symbol_at(text, s->end - 1)) &&
           is_word_symbol(symbol_at(text, s->end)))
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
    size_t start = g_array_index(text, symbol, best.start).start;
    size_t end = g_array_index(text, symbol, best.end - 1).end;
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
    g_autoptr(GArray) wanted = normalise(valid, n_quote);
    g_autoptr(GArray) text = normalise(source, n_source);
    if (wanted->len == 0) return (pipelines_alignment){0};
    result = align_normalised(wanted, text, source, n_source);
    if (result.match != PIPELINES_MATCH_NONE) return result;
    return align_fuzzy(wanted, text, source, n_source);
}

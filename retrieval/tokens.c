/* Words of scientific prose.
 *
 * What stands between white space and punctuation is a compound: letters and digits, joined by hyphens, slashes,
 * points and primes. Its parts are words, and so is the whole without its joints: "IL-2" is found as il, 2 and
 * il2, as "IL2" and "IL 2" are written by others.
 *
 *     TNF-α           tnf alpha tnfalpha        NFκB          nfkappab
 *     2,4-dinitro...  2 4 dinitro... 24dinitro  H₂O           h2o
 *     5mg/mL          5 mg ml 5mg               0.05, .05     0.05
 *     10,000          10000                     10 μm, µm     10 um
 *     naïve Müller's  naiv muller               mice, patients' English stems
 *     猫が好き          every character a word
 *
 * Greek letters are spelled out where they are symbols: alone, in pairs, or beside Latin letters and digits; a word
 * in Greek stays one. A micro sign before a unit is u. Accents and case are dropped, compatibility forms (ligatures,
 * subscripts, full width) resolved. */
#include "retrieval/tokens.h"

#include <string.h>

#include "retrieval/stem.h"

/* Longer words are numbers, sequences, encoded data: cut, and found by their beginning. */
enum { MAX_WORD = 64, MAX_PARTS = 32 };

typedef enum { CLASS_NONE, CLASS_LETTER, CLASS_DIGIT, CLASS_GREEK, CLASS_IDEOGRAPH } char_class;

static gboolean
is_greek(gunichar c)
{
    return c == 0xb5 || g_unichar_get_script(c) == G_UNICODE_SCRIPT_GREEK;
}

static char_class
class_of(gunichar c)
{
    if (c < 0x80) {
        if (g_ascii_isdigit((char)c)) return CLASS_DIGIT;
        return g_ascii_isalpha((char)c) ? CLASS_LETTER : CLASS_NONE;
    }
    if (is_greek(c) && g_unichar_isalpha(c)) return CLASS_GREEK;
    switch (g_unichar_get_script(c)) {
    case G_UNICODE_SCRIPT_HAN:
    case G_UNICODE_SCRIPT_HIRAGANA:
    case G_UNICODE_SCRIPT_KATAKANA:
    case G_UNICODE_SCRIPT_HANGUL:
    case G_UNICODE_SCRIPT_THAI:
        if (g_unichar_isalnum(c)) return CLASS_IDEOGRAPH;
        break;
    default:
        break;
    }
    if (g_unichar_isdigit(c)) return CLASS_DIGIT;
    switch (g_unichar_type(c)) {
    case G_UNICODE_OTHER_NUMBER: /* subscripts, superscripts, fractions */
        return CLASS_DIGIT;
    case G_UNICODE_LETTER_NUMBER:
    case G_UNICODE_PRIVATE_USE:
        return CLASS_LETTER;
    default:
        return g_unichar_isalpha(c) || g_unichar_ismark(c) ? CLASS_LETTER : CLASS_NONE;
    }
}

static gboolean
is_hyphen(gunichar c)
{
    return c == '-' || c == 0x2010 || c == 0x2011 || c == 0x2012 || c == 0x2013 || c == 0x2212 ||
           c == '/' || c == '_';
}

/* Invisible: drops out of the word it is in. */
static gboolean
is_ignored(gunichar c)
{
    return c == 0xad || c == 0x200b || c == 0x200c || c == 0x200d || c == 0x2060 || c == 0xfeff;
}

static gboolean
is_prime(gunichar c)
{
    return c == '\'' || c == 0x2019 || c == 0x2032;
}

/* ---- folding ---- */

static const char *
greek_name(gunichar c)
{
    static const char *const names[] = {
        "alpha", "beta",   "gamma",   "delta", "epsilon", "zeta",    "eta",  "theta", "iota",
        "kappa", "lambda", "mu",      "nu",    "xi",      "omicron", "pi",   "rho",   "sigma",
        "sigma", "tau",    "upsilon", "phi",   "chi",     "psi",     "omega"};
    if (c == 0xb5) return "mu";
    if (c >= 0x391 && c <= 0x3a9) c += 0x20;
    return c >= 0x3b1 && c <= 0x3c9 ? names[c - 0x3b1] : NULL;
}

typedef struct {
    char text[MAX_WORD + 8];
    size_t len;
    size_t start, end; /* in the source */
    guint n_letters, n_digits, n_greek, n_greek_run;
} word;

static void
append_bytes(word *w, const char *bytes, size_t n)
{
    if (n > MAX_WORD - MIN(w->len, MAX_WORD)) return;
    memcpy(w->text + w->len, bytes, n);
    w->len += n;
}

/* Lower case without accents; compatibility forms resolved. */
static void
append_folded(word *w, gunichar c)
{
    if (c < 0x80) {
        const char lower = g_ascii_tolower((char)c);
        append_bytes(w, &lower, 1);
        return;
    }
    gunichar parts[G_UNICHAR_MAX_DECOMPOSITION_LENGTH];
    const gsize n = g_unichar_fully_decompose(c, TRUE, parts, G_N_ELEMENTS(parts));
    for (gsize i = 0; i < n; i++) {
        char bytes[6];
        if (g_unichar_ismark(parts[i]) || class_of(parts[i]) == CLASS_NONE) continue;
        if (parts[i] == 0xdf) { /* sharp s */
            append_bytes(w, "ss", 2);
            continue;
        }
        append_bytes(w, bytes, (size_t)g_unichar_to_utf8(g_unichar_tolower(parts[i]), bytes));
    }
}

/* ---- reading a compound ---- */

typedef struct {
    const char *text;
    size_t len, pos;
    word parts[MAX_PARTS];
    guint n_parts;
    retrieval_token_func each;
    void *user_data;
    gboolean stopped;
} scanner;

/* The character at pos; 0 at the end; U+FFFD for what is no UTF-8. n: its bytes. */
static gunichar
peek(const scanner *s, size_t pos, size_t *n)
{
    *n = 1;
    if (pos >= s->len) return 0;
    const guchar first = (guchar)s->text[pos];
    if (first < 0x80) return first ? first : ' ';
    const gunichar c = g_utf8_get_char_validated(s->text + pos, (gssize)(s->len - pos));
    if (c == (gunichar)-1 || c == (gunichar)-2) return 0xfffd;
    *n = (size_t)g_utf8_skip[first];
    return c;
}

static char_class
peek_class(const scanner *s, size_t pos)
{
    size_t n;
    return class_of(peek(s, pos, &n));
}

static gboolean
digits_follow(const scanner *s, size_t pos, guint n)
{
    for (guint i = 0; i < n; i++)
        if (pos + i >= s->len || !g_ascii_isdigit(s->text[pos + i])) return FALSE;
    return pos + n >= s->len || !g_ascii_isdigit(s->text[pos + n]);
}

/* "2.5", "1,000": the mark at pos stands inside of a number. */
static gboolean
is_inside_number(const scanner *s, const word *w, size_t pos)
{
    const char mark = s->text[pos];
    if (w->n_digits == 0 || w->n_letters + w->n_greek > 0 || !g_ascii_isdigit(s->text[pos - 1]))
        return FALSE;
    if (mark == '.')
        return pos + 1 < s->len && g_ascii_isdigit(s->text[pos + 1]) &&
               memchr(w->text, '.', w->len) == NULL;
    return mark == ',' && w->n_digits <= 3 + 3 * 4 && digits_follow(s, pos + 1, 3);
}

static void
append_greek(word *w, gunichar c)
{
    const char *name = greek_name(c);
    if (name)
        append_bytes(w, name, strlen(name));
    else
        append_folded(w, c);
}

static gboolean
is_unit(const char *text, size_t len)
{
    static const char *const units[] = {"m",   "g",   "l",   "s",  "mol", "pa",  "ev",  "hz", "w",
                                        "v",   "a",   "b",   "j",  "n",   "k",   "c",   "h",  "t",
                                        "min", "da",  "bp",  "iu", "ppm", "db",  "rpm", "gy", "sv",
                                        "bar", "cal", "osm", "ci", "bq",  "ohm", "f"};
    static const char prefixes[] = "yzafpnumcdkMGT";
    for (int skip = 0; skip <= 1; skip++) {
        if (skip && (len < 2 || strchr(prefixes, text[0]) == NULL) && text[0] != 't') continue;
        for (gsize i = 0; i < G_N_ELEMENTS(units); i++)
            if (strlen(units[i]) == len - (size_t)skip &&
                memcmp(text + skip, units[i], len - (size_t)skip) == 0)
                return TRUE;
    }
    return FALSE;
}

/* Greek letters [from, to) that are symbols are spelled out; a Greek word is folded like any other. */
static void
append_greek_run(const scanner *s, word *w, size_t from, size_t to, guint n_run, gboolean is_symbol)
{
    enum { LONGEST_SYMBOL = 2 };
    if (n_run > 2 * LONGEST_SYMBOL) is_symbol = FALSE;
    for (size_t pos = from, n; pos < to; pos += n) {
        const gunichar c = peek(s, pos, &n);
        if (is_symbol || n_run <= LONGEST_SYMBOL)
            append_greek(w, c);
        else
            append_folded(w, c);
    }
    w->n_greek += n_run;
}

/* A micro sign and a unit: "um". */
static gboolean
append_micro(scanner *s, word *w)
{
    size_t n, len = 0;
    const gunichar c = peek(s, s->pos, &n);
    if ((c != 0xb5 && c != 0x3bc) || w->n_letters + w->n_greek > 0) return FALSE;
    char unit[4];
    while (len < sizeof unit && s->pos + n + len < s->len &&
           g_ascii_isalpha(s->text[s->pos + n + len])) {
        unit[len] = g_ascii_tolower(s->text[s->pos + n + len]);
        len++;
    }
    if (len == 0 || len == sizeof unit || !is_unit(unit, len) ||
        peek_class(s, s->pos + n + len) != CLASS_NONE)
        return FALSE;
    append_bytes(w, "u", 1);
    append_bytes(w, unit, len);
    w->n_letters += (guint)len + 1;
    s->pos += n + len;
    return TRUE;
}

/* Letters and digits from pos on: one part. */
static void
read_part(scanner *s, word *w)
{
    *w = (word){.start = s->pos};
    for (size_t n;;) {
        const gunichar c = peek(s, s->pos, &n);
        const char_class class = class_of(c);
        if (class == CLASS_GREEK) {
            if (append_micro(s, w)) continue;
            const size_t from = s->pos;
            guint n_run = 0;
            for (; peek_class(s, s->pos) == CLASS_GREEK; n_run++) {
                peek(s, s->pos, &n);
                s->pos += n;
            }
            const char_class next = peek_class(s, s->pos);
            append_greek_run(s, w, from, s->pos, n_run,
                             w->n_letters + w->n_digits > 0 || next == CLASS_LETTER ||
                                 next == CLASS_DIGIT);
        } else if (class == CLASS_LETTER || class == CLASS_DIGIT) {
            append_folded(w, c);
            if (class == CLASS_LETTER)
                w->n_letters++;
            else
                w->n_digits++;
            s->pos += n;
        } else if (c && is_ignored(c)) {
            s->pos += n;
        } else if (c < 0x80 && c && s->pos > w->start && is_inside_number(s, w, s->pos)) {
            if (c == '.') append_bytes(w, ".", 1);
            s->pos++;
        } else {
            break;
        }
    }
    w->end = s->pos;
}

/* A joint at pos with a part behind it; n: its bytes. */
static gboolean
is_joint(const scanner *s, size_t pos, size_t *n)
{
    const gunichar c = peek(s, pos, n);
    if (c == 0) return FALSE;
    size_t next = pos + *n, ignored;
    if (is_prime(c) && is_hyphen(peek(s, next, &ignored))) { /* 5'-UTR */
        next += ignored;
        *n += ignored;
    } else if (c == ',' && pos > 0 && g_ascii_isdigit(s->text[pos - 1])) { /* 2,4-dichloro... */
        size_t p = next;
        while (p < s->len && (g_ascii_isdigit(s->text[p]) || s->text[p] == ','))
            p++;
        if (p == next || !is_hyphen(peek(s, p, &ignored)) ||
            peek_class(s, p + ignored) != CLASS_LETTER)
            return FALSE;
    } else if (!is_hyphen(c) && !is_prime(c)) {
        return FALSE;
    }
    const char_class class = peek_class(s, next);
    return class == CLASS_LETTER || class == CLASS_DIGIT || class == CLASS_GREEK;
}

/* ---- giving out words ---- */

static gboolean
is_plain_english(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!g_ascii_islower(text[i])) return FALSE;
    return TRUE;
}

static void
give(scanner *s, const char *text, size_t len, size_t start, size_t end, gboolean is_colocated)
{
    char stem[MAX_WORD + 8];
    if (s->stopped || len == 0) return;
    retrieval_token token = {.text = text,
                             .len = len,
                             .start = start,
                             .end = end,
                             .is_colocated = is_colocated,
                             .plain = text,
                             .plain_len = len};
    if (is_plain_english(text, len)) {
        memcpy(stem, text, len);
        token.text = stem;
        token.len = retrieval_stem(stem, len);
    }
    if (!s->each(&token, s->user_data)) s->stopped = TRUE;
}

/* "5mg": a number with its unit. Length of the number, 0 where it is none. */
static size_t
number_length(const word *w)
{
    size_t n = 0;
    while (n < w->len && (g_ascii_isdigit(w->text[n]) || w->text[n] == '.'))
        n++;
    if (n == 0 || n == w->len || !is_unit(w->text + n, w->len - n)) return 0;
    return n;
}

static void
give_part(scanner *s, const word *w)
{
    const size_t n = number_length(w);
    if (n == 0) {
        give(s, w->text, w->len, w->start, w->end, FALSE);
        return;
    }
    give(s, w->text, n, w->start, w->end, FALSE);
    give(s, w->text + n, w->len - n, w->start, w->end, FALSE);
    give(s, w->text, w->len, w->start, w->end, TRUE);
}

static void
give_compound(scanner *s)
{
    word whole = {.start = s->parts[0].start};
    for (guint i = 0; i < s->n_parts; i++) {
        const word *w = &s->parts[i];
        give_part(s, w);
        append_bytes(&whole, w->text, w->len);
        whole.end = w->end;
    }
    if (s->n_parts > 1) give(s, whole.text, whole.len, whole.start, whole.end, TRUE);
}

/* Parts joined by hyphens; a possessive s and what a prime joins are no parts of their own. */
static void
read_compound(scanner *s)
{
    s->n_parts = 0;
    for (;;) {
        word *w = &s->parts[s->n_parts++];
        read_part(s, w);
        size_t n;
        while (is_prime(peek(s, s->pos, &n)) && is_joint(s, s->pos, &n)) {
            size_t ignored;
            if (!is_prime(peek(s, s->pos, &ignored)) || n != ignored) break;
            word rest;
            s->pos += n;
            read_part(s, &rest);
            if (rest.len != 1 || rest.text[0] != 's') append_bytes(w, rest.text, rest.len);
            w->end = rest.end;
        }
        if (s->n_parts == MAX_PARTS || !is_joint(s, s->pos, &n)) break;
        s->pos += n;
    }
    give_compound(s);
}

/* ".05" after something that is no number is 0.05. */
static gboolean
is_bare_fraction(const scanner *s, size_t pos)
{
    return s->text[pos] == '.' && pos + 1 < s->len && g_ascii_isdigit(s->text[pos + 1]) &&
           (pos == 0 || g_ascii_isspace(s->text[pos - 1]) || strchr("<>=([~", s->text[pos - 1]));
}

void
retrieval_tokenize(const char *text, size_t len, retrieval_token_func each, void *user_data)
{
    scanner s = {.text = text, .len = len, .each = each, .user_data = user_data};
    while (s.pos < len && !s.stopped) {
        size_t n;
        const gunichar c = peek(&s, s.pos, &n);
        const char_class class = class_of(c);
        if (class == CLASS_IDEOGRAPH) {
            word w = {.start = s.pos, .end = s.pos + n};
            append_bytes(&w, text + s.pos, n); /* no folding: the marks of kana are no accents */
            give(&s, w.text, w.len, w.start, w.end, FALSE);
            s.pos += n;
        } else if (class != CLASS_NONE) {
            read_compound(&s);
        } else if (is_bare_fraction(&s, s.pos)) {
            word w;
            s.pos++;
            read_part(&s, &w);
            char fraction[MAX_WORD + 8] = "0.";
            const size_t kept = MIN(w.len, (size_t)MAX_WORD - 2);
            memcpy(fraction + 2, w.text, kept);
            give(&s, fraction, kept + 2, w.start - 1, w.end, FALSE);
        } else {
            s.pos += n;
        }
    }
}

/* ---- FTS5 ---- */

static int
tokenizer_create(void *context, const char **args, int n_args, Fts5Tokenizer **out)
{
    (void)context;
    (void)args;
    (void)n_args;
    static char nothing; /* it has no state, but NULL would mean failure */
    *out = (Fts5Tokenizer *)(void *)&nothing;
    return SQLITE_OK;
}

static void
tokenizer_delete(Fts5Tokenizer *tokenizer)
{
    (void)tokenizer;
}

typedef int (*fts5_token_func)(void *, int, const char *, int, int, int);

typedef struct {
    fts5_token_func token;
    void *context;
    int code;
} fts5_sink;

static gboolean
give_to_fts5(const retrieval_token *token, void *user_data)
{
    fts5_sink *sink = user_data;
    sink->code = sink->token(sink->context, token->is_colocated ? FTS5_TOKEN_COLOCATED : 0,
                             token->text, (int)token->len, (int)token->start, (int)token->end);
    return sink->code == SQLITE_OK;
}

static int
tokenizer_tokenize(Fts5Tokenizer *tokenizer, void *context, int flags, const char *text, int len,
                   fts5_token_func token)
{
    (void)tokenizer;
    if (flags & FTS5_TOKENIZE_QUERY) return token(context, 0, text, len, 0, len);
    fts5_sink sink = {token, context, SQLITE_OK};
    if (text && len > 0) retrieval_tokenize(text, (size_t)len, give_to_fts5, &sink);
    return sink.code;
}

fts5_api *
retrieval_lookup_fts5(sqlite3 *db)
{
    fts5_api *api = NULL;
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db, "SELECT fts5(?1)", -1, &statement, NULL) == SQLITE_OK) {
        sqlite3_bind_pointer(statement, 1, &api, "fts5_api_ptr", NULL);
        sqlite3_step(statement);
    }
    sqlite3_finalize(statement);
    return api;
}

gboolean
retrieval_tokens_register(sqlite3 *db)
{
    fts5_api *api = retrieval_lookup_fts5(db);
    fts5_tokenizer tokenizer = {tokenizer_create, tokenizer_delete, tokenizer_tokenize};
    return api && api->xCreateTokenizer(api, "lode", NULL, &tokenizer, NULL) == SQLITE_OK;
}

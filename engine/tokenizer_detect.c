/* Molecules and proteins that stand in a text without tags, found as Intern-S1's own tokenizer finds them.
 *
 *   protein   27 capitals or more in a row (A to Z), whatever stands beside them
 *   molecule  ten SMILES units or more in a row, as many as there are, that neither begin nor end with : . or =; then
 *             no letter may touch them, five of their characters must be letters, and rings, brackets and bonds must
 *             make sense
 *
 * A unit is an atom in brackets, the symbol of an element (of two letters before one of one), a small aromatic one, or a
 * single character of the notation. A stretch that makes no sense is passed over as a whole. Only ASCII digits count as
 * digits here; the reference takes those of every script.
 *
 * Source of the rules: InternS1Tokenizer of Hugging Face transformers, without RDKit. */
#include "engine/tokenizer_impl.h"

#include <string.h>

#define LEAST_CAPITALS 27
#define LEAST_UNITS    10
#define LEAST_LETTERS  5

/* Elements of two letters, each behind a blank. */
static const char PAIRS[] = " Ac Ag Al Am Ar As At Au Ba Be Bh Bi Bk Br Ca Cd Ce Cf Cl Cm Cn Co Cr "
                            "Cs Cu Db Ds Dy Er Es Eu Fe Fl Fm Fr Ga"
                            " Gd Ge He Hf Hg Ho Hs In Ir Kr La Li Lr Lu Lv Mc Md Mg Mn Mo Mt Na Nb "
                            "Nd Ne Nh Ni No Np Og Os Pa Pb Pd Pm Po"
                            " Pr Pt Pu Ra Rb Re Rf Rg Rh Rn Ru Sb Sc Se Sg Si Sm Sn Sr Ta Tb Tc Te "
                            "Th Ti Tl Tm Ts Xe Yb Zn Zr";
#define SINGLES  "BCFHIKNOPSUVWY" /* elements of one letter */
#define AROMATIC "bcnosp"
#define BONDS    "-=#:/\\.$"
#define PLAIN    "BCNOPSFI" /* may stand outside of brackets */

static gboolean
is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static gboolean
is_pair(const char *s, size_t len)
{
    if (len < 2 || !g_ascii_isupper(s[0]) || !g_ascii_islower(s[1])) return FALSE;
    const char key[] = {' ', s[0], s[1], '\0'};
    return strstr(PAIRS, key) != NULL;
}

/* ---- does a stretch make sense? ---- */

/* Between brackets: no three letters in a row that are no H, no four digits, no more than two numbers. */
static gboolean
is_plausible_atom(const char *s, size_t len)
{
    size_t n_letters = 0, n_digits = 0, n_numbers = 0;

    for (size_t i = 0; i < len; i++) {
        n_letters = g_ascii_isalpha(s[i]) && s[i] != 'H' ? n_letters + 1 : 0;
        n_digits = g_ascii_isdigit(s[i]) ? n_digits + 1 : 0;
        if (n_digits == 1) n_numbers++;
        if (n_letters == 3 || n_digits == 4) return FALSE;
    }
    return n_numbers <= 2;
}

/* Up to the first atom in brackets that begins with an element none may be empty or hold a parenthesis. */
static gboolean
are_atoms_named(const char *s, size_t len)
{
    const char *open = NULL;

    for (const char *p = s; p < s + len; p++) {
        if (*p == '[') open = p + 1;
        if (*p != ']' || !open) continue;
        const size_t n = (size_t)(p - open);
        if (n == 0 || memchr(open, '(', n) || memchr(open, ')', n)) return FALSE;
        if (is_one_of(*open, SINGLES AROMATIC) || is_pair(open, n)) return TRUE;
        open = NULL;
    }
    return TRUE;
}

typedef struct {
    const char *s;
    size_t len, first_close; /* of the first ] */
    size_t n_open, n_close;  /* square ones */
    size_t n_left, n_right;  /* round ones */
    size_t n_rings;          /* ring numbers */
    gboolean any_capital;
    gboolean open_ring[110]; /* %00 to %99, then 0 to 9 */
} smiles_check;

/* An opening bracket at i. */
static gboolean
open_atom(smiles_check *c, size_t i)
{
    if (++c->n_open > c->n_close + 1 || i + 1 == c->len ||
        !memchr(c->s + i + 1, ']', c->len - i - 1))
        return FALSE;
    /* the reference looks for the first ] of all, so that only the first atom is looked into */
    return c->first_close <= i + 1 || is_plausible_atom(c->s + i + 1, c->first_close - i - 1);
}

/* The ring number at i, of one digit or, behind %, two. Returns what it takes; 0: it is none. */
static size_t
count_ring(smiles_check *c, size_t i)
{
    const char *s = c->s;

    if (s[i] != '%') {
        c->n_rings++;
        if (!(i > 0 && s[i - 1] == '%') && !(i > 1 && s[i - 2] == '%'))
            c->open_ring[100 + s[i] - '0'] ^= TRUE;
        return 1;
    }
    if (i + 2 >= c->len || !g_ascii_isdigit(s[i + 1]) || !g_ascii_isdigit(s[i + 2])) return 0;
    c->n_rings++;
    c->open_ring[10 * (s[i + 1] - '0') + s[i + 2] - '0'] ^= TRUE;
    return 3;
}

/* What character i takes along; 0: it may not stand there. */
static size_t
check_at(smiles_check *c, size_t i)
{
    const char *s = c->s;
    const gboolean bond = is_one_of(s[i], BONDS);

    if (g_ascii_isupper(s[i])) c->any_capital = TRUE;
    if (bond && (i == 0 || i + 1 == c->len || is_one_of(s[i - 1], BONDS))) return 0;
    switch (s[i]) {
    case '[':
        return open_atom(c, i) ? 1 : 0;
    case ']':
        return ++c->n_close <= c->n_open;
    case '(':
        c->n_left++;
        return 1;
    case ')':
        return ++c->n_right <= c->n_left;
    default:
        break;
    }
    if (c->n_open != c->n_close) return 1;
    if (g_ascii_isdigit(s[i]) || s[i] == '%') return count_ring(c, i);
    if (i + 1 < c->len && ((s[i] == 'C' && s[i + 1] == 'l') || (s[i] == 'B' && s[i + 1] == 'r')))
        return 2;
    return bond || is_one_of(s[i], PLAIN AROMATIC ";");
}

static gboolean
is_molecule(const char *s, size_t len)
{
    const char *close = memchr(s, ']', len);
    smiles_check c = {.s = s, .len = len, .first_close = close ? (size_t)(close - s) : 0};
    size_t n_letters = 0, step;

    for (size_t i = 0; i < len; i++)
        n_letters += g_ascii_isalpha(s[i]);
    if (n_letters < LEAST_LETTERS) return FALSE;
    for (size_t i = 0; i < len; i += step)
        if ((step = check_at(&c, i)) == 0) return FALSE;
    if (c.n_open != c.n_close || (!c.any_capital && c.n_rings < 2)) return FALSE;
    for (size_t i = 0; i < G_N_ELEMENTS(c.open_ring); i++)
        if (c.open_ring[i]) return FALSE;
    return are_atoms_named(s, len);
}

/* ---- stretches ---- */

/* The first ] behind a place, for places that mostly ascend: a text of opening brackets is not searched to its end for
 * each of them. */
typedef struct {
    size_t from, at; /* the first at or behind `from`; at == length: there is none */
    gboolean known;
} next_close;

static size_t
find_close(next_close *close, const char *s, size_t len, size_t i)
{
    if (!close->known || i < close->from || i > close->at) {
        const char *found = memchr(s + i, ']', len - i);
        *close = (next_close){i, found ? (size_t)(found - s) : len, TRUE};
    }
    return close->at;
}

/* Bytes of the unit at i; 0: none. */
static size_t
unit_at(const char *s, size_t len, size_t i, next_close *close)
{
    if (s[i] == '[') {
        const size_t at = find_close(close, s, len, i);
        return at < len && at > i + 1 ? at + 1 - i : 0;
    }
    if (is_pair(s + i, len - i)) return 2;
    return is_one_of(s[i], SINGLES AROMATIC "().=-#@$%*:+/\\") || g_ascii_isdigit(s[i]);
}

/* Where the stretch that begins at i ends; i: there is none. */
static size_t
stretch_at(const char *s, size_t len, size_t i, next_close *close)
{
    size_t end = i, n_units = 0, at = i, n;

    if (is_one_of(s[i], ":.=")) return i;
    while (at < len && (n = unit_at(s, len, at, close)) > 0) {
        at += n;
        if (++n_units >= LEAST_UNITS && !is_one_of(s[at - 1], ":.=")) end = at;
    }
    return end;
}

gboolean
tokenizer_detect_molecule(const char *text, size_t len, size_t *start, size_t *end)
{
    next_close close = {0};

    for (size_t i = *start; i < len;) {
        const size_t stop = stretch_at(text, len, i, &close);
        if (stop == i) {
            i++;
            continue;
        }
        if (is_molecule(text + i, stop - i) && !(i > 0 && g_ascii_isalpha(text[i - 1])) &&
            !(stop < len && g_ascii_isalpha(text[stop]))) {
            *start = i, *end = stop;
            return TRUE;
        }
        i = stop;
    }
    return FALSE;
}

gboolean
tokenizer_detect_protein(const char *text, size_t len, size_t *start, size_t *end)
{
    for (size_t i = *start, n; i < len; i += n + 1) {
        for (n = 0; i + n < len && g_ascii_isupper(text[i + n]); n++) {
        }
        if (n < LEAST_CAPITALS) continue;
        *start = i, *end = i + n;
        return TRUE;
    }
    return FALSE;
}

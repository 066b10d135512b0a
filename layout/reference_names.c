/* The authors at the start of a bibliography entry.
 *
 *   straight   Ada B. Lovelace, C. Babbage, and Laurens van der Maaten. Title
 *   inverted   Lovelace, A. B., Babbage, Charles & van der Maaten, L. (1843). Title
 *   mixed      Lovelace, A. B., C. Babbage, and L. van der Maaten (1843)
 *   bare       Lovelace AB, Babbage C. Title
 *
 * The first name tells which; a list ends where what follows a separator is no name, behind the name after "and", or
 * where a bracket, a quotation mark or italics begin. */
#include "layout/reference_parts.h"

#include <string.h>

#define MAX_TOKENS 1200

typedef enum {
    TOKEN_NAME,
    TOKEN_INITIAL,  /* "J." "J.-P." "M.J." and, without stops, "J" */
    TOKEN_INITIALS, /* "JP" */
    TOKEN_PARTICLE,
    TOKEN_SUFFIX, /* "Jr." */
    TOKEN_AND,
    TOKEN_ET_AL,
    TOKEN_COMMA,
    TOKEN_SEMICOLON,
    TOKEN_STOP, /* any other sign: the list cannot go on behind it */
    TOKEN_OTHER /* a word that is no name */
} token_kind;

typedef struct {
    token_kind kind;
    gsize start, end;
} token;

typedef enum { FORM_UNKNOWN, FORM_STRAIGHT, FORM_INVERTED, FORM_BARE } name_form;

typedef struct {
    const char *text;
    layout_builder *builder;
    GArray *tokens;
    GArray *names;
    name_form form;
    gboolean initials; /* straight names begin with initials here */
} name_parser;

/* ---- tokens ---- */

static gboolean
is_one_of(const char *word, gsize len, const char *const *list, guint n)
{
    for (guint i = 0; i < n; i++)
        if (strlen(list[i]) == len && memcmp(word, list[i], len) == 0) return TRUE;
    return FALSE;
}

static gboolean
is_particle(const char *word, gsize len)
{
    static const char *const particles[] = {
        "van", "von", "der", "den", "de",  "la", "le", "du",   "di",    "da",  "dos",
        "del", "ten", "ter", "zu",  "zur", "af", "al", "el",   "della", "bin", "ibn",
        "dal", "das", "vom", "do",  "'t",  "’t", "y",  "dell", "degli"};
    return is_one_of(word, len, particles, G_N_ELEMENTS(particles));
}

/* "J." "J.-P." "M.J.": every capital has its stop */
static gboolean
is_initials(const char *word, gsize len, gboolean *stops)
{
    guint n = 0, n_stops = 0;
    for (const char *at = word; at < word + len;) {
        const gunichar ch = g_utf8_get_char(at);
        if (g_unichar_isupper(ch))
            n++;
        else if (ch == '.' && n > 0)
            n_stops++;
        else if (ch != '-' && ch != 0x2010 && ch != 0x2011)
            return FALSE;
        at = g_utf8_next_char(at);
    }
    *stops = n_stops > 0;
    if (n_stops == 0) return n >= 1 && n <= 3;
    return n >= 1 && n <= 5 && (n_stops == n || n_stops + 1 == n);
}

/* "Lovelace", "O'Neil", "d'Alembert", "Cesa-Bianchi", "McAllester"; CJK names have no capitals */
static gboolean
is_name(const char *word, gsize len)
{
    gboolean upper = FALSE;
    guint letters = 0, n = 0;
    for (const char *at = word; at < word + len; at = g_utf8_next_char(at), n++) {
        const gunichar ch = g_utf8_get_char(at);
        if (g_unichar_isalpha(ch) || g_unichar_ismark(ch)) {
            letters++;
            if ((g_unichar_isupper(ch) || g_unichar_istitle(ch) || ch > 0x2E80) && n <= 3)
                upper = TRUE;
        } else if (ch != '-' && ch != '\'' && ch != 0x2019 && ch != 0x2010 && ch != 0x2011 &&
                   ch != '.' && ch != '`' && ch != 0x2BC && ch != 0xFFFD) {
            return FALSE;
        }
    }
    return upper && letters > 0;
}

static token_kind
word_kind(const char *word, gsize *len)
{
    static const char *const ands[] = {"and", "und", "&"};
    static const char *const suffixes[] = {"Jr",  "Jr.", "Sr",  "Sr.", "II",
                                           "III", "IV",  "2nd", "3rd"};
    gboolean stops = FALSE;
    if (is_one_of(word, *len, ands, G_N_ELEMENTS(ands))) return TOKEN_AND;
    if (is_one_of(word, *len, suffixes, G_N_ELEMENTS(suffixes))) return TOKEN_SUFFIX;
    if (is_initials(word, *len, &stops)) {
        const gboolean single = g_utf8_next_char(word) >= word + *len;
        return stops || single ? TOKEN_INITIAL : TOKEN_INITIALS;
    }
    /* the stop behind a word ends the list, most of the time */
    if (*len > 1 && word[*len - 1] == '.' && !(*len == 3 && memcmp(word, "St.", 3) == 0)) --*len;
    if (is_particle(word, *len)) return TOKEN_PARTICLE;
    return is_name(word, *len) ? TOKEN_NAME : TOKEN_OTHER;
}

/* Which sign stands at text? Its bytes, 0 for none. */
static gsize
sign_len(const char *text, token_kind *kind)
{
    *kind = TOKEN_STOP;
    if (*text == ',') *kind = TOKEN_COMMA;
    if (*text == ';') *kind = TOKEN_SEMICOLON;
    if (strchr(",;:()[]\".?!\x01/", *text) != NULL && *text != '\0') return 1;
    const gunichar ch = g_utf8_get_char(text);
    return ch == 0x201C || ch == 0x201D || ch == 0x2018 || ch == 0xAB || ch == 0x2014 ? 3 : 0;
}

static GArray *
tokenize(const char *text, gsize len, const guint8 *style)
{
    GArray *tokens = g_array_new(FALSE, FALSE, sizeof(token));
    const gboolean slanted = len > 0 && (style[0] & LAYOUT_SPAN_ITALIC);
    for (gsize at = 0; at < len && tokens->len < MAX_TOKENS;) {
        if (text[at] == ' ') {
            at++;
            continue;
        }
        /* what is set in italics is no longer the authors */
        if ((style[at] & LAYOUT_SPAN_ITALIC) && !slanted && strncmp(text + at, "et al", 5) != 0)
            break;
        token t = {.start = at};
        gsize n = sign_len(text + at, &t.kind);
        if (n == 0) {
            token_kind sign;
            while (at + n < len && text[at + n] != ' ' &&
                   (text[at + n] == '.' || sign_len(text + at + n, &sign) == 0))
                n += (gsize)g_utf8_skip[(guchar)text[at + n]];
            n = MIN(n, len - at);
            gsize word = n;
            t.kind = word_kind(text + at, &word);
            n = word;
        }
        t.end = at + n;
        at += n;
        if (strncmp(text + t.start, "et al", 5) == 0 && !g_ascii_isalpha(text[t.start + 5])) {
            t.kind = TOKEN_ET_AL;
            t.end = t.start + 5 + (text[t.start + 5] == '.' ? 1 : 0);
            at = t.end;
        } else if (t.end - t.start == 6 && strncmp(text + t.start, "others", 6) == 0) {
            t.kind = TOKEN_ET_AL;
        }
        g_array_append_val(tokens, t);
    }
    return tokens;
}

/* ---- names ---- */

static token_kind
kind_at(const name_parser *p, guint i)
{
    return i < p->tokens->len ? g_array_index(p->tokens, token, i).kind : TOKEN_STOP;
}

static const char *
copy_tokens(const name_parser *p, guint from, guint to)
{
    if (from >= to) return NULL;
    const gsize start = g_array_index(p->tokens, token, from).start;
    const gsize end = g_array_index(p->tokens, token, to - 1).end;
    return layout_builder_copy(p->builder, p->text + start, (gssize)(end - start));
}

static void
add_name(name_parser *p, guint family, guint family_end, guint given, guint given_end)
{
    layout_name name = {copy_tokens(p, family, family_end), copy_tokens(p, given, given_end)};
    g_array_append_val(p->names, name);
}

/* The end of the words from i on that may be parts of names. */
static guint
group_end(const name_parser *p, guint i)
{
    while (kind_at(p, i) <= TOKEN_SUFFIX)
        i++;
    return i;
}

static gboolean
is_given(token_kind kind)
{
    return kind == TOKEN_INITIAL || kind == TOKEN_INITIALS;
}

static gboolean
has_stop(const name_parser *p, guint i)
{
    const token *t = &g_array_index(p->tokens, token, i);
    return memchr(p->text + t->start, '.', t->end - t->start) != NULL;
}

/* "Lovelace, A. B." or "Lovelace, Ada B."; the family is [i, end), a comma follows. Behind the name, or 0. */
static guint
take_inverted(name_parser *p, guint i, guint end)
{
    for (guint k = i; k < end; k++)
        if (is_given(kind_at(p, k)) &&
            !(p->form == FORM_INVERTED && kind_at(p, k) == TOKEN_INITIALS))
            return 0;
    if (end - i > 4 || kind_at(p, end) != TOKEN_COMMA || kind_at(p, end - 1) == TOKEN_PARTICLE)
        return 0;
    guint given = end + 1, g = given;
    /* "King, Jr., Martin", "King, Martin, Jr." */
    const gboolean suffix = kind_at(p, g) == TOKEN_SUFFIX && kind_at(p, g + 1) == TOKEN_COMMA;
    if (suffix && end - i > 1 && kind_at(p, i) != TOKEN_PARTICLE) return 0;
    if (suffix) g = given = given + 2;
    while (is_given(kind_at(p, g)) && !(g > given && has_stop(p, g - 1) && !has_stop(p, g)))
        g++;
    if (g == given) {
        /* given names in full: one or two of them, then initials */
        guint names = 0;
        for (guint k = i; k < end; k++)
            names += kind_at(p, k) == TOKEN_NAME ? 1 : 0;
        if (names > 1) return 0;
        while (kind_at(p, g) == TOKEN_NAME && g < given + 2)
            g++;
        if (g == given) return 0;
        const guint full = g;
        while (is_given(kind_at(p, g)))
            g++;
        /* "Stone, Mervyn Cross validation": no initial and no separator parts them */
        if (g == full && kind_at(p, g) <= TOKEN_SUFFIX && kind_at(p, g) != TOKEN_PARTICLE) return 0;
        if (g == full && kind_at(p, g) == TOKEN_OTHER) return 0;
    }
    const guint given_end = g;
    if (kind_at(p, g) == TOKEN_PARTICLE) {
        /* "Maaten, L. van der" */
        guint k = g;
        while (kind_at(p, k) == TOKEN_PARTICLE)
            k++;
        if (kind_at(p, k) == TOKEN_COMMA || kind_at(p, k) == TOKEN_AND ||
            kind_at(p, k) == TOKEN_SEMICOLON)
            g = k;
    }
    add_name(p, i, end, given, given_end);
    if (g > given_end) {
        layout_name *name = &g_array_index(p->names, layout_name, p->names->len - 1);
        g_autofree char *particle =
            g_strndup(p->text + g_array_index(p->tokens, token, given_end).start,
                      g_array_index(p->tokens, token, g - 1).end -
                          g_array_index(p->tokens, token, given_end).start);
        g_autofree char *family = g_strconcat(particle, " ", name->family, NULL);
        name->family = layout_builder_copy(p->builder, family, -1);
    }
    p->form = FORM_INVERTED;
    return g;
}

/* "Lovelace AB", "Lovelace A. B." at the start of [i, end). */
static guint
take_bare(name_parser *p, guint i, guint end)
{
    guint given = i, g;
    while (given < end && !is_given(kind_at(p, given)))
        given++;
    for (g = given; g < end && is_given(kind_at(p, g)); g++)
        if (g > given && has_stop(p, g - 1) && !has_stop(p, g)) break;
    if (given == i || given == g || given - i > 4) return 0;
    if (kind_at(p, i) == TOKEN_SUFFIX || kind_at(p, given - 1) == TOKEN_PARTICLE) return 0;
    /* "Wray L. Buntine" is written the other way round; behind "Breiman L. Random forests" runs on */
    if (g < end && p->form != FORM_BARE && kind_at(p, end) != TOKEN_OTHER) return 0;
    add_name(p, i, given, given, g);
    p->form = FORM_BARE;
    return g;
}

/* "Denis Le Bihan" */
static gboolean
is_capital_particle(const name_parser *p, guint i)
{
    static const char *const particles[] = {"Le",  "La",    "Van", "Von", "De",  "Du", "Di", "Da",
                                            "Del", "Della", "Der", "Den", "Ter", "El", "Al", "St."};
    const token *t = &g_array_index(p->tokens, token, i);
    return is_one_of(p->text + t->start, t->end - t->start, particles, G_N_ELEMENTS(particles));
}

/* "Ada B. van Lovelace Jr." in [i, end). */
static guint
take_straight(name_parser *p, guint i, guint end)
{
    guint family = end;
    if (end > i && kind_at(p, end - 1) == TOKEN_SUFFIX) family--;
    if (end - i > 7 || family < i + 2 || kind_at(p, family - 1) != TOKEN_NAME) return 0;
    const guint family_end = family;
    family--;
    while (family > i + 1 &&
           (kind_at(p, family - 1) == TOKEN_PARTICLE || is_capital_particle(p, family - 1)))
        family--;
    if (kind_at(p, i) == TOKEN_PARTICLE && family == i + 1) return 0;
    gboolean initial = FALSE;
    for (guint k = i; k < family; k++)
        initial |= is_given(kind_at(p, k));
    if (p->initials && !initial) return 0;
    if (p->names->len == 0) p->initials = kind_at(p, i) == TOKEN_INITIAL;
    add_name(p, family, family_end, i, family);
    if (p->form == FORM_UNKNOWN) p->form = FORM_STRAIGHT;
    return end;
}

static guint
take_name(name_parser *p, guint i)
{
    const guint end = group_end(p, i);
    guint next = 0;
    if (end == i) return 0;
    if (p->form == FORM_UNKNOWN || p->form == FORM_INVERTED) next = take_inverted(p, i, end);
    if (next == 0 && (p->form == FORM_UNKNOWN || p->form == FORM_BARE)) next = take_bare(p, i, end);
    /* words that run on are a title */
    if (next == 0 && p->form != FORM_BARE && kind_at(p, end) != TOKEN_OTHER)
        next = take_straight(p, i, end);
    return next;
}

/* ---- organisations ---- */

static gboolean
is_organisation(const char *text, gsize len)
{
    static const char *const words[] = {
        "Contributors", "Team",      "Group",      "Consortium", "Inc",         "Corporation",
        "Organi",       "Institut",  "Universit",  "Committee",  "Association", "Agency",
        "Foundation",   "Center",    "Centre",     "Department", "Ministry",    "Collaboration",
        "Society",      "Council",   "Project",    "Bank",       "Commission",  "Company",
        "Ltd",          "Laborator", "Developers", "Authority",  "Bureau",      "Office",
        "Union",        "GmbH"};
    for (guint i = 0; i < G_N_ELEMENTS(words); i++)
        if (g_strstr_len(text, (gssize)len, words[i]) != NULL) return TRUE;
    return FALSE;
}

/* "World Health Organization. Title", "OpenAI. Title": the words up to the first stop. */
static gsize
take_organisation(name_parser *p)
{
    guint end = 0;
    while (kind_at(p, end) <= TOKEN_SUFFIX || kind_at(p, end) == TOKEN_OTHER ||
           kind_at(p, end) == TOKEN_AND)
        end++;
    if (end == 0 || end > 12 || end >= p->tokens->len || kind_at(p, 0) == TOKEN_OTHER) return 0;
    const token *stop = &g_array_index(p->tokens, token, end), *last = stop - 1;
    const char sign = p->text[stop->start];
    const gboolean one =
        end == 1 && (kind_at(p, 0) == TOKEN_NAME || kind_at(p, 0) == TOKEN_INITIALS);
    if (!one && !is_organisation(p->text, last->end)) return 0;
    if (sign != '.' && sign != ',' && sign != '(' && sign != ':') return 0;
    add_name(p, 0, end, 0, 0);
    return last->end;
}

gsize
layout_names_parse(layout_builder *builder, const char *text, gsize len, const guint8 *style,
                   GArray *names, gboolean *et_al)
{
    name_parser p = {.text = text, .builder = builder, .names = names};
    p.tokens = tokenize(text, len, style);
    guint i = 0;
    gsize end = 0;
    gboolean last = FALSE;
    while (i < p.tokens->len) {
        if (kind_at(&p, i) == TOKEN_ET_AL) {
            *et_al = names->len > 0;
            if (*et_al) end = g_array_index(p.tokens, token, i).end;
            break;
        }
        const guint next = take_name(&p, i);
        if (next == 0) break;
        i = next;
        if (kind_at(&p, i) == TOKEN_COMMA && kind_at(&p, i + 1) == TOKEN_SUFFIX) i += 2;
        end = g_array_index(p.tokens, token, i - 1).end;
        const gboolean comma = kind_at(&p, i) == TOKEN_COMMA || kind_at(&p, i) == TOKEN_SEMICOLON;
        if (comma) i++;
        const gboolean conjunction = kind_at(&p, i) == TOKEN_AND;
        if (kind_at(&p, i) == TOKEN_ET_AL) continue;
        /* behind "and B. Last" comes no further name, unless by another "and" or with semicolons */
        if (!conjunction && (!comma || last)) break;
        if (conjunction) i++;
        last = conjunction;
    }
    if (names->len == 0 || (names->len == 1 && p.form == FORM_STRAIGHT && !p.initials)) {
        const guint n = names->len;
        const gsize whole = take_organisation(&p);
        if (whole > 0 && (n == 0 || is_organisation(text, whole))) {
            if (n > 0) g_array_remove_index(names, 0);
            end = whole;
        } else if (whole > 0) {
            g_array_set_size(names, n);
        }
    }
    g_array_unref(p.tokens);
    return end;
}

/* TeX in bibliographies -> plain text. */
#include <string.h>

#include "pipelines/bibliography.h"

typedef struct {
    const char *name, *text;
} tex_word;

/* By name, for bsearch. */
static const tex_word WORDS[] = {
    {"AA", "Å"},
    {"AE", "Æ"},
    {"DH", "Ð"},
    {"DJ", "Đ"},
    {"Delta", "Δ"},
    {"Gamma", "Γ"},
    {"L", "Ł"},
    {"Lambda", "Λ"},
    {"NG", "Ŋ"},
    {"O", "Ø"},
    {"OE", "Œ"},
    {"Omega", "Ω"},
    {"P", "¶"},
    {"Phi", "Φ"},
    {"Pi", "Π"},
    {"Psi", "Ψ"},
    {"S", "§"},
    {"Sigma", "Σ"},
    {"TH", "Þ"},
    {"Theta", "Θ"},
    {"Upsilon", "Υ"},
    {"Xi", "Ξ"},
    {"aa", "å"},
    {"ae", "æ"},
    {"alpha", "α"},
    {"approx", "≈"},
    {"ast", "*"},
    {"backslash", "\\"},
    {"beta", "β"},
    {"cdot", "·"},
    {"chi", "χ"},
    {"circ", "°"},
    {"copyright", "©"},
    {"degree", "°"},
    {"delta", "δ"},
    {"dh", "ð"},
    {"dj", "đ"},
    {"dots", "…"},
    {"ell", "ℓ"},
    {"epsilon", "ε"},
    {"eta", "η"},
    {"gamma", "γ"},
    {"geq", "≥"},
    {"i", "ı"},
    {"infty", "∞"},
    {"iota", "ι"},
    {"j", "ȷ"},
    {"kappa", "κ"},
    {"l", "ł"},
    {"lambda", "λ"},
    {"ldots", "…"},
    {"leq", "≤"},
    {"mu", "μ"},
    {"ng", "ŋ"},
    {"nu", "ν"},
    {"o", "ø"},
    {"oe", "œ"},
    {"omega", "ω"},
    {"ordfeminine", "ª"},
    {"ordmasculine", "º"},
    {"phi", "φ"},
    {"pi", "π"},
    {"pm", "±"},
    {"pounds", "£"},
    {"psi", "ψ"},
    {"quad", " "},
    {"rho", "ρ"},
    {"rightarrow", "→"},
    {"sigma", "σ"},
    {"sim", "~"},
    {"space", " "},
    {"ss", "ß"},
    {"sum", "∑"},
    {"tau", "τ"},
    {"textbackslash", "\\"},
    {"textdegree", "°"},
    {"textellipsis", "…"},
    {"textemdash", "—"},
    {"textendash", "–"},
    {"textmu", "µ"},
    {"textquotedblleft", "“"},
    {"textquotedblright", "”"},
    {"textquoteleft", "‘"},
    {"textquoteright", "’"},
    {"textregistered", "®"},
    {"texttrademark", "™"},
    {"textunderscore", "_"},
    {"th", "þ"},
    {"theta", "θ"},
    {"times", "×"},
    {"to", "→"},
    {"upsilon", "υ"},
    {"varepsilon", "ε"},
    {"varphi", "φ"},
    {"xi", "ξ"},
    {"zeta", "ζ"},
};

/* The combining character of an accent's command, 0 where it is none. */
static gunichar
accent_of(const char *name, size_t len)
{
    static const struct {
        char name;
        gunichar mark;
    } accents[] = {{'`', 0x300}, {'\'', 0x301}, {'^', 0x302}, {'~', 0x303},
                   {'=', 0x304}, {'u', 0x306},  {'.', 0x307}, {'"', 0x308},
                   {'r', 0x30A}, {'H', 0x30B},  {'v', 0x30C}, {'d', 0x323},
                   {'c', 0x327}, {'k', 0x328},  {'b', 0x331}, {'t', 0x361}};
    for (size_t i = 0; len == 1 && i < G_N_ELEMENTS(accents); i++)
        if (accents[i].name == *name) return accents[i].mark;
    return 0;
}

#define MAX_ACCENTS 4 /* on one letter */

typedef struct {
    GString *out;
    gunichar marks[MAX_ACCENTS]; /* wait for their letter; the last goes on it first */
    guint n_marks;
    gboolean math; /* between dollars */
} tex_reader;

static void
put(tex_reader *r, gunichar c)
{
    if (g_unichar_isspace(c)) {
        if (r->n_marks > 0) return; /* \v s */
        if (r->out->len > 0 && r->out->str[r->out->len - 1] != ' ') g_string_append_c(r->out, ' ');
        return;
    }
    if (r->n_marks > 0 && (c == 0x131 || c == 0x237)) c = c == 0x131 ? 'i' : 'j'; /* \'{\i} is í */
    g_string_append_unichar(r->out, c);
    while (r->n_marks > 0)
        g_string_append_unichar(r->out, r->marks[--r->n_marks]);
}

static int
compare_word(const void *key, const void *element)
{
    return strcmp(key, ((const tex_word *)element)->name);
}

/* A command at p, behind its backslash; returns what follows it. */
static const char *
read_command(tex_reader *r, const char *p, const char *end)
{
    const char *name = p;
    while (p < end && g_ascii_isalpha(*p))
        p++;
    gboolean word = p > name;
    if (!word) p = g_utf8_next_char(p);
    gunichar mark = accent_of(name, (size_t)(p - name));
    if (mark != 0) {
        if (r->n_marks < MAX_ACCENTS) r->marks[r->n_marks++] = mark;
        return p;
    }
    if (!word) {
        if (strchr(",;: \\", *name) != NULL)
            put(r, ' ');
        else if (strchr("-/!()[]", *name) == NULL)
            put(r, g_utf8_get_char(name));
        return p;
    }
    char text[32] = "";
    if ((size_t)(p - name) < sizeof text) memcpy(text, name, (size_t)(p - name));
    const tex_word *known = bsearch(text, WORDS, G_N_ELEMENTS(WORDS), sizeof *WORDS, compare_word);
    for (const char *c = known != NULL ? known->text : ""; *c != '\0'; c = g_utf8_next_char(c))
        put(r, g_utf8_get_char(c));
    while (p < end && g_ascii_isspace(*p)) /* "\ss e" is "ße" */
        p++;
    return p;
}

/* What TeX's fonts make of a run of one character at p: "--" a dash, "``" a quote. Returns what follows, p where it is
 * nothing of the kind. */
static const char *
read_ligature(tex_reader *r, const char *p, const char *end)
{
    size_t n = 1;
    while (n < 3 && p + n < end && p[n] == *p)
        n++;
    if (*p == '-' && n > 1)
        put(r, n == 3 ? 0x2014 : 0x2013);
    else if (*p == '`')
        put(r, n > 1 ? 0x201C : '\''); /* plain, like the apostrophe of a name */
    else if (*p == '\'' && n > 1)
        put(r, 0x201D);
    else
        return p;
    return p + (*p == '-' ? n : MIN(n, 2));
}

char *
pipelines_tex_to_text(const char *tex, size_t len)
{
    g_autoptr(GString) out = g_string_sized_new(len);
    tex_reader r = {.out = out};
    const char *end = tex + len;
    for (const char *p = tex; p < end;) {
        const char *next = read_ligature(&r, p, end);
        if (next > p) {
            p = next;
        } else if (*p == '\\' && p + 1 < end) {
            p = read_command(&r, p + 1, end);
        } else {
            if (*p == '}') r.n_marks = 0; /* \"{} */
            if (*p == '$')
                r.math = !r.math;
            else if (*p == '~')
                put(&r, ' ');
            else if (strchr(r.math ? "{}^_" : "{}", *p) == NULL)
                put(&r, g_utf8_get_char(p));
            p = g_utf8_next_char(p);
        }
    }
    g_strchomp(out->str);
    return g_utf8_normalize(out->str, -1, G_NORMALIZE_NFC);
}

/* Pre-tokenizers made of steps: each step cuts every piece that the one before it left. What a tokenizer.json may
 * list in its pre_tokenizer, and the pre-tokenizers that GGUF files know by name and tokenizer_split.c has no
 * scanner for.
 *
 * The expressions are Oniguruma's (the reference compiles them with its Ruby syntax) and run by PCRE2. What the two
 * read differently is rewritten or refused. General categories (\p{L}, \d, \w ...) are written out from
 * unicode_categories.c, which has the reference's version of Unicode; scripts and the like are as new as PCRE2. An expression that takes more
 * than MATCH_LIMIT steps for one match has found its last one: what is left is one piece. That bounds the time of
 * an expression made to take forever, whatever the text.
 *
 * Source: Hugging Face tokenizers (pre_tokenizers/, tokenizer/normalizer.rs) for what the steps do; Oniguruma's
 * doc/RE and pcre2pattern(3) for the syntax. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "engine/tokenizer_impl.h"

#include <pcre2.h>
#include <string.h>

#define MATCH_LIMIT       20000
#define MAX_PATTERN_BYTES 8192
#define MAX_STEPS         16 /* each is a level of calls */

/* White_Space of Unicode, which never changes; PCRE2's \s has U+180E besides */
#define SPACES                                                                                     \
    "\\x{09}-\\x{0d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}"  \
    "\\x{205f}\\x{3000}"

typedef enum { STEP_REGEX, STEP_SCANNER, STEP_CLASS } step_kind;

typedef struct {
    step_kind kind;
    pcre2_code *regex;
    tokenizer_split split; /* SCANNER */
    unsigned class;        /* CLASS: characters with one of these flags match, each alone ... */
    gboolean runs;         /* ... or a run of them together */
    tokenizer_behavior behavior;
    gboolean invert;
} pre_step;

struct tokenizer_pre {
    GArray *steps; /* of pre_step */
    guint n_text;  /* the first steps see text, the others bytes in GPT-2's alphabet */
};

static void
clear_step(gpointer data)
{
    pre_step *step = data;
    if (step->regex) pcre2_code_free(step->regex);
}

tokenizer_pre *
tokenizer_pre_new(void)
{
    tokenizer_pre *pre = g_new0(tokenizer_pre, 1);
    pre->steps = g_array_new(FALSE, TRUE, sizeof(pre_step));
    pre->n_text = G_MAXUINT;
    g_array_set_clear_func(pre->steps, clear_step);
    return pre;
}

void
tokenizer_pre_free(tokenizer_pre *pre)
{
    if (!pre) return;
    g_array_unref(pre->steps);
    g_free(pre);
}

/* ---- expressions ------------------------------------------------------------------------------ */

static gboolean
refuse(GError **error, const char *pattern, const char *why)
{
    g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_UNSUPPORTED,
                "pre-tokenizer: expression '%.200s': %s", pattern, why);
    return FALSE;
}

static void
append_range(GString *out, uint32_t first, uint32_t last)
{
    g_string_append_printf(out, first == last ? "\\x{%x}" : "\\x{%x}-\\x{%x}", first, last);
}

/* The characters of these categories, a bit each, for between [ and ]. */
static void
append_categories(GString *out, uint32_t categories)
{
    const uint32_t none = G_MAXUINT32;
    uint32_t first = none;

    for (size_t i = 0; i < unicode_n_categories; i++) {
        const uint32_t at = unicode_categories[i] >> 5;
        const gboolean has = (categories >> (unicode_categories[i] & 31) & 1) != 0;
        if (has && first == none) first = at;
        if (has || first == none) continue;
        append_range(out, first, at - 1);
        first = none;
    }
    if (first != none) append_range(out, first, 0x10FFFF);
}

/* "L" or "Lu" as a set of categories; 0: neither. Surrogates are in none, they are no characters. */
static uint32_t
categories_of(const char *name, size_t len)
{
    uint32_t set = 0;

    for (size_t i = 0; len >= 1 && len <= 2 && i < unicode_n_category_names; i++)
        if (strncmp(unicode_category_names[i], name, len) == 0 &&
            strcmp(unicode_category_names[i], "Cs") != 0)
            set |= 1u << i;
    return set;
}

/* The set that the escape behind a backslash at s names, 0 for other escapes. *n: its length, *inverse: it is what is
 * not in the set. */
static uint32_t
set_of(const char *s, size_t *n, gboolean *inverse)
{
    *n = 1;
    *inverse = g_ascii_isupper(*s);
    switch (*s) {
    case 'd':
    case 'D':
        return categories_of("Nd", 2);
    case 'w':
    case 'W': /* PCRE2's has marks and connectors only since 10.43 */
        return categories_of("L", 1) | categories_of("M", 1) | categories_of("Nd", 2) |
               categories_of("Pc", 2);
    case 'p':
    case 'P': {
        const char *end = s[1] == '{' ? strchr(s, '}') : NULL;
        *n = end ? (size_t)(end + 1 - s) : 2;
        return end ? categories_of(s + 2, *n - 3) : categories_of(s + 1, s[1] != '\0');
    }
    default:
        return 0;
    }
}

/* The escape behind a backslash at *s, which goes to its last byte; in_class: between [ and ]. FALSE: PCRE2 may read
 * it differently. */
static gboolean
translate_escape(const char **s, gboolean in_class, GString *out)
{
    const char c = **s;
    size_t n = 1;
    gboolean inverse = c == 'S';
    const gboolean space = c == 's' || c == 'S';
    const uint32_t set = space ? 0 : set_of(*s, &n, &inverse);

    if (space || set != 0) {
        if (in_class && inverse) return FALSE; /* would need the other characters written out */
        if (!in_class) g_string_append(out, inverse ? "[^" : "[");
        if (space)
            g_string_append(out, SPACES);
        else
            append_categories(out, set);
        if (!in_class) g_string_append_c(out, ']');
        *s += n - 1;
        return TRUE;
    }
    if (c == '\0' || (g_ascii_isalnum(c) && !strchr("pPrntfxAz0", c))) return FALSE;
    const char *last = strchr("pPx", c) && (*s)[1] == '{' ? strchr(*s, '}') : *s;
    if (!last) return FALSE;
    g_string_append_c(out, '\\');
    g_string_append_len(out, *s, last + 1 - *s);
    *s = last;
    return TRUE;
}

/* What follows "(?" and means the same in both. */
static gboolean
is_known_group(const char *s)
{
    static const char *const known[] = {":", "=", "!", ">", "<=", "<!", "i:", "i)", "-i:", "-i)"};
    for (size_t i = 0; i < G_N_ELEMENTS(known); i++)
        if (g_str_has_prefix(s, known[i])) return TRUE;
    return FALSE;
}

static gboolean
translate(const char *pattern, GString *out, GError **error)
{
    gboolean in_class = FALSE;
    const char *class_start = NULL, *escape_end = NULL;

    for (const char *s = pattern; *s; s++) {
        if (*s == '\\') {
            s++;
            if (!translate_escape(&s, in_class, out))
                return refuse(error, pattern, "an escape that we do not know");
            escape_end = s + 1;
            continue;
        }
        if (in_class) {
            if (*s == '[') return refuse(error, pattern, "a class inside a class");
            if (g_str_has_prefix(s, "&&")) return refuse(error, pattern, "an intersection");
            if (*s == ']' && s != class_start) in_class = FALSE;
        } else if (*s == '[') {
            in_class = TRUE;
            class_start = s + (s[1] == '^' ? 2 : 1);
            if (*class_start == ']') return refuse(error, pattern, "a class that begins with ]");
        } else if (*s == '(' && (s[1] == '*' || (s[1] == '?' && !is_known_group(s + 2)))) {
            return refuse(error, pattern, "a kind of group that we do not know");
        } else if (*s == '+' && s != escape_end && s > pattern && s[-1] == '}') {
            return refuse(error, pattern, "a + behind }");
        }
        g_string_append_c(out, *s);
    }
    return TRUE;
}

static pcre2_code *
compile(const char *pattern, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    int code = 0;
    PCRE2_SIZE at = 0;

    if (strlen(pattern) > MAX_PATTERN_BYTES) {
        refuse(error, pattern, "it is too long");
        return NULL;
    }
    if (!translate(pattern, text, error)) return NULL;
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    pcre2_code *regex = pcre2_compile(
        (PCRE2_SPTR)text->str, text->len,
        PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &code, &at, context);
    pcre2_compile_context_free(context);
    if (!regex) {
        PCRE2_UCHAR why[160] = "";
        pcre2_get_error_message(code, why, sizeof why);
        refuse(error, pattern, (const char *)why);
    }
    return regex;
}

/* ---- building --------------------------------------------------------------------------------- */

static gboolean
add_step(tokenizer_pre *pre, pre_step step, GError **error)
{
    if (pre->steps->len >= MAX_STEPS) {
        clear_step(&step);
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_UNSUPPORTED,
                    "pre-tokenizer: more than %d steps", MAX_STEPS);
        return FALSE;
    }
    g_array_append_val(pre->steps, step);
    return TRUE;
}

gboolean
tokenizer_pre_add_regex(tokenizer_pre *pre, const char *pattern, tokenizer_behavior behavior,
                        gboolean invert, GError **error)
{
    pre_step step = {.kind = STEP_REGEX, .behavior = behavior, .invert = invert};
    step.regex = compile(pattern, error);
    return step.regex && add_step(pre, step, error);
}

gboolean
tokenizer_pre_add_class(tokenizer_pre *pre, unsigned class, gboolean runs,
                        tokenizer_behavior behavior, GError **error)
{
    return add_step(
        pre, (pre_step){.kind = STEP_CLASS, .class = class, .runs = runs, .behavior = behavior},
        error);
}

gboolean
tokenizer_pre_add_scanner(tokenizer_pre *pre, tokenizer_split split, GError **error)
{
    return add_step(pre, (pre_step){.kind = STEP_SCANNER, .split = split}, error);
}

void
tokenizer_pre_to_bytes(tokenizer_pre *pre)
{
    pre->n_text = MIN(pre->n_text, pre->steps->len);
}

/* ---- running ---------------------------------------------------------------------------------- */

typedef struct {
    const tokenizer_pre *pre;
    pcre2_match_context *context;
    pcre2_match_data *match[MAX_STEPS]; /* NULL until used */
    gboolean mapped;                    /* the text is in GPT-2's alphabet */
    tokenizer_piece_fn fn;
    void *data;
} pre_run;

/* The pieces of one step on their way to the next. */
typedef struct {
    pre_run *run;
    guint index;
    const pre_step *step;
    const char *pending; /* a piece that may still grow; NULL: none */
    size_t n_pending;
    gboolean pending_match, last_match;
} pre_cut;

static void cut(pre_run *run, guint index, const char *s, size_t len);

static void
pass_on(pre_cut *c, const char *s, size_t len)
{
    if (len > 0) cut(c->run, c->index + 1, s, len);
}

static void
pass_pending(pre_cut *c)
{
    if (c->pending) pass_on(c, c->pending, c->n_pending);
    c->pending = NULL;
}

/* One stretch of the piece, all of which comes here from left to right. */
static void
put(pre_cut *c, const char *s, size_t len, gboolean match)
{
    if (len == 0) return;
    gboolean joins = FALSE;
    match = match != c->step->invert;
    switch (c->step->behavior) {
    case TOKENIZER_REMOVED:
        if (!match) pass_on(c, s, len);
        return;
    case TOKENIZER_ISOLATED:
        pass_on(c, s, len);
        return;
    case TOKENIZER_CONTIGUOUS:
        joins = match == c->last_match;
        break;
    case TOKENIZER_MERGED_WITH_PREVIOUS:
        joins = match && !c->last_match;
        break;
    case TOKENIZER_MERGED_WITH_NEXT:
        joins = !match && c->last_match;
        break;
    }
    c->last_match = match;
    if (joins && c->pending) {
        c->n_pending += len;
        return;
    }
    pass_pending(c);
    c->pending = s;
    c->n_pending = len;
}

static void
put_matches(pre_cut *c, const char *s, size_t len)
{
    pcre2_match_data **match = &c->run->match[c->index];
    size_t done = 0, from = 0;

    if (!*match) *match = pcre2_match_data_create(1, NULL);
    while (from < len) {
        if (pcre2_match(c->step->regex, (PCRE2_SPTR)s, len, from, PCRE2_NO_UTF_CHECK, *match,
                        c->run->context) < 0)
            break; /* no other one, or the limit */
        const PCRE2_SIZE *at = pcre2_get_ovector_pointer(*match);
        const size_t start = MAX(at[0], done), end = at[1];
        if (end <= start) { /* an empty one cuts nothing */
            uint32_t cp;
            from = MAX(from, start);
            from += from < len ? unicode_next(s + from, len - from, &cp) : 1;
            continue;
        }
        put(c, s + done, start - done, FALSE);
        put(c, s + start, end - start, TRUE);
        done = from = end;
    }
    put(c, s + done, len - done, FALSE);
}

static void
put_class(pre_cut *c, const char *s, size_t len)
{
    size_t start = 0;
    gboolean match = FALSE;

    for (size_t i = 0, n; i < len; i += n) {
        uint32_t cp;
        n = unicode_next(s + i, len - i, &cp);
        const gboolean is = (unicode_class(cp) & c->step->class) != 0;
        if (is == match && !(is && !c->step->runs)) continue;
        put(c, s + start, i - start, match);
        start = i;
        match = is;
    }
    put(c, s + start, len - start, match);
}

static void
put_piece(void *data, const char *s, size_t len)
{
    pass_on(data, s, len);
}

/* Pieces of a text in GPT-2's alphabet, on their way back to the bytes it stands for. */
typedef struct {
    const pre_run *outer;
    const char *mapped, *at; /* how far both texts have been gone through */
} mapped_text;

static void
unmap_piece(void *data, const char *s, size_t len)
{
    mapped_text *text = data;
    const size_t n = tokenizer_bpe_count(s, len);

    text->at +=
        tokenizer_bpe_count(text->mapped, (size_t)(s - text->mapped)); /* what was removed */
    text->outer->fn(text->outer->data, text->at, n);
    text->at += n;
    text->mapped = s + len;
}

/* The steps behind ByteLevel see its alphabet, where a cut may fall inside a character. */
static void
cut_mapped(pre_run *run, guint index, const char *s, size_t len)
{
    g_autoptr(GString) mapped = g_string_sized_new(2 * len);

    for (size_t i = 0; i < len; i++)
        unicode_append(mapped, tokenizer_bpe_character((uint8_t)s[i]));
    mapped_text text = {run, mapped->str, s};
    pre_run inner = *run;
    inner.mapped = TRUE;
    inner.fn = unmap_piece;
    inner.data = &text;
    cut(&inner, index, mapped->str, mapped->len);
    memcpy(run->match, inner.match, sizeof run->match);
}

static void
cut(pre_run *run, guint index, const char *s, size_t len)
{
    const GArray *steps = run->pre->steps;

    if (index == run->pre->n_text && index < steps->len && !run->mapped) {
        cut_mapped(run, index, s, len);
        return;
    }
    if (index == steps->len) {
        run->fn(run->data, s, len);
        return;
    }
    pre_cut c = {.run = run, .index = index, .step = &g_array_index(steps, pre_step, index)};
    if (c.step->kind == STEP_REGEX)
        put_matches(&c, s, len);
    else if (c.step->kind == STEP_CLASS)
        put_class(&c, s, len);
    else
        tokenizer_split_text(c.step->split, s, len, put_piece, &c);
    pass_pending(&c);
}

void
tokenizer_pre_cut(const tokenizer_pre *pre, const char *text, size_t len, tokenizer_piece_fn fn,
                  void *data)
{
    pre_run run = {.pre = pre, .fn = fn, .data = data};

    if (len == 0) return;
    run.context = pcre2_match_context_create(NULL);
    pcre2_set_match_limit(run.context, MATCH_LIMIT);
    cut(&run, 0, text, len);
    for (size_t i = 0; i < G_N_ELEMENTS(run.match); i++)
        if (run.match[i]) pcre2_match_data_free(run.match[i]);
    pcre2_match_context_free(run.context);
}

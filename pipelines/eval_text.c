/* Texts as the metrics of question answering see them: SQuAD's normalisation, with dashes and slashes as blanks. */
#include <string.h>

#include "pipelines/eval.h"

enum { MAX_COVER_TOKENS = 4000 };

static gboolean
is_blank(gunichar c)
{
    return g_unichar_isspace(c) || c == 0x0B || c == 0x85 || (c >= 0x1C && c <= 0x1F);
}

static gboolean
is_punctuation(gunichar c)
{
    static const gunichar others[] = {0x2018, 0x2019, 0x201C, 0x201D, 0x2013,
                                      0x2014, 0x2026, 0xAB,   0xBB};
    for (size_t i = 0; i < G_N_ELEMENTS(others); i++)
        if (c == others[i]) return TRUE;
    return c < 128 && g_ascii_ispunct((char)c);
}

/* The regular expression \b has it so: letters, digits and "_", which punctuation takes away before. */
static gboolean
is_word(gunichar c)
{
    if (c == '_') return TRUE;
    switch (g_unichar_type(c)) {
    case G_UNICODE_LOWERCASE_LETTER:
    case G_UNICODE_UPPERCASE_LETTER:
    case G_UNICODE_TITLECASE_LETTER:
    case G_UNICODE_MODIFIER_LETTER:
    case G_UNICODE_OTHER_LETTER:
    case G_UNICODE_DECIMAL_NUMBER:
    case G_UNICODE_LETTER_NUMBER:
    case G_UNICODE_OTHER_NUMBER:
        return TRUE;
    default:
        return FALSE;
    }
}

static void
append_word(GString *out, const char *word, size_t len)
{
    if ((len == 1 && *word == 'a') || (len == 2 && memcmp(word, "an", 2) == 0) ||
        (len == 3 && memcmp(word, "the", 3) == 0))
        g_string_append_c(out, ' ');
    else
        g_string_append_len(out, word, (gssize)len);
}

static char *
single_blanks(const char *text)
{
    g_autoptr(GString) out = g_string_sized_new(strlen(text));
    for (const char *p = text; *p != '\0'; p = g_utf8_next_char(p)) {
        if (!is_blank(g_utf8_get_char(p)))
            g_string_append_len(out, p, g_utf8_next_char(p) - p);
        else if (out->len > 0 && out->str[out->len - 1] != ' ')
            g_string_append_c(out, ' ');
    }
    if (out->len > 0 && out->str[out->len - 1] == ' ') g_string_truncate(out, out->len - 1);
    return g_string_free(g_steal_pointer(&out), FALSE);
}

char *
eval_normal(const char *text)
{
    g_autofree char *lower = g_utf8_strdown(text, -1);
    g_autoptr(GString) plain = g_string_sized_new(strlen(lower));
    for (const char *p = lower; *p != '\0'; p = g_utf8_next_char(p)) {
        const gunichar c = g_utf8_get_char(p);
        if (c == '-' || c == 0x2013 || c == 0x2014 || c == '/')
            g_string_append_c(plain, ' ');
        else if (!is_punctuation(c))
            g_string_append_len(plain, p, g_utf8_next_char(p) - p);
    }
    g_autoptr(GString) out = g_string_sized_new(plain->len);
    for (const char *p = plain->str; *p != '\0';) {
        const char *start = p;
        while (*p != '\0' && is_word(g_utf8_get_char(p)))
            p = g_utf8_next_char(p);
        append_word(out, start, (size_t)(p - start));
        for (start = p; *p != '\0' && !is_word(g_utf8_get_char(p)); p = g_utf8_next_char(p))
            ;
        g_string_append_len(out, start, p - start);
    }
    return single_blanks(out->str);
}

char *
eval_flat(const char *text)
{
    g_autofree char *lower = g_utf8_strdown(text, -1);
    return single_blanks(lower);
}

char *
eval_without_marks(const char *text)
{
    g_autoptr(GString) out = g_string_new(NULL);
    for (const char *p = text; *p != '\0'; p++) {
        const size_t n = *p == '[' ? strspn(p + 1, "0123456789, ") : 0;
        if (n > 0 && p[1 + n] == ']')
            p += 1 + n;
        else
            g_string_append_c(out, *p);
    }
    return g_string_free(g_steal_pointer(&out), FALSE);
}

/* Of a normalised text; "" has none. */
static char **
tokens_of(const char *text)
{
    g_autofree char *normal = eval_normal(text);
    return *normal != '\0' ? g_strsplit(normal, " ", -1) : g_new0(char *, 1);
}

double
eval_token_f1(const char *answer, const char *gold)
{
    g_auto(GStrv) p = tokens_of(answer), g = tokens_of(gold);
    const guint n_p = g_strv_length(p), n_g = g_strv_length(g);
    if (n_p == 0 || n_g == 0) return n_p == n_g ? 1 : 0;
    g_autoptr(GHashTable) left = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < n_g; i++)
        g_hash_table_insert(
            left, g[i], GUINT_TO_POINTER(GPOINTER_TO_UINT(g_hash_table_lookup(left, g[i])) + 1));
    guint common = 0;
    for (guint i = 0; i < n_p; i++) {
        const guint n = GPOINTER_TO_UINT(g_hash_table_lookup(left, p[i]));
        if (n == 0) continue;
        g_hash_table_insert(left, p[i], GUINT_TO_POINTER(n - 1));
        common++;
    }
    if (common == 0) return 0;
    const double precision = (double)common / n_p, recall = (double)common / n_g;
    return 2 * precision * recall / (precision + recall);
}

static gboolean
stands_in(const char *normal_text, const char *normal_part)
{
    g_autofree char *text = g_strdup_printf(" %s ", normal_text);
    g_autofree char *part = g_strdup_printf(" %s ", normal_part);
    return strstr(text, part) != NULL;
}

gboolean
eval_holds(const char *text, const char *gold)
{
    g_autofree char *t = eval_normal(text), *g = eval_normal(gold);
    return *g != '\0' && stands_in(t, g);
}

/* Length of the longest common subsequence. */
static guint
common_length(char **a, guint n_a, char **b, guint n_b)
{
    g_autofree guint *previous = g_new0(guint, n_b + 1), *row = g_new0(guint, n_b + 1);
    for (guint i = 0; i < n_a; i++) {
        for (guint j = 0; j < n_b; j++)
            row[j + 1] = strcmp(a[i], b[j]) == 0 ? previous[j] + 1 : MAX(previous[j + 1], row[j]);
        memcpy(previous, row, (n_b + 1) * sizeof *row);
    }
    return previous[n_b];
}

gboolean
eval_covers(const char *cited, const char *gold)
{
    g_autofree char *c = eval_normal(cited), *g = eval_normal(gold);
    if (*g == '\0') return FALSE;
    if (stands_in(c, g)) return TRUE;
    g_auto(GStrv) want = tokens_of(gold), have = tokens_of(cited);
    const guint n_want = g_strv_length(want), n_have = MIN(g_strv_length(have), MAX_COVER_TOKENS);
    /* a table of all pairs: a gold quote of a whole paper would take minutes */
    if ((guint64)n_want * n_have > (guint64)MAX_COVER_TOKENS * MAX_COVER_TOKENS) return FALSE;
    return (double)common_length(want, n_want, have, n_have) >= 0.8 * n_want;
}

const char *
eval_named_label(const char *text, const GPtrArray *labels)
{
    g_autofree char *spaced = g_strdelimit(g_strdup(text), "_", ' ');
    g_autofree char *normal = eval_normal(spaced);
    g_autofree char *padded = g_strdup_printf(" %s ", normal);
    const char *best = NULL, *best_at = NULL;
    for (guint i = 0; i < labels->len; i++) {
        g_autofree char *name = g_strdelimit(g_strdup(labels->pdata[i]), "_", ' ');
        g_autofree char *plain = eval_normal(name);
        g_autofree char *want = g_strdup_printf(" %s ", plain);
        const char *at = strstr(padded, want);
        if (at != NULL && (best_at == NULL || at < best_at)) {
            best_at = at;
            best = labels->pdata[i];
        }
    }
    return best;
}

/* Words cut at line ends. The document itself knows how its words are written: "opti-|mization" is one
 * word when "optimization" occurs elsewhere, "state-|of" keeps its hyphen when "state-of" does. */
#include "layout/analyze.h"

#include <string.h>

#define LONGEST_WORD 60
#define MAX_WORDS    400000

static void
learn(layout_work *work, const char *word, gsize len)
{
    if (len < 2 || len > LONGEST_WORD || g_hash_table_size(work->vocabulary) > MAX_WORDS) return;
    char *lower = g_utf8_strdown(word, (gssize)len);
    gpointer count = g_hash_table_lookup(work->vocabulary, lower);
    g_hash_table_insert(work->vocabulary, lower, GUINT_TO_POINTER(GPOINTER_TO_UINT(count) + 1));
}

static gboolean
is_word_char(gunichar ch)
{
    return g_unichar_isalpha(ch) || ch == '-' || ch == 0x2010;
}

/* The words of one segment; those at its ends may be halves of words and are left out when cut. */
static void
learn_text(layout_work *work, const char *text, gsize len)
{
    const char *end = text + len;
    const char *start = NULL;
    for (const char *at = text; at < end; at = g_utf8_next_char(at)) {
        gunichar ch = g_utf8_get_char(at);
        if (is_word_char(ch)) {
            if (start == NULL) start = at;
            continue;
        }
        if (start != NULL) learn(work, start, (gsize)(at - start));
        start = NULL;
    }
    if (start != NULL && end[-1] != '-') learn(work, start, (gsize)(end - start));
}

void
layout_hyphen_learn(layout_work *work)
{
    for (guint s = 0; s < work->sheets->len; s++) {
        const layout_sheet *sheet = layout_work_sheet(work, s);
        for (guint i = 0; i < sheet->segs->len; i++) {
            const layout_seg *seg = layout_sheet_seg(sheet, i);
            /* The first word of a line may be a second half. */
            const char *text = sheet->text->str + seg->start;
            const char *space = memchr(text, ' ', seg->len);
            if (space != NULL) learn_text(work, space, seg->len - (gsize)(space - text));
        }
        layout_work_release(work);
    }
}

static gboolean
knows(const layout_work *work, const char *a, gsize a_len, const char *joint, const char *b,
      gsize b_len)
{
    if (a_len + b_len > LONGEST_WORD) return FALSE;
    g_autofree char *word = g_strdup_printf("%.*s%s%.*s", (int)a_len, a, joint, (int)b_len, b);
    g_autofree char *lower = g_utf8_strdown(word, -1);
    return g_hash_table_contains(work->vocabulary, lower);
}

static gboolean
is_one_of(const char *word, const char *const *words, guint n)
{
    for (guint i = 0; i < n; i++)
        if (strcmp(word, words[i]) == 0) return TRUE;
    return FALSE;
}

/* A compound by its first part: always, or when the second is a word of the document as well. */
static gboolean
is_compound(const layout_work *work, const char *a, gsize a_len, const char *b, gsize b_len)
{
    static const char *const always[] = {"self", "well", "ill", "so", "vice", "quasi"};
    static const char *const tens[] = {"twenty", "thirty",  "forty",  "fifty",
                                       "sixty",  "seventy", "eighty", "ninety"};
    static const char *const units[] = {"one",    "two",   "three", "four",    "five",   "six",
                                        "seven",  "eight", "nine",  "first",   "second", "third",
                                        "fourth", "fifth", "sixth", "seventh", "eighth", "ninth"};
    static const char *const often[] = {
        "high",  "low",    "long",   "short", "large", "small", "half",  "cross",  "real",
        "full",  "single", "double", "one",   "two",   "three", "four",  "state",  "data",
        "fine",  "open",   "closed", "hand",  "time",  "end",   "first", "second", "higher",
        "lower", "right",  "left",   "all",   "non",   "semi",  "zero",  "mean",   "model"};
    g_autofree char *left = g_utf8_strdown(a, (gssize)a_len);
    g_autofree char *right = g_utf8_strdown(b, (gssize)b_len);
    if (is_one_of(left, always, G_N_ELEMENTS(always))) return b_len > 2;
    if (is_one_of(left, tens, G_N_ELEMENTS(tens)))
        return is_one_of(right, units, G_N_ELEMENTS(units));
    return b_len > 3 && is_one_of(left, often, G_N_ELEMENTS(often)) &&
           g_hash_table_contains(work->vocabulary, right);
}

gboolean
layout_hyphen_drops(const layout_work *work, const char *left, gsize left_len, const char *right,
                    gsize right_len)
{
    if (left_len == 0 || right_len == 0) return FALSE;
    /* the last word of left, the first of right */
    const char *from = left + left_len;
    while (from > left) {
        const char *prev = g_utf8_find_prev_char(left, from);
        if (prev == NULL || !is_word_char(g_utf8_get_char(prev))) break;
        from = prev;
    }
    gsize a_len = (gsize)(left + left_len - from);
    const char *to = right;
    while (to < right + right_len && g_unichar_isalpha(g_utf8_get_char(to)))
        to = g_utf8_next_char(to);
    gsize b_len = (gsize)(to - right);
    if (a_len == 0 || b_len == 0) return FALSE; /* digits, addresses */
    /* "https://a-|b", "10.1000/a-|b" */
    for (const char *at = from; at > left && at[-1] != ' '; at--)
        if (at[-1] == '/' || at[-1] == '@' || at[-1] == '_') return FALSE;

    /* "state-|of-the-art": the compound as a whole */
    const char *whole = to;
    while (whole < right + right_len && is_word_char(g_utf8_get_char(whole)))
        whole = g_utf8_next_char(whole);
    while (whole > to && whole[-1] == '-')
        whole--;
    if (whole > to && knows(work, from, a_len, "-", right, (gsize)(whole - right))) return FALSE;
    if (whole > to && knows(work, from, a_len, "", right, (gsize)(whole - right))) return TRUE;
    if (knows(work, from, a_len, "", right, b_len)) return TRUE;
    if (knows(work, from, a_len, "-", right, b_len)) return FALSE;
    if (g_unichar_isupper(g_utf8_get_char(right))) return FALSE;
    if (memchr(from, '-', a_len) != NULL) return FALSE; /* "state-of-|the" */
    if (is_compound(work, from, a_len, right, b_len)) return FALSE;
    return TRUE;
}

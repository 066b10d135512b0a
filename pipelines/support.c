/* Does a passage carry a claim? By words alone, and without any model.
 *
 * A claim rests on a sentence that has its numbers and nearly all of its content words, and that neither denies what
 * the claim says nor turns its direction round. The other way round too: what the sentence denies, the claim must not
 * say without the negation. */
#include <string.h>

#include "pipelines/answer.h"

#define FRAGMENT 0.7 /* factor on a sentence without a beginning, or without an end */

/* The rest of a sentence that a formula or a column break cut in two, and headings, say less than they seem to. */
static double
wholeness(const char *text, size_t len)
{
    double factor = 1;
    if (g_unichar_islower(g_utf8_get_char(text))) factor *= FRAGMENT;
    if (memchr(".!?:;]|)\"", text[len - 1], 9) == NULL) factor *= FRAGMENT;
    return factor;
}

/* ---- support of a claim ---- */

/* Every number of the claim must stand in what supports it: the commonest invention is a number. */
static gboolean
numbers_agree(GHashTable *claim, GHashTable *support)
{
    GHashTableIter iter;
    gpointer word;
    g_hash_table_iter_init(&iter, claim);
    while (g_hash_table_iter_next(&iter, &word, NULL))
        if (g_ascii_isdigit(*(const char *)word) && !g_hash_table_contains(support, word))
            return FALSE;
    return TRUE;
}

guint
pipelines_count_in(GHashTable *set, GHashTable *other)
{
    guint n = 0;
    GHashTableIter iter;
    gpointer member;
    g_hash_table_iter_init(&iter, set);
    while (g_hash_table_iter_next(&iter, &member, NULL))
        if (g_hash_table_contains(other, member)) n++;
    return n;
}

double
pipelines_share_of(GHashTable *words, GHashTable *there)
{
    const guint n = g_hash_table_size(words);
    return n > 0 ? (double)pipelines_count_in(words, there) / n : 0;
}

pipelines_quote
pipelines_best_support(const retrieval_hit *hit, guint passage, const char *claim, size_t len)
{
    pipelines_quote best = {.passage = passage, .score = -1};
    g_autoptr(GHashTable) claimed = pipelines_content_words(claim, len);
    g_autoptr(GHashTable) whole = pipelines_content_words(hit->text, strlen(hit->text));
    g_autoptr(GArray) sentences = pipelines_hit_sentences(hit);
    for (guint i = 0; i < sentences->len; i++) {
        pipelines_quote quote = g_array_index(sentences, pipelines_quote, i);
        g_autoptr(GHashTable) words = pipelines_content_words(hit->text + quote.start, quote.len);
        double score = pipelines_share_of(claimed, words);
        if (hit->type != LAYOUT_BLOCK_TABLE) score *= wholeness(hit->text + quote.start, quote.len);
        if (score <= best.score) continue;
        best.start = quote.start;
        best.len = quote.len;
        best.score = score;
    }
    /* a claim may rest on two sentences: half of the credit comes from the whole passage */
    best.score = numbers_agree(claimed, whole)
                     ? 0.5 * MAX(best.score, 0) + 0.5 * pipelines_share_of(claimed, whole)
                     : 0;
    return best;
}

/* ---- polarity ---- */

typedef struct {
    char *stem;
    int direction;
    gboolean head;  /* the first content word behind a negation */
    gboolean after; /* one of the next two: denied or not, who knows */
} word;

static void
word_clear(gpointer data)
{
    g_free(((word *)data)->stem);
}

static gboolean
ends_clause(const char *folded)
{
    static const char *const list[] = {"but", "although", "whereas", "while", "however", "yet"};
    for (size_t i = 0; i < G_N_ELEMENTS(list); i++)
        if (strcmp(list[i], folded) == 0) return TRUE;
    return FALSE;
}

static char *
stem_of(const char *text, size_t len)
{
    g_autoptr(GHashTable) stems = pipelines_content_words(text, len);
    GHashTableIter iter;
    gpointer stem;
    g_hash_table_iter_init(&iter, stems);
    return g_hash_table_iter_next(&iter, &stem, NULL) ? g_strdup(stem) : NULL;
}

static gboolean
is_inner(const char *p)
{
    return g_unichar_isalnum(g_utf8_get_char(p)) || *p == '\'' ||
           g_str_has_prefix(p, "\xE2\x80\x99");
}

/* Content words in order; numbers are looked at elsewhere. */
static GArray *
read_words(const char *text)
{
    enum { SCOPE = 3 };
    GArray *words = g_array_new(FALSE, FALSE, sizeof(word));
    g_array_set_clear_func(words, word_clear);
    g_autofree char *folded = g_utf8_casefold(text, -1);
    guint scope = 0; /* content words that the last negation may still reach */
    for (const char *p = folded; *p != '\0';) {
        const char *start = p;
        while (*p != '\0' && is_inner(p))
            p = g_utf8_next_char(p);
        if (p == start) {
            if (strchr(",;:.!?()", *p) != NULL) scope = 0;
            p = g_utf8_next_char(p);
            continue;
        }
        g_autofree char *one = g_strndup(start, (gsize)(p - start));
        if (ends_clause(one)) scope = 0;
        if (pipelines_is_negation(one) || g_str_has_suffix(one, "n't") ||
            g_str_has_suffix(one, "n\xE2\x80\x99t")) {
            scope = g_str_has_prefix(p, " only") ? 0 : SCOPE;
            continue;
        }
        char *stem = stem_of(one, strlen(one));
        if (stem == NULL || g_ascii_isdigit(stem[0])) {
            g_free(stem);
            continue;
        }
        const word w = {.stem = stem,
                        .direction = pipelines_direction_of(one),
                        .head = scope == SCOPE,
                        .after = scope > 0 && scope < SCOPE};
        g_array_append_val(words, w);
        if (scope > 0) scope--;
    }
    return words;
}

/* "reduction" and "reduced" are the same word for us: long words with the same beginning. */
static gboolean
is_kin(const char *a, const char *b)
{
    enum { MIN_COMMON = 5, MAX_REST = 5 };
    size_t n = 0;
    while (a[n] != '\0' && a[n] == b[n])
        n++;
    if (a[n] == '\0' && b[n] == '\0') return TRUE;
    return n >= MIN_COMMON && strlen(a + n) <= MAX_REST && strlen(b + n) <= MAX_REST;
}

static gboolean
has_word(const GArray *words, const char *stem)
{
    for (guint i = 0; i < words->len; i++)
        if (is_kin(g_array_index(words, word, i).stem, stem)) return TRUE;
    return FALSE;
}

/* Does one say without a negation what the other denies? */
static gboolean
denied_in_one(const GArray *denying, const GArray *saying)
{
    for (guint i = 0; i < denying->len; i++) {
        const word *w = &g_array_index(denying, word, i);
        if (!w->head) continue;
        gboolean there = FALSE, agrees = FALSE;
        for (guint j = 0; j < saying->len; j++) {
            const word *o = &g_array_index(saying, word, j);
            if (!is_kin(o->stem, w->stem)) continue;
            there = TRUE;
            agrees = agrees || o->head || o->after;
        }
        for (guint j = 0; j < denying->len; j++) { /* "did not rise at first and rose later" */
            const word *o = &g_array_index(denying, word, j);
            agrees = agrees || (!o->head && !o->after && is_kin(o->stem, w->stem));
        }
        if (there && !agrees) return TRUE;
        if (there) continue;
        /* "no evidence that aspirin helps" against "aspirin helps" */
        guint n = 0;
        for (guint j = i + 1; j < denying->len && g_array_index(denying, word, j).after; j++) {
            const char *stem = g_array_index(denying, word, j).stem;
            for (guint k = 0; k < saying->len; k++) {
                const word *o = &g_array_index(saying, word, k);
                if (!is_kin(o->stem, stem)) continue;
                n += o->head || o->after ? 0 : 1;
                break;
            }
        }
        if (n >= 2) return TRUE;
    }
    return FALSE;
}

/* Words that stand close to words [at] and to words of the other at [place]. */
static guint
shared_around(const GArray *a, guint at, const GArray *b, guint place)
{
    enum { NEAR = 3 };
    guint n = 0;
    for (guint i = at > NEAR ? at - NEAR : 0; i < MIN(at + NEAR + 1, a->len); i++) {
        if (i == at) continue;
        for (guint j = place > NEAR ? place - NEAR : 0; j < MIN(place + NEAR + 1, b->len); j++)
            if (j != place &&
                is_kin(g_array_index(a, word, i).stem, g_array_index(b, word, j).stem)) {
                n++;
                break;
            }
    }
    return n;
}

/* Does the claim say of something that it rises where the text says that it falls? */
static gboolean
is_turned_round(const GArray *claim, const GArray *text)
{
    for (guint i = 0; i < claim->len; i++) {
        const word *w = &g_array_index(claim, word, i);
        if (w->direction == 0 || w->head) continue;
        gint same = -1, opposite = -1;
        for (guint j = 0; j < text->len; j++) {
            const word *o = &g_array_index(text, word, j);
            if (o->direction == 0 || o->head) continue;
            gint *best = o->direction == w->direction ? &same : &opposite;
            *best = MAX(*best, (gint)shared_around(claim, i, text, j));
        }
        if (opposite > same) return TRUE;
    }
    return FALSE;
}

/* ---- all of it ---- */

/* The sentences that a stretch of a passage touches, and n more on either side: what surrounds a quote may turn it
 * round, or hold the number that the writer left out of it. */
static char *
sentences_around(const retrieval_hit *hit, size_t start, size_t len, guint n)
{
    g_autoptr(GArray) sentences = pipelines_hit_sentences(hit);
    size_t from = start, to = start + len;
    guint first = sentences->len, last = 0;
    for (guint i = 0; i < sentences->len; i++) {
        const pipelines_quote *s = &g_array_index(sentences, pipelines_quote, i);
        if (s->start >= start + len || s->start + s->len <= start) continue;
        first = MIN(first, i);
        last = i;
    }
    if (first < sentences->len) {
        const pipelines_quote *a =
            &g_array_index(sentences, pipelines_quote, first > n ? first - n : 0);
        const pipelines_quote *b =
            &g_array_index(sentences, pipelines_quote, MIN(last + n, sentences->len - 1));
        from = MIN(from, a->start);
        to = MAX(to, (size_t)b->start + b->len);
    }
    return g_strndup(hit->text + from, to - from);
}

/* Share of the claim's content words that its surroundings have, the title and the section among them: they say what
 * "it" and "the drug" are. */
static double
shared_words(const GArray *claim, const retrieval_hit *hit, size_t start, size_t len)
{
    g_autofree char *around = sentences_around(hit, start, len, 1);
    g_autofree char *all = g_strconcat(hit->title, "\n", hit->section, "\n", around, NULL);
    g_autoptr(GArray) there = read_words(all);
    guint n = 0;
    for (guint i = 0; i < claim->len; i++)
        if (has_word(there, g_array_index(claim, word, i).stem)) n++;
    return claim->len > 0 ? (double)n / claim->len : 1;
}

char *
pipelines_support_problem(const retrieval_hit *hit, size_t start, size_t len, const char *claim,
                          double min_shared, gboolean *elsewhere)
{
    g_autofree char *sentences = sentences_around(hit, start, len, 0);
    g_autofree char *missing = NULL;
    const char *kind = NULL;
    double similarity = 0;
    *elsewhere = FALSE;
    if (pipelines_is_instruction(sentences, strlen(sentences)))
        return g_strdup("its quote speaks to the program that reads it");
    if (!pipelines_numbers_supported(claim, sentences, &missing)) {
        *elsewhere = TRUE;
        return g_strdup_printf("its number %s is not in the quote", missing);
    }
    g_autoptr(GArray) said = read_words(claim), there = read_words(sentences);
    if (pipelines_contradict(claim, sentences, &kind, &similarity))
        return g_strdup_printf("its quote says the opposite (%s)", kind);
    if (denied_in_one(there, said) || denied_in_one(said, there))
        return g_strdup("its quote says the opposite (negation)");
    if (is_turned_round(said, there)) return g_strdup("its quote says the opposite (direction)");
    if (shared_words(said, hit, start, len) < min_shared)
        return g_strdup("its quote speaks of something else");
    return NULL;
}

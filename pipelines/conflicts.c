/* Do two sentences contradict each other? By words alone: they must speak of the same things, and differ in what
 * turns a statement round: a direction (rise or fall), a negation, or the number of the same quantity. A sign for the
 * reader to look, not a proof: both sides are always quoted. */
#include <string.h>

#include "pipelines/answer.h"
#include "search/search.h"

#define SAME_MATTER                                                                                \
    0.5 /* Jaccard index of the two sentences' words, directions and numbers apart */

void
pipelines_conflict_free(pipelines_conflict *conflict)
{
    g_free(conflict);
}

/* ---- reading a sentence ---- */

typedef struct {
    GHashTable *matter; /* content words but directions and numbers */
    int direction;      /* > 0 up, < 0 down, 0 neither or both */
    guint n_negations;
    gboolean numbers;
} statement;

static void
statement_clear(statement *s)
{
    g_clear_pointer(&s->matter, g_hash_table_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(statement, statement_clear)

/* By the beginning of the word; both lists in the same sense: first goes up. */
int
pipelines_direction_of(const char *word)
{
    static const char *const up[] = {
        "increas", "higher",  "more",   "greater", "rais",       "rise",     "rose",    "improv",
        "better",  "positiv", "enhanc", "larger",  "faster",     "longer",   "upregul", "elevat",
        "grew",    "gain",    "stimul", "activat", "outperform", "superior", "protect", "effectiv"};
    static const char *const down[] = {
        "decreas", "lower",    "less",         "fewer",    "reduc",  "fall",
        "fell",    "worse",    "declin",       "negativ",  "impair", "smaller",
        "slower",  "shorter",  "downreg",      "drop",     "shrank", "loss",
        "inhibit", "suppress", "underperform", "inferior", "harm",   "ineffectiv"};
    for (size_t i = 0; i < G_N_ELEMENTS(up); i++)
        if (g_str_has_prefix(word, up[i])) return 1;
    for (size_t i = 0; i < G_N_ELEMENTS(down); i++)
        if (g_str_has_prefix(word, down[i])) return -1;
    return 0;
}

gboolean
pipelines_is_negation(const char *word)
{
    static const char *const list[] = {"not",    "no",    "never",  "without", "neither", "nor",
                                       "cannot", "none",  "lack",   "lacked",  "failed",  "fails",
                                       "didn't", "isn't", "wasn't", "doesn't", "absence", "unable"};
    for (size_t i = 0; i < G_N_ELEMENTS(list); i++)
        if (strcmp(list[i], word) == 0) return TRUE;
    return FALSE;
}

static statement
read_statement(const char *text)
{
    statement s = {.matter = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL)};
    int up = 0, down = 0;
    g_autofree char *folded = g_utf8_casefold(text, -1);
    for (const char *p = folded; *p != '\0';) {
        const char *start = p;
        while (*p != '\0' && (g_unichar_isalnum(g_utf8_get_char(p)) || *p == '\''))
            p = g_utf8_next_char(p);
        if (p == start) {
            p = g_utf8_next_char(p);
            continue;
        }
        g_autofree char *word = g_strndup(start, (gsize)(p - start));
        int direction = pipelines_direction_of(word);
        up += direction > 0 ? 1 : 0;
        down += direction < 0 ? 1 : 0;
        if (pipelines_is_negation(word)) {
            if (!g_str_has_prefix(p, " only")) s.n_negations++;
        } else if (g_ascii_isdigit(word[0])) {
            s.numbers = TRUE;
        } else if (direction == 0) {
            g_autoptr(GHashTable) stems = pipelines_content_words(word, strlen(word));
            GHashTableIter iter;
            gpointer stem;
            g_hash_table_iter_init(&iter, stems);
            while (g_hash_table_iter_next(&iter, &stem, NULL))
                g_hash_table_add(s.matter, g_strdup(stem));
        }
    }
    s.direction = up > 0 && down > 0 ? 0 : up - down;
    return s;
}

gboolean
pipelines_contradict(const char *a, const char *b, const char **kind, double *similarity)
{
    enum { MIN_WORDS = 3 };
    g_auto(statement) x = read_statement(a);
    g_auto(statement) y = read_statement(b);
    *similarity = search_words_overlap(x.matter, y.matter);
    if (*similarity < SAME_MATTER || g_hash_table_size(x.matter) < MIN_WORDS ||
        g_hash_table_size(y.matter) < MIN_WORDS)
        return FALSE;
    gboolean turned = x.direction * y.direction < 0;
    gboolean negated = x.n_negations % 2 != y.n_negations % 2;
    if (turned != negated) { /* "did not rise" and "fell" agree */
        *kind = turned ? "direction" : "negation";
        return TRUE;
    }
    if (turned || !x.numbers || !y.numbers) return FALSE;
    if (pipelines_numbers_supported(a, b, NULL) || pipelines_numbers_supported(b, a, NULL))
        return FALSE;
    *kind = "number";
    return TRUE;
}

void
pipelines_find_conflicts(lode_answer *answer)
{
    for (guint i = 0; i < answer->citations->len; i++)
        for (guint j = i + 1; j < answer->citations->len; j++) {
            const pipelines_citation *x = &g_array_index(answer->citations, pipelines_citation, i);
            const pipelines_citation *y = &g_array_index(answer->citations, pipelines_citation, j);
            const retrieval_hit *p = answer->hits->pdata[x->passage];
            const retrieval_hit *q = answer->hits->pdata[y->passage];
            if (g_strcmp0(p->path, q->path) == 0) continue;
            g_autofree char *a = g_strndup(p->text + x->quote.start, x->quote.len);
            g_autofree char *b = g_strndup(q->text + y->quote.start, y->quote.len);
            pipelines_conflict found = {.a = i, .b = j};
            if (pipelines_contradict(a, b, &found.kind, &found.similarity))
                g_ptr_array_add(answer->conflicts, g_memdup2(&found, sizeof found));
        }
}

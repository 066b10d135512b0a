/* Passages -> the sentence that answers a question over one passage or two.
 *
 *   question's words   at most 64, each a bit: what a text covers is a mask, and so is what it covers if words that say
 *                      the same count too ("born" for "birth", asked.c)
 *   a pair             a sentence, and a passage before it that names its page, or whose sentence has a name with it
 *   score              linear in the features of search.h
 *
 * The weights are of tests/bench/fit_chain.py: pairs compete in a softmax, and the chance of choosing one whose sentence
 * has an accepted answer is made large, on half of the questions each of MuSiQue, 2WikiMultihopQA and HotpotQA. */
#include <math.h>
#include <string.h>

#include "search/asked.h"
#include "search/search.h"
#include "search/words.h"

enum { MAX_WORDS = 64, MAX_PASSAGES = 64, MAX_SENTENCES = 40, MAX_NAMES = 40 };

#define SAME_MEANING 0.8 /* of a word's weight, where only one that says the same is there */

static const double weights[SEARCH_CHAIN_N_FEATURES] = {
    2.69, 1.11, 0.03, 4.00, 2.54, 1.77, 1.50, 0.97, 0.33, 0.74, 0.71, 2.32, 0.91, -0.58, 2.01};

/* Bits of the question's words. */
typedef struct {
    guint64 said, meant; /* the word itself; itself or one that says the same */
} cover;

typedef struct {
    guint start, len;
    cover cover;
    GHashTable *words;
    GPtrArray *names; /* of GPtrArray of char *: the words of each name that the question has not */
    int kind;         /* as SEARCH_CHAIN_KIND */
} statement;

typedef struct {
    GHashTable *words; /* of title and text */
    GPtrArray *title;  /* words of the plain title */
    cover cover, title_cover;
    gboolean in_asked;
    GPtrArray *sentences; /* of statement * */
} page;

typedef struct {
    const char *text;
    GPtrArray *words;
    GHashTable *word_set;
    GHashTable *bits; /* stem -> cover *, owned */
    double weight[MAX_WORDS], total;
    asked_kind kind;
    GPtrArray *pages;
} chooser;

static void
sentence_free(gpointer data)
{
    statement *s = data;
    g_hash_table_unref(s->words);
    g_ptr_array_unref(s->names);
    g_free(s);
}

static void
page_free(gpointer data)
{
    page *p = data;
    g_hash_table_unref(p->words);
    g_ptr_array_unref(p->title);
    g_ptr_array_unref(p->sentences);
    g_free(p);
}

/* ---- the question ---- */

static cover *
bits_of(GHashTable *bits, const char *word)
{
    cover *c = g_hash_table_lookup(bits, word);
    if (c == NULL) {
        c = g_new0(cover, 1);
        g_hash_table_insert(bits, g_strdup(word), c);
    }
    return c;
}

static void
read_question(chooser *c)
{
    c->words = search_words(c->text);
    if (c->words->len > MAX_WORDS) g_ptr_array_set_size(c->words, MAX_WORDS);
    c->word_set = search_word_set(c->text);
    c->bits = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    c->kind = search_asked_kind(c->text);
    g_autoptr(GHashTable) mates = search_asked_mates();
    for (guint i = 0; i < c->words->len; i++) {
        const guint64 bit = (guint64)1 << i;
        cover *own = bits_of(c->bits, c->words->pdata[i]);
        own->said |= bit;
        own->meant |= bit;
        const GPtrArray *same = g_hash_table_lookup(mates, c->words->pdata[i]);
        for (guint j = 0; same != NULL && j < same->len; j++)
            bits_of(c->bits, same->pdata[j])->meant |= bit;
    }
}

static cover
cover_of(const chooser *c, GHashTable *words)
{
    cover all = {0, 0};
    GHashTableIter iter;
    gpointer word;
    g_hash_table_iter_init(&iter, words);
    while (g_hash_table_iter_next(&iter, &word, NULL)) {
        const cover *bits = g_hash_table_lookup(c->bits, word);
        if (bits == NULL) continue;
        all.said |= bits->said;
        all.meant |= bits->meant;
    }
    return all;
}

/* Share of the question's weight. */
static double
share(const chooser *c, guint64 said, guint64 meant)
{
    double sum = 0;
    for (guint i = 0; i < c->words->len; i++) {
        const guint64 bit = (guint64)1 << i;
        if (said & bit)
            sum += c->weight[i];
        else if (meant & bit)
            sum += SAME_MEANING * c->weight[i];
    }
    return c->total > 0 ? sum / c->total : 0;
}

/* How rare each word is among the passages. */
static void
weigh(chooser *c)
{
    for (guint i = 0; i < c->words->len; i++) {
        guint n = 0;
        for (guint j = 0; j < c->pages->len; j++)
            n += (guint)((((const page *)c->pages->pdata[j])->cover.said >> i) & 1);
        c->weight[i] = log(1 + (c->pages->len + 1.0) / (n + 0.5));
        c->total += c->weight[i];
    }
}

/* ---- the passages ---- */

static GPtrArray *
new_names(const chooser *c, const char *text)
{
    GPtrArray *found = g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);
    g_autoptr(GPtrArray) names = search_names(text, MAX_NAMES);
    for (guint i = 0; i < names->len; i++) {
        g_autoptr(GPtrArray) words = search_words(names->pdata[i]);
        if (words->len > 0 && !search_words_covered(words, c->word_set))
            g_ptr_array_add(found, g_steal_pointer(&words));
    }
    return found;
}

/* Is what the question asks for in it, and not known from the question or the title? */
static int
kind_in(const chooser *c, const char *text, const GPtrArray *title)
{
    if (c->kind == ASKED_OTHER || c->kind == ASKED_THING) return 0;
    g_autoptr(GHashTable) known = search_word_set(c->text);
    for (guint i = 0; i < title->len; i++)
        g_hash_table_add(known, g_strdup(title->pdata[i]));
    g_autofree char *found = search_asked_find(c->kind, c->text, text, known);
    return found != NULL ? 1 : -1;
}

static void
add_sentence(const chooser *c, page *p, const char *text, guint start, guint end)
{
    enum { MIN_WORDS = 2 };
    while (start < end && g_ascii_isspace(text[start]))
        start++;
    while (end > start && g_ascii_isspace(text[end - 1]))
        end--;
    g_autofree char *copy = g_strndup(text + start, end - start);
    g_autoptr(GHashTable) words = search_word_set(copy);
    if (g_hash_table_size(words) < MIN_WORDS) return;
    statement *s = g_new0(statement, 1);
    s->start = start;
    s->len = end - start;
    s->cover = cover_of(c, words);
    s->names = new_names(c, copy);
    s->kind = kind_in(c, copy, p->title);
    s->words = g_steal_pointer(&words);
    g_ptr_array_add(p->sentences, s);
}

static void
add_page(chooser *c, const search_passage *passage)
{
    page *p = g_new0(page, 1);
    g_autofree char *all = g_strconcat(passage->title, "\n", passage->text, NULL);
    g_autofree char *plain = search_plain_title(passage->title);
    g_autoptr(GHashTable) title_set = search_word_set(plain);
    p->words = search_word_set(all);
    p->title = search_words(plain);
    p->cover = cover_of(c, p->words);
    p->title_cover = cover_of(c, title_set);
    p->in_asked = p->title->len > 0 && search_words_covered(p->title, c->word_set);
    p->sentences = g_ptr_array_new_with_free_func(sentence_free);
    guint start = 0;
    for (guint i = 0; i < MIN(passage->ends->len, MAX_SENTENCES); i++) {
        const guint end = g_array_index(passage->ends, uint32_t, i);
        add_sentence(c, p, passage->text, start, end);
        start = end;
    }
    g_ptr_array_add(c->pages, p);
}

/* ---- pairs ---- */

/* The sentence of the page before that leads here: one that has a name with this one, and the most of the question.
 * Its share, a little more than 0 where it only has the name; 0: no name joins them. */
static double
joined_by_name(const chooser *c, const page *before, const statement *s, const statement **which)
{
    double best = 0;
    for (guint i = 0; i < before->sentences->len; i++) {
        const statement *x = before->sentences->pdata[i];
        gboolean joined = FALSE;
        for (guint j = 0; j < x->names->len && !joined; j++)
            joined = search_words_covered(x->names->pdata[j], s->words);
        const double worth = joined ? 0.01 + share(c, x->cover.said, 0) : 0;
        if (worth <= best) continue;
        best = worth;
        *which = x;
    }
    return best;
}

/* The sentence of the page before that names this page; else the one that has the most of the question. */
static const statement *
leading_sentence(const chooser *c, const page *before, const page *here)
{
    const statement *best = NULL;
    double most = -1;
    for (guint i = 0; i < before->sentences->len; i++) {
        const statement *x = before->sentences->pdata[i];
        const gboolean names_it =
            here->title->len > 0 && search_words_covered(here->title, x->words);
        const double worth = share(c, x->cover.said, 0) + (names_it ? 1 : 0);
        if (worth <= most) continue;
        most = worth;
        best = x;
    }
    return best;
}

static void
fill_own(const chooser *c, guint index, guint place, search_chain *chain)
{
    const page *p = c->pages->pdata[index];
    const statement *s = p->sentences->pdata[place];
    double *f = chain->features;
    const double said = share(c, s->cover.said, 0);
    guint n_new = 0, n_words = g_hash_table_size(s->words);
    GHashTableIter iter;
    gpointer word;
    g_hash_table_iter_init(&iter, s->words);
    while (g_hash_table_iter_next(&iter, &word, NULL))
        n_new += !g_hash_table_contains(c->word_set, word);
    f[SEARCH_CHAIN_JOINT] =
        share(c, s->cover.said | p->title_cover.said, s->cover.meant | p->title_cover.meant);
    f[SEARCH_CHAIN_OWN] = said;
    f[SEARCH_CHAIN_KIND] = s->kind;
    f[SEARCH_CHAIN_RANK] = 1.0 / (1 + index);
    f[SEARCH_CHAIN_FRESH] = n_words > 0 ? (double)n_new / n_words : 0;
    f[SEARCH_CHAIN_IN_ASKED] = p->in_asked;
    f[SEARCH_CHAIN_FIRST] = place == 0;
    f[SEARCH_CHAIN_MEANT] = share(c, s->cover.said, s->cover.meant) - said;
    f[SEARCH_CHAIN_TITLE] = share(c, p->title_cover.said, 0);
    chain->alone = f[SEARCH_CHAIN_JOINT];
    chain->passage = index;
    chain->start = s->start;
    chain->len = s->len;
    chain->before = -1;
}

/* The same sentence with another passage before it; FALSE: nothing joins them. */
static gboolean
fill_before(const chooser *c, guint index, guint place, guint before, search_chain *chain)
{
    const page *p = c->pages->pdata[index], *from = c->pages->pdata[before];
    const statement *s = p->sentences->pdata[place], *which = NULL;
    double *f = chain->features;
    const gboolean titled =
        p->title->len > 0 && !p->in_asked && search_words_covered(p->title, from->words);
    f[SEARCH_CHAIN_TITLED] = titled;
    f[SEARCH_CHAIN_NAMED] = joined_by_name(c, from, s, &which);
    if (!titled && f[SEARCH_CHAIN_NAMED] <= 0) return FALSE;
    if (titled) which = leading_sentence(c, from, p);
    const guint64 open = ~from->cover.said;
    f[SEARCH_CHAIN_JOINT] = share(c, s->cover.said | p->title_cover.said | from->cover.said,
                                  s->cover.meant | p->title_cover.meant | from->cover.meant);
    /* what says the same counts whole: the word itself is not to be had */
    f[SEARCH_CHAIN_NEW] = share(c, s->cover.meant & open, 0);
    f[SEARCH_CHAIN_RANK_BEFORE] = 1.0 / (1 + before);
    f[SEARCH_CHAIN_BEFORE] = share(c, from->cover.said, 0);
    f[SEARCH_CHAIN_TURNED] = p->in_asked;
    chain->before = (gint)before;
    chain->before_start = which != NULL ? which->start : 0;
    chain->before_len = which != NULL ? which->len : 0;
    return TRUE;
}

static void
add_scored(GArray *chains, search_chain *chain)
{
    chain->score = 0;
    for (int i = 0; i < SEARCH_CHAIN_N_FEATURES; i++)
        chain->score += weights[i] * chain->features[i];
    g_array_append_vals(chains, chain, 1);
}

static gint
compare_chains(gconstpointer a, gconstpointer b)
{
    const search_chain *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    if (x->passage != y->passage) return x->passage < y->passage ? -1 : 1;
    if (x->start != y->start) return x->start < y->start ? -1 : 1;
    return x->before < y->before ? -1 : x->before > y->before;
}

static void
add_pairs(const chooser *c, guint index, guint place, gboolean all, GArray *chains)
{
    g_autoptr(GArray) pairs = g_array_new(FALSE, FALSE, sizeof(search_chain));
    search_chain alone = {0};
    fill_own(c, index, place, &alone);
    add_scored(pairs, &alone);
    for (guint before = 0; before < c->pages->len; before++) {
        search_chain pair = alone;
        if (before != index && fill_before(c, index, place, before, &pair))
            add_scored(pairs, &pair);
    }
    g_array_sort(pairs, compare_chains);
    g_array_append_vals(chains, pairs->data, all ? pairs->len : 1);
}

GArray *
search_chains(const char *question, const search_passage *passages, gsize n, gboolean all)
{
    chooser c = {.text = question, .pages = g_ptr_array_new_with_free_func(page_free)};
    read_question(&c);
    for (gsize i = 0; i < MIN(n, MAX_PASSAGES); i++)
        add_page(&c, &passages[i]);
    weigh(&c);
    GArray *chains = g_array_new(FALSE, FALSE, sizeof(search_chain));
    for (guint i = 0; i < c.pages->len; i++)
        for (guint j = 0; j < ((const page *)c.pages->pdata[i])->sentences->len; j++)
            add_pairs(&c, i, j, all, chains);
    g_array_sort(chains, compare_chains);
    g_ptr_array_unref(c.words);
    g_hash_table_unref(c.word_set);
    g_hash_table_unref(c.bits);
    g_ptr_array_unref(c.pages);
    return chains;
}

char *
search_answer_words(const char *question, const char *sentence, const char *title)
{
    g_autofree char *plain = search_plain_title(title);
    g_autoptr(GPtrArray) title_words = search_words(plain);
    g_autoptr(GHashTable) known = search_word_set(question);
    const gboolean told = title_words->len == 0 || search_words_covered(title_words, known);
    for (guint i = 0; i < title_words->len; i++)
        g_hash_table_add(known, g_strdup(title_words->pdata[i]));
    char *words = search_asked_find(search_asked_kind(question), question, sentence, known);
    if (words != NULL || told) return words;
    return g_strdup(plain);
}

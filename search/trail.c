/* From passage to passage by the names in them.
 *
 *   first round   every passage that the searches found: how much of the question it covers (words weighted by
 *                 how rare they are among the passages) and how early it came
 *   a hop         a name in one of the best passages, searched with the words the path has not covered yet
 *   its end       a passage that has the whole name; worth its path, times how much it looks like the name's own
 *                 page and how many of the open words it has
 *
 * Passages collect what all paths to them are worth. The idea of following entities from page to page by what the
 * question still lacks is that of multi-hop readers (Das et al., "Multi-step Entity-centric Information Retrieval for
 * Multi-Hop Question Answering", MRQA 2019); here it is done by words alone. The constants were fitted on
 * 2WikiMultihopQA and half of a MuSiQue sample. */
#include <math.h>
#include <string.h>

#include "search/search.h"
#include "search/words.h"

enum { BEAM = 4, MAX_NAMES = 40, MAX_TEXT_WORDS = 4000 };

#define COVERED    0.7 /* of a first passage's worth: the question's words in it; the rest: its rank */
#define RANK_HALF  4.0 /* at this rank, counted from 0, half of the rank's share is left */
#define ITS_PAGE   1.0 /* worth of a page whose title is the name */
#define NEW_WORDS  1.2 /* worth of all of the question's words, were they new */
#define HAS_NAME   0.1 /* worth of having the name at all */
#define TITLE_NAME 1.0 /* promise of a page's own title as the next name ... */
#define OTHER_NAME 1.0 /* ... of a name in its text ... */
#define NEAR_WORDS 0.3 /* ... and of all the question's words in the same sentence */

typedef struct {
    guint step, rank;
} sighting;

typedef struct {
    char *key, *title, *text;
    GHashTable *words;      /* of title and text */
    GPtrArray *title_words; /* in order */
    GArray *sightings;
    double score;
    double best;         /* worth of the best path to it this round */
    GHashTable *covered; /* the question's words on that path, lent keys of the question's words */
    GArray *path;        /* of guint: the passages on it, itself last */
} passage;

/* A search: of a question, or of a name that leads on. */
typedef struct {
    search_hop hop;      /* name NULL: a question */
    GPtrArray *words;    /* of the question or the name */
    GArray *weights;     /* of double, one per word of a question; made when its round is over */
    double worth;        /* of the path that a hop goes on from */
    GHashTable *covered; /* by that path */
    GArray *path;
} step;

struct search_trail {
    char *question;
    GPtrArray *asked; /* of char *: the question's words, those of step 0 */
    GHashTable *asked_set;
    GPtrArray *passages, *steps;
    GHashTable *by_key;   /* key -> index + 1 */
    GHashTable *followed; /* words of names that were followed */
    GArray *beam;         /* of guint */
    guint n_weighed;      /* steps whose results have been weighed */
};

static void
passage_free(gpointer data)
{
    passage *p = data;
    g_free(p->key);
    g_free(p->title);
    g_free(p->text);
    g_hash_table_unref(p->words);
    g_ptr_array_unref(p->title_words);
    g_array_unref(p->sightings);
    g_clear_pointer(&p->covered, g_hash_table_unref);
    g_clear_pointer(&p->path, g_array_unref);
    g_free(p);
}

static void
step_free(gpointer data)
{
    step *s = data;
    g_free(s->hop.name);
    g_free(s->hop.query);
    g_ptr_array_unref(s->words);
    g_clear_pointer(&s->weights, g_array_unref);
    g_clear_pointer(&s->covered, g_hash_table_unref);
    g_clear_pointer(&s->path, g_array_unref);
    g_free(s);
}

static step *
step_new(search_trail *trail, GPtrArray *words)
{
    step *s = g_new0(step, 1);
    s->words = g_ptr_array_ref(words);
    s->hop.step = trail->steps->len;
    g_ptr_array_add(trail->steps, s);
    return s;
}

search_trail *
search_trail_new(const char *question)
{
    search_trail *trail = g_new0(search_trail, 1);
    trail->question = g_utf8_make_valid(question, -1);
    trail->asked = search_words(trail->question);
    trail->asked_set = search_word_set(trail->question);
    trail->passages = g_ptr_array_new_with_free_func(passage_free);
    trail->steps = g_ptr_array_new_with_free_func(step_free);
    trail->by_key = g_hash_table_new(g_str_hash, g_str_equal);
    trail->followed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    trail->beam = g_array_new(FALSE, FALSE, sizeof(guint));
    step_new(trail, trail->asked);
    return trail;
}

void
search_trail_free(search_trail *trail)
{
    if (trail == NULL) return;
    g_array_unref(trail->beam);
    g_hash_table_unref(trail->followed);
    g_hash_table_unref(trail->by_key);
    g_ptr_array_unref(trail->steps);
    g_ptr_array_unref(trail->passages);
    g_hash_table_unref(trail->asked_set);
    g_ptr_array_unref(trail->asked);
    g_free(trail->question);
    g_free(trail);
}

/* ---- seeing ---- */

static void
set_text(passage *p, const char *title, const char *text)
{
    g_free(p->title);
    g_free(p->text);
    p->title = g_utf8_make_valid(title != NULL ? title : "", -1);
    p->text = g_utf8_make_valid(text != NULL ? text : "", -1);
    g_autofree char *all = g_strconcat(p->title, "\n", p->text, NULL);
    g_clear_pointer(&p->words, g_hash_table_unref);
    g_clear_pointer(&p->title_words, g_ptr_array_unref);
    p->words = search_word_set(all);
    g_autofree char *plain = search_plain_title(p->title);
    p->title_words = search_words(plain);
}

guint
search_trail_ask(search_trail *trail, const char *question)
{
    g_autofree char *valid = g_utf8_make_valid(question, -1);
    g_autoptr(GPtrArray) words = search_words(valid);
    return step_new(trail, words)->hop.step;
}

guint
search_trail_see(search_trail *trail, guint from, const char *key, const char *title,
                 const char *text, guint rank)
{
    g_assert(from < trail->steps->len);
    guint index = GPOINTER_TO_UINT(g_hash_table_lookup(trail->by_key, key));
    passage *p;
    if (index == 0) {
        p = g_new0(passage, 1);
        p->key = g_strdup(key);
        p->sightings = g_array_new(FALSE, FALSE, sizeof(sighting));
        g_ptr_array_add(trail->passages, p);
        index = trail->passages->len;
        g_hash_table_insert(trail->by_key, p->key, GUINT_TO_POINTER(index));
        set_text(p, title, text);
    } else {
        p = trail->passages->pdata[index - 1];
        if (g_strcmp0(p->text, text) != 0) set_text(p, title, text);
    }
    sighting s = {from, MAX(rank, 1)};
    g_array_append_val(p->sightings, s);
    return index - 1;
}

/* ---- worth ---- */

/* How rare each word is among the passages. */
static GArray *
weigh_words(const search_trail *trail, const GPtrArray *words)
{
    GArray *weights = g_array_new(FALSE, FALSE, sizeof(double));
    guint n = trail->passages->len;
    for (guint i = 0; i < words->len; i++) {
        guint with = 0;
        for (guint j = 0; j < n; j++) {
            const passage *p = trail->passages->pdata[j];
            if (g_hash_table_contains(p->words, words->pdata[i])) with++;
        }
        double weight = log(1 + (n - with + 0.5) / (with + 0.5));
        g_array_append_val(weights, weight);
    }
    return weights;
}

/* Share of a question's words, in weight, that words has and except (may be NULL) does not. */
static double
coverage(const step *question, GHashTable *words, GHashTable *except)
{
    double sum = 0, total = 0;
    for (guint i = 0; i < question->words->len; i++) {
        gconstpointer word = question->words->pdata[i];
        double weight = g_array_index(question->weights, double, i);
        total += weight;
        if (g_hash_table_contains(words, word) &&
            (except == NULL || !g_hash_table_contains(except, word)))
            sum += weight;
    }
    return total > 0 ? sum / total : 0;
}

static GHashTable *
covered_by(const search_trail *trail, GHashTable *before, GHashTable *words)
{
    GHashTable *covered = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < trail->asked->len; i++) {
        gpointer word = trail->asked->pdata[i];
        if (g_hash_table_contains(words, word) ||
            (before != NULL && g_hash_table_contains(before, word)))
            g_hash_table_add(covered, word);
    }
    return covered;
}

/* Jaccard index of the name and the page's title. */
static double
title_match(const step *h, const passage *p)
{
    guint both = 0;
    for (guint i = 0; i < h->words->len; i++)
        for (guint j = 0; j < p->title_words->len; j++)
            if (strcmp(h->words->pdata[i], p->title_words->pdata[j]) == 0) both++;
    guint either = h->words->len + p->title_words->len - both;
    return either > 0 ? (double)both / either : 0;
}

static gboolean
on_path(const GArray *path, guint index)
{
    for (guint i = 0; i < path->len; i++)
        if (g_array_index(path, guint, i) == index) return TRUE;
    return FALSE;
}

static void
take_path(search_trail *trail, guint index, double worth, const step *h)
{
    passage *p = trail->passages->pdata[index];
    if (worth <= p->best) return;
    p->best = worth;
    g_clear_pointer(&p->covered, g_hash_table_unref);
    g_clear_pointer(&p->path, g_array_unref);
    p->covered = covered_by(trail, h != NULL ? h->covered : NULL, p->words);
    p->path = g_array_new(FALSE, FALSE, sizeof(guint));
    if (h != NULL) g_array_append_vals(p->path, h->path->data, h->path->len);
    g_array_append_val(p->path, index);
}

/* A passage as an answer to a question that was asked: what it covers of it, and its rank. */
static double
worth_of_answer(const step *question, const passage *p, guint rank)
{
    double by_rank = RANK_HALF / (RANK_HALF + rank - 1);
    return COVERED * coverage(question, p->words, NULL) + (1 - COVERED) * by_rank;
}

/* A passage as the end of a hop. */
static double
worth_of_hop(const search_trail *trail, const step *h, const passage *p, guint index)
{
    if (on_path(h->path, index) || !search_words_covered(h->words, p->words)) return 0;
    return h->worth * (ITS_PAGE * title_match(h, p) + HAS_NAME +
                       NEW_WORDS * coverage(trail->steps->pdata[0], p->words, h->covered));
}

static void
weigh_passage(search_trail *trail, guint index)
{
    passage *p = trail->passages->pdata[index];
    p->best = 0;
    for (guint i = 0; i < p->sightings->len; i++) {
        const sighting *seen = &g_array_index(p->sightings, sighting, i);
        if (seen->step < trail->n_weighed) continue;
        const step *s = trail->steps->pdata[seen->step];
        if (s->hop.name != NULL)
            take_path(trail, index, worth_of_hop(trail, s, p, index), s);
        else
            take_path(trail, index, worth_of_answer(s, p, seen->rank), NULL);
    }
    p->score += p->best;
}

static gint
compare_best(gconstpointer a, gconstpointer b, gpointer data)
{
    const search_trail *trail = data;
    guint i = *(const guint *)a, j = *(const guint *)b;
    const passage *x = trail->passages->pdata[i], *y = trail->passages->pdata[j];
    if (x->best != y->best) return x->best > y->best ? -1 : 1;
    return i < j ? -1 : i > j;
}

/* What this round's results are worth; the best are where the next begins. */
static void
close_round(search_trail *trail)
{
    for (guint i = trail->n_weighed; i < trail->steps->len; i++) {
        step *s = trail->steps->pdata[i];
        if (s->hop.name == NULL) s->weights = weigh_words(trail, s->words);
    }
    g_array_set_size(trail->beam, 0);
    for (guint i = 0; i < trail->passages->len; i++) {
        weigh_passage(trail, i);
        if (((const passage *)trail->passages->pdata[i])->best > 0)
            g_array_append_val(trail->beam, i);
    }
    g_array_sort_with_data(trail->beam, compare_best, trail);
    if (trail->beam->len > BEAM) g_array_set_size(trail->beam, BEAM);
    trail->n_weighed = trail->steps->len;
}

/* ---- names that lead on ---- */

typedef struct {
    char *name, *id; /* id: its words, sorted */
    GPtrArray *words;
    guint from, order;
    double promise;
} candidate;

static void
candidate_free(gpointer data)
{
    candidate *c = data;
    g_free(c->name);
    g_free(c->id);
    g_ptr_array_unref(c->words);
    g_free(c);
}

static gint
compare_strings(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static char *
sorted_words(const GPtrArray *words)
{
    g_autoptr(GPtrArray) sorted = g_ptr_array_new();
    for (guint i = 0; i < words->len; i++)
        g_ptr_array_add(sorted, words->pdata[i]);
    g_ptr_array_sort(sorted, compare_strings);
    g_ptr_array_add(sorted, NULL);
    return g_strjoinv(" ", (char **)sorted->pdata);
}

static void
offer(const search_trail *trail, GPtrArray *candidates, const char *name, guint from,
      double promise)
{
    g_autoptr(GPtrArray) words = search_words(name);
    if (words->len == 0 || search_words_covered(words, trail->asked_set)) return;
    g_autofree char *id = sorted_words(words);
    if (g_hash_table_contains(trail->followed, id)) return;
    for (guint i = 0; i < candidates->len; i++) {
        candidate *c = candidates->pdata[i];
        if (strcmp(c->id, id) != 0) continue;
        if (promise > c->promise) {
            c->promise = promise;
            c->from = from;
        }
        return;
    }
    candidate *c = g_new0(candidate, 1);
    c->name = g_strdup(name);
    c->id = g_steal_pointer(&id);
    c->words = g_steal_pointer(&words);
    c->from = from;
    c->promise = promise;
    c->order = candidates->len;
    g_ptr_array_add(candidates, c);
}

/* End of the sentence at text, roughly: names are looked for in stretches, nothing is quoted from them. */
static const char *
stretch_end(const char *text)
{
    const char *p = text;
    while (*p != '\0' && *p != '\n' &&
           !((*p == '.' || *p == '!' || *p == '?') && (p[1] == ' ' || p[1] == '\n')))
        p = g_utf8_next_char(p);
    while (*p == '.' || *p == '!' || *p == '?')
        p++;
    return p;
}

static void
offer_names(const search_trail *trail, GPtrArray *candidates, guint from)
{
    const passage *p = trail->passages->pdata[from];
    g_autofree char *title = search_plain_title(p->title);
    g_autoptr(GHashTable) title_set = search_word_set(title);
    offer(trail, candidates, title, from, p->best * TITLE_NAME);
    guint n_names = 0;
    for (const char *start = p->text; *start != '\0' && n_names < MAX_NAMES;) {
        const char *end = stretch_end(start);
        g_autofree char *stretch = g_strndup(start, (gsize)(end - start));
        g_autoptr(GHashTable) words = search_word_set(stretch);
        g_autoptr(GPtrArray) names = search_names(stretch, MAX_NAMES - n_names);
        double promise = OTHER_NAME + NEAR_WORDS * coverage(trail->steps->pdata[0], words, NULL);
        n_names += names->len;
        for (guint i = 0; i < names->len; i++) {
            g_autoptr(GPtrArray) name_words = search_words(names->pdata[i]);
            if (search_words_covered(name_words, title_set)) continue;
            offer(trail, candidates, names->pdata[i], from, p->best * promise);
        }
        start = end;
        while (g_ascii_isspace(*start))
            start++;
    }
}

static gint
compare_candidates(gconstpointer a, gconstpointer b)
{
    const candidate *x = *(candidate *const *)a, *y = *(candidate *const *)b;
    if (x->promise != y->promise) return x->promise > y->promise ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* The question's words that are not covered, as they are printed. */
static void
append_open_words(const search_trail *trail, GHashTable *covered, GString *query)
{
    g_auto(GStrv) printed = g_strsplit_set(trail->question, " \t\",;:?!()[]{}", -1);
    for (char **word = printed; *word != NULL; word++) {
        g_autoptr(GPtrArray) words = search_words(*word);
        if (words->len > 0 && !search_words_covered(words, covered))
            g_string_append_printf(query, " %s", *word);
    }
}

static search_hop *
add_hop(search_trail *trail, const candidate *c)
{
    const passage *p = trail->passages->pdata[c->from];
    step *s = step_new(trail, c->words);
    s->hop.name = g_strdup(c->name);
    s->hop.from = c->from;
    s->worth = p->best;
    s->covered = g_hash_table_ref(p->covered);
    s->path = g_array_ref(p->path);
    g_autoptr(GString) query = g_string_new(c->name);
    append_open_words(trail, p->covered, query);
    s->hop.query = g_string_free(g_steal_pointer(&query), FALSE);
    g_hash_table_add(trail->followed, g_strdup(c->id));
    return &s->hop;
}

GPtrArray *
search_trail_next(search_trail *trail, guint max)
{
    close_round(trail);
    g_autoptr(GPtrArray) candidates = g_ptr_array_new_with_free_func(candidate_free);
    for (guint i = 0; i < trail->beam->len; i++)
        offer_names(trail, candidates, g_array_index(trail->beam, guint, i));
    g_ptr_array_sort(candidates, compare_candidates);
    GPtrArray *next = g_ptr_array_new();
    for (guint i = 0; i < MIN(candidates->len, max); i++)
        g_ptr_array_add(next, add_hop(trail, candidates->pdata[i]));
    return next;
}

/* ---- results ---- */

static gint
compare_scores(gconstpointer a, gconstpointer b, gpointer data)
{
    const search_trail *trail = data;
    guint i = *(const guint *)a, j = *(const guint *)b;
    double x = search_trail_score(trail, i), y = search_trail_score(trail, j);
    if (x != y) return x > y ? -1 : 1;
    return i < j ? -1 : i > j;
}

GArray *
search_trail_rank(const search_trail *trail)
{
    GArray *order = g_array_new(FALSE, FALSE, sizeof(guint));
    for (guint i = 0; i < trail->passages->len; i++)
        g_array_append_val(order, i);
    g_array_sort_with_data(order, compare_scores, (gpointer)trail);
    return order;
}

double
search_trail_score(const search_trail *trail, guint index)
{
    return ((const passage *)trail->passages->pdata[index])->score;
}

const char *
search_trail_key(const search_trail *trail, guint index)
{
    return ((const passage *)trail->passages->pdata[index])->key;
}

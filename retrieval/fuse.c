/* Fusion of a ranking by words and one by vectors.
 *
 *     score = words * bm25 / best bm25 + meaning * cosine + likeness * (vector . centre)
 *
 * Both weights go with the question. words falls where even the best passage has few of the question's words: the share
 * of what BM25 could reach at most says so. meaning falls where the cosines hardly tell passages apart: then the best is
 * little above the tenth. centre is the mean of the ten best by the first two terms, weighted by their scores: what is
 * like them is probably on the subject too (pseudo-relevance feedback: Rocchio, The SMART Retrieval System, 1971,
 * chapter 14, applied to vectors).
 *
 * Chosen on four sets together, all-MiniLM-L6-v2, nDCG@10 (SciFact: 400 of its training queries; COVID-QA: 400 questions
 * of the development part over passages; HotpotQA, MuSiQue: their development parts):
 *
 *                                        scifact  covidqa  hotpotqa  musique   mean
 *     1 and 1.5, no likeness              .7412    .8397     .8434    .5913   .7539
 *     1 and 2.0, no likeness              .7463    .8387     .8426    .5956   .7558
 *     by the question                     .7457    .8445     .8406    .5972   .7570
 *     1 and 1.5, likeness 0.4             .7428    .8416     .8457    .6016   .7579
 *     by the question, likeness 0.4       .7461    .8460     .8457    .6015   .7598
 *     by the question, likeness 0.6       .7486    .8459     .8434    .6058   .7609
 *
 * Both brought to 0..1 and added, standardised and added, or by rank are worse on all of them. */
#include "retrieval/fuse.h"

#include <math.h>

static const double meaning_weight = 1.5, likeness_weight = 0.5;
/* A question as most are: half of the BM25 that could be had is had, and the cosines fall by 0.15 to the tenth. */
static const double usual_cover = 0.5, usual_spread = 0.15;
static const double power = 0.3, least_factor = 0.6, most_factor = 1.5;
static const double centre_temperature = 0.1; /* of the softmax that weights the best ones */
static const double dense_rank_weight = 0.8;

#define N_CENTRE 10

int
retrieval_candidate_compare(gconstpointer a, gconstpointer b)
{
    const retrieval_candidate *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

static retrieval_fused *
at(const GArray *all, guint i)
{
    return &g_array_index(all, retrieval_fused, i);
}

static double
lowest_score(const GArray *ranking)
{
    return ranking->len > 0 ? g_array_index(ranking, retrieval_candidate, ranking->len - 1).score
                            : 0.0;
}

GArray *
retrieval_fuse_join(const GArray *fulltext, const GArray *dense, guint n_full)
{
    g_autoptr(GHashTable) places = g_hash_table_new(g_int64_hash, g_int64_equal);
    GArray *all =
        g_array_sized_new(FALSE, FALSE, sizeof(retrieval_fused), fulltext->len + dense->len);
    const double lowest_bm25 = fulltext->len >= n_full ? lowest_score(fulltext) : 0.0;
    for (guint i = 0; i < fulltext->len; i++) {
        const retrieval_candidate *c = &g_array_index(fulltext, retrieval_candidate, i);
        retrieval_fused f = {*c, c->score, lowest_score(dense)};
        g_array_append_val(all, f);
        g_hash_table_insert(places, (gpointer)&c->id, GUINT_TO_POINTER(i + 1));
    }
    for (guint i = 0; i < dense->len; i++) {
        const retrieval_candidate *c = &g_array_index(dense, retrieval_candidate, i);
        const guint place = GPOINTER_TO_UINT(g_hash_table_lookup(places, &c->id));
        if (place > 0) {
            at(all, place - 1)->found.dense_rank = c->dense_rank;
            at(all, place - 1)->cosine = c->score;
        } else {
            retrieval_fused f = {*c, lowest_bm25, c->score};
            g_array_append_val(all, f);
        }
    }
    return all;
}

static double
factor(double value, double usual)
{
    return CLAMP(pow(MAX(value, 0.0) / usual, power), least_factor, most_factor);
}

double
retrieval_dot(const float *a, const float *b, uint32_t n)
{
    double sum = 0.0;
    for (uint32_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* The places of the n best, best first. Returns how many there are. */
static guint
find_best(const GArray *all, guint *best, guint n)
{
    guint n_best = 0;
    for (guint i = 0; i < all->len; i++) {
        guint place = n_best;
        while (place > 0 && retrieval_candidate_compare(&at(all, i)->found,
                                                        &at(all, best[place - 1])->found) < 0)
            place--;
        if (place == n) continue;
        if (n_best < n) n_best++;
        for (guint k = n_best - 1; k > place; k--)
            best[k] = best[k - 1];
        best[place] = i;
    }
    return n_best;
}

/* Into centre [n_dims]. */
static void
find_centre(const GArray *all, const retrieval_fuse_vectors *vectors, float *centre)
{
    guint best[N_CENTRE];
    double weight[N_CENTRE], sum = 0.0;
    const guint n = find_best(all, best, N_CENTRE);
    for (guint i = 0; i < n; i++) {
        weight[i] = exp((at(all, best[i])->found.score - at(all, best[0])->found.score) /
                        centre_temperature);
        sum += weight[i];
    }
    for (guint i = 0; i < n; i++) {
        if (!vectors->known[best[i]]) continue;
        const float *values = vectors->values + (gsize)best[i] * vectors->n_dims;
        for (uint32_t j = 0; j < vectors->n_dims; j++)
            centre[j] += (float)(weight[i] / sum) * values[j];
    }
}

/* One without a vector is as far from the centre as the farthest. */
static void
add_likeness(GArray *all, const retrieval_fuse_vectors *vectors)
{
    g_autofree float *centre = g_new0(float, vectors->n_dims);
    g_autofree double *likeness = g_new0(double, (gsize)all->len + 1);
    double least = 1.0;
    find_centre(all, vectors, centre);
    for (guint i = 0; i < all->len; i++) {
        if (!vectors->known[i]) continue;
        likeness[i] =
            retrieval_dot(vectors->values + (gsize)i * vectors->n_dims, centre, vectors->n_dims);
        least = MIN(least, likeness[i]);
    }
    for (guint i = 0; i < all->len; i++)
        at(all, i)->found.score += likeness_weight * (vectors->known[i] ? likeness[i] : least);
}

void
retrieval_fuse_scores(GArray *all, double ideal, double spread,
                      const retrieval_fuse_vectors *vectors)
{
    double best = 0.0;
    for (guint i = 0; i < all->len; i++)
        best = MAX(best, at(all, i)->bm25);
    const double words = ideal > 0.0 ? factor(best / ideal, usual_cover) : 1.0;
    const double meaning = meaning_weight * factor(spread, usual_spread);
    for (guint i = 0; i < all->len; i++) {
        retrieval_fused *f = at(all, i);
        f->found.score = (best > 0.0 ? words * f->bm25 / best : 0.0) + meaning * f->cosine;
    }
    if (vectors) add_likeness(all, vectors);
}

void
retrieval_fuse_ranks(GArray *all, double k)
{
    for (guint i = 0; i < all->len; i++) {
        retrieval_candidate *c = &at(all, i)->found;
        c->score = (c->bm25_rank > 0 ? 1.0 / (k + c->bm25_rank) : 0.0) +
                   (c->dense_rank > 0 ? dense_rank_weight / (k + c->dense_rank) : 0.0);
    }
}

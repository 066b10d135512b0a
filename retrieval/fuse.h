/* fuse: two rankings of one question, by words and by meaning, as one. Touches only its arguments. */
#ifndef LODE_RETRIEVAL_FUSE_H
#define LODE_RETRIEVAL_FUSE_H

#include <glib.h>
#include <stdint.h>

typedef struct {
    int64_t id;
    double score;
    int bm25_rank, dense_rank; /* 1-based, 0: not ranked */
} retrieval_candidate;

/* By score, falling, then by id: a GCompareFunc. */
int retrieval_candidate_compare(gconstpointer a, gconstpointer b);

/* What one of the rankings has, with what is known of it from both. */
typedef struct {
    retrieval_candidate found;
    double bm25, cosine;
} retrieval_fused;

/* The inner product of a [n] and b [n], summed in doubles: of unit vectors their cosine. */
double retrieval_dot(const float *a, const float *b, uint32_t n);

/* Everything that one of the rankings (GArray of retrieval_candidate, best first) has, once: a GArray of
 * retrieval_fused. What only the words found has the lowest cosine of those that the vectors found, until somebody knows
 * better; what only the vectors found has the lowest BM25 of a list of n_full passages, which goes on, or none. */
GArray *retrieval_fuse_join(const GArray *fulltext, const GArray *dense, guint n_full);

/* Vectors of those in a list of retrieval_fused. */
typedef struct {
    uint32_t n_dims;
    const float *values;   /* [list, n_dims] of unit length */
    const gboolean *known; /* [list]: its row means something */
} retrieval_fuse_vectors;

/* Set found.score of all from bm25 and cosine.
 *
 *   ideal    what BM25 could not exceed for any passage; 0: not known
 *   spread   by how much the best cosine of all passages is above the tenth
 *   vectors  NULL: none */
void retrieval_fuse_scores(GArray *all, double ideal, double spread,
                           const retrieval_fuse_vectors *vectors);

/* By rank: reciprocal-rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009) with the constant k > 0. */
void retrieval_fuse_ranks(GArray *all, double k);

#endif

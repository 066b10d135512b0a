/* choose: from ranked passages to those that are shown: judged once more, told apart, counted by page and document. */
#ifndef LODE_RETRIEVAL_CHOOSE_H
#define LODE_RETRIEVAL_CHOOSE_H

#include "retrieval/retrieval.h"

/* A passage that may be shown. */
typedef struct {
    retrieval_hit *hit; /* owned */
    float *vector;      /* [n_dims] of unit length, owned; NULL: not known */
} retrieval_choice;

void retrieval_choice_clear(gpointer choice);

/* Put the first n_reranked of choices (GArray of retrieval_choice, best first) into the reranker's order; ties keep
 * the order they have. */
gboolean retrieval_rerank(GArray *choices, const char *question,
                          const retrieval_search_options *options, GError **error);

/* Append to hits at most n_results of choices, in the order in which they are taken: the first, then always the one
 * with the most of
 *
 *     (1 - diversity) * relevance - diversity * largest cosine to one taken before it
 *
 * (maximal marginal relevance, Carbonell and Goldstein, SIGIR 1998), relevance being 1 for the first choice, 0 for the
 * last and by score between them. Those beyond max_per_page and max_per_document are passed over. A passage without a
 * vector is like no other. What is taken leaves choices; the rest stays. */
void retrieval_choose(GArray *choices, uint32_t n_dims, const retrieval_search_options *options,
                      GPtrArray *hits);

#endif

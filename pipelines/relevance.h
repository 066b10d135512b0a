/* What a writer finds of each passage before it answers: whether it helps, and what it says about the question. */
#ifndef LODE_PIPELINES_RELEVANCE_H
#define LODE_PIPELINES_RELEVANCE_H

#include "pipelines/internal.h"

G_BEGIN_DECLS

typedef struct {
    double relevance;    /* 0..1 */
    gboolean is_useless; /* in the writer's own words */
    char *
        summary; /* what the passage says that bears on the question; NULL: nothing, or it was not asked */
} pipelines_judgement;

/* Of each hit, in their order: a GArray of pipelines_judgement that clears them.
 *
 * A model in this process is asked twice, each time once for all passages behind a prefix they share: for the probability
 * of "yes" against "no", and for summaries of the n_kept most relevant. An endpoint is asked for both in JSON, some
 * passages at a time: grades from 0 to 10, and one that gives none for a passage has not found it relevant.
 *
 * Summaries are the writer's words, not the paper's: they guide, nothing is ever quoted from them.
 * Source: Skarlinski et al., "Language agents achieve superhuman synthesis of scientific knowledge", 2024
 * (arXiv:2409.13740), contextual summarisation. */
GArray *pipelines_judge_passages(const lode_writer *writer, engine_pool *pool, GPtrArray *hits,
                                 const char *question, guint n_kept, const int *cancel,
                                 GError **error);

GArray *pipelines_judgements_new(guint n); /* of nothing */

/* Indices [judgements->len] of the hits, the most relevant first, ties as they were; g_free. */
guint *pipelines_judgements_order(const GArray *judgements);

G_END_DECLS
#endif

/* How likely each passage helps with a question, in a writer's eyes. */
#ifndef LODE_PIPELINES_RELEVANCE_H
#define LODE_PIPELINES_RELEVANCE_H

#include "pipelines/internal.h"

G_BEGIN_DECLS

/* [hits->len], 0..1; g_free. A model in this process is asked once for all passages, behind a prefix they share, and
 * its answer is the probability of "yes" against "no"; an endpoint is asked for grades from 0 to 10 in JSON, some
 * passages at a time, and one that gives none for a passage has not found it relevant. */
double *pipelines_relevance(const lode_writer *writer, engine_pool *pool, GPtrArray *hits,
                            const char *question, const int *cancel, GError **error);

G_END_DECLS
#endif

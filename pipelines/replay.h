/* A recorded run, done again. */
#ifndef LODE_PIPELINES_REPLAY_H
#define LODE_PIPELINES_REPLAY_H

#include "pipelines/writer.h"

G_BEGIN_DECLS

/* LIBRARY/runs/NAME.json, checked for what replaying needs. NULL with error. */
json_t *pipelines_replay_load(const char *path, GError **error);

/* What the run used; lent, NULL where it used none. */
const char *pipelines_replay_writer(const json_t *record);
const char *pipelines_replay_embedder(const json_t *record);
/* The writer was elsewhere: its replies stand in the record. */
const char *pipelines_replay_reranker(const json_t *record);
gboolean pipelines_replay_is_remote(const json_t *record);
/* A writer that replies with them. */
lode_writer *pipelines_replay_new_writer(const json_t *record);

/* Ask the recorded question with the recorded settings. Returns {"same", "differences": [{"what", "recorded", "now"}],
 * "notes": [text], "result"}: the answer is the same where question, status, text, short form, citations and prompt are,
 * byte for byte. What may be the cause (version, processor, models, passages) is listed too. NULL with error. */
json_t *pipelines_replay(const pipelines_ask_context *context, const json_t *record,
                         const int *cancel, GError **error);

G_END_DECLS
#endif

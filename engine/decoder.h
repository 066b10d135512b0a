/* The decoder: one forward pass for every causal architecture, as a list of layers whose parts differ.
 *
 *   x = embed[token]
 *   per layer:  x += mixer(norm(x))        attention (grouped queries, optional q/k norms, output gate,
 *                                          rotary kind), or a gated delta rule
 *               x += ffn(norm(x))          dense SwiGLU, or routed experts (+ shared expert)
 *   logits = output norm(x)
 *
 * A pass takes rows of several sequences at once. Everything a sequence owns between passes is in its
 * engine_sequence_state; everything a pass needs for the moment is in the engine_decoder_scratch. */
#ifndef LODE_ENGINE_DECODER_H
#define LODE_ENGINE_DECODER_H

#include "engine/kv.h"
#include "engine/model.h"

G_BEGIN_DECLS

#define ENGINE_DECODER_CHUNK 512 /* rows of a pass over a prompt, unless the caller knows better */

typedef struct engine_recurrent engine_recurrent; /* recurrent.h: delta-net state of one sequence */

/* What one sequence keeps. rope_base is fixed when the sequence begins (dynamic NTK: from the length it
 * declares); prefixes may be shared only between sequences of equal rope_base. */
typedef struct {
    engine_kv_table kv;
    engine_recurrent *recurrent; /* NULL when the model has no recurrent layer */
    float rope_base;
} engine_sequence_state;

/* Rows row .. row+n-1 of the pass belong to this sequence, at positions first .. */
typedef struct {
    engine_sequence_state *sequence;
    uint32_t row, n, first;
} engine_decoder_span;

typedef struct engine_decoder engine_decoder; /* a loaded architecture: engine_model.arch */
struct engine_expert_source;                  /* moe.h */
struct engine_placement;                      /* placement.h; NULL: everything on the host */
typedef struct engine_decoder_scratch engine_decoder_scratch;

/* The KV cache's shape for this model with these storage types (MTP blocks are its last layers). */
engine_kv_shape engine_decoder_kv_shape(const engine_model *model, engine_type type_k,
                                        engine_type type_v);

/* The rotary base a sequence of at most n_tokens tokens uses (dynamic NTK; else the model's own). */
float engine_decoder_rope_base(const engine_model *model, uint32_t n_tokens);

/* Buffers for passes of at most max_rows rows. LIMIT when memory is short. */
engine_decoder_scratch *engine_decoder_scratch_new(const engine_model *model, engine_pool *pool,
                                                   uint32_t max_rows, GError **error);
/* The same on the host and on a device; placement outlives the scratch. */
engine_decoder_scratch *engine_decoder_scratch_new_on(const engine_model *model, engine_pool *pool,
                                                      const struct engine_placement *placement,
                                                      uint32_t max_rows, GError **error);
void engine_decoder_scratch_free(engine_decoder_scratch *scratch);
size_t engine_decoder_scratch_bytes(const engine_model *model, uint32_t max_rows);
/* Where passes find experts; borrowed, NULL (the beginning): in the mapped weights. */
void engine_decoder_scratch_set_experts(engine_decoder_scratch *scratch,
                                        const struct engine_expert_source *source);

/* Recurrent state: NULL with no error when the model has none. */
engine_recurrent *engine_recurrent_new(const engine_model *model, GError **error);
engine_recurrent *engine_recurrent_new_on(const engine_model *model,
                                          const struct engine_placement *placement, GError **error);
void engine_recurrent_free(engine_recurrent *state);
void engine_recurrent_reset(engine_recurrent *state); /* as before the first token */
void engine_recurrent_copy(engine_recurrent *dst, const engine_recurrent *src);
size_t engine_recurrent_bytes(const engine_model *model); /* of one state; for checkpoints */
void engine_recurrent_read(const engine_recurrent *state, uint8_t *out);
void engine_recurrent_write(engine_recurrent *state, const uint8_t *in);

/* Run tokens [rows] (ids valid, pages reserved): fills the caches, moves recurrent states forward, leaves the
 * normed last hidden states in the scratch. FALSE when an expert could not be read (out of core) or a device failed. */
gboolean engine_decoder_forward(engine_decoder_scratch *scratch, engine_kv *kv,
                                const int32_t *tokens, size_t rows,
                                const engine_decoder_span *spans, size_t n_spans, GError **error);

/* logits [n, n_vocab] of the rows rows_wanted [n] of the last pass. FALSE when a device failed. */
gboolean engine_decoder_logits(engine_decoder_scratch *scratch, const uint32_t *rows_wanted,
                               size_t n, float *logits, GError **error);

/* ---- multi-token prediction (the model's own draft heads) ---- */

uint32_t engine_decoder_n_mtp(const engine_model *model); /* heads to choose from; 0: none */
/* The head that drafts, by name ("mtp", or "normal" and "sci"); at first the one the configuration names. FALSE when the
 * model has no such head. */
gboolean engine_decoder_choose_mtp(engine_decoder_scratch *scratch, const char *name);

/* After a forward pass of `rows` rows: tokens_next [rows] is the token after each row, -1 where it is not
 * known yet (the last rows of a span). Fills the head's keys and values of the other rows, at the rows' own
 * positions, and gives the draft logits [n_vocab] of each span's last known row, in order; a span without
 * one is left out. */
gboolean engine_decoder_mtp(engine_decoder_scratch *scratch, engine_kv *kv,
                            const int32_t *tokens_next, size_t rows,
                            const engine_decoder_span *spans, size_t n_spans, float *draft_logits,
                            GError **error);
/* One more draft for each span, which is of one row: the head on its own output and the token just drafted. from [n_spans]
 * says which of the last call's outputs is the span's, ascending. span->first is the position of this row, one further
 * with each draft; pages are reserved. */
gboolean engine_decoder_mtp_again(engine_decoder_scratch *scratch, engine_kv *kv,
                                  const int32_t *tokens, const uint32_t *from,
                                  const engine_decoder_span *spans, size_t n_spans,
                                  float *draft_logits, GError **error);

G_END_DECLS
#endif

/* The llama decoder: RMS norm, grouped-query attention with rotary positions, SwiGLU. */
#ifndef LODE_ENGINE_LLAMA_H
#define LODE_ENGINE_LLAMA_H

#include "engine/model.h"

G_BEGIN_DECLS

typedef struct {
    const engine_tensor *q, *k, *v, *o, *gate, *up, *down;
    const float *attn_norm, *ffn_norm;              /* [n_embd] */
    const float *q_bias, *k_bias, *v_bias, *o_bias; /* NULL when absent */
    const float *gate_bias, *up_bias, *down_bias;
} engine_llama_layer;

/* Immutable. Tensors point into the model's weights, vectors into `vectors`. */
typedef struct {
    engine_llama_layer *layers;         /* [n_layers] */
    const engine_tensor *embd, *output; /* the same tensor when tied */
    const float *output_norm;           /* [n_embd] */
    uint32_t n_rot;                     /* rotated elements of each head, even */
    gboolean rope_halves;               /* pairs (j, j + n_rot/2), else (2j, 2j+1) */
    float *inv_freq;                    /* [n_rot / 2], in float32 like the reference */
    float attn_scale;
    GPtrArray *vectors;
} engine_llama;

/* Memory of one forward pass: a chunk of at most ENGINE_LLAMA_CHUNK tokens over a cache of n_context. */
#define ENGINE_LLAMA_CHUNK 256
#define ENGINE_LLAMA_KV_BLOCK                                                                      \
    256 /* positions attended to as one unit; part of the arithmetic's definition */

typedef struct {
    const engine_model *model;
    const engine_llama *llama;
    engine_pool *pool;
    uint32_t n_context, chunk;
    float *k_cache, *v_cache; /* [layer][kv_head][n_context][head_dim] */
    float *x, *h;     /* [chunk, n_embd] residual stream; its norm, then a branch's result */
    float *q, *att;   /* [chunk, n_heads * head_dim] */
    float *k, *v;     /* [chunk, n_kv_heads * head_dim] */
    float *gate, *up; /* [chunk, n_ff] */
    float *cos_sin;   /* [chunk, n_rot]: cos [n_rot/2], sin [n_rot/2] */
    float *parts;     /* [n_kv_heads, n_blocks, group, head_dim + 2] of one token */
} engine_llama_state;

/* FALSE with LIMIT when memory is short. */
gboolean engine_llama_state_init(engine_llama_state *state, const engine_model *model,
                                 engine_pool *pool, uint32_t n_context, GError **error);
void engine_llama_state_clear(engine_llama_state *state);

/* Run tokens [n <= chunk] at positions first .. first+n-1 (within n_context; ids valid): fills the cache and
 * leaves the last layer's residual stream in state->x. */
void engine_llama_forward(engine_llama_state *state, const int32_t *tokens, size_t n,
                          uint32_t first);

/* logits [n, n_vocab] of rows from .. from+n-1 of state->x. */
void engine_llama_logits(engine_llama_state *state, size_t from, size_t n, float *logits);

/* llama_attention.c: state->att from state->q and the cache of this layer, for n tokens from position first. */
void engine_llama_attention(engine_llama_state *state, uint32_t layer, size_t n, uint32_t first);

G_END_DECLS
#endif

/* The feed-forward part of one layer, for many tokens at once: routed experts (routing itself is router.c's), or one
 * for all tokens. */
#ifndef LODE_ENGINE_MOE_H
#define LODE_ENGINE_MOE_H

#include "engine/kernels.h"
#include "engine/pool.h"
#include "engine/tensor.h"

G_BEGIN_DECLS

/* Where an expert's matrix lies when not in its file's mapping: the out-of-core cache (expert_cache.h) hands out
 * its own copies, read from where tensor->data lies in the file; a pointer stays valid until release. */
typedef struct engine_expert_source {
    /* Bring the listed experts of a layer in (each once) before any is asked for. */
    gboolean (*acquire)(void *ctx, uint32_t layer, const uint32_t *experts, size_t n,
                        GError **error);
    /* The bytes of one matrix: tensor is &job->gate[expert], &job->up[expert], ... */
    const uint8_t *(*data)(void *ctx, const engine_tensor *tensor, uint32_t layer, uint32_t expert);
    void (*release)(void *ctx, uint32_t layer);
    /* May be NULL: these experts of a later layer are likely to be asked for soon. */
    void (*prefetch)(void *ctx, uint32_t layer, const uint32_t *experts, size_t n);
    size_t most; /* experts that can be acquired together; 0: any number */
    void *ctx;
} engine_expert_source;

/* Every expert's matrix is a tensor view of its own, [n_experts] of them: slabs of one stacked tensor, or
 * separate tensors of a safetensors file. Those of one array have one type and shape. */
typedef struct {
    uint32_t layer;                 /* for source */
    const engine_tensor *gate, *up; /* [n_experts] of {n_embd, n_ff} */
    const engine_tensor *down;      /* [n_experts] of {n_ff, n_embd} */
    const engine_tensor *gate_up;   /* [n_experts] of {n_embd, 2 n_ff}, gate rows first; then gate
                                           and up are NULL */
    uint32_t n_experts, n_used;     /* n_used: chosen experts of each token, k */
    const int32_t *chosen; /* [n_tokens, n_used]; NULL: the one expert there is, with weight 1. -1: a choice that
                              is left out */
    const float *weights;  /* [n_tokens, n_used] */
    const engine_expert_source *source; /* NULL: the tensors' own data */
    const float *gate_bias, *up_bias;   /* [n_ff] of a single expert with gate and up; NULL: none */
    const float *down_bias;             /* [n_embd] likewise */
} engine_moe_job;

/* y [n_tokens, n_embd] += sum over j of weights[t][j] * down_e(silu(gate_e x_t) * up_e x_t), e = chosen[t][j],
 * summed in the order of j. Tokens are grouped by expert; a token's result does not depend on the others,
 * on n_tokens or on the threads. FALSE with error only when the source cannot read an expert.
 * Source of the form: Mixtral of Experts, arXiv:2401.04088, section 2.1. */
gboolean engine_moe(engine_pool *pool, const engine_kernels *kernels, const engine_moe_job *job,
                    const float *x, size_t n_tokens, float *y, GError **error);

/* Bytes of the pool's shared scratch that engine_moe takes for so many tokens. */
size_t engine_moe_bytes(const engine_kernels *kernels, const engine_moe_job *job, size_t n_tokens);

G_END_DECLS
#endif

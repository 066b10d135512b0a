/* A loaded decoder as its parts: what the forward pass needs to know, and nothing about files.
 *
 * A layer is a mixer (attention or a gated delta rule) and a feed-forward part (dense or routed experts).
 * Everything in which architectures and file formats differ is a fact in here: where a head's elements lie
 * in a projected row, which elements rotate together, which key head serves a value head. Filled by the
 * decoder_load files, read by decoder.c; immutable after loading. */
#ifndef LODE_ENGINE_DECODER_ARCH_H
#define LODE_ENGINE_DECODER_ARCH_H

#include "engine/decoder.h"
#include "engine/rope.h"
#include "engine/router.h"

G_BEGIN_DECLS

typedef struct {
    const engine_tensor *w; /* {n_in, n_out}; NULL where a layer has none */
    const float *bias;      /* [n_out] or NULL */
    uint32_t at;            /* its outputs' first element in the row they are written to */
} engine_linear;

/* Where the heads lie in a row of projected queries, keys and values, in elements. Query head h begins at
 * q + h / group * q_group + h % group * q_head, where group queries share a key head. */
typedef struct {
    uint32_t width;
    uint32_t q, q_group, q_head;
    uint32_t k, k_head, v, v_head;
    uint32_t gate; /* the output gate of a query head begins this far behind it; 0: none */
} engine_head_layout;

typedef struct {
    engine_linear in[3]; /* queries, keys, values, or fewer that hold them together */
    uint32_t n_in;
    engine_linear out;
    const float *q_norm, *k_norm; /* [head_dim] or NULL */
    uint32_t kv_layer;            /* its place in the cache */
} engine_attention_layer;

/* The gated delta rule's sizes, and where its heads lie in a projected row (as engine_head_layout; ratio
 * value heads share a group). Convolution channels are the queries, keys and values in this order. */
typedef struct {
    uint32_t n_k, n_v, d_k, d_v, kernel;
    uint32_t n_channels; /* 2 n_k d_k + n_v d_v */
    gboolean tiled;      /* value head v uses key head v % n_k, else v / (n_v / n_k) */
    uint32_t width;
    uint32_t q, q_head, k, k_head;
    uint32_t v, v_group, v_head;
    uint32_t z, z_group, z_head;
    uint32_t beta, beta_group, alpha, alpha_group;
} engine_delta_shape;

typedef struct {
    engine_linear in[4];
    uint32_t n_in;
    engine_linear out;
    const float *conv;    /* [kernel, n_channels], oldest input first */
    const float *decay;   /* [n_v], -exp(A_log) */
    const float *dt_bias; /* [n_v] */
    const float *norm;    /* [d_v] */
    uint32_t state_layer; /* its place in engine_recurrent */
} engine_delta_layer;

typedef struct {
    engine_linear gate, up, down;
    uint32_t n_ff;
} engine_dense_ffn;

typedef struct {
    engine_router router;
    engine_linear logits;           /* the router's matrix */
    const engine_tensor *gate, *up; /* [n_experts] views, as engine_moe_job */
    const engine_tensor *down, *gate_up;
    uint32_t n_ff;
    uint32_t pack;             /* which set of experts: layers may share one */
    engine_dense_ffn shared;   /* n_ff 0: none */
    engine_linear shared_gate; /* {n_embd, 1}: its sigmoid scales the shared expert; w NULL: 1 */
} engine_moe_ffn;

typedef struct {
    gboolean is_delta, is_moe;
    const float *mixer_norm, *ffn_norm; /* [n_embd] */
    engine_attention_layer attention;
    engine_delta_layer delta;
    engine_dense_ffn dense;
    engine_moe_ffn moe;
} engine_decoder_layer;

/* A draft head: one more layer over the trunk's output and the next token. */
typedef struct {
    const char *name;   /* "normal", "sci"; "mtp" when there is one */
    engine_linear join; /* {2 n_embd, n_embd}: embedding first */
    const float *embd_norm, *hidden_norm, *output_norm; /* [n_embd] */
    const engine_tensor *embd, *output;                 /* the trunk's, unless it has its own */
    engine_decoder_layer layer;
} engine_mtp;

#define ENGINE_MAX_MTP 2

struct engine_decoder {
    uint32_t n_layers, n_embd, n_vocab, n_heads, n_kv_heads, head_dim;
    uint32_t n_attention, n_delta; /* layers of each kind, draft heads not counted */
    float norm_eps, attn_scale;
    engine_rope rope;
    engine_head_layout heads;
    engine_delta_shape delta;
    engine_decoder_layer *layers;       /* [n_layers] */
    const engine_tensor *embd, *output; /* the same tensor when tied */
    const float *output_norm;           /* [n_embd] */
    engine_mtp mtp[ENGINE_MAX_MTP];
    uint32_t n_mtp, mtp_default;
    /* the widest of any layer, for scratch */
    uint32_t max_width, max_ff, max_experts, max_used;
    GPtrArray *owned; /* vectors and tensor views, g_free */
};

G_END_DECLS
#endif

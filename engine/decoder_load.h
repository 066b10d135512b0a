/* Reading a decoder from its files: what the decoder_load files share. */
#ifndef LODE_ENGINE_DECODER_LOAD_H
#define LODE_ENGINE_DECODER_LOAD_H

#include "engine/decoder_arch.h"

G_BEGIN_DECLS

/* What sets a family apart and no number of its files tells. */
typedef enum {
    FAMILY_QK_NORM = 1 << 0,     /* heads are normed before they are rotated */
    FAMILY_DELTA = 1 << 1,       /* some layers are gated delta rules; queries carry a gate */
    FAMILY_GGUF_PAIRS = 1 << 2,  /* GGUF conversion reordered q and k: pairs (2j, 2j+1) rotate */
    FAMILY_HF_PLUS_ONE = 1 << 3, /* safetensors store norm weights minus one */
    FAMILY_GGUF_TILED = 1 << 4,  /* GGUF conversion reordered value heads */
    FAMILY_ALWAYS_NORMALIZE = 1 << 5, /* routing weights add up to one, whatever the file says */
    FAMILY_FOPE = 1 << 6,
    FAMILY_FUSED_QKV = 1 << 7, /* safetensors hold q, k and v in one matrix, group by group */
    FAMILY_EXPERTS_TRANSPOSED = 1 << 8 /* stacked experts are [in, out] where shapes cannot tell */
} engine_family_flags;

/* Tensor names; NULL where a format has none. A layer's name follows its prefix. */
typedef struct {
    const char *embd, *output, *output_norm;
    const char *layer; /* printf format of a layer's prefix */
    const char *mixer_norm, *ffn_norm;
    const char *q, *k, *v, *qkv, *o, *q_norm, *k_norm;
    const char *gate, *up, *down;
    const char *router, *shared_gate, *shared_up, *shared_down, *shared_router;
    const char *experts_gate, *experts_up, *experts_down, *experts_gate_up; /* stacked */
    const char *expert_gate, *expert_up, *expert_down; /* printf formats with the expert's number */
    const char *delta_qkv, *delta_z, *delta_beta, *delta_alpha, *delta_qkvz, *delta_ba, *delta_out;
    const char *delta_conv, *delta_a, *delta_dt, *delta_norm;
} engine_names;

typedef struct {
    const char *name;  /* for people: info.architecture */
    const char *gguf;  /* general.architecture, NULL: never in GGUF */
    const char *hf[6]; /* model_type */
    unsigned flags;
    const engine_names *hf_names;
} engine_family;

typedef struct {
    engine_model *model;
    engine_decoder *d;
    const engine_weights *weights;
    const engine_family *family;
    const engine_names *names;
    gboolean gguf;
    const char *arch; /* GGUF: prefix of the keys */
    GHashTable *used; /* set of const engine_tensor *: those something reads or knows to leave */
    uint32_t n_ff;    /* dense feed-forward, 0: none stated */
    uint32_t n_experts, n_used, n_expert_ff, n_groups;
    engine_gate expert_gate;
    gboolean normalize;
    float expert_scale;
    uint32_t n_mtp; /* draft layers the configuration announces */
    GError **error;
} engine_loader;

/* Sets error; returns FALSE. */
gboolean engine_load_fail(engine_loader *l, engine_error_code code, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

/* Configuration by its two names: GGUF's without "ARCH.", config.json's; NULL: that format has none. A list
 * with a number per layer counts as its largest. */
gboolean engine_load_u32(const engine_loader *l, const char *gguf, const char *hf, uint32_t *out);
gboolean engine_load_f32(const engine_loader *l, const char *gguf, const char *hf, float *out);
gboolean engine_load_bool(const engine_loader *l, const char *gguf, const char *hf, gboolean *out);
/* A size that must be there and in lowest..highest; _or: with a default. */
gboolean engine_load_size(engine_loader *l, const char *gguf, const char *hf, uint32_t lowest,
                          uint32_t highest, uint32_t *out);
gboolean engine_load_size_or(engine_loader *l, const char *gguf, const char *hf, uint32_t fallback,
                             uint32_t lowest, uint32_t highest, uint32_t *out);

/* decoder_load_tensors.c. Names are PREFIX + name + ".weight". */
const engine_tensor *engine_load_lookup(const engine_loader *l, const char *prefix,
                                        const char *name);
/* This tensor, and the scales that go with it, has its place in the decoder. */
void engine_load_use(engine_loader *l, const engine_tensor *tensor);
/* A matrix {n_in, n_out}, and its bias where the file has one; at as engine_linear. */
gboolean engine_load_linear(engine_loader *l, const char *prefix, const char *name, uint32_t n_in,
                            uint32_t n_out, uint32_t at, engine_linear *out);
/* A vector as floats that the decoder owns; `full` is the whole name after the prefix. */
const float *engine_load_vector(engine_loader *l, const char *prefix, const char *full, uint32_t n);
/* A norm's weights, with one added where the file leaves it out. */
const float *engine_load_norm(engine_loader *l, const char *prefix, const char *name, uint32_t n);
/* n zeroed elements that live as long as the decoder; NULL with error when memory is short. */
gpointer engine_load_own(engine_loader *l, size_t n, size_t size);

gboolean engine_load_rope(engine_loader *l);
gboolean engine_load_attention(engine_loader *l, const char *prefix, engine_attention_layer *out);
gboolean engine_load_dense(engine_loader *l, const char *prefix, const char *gate, const char *up,
                           const char *down, uint32_t n_ff, engine_dense_ffn *out);
/* Experts and router under prefix (and shared expert under layer_prefix, where there is one). */
gboolean engine_load_moe(engine_loader *l, const char *prefix, const char *layer_prefix,
                         engine_moe_ffn *out);
/* Attention or delta rule, dense or experts, with their norms. */
gboolean engine_load_layer(engine_loader *l, const char *prefix, uint32_t index,
                           engine_decoder_layer *out);
gboolean engine_load_delta_shape(engine_loader *l);
gboolean engine_load_delta(engine_loader *l, const char *prefix, engine_delta_layer *out);
gboolean engine_load_mtp(engine_loader *l);

G_END_DECLS
#endif

/* Rotary positions of every kind: which elements of a head turn together, and by what.
 *
 * Row tables hold, for one token and one key head, cos [n_rot / 2] then sin [n_rot / 2], as
 * engine_kernels.rope_* take them. FoPE gives each key head a table of its own; the others have one for
 * all heads. */
#ifndef LODE_ENGINE_ROPE_H
#define LODE_ENGINE_ROPE_H

#include "engine/kernels.h"

G_BEGIN_DECLS

typedef enum {
    ENGINE_ROPE_PLAIN,
    ENGINE_ROPE_LINEAR,
    ENGINE_ROPE_LLAMA3,
    ENGINE_ROPE_YARN,
    ENGINE_ROPE_DYNAMIC, /* the base grows with the length a sequence declares */
    ENGINE_ROPE_FOPE     /* Fourier position embedding: sums of the kept waves */
} engine_rope_kind;

typedef struct {
    engine_rope_kind kind;
    uint32_t n_rot;  /* rotated elements of each head, even */
    gboolean halves; /* pairs (j, j + n_rot/2), else (2j, 2j+1) */
    float theta;     /* the model's own base */
    float magnitude; /* cos and sin are multiplied by it (YaRN), else 1 */
    float *inv_freq; /* [n_rot / 2] owned; of the model's own base */
    float dynamic_factor;
    uint32_t n_trained; /* dynamic: the length up to which the base stays */
    /* FoPE */
    uint32_t n_tables; /* key heads with coefficients of their own; else 1 */
    uint32_t n_waves;  /* waves kept, <= n_rot / 2 */
    float sin_pad;     /* sin part of the elements beyond them; their cos part is 1 */
    const float *cos_coef, *sin_coef; /* [n_tables, n_waves (in), n_waves (out)] */
} engine_rope;

const char *engine_rope_kind_name(engine_rope_kind kind);

/* rope->inv_freq from theta and n_rot; before any scaling. */
void engine_rope_init(engine_rope *rope);

/* The scalings, each on the plain frequencies. They return FALSE when a number is impossible. */
gboolean engine_rope_scale_linear(engine_rope *rope, float factor);
gboolean engine_rope_scale_llama3(engine_rope *rope, float factor, float low, float high,
                                  float n_original);

typedef struct {
    float factor, beta_fast, beta_slow, n_original;
    float attention_factor;   /* 0: from mscale, or 0.1 ln(factor) + 1 */
    float mscale, mscale_all; /* 0: absent */
    gboolean truncate;        /* round the range of blended waves outwards */
} engine_yarn;

gboolean engine_rope_scale_yarn(engine_rope *rope, const engine_yarn *yarn);

/* The base of a sequence that will be at most n_tokens long. */
float engine_rope_base(const engine_rope *rope, uint32_t n_tokens);
/* Frequencies for a base: out [n_rot / 2]; rope->inv_freq when it is the model's own. */
void engine_rope_frequencies(const engine_rope *rope, float base, float *out);

/* Elements of one token's tables: n_tables * n_rot. */
static inline size_t
engine_rope_row_floats(const engine_rope *rope)
{
    return (size_t)rope->n_tables * rope->n_rot;
}

/* One token's tables. tmp [n_rot] is scratch (FoPE). Angles are float32 products, as the references
 * compute them: at position 10^6 that matters.
 * Sources: Su et al., arXiv:2104.09864; Peng et al., YaRN, arXiv:2309.00071; Hua et al., FoPE,
 * arXiv:2412.17739. */
void engine_rope_row(const engine_rope *rope, const engine_kernels *kernels, const float *inv_freq,
                     uint32_t position, float *tmp, float *out);

G_END_DECLS
#endif

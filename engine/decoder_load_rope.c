/* A decoder's rotary positions as its files describe them. */
#include "engine/decoder_load.h"

#include <math.h>
#include <string.h>

/* A number of the scaling: GGUF's key under ARCH.rope.scaling., or config.json's name. */
static gboolean
scaling_number(const engine_loader *l, const char *gguf, const char *hf, float *out)
{
    if (!l->gguf) return hf && engine_weights_get_rope_f32(l->weights, hf, out);
    if (!gguf) return FALSE;
    g_autofree char *key = g_strconcat("rope.scaling.", gguf, NULL);
    return engine_load_f32(l, key, NULL, out);
}

/* GGUF: llama3 scaling was computed when the file was converted. */
static gboolean
apply_divisors(engine_loader *l)
{
    engine_rope *rope = &l->d->rope;
    const float *divisors = engine_load_vector(l, "", "rope_freqs.weight", rope->n_rot / 2);

    if (!divisors) return FALSE;
    for (uint32_t j = 0; j < rope->n_rot / 2; j++)
        rope->inv_freq[j] /= divisors[j];
    rope->kind = ENGINE_ROPE_LLAMA3;
    return TRUE;
}

static gboolean
apply_yarn(engine_loader *l)
{
    engine_yarn yarn = {.beta_fast = 32.0f,
                        .beta_slow = 1.0f,
                        .n_original = (float)l->model->info.n_context,
                        .truncate = TRUE};
    float attn = 0.0f;

    if (!scaling_number(l, "factor", "factor", &yarn.factor)) yarn.factor = 0.0f;
    scaling_number(l, "original_context_length", "original_max_position_embeddings",
                   &yarn.n_original);
    scaling_number(l, "yarn_beta_fast", "beta_fast", &yarn.beta_fast);
    scaling_number(l, "yarn_beta_slow", "beta_slow", &yarn.beta_slow);
    scaling_number(l, NULL, "attention_factor", &yarn.attention_factor);
    scaling_number(l, NULL, "mscale", &yarn.mscale);
    scaling_number(l, NULL, "mscale_all_dim", &yarn.mscale_all);
    if (!l->gguf) engine_weights_get_rope_bool(l->weights, "truncate", &yarn.truncate);
    if (!engine_rope_scale_yarn(&l->d->rope, &yarn))
        return engine_load_fail(l, ENGINE_ERROR_FORMAT,
                                "the yarn rope scaling lacks a number or has an impossible one");
    /* GGUF's factor multiplies the usual one */
    if ((scaling_number(l, "yarn_attn_factor", NULL, &attn) ||
         scaling_number(l, "attn_factor", NULL, &attn)) &&
        attn > 0.0f)
        l->d->rope.magnitude *= attn;
    return TRUE;
}

static gboolean
apply_llama3(engine_loader *l)
{
    float factor = 0.0f, low = 0.0f, high = 0.0f, original = 0.0f;

    scaling_number(l, NULL, "factor", &factor);
    scaling_number(l, NULL, "low_freq_factor", &low);
    scaling_number(l, NULL, "high_freq_factor", &high);
    scaling_number(l, NULL, "original_max_position_embeddings", &original);
    if (engine_rope_scale_llama3(&l->d->rope, factor, low, high, original)) return TRUE;
    return engine_load_fail(l, ENGINE_ERROR_FORMAT,
                            "the llama3 rope scaling lacks a number or has an impossible one");
}

static gboolean
apply_dynamic(engine_loader *l, float factor)
{
    engine_rope *rope = &l->d->rope;

    if (!(factor >= 1.0f))
        return engine_load_fail(l, ENGINE_ERROR_FORMAT, "dynamic rope scaling without a factor");
    rope->kind = ENGINE_ROPE_DYNAMIC;
    rope->dynamic_factor = factor;
    rope->n_trained = l->model->info.n_context;
    return TRUE;
}

static gboolean
apply_scaling(engine_loader *l)
{
    g_autofree char *key = l->gguf ? g_strconcat(l->arch, ".rope.scaling.type", NULL) : NULL;
    const char *type = l->gguf ? engine_weights_get_string(l->weights, key)
                               : engine_weights_get_rope_type(l->weights);
    float factor = 0.0f;

    if (l->gguf && engine_weights_lookup(l->weights, "rope_freqs.weight")) return apply_divisors(l);
    /* GGUF knows no dynamic scaling; our converter keeps its factor under a key of its own */
    if (l->gguf && engine_weights_get_f32(l->weights, "lode.rope.dynamic_factor", &factor))
        return apply_dynamic(l, factor);
    if (!type || strcmp(type, "none") == 0 || strcmp(type, "default") == 0) return TRUE;
    if (strcmp(type, "yarn") == 0) return apply_yarn(l);
    if (strcmp(type, "llama3") == 0 && !l->gguf) return apply_llama3(l);
    scaling_number(l, "factor", "factor", &factor);
    if (strcmp(type, "dynamic") == 0 && !l->gguf) return apply_dynamic(l, factor);
    if (strcmp(type, "linear") == 0) {
        if (engine_rope_scale_linear(&l->d->rope, factor)) return TRUE;
        return engine_load_fail(l, ENGINE_ERROR_FORMAT, "linear rope scaling without a factor");
    }
    return engine_load_fail(l, ENGINE_ERROR_UNSUPPORTED, "rope scaling %.32s is not supported",
                            type);
}

/* The coefficients [n_tables, D, D] or [D, D], D the number of waves kept. */
static const float *
load_coefficients(engine_loader *l, const char *name, uint32_t *n_waves, uint32_t *n_tables)
{
    const engine_tensor *t = engine_weights_lookup(l->weights, name);

    if (!t) {
        engine_load_fail(l, ENGINE_ERROR_FORMAT, "tensor %s is missing", name);
        return NULL;
    }
    if (t->dims[0] != t->dims[1] || t->dims[0] > l->d->rope.n_rot / 2 || t->dims[3] != 1 ||
        (t->dims[2] != 1 && t->dims[2] != l->d->n_kv_heads) ||
        !engine_type_lookup((uint32_t)t->type)->dequantize) {
        engine_load_fail(l, ENGINE_ERROR_FORMAT,
                         "tensor %s is no square for each key head, or for all", name);
        return NULL;
    }
    *n_waves = (uint32_t)t->dims[0];
    *n_tables = (uint32_t)t->dims[2];
    float *values = engine_load_own(l, engine_tensor_n_elems(t), sizeof *values);
    if (!values) return NULL;
    for (size_t row = 0; row < engine_tensor_n_rows(t); row++)
        engine_tensor_row(t, row, values + row * (size_t)t->dims[0]);
    engine_load_use(l, t);
    return values;
}

/* Waves kept by the training rule: a number given, or those that turn once within the trained length. The
 * trained length may have been changed in the configuration since, so the tensors decide; a number that is
 * given must agree with them. */
static gboolean
load_fope(engine_loader *l)
{
    engine_rope *rope = &l->d->rope;
    uint32_t waves = 0, tables = 0, stated = 0;

    rope->cos_coef = load_coefficients(l, l->gguf ? "fope_cos" : "model.rotary_emb.cos_coef",
                                       &rope->n_waves, &rope->n_tables);
    if (!rope->cos_coef) return FALSE;
    rope->sin_coef =
        load_coefficients(l, l->gguf ? "fope_sin" : "model.rotary_emb.sin_coef", &waves, &tables);
    if (!rope->sin_coef) return FALSE;
    if (waves != rope->n_waves || tables != rope->n_tables)
        return engine_load_fail(l, ENGINE_ERROR_FORMAT,
                                "the FoPE coefficients of sine and cosine differ in shape");
    float given = 0.0f;
    if (!l->gguf &&
        (engine_weights_get_rope_f32(l->weights, "num_inv_freq", &given) ||
         engine_weights_get_rope_f32(l->weights, "fope_num_inv_freq", &given)) &&
        given > 0.0f)
        stated = (uint32_t)given;
    if (stated > 0 && stated != waves)
        return engine_load_fail(l, ENGINE_ERROR_FORMAT,
                                "%u FoPE frequencies are stated, the coefficients hold %u", stated,
                                waves);
    rope->kind = ENGINE_ROPE_FOPE;
    rope->sin_pad = 1.0f; /* as it was trained */
    if (l->gguf)
        engine_weights_get_f32(l->weights, "lode.fope.sin_pad", &rope->sin_pad);
    else
        engine_weights_get_rope_f32(l->weights, "fope_sin_pad", &rope->sin_pad);
    return TRUE;
}

gboolean
engine_load_rope(engine_loader *l)
{
    engine_model_info *info = &l->model->info;
    engine_rope *rope = &l->d->rope;
    float partial = 1.0f;

    info->rope_theta = 10000.0f;
    if (l->gguf)
        engine_load_f32(l, "rope.freq_base", NULL, &info->rope_theta);
    else
        engine_weights_get_rope_f32(l->weights, "rope_theta", &info->rope_theta);
    if (!(info->rope_theta > 1.0f))
        return engine_load_fail(l, ENGINE_ERROR_FORMAT, "impossible rope base");
    if (!l->gguf) engine_weights_get_rope_f32(l->weights, "partial_rotary_factor", &partial);
    if (!(partial > 0.0f && partial <= 1.0f))
        return engine_load_fail(l, ENGINE_ERROR_FORMAT, "impossible partial_rotary_factor");
    rope->n_rot = (uint32_t)((float)info->head_dim * partial);
    if (l->gguf && !engine_load_size_or(l, "rope.dimension_count", NULL, info->head_dim, 2,
                                        info->head_dim, &rope->n_rot))
        return FALSE;
    if (rope->n_rot < 2 || rope->n_rot % 2 != 0)
        return engine_load_fail(l, ENGINE_ERROR_FORMAT, "an odd number of rotated dimensions");
    rope->halves = !(l->gguf && (l->family->flags & FAMILY_GGUF_PAIRS));
    rope->theta = info->rope_theta;
    engine_rope_init(rope);
    return apply_scaling(l) && (!(l->family->flags & FAMILY_FOPE) || load_fope(l));
}

/* Rotary frequencies and tables; see rope.h. */
#include "engine/rope.h"

#include <math.h>

#define TWO_PI 6.283185307179586

const char *
engine_rope_kind_name(engine_rope_kind kind)
{
    static const char *const names[] = {"plain", "linear", "llama3", "yarn", "dynamic", "fope"};
    return names[kind];
}

static void
fill_frequencies(float base, uint32_t n_rot, float *out)
{
    for (uint32_t j = 0; j < n_rot / 2; j++)
        out[j] = (float)(1.0 / pow((double)base, 2.0 * j / n_rot));
}

void
engine_rope_init(engine_rope *rope)
{
    rope->inv_freq = g_new(float, rope->n_rot / 2);
    rope->magnitude = 1.0f;
    rope->n_tables = 1;
    fill_frequencies(rope->theta, rope->n_rot, rope->inv_freq);
}

gboolean
engine_rope_scale_linear(engine_rope *rope, float factor)
{
    if (!(factor > 0.0f)) return FALSE;
    rope->kind = ENGINE_ROPE_LINEAR;
    for (uint32_t j = 0; j < rope->n_rot / 2; j++)
        rope->inv_freq[j] /= factor;
    return TRUE;
}

/* Long waves are slowed by factor, short ones kept, those between blended. */
gboolean
engine_rope_scale_llama3(engine_rope *rope, float factor, float low, float high, float n_original)
{
    if (!(factor >= 1.0f) || !(low > 0.0f) || !(high > low) || !(n_original > 0.0f)) return FALSE;
    rope->kind = ENGINE_ROPE_LLAMA3;
    for (uint32_t j = 0; j < rope->n_rot / 2; j++) {
        float *freq = &rope->inv_freq[j];
        const float wavelength = (float)TWO_PI / *freq;
        if (wavelength < n_original / high) continue;
        if (wavelength > n_original / low) {
            *freq /= factor;
        } else {
            const float smooth = (n_original / wavelength - low) / (high - low);
            *freq = (1.0f - smooth) * *freq / factor + smooth * *freq;
        }
    }
    return TRUE;
}

static double
yarn_magnitude(double factor, double mscale)
{
    return factor <= 1.0 ? 1.0 : 0.1 * mscale * log(factor) + 1.0;
}

/* Waves that turn more than beta_fast times within the original context are kept, those that turn less
 * than beta_slow times are slowed by factor, a linear ramp over the index between. */
gboolean
engine_rope_scale_yarn(engine_rope *rope, const engine_yarn *yarn)
{
    if (!(yarn->factor >= 1.0f) || !(yarn->n_original >= 1.0f) || !(yarn->beta_slow > 0.0f) ||
        !(yarn->beta_fast >= yarn->beta_slow) || yarn->attention_factor < 0.0f)
        return FALSE;
    const double scale = rope->n_rot / (2.0 * log((double)rope->theta));
    double low = scale * log((double)yarn->n_original / (TWO_PI * (double)yarn->beta_fast));
    double high = scale * log((double)yarn->n_original / (TWO_PI * (double)yarn->beta_slow));
    if (yarn->truncate) {
        low = floor(low);
        high = ceil(high);
    }
    low = MAX(low, 0.0);
    high = MIN(high, (double)rope->n_rot - 1.0);
    if (high <= low) high = low + 0.001;
    for (uint32_t j = 0; j < rope->n_rot / 2; j++) {
        const float ramp = (float)CLAMP(((double)j - low) / (high - low), 0.0, 1.0);
        const float freq = rope->inv_freq[j];
        rope->inv_freq[j] = freq / yarn->factor * ramp + freq * (1.0f - ramp);
    }
    rope->kind = ENGINE_ROPE_YARN;
    const double factor = (double)yarn->factor;
    if (yarn->attention_factor > 0.0f)
        rope->magnitude = yarn->attention_factor;
    else if (yarn->mscale > 0.0f && yarn->mscale_all > 0.0f)
        rope->magnitude = (float)(yarn_magnitude(factor, (double)yarn->mscale) /
                                  yarn_magnitude(factor, (double)yarn->mscale_all));
    else
        rope->magnitude = (float)yarn_magnitude(factor, 1.0);
    return TRUE;
}

/* TurboMind's policy: fixed when the sequence begins, so that all its cached keys were turned alike. */
float
engine_rope_base(const engine_rope *rope, uint32_t n_tokens)
{
    if (rope->kind != ENGINE_ROPE_DYNAMIC || n_tokens <= rope->n_trained || rope->n_rot <= 2)
        return rope->theta;
    const double f = (double)rope->dynamic_factor, n_rot = rope->n_rot;
    const double growth = f * n_tokens / rope->n_trained - (f - 1.0);
    return (float)((double)rope->theta * pow(growth, n_rot / (n_rot - 2.0)));
}

void
engine_rope_frequencies(const engine_rope *rope, float base, float *out)
{
    if (base != rope->theta) {
        fill_frequencies(base, rope->n_rot, out);
        return;
    }
    for (uint32_t j = 0; j < rope->n_rot / 2; j++)
        out[j] = rope->inv_freq[j];
}

/* The kept waves through each table's coefficients; elements beyond them take fixed values. */
static void
fope_row(const engine_rope *rope, const engine_kernels *kernels, const float *cos_sin, float *out)
{
    const size_t n_pairs = rope->n_rot / 2, n = rope->n_waves;

    for (uint32_t t = 0; t < rope->n_tables; t++, out += rope->n_rot) {
        kernels->weighted_sum(cos_sin, n, 1, rope->cos_coef + t * n * n, n, n, n, out, n);
        kernels->weighted_sum(cos_sin + n_pairs, n, 1, rope->sin_coef + t * n * n, n, n, n,
                              out + n_pairs, n);
        for (size_t j = n; j < n_pairs; j++) {
            out[j] = 1.0f;
            out[n_pairs + j] = rope->sin_pad;
        }
    }
}

void
engine_rope_row(const engine_rope *rope, const engine_kernels *kernels, const float *inv_freq,
                uint32_t position, float *tmp, float *out)
{
    const uint32_t n_pairs = rope->n_rot / 2;
    float *cos_sin = rope->kind == ENGINE_ROPE_FOPE ? tmp : out;

    for (uint32_t j = 0; j < n_pairs; j++) {
        const float angle = (float)position * inv_freq[j];
        cos_sin[j] = cosf(angle) * rope->magnitude;
        cos_sin[n_pairs + j] = sinf(angle) * rope->magnitude;
    }
    if (rope->kind == ENGINE_ROPE_FOPE) fope_row(rope, kernels, cos_sin, out);
}

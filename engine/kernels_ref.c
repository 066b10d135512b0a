/* The kernels in plain C: the meaning of every entry of engine_kernels, and what runs where there is no
 * AVX2. Sums run in eight lanes joined at the end, for accuracy and because compilers vectorise that. */
#include "engine/kernels_levels.h"

#include <math.h>

static float
ref_dot(const float *a, const float *b, size_t n)
{
    float lanes[8] = {0};
    size_t i = 0;

    for (; i + 8 <= n; i += 8)
        for (size_t l = 0; l < 8; l++)
            lanes[l] += a[i + l] * b[i + l];
    for (; i < n; i++)
        lanes[i % 8] += a[i] * b[i];
    return ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) +
           ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]));
}

static void
ref_gemm(const float *w, size_t ldw, size_t n_rows, const float *x, size_t ldx, size_t n_tokens,
         size_t n_in, const float *bias, float *y, size_t ldy)
{
    for (size_t t = 0; t < n_tokens; t++)
        for (size_t r = 0; r < n_rows; r++)
            y[t * ldy + r] = ref_dot(w + r * ldw, x + t * ldx, n_in) + (bias ? bias[r] : 0.0f);
}

static void
ref_weighted_sum(const float *prob, size_t ldp, size_t n_queries, const float *v, size_t ldv,
                 size_t n_pos, size_t dim, float *out, size_t ldo)
{
    for (size_t q = 0; q < n_queries; q++) {
        float *o = out + q * ldo;
        for (size_t d = 0; d < dim; d++)
            o[d] = 0.0f;
        for (size_t p = 0; p < n_pos; p++)
            for (size_t d = 0; d < dim; d++)
                o[d] += prob[q * ldp + p] * v[p * ldv + d];
    }
}

static float
ref_softmax_part(float *x, size_t n, size_t n_padded, float scale, float *max)
{
    float top = x[0] * scale, sum = 0.0f;

    for (size_t i = 0; i < n; i++) {
        x[i] *= scale;
        top = fmaxf(top, x[i]);
    }
    for (size_t i = 0; i < n; i++) {
        x[i] = expf(x[i] - top);
        sum += x[i];
    }
    for (size_t i = n; i < n_padded; i++)
        x[i] = 0.0f;
    *max = top;
    return sum;
}

static void
ref_softmax(float *x, size_t n, float scale)
{
    float max;
    const float inverse = 1.0f / ref_softmax_part(x, n, n, scale, &max);

    for (size_t i = 0; i < n; i++)
        x[i] *= inverse;
}

static void
ref_rms_norm(const float *x, const float *w, float eps, size_t n, float *y)
{
    const float scale = 1.0f / sqrtf(ref_dot(x, x, n) / (float)n + eps);

    for (size_t i = 0; i < n; i++)
        y[i] = x[i] * scale * w[i];
}

static void
ref_layer_norm(const float *x, const float *w, const float *b, float eps, size_t n, float *y)
{
    float sum = 0.0f, squares = 0.0f;

    for (size_t i = 0; i < n; i++)
        sum += x[i];
    const float mean = sum / (float)n;
    for (size_t i = 0; i < n; i++)
        squares += (x[i] - mean) * (x[i] - mean);
    const float scale = 1.0f / sqrtf(squares / (float)n + eps);
    for (size_t i = 0; i < n; i++)
        y[i] = (x[i] - mean) * scale * w[i] + b[i];
}

static void
ref_silu_mul(float *gate, const float *up, size_t n)
{
    for (size_t i = 0; i < n; i++)
        gate[i] = gate[i] / (1.0f + expf(-gate[i])) * up[i];
}

static void
ref_gelu_erf(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = 0.5f * x[i] * (1.0f + erff(x[i] * 0.70710678f));
}

static void
ref_gelu_tanh(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = 0.5f * x[i] * (1.0f + tanhf(0.79788456f * (x[i] + 0.044715f * x[i] * x[i] * x[i])));
}

static void
ref_add(float *x, const float *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] += y[i];
}

static void
ref_scale(float *x, float s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] *= s;
}

static void
ref_blend(float *x, float a, const float *y, float b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = x[i] * a + y[i] * b;
}

static void
ref_sigmoid_mul(float *x, const float *gate, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] *= 1.0f / (1.0f + expf(-gate[i]));
}

void
engine_ref_delta_columns(float *state, size_t ld, size_t d_k, size_t n, const float *q,
                         const float *k, const float *v, float alpha, float beta, float *out)
{
    for (size_t c = 0; c < n; c++) {
        float seen = 0.0f, sum = 0.0f;
        for (size_t i = 0; i < d_k; i++)
            seen += state[i * ld + c] * k[i];
        const float step = beta * (v[c] - alpha * seen);
        for (size_t i = 0; i < d_k; i++) {
            float *s = &state[i * ld + c];
            *s = alpha * *s + k[i] * step;
            sum += *s * q[i];
        }
        out[c] = sum;
    }
}

static void
ref_delta_step(float *state, size_t d_k, size_t n, const float *q, const float *k, const float *v,
               float alpha, float beta, float *out)
{
    engine_ref_delta_columns(state, n, d_k, n, q, k, v, alpha, beta, out);
}

void
engine_ref_rope_pairs(float *x, const float *cos_sin, size_t n_pairs)
{
    for (size_t j = 0; j < n_pairs; j++) {
        const float c = cos_sin[j], s = cos_sin[n_pairs + j], a = x[2 * j], b = x[2 * j + 1];
        x[2 * j] = a * c - b * s;
        x[2 * j + 1] = b * c + a * s;
    }
}

void
engine_ref_rope_halves(float *x, const float *cos_sin, size_t n_pairs)
{
    for (size_t j = 0; j < n_pairs; j++) {
        const float c = cos_sin[j], s = cos_sin[n_pairs + j], a = x[j], b = x[j + n_pairs];
        x[j] = a * c - b * s;
        x[j + n_pairs] = b * c + a * s;
    }
}

const engine_kernels engine_kernels_ref = {
    .cpu = ENGINE_CPU_SCALAR,
    .dot = ref_dot,
    .gemm = ref_gemm,
    .weighted_sum = ref_weighted_sum,
    .softmax_part = ref_softmax_part,
    .softmax = ref_softmax,
    .rms_norm = ref_rms_norm,
    .layer_norm = ref_layer_norm,
    .silu_mul = ref_silu_mul,
    .gelu_erf = ref_gelu_erf,
    .gelu_tanh = ref_gelu_tanh,
    .sigmoid_mul = ref_sigmoid_mul,
    .delta_step = ref_delta_step,
    .add = ref_add,
    .scale = ref_scale,
    .blend = ref_blend,
    .rope_pairs = engine_ref_rope_pairs,
    .rope_halves = engine_ref_rope_halves,
};

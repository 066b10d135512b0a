/* The gated delta rule: attention whose past is one matrix per head.
 *
 * For one value head with key head kappa, state S [d_k, d_v], per token:
 *     u' = silu(causal convolution of the projected q, k, v over `kernel` tokens)
 *     q = u'_q / |u'_q| / sqrt(d_k),  k = u'_k / |u'_k|,  v = u'_v
 *     beta = sigmoid(b),  alpha = exp(-exp(A_log) softplus(a + dt_bias))
 *     S <- alpha S;  S <- S + k (beta (v - S^T k))^T;  o = S^T q
 *     y = rms_norm(o) * silu(z)
 *
 * Tokens go one after the other, also in a prompt: the form that takes 64 tokens at once (section 3 of the
 * paper) sums in another order, so that a prompt's cut into chunks would show in its numbers; and the rule
 * is a few per cent of a layer's arithmetic. A head's columns do not depend on each other, so a strip of S
 * stays in the first-level cache while all tokens pass over it.
 *
 * Source: Yang et al., Gated Delta Networks, arXiv:2412.06464; conventions of transformers' Qwen3-Next. */
#include "engine/backend.h"

#include <math.h>
#include <string.h>

#define UNIT_EPSILON 1e-6f

/* Input of channel `channel` (at raw_at in a row) at row t - back, from the window before the first row. */
static void
convolve(const engine_kernels *kernels, const engine_delta_job *job, size_t t, size_t channel,
         size_t raw_at, size_t n)
{
    const engine_delta_shape *shape = job->shape;
    const size_t window = shape->kernel - 1;
    float *out = job->conv + t * shape->n_channels + channel;

    memset(out, 0, n * sizeof *out);
    for (size_t i = 0; i <= window; i++) {
        const float *w = job->layer->conv + i * shape->n_channels + channel;
        const float *u = t + i >= window ? job->raw + (t + i - window) * shape->width + raw_at
                                         : job->conv_state + (t + i) * shape->n_channels + channel;
        for (size_t c = 0; c < n; c++)
            out[c] += w[c] * u[c];
    }
    kernels->sigmoid_mul(out, out, n);
}

/* Where channel pieces lie: the queries and keys of key head h, the values of value head h. */
static size_t
raw_value(const engine_delta_shape *shape, uint32_t h)
{
    const uint32_t ratio = shape->n_v / shape->n_k;
    return shape->v + (size_t)(h / ratio) * shape->v_group + (size_t)(h % ratio) * shape->v_head;
}

static void
unit_length(const engine_kernels *kernels, float *x, size_t n, float scale)
{
    kernels->scale(x, scale / sqrtf(kernels->dot(x, x, n) + UNIT_EPSILON), n);
}

void
engine_delta_row(const engine_kernels *kernels, const engine_delta_job *job, size_t t)
{
    const engine_delta_shape *s = job->shape;
    const size_t keys = (size_t)s->n_k * s->d_k;
    const float *raw = job->raw + t * s->width;
    float *conv = job->conv + t * s->n_channels, *gates = job->gates + t * 2 * s->n_v;
    const uint32_t ratio = s->n_v / s->n_k;

    for (uint32_t h = 0; h < s->n_k; h++) {
        const size_t at = (size_t)h * s->d_k;
        convolve(kernels, job, t, at, s->q + (size_t)h * s->q_head, s->d_k);
        convolve(kernels, job, t, keys + at, s->k + (size_t)h * s->k_head, s->d_k);
        unit_length(kernels, conv + at, s->d_k, 1.0f / sqrtf((float)s->d_k));
        unit_length(kernels, conv + keys + at, s->d_k, 1.0f);
    }
    for (uint32_t h = 0; h < s->n_v; h++) {
        convolve(kernels, job, t, 2 * keys + (size_t)h * s->d_v, raw_value(s, h), s->d_v);
        const size_t in_group = h % ratio, group = h / ratio;
        const float a = raw[s->alpha + group * s->alpha_group + in_group] + job->layer->dt_bias[h];
        const float softplus = a > 20.0f ? a : log1pf(expf(a));
        gates[h] = expf(job->layer->decay[h] * softplus);
        gates[s->n_v + h] = 1.0f / (1.0f + expf(-raw[s->beta + group * s->beta_group + in_group]));
    }
}

void
engine_delta_head(const engine_kernels *kernels, const engine_delta_job *job, size_t n,
                  uint32_t head)
{
    const engine_delta_shape *s = job->shape;
    const uint32_t ratio = s->n_v / s->n_k;
    const uint32_t key_head = s->tiled ? head % s->n_k : head / ratio;
    const size_t keys = (size_t)s->n_k * s->d_k, values = (size_t)s->n_v * s->d_v;
    float *state = job->state + (size_t)head * s->d_k * s->d_v;

    for (size_t c = 0; c < s->d_v; c += ENGINE_DELTA_STRIP) {
        for (size_t t = 0; t < n; t++) {
            const float *conv = job->conv + t * s->n_channels;
            const float *gates = job->gates + t * 2 * s->n_v;
            kernels->delta_step(
                state + c * s->d_k, s->d_k, MIN(ENGINE_DELTA_STRIP, s->d_v - c),
                conv + (size_t)key_head * s->d_k, conv + keys + (size_t)key_head * s->d_k,
                conv + 2 * keys + (size_t)head * s->d_v + c, gates[head], gates[s->n_v + head],
                job->out + t * values + (size_t)head * s->d_v + c);
        }
    }
    for (size_t t = 0; t < n; t++) {
        float *out = job->out + t * values + (size_t)head * s->d_v;
        const float *z = job->raw + t * s->width + s->z + (size_t)(head / ratio) * s->z_group +
                         (size_t)(head % ratio) * s->z_head;
        kernels->rms_norm(out, job->layer->norm, job->eps, s->d_v, out);
        kernels->sigmoid_mul(out, z, s->d_v);
        for (size_t c = 0; c < s->d_v; c++)
            out[c] *= z[c];
    }
}

void
engine_delta_shift(const engine_delta_job *job, size_t n)
{
    const engine_delta_shape *s = job->shape;
    const size_t window = s->kernel - 1, row_bytes = s->n_channels * sizeof(float);

    /* what stays of the window moves up first, then the new rows follow */
    if (n < window)
        memmove(job->conv_state, job->conv_state + n * s->n_channels, (window - n) * row_bytes);
    for (size_t i = n < window ? window - n : 0; i < window; i++) {
        const float *raw = job->raw + (n + i - window) * s->width;
        float *to = job->conv_state + i * s->n_channels;
        for (uint32_t h = 0; h < s->n_k; h++) {
            memcpy(to + (size_t)h * s->d_k, raw + s->q + (size_t)h * s->q_head,
                   s->d_k * sizeof *to);
            memcpy(to + (size_t)(s->n_k + h) * s->d_k, raw + s->k + (size_t)h * s->k_head,
                   s->d_k * sizeof *to);
        }
        for (uint32_t h = 0; h < s->n_v; h++)
            memcpy(to + 2 * (size_t)s->n_k * s->d_k + (size_t)h * s->d_v, raw + raw_value(s, h),
                   s->d_v * sizeof *to);
    }
}

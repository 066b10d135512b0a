/* Rows into the KV cache: rounding to the stored types, keys into their tiles (layouts: kv_kernels.h). */
#include "engine/kv_private.h"

#include <math.h>
#include <string.h>

typedef struct {
    engine_kv *kv;
    const engine_kv_kernels *kernels;
    const engine_kv_span *spans;
    size_t n_spans;
    uint32_t layer;
    const float *k, *v;
} store_run;

/* The Walsh-Hadamard transform by butterflies: n log n additions. */
void
engine_kv_rotate(float *x, size_t dim)
{
    const size_t n = dim & (~dim + 1); /* the lowest set bit */
    const float scale = 1.0f / sqrtf((float)n);

    for (float *piece = x; piece < x + dim; piece += n) {
        for (size_t half = 1; half < n; half *= 2) {
            for (size_t i = 0; i < n; i += 2 * half) {
                for (size_t j = i; j < i + half; j++) {
                    const float a = piece[j], b = piece[j + half];
                    piece[j] = a + b;
                    piece[j + half] = a - b;
                }
            }
        }
        for (size_t i = 0; i < n; i++)
            piece[i] *= scale;
    }
}

/* Comparisons instead of fminf and fmaxf, which are calls; what is no number becomes `least`. */
static inline float
limit(float x, float least, float most)
{
    x = x > least ? x : least;
    return x < most ? x : most;
}

/* A block of 32 to its scale, as a half, and its numbers, rounded to the nearest. */
static uint16_t
round_q8_0(const float *x, int8_t q[32])
{
    float most = 0.0f;

    for (size_t i = 0; i < 32; i++)
        most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
    most = limit(most, 0.0f, 65504.0f);
    const float inverse = most > 0.0f ? 127.0f / most : 0.0f;
    for (size_t i = 0; i < 32; i++)
        q[i] = (int8_t)((int)(limit(x[i] * inverse, -127.0f, 127.0f) + 128.5f) - 128);
    return engine_half_from_float(most / 127.0f);
}

/* The element of largest magnitude becomes -8. */
static uint16_t
round_q4_0(const float *x, uint8_t q[32])
{
    float extreme = 0.0f;

    for (size_t i = 0; i < 32; i++)
        extreme = fabsf(x[i]) > fabsf(extreme) ? x[i] : extreme;
    extreme = limit(extreme, -65504.0f, 65504.0f);
    const float scale = extreme / -8.0f, inverse = scale != 0.0f ? 1.0f / scale : 0.0f;
    for (size_t i = 0; i < 32; i++)
        q[i] = (uint8_t)(int)limit(x[i] * inverse + 8.5f, 0.0f, 15.0f);
    return engine_half_from_float(scale);
}

/* Elements of one key into column `p` of its tile. */
static void
put_key(engine_type type, const engine_kv_kernels *kernels, const float *k, size_t dim,
        uint8_t *tile, size_t p)
{
    uint16_t half[32];
    uint8_t q[32];

    for (size_t b = 0; b < dim; b += 32) {
        const size_t n = MIN(dim - b, 32);
        switch (type) {
        case ENGINE_TYPE_F32:
            for (size_t i = 0; i < n; i++)
                memcpy(tile + 4 * ((b + i) * ENGINE_KV_TILE + p), k + b + i, 4);
            break;
        case ENGINE_TYPE_F16:
            kernels->to_half(k + b, n, half);
            for (size_t i = 0; i < n; i++)
                memcpy(tile + 2 * ((b + i) * ENGINE_KV_TILE + p), half + i, 2);
            break;
        case ENGINE_TYPE_Q8_0:
            half[0] = round_q8_0(k + b, (int8_t *)q);
            memcpy(tile + 2 * p, half, 2);
            for (size_t i = 0; i < 32; i++)
                tile[(2 + i) * ENGINE_KV_TILE + p] = q[i];
            tile += 34 * ENGINE_KV_TILE;
            break;
        default: /* Q4_0: engine_kv_new took nothing else */
            half[0] = round_q4_0(k + b, q);
            memcpy(tile + 2 * p, half, 2);
            for (size_t i = 0; i < 16; i++)
                tile[(2 + i) * ENGINE_KV_TILE + p] = (uint8_t)(q[i] | q[i + 16] << 4);
            tile += 18 * ENGINE_KV_TILE;
        }
    }
}

static void
put_value(engine_type type, const engine_kv_kernels *kernels, const float *v, size_t dim,
          uint8_t *row)
{
    uint16_t half[32];
    uint8_t q[32];

    if (type == ENGINE_TYPE_F32) {
        memcpy(row, v, dim * sizeof *v);
        return;
    }
    for (size_t b = 0; b < dim; b += 32) {
        const size_t n = MIN(dim - b, 32);
        switch (type) {
        case ENGINE_TYPE_F16:
            kernels->to_half(v + b, n, half);
            memcpy(row + 2 * b, half, 2 * n);
            break;
        case ENGINE_TYPE_Q8_0:
            half[0] = round_q8_0(v + b, (int8_t *)q);
            memcpy(row, half, 2);
            memcpy(row + 2, q, 32);
            row += 34;
            break;
        default:
            half[0] = round_q4_0(v + b, q);
            memcpy(row, half, 2);
            for (size_t i = 0; i < 16; i++)
                row[2 + i] = (uint8_t)(q[i] | q[i + 16] << 4);
            row += 18;
        }
    }
}

void
engine_kv_store_head(engine_kv *kv, const engine_kv_kernels *kernels, uint32_t layer,
                     const engine_kv_span *spans, size_t n_spans, const float *all_k,
                     const float *all_v, uint32_t head)
{
    const engine_kv_shape *shape = &kv->shape;
    const size_t dim_k = shape->dim_k, dim_v = shape->dim_v;

    for (size_t s = 0; s < n_spans; s++) {
        const engine_kv_span *span = &spans[s];
        for (uint32_t t = 0; t < span->n; t++) {
            const uint32_t position = span->first + t, at = position % ENGINE_KV_PAGE;
            uint8_t *to =
                engine_kv_head_at(kv, span->table, position / ENGINE_KV_PAGE, layer, head);
            const size_t row = ((size_t)span->row + t) * shape->n_kv_heads + head;
            const float *k = all_k + row * dim_k;
            float rotated[ENGINE_KV_ROTATED_DIM];
            if (engine_kv_rotates(kv)) {
                memcpy(rotated, k, dim_k * sizeof *k);
                engine_kv_rotate(rotated, dim_k);
                k = rotated;
            }
            put_key(shape->type_k, kernels, k, dim_k, to + at / ENGINE_KV_TILE * kv->layout.tile_k,
                    at % ENGINE_KV_TILE);
            put_value(shape->type_v, kernels, all_v + row * dim_v, dim_v,
                      to + kv->layout.at_v + at * kv->layout.row_v);
        }
    }
}

/* One KV head, all rows of the pass: no two tasks write to the same cache line. */
static void
store_task(void *data, size_t task, int worker)
{
    const store_run *run = data;

    (void)worker;
    engine_kv_store_head(run->kv, run->kernels, run->layer, run->spans, run->n_spans, run->k,
                         run->v, (uint32_t)task);
}

void
engine_kv_store(engine_kv *kv, engine_pool *pool, const engine_kernels *kernels, uint32_t layer,
                const engine_kv_span *spans, size_t n_spans, const float *k, const float *v)
{
    store_run run = {kv, engine_kv_kernels_lookup(kernels->cpu), spans, n_spans, layer, k, v};
    size_t n_rows = 0;

    for (size_t s = 0; s < n_spans; s++) {
        engine_kv_check_span(&spans[s]);
        n_rows += spans[s].n;
    }
    if (n_rows < 8) { /* waking the pool costs more than a few rows */
        for (size_t head = 0; head < kv->shape.n_kv_heads; head++)
            store_task(&run, head, 0);
        return;
    }
    engine_pool_run(pool, kv->shape.n_kv_heads, store_task, &run);
}

/* What the attention kernels share: where rows of the cache lie and how they are read, and what those of many rows are
 * asked for. */
#ifndef LODE_CUDA_ATTENTION_H
#define LODE_CUDA_ATTENTION_H

#include "engine/cuda/blocks.h"

#define CUDA_HEAD_DIM    256 /* the widest head */
#define CUDA_DECODE_ROWS 8   /* spans of more rows go through the prefill kernels */

#define TEXTS 1000u /* the source of keys and values that is no cache: float rows of qkv */

static __device__ __forceinline__ uint8_t *
cache_row(const lode_cuda_kv &kv, const uint32_t *pages, unsigned position, unsigned kv_head,
          bool value)
{
    uint8_t *head = kv.arena + pages[position / kv.page_tokens] * kv.page_bytes + kv.at +
                    kv_head * kv.head_bytes;
    const unsigned within = position % kv.page_tokens;
    return head + (value ? kv.at_v + (size_t)within * kv.row_v : (size_t)within * kv.row_k);
}

/* Elements at .. at+7 of a cached row of dim; those from dim on are 0. */
template <unsigned TYPE>
static __device__ __forceinline__ void
read_8(const uint8_t *row, unsigned at, unsigned dim, float v[8])
{
    if constexpr (TYPE == CUDA_F16) {
        if (dim % 8 == 0) { /* rows then begin at multiples of 16 bytes */
            const uint4 u = *reinterpret_cast<const uint4 *>(row + 2 * at);
            const unsigned w[4] = {u.x, u.y, u.z, u.w};
#pragma unroll
            for (int k = 0; k < 8; k++)
                v[k] = half_bits(w[k / 2] >> (k % 2 * 16) & 0xffffu);
            return;
        }
    }
    decode_8<TYPE>(row, at, dim, v);
}

/* ---- many rows ---- */

/* Spans of a pass over its cache, or texts of qkv [n, 3 n_heads dim]. */
struct many_job {
    lode_cuda_kv kv;
    const cuda_span *spans; /* of a cache; NULL: texts */
    const uint32_t *pages;
    const uint32_t *first; /* of texts */
    const float *q, *gate; /* row r, head h at q + r * ldq + h * dim; gate as lode_cuda_attention */
    float *out;
    size_t ldq, width;
    unsigned n_heads, group, dim;
    unsigned gate_group, gate_head;
    float scale;
};

static inline many_job
many_rows_of_cache(const lode_cuda_attention *a, const cuda_pass *pass)
{
    many_job job = {};

    job.kv = a->kv;
    job.spans = pass->spans;
    job.pages = pass->pages;
    job.q = a->q;
    job.gate = a->gate ? a->raw + a->q_at + a->gate : NULL;
    job.out = a->out;
    job.ldq = (size_t)a->n_heads * a->head_dim;
    job.width = a->width;
    job.n_heads = a->n_heads;
    job.group = a->n_heads / a->n_kv_heads;
    job.dim = a->head_dim;
    job.gate_group = a->q_group;
    job.gate_head = a->q_head;
    job.scale = a->scale;
    return job;
}

static inline many_job
many_rows_of_texts(const float *qkv, const uint32_t *first, uint32_t n_heads, uint32_t dim,
                   float *out)
{
    many_job job = {};

    job.first = first;
    job.q = qkv;
    job.out = out;
    job.ldq = 3 * (size_t)n_heads * dim;
    job.n_heads = n_heads;
    job.group = 1;
    job.dim = dim;
    job.scale = 1.0f / sqrtf((float)dim);
    return job;
}

/* The spans of many rows: on tensor cores, of any cache but one of floats (attention_prefill.cu), and in float32 of any
 * (attention_floats.cu). */
cudaError_t cuda_attend_many(cudaStream_t s, const lode_cuda_attention *a, const cuda_pass *pass);
cudaError_t cuda_attend_many_floats(cudaStream_t s, const lode_cuda_attention *a,
                                    const cuda_pass *pass);
/* cuda_attend_text with `exact`. */
cudaError_t cuda_attend_text_floats(cudaStream_t s, const float *qkv, const uint32_t *first,
                                    size_t n_texts, size_t longest, uint32_t n_heads, uint32_t dim,
                                    float *out);

#endif

/* Packed rows to floats and 16-bit tiles, and embedding. One thread makes eight neighbours. */
#include "engine/cuda/blocks.h"

#define THREADS 256

size_t
cuda_row_bytes(uint32_t type, uint32_t n_in)
{
    const unsigned elems = block_elems(type), bytes = block_bytes(type);
    return bytes == 0 || n_in % elems != 0 ? 0 : (size_t)(n_in / elems) * bytes;
}

template <unsigned TO>
static __device__ __forceinline__ void
store_8(const float v[8], void *out, size_t at, unsigned n)
{
    for (unsigned k = 0; k < n; k++) {
        if constexpr (TO == CUDA_F32)
            static_cast<float *>(out)[at + k] = v[k];
        else
            static_cast<uint16_t *>(out)[at + k] = (uint16_t)to_16_bits<TO == CUDA_BF16>(v[k]);
    }
}

/* out row blockIdx.y = row (tokens [blockIdx.y], or first + blockIdx.y) of w; rows ldo elements apart. */
template <unsigned TYPE, unsigned TO>
static __global__ void
__launch_bounds__(THREADS)
    expand_rows(packed_matrix w, const int32_t *tokens, unsigned first, void *out, size_t ldo)
{
    const unsigned at = (blockIdx.x * THREADS + threadIdx.x) * 8;

    if (at >= w.n_in) return;
    const unsigned row = tokens ? (unsigned)tokens[blockIdx.y] : first + blockIdx.y;
    float v[8];
    decode_8<TYPE>(w.data + row * w.row_bytes, at, w.n_in, v);
    apply_scales(row_scales(w, w.scales, row), w.scale_cols, at, w.n_in, v);
    store_8<TO>(v, out, blockIdx.y * ldo + at, w.n_in - at < 8 ? w.n_in - at : 8);
}

template <unsigned TYPE>
static cudaError_t
expand(cudaStream_t s, const packed_matrix &w, const int32_t *tokens, unsigned first,
       unsigned n_rows, uint32_t to, void *out, size_t ldo)
{
    const dim3 grid((w.n_in + 8 * THREADS - 1) / (8 * THREADS), n_rows);

    switch (to) {
    case CUDA_F32:
        return LODE_LAUNCH((expand_rows<TYPE, CUDA_F32>), grid, THREADS, 0, s, w, tokens, first,
                           out, ldo);
    case CUDA_F16:
        return LODE_LAUNCH((expand_rows<TYPE, CUDA_F16>), grid, THREADS, 0, s, w, tokens, first,
                           out, ldo);
    case CUDA_BF16:
        return LODE_LAUNCH((expand_rows<TYPE, CUDA_BF16>), grid, THREADS, 0, s, w, tokens, first,
                           out, ldo);
    default:
        return cudaErrorInvalidValue;
    }
}

/* A grid's second dimension ends at 65535. */
#define ROWS_AT_ONCE 32768u

static cudaError_t
expand_any(cudaStream_t s, const lode_cuda_matrix *matrix, const int32_t *tokens, uint32_t first,
           size_t n_rows, uint32_t to, void *out, size_t ldo)
{
    const packed_matrix w = packed_of(matrix);

    if (w.row_bytes == 0) return cudaErrorInvalidValue;
    for (size_t i = 0; i < n_rows; i += ROWS_AT_ONCE) {
        const unsigned n = (unsigned)(n_rows - i < ROWS_AT_ONCE ? n_rows - i : ROWS_AT_ONCE);
        const int32_t *t = tokens ? tokens + i : NULL;
        void *o = static_cast<uint8_t *>(out) + i * ldo * (to == CUDA_F32 ? 4 : 2);
        cudaError_t status = cudaErrorInvalidValue;
        switch (matrix->type) {
#define EXPAND(type)                                                                               \
    case type:                                                                                     \
        status = expand<type>(s, w, t, first + (uint32_t)i, n, to, o, ldo);                        \
        break;
            CUDA_EACH_TYPE(EXPAND)
        default:
            break;
        }
        LODE_TRY(status);
    }
    return cudaSuccess;
}

cudaError_t
cuda_dequantize(cudaStream_t s, const lode_cuda_matrix *w, uint32_t first, uint32_t n_rows,
                uint32_t to, void *out)
{
    return expand_any(s, w, NULL, first, n_rows, to, out, w->n_in);
}

cudaError_t
cuda_embed(cudaStream_t s, const lode_cuda_matrix *table, const int32_t *tokens, size_t n, float *x,
           size_t ldx)
{
    return expand_any(s, table, tokens, 0, n, CUDA_F32, x, ldx);
}

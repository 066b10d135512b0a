/* Routing: which experts a token goes to (router.c says what is right), tokens by expert, sums back, and the largest of a
 * row. Nothing depends on which thread comes first: equal inputs give equal bytes. */
#include "engine/cuda/kernels.h"

#define MOST_EXPERTS 1024
#define MOST_USED    64

/* ---- the router ---- */

#define LANE_EXPERTS (MOST_EXPERTS / LODE_WARP)

/* (a, i) stands before (b, j): larger, of equals the lower index; a NaN is less than all numbers. */
static __device__ __forceinline__ bool
stands_before(float a, int i, float b, int j)
{
    if (i < 0 || j < 0) return i >= 0 && j < 0;
    const bool a_nan = a != a, b_nan = b != b;
    if (a_nan || b_nan) return a_nan == b_nan ? i < j : b_nan;
    return a > b || (a == b && i < j);
}

/* The first of all lanes' candidates, in every lane. */
static __device__ __forceinline__ void
first_of_warp(float *value, int *index)
{
#pragma unroll
    for (int bit = LODE_WARP / 2; bit > 0; bit /= 2) {
        const float v = __shfl_xor_sync(LODE_ALL_LANES, *value, bit);
        const int i = __shfl_xor_sync(LODE_ALL_LANES, *index, bit);
        if (stands_before(v, i, *value, *index)) *value = v, *index = i;
    }
}

/* logits row through the gate, a warp together; lane l owns elements l, l + 32, .. */
static __device__ void
gate_row(const lode_cuda_router &r, float *p, unsigned lane)
{
    if (r.gate == 1) /* ENGINE_GATE_SIGMOID */
        for (unsigned e = lane; e < r.n_experts; e += LODE_WARP)
            p[e] = 1.0f / (1.0f + expf(-p[e]));
    if (r.gate != 0) return;
    float most = -INFINITY, sum = 0.0f;
    for (unsigned e = lane; e < r.n_experts; e += LODE_WARP)
        most = fmaxf(most, p[e]);
    most = warp_max(most);
    for (unsigned e = lane; e < r.n_experts; e += LODE_WARP)
        sum += p[e] = expf(p[e] - most);
    sum = 1.0f / warp_sum(sum);
    for (unsigned e = lane; e < r.n_experts; e += LODE_WARP)
        p[e] *= sum;
}

/* A warp for each row: k rounds of the largest that is left. Sources: as engine_route. */
static __global__ void __launch_bounds__(128)
    route_rows(lode_cuda_router r, float *logits, unsigned n, int32_t *chosen, float *weights)
{
    const unsigned lane = threadIdx.x % LODE_WARP;
    const unsigned t = blockIdx.x * (128 / LODE_WARP) + threadIdx.x / LODE_WARP;
    const unsigned row =
        t < n ? t : n - 1; /* a warp too many does the last row, and keeps it to itself */
    const unsigned per_group = r.n_experts / r.n_groups, k = r.n_used / r.n_groups;
    LODE_STATIC_SHARED(float, all_p, 128 / LODE_WARP * MOST_EXPERTS);
    LODE_STATIC_SHARED(float, all_w, 128 / LODE_WARP * MOST_USED);
    float *p = all_p + threadIdx.x / LODE_WARP * MOST_EXPERTS;
    float *w = all_w + threadIdx.x / LODE_WARP * MOST_USED;

    for (unsigned e = lane; e < r.n_experts; e += LODE_WARP)
        p[e] = logits[(size_t)row * r.n_experts + e];
    gate_row(r, p, lane); /* a lane has its own numbers so far */
    __syncwarp();
    for (unsigned g = 0; g < r.n_groups; g++) {
        unsigned taken = 0; /* bit i: this lane's i-th of the group */
        for (unsigned j = 0; j < k; j++) {
            float best = 0.0f;
            int index = -1;
            for (unsigned i = 0; i * LODE_WARP + lane < per_group; i++) {
                const unsigned e = i * LODE_WARP + lane;
                if (taken >> i & 1u) continue;
                const float v = p[g * per_group + e];
                if (stands_before(v, (int)e, best, index)) best = v, index = (int)e;
            }
            first_of_warp(&best, &index);
            if (index % LODE_WARP == (int)lane) taken |= 1u << index / LODE_WARP;
            if (lane == 0) {
                w[g * k + j] = best;
                if (t < n) chosen[(size_t)t * r.n_used + g * k + j] = (int)(g * per_group) + index;
            }
        }
    }
    if (lane > 0 || t >= n) return; /* w is the first lane's alone */
    if (r.gate == 2) { /* ENGINE_GATE_SOFTMAX_AFTER */
        float most = w[0], sum = 0.0f;
        for (unsigned j = 1; j < r.n_used; j++)
            most = fmaxf(most, w[j]);
        for (unsigned j = 0; j < r.n_used; j++)
            sum += w[j] = expf(w[j] - most);
        for (unsigned j = 0; j < r.n_used; j++)
            w[j] *= 1.0f / sum;
    }
    float factor = r.scale;
    if (r.normalize) {
        float sum = 0.0f;
        for (unsigned j = 0; j < r.n_used; j++)
            sum += w[j];
        factor /= sum;
    }
    for (unsigned j = 0; j < r.n_used; j++)
        weights[(size_t)t * r.n_used + j] = w[j] * factor;
}

cudaError_t
cuda_route(cudaStream_t s, const lode_cuda_router *r, float *logits, size_t n, int32_t *chosen,
           float *weights)
{
    const unsigned n_rows = (unsigned)n;

    if (n == 0) return cudaSuccess;
    if (r->n_experts > MOST_EXPERTS || r->n_used > MOST_USED || r->n_groups == 0)
        return cudaErrorInvalidValue;
    return LODE_LAUNCH(route_rows, (n_rows + 3) / 4, 128, 0, s, *r, logits, n_rows, chosen,
                       weights);
}

/* ---- tokens by expert ---- */

#define SORT_THREADS 1024

/* One block: counts, their sums, then places; a slot's place is its expert's first plus the slots of that expert before
 * it, counted warp by warp in order. The list is short (a few thousand slots), and one block knows its own order. */
static __global__ void
__launch_bounds__(SORT_THREADS)
    sort_slots(const int32_t *chosen, unsigned n_slots, unsigned n_used, unsigned n_experts,
               uint32_t *start, uint32_t *row, uint32_t *place)
{
    LODE_STATIC_SHARED(unsigned, next, MOST_EXPERTS);
    LODE_STATIC_SHARED(unsigned, sums, 32);
    const unsigned tid = threadIdx.x, lane = tid % LODE_WARP, warp = tid / LODE_WARP;

    next[tid] = 0;
    __syncthreads();
    for (unsigned i = tid; i < n_slots; i += SORT_THREADS)
        atomicAdd(&next[chosen[i]], 1u);
    __syncthreads();
    /* counts to first places: inclusive sums inside a warp, then over warps */
    const unsigned count = next[tid];
    unsigned sum = count;
#pragma unroll
    for (unsigned d = 1; d < LODE_WARP; d *= 2) {
        const unsigned below = __shfl_up_sync(LODE_ALL_LANES, sum, d);
        if (lane >= d) sum += below;
    }
    if (lane == LODE_WARP - 1) sums[warp] = sum;
    __syncthreads();
    unsigned before = 0;
    for (unsigned i = 0; i < warp; i++)
        before += sums[i];
    next[tid] = before + sum - count;
    if (tid < n_experts) start[tid] = before + sum - count;
    if (tid == 0) start[n_experts] = n_slots;
    __syncthreads();
    /* 1024 slots at a time, their warps one after the other */
    for (unsigned base = 0; base < n_slots; base += SORT_THREADS) {
        const unsigned i = base + tid;
        const int32_t expert = i < n_slots ? chosen[i] : -1;
        const unsigned left = n_slots - base < SORT_THREADS ? n_slots - base : SORT_THREADS;
        unsigned same = 0;
        for (unsigned l = 0; l < LODE_WARP; l++)
            same |= (__shfl_sync(LODE_ALL_LANES, expert, (int)l) == expert ? 1u : 0u) << l;
        for (unsigned w = 0; w * LODE_WARP < left; w++) {
            unsigned at = 0;
            if (w == warp && expert >= 0)
                at = next[expert] + (unsigned)__popc(same & ((1u << lane) - 1u));
            __syncwarp();
            if (w == warp && expert >= 0) {
                place[i] = at;
                row[at] = i / n_used;
                if (same >> lane == 1u) next[expert] = at + 1; /* the last lane of the expert */
            }
            __syncthreads();
        }
    }
}

cudaError_t
cuda_sort_experts(cudaStream_t s, const int32_t *chosen, size_t n, uint32_t n_used,
                  uint32_t n_experts, uint32_t *start, uint32_t *row, uint32_t *place)
{
    if (n_experts > MOST_EXPERTS || n_used == 0) return cudaErrorInvalidValue;
    return LODE_LAUNCH(sort_slots, 1, SORT_THREADS, 0, s, chosen, (unsigned)(n * n_used), n_used,
                       n_experts, start, row, place);
}

static __global__ void __launch_bounds__(256)
    join_slots(const float *out, const uint32_t *place, const float *weights, unsigned n_used,
               size_t n_elems, size_t n, float *y)
{
    for (size_t i = (size_t)blockIdx.x * 256 + threadIdx.x; i < n * n_elems;
         i += (size_t)gridDim.x * 256) {
        const size_t slot = i / n_elems * n_used;
        float sum = y[i];
        for (unsigned j = 0; j < n_used; j++) {
            const size_t from = place ? place[slot + j] : slot + j;
            const float weight = weights ? weights[slot + j] : 1.0f;
            if (weight != 0.0f) sum += weight * out[from * n_elems + i % n_elems];
        }
        y[i] = sum;
    }
}

cudaError_t
cuda_join_experts(cudaStream_t s, const float *out, const uint32_t *place, const float *weights,
                  uint32_t n_used, size_t n_elems, size_t n, float *y)
{
    const size_t n_blocks = (n * n_elems + 255) / 256;

    if (n_blocks == 0) return cudaSuccess;
    return LODE_LAUNCH(join_slots, (unsigned)(n_blocks < 65535 ? n_blocks : 65535), 256, 0, s, out,
                       place, weights, n_used, n_elems, n, y);
}

/* ---- the largest of a row ---- */

#define TOP_THREADS 256

/* Ascending in the order of the numbers; every NaN is 0. */
static __device__ __forceinline__ unsigned
sort_key(float x)
{
    const unsigned u = __float_as_uint(x);
    if (x != x) return 0;
    if (x == 0.0f) return 0x80000000u; /* both zeros are equal */
    return u & 0x80000000u ? ~u : u | 0x80000000u;
}

/* The k-th largest key of a row by its bytes from the top, counted in shared memory: all above it and, in order of index,
 * as many equal to it as are wanted, are gathered and sorted (bitonic). keys lie above their inverted index in 64 bits. */
static __global__ void
__launch_bounds__(TOP_THREADS)
    top_of_rows(const float *x, size_t ldx, unsigned n, unsigned k, float *values, int32_t *indices)
{
    LODE_STATIC_SHARED(unsigned, counts, 256);
    LODE_STATIC_SHARED(unsigned, found, 4); /* prefix, wanted, taken above, taken equal */
    LODE_STATIC_SHARED(unsigned, warp_counts, TOP_THREADS / LODE_WARP);
    LODE_STATIC_SHARED(unsigned long long, list, CUDA_TOP_K);
    const unsigned tid = threadIdx.x, lane = tid % LODE_WARP;
    const float *row = x + blockIdx.x * ldx;

    if (tid == 0) found[0] = 0, found[1] = k, found[2] = 0, found[3] = 0;
    for (int shift = 24; shift >= 0; shift -= 8) {
        counts[tid] = 0;
        __syncthreads();
        const unsigned prefix = found[0], mask = shift == 24 ? 0u : ~0u << (shift + 8);
        for (unsigned i = tid; i < n; i += TOP_THREADS) {
            const unsigned key = sort_key(row[i]);
            if ((key & mask) == prefix) atomicAdd(&counts[key >> shift & 255u], 1u);
        }
        __syncthreads();
        if (tid == 0) {
            unsigned wanted = found[1], digit = 255;
            while (digit > 0 && counts[digit] < wanted)
                wanted -= counts[digit--];
            found[0] = prefix | digit << shift;
            found[1] = wanted;
        }
        __syncthreads();
    }
    const unsigned threshold = found[0], wanted = found[1];
    for (unsigned i = tid; i < CUDA_TOP_K; i += TOP_THREADS)
        list[i] = 0;
    __syncthreads();
    for (unsigned base = 0; base < n; base += TOP_THREADS) {
        const unsigned i = base + tid, key = i < n ? sort_key(row[i]) : 0u;
        const unsigned long long entry = (unsigned long long)key << 32 | ~i;
        if (i < n && key > threshold) list[atomicAdd(&found[2], 1u)] = entry; /* sorted later */
        const bool equal = i < n && key == threshold;
        const unsigned votes = __ballot_sync(LODE_ALL_LANES, equal);
        if (lane == 0) warp_counts[tid / LODE_WARP] = (unsigned)__popc(votes);
        __syncthreads();
        unsigned at = found[3] + (unsigned)__popc(votes & ((1u << lane) - 1u)), all = 0;
        for (unsigned w = 0; w < TOP_THREADS / LODE_WARP; w++) {
            if (w < tid / LODE_WARP) at += warp_counts[w];
            all += warp_counts[w];
        }
        if (equal && at < wanted) list[k - wanted + at] = entry;
        __syncthreads();
        if (tid == 0) found[3] += all; /* read behind the next round's first barrier */
    }
    unsigned size = 2;
    while (size < k)
        size *= 2;
    for (unsigned run = 2; run <= size; run *= 2) {
        for (unsigned step = run / 2; step > 0; step /= 2) {
            for (unsigned i = tid; i < size; i += TOP_THREADS) {
                const unsigned j = i ^ step;
                const unsigned long long a = list[i], b = j < CUDA_TOP_K ? list[j] : 0;
                if (j > i && (i & run ? a > b : a < b)) list[i] = b, list[j] = a;
            }
            __syncthreads();
        }
    }
    for (unsigned i = tid; i < k; i += TOP_THREADS) {
        const unsigned index = ~(unsigned)list[i];
        values[(size_t)blockIdx.x * k + i] = row[index];
        indices[(size_t)blockIdx.x * k + i] = (int32_t)index;
    }
}

cudaError_t
cuda_top_k(cudaStream_t s, const float *x, size_t ldx, size_t n_elems, size_t n, uint32_t k,
           float *values, int32_t *indices)
{
    if (n == 0 || k == 0) return cudaSuccess;
    if (k > CUDA_TOP_K || k > n_elems || n_elems > 0x7fffffffu) return cudaErrorInvalidValue;
    return LODE_LAUNCH(top_of_rows, (unsigned)n, TOP_THREADS, 0, s, x, ldx, (unsigned)n_elems, k,
                       values, indices);
}

/* Causal grouped-query attention over the cache, in blocks of ENGINE_LLAMA_KV_BLOCK positions.
 *
 * For one query and one block b:  m_b = max s_p,  l_b = sum e^(s_p - m_b),  o_b = sum e^(s_p - m_b) v_p
 * with s_p = q.k_p * scale, and blocks join, in ascending order, by
 *     M = max(m, m_b);  o = o e^(m-M) + o_b e^(m_b-M);  l likewise;  result o / l.
 * Block boundaries are fixed positions, so a query's sums are the same whether it comes alone (decoding:
 * blocks are computed in parallel, then joined) or with others (prefill: a task walks all blocks).
 *
 * The queries of all heads that share a KV head go together: each k and v is read once for the group. The
 * cache is laid out [kv_head][position][dim], so a block is one contiguous piece of memory.
 *
 * Source: Dao et al., FlashAttention, arXiv:2205.14135; Flash-Decoding's split over positions. */
#include "engine/llama.h"

#include "engine/pool.h"

#include <math.h>
#include <string.h>

#define TOKENS_PER_TASK 4

typedef struct {
    engine_llama_state *state;
    const float *k, *v; /* this layer's cache: [kv_head][n_context][head_dim] */
    size_t n, hd, group, n_blocks;
    uint32_t first;
} attention_run;

/* Scratch of one task, for `rows` queries. */
typedef struct {
    float *q;                          /* [rows, hd] gathered queries */
    float *scores;                     /* [rows, KV_BLOCK] */
    float *part, *part_max, *part_sum; /* [rows, hd], [rows], [rows] of the block at hand */
    float *out, *max, *sum;            /* the same, of the blocks joined so far */
} attention_scratch;

static attention_scratch
carve_scratch(engine_pool *pool, int worker, size_t rows, size_t hd)
{
    float *p = engine_pool_scratch(pool, worker,
                                   rows * (3 * hd + ENGINE_LLAMA_KV_BLOCK + 4) * sizeof(float));
    attention_scratch s;

    s.q = p;
    s.scores = s.q + rows * hd;
    s.part = s.scores + rows * ENGINE_LLAMA_KV_BLOCK;
    s.out = s.part + rows * hd;
    s.part_max = s.out + rows * hd;
    s.part_sum = s.part_max + rows;
    s.max = s.part_sum + rows;
    s.sum = s.max + rows;
    return s;
}

/* One block: keys and values from position `base` on, for rows queries; row r stands at position
 * at + r / group and sees positions up to its own. Fills out [rows, hd], max and sum [rows]; sum 0 marks a row
 * that sees nothing of this block. */
static void
attend_block(const attention_run *run, uint32_t head, size_t base, size_t at, size_t rows,
             const float *q, float *scores, float *out, float *max, float *sum)
{
    const engine_kernels *kernels = run->state->model->kernels;
    const size_t last = at + (rows - 1) / run->group;
    const size_t n_pos = MIN(last + 1 - base, ENGINE_LLAMA_KV_BLOCK), hd = run->hd;
    const size_t offset = ((size_t)head * run->state->n_context + base) * hd;

    kernels->gemm(run->k + offset, hd, n_pos, q, hd, rows, hd, NULL, scores, ENGINE_LLAMA_KV_BLOCK);
    for (size_t r = 0; r < rows; r++) {
        const size_t position = at + r / run->group;
        const size_t seen = position < base ? 0 : MIN(position + 1 - base, n_pos);
        float *row = scores + r * ENGINE_LLAMA_KV_BLOCK;
        if (seen == 0) {
            memset(row, 0, n_pos * sizeof *row);
            sum[r] = 0.0f;
            continue;
        }
        sum[r] = kernels->softmax_part(row, seen, n_pos, run->state->llama->attn_scale, &max[r]);
    }
    kernels->weighted_sum(scores, ENGINE_LLAMA_KV_BLOCK, rows, run->v + offset, hd, n_pos, hd, out,
                          hd);
}

/* Join a block's part of one row to what is there (sum 0: nothing yet). */
static void
join_part(const engine_kernels *kernels, size_t hd, const float *part, float part_max,
          float part_sum, float *out, float *max, float *sum)
{
    if (part_sum == 0.0f) return;
    if (*sum == 0.0f) {
        memcpy(out, part, hd * sizeof *out);
        *max = part_max;
        *sum = part_sum;
        return;
    }
    const float top = MAX(*max, part_max);
    const float keep = expf(*max - top), take = expf(part_max - top);
    kernels->blend(out, keep, part, take, hd);
    *sum = *sum * keep + part_sum * take;
    *max = top;
}

/* Prefill: some tokens of one KV head, all their blocks. */
static void
prefill_task(void *data, size_t task, int worker)
{
    const attention_run *run = data;
    engine_llama_state *state = run->state;
    const engine_kernels *kernels = state->model->kernels;
    const size_t n_kv = state->model->info.n_kv_heads, hd = run->hd, group = run->group;
    /* the last tokens see the most: start with them, so that no long task is left for the end */
    const size_t n_groups = (run->n + TOKENS_PER_TASK - 1) / TOKENS_PER_TASK;
    const size_t t0 = (n_groups - 1 - task / n_kv) * TOKENS_PER_TASK;
    const size_t n_tokens = MIN(TOKENS_PER_TASK, run->n - t0), rows = n_tokens * group;
    const uint32_t head = (uint32_t)(task % n_kv);
    attention_scratch s = carve_scratch(state->pool, worker, rows, hd);

    for (size_t t = 0; t < n_tokens; t++)
        memcpy(s.q + t * group * hd, state->q + ((t0 + t) * n_kv + head) * group * hd,
               group * hd * sizeof(float));
    memset(s.sum, 0, rows * sizeof(float));
    for (size_t base = 0; base < run->first + t0 + n_tokens; base += ENGINE_LLAMA_KV_BLOCK) {
        attend_block(run, head, base, run->first + t0, rows, s.q, s.scores, s.part, s.part_max,
                     s.part_sum);
        for (size_t r = 0; r < rows; r++)
            join_part(kernels, hd, s.part + r * hd, s.part_max[r], s.part_sum[r], s.out + r * hd,
                      &s.max[r], &s.sum[r]);
    }
    for (size_t r = 0; r < rows; r++) {
        kernels->scale(s.out + r * hd, 1.0f / s.sum[r], hd);
        memcpy(state->att + ((t0 + r / group) * n_kv * group + head * group + r % group) * hd,
               s.out + r * hd, hd * sizeof(float));
    }
}

/* Decoding: one block of one KV head into its place in state->parts. */
static void
decode_task(void *data, size_t task, int worker)
{
    const attention_run *run = data;
    engine_llama_state *state = run->state;
    const size_t hd = run->hd, group = run->group;
    const size_t head = task / run->n_blocks, block = task % run->n_blocks;
    float *scores =
        engine_pool_scratch(state->pool, worker, group * ENGINE_LLAMA_KV_BLOCK * sizeof(float));
    float *part = state->parts + task * group * (hd + 2);

    attend_block(run, (uint32_t)head, block * ENGINE_LLAMA_KV_BLOCK, run->first, group,
                 state->q + head * group * hd, scores, part, part + group * hd,
                 part + group * (hd + 1));
}

static void
decode(attention_run *run)
{
    engine_llama_state *state = run->state;
    const engine_kernels *kernels = state->model->kernels;
    const size_t n_kv = state->model->info.n_kv_heads, hd = run->hd, group = run->group;

    engine_pool_run(state->pool, n_kv * run->n_blocks, decode_task, run);
    for (size_t head = 0; head < n_kv; head++) {
        for (size_t g = 0; g < group; g++) {
            float *out = state->att + (head * group + g) * hd, max = 0.0f, sum = 0.0f;
            for (size_t b = 0; b < run->n_blocks; b++) {
                const float *part = state->parts + (head * run->n_blocks + b) * group * (hd + 2);
                join_part(kernels, hd, part + g * hd, part[group * hd + g],
                          part[group * (hd + 1) + g], out, &max, &sum);
            }
            kernels->scale(out, 1.0f / sum, hd);
        }
    }
}

void
engine_llama_attention(engine_llama_state *state, uint32_t layer, size_t n, uint32_t first)
{
    const engine_model_info *info = &state->model->info;
    const size_t layer_floats = (size_t)info->n_kv_heads * state->n_context * info->head_dim;
    attention_run run = {.state = state,
                         .k = state->k_cache + layer * layer_floats,
                         .v = state->v_cache + layer * layer_floats,
                         .n = n,
                         .hd = info->head_dim,
                         .group = info->n_heads / info->n_kv_heads,
                         .n_blocks = first / ENGINE_LLAMA_KV_BLOCK + 1,
                         .first = first};

    if (n == 1)
        decode(&run);
    else
        engine_pool_run(state->pool, (n + TOKENS_PER_TASK - 1) / TOKENS_PER_TASK * info->n_kv_heads,
                        prefill_task, &run);
}

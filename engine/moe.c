/* The feed-forward part of one layer: routed experts, or a single one.
 *
 * Every (token, choice) is a slot. Slots are sorted by expert (counted, then placed; within an expert in
 * token order), so that an expert's matrices are read once and multiplied with all of its tokens:
 *
 *   h[slot] = silu(gate_e x) * up_e x     task: a tile of rows of one expert, all its slots;
 *                                         rounded to int8 by the same task when down wants that
 *   out[slot] = down_e h[slot]            task: likewise
 *   y[t] += weights[t][j] * out[slot]     j ascending
 *
 * Tasks of the busiest experts come first and are taken dynamically: loads are skewed. A token's numbers
 * depend on nothing but the token, because those of engine_multiply_rows do not.
 *
 * Sources: Mixtral of Experts, arXiv:2401.04088, section 2.1; the grouping is that of MegaBlocks,
 * arXiv:2211.15841, without its padding. */
#include "engine/moe.h"

#include "engine/matmul.h"

#include <string.h>

#define NO_SLOT   G_MAXUINT32 /* of a choice that is left out */
#define MAX_BYTES (64u << 20) /* of the buffers of one pass; more tokens are cut into several */

typedef struct {
    engine_pool *pool;
    const engine_kernels *kernels;
    const engine_moe_job *job;
    const float *x;
    float *y;
    size_t n_embd, n_ff, n_tokens, n_slots;
    const engine_tensor *gate, *up; /* up is gate when one tensor holds both */
    gboolean int8_in, float_in;     /* how gate and up want their inputs; may be both */
    gboolean int8_down;
    uint32_t *start;  /* [n_experts + 1] first slot of an expert */
    uint32_t *active; /* [n_active] experts with slots, the busiest first */
    uint32_t *token;  /* [n_slots] the token of a slot */
    uint32_t *slot;   /* [n_tokens, n_used] the slot of a choice, or NO_SLOT */
    size_t n_active, tile, tiles_per_expert;
    engine_int8_block *x8; /* [n_tokens, n_embd / 32] */
    float *gathered; /* [n_slots, n_embd]: the inputs of float experts; NULL for a single one: x */
    engine_int8_block *h8; /* [n_slots, n_ff / 32] */
    float *h;              /* [n_slots, n_ff] when down is multiplied in floats */
    float *out;            /* [n_slots, n_embd] */
} moe_run;

/* ---- memory: one buffer of the pool, cut up ---- */

static void *
take(uint8_t *base, size_t *used, size_t n, size_t size)
{
    void *piece = base ? base + *used : NULL;
    *used += (n * size + 63) / 64 * 64;
    return piece;
}

/* Cut base into the buffers of n_tokens tokens; NULL only adds up the bytes. */
static size_t
carve(moe_run *run, size_t n_tokens, uint8_t *base)
{
    const engine_moe_job *job = run->job;
    const size_t n_slots = n_tokens * job->n_used, n_embd = run->n_embd, n_ff = run->n_ff;
    size_t used = 0;

    run->start = take(base, &used, (size_t)job->n_experts + 1, sizeof *run->start);
    run->active = take(base, &used, job->n_experts, sizeof *run->active);
    run->token = take(base, &used, n_slots, sizeof *run->token);
    run->slot = take(base, &used, n_slots, sizeof *run->slot);
    if (run->int8_in)
        run->x8 = take(base, &used, n_tokens * (n_embd / ENGINE_INT8_BLOCK), sizeof *run->x8);
    if (run->float_in && job->n_experts > 1)
        run->gathered = take(base, &used, n_slots * n_embd, sizeof *run->gathered);
    if (run->int8_down)
        run->h8 = take(base, &used, n_slots * (n_ff / ENGINE_INT8_BLOCK), sizeof *run->h8);
    else
        run->h = take(base, &used, n_slots * n_ff, sizeof *run->h);
    run->out = take(base, &used, n_slots * n_embd, sizeof *run->out);
    return used;
}

/* ---- who goes where ---- */

/* Fewer than a handful of experts are usual in decoding; insertion keeps equals in ascending order. */
static void
sort_by_load(moe_run *run)
{
    for (size_t i = 1; i < run->n_active; i++) {
        const uint32_t expert = run->active[i];
        const uint32_t load = run->start[expert + 1] - run->start[expert];
        size_t at = i;
        for (; at > 0; at--) {
            const uint32_t before = run->active[at - 1];
            if (run->start[before + 1] - run->start[before] >= load) break;
            run->active[at] = before;
        }
        run->active[at] = expert;
    }
}

/* Every token is a slot of the single expert. */
static void
assign_all(moe_run *run)
{
    run->n_active = 1;
    run->active[0] = 0;
    run->start[0] = 0;
    run->start[1] = (uint32_t)run->n_slots;
    for (uint32_t t = 0; t < run->n_slots; t++)
        run->slot[t] = run->token[t] = t;
}

static void
assign_slots(moe_run *run, const int32_t *chosen)
{
    const uint32_t n_experts = run->job->n_experts;

    memset(run->start, 0, ((size_t)n_experts + 1) * sizeof *run->start);
    for (size_t i = 0; i < run->n_slots; i++) {
        g_assert(chosen[i] >= -1 && chosen[i] < (int64_t)n_experts);
        if (chosen[i] >= 0) run->start[chosen[i] + 1]++;
    }
    run->n_active = 0;
    for (uint32_t e = 0; e < n_experts; e++) {
        if (run->start[e + 1] > 0) run->active[run->n_active++] = e;
        run->start[e + 1] += run->start[e];
    }
    /* start[e] walks to the end of e's slots, which is where e + 1 begins ... */
    for (size_t i = 0; i < run->n_slots; i++) {
        run->slot[i] = NO_SLOT;
        if (chosen[i] < 0) continue;
        const uint32_t slot = run->start[chosen[i]]++;
        run->slot[i] = slot;
        run->token[slot] = (uint32_t)(i / run->job->n_used);
    }
    /* ... so moving everything up by one restores the beginnings */
    memmove(run->start + 1, run->start, n_experts * sizeof *run->start);
    run->start[0] = 0;
    run->n_slots = run->start[n_experts]; /* without those left out */
}

/* ---- tasks ---- */

/* An expert's matrix, wherever it lies. */
static engine_tensor
expert_tensor(const moe_run *run, const engine_tensor *tensors, uint32_t expert)
{
    const engine_expert_source *source = run->job->source;
    engine_tensor tensor = tensors[expert];

    if (source) tensor.data = source->data(source->ctx, &tensors[expert], run->job->layer, expert);
    return tensor;
}

typedef struct {
    uint32_t expert;
    size_t row, n_rows;   /* of the output */
    size_t slot, n_slots; /* of the expert */
} expert_tile;

static expert_tile
find_tile(const moe_run *run, size_t task, size_t n_out)
{
    expert_tile tile;
    tile.expert = run->active[task / run->tiles_per_expert];
    tile.row = task % run->tiles_per_expert * run->tile;
    tile.n_rows = MIN(run->tile, n_out - tile.row);
    tile.slot = run->start[tile.expert];
    tile.n_slots = run->start[tile.expert + 1] - tile.slot;
    return tile;
}

/* The first packed rows of the task behind this one, for the cache; behind the last one down begins. */
static const uint8_t *
next_rows(const moe_run *run, const engine_tensor *tensors, size_t task, size_t n_out)
{
    if (task + 1 == run->n_active * run->tiles_per_expert)
        return expert_tensor(run, run->job->down, run->active[0]).data;
    const expert_tile tile = find_tile(run, task + 1, n_out);
    const engine_tensor tensor = expert_tensor(run, tensors, tile.expert);
    return tensor.data + tile.row * engine_tensor_row_bytes(&tensor);
}

/* The rows `tile` of h, from g [n_slots, ld], as down wants them. */
static void
store_hidden(const moe_run *run, const expert_tile *tile, const float *g, size_t ld)
{
    const size_t n_ff8 = run->n_ff / ENGINE_INT8_BLOCK;
    const engine_int8_kernels *int8 = run->kernels->int8;

    if (!run->int8_down) {
        for (size_t s = 0; s < tile->n_slots; s++)
            memcpy(run->h + (tile->slot + s) * run->n_ff + tile->row, g + s * ld,
                   tile->n_rows * sizeof *g);
        return;
    }
    engine_int8_block *to = run->h8 + tile->slot * n_ff8 + tile->row / ENGINE_INT8_BLOCK;
    if (tile->n_slots == 1) {
        int8->quantize(g, tile->n_rows, to);
        return;
    }
    for (size_t i = 0; i < tile->n_rows / ENGINE_INT8_BLOCK; i++)
        int8->quantize_column(g + i * ENGINE_INT8_BLOCK, ld, tile->n_slots, to + i, n_ff8);
}

static void
hidden_task(void *data, size_t task, int worker)
{
    const moe_run *run = data;
    const engine_kernels *k = run->kernels;
    const expert_tile tile = find_tile(run, task, run->n_ff);
    const engine_tensor gate = expert_tensor(run, run->gate, tile.expert),
                        up = expert_tensor(run, run->up, tile.expert);
    engine_inputs inputs = {.x8 = run->x8,
                            .index = run->token + tile.slot,
                            .x = (run->gathered ? run->gathered : run->x) + tile.slot * run->n_embd,
                            .n_in = run->n_embd,
                            .n_tokens = tile.n_slots};
    const size_t ld = run->tile, n_each = tile.n_slots * ld;
    const size_t scratch_bytes =
        MAX(engine_multiply_scratch(k, &gate, ld), engine_multiply_scratch(k, &up, ld));
    float *g = engine_pool_scratch(run->pool, worker, 2 * n_each * sizeof *g + scratch_bytes);
    float *u = g + n_each, *scratch = u + n_each;
    const engine_moe_job *job = run->job;
    const size_t first_up = job->gate_up ? run->n_ff : 0;

    inputs.next = up.data + (first_up + tile.row) * engine_tensor_row_bytes(&up);
    engine_multiply_rows(k, &gate, tile.row, tile.n_rows, &inputs, scratch, g, ld);
    inputs.next = next_rows(run, run->gate, task, run->n_ff);
    engine_multiply_rows(k, &up, first_up + tile.row, tile.n_rows, &inputs, scratch, u, ld);
    for (size_t s = 0; s < tile.n_slots; s++) {
        if (job->gate_bias) k->add(g + s * ld, job->gate_bias + tile.row, tile.n_rows);
        if (job->up_bias) k->add(u + s * ld, job->up_bias + tile.row, tile.n_rows);
        k->silu_mul(g + s * ld, u + s * ld, tile.n_rows);
    }
    store_hidden(run, &tile, g, ld);
}

static void
down_task(void *data, size_t task, int worker)
{
    const moe_run *run = data;
    const engine_kernels *k = run->kernels;
    const expert_tile tile = find_tile(run, task, run->n_embd);
    const engine_tensor down = expert_tensor(run, run->job->down, tile.expert);
    const engine_inputs inputs = {
        .x8 = run->int8_down ? run->h8 + tile.slot * (run->n_ff / ENGINE_INT8_BLOCK) : NULL,
        .x = run->int8_down ? NULL : run->h + tile.slot * run->n_ff,
        .n_in = run->n_ff,
        .n_tokens = tile.n_slots,
        .next = next_rows(run, run->job->down, task, run->n_embd)};
    void *scratch =
        engine_pool_scratch(run->pool, worker, engine_multiply_scratch(k, &down, run->tile));

    engine_multiply_rows(k, &down, tile.row, tile.n_rows, &inputs, scratch,
                         run->out + tile.slot * run->n_embd + tile.row, run->n_embd);
}

static void
gather_task(void *data, size_t slot, int worker)
{
    const moe_run *run = data;
    (void)worker;
    memcpy(run->gathered + slot * run->n_embd, run->x + run->token[slot] * run->n_embd,
           run->n_embd * sizeof *run->x);
}

static void
sum_token(const moe_run *run, const float *weights, size_t t)
{
    const uint32_t k = run->job->n_used;

    if (!weights) {
        if (run->job->down_bias)
            run->kernels->add(run->out + t * run->n_embd, run->job->down_bias, run->n_embd);
        run->kernels->add(run->y + t * run->n_embd, run->out + t * run->n_embd, run->n_embd);
        return;
    }
    for (uint32_t j = 0; j < k; j++) {
        const uint32_t slot = run->slot[t * k + j];
        if (slot == NO_SLOT) continue;
        run->kernels->blend(run->y + t * run->n_embd, 1.0f, run->out + slot * run->n_embd,
                            weights[t * k + j], run->n_embd);
    }
}

typedef struct {
    const moe_run *run;
    const float *weights;
} sum_run;

static void
sum_task(void *data, size_t t, int worker)
{
    const sum_run *sum = data;
    (void)worker;
    sum_token(sum->run, sum->weights, t);
}

static void
run_tiles(moe_run *run, size_t n_out, size_t row_bytes, engine_pool_fn fn)
{
    const int n_threads = engine_pool_n_threads(run->pool);
    const size_t mean = run->n_slots / run->n_active, block = ENGINE_INT8_BLOCK;

    run->tile = engine_rows_per_task(n_out * run->n_active, row_bytes, mean, n_threads);
    run->tile = (run->tile + block - 1) / block * block; /* a task rounds its rows of h itself */
    run->tiles_per_expert = (n_out + run->tile - 1) / run->tile;
    engine_pool_run(run->pool, run->n_active * run->tiles_per_expert, fn, run);
}

/* The active experts, as many at a time as their source can hold. */
static gboolean
run_experts(moe_run *run, GError **error)
{
    const engine_moe_job *job = run->job;
    const engine_expert_source *source = job->source;
    const size_t n_all = run->n_active, most = source && source->most > 0 ? source->most : n_all;
    uint32_t *const all = run->active;

    for (size_t first = 0; first < n_all; first += most) {
        run->active = all + first;
        run->n_active = MIN(most, n_all - first);
        if (source && !source->acquire(source->ctx, job->layer, run->active, run->n_active, error))
            return FALSE;
        run_tiles(run, run->n_ff, 2 * engine_tensor_row_bytes(run->gate), hidden_task);
        run_tiles(run, run->n_embd, engine_tensor_row_bytes(job->down), down_task);
        if (source) source->release(source->ctx, job->layer);
    }
    return TRUE;
}

static gboolean
run_tokens(moe_run *run, const int32_t *chosen, const float *weights, GError **error)
{
    if (chosen) {
        assign_slots(run, chosen);
        if (run->n_slots == 0) return TRUE;
        sort_by_load(run);
    } else {
        assign_all(run);
    }
    if (run->int8_in)
        engine_round_rows(run->pool, run->kernels, run->x, run->n_tokens, run->n_embd, run->x8);
    if (run->gathered) engine_pool_run(run->pool, run->n_slots, gather_task, run);
    if (!run_experts(run, error)) return FALSE;
    sum_run sum = {run, weights};
    if (run->n_tokens >= 8)
        engine_pool_run(run->pool, run->n_tokens, sum_task, &sum);
    else
        for (size_t t = 0; t < run->n_tokens; t++)
            sum_token(run, weights, t);
    return TRUE;
}

static moe_run
begin_run(const engine_kernels *kernels, const engine_moe_job *job)
{
    const engine_tensor *gate = job->gate_up ? job->gate_up : job->gate;
    const engine_tensor *up = job->gate_up ? job->gate_up : job->up;
    const gboolean int8_gate = engine_uses_int8(kernels, gate->type),
                   int8_up = engine_uses_int8(kernels, up->type);

    return (moe_run){.kernels = kernels,
                     .job = job,
                     .n_embd = (size_t)job->down->dims[1],
                     .n_ff = (size_t)job->down->dims[0],
                     .gate = gate,
                     .up = up,
                     .int8_in = int8_gate || int8_up,
                     .float_in = !int8_gate || !int8_up,
                     .int8_down = engine_uses_int8(kernels, job->down->type)};
}

/* Tokens of one pass. */
static size_t
pass_tokens(moe_run *run, size_t n_tokens)
{
    return MIN(n_tokens, MAX(1, MAX_BYTES / carve(run, 1, NULL)));
}

size_t
engine_moe_bytes(const engine_kernels *kernels, const engine_moe_job *job, size_t n_tokens)
{
    moe_run run = begin_run(kernels, job);
    return carve(&run, pass_tokens(&run, n_tokens), NULL);
}

gboolean
engine_moe(engine_pool *pool, const engine_kernels *kernels, const engine_moe_job *job,
           const float *x, size_t n_tokens, float *y, GError **error)
{
    moe_run run = begin_run(kernels, job);
    gboolean ok = TRUE;

    g_assert(run.gate->dims[0] == run.n_embd &&
             run.gate->dims[1] == (job->gate_up ? 2 * run.n_ff : run.n_ff));
    g_assert(job->chosen ? job->n_used == 0 || job->weights != NULL
                         : job->n_experts == 1 && job->n_used == 1);
    if (n_tokens == 0 || job->n_used == 0) return TRUE;
    const size_t most = pass_tokens(&run, n_tokens);
    run.pool = pool;
    engine_pool_lock(pool);
    uint8_t *base = engine_pool_shared(pool, carve(&run, most, NULL));
    for (size_t t = 0; ok && t < n_tokens; t += most) {
        const size_t at = t * job->n_used;
        run.n_tokens = MIN(most, n_tokens - t);
        run.n_slots = run.n_tokens * job->n_used;
        run.x = x + t * run.n_embd;
        run.y = y + t * run.n_embd;
        carve(&run, run.n_tokens, base);
        ok = run_tokens(&run, job->chosen ? job->chosen + at : NULL,
                        job->chosen ? job->weights + at : NULL, error);
    }
    engine_pool_unlock(pool);
    return ok;
}

/* Causal grouped-query attention over the paged cache, in blocks of one page.
 *
 * For one query and one block b:  m_b = max s_p,  l_b = sum e^(s_p - m_b),  o_b = sum e^(s_p - m_b) v_p
 * with s_p = q.k_p * scale, and blocks join, in ascending order, by
 *     M = max(m, m_b);  o = o e^(m-M) + o_b e^(m_b-M);  l likewise;  result o / l.
 * Blocks are the pages, fixed positions of the sequence, and a query's sums inside one run in an order of their
 * own (kv_kernels.h). So a query's result is the same whether it comes alone, with others of its prompt or
 * beside other sequences, and whether one thread walks all its blocks or many take one each.
 *
 * Few rows (decoding, checking a draft): tasks are ranges of blocks with some or all KV heads, in the order in which
 * they lie in memory; each block's part is kept, and then each KV head's are joined (1,024 of them in a decoded token's
 * layer at a depth of 8,192 with eight KV heads of two queries: too many for one thread while others wait). Many rows
 * (prefill): a task is one KV head and as many tokens as the second cache level holds; it expands each block to floats
 * once and walks all of them. In both the queries of all heads that share a KV head go together.
 *
 * Source: Dao et al., FlashAttention, arXiv:2205.14135; Flash-Decoding's split over positions. */
#include "engine/kv_private.h"

#include <math.h>
#include <string.h>

#define SPLIT_ROWS  64 /* queries of a KV head up to which the blocks are split over tasks */
#define SPLIT_BYTES (128u << 10) /* that one such task should read */
#define SPLIT_TASKS 16           /* of which there should be so many, however short the sequence */
#define WALK_FLOATS 8192         /* of the queries of one walking task: 32 KiB */
#define FUSED_ROWS  8            /* up to here packed keys and values are used as they lie */
#define STEP        (4 * ENGINE_KV_TILE) /* positions expanded at once */

/* A span of few rows. */
typedef struct {
    const engine_kv_span *span;
    uint32_t n_blocks;
    float *parts; /* [n_kv_heads, n_blocks] parts */
} split;

typedef struct {
    const engine_kv_span *span;
    uint32_t head, n_heads;   /* KV heads; a walk has one */
    uint32_t token, n_tokens; /* token: of the span */
    uint32_t page, n_pages;
    const split *split; /* NULL: walk */
} item;

typedef struct {
    engine_kv *kv;
    engine_pool *pool;
    const engine_kernels *kernels;
    const engine_kv_kernels *inner;
    const engine_kv_type_kernels *keys, *values;
    gboolean int8; /* queries are rounded, see kv_kernels.h */
    const float *q;
    float *out, scale;
    uint32_t layer, n_heads, group;
    size_t dim_k, dim_v,
        wide_v; /* wide_v: dim_v up to a multiple of 16, a row of values in scratch */
    item *items;
} attention_run;

/* Results of some rows before the division: o [rows, wide_v], m [rows], l [rows]; l 0: saw nothing. */
typedef struct {
    float *out, *max, *sum;
} part;

static size_t
part_floats(const attention_run *run, size_t rows)
{
    return rows * (run->wide_v + 2);
}

static part
part_at(const attention_run *run, float *p, size_t rows)
{
    return (part){p, p + rows * run->wide_v, p + rows * (run->wide_v + 1)};
}

/* Scratch of one task. */
typedef struct {
    float *q, *scores, *k, *v;
    engine_int8_block *q8; /* when run->int8 */
    part block, all;
} task_scratch;

static task_scratch
carve_scratch(const attention_run *run, int worker, size_t rows)
{
    const size_t tile = ENGINE_KV_TILE;
    const size_t n_q = (rows * run->dim_k + tile - 1) / tile * tile, n_s = rows * ENGINE_KV_PAGE,
                 n_k = STEP * run->dim_k, n_v = STEP * run->wide_v, n_part = part_floats(run, rows),
                 n_q8 = run->int8 ? rows * (run->dim_k / ENGINE_INT8_BLOCK) : 0;
    const size_t n_floats = n_q + n_s + n_k + n_v + 2 * n_part;
    float *p = engine_pool_scratch(run->pool, worker,
                                   n_floats * sizeof(float) + n_q8 * sizeof(engine_int8_block));

    return (task_scratch){p,
                          p + n_q,
                          p + n_q + n_s,
                          p + n_q + n_s + n_k,
                          (engine_int8_block *)(void *)(p + n_floats),
                          part_at(run, p + n_q + n_s + n_k + n_v, rows),
                          part_at(run, p + n_q + n_s + n_k + n_v + n_part, rows)};
}

static void
gather_queries(const attention_run *run, const item *it, uint32_t head, const task_scratch *s)
{
    const size_t per_token = run->group * run->dim_k;
    float *q = s->q;

    for (uint32_t t = 0; t < it->n_tokens; t++) {
        const size_t row = (size_t)it->span->row + it->token + t;
        memcpy(q + t * per_token, run->q + (row * run->n_heads + head * run->group) * run->dim_k,
               per_token * sizeof *q);
    }
    if (engine_kv_rotates(run->kv))
        for (size_t r = 0; r < (size_t)it->n_tokens * run->group; r++)
            engine_kv_rotate(q + r * run->dim_k, run->dim_k);
    if (run->int8) run->kernels->int8->quantize(q, it->n_tokens * per_token, s->q8);
}

/* s [rows, PAGE] = q.k for the positions of `head`, whole tiles. */
static void
score_block(const attention_run *run, const uint8_t *head, size_t n_pos, size_t rows,
            const task_scratch *s)
{
    const size_t tile_bytes = run->kv->layout.tile_k, n_tiles = (n_pos + STEP - 1) / STEP * 4;
    const uint8_t *values = head + run->kv->layout.at_v;

    if (run->int8) {
        run->keys->scores_int8(head, tile_bytes, n_tiles, run->dim_k, s->q8, rows, values,
                               s->scores, ENGINE_KV_PAGE);
        return;
    }
    if (run->keys->scores && rows <= FUSED_ROWS) {
        run->keys->scores(head, tile_bytes, n_tiles, run->dim_k, s->q, rows, values, s->scores,
                          ENGINE_KV_PAGE);
        return;
    }
    for (size_t t = 0; t < n_tiles; t += 4) {
        for (size_t i = 0; i < 4; i++)
            run->keys->expand_tile(head + (t + i) * tile_bytes, run->dim_k,
                                   s->k + i * ENGINE_KV_TILE * run->dim_k);
        run->inner->f32.scores((const uint8_t *)s->k, ENGINE_KV_TILE * run->dim_k * sizeof(float),
                               4, run->dim_k, s->q, rows, NULL, s->scores + t * ENGINE_KV_TILE,
                               ENGINE_KV_PAGE);
    }
}

/* out [rows, wide_v] = s [rows, PAGE] times the values; next: what is read afterwards. */
static void
weigh_block(const attention_run *run, const uint8_t *values, size_t n_pos, size_t rows,
            const task_scratch *s, const uint8_t *next, float *out)
{
    const size_t row_bytes = run->kv->layout.row_v, wide = run->wide_v;

    memset(out, 0, rows * wide * sizeof *out);
    if (run->values->weigh && rows <= FUSED_ROWS && wide == run->dim_v) {
        run->values->weigh(values, row_bytes, n_pos, wide, s->scores, ENGINE_KV_PAGE, rows, next,
                           out, wide);
        return;
    }
    for (size_t base = 0; base < n_pos; base += STEP) {
        const size_t n = MIN(STEP, n_pos - base);
        for (size_t p = 0; p < n; p++) {
            run->values->expand_row(values + (base + p) * row_bytes, run->dim_v, s->v + p * wide);
            for (size_t d = run->dim_v; d < wide; d++)
                s->v[p * wide + d] = 0.0f;
        }
        run->inner->f32.weigh((const uint8_t *)s->v, wide * sizeof(float), n, wide,
                              s->scores + base, ENGINE_KV_PAGE, rows, NULL, out, wide);
    }
}

/* The keys that a thread reads after those of this block, if it takes the next task too; NULL: none. */
static const uint8_t *
next_keys(const attention_run *run, const item *it, uint32_t page, uint32_t head)
{
    const uint32_t n_blocks = it->split ? it->split->n_blocks : it->n_pages;
    const uint32_t end = it->head + it->n_heads;

    if (++head == end) {
        head = it->head;
        if (++page == it->page + it->n_pages &&
            it->split) { /* the task of the next heads, or pages */
            head = end % run->kv->shape.n_kv_heads;
            if (head > 0) page = it->page;
        }
    }
    return page < n_blocks ? engine_kv_head_at(run->kv, it->span->table, page, run->layer, head)
                           : NULL;
}

/* One block for the rows of s->q; row r stands at position at + r / group and sees positions up to its own. */
static void
attend_block(const attention_run *run, const item *it, uint32_t page, uint32_t kv_head, size_t rows,
             const task_scratch *s, part out)
{
    const uint8_t *head = engine_kv_head_at(run->kv, it->span->table, page, run->layer, kv_head);
    const size_t base = (size_t)page * ENGINE_KV_PAGE;
    const size_t at = (size_t)it->span->first + it->token, last = at + it->n_tokens - 1;
    const size_t n_pos = MIN(last + 1 - base, ENGINE_KV_PAGE);

    score_block(run, head, n_pos, rows, s);
    for (size_t r = 0; r < rows; r++) {
        const size_t position = at + r / run->group;
        const size_t seen = position < base ? 0 : MIN(position + 1 - base, n_pos);
        float *row = s->scores + r * ENGINE_KV_PAGE;
        out.sum[r] = 0.0f;
        if (seen == 0)
            memset(row, 0, n_pos * sizeof *row);
        else
            out.sum[r] = run->kernels->softmax_part(row, seen, n_pos, run->scale, &out.max[r]);
    }
    weigh_block(run, head + run->kv->layout.at_v, n_pos, rows, s, next_keys(run, it, page, kv_head),
                out.out);
}

/* Join row r of a block to row r of what is there (sum 0: nothing yet). */
static void
join_row(const attention_run *run, part all, part block, size_t r)
{
    float *out = all.out + r * run->wide_v;
    const float *take_out = block.out + r * run->wide_v;

    if (block.sum[r] == 0.0f) return;
    if (all.sum[r] == 0.0f) {
        memcpy(out, take_out, run->wide_v * sizeof *out);
        all.max[r] = block.max[r];
        all.sum[r] = block.sum[r];
        return;
    }
    const float top = MAX(all.max[r], block.max[r]);
    const float keep = expf(all.max[r] - top), take = expf(block.max[r] - top);
    run->kernels->blend(out, keep, take_out, take, run->wide_v);
    all.sum[r] = all.sum[r] * keep + block.sum[r] * take;
    all.max[r] = top;
}

static void
write_rows(const attention_run *run, const item *it, uint32_t head, size_t rows, part all)
{
    for (size_t r = 0; r < rows; r++) {
        const size_t row = (size_t)it->span->row + it->token + r / run->group;
        float *out =
            run->out + (row * run->n_heads + head * run->group + r % run->group) * run->dim_v;
        run->kernels->scale(all.out + r * run->wide_v, 1.0f / all.sum[r], run->wide_v);
        memcpy(out, all.out + r * run->wide_v, run->dim_v * sizeof *out);
    }
}

static void
walk(const attention_run *run, const item *it, int worker)
{
    const size_t rows = (size_t)it->n_tokens * run->group;
    const task_scratch s = carve_scratch(run, worker, rows);

    gather_queries(run, it, it->head, &s);
    memset(s.all.sum, 0, rows * sizeof(float));
    for (uint32_t page = 0; page < it->n_pages; page++) {
        attend_block(run, it, page, it->head, rows, &s, s.block);
        for (size_t r = 0; r < rows; r++)
            join_row(run, s.all, s.block, r);
    }
    write_rows(run, it, it->head, rows, s.all);
}

static void
attend_range(const attention_run *run, const item *it, int worker)
{
    const size_t rows = (size_t)it->n_tokens * run->group, n_part = part_floats(run, rows);
    const task_scratch s = carve_scratch(run, worker, rows);

    for (uint32_t page = it->page; page < it->page + it->n_pages; page++) {
        for (uint32_t head = it->head; head < it->head + it->n_heads; head++) {
            float *to = it->split->parts + ((size_t)head * it->split->n_blocks + page) * n_part;
            gather_queries(run, it, head, &s);
            attend_block(run, it, page, head, rows, &s, part_at(run, to, rows));
        }
    }
}

static void
attention_task(void *data, size_t task, int worker)
{
    const attention_run *run = data;
    const item *it = &run->items[task];

    if (it->split)
        attend_range(run, it, worker);
    else
        walk(run, it, worker);
}

/* All blocks of a head are there. */
static void
join_task(void *data, size_t task, int worker)
{
    const attention_run *run = data;
    const item *it = &run->items[task];
    const size_t rows = (size_t)it->n_tokens * run->group, n_part = part_floats(run, rows);
    const task_scratch s = carve_scratch(run, worker, rows);
    float *parts = it->split->parts + (size_t)it->head * it->split->n_blocks * n_part;

    memset(s.all.sum, 0, rows * sizeof(float));
    for (uint32_t i = 0; i < it->split->n_blocks; i++, parts += n_part)
        for (size_t r = 0; r < rows; r++)
            join_row(run, s.all, part_at(run, parts, rows), r);
    write_rows(run, it, it->head, rows, s.all);
}

static uint32_t
blocks_of(const engine_kv_span *span, uint32_t n_tokens)
{
    return (span->first + n_tokens - 1) / ENGINE_KV_PAGE + 1;
}

static gboolean
is_split(const attention_run *run, const engine_kv_span *span)
{
    return span->n * run->group <= SPLIT_ROWS && blocks_of(span, span->n) > 1;
}

/* Tokens of one walking task. */
static uint32_t
walk_tokens(const attention_run *run)
{
    return (uint32_t)MAX(WALK_FLOATS / (run->dim_k * run->group), 1);
}

/* How a span of few rows is cut: blocks and heads of one task. */
static void
cut_split(const attention_run *run, uint32_t n_blocks, uint32_t *n_pages, uint32_t *n_heads)
{
    const uint32_t all = run->kv->shape.n_kv_heads;
    const size_t layer_bytes = run->kv->layout.layer;

    *n_pages = (uint32_t)MIN(MAX(SPLIT_BYTES / layer_bytes, 1), MAX(n_blocks / SPLIT_TASKS, 1));
    *n_heads = n_blocks >= SPLIT_TASKS ? all : MAX(all * n_blocks / SPLIT_TASKS, 1);
}

static size_t
count_split(const attention_run *run, uint32_t n_blocks)
{
    uint32_t n_pages, n_heads;

    cut_split(run, n_blocks, &n_pages, &n_heads);
    return (size_t)((n_blocks + n_pages - 1) / n_pages) *
           ((run->kv->shape.n_kv_heads + n_heads - 1) / n_heads);
}

/* Room for the tasks, splits and parts of this call; kept by the cache, so that decoding asks the system for
 * memory only as the longest sequence grows. FALSE when the parts do not fit: then everything walks. */
static gboolean
make_room(attention_run *run, const engine_kv_span *spans, size_t n_spans, split **splits)
{
    engine_kv *kv = run->kv;
    const size_t n_heads = kv->shape.n_kv_heads;
    size_t n = 0, n_floats = 0;

    for (size_t s = 0; s < n_spans; s++) {
        const uint32_t n_blocks = blocks_of(&spans[s], spans[s].n);
        n += MAX(MAX(count_split(run, n_blocks), n_heads),
                 n_heads * ((spans[s].n + walk_tokens(run) - 1) / walk_tokens(run)));
        if (is_split(run, &spans[s]))
            n_floats += n_heads * n_blocks * part_floats(run, spans[s].n * run->group);
    }
    const size_t items_bytes = n * sizeof(item) + n_spans * sizeof(split);
    if (items_bytes > kv->items_bytes) {
        g_free(kv->items);
        kv->items_bytes = items_bytes + items_bytes / 2;
        kv->items = g_malloc(kv->items_bytes);
    }
    run->items = kv->items;
    *splits = (split *)(void *)((char *)kv->items + n * sizeof(item));
    if (n_floats * sizeof(float) > kv->parts_bytes) {
        g_free(kv->parts);
        kv->parts_bytes = n_floats * sizeof(float) + n_floats * sizeof(float) / 2;
        kv->parts = g_try_malloc(kv->parts_bytes);
        if (!kv->parts) kv->parts_bytes = 0;
    }
    return n_floats * sizeof(float) <= kv->parts_bytes;
}

static size_t
add_split(attention_run *run, const engine_kv_span *span, split *to, float *parts, size_t n_items)
{
    const uint32_t n_blocks = blocks_of(span, span->n), all = run->kv->shape.n_kv_heads;
    uint32_t n_pages, n_heads;

    cut_split(run, n_blocks, &n_pages, &n_heads);
    *to = (split){span, n_blocks, parts};
    for (uint32_t page = 0; page < n_blocks; page += n_pages)
        for (uint32_t head = 0; head < all; head += n_heads)
            run->items[n_items++] = (item){.span = span,
                                           .head = head,
                                           .n_heads = MIN(n_heads, all - head),
                                           .n_tokens = span->n,
                                           .page = page,
                                           .n_pages = MIN(n_pages, n_blocks - page),
                                           .split = to};
    return n_items;
}

/* In place of the tasks that have been done. */
static size_t
add_joins(const attention_run *run, const split *joined, size_t n_items)
{
    for (uint32_t head = 0; head < run->kv->shape.n_kv_heads; head++)
        run->items[n_items++] = (item){.span = joined->span,
                                       .head = head,
                                       .n_heads = 1,
                                       .n_tokens = joined->span->n,
                                       .split = joined};
    return n_items;
}

/* The last tokens see the most: they start, so that no long task is left for the end. */
static size_t
add_walks(attention_run *run, const engine_kv_span *span, size_t n_items)
{
    const uint32_t per_task = walk_tokens(run), n_tasks = (span->n + per_task - 1) / per_task;

    for (uint32_t i = n_tasks; i-- > 0;) {
        const uint32_t token = i * per_task, n_tokens = MIN(per_task, span->n - token);
        for (uint32_t head = 0; head < run->kv->shape.n_kv_heads; head++)
            run->items[n_items++] = (item){.span = span,
                                           .head = head,
                                           .n_heads = 1,
                                           .token = token,
                                           .n_tokens = n_tokens,
                                           .n_pages = blocks_of(span, token + n_tokens)};
    }
    return n_items;
}

static attention_run
begin_run(engine_kv *kv, engine_pool *pool, const engine_kernels *kernels, uint32_t layer,
          const float *q, uint32_t n_heads, float scale, float *out)
{
    const engine_kv_shape *shape = &kv->shape;
    const engine_kv_kernels *inner = engine_kv_kernels_lookup(kernels->cpu);
    const engine_kv_type_kernels *keys = engine_kv_kernels_of(inner, shape->type_k);

    g_assert(layer < shape->n_layers && n_heads % shape->n_kv_heads == 0);
    return (attention_run){.kv = kv,
                           .pool = pool,
                           .kernels = kernels,
                           .inner = inner,
                           .keys = keys,
                           .int8 = keys->scores_int8 && kernels->int8 &&
                                   shape->dim_k <= ENGINE_KV_INT8_DIM,
                           .values = engine_kv_kernels_of(inner, shape->type_v),
                           .q = q,
                           .out = out,
                           .scale = scale,
                           .layer = layer,
                           .n_heads = n_heads,
                           .group = n_heads / shape->n_kv_heads,
                           .dim_k = shape->dim_k,
                           .dim_v = shape->dim_v,
                           .wide_v = (shape->dim_v + 15u) / 16u * 16u};
}

void
engine_kv_attention(engine_kv *kv, engine_pool *pool, const engine_kernels *kernels, uint32_t layer,
                    const engine_kv_span *spans, size_t n_spans, const float *q, uint32_t n_heads,
                    float scale, float *out)
{
    attention_run run = begin_run(kv, pool, kernels, layer, q, n_heads, scale, out);
    split *splits;
    size_t n_items = 0;

    engine_pool_lock(pool); /* the scratch and the cache's room are this call's */
    const gboolean roomy = make_room(&run, spans, n_spans, &splits);
    const split *const first = splits;
    float *parts = kv->parts;
    for (size_t s = 0; s < n_spans; s++) {
        if (!roomy || !is_split(&run, &spans[s])) {
            n_items = add_walks(&run, &spans[s], n_items);
            continue;
        }
        n_items = add_split(&run, &spans[s], splits++, parts, n_items);
        parts += (size_t)kv->shape.n_kv_heads * blocks_of(&spans[s], spans[s].n) *
                 part_floats(&run, (size_t)spans[s].n * run.group);
    }
    engine_pool_run(pool, n_items, attention_task, &run);
    n_items = 0;
    for (const split *joined = first; joined < splits; joined++)
        n_items = add_joins(&run, joined, n_items);
    engine_pool_run(pool, n_items, join_task, &run);
    engine_pool_unlock(pool);
}

typedef struct {
    const attention_run *run;
    const engine_kv_span *spans;
    size_t n_spans;
    const float *k, *v;
    engine_kv_make_fn make;
    void *data;
    gboolean walks; /* attention is part of the task */
} attend_run;

static void
attend_task(void *data, size_t head, int worker)
{
    const attend_run *attend = data;
    const attention_run *run = attend->run;

    attend->make(attend->data, (uint32_t)head);
    engine_kv_store_head(run->kv, run->inner, run->layer, attend->spans, attend->n_spans, attend->k,
                         attend->v, (uint32_t)head);
    for (size_t s = 0; attend->walks && s < attend->n_spans; s++) {
        const engine_kv_span *span = &attend->spans[s];
        const item it = {.span = span,
                         .head = (uint32_t)head,
                         .n_heads = 1,
                         .n_tokens = span->n,
                         .n_pages = blocks_of(span, span->n)};
        walk(run, &it, worker);
    }
}

void
engine_kv_attend(engine_kv *kv, engine_pool *pool, const engine_kernels *kernels, uint32_t layer,
                 const engine_kv_span *spans, size_t n_spans, engine_kv_make_fn make, void *data,
                 const float *q, const float *k, const float *v, uint32_t n_heads, float scale,
                 float *out)
{
    const attention_run run = begin_run(kv, pool, kernels, layer, q, n_heads, scale, out);
    attend_run attend = {&run, spans, n_spans, k, v, make, data, TRUE};

    for (size_t s = 0; s < n_spans; s++) {
        engine_kv_check_span(&spans[s]);
        if (is_split(&run, &spans[s])) attend.walks = FALSE;
    }
    engine_pool_run(pool, kv->shape.n_kv_heads, attend_task, &attend);
    if (!attend.walks)
        engine_kv_attention(kv, pool, kernels, layer, spans, n_spans, q, n_heads, scale, out);
}

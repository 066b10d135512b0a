/* The paged KV cache and the attention over it: against plain sums in double precision, and what must not matter:
 * pages, chunks, neighbours, threads, sharing. */
#include "engine/kv.h"

#include "engine/kernels.h"
#include "engine/kv_kernels.h"
#include "engine/pool.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { N_LAYERS = 2, N_KV = 2, GROUP = 3, N_HEADS = N_KV * GROUP, N_PAGES = 12 };

static const engine_type TYPES[] = {ENGINE_TYPE_F32, ENGINE_TYPE_F16, ENGINE_TYPE_Q8_0,
                                    ENGINE_TYPE_Q4_0};

/* Rows of a made-up sequence `seed`: q, k and v of every layer, position by position. */
typedef struct {
    size_t n, dim_k, dim_v;
    float *q, *k, *v; /* [N_LAYERS][n][heads * dim] */
} sequence_rows;

static float
noise(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return ((float)(*state >> 8) / 8388608.0f - 1.0f);
}

static float *
noise_rows(size_t n, uint32_t *state)
{
    float *rows = g_new(float, n);
    for (size_t i = 0; i < n; i++)
        rows[i] = noise(state);
    return rows;
}

static sequence_rows
make_rows(size_t n, size_t dim_k, size_t dim_v, uint32_t seed)
{
    return (sequence_rows){n,
                           dim_k,
                           dim_v,
                           noise_rows(N_LAYERS * n * N_HEADS * dim_k, &seed),
                           noise_rows(N_LAYERS * n * N_KV * dim_k, &seed),
                           noise_rows(N_LAYERS * n * N_KV * dim_v, &seed)};
}

static void
free_rows(sequence_rows *rows)
{
    g_free(rows->q);
    g_free(rows->k);
    g_free(rows->v);
}

static engine_kv *
make_cache(engine_type type, size_t dim_k, size_t dim_v, uint32_t n_pages)
{
    const engine_kv_shape shape = {N_LAYERS, N_KV, (uint32_t)dim_k, (uint32_t)dim_v, type, type};
    g_autoptr(GError) error = NULL;
    engine_kv *kv = engine_kv_new(&shape, n_pages, &error);
    if (!kv) fail_msg("%s", error->message);
    return kv;
}

typedef struct {
    engine_kv *kv;
    engine_pool *pool;
    const engine_kernels *kernels;
} machine;

/* Run positions first .. first+n-1 of the given sequences in one pass; out[s] [N_LAYERS][rows->n][N_HEADS * dim_v]
 * gets their results in place. */
static void
run_pass(const machine *m, const sequence_rows *rows, engine_kv_table *tables, size_t n_sequences,
         const uint32_t *first, const uint32_t *n, float *const *out)
{
    const size_t dim_k = rows->dim_k, dim_v = rows->dim_v;
    g_autofree engine_kv_span *spans = g_new0(engine_kv_span, n_sequences);
    uint32_t total = 0;

    for (size_t s = 0; s < n_sequences; s++) {
        g_autoptr(GError) error = NULL;
        if (!engine_kv_reserve(m->kv, &tables[s], first[s] + n[s], &error))
            fail_msg("%s", error->message);
        spans[s] = (engine_kv_span){&tables[s], total, n[s], first[s]};
        total += n[s];
    }
    g_autofree float *q = g_new(float, total *N_HEADS *dim_k),
                     *k = g_new(float, total *N_KV *dim_k), *v = g_new(float, total *N_KV *dim_v),
                     *result = g_new(float, total *N_HEADS *dim_v);
    for (uint32_t layer = 0; layer < N_LAYERS; layer++) {
        for (size_t s = 0; s < n_sequences; s++) {
            const size_t at = layer * rows[s].n + first[s], to = spans[s].row;
            memcpy(q + to * N_HEADS * dim_k, rows[s].q + at * N_HEADS * dim_k,
                   n[s] * N_HEADS * dim_k * sizeof *q);
            memcpy(k + to * N_KV * dim_k, rows[s].k + at * N_KV * dim_k,
                   n[s] * N_KV * dim_k * sizeof *k);
            memcpy(v + to * N_KV * dim_v, rows[s].v + at * N_KV * dim_v,
                   n[s] * N_KV * dim_v * sizeof *v);
        }
        engine_kv_store(m->kv, m->pool, m->kernels, layer, spans, n_sequences, k, v);
        engine_kv_attention(m->kv, m->pool, m->kernels, layer, spans, n_sequences, q, N_HEADS,
                            0.35f, result);
        for (size_t s = 0; s < n_sequences; s++)
            memcpy(out[s] + (layer * rows[s].n + first[s]) * N_HEADS * dim_v,
                   result + spans[s].row * N_HEADS * dim_v,
                   n[s] * N_HEADS * dim_v * sizeof *result);
    }
    for (size_t s = 0; s < n_sequences; s++)
        tables[s].n_tokens = first[s] + n[s];
}

static size_t
out_floats(const sequence_rows *rows)
{
    return N_LAYERS * rows->n * N_HEADS * rows->dim_v;
}

/* One sequence in steps. */
static float *
run_alone(const machine *m, const sequence_rows *rows, engine_kv_table *table, uint32_t step)
{
    float *out = g_new0(float, out_floats(rows));
    for (uint32_t first = 0; first < rows->n; first += step) {
        const uint32_t n = (uint32_t)MIN(step, rows->n - first);
        run_pass(m, rows, table, 1, &first, &n, &out);
    }
    return out;
}

/* Plain attention of the unrounded rows, in double. */
static float *
run_plainly(const sequence_rows *rows)
{
    const size_t dk = rows->dim_k, dv = rows->dim_v;
    float *out = g_new0(float, out_floats(rows));
    g_autofree double *weights = g_new(double, rows->n), *sums = g_new(double, dv);

    for (size_t i = 0; i < N_LAYERS * rows->n * N_HEADS; i++) {
        const size_t head = i % N_HEADS, position = i / N_HEADS % rows->n,
                     layer = i / N_HEADS / rows->n;
        double most = -1e300, total = 0;
        for (size_t p = 0; p <= position; p++) {
            const float *k = rows->k + ((layer * rows->n + p) * N_KV + head / GROUP) * dk;
            weights[p] = 0;
            for (size_t d = 0; d < dk; d++)
                weights[p] += (double)rows->q[i * dk + d] * (double)k[d];
            weights[p] *= 0.35;
            most = MAX(most, weights[p]);
        }
        memset(sums, 0, dv * sizeof *sums);
        for (size_t p = 0; p <= position; p++) {
            const float *v = rows->v + ((layer * rows->n + p) * N_KV + head / GROUP) * dv;
            const double w = exp(weights[p] - most);
            total += w;
            for (size_t d = 0; d < dv; d++)
                sums[d] += w * (double)v[d];
        }
        for (size_t d = 0; d < dv; d++)
            out[i * dv + d] = (float)(sums[d] / total);
    }
    return out;
}

static double
relative_error(const float *a, const float *b, size_t n)
{
    double difference = 0, size = 0;
    for (size_t i = 0; i < n; i++) {
        difference += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        size += (double)b[i] * (double)b[i];
    }
    return sqrt(difference / size);
}

static machine
new_machine(engine_type type, size_t dim_k, size_t dim_v, int threads, engine_cpu cpu)
{
    return (machine){make_cache(type, dim_k, dim_v, N_PAGES), engine_pool_new(threads),
                     engine_kernels_lookup(cpu)};
}

static void
free_machine(machine *m)
{
    engine_kv_free(m->kv);
    engine_pool_free(m->pool);
}

static void
attention_over_pages_is_plain_attention(void **state)
{
    (void)state;
    static const size_t dims[][2] = {{64, 64}, {32, 96}, {20, 12}};
    static const double bars[] = {3e-6, 1e-3, 1.2e-2, 0.16};

    for (int cpu = ENGINE_CPU_SCALAR; cpu <= (int)engine_cpu_best(); cpu++) {
        for (size_t d = 0; d < G_N_ELEMENTS(dims); d++) {
            sequence_rows rows = make_rows(300, dims[d][0], dims[d][1], 1 + (uint32_t)d);
            g_autofree float *plain = run_plainly(&rows);
            for (size_t t = 0; t < G_N_ELEMENTS(TYPES); t++) {
                if (t >= 2 && (dims[d][0] % 32 || dims[d][1] % 32)) continue;
                machine m = new_machine(TYPES[t], dims[d][0], dims[d][1], 2, (engine_cpu)cpu);
                engine_kv_table table = {0};
                g_autofree float *out = run_alone(&m, &rows, &table, 300);
                const double error = relative_error(out, plain, out_floats(&rows));
                print_message("%s, %s, %zu x %zu: relative error %.2g\n",
                              engine_cpu_name((engine_cpu)cpu), engine_type_lookup(TYPES[t])->name,
                              dims[d][0], dims[d][1], error);
                assert_true(error < bars[t]);
                engine_kv_clear(m.kv, &table);
                free_machine(&m);
            }
            free_rows(&rows);
        }
    }
}

static void
chunks_neighbours_and_threads_change_no_bit(void **state)
{
    (void)state;
    enum { N = 3 };
    static const uint32_t steps[] = {1, 5, 37, 128, 300};

    for (size_t t = 0; t < G_N_ELEMENTS(TYPES); t++) {
        sequence_rows rows[N];
        float *expected[N];
        for (uint32_t s = 0; s < N; s++) {
            machine m = new_machine(TYPES[t], 64, 32, 1, engine_cpu_best());
            engine_kv_table table = {0};
            rows[s] = make_rows(290 - 60 * s, 64, 32, 7 + s);
            expected[s] = run_alone(&m, &rows[s], &table, 290);
            engine_kv_clear(m.kv, &table);
            free_machine(&m);
        }
        for (size_t i = 0; i < G_N_ELEMENTS(steps); i++) {
            /* all three together, each in steps of its own */
            machine m = new_machine(TYPES[t], 64, 32, 1 + (int)i % 3, engine_cpu_best());
            engine_kv_table tables[N] = {0};
            float *out[N];
            uint32_t first[N] = {0}, n[N];
            for (size_t s = 0; s < N; s++)
                out[s] = g_new0(float, out_floats(&rows[s]));
            for (gboolean more = TRUE; more;) {
                more = FALSE;
                for (uint32_t s = 0; s < N; s++) {
                    n[s] = (uint32_t)MIN(steps[i] + s, rows[s].n - first[s]);
                    if (n[s] == 0) { /* done: its last row once more */
                        first[s]--;
                        n[s] = 1;
                    }
                }
                run_pass(&m, rows, tables, N, first, n, out);
                for (size_t s = 0; s < N; s++) {
                    first[s] += n[s];
                    more = more || first[s] < rows[s].n;
                }
            }
            for (size_t s = 0; s < N; s++) {
                if (memcmp(out[s], expected[s], out_floats(&rows[s]) * sizeof(float)) != 0)
                    fail_msg("%s, steps of %u: sequence %zu differs",
                             engine_type_lookup(TYPES[t])->name, steps[i], s);
                g_free(out[s]);
                engine_kv_clear(m.kv, &tables[s]);
            }
            assert_int_equal(engine_kv_n_free(m.kv), N_PAGES);
            free_machine(&m);
        }
        for (size_t s = 0; s < N; s++) {
            free_rows(&rows[s]);
            g_free(expected[s]);
        }
    }
}

/* The dim loops of the fused kernels and of the expanding ones must agree to the bit. */
static void
packed_and_expanded_input_give_the_same_bytes(void **state)
{
    (void)state;
    enum { DIM = 96, TILES = 8, POS = TILES * ENGINE_KV_TILE, MOST = 14 };

    for (int cpu = ENGINE_CPU_AVX2; cpu <= (int)engine_cpu_best(); cpu++) {
        const engine_kv_kernels *table = engine_kv_kernels_lookup((engine_cpu)cpu);
        for (size_t t = 1; t < G_N_ELEMENTS(TYPES); t++) {
            const engine_kv_type_kernels *packed = engine_kv_kernels_of(table, TYPES[t]);
            const size_t row_bytes = DIM / engine_type_lookup(TYPES[t])->block_elems *
                                     engine_type_lookup(TYPES[t])->block_bytes;
            g_autofree uint8_t *bytes = g_malloc(row_bytes * POS);
            g_autofree float *wide = g_new(float, DIM *POS), *a = g_new0(float, MOST *POS),
                             *b = g_new0(float, MOST *POS);
            uint32_t seed = 5;
            g_autofree float *q = noise_rows(MOST * POS, &seed);
            for (size_t i = 0; i < row_bytes * POS;
                 i++) /* no half with the exponent of an infinity */
                bytes[i] = (uint8_t)((i * 37 + i / 7) & 0x3b);
            for (size_t n_q = 1; n_q <= MOST; n_q++) {
                for (size_t i = 0; i < TILES; i++)
                    packed->expand_tile(bytes + i * row_bytes * ENGINE_KV_TILE, DIM,
                                        wide + i * ENGINE_KV_TILE * DIM);
                packed->scores(bytes, row_bytes * ENGINE_KV_TILE, TILES, DIM, q, n_q, NULL, a, POS);
                table->f32.scores((uint8_t *)wide, DIM * ENGINE_KV_TILE * sizeof(float), TILES, DIM,
                                  q, n_q, NULL, b, POS);
                assert_memory_equal(a, b, n_q * POS * sizeof(float));
                for (size_t i = 0; i < POS; i++)
                    packed->expand_row(bytes + i * row_bytes, DIM, wide + i * DIM);
                memset(a, 0, MOST * DIM * sizeof *a);
                memset(b, 0, MOST * DIM * sizeof *b);
                packed->weigh(bytes, row_bytes, POS - 3, DIM, q, POS, n_q, NULL, a, DIM);
                table->f32.weigh((uint8_t *)wide, DIM * sizeof(float), POS - 3, DIM, q, POS, n_q,
                                 NULL, b, DIM);
                assert_memory_equal(a, b, n_q * DIM * sizeof(float));
            }
        }
    }
}

/* Every level gives the scalar table's bits, whatever the number of queries, and near the product of floats. */
static void
scores_of_rounded_queries_are_the_same_everywhere(void **state)
{
    (void)state;
    enum { DIM = 96, TILES = 4, POS = TILES * ENGINE_KV_TILE, MOST = 15, BLOCKS = DIM / 32 };
    const engine_kv_type_kernels *ref =
        engine_kv_kernels_of(&engine_kv_kernels_ref, ENGINE_TYPE_Q8_0);
    const size_t tile_bytes = (size_t)34 * BLOCKS * ENGINE_KV_TILE;
    g_autofree uint8_t *keys = g_malloc(tile_bytes * TILES);
    g_autofree float *wide = g_new(float, DIM *POS), *expected = g_new(float, MOST *POS),
                     *exact = g_new(float, MOST *POS), *found = g_new(float, MOST *POS);
    engine_int8_block q8[MOST * BLOCKS];
    uint32_t seed = 9;
    g_autofree float *q = noise_rows(MOST * DIM, &seed);

    for (size_t i = 0; i < tile_bytes * TILES; i++)
        keys[i] = (uint8_t)(noise(&seed) * 127.0f);
    for (size_t i = 0; i < (size_t)TILES * BLOCKS; i++) { /* -128 is never stored, but harmless */
        for (size_t p = 0; p < ENGINE_KV_TILE; p++) {
            const uint16_t half = engine_half_from_float(0.01f + 0.001f * (float)(p + i));
            memcpy(keys + i * 34 * ENGINE_KV_TILE + 2 * p, &half, 2);
        }
        keys[i * 34 * ENGINE_KV_TILE + 40] = 0x80;
    }
    engine_kernels_lookup(ENGINE_CPU_SCALAR)->int8->quantize(q, MOST * DIM, q8);
    ref->scores_int8(keys, tile_bytes, TILES, DIM, q8, MOST, NULL, expected, POS);
    for (size_t i = 0; i < TILES; i++)
        ref->expand_tile(keys + i * tile_bytes, DIM, wide + i * ENGINE_KV_TILE * DIM);
    engine_kv_kernels_ref.f32.scores((uint8_t *)wide, DIM * ENGINE_KV_TILE * sizeof(float), TILES,
                                     DIM, q, MOST, NULL, exact, POS);
    for (size_t i = 0; i < MOST * POS; i++)
        assert_true(fabsf(expected[i] - exact[i]) < 0.4f && isfinite(expected[i]));
    for (int cpu = ENGINE_CPU_SCALAR; cpu <= (int)engine_cpu_best(); cpu++) {
        const engine_kv_type_kernels *k =
            engine_kv_kernels_of(engine_kv_kernels_lookup((engine_cpu)cpu), ENGINE_TYPE_Q8_0);
        for (size_t n_q = 1; n_q <= MOST; n_q++) {
            memset(found, 0, MOST * POS * sizeof *found);
            k->scores_int8(keys, tile_bytes, TILES, DIM, q8, n_q, NULL, found, POS);
            assert_memory_equal(found, expected, n_q * POS * sizeof *found);
        }
    }
}

static void
a_fork_shares_pages_until_it_writes(void **state)
{
    (void)state;
    machine m = new_machine(ENGINE_TYPE_F16, 32, 32, 2, engine_cpu_best());
    sequence_rows rows = make_rows(200, 32, 32, 3), other = make_rows(200, 32, 32, 4);
    engine_kv_table a = {0}, b = {0};
    g_autofree float *alone = run_alone(&m, &rows, &a, 200);
    g_autofree float *expected = NULL;
    uint32_t first = 150, n = 50;

    /* the other sequence has the same first 150 rows */
    for (uint32_t layer = 0; layer < N_LAYERS; layer++) {
        memcpy(other.k + layer * 200 * N_KV * 32, rows.k + layer * 200 * N_KV * 32,
               (size_t)150 * N_KV * 32 * sizeof(float));
        memcpy(other.v + layer * 200 * N_KV * 32, rows.v + layer * 200 * N_KV * 32,
               (size_t)150 * N_KV * 32 * sizeof(float));
        memcpy(other.q + layer * 200 * N_HEADS * 32, rows.q + layer * 200 * N_HEADS * 32,
               (size_t)150 * N_HEADS * 32 * sizeof(float));
    }
    engine_kv_share(m.kv, &b, &a, 150);
    assert_int_equal(engine_kv_n_free(m.kv), N_PAGES - 2);
    float *out = g_new0(float, out_floats(&other));
    run_pass(&m, &other, &b, 1, &first, &n, &out);
    assert_int_equal(engine_kv_n_free(m.kv), N_PAGES - 3); /* the second page was copied */
    assert_int_equal(a.pages[0], b.pages[0]);
    assert_int_not_equal(a.pages[1], b.pages[1]);
    engine_kv_table c = {0};
    expected = run_alone(&m, &other, &c, 64);
    for (uint32_t layer = 0; layer < N_LAYERS; layer++) {
        const size_t at = (layer * 200 + 150) * N_HEADS * 32;
        assert_memory_equal(out + at, expected + at, (size_t)50 * N_HEADS * 32 * sizeof(float));
    }
    /* and the first one reads its own rows still */
    float *again = g_new0(float, out_floats(&rows));
    first = 199, n = 1;
    run_pass(&m, &rows, &a, 1, &first, &n, &again);
    const size_t last = 199 * N_HEADS * 32;
    assert_memory_equal(again + last, alone + last, N_HEADS * 32 * sizeof(float));
    g_free(out);
    g_free(again);
    engine_kv_clear(m.kv, &a);
    engine_kv_clear(m.kv, &b);
    engine_kv_clear(m.kv, &c);
    assert_int_equal(engine_kv_n_free(m.kv), N_PAGES);
    free_machine(&m);
    free_rows(&rows);
    free_rows(&other);
}

static void
a_full_cache_refuses_and_keeps_the_table(void **state)
{
    (void)state;
    engine_kv *kv = make_cache(ENGINE_TYPE_F16, 32, 32, 3);
    engine_kv_table a = {0}, b = {0};
    g_autoptr(GError) error = NULL;

    assert_true(engine_kv_reserve(kv, &a, 2 * ENGINE_KV_PAGE, NULL));
    a.n_tokens = 2 * ENGINE_KV_PAGE - 5;
    assert_false(engine_kv_reserve(kv, &b, ENGINE_KV_PAGE + 1, &error));
    assert_true(g_error_matches(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT));
    assert_int_equal(b.n_pages, 0);
    assert_int_equal(engine_kv_n_free(kv), 1);
    engine_kv_share(kv, &b, &a, ENGINE_KV_PAGE + 7);
    g_clear_error(&error);
    assert_false(
        engine_kv_reserve(kv, &b, 2 * ENGINE_KV_PAGE + 1, &error)); /* a copy and a new page */
    assert_non_null(error);
    assert_int_equal(b.n_pages, 2);
    assert_int_equal(b.pages[1], a.pages[1]);
    assert_true(engine_kv_reserve(kv, &b, 2 * ENGINE_KV_PAGE, NULL));
    assert_int_not_equal(b.pages[1], a.pages[1]);
    engine_kv_truncate(kv, &b, ENGINE_KV_PAGE);
    assert_int_equal(b.n_pages, 1);
    assert_int_equal(engine_kv_n_free(kv), 1);
    engine_kv_clear(kv, &a);
    engine_kv_clear(kv, &b);
    assert_int_equal(engine_kv_n_free(kv), 3);
    engine_kv_free(kv);
}

static void
pages_as_bytes_carry_the_rows(void **state)
{
    (void)state;
    machine m = new_machine(ENGINE_TYPE_Q8_0, 32, 32, 2, engine_cpu_best());
    sequence_rows rows = make_rows(140, 32, 32, 9);
    engine_kv_table a = {0}, b = {0};
    g_autofree float *alone = run_alone(&m, &rows, &a, 140);
    g_autofree uint8_t *bytes = g_malloc(engine_kv_page_bytes(engine_kv_get_shape(m.kv)));

    assert_true(engine_kv_reserve(m.kv, &b, 139, NULL));
    for (uint32_t page = 0; page < 2; page++) {
        engine_kv_page_read(m.kv, &a, page, bytes);
        engine_kv_page_write(m.kv, &b, page, bytes);
    }
    float *out = g_new0(float, out_floats(&rows));
    const uint32_t first = 139, n = 1;
    run_pass(&m, &rows, &b, 1, &first, &n, &out);
    const size_t last = 139 * N_HEADS * 32;
    assert_memory_equal(out + last, alone + last, N_HEADS * 32 * sizeof(float));
    g_free(out);
    engine_kv_clear(m.kv, &a);
    engine_kv_clear(m.kv, &b);
    free_machine(&m);
    free_rows(&rows);
}

static void
impossible_shapes_are_refused(void **state)
{
    (void)state;
    static const engine_kv_shape shapes[] = {
        {1, 1, 33, 32, ENGINE_TYPE_Q8_0, ENGINE_TYPE_F16},
        {1, 1, 32, 32, ENGINE_TYPE_Q4_K, ENGINE_TYPE_F16},
        {0, 1, 32, 32, ENGINE_TYPE_F16, ENGINE_TYPE_F16},
        {1, 1, 0, 32, ENGINE_TYPE_F16, ENGINE_TYPE_F16},
        {UINT32_MAX, UINT32_MAX, 65536, 65536, ENGINE_TYPE_F32, ENGINE_TYPE_F32},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(shapes); i++) {
        g_autoptr(GError) error = NULL;
        assert_int_equal(engine_kv_page_bytes(&shapes[i]), 0);
        assert_null(engine_kv_new(&shapes[i], 1, &error));
        assert_true(g_error_matches(error, ENGINE_ERROR, ENGINE_ERROR_UNSUPPORTED));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attention_over_pages_is_plain_attention),
        cmocka_unit_test(chunks_neighbours_and_threads_change_no_bit),
        cmocka_unit_test(packed_and_expanded_input_give_the_same_bytes),
        cmocka_unit_test(scores_of_rounded_queries_are_the_same_everywhere),
        cmocka_unit_test(a_fork_shares_pages_until_it_writes),
        cmocka_unit_test(a_full_cache_refuses_and_keeps_the_table),
        cmocka_unit_test(pages_as_bytes_carry_the_rows),
        cmocka_unit_test(impossible_shapes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

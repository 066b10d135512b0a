/* The decoder's parts by themselves: the special cases in which one kind of rotation, routing or recurrence is
 * another. */
#include "engine/backend.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* ---- rotation ---- */

static void
fill(float *x, size_t n, uint32_t seed)
{
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[i] = (float)(seed >> 8) / 8388608.0f - 1.0f;
    }
}

static engine_rope
plain_rope(float theta, uint32_t n_rot)
{
    engine_rope rope = {.n_rot = n_rot, .halves = TRUE, .theta = theta};
    engine_rope_init(&rope);
    return rope;
}

static void
fourier_positions_with_identity_coefficients_are_rotary_positions(void **state)
{
    (void)state;
    enum { N = 8 };
    engine_rope rope = plain_rope(10000.0f, 2 * N), fope = plain_rope(10000.0f, 2 * N);
    float identity[2 * N * N] = {0}, expected[2 * N], tmp[2 * N], out[2 * 2 * N];

    for (size_t t = 0; t < 2; t++)
        for (size_t i = 0; i < N; i++)
            identity[t * N * N + i * N + i] = 1.0f;
    fope.kind = ENGINE_ROPE_FOPE;
    fope.n_tables = 2;
    fope.n_waves = N;
    fope.sin_pad = 1.0f;
    fope.cos_coef = fope.sin_coef = identity;
    for (uint32_t position = 0; position < 100000; position = position * 3 + 1) {
        engine_rope_row(&rope, engine_kernels_best(), rope.inv_freq, position, tmp, expected);
        engine_rope_row(&fope, engine_kernels_best(), fope.inv_freq, position, tmp, out);
        assert_memory_equal(out, expected, sizeof expected);
        assert_memory_equal(out + 2 * N, expected, sizeof expected);
    }
    g_free(rope.inv_freq);
    g_free(fope.inv_freq);
}

static void
dropped_waves_pass_with_the_pad_the_model_states(void **state)
{
    (void)state;
    static const float coef[4] = {0.5f, 0.25f, -1.0f, 2.0f};
    engine_rope fope = plain_rope(100.0f, 8);
    float tmp[8], out[8];

    fope.kind = ENGINE_ROPE_FOPE;
    fope.n_waves = 2;
    fope.cos_coef = fope.sin_coef = coef;
    for (float pad = 0.0f; pad <= 1.0f; pad += 1.0f) {
        fope.sin_pad = pad;
        engine_rope_row(&fope, engine_kernels_best(), fope.inv_freq, 3, tmp, out);
        const float c0 = cosf(3.0f * fope.inv_freq[0]), c1 = cosf(3.0f * fope.inv_freq[1]);
        assert_float_equal(out[0], 0.5f * c0 - c1, 1e-6f);
        assert_float_equal(out[1], 0.25f * c0 + 2.0f * c1, 1e-6f);
        assert_true(out[2] == 1.0f && out[3] == 1.0f && out[6] == pad && out[7] == pad);
    }
    g_free(fope.inv_freq);
}

static void
yarn_by_one_changes_nothing(void **state)
{
    (void)state;
    engine_rope rope = plain_rope(10000.0f, 64), yarn = plain_rope(10000.0f, 64);
    const engine_yarn one = {.factor = 1.0f,
                             .beta_fast = 32.0f,
                             .beta_slow = 1.0f,
                             .n_original = 4096.0f,
                             .truncate = TRUE};

    assert_true(engine_rope_scale_yarn(&yarn, &one));
    assert_true(yarn.magnitude == 1.0f);
    for (size_t j = 0; j < 32; j++)
        assert_float_equal(yarn.inv_freq[j], rope.inv_freq[j], 1e-7f * rope.inv_freq[j]);
    g_free(rope.inv_freq);
    g_free(yarn.inv_freq);
}

/* The bases of InternLM2.5-7B-1M at 10^6 tokens and of InternLM3-8B at 131072. */
static void
the_dynamic_base_grows_beyond_the_trained_length_only(void **state)
{
    (void)state;
    const struct {
        uint32_t n_trained, n_tokens;
        float factor;
        double base;
    } cases[] = {{262144, 1000000, 2.5f, 4.1535e8}, {32768, 131072, 6.0f, 9.9545e8}};

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        engine_rope rope = plain_rope(5e7f, 128);
        float freq[64];
        rope.kind = ENGINE_ROPE_DYNAMIC;
        rope.dynamic_factor = cases[i].factor;
        rope.n_trained = cases[i].n_trained;
        assert_true(engine_rope_base(&rope, 0) == 5e7f);
        assert_true(engine_rope_base(&rope, cases[i].n_trained) == 5e7f);
        assert_true(engine_rope_base(&rope, cases[i].n_trained + 1) > 5e7f);
        assert_true(fabs((double)engine_rope_base(&rope, cases[i].n_tokens) / cases[i].base - 1.0) <
                    1e-4);
        engine_rope_frequencies(&rope, 5e7f, freq);
        assert_memory_equal(freq, rope.inv_freq, sizeof freq);
        g_free(rope.inv_freq);
    }
}

static void
neighbours_turn_like_halves_once_rows_are_permuted(void **state)
{
    (void)state;
    enum { N = 12 };
    engine_rope rope = plain_rope(500.0f, 2 * N);
    const engine_kernels *k = engine_kernels_best();
    float halves[2 * N], pairs[2 * N], table[2 * N];

    fill(halves, 2 * N, 1);
    for (size_t j = 0; j < N; j++) {
        pairs[2 * j] = halves[j];
        pairs[2 * j + 1] = halves[j + N];
    }
    engine_rope_row(&rope, k, rope.inv_freq, 77, NULL, table);
    k->rope_halves(halves, table, N);
    k->rope_pairs(pairs, table, N);
    for (size_t j = 0; j < N; j++)
        assert_true(pairs[2 * j] == halves[j] && pairs[2 * j + 1] == halves[j + N]);
    g_free(rope.inv_freq);
}

/* ---- routing ---- */

/* The k largest of p [n], one after the other, the lower index first. */
static void
pick_plainly(const float *p, size_t n, size_t k, int32_t *out)
{
    g_autofree gboolean *taken = g_new0(gboolean, n);
    for (size_t j = 0; j < k; j++) {
        size_t best = n;
        for (size_t e = 0; e < n; e++)
            if (!taken[e] && (best == n || p[e] > p[best])) best = e;
        taken[best] = TRUE;
        out[j] = (int32_t)best;
    }
}

static void
one_group_of_experts_is_the_plain_choice(void **state)
{
    (void)state;
    enum { N = 64, K = 8 };
    const engine_kernels *kernels = engine_kernels_best();

    for (uint32_t seed = 0; seed < 50; seed++) {
        float logits[N], copy[N], weights[K];
        int32_t chosen[K], expected[K];
        fill(logits, N, seed);
        for (size_t e = 0; e < N; e++)
            logits[e] = roundf(logits[e] * 8.0f) / 4.0f; /* many ties */
        memcpy(copy, logits, sizeof copy);
        const engine_router plain = {
            .n_experts = N, .n_used = K, .n_groups = 1, .normalize = TRUE, .scale = 1.0f};
        engine_route(&plain, kernels, copy, chosen, weights);
        pick_plainly(logits, N, K, expected);
        assert_memory_equal(chosen, expected, sizeof chosen);
        double sum = 0.0, total = 0.0;
        for (size_t j = 0; j < K; j++) {
            sum += exp((double)logits[expected[j]]);
            total += (double)weights[j];
        }
        assert_true(fabs(total - 1.0) < 1e-5);
        for (size_t j = 0; j < K; j++)
            assert_true(fabs((double)weights[j] - exp((double)logits[expected[j]]) / sum) < 1e-5);
    }
}

static void
every_group_of_experts_gets_its_share(void **state)
{
    (void)state;
    enum { N = 64, GROUPS = 4, K = 8 };
    const engine_router router = {
        .n_experts = N, .n_used = K, .n_groups = GROUPS, .normalize = FALSE, .scale = 2.0f};
    float logits[N], p[N], weights[K], sum = 0.0f;
    int32_t chosen[K], expected[K];

    fill(logits, N, 3);
    for (size_t e = 0; e < N; e++)
        sum += p[e] = expf(logits[e]);
    for (size_t g = 0; g < GROUPS; g++) {
        pick_plainly(logits + g * N / GROUPS, N / GROUPS, K / GROUPS, expected + g * K / GROUPS);
        for (size_t j = 0; j < K / GROUPS; j++)
            expected[g * K / GROUPS + j] += (int32_t)(g * N / GROUPS);
    }
    engine_route(&router, engine_kernels_best(), logits, chosen, weights);
    assert_memory_equal(chosen, expected, sizeof chosen);
    for (size_t j = 0; j < K; j++)
        assert_float_equal(weights[j], 2.0f * p[chosen[j]] / sum, 1e-6f);
}

static void
the_other_gates_weigh_as_they_are_defined(void **state)
{
    (void)state;
    const float values[6] = {0.5f, -1.0f, 2.0f, 2.0f, 0.0f, 1.0f};
    engine_router router = {
        .n_experts = 6, .n_used = 3, .n_groups = 1, .scale = 1.0f, .gate = ENGINE_GATE_SIGMOID};
    float logits[6], weights[3];
    int32_t chosen[3];

    memcpy(logits, values, sizeof logits);
    engine_route(&router, engine_kernels_best(), logits, chosen, weights);
    assert_true(chosen[0] == 2 && chosen[1] == 3 && chosen[2] == 5);
    assert_float_equal(weights[0], 1.0f / (1.0f + expf(-2.0f)), 1e-6f);
    assert_float_equal(weights[2], 1.0f / (1.0f + expf(-1.0f)), 1e-6f);
    router.gate = ENGINE_GATE_SOFTMAX_AFTER;
    memcpy(logits, values, sizeof logits);
    engine_route(&router, engine_kernels_best(), logits, chosen, weights);
    assert_true(chosen[0] == 2 && chosen[1] == 3 && chosen[2] == 5);
    assert_float_equal(weights[2], 1.0f / (1.0f + 2.0f * expf(1.0f)), 1e-6f);
    /* numbers that are none neither crash nor choose outside */
    for (size_t e = 0; e < 6; e++)
        logits[e] = NAN;
    engine_route(&router, engine_kernels_best(), logits, chosen, weights);
    for (size_t j = 0; j < 3; j++)
        assert_in_range(chosen[j], 0, 5);
}

/* ---- the delta rule ---- */

enum { D_K = 16, D_V = 40, DELTA_ROWS = 64 };

typedef struct {
    double q[DELTA_ROWS][D_K], k[DELTA_ROWS][D_K], v[DELTA_ROWS][D_V];
    double gamma[DELTA_ROWS], beta[DELTA_ROWS]; /* gamma: sums of log alpha */
    double state[D_K][D_V], out[DELTA_ROWS][D_V];
} delta_chunk;

static double
product(const double *a, const double *b)
{
    double sum = 0.0;
    for (size_t i = 0; i < D_K; i++)
        sum += a[i] * b[i];
    return sum;
}

/* All rows at once: with G_ij = exp(gamma_i - gamma_j) and A = strictly lower part of beta k k^T G, solve
 * (I + A) N = beta v - beta k exp(gamma) S; then o = q exp(gamma) S + lower(q k^T G) N and the new state. Section
 * 3 of arXiv:2412.06464, the two triangular systems taken together. */
static void
run_chunk(delta_chunk *c, size_t n)
{
    double news[DELTA_ROWS][D_V];

    for (size_t i = 0; i < n; i++) {
        for (size_t x = 0; x < D_V; x++) {
            double seen = 0.0;
            for (size_t a = 0; a < D_K; a++)
                seen += c->k[i][a] * c->state[a][x];
            news[i][x] = c->beta[i] * (c->v[i][x] - exp(c->gamma[i]) * seen);
            for (size_t j = 0; j < i; j++)
                news[i][x] -= c->beta[i] * product(c->k[i], c->k[j]) *
                              exp(c->gamma[i] - c->gamma[j]) * news[j][x];
        }
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t x = 0; x < D_V; x++) {
            double sum = 0.0;
            for (size_t a = 0; a < D_K; a++)
                sum += c->q[i][a] * exp(c->gamma[i]) * c->state[a][x];
            for (size_t j = 0; j <= i; j++)
                sum += product(c->q[i], c->k[j]) * exp(c->gamma[i] - c->gamma[j]) * news[j][x];
            c->out[i][x] = sum;
        }
    }
    for (size_t a = 0; a < D_K; a++) {
        for (size_t x = 0; x < D_V; x++) {
            double sum = exp(c->gamma[n - 1]) * c->state[a][x];
            for (size_t j = 0; j < n; j++)
                sum += exp(c->gamma[n - 1] - c->gamma[j]) * c->k[j][a] * news[j][x];
            c->state[a][x] = sum;
        }
    }
}

/* Where the engine keeps an element of the state: strip by strip. */
static size_t
place_of(size_t row, size_t column)
{
    const size_t first = column / ENGINE_DELTA_STRIP * ENGINE_DELTA_STRIP;
    return first * D_K + row * MIN(ENGINE_DELTA_STRIP, D_V - first) + column - first;
}

/* Unit keys and queries, gates and values of all kinds, in the engine's layout and in the chunk's. */
static void
make_delta(float *conv, float *gates, float *state, delta_chunk *c)
{
    float noise[D_K + D_V];
    double gamma = 0.0;

    for (size_t t = 0; t < DELTA_ROWS; t++) {
        float *row = conv + t * (2 * D_K + D_V);
        for (size_t part = 0; part < 2; part++) {
            double norm = 0.0;
            fill(noise, D_K, (uint32_t)(100 * t + part));
            for (size_t i = 0; i < D_K; i++)
                norm += (double)noise[i] * (double)noise[i];
            for (size_t i = 0; i < D_K; i++)
                row[part * D_K + i] = (float)((double)noise[i] / sqrt(norm));
        }
        fill(row + 2 * D_K, D_V, (uint32_t)(100 * t + 3));
        fill(noise, 2, (uint32_t)(100 * t + 4));
        gates[2 * t] = expf(-0.3f * (1.0f + noise[0]));
        gates[2 * t + 1] = 0.5f + 0.5f * noise[1];
        for (size_t i = 0; i < D_K; i++) {
            c->q[t][i] = (double)row[i];
            c->k[t][i] = (double)row[D_K + i];
        }
        for (size_t i = 0; i < D_V; i++)
            c->v[t][i] = (double)row[2 * D_K + i];
        c->gamma[t] = gamma += log((double)gates[2 * t]);
        c->beta[t] = (double)gates[2 * t + 1];
    }
    fill(state, D_K * D_V, 9);
    for (size_t i = 0; i < D_K * D_V; i++)
        c->state[i / D_V][i % D_V] = (double)state[place_of(i / D_V, i % D_V)];
}

static void
check_delta(const engine_kernels *kernels)
{
    enum { WIDTH = D_V };
    static float conv[DELTA_ROWS * (2 * D_K + D_V)], gates[2 * DELTA_ROWS], state[D_K * D_V],
        raw[DELTA_ROWS * WIDTH], out[DELTA_ROWS * D_V];
    static delta_chunk c;
    float norm[D_V];
    const engine_delta_shape shape = {.n_k = 1,
                                      .n_v = 1,
                                      .d_k = D_K,
                                      .d_v = D_V,
                                      .kernel = 2,
                                      .n_channels = 2 * D_K + D_V,
                                      .width = WIDTH};
    const engine_delta_layer layer = {.norm = norm};
    const engine_delta_job job = {.shape = &shape,
                                  .layer = &layer,
                                  .raw = raw,
                                  .conv = conv,
                                  .gates = gates,
                                  .state = state,
                                  .out = out};
    double off = 0.0;

    make_delta(conv, gates, state, &c);
    for (size_t i = 0; i < D_V; i++)
        norm[i] = 1.0f;
    fill(raw, DELTA_ROWS * WIDTH, 5);
    engine_delta_head(kernels, &job, DELTA_ROWS, 0);
    run_chunk(&c, DELTA_ROWS);
    for (size_t t = 0; t < DELTA_ROWS; t++) {
        double squares = 0.0;
        for (size_t i = 0; i < D_V; i++)
            squares += c.out[t][i] * c.out[t][i];
        for (size_t i = 0; i < D_V; i++) {
            const double z = (double)raw[t * WIDTH + i];
            const double y = c.out[t][i] / sqrt(squares / D_V) * z / (1.0 + exp(-z));
            off = fmax(off, fabs(y - (double)out[t * D_V + i]));
        }
    }
    for (size_t i = 0; i < D_K * D_V; i++)
        off =
            fmax(off, fabs(c.state[i / D_V][i % D_V] - (double)state[place_of(i / D_V, i % D_V)]));
    assert_true(off < 1e-4);
}

static void
the_delta_rule_token_by_token_is_its_chunked_form(void **state)
{
    (void)state;
    for (int cpu = ENGINE_CPU_SCALAR; cpu <= (int)engine_cpu_best(); cpu++)
        check_delta(engine_kernels_lookup((engine_cpu)cpu));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fourier_positions_with_identity_coefficients_are_rotary_positions),
        cmocka_unit_test(dropped_waves_pass_with_the_pad_the_model_states),
        cmocka_unit_test(yarn_by_one_changes_nothing),
        cmocka_unit_test(the_dynamic_base_grows_beyond_the_trained_length_only),
        cmocka_unit_test(neighbours_turn_like_halves_once_rows_are_permuted),
        cmocka_unit_test(one_group_of_experts_is_the_plain_choice),
        cmocka_unit_test(every_group_of_experts_gets_its_share),
        cmocka_unit_test(the_other_gates_weigh_as_they_are_defined),
        cmocka_unit_test(the_delta_rule_token_by_token_is_its_chunked_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

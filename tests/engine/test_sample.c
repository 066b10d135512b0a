/* The sampler against a plain reference: everything sorted, everything in double, libm's exponential. */
#include "engine/sample.h"

#include "engine/sample_pick.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static engine_sampler *
new_sampler(size_t n, const engine_generate_options *options)
{
    g_autoptr(GError) error = NULL;
    engine_sampler *sampler = engine_sampler_new(n, NULL, options, &error);
    if (!sampler) fail_msg("%s", error->message);
    return sampler;
}

/* Logits as models make them: a crowd and a few that stand out; some -infinity, some equal. */
static void
fill_logits(GRand *rand, float *logits, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        logits[i] = (float)g_rand_double_range(rand, -8.0, 4.0);
        if (g_rand_int_range(rand, 0, 40) == 0) logits[i] += 9.0f;
        if (g_rand_int_range(rand, 0, 50) == 0) logits[i] = -INFINITY;
        if (i > 0 && g_rand_int_range(rand, 0, 10) == 0) logits[i] = logits[i - 1];
    }
    logits[g_rand_int_range(rand, 0, (gint32)n)] = 9.0f;
}

/* ---- the reference ---- */

typedef struct {
    double p, far;
    float logit;
    size_t index;
} entry;

static int
compare_entries(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->logit != y->logit) return x->logit > y->logit ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static int
compare_ids(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    return x->index < y->index ? -1 : x->index > y->index;
}

static int
compare_far(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->far != y->far) return x->far > y->far ? -1 : 1;
    return x->index > y->index ? -1 : 1;
}

/* Of e [n] with their probabilities the fewest that reach p, those first whose surprise is nearest to the entropy; the
 * draw goes through them the other way round. */
static size_t
most_typical(entry *e, size_t n, double p, double *edge)
{
    double entropy = 0.0, sum = 0.0;
    size_t from = n;

    for (size_t i = 0; i < n; i++)
        if (e[i].p > 0.0) entropy -= e[i].p * log(e[i].p);
    for (size_t i = 0; i < n; i++)
        e[i].far = e[i].p > 0.0 ? fabs(-log(e[i].p) - entropy) : INFINITY;
    qsort(e, n, sizeof *e, compare_far);
    while (from > 0 && (from == n || sum < p)) {
        sum += e[--from].p;
        *edge = MIN(*edge, fabs(sum - p));
    }
    if (from > 0) *edge = MIN(*edge, e[from - 1].far - e[from].far);
    for (size_t i = from; i + 1 < n; i++)
        if (e[i].far != e[i + 1].far) *edge = MIN(*edge, e[i].far - e[i + 1].far);
    memmove(e, e + from, (n - from) * sizeof *e);
    for (size_t i = 0; i < n - from; i++)
        e[i].p /= sum;
    return n - from;
}

/* The entries that can be drawn with their probabilities, in the order in which the draw goes through them.
 * Returns how many. *edge: how close a cut came to falling elsewhere. */
static size_t
reference(const float *logits, size_t n, const engine_generate_options *o, entry *e, double *edge)
{
    size_t kept = 0;
    double total = 0.0, sum = 0.0;

    *edge = 1.0;
    for (size_t i = 0; i < n; i++)
        if (logits[i] > -INFINITY) e[kept++] = (entry){0.0, 0.0, logits[i], i};
    qsort(e, kept, sizeof *e, compare_entries);
    if (o->top_k > 0) kept = MIN(kept, o->top_k);
    for (size_t i = 0; i < kept; i++)
        total += e[i].p = exp(((double)e[i].logit - (double)e[0].logit) / (double)o->temperature);
    if (o->top_p < 1.0f) {
        size_t nucleus = 0;
        while (nucleus < kept && (nucleus == 0 || sum < (double)o->top_p * total)) {
            sum += e[nucleus++].p;
            *edge = MIN(*edge, fabs(sum / total - (double)o->top_p));
        }
        kept = nucleus;
    }
    const double best = e[0].p;
    for (size_t i = 0; i < kept; i++)
        if (o->min_p > 0.0f) *edge = MIN(*edge, fabs(e[i].p / best - (double)o->min_p));
    while (o->min_p > 0.0f && kept > 1 && e[kept - 1].p / best < (double)o->min_p)
        kept--;
    total = 0.0;
    for (size_t i = 0; i < kept; i++)
        total += e[i].p;
    for (size_t i = 0; i < kept; i++)
        e[i].p /= total;
    if (o->typical_p < 1.0f) return most_typical(e, kept, (double)o->typical_p, edge);
    const gboolean ordered = (o->top_k > 0 && o->top_k < n) || o->top_p < 1.0f;
    if (!ordered) qsort(e, kept, sizeof *e, compare_ids);
    return kept;
}

static void
every_choice_is_the_plain_references(void **state)
{
    (void)state;
    enum { N = 3000 };
    static float logits[N], weights[N];
    static sample_candidate candidates[N];
    static entry e[N];
    sample_scratch scratch = {weights, candidates};
    GRand *rand = g_rand_new_with_seed(11);
    guint n_checked = 0;

    for (guint round = 0; round < 400; round++) {
        const size_t n = (size_t)g_rand_int_range(rand, 1, round % 4 == 0 ? N : 60);
        engine_generate_options o = engine_generate_options_default();
        o.temperature = (float)g_rand_double_range(rand, 0.2, 2.5);
        if (round & 1) o.top_k = (uint32_t)g_rand_int_range(rand, 1, 80);
        if (round & 2) o.top_p = (float)g_rand_double_range(rand, 0.05, 0.999);
        if (round & 4) o.min_p = (float)g_rand_double_range(rand, 0.001, 0.5);
        if (round & 8) o.typical_p = (float)g_rand_double_range(rand, 0.1, 0.99);
        fill_logits(rand, logits, n);
        double edge = 1.0;
        const size_t kept = reference(logits, n, &o, e, &edge);
        if (edge < 1e-5) continue; /* single precision may cut one entry more or less */
        const sample_options pick = {o.temperature, o.top_p, o.min_p, o.typical_p, o.top_k};
        for (guint draw = 0; draw < 50; draw++) {
            const double u = g_rand_double(rand);
            double cumulated = 0.0, nearest = 1.0;
            size_t expected = 0;
            while (expected + 1 < kept && cumulated + e[expected].p <= u)
                cumulated += e[expected++].p;
            nearest = MIN(fabs(u - cumulated), fabs(u - cumulated - e[expected].p));
            if (nearest < 1e-5) continue;
            const size_t got = sample_pick(logits, n, &pick, u, &scratch);
            if (got != e[expected].index)
                fail_msg("round %u: %zu instead of %zu", round, got, e[expected].index);
            n_checked++;
        }
    }
    assert_true(n_checked > 15000);
    g_rand_free(rand);
}

static void
the_exponential_is_exact_to_two_units(void **state)
{
    (void)state;
    for (float x = 0.0f; x > -86.9f; x -= 0.0037f) {
        float y;
        sample_exp(&x, &y, 1);
        assert_true(fabs((double)y / exp((double)x) - 1.0) <= 2.0 * 0x1p-23);
    }
    const float far[4] = {-88.0f, -1e30f, -INFINITY, NAN};
    float y[4];
    sample_exp(far, y, 4);
    for (int i = 0; i < 4; i++)
        assert_true(y[i] == 0.0f);
    assert_true((sample_exp(&(float){0.0f}, y, 1), y[0] == 1.0f));
}

static void
greedy_takes_the_largest_and_the_lowest_id_of_equals(void **state)
{
    (void)state;
    const engine_generate_options options = engine_generate_options_default();
    const float logits[5] = {NAN, 1.0f, 3.0f, 3.0f, -INFINITY};
    g_autoptr(engine_sampler) sampler = new_sampler(5, &options);
    assert_int_equal(engine_sampler_sample(sampler, logits), 2);
    const float none[5] = {NAN, -INFINITY, -INFINITY, NAN, -INFINITY};
    assert_int_equal(engine_sampler_sample(sampler, none), -1);
}

static void
frequencies_follow_the_softmax(void **state)
{
    (void)state;
    enum { N = 8, DRAWS = 40000 };
    engine_generate_options options = engine_generate_options_default();
    float logits[N];
    guint counts[N] = {0};
    double total = 0;

    options.temperature = 0.7f;
    options.seed = 5;
    for (int i = 0; i < N; i++) {
        logits[i] = (float)((i * 5) % 8) * 0.4f;
        total += exp((double)logits[i] / (double)0.7f);
    }
    g_autoptr(engine_sampler) sampler = new_sampler(N, &options);
    for (guint i = 0; i < DRAWS; i++) {
        const int32_t id = engine_sampler_sample(sampler, logits);
        counts[id]++;
        assert_true(engine_sampler_accept(sampler, id));
    }
    for (int i = 0; i < N; i++) {
        const double p = exp((double)logits[i] / (double)0.7f) / total;
        /* five standard deviations */
        assert_true(fabs(counts[i] - DRAWS * p) <= 5.0 * sqrt(DRAWS * p * (1.0 - p)));
    }
}

/* ---- penalties, biases, ends ---- */

/* What the options make of logits, the slow way. */
static void
reference_penalties(const engine_generate_options *o, const int32_t *history, size_t n_history,
                    float *logits, size_t n)
{
    for (size_t id = 0; id < n; id++) {
        float count = 0.0f;
        for (size_t i = n_history > o->penalty_window ? n_history - o->penalty_window : 0;
             i < n_history; i++)
            if (history[i] == (int32_t)id) count += 1.0f;
        if (count == 0.0f) continue;
        logits[id] =
            logits[id] > 0.0f ? logits[id] / o->repeat_penalty : logits[id] * o->repeat_penalty;
        logits[id] -= count * o->frequency_penalty + o->presence_penalty;
    }
}

static void
penalties_are_the_references_however_the_sequence_was_reached(void **state)
{
    (void)state;
    enum { N = 40, STEPS = 300 };
    GRand *rand = g_rand_new_with_seed(3);
    engine_generate_options o = engine_generate_options_default();
    float logits[N], expected[N];
    g_autoptr(GArray) history = g_array_new(FALSE, FALSE, sizeof(int32_t));
    const int32_t prompt[] = {1, 2, 3, -5, 39, 40, 3};

    o.repeat_penalty = 1.3f;
    o.frequency_penalty = 0.4f;
    o.presence_penalty = 0.2f;
    o.penalty_window = 20;
    g_autoptr(engine_sampler) sampler = new_sampler(N, &o);
    engine_sampler_reset(sampler, prompt, G_N_ELEMENTS(prompt));
    g_array_append_vals(history, prompt, G_N_ELEMENTS(prompt));
    for (guint step = 0; step < STEPS; step++) {
        if (step % 7 == 6) { /* back and forth, or onto a copy */
            const guint back = (guint)g_rand_int_range(rand, 0, 12);
            const guint n = MIN(back, (guint)engine_sampler_n_accepted(sampler));
            engine_sampler_rewind(sampler, n);
            g_array_set_size(history, history->len - n);
        }
        if (step % 31 == 30) {
            engine_sampler *copy = engine_sampler_clone(sampler, NULL);
            engine_sampler_free(sampler);
            sampler = copy;
        }
        fill_logits(rand, logits, N);
        memcpy(expected, logits, sizeof logits);
        reference_penalties(&o, (const int32_t *)(void *)history->data, history->len, expected, N);
        const int32_t got = engine_sampler_sample(sampler, logits);
        assert_int_equal(got, (int32_t)sample_largest(expected, N));
        assert_int_equal(got, engine_sampler_sample(sampler, logits)); /* asking changes nothing */
        assert_true(engine_sampler_accept(sampler, got));
        g_array_append_val(history, got);
    }
    g_rand_free(rand);
}

static void
biases_are_added_and_must_name_tokens(void **state)
{
    (void)state;
    const float logits[4] = {1.0f, 2.0f, 3.0f, 4.0f};
    const engine_token_bias biases[] = {{3, -INFINITY}, {0, 2.5f}}, wrong[] = {{4, 1.0f}};
    engine_generate_options o = engine_generate_options_default();
    g_autoptr(GError) error = NULL;

    o.biases = biases;
    o.n_biases = 2;
    g_autoptr(engine_sampler) sampler = new_sampler(4, &o);
    assert_int_equal(engine_sampler_sample(sampler, logits), 0);
    o.biases = wrong;
    o.n_biases = 1;
    assert_null(engine_sampler_new(4, NULL, &o, &error));
    assert_int_equal(error->code, ENGINE_ERROR_ARGUMENT);
}

static void
ends_wait_for_min_tokens(void **state)
{
    (void)state;
    const float logits[4] = {1.0f, 2.0f, 9.0f, 4.0f};
    const int32_t ends[] = {2, 77, -1};
    engine_generate_options o = engine_generate_options_default();

    o.stop_tokens = ends;
    o.n_stop_tokens = 3;
    o.min_tokens = 2;
    g_autoptr(engine_sampler) sampler = new_sampler(4, &o);
    for (int i = 0; i < 3; i++) {
        const int32_t token = engine_sampler_sample(sampler, logits);
        assert_int_equal(token, i < 2 ? 3 : 2);
        assert_int_equal(engine_sampler_ends_text(sampler, token), i == 2);
        engine_sampler_accept(sampler, token);
    }
    o.ignore_eos = TRUE;
    g_autoptr(engine_sampler) endless = new_sampler(4, &o);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(engine_sampler_sample(endless, logits), 3);
        engine_sampler_accept(endless, 3);
    }
}

/* ---- positions ---- */

static void
a_verified_draft_gives_the_tokens_of_plain_decoding(void **state)
{
    (void)state;
    enum { N = 50, LENGTH = 60, DRAFT = 5 };
    GRand *rand = g_rand_new_with_seed(21);
    engine_generate_options o = engine_generate_options_default();
    static float rows[LENGTH + DRAFT][N]; /* by position: a model that does not look back */
    int32_t plain[LENGTH];

    o.temperature = 0.9f;
    o.top_p = 0.9f;
    o.repeat_penalty = 1.2f;
    o.seed = 7;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        fill_logits(rand, rows[i], N);
    g_autoptr(engine_sampler) one = new_sampler(N, &o), many = new_sampler(N, &o);
    for (size_t i = 0; i < LENGTH; i++) {
        plain[i] = engine_sampler_sample(one, rows[i]);
        engine_sampler_accept(one, plain[i]);
    }
    for (size_t at = 0; at < LENGTH;) {
        /* the draft knows some tokens; first it is all accepted, then taken back and verified */
        int32_t draft[DRAFT];
        for (size_t i = 0; i < DRAFT; i++) {
            draft[i] = at + i < LENGTH && g_rand_int_range(rand, 0, 3) > 0 ? plain[at + i] : 0;
            assert_true(engine_sampler_accept(many, draft[i]));
        }
        engine_sampler_rewind(many, DRAFT);
        for (size_t i = 0; i < DRAFT && at < LENGTH; i++) {
            const int32_t token = engine_sampler_sample(many, rows[at]);
            assert_int_equal(token, plain[at]);
            engine_sampler_accept(many, token);
            at++;
            if (token != draft[i]) break;
        }
    }
    assert_int_equal(engine_sampler_n_accepted(many), LENGTH);
    engine_sampler_reset(many, NULL, 0);
    assert_int_equal(engine_sampler_n_accepted(many), 0);
    assert_int_equal(engine_sampler_sample(many, rows[0]), plain[0]);
    g_rand_free(rand);
}

static void
logprobs_are_the_log_softmax(void **state)
{
    (void)state;
    enum { N = 500, TOP = 20 };
    GRand *rand = g_rand_new_with_seed(8);
    const engine_generate_options o = engine_generate_options_default();
    float logits[N];
    entry e[N];
    engine_token_logprob top[TOP];
    g_autoptr(engine_sampler) sampler = new_sampler(N, &o);

    for (guint round = 0; round < 50; round++) {
        double total = 0.0;
        fill_logits(rand, logits, N);
        for (size_t i = 0; i < N; i++) {
            e[i] = (entry){0.0, 0.0, logits[i], i};
            total += exp((double)logits[i]);
        }
        qsort(e, N, sizeof *e, compare_entries);
        const int32_t token = g_rand_int_range(rand, 0, N);
        const float got = engine_sampler_logprobs(sampler, logits, token, top, TOP);
        assert_true(fabs((double)got - ((double)logits[token] - log(total))) < 1e-5 ||
                    (isinf(logits[token]) && isinf(got)));
        for (size_t i = 0; i < TOP; i++) {
            assert_int_equal(top[i].id, (int32_t)e[i].index);
            assert_true(fabs((double)top[i].value - ((double)e[i].logit - log(total))) < 1e-5);
        }
    }
    g_rand_free(rand);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_choice_is_the_plain_references),
        cmocka_unit_test(the_exponential_is_exact_to_two_units),
        cmocka_unit_test(greedy_takes_the_largest_and_the_lowest_id_of_equals),
        cmocka_unit_test(frequencies_follow_the_softmax),
        cmocka_unit_test(penalties_are_the_references_however_the_sequence_was_reached),
        cmocka_unit_test(biases_are_added_and_must_name_tokens),
        cmocka_unit_test(ends_wait_for_min_tokens),
        cmocka_unit_test(a_verified_draft_gives_the_tokens_of_plain_decoding),
        cmocka_unit_test(logprobs_are_the_log_softmax),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Experts in spare GPU memory: which are kept, and that a model says the same with none, some and all of them there. */
#include "emulated_card.h"
#include "host_compute.h"

#include "engine/expert_policy.h"
#include "engine/model.h"
#include "engine/session.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- the policy ---- */

static int32_t
ask_alone(engine_expert_policy *p, uint32_t pack, uint32_t expert)
{
    engine_expert_policy_begin(p);
    const int32_t slab = engine_expert_policy_ask(p, pack, expert);
    if (slab < 0) (void)engine_expert_policy_admit(p, pack, expert);
    return slab;
}

/* Two places; A B A B fill them, C comes once (too seldom), again and again (and takes the place of the lesser). */
static void
the_most_asked_for_are_kept(void **state)
{
    (void)state;
    const uint32_t n_experts[] = {4, 4};
    engine_expert_policy *p = engine_expert_policy_new(n_experts, 2, 2);

    assert_int_equal(ask_alone(p, 0, 1), -1);
    assert_int_equal(ask_alone(p, 1, 1), -1); /* another layer's is another expert */
    assert_int_equal(ask_alone(p, 0, 1), 0);
    assert_int_equal(ask_alone(p, 1, 1), 1);
    assert_int_equal(ask_alone(p, 0, 1), 0);
    assert_int_equal(ask_alone(p, 0, 3), -1); /* 1 against 3 and 2 */
    assert_int_equal(ask_alone(p, 0, 3), -1); /* 2: as many is not more */
    assert_int_equal(ask_alone(p, 1, 1), 1);
    assert_int_equal(ask_alone(p, 0, 3), -1); /* 3 against 3 and 3 */
    assert_int_equal(ask_alone(p, 0, 3), -1); /* 4: in place of the one unused for longer */
    assert_int_equal(ask_alone(p, 0, 3), 0);
    assert_int_equal(ask_alone(p, 0, 1), -1); /* back in place of the other, 4 against 3 */
    assert_int_equal(ask_alone(p, 0, 1), 1);
    assert_int_equal(ask_alone(p, 1, 1), -1);
    assert_int_equal(engine_expert_policy_n_asked(p), 14);
    assert_int_equal(engine_expert_policy_n_hits(p), 6);
    engine_expert_policy_free(p);
}

static void
what_a_pass_asked_for_stays_for_that_pass(void **state)
{
    (void)state;
    const uint32_t n_experts = 3;
    engine_expert_policy *p = engine_expert_policy_new(&n_experts, 1, 1);

    for (int i = 0; i < 5; i++)
        (void)ask_alone(p, 0, 2); /* taken in at once: nobody else is there */
    for (int i = 0; i < 4; i++)
        (void)ask_alone(p, 0, 0);
    engine_expert_policy_begin(p);
    assert_int_equal(engine_expert_policy_ask(p, 0, 2), 0);
    for (int i = 0; i < 8; i++)
        assert_int_equal(engine_expert_policy_ask(p, 0, 0), -1);
    assert_int_equal(engine_expert_policy_admit(p, 0, 0), -1);
    engine_expert_policy_begin(p);
    assert_int_equal(engine_expert_policy_admit(p, 0, 0), 0);
    engine_expert_policy_free(p);
}

/* A new text's favourites take over although the old one's were asked for much more often. */
static void
old_counts_fade(void **state)
{
    (void)state;
    const uint32_t n_experts = 4;
    engine_expert_policy *p = engine_expert_policy_new(&n_experts, 1, 2);

    for (int i = 0; i < 1000; i++)
        (void)ask_alone(p, 0, (uint32_t)i % 2);
    int n = 0;
    while (n < 1000 && (ask_alone(p, 0, 2) < 0 || ask_alone(p, 0, 3) < 0))
        n++;
    assert_in_range(n, 1, 200);
    engine_expert_policy_free(p);
}

/* ---- a model ---- */

static engine_session *
open_session(const forward_bench *b, GError **error)
{
    engine_session_options options = engine_session_options_default();

    options.n_context = (uint32_t)b->c->n_ids;
    options.kv_type = ENGINE_KV_F32;
    options.chunk = (uint32_t)MAX(b->n, 8);
    return engine_session_open(b->model, b->pool, &options, error);
}

/* A fresh one: what sessions before have placed counts as taken. */
static void
give_device(forward_bench *b, const lode_cuda_compute *compute, uint64_t limit)
{
    g_autoptr(GError) error = NULL;

    g_clear_pointer(&b->model->device, engine_device_unref);
    b->model->device = engine_device_open(compute, 0, limit, &error);
    if (!b->model->device) fail_msg("%s", error->message);
}

/* A model on a device with just enough memory for all but its routed experts. What is counted does not depend on the
 * device, so that the quick one finds it. */
static forward_bench
open_mixture(const device_kind *k, const char *name, tiny_format format, uint64_t *limit)
{
    forward_bench b = forward_open(k, name, format, DEVICE_WHOLE);
    uint64_t low = 0, high = (uint64_t)1 << 28;

    while (high - low > 1024) {
        const uint64_t middle = low + (high - low) / 2;
        give_device(&b, host_compute(), middle);
        g_autoptr(engine_session) session = open_session(&b, NULL);
        const engine_placement *p = session ? session->runtime.placement : NULL;
        if (p && p->n_layers == b.model->info.n_layers)
            high = middle;
        else
            low = middle;
    }
    *limit = high;
    return b;
}

static float *
run(const device_kind *k, forward_bench *b, uint64_t limit, uint64_t n_bytes,
    engine_device_expert_stats *stats)
{
    g_autoptr(GError) error = NULL;
    float *out = g_new0(float, b->n * b->c->n_vocab);

    give_device(b, k->compute, limit);
    b->model->wish.expert_cache = n_bytes;
    g_autoptr(engine_session) session = open_session(b, &error);
    if (!session) fail_msg("%s", error->message);
    assert_false(session->runtime.placement->experts);
    /* a prompt, then token by token */
    for (size_t done = 0, step; done < b->n; done += step) {
        step = done == 0 ? b->n / 2 : 1;
        if (!engine_session_eval(session, b->c->ids + done, step, NULL, out + done * b->c->n_vocab,
                                 &error))
            fail_msg("%s", error->message);
    }
    *stats = engine_session_get_stats(session).gpu_experts;
    return out;
}

static void
assert_close(const float *a, const float *b, size_t n, double tolerance, const char *what)
{
    double largest = 0.0, off = 0.0;

    for (size_t i = 0; i < n; i++) {
        assert_true(isfinite(a[i]) && isfinite(b[i]));
        largest = fmax(largest, fabs((double)a[i]));
        off = fmax(off, fabs((double)a[i] - (double)b[i]));
    }
    if (!(off <= tolerance * largest)) fail_msg("%s: off by %.2e of %.2e", what, off, largest);
}

static void
check_model(const device_kind *k, const char *name, tiny_format format)
{
    uint64_t limit;
    forward_bench b = open_mixture(k, name, format, &limit);
    const double tolerance = format == TINY_F32 ? k->f32 : k->f16;
    engine_device_expert_stats none, some = {0}, all, again;
    g_autofree float *without = run(k, &b, limit, 0, &none), *with_all = NULL, *second = NULL;
    const size_t n = b.n * b.c->n_vocab;

    assert_int_equal(none.n_slabs, 0);
    assert_int_equal(none.n_asked, 0);
    with_all = run(k, &b, limit, G_MAXUINT64, &all);
    if (g_getenv("LODE_TINY_VERBOSE"))
        print_message("%s: %u of %u asked for were there, room for %u\n", name,
                      (unsigned)all.n_hits, (unsigned)all.n_asked, all.n_slabs);
    assert_close(without, with_all, n, tolerance, name);
    assert_true(all.n_hits > 0 && all.n_hits < all.n_asked);
    assert_true(all.n_brought > 0 && all.n_brought <= all.n_asked - all.n_hits &&
                all.n_brought <= all.n_slabs);                           /* each is copied once */
    for (uint64_t bytes = 4096; some.n_slabs == 0; bytes += bytes / 2) { /* as few as can be */
        g_autofree float *with_some = run(k, &b, limit, bytes, &some);
        assert_close(without, with_some, n, tolerance, name);
    }
    assert_true(some.n_slabs < all.n_slabs);
    assert_int_equal(some.n_asked, all.n_asked);
    assert_true(some.n_hits < all.n_hits);
    second = run(k, &b, limit, G_MAXUINT64, &again);
    assert_memory_equal(with_all, second, n * sizeof *second); /* the same again, to the bit */
    assert_memory_equal(&all, &again, sizeof all);
    forward_close(&b);
}

static const char *const MIXTURES[] = {"qwen3_moe", "intern_s2_preview", "interns1_pro"};

static void
a_model_says_the_same_with_none_some_and_all_experts_there(void **state)
{
    (void)state;
    const device_kind k = {.compute = host_compute(), .f32 = 1e-4, .f16 = 2e-2};

    for (size_t i = 0; i < G_N_ELEMENTS(MIXTURES); i++) {
        check_model(&k, MIXTURES[i], TINY_F32);
        check_model(&k, MIXTURES[i], TINY_F16);
    }
    assert_int_equal(host_compute_n_live(), 0);
}

static void
so_does_the_emulated_card(void **state)
{
    (void)state;
    const device_kind k = emulated_kind(6);

    check_model(&k, "qwen3_moe", TINY_F32);
}

/* Memory for the cache that cannot be had is no error: there is none. */
static void
a_cache_that_cannot_be_made_is_done_without(void **state)
{
    (void)state;
    const device_kind k = {.compute = host_compute(), .f32 = 1e-4, .n_tokens = 4};
    uint64_t limit;
    forward_bench b = open_mixture(&k, "qwen3_moe", TINY_F32, &limit);
    engine_device_expert_stats stats;
    g_autofree float *without = run(&k, &b, limit, 0, &stats);

    host_compute_fail(0, 0);
    g_autofree float *first = run(&k, &b, limit, G_MAXUINT64, &stats);
    const unsigned n = host_compute_n_allocations();
    assert_true(stats.n_slabs > 0);
    for (unsigned nth = n; nth > n - 4; nth--) { /* the last four are the cache's */
        host_compute_fail(nth, 0);
        g_autofree float *with = run(&k, &b, limit, G_MAXUINT64, &stats);
        host_compute_fail(0, 0);
        assert_int_equal(stats.n_slabs, 0);
        assert_memory_equal(without, with, 4 * b.c->n_vocab * sizeof *with);
    }
    forward_close(&b);
    assert_int_equal(host_compute_n_live(), 0);
}

static unsigned n_copies, failing_each;

static int
failing_bring(lode_cuda_queue *q, void *dst, const void *host, size_t n_bytes, char *error)
{
    if (++n_copies % failing_each == 0) {
        snprintf(error, LODE_CUDA_ERROR, "made to fail");
        return LODE_CUDA_FAILED;
    }
    return host_compute()->bring(q, dst, host, n_bytes, error);
}

/* An expert that cannot be copied is computed here; a part of one that came is not taken for it. */
static void
a_copy_that_fails_fails_no_pass(void **state)
{
    (void)state;
    lode_cuda_compute table = *host_compute();
    const device_kind k = {.compute = &table, .f32 = 1e-4, .n_tokens = 8};
    uint64_t limit;
    forward_bench b = open_mixture(&k, "qwen3_moe", TINY_F32, &limit);
    const size_t n = b.n * b.c->n_vocab;
    engine_device_expert_stats stats;
    g_autofree float *without = run(&k, &b, limit, 0, &stats);

    table.bring = failing_bring;
    for (failing_each = 1; failing_each < 7; failing_each++) {
        n_copies = 0;
        g_autofree float *with = run(&k, &b, limit, G_MAXUINT64, &stats);
        assert_true(n_copies >= failing_each);
        assert_true(stats.n_brought <= n_copies / 3);
        if (failing_each <= 3) assert_int_equal(stats.n_brought, 0); /* an expert is three copies */
        if (failing_each > 3) assert_true(stats.n_brought > 0 && stats.n_hits > 0);
        assert_close(without, with, n, 1e-4, "with copies that fail");
    }
    forward_close(&b);
    assert_int_equal(host_compute_n_live(), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_most_asked_for_are_kept),
        cmocka_unit_test(what_a_pass_asked_for_stays_for_that_pass),
        cmocka_unit_test(old_counts_fade),
        cmocka_unit_test(a_model_says_the_same_with_none_some_and_all_experts_there),
        cmocka_unit_test(so_does_the_emulated_card),
        cmocka_unit_test(a_cache_that_cannot_be_made_is_done_without),
        cmocka_unit_test(a_copy_that_fails_fails_no_pass),
    };
    return cmocka_run_group_tests_name("cuda_expert_cache", tests, NULL, NULL);
}

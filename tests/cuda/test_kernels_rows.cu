/* Rows of activations, routing and the largest of a row on the device, against kernels_ref.c and router.c. */
#include "kernels_check.h"

#include "engine/router.h"

#include <algorithm>

#define NEAR 2e-5f /* sums of a few hundred elements in another order, and expf */

static const engine_kernels *
reference(void)
{
    return engine_kernels_lookup(ENGINE_CPU_SCALAR);
}

static const size_t LENGTHS[] = {1, 37, 256, 1000, 4100};

static void
rms_norm_is_the_reference_with_and_without_a_sum(void **)
{
    check_random random(1);
    for (const size_t n_elems : LENGTHS) {
        const size_t n = 1 + random.below(4), ldx = n_elems + random.below(5), ldy = n_elems + 1;
        const std::vector<float> x = random.numbers(n * ldx), w = random.numbers(n_elems),
                                 r = random.numbers(n * n_elems);
        std::vector<float> want(n * ldy, 9.0f), sum(n * n_elems), normed(n * n_elems);
        device_array<float> x_there(x), w_there(w), r_there(r), y(want), y2(n * n_elems);
        for (size_t t = 0; t < n; t++) {
            reference()->rms_norm(&x[t * ldx], w.data(), 1e-5f, n_elems, &want[t * ldy]);
            for (size_t i = 0; i < n_elems; i++)
                sum[t * n_elems + i] = x[t * n_elems + i] + r[t * n_elems + i];
            reference()->rms_norm(&sum[t * n_elems], w.data(), 1e-5f, n_elems,
                                  &normed[t * n_elems]);
        }
        CUDA_OK(
            cuda_rms_norm(NULL, x_there.data, ldx, w_there.data, 1e-5f, n_elems, n, y.data, ldy));
        check_near("norm", y.get(), want, NEAR, NEAR);
        CUDA_OK(cuda_add_rms_norm(NULL, x_there.data, r_there.data, w_there.data, 1e-5f, n_elems, n,
                                  y2.data));
        std::vector<float> added = x_there.get();
        added.resize(n * n_elems);
        check_equal("sum", added, sum);
        check_near("norm of the sum", y2.get(), normed, NEAR, NEAR);
    }
}

static void
layer_norm_is_the_reference(void **)
{
    check_random random(2);
    for (const size_t n_elems : LENGTHS) {
        const size_t n = 1 + random.below(3);
        const std::vector<float> x = random.numbers(n * n_elems), w = random.numbers(n_elems),
                                 b = random.numbers(n_elems), r = random.numbers(n * n_elems);
        device_array<float> w_there(w), b_there(b), r_there(r);
        for (const bool with_sum : {false, true}) {
            std::vector<float> want = x;
            device_array<float> y(x);
            for (size_t t = 0; t < n; t++) {
                float *row = &want[t * n_elems];
                if (with_sum) reference()->add(row, &r[t * n_elems], n_elems);
                reference()->layer_norm(row, w.data(), b.data(), 1e-12f, n_elems, row);
            }
            CUDA_OK(cuda_layer_norm(NULL, y.data, with_sum ? r_there.data : NULL, w_there.data,
                                    b_there.data, 1e-12f, n_elems, n));
            check_near("layer norm", y.get(), want, 2 * NEAR, NEAR);
        }
    }
}

static void
check_elementwise_steps(size_t n)
{
    check_random random(3);
    const size_t n_elems = 301;
    const std::vector<float> x = random.numbers(n * n_elems, 6.0f),
                             y = random.numbers(n * n_elems, 3.0f), gate = random.numbers(n, 4.0f);
    device_array<float> y_there(y), gate_there(gate);
    {
        std::vector<float> want = x;
        device_array<float> a(x);
        reference()->silu_mul(want.data(), y.data(), want.size());
        CUDA_OK(cuda_swiglu(NULL, a.data, y_there.data, want.size()));
        check_near("swiglu", a.get(), want, NEAR, NEAR);
    }
    for (const bool by_tanh : {false, true}) {
        std::vector<float> want = x;
        device_array<float> a(x);
        (by_tanh ? reference()->gelu_tanh : reference()->gelu_erf)(want.data(), want.size());
        CUDA_OK(cuda_gelu(NULL, a.data, want.size(), by_tanh));
        check_near("gelu", a.get(), want, NEAR, NEAR);
    }
    for (const bool gated : {false, true}) {
        std::vector<float> want = x;
        device_array<float> a(x);
        for (size_t t = 0; t < n; t++)
            reference()->blend(&want[t * n_elems], 1.0f, &y[t * n_elems],
                               gated ? 1.0f / (1.0f + std::exp(-gate[t])) : 1.0f, n_elems);
        CUDA_OK(cuda_add(NULL, a.data, y_there.data, gated ? gate_there.data : NULL, n_elems, n));
        check_near("add", a.get(), want, NEAR, NEAR);
    }
    {
        std::vector<float> want(n * 150);
        device_array<float> both(std::vector<float>(&x[0], &x[n * 300])), h(n * 150);
        for (size_t t = 0; t < n; t++) {
            std::copy(&x[t * 300], &x[t * 300 + 150], &want[t * 150]);
            reference()->silu_mul(&want[t * 150], &x[t * 300 + 150], 150);
        }
        CUDA_OK(cuda_swiglu_joined(NULL, both.data, 150, n, h.data));
        check_near("joined swiglu", h.get(), want, NEAR, NEAR);
    }
    {
        std::vector<uint32_t> rows = {2, 0, 0, 1, 2};
        for (uint32_t &r : rows)
            r %= (uint32_t)n;
        device_array<uint32_t> rows_there(rows);
        device_array<float> out(5 * n_elems);
        std::vector<float> want;
        for (const uint32_t r : rows)
            want.insert(want.end(), &y[r * n_elems], &y[r * n_elems] + n_elems);
        CUDA_OK(cuda_gather(NULL, y_there.data, rows_there.data, 5, n_elems, out.data));
        check_equal("gather", out.get(), want);
    }
}

static void
elementwise_steps_are_the_reference(void **)
{
    check_elementwise_steps(1);
    check_elementwise_steps(3);
}

static void
rounding_is_to_nearest_and_stays_finite(void **)
{
    const std::vector<float> x = {0.0f, 1.0f, -1.00049f, 65519.0f, 1e9f, -1e30f, 6e-8f, 0.1f};
    device_array<float> there(x);
    device_array<uint16_t> out(8);
    CUDA_OK(cuda_round(NULL, there.data, 4, 4, 2, CUDA_F16, out.data));
    const std::vector<uint16_t> got = out.get();
    for (size_t i = 0; i < x.size(); i++)
        assert_int_equal(got[i],
                         engine_half_from_float(std::fmin(std::fmax(x[i], -65504.0f), 65504.0f)));
}

static void
pooling_is_a_mean_or_the_first_row(void **)
{
    check_random random(4);
    const std::vector<uint32_t> first = {0, 1, 6, 8};
    const size_t d = 70;
    const std::vector<float> x = random.numbers(8 * d);
    device_array<uint32_t> first_there(first);
    device_array<float> there(x), out(3 * d);
    for (int kind = 0; kind < 4; kind++) {
        std::vector<float> want(3 * d);
        for (size_t t = 0; t < 3; t++) {
            double squares = 0.0;
            for (size_t i = 0; i < d; i++) {
                double sum = 0.0;
                const size_t end = kind & 1 ? first[t + 1] : first[t] + 1;
                for (size_t r = first[t]; r < end; r++)
                    sum += (double)x[r * d + i];
                want[t * d + i] = (float)(sum / (double)(end - first[t]));
                squares += (double)want[t * d + i] * (double)want[t * d + i];
            }
            for (size_t i = 0; i < d && (kind & 2); i++)
                want[t * d + i] /= (float)std::sqrt(squares);
        }
        CUDA_OK(cuda_pool(NULL, there.data, first_there.data, 3, d, kind & 1, kind & 2, out.data));
        check_near("pool", out.get(), want, NEAR, NEAR);
    }
}

/* ---- routing ---- */

static void
check_route(check_random &random, const lode_cuda_router &r, size_t n, float most = 5.0f)
{
    const engine_router here = {r.n_experts,         r.n_used,    r.n_groups,
                                (engine_gate)r.gate, r.normalize, r.scale};
    std::vector<float> logits = random.numbers(n * r.n_experts, most);
    if (r.n_experts > 8 && most < 6.0f)
        logits[3] = logits[5] = 6.0f; /* equal: the lower index first */
    std::vector<float> weights(n * r.n_used);
    std::vector<int32_t> chosen(n * r.n_used);
    device_array<float> logits_there(logits), weights_there(n * r.n_used);
    device_array<int32_t> chosen_there(n * r.n_used);

    for (size_t t = 0; t < n; t++)
        engine_route(&here, reference(), &logits[t * r.n_experts], &chosen[t * r.n_used],
                     &weights[t * r.n_used]);
    CUDA_OK(cuda_route(NULL, &r, logits_there.data, n, chosen_there.data, weights_there.data));
    assert_true(chosen_there.get() == chosen);
    check_near("weights", weights_there.get(), weights, 1e-7f, NEAR);
}

static void
routing_is_the_reference_for_every_gate(void **)
{
    check_random random(5);
    for (int gate = 0; gate < 3; gate++)
        for (int normalize = 0; normalize < 2; normalize++) {
            check_route(random, {128, 8, 1, gate, normalize, 1.0f}, 5);
            check_route(random, {8, 2, 1, gate, normalize, 2.5f}, 1);
            check_route(random, {60, 60, 1, gate, normalize, 1.0f}, 2);
            check_route(random, {512, 8, 8, gate, normalize, 1.0f}, 3); /* the best of each group */
            check_route(random, {33, 6, 3, gate, normalize, 1.0f}, 7);
            check_route(random, {128, 8, 1, gate, normalize, 1.0f}, 5, 500.0f); /* exp overflows */
        }
}

static void
slots_are_sorted_by_expert_and_joined_in_order(void **)
{
    check_random random(6);
    for (const size_t n : {(size_t)1, (size_t)9, (size_t)700}) {
        const uint32_t n_used = 3, n_experts = 70;
        const size_t n_slots = n * n_used, d = 5;
        std::vector<int32_t> chosen(n_slots);
        for (int32_t &c : chosen)
            c = random.below(2) ? 69 : (int32_t)random.below(n_experts);
        device_array<int32_t> chosen_there(chosen);
        device_array<uint32_t> start(n_experts + 1), row(n_slots), place(n_slots);
        CUDA_OK(cuda_sort_experts(NULL, chosen_there.data, n, n_used, n_experts, start.data,
                                  row.data, place.data));
        std::vector<uint32_t> s = start.get(), r = row.get(), p = place.get();
        std::vector<uint32_t> next(s.begin(), s.end() - 1);
        assert_int_equal(s[0], 0);
        assert_int_equal(s[n_experts], n_slots);
        for (size_t i = 0; i < n_slots; i++) {
            assert_int_equal(p[i], next[(size_t)chosen[i]]++);
            assert_int_equal(r[p[i]], i / n_used);
        }
        for (size_t e = 0; e < n_experts; e++)
            assert_int_equal(next[e], s[e + 1]);

        const std::vector<float> out = random.numbers(n_slots * d), w = random.numbers(n_slots),
                                 y = random.numbers(n * d);
        std::vector<float> want = y;
        for (size_t t = 0; t < n; t++)
            for (size_t j = 0; j < n_used; j++)
                reference()->blend(&want[t * d], 1.0f, &out[p[t * n_used + j] * d],
                                   w[t * n_used + j], d);
        device_array<float> out_there(out), w_there(w), y_there(y);
        CUDA_OK(cuda_join_experts(NULL, out_there.data, place.data, w_there.data, n_used, d, n,
                                  y_there.data));
        check_near("joined", y_there.get(), want, 1e-6f, 1e-6f);
    }
}

static void
top_k_is_a_sort(void **)
{
    check_random random(7);
    for (int round = 0; round < 12; round++) {
        const uint32_t n_elems = round == 0   ? 1
                                 : round == 1 ? 2000
                                 : round == 2 ? 700
                                              : 1 + random.below(3000);
        const uint32_t k = round == 1   ? CUDA_TOP_K
                           : round == 2 ? n_elems
                                        : 1 + random.below(n_elems < 100 ? n_elems : 100);
        const uint32_t n = 1 + random.below(3);
        const size_t ldx = n_elems + 2;
        std::vector<float> x = random.numbers(n * ldx, 10.0f);
        if (round % 2)
            for (float &f : x)
                f = std::round(f); /* many equal ones, and both zeros */
        if (round == 4) x[n_elems / 2] = NAN, x[0] = -INFINITY;
        device_array<float> there(x), values(n * k);
        device_array<int32_t> indices(n * k);
        CUDA_OK(cuda_top_k(NULL, there.data, ldx, n_elems, n, k, values.data, indices.data));
        const std::vector<int32_t> got = indices.get();
        const std::vector<float> got_values = values.get();
        for (size_t t = 0; t < n; t++) {
            const float *row = &x[t * ldx];
            std::vector<int32_t> order(n_elems);
            for (uint32_t i = 0; i < n_elems; i++)
                order[i] = (int32_t)i;
            std::stable_sort(order.begin(), order.end(), [row](int32_t a, int32_t b) {
                return std::isnan(row[b]) ? !std::isnan(row[a]) : row[a] > row[b];
            });
            for (size_t i = 0; i < k; i++) {
                assert_int_equal(got[t * k + i], order[i]);
                const float want = row[order[i]];
                assert_true(got_values[t * k + i] == want || std::isnan(want));
            }
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rms_norm_is_the_reference_with_and_without_a_sum),
        cmocka_unit_test(layer_norm_is_the_reference),
        cmocka_unit_test(elementwise_steps_are_the_reference),
        cmocka_unit_test(rounding_is_to_nearest_and_stays_finite),
        cmocka_unit_test(pooling_is_a_mean_or_the_first_row),
        cmocka_unit_test(routing_is_the_reference_for_every_gate),
        cmocka_unit_test(slots_are_sorted_by_expert_and_joined_in_order),
        cmocka_unit_test(top_k_is_a_sort),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

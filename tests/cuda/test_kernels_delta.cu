/* The gated delta rule on the device against delta.c. */
#include "kernels_check.h"

#include "engine/backend.h"

#include <algorithm>
#include <memory>

struct delta_case {
    engine_delta_shape shape;
    std::vector<float> conv_weights, decay, dt_bias, norm;
    float push = 0.0f;   /* on what beta is the sigmoid of */
    bool repeat = false; /* the same token again and again */

    delta_case(check_random &random, uint32_t n_k, uint32_t n_v, uint32_t d_k, uint32_t d_v,
               uint32_t kernel, bool tiled)
        : shape(), conv_weights(), decay(), dt_bias(), norm()
    {
        const uint32_t ratio = n_v / n_k;
        shape.n_k = n_k;
        shape.n_v = n_v;
        shape.d_k = d_k;
        shape.d_v = d_v;
        shape.kernel = kernel;
        shape.tiled = tiled;
        shape.n_channels = 2 * n_k * d_k + n_v * d_v;
        /* a row: for each key head its query, key, values, gates z; then betas and alphas */
        const uint32_t group = 2 * d_k + 2 * ratio * d_v;
        shape.q = 0;
        shape.k = d_k;
        shape.v = 2 * d_k;
        shape.z = 2 * d_k + ratio * d_v;
        shape.q_head = shape.k_head = shape.v_group = shape.z_group = group;
        shape.v_head = shape.z_head = d_v;
        shape.beta = n_k * group;
        shape.alpha = shape.beta + n_v;
        shape.beta_group = shape.alpha_group = ratio;
        shape.width = shape.alpha + n_v + 1;
        conv_weights = random.numbers((size_t)kernel * shape.n_channels);
        decay = random.numbers(n_v);
        for (float &f : decay)
            f = -std::fabs(f);
        dt_bias = random.numbers(n_v);
        norm = random.numbers(d_v);
    }
    /* n projected rows */
    std::vector<float>
    rows(check_random &random, size_t n) const
    {
        std::vector<float> raw = random.numbers(n * shape.width, 2.0f);
        for (size_t t = 1; repeat && t < n; t++)
            std::copy_n(raw.begin(), shape.width, raw.begin() + (ptrdiff_t)(t * shape.width));
        for (size_t t = 0; t < n; t++)
            for (uint32_t h = 0; h < shape.n_v; h++)
                raw[t * shape.width + shape.beta + h] += push;
        return raw;
    }
};

struct delta_arrays {
    device_array<float> conv_weights, decay, dt_bias, norm, raw, conv, gates, conv_state, state,
        out;

    delta_arrays(const delta_case &c, const std::vector<float> &raw_,
                 const std::vector<float> &window, const std::vector<float> &state_, size_t n)
        : conv_weights(c.conv_weights), decay(c.decay), dt_bias(c.dt_bias), norm(c.norm), raw(raw_),
          conv(n * c.shape.n_channels), gates(n * 2 * c.shape.n_v), conv_state(window),
          state(state_), out(n * c.shape.n_v * c.shape.d_v)
    {
    }
    void
    begin_again(const std::vector<float> &window, const std::vector<float> &before)
    {
        conv_state.set(window);
        state.set(before);
    }
    /* rows first .. first+n-1 */
    void
    run(const delta_case &c, size_t first, size_t n, bool chunked = true)
    {
        device_array<float> wedges(chunked ? n * c.shape.n_v * CUDA_DELTA_CHUNK : 1);
        run_with(c, first, n, chunked ? wedges.data : NULL);
    }
    void
    run_with(const delta_case &c, size_t first, size_t n, float *wedges)
    {
        const engine_delta_shape &s = c.shape;
        lode_cuda_delta d = {};
        d.n_k = s.n_k;
        d.n_v = s.n_v;
        d.d_k = s.d_k;
        d.d_v = s.d_v;
        d.kernel = s.kernel;
        d.n_channels = s.n_channels;
        d.width = s.width;
        d.tiled = s.tiled;
        d.q_at = s.q;
        d.q_head = s.q_head;
        d.k_at = s.k;
        d.k_head = s.k_head;
        d.v_at = s.v;
        d.v_group = s.v_group;
        d.v_head = s.v_head;
        d.z_at = s.z;
        d.z_group = s.z_group;
        d.z_head = s.z_head;
        d.beta = s.beta;
        d.beta_group = s.beta_group;
        d.alpha = s.alpha;
        d.alpha_group = s.alpha_group;
        d.conv_weights = conv_weights.data;
        d.decay = decay.data;
        d.dt_bias = dt_bias.data;
        d.norm = norm.data;
        d.eps = 1e-6f;
        d.raw = raw.data + first * s.width;
        d.conv = conv.data;
        d.gates = gates.data;
        d.conv_state = conv_state.data;
        d.state = state.data;
        d.out = out.data + first * s.n_v * s.d_v;
        CUDA_OK(cuda_delta(NULL, &d, n, wedges));
    }
};

static void
check_delta(check_random &random, const delta_case &c, size_t n)
{
    const engine_delta_shape &s = c.shape;
    const std::vector<float> raw = c.rows(random, n);
    std::vector<float> window = random.numbers((s.kernel - 1) * (size_t)s.n_channels),
                       state = random.numbers((size_t)s.n_v * s.d_k * s.d_v);
    const std::vector<float> window_before = window, state_before = state;
    delta_arrays whole(c, raw, window, state, n), parts(c, raw, window, state, n);
    std::vector<float> conv(n * s.n_channels), gates(n * 2 * s.n_v), out(n * s.n_v * s.d_v);
    engine_delta_layer layer = {};
    engine_delta_job job = {};

    layer.conv = c.conv_weights.data();
    layer.decay = c.decay.data();
    layer.dt_bias = c.dt_bias.data();
    layer.norm = c.norm.data();
    job.shape = &s;
    job.layer = &layer;
    job.eps = 1e-6f;
    job.raw = raw.data();
    job.conv = conv.data();
    job.gates = gates.data();
    job.conv_state = window.data();
    job.state = state.data();
    job.out = out.data();
    const engine_kernels *reference = engine_kernels_lookup(ENGINE_CPU_SCALAR);
    for (size_t t = 0; t < n; t++)
        engine_delta_row(reference, &job, t);
    for (uint32_t h = 0; h < s.n_v; h++)
        engine_delta_head(reference, &job, n, h);
    engine_delta_shift(&job, n);

    whole.run(c, 0, n);
    check_near("out", whole.out.get(), out, 2e-4f, 2e-4f);
    check_near("state", whole.state.get(), state, 1e-4f, 1e-4f);
    check_equal("window", whole.conv_state.get(), window);

    /* In pieces, each with what the one before has left: chunks begin where a piece does, so that sums may be taken in
     * another order; where no chunk is taken by either, the bytes are the same. */
    const size_t cut = n / 3;
    parts.run(c, 0, cut);
    parts.run(c, cut, n - cut);
    check_equal("window in pieces", parts.conv_state.get(), window);
    if (n < CUDA_DELTA_CHUNK) {
        check_equal("out in pieces", parts.out.get(), whole.out.get());
        check_equal("state in pieces", parts.state.get(), whole.state.get());
        return;
    }
    check_near("out in pieces", parts.out.get(), whole.out.get(), 1e-4f, 1e-4f);
    check_near("state in pieces", parts.state.get(), whole.state.get(), 2e-5f, 2e-5f);
    if (n >= 2 * CUDA_DELTA_CHUNK) { /* pieces of whole chunks are the chunks themselves */
        parts.begin_again(window_before, state_before);
        parts.run(c, 0, CUDA_DELTA_CHUNK);
        parts.run(c, CUDA_DELTA_CHUNK, n - CUDA_DELTA_CHUNK);
        check_equal("out in whole chunks", parts.out.get(), whole.out.get());
        check_equal("state in whole chunks", parts.state.get(), whole.state.get());
    }
    /* and token by token */
    parts.begin_again(window_before, state_before);
    parts.run(c, 0, n, false);
    check_near("out token by token", whole.out.get(), parts.out.get(), 1e-4f, 1e-4f);
    check_near("state token by token", whole.state.get(), parts.state.get(), 2e-5f, 2e-5f);
}

static void
the_rule_is_the_reference_and_may_be_cut_anywhere(void **)
{
    check_random random(1);
    check_delta(random, delta_case(random, 2, 4, 16, 16, 4, false), 1);
    check_delta(random, delta_case(random, 2, 4, 16, 40, 4, true), 7);
    check_delta(random, delta_case(random, 1, 2, 128, 128, 4, false), 9);
    check_delta(random, delta_case(random, 1, 1, 256, 33, 2, false), 3);
    check_delta(random, delta_case(random, 3, 3, 24, 20, 6, false), 4);
}

static void
chunks_are_the_reference_at_every_length(void **)
{
    check_random random(2);
    for (const size_t n : {1, 63, 64, 65, 127, 128, 200})
        check_delta(random, delta_case(random, 2, 4, 32, 24, 4, n % 2 == 0), n);
    check_delta(random, delta_case(random, 1, 2, 64, 64, 4, false), 64);
    check_delta(random, delta_case(random, 1, 2, 80, 80, 4, true), 65);
    check_delta(random, delta_case(random, 1, 1, 96, 96, 4, false), 127);
    check_delta(random, delta_case(random, 1, 2, 128, 128, 4, false), 130);
    check_delta(random, delta_case(random, 1, 1, 256, 256, 4, false), 66);
    check_delta(random, delta_case(random, 3, 6, 20, 33, 1, true), 100);
}

/* Heads that forget nothing, everything at once (a decay that is 0 in float32), and some; that write nothing or all. */
static void
chunks_stand_gates_near_0_and_1(void **)
{
    check_random random(3);
    for (const float decay : {0.0f, -1e-6f, -0.05f, -30.0f, -1e4f})
        for (const float push : {-30.0f, 0.0f, 30.0f}) {
            delta_case c(random, 2, 4, 32, 32, 4, false);
            c.decay.assign(4, decay);
            c.decay[1] = -0.01f;
            c.push = push;
            check_delta(random, c, 130);
        }
}

/* Tokens that are all alike make the triangular system as far from the identity as it gets: every product of keys is 1. */
static void
chunks_stand_a_repeated_token(void **)
{
    check_random random(4);
    delta_case c(random, 1, 2, 64, 32, 4, false);
    c.decay.assign(2, -1e-5f);
    c.push = 30.0f;
    c.repeat = true;
    check_delta(random, c, 192);
}

/* What one sequence leaves behind is nobody else's: each is what it is alone, in whatever order they take turns. */
static void
sequences_of_a_batch_do_not_meet(void **)
{
    check_random random(5);
    const delta_case c(random, 2, 4, 32, 40, 4, false);
    const engine_delta_shape &s = c.shape;
    const size_t lengths[] = {70, 5, 129};
    std::vector<std::unique_ptr<delta_arrays>> alone, together;

    for (const size_t n : lengths) {
        const std::vector<float> raw = random.numbers(n * s.width, 2.0f),
                                 window = random.numbers((s.kernel - 1) * (size_t)s.n_channels),
                                 state = random.numbers((size_t)s.n_v * s.d_k * s.d_v);
        alone.push_back(std::make_unique<delta_arrays>(c, raw, window, state, n));
        together.push_back(std::make_unique<delta_arrays>(c, raw, window, state, n));
    }
    device_array<float> wedges(129 * s.n_v * CUDA_DELTA_CHUNK); /* shared, as a queue's is */
    for (size_t i = 0; i < 3; i++)
        alone[i]->run(c, 0, lengths[i]);
    for (const size_t i : {2, 0, 1})
        together[i]->run_with(c, 0, lengths[i], wedges.data);
    for (size_t i = 0; i < 3; i++) {
        check_equal("out", together[i]->out.get(), alone[i]->out.get());
        check_equal("state", together[i]->state.get(), alone[i]->state.get());
        check_equal("window", together[i]->conv_state.get(), alone[i]->conv_state.get());
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rule_is_the_reference_and_may_be_cut_anywhere),
        cmocka_unit_test(chunks_are_the_reference_at_every_length),
        cmocka_unit_test(chunks_stand_gates_near_0_and_1),
        cmocka_unit_test(chunks_stand_a_repeated_token),
        cmocka_unit_test(sequences_of_a_batch_do_not_meet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

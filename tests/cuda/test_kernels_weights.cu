/* Packed weights on the device against dequant.c: expanded, embedded, multiplied with few rows and with many. */
#include "kernels_check.h"

#include <cstring>

struct matrix_case {
    std::vector<uint8_t> packed;
    std::vector<float> values, scales; /* values with the scales applied */
    device_array<uint8_t> data;
    device_array<float> scales_there;
    lode_cuda_matrix w;

    matrix_case(check_random &random, uint32_t type, uint32_t n_in, uint32_t n_out,
                uint32_t block = 0)
        : packed(check_packed(random, type, n_out, n_in)),
          values(check_expanded(type, packed, n_out, n_in)),
          scales(block ? random.numbers((size_t)((n_in + block - 1) / block) *
                                        ((n_out + block - 1) / block))
                       : std::vector<float>()),
          data(packed), scales_there(scales), w()
    {
        w.data = data.data;
        w.type = type;
        w.n_in = n_in;
        w.n_out = n_out;
        if (!block) return;
        w.scales = scales_there.data;
        w.scale_rows = w.scale_cols = block;
        for (size_t r = 0; r < n_out; r++)
            for (size_t c = 0; c < n_in; c++)
                values[r * n_in + c] *=
                    scales[r / block * ((n_in + block - 1) / block) + c / block];
    }
};

/* A row length of some blocks that is no multiple of much else. */
static uint32_t
odd_length(check_random &random, uint32_t type)
{
    const uint32_t block = engine_type_lookup(type)->block_elems;
    return block == 1 ? 1 + random.below(700) : block * (1 + random.below(block == 32 ? 30 : 5));
}

static float
float_of(uint32_t bits)
{
    float f;
    std::memcpy(&f, &bits, sizeof f);
    return f;
}

static void
rows_expand_to_the_reference(void **)
{
    check_random random(1);
    for (const uint32_t type : CHECK_TYPES) {
        for (int round = 0; round < 3; round++) {
            const uint32_t n_in = odd_length(random, type), n_out = 1 + random.below(5);
            matrix_case c(random, type, n_in, n_out,
                          type >= CUDA_F8_E4M3 ? 1 + random.below(128) : 0);
            device_array<float> floats(c.values.size());
            device_array<uint16_t> halves(c.values.size()), brains(c.values.size());
            assert_int_equal(cuda_row_bytes(type, n_in) * n_out, c.packed.size());
            CUDA_OK(cuda_dequantize(NULL, &c.w, 0, n_out, CUDA_F32, floats.data));
            CUDA_OK(cuda_dequantize(NULL, &c.w, 0, n_out, CUDA_F16, halves.data));
            CUDA_OK(cuda_dequantize(NULL, &c.w, 0, n_out, CUDA_BF16, brains.data));
            check_near(engine_type_lookup(type)->name, floats.get(), c.values, 2e-6f, 1e-6f);
            const std::vector<uint16_t> h = halves.get(), b = brains.get();
            const std::vector<float> f = floats.get();
            for (size_t i = 0; i < h.size(); i++) {
                assert_int_equal(h[i], engine_half_from_float(f[i]));
                const float back = float_of((uint32_t)b[i] << 16);
                assert_true(std::fabs(back - f[i]) <= std::fabs(f[i]) * 0x1p-8f + 0x1p-126f);
            }
        }
    }
}

static void
embedding_takes_rows_by_token(void **)
{
    check_random random(2);
    for (const uint32_t type : CHECK_TYPES) {
        const uint32_t n_in = odd_length(random, type), ldx = n_in + 3;
        matrix_case c(random, type, n_in, 7);
        const std::vector<int32_t> tokens = {6, 0, 3, 3};
        device_array<int32_t> there(tokens);
        device_array<float> x(std::vector<float>(4 * ldx, -7.0f));
        CUDA_OK(cuda_embed(NULL, &c.w, there.data, 4, x.data, ldx));
        const std::vector<float> got = x.get();
        for (size_t t = 0; t < 4; t++)
            for (size_t i = 0; i < ldx; i++) {
                const float want = i < n_in ? c.values[(size_t)tokens[t] * n_in + i] : -7.0f;
                assert_true(std::fabs(got[t * ldx + i] - want) <= 2e-6f);
            }
    }
}

/* y row t, output r within `tolerance` of the sum of magnitudes, which a sum's rounding is measured by. */
static void
check_products(const char *what, const matrix_case &c, const float *x, size_t ldx,
               const float *bias, const float *y, size_t ldy, size_t n, float tolerance)
{
    for (size_t t = 0; t < n; t++)
        for (size_t r = 0; r < c.w.n_out; r++) {
            double sum = bias ? (double)bias[r] : 0.0, size = std::fabs(sum);
            for (size_t i = 0; i < c.w.n_in; i++) {
                const double p = (double)x[t * ldx + i] * (double)c.values[r * c.w.n_in + i];
                sum += p;
                size += std::fabs(p);
            }
            if (!(std::fabs((double)y[t * ldy + r] - sum) <= (double)tolerance * size + 1e-7))
                fail_msg("%s: row %zu output %zu is %g, not %g", what, t, r, (double)y[t * ldy + r],
                         sum);
        }
}

#define EXACT  2e-6f    /* of float32 products and sums */
#define HALVES 0x1p-10f /* of both factors rounded to half */
#define BRAINS 0x1p-7f

static void
few_rows_multiply_as_the_reference(void **)
{
    check_random random(3);
    for (const uint32_t type : CHECK_TYPES) {
        for (uint32_t n = 1; n <= CUDA_GEMV_ROWS; n += n < 3 ? 1 : 2) {
            const uint32_t n_in = odd_length(random, type), n_out = 1 + random.below(21);
            const size_t ldx = n_in + random.below(3), ldy = n_out + random.below(3);
            matrix_case c(random, type, n_in, n_out, type >= CUDA_F8_E4M3 ? 128 : 0);
            const std::vector<float> x = random.numbers(n * ldx), bias = random.numbers(n_out);
            device_array<float> x_there(x), bias_there(bias), y(n * ldy);
            const bool biased = random.below(2) > 0;
            CUDA_OK(cuda_gemv(NULL, &c.w, biased ? bias_there.data : NULL, x_there.data, ldx, n,
                              y.data, ldy));
            check_products(engine_type_lookup(type)->name, c, x.data(), ldx,
                           biased ? bias.data() : NULL, y.get().data(), ldy, n, EXACT);
        }
    }
}

static void
a_rows_product_does_not_depend_on_its_neighbours(void **)
{
    check_random random(4);
    matrix_case c(random, CUDA_Q4_K, 512, 19);
    const std::vector<float> x = random.numbers(8 * 512);
    device_array<float> x_there(x), all(8 * 19), one(19);
    CUDA_OK(cuda_gemv(NULL, &c.w, NULL, x_there.data, 512, 8, all.data, 19));
    const std::vector<float> together = all.get();
    for (size_t t = 0; t < 8; t++) {
        CUDA_OK(cuda_gemv(NULL, &c.w, NULL, x_there.data + t * 512, 512, 1, one.data, 19));
        check_equal("alone", one.get(),
                    std::vector<float>(together.begin() + (long)t * 19,
                                       together.begin() + (long)(t + 1) * 19));
    }
}

static void
many_rows_multiply_on_tensor_cores(void **)
{
    check_random random(5);
    for (const uint32_t type : CHECK_TYPES) {
        const uint32_t n_in = odd_length(random, type), n_out = 1 + random.below(90),
                       n = 1 + random.below(80);
        const size_t ldx = n_in + 1, ldy = n_out + 2;
        matrix_case c(random, type, n_in, n_out, type >= CUDA_F8_E4M3 ? 128 : 0);
        const std::vector<float> x = random.numbers(n * ldx), bias = random.numbers(n_out);
        device_array<float> x_there(x), bias_there(bias), y(n * ldy);
        CUDA_OK(cuda_gemm_fused(NULL, &c.w, bias_there.data, x_there.data, ldx, n, y.data, ldy));
        check_products(engine_type_lookup(type)->name, c, x.data(), ldx, bias.data(),
                       y.get().data(), ldy, n, type == CUDA_BF16 ? BRAINS : HALVES);
    }
}

/* Five experts, of which one has no slot and one most of them. */
struct experts_case {
    std::vector<matrix_case *> experts;
    std::vector<int32_t> chosen;
    size_t n, n_used;
    device_array<const void *> matrices;
    device_array<const float *> scales;

    experts_case(check_random &random, uint32_t type, uint32_t n_in, uint32_t n_out, size_t n_,
                 size_t n_used_)
        : n(n_), n_used(n_used_), matrices(5), scales(5)
    {
        std::vector<const void *> data;
        std::vector<const float *> factors;
        for (int e = 0; e < 5; e++) {
            experts.push_back(
                new matrix_case(random, type, n_in, n_out, type >= CUDA_F8_E4M3 ? 16 : 0));
            data.push_back(experts.back()->w.data);
            factors.push_back(experts.back()->w.scales);
        }
        matrices.set(data);
        scales.set(factors);
        for (size_t i = 0; i < n * n_used; i++) {
            const uint32_t r = random.below(8);
            chosen.push_back(r == 2 ? 0 : r > 4 ? 4 : (int32_t)r); /* never 2 */
        }
    }
    ~experts_case()
    {
        for (matrix_case *c : experts)
            delete c;
    }
};

static void
each_slot_multiplies_with_its_expert(void **)
{
    check_random random(6);
    for (const uint32_t type :
         {(uint32_t)CUDA_Q6_K, (uint32_t)CUDA_MXFP4, (uint32_t)CUDA_F8_E4M3}) {
        const uint32_t n_in = odd_length(random, type), n_out = 13;
        experts_case e(random, type, n_in, n_out, 5, 3);
        const std::vector<float> x = random.numbers(5 * n_in);
        device_array<float> x_there(x), y(15 * n_out);
        device_array<int32_t> chosen(e.chosen);
        CUDA_OK(cuda_gemv_experts(NULL, &e.experts[0]->w, e.matrices.data, e.scales.data,
                                  chosen.data, 15, 3, x_there.data, y.data));
        const std::vector<float> got = y.get();
        for (size_t i = 0; i < 15; i++)
            check_products("expert", *e.experts[(size_t)e.chosen[i]], &x[i / 3 * n_in], n_in, NULL,
                           &got[i * n_out], n_out, 1, EXACT);
    }
}

/* More slots than a launch takes: its grid ends. */
static void
very_many_slots_take_several_launches(void **)
{
    check_random random(12);
    const size_t n = 11000, n_slots = 3 * n;
    const uint32_t n_in = 32, n_out = 1;
    experts_case e(random, CUDA_Q4_0, n_in, n_out, n, 3);
    const std::vector<float> x = random.numbers(n * n_in);
    device_array<float> x_there(x), y(n_slots * n_out);
    device_array<int32_t> chosen(e.chosen);

    CUDA_OK(cuda_gemv_experts(NULL, &e.experts[0]->w, e.matrices.data, e.scales.data, chosen.data,
                              n_slots, 3, x_there.data, y.data));
    const std::vector<float> got = y.get();
    for (size_t i = 0; i < n_slots; i += i < 32000 ? 997 : 1)
        check_products("expert", *e.experts[(size_t)e.chosen[i]], &x[i / 3 * n_in], n_in, NULL,
                       &got[i * n_out], n_out, 1, EXACT);
}

static void
sorted_slots_multiply_expert_by_expert(void **)
{
    check_random random(7);
    for (const size_t n : {(size_t)1, (size_t)67}) {
        const uint32_t n_in = 96, n_out = 70;
        experts_case e(random, CUDA_Q5_0, n_in, n_out, n, 2);
        const std::vector<float> x = random.numbers(n * n_in);
        device_array<float> x_there(x), y(2 * n * n_out);
        device_array<int32_t> chosen(e.chosen);
        device_array<uint32_t> start(6), row(2 * n), place(2 * n);
        CUDA_OK(cuda_sort_experts(NULL, chosen.data, n, 2, 5, start.data, row.data, place.data));
        CUDA_OK(cuda_gemm_experts(NULL, &e.experts[0]->w, e.matrices.data, NULL, start.data, 5,
                                  2 * n, row.data, x_there.data, y.data));
        const std::vector<float> got = y.get();
        const std::vector<uint32_t> places = place.get();
        for (size_t i = 0; i < 2 * n; i++)
            check_products("sorted", *e.experts[(size_t)e.chosen[i]], &x[i / 2 * n_in], n_in, NULL,
                           &got[places[i] * n_out], n_out, 1, HALVES);
    }
}

/* ---- the table's choice for many rows: cuBLAS, behind tiles of expanded weights ---- */

struct table_queue {
    const lode_cuda_compute *table;
    lode_cuda_device *device;
    lode_cuda_queue *queue;
    char error[LODE_CUDA_ERROR];

    explicit table_queue(const lode_cuda_sizes &sizes)
        : table(lode_cuda_compute_get()), device(NULL), queue(NULL), error()
    {
        if (table->device_open(0, 0, &device, error) != LODE_CUDA_OK ||
            table->queue_open(device, &sizes, &queue, error) != LODE_CUDA_OK)
            fail_msg("%s", error);
    }
    table_queue(const table_queue &) = delete;
    ~table_queue()
    {
        table->queue_close(queue);
        table->device_close(device);
    }
};

/* Two products of the same rows, one with a bias; tiles of three rows of the weights, the last one shorter. */
static void
many_rows_multiply_tile_by_tile(void **)
{
    check_random random(8);
    for (const uint32_t type : CHECK_TYPES) {
        const uint32_t n_in = engine_type_lookup(type)->block_elems > 32 ? 256 : 64, n_out = 20;
        const uint32_t block = type == CUDA_F8_E4M3 ? 32 : 0;
        const size_t n = 67, ldy = n_out + 3;
        const std::vector<float> x = random.numbers(n * n_in), bias = random.numbers(n_out);
        matrix_case a(random, type, n_in, n_out, block), b(random, type, n_in, n_out - 7, block);
        lode_cuda_sizes sizes = {};
        sizes.max_rows = (uint32_t)n;
        sizes.max_in = n_in;
        sizes.max_weights = 3 * n_in / (type == CUDA_F32 || type == CUDA_BF16 ? 1 : 2);
        table_queue q(sizes);
        device_array<float> x_there(x), bias_there(bias), first(n * ldy), second(n * b.w.n_out);
        const lode_cuda_product products[] = {{&a.w, bias_there.data, first.data, ldy},
                                              {&b.w, NULL, second.data, b.w.n_out}};
        if (q.table->project(q.queue, x_there.data, n, products, 2, q.error) != LODE_CUDA_OK ||
            q.table->wait(q.queue, q.error) != LODE_CUDA_OK)
            fail_msg("%s", q.error);
        const float tolerance = type == CUDA_F32 ? EXACT : type == CUDA_BF16 ? BRAINS : HALVES;
        check_products("tiles", a, x.data(), n_in, bias.data(), first.get().data(), ldy, n,
                       tolerance);
        check_products("tiles", b, x.data(), n_in, NULL, second.get().data(), b.w.n_out, n,
                       tolerance);
    }
}

/* One row through its experts, in doubles. */
static std::vector<double>
experts_of_row(const experts_case &gate, const experts_case &up, const experts_case &down,
               size_t row, uint32_t n_used, const float *x, const float *weights)
{
    const uint32_t n_in = gate.experts[0]->w.n_in, n_ff = gate.experts[0]->w.n_out;
    std::vector<double> y(n_in, 0.0), hidden(n_ff);

    for (uint32_t j = 0; j < n_used; j++) {
        const size_t e = (size_t)gate.chosen[row * n_used + j];
        for (uint32_t f = 0; f < n_ff; f++) {
            double g = 0.0, u = 0.0;
            for (uint32_t i = 0; i < n_in; i++) {
                g += (double)gate.experts[e]->values[f * n_in + i] * (double)x[i];
                u += (double)up.experts[e]->values[f * n_in + i] * (double)x[i];
            }
            hidden[f] = g / (1.0 + std::exp(-g)) * u;
        }
        for (uint32_t i = 0; i < n_in; i++)
            for (uint32_t f = 0; f < n_ff; f++)
                y[i] += (double)weights[row * n_used + j] *
                        (double)down.experts[e]->values[i * n_ff + f] * hidden[f];
    }
    return y;
}

/* Few, some and so many slots that each expert is a product of cuBLAS's. */
static void
rows_go_through_their_experts(void **)
{
    check_random random(9);
    const uint32_t n_in = 32, n_ff = 64, n_used = 2;
    for (const uint32_t type : {CUDA_Q8_0, CUDA_F32})
        for (const size_t n : {(size_t)3, (size_t)40, (size_t)170}) {
            const experts_case gate(random, type, n_in, n_ff, n, n_used),
                up(random, type, n_in, n_ff, n, n_used), down(random, type, n_ff, n_in, n, n_used);
            const std::vector<float> x = random.numbers(n * n_in), w = random.numbers(n * n_used),
                                     before = random.numbers(n * n_in);
            device_array<float> x_there(x), w_there(w), y(before);
            device_array<int32_t> chosen(gate.chosen);
            lode_cuda_sizes sizes = {};
            sizes.max_rows = (uint32_t)n;
            sizes.max_in = sizes.max_ff = n_ff;
            sizes.max_weights = 5 * n_ff;
            sizes.max_slots = (uint32_t)n * n_used;
            sizes.n_embd = n_in;
            sizes.max_experts = (uint32_t)gate.experts.size();
            table_queue q(sizes);
            lode_cuda_experts job = {};
            job.gate = gate.experts[0]->w;
            job.up = up.experts[0]->w;
            job.down = down.experts[0]->w;
            job.gates = gate.matrices.data;
            job.ups = up.matrices.data;
            job.downs = down.matrices.data;
            job.n_experts = sizes.max_experts;
            job.n_used = n_used;
            job.n_ff = n_ff;
            job.chosen = chosen.data;
            job.weights = w_there.data;
#ifdef LODE_CUDA_EMULATED
            const uint64_t n_grouped = emulation_n_grouped();
#endif
            if (q.table->experts(q.queue, &job, x_there.data, n, y.data, q.error) != LODE_CUDA_OK ||
                q.table->wait(q.queue, q.error) != LODE_CUDA_OK)
                fail_msg("%s", q.error);
            const std::vector<float> got = y.get();
#ifdef LODE_CUDA_EMULATED /* gate, up and down of many rows in floats are a call each */
            assert_int_equal(emulation_n_grouped() - n_grouped,
                             type == CUDA_F32 && n > CUDA_GEMV_ROWS ? 3 : 0);
#endif
            double off = 0.0, most = 0.0;
            for (size_t t = 0; t<n; t += n> 100 ? 7 : 1) {
                const std::vector<double> want =
                    experts_of_row(gate, up, down, t, n_used, &x[t * n_in], w.data());
                for (uint32_t i = 0; i < n_in; i++) {
                    const double sum = want[i] + (double)before[t * n_in + i];
                    off = std::fmax(off, std::fabs((double)got[t * n_in + i] - sum));
                    most = std::fmax(most, std::fabs(sum));
                }
            }
            if (!(off <= (type == CUDA_F32 || n <= CUDA_GEMV_ROWS ? 1e-5 : 2e-3) * most))
                fail_msg("experts of type %u, %zu rows: off by %g of %g", type, n, off, most);
        }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_expand_to_the_reference),
        cmocka_unit_test(embedding_takes_rows_by_token),
        cmocka_unit_test(few_rows_multiply_as_the_reference),
        cmocka_unit_test(a_rows_product_does_not_depend_on_its_neighbours),
        cmocka_unit_test(many_rows_multiply_on_tensor_cores),
        cmocka_unit_test(each_slot_multiplies_with_its_expert),
        cmocka_unit_test(very_many_slots_take_several_launches),
        cmocka_unit_test(sorted_slots_multiply_expert_by_expert),
        cmocka_unit_test(many_rows_multiply_tile_by_tile),
        cmocka_unit_test(rows_go_through_their_experts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What a card does in each of our kernels, and what it could: one line each, for tests/bench/cuda/run.sh.
 *
 *   bench_cuda [tiny]     tiny: sizes for the emulated card, where the times mean nothing
 *
 * Lines of fields between tabs:
 *   card    name, multiprocessors, compute capability
 *   copy    host-to-card | card-to-host | on-card, bytes a second (on the card those read and those written)
 *   gemm    type, operations a second of cuBLAS with float32 sums; or none, and the reason
 *   kernel  name, shape, bytes that must move, operations for tensor cores, seconds
 * Weights are larger than a card's caches, so what is read comes from its memory. Seconds are the best of several
 * rounds between a stream's events, each of as many launches as take a while. */
#include "tests/cuda/kernels_check.h"

#include "engine/cuda/attention.h"
#include "engine/cuda/gemm.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>

static bool tiny;
static cudaStream_t stream;

/* a on a card, b on the emulated one */
static uint32_t
of(uint32_t a, uint32_t b)
{
    return tiny ? b : a;
}

/* Seconds of one launch. */
template <class WORK>
static double
seconds_of(WORK work)
{
    cudaEvent_t from, to;
    double best = INFINITY;
    int n = 1;

    CUDA_OK(cudaEventCreate(&from));
    CUDA_OK(cudaEventCreate(&to));
    CUDA_OK(work()); /* loads the code */
    CUDA_OK(cudaStreamSynchronize(stream));
    for (int round = 0; round < (tiny ? 1 : 6); round++) {
        float ms = 0.0f;
        CUDA_OK(cudaEventRecord(from, stream));
        for (int i = 0; i < n; i++)
            CUDA_OK(work());
        CUDA_OK(cudaEventRecord(to, stream));
        CUDA_OK(cudaEventSynchronize(to));
        CUDA_OK(cudaEventElapsedTime(&ms, from, to));
        const double seconds = std::max((double)ms * 1e-3, 1e-9) / n;
        best = std::min(best, seconds);
        if (round == 0) n = (int)std::min(std::max(0.05 / seconds, 1.0), 1000.0);
    }
    CUDA_OK(cudaEventDestroy(from));
    CUDA_OK(cudaEventDestroy(to));
    return best;
}

template <class WORK>
static void
measure(const char *name, const std::string &shape, double bytes, double operations, WORK work)
{
    const double seconds = seconds_of(work);
    printf("kernel\t%s\t%s\t%.0f\t%.0f\t%.9g\n", name, shape.c_str(), bytes, operations, seconds);
    fflush(stdout);
}

static std::string
text(const char *format, size_t a, size_t b = 0, size_t c = 0)
{
    char out[96];
    snprintf(out, sizeof out, format, a, b, c);
    return out;
}

/* Random numbers of a type: a piece of them again and again, which no kernel notices. */
static void
fill(uint8_t *there, size_t n_bytes, uint32_t type)
{
    static check_random random(1);
    const size_t block = engine_type_lookup(type)->block_elems;
    const std::vector<uint8_t> piece =
        check_packed(random, type, 1, (tiny ? 8 : 4096) * block, 1.0f);

    for (size_t at = 0; at < n_bytes; at += piece.size())
        CUDA_OK(cudaMemcpy(there + at, piece.data(), std::min(piece.size(), n_bytes - at),
                           cudaMemcpyHostToDevice));
}

struct floats : device_array<float> {
    explicit floats(size_t n_elems) : device_array<float>(n_elems)
    {
        fill(reinterpret_cast<uint8_t *>(data), n_elems * sizeof(float), CUDA_F32);
    }
};

struct matrix {
    device_array<uint8_t> data;
    lode_cuda_matrix w;
    matrix(uint32_t type, uint32_t n_in, uint32_t n_out)
        : data(cuda_row_bytes(type, n_in) * n_out), w()
    {
        fill(data.data, data.n, type);
        w.data = data.data;
        w.type = type;
        w.n_in = n_in;
        w.n_out = n_out;
    }
};

/* ---- what bounds them ---- */

static void
measure_copies()
{
    const size_t n = of(256u << 20, 4096);
    device_array<uint8_t> a(n), b(n);
    uint8_t *host = NULL;

    CUDA_OK(cudaMallocHost(&host, n));
    memset(host, 1, n);
    const double in = seconds_of(
        [&] { return cudaMemcpyAsync(a.data, host, n, cudaMemcpyHostToDevice, stream); });
    const double out = seconds_of(
        [&] { return cudaMemcpyAsync(host, a.data, n, cudaMemcpyDeviceToHost, stream); });
    const double on = seconds_of(
        [&] { return cudaMemcpyAsync(b.data, a.data, n, cudaMemcpyDeviceToDevice, stream); });
    CUDA_OK(cudaFreeHost(host));
    printf("copy\thost-to-card\t%.6g\ncopy\tcard-to-host\t%.6g\ncopy\ton-card\t%.6g\n",
           (double)n / in, (double)n / out, 2.0 * (double)n / on);
}

static void
measure_gemm(int capability)
{
    const struct {
        const char *name;
        uint32_t type;
        cublas_type blas;
        int least;
    } types[] = {{"F16", CUDA_F16, CUBLAS_R_16F, 0},
                 {"BF16", CUDA_BF16, CUBLAS_R_16BF, 80},
                 {"F32", CUDA_F32, CUBLAS_R_32F, 0}};
    const uint32_t n = of(8192, 16);
    device_array<uint8_t> room(of(32u << 20, 4096));
    device_array<float> y((size_t)n * n);
    gemm_context g;

    CUDA_OK(gemm_open(&g, stream, room.data, room.n));
    if (!gemm_available(&g)) printf("gemm\tnone\t%s\n", g.status);
    for (const auto &t : types) {
        if (!gemm_available(&g) || capability < t.least) continue;
        matrix w(t.type, n, n), x(t.type, n, n);
        const double seconds = seconds_of(
            [&] { return gemm(&g, t.blas, w.data.data, x.data.data, y.data, n, n, n, n); });
        printf("gemm\t%s\t%.6g\n", t.name, 2.0 * n * n * (double)n / seconds);
    }
    gemm_close(&g);
}

/* ---- weights ---- */

static void
measure_weights()
{
    const uint32_t n_in = of(4096, 256);
    const uint32_t n_rows = of(512, 9);
    const floats x((size_t)n_rows * n_in);

    for (const uint32_t type : CHECK_TYPES) {
        const size_t row = cuda_row_bytes(type, n_in);
        const uint32_t n_out = of((uint32_t)((256u << 20) / row), 8);
        const matrix m(type, n_in, n_out);
        device_array<float> y((size_t)8 * n_out);
        const std::string name = engine_type_lookup(type)->name;
        for (const size_t n : {1u, 4u, 8u}) {
            if (n > 1 && type != CUDA_Q4_K && type != CUDA_Q8_0) continue;
            measure("gemv", text((name + " %zu x %zu, rows %zu").c_str(), n_out, n_in, n),
                    (double)(row * n_out + n * (n_in + n_out) * 4), 0.0,
                    [&] { return cuda_gemv(stream, &m.w, NULL, x.data, n_in, n, y.data, n_out); });
        }
    }
    for (const uint32_t type : {CUDA_Q4_K, CUDA_Q8_0, CUDA_F16, CUDA_BF16}) {
        const size_t row = cuda_row_bytes(type, n_in);
        const uint32_t n_out = of(4096, 16);
        const matrix m(type, n_in, n_out);
        device_array<float> y((size_t)n_rows * n_out);
        device_array<uint16_t> halves((size_t)n_out * n_in);
        const std::string name = engine_type_lookup(type)->name;
        const double n = n_rows;
        measure("gemm_fused", text((name + " %zu x %zu, rows %zu").c_str(), n_out, n_in, n_rows),
                (double)row * n_out + n * (n_in + n_out) * 4, 2.0 * n * n_in * n_out, [&] {
                    return cuda_gemm_fused(stream, &m.w, NULL, x.data, n_in, n_rows, y.data, n_out);
                });
        measure("dequantize", text((name + " to half, %zu x %zu").c_str(), n_out, n_in),
                (double)(row + 2 * n_in) * n_out, 0.0,
                [&] { return cuda_dequantize(stream, &m.w, 0, n_out, CUDA_F16, halves.data); });
    }
}

/* ---- experts ---- */

static void
measure_experts()
{
    const uint32_t n_experts = of(128, 4), used = of(8, 2), n_in = of(2048, 256),
                   n_out = of(768, 8), n = of(2048, 5);
    const matrix m(CUDA_Q4_K, n_in, n_experts * n_out);
    const size_t row = cuda_row_bytes(CUDA_Q4_K, n_in), bytes = row * n_out;
    lode_cuda_matrix w = m.w;
    std::vector<const void *> at;
    std::vector<int32_t> all;

    w.n_out = n_out;
    for (uint32_t e = 0; e < n_experts; e++) {
        at.push_back(m.data.data + e * bytes);
        all.push_back((int32_t)e);
    }
    const floats logits((size_t)n * n_experts), x((size_t)n * n_in);
    device_array<float> weights((size_t)n * used), y((size_t)n * used * n_out),
        out((size_t)n * n_out), slots((size_t)n_experts * n_out);
    device_array<const void *> matrices(at);
    device_array<int32_t> every(all), chosen((size_t)n * used);
    device_array<uint32_t> start(n_experts + 1), rows((size_t)n * used), place((size_t)n * used);
    const lode_cuda_router r = {n_experts, used, 1, 0, 1, 1.0f};
    const std::string shape = text("%zu of %zu experts, rows %zu", used, n_experts, n);
    const double n_slots = (double)n * used;

    measure("gemv_experts", text("Q4_K, each of %zu once, %zu x %zu", n_experts, n_out, n_in),
            (double)bytes * n_experts + n_experts * n_out * 4.0, 0.0, [&] {
                return cuda_gemv_experts(stream, &w, matrices.data, NULL, every.data, n_experts,
                                         n_experts, x.data, slots.data);
            });
    measure("route", shape, (double)n * (n_experts + 2 * used) * 4, 0.0,
            [&] { return cuda_route(stream, &r, logits.data, n, chosen.data, weights.data); });
    measure("sort_experts", shape, 3 * n_slots * 4, 0.0, [&] {
        return cuda_sort_experts(stream, chosen.data, n, used, n_experts, start.data, rows.data,
                                 place.data);
    });
    measure("gemm_experts", "Q4_K, " + shape,
            (double)bytes * n_experts + n_slots * (n_in + n_out) * 4, 2 * n_slots * n_in * n_out,
            [&] {
                return cuda_gemm_experts(stream, &w, matrices.data, NULL, start.data, n_experts,
                                         (size_t)n * used, rows.data, x.data, y.data);
            });
    measure("join_experts", shape, (n_slots + n) * n_out * 4, 0.0, [&] {
        return cuda_join_experts(stream, y.data, place.data, weights.data, used, n_out, n,
                                 out.data);
    });
}

/* ---- rows ---- */

static void
measure_rows()
{
    const uint32_t d = of(4096, 64), n = of(8192, 3);
    const size_t all = (size_t)n * d;
    const floats r(all), w(d), b(d), logits(of(151936, 500));
    floats x(all), y(all);
    device_array<uint16_t> halves(all);
    device_array<float> values(64);
    device_array<int32_t> indices(64);
    const std::string shape = text("%zu x %zu", n, d);
    const double bytes = (double)all * 4;

    measure("rms_norm", shape, 2 * bytes, 0.0,
            [&] { return cuda_rms_norm(stream, x.data, d, w.data, 1e-6f, d, n, y.data, d); });
    measure("add_rms_norm", shape, 4 * bytes, 0.0,
            [&] { return cuda_add_rms_norm(stream, x.data, r.data, w.data, 1e-6f, d, n, y.data); });
    measure("layer_norm", shape, 3 * bytes, 0.0,
            [&] { return cuda_layer_norm(stream, x.data, r.data, w.data, b.data, 1e-12f, d, n); });
    measure("swiglu", shape, 3 * bytes, 0.0,
            [&] { return cuda_swiglu(stream, x.data, r.data, all); });
    measure("gelu", shape, 2 * bytes, 0.0, [&] { return cuda_gelu(stream, x.data, all, false); });
    measure("add", shape, 3 * bytes, 0.0,
            [&] { return cuda_add(stream, y.data, r.data, NULL, d, n); });
    measure("round", shape + " to half", 1.5 * bytes, 0.0,
            [&] { return cuda_round(stream, r.data, d, d, n, CUDA_F16, halves.data); });
    measure("top_k", text("40 of %zu", logits.n), (double)logits.n * 4, 0.0, [&] {
        return cuda_top_k(stream, logits.data, logits.n, logits.n, 1, 40, values.data,
                          indices.data);
    });
}

/* ---- attention ---- */

#define PAGE 128u

static void
measure_attention(uint32_t type, uint32_t past, uint32_t n)
{
    const uint32_t dim = 128, heads = of(32, 4), kv_heads = of(4, 1);
    const uint32_t n_pages = (past + n + PAGE - 1) / PAGE;
    const size_t row = cuda_row_bytes(type, dim), q = (size_t)n * heads * dim;
    std::vector<uint32_t> pages;
    for (uint32_t i = 0; i < n_pages; i++)
        pages.push_back(n_pages - 1 - i);
    device_array<uint8_t> arena(n_pages * kv_heads * 2 * PAGE * row);
    fill(arena.data, arena.n, type);
    const floats raw((size_t)n * (heads + 2 * kv_heads) * dim), frequencies(dim / 2);
    floats queries(q), tables((size_t)n * dim);
    device_array<float> out(q), partials(cuda_attend_floats(n, heads, dim));
    const std::vector<cuda_span> one = {{0, n, past, 0}};
    device_array<cuda_span> spans(one);
    device_array<uint32_t> pages_there(pages), row_span(std::vector<uint32_t>(n, 0));
    const cuda_pass pass = {spans.data, pages_there.data, row_span.data, 1, n, n, n};
    lode_cuda_attention a = {};
    lode_cuda_rope rope = {};

    a.n_heads = heads;
    a.n_kv_heads = kv_heads;
    a.head_dim = dim;
    a.width = (heads + 2 * kv_heads) * dim;
    a.q_group = heads / kv_heads * dim;
    a.q_head = a.k_head = a.v_head = dim;
    a.k_at = heads * dim;
    a.v_at = a.k_at + kv_heads * dim;
    a.eps = 1e-6f;
    a.scale = 1.0f / std::sqrt((float)dim);
    a.raw = raw.data;
    a.tables = tables.data;
    a.n_rot = dim;
    a.n_tables = 1;
    a.halves = 1;
    a.q = queries.data;
    a.out = out.data;
    a.kv.arena = arena.data;
    a.kv.page_bytes = kv_heads * 2 * PAGE * row;
    a.kv.head_bytes = 2 * PAGE * row;
    a.kv.at_v = PAGE * row;
    a.kv.row_k = a.kv.row_v = (uint32_t)row;
    a.kv.page_tokens = PAGE;
    a.kv.type = type;
    rope.n_rot = dim;
    rope.first = past;
    rope.magnitude = 1.0f;
    rope.n_tables = 1;
    const std::string shape =
        text((std::string(engine_type_lookup(type)->name) + " cache, rows %zu behind %zu").c_str(),
             n, past);
    const double heads_in = (double)raw.n * 4, kept = 2.0 * n * kv_heads * (double)row;
    const double cache = 2.0 * (past + n) * kv_heads * (double)row;
    if (n > 1)
        measure("rope_tables", text("rows %zu", n), (double)tables.n * 4, 0.0,
                [&] { return cuda_rope_tables(stream, &rope, frequencies.data, n, tables.data); });
    measure("heads", shape, heads_in + (double)(tables.n + q) * 4 + kept, 0.0,
            [&] { return cuda_heads(stream, &a, &pass); });
    /* of decoding, the products are the threads' own: it is bound by the cache it reads */
    measure(n > CUDA_DECODE_ROWS ? "attend (prefill)" : "attend (decode)", shape,
            cache + 8.0 * (double)q,
            n > CUDA_DECODE_ROWS ? 4.0 * heads * dim * n * (past + (n + 1) / 2.0) : 0.0,
            [&] { return cuda_attend(stream, &a, &pass, partials.data); });
}

static void
measure_texts()
{
    const uint32_t n_texts = of(64, 2), length = of(256, 20), heads = of(12, 1), dim = 32;
    std::vector<uint32_t> starts;
    for (uint32_t i = 0; i <= n_texts; i++)
        starts.push_back(i * length);
    const size_t n = (size_t)n_texts * length;
    const floats qkv(n * 3 * heads * dim);
    device_array<float> out(n * heads * dim), vectors((size_t)n_texts * heads * dim);
    device_array<uint32_t> first(starts);

    for (const bool exact : {false, true})
        measure(exact ? "attend_text exact" : "attend_text",
                text("%zu texts of %zu", n_texts, length), (double)(qkv.n + out.n) * 4,
                4.0 * (double)n * length * heads * dim, [&] {
                    return cuda_attend_text(stream, qkv.data, first.data, n_texts, length, heads,
                                            dim, exact, out.data);
                });
    measure("pool", text("%zu texts of %zu", n_texts, length), (double)(out.n + vectors.n) * 4, 0.0,
            [&] {
                return cuda_pool(stream, out.data, first.data, n_texts, heads * dim, true, true,
                                 vectors.data);
            });
}

/* ---- the gated delta rule ---- */

static void
measure_delta(uint32_t n)
{
    lode_cuda_delta d = {};

    d.n_k = of(16, 1);
    d.n_v = of(32, 2);
    d.d_k = d.d_v = of(128, 32);
    d.kernel = 4;
    d.n_channels = 2 * d.n_k * d.d_k + d.n_v * d.d_v;
    d.q_head = d.k_head = d.v_head = d.z_head = d.d_k;
    d.k_at = d.n_k * d.d_k;
    d.v_at = 2 * d.k_at;
    d.z_at = d.v_at + d.n_v * d.d_v;
    d.v_group = d.z_group = d.n_v / d.n_k * d.d_v;
    d.beta = d.z_at + d.n_v * d.d_v;
    d.alpha = d.beta + d.n_v;
    d.beta_group = d.alpha_group = d.n_v / d.n_k;
    d.width = d.alpha + d.n_v;
    d.eps = 1e-6f;
    const floats conv_weights((size_t)d.kernel * d.n_channels), bias(d.n_v), norm(d.d_v),
        raw((size_t)n * d.width);
    const device_array<float> decay(std::vector<float>(d.n_v, -0.5f));
    floats window((size_t)(d.kernel - 1) * d.n_channels);
    device_array<float> conv((size_t)n * d.n_channels), gates((size_t)n * 2 * d.n_v),
        state(std::vector<float>((size_t)d.n_v * d.d_k * d.d_v, 0.0f)),
        out((size_t)n * d.n_v * d.d_v), wedges((size_t)n * d.n_v * CUDA_DELTA_CHUNK);
    d.conv_weights = conv_weights.data;
    d.decay = decay.data;
    d.dt_bias = bias.data;
    d.norm = norm.data;
    d.raw = raw.data;
    d.conv = conv.data;
    d.gates = gates.data;
    d.conv_state = window.data;
    d.state = state.data;
    d.out = out.data;
    measure("delta", text("%zu heads of %zu, rows %zu", d.n_v, d.d_v, n),
            (double)(raw.n + 2 * conv.n + 2 * out.n + 2 * state.n) * 4, 0.0,
            [&] { return cuda_delta(stream, &d, n, wedges.data); });
}

int
main(int argc, char **argv)
{
    cudaDeviceProp card;
    int n_cards = 0;

    tiny = argc > 1 && strcmp(argv[1], "tiny") == 0;
    const cudaError_t status = cudaGetDeviceCount(&n_cards);
    if (status != cudaSuccess || n_cards == 0) {
        fprintf(stderr, "bench_cuda: no card: %s\n", cudaGetErrorString(status));
        return 1;
    }
    CUDA_OK(cudaGetDeviceProperties(&card, 0));
    printf("card\t%s\t%d\t%d.%d\n", card.name, card.multiProcessorCount, card.major, card.minor);
    CUDA_OK(cudaStreamCreate(&stream));
    measure_copies();
    measure_gemm(10 * card.major + card.minor);
    measure_weights();
    measure_experts();
    measure_rows();
    for (const uint32_t type : {CUDA_F16, CUDA_Q8_0, CUDA_Q4_0}) {
        measure_attention(type, 0, of(4096, 12));
        measure_attention(type, of(32767, 130), 1);
    }
    measure_texts();
    measure_delta(1);
    measure_delta(of(512, 67)); /* in chunks */
    CUDA_OK(cudaStreamDestroy(stream));
    return 0;
}

/* The emulation's streams, copies, graphs, memory, tensor cores and cuBLAS: what is right is right under every seed, and
 * what no event orders shows. */
#include "cuda_test.h"

#include "engine/cuda/cublas.h"

#include <cstring>

#define N_SEEDS 16

static int
reset(void **)
{
    emulation_machine m = emulation_machine_default();
    m.compute_capability = 80;
    m.memory = (size_t)8 << 20;
    emulation_reset(&m);
    return 0;
}

static __global__ void
add_one(int *x)
{
    x[threadIdx.x] += 1;
}

static __global__ void
twice(int *x)
{
    x[threadIdx.x] *= 2;
}

static void
expect_fault(const char *part)
{
    cudaDeviceSynchronize();
    const char *text = emulation_take_fault();
    if (!strstr(text, part)) fail_msg("the fault \"%s\" does not say \"%s\"", text, part);
}

/* (x + 1) * 2, the halves on two streams. */
static int
across_streams(bool with_event, uint64_t seed)
{
    cudaStream_t a, b;
    cudaEvent_t event;

    reset(NULL);
    emulation_machine m = emulation_machine_default();
    m.seed = seed;
    emulation_reset(&m);
    device_array<int> x(std::vector<int>(32, 5));
    CUDA_OK(cudaStreamCreateWithFlags(&a, cudaStreamNonBlocking));
    CUDA_OK(cudaStreamCreateWithFlags(&b, cudaStreamNonBlocking));
    CUDA_OK(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
    CUDA_OK(LODE_LAUNCH(add_one, 1, 32, 0, a, x.data));
    CUDA_OK(cudaEventRecord(event, a));
    if (with_event) CUDA_OK(cudaStreamWaitEvent(b, event));
    CUDA_OK(LODE_LAUNCH(twice, 1, 32, 0, b, x.data));
    const int result = x.get()[7];
    CUDA_OK(cudaEventDestroy(event));
    CUDA_OK(cudaStreamDestroy(a));
    CUDA_OK(cudaStreamDestroy(b));
    return result;
}

static void
an_event_orders_two_streams_and_its_lack_shows(void **)
{
    int wrong = 0;

    for (uint64_t seed = 1; seed <= N_SEEDS; seed++) {
        assert_int_equal(across_streams(true, seed), 12);
        wrong += across_streams(false, seed) != 12;
    }
    assert_true(wrong > 0 && wrong < N_SEEDS);
}

static void
pinned_copies_land_late_and_pageable_ones_are_staged(void **)
{
    device_array<int> x(std::vector<int>(4, 1));
    cudaStream_t s;
    int *pinned;

    CUDA_OK(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking));
    CUDA_OK(cudaMallocHost(&pinned, 4 * sizeof(int)));
    CUDA_OK(cudaMemcpyAsync(pinned, x.data, 4 * sizeof(int), cudaMemcpyDeviceToHost, s));
    assert_int_equal(pinned[0], -1); /* poison until somebody waits */
    CUDA_OK(cudaStreamSynchronize(s));
    assert_int_equal(pinned[0], 1);

    pinned[0] = 7;
    CUDA_OK(cudaMemcpyAsync(x.data, pinned, sizeof(int), cudaMemcpyHostToDevice, s));
    pinned[0] = 8; /* too early: the copy has not read it */
    CUDA_OK(cudaStreamSynchronize(s));
    assert_int_equal(x.get()[0], 8);
    int pageable = 7;
    CUDA_OK(cudaMemcpyAsync(x.data, &pageable, sizeof(int), cudaMemcpyHostToDevice, s));
    pageable = 8;
    CUDA_OK(cudaStreamSynchronize(s));
    assert_int_equal(x.get()[0], 7);
    CUDA_OK(cudaFreeHost(pinned));
    CUDA_OK(cudaStreamDestroy(s));
}

static void
wrong_copies_are_found(void **)
{
    device_array<int> x(4);
    int host[8] = {0};

    emulation_expect_fault();
    assert_int_equal(cudaMemcpy(x.data, host, 5 * sizeof(int), cudaMemcpyHostToDevice),
                     cudaErrorLaunchFailure);
    expect_fault("not within one allocation");
    emulation_expect_fault();
    cudaMemcpy(host, x.data, sizeof host[0], cudaMemcpyHostToDevice);
    expect_fault("its kind does not say");
    emulation_expect_fault();
    cudaMemsetAsync(x.data + 3, 0, 8, NULL);
    expect_fault("memset: its target");
}

static void
a_card_runs_out_of_memory_and_goes_on(void **)
{
    void *big = NULL, *small = NULL;
    size_t n_free = 0, n_total = 0;

    CUDA_OK(cudaMalloc(&big, (size_t)6 << 20));
    assert_int_equal(cudaMalloc(&small, (size_t)3 << 20), cudaErrorMemoryAllocation);
    assert_null(small);
    assert_int_equal(cudaGetLastError(), cudaErrorMemoryAllocation);
    assert_int_equal(cudaGetLastError(), cudaSuccess);
    CUDA_OK(cudaMemGetInfo(&n_free, &n_total));
    assert_int_equal(n_free, (size_t)2 << 20);
    CUDA_OK(cudaFree(big));
    for (int i = 0; i < 6; i++) { /* freed memory comes back, whatever the order */
        CUDA_OK(cudaMalloc(&big, (size_t)5 << 20));
        CUDA_OK(cudaMalloc(&small, (size_t)3 << 20));
        CUDA_OK(cudaFree(i % 2 ? big : small));
        CUDA_OK(cudaFree(i % 2 ? small : big));
    }
    assert_int_equal(cudaFree((char *)big + 1), cudaErrorInvalidValue);
}

static void
a_graph_repeats_what_was_captured(void **)
{
    device_array<int> x(std::vector<int>(32, 1));
    cudaStream_t a, b;
    cudaEvent_t fork, join;
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    void *memory;

    CUDA_OK(cudaStreamCreateWithFlags(&a, cudaStreamNonBlocking));
    CUDA_OK(cudaStreamCreateWithFlags(&b, cudaStreamNonBlocking));
    CUDA_OK(cudaEventCreate(&fork));
    CUDA_OK(cudaEventCreate(&join));
    for (int joined = 1; joined >= 0; joined--) {
        CUDA_OK(cudaStreamBeginCapture(a, cudaStreamCaptureModeGlobal));
        CUDA_OK(LODE_LAUNCH(add_one, 1, 32, 0, a, x.data));
        CUDA_OK(cudaEventRecord(fork, a));
        CUDA_OK(cudaStreamWaitEvent(b, fork));
        CUDA_OK(LODE_LAUNCH(twice, 1, 32, 0, b, x.data));
        CUDA_OK(cudaEventRecord(join, b));
        if (joined) CUDA_OK(cudaStreamWaitEvent(a, join));
        const cudaError_t ended = cudaStreamEndCapture(a, &graph);
        assert_int_equal(ended, joined ? cudaSuccess : cudaErrorStreamCaptureUnjoined);
        if (!joined) break;
        assert_int_equal(x.get()[0], 1); /* capturing runs nothing */
        CUDA_OK(cudaGraphInstantiate(&exec, graph));
        CUDA_OK(cudaGraphDestroy(graph));
        for (int i = 0; i < 3; i++)
            CUDA_OK(cudaGraphLaunch(exec, a));
        CUDA_OK(LODE_LAUNCH(add_one, 1, 32, 0, a, x.data));
        assert_int_equal(x.get()[31], 23); /* ((1 + 1) 2 + 1) 2 + 1) 2, + 1 */
        CUDA_OK(cudaGraphExecDestroy(exec));
    }
    CUDA_OK(cudaStreamBeginCapture(a, cudaStreamCaptureModeGlobal));
    assert_int_equal(cudaMalloc(&memory, 16), cudaErrorStreamCaptureUnsupported);
    assert_int_equal(cudaStreamSynchronize(a), cudaErrorStreamCaptureUnsupported);
    assert_int_equal(cudaStreamEndCapture(a, &graph), cudaErrorStreamCaptureInvalidated);
    CUDA_OK(cudaStreamDestroy(a));
    CUDA_OK(cudaStreamDestroy(b));
    CUDA_OK(cudaEventDestroy(fork));
    CUDA_OK(cudaEventDestroy(join));
    cudaGetLastError();
}

/* ---- arithmetic ---- */

/* d = a b + c by fragments: a [16, 16], b [16, 8] as halves in row order, c and d [16, 8]. */
static __global__ void
multiply(const half *a, const half *b, const float *c, float *d, bool by_ldmatrix)
{
    LODE_STATIC_SHARED(half, tile, 256);
    const int lane = (int)threadIdx.x, g = lane / 4, t = lane % 4;
    unsigned fa[4], fb[2];
    float fc[4];

    for (int i = lane; i < 256; i += 32)
        tile[i] = a[i];
    __syncthreads();
    if (by_ldmatrix) {
        ldmatrix_x4(fa, &tile[(lane % 16) * 16 + lane / 16 * 8]);
    } else {
        for (int i = 0; i < 4; i++)
            memcpy(&fa[i], &tile[(g + i % 2 * 8) * 16 + 2 * t + i / 2 * 8], 4);
    }
    for (int i = 0; i < 2; i++) {
        const half pair[2] = {b[(2 * t + 8 * i) * 8 + g], b[(2 * t + 8 * i + 1) * 8 + g]};
        memcpy(&fb[i], pair, 4);
    }
    for (int i = 0; i < 4; i++)
        fc[i] = c[(g + i / 2 * 8) * 8 + 2 * t + i % 2];
    mma_f16(fc, fa, fb, fc);
    for (int i = 0; i < 4; i++)
        d[(g + i / 2 * 8) * 8 + 2 * t + i % 2] = fc[i];
}

static void
tensor_cores_multiply_by_the_documented_layout(void **)
{
    std::vector<half> a(256), b(128);
    std::vector<float> c(128);

    for (size_t i = 0; i < 256; i++)
        a[i] = half((float)((int)(i * 37 % 23) - 11));
    for (size_t i = 0; i < 128; i++)
        b[i] = half((float)((int)(i * 29 % 19) - 9)), c[i] = (float)i;
    device_array<half> da(a), db(b);
    device_array<float> dc(c), d(128);
    for (int by_ldmatrix = 0; by_ldmatrix < 2; by_ldmatrix++) {
        CUDA_OK(LODE_LAUNCH(multiply, 1, 32, 0, NULL, da.data, db.data, dc.data, d.data,
                            by_ldmatrix != 0));
        const std::vector<float> got = d.get();
        for (size_t i = 0; i < 16; i++)
            for (size_t j = 0; j < 8; j++) {
                float want = c[i * 8 + j];
                for (size_t k = 0; k < 16; k++)
                    want += (float)a[i * 16 + k] * (float)b[k * 8 + j];
                assert_true(got[i * 8 + j] == want);
            }
    }
}

static __global__ void
pipelined(const float *in, float *out, bool waits)
{
    LODE_STATIC_SHARED(float, buffer, 64);
    const unsigned t = threadIdx.x;

    cp_async<4>(&buffer[t], &in[t]);
    cp_async_commit();
    cp_async<4>(&buffer[32 + t], &in[32 + t], t < 16);
    cp_async_commit();
    if (waits) cp_async_wait<1>();
    out[t] = buffer[t];
    out[32 + t] = buffer[32 + t]; /* still on its way */
    cp_async_wait<0>();
    out[64 + t] = buffer[32 + t];
}

static void
an_asynchronous_copy_is_poison_until_it_is_waited_for(void **)
{
    std::vector<float> in(64, 3.0f);
    device_array<float> d(in), out(96);

    for (int waits = 0; waits < 2; waits++) {
        CUDA_OK(LODE_LAUNCH(pipelined, 1, 32, 0, NULL, d.data, out.data, waits != 0));
        const std::vector<float> got = out.get();
        for (size_t t = 0; t < 32; t++) {
            assert_true(waits ? got[t] == 3.0f : std::isnan(got[t]));
            assert_true(std::isnan(got[32 + t]));
            assert_true(got[64 + t] == (t < 16 ? 3.0f : 0.0f));
        }
    }
}

static void
small_floats_round_as_on_the_device(void **)
{
    assert_int_equal(__half_as_ushort(__float2half(1.0f + 0x1p-11f)), 0x3c00); /* to even */
    assert_int_equal(__half_as_ushort(__float2half(1.0f + 0x1.8p-10f)), 0x3c02);
    assert_int_equal(__half_as_ushort(__float2half(65519.0f)), 0x7bff);
    assert_int_equal(__half_as_ushort(__float2half(-65520.0f)), 0xfc00);
    assert_int_equal(__half_as_ushort(__float2half(0x1p-25f)), 0);
    assert_int_equal(__half_as_ushort(__float2half(0x1.8p-25f)), 1);
    assert_int_equal(__bfloat16_as_ushort(__float2bfloat16(1.0f + 0x1p-8f)), 0x3f80);
    assert_int_equal(__bfloat16_as_ushort(__float2bfloat16(1.0f + 0x1.8p-7f)), 0x3f82);
    for (unsigned u = 0; u < 0x10000; u++) {
        if ((u & 0x7c00) == 0x7c00 && (u & 0x3ff) != 0) continue;
        const half h = __ushort_as_half((unsigned short)u);
        assert_int_equal(__half_as_ushort(__float2half(__half2float(h))), u);
    }
    assert_int_equal(__dp4a((int)0x807f01ffu, 0x02030405, 10), 10 - 256 + 381 + 4 - 5);
    assert_int_equal(__dp4a(0xffu, 2u, 1u), 511);
}

/* ---- cuBLAS ---- */

static void
a_product_is_checked_before_it_is_made(void **)
{
    char reason[128];
    const lode_cublas *cublas = cublas_open(reason, sizeof reason);
    const float one = 1.0f, zero = 0.0f;
    const std::vector<half> a = {1.0f, 2.0f, 3.0f, 4.0f, 5.0f, 6.0f}; /* 2 x 3, column by column */
    const std::vector<half> b = {1.0f, 0.0f, 2.0f};                   /* 3 x 1 */
    device_array<half> da(a), db(b);
    device_array<float> c(2);
    cublas_handle handle;

    assert_non_null(cublas);
    assert_int_equal(cublas->create(&handle), CUBLAS_SUCCESS);
#define GEMM(op, m, lda, type_c, pc)                                                               \
    cublas->gemm_ex(handle, op, CUBLAS_N, m, 1, 3, &one, da.data, CUBLAS_R_16F, lda, db.data,      \
                    CUBLAS_R_16F, 3, &zero, pc, type_c, 2, CUBLAS_COMPUTE_32F_ACCUMULATE,          \
                    CUBLAS_DEFAULT_ALGORITHM)
    assert_int_equal(GEMM(CUBLAS_N, 2, 2, CUBLAS_R_32F, c.data), CUBLAS_SUCCESS);
    assert_true(c.get()[0] == 11.0f && c.get()[1] == 14.0f); /* NaN times beta 0 is not read */
    assert_int_equal(GEMM(CUBLAS_T, 2, 3, CUBLAS_R_32F, c.data), CUBLAS_SUCCESS);
    assert_true(c.get()[0] == 7.0f && c.get()[1] == 16.0f);
    assert_int_equal(GEMM(CUBLAS_N, 2, 1, CUBLAS_R_32F, c.data), 7); /* leading dimension */
    assert_int_equal(GEMM(CUBLAS_N, 2, 2, CUBLAS_R_16BF, c.data), CUBLAS_NOT_SUPPORTED);
    emulation_expect_fault();
    GEMM(CUBLAS_N, 2, 3, CUBLAS_R_32F, c.data); /* 3 columns of 3 are more than there are */
    expect_fault("cublasGemmEx: A (2 x 3, leading dimension 3, 16 bytes)");
    assert_int_equal(cublas->destroy(handle), CUBLAS_SUCCESS);
}

int
main(void)
{
    const CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_event_orders_two_streams_and_its_lack_shows, reset),
        cmocka_unit_test_setup(pinned_copies_land_late_and_pageable_ones_are_staged, reset),
        cmocka_unit_test_setup(wrong_copies_are_found, reset),
        cmocka_unit_test_setup(a_card_runs_out_of_memory_and_goes_on, reset),
        cmocka_unit_test_setup(a_graph_repeats_what_was_captured, reset),
        cmocka_unit_test_setup(tensor_cores_multiply_by_the_documented_layout, reset),
        cmocka_unit_test_setup(an_asynchronous_copy_is_poison_until_it_is_waited_for, reset),
        cmocka_unit_test_setup(small_floats_round_as_on_the_device, reset),
        cmocka_unit_test_setup(a_product_is_checked_before_it_is_made, reset),
    };
    return cmocka_run_group_tests_name("cuda_emulation_streams", tests, NULL, NULL);
}

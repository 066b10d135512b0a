/* The emulation itself: what is right gives the right result under every seed, and each kind of mistake that it is
 * there for is found. */
#include "cuda_test.h"

#include "engine/cuda/cublas.h"

#include <cstring>

#define N_SEEDS 8

static emulation_machine
machine_with(int capability, size_t memory)
{
    emulation_machine m = emulation_machine_default();
    m.compute_capability = capability;
    m.memory = memory;
    return m;
}

static int
reset(void **)
{
    const emulation_machine m = machine_with(80, (size_t)64 << 20);
    emulation_reset(&m);
    return 0;
}

/* ---- barriers and shared memory ---- */

static __global__ void
rotate(float *out, const float *in, bool with_barrier)
{
    LODE_STATIC_SHARED(float, buffer, 128);
    const unsigned t = threadIdx.x;

    buffer[t] = in[blockIdx.x * 128 + t];
    if (with_barrier) __syncthreads();
    out[blockIdx.x * 128 + t] = buffer[(t + 37) % 128];
}

static size_t
wrong_after_rotate(bool with_barrier, uint64_t seed)
{
    std::vector<float> in(512);
    for (size_t i = 0; i < in.size(); i++)
        in[i] = (float)i;
    device_array<float> a(in), b(in.size());
    emulation_reseed(seed);
    CUDA_OK(LODE_LAUNCH(rotate, 4, 128, 0, NULL, b.data, a.data, with_barrier));
    const std::vector<float> out = b.get();
    size_t wrong = 0;
    for (size_t i = 0; i < out.size(); i++)
        wrong += out[i] != (float)(i / 128 * 128 + (i + 37) % 128);
    return wrong;
}

static void
a_barrier_orders_shared_memory(void **)
{
    for (uint64_t seed = 1; seed <= N_SEEDS; seed++)
        assert_int_equal(wrong_after_rotate(true, seed), 0);
}

static void
a_missing_barrier_gives_a_wrong_result(void **)
{
    for (uint64_t seed = 1; seed <= N_SEEDS; seed++)
        assert_true(wrong_after_rotate(false, seed) > 100);
}

/* Behind shuffles that every lane takes first, which must not stand in for the barrier. */
static __global__ void
rotate_after_shuffles(float *out, bool with_barrier)
{
    LODE_STATIC_SHARED(float, buffer, 256);
    const unsigned t = threadIdx.x;

    buffer[t] = -1.0f;
    __syncthreads();
    buffer[t] = (float)t;
    if (with_barrier) __syncthreads();
    unsigned far = 96;
    for (int i = 0; i < 8; i++)
        far = __shfl_sync(LODE_ALL_LANES, far, i);
    out[t] = buffer[(t + far) % 256];
}

static void
a_shuffle_is_no_barrier_of_the_block(void **)
{
    for (int with_barrier = 0; with_barrier < 2; with_barrier++) {
        size_t wrong = 0;
        for (uint64_t seed = 1; seed <= N_SEEDS; seed++) {
            device_array<float> out(256);
            emulation_reseed(seed);
            CUDA_OK(
                LODE_LAUNCH(rotate_after_shuffles, 1, 256, 0, NULL, out.data, with_barrier != 0));
            const std::vector<float> got = out.get();
            for (size_t t = 0; t < got.size(); t++)
                wrong += got[t] != (float)((t + 96) % 256);
        }
        assert_true(with_barrier ? wrong == 0 : wrong >= 32);
    }
}

static __global__ void
read_fresh_shared(float *out, bool dynamic)
{
    LODE_STATIC_SHARED(float, fixed, 32);
    LODE_SHARED(float, free_size);
    out[blockIdx.x * 32 + threadIdx.x] = dynamic ? free_size[threadIdx.x] : fixed[threadIdx.x];
    fixed[threadIdx.x] = free_size[threadIdx.x] = 1.0f; /* the next block must not see it */
}

static void
fresh_shared_memory_reads_as_nan_in_every_block(void **)
{
    for (int dynamic = 0; dynamic < 2; dynamic++) {
        device_array<float> out(96);
        CUDA_OK(LODE_LAUNCH(read_fresh_shared, 3, 32, 128, NULL, out.data, dynamic != 0));
        for (const float f : out.get())
            assert_true(std::isnan(f));
    }
}

static void
fresh_device_memory_reads_as_nan(void **)
{
    device_array<float> a(33);
    for (const float f : a.get())
        assert_true(std::isnan(f));
}

/* ---- what is called a fault ---- */

static void
expect_fault(const char *part_1, const char *part_2)
{
    cudaDeviceSynchronize();
    const char *text = emulation_take_fault();
    if (!strstr(text, part_1) || !strstr(text, part_2))
        fail_msg("the fault \"%s\" does not say \"%s\" and \"%s\"", text, part_1, part_2);
}

static __global__ void
divergent_barrier(float *out)
{
    if (threadIdx.x < 32)
        __syncthreads();
    else
        __syncthreads();
    out[threadIdx.x] = 0.0f;
}

static __global__ void
half_a_barrier(float *out)
{
    if (threadIdx.x >= 50) return;
    __syncthreads();
    out[threadIdx.x] = 0.0f;
}

static __global__ void
lane_missing(float *out)
{
    float v = 1.0f;
    if (threadIdx.x != 7) v = warp_sum(v);
    out[threadIdx.x] = v;
}

static __global__ void
not_in_its_own_mask(int *out)
{
    out[threadIdx.x] = __any_sync(0x0000fffeu, 1);
}

static __global__ void
reads_outside_of_its_mask(int *out)
{
    if (threadIdx.x < 16) out[threadIdx.x] = __shfl_sync(0x0000ffffu, 1, 20);
}

static __global__ void
writes_behind_shared(float *out)
{
    LODE_SHARED(float, buffer);
    volatile float *raw = buffer;
    raw[blockDim.x] = 1.0f;
    out[threadIdx.x] = 1.0f;
}

static __global__ void
never_waits(float *out, const float *in)
{
    LODE_STATIC_SHARED(float, buffer, 32);
    cp_async<4>(&buffer[threadIdx.x], &in[threadIdx.x]);
    out[threadIdx.x] = 1.0f;
}

static void
a_wrong_barrier_or_mask_names_the_kernel(void **)
{
    device_array<float> out(64);
    device_array<int> ints(64);

    emulation_expect_fault();
    assert_int_equal(LODE_LAUNCH(divergent_barrier, 1, 64, 0, NULL, out.data), cudaSuccess);
    assert_int_equal(cudaDeviceSynchronize(), cudaErrorLaunchFailure);
    assert_int_equal(cudaGetLastError(), cudaErrorLaunchFailure);
    assert_int_equal(cudaMemset(out.data, 0, 4), cudaErrorLaunchFailure); /* it stays */
    expect_fault("kernel divergent_barrier", "divergent barrier");

    emulation_expect_fault();
    LODE_LAUNCH(half_a_barrier, 1, 64, 0, NULL, out.data);
    expect_fault("kernel half_a_barrier", "14 of 64 threads returned, 50 at a barrier");
    emulation_expect_fault();
    LODE_LAUNCH(lane_missing, 1, 32, 0, NULL, out.data);
    expect_fault("kernel lane_missing", "thread 7 has returned");
    emulation_expect_fault();
    LODE_LAUNCH(not_in_its_own_mask, 1, 32, 0, NULL, ints.data);
    expect_fault("kernel not_in_its_own_mask", "is not in its own mask 0x0000fffe");
    emulation_expect_fault();
    LODE_LAUNCH(reads_outside_of_its_mask, 1, 32, 0, NULL, ints.data);
    expect_fault("kernel reads_outside_of_its_mask", "reads lane 20");
    emulation_expect_fault();
    LODE_LAUNCH(never_waits, 1, 32, 0, NULL, out.data, out.data);
    expect_fault("kernel never_waits", "cp.async that nobody waited for");
    /* and the next kernel runs as if nothing had been */
    assert_int_equal(wrong_after_rotate(true, 1), 0);
}

static void
shared_memory_has_ends(void **)
{
#if defined(__SANITIZE_ADDRESS__)
    skip(); /* AddressSanitizer ends the program at the very write */
#else
    device_array<float> out(32);
    emulation_expect_fault();
    LODE_LAUNCH(writes_behind_shared, 1, 32, 32 * sizeof(float), NULL, out.data);
    expect_fault("kernel writes_behind_shared", "behind its 128 bytes");
#endif
}

static __global__ void
much_static(float *out)
{
    LODE_STATIC_SHARED(float, a, 8192);
    LODE_STATIC_SHARED(float, b, 8192);
    a[threadIdx.x] = b[threadIdx.x] = 0.0f;
    out[threadIdx.x] = a[threadIdx.x];
}

static void
what_a_card_cannot_launch_is_refused(void **)
{
    device_array<float> out(2048);
    std::vector<float> host(1);
    const size_t big = 100u << 10;

    emulation_expect_fault();
    LODE_LAUNCH(half_a_barrier, 1, 1025, 0, NULL, out.data);
    expect_fault("kernel half_a_barrier", "1025 x 1 x 1 threads");
    emulation_expect_fault();
    LODE_LAUNCH(half_a_barrier, 0, 32, 0, NULL, out.data);
    expect_fault("half_a_barrier", "a grid of 0");
    emulation_expect_fault();
    LODE_LAUNCH(writes_behind_shared, 1, 32, big, NULL, out.data);
    expect_fault("102400 bytes of dynamic shared memory", "without cudaFuncSetAttribute");
    emulation_expect_fault();
    LODE_LAUNCH(much_static, 1, 32, 0, NULL, out.data);
    expect_fault("kernel much_static", "65536 bytes of static shared memory");
    emulation_expect_fault();
    LODE_LAUNCH(half_a_barrier, 1, 32, 0, NULL, host.data());
    expect_fault("half_a_barrier: argument 0", "memory of the host");

    CUDA_OK(
        cudaFuncSetAttribute(much_static, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)big));
    const emulation_machine turing = machine_with(75, (size_t)64 << 20);
    emulation_reset(&turing);
    assert_int_equal(
        cudaFuncSetAttribute(much_static, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)big),
        cudaErrorInvalidValue);
    out.data = NULL; /* gone with the old card */
}

/* ---- warps ---- */

static __global__ void
warp_operations(float *sums, unsigned *votes, int *shuffled)
{
    const unsigned t = threadIdx.x, lane = t % 32;
    LODE_STATIC_SHARED(float, scratch, 32);

    sums[t] = warp_sum((float)t);
    sums[64 + t] = block_sum((float)t, scratch);
    votes[t] = __ballot_sync(LODE_ALL_LANES, lane % 3 == 0);
    shuffled[t] = __shfl_sync(LODE_ALL_LANES, (int)t, 5, 8);
    shuffled[64 + t] = __shfl_up_sync(LODE_ALL_LANES, (int)t, 2, 16);
    shuffled[128 + t] = __shfl_down_sync(LODE_ALL_LANES, (int)t, 3);
    if (lane < 8) shuffled[192 + t] = __shfl_xor_sync(0xffu, (int)t, 4, 8);
}

static void
warps_shuffle_vote_and_reduce(void **)
{
    for (uint64_t seed = 1; seed <= N_SEEDS; seed++) {
        device_array<float> sums(128);
        device_array<unsigned> votes(64);
        device_array<int> shuffled(256);
        emulation_reseed(seed);
        CUDA_OK(LODE_LAUNCH(warp_operations, 1, 64, 0, NULL, sums.data, votes.data, shuffled.data));
        const std::vector<float> f = sums.get();
        const std::vector<unsigned> v = votes.get();
        const std::vector<int> s = shuffled.get();
        for (int t = 0; t < 64; t++) {
            const int lane = t % 32;
            assert_true(f[(size_t)t] == (t < 32 ? 496.0f : 1520.0f));
            assert_true(f[(size_t)t + 64] == 2016.0f);
            assert_int_equal(v[(size_t)t], 0x49249249u);
            assert_int_equal(s[(size_t)t], t / 8 * 8 + 5);
            assert_int_equal(s[(size_t)t + 64], t % 16 < 2 ? t : t - 2);
            assert_int_equal(s[(size_t)t + 128], lane + 3 > 31 ? t : t + 3);
            if (lane < 8) assert_int_equal(s[(size_t)t + 192], t ^ 4);
        }
    }
}

static __global__ void
count(int *counter, int *order, float *sum)
{
    order[blockIdx.x * blockDim.x + threadIdx.x] = atomicAdd(counter, 1);
    atomicAdd(sum, 0.5f);
    atomicMax(counter + 1, (int)threadIdx.x);
    atomicCAS(counter + 2, 7, (int)threadIdx.x);
}

static __global__ void
count_without_atomic(volatile int *counter)
{
    const int old = *counter;
    __threadfence();
    *counter = old + 1;
}

static void
atomics_count_and_their_order_depends_on_the_seed(void **)
{
    std::vector<int> orders[2];

    for (uint64_t seed = 1; seed <= 2; seed++) {
        device_array<int> counter(std::vector<int>{0, 0, 7}), order(256);
        device_array<float> sum(std::vector<float>{0.0f});
        emulation_reseed(seed);
        CUDA_OK(LODE_LAUNCH(count, 4, 64, 0, NULL, counter.data, order.data, sum.data));
        const std::vector<int> c = counter.get();
        assert_int_equal(c[0], 256);
        assert_int_equal(c[1], 63);
        assert_true(sum.get()[0] == 128.0f);
        orders[seed - 1] = order.get();
        std::vector<bool> seen(256);
        for (const int o : orders[seed - 1])
            seen[(size_t)o] = true;
        for (size_t i = 0; i < 256; i++)
            assert_true(seen[i]);
    }
    assert_true(orders[0] != orders[1]);
    device_array<int> counter(std::vector<int>{0});
    CUDA_OK(LODE_LAUNCH(count_without_atomic, 1, 64, 0, NULL, counter.data));
    assert_true(counter.get()[0] < 64);
}

int
main(void)
{
    const CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_barrier_orders_shared_memory, reset),
        cmocka_unit_test_setup(a_missing_barrier_gives_a_wrong_result, reset),
        cmocka_unit_test_setup(a_shuffle_is_no_barrier_of_the_block, reset),
        cmocka_unit_test_setup(fresh_shared_memory_reads_as_nan_in_every_block, reset),
        cmocka_unit_test_setup(fresh_device_memory_reads_as_nan, reset),
        cmocka_unit_test_setup(a_wrong_barrier_or_mask_names_the_kernel, reset),
        cmocka_unit_test_setup(shared_memory_has_ends, reset),
        cmocka_unit_test_setup(what_a_card_cannot_launch_is_refused, reset),
        cmocka_unit_test_setup(warps_shuffle_vote_and_reduce, reset),
        cmocka_unit_test_setup(atomics_count_and_their_order_depends_on_the_seed, reset),
    };
    return cmocka_run_group_tests_name("cuda_emulation", tests, NULL, NULL);
}

/* What the machine could do at most: the ceilings that speeds are told as a fraction of.
 *
 * Reading: all threads stream a buffer far larger than the caches, once in pages of 4 KiB and once in huge ones;
 * sums of whole vectors keep the compiler from dropping the reads. Integers: products of 8-bit numbers added up
 * in 32 bits, from registers, with as many sums in flight as the instruction's latency asks for. Both are best
 * of several short runs, for another program's work can only slow them. */
#include "engine/pool.h"

#include <string.h>
#include <sys/mman.h>

#if defined(__x86_64__) && defined(LODE_ENGINE_X86)
#include <immintrin.h>
#define HAVE_X86 1
#else
#define HAVE_X86 0
#endif

#define BUFFER_BYTES ((size_t)256 << 20)
#define CHUNK_BYTES  ((size_t)2 << 20) /* one task: a multiple of both page sizes */

enum { N_RUNS = 4, INT8_STEPS = 1 << 18 };

/* ---- reading ---- */

typedef struct {
    const uint8_t *buffer;
    uint64_t *sums; /* [chunks] */
} reading;

typedef uint64_t lane __attribute__((vector_size(16), may_alias));

static void
read_chunk(void *data, size_t task, int worker)
{
    const reading *r = data;
    const lane *p = (const lane *)(const void *)(r->buffer + task * CHUNK_BYTES);
    lane sum[8] = {{0}};

    (void)worker;
    for (size_t i = 0; i < CHUNK_BYTES / sizeof(lane); i += 8)
        for (size_t k = 0; k < 8; k++)
            sum[k] += p[i + k];
    for (size_t k = 1; k < 8; k++)
        sum[0] += sum[k];
    r->sums[task] = sum[0][0] + sum[0][1];
}

static void
touch_chunk(void *data, size_t task, int worker)
{
    const reading *r = data;
    (void)worker;
    memset((uint8_t *)(uintptr_t)r->buffer + task * CHUNK_BYTES, (int)task | 1, CHUNK_BYTES);
}

/* Bytes a second; 0 when there is no memory for it. */
static double
measure_reading(engine_pool *pool, gboolean huge)
{
    const size_t n_chunks = BUFFER_BYTES / CHUNK_BYTES;
    double best = 0.0;
    uint8_t *mapping = mmap(NULL, BUFFER_BYTES + CHUNK_BYTES, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (mapping == MAP_FAILED) return 0.0;
    uint8_t *buffer = mapping + (CHUNK_BYTES - (uintptr_t)mapping % CHUNK_BYTES) % CHUNK_BYTES;
    /* refused where the kernel has no huge pages: then both figures are of small ones */
    (void)madvise(buffer, BUFFER_BYTES, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    g_autofree uint64_t *sums = g_new(uint64_t, n_chunks);
    reading r = {buffer, sums};
    engine_pool_run(pool, n_chunks, touch_chunk, &r);
    for (int run = 0; run < N_RUNS; run++) {
        const gint64 start = g_get_monotonic_time();
        engine_pool_run(pool, n_chunks, read_chunk, &r);
        best = MAX(best, 1e6 * (double)BUFFER_BYTES / (double)(g_get_monotonic_time() - start));
    }
    munmap(mapping, BUFFER_BYTES + CHUNK_BYTES);
    return best;
}

/* ---- integers ---- */

typedef int32_t (*int8_fn)(size_t steps);

#if HAVE_X86
/* 12 sums of 8 numbers: 32 products a step and sum. */
__attribute__((target("avx2"))) static int32_t
int8_avx2(size_t steps)
{
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i sum[12], a = _mm256_set1_epi8(3);
    const __m256i b = _mm256_set1_epi8(5);

    for (int k = 0; k < 12; k++)
        sum[k] = _mm256_setzero_si256();
    for (size_t i = 0; i < steps; i++) {
        for (int k = 0; k < 12; k++) {
            __asm__ volatile("" : "+x"(a)); /* else all products are one */
            sum[k] = _mm256_add_epi32(sum[k], _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), ones));
        }
    }
    for (int k = 1; k < 12; k++)
        sum[0] = _mm256_add_epi32(sum[0], sum[k]);
    return _mm256_extract_epi32(sum[0], 0);
}

/* 12 sums of 16 numbers: 64 products a step and sum. In one piece of assembly: from intrinsics GCC 12 makes a loop
 * that copies registers and tells half of what a processor with two such units does. */
__attribute__((target("avx512f,avx512bw,avx512vnni"))) static int32_t
int8_vnni(size_t steps)
{
    const __m512i a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(5);
    __m512i s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11;

    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = s8 = s9 = s10 = s11 = _mm512_setzero_si512();
    for (size_t i = 0; i < steps; i++) {
        __asm__ volatile("vpdpbusd %13, %12, %0\n\tvpdpbusd %13, %12, %1\n\t"
                         "vpdpbusd %13, %12, %2\n\tvpdpbusd %13, %12, %3\n\t"
                         "vpdpbusd %13, %12, %4\n\tvpdpbusd %13, %12, %5\n\t"
                         "vpdpbusd %13, %12, %6\n\tvpdpbusd %13, %12, %7\n\t"
                         "vpdpbusd %13, %12, %8\n\tvpdpbusd %13, %12, %9\n\t"
                         "vpdpbusd %13, %12, %10\n\tvpdpbusd %13, %12, %11"
                         : "+v"(s0), "+v"(s1), "+v"(s2), "+v"(s3), "+v"(s4), "+v"(s5), "+v"(s6),
                           "+v"(s7), "+v"(s8), "+v"(s9), "+v"(s10), "+v"(s11)
                         : "v"(a), "v"(b));
    }
    s0 = s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7 + s8 + s9 + s10 + s11;
    return _mm512_cvtsi512_si32(s0);
}
#endif

static void
count_steps(void *data, size_t task, int worker)
{
    const int8_fn *fn = data;
    const volatile int32_t sum = (*fn)(INT8_STEPS);

    (void)task, (void)worker, (void)sum;
}

/* Operations a second, a product and its addition counted as two; 0 where there is no such instruction. */
static double
measure_int8(engine_pool *pool)
{
    int8_fn fn = NULL;
    double products = 0.0, best = 0.0;

#if HAVE_X86
    if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vnni"))
        fn = int8_vnni, products = 12.0 * 64.0;
    else if (__builtin_cpu_supports("avx2"))
        fn = int8_avx2, products = 12.0 * 32.0;
#endif
    if (!fn) return 0.0;
    const size_t n = (size_t)engine_pool_n_threads(pool);
    for (int run = 0; run < N_RUNS; run++) {
        const gint64 start = g_get_monotonic_time();
        engine_pool_run(pool, n, count_steps, &fn);
        best = MAX(best, 2e6 * products * INT8_STEPS * (double)n /
                             (double)(g_get_monotonic_time() - start));
    }
    return best;
}

double
engine_machine_reading(engine_pool *pool)
{
    return measure_reading(pool, TRUE);
}

void
engine_machine_measure(engine_pool *pool, engine_machine *out)
{
    out->read_4k = measure_reading(pool, FALSE);
    out->read_2m = measure_reading(pool, TRUE);
    out->int8_ops = measure_int8(pool);
}

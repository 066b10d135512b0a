/* What this processor can run. A level counts only when the operating system saves its registers too
 * (XCR0), else its first instruction would trap. */
#include "engine/engine.h"

#include <string.h>

#if defined(__x86_64__) && defined(LODE_ENGINE_X86)
#include <cpuid.h>

typedef struct {
    gboolean avx2, fma, f16c, avx512, vnni;
    char brand[49];
} cpu_facts;

static uint64_t
read_xcr0(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static cpu_facts
read_facts(void)
{
    cpu_facts facts = {0};
    unsigned a, b, c, d;

    for (unsigned leaf = 0; leaf < 3; leaf++) {
        if (!__get_cpuid(0x80000002u + leaf, &a, &b, &c, &d)) break;
        const unsigned words[4] = {a, b, c, d};
        memcpy(facts.brand + 16 * leaf, words, sizeof words);
    }
    if (!__get_cpuid(1, &a, &b, &c, &d)) return facts;
    const gboolean osxsave = (c & bit_OSXSAVE) != 0, avx = (c & bit_AVX) != 0;
    facts.fma = (c & bit_FMA) != 0;
    facts.f16c = (c & bit_F16C) != 0;
    if (!osxsave || !avx) return facts;
    const uint64_t xcr0 = read_xcr0();
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return facts;
    const gboolean ymm = (xcr0 & 0x6) == 0x6;   /* SSE and AVX state */
    const gboolean zmm = (xcr0 & 0xe6) == 0xe6; /* and opmask, upper ZMM, high ZMM */
    const unsigned need = bit_AVX512F | bit_AVX512BW | bit_AVX512VL | bit_AVX512DQ;
    facts.avx2 = ymm && (b & bit_AVX2) != 0;
    facts.avx512 = zmm && (b & need) == need;
    facts.vnni = facts.avx512 && (c & bit_AVX512VNNI) != 0;
    return facts;
}
#endif

static engine_cpu
detect(void)
{
#if defined(__x86_64__) && defined(LODE_ENGINE_X86)
    const cpu_facts facts = read_facts();
    if (!facts.avx2 || !facts.fma || !facts.f16c) return ENGINE_CPU_SCALAR;
    if (!facts.avx512) return ENGINE_CPU_AVX2;
    return facts.vnni ? ENGINE_CPU_AVX512VNNI : ENGINE_CPU_AVX512;
#else
    return ENGINE_CPU_SCALAR;
#endif
}

engine_cpu
engine_cpu_best(void)
{
    const engine_cpu best = detect();
    const char *wish = g_getenv("LODE_CPU");

    for (int cpu = ENGINE_CPU_SCALAR; wish && cpu < (int)best; cpu++)
        if (g_ascii_strcasecmp(wish, engine_cpu_name((engine_cpu)cpu)) == 0) return (engine_cpu)cpu;
    return best;
}

const char *
engine_cpu_name(engine_cpu cpu)
{
    static const char *const names[] = {"scalar", "avx2", "avx512", "avx512vnni"};
    return (unsigned)cpu < G_N_ELEMENTS(names) ? names[cpu] : "unknown";
}

char *
engine_cpu_features(void)
{
#if defined(__x86_64__) && defined(LODE_ENGINE_X86)
    cpu_facts facts = read_facts();
    g_strstrip(facts.brand);
    return g_strdup_printf("%s:%s%s%s%s%s; kernels %s", facts.brand, facts.avx2 ? " avx2" : "",
                           facts.fma ? " fma" : "", facts.f16c ? " f16c" : "",
                           facts.avx512 ? " avx512" : "", facts.vnni ? " vnni" : "",
                           engine_cpu_name(engine_cpu_best()));
#else
    return g_strdup_printf("kernels %s", engine_cpu_name(engine_cpu_best()));
#endif
}

/* What the emulation's files share. */
#ifndef LODE_EMULATION_INTERNAL_H
#define LODE_EMULATION_INTERNAL_H

#include "emulation.h"

#if defined(__SANITIZE_ADDRESS__)
#define EMULATION_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define EMULATION_ASAN 1
#endif
#endif
#ifdef EMULATION_ASAN
#include <sanitizer/asan_interface.h>
#endif

#define EMULATION_POISON 0xff /* a NaN in half, bfloat16, float and double; -1 as an index */

static inline void
emulation_poison(const void *memory, size_t n_bytes)
{
#ifdef EMULATION_ASAN
    __asan_poison_memory_region(memory, n_bytes);
#else
    (void)memory, (void)n_bytes;
#endif
}

static inline void
emulation_unpoison(const void *memory, size_t n_bytes)
{
#ifdef EMULATION_ASAN
    __asan_unpoison_memory_region(memory, n_bytes);
#else
    (void)memory, (void)n_bytes;
#endif
}

/* SplitMix64 (Steele, Lea and Flood, OOPSLA 2014). */
struct emulation_random {
    uint64_t state;
    explicit emulation_random(uint64_t seed = 1) : state(seed)
    {
    }
    uint64_t
    next()
    {
        uint64_t z = state += 0x9e3779b97f4a7c15u;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        return z ^ z >> 31;
    }
    size_t
    below(size_t n)
    {
        return (size_t)(((unsigned __int128)next() * n) >> 64);
    }
};

static inline uint64_t
emulation_gcd(uint64_t a, uint64_t b)
{
    while (b) {
        const uint64_t r = a % b;
        a = b;
        b = r;
    }
    return a;
}

/* ---- block.cc ---- */

/* Run a grid to its end; false after a fault. limit: bytes of shared memory a block may have. */
bool emulation_run_grid(const emulation_launch_config *config, const std::function<void()> &run,
                        size_t limit, uint64_t seed);

/* ---- card.cc ---- */

/* Held by every call from outside; calls call each other. */
struct emulation_lock {
    emulation_lock();
    ~emulation_lock();
    emulation_lock(const emulation_lock &) = delete;
};

const emulation_machine *emulation_now(void);
/* Keep the fault when it is expected, else print it and abort. */
void emulation_fault_found(const char *text);
bool emulation_faulted(void); /* sticky, as on the device */
/* Remember as the thread's last error, and return it. */
cudaError_t emulation_error(cudaError_t error);
size_t emulation_shared_limit(void); /* per block with opting in */
emulation_counts *emulation_counters(void);

/* ---- memory.cc ---- */

void emulation_memory_reset(void);
void emulation_memory_open(void); /* let device memory be touched: kernels and copies run */
void emulation_memory_close(void);
bool emulation_is_device(const void *memory, size_t n_bytes); /* within one allocation */
bool emulation_in_card(const void *memory);                   /* anywhere in the card */
bool emulation_is_pinned(const void *memory, size_t n_bytes);

/* ---- stream.cc ---- */

void emulation_stream_reset(void);
bool emulation_capturing(void); /* any stream, so that what a capture forbids can be refused */
cudaError_t emulation_run_all(void);
/* Put work on a stream: run is called when it is its turn, with device memory open. */
cudaError_t emulation_enqueue(cudaStream_t stream, std::function<void()> run);

#endif

/* The emulated card for tests in C (the emulation's own header is C++). */
#ifndef LODE_TESTS_EMULATED_CARD_H
#define LODE_TESTS_EMULATED_CARD_H

#include <stddef.h>

#ifndef __cplusplus
#include "forward_check.h"

static inline void emulated_card_fresh(void);

/* How far from the recorded logits (measured: 1e-5 of floats, which keep the CPU's tolerance; 4.9e-3 of FP8, 5.3e-2 of BF16,
 * whose 8 bits choose another expert now and then), and ways through a model from each other: few rows are multiplied in
 * float32, more as 16-bit numbers. */
static inline device_kind
emulated_kind(size_t n_tokens)
{
    return (device_kind){.compute = lode_cuda_compute_get(),
                         .f32 = 1e-4,
                         .f16 = 1e-2,
                         .bf16 = 8e-2,
                         .same = 5e-3,
                         .n_tokens = n_tokens,
                         .reset = emulated_card_fresh};
}
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* A fresh card of so many bytes; nothing may be open. Memory that was used before makes each kernel slower. */
void emulated_card_reset(size_t n_bytes);
/* Whether cuBLAS is not to be found from now on. */
void emulated_card_without_cublas(int missing);

#ifdef __cplusplus
}
#else
static inline void
emulated_card_fresh(void)
{
    emulated_card_reset((size_t)192 << 20);
}
#endif
#endif

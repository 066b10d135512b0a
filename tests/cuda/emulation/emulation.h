/* An emulation of the CUDA execution model for tests: lode's .cu files compile as C++ against it and run on a CPU.
 *
 * What is as on the device: grids, blocks, threads, shared memory (per block, poisoned before each), barriers, warp
 * shuffles, votes and matrix products, atomics, half and bfloat16 rounding, streams, events, graphs, a card of limited
 * memory. What is stricter, so that mistakes show which a device may let pass:
 *   - threads run in an order drawn from a seed, switched at every barrier, warp operation and atomic;
 *   - work on streams runs late, and in an order drawn from the seed among what streams and events leave open;
 *   - fresh shared and device memory, freed memory, targets of copies under way: bytes 0xff, a NaN in every float;
 *   - device memory cannot be touched by the host (it is mapped without access between kernels) and a kernel's
 *     pointer arguments must lie in it or in pinned memory;
 *   - writing past shared or device memory is found: at once with AddressSanitizer, else when the block or the
 *     allocation ends;
 *   - a barrier or warp operation that not all of its threads reach names the kernel, the place and who is missing.
 * What it cannot see: races between blocks on plain (not atomic) memory that no seed's order of blocks shows, spills
 * and speed, rounding of the device's approximate functions and matrix units.
 *
 * A fault ends the program with a message, unless a test expects it. The calls are locked inside. */
#ifndef LODE_EMULATION_H
#define LODE_EMULATION_H

#include "cublas_emulated.h"
#include "device_code.h"
#include "runtime.h"

/* The cards of the machine and what is installed on it. */
struct emulation_machine {
    int n_devices;          /* default 1 */
    int compute_capability; /* 75, 80, 86, 89, 90, 100 or 120; default 80 */
    size_t memory;          /* bytes of each card; default 256 MiB */
    int driver_version;     /* as cudaDriverGetVersion has it; default 13000; 0: no driver */
    uint64_t seed;          /* default 1, or LODE_EMULATION_SEED */
};

/* The defaults, or what LODE_EMULATED_CARD says: "devices=1,cc=80,memory=256M,driver=13000,seed=1", any of them. */
emulation_machine emulation_machine_default(void);
/* Begin anew: all memory, streams and errors of before are gone. */
void emulation_reset(const emulation_machine *machine);
void emulation_reseed(uint64_t seed);

/* Until emulation_take_fault: a fault is kept and the call that met it returns cudaErrorLaunchFailure. */
void emulation_expect_fault(void);
/* The fault since then, "" when there was none; valid until the next call here. */
const char *emulation_take_fault(void);

/* What has been done since the last reset. */
struct emulation_counts {
    uint64_t launches, blocks, copies, graph_launches, syncs;
    size_t memory_now, memory_peak; /* bytes of the card */
};
emulation_counts emulation_count(void);

#endif

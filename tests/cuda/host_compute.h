/* The table of compute.h in plain C over ordinary memory: a GPU without a GPU, exact in float32 and as fast as the CPU.
 * What the engine does with a device (placing, changing sides, paging, running out of memory) is tested on it for every
 * model; what the plug-in computes is held to it and to the recorded logits by the tests that run its kernels. */
#ifndef LODE_TESTS_HOST_COMPUTE_H
#define LODE_TESTS_HOST_COMPUTE_H

#include "engine/cuda/compute.h"

const lode_cuda_compute *host_compute(void);

/* The nth allocation from now on fails, and with for_good all after it; 0: none. */
void host_compute_fail(unsigned nth, int for_good);
unsigned host_compute_n_allocations(void); /* since the last call of host_compute_fail */
unsigned host_compute_n_live(void);        /* pieces of memory, queues and devices not given back */

#endif

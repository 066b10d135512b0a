/* A table of compute.h that hands on to another and fails when told: any call that can. */
#ifndef LODE_TESTS_FAULTY_COMPUTE_H
#define LODE_TESTS_FAULTY_COMPUTE_H

#include "engine/cuda/compute.h"

/* One at a time. base lives as long as what is made with the table. */
const lode_cuda_compute *faulty_compute(const lode_cuda_compute *base);

/* The nth call from now on fails, and all after it: memory for lack of it, the others as a launch does; 0: none. */
void faulty_compute_arm(unsigned nth);
unsigned faulty_compute_n_calls(void); /* since faulty_compute_arm */

#endif

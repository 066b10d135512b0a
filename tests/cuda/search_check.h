/* Exact search on a device beside a flat index of FAISS. */
#ifndef LODE_TESTS_SEARCH_CHECK_H
#define LODE_TESTS_SEARCH_CHECK_H

#include "engine/cuda/compute.h"

#include <stddef.h>

/* Random unit vectors; every rank must be FAISS's. Fails the test. */
void search_check(const lode_cuda_compute *compute, size_t n, size_t n_dims, size_t n_queries,
                  size_t k);

#endif

/* vectors_device: an exact index's vectors in the memory of a GPU, and why they are not there. */
#ifndef LODE_RETRIEVAL_VECTORS_DEVICE_H
#define LODE_RETRIEVAL_VECTORS_DEVICE_H

#include <glib.h>
#include <stdint.h>

#include "engine/engine.h"

/* Locked inside: any number of threads may search. */
typedef struct retrieval_vectors_device retrieval_vectors_device;

/* values [n, n_dims], borrowed, and the model outlive it. Never NULL: where they cannot be copied to the model's GPU it
 * finds nothing, and says why. */
retrieval_vectors_device *retrieval_vectors_device_new(const engine_model *model,
                                                       const float *values, size_t n,
                                                       uint32_t n_dims);
void retrieval_vectors_device_free(retrieval_vectors_device *device); /* NULL is fine */

/* Rows of the k with the largest products with query [n_dims], best first, into rows [k] (-1 behind the last), and those
 * products, exact but for a rounding. FALSE: search here. A failure of the GPU is its last: it is not asked again. */
gboolean retrieval_vectors_device_find(retrieval_vectors_device *device, const float *query,
                                       size_t k, int64_t *rows, float *scores);

/* NULL: the GPU searches; else why it does not. Free with g_free. */
char *retrieval_vectors_device_reason(retrieval_vectors_device *device);

#endif

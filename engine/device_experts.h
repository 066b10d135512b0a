/* Routed experts of the host in what memory a GPU has to spare: those asked for most are computed there, the others here at
 * the same time, and the two sums are added. For backend_device.c. */
#ifndef LODE_ENGINE_DEVICE_EXPERTS_H
#define LODE_ENGINE_DEVICE_EXPERTS_H

#include "engine/device.h"

G_BEGIN_DECLS

typedef struct engine_device_cache engine_device_cache;

/* At most n_bytes of the device's memory, for passes of max_rows rows in queue, which is borrowed. NULL with LIMIT when
 * that holds no expert or cannot be had, UNSUPPORTED for a type that is not copied as it is. One thread at a time. */
engine_device_cache *engine_device_cache_new(engine_device *device, lode_cuda_queue *queue,
                                             const engine_model *model, size_t max_rows,
                                             uint64_t n_bytes, GError **error);
void engine_device_cache_free(engine_device_cache *cache); /* NULL is fine */

/* Share out a layer's job over n rows. chosen, weights [n, n_used] (host): what the router says; choices that the device
 * has become -1 in chosen. Returns how many of the n * n_used choices are left for the host. */
size_t engine_device_cache_split(engine_device_cache *cache, const engine_moe_job *job, size_t n,
                                 int32_t *chosen, const float *weights);
/* y [n, n_embd] += the device's share of the last split, of x; both are there. A code of compute.h. */
int engine_device_cache_run(engine_device_cache *cache, const float *x, size_t n, float *y,
                            char *message);
/* Begin to copy what deserves it of the last split's misses; what cannot be copied is left out. */
void engine_device_cache_bring(engine_device_cache *cache);

engine_device_expert_stats engine_device_cache_get_stats(const engine_device_cache *cache);

G_END_DECLS
#endif

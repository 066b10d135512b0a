/* A GPU as the engine sees it: a model's weights in its memory, and a backend (backend.h) for whoever runs passes there.
 * What runs on it are the functions of engine/cuda/compute.h; this side finds, copies and names what they need. */
#ifndef LODE_ENGINE_DEVICE_H
#define LODE_ENGINE_DEVICE_H

#include "engine/backend.h"
#include "engine/cuda/compute.h"

G_BEGIN_DECLS

/* The weights of one model on one GPU; any number of runtimes share them. Counted; locked inside. */
typedef struct engine_device engine_device;

/* compute lives for ever. limit: bytes of its memory that may be used, 0: what is free. */
engine_device *engine_device_open(const lode_cuda_compute *compute, int index, uint64_t limit,
                                  GError **error);
engine_device *engine_device_ref(engine_device *device);
void engine_device_unref(engine_device *device); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(engine_device, engine_device_unref)

/* Give a model a device, before its first session: runtimes then place on it what fits. demanded: what cannot be there is
 * an error, not left to the CPU. n_layers: so many, the last ones; -1: as many as fit. */
gboolean engine_model_use_device(engine_model *model, const lode_cuda_compute *compute, int index,
                                 uint64_t limit, gboolean demanded, int n_layers, GError **error);

/* Bytes that can still be taken; 0 when the device does not say. */
uint64_t engine_device_left(engine_device *device);

/* Copy what is not there yet. LIMIT, with numbers, when there is no room, UNSUPPORTED for a type that has no kernel. */
gboolean engine_device_place(engine_device *device, const engine_tensor *tensor, GError **error);
gboolean engine_device_place_vector(engine_device *device, const float *vector, size_t n,
                                    GError **error);
/* The experts of a layer, as engine_moe_job names them. */
gboolean engine_device_place_experts(engine_device *device, const engine_moe_ffn *moe,
                                     GError **error);
/* What was placed; NULL when it was not. */
const lode_cuda_matrix *engine_device_matrix(engine_device *device, const engine_tensor *tensor);
const float *engine_device_vector(engine_device *device, const float *vector);
const lode_cuda_experts *engine_device_experts(engine_device *device, const engine_tensor *down);
/* Whether a cache of this shape can lie there: F32, F16, Q8_0 and Q4_0 alike for keys and values; else UNSUPPORTED. */
gboolean engine_device_stores(const engine_kv_shape *shape, GError **error);
/* Bytes that a tensor takes there. */
uint64_t engine_device_tensor_bytes(const engine_tensor *tensor);

/* Passes of at most max_rows rows over caches of at most n_pages pages. model, pool and device outlive it. */
engine_backend *engine_device_backend_new(engine_device *device, const engine_model *model,
                                          engine_pool *pool, uint32_t max_rows, uint32_t n_pages,
                                          GError **error);
void engine_device_backend_free(engine_backend *backend); /* NULL is fine */
/* Let the backend keep experts of the host in at most n_bytes of the device's memory; nothing changes where that holds
 * none. Once, before the first pass. */
void engine_device_backend_cache(engine_backend *backend, const engine_model *model,
                                 uint64_t n_bytes);
engine_device_expert_stats
engine_device_backend_expert_stats(engine_backend *backend); /* all 0 without a cache */
uint32_t engine_device_backend_n_graphs(
    engine_backend *backend); /* passes kept so far, for tests */

/* device.c, for backend_device.c */
const lode_cuda_compute *engine_device_compute(const engine_device *device);
lode_cuda_device *engine_device_handle(const engine_device *device);
void engine_device_set_error(GError **error, int code, const char *message);

G_END_DECLS
#endif

/* The C ABI between lode and its CUDA plug-in, liblode_cuda.so: one function, which hands over one table.
 *
 * The plug-in is loaded when a model is opened that may run on a GPU, or when somebody asks which there are; lode
 * itself links nothing of CUDA and starts everywhere. A plug-in of another ABI is refused with both numbers. Functions
 * return 0, or another number with the reason, one line, in error [LODE_CUDA_ERROR]. Thread-safe. */
#ifndef LODE_CUDA_PLUGIN_H
#define LODE_CUDA_PLUGIN_H

#include "engine/cuda/compute.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Changes whenever a struct of plugin.h or compute.h does. */
#define LODE_CUDA_ABI            4u
#define LODE_CUDA_PLUGIN_FILE    "liblode_cuda.so"
#define LODE_CUDA_PLUGIN_SYMBOL  "lode_cuda_plugin_get"
#define LODE_CUDA_CAPABILITY_MIN 75 /* 10 * major + minor */

typedef struct {
    char name[128];
    int capability; /* 10 * major + minor */
    int n_multiprocessors;
    uint64_t memory_total, memory_free; /* bytes, now */
} lode_cuda_description;

typedef struct {
    uint32_t abi;
    uint32_t struct_size;

    /* as CUDA counts: 13010 is 13.1; driver 0: none is installed */
    int (*versions)(int *driver, int *runtime, char *error);
    /* Cards that are there, whether lode can use them or not; NO driver, one that is too old, or no card is an error
     * that says so. */
    int (*n_devices)(int *n, char *error);
    /* Fails for a card that lode cannot use: too old, or in another's sole use. */
    int (*describe)(int index, lode_cuda_description *out, char *error);
    /* cuBLAS, without which only our own kernels run; version as it counts, 130100 */
    int (*cublas_version)(int *version, char *error);

    const lode_cuda_compute *compute; /* what models are run with, compute.h */
} lode_cuda_plugin;

/* abi: the caller's, for a plug-in that could serve several. The table lives for ever. */
typedef const lode_cuda_plugin *(*lode_cuda_plugin_get_function)(uint32_t abi);
__attribute__((visibility("default"))) const lode_cuda_plugin *lode_cuda_plugin_get(uint32_t abi);

#ifdef __cplusplus
}
#endif
#endif

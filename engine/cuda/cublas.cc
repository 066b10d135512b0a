/* Finding cuBLAS: the loader's path (LD_LIBRARY_PATH, ldconfig), then where the toolkit installs it. */
#include "engine/cuda/cublas.h"

#include <cstdio>
#include <mutex>

const char *
cublas_status_text(int status)
{
    switch (status) {
    case 0:
        return "success";
    case 1:
        return "not initialised";
    case 3:
        return "out of memory";
    case 7:
        return "invalid value";
    case 8:
        return "not supported by this card";
    case 11:
        return "error of the memory mapping";
    case 13:
        return "execution failed";
    case 14:
        return "internal error";
    case 15:
        return "not supported";
    default:
        return "unknown status";
    }
}

#ifdef LODE_CUDA_EMULATED

const lode_cublas *
cublas_open(char *reason, size_t size)
{
    const lode_cublas *table = emulation_cublas();
    if (!table) snprintf(reason, size, "no cuBLAS: libcublas.so.13 is not found");
    return table;
}

#else

#include <dlfcn.h>

static const char *const places[] = {
    "libcublas.so.13",
    "libcublas.so.12",
    "/usr/local/cuda/lib64/libcublas.so.13",
    "/usr/local/cuda/lib64/libcublas.so.12",
};

template <class F>
static bool
find(void *library, const char *name, F *function)
{
    void *symbol = dlsym(library, name);
    *function = reinterpret_cast<F>(symbol);
    return symbol != NULL;
}

static bool
find_all(void *library, lode_cublas *t, const char **missing)
{
    find(library, "cublasGemmGroupedBatchedEx", &t->gemm_grouped_batched_ex);
    return find(library, *missing = "cublasCreate_v2", &t->create) &&
           find(library, *missing = "cublasDestroy_v2", &t->destroy) &&
           find(library, *missing = "cublasGetVersion_v2", &t->get_version) &&
           find(library, *missing = "cublasSetStream_v2", &t->set_stream) &&
           find(library, *missing = "cublasSetWorkspace_v2", &t->set_workspace) &&
           find(library, *missing = "cublasGemmEx", &t->gemm_ex);
}

const lode_cublas *
cublas_open(char *reason, size_t size)
{
    static std::mutex mutex;
    static lode_cublas table;
    static bool found;
    const std::lock_guard<std::mutex> lock(mutex);

    if (found) return &table;
    void *library = NULL;
    for (const char *place : places)
        if (!library) library = dlopen(place, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        snprintf(reason, size, "no cuBLAS: neither libcublas.so.13 nor libcublas.so.12 is found");
        return NULL;
    }
    const char *missing = "";
    if (!find_all(library, &table, &missing)) {
        snprintf(reason, size, "cuBLAS is too old: it has no %s", missing);
        dlclose(library);
        return NULL;
    }
    found = true; /* and stays loaded: its threads and kernels outlive any handle */
    return &table;
}

#endif

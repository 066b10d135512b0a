/* What the plug-in says about itself and the machine. */
#include "engine/cuda/plugin.h"

#include "engine/cuda/cublas.h"

#include <cstdio>

static int
fail_with(char *error, const char *what, cudaError_t code)
{
    snprintf(error, LODE_CUDA_ERROR, "%s: %s", what, cudaGetErrorString(code));
    cudaGetLastError(); /* or it would be the next call's */
    return LODE_CUDA_FAILED;
}

static int
versions(int *driver, int *runtime, char *error)
{
    cudaError_t code = cudaDriverGetVersion(driver);

    if (code == cudaSuccess) code = cudaRuntimeGetVersion(runtime);
    return code == cudaSuccess ? LODE_CUDA_OK : fail_with(error, "no version of CUDA", code);
}

static int
n_devices(int *n, char *error)
{
    int driver = 0, runtime = 0;

    *n = 0;
    if (versions(&driver, &runtime, error) != LODE_CUDA_OK) return LODE_CUDA_FAILED;
    if (driver == 0) {
        snprintf(error, LODE_CUDA_ERROR, "no NVIDIA driver (libcuda.so.1) is installed");
        return LODE_CUDA_FAILED;
    }
    const cudaError_t code = cudaGetDeviceCount(n);
    if (code == cudaSuccess && *n > 0) return LODE_CUDA_OK;
    cudaGetLastError();
    *n = 0;
    if (code == cudaErrorInsufficientDriver) {
        snprintf(error, LODE_CUDA_ERROR,
                 "the NVIDIA driver is too old: it knows CUDA %d.%d, and %d.%d is needed",
                 driver / 1000, driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10);
        return LODE_CUDA_FAILED;
    }
    if (code != cudaSuccess && code != cudaErrorNoDevice)
        return fail_with(error, "the NVIDIA driver does not answer", code);
    snprintf(error, LODE_CUDA_ERROR, "a driver is installed, but no GPU is there");
    return LODE_CUDA_FAILED;
}

static int
describe(int index, lode_cuda_description *out, char *error)
{
    cudaDeviceProp prop;
    int n, before = 0;

    if (n_devices(&n, error) != LODE_CUDA_OK) return LODE_CUDA_FAILED;
    if (index < 0 || index >= n) {
        snprintf(error, LODE_CUDA_ERROR, "there is no GPU %d: %d found, counted from 0", index, n);
        return LODE_CUDA_FAILED;
    }
    cudaError_t code = cudaGetDeviceProperties(&prop, index);
    if (code != cudaSuccess) return fail_with(error, "the GPU does not answer", code);
    *out = lode_cuda_description{};
    snprintf(out->name, sizeof out->name, "%.*s", (int)sizeof out->name - 1, prop.name);
    out->capability = prop.major * 10 + prop.minor;
    out->n_multiprocessors = prop.multiProcessorCount;
    if (out->capability < LODE_CUDA_CAPABILITY_MIN) {
        snprintf(error, LODE_CUDA_ERROR,
                 "%.100s has compute capability %d.%d, and 7.5 is the least that lode runs on",
                 out->name, prop.major, prop.minor);
        return LODE_CUDA_UNSUPPORTED;
    }
    size_t n_free = 0, n_total = 0;
    code = cudaGetDevice(&before);
    if (code == cudaSuccess) {
        code = cudaSetDevice(index);
        if (code == cudaSuccess) code = cudaMemGetInfo(&n_free, &n_total);
        const cudaError_t back = cudaSetDevice(before);
        if (code == cudaSuccess) code = back;
    }
    if (code != cudaSuccess) return fail_with(error, "the GPU cannot be used", code);
    out->memory_total = n_total;
    out->memory_free = n_free;
    return LODE_CUDA_OK;
}

static int
cublas_version(int *version, char *error)
{
    const lode_cublas *cublas = cublas_open(error, LODE_CUDA_ERROR);
    cublas_handle handle = NULL;

    if (!cublas) return LODE_CUDA_UNSUPPORTED;
    int status = cublas->create(&handle);
    if (status == CUBLAS_SUCCESS) status = cublas->get_version(handle, version);
    if (handle) cublas->destroy(handle);
    if (status == CUBLAS_SUCCESS) return LODE_CUDA_OK;
    snprintf(error, LODE_CUDA_ERROR, "cuBLAS: %s", cublas_status_text(status));
    return LODE_CUDA_FAILED;
}

const lode_cuda_plugin *
lode_cuda_plugin_get(uint32_t abi)
{
    static const lode_cuda_plugin plugin = {
        LODE_CUDA_ABI,
        (uint32_t)sizeof(lode_cuda_plugin),
        versions,
        n_devices,
        describe,
        cublas_version,
        lode_cuda_compute_get(),
    };

    (void)abi; /* one so far; the caller compares */
    return &plugin;
}

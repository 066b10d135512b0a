/* A card's memory as lode takes it: counted against a limit, freed with the device; and copies from and to memory of the
 * host, through pinned buffers, so that they run beside the kernels. */
#ifndef LODE_CUDA_MEMORY_H
#define LODE_CUDA_MEMORY_H

#include "engine/cuda/compute.h"
#include "engine/cuda/device.h"

#include <mutex>
#include <unordered_map>

#define STAGE_SLOTS 4
#define STAGE_BYTES ((size_t)1 << 20)

/* A ring of pinned buffers over one stream. A slot is used again when its copy is done. */
struct staging {
    cudaStream_t stream; /* borrowed */
    unsigned char *memory;
    cudaEvent_t done[STAGE_SLOTS];
    bool busy[STAGE_SLOTS];
    unsigned next;
};

struct lode_cuda_device {
    int index;
    uint64_t limit, used;
    std::mutex mutex; /* used, pieces and loads */
    std::unordered_map<void *, size_t> pieces;
    cudaStream_t stream; /* of the weights' copies */
    staging loads;
};

/* A message, "what: reason", and one of compute.h's codes. */
int cuda_report(cudaError_t status, const char *what, char *error);

/* From here on the calling thread means this device. */
cudaError_t cuda_use(const lode_cuda_device *device);

cudaError_t staging_open(staging *s, cudaStream_t stream);
void staging_close(staging *s);
/* dst is filled later, in the stream's order; host may be reused at once. */
cudaError_t staging_in(staging *s, void *dst, const void *host, size_t n_bytes);
/* host is filled when it returns, with what src held when all before in the stream was done. */
cudaError_t staging_out(staging *s, void *host, const void *src, size_t n_bytes);

/* compute.h's functions */
int cuda_device_open(int index, uint64_t limit, lode_cuda_device **out, char *error);
void cuda_device_close(lode_cuda_device *device);
int cuda_device_memory(lode_cuda_device *device, uint64_t *used, uint64_t *left, char *error);
int cuda_alloc(lode_cuda_device *device, size_t n_bytes, void **out, char *error);
void cuda_release(lode_cuda_device *device, void *memory);
int cuda_fill(lode_cuda_device *device, void *dst, const void *host, size_t n_bytes, char *error);

#endif

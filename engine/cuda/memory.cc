/* Memory of a card and the way there; see memory.h. */
#include "engine/cuda/memory.h"

#include <cstdio>
#include <cstring>
#include <new>

#define ALIGNMENT 256
#define SPARE     ((uint64_t)64 << 20) /* of what is free: for the driver and other programs' windows */

int
cuda_report(cudaError_t status, const char *what, char *error)
{
    if (status == cudaSuccess) return LODE_CUDA_OK;
    (void)cudaGetLastError(); /* or the next launch would report it again */
    snprintf(error, LODE_CUDA_ERROR, "CUDA: %s: %s", what, cudaGetErrorString(status));
    return status == cudaErrorMemoryAllocation ? LODE_CUDA_NO_MEMORY : LODE_CUDA_FAILED;
}

cudaError_t
cuda_use(const lode_cuda_device *device)
{
    return cudaSetDevice(device->index);
}

/* ---- copies ---- */

cudaError_t
staging_open(staging *s, cudaStream_t stream)
{
    *s = staging();
    s->stream = stream;
    LODE_TRY(cudaHostAlloc(&s->memory, STAGE_SLOTS * STAGE_BYTES, cudaHostAllocDefault));
    for (cudaEvent_t &done : s->done)
        LODE_TRY(cudaEventCreateWithFlags(&done, cudaEventDisableTiming));
    return cudaSuccess;
}

void
staging_close(staging *s)
{
    for (cudaEvent_t done : s->done)
        if (done) (void)cudaEventDestroy(done);
    if (s->memory) (void)cudaFreeHost(s->memory);
    *s = staging();
}

/* The next slot, once its last copy is done. */
static cudaError_t
take_slot(staging *s, unsigned *slot)
{
    *slot = s->next;
    s->next = (s->next + 1) % STAGE_SLOTS;
    if (!s->busy[*slot]) return cudaSuccess;
    s->busy[*slot] = false;
    return cudaEventSynchronize(s->done[*slot]);
}

static cudaError_t
mark_slot(staging *s, unsigned slot)
{
    s->busy[slot] = true;
    return cudaEventRecord(s->done[slot], s->stream);
}

cudaError_t
staging_in(staging *s, void *dst, const void *host, size_t n_bytes)
{
    unsigned char *to = static_cast<unsigned char *>(dst);
    const unsigned char *from = static_cast<const unsigned char *>(host);

    for (size_t done = 0; done < n_bytes; done += STAGE_BYTES) {
        const size_t n = n_bytes - done < STAGE_BYTES ? n_bytes - done : STAGE_BYTES;
        unsigned slot;
        LODE_TRY(take_slot(s, &slot));
        unsigned char *buffer = s->memory + slot * STAGE_BYTES;
        memcpy(buffer, from + done, n);
        LODE_TRY(cudaMemcpyAsync(to + done, buffer, n, cudaMemcpyHostToDevice, s->stream));
        LODE_TRY(mark_slot(s, slot));
    }
    return cudaSuccess;
}

/* While a slot is emptied here, the next ones fill. */
cudaError_t
staging_out(staging *s, void *host, const void *src, size_t n_bytes)
{
    unsigned char *to = static_cast<unsigned char *>(host);
    const unsigned char *from = static_cast<const unsigned char *>(src);
    const size_t n_pieces = (n_bytes + STAGE_BYTES - 1) / STAGE_BYTES;
    unsigned slots[STAGE_SLOTS];

    for (size_t i = 0, taken = 0; i < n_pieces; i++) {
        for (; taken < n_pieces && taken < i + STAGE_SLOTS; taken++) {
            const size_t at = taken * STAGE_BYTES;
            const size_t n = n_bytes - at < STAGE_BYTES ? n_bytes - at : STAGE_BYTES;
            unsigned *slot = &slots[taken % STAGE_SLOTS];
            LODE_TRY(take_slot(s, slot));
            LODE_TRY(cudaMemcpyAsync(s->memory + *slot * STAGE_BYTES, from + at, n,
                                     cudaMemcpyDeviceToHost, s->stream));
            LODE_TRY(mark_slot(s, *slot));
        }
        const size_t at = i * STAGE_BYTES;
        const unsigned slot = slots[i % STAGE_SLOTS];
        LODE_TRY(cudaEventSynchronize(s->done[slot]));
        s->busy[slot] = false;
        memcpy(to + at, s->memory + slot * STAGE_BYTES,
               n_bytes - at < STAGE_BYTES ? n_bytes - at : STAGE_BYTES);
    }
    return cudaSuccess;
}

/* ---- the device ---- */

static cudaError_t
open_parts(lode_cuda_device *device, uint64_t limit)
{
    size_t n_free = 0, n_total = 0;

    LODE_TRY(cuda_use(device));
    LODE_TRY(cudaStreamCreateWithFlags(&device->stream, cudaStreamNonBlocking));
    LODE_TRY(staging_open(&device->loads, device->stream));
    LODE_TRY(cudaMemGetInfo(&n_free, &n_total));
    const uint64_t most = n_free > SPARE ? n_free - SPARE : n_free / 2;
    device->limit = limit > 0 && limit < most ? limit : most;
    return cudaSuccess;
}

int
cuda_device_open(int index, uint64_t limit, lode_cuda_device **out, char *error)
{
    int n = 0;
    const cudaError_t counted = cudaGetDeviceCount(&n);

    *out = NULL;
    if (counted != cudaSuccess) return cuda_report(counted, "looking for a GPU", error);
    if (index < 0 || index >= n) {
        snprintf(error, LODE_CUDA_ERROR, "there is no GPU %d: this machine has %d", index, n);
        return LODE_CUDA_FAILED;
    }
    lode_cuda_device *device = new (std::nothrow) lode_cuda_device();
    if (!device) {
        snprintf(error, LODE_CUDA_ERROR, "no memory");
        return LODE_CUDA_NO_MEMORY;
    }
    device->index = index;
    const cudaError_t status = open_parts(device, limit);
    if (status == cudaSuccess) {
        *out = device;
        return LODE_CUDA_OK;
    }
    cuda_device_close(device);
    return cuda_report(status, "opening the GPU", error);
}

void
cuda_device_close(lode_cuda_device *device)
{
    if (!device) return;
    (void)cuda_use(device);
    (void)cudaDeviceSynchronize();
    for (const auto &piece : device->pieces)
        (void)cudaFree(piece.first);
    staging_close(&device->loads);
    if (device->stream) (void)cudaStreamDestroy(device->stream);
    delete device;
}

int
cuda_device_memory(lode_cuda_device *device, uint64_t *used, uint64_t *left, char *error)
{
    size_t n_free = 0, n_total = 0;
    cudaError_t status = cuda_use(device);

    if (status == cudaSuccess) status = cudaMemGetInfo(&n_free, &n_total);
    if (status != cudaSuccess) return cuda_report(status, "asking for its memory", error);
    const std::lock_guard<std::mutex> lock(device->mutex);
    const uint64_t allowed = device->limit - device->used;
    *used = device->used;
    *left = allowed < n_free ? allowed : n_free; /* others take of it too */
    return LODE_CUDA_OK;
}

static int
refuse(const lode_cuda_device *device, size_t n_bytes, char *error)
{
    const double mib = 1024.0 * 1024.0;

    snprintf(error, LODE_CUDA_ERROR,
             "the GPU's memory is full: %.1f MiB are asked for, %.1f of %.1f MiB are taken",
             (double)n_bytes / mib, (double)device->used / mib, (double)device->limit / mib);
    return LODE_CUDA_NO_MEMORY;
}

int
cuda_alloc(lode_cuda_device *device, size_t n_bytes, void **out, char *error)
{
    const std::lock_guard<std::mutex> lock(device->mutex);
    unsigned char *memory = NULL;

    *out = NULL;
    if (n_bytes > SIZE_MAX - ALIGNMENT) return refuse(device, n_bytes, error);
    const size_t n = (n_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT + (n_bytes == 0) * ALIGNMENT;
    if (n > device->limit - device->used) return refuse(device, n, error);
    cudaError_t status = cuda_use(device);
    if (status == cudaSuccess) status = cudaMalloc(&memory, n);
    if (status == cudaErrorMemoryAllocation) {
        (void)cudaGetLastError();
        return refuse(device, n, error);
    }
    /* other streams may use it as soon as this returns */
    if (status == cudaSuccess) status = cudaMemsetAsync(memory, 0, n, device->stream);
    if (status == cudaSuccess) status = cudaStreamSynchronize(device->stream);
    if (status != cudaSuccess) {
        if (memory) (void)cudaFree(memory);
        return cuda_report(status, "taking memory", error);
    }
    device->pieces[memory] = n;
    device->used += n;
    *out = memory;
    return LODE_CUDA_OK;
}

void
cuda_release(lode_cuda_device *device, void *memory)
{
    const std::lock_guard<std::mutex> lock(device->mutex);
    const auto found = device->pieces.find(memory);

    if (!memory || found == device->pieces.end()) return;
    (void)cuda_use(device);
    (void)cudaDeviceSynchronize();
    (void)cudaFree(memory);
    device->used -= found->second;
    device->pieces.erase(found);
}

int
cuda_fill(lode_cuda_device *device, void *dst, const void *host, size_t n_bytes, char *error)
{
    const std::lock_guard<std::mutex> lock(device->mutex);
    cudaError_t status = cuda_use(device);

    if (status == cudaSuccess) status = staging_in(&device->loads, dst, host, n_bytes);
    if (status == cudaSuccess) status = cudaStreamSynchronize(device->stream);
    return cuda_report(status, "copying weights", error);
}

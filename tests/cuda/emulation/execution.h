/* Blocks and threads of a kernel on a CPU. A thread is a fiber; it runs until it waits for others (a barrier, a warp
 * operation), gives way (an atomic) or returns, and then another one is drawn that can go on. So whatever the source
 * does not order happens in another order under another seed.
 *
 * A warp operation is a request that a lane hands in; when every lane of its mask waits with the same one, it is
 * completed for all of them. Lanes of a mask that have returned or do not exist are an error here, though the device
 * lets some of that pass. */
#ifndef LODE_EMULATION_EXECUTION_H
#define LODE_EMULATION_EXECUTION_H

#include "runtime.h"

#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>

struct emulation_request;
typedef void (*emulation_complete)(emulation_request *const lanes[32], unsigned mask);

/* What a lane waits with; operations derive from it. Lives on the fiber's stack. */
struct emulation_request {
    emulation_complete complete;
    const char *name;
    unsigned mask;
    const char *file;
    int line;
};

/* What a running thread sees of itself. */
struct emulation_thread {
    uint3 thread_index, block_index;
    dim3 block_dim, grid_dim;
    unsigned lane;
};
extern const emulation_thread *emulation_running; /* NULL outside of kernels */

#define threadIdx (emulation_running->thread_index)
#define blockIdx  (emulation_running->block_index)
#define blockDim  (emulation_running->block_dim)
#define gridDim   (emulation_running->grid_dim)
static constexpr int warpSize = 32;

/* ---- called by kernels ---- */

enum emulation_barrier_kind { EMULATION_BARRIER, EMULATION_BARRIER_COUNT };
int emulation_barrier(const char *name, int predicate, const char *file,
                      int line);                 /* how many were true */
void emulation_warp(emulation_request *request); /* returns when it is completed */
void emulation_give_way(void);
void *emulation_shared(void); /* the dynamic part */
void *emulation_static_shared(const void *site, size_t n_bytes, size_t align);
[[noreturn]] void emulation_fault(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* cp.async of this thread: n_bytes (4, 8, 16) land when a wait says so; until then dst is poison. src_bytes < n_bytes
 * fills the rest with zero. */
void emulation_copy_async(void *dst, const void *src, size_t n_bytes, size_t src_bytes);
void emulation_copy_commit(void);
void emulation_copy_wait(size_t n_pending); /* groups that may still be on their way */

/* ---- called by the host ---- */

struct emulation_launch_config {
    const char *kernel;
    const void *function;
    dim3 grid, block;
    size_t shared;
    cudaStream_t stream;
};
/* Queue; errors of the configuration are the launch's and faults of the test. */
cudaError_t emulation_launch(const emulation_launch_config &config, std::function<void()> body);
/* A pointer argument must be memory that the device can reach. */
void emulation_check_pointer(const char *kernel, size_t index, const void *pointer);

template <class P>
static inline void
emulation_check_argument(const char *kernel, size_t index, const P &value)
{
    if constexpr (std::is_pointer_v<P>) {
        if constexpr (!std::is_function_v<std::remove_pointer_t<P>>)
            emulation_check_pointer(kernel, index, (const void *)value);
    }
}

template <class... P, class... A>
static inline cudaError_t
emulation_launch_kernel(const char *name, void (*kernel)(P...), dim3 grid, dim3 block,
                        size_t shared, cudaStream_t stream, A &&...arguments)
{
    static_assert(sizeof...(P) == sizeof...(A), "a launch needs every argument of its kernel");
    std::tuple<std::remove_cv_t<P>...> values{static_cast<P>(arguments)...};
    size_t index = 0;

    std::apply([&](const auto &...value) { (emulation_check_argument(name, index++, value), ...); },
               values);
    (void)index;
    return emulation_launch(
        {name, reinterpret_cast<const void *>(kernel), grid, block, shared, stream},
        [kernel, values]() { std::apply(kernel, values); });
}

#endif

/* cmocka in C++, and what the tests of kernels do again and again. */
#ifndef LODE_CUDA_TEST_H
#define LODE_CUDA_TEST_H

#include "engine/cuda/device.h"

#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
extern "C" {
#include <cmocka.h>
}
#include <vector>

#define CUDA_OK(call)                                                                              \
    do {                                                                                           \
        const cudaError_t cuda_error_ = (call);                                                    \
        if (cuda_error_ != cudaSuccess)                                                            \
            fail_msg("%s: %s", #call, cudaGetErrorString(cuda_error_));                            \
    } while (0)

/* An array of the device, copied from and to a vector; freed at the end of its scope. */
template <class T> struct device_array {
    T *data;
    size_t n;
    explicit device_array(size_t n_elems) : data(NULL), n(n_elems)
    {
        if (n) CUDA_OK(cudaMalloc(&data, n * sizeof(T)));
    }
    explicit device_array(const std::vector<T> &from) : device_array(from.size())
    {
        set(from);
    }
    device_array(const device_array &) = delete;
    ~device_array()
    {
        cudaFree(data);
    }
    void
    set(const std::vector<T> &from)
    {
        assert_true(from.size() == n);
        if (n) CUDA_OK(cudaMemcpy(data, from.data(), n * sizeof(T), cudaMemcpyHostToDevice));
    }
    std::vector<T>
    get() const
    {
        std::vector<T> to(n);
        CUDA_OK(cudaDeviceSynchronize());
        if (n) CUDA_OK(cudaMemcpy(to.data(), data, n * sizeof(T), cudaMemcpyDeviceToHost));
        return to;
    }
};

#endif

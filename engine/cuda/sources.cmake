# The plug-in's sources, of both its builds: by nvcc, and by the C++ compiler against the tests' emulation.
# .cu files hold kernels. Few and large: each is compiled once per architecture.
set(LODE_CUDA_KERNEL_SOURCES
  attention_decode.cu
  attention_prefill.cu
  delta.cu
  fused.cu
  gemv.cu
  heads.cu
  route.cu
  rows.cu
  weights.cu
  )
set(LODE_CUDA_HOST_SOURCES
  compute.cc
  cublas.cc
  gemm.cc
  memory.cc
  queue.cc
  plugin.cc
  )

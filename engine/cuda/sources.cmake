# The plug-in's sources, of both its builds: by nvcc, and by the C++ compiler against the tests' emulation.
# .cu files hold kernels. Few and large: each is compiled once per architecture; those that take longest come first.
set(LODE_CUDA_KERNEL_SOURCES
  gemv.cu
  attention_prefill.cu
  fused.cu
  weights.cu
  attention_decode.cu
  attention_floats.cu
  delta.cu
  delta_chunks.cu
  heads.cu
  route.cu
  rows.cu
  )
set(LODE_CUDA_HOST_SOURCES
  compute.cc
  cublas.cc
  gemm.cc
  memory.cc
  queue.cc
  plugin.cc
  )

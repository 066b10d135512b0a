# lode_nvcc(SOURCE OBJECT FLAGS...): a rule that compiles one file, absolute paths. Without an architecture among the
# flags it is host code, for which one is as good as all. ptxas's spills are warnings, and so errors.
function(lode_nvcc source object)
  set(flags -std=c++17 -O3 --threads 2
    -Xcompiler -fPIC,-fvisibility=hidden,-Wall,-Wextra,-Wshadow,-Wconversion,-ffp-contract=off
    -fmad=true -Xptxas -v,-warn-spills -I${CMAKE_SOURCE_DIR})
  if(LODE_WERROR)
    list(APPEND flags -Werror all-warnings -Xcompiler -Werror)
  endif()
  if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
    list(APPEND flags -lineinfo)
  endif()
  list(APPEND flags ${ARGN})
  if(NOT "-gencode" IN_LIST flags)
    list(GET LODE_CUDA_ARCHITECTURES 0 oldest)
    list(APPEND flags -gencode arch=compute_${oldest},code=sm_${oldest} -x cu)
  endif()
  file(RELATIVE_PATH name ${CMAKE_SOURCE_DIR} ${source})
  set(script ${CMAKE_SOURCE_DIR}/engine/cuda/compile.cmake)
  add_custom_command(OUTPUT ${object}
    COMMAND ${CMAKE_COMMAND} "-DNVCC=${LODE_NVCC}" "-DLAUNCHER=${CMAKE_CXX_COMPILER_LAUNCHER}" "-DHOST=${CMAKE_CXX_COMPILER}"
      "-DFLAGS=${flags}" -DSOURCE=${source} -DOBJECT=${object} -P ${script}
    DEPENDS ${source} ${script}
    DEPFILE ${object}.d
    COMMENT "nvcc ${name}"
    VERBATIM)
endfunction()

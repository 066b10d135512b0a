/* Pulls the plug-in's one symbol, and with it everything, out of the static libraries. */
#include "engine/cuda/plugin.h"

extern "C" __attribute__((visibility("default"))) const void *const lode_cuda_emulated_anchor;
const void *const lode_cuda_emulated_anchor = reinterpret_cast<const void *>(lode_cuda_plugin_get);

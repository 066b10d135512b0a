/* Finding a GPU for a model. Private to engine/. */
#ifndef LODE_ENGINE_GPU_H
#define LODE_ENGINE_GPU_H

#include "engine/cuda/plugin.h"
#include "engine/model.h"

G_BEGIN_DECLS

/* The plug-in, loaded once and kept; NULL with IO and the reason. */
const lode_cuda_plugin *engine_gpu_plugin(GError **error);
/* Fill in model->device and model->wish as the options say. TRUE without a device where none is demanded. */
gboolean engine_gpu_attach(engine_model *model, const engine_model_options *options,
                           GError **error);

G_END_DECLS
#endif

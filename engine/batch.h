/* The inside of engine_batch that score.c needs. */
#ifndef LODE_ENGINE_BATCH_H
#define LODE_ENGINE_BATCH_H

#include "engine/runtime.h"

G_BEGIN_DECLS

engine_runtime *engine_batch_get_runtime(engine_batch *batch);

G_END_DECLS
#endif

/* The families we run and their tensors' names. */
#ifndef LODE_ENGINE_DECODER_NAMES_H
#define LODE_ENGINE_DECODER_NAMES_H

#include "engine/decoder_load.h"

G_BEGIN_DECLS

extern const engine_names engine_names_gguf, engine_names_pack;

/* The family of a general.architecture or a model_type; NULL: not one we run. */
const engine_family *engine_family_lookup(gboolean gguf, const char *name);

G_END_DECLS
#endif

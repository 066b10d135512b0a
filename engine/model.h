/* What an engine_model is made of. Private to engine/. */
#ifndef LODE_ENGINE_MODEL_H
#define LODE_ENGINE_MODEL_H

#include "engine/engine.h"
#include "engine/kernels.h"
#include "engine/tokenizer.h"
#include "engine/weights.h"

G_BEGIN_DECLS

struct engine_device; /* device.h */

typedef struct {
    gboolean demanded; /* an error where the device cannot be used, instead of the CPU */
    int n_layers;      /* on the device, the last ones; -1: as many as fit */
    uint64_t expert_cache; /* bytes of the device's memory for experts of the host, at most */
} engine_device_wish;

struct engine_model {
    engine_model_info info;        /* its strings are owned below or by weights, or static */
    engine_weights *weights;       /* owned: the mapping all tensors point into */
    engine_tokenizer *tokenizer;   /* owned; NULL when the model carries none (ids only) */
    const engine_kernels *kernels; /* chosen when the model was opened */
    char *name;                    /* owned, info.name */
    void *arch;                    /* owned: engine_decoder or engine_bert */
    GDestroyNotify free_arch;
    struct engine_device *device; /* owned; NULL: the CPU alone. Runtimes place on it what fits */
    engine_device_wish wish;      /* what of the model should be there */
};

/* decoder_load.c: TRUE when `stated`, a general.architecture or a model_type, names a decoder we run. */
gboolean engine_decoder_knows(gboolean gguf, const char *stated);
/* Same contract as engine_bert_load, for one of those. */
gboolean engine_decoder_load(engine_model *model, const char *stated, GError **error);

/* chat.c: the model's own chat template, else its family's as the vocabulary tells, else NULL. */
const char *engine_chat_template_of(const engine_tokenizer *tokenizer);

G_END_DECLS
#endif

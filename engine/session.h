/* The inside of engine_session, for session.c and generate.c. */
#ifndef LODE_ENGINE_SESSION_H
#define LODE_ENGINE_SESSION_H

#include "engine/llama.h"

G_BEGIN_DECLS

struct engine_session {
    const engine_model *model;
    engine_llama_state state;
    int32_t *tokens; /* [n_context]; the first n_past are in the cache */
    uint32_t n_past;
    float *logits; /* [n_vocab], of engine_generate */
};

G_END_DECLS
#endif

/* The inside of engine_session, for session.c and generate.c. */
#ifndef LODE_ENGINE_SESSION_H
#define LODE_ENGINE_SESSION_H

#include "engine/decoder.h"

G_BEGIN_DECLS

struct engine_session {
    const engine_model *model;
    engine_pool *pool;
    uint32_t n_context;
    engine_kv *kv; /* of this session alone */
    engine_sequence_state state;
    engine_decoder_scratch *scratch;
    int32_t *tokens; /* [n_context]; the first n_past are in the cache */
    uint32_t n_past;
    float *logits; /* [n_vocab], of engine_generate */
};

G_END_DECLS
#endif

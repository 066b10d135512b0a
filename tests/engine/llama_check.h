/* Shared by the tests that run llama models. */
#ifndef LODE_TESTS_LLAMA_CHECK_H
#define LODE_TESTS_LLAMA_CHECK_H

#include "engine/engine.h"

/* Opens or fails the test. */
engine_model *open_model(const char *path);
engine_session *new_session(const engine_model *model, engine_pool *pool, uint32_t n_context);

/* Evaluate tokens [n] in pieces of `step`, all logits [n, n_vocab]; fails the test on an error. Free with g_free. */
float *eval_in_steps(engine_session *session, const int32_t *tokens, size_t n, size_t step);

#endif

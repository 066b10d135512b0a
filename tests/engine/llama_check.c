#include "llama_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "engine/session.h"

engine_model *
open_model(const char *path)
{
    g_autoptr(GError) error = NULL;
    engine_model_options options = engine_model_options_default();
    options.exact = TRUE; /* the references were computed in float32 */
    engine_model *model = engine_model_open_with(path, &options, &error);
    if (!model) fail_msg("%s", error->message);
    return model;
}

engine_session *
new_session(const engine_model *model, engine_pool *pool, uint32_t n_context)
{
    g_autoptr(GError) error = NULL;
    engine_session_options options = engine_session_options_default();
    options.n_context = n_context;
    options.kv_type = ENGINE_KV_F32; /* references are */
    engine_session *session = engine_session_open(model, pool, &options, &error);
    if (!session) fail_msg("%s", error->message);
    return session;
}

float *
eval_in_steps(engine_session *session, const int32_t *tokens, size_t n, size_t step)
{
    const size_t n_vocab = engine_model_get_info(session->model)->n_vocab;
    float *all = g_new(float, n *n_vocab);
    for (size_t done = 0; done < n; done += step) {
        g_autoptr(GError) error = NULL;
        if (!engine_session_eval(session, tokens + done, MIN(step, n - done), NULL,
                                 all + done * n_vocab, &error))
            fail_msg("%s", error->message);
    }
    return all;
}

/* A library and the models beside it: the one way in which commands open them. */
#include "pipelines/cli_session.h"

void
cli_session_init(cli_session *s, const device_args *device)
{
    *s = (cli_session){.pool = engine_pool_new(0), .on = cli_device_options(device)};
    s->embedder_on = s->on;
}

void
cli_session_expect_questions(cli_session *s)
{
    if (g_strcmp0(s->on.device, "auto") == 0 || s->on.device == NULL) s->embedder_on.device = "cpu";
}

void
cli_session_close(cli_session *s)
{
    retrieval_library_free(s->library);
    lode_reranker_free(s->reranker);
    lode_writer_free(s->writer);
    pipelines_model_free(s->embedder);
    engine_pool_free(s->pool);
    *s = (cli_session){0};
}

/* A default that is not installed is done without; one that was asked for, or must be there, is an error. */
static gboolean
done_without(const char *path, const common_args *common, const char *note, GError *cause,
             GError **error)
{
    if (path != NULL || common == NULL ||
        !g_error_matches(cause, PIPELINES_ERROR, LODE_ERROR_NOT_FOUND)) {
        g_propagate_error(error, cause);
        return FALSE;
    }
    cli_note(common, "note: %s: %s", note, cause->message);
    g_error_free(cause);
    return TRUE;
}

gboolean
cli_session_open_embedder(cli_session *s, const char *path, const common_args *common,
                          GError **error)
{
    GError *cause = NULL;
    s->embedder = pipelines_model_open(path, ENGINE_KIND_ENCODER, &s->embedder_on, &cause);
    return s->embedder != NULL ||
           done_without(path, common, "full-text search only, no embedder", cause, error);
}

gboolean
cli_session_open_writer(cli_session *s, const char *model, const endpoint_args *endpoint,
                        uint32_t n_context, const common_args *common, GError **error)
{
    GError *cause = NULL;
    if (endpoint != NULL && endpoint->url != NULL) {
        s->writer = cli_open_endpoint(endpoint, model, n_context, error);
        return s->writer != NULL;
    }
    s->writer = pipelines_writer_open_local(model, &s->on, &cause);
    return s->writer != NULL ||
           done_without(model, common, "quoting instead of writing, no writer", cause, error);
}

gboolean
cli_session_open_reranker(cli_session *s, const char *path, GError **error)
{
    s->reranker = pipelines_reranker_open(path, s->writer, s->pool, &s->on, error);
    return s->reranker != NULL;
}

retrieval_library_options
cli_library_options(const pipelines_model *embedder, engine_pool *pool)
{
    if (embedder == NULL) return (retrieval_library_options){0};
    return (retrieval_library_options){.embedder = embedder->model,
                                       .embedder_id = embedder->id,
                                       .pool = pool,
                                       .query_prefix = embedder->query_prefix};
}

gboolean
cli_session_open_library(cli_session *s, const char *dir, retrieval_open_mode mode, GError **error)
{
    const retrieval_library_options options = cli_library_options(s->embedder, s->pool);
    g_clear_pointer(&s->library, retrieval_library_free);
    s->library = retrieval_library_open(dir, mode, &options, error);
    return s->library != NULL;
}

pipelines_ask_context
cli_session_context(const cli_session *s, const char *library_dir)
{
    return (pipelines_ask_context){.library = s->library,
                                   .library_dir = library_dir,
                                   .embedder = s->embedder,
                                   .writer = s->writer,
                                   .reranker = s->reranker,
                                   .pool = s->pool};
}

/* Models that judge passages once more, as callers and commands open them. */
#include "pipelines/internal.h"
#include "pipelines/writer.h"

lode_reranker *
pipelines_reranker_open(const char *path, const lode_writer *writer, engine_pool *pool,
                        const engine_model_options *options, GError **error)
{
    pipelines_model *model = NULL;
    if (path != NULL) {
        model = pipelines_model_open_any(path, options, error);
        if (model == NULL) return NULL;
    } else if (writer == NULL || writer->model == NULL) {
        g_set_error(error, PIPELINES_ERROR, LODE_ERROR_UNSUPPORTED,
                    "a writer can only judge passages when it runs here: name another model with "
                    "--reranker");
        return NULL;
    }
    lode_reranker *reranker = g_new0(lode_reranker, 1);
    const pipelines_model *judge = model != NULL ? model : writer->model;
    reranker->model = model;
    reranker->inner = (retrieval_reranker){judge->model, pool};
    reranker->id = g_strdup(judge->id);
    if (retrieval_reranker_check(&reranker->inner, error)) return reranker;
    lode_reranker_free(reranker);
    return NULL;
}

void
lode_reranker_free(lode_reranker *reranker)
{
    if (reranker == NULL) return;
    pipelines_model_free(reranker->model);
    g_free(reranker->id);
    g_free(reranker);
}

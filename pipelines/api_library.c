/* lode.h: models, libraries, search. */
#include "pipelines/api.h"

#include <string.h>

#include "pipelines/bibliography.h"
#include "pipelines/writer.h"

struct lode_passages {
    GPtrArray *hits;
};

/* ---- models ---- */

lode_engine *
lode_engine_new(int n_threads)
{
    lode_engine *engine = g_new0(lode_engine, 1);
    engine->pool = engine_pool_new(n_threads);
    return engine;
}

void
lode_engine_free(lode_engine *engine)
{
    if (engine == NULL) return;
    engine_pool_free(engine->pool);
    g_free(engine);
}

lode_device_options
lode_device_options_default(void)
{
    return (lode_device_options){.struct_size = sizeof(lode_device_options), .gpu_layers = -1};
}

/* The caller's options, which may be older and shorter, as the engine has them. */
static engine_model_options
model_options(const lode_device_options *given)
{
    lode_device_options filled = lode_device_options_default();
    if (given != NULL) memcpy(&filled, given, MIN(given->struct_size, sizeof filled));
    engine_model_options options = engine_model_options_default();
    options.device = filled.device;
    options.gpu_memory = filled.gpu_memory;
    options.n_gpu_layers = filled.gpu_layers;
    return options;
}

lode_status
lode_embedder_open(const char *path, lode_embedder **out, lode_error *error)
{
    return lode_embedder_open_on(path, NULL, out, error);
}

lode_status
lode_embedder_open_on(const char *path, const lode_device_options *options, lode_embedder **out,
                      lode_error *error)
{
    if (out == NULL) return pipelines_fail_argument(error, "out must not be NULL");
    *out = NULL;
    GError *failure = NULL;
    const engine_model_options on = model_options(options);
    pipelines_model *model = pipelines_model_open(path, ENGINE_KIND_ENCODER, &on, &failure);
    if (model == NULL) return pipelines_fail(error, failure);
    *out = g_new0(lode_embedder, 1);
    (*out)->model = model;
    return LODE_OK;
}

void
lode_embedder_free(lode_embedder *embedder)
{
    if (embedder == NULL) return;
    pipelines_model_free(embedder->model);
    g_free(embedder);
}

size_t
lode_embedder_n_dims(const lode_embedder *embedder)
{
    return engine_model_get_info(embedder->model->model)->n_embd;
}

const char *
lode_embedder_id(const lode_embedder *embedder)
{
    return embedder->model->id;
}

lode_status
lode_embedder_embed(const lode_embedder *embedder, lode_engine *engine, const char *const *texts,
                    size_t n, float *vectors, lode_error *error)
{
    if (embedder == NULL || engine == NULL || (n > 0 && (texts == NULL || vectors == NULL)))
        return pipelines_fail_argument(error,
                                       "embedder, engine, texts and vectors must not be NULL");
    GError *failure = NULL;
    if (engine_embed(embedder->model->model, engine->pool, texts, n, vectors, NULL, &failure))
        return LODE_OK;
    return pipelines_fail(error, failure);
}

lode_status
lode_writer_open(const char *path, lode_writer **out, lode_error *error)
{
    return lode_writer_open_on(path, NULL, out, error);
}

lode_status
lode_writer_open_on(const char *path, const lode_device_options *options, lode_writer **out,
                    lode_error *error)
{
    if (out == NULL) return pipelines_fail_argument(error, "out must not be NULL");
    *out = NULL;
    GError *failure = NULL;
    const engine_model_options on = model_options(options);
    *out = pipelines_writer_open_local(path, &on, &failure);
    return *out != NULL ? LODE_OK : pipelines_fail(error, failure);
}

lode_status
lode_writer_open_endpoint(const char *url, const char *model, const lode_endpoint_options *options,
                          lode_writer **out, lode_error *error)
{
    if (url == NULL || model == NULL || out == NULL)
        return pipelines_fail_argument(error, "url, model and out must not be NULL");
    *out = NULL;
    GError *failure = NULL;
    *out = pipelines_writer_open_endpoint(url, model, options, &failure);
    return *out != NULL ? LODE_OK : pipelines_fail(error, failure);
}

lode_status
lode_reranker_open(const char *path, lode_engine *engine, lode_reranker **out, lode_error *error)
{
    if (path == NULL || engine == NULL || out == NULL)
        return pipelines_fail_argument(error, "path, engine and out must not be NULL");
    GError *failure = NULL;
    *out = pipelines_reranker_open(path, NULL, engine->pool, NULL, &failure);
    return *out != NULL ? LODE_OK : pipelines_fail(error, failure);
}

/* ---- libraries ---- */

lode_status
lode_library_open(const char *dir, lode_library_mode mode, const lode_embedder *embedder,
                  lode_engine *engine, lode_library **out, lode_error *error)
{
    if (out == NULL || dir == NULL)
        return pipelines_fail_argument(error, "dir and out must not be NULL");
    *out = NULL;
    if (embedder != NULL && engine == NULL)
        return pipelines_fail_argument(error, "an embedder needs an engine to run on");
    retrieval_library_options options = {0};
    if (embedder != NULL) {
        options.embedder = embedder->model->model;
        options.embedder_id = embedder->model->id;
        options.pool = engine->pool;
        options.query_prefix = embedder->model->query_prefix;
    }
    GError *failure = NULL;
    retrieval_library *inner = retrieval_library_open(
        dir, mode == LODE_LIBRARY_WRITE ? RETRIEVAL_OPEN_WRITE : RETRIEVAL_OPEN_READ, &options,
        &failure);
    if (inner == NULL) return pipelines_fail(error, failure);
    lode_library *library = g_new0(lode_library, 1);
    library->inner = inner;
    library->dir = g_strdup(dir);
    library->mode = mode;
    library->embedder = embedder;
    library->engine = engine;
    *out = library;
    return LODE_OK;
}

void
lode_library_close(lode_library *library)
{
    if (library == NULL) return;
    retrieval_library_free(library->inner);
    g_free(library->dir);
    g_free(library);
}

lode_index_options
lode_index_options_default(void)
{
    return (lode_index_options){.struct_size = sizeof(lode_index_options)};
}

static void
on_indexed(const char *path, pipelines_index_outcome outcome, const GError *failure, size_t n_done,
           size_t n_total, void *user_data)
{
    const lode_index_options *options = user_data;
    (void)outcome;
    if (options->progress != NULL)
        options->progress(path, pipelines_status(failure),
                          failure != NULL ? failure->message : NULL, n_done, n_total,
                          options->user_data);
}

lode_status
lode_library_index(lode_library *library, const char *const *paths, size_t n,
                   const lode_index_options *options, lode_index_report *report, lode_error *error)
{
    if (library == NULL || (n > 0 && paths == NULL))
        return pipelines_fail_argument(error, "library and paths must not be NULL");
    if (library->mode != LODE_LIBRARY_WRITE)
        return pipelines_fail_argument(error, "the library was opened for reading only");
    lode_index_options filled = lode_index_options_default();
    if (options != NULL) memcpy(&filled, options, MIN(options->struct_size, sizeof filled));
    pipelines_index_options inner = {
        .n_jobs = filled.threads,
        .password = filled.password,
        .prune = filled.prune != 0,
        .cancel = filled.cancel,
        .reader = pipelines_reader_in_process(),
        .done = on_indexed,
        .user_data = &filled,
    };
    lode_index_report ignored;
    g_autoptr(GPtrArray) inputs = pipelines_collect_inputs(paths, n);
    GError *failure = NULL;
    if (pipelines_index_run(library->inner, inputs, &inner, report != NULL ? report : &ignored,
                            &failure))
        return LODE_OK;
    return pipelines_fail(error, failure);
}

static gboolean
holds(retrieval_library *library, const char *path, gboolean *found, GError **error)
{
    g_auto(GStrv) paths = retrieval_library_list(library, error);
    if (paths == NULL) return FALSE;
    *found = g_strv_contains((const char *const *)paths, path);
    return TRUE;
}

lode_status
lode_library_remove(lode_library *library, const char *path, lode_error *error)
{
    if (library == NULL || path == NULL)
        return pipelines_fail_argument(error, "library and path must not be NULL");
    if (library->mode != LODE_LIBRARY_WRITE)
        return pipelines_fail_argument(error, "the library was opened for reading only");
    g_autofree char *absolute = g_canonicalize_filename(path, NULL);
    GError *failure = NULL;
    gboolean found = FALSE;
    if (!holds(library->inner, absolute, &found, &failure)) return pipelines_fail(error, failure);
    if (!found) {
        failure =
            g_error_new(PIPELINES_ERROR, LODE_ERROR_NOT_FOUND, "%s: not in the library", absolute);
        return pipelines_fail(error, failure);
    }
    if (!retrieval_library_remove(library->inner, absolute, &failure) ||
        !retrieval_library_commit(library->inner, &failure))
        return pipelines_fail(error, failure);
    return LODE_OK;
}

lode_status
lode_library_get_stats(lode_library *library, lode_library_stats *stats, lode_error *error)
{
    if (library == NULL || stats == NULL)
        return pipelines_fail_argument(error, "library and stats must not be NULL");
    GError *failure = NULL;
    retrieval_stats inner = {0};
    if (!retrieval_library_get_stats(library->inner, &inner, &failure))
        return pipelines_fail(error, failure);
    *stats = (lode_library_stats){inner.n_documents, inner.n_chunks, inner.n_vectors, inner.n_dims};
    g_free(inner.embedder_id);
    return LODE_OK;
}

lode_status
lode_library_add_metadata(lode_library *library, const char *path, lode_metadata_report *report,
                          lode_error *error)
{
    if (library == NULL || path == NULL)
        return pipelines_fail_argument(error, "library and path must not be NULL");
    if (library->mode != LODE_LIBRARY_WRITE)
        return pipelines_fail_argument(error, "the library was opened for reading only");
    GError *failure = NULL;
    bibliography_report inner;
    g_autoptr(GPtrArray) entries = pipelines_bibliography_load(path, &failure);
    if (entries == NULL) return pipelines_fail(error, failure);
    if (!pipelines_bibliography_apply(library->inner, entries, &inner, &failure))
        return pipelines_fail(error, failure);
    g_ptr_array_unref(inner.unmatched);
    if (!retrieval_library_commit(library->inner, &failure)) return pipelines_fail(error, failure);
    if (report != NULL)
        *report = (lode_metadata_report){inner.n_entries, inner.n_matched, inner.n_documents};
    return LODE_OK;
}

/* ---- search ---- */

lode_search_options
lode_search_options_default(void)
{
    return (lode_search_options){.struct_size = sizeof(lode_search_options)};
}

lode_status
lode_library_search_with(lode_library *library, const char *query,
                         const lode_search_options *options, lode_passages **out, lode_error *error)
{
    if (library == NULL || query == NULL || out == NULL)
        return pipelines_fail_argument(error, "library, query and out must not be NULL");
    *out = NULL;
    lode_search_options filled = lode_search_options_default();
    if (options != NULL) memcpy(&filled, options, MIN(options->struct_size, sizeof filled));
    const size_t most = 1u << 20;
    retrieval_search_options inner = retrieval_search_options_default();
    inner.method = filled.method == LODE_SEARCH_BM25    ? RETRIEVAL_BM25
                   : filled.method == LODE_SEARCH_DENSE ? RETRIEVAL_DENSE
                                                        : RETRIEVAL_FUSION;
    if (filled.n_results > 0) inner.n_results = (guint)MIN(filled.n_results, most);
    if (filled.n_candidates > 0) inner.n_candidates = (guint)MIN(filled.n_candidates, most);
    inner.n_candidates = MAX(inner.n_candidates, inner.n_results);
    inner.max_per_page = (guint)MIN(filled.max_per_page, most);
    inner.max_per_document = (guint)MIN(filled.max_per_document, most);
    g_autofree char *valid = g_utf8_make_valid(query, -1);
    g_autofree char *where = filled.where != NULL ? g_utf8_make_valid(filled.where, -1) : NULL;
    inner.where = where;
    inner.reranker = filled.reranker != NULL ? &filled.reranker->inner : NULL;
    if (filled.n_reranked > 0) inner.n_reranked = (guint)MIN(filled.n_reranked, most);
    inner.diversity = filled.diversity;
    GError *failure = NULL;
    GPtrArray *hits = retrieval_library_search(library->inner, valid, &inner, &failure);
    if (hits == NULL) return pipelines_fail(error, failure);
    *out = g_new0(lode_passages, 1);
    (*out)->hits = hits;
    return LODE_OK;
}

lode_status
lode_library_search(lode_library *library, const char *query, lode_search_method method,
                    size_t n_results, lode_passages **out, lode_error *error)
{
    lode_search_options options = lode_search_options_default();
    options.method = method;
    options.n_results = n_results;
    return lode_library_search_with(library, query, &options, out, error);
}

void
lode_passages_free(lode_passages *passages)
{
    if (passages == NULL) return;
    g_ptr_array_unref(passages->hits);
    g_free(passages);
}

static const retrieval_hit *
hit_at(const lode_passages *passages, size_t index)
{
    return index < passages->hits->len ? passages->hits->pdata[index] : NULL;
}

size_t
lode_passages_n(const lode_passages *passages)
{
    return passages->hits->len;
}

const char *
lode_passage_text(const lode_passages *passages, size_t index)
{
    const retrieval_hit *hit = hit_at(passages, index);
    return hit != NULL ? hit->text : NULL;
}

const char *
lode_passage_title(const lode_passages *passages, size_t index)
{
    const retrieval_hit *hit = hit_at(passages, index);
    return hit != NULL ? hit->title : NULL;
}

const char *
lode_passage_path(const lode_passages *passages, size_t index)
{
    const retrieval_hit *hit = hit_at(passages, index);
    return hit != NULL ? hit->path : NULL;
}

const char *
lode_passage_section(const lode_passages *passages, size_t index)
{
    const retrieval_hit *hit = hit_at(passages, index);
    return hit != NULL ? hit->section : NULL;
}

int
lode_passage_page_number(const lode_passages *passages, size_t index)
{
    const retrieval_hit *hit = hit_at(passages, index);
    return hit != NULL ? hit->first_page + 1 : 0;
}

const char *
lode_passage_page_label(const lode_passages *passages, size_t index)
{
    const retrieval_hit *hit = hit_at(passages, index);
    return hit != NULL ? hit->page_label : NULL;
}

double
lode_passage_score(const lode_passages *passages, size_t index)
{
    const retrieval_hit *hit = hit_at(passages, index);
    return hit != NULL ? hit->score : 0;
}

size_t
lode_passage_n_boxes(const lode_passages *passages, size_t index)
{
    const retrieval_hit *hit = hit_at(passages, index);
    return hit != NULL && hit->boxes != NULL ? hit->boxes->len : 0;
}

lode_box
lode_passage_box(const lode_passages *passages, size_t index, size_t box)
{
    if (box >= lode_passage_n_boxes(passages, index)) return (lode_box){0};
    return pipelines_box(&g_array_index(hit_at(passages, index)->boxes, layout_box, box));
}

size_t
lode_passage_n_authors(const lode_passages *passages, size_t index)
{
    const retrieval_hit *hit = hit_at(passages, index);
    return hit != NULL && hit->authors != NULL ? g_strv_length(hit->authors) : 0;
}

const char *
lode_passage_author(const lode_passages *passages, size_t index, size_t author)
{
    return author < lode_passage_n_authors(passages, index)
               ? hit_at(passages, index)->authors[author]
               : NULL;
}

int
lode_passage_year(const lode_passages *passages, size_t index)
{
    const retrieval_hit *hit = hit_at(passages, index);
    return hit != NULL ? hit->year : 0;
}

const char *
lode_passage_venue(const lode_passages *passages, size_t index)
{
    const retrieval_hit *hit = hit_at(passages, index);
    return hit != NULL ? hit->venue : NULL;
}

const char *
lode_passage_doi(const lode_passages *passages, size_t index)
{
    const retrieval_hit *hit = hit_at(passages, index);
    return hit != NULL ? hit->doi : NULL;
}

const char *
lode_passage_arxiv(const lode_passages *passages, size_t index)
{
    const retrieval_hit *hit = hit_at(passages, index);
    return hit != NULL ? hit->arxiv : NULL;
}

const char *
lode_passage_type(const lode_passages *passages, size_t index)
{
    const retrieval_hit *hit = hit_at(passages, index);
    return hit != NULL ? layout_block_type_name(hit->type) : NULL;
}

/* ---- asking: here, where the handles are known ---- */

lode_status
lode_ask(lode_library *library, const lode_writer *writer, lode_engine *engine,
         const char *question, const lode_ask_options *options, lode_answer **out,
         lode_error *error)
{
    if (library == NULL || question == NULL || out == NULL)
        return pipelines_fail_argument(error, "library, question and out must not be NULL");
    *out = NULL;
    if (writer != NULL && writer->model != NULL && engine == NULL)
        return pipelines_fail_argument(error, "a writer needs an engine to run on");
    lode_engine *runs_on = engine != NULL ? engine : library->engine;
    pipelines_ask_context context = {
        .library = library->inner,
        .library_dir = library->dir,
        .embedder = library->embedder != NULL ? library->embedder->model : NULL,
        .writer = writer,
        .pool = runs_on != NULL ? runs_on->pool : NULL,
    };
    GError *failure = NULL;
    *out = pipelines_ask(&context, question, options, &failure);
    return *out != NULL ? LODE_OK : pipelines_fail(error, failure);
}

lode_status
lode_generate(const lode_writer *writer, lode_engine *engine, const char *prompt,
              const lode_generate_options *options, char **out, lode_error *error)
{
    if (writer == NULL || out == NULL || (engine == NULL && writer->model != NULL))
        return pipelines_fail_argument(error, "writer, engine and out must not be NULL");
    GError *failure = NULL;
    engine_remote_reply reply;
    *out = NULL;
    if (writer->model != NULL) {
        *out = pipelines_generate(writer->model->model, engine->pool, prompt, options, &failure);
    } else if (pipelines_generate_remote(writer, prompt, options, &reply, &failure)) {
        *out = g_steal_pointer(&reply.content);
        engine_remote_reply_clear(&reply);
    }
    return *out != NULL ? LODE_OK : pipelines_fail(error, failure);
}

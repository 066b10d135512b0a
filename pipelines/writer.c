/* Calling a model that writes. Everything that asks a writer for text goes through here, whatever runs it: a model in
 * this process, or an endpoint elsewhere (its kind brings the same functions). */
#include "pipelines/writer.h"

#include <string.h>

/* ---- a model in this process ---- */

/* The messages in the model's own format; a model without a template gets them one below the other. */
static char *
render(const engine_model *model, const pipelines_write_request *request, GError **error)
{
    if (engine_model_get_info(model)->has_chat_template) {
        engine_chat_options chat = engine_chat_options_default();
        /* thoughts are no JSON */
        if (request->json_schema != NULL || request->is_brief) chat.thinking = ENGINE_THINKING_OFF;
        return engine_chat_render(model, request->messages, request->n_messages, &chat, error);
    }
    g_autoptr(GString) text = g_string_new(NULL);
    for (size_t i = 0; i < request->n_messages; i++)
        g_string_append_printf(text, "%s\n\n", request->messages[i].content);
    g_string_append(text, "Answer: ");
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static GArray *
tokenize(const engine_model *model, const char *prompt)
{
    GArray *tokens = g_array_new(FALSE, FALSE, sizeof(int32_t));
    gboolean chat = engine_model_get_info(model)->has_chat_template;
    engine_tokenize(model, prompt, strlen(prompt),
                    chat ? ENGINE_TOKENIZE_PARSE_SPECIAL : ENGINE_TOKENIZE_ADD_SPECIAL, tokens);
    return tokens;
}

static gboolean
local_count(const lode_writer *writer, const pipelines_write_request *request, size_t *n_tokens,
            GError **error)
{
    g_autofree char *prompt = render(writer->model->model, request, error);
    if (prompt == NULL) return FALSE;
    g_autoptr(GArray) tokens = tokenize(writer->model->model, prompt);
    *n_tokens = tokens->len;
    return TRUE;
}

static engine_generate_options
generate_options(const pipelines_write_request *request, const engine_grammar *grammar)
{
    engine_generate_options options = engine_generate_options_default();
    options.max_tokens = request->max_tokens;
    options.temperature = (float)request->temperature;
    options.seed = request->seed;
    options.stop = request->stop;
    options.cancel = request->cancel;
    options.grammar = grammar;
    return options;
}

/* Keep the thoughts of a reasoning model apart from what it says. */
static void
split_reply(const engine_model *model, pipelines_written *written)
{
    if (strstr(written->text->str, "</think>") == NULL) return;
    engine_reply *reply =
        engine_chat_parse(model, written->prompt, NULL, written->text->str, written->text->len);
    written->reasoning = g_strdup(reply->reasoning);
    g_string_assign(written->text, reply->content);
    engine_reply_free(reply);
}

static gboolean
local_write(const lode_writer *writer, engine_pool *pool, const pipelines_write_request *request,
            pipelines_written *written, GError **error)
{
    const engine_model *model = writer->model->model;
    g_autoptr(engine_grammar) grammar = NULL;
    if (request->json_schema != NULL) {
        grammar = engine_grammar_new_from_json_schema(model, request->json_schema, error);
        if (grammar == NULL) return FALSE;
    }
    written->prompt = render(model, request, error);
    if (written->prompt == NULL) return FALSE;
    g_autoptr(GArray) tokens = tokenize(model, written->prompt);
    /* the cache is sized to what this reply can need */
    guint64 needed = (guint64)tokens->len + request->max_tokens;
    uint32_t limit = pipelines_writer_context(writer, request->n_context);
    g_autoptr(engine_session) session =
        engine_session_new(model, pool, (uint32_t)MIN(needed, limit), error);
    if (session == NULL) return FALSE;
    engine_generate_options options = generate_options(request, grammar);
    if (!engine_generate(session, (const int32_t *)(void *)tokens->data, tokens->len, &options,
                         request->text, request->user_data, written->text, &written->generation,
                         error))
        return FALSE;
    split_reply(model, written);
    return TRUE;
}

/* Texts as they end. */
typedef struct {
    pipelines_written *written;
    GError *failure; /* the first */
} arrivals;

static void
take_text(size_t index, const GString *text, const engine_generate_result *result,
          const GError *failure, void *user_data)
{
    arrivals *a = user_data;
    if (failure != NULL) {
        if (a->failure == NULL) a->failure = g_error_copy(failure);
        return;
    }
    g_string_append_len(a->written[index].text, text->str, (gssize)text->len);
    a->written[index].generation = *result;
}

static gboolean
local_write_many(const lode_writer *writer, engine_pool *pool,
                 const pipelines_write_request *requests, size_t n, pipelines_written *written,
                 GError **error)
{
    const engine_model *model = writer->model->model;
    g_autoptr(GPtrArray) prompts = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
    g_autofree engine_generate_options *options = g_new(engine_generate_options, n);
    g_autofree engine_generate_job *jobs = g_new0(engine_generate_job, n);
    engine_batch_options room = engine_batch_options_default();
    guint64 longest = 0;
    for (size_t i = 0; i < n; i++) {
        written[i].prompt = render(model, &requests[i], error);
        if (written[i].prompt == NULL) return FALSE;
        GArray *tokens = tokenize(model, written[i].prompt);
        g_ptr_array_add(prompts, tokens);
        options[i] = generate_options(&requests[i], NULL);
        jobs[i] = (engine_generate_job){.prompt = (const int32_t *)(void *)tokens->data,
                                        .n = tokens->len,
                                        .options = &options[i]};
        longest = MAX(longest, (guint64)tokens->len + requests[i].max_tokens);
    }
    room.n_sequences = (uint32_t)MIN(n, room.n_sequences);
    room.n_cached = (uint32_t)MIN(room.n_sequences * (longest + 64), G_MAXINT32);
    g_autoptr(engine_batch) batch = engine_batch_new(model, pool, &room, error);
    if (batch == NULL) return FALSE;
    arrivals a = {.written = written};
    const gboolean done = engine_generate_batch(batch, jobs, n, take_text, &a, error);
    for (size_t i = 0; done && a.failure == NULL && i < n; i++)
        split_reply(model, &written[i]);
    if (!done || a.failure == NULL) {
        g_clear_error(&a.failure);
        return done;
    }
    g_propagate_error(error, a.failure);
    return FALSE;
}

static void
local_free(lode_writer *writer)
{
    pipelines_model_free(writer->model);
}

static const pipelines_writer_kind local_kind = {.name = "local",
                                                 .write = local_write,
                                                 .write_many = local_write_many,
                                                 .count = local_count,
                                                 .free = local_free};

/* ---- any writer ---- */

lode_writer *
pipelines_writer_open_local(const char *path, const engine_model_options *options, GError **error)
{
    pipelines_model *model = pipelines_model_open(path, ENGINE_KIND_DECODER, options, error);
    if (model == NULL) return NULL;
    const engine_model_info *info = engine_model_get_info(model->model);
    lode_writer *writer = g_new0(lode_writer, 1);
    writer->kind = &local_kind;
    writer->model = model;
    writer->id = g_strdup(model->id);
    writer->n_context = info->n_context;
    writer->is_small = info->n_parameters < PIPELINES_SMALL_WRITER;
    writer->most_claims =
        info->n_parameters < PIPELINES_LARGE_WRITER ? PIPELINES_FEW_CLAIMS : PIPELINES_MOST_CLAIMS;
    writer->keeps_schema = TRUE;
    return writer;
}

void
lode_writer_free(lode_writer *writer)
{
    if (writer == NULL) return;
    writer->kind->free(writer);
    g_free(writer->id);
    g_free(writer);
}

const char *
lode_writer_id(const lode_writer *writer)
{
    return writer->id;
}

guint
pipelines_writer_most_claims(const lode_writer *writer, uint32_t max_tokens)
{
    enum { CLAIM_TOKENS = 128 }; /* sentence and quote of the lengths in claims.c, and the marks */
    const guint most = MAX(writer->most_claims, PIPELINES_FEW_CLAIMS);
    return CLAMP(max_tokens / CLAIM_TOKENS, PIPELINES_FEW_CLAIMS, most);
}

uint32_t
pipelines_writer_limit(const lode_writer *writer)
{
    return writer->kind->context != NULL ? writer->kind->context(writer) : writer->n_context;
}

uint32_t
pipelines_writer_context(const lode_writer *writer, uint32_t wanted)
{
    const uint32_t n_context = wanted > 0 ? wanted : PIPELINES_MAX_CONTEXT;
    const uint32_t limit = pipelines_writer_limit(writer);
    return limit > 0 ? MIN(n_context, limit) : n_context;
}

gboolean
pipelines_writer_takes_less(const lode_writer *writer, uint32_t wanted, uint32_t planned)
{
    return pipelines_writer_context(writer, wanted) < planned;
}

gboolean
pipelines_writer_count(const lode_writer *writer, const pipelines_write_request *request,
                       size_t *n_tokens, GError **error)
{
    return writer->kind->count(writer, request, n_tokens, error);
}

gboolean
pipelines_is_truncated(engine_stop_reason reason)
{
    return reason == ENGINE_STOP_LENGTH || reason == ENGINE_STOP_CONTEXT;
}

void
pipelines_written_clear(pipelines_written *written)
{
    if (written->text != NULL) g_string_free(written->text, TRUE);
    g_free(written->reasoning);
    g_free(written->prompt);
    *written = (pipelines_written){0};
}

static gboolean
set_cancelled(GError **error)
{
    g_set_error_literal(error, PIPELINES_ERROR, LODE_ERROR_CANCELLED, "interrupted");
    return FALSE;
}

gboolean
pipelines_writer_write(const lode_writer *writer, engine_pool *pool,
                       const pipelines_write_request *request, pipelines_written *written,
                       GError **error)
{
    *written = (pipelines_written){.text = g_string_new(NULL)};
    if (!writer->kind->write(writer, pool, request, written, error)) {
        pipelines_written_clear(written);
        return FALSE;
    }
    if (written->generation.reason != ENGINE_STOP_CANCELLED) return TRUE;
    pipelines_written_clear(written);
    return set_cancelled(error);
}

gboolean
pipelines_writer_write_many(const lode_writer *writer, engine_pool *pool,
                            const pipelines_write_request *requests, size_t n,
                            pipelines_written *written, GError **error)
{
    gboolean done = TRUE;
    if (n == 0) return TRUE;
    for (size_t i = 0; i < n; i++)
        written[i] = (pipelines_written){.text = g_string_new(NULL)};
    if (writer->kind->write_many != NULL)
        done = writer->kind->write_many(writer, pool, requests, n, written, error);
    else
        for (size_t i = 0; done && i < n; i++)
            done = writer->kind->write(writer, pool, &requests[i], &written[i], error);
    for (size_t i = 0; done && i < n; i++)
        if (written[i].generation.reason == ENGINE_STOP_CANCELLED) done = set_cancelled(error);
    for (size_t i = 0; !done && i < n; i++)
        pipelines_written_clear(&written[i]);
    return done;
}

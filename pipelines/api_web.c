/* lode.h: the web. */
#include <string.h>

#include "pipelines/api.h"
#include "pipelines/web.h"
#include "pipelines/writer.h"

lode_web_options
lode_web_options_default(void)
{
    return (lode_web_options){.struct_size = sizeof(lode_web_options),
                              .rounds = 3,
                              .nodes = 16,
                              .pages = 4,
                              .seconds = 120,
                              .node_seconds = 30};
}

lode_web_options
pipelines_web_options(const lode_web_options *options)
{
    lode_web_options filled = lode_web_options_default();
    if (options != NULL) {
        memcpy(&filled, options, MIN(options->struct_size, sizeof filled));
        filled.struct_size = sizeof filled;
    }
    filled.rounds = CLAMP(filled.rounds, 1, 10);
    filled.nodes = CLAMP(filled.nodes, 1, 24);
    filled.pages = CLAMP(filled.pages, 1, 20);
    if (!(filled.seconds > 0)) filled.seconds = 120;
    if (!(filled.node_seconds > 0)) filled.node_seconds = 30;
    return filled;
}

search_client *
pipelines_web_client(const lode_web_options *options, GError **error)
{
    g_autofree char *cache = g_build_filename(g_get_user_cache_dir(), "lode", "web", NULL);
    search_client_options client = {.contact = options->contact,
                                    .cache_dir =
                                        options->cache_dir != NULL ? options->cache_dir : cache,
                                    .offline = options->offline,
                                    .allow_private = options->allow_private,
                                    .cancel = options->cancel};
    return search_client_new(&client, error);
}

lode_status
lode_web_search(const char *question, const lode_web_options *options, lode_library *library,
                const lode_embedder *embedder, const lode_writer *writer, lode_engine *engine,
                lode_web_answer **out, lode_error *error)
{
    if (out == NULL || question == NULL)
        return pipelines_fail_argument(error, "question and out must not be NULL");
    *out = NULL;
    if (engine == NULL && (embedder != NULL || (writer != NULL && writer->model != NULL)))
        return pipelines_fail_argument(error, "models need an engine");
    GError *failure = NULL;
    web_setup setup = {.options = pipelines_web_options(options),
                       .own = library != NULL ? library->inner : NULL,
                       .embedder = embedder != NULL ? embedder->model : NULL,
                       .writer = writer,
                       .pool = engine != NULL ? engine->pool : NULL};
    setup.ask = pipelines_ask_options(setup.options.ask);
    setup.ask.cancel = setup.options.cancel;
    g_autoptr(search_client) client = pipelines_web_client(&setup.options, &failure);
    g_autoptr(GPtrArray) providers =
        client != NULL ? search_providers_parse(setup.options.providers, &failure) : NULL;
    if (providers == NULL) return pipelines_fail(error, failure);
    setup.client = client;
    setup.providers = providers;
    *out = pipelines_web_search(&setup, question, &failure);
    return *out != NULL ? LODE_OK : pipelines_fail(error, failure);
}

void
lode_web_answer_free(lode_web_answer *answer)
{
    if (answer == NULL) return;
    search_plan_free(answer->plan);
    lode_answer_free(answer->answer);
    g_ptr_array_unref(answer->ranking);
    g_ptr_array_unref(answer->pages);
    g_ptr_array_unref(answer->problems);
    g_free(answer->providers);
    g_free(answer);
}

const lode_answer *
lode_web_answer_get(const lode_web_answer *answer)
{
    return answer->answer;
}

char *
lode_web_answer_to_json(const lode_web_answer *answer)
{
    g_autoptr(json_t) json = pipelines_web_to_json(answer);
    return pipelines_json_text(json);
}

char *
lode_web_answer_to_dot(const lode_web_answer *answer)
{
    return search_plan_to_dot(answer->plan);
}

char *
lode_web_answer_to_html(const lode_web_answer *answer)
{
    return pipelines_web_to_html(answer);
}

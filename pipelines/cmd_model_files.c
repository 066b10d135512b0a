/* lode model info PATH | quantize IN OUT | convert DIR OUT: model files, installed or not. */
#include <string.h>

#include "pipelines/cmd_model.h"

/* ---- info ---- */

static const engine_kv_type KV_TYPES[] = {ENGINE_KV_F16, ENGINE_KV_Q8_0, ENGINE_KV_Q4_0};

static char *
size_text(uint64_t n_bytes)
{
    if (n_bytes < 1000000) return g_strdup_printf("%.1f kB", (double)n_bytes / 1e3);
    return n_bytes < 1000000000 ? g_strdup_printf("%.1f MB", (double)n_bytes / 1e6)
                                : g_strdup_printf("%.2f GB", (double)n_bytes / 1e9);
}

static json_t *
sizes_to_json(const engine_model_info *info)
{
    const struct {
        const char *name;
        uint32_t value;
    } sizes[] = {{"layers", info->n_layers},    {"embedding", info->n_embd},
                 {"heads", info->n_heads},      {"kv_heads", info->n_kv_heads},
                 {"head_dim", info->head_dim},  {"feed_forward", info->n_ff},
                 {"vocabulary", info->n_vocab}, {"context", info->n_context}};
    json_t *json = json_object();

    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++)
        json_object_set_new(json, sizes[i].name, json_integer(sizes[i].value));
    return json;
}

static json_t *
types_to_json(const engine_model *model)
{
    json_t *types = json_array();

    for (size_t i = 0; i < engine_model_n_types(model); i++) {
        const engine_type_usage usage = engine_model_type_at(model, i);
        json_array_append_new(types,
                              json_pack("{s:s, s:i, s:I}", "type", usage.name, "tensors",
                                        (int)usage.n_tensors, "bytes", (json_int_t)usage.n_bytes));
    }
    return types;
}

static json_t *
parts_to_json(const engine_model_info *info)
{
    return json_pack(
        "{s:i, s:i, s:i, s:i, s:i, s:i, s:I, s:I}", "attention_layers",
        (int)info->n_attention_layers, "recurrent_layers", (int)info->n_recurrent_layers, "experts",
        (int)info->n_experts, "experts_used", (int)info->n_experts_used, "expert_feed_forward",
        (int)info->n_expert_ff, "draft_heads", (int)info->n_mtp, "active_parameters",
        (json_int_t)info->n_active_parameters, "active_bytes", (json_int_t)info->n_active_bytes);
}

/* NULL with error when the context cannot be counted. */
static json_t *
memory_to_json(const engine_model *model, const model_args *args, GError **error)
{
    g_autoptr(json_t) kv = json_object();
    engine_memory_plan plan = {0};

    for (size_t i = 0; i < G_N_ELEMENTS(KV_TYPES); i++) {
        g_autoptr(GError) cause = NULL;
        if (!engine_model_memory(model, (uint32_t)args->context, (uint32_t)args->parallel,
                                 KV_TYPES[i], &plan, &cause)) {
            if (g_error_matches(cause, ENGINE_ERROR, ENGINE_ERROR_UNSUPPORTED)) continue;
            g_propagate_error(error, g_steal_pointer(&cause));
            return NULL;
        }
        json_object_set_new(kv, engine_kv_type_name(KV_TYPES[i]),
                            json_pack("{s:I, s:I}", "bytes", (json_int_t)plan.kv_bytes,
                                      "total_bytes", (json_int_t)plan.total_bytes));
    }
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:O}", "context", (json_int_t)plan.n_context,
                     "parallel", (json_int_t)plan.n_sequences, "weight_bytes",
                     (json_int_t)plan.weight_bytes, "recurrent_bytes",
                     (json_int_t)plan.recurrent_bytes, "scratch_bytes",
                     (json_int_t)plan.scratch_bytes, "kv", kv);
}

static int
show_json(const engine_model *model, const char *path, const model_args *args)
{
    const engine_model_info *info = engine_model_get_info(model);
    const engine_model_facts facts = engine_model_get_facts(model);
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) json = json_object();

    json_object_set_new(json, "name", json_string(info->name));
    json_object_set_new(json, "path", pipelines_json_path(path));
    json_object_set_new(json, "format", json_string(info->format));
    json_object_set_new(json, "architecture", json_string(info->architecture));
    json_object_set_new(json, "parameters", json_integer((json_int_t)info->n_parameters));
    json_object_set_new(json, "bytes", json_integer((json_int_t)info->n_bytes));
    json_object_set_new(json, "sizes", sizes_to_json(info));
    json_object_set_new(json, "types", types_to_json(model));
    if (info->kind == ENGINE_KIND_DECODER) json_object_set_new(json, "parts", parts_to_json(info));
    json_object_set_new(json, "rope", pipelines_json_string(info->rope));
    json_object_set_new(json, "tokenizer", pipelines_json_string(facts.tokenizer));
    json_object_set_new(json, "pre_tokenizer", pipelines_json_string(facts.pre_tokenizer));
    json_object_set_new(json, "chat_template", pipelines_json_string(facts.template_text));
    if (args->context > 0) {
        json_t *plan = memory_to_json(model, args, &error);
        if (plan == NULL) return cli_error(EXIT_NOTHING_DONE, "%s", error->message);
        json_object_set_new(json, "memory", plan);
    }
    cli_print_json(json);
    return EXIT_ALL_GOOD;
}

static int
show_memory(const engine_model *model, const model_args *args)
{
    g_autofree char *times =
        args->parallel > 1 ? g_strdup_printf("%d times ", args->parallel) : g_strdup("");

    for (size_t i = 0; i < G_N_ELEMENTS(KV_TYPES); i++) {
        engine_memory_plan plan;
        g_autoptr(GError) error = NULL;
        if (!engine_model_memory(model, (uint32_t)args->context, (uint32_t)args->parallel,
                                 KV_TYPES[i], &plan, &error)) {
            if (g_error_matches(error, ENGINE_ERROR, ENGINE_ERROR_UNSUPPORTED)) continue;
            return cli_error(EXIT_NOTHING_DONE, "%s", error->message);
        }
        g_autofree char *total = size_text(plan.total_bytes), *kv = size_text(plan.kv_bytes);
        g_autofree char *weights = size_text(plan.weight_bytes);
        g_autofree char *scratch = size_text(plan.scratch_bytes + plan.recurrent_bytes);
        cli_print(
            "  memory    %s for %s%u tokens with KV %s: weights %s (mapped), KV %s, buffers %s\n",
            total, times, plan.n_context, engine_kv_type_name(KV_TYPES[i]), weights, kv, scratch);
    }
    g_autoptr(GError) cause = NULL;
    g_autofree char *placement = engine_model_describe_placement(
        model, (uint32_t)args->context, (uint32_t)args->parallel, ENGINE_KV_F16, &cause);
    if (placement || cause) cli_print("  gpu       %s\n", placement ? placement : cause->message);
    return EXIT_ALL_GOOD;
}

/* What is not the same in every layer or for every token. */
static void
show_parts(const engine_model_info *info)
{
    g_autofree char *read = size_text(info->n_active_bytes);

    if (info->n_recurrent_layers > 0)
        cli_print("  layers    %u with attention, %u recurrent\n", info->n_attention_layers,
                  info->n_recurrent_layers);
    if (info->n_experts > 0)
        cli_print(
            "  experts   %u of %u for a token, %u wide; a token reads %s, %.1f M parameters\n",
            info->n_experts_used, info->n_experts, info->n_expert_ff, read,
            (double)info->n_active_parameters / 1e6);
    if (info->n_mtp > 0)
        cli_print("  drafts    %u head%s\n", info->n_mtp, info->n_mtp == 1 ? "" : "s");
}

static int
show_text(const engine_model *model, const model_args *args)
{
    const engine_model_info *info = engine_model_get_info(model);
    const engine_model_facts facts = engine_model_get_facts(model);
    g_autofree char *size = size_text(info->n_bytes);

    cli_print("%s: %s, %s\n", info->name, info->architecture, info->format);
    cli_print("  size      %s, %.1f M parameters\n", size, (double)info->n_parameters / 1e6);
    cli_print("  shape     %u layers of %u, %u heads (%u for keys and values) of %u, feed-forward "
              "%u\n",
              info->n_layers, info->n_embd, info->n_heads, info->n_kv_heads, info->head_dim,
              info->n_ff);
    show_parts(info);
    cli_print("  context   %u tokens", info->n_context);
    if (info->rope != NULL)
        cli_print(", rotary positions %s (base %g)", info->rope, (double)info->rope_theta);
    cli_print("\n  tokens    %u", info->n_vocab);
    if (facts.tokenizer != NULL) cli_print(", tokenizer %s", facts.tokenizer);
    if (facts.pre_tokenizer != NULL) cli_print(" (%s)", facts.pre_tokenizer);
    cli_print("%s\n", facts.template_text != NULL ? ", chat template" : "");
    for (size_t i = 0; i < engine_model_n_types(model); i++) {
        const engine_type_usage usage = engine_model_type_at(model, i);
        g_autofree char *bytes = size_text(usage.n_bytes);
        cli_print("  weights   %-8s %10s in %u tensor%s\n", usage.name, bytes, usage.n_tensors,
                  usage.n_tensors == 1 ? "" : "s");
    }
    return args->context > 0 ? show_memory(model, args) : EXIT_ALL_GOOD;
}

int
cmd_model_show_file(const model_args *args, const char *path)
{
    g_autoptr(GError) error = NULL;

    if (args->context < 0)
        return cli_usage_error("model", "--context: %d is no number of tokens", args->context);
    if (args->parallel < 0 || args->parallel > 1024)
        return cli_usage_error("model", "--parallel: 1 to 1024");
    g_autoptr(engine_model) model = engine_model_open(path, &error);
    if (model == NULL) return cli_error(EXIT_NOTHING_DONE, "%s", error->message);
    return args->common.json ? show_json(model, path, args) : show_text(model, args);
}

/* ---- quantize, convert ---- */

typedef struct {
    const common_args *common;
    const char *path;
    cli_progress *progress;
    json_t *notes;
} writing;

enum { MEGABYTE = 1 << 20 };

static void
on_progress(uint64_t n_done, uint64_t n_total, void *user_data)
{
    writing *w = user_data;

    if (w->progress == NULL) {
        g_autofree char *name = g_path_get_basename(w->path);
        g_autofree char *what = g_strdup_printf("%s (MB)", name);
        w->progress = cli_progress_new(w->common, what, (size_t)(n_total / MEGABYTE));
    }
    cli_progress_update(w->progress, (size_t)(n_done / MEGABYTE));
}

static void
on_note(const char *line, void *user_data)
{
    writing *w = user_data;

    cli_note(w->common, "%s", line);
    json_array_append_new(w->notes, json_string(line));
}

typedef gboolean (*write_fn)(const char *in, const char *out, const engine_write_options *options,
                             engine_pool *pool, GError **error);

static int
write_model(const model_args *args, write_fn write, const char *type, const char *in,
            const char *out)
{
    g_autoptr(json_t) notes = json_array();
    writing w = {.common = &args->common, .path = out, .notes = notes};
    const engine_write_options options = {
        .type = type,
        .output_type = args->output_type,
        .embedding_type = args->embedding_type,
        .part_bytes = (uint64_t)args->split_mb * MEGABYTE,
        .progress = on_progress,
        .note = on_note,
        .user_data = &w,
        .cancel = cli_cancel(),
    };
    g_autoptr(GError) error = NULL;
    g_autoptr(engine_pool) pool = engine_pool_new(args->threads);

    gboolean good = write(in, out, &options, pool, &error);
    cli_progress_free(w.progress);
    if (!good) {
        const gboolean usage = g_error_matches(error, ENGINE_ERROR, ENGINE_ERROR_ARGUMENT);
        return cli_error(usage ? EXIT_WRONG_USAGE : EXIT_NOTHING_DONE, "%s", error->message);
    }
    if (args->common.json) {
        g_autoptr(json_t) json = json_object();
        json_object_set_new(json, "path", pipelines_json_path(out));
        json_object_set_new(json, "type", json_string(type));
        json_object_set(json, "notes", notes);
        cli_print_json(json);
    }
    return EXIT_ALL_GOOD;
}

static int
check_write(const model_args *args, const char *verb, char **operands, int n_operands)
{
    if (n_operands != 2)
        return cli_usage_error("model", "%s: name the model and the file to write", verb);
    if (strcmp(operands[0], "-") == 0 || strcmp(operands[1], "-") == 0)
        return cli_usage_error("model", "%s: models are mapped files, not streams", verb);
    if (args->threads < 0)
        return cli_usage_error("model", "--threads: %d is no number of threads", args->threads);
    if (args->split_mb < 0)
        return cli_usage_error("model", "--split: %d is no size in MiB", args->split_mb);
    return EXIT_ALL_GOOD;
}

int
cmd_model_quantize(const model_args *args, char **operands, int n_operands)
{
    const int code = check_write(args, "quantize", operands, n_operands);

    if (code != EXIT_ALL_GOOD) return code;
    if (args->type == NULL)
        return cli_usage_error("model", "quantize: to which --type? One of %s",
                               engine_write_type_names());
    return write_model(args, engine_model_quantize, args->type, operands[0], operands[1]);
}

int
cmd_model_convert(const model_args *args, char **operands, int n_operands)
{
    const int code = check_write(args, "convert", operands, n_operands);

    if (code != EXIT_ALL_GOOD) return code;
    return write_model(args, engine_model_convert, args->type != NULL ? args->type : "f16",
                       operands[0], operands[1]);
}

/* Opening a model: container, architecture, tokenizer, facts. */
#include "engine/model.h"

#include "engine/bert.h"
#include "engine/device.h"
#include "engine/gpu.h"

#include <string.h>

/* What the file says it is: a general.architecture or a model_type (the text model's, in a wrapper), NULL
 * when it says nothing. A wrapper of a kind we know speaks for the text model inside. */
static const char *
find_architecture(const engine_weights *weights)
{
    const gboolean gguf = engine_weights_format(weights) == ENGINE_FORMAT_GGUF;
    const char *stated =
        engine_weights_get_string(weights, gguf ? "general.architecture" : "model_type");
    const char *outer =
        gguf ? NULL
             : json_string_value(json_object_get(engine_weights_config(weights), "model_type"));

    return outer && engine_decoder_knows(FALSE, outer) ? outer : stated;
}

/* The type most bytes of the matrices are stored in; parameters and bytes of all tensors. */
static void
count_weights(const engine_weights *weights, engine_model_info *info)
{
    uint64_t bytes_by_type[ENGINE_TYPE_COUNT] = {0};
    engine_type most = ENGINE_TYPE_F32;

    for (size_t i = 0; i < engine_weights_n_tensors(weights); i++) {
        const engine_tensor *t = engine_weights_tensor_at(weights, i);
        info->n_bytes += t->n_bytes;
        if (!engine_type_lookup((uint32_t)t->type)->dequantize) continue;
        info->n_parameters += engine_tensor_n_elems(t);
        if (t->n_dims >= 2) bytes_by_type[t->type] += t->n_bytes;
    }
    for (int type = 0; type < ENGINE_TYPE_COUNT; type++)
        if (bytes_by_type[type] > bytes_by_type[most]) most = (engine_type)type;
    info->weight_type = engine_type_lookup((uint32_t)most)->name;
}

/* TRUE with model->tokenizer left NULL when the files hold no vocabulary: such a model is driven by ids. */
static gboolean
load_tokenizer(engine_model *model, GError **error)
{
    const engine_weights *weights = model->weights;

    if (engine_weights_format(weights) == ENGINE_FORMAT_GGUF) {
        const char *kind = engine_weights_get_string(weights, "tokenizer.ggml.model");
        if (!kind || strcmp(kind, "none") == 0) return TRUE;
        model->tokenizer = engine_tokenizer_new_from_gguf(weights, error);
    } else {
        const char *dir = engine_weights_dir(weights);
        g_autofree char *json = g_build_filename(dir, "tokenizer.json", NULL);
        g_autofree char *pieces = g_build_filename(dir, "tokenizer.model", NULL);
        g_autofree char *vocab = g_build_filename(dir, "vocab.txt", NULL);
        g_autofree char *merges = g_build_filename(dir, "merges.txt", NULL);
        if (!g_file_test(json, G_FILE_TEST_EXISTS) && !g_file_test(pieces, G_FILE_TEST_EXISTS) &&
            !g_file_test(vocab, G_FILE_TEST_EXISTS) && !g_file_test(merges, G_FILE_TEST_EXISTS))
            return TRUE;
        model->tokenizer = engine_tokenizer_new_from_hf(dir, engine_weights_config(weights), error);
    }
    if (!model->tokenizer) return FALSE;
    if (engine_tokenizer_n_vocab(model->tokenizer) > model->info.n_vocab) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                    "%s: the tokenizer has %zu tokens, the embedding only %u rows",
                    engine_weights_path(weights), engine_tokenizer_n_vocab(model->tokenizer),
                    model->info.n_vocab);
        return FALSE;
    }
    return TRUE;
}

static void
fill_info(engine_model *model, const char *architecture)
{
    engine_model_info *info = &model->info;
    const engine_weights *weights = model->weights;
    const gboolean gguf = engine_weights_format(weights) == ENGINE_FORMAT_GGUF;
    const char *name = gguf ? engine_weights_get_string(weights, "general.name") : NULL;

    /* a folder's name; the file's own when the path is a bare file name */
    model->name = name && *name ? g_strdup(name)
                                : g_path_get_basename(gguf ? engine_weights_path(weights)
                                                           : engine_weights_dir(weights));
    info->name = model->name;
    info->architecture = architecture;
    info->format = gguf ? "gguf" : "safetensors";
    info->bos = info->eos = info->pad = info->unk = -1;
    count_weights(weights, info);
}

engine_model_options
engine_model_options_default(void)
{
    return (engine_model_options){.n_gpu_layers = -1};
}

engine_model *
engine_model_open(const char *path, GError **error)
{
    const engine_model_options options = engine_model_options_default();
    return engine_model_open_with(path, &options, error);
}

engine_model *
engine_model_open_with(const char *path, const engine_model_options *options, GError **error)
{
    g_autoptr(engine_model) model = g_new0(engine_model, 1);

    model->weights = engine_weights_open(path, error);
    if (!model->weights) return NULL;
    model->kernels = engine_kernels_best();
    if (options->exact) model->kernels = engine_kernels_exact(model->kernels);
    const char *stated = find_architecture(model->weights);
    const gboolean decoder =
        engine_decoder_knows(engine_weights_format(model->weights) == ENGINE_FORMAT_GGUF, stated);
    if (!decoder && g_strcmp0(stated, "bert") != 0) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_UNSUPPORTED,
                    "%s: architecture %.64s is not supported", engine_weights_path(model->weights),
                    stated ? stated : "(none stated)");
        return NULL;
    }
    fill_info(model, stated);
    if (!(decoder ? engine_decoder_load(model, stated, error) : engine_bert_load(model, error)))
        return NULL;
    if (!load_tokenizer(model, error)) return NULL;
    if (!engine_gpu_attach(model, options, error)) return NULL;
    if (model->tokenizer) {
        model->info.bos = engine_tokenizer_bos(model->tokenizer);
        model->info.eos = engine_tokenizer_eos(model->tokenizer);
        model->info.pad = engine_tokenizer_pad(model->tokenizer);
        model->info.unk = engine_tokenizer_unk(model->tokenizer);
        model->info.has_chat_template = engine_chat_template_of(model->tokenizer) != NULL;
    }
    return g_steal_pointer(&model);
}

void
engine_model_free(engine_model *model)
{
    if (!model) return;
    engine_device_unref(model->device);
    if (model->arch) model->free_arch(model->arch);
    engine_tokenizer_free(model->tokenizer);
    engine_weights_free(model->weights);
    g_free(model->name);
    g_free(model);
}

const engine_model_info *
engine_model_get_info(const engine_model *model)
{
    return &model->info;
}

void
engine_tokenize(const engine_model *model, const char *text, size_t len,
                engine_tokenize_flags flags, GArray *out)
{
    if (model->tokenizer) engine_tokenizer_encode(model->tokenizer, text, len, flags, out);
}

void
engine_detokenize(const engine_model *model, const int32_t *tokens, size_t n, gboolean with_special,
                  GString *out)
{
    if (model->tokenizer) engine_tokenizer_decode(model->tokenizer, tokens, n, with_special, out);
}

/* Loading a BERT encoder: Hugging Face folders as sentence-transformers writes them, and GGUF.
 *
 *   config.json                  sizes, activation
 *   modules.json                 which steps follow the transformer: Pooling, Normalize
 *   1_Pooling/config.json        mean or [CLS] (the folder's name is in modules.json)
 *   sentence_bert_config.json    max_seq_length, often less than there are positions
 *
 * A folder without modules.json is a bare encoder: mean pooling and unit length, the usual choice. GGUF has a
 * key for the pooling and none for the rest. */
#include "engine/bert.h"

#include <string.h>

#define MAX_LAYERS 1024
#define MAX_WIDTH  65536

/* Names in both formats, without ".weight" or ".bias"; a layer's number goes behind `layer`. */
typedef struct {
    const char *words, *positions, *types, *embedding_norm;
    const char *layer;
    const char *query, *key, *value, *output, *attention_norm, *up, *down, *output_norm;
} bert_names;

static const bert_names hf_names = {"embeddings.word_embeddings",
                                    "embeddings.position_embeddings",
                                    "embeddings.token_type_embeddings",
                                    "embeddings.LayerNorm",
                                    "encoder.layer.",
                                    ".attention.self.query",
                                    ".attention.self.key",
                                    ".attention.self.value",
                                    ".attention.output.dense",
                                    ".attention.output.LayerNorm",
                                    ".intermediate.dense",
                                    ".output.dense",
                                    ".output.LayerNorm"};

static const bert_names gguf_names = {
    "token_embd", "position_embd", "token_types",       "token_embd_norm", "blk.",
    ".attn_q",    ".attn_k",       ".attn_v",           ".attn_output",    ".attn_output_norm",
    ".ffn_up",    ".ffn_down",     ".layer_output_norm"};

typedef struct {
    engine_model *model;
    engine_bert *bert;
    const engine_weights *weights;
    const bert_names *names;
    const char *prefix; /* "bert." in files saved from a larger model, else "" */
} bert_loader;

static void
free_bert(gpointer data)
{
    engine_bert *bert = data;
    g_ptr_array_unref(bert->vectors);
    g_free(bert->layers);
    g_free(bert);
}

/* ---- tensors ---------------------------------------------------------------------------------- */

/* A stored vector as floats that live as long as the model; NULL on error. */
static const float *
find_vector(const bert_loader *l, const char *name, uint64_t n, GError **error)
{
    const engine_tensor *t = engine_weights_require(l->weights, name, n, 0, error);
    if (!t) return NULL;
    float *values = g_new(float, n);
    engine_tensor_row(t, 0, values);
    g_ptr_array_add(l->bert->vectors, values);
    return values;
}

static gboolean
find_linear(const bert_loader *l, const char *base, uint64_t n_in, uint64_t n_out,
            engine_bert_linear *out, GError **error)
{
    g_autofree char *weight = g_strconcat(base, ".weight", NULL);
    g_autofree char *bias = g_strconcat(base, ".bias", NULL);
    out->w = engine_weights_require(l->weights, weight, n_in, n_out, error);
    return out->w && (out->bias = find_vector(l, bias, n_out, error)) != NULL;
}

/* The oldest files call the two gamma and beta. */
static gboolean
find_norm(const bert_loader *l, const char *base, engine_bert_norm *out, GError **error)
{
    g_autofree char *gamma = g_strconcat(base, ".gamma", NULL);
    const gboolean old = engine_weights_lookup(l->weights, gamma) != NULL;
    g_autofree char *weight = g_strconcat(base, old ? ".gamma" : ".weight", NULL);
    g_autofree char *bias = g_strconcat(base, old ? ".beta" : ".bias", NULL);
    const uint64_t n = l->model->info.n_embd;
    out->weight = find_vector(l, weight, n, error);
    return out->weight && (out->bias = find_vector(l, bias, n, error)) != NULL;
}

/* An embedding table of n_embd columns and as many rows as it has, at least one. */
static const engine_tensor *
find_table(const bert_loader *l, const char *base, GError **error)
{
    g_autofree char *name = g_strconcat(l->prefix, base, ".weight", NULL);
    const engine_tensor *t = engine_weights_lookup(l->weights, name);
    return engine_weights_require(l->weights, name, l->model->info.n_embd, t ? t->dims[1] : 1,
                                  error);
}

static gboolean
find_layer(const bert_loader *l, uint32_t index, engine_bert_layer *layer, GError **error)
{
    const bert_names *names = l->names;
    const uint64_t d = l->model->info.n_embd, ff = l->model->info.n_ff;
    const struct {
        const char *name;
        uint64_t n_in, n_out;
        engine_bert_linear *linear;
        engine_bert_norm *norm;
    } parts[] = {{names->query, d, d, &layer->query, NULL},
                 {names->key, d, d, &layer->key, NULL},
                 {names->value, d, d, &layer->value, NULL},
                 {names->output, d, d, &layer->output, NULL},
                 {names->up, d, ff, &layer->up, NULL},
                 {names->down, ff, d, &layer->down, NULL},
                 {names->attention_norm, 0, 0, NULL, &layer->attention_norm},
                 {names->output_norm, 0, 0, NULL, &layer->output_norm}};
    for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
        g_autofree char *base =
            g_strdup_printf("%s%s%u%s", l->prefix, names->layer, index, parts[i].name);
        if (parts[i].linear &&
            !find_linear(l, base, parts[i].n_in, parts[i].n_out, parts[i].linear, error))
            return FALSE;
        if (parts[i].norm && !find_norm(l, base, parts[i].norm, error)) return FALSE;
    }
    return TRUE;
}

static gboolean
find_tensors(bert_loader *l, GError **error)
{
    engine_model_info *info = &l->model->info;
    engine_bert *bert = l->bert;
    bert->words = find_table(l, l->names->words, error);
    if (!bert->words) return FALSE;
    bert->positions = find_table(l, l->names->positions, error);
    if (!bert->positions) return FALSE;
    bert->types = find_table(l, l->names->types, error);
    if (!bert->types) return FALSE;
    info->n_vocab = (uint32_t)MIN(bert->words->dims[1], G_MAXINT32);
    info->n_context = (uint32_t)MIN(bert->positions->dims[1], info->n_context);
    g_autofree char *norm = g_strconcat(l->prefix, l->names->embedding_norm, NULL);
    if (!find_norm(l, norm, &bert->embedding_norm, error)) return FALSE;
    bert->layers = g_new0(engine_bert_layer, info->n_layers);
    for (uint32_t i = 0; i < info->n_layers; i++)
        if (!find_layer(l, i, &bert->layers[i], error)) return FALSE;
    return TRUE;
}

/* ---- the head ----------------------------------------------------------------------------------- */

/* A model made for judging pairs has "classifier" behind a pooler, as Hugging Face's BertForSequenceClassification
 * has it; llama.cpp's GGUF calls the two cls and cls.output, or the last of them cls where there is one only. A plain
 * encoder may have a pooler too, and no use for it. */
static gboolean
find_head(const bert_loader *l, GError **error)
{
    enum { MAX_LABELS = 2 };
    const gboolean gguf = engine_weights_format(l->weights) == ENGINE_FORMAT_GGUF;
    engine_model_info *info = &l->model->info;
    const char *labels = gguf ? "cls.output" : "classifier", *pooler = gguf ? "cls" : NULL;
    g_autofree char *hf_pooler = g_strconcat(l->prefix, "pooler.dense", NULL);
    if (!pooler) pooler = hf_pooler;
    if (gguf && !engine_weights_lookup(l->weights, "cls.output.weight"))
        labels = "cls", pooler = NULL;
    g_autofree char *name = g_strconcat(labels, ".weight", NULL);
    const engine_tensor *t = engine_weights_lookup(l->weights, name);
    if (!t || t->dims[1] < 1 || t->dims[1] > MAX_LABELS) return TRUE; /* another task's head */
    if (l->bert->types->dims[1] < 2) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                    "%s: judges pairs of texts, but knows one type of token",
                    engine_weights_path(l->weights));
        return FALSE;
    }
    g_autofree char *pooler_name = pooler ? g_strconcat(pooler, ".weight", NULL) : NULL;
    if (pooler && engine_weights_lookup(l->weights, pooler_name) &&
        !find_linear(l, pooler, info->n_embd, info->n_embd, &l->bert->pooler, error))
        return FALSE;
    if (!find_linear(l, labels, info->n_embd, t->dims[1], &l->bert->labels, error)) return FALSE;
    info->n_labels = (uint32_t)t->dims[1];
    return TRUE;
}

/* ---- hyperparameters -------------------------------------------------------------------------- */

static gboolean
unsupported(const bert_loader *l, GError **error, const char *what, const char *value)
{
    g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_UNSUPPORTED, "%s: %s '%.64s' is not supported",
                engine_weights_path(l->weights), what, value ? value : "(missing)");
    return FALSE;
}

static gboolean
read_sizes(const bert_loader *l, GError **error)
{
    engine_model_info *info = &l->model->info;
    const gboolean gguf = engine_weights_format(l->weights) == ENGINE_FORMAT_GGUF;
    const struct {
        const char *hf, *gguf;
        uint32_t *out, max;
    } sizes[] = {
        {"hidden_size", "bert.embedding_length", &info->n_embd, MAX_WIDTH},
        {"num_hidden_layers", "bert.block_count", &info->n_layers, MAX_LAYERS},
        {"num_attention_heads", "bert.attention.head_count", &info->n_heads, MAX_WIDTH},
        {"intermediate_size", "bert.feed_forward_length", &info->n_ff, MAX_WIDTH},
        {"max_position_embeddings", "bert.context_length", &info->n_context, 1 << 20},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        const char *key = gguf ? sizes[i].gguf : sizes[i].hf;
        if (engine_weights_get_u32(l->weights, key, sizes[i].out) && *sizes[i].out > 0 &&
            *sizes[i].out <= sizes[i].max)
            continue;
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT, "%s: %s is missing or out of bounds",
                    engine_weights_path(l->weights), key);
        return FALSE;
    }
    if (info->n_embd % info->n_heads != 0) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                    "%s: width %u does not divide by %u heads", engine_weights_path(l->weights),
                    info->n_embd, info->n_heads);
        return FALSE;
    }
    info->n_kv_heads = info->n_heads;
    info->head_dim = info->n_embd / info->n_heads;
    info->norm_eps = 1e-12f;
    engine_weights_get_f32(
        l->weights, gguf ? "bert.attention.layer_norm_epsilon" : "layer_norm_eps", &info->norm_eps);
    return TRUE;
}

static gboolean
read_gguf_rules(const bert_loader *l, GError **error)
{
    uint32_t pooling = 1;
    engine_weights_get_u32(l->weights, "bert.pooling_type", &pooling);
    /* 4: by rank, what a head makes of the first token */
    if (pooling != 1 && pooling != 2 && pooling != 4) {
        g_autofree char *value = g_strdup_printf("%u", pooling);
        return unsupported(l, error, "pooling_type", value);
    }
    l->model->info.pooling = pooling == 1 ? ENGINE_POOLING_MEAN : ENGINE_POOLING_CLS;
    l->model->info.normalize = TRUE;
    return TRUE;
}

/* A small JSON file of the folder, NULL when missing or unreadable. */
static json_t *
load_json(const bert_loader *l, const char *folder, const char *name)
{
    g_autofree char *path = g_build_filename(engine_weights_dir(l->weights), folder, name, NULL);
    return json_load_file(path, 0, NULL);
}

static gboolean
read_pooling(const bert_loader *l, const char *folder, GError **error)
{
    static const char *const others[] = {
        "pooling_mode_max_tokens", "pooling_mode_mean_sqrt_len_tokens",
        "pooling_mode_weightedmean_tokens", "pooling_mode_lasttoken"};
    json_t *config = load_json(l, folder, "config.json");
    const char *mode = json_string_value(json_object_get(config, "pooling_mode"));
    gboolean cls = json_is_true(json_object_get(config, "pooling_mode_cls_token"));
    gboolean mean = json_is_true(json_object_get(config, "pooling_mode_mean_tokens"));
    if (mode) cls = strcmp(mode, "cls") == 0, mean = strcmp(mode, "mean") == 0;
    gboolean ok = !config || cls != mean;
    for (size_t i = 0; i < G_N_ELEMENTS(others); i++)
        ok = ok && !json_is_true(json_object_get(config, others[i]));
    json_decref(config);
    l->model->info.pooling = cls ? ENGINE_POOLING_CLS : ENGINE_POOLING_MEAN;
    return ok || unsupported(l, error, "pooling of", folder);
}

/* modules.json: the transformer, then what becomes of its output. */
static gboolean
read_modules(const bert_loader *l, const json_t *modules, GError **error)
{
    size_t i;
    json_t *module;
    l->model->info.normalize = FALSE;
    json_array_foreach(modules, i, module)
    {
        const char *type = json_string_value(json_object_get(module, "type"));
        const char *path = json_string_value(json_object_get(module, "path"));
        const char *dot = type ? strrchr(type, '.') : NULL;
        const char *kind = dot ? dot + 1 : "";
        if (strcmp(kind, "Transformer") == 0) continue;
        if (strcmp(kind, "Normalize") == 0) {
            l->model->info.normalize = TRUE;
        } else if (strcmp(kind, "Pooling") == 0) {
            /* the name comes from a file: only a plain folder beside the weights */
            if (!path || !*path || strchr(path, '/') || strcmp(path, "..") == 0)
                return unsupported(l, error, "Pooling folder", path);
            if (!read_pooling(l, path, error)) return FALSE;
        } else {
            return unsupported(l, error, "module", type);
        }
    }
    return TRUE;
}

static gboolean
read_hf_rules(const bert_loader *l, GError **error)
{
    engine_model_info *info = &l->model->info;
    const char *act = engine_weights_get_string(l->weights, "hidden_act");
    const char *positions = engine_weights_get_string(l->weights, "position_embedding_type");
    l->bert->gelu_tanh =
        act && (strcmp(act, "gelu_new") == 0 || strcmp(act, "gelu_pytorch_tanh") == 0);
    if (act && !l->bert->gelu_tanh && strcmp(act, "gelu") != 0)
        return unsupported(l, error, "hidden_act", act);
    if (positions && strcmp(positions, "absolute") != 0)
        return unsupported(l, error, "position_embedding_type", positions);

    json_t *sentence = load_json(l, "", "sentence_bert_config.json");
    const json_int_t longest = json_integer_value(json_object_get(sentence, "max_seq_length"));
    if (longest > 0) info->n_context = (uint32_t)MIN(longest, (json_int_t)info->n_context);
    json_decref(sentence);

    info->pooling = ENGINE_POOLING_MEAN;
    info->normalize = TRUE;
    json_t *modules = load_json(l, "", "modules.json");
    const gboolean ok = !json_is_array(modules) || read_modules(l, modules, error);
    json_decref(modules);
    return ok;
}

gboolean
engine_bert_load(engine_model *model, GError **error)
{
    engine_bert *bert = g_new0(engine_bert, 1);
    bert->vectors = g_ptr_array_new_with_free_func(g_free);
    model->arch = bert;
    model->free_arch = free_bert;
    model->info.kind = ENGINE_KIND_ENCODER;

    const gboolean gguf = engine_weights_format(model->weights) == ENGINE_FORMAT_GGUF;
    bert_loader l = {model, bert, model->weights, gguf ? &gguf_names : &hf_names, ""};
    if (!gguf && engine_weights_lookup(model->weights, "bert.embeddings.word_embeddings.weight"))
        l.prefix = "bert.";
    if (!read_sizes(&l, error)) return FALSE;
    if (!(gguf ? read_gguf_rules(&l, error) : read_hf_rules(&l, error))) return FALSE;
    if (!find_tensors(&l, error) || !find_head(&l, error)) return FALSE;
    if (model->info.n_context < 2) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT, "%s: no room for [CLS] and [SEP]",
                    engine_weights_path(model->weights));
        return FALSE;
    }
    return TRUE;
}

/* Choosing tensor types, and writing tensors row by row.
 *
 * Rows are made and quantised in chunks by all threads and written by one: memory is a few megabytes, whatever
 * the model. The order of bytes does not depend on the threads. */
#include "engine/model_write.h"

#include <math.h>
#include <string.h>

#include "engine/pool.h"

#define CHUNK_BYTES (8u << 20) /* of output, at least one row */

void
engine_output_clear(gpointer data)
{
    engine_output *output = data;

    g_free(output->name);
    g_free(output->data);
}

/* ---- types ---- */

const char *
engine_write_type_names(void)
{
    return "f32, f16, bf16, q8_0, q4_0, q4_1, q5_0, q5_1, q2_k, q3_k, q3_k_m, q4_k, q4_k_m, q5_k, "
           "q5_k_m, q6_k, iq4_nl, mxfp4";
}

static gboolean
fail_type(const char *name, GError **error)
{
    g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_ARGUMENT,
                "%.64s: no type we write; choose from %s", name, engine_write_type_names());
    return FALSE;
}

gboolean
engine_type_choice_from_options(const engine_write_options *options, engine_type_choice *choice,
                                GError **error)
{
    g_autofree char *plain = g_ascii_strdown(options->type, -1);

    *choice = (engine_type_choice){.type = ENGINE_TYPE_F32};
    if (g_str_has_suffix(plain, "_k_m")) {
        plain[strlen(plain) - 2] = 0;
        choice->mixed = TRUE;
    }
    if (!engine_quantize_type_from_name(plain, &choice->type))
        return fail_type(options->type, error);
    if (choice->mixed && choice->type != ENGINE_TYPE_Q3_K && choice->type != ENGINE_TYPE_Q4_K &&
        choice->type != ENGINE_TYPE_Q5_K)
        return fail_type(options->type, error);
    choice->has_output = options->output_type != NULL;
    choice->has_embedding = options->embedding_type != NULL;
    if (choice->has_output &&
        !engine_quantize_type_from_name(options->output_type, &choice->output_type))
        return fail_type(options->output_type, error);
    if (choice->has_embedding &&
        !engine_quantize_type_from_name(options->embedding_type, &choice->embedding_type))
        return fail_type(options->embedding_type, error);
    return TRUE;
}

/* llama.cpp's numbers of whole files; "S" and "M" are its small and medium mixes. */
uint32_t
engine_type_choice_file_type(const engine_type_choice *choice)
{
    static const struct {
        engine_type type;
        uint32_t plain, mixed;
    } numbers[] = {
        {ENGINE_TYPE_F32, 0, 0},      {ENGINE_TYPE_F16, 1, 1},    {ENGINE_TYPE_Q4_0, 2, 2},
        {ENGINE_TYPE_Q4_1, 3, 3},     {ENGINE_TYPE_Q8_0, 7, 7},   {ENGINE_TYPE_Q5_0, 8, 8},
        {ENGINE_TYPE_Q5_1, 9, 9},     {ENGINE_TYPE_Q2_K, 10, 10}, {ENGINE_TYPE_Q3_K, 11, 12},
        {ENGINE_TYPE_Q4_K, 14, 15},   {ENGINE_TYPE_Q5_K, 16, 17}, {ENGINE_TYPE_Q6_K, 18, 18},
        {ENGINE_TYPE_IQ4_NL, 25, 25}, {ENGINE_TYPE_BF16, 32, 32}, {ENGINE_TYPE_MXFP4, 38, 38},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++)
        if (numbers[i].type == choice->type)
            return choice->mixed ? numbers[i].mixed : numbers[i].plain;
    return 0;
}

/* What stays in full precision: small, and every token depends on it. */
static gboolean
is_kept(const char *name, uint32_t n_dims, const uint64_t *dims)
{
    static const char *const kept[] = {"norm",          "ffn_gate_inp", "ssm_conv1d", "ssm_a",
                                       "position_embd", "token_types",  "fope_",      "rope_"};

    if (n_dims < 2 || dims[1] == 1 || !g_str_has_suffix(name, ".weight")) return TRUE;
    for (size_t i = 0; i < G_N_ELEMENTS(kept); i++)
        if (strstr(name, kept[i])) return TRUE;
    return FALSE;
}

/* The layer number of blk.N.name, -1 of others; *rest is what follows. */
static int
layer_of(const char *name, const char **rest)
{
    char *end = NULL;

    *rest = name;
    if (!g_str_has_prefix(name, "blk.")) return -1;
    const guint64 layer = g_ascii_strtoull(name + 4, &end, 10);
    if (end == name + 4 || *end != '.' || layer > 100000) return -1;
    *rest = end + 1;
    return (int)layer;
}

/* The first and last eighth of the layers, and every third between. */
static gboolean
has_more_bits(int layer, int n_layers)
{
    const int eighth = n_layers / 8;
    return layer < eighth || layer >= 7 * n_layers / 8 || (layer - eighth) % 3 == 2;
}

static engine_type
mixed_type(engine_type type, const char *name, uint32_t n_layers)
{
    const char *rest;
    const int layer = layer_of(name, &rest);

    if (layer < 0) return type;
    if (type == ENGINE_TYPE_Q3_K && g_str_has_prefix(rest, "attn_output")) return ENGINE_TYPE_Q4_K;
    if (!g_str_has_prefix(rest, "attn_v.") && !g_str_has_prefix(rest, "ffn_down")) return type;
    const gboolean more = has_more_bits(layer, (int)n_layers);
    if (type == ENGINE_TYPE_Q3_K) return more ? ENGINE_TYPE_Q5_K : ENGINE_TYPE_Q4_K;
    return more ? ENGINE_TYPE_Q6_K : type;
}

/* For rows that are no multiple of 256. */
static engine_type
without_k(engine_type type)
{
    switch ((int)type) {
    case ENGINE_TYPE_Q2_K:
    case ENGINE_TYPE_Q3_K:
        return ENGINE_TYPE_IQ4_NL;
    case ENGINE_TYPE_Q4_K:
        return ENGINE_TYPE_Q5_0;
    case ENGINE_TYPE_Q5_K:
        return ENGINE_TYPE_Q5_1;
    case ENGINE_TYPE_Q6_K:
        return ENGINE_TYPE_Q8_0;
    default:
        return type;
    }
}

engine_type
engine_type_choose(const engine_type_choice *choice, const char *name, uint32_t n_dims,
                   const uint64_t *dims, uint32_t n_layers, gboolean tied, gboolean *fallback)
{
    const gboolean embedding = strcmp(name, "token_embd.weight") == 0;
    const gboolean output = strcmp(name, "output.weight") == 0 || (embedding && tied);
    engine_type type = choice->type;

    *fallback = FALSE;
    if (is_kept(name, n_dims, dims)) return ENGINE_TYPE_F32;
    if (choice->mixed) type = output ? ENGINE_TYPE_Q6_K : mixed_type(type, name, n_layers);
    if (embedding && choice->has_embedding)
        type = choice->embedding_type;
    else if (output && choice->has_output)
        type = choice->output_type;
    if (dims[0] % engine_type_lookup((uint32_t)type)->block_elems == 0) return type;
    *fallback = TRUE;
    type = without_k(type);
    if (dims[0] % engine_type_lookup((uint32_t)type)->block_elems == 0) return type;
    return ENGINE_TYPE_F16;
}

/* ---- writing ---- */

typedef struct {
    const engine_output *output;
    engine_pool *pool;
    engine_quantize_fn quantize;
    uint8_t *packed;
    size_t first_row, row_bytes;
    int bad; /* a weight was not finite */
} chunk_run;

static void
make_row(void *data, size_t index, int worker)
{
    chunk_run *run = data;
    const engine_output *o = run->output;
    const size_t n = (size_t)o->dims[0];
    float *row = engine_pool_scratch(run->pool, worker, n * sizeof *row);
    float sum = 0.0f;

    o->row(o->data, run->first_row + index, row);
    for (size_t i = 0; i < n; i++)
        sum += row[i] * 0.0f; /* 0, or no number once one of them is infinite or none */
    if (sum != 0.0f) g_atomic_int_set(&run->bad, 1);
    run->quantize(row, run->packed + index * run->row_bytes, n);
}

typedef struct {
    engine_gguf_writer *writer;
    const engine_write_options *options;
    uint64_t n_done, n_total;
} stream;

static gboolean
write_piece(stream *s, const void *data, size_t n, GError **error)
{
    if (s->options->cancel && g_atomic_int_get(s->options->cancel)) {
        g_set_error_literal(error, ENGINE_ERROR, ENGINE_ERROR_CANCELLED, "cancelled");
        return FALSE;
    }
    if (!engine_gguf_writer_write(s->writer, data, n, error)) return FALSE;
    s->n_done += n;
    if (s->options->progress) s->options->progress(s->n_done, s->n_total, s->options->user_data);
    return TRUE;
}

static gboolean
write_rows(stream *s, const engine_output *o, engine_pool *pool, GError **error)
{
    const engine_type_traits *traits = engine_type_lookup((uint32_t)o->type);
    const size_t n_rows = (size_t)(o->dims[1] * o->dims[2] * o->dims[3]);
    chunk_run run = {.output = o, .pool = pool, .quantize = engine_quantize_lookup(o->type)};

    run.row_bytes = (size_t)o->dims[0] / traits->block_elems * traits->block_bytes;
    const size_t chunk = CLAMP(CHUNK_BYTES / run.row_bytes, 1, n_rows);
    g_autofree uint8_t *packed = g_try_malloc_n(chunk, run.row_bytes);
    if (!packed) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT, "tensor %s: no memory for its rows",
                    o->name);
        return FALSE;
    }
    run.packed = packed;
    for (size_t row = 0; row < n_rows; row += chunk) {
        const size_t n = MIN(chunk, n_rows - row);
        run.first_row = row;
        engine_pool_run(pool, n, make_row, &run);
        if (run.bad) {
            g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                        "tensor %s: a weight is infinite or not a number", o->name);
            return FALSE;
        }
        if (!write_piece(s, packed, n * run.row_bytes, error)) return FALSE;
    }
    return TRUE;
}

static gboolean
write_bytes(stream *s, const engine_tensor *t, GError **error)
{
    for (size_t at = 0; at < t->n_bytes; at += CHUNK_BYTES)
        if (!write_piece(s, t->data + at, MIN(CHUNK_BYTES, t->n_bytes - at), error)) return FALSE;
    return TRUE;
}

gboolean
engine_write_outputs(engine_gguf_writer *writer, const GArray *outputs, engine_pool *pool,
                     const engine_write_options *options, GError **error)
{
    stream s = {.writer = writer, .options = options};

    for (guint i = 0; i < outputs->len; i++) {
        const engine_output *o = &g_array_index(outputs, engine_output, i);
        size_t n_bytes = 0;
        if (!engine_gguf_writer_add_tensor(writer, o->name, o->type, o->n_dims, o->dims, error))
            return FALSE;
        engine_tensor_size((uint32_t)o->type, o->n_dims, o->dims, &n_bytes);
        s.n_total += n_bytes;
    }
    if (!engine_gguf_writer_begin(writer, error)) return FALSE;
    for (guint i = 0; i < outputs->len; i++) {
        const engine_output *o = &g_array_index(outputs, engine_output, i);
        if (!(o->bytes ? write_bytes(&s, o->bytes, error) : write_rows(&s, o, pool, error)))
            return FALSE;
    }
    return engine_gguf_writer_finish(writer, error);
}

void
engine_output_tensor_row(const void *data, size_t row, float *out)
{
    engine_tensor_row(data, row, out);
}

void
engine_note_fallbacks(const engine_write_options *options, const engine_fallbacks *fallbacks)
{
    for (uint32_t type = 0; options->note && type < ENGINE_TYPE_COUNT; type++) {
        const uint32_t n = fallbacks->count[type];
        if (n == 0) continue;
        g_autofree char *line =
            g_strdup_printf("%u tensor%s with rows that are no whole number of blocks: %s instead",
                            n, n == 1 ? "" : "s", engine_type_lookup(type)->name);
        options->note(line, options->user_data);
    }
}

/* ---- GGUF to GGUF ---- */

typedef struct {
    const engine_weights *weights;
    const engine_type_choice *choice;
    const engine_write_options *options;
    GArray *outputs;
    uint32_t n_layers;
    gboolean tied;
    engine_fallbacks fallbacks;
} quantizing;

static void
add_output(quantizing *q, const engine_tensor *t)
{
    engine_output o = {.name = g_strdup(t->name), .type = t->type, .n_dims = t->n_dims, .bytes = t};
    gboolean fallback = FALSE;

    memcpy(o.dims, t->dims, sizeof o.dims);
    if (engine_type_lookup((uint32_t)t->type)->dequantize)
        o.type = engine_type_choose(q->choice, t->name, t->n_dims, t->dims, q->n_layers, q->tied,
                                    &fallback);
    if (fallback) q->fallbacks.count[o.type]++;
    if (o.type != t->type) {
        o.bytes = NULL;
        o.row = engine_output_tensor_row;
        o.data = g_memdup2(t, sizeof *t);
    }
    g_array_append_val(q->outputs, o);
}

/* blk.N of the highest N, plus one. */
static uint32_t
count_layers(const engine_weights *weights)
{
    const char *rest;
    int highest = -1;

    for (size_t i = 0; i < engine_weights_n_tensors(weights); i++)
        highest = MAX(highest, layer_of(engine_weights_tensor_at(weights, i)->name, &rest));
    return (uint32_t)(highest + 1);
}

gboolean
engine_model_quantize(const char *in, const char *out, const engine_write_options *options,
                      engine_pool *pool, GError **error)
{
    engine_type_choice choice;
    if (!engine_type_choice_from_options(options, &choice, error)) return FALSE;
    g_autoptr(engine_weights) weights = engine_weights_open(in, error);
    g_autoptr(GArray) outputs = g_array_new(FALSE, FALSE, sizeof(engine_output));
    g_array_set_clear_func(outputs, engine_output_clear);

    if (!weights) return FALSE;
    if (engine_weights_format(weights) != ENGINE_FORMAT_GGUF) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_ARGUMENT,
                    "%s: not a GGUF file; convert safetensors", engine_weights_path(weights));
        return FALSE;
    }
    quantizing q = {.weights = weights, .choice = &choice, .options = options, .outputs = outputs};
    q.n_layers = count_layers(weights);
    q.tied = !engine_weights_lookup(weights, "output.weight");
    for (size_t i = 0; i < engine_weights_n_tensors(weights); i++)
        add_output(&q, engine_weights_tensor_at(weights, i));
    engine_note_fallbacks(options, &q.fallbacks);
    g_autoptr(engine_gguf_writer) writer = engine_gguf_writer_new(out, options->part_bytes);
    engine_gguf_writer_copy_metadata(writer, weights);
    engine_gguf_writer_set_u32(writer, "general.quantization_version", 2);
    engine_gguf_writer_set_u32(writer, "general.file_type", engine_type_choice_file_type(&choice));
    return engine_write_outputs(writer, outputs, pool, options, error);
}

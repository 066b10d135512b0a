/* Any bytes as a decoder: a GGUF file, or a config.json, a NUL and a safetensors file. What loads also runs, when it
 * is small. */
#include "engine/decoder_private.h"
#include "engine/pool.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static engine_weights *
parse(const uint8_t *data, size_t size)
{
    if (size == 0) return NULL; /* data may be NULL then */
    if (size >= 4 && memcmp(data, "GGUF", 4) == 0)
        return engine_weights_parse_gguf(data, size, "fuzz", NULL);
    const uint8_t *end = memchr(data, 0, size);
    json_t *config = end ? json_loadb((const char *)data, (size_t)(end - data), 0, NULL) : NULL;
    if (!json_is_object(config)) {
        json_decref(config);
        return NULL;
    }
    engine_weights *weights = engine_weights_parse_safetensors(
        end + 1, size - (size_t)(end + 1 - data), config, "fuzz", NULL);
    json_decref(config);
    return weights;
}

/* Five tokens in two passes, and a draft. */
static void
run(const engine_model *model, engine_pool *pool)
{
    const engine_kv_shape shape = engine_decoder_kv_shape(model, ENGINE_TYPE_F32, ENGINE_TYPE_F16);
    const int32_t tokens[5] = {0, 0, (int32_t)model->info.n_vocab - 1, 0, 0};
    const size_t limit = 8u << 20;

    if (engine_kv_page_bytes(&shape) > limit || engine_decoder_scratch_bytes(model, 4) > limit ||
        engine_recurrent_bytes(model) > limit || model->info.n_vocab > 1u << 16)
        return;
    engine_kv *kv = engine_kv_new(&shape, 1, NULL);
    engine_decoder_scratch *scratch = engine_decoder_scratch_new(model, pool, 4, NULL);
    engine_sequence_state state = {.recurrent = engine_recurrent_new(model, NULL),
                                   .rope_base = engine_decoder_rope_base(model, 100)};
    g_assert(kv && scratch && engine_kv_reserve(kv, &state.kv, 5, NULL));
    g_autofree float *logits = g_new(float, model->info.n_vocab);
    for (uint32_t first = 0; first < 5; first += 4) {
        const engine_decoder_span span = {&state, 0, MIN(4, 5 - first), first};
        const uint32_t last = span.n - 1;
        g_assert(engine_decoder_forward(scratch, kv, tokens + first, span.n, &span, 1, NULL));
        state.kv.n_tokens = first + span.n;
        g_assert(engine_decoder_logits(scratch, &last, 1, logits, NULL));
        if (engine_decoder_n_mtp(model) > 0)
            g_assert(engine_decoder_mtp(scratch, kv, tokens, span.n, &span, 1, logits, NULL));
    }
    engine_kv_clear(kv, &state.kv);
    engine_kv_free(kv);
    engine_recurrent_free(state.recurrent);
    engine_decoder_scratch_free(scratch);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    engine_weights *weights = parse(data, size);
    g_autoptr(GError) error = NULL;

    if (!weights) return 0;
    const gboolean gguf = engine_weights_format(weights) == ENGINE_FORMAT_GGUF;
    const char *stated =
        engine_weights_get_string(weights, gguf ? "general.architecture" : "model_type");
    g_autoptr(engine_model) model = g_new0(engine_model, 1);
    model->weights = weights;
    model->kernels = engine_kernels_best();
    model->info.name = "fuzz";
    if (!engine_decoder_knows(gguf, stated)) return 0;
    const gboolean loaded = engine_decoder_load(model, stated, &error);
    g_assert(loaded == (error == NULL));
    if (loaded) {
        g_autoptr(engine_pool) pool = engine_pool_new(1);
        run(model, pool);
    }
    return 0;
}

/* Finding a decoder's tensors by name, and reading its vectors. */
#include "engine/decoder_load.h"

const engine_tensor *
engine_load_lookup(const engine_loader *l, const char *prefix, const char *name)
{
    if (!name) return NULL;
    g_autofree char *full = g_strconcat(prefix, name, ".weight", NULL);
    return engine_weights_lookup(l->weights, full);
}

void
engine_load_use(engine_loader *l, const engine_tensor *tensor)
{
    g_hash_table_add(l->used, (gpointer)tensor);
    if (tensor->scales) g_hash_table_add(l->used, (gpointer)tensor->scales);
}

gpointer
engine_load_own(engine_loader *l, size_t n, size_t size)
{
    gpointer memory = g_try_malloc0_n(n, size);

    if (!memory) {
        engine_load_fail(l, ENGINE_ERROR_LIMIT, "no memory for %zu elements of %zu bytes", n, size);
        return NULL;
    }
    g_ptr_array_add(l->d->owned, memory);
    return memory;
}

const float *
engine_load_vector(engine_loader *l, const char *prefix, const char *full, uint32_t n)
{
    g_autofree char *name = g_strconcat(prefix, full, NULL);
    const engine_tensor *t = engine_weights_require(l->weights, name, n, 0, l->error);

    if (!t) return NULL;
    float *values = engine_load_own(l, n, sizeof *values);
    if (!values) return NULL;
    engine_tensor_row(t, 0, values);
    engine_load_use(l, t);
    return values;
}

const float *
engine_load_norm(engine_loader *l, const char *prefix, const char *name, uint32_t n)
{
    g_autofree char *full = g_strconcat(name, ".weight", NULL);
    float *values = (float *)engine_load_vector(l, prefix, full, n);

    if (values && !l->gguf && (l->family->flags & FAMILY_HF_PLUS_ONE))
        for (uint32_t i = 0; i < n; i++)
            values[i] += 1.0f;
    return values;
}

gboolean
engine_load_linear(engine_loader *l, const char *prefix, const char *name, uint32_t n_in,
                   uint32_t n_out, uint32_t at, engine_linear *out)
{
    g_autofree char *full = g_strconcat(prefix, name, ".weight", NULL);
    g_autofree char *bias = g_strconcat(prefix, name, ".bias", NULL);

    *out = (engine_linear){.at = at};
    out->w = engine_weights_require(l->weights, full, n_in, n_out, l->error);
    if (!out->w) return FALSE;
    engine_load_use(l, out->w);
    if (!engine_weights_lookup(l->weights, bias)) return TRUE;
    out->bias = engine_load_vector(l, "", bias, n_out);
    return out->bias != NULL;
}

/* Metadata of a weight file by key: GGUF entries, or the members of config.json. */
#include <math.h>
#include <string.h>

#include "engine/weights_private.h"

static const json_t *
descend(const json_t *node, char *const *parts)
{
    for (; node && *parts; parts++)
        node = json_object_get(node, *parts);
    return node;
}

/* A wrapper around several models keeps the text model's members under text_config. */
static const json_t *
config_lookup(const engine_weights *weights, const char *key)
{
    g_auto(GStrv) parts = g_strsplit(key, ".", -1);
    const json_t *text = json_object_get(weights->config, "text_config");
    const json_t *node = descend(text, parts);

    return node ? node : descend(weights->config, parts);
}

static const meta_value *
meta_lookup(const engine_weights *weights, const char *key, meta_kind kind)
{
    const meta_value *value = g_hash_table_lookup(weights->meta, key);
    return value && value->kind == kind ? value : NULL;
}

gboolean
engine_weights_get_i64(const engine_weights *weights, const char *key, int64_t *out)
{
    if (weights->format == ENGINE_FORMAT_SAFETENSORS) {
        const json_t *node = config_lookup(weights, key);
        if (!json_is_integer(node)) return FALSE;
        *out = (int64_t)json_integer_value(node);
        return TRUE;
    }
    const meta_value *value = meta_lookup(weights, key, META_INT);
    if (!value) return FALSE;
    *out = value->i;
    return TRUE;
}

gboolean
engine_weights_get_u32(const engine_weights *weights, const char *key, uint32_t *out)
{
    int64_t value;

    if (!engine_weights_get_i64(weights, key, &value) || value < 0 || value > G_MAXUINT32)
        return FALSE;
    *out = (uint32_t)value;
    return TRUE;
}

gboolean
engine_weights_get_f32(const engine_weights *weights, const char *key, float *out)
{
    int64_t whole;

    if (engine_weights_get_i64(weights, key, &whole)) {
        *out = (float)whole;
        return TRUE;
    }
    double real;
    if (weights->format == ENGINE_FORMAT_SAFETENSORS) {
        const json_t *node = config_lookup(weights, key);
        if (!json_is_real(node)) return FALSE;
        real = json_real_value(node);
    } else {
        const meta_value *value = meta_lookup(weights, key, META_FLOAT);
        if (!value) return FALSE;
        real = value->f;
    }
    if (!isfinite(real) || fabs(real) > G_MAXFLOAT) return FALSE;
    *out = (float)real;
    return TRUE;
}

gboolean
engine_weights_get_bool(const engine_weights *weights, const char *key, gboolean *out)
{
    if (weights->format == ENGINE_FORMAT_SAFETENSORS) {
        const json_t *node = config_lookup(weights, key);
        if (!json_is_boolean(node)) return FALSE;
        *out = json_is_true(node);
        return TRUE;
    }
    const meta_value *value = meta_lookup(weights, key, META_BOOL);
    if (!value) return FALSE;
    *out = value->i != 0;
    return TRUE;
}

const char *
engine_weights_get_string(const engine_weights *weights, const char *key)
{
    if (weights->format == ENGINE_FORMAT_SAFETENSORS)
        return json_string_value(config_lookup(weights, key));
    const meta_value *value = meta_lookup(weights, key, META_STRING);
    return value ? value->s : NULL;
}

static gconstpointer
get_items(const engine_weights *weights, const char *key, meta_kind kind, size_t *n)
{
    const meta_value *value = meta_lookup(weights, key, kind);

    if (!value) return NULL;
    *n = value->n;
    return value->items;
}

const engine_bytes *
engine_weights_get_strings(const engine_weights *weights, const char *key, size_t *n)
{
    return get_items(weights, key, META_STRINGS, n);
}

const float *
engine_weights_get_floats(const engine_weights *weights, const char *key, size_t *n)
{
    return get_items(weights, key, META_FLOATS, n);
}

const int32_t *
engine_weights_get_ints(const engine_weights *weights, const char *key, size_t *n)
{
    return get_items(weights, key, META_INTS, n);
}

/* ---- values that may be one for all layers or a list ---- */

/* Element `index` of an array, or the value itself where it is none; NULL past the end. */
static const json_t *
config_at(const engine_weights *weights, const char *key, size_t index)
{
    const json_t *node = config_lookup(weights, key);
    return json_is_array(node) ? json_array_get(node, index) : node;
}

size_t
engine_weights_get_n(const engine_weights *weights, const char *key)
{
    if (weights->format == ENGINE_FORMAT_SAFETENSORS) {
        const json_t *node = config_lookup(weights, key);
        return json_is_array(node) ? json_array_size(node) : node && !json_is_null(node) ? 1 : 0;
    }
    const meta_value *value = g_hash_table_lookup(weights->meta, key);
    if (!value) return 0;
    return value->items ? value->n : 1;
}

/* Element `index` as a whole number; of these kinds only. */
static gboolean
number_at(const engine_weights *weights, const char *key, size_t index, meta_kind scalar,
          int64_t *out)
{
    const meta_value *value = g_hash_table_lookup(weights->meta, key);

    if (!value) return FALSE;
    if (value->kind == scalar) {
        *out = value->i;
        return TRUE;
    }
    if (value->kind != META_INTS || index >= value->n) return FALSE;
    *out = ((const int32_t *)value->items)[index];
    return TRUE;
}

gboolean
engine_weights_get_u32_at(const engine_weights *weights, const char *key, size_t index,
                          uint32_t *out)
{
    int64_t value;

    if (weights->format == ENGINE_FORMAT_SAFETENSORS) {
        const json_t *node = config_at(weights, key, index);
        if (!json_is_integer(node)) return FALSE;
        value = (int64_t)json_integer_value(node);
    } else if (!number_at(weights, key, index, META_INT, &value)) {
        return FALSE;
    }
    if (value < 0 || value > G_MAXUINT32) return FALSE;
    *out = (uint32_t)value;
    return TRUE;
}

gboolean
engine_weights_get_bool_at(const engine_weights *weights, const char *key, size_t index,
                           gboolean *out)
{
    int64_t value;

    if (weights->format == ENGINE_FORMAT_SAFETENSORS) {
        const json_t *node = config_at(weights, key, index);
        if (!json_is_boolean(node)) return FALSE;
        *out = json_is_true(node);
        return TRUE;
    }
    if (!number_at(weights, key, index, META_BOOL, &value)) return FALSE;
    *out = value != 0;
    return TRUE;
}

const char *
engine_weights_get_string_at(const engine_weights *weights, const char *key, size_t index)
{
    return json_string_value(config_at(weights, key, index));
}

/* ---- config.json: rotary positions ---- */

static const char *const ROPE_OBJECTS[] = {"rope_parameters.", "rope_scaling.", ""};

gboolean
engine_weights_get_rope_f32(const engine_weights *weights, const char *name, float *out)
{
    for (size_t i = 0; i < G_N_ELEMENTS(ROPE_OBJECTS); i++) {
        g_autofree char *key = g_strconcat(ROPE_OBJECTS[i], name, NULL);
        if (engine_weights_get_f32(weights, key, out)) return TRUE;
    }
    return FALSE;
}

gboolean
engine_weights_get_rope_bool(const engine_weights *weights, const char *name, gboolean *out)
{
    for (size_t i = 0; i < G_N_ELEMENTS(ROPE_OBJECTS); i++) {
        g_autofree char *key = g_strconcat(ROPE_OBJECTS[i], name, NULL);
        if (engine_weights_get_bool(weights, key, out)) return TRUE;
    }
    return FALSE;
}

const char *
engine_weights_get_rope_string(const engine_weights *weights, const char *name)
{
    const char *found = NULL;

    for (size_t i = 0; !found && i < G_N_ELEMENTS(ROPE_OBJECTS); i++) {
        g_autofree char *key = g_strconcat(ROPE_OBJECTS[i], name, NULL);
        found = engine_weights_get_string(weights, key);
    }
    return found;
}

const char *
engine_weights_get_rope_type(const engine_weights *weights)
{
    const char *type = engine_weights_get_rope_string(weights, "rope_type");

    /* before transformers 4.43 it was "type" */
    if (!type) type = engine_weights_get_string(weights, "rope_scaling.type");
    return type;
}

/* ---- as they are ---- */

size_t
engine_weights_n_metadata(const engine_weights *weights)
{
    return weights->keys->len;
}

engine_metadata
engine_weights_metadata_at(const engine_weights *weights, size_t index)
{
    g_assert(index < weights->keys->len);
    const char *key = weights->keys->pdata[index];
    const meta_value *value = g_hash_table_lookup(weights->meta, key);

    return (engine_metadata){key, value->type, value->payload, value->payload_bytes};
}

const json_t *
engine_weights_config(const engine_weights *weights)
{
    return weights->config;
}

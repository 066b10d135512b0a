/* $ref, allOf and their siblings as one flat schema. */
#include "engine/json_schema.h"

#include <string.h>

static gboolean
count_merge(schema_reader *r)
{
    return ++r->n_merges <= SCHEMA_MAX_MERGES ||
           schema_fail(r, ENGINE_ERROR_LIMIT, "putting its parts together takes too long");
}

const char *
schema_type_of(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "object";
    case JSON_ARRAY:
        return "array";
    case JSON_STRING:
        return "string";
    case JSON_INTEGER:
        return "integer";
    case JSON_REAL:
        return "number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "boolean";
    case JSON_NULL:
        return "null";
    }
    return "null";
}

static gboolean
names_type(const json_t *stated, const char *type)
{
    if (json_is_string(stated)) return strcmp(json_string_value(stated), type) == 0;
    for (size_t i = 0; i < json_array_size(stated); i++)
        if (g_strcmp0(json_string_value(json_array_get(stated, i)), type) == 0) return TRUE;
    return FALSE;
}

gboolean
schema_has_type(const json_t *schema, const char *type)
{
    const json_t *stated = json_object_get(schema, "type");
    if (!stated || names_type(stated, type)) return TRUE;
    if (strcmp(type, "null") == 0 && json_is_true(json_object_get(schema, "nullable"))) return TRUE;
    return strcmp(type, "integer") == 0 && names_type(stated, "number");
}

/* ---- references ------------------------------------------------------------------------------- */

/* What "#/a/b~1c/%25" points at; borrowed, NULL with error. */
static json_t *
resolve(schema_reader *r, const char *ref)
{
    json_t *at = r->root;
    if (!ref || ref[0] != '#' || (ref[1] != '\0' && ref[1] != '/')) {
        schema_fail(r, ENGINE_ERROR_UNSUPPORTED,
                    "$ref %.80s: only references into this schema, #/..., are supported",
                    ref ? ref : "");
        return NULL;
    }
    g_auto(GStrv) steps = g_strsplit(ref + (ref[1] ? 2 : 1), "/", -1);
    for (char **step = steps; ref[1] && *step && at; step++) {
        g_autofree char *decoded = g_uri_unescape_string(*step, NULL);
        g_autoptr(GString) name = g_string_new(decoded ? decoded : *step);
        g_string_replace(name, "~1", "/", 0);
        g_string_replace(name, "~0", "~", 0);
        guint64 index = 0;
        if (json_is_array(at) &&
            g_ascii_string_to_unsigned(name->str, 10, 0, G_MAXINT, &index, NULL))
            at = json_array_get(at, index);
        else
            at = json_object_get(at, name->str);
    }
    if (!at) schema_fail(r, ENGINE_ERROR_FORMAT, "$ref %.80s points at nothing", ref);
    return at;
}

/* ---- one keyword of two schemas --------------------------------------------------------------- */

static json_t *
both(json_t *a, json_t *b)
{
    json_t *list = json_array();
    json_array_append(list, a);
    json_array_append(list, b);
    return json_pack("{s:o}", "allOf", list);
}

static json_t *
intersect_types(const json_t *a, const json_t *b)
{
    static const char *const types[] = {"object",  "array",   "string", "number",
                                        "integer", "boolean", "null"};
    json_t *result = json_array();
    for (size_t i = 0; i < G_N_ELEMENTS(types); i++) {
        const gboolean integer = strcmp(types[i], "integer") == 0;
        const gboolean in_a = names_type(a, types[i]) || (integer && names_type(a, "number"));
        const gboolean in_b = names_type(b, types[i]) || (integer && names_type(b, "number"));
        if (in_a && in_b) json_array_append_new(result, json_string(types[i]));
    }
    return result;
}

static gboolean
contains(const json_t *list, const json_t *value)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (json_equal(json_array_get(list, i), (json_t *)(void *)value)) return TRUE;
    return FALSE;
}

gboolean
schema_lists(const json_t *list, const json_t *value)
{
    if (contains(list, value)) return TRUE;
    for (size_t i = 0; i < json_array_size(list) && json_is_number(value); i++) {
        const json_t *other = json_array_get(list, i);
        if (json_is_number(other) && json_number_value(other) == json_number_value(value))
            return TRUE;
    }
    return FALSE;
}

static json_t *
intersect_values(const json_t *a, const json_t *b)
{
    json_t *result = json_array();
    for (size_t i = 0; i < json_array_size(a); i++)
        if (contains(b, json_array_get(a, i))) json_array_append(result, json_array_get(a, i));
    return result;
}

static json_t *
unite_values(const json_t *a, const json_t *b)
{
    json_t *result = json_copy((json_t *)(void *)a);
    for (size_t i = 0; i < json_array_size(b); i++)
        if (!contains(a, json_array_get(b, i))) json_array_append(result, json_array_get(b, i));
    return result;
}

static json_t *
merge_lists_of_schemas(schema_reader *r, const json_t *a, const json_t *b)
{
    json_t *result = json_array();
    for (size_t i = 0; i < json_array_size(a); i++)
        for (size_t k = 0; k < json_array_size(b) && count_merge(r); k++)
            json_array_append_new(result, both(json_array_get(a, i), json_array_get(b, k)));
    return result;
}

static json_t *
merge_prefix(json_t *a, json_t *b)
{
    json_t *result = json_array();
    const size_t n = MAX(json_array_size(a), json_array_size(b));
    for (size_t i = 0; i < n; i++) {
        json_t *x = json_array_get(a, i), *y = json_array_get(b, i);
        if (x && y)
            json_array_append_new(result, both(x, y));
        else
            json_array_append(result, x ? x : y);
    }
    return result;
}

/* Properties of both; one that only one of them names must also be what the other says of the rest. */
static json_t *
merge_properties(schema_reader *r, const json_t *a, const json_t *b)
{
    json_t *of_a = json_object_get(a, "properties"), *of_b = json_object_get(b, "properties");
    json_t *rest_a = json_object_get(a, "additionalProperties");
    json_t *rest_b = json_object_get(b, "additionalProperties");
    json_t *result = json_object(), *value;
    const char *name;

    json_object_foreach(of_a, name, value)
    {
        json_t *other = json_object_get(of_b, name);
        if (!other) other = rest_b;
        if (!count_merge(r)) break;
        json_object_set_new(result, name, other ? both(value, other) : json_incref(value));
    }
    json_object_foreach(of_b, name, value)
    {
        if (json_object_get(of_a, name)) continue;
        json_object_set_new(result, name, rest_a ? both(value, rest_a) : json_incref(value));
    }
    return result;
}

/* Schemas by name, those of one name together. */
static json_t *
merge_named(schema_reader *r, json_t *a, json_t *b)
{
    json_t *result = json_copy(a), *value;
    const char *name;

    json_object_foreach(b, name, value)
    {
        json_t *own = json_object_get(a, name);
        if (!count_merge(r)) break;
        json_object_set_new(result, name, own ? both(own, value) : json_incref(value));
    }
    return result;
}

/* Would one part's additionalProperties be asked about names that are the other part's by pattern? */
static gboolean
patterns_are_apart(const json_t *a, const json_t *b)
{
    const json_t *rest = json_object_get(a, "additionalProperties");
    json_t *own = json_object_get(a, "patternProperties");
    json_t *other = json_object_get(b, "patternProperties");
    return !other || !rest || json_is_true(rest) || (own && json_equal(own, other));
}

/* Two patterns are a list of them. */
static void
list_patterns(json_t *schema)
{
    json_t *pattern = json_object_get(schema, "pattern");
    if (!pattern) return;
    json_t *list = json_object_get(schema, SCHEMA_PATTERNS);
    list = list ? json_copy(list) : json_array();
    json_array_append(list, pattern);
    json_object_set_new(schema, SCHEMA_PATTERNS, list);
    json_object_del(schema, "pattern");
}

/* The tighter of two bounds. */
static json_t *
tighter(json_t *a, json_t *b, gboolean larger)
{
    const double x = json_number_value(a), y = json_number_value(b);
    return json_incref((x > y) == larger ? a : b);
}

/* A keyword that both have; NULL with error when that cannot be one keyword. */
static json_t *
merge_keyword(schema_reader *r, const char *key, json_t *a, json_t *b)
{
    static const char *const largest[] = {"minimum", "exclusiveMinimum", "minLength", "minItems",
                                          "minProperties"};
    static const char *const smallest[] = {"maximum", "exclusiveMaximum", "maxLength", "maxItems",
                                           "maxProperties"};
    if (json_equal(a, b)) return json_incref(a);
    for (size_t i = 0; i < G_N_ELEMENTS(largest); i++) {
        if (strcmp(key, largest[i]) == 0) return tighter(a, b, TRUE);
        if (strcmp(key, smallest[i]) == 0) return tighter(a, b, FALSE);
    }
    if (strcmp(key, "type") == 0) return intersect_types(a, b);
    if (strcmp(key, "enum") == 0) return intersect_values(a, b);
    if (strcmp(key, "required") == 0) return unite_values(a, b);
    if (strcmp(key, "prefixItems") == 0) return merge_prefix(a, b);
    if (strcmp(key, "anyOf") == 0 || strcmp(key, "oneOf") == 0)
        return merge_lists_of_schemas(r, a, b);
    if (strcmp(key, SCHEMA_NOT_ENUM) == 0 || strcmp(key, SCHEMA_NOT_PATTERN) == 0 ||
        strcmp(key, SCHEMA_PATTERNS) == 0)
        return unite_values(a, b);
    if (strcmp(key, "additionalProperties") == 0 || strcmp(key, "items") == 0 ||
        strcmp(key, "propertyNames") == 0)
        return both(a, b);
    if (strcmp(key, "patternProperties") == 0) return merge_named(r, a, b);
    if (strcmp(key, "nullable") == 0 || strcmp(key, "uniqueItems") == 0)
        return json_boolean(strcmp(key, "nullable") == 0 ? json_is_true(a) && json_is_true(b)
                                                         : json_is_true(a) || json_is_true(b));
    if (strcmp(key, "format") == 0 || strcmp(key, "multipleOf") == 0 ||
        strcmp(key, "contains") == 0 || strcmp(key, "minContains") == 0 ||
        strcmp(key, "maxContains") == 0) {
        schema_fail(r, ENGINE_ERROR_UNSUPPORTED, "two different %s together are not supported",
                    key);
        return NULL;
    }
    return json_incref(b); /* a description */
}

/* Constants as lists of one: then all is a matter of lists. */
static json_t *
with_enum(const json_t *schema)
{
    json_t *result = json_copy((json_t *)(void *)schema);
    json_t *constant = json_object_get(result, "const"), *list = json_object_get(result, "enum");
    if (!constant) return result;
    json_t *values = json_array();
    if (!list || contains(list, constant)) json_array_append(values, constant);
    json_object_set_new(result, "enum", values);
    json_object_del(result, "const");
    return result;
}

json_t *
schema_merge(schema_reader *r, json_t *a, json_t *b)
{
    if (!count_merge(r)) return NULL;
    if (json_object_size(a) == 0) return json_incref(b);
    if (json_object_size(b) == 0) return json_incref(a);
    g_autoptr(json_t) x = with_enum(a), y = with_enum(b);
    if (!patterns_are_apart(x, y) || !patterns_are_apart(y, x)) {
        schema_fail(r, ENGINE_ERROR_UNSUPPORTED,
                    "patternProperties beside another part's additionalProperties are not "
                    "supported");
        return NULL;
    }
    json_t *patterns[] = {json_object_get(x, "pattern"), json_object_get(y, "pattern")};
    if (patterns[0] && patterns[1] && !json_equal(patterns[0], patterns[1])) {
        list_patterns(x);
        list_patterns(y);
    }
    g_autoptr(json_t) result = json_copy(x);
    const char *key;
    json_t *value;

    json_object_foreach(y, key, value)
    {
        json_t *own = json_object_get(x, key);
        json_t *merged = own ? merge_keyword(r, key, own, value) : json_incref(value);
        if (!merged) return NULL;
        json_object_set_new(result, key, merged);
    }
    if (json_object_get(x, "properties") || json_object_get(y, "properties"))
        json_object_set_new(result, "properties", merge_properties(r, x, y));
    return r->error && *r->error ? NULL : json_incref(result);
}

json_t *
schema_flatten(schema_reader *r, json_t *schema)
{
    if (json_is_true(schema)) return json_object();
    if (json_is_false(schema)) return json_pack("{s:[]}", "enum");
    if (!json_is_object(schema)) {
        schema_fail(r, ENGINE_ERROR_FORMAT, "this is no schema");
        return NULL;
    }
    const json_t *ref = json_object_get(schema, "$ref");
    json_t *given = json_object_get(schema, "allOf");
    if (!ref && !given && !schema_has_logic(schema)) return json_incref(schema);
    if (r->depth >= SCHEMA_MAX_DEPTH) {
        schema_fail(r, ENGINE_ERROR_LIMIT, "it refers to itself, or is nested too deeply");
        return NULL;
    }
    g_autoptr(json_t) result = json_copy(schema);
    g_autoptr(json_t) all = json_is_array(given) ? json_copy(given) : json_array();
    json_object_del(result, "$ref");
    json_object_del(result, "allOf");
    r->depth++;
    if (!schema_add_logic(r, result, all)) return NULL;
    for (size_t i = 0; i <= json_array_size(all); i++) {
        /* the reference first: its properties come before those added to it */
        json_t *part = i > 0 ? json_array_get(all, i - 1) : NULL;
        if (i == 0 && !ref) continue;
        if (i == 0) part = resolve(r, json_string_value(ref));
        g_autoptr(json_t) flat = part ? schema_flatten(r, part) : NULL;
        if (flat && json_is_false(json_object_get(flat, "unevaluatedProperties"))) {
            /* what a part has not seen is what its own properties leave */
            json_t *closed = json_copy(flat);
            json_object_del(closed, "unevaluatedProperties");
            json_object_set_new(closed, "additionalProperties", json_false());
            json_decref(flat);
            flat = closed;
        }
        json_t *merged = !flat    ? NULL
                         : i == 0 ? schema_merge(r, flat, result)
                                  : schema_merge(r, result, flat);
        if (!merged) return NULL;
        json_decref(result);
        result = merged;
    }
    r->depth--;
    return json_incref(result);
}

/* ---- disjoint --------------------------------------------------------------------------------- */

static gboolean
values_are_disjoint(const json_t *schema, const json_t *values, const json_t *other)
{
    const json_t *others = json_object_get(other, "enum");
    (void)schema;
    for (size_t i = 0; i < json_array_size(values); i++) {
        const json_t *value = json_array_get(values, i);
        if (!schema_has_type(other, schema_type_of(value))) continue;
        if (!others || schema_lists(others, value)) return FALSE;
    }
    return TRUE;
}

static gboolean
types_are_disjoint(const json_t *a, const json_t *b)
{
    static const char *const types[] = {"object",  "array",   "string", "number",
                                        "integer", "boolean", "null"};
    for (size_t i = 0; i < G_N_ELEMENTS(types); i++)
        if (schema_has_type(a, types[i]) && schema_has_type(b, types[i])) return FALSE;
    return TRUE;
}

static gboolean requires(const json_t *schema, const char *name)
{
    const json_t *required = json_object_get(schema, "required");
    for (size_t i = 0; i < json_array_size(required); i++)
        if (g_strcmp0(json_string_value(json_array_get(required, i)), name) == 0) return TRUE;
    return FALSE;
}

static gboolean
only_objects(const json_t *schema)
{
    const json_t *type = json_object_get(schema, "type");
    return json_is_string(type) && strcmp(json_string_value(type), "object") == 0;
}

gboolean
schema_disjoint(schema_reader *r, json_t *a, json_t *b)
{
    g_autoptr(json_t) flat_a = schema_flatten(r, a), flat_b = schema_flatten(r, b);
    if (!flat_a || !flat_b) return FALSE;
    g_autoptr(json_t) x = with_enum(flat_a), y = with_enum(flat_b);
    const json_t *values_x = json_object_get(x, "enum"), *values_y = json_object_get(y, "enum");
    if (types_are_disjoint(x, y)) return TRUE;
    if (values_x && values_are_disjoint(x, values_x, y)) return TRUE;
    if (values_y && values_are_disjoint(y, values_y, x)) return TRUE;
    /* objects that a property tells apart */
    if (!only_objects(x) || !only_objects(y)) return FALSE;
    json_t *of_x = json_object_get(x, "properties"), *of_y = json_object_get(y, "properties"),
           *value;
    const char *name;
    json_object_foreach(of_x, name, value)
    {
        json_t *other = json_object_get(of_y, name);
        if (!other || !requires(x, name) || !requires(y, name) || !count_merge(r)) continue;
        if (r->depth >= SCHEMA_MAX_DEPTH) return FALSE;
        r->depth++;
        const gboolean told = schema_disjoint(r, value, other);
        r->depth--;
        if (told) return TRUE;
    }
    return FALSE;
}

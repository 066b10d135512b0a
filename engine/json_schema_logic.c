/* not, if/then/else and dependent* in terms of the other keywords.
 *
 * A negation may accept less than it should, never more: of the keywords of a schema any one that fails makes the
 * whole fail, so those that have no opposite are left out, as long as one has. What is written with them
 *
 *   not X                       the opposite of X
 *   if X then Y else Z          anyOf: X and Y, or the opposite of X and Z
 *   dependentRequired {a: b}    anyOf: no a, or a and b
 *   dependentSchemas {a: Y}     anyOf: no a, or a and Y */
#include "engine/json_schema.h"

#include <string.h>

static const char *const TYPES[] = {"object", "array", "string", "number", "boolean", "null"};

/* anyOf of the schemas in list, which is taken. */
static json_t *
any_of(json_t *list)
{
    if (json_array_size(list) != 1) return json_pack("{s:o}", "anyOf", list);
    json_t *only = json_incref(json_array_get(list, 0));
    json_decref(list);
    return only;
}

static json_t *
absent(const char *name)
{
    return json_pack("{s:s, s:{s:b}}", "type", "object", "properties", name, FALSE);
}

static json_t *
opposite_of_type(const json_t *schema)
{
    json_t *others = json_array();
    for (size_t i = 0; i < G_N_ELEMENTS(TYPES); i++) {
        const gboolean number = strcmp(TYPES[i], "number") == 0;
        if (!schema_has_type(schema, TYPES[i]) && !(number && schema_has_type(schema, "integer")))
            json_array_append_new(others, json_string(TYPES[i]));
    }
    return json_pack("{s:o}", "type", others);
}

/* A bound the other way round; NULL: not a bound. */
static json_t *
opposite_of_bound(const char *key, const json_t *value)
{
    static const struct {
        const char *key, *type, *opposite;
        double shift;
    } table[] = {
        {"minimum", "number", "exclusiveMaximum", 0},
        {"maximum", "number", "exclusiveMinimum", 0},
        {"exclusiveMinimum", "number", "maximum", 0},
        {"exclusiveMaximum", "number", "minimum", 0},
        {"minLength", "string", "maxLength", -1},
        {"maxLength", "string", "minLength", 1},
        {"minItems", "array", "maxItems", -1},
        {"maxItems", "array", "minItems", 1},
        {"minProperties", "object", "maxProperties", -1},
        {"maxProperties", "object", "minProperties", 1},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
        if (strcmp(key, table[i].key) != 0 || !json_is_number(value)) continue;
        const double bound = json_number_value(value) + table[i].shift;
        if (table[i].shift != 0 && bound < 0) return json_pack("{s:[]}", "enum");
        json_t *number = table[i].shift != 0 ? json_integer((json_int_t)bound)
                                             : json_incref((json_t *)(void *)value);
        return json_pack("{s:s, s:o}", "type", table[i].type, table[i].opposite, number);
    }
    return NULL;
}

static json_t *negate(schema_reader *r, json_t *schema);

/* Objects that have one of the properties, which is what it must not be. */
static void
add_opposites_of_properties(schema_reader *r, json_t *properties, json_t *list)
{
    const char *name;
    json_t *value;
    json_object_foreach(properties, name, value)
    {
        json_t *opposite = negate(r, value);
        if (opposite)
            json_array_append_new(list, json_pack("{s:s, s:[s], s:{s:o}}", "type", "object",
                                                  "required", name, "properties", name, opposite));
    }
}

/* The opposites of all schemas of a list, together; NULL when one has none. */
static json_t *
opposite_of_each(schema_reader *r, const json_t *schemas)
{
    g_autoptr(json_t) all = json_array();
    for (size_t i = 0; i < json_array_size(schemas); i++) {
        json_t *opposite = negate(r, json_array_get(schemas, i));
        if (!opposite) return NULL;
        json_array_append_new(all, opposite);
    }
    return json_pack("{s:O}", "allOf", all);
}

static void
add_opposite(schema_reader *r, const json_t *schema, const char *key, json_t *value, json_t *list)
{
    json_t *opposite = opposite_of_bound(key, value);
    if (strcmp(key, "type") == 0)
        opposite = opposite_of_type(schema);
    else if (strcmp(key, "const") == 0)
        opposite = json_pack("{s:[O]}", SCHEMA_NOT_ENUM, value);
    else if (strcmp(key, "enum") == 0)
        opposite = json_pack("{s:O}", SCHEMA_NOT_ENUM, value);
    else if (strcmp(key, SCHEMA_NOT_ENUM) == 0)
        opposite = json_pack("{s:O}", "enum", value);
    else if (strcmp(key, "pattern") == 0)
        opposite = json_pack("{s:s, s:[O]}", "type", "string", SCHEMA_NOT_PATTERN, value);
    else if (strcmp(key, "anyOf") == 0 || strcmp(key, "oneOf") == 0)
        opposite = opposite_of_each(r, value);
    else if (strcmp(key, "properties") == 0)
        add_opposites_of_properties(r, value, list);
    for (size_t i = 0; strcmp(key, "required") == 0 && i < json_array_size(value); i++)
        if (json_is_string(json_array_get(value, i)))
            json_array_append_new(list, absent(json_string_value(json_array_get(value, i))));
    if (opposite) json_array_append_new(list, opposite);
}

/* What `schema` refuses, or some of it; a new reference. NULL, perhaps with error: nothing is known of that. */
static json_t *
negate(schema_reader *r, json_t *schema)
{
    if (r->depth >= SCHEMA_MAX_DEPTH || ++r->n_merges > SCHEMA_MAX_MERGES) {
        schema_fail(r, ENGINE_ERROR_LIMIT, "its negations are too many, or nested too deeply");
        return NULL;
    }
    r->depth++;
    g_autoptr(json_t) flat = schema_flatten(r, schema), list = json_array();
    const char *key;
    json_t *value;
    json_object_foreach(flat, key, value) add_opposite(r, flat, key, value, list);
    r->depth--;
    if (!flat || (r->error && *r->error)) return NULL;
    if (json_object_size(flat) == 0) return json_false();
    return json_array_size(list) > 0 ? any_of(json_incref(list)) : NULL;
}

static json_t *
negate_keyword(schema_reader *r, const char *key, json_t *schema)
{
    json_t *opposite = negate(r, schema);
    if (!opposite)
        schema_fail(r, ENGINE_ERROR_UNSUPPORTED,
                    "the keyword %s is not supported with a schema of this kind", key);
    return opposite;
}

static gboolean
add_conditional(schema_reader *r, json_t *schema, json_t *parts)
{
    json_t *condition = json_object_get(schema, "if");
    json_t *then = json_object_get(schema, "then"), *other = json_object_get(schema, "else");
    if (!condition || (!then && !other)) return TRUE;
    json_t *opposite = negate_keyword(r, "if", condition);
    if (!opposite) return FALSE;
    g_autoptr(json_t) any = json_true();
    json_array_append_new(parts,
                          json_pack("{s:[{s:[OO]}, {s:[oO]}]}", "anyOf", "allOf", condition,
                                    then ? then : any, "allOf", opposite, other ? other : any));
    return TRUE;
}

/* dependentRequired, dependentSchemas, and the `dependencies` of draft 7, which is both. */
static gboolean
add_dependencies(schema_reader *r, json_t *schema, const char *key, json_t *parts)
{
    json_t *dependencies = json_object_get(schema, key), *value;
    const char *name;
    if (dependencies && !json_is_object(dependencies))
        return schema_fail(r, ENGINE_ERROR_FORMAT, "%s is not an object", key);
    json_object_foreach(dependencies, name, value)
    {
        json_t *needed =
            json_is_array(value) ? json_pack("{s:O}", "required", value) : json_incref(value);
        json_array_append_new(parts,
                              json_pack("{s:[{s:{s:b}}, {s:[{s:[s]}, o]}]}", "anyOf", "properties",
                                        name, FALSE, "allOf", "required", name, needed));
    }
    return TRUE;
}

gboolean
schema_add_logic(schema_reader *r, json_t *schema, json_t *parts)
{
    static const char *const keys[] = {
        "not", "if", "then", "else", "dependentRequired", "dependentSchemas", "dependencies"};
    json_t *refused = json_object_get(schema, "not");
    if (refused) {
        json_t *opposite = negate_keyword(r, "not", refused);
        if (!opposite) return FALSE;
        json_array_append_new(parts, opposite);
    }
    if (!add_conditional(r, schema, parts)) return FALSE;
    for (size_t i = 4; i < G_N_ELEMENTS(keys); i++)
        if (!add_dependencies(r, schema, keys[i], parts)) return FALSE;
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
        json_object_del(schema, keys[i]);
    return TRUE;
}

gboolean
schema_has_logic(const json_t *schema)
{
    return json_object_get(schema, "not") || json_object_get(schema, "if") ||
           json_object_get(schema, "then") || json_object_get(schema, "else") ||
           json_object_get(schema, "dependentRequired") ||
           json_object_get(schema, "dependentSchemas") || json_object_get(schema, "dependencies");
}

/* JSON Schema (2020-12, and what earlier drafts wrote otherwise) to grammar: what the grammar lets through, the schema
 * accepts. Not the other way round; where a schema leaves things open, one way to write them is enough:
 *
 *   - properties come in the schema's order; those that no keyword names only where additionalProperties asks for
 *     them, or nothing is said about properties at all
 *   - white space is one blank or one line break with indentation
 *   - numbers have at most 15 digits
 *   - without "type", the types that the other keywords speak of
 *
 * A keyword that cannot be kept is an error, never ignored; those that only describe (title, examples, ...) are. */
#include "engine/json_schema.h"

#include <stdarg.h>
#include <string.h>

gboolean
schema_fail(schema_reader *r, engine_error_code code, const char *format, ...)
{
    va_list args;
    if (r->error && *r->error) return FALSE;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(r->error, ENGINE_ERROR, (gint)code, "JSON schema: %s: %s",
                r->path->len > 0 ? r->path->str : "/", text);
    return FALSE;
}

static grammar_node
list_node(schema_reader *r, gboolean seq, guint n, va_list args)
{
    grammar_node nodes[8];
    g_assert(n <= G_N_ELEMENTS(nodes));
    for (guint i = 0; i < n; i++)
        nodes[i] = va_arg(args, grammar_node);
    return seq ? grammar_seq(r->build, nodes, n) : grammar_alt(r->build, nodes, n);
}

grammar_node
schema_seq(schema_reader *r, guint n, ...)
{
    va_list args;
    va_start(args, n);
    const grammar_node node = list_node(r, TRUE, n, args);
    va_end(args);
    return node;
}

grammar_node
schema_alt(schema_reader *r, guint n, ...)
{
    va_list args;
    va_start(args, n);
    const grammar_node node = list_node(r, FALSE, n, args);
    va_end(args);
    return node;
}

grammar_node
schema_as_rule(schema_reader *r, const char *name, grammar_node node)
{
    const uint32_t rule = grammar_rule(r->build, name);
    if (grammar_is_full(r->build)) return 0;
    grammar_define(r->build, rule, node);
    return grammar_ref(r->build, rule);
}

gboolean
schema_count(schema_reader *r, const json_t *schema, const char *key, uint32_t *out)
{
    const json_t *value = json_object_get(schema, key);
    if (!value) return TRUE;
    const double number = json_number_value(value);
    if (!json_is_number(value) || !(number >= 0.0) || number != (double)(uint64_t)number)
        return schema_fail(r, ENGINE_ERROR_FORMAT, "%s is not a count", key);
    if (number > 1e9) return schema_fail(r, ENGINE_ERROR_LIMIT, "%s is too large", key);
    *out = (uint32_t)number;
    return TRUE;
}

/* ---- keywords --------------------------------------------------------------------------------- */

static gboolean
is_one_of(const char *name, const char *const *names)
{
    for (; *names; names++)
        if (strcmp(*names, name) == 0) return TRUE;
    return FALSE;
}

static gboolean
check_keywords(schema_reader *r, const json_t *schema)
{
    static const char *const known[] = {"type",
                                        "enum",
                                        "const",
                                        "anyOf",
                                        "oneOf",
                                        "allOf",
                                        "$ref",
                                        "nullable",
                                        "properties",
                                        "required",
                                        "additionalProperties",
                                        "minProperties",
                                        "maxProperties",
                                        "items",
                                        "prefixItems",
                                        "additionalItems",
                                        "minItems",
                                        "maxItems",
                                        "minLength",
                                        "maxLength",
                                        "pattern",
                                        "format",
                                        "minimum",
                                        "maximum",
                                        "exclusiveMinimum",
                                        "exclusiveMaximum",
                                        "multipleOf",
                                        "uniqueItems",
                                        "contains",
                                        "minContains",
                                        "maxContains",
                                        "patternProperties",
                                        "propertyNames",
                                        SCHEMA_NOT_ENUM,
                                        SCHEMA_NOT_PATTERN,
                                        SCHEMA_PATTERNS,
                                        "unevaluatedProperties",
                                        NULL};
    static const char *const descriptions[] = {"title",
                                               "description",
                                               "default",
                                               "examples",
                                               "example",
                                               "$schema",
                                               "$id",
                                               "$comment",
                                               "$defs",
                                               "definitions",
                                               "deprecated",
                                               "readOnly",
                                               "writeOnly",
                                               "contentMediaType",
                                               "contentEncoding",
                                               "discriminator",
                                               "propertyOrdering",
                                               "$anchor",
                                               NULL};
    const char *key;
    json_t *value;
    json_object_foreach(
        (json_t *)(void *)schema, key,
        value) if (!is_one_of(key, known) &&
                   !is_one_of(
                       key, descriptions)) return schema_fail(r, ENGINE_ERROR_UNSUPPORTED,
                                                              "the keyword %.60s is not supported",
                                                              key);
    const json_t *unevaluated = json_object_get(schema, "unevaluatedProperties");
    if (unevaluated && !json_is_boolean(unevaluated))
        return schema_fail(r, ENGINE_ERROR_UNSUPPORTED,
                           "the keyword unevaluatedProperties is not supported");
    return TRUE;
}

static gboolean read_schema(schema_reader *r, json_t *schema, grammar_node *out);

/* A schema one step further down. */
gboolean
schema_read(schema_reader *r, const char *step, json_t *schema, grammar_node *out)
{
    const gsize len = r->path->len;
    g_string_append_printf(r->path, "/%s", step);
    const gboolean good = read_schema(r, schema, out);
    if (good) g_string_truncate(r->path, len);
    return good;
}

/* ---- values written out ----------------------------------------------------------------------- */

gboolean
schema_constant(schema_reader *r, const json_t *value, grammar_node *out)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    if (text && json_is_real(value) && g_ascii_strtod(text, NULL) != json_real_value(value)) {
        free(text);
        text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    }
    if (!text) return schema_fail(r, ENGINE_ERROR_FORMAT, "a value cannot be written");
    *out = schema_text(r, text);
    free(text);
    return TRUE;
}

static gboolean
read_enum(schema_reader *r, const json_t *schema, const json_t *values, grammar_node *out)
{
    static const char *const other[] = {
        "properties",       "required",         "items",         "prefixItems",
        "minItems",         "maxItems",         "minLength",     "maxLength",
        "pattern",          "format",           "minimum",       "maximum",
        "exclusiveMinimum", "exclusiveMaximum", "multipleOf",    "minProperties",
        "maxProperties",    "contains",         "uniqueItems",   "patternProperties",
        "propertyNames",    SCHEMA_NOT_PATTERN, SCHEMA_PATTERNS, NULL};
    g_autoptr(GArray) nodes = g_array_new(FALSE, FALSE, sizeof(grammar_node));
    const char *key;
    json_t *value;
    size_t i;
    if (!json_is_array(values)) return schema_fail(r, ENGINE_ERROR_FORMAT, "enum is not a list");
    json_object_foreach(
        (json_t *)(void *)schema, key,
        value) if (is_one_of(key, other) &&
                   json_array_size(values) >
                       0) return schema_fail(r, ENGINE_ERROR_UNSUPPORTED,
                                             "%s beside enum or const is not supported", key);
    json_array_foreach((json_t *)(void *)values, i, value)
    {
        grammar_node node;
        if (!schema_has_type(schema, schema_type_of(value))) continue;
        if (schema_lists(json_object_get(schema, SCHEMA_NOT_ENUM), value)) continue;
        if (!schema_constant(r, value, &node)) return FALSE;
        g_array_append_val(nodes, node);
    }
    *out = nodes->len > 0
               ? grammar_alt(r->build, (const grammar_node *)(void *)nodes->data, nodes->len)
               : r->dead;
    return TRUE;
}

json_t *
schema_values(const json_t *schema)
{
    const json_t *constant = json_object_get(schema, "const");
    const json_t *given = json_object_get(schema, "enum");
    const json_t *type = json_object_get(schema, "type");
    const json_t *refused = json_object_get(schema, SCHEMA_NOT_ENUM);
    const char *name = json_string_value(type);
    g_autoptr(json_t) all = NULL;

    if (constant)
        all = json_pack("[O]", constant);
    else if (given)
        all = json_copy((json_t *)(void *)given);
    else if (name && strcmp(name, "boolean") == 0)
        all = json_pack("[bb]", TRUE, FALSE);
    else if (name && strcmp(name, "null") == 0)
        all = json_pack("[n]");
    else
        return NULL;
    json_t *list = json_array();
    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *value = json_array_get(all, i);
        if (!schema_has_type(schema, schema_type_of(value)) || schema_lists(refused, value) ||
            schema_lists(list, value))
            continue;
        json_array_append(list, (json_t *)(void *)value);
    }
    return list;
}

/* ---- types ------------------------------------------------------------------------------------ */

static const char *const TYPES[] = {"object",  "array",   "string", "number",
                                    "integer", "boolean", "null"};

static int
compare_values(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Numbers but those refused: what lies between each and the next. */
static gboolean
read_number(schema_reader *r, const json_t *schema, gboolean integer, const json_t *refused,
            grammar_node *out)
{
    g_autoptr(GArray) holes = g_array_new(FALSE, FALSE, sizeof(double));
    g_autoptr(GArray) nodes = g_array_new(FALSE, FALSE, sizeof(grammar_node));

    for (size_t i = 0; i < json_array_size(refused); i++) {
        const json_t *value = json_array_get(refused, i);
        const double hole = json_number_value(value);
        if (json_is_number(value)) g_array_append_val(holes, hole);
    }
    if (holes->len == 0) return schema_number(r, schema, integer, out);
    g_array_sort(holes, compare_values);
    for (guint i = 0; i <= holes->len; i++) {
        g_autoptr(json_t) between = json_object();
        if (i > 0)
            json_object_set_new(between, "exclusiveMinimum",
                                json_real(g_array_index(holes, double, i - 1)));
        if (i < holes->len)
            json_object_set_new(between, "exclusiveMaximum",
                                json_real(g_array_index(holes, double, i)));
        g_autoptr(json_t) part = schema_merge(r, (json_t *)(void *)schema, between);
        grammar_node node;
        if (!part || !schema_number(r, part, integer, &node)) return FALSE;
        g_array_append_val(nodes, node);
    }
    *out = grammar_alt(r->build, (const grammar_node *)(void *)nodes->data, nodes->len);
    return TRUE;
}

static gboolean
read_type(schema_reader *r, const json_t *schema, const char *type, grammar_node *out)
{
    json_t *refused = json_object_get(schema, SCHEMA_NOT_ENUM);
    if (strcmp(type, "object") == 0) return schema_object(r, schema, out);
    if (strcmp(type, "array") == 0) return schema_array(r, schema, out);
    if (strcmp(type, "string") == 0) return schema_string(r, schema, out);
    if (strcmp(type, "number") == 0) return read_number(r, schema, FALSE, refused, out);
    if (strcmp(type, "integer") == 0) return read_number(r, schema, TRUE, refused, out);
    if (strcmp(type, "null") == 0) {
        *out = schema_text(r, "null");
        return TRUE;
    }
    const gboolean no_true = schema_lists(refused, json_true());
    const gboolean no_false = schema_lists(refused, json_false());
    *out = schema_alt(r, 2, no_true ? r->dead : schema_text(r, "true"),
                      no_false ? r->dead : schema_text(r, "false"));
    return TRUE;
}

/* Does a schema without "type" say something about this one? */
static gboolean
speaks_of(const json_t *schema, const char *type)
{
    static const struct {
        const char *type, *keys[9];
    } table[] = {
        {"object",
         {"properties", "required", "additionalProperties", "minProperties", "maxProperties",
          "unevaluatedProperties", "patternProperties", "propertyNames"}},
        {"array", {"items", "prefixItems", "minItems", "maxItems", "contains", "uniqueItems"}},
        {"string",
         {"minLength", "maxLength", "pattern", "format", SCHEMA_NOT_PATTERN, SCHEMA_PATTERNS}},
        {"number", {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(table); i++)
        for (size_t k = 0; strcmp(table[i].type, type) == 0 && table[i].keys[k]; k++)
            if (json_object_get(schema, table[i].keys[k])) return TRUE;
    return FALSE;
}

static gboolean
speaks_of_any(const json_t *schema)
{
    for (size_t i = 0; i < G_N_ELEMENTS(TYPES); i++)
        if (speaks_of(schema, TYPES[i])) return TRUE;
    return FALSE;
}

/* Is the whole type refused, as null is by its one value? Objects and arrays are by any: they cannot be told apart. */
static gboolean
refuses_type(const json_t *refused, const char *type)
{
    for (size_t i = 0; i < json_array_size(refused); i++) {
        const json_t *value = json_array_get(refused, i);
        if (strcmp(schema_type_of(value), type) != 0) continue;
        if (json_is_null(value) || json_is_object(value) || json_is_array(value)) return TRUE;
    }
    return FALSE;
}

static gboolean
read_types(schema_reader *r, const json_t *schema, grammar_node *out)
{
    const json_t *stated = json_object_get(schema, "type");
    grammar_node nodes[G_N_ELEMENTS(TYPES)];
    size_t n = 0, n_stated = 0;
    const json_t *refused = json_object_get(schema, SCHEMA_NOT_ENUM);
    const gboolean anything = refused && !speaks_of_any(schema);

    for (size_t i = 0; i < G_N_ELEMENTS(TYPES); i++) {
        const gboolean integer = strcmp(TYPES[i], "integer") == 0;
        gboolean named =
            stated ? json_is_string(stated) && strcmp(json_string_value(stated), TYPES[i]) == 0
                   : speaks_of(schema, TYPES[i]) || (anything && !integer);
        for (size_t k = 0; k < json_array_size(stated); k++)
            if (g_strcmp0(json_string_value(json_array_get(stated, k)), TYPES[i]) == 0)
                named = TRUE;
        if (named) n_stated++;
        if (stated && strcmp(TYPES[i], "null") == 0 &&
            json_is_true(json_object_get(schema, "nullable")))
            named = TRUE;
        if (!named || refuses_type(refused, TYPES[i])) continue;
        if (integer && json_is_array(stated) && schema_has_type(schema, "number")) continue;
        if (!read_type(r, schema, TYPES[i], &nodes[n++])) return FALSE;
    }
    if (stated && n_stated != (json_is_array(stated) ? json_array_size(stated) : 1))
        return schema_fail(r, ENGINE_ERROR_FORMAT, "type names something that is no type");
    *out = n > 0    ? grammar_alt(r->build, nodes, n)
           : stated ? r->dead
                    : grammar_ref(r->build, r->any_value);
    return TRUE;
}

/* ---- alternatives ----------------------------------------------------------------------------- */

static gboolean
check_one_of(schema_reader *r, GPtrArray *branches)
{
    for (guint i = 0; i < branches->len; i++)
        for (guint k = i + 1; k < branches->len; k++)
            if (!schema_disjoint(r, branches->pdata[i], branches->pdata[k]))
                return schema_fail(r, ENGINE_ERROR_UNSUPPORTED,
                                   "oneOf: a value may be both number %u and %u; if that does no "
                                   "harm, write anyOf",
                                   i + 1, k + 1);
    return TRUE;
}

/* key: anyOf or oneOf of a flat schema. */
static gboolean
read_alternatives(schema_reader *r, json_t *schema, const char *key, grammar_node *out)
{
    const json_t *list = json_object_get(schema, key);
    g_autoptr(json_t) base = json_copy(schema);
    g_autoptr(GPtrArray) branches = g_ptr_array_new_with_free_func((GDestroyNotify)json_decref);
    g_autoptr(GArray) nodes = g_array_new(FALSE, FALSE, sizeof(grammar_node));

    json_object_del(base, key);
    if (!json_is_array(list) || json_array_size(list) == 0)
        return schema_fail(r, ENGINE_ERROR_FORMAT, "%s is not a list of schemas", key);
    if (json_array_size(list) > 200)
        return schema_fail(r, ENGINE_ERROR_LIMIT, "%s has more than 200 schemas", key);
    for (size_t i = 0; i < json_array_size(list); i++) {
        g_autoptr(json_t) branch = schema_flatten(r, json_array_get(list, i));
        json_t *merged = branch ? schema_merge(r, base, branch) : NULL;
        if (!merged) return FALSE;
        g_ptr_array_add(branches, merged);
    }
    if (strcmp(key, "oneOf") == 0 && !check_one_of(r, branches)) return FALSE;
    for (guint i = 0; i < branches->len; i++) {
        grammar_node node;
        g_autofree char *step = g_strdup_printf("%s/%u", key, i);
        if (!schema_read(r, step, branches->pdata[i], &node)) return FALSE;
        g_array_append_val(nodes, node);
    }
    *out = grammar_alt(r->build, (const grammar_node *)(void *)nodes->data, nodes->len);
    return TRUE;
}

/* A flat schema's content. */
static gboolean
read_flat(schema_reader *r, json_t *schema, grammar_node *out)
{
    if (json_object_get(schema, "anyOf")) return read_alternatives(r, schema, "anyOf", out);
    if (json_object_get(schema, "oneOf")) return read_alternatives(r, schema, "oneOf", out);
    json_t *constant = json_object_get(schema, "const");
    if (constant) {
        g_autoptr(json_t) values = json_array();
        json_array_append(values, constant);
        return read_enum(r, schema, values, out);
    }
    if (json_object_get(schema, "enum"))
        return read_enum(r, schema, json_object_get(schema, "enum"), out);
    return read_types(r, schema, out);
}

static gboolean
read_schema_body(schema_reader *r, json_t *schema, grammar_node *out)
{
    g_autoptr(json_t) flat = schema_flatten(r, schema);
    return flat && check_keywords(r, flat) && read_flat(r, flat, out);
}

/* Each schema is a rule, found again by its text: that is how recursion ends. */
static gboolean
read_schema(schema_reader *r, json_t *schema, grammar_node *out)
{
    if (json_is_true(schema) || (json_is_object(schema) && json_object_size(schema) == 0)) {
        *out = grammar_ref(r->build, r->any_value);
        return TRUE;
    }
    if (json_is_false(schema)) {
        *out = r->dead;
        return TRUE;
    }
    if (!json_is_object(schema)) return schema_fail(r, ENGINE_ERROR_FORMAT, "this is no schema");
    if (r->depth >= SCHEMA_MAX_DEPTH || grammar_is_full(r->build))
        return schema_fail(r, ENGINE_ERROR_LIMIT, "the schema is too large, or nested too deeply");
    char *text = json_dumps(schema, JSON_COMPACT);
    if (!text) return schema_fail(r, ENGINE_ERROR_FORMAT, "the schema cannot be written");
    gpointer known = g_hash_table_lookup(r->rules, text);
    if (known) {
        free(text);
        *out = grammar_ref(r->build, GPOINTER_TO_UINT(known) - 1);
        return TRUE;
    }
    const uint32_t rule = grammar_rule(r->build, r->path->len > 0 ? r->path->str : "root");
    g_hash_table_insert(r->rules, g_strdup(text), GUINT_TO_POINTER(rule + 1));
    free(text);
    grammar_node node;
    r->depth++;
    if (!read_schema_body(r, schema, &node)) return FALSE;
    r->depth--;
    if (!grammar_is_full(r->build)) grammar_define(r->build, rule, node);
    *out = grammar_ref(r->build, rule);
    return TRUE;
}

/* ---- the whole -------------------------------------------------------------------------------- */

/* Parts that everything uses. */
static void
prepare(schema_reader *r)
{
    static const grammar_range digits = {'0', '9'};
    const grammar_node indent = grammar_repeat(
        r->build, grammar_class(r->build, &(grammar_range){' ', ' '}, 1, FALSE), 0, 20);

    r->dead = grammar_class(r->build, NULL, 0, FALSE);
    r->digit = grammar_class(r->build, &digits, 1, FALSE);
    r->character = schema_any_character(r->build);
    r->ws = schema_as_rule(r, "ws",
                           schema_alt(r, 3, grammar_empty(r->build), schema_text(r, " "),
                                      schema_seq(r, 2, schema_text(r, "\n"), indent)));
}

/* Any JSON value. */
static gboolean
define_any(schema_reader *r)
{
    static const char *const plain[] = {"string", "number", "boolean", "null"};
    grammar_node nodes[G_N_ELEMENTS(plain) + 2];
    g_autoptr(json_t) none = json_object();

    r->any_value = grammar_rule(r->build, "value");
    for (size_t i = 0; i < G_N_ELEMENTS(plain); i++)
        if (!read_type(r, none, plain[i], &nodes[i])) return FALSE;
    if (!schema_array(r, none, &nodes[4]) || !schema_object(r, none, &nodes[5])) return FALSE;
    grammar_define(r->build, r->any_value, grammar_alt(r->build, nodes, G_N_ELEMENTS(nodes)));
    return TRUE;
}

grammar_program *
grammar_program_from_schema(const char *text, GError **error)
{
    json_error_t problem;
    GError *cause = NULL;
    grammar_node node = 0;
    grammar_program *program = NULL;

    if (strlen(text) > SCHEMA_MAX_BYTES) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT,
                    "JSON schema: it has more than %d bytes", SCHEMA_MAX_BYTES);
        return NULL;
    }
    g_autoptr(json_t) root = json_loads(text, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &problem);
    if (!root) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT, "JSON schema: line %d, column %d: %s",
                    problem.line, problem.column, problem.text);
        return NULL;
    }
    g_autoptr(grammar_build) build = grammar_build_new();
    g_autoptr(GHashTable) rules = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GString) path = g_string_new(NULL);
    schema_reader r = {.build = build, .root = root, .rules = rules, .path = path, .error = &cause};
    prepare(&r);
    if (define_any(&r) && read_schema(&r, root, &node)) {
        const uint32_t rule = grammar_rule(build, "root");
        if (!grammar_is_full(build)) grammar_define(build, rule, node);
        program = grammar_build_finish(build, rule, &cause);
        if (!program) g_prefix_error(&cause, "JSON schema: ");
    }
    if (!program) g_propagate_error(error, cause);
    return program;
}

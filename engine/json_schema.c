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
    if (json_is_true(json_object_get(schema, "uniqueItems")))
        return schema_fail(r, ENGINE_ERROR_UNSUPPORTED, "the keyword uniqueItems is not supported");
    const json_t *unevaluated = json_object_get(schema, "unevaluatedProperties");
    if (unevaluated && !json_is_boolean(unevaluated))
        return schema_fail(r, ENGINE_ERROR_UNSUPPORTED,
                           "the keyword unevaluatedProperties is not supported");
    return TRUE;
}

static gboolean read_schema(schema_reader *r, json_t *schema, grammar_node *out);

/* A schema one step further down. */
static gboolean
read_child(schema_reader *r, const char *step, json_t *schema, grammar_node *out)
{
    const gsize len = r->path->len;
    g_string_append_printf(r->path, "/%s", step);
    const gboolean good = read_schema(r, schema, out);
    if (good) g_string_truncate(r->path, len);
    return good;
}

/* ---- values written out ----------------------------------------------------------------------- */

static gboolean
read_constant(schema_reader *r, const json_t *value, grammar_node *out)
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
    static const char *const other[] = {"properties",       "required",         "items",
                                        "prefixItems",      "minItems",         "maxItems",
                                        "minLength",        "maxLength",        "pattern",
                                        "format",           "minimum",          "maximum",
                                        "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
                                        "minProperties",    "maxProperties",    NULL};
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
        if (!read_constant(r, value, &node)) return FALSE;
        g_array_append_val(nodes, node);
    }
    *out = nodes->len > 0
               ? grammar_alt(r->build, (const grammar_node *)(void *)nodes->data, nodes->len)
               : r->dead;
    return TRUE;
}

/* ---- arrays ----------------------------------------------------------------------------------- */

/* What JSON Schema calls prefixItems and items, whichever draft wrote it. NULL: none given. */
static void
find_items(const json_t *schema, json_t **prefix, json_t **items)
{
    *prefix = json_object_get(schema, "prefixItems");
    *items = json_object_get(schema, "items");
    if (json_is_array(*items)) { /* until 2019-09 */
        *prefix = *items;
        *items = json_object_get(schema, "additionalItems");
    }
}

/* Elements from index k on, those before written already: each with its comma but the first of all. */
static gboolean
read_elements(schema_reader *r, const json_t *prefix, size_t k, json_t *items, uint32_t min,
              uint32_t max, grammar_node comma, grammar_node *out)
{
    const size_t n_prefix = json_array_size(prefix);
    grammar_node element, rest;

    *out = grammar_empty(r->build);
    if (k >= max) return TRUE;
    if (k < n_prefix) {
        g_autofree char *step = g_strdup_printf("prefixItems/%zu", k);
        if (!read_child(r, step, json_array_get(prefix, k), &element) ||
            !read_elements(r, prefix, k + 1, items, min, max, comma, &rest))
            return FALSE;
        *out = schema_as_rule(
            r, "elements",
            schema_seq(r, 3, k > 0 ? comma : grammar_empty(r->build), element, rest));
        if (k >= min) *out = grammar_repeat(r->build, *out, 0, 1);
        return TRUE;
    }
    if ((!items && n_prefix > 0) || json_is_false(items)) {
        if (k < min) *out = r->dead;
        return TRUE;
    }
    g_autoptr(json_t) any = json_true();
    if (!read_child(r, "items", items ? items : any, &element)) return FALSE;
    const uint32_t first = k == 0;
    const uint32_t least = min > k + first ? min - (uint32_t)k - first : 0;
    const uint32_t most = max == GRAMMAR_UNLIMITED ? max : max - (uint32_t)k - first;
    rest = grammar_repeat(r->build, schema_seq(r, 2, comma, element), least, most);
    *out = first ? schema_seq(r, 2, element, rest) : rest;
    if (first && min == 0) *out = grammar_repeat(r->build, *out, 0, 1);
    return TRUE;
}

static gboolean
read_array(schema_reader *r, const json_t *schema, grammar_node *out)
{
    uint32_t min = 0, max = GRAMMAR_UNLIMITED;
    json_t *prefix, *items;
    grammar_node elements;

    find_items(schema, &prefix, &items);
    if (prefix && !json_is_array(prefix))
        return schema_fail(r, ENGINE_ERROR_FORMAT, "prefixItems is not a list");
    if (json_array_size(prefix) > 100)
        return schema_fail(r, ENGINE_ERROR_LIMIT, "prefixItems has more than 100 schemas");
    if (!schema_count(r, schema, "minItems", &min) || !schema_count(r, schema, "maxItems", &max))
        return FALSE;
    if (min > max) {
        *out = r->dead;
        return TRUE;
    }
    const grammar_node comma = schema_seq(r, 2, schema_text(r, ","), r->ws);
    if (!read_elements(r, prefix, 0, items, min, max, comma, &elements)) return FALSE;
    *out = schema_seq(r, 5, schema_text(r, "["), r->ws, elements, r->ws, schema_text(r, "]"));
    return TRUE;
}

/* ---- objects ---------------------------------------------------------------------------------- */

typedef struct {
    grammar_node member; /* "name": value */
    gboolean required;
} property;

typedef struct {
    GPtrArray *names;   /* of const char *, the schema's */
    GArray *properties; /* property */
    json_t *extra;      /* schema of further properties; NULL: none */
    uint32_t n_required;
} object_shape;

static gboolean
is_required(const json_t *schema, const char *name)
{
    const json_t *required = json_object_get(schema, "required");
    json_t *value;
    size_t i;
    json_array_foreach((json_t *)(void *)required, i,
                       value) if (g_strcmp0(json_string_value(value), name) == 0) return TRUE;
    return FALSE;
}

static gboolean
add_property(schema_reader *r, object_shape *shape, const char *name, json_t *value,
             gboolean required)
{
    property p = {.required = required};
    grammar_node key, content;
    g_autoptr(json_t) text = json_string(name);
    g_autofree char *step = g_strdup_printf("properties/%.80s", name);

    if (!read_child(r, step, value, &content) || !read_constant(r, text, &key)) return FALSE;
    p.member = schema_seq(r, 4, key, schema_text(r, ":"), r->ws, content);
    g_array_append_val(shape->properties, p);
    g_ptr_array_add(shape->names, (gpointer)name);
    if (required) shape->n_required++;
    return TRUE;
}

static gboolean
read_properties(schema_reader *r, const json_t *schema, object_shape *shape)
{
    json_t *properties = json_object_get(schema, "properties");
    const json_t *required = json_object_get(schema, "required");
    json_t *extra = json_object_get(schema, "additionalProperties"), *value;
    const char *name;
    size_t i;

    if (properties && !json_is_object(properties))
        return schema_fail(r, ENGINE_ERROR_FORMAT, "properties is not an object");
    if (required && !json_is_array(required))
        return schema_fail(r, ENGINE_ERROR_FORMAT, "required is not a list");
    json_object_foreach(
        properties, name,
        value) if (!add_property(r, shape, name, value, is_required(schema, name))) return FALSE;
    g_autoptr(json_t) any = json_true();
    json_array_foreach((json_t *)(void *)required, i, value)
    {
        name = json_string_value(value);
        if (!name) return schema_fail(r, ENGINE_ERROR_FORMAT, "required holds something but names");
        if (json_object_get(properties, name)) continue;
        if (g_ptr_array_find_with_equal_func(shape->names, name, g_str_equal, NULL)) continue;
        if (!add_property(r, shape, name, extra ? extra : any, TRUE)) return FALSE;
    }
    if (!extra && !properties && !json_is_false(json_object_get(schema, "unevaluatedProperties")))
        extra = json_true(); /* a singleton: nothing to release */
    shape->extra = json_is_false(extra) ? NULL : extra;
    return TRUE;
}

/* How many further properties the counts admit; FALSE when they cannot be kept. */
static gboolean
count_extra(schema_reader *r, const json_t *schema, const object_shape *shape, uint32_t *min,
            uint32_t *max)
{
    uint32_t least = 0, most = GRAMMAR_UNLIMITED;
    const uint32_t n = shape->properties->len;

    if (!schema_count(r, schema, "minProperties", &least) ||
        !schema_count(r, schema, "maxProperties", &most))
        return FALSE;
    *min = 0;
    *max = GRAMMAR_UNLIMITED;
    if (shape->n_required == n && shape->extra) {
        *min = least > n ? least - n : 0;
        *max = most == GRAMMAR_UNLIMITED ? most : most > n ? most - n : 0;
        return n <= most ||
               schema_fail(r, ENGINE_ERROR_FORMAT, "more is required than maxProperties");
    }
    if (least <= shape->n_required && (most == GRAMMAR_UNLIMITED || (most >= n && !shape->extra)))
        return TRUE;
    return schema_fail(r, ENGINE_ERROR_UNSUPPORTED,
                       "minProperties and maxProperties beside optional properties are not "
                       "supported");
}

/* From the last property to the first: what may follow when something stands before (`rest`, with commas), and when
 * nothing does (`begin`, not empty). */
static gboolean
read_object(schema_reader *r, const json_t *schema, grammar_node *out)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    g_autoptr(GArray) properties = g_array_new(FALSE, FALSE, sizeof(property));
    object_shape shape = {names, properties, NULL, 0};
    uint32_t min = 0, max = 0;

    if (!read_properties(r, schema, &shape) || !count_extra(r, schema, &shape, &min, &max))
        return FALSE;
    const grammar_node comma = schema_seq(r, 2, schema_text(r, ","), r->ws);
    grammar_node rest = grammar_empty(r->build), begin = r->dead;
    gboolean may_be_empty = shape.n_required == 0 && min == 0;
    if (shape.extra && max > 0) {
        grammar_node content;
        if (!read_child(r, "additionalProperties", shape.extra, &content)) return FALSE;
        const grammar_node key = schema_other_key(r, (const char *const *)names->pdata, names->len);
        const grammar_node member =
            schema_as_rule(r, "member", schema_seq(r, 4, key, schema_text(r, ":"), r->ws, content));
        const grammar_node more = schema_seq(r, 2, comma, member);
        rest = grammar_repeat(r->build, more, min, max);
        begin = schema_seq(r, 2, member,
                           grammar_repeat(r->build, more, min > 0 ? min - 1 : 0,
                                          max == GRAMMAR_UNLIMITED ? max : max - 1));
    }
    for (guint i = properties->len; i-- > 0;) {
        const property *p = &g_array_index(properties, property, i);
        const grammar_node after = schema_as_rule(r, "properties", rest);
        const grammar_node first = schema_seq(r, 2, p->member, after);
        const grammar_node later = schema_seq(r, 3, comma, p->member, after);
        rest = p->required ? later : schema_alt(r, 2, later, after);
        begin =
            p->required ? first : schema_alt(r, 2, first, schema_as_rule(r, "properties", begin));
    }
    grammar_node members = schema_seq(r, 2, begin, r->ws);
    if (may_be_empty) members = grammar_repeat(r->build, members, 0, 1);
    *out = schema_seq(r, 4, schema_text(r, "{"), r->ws, members, schema_text(r, "}"));
    return TRUE;
}

/* ---- types ------------------------------------------------------------------------------------ */

static const char *const TYPES[] = {"object",  "array",   "string", "number",
                                    "integer", "boolean", "null"};

static gboolean
read_type(schema_reader *r, const json_t *schema, const char *type, grammar_node *out)
{
    if (strcmp(type, "object") == 0) return read_object(r, schema, out);
    if (strcmp(type, "array") == 0) return read_array(r, schema, out);
    if (strcmp(type, "string") == 0) return schema_string(r, schema, out);
    if (strcmp(type, "number") == 0) return schema_number(r, schema, FALSE, out);
    if (strcmp(type, "integer") == 0) return schema_number(r, schema, TRUE, out);
    if (strcmp(type, "null") == 0) {
        *out = schema_text(r, "null");
        return TRUE;
    }
    *out = schema_alt(r, 2, schema_text(r, "true"), schema_text(r, "false"));
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
          "unevaluatedProperties"}},
        {"array", {"items", "prefixItems", "minItems", "maxItems"}},
        {"string", {"minLength", "maxLength", "pattern", "format"}},
        {"number", {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(table); i++)
        for (size_t k = 0; strcmp(table[i].type, type) == 0 && table[i].keys[k]; k++)
            if (json_object_get(schema, table[i].keys[k])) return TRUE;
    return FALSE;
}

static gboolean
read_types(schema_reader *r, const json_t *schema, grammar_node *out)
{
    const json_t *stated = json_object_get(schema, "type");
    grammar_node nodes[G_N_ELEMENTS(TYPES)];
    size_t n = 0, n_stated = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(TYPES); i++) {
        const gboolean integer = strcmp(TYPES[i], "integer") == 0;
        gboolean named =
            stated ? json_is_string(stated) && strcmp(json_string_value(stated), TYPES[i]) == 0
                   : speaks_of(schema, TYPES[i]);
        for (size_t k = 0; k < json_array_size(stated); k++)
            if (g_strcmp0(json_string_value(json_array_get(stated, k)), TYPES[i]) == 0)
                named = TRUE;
        if (named) n_stated++;
        if (stated && strcmp(TYPES[i], "null") == 0 &&
            json_is_true(json_object_get(schema, "nullable")))
            named = TRUE;
        if (!named) continue;
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
        if (!read_child(r, step, branches->pdata[i], &node)) return FALSE;
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
    if (!read_array(r, none, &nodes[4]) || !read_object(r, none, &nodes[5])) return FALSE;
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

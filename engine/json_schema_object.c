/* Objects: properties in the schema's order, then further ones, whose keys may have to match patterns. */
#include "engine/json_schema.h"

#include <string.h>

enum { MAX_PATTERNS = 5 }; /* every set of them has keys of its own */

typedef struct {
    grammar_node member; /* "name": value */
    gboolean required;
} property;

typedef struct {
    GPtrArray *names;   /* of const char *, the schema's */
    GArray *properties; /* property */
    json_t *extra;      /* schema of further properties; NULL: none */
    uint32_t n_required;
    json_t *patterns;      /* patternProperties, NULL: none */
    GArray *pattern_keys;  /* grammar_node, in the order of those */
    json_t *name_schema;   /* propertyNames, NULL: none */
    grammar_node name_key; /* the same as a node */
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

/* ---- keys by pattern -------------------------------------------------------------------------- */

static void
append_key(GArray *list, grammar_node node)
{
    g_array_append_val(list, node);
}

/* What stands between the quotes of a key that propertyNames accepts. */
static gboolean
read_name_schema(schema_reader *r, json_t *schema, grammar_node *out)
{
    g_autoptr(json_t) flat = schema_flatten(r, schema);
    if (!flat) return FALSE;
    g_autoptr(json_t) values = schema_values(flat);
    g_autoptr(GArray) nodes = g_array_new(FALSE, FALSE, sizeof(grammar_node));
    if (json_object_get(flat, "anyOf") || json_object_get(flat, "oneOf"))
        return schema_fail(r, ENGINE_ERROR_UNSUPPORTED,
                           "the keyword propertyNames is not supported with alternatives");
    if (!values) return schema_string_text(r, flat, out);
    for (size_t i = 0; i < json_array_size(values); i++) {
        const char *name = json_string_value(json_array_get(values, i));
        if (name) append_key(nodes, schema_text(r, name));
    }
    *out = nodes->len > 0
               ? grammar_alt(r->build, (const grammar_node *)(void *)nodes->data, nodes->len)
               : r->dead;
    return TRUE;
}

static gboolean
read_key_rules(schema_reader *r, const json_t *schema, object_shape *shape)
{
    json_t *value;
    const char *pattern;
    shape->patterns = json_object_get(schema, "patternProperties");
    shape->name_schema = json_object_get(schema, "propertyNames");
    if (shape->patterns && !json_is_object(shape->patterns))
        return schema_fail(r, ENGINE_ERROR_FORMAT, "patternProperties is not an object");
    if (json_object_size(shape->patterns) > MAX_PATTERNS)
        return schema_fail(r, ENGINE_ERROR_LIMIT, "patternProperties has more than %d patterns",
                           MAX_PATTERNS);
    json_object_foreach(shape->patterns, pattern, value)
    {
        grammar_node node;
        if (!schema_pattern_text(r, pattern, &node)) return FALSE;
        g_array_append_val(shape->pattern_keys, node);
    }
    return !shape->name_schema || read_name_schema(r, shape->name_schema, &shape->name_key);
}

/* Is there a text that both match? FALSE when that is too large to tell. */
static gboolean
have_common(schema_reader *r, grammar_node a, grammar_node b, gboolean *common)
{
    grammar_node both;
    gboolean is_empty = TRUE;
    const gboolean good =
        grammar_combine(r->build, (const grammar_node[]){a, b}, 2, NULL, 0, &both, &is_empty);
    *common = !is_empty;
    return good;
}

/* The schema of a property that is called so: its own, and those of the patterns that match the name; of a name that
 * is not allowed, false. own is only what additionalProperties says (extra_of_name): the patterns go before it. A new
 * reference, NULL when the patterns are too large. */
static json_t *
schema_of_name(schema_reader *r, const object_shape *shape, const char *name, json_t *own,
               gboolean extra_of_name)
{
    g_autoptr(json_t) all = json_array();
    gboolean common = FALSE;
    const char *pattern;
    json_t *value;
    guint i = 0;

    if (!shape->patterns && !shape->name_schema) return json_incref(own);
    json_array_append(all, own);
    const grammar_node text = schema_text(r, name);
    if (shape->name_schema) {
        if (!have_common(r, text, shape->name_key, &common)) return NULL;
        if (!common) return json_false();
    }
    json_object_foreach(shape->patterns, pattern, value)
    {
        const grammar_node key = g_array_index(shape->pattern_keys, grammar_node, i++);
        if (!have_common(r, text, key, &common)) return NULL;
        if (common) json_array_append(all, value);
    }
    if (extra_of_name && json_array_size(all) > 1) json_array_remove(all, 0);
    return json_array_size(all) == 1 ? json_incref(json_array_get(all, 0))
                                     : json_pack("{s:O}", "allOf", all);
}

/* A key that matches just these patterns (a bit each) and no name of the schema's. */
static gboolean
read_key(schema_reader *r, const object_shape *shape, guint which, grammar_node *out,
         gboolean *is_empty)
{
    static const grammar_range quoted[] = {{0, 0x1F}, {'"', '"'}, {'\\', '\\'}};
    g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(grammar_node));
    g_autoptr(GArray) none = g_array_new(FALSE, FALSE, sizeof(grammar_node));
    g_autoptr(GArray) names = g_array_new(FALSE, FALSE, sizeof(grammar_node));

    /* keys are written without escapes */
    append_key(all, grammar_repeat(r->build, grammar_class(r->build, quoted, 3, TRUE), 0,
                                   GRAMMAR_UNLIMITED));
    if (shape->name_schema) append_key(all, shape->name_key);
    for (guint i = 0; i < shape->pattern_keys->len; i++)
        append_key(which >> i & 1 ? all : none,
                   g_array_index(shape->pattern_keys, grammar_node, i));
    for (guint i = 0; i < shape->names->len; i++)
        append_key(names, schema_text(r, shape->names->pdata[i]));
    if (names->len > 0)
        append_key(none,
                   grammar_alt(r->build, (const grammar_node *)(void *)names->data, names->len));
    return schema_combine(r, all, none, out, is_empty);
}

/* A further property, its key by the patterns: the values of each set of patterns are what all of them say. */
static gboolean
read_member_by_pattern(schema_reader *r, const object_shape *shape, grammar_node *out)
{
    g_autoptr(GArray) members = g_array_new(FALSE, FALSE, sizeof(grammar_node));
    const guint n = shape->pattern_keys->len;
    const grammar_node quote = schema_text(r, "\"");

    for (guint which = 0; which < 1u << n; which++) {
        g_autoptr(json_t) all = json_array();
        grammar_node key, content;
        gboolean is_empty;
        const char *pattern;
        json_t *value;
        guint i = 0;
        if (which == 0 && !shape->extra) continue;
        if (!read_key(r, shape, which, &key, &is_empty)) return FALSE;
        if (is_empty) continue;
        if (which == 0) json_array_append(all, shape->extra);
        json_object_foreach(shape->patterns, pattern, value)
        {
            if (which >> i++ & 1) json_array_append(all, value);
        }
        g_autoptr(json_t) whole = json_array_size(all) == 1 ? json_incref(json_array_get(all, 0))
                                                            : json_pack("{s:O}", "allOf", all);
        if (!schema_read(r, "patternProperties", whole, &content)) return FALSE;
        append_key(members,
                   schema_seq(r, 6, quote, key, quote, schema_text(r, ":"), r->ws, content));
    }
    *out = members->len > 0
               ? grammar_alt(r->build, (const grammar_node *)(void *)members->data, members->len)
               : r->dead;
    return TRUE;
}

/* ---- properties ------------------------------------------------------------------------------- */

static gboolean
add_property(schema_reader *r, object_shape *shape, const char *name, json_t *value,
             gboolean required, gboolean is_extra)
{
    property p = {.required = required};
    grammar_node key, content;
    g_autoptr(json_t) text = json_string(name);
    g_autofree char *step = g_strdup_printf("properties/%.80s", name);

    g_autoptr(json_t) whole = schema_of_name(r, shape, name, value, is_extra);
    if (!whole)
        return schema_fail(r, ENGINE_ERROR_LIMIT, "the patterns of its names are too large");
    if (!schema_read(r, step, whole, &content) || !schema_constant(r, text, &key)) return FALSE;
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
    json_object_foreach(properties, name,
                        value) if (!add_property(r, shape, name, value, is_required(schema, name),
                                                 FALSE)) return FALSE;
    g_autoptr(json_t) any = json_true();
    json_array_foreach((json_t *)(void *)required, i, value)
    {
        name = json_string_value(value);
        if (!name) return schema_fail(r, ENGINE_ERROR_FORMAT, "required holds something but names");
        if (json_object_get(properties, name)) continue;
        if (g_ptr_array_find_with_equal_func(shape->names, name, g_str_equal, NULL)) continue;
        if (!add_property(r, shape, name, extra ? extra : any, TRUE, TRUE)) return FALSE;
    }
    if (!extra && !properties && !shape->patterns &&
        !json_is_false(json_object_get(schema, "unevaluatedProperties")))
        extra = json_true(); /* a singleton: nothing to release */
    shape->extra = json_is_false(extra) ? NULL : extra;
    return TRUE;
}

static gboolean
has_further(const object_shape *shape)
{
    return shape->extra || json_object_size(shape->patterns) > 0;
}

/* A property that the schema does not name. */
static gboolean
read_member(schema_reader *r, const object_shape *shape, grammar_node *out)
{
    grammar_node content;

    if (shape->patterns || shape->name_schema) {
        if (!read_member_by_pattern(r, shape, out)) return FALSE;
    } else {
        if (!schema_read(r, "additionalProperties", shape->extra, &content)) return FALSE;
        const grammar_node key =
            schema_other_key(r, (const char *const *)shape->names->pdata, shape->names->len);
        *out = schema_seq(r, 4, key, schema_text(r, ":"), r->ws, content);
    }
    *out = schema_as_rule(r, "member", *out);
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
    if (shape->n_required == n && has_further(shape)) {
        *min = least > n ? least - n : 0;
        *max = most == GRAMMAR_UNLIMITED ? most : most > n ? most - n : 0;
        return n <= most ||
               schema_fail(r, ENGINE_ERROR_FORMAT, "more is required than maxProperties");
    }
    if (least <= shape->n_required &&
        (most == GRAMMAR_UNLIMITED || (most >= n && !has_further(shape))))
        return TRUE;
    return schema_fail(r, ENGINE_ERROR_UNSUPPORTED,
                       "minProperties and maxProperties beside optional properties are not "
                       "supported");
}

/* From the last property to the first: what may follow when something stands before (`rest`, with commas), and when
 * nothing does (`begin`, not empty). */
gboolean
schema_object(schema_reader *r, const json_t *schema, grammar_node *out)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    g_autoptr(GArray) properties = g_array_new(FALSE, FALSE, sizeof(property));
    g_autoptr(GArray) pattern_keys = g_array_new(FALSE, FALSE, sizeof(grammar_node));
    object_shape shape = {.names = names, .properties = properties, .pattern_keys = pattern_keys};
    uint32_t min = 0, max = 0;

    if (!read_key_rules(r, schema, &shape) || !read_properties(r, schema, &shape) ||
        !count_extra(r, schema, &shape, &min, &max))
        return FALSE;
    const grammar_node comma = schema_seq(r, 2, schema_text(r, ","), r->ws);
    grammar_node rest = grammar_empty(r->build), begin = r->dead;
    gboolean may_be_empty = shape.n_required == 0 && min == 0;
    if (has_further(&shape) && max > 0) {
        grammar_node member;
        if (!read_member(r, &shape, &member)) return FALSE;
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

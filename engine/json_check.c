/* Does a JSON value keep to a schema? For answers of servers that cannot be held to one while they write.
 *
 * Understood: type, enum, const, properties, required, additionalProperties, minProperties, maxProperties, items,
 * prefixItems, minItems, maxItems, uniqueItems, minLength, maxLength, pattern, minimum, maximum, exclusiveMinimum,
 * exclusiveMaximum, multipleOf, anyOf, oneOf, allOf, not, $ref into the same schema. What describes ("title",
 * "description", "default", "examples", "$comment", "$schema", "$id", "$defs", "definitions", "format") is passed over;
 * for any other keyword the schema is refused by its name.
 *
 * Source: JSON Schema 2020-12, Core section 10 and 11, Validation section 6. */
#include <math.h>
#include <string.h>

#include "engine/json_schema.h"

enum { CHECK_MAX_DEPTH = 128, CHECK_MAX_STEPS = 1000000 };

typedef struct {
    const json_t *root;
    GString *path; /* where in the value */
    guint depth, n_steps;
    GError **error; /* NULL: only asked whether */
} checker;

static gboolean check(checker *c, const json_t *schema, const json_t *value);

static gboolean fail(checker *c, const char *format, ...) G_GNUC_PRINTF(2, 3);

static gboolean
fail(checker *c, const char *format, ...)
{
    if (c->error == NULL || *c->error != NULL) return FALSE;
    va_list args;
    va_start(args, format);
    g_autofree char *what = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(c->error, ENGINE_ERROR, ENGINE_ERROR_FORMAT, "%s: %s",
                c->path->len > 0 ? c->path->str : "the value", what);
    return FALSE;
}

static gboolean
has_type(const json_t *value, const char *type)
{
    if (strcmp(type, "number") == 0) return json_is_number(value);
    if (strcmp(type, "integer") == 0)
        return json_is_integer(value) ||
               (json_is_real(value) && floor(json_real_value(value)) == json_real_value(value));
    if (strcmp(type, "string") == 0) return json_is_string(value);
    if (strcmp(type, "object") == 0) return json_is_object(value);
    if (strcmp(type, "array") == 0) return json_is_array(value);
    if (strcmp(type, "boolean") == 0) return json_is_boolean(value);
    return strcmp(type, "null") == 0 && json_is_null(value);
}

static gboolean
check_type(checker *c, const json_t *type, const json_t *value)
{
    if (json_is_string(type))
        return has_type(value, json_string_value(type)) ||
               fail(c, "it is no %s", json_string_value(type));
    for (size_t i = 0; i < json_array_size(type); i++)
        if (has_type(value, json_string_value(json_array_get(type, i)))) return TRUE;
    return fail(c, "it has none of the types allowed");
}

/* 1 and 1.0 are the same number. */
static gboolean
equal(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b)) return json_number_value(a) == json_number_value(b);
    return json_equal(a, b) != 0;
}

/* ---- by type ---- */

static gboolean
check_string(checker *c, const char *keyword, const json_t *limit, const json_t *value)
{
    if (!json_is_string(value)) return TRUE;
    const glong length = g_utf8_strlen(json_string_value(value), (gssize)json_string_length(value));
    if (strcmp(keyword, "minLength") == 0)
        return length >= json_integer_value(limit) || fail(c, "the text is too short");
    if (strcmp(keyword, "maxLength") == 0)
        return length <= json_integer_value(limit) || fail(c, "the text is too long");
    g_autoptr(GRegex) regex =
        g_regex_new(json_string_value(limit), G_REGEX_DOLLAR_ENDONLY, 0, NULL);
    if (regex == NULL) return fail(c, "the schema's pattern cannot be read");
    return g_regex_match_full(regex, json_string_value(value), (gssize)json_string_length(value), 0,
                              0, NULL, NULL) ||
           fail(c, "the text does not match the pattern");
}

static gboolean
check_number(checker *c, const char *keyword, const json_t *limit, const json_t *value)
{
    if (!json_is_number(value)) return TRUE;
    const double x = json_number_value(value), y = json_number_value(limit);
    gboolean ok;
    if (strcmp(keyword, "minimum") == 0)
        ok = x >= y;
    else if (strcmp(keyword, "maximum") == 0)
        ok = x <= y;
    else if (strcmp(keyword, "exclusiveMinimum") == 0)
        ok = x > y;
    else if (strcmp(keyword, "exclusiveMaximum") == 0)
        ok = x < y;
    else
        ok = y > 0 && fabs(remainder(x, y)) <= 1e-9 * fmax(1.0, fabs(x));
    return ok || fail(c, "the number breaks %s", keyword);
}

static gboolean
check_unique(checker *c, const json_t *value)
{
    for (size_t i = 0; i < json_array_size(value); i++)
        for (size_t j = 0; j < i; j++) {
            if (++c->n_steps > CHECK_MAX_STEPS) return fail(c, "too large to be checked");
            if (equal(json_array_get(value, i), json_array_get(value, j)))
                return fail(c, "elements %zu and %zu are the same", j, i);
        }
    return TRUE;
}

static gboolean
check_size(checker *c, const char *keyword, const json_t *limit, const json_t *value)
{
    const gboolean array = strstr(keyword, "Items") != NULL;
    if (array ? !json_is_array(value) : !json_is_object(value)) return TRUE;
    const size_t n = array ? json_array_size(value) : json_object_size(value);
    if (g_str_has_prefix(keyword, "min"))
        return (json_int_t)n >= json_integer_value(limit) ||
               fail(c, "it has %zu members: too few", n);
    return (json_int_t)n <= json_integer_value(limit) || fail(c, "it has %zu members: too many", n);
}

static gboolean check_at(checker *c, const json_t *schema, const json_t *value, const char *format,
                         ...) G_GNUC_PRINTF(4, 5);

static gboolean
check_at(checker *c, const json_t *schema, const json_t *value, const char *format, ...)
{
    const gsize len = c->path->len;
    va_list args;
    va_start(args, format);
    g_string_append_vprintf(c->path, format, args);
    va_end(args);
    const gboolean ok = check(c, schema, value);
    g_string_truncate(c->path, len);
    return ok;
}

static gboolean
check_items(checker *c, const json_t *schema, const json_t *value)
{
    const json_t *first = json_object_get(schema, "prefixItems");
    const json_t *items = json_object_get(schema, "items");
    const size_t n_first = json_array_size(first);
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *own = i < n_first ? json_array_get(first, i) : items;
        if (own != NULL && !check_at(c, own, json_array_get(value, i), "[%zu]", i)) return FALSE;
    }
    return TRUE;
}

static gboolean
check_members(checker *c, const json_t *schema, const json_t *value)
{
    const json_t *properties = json_object_get(schema, "properties");
    const json_t *others = json_object_get(schema, "additionalProperties");
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)(void *)value, key, member)
    {
        const json_t *own = json_object_get(properties, key);
        if (own == NULL && json_is_false(others)) return fail(c, "\"%.80s\" does not belong", key);
        if (own == NULL) own = others;
        if (own != NULL && !check_at(c, own, member, ".%.80s", key)) return FALSE;
    }
    const json_t *required = json_object_get(schema, "required");
    for (size_t i = 0; i < json_array_size(required); i++) {
        const char *name = json_string_value(json_array_get(required, i));
        if (name != NULL && json_object_get(value, name) == NULL)
            return fail(c, "\"%.80s\" is missing", name);
    }
    return TRUE;
}

/* ---- combinations ---- */

static gboolean
accepts(checker *c, const json_t *schema, const json_t *value)
{
    GError **error = c->error;
    c->error = NULL;
    const gboolean ok = check(c, schema, value);
    c->error = error;
    return ok;
}

static gboolean
check_choice(checker *c, const char *keyword, const json_t *list, const json_t *value)
{
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (keyword[1] == 'l') { /* allOf */
            if (!check(c, json_array_get(list, i), value)) return FALSE;
        } else if (accepts(c, json_array_get(list, i), value)) {
            n++;
        }
    }
    if (keyword[1] == 'l') return TRUE;
    if (keyword[0] == 'a') return n > 0 || fail(c, "none of the alternatives accepts it");
    return n == 1 || fail(c, "%zu of the alternatives accept it, not one", n);
}

/* "#/$defs/name" (RFC 6901) */
static const json_t *
resolve(const json_t *root, const char *reference)
{
    if (reference[0] != '#') return NULL;
    g_auto(GStrv) steps = g_strsplit(reference + 1, "/", -1);
    const json_t *at = root;
    for (char **step = steps[0] != NULL ? steps + 1 : steps; at != NULL && *step != NULL; step++) {
        g_autoptr(GString) name = g_string_new(*step);
        g_string_replace(name, "~1", "/", 0);
        g_string_replace(name, "~0", "~", 0);
        at = json_is_array(at) ? json_array_get(at, (size_t)g_ascii_strtoull(name->str, NULL, 10))
                               : json_object_get(at, name->str);
    }
    return at;
}

static gboolean
check_enum(checker *c, const json_t *list, const json_t *value)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (equal(json_array_get(list, i), value)) return TRUE;
    return fail(c, "it is none of the values allowed");
}

typedef enum {
    KEY_PASS,
    KEY_TYPE,
    KEY_ENUM,
    KEY_CONST,
    KEY_STRING,
    KEY_NUMBER,
    KEY_SIZE,
    KEY_UNIQUE,
    KEY_MEMBERS,
    KEY_ITEMS,
    KEY_CHOICE,
    KEY_NOT,
    KEY_REF,
    KEY_UNKNOWN
} key_kind;

static key_kind
kind_of(const char *keyword)
{
    static const struct {
        const char *name;
        key_kind kind;
    } table[] = {
        {"type", KEY_TYPE},
        {"enum", KEY_ENUM},
        {"const", KEY_CONST},
        {"minLength", KEY_STRING},
        {"maxLength", KEY_STRING},
        {"pattern", KEY_STRING},
        {"minimum", KEY_NUMBER},
        {"maximum", KEY_NUMBER},
        {"multipleOf", KEY_NUMBER},
        {"exclusiveMinimum", KEY_NUMBER},
        {"exclusiveMaximum", KEY_NUMBER},
        {"minItems", KEY_SIZE},
        {"maxItems", KEY_SIZE},
        {"minProperties", KEY_SIZE},
        {"maxProperties", KEY_SIZE},
        {"uniqueItems", KEY_UNIQUE},
        {"properties", KEY_MEMBERS},
        {"additionalProperties", KEY_MEMBERS},
        {"required", KEY_MEMBERS},
        {"items", KEY_ITEMS},
        {"prefixItems", KEY_ITEMS},
        {"anyOf", KEY_CHOICE},
        {"oneOf", KEY_CHOICE},
        {"allOf", KEY_CHOICE},
        {"not", KEY_NOT},
        {"$ref", KEY_REF},
        {"title", KEY_PASS},
        {"description", KEY_PASS},
        {"default", KEY_PASS},
        {"examples", KEY_PASS},
        {"$comment", KEY_PASS},
        {"$schema", KEY_PASS},
        {"$id", KEY_PASS},
        {"$defs", KEY_PASS},
        {"definitions", KEY_PASS},
        {"format", KEY_PASS},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(table); i++)
        if (strcmp(table[i].name, keyword) == 0) return table[i].kind;
    return KEY_UNKNOWN;
}

static gboolean
check_keyword(checker *c, const char *keyword, const json_t *schema, const json_t *of,
              const json_t *value)
{
    switch (kind_of(keyword)) {
    case KEY_PASS:
        return TRUE;
    case KEY_TYPE:
        return check_type(c, of, value);
    case KEY_ENUM:
        return check_enum(c, of, value);
    case KEY_CONST:
        return equal(of, value) || fail(c, "it is not the value asked for");
    case KEY_STRING:
        return check_string(c, keyword, of, value);
    case KEY_NUMBER:
        return check_number(c, keyword, of, value);
    case KEY_SIZE:
        return check_size(c, keyword, of, value);
    case KEY_UNIQUE:
        return !json_is_true(of) || !json_is_array(value) || check_unique(c, value);
    case KEY_MEMBERS:
        return !json_is_object(value) || check_members(c, schema, value);
    case KEY_ITEMS:
        return !json_is_array(value) || check_items(c, schema, value);
    case KEY_CHOICE:
        return check_choice(c, keyword, of, value);
    case KEY_NOT:
        return !accepts(c, of, value) || fail(c, "it is what the schema excludes");
    case KEY_REF: {
        const json_t *target = json_is_string(of) ? resolve(c->root, json_string_value(of)) : NULL;
        if (target == NULL) return fail(c, "the schema's $ref leads nowhere");
        return check(c, target, value);
    }
    case KEY_UNKNOWN:
        break;
    }
    return fail(c, "the schema's keyword \"%.80s\" is not known", keyword);
}

static gboolean
check(checker *c, const json_t *schema, const json_t *value)
{
    const char *keyword;
    json_t *of;

    if (json_is_boolean(schema)) return json_is_true(schema) || fail(c, "nothing is allowed here");
    if (!json_is_object(schema)) return fail(c, "the schema is no object here");
    if (c->depth >= CHECK_MAX_DEPTH || ++c->n_steps > CHECK_MAX_STEPS)
        return fail(c, "too deep or too large to be checked");
    c->depth++;
    gboolean ok = TRUE;
    json_object_foreach((json_t *)(void *)schema, keyword, of)
    {
        if (!ok) break;
        ok = check_keyword(c, keyword, schema, of, value);
    }
    c->depth--;
    return ok;
}

/* A keyword that is not known must not pass because a value did not come by it. */
static gboolean
check_schema(const json_t *schema, guint depth, GError **error)
{
    const char *keyword;
    json_t *of;
    if (!json_is_object(schema) || depth > CHECK_MAX_DEPTH) return TRUE;
    json_object_foreach((json_t *)(void *)schema, keyword, of)
    {
        const key_kind kind = kind_of(keyword);
        if (kind == KEY_UNKNOWN) {
            g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_UNSUPPORTED,
                        "the schema's keyword \"%.80s\" is not known", keyword);
            return FALSE;
        }
        const char *name;
        json_t *inner;
        if (strcmp(keyword, "properties") == 0 || strcmp(keyword, "$defs") == 0 ||
            strcmp(keyword, "definitions") == 0) {
            json_object_foreach(of, name, inner)
            {
                if (!check_schema(inner, depth + 1, error)) return FALSE;
            }
        } else if (kind == KEY_CHOICE || strcmp(keyword, "prefixItems") == 0) {
            for (size_t i = 0; i < json_array_size(of); i++)
                if (!check_schema(json_array_get(of, i), depth + 1, error)) return FALSE;
        } else if (kind == KEY_NOT || strcmp(keyword, "items") == 0 ||
                   strcmp(keyword, "additionalProperties") == 0) {
            if (!check_schema(of, depth + 1, error)) return FALSE;
        }
    }
    return TRUE;
}

gboolean
engine_json_schema_check(const char *schema, const char *text, size_t len, GError **error)
{
    json_error_t problem;
    g_autoptr(json_t) root = json_loads(schema, JSON_DECODE_ANY, &problem);
    if (root == NULL) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_ARGUMENT, "the JSON schema: line %d: %s",
                    problem.line, problem.text);
        return FALSE;
    }
    if (!check_schema(root, 0, error)) return FALSE;
    g_autoptr(json_t) value =
        json_loadb(text, len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &problem);
    if (value == NULL) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT, "no JSON: line %d, column %d: %s",
                    problem.line, problem.column, problem.text);
        return FALSE;
    }
    GError *failure = NULL;
    checker c = {.root = root, .path = g_string_new(NULL), .error = &failure};
    const gboolean ok = check(&c, root, value);
    g_string_free(c.path, TRUE);
    if (ok) return TRUE;
    g_propagate_error(error, failure);
    return FALSE;
}

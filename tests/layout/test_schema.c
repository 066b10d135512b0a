/* Our JSON against its published schema, layout/lode-document.schema.json: the papers, all cases and the sample. The
 * validator knows the keywords that the schema uses and refuses others, so that none is passed over. A member that
 * is new in the JSON has to be described there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "every_document.h"
#include "sample_document.h"

#include <jansson.h>
#include <string.h>

typedef struct {
    const json_t *root;
    GString *path;  /* of the value in hand */
    GString *wrong; /* the first fault; empty: none */
} validator;

static void validate(validator *v, const json_t *schema, const json_t *value);

static void
fault(validator *v, const char *what)
{
    if (v->wrong->len == 0) g_string_append_printf(v->wrong, "%s: %s", v->path->str, what);
}

static gboolean
has_type(const json_t *value, const char *type)
{
    if (strcmp(type, "object") == 0) return json_is_object(value);
    if (strcmp(type, "array") == 0) return json_is_array(value);
    if (strcmp(type, "string") == 0) return json_is_string(value);
    if (strcmp(type, "integer") == 0) return json_is_integer(value);
    if (strcmp(type, "number") == 0) return json_is_number(value);
    fail_msg("the schema uses the type %s", type);
    return FALSE;
}

static void
validate_child(validator *v, const json_t *schema, const json_t *value, const char *name,
               size_t index)
{
    const gsize len = v->path->len;
    if (name)
        g_string_append_printf(v->path, ".%s", name);
    else
        g_string_append_printf(v->path, "[%zu]", index);
    validate(v, schema, value);
    g_string_truncate(v->path, len);
}

static void
validate_members(validator *v, const json_t *schema, const json_t *value)
{
    const json_t *properties = json_object_get(schema, "properties");
    const json_t *others = json_object_get(schema, "additionalProperties");
    const char *key;
    json_t *member, *name;
    size_t i;
    json_object_foreach((json_t *)value, key, member)
    {
        const json_t *known = json_object_get(properties, key);
        if (known)
            validate_child(v, known, member, key, 0);
        else if (json_is_object(others))
            validate_child(v, others, member, key, 0);
        else if (json_is_false(others))
            fault(v, key);
    }
    json_array_foreach(json_object_get(schema, "required"), i, name)
    {
        if (!json_object_get(value, json_string_value(name))) fault(v, json_string_value(name));
    }
}

static gboolean
is_listed(const json_t *list, const json_t *value)
{
    size_t i;
    json_t *one;
    json_array_foreach((json_t *)list, i, one)
    {
        if (json_equal(one, value)) return TRUE;
    }
    return FALSE;
}

static void
apply(validator *v, const char *keyword, const json_t *rule, const json_t *schema,
      const json_t *value)
{
    static const char *const notes[] = {"description", "title", "$schema", "$defs", NULL};
    static const char *const object[] = {"properties", "additionalProperties", "required", NULL};
    const double number = json_number_value(value), bound = json_number_value(rule);
    const double len = json_is_string(value) ? (double)json_string_length(value) : -1;
    const double n = json_is_array(value) ? (double)json_array_size(value) : -1;
    if (g_strv_contains(notes, keyword)) return;
    if (g_strv_contains(object, keyword)) {
        if (strcmp(keyword, "properties") == 0) validate_members(v, schema, value);
    } else if (strcmp(keyword, "type") == 0) {
        if (!has_type(value, json_string_value(rule))) fault(v, "type");
    } else if (strcmp(keyword, "const") == 0) {
        if (!json_equal(rule, value)) fault(v, "const");
    } else if (strcmp(keyword, "enum") == 0) {
        if (!is_listed(rule, value)) fault(v, "enum");
    } else if (strcmp(keyword, "minimum") == 0) {
        if (!(number >= bound)) fault(v, "minimum");
    } else if (strcmp(keyword, "maximum") == 0) {
        if (!(number <= bound)) fault(v, "maximum");
    } else if (strcmp(keyword, "minItems") == 0) {
        if (n < bound) fault(v, "minItems");
    } else if (strcmp(keyword, "maxItems") == 0) {
        if (n > bound) fault(v, "maxItems");
    } else if (strcmp(keyword, "minLength") == 0) {
        if (len < bound) fault(v, "minLength");
    } else if (strcmp(keyword, "maxLength") == 0) {
        if (len > bound) fault(v, "maxLength");
    } else if (strcmp(keyword, "items") == 0) {
        for (size_t i = 0; i < json_array_size(value); i++)
            validate_child(v, rule, json_array_get(value, i), NULL, i);
    } else if (strcmp(keyword, "$ref") == 0) {
        const char *name = json_string_value(rule) + strlen("#/$defs/");
        const json_t *target = json_object_get(json_object_get(v->root, "$defs"), name);
        if (!target) fail_msg("the schema has no %s", json_string_value(rule));
        validate(v, target, value);
    } else {
        fail_msg("the schema uses the keyword %s", keyword);
    }
}

static void
validate(validator *v, const json_t *schema, const json_t *value)
{
    const char *keyword;
    json_t *rule;
    json_object_foreach((json_t *)schema, keyword, rule)
    {
        apply(v, keyword, rule, schema, value);
    }
    /* an object without "properties" has all its members checked alike */
    if (json_object_get(schema, "additionalProperties") && !json_object_get(schema, "properties"))
        validate_members(v, schema, value);
}

static json_t *
load_schema(void)
{
    json_error_t problem;
    json_t *schema = json_load_file(LODE_SCHEMA, JSON_REJECT_DUPLICATES, &problem);
    if (!schema) fail_msg("%s:%d: %s", LODE_SCHEMA, problem.line, problem.text);
    return schema;
}

/* The first fault of the JSON, "" for none; g_free. */
static char *
first_fault(const char *json)
{
    json_t *schema = load_schema(), *value = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(value);
    validator v = {schema, g_string_new("$"), g_string_new(NULL)};
    validate(&v, schema, value);
    json_decref(value);
    json_decref(schema);
    g_string_free(v.path, TRUE);
    return g_string_free(v.wrong, FALSE);
}

static void
check_document(const char *name, const char *path, const lode_document *d)
{
    (void)path;
    g_autofree char *json = layout_document_to_json(d);
    g_autofree char *traced = layout_document_to_traced_json(d, NULL);
    g_autofree char *one = first_fault(json), *two = first_fault(traced);
    if (*one || *two)
        fail_msg("%s: %s%s (what is new is to be described in lode-document.schema.json)", name,
                 one, two);
}

static void
every_document_is_valid(void **state)
{
    (void)state;
    every_document(check_document);
    every_document_without_paper(check_document);
    g_autoptr(lode_document) sample = sample_document();
    check_document("sample", NULL, sample);
}

static void
faults_are_found(void **state)
{
    (void)state;
    static const struct {
        const char *what, *instead, *fault;
    } changes[] = {
        {"\"version\": 2", "\"version\": 1", "$.version: const"},
        {"\"rotation\": 0", "\"rotation\": 45", "$.pages[0].rotation: enum"},
        {"\"index\": 0", "\"index\": -1", "$.pages[0].index: minimum"},
        {"\"warnings\": [", "\"more\": [], \"warnings\": [", "$: more"},
        {"\"metadata\": {", "\"metadata\": {\"x\": 1,", "$.metadata: x"},
        {"\"source_name\"", "\"title\"", "$.metadata: source_name"},
        {"[0, 60, 50, 540, 62.25]", "[0, 60, 50, 540]", "$.blocks[0].boxes[0]: minItems"},
        {"[0, 60, 50, 540, 62.25]", "[0, 60, 50, 540, 1, 1]", "$.blocks[0].boxes[0]: maxItems"},
        {"\"confidence\": 1,", "\"confidence\": 1.5,", "$.blocks[0].confidence: maximum"},
        {"\"style\": [\"bold\"]", "\"style\": [\"loud\"]", "].style[0]: enum"},
        {"\"text\": \"Foam\"", "\"text\": 7", "$.tables[0].cells[0].text: type"},
    };
    g_autoptr(lode_document) sample = sample_document();
    g_autofree char *json = layout_document_to_json(sample);
    for (guint i = 0; i < G_N_ELEMENTS(changes); i++) {
        const char *at = strstr(json, changes[i].what);
        if (!at) fail_msg("change %u: %s is not in the JSON", i, changes[i].what);
        g_autoptr(GString) broken = g_string_new_len(json, at - json);
        g_string_append(broken, changes[i].instead);
        g_string_append(broken, at + strlen(changes[i].what));
        if (strcmp(changes[i].what, "\"source_name\"") == 0)
            g_string_replace(broken, "\"title\": \"A T", "\"doi\": \"A T", 1);
        g_autofree char *found = first_fault(broken->str);
        if (!strstr(found, changes[i].fault)) fail_msg("change %u: found \"%s\"", i, found);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_document_is_valid),
        cmocka_unit_test(faults_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

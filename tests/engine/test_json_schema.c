/* JSON Schema to grammar: whatever comes out of a random writer that keeps to the mask parses, and the schema accepts
 * it, as a small validator of its own says. */
#include "grammar_vocab.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#ifdef LODE_SANITIZED
#define MOST_SECONDS 15.0
#else
#define MOST_SECONDS 3.0 /* of the processor, for any one input */
#endif

/* ---- the validator ---- */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(json_t, json_decref)

static gboolean accepts(const json_t *root, const json_t *schema, const json_t *value);

static const json_t *
follow_ref(const json_t *root, const char *ref)
{
    const json_t *at = root;
    g_auto(GStrv) steps = g_strsplit(ref, "/", -1);
    for (char **step = steps + 1; steps[0] && *step && at; step++)
        at = json_is_array(at) ? json_array_get(at, (size_t)atoi(*step))
                               : json_object_get(at, *step);
    return at;
}

static gboolean
has_type(const json_t *value, const char *type)
{
    const double number = json_number_value(value);
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return strcmp(type, "object") == 0;
    case JSON_ARRAY:
        return strcmp(type, "array") == 0;
    case JSON_STRING:
        return strcmp(type, "string") == 0;
    case JSON_INTEGER:
    case JSON_REAL:
        return strcmp(type, "number") == 0 ||
               (strcmp(type, "integer") == 0 && number == floor(number));
    case JSON_TRUE:
    case JSON_FALSE:
        return strcmp(type, "boolean") == 0;
    case JSON_NULL:
        return strcmp(type, "null") == 0;
    }
    return FALSE;
}

static gboolean
type_is_right(const json_t *schema, const json_t *value)
{
    const json_t *type = json_object_get(schema, "type");
    if (!type || (json_is_null(value) && json_is_true(json_object_get(schema, "nullable"))))
        return TRUE;
    if (json_is_string(type)) return has_type(value, json_string_value(type));
    for (size_t i = 0; i < json_array_size(type); i++)
        if (has_type(value, json_string_value(json_array_get(type, i)))) return TRUE;
    return FALSE;
}

static gboolean
combinations_are_right(const json_t *root, const json_t *schema, const json_t *value)
{
    static const char *const keys[] = {"anyOf", "oneOf", "allOf"};
    for (size_t k = 0; k < 3; k++) {
        const json_t *list = json_object_get(schema, keys[k]);
        size_t n = 0;
        for (size_t i = 0; i < json_array_size(list); i++)
            if (accepts(root, json_array_get(list, i), value)) n++;
        if (list && (k == 0 ? n == 0 : k == 1 ? n != 1 : n != json_array_size(list))) return FALSE;
    }
    const char *ref = json_string_value(json_object_get(schema, "$ref"));
    return !ref || accepts(root, follow_ref(root, ref), value);
}

static double
limit(const json_t *schema, const char *key, double otherwise)
{
    const json_t *value = json_object_get(schema, key);
    return json_is_number(value) ? json_number_value(value) : otherwise;
}

static gboolean
date_is_right(const char *s)
{
    int year, month, day, n = 0;
    return sscanf(s, "%4d-%2d-%2d%n", &year, &month, &day, &n) == 3 && n == 10 &&
           (year == 0 ? month >= 1 && month <= 12 && day >= 1 && day <= 31
                      : g_date_valid_dmy((GDateDay)day, (GDateMonth)month, (GDateYear)year));
}

static gboolean
format_is_right(const char *format, const char *s)
{
    if (strcmp(format, "date") == 0) return date_is_right(s) && strlen(s) == 10;
    if (strcmp(format, "date-time") == 0)
        return date_is_right(s) && s[10] == 'T' &&
               g_regex_match_simple("^..T\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?(Z|[+-]\\d\\d:\\d\\d)$",
                                    s + 8, 0, 0);
    if (strcmp(format, "uuid") == 0) return g_uuid_string_is_valid(s);
    if (strcmp(format, "uri") == 0) return g_uri_is_valid(s, G_URI_FLAGS_NONE, NULL);
    if (strcmp(format, "ipv4") == 0) return g_hostname_is_ip_address(s);
    return TRUE;
}

static gboolean
string_is_right(const json_t *schema, const json_t *value)
{
    const char *s = json_string_value(value);
    const double n = (double)g_utf8_strlen(s, -1);
    const char *pattern = json_string_value(json_object_get(schema, "pattern"));
    const char *format = json_string_value(json_object_get(schema, "format"));
    return n >= limit(schema, "minLength", 0) && n <= limit(schema, "maxLength", INFINITY) &&
           (!pattern || g_regex_match_simple(pattern, s, G_REGEX_DOLLAR_ENDONLY, 0)) &&
           (!format || format_is_right(format, s));
}

static gboolean
number_is_right(const json_t *schema, const json_t *value)
{
    const double x = json_number_value(value);
    return x >= limit(schema, "minimum", -INFINITY) && x <= limit(schema, "maximum", INFINITY) &&
           (!json_object_get(schema, "exclusiveMinimum") ||
            x > limit(schema, "exclusiveMinimum", 0)) &&
           (!json_object_get(schema, "exclusiveMaximum") ||
            x < limit(schema, "exclusiveMaximum", 0));
}

static gboolean
array_is_right(const json_t *root, const json_t *schema, const json_t *value)
{
    const double n = (double)json_array_size(value);
    const json_t *prefix = json_object_get(schema, "prefixItems");
    const json_t *items = json_object_get(schema, "items");
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *own = i < json_array_size(prefix) ? json_array_get(prefix, i) : items;
        if (own && !accepts(root, own, json_array_get(value, i))) return FALSE;
    }
    return n >= limit(schema, "minItems", 0) && n <= limit(schema, "maxItems", INFINITY);
}

static gboolean
object_is_right(const json_t *root, const json_t *schema, const json_t *value)
{
    const json_t *properties = json_object_get(schema, "properties");
    const json_t *required = json_object_get(schema, "required");
    const json_t *extra = json_object_get(schema, "additionalProperties");
    const double n = (double)json_object_size(value);
    const char *name;
    json_t *member;
    for (size_t i = 0; i < json_array_size(required); i++)
        if (!json_object_get(value, json_string_value(json_array_get(required, i)))) return FALSE;
    json_object_foreach((json_t *)(void *)value, name, member)
    {
        const json_t *own = json_object_get(properties, name);
        if (!own) own = extra;
        if (own && !accepts(root, own, member)) return FALSE;
    }
    return n >= limit(schema, "minProperties", 0) && n <= limit(schema, "maxProperties", INFINITY);
}

static gboolean
accepts(const json_t *root, const json_t *schema, const json_t *value)
{
    const json_t *constant = json_object_get(schema, "const");
    const json_t *list = json_object_get(schema, "enum");
    gboolean listed = !list;
    if (json_is_boolean(schema)) return json_is_true(schema);
    for (size_t i = 0; i < json_array_size(list) && !listed; i++)
        listed = json_equal(json_array_get(list, i), (json_t *)(void *)value);
    if (!listed || (constant && !json_equal((json_t *)(void *)constant, (json_t *)(void *)value)))
        return FALSE;
    if (!type_is_right(schema, value) || !combinations_are_right(root, schema, value)) return FALSE;
    if (json_is_string(value)) return string_is_right(schema, value);
    if (json_is_number(value)) return number_is_right(schema, value);
    if (json_is_array(value)) return array_is_right(root, schema, value);
    if (json_is_object(value)) return object_is_right(root, schema, value);
    return TRUE;
}

/* ---- the writer ---- */

static engine_grammar *
bind(const test_vocab *vocab, const char *schema)
{
    g_autoptr(GError) error = NULL;
    grammar_program *program = grammar_program_from_schema(schema, &error);
    if (!program) fail_msg("%s: %s", schema, error->message);
    return grammar_bind(program, vocab->trie);
}

/* Write at random; from `patience` tokens on prefer what closes. */
static GString *
write_text(const test_vocab *vocab, const engine_grammar *grammar, GRand *rand, guint patience)
{
    static const char *const closing[] = {"\"", "}", "]", ":", "null", "0", ","};
    g_autoptr(grammar_matcher) matcher = grammar_matcher_new(grammar);
    GString *text = g_string_new(NULL);
    for (guint step = 0; step < 4000; step++) {
        if (grammar_matcher_can_end(matcher) &&
            (step > patience || g_rand_int_range(rand, 0, 3) == 0))
            return text;
        const uint64_t *mask = grammar_matcher_mask(matcher);
        gint id = test_vocab_pick(vocab, mask, rand);
        if (id < 0) {
            assert_true(grammar_matcher_can_end(matcher));
            return text;
        }
        const GString *token = test_vocab_token(vocab, (guint)id);
        const char *bytes = token->str;
        size_t len = token->len;
        for (size_t i = 0; step > patience && i < G_N_ELEMENTS(closing); i++) {
            if (!grammar_matcher_allows(matcher, closing[i], strlen(closing[i]))) continue;
            bytes = closing[i];
            len = strlen(bytes);
            break;
        }
        assert_true(grammar_matcher_accept(matcher, bytes, len));
        g_string_append_len(text, bytes, (gssize)len);
    }
    g_string_truncate(text, 0);
    return text;
}

static const char *const SCHEMAS[] = {
    "true",
    "{}",
    "{\"type\":\"object\"}",
    "{\"type\":\"array\"}",
    "{\"type\":\"string\"}",
    "{\"type\":\"integer\"}",
    "{\"type\":\"number\"}",
    "{\"type\":\"boolean\"}",
    "{\"type\":[\"null\",\"integer\",\"string\"]}",
    "{\"type\":\"string\",\"nullable\":true,\"maxLength\":3}",
    "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"},\"n\":{\"type\":"
    "\"integer\"}},"
    "\"required\":[\"name\",\"n\"],\"additionalProperties\":false}",
    "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"null\"},\"b\":{\"type\":\"null\"},"
    "\"c\":{\"type\":\"null\"},\"d\":{\"type\":\"null\"}},\"required\":[\"c\"]}",
    "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"null\"},\"b\":{\"type\":\"null\"}}}",
    "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"null\"},\"nab\":{\"type\":\"null\"}}"
    ","
    "\"required\":[\"name\"],\"additionalProperties\":{\"type\":\"boolean\"}}",
    "{\"type\":\"object\",\"additionalProperties\":{\"type\":\"integer\"},\"minProperties\":1}",
    "{\"type\":\"object\",\"required\":[\"x\\\"y\",\"é\"]}",
    "{\"type\":\"array\",\"items\":{\"type\":\"boolean\"},\"minItems\":2,\"maxItems\":5}",
    "{\"type\":\"array\",\"items\":{\"type\":\"string\",\"maxLength\":2},\"minItems\":30,"
    "\"maxItems\":60}",
    "{\"type\":\"array\",\"prefixItems\":[{\"type\":\"integer\"},{\"type\":\"string\"}],"
    "\"items\":{\"type\":\"null\"},\"minItems\":1,\"maxItems\":4}",
    "{\"type\":\"array\",\"prefixItems\":[{\"type\":\"integer\"}],\"items\":false}",
    "{\"type\":\"array\",\"maxItems\":0}",
    "{\"type\":\"array\",\"items\":{\"type\":\"array\",\"items\":{\"type\":\"integer\"},"
    "\"minItems\":2,"
    "\"maxItems\":2},\"maxItems\":50}",
    "{\"type\":\"string\",\"minLength\":3,\"maxLength\":5}",
    "{\"type\":\"string\",\"minLength\":60,\"maxLength\":200}",
    "{\"type\":\"string\",\"minLength\":70}",
    "{\"type\":\"string\",\"pattern\":\"^[a-z]{2,5}(-[0-9]+)?$\"}",
    "{\"type\":\"string\",\"pattern\":\"^(foo|bar\\\\d{2})+$\"}",
    "{\"type\":\"string\",\"pattern\":\"ab[^c]\",\"minLength\":3}",
    "{\"type\":\"string\",\"pattern\":\"^\\\\w+$\",\"minLength\":4,\"maxLength\":90}",
    "{\"type\":\"string\",\"pattern\":\"^[\\\"\\\\\\\\\\\\n\\u00e9-\\u65e5]{1,100}$\"}",
    "{\"type\":\"string\",\"pattern\":\"^a.c$|^x?y+?$\"}",
    "{\"type\":\"string\",\"format\":\"date\"}",
    "{\"type\":\"string\",\"format\":\"date-time\"}",
    "{\"type\":\"string\",\"format\":\"uuid\"}",
    "{\"type\":\"string\",\"format\":\"uri\"}",
    "{\"type\":\"string\",\"format\":\"ipv4\"}",
    "{\"type\":\"string\",\"format\":\"email\"}",
    "{\"enum\":[\"red\",\"green\",\"reddish\",1,2.5,null,[1,{\"a\":\"b\"}],\"é\\n\\\"\"]}",
    "{\"type\":\"string\",\"enum\":[\"a\",\"b\",3]}",
    "{\"const\":{\"a\":[true,\"日本\"]}}",
    "{\"type\":\"integer\",\"minimum\":-13,\"maximum\":2047}",
    "{\"type\":\"integer\",\"minimum\":7}",
    "{\"type\":\"integer\",\"maximum\":-100}",
    "{\"type\":\"integer\",\"exclusiveMinimum\":9,\"exclusiveMaximum\":11}",
    "{\"type\":\"number\",\"minimum\":0,\"maximum\":1}",
    "{\"type\":\"number\",\"minimum\":-2.75,\"exclusiveMaximum\":3.125}",
    "{\"type\":\"number\",\"exclusiveMinimum\":0}",
    "{\"type\":\"number\",\"minimum\":2.25,\"maximum\":2.3}",
    "{\"type\":\"number\",\"maximum\":-0.5}",
    "{\"anyOf\":[{\"type\":\"integer\"},{\"type\":\"string\",\"maxLength\":4},{\"type\":\"null\"}]"
    "}",
    "{\"oneOf\":[{\"type\":\"object\",\"properties\":{\"kind\":{\"const\":\"a\"},\"x\":{\"type\":"
    "\"integer\"}},\"required\":[\"kind\",\"x\"]},{\"type\":\"object\",\"properties\":{\"kind\":{"
    "\"const\":\"b\"},\"y\":{\"type\":\"string\"}},\"required\":[\"kind\"]}]}",
    "{\"type\":\"object\",\"properties\":{\"id\":{\"type\":\"integer\"}},\"required\":[\"id\"],"
    "\"anyOf\":[{\"properties\":{\"a\":{\"type\":\"null\"}},\"required\":[\"a\"]},{\"properties\":{"
    "\"b\":{\"type\":\"boolean\"}},\"required\":[\"b\"]}]}",
    "{\"allOf\":[{\"$ref\":\"#/$defs/"
    "base\"},{\"properties\":{\"n\":{\"minimum\":3}},\"required\":[\"n\"]}],"
    "\"$defs\":{\"base\":{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\","
    "\"maximum\":5},"
    "\"s\":{\"type\":\"string\"}},\"required\":[\"s\"]}}}",
    "{\"$ref\":\"#/$defs/"
    "tree\",\"$defs\":{\"tree\":{\"type\":\"object\",\"properties\":{\"v\":{\"type\":"
    "\"integer\"},\"children\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/tree\"}}},"
    "\"required\":[\"v\"],\"additionalProperties\":false}}}",
    "{\"type\":\"object\",\"properties\":{\"next\":{\"anyOf\":[{\"$ref\":\"#\"},{\"type\":\"null\"}"
    "]}},"
    "\"required\":[\"next\"]}",
    "{\"type\":\"object\",\"properties\":{\"answer\":{\"type\":\"string\"},\"citations\":{\"type\":"
    "\"array\","
    "\"items\":{\"type\":\"object\",\"properties\":{\"passage\":{\"type\":\"integer\",\"minimum\":"
    "1,"
    "\"maximum\":12},\"quote\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":400}},"
    "\"required\":["
    "\"passage\",\"quote\"],\"additionalProperties\":false},\"minItems\":1,\"maxItems\":8},"
    "\"confidence\":{\"type\":\"number\",\"minimum\":0,\"maximum\":1}},\"required\":[\"answer\","
    "\"citations\"],\"additionalProperties\":false,\"title\":\"Answer\"}",
    "{\"properties\":{\"a\":{\"type\":\"null\"},\"b\":false},\"required\":[\"a\"],\"type\":"
    "\"object\"}",
};

static void
whatever_is_written_parses_and_is_accepted(void **state)
{
    const test_vocab *vocab = *state;
    enum { SEEDS = 30 };
    guint n_finished = 0, n_written = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(SCHEMAS); i++) {
        g_autoptr(json_t) schema = json_loads(SCHEMAS[i], JSON_DECODE_ANY, NULL);
        g_autoptr(engine_grammar) grammar = bind(vocab, SCHEMAS[i]);
        g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        guint n_own = 0;
        assert_non_null(schema);
        for (guint32 seed = 0; seed < SEEDS; seed++) {
            GRand *rand = g_rand_new_with_seed(seed);
            g_autoptr(GString) text = write_text(vocab, grammar, rand, 5 + seed * 3);
            json_error_t problem;
            g_rand_free(rand);
            n_written++;
            if (text->len == 0) continue;
            g_autoptr(json_t) value = json_loadb(text->str, text->len, JSON_DECODE_ANY, &problem);
            if (!value) fail_msg("%s\n%s\n%s", SCHEMAS[i], text->str, problem.text);
            if (!accepts(schema, schema, value)) fail_msg("%s\nrefuses\n%s", SCHEMAS[i], text->str);
            n_own++;
            g_hash_table_add(seen, g_strdup(text->str));
        }
        if (n_own < SEEDS / 3) fail_msg("%s: only %u texts ended", SCHEMAS[i], n_own);
        n_finished += n_own;
    }
    assert_true(n_finished > n_written * 9 / 10);
}

static void
masks_are_right_inside_json(void **state)
{
    const test_vocab *vocab = *state;
    GRand *rand = g_rand_new_with_seed(77);
    for (size_t i = 0; i < G_N_ELEMENTS(SCHEMAS); i++) {
        g_autoptr(engine_grammar) grammar = bind(vocab, SCHEMAS[i]);
        g_autoptr(grammar_matcher) matcher = grammar_matcher_new(grammar);
        for (guint step = 0; step < 30; step++) {
            test_vocab_check_mask(vocab, matcher);
            const gint id = test_vocab_pick(vocab, grammar_matcher_mask(matcher), rand);
            if (id < 0) break;
            const GString *token = test_vocab_token(vocab, (guint)id);
            assert_true(grammar_matcher_accept(matcher, token->str, token->len));
        }
    }
    g_rand_free(rand);
}

/* What a model is likely to write must not be forbidden. */
static void
ordinary_json_is_let_through(void **state)
{
    static const struct {
        const char *schema, *yes[5], *no[5];
    } cases[] = {
        {"{}",
         {"{\"a\": [1, 2.5e3, -0.1, \"x\\n\\u00e9 \\ud83d\\ude00\"], \"b\": null}", "\"日本\"",
          "[]", "{}", "[\n  1,\n  2\n]"},
         {"", "nul", "01", "\"\\ud83d\"", "\"\\u0000\""}},
        {"{\"type\":\"integer\",\"minimum\":-13,\"maximum\":2047}",
         {"-13", "-1", "0", "999", "2047"},
         {"-14", "2048", "00", "-0", "1.0"}},
        {"{\"type\":\"number\",\"minimum\":2.25,\"maximum\":2.3}",
         {"2.25", "2.3", "2.250000", "2.2999", "2.30"},
         {"2.249", "2.31", "2.3001", "2", "3"}},
        {"{\"type\":\"number\",\"exclusiveMinimum\":0,\"maximum\":100}",
         {"0.001", "100", "100.0", "42.5", "0.5"},
         {"0", "0.0", "100.1", "-1", "1e1"}},
        {"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"null\"},\"b\":{\"type\":\"null\"}}"
         ","
         "\"additionalProperties\":{\"type\":\"integer\"}}",
         {"{}", "{\"b\": null, \"c\": 1}", "{\"ab\":1,\"aa\":2}", "{\"a\":null}", "{\"\":0}"},
         {"{\"a\":1}", "{\"c\":null}", "{,}", "{\"a\":null,}", "{\"b\":null,\"a\":null}"}},
        {"{\"type\":\"string\",\"minLength\":2,\"maxLength\":3}",
         {"\"ab\"", "\"日本語\"", "\"\\\"\\\\\"", "\"\\ud83d\\ude00é\"", "\"a\\nb\""},
         {"\"a\"", "\"abcd\"", "ab", "\"a", "\"\t\t\""}},
    };
    const test_vocab *vocab = *state;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(engine_grammar) grammar = bind(vocab, cases[i].schema);
        for (size_t k = 0; k < 10; k++) {
            const char *text = k < 5 ? cases[i].yes[k] : cases[i].no[k - 5];
            g_autoptr(grammar_matcher) matcher = grammar_matcher_new(grammar);
            const gboolean good = grammar_matcher_accept(matcher, text, strlen(text)) &&
                                  grammar_matcher_can_end(matcher);
            if (good != (k < 5))
                fail_msg("%s: '%s' is %s", cases[i].schema, text, good ? "let through" : "refused");
        }
    }
}

static void
what_cannot_be_kept_is_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *schema, *message;
    } cases[] = {
        {"{", "line 1"},
        {"3", "this is no schema"},
        {"{\"type\":\"object\",\"properties\":{\"a\":{\"not\":{\"title\":\"t\"}}}}",
         "/properties/a: the keyword not"},
        {"{\"not\":{}}", "no text satisfies"},
        {"{\"not\":{\"items\":{\"type\":\"null\"}}}", "the keyword not"},
        {"{\"patternProperties\":{\"(\":{}}}", "not closed"},
        {"{\"allOf\":[{\"patternProperties\":{\"a\":{}}},{\"additionalProperties\":false}]}",
         "patternProperties beside"},
        {"{\"if\":{\"title\":\"t\"},\"then\":{}}", "keyword if"},
        {"{\"type\":\"array\",\"uniqueItems\":true}", "uniqueItems"},
        {"{\"type\":\"array\",\"items\":{\"type\":\"integer\"},\"uniqueItems\":true}",
         "uniqueItems"},
        {"{\"type\":\"array\",\"contains\":{},\"prefixItems\":[{}]}",
         "contains beside prefixItems"},
        {"{\"type\":\"array\",\"contains\":{},\"minItems\":5000}", "more than 400 elements"},
        {"{\"unevaluatedItems\":false}", "keyword unevaluatedItems"},
        {"{\"type\":\"integer\",\"multipleOf\":3}", "multipleOf"},
        {"{\"type\":\"text\"}", "no type"},
        {"{\"type\":\"string\",\"format\":\"iban\"}", "format iban"},
        {"{\"type\":\"string\",\"pattern\":\"(?=a)b\"}", "look-around"},
        {"{\"type\":\"string\",\"pattern\":\"a\\\\b\"}", "escape"},
        {"{\"type\":\"string\",\"pattern\":\"(a\"}", "not closed"},
        {"{\"type\":\"string\",\"pattern\":\"a)\"}", "not opened"},
        {"{\"type\":\"string\",\"pattern\":\"^(ab|c){9000}$\",\"maxLength\":4}",
         "together are too large"},
        {"{\"$ref\":\"http://example.org/x\"}", "only references into this schema"},
        {"{\"$ref\":\"#/$defs/x\"}", "points at nothing"},
        {"{\"$ref\":\"#\"}", "refers to itself"},
        {"{\"allOf\":[{\"$ref\":\"#\"}]}", "refers to itself"},
        {"{\"anyOf\":[]}", "not a list"},
        {"{\"oneOf\":[{\"type\":\"integer\"},{\"type\":\"number\"}]}",
         "oneOf: a value may be both"},
        {"{\"oneOf\":[{\"type\":\"object\"},{\"type\":\"object\"}]}", "oneOf: a value may be both"},
        {"{\"allOf\":[{\"type\":\"string\"},{\"type\":\"integer\"}]}", "no text satisfies"},
        {"{\"type\":\"object\",\"properties\":{\"a\":false},\"required\":[\"a\"]}",
         "no text satisfies"},
        {"{\"type\":\"integer\",\"minimum\":5,\"maximum\":4}", "no text satisfies"},
        {"{\"type\":\"array\",\"minItems\":2,\"maxItems\":1}", "no text satisfies"},
        {"{\"enum\":[]}", "no text satisfies"},
        {"{\"type\":\"string\",\"minLength\":-1}", "not a count"},
        {"{\"type\":\"object\",\"properties\":{\"a\":{\"$ref\":\"#\"}},\"required\":[\"a\"]}",
         "no text satisfies"},
        {"{\"allOf\":[{\"type\":\"object\",\"properties\":{\"a\":{}},\"additionalProperties\":"
         "false},{"
         "\"properties\":{\"b\":{}},\"required\":[\"b\"]}]}",
         "no text satisfies"},
        {"{\"a\":1,\"a\":2}", "duplicate"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(grammar_program) program = grammar_program_from_schema(cases[i].schema, &error);
        if (program || error->domain != ENGINE_ERROR || !strstr(error->message, cases[i].message))
            fail_msg("%s: %s", cases[i].schema, program ? "was read" : error->message);
    }
}

/* Small values that another validator has judged (reference/schema_record.py). */
static void
what_another_validator_refuses_is_not_let_through(void **state)
{
    const test_vocab *vocab = *state;
    json_error_t problem;
    g_autoptr(json_t) cases =
        json_load_file(LODE_TEST_DATA "/engine/json_schema.json", 0, &problem);
    size_t i, k, n = 0;
    json_t *one, *text;

    if (!cases) fail_msg("%s", problem.text);
    json_array_foreach(cases, i, one)
    {
        char *schema = json_dumps(json_object_get(one, "schema"), JSON_COMPACT);
        g_autoptr(engine_grammar) grammar = bind(vocab, schema);
        g_autoptr(grammar_matcher) matcher = grammar_matcher_new(grammar);
        for (int wrong = 0; wrong < 2; wrong++) {
            json_array_foreach(json_object_get(one, wrong ? "wrong" : "likely"), k, text)
            {
                const char *s = json_string_value(text);
                grammar_matcher_reset(matcher);
                const gboolean good = grammar_matcher_accept(matcher, s, strlen(s)) &&
                                      grammar_matcher_can_end(matcher);
                if (good == wrong)
                    fail_msg("%s: %s is %s", schema, s, good ? "let through" : "refused");
                n++;
            }
        }
        free(schema);
    }
    assert_true(n > 1000);
}

static void
hostile_schemas_end_soon(void **state)
{
    const test_vocab *vocab = *state;
    g_autoptr(GString) deep = g_string_new(NULL), bomb = g_string_new("{\"$defs\":{"),
                       merges = g_string_new("{\"$defs\":{"),
                       many = g_string_new("{\"properties\":{");
    for (int i = 0; i < 1000; i++)
        g_string_append(deep, "{\"items\":");
    g_string_append(deep, "{}");
    for (int i = 0; i < 1000; i++)
        g_string_append(deep, "}");
    for (int i = 0; i < 40; i++) {
        g_string_append_printf(
            bomb,
            "\"d%d\":{\"type\":\"array\",\"prefixItems\":[{\"$ref\":\"#/$defs/d%d\"},"
            "{\"$ref\":\"#/$defs/d%d\"}],\"minItems\":2},",
            i, i + 1, i + 1);
        g_string_append_printf(merges,
                               "\"d%d\":{\"allOf\":[{\"$ref\":\"#/$defs/d%d\"},"
                               "{\"$ref\":\"#/$defs/d%d\"}]},",
                               i, i + 1, i + 1);
    }
    g_string_append(bomb, "\"d40\":{\"type\":\"null\"}},\"$ref\":\"#/$defs/d0\"}");
    g_string_append(
        merges, "\"d40\":{\"anyOf\":[{\"minimum\":1},{\"minimum\":2}]}},\"$ref\":\"#/$defs/d0\"}");
    for (int i = 0; i < 1500; i++)
        g_string_append_printf(many, "%s\"p%d\":{\"type\":\"string\",\"maxLength\":%d}",
                               i ? "," : "", i, i);
    g_string_append(many, "}}");
    const char *const schemas[] = {
        deep->str,
        bomb->str,
        merges->str,
        many->str,
        "{\"type\":\"array\",\"minItems\":1000000000,\"items\":{\"type\":\"array\",\"minItems\":"
        "1000000000}}",
        "{\"type\":\"string\",\"pattern\":\"^((((((a{1,900}){1,900}){1,900}){1,900}){1,900}){1,900}"
        ")+$\"}",
        "{\"type\":\"string\",\"pattern\":\"^(a|aa|a*)*(a|b|a{2,70})*$\"}",
        "{\"type\":\"string\",\"minLength\":999999999,\"maxLength\":1000000000}",
        "{\"type\":\"string\",\"pattern\":\"^(a|b)*a(a|b){12}$\",\"maxLength\":300}",
        "{\"type\":\"object\",\"patternProperties\":{\"(a|b)*a(a|b){6}\":{},\"(a|b)*b(a|b){6}\":{},"
        "\"c\":{},\"d\":{},\"e\":{}}}",
        "{\"not\":{\"not\":{\"not\":{\"$ref\":\"#\"}}}}",
        "{\"type\":\"array\",\"contains\":{},\"minContains\":300,\"maxItems\":400}",
        "{\"if\":{\"$ref\":\"#\"},\"then\":{\"$ref\":\"#\"},\"else\":{\"$ref\":\"#\"}}",
        "{\"type\":\"object\",\"dependentRequired\":{\"a\":[],\"b\":[],\"c\":[],\"d\":[],\"e\":[],"
        "\"f\":[],\"g\":[],\"h\":[],\"i\":[],\"j\":[],\"k\":[],\"l\":[],\"m\":[],\"n\":[],\"o\":[]}"
        "}",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(schemas); i++) {
        g_autoptr(GError) error = NULL;
        const clock_t start = clock();
        grammar_program *program = grammar_program_from_schema(schemas[i], &error);
        if (program) {
            g_autoptr(engine_grammar) grammar = grammar_bind(program, vocab->trie);
            GRand *rand = g_rand_new_with_seed(1);
            g_autoptr(grammar_matcher) matcher = grammar_matcher_new(grammar);
            for (guint k = 0; k < 30; k++) {
                const gint id = test_vocab_pick(vocab, grammar_matcher_mask(matcher), rand);
                if (id < 0) break;
                const GString *token = test_vocab_token(vocab, (guint)id);
                grammar_matcher_accept(matcher, token->str, token->len);
            }
            g_rand_free(rand);
        }
        const double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
        if (seconds > MOST_SECONDS) fail_msg("schema %zu took %.1f s", i, seconds);
    }
}

static int
set_up(void **state)
{
    *state = test_vocab_new(800, 4);
    return 0;
}

static int
tear_down(void **state)
{
    test_vocab_free(*state);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_is_written_parses_and_is_accepted),
        cmocka_unit_test(masks_are_right_inside_json),
        cmocka_unit_test(ordinary_json_is_let_through),
        cmocka_unit_test(what_cannot_be_kept_is_refused_by_name),
        cmocka_unit_test(what_another_validator_refuses_is_not_let_through),
        cmocka_unit_test(hostile_schemas_end_soon),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

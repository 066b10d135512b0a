/* The template interpreter against Jinja itself, and against templates that mean harm. */
#include "engine/engine.h"
#include "engine/jinja.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define DATA(name) LODE_TEST_DATA "/engine/" name

static char *
render(const char *source, const json_t *variables, GError **error)
{
    g_autoptr(jinja_template) t = jinja_parse(source, strlen(source), error);
    return t ? jinja_render(t, variables, error) : NULL;
}

static void
small_templates_give_what_jinja_gives(void **state)
{
    (void)state;
    json_t *root = json_load_file(DATA("jinja_cases.json"), 0, NULL), *test;
    const json_t *variables = json_object_get(root, "variables");
    guint n_wrong = 0;
    size_t i;
    assert_true(json_array_size(json_object_get(root, "cases")) > 300);
    json_array_foreach(json_object_get(root, "cases"), i, test)
    {
        const char *source = json_string_value(json_object_get(test, "template"));
        const char *expected = json_string_value(json_object_get(test, "text"));
        g_autoptr(GError) error = NULL;
        g_autofree char *text = render(source, variables, &error);
        assert_true((text == NULL) == (error != NULL));
        if (g_strcmp0(text, expected) == 0) continue;
        print_message("%s\n  gives  %s\n  not    %s\n", source, text ? text : error->message,
                      expected ? expected : "an exception");
        n_wrong++;
    }
    json_decref(root);
    assert_int_equal(n_wrong, 0);
}

static void
what_we_do_not_run_is_refused_when_parsed(void **state)
{
    (void)state;
    static const char *const sources[] = {
        "{% include 'x' %}",
        "{% import 'x' as y %}",
        "{% extends 'x' %}",
        "{% block a %}{% endblock %}",
        "{% call f() %}{% endcall %}",
        "{% for x in y recursive %}{% endfor %}",
        "{{ x | no_such_filter }}",
        "{{ x is no_such_test }}",
        "{{ f(*x) }}",
        "{{ f(**x) }}",
        "{% if x %}",
        "{% for x in y %}",
        "{% endif %}",
        "{{ x",
        "{% x",
        "{# x",
        "{{ 'x }}",
        "{{ }}",
        "{{ 1 + }}",
        "{{ (1 }}",
        "{{ [1 }}",
        "{{ {1 }}",
        "{{ x[ }}",
        "{{ x[] }}",
        "{{ x[1:2:3:4] }}",
        "{{ x. }}",
        "{{ 99999999999999999999 }}",
        "{{ a b }}",
        "{% set %}",
        "{% set 1 = 2 %}",
        "{% set x %}",
        "{% break %}",
        "{% macro %}",
        "{% macro f(a %}",
        "{% raw %}",
        "{{ x ! y }}",
        "{% for in x %}{% endfor %}",
        "{% nonsense %}",
        "{% %}",
        "{{ \"\\",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(sources); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(jinja_template) t = jinja_parse(sources[i], strlen(sources[i]), &error);
        if (t) fail_msg("accepted: %s", sources[i]);
        assert_true(g_error_matches(error, ENGINE_ERROR, ENGINE_ERROR_UNSUPPORTED));
        assert_non_null(strstr(error->message, "line 1"));
    }
}

static char *
repeated(const char *open, const char *middle, const char *close, size_t n)
{
    GString *s = g_string_new(NULL);
    for (size_t i = 0; i < n; i++)
        g_string_append(s, open);
    g_string_append(s, middle);
    for (size_t i = 0; i < n; i++)
        g_string_append(s, close);
    return g_string_free(s, FALSE);
}

static void
harmful_templates_end(void **state)
{
    (void)state;
    static const char *const sources[] = {
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% for a in range(99999) %}{{ 'x' * 100000 }}{% endfor %}",
        "{{ 'x' * 9000000000000000000 }}",
        "{% set ns = namespace(s='xxxxxxxx') %}{% for a in range(99999) %}"
        "{% set ns.s = ns.s + ns.s %}{% endfor %}",
        "{% set ns = namespace(s='xxxxxxxx') %}{% for a in range(99999) %}"
        "{% set ns.s = ns.s | replace(ns.s, ns.s ~ ns.s) %}{% endfor %}",
        "{% set ns = namespace(l=[1]) %}{% for a in range(99999) %}"
        "{% set ns.l = ns.l + ns.l %}{% endfor %}",
        "{% set ns = namespace(l=[1]) %}{% for a in range(99999) %}"
        "{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}",
        "{% set ns = namespace(l=[1]) %}{% for a in range(99999) %}"
        "{% set ns.l = {'a': ns.l} %}{% endfor %}{{ ns.l | tojson }}",
        "{% set ns = namespace(a=[1], b=[1]) %}{% for a in range(99999) %}"
        "{% set ns.a = [ns.a] %}{% set ns.b = [ns.b] %}{% endfor %}{{ ns.a == ns.b }}"
        "{{ ns.a < ns.b }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% macro f(x) %}{{ f([x, x]) }}{% endmacro %}{{ f(1) }}",
        "{{ range(9000000000000000000) }}",
        "{% for a in range(99999) %}{% set b = range(99999) %}{% endfor %}",
        "{{ 9223372036854775807 + 1 }}",
        "{{ -9223372036854775807 - 2 }}",
        "{{ 9223372036854775807 * 2 }}",
        "{{ 10 ** 100 }}",
        "{{ 1 % 0 }}",
        "{{ 'a' | map('map', 'map', 'map', 'map') | list }}",
    };
    json_t *variables = json_object();
    const gint64 start = g_get_monotonic_time();
    for (size_t i = 0; i < G_N_ELEMENTS(sources); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *text = render(sources[i], variables, &error);
        if (text) fail_msg("%s gives %zu bytes", sources[i], strlen(text));
        assert_int_equal(error->domain, ENGINE_ERROR);
    }
    static const struct {
        const char *open, *middle, *close;
    } nests[] = {
        {"(", "1", ")"},     {"[", "1", "]"},  {"-", "1", ""},   {"{% if x %}", "", "{% endif %}"},
        {"{'a':", "1", "}"}, {"a[", "1", "]"}, {"f(", "1", ")"}, {"1 if 1 else ", "1", ""}};
    for (size_t i = 0; i < G_N_ELEMENTS(nests); i++) {
        g_autofree char *inner = repeated(nests[i].open, nests[i].middle, nests[i].close, 20000);
        g_autofree char *source =
            nests[i].open[1] == '%' ? g_strdup(inner) : g_strconcat("{{ ", inner, " }}", NULL);
        g_autoptr(GError) error = NULL;
        g_autofree char *text = render(source, variables, &error);
        assert_null(text);
        assert_int_equal(error->domain, ENGINE_ERROR);
    }
    /* chains that nest in the tree but not in the source */
    g_autofree char *sum = repeated("1+", "1", "", 30000);
    g_autofree char *source = g_strconcat("{{ ", sum, " }}", NULL);
    g_autoptr(GError) error = NULL;
    g_autofree char *text = render(source, variables, &error);
    assert_true((text == NULL) == (error != NULL));
    json_decref(variables);
    assert_true(g_get_monotonic_time() - start < 60 * G_USEC_PER_SEC);
}

static void
long_conversations_render_in_linear_time(void **state)
{
    (void)state;
    static const char source[] =
        "{% for m in messages %}{{ '<|' + m.role + '|>' + m.content | trim + '\\n' }}{% endfor %}";
    g_autofree char *content = repeated(" word", "", "", 200000);
    json_t *messages = json_array();
    for (size_t i = 0; i < 50; i++)
        json_array_append_new(messages, json_pack("{ssss}", "role", "user", "content", content));
    json_t *variables = json_pack("{so}", "messages", messages);
    const gint64 start = g_get_monotonic_time();
    g_autoptr(GError) error = NULL;
    g_autofree char *text = render(source, variables, &error);
    assert_non_null(text);
    assert_int_equal(strlen(text), 50 * (strlen(content) - 1 + strlen("<|user|>\n")));
    json_decref(variables);
    assert_true(g_get_monotonic_time() - start < 20 * G_USEC_PER_SEC);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_templates_give_what_jinja_gives),
        cmocka_unit_test(what_we_do_not_run_is_refused_when_parsed),
        cmocka_unit_test(harmful_templates_end),
        cmocka_unit_test(long_conversations_render_in_linear_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

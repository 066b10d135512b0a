/* lode generate --endpoint as a program, against the server of test_endpoint.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <glib/gstdio.h>
#include <jansson.h>
#include <string.h>

#include "tests/pipelines/endpoint_server.h"
#include "tests/pipelines/run_program.h"

static endpoint_server *server;

/* lode generate --endpoint (mode) -q m ARGUMENTS; they end with NULL. */
static void
generate(const char *mode, const char *const *arguments, outcome *o)
{
    g_autofree char *url = endpoint_server_url(server, mode);
    const char *const first[] = {"generate", "--endpoint", url, "m", NULL};
    run_program(first, arguments, o);
}

static json_t *
line_at(const char *text, guint index)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    if (g_strv_length(lines) <= index) fail_msg("%s", text);
    return json_loads(lines[index], 0, NULL);
}

static const char *
text_at(const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));
    return text != NULL ? text : "";
}

static void
a_reply_cut_at_its_length_is_said_to_be(void **state)
{
    (void)state;
    static const char *const with_json[] = {"--json", "think", NULL}, *const plain[] = {"think",
                                                                                        NULL};
    g_auto(outcome) told = {0}, shown = {0}, whole = {0};
    generate("reasoning", with_json, &told);
    assert_int_equal(told.code, 0);
    json_t *json = json_loads(told.out, 0, NULL);
    assert_string_equal(text_at(json, "finish_reason"), "length");
    assert_true(json_is_true(json_object_get(json, "truncated")));
    assert_string_equal(text_at(json, "text"), "loud words");
    assert_string_equal(text_at(json, "reasoning"), "quiet thoughts");
    assert_int_equal(json_integer_value(json_object_get(json, "generated_tokens")), 3);
    json_decref(json);

    generate("reasoning", plain, &shown);
    assert_string_equal(shown.out, "loud words\n");
    assert_non_null(strstr(shown.err, "cut at the longest length"));

    generate("good", with_json, &whole);
    json = json_loads(whole.out, 0, NULL);
    assert_string_equal(text_at(json, "finish_reason"), "end");
    assert_true(json_is_false(json_object_get(json, "truncated")));
    json_decref(json);
}

static void
many_prompts_are_answered_in_their_order(void **state)
{
    (void)state;
    static const char prompts[] =
        "\"slow one\"\n"
        "{\"id\": \"b\", \"prompt\": \"two\"}\n"
        "\n"
        "{\"id\": 3, \"messages\": [{\"role\": \"user\", \"content\": \"hello\"}, "
        "{\"role\": \"assistant\", \"content\": \"hm\"}, {\"role\": \"user\", \"content\": "
        "\"three\"}]}\n"
        "{\"id\": 4}\n"
        "not json\n"
        "\"last\"";
    g_autofree char *path = NULL;
    const int fd = g_file_open_tmp("lode-prompts-XXXXXX", &path, NULL);
    assert_true(fd >= 0 && g_close(fd, NULL));
    assert_true(g_file_set_contents(path, prompts, -1, NULL));
    const char *const arguments[] = {"--prompts", path, "--parallel", "3", "-q", NULL};
    g_auto(outcome) o = {0};
    endpoint_server_reset(server);
    generate("echo", arguments, &o);
    g_remove(path);
    assert_int_equal(o.code, 1); /* some failed */
    assert_int_equal(endpoint_server_requests(server), 4);
    static const char *const texts[] = {"slow one", "two", "three", "", "", "last"};
    static const char *const errors[] = {"", "", "", "a string, or an object", "no JSON", ""};
    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        json_t *json = line_at(o.out, i);
        assert_int_equal(json_integer_value(json_object_get(json, "index")), i);
        assert_string_equal(text_at(json, "text"), texts[i]);
        assert_non_null(strstr(text_at(json, "error"), errors[i]));
        if (i == 1) assert_string_equal(text_at(json, "id"), "b");
        if (i == 3) assert_int_equal(json_integer_value(json_object_get(json, "id")), 4);
        json_decref(json);
    }
}

static void
a_server_that_refuses_fails_each_prompt_alone(void **state)
{
    (void)state;
    g_autofree char *path = NULL;
    const int fd = g_file_open_tmp("lode-prompts-XXXXXX", &path, NULL);
    assert_true(fd >= 0 && g_close(fd, NULL));
    assert_true(g_file_set_contents(path, "\"a\"\n\"b\"\n", -1, NULL));
    const char *const arguments[] = {"--prompts", path, "-q", NULL};
    g_auto(outcome) o = {0};
    generate("key", arguments, &o);
    g_remove(path);
    assert_int_equal(o.code, 1);
    for (guint i = 0; i < 2; i++) {
        json_t *json = line_at(o.out, i);
        assert_string_not_equal(text_at(json, "error"), "");
        json_decref(json);
    }
}

static int
start(void **state)
{
    (void)state;
    server = endpoint_server_start();
    return 0;
}

static int
stop(void **state)
{
    (void)state;
    endpoint_server_stop(server);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reply_cut_at_its_length_is_said_to_be),
        cmocka_unit_test(many_prompts_are_answered_in_their_order),
        cmocka_unit_test(a_server_that_refuses_fails_each_prompt_alone),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

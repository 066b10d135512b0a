/* Replies taken apart: every family's tool calls, whole and cut anywhere. */
#include "engine/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* What a parser passed on, as one line: R{...} C{...} NAME(...) with neighbours of a kind joined. */
typedef struct {
    GString *line;
    int last;
} log_of;

static void
write_log(engine_reply_part part, const char *text, size_t len, const engine_tool_call *call,
          void *user_data)
{
    log_of *l = user_data;
    if (part == ENGINE_REPLY_CALL) {
        g_string_append_printf(l->line, "%s(%s)", call->name, call->arguments);
        l->last = -1;
        return;
    }
    assert_true(g_utf8_validate(text, (gssize)len, NULL));
    if (l->last == (int)part)
        g_string_truncate(l->line, l->line->len - 1);
    else
        g_string_append(l->line, part == ENGINE_REPLY_REASONING ? "R{" : "C{");
    g_string_append_len(l->line, text, (gssize)len);
    g_string_append_c(l->line, '}');
    l->last = (int)part;
}

static const char tools[] =
    "[{\"type\":\"function\",\"function\":{\"name\":\"find\",\"parameters\":{\"type\":\"object\","
    "\"properties\":{\"text\":{\"type\":\"string\"},\"n\":{\"type\":\"integer\"},\"kinds\":{"
    "\"type\":\"array\"},\"note\":{\"type\":[\"string\",\"null\"]}}}}}]";

/* pieces of `step` bytes, step 0: whole */
static char *
parsed(engine_calls_format format, const char *prompt, const char *with_tools, const char *text,
       size_t step)
{
    log_of l = {g_string_new(NULL), -1};
    g_autoptr(engine_reply_parser) p =
        engine_reply_parser_new(format, prompt, with_tools, write_log, &l);
    const size_t n = strlen(text);
    for (size_t i = 0; i < n;) {
        size_t m = step == 0 ? n : MIN(step, n - i);
        while (i + m < n && ((uint8_t)text[i + m] & 0xC0) == 0x80)
            m++; /* callers deliver whole characters */
        engine_reply_parser_feed(p, text + i, m);
        i += m;
    }
    engine_reply_parser_finish(p);
    return g_string_free(l.line, FALSE);
}

static const struct {
    engine_calls_format format;
    const char *prompt, *text, *expected;
} cases[] = {
    {ENGINE_CALLS_PLAIN, NULL, " The answer is 4.\n", "C{ The answer is 4.\n}"},
    {ENGINE_CALLS_PLAIN, NULL, "<think>\na b\n</think>\n\nc", "R{a b}C{c}"},
    {ENGINE_CALLS_PLAIN, "assistant\n<think>\n", "a </thin b\n</think>\nc", "R{a </thin b}C{c}"},
    {ENGINE_CALLS_PLAIN, "<think>\n\n</think>\n\n", "c <think>", "C{c <think>}"},
    {ENGINE_CALLS_PLAIN, "<think>", "never ends", "R{never ends}"},
    {ENGINE_CALLS_HERMES, NULL,
     "<think>\nneed it\n</think>\n\nI look.\n<tool_call>\n{\"name\": \"find\", \"arguments\": "
     "{\"text\": \"\xC3\xA9\"}}\n</tool_call>\n<tool_call>\n{\"name\": \"stop\", "
     "\"arguments\": {}}\n</tool_call>",
     "R{need it}C{I look.}find({\"text\": \"\\u00E9\"})stop({})"},
    {ENGINE_CALLS_HERMES, NULL, "<tool_call>{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}",
     "f({\"a\": 1})"},
    {ENGINE_CALLS_HERMES, NULL, "a <tool_call>{\"name\": f}</tool_call> b",
     "C{a <tool_call>{\"name\": f}</tool_call> b}"},
    {ENGINE_CALLS_HERMES, NULL, "5 < 6 <tool_cal", "C{5 < 6 <tool_cal}"},
    {ENGINE_CALLS_HERMES, NULL, "<tool_call>", "C{<tool_call>}"},
    {ENGINE_CALLS_XML, "<think>\n",
     "hm\n</think>\n\n<tool_call>\n<function=find>\n<parameter=text>\n12\n</parameter>\n"
     "<parameter=n>\n12\n</parameter>\n<parameter=kinds>\n[\"a\", 1]\n</parameter>\n"
     "<parameter=note>\nnull\n</parameter>\n<parameter=other>\nx\n  y\n</parameter>\n"
     "</function>\n</tool_call>",
     "R{hm}find({\"text\": \"12\", \"n\": 12, \"kinds\": [\"a\", 1], \"note\": null, \"other\": "
     "\"x\\n  y\"})"},
    {ENGINE_CALLS_XML, NULL, "<tool_call><function=f></function></tool_call>", "f({})"},
    {ENGINE_CALLS_XML, NULL, "<tool_call><function=f><parameter=a>b</tool_call>",
     "C{<tool_call><function=f><parameter=a>b</tool_call>}"},
    {ENGINE_CALLS_ACTION, NULL,
     "Let me see.\n<|action_start|><|plugin|>\n{\"name\": \"FastWebBrowser.search\", "
     "\"parameters\": {\"query\": [\"a\", \"b\"]}}<|action_end|>\n",
     "C{Let me see.}FastWebBrowser.search({\"query\": [\"a\", \"b\"]})"},
    {ENGINE_CALLS_ACTION, NULL,
     "<|action_start|><|interpreter|>\n```python\nprint(1)\n```\n<|action_end|>",
     "<|interpreter|>({\"code\": \"print(1)\"})"},
    /* stopped at the mark, which then is no part of the text */
    {ENGINE_CALLS_ACTION, NULL, "<|action_start|><|plugin|>{\"name\": \"f\", \"parameters\": {}}",
     "f({})"},
    {ENGINE_CALLS_LLAMA3, NULL,
     "{\"name\": \"find\", \"parameters\": {\"n\": 3}}; {\"name\": \"g\", \"parameters\": {}}",
     "find({\"n\": 3})g({})"},
    {ENGINE_CALLS_LLAMA3, NULL, "<|python_tag|>{\"name\": \"f\", \"parameters\": {\"a\": \"}\"}}",
     "f({\"a\": \"}\"})"},
    {ENGINE_CALLS_LLAMA3, NULL, "{\"answer\": 3}", "C{{\"answer\": 3}}"},
    {ENGINE_CALLS_MISTRAL, NULL,
     "[TOOL_CALLS] [{\"name\": \"f\", \"arguments\": {\"a\": [1]}, \"id\": \"123456789\"}, "
     "{\"name\": \"g\", \"arguments\": {}}]",
     "f({\"a\": [1]})g({})"},
    {ENGINE_CALLS_MISTRAL, NULL,
     "ok[TOOL_CALLS]f[CALL_ID]123[ARGS]{\"a\": 1}[TOOL_CALLS]g[ARGS]{\"b\": 2}",
     "C{ok}f({\"a\": 1})g({\"b\": 2})"},
    {ENGINE_CALLS_MISTRAL, NULL, "[TOOL_CALLS] none", "C{[TOOL_CALLS] none}"},
};

static void
replies_come_apart_however_they_are_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        for (size_t step = 0; step < 40; step++) {
            g_autofree char *got =
                parsed(cases[i].format, cases[i].prompt, tools, cases[i].text, step);
            if (strcmp(got, cases[i].expected) != 0)
                fail_msg("case %zu in pieces of %zu: %s, not %s", i, step, got, cases[i].expected);
        }
    }
}

static void
json_is_content_where_no_tools_were_given(void **state)
{
    (void)state;
    const char *text = "{\"name\": \"find\", \"parameters\": {}}";
    g_autofree char *got = parsed(ENGINE_CALLS_LLAMA3, NULL, NULL, text, 3);
    assert_string_equal(got, "C{{\"name\": \"find\", \"parameters\": {}}}");
}

/* Each of these makes a careless parser look at everything again for every piece. */
static void
long_replies_take_linear_time(void **state)
{
    (void)state;
    static const char *const units[] = {"<", "<tool_call", "<tool_call>", "</think>", " \n"};
    const gint64 start = g_get_monotonic_time();
    for (size_t i = 0; i < G_N_ELEMENTS(units); i++) {
        g_autoptr(GString) text = g_string_new("<tool_call>");
        while (text->len < 400000)
            g_string_append(text, units[i]);
        g_autofree char *got = parsed(ENGINE_CALLS_HERMES, NULL, NULL, text->str, 5);
        assert_true(strlen(got) >= text->len - 3);
    }
    assert_true(g_get_monotonic_time() - start < 30 * G_USEC_PER_SEC);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_come_apart_however_they_are_cut),
        cmocka_unit_test(json_is_content_where_no_tools_were_given),
        cmocka_unit_test(long_replies_take_linear_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Fuzz target: any bytes as a chat template. What parses is also rendered, with variables as a chat has
 * them; and the bytes as a model's reply in every format of calls, whole and in pieces of one byte. */
#include "engine/engine.h"
#include "engine/jinja.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char variables[] =
    "{\"messages\":[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":"
    "\"h\xC3\xA9 "
    "<b>\"},{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"function\":{\"name\":\"f\","
    "\"arguments\":{\"a\":[1,2.5,null,true]}}}]},{\"role\":\"tool\",\"content\":\"3\"}],"
    "\"tools\":[{\"name\":\"f\"}],\"add_generation_prompt\":true,\"bos_token\":\"<s>\",\"n\":3,"
    "\"s\":\" a, b \",\"l\":[3,1,2],\"d\":{\"k\":1}}";

static void
ignore(engine_reply_part part, const char *text, size_t len, const engine_tool_call *call,
       void *user_data)
{
    size_t *total = user_data;
    g_assert_true((part == ENGINE_REPLY_CALL) == (call != NULL));
    g_assert_true(call || text[len - 1] != '\0');
    *total += len;
}

static void
parse_reply(engine_calls_format format, const char *text, size_t len, size_t step)
{
    size_t total = 0;
    g_autoptr(engine_reply_parser) p =
        engine_reply_parser_new(format, NULL, "[{\"name\":\"f\"}]", ignore, &total);
    for (size_t i = 0; i < len; i += step)
        engine_reply_parser_feed(p, text + i, MIN(step, len - i));
    engine_reply_parser_finish(p);
    g_assert_true(total <= len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static json_t *context;
    if (!context) context = json_loads(variables, 0, NULL);
    const char *bytes = size > 0 ? (const char *)data : "";
    g_autoptr(GError) error = NULL;
    g_autoptr(jinja_template) t = jinja_parse(bytes, size, &error);
    g_assert_true((t == NULL) == (error != NULL));
    if (t) {
        g_autofree char *text = jinja_render(t, context, &error);
        g_assert_true((text == NULL) == (error != NULL));
        if (text) g_assert_true(g_utf8_validate(text, -1, NULL));
    }
    for (int format = ENGINE_CALLS_PLAIN; format <= ENGINE_CALLS_MISTRAL; format++) {
        parse_reply((engine_calls_format)format, bytes, size, MAX(size, 1));
        parse_reply((engine_calls_format)format, bytes, size, 1);
    }
    return 0;
}

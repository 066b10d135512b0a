/* Writers behind an endpoint, against one that cuts, refuses, drips and lies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "pipelines/answer.h"
#include "pipelines/writer.h"
#include "tests/pipelines/endpoint_server.h"
#include "tests/pipelines/hits.h"

#define SCHEMA                                                                                     \
    "{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\"}},\"required\":[\"n\"],"     \
    "\"additionalProperties\":false}"

static endpoint_server *server;

/* One question; what it brought. */
typedef struct {
    engine_remote_options options;
    engine_remote_request request;
    engine_message message;
    GString *heard, *thoughts;
    guint stop_after; /* pieces; 0: never */
    guint n_pieces;
    gboolean ok;
    engine_remote_reply reply;
    GError *error;
    double seconds;
} question;

static gboolean
on_part(engine_reply_part part, const char *text, size_t len, void *user_data)
{
    question *q = user_data;
    g_string_append_len(part == ENGINE_REPLY_CONTENT ? q->heard : q->thoughts, text, (gssize)len);
    return ++q->n_pieces != q->stop_after;
}

static void
question_init(question *q)
{
    memset(q, 0, sizeof *q);
    q->options = engine_remote_options_default();
    q->options.backoff_seconds = 0.01;
    q->options.key = "s3cret-key";
    q->message = (engine_message){.role = "user", .content = "count"};
    q->heard = g_string_new(NULL);
    q->thoughts = g_string_new(NULL);
    q->request = (engine_remote_request){
        .max_tokens = 16, .top_p = 1, .repeat_penalty = 1, .n_messages = 1, .callback = on_part};
}

static void
ask(question *q, const char *mode)
{
    g_autofree char *url = endpoint_server_url(server, mode);
    g_autoptr(engine_remote) remote = engine_remote_new(url, "m", &q->options, &q->error);
    assert_non_null(remote);
    q->request.messages = &q->message;
    q->request.user_data = q;
    endpoint_server_reset(server);
    const gint64 start = g_get_monotonic_time();
    q->ok = engine_remote_generate(remote, &q->request, &q->reply, &q->error);
    q->seconds = (double)(g_get_monotonic_time() - start) / 1e6;
    assert_true(q->ok == (q->error == NULL));
}

static void
question_clear(question *q)
{
    g_string_free(q->heard, TRUE);
    g_string_free(q->thoughts, TRUE);
    engine_remote_reply_clear(&q->reply);
    g_clear_error(&q->error);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(question, question_clear)

/* Asks mode and expects "one two" after n requests. */
static void
expect_answer(const char *mode, guint n)
{
    g_auto(question) q;
    question_init(&q);
    ask(&q, mode);
    if (!q.ok) fail_msg("%s: %s", mode, q.error->message);
    assert_string_equal(q.reply.content, "one two");
    assert_string_equal(q.heard->str, "one two");
    assert_int_equal(endpoint_server_requests(server), n);
    assert_int_equal(q.reply.n_attempts, n);
    assert_int_equal(q.reply.reason, ENGINE_STOP_EOS);
}

static void
expect_failure(const char *mode, int code, const char *message, guint n)
{
    g_auto(question) q;
    question_init(&q);
    ask(&q, mode);
    assert_false(q.ok);
    if (strstr(q.error->message, message) == NULL) fail_msg("%s: %s", mode, q.error->message);
    assert_null(strstr(q.error->message, "s3cret"));
    assert_int_equal(q.error->code, code);
    assert_int_equal(endpoint_server_requests(server), n);
}

static void
an_answer_comes_in_pieces_with_its_usage(void **state)
{
    (void)state;
    g_auto(question) q;
    question_init(&q);
    ask(&q, "good");
    assert_true(q.ok);
    assert_int_equal(q.n_pieces, 2);
    assert_true(q.reply.has_usage);
    assert_int_equal(q.reply.n_prompt, 7);
    assert_int_equal(q.reply.n_generated, 3);
    assert_string_equal(q.reply.model, "served");
    g_autofree char *head = endpoint_server_last_head(server);
    assert_non_null(strstr(head, "POST /good/v1/chat/completions "));
    assert_non_null(strstr(head, "Authorization: Bearer s3cret-key\r\n"));
}

static void
what_may_pass_is_asked_again(void **state)
{
    (void)state;
    expect_answer("cut", 2);
    expect_answer("broken", 3);
    expect_answer("garbage", 2);
    expect_answer("undone", 1);
    expect_answer("whole", 1);
    expect_answer("streamless", 2);
    expect_failure("empty", ENGINE_ERROR_NETWORK, "an empty answer", 6);
    expect_failure("never", ENGINE_ERROR_NETWORK, "HTTP status 500: out of luck", 5);
}

static void
the_server_says_when_to_come_back(void **state)
{
    (void)state;
    const gint64 start = g_get_monotonic_time();
    expect_answer("limit", 2);
    assert_true(g_get_monotonic_time() - start >= G_USEC_PER_SEC);
    expect_failure("later", ENGINE_ERROR_NETWORK, "3600 seconds", 1);
}

static void
text_that_was_heard_is_not_taken_back(void **state)
{
    (void)state;
    expect_failure("other", ENGINE_ERROR_NETWORK, "began with other words", 2);
}

static void
what_will_not_change_is_not_asked_again(void **state)
{
    (void)state;
    expect_failure("html", ENGINE_ERROR_FORMAT, "text/html", 1);
    expect_failure("key", ENGINE_ERROR_NETWORK, "Incorrect API key provided: ***", 1);
    expect_failure("nowhere", ENGINE_ERROR_NETWORK, "404", 1);
    expect_failure("huge", ENGINE_ERROR_LIMIT, "larger than", 1);
}

static void
slow_servers_are_given_up(void **state)
{
    (void)state;
    static const char *const modes[] = {"drip", "silent"}, *const says[] = {"stalled", "no answer"};
    for (size_t i = 0; i < 2; i++) {
        g_auto(question) q;
        question_init(&q);
        q.options.n_retries = 1;
        q.options.stall_seconds = 1.2;
        q.options.first_seconds = 0.5;
        ask(&q, modes[i]);
        assert_false(q.ok);
        assert_int_equal(q.error->code, ENGINE_ERROR_LIMIT);
        assert_non_null(strstr(q.error->message, says[i]));
        assert_int_equal(endpoint_server_requests(server), 2);
        assert_true(q.seconds < 8);
    }
}

static gpointer
raise_soon(gpointer flag)
{
    g_usleep(200000);
    g_atomic_int_set((int *)flag, 1);
    return NULL;
}

static void
cancelling_takes_a_fraction_of_a_second(void **state)
{
    (void)state;
    static const char *const modes[] = {"silent", "drip", "limit"}; /* the last: within a pause */
    for (size_t i = 0; i < G_N_ELEMENTS(modes); i++) {
        g_auto(question) q;
        int flag = 0;
        question_init(&q);
        q.request.cancel = &flag;
        GThread *thread = g_thread_new("cancel", raise_soon, &flag);
        ask(&q, modes[i]);
        g_thread_join(thread);
        assert_true(q.ok);
        assert_int_equal(q.reply.reason, ENGINE_STOP_CANCELLED);
        assert_true(q.seconds < 0.9);
    }
}

static void
a_caller_who_has_enough_ends_it(void **state)
{
    (void)state;
    g_auto(question) q;
    question_init(&q);
    q.stop_after = 1;
    ask(&q, "good");
    assert_true(q.ok);
    assert_int_equal(q.reply.reason, ENGINE_STOP_CALLBACK);
    assert_string_equal(q.reply.content, "one");
}

static void
thoughts_are_kept_apart(void **state)
{
    (void)state;
    static const char *const modes[] = {"think", "reasoning"};
    for (size_t i = 0; i < 2; i++) {
        g_auto(question) q;
        question_init(&q);
        ask(&q, modes[i]);
        assert_true(q.ok);
        assert_string_equal(q.reply.content, "loud words");
        assert_string_equal(q.reply.reasoning, "quiet thoughts");
        assert_string_equal(q.heard->str, "loud words");
        assert_string_equal(q.thoughts->str, "quiet thoughts");
        assert_int_equal(q.reply.reason, i == 0 ? ENGINE_STOP_EOS : ENGINE_STOP_LENGTH);
    }
}

static void
a_server_gets_the_dialect_it_speaks(void **state)
{
    (void)state;
    static const struct {
        const char *mode;
        guint n;
    } cases[] = {
        {"picky-schema", 1}, {"picky-object_schema", 2}, {"picky-object", 3}, {"picky-words", 4}};
    expect_answer("new", 3);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(question) q;
        question_init(&q);
        q.request.json_schema = SCHEMA;
        ask(&q, cases[i].mode);
        if (!q.ok) fail_msg("%s: %s", cases[i].mode, q.error->message);
        assert_string_equal(q.reply.content, "{\"n\": 3}");
        assert_string_equal(q.heard->str, "{\"n\": 3}");
        assert_int_equal(endpoint_server_requests(server), cases[i].n);
    }
}

static void
a_dialect_is_learned_once(void **state)
{
    (void)state;
    g_autofree char *url = endpoint_server_url(server, "picky-words");
    g_autoptr(engine_remote) remote = engine_remote_new(url, "m", NULL, NULL);
    const engine_message message = {.role = "user", .content = "count"};
    const engine_remote_request request = {.messages = &message,
                                           .n_messages = 1,
                                           .json_schema = SCHEMA,
                                           .top_p = 1,
                                           .repeat_penalty = 1};
    for (guint i = 0; i < 2; i++) {
        engine_remote_reply reply;
        endpoint_server_reset(server);
        assert_true(engine_remote_generate(remote, &request, &reply, NULL));
        engine_remote_reply_clear(&reply);
        assert_int_equal(endpoint_server_requests(server), i == 0 ? 4 : 1);
    }
}

/* As servers say it; the last ones speak of other things. */
static void
a_context_that_is_too_short_is_learned(void **state)
{
    (void)state;
    static const struct {
        const char *said;
        uint32_t n;
        gboolean too_long; /* without a number */
    } cases[] = {
        {"This model's maximum context length is 2048 tokens. However, you requested 4132", 2048,
         FALSE},
        {"request (4041 tokens) exceeds the available context size (4096 tokens)", 4096, FALSE},
        {"The input (4041 tokens) is longer than the model's context length (512 tokens).", 512,
         FALSE},
        {"Requested tokens (4132) exceed context window of 1024", 1024, FALSE},
        {"`inputs` tokens + `max_new_tokens` must be <= 8192. Given: 9000", 8192, FALSE},
        {"the context length is not known: 12000 words in 3 parts", 0, FALSE},
        {"temperature must be <= 2", 0, FALSE},
        {"the context size is 99999999999999999999", 0, FALSE},
        {"Input is too long for requested model.", 0, TRUE},
        {"Please reduce the length of the messages", 0, TRUE},
        {"max_tokens is too long", 0, FALSE},
    };
    g_autofree char *url = endpoint_server_url(server, "refuses");
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(engine_remote) remote = engine_remote_new(url, "m", NULL, NULL);
        g_autoptr(GError) error = NULL;
        const engine_message message = {.role = "user", .content = "count"};
        const engine_remote_request request = {
            .messages = &message, .n_messages = 1, .top_p = 1, .repeat_penalty = 1};
        engine_remote_reply reply;
        endpoint_server_set_text(server, cases[i].said);
        assert_int_equal(engine_remote_context(remote), 0);
        assert_false(engine_remote_generate(remote, &request, &reply, &error));
        assert_non_null(strstr(error->message, cases[i].said));
        assert_int_equal(engine_remote_context(remote), cases[i].n);
        assert_int_equal(error->code, cases[i].n > 0 || cases[i].too_long ? ENGINE_ERROR_LENGTH
                                                                          : ENGINE_ERROR_NETWORK);
    }
}

static void
line_breaks_in_strings_are_no_fault(void **state)
{
    (void)state;
    g_auto(question) q;
    question_init(&q);
    q.request.json_schema = "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}";
    endpoint_server_set_text(server, "[\n\"a\n\tb \\\\\",\t\"\\\"\nc\"]");
    ask(&q, "says");
    if (!q.ok) fail_msg("%s", q.error->message);
    assert_string_equal(q.heard->str, "[\n\"a\\u000a\\u0009b \\\\\",\t\"\\\"\\u000ac\"]");
    assert_int_equal(endpoint_server_requests(server), 1);
}

static void
an_answer_that_breaks_its_schema_is_asked_for_again(void **state)
{
    (void)state;
    g_auto(question) q;
    question_init(&q);
    q.request.json_schema = SCHEMA;
    ask(&q, "unlawful");
    assert_true(q.ok);
    assert_string_equal(q.heard->str, "{\"n\": 3}");           /* and nothing of the first */
    g_autofree char *body = endpoint_server_last_body(server); /* not what would be said again */
    assert_non_null(strstr(body, "\"temperature\":0.25"));
    assert_int_equal(endpoint_server_requests(server), 2);
    endpoint_server_set_text(server, "{\"n\": 1.5}");
    g_auto(question) p;
    question_init(&p);
    p.request.json_schema = SCHEMA;
    ask(&p, "says");
    assert_false(p.ok);
    assert_int_equal(p.error->code, ENGINE_ERROR_FORMAT);
    assert_non_null(strstr(p.error->message, ".n: it is no integer"));
    assert_string_equal(p.heard->str, "");
}

static void
addresses_are_checked(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "ftp://host/v1", "host:80", "http://me:s3cret@host/v1"};
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        assert_null(engine_remote_new(bad[i], "m", NULL, &error));
        assert_int_equal(error->code, ENGINE_ERROR_ARGUMENT);
        assert_null(strstr(error->message, "s3cret"));
    }
    g_autoptr(engine_remote) remote =
        engine_remote_new("http://h/v1/chat/completions/", "m", NULL, NULL);
    assert_string_equal(engine_remote_id(remote), "m at http://h/v1");
}

/* ---- JSON Schema ---- */

static void
a_schema_tells_values_apart(void **state)
{
    (void)state;
    static const struct {
        const char *schema, *value;
        gboolean ok;
    } cases[] = {
        {SCHEMA, "{\"n\":3}", TRUE},
        {SCHEMA, "{\"n\":3,\"m\":1}", FALSE},
        {SCHEMA, "{}", FALSE},
        {SCHEMA, "{\"n\":3", FALSE},
        {"{\"type\":[\"string\",\"null\"]}", "null", TRUE},
        {"{\"enum\":[1,\"a\"]}", "\"a\"", TRUE},
        {"{\"enum\":[1,\"a\"]}", "\"b\"", FALSE},
        {"{\"minLength\":2,\"maxLength\":2}", "\"\\u00e4\\u00f6\"", TRUE},
        {"{\"pattern\":\"^[a-z]+$\"}", "\"ab1\"", FALSE},
        {"{\"minimum\":1,\"exclusiveMaximum\":2}", "2", FALSE},
        {"{\"multipleOf\":0.1}", "0.7", TRUE},
        {"{\"items\":{\"type\":\"integer\"},\"maxItems\":2}", "[1,2]", TRUE},
        {"{\"items\":{\"type\":\"integer\"},\"maxItems\":2}", "[1,2,3]", FALSE},
        {"{\"uniqueItems\":true}", "[1,1.0]", FALSE},
        {"{\"prefixItems\":[true],\"items\":false}", "[1,2]", FALSE},
        {"{\"anyOf\":[{\"type\":\"string\"},{\"minimum\":5}]}", "4", FALSE},
        {"{\"oneOf\":[{\"minimum\":1},{\"minimum\":5}]}", "6", FALSE},
        {"{\"not\":{\"const\":1}}", "1", FALSE},
        {"{\"$defs\":{\"a\":{\"items\":{\"$ref\":\"#/$defs/a\"},\"type\":\"array\"}},"
         "\"$ref\":\"#/$defs/a\"}",
         "[[],[[]]]", TRUE},
        {"{\"$defs\":{\"a\":{\"items\":{\"$ref\":\"#/$defs/a\"},\"type\":\"array\"}},"
         "\"$ref\":\"#/$defs/a\"}",
         "[[1]]", FALSE},
        {"{\"$ref\":\"#\"}", "1", FALSE}, /* without an end */
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        const gboolean ok = engine_json_schema_check(cases[i].schema, cases[i].value,
                                                     strlen(cases[i].value), &error);
        if (ok != cases[i].ok)
            fail_msg("%s %s: %s", cases[i].schema, cases[i].value,
                     ok ? "accepted" : error->message);
        assert_true(ok == (error == NULL));
        if (!ok) assert_int_equal(error->code, ENGINE_ERROR_FORMAT);
    }
    g_autoptr(GError) error = NULL;
    assert_false(engine_json_schema_check("{\"items\":{\"contains\":{}}}", "1", 1, &error));
    assert_int_equal(error->code, ENGINE_ERROR_UNSUPPORTED);
    assert_non_null(strstr(error->message, "contains"));
}

/* ---- lode.h ---- */

static void
lode_generate_works_with_an_endpoint(void **state)
{
    (void)state;
    g_autofree char *url = endpoint_server_url(server, "good");
    lode_writer *writer = NULL;
    lode_error error;
    char *text = NULL;
    g_setenv("LODE_API_KEY", "from-outside", TRUE);
    assert_int_equal(lode_writer_open_endpoint(url, "m", NULL, &writer, &error), LODE_OK);
    g_unsetenv("LODE_API_KEY");
    assert_int_equal(lode_generate(writer, NULL, "count", NULL, &text, &error), LODE_OK);
    assert_string_equal(text, "one two");
    assert_null(strstr(lode_writer_id(writer), "from-outside"));
    g_autofree char *head = endpoint_server_last_head(server);
    assert_non_null(strstr(head, "Bearer from-outside\r\n"));
    lode_free(text);
    lode_generate_options options = lode_generate_options_default();
    options.thinking = LODE_THINKING_ON; /* nothing of the request could ask for it */
    assert_int_equal(lode_generate(writer, NULL, "count", &options, &text, &error),
                     LODE_ERROR_UNSUPPORTED);
    lode_writer_free(writer);
    assert_int_equal(lode_writer_open_endpoint("nonsense", "m", NULL, &writer, &error),
                     LODE_ERROR_ARGUMENT);
    assert_null(writer);
}

/* Writes one message; the text, g_free, or NULL with error. */
static char *
write_once(const lode_writer *writer, const char *content, GError **error)
{
    const engine_message message = {.role = "user", .content = content};
    const pipelines_write_request request = {
        .messages = &message, .n_messages = 1, .max_tokens = 9};
    g_auto(pipelines_written) written = {0};
    if (!pipelines_writer_write(writer, NULL, &request, &written, error)) return NULL;
    return g_strdup(written.text->str);
}

static void
recorded_replies_stand_for_the_server(void **state)
{
    (void)state;
    g_autofree char *url = endpoint_server_url(server, "good");
    g_autoptr(lode_writer) writer = pipelines_writer_open_endpoint(url, "m", NULL, NULL);
    g_autoptr(lode_writer) recorder = pipelines_writer_new_recording(writer);
    g_autofree char *text = write_once(recorder, "count", NULL);
    assert_string_equal(text, "one two");
    assert_string_equal(lode_writer_id(recorder), lode_writer_id(writer));
    endpoint_server_reset(server);
    g_autoptr(lode_writer) replay =
        pipelines_writer_new_replay(pipelines_writer_replies(recorder), lode_writer_id(writer),
                                    writer->n_context, writer->most_claims);
    g_autofree char *again = write_once(replay, "count", NULL);
    assert_string_equal(again, "one two");
    g_autoptr(GError) error = NULL;
    assert_null(write_once(replay, "count more", &error));
    assert_int_equal(error->code, LODE_ERROR_MISMATCH);
    assert_int_equal(endpoint_server_requests(server), 0);
}

/* ---- claims ---- */

/* The server says twelve things that a passage says, whoever it is asked for. How many of them come through, and what the
 * server was asked. */
static guint
ask_for_claims(const char *model, uint32_t max_tokens, char **asked)
{
    enum { N = 12 };
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) reply = json_pack("{s:[], s:s}", "claims", "missing", "");
    GString *passage = g_string_new(NULL);
    for (int i = 0; i < N; i++) {
        g_autofree char *text = g_strdup_printf("Plot %d held %d tussocks of sedge.", i, 40 + i);
        g_string_append_printf(passage, "%s ", text);
        json_array_append_new(
            json_object_get(reply, "claims"),
            json_pack("{s:s, s:i, s:s}", "text", text, "passage", 1, "quote", text));
    }
    /* no more than the schema lets it say */
    g_autofree char *url = endpoint_server_url(server, "says");
    g_autoptr(lode_writer) writer = pipelines_writer_open_endpoint(url, model, NULL, &error);
    assert_non_null(writer);
    const guint most = pipelines_writer_most_claims(writer, max_tokens * 3);
    while (json_array_size(json_object_get(reply, "claims")) > most)
        json_array_remove(json_object_get(reply, "claims"), most);
    g_autofree char *text = json_dumps(reply, JSON_COMPACT);
    endpoint_server_set_text(server, text);

    lode_ask_options options = lode_ask_options_default();
    options.max_tokens = max_tokens;
    const pipelines_ask_context context = {.writer = writer};
    g_autoptr(lode_answer) answer =
        pipelines_answer_new(&context, "How many tussocks did the plots hold?", &options);
    answer->extractive = FALSE;
    answer->hits = g_ptr_array_new_with_free_func((GDestroyNotify)retrieval_hit_free);
    add_hit(answer->hits, "/plots.pdf", "Plots", passage->str);
    g_string_free(passage, TRUE);
    answer->n_shown = 1;
    assert_true(pipelines_write_claims(answer, &context, &error));
    *asked = endpoint_server_last_body(server);
    guint n = 0;
    for (guint i = 0; i < answer->claims->len; i++)
        n += ((const pipelines_claim *)answer->claims->pdata[i])->supported ? 1u : 0u;
    return n;
}

static void
a_large_writer_may_claim_as_much_as_has_room(void **state)
{
    (void)state;
    static const struct {
        const char *model;
        uint32_t max_tokens;
        guint n;
        const char *in_words;
    } cases[] = {{"gpt-large", 512, 12, "twelve at most"},
                 {"gpt-large", 256, 6, "six at most"},
                 {"gpt-large", 16, 3, "three at most"},
                 {"meta/Llama-3.1-70B-Instruct", 512, 12, "twelve at most"},
                 {"mixtral-8x7b", 512, 12, "twelve at most"},
                 {"qwen3-30b-a3b", 512, 12, "twelve at most"},
                 {"qwen2.5-coder-1.5b-instruct", 512, 3, "three at most"},
                 {"SmolLM2-135M", 512, 3, "three at most"}};
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *asked = NULL;
        assert_int_equal(ask_for_claims(cases[i].model, cases[i].max_tokens, &asked), cases[i].n);
        assert_non_null(strstr(asked, cases[i].in_words));
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
        cmocka_unit_test(an_answer_comes_in_pieces_with_its_usage),
        cmocka_unit_test(what_may_pass_is_asked_again),
        cmocka_unit_test(the_server_says_when_to_come_back),
        cmocka_unit_test(text_that_was_heard_is_not_taken_back),
        cmocka_unit_test(what_will_not_change_is_not_asked_again),
        cmocka_unit_test(slow_servers_are_given_up),
        cmocka_unit_test(cancelling_takes_a_fraction_of_a_second),
        cmocka_unit_test(a_caller_who_has_enough_ends_it),
        cmocka_unit_test(thoughts_are_kept_apart),
        cmocka_unit_test(a_server_gets_the_dialect_it_speaks),
        cmocka_unit_test(a_dialect_is_learned_once),
        cmocka_unit_test(a_context_that_is_too_short_is_learned),
        cmocka_unit_test(line_breaks_in_strings_are_no_fault),
        cmocka_unit_test(an_answer_that_breaks_its_schema_is_asked_for_again),
        cmocka_unit_test(addresses_are_checked),
        cmocka_unit_test(a_schema_tells_values_apart),
        cmocka_unit_test(lode_generate_works_with_an_endpoint),
        cmocka_unit_test(a_large_writer_may_claim_as_much_as_has_room),
        cmocka_unit_test(recorded_replies_stand_for_the_server),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

/* A model in this process judges passages and sums them up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

#include "pipelines/relevance.h"
#include "pipelines/writer.h"
#include "tests/pipelines/hits.h"

static const char QUESTION[] = "What yield did the cobalt catalyst reach?";

static GPtrArray *
make_hits(void)
{
    static const char *const texts[] = {
        "The lake is 41 metres deep at its northern shore, and trout are common there.",
        "The cobalt catalyst reached a yield of 93 % after two hours in water.",
        "Nickel was tried as well: the nickel catalyst gave a yield of 71 %.",
        "We thank the workshop for its help with the reactor.",
    };
    GPtrArray *hits = g_ptr_array_new_with_free_func((GDestroyNotify)retrieval_hit_free);
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
        add_hit(hits, "/a.pdf", "Catalysts", texts[i]);
    return hits;
}

static int
open_writer(void **state)
{
    g_autoptr(GError) error = NULL;
    lode_writer *writer = NULL;
    if (g_getenv("LODE_MODELS") != NULL) writer = pipelines_writer_open_local(NULL, NULL, &error);
    *state = writer;
    return 0;
}

static int
close_writer(void **state)
{
    lode_writer_free(*state);
    return 0;
}

#define SKIP_WITHOUT(writer)                                                                       \
    do {                                                                                           \
        if ((writer) == NULL) {                                                                    \
            print_message("no models: set LODE_MODELS\n");                                         \
            skip();                                                                                \
        }                                                                                          \
    } while (0)

static void
every_passage_is_judged_and_the_best_are_summed_up(void **state)
{
    const lode_writer *writer = *state;
    SKIP_WITHOUT(writer);
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) hits = make_hits();
    g_autoptr(engine_pool) pool = engine_pool_new(2), alone = engine_pool_new(1);
    g_autoptr(GArray) judged =
        pipelines_judge_passages(writer, pool, hits, QUESTION, 2, NULL, &error);
    if (judged == NULL) fail_msg("%s", error->message);
    g_autoptr(GArray) again =
        pipelines_judge_passages(writer, alone, hits, QUESTION, 2, NULL, &error);
    assert_int_equal(judged->len, hits->len);
    guint n_summaries = 0;
    for (guint i = 0; i < judged->len; i++) {
        const pipelines_judgement *j = &g_array_index(judged, pipelines_judgement, i),
                                  *k = &g_array_index(again, pipelines_judgement, i);
        assert_true(j->relevance > 0 && j->relevance < 1 && !j->is_useless);
        assert_true(j->relevance == k->relevance); /* whatever the number of threads */
        assert_int_equal(g_strcmp0(j->summary, k->summary), 0);
        if (j->summary == NULL) continue;
        n_summaries++;
        assert_null(strchr(j->summary, '\n'));
        guint n_better = 0;
        for (guint other = 0; other < judged->len; other++)
            if (g_array_index(judged, pipelines_judgement, other).relevance > j->relevance)
                n_better++;
        assert_true(n_better < 2);
    }
    assert_true(n_summaries >= 1 && n_summaries <= 2);
}

/* Together, and each by itself. */
static void
many_texts_are_those_written_alone(void **state)
{
    const lode_writer *writer = *state;
    SKIP_WITHOUT(writer);
    static const char *const asked[] = {"Name a metal.", "Name a metal that rusts.",
                                        "What is the capital of France?"};
    enum { N = G_N_ELEMENTS(asked) };
    g_autoptr(GError) error = NULL;
    g_autoptr(engine_pool) pool = engine_pool_new(2);
    engine_message messages[N];
    pipelines_write_request requests[N];
    pipelines_written together[N];
    for (size_t i = 0; i < N; i++) {
        messages[i] = (engine_message){.role = "user", .content = asked[i]};
        requests[i] = (pipelines_write_request){
            .messages = &messages[i], .n_messages = 1, .max_tokens = 12 + 4 * (uint32_t)i};
    }
    assert_true(pipelines_writer_write_many(writer, pool, requests, N, together, &error));
    for (size_t i = 0; i < N; i++) {
        g_auto(pipelines_written) alone = {0};
        assert_true(pipelines_writer_write(writer, pool, &requests[i], &alone, &error));
        assert_true(alone.text->len > 0);
        assert_string_equal(together[i].text->str, alone.text->str);
        assert_string_equal(together[i].prompt, alone.prompt);
        pipelines_written_clear(&together[i]);
    }
}

static void
judging_can_be_cancelled(void **state)
{
    const lode_writer *writer = *state;
    SKIP_WITHOUT(writer);
    g_autoptr(GError) error = NULL;
    g_autoptr(engine_pool) pool = engine_pool_new(1);
    const int cancel = TRUE;
    engine_message message = {.role = "user", .content = "Name a metal."};
    const pipelines_write_request request = {
        .messages = &message, .n_messages = 1, .max_tokens = 8, .cancel = &cancel};
    pipelines_written written;
    assert_false(pipelines_writer_write_many(writer, pool, &request, 1, &written, &error));
    assert_true(g_error_matches(error, PIPELINES_ERROR, LODE_ERROR_CANCELLED));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_passage_is_judged_and_the_best_are_summed_up),
        cmocka_unit_test(many_texts_are_those_written_alone),
        cmocka_unit_test(judging_can_be_cancelled),
    };
    return cmocka_run_group_tests(tests, open_writer, close_writer);
}

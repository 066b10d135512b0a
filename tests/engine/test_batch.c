/* Many sequences on one cache: each gets what it would get alone, whoever comes, goes, or has to wait. */
#include "engine/batch.h"
#include "engine/runtime.h"

#include "llama_check.h"
#include "tiny_case.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char *const CASES[] = {"qwen3", "qwen3_5_moe"};

enum { N_REQUESTS = 6, N_MOST = 700 };

typedef struct {
    tiny_case *c;
    char *folder;
    engine_model *model;
    engine_pool *pool;
    size_t n_vocab;
} fixture;

/* Greedy, for n tokens; remembers the logits. */
typedef struct {
    size_t n_vocab, n, done;
    float *rows; /* [n + 1, n_vocab] */
} chooser;

typedef struct {
    int32_t prompt[N_MOST];
    size_t n_prompt;
    int32_t *text; /* [n] of the lone run */
    float *rows;   /* [n + 1, n_vocab] */
    size_t n;
} job;

static void
fixture_open(fixture *f, const char *name)
{
    f->c = tiny_case_load(name);
    f->folder = tiny_case_write(f->c, TINY_F32);
    f->model = open_model(f->folder);
    f->pool = engine_pool_new(2);
    f->n_vocab = engine_model_get_info(f->model)->n_vocab;
}

static void
fixture_close(fixture *f)
{
    engine_model_free(f->model);
    engine_pool_free(f->pool);
    tiny_case_remove(f->folder);
    tiny_case_free(f->c);
}

static int32_t
pick(const float *logits, void *user_data)
{
    chooser *c = user_data;
    size_t best = 0;

    assert_true(c->done <= c->n);
    memcpy(c->rows + c->done * c->n_vocab, logits, c->n_vocab * sizeof *logits);
    if (c->done++ == c->n) return -1;
    for (size_t i = 1; i < c->n_vocab; i++)
        if (logits[i] > logits[best]) best = i;
    return (int32_t)best;
}

/* A prompt and its continuation by a session of its own. */
static job
make_job(const fixture *f, size_t n_prompt, size_t n, size_t salt)
{
    g_autoptr(GError) error = NULL;
    job j = {.n_prompt = n_prompt, .n = n};
    chooser c = {f->n_vocab, n, 0, g_new(float, (n + 1) * f->n_vocab)};
    g_autofree float *logits = g_new(float, f->n_vocab);
    g_autoptr(engine_session) session =
        engine_session_new(f->model, f->pool, (uint32_t)(n_prompt + n), &error);

    if (!session) fail_msg("%s", error->message);
    for (size_t i = 0; i < n_prompt; i++)
        j.prompt[i] = (int32_t)((i * i * 31 + i * (5 + salt % 3) + salt / 3) % f->n_vocab);
    j.text = g_new(int32_t, n + 1);
    if (!engine_session_eval(session, j.prompt, n_prompt, logits, NULL, &error))
        fail_msg("%s", error->message);
    for (size_t i = 0; (j.text[i] = pick(logits, &c)) >= 0; i++)
        if (!engine_session_eval(session, j.text + i, 1, logits, NULL, &error))
            fail_msg("%s", error->message);
    j.rows = c.rows;
    return j;
}

static void
free_job(job *j)
{
    g_free(j->text);
    g_free(j->rows);
}

static engine_batch *
new_guessing_batch(const fixture *f, uint32_t n_pages, uint32_t chunk, uint32_t n_sequences,
                   uint32_t n_draft)
{
    g_autoptr(GError) error = NULL;
    engine_batch_options options = engine_batch_options_default();

    options.n_cached = (n_pages - 1) * ENGINE_KV_PAGE; /* one is to spare */
    options.chunk = chunk;
    options.n_sequences = n_sequences;
    options.n_draft = n_draft;
    engine_batch *batch = engine_batch_new(f->model, f->pool, &options, &error);
    if (!batch) fail_msg("%s", error->message);
    return batch;
}

static engine_batch *
new_batch(const fixture *f, uint32_t n_pages, uint32_t chunk, uint32_t n_sequences)
{
    return new_guessing_batch(f, n_pages, chunk, n_sequences, 0);
}

static uint32_t
add_job(engine_batch *batch, const job *j, chooser *c, const int *cancel)
{
    g_autoptr(GError) error = NULL;
    const engine_request request = {.prompt = j->prompt,
                                    .n = j->n_prompt,
                                    .n_context = (uint32_t)(j->n_prompt + j->n),
                                    .pick = pick,
                                    .user_data = c,
                                    .cancel = cancel};
    const uint32_t id = engine_batch_add(batch, &request, &error);
    if (id == 0) fail_msg("%s", error->message);
    return id;
}

static void
step(engine_batch *batch)
{
    g_autoptr(GError) error = NULL;
    if (!engine_batch_step(batch, &error)) fail_msg("%s", error->message);
}

static void
check_job(const engine_batch *batch, uint32_t id, const fixture *f, const job *j, const chooser *c)
{
    size_t n;
    const int32_t *tokens = engine_batch_get_tokens(batch, id, &n);

    assert_int_equal(engine_batch_get_state(batch, id), ENGINE_REQUEST_ENDED);
    assert_int_equal(n, j->n_prompt + j->n);
    assert_memory_equal(tokens + j->n_prompt, j->text, j->n * sizeof *tokens);
    assert_memory_equal(c->rows, j->rows, (j->n + 1) * f->n_vocab * sizeof(float));
}

/* All jobs, arriving a few steps apart, on a cache of n_pages. */
static engine_batch_stats
run_jobs(const fixture *f, const job *jobs, uint32_t n_pages, uint32_t chunk, uint32_t n_sequences,
         uint32_t n_draft)
{
    g_autoptr(engine_batch) batch = new_guessing_batch(f, n_pages, chunk, n_sequences, n_draft);
    chooser choosers[N_REQUESTS];
    uint32_t ids[N_REQUESTS];
    size_t n_steps = 0;

    for (size_t i = 0; i < N_REQUESTS; i++) {
        choosers[i] = (chooser){f->n_vocab, jobs[i].n, 0, NULL};
        choosers[i].rows = g_new(float, (jobs[i].n + 1) * f->n_vocab);
        ids[i] = add_job(batch, &jobs[i], &choosers[i], NULL);
        for (size_t s = 0; s < i; s++)
            step(batch);
    }
    for (; engine_batch_n_unfinished(batch) > 0; n_steps++) {
        assert_true(n_steps < 3000);
        step(batch);
    }
    for (size_t i = 0; i < N_REQUESTS; i++) {
        check_job(batch, ids[i], f, &jobs[i], &choosers[i]);
        g_free(choosers[i].rows);
    }
    return engine_batch_get_stats(batch);
}

static void
make_jobs(const fixture *f, job *jobs)
{
    static const size_t sizes[N_REQUESTS][2] = {{5, 40},   {260, 20}, {1, 150},
                                                {130, 30}, {260, 25}, {64, 70}};
    /* the second and the fifth begin alike */
    for (size_t i = 0; i < N_REQUESTS; i++)
        jobs[i] = make_job(f, sizes[i][0], sizes[i][1], i % 3);
}

static void
sequences_of_a_batch_get_what_they_get_alone(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(CASES); i++) {
        fixture f;
        job jobs[N_REQUESTS];
        fixture_open(&f, CASES[i]);
        make_jobs(&f, jobs);
        const engine_batch_stats roomy = run_jobs(&f, jobs, 64, 64, 8, 0);
        assert_int_equal(roomy.n_preempted, 0);
        assert_true(roomy.n_passes < roomy.n_rows / 2);
        run_jobs(&f, jobs, 64, 7, 3, 0);
        /* three pages: the longest alone needs them all */
        const engine_batch_stats tight = run_jobs(&f, jobs, 3, 100, 8, 0);
        print_message("%s: %d passes, %d rows; tight: %d passes, %d rows, %d times preempted\n",
                      CASES[i], (int)roomy.n_passes, (int)roomy.n_rows, (int)tight.n_passes,
                      (int)tight.n_rows, (int)tight.n_preempted);
        assert_true(tight.n_preempted > 0);
        for (size_t j = 0; j < N_REQUESTS; j++)
            free_job(&jobs[j]);
        fixture_close(&f);
    }
}

static void
guesses_in_a_batch_change_no_bit(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(CASES); i++) {
        fixture f;
        job jobs[N_REQUESTS];
        fixture_open(&f, CASES[i]);
        make_jobs(&f, jobs);
        const engine_batch_stats roomy = run_jobs(&f, jobs, 64, 64, 8, 6);
        run_jobs(&f, jobs, 64, 8, 3, 15);
        const engine_batch_stats tight = run_jobs(&f, jobs, 3, 100, 8, 3);
        print_message("%s: %d of %d guesses held; tight: %d of %d\n", CASES[i],
                      (int)roomy.n_accepted, (int)roomy.n_drafted, (int)tight.n_accepted,
                      (int)tight.n_drafted);
        assert_true(roomy.n_accepted < roomy.n_drafted);
        /* a head of random weights is never right */
        assert_true(engine_decoder_n_mtp(f.model) > 0 || roomy.n_accepted > 0);
        for (size_t j = 0; j < N_REQUESTS; j++)
            free_job(&jobs[j]);
        fixture_close(&f);
    }
}

/* Tokens guessed for each of three texts, with the texts side by side or one after the other. */
static void
count_guesses(const fixture *f, const job *jobs, gboolean together, engine_request_stats *out)
{
    g_autoptr(engine_batch) batch = new_guessing_batch(f, 64, 256, 8, 5);
    chooser choosers[3];
    uint32_t ids[3];

    for (size_t i = 0; i < 3; i++) {
        choosers[i] =
            (chooser){f->n_vocab, jobs[i].n, 0, g_new(float, (jobs[i].n + 1) * f->n_vocab)};
        ids[i] = add_job(batch, &jobs[i], &choosers[i], NULL);
        while (!together && engine_batch_n_unfinished(batch) > 0)
            step(batch);
    }
    while (engine_batch_n_unfinished(batch) > 0)
        step(batch);
    for (size_t i = 0; i < 3; i++) {
        check_job(batch, ids[i], f, &jobs[i], &choosers[i]);
        out[i] = engine_batch_get_request_stats(batch, ids[i]);
        g_free(choosers[i].rows);
    }
}

/* The prompt is three tokens that do not repeat: in the first passes only the model's own head has anything to say. */
static void
a_draft_head_guesses_for_many_as_for_one(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, "qwen3_5_moe");
    assert_true(engine_decoder_n_mtp(f.model) > 0);
    job jobs[3] = {make_job(&f, 3, 3, 0), make_job(&f, 33, 60, 1), make_job(&f, 50, 40, 2)};
    engine_request_stats alone[3], together[3];

    count_guesses(&f, jobs, FALSE, alone);
    count_guesses(&f, jobs, TRUE, together);
    assert_true(alone[0].n_drafted > 0);
    for (size_t i = 0; i < 3; i++) {
        print_message("text %zu: %u of %u guesses held\n", i, alone[i].n_accepted,
                      alone[i].n_drafted);
        assert_int_equal(together[i].n_drafted, alone[i].n_drafted);
        assert_int_equal(together[i].n_accepted, alone[i].n_accepted);
        free_job(&jobs[i]);
    }
    fixture_close(&f);
}

/* A tensor's float32 numbers, shape [*n_rows, *n_columns], in the safetensors file `bytes`; aligned or not. */
static char *
stored_tensor(char *bytes, const json_t *header, const char *name, size_t *n_rows,
              size_t *n_columns)
{
    const json_t *tensor = json_object_get(header, name), *shape = json_object_get(tensor, "shape");
    uint64_t header_bytes;

    if (!tensor) fail_msg("no %s", name);
    memcpy(&header_bytes, bytes, sizeof header_bytes);
    *n_rows = (size_t)json_integer_value(json_array_get(shape, 0));
    *n_columns = (size_t)json_integer_value(json_array_get(shape, 1));
    const json_int_t at =
        json_integer_value(json_array_get(json_object_get(tensor, "data_offsets"), 0));
    return bytes + sizeof header_bytes + header_bytes + at;
}

/* Makes of qwen3_5 a model that counts, token t followed by t + 1: layers that add nothing to the token's embedding,
 * and an output whose row t + 1 is the embedding of t. Its draft head goes on from the token it is told of. */
static void
teach_to_count(const char *folder)
{
    static const char *const silent[] = {"out_proj.weight", "o_proj.weight", "down_proj.weight"};
    g_autofree char *path = g_build_filename(folder, "model.safetensors", NULL), *bytes = NULL;
    gsize n_bytes;
    uint64_t header_bytes;
    size_t n_rows, n_columns, n_vocab, n_embd;

    assert_true(g_file_get_contents(path, &bytes, &n_bytes, NULL));
    memcpy(&header_bytes, bytes, sizeof header_bytes);
    json_t *header = json_loadb(bytes + sizeof header_bytes, header_bytes, 0, NULL);
    const char *name;
    json_t *tensor;
    json_object_foreach(header, name, tensor)
    {
        for (size_t i = 0; i < G_N_ELEMENTS(silent); i++) {
            if (!g_str_has_suffix(name, silent[i])) continue;
            char *values = stored_tensor(bytes, header, name, &n_rows, &n_columns);
            memset(values, 0, n_rows * n_columns * sizeof(float));
        }
    }
    const char *embd =
        stored_tensor(bytes, header, "model.language_model.embed_tokens.weight", &n_vocab, &n_embd);
    const size_t row = n_embd * sizeof(float);
    char *output = stored_tensor(bytes, header, "lm_head.weight", &n_rows, &n_columns);
    for (size_t t = 0; t < n_vocab; t++)
        memcpy(output + (t + 1) % n_vocab * row, embd + t * row, row);
    char *join = stored_tensor(bytes, header, "mtp.fc.weight", &n_rows, &n_columns);
    const float one = 1.0f;
    memset(join, 0, n_rows * n_columns * sizeof one);
    for (size_t i = 0; i < n_rows; i++)
        memcpy(join + (i * n_columns + i) * sizeof one, &one, sizeof one);
    assert_true(g_file_set_contents(path, bytes, (gssize)n_bytes, NULL));
    json_decref(header);
}

static void
guesses_of_a_head_that_knows_are_all_taken(void **state)
{
    (void)state;
    fixture f = {.c = tiny_case_load("qwen3_5"), .pool = engine_pool_new(2)};
    f.folder = tiny_case_write(f.c, TINY_F32);
    teach_to_count(f.folder);
    f.model = open_model(f.folder);
    f.n_vocab = engine_model_get_info(f.model)->n_vocab;
    job jobs[3] = {make_job(&f, 3, 40, 0), make_job(&f, 33, 60, 1), make_job(&f, 50, 41, 2)};
    engine_request_stats stats[3];

    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j + 1 < jobs[i].n; j++)
            assert_int_equal(jobs[i].text[j + 1], (jobs[i].text[j] + 1) % (int32_t)f.n_vocab);
    count_guesses(&f, jobs, TRUE, stats);
    for (size_t i = 0; i < 3; i++) {
        print_message("text %zu: %u of %u guesses held\n", i, stats[i].n_accepted,
                      stats[i].n_drafted);
        /* five at a time, and one more by the pass itself: all but the first token and a rest of the text */
        assert_true(stats[i].n_accepted >= jobs[i].n / 6 * 5 - 5);
        assert_true(stats[i].n_accepted + 5 >= stats[i].n_drafted);
        free_job(&jobs[i]);
    }
    fixture_close(&f);
}

static void
cancelling_one_takes_a_pass_and_leaves_the_others(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, "qwen3");
    job jobs[2] = {make_job(&f, 40, 30, 0), make_job(&f, 600, 10, 1)};
    g_autoptr(engine_batch) batch = new_batch(&f, 64, 64, 8);
    chooser choosers[2];
    int cancel = 0;
    uint32_t ids[2];

    for (size_t i = 0; i < 2; i++) {
        choosers[i] = (chooser){f.n_vocab, jobs[i].n, 0, NULL};
        choosers[i].rows = g_new(float, (jobs[i].n + 1) * f.n_vocab);
        ids[i] = add_job(batch, &jobs[i], &choosers[i], i == 1 ? &cancel : NULL);
    }
    step(batch);
    step(batch);
    cancel = 1;
    step(batch);
    assert_int_equal(engine_batch_get_state(batch, ids[1]), ENGINE_REQUEST_CANCELLED);
    assert_int_equal(choosers[1].done, 0);
    while (engine_batch_n_unfinished(batch) > 0)
        step(batch);
    check_job(batch, ids[0], &f, &jobs[0], &choosers[0]);
    engine_batch_remove(batch, ids[0]);
    engine_batch_remove(batch, ids[1]);
    size_t n;
    assert_null(engine_batch_get_tokens(batch, ids[0], &n));
    for (size_t i = 0; i < 2; i++) {
        g_free(choosers[i].rows);
        free_job(&jobs[i]);
    }
    fixture_close(&f);
}

static void
what_cannot_run_is_refused_or_ends_full(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, "qwen3");
    g_autoptr(engine_batch) batch = new_batch(&f, 2, 64, 8);
    g_autoptr(GError) error = NULL;
    int32_t tokens[N_MOST] = {0};
    chooser c = {f.n_vocab, 2000, 0, g_new(float, 2001 * f.n_vocab)};
    engine_request request = {
        .prompt = tokens, .n = 300, .n_context = 4000, .pick = pick, .user_data = &c};

    assert_int_equal(engine_batch_add(batch, &request, &error), 0);
    assert_true(g_error_matches(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT));
    g_clear_error(&error);
    request.n = 0;
    assert_int_equal(engine_batch_add(batch, &request, &error), 0);
    assert_true(g_error_matches(error, ENGINE_ERROR, ENGINE_ERROR_ARGUMENT));
    g_clear_error(&error);
    request.n = 200;
    tokens[100] = (int32_t)f.n_vocab;
    assert_int_equal(engine_batch_add(batch, &request, &error), 0);
    assert_true(g_error_matches(error, ENGINE_ERROR, ENGINE_ERROR_ARGUMENT));
    tokens[100] = 1;
    const uint32_t id = engine_batch_add(batch, &request, NULL);
    while (engine_batch_n_unfinished(batch) > 0)
        step(batch);
    size_t n;
    engine_batch_get_tokens(batch, id, &n);
    assert_int_equal(engine_batch_get_state(batch, id), ENGINE_REQUEST_FULL);
    assert_int_equal(n, 2 * ENGINE_KV_PAGE + 1); /* the last was chosen but has no place */
    g_free(c.rows);
    fixture_close(&f);
}

/* ---- scoring ---- */

enum { N_PREFIX = 150, N_TEXTS = 7, N_CHOICES = 3 };

typedef struct {
    int32_t prefix[N_PREFIX], tokens[N_TEXTS][400], choices[N_CHOICES];
    engine_score_text texts[N_TEXTS];
} scores_asked;

static void
make_texts(const fixture *f, scores_asked *asked)
{
    static const size_t sizes[N_TEXTS][2] = {{20, 0},    {1, 1},  {300, 5}, {0, 0},
                                             {127, 127}, {64, 0}, {390, 40}};

    for (size_t i = 0; i < N_PREFIX; i++)
        asked->prefix[i] = (int32_t)((i * i * 17 + 3 * i + 2) % f->n_vocab);
    for (size_t t = 0; t < N_TEXTS; t++) {
        for (size_t i = 0; i < sizes[t][0]; i++)
            asked->tokens[t][i] = (int32_t)((i * i * 7 + i * (t + 2) + t) % f->n_vocab);
        asked->texts[t] = (engine_score_text){asked->tokens[t], sizes[t][0], sizes[t][1]};
    }
    for (size_t i = 0; i < N_CHOICES; i++)
        asked->choices[i] = (int32_t)(i * 11 % f->n_vocab);
}

static engine_score_request
request_of(const scores_asked *asked, const engine_score_text *texts, size_t n)
{
    return (engine_score_request){.prefix = asked->prefix,
                                  .n_prefix = N_PREFIX,
                                  .texts = texts,
                                  .n_texts = n,
                                  .choices = asked->choices,
                                  .n_choices = N_CHOICES};
}

static double
log_probability(const float *logits, size_t n_vocab, int32_t token)
{
    double max = -INFINITY, sum = 0.0;

    for (size_t i = 0; i < n_vocab; i++)
        max = fmax(max, (double)logits[i]);
    for (size_t i = 0; i < n_vocab; i++)
        sum += exp((double)logits[i] - max);
    return (double)logits[token] - max - log(sum);
}

/* By a session of the text's own and plain arithmetic. */
static void
check_scores(const fixture *f, const scores_asked *asked, size_t t, const float *choices,
             float judged)
{
    g_autoptr(GError) error = NULL;
    const engine_score_text *text = &asked->texts[t];
    const size_t n = N_PREFIX + text->n;
    g_autofree int32_t *tokens = g_new(int32_t, n);
    g_autofree float *logits = g_new(float, n * f->n_vocab);
    double sum = 0.0;
    g_autoptr(engine_session) session = engine_session_new(f->model, f->pool, (uint32_t)n, &error);

    memcpy(tokens, asked->prefix, sizeof asked->prefix);
    memcpy(tokens + N_PREFIX, text->tokens, text->n * sizeof *tokens);
    if (!session || !engine_session_eval(session, tokens, n, NULL, logits, &error))
        fail_msg("%s", error->message);
    for (size_t i = 0; i < N_CHOICES; i++)
        assert_true(fabs((double)choices[i] - log_probability(logits + (n - 1) * f->n_vocab,
                                                              f->n_vocab, asked->choices[i])) <
                    1e-5);
    for (size_t i = n - text->n_judged; i < n; i++)
        sum += log_probability(logits + (i - 1) * f->n_vocab, f->n_vocab, tokens[i]);
    assert_true(fabs((double)judged - sum) < 1e-5 * (1.0 + (double)text->n_judged));
}

static void
a_text_is_scored_alike_alone_and_among_others(void **state)
{
    (void)state;
    static const uint32_t pages[] = {64, 7, 64}, chunks[] = {256, 64, 5};

    for (size_t i = 0; i < G_N_ELEMENTS(CASES); i++) {
        fixture f;
        scores_asked asked;
        float expected[N_TEXTS][N_CHOICES], expected_judged[N_TEXTS];
        fixture_open(&f, CASES[i]);
        make_texts(&f, &asked);
        for (size_t t = 0; t < N_TEXTS; t++) {
            g_autoptr(engine_batch) batch = new_batch(&f, 64, 256, 1);
            const engine_score_request one = request_of(&asked, &asked.texts[t], 1);
            assert_true(engine_batch_score(batch, &one, expected[t], &expected_judged[t], NULL));
            check_scores(&f, &asked, t, expected[t], expected_judged[t]);
        }
        for (size_t c = 0; c < G_N_ELEMENTS(pages); c++) {
            g_autoptr(engine_batch) batch = new_batch(&f, pages[c], chunks[c], 4);
            const engine_score_request all = request_of(&asked, asked.texts, N_TEXTS);
            for (size_t again = 0; again < 2; again++) { /* the second time its prefix is known */
                g_autoptr(GError) error = NULL;
                float choices[N_TEXTS][N_CHOICES], judged[N_TEXTS];
                if (!engine_batch_score(batch, &all, choices[0], judged, &error))
                    fail_msg("%s", error->message);
                assert_memory_equal(choices, expected, sizeof choices);
                assert_memory_equal(judged, expected_judged, sizeof judged);
            }
        }
        fixture_close(&f);
    }
}

static void
scores_that_cannot_be_had_are_refused(void **state)
{
    (void)state;
    fixture f;
    scores_asked asked;
    float choices[N_TEXTS * N_CHOICES];
    g_autoptr(GError) error = NULL;
    int cancel = 1;

    fixture_open(&f, "qwen3");
    make_texts(&f, &asked);
    g_autoptr(engine_batch) batch = new_batch(&f, 4, 64, 4);
    engine_score_request request = request_of(&asked, asked.texts, N_TEXTS);
    assert_false(engine_batch_score(batch, &request, choices, NULL, &error)); /* 540 tokens */
    assert_true(g_error_matches(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT));
    assert_non_null(strstr(error->message, "text 2"));
    g_clear_error(&error);
    request.n_texts = 2;
    request.cancel = &cancel;
    assert_false(engine_batch_score(batch, &request, choices, NULL, &error));
    assert_true(g_error_matches(error, ENGINE_ERROR, ENGINE_ERROR_CANCELLED));
    g_clear_error(&error);
    request.cancel = NULL;
    request.n_prefix = 0;
    assert_false(engine_batch_score(batch, &request, choices, NULL, &error));
    assert_true(g_error_matches(error, ENGINE_ERROR, ENGINE_ERROR_ARGUMENT));
    g_clear_error(&error);
    request.n_prefix = 1;
    asked.tokens[0][3] = (int32_t)f.n_vocab;
    assert_false(engine_batch_score(batch, &request, choices, NULL, &error));
    assert_true(g_error_matches(error, ENGINE_ERROR, ENGINE_ERROR_ARGUMENT));
    g_clear_error(&error);
    asked.tokens[0][3] = 0;
    assert_true(engine_batch_score(batch, &request, choices, NULL, NULL));
    fixture_close(&f);
}

static void
a_batch_keeps_to_its_memory(void **state)
{
    (void)state;
    fixture f;
    engine_memory_plan plan;
    g_autoptr(GError) error = NULL;
    engine_batch_options options = engine_batch_options_default();

    fixture_open(&f, "qwen3");
    assert_true(engine_model_memory(f.model, 1024, 4, ENGINE_KV_F16, &plan, NULL));
    options.n_cached = 4096;
    options.n_sequences = 4;
    options.max_memory = plan.total_bytes - 1;
    assert_null(engine_batch_new(f.model, f.pool, &options, &error));
    assert_true(g_error_matches(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT));
    assert_non_null(strstr(error->message, "4096 tokens for 4 sequences"));
    options.max_memory++;
    g_autoptr(engine_batch) batch = engine_batch_new(f.model, f.pool, &options, NULL);
    assert_non_null(batch);
    fixture_close(&f);
}

/* Experts through an arena for twice as many as a token needs. */
static void
a_batch_reads_experts_as_it_needs_them(void **state)
{
    (void)state;
    fixture f;
    engine_memory_plan plan;
    g_autoptr(GError) error = NULL;
    engine_batch_options options = engine_batch_options_default();
    scores_asked asked;
    float expected[N_TEXTS * N_CHOICES], choices[N_TEXTS * N_CHOICES];

    fixture_open(&f, "qwen3_moe");
    make_texts(&f, &asked);
    const engine_score_request request = request_of(&asked, asked.texts, N_TEXTS);
    const engine_expert_sizes sizes = engine_expert_sizes_of(f.model);
    assert_true(engine_model_memory(f.model, 1024, 4, ENGINE_KV_F16, &plan, NULL));
    options.n_cached = 4096;
    options.n_sequences = 4;
    for (int limited = 0; limited < 2; limited++) {
        if (limited)
            options.max_memory =
                plan.total_bytes - sizes.all_bytes + 2 * sizes.n_used * sizes.slab_bytes;
        g_autoptr(engine_batch) batch = engine_batch_new(f.model, f.pool, &options, &error);
        if (!batch ||
            !engine_batch_score(batch, &request, limited ? choices : expected, NULL, &error))
            fail_msg("%s", error->message);
        assert_true((engine_batch_get_stats(batch).experts.n_reads > 0) == limited);
    }
    assert_memory_equal(choices, expected, sizeof choices);
    fixture_close(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequences_of_a_batch_get_what_they_get_alone),
        cmocka_unit_test(guesses_in_a_batch_change_no_bit),
        cmocka_unit_test(a_draft_head_guesses_for_many_as_for_one),
        cmocka_unit_test(guesses_of_a_head_that_knows_are_all_taken),
        cmocka_unit_test(cancelling_one_takes_a_pass_and_leaves_the_others),
        cmocka_unit_test(what_cannot_run_is_refused_or_ends_full),
        cmocka_unit_test(a_text_is_scored_alike_alone_and_among_others),
        cmocka_unit_test(scores_that_cannot_be_had_are_refused),
        cmocka_unit_test(a_batch_keeps_to_its_memory),
        cmocka_unit_test(a_batch_reads_experts_as_it_needs_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

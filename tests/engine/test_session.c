/* Sessions: prefixes that are kept, on disk too, and tokens guessed ahead change no bit of what is computed. */
#include "engine/draft.h"
#include "engine/prefix_store.h"
#include "engine/session.h"

#include "llama_check.h"
#include "tiny_case.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

/* Attention only; a hybrid with a draft head; another with experts. */
static const char *const CASES[] = {"qwen3", "qwen3_5", "qwen3_5_moe"};

enum { N_PROMPT = 300, N_CONTEXT = 400 };

typedef struct {
    tiny_case *c;
    char *folder;
    engine_model *model;
    engine_pool *pool;
    size_t n_vocab;
} fixture;

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

static engine_session *
open_session(const fixture *f, uint32_t n_context, engine_prefix_store *store, uint32_t n_draft)
{
    g_autoptr(GError) error = NULL;
    engine_session_options options = engine_session_options_default();

    options.n_context = n_context;
    options.prefixes = store;
    options.n_draft = n_draft;
    engine_session *session = engine_session_open(f->model, f->pool, &options, &error);
    if (!session) fail_msg("%s", error->message);
    return session;
}

static void
fill_tokens(int32_t *tokens, size_t n, size_t n_vocab, size_t salt)
{
    for (size_t i = 0; i < n; i++)
        tokens[i] = (int32_t)((i * i * 31 + i * (5 + salt) + 2) % n_vocab);
}

static void
evaluate(engine_session *session, const int32_t *tokens, size_t n, float *logits, float *all)
{
    g_autoptr(GError) error = NULL;
    if (!engine_session_eval(session, tokens, n, logits, all, &error))
        fail_msg("%s", error->message);
}

/* All logits of the prompt by a session that knows nothing. */
static float *
cold_run(const fixture *f, const int32_t *tokens, size_t n)
{
    g_autoptr(engine_session) session = open_session(f, N_CONTEXT, NULL, 0);
    float *all = g_new(float, n * f->n_vocab);
    evaluate(session, tokens, n, NULL, all);
    return all;
}

/* Reuse, run the rest, compare with the cold run; returns how many tokens were reused. */
static uint32_t
warm_run(const fixture *f, engine_session *session, const int32_t *tokens, size_t n,
         const float *cold)
{
    const uint32_t reused = engine_session_reuse(session, tokens, n);
    g_autofree float *all = g_new(float, n * f->n_vocab);

    assert_true(reused < n);
    assert_int_equal(engine_session_n_past(session), reused);
    evaluate(session, tokens + reused, n - reused, NULL, all);
    assert_memory_equal(all, cold + reused * f->n_vocab, (n - reused) * f->n_vocab * sizeof(float));
    engine_session_keep(session);
    return reused;
}

static void
a_known_prefix_gives_the_bytes_of_a_cold_run(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(CASES); i++) {
        fixture f;
        int32_t a[N_PROMPT], b[N_PROMPT];
        fixture_open(&f, CASES[i]);
        fill_tokens(a, N_PROMPT, f.n_vocab, 0);
        fill_tokens(b, N_PROMPT, f.n_vocab, 1);
        memcpy(b, a, 200 * sizeof *a); /* one page and a half in common */
        g_autofree float *cold_a = cold_run(&f, a, N_PROMPT), *cold_b = cold_run(&f, b, N_PROMPT);
        g_autoptr(engine_session) session = open_session(&f, 4 * N_CONTEXT, NULL, 0);

        assert_int_equal(warm_run(&f, session, a, N_PROMPT, cold_a), 0);
        assert_true(warm_run(&f, session, b, N_PROMPT, cold_b) >= ENGINE_KV_PAGE);
        const uint32_t again = warm_run(&f, session, a, N_PROMPT, cold_a);
        assert_true(again >= 2 * ENGINE_KV_PAGE);
        fixture_close(&f);
    }
}

static char *
temp_dir(void)
{
    g_autoptr(GError) error = NULL;
    char *dir = g_dir_make_tmp("lode-prefix-XXXXXX", &error);
    if (!dir) fail_msg("%s", error->message);
    return dir;
}

static void
remove_dir(const char *path)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    const char *name;
    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *file = g_build_filename(path, name, NULL);
        g_unlink(file);
    }
    g_rmdir(path);
}

static uint32_t
count_files(const char *path, uint64_t *n_bytes)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    const char *name;
    uint32_t n = 0;
    if (n_bytes) *n_bytes = 0;
    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *file = g_build_filename(path, name, NULL);
        GStatBuf info;
        assert_int_equal(g_stat(file, &info), 0);
        if (n_bytes) *n_bytes += (uint64_t)info.st_size;
        n++;
    }
    return n;
}

static void
count_warning(const char *line, void *user_data)
{
    assert_non_null(strstr(line, "ignored"));
    (*(int *)user_data)++;
}

static engine_prefix_store *
open_store(const char *dir, uint64_t max_bytes, int *n_warnings)
{
    g_autoptr(GError) error = NULL;
    engine_prefix_store *store =
        engine_prefix_store_open(dir, max_bytes, count_warning, n_warnings, &error);
    if (!store) fail_msg("%s", error->message);
    return store;
}

static void
a_stored_prompt_starts_another_session_warm(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(CASES); i++) {
        fixture f;
        int32_t tokens[N_PROMPT + 40];
        int n_warnings = 0;
        g_autofree char *dir = temp_dir();
        fixture_open(&f, CASES[i]);
        fill_tokens(tokens, N_PROMPT + 40, f.n_vocab, 0);
        g_autofree float *cold = cold_run(&f, tokens, N_PROMPT + 40);
        for (int round = 0; round < 3; round++) {
            g_autoptr(engine_prefix_store) store = open_store(dir, 0, &n_warnings);
            g_autoptr(engine_session) session = open_session(&f, N_CONTEXT, store, 0);
            /* the third continues where the stored prompt ended, in the middle of a page */
            const size_t n = round < 2 ? N_PROMPT : N_PROMPT + 40;
            const uint32_t reused = warm_run(&f, session, tokens, n, cold);
            if (round == 0)
                assert_int_equal(reused, 0);
            else if (round == 1)
                assert_true(reused >= 2 * ENGINE_KV_PAGE);
            else
                assert_int_equal(reused, N_PROMPT);
        }
        assert_int_equal(n_warnings, 0);
        remove_dir(dir);
        fixture_close(&f);
    }
}

/* Change every stored file in one way. */
static void
spoil(const char *path, int way)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    const char *name;
    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *file = g_build_filename(path, name, NULL), *bytes = NULL;
        gsize n;
        assert_true(g_file_get_contents(file, &bytes, &n, NULL));
        if (way == 0) bytes[n - 1] ^= 1;            /* the page */
        if (way == 1) bytes[8] ^= 1;                /* the version */
        if (way == 2) bytes[128] ^= 1;              /* a token */
        if (way == 3) n /= 2;                       /* cut off */
        if (way == 4) n = 0;                        /* empty */
        if (way == 5) memset(bytes, 'x', n);        /* something else */
        if (way == 6) bytes[110] ^= 1;              /* the checksum */
        if (way == 7) memset(bytes + 16, 0xff, 16); /* sizes */
        assert_true(g_file_set_contents(file, bytes, (gssize)n, NULL));
    }
}

static void
damaged_and_foreign_files_are_ignored_with_a_line(void **state)
{
    (void)state;
    fixture f;
    int32_t tokens[N_PROMPT];

    fixture_open(&f, "qwen3_5");
    fill_tokens(tokens, N_PROMPT, f.n_vocab, 0);
    g_autofree float *cold = cold_run(&f, tokens, N_PROMPT);
    for (int way = 0; way < 8; way++) {
        g_autofree char *dir = temp_dir();
        int n_warnings = 0;
        {
            g_autoptr(engine_prefix_store) store = open_store(dir, 0, &n_warnings);
            g_autoptr(engine_session) session = open_session(&f, N_CONTEXT, store, 0);
            warm_run(&f, session, tokens, N_PROMPT, cold);
        }
        assert_int_equal(n_warnings, 0);
        spoil(dir, way);
        g_autoptr(engine_prefix_store) store = open_store(dir, 0, &n_warnings);
        g_autoptr(engine_session) session = open_session(&f, N_CONTEXT, store, 0);
        assert_int_equal(warm_run(&f, session, tokens, N_PROMPT, cold), 0);
        assert_true(n_warnings > 0);
        /* each run comes upon the next damaged block and writes it anew */
        for (int i = 0; n_warnings > 0; i++) {
            assert_true(i < 4);
            n_warnings = 0;
            g_autoptr(engine_session) next = open_session(&f, N_CONTEXT, store, 0);
            const uint32_t reused = warm_run(&f, next, tokens, N_PROMPT, cold);
            assert_true(n_warnings > 0 || reused >= 2 * ENGINE_KV_PAGE);
        }
        remove_dir(dir);
    }
    fixture_close(&f);
}

static void
the_store_keeps_to_its_size_and_forgets_the_oldest(void **state)
{
    (void)state;
    fixture f;
    int32_t tokens[6][N_PROMPT];
    int n_warnings = 0;
    uint64_t n_bytes;
    g_autofree char *dir = temp_dir();

    fixture_open(&f, "qwen3");
    {
        g_autoptr(engine_prefix_store) store = open_store(dir, 0, &n_warnings);
        g_autoptr(engine_session) session = open_session(&f, N_CONTEXT, store, 0);
        fill_tokens(tokens[0], N_PROMPT, f.n_vocab, 0);
        evaluate(session, tokens[0], N_PROMPT, NULL, NULL);
        engine_session_keep(session);
    }
    assert_int_equal(count_files(dir, &n_bytes), 3);
    const uint64_t most = 3 * n_bytes;
    for (size_t i = 1; i < 6; i++) {
        g_autoptr(engine_prefix_store) store = open_store(dir, most, &n_warnings);
        g_autoptr(engine_session) session = open_session(&f, N_CONTEXT, store, 0);
        fill_tokens(tokens[i], N_PROMPT, f.n_vocab, i);
        /* the first prompt is asked for each time: it is never the oldest */
        assert_true(engine_session_reuse(session, tokens[0], N_PROMPT) > 0);
        engine_session_truncate(session, 0);
        evaluate(session, tokens[i], N_PROMPT, NULL, NULL);
        engine_session_keep(session);
        count_files(dir, &n_bytes);
        assert_true(n_bytes <= most);
    }
    g_autoptr(engine_prefix_store) store = open_store(dir, most, &n_warnings);
    g_autoptr(engine_session) session = open_session(&f, N_CONTEXT, store, 0);
    assert_true(engine_session_reuse(session, tokens[5], N_PROMPT) > 0);
    assert_true(engine_session_reuse(session, tokens[1], N_PROMPT) <=
                1); /* the first is the same */
    assert_int_equal(n_warnings, 0);
    remove_dir(dir);
    fixture_close(&f);
}

static void
prefixes_of_another_rotary_base_or_cache_type_are_not_taken(void **state)
{
    (void)state;
    fixture f;
    int32_t tokens[N_PROMPT];
    int n_warnings = 0;
    g_autofree char *dir = temp_dir();

    fixture_open(&f, "internlm2_dynamic"); /* the base grows with the length a sequence declares */
    fill_tokens(tokens, N_PROMPT, f.n_vocab, 0);
    g_autoptr(engine_prefix_store) store = open_store(dir, 0, &n_warnings);
    g_autoptr(engine_session) session = open_session(&f, N_CONTEXT, store, 0);
    evaluate(session, tokens, N_PROMPT, NULL, NULL);
    engine_session_keep(session);
    g_autoptr(engine_session) same = open_session(&f, N_CONTEXT, store, 0);
    assert_true(engine_session_reuse(same, tokens, N_PROMPT) > 0);
    g_autoptr(engine_session) longer = open_session(&f, 8 * N_CONTEXT, store, 0);
    assert_int_equal(engine_session_reuse(longer, tokens, N_PROMPT), 0);
    engine_session_options options = engine_session_options_default();
    options.n_context = N_CONTEXT;
    options.prefixes = store;
    options.kv_type = ENGINE_KV_F32;
    g_autoptr(engine_session) wider = engine_session_open(f.model, f.pool, &options, NULL);
    assert_int_equal(engine_session_reuse(wider, tokens, N_PROMPT), 0);
    assert_int_equal(n_warnings, 0);
    remove_dir(dir);
    fixture_close(&f);
}

static int32_t
likeliest(const float *logits, size_t n)
{
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        if (logits[i] > logits[best]) best = i;
    return (int32_t)best;
}

/* Greedy text behind the prompt; the logits before each token go to rows [n, n_vocab]. */
static void
greedy(const fixture *f, engine_session *session, const int32_t *prompt, size_t n_prompt,
       int32_t *out, size_t n, float *rows)
{
    g_autofree float *logits = g_new(float, f->n_vocab);

    evaluate(session, prompt, n_prompt, logits, NULL);
    for (size_t i = 0; i < n; i++) {
        memcpy(rows + i * f->n_vocab, logits, f->n_vocab * sizeof *logits);
        out[i] = likeliest(logits, f->n_vocab);
        /* now and then somebody else decides, as a sampler may */
        if (i % 17 == 16) out[i] = (int32_t)((size_t)(out[i] + 1) % f->n_vocab);
        evaluate(session, out + i, 1, logits, NULL);
    }
}

static void
guessing_ahead_changes_no_bit(void **state)
{
    (void)state;
    enum { N = 90 };

    for (size_t i = 0; i < G_N_ELEMENTS(CASES); i++) {
        fixture f;
        int32_t prompt[60], expected[N], out[N];
        fixture_open(&f, CASES[i]);
        fill_tokens(prompt, 60, f.n_vocab, 0);
        memcpy(prompt + 30, prompt, 30 * sizeof *prompt); /* it repeats itself */
        g_autofree float *rows = g_new(float, N *f.n_vocab), *again = g_new(float, N *f.n_vocab);
        g_autoptr(engine_session) plain = open_session(&f, N_CONTEXT, NULL, 0);
        greedy(&f, plain, prompt, 60, expected, N, rows);
        assert_int_equal(engine_session_get_stats(plain).n_drafted, 0);
        for (uint32_t n_draft = 1; n_draft <= 8; n_draft *= 2) {
            g_autoptr(engine_session) session = open_session(&f, N_CONTEXT, NULL, n_draft);
            greedy(&f, session, prompt, 60, out, N, again);
            assert_memory_equal(out, expected, sizeof out);
            assert_memory_equal(again, rows, N * f.n_vocab * sizeof(float));
            const engine_session_stats stats = engine_session_get_stats(session);
            print_message("%s, %u ahead: %d of %d guesses held, %d passes\n", CASES[i], n_draft,
                          (int)stats.n_accepted, (int)stats.n_drafted, (int)stats.n_passes);
            assert_true(stats.n_drafted > 0);
            /* cutting back with guesses open, and going on */
            engine_session_truncate(session, 100);
            g_autofree float *row = g_new(float, f.n_vocab);
            evaluate(session, expected + 40, 1, row, NULL);
            assert_memory_equal(row, rows + 41 * f.n_vocab, f.n_vocab * sizeof(float));
        }
        fixture_close(&f);
    }
}

static void
repeated_text_is_guessed(void **state)
{
    (void)state;
    fixture f;
    int32_t tokens[120];
    g_autofree float *logits = NULL;

    fixture_open(&f, "qwen3_5");
    fill_tokens(tokens, 40, f.n_vocab, 3);
    memcpy(tokens + 40, tokens, 40 * sizeof *tokens);
    memcpy(tokens + 80, tokens, 40 * sizeof *tokens);
    logits = g_new(float, f.n_vocab);
    fixture plain = f;
    g_autoptr(engine_session) session = open_session(&f, N_CONTEXT, NULL, 8);
    /* a draft head's guesses come first; without them the text's own */
    session->ahead.pace.most = 8;
    evaluate(session, tokens, 50, logits, NULL);
    session->ahead.pass_n = 0;
    for (size_t i = 50; i < 120; i++) {
        evaluate(session, tokens + i, 1, logits, NULL);
        session->ahead.pass_n = 0;
    }
    const engine_session_stats stats = engine_session_get_stats(session);
    print_message("%d of %d guesses held in %d passes\n", (int)stats.n_accepted,
                  (int)stats.n_drafted, (int)stats.n_passes);
    assert_true(stats.n_accepted > 50);
    assert_true(stats.n_passes < 25);
    g_autofree float *cold = cold_run(&plain, tokens, 120);
    assert_memory_equal(logits, cold + 119 * f.n_vocab, f.n_vocab * sizeof(float));
    fixture_close(&f);
}

static void
a_lookup_finds_the_longest_and_latest_repetition(void **state)
{
    (void)state;
    static const int32_t tokens[] = {1, 2, 3, 4, 9, 2, 3, 5, 9, 7, 3, 6, 1, 2, 3};
    int32_t out[4];

    assert_int_equal(engine_draft_lookup(tokens, 15, 4, out), 4); /* 1 2 3 beats 2 3 */
    assert_int_equal(out[0], 4);
    assert_int_equal(out[3], 3);
    assert_int_equal(engine_draft_lookup(tokens, 7, 4, out), 4); /* 2 3 */
    assert_int_equal(out[0], 4);
    assert_int_equal(engine_draft_lookup(tokens, 11, 4, out), 0); /* 3 alone says nothing */
    assert_int_equal(engine_draft_lookup(tokens, 2, 4, out), 0);
    static const int32_t same[] = {8, 8, 8, 8};
    assert_int_equal(engine_draft_lookup(same, 4, 4, out), 1);
    assert_int_equal(out[0], 8);
}

static void
what_does_not_fit_is_refused_with_a_line(void **state)
{
    (void)state;
    fixture f;
    g_autoptr(GError) error = NULL;
    engine_session_options options = engine_session_options_default();
    engine_memory_plan plan;

    fixture_open(&f, "qwen3");
    options.n_context = 4096;
    assert_true(engine_model_memory(f.model, 4096, 1, ENGINE_KV_F16, &plan, NULL));
    options.max_memory = plan.total_bytes - 1;
    assert_null(engine_session_open(f.model, f.pool, &options, &error));
    assert_true(g_error_matches(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT));
    assert_non_null(strstr(error->message, "4096 tokens"));
    assert_non_null(strstr(error->message, "allowed"));
    options.max_memory++;
    g_autoptr(engine_session) session = engine_session_open(f.model, f.pool, &options, NULL);
    assert_non_null(session);
    fixture_close(&f);
}

/* Experts through an arena for only so many of them, in prompts and in decoding. */
static void
experts_read_as_needed_give_the_same_bytes(void **state)
{
    (void)state;
    static const char *const cases[] = {"qwen3_moe", "qwen3_5_moe", "interns2_mobius"};

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        fixture f;
        int32_t tokens[60];
        engine_memory_plan plan;
        fixture_open(&f, cases[i]);
        fill_tokens(tokens, 60, f.n_vocab, 0);
        g_autofree float *expected = cold_run(&f, tokens, 60), *all = g_new(float, 60 * f.n_vocab);
        const engine_expert_sizes sizes = engine_expert_sizes_of(f.model);
        assert_true(sizes.n_used > 0);
        assert_true(engine_model_memory(f.model, N_CONTEXT, 1, ENGINE_KV_F16, &plan, NULL));
        engine_session_options options = engine_session_options_default();
        options.n_context = N_CONTEXT;
        for (uint32_t n_slabs = sizes.n_used; n_slabs <= 4 * sizes.n_used;
             n_slabs += sizes.n_used) {
            g_autoptr(GError) error = NULL;
            options.max_memory =
                plan.total_bytes - sizes.all_bytes + (uint64_t)n_slabs * sizes.slab_bytes;
            if (options.max_memory >= plan.total_bytes) break;
            g_autoptr(engine_session) session =
                engine_session_open(f.model, f.pool, &options, &error);
            if (!session) fail_msg("%s", error->message);
            evaluate(session, tokens, 30, NULL, all);
            for (size_t t = 30; t < 60; t++)
                evaluate(session, tokens + t, 1, NULL, all + t * f.n_vocab);
            assert_memory_equal(all, expected, 60 * f.n_vocab * sizeof(float));
            const engine_session_stats stats = engine_session_get_stats(session);
            print_message("%s, room for %u experts: %d there, %d read\n", cases[i], n_slabs,
                          (int)stats.experts.n_hits, (int)stats.experts.n_reads);
            assert_true(stats.experts.n_reads > n_slabs);
            assert_int_equal(stats.experts.n_bytes % 64, 0);
        }
        options.max_memory =
            plan.total_bytes - sizes.all_bytes + (uint64_t)(sizes.n_used - 1) * sizes.slab_bytes;
        g_autoptr(GError) refused = NULL;
        assert_null(engine_session_open(f.model, f.pool, &options, &refused));
        assert_true(g_error_matches(refused, ENGINE_ERROR, ENGINE_ERROR_LIMIT));
        fixture_close(&f);
    }
}

static void
the_checksum_is_xxh64(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t sum;
    } known[] = {{"", 0xEF46DB3751D8E999u},
                 {"a", 0xD24EC4F1A98C6E5Bu},
                 {"abc", 0x44BC2CF5AD770999u},
                 {"Nobody inspects the spammish repetition", 0xFBCEA83C8A378BF1u}};
    for (size_t i = 0; i < G_N_ELEMENTS(known); i++)
        assert_true(engine_prefix_checksum((const uint8_t *)known[i].text, strlen(known[i].text),
                                           0) == known[i].sum);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_known_prefix_gives_the_bytes_of_a_cold_run),
        cmocka_unit_test(a_stored_prompt_starts_another_session_warm),
        cmocka_unit_test(damaged_and_foreign_files_are_ignored_with_a_line),
        cmocka_unit_test(the_store_keeps_to_its_size_and_forgets_the_oldest),
        cmocka_unit_test(prefixes_of_another_rotary_base_or_cache_type_are_not_taken),
        cmocka_unit_test(guessing_ahead_changes_no_bit),
        cmocka_unit_test(repeated_text_is_guessed),
        cmocka_unit_test(a_lookup_finds_the_longest_and_latest_repetition),
        cmocka_unit_test(what_does_not_fit_is_refused_with_a_line),
        cmocka_unit_test(experts_read_as_needed_give_the_same_bytes),
        cmocka_unit_test(the_checksum_is_xxh64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

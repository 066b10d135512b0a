/* What must hold of the decoder whatever the weights: drafts as recorded, sequences that do not see each other,
 * experts that may lie anywhere. */
#include "llama_check.h"
#include "tiny_case.h"

#include "engine/backend.h"
#include "engine/decoder_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void
assert_no_error(const GError *error)
{
    if (error) fail_msg("%s", error->message);
}

/* ---- a model and sequences over one cache ---- */

enum { N_SEQUENCES = 4 };

typedef struct {
    tiny_case *c;
    char *folder;
    engine_model *model;
    engine_pool *pool;
    engine_kv *kv;
    engine_decoder_scratch *scratch;
    engine_sequence_state sequences[N_SEQUENCES];
} bench;

static void
bench_open(bench *b, const char *name, int n_threads)
{
    g_autoptr(GError) error = NULL;

    *b = (bench){.c = tiny_case_load(name)};
    b->folder = tiny_case_write(b->c, TINY_F32);
    b->model = open_model(b->folder);
    b->pool = engine_pool_new(n_threads);
    const engine_kv_shape shape =
        engine_decoder_kv_shape(b->model, ENGINE_TYPE_F32, ENGINE_TYPE_F32);
    b->kv = engine_kv_new(&shape, 4 * N_SEQUENCES, &error);
    assert_no_error(error);
    b->scratch = engine_decoder_scratch_new(b->model, b->pool, 256, &error);
    assert_no_error(error);
    for (size_t i = 0; i < N_SEQUENCES; i++) {
        b->sequences[i].recurrent = engine_recurrent_new(b->model, &error);
        assert_no_error(error);
        b->sequences[i].rope_base = engine_decoder_rope_base(b->model, 1);
    }
}

static void
bench_close(bench *b)
{
    for (size_t i = 0; i < N_SEQUENCES; i++) {
        engine_kv_clear(b->kv, &b->sequences[i].kv);
        engine_recurrent_free(b->sequences[i].recurrent);
    }
    engine_decoder_scratch_free(b->scratch);
    engine_kv_free(b->kv);
    engine_pool_free(b->pool);
    engine_model_free(b->model);
    tiny_case_remove(b->folder);
    tiny_case_free(b->c);
}

/* One pass; each span's tokens follow what its sequence holds. */
static void
bench_pass(bench *b, const int32_t *tokens, engine_decoder_span *spans, size_t n_spans)
{
    g_autoptr(GError) error = NULL;
    uint32_t rows = 0;

    for (size_t i = 0; i < n_spans; i++) {
        engine_kv_table *table = &spans[i].sequence->kv;
        spans[i].row = rows;
        spans[i].first = table->n_tokens;
        rows += spans[i].n;
        engine_kv_reserve(b->kv, table, spans[i].first + spans[i].n, &error);
        assert_no_error(error);
    }
    engine_decoder_forward(b->scratch, b->kv, tokens, rows, spans, n_spans, &error);
    assert_no_error(error);
    for (size_t i = 0; i < n_spans; i++)
        spans[i].sequence->kv.n_tokens += spans[i].n;
}

/* ---- drafts ---- */

static void
check_drafts(const char *name, const char *head, uint32_t step)
{
    bench b;
    bench_open(&b, name, 2);
    const size_t n = b.c->n_ids - 1, n_vocab = b.c->n_vocab;
    g_autofree float *drafts = g_new0(float, n *n_vocab);
    g_autofree float *one = g_new(float, n_vocab);
    g_autoptr(GError) error = NULL;

    assert_true(engine_decoder_choose_mtp(b.scratch, head));
    for (size_t done = 0; done < n; done += step) {
        engine_decoder_span span = {&b.sequences[0], 0, (uint32_t)MIN(step, n - done), 0};
        bench_pass(&b, b.c->ids + done, &span, 1);
        engine_decoder_mtp(b.scratch, b.kv, b.c->ids + done + 1, span.n, &span, 1, one, &error);
        assert_no_error(error);
        memcpy(drafts + (done + span.n - 1) * n_vocab, one, n_vocab * sizeof *one);
    }
    if (step == 1) {
        const double off = tiny_case_draft_error(b.c, head, drafts);
        if (!(off <= 1e-4)) fail_msg("%s: %s: off by %.2e of the largest logit", name, head, off);
    } else { /* the last rows of longer passes give the same bytes as single rows */
        bench single;
        bench_open(&single, name, 1);
        assert_true(engine_decoder_choose_mtp(single.scratch, head));
        for (size_t p = 0; p < n; p++) {
            engine_decoder_span span = {&single.sequences[0], 0, 1, 0};
            bench_pass(&single, single.c->ids + p, &span, 1);
            engine_decoder_mtp(single.scratch, single.kv, single.c->ids + p + 1, 1, &span, 1, one,
                               &error);
            assert_no_error(error);
            if ((p + 1) % step == 0 || p + 1 == n)
                assert_memory_equal(one, drafts + p * n_vocab, n_vocab * sizeof *one);
        }
        bench_close(&single);
    }
    bench_close(&b);
}

static void
draft_heads_give_the_recorded_logits(void **state)
{
    (void)state;
    static const char *const heads[] = {"mtp", "normal", "sci"};
    g_auto(GStrv) names = tiny_case_names();
    size_t n_checked = 0;

    for (char **name = names; *name; name++) {
        g_autoptr(tiny_case) c = tiny_case_load(*name);
        for (size_t h = 0; h < G_N_ELEMENTS(heads); h++) {
            if (!tiny_case_has_drafts(c, heads[h])) continue;
            check_drafts(*name, heads[h], 1);
            check_drafts(*name, heads[h], 9);
            n_checked++;
        }
    }
    assert_true(n_checked >= 5);
}

/* Rows whose next token is not known yet are left out, and drafting goes on from the head's own output as it
 * does from the trunk's. */
static void
drafting_again_is_drafting_from_the_heads_own_output(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, "qwen3_5_moe", 1);
    const size_t n_vocab = b.c->n_vocab, n_bytes = n_vocab * sizeof(float);
    const uint32_t n_embd = engine_model_get_info(b.model)->n_embd;
    g_autofree float *first = g_new(float, n_vocab), *again = g_new(float, n_vocab),
                     *expected = g_new(float, n_vocab);
    g_autoptr(GError) error = NULL;
    int32_t next[8];

    memcpy(next, b.c->ids + 1, sizeof next);
    next[6] = next[7] = -1;
    engine_decoder_span span = {&b.sequences[0], 0, 8, 0};
    bench_pass(&b, b.c->ids, &span, 1);
    engine_decoder_mtp(b.scratch, b.kv, next, 8, &span, 1, first, &error);
    assert_no_error(error);
    g_autofree float *hidden = g_memdup2(b.scratch->draft, n_embd * sizeof(float));
    const engine_decoder_span at = {&b.sequences[0], 0, 1, 6};
    const int32_t drafted = 17;
    const uint32_t from = 0;
    engine_decoder_mtp_again(b.scratch, b.kv, &drafted, &from, &at, 1, again, &error);
    assert_no_error(error);

    memcpy(b.scratch->hidden, hidden, n_embd * sizeof(float));
    next[0] = 17;
    engine_decoder_mtp(b.scratch, b.kv, next, 1, &at, 1, expected, &error);
    assert_no_error(error);
    assert_memory_equal(again, expected, n_bytes);
    assert_memory_not_equal(again, first, n_bytes);
    bench_close(&b);
}

/* ---- several sequences in a pass ---- */

static void
check_batch(const char *name)
{
    static const uint32_t bases[N_SEQUENCES] = {1, 100, 1, 5000};
    static const uint32_t rounds[][N_SEQUENCES] = {{5, 1, 20, 33}, {1, 1, 1, 1}, {1, 40, 1, 2}};
    bench together, alone;
    uint32_t rows[256];

    bench_open(&together, name, 2);
    bench_open(&alone, name, 1);
    const size_t n_vocab = together.c->n_vocab;
    g_autofree float *all = g_new(float, 256 * n_vocab), *some = g_new(float, 256 * n_vocab);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        rows[i] = (uint32_t)i;
    for (size_t i = 0; i < N_SEQUENCES; i++)
        together.sequences[i].rope_base = alone.sequences[i].rope_base =
            engine_decoder_rope_base(together.model, bases[i]);
    for (size_t r = 0; r < G_N_ELEMENTS(rounds); r++) {
        engine_decoder_span spans[N_SEQUENCES];
        int32_t tokens[256];
        uint32_t n = 0;
        for (size_t i = 0; i < N_SEQUENCES; i++) {
            spans[i] = (engine_decoder_span){&together.sequences[i], 0, rounds[r][i], 0};
            for (uint32_t t = 0; t < rounds[r][i]; t++)
                tokens[n + t] =
                    together.c
                        ->ids[(together.sequences[i].kv.n_tokens + t + 7 * i) % together.c->n_ids];
            n += rounds[r][i];
        }
        bench_pass(&together, tokens, spans, N_SEQUENCES);
        engine_decoder_logits(together.scratch, rows, n, all, NULL);
        for (size_t i = 0; i < N_SEQUENCES; i++) {
            engine_decoder_span span = {&alone.sequences[i], 0, spans[i].n, 0};
            bench_pass(&alone, tokens + spans[i].row, &span, 1);
            engine_decoder_logits(alone.scratch, rows, span.n, some, NULL);
            if (memcmp(some, all + spans[i].row * n_vocab, span.n * n_vocab * sizeof *some) != 0)
                fail_msg("%s: sequence %zu differs in round %zu", name, i, r);
        }
    }
    bench_close(&together);
    bench_close(&alone);
}

static void
sequences_in_one_pass_do_not_see_each_other(void **state)
{
    (void)state;
    static const char *const names[] = {"llama_untied",      "qwen3_moe",
                                        "interns1_pro",      "internlm2_dynamic",
                                        "intern_s2_preview", "interns2_mobius"};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        check_batch(names[i]);
}

/* ---- experts ---- */

/* Logits of all tokens of a case, after `change` (NULL: none) was made to its decoder. */
static float *
changed_logits(const char *name, void (*change)(engine_decoder *))
{
    g_autoptr(tiny_case) c = tiny_case_load(name);
    char *folder = tiny_case_write(c, TINY_F32);
    g_autoptr(engine_model) model = open_model(folder);
    g_autoptr(engine_pool) pool = engine_pool_new(2);

    if (change) change(model->arch);
    g_autoptr(engine_session) session = new_session(model, pool, (uint32_t)c->n_ids);
    float *logits = eval_in_steps(session, c->ids, c->n_ids, 16);
    tiny_case_remove(folder);
    return logits;
}

/* Experts out of copies that come and go, as an out-of-core cache has them. */
typedef struct {
    GHashTable *copies; /* matrix -> its copy, between acquire and release */
    uint32_t n_experts, announced_pack;
    gboolean announced[64];
    size_t most, n_acquired, n_announced, n_right;
} copying_source;

static gboolean
copying_acquire(void *ctx, uint32_t layer, const uint32_t *experts, size_t n, GError **error)
{
    copying_source *c = ctx;
    (void)error;
    assert_int_equal(g_hash_table_size(c->copies), 0);
    assert_true(c->most == 0 || n <= c->most);
    for (size_t i = 0; i < n; i++) {
        assert_true(experts[i] < c->n_experts);
        c->n_right += layer == c->announced_pack && c->announced[experts[i]];
    }
    c->n_acquired += n;
    return TRUE;
}

static const uint8_t *
copying_data(void *ctx, const engine_tensor *tensor, uint32_t layer, uint32_t expert)
{
    copying_source *c = ctx;
    (void)layer;
    assert_true(expert < c->n_experts);
    if (!g_hash_table_contains(c->copies, tensor))
        g_hash_table_insert(c->copies, (gpointer)tensor, g_memdup2(tensor->data, tensor->n_bytes));
    return g_hash_table_lookup(c->copies, tensor);
}

static void
copying_release(void *ctx, uint32_t layer)
{
    (void)layer;
    g_hash_table_remove_all(((copying_source *)ctx)->copies);
}

static void
copying_prefetch(void *ctx, uint32_t layer, const uint32_t *experts, size_t n)
{
    copying_source *c = ctx;
    memset(c->announced, 0, sizeof c->announced);
    c->announced_pack = layer;
    c->n_announced += n;
    for (size_t i = 0; i < n; i++) {
        assert_true(experts[i] < c->n_experts && (i == 0 || experts[i] > experts[i - 1]));
        c->announced[experts[i]] = TRUE;
    }
}

static void
check_foreign_experts(const char *name, size_t most)
{
    bench mapped, copied;
    copying_source c = {.most = most, .copies = g_hash_table_new_full(NULL, NULL, NULL, g_free)};
    const engine_expert_source source = {.acquire = copying_acquire,
                                         .data = copying_data,
                                         .release = copying_release,
                                         .prefetch = copying_prefetch,
                                         .most = most,
                                         .ctx = &c};

    bench_open(&mapped, name, 1);
    bench_open(&copied, name, 1);
    c.n_experts = engine_model_get_info(copied.model)->n_experts;
    assert_in_range(c.n_experts, 2, 64);
    engine_decoder_scratch_set_experts(copied.scratch, &source);
    const size_t n_vocab = mapped.c->n_vocab;
    g_autofree float *a = g_new(float, n_vocab), *b = g_new(float, n_vocab);
    for (uint32_t t = 0; t < 20; t++) {
        const uint32_t n = t == 0 ? 30 : 1, last = n - 1;
        engine_decoder_span one = {&mapped.sequences[0], 0, n, 0},
                            two = {&copied.sequences[0], 0, n, 0};
        bench_pass(&mapped, mapped.c->ids + t, &one, 1);
        bench_pass(&copied, mapped.c->ids + t, &two, 1);
        engine_decoder_logits(mapped.scratch, &last, 1, a, NULL);
        engine_decoder_logits(copied.scratch, &last, 1, b, NULL);
        assert_memory_equal(a, b, n_vocab * sizeof *a);
    }
    assert_true(c.n_acquired > 0 && c.n_announced > 0 && c.n_right <= c.n_announced);
    print_message("%s: %zu experts used, %zu of %zu announced ones right\n", name, c.n_acquired,
                  c.n_right, c.n_announced);
    g_hash_table_unref(c.copies);
    bench_close(&mapped);
    bench_close(&copied);
}

static void
experts_from_elsewhere_change_no_bit(void **state)
{
    (void)state;
    check_foreign_experts("qwen3_moe", 0);
    check_foreign_experts("intern_s2_preview", 3);
    check_foreign_experts("interns2_mobius", 2);
}

/* All packs made the first: then it must not matter which layer uses which. */
static void
share_the_first_pack(engine_decoder *d)
{
    for (uint32_t i = 1; i < d->n_layers; i++) {
        const engine_moe_ffn first = d->layers[0].moe;
        engine_moe_ffn *m = &d->layers[i].moe;
        m->logits = first.logits;
        m->gate = first.gate;
        m->up = first.up;
        m->down = first.down;
        m->gate_up = first.gate_up;
    }
}

static void
share_the_first_pack_as_layers_own(engine_decoder *d)
{
    share_the_first_pack(d);
    for (uint32_t i = 0; i < d->n_layers; i++)
        d->layers[i].moe.pack = i;
}

static void
equal_packs_of_experts_are_a_plain_mixture(void **state)
{
    (void)state;
    g_autoptr(tiny_case) c = tiny_case_load("interns2_mobius");
    const size_t n_bytes = c->n_ids * c->n_vocab * sizeof(float);
    g_autofree float *own = changed_logits("interns2_mobius", NULL),
                     *shared = changed_logits("interns2_mobius", share_the_first_pack),
                     *plain = changed_logits("interns2_mobius", share_the_first_pack_as_layers_own);

    assert_memory_equal(shared, plain, n_bytes);
    assert_memory_not_equal(own, plain, n_bytes);
}

/* ---- facts ---- */

static uint32_t
config_number(const bench *b, const char *key)
{
    uint32_t value = 0;
    assert_true(engine_weights_get_u32(b->model->weights, key, &value));
    return value;
}

static void
a_model_tells_its_experts_layers_and_what_a_token_reads(void **state)
{
    (void)state;
    bench b;

    bench_open(&b, "intern_s2_preview", 1);
    const engine_model_info *info = engine_model_get_info(b.model);
    assert_int_equal(info->n_experts, config_number(&b, "num_experts"));
    assert_int_equal(info->n_experts_used, config_number(&b, "num_experts_per_tok"));
    assert_int_equal(info->n_expert_ff, config_number(&b, "moe_intermediate_size"));
    assert_int_equal(info->n_attention_layers + info->n_recurrent_layers, info->n_layers);
    assert_true(info->n_recurrent_layers > info->n_attention_layers);
    assert_int_equal(info->n_mtp, 2);
    assert_int_equal(engine_decoder_n_mtp(b.model), 2);
    /* at least the experts not chosen are left out */
    const uint64_t idle = (uint64_t)info->n_layers * (info->n_experts - info->n_experts_used) * 3 *
                          info->n_embd * info->n_expert_ff;
    assert_true(info->n_active_parameters + idle < info->n_parameters);
    bench_close(&b);

    bench_open(&b, "llama_untied", 1);
    info = engine_model_get_info(b.model);
    assert_string_equal(info->rope, "plain");
    assert_int_equal(info->n_experts + info->n_mtp + info->n_recurrent_layers, 0);
    const uint64_t table = (uint64_t)info->n_vocab * info->n_embd;
    const uint64_t norms = (uint64_t)info->n_embd * (2 * info->n_layers + 1);
    assert_int_equal(info->n_active_parameters, info->n_parameters - table - norms);
    bench_close(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draft_heads_give_the_recorded_logits),
        cmocka_unit_test(drafting_again_is_drafting_from_the_heads_own_output),
        cmocka_unit_test(sequences_in_one_pass_do_not_see_each_other),
        cmocka_unit_test(experts_from_elsewhere_change_no_bit),
        cmocka_unit_test(equal_packs_of_experts_are_a_plain_mixture),
        cmocka_unit_test(a_model_tells_its_experts_layers_and_what_a_token_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

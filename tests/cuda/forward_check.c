#include "forward_check.h"

#include "../engine/bert_check.h"

#include "engine/batch.h"
#include "engine/decoder_arch.h"
#include "engine/expert_cache.h"
#include "engine/model.h"
#include "engine/session.h"

#include <glib/gstdio.h>
#include <math.h>
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

#define LIMIT ((uint64_t)1 << 30) /* of a card that holds everything */

static const char *const SHARES[] = {"whole", "experts on the host", "half"};

static gboolean
has_experts(const forward_bench *b)
{
    return ((const engine_decoder *)b->model->arch)->max_experts > 0;
}

/* That much of the model is there, and no more. */
static void
assert_placed(const forward_bench *b, const engine_placement *placement)
{
    const engine_decoder *d = b->model->arch;

    if (!b->model->device) { /* the CPU's own, to compare with */
        assert_null(placement);
        return;
    }
    assert_non_null(placement);
    assert_int_equal(placement->n_layers,
                     b->share == DEVICE_HALF ? (d->n_layers + 1) / 2 : d->n_layers);
    if (has_experts(b)) assert_int_equal(placement->experts, b->share != DEVICE_EXPERTS);
}

static void
open_device(const forward_bench *b, uint64_t limit)
{
    g_autoptr(GError) error = NULL;

    g_clear_pointer(&b->model->device, engine_device_unref);
    if (b->kind->reset) b->kind->reset();
    b->model->device = engine_device_open(b->kind->compute, 0, limit, &error);
    assert_no_error(error);
}

/* The device again, with half the room that the experts need beside the rest of `whole` bytes: they stay on the host. */
static void
leave_no_room(const forward_bench *b, uint64_t whole)
{
    const uint64_t experts = engine_expert_sizes_of(b->model).all_bytes;

    assert_true(experts > 0 && experts < whole);
    open_device(b, whole);
    const uint64_t kept = whole - engine_device_left(b->model->device);
    open_device(b, whole - experts / 2 + kept);
}

static engine_session *
open_unchecked(const forward_bench *b, engine_kv_type kv_type, engine_prefix_store *store)
{
    engine_session_options options = engine_session_options_default();
    g_autoptr(GError) error = NULL;

    options.n_context = (uint32_t)b->c->n_ids;
    options.kv_type = kv_type;
    options.chunk = (uint32_t)MAX(b->n, 8);
    options.prefixes = store;
    engine_session *session = engine_session_open(b->model, b->pool, &options, &error);
    assert_no_error(error);
    return session;
}

static engine_session *
open_session(const forward_bench *b, engine_kv_type kv_type, engine_prefix_store *store)
{
    engine_session *session;

    if (b->share == DEVICE_EXPERTS && has_experts(b)) {
        open_device(b, LIMIT);
        session = open_unchecked(b, kv_type, store);
        const uint64_t whole = session->runtime.placement->n_bytes;
        engine_session_free(session);
        leave_no_room(b, whole);
    }
    session = open_unchecked(b, kv_type, store);
    assert_placed(b, session->runtime.placement);
    return session;
}

forward_bench
forward_open(const device_kind *kind, const char *name, tiny_format format, device_share share)
{
    g_autoptr(GError) error = NULL;
    forward_bench b = {.c = tiny_case_load(name), .share = share, .kind = kind};

    if (kind->reset) kind->reset();
    b.folder = tiny_case_write(b.c, format);
    engine_model_options options = engine_model_options_default();
    options.exact = kind->exact;
    b.model = engine_model_open_with(b.folder, &options, &error);
    assert_no_error(error);
    b.model->wish.demanded = TRUE;
    b.model->wish.expert_cache = 0; /* its sums are of another order: test_expert_cache.c */
    b.model->wish.n_layers = share == DEVICE_HALF ? (int)(b.model->info.n_layers + 1) / 2 : -1;
    b.model->device = engine_device_open(kind->compute, 0, LIMIT, &error);
    assert_no_error(error);
    b.pool = engine_pool_new(1);
    b.n = kind->n_tokens > 0 ? MIN(kind->n_tokens, b.c->n_ids) : b.c->n_ids;
    return b;
}

void
forward_close(forward_bench *b)
{
    engine_model_free(b->model);
    engine_pool_free(b->pool);
    tiny_case_remove(b->folder);
    tiny_case_free(b->c);
}

static void
eval(engine_session *session, const forward_bench *b, size_t first, size_t n, size_t step,
     float *out)
{
    g_autoptr(GError) error = NULL;

    for (size_t done = first; done < first + n; done += step) {
        const size_t count = MIN(step, first + n - done);
        engine_session_eval(session, b->c->ids + done, count, NULL,
                            out + (done - first) * b->c->n_vocab, &error);
        assert_no_error(error);
    }
}

float *
forward_logits(const forward_bench *b, size_t step, engine_kv_type kv_type)
{
    float *out = g_new0(float, b->c->n_ids * b->c->n_vocab);
    g_autoptr(engine_session) session = open_session(b, kv_type, NULL);

    eval(session, b, 0, b->n, step, out);
    return out;
}

/* ---- comparing ---- */

/* The largest |difference| over the largest |a|; NaN is infinitely wrong. */
static double
difference(const float *a, const float *b, size_t n)
{
    double largest = 0.0, off = 0.0;

    for (size_t i = 0; i < n; i++) {
        if (isnan(a[i]) || isnan(b[i])) return INFINITY;
        largest = fmax(largest, fabs((double)a[i]));
        off = fmax(off, fabs((double)a[i] - (double)b[i]));
    }
    return largest > 0.0 ? off / largest : off;
}

static void
assert_same(const device_kind *kind, const float *a, const float *b, size_t n, const char *name,
            const char *what)
{
    const double off = difference(a, b, n);
    if (g_getenv("LODE_TINY_VERBOSE")) print_message("%s: %s: %.2e\n", name, what, off);
    if (!(off <= kind->same)) fail_msg("%s: %s: off by %.2e of the largest logit", name, what, off);
}

/* As tiny_case_error, of the recorded positions among the first n tokens. */
static double
reference_error(const forward_bench *b, const float *logits)
{
    const tiny_case *c = b->c;
    double off = 0.0, largest = 0.0;

    for (size_t p = 0; p < c->n_positions; p++) {
        if ((size_t)c->positions[p] >= b->n) continue;
        for (size_t i = 0; i < c->n_vocab; i++) {
            const double want = (double)c->logits[p * c->n_vocab + i],
                         got = (double)logits[(size_t)c->positions[p] * c->n_vocab + i];
            if (isnan(got)) return INFINITY;
            largest = fmax(largest, fabs(want));
            off = fmax(off, fabs(want - got));
        }
    }
    assert_true(largest > 0.0);
    return off / largest;
}

void
forward_check_reference(const device_kind *kind, const char *name, tiny_format format,
                        device_share share)
{
    static const char *const types[] = {"F32", "BF16", "F16"};
    g_autoptr(tiny_case) has = tiny_case_load(name);

    if (!tiny_case_has(has, format)) return;
    forward_bench b = forward_open(kind, name, format, share);
    g_autofree float *logits = forward_logits(&b, b.n, ENGINE_KV_F32);
    const char *type = b.model->info.weight_type;
    const double off = reference_error(&b, logits),
                 allowed = strcmp(type, types[0]) == 0   ? kind->f32
                           : strcmp(type, types[1]) == 0 ? kind->bf16
                                                         : kind->f16;

    if (!(off <= allowed))
        fail_msg("%s (%s, %s, %s): off by %.2e of the largest logit", name,
                 tiny_format_name(format), type, SHARES[share], off);
    if (g_getenv("LODE_TINY_VERBOSE"))
        print_message("%s (%s, %s, %s): %.2e\n", name, tiny_format_name(format), type,
                      SHARES[share], off);
    forward_close(&b);
}

void
forward_check_exact(const device_kind *kind, const char *name, tiny_format format,
                    device_share share)
{
    device_kind exact = *kind;

    exact.exact = TRUE;
    exact.bf16 = exact.f16 = kind->f32;
    forward_check_reference(&exact, name, format, share);
}

/* ---- properties ---- */

void
forward_check_chunks(const device_kind *kind, const char *name, device_share share)
{
    static const size_t steps[] = {1, 7, 16};
    forward_bench b = forward_open(kind, name, TINY_F32, share);
    g_autofree float *whole = forward_logits(&b, b.n, ENGINE_KV_F16);

    for (size_t i = 0; i < G_N_ELEMENTS(steps); i++) {
        g_autofree char *what = g_strdup_printf("%s, %zu at a time", SHARES[share], steps[i]);
        g_autofree float *pieces = forward_logits(&b, steps[i], ENGINE_KV_F16);
        assert_same(kind, whole, pieces, b.n * b.c->n_vocab, name, what);
    }
    forward_close(&b);
}

/* A prompt longer than what the kernels take at once: the CPU's logits, and nearly the same in other pieces. */
void
forward_check_long(const device_kind *kind, const char *name, size_t n)
{
    static const size_t steps[] = {64, 75, 9};
    forward_bench b = forward_open(kind, name, TINY_F32, DEVICE_WHOLE);
    const size_t n_vocab = b.c->n_vocab, n_all = n * n_vocab;
    g_autofree int32_t *ids = g_new(int32_t, n);

    for (size_t i = 0; i < n; i++)
        ids[i] = b.c->ids[(i * 7 + i / 11) % b.c->n_ids];
    g_free(b.c->ids);
    b.c->ids = g_steal_pointer(&ids);
    b.c->n_ids = b.n = n;
    g_autofree float *whole = forward_logits(&b, n, ENGINE_KV_F32);
    for (size_t i = 0; i < G_N_ELEMENTS(steps); i++) {
        g_autofree char *what = g_strdup_printf("%zu of %zu at a time", steps[i], n);
        g_autofree float *pieces = forward_logits(&b, steps[i], ENGINE_KV_F32);
        const double apart = difference(whole, pieces, n_all);
        if (g_getenv("LODE_TINY_VERBOSE")) print_message("%s, %s: %.2e\n", name, what, apart);
        if (!(apart <= kind->f32)) fail_msg("%s, %s: off by %.2e", name, what, apart);
    }
    g_clear_pointer(&b.model->device, engine_device_unref);
    b.model->wish.demanded = FALSE;
    g_autofree float *here = forward_logits(&b, n, ENGINE_KV_F32);
    const double off = difference(here, whole, n_all);
    if (g_getenv("LODE_TINY_VERBOSE")) print_message("%s, %zu tokens: %.2e\n", name, n, off);
    if (!(off <= kind->f32)) fail_msg("%s: %zu tokens: off by %.2e from the CPU", name, n, off);
    forward_close(&b);
}

/* Beside keys and values in floats; the same bars as the CPU's cache is held to, and packed ones also beside that cache. */
void
forward_check_kv_types(const device_kind *kind, const char *name)
{
    static const struct {
        engine_kv_type type;
        double far, /* from floats */
            apart;  /* from the CPU */
    } types[] = {
        {ENGINE_KV_F16, 5e-3, 5e-3}, {ENGINE_KV_Q8_0, 5e-2, 1e-2}, {ENGINE_KV_Q4_0, 3e-1, 1e-2}};
    forward_bench b = forward_open(kind, name, TINY_F32, DEVICE_WHOLE);
    const size_t n = b.n * b.c->n_vocab;
    g_autofree float *exact = forward_logits(&b, b.n, ENGINE_KV_F32);

    for (size_t i = 0; i < G_N_ELEMENTS(types); i++) {
        const char *type = engine_kv_type_name(types[i].type);
        if (types[i].type != ENGINE_KV_F16 && b.model->info.head_dim % 32 != 0) continue;
        g_autofree float *there = forward_logits(&b, b.n, types[i].type);
        engine_device *device = g_steal_pointer(&b.model->device);
        g_autofree float *here = forward_logits(&b, b.n, types[i].type);
        b.model->device = device;
        const double far = difference(exact, there, n), apart = difference(here, there, n);
        if (g_getenv("LODE_TINY_VERBOSE"))
            print_message("%s: %s: %.2e from floats, %.2e from the CPU\n", name, type, far, apart);
        if (!(far <= kind->f32 + types[i].far))
            fail_msg("%s: keys and values as %s: off by %.2e", name, type, far);
        if (!(apart <= kind->f32 + types[i].apart))
            fail_msg("%s: keys and values as %s: %.2e from the CPU", name, type, apart);
    }
    forward_close(&b);
}

typedef struct {
    const forward_bench *b;
    const float *alone; /* [n, n_vocab] */
    const device_kind *kind;
    size_t at, n_prompt;
} follower;

/* The next token is the case's own, so that it can be compared with a run of it alone. */
static int32_t
follow(const float *logits, void *user_data)
{
    follower *f = user_data;
    const size_t row = f->n_prompt - 1 + f->at++, n_vocab = f->b->c->n_vocab;

    assert_same(f->kind, f->alone + row * n_vocab, logits, n_vocab, f->b->c->name,
                "beside other sequences");
    return row + 1 < f->b->n ? f->b->c->ids[row + 1] : -1;
}

void
forward_check_batch(const device_kind *kind, const char *name, device_share share)
{
    static const size_t prompts[] = {5, 1, 12};
    forward_bench b = forward_open(kind, name, TINY_F32, share);
    engine_batch_options options = engine_batch_options_default();
    g_autoptr(GError) error = NULL;
    follower followers[G_N_ELEMENTS(prompts)];

    options.n_cached = 512;
    options.n_sequences = 2;
    options.chunk = 16;
    options.kv_type = ENGINE_KV_F16;
    g_autofree float *alone = forward_logits(&b, 1, ENGINE_KV_F16);
    g_autoptr(engine_batch) batch = NULL;
    if (share == DEVICE_EXPERTS && has_experts(&b)) {
        open_device(&b, LIMIT);
        batch = engine_batch_new(b.model, b.pool, &options, &error);
        assert_no_error(error);
        const uint64_t whole = engine_batch_get_runtime(batch)->placement->n_bytes;
        g_clear_pointer(&batch, engine_batch_free);
        leave_no_room(&b, whole);
    }
    batch = engine_batch_new(b.model, b.pool, &options, &error);
    assert_no_error(error);
    assert_placed(&b, engine_batch_get_runtime(batch)->placement);
    for (size_t i = 0; i < G_N_ELEMENTS(prompts); i++) {
        followers[i] = (follower){&b, alone, kind, 0, prompts[i]};
        const engine_request request = {.prompt = b.c->ids,
                                        .n = prompts[i],
                                        .n_context = (uint32_t)b.c->n_ids,
                                        .pick = follow,
                                        .user_data = &followers[i]};
        assert_int_not_equal(engine_batch_add(batch, &request, &error), 0);
    }
    while (engine_batch_n_unfinished(batch) > 0) {
        engine_batch_step(batch, &error);
        assert_no_error(error);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(prompts); i++)
        assert_int_equal(followers[i].at, b.n - prompts[i] + 1);
    g_clear_pointer(&batch, engine_batch_free);
    forward_close(&b);
}

static void
remove_folder(const char *folder)
{
    GDir *dir = g_dir_open(folder, 0, NULL);
    const char *file;

    while (dir && (file = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(folder, file, NULL);
        if (g_file_test(path, G_FILE_TEST_IS_DIR))
            remove_folder(path);
        else
            g_unlink(path);
    }
    if (dir) g_dir_close(dir);
    g_rmdir(folder);
}

/* A prompt's beginning out of memory, and out of files in another session, continues as a cold run does. */
void
forward_check_prefixes(const device_kind *kind, const char *name, device_share share)
{
    forward_bench b = forward_open(kind, name, TINY_F32, share);
    const size_t n_known = b.n - 4, n_vocab = b.c->n_vocab, n_left = b.n - n_known;
    g_autofree char *folder = g_dir_make_tmp("lode-prefixes-XXXXXX", NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(engine_prefix_store) store = engine_prefix_store_open(folder, 0, NULL, NULL, &error);
    g_autofree float *cold = forward_logits(&b, n_known, ENGINE_KV_F16),
                     *out = g_new0(float, b.n *n_vocab);

    assert_no_error(error);
    for (int warm = 0; warm < 3; warm++) { /* cold; its own memory; the store */
        g_autoptr(engine_session) session = open_session(&b, ENGINE_KV_F16, store);
        if (warm < 2) {
            eval(session, &b, 0, n_known, n_known, out);
            engine_session_keep(session);
        }
        if (warm == 1) engine_session_truncate(session, 0);
        if (warm > 0) {
            const uint32_t n = engine_session_reuse(session, b.c->ids, n_known + 1);
            if (warm == 2 || n > 0) assert_int_equal(n, n_known);
            if (n < n_known) eval(session, &b, n, n_known - n, n_known, out);
        }
        eval(session, &b, n_known, n_left, n_left, out);
        assert_same(kind, cold + n_known * n_vocab, out, n_left * n_vocab, name,
                    warm == 0   ? "continued"
                    : warm == 1 ? "out of memory"
                                : "out of the store");
    }
    g_clear_pointer(&store, engine_prefix_store_free);
    remove_folder(folder);
    forward_close(&b);
}

/* Drafts change no token: greedy text with and without. */
void
forward_check_drafts(const device_kind *kind, const char *name)
{
    forward_bench b = forward_open(kind, name, TINY_F32, DEVICE_WHOLE);
    int32_t texts[2][16] = {{0}};
    g_autofree float *logits = g_new0(float, b.c->n_vocab);
    g_autoptr(GError) error = NULL;

    (void)kind;
    for (uint32_t drafting = 0; drafting < 2; drafting++) {
        engine_session_options options = engine_session_options_default();
        options.n_context = 64;
        options.kv_type = ENGINE_KV_F32;
        options.n_draft = drafting * 3;
        g_autoptr(engine_session) session = engine_session_open(b.model, b.pool, &options, &error);
        assert_no_error(error);
        engine_session_eval(session, b.c->ids, 10, logits, NULL, &error);
        assert_no_error(error);
        for (size_t i = 0; i < 16; i++) {
            int32_t best = 0;
            for (size_t v = 1; v < b.c->n_vocab; v++)
                if (logits[v] > logits[best]) best = (int32_t)v;
            texts[drafting][i] = best;
            engine_session_eval(session, &best, 1, logits, NULL, &error);
            assert_no_error(error);
        }
    }
    assert_memory_equal(texts[0], texts[1], sizeof texts[0]);
    forward_close(&b);
}

void
forward_check_encoder(const device_kind *kind, size_t n_texts)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(engine_pool) pool = engine_pool_new(1);
    g_autoptr(engine_model) model = engine_model_open(LODE_TEST_DATA "/engine/tiny_bert", &error);
    size_t n;
    if (kind->reset) kind->reset();
    g_auto(GStrv) texts = bert_texts(&n);

    assert_no_error(error);
    if (n_texts > 0) n = MIN(n, n_texts);
    const size_t d = model->info.n_embd;
    g_autofree float *here = g_new(float, n *d), *there = g_new(float, n *d),
                     *again = g_new(float, n *d);
    const char *const *list = (const char *const *)texts;
    engine_embed(model, pool, list, n, here, NULL, &error);
    assert_no_error(error);
    model->device = engine_device_open(kind->compute, 0, 0, &error);
    assert_no_error(error);
    model->wish.demanded = TRUE;
    engine_embed(model, pool, list, n, there, NULL, &error);
    assert_no_error(error);
    const double off = difference(here, there, n * d);
    if (g_getenv("LODE_TINY_VERBOSE")) print_message("the encoder: %.2e\n", off);
    if (!(off <= kind->f32)) fail_msg("the encoder: off by %.2e", off);
    for (size_t i = 0; i < n; i++) { /* alone as among others */
        engine_embed(model, pool, list + i, 1, again + i * d, NULL, &error);
        assert_no_error(error);
    }
    const double apart = difference(there, again, n * d);
    if (!(apart <= kind->f32)) fail_msg("the encoder: one text at a time: off by %.2e", apart);
}

void
forward_check_judge(const device_kind *kind, size_t n_texts)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(engine_pool) pool = engine_pool_new(1);
    g_autoptr(engine_model) model = bert_open_judge();
    size_t n;
    if (kind->reset) kind->reset();
    g_auto(GStrv) texts = bert_texts(&n);

    n = MIN(n, n_texts);
    const char *const *list = (const char *const *)texts;
    g_autofree float *here = g_new0(float, n), *there = g_new0(float, n);
    engine_cross_score(model, pool, list[n - 1], list, n, here, NULL, &error);
    assert_no_error(error);
    model->device = engine_device_open(kind->compute, 0, 0, &error);
    assert_no_error(error);
    model->wish.demanded = TRUE;
    const uint64_t before = engine_device_left(model->device);
    engine_cross_score(model, pool, list[n - 1], list, n, there, NULL, &error);
    assert_no_error(error);
    assert_true(engine_device_left(model->device) < before); /* it was there */
    const double off = difference(here, there, n);
    if (g_getenv("LODE_TINY_VERBOSE")) print_message("the cross-encoder: %.2e\n", off);
    if (!(off <= kind->f32)) fail_msg("the cross-encoder: off by %.2e", off);
}

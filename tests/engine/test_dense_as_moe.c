/* A dense llama written anew with experts, so that the expert path runs real weights whose answers are known:
 *
 *   cut     the feed-forward cut into 8 experts, all of them chosen. Rows of gate and up go to experts in turn,
 *           columns of down likewise, times 8 because each expert's share is an eighth.
 *   copied  the feed-forward as it is, 8 times; a random router chooses 2, whose shares sum to 1.
 *
 * Either way the sum over the chosen experts is the dense layer's output. One model is a tiny random one, the
 * other SmolLM2-135M-Instruct from $LODE_MODELS; without it that part is skipped. */
#include "llama_check.h"
#include "tiny_case.h"

#include "engine/gguf_write.h"

#include <glib/gstdio.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { N_EXPERTS = 8, N_PROMPT = 24, N_GREEDY = 48 };

typedef enum { CUT, COPIED } how;

/* ---- writing ---- */

/* "blk.3.ffn_gate.weight" -> "blk.3.ffn_gate_exps.weight"; NULL for any other tensor. */
static char *
expert_name(const char *name)
{
    static const char *const parts[] = {".ffn_gate.weight", ".ffn_up.weight", ".ffn_down.weight"};
    for (size_t i = 0; i < G_N_ELEMENTS(parts); i++)
        if (g_str_has_suffix(name, parts[i]))
            return g_strdup_printf("%.*s_exps.weight", (int)(strlen(name) - strlen(".weight")),
                                   name);
    return NULL;
}

static gboolean
is_down(const char *name)
{
    return strstr(name, ".ffn_down.") != NULL;
}

static void
add_tensor(engine_gguf_writer *w, const char *name, engine_type type, uint32_t n_dims,
           const uint64_t *dims)
{
    g_autoptr(GError) error = NULL;
    if (!engine_gguf_writer_add_tensor(w, name, type, n_dims, dims, &error))
        fail_msg("%s", error->message);
}

static void
put(engine_gguf_writer *w, const void *data, size_t n)
{
    g_autoptr(GError) error = NULL;
    if (!engine_gguf_writer_write(w, data, n, &error)) fail_msg("%s", error->message);
}

/* A factor of 8 changes the exponent of a half alone, so nothing is rounded. */
static void
scale_half(uint8_t *p)
{
    uint16_t h;
    memcpy(&h, p, sizeof h);
    h = engine_half_from_float(N_EXPERTS * engine_half_to_float(h));
    memcpy(p, &h, sizeof h);
}

/* The bytes of some blocks, every weight times 8: their scales are. */
static void
scale_blocks(engine_type type, uint8_t *data, size_t n_bytes)
{
    const size_t step = engine_type_lookup((uint32_t)type)->block_bytes;
    const gboolean has_minimum = type == ENGINE_TYPE_Q4_1 || type == ENGINE_TYPE_Q5_1;

    for (size_t i = 0; i < n_bytes; i += step) {
        if (type == ENGINE_TYPE_F32) {
            float x;
            memcpy(&x, data + i, sizeof x);
            x *= N_EXPERTS;
            memcpy(data + i, &x, sizeof x);
            continue;
        }
        assert_true(has_minimum || type == ENGINE_TYPE_F16 || type == ENGINE_TYPE_Q4_0 ||
                    type == ENGINE_TYPE_Q5_0 || type == ENGINE_TYPE_Q8_0);
        scale_half(data + i);
        if (has_minimum) scale_half(data + i + 2);
    }
}

static void
add_expert_tensor(engine_gguf_writer *w, const engine_tensor *t, const char *name, how kind)
{
    uint64_t dims[3] = {t->dims[0], t->dims[1], N_EXPERTS};

    if (kind == CUT) dims[is_down(t->name) ? 0 : 1] /= N_EXPERTS;
    add_tensor(w, name, t->type, 3, dims);
}

static void
put_expert_tensor(engine_gguf_writer *w, const engine_tensor *t, how kind)
{
    if (kind == COPIED) {
        for (int e = 0; e < N_EXPERTS; e++)
            put(w, t->data, t->n_bytes);
    } else if (!is_down(t->name)) {
        put(w, t->data, t->n_bytes); /* rows lie behind each other: each eighth is an expert */
    } else {
        const size_t row = engine_tensor_row_bytes(t), part = row / N_EXPERTS;
        g_autofree uint8_t *piece = g_malloc(part);
        for (size_t e = 0; e < N_EXPERTS; e++) {
            for (size_t r = 0; r < engine_tensor_n_rows(t); r++) {
                memcpy(piece, t->data + r * row + e * part, part);
                scale_blocks(t->type, piece, part);
                put(w, piece, part);
            }
        }
    }
}

/* Zeros give every expert the same share; else some numbers that tell experts apart. */
static void
put_router(engine_gguf_writer *w, size_t n_embd, how kind)
{
    g_autofree float *router = g_new0(float, n_embd *N_EXPERTS);
    g_autoptr(GRand) random = g_rand_new_with_seed(7);

    for (size_t i = 0; kind == COPIED && i < n_embd * N_EXPERTS; i++)
        router[i] = (float)g_rand_double_range(random, -0.1, 0.1);
    put(w, router, n_embd * N_EXPERTS * sizeof(float));
}

static void
write_moe(const char *from, const char *to, how kind)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(engine_weights) weights = engine_weights_open(from, &error);
    if (!weights) fail_msg("%s", error->message);
    g_autoptr(engine_gguf_writer) w = engine_gguf_writer_new(to, 0);
    uint32_t n_layers = 0, n_embd = 0, n_ff = 0;

    assert_true(engine_weights_get_u32(weights, "llama.block_count", &n_layers));
    assert_true(engine_weights_get_u32(weights, "llama.embedding_length", &n_embd));
    assert_true(engine_weights_get_u32(weights, "llama.feed_forward_length", &n_ff));
    engine_gguf_writer_copy_metadata(w, weights);
    engine_gguf_writer_set_u32(w, "llama.expert_count", N_EXPERTS);
    engine_gguf_writer_set_u32(w, "llama.expert_used_count", kind == CUT ? N_EXPERTS : 2);
    if (kind == CUT) engine_gguf_writer_set_u32(w, "llama.feed_forward_length", n_ff / N_EXPERTS);
    const size_t n = engine_weights_n_tensors(weights);
    for (size_t i = 0; i < n; i++) {
        const engine_tensor *t = engine_weights_tensor_at(weights, i);
        g_autofree char *name = expert_name(t->name);
        if (name)
            add_expert_tensor(w, t, name, kind);
        else
            add_tensor(w, t->name, t->type, t->n_dims, t->dims);
    }
    for (uint32_t layer = 0; layer < n_layers; layer++) {
        g_autofree char *name = g_strdup_printf("blk.%u.ffn_gate_inp.weight", layer);
        add_tensor(w, name, ENGINE_TYPE_F32, 2, (const uint64_t[2]){n_embd, N_EXPERTS});
    }
    if (!engine_gguf_writer_begin(w, &error)) fail_msg("%s", error->message);
    for (size_t i = 0; i < n; i++) {
        const engine_tensor *t = engine_weights_tensor_at(weights, i);
        g_autofree char *name = expert_name(t->name);
        if (name)
            put_expert_tensor(w, t, kind);
        else
            put(w, t->data, t->n_bytes);
    }
    for (uint32_t layer = 0; layer < n_layers; layer++)
        put_router(w, n_embd, kind);
    if (!engine_gguf_writer_finish(w, &error)) fail_msg("%s", error->message);
}

/* ---- comparing ---- */

/* The prompt's logits [N_PROMPT, n_vocab], then the greedy tokens behind it. Free with g_free. */
static float *
run(const char *path, int32_t *greedy)
{
    g_autoptr(engine_model) model = open_model(path);
    g_autoptr(engine_pool) pool = engine_pool_new(2);
    const size_t n_vocab = engine_model_get_info(model)->n_vocab;
    g_autoptr(engine_session) session = new_session(model, pool, N_PROMPT + N_GREEDY);
    int32_t prompt[N_PROMPT];

    for (size_t i = 0; i < N_PROMPT; i++)
        prompt[i] = (int32_t)((i * i * 31 + i * 5 + 2) % MIN(n_vocab, (size_t)4096));
    float *logits = eval_in_steps(session, prompt, N_PROMPT, N_PROMPT);
    g_autofree float *last = g_memdup2(logits + (N_PROMPT - 1) * n_vocab, n_vocab * sizeof(float));
    for (size_t i = 0; i < N_GREEDY; i++) {
        size_t best = 0;
        for (size_t k = 1; k < n_vocab; k++)
            if (last[k] > last[best]) best = k;
        greedy[i] = (int32_t)best;
        assert_true(engine_session_eval(session, &greedy[i], 1, last, NULL, NULL));
    }
    return logits;
}

static void
check_model(const char *dense, const char *moe)
{
    int32_t expected[N_GREEDY], got[N_GREEDY];
    g_autofree float *a = run(dense, expected);
    g_autoptr(engine_model) model = open_model(dense);
    const size_t n = N_PROMPT * (size_t)engine_model_get_info(model)->n_vocab;

    for (how kind = CUT; kind <= COPIED; kind++) {
        write_moe(dense, moe, kind);
        g_autofree float *b = run(moe, got);
        float largest = 0.0f, error = 0.0f;
        for (size_t i = 0; i < n; i++) {
            largest = fmaxf(largest, fabsf(a[i]));
            error = fmaxf(error, fabsf(a[i] - b[i]));
        }
        g_remove(moe);
        if (!(error <= 1e-4f * largest))
            fail_msg("%s: off by %.2e of the largest logit", kind == CUT ? "cut" : "copied",
                     (double)(error / largest));
        assert_memory_equal(got, expected, sizeof got);
    }
}

static void
a_tiny_model_says_the_same_with_experts(void **state)
{
    (void)state;
    g_autoptr(tiny_case) c = tiny_case_load("llama_untied");
    char *folder = tiny_case_write(c, TINY_GGUF);
    g_autofree char *dense = g_build_filename(folder, "model.gguf", NULL);

    check_model(dense, "tiny_moe.gguf");
    tiny_case_remove(folder);
}

static void
smollm2_says_the_same_with_experts(void **state)
{
    (void)state;
    const char *dir = g_getenv("LODE_MODELS");
    g_autofree char *path =
        g_build_filename(dir ? dir : "", "SmolLM2-135M-Instruct.Q4_1.gguf", NULL);

    if (!dir || !g_file_test(path, G_FILE_TEST_EXISTS)) {
        print_message("no SmolLM2-135M-Instruct.Q4_1.gguf in $LODE_MODELS: skipped\n");
        g_clear_pointer(&path, g_free); /* skip() does not come back */
        skip();
    }
    check_model(path, "smollm2_moe.gguf");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tiny_model_says_the_same_with_experts),
        cmocka_unit_test(smollm2_says_the_same_with_experts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

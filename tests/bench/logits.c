/* The engine's side of llama.sh: token ids of a text, and the logits of every position.
 *
 *   bench_logits tokens MODEL TEXT N          the first N ids of the file TEXT, one a line; its bytes when the
 *                                             model has no vocabulary
 *   bench_logits eval MODEL IDS OUT THREADS [exact] [kv-f32|kv-q8_0]
 *                                             float32 logits of all ids, position-major, into OUT; exact: packed
 *                                             weights multiplied in float32; kv-: keys and values kept so */
#include "engine/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 64 };

static int
fail(const GError *error)
{
    fprintf(stderr, "bench_logits: %s\n", error->message);
    return EXIT_FAILURE;
}

static int
print_tokens(const engine_model *model, const char *path, guint n)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;
    g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(int32_t));
    gsize len;

    if (!g_file_get_contents(path, &text, &len, &error)) return fail(error);
    engine_tokenize(model, text, len, ENGINE_TOKENIZE_ADD_SPECIAL, ids);
    for (gsize i = 0; ids->len <= i && i < len; i++) { /* no vocabulary: the bytes */
        const int32_t id = (uint8_t)text[i] % (int32_t)engine_model_get_info(model)->n_vocab;
        g_array_append_val(ids, id);
    }
    for (guint i = 0; i < MIN(n, ids->len); i++)
        printf("%d\n", g_array_index(ids, int32_t, i));
    return EXIT_SUCCESS;
}

static int
write_logits(const engine_model *model, const char *ids_path, const char *out_path, int n_threads,
             engine_kv_type kv_type)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;

    if (!g_file_get_contents(ids_path, &text, NULL, &error)) return fail(error);
    g_auto(GStrv) lines = g_strsplit(g_strstrip(text), "\n", -1);
    const guint n = g_strv_length(lines);
    const size_t n_vocab = engine_model_get_info(model)->n_vocab;
    g_autofree int32_t *ids = g_new(int32_t, n);
    for (guint i = 0; i < n; i++)
        ids[i] = (int32_t)g_ascii_strtoll(lines[i], NULL, 10);
    g_autoptr(engine_pool) pool = engine_pool_new(n_threads);
    engine_session_options options = engine_session_options_default();
    options.n_context = n;
    options.kv_type = kv_type;
    g_autoptr(engine_session) session = engine_session_open(model, pool, &options, &error);
    if (session == NULL) return fail(error);
    g_autofree float *logits = g_new(float, CHUNK *n_vocab);
    FILE *out = fopen(out_path, "wb");
    gboolean good = out != NULL;
    for (guint i = 0; good && i < n; i += CHUNK) {
        const size_t count = MIN(CHUNK, n - i);
        if (!engine_session_eval(session, ids + i, count, NULL, logits, &error)) {
            fclose(out);
            return fail(error);
        }
        good = fwrite(logits, sizeof(float), count * n_vocab, out) == count * n_vocab;
    }
    if (out == NULL || fclose(out) != 0 || !good) {
        perror(out_path);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    const gboolean tokens = argc == 5 && strcmp(argv[1], "tokens") == 0;
    engine_model_options options = engine_model_options_default();
    engine_kv_type kv_type = ENGINE_KV_F16;
    gboolean good = tokens || (argc >= 6 && strcmp(argv[1], "eval") == 0);

    for (int i = 6; i < argc; i++) {
        if (strcmp(argv[i], "exact") == 0)
            options.exact = TRUE;
        else if (strcmp(argv[i], "kv-f32") == 0)
            kv_type = ENGINE_KV_F32;
        else if (strcmp(argv[i], "kv-q8_0") == 0)
            kv_type = ENGINE_KV_Q8_0;
        else
            good = FALSE;
    }
    if (!good) {
        fputs("usage: bench_logits tokens MODEL TEXT N | eval MODEL IDS OUT THREADS [exact] "
              "[kv-f32|kv-q8_0]\n",
              stderr);
        return 2;
    }
    g_autoptr(engine_model) model = engine_model_open_with(argv[2], &options, &error);
    if (model == NULL) return fail(error);
    if (tokens) return print_tokens(model, argv[3], (guint)atoi(argv[4]));
    return write_logits(model, argv[3], argv[4], atoi(argv[5]), kv_type);
}

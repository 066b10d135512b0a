#include "bert_check.h"

#include <glib/gstdio.h>
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

char **
bert_texts(size_t *n)
{
    json_t *root = json_load_file(LODE_TEST_DATA "/engine/bert_texts.json", 0, NULL);
    assert_non_null(root);
    *n = json_array_size(root);
    char **texts = g_new0(char *, *n + 1);
    for (size_t i = 0; i < *n; i++)
        texts[i] = g_strdup(json_string_value(json_array_get(root, i)));
    json_decref(root);
    return texts;
}

static double
cosine(const float *a, const float *b, size_t n)
{
    double ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < n; i++) {
        ab += (double)a[i] * b[i];
        aa += (double)a[i] * a[i];
        bb += (double)b[i] * b[i];
    }
    return ab / sqrt(aa * bb);
}

void
bert_check_vectors(const engine_model *model, engine_pool *pool, const char *name)
{
    size_t n = 0;
    g_auto(GStrv) texts = bert_texts(&n);
    const size_t d = engine_model_get_info(model)->n_embd;
    g_autofree char *path = g_build_filename(LODE_TEST_DATA, "engine", name, NULL);
    g_autofree char *data = NULL;
    gsize n_bytes = 0;
    assert_true(g_file_get_contents(path, &data, &n_bytes, NULL));
    assert_int_equal(n_bytes, n * d * sizeof(float));

    g_autofree float *out = g_new0(float, n *d);
    g_autoptr(GError) error = NULL;
    if (!engine_embed(model, pool, (const char *const *)texts, n, out, NULL, &error))
        fail_msg("%s", error->message);
    double worst = 1;
    float farthest = 0;
    for (size_t i = 0; i < n; i++) {
        const float *expected = (const float *)(const void *)data + i * d;
        const double c = cosine(expected, out + i * d, d);
        if (!(c >= 1 - 1e-6)) fail_msg("%s: text %zu: cosine %.9f", name, i, c);
        worst = MIN(worst, c);
        for (size_t k = 0; k < d; k++)
            farthest = MAX(farthest, fabsf(expected[k] - out[i * d + k]));
    }
    print_message("%s: %zu texts, least cosine 1 - %.1e, largest difference %.1e\n", name, n,
                  1 - worst, (double)farthest);
    assert_true(farthest < 1e-3f);
}

/* ---- the cross-encoder ---- */

static const char *const FILES[] = {"config.json", "vocab.txt", "model.safetensors"};

engine_model *
bert_open_cross(const char *dir, const char *weights)
{
    const char *const from[] = {LODE_TEST_DATA "/engine/tiny_cross",
                                LODE_TEST_DATA "/engine/tiny_bert", weights};
    g_autoptr(GError) error = NULL;

    assert_int_equal(g_mkdir_with_parents(dir, 0755), 0);
    for (size_t i = 0; i < G_N_ELEMENTS(FILES); i++) {
        g_autofree char *source = g_build_filename(from[i], FILES[i], NULL);
        g_autofree char *to = g_build_filename(dir, FILES[i], NULL);
        g_autofree char *data = NULL;
        gsize n = 0;
        assert_true(g_file_get_contents(source, &data, &n, NULL));
        assert_true(g_file_set_contents(to, data, (gssize)n, NULL));
    }
    engine_model *model = engine_model_open(dir, &error);
    if (!model) fail_msg("%s", error->message);
    return model;
}

engine_model *
bert_open_judge(void)
{
    g_autofree char *dir = g_dir_make_tmp("lode-cross-XXXXXX", NULL);
    engine_model *model = bert_open_cross(dir, LODE_TEST_DATA "/engine/tiny_cross");

    for (size_t i = 0; i < G_N_ELEMENTS(FILES); i++) {
        g_autofree char *path = g_build_filename(dir, FILES[i], NULL);
        g_unlink(path);
    }
    g_rmdir(dir);
    return model;
}

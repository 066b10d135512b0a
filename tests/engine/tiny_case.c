#include "tiny_case.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static char *
case_path(const char *file)
{
    return g_build_filename(LODE_TEST_DATA, "engine", "tiny", file, NULL);
}

static int32_t *
load_ints(const json_t *list, size_t *n)
{
    *n = json_array_size(list);
    assert_true(*n > 0);
    int32_t *out = g_new(int32_t, *n);
    for (size_t i = 0; i < *n; i++)
        out[i] = (int32_t)json_integer_value(json_array_get(list, i));
    return out;
}

/* n_rows rows of n_vocab floats, little-endian as every machine we run on. */
static float *
load_floats(const char *file, size_t n_rows, size_t n_vocab)
{
    g_autofree char *path = case_path(file);
    char *raw;
    gsize n_bytes;

    if (!g_file_get_contents(path, &raw, &n_bytes, NULL)) fail_msg("cannot read %s", path);
    assert_int_equal(n_bytes, n_rows * n_vocab * sizeof(float));
    return (float *)(void *)raw;
}

tiny_case *
tiny_case_load(const char *name)
{
    tiny_case *c = g_new0(tiny_case, 1);
    g_autofree char *json_file = g_strconcat(name, ".json", NULL),
                    *logits_file = g_strconcat(name, ".f32", NULL);
    g_autofree char *path = case_path(json_file);
    json_error_t error;

    c->name = g_strdup(name);
    c->json = json_load_file(path, 0, &error);
    if (!c->json) fail_msg("%s: %s", path, error.text);
    c->ids = load_ints(json_object_get(c->json, "ids"), &c->n_ids);
    c->positions = load_ints(json_object_get(c->json, "positions"), &c->n_positions);
    const json_t *config = json_object_get(c->json, "config"),
                 *text = json_object_get(config, "text_config");
    c->n_vocab = (size_t)json_integer_value(json_object_get(text ? text : config, "vocab_size"));
    c->logits = load_floats(logits_file, c->n_positions, c->n_vocab);
    return c;
}

void
tiny_case_free(tiny_case *c)
{
    if (!c) return;
    json_decref(c->json);
    g_free(c->name);
    g_free(c->ids);
    g_free(c->positions);
    g_free(c->logits);
    g_free(c);
}

static gint
compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

char **
tiny_case_names(void)
{
    g_autofree char *folder = case_path("");
    GDir *dir = g_dir_open(folder, 0, NULL);
    GPtrArray *names = g_ptr_array_new();
    const char *file;

    assert_non_null(dir);
    while ((file = g_dir_read_name(dir)))
        if (g_str_has_suffix(file, ".json"))
            g_ptr_array_add(names, g_strndup(file, strlen(file) - strlen(".json")));
    g_dir_close(dir);
    assert_int_not_equal(names->len, 0);
    g_ptr_array_sort(names, compare_names);
    g_ptr_array_add(names, NULL);
    return (char **)g_ptr_array_free(names, FALSE);
}

/* Rows of `all` at the first n positions against expected [n, n_vocab]; NaN counts as infinitely wrong. */
static double
scaled_error(const tiny_case *c, const float *expected, size_t n, const float *all)
{
    double largest = 0.0, error = 0.0;

    for (size_t p = 0; p < n; p++) {
        for (size_t i = 0; i < c->n_vocab; i++) {
            const double want = (double)expected[p * c->n_vocab + i],
                         got = (double)all[(size_t)c->positions[p] * c->n_vocab + i];
            if (isnan(got)) return INFINITY;
            largest = fmax(largest, fabs(want));
            error = fmax(error, fabs(want - got));
        }
    }
    return error / largest;
}

double
tiny_case_error(const tiny_case *c, const float *logits)
{
    return scaled_error(c, c->logits, c->n_positions, logits);
}

static char *
draft_file(const tiny_case *c, const char *head)
{
    return g_strdup_printf("%s.%s.f32", c->name, head);
}

gboolean
tiny_case_has_drafts(const tiny_case *c, const char *head)
{
    g_autofree char *file = draft_file(c, head);
    return json_object_get(json_object_get(c->json, "drafts"), file) != NULL;
}

double
tiny_case_draft_error(const tiny_case *c, const char *head, const float *drafts)
{
    g_autofree char *file = draft_file(c, head);
    size_t n = c->n_positions;

    while (n > 0 && (size_t)c->positions[n - 1] >= c->n_ids - 1) /* the last token has no next */
        n--;
    g_autofree float *expected = load_floats(file, n, c->n_vocab);
    return scaled_error(c, expected, n, drafts);
}

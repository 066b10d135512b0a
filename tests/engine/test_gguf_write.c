/* The GGUF writer through the reader: what goes in comes out, whole and in parts. */
#include "engine/gguf_write.h"

#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static char *
make_dir(void **state)
{
    (void)state;
    char *dir = g_dir_make_tmp("lode-gguf-XXXXXX", NULL);
    assert_non_null(dir);
    return dir;
}

static void
remove_dir(const char *dir)
{
    g_autoptr(GDir) list = g_dir_open(dir, 0, NULL);
    const char *name;

    while ((name = g_dir_read_name(list)) != NULL) {
        g_autofree char *path = g_build_filename(dir, name, NULL);
        assert_int_equal(g_remove(path), 0);
    }
    assert_int_equal(g_rmdir(dir), 0);
}

static guint
count_files(const char *dir)
{
    g_autoptr(GDir) list = g_dir_open(dir, 0, NULL);
    guint n = 0;

    while (g_dir_read_name(list) != NULL)
        n++;
    return n;
}

static void
set_everything(engine_gguf_writer *w)
{
    static const engine_bytes strings[] = {{"a\0b", 3}, {"", 0}, {"\xe2\x96\x81", 3}};
    static const int32_t ints[] = {1, -1, G_MAXINT32, G_MININT32};
    static const float floats[] = {0.5f, -3.25f};
    static const gboolean bools[] = {TRUE, FALSE, TRUE};

    engine_gguf_writer_set_string(w, "general.architecture", "llama");
    engine_gguf_writer_set_u32(w, "u32", 1);
    engine_gguf_writer_set_i32(w, "i32", -7);
    engine_gguf_writer_set_u64(w, "u64", 1ull << 40);
    engine_gguf_writer_set_f32(w, "f32", 1.5f);
    engine_gguf_writer_set_bool(w, "bool", TRUE);
    engine_gguf_writer_set_strings(w, "strings", strings, 3);
    engine_gguf_writer_set_ints(w, "ints", ints, 4);
    engine_gguf_writer_set_floats(w, "floats", floats, 2);
    engine_gguf_writer_set_bools(w, "bools", bools, 3);
    engine_gguf_writer_set_u32(w, "u32", 4000000000u); /* again: the later value counts */
}

static void
check_everything(const engine_weights *weights)
{
    uint32_t u = 0;
    int64_t i = 0;
    float f = 0;
    gboolean b = FALSE;
    size_t n = 0;

    assert_int_equal(engine_weights_n_metadata(weights), 10);
    assert_string_equal(engine_weights_metadata_at(weights, 1).key, "u32");
    assert_string_equal(engine_weights_get_string(weights, "general.architecture"), "llama");
    assert_true(engine_weights_get_u32(weights, "u32", &u) && u == 4000000000u);
    assert_true(engine_weights_get_i64(weights, "i32", &i) && i == -7);
    assert_true(engine_weights_get_i64(weights, "u64", &i) && i == 1ll << 40);
    assert_true(engine_weights_get_f32(weights, "f32", &f) && f == 1.5f);
    assert_true(engine_weights_get_bool(weights, "bool", &b) && b);
    const engine_bytes *strings = engine_weights_get_strings(weights, "strings", &n);
    assert_int_equal(n, 3);
    assert_true(strings[0].len == 3 && memcmp(strings[0].data, "a\0b", 3) == 0);
    assert_true(strings[1].len == 0 && strings[2].len == 3);
    const int32_t *ints = engine_weights_get_ints(weights, "ints", &n);
    assert_true(n == 4 && ints[1] == -1 && ints[2] == G_MAXINT32 && ints[3] == G_MININT32);
    const float *floats = engine_weights_get_floats(weights, "floats", &n);
    assert_true(n == 2 && floats[0] == 0.5f && floats[1] == -3.25f);
    assert_true(engine_weights_get_bool_at(weights, "bools", 0, &b) && b);
    assert_true(engine_weights_get_bool_at(weights, "bools", 1, &b) && !b);
    assert_false(engine_weights_get_bool_at(weights, "bools", 3, &b));
    assert_true(engine_weights_get_u32_at(weights, "ints", 0, &u) && u == 1);
    assert_false(engine_weights_get_u32_at(weights, "ints", 1, &u)); /* negative */
    assert_true(engine_weights_get_u32_at(weights, "u32", 99, &u) && u == 4000000000u);
    assert_int_equal(engine_weights_get_n(weights, "ints"), 4);
    assert_int_equal(engine_weights_get_n(weights, "strings"), 3);
    assert_int_equal(engine_weights_get_n(weights, "u32"), 1);
    assert_int_equal(engine_weights_get_n(weights, "nothing"), 0);
}

/* Five tensors, odd sizes among them; their bytes count up. */
static const uint64_t DIMS[5][4] = {{32, 3}, {7}, {64, 2, 5}, {1}, {32, 8}};
static const uint32_t N_DIMS[5] = {2, 1, 3, 1, 2};
static const engine_type TYPES[5] = {ENGINE_TYPE_Q8_0, ENGINE_TYPE_F32, ENGINE_TYPE_Q4_0,
                                     ENGINE_TYPE_F16, ENGINE_TYPE_MXFP4};

static size_t
add_tensors(engine_gguf_writer *w)
{
    size_t total = 0;

    for (int i = 0; i < 5; i++) {
        g_autofree char *name = g_strdup_printf("tensor.%d", i);
        size_t n;
        assert_true(engine_gguf_writer_add_tensor(w, name, TYPES[i], N_DIMS[i], DIMS[i], NULL));
        assert_true(engine_tensor_size(
            (uint32_t)TYPES[i], N_DIMS[i],
            (uint64_t[4]){DIMS[i][0], MAX(DIMS[i][1], 1), MAX(DIMS[i][2], 1), 1}, &n));
        total += n;
    }
    return total;
}

static void
check_tensors(const engine_weights *weights)
{
    uint8_t next = 0;

    assert_int_equal(engine_weights_n_tensors(weights), 5);
    for (size_t i = 0; i < 5; i++) {
        const engine_tensor *t = engine_weights_tensor_at(weights, i);
        assert_int_equal(t->type, TYPES[i]);
        assert_int_equal(t->n_dims, N_DIMS[i]);
        assert_int_equal(t->dims[0], DIMS[i][0]);
        for (size_t b = 0; b < t->n_bytes; b++)
            assert_int_equal(t->data[b], next++);
    }
}

/* Write the data in pieces of `step` bytes. */
static void
write_model(const char *path, uint64_t part_bytes, size_t step)
{
    g_autoptr(engine_gguf_writer) w = engine_gguf_writer_new(path, part_bytes);
    g_autoptr(GError) error = NULL;
    uint8_t piece[512];

    set_everything(w);
    const size_t total = add_tensors(w);
    assert_true(engine_gguf_writer_begin(w, &error));
    for (size_t at = 0; at < total; at += step) {
        const size_t now = MIN(step, total - at);
        for (size_t i = 0; i < now; i++)
            piece[i] = (uint8_t)(at + i);
        assert_true(engine_gguf_writer_write(w, piece, now, &error));
        assert_false(g_file_test(path, G_FILE_TEST_EXISTS)); /* not before finish */
    }
    assert_true(engine_gguf_writer_finish(w, &error));
}

static void
what_is_written_is_read_back(void **state)
{
    g_autofree char *dir = make_dir(state), *path = g_build_filename(dir, "m.gguf", NULL);
    static const size_t steps[] = {1, 7, 32, 512};

    for (size_t i = 0; i < G_N_ELEMENTS(steps); i++) {
        g_autoptr(GError) error = NULL;
        write_model(path, 0, steps[i]);
        g_autoptr(engine_weights) weights = engine_weights_open(path, &error);
        if (error) fail_msg("%s", error->message);
        check_everything(weights);
        check_tensors(weights);
        assert_int_equal(g_remove(path), 0);
    }
    remove_dir(dir);
}

static void
any_part_opens_the_whole_model_and_a_missing_one_is_named(void **state)
{
    g_autofree char *dir = make_dir(state), *path = g_build_filename(dir, "m.gguf", NULL);
    g_autoptr(GPtrArray) parts = g_ptr_array_new_with_free_func(g_free);

    write_model(path, 400, 100);
    const guint n = count_files(dir);
    assert_true(n >= 3);
    for (guint i = 0; i < n; i++) {
        g_autofree char *name = g_strdup_printf("m-%05u-of-%05u.gguf", i + 1, n);
        g_ptr_array_add(parts, g_build_filename(dir, name, NULL));
    }
    for (guint i = 0; i <= n; i++) { /* the last time the folder itself */
        g_autoptr(GError) error = NULL;
        g_autoptr(engine_weights) weights =
            engine_weights_open(i < n ? parts->pdata[i] : dir, &error);
        if (error) fail_msg("%s", error->message);
        check_tensors(weights);
        assert_string_equal(engine_weights_path(weights), parts->pdata[0]);
        assert_string_equal(engine_weights_get_string(weights, "general.architecture"), "llama");
    }
    g_autofree char *elsewhere = g_build_filename(dir, "else.gguf", NULL);
    static const guint order[] = {1, 0};
    for (size_t i = 0; i < G_N_ELEMENTS(order); i++) {
        g_autoptr(GError) error = NULL;
        assert_int_equal(g_rename(parts->pdata[order[i]], elsewhere), 0);
        assert_null(engine_weights_open(parts->pdata[2], &error));
        if (!strstr(error->message, parts->pdata[order[i]])) fail_msg("%s", error->message);
        g_clear_error(&error);
        assert_null(
            engine_weights_open(elsewhere, &error)); /* its name does not say where it belongs */
        assert_non_null(strstr(error->message, "should end in"));
        assert_int_equal(g_rename(elsewhere, parts->pdata[order[i]]), 0);
    }
    g_autoptr(GError) error = NULL;
    g_autofree char *content = NULL;
    gsize len;
    assert_true(g_file_get_contents(parts->pdata[2], &content, &len, NULL));
    assert_true(g_file_set_contents(parts->pdata[1], content, (gssize)len, NULL));
    assert_null(engine_weights_open(parts->pdata[0], &error));
    assert_non_null(strstr(error->message, "says it is part 3"));
    remove_dir(dir);
}

static void
metadata_is_copied_as_it_is(void **state)
{
    g_autofree char *dir = make_dir(state), *path = g_build_filename(dir, "m.gguf", NULL);
    g_autofree char *other = g_build_filename(dir, "n.gguf", NULL);
    g_autoptr(GError) error = NULL;

    write_model(path, 0, 100);
    g_autoptr(engine_weights) weights = engine_weights_open(path, &error);
    g_autoptr(engine_gguf_writer) w = engine_gguf_writer_new(other, 0);
    engine_gguf_writer_copy_metadata(w, weights);
    assert_true(engine_gguf_writer_begin(w, &error));
    assert_true(engine_gguf_writer_finish(w, &error));
    g_autoptr(engine_weights) copy = engine_weights_open(other, &error);
    check_everything(copy);
    assert_int_equal(engine_weights_n_tensors(copy), 0);
    remove_dir(dir);
}

static void
an_abandoned_file_leaves_nothing_and_a_failed_one_says_why(void **state)
{
    g_autofree char *dir = make_dir(state), *path = g_build_filename(dir, "m.gguf", NULL);
    g_autofree char *nowhere = g_build_filename(dir, "no", "m.gguf", NULL);
    g_autoptr(GError) error = NULL;
    engine_gguf_writer *w = engine_gguf_writer_new(path, 0);

    add_tensors(w);
    assert_false(engine_gguf_writer_add_tensor(w, "tensor.0", ENGINE_TYPE_F32, 1, DIMS[1], &error));
    assert_non_null(strstr(error->message, "two tensors"));
    g_clear_error(&error);
    assert_false(engine_gguf_writer_add_tensor(w, "odd", ENGINE_TYPE_Q4_K, 1, DIMS[0], &error));
    assert_non_null(strstr(error->message, "impossible shape"));
    g_clear_error(&error);
    assert_true(engine_gguf_writer_begin(w, &error));
    assert_true(engine_gguf_writer_write(w, "some", 4, &error));
    assert_int_equal(count_files(dir), 1);
    engine_gguf_writer_free(w);
    assert_int_equal(count_files(dir), 0);
    g_autoptr(engine_gguf_writer) lost = engine_gguf_writer_new(nowhere, 0);
    assert_false(engine_gguf_writer_begin(lost, &error));
    assert_non_null(strstr(error->message, nowhere));
    remove_dir(dir);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(any_part_opens_the_whole_model_and_a_missing_one_is_named),
        cmocka_unit_test(metadata_is_copied_as_it_is),
        cmocka_unit_test(an_abandoned_file_leaves_nothing_and_a_failed_one_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

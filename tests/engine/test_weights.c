/* GGUF and safetensors: what a good file gives, and that every lie is refused with a reason. */
#include "engine/weights.h"
#include "weight_builder.h"

#include <glib/gstdio.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static engine_weights *
parse(const GByteArray *file, GError **error)
{
    /* an exactly sized copy, so that a sanitizer sees a read past the end */
    g_autofree uint8_t *copy = g_memdup2(file->data, file->len);
    return engine_weights_parse_gguf(copy, file->len, "test.gguf", error);
}

/* The file is refused with this code, its name, and `what` in the message. */
static void
assert_refused(const GByteArray *file, engine_error_code code, const char *what)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(engine_weights) weights = parse(file, &error);

    assert_null(weights);
    assert_non_null(error);
    assert_true(error->domain == ENGINE_ERROR);
    assert_int_equal(error->code, code);
    assert_true(g_str_has_prefix(error->message, "test.gguf: "));
    if (!strstr(error->message, what)) fail_msg("expected \"%s\" in: %s", what, error->message);
}

static const uint64_t SHAPE[4] = {32, 2, 1, 1};

/* One Q8_0 tensor and one of every metadata kind we ask for. */
static GByteArray *
good_file(void)
{
    GByteArray *out = gguf_start(3, 2, 6);

    gguf_meta_string(out, "general.architecture", "llama");
    gguf_meta_u32(out, "a.u32", 7);
    put_string(out, "a.strings");
    put_u32(out, 9), put_u32(out, 8), put_u64(out, 2);
    put_string(out, "x"), put_string(out, "");
    put_string(out, "a.floats");
    put_u32(out, 9), put_u32(out, 6), put_u64(out, 2);
    put_u32(out, 0x3f800000), put_u32(out, 0xc0000000);
    put_string(out, "a.ints");
    put_u32(out, 9), put_u32(out, 5), put_u64(out, 2);
    put_u32(out, 5), put_u32(out, 0xffffffff);
    put_string(out, "a.u64");
    put_u32(out, 10), put_u64(out, G_MAXUINT64);
    gguf_tensor(out, "w", 2, SHAPE, 8, 0);
    gguf_tensor(out, "v", 1, SHAPE, 0, 96);
    gguf_data(out, 32, 96 + 128);
    return out;
}

static void
a_good_file_gives_its_tensors_and_metadata(void **state)
{
    (void)state;
    g_autoptr(GByteArray) file = good_file();
    g_autoptr(GError) error = NULL;
    g_autoptr(engine_weights) weights = parse(file, &error);
    uint32_t number = 0;
    gboolean flag;
    size_t n;

    if (error) fail_msg("%s", error->message);
    assert_non_null(weights);
    assert_int_equal(engine_weights_n_tensors(weights), 2);
    const engine_tensor *w = engine_weights_lookup(weights, "w");
    assert_non_null(w);
    assert_int_equal(w->n_bytes, 68);
    assert_int_equal(w->data[0], 0);
    assert_int_equal(w->data[67], 67);
    assert_int_equal(engine_weights_lookup(weights, "v")->data[0], 96);
    assert_null(engine_weights_lookup(weights, "nothing"));
    assert_string_equal(engine_weights_get_string(weights, "general.architecture"), "llama");
    assert_true(engine_weights_get_u32(weights, "a.u32", &number));
    assert_int_equal(number, 7);
    assert_false(engine_weights_get_u32(weights, "a.u64", &number)); /* too large, not an error */
    assert_false(engine_weights_get_bool(weights, "a.u32", &flag));
    const engine_bytes *strings = engine_weights_get_strings(weights, "a.strings", &n);
    assert_int_equal(n, 2);
    assert_true(strings[0].len == 1 && strings[0].data[0] == 'x' && strings[1].len == 0);
    const float *floats = engine_weights_get_floats(weights, "a.floats", &n);
    assert_true(n == 2 && floats[0] == 1.0f && floats[1] == -2.0f);
    const int32_t *ints = engine_weights_get_ints(weights, "a.ints", &n);
    assert_true(n == 2 && ints[0] == 5 && ints[1] == -1);
    assert_null(engine_weights_get_ints(weights, "a.floats", &n));
    assert_non_null(engine_weights_require(weights, "w", 32, 2, &error));
    assert_null(engine_weights_require(weights, "w", 32, 3, &error));
    assert_non_null(strstr(error->message, "32 x 2"));
}

static void
every_truncation_is_refused(void **state)
{
    (void)state;
    g_autoptr(GByteArray) file = good_file();

    for (guint cut = 0; cut < file->len; cut++) {
        g_autoptr(GError) error = NULL;
        g_autofree uint8_t *copy = g_memdup2(file->data, MAX(cut, 1));
        g_autoptr(engine_weights) weights = engine_weights_parse_gguf(copy, cut, "cut", &error);
        if (weights) fail_msg("cut at %u of %u bytes was accepted", cut, file->len);
        assert_non_null(error);
    }
}

static void
lying_headers_are_refused(void **state)
{
    (void)state;
    static const struct {
        uint32_t version;
        uint64_t n_tensors, n_metadata;
        engine_error_code code;
        const char *what;
    } cases[] = {
        {1, 0, 0, ENGINE_ERROR_UNSUPPORTED, "version 1"},
        {4, 0, 0, ENGINE_ERROR_UNSUPPORTED, "version 4"},
        {0x03000000, 0, 0, ENGINE_ERROR_UNSUPPORTED, "big-endian"},
        {3, G_MAXUINT64, 0, ENGINE_ERROR_FORMAT, "announces more"},
        {3, 0, G_MAXUINT64, ENGINE_ERROR_FORMAT, "announces more"},
        {3, 0, 1, ENGINE_ERROR_FORMAT, "announces more"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GByteArray) file =
            gguf_start(cases[i].version, cases[i].n_tensors, cases[i].n_metadata);
        assert_refused(file, cases[i].code, cases[i].what);
    }
    g_autoptr(GByteArray) other = gguf_start(3, 0, 0);
    other->data[0] = 'g';
    assert_refused(other, ENGINE_ERROR_FORMAT, "not a GGUF");
}

static void
lying_metadata_is_refused(void **state)
{
    (void)state;
    /* element type, count: more elements than bytes left; nested; unknown type; a count that overflows */
    static const struct {
        uint32_t element;
        uint64_t count;
    } arrays[] = {{8, 1u << 30}, {8, G_MAXUINT64}, {4, 1u << 28}, {12, G_MAXUINT64 / 8 + 2},
                  {9, 1},        {13, 1},          {0, 65}};

    for (size_t i = 0; i < G_N_ELEMENTS(arrays); i++) {
        g_autoptr(GByteArray) file = gguf_start(3, 0, 1);
        put_string(file, "key");
        put_u32(file, 9), put_u32(file, arrays[i].element), put_u64(file, arrays[i].count);
        gguf_data(file, 1, 64);
        assert_refused(file, ENGINE_ERROR_FORMAT, "key has a malformed value");
    }
    g_autoptr(GByteArray) twice = gguf_start(3, 0, 2);
    gguf_meta_u32(twice, "same", 1), gguf_meta_u32(twice, "same", 2);
    assert_refused(twice, ENGINE_ERROR_FORMAT, "same appears twice");
    g_autoptr(GByteArray) unknown = gguf_start(3, 0, 1);
    put_string(unknown, "key"), put_u32(unknown, 13), put_u64(unknown, 0);
    assert_refused(unknown, ENGINE_ERROR_FORMAT, "malformed");
    g_autoptr(GByteArray) bad_key = gguf_start(3, 0, 1);
    gguf_meta_u32(bad_key, "k\xff", 1);
    assert_refused(bad_key, ENGINE_ERROR_FORMAT, "no usable key");
    g_autoptr(GByteArray) long_string = gguf_start(3, 0, 1);
    put_string(long_string, "key"), put_u32(long_string, 8), put_u64(long_string, G_MAXUINT64 - 3);
    assert_refused(long_string, ENGINE_ERROR_FORMAT, "malformed");
    static const uint32_t alignments[] = {0, 4, 33, 1u << 21, G_MAXUINT32};
    for (size_t i = 0; i < G_N_ELEMENTS(alignments); i++) {
        g_autoptr(GByteArray) file = gguf_start(3, 0, 1);
        gguf_meta_u32(file, "general.alignment", alignments[i]);
        assert_refused(file, ENGINE_ERROR_FORMAT, "general.alignment");
    }
    g_autoptr(GByteArray) split = gguf_start(3, 0, 1);
    gguf_meta_u32(split, "split.count", 3);
    assert_refused(split, ENGINE_ERROR_FORMAT, "one of 3 parts");
}

static void
lying_tensors_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint64_t dims[4];
        uint32_t n_dims, type;
        uint64_t offset;
        engine_error_code code;
        const char *what;
    } cases[] = {
        {"w", {32, 2, 1, 1}, 2, 8, 32, ENGINE_ERROR_FORMAT, "beyond the end"},
        {"w", {32, 2, 1, 1}, 2, 8, G_MAXUINT64 - 31, ENGINE_ERROR_FORMAT, "beyond the end"},
        {"w", {32, 2, 1, 1}, 2, 8, 16, ENGINE_ERROR_FORMAT, "not aligned"},
        {"w", {31, 2, 1, 1}, 2, 8, 0, ENGINE_ERROR_FORMAT, "impossible shape"},
        {"w", {32, 0, 1, 1}, 2, 8, 0, ENGINE_ERROR_FORMAT, "impossible shape"},
        {"w", {1ull << 33, 1ull << 33, 1, 1}, 2, 0, 0, ENGINE_ERROR_FORMAT, "impossible shape"},
        {"w", {1ull << 61, 1, 1, 1}, 1, 0, 0, ENGINE_ERROR_FORMAT, "impossible shape"},
        {"w", {32, 2, 1, 1}, 2, 4, 0, ENGINE_ERROR_UNSUPPORTED, "type number 4"},
        {"w", {32, 2, 1, 1}, 2, 0x7fffffff, 0, ENGINE_ERROR_UNSUPPORTED, "type number"},
        {"", {32, 2, 1, 1}, 2, 8, 0, ENGINE_ERROR_FORMAT, "no usable name"},
        {"\xc3", {32, 2, 1, 1}, 2, 8, 0, ENGINE_ERROR_FORMAT, "no usable name"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GByteArray) file = gguf_start(3, 1, 0);
        gguf_tensor(file, cases[i].name, cases[i].n_dims, cases[i].dims, cases[i].type,
                    cases[i].offset);
        gguf_data(file, 32, 68);
        assert_refused(file, cases[i].code, cases[i].what);
    }
    g_autoptr(GByteArray) dims = gguf_start(3, 1, 0);
    put_string(dims, "w"), put_u32(dims, 5), gguf_data(dims, 1, 200);
    assert_refused(dims, ENGINE_ERROR_FORMAT, "tensor table");
    g_autoptr(GByteArray) twice = gguf_start(3, 2, 0);
    gguf_tensor(twice, "w", 2, SHAPE, 8, 0), gguf_tensor(twice, "w", 2, SHAPE, 8, 96),
        gguf_data(twice, 32, 200);
    assert_refused(twice, ENGINE_ERROR_FORMAT, "two tensors are named w");
    g_autoptr(GByteArray) overlap = gguf_start(3, 2, 0);
    gguf_tensor(overlap, "w", 2, SHAPE, 8, 0), gguf_tensor(overlap, "v", 2, SHAPE, 8, 64),
        gguf_data(overlap, 32, 200);
    assert_refused(overlap, ENGINE_ERROR_FORMAT, "w and v overlap");
}

/* ---- safetensors ---- */

static engine_weights *
parse_safetensors(const char *header, guint n, json_t *config, GError **error)
{
    g_autoptr(GByteArray) file = safetensors_file(header, n);
    g_autofree uint8_t *copy = g_memdup2(file->data, file->len);
    return engine_weights_parse_safetensors(copy, file->len, config, "test.safetensors", error);
}

static void
a_good_safetensors_file_gives_reversed_shapes_and_its_configuration(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    json_t *config = json_loads("{\"n\": 3, \"x\": 0.5, \"eps\": 1, \"yes\": true, \"s\": \"t\", "
                                "\"rope\": {\"theta\": 7.5}}",
                                0, NULL);
    g_autoptr(engine_weights) weights =
        parse_safetensors("{\"__metadata__\":{\"format\":\"pt\"},\"a\":{\"dtype\":\"F32\","
                          "\"shape\":[2,3],\"data_offsets\":[4,28]},"
                          "\"s\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[0,4]}}   ",
                          28, config, &error);
    float x;
    uint32_t n;
    gboolean yes;

    json_decref(config);
    if (error) fail_msg("%s", error->message);
    assert_non_null(weights);
    const engine_tensor *a = engine_weights_lookup(weights, "a");
    assert_true(a->dims[0] == 3 && a->dims[1] == 2 && a->data[0] == 4 && a->n_bytes == 24);
    assert_true(engine_weights_get_u32(weights, "n", &n) && n == 3);
    assert_true(engine_weights_get_f32(weights, "x", &x) && x == 0.5f);
    assert_true(engine_weights_get_f32(weights, "eps", &x) && x == 1.0f);
    assert_true(engine_weights_get_f32(weights, "rope.theta", &x) && x == 7.5f);
    assert_true(engine_weights_get_bool(weights, "yes", &yes) && yes);
    assert_string_equal(engine_weights_get_string(weights, "s"), "t");
    assert_null(engine_weights_get_string(weights, "n"));
    assert_false(engine_weights_get_u32(weights, "rope.theta.deeper", &n));
}

static void
lying_safetensors_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        guint n;
        const char *what;
    } cases[] = {
        {"[]", 0, "not a JSON object"},
        {"{", 0, "header"},
        {"{\"a\":1}", 0, "no dtype"},
        {"{\"a\":{\"dtype\":\"F4\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4,
         "F4 is not supported"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4, "shape"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1.5],\"data_offsets\":[0,4]}}", 4, "shape"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1],\"data_offsets\":[0,4]}}", 4, "shape"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4, "data_offsets"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 4, "data_offsets"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[-4,0]}}", 4, "data_offsets"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 8, "needs 8 bytes"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 4, "beyond the end"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[9223372036854775803,"
         "9223372036854775807]}}",
         4, "beyond the end"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,0]}}", 4,
         "impossible shape"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"a\":{\"dtype\":\"F32\","
         "\"shape\":[1],\"data_offsets\":[4,8]}}",
         8, "uplicate"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"F32\","
         "\"shape\":[1],\"data_offsets\":[2,6]}}",
         8, "overlap"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"F32\","
         "\"shape\":[1],\"data_offsets\":[8,12]}}",
         12, "cover 8 of 12"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 5, "cover 4 of 5"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(engine_weights) weights =
            parse_safetensors(cases[i].header, cases[i].n, NULL, &error);
        if (weights) fail_msg("accepted: %s", cases[i].header);
        assert_non_null(error);
        if (!strstr(error->message, cases[i].what))
            fail_msg("expected \"%s\" in: %s", cases[i].what, error->message);
    }
    static const uint64_t lengths[] = {0, 1, 9, 100u << 20, G_MAXUINT64, G_MAXUINT64 - 7};
    for (size_t i = 0; i < G_N_ELEMENTS(lengths); i++) {
        g_autoptr(GByteArray) file = g_byte_array_new();
        g_autoptr(GError) error = NULL;
        put_u64(file, lengths[i]);
        gguf_data(file, 1, 8);
        assert_null(
            engine_weights_parse_safetensors(file->data, file->len, NULL, "lengths", &error));
        assert_non_null(error);
    }
}

/* [rows, cols] FP8 with scales of this dtype and shape. */
static engine_weights *
parse_fp8(int rows, int cols, const char *scale_dtype, int scale_rows, int scale_cols,
          int scale_bytes, const char *config, GError **error)
{
    const int n = rows * cols, n_scales = scale_rows * scale_cols * scale_bytes;
    g_autofree char *header = g_strdup_printf(
        "{\"w.weight\":{\"dtype\":\"F8_E4M3\",\"shape\":[%d,%d],\"data_offsets\":[0,%d]},"
        "\"w.weight_scale_inv\":{\"dtype\":\"%s\",\"shape\":[%d,%d],\"data_offsets\":[%d,%d]}}",
        rows, cols, n, scale_dtype, scale_rows, scale_cols, n, n + n_scales);
    g_autoptr(GByteArray) file = safetensors_file(header, (guint)(n + n_scales));
    uint8_t *data = file->data + file->len - n - n_scales;
    json_t *json = json_loads(config, 0, NULL);

    for (int i = 0; i < n; i++)
        data[i] = 0x38; /* 1.0 */
    for (int i = 0; i < scale_rows * scale_cols; i++) {
        const float scale = ldexpf(1.0f, i);
        const uint16_t bf16 = (uint16_t)((127 + i) << 7);
        if (scale_bytes == 4)
            memcpy(data + n + 4 * i, &scale, 4);
        else if (scale_bytes == 2)
            memcpy(data + n + 2 * i, &bf16, 2);
        else
            data[n + i] = (uint8_t)(127 + i);
    }
    engine_weights *weights =
        engine_weights_parse_safetensors(file->data, file->len, json, "fp8", error);
    json_decref(json);
    return weights;
}

static void
fp8_blocks_have_their_scales_up_to_the_ragged_edges(void **state)
{
    (void)state;
    static const struct {
        const char *dtype;
        int bytes;
    } kinds[] = {{"F32", 4}, {"BF16", 2}, {"F8_E8M0", 1}, {"U8", 1}};
    float row[200], scales[2];

    for (size_t k = 0; k < G_N_ELEMENTS(kinds); k++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(engine_weights) weights =
            parse_fp8(150, 200, kinds[k].dtype, 2, 2, kinds[k].bytes, "{}", &error);
        if (error) fail_msg("%s", error->message);
        const engine_tensor *t = engine_weights_require(weights, "w.weight", 200, 150, &error);
        assert_true(t->scale_rows == 128 && t->scale_cols == 128);
        for (size_t r = 0; r < 150; r++) {
            engine_tensor_row(t, r, row);
            engine_tensor_row_scales(t, r, scales);
            for (size_t c = 0; c < 200; c++) {
                assert_true(row[c] == (r < 128 ? 1.0f : 4.0f) * (c < 128 ? 1.0f : 2.0f));
                assert_true(row[c] == scales[c / 128]);
            }
        }
    }
    g_autoptr(GError) error = NULL;
    g_autoptr(engine_weights) small = parse_fp8(
        5, 6, "F32", 3, 2, 4, "{\"quantization_config\":{\"weight_block_size\":[2,4]}}", &error);
    const engine_tensor *t = engine_weights_lookup(small, "w.weight");
    engine_tensor_row(t, 4, row);
    assert_true(row[0] == 16.0f && row[3] == 16.0f && row[4] == 32.0f && row[5] == 32.0f);
    assert_null(parse_fp8(150, 200, "F32", 2, 1, 4, "{}", &error));
    assert_non_null(strstr(error->message, "one scale per block of 128 x 128"));
    g_clear_error(&error);
    assert_null(parse_fp8(5, 6, "F32", 3, 2, 4,
                          "{\"quantization_config\":{\"weight_block_size\":[0,4]}}", &error));
    g_clear_error(&error);
    assert_null(parse_fp8(150, 200, "I32", 2, 2, 4, "{}", &error));
}

static void
the_text_part_of_a_wrapper_answers_to_its_own_names(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    json_t *config = json_loads(
        "{\"model_type\": \"interns1\", \"tie_word_embeddings\": false, \"text_config\": {"
        "\"model_type\": \"qwen3_moe\", \"layer_types\": [\"a\", \"b\"], \"mlp_only_layers\": [3],"
        "\"rope_parameters\": {\"rope_type\": \"yarn\", \"rope_theta\": 5.0, \"truncate\": "
        "false}}}",
        0, NULL);
    g_autoptr(engine_weights) weights = parse_safetensors(
        "{\"model.language_model.norm.weight\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,"
        "1]"
        "},\"lm_head.weight\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]},"
        "\"language_model.model.a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[2,3]},"
        "\"language_model.b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[3,4]}}",
        4, config, &error);
    static const char *const names[] = {"model.norm.weight", "lm_head.weight", "model.a", "b"};
    uint32_t layer = 0;
    float theta = 0;
    gboolean flag = TRUE;

    json_decref(config);
    if (error) fail_msg("%s", error->message);
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        const engine_tensor *t = engine_weights_lookup(weights, names[i]);
        assert_non_null(t);
        assert_int_equal(t->data[0], i);
    }
    assert_string_equal(engine_weights_get_string(weights, "model_type"), "qwen3_moe");
    assert_true(engine_weights_get_bool(weights, "tie_word_embeddings", &flag) && !flag);
    assert_string_equal(engine_weights_get_string_at(weights, "layer_types", 1), "b");
    assert_null(engine_weights_get_string_at(weights, "layer_types", 2));
    assert_true(engine_weights_get_u32_at(weights, "mlp_only_layers", 0, &layer) && layer == 3);
    assert_int_equal(engine_weights_get_n(weights, "layer_types"), 2);
    assert_true(engine_weights_get_rope_f32(weights, "rope_theta", &theta) && theta == 5.0f);
    assert_string_equal(engine_weights_get_rope_type(weights), "yarn");
    flag = TRUE;
    assert_true(engine_weights_get_rope_bool(weights, "truncate", &flag) && !flag);
}

/* ---- files ---- */

static void
put_file(const char *dir, const char *name, const void *data, size_t len)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);
    assert_true(g_file_set_contents(path, data, (gssize)len, NULL));
}

/* A safetensors file of one tensor, one byte long. */
static void
put_part(const char *dir, const char *name, const char *tensor)
{
    g_autofree char *header =
        g_strdup_printf("{\"%s\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", tensor);
    g_autoptr(GByteArray) file = safetensors_file(header, 1);
    put_file(dir, name, file->data, file->len);
}

static void
an_index_opens_all_parts_whichever_is_named(void **state)
{
    (void)state;
    static const char *const files[] = {"model.safetensors.index.json", "config.json",
                                        "model-1.safetensors", "model-2.safetensors"};
    static const char *const wrong[][2] = {
        {"{\"weight_map\":{\"a\":\"model-1.safetensors\",\"b\":\"../b.safetensors\"}}",
         "beside it"},
        {"{\"weight_map\":{\"a\":\"/etc/x.safetensors\"}}", "beside it"},
        {"{\"weight_map\":{\"a\":7}}", "beside it"},
        {"{\"weight_map\":{}}", "names no tensor"},
        {"{}", "names no tensor"},
        {"{\"weight_map\":{\"a\":\"model-2.safetensors\",\"b\":\"model-2.safetensors\"}}",
         "tensor a is not in model-2"},
        {"{\"weight_map\":{\"a\":\"model-1.safetensors\",\"b\":\"model-3.safetensors\"}}",
         "part 2 of 2 is missing"},
        {"{\"weight_map\":{\"a\":\"model-2.safetensors\",\"b\":\"model-1.safetensors\"}}",
         "tensor a is not in model-2"},
        {"[]", "not a JSON object"},
    };
    g_autofree char *dir = g_dir_make_tmp("lode-weights-XXXXXX", NULL);
    g_autofree char *index = g_build_filename(dir, files[0], NULL);
    const char *good =
        "{\"weight_map\":{\"a\":\"model-1.safetensors\",\"b\":\"model-2.safetensors\"}}";

    put_part(dir, files[2], "a"), put_part(dir, files[3], "b");
    put_file(dir, files[1], "{}", 2), put_file(dir, files[0], good, strlen(good));
    for (int i = -1; i < 4; i++) { /* first the folder itself; config.json is no weight file */
        g_autofree char *path = i < 0 ? g_strdup(dir) : g_build_filename(dir, files[i], NULL);
        g_autoptr(GError) error = NULL;
        g_autoptr(engine_weights) weights = engine_weights_open(path, &error);
        if (i == 1) {
            assert_null(weights);
            continue;
        }
        if (error) fail_msg("%s", error->message);
        assert_non_null(engine_weights_lookup(weights, "a"));
        assert_non_null(engine_weights_lookup(weights, "b"));
    }
    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) error = NULL;
        put_file(dir, files[0], wrong[i][0], strlen(wrong[i][0]));
        g_autoptr(engine_weights) weights = engine_weights_open(index, &error);
        assert_null(weights);
        if (!strstr(error->message, wrong[i][1])) fail_msg("%s", error->message);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *path = g_build_filename(dir, files[i], NULL);
        assert_int_equal(g_remove(path), 0);
    }
    assert_int_equal(g_rmdir(dir), 0);
}

static void
assert_cannot_open(const char *path, engine_error_code code, const char *what)
{
    g_autoptr(GError) error = NULL;
    assert_null(engine_weights_open(path, &error));
    assert_non_null(error);
    assert_int_equal(error->code, code);
    if (!strstr(error->message, what)) fail_msg("expected \"%s\" in: %s", what, error->message);
}

static void
files_that_are_no_model_say_so(void **state)
{
    (void)state;
    g_autofree char *dir = g_dir_make_tmp("lode-weights-XXXXXX", NULL);
    g_autofree char *empty = g_build_filename(dir, "a.gguf", NULL),
                    *second = g_build_filename(dir, "b.gguf", NULL);
    g_autofree char *config = g_build_filename(dir, "config.json", NULL);
    g_autofree char *st = g_build_filename(dir, "m.safetensors", NULL);

    assert_cannot_open("/nonexistent/model.gguf", ENGINE_ERROR_IO, "/nonexistent/model.gguf");
    assert_cannot_open(dir, ENGINE_ERROR_IO, "no .gguf");
    assert_true(g_file_set_contents(empty, "", 0, NULL));
    assert_cannot_open(empty, ENGINE_ERROR_FORMAT, "neither");
    assert_true(g_file_set_contents(second, "", 0, NULL));
    assert_cannot_open(dir, ENGINE_ERROR_ARGUMENT, "several");
    assert_true(g_file_set_contents(st, "\2\0\0\0\0\0\0\0{}", 10, NULL));
    assert_cannot_open(st, ENGINE_ERROR_IO, "config.json");
    assert_true(g_file_set_contents(config, "[1]", 3, NULL));
    assert_cannot_open(st, ENGINE_ERROR_FORMAT, "not a JSON object");
    assert_true(g_file_set_contents(config, "{\"a\":", 5, NULL));
    assert_cannot_open(st, ENGINE_ERROR_FORMAT, "line 1");
    assert_true(g_file_set_contents(config, "{}", 2, NULL));
    g_autoptr(GError) error = NULL;
    g_autoptr(engine_weights) weights = engine_weights_open(st, &error);
    if (error) fail_msg("%s", error->message);
    assert_int_equal(engine_weights_n_tensors(weights), 0);
    assert_string_equal(engine_weights_dir(weights), dir);
    const char *const files[] = {empty, second, config, st};
    for (size_t i = 0; i < G_N_ELEMENTS(files); i++)
        assert_int_equal(g_remove(files[i]), 0);
    assert_int_equal(g_rmdir(dir), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_file_gives_its_tensors_and_metadata),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(lying_headers_are_refused),
        cmocka_unit_test(lying_metadata_is_refused),
        cmocka_unit_test(lying_tensors_are_refused),
        cmocka_unit_test(a_good_safetensors_file_gives_reversed_shapes_and_its_configuration),
        cmocka_unit_test(lying_safetensors_are_refused),
        cmocka_unit_test(fp8_blocks_have_their_scales_up_to_the_ragged_edges),
        cmocka_unit_test(the_text_part_of_a_wrapper_answers_to_its_own_names),
        cmocka_unit_test(an_index_opens_all_parts_whichever_is_named),
        cmocka_unit_test(files_that_are_no_model_say_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Stored types against recorded vectors (reference/quant_vectors.py), and their sizes. */
#include "engine/tensor.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static uint8_t *
from_hex(const char *hex, size_t *n)
{
    *n = strlen(hex) / 2;
    uint8_t *bytes = g_malloc(*n);
    for (size_t i = 0; i < *n; i++)
        bytes[i] =
            (uint8_t)(g_ascii_xdigit_value(hex[2 * i]) << 4 | g_ascii_xdigit_value(hex[2 * i + 1]));
    return bytes;
}

static void
every_type_dequantises_to_the_recorded_values(void **state)
{
    (void)state;
    json_t *root = json_load_file(LODE_TEST_DATA "/engine/quant_vectors.json", 0, NULL);
    json_t *vectors = json_object_get(root, "vectors"), *vector;
    size_t index, n_checked = 0;

    assert_non_null(root);
    json_array_foreach(vectors, index, vector)
    {
        const uint32_t type = (uint32_t)json_integer_value(json_object_get(vector, "type"));
        const engine_type_traits *traits = engine_type_lookup(type);
        size_t n_packed, n_bytes;
        g_autofree uint8_t *packed =
            from_hex(json_string_value(json_object_get(vector, "packed")), &n_packed);
        g_autofree uint8_t *expected =
            from_hex(json_string_value(json_object_get(vector, "values")), &n_bytes);
        const size_t n = n_bytes / sizeof(float);

        assert_non_null(traits);
        assert_string_equal(traits->name, json_string_value(json_object_get(vector, "name")));
        assert_int_equal(n / traits->block_elems * traits->block_bytes, n_packed);
        g_autofree float *out = g_new(float, n);
        traits->dequantize(packed, out, n);
        for (size_t i = 0; i < n; i++) {
            float want;
            memcpy(&want, expected + i * sizeof want, sizeof want);
            /* the recorder may round scale * min elsewhere: an ulp of the largest term */
            if (!(fabsf(out[i] - want) <= 1e-6f * fmaxf(fabsf(want), 1.0f)))
                fail_msg("%s[%zu]: %.9g, recorded %.9g", traits->name, i, (double)out[i],
                         (double)want);
        }
        n_checked++;
    }
    json_decref(root);
    assert_int_equal(n_checked, 15);
}

static void
every_half_survives_the_way_to_float_and_back(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        const float f = engine_half_to_float((uint16_t)h);
        if (isnan(f)) {
            assert_true((h & 0x7c00u) == 0x7c00u && (h & 0x3ffu) != 0);
            assert_true(isnan(engine_half_to_float(engine_half_from_float(f))));
            continue;
        }
        assert_int_equal(engine_half_from_float(f), h);
        const int exponent = (int)(h >> 10 & 31), mantissa = (int)(h & 1023);
        if (exponent < 31) {
            const float magnitude = exponent ? ldexpf((float)(1024 + mantissa), exponent - 25)
                                             : ldexpf((float)mantissa, -24);
            assert_true(fabsf(f) == magnitude && (signbit(f) != 0) == (h >> 15 != 0));
        } else {
            assert_true(isinf(f));
        }
    }
}

static void
floats_round_to_the_nearest_half_ties_to_even(void **state)
{
    (void)state;
    assert_int_equal(engine_half_from_float(1.0f + 0x1p-11f), 0x3c00);     /* tie, down to even */
    assert_int_equal(engine_half_from_float(1.0f + 3 * 0x1p-11f), 0x3c02); /* tie, up to even */
    assert_int_equal(engine_half_from_float(1.0f + 0x1p-11f + 0x1p-20f), 0x3c01);
    assert_int_equal(engine_half_from_float(65519.0f), 0x7bff);
    assert_int_equal(engine_half_from_float(65520.0f), 0x7c00);
    assert_int_equal(engine_half_from_float(0x1p-25f), 0x0000); /* tie between 0 and 2^-24 */
    assert_int_equal(engine_half_from_float(-0x1.8p-25f), 0x8001);
}

static void
every_fp8_byte_has_the_value_of_its_fields(void **state)
{
    (void)state;
    for (int i = 0; i < 256; i++) {
        const uint8_t byte = (uint8_t)i;
        const int e4 = i >> 3 & 15, m3 = i & 7, e5 = i >> 2 & 31, m2 = i & 3;
        const float sign = i & 128 ? -1.0f : 1.0f;
        float value;
        engine_type_lookup(ENGINE_TYPE_F8_E4M3)->dequantize(&byte, &value, 1);
        if (e4 == 15 && m3 == 7)
            assert_true(isnan(value));
        else
            assert_true(value ==
                        sign * (e4 ? ldexpf((float)(8 + m3), e4 - 10) : ldexpf((float)m3, -9)));
        engine_type_lookup(ENGINE_TYPE_F8_E5M2)->dequantize(&byte, &value, 1);
        if (e5 == 31)
            assert_true(m2 ? isnan(value) : isinf(value));
        else
            assert_true(value ==
                        sign * (e5 ? ldexpf((float)(4 + m2), e5 - 17) : ldexpf((float)m2, -16)));
        engine_type_lookup(ENGINE_TYPE_F8_E8M0)->dequantize(&byte, &value, 1);
        assert_true(i == 255 ? isnan(value) : value == ldexpf(1.0f, i - 127));
    }
}

static void
impossible_sizes_are_refused(void **state)
{
    (void)state;
    size_t n;
    const uint64_t fine[4] = {64, 3, 1, 1}, ragged[4] = {33, 2, 1, 1}, zero[4] = {32, 0, 1, 1};
    const uint64_t huge[4] = {1ull << 40, 1ull << 40, 1, 1}, large[4] = {1ull << 62, 1, 1, 1};

    assert_true(engine_tensor_size(ENGINE_TYPE_Q4_1, 2, fine, &n));
    assert_int_equal(n, 2 * 3 * 20);
    assert_false(engine_tensor_size(ENGINE_TYPE_Q4_1, 2, ragged, &n));
    assert_false(engine_tensor_size(ENGINE_TYPE_F32, 2, zero, &n));
    assert_false(engine_tensor_size(ENGINE_TYPE_F32, 2, huge, &n));
    assert_false(engine_tensor_size(ENGINE_TYPE_F32, 1, large, &n));
    assert_false(engine_tensor_size(4, 1, fine, &n)); /* a removed type */
    assert_false(engine_tensor_size(G_MAXUINT32, 1, fine, &n));
    assert_false(engine_tensor_size(ENGINE_TYPE_F32, 5, fine, &n));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_dequantises_to_the_recorded_values),
        cmocka_unit_test(every_half_survives_the_way_to_float_and_back),
        cmocka_unit_test(floats_round_to_the_nearest_half_ties_to_even),
        cmocka_unit_test(every_fp8_byte_has_the_value_of_its_fields),
        cmocka_unit_test(impossible_sizes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

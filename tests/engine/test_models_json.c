/* engine/models.json: what `lode model pull` trusts. With LODE_MODELS the files there are checked too. */
#include <glib.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static json_t *
load(void)
{
    json_error_t where;
    json_t *root =
        json_load_file(LODE_TEST_DATA "/../../engine/models.json", JSON_REJECT_DUPLICATES, &where);
    if (!root) fail_msg("line %d: %s", where.line, where.text);
    return root;
}

static const char *
text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    if (!text) fail_msg("%s is missing", key);
    return text;
}

static void
check_source(const json_t *source)
{
    const char *type = text_of(source, "type");
    if (strcmp(type, "hub") == 0) {
        assert_true(g_str_has_prefix(text_of(source, "url"), "https://"));
    } else {
        assert_string_equal(type, "pypi");
        const json_t *parts = json_object_get(source, "parts");
        for (size_t i = 0; i < (parts ? json_array_size(parts) : 1); i++) {
            const json_t *part = parts ? json_array_get(parts, i) : source;
            assert_true(*text_of(part, "package") && *text_of(part, "version") &&
                        *text_of(part, "member"));
        }
    }
}

static void
check_file(const json_t *file)
{
    const char *path = text_of(file, "path"), *sha256 = text_of(file, "sha256");
    assert_false(g_path_is_absolute(path));
    assert_null(strstr(path, ".."));
    assert_int_equal(strlen(sha256), 64);
    assert_int_equal(strspn(sha256, "0123456789abcdef"), 64);
    assert_true(json_integer_value(json_object_get(file, "size")) > 0);
    const json_t *sources = json_object_get(file, "sources");
    assert_true(json_array_size(sources) > 0);
    for (size_t i = 0; i < json_array_size(sources); i++)
        check_source(json_array_get(sources, i));
}

static void
every_entry_is_complete_and_each_role_has_one_default(void **state)
{
    (void)state;
    json_t *root = load();
    const json_t *models = json_object_get(root, "models");
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
    guint n_embedders = 0, n_writers = 0;
    for (size_t i = 0; i < json_array_size(models); i++) {
        const json_t *model = json_array_get(models, i), *files = json_object_get(model, "files");
        const char *role = text_of(model, "role");
        assert_true(g_hash_table_add(names, (gpointer)text_of(model, "name")));
        assert_true(*text_of(model, "description") && *text_of(model, "licence"));
        assert_true(json_is_string(json_object_get(model, "query_prefix")));
        assert_true(json_integer_value(json_object_get(model, "n_params")) > 0);
        if (json_is_true(json_object_get(model, "default"))) {
            n_embedders += strcmp(role, "embedder") == 0;
            n_writers += strcmp(role, "writer") == 0;
        }
        gboolean found = FALSE; /* what engine_model_open gets: one of the files, or their folder */
        for (size_t k = 0; k < json_array_size(files); k++) {
            check_file(json_array_get(files, k));
            found = found || g_str_has_prefix(text_of(json_array_get(files, k), "path"),
                                              text_of(model, "path"));
        }
        assert_true(found);
    }
    assert_int_equal(n_embedders, 1);
    assert_int_equal(n_writers, 1);
    json_decref(root);
}

static void
files_that_are_here_have_their_hash(void **state)
{
    (void)state;
    const char *dir = g_getenv("LODE_MODELS");
    if (!dir) {
        print_message("skipped: LODE_MODELS is not set\n");
        skip();
    }
    json_t *root = load();
    const json_t *models = json_object_get(root, "models");
    for (size_t i = 0; i < json_array_size(models); i++) {
        const json_t *files = json_object_get(json_array_get(models, i), "files");
        for (size_t k = 0; k < json_array_size(files); k++) {
            const json_t *file = json_array_get(files, k);
            g_autofree char *path = g_build_filename(dir, text_of(file, "path"), NULL);
            g_autoptr(GMappedFile) map = g_mapped_file_new(path, FALSE, NULL);
            if (!map) continue;
            assert_int_equal(g_mapped_file_get_length(map),
                             json_integer_value(json_object_get(file, "size")));
            g_autofree char *sha256 = g_compute_checksum_for_data(
                G_CHECKSUM_SHA256, (const guchar *)g_mapped_file_get_contents(map),
                g_mapped_file_get_length(map));
            assert_string_equal(sha256, text_of(file, "sha256"));
        }
    }
    json_decref(root);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_entry_is_complete_and_each_role_has_one_default),
        cmocka_unit_test(files_that_are_here_have_their_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

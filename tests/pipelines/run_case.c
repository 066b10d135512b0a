/* Runs one command-line case: run_case CASES NAME LODE DATA [--update]
 *
 *   NAME.sh          what to run, by sh, in an empty folder; $LODE is the program, $DATA is tests/data
 *   NAME.stdout      its exact standard output, or
 *   NAME.stdout.re   one regular expression per line that must match somewhere; "!" in front: nowhere
 *   NAME.stderr.re   the same for standard error; without the file standard error must be empty
 *   NAME.code        the exit code; 0 without the file
 *
 * The script's exit code 77 skips. The environment is bare: no LODE_*, folders of XDG in the scratch folder,
 * so that a user's configuration and models change nothing; $LODE_MODELS is passed on only to cases whose name
 * begins with "model_". --update writes NAME.stdout anew where it exists. */
#include <gio/gio.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

typedef struct {
    const char *cases, *name;
    char *out, *err;
    gsize out_len;
    int code;
} outcome;

static char *
case_file(const outcome *o, const char *suffix)
{
    g_autofree char *file = g_strconcat(o->name, suffix, NULL);
    return g_build_filename(o->cases, file, NULL);
}

/* NULL when there is no such file. */
static char *
read_case(const outcome *o, const char *suffix, gsize *len)
{
    g_autofree char *path = case_file(o, suffix);
    char *text = NULL;
    g_file_get_contents(path, &text, len, NULL);
    return text;
}

static void
remove_tree(const char *dir)
{
    GDir *handle = g_dir_open(dir, 0, NULL);
    for (const char *name; handle != NULL && (name = g_dir_read_name(handle)) != NULL;) {
        g_autofree char *path = g_build_filename(dir, name, NULL);
        if (!g_file_test(path, G_FILE_TEST_IS_SYMLINK) && g_file_test(path, G_FILE_TEST_IS_DIR))
            remove_tree(path);
        else
            g_unlink(path);
    }
    if (handle != NULL) g_dir_close(handle);
    g_rmdir(dir);
}

static char **
make_environment(const char *name, const char *scratch, const char *lode, const char *data)
{
    static const char *const kept[] = {"PATH",          "ASAN_OPTIONS", "LSAN_OPTIONS",
                                       "UBSAN_OPTIONS", "TSAN_OPTIONS", "LODE_CPU"};
    char **env = NULL;
    for (size_t i = 0; i < G_N_ELEMENTS(kept); i++)
        if (g_getenv(kept[i]) != NULL)
            env = g_environ_setenv(env, kept[i], g_getenv(kept[i]), TRUE);
    static const char *const folders[] = {"HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME",
                                          "XDG_CACHE_HOME", "TMPDIR"};
    for (size_t i = 0; i < G_N_ELEMENTS(folders); i++) {
        g_autofree char *dir = g_strconcat(scratch, "/../", name, ".", folders[i], NULL);
        remove_tree(dir);
        g_mkdir_with_parents(dir, 0700);
        env = g_environ_setenv(env, folders[i], dir, TRUE);
    }
    const char *models = g_getenv("LODE_MODELS");
    if (g_str_has_prefix(name, "model_") && models != NULL)
        env = g_environ_setenv(env, "LODE_MODELS", models, TRUE);
#ifdef LODE_SANITIZED
    env = g_environ_setenv(env, "SANITIZED", "1", TRUE); /* memory limits are off then */
#endif
    env = g_environ_setenv(env, "LODE", lode, TRUE);
    env = g_environ_setenv(env, "DATA", data, TRUE);
    env = g_environ_setenv(env, "LC_ALL", "C.UTF-8", TRUE);
    return g_environ_setenv(env, "TERM", "dumb", TRUE);
}

/* NUL-terminated copy; an empty GBytes has no data at all. */
static char *
copy_bytes(GBytes *bytes)
{
    gsize len = 0;
    const char *data = g_bytes_get_data(bytes, &len);
    return len > 0 ? g_strndup(data, len) : g_strdup("");
}

static void
run(outcome *o, const char *lode, const char *data)
{
    g_autofree char *script = case_file(o, ".sh");
    g_autofree char *cwd = g_get_current_dir();
    g_autofree char *scratch = g_build_filename(cwd, o->name, NULL);
    remove_tree(scratch);
    g_mkdir_with_parents(scratch, 0755);
    g_auto(GStrv) env = make_environment(o->name, scratch, lode, data);
    g_autoptr(GError) error = NULL;
    g_autoptr(GSubprocessLauncher) launcher =
        g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE);
    g_subprocess_launcher_set_cwd(launcher, scratch);
    g_subprocess_launcher_set_environ(launcher, env);
    g_autoptr(GSubprocess) process =
        g_subprocess_launcher_spawn(launcher, &error, "/bin/sh", script, NULL);
    g_autoptr(GBytes) out = NULL, err = NULL;
    if (process == NULL || !g_subprocess_communicate(process, NULL, NULL, &out, &err, &error)) {
        fprintf(stderr, "%s: %s\n", script, error->message);
        exit(1);
    }
    int status = g_subprocess_get_status(process);
    o->code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    o->out_len = g_bytes_get_size(out);
    o->out = copy_bytes(out);
    o->err = copy_bytes(err);
    if (o->code == 0) remove_tree(scratch);
}

static gboolean
complain(const char *what, const char *detail)
{
    fprintf(stderr, "FAILED: %s: %s\n", what, detail);
    return FALSE;
}

static gboolean
check_patterns(const char *what, char *patterns, const char *text)
{
    gboolean good = TRUE;
    g_auto(GStrv) lines = g_strsplit(patterns, "\n", -1);
    for (char **line = lines; *line != NULL; line++) {
        if ((*line)[0] == '\0') continue;
        gboolean wanted = (*line)[0] != '!';
        g_autoptr(GError) error = NULL;
        g_autoptr(GRegex) regex =
            g_regex_new(wanted ? *line : *line + 1, G_REGEX_MULTILINE, 0, &error);
        if (regex == NULL) return complain(*line, error->message);
        if (g_regex_match(regex, text, 0, NULL) == wanted) continue;
        g_autofree char *name =
            g_strdup_printf("%s %s", what, wanted ? "has no match" : "has a match");
        good = complain(name, *line);
    }
    return good;
}

static gboolean
check_stdout(const outcome *o, gboolean update)
{
    gsize len = 0;
    g_autofree char *exact = read_case(o, ".stdout", &len);
    g_autofree char *patterns = read_case(o, ".stdout.re", NULL);
    if (exact != NULL && update) {
        g_autofree char *path = case_file(o, ".stdout");
        return g_file_set_contents(path, o->out, (gssize)o->out_len, NULL);
    }
    if (patterns != NULL) return check_patterns("stdout", patterns, o->out);
    if (exact == NULL) return o->out_len == 0 || complain("stdout", "should be empty");
    if (len == o->out_len && memcmp(exact, o->out, len) == 0) return TRUE;
    return complain("stdout differs, expected", exact);
}

static gboolean
check_stderr(const outcome *o)
{
    g_autofree char *patterns = read_case(o, ".stderr.re", NULL);
    if (patterns != NULL) return check_patterns("stderr", patterns, o->err);
    return o->err[0] == '\0' || complain("stderr", "should be empty");
}

static gboolean
check_code(const outcome *o)
{
    g_autofree char *text = read_case(o, ".code", NULL);
    int expected = text != NULL ? atoi(text) : 0;
    if (o->code == expected) return TRUE;
    g_autofree char *detail = g_strdup_printf("%d instead of %d", o->code, expected);
    return complain("exit code", detail);
}

int
main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: run_case CASES NAME LODE DATA [--update]\n");
        return 2;
    }
    outcome o = {.cases = argv[1], .name = argv[2]};
    gboolean update = argc > 5 && strcmp(argv[5], "--update") == 0;
    run(&o, argv[3], argv[4]);
    if (o.code == 77) {
        fprintf(stderr, "skipped: %s", o.err);
        g_free(o.out);
        g_free(o.err);
        return 77;
    }
    gboolean good = check_code(&o);
    good = check_stdout(&o, update) && good;
    good = check_stderr(&o) && good;
    if (!good)
        fprintf(stderr, "---- exit code %d, stdout ----\n%s---- stderr ----\n%s", o.code, o.out,
                o.err);
    g_free(o.out);
    g_free(o.err);
    return good ? 0 : 1;
}

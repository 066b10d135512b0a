/* Files and folders on a command line -> a sorted list of files. */
#include "pipelines/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SNIFF_BYTES = 1024, MAX_DEPTH = 64 };

static gboolean
has_document_extension(const char *name)
{
    static const char *const extensions[] = {".pdf", ".xps", ".oxps", ".epub", ".fb2", ".cbz"};
    const char *dot = strrchr(name, '.');
    if (dot == NULL) return FALSE;
    for (size_t i = 0; i < G_N_ELEMENTS(extensions); i++)
        if (g_ascii_strcasecmp(dot, extensions[i]) == 0) return TRUE;
    return FALSE;
}

/* A PDF's header may stand anywhere in the first 1024 bytes (PDF 1.7, annex H, note 13). */
static gboolean
looks_like_pdf(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return FALSE;
    char head[SNIFF_BYTES];
    ssize_t n = read(fd, head, sizeof head);
    close(fd);
    return n >= 5 && memmem(head, (size_t)n, "%PDF-", 5) != NULL;
}

/* Folders entered on the way down, so that a symbolic link to a parent does not loop. */
typedef struct {
    dev_t dev;
    ino_t ino;
} folder_id;

static gboolean
already_inside(const GArray *parents, const struct stat *st)
{
    for (guint i = 0; i < parents->len; i++) {
        const folder_id *id = &g_array_index(parents, folder_id, i);
        if (id->dev == st->st_dev && id->ino == st->st_ino) return TRUE;
    }
    return FALSE;
}

static void
collect_folder(const char *dir, const struct stat *st, GArray *parents, GHashTable *found)
{
    if (already_inside(parents, st) || parents->len >= MAX_DEPTH) return;
    GDir *handle = g_dir_open(dir, 0, NULL);
    if (handle == NULL) {
        g_hash_table_add(found, g_strdup(dir)); /* reading it says why */
        return;
    }
    folder_id id = {st->st_dev, st->st_ino};
    g_array_append_val(parents, id);
    for (const char *name; (name = g_dir_read_name(handle)) != NULL;) {
        if (name[0] == '.') continue;
        g_autofree char *path = g_build_filename(dir, name, NULL);
        struct stat child;
        if (stat(path, &child) != 0) continue;
        if (S_ISDIR(child.st_mode))
            collect_folder(path, &child, parents, found);
        else if (S_ISREG(child.st_mode) && (has_document_extension(name) || looks_like_pdf(path)))
            g_hash_table_add(found, g_steal_pointer(&path));
    }
    g_dir_close(handle);
    g_array_set_size(parents, parents->len - 1);
}

static gint
compare_paths(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

GPtrArray *
pipelines_collect_inputs(const char *const *args, size_t n)
{
    g_autoptr(GHashTable) found = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GArray) parents = g_array_new(FALSE, FALSE, sizeof(folder_id));
    for (size_t i = 0; i < n; i++) {
        g_autofree char *path = g_canonicalize_filename(args[i], NULL);
        struct stat st;
        if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
            collect_folder(path, &st, parents, found);
        else
            g_hash_table_add(found, g_steal_pointer(&path));
    }
    GPtrArray *inputs = g_ptr_array_new_with_free_func(g_free);
    GHashTableIter iter;
    gpointer path;
    g_hash_table_iter_init(&iter, found);
    while (g_hash_table_iter_next(&iter, &path, NULL)) {
        g_hash_table_iter_steal(&iter);
        g_ptr_array_add(inputs, path);
    }
    g_ptr_array_sort(inputs, compare_paths);
    return inputs;
}

char *
pipelines_stem(const char *path)
{
    g_autofree char *base = g_path_get_basename(path);
    char *dot = strrchr(base, '.');
    if (dot != NULL && dot != base) *dot = '\0';
    char *stem = g_utf8_make_valid(base, -1);
    for (char *p = stem; *p != '\0'; p++)
        if ((guchar)*p < 0x20 || *p == '/' || *p == 0x7F) *p = '_';
    /* "." and ".." are folders, and a leading "-" reads as an option later on */
    if (stem[0] == '\0' || stem[0] == '.' || stem[0] == '-') {
        char *safe = g_strconcat("_", stem, NULL);
        g_free(stem);
        stem = safe;
    }
    /* 255 bytes is the usual limit of a name; "_content_list.json" and a temporary suffix come on top */
    if (strlen(stem) > 200) {
        char *end = g_utf8_find_prev_char(stem, stem + 200);
        *end = '\0';
    }
    return stem;
}

gboolean
pipelines_check_input(const char *path, GError **error)
{
    struct stat st;
    if (stat(path, &st) == 0 && S_ISREG(st.st_mode)) return TRUE;
    int saved = errno;
    g_autofree char *name = g_filename_display_name(path);
    if (access(path, F_OK) != 0)
        g_set_error(error, PIPELINES_ERROR, LODE_ERROR_IO, "%s: cannot be opened: %s", name,
                    g_strerror(saved));
    else
        g_set_error(error, PIPELINES_ERROR, LODE_ERROR_IO, "%s: not a regular file", name);
    return FALSE;
}

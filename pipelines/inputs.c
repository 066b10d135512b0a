/* Files and folders on a command line -> a sorted list of files. */
#include "pipelines/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SNIFF_BYTES = 1024, SOURCE_BYTES = 65536, MAX_DEPTH = 64 };

/* Does one of words, NULL-terminated, stand in the first n bytes of the file? n at most SOURCE_BYTES. */
static gboolean
holds(const char *path, size_t n, const char *const *words)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return FALSE;
    g_autofree char *head = g_malloc(SOURCE_BYTES);
    ssize_t got = read(fd, head, n);
    close(fd);
    for (; got > 0 && *words != NULL; words++)
        if (memmem(head, (size_t)got, *words, strlen(*words)) != NULL) return TRUE;
    return FALSE;
}

/* A PDF's header may stand anywhere in the first 1024 bytes (PDF 1.7, annex H, note 13). */
static gboolean
looks_like_pdf(const char *path)
{
    static const char *const words[] = {"%PDF-", NULL};
    return holds(path, SNIFF_BYTES, words);
}

/* How a file of a folder is one of its documents. What is named on the command line is always taken. */
typedef enum {
    TAKE_NOT,
    TAKE,
    TAKE_PICTURE, /* a page, unless other documents stand beside it: then it is one of their figures */
    TAKE_TEXT, /* unless it is the folder's own (README, LICENSE) or a conversion's, beside its JSON */
    TAKE_TEX, /* the main file, unless its PDF stands beside it */
    TAKE_XML  /* an article */
} take;

static take
take_by_extension(const char *name)
{
    static const struct {
        take how;
        const char *extensions;
    } kinds[] = {
        {TAKE, " pdf xps oxps epub fb2 cbz html htm xhtml docx pptx xlsx odt nxml jats zip tar tgz "
               "gz txz xz tzst zst "},
        {TAKE_PICTURE, " png jpg jpeg tif tiff webp jp2 j2k bmp "},
        {TAKE_TEXT, " md markdown txt "},
        {TAKE_TEX, " tex ltx "},
        {TAKE_XML, " xml "},
    };
    const char *dot = strrchr(name, '.');
    if (dot == NULL || strlen(dot) > 10 || strchr(dot, ' ') != NULL) return TAKE_NOT;
    g_autofree char *low = g_ascii_strdown(dot + 1, -1);
    g_autofree char *word = g_strdup_printf(" %s ", low);
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (strstr(kinds[i].extensions, word) != NULL) return kinds[i].how;
    return TAKE_NOT;
}

static gboolean
is_about_the_folder(const char *name)
{
    static const char *const names[] = {"readme",  "license",   "licence",
                                        "copying", "changelog", "contributing",
                                        "authors", "install",   "requirements"};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        const size_t n = strlen(names[i]);
        if (g_ascii_strncasecmp(name, names[i], n) == 0 && strchr(".-_", name[n]) != NULL)
            return TRUE;
    }
    return FALSE;
}

/* "one.json" for "one.md" */
static gboolean
stands_beside(const char *path, const char *extension)
{
    g_autofree char *stem = g_strndup(path, (size_t)(strrchr(path, '.') - path));
    g_autofree char *other = g_strconcat(stem, extension, NULL);
    return g_file_test(other, G_FILE_TEST_IS_REGULAR);
}

static take
take_of(const char *path, const char *name)
{
    static const char *const classes[] = {"\\documentclass", "\\documentstyle", NULL};
    static const char *const roots[] = {"<article", "JATS", NULL};
    const take how = take_by_extension(name);
    switch (how) {
    case TAKE_TEXT:
        return is_about_the_folder(name) || stands_beside(path, ".json") ? TAKE_NOT : TAKE;
    case TAKE_TEX:
        return !stands_beside(path, ".pdf") && holds(path, SOURCE_BYTES, classes) ? TAKE : TAKE_NOT;
    case TAKE_XML:
        return holds(path, 4096, roots) ? TAKE : TAKE_NOT;
    case TAKE_NOT:
        return looks_like_pdf(path) ? TAKE : TAKE_NOT;
    default:
        return how;
    }
}

/* What lode itself wrote, and what a browser put beside a saved page. */
static gboolean
is_no_folder_of_documents(const char *dir)
{
    static const char *const own[] = {"convert.jsonl", "library.db"};
    for (size_t i = 0; i < G_N_ELEMENTS(own); i++) {
        g_autofree char *path = g_build_filename(dir, own[i], NULL);
        if (g_file_test(path, G_FILE_TEST_EXISTS)) return TRUE;
    }
    if (!g_str_has_suffix(dir, "_files")) return FALSE;
    g_autofree char *stem = g_strndup(dir, strlen(dir) - strlen("_files"));
    static const char *const pages[] = {".html", ".htm"};
    for (size_t i = 0; i < G_N_ELEMENTS(pages); i++) {
        g_autofree char *page = g_strconcat(stem, pages[i], NULL);
        if (g_file_test(page, G_FILE_TEST_EXISTS)) return TRUE;
    }
    return FALSE;
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
    if (parents->len > 0 && is_no_folder_of_documents(dir)) return;
    GDir *handle = g_dir_open(dir, 0, NULL);
    if (handle == NULL) {
        g_hash_table_add(found, g_strdup(dir)); /* reading it says why */
        return;
    }
    folder_id id = {st->st_dev, st->st_ino};
    g_array_append_val(parents, id);
    g_autoptr(GPtrArray) pictures = g_ptr_array_new_with_free_func(g_free);
    guint n_taken = 0;
    for (const char *name; (name = g_dir_read_name(handle)) != NULL;) {
        if (name[0] == '.') continue;
        g_autofree char *path = g_build_filename(dir, name, NULL);
        struct stat child;
        if (stat(path, &child) != 0) continue;
        if (S_ISDIR(child.st_mode)) {
            collect_folder(path, &child, parents, found);
            continue;
        }
        const take how = S_ISREG(child.st_mode) ? take_of(path, name) : TAKE_NOT;
        if (how == TAKE_PICTURE) {
            g_ptr_array_add(pictures, g_steal_pointer(&path));
        } else if (how == TAKE) {
            g_hash_table_add(found, g_steal_pointer(&path));
            n_taken++;
        }
    }
    g_dir_close(handle);
    for (guint i = 0; n_taken == 0 && i < pictures->len; i++)
        g_hash_table_add(found, g_steal_pointer(&pictures->pdata[i]));
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
        /* one that cannot be read stays: reading it says why */
        g_autoptr(GPtrArray) members = layout_archive_members(path, NULL);
        if (members == NULL) {
            g_ptr_array_add(inputs, path);
            continue;
        }
        for (guint i = 0; i < members->len; i++)
            g_ptr_array_add(inputs, g_steal_pointer(&members->pdata[i]));
        g_free(path);
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
    if (g_str_has_suffix(base, ".tar") && strlen(base) > 4) base[strlen(base) - 4] = '\0';
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
    g_autofree char *archive = layout_archive_of(path);
    if (stat(archive != NULL ? archive : path, &st) == 0 && S_ISREG(st.st_mode)) return TRUE;
    int saved = errno;
    g_autofree char *name = g_filename_display_name(path);
    if (access(path, F_OK) != 0)
        g_set_error(error, PIPELINES_ERROR, LODE_ERROR_IO, "%s: cannot be opened: %s", name,
                    g_strerror(saved));
    else
        g_set_error(error, PIPELINES_ERROR, LODE_ERROR_IO, "%s: not a regular file", name);
    return FALSE;
}

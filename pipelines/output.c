/* One document -> its folder of outputs, each file whole or not there. */
#include "pipelines/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

gboolean
pipelines_make_dir(const char *dir, GError **error)
{
    if (g_mkdir_with_parents(dir, 0777) == 0) return TRUE;
    int saved = errno;
    g_autofree char *name = g_filename_display_name(dir);
    g_set_error(error, PIPELINES_ERROR, LODE_ERROR_IO, "%s: cannot make this folder: %s", name,
                g_strerror(saved));
    return FALSE;
}

gboolean
pipelines_write_file(const char *path, const char *data, size_t len, GError **error)
{
    g_autoptr(GError) cause = NULL;
    if (len <= G_MAXSSIZE &&
        g_file_set_contents_full(path, data, (gssize)len,
                                 G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0666,
                                 &cause))
        return TRUE;
    g_autofree char *name = g_filename_display_name(path);
    g_set_error(error, PIPELINES_ERROR, LODE_ERROR_IO, "%s: cannot be written: %s", name,
                cause != NULL ? cause->message : "too large");
    return FALSE;
}

layout_write_options
pipelines_write_options(const pipelines_output_options *options)
{
    layout_write_options result = layout_write_options_default();
    result.page_breaks = options->page_breaks;
    result.images = options->images;
    result.formulas = options->formulas;
    return result;
}

/* What a killed run left: "STEM.md.A1B2C3", GLib's temporary names. The folder is ours alone, see journal.c. */
static void
remove_leftovers(const char *dir, const char *stem)
{
    GDir *handle = g_dir_open(dir, 0, NULL);
    if (handle == NULL) return;
    size_t n = 0;
    const pipelines_format *formats = pipelines_formats(&n);
    for (const char *name; (name = g_dir_read_name(handle)) != NULL;) {
        for (size_t i = 0; i < n; i++) {
            g_autofree char *prefix = g_strconcat(stem, formats[i].suffix, ".", NULL);
            if (!g_str_has_prefix(name, prefix) || strlen(name) != strlen(prefix) + 6) continue;
            g_autofree char *path = g_build_filename(dir, name, NULL);
            unlink(path);
        }
    }
    g_dir_close(handle);
}

static void
keep_warning(int page, const char *message, void *user_data)
{
    GPtrArray *warnings = user_data;
    if (warnings != NULL)
        g_ptr_array_add(warnings, g_strdup_printf("page %d: %s", page + 1, message));
}

/* From the source. One that cannot be drawn on is a warning: everything else of it is there. */
static gboolean
write_pdf(const lode_document *document, const pipelines_format *format, const char *path,
          const char *password, const layout_options *reading, const char *file,
          GPtrArray *warnings, GError **error)
{
    const gboolean searchable = format->flag == LODE_FORMAT_PDF_OCR;
    const layout_options plain = {.password = password};
    g_autoptr(GError) cause = NULL;
    if (path != NULL &&
        (searchable ? layout_document_write_searchable(document, path, reading ? reading : &plain,
                                                       file, &cause)
                    : layout_document_write_overlay(document, path, password, file, &cause)))
        return TRUE;
    if (g_error_matches(cause, LAYOUT_ERROR, LAYOUT_ERROR_IO) ||
        g_error_matches(cause, LAYOUT_ERROR, LAYOUT_ERROR_CANCELLED)) {
        g_propagate_error(error, g_steal_pointer(&cause));
        return FALSE;
    }
    unlink(file); /* of an earlier run */
    if (warnings != NULL)
        g_ptr_array_add(warnings,
                        g_strdup_printf("no %s PDF: %s", searchable ? "searchable" : "layout",
                                        cause != NULL ? cause->message : "no source"));
    return TRUE;
}

/* ---- texts that are written while they are made ---- */

static gboolean
file_take(const char *data, size_t len, void *user_data)
{
    return layout_write_all(*(const int *)user_data, data, len);
}

/* Only the folder's own sync makes a new name survive a power cut; some file systems cannot, and the data is safe. */
static void
sync_folder_of(const char *path)
{
    g_autofree char *folder = g_path_get_dirname(path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    (void)fsync(fd);
    close(fd);
}

static int
last_error(void)
{
    return errno != 0 ? errno : EIO;
}

/* As pipelines_write_file: path has its old content or all of the new. */
static gboolean
write_stream(const lode_document *document, const pipelines_format *format, const char *path,
             const layout_write_options *how, GError **error)
{
    g_autofree char *temporary = g_strconcat(path, ".XXXXXX", NULL);
    int fd = g_mkstemp_full(temporary, O_RDWR | O_CLOEXEC, 0666), failed = 0;
    if (fd < 0) {
        failed = last_error();
    } else {
        if (!format->stream(document, how, file_take, &fd) || fsync(fd) != 0) failed = last_error();
        if (close(fd) != 0 && failed == 0) failed = last_error();
        if (failed == 0 && rename(temporary, path) != 0) failed = last_error();
        if (failed != 0) unlink(temporary);
    }
    if (failed == 0) {
        sync_folder_of(path);
        return TRUE;
    }
    g_autofree char *name = g_filename_display_name(path);
    g_set_error(error, PIPELINES_ERROR, LODE_ERROR_IO, "%s: cannot be written: %s", name,
                g_strerror(failed));
    return FALSE;
}

/* One file for each table; those of an earlier run go. */
static gboolean
write_tables(const lode_document *document, const char *dir, GError **error)
{
    g_autofree char *folder = g_build_filename(dir, "tables", NULL);
    GDir *handle = g_dir_open(folder, 0, NULL);
    for (const char *name; handle != NULL && (name = g_dir_read_name(handle)) != NULL;) {
        if (strstr(name, "table-") == NULL || strstr(name, ".csv") == NULL) continue;
        g_autofree char *path = g_build_filename(folder, name, NULL);
        unlink(path);
    }
    if (handle != NULL) g_dir_close(handle);
    if (document->n_tables == 0) return TRUE;
    if (!pipelines_make_dir(folder, error)) return FALSE;
    for (guint i = 0; i < document->n_tables; i++) {
        g_autofree char *name = layout_table_file_name(document, i);
        g_autofree char *path = g_build_filename(folder, name, NULL);
        g_autofree char *text = layout_table_to_csv(document, i);
        if (!pipelines_write_file(path, text, strlen(text), error)) return FALSE;
    }
    return TRUE;
}

static gboolean
write_format(const lode_document *document, const pipelines_format *format, const char *path,
             const layout_write_options *how, GError **error)
{
    if (format->stream != NULL) return write_stream(document, format, path, how, error);
    g_autofree char *text = format->write(document, how);
    return pipelines_write_file(path, text, strlen(text), error);
}

gboolean
pipelines_write_document(const lode_document *document, const char *path, const char *password,
                         const char *dir, const char *stem, const pipelines_output_options *options,
                         GPtrArray *warnings, GError **error)
{
    if (!pipelines_make_dir(dir, error)) return FALSE;
    remove_leftovers(dir, stem);
    const layout_write_options how = pipelines_write_options(options);
    size_t n = 0;
    const pipelines_format *formats = pipelines_formats(&n);
    for (size_t i = 0; i < n; i++) {
        if ((options->formats & formats[i].flag) == 0) continue;
        if (formats[i].flag == LODE_FORMAT_CSV) {
            if (!write_tables(document, dir, error)) return FALSE;
            continue;
        }
        g_autofree char *name = g_strconcat(stem, formats[i].suffix, NULL);
        g_autofree char *file = g_build_filename(dir, name, NULL);
        if (formats[i].write == NULL) {
            if (!write_pdf(document, &formats[i], path, password, options->reading, file, warnings,
                           error))
                return FALSE;
            continue;
        }
        if (!write_format(document, &formats[i], file, &how, error)) return FALSE;
    }
    if (path == NULL || !layout_document_has_images(document, options->images, options->formulas))
        return TRUE;
    layout_image_options images = {.which = options->images,
                                   .dpi = options->dpi,
                                   .formulas = options->formulas,
                                   .warn = keep_warning,
                                   .user_data = warnings};
    g_autofree char *folder = g_build_filename(dir, "images", NULL);
    return pipelines_make_dir(folder, error) &&
           layout_document_write_images(document, path, password, folder, &images, error);
}

gboolean
pipelines_outputs_exist(const char *dir, const char *stem, unsigned flags)
{
    size_t n = 0;
    const pipelines_format *formats = pipelines_formats(&n);
    for (size_t i = 0; i < n; i++) {
        /* a PDF may be missing with a warning, and a document have no tables */
        if ((flags & formats[i].flag) == 0 || formats[i].write == NULL ||
            formats[i].flag == LODE_FORMAT_CSV)
            continue;
        g_autofree char *name = g_strconcat(stem, formats[i].suffix, NULL);
        g_autofree char *file = g_build_filename(dir, name, NULL);
        if (!g_file_test(file, G_FILE_TEST_IS_REGULAR)) return FALSE;
    }
    return TRUE;
}

/* json_dumps allocates with malloc; the rest of us frees with g_free. */
static char *
dump(const json_t *json, size_t flags)
{
    char *text = json_dumps(json, flags);
    g_assert(text != NULL);
    char *result = g_strconcat(text, "\n", NULL);
    free(text);
    return result;
}

json_t *
pipelines_json_string(const char *text)
{
    return text != NULL ? json_string(text) : json_null();
}

const char *
pipelines_json_member(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

char *
pipelines_json_line(const json_t *json)
{
    return dump(json, JSON_COMPACT | JSON_REAL_PRECISION(9));
}

char *
pipelines_json_text(const json_t *json)
{
    return dump(json, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
}

json_t *
pipelines_json_path(const char *path)
{
    if (g_utf8_validate(path, -1, NULL)) return json_string(path);
    g_autofree char *escaped = g_uri_escape_string(path, "/", FALSE);
    return json_string(escaped);
}

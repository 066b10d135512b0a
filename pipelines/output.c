/* One document -> its folder of outputs, each file whole or not there. */
#include "pipelines/internal.h"

#include <errno.h>
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

typedef struct {
    unsigned format;
    const char *suffix;
} output_file;

static const output_file OUTPUTS[] = {
    {LODE_FORMAT_MARKDOWN, ".md"},
    {LODE_FORMAT_JSON, ".json"},
    {LODE_FORMAT_CONTENT_LIST, "_content_list.json"},
};

static char *
render(const lode_document *document, unsigned format, const pipelines_output_options *options)
{
    layout_markdown_options markdown = {.page_breaks = options->page_breaks, .image_dir = "images"};
    switch (format) {
    case LODE_FORMAT_MARKDOWN:
        return layout_document_to_markdown(document, &markdown);
    case LODE_FORMAT_JSON:
        return layout_document_to_json(document);
    default:
        return layout_document_to_content_list(document);
    }
}

/* What a killed run left: "STEM.md.A1B2C3", GLib's temporary names. The folder is ours alone, see journal.c. */
static void
remove_leftovers(const char *dir, const char *stem)
{
    GDir *handle = g_dir_open(dir, 0, NULL);
    if (handle == NULL) return;
    for (const char *name; (name = g_dir_read_name(handle)) != NULL;) {
        for (size_t i = 0; i < G_N_ELEMENTS(OUTPUTS); i++) {
            g_autofree char *prefix = g_strconcat(stem, OUTPUTS[i].suffix, ".", NULL);
            if (!g_str_has_prefix(name, prefix) || strlen(name) != strlen(prefix) + 6) continue;
            g_autofree char *path = g_build_filename(dir, name, NULL);
            unlink(path);
        }
    }
    g_dir_close(handle);
}

gboolean
pipelines_write_document(const lode_document *document, const char *path, const char *password,
                         const char *dir, const char *stem, const pipelines_output_options *options,
                         GError **error)
{
    if (!pipelines_make_dir(dir, error)) return FALSE;
    remove_leftovers(dir, stem);
    for (size_t i = 0; i < G_N_ELEMENTS(OUTPUTS); i++) {
        if ((options->formats & OUTPUTS[i].format) == 0) continue;
        g_autofree char *name = g_strconcat(stem, OUTPUTS[i].suffix, NULL);
        g_autofree char *file = g_build_filename(dir, name, NULL);
        g_autofree char *text = render(document, OUTPUTS[i].format, options);
        if (!pipelines_write_file(file, text, strlen(text), error)) return FALSE;
    }
    layout_image_options images = layout_image_options_default();
    if (!options->images || path == NULL || !layout_document_has_images(document, images.which))
        return TRUE;
    images.dpi = options->dpi;
    g_autofree char *folder = g_build_filename(dir, "images", NULL);
    return pipelines_make_dir(folder, error) &&
           layout_document_write_images(document, path, password, folder, &images, error);
}

gboolean
pipelines_outputs_exist(const char *dir, const char *stem, unsigned formats)
{
    for (size_t i = 0; i < G_N_ELEMENTS(OUTPUTS); i++) {
        if ((formats & OUTPUTS[i].format) == 0) continue;
        g_autofree char *name = g_strconcat(stem, OUTPUTS[i].suffix, NULL);
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

/* The table of formats, which of them a file is, and what all readers need. */
#include "layout/readers/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE_WIDTH_PT  612
#define PAGE_HEIGHT_PT 792

static const layout_reader readers[] = {
    {"JATS XML", "application/jats+xml", " xml nxml jats ", layout_jats_sniff, layout_jats_read},
    {"DOCX", "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
     " docx docm dotx ", layout_docx_sniff, layout_docx_read},
    {"LaTeX", "application/x-tex", " tex ltx ", layout_latex_sniff, layout_latex_read},
    {"Markdown", "text/markdown", " md markdown mkd mdown ", layout_markdown_sniff,
     layout_markdown_read},
    {"XLSX", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
     " xlsx xlsm xltx ", layout_xlsx_sniff, layout_xlsx_read},
    {"ODT", "application/vnd.oasis.opendocument.text", " odt ott fodt ", layout_odt_sniff,
     layout_odt_read},
    {"PPTX", "application/vnd.openxmlformats-officedocument.presentationml.presentation",
     " pptx pptm ppsx ", layout_pptx_sniff, layout_pptx_read},
    {"EPUB", "application/epub+zip", " epub ", layout_epub_sniff, layout_epub_read},
    {"HTML", "text/html", " html htm xhtml xht ", layout_html_sniff, layout_html_read},
    {"plain text", "text/plain", " txt text asc log rst ", layout_text_sniff, layout_text_read},
};

const layout_reader *
layout_reader_find(const layout_source *source)
{
    const layout_reader *best = NULL;
    layout_sniff most = LAYOUT_SNIFF_NO;
    gboolean named = FALSE;
    for (gsize i = 0; i < G_N_ELEMENTS(readers); i++) {
        const layout_sniff sure = readers[i].sniff(source);
        if (sure == LAYOUT_SNIFF_NO || sure < most) continue;
        const gboolean fits = layout_source_has_extension(source, readers[i].extensions);
        if (sure == most && (named || !fits)) continue;
        best = &readers[i], most = sure, named = fits;
    }
    return best;
}

void
layout_reader_add_page(layout_builder *builder)
{
    const layout_page page = {
        .width_pt = PAGE_WIDTH_PT, .height_pt = PAGE_HEIGHT_PT, .source = LAYOUT_TEXT_NATIVE};
    layout_builder_add_page(builder, &page);
}

/* ---- files beside the input ---- */

static void
missing(GError **error, const char *relative, const char *reason)
{
    g_autofree char *shown = g_utf8_make_valid(relative, -1);
    g_set_error(error, LAYOUT_ERROR, LAYOUT_ERROR_IO, "%s: %s", shown, reason);
}

/* "a/./b" -> "a/b"; NULL for a name that is absolute or leads out of its folder. */
static char *
tidy_relative(const char *relative)
{
    if (relative[0] == '/' || relative[0] == '\0') return NULL;
    g_auto(GStrv) parts = g_strsplit(relative, "/", -1);
    g_autoptr(GString) out = g_string_new(NULL);
    for (char **part = parts; *part != NULL; part++) {
        if (**part == '\0' || strcmp(*part, ".") == 0) continue;
        if (strcmp(*part, "..") == 0) return NULL;
        if (out->len > 0) g_string_append_c(out, '/');
        g_string_append(out, *part);
    }
    return out->len > 0 ? g_strdup(out->str) : NULL;
}

static GBytes *
member_beside(const layout_source *source, const char *name, gsize max, GError **error)
{
    g_autofree char *folder = g_path_get_dirname(source->member != NULL ? source->member : "");
    g_autofree char *full =
        strcmp(folder, ".") == 0 ? g_strdup(name) : g_strconcat(folder, "/", name, NULL);
    GBytes *bytes = g_hash_table_lookup(source->members, full);
    if (bytes == NULL)
        missing(error, name, "not in the archive");
    else if (g_bytes_get_size(bytes) > max)
        missing(error, name, "too large");
    else
        return g_bytes_ref(bytes);
    return NULL;
}

/* Opens the parts of name one below the other, none through a symbolic link: the input's folder is the border. */
static int
open_below(const char *folder, const char *name)
{
    g_auto(GStrv) parts = g_strsplit(name, "/", -1);
    int at = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (char **part = parts; at >= 0 && *part != NULL; part++) {
        const int flags = part[1] != NULL ? O_DIRECTORY : O_NONBLOCK;
        const int next = openat(at, *part, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | flags);
        const int saved = errno;
        close(at);
        at = next;
        errno = saved;
    }
    return at;
}

static GBytes *
file_beside(const layout_source *source, const char *name, gsize max, GError **error)
{
    g_autofree char *folder = g_path_get_dirname(source->path);
    struct stat st;
    const int fd = open_below(folder, name);
    if (fd < 0) {
        missing(error, name,
                errno == ELOOP ? "a symbolic link is not followed" : g_strerror(errno));
        return NULL;
    }
    const char *reason = NULL;
    GMappedFile *file = NULL;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        reason = "not a regular file";
    else if (st.st_size < 0 || (guint64)st.st_size > max)
        reason = "too large";
    else if ((file = g_mapped_file_new_from_fd(fd, FALSE, NULL)) == NULL)
        reason = "cannot be read";
    close(fd);
    if (reason != NULL) {
        missing(error, name, reason);
        return NULL;
    }
    GBytes *bytes = g_mapped_file_get_bytes(file);
    g_mapped_file_unref(file);
    return bytes;
}

GBytes *
layout_source_beside(const layout_source *source, const char *relative, gsize max, GError **error)
{
    g_autofree char *name = tidy_relative(relative);
    if (name == NULL) {
        missing(error, relative, "leads out of the document's folder");
        return NULL;
    }
    if (source->members != NULL) return member_beside(source, name, max, error);
    if (source->path != NULL) return file_beside(source, name, max, error);
    missing(error, name, "there are no files beside this document");
    return NULL;
}

/* ---- running one ---- */

/* What a reader left open; and a warning where the name says something else. */
static void
describe(const layout_reader *reader, const layout_source *source, layout_builder *builder)
{
    layout_metadata *meta = layout_builder_meta(builder);
    if (meta->format == NULL) meta->format = layout_builder_copy(builder, reader->name, -1);
    if (meta->source_name == NULL)
        meta->source_name = layout_builder_copy(builder, source->name, -1);
    if (meta->source_sha256 == NULL) {
        g_autofree char *sum =
            g_compute_checksum_for_data(G_CHECKSUM_SHA256, source->data, source->len);
        meta->source_sha256 = layout_builder_copy(builder, sum, -1);
    }
}

lode_document *
layout_reader_run(const layout_reader *reader, const layout_source *source,
                  const layout_options *options, GError **error)
{
    g_autoptr(layout_builder) builder = layout_builder_new();
    if (!reader->read(source, options, builder, NULL, error)) {
        g_prefix_error(error, "%s: ", source->name);
        return NULL;
    }
    describe(reader, source, builder);
    /* foreign bytes: a promise that they talk a reader into breaking is this file's error */
    g_autoptr(lode_document) document = layout_builder_take(g_steal_pointer(&builder));
    if (!layout_document_check(document, error)) {
        g_prefix_error(error, "%s: a fault in reading %s: ", source->name, reader->name);
        return NULL;
    }
    return g_steal_pointer(&document);
}

/* Weak signs do not outweigh a name: prose that calls itself a PDF is what a failed download left. */
static gboolean
is_named_otherwise(const layout_source *source)
{
    return layout_source_has_extension(
        source,
        " pdf xps oxps cbz png jpg jpeg tif tiff webp jp2 bmp gif docx pptx xlsx odt epub zip gz ");
}

/* The reader of the input's bytes; NULL: none claims it. */
static const layout_reader *
find_for_input(layout_input *input, const char *path)
{
    const layout_source *source = &input->source;
    if (source->len == 0 || layout_source_starts(source, "%PDF-", 5)) return NULL;
    const layout_reader *reader = layout_reader_find(source);
    if (reader == NULL) return NULL;
    if (reader->sniff(source) == LAYOUT_SNIFF_WEAK && is_named_otherwise(source)) return NULL;
    if (source->path == NULL) layout_input_load_members(input, path);
    return reader;
}

lode_document *
layout_readers_open(layout_input *input, const char *path, const layout_options *options,
                    gboolean *claimed, GError **error)
{
    const layout_reader *reader = find_for_input(input, path);
    *claimed = reader != NULL;
    return reader != NULL ? layout_reader_run(reader, &input->source, options, error) : NULL;
}

GHashTable *
layout_readers_pictures(layout_input *input, const char *path, gboolean *claimed, GError **error)
{
    const layout_reader *reader = find_for_input(input, path);
    *claimed = reader != NULL;
    if (reader == NULL) return NULL;
    const layout_options options = {0};
    g_autoptr(layout_builder) builder =
        layout_builder_new(); /* only what it is made of counts here */
    g_autoptr(GHashTable) pictures =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_bytes_unref);
    if (reader->read(&input->source, &options, builder, pictures, error))
        return g_steal_pointer(&pictures);
    g_prefix_error(error, "%s: ", input->name);
    return NULL;
}

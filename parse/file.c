/* Opening and closing files.
 *
 * The order matters: sniff the bytes, make a context with its own bounded allocator, let MuPDF open, try
 * the password, check the page tree with our own walk, and only then ask for anything else. */
#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#include "parse/images.h"

#define STORE_BYTES       (64u << 20)
#define SNIFF_BYTES       4096
#define MAX_WARNING_BYTES 400

const char *
parse_mupdf_version(void)
{
    return FZ_VERSION;
}

const char *
parse_string(GStringChunk *strings, const char *text)
{
    if (!text) return NULL;
    if (g_utf8_validate(text, -1, NULL)) return g_string_chunk_insert(strings, text);
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    return g_string_chunk_insert(strings, valid);
}

void
parse_file_warn(parse_file *file, const char *message)
{
    if (file->warnings->len >= PARSE_MAX_WARNINGS) return;
    g_autofree char *valid =
        g_utf8_make_valid(message, (gssize)strnlen(message, MAX_WARNING_BYTES));
    g_strstrip(g_strdelimit(valid, "\r\n\t", ' '));
    if (!*valid || g_hash_table_contains(file->warnings_seen, valid)) return;
    char *kept = g_steal_pointer(&valid);
    g_ptr_array_add(file->warnings, kept);
    g_hash_table_add(file->warnings_seen, kept);
}

void
parse_file_unwarn(parse_file *file, const char *message)
{
    guint last = file->warnings->len;
    if (last == 0 || strcmp(g_ptr_array_index(file->warnings, last - 1), message) != 0) return;
    g_hash_table_remove(file->warnings_seen, message);
    g_ptr_array_remove_index(file->warnings, last - 1);
}

static void
on_message(void *user, const char *message)
{
    if (!g_str_has_prefix(message, "... repeated ")) parse_file_warn(user, message);
}

static parse_options
resolve_options(const parse_options *options)
{
    parse_options o = options ? *options : (parse_options){0};
    if (o.memory_limit == 0) o.memory_limit = (uint64_t)1 << 30;
    if (o.max_pages == 0) o.max_pages = 20000;
    o.max_pages = MIN(o.max_pages, 10000000);
    if (o.max_glyphs == 0) o.max_glyphs = 1000000;
    o.max_glyphs = MIN(o.max_glyphs, 16000000);
    if (o.max_paths == 0) o.max_paths = 200000;
    o.max_paths = MIN(o.max_paths, 16000000);
    if (o.page_seconds == 0) o.page_seconds = 30;
    o.password = NULL;
    return o;
}

static parse_file *
file_new(const char *name, const parse_options *options)
{
    parse_file *file = g_new0(parse_file, 1);
    file->name = g_strdup(name);
    file->options = resolve_options(options);
    file->strings = g_string_chunk_new(1024);
    file->outline = g_array_new(FALSE, FALSE, sizeof(parse_outline_item));
    file->labels = g_array_new(FALSE, FALSE, sizeof(parse_label_range));
    file->warnings = g_ptr_array_new_with_free_func(g_free);
    file->warnings_seen = g_hash_table_new(g_str_hash, g_str_equal);
    parse_memory_init(&file->memory, file->options.memory_limit);
    parse_guard_init(&file->guard);
    return file;
}

void
parse_file_free(parse_file *file)
{
    if (!file) return;
    parse_guard_clear(&file->guard);
    if (file->ctx) {
        if (file->page_tree_loaded) pdf_drop_page_tree(file->ctx, file->pdf);
        fz_drop_document(file->ctx, file->doc);
        fz_drop_context(file->ctx);
    }
    g_hash_table_unref(file->warnings_seen);
    g_ptr_array_unref(file->warnings);
    g_array_unref(file->labels);
    g_array_unref(file->outline);
    if (file->tags) g_array_unref(file->tags);
    g_string_chunk_free(file->strings);
    g_free(file->name);
    g_free(file);
}

/* A cross-reference table may be well-formed and still lie, so that the page tree is not found: then the
 * file is scanned for its objects, as MuPDF does by itself where the table cannot be read. */
static int
count_pages(fz_context *ctx, parse_file *file, gboolean *direct)
{
    int n = parse_pages_check(ctx, file->pdf, file->options.max_pages, direct);
    if (n > 0 || pdf_was_repaired(ctx, file->pdf)) return n;
    pdf_repair_xref(ctx, file->pdf);
    return parse_pages_check(ctx, file->pdf, file->options.max_pages, direct);
}

static void
load_page_tree(fz_context *ctx, parse_file *file)
{
    gboolean direct = FALSE;
    int n = count_pages(ctx, file, &direct);
    file->n_pages = n;
    if (n == 0 || direct) return;
    fz_try(ctx)
    {
        /* else finding the number of a link's page walks the tree every time */
        if (file->pdf->rev_page_map == NULL) pdf_load_page_tree(ctx, file->pdf);
        file->page_tree_loaded = TRUE;
#if FZ_VERSION_MAJOR == 1 && FZ_VERSION_MINOR <= 21
        /* The other direction, number to page, leaks one reference per use in 1.21: do without that map. */
        fz_free(ctx, file->pdf->fwd_page_map);
        file->pdf->fwd_page_map = NULL;
#endif
    }
    fz_catch(ctx) fz_warn(ctx, "page tree: %s", fz_caught_message(ctx));
}

/* Everything about the file but its pages. FALSE: error is set. Exceptions pass through. */
static gboolean
load_file(fz_context *ctx, parse_file *file, const char *password, GError **error)
{
    file->pdf = pdf_specifics(ctx, file->doc);
    if (fz_needs_password(ctx, file->doc) &&
        !(password && fz_authenticate_password(ctx, file->doc, password))) {
        g_set_error(error, PARSE_ERROR, PARSE_ERROR_PASSWORD, "%s: encrypted, and %s", file->name,
                    password ? "the password is wrong" : "no password was given");
        return FALSE;
    }
    if (file->pdf) {
        load_page_tree(ctx, file);
        parse_names_check(ctx, file->pdf);
    } else {
        /* A4 at 11 points for what has no pages of its own (EPUB, FB2) */
        if (fz_is_document_reflowable(ctx, file->doc))
            fz_layout_document(ctx, file->doc, 595, 842, 11);
        file->n_pages = fz_count_pages(ctx, file->doc);
        if (file->n_pages > (int)file->options.max_pages)
            fz_throw(ctx, FZ_ERROR_MEMORY, "it has more than %u pages", file->options.max_pages);
    }
    if (file->n_pages <= 0) fz_throw(ctx, FZ_ERROR_GENERIC, "it has no pages");
    parse_metadata_load(ctx, file);
    parse_labels_load(ctx, file);
    parse_outline_load(ctx, file);
    parse_file_trim(file);
    if (file->metadata.repaired) fz_warn(ctx, "the structure of the file was damaged; repaired");
    return TRUE;
}

/* Pictures are mapped: a TIFF of hundreds of pages is larger than what is read of it at once. */
static fz_document *
open_images(fz_context *ctx, parse_file *file, const char *mime, const char *path, GBytes *bytes)
{
    GMappedFile *map = path ? g_mapped_file_new(path, FALSE, NULL) : NULL;
    if (path && !map) fz_throw(ctx, FZ_ERROR_GENERIC, "it cannot be mapped");
    GBytes *data = map ? g_mapped_file_get_bytes(map) : g_bytes_ref(bytes);
    fz_document *doc = NULL;
    if (map) g_mapped_file_unref(map);
    fz_var(doc);
    fz_try(ctx) doc = parse_images_open(ctx, file, mime, data);
    fz_always(ctx) g_bytes_unref(data);
    fz_catch(ctx) fz_rethrow(ctx);
    return doc;
}

/* path or bytes: one of them. */
static gboolean
open_document(parse_file *file, const char *mime, const char *path, GBytes *bytes,
              const char *password, GError **error)
{
    fz_context *ctx = file->ctx;
    fz_stream *stream = NULL;
    volatile gboolean ok = FALSE;
    fz_var(stream);
    fz_try(ctx)
    {
        fz_register_document_handlers(ctx);
        if (g_str_has_prefix(mime, "image/")) {
            file->doc = open_images(ctx, file, mime, path, bytes);
            ok = load_file(ctx, file, password, error);
            break;
        }
        stream = path ? fz_open_file(ctx, path)
                      : fz_open_memory(ctx, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
        file->doc = fz_open_document_with_stream(ctx, mime, stream);
        ok = load_file(ctx, file, password, error);
    }
    fz_always(ctx) fz_drop_stream(ctx, stream);
    fz_catch(ctx)
    {
        gboolean limit = fz_caught(ctx) == FZ_ERROR_MEMORY || file->memory.refused_bytes;
        g_set_error(error, PARSE_ERROR, limit ? PARSE_ERROR_LIMIT : PARSE_ERROR_FORMAT,
                    "%s: not a readable document: %s", file->name, fz_caught_message(ctx));
    }
    return ok;
}

static parse_file *
open_sniffed(const uint8_t *head, gsize n_head, const char *path, GBytes *bytes, const char *name,
             const parse_options *options, GError **error)
{
    const char *reason = NULL, *mime = parse_sniff(head, n_head, name, &reason);
    if (!mime) {
        g_set_error(error, PARSE_ERROR, PARSE_ERROR_FORMAT, "%s: not a readable document: %s", name,
                    reason);
        return NULL;
    }
    g_autoptr(parse_file) file = file_new(name, options);
    /* The context itself is not counted against the limit: failing in there, MuPDF prints. */
    file->memory.limit_bytes = G_MAXUINT64;
    file->ctx = fz_new_context(&file->memory.alloc, NULL, STORE_BYTES);
    file->memory.limit_bytes = file->options.memory_limit;
    if (!file->ctx) {
        g_set_error(error, PARSE_ERROR, PARSE_ERROR_LIMIT, "%s: not enough memory to open it",
                    name);
        return NULL;
    }
    fz_set_user_context(file->ctx, file);
    fz_set_warning_callback(file->ctx, on_message, file);
    fz_set_error_callback(file->ctx, on_message, file);
    if (!open_document(file, mime, path, bytes, options ? options->password : NULL, error))
        return NULL;
    return g_steal_pointer(&file);
}

/* The first bytes of a regular file. */
static gboolean
read_head(const char *path, const char *name, uint8_t *head, gsize *n_head, GError **error)
{
    GStatBuf info;
    const char *reason = NULL;
    FILE *f = NULL;
    /* look before opening: opening a pipe would wait for its writer */
    if (g_stat(path, &info) != 0)
        reason = g_strerror(errno);
    else if (S_ISDIR(info.st_mode))
        reason = "it is a directory";
    else if (!S_ISREG(info.st_mode))
        reason = "it is not a regular file";
    else if (!(f = g_fopen(path, "rbe")))
        reason = g_strerror(errno);
    if (f) {
        *n_head = fread(head, 1, SNIFF_BYTES, f);
        if (ferror(f)) reason = g_strerror(errno);
        fclose(f);
    }
    if (reason)
        g_set_error(error, PARSE_ERROR, PARSE_ERROR_IO, "%s: cannot be read: %s", name, reason);
    return reason == NULL;
}

parse_file *
parse_file_open(const char *path, const parse_options *options, GError **error)
{
    g_autofree char *name = g_filename_display_basename(path);
    uint8_t head[SNIFF_BYTES];
    gsize n_head = 0;
    if (!read_head(path, name, head, &n_head, error)) return NULL;
    return open_sniffed(head, n_head, path, NULL, name, options, error);
}

parse_file *
parse_file_open_memory(const void *data, size_t size, const char *name,
                       const parse_options *options, GError **error)
{
    g_autoptr(GBytes) bytes = g_bytes_new_static(data, size);
    return open_sniffed(data, MIN(size, SNIFF_BYTES), NULL, bytes, name, options, error);
}

const char *
parse_file_name(const parse_file *file)
{
    return file->name;
}

int
parse_file_n_pages(const parse_file *file)
{
    return file->n_pages;
}

const parse_metadata *
parse_file_metadata(const parse_file *file)
{
    return &file->metadata;
}

const parse_outline_item *
parse_file_outline(const parse_file *file, guint *n)
{
    *n = file->outline->len;
    return *n ? (const parse_outline_item *)(const void *)file->outline->data : NULL;
}

const char *const *
parse_file_warnings(const parse_file *file, guint *n)
{
    fz_flush_warnings(file->ctx); /* MuPDF holds the last one back, to count repetitions */
    *n = file->warnings->len;
    return (const char *const *)file->warnings->pdata;
}

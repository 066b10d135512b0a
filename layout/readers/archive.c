/* Archives (ZIP, tar) and compressed files (gzip, bzip2, xz, Zstandard) by libarchive.
 *
 *   papers.zip!/2021/one.pdf           a member
 *   papers.zip!/more.tar.gz!/two.docx  a member of a member; not deeper
 *   paper.pdf.gz!/paper.pdf            the one file that was compressed
 *   2301.01234.tar.gz                  LaTeX source: one document
 *
 * Nothing is written under a member's name: what has to be a file is an unnamed one in memory. Unpacking ends with an
 * error beyond MAX_MEMBERS, MAX_TOTAL, MAX_MEMBER, or when it gives MAX_RATIO times what was packed: a bomb. */
#include "layout/readers/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEPARATOR   "!/"
#define MAX_NESTING 2
#define MAX_MEMBERS 20000
#define MAX_TOTAL   ((guint64)4 << 30)
#define MAX_MEMBER  ((guint64)1 << 30)
#define MAX_RATIO   1000
#define FREE_BYTES  ((guint64)64 << 20)  /* below, no ratio makes a bomb */
#define MAX_BESIDE  ((guint64)256 << 20) /* of members that are kept for one document */

/* ---- what is an archive ---- */

static gboolean
is_tar(const guchar *data, gsize len)
{
    return len >= 512 && memcmp(data + 257, "ustar", 5) == 0;
}

static gboolean
is_compressed(const guchar *data, gsize len)
{
    return (len > 18 && memcmp(data, "\x1f\x8b", 2) == 0) ||
           (len > 6 && memcmp(data,
                              "\xfd"
                              "7zXZ\0",
                              6) == 0) ||
           (len > 4 && memcmp(data, "\x28\xb5\x2f\xfd", 4) == 0) ||
           (len > 14 && memcmp(data, "BZh", 3) == 0);
}

/* Is it a ZIP archive that is no document itself? */
static gboolean
is_plain_zip(const layout_source *source)
{
    static const char *const parts[] = {"[Content_Types].xml", "META-INF/container.xml",
                                        "META-INF/manifest.xml", "FixedDocSeq.fdseq",
                                        "FixedDocumentSequence.fdseq"};
    if (!layout_source_starts(source, "PK\3\4", 4) && !layout_source_starts(source, "PK\5\6", 4))
        return FALSE;
    for (gsize i = 0; i < G_N_ELEMENTS(parts); i++)
        if (layout_source_zip_lists(source, parts[i])) return FALSE;
    return !layout_source_zip_mimetype(source, "application/") &&
           !layout_source_has_extension(source, " cbz xps oxps epub docx pptx xlsx odt ");
}

static gboolean
is_archive(const layout_source *source)
{
    return source->len > 0 && (is_plain_zip(source) || is_tar(source->data, source->len) ||
                               is_compressed(source->data, source->len));
}

/* ---- walking one ---- */

typedef struct {
    struct archive *reader;
    const char *name; /* of the archive, for messages */
    gsize packed;
    guint64 unpacked;
    guint n_members;
} walker;

static void
walker_close(walker *w)
{
    if (w->reader != NULL) archive_read_free(w->reader);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(walker, walker_close)

static gboolean
fail(const walker *w, layout_error_code code, const char *what, GError **error)
{
    g_set_error(error, LAYOUT_ERROR, (gint)code, "%s: %s", w->name, what);
    return FALSE;
}

static gboolean
walker_open(walker *w, const guchar *data, gsize len, const char *name, GError **error)
{
    *w = (walker){.reader = archive_read_new(), .name = name, .packed = len};
    if (w->reader == NULL) return fail(w, LAYOUT_ERROR_LIMIT, "not enough memory", error);
    archive_read_support_filter_gzip(w->reader);
    archive_read_support_filter_bzip2(w->reader);
    archive_read_support_filter_xz(w->reader);
    archive_read_support_filter_zstd(w->reader);
    archive_read_support_format_zip(w->reader);
    archive_read_support_format_tar(w->reader);
    if (is_compressed(data, len)) archive_read_support_format_raw(w->reader);
    if (archive_read_open_memory(w->reader, data, len) == ARCHIVE_OK) return TRUE;
    g_set_error(error, LAYOUT_ERROR, LAYOUT_ERROR_FORMAT, "%s: not a readable archive: %s", name,
                archive_error_string(w->reader));
    return FALSE;
}

/* "a.pdf" of "dir/a.pdf.gz" */
static char *
uncompressed_name(const char *name)
{
    char *base = g_path_get_basename(name);
    char *dot = strrchr(base, '.');
    if (dot != NULL && dot != base) *dot = '\0';
    return base;
}

/* The member's name without what leads out of the archive; NULL for one without a name. */
static char *
tidy_name(const walker *w, struct archive_entry *entry)
{
    const char *raw = archive_entry_pathname_utf8(entry);
    if (raw == NULL) raw = archive_entry_pathname(entry);
    if (raw == NULL) return NULL;
    if (archive_format(w->reader) == ARCHIVE_FORMAT_RAW) return uncompressed_name(w->name);
    g_autofree char *valid = g_utf8_make_valid(raw, -1);
    g_auto(GStrv) parts = g_strsplit_set(valid, "/\\", -1);
    g_autoptr(GString) out = g_string_new(NULL);
    for (char **part = parts; *part != NULL; part++) {
        if (**part == '\0' || strcmp(*part, ".") == 0 || strcmp(*part, "..") == 0) continue;
        if (out->len > 0) g_string_append_c(out, '/');
        g_string_append(out, *part);
    }
    return out->len > 0 ? g_strdup(out->str) : NULL;
}

/* The next regular file; FALSE at the end, or with the error set. Free name with g_free. */
static gboolean
walker_next(walker *w, char **name, GError **error)
{
    struct archive_entry *entry;
    for (;;) {
        const int status = archive_read_next_header(w->reader, &entry);
        if (status == ARCHIVE_EOF) return FALSE;
        if (status < ARCHIVE_WARN) {
            g_set_error(error, LAYOUT_ERROR, LAYOUT_ERROR_FORMAT, "%s: not a readable archive: %s",
                        w->name, archive_error_string(w->reader));
            return FALSE;
        }
        if (++w->n_members > MAX_MEMBERS)
            return fail(w, LAYOUT_ERROR_LIMIT, "more than 20000 files in one archive", error);
        if (archive_entry_is_encrypted(entry))
            return fail(w, LAYOUT_ERROR_PASSWORD, "the archive is encrypted: unpack it first",
                        error);
        if (archive_entry_filetype(entry) != AE_IFREG) continue;
        *name = tidy_name(w, entry);
        if (*name != NULL) return TRUE;
    }
}

/* At most limit bytes of the member that walker_next came to; NULL with the error set. */
static GBytes *
walker_read(walker *w, guint64 limit, GError **error)
{
    g_autoptr(GByteArray) out = g_byte_array_new();
    guint8 buffer[65536];
    for (;;) {
        const la_ssize_t n = archive_read_data(w->reader, buffer, sizeof buffer);
        if (n == 0) return g_byte_array_free_to_bytes(g_steal_pointer(&out));
        if (n < 0) {
            const char *reason = archive_error_string(w->reader);
            g_set_error(error, LAYOUT_ERROR, LAYOUT_ERROR_FORMAT,
                        "%s: a member cannot be unpacked: %s", w->name,
                        reason != NULL ? reason : "damaged");
            return NULL;
        }
        w->unpacked += (guint64)n;
        if (w->unpacked > MAX_TOTAL || out->len + (guint64)n > MAX_MEMBER ||
            (w->unpacked > FREE_BYTES && w->unpacked / MAX_RATIO > w->packed)) {
            fail(w, LAYOUT_ERROR_LIMIT,
                 "unpacks to far more than it is: refused as a decompression bomb", error);
            return NULL;
        }
        const gsize take = (gsize)MIN((guint64)n, limit - MIN(limit, out->len));
        g_byte_array_append(out, buffer, (guint)take);
        if (out->len >= limit) return g_byte_array_free_to_bytes(g_steal_pointer(&out));
    }
}

/* ---- which members are documents ---- */

static gboolean
has_ending(const char *name, const char *endings)
{
    const layout_source named = {.name = name};
    return layout_source_has_extension(&named, endings);
}

#define DOCUMENTS                                                                                  \
    " pdf xps oxps epub fb2 cbz html htm xhtml docx pptx xlsx odt nxml jats md markdown txt xml "
#define PICTURES " png jpg jpeg tif tiff webp jp2 j2k bmp "
#define ARCHIVES " zip tar tgz gz txz xz tzst zst bz2 "
#define SOURCES  " tex ltx "

static gboolean
is_of_the_archive_itself(const char *name)
{
    g_autofree char *base = g_path_get_basename(name);
    g_autofree char *low = g_ascii_strdown(base, -1);
    return *base == '.' || g_str_has_prefix(name, "__MACOSX/") || g_str_has_prefix(low, "readme") ||
           g_str_has_prefix(low, "00readme") || g_str_has_prefix(low, "licen");
}

typedef struct {
    GPtrArray *documents, *pictures; /* char *: names */
    char *main;                      /* of the LaTeX source; NULL */
    int main_score;
    guint n_sources, n_pdfs;
} contents;

static void
contents_clear(contents *c)
{
    g_ptr_array_unref(c->documents);
    g_ptr_array_unref(c->pictures);
    g_free(c->main);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(contents, contents_clear)

/* How likely this is the file that LaTeX is run on; 0: it is not. */
static int
main_score(const char *name, GBytes *bytes)
{
    gsize len = 0;
    const char *data = g_bytes_get_data(bytes, &len);
    if (data == NULL || (memmem(data, len, "\\documentclass", 14) == NULL &&
                         memmem(data, len, "\\documentstyle", 14) == NULL))
        return 0;
    int score = 1;
    if (memmem(data, len, "\\begin{document}", 16) != NULL) score += 8;
    if (memmem(data, len, "\\title", 6) != NULL) score += 4;
    if (memmem(data, len, "{standalone}", 12) != NULL) score -= 6;
    if (strchr(name, '/') == NULL) score += 2;
    g_autofree char *base = g_path_get_basename(name);
    if (g_regex_match_simple("^(main|ms|paper|article|manuscript|root)\\b", base, G_REGEX_CASELESS,
                             0))
        score += 3;
    if (g_regex_match_simple("supp|response|letter|template", base, G_REGEX_CASELESS, 0))
        score -= 4;
    return MAX(score, 1);
}

static gboolean take_contents(walker *w, guint depth, contents *c, GError **error);

/* The documents of an archive inside of the archive. */
static gboolean
take_nested(walker *w, const char *name, guint depth, contents *c, GError **error)
{
    g_autoptr(GBytes) bytes = walker_read(w, MAX_MEMBER, error);
    if (bytes == NULL) return FALSE;
    gsize len = 0;
    const guchar *data = g_bytes_get_data(bytes, &len);
    const layout_source source = {.name = name, .data = data, .len = len};
    if (!is_archive(&source)) return TRUE;
    g_auto(walker) inner = {0};
    g_auto(contents) found = {.documents = g_ptr_array_new_with_free_func(g_free),
                              .pictures = g_ptr_array_new_with_free_func(g_free)};
    if (!walker_open(&inner, data, len, name, error) ||
        !take_contents(&inner, depth + 1, &found, error))
        return FALSE;
    w->unpacked += inner.unpacked;
    if (found.main != NULL && (found.n_sources > 1 || found.n_pdfs == 0)) {
        g_ptr_array_add(c->documents, g_strdup(name));
        return TRUE;
    }
    GPtrArray *taken = found.documents->len > 0 ? found.documents : found.pictures;
    for (guint i = 0; i < taken->len; i++)
        g_ptr_array_add(c->documents, g_strconcat(name, SEPARATOR, (char *)taken->pdata[i], NULL));
    return TRUE;
}

static gboolean
take_contents(walker *w, guint depth, contents *c, GError **error)
{
    GError *cause = NULL;
    for (char *next = NULL; walker_next(w, &next, &cause);) {
        g_autofree char *name = next;
        const gboolean raw = archive_format(w->reader) == ARCHIVE_FORMAT_RAW;
        if (is_of_the_archive_itself(name)) continue;
        if (has_ending(name, SOURCES)) {
            g_autoptr(GBytes) bytes = walker_read(w, 1 << 20, &cause);
            if (bytes == NULL) break;
            const int score = main_score(name, bytes);
            c->n_sources++;
            if (score > c->main_score) {
                g_free(c->main);
                c->main = g_strdup(name);
                c->main_score = score;
            }
        } else if (has_ending(name, " bbl bib sty cls bst ")) {
            c->n_sources++;
        } else if (has_ending(name, ARCHIVES)) {
            if (depth + 1 < MAX_NESTING && !take_nested(w, name, depth, c, &cause)) break;
        } else if (has_ending(name, PICTURES)) {
            g_ptr_array_add(c->pictures, g_steal_pointer(&name));
        } else if (has_ending(name, DOCUMENTS) || raw) {
            c->n_pdfs += has_ending(name, " pdf ") ? 1 : 0;
            g_ptr_array_add(c->documents, g_steal_pointer(&name));
        }
    }
    if (cause == NULL) return TRUE;
    g_propagate_error(error, cause);
    return FALSE;
}

/* ---- paths ---- */

/* Where the name of the archive ends; NULL for a path of no member. */
static const char *
find_separator(const char *path)
{
    for (const char *at = path; (at = strstr(at, SEPARATOR)) != NULL; at++) {
        g_autofree char *file = g_strndup(path, (gsize)(at - path));
        if (g_file_test(file, G_FILE_TEST_IS_REGULAR)) return at;
    }
    return NULL;
}

char *
layout_archive_of(const char *path)
{
    /* a file may be called so itself */
    if (strstr(path, SEPARATOR) == NULL || g_file_test(path, G_FILE_TEST_EXISTS)) return NULL;
    const char *at = find_separator(path);
    return at != NULL ? g_strndup(path, (gsize)(at - path)) : NULL;
}

static layout_input *
map_file(const char *path)
{
    layout_input *input = g_new0(layout_input, 1);
    struct stat st;
    input->fd = -1;
    input->local_path = g_strdup(path);
    input->name = g_filename_display_basename(path);
    input->source = (layout_source){.path = input->local_path, .name = input->name};
    /* looked at before opening: opening a pipe would wait for its writer */
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size == 0) return input;
    input->file = g_mapped_file_new(path, FALSE, NULL);
    if (input->file == NULL) return input;
    input->source.data = (const guchar *)g_mapped_file_get_contents(input->file);
    input->source.len = g_mapped_file_get_length(input->file);
    return input;
}

void
layout_input_free(layout_input *input)
{
    if (input == NULL) return;
    g_clear_pointer(&input->file, g_mapped_file_unref);
    g_clear_pointer(&input->bytes, g_bytes_unref);
    g_clear_pointer(&input->members, g_hash_table_unref);
    if (input->fd >= 0) close(input->fd);
    g_free(input->local_path);
    g_free(input->name);
    g_free((char *)input->source.member);
    g_free(input);
}

static GBytes *
extract(const guchar *data, gsize len, const char *archive, const char *member, GError **error)
{
    g_auto(walker) w = {0};
    GError *cause = NULL;
    if (!walker_open(&w, data, len, archive, error)) return NULL;
    for (char *next = NULL; walker_next(&w, &next, &cause);) {
        g_autofree char *name = next;
        if (strcmp(name, member) != 0) continue;
        return walker_read(&w, MAX_MEMBER, error);
    }
    if (cause != NULL)
        g_propagate_error(error, cause);
    else
        g_set_error(error, LAYOUT_ERROR, LAYOUT_ERROR_IO, "%s: has no \"%s\" in it", archive,
                    member);
    return NULL;
}

/* A file in memory that others can open by path. */
static gboolean
make_local(layout_input *input, GError **error)
{
    gsize len = 0;
    const char *data = g_bytes_get_data(input->bytes, &len);
    input->fd = memfd_create("lode-member", MFD_CLOEXEC);
    for (gsize done = 0; input->fd >= 0 && done < len;) {
        const ssize_t n = write(input->fd, data + done, len - done);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        done += (gsize)n;
        if (done == len) break;
    }
    struct stat st;
    if (input->fd < 0 || fstat(input->fd, &st) != 0 || (gsize)st.st_size != len) {
        g_set_error(error, LAYOUT_ERROR, LAYOUT_ERROR_IO, "%s: cannot be unpacked: %s", input->name,
                    g_strerror(errno));
        return FALSE;
    }
    g_free(input->local_path);
    input->local_path = g_strdup_printf("/proc/self/fd/%d", input->fd);
    return TRUE;
}

static void
take_bytes(layout_input *input, GBytes *bytes, char *name, const char *member)
{
    gsize len = 0;
    const guchar *data = g_bytes_get_data(bytes, &len);
    g_clear_pointer(&input->bytes, g_bytes_unref);
    g_clear_pointer(&input->file, g_mapped_file_unref);
    g_free(input->name);
    g_free((char *)input->source.member);
    input->bytes = bytes;
    input->name = name;
    input->source =
        (layout_source){.name = name, .data = data, .len = len, .member = g_strdup(member)};
}

/* All members, by name, but for those that make too much. */
static GHashTable *
load_all(const guchar *data, gsize len, const char *archive, GError **error)
{
    g_auto(walker) w = {0};
    g_autoptr(GHashTable) members =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_bytes_unref);
    guint64 total = 0;
    GError *cause = NULL;
    if (!walker_open(&w, data, len, archive, error)) return NULL;
    for (char *next = NULL; walker_next(&w, &next, &cause);) {
        g_autofree char *name = next;
        if (has_ending(name, ARCHIVES)) continue;
        GBytes *bytes = walker_read(&w, MAX_BESIDE - total + 1, &cause);
        if (bytes == NULL) break;
        total += g_bytes_get_size(bytes);
        if (total > MAX_BESIDE) {
            g_bytes_unref(bytes);
            break;
        }
        g_hash_table_replace(members, g_steal_pointer(&name), bytes);
    }
    if (cause == NULL) return g_steal_pointer(&members);
    g_propagate_error(error, cause);
    return NULL;
}

/* Of an archive: its one document's bytes, or an error that says what to name. */
static gboolean
enter_archive(layout_input *input, GError **error)
{
    g_auto(walker) w = {0};
    g_auto(contents) c = {.documents = g_ptr_array_new_with_free_func(g_free),
                          .pictures = g_ptr_array_new_with_free_func(g_free)};
    const layout_source outer = input->source;
    if (!walker_open(&w, outer.data, outer.len, input->name, error) ||
        !take_contents(&w, 0, &c, error))
        return FALSE;
    const gboolean latex = c.main != NULL && (c.n_sources > 1 || c.n_pdfs == 0);
    GPtrArray *taken = c.documents->len > 0 ? c.documents : c.pictures;
    const char *member = latex ? c.main : taken->len == 1 ? taken->pdata[0] : NULL;
    if (member == NULL || strstr(member, SEPARATOR) != NULL) {
        g_set_error(error, LAYOUT_ERROR, LAYOUT_ERROR_FORMAT,
                    taken->len == 0 ? "%s: an archive without documents"
                                    : "%s: an archive of documents: name one as %s!/MEMBER",
                    input->name, input->name);
        return FALSE;
    }
    if (latex) {
        input->members = load_all(outer.data, outer.len, input->name, error);
        if (input->members == NULL) return FALSE;
    }
    GBytes *bytes = latex ? g_hash_table_lookup(input->members, member) : NULL;
    bytes = bytes != NULL ? g_bytes_ref(bytes)
                          : extract(outer.data, outer.len, input->name, member, error);
    if (bytes == NULL) return FALSE;
    take_bytes(input, bytes,
               latex ? g_strdup(input->name) : g_strconcat(input->name, SEPARATOR, member, NULL),
               member);
    if (latex) input->source.members = input->members;
    return TRUE;
}

layout_input *
layout_input_open(const char *path, GError **error)
{
    g_autofree char *archive = layout_archive_of(path);
    g_autoptr(layout_input) input = map_file(archive != NULL ? archive : path);
    const gboolean packed = is_archive(&input->source);
    if (archive == NULL && !packed) return g_steal_pointer(&input);
    const char *rest = archive != NULL ? path + strlen(archive) + strlen(SEPARATOR) : NULL;
    for (guint depth = 0; rest != NULL; depth++) {
        const char *end = strstr(rest, SEPARATOR);
        g_autofree char *member =
            end != NULL ? g_strndup(rest, (gsize)(end - rest)) : g_strdup(rest);
        if (depth >= MAX_NESTING || !is_archive(&input->source)) {
            g_set_error(error, LAYOUT_ERROR, LAYOUT_ERROR_FORMAT, "%s: not an archive that is read",
                        input->name);
            return NULL;
        }
        GBytes *bytes = extract(input->source.data, input->source.len, input->name, member, error);
        if (bytes == NULL) return NULL;
        take_bytes(input, bytes, g_strconcat(input->name, SEPARATOR, member, NULL), member);
        rest = end != NULL ? end + strlen(SEPARATOR) : NULL;
    }
    if (is_archive(&input->source) && !enter_archive(input, error)) return NULL;
    if (!make_local(input, error)) return NULL;
    return g_steal_pointer(&input);
}

void
layout_input_load_members(layout_input *input, const char *path)
{
    g_autofree char *archive = input->members == NULL ? layout_archive_of(path) : NULL;
    if (archive == NULL || strstr(path + strlen(archive) + 2, SEPARATOR) != NULL) return;
    g_autoptr(layout_input) outer = map_file(archive);
    input->members = load_all(outer->source.data, outer->source.len, outer->name, NULL);
    input->source.members = input->members;
}

GPtrArray *
layout_archive_members(const char *path, GError **error)
{
    g_autoptr(layout_input) input = map_file(path);
    if (!is_archive(&input->source)) return NULL;
    g_auto(walker) w = {0};
    g_auto(contents) c = {.documents = g_ptr_array_new_with_free_func(g_free),
                          .pictures = g_ptr_array_new_with_free_func(g_free)};
    if (!walker_open(&w, input->source.data, input->source.len, input->name, error) ||
        !take_contents(&w, 0, &c, error))
        return NULL;
    if (c.main != NULL && (c.n_sources > 1 || c.n_pdfs == 0)) return NULL;
    if (c.main != NULL) g_ptr_array_add(c.documents, g_strdup(c.main));
    GPtrArray *taken = c.documents->len > 0 ? c.documents : c.pictures;
    GPtrArray *paths = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < taken->len; i++)
        g_ptr_array_add(paths, g_strconcat(path, SEPARATOR, (char *)taken->pdata[i], NULL));
    if (paths->len > 0) return paths;
    g_ptr_array_unref(paths);
    g_set_error(error, LAYOUT_ERROR, LAYOUT_ERROR_FORMAT, "%s: an archive without documents",
                input->name);
    return NULL;
}

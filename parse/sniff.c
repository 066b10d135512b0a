/* Which format a file has, by its first bytes: an extension may lie, and MuPDF trusts it. */
#include <string.h>

#include "parse/parse_internal.h"

typedef struct {
    guint8 len;
    const char *bytes;
    const char *mime;
} signature;

static const signature images[] = {
    {3, "\xff\xd8\xff", "image/jpeg"},
    {8, "\x89PNG\r\n\x1a\n", "image/png"},
    {4, "II*\0", "image/tiff"},
    {4, "MM\0*", "image/tiff"},
    {6, "GIF87a", "image/gif"},
    {6, "GIF89a", "image/gif"},
    {12, "\0\0\0\x0cjP  \r\n\x87\n", "image/jp2"},
    {4, "\xff\x4f\xff\x51", "image/jp2"}, /* a bare codestream, .j2k */
    {8, "\x97JB2\r\n\x1a\n", "image/x-jb2"},
};

/* What people hand in by mistake, for a message that helps. */
static const struct {
    const char *bytes;
    const char *reason;
} others[] = {
    {"\x1f\x8b", "it is gzip data"},
    {"BZh", "it is bzip2 data"},
    {"\xfd"
     "7zXZ",
     "it is xz data"},
    {"7z\xbc\xaf", "it is a 7z archive"},
    {"\xd0\xcf\x11\xe0", "it is an old Microsoft Office file"},
    {"%!PS", "it is PostScript; convert it to PDF first"},
    {"{\\rtf", "it is RTF"},
    {"\x7f"
     "ELF",
     "it is a program"},
};

static gboolean
starts_with(const uint8_t *head, size_t n, const char *bytes, size_t len)
{
    return n >= len && memcmp(head, bytes, len) == 0;
}

static gboolean
contains(const uint8_t *head, size_t n, const char *word)
{
    return memmem(head, n, word, strlen(word)) != NULL;
}

/* "12 0 obj" at the start of a line: a PDF that lost its first bytes. */
static gboolean
has_pdf_object(const uint8_t *head, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && head[i - 1] != '\n' && head[i - 1] != '\r') continue;
        size_t at = i, digits = i;
        while (at < n && g_ascii_isdigit(head[at]))
            at++;
        if (at == digits || at == n || head[at++] != ' ') continue;
        digits = at;
        while (at < n && g_ascii_isdigit(head[at]))
            at++;
        if (at > digits && starts_with(head + at, n - at, " obj", 4)) return TRUE;
    }
    return FALSE;
}

static const char *
sniff_archive(const uint8_t *head, size_t n, const char *name, const char **reason)
{
    if (contains(head, MIN(n, 256), "mimetypeapplication/epub+zip")) return "application/epub+zip";
    g_autofree char *lower = g_ascii_strdown(name, -1);
    if (g_str_has_suffix(lower, ".epub")) return "application/epub+zip";
    if (g_str_has_suffix(lower, ".xps") || g_str_has_suffix(lower, ".oxps"))
        return "application/vnd.ms-xpsdocument";
    if (g_str_has_suffix(lower, ".cbz")) return "application/x-cbz";
    *reason = "it is a ZIP archive, but neither EPUB, XPS nor CBZ";
    return NULL;
}

static const char *
describe_text(const uint8_t *head, size_t n)
{
    gboolean markup = contains(head, n, "<html") || contains(head, n, "<HTML") ||
                      contains(head, n, "<!DOCTYPE html") || contains(head, n, "<!doctype html");
    if (markup) return "it is an HTML page";
    size_t n_odd = 0;
    for (size_t i = 0; i < n; i++)
        n_odd += head[i] < 0x20 && !strchr("\t\n\r\f", head[i] ? head[i] : 1);
    return n_odd == 0 ? "it is plain text" : "its format is not known";
}

const char *
parse_sniff(const uint8_t *head, size_t n, const char *name, const char **reason)
{
    if (n == 0) {
        *reason = "it is empty";
        return NULL;
    }
    /* readers of PDF accept some bytes before the header: mail gateways and printers put them there */
    if (contains(head, MIN(n, 1024), "%PDF-")) return "application/pdf";
    for (gsize i = 0; i < G_N_ELEMENTS(images); i++)
        if (starts_with(head, n, images[i].bytes, images[i].len)) return images[i].mime;
    if (n >= 12 && memcmp(head, "RIFF", 4) == 0 && memcmp(head + 8, "WEBP", 4) == 0)
        return "image/webp";
    if (starts_with(head, n, "BM", 2) && n >= 18 && !memcmp(head + 6, "\0\0\0\0", 4))
        return "image/bmp";
    if (n >= 3 && head[0] == 'P' && head[1] >= '1' && head[1] <= '6' && g_ascii_isspace(head[2]) &&
        (g_ascii_isdigit(head[3 < n ? 3 : 0]) || head[3 < n ? 3 : 0] == '#'))
        return "image/x-portable-anymap";
    if (starts_with(head, n, "PK\x03\x04", 4)) return sniff_archive(head, n, name, reason);
    if (contains(head, n, "<FictionBook")) return "application/x-fictionbook";
    for (gsize i = 0; i < G_N_ELEMENTS(others); i++) {
        if (starts_with(head, n, others[i].bytes, strlen(others[i].bytes))) {
            *reason = others[i].reason;
            return NULL;
        }
    }
    if (has_pdf_object(head, MIN(n, 1024))) return "application/pdf";
    *reason = describe_text(head, n);
    return NULL;
}

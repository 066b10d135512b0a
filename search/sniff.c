/* What a body is, by its first bytes: servers are often wrong about it, most often when a landing page comes
 * where a PDF was asked for. After the WHATWG MIME Sniffing standard, but only for what we can read. */
#include "search/client.h"

#include <string.h>

#define SNIFF_BYTES 1024

static gboolean
starts_with_tag(const char *p, gsize len)
{
    static const char *const tags[] = {
        "<!doctype html", "<html", "<head", "<body", "<title", "<script", "<meta", "<table",
        "<div",           "<p>",   "<h1",   "<br",   "<a ",    "<style",  "<!--"};
    for (gsize i = 0; i < G_N_ELEMENTS(tags); i++)
        if (len >= strlen(tags[i]) && g_ascii_strncasecmp(p, tags[i], strlen(tags[i])) == 0)
            return TRUE;
    return FALSE;
}

static gboolean
contains(const char *p, gsize len, const char *word)
{
    gsize m = strlen(word);
    for (gsize i = 0; i + m <= len; i++)
        if (g_ascii_strncasecmp(p + i, word, m) == 0) return TRUE;
    return FALSE;
}

static gboolean
looks_binary(const guchar *p, gsize len)
{
    if (len >= 2 && ((p[0] == 0xfe && p[1] == 0xff) || (p[0] == 0xff && p[1] == 0xfe)))
        return FALSE; /* UTF-16 */
    for (gsize i = 0; i < len; i++)
        if (p[i] < 0x20 && !(p[i] >= 0x09 && p[i] <= 0x0d) && p[i] != 0x1b) return TRUE;
    return FALSE;
}

static search_content
by_type(const char *type)
{
    if (!type) return SEARCH_CONTENT_OTHER;
    if (g_str_equal(type, "text/html") || g_str_equal(type, "application/xhtml+xml"))
        return SEARCH_CONTENT_HTML;
    if (g_str_equal(type, "application/json") || g_str_has_suffix(type, "+json"))
        return SEARCH_CONTENT_JSON;
    if (g_str_equal(type, "application/xml") || g_str_equal(type, "text/xml") ||
        g_str_has_suffix(type, "+xml"))
        return SEARCH_CONTENT_XML;
    if (g_str_has_prefix(type, "text/")) return SEARCH_CONTENT_TEXT;
    return SEARCH_CONTENT_OTHER;
}

search_content
search_sniff(const void *body, gsize len, const char *declared)
{
    const char *p = body;
    gsize n = MIN(len, SNIFF_BYTES);
    search_content said = by_type(declared);

    for (gsize i = 0; i + 5 <= n; i++) /* ISO 32000-1, annex H: anywhere in the first 1024 */
        if (memcmp(p + i, "%PDF-", 5) == 0 && (i == 0 || said == SEARCH_CONTENT_OTHER))
            return SEARCH_CONTENT_PDF;
    if (n > 0 && looks_binary(body, n)) return SEARCH_CONTENT_OTHER;
    if (n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) p += 3, n -= 3;
    while (n > 0 && g_ascii_isspace(*p))
        p++, n--;
    if (n >= 5 && memcmp(p, "<?xml", 5) == 0)
        return said == SEARCH_CONTENT_HTML || contains(p, n, "<html") ? SEARCH_CONTENT_HTML
                                                                      : SEARCH_CONTENT_XML;
    if (starts_with_tag(p, n)) return said == SEARCH_CONTENT_XML ? said : SEARCH_CONTENT_HTML;
    if (n > 0 && (*p == '{' || *p == '[') &&
        (said == SEARCH_CONTENT_OTHER || said == SEARCH_CONTENT_TEXT))
        return said == SEARCH_CONTENT_TEXT ? SEARCH_CONTENT_TEXT : SEARCH_CONTENT_JSON;
    if (said == SEARCH_CONTENT_OTHER && declared && *declared &&
        !g_str_equal(declared, "application/octet-stream"))
        return SEARCH_CONTENT_OTHER;
    if (said == SEARCH_CONTENT_OTHER)
        return n > 0 && *p == '<' ? SEARCH_CONTENT_XML : SEARCH_CONTENT_TEXT;
    return said;
}

const char *
search_content_name(search_content content)
{
    static const char *const names[] = {"other", "HTML", "PDF", "text", "JSON", "XML"};
    return names[content];
}

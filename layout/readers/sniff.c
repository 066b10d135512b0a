/* What the readers' sniffs look at: first bytes, text or not, an XML root element, the list of a ZIP archive.
 *
 * All of it reads the mapped bytes in place and believes no length that they state. */
#include "layout/readers/readers.h"

#include <string.h>

gboolean
layout_source_starts(const layout_source *source, const char *magic, gsize len)
{
    return source->len >= len && memcmp(source->data, magic, len) == 0;
}

gboolean
layout_source_has_extension(const layout_source *source, const char *extensions)
{
    const char *dot = strrchr(source->name, '.');
    if (dot == NULL || strlen(dot) > 12 || strpbrk(dot, " /") != NULL) return FALSE;
    g_autofree char *low = g_ascii_strdown(dot + 1, -1);
    g_autofree char *word = g_strdup_printf(" %s ", low);
    return strstr(extensions, word) != NULL;
}

/* ---- text ---- */

/* UTF-16 has a byte order mark, or (XML 1.0, appendix F) is known by the zeros of its first characters. */
static const char *
wide_encoding(const guchar *b, gsize len, gsize *mark)
{
    *mark = 2;
    if (len >= 2 && b[0] == 0xFF && b[1] == 0xFE) return "UTF-16LE";
    if (len >= 2 && b[0] == 0xFE && b[1] == 0xFF) return "UTF-16BE";
    *mark = 0;
    if (len >= 4 && b[0] == '<' && b[1] == 0 && b[3] == 0 && b[2] != 0) return "UTF-16LE";
    if (len >= 4 && b[0] == 0 && b[1] == '<' && b[2] == 0 && b[3] != 0) return "UTF-16BE";
    return NULL;
}

/* Control characters that no text has; those of a terminal's log and of a printer are few. */
static gboolean
is_binary(const guchar *b, gsize len)
{
    gsize n_odd = 0;
    for (gsize i = 0; i < len; i++)
        if (b[i] < 0x20 && memchr("\t\n\r\f\033\b", b[i], 6) == NULL) n_odd++;
    return n_odd > len / 256;
}

char *
layout_source_head(const layout_source *source)
{
    gsize n = MIN(source->len, LAYOUT_SNIFF_BYTES), mark = 0;
    const char *wide = wide_encoding(source->data, n, &mark);
    if (wide != NULL) {
        g_autofree char *text = g_convert_with_fallback((const char *)source->data + mark,
                                                        (gssize)((n - mark) & ~(gsize)1), "UTF-8",
                                                        wide, "?", NULL, &n, NULL);
        if (text == NULL || is_binary((const guchar *)text, n)) return NULL;
        return g_steal_pointer(&text);
    }
    if (is_binary(source->data, n)) return NULL;
    const gsize skip = layout_source_starts(source, "\xEF\xBB\xBF", 3) ? 3 : 0;
    g_autofree char *text = g_strndup((const char *)source->data + skip, n - skip);
    for (gsize i = 0; i < n - skip; i++)
        if (((const char *)source->data)[skip + i] == '\0') text[i] = ' ';
    return g_utf8_make_valid(text, (gssize)(n - skip));
}

/* ---- XML ---- */

/* Behind a declaration, comments, processing instructions and a document type, to the first element's "<". */
static const char *
skip_prolog(const char *at)
{
    for (;;) {
        while (g_ascii_isspace(*at))
            at++;
        const char *end = NULL;
        if (g_str_has_prefix(at, "<?"))
            end = strstr(at, "?>");
        else if (g_str_has_prefix(at, "<!--"))
            end = strstr(at, "-->");
        else if (g_str_has_prefix(at, "<!DOCTYPE")) {
            int depth = 0; /* an internal subset is in brackets */
            for (end = at; *end != '\0' && (depth > 0 || *end != '>'); end++)
                depth += *end == '[' ? 1 : *end == ']' ? -1 : 0;
            if (*end == '\0') return NULL;
        } else {
            return *at == '<' ? at : NULL;
        }
        if (end == NULL) return NULL;
        at = strchr(end, '>') + 1;
    }
}

char *
layout_source_xml_root(const layout_source *source, char **namespace_uri)
{
    if (namespace_uri != NULL) *namespace_uri = NULL;
    g_autofree char *head = layout_source_head(source);
    const char *at = head != NULL ? skip_prolog(head) : NULL;
    if (at == NULL || !(g_ascii_isalpha(at[1]) || at[1] == '_')) return NULL;
    const gsize n = strcspn(at + 1, " \t\r\n/>");
    if (at[1 + n] == '\0' || memchr(at + 1, '<', n) != NULL) return NULL;
    g_autofree char *name = g_strndup(at + 1, n);
    char *colon = strchr(name, ':');
    if (namespace_uri != NULL) {
        g_autofree char *attribute = colon != NULL
                                         ? g_strdup_printf("xmlns:%.*s=", (int)(colon - name), name)
                                         : g_strdup("xmlns=");
        const char *end = strchr(at, '>');
        const char *found = end != NULL ? g_strstr_len(at, end - at, attribute) : NULL;
        const char *value = found != NULL ? found + strlen(attribute) : NULL;
        const char *close =
            value != NULL && (*value == '"' || *value == '\'') ? strchr(value + 1, *value) : NULL;
        if (close != NULL) *namespace_uri = g_strndup(value + 1, (gsize)(close - value - 1));
    }
    return g_strdup(colon != NULL ? colon + 1 : name);
}

/* ---- ZIP (APPNOTE.TXT, sections 4.3.7, 4.3.12 and 4.3.16) ---- */

static guint
u16(const guchar *at)
{
    return (guint)at[0] | (guint)at[1] << 8;
}

static gsize
u32(const guchar *at)
{
    return (gsize)u16(at) | (gsize)u16(at + 2) << 16;
}

/* The central directory; NULL where the end of the archive is missing. */
static const guchar *
find_directory(const layout_source *source)
{
    const gsize least = 22;
    if (source->len < least) return NULL;
    const gsize span = MIN(source->len, least + 65535);
    const guchar *last = source->data + source->len - least;
    for (gsize back = 0; back <= span - least; back++) {
        const guchar *at = last - back;
        if (memcmp(at, "PK\5\6", 4) != 0) continue;
        const gsize offset = u32(at + 16);
        return offset < source->len ? source->data + offset : NULL;
    }
    return NULL;
}

gboolean
layout_source_zip_lists(const layout_source *source, const char *prefix)
{
    if (!layout_source_starts(source, "PK\3\4", 4)) return FALSE;
    const gsize n = strlen(prefix);
    const guchar *end = source->data + source->len;
    const guchar *at = find_directory(source);
    while (at != NULL && end - at > 46 && memcmp(at, "PK\1\2", 4) == 0) {
        const gsize name = u16(at + 28), more = (gsize)u16(at + 30) + u16(at + 32);
        if ((gsize)(end - at) < 46 + name + more) break;
        if (name >= n && memcmp(at + 46, prefix, n) == 0) return TRUE;
        at += 46 + name + more;
    }
    /* cut short: the first members still have their names before them */
    if (at != NULL) return FALSE;
    at = source->data;
    while (end - at > 30 && memcmp(at, "PK\3\4", 4) == 0) {
        const gsize name = u16(at + 26), size = u32(at + 18), more = u16(at + 28);
        if ((gsize)(end - at) < 30 + name) break;
        if (name >= n && memcmp(at + 30, prefix, n) == 0) return TRUE;
        if ((gsize)(end - at) - 30 - name < more + size) break;
        at += 30 + name + more + size;
    }
    return FALSE;
}

gboolean
layout_source_zip_mimetype(const layout_source *source, const char *mime)
{
    const gsize n = strlen(mime);
    if (!layout_source_starts(source, "PK\3\4", 4) || source->len < 30 + 8 + n) return FALSE;
    const guchar *at = source->data;
    const gsize more = u16(at + 28);
    return u16(at + 26) == 8 && memcmp(at + 30, "mimetype", 8) == 0 &&
           source->len - 38 - n >= more && memcmp(at + 38 + more, mime, n) == 0;
}

/* Bytes of a page -> clean UTF-8.
 *
 * The order is that of the WHATWG Encoding and HTML standards: byte order mark, transport, <meta> in the
 * first kilobytes; then UTF-8 if the bytes are valid UTF-8, else what uchardet (Li and Momoi, "A composite approach to
 * language/encoding detection", 2001) recognises and the bytes bear out, else windows-1252, which every byte is. Labels
 * mean there what browsers take them for: "iso-8859-1" is windows-1252, "gb2312" is GB 18030. */
#include "layout/readers/html.h"

#include <string.h>
#include <uchardet.h>

#define GUESS_SPAN ((gsize)256 << 10) /* that an encoding is guessed from */
#define META_SPAN  4096               /* the standard says 1024; real pages put scripts in front */

typedef struct {
    const char *label, *iconv;
} label_name;

static const label_name labels[] = {
    {"utf8", "UTF-8"},         {"unicode-1-1-utf-8", "UTF-8"}, {"ascii", "CP1252"},
    {"us-ascii", "CP1252"},    {"iso-8859-1", "CP1252"},       {"iso8859-1", "CP1252"},
    {"iso_8859-1", "CP1252"},  {"latin1", "CP1252"},           {"latin-1", "CP1252"},
    {"l1", "CP1252"},          {"windows-1252", "CP1252"},     {"x-cp1252", "CP1252"},
    {"iso-8859-9", "CP1254"},  {"latin5", "CP1254"},           {"iso-8859-11", "CP874"},
    {"tis-620", "CP874"},      {"gb2312", "GB18030"},          {"gbk", "GB18030"},
    {"gb_2312-80", "GB18030"}, {"x-gbk", "GB18030"},           {"chinese", "GB18030"},
    {"shift_jis", "CP932"},    {"shift-jis", "CP932"},         {"sjis", "CP932"},
    {"x-sjis", "CP932"},       {"windows-31j", "CP932"},       {"ms_kanji", "CP932"},
    {"euc-kr", "CP949"},       {"ks_c_5601-1987", "CP949"},    {"ksc5601", "CP949"},
    {"korean", "CP949"},       {"big5", "BIG5-HKSCS"},         {"big5-hkscs", "BIG5-HKSCS"},
    {"x-euc-jp", "EUC-JP"},    {"macintosh", "MACINTOSH"},     {"x-mac-roman", "MACINTOSH"},
};

static gboolean
is_utf8_label(const char *name)
{
    return g_ascii_strcasecmp(name, "utf-8") == 0;
}

/* iconv's name of a label, NULL for one that should not be tried. */
static char *
resolve_label(const char *label)
{
    g_autofree char *low = g_ascii_strdown(label, -1);
    g_strstrip(low);
    if (!*low || strlen(low) > 40) return NULL;
    for (const char *p = low; *p; p++)
        if (!g_ascii_isalnum(*p) && !strchr("-_.:+", *p)) return NULL; /* "//IGNORE" and the like */
    for (gsize i = 0; i < G_N_ELEMENTS(labels); i++)
        if (g_str_equal(low, labels[i].label)) return g_strdup(labels[i].iconv);
    return g_steal_pointer(&low);
}

/* The label in the first <meta charset=...> or <meta ... content="...charset=...">. */
static char *
find_meta_label(const char *html, size_t len)
{
    g_autofree char *head = g_ascii_strdown(html, (gssize)MIN(len, META_SPAN));
    for (gsize i = 0, n = MIN(len, META_SPAN); i < n; i++)
        if (head[i] == '\0') head[i] = ' ';
    const char *meta = head;
    while ((meta = strstr(meta, "<meta")) != NULL) {
        const char *end = strchr(meta, '>');
        if (!end) return NULL;
        const char *value = g_strstr_len(meta, end - meta, "charset");
        meta = end;
        if (!value) continue;
        value += strlen("charset");
        while (value < end && (g_ascii_isspace(*value) || *value == '='))
            value++;
        while (value < end && (*value == '"' || *value == '\''))
            value++;
        gsize n = strcspn(value, "\"'; />\t\r\n");
        if (n > 0 && n <= 40) return g_strndup(value, n);
    }
    return NULL;
}

/* Everything that can be read, U+FFFD for the rest; NULL when iconv does not know from. */
static GString *
convert(const char *bytes, size_t len, const char *from)
{
    GIConv conv = g_iconv_open("UTF-8", from);
    if (conv == (GIConv)-1) return NULL;
    GString *out = g_string_sized_new(len + len / 8);
    char *in = (char *)bytes, buffer[8192];
    gsize left = len;
    gsize unit = g_ascii_strncasecmp(from, "UTF-16", 6) == 0 ? 2 : 1;

    while (left > 0) {
        char *to = buffer;
        gsize room = sizeof buffer, before = left;
        gsize got = g_iconv(conv, &in, &left, &to, &room);
        g_string_append_len(out, buffer, to - buffer);
        if (got != (gsize)-1) break;
        if (room < 64 && left < before) continue; /* buffer full */
        g_string_append(out, "\xef\xbf\xbd");
        gsize skip = MIN(unit, left);
        in += skip;
        left -= skip;
        g_iconv(conv, NULL, NULL, NULL, NULL);
    }
    g_iconv_close(conv);
    return out;
}

/* Characters that XML 1.0 allows, in place. NUL would end libxml2's reading. */
static void
drop_forbidden(GString *text)
{
    gsize to = 0;
    for (gsize i = 0; i < text->len; i++) {
        guchar c = (guchar)text->str[i];
        if (c < 0x20 && c != '\t' && c != '\n' && c != '\r') c = ' ';
        if (c == 0x7f) c = ' ';
        /* U+FFFE and U+FFFF; surrogates are no UTF-8 */
        if (c == 0xef && i + 2 < text->len && (guchar)text->str[i + 1] == 0xbf &&
            (guchar)text->str[i + 2] >= 0xbe) {
            i += 2;
            continue;
        }
        text->str[to++] = (char)c;
    }
    g_string_truncate(text, to);
}

/* What a guess must show: one of a few bytes is chance, above all where ASCII is most of the text. */
typedef struct {
    const char *found, *iconv; /* uchardet's name, iconv's */
    gsize least;               /* bytes outside of ASCII */
} known_guess;

static const known_guess guesses[] = {{"GB18030", "GB18030", 4},
                                      {"BIG5", "BIG5-HKSCS", 4},
                                      {"SHIFT_JIS", "CP932", 4},
                                      {"EUC-JP", "EUC-JP", 4},
                                      {"EUC-KR", "CP949", 4},
                                      {"UHC", "CP949", 4},
                                      {"EUC-TW", "EUC-TW", 8},
                                      {"WINDOWS-1251", "CP1251", 8},
                                      {"KOI8-R", "KOI8-R", 8},
                                      {"IBM866", "CP866", 8},
                                      {"ISO-8859-5", "ISO-8859-5", 8},
                                      {"MAC-CYRILLIC", "MAC-CYRILLIC", 8},
                                      {"WINDOWS-1253", "CP1253", 8},
                                      {"ISO-8859-7", "ISO-8859-7", 8},
                                      {"WINDOWS-1255", "CP1255", 8},
                                      {"ISO-8859-8", "CP1255", 8},
                                      {"WINDOWS-1256", "CP1256", 8},
                                      {"ISO-8859-6", "ISO-8859-6", 8},
                                      {"TIS-620", "CP874", 8},
                                      {"WINDOWS-1250", "CP1250", 8},
                                      {"ISO-8859-2", "ISO-8859-2", 8},
                                      {"WINDOWS-1254", "CP1254", 8},
                                      {"ISO-8859-9", "CP1254", 8},
                                      {"WINDOWS-1257", "CP1257", 8},
                                      {"ISO-8859-13", "ISO-8859-13", 8},
                                      {"ISO-8859-4", "ISO-8859-4", 8},
                                      {"WINDOWS-1258", "CP1258", 8}};

/* Are there enough bytes outside of ASCII, and is every one of them a part of a character? */
static gboolean
bears_out(const char *bytes, gsize len, const known_guess *guess)
{
    gsize high = 0;
    for (gsize i = 0; i < len; i++)
        high += (guchar)bytes[i] >= 0x80 ? 1 : 0;
    if (high < guess->least) return FALSE;
    g_autoptr(GError) error = NULL;
    gsize read = 0;
    g_autofree char *text =
        g_convert(bytes, (gssize)len, "UTF-8", guess->iconv, &read, NULL, &error);
    /* the last character of the span may be cut */
    return text != NULL && len - read < 4;
}

/* iconv's name for what the bytes, which are no UTF-8, seem to be written in; NULL: nothing says. */
static const char *
guess_encoding(const char *bytes, gsize len)
{
    len = MIN(len, GUESS_SPAN);
    uchardet_t detector = uchardet_new();
    const char *iconv = NULL;
    if (uchardet_handle_data(detector, bytes, len) == 0) {
        uchardet_data_end(detector);
        const char *found = uchardet_get_charset(detector);
        for (gsize i = 0; i < G_N_ELEMENTS(guesses) && iconv == NULL; i++)
            if (g_ascii_strcasecmp(found, guesses[i].found) == 0 &&
                bears_out(bytes, len, &guesses[i]))
                iconv = guesses[i].iconv;
    }
    uchardet_delete(detector);
    return iconv;
}

static GString *
decode(const char *html, size_t len, const char *charset)
{
    const guchar *b = (const guchar *)html;
    GString *out = NULL;

    if (len >= 3 && b[0] == 0xef && b[1] == 0xbb && b[2] == 0xbf)
        return convert(html + 3, len - 3, "UTF-8");
    if (len >= 2 && b[0] == 0xff && b[1] == 0xfe) return convert(html + 2, len - 2, "UTF-16LE");
    if (len >= 2 && b[0] == 0xfe && b[1] == 0xff) return convert(html + 2, len - 2, "UTF-16BE");
    gboolean valid = g_utf8_validate_len(html, len, NULL);
    g_autofree char *declared = charset ? resolve_label(charset) : NULL;
    if (!declared) {
        g_autofree char *label = find_meta_label(html, len);
        declared = label ? resolve_label(label) : NULL;
        /* we could read the label as ASCII: so it is none of these */
        if (declared && g_str_has_prefix(declared, "utf-16")) g_clear_pointer(&declared, g_free);
    }
    if (declared && !is_utf8_label(declared)) out = convert(html, len, declared);
    if (out) return out;
    if (valid) return g_string_new_len(html, (gssize)len);
    if (declared) return convert(html, len, "UTF-8");
    const char *guess = guess_encoding(html, len);
    return convert(html, len, guess ? guess : "CP1252");
}

GString *
layout_text_to_utf8(const char *bytes, size_t len, const char *charset)
{
    const guchar *b = (const guchar *)bytes;
    const gboolean wide =
        len >= 2 && ((b[0] == 0xff && b[1] == 0xfe) || (b[0] == 0xfe && b[1] == 0xff));
    g_autofree char *copy = NULL;
    if (!wide && memchr(bytes, 0, len)) { /* a stray NUL is no sign of another encoding */
        bytes = copy = g_memdup2(bytes, len);
        for (gsize i = 0; i < len; i++)
            if (copy[i] == '\0') copy[i] = ' ';
    }
    GString *text = decode(bytes, len, charset);
    if (!text) { /* an iconv without these names: keep what is UTF-8 */
        g_autofree char *made = g_utf8_make_valid(bytes, (gssize)len);
        text = g_string_new(made);
    } else if (!g_utf8_validate_len(text->str, text->len, NULL)) {
        g_autofree char *made = g_utf8_make_valid(text->str, (gssize)text->len);
        g_string_assign(text, made);
    }
    return text;
}

GString *
layout_html_to_utf8(const char *html, size_t len, const char *charset)
{
    GString *text = layout_text_to_utf8(html, len, charset);
    drop_forbidden(text);
    g_string_prepend(text, "\xef\xbb\xbf");
    return text;
}

/* libxml2's HTML parser behind limits, and small questions to its tree.
 *
 * The parser is forgiving and never loads anything (NONET, no external entities in HTML). Left alone, two
 * things make it slow beyond use: an attribute list is compared pairwise, and every end tag walks the
 * stack of open elements. So tags with hundreds of attributes are blunted beforehand and nesting is cut
 * while it happens. */
#include "layout/readers/html.h"

#include <libxml/HTMLparser.h>
#include <libxml/SAX2.h>
#include <libxml/xmlversion.h>
#include <string.h>

#define HTML_MAX_BYTES      (8u * 1024 * 1024)
#define HTML_MAX_ATTRIBUTES 256
#define HTML_MAX_DEPTH      256 /* elements deeper than this are flattened into their ancestor */
#define HTML_MAX_ELEMENTS   300000
#define HTML_MAX_OPEN       1000 /* at these reading stops */

static gsize
skip_blanks(const char *s, gsize at, gsize len)
{
    while (at < len && g_ascii_isspace(s[at]))
        at++;
    return at;
}

/* Attributes of the tag whose '<' is at start, as the parser would read them from there; at most one more
 * than the limit. *end: where the count stopped. */
static guint
count_attributes(const char *s, gsize start, gsize len, gsize *end)
{
    guint n = 0;
    gsize at = start + 1;

    while (at < len && !g_ascii_isspace(s[at]) && s[at] != '>' && s[at] != '/')
        at++;
    while (at < len && n <= HTML_MAX_ATTRIBUTES) {
        while (at < len && (g_ascii_isspace(s[at]) || s[at] == '/'))
            at++;
        if (at >= len || s[at] == '>') break;
        gsize before = at;
        while (at < len && !g_ascii_isspace(s[at]) && !strchr("=>/\"'", s[at]))
            at++;
        n++;
        gsize next = skip_blanks(s, at, len);
        if (next < len && s[next] == '=') {
            at = skip_blanks(s, next + 1, len);
            if (at < len && (s[at] == '"' || s[at] == '\'')) {
                const char *close = memchr(s + at + 1, s[at], len - at - 1);
                at = close ? (gsize)(close - s) + 1 : len;
            } else {
                while (at < len && !g_ascii_isspace(s[at]) && s[at] != '>')
                    at++;
            }
        }
        if (at == before) at++;
    }
    *end = at;
    return n;
}

/* Where a tag begins depends on comments, scripts and quotes, about which parsers differ. So every '<' with
 * a letter is taken for one, and made a blank where too many attributes follow: in a script, where "a<b"
 * often looks so, that changes nothing that is read. The work is bounded; a text that exhausts it is no page. */
static gboolean
blunt_long_tags(GString *text)
{
    gsize budget = 64 * text->len + 65536;

    for (gsize i = 0; i + 1 < text->len; i++) {
        if (text->str[i] != '<' || !g_ascii_isalpha(text->str[i + 1])) continue;
        gsize end = i;
        if (count_attributes(text->str, i, text->len, &end) > HTML_MAX_ATTRIBUTES)
            text->str[i] = ' ';
        if (end - i > budget) return FALSE;
        budget -= end - i;
    }
    return TRUE;
}

typedef struct {
    guint n_elements;
    guint n_skipped; /* open elements that are not in the tree */
    gboolean stopped;
} reader;

/* "m:math" of XHTML -> "math" */
static const xmlChar *
without_math_prefix(const xmlChar *name)
{
    static const char *const prefixes[] = {"m:", "mml:", "math:"};
    for (gsize i = 0; i < G_N_ELEMENTS(prefixes); i++)
        if (g_str_has_prefix((const char *)name, prefixes[i])) return name + strlen(prefixes[i]);
    return name;
}

/* Start and end calls nest, so counting those we pass over keeps them in step. */
static void
on_start_element(void *user_data, const xmlChar *name, const xmlChar **attributes)
{
    htmlParserCtxt *context = user_data;
    reader *r = context->_private;

    if (context->nameNr > HTML_MAX_OPEN || ++r->n_elements > HTML_MAX_ELEMENTS) {
        r->stopped = TRUE;
        xmlStopParser(context);
    } else if (context->nodeNr > HTML_MAX_DEPTH || r->n_skipped > 0) {
        r->n_skipped++;
    } else {
        xmlSAX2StartElement(context, without_math_prefix(name), attributes);
    }
}

static void
on_end_element(void *user_data, const xmlChar *name)
{
    htmlParserCtxt *context = user_data;
    reader *r = context->_private;

    if (r->n_skipped > 0)
        r->n_skipped--;
    else
        xmlSAX2EndElement(context, name);
}

xmlDoc *
layout_html_tree_parse(GString *utf8, gboolean *cut, GError **error)
{
    static gsize once = 0;
    if (g_once_init_enter(&once)) {
        xmlInitParser();
        g_once_init_leave(&once, 1);
    }
    *cut = FALSE;
    if (utf8->len > HTML_MAX_BYTES) {
        g_set_error(error, LAYOUT_ERROR, LAYOUT_ERROR_LIMIT, "HTML larger than %u bytes",
                    HTML_MAX_BYTES);
        return NULL;
    }
    if (!blunt_long_tags(utf8)) {
        g_set_error_literal(error, LAYOUT_ERROR, LAYOUT_ERROR_LIMIT,
                            "HTML with too many tags inside of tags");
        return NULL;
    }
    htmlParserCtxt *context = htmlNewParserCtxt();
    if (!context) {
        g_set_error_literal(error, LAYOUT_ERROR, LAYOUT_ERROR_IO, "out of memory");
        return NULL;
    }
    reader r = {0};
    context->_private = &r;
    context->sax->startElement = on_start_element;
    context->sax->endElement = on_end_element;
    /* The text begins with a byte order mark: the parser then reads our memory as it is. Told "UTF-8" it
     * would convert piece by piece. */
    xmlDoc *document =
        htmlCtxtReadMemory(context, utf8->str, (int)utf8->len, NULL, NULL,
                           HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING |
                               HTML_PARSE_NONET | HTML_PARSE_IGNORE_ENC | HTML_PARSE_COMPACT);
    /* a stopped parser hands nothing over but has built all of it up to there */
    if (!document) document = g_steal_pointer(&context->myDoc);
    htmlFreeParserCtxt(context);
    *cut = r.stopped;
    if (!document || !xmlDocGetRootElement(document)) {
        g_clear_pointer(&document, xmlFreeDoc);
        g_set_error_literal(error, LAYOUT_ERROR, LAYOUT_ERROR_FORMAT, "not HTML: no element in it");
    }
    return document;
}

gboolean
layout_html_is(const xmlNode *node, const char *name)
{
    return node && node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0;
}

gboolean
layout_html_is_one_of(const xmlNode *node, const char *list)
{
    char word[24];
    if (!node || node->type != XML_ELEMENT_NODE) return FALSE;
    gsize len = strlen((const char *)node->name);
    if (len + 3 > sizeof word) return FALSE;
    word[0] = ' ';
    memcpy(word + 1, node->name, len);
    word[len + 1] = ' ', word[len + 2] = '\0';
    return strstr(list, word) != NULL;
}

const char *
layout_html_attribute(const xmlNode *node, const char *name)
{
    if (node->type != XML_ELEMENT_NODE) return NULL;
    for (const xmlAttr *a = node->properties; a; a = a->next) {
        if (strcmp((const char *)a->name, name) != 0) continue;
        /* HTML has no entity nodes in values: one text node or none */
        return a->children && a->children->content ? (const char *)a->children->content : "";
    }
    return NULL;
}

/* Characters nobody sees: an honest page loses nothing, a hostile one its hiding place. */
static gboolean
is_invisible(gunichar c)
{
    return c == 0xad || c == 0x34f || c == 0x61c || c == 0x180e || (c >= 0x200b && c <= 0x200f) ||
           (c >= 0x202a && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
           (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe0fff);
}

/* Marks on one letter that are kept, as in the Stream-Safe Text Format of UAX #15: normalisation sorts
 * them, in time that grows with the square of their number. */
#define MARKS_MAX 30

static gboolean
is_mark(gunichar c)
{
    return c >= 0x300 && g_unichar_combining_class(c) != 0;
}

/* Does text end in as many marks as there may be? */
static gboolean
is_full_of_marks(const char *start, const char *end)
{
    for (guint n = 0; n < MARKS_MAX; n++) {
        const char *before = g_utf8_find_prev_char(start, end);
        if (!before || !is_mark(g_utf8_get_char(before))) return FALSE;
        end = before;
    }
    return TRUE;
}

gsize
layout_html_append_collapsed(GString *out, const char *text)
{
    gsize before = out->len;
    for (const char *p = text; *p; p = g_utf8_next_char(p)) {
        if ((guchar)*p < 0x80 && !g_ascii_isspace(*p)) {
            g_string_append_c(out, *p);
            continue;
        }
        gunichar c = g_utf8_get_char(p);
        if (is_invisible(c)) {
            /* joiners shape Persian and Indic words and emoji: keep them between non-ASCII characters */
            if ((c == 0x200c || c == 0x200d) && out->len > before &&
                (guchar)out->str[out->len - 1] >= 0x80 && (guchar)*g_utf8_next_char(p) >= 0x80)
                g_string_append_unichar(out, c);
            continue;
        }
        if (g_unichar_isspace(c) || c == 0x85) {
            if (out->len > 0 && out->str[out->len - 1] != ' ') g_string_append_c(out, ' ');
            continue;
        }
        if (is_mark(c) && is_full_of_marks(out->str, out->str + out->len)) continue;
        g_string_append_len(out, p, g_utf8_next_char(p) - p);
    }
    return out->len - before;
}

static void
flush_normalized(GString *out, GString *piece)
{
    g_autofree char *normal = g_utf8_normalize(piece->str, (gssize)piece->len, G_NORMALIZE_NFC);
    g_string_append(out, normal ? normal : piece->str);
    g_string_truncate(piece, 0);
}

/* In pieces: g_utf8_normalize moves all that follows for every letter it composes. A piece ends before a
 * character that composes with nothing in front of it (ASCII, CJK and Hangul syllables). */
char *
layout_html_normalize(const char *text)
{
    gsize ascii = 0, len = strlen(text);
    while (ascii < len && (guchar)text[ascii] < 0x80)
        ascii++;
    if (ascii == len) return g_strdup(text);

    GString *out = g_string_sized_new(len);
    g_autoptr(GString) piece = g_string_sized_new(8192);
    for (const char *p = text; *p; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        gboolean mark = is_mark(c), apart = c < 0x80 || (c >= 0x2e80 && c <= 0xd7a3 && !mark);
        if ((piece->len >= 1024 && apart) || (piece->len >= 8192 && !mark))
            flush_normalized(out, piece);
        if (!mark || !is_full_of_marks(piece->str, piece->str + piece->len))
            g_string_append_len(piece, p, g_utf8_next_char(p) - p);
    }
    flush_normalized(out, piece);
    return g_string_free(out, FALSE);
}

/* The tree's depth is limited, hence this recursion is. */
static void
gather_text(GString *out, const xmlNode *node)
{
    for (const xmlNode *n = node->children; n; n = n->next) {
        if (n->type == XML_TEXT_NODE || n->type == XML_CDATA_SECTION_NODE) {
            if (n->content) layout_html_append_collapsed(out, (const char *)n->content);
        } else if (n->type == XML_ELEMENT_NODE) {
            if (layout_html_is_one_of(n,
                                      " script style template noscript annotation annotation-xml "))
                continue;
            gather_text(out, n);
            if (layout_html_is_one_of(n, " br p div li td th tr ") && out->len > 0 &&
                out->str[out->len - 1] != ' ')
                g_string_append_c(out, ' ');
        }
    }
}

static char *
finish_text(GString *text)
{
    g_autofree char *raw = g_string_free(text, FALSE);
    return layout_html_normalize(g_strstrip(raw));
}

char *
layout_html_text(const xmlNode *node)
{
    GString *out = g_string_new(NULL);
    if (node->type == XML_TEXT_NODE && node->content)
        layout_html_append_collapsed(out, (const char *)node->content);
    gather_text(out, node);
    return finish_text(out);
}

char *
layout_html_clean(const char *text)
{
    if (!text) return NULL;
    GString *out = g_string_new(NULL);
    layout_html_append_collapsed(out, text);
    char *clean = finish_text(out);
    if (*clean) return clean;
    g_free(clean);
    return NULL;
}

const char *
layout_libxml_version(void)
{
    return LIBXML_DOTTED_VERSION;
}

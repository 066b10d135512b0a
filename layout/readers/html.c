/* A page of HTML as a lode_document: decode, parse, find the main text, write its blocks.
 *
 * The document has one page of nominal size and no boxes: a web page has no places on paper. */
#include "layout/readers/html.h"
#include "layout/readers/package.h"

#include <string.h>

/* Last part of the URL's path, else its host: what a file name is to a file. */
static char *
source_name(const char *url)
{
    g_autoptr(GUri) uri = url ? g_uri_parse(url, G_URI_FLAGS_PARSE_RELAXED, NULL) : NULL;
    if (!uri) return g_strdup("page.html");
    g_autofree char *path = g_strdup(g_uri_get_path(uri));
    gsize len = strlen(path);
    while (len > 0 && path[len - 1] == '/')
        path[--len] = '\0';
    const char *name = strrchr(path, '/');
    name = name ? name + 1 : path;
    if (!*name) name = g_uri_get_host(uri);
    return g_utf8_make_valid(name && *name ? name : "page.html", -1);
}

/* Bytes that are something else, though the server may have said text/html. */
static gboolean
check_is_html(const char *html, size_t len, GError **error)
{
    static const struct {
        const char *magic, *what;
    } others[] = {
        {"%PDF-", "a PDF"},    {"\x89PNG", "a picture"},        {"\xff\xd8\xff", "a picture"},
        {"GIF8", "a picture"}, {"PK\x03\x04", "a ZIP archive"}, {"\x1f\x8b", "compressed data"}};

    for (gsize i = 0; i < G_N_ELEMENTS(others); i++) {
        size_t n = strlen(others[i].magic);
        if (len < n || memcmp(html, others[i].magic, n) != 0) continue;
        g_set_error(error, LAYOUT_ERROR, LAYOUT_ERROR_FORMAT, "not HTML: %s", others[i].what);
        return FALSE;
    }
    if (len > 0 && memchr(html, '<', len)) return TRUE;
    g_set_error_literal(error, LAYOUT_ERROR, LAYOUT_ERROR_FORMAT, "not HTML: no element in it");
    return FALSE;
}

static char *
arxiv_of_url(const char *url)
{
    static const char *const paths[] = {"://arxiv.org/abs/", "://arxiv.org/html/",
                                        "://www.arxiv.org/abs/"};
    for (gsize i = 0; url && i < G_N_ELEMENTS(paths); i++) {
        const char *at = strstr(url, paths[i]);
        if (!at) continue;
        at += strlen(paths[i]);
        gsize n = strspn(at, "0123456789.abcdefghijklmnopqrstuvwxyz-/");
        if (n > 5 && n < 40) return g_strndup(at, n);
    }
    return NULL;
}

void
layout_html_meta_write(layout_builder *builder, const layout_html_meta *meta)
{
    layout_metadata *to = layout_builder_meta(builder);
    to->title = layout_builder_copy(builder, meta->title, -1);
    to->abstract = layout_builder_copy(builder, meta->abstract, -1);
    to->doi = layout_builder_copy(builder, meta->doi, -1);
    to->arxiv = layout_builder_copy(builder, meta->arxiv, -1);
    to->language = layout_builder_copy(builder, meta->language, -1);
    to->year = layout_builder_copy(builder, meta->year, -1);
    to->producer = layout_builder_copy(builder, meta->generator, -1);
    layout_builder_set_authors(builder, (const char *const *)(gpointer)meta->authors->pdata,
                               meta->authors->len);
}

typedef struct {
    const xmlNode *first; /* h1 */
    guint n;
    const char *title;
    char *start_of_title; /* a heading of the first ranks that the title begins with */
} heading_search;

/* Does title go on after text with a bar: "text - Site"? */
static gboolean
begins_title(const char *title, const char *text)
{
    static const char *const bars[] = {
        " | ", " - ", " :: ", " \342\200\223 ", " \342\200\224 ", " \302\267 ", " \302\273 ", "_"};
    gsize len = strlen(text);
    if (len < 3 || !g_str_has_prefix(title, text)) return FALSE;
    for (gsize i = 0; i < G_N_ELEMENTS(bars); i++)
        if (g_str_has_prefix(title + len, bars[i])) return TRUE;
    return FALSE;
}

static void
find_headings(heading_search *s, const xmlNode *node)
{
    for (const xmlNode *n = node->children; n; n = n->next) {
        if (n->type != XML_ELEMENT_NODE) continue;
        if (!layout_html_is_one_of(n, " h1 h2 h3 ")) {
            find_headings(s, n);
            continue;
        }
        g_autofree char *text = layout_html_text(n);
        if (layout_html_is(n, "h1") && g_utf8_strlen(text, -1) >= 3) {
            if (!s->first) s->first = n;
            s->n++;
        }
        if (!s->start_of_title && s->title && begins_title(s->title, text))
            s->start_of_title = g_steal_pointer(&text);
    }
}

/* <title> is written for the tab. A heading it begins with, else the only h1 of the main text, or of the
 * page where it has no title, says it without the site's name. */
static void
prefer_heading(layout_html_meta *meta, const xmlNode *main_node)
{
    heading_search inner = {.title = meta->title}, outer = {.title = meta->title};
    const xmlNode *root = xmlDocGetRootElement(main_node->doc);
    char *better = NULL;

    find_headings(&inner, main_node);
    find_headings(&outer, root);
    if (outer.start_of_title)
        better = g_strdup(outer.start_of_title);
    else if (inner.n == 1)
        better = layout_html_text(inner.first);
    else if (!meta->title && outer.n == 1)
        better = layout_html_text(outer.first);
    g_free(inner.start_of_title);
    g_free(outer.start_of_title);
    if (!better) return;
    g_free(meta->title);
    meta->title = better;
}

/* One page of HTML into builder: file NULL: its main text, else all of it. */
static gboolean
read_page(const char *html, size_t len, const char *charset, const char *url,
          const layout_html_emission *file, layout_builder *builder, GError **error)
{
    if (!check_is_html(html, len, error)) return FALSE;
    GString *text = layout_html_to_utf8(html, len, charset);
    gboolean cut = FALSE;
    xmlDoc *tree = layout_html_tree_parse(text, &cut, error);
    g_string_free(text, TRUE);
    if (!tree) return FALSE;

    layout_html_meta meta = {0};
    layout_html_meta_read(tree, &meta);
    const xmlNode *main_node = file ? layout_html_whole(tree) : layout_html_main_find(tree);
    prefer_heading(&meta, main_node);
    layout_reader_add_page(builder);
    if (cut)
        layout_builder_add_warning(builder, LAYOUT_NONE,
                                   "absurdly many or deep elements: the rest was not read");
    layout_html_emission how = file ? *file : (layout_html_emission){.base_url = url};
    how.title = meta.title, how.body = meta.article_body;
    gsize chars = layout_html_blocks_emit(builder, main_node, &how);
    if (!meta.arxiv) meta.arxiv = arxiv_of_url(url);
    layout_html_meta_write(builder, &meta);
    layout_html_meta_clear(&meta);
    xmlFreeDoc(tree);
    if (chars > 0) return TRUE;
    g_set_error_literal(error, LAYOUT_ERROR, LAYOUT_ERROR_FORMAT, "nothing readable in this page");
    return FALSE;
}

lode_document *
layout_document_from_html(const char *html, size_t len, const char *charset, const char *url,
                          GError **error)
{
    g_autoptr(layout_builder) builder = layout_builder_new();
    if (!read_page(html, len, charset, url, NULL, builder, error)) return NULL;
    layout_metadata *meta = layout_builder_meta(builder);
    g_autofree char *name = source_name(url);
    g_autofree char *sum =
        g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)html, len);
    meta->source_name = layout_builder_copy(builder, name, -1);
    meta->source_sha256 = layout_builder_copy(builder, sum, -1);
    meta->format = layout_builder_copy(builder, "HTML", -1);
    return layout_builder_finish(g_steal_pointer(&builder));
}

/* ---- files ---- */

#define MAX_PICTURE ((gsize)64 << 20)

typedef struct {
    const layout_source *source;
    layout_package *package; /* of pictures alone */
    GHashTable *pictures;
} saved_page;

GBytes *
layout_html_data_uri(const char *src)
{
    const char *comma = strchr(src, ',');
    if (!g_str_has_prefix(src, "data:image/") || !comma || strlen(comma) > MAX_PICTURE) return NULL;
    if (!g_strstr_len(src, comma - src, ";base64")) return NULL;
    gsize len = 0;
    guchar *data = g_base64_decode(comma + 1, &len);
    return g_bytes_new_take(data, len);
}

/* Beside the file and nowhere else: a page is not to tell anyone that it is read, nor to show other files. */
static const char *
find_picture(const char *src, void *user_data)
{
    saved_page *page = user_data;
    if (g_str_has_prefix(src, "data:")) {
        g_autoptr(GBytes) inside = layout_html_data_uri(src);
        return inside ? layout_package_picture_of(page->package, src, inside, page->pictures)
                      : NULL;
    }
    if (strstr(src, "://") || src[0] == '/' || strlen(src) > 4096) return NULL;
    g_autofree char *path = g_strndup(src, strcspn(src, "?#"));
    g_autofree char *plain = g_uri_unescape_string(path, NULL);
    g_autoptr(GBytes) bytes =
        plain ? layout_source_beside(page->source, plain, MAX_PICTURE, NULL) : NULL;
    return bytes ? layout_package_picture_of(page->package, plain, bytes, page->pictures) : NULL;
}

layout_sniff
layout_html_sniff(const layout_source *source)
{
    static const char *const tags[] = {"<!doctype html", "<html"}, *const parts[] = {
                                                                       "<head", "<body",  "<title",
                                                                       "<meta", "<p>",    "<div",
                                                                       "<h1",   "<table", "<!--"};
    g_autofree char *head = layout_source_head(source);
    g_autofree char *low = head ? g_ascii_strdown(head, -1) : NULL;
    if (!low) return LAYOUT_SNIFF_NO;
    const char *at = low + strspn(low, " \t\r\n\f");
    for (gsize i = 0; i < G_N_ELEMENTS(tags); i++)
        if (g_str_has_prefix(at, tags[i])) return LAYOUT_SNIFF_SURE;
    g_autofree char *root = layout_source_xml_root(source, NULL);
    if (root && g_ascii_strcasecmp(root, "html") == 0) return LAYOUT_SNIFF_SURE;
    if (!layout_source_has_extension(source, " html htm xhtml xht ")) return LAYOUT_SNIFF_NO;
    for (gsize i = 0; i < G_N_ELEMENTS(parts); i++)
        if (strstr(low, parts[i])) return LAYOUT_SNIFF_LIKELY;
    return LAYOUT_SNIFF_NO;
}

gboolean
layout_html_read(const layout_source *source, const layout_options *options,
                 layout_builder *builder, GHashTable *pictures, GError **error)
{
    g_autoptr(layout_package) package = layout_package_new();
    saved_page page = {source, package, pictures};
    const layout_html_emission how = {.picture = find_picture, .user_data = &page};
    (void)options;
    return read_page((const char *)source->data, source->len, NULL, NULL, &how, builder, error);
}

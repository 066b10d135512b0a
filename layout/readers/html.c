/* A page of HTML as a lode_document: decode, parse, find the main text, write its blocks.
 *
 * The document has one page of nominal size and no boxes: a web page has no places on paper. */
#include "layout/readers/html.h"

#include <string.h>

#define PAGE_WIDTH_PT  612
#define PAGE_HEIGHT_PT 792

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

static void
fill_metadata(layout_builder *builder, layout_html_meta *meta, const char *html, size_t len,
              const char *url)
{
    layout_metadata *to = layout_builder_meta(builder);
    g_autofree char *name = source_name(url);
    g_autofree char *sum =
        g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)html, len);

    if (!meta->arxiv) meta->arxiv = arxiv_of_url(url);
    to->source_name = layout_builder_copy(builder, name, -1);
    to->source_sha256 = layout_builder_copy(builder, sum, -1);
    to->format = layout_builder_copy(builder, "HTML", -1);
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

lode_document *
layout_document_from_html(const char *html, size_t len, const char *charset, const char *url,
                          GError **error)
{
    if (!check_is_html(html, len, error)) return NULL;
    GString *text = layout_html_to_utf8(html, len, charset);
    gboolean cut = FALSE;
    xmlDoc *tree = layout_html_tree_parse(text, &cut, error);
    g_string_free(text, TRUE);
    if (!tree) return NULL;

    layout_html_meta meta = {0};
    layout_html_meta_read(tree, &meta);
    const xmlNode *main_node = layout_html_main_find(tree);
    prefer_heading(&meta, main_node);
    g_autoptr(layout_builder) builder = layout_builder_new();
    layout_page page = {
        .width_pt = PAGE_WIDTH_PT, .height_pt = PAGE_HEIGHT_PT, .source = LAYOUT_TEXT_NATIVE};
    layout_builder_add_page(builder, &page);
    if (cut)
        layout_builder_add_warning(builder, LAYOUT_NONE,
                                   "absurdly many or deep elements: the rest was not read");
    gsize chars = layout_html_blocks_emit(builder, main_node, &meta, url);
    fill_metadata(builder, &meta, html, len, url);
    layout_html_meta_clear(&meta);
    xmlFreeDoc(tree);
    if (chars == 0) {
        g_set_error_literal(error, LAYOUT_ERROR, LAYOUT_ERROR_FORMAT,
                            "nothing readable in this page");
        return NULL;
    }
    return layout_builder_finish(g_steal_pointer(&builder));
}

/* EPUB 2 and 3 (IDPF/W3C EPUB 3.3; OCF, OPF): chapters in the order of the spine, each read as HTML.
 *
 * How deep a chapter's headings stand the table of contents says (nav, else ncx): a chapter that it lists below another
 * begins one level lower; a chapter without a heading of its own gets its entry's. The cover, the contents themselves
 * and what is not linear are left out. */
#include "layout/readers/html.h"
#include "layout/readers/package.h"
#include "layout/readers/xml.h"

#include <string.h>

#define MAX_CHAPTERS 5000
#define MAX_DEPTH    32

typedef struct {
    char *title;
    int depth; /* 1.. */
} toc_entry;

typedef struct {
    char *part, *type, *properties;
} manifest_item;

typedef struct {
    layout_package *package;
    layout_builder *builder;
    GHashTable *pictures;
    GHashTable *manifest; /* id -> manifest_item */
    GHashTable *toc;      /* part -> toc_entry */
    const char *chapter;  /* part being read */
    int depth;            /* of the last chapter that the contents list */
    gsize chars;
} book;

static void
entry_free(gpointer data)
{
    toc_entry *entry = data;
    g_free(entry->title);
    g_free(entry);
}

static void
item_free(gpointer data)
{
    manifest_item *item = data;
    g_free(item->part);
    g_free(item->type);
    g_free(item->properties);
    g_free(item);
}

static const char *
attribute(const xmlNode *node, const char *name)
{
    const char *value = node != NULL ? layout_html_attribute(node, name) : NULL;
    return value != NULL ? value : "";
}

static gboolean
has_word(const char *list, const char *word)
{
    g_auto(GStrv) words = g_strsplit_set(list, " \t\r\n", -1);
    return g_strv_contains((const char *const *)words, word);
}

/* ---- the package file ---- */

static char *
find_package(const layout_package *package, GError **error)
{
    xmlDoc *tree = layout_package_xml(package, "META-INF/container.xml", error);
    if (tree == NULL) return NULL;
    const xmlNode *root = layout_xml_find(xmlDocGetRootElement(tree), "rootfile");
    char *path = layout_package_resolve("", attribute(root, "full-path"));
    xmlFreeDoc(tree);
    if (path != NULL && *path != '\0') return path;
    g_free(path);
    g_set_error_literal(error, LAYOUT_ERROR, LAYOUT_ERROR_FORMAT,
                        "an EPUB whose container names no package");
    return NULL;
}

/* Fonts may be encrypted without harm; text is what a shop locked. */
static gboolean
is_locked(const layout_package *package)
{
    xmlDoc *tree = layout_package_xml(package, "META-INF/encryption.xml", NULL);
    const xmlNode *root = tree != NULL ? xmlDocGetRootElement(tree) : NULL;
    gboolean locked = FALSE;
    for (const xmlNode *n = root != NULL ? root->children : NULL; n != NULL; n = n->next) {
        const xmlNode *reference =
            layout_html_is(n, "EncryptedData") ? layout_xml_find(n, "CipherReference") : NULL;
        const char *uri = attribute(reference, "URI");
        if (g_str_has_suffix(uri, ".xhtml") || g_str_has_suffix(uri, ".html") ||
            g_str_has_suffix(uri, ".htm"))
            locked = TRUE;
    }
    if (tree != NULL) xmlFreeDoc(tree);
    return locked;
}

static void
read_manifest(book *b, const xmlNode *manifest, const char *opf)
{
    for (const xmlNode *n = manifest != NULL ? manifest->children : NULL; n != NULL; n = n->next) {
        if (!layout_html_is(n, "item")) continue;
        char *part = layout_package_resolve(opf, attribute(n, "href"));
        if (part == NULL) continue;
        manifest_item *item = g_new0(manifest_item, 1);
        *item = (manifest_item){part, g_strdup(attribute(n, "media-type")),
                                g_strdup(attribute(n, "properties"))};
        g_hash_table_insert(b->manifest, g_strdup(attribute(n, "id")), item);
    }
}

static void
read_metadata(book *b, const xmlNode *metadata)
{
    layout_metadata *meta = layout_builder_meta(b->builder);
    g_autoptr(GPtrArray) authors = g_ptr_array_new_with_free_func(g_free);
    for (const xmlNode *n = metadata != NULL ? metadata->children : NULL; n != NULL; n = n->next) {
        if (n->type != XML_ELEMENT_NODE) continue;
        g_autofree char *text = layout_html_text(n);
        if (*text == '\0') continue;
        if (layout_html_is(n, "title") && meta->title == NULL) {
            meta->title = layout_builder_copy(b->builder, text, -1);
        } else if (layout_html_is(n, "creator") && authors->len < 1000) {
            g_ptr_array_add(authors, g_steal_pointer(&text));
        } else if (layout_html_is(n, "language") && meta->language == NULL) {
            g_autofree char *language = layout_language_of(text);
            meta->language = layout_builder_copy(b->builder, language, -1);
        } else if (layout_html_is(n, "date") && meta->year == NULL) {
            g_autofree char *year = layout_year_of(text);
            meta->year = layout_builder_copy(b->builder, year, -1);
        } else if (layout_html_is(n, "identifier") && meta->doi == NULL) {
            const char *doi = strstr(text, "10.");
            if (doi != NULL && strchr(doi, '/') != NULL && strstr(text, "doi") != NULL)
                meta->doi = layout_builder_copy(b->builder, doi, -1);
        }
    }
    layout_builder_set_authors(b->builder, (const char *const *)(gpointer)authors->pdata,
                               authors->len);
}

/* ---- contents ---- */

static void
take_entry(book *b, const char *from, const char *href, const char *title, int depth)
{
    g_autofree char *part = layout_package_resolve(from, href);
    if (part == NULL || g_hash_table_contains(b->toc, part))
        return; /* the first entry is the file's own */
    toc_entry *entry = g_new0(toc_entry, 1);
    *entry = (toc_entry){g_strdup(title), depth};
    g_hash_table_insert(b->toc, g_steal_pointer(&part), entry);
}

static void
read_nav(book *b, const char *from, const xmlNode *list, int depth)
{
    for (const xmlNode *n = depth < MAX_DEPTH ? list->children : NULL; n != NULL; n = n->next) {
        if (layout_html_is(n, "a")) {
            g_autofree char *title = layout_html_text(n);
            take_entry(b, from, attribute(n, "href"), title, MAX(depth, 1));
        } else if (n->type == XML_ELEMENT_NODE) {
            read_nav(b, from, n, depth + (layout_html_is(n, "ol") ? 1 : 0));
        }
    }
}

static void
read_ncx(book *b, const char *from, const xmlNode *points, int depth)
{
    for (const xmlNode *n = depth < MAX_DEPTH ? points->children : NULL; n != NULL; n = n->next) {
        if (!layout_html_is(n, "navPoint")) continue;
        g_autofree char *title = layout_xml_clean_text(layout_xml_child(n, "navLabel"));
        take_entry(b, from, attribute(layout_xml_child(n, "content"), "src"), title, depth);
        read_ncx(b, from, n, depth + 1);
    }
}

static const xmlNode *
find_nav(const xmlNode *node, guint depth)
{
    for (const xmlNode *n = depth < 200 ? node->children : NULL; n != NULL; n = n->next) {
        if (n->type != XML_ELEMENT_NODE) continue;
        if (layout_html_is(n, "nav") &&
            (has_word(attribute(n, "epub:type"), "toc") || has_word(attribute(n, "type"), "toc")))
            return n;
        const xmlNode *found = find_nav(n, depth + 1);
        if (found != NULL) return found;
    }
    return NULL;
}

static xmlDoc *
read_html(const book *b, const char *part)
{
    GBytes *bytes = layout_package_part(b->package, part);
    gsize len = 0;
    gboolean cut = FALSE;
    const char *data = bytes != NULL ? g_bytes_get_data(bytes, &len) : NULL;
    if (data == NULL) return NULL;
    GString *text = layout_html_to_utf8(data, len, NULL);
    xmlDoc *tree = layout_html_tree_parse(text, &cut, NULL);
    g_string_free(text, TRUE);
    return tree;
}

static void
read_contents(book *b)
{
    GHashTableIter iter;
    gpointer value;
    const manifest_item *nav = NULL, *ncx = NULL;
    g_hash_table_iter_init(&iter, b->manifest);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const manifest_item *item = value;
        if (has_word(item->properties, "nav") && (nav == NULL || strcmp(item->part, nav->part) < 0))
            nav = item;
        if (strcmp(item->type, "application/x-dtbncx+xml") == 0 &&
            (ncx == NULL || strcmp(item->part, ncx->part) < 0))
            ncx = item;
    }
    xmlDoc *tree = nav != NULL ? read_html(b, nav->part) : NULL;
    const xmlNode *list = tree != NULL ? find_nav((const xmlNode *)tree, 0) : NULL;
    if (list != NULL) read_nav(b, nav->part, list, 0);
    if (tree != NULL) xmlFreeDoc(tree);
    if (g_hash_table_size(b->toc) > 0 || ncx == NULL) return;
    tree = layout_package_xml(b->package, ncx->part, NULL);
    const xmlNode *map =
        tree != NULL ? layout_xml_child(xmlDocGetRootElement(tree), "navMap") : NULL;
    if (map != NULL) read_ncx(b, ncx->part, map, 1);
    if (tree != NULL) xmlFreeDoc(tree);
}

/* ---- chapters ---- */

static const char *
find_picture(const char *src, void *user_data)
{
    book *b = user_data;
    if (g_str_has_prefix(src, "data:")) {
        g_autoptr(GBytes) inside = layout_html_data_uri(src);
        return inside != NULL ? layout_package_picture_of(b->package, src, inside, b->pictures)
                              : NULL;
    }
    if (strstr(src, "://") != NULL) return NULL;
    g_autofree char *part = layout_package_resolve(b->chapter, src);
    return part != NULL && layout_package_part(b->package, part) != NULL
               ? layout_package_picture(b->package, part, b->pictures)
               : NULL;
}

static gboolean
is_cover(const manifest_item *item, const char *id, const xmlNode *body)
{
    g_autofree char *name = g_path_get_basename(item->part), *low = g_ascii_strdown(name, -1);
    g_autofree char *text = layout_html_text(body);
    const gboolean called =
        strstr(low, "cover") != NULL || g_ascii_strncasecmp(id, "cover", 5) == 0;
    return called && g_utf8_strlen(text, -1) < 100;
}

static gboolean
has_heading(const xmlNode *node, guint depth)
{
    for (const xmlNode *n = depth < 300 ? node->children : NULL; n != NULL; n = n->next)
        if (n->type == XML_ELEMENT_NODE &&
            (layout_html_is_one_of(n, " h1 h2 h3 h4 h5 h6 ") || has_heading(n, depth + 1)))
            return TRUE;
    return FALSE;
}

static void
put_heading(book *b, const toc_entry *entry)
{
    if (entry == NULL || *entry->title == '\0') return;
    const layout_block heading = {.type = LAYOUT_BLOCK_HEADING,
                                  .level = entry->depth,
                                  .text = entry->title,
                                  .text_len = (uint32_t)strlen(entry->title),
                                  .parent = LAYOUT_NONE,
                                  .item = LAYOUT_NONE,
                                  .confidence = 1};
    layout_builder_add_block(b->builder, &heading, NULL, 0, NULL, 0, NULL, 0);
}

static void
put_chapter(book *b, const manifest_item *item, const char *id)
{
    xmlDoc *tree = read_html(b, item->part);
    if (tree == NULL) {
        g_autofree char *message = g_strdup_printf("%s cannot be read", item->part);
        layout_builder_add_warning(b->builder, LAYOUT_NONE, message);
        return;
    }
    const xmlNode *body = layout_html_whole(tree);
    g_autofree char *text = layout_html_text(body);
    if (!is_cover(item, id, body)) {
        const toc_entry *entry = g_hash_table_lookup(b->toc, item->part);
        if (entry != NULL) b->depth = entry->depth;
        b->chapter = item->part;
        const layout_html_emission how = {
            .level = MAX(b->depth, 1) - 1, .picture = find_picture, .user_data = b};
        if (*text != '\0' && !has_heading(body, 0)) put_heading(b, entry);
        b->chars += layout_html_blocks_emit(b->builder, body, &how);
    }
    xmlFreeDoc(tree);
}

static void
put_title(book *b)
{
    const layout_metadata *meta = layout_builder_meta(b->builder);
    if (meta->title == NULL) return;
    const layout_block title = {.type = LAYOUT_BLOCK_TITLE,
                                .text = meta->title,
                                .text_len = (uint32_t)strlen(meta->title),
                                .parent = LAYOUT_NONE,
                                .item = LAYOUT_NONE,
                                .confidence = 1};
    layout_builder_add_block(b->builder, &title, NULL, 0, NULL, 0, NULL, 0);
}

static void
put_spine(book *b, const xmlNode *spine, const layout_options *options)
{
    guint n = 0;
    for (const xmlNode *s = spine != NULL ? spine->children : NULL; s != NULL && n < MAX_CHAPTERS;
         s = s->next) {
        const char *id = layout_html_is(s, "itemref") ? attribute(s, "idref") : "";
        const manifest_item *item = g_hash_table_lookup(b->manifest, id);
        if (item == NULL || strcmp(attribute(s, "linear"), "no") == 0 ||
            has_word(item->properties, "nav"))
            continue;
        if (strcmp(item->type, "application/xhtml+xml") != 0 &&
            strcmp(item->type, "text/html") != 0)
            continue;
        put_chapter(b, item, id);
        n++;
        if (options != NULL && options->cancel != NULL &&
            __atomic_load_n(options->cancel, __ATOMIC_RELAXED) != 0)
            return;
    }
}

layout_sniff
layout_epub_sniff(const layout_source *source)
{
    if (layout_source_zip_mimetype(source, "application/epub+zip")) return LAYOUT_SNIFF_SURE;
    return layout_source_zip_lists(source, "META-INF/container.xml") ? LAYOUT_SNIFF_LIKELY
                                                                     : LAYOUT_SNIFF_NO;
}

static gboolean
read_book(book *b, const layout_options *options, GError **error)
{
    g_autofree char *opf = find_package(b->package, error);
    xmlDoc *tree = opf != NULL ? layout_package_xml(b->package, opf, error) : NULL;
    if (tree == NULL) return FALSE;
    const xmlNode *root = xmlDocGetRootElement(tree);
    layout_reader_add_page(b->builder);
    read_metadata(b, layout_xml_child(root, "metadata"));
    read_manifest(b, layout_xml_child(root, "manifest"), opf);
    read_contents(b);
    put_title(b);
    put_spine(b, layout_xml_child(root, "spine"), options);
    xmlFreeDoc(tree);
    layout_package_warn(b->package, b->builder);
    if (b->chars > 0) return TRUE;
    g_set_error_literal(error, LAYOUT_ERROR, LAYOUT_ERROR_FORMAT, "an EPUB without any text");
    return FALSE;
}

gboolean
layout_epub_read(const layout_source *source, const layout_options *options,
                 layout_builder *builder, GHashTable *pictures, GError **error)
{
    g_autoptr(layout_package) package = layout_package_open(source, error);
    if (package == NULL) return FALSE;
    if (is_locked(package)) {
        g_set_error_literal(error, LAYOUT_ERROR, LAYOUT_ERROR_PASSWORD,
                            "its text is encrypted (DRM)");
        return FALSE;
    }
    book b = {.package = package,
              .builder = builder,
              .pictures = pictures,
              .manifest = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, item_free),
              .toc = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, entry_free)};
    const gboolean ok = read_book(&b, options, error);
    g_hash_table_unref(b.manifest);
    g_hash_table_unref(b.toc);
    return ok;
}

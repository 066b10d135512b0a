/* ZIP containers behind limits, their XML, relationships and pictures.
 *
 * A part is unpacked by libarchive, which believes the archive's sizes as little as we do: bytes are counted as they
 * come. XML is read by libxml2 without network, DTDs or entities of the document's own. */
#include "layout/readers/package.h"
#include "layout/readers/html.h"
#include "layout/readers/metafile.h"
#include "layout/readers/xml.h"

#include <archive.h>
#include <archive_entry.h>
#include <string.h>

#define MAX_PARTS     20000
#define MAX_TOTAL     ((gsize)512 << 20)
#define MAX_PART      ((gsize)256 << 20)
#define MAX_XML       ((gsize)128 << 20)
#define FREE_BYTES    ((gsize)64 << 20) /* below that any ratio will do */
#define MAX_RATIO     200
#define MAX_RELATIONS 100000

struct layout_package {
    GHashTable *parts;    /* lower-case name -> GBytes */
    GHashTable *pictures; /* part or key -> image name, "" for what is not shown */
    GHashTable *words;    /* part or key -> what stands in a metafile */
    guint n_pictures, n_unshown;
    gboolean cut;
};

static char *
fold(const char *name)
{
    while (*name == '/')
        name++;
    return g_ascii_strdown(name, -1);
}

/* ---- unpacking ---- */

static gboolean
over_limit(GError **error, const char *what)
{
    g_set_error(error, LAYOUT_ERROR, LAYOUT_ERROR_LIMIT, "%s", what);
    return FALSE;
}

static gboolean
take_entry(layout_package *package, struct archive *zip, const char *name, gsize source_len,
           gsize *total, GError **error)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    const void *data;
    size_t len;
    la_int64_t offset;
    int status;

    while ((status = archive_read_data_block(zip, &data, &len, &offset)) == ARCHIVE_OK) {
        if (len > MAX_PART - bytes->len)
            return over_limit(error, "a part of it is larger than 256 MiB");
        if (len > MAX_TOTAL - *total) return over_limit(error, "unpacks to more than 512 MiB");
        *total += len;
        if (*total > FREE_BYTES && *total / MAX_RATIO > source_len)
            return over_limit(error, "unpacks to more than 200 times its size");
        g_byte_array_append(bytes, data, (guint)len);
    }
    if (status != ARCHIVE_EOF) package->cut = TRUE;
    char *key = fold(name);
    if (g_hash_table_contains(package->parts, key)) {
        g_free(key); /* the first one counts, as for other readers of ZIP */
        return TRUE;
    }
    g_hash_table_insert(package->parts, key, g_byte_array_free_to_bytes(g_steal_pointer(&bytes)));
    return TRUE;
}

static gboolean
take_all(layout_package *package, struct archive *zip, gsize source_len, GError **error)
{
    struct archive_entry *entry;
    gsize total = 0;
    guint n = 0;
    for (;;) {
        const int status = archive_read_next_header(zip, &entry);
        if (status == ARCHIVE_EOF) return TRUE;
        if (status < ARCHIVE_WARN) {
            package->cut = TRUE;
            return TRUE;
        }
        if (++n > MAX_PARTS) return over_limit(error, "has more than 20000 parts");
        const char *name = archive_entry_pathname_utf8(entry);
        if (name == NULL) name = archive_entry_pathname(entry);
        if (name == NULL || archive_entry_filetype(entry) == AE_IFDIR) continue;
        if (archive_entry_is_data_encrypted(entry)) {
            g_set_error_literal(error, LAYOUT_ERROR, LAYOUT_ERROR_PASSWORD,
                                "its parts are encrypted");
            return FALSE;
        }
        if (!take_entry(package, zip, name, source_len, &total, error)) return FALSE;
    }
}

layout_package *
layout_package_new(void)
{
    layout_package *package = g_new0(layout_package, 1);
    package->parts =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_bytes_unref);
    package->pictures = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    package->words = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return package;
}

layout_package *
layout_package_open(const layout_source *source, GError **error)
{
    g_autoptr(layout_package) package = layout_package_new();
    struct archive *zip = archive_read_new();
    gboolean ok = zip != NULL && archive_read_support_format_zip(zip) == ARCHIVE_OK &&
                  archive_read_open_memory(zip, source->data, source->len) == ARCHIVE_OK;
    if (!ok)
        g_set_error_literal(error, LAYOUT_ERROR, LAYOUT_ERROR_FORMAT, "not a readable ZIP archive");
    else
        ok = take_all(package, zip, source->len, error);
    if (zip != NULL) archive_read_free(zip);
    if (ok && g_hash_table_size(package->parts) == 0) {
        g_set_error_literal(error, LAYOUT_ERROR, LAYOUT_ERROR_FORMAT,
                            "a ZIP archive with nothing in it");
        ok = FALSE;
    }
    return ok ? g_steal_pointer(&package) : NULL;
}

void
layout_package_free(layout_package *package)
{
    if (package == NULL) return;
    g_hash_table_unref(package->parts);
    g_hash_table_unref(package->pictures);
    g_hash_table_unref(package->words);
    g_free(package);
}

GBytes *
layout_package_part(const layout_package *package, const char *name)
{
    g_autofree char *key = fold(name);
    return g_hash_table_lookup(package->parts, key);
}

/* ---- XML ---- */

xmlDoc *
layout_package_xml(const layout_package *package, const char *name, GError **error)
{
    GBytes *bytes = layout_package_part(package, name);
    g_autofree char *shown = g_utf8_make_valid(name, -1);
    if (bytes == NULL) {
        g_set_error(error, LAYOUT_ERROR, LAYOUT_ERROR_IO, "there is no %s in it", shown);
        return NULL;
    }
    gsize len = 0;
    gboolean cut = FALSE;
    const guchar *data = g_bytes_get_data(bytes, &len);
    if (len > MAX_XML) {
        g_set_error(error, LAYOUT_ERROR, LAYOUT_ERROR_LIMIT, "%s is larger than 128 MiB", shown);
        return NULL;
    }
    xmlDoc *tree = len > 0 ? layout_xml_parse(data, len, &cut, error) : NULL;
    if (tree == NULL && len == 0)
        g_set_error(error, LAYOUT_ERROR, LAYOUT_ERROR_FORMAT, "%s is empty", shown);
    else if (tree == NULL)
        g_prefix_error(error, "%s: ", shown);
    return tree;
}

char *
layout_package_resolve(const char *from, const char *target)
{
    g_autoptr(GPtrArray) parts = g_ptr_array_new_with_free_func(g_free);
    const char *slash = strrchr(from, '/');
    g_autofree char *folder =
        slash != NULL && *target != '/' ? g_strndup(from, (gsize)(slash - from)) : g_strdup("");
    g_autofree char *path = g_strconcat(folder, "/", target, NULL);
    path[strcspn(path, "#?")] = '\0';
    g_autofree char *plain = g_uri_unescape_string(path, NULL);
    g_auto(GStrv) names = g_strsplit(plain != NULL ? plain : path, "/", 64);
    for (char **name = names; *name != NULL; name++) {
        if (**name == '\0' || strcmp(*name, ".") == 0) continue;
        if (strcmp(*name, "..") != 0)
            g_ptr_array_add(parts, g_strdup(*name));
        else if (parts->len == 0)
            return NULL;
        else
            g_ptr_array_set_size(parts, (int)parts->len - 1);
    }
    g_ptr_array_add(parts, NULL);
    return g_strjoinv("/", (char **)parts->pdata);
}

/* ---- relationships ---- */

static void
relation_free(gpointer data)
{
    layout_relation *relation = data;
    g_free(relation->type);
    g_free(relation->target);
    g_free(relation);
}

GHashTable *
layout_package_relations(const layout_package *package, const char *part)
{
    GHashTable *relations = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, relation_free);
    g_autofree char *folder = g_path_get_dirname(part), *base = g_path_get_basename(part);
    g_autofree char *name = *part == '\0' ? g_strdup("_rels/.rels")
                            : strcmp(folder, ".") == 0
                                ? g_strdup_printf("_rels/%s.rels", base)
                                : g_strdup_printf("%s/_rels/%s.rels", folder, base);
    xmlDoc *tree = layout_package_xml(package, name, NULL);
    const xmlNode *root = tree != NULL ? xmlDocGetRootElement(tree) : NULL;
    guint n = 0;
    for (const xmlNode *r = root != NULL ? root->children : NULL; r != NULL && n < MAX_RELATIONS;
         r = r->next) {
        const char *id = layout_html_is(r, "Relationship") ? layout_html_attribute(r, "Id") : NULL;
        const char *type = id != NULL ? layout_html_attribute(r, "Type") : NULL;
        const char *target = id != NULL ? layout_html_attribute(r, "Target") : NULL;
        const char *mode = id != NULL ? layout_html_attribute(r, "TargetMode") : NULL;
        if (type == NULL || target == NULL) continue;
        const gboolean external = g_strcmp0(mode, "External") == 0;
        char *to = external ? g_strdup(target) : layout_package_resolve(part, target);
        if (to == NULL) continue;
        const char *last = strrchr(type, '/');
        layout_relation *relation = g_new0(layout_relation, 1);
        *relation = (layout_relation){g_strdup(last != NULL ? last + 1 : type), to, external};
        g_hash_table_insert(relations, g_strdup(id), relation);
        n++;
    }
    if (tree != NULL) xmlFreeDoc(tree);
    return relations;
}

const char *
layout_relations_find(GHashTable *relations, const char *type)
{
    const char *found = NULL, *found_id = NULL;
    GHashTableIter iter;
    gpointer id, value;
    g_hash_table_iter_init(&iter, relations);
    while (g_hash_table_iter_next(&iter, &id, &value)) {
        const layout_relation *relation = value;
        if (relation->external || strcmp(relation->type, type) != 0) continue;
        if (found_id != NULL && strcmp(id, found_id) >= 0)
            continue; /* not by the order of hashing */
        found = relation->target, found_id = id;
    }
    return found;
}

const char *
layout_relations_part(GHashTable *relations, const char *id)
{
    const layout_relation *relation = id != NULL ? g_hash_table_lookup(relations, id) : NULL;
    return relation != NULL && !relation->external ? relation->target : NULL;
}

/* ---- pictures ---- */

const char *
layout_picture_extension(GBytes *bytes)
{
    static const struct {
        const char *magic;
        gsize len;
        const char *extension;
    } kinds[] = {{"\x89PNG", 4, ".png"},     {"\xff\xd8\xff", 3, ".jpg"}, {"GIF8", 4, ".gif"},
                 {"II*\0", 4, ".tif"},       {"MM\0*", 4, ".tif"},        {"BM", 2, ".bmp"},
                 {"\0\0\0\x0cjP", 6, ".jp2"}};
    gsize len = 0;
    const char *data = g_bytes_get_data(bytes, &len);
    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (len >= kinds[i].len && memcmp(data, kinds[i].magic, kinds[i].len) == 0)
            return kinds[i].extension;
    if (len >= 12 && memcmp(data, "RIFF", 4) == 0 && memcmp(data + 8, "WEBP", 4) == 0)
        return ".webp";
    if (len > 0 && g_strstr_len(data, (gssize)MIN(len, 1024), "<svg") != NULL) return ".svg";
    return NULL;
}

const char *
layout_package_picture_of(layout_package *package, const char *key, GBytes *bytes,
                          GHashTable *pictures)
{
    const char *known = g_hash_table_lookup(package->pictures, key);
    if (known == NULL) {
        g_autoptr(GBytes) inner = NULL;
        const gboolean asked = bytes != NULL;
        char *words = NULL;
        if (asked && layout_metafile_read(bytes, &inner, &words)) bytes = inner;
        if (words != NULL) g_hash_table_insert(package->words, g_strdup(key), words);
        const char *extension = bytes != NULL ? layout_picture_extension(bytes) : NULL;
        char *name = extension != NULL
                         ? g_strdup_printf("figure-%u%s", ++package->n_pictures, extension)
                         : g_strdup("");
        if (asked && extension == NULL) package->n_unshown++;
        if (extension != NULL && pictures != NULL)
            g_hash_table_insert(pictures, g_strdup(name), g_bytes_ref(bytes));
        g_hash_table_insert(package->pictures, g_strdup(key), name);
        known = name;
    }
    return *known != '\0' ? known : NULL;
}

const char *
layout_package_picture(layout_package *package, const char *part, GHashTable *pictures)
{
    return layout_package_picture_of(package, part, layout_package_part(package, part), pictures);
}

char *
layout_package_picture_words(const layout_package *package, const char *part,
                             const char *alternative)
{
    const char *inside = part != NULL ? g_hash_table_lookup(package->words, part) : NULL;
    g_autofree char *words = inside != NULL ? layout_html_clean(inside) : NULL;
    g_autofree char *clean = layout_html_clean(alternative);
    if (words == NULL) return g_steal_pointer(&clean);
    if (clean == NULL) return g_steal_pointer(&words);
    return g_strconcat(clean, " ", words, NULL);
}

void
layout_package_warn(const layout_package *package, layout_builder *builder)
{
    if (package->n_unshown > 0) {
        g_autofree char *message =
            g_strdup_printf("%u pictures that only Office shows (EMF, WMF) left out but for the "
                            "words in them",
                            package->n_unshown);
        layout_builder_add_warning(builder, LAYOUT_NONE, message);
    }
    if (package->cut)
        layout_builder_add_warning(builder, LAYOUT_NONE,
                                   "the archive is damaged: parts may be missing");
}

/* ---- captions ---- */

char *
layout_caption_label(const char *text)
{
    static const char *const words[] = {"Figure ",    "Fig. ", "Figure\302\240", "Fig.\302\240",
                                        "Abbildung ", "Abb. ", "Scheme ",        "Chart "};
    for (guint i = 0; i < G_N_ELEMENTS(words); i++) {
        const gsize n = strlen(words[i]);
        if (g_ascii_strncasecmp(text, words[i], n) != 0) continue;
        gsize len = strspn(text + n, "0123456789ABCDEFSabcdef.-");
        while (len > 0 && strchr(".-", text[n + len - 1]) != NULL)
            len--;
        gboolean digit = FALSE;
        for (gsize k = 0; k < len; k++)
            digit |= g_ascii_isdigit(text[n + k]);
        if (digit && len < 12) return g_strndup(text, n + len);
    }
    return NULL;
}

/* ---- metadata ---- */

char *
layout_year_of(const char *date)
{
    if (date == NULL || strspn(date, "0123456789") < 4 || (date[0] != '1' && date[0] != '2'))
        return NULL;
    return g_strndup(date, 4);
}

char *
layout_language_of(const char *tag)
{
    gsize n = 0;
    while (tag != NULL && g_ascii_isalpha(tag[n]))
        n++;
    return n == 2 || n == 3 ? g_ascii_strdown(tag, (gssize)n) : NULL;
}

static void
set_text(layout_builder *builder, const char **slot, const char *text)
{
    if (*slot == NULL && text != NULL && *text != '\0')
        *slot = layout_builder_copy(builder, text, -1);
}

void
layout_package_read_properties(const layout_package *package, layout_builder *builder)
{
    layout_metadata *meta = layout_builder_meta(builder);
    xmlDoc *core = layout_package_xml(package, "docProps/core.xml", NULL);
    const xmlNode *root = core != NULL ? xmlDocGetRootElement(core) : NULL;
    g_autofree char *year = NULL, *changed = NULL;
    for (const xmlNode *n = root != NULL ? root->children : NULL; n != NULL; n = n->next) {
        if (n->type != XML_ELEMENT_NODE) continue;
        g_autofree char *text = layout_html_text(n);
        if (layout_html_is(n, "title"))
            set_text(builder, &meta->title, text);
        else if (layout_html_is(n, "language")) {
            g_autofree char *language = layout_language_of(text);
            set_text(builder, &meta->language, language);
        } else if (layout_html_is(n, "created") && year == NULL)
            year = layout_year_of(text);
        else if (layout_html_is(n, "modified") && changed == NULL)
            changed = layout_year_of(text);
        else if (layout_html_is(n, "creator") && *text != '\0') {
            g_auto(GStrv) names = g_strsplit(text, ";", 200);
            g_autoptr(GPtrArray) kept = g_ptr_array_new(); /* lends from names */
            for (char **name = names; *name != NULL; name++) {
                char *clean = g_strstrip(*name);
                if (*clean != '\0') g_ptr_array_add(kept, clean);
            }
            layout_builder_set_authors(builder, (const char *const *)(gpointer)kept->pdata,
                                       kept->len);
        }
    }
    set_text(builder, &meta->year, year != NULL ? year : changed);
    if (core != NULL) xmlFreeDoc(core);

    xmlDoc *app = layout_package_xml(package, "docProps/app.xml", NULL);
    root = app != NULL ? xmlDocGetRootElement(app) : NULL;
    for (const xmlNode *n = root != NULL ? root->children : NULL; n != NULL; n = n->next) {
        if (!layout_html_is(n, "Application")) continue;
        g_autofree char *text = layout_html_text(n);
        set_text(builder, &meta->producer, text);
    }
    if (app != NULL) xmlFreeDoc(app);
}

/* What a folder of fetched papers holds: papers.json, and the same for others to read.
 *
 * papers.json is the record a later run goes by; it is replaced after every paper, so that a run that is ended loses
 * none. BibTeX and CSL JSON come from layout's writers of bibliographies. */
#include "search/papers.h"

#include <glib/gstdio.h>
#include <string.h>

#define RECORD_VERSION 1
#define RECORD_MAX     (256u * 1024 * 1024)

struct paper_record {
    char *folder, *path;
    json_t *papers;   /* array of objects */
    GHashTable *keys; /* name of a paper -> its object, borrowed */
    GHashTable *files;
};

void
paper_record_free(paper_record *record)
{
    if (!record) return;
    json_decref(record->papers);
    g_hash_table_unref(record->keys);
    g_hash_table_unref(record->files);
    g_free(record->folder);
    g_free(record->path);
    g_free(record);
}

static void
index_paper(paper_record *record, json_t *paper)
{
    const json_t *key;
    size_t i;
    const char *file = search_json_text(paper, "file");

    json_array_foreach(json_object_get(paper, "keys"), i, key)
    {
        if (json_is_string(key))
            g_hash_table_insert(record->keys, g_strdup(json_string_value(key)), paper);
    }
    if (file) g_hash_table_insert(record->files, g_strdup(file), paper);
}

paper_record *
paper_record_open(const char *folder, GError **error)
{
    g_autofree char *text = NULL;
    gsize len = 0;
    json_error_t where;
    paper_record *record = g_new0(paper_record, 1);

    record->folder = g_strdup(folder);
    record->path = g_build_filename(folder, "papers.json", NULL);
    record->keys = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    record->files = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    if (!g_file_get_contents(record->path, &text, &len, NULL)) {
        record->papers = json_array();
        return record;
    }
    json_t *json = len <= RECORD_MAX ? json_loadb(text, len, 0, &where) : NULL;
    record->papers = json_incref(json_object_get(json, "papers"));
    json_decref(json);
    if (!json_is_array(record->papers)) {
        g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_FORMAT,
                    "%s: damaged; move it away to begin a new record", record->path);
        paper_record_free(record);
        return NULL;
    }
    for (size_t i = 0; i < json_array_size(record->papers); i++)
        index_paper(record, json_array_get(record->papers, i));
    return record;
}

static json_t *
find(const paper_record *record, const search_hit *hit)
{
    g_autoptr(GPtrArray) keys = search_hit_keys(hit, TRUE);

    for (guint i = 0; i < keys->len; i++) {
        json_t *paper = g_hash_table_lookup(record->keys, keys->pdata[i]);
        const char *doi = search_json_text(paper, "doi");
        if (paper &&
            (!doi || !hit->doi || g_ascii_strcasecmp(doi, hit->doi) == 0 ||
             g_str_has_prefix(doi, "10.48550/") || g_str_has_prefix(hit->doi, "10.48550/")))
            return paper;
    }
    return NULL;
}

static char *
hash_file(const char *path)
{
    g_autoptr(GMappedFile) file = g_mapped_file_new(path, FALSE, NULL);
    g_autoptr(GBytes) bytes = file ? g_mapped_file_get_bytes(file) : NULL;
    return bytes ? g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, bytes) : NULL;
}

gboolean
paper_record_has(paper_record *record, search_paper *paper)
{
    const json_t *known = find(record, paper->hit);
    const char *file = search_json_text(known, "file");

    /* a name with a slash is none of ours */
    if (!file || strchr(file, '/')) return FALSE;
    g_autofree char *path = g_build_filename(record->folder, file, NULL);
    g_autofree char *sha256 = hash_file(path);
    if (g_strcmp0(sha256, search_json_text(known, "sha256")) != 0) return FALSE;
    paper->file = g_strdup(file);
    paper->sha256 = g_steal_pointer(&sha256);
    paper->source = g_strdup(search_json_text(known, "source"));
    paper->license = g_strdup(search_json_text(known, "license"));
    paper->version = g_strdup(search_json_text(known, "version"));
    paper->retrieved = json_integer_value(json_object_get(known, "retrieved_unix"));
    return TRUE;
}

char *
paper_record_name(paper_record *record, const search_hit *hit)
{
    g_autofree char *id = hit->doi     ? g_strdup(hit->doi)
                          : hit->arxiv ? g_strconcat("arxiv_", hit->arxiv, NULL)
                          : hit->pmid  ? g_strconcat("pmid_", hit->pmid, NULL)
                                       : g_strdup(hit->title ? hit->title : hit->url);
    g_autofree char *ascii = g_str_to_ascii(id, "C");
    g_autoptr(GString) name = g_string_new(NULL);

    for (const char *p = ascii; *p && name->len < 80; p++)
        g_string_append_c(name, g_ascii_isalnum(*p) || strchr(".-_", *p) ? *p : '_');
    if (name->len == 0 || name->str[0] == '.') g_string_prepend(name, "paper");
    const json_t *mine = find(record, hit);
    for (guint n = 1;; n++) {
        char *file = n == 1 ? g_strdup_printf("%s.pdf", name->str)
                            : g_strdup_printf("%s-%u.pdf", name->str, n);
        const json_t *owner = g_hash_table_lookup(record->files, file);
        g_autofree char *path = g_build_filename(record->folder, file, NULL);
        if (owner ? owner == mine : !g_file_test(path, G_FILE_TEST_EXISTS)) return file;
        g_free(file);
    }
}

static void
set_text(json_t *object, const char *name, const char *value)
{
    if (value && g_utf8_validate(value, -1, NULL))
        json_object_set_new(object, name, json_string(value));
}

static json_t *
json_of(const search_paper *paper)
{
    static const char *const states[] = {"pdf", "pdf", "abstract_only"};
    const search_hit *hit = paper->hit;
    json_t *p = json_object(), *authors = json_array(), *keys = json_array();
    g_autoptr(GPtrArray) names = search_hit_keys(hit, FALSE);
    g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(paper->retrieved);
    g_autofree char *date = time ? g_date_time_format_iso8601(time) : NULL;

    set_text(p, "title", hit->title);
    for (char **a = hit->authors; a && *a; a++)
        json_array_append_new(authors, json_string(*a));
    json_object_set_new(p, "authors", authors);
    if (hit->year) json_object_set_new(p, "year", json_integer(hit->year));
    set_text(p, "venue", hit->venue);
    set_text(p, "published", hit->published);
    set_text(p, "doi", hit->doi);
    set_text(p, "arxiv", hit->arxiv);
    set_text(p, "pmid", hit->pmid);
    set_text(p, "pmcid", hit->pmcid);
    set_text(p, "url", hit->url);
    set_text(p, "found_by", hit->providers);
    set_text(p, "abstract", hit->abstract);
    json_object_set_new(p, "retracted", json_boolean(hit->retracted));
    set_text(p, "status", states[paper->state]);
    set_text(p, "reason", paper->reason);
    set_text(p, "file", paper->file);
    g_autofree char *source = paper->source ? search_redact_url(paper->source) : NULL;
    set_text(p, "source", source);
    set_text(p, "license", paper->license);
    set_text(p, "version", paper->version);
    set_text(p, "sha256", paper->sha256);
    if (paper->file) {
        set_text(p, "retrieved", date);
        json_object_set_new(p, "retrieved_unix", json_integer(paper->retrieved));
    }
    for (guint i = 0; i < names->len; i++)
        json_array_append_new(keys, json_string(names->pdata[i]));
    json_object_set_new(p, "keys", keys);
    return p;
}

static gboolean
write_file(const char *path, const char *text, GError **error)
{
    g_autoptr(GError) local = NULL;
    if (g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0666, &local))
        return TRUE;
    g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_IO, "%s", local->message);
    return FALSE;
}

gboolean
paper_record_add(paper_record *record, const search_paper *paper, GError **error)
{
    json_t *known = find(record, paper->hit), *now = json_of(paper);

    if (known) {
        json_object_clear(known);
        json_object_update(known, now);
        json_decref(now);
        now = known;
    } else {
        json_array_append_new(record->papers, now);
    }
    index_paper(record, now);
    json_t *all = json_object();
    json_object_set_new(all, "version", json_integer(RECORD_VERSION));
    json_object_set(all, "papers", record->papers);
    char *text = json_dumps(all, JSON_INDENT(1));
    json_decref(all);
    gboolean ok = write_file(record->path, text, error);
    free(text);
    return ok;
}

/* ---- for reference managers ---- */

/* "Family, Given" or "Given Family". */
static void
split_name(layout_builder *builder, const char *name, layout_name *out)
{
    const char *comma = strchr(name, ','), *blank = strrchr(name, ' ');

    if (comma) {
        out->family = layout_builder_copy(builder, name, comma - name);
        comma += strspn(comma, ", ");
        out->given = *comma ? layout_builder_copy(builder, comma, -1) : NULL;
    } else if (blank) {
        out->family = layout_builder_copy(builder, blank + 1, -1);
        out->given = layout_builder_copy(builder, name, blank - name);
    } else {
        out->family = layout_builder_copy(builder, name, -1);
    }
}

static void
add_reference(layout_builder *builder, const json_t *paper)
{
    const char *title = search_json_text(paper, "title"), *venue = search_json_text(paper, "venue");
    const layout_block block = {.type = LAYOUT_BLOCK_REFERENCE,
                                .text = layout_builder_copy(builder, title ? title : "", -1),
                                .parent = LAYOUT_NONE,
                                .item = LAYOUT_NONE,
                                .confidence = 1};
    g_autoptr(GArray) names = g_array_new(FALSE, TRUE, sizeof(layout_name));
    const json_t *author;
    size_t i;

    json_array_foreach(json_object_get(paper, "authors"), i, author)
    {
        layout_name name = {0};
        if (!json_is_string(author) || !*json_string_value(author)) continue;
        split_name(builder, json_string_value(author), &name);
        if (*name.family) g_array_append_val(names, name);
    }
    int year = (int)json_integer_value(json_object_get(paper, "year"));
    g_autofree char *year_text = year >= 1000 && year <= 9999 ? g_strdup_printf("%d", year) : NULL;
    const layout_reference reference = {
        .block = layout_builder_add_block(builder, &block, NULL, 0, NULL, 0, NULL, 0),
        .kind = venue ? LAYOUT_REFERENCE_ARTICLE : LAYOUT_REFERENCE_OTHER,
        .title = layout_builder_copy(builder, title, -1),
        .venue = layout_builder_copy(builder, venue, -1),
        .year = layout_builder_copy(builder, year_text, -1),
        .doi = layout_builder_copy(builder, search_json_text(paper, "doi"), -1),
        .arxiv = layout_builder_copy(builder, search_json_text(paper, "arxiv"), -1),
        .url = layout_builder_copy(builder, search_json_text(paper, "url"), -1),
    };
    layout_builder_add_reference(builder, &reference, (const layout_name *)(void *)names->data,
                                 names->len);
}

/* Which file an entry is about: what surely ties them together when the PDF names no DOI. The writer's entries come in
 * the order of the papers, each on a line that begins with '@'. */
static char *
with_files(const char *bibtex, const json_t *papers)
{
    g_autoptr(GString) out = g_string_new(NULL);
    g_auto(GStrv) lines = g_strsplit(bibtex, "\n", -1);
    size_t i = 0;

    for (char **l = lines; *l; l++) {
        g_string_append_printf(out, "%s%s", *l, l[1] ? "\n" : "");
        if (**l != '@') continue;
        while (i < json_array_size(papers) && !search_json_text(json_array_get(papers, i), "file"))
            i++;
        const char *file = search_json_text(json_array_get(papers, i++), "file");
        if (file) g_string_append_printf(out, "  file = {%s},\n", file);
    }
    return g_strdup(out->str);
}

gboolean
paper_record_export(paper_record *record, GError **error)
{
    layout_builder *builder = layout_builder_new();

    layout_builder_add_page(builder, &(layout_page){.width_pt = 612, .height_pt = 792});
    for (size_t i = 0; i < json_array_size(record->papers); i++) {
        const json_t *paper = json_array_get(record->papers, i);
        if (search_json_text(paper, "file")) add_reference(builder, paper);
    }
    g_autoptr(lode_document) document = layout_builder_finish(builder);
    g_autofree char *entries = layout_document_to_bibtex(document);
    g_autofree char *bibtex = with_files(entries, record->papers);
    g_autofree char *csl = layout_document_to_csl(document);
    g_autofree char *bib_path = g_build_filename(record->folder, "papers.bib", NULL);
    g_autofree char *csl_path = g_build_filename(record->folder, "papers.csl.json", NULL);
    return write_file(bib_path, bibtex, error) && write_file(csl_path, csl, error);
}

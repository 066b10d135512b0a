/* Papers on a question into a folder.
 *
 *   query -> fused hits -> per paper: steps, in this order, until one yields a PDF
 *              arXiv | Europe PMC | Unpaywall | copies that catalogues named | landing page
 *
 * What is served as a PDF is often a page about it: only %PDF- counts, and of a page its citation_pdf_url is
 * tried. Nothing is asked for that the publisher has not opened. */
#include "search/papers.h"

#include <libxml/HTMLparser.h>
#include <libxml/uri.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 12 /* of one paper */

typedef enum { STEP_PDF, STEP_UNPAYWALL, STEP_LANDING } step_kind;

typedef struct {
    step_kind kind;
    char *url, *license, *version;
    const char *who;   /* static, for the reason */
    gboolean by_terms; /* fetched under the terms of the archive's interface, not as a crawler */
} step;

typedef struct papers papers;

typedef struct {
    papers *all;
    search_paper *paper;
    GPtrArray *steps;
    guint at;
    GString *tried;
} work;

struct papers {
    search_client *client;
    const search_papers_options *options;
    const char *folder;
    paper_record *record;
    GPtrArray *done; /* of search_paper *, in the order of the hits */
    GPtrArray *works;
    GPtrArray *hits;
    guint n_answered, n_through;
    GError *error; /* the first that ends it all */
    GError *provider_error;
};

static void
free_step(gpointer data)
{
    step *s = data;
    g_free(s->url);
    g_free(s->license);
    g_free(s->version);
    g_free(s);
}

static void
free_work(gpointer data)
{
    work *w = data;
    g_ptr_array_unref(w->steps);
    g_string_free(w->tried, TRUE);
    g_free(w);
}

static void
free_paper(gpointer data)
{
    search_paper *paper = data;
    search_hit_free(paper->hit);
    g_free(paper->file);
    g_free(paper->source);
    g_free(paper->license);
    g_free(paper->version);
    g_free(paper->sha256);
    g_free(paper->reason);
    g_free(paper);
}

/* ---- steps ---- */

static step *
insert_step(work *w, guint at, step_kind kind, const char *who, const char *url)
{
    if (w->steps->len >= STEPS_MAX) return NULL;
    for (guint i = 0; i < w->steps->len; i++) {
        const step *other = w->steps->pdata[i];
        if (other->kind == kind && g_strcmp0(other->url, url) == 0) return NULL;
    }
    step *s = g_new0(step, 1);
    s->kind = kind;
    s->who = who;
    s->url = g_strdup(url);
    g_ptr_array_insert(w->steps, (int)MIN(at, w->steps->len), s);
    return s;
}

static void
plan_steps(work *w)
{
    const search_hit *hit = w->paper->hit;
    const char *contact = search_client_contact(w->all->client);
    step *s;

    if (hit->arxiv) {
        g_autofree char *url = g_strconcat("https://arxiv.org/pdf/", hit->arxiv, NULL);
        s = insert_step(w, G_MAXUINT, STEP_PDF, "arXiv", url);
        if (s) s->by_terms = TRUE;
    }
    if (hit->pmcid) {
        g_autofree char *url =
            g_strconcat("https://europepmc.org/articles/", hit->pmcid, "?pdf=render", NULL);
        s = insert_step(w, G_MAXUINT, STEP_PDF, "Europe PMC", url);
        if (s) s->by_terms = TRUE;
    }
    if (hit->doi && contact && strchr(contact, '@')) {
        const char *base = w->all->options->unpaywall_url;
        if (!base) base = g_getenv("LODE_UNPAYWALL_URL");
        g_autofree char *doi = g_uri_escape_string(hit->doi, "/", FALSE);
        g_autofree char *path =
            g_strconcat(base && *base ? base : "https://api.unpaywall.org/v2", "/", doi, NULL);
        g_autofree char *url = search_url_with(path, "email", contact, NULL);
        insert_step(w, G_MAXUINT, STEP_UNPAYWALL, "Unpaywall", url);
    }
    for (guint i = 0; hit->copies && i < hit->copies->len; i++) {
        const search_copy *copy = hit->copies->pdata[i];
        s = insert_step(w, G_MAXUINT, STEP_PDF, copy->provider, copy->url);
        if (!s) continue;
        s->license = g_strdup(copy->license);
        s->version = g_strdup(copy->version);
    }
    g_autofree char *doi_url = hit->doi ? g_strconcat("https://doi.org/", hit->doi, NULL) : NULL;
    gboolean catalogue =
        hit->url && (strstr(hit->url, "openalex.org/") || strstr(hit->url, "semanticscholar.org/"));
    insert_step(w, G_MAXUINT, STEP_LANDING, "its page", catalogue && doi_url ? doi_url : hit->url);
}

static const step *
current(const work *w)
{
    return w->steps->pdata[w->at];
}

static void
note_failure(work *w, const char *why)
{
    if (w->tried->len) g_string_append(w->tried, "; ");
    g_string_append_printf(w->tried, "%s: %s", current(w)->who, why);
}

/* ---- the end of one ---- */

static void next_step(work *w);

static void
work_through(work *w)
{
    papers *all = w->all;

    all->n_through++;
    if (!all->error && w->paper->state != SEARCH_PAPER_KEPT)
        paper_record_add(all->record, w->paper, &all->error);
    if (all->options->progress)
        all->options->progress(w->paper, all->n_through, all->done->len, all->options->user_data);
}

static gboolean
keep_pdf(work *w, const search_response *response, const step *s, GError **error)
{
    search_paper *paper = w->paper;
    g_autoptr(GError) local = NULL;
    gsize len = 0;
    const char *data = g_bytes_get_data(response->body, &len);

    g_free(paper->file);
    paper->file = paper_record_name(w->all->record, paper->hit);
    g_autofree char *path = g_build_filename(w->all->folder, paper->file, NULL);
    if (!g_file_set_contents_full(path, data, (gssize)len, G_FILE_SET_CONTENTS_CONSISTENT, 0666,
                                  &local)) {
        g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_IO, "%s", local->message);
        g_clear_pointer(&paper->file, g_free);
        return FALSE;
    }
    paper->state = SEARCH_PAPER_FETCHED;
    paper->source = g_strdup(response->url);
    paper->license = g_strdup(s->license ? s->license : paper->hit->license);
    paper->version = g_strdup(s->version ? s->version : paper->hit->version);
    paper->sha256 = g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, response->body);
    paper->retrieved = response->retrieved;
    return TRUE;
}

/* ---- what came ---- */

/* <meta name="citation_pdf_url" content="...">, as Google Scholar asks publishers for. g_free */
static char *
pdf_of_page(const search_response *response)
{
    gsize len = 0;
    const char *data = g_bytes_get_data(response->body, &len);
    htmlDocPtr doc = htmlReadMemory(data, (int)MIN(len, G_MAXINT32), NULL, response->charset,
                                    HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING |
                                        HTML_PARSE_NONET);
    xmlNode *root = doc ? xmlDocGetRootElement(doc) : NULL;
    xmlNode *head = root ? search_xml_find(root, "head") : NULL;
    char *found = NULL;

    for (xmlNode *n = head ? head->children : NULL; n && !found; n = n->next) {
        const char *name = layout_html_is(n, "meta") ? layout_html_attribute(n, "name") : NULL;
        const char *content = name ? layout_html_attribute(n, "content") : NULL;
        if (!content || g_ascii_strcasecmp(name, "citation_pdf_url") != 0) continue;
        xmlChar *url = xmlBuildURI((const xmlChar *)content, (const xmlChar *)response->url);
        found = g_strdup((const char *)url);
        free(
            url); /* not xmlFree, a variable: it would bind the program to libxml2 from its start */
    }
    if (doc) xmlFreeDoc(doc);
    return found;
}

static void
take_unpaywall(work *w, const search_response *response)
{
    gsize len = 0;
    const char *data = g_bytes_get_data(response->body, &len);
    json_t *json = len ? json_loadb(data, len, 0, NULL) : NULL;
    const json_t *best = json_object_get(json, "best_oa_location"), *place;
    guint at = w->at + 1;
    size_t i;

    if (!json_is_object(best)) note_failure(w, "knows no free copy");
    for (i = 0; i <= json_array_size(json_object_get(json, "oa_locations")); i++) {
        place = i == 0 ? best : json_array_get(json_object_get(json, "oa_locations"), i - 1);
        const char *url = search_json_text(place, "url_for_pdf");
        step *s = url && at < w->at + 4 ? insert_step(w, at, STEP_PDF, "Unpaywall", url) : NULL;
        if (!s) continue;
        s->license = g_strdup(search_json_text(place, "license"));
        s->version = g_strdup(search_json_text(place, "version"));
        at++;
    }
    json_decref(json);
}

static void
on_step(search_response *response, const GError *error, void *user_data)
{
    work *w = user_data;
    papers *all = w->all;
    const step *s = current(w);

    if (g_error_matches(error, SEARCH_ERROR, SEARCH_ERROR_CANCELLED)) {
        if (!all->error) all->error = g_error_copy(error);
        return; /* not through: nothing is recorded, the next run takes it up */
    }
    if (!response) {
        note_failure(w, error->message);
    } else if (s->kind == STEP_UNPAYWALL) {
        take_unpaywall(w, response);
    } else if (response->content == SEARCH_CONTENT_PDF) {
        gboolean kept = keep_pdf(w, response, s, all->error ? NULL : &all->error);
        search_response_free(response);
        if (kept) work_through(w);
        return;
    } else {
        g_autofree char *url =
            response->content == SEARCH_CONTENT_HTML ? pdf_of_page(response) : NULL;
        if (!url || !insert_step(w, w->at + 1, STEP_PDF, "the PDF its page names", url))
            note_failure(w, s->kind == STEP_PDF ? "a page instead of a PDF" : "names no PDF");
    }
    search_response_free(response);
    w->at++;
    next_step(w);
}

static void
next_step(work *w)
{
    if (w->at >= w->steps->len) {
        w->paper->state = SEARCH_PAPER_ABSTRACT_ONLY;
        w->paper->reason = g_strdup(w->tried->len ? w->tried->str : "no address is known");
        work_through(w);
        return;
    }
    const step *s = current(w);
    const search_request request = {.ignore_robots = s->by_terms || s->kind == STEP_UNPAYWALL,
                                    .any_content = s->kind == STEP_LANDING};
    search_client_get(w->all->client, s->url, &request, on_step, w);
}

/* ---- all of them ---- */

static void
on_answer(const search_answer *answer, void *user_data)
{
    papers *all = user_data;

    if (answer->error) {
        if (!all->provider_error) all->provider_error = g_error_copy(answer->error);
    } else {
        all->n_answered++;
    }
    if (all->options->answered) all->options->answered(answer, all->options->user_data);
}

static void
on_fused(GPtrArray *hits, void *user_data)
{
    papers *all = user_data;
    all->hits = hits;
}

static void
start_works(papers *all)
{
    guint limit = all->options->limit ? all->options->limit : 20;

    for (guint i = 0; i < all->hits->len && i < limit; i++) {
        search_paper *paper = g_new0(search_paper, 1);
        paper->hit = search_hit_copy(all->hits->pdata[i]);
        g_ptr_array_add(all->done, paper);
    }
    for (guint i = 0; i < all->done->len; i++) {
        work *w = g_new0(work, 1);
        w->all = all;
        w->paper = all->done->pdata[i];
        w->steps = g_ptr_array_new_with_free_func(free_step);
        w->tried = g_string_new(NULL);
        g_ptr_array_add(all->works, w);
        if (paper_record_has(all->record, w->paper)) {
            w->paper->state = SEARCH_PAPER_KEPT;
            work_through(w);
        } else {
            plan_steps(w);
            next_step(w);
        }
    }
}

static void
papers_clear(papers *all)
{
    paper_record_free(all->record);
    if (all->works) g_ptr_array_unref(all->works);
    if (all->hits) g_ptr_array_unref(all->hits);
    if (all->done) g_ptr_array_unref(all->done);
    g_clear_error(&all->error);
    g_clear_error(&all->provider_error);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(papers, papers_clear)

GPtrArray *
search_papers_fetch(search_client *client, const GPtrArray *providers, const char *query,
                    const char *folder, const search_papers_options *options, GError **error)
{
    static const search_papers_options none = {0};
    g_auto(papers) all = {.client = client, .options = options ? options : &none, .folder = folder};

    if (g_mkdir_with_parents(folder, 0777) != 0) {
        g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_IO, "%s: cannot create it", folder);
        return NULL;
    }
    all.record = paper_record_open(folder, error);
    if (!all.record) return NULL;
    all.done = g_ptr_array_new_with_free_func(free_paper);
    all.works = g_ptr_array_new_with_free_func(free_work);
    search_query_options ask = all.options->query;
    if (ask.limit == 0) ask.limit = all.options->limit ? all.options->limit : 20;
    search_query(client, providers, query, &ask, on_answer, on_fused, &all);
    while (search_client_run(client, -1)) {
    }
    if (all.n_answered == 0) {
        g_propagate_error(error, g_steal_pointer(&all.provider_error));
        return NULL;
    }
    start_works(&all);
    while (search_client_run(client, -1)) {
    }
    /* also after a cancel: what is there is to be found by others */
    if (!paper_record_export(all.record, all.error ? NULL : &all.error) || all.error) {
        g_propagate_error(error, g_steal_pointer(&all.error));
        return NULL;
    }
    return g_steal_pointer(&all.done);
}

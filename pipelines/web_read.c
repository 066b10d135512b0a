/* What a server sent -> a document in the library of a run.
 *
 * That library lies in a temporary folder: chunks and full text as in any other, so that what was read
 * is searched and quoted in the same way, and saved by merging. A document's path in it is its canonical URL. */
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "pipelines/web.h"

void
web_page_free(web_page *page)
{
    if (page == NULL) return;
    g_free(page->key);
    search_hit_free(page->hit);
    g_free(page->title);
    g_free(page->problem);
    g_ptr_array_unref(page->tasks);
    g_clear_pointer(&page->paper, g_bytes_unref);
    retrieval_hit_free(page->best);
    g_free(page);
}

gboolean
web_library_open(web_run *run, GError **error)
{
    /* without vectors: of a page, only what words find is worth comparing by meaning, see web_answer.c */
    retrieval_library_options options = {0};
    run->dir = g_dir_make_tmp("lode-search-XXXXXX", error);
    if (run->dir == NULL) return FALSE;
    run->library = retrieval_library_open(run->dir, RETRIEVAL_OPEN_WRITE, &options, error);
    return run->library != NULL;
}

/* The folder is ours and flat, but for the runs/ that nobody writes into. */
static void
remove_folder(const char *dir)
{
    GDir *handle = g_dir_open(dir, 0, NULL);
    for (const char *name; handle != NULL && (name = g_dir_read_name(handle)) != NULL;) {
        g_autofree char *path = g_build_filename(dir, name, NULL);
        g_remove(path);
    }
    if (handle != NULL) g_dir_close(handle);
    g_rmdir(dir);
}

void
web_library_close(web_run *run)
{
    g_clear_pointer(&run->library, retrieval_library_free);
    if (run->dir != NULL) remove_folder(run->dir);
    g_clear_pointer(&run->dir, g_free);
}

/* ---- storing ---- */

static void
fail(web_run *run, web_page *page, const char *reason)
{
    page->state = WEB_PAGE_FAILED;
    g_free(page->problem);
    page->problem = g_utf8_make_valid(reason, -1); /* a server's words may be in it */
    web_problem(run, "%s: %s", page->key, reason);
}

/* Does a block of it speak to the program that reads it? */
static gboolean
gives_orders(const lode_document *document)
{
    for (guint i = 0; i < document->n_blocks; i++) {
        const char *text = document->blocks[i].text;
        if (text == NULL) continue;
        g_autoptr(GArray) sentences = pipelines_sentences(text, strlen(text));
        for (guint j = 0; j < sentences->len; j++) {
            const pipelines_quote *s = &g_array_index(sentences, pipelines_quote, j);
            if (pipelines_is_instruction(text + s->start, s->len)) return TRUE;
        }
    }
    return FALSE;
}

/* What the catalogue knows of a paper goes before what was read off its pages. */
static void
describe(web_run *run, const web_page *page)
{
    const search_hit *hit = page->hit;
    if (hit == NULL || (hit->authors == NULL && hit->year == 0 && hit->doi == NULL)) return;
    retrieval_metadata known = {.title = hit->title,
                                .authors = hit->authors,
                                .year = hit->year,
                                .venue = hit->venue,
                                .doi = hit->doi,
                                .arxiv = hit->arxiv};
    g_autoptr(GError) error = NULL;
    if (!retrieval_library_set_metadata(run->library, page->key, &known, &error))
        web_problem(run, "%s: %s", page->key, error->message);
}

static gboolean
store(web_run *run, web_page *page, const lode_document *document, const char *kind)
{
    g_autoptr(GError) error = NULL;
    if (!retrieval_library_add(run->library, page->key, document, NULL, run->setup->options.cancel,
                               &error)) {
        fail(run, page, error->message);
        return FALSE;
    }
    page->state = WEB_PAGE_READ;
    page->kind = kind;
    page->flagged = gives_orders(document);
    if (document->meta.title != NULL && document->meta.title[0] != '\0') {
        g_free(page->title);
        page->title = g_strdup(document->meta.title);
    }
    if (page->flagged)
        web_problem(run, "%s: holds text that gives orders to programs; it is not followed",
                    page->key);
    describe(run, page);
    return TRUE;
}

/* ---- reading ---- */

/* Plain text as HTML, so that there is one reader of pages: paragraphs end at empty lines. */
static char *
text_to_html(const char *text, gsize len)
{
    g_autofree char *valid = g_utf8_make_valid(text, (gssize)len);
    g_autoptr(GRegex) gaps = g_regex_new("\\r?\\n[ \\t]*\\r?\\n\\s*", 0, 0, NULL);
    g_auto(GStrv) paragraphs = g_regex_split(gaps, valid, 0);
    GString *html = g_string_new("<!DOCTYPE html><html><body><article>");
    for (char **p = paragraphs; *p != NULL; p++) {
        g_autofree char *escaped = g_markup_escape_text(*p, -1);
        g_string_append_printf(html, "<p>%s</p>\n", escaped);
    }
    g_string_append(html, "</article></body></html>");
    return g_string_free(html, FALSE);
}

static void
read_html(web_run *run, web_page *page, const char *html, gsize len, const char *charset)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(lode_document) document =
        layout_document_from_html(html, len, charset, page->key, &error);
    if (document == NULL)
        fail(run, page, error->message);
    else
        store(run, page, document, "page");
}

void
web_read_response(web_run *run, web_page *page, const search_response *response)
{
    gsize len = 0;
    const char *body = g_bytes_get_data(response->body, &len);
    page->retrieved = response->retrieved;
    page->cached = response->cached;
    switch (response->content) {
    case SEARCH_CONTENT_PDF:
        page->state = WEB_PAGE_PAPER;
        page->paper = g_bytes_ref(response->body);
        return;
    case SEARCH_CONTENT_HTML:
        read_html(run, page, body != NULL ? body : "", len, response->charset);
        return;
    case SEARCH_CONTENT_TEXT: {
        g_autofree char *html = text_to_html(body != NULL ? body : "", len);
        read_html(run, page, html, strlen(html), "utf-8");
        return;
    }
    default: {
        g_autofree char *reason =
            g_strdup_printf("%s: neither a page nor a paper",
                            response->content_type[0] != '\0' ? response->content_type : "no type");
        fail(run, page, reason);
    }
    }
}

gboolean
web_read_abstract(web_run *run, web_page *page)
{
    if (page->hit == NULL || page->hit->abstract == NULL || page->hit->abstract[0] == '\0')
        return FALSE;
    g_autofree char *title =
        g_markup_escape_text(page->hit->title != NULL ? page->hit->title : "", -1);
    g_autofree char *text = g_markup_escape_text(page->hit->abstract, -1);
    g_autofree char *html =
        g_strdup_printf("<!DOCTYPE html><html><head><title>%s</title></head><body>"
                        "<article><h1>%s</h1><p>%s</p></article></body></html>",
                        title, title, text);
    g_autoptr(GError) error = NULL;
    g_autoptr(lode_document) document =
        layout_document_from_html(html, strlen(html), "utf-8", page->key, &error);
    return document != NULL && store(run, page, document, "abstract");
}

/* In a process of its own where there is one: papers of strangers are hostile until read. */
static lode_document *
read_pdf(web_run *run, const char *path, GError **error)
{
    pipelines_job job = {.path = path, .want_document = TRUE};
    pipelines_job_result result = {0};
    const int *cancel = run->setup->options.cancel;
    gboolean done = run->setup->worker != NULL
                        ? pipelines_worker_run(run->setup->worker, &job, cancel, &result, error)
                        : pipelines_job_run(&job, cancel, NULL, NULL, &result, error);
    lode_document *document = done ? g_steal_pointer(&result.document) : NULL;
    pipelines_job_result_clear(&result);
    return document;
}

void
web_read_paper(web_run *run, web_page *page)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = g_build_filename(run->dir, "paper.pdf", NULL);
    gsize len = 0;
    const char *bytes = g_bytes_get_data(page->paper, &len);
    g_autoptr(lode_document) document = NULL;
    if (g_file_set_contents(path, bytes, (gssize)len, &error))
        document = read_pdf(run, path, &error);
    g_remove(path);
    g_clear_pointer(&page->paper, g_bytes_unref);
    if (document != NULL)
        store(run, page, document, "paper");
    else
        fail(run, page, error->message);
}

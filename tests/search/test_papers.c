/* Papers into a folder: which copy is taken, what is recorded, what a second run does. */
#include "search/provider.h"
#include "tests/search/web.h"

#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define PDF_A "%PDF-1.4\n% the first\n"
#define PDF_B "%PDF-1.5\n% the second\n"

static test_web *web;

/* Three papers as Crossref lists them: one that Unpaywall knows, one with an open licence, one behind a wall. */
static void
serve_papers(void)
{
    g_autofree char *base = test_web_url(web, "");
    g_autofree char *list = g_strdup_printf(
        "{\"status\":\"ok\",\"message\":{\"items\":["
        "{\"DOI\":\"10.5555/a\",\"URL\":\"%s/landing/a\",\"title\":[\"On the first "
        "matter\"],\"author\":[{\"family\":"
        "\"Example\",\"given\":\"Ada\"}],\"container-title\":[\"Journal of "
        "Matters\"],\"issued\":{\"date-parts\":[[2021]]}},"
        "{\"DOI\":\"10.5555/b\",\"URL\":\"%s/landing/b\",\"title\":[\"On the second "
        "matter\"],\"author\":[{\"family\":"
        "\"M\xc3\xbcller\",\"given\":\"Ben\"}],\"issued\":{\"date-parts\":[[2022]]},\"license\":[{"
        "\"URL\":"
        "\"https://creativecommons.org/licenses/by/4.0/\"}],\"link\":[{\"URL\":\"%s/"
        "b.pdf\",\"content-type\":"
        "\"application/pdf\"}]},"
        "{\"DOI\":\"10.5555/c\",\"URL\":\"%s/landing/c\",\"title\":[\"On the third matter\"]}]}}",
        base, base, base, base);
    g_autofree char *oa = g_strdup_printf("{\"is_oa\":true,\"best_oa_location\":{\"url_for_pdf\":"
                                          "\"%s/a-page\",\"license\":\"cc-by\",\"version\":"
                                          "\"acceptedVersion\"},\"oa_locations\":[]}",
                                          base);
    test_web_answer(web, "/cr/works", 200, "Content-Type: application/json", list);
    test_web_answer(web, "/up/10.5555/a", 200, "Content-Type: application/json", oa);
    test_web_answer(web, "/up/10.5555/b", 422, "Content-Type: application/json",
                    "{\"error\":true}");
    test_web_answer(web, "/up/10.5555/c", 200, "Content-Type: application/json",
                    "{\"is_oa\":false,\"best_oa_location\":null,\"oa_locations\":[]}");
    /* a page where a PDF was promised, which names the real one */
    test_web_answer(web, "/a-page", 200, "Content-Type: application/pdf",
                    "<!DOCTYPE html><html><head><title>A</title><meta name=\"citation_pdf_url\" "
                    "content=\"/real/a.pdf\"></head><body>See the PDF.</body></html>");
    test_web_answer(web, "/real/a.pdf", 200, "Content-Type: application/pdf", PDF_A);
    test_web_answer(web, "/b.pdf", 200, "Content-Type: application/octet-stream", PDF_B);
    test_web_answer(
        web, "/landing/c", 200, "Content-Type: text/html",
        "<!DOCTYPE html><html><head><title>C</title></head><body>Buy it.</body></html>");
}

typedef struct {
    guint states[3], calls;
    char *reason;
    int *stop; /* set after the first paper */
} counts;

static void
on_paper(const search_paper *paper, guint n_done, guint n_total, void *user_data)
{
    counts *c = user_data;
    c->states[paper->state]++;
    assert_int_equal(n_done, ++c->calls);
    assert_int_equal(n_total, 3);
    if (paper->reason) {
        g_free(c->reason);
        c->reason = g_strdup(paper->reason);
    }
    if (c->stop) *c->stop = 1;
}

static GPtrArray *
fetch_into(const char *folder, counts *c, int *cancel, GError **error)
{
    g_autofree char *list = g_strdup_printf("crossref=http://127.0.0.1:%u/cr", test_web_port(web));
    g_autofree char *unpaywall = test_web_url(web, "/up");
    g_autoptr(GPtrArray) providers = search_providers_parse(list, NULL);
    g_autoptr(search_client) client =
        search_client_new(&(search_client_options){.contact = "me@example.org",
                                                   .allow_private = TRUE,
                                                   .max_per_host = 1,
                                                   .retry_seconds = -1,
                                                   .cancel = cancel},
                          error);
    c->calls = 0;
    memset(c->states, 0, sizeof c->states);
    c->stop = cancel;
    const search_papers_options options = {
        .unpaywall_url = unpaywall, .progress = on_paper, .user_data = c};
    return search_papers_fetch(client, providers, "matters", folder, &options, error);
}

static char *
contents(const char *file)
{
    char *text = NULL;
    if (!g_file_get_contents(file, &text, NULL, NULL)) fail_msg("%s is not there", file);
    return text;
}

static void
assert_file(const char *file, const char *text)
{
    g_autofree char *found = contents(file);
    assert_string_equal(found, text);
}

static int
fresh(void **state)
{
    const char *const argv[] = {"rm", "-rf", "papers", NULL};
    (void)state;
    g_assert_true(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL,
                               NULL, NULL, NULL));
    test_web_reset(web);
    serve_papers();
    return 0;
}

static void
free_copies_are_found_and_recorded(void **state)
{
    (void)state;
    counts c = {0};
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) papers = fetch_into("papers", &c, NULL, &error);
    if (!papers) fail_msg("%s", error->message);
    assert_int_equal(papers->len, 3);
    assert_int_equal(c.states[SEARCH_PAPER_FETCHED], 2);
    assert_int_equal(c.states[SEARCH_PAPER_ABSTRACT_ONLY], 1);
    assert_non_null(strstr(c.reason, "Unpaywall: knows no free copy; its page: names no PDF"));
    g_free(c.reason);
    assert_file("papers/10.5555_a.pdf", PDF_A);
    assert_file("papers/10.5555_b.pdf", PDF_B);
    assert_false(g_file_test("papers/10.5555_c.pdf", G_FILE_TEST_EXISTS));
    const search_paper *b = papers->pdata[1];
    assert_string_equal(b->license, "https://creativecommons.org/licenses/by/4.0/");
    assert_true(b->retrieved > 1600000000);

    g_autofree char *bib = contents("papers/papers.bib"), *csl = contents("papers/papers.csl.json");
    assert_non_null(strstr(bib, "title = {On the first matter}"));
    assert_non_null(strstr(bib, "author = {Example, Ada}"));
    assert_non_null(strstr(bib, "doi = {10.5555/b}"));
    assert_non_null(strstr(bib, "  file = {10.5555_b.pdf},\n"));
    assert_null(strstr(bib, "third matter"));
    assert_non_null(strstr(csl, "\"DOI\": \"10.5555/a\""));
    g_autofree char *record = contents("papers/papers.json");
    json_t *json = json_loads(record, 0, NULL);
    const json_t *a = json_array_get(json_object_get(json, "papers"), 0);
    for (size_t i = 0; i < 3; i++) { /* in the order in which they were through */
        const json_t *p = json_array_get(json_object_get(json, "papers"), i);
        if (g_strcmp0(search_json_text(p, "doi"), "10.5555/a") == 0) a = p;
    }
    assert_string_equal(search_json_text(a, "status"), "pdf");
    assert_true(g_str_has_suffix(search_json_text(a, "source"), "/real/a.pdf"));
    assert_non_null(search_json_text(a, "retrieved"));
    g_autofree char *sha256 = g_compute_checksum_for_string(G_CHECKSUM_SHA256, PDF_A, -1);
    assert_string_equal(search_json_text(a, "sha256"), sha256);
    json_decref(json);
}

static guint
requests_for(const char *part)
{
    guint n = 0;
    for (guint i = 0; i < test_web_requests(web); i++) {
        g_autofree char *text = test_web_request(web, i);
        g_autofree char *line = g_strndup(text, strcspn(text, "\n"));
        n += strstr(line, part) != NULL;
    }
    return n;
}

static void
a_second_run_fetches_what_is_missing(void **state)
{
    (void)state;
    counts c = {0};
    g_autoptr(GPtrArray) first = fetch_into("papers", &c, NULL, NULL);
    assert_int_equal(g_unlink("papers/10.5555_b.pdf"), 0);
    g_autoptr(GPtrArray) second = fetch_into("papers", &c, NULL, NULL);
    assert_int_equal(c.states[SEARCH_PAPER_KEPT], 1);
    assert_int_equal(c.states[SEARCH_PAPER_FETCHED], 1);
    assert_int_equal(requests_for("/real/a.pdf"), 1);
    assert_int_equal(requests_for("/b.pdf"), 2);
    assert_file("papers/10.5555_b.pdf", PDF_B);
    g_autoptr(GPtrArray) third = fetch_into("papers", &c, NULL, NULL);
    assert_int_equal(c.states[SEARCH_PAPER_KEPT], 2);
    g_autofree char *record = contents("papers/papers.json");
    json_t *json = json_loads(record, 0, NULL);
    assert_int_equal(json_array_size(json_object_get(json, "papers")), 3);
    json_decref(json);
    g_free(c.reason);
}

static void
a_run_that_is_stopped_keeps_what_it_has(void **state)
{
    (void)state;
    counts c = {0};
    int stop = 0;
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) none = fetch_into("papers", &c, &stop, &error);
    assert_null(none);
    assert_int_equal(error->code, SEARCH_ERROR_CANCELLED);
    assert_true(g_file_test("papers/papers.json", G_FILE_TEST_EXISTS));
    assert_true(g_file_test("papers/papers.bib", G_FILE_TEST_EXISTS));
    guint had = c.states[SEARCH_PAPER_FETCHED];
    assert_true(had >= 1);
    g_autoptr(GPtrArray) rest = fetch_into("papers", &c, NULL, NULL);
    assert_int_equal(c.states[SEARCH_PAPER_KEPT], had);
    assert_int_equal(c.states[SEARCH_PAPER_FETCHED], 2 - had);
    g_free(c.reason);
}

static void
trouble_is_said(void **state)
{
    (void)state;
    counts c = {0};
    g_autoptr(GError) error = NULL;
    assert_int_equal(g_mkdir_with_parents("papers", 0700), 0);
    assert_true(g_file_set_contents("papers/papers.json", "{\"papers\": 1", -1, NULL));
    assert_null(fetch_into("papers", &c, NULL, &error));
    assert_non_null(strstr(error->message, "papers.json: damaged"));
    g_clear_error(&error);
    assert_int_equal(g_unlink("papers/papers.json"), 0);
    test_web_reset(web);
    assert_null(fetch_into("papers", &c, NULL, &error));
    assert_non_null(strstr(error->message, "crossref: nothing at"));
    /* a record that names a file elsewhere is not followed */
    g_clear_error(&error);
    fresh(NULL);
    assert_int_equal(g_mkdir_with_parents("papers", 0700), 0);
    assert_true(g_file_set_contents(
        "papers/papers.json",
        "{\"papers\":[{\"doi\":\"10.5555/a\",\"file\":\"../x.pdf\",\"sha256\":\"\","
        "\"keys\":[\"doi:10.5555/a\"]}]}",
        -1, NULL));
    g_autoptr(GPtrArray) papers = fetch_into("papers", &c, NULL, &error);
    assert_non_null(papers);
    assert_int_equal(c.states[SEARCH_PAPER_KEPT], 0);
    g_free(c.reason);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(free_copies_are_found_and_recorded, fresh),
        cmocka_unit_test_setup(a_second_run_fetches_what_is_missing, fresh),
        cmocka_unit_test_setup(a_run_that_is_stopped_keeps_what_it_has, fresh),
        cmocka_unit_test_setup(trouble_is_said, fresh),
    };
    g_setenv("no_proxy", "*", TRUE);
    web = test_web_start();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    test_web_stop(web);
    return failed;
}

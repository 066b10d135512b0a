/* kiwix-serve itself, with a ZIM file made here from pages of our own: a real search engine. Skipped where
 * kiwix-tools and zim-tools are not installed. */
#include "search/search.h"
#include "tests/search/engine.h"

#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SKIP 77

static GSubprocess *server;
static guint port;

static const struct {
    const char *name, *title, *text;
} pages[] = {
    {"index.html", "Lighthouses",
     "A small encyclopedia of lighthouses and of those who built them."},
    {"skerry.html", "Skerry Point lighthouse",
     "The lighthouse of Skerry Point was lit in 1874. Its engineer was Morag Findlay, who had "
     "learned "
     "her trade in Oban. The lantern turns once in twelve seconds &amp; is seen for thirty "
     "kilometres."},
    {"findlay.html", "Morag Findlay",
     "Morag Findlay was an engineer from Oban. She studied at the school of mines in Truro."},
    {"oban.html", "Oban", "Oban is a harbour town. Ferries leave it for the islands."},
};

static void
write_pages(void)
{
    /* the head of a PNG of 48 x 48 is all that zimwriterfs looks at */
    static const char icon[] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x30\0\0\0\x30\x08\0\0\0\0";
    g_assert_true(g_mkdir_with_parents("pages", 0700) == 0);
    for (gsize i = 0; i < G_N_ELEMENTS(pages); i++) {
        g_autofree char *file = g_build_filename("pages", pages[i].name, NULL);
        g_autofree char *html =
            g_strdup_printf("<!DOCTYPE html><html><head><meta "
                            "charset=\"utf-8\"><title>%s</title></head><body><h1>%s</h1>"
                            "<p>%s</p></body></html>",
                            pages[i].title, pages[i].title, pages[i].text);
        g_assert_true(g_file_set_contents(file, html, -1, NULL));
    }
    g_assert_true(g_file_set_contents("pages/icon.png", icon, sizeof icon - 1, NULL));
}

static void
write_zim(const char *file, gboolean with_index)
{
    g_autoptr(GError) error = NULL;
    const char *argv[] = {"zimwriterfs",
                          "--welcome=index.html",
                          "--illustration=icon.png",
                          "--language=eng",
                          "--title=Lighthouses",
                          "--description=Lighthouses",
                          "--creator=lode",
                          "--publisher=lode",
                          "--name=lighthouses",
                          "pages",
                          file,
                          NULL,
                          NULL};
    if (!with_index) {
        argv[9] = "--withoutFTIndex";
        argv[10] = "pages";
        argv[11] = file;
    }
    g_unlink(file);
    g_autoptr(GSubprocess) writer = g_subprocess_newv(
        argv, G_SUBPROCESS_FLAGS_STDOUT_SILENCE | G_SUBPROCESS_FLAGS_STDERR_SILENCE, &error);
    if (!writer || !g_subprocess_wait_check(writer, NULL, &error)) fail_msg("%s", error->message);
}

static int
start(void **state)
{
    (void)state;
    write_pages();
    write_zim("full.zim", TRUE);
    write_zim("titles.zim", FALSE);
    port = test_free_port();
    g_autofree char *option = g_strdup_printf("--port=%u", port);
    g_autofree char *url = g_strdup_printf("http://127.0.0.1:%u/", port);
    const char *const argv[] = {"kiwix-serve", "--address=127.0.0.1", option,
                                "full.zim",    "titles.zim",          NULL};
    server = test_engine_start(argv, NULL, NULL, url);
    return server ? 0 : -1;
}

static int
stop(void **state)
{
    (void)state;
    test_engine_stop(server);
    return 0;
}

typedef struct {
    GPtrArray *hits;
    char *error;
    search_response *page;
} outcome;

static void
on_answer(const search_answer *answer, void *user_data)
{
    outcome *o = user_data;
    if (answer->error) o->error = g_strdup(answer->error->message);
}

static void
on_fused(GPtrArray *hits, void *user_data)
{
    outcome *o = user_data;
    o->hits = hits;
}

static void
on_page(search_response *response, const GError *error, void *user_data)
{
    outcome *o = user_data;
    o->page = response;
    if (error) o->error = g_strdup(error->message);
}

static void
outcome_clear(outcome *o)
{
    g_clear_pointer(&o->hits, g_ptr_array_unref);
    g_clear_pointer(&o->error, g_free);
    g_clear_pointer(&o->page, search_response_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(outcome, outcome_clear)

static void
ask(search_client *client, const char *scope, const char *query, outcome *o)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *list = g_strdup_printf("kiwix=http://127.0.0.1:%u/%s", port, scope);
    g_autoptr(GPtrArray) providers = search_providers_parse(list, &error);
    assert_non_null(providers);
    search_query(client, providers, query, NULL, on_answer, on_fused, o);
    while (search_client_run(client, -1)) {
    }
}

/* The page of the best hit must be readable and hold text. */
static void
assert_leads_to(search_client *client, outcome *o, const char *title, const char *text)
{
    if (o->error) fail_msg("%s", o->error);
    assert_true(o->hits->len > 0);
    const search_hit *hit = o->hits->pdata[0];
    assert_string_equal(hit->title, title);
    assert_true(hit->own_server);
    search_client_get(client, hit->url, &(search_request){.own_server = hit->own_server}, on_page,
                      o);
    while (search_client_run(client, -1)) {
    }
    if (!o->page) fail_msg("%s", o->error);
    gsize len = 0;
    const char *body = g_bytes_get_data(o->page->body, &len);
    g_autoptr(lode_document) page =
        layout_document_from_html(body, len, o->page->charset, o->page->url, NULL);
    assert_non_null(page);
    gboolean found = FALSE;
    for (guint i = 0; i < page->n_blocks; i++)
        if (strstr(page->blocks[i].text, text)) found = TRUE;
    assert_true(found);
}

static void
a_question_finds_its_page(void **state)
{
    (void)state;
    g_autoptr(search_client) client = search_client_new(NULL, NULL);
    g_auto(outcome) o = {0};
    ask(client, "?books.name=full", "Who was the engineer of the Skerry Point lighthouse?", &o);
    assert_leads_to(client, &o, "Skerry Point lighthouse", "Its engineer was Morag Findlay");
    const search_hit *hit = o.hits->pdata[0];
    assert_non_null(hit->snippet);
    assert_null(strchr(hit->snippet, '<'));
}

static void
a_book_without_an_index_is_searched_by_titles(void **state)
{
    (void)state;
    g_autoptr(search_client) client = search_client_new(NULL, NULL);
    g_auto(outcome) o = {0};
    ask(client, "?books.name=titles", "Oban", &o);
    assert_leads_to(client, &o, "Oban", "Oban is a harbour town.");
}

static void
a_book_that_is_not_there_is_said(void **state)
{
    (void)state;
    g_autoptr(search_client) client = search_client_new(NULL, NULL);
    g_auto(outcome) o = {0};
    ask(client, "?books.name=none", "Oban", &o);
    assert_int_equal(o.hits->len, 0);
    assert_non_null(o.error);
    assert_true(g_str_has_prefix(o.error, "kiwix: "));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_finds_its_page),
        cmocka_unit_test(a_book_without_an_index_is_searched_by_titles),
        cmocka_unit_test(a_book_that_is_not_there_is_said),
    };
    g_autofree char *serve = g_find_program_in_path("kiwix-serve");
    g_autofree char *writer = g_find_program_in_path("zimwriterfs");
    if (!serve || !writer) {
        g_print("skipped: no kiwix-serve or zimwriterfs (Debian: kiwix-tools, zim-tools)\n");
        return SKIP;
    }
    g_setenv("no_proxy", "*", TRUE);
    return cmocka_run_group_tests(tests, start, stop);
}

/* searx itself, with its one engine pointed at a source of ours: the JSON interface as it really is. Skipped where it is not
 * installed (Debian 12: searx). */
#include "search/search.h"
#include "tests/search/engine.h"
#include "tests/search/web.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SKIP 77

static test_web *source; /* what searx searches */
static GSubprocess *server;
static guint port;

static const char settings[] =
    "general: {debug: false, instance_name: test, contact_url: false, enable_stats: false}\n"
    "search: {safe_search: 0, autocomplete: '', default_lang: '', ban_time_on_fail: 0, "
    "max_ban_time_on_fail: 0, "
    "formats: [html, json]}\n"
    "server: {port: %u, bind_address: 127.0.0.1, secret_key: of no importance, base_url: false, "
    "image_proxy: "
    "false, http_protocol_version: '1.0', method: POST, default_http_headers: {}}\n"
    "ui: {static_path: /usr/share/python3-searx/static, templates_path: "
    "/usr/share/python3-searx/templates, "
    "default_theme: oscar, default_locale: '', advanced_search: false, theme_args: {oscar_style: "
    "logicodev}}\n"
    "outgoing: {request_timeout: 3.0, useragent_suffix: '', pool_connections: 10, pool_maxsize: "
    "10}\n"
    "checker: {}\n"
    "locales: {en: English}\n"
    "doi_resolvers: {doi.org: 'https://doi.org/'}\n"
    "default_doi_resolver: doi.org\n"
    "engines:\n"
    "  - {name: ours, engine: json_engine, shortcut: ou, search_url: "
    "'http://127.0.0.1:%u/source?q={query}', "
    "results_query: items, url_query: link, title_query: name, content_query: text, categories: "
    "general, "
    "timeout: 3.0, enable_http: true}\n";

static void
start_searx(void)
{
    port = test_free_port();
    g_autofree char *text = g_strdup_printf(settings, port, test_web_port(source));
    g_autofree char *folder = g_get_current_dir();
    g_autofree char *file = g_build_filename(folder, "settings.yml", NULL);
    g_autofree char *url = g_strdup_printf("http://127.0.0.1:%u/", port);
    static const char *const argv[] = {"searx-run", NULL};
    g_assert_true(g_file_set_contents(file, text, -1, NULL));
    server = test_engine_start(argv, "SEARX_SETTINGS_PATH", file, url);
    assert_non_null(server);
}

static int
stop(void **state)
{
    (void)state;
    test_engine_stop(server);
    server = NULL;
    return 0;
}

typedef struct {
    GPtrArray *hits;
    char *error;
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
outcome_clear(outcome *o)
{
    g_clear_pointer(&o->hits, g_ptr_array_unref);
    g_clear_pointer(&o->error, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(outcome, outcome_clear)

static void
ask(const char *query, const char *language, outcome *o)
{
    g_autofree char *list = g_strdup_printf("searxng=http://127.0.0.1:%u", port);
    g_autoptr(GPtrArray) providers = search_providers_parse(list, NULL);
    g_autoptr(search_client) client =
        search_client_new(&(search_client_options){.retry_seconds = -1}, NULL);
    search_query(client, providers, query, &(search_query_options){.language = language}, on_answer,
                 on_fused, o);
    while (search_client_run(client, -1)) {
    }
}

static void
results_come_from_behind_it(void **state)
{
    (void)state;
    g_auto(outcome) o = {0}, english = {0}, none = {0}, broken = {0};
    start_searx();
    test_web_answer(
        source, "/source", 200, "Content-Type: application/json",
        "{\"items\":[{\"link\":\"https://example.org/foam\",\"name\":\"Foam & more\",\"text\":\"A "
        "foam of "
        "ceria.\"},{\"link\":\"https://example.net/b\",\"name\":\"B\",\"text\":\"\"}]}");
    ask("ammonia foam", NULL, &o);
    if (o.error) fail_msg("%s", o.error);
    assert_int_equal(o.hits->len, 2);
    const search_hit *hit = o.hits->pdata[0];
    assert_string_equal(hit->url, "https://example.org/foam");
    assert_string_equal(hit->title, "Foam & more");
    assert_string_equal(hit->snippet, "A foam of ceria.");
    g_autofree char *request = test_web_request(source, 0);
    assert_non_null(strstr(request, "/source?q=ammonia"));
    ask("ammonia foam", "en", &english);
    assert_int_equal(english.hits->len, 2);

    test_web_reset(source);
    test_web_answer(source, "/source", 200, "Content-Type: application/json", "{\"items\":[]}");
    ask("nothing", NULL, &none);
    assert_null(none.error);
    assert_int_equal(none.hits->len, 0);

    test_web_reset(source); /* the engine behind it gets a 404 */
    ask("trouble", NULL, &broken);
    assert_non_null(broken.error);
    assert_non_null(strstr(broken.error, "some of its engines did not answer: ours (HTTP error)"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(results_come_from_behind_it, stop),
    };
    g_autofree char *searx = g_find_program_in_path("searx-run");
    if (!searx) {
        g_print("skipped: no searx-run (Debian 12: searx)\n");
        return SKIP;
    }
    g_setenv("no_proxy", "*", TRUE);
    source = test_web_start();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    test_web_stop(source);
    return failed;
}

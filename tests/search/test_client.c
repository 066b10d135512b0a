/* The client: many transfers on one thread, its cache, robots.txt, rates and retries. */
#include "search/client.h"
#include "tests/search/web.h"

#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static test_web *web;

/* What one request came to. */
typedef struct {
    search_response *response;
    GError *error;
    guint calls;
} result;

static void
result_clear(result *r)
{
    search_response_free(r->response);
    g_clear_error(&r->error);
    *r = (result){0};
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(result, result_clear)

static void
keep(search_response *response, const GError *error, void *user_data)
{
    result *r = user_data;
    assert_true((response == NULL) == (error != NULL));
    r->calls++;
    r->response = response;
    r->error = error ? g_error_copy(error) : NULL;
}

static void
run_all(search_client *client)
{
    while (search_client_run(client, -1)) {
    }
}

static search_client *
new_client(const search_client_options *options)
{
    g_autoptr(GError) error = NULL;
    search_client *client = search_client_new(options, &error);
    if (!client) fail_msg("%s", error->message);
    return client;
}

static void
get(search_client *client, const char *path, const search_request *request, result *r)
{
    g_autofree char *url = test_web_url(web, path);
    search_client_get(client, url, request, keep, r);
    run_all(client);
    assert_int_equal(r->calls, 1);
}

static void
assert_body(const result *r, const char *text)
{
    if (!r->response) fail_msg("%s", r->error->message);
    assert_int_equal(g_bytes_get_size(r->response->body), strlen(text));
    assert_memory_equal(g_bytes_get_data(r->response->body, NULL), text, strlen(text));
}

static void
assert_failed(const result *r, int code, const char *part)
{
    assert_non_null(r->error);
    if (r->error->code != code || !strstr(r->error->message, part))
        fail_msg("%d: %s", r->error->code, r->error->message);
}

static const search_request own = {.own_server = TRUE, .ignore_robots = TRUE};
static const search_request own_polite = {.own_server = TRUE};

static int
fresh(void **state)
{
    (void)state;
    test_web_reset(web);
    return 0;
}

/* An empty folder in the scratch folder, for a cache. */
static void
empty_cache(void)
{
    const char *const argv[] = {"rm", "-rf", "cache", NULL};
    g_assert_true(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL,
                               NULL, NULL, NULL));
}

static void
answers_come_with_what_they_are(void **state)
{
    (void)state;
    g_autoptr(search_client) client = new_client(NULL);
    static const struct {
        const char *type, *body;
        search_content content;
    } cases[] = {
        {"text/html; charset=utf-8", "<p>x", SEARCH_CONTENT_HTML},
        {"text/html", "%PDF-1.5 ...", SEARCH_CONTENT_PDF},
        {"application/pdf", "<!DOCTYPE html><title>Sign in", SEARCH_CONTENT_HTML},
        {"application/octet-stream", "junk %PDF-1.4", SEARCH_CONTENT_PDF},
        {"application/json", " {}", SEARCH_CONTENT_JSON},
        {"application/atom+xml", "<?xml version='1.0'?><feed/>", SEARCH_CONTENT_XML},
        {"text/plain", "plain", SEARCH_CONTENT_TEXT},
        {"text/plain", "{not json", SEARCH_CONTENT_TEXT},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *header = g_strconcat("Content-Type: ", cases[i].type, NULL);
        g_auto(result) r = {0};
        test_web_reset(web);
        test_web_answer(web, "/x", 200, header, cases[i].body);
        get(client, "/x", &own, &r);
        assert_body(&r, cases[i].body);
        if (r.response->content != cases[i].content)
            fail_msg("%s %s: %d", cases[i].type, cases[i].body, r.response->content);
        assert_false(r.response->cached);
        assert_true(r.response->retrieved > 1600000000);
    }
}

static void
pictures_are_skipped_with_a_reason(void **state)
{
    (void)state;
    g_autoptr(search_client) client = new_client(NULL);
    g_auto(result) r = {0};
    test_web_answer(web, "/x", 200, "Content-Type: image/png", "\x89PNG\r\n\x1a\n\x01\x02");
    get(client, "/x", &own, &r);
    assert_failed(&r, SEARCH_ERROR_FORMAT, "/x: neither a page, a paper nor text, but image/png");
    g_auto(result) any = {0};
    get(client, "/x",
        &(search_request){.own_server = TRUE, .any_content = TRUE, .ignore_robots = TRUE}, &any);
    assert_non_null(any.response);
}

static void
private_addresses_need_leave_for_this_origin_alone(void **state)
{
    (void)state;
    g_autoptr(search_client) client = new_client(NULL);
    g_auto(result) r = {0}, own_one = {0}, other = {0};
    test_web_answer(web, "/x", 200, NULL, "text");
    get(client, "/x", &(search_request){.ignore_robots = TRUE}, &r);
    assert_failed(&r, SEARCH_ERROR_ADDRESS, "127.0.0.1");
    assert_int_equal(test_web_requests(web), 0);
    get(client, "/x", &own, &own_one);
    assert_body(&own_one, "text");

    /* the same machine under another name is another origin; the connection that is open must not help */
    g_autofree char *there = g_strdup_printf("Location: http://localhost:%u/x", test_web_port(web));
    test_web_answer(web, "/away", 302, there, "");
    guint before = test_web_requests(web);
    get(client, "/away", &own, &other);
    assert_failed(&other, SEARCH_ERROR_ADDRESS, "not allowed");
    assert_int_equal(test_web_requests(web), before + 1); /* and is not tried again */
}

static void
names_are_held_to_the_policy_by_what_they_resolve_to(void **state)
{
    (void)state;
    static const char *const addresses[] = {"127.0.0.1",       "10.0.0.1", "192.168.1.1",
                                            "169.254.169.254", "[::1]",    "[::ffff:127.0.0.1]",
                                            "[fd00::1]"};
    for (gsize i = 0; i < G_N_ELEMENTS(addresses); i++) {
        g_autofree char *line =
            g_strdup_printf("innocent.example:%u:%s", test_web_port(web), addresses[i]);
        const char *const resolve[] = {line, NULL};
        g_autoptr(search_client) client = new_client(&(search_client_options){.resolve = resolve});
        g_autofree char *url = g_strdup_printf("http://innocent.example:%u/x", test_web_port(web));
        g_auto(result) r = {0};
        search_client_get(client, url, &(search_request){.ignore_robots = TRUE}, keep, &r);
        run_all(client);
        assert_failed(&r, SEARCH_ERROR_ADDRESS, "innocent.example");
    }
    assert_int_equal(test_web_requests(web), 0);
}

static void
keys_do_not_follow_a_redirect_to_another_host(void **state)
{
    (void)state;
    g_autoptr(search_client) client = new_client(&(search_client_options){.allow_private = TRUE});
    const char *const headers[] = {"X-API-KEY: hidden", NULL};
    search_request request = {.headers = headers, .ignore_robots = TRUE};
    g_autofree char *there =
        g_strdup_printf("Location: http://localhost:%u/end", test_web_port(web));
    test_web_answer(web, "/away", 302, there, "");
    test_web_answer(web, "/home", 302, "Location: /end", "");
    test_web_answer(web, "/end", 200, "Content-Type: text/plain", "end");
    g_auto(result) away = {0}, home = {0};
    get(client, "/home", &request, &home);
    get(client, "/away", &request, &away);
    assert_body(&home, "end");
    assert_body(&away, "end");
    static const gboolean sent[] = {TRUE, TRUE, TRUE, FALSE};
    for (guint i = 0; i < 4; i++) {
        g_autofree char *text = test_web_request(web, i);
        assert_int_equal(strstr(text, "X-API-KEY: hidden") != NULL, sent[i]);
    }
    g_auto(result) posted = {0};
    request.body = "{\"key\":1}";
    test_web_answer(web, "/pass", 307, there, "");
    get(client, "/pass", &request, &posted);
    assert_failed(&posted, SEARCH_ERROR_ADDRESS, "another host");
}

static void
a_post_carries_its_body(void **state)
{
    (void)state;
    g_autoptr(search_client) client = new_client(NULL);
    search_request request = own;
    request.body = "{\"q\":\"x\"}";
    request.accept = "application/json";
    g_auto(result) r = {0};
    test_web_answer(web, "/s", 200, "Content-Type: application/json", "{}");
    get(client, "/s", &request, &r);
    assert_body(&r, "{}");
    g_autofree char *text = test_web_request(web, 0);
    assert_non_null(strstr(text, "POST /s\n"));
    assert_non_null(strstr(text, "Content-Type: application/json\n"));
    assert_non_null(strstr(text, "\n\n{\"q\":\"x\"}"));
}

static void
what_is_fresh_is_not_asked_for_again(void **state)
{
    (void)state;
    empty_cache();
    const search_client_options options = {.cache_dir = "cache"};
    test_web_answer(web, "/x", 200, "Content-Type: text/html; charset=latin1\nETag: \"1\"",
                    "<p>one");
    test_web_answer(web, "/x", 200, "Content-Type: text/html\nETag: \"2\"", "<p>two");
    for (guint i = 0; i < 2; i++) {
        g_autoptr(search_client) client = new_client(&options);
        g_auto(result) r = {0};
        get(client, "/x", &own, &r);
        assert_body(&r, "<p>one");
        assert_int_equal(r.response->cached, i == 1);
        assert_string_equal(r.response->charset, "latin1");
        assert_int_equal(r.response->content, SEARCH_CONTENT_HTML);
    }
    assert_int_equal(test_web_requests(web), 1);
}

static void
what_is_old_is_asked_whether_it_still_holds(void **state)
{
    (void)state;
    empty_cache();
    const search_client_options options = {.cache_dir = "cache"};
    const char *headers = "Content-Type: text/html\nETag: W/\"1\"\nCache-Control: no-cache";
    test_web_answer(web, "/x", 200, headers, "<p>one");
    for (guint i = 0; i < 3; i++) {
        g_autoptr(search_client) client = new_client(&options);
        g_auto(result) r = {0};
        get(client, "/x", &own, &r);
        assert_body(&r, "<p>one");
        assert_int_equal(r.response->cached, i > 0);
    }
    assert_int_equal(test_web_requests(web), 3);
    g_autofree char *text = test_web_request(web, 2);
    assert_non_null(strstr(text, "If-None-Match: W/\"1\"\n"));
    test_web_reset(web);
    test_web_answer(web, "/x", 200, "Content-Type: text/html\nETag: \"9\"", "<p>two");
    g_autoptr(search_client) client = new_client(&options);
    g_auto(result) r = {0};
    get(client, "/x", &own, &r);
    assert_body(&r, "<p>two");
}

static void
offline_is_the_cache_and_nothing_else(void **state)
{
    (void)state;
    empty_cache();
    test_web_answer(web, "/x", 200, "Content-Type: text/html\nCache-Control: no-store", "<p>one");
    {
        g_autoptr(search_client) client =
            new_client(&(search_client_options){.cache_dir = "cache"});
        g_auto(result) r = {0};
        get(client, "/x?q=1&api_key=secret", &own, &r);
        assert_body(&r, "<p>one");
    }
    g_autoptr(search_client) client =
        new_client(&(search_client_options){.cache_dir = "cache", .offline = TRUE});
    g_auto(result) r = {0}, none = {0};
    get(client, "/x?q=1&api_key=other", &own, &r);
    assert_body(&r, "<p>one");
    assert_null(strstr(r.response->url, "secret"));
    get(client, "/y?api_key=secret", &own, &none);
    assert_failed(&none, SEARCH_ERROR_OFFLINE, "api_key=***");
    assert_int_equal(test_web_requests(web), 1);
    g_autoptr(GError) error = NULL;
    assert_null(search_client_new(&(search_client_options){.offline = TRUE}, &error));
    assert_non_null(error);
}

static void
a_damaged_cache_is_no_answer(void **state)
{
    (void)state;
    empty_cache();
    test_web_answer(web, "/x", 200, "Content-Type: text/html", "<p>one");
    for (guint i = 0; i < 3; i++) {
        g_autoptr(search_client) client =
            new_client(&(search_client_options){.cache_dir = "cache"});
        g_auto(result) r = {0};
        get(client, "/x", &own, &r);
        assert_body(&r, "<p>one");
        g_autofree char *url = test_web_url(web, "/x");
        g_autofree char *name = search_cache_name(url, NULL);
        g_autofree char *file = g_strdup_printf("cache/%.2s/%s-own", name, name + 2);
        g_autofree char *text = NULL;
        gsize len = 0;
        assert_true(g_file_get_contents(file, &text, &len, NULL));
        if (i == 0)
            len -= 2;
        else
            memset(text, 'x', 20);
        assert_true(g_file_set_contents(file, text, (gssize)len, NULL));
    }
    assert_int_equal(test_web_requests(web), 3);
}

static void
robots_txt_is_obeyed_and_asked_for_once(void **state)
{
    (void)state;
    g_autoptr(search_client) client = new_client(NULL);
    test_web_answer(web, "/robots.txt", 200, "Content-Type: text/plain",
                    "User-agent: *\nDisallow: /closed\n");
    test_web_answer(web, "/open", 200, "Content-Type: text/plain", "open");
    test_web_answer(web, "/closed/x", 200, "Content-Type: text/plain", "closed");
    test_web_answer(web, "/turn", 302, "Location: /closed/x", "");
    g_auto(result) open = {0}, closed = {0}, typed = {0}, turned = {0};
    get(client, "/open", &own_polite, &open);
    get(client, "/closed/x", &own_polite, &closed);
    get(client, "/turn", &own_polite, &turned);
    get(client, "/closed/x", &own, &typed);
    assert_body(&open, "open");
    assert_failed(&closed, SEARCH_ERROR_ROBOTS, "/closed/x: the site's robots.txt");
    assert_failed(&turned, SEARCH_ERROR_ROBOTS, "/closed/x");
    assert_body(&typed, "closed");
    assert_int_equal(test_web_requests(web), 4);
}

static void
no_robots_txt_allows_all_and_a_broken_one_nothing(void **state)
{
    (void)state;
    test_web_answer(web, "/open", 200, "Content-Type: text/plain", "open");
    static const struct {
        guint status;
        int code; /* -1: allowed */
    } cases[] = {{404, -1}, {403, -1}, {501, SEARCH_ERROR_ROBOTS}, {301, -1}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(search_client) client = new_client(NULL);
        g_auto(result) r = {0};
        test_web_reset(web);
        test_web_answer(web, "/open", 200, "Content-Type: text/plain", "open");
        test_web_answer(web, "/robots.txt", cases[i].status,
                        cases[i].status == 301 ? "Location: /robots.txt" : NULL, "no");
        get(client, "/open", &own_polite, &r);
        if (cases[i].code < 0)
            assert_body(&r, "open");
        else
            assert_failed(&r, cases[i].code, "/robots.txt: HTTP status 501");
    }
}

static void
a_long_robots_txt_is_read_as_far_as_it_must(void **state)
{
    (void)state;
    g_autoptr(search_client) client = new_client(NULL);
    g_autoptr(GString) text = g_string_new("User-agent: *\nDisallow: /early\n");
    while (text->len < SEARCH_ROBOTS_BYTES)
        g_string_append(text, "# filling the file with remarks, and with more of them\n");
    g_string_append(text, "Disallow: /late\n");
    test_web_answer(web, "/robots.txt", 200, "Content-Type: text/plain", text->str);
    test_web_answer(web, "/late", 200, "Content-Type: text/plain", "late");
    g_auto(result) early = {0}, late = {0};
    get(client, "/early", &own_polite, &early);
    get(client, "/late", &own_polite, &late);
    assert_failed(&early, SEARCH_ERROR_ROBOTS, "/early");
    assert_body(&late, "late");
}

static void
rules_of_robots_txt_follow_the_standard(void **state)
{
    (void)state;
    static const struct {
        const char *robots, *target;
        gboolean allowed;
    } cases[] = {
        {"User-agent: *\nDisallow: /", "/x", FALSE},
        {"User-agent: *\nDisallow:", "/x", TRUE},
        {"User-agent: other\nDisallow: /", "/x", TRUE},
        {"User-agent: other\nUser-agent: LODE/1\nDisallow: /", "/x", FALSE},
        {"User-agent: *\nDisallow: /\nUser-agent: lode\nAllow: /a\nDisallow: /b", "/c", TRUE},
        {"User-agent: *\nDisallow: /\nUser-agent: lode\nAllow: /a\nDisallow: /b", "/b", FALSE},
        {"User-agent: lode\nDisallow: /a\n\nUser-agent: x\nDisallow: /\n\nUser-agent: "
         "lode\nDisallow: /b",
         "/b", FALSE},
        {"User-agent: lodestone\nDisallow: /", "/x", TRUE},
        {"user-agent:*\ndisallow:/p\nallow:/p/q", "/p/q/r", TRUE},
        {"user-agent:*\nallow:/p\ndisallow:/p", "/p", TRUE},
        {"user-agent:*\ndisallow:/*.pdf$", "/a/b.pdf", FALSE},
        {"user-agent:*\ndisallow:/*.pdf$", "/a/b.pdf?x", TRUE},
        {"user-agent:*\ndisallow:/a*c*e", "/abcde", FALSE},
        {"user-agent:*\ndisallow:/a*c*e", "/abde", TRUE},
        {"user-agent:*\ndisallow:/%7ejoe", "/~joe/x", FALSE},
        {"user-agent:*\ndisallow:/a%2fb", "/a%2Fb", FALSE},
        {"user-agent:*\ndisallow:/a%2fb", "/a/b", TRUE},
        {"user-agent:*\ndisallow:/\xc3\xa9", "/%C3%A9t%C3%A9", FALSE},
        {"user-agent:* # all\r\ndisallow: /x # this\r\n", "/x", FALSE},
        {"\xef\xbb\xbfUser-agent: *\nDisallow: /", "/x", FALSE},
        {"user-agent: *\ndisallow: /", "/robots.txt", TRUE},
        {"sitemap: x\nuser-agent: *\ncrawl-delay: 3\ndisallow: /x", "/x", FALSE},
        {"disallow: /", "/x", TRUE},
        {"", "/x", TRUE},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        search_robots *robots = search_robots_parse(cases[i].robots, strlen(cases[i].robots));
        if (search_robots_allow(robots, cases[i].target) != cases[i].allowed)
            fail_msg("%s on %s", cases[i].robots, cases[i].target);
        search_robots_free(robots);
    }
}

static void
a_busy_server_is_asked_again_when_it_says(void **state)
{
    (void)state;
    g_autoptr(search_client) client = new_client(NULL);
    g_auto(result) r = {0};
    test_web_answer(web, "/x", 429, "Retry-After: 1", "later");
    test_web_answer(web, "/x", 200, "Content-Type: text/plain", "now");
    gint64 start = g_get_monotonic_time();
    get(client, "/x", &own, &r);
    assert_body(&r, "now");
    assert_true(g_get_monotonic_time() - start >= G_USEC_PER_SEC);
    assert_int_equal(test_web_requests(web), 2);
}

static void
a_server_that_wants_too_much_patience_is_given_up(void **state)
{
    (void)state;
    g_autoptr(search_client) client = new_client(NULL);
    g_auto(result) r = {0}, closed = {0}, never = {0};
    test_web_answer(web, "/x", 503, "Retry-After: 600", "later");
    get(client, "/x", &own, &r);
    assert_failed(&r, SEARCH_ERROR_STATUS, "HTTP status 503; it asks to wait 600 s");
    get(client, "/y", &own, &closed);
    assert_failed(&closed, SEARCH_ERROR_STATUS, "left alone for ");
    assert_int_equal(test_web_requests(web), 1);
    g_autoptr(search_client) second = new_client(NULL);
    test_web_answer(web, "/y", 404, NULL, "none");
    get(second, "/y", &own, &never);
    assert_failed(&never, SEARCH_ERROR_STATUS, "404");
}

static void
what_ends_early_is_cancelled_once(void **state)
{
    (void)state;
    int stop = 0;
    result r[3] = {{0}};
    test_web_answer(web, "/x", 200, "Content-Type: text/plain", "text");
    g_autofree char *url = test_web_url(web, "/x");
    {
        g_autoptr(search_client) client = new_client(&(search_client_options){.cancel = &stop});
        guint64 first = search_client_get(client, url, &own, keep, &r[0]);
        search_client_get(client, url, &own, keep, &r[1]);
        search_client_cancel(client, first);
        search_client_cancel(client, first);
        run_all(client);
        assert_failed(&r[0], SEARCH_ERROR_CANCELLED, "/x: cancelled");
        assert_body(&r[1], "text");
        search_client_cancel(client, first);
        stop = 1;
        search_client_get(client, url, &own, keep, &r[2]);
        run_all(client);
        assert_failed(&r[2], SEARCH_ERROR_CANCELLED, "cancelled");
        result_clear(&r[2]);
        search_client_get(client, url, &own, keep, &r[2]);
    }
    assert_failed(&r[2], SEARCH_ERROR_CANCELLED, "cancelled");
    for (guint i = 0; i < 3; i++)
        assert_int_equal(r[i].calls, 1);
    for (guint i = 0; i < 3; i++)
        result_clear(&r[i]);
}

static void
addresses_have_one_spelling(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"HTTP://Example.ORG:80/a/b/?utm_source=x&b=2&a=1#part", "http://example.org/a/b?a=1&b=2"},
        {"https://example.org", "https://example.org/"},
        {"https://example.org:443/", "https://example.org/"},
        {"https://example.org:80/", "https://example.org:80/"},
        {"https://example.org/?gclid=1&fbclid=2", "https://example.org/"},
        {"http://arxiv.org/pdf/2401.04088v2.pdf", "https://arxiv.org/abs/2401.04088"},
        {"https://export.arxiv.org/abs/2401.04088v1", "https://arxiv.org/abs/2401.04088"},
        {"https://www.arxiv.org/html/2401.04088", "https://arxiv.org/abs/2401.04088"},
        {"https://arxiv.org/abs/hep-th/9901001v3", "https://arxiv.org/abs/hep-th/9901001"},
        {"https://dx.doi.org/10.1000/ABC.1", "https://doi.org/10.1000/abc.1"},
        {"https://arxiv.org/list/cs.CL/recent", "https://arxiv.org/list/cs.CL/recent"},
        {"ftp://example.org/", NULL},
        {"no url", NULL},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *url = search_canonical_url(cases[i][0]);
        if (g_strcmp0(url, cases[i][1]) != 0) fail_msg("%s: %s", cases[i][0], url);
    }
    g_autofree char *shown = search_redact_url("https://h/p?q=1&api_key=abc&mailto=a@b#f");
    assert_string_equal(shown, "https://h/p?q=1&api_key=***&mailto=***#f");
    g_autofree char *one = search_cache_name("http://h/p?b=1&a=2&key=x", NULL);
    g_autofree char *two = search_cache_name("http://h/p?a=2&b=1&key=y", NULL);
    g_autofree char *three = search_cache_name("http://h/p?a=2&b=1", "body");
    assert_string_equal(one, two);
    assert_string_not_equal(one, three);
}

static void
hosts_are_asked_at_their_pace(void **state)
{
    (void)state;
    const search_rate *arxiv = search_rate_of("export.arxiv.org");
    assert_ptr_equal(arxiv, search_rate_of("arxiv.org"));
    assert_ptr_not_equal(arxiv, search_rate_of("notarxiv.org"));
    search_host host = {.rate = arxiv, .tokens = 1};
    assert_int_equal(search_host_wait(&host, 6, FALSE, 0), 0);
    search_host_take(&host, FALSE);
    assert_int_equal(search_host_wait(&host, 6, FALSE, 1000), -1); /* one connection */
    host.in_flight = 0;
    gint64 wait = search_host_wait(&host, 6, FALSE, 1000);
    assert_in_range(wait, 2990000, 3000000);
    assert_int_equal(search_host_wait(&host, 6, FALSE, 3100000), 0);
    host.closed_until_us = 9000000;
    assert_int_equal(search_host_wait(&host, 6, TRUE, 8000000), 1000000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(answers_come_with_what_they_are, fresh),
        cmocka_unit_test_setup(pictures_are_skipped_with_a_reason, fresh),
        cmocka_unit_test_setup(private_addresses_need_leave_for_this_origin_alone, fresh),
        cmocka_unit_test_setup(names_are_held_to_the_policy_by_what_they_resolve_to, fresh),
        cmocka_unit_test_setup(keys_do_not_follow_a_redirect_to_another_host, fresh),
        cmocka_unit_test_setup(a_post_carries_its_body, fresh),
        cmocka_unit_test_setup(what_is_fresh_is_not_asked_for_again, fresh),
        cmocka_unit_test_setup(what_is_old_is_asked_whether_it_still_holds, fresh),
        cmocka_unit_test_setup(offline_is_the_cache_and_nothing_else, fresh),
        cmocka_unit_test_setup(a_damaged_cache_is_no_answer, fresh),
        cmocka_unit_test_setup(robots_txt_is_obeyed_and_asked_for_once, fresh),
        cmocka_unit_test_setup(no_robots_txt_allows_all_and_a_broken_one_nothing, fresh),
        cmocka_unit_test_setup(a_long_robots_txt_is_read_as_far_as_it_must, fresh),
        cmocka_unit_test(rules_of_robots_txt_follow_the_standard),
        cmocka_unit_test_setup(a_busy_server_is_asked_again_when_it_says, fresh),
        cmocka_unit_test_setup(a_server_that_wants_too_much_patience_is_given_up, fresh),
        cmocka_unit_test_setup(what_ends_early_is_cancelled_once, fresh),
        cmocka_unit_test(addresses_have_one_spelling),
        cmocka_unit_test(hosts_are_asked_at_their_pace),
    };
    /* a proxy of the developer's environment has no part in this */
    g_setenv("no_proxy", "*", TRUE);
    web = test_web_start();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    test_web_stop(web);
    return failed;
}

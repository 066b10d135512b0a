/* Fetching against a server of our own: limits, redirects, the address policy, resume, checksums. */
#include "search/search.h"
#include "tests/search/server.h"

#include <glib/gstdio.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#define TARGET "file.bin"

static test_server *server;

static const search_fetch_options local = {.allow_private = TRUE};

static search_response *
fetch(const char *path, const search_fetch_options *options, GError **error)
{
    g_autofree char *url = test_server_url(server, path);
    return search_fetch(url, options, error);
}

/* Fetching path with options must fail with code. */
static void
assert_refused(const char *path, const search_fetch_options *options, int code)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(search_response) response = fetch(path, options, &error);
    assert_null(response);
    if (!g_error_matches(error, SEARCH_ERROR, code)) fail_msg("%s: %s", path, error->message);
}

static void
response_has_body_type_and_charset(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    g_autoptr(search_response) response = fetch("/ok", &local, &error);
    assert_non_null(response);
    assert_null(error);
    assert_int_equal(response->status, 200);
    assert_string_equal(response->content_type, "text/html");
    assert_string_equal(response->charset, "iso-8859-1");
    assert_int_equal(g_bytes_get_size(response->body), 5);
    assert_memory_equal(g_bytes_get_data(response->body, NULL), "hello", 5);
}

static void
user_agent_names_the_program(void **state)
{
    (void)state;
    g_autoptr(search_response) response = fetch("/agent", &local, NULL);
    assert_non_null(response);
    assert_int_equal(g_bytes_get_size(response->body), strlen("lode/" LODE_VERSION));
    assert_memory_equal(g_bytes_get_data(response->body, NULL), "lode/" LODE_VERSION,
                        strlen("lode/" LODE_VERSION));
}

static void
redirects_are_followed_up_to_the_limit(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    g_autoptr(search_response) response = fetch("/chain/4", &local, &error);
    assert_non_null(response);
    g_autofree char *end = test_server_url(server, "/ok");
    assert_string_equal(response->url, end);
    assert_refused("/chain/5", &local, SEARCH_ERROR_LIMIT);
    assert_refused("/chain/100000", &local, SEARCH_ERROR_LIMIT);
    search_fetch_options one = local;
    one.max_redirects = 1;
    assert_refused("/chain/1", &one, SEARCH_ERROR_LIMIT);
}

static void
redirects_leave_the_web_nowhere(void **state)
{
    (void)state;
    static const char *const targets[] = {"file:///etc/passwd", "ftp://127.0.0.1/x",
                                          "gopher://127.0.0.1/x", "dict://127.0.0.1:11/x"};
    for (gsize i = 0; i < G_N_ELEMENTS(targets); i++) {
        g_autofree char *path = g_strconcat("/to/?url=", targets[i], NULL);
        assert_refused(path, &local, SEARCH_ERROR_URL);
    }
    assert_refused("/to/?url=http://user:pw@127.0.0.1/", &local, SEARCH_ERROR_URL);
}

static void
urls_that_are_not_the_web_are_refused(void **state)
{
    (void)state;
    static const char *const urls[] = {"file:///etc/passwd",
                                       "",
                                       "example.org",
                                       "/etc/passwd",
                                       "http://",
                                       "ftp://example.org/",
                                       "javascript:alert(1)",
                                       "http://u:p@example.org/",
                                       "http://exa mple.org/",
                                       "data:text/html,x"};
    for (gsize i = 0; i < G_N_ELEMENTS(urls); i++) {
        g_autoptr(GError) error = NULL;
        assert_null(search_fetch(urls[i], NULL, &error));
        if (!g_error_matches(error, SEARCH_ERROR, SEARCH_ERROR_URL))
            fail_msg("%s: %s", urls[i], error->message);
    }
}

static void
loopback_is_refused_in_every_spelling(void **state)
{
    (void)state;
    static const char *const hosts[] = {"127.0.0.1",  "localhost",          "2130706433",
                                        "0x7f000001", "0177.0.0.1",         "127.1",
                                        "[::1]",      "[::ffff:127.0.0.1]", "0.0.0.0",
                                        "[::]",       "127.0.0.1.",         "[::ffff:7f00:1]"};
    test_server_set_file(server, &(test_file){.size = 10});
    for (gsize i = 0; i < G_N_ELEMENTS(hosts); i++) {
        g_autofree char *url =
            g_strdup_printf("http://%s:%u/ok", hosts[i], test_server_port(server));
        g_autoptr(GError) error = NULL;
        assert_null(search_fetch(url, NULL, &error));
        /* a machine without IPv6 or a strict resolver may fail earlier: never may it succeed */
        if (!g_error_matches(error, SEARCH_ERROR, SEARCH_ERROR_ADDRESS) &&
            !g_error_matches(error, SEARCH_ERROR, SEARCH_ERROR_NETWORK))
            fail_msg("%s: %s", url, error->message);
        if (i < 6) assert_int_equal(error->code, SEARCH_ERROR_ADDRESS);
    }
    assert_int_equal(test_server_requests(server), 0);
    g_autofree char *url = test_server_url(server, "/ok");
    g_autoptr(GError) error = NULL;
    assert_false(search_download(url, TARGET, NULL, NULL, &error));
    assert_int_equal(error->code, SEARCH_ERROR_ADDRESS);
    assert_false(g_file_test(TARGET ".part", G_FILE_TEST_EXISTS));
}

static void
address_policy_table(void **state)
{
    (void)state;
    static const char *const refused[] = {
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.7",
        "203.0.113.9",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:8.8.8.8",
        "::8.8.8.8",
        "fe80::1",
        "fec0::1",
        "fc00::1",
        "fd12:3456::1",
        "ff02::1",
        "2001:db8::1",
        "2001::1",
        "2001:10::1",
        "2002:7f00:1::",
        "64:ff9b::127.0.0.1",
        "64:ff9b::10.1.1.1",
        "64:ff9b:1::8.8.8.8",
        "100::1",
        "3fff::1",
        "5f00::1",
        "example.org",
        "",
        "[::1]",
        "fe80::1%eth0",
        "127.1",
    };
    static const char *const allowed[] = {
        "1.1.1.1",          "8.8.8.8",
        "100.63.255.255",   "100.128.0.0",
        "172.15.255.255",   "172.32.0.0",
        "192.0.1.1",        "198.17.255.255",
        "198.20.0.0",       "223.255.255.255",
        "11.0.0.0",         "128.0.0.1",
        "2606:4700::1111",  "2001:4860:4860::8888",
        "2a00:1450::1",     "2001:200::1",
        "64:ff9b::8.8.8.8",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(refused); i++)
        if (search_address_is_public(refused[i])) fail_msg("%s passes", refused[i]);
    for (gsize i = 0; i < G_N_ELEMENTS(allowed); i++)
        if (!search_address_is_public(allowed[i])) fail_msg("%s is refused", allowed[i]);
}

static void
ports_of_other_protocols_are_refused(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    assert_null(search_fetch("http://example.org:25/", NULL, &error));
    assert_int_equal(error->code, SEARCH_ERROR_ADDRESS);
}

/* The server stands in as the proxy of a public host; where that host sends us is still judged. */
static void
policy_holds_on_the_hop_after_a_proxy(void **state)
{
    (void)state;
    g_autofree char *proxy = test_server_url(server, "");
    g_setenv("http_proxy", proxy, TRUE);

    g_autoptr(GError) error = NULL;
    g_autoptr(search_response) response = search_fetch("http://public.example/ok", NULL, &error);
    assert_non_null(response);

    static const char *const targets[] = {
        "http://127.0.0.1/", "http://[::1]/",      "http://169.254.169.254/latest",
        "http://localhost/", "http://2130706433/", "http://printer.local/",
        "http://intranet/"};
    for (gsize i = 0; i < G_N_ELEMENTS(targets); i++) {
        g_autofree char *url = g_strconcat("http://public.example/to/?url=", targets[i], NULL);
        g_autoptr(GError) refusal = NULL;
        assert_null(search_fetch(url, NULL, &refusal));
        if (!g_error_matches(refusal, SEARCH_ERROR, SEARCH_ERROR_ADDRESS))
            fail_msg("%s: %s", targets[i], refusal->message);
    }
    /* a direct second hop: the socket itself is refused */
    g_setenv("no_proxy", "127.0.0.1", TRUE);
    test_server_set_file(server, &(test_file){.size = 10});
    g_autofree char *url = g_strdup_printf("http://public.example/to/?url=http://127.0.0.1:%u/ok",
                                           test_server_port(server));
    g_autoptr(GError) refusal = NULL;
    assert_null(search_fetch(url, NULL, &refusal));
    assert_int_equal(refusal->code, SEARCH_ERROR_ADDRESS);
    assert_int_equal(test_server_requests(server), 1);
    g_unsetenv("no_proxy");
    g_unsetenv("http_proxy");
}

static void
statuses_of_failure_are_errors(void **state)
{
    (void)state;
    assert_refused("/status/404", &local, SEARCH_ERROR_STATUS);
    assert_refused("/status/500", &local, SEARCH_ERROR_STATUS);
    assert_refused("/status/304", &local, SEARCH_ERROR_STATUS);
    assert_refused("/nothing", &local, SEARCH_ERROR_STATUS);
}

static void
body_limit_counts_decompressed_bytes(void **state)
{
    (void)state;
    search_fetch_options options = local;
    options.max_bytes = 1 << 20;
    assert_refused("/huge", &options, SEARCH_ERROR_LIMIT);
    assert_refused("/bomb", &options, SEARCH_ERROR_LIMIT);
    options.max_bytes = 5; /* exactly as long is fine */
    g_autoptr(search_response) response = fetch("/ok", &options, NULL);
    assert_non_null(response);
    options.max_bytes = 4;
    assert_refused("/ok", &options, SEARCH_ERROR_LIMIT);
    options.max_bytes = 64 << 20; /* the bomb's true size */
    g_autoptr(search_response) whole = fetch("/bomb", &options, NULL);
    assert_non_null(whole);
    assert_int_equal(g_bytes_get_size(whole->body), 64 << 20);
}

static void
stall_and_total_time_end_it(void **state)
{
    (void)state;
    search_fetch_options options = local;
    options.stall_seconds = 0.3;
    gint64 start = g_get_monotonic_time();
    assert_refused("/stall", &options, SEARCH_ERROR_LIMIT);
    assert_true(g_get_monotonic_time() - start < 2.5 * G_USEC_PER_SEC);
    options.stall_seconds = 10;
    options.total_seconds = 0.5; /* a trickle is no stall */
    start = g_get_monotonic_time();
    assert_refused("/dribble", &options, SEARCH_ERROR_LIMIT);
    assert_true(g_get_monotonic_time() - start < 2.5 * G_USEC_PER_SEC);
}

static void
nobody_listening_is_a_network_error(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    assert_null(search_fetch("http://127.0.0.1:1/", &local, &error));
    assert_int_equal(error->code, SEARCH_ERROR_NETWORK);
    gint64 start = g_get_monotonic_time(); /* and a download does not insist */
    g_autoptr(GError) again = NULL;
    assert_false(search_download("http://127.0.0.1:1/x", TARGET, NULL, &local, &again));
    assert_int_equal(again->code, SEARCH_ERROR_NETWORK);
    assert_true(g_get_monotonic_time() - start < G_USEC_PER_SEC);
}

static gpointer
cancel_soon(gpointer flag)
{
    g_usleep(200 * 1000);
    g_atomic_int_set((int *)flag, 1);
    return NULL;
}

static void
cancel_flag_stops_a_transfer(void **state)
{
    (void)state;
    int flag = 0;
    search_fetch_options options = local;
    options.cancel = &flag;
    GThread *thread = g_thread_new("cancel", cancel_soon, &flag);
    gint64 start = g_get_monotonic_time();
    assert_refused("/dribble", &options, SEARCH_ERROR_CANCELLED);
    assert_true(g_get_monotonic_time() - start < 2.5 * G_USEC_PER_SEC);
    g_thread_join(thread);
    assert_refused("/ok", &options, SEARCH_ERROR_CANCELLED);
}

static gpointer
fetch_many(gpointer data)
{
    (void)data;
    gsize n_ok = 0;
    for (int i = 0; i < 20; i++) {
        g_autoptr(search_response) response = fetch(i % 2 ? "/ok" : "/chain/3", &local, NULL);
        if (response && g_bytes_get_size(response->body) == 5) n_ok++;
    }
    return GSIZE_TO_POINTER(n_ok);
}

static void
threads_fetch_side_by_side(void **state)
{
    (void)state;
    GThread *threads[8];
    for (gsize i = 0; i < G_N_ELEMENTS(threads); i++)
        threads[i] = g_thread_new("fetch", fetch_many, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(threads); i++)
        assert_int_equal(GPOINTER_TO_SIZE(g_thread_join(threads[i])), 20);
}

/* A certificate nobody vouches for is refused; one that the user's own file holds is taken. */
static void
certificates_are_verified(void **state)
{
    (void)state;
    test_server *secure = test_server_start_tls(LODE_TEST_DATA "/tls");
    if (!secure) {
        print_message("libmicrohttpd has no TLS here: skipped\n");
        skip();
    }
    g_autofree char *url = g_strdup_printf("https://127.0.0.1:%u/ok", test_server_port(secure));
    g_autofree char *other = g_strdup_printf("https://localhost:%u/ok", test_server_port(secure));
    g_autoptr(GError) error = NULL;
    assert_null(search_fetch(url, &local, &error));
    assert_int_equal(error->code, SEARCH_ERROR_NETWORK);
    g_clear_error(&error);

    g_setenv("SSL_CERT_FILE", LODE_TEST_DATA "/tls/cert.pem", TRUE);
    g_autoptr(search_response) response = search_fetch(url, &local, &error);
    if (!response) fail_msg("%s", error->message);
    assert_null(search_fetch(other, &local, &error)); /* the name is not in it */
    assert_int_equal(error->code, SEARCH_ERROR_NETWORK);
    g_unsetenv("SSL_CERT_FILE");
    test_server_stop(secure);
}

/* ---- downloads ---- */

static void
clean_target(void)
{
    g_unlink(TARGET);
    g_unlink(TARGET ".part");
    g_unlink(TARGET ".part.etag");
}

static char *
file_sum(const test_file *file)
{
    g_autofree guchar *bytes = test_file_bytes(file);
    return g_compute_checksum_for_data(G_CHECKSUM_SHA256, bytes, file->size);
}

static void
assert_target_is(const test_file *file)
{
    g_autofree char *data = NULL;
    gsize len = 0;
    assert_true(g_file_get_contents(TARGET, &data, &len, NULL));
    assert_int_equal(len, file->size);
    g_autofree guchar *bytes = test_file_bytes(file);
    assert_memory_equal(data, bytes, len);
    assert_false(g_file_test(TARGET ".part", G_FILE_TEST_EXISTS));
    assert_false(g_file_test(TARGET ".part.etag", G_FILE_TEST_EXISTS));
}

static gboolean
download(const char *sha256, const search_fetch_options *options, GError **error)
{
    g_autofree char *url = test_server_url(server, "/file");
    return search_download(url, TARGET, sha256, options, error);
}

static guint64 seen_done, seen_total;

static void
on_progress(uint64_t done, uint64_t total, void *user_data)
{
    (void)user_data;
    assert_true(done >= seen_done);
    seen_done = done, seen_total = total;
}

static void
download_arrives_with_its_checksum(void **state)
{
    (void)state;
    test_file file = {.etag = "\"v1\"", .size = 1 << 20, .seed = 1};
    test_server_set_file(server, &file);
    clean_target();
    g_autofree char *sum = file_sum(&file);
    search_fetch_options options = local;
    options.progress = on_progress;
    seen_done = seen_total = 0;
    g_autoptr(GError) error = NULL;
    if (!download(sum, &options, &error)) fail_msg("%s", error->message);
    assert_target_is(&file);
    assert_int_equal(seen_done, file.size);
    assert_int_equal(seen_total, file.size);
}

static void
cut_connection_is_resumed_where_it_broke(void **state)
{
    (void)state;
    test_file file = {
        .etag = "\"v1\"", .size = 1 << 20, .seed = 2, .cut_times = 3, .cut_after = 200000};
    test_server_set_file(server, &file);
    clean_target();
    g_autofree char *sum = file_sum(&file);
    g_autoptr(GError) error = NULL;
    if (!download(sum, &local, &error)) fail_msg("%s", error->message);
    assert_target_is(&file);
    assert_int_equal(test_server_requests(server), 4);
    assert_true(test_server_sent(server) < file.size + 65536); /* hardly a byte twice */
}

static void
part_of_an_earlier_run_is_used(void **state)
{
    (void)state;
    test_file file = {.etag = "\"v1\"", .size = 300000, .seed = 3};
    g_autofree guchar *bytes = test_file_bytes(&file);
    g_autofree char *sum = file_sum(&file);

    clean_target(); /* with a checksum, whatever it was */
    test_server_set_file(server, &file);
    assert_true(g_file_set_contents(TARGET ".part", (char *)bytes, 100000, NULL));
    assert_true(download(sum, &local, NULL));
    assert_target_is(&file);
    g_autofree char *range = test_server_last_range(server);
    assert_string_equal(range, "bytes=100000-");

    clean_target(); /* all of it was there */
    test_server_set_file(server, &file);
    assert_true(g_file_set_contents(TARGET ".part", (char *)bytes, 300000, NULL));
    assert_true(download(sum, &local, NULL));
    assert_target_is(&file);
    assert_int_equal(test_server_sent(server), 0);

    clean_target(); /* without one, nothing vouches for it */
    test_server_set_file(server, &file);
    assert_true(g_file_set_contents(TARGET ".part", "other bytes", -1, NULL));
    assert_true(download(NULL, &local, NULL));
    assert_target_is(&file);

    clean_target(); /* except its validator, if it is still that version */
    test_server_set_file(server, &file);
    assert_true(g_file_set_contents(TARGET ".part", (char *)bytes, 100000, NULL));
    assert_true(g_file_set_contents(TARGET ".part.etag", "\"v1\"", -1, NULL));
    assert_true(download(NULL, &local, NULL));
    assert_target_is(&file);
    assert_int_equal(test_server_sent(server), 200000);

    clean_target();
    file.etag = "\"v2\"", file.seed = 4;
    test_server_set_file(server, &file);
    assert_true(g_file_set_contents(TARGET ".part", (char *)bytes, 100000, NULL));
    assert_true(g_file_set_contents(TARGET ".part.etag", "\"v1\"", -1, NULL));
    assert_true(download(NULL, &local, NULL));
    assert_target_is(&file);
}

static void
stale_part_is_replaced(void **state)
{
    (void)state;
    test_file file = {.size = 300000, .seed = 5};
    g_autofree char *sum = file_sum(&file);
    g_autofree char *junk = g_strnfill(400000, 'j');

    for (int longer = 0; longer < 2; longer++) { /* shorter than the file, and longer than it */
        clean_target();
        test_server_set_file(server, &file);
        assert_true(g_file_set_contents(TARGET ".part", junk, longer ? 400000 : 1000, NULL));
        g_autoptr(GError) error = NULL;
        if (!download(sum, &local, &error)) fail_msg("%s", error->message);
        assert_target_is(&file);
    }
}

static void
server_without_ranges_sends_all_again(void **state)
{
    (void)state;
    test_file file = {
        .size = 300000, .seed = 6, .no_range = TRUE, .cut_times = 1, .cut_after = 100000};
    test_server_set_file(server, &file);
    clean_target();
    assert_true(download(NULL, &local, NULL));
    assert_target_is(&file);
}

static void
wrong_checksum_removes_the_part(void **state)
{
    (void)state;
    test_file file = {.size = 1000, .seed = 7};
    test_server_set_file(server, &file);
    clean_target();
    g_autofree char *zeros = g_strnfill(64, '0');
    g_autoptr(GError) error = NULL;
    assert_false(download(zeros, &local, &error));
    assert_int_equal(error->code, SEARCH_ERROR_CHECKSUM);
    assert_false(g_file_test(TARGET, G_FILE_TEST_EXISTS));
    assert_false(g_file_test(TARGET ".part", G_FILE_TEST_EXISTS));
    assert_int_equal(test_server_requests(server), 1);
}

static void
transient_failures_are_tried_again_but_not_for_ever(void **state)
{
    (void)state;
    test_file file = {.size = 1000, .seed = 8, .fail_times = 2};
    test_server_set_file(server, &file);
    clean_target();
    assert_true(download(NULL, &local, NULL));
    assert_target_is(&file);

    file.fail_times = 1000;
    test_server_set_file(server, &file);
    clean_target();
    g_autoptr(GError) error = NULL;
    assert_false(download(NULL, &local, &error));
    assert_int_equal(error->code, SEARCH_ERROR_STATUS);
    assert_int_equal(test_server_requests(server), 4);

    test_server_set_file(server, &file);
    g_autofree char *url = test_server_url(server, "/status/404");
    g_autoptr(GError) gone = NULL;
    assert_false(search_download(url, TARGET, NULL, &local, &gone));
    assert_int_equal(gone->code, SEARCH_ERROR_STATUS);
    assert_int_equal(test_server_requests(server), 1);
}

static void
broken_transfer_keeps_its_part_for_the_next_run(void **state)
{
    (void)state;
    test_file file = {.etag = "\"v1\"", .size = 300000, .seed = 9};
    test_server_set_file(server, &file);
    clean_target();
    /* a file may not grow beyond 128 KiB: the disk is full */
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_IGN);
    small = before;
    small.rlim_cur = 128 * 1024;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    g_autoptr(GError) error = NULL;
    gboolean ok = download(NULL, &local, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_false(ok);
    assert_int_equal(error->code, SEARCH_ERROR_IO);
    assert_true(g_file_test(TARGET ".part", G_FILE_TEST_EXISTS));
    assert_true(download(NULL, &local, NULL));
    assert_target_is(&file);
    assert_true(test_server_sent(server) < 2 * file.size);
    g_autofree char *range = test_server_last_range(server);
    assert_string_equal(range, "bytes=131072-");
}

static void
target_folder_must_exist_and_links_are_not_followed(void **state)
{
    (void)state;
    test_file file = {.size = 1000, .seed = 10};
    test_server_set_file(server, &file);
    g_autofree char *url = test_server_url(server, "/file");
    g_autoptr(GError) error = NULL;
    assert_false(search_download(url, "no/such/folder/x", NULL, &local, &error));
    assert_int_equal(error->code, SEARCH_ERROR_IO);
    clean_target();
    g_unlink("victim");
    assert_int_equal(symlink("victim", TARGET ".part"), 0);
    g_autoptr(GError) link = NULL;
    assert_false(download(NULL, &local, &link));
    assert_int_equal(link->code, SEARCH_ERROR_IO);
    assert_false(g_file_test("victim", G_FILE_TEST_EXISTS));
    clean_target();
}

static void
download_larger_than_its_limit_is_refused(void **state)
{
    (void)state;
    test_file file = {.size = 300000, .seed = 11};
    test_server_set_file(server, &file);
    clean_target();
    search_fetch_options options = local;
    options.max_bytes = 299999;
    g_autoptr(GError) error = NULL;
    assert_false(download(NULL, &options, &error));
    assert_int_equal(error->code, SEARCH_ERROR_LIMIT);
    options.max_bytes = 300000;
    assert_true(download(NULL, &options, NULL));
    assert_target_is(&file);
}

static int
start_server(void **state)
{
    (void)state;
    static const char *const names[] = {"http_proxy",  "https_proxy", "all_proxy", "no_proxy",
                                        "HTTPS_PROXY", "ALL_PROXY",   "NO_PROXY"};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
        g_unsetenv(names[i]);
    server = test_server_start();
    return 0;
}

static int
stop_server(void **state)
{
    (void)state;
    clean_target();
    test_server_stop(server);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(response_has_body_type_and_charset),
        cmocka_unit_test(user_agent_names_the_program),
        cmocka_unit_test(redirects_are_followed_up_to_the_limit),
        cmocka_unit_test(redirects_leave_the_web_nowhere),
        cmocka_unit_test(urls_that_are_not_the_web_are_refused),
        cmocka_unit_test(loopback_is_refused_in_every_spelling),
        cmocka_unit_test(address_policy_table),
        cmocka_unit_test(ports_of_other_protocols_are_refused),
        cmocka_unit_test(policy_holds_on_the_hop_after_a_proxy),
        cmocka_unit_test(statuses_of_failure_are_errors),
        cmocka_unit_test(body_limit_counts_decompressed_bytes),
        cmocka_unit_test(stall_and_total_time_end_it),
        cmocka_unit_test(nobody_listening_is_a_network_error),
        cmocka_unit_test(cancel_flag_stops_a_transfer),
        cmocka_unit_test(threads_fetch_side_by_side),
        cmocka_unit_test(certificates_are_verified),
        cmocka_unit_test(download_arrives_with_its_checksum),
        cmocka_unit_test(cut_connection_is_resumed_where_it_broke),
        cmocka_unit_test(part_of_an_earlier_run_is_used),
        cmocka_unit_test(stale_part_is_replaced),
        cmocka_unit_test(server_without_ranges_sends_all_again),
        cmocka_unit_test(wrong_checksum_removes_the_part),
        cmocka_unit_test(transient_failures_are_tried_again_but_not_for_ever),
        cmocka_unit_test(broken_transfer_keeps_its_part_for_the_next_run),
        cmocka_unit_test(target_folder_must_exist_and_links_are_not_followed),
        cmocka_unit_test(download_larger_than_its_limit_is_refused),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}

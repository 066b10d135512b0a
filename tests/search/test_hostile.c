/* The client against a server that does its worst (hostile.py), and with 200 transfers at once. */
#include "search/client.h"

#include <gio/gio.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>

#include <cmocka.h>

#define SKIP 77

static GSubprocess *server;
static guint port, inner_port;

static int
start(void **state)
{
    g_autoptr(GError) error = NULL;
    char line[64] = "";
    (void)state;
    server = g_subprocess_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDIN_PIPE,
                              &error, "python3", HOSTILE, NULL);
    g_assert_no_error(error);
    GInputStream *out = g_subprocess_get_stdout_pipe(server);
    for (gsize n = 0; n + 1 < sizeof line && !strchr(line, '\n'); n++)
        if (g_input_stream_read(out, line + n, 1, NULL, &error) != 1) return -1;
    return sscanf(line, "%u %u", &port, &inner_port) == 2 ? 0 : -1;
}

static int
stop(void **state)
{
    (void)state;
    if (!server) return 0;
    g_subprocess_force_exit(server);
    g_subprocess_wait(server, NULL, NULL);
    g_object_unref(server);
    return 0;
}

typedef struct {
    const char *path;
    int code;         /* -1: comes through */
    const char *part; /* of the message */
    search_response *response;
    GError *error;
    guint calls;
} attempt;

static void
keep(search_response *response, const GError *error, void *user_data)
{
    attempt *a = user_data;
    a->calls++;
    a->response = response;
    a->error = error ? g_error_copy(error) : NULL;
}

static void
attempt_clear(attempt *a)
{
    search_response_free(a->response);
    g_clear_error(&a->error);
    a->response = NULL;
}

static char *
url_of(const char *path)
{
    return g_strdup_printf("http://127.0.0.1:%u%s", port, path);
}

static void
get(search_client *client, attempt *a, double seconds)
{
    g_autofree char *url = url_of(a->path);
    search_client_get(
        client, url,
        &(search_request){.own_server = TRUE, .ignore_robots = TRUE, .total_seconds = seconds},
        keep, a);
}

static void
run_all(search_client *client)
{
    while (search_client_run(client, -1)) {
    }
}

/* "REACHED MOST" of the server. */
static void
read_counts(guint *reached, guint *most)
{
    g_autoptr(search_client) client = search_client_new(NULL, NULL);
    attempt a = {.path = "/counts"};
    get(client, &a, 0);
    run_all(client);
    assert_non_null(a.response);
    g_autofree char *text =
        g_strndup(g_bytes_get_data(a.response->body, NULL), g_bytes_get_size(a.response->body));
    assert_int_equal(sscanf(text, "%u %u", reached, most), 2);
    attempt_clear(&a);
}

static double
seconds_since(gint64 start_us)
{
    return (double)(g_get_monotonic_time() - start_us) / G_USEC_PER_SEC;
}

static void
nothing_hangs_and_each_is_one_line(void **state)
{
    (void)state;
    attempt attempts[] = {
        {.path = "/page", .code = -1},
        {.path = "/loop", .code = SEARCH_ERROR_LIMIT, .part = "more than 5 redirects"},
        {.path = "/chain/300", .code = SEARCH_ERROR_LIMIT, .part = "more than 5 redirects"},
        {.path = "/chain/5", .code = -1},
        {.path = "/to/loopback", .code = SEARCH_ERROR_ADDRESS, .part = "127.0.0.1"},
        {.path = "/to/name", .code = SEARCH_ERROR_ADDRESS, .part = "localhost"},
        {.path = "/to/decimal", .code = SEARCH_ERROR_ADDRESS, .part = "not allowed"},
        {.path = "/to/octal", .code = SEARCH_ERROR_ADDRESS, .part = "not allowed"},
        {.path = "/to/hex", .code = SEARCH_ERROR_ADDRESS, .part = "not allowed"},
        {.path = "/to/short", .code = SEARCH_ERROR_ADDRESS, .part = "not allowed"},
        {.path = "/to/any", .code = SEARCH_ERROR_ADDRESS, .part = "not allowed"},
        {.path = "/to/six", .code = SEARCH_ERROR_ADDRESS, .part = "not allowed"},
        {.path = "/to/mapped", .code = SEARCH_ERROR_ADDRESS, .part = "not allowed"},
        {.path = "/to/rebound",
         .code = SEARCH_ERROR_ADDRESS,
         .part = "address 127.0.0.1 is not allowed"},
        {.path = "/to/metadata", .code = SEARCH_ERROR_ADDRESS, .part = "169.254.169.254"},
        {.path = "/to/file", .code = SEARCH_ERROR_URL, .part = "only http and https"},
        {.path = "/to/gopher", .code = SEARCH_ERROR_URL, .part = "only http and https"},
        {.path = "/to/user", .code = SEARCH_ERROR_URL, .part = "user name or password"},
        {.path = "/drip", .code = SEARCH_ERROR_LIMIT, .part = "/drip: "},
        {.path = "/silent", .code = SEARCH_ERROR_LIMIT, .part = "/silent: "},
        {.path = "/half", .code = SEARCH_ERROR_LIMIT, .part = "/half: "},
        {.path = "/stall", .code = SEARCH_ERROR_LIMIT, .part = "/stall: stalled"},
        {.path = "/endless",
         .code = SEARCH_ERROR_LIMIT,
         .part = "larger than the limit of 5242880 bytes"},
        {.path = "/endless-head", .code = SEARCH_ERROR_LIMIT, .part = "headers too large"},
        {.path = "/bomb", .code = SEARCH_ERROR_FORMAT, .part = "/bomb: neither a page"},
        {.path = "/bomb-twice", .code = SEARCH_ERROR_FORMAT, .part = "/bomb-twice: neither a page"},
        {.path = "/not-gzip", .code = SEARCH_ERROR_NETWORK, .part = "/not-gzip: "},
        {.path = "/too-long", .code = SEARCH_ERROR_NETWORK, .part = "/too-long: "},
        {.path = "/too-short", .code = -1},
        {.path = "/huge-said", .code = SEARCH_ERROR_LIMIT, .part = "/huge-said: "},
        {.path = "/negative", .code = SEARCH_ERROR_NETWORK, .part = "/negative: "},
        {.path = "/charset", .code = -1},
        {.path = "/garbage", .code = SEARCH_ERROR_NETWORK, .part = "/garbage: "},
        {.path = "/empty", .code = SEARCH_ERROR_NETWORK, .part = "/empty: "},
        {.path = "/picture-page",
         .code = SEARCH_ERROR_FORMAT,
         .part = "neither a page, a paper nor text"},
        {.path = "/deep", .code = -1},
        {.path = "/missing", .code = SEARCH_ERROR_STATUS, .part = "/missing: HTTP status 404"},
    };
    g_autofree char *rebound = g_strdup_printf("rebound.example:%u:127.0.0.1", inner_port);
    const char *const resolve[] = {rebound, NULL};
    g_autoptr(search_client) client = search_client_new(
        &(search_client_options){
            .max_per_host = 100, .stall_seconds = 1, .retry_seconds = -1, .resolve = resolve},
        NULL);
    gint64 begin = g_get_monotonic_time();
    for (gsize i = 0; i < G_N_ELEMENTS(attempts); i++)
        get(client, &attempts[i], 3);
    run_all(client);
    assert_true(seconds_since(begin) < 8);
    for (gsize i = 0; i < G_N_ELEMENTS(attempts); i++) {
        attempt *a = &attempts[i];
        assert_int_equal(a->calls, 1);
        if (a->code < 0) {
            if (!a->response) fail_msg("%s: %s", a->path, a->error->message);
        } else if (!a->error || a->error->code != a->code || !strstr(a->error->message, a->part) ||
                   strchr(a->error->message, '\n')) {
            fail_msg("%s: %d: %s", a->path, a->error ? a->error->code : -1,
                     a->error ? a->error->message : "came through");
        }
        attempt_clear(a);
    }
    guint reached = 1, most = 0;
    read_counts(&reached, &most);
    assert_int_equal(reached, 0); /* no way led to the machine's own service */
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
#ifndef LODE_SANITIZED
    assert_true(usage.ru_maxrss < 120 * 1024); /* KiB: the bombs were 100 MiB each */
#endif
}

static void
hidden_orders_are_not_read(void **state)
{
    (void)state;
    g_autoptr(search_client) client = search_client_new(NULL, NULL);
    attempt a = {.path = "/inject"};
    get(client, &a, 3);
    run_all(client);
    assert_non_null(a.response);
    gsize len = 0;
    const char *body = g_bytes_get_data(a.response->body, &len);
    g_autoptr(lode_document) page =
        layout_document_from_html(body, len, a.response->charset, a.response->url, NULL);
    assert_non_null(page);
    g_autofree char *text = layout_document_to_text(page, NULL);
    assert_non_null(strstr(text, "The tower of Elm was built in 1804"));
    assert_non_null(strstr(text, "four steps and a bell that is rung"));
    assert_null(strstr(text, "IGNORE ALL"));
    assert_null(strstr(text, "1999"));
    attempt_clear(&a);
}

/* ---- many at once ---- */

static guint
count_threads(void)
{
    g_autofree char *status = NULL;
    g_assert_true(g_file_get_contents("/proc/self/status", &status, NULL, NULL));
    const char *line = strstr(status, "\nThreads:");
    return line ? (guint)g_ascii_strtoull(line + strlen("\nThreads:\t"), NULL, 10) : 0;
}

static void
two_hundred_run_at_once_on_one_core_without_threads(void **state)
{
    (void)state;
    enum { N = 200 };
    cpu_set_t before_set, one;
    static attempt attempts[N];
    g_assert_true(sched_getaffinity(0, sizeof before_set, &before_set) == 0);
    CPU_ZERO(&one);
    for (gsize cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; cpu++)
        if (CPU_ISSET(cpu, &before_set)) CPU_SET(cpu, &one);
    g_assert_true(sched_setaffinity(0, sizeof one, &one) == 0);

    g_autoptr(search_client) client =
        search_client_new(&(search_client_options){.max_in_flight = N, .max_per_host = N}, NULL);
    guint threads = count_threads(), most_threads = 0;
    attempt first = {.path = "/page"};
    gint64 begin = g_get_monotonic_time();
    double first_seconds = -1;
    get(client, &first, 0);
    for (guint i = 0; i < N - 1; i++) {
        attempts[i] = (attempt){.path = "/slow/2"};
        get(client, &attempts[i], 0);
    }
    while (search_client_run(client, 50)) {
        most_threads = MAX(most_threads, count_threads());
        if (first.calls && first_seconds < 0) first_seconds = seconds_since(begin);
    }
    double seconds = seconds_since(begin);
    sched_setaffinity(0, sizeof before_set, &before_set);
    guint reached = 0, most = 0;
    read_counts(&reached, &most);
    print_message(
        "199 of 2 s each in %.2f s, first answer after %.3f s, %u of them at once, %u threads\n",
        seconds, first_seconds, most, most_threads);
    for (guint i = 0; i < N - 1; i++) {
        if (!attempts[i].response) fail_msg("%s", attempts[i].error->message);
        attempt_clear(&attempts[i]);
    }
    attempt_clear(&first);
    assert_int_equal(most, N - 1);
    assert_int_equal(most_threads, threads);
    assert_true(seconds < 8); /* one after the other: 400 */
    assert_true(first_seconds >= 0 && first_seconds < 2);
}

static int stopped;

static void
on_alarm(int number)
{
    (void)number;
    g_atomic_int_set(&stopped, 1);
}

static void
a_signal_stops_all_within_a_second(void **state)
{
    (void)state;
    enum { N = 100 };
    static attempt attempts[N];
    g_autoptr(search_client) client = search_client_new(
        &(search_client_options){.max_in_flight = 60, .max_per_host = 50, .cancel = &stopped},
        NULL);
    for (guint i = 0; i < N; i++) {
        attempts[i] = (attempt){.path = i % 2 ? "/slow/30" : "/silent"};
        get(client, &attempts[i], 0);
    }
    struct sigaction action = {.sa_handler = on_alarm}, old;
    sigaction(SIGALRM, &action, &old);
    const struct itimerval in_half_a_second = {.it_value = {.tv_usec = 500000}};
    gint64 begin = g_get_monotonic_time();
    setitimer(ITIMER_REAL, &in_half_a_second, NULL);
    run_all(client);
    double seconds = seconds_since(begin);
    sigaction(SIGALRM, &old, NULL);
    assert_true(seconds >= 0.4 && seconds < 1.5);
    for (guint i = 0; i < N; i++) {
        assert_int_equal(attempts[i].calls, 1);
        assert_int_equal(attempts[i].error->code, SEARCH_ERROR_CANCELLED);
        attempt_clear(&attempts[i]);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_hangs_and_each_is_one_line),
        cmocka_unit_test(hidden_orders_are_not_read),
        cmocka_unit_test(two_hundred_run_at_once_on_one_core_without_threads),
        cmocka_unit_test(a_signal_stops_all_within_a_second),
    };
    g_autofree char *python = g_find_program_in_path("python3");
    if (!python) {
        g_print("skipped: no python3\n");
        return SKIP;
    }
    g_setenv("no_proxy", "*", TRUE);
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, start, stop);
}

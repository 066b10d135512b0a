/* How names are looked up. This program has a getaddrinfo of its own, which libcurl's resolver calls as it would the
 * system's: it knows names that end in ".test", takes its time, and counts who asks it at the same time. */
#include "search/client.h"
#include "tests/search/web.h"

#include <arpa/inet.h>
#include <gmodule.h>
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    N_HOSTS = 100,
    LOOKUPS_MAX = 24, /* as the client has it */
    LOOKUP_MS = 20
};

static int n_now, n_most, n_lookups; /* atomic */

static void
note_most(int n)
{
    for (int most = g_atomic_int_get(&n_most); n > most; most = g_atomic_int_get(&n_most))
        if (g_atomic_int_compare_and_exchange(&n_most, most, n)) return;
}

/* One address of the list, before next. */
static struct addrinfo *
make_address(const char *text, const char *service, struct addrinfo *next)
{
    struct addrinfo *info = calloc(1, sizeof *info);
    struct sockaddr_in *in = calloc(1, sizeof *in);
    in->sin_family = AF_INET;
    in->sin_port = htons((uint16_t)(service ? strtoul(service, NULL, 10) : 0));
    g_assert_true(inet_pton(AF_INET, text, &in->sin_addr) == 1);
    *info = (struct addrinfo){.ai_family = AF_INET,
                              .ai_socktype = SOCK_STREAM,
                              .ai_protocol = IPPROTO_TCP,
                              .ai_addrlen = sizeof *in,
                              .ai_addr = (struct sockaddr *)(void *)in,
                              .ai_next = next};
    return info;
}

/* "many.test" has eight private addresses and none else; all other names are this machine. */
G_MODULE_EXPORT int
getaddrinfo(const char *restrict name, const char *restrict service,
            const struct addrinfo *restrict hints, struct addrinfo **restrict list)
{
    enum { N_PRIVATE = 8 };
    (void)hints;
    if (!name || !g_str_has_suffix(name, ".test")) return EAI_NONAME;
    note_most(g_atomic_int_add(&n_now, 1) + 1);
    g_atomic_int_inc(&n_lookups);
    g_usleep(LOOKUP_MS * 1000);
    *list = NULL;
    for (int i = 0; g_str_equal(name, "many.test") && i < N_PRIVATE; i++) {
        char text[16];
        g_snprintf(text, sizeof text, "10.0.0.%d", i + 1);
        *list = make_address(text, service, *list);
    }
    if (!*list) *list = make_address("127.0.0.1", service, NULL);
    g_atomic_int_add(&n_now, -1);
    return 0;
}

G_MODULE_EXPORT void
freeaddrinfo(struct addrinfo *list)
{
    while (list) {
        struct addrinfo *next = list->ai_next;
        free(list->ai_addr);
        free(list);
        list = next;
    }
}

/* ---- the tests ---- */

typedef struct {
    guint n_done, n_failed;
    char *problem; /* of the first that failed */
} tally;

static void
tally_clear(tally *t)
{
    g_free(t->problem);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(tally, tally_clear)

static void
count(search_response *response, const GError *error, void *user_data)
{
    tally *t = user_data;
    t->n_done++;
    if (error) {
        t->n_failed++;
        if (!t->problem) t->problem = g_strdup(error->message);
    }
    search_response_free(response);
}

static void
ask(search_client *client, const char *host, guint port, tally *t)
{
    g_autofree char *url = g_strdup_printf("http://%s:%u/page", host, port);
    search_client_get(client, url, &(search_request){.ignore_robots = TRUE}, count, t);
}

static void
run_all(search_client *client)
{
    while (search_client_run(client, -1)) {
    }
}

static int
forget(void **state)
{
    (void)state;
    g_atomic_int_set(&n_now, 0);
    g_atomic_int_set(&n_most, 0);
    g_atomic_int_set(&n_lookups, 0);
    return 0;
}

static void
a_hundred_hosts_are_looked_up_twenty_four_at_a_time(void **state)
{
    (void)state;
    test_web *web = test_web_start();
    test_web_answer(web, "/page", 200, "Content-Type: text/plain", "here");
    g_auto(tally) t = {0};
    search_client *client = search_client_new(
        &(search_client_options){.allow_private = TRUE, .max_in_flight = 200}, NULL);
    for (int i = 0; i < N_HOSTS; i++) {
        g_autofree char *host = g_strdup_printf("h%d.test", i);
        ask(client, host, test_web_port(web), &t);
    }
    run_all(client);
    search_client_free(client);
    if (t.n_failed > 0) fail_msg("%s", t.problem);
    assert_int_equal(t.n_done, N_HOSTS);
    assert_int_equal(g_atomic_int_get(&n_lookups), N_HOSTS);
    assert_in_range(g_atomic_int_get(&n_most), 2, LOOKUPS_MAX);
    assert_int_equal(test_web_requests(web), N_HOSTS);
    test_web_stop(web);
}

static void
a_host_that_was_found_is_not_counted_again(void **state)
{
    (void)state;
    enum { N = 8 }; /* a host is not asked faster than it likes */
    test_web *web = test_web_start();
    test_web_answer(web, "/page", 200, "Content-Type: text/plain", "here");
    g_auto(tally) t = {0};
    search_client *client =
        search_client_new(&(search_client_options){.allow_private = TRUE, .max_per_host = 4}, NULL);
    for (int i = 0; i < N; i++)
        ask(client, "one.test", test_web_port(web), &t);
    run_all(client);
    search_client_free(client);
    if (t.n_failed > 0) fail_msg("%s", t.problem);
    assert_int_equal(t.n_done, N);
    assert_in_range(g_atomic_int_get(&n_lookups), 1, 4); /* one for each connection at most */
    test_web_stop(web);
}

static void
of_a_name_with_many_private_addresses_none_is_dialled(void **state)
{
    (void)state;
    g_auto(tally) t = {0};
    search_client *client = search_client_new(NULL, NULL);
    const gint64 begin = g_get_monotonic_time();
    ask(client, "many.test", 8080, &t);
    run_all(client);
    search_client_free(client);
    assert_int_equal(t.n_failed, 1);
    assert_non_null(strstr(t.problem, "address 10.0.0."));
    assert_non_null(strstr(t.problem, "is not allowed"));
    assert_true(g_get_monotonic_time() - begin <
                4 * G_USEC_PER_SEC); /* less than connect_seconds */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_hundred_hosts_are_looked_up_twenty_four_at_a_time, forget),
        cmocka_unit_test_setup(a_host_that_was_found_is_not_counted_again, forget),
        cmocka_unit_test_setup(of_a_name_with_many_private_addresses_none_is_dialled, forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "tests/search/web.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <string.h>

typedef struct {
    guint status;
    char *headers;
    GBytes *body;
} answer;

struct test_web {
    struct MHD_Daemon *daemon;
    guint port;
    GMutex lock;
    GHashTable *answers; /* path -> GQueue of answer */
    GPtrArray *requests; /* of char * */
};

static void
free_answer(gpointer data)
{
    answer *a = data;
    g_free(a->headers);
    g_bytes_unref(a->body);
    g_free(a);
}

static void
free_queue(gpointer data)
{
    g_queue_free_full(data, free_answer);
}

typedef struct {
    GString *target; /* as asked: path and query */
    GString *body;
    gboolean begun;
} incoming;

static enum MHD_Result
add_header_line(void *cls, enum MHD_ValueKind kind, const char *key, const char *value)
{
    GPtrArray *lines = cls;
    (void)kind;
    g_ptr_array_add(lines, g_strdup_printf("%s: %s", key, value ? value : ""));
    return MHD_YES;
}

static int
by_text(gconstpointer a, gconstpointer b)
{
    return g_ascii_strcasecmp(*(const char *const *)a, *(const char *const *)b);
}

static void
record(test_web *web, struct MHD_Connection *connection, const char *method, const incoming *in)
{
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
    MHD_get_connection_values(connection, MHD_HEADER_KIND, add_header_line, lines);
    g_ptr_array_sort(lines, by_text);
    g_ptr_array_add(lines, NULL);
    g_autofree char *headers = g_strjoinv("\n", (char **)lines->pdata);
    g_ptr_array_add(web->requests, g_strdup_printf("%s %s\n%s\n\n%s", method, in->target->str,
                                                   headers, in->body->str));
}

static answer *
find(test_web *web, const char *target)
{
    GQueue *queue = g_hash_table_lookup(web->answers, target);
    if (!queue) {
        g_autofree char *path = g_strndup(target, strcspn(target, "?"));
        queue = g_hash_table_lookup(web->answers, path);
    }
    return queue ? queue->head->data : NULL;
}

/* The one that was used goes, when another waits behind it. */
static void
pop(test_web *web, const char *target)
{
    GQueue *queue = g_hash_table_lookup(web->answers, target);
    if (!queue) {
        g_autofree char *path = g_strndup(target, strcspn(target, "?"));
        queue = g_hash_table_lookup(web->answers, path);
    }
    if (queue && queue->length > 1) free_answer(g_queue_pop_head(queue));
}

static enum MHD_Result
respond(test_web *web, struct MHD_Connection *connection, const char *target)
{
    const answer *a = find(web, target);
    gsize len = 0;
    const void *body = a ? g_bytes_get_data(a->body, &len) : "";
    guint status = a ? a->status : 404;
    g_auto(GStrv) headers = g_strsplit(a && a->headers ? a->headers : "", "\n", -1);
    const char *known = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "If-None-Match");
    for (char **h = headers; *h; h++)
        if (known && g_str_has_prefix(*h, "ETag: ") && g_str_equal(*h + 6, known)) status = 304;
    struct MHD_Response *response = MHD_create_response_from_buffer(
        status == 304 ? 0 : len, (void *)(gsize)body, MHD_RESPMEM_MUST_COPY);
    for (char **h = headers; *h; h++) {
        char *colon = strstr(*h, ": ");
        if (!colon) continue;
        *colon = '\0';
        MHD_add_response_header(response, *h, colon + 2);
    }
    pop(web, target);
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static void *
on_uri(void *cls, const char *uri, struct MHD_Connection *connection)
{
    incoming *in = g_new0(incoming, 1);
    (void)cls, (void)connection;
    in->target = g_string_new(uri);
    in->body = g_string_new(NULL);
    return in;
}

static void
on_completed(void *cls, struct MHD_Connection *connection, void **request,
             enum MHD_RequestTerminationCode code)
{
    incoming *in = *request;
    (void)cls, (void)connection, (void)code;
    if (!in) return;
    g_string_free(in->target, TRUE);
    g_string_free(in->body, TRUE);
    g_free(in);
    *request = NULL;
}

static enum MHD_Result
on_request(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
           const char *version, const char *upload, size_t *upload_len, void **request)
{
    test_web *web = cls;
    incoming *in = *request;
    (void)url, (void)version;
    if (*upload_len > 0) {
        g_string_append_len(in->body, upload, (gssize)*upload_len);
        *upload_len = 0;
        return MHD_YES;
    }
    if (!in->begun) { /* first call: headers only, the body is still to come */
        in->begun = TRUE;
        return MHD_YES;
    }
    g_mutex_lock(&web->lock);
    record(web, connection, method, in);
    enum MHD_Result result = respond(web, connection, in->target->str);
    g_mutex_unlock(&web->lock);
    return result;
}

test_web *
test_web_start(void)
{
    test_web *web = g_new0(test_web, 1);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    g_mutex_init(&web->lock);
    web->answers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_queue);
    web->requests = g_ptr_array_new_with_free_func(g_free);
    web->daemon =
        MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, on_request, web,
                         MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_URI_LOG_CALLBACK, on_uri, NULL,
                         MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_END);
    g_assert_nonnull(web->daemon);
    web->port = MHD_get_daemon_info(web->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    return web;
}

void
test_web_stop(test_web *web)
{
    MHD_stop_daemon(web->daemon);
    g_hash_table_unref(web->answers);
    g_ptr_array_unref(web->requests);
    g_mutex_clear(&web->lock);
    g_free(web);
}

guint
test_web_port(test_web *web)
{
    return web->port;
}

char *
test_web_url(test_web *web, const char *path)
{
    return g_strdup_printf("http://127.0.0.1:%u%s", web->port, path);
}

static void
add_answer(test_web *web, const char *path, answer *a)
{
    g_mutex_lock(&web->lock);
    GQueue *queue = g_hash_table_lookup(web->answers, path);
    if (!queue) {
        queue = g_queue_new();
        g_hash_table_insert(web->answers, g_strdup(path), queue);
    }
    g_queue_push_tail(queue, a);
    g_mutex_unlock(&web->lock);
}

void
test_web_answer(test_web *web, const char *path, guint status, const char *headers,
                const char *body)
{
    answer *a = g_new0(answer, 1);
    a->status = status;
    a->headers = g_strdup(headers);
    a->body = g_bytes_new(body, strlen(body));
    add_answer(web, path, a);
}

void
test_web_file(test_web *web, const char *path, guint status, const char *type, const char *file)
{
    g_autofree char *bytes = NULL;
    gsize len = 0;
    answer *a = g_new0(answer, 1);
    g_assert_true(g_file_get_contents(file, &bytes, &len, NULL));
    a->status = status;
    a->headers = g_strconcat("Content-Type: ", type, NULL);
    a->body = g_bytes_new_take(g_steal_pointer(&bytes), len);
    add_answer(web, path, a);
}

void
test_web_reset(test_web *web)
{
    g_mutex_lock(&web->lock);
    g_hash_table_remove_all(web->answers);
    g_ptr_array_set_size(web->requests, 0);
    g_mutex_unlock(&web->lock);
}

guint
test_web_requests(test_web *web)
{
    g_mutex_lock(&web->lock);
    guint n = web->requests->len;
    g_mutex_unlock(&web->lock);
    return n;
}

char *
test_web_request(test_web *web, guint index)
{
    g_mutex_lock(&web->lock);
    char *text = index < web->requests->len ? g_strdup(web->requests->pdata[index]) : NULL;
    g_mutex_unlock(&web->lock);
    return text;
}

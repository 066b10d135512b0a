/* An OpenAI-compatible endpoint that misbehaves on demand: sockets and nothing else, so that every byte is ours. */
#include "tests/pipelines/endpoint_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"

struct endpoint_server {
    int fd;
    guint16 port;
    GThread *thread;
    GMutex lock;
    char *head, *body, *text;
    guint n_requests;
    guint n_now, n_most; /* requests being answered: now, and at most since the reset */
    gint stop;
};

typedef struct {
    endpoint_server *server;
    int fd;
    guint n; /* which request this is, from 1 */
    const char *body;
} call;

/* ---- writing ---- */

static gboolean
send_text(const call *c, const char *text)
{
    for (size_t len = strlen(text); len > 0;) {
        const ssize_t n = send(c->fd, text, len, MSG_NOSIGNAL);
        if (n <= 0) return FALSE;
        text += n;
        len -= (size_t)n;
    }
    return TRUE;
}

static void
send_piece(const call *c, const char *key, const char *text)
{
    json_t *event = json_pack("{s:s,s:[{s:i,s:{s:s},s:n}]}", "model", "served", "choices", "index",
                              0, "delta", key, text, "finish_reason");
    char *line = json_dumps(event, JSON_COMPACT);
    g_autofree char *all = g_strdup_printf("data: %s\n\n", line);
    send_text(c, all);
    free(line);
    json_decref(event);
}

static void
send_end(const call *c, const char *reason)
{
    g_autofree char *all = g_strdup_printf(
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"%s\"}]}\n\n"
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3}}\n\n"
        "data: [DONE]\n\n",
        reason);
    send_text(c, all);
}

static void
send_good(const call *c, const char *text)
{
    send_text(c, EVENTS);
    const size_t half = strlen(text) / 2;
    g_autofree char *first = g_strndup(text, half);
    send_piece(c, "content", first);
    send_piece(c, "content", text + half);
    send_end(c, "stop");
}

static void
send_status(const call *c, const char *status, const char *headers, const char *body)
{
    g_autofree char *all = g_strdup_printf("HTTP/1.1 %s\r\nContent-Type: application/json\r\n%s"
                                           "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
                                           status, headers, strlen(body), body);
    send_text(c, all);
}

/* Sleeps, but not when the server is to stop. */
static gboolean
wait_ms(const call *c, guint ms)
{
    for (guint i = 0; i < ms; i += 20) {
        if (g_atomic_int_get(&c->server->stop)) return FALSE;
        g_usleep(20000);
    }
    return TRUE;
}

/* ---- modes ---- */

static const char *
member(const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));
    return text != NULL ? text : "";
}

/* Speaks the first dialect that it is told to: json_schema needs "strict", json_object a schema, and so on. */
static void
picky(const call *c, const char *accepted)
{
    json_t *request = json_loads(c->body, 0, NULL);
    const json_t *format = json_object_get(request, "response_format");
    const char *type = member(format, "type");
    const gboolean has_schema = json_object_get(format, "schema") != NULL;
    g_autofree char *asked = g_strdup(*type == '\0'                      ? "words"
                                      : strcmp(type, "json_schema") == 0 ? "schema"
                                      : has_schema                       ? "object_schema"
                                                                         : "object");
    const gboolean told = strstr(c->body, "JSON Schema accepts") != NULL;
    json_decref(request);
    if (strcmp(asked, accepted) != 0)
        send_status(c, c->n == 1 ? "500 Internal Server Error" : "400 Bad Request", "",
                    "{\"error\":{\"message\":\"1 validation error: response_format\"}}");
    else if (strcmp(accepted, "words") == 0 && told)
        send_good(c, "Here it is:\n```json\n{\"n\": 3}\n```\n");
    else
        send_good(c, "{\"n\": 3}");
}

static void
cut(const call *c)
{
    send_text(c, EVENTS);
    send_piece(c, "content", "one ");
    if (c->n > 1) {
        send_piece(c, "content", "two");
        send_end(c, "stop");
    }
}

static void
drip(const call *c)
{
    if (!send_text(c, EVENTS)) return;
    for (guint i = 0; i < 100 && send_text(c, ":") && wait_ms(c, 2000); i++)
        ;
}

static void
huge_line(const call *c)
{
    g_autofree char *block = g_strnfill(1 << 20, 'x');
    send_text(c, EVENTS "data: ");
    for (guint i = 0; i < 40 && send_text(c, block); i++)
        ;
}

static void
think(const call *c)
{
    send_text(c, EVENTS);
    send_piece(c, "content", "<thi");
    send_piece(c, "content", "nk>quiet thoughts</th");
    send_piece(c, "content", "ink>\n\nloud words");
    send_end(c, "stop");
}

static void
reasoning(const call *c)
{
    send_text(c, EVENTS);
    send_piece(c, "reasoning_content", "quiet thoughts");
    send_piece(c, "content", "loud words");
    send_end(c, "length");
}

/* Takes so much and says no number; what it says was set, behind a "|" what it answers. */
static void
takes_half(const call *c)
{
    enum { TAKES = 6000 };
    g_auto(GStrv) said = g_strsplit(c->server->text, "|", 2);
    json_t *body = json_pack("{s:{s:s}}", "error", "message", said[0]);
    char *refusal = json_dumps(body, JSON_COMPACT);
    if (strlen(c->body) > TAKES)
        send_status(c, "400 Bad Request", "", refusal);
    else
        send_good(c, said[1]);
    free(refusal);
    json_decref(body);
}

/* As llama-cpp-python with a context of 2048: by the time it finds that a request for a stream is too long, it has sent
 * the head of one, and hangs up. */
static void
small(const call *c)
{
    enum { CONTEXT = 2048, BYTES_PER_TOKEN = 4 };
    json_t *request = json_loads(c->body, 0, NULL);
    const size_t n = strlen(c->body) / BYTES_PER_TOKEN +
                     (size_t)json_integer_value(json_object_get(request, "max_tokens"));
    const gboolean stream = json_is_true(json_object_get(request, "stream"));
    json_decref(request);
    g_autofree char *refusal = g_strdup_printf(
        "{\"error\":{\"message\":\"This model's maximum context length is %d tokens. However, you "
        "requested %zu tokens.\",\"code\":\"context_length_exceeded\"}}",
        CONTEXT, n);
    if (n <= CONTEXT)
        send_good(c, c->server->text);
    else if (stream)
        send_text(c, EVENTS);
    else
        send_status(c, "400 Bad Request", "", refusal);
}

/* The last message, or the prompt, back again; one that begins with "slow" after a while. */
static void
echo(const call *c)
{
    json_t *request = json_loads(c->body, 0, NULL);
    const json_t *messages = json_object_get(request, "messages");
    const size_t n = json_array_size(messages);
    const char *text =
        n > 0 ? member(json_array_get(messages, n - 1), "content") : member(request, "prompt");
    if (!g_str_has_prefix(text, "slow") || wait_ms(c, 300)) send_good(c, text);
    json_decref(request);
}

static void
run_mode(const call *c, const char *mode)
{
    static const char page[] =
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n"
        "<html>log in</html>";
    if (strcmp(mode, "good") == 0) {
        send_good(c, "one two");
    } else if (strcmp(mode, "echo") == 0) {
        echo(c);
    } else if (strcmp(mode, "says") == 0) {
        send_good(c, c->server->text);
    } else if (strcmp(mode, "muses") == 0) { /* the same, after a while */
        if (wait_ms(c, 200)) send_good(c, c->server->text);
    } else if (strcmp(mode, "cut") == 0) { /* the first answer breaks off in the middle */
        cut(c);
    } else if (strcmp(mode, "other") == 0) { /* the same, and the second one is another */
        send_text(c, EVENTS);
        send_piece(c, "content", c->n > 1 ? "uno dos" : "one ");
        if (c->n > 1) send_end(c, "stop");
    } else if (strcmp(mode, "limit") == 0) { /* 429 with Retry-After, then good */
        if (c->n == 1)
            send_status(c, "429 Too Many Requests", "Retry-After: 1\r\n", "{}");
        else
            send_good(c, "one two");
    } else if (strcmp(mode, "later") == 0) { /* 429 for an hour */
        send_status(c, "429 Too Many Requests", "Retry-After: 3600\r\n", "{}");
    } else if (strcmp(mode, "broken") == 0) { /* 500 twice, then good */
        if (c->n <= 2)
            send_status(c, "500 Internal Server Error", "", "{\"detail\":\"out of luck\"}");
        else
            send_good(c, "one two");
    } else if (strcmp(mode, "never") == 0) { /* always 500 */
        send_status(c, "500 Internal Server Error", "", "{\"detail\":\"out of luck\"}");
    } else if (strcmp(mode, "garbage") == 0) { /* bytes of no meaning, then good */
        if (c->n == 1)
            send_text(c, EVENTS "data: \xFF\xFE{]\n\n\x01\x02");
        else
            send_good(c, "one two");
    } else if (strcmp(mode, "drip") == 0) { /* a byte every two seconds, for minutes */
        drip(c);
    } else if (strcmp(mode, "silent") == 0) { /* nothing at all */
        wait_ms(c, 60000);
    } else if (strcmp(mode, "undone") == 0) { /* ends without [DONE], but with a reason */
        send_text(c, EVENTS);
        send_piece(c, "content", "one two");
        send_text(c, "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}");
    } else if (strcmp(mode, "huge") == 0) { /* a line without an end */
        huge_line(c);
    } else if (strcmp(mode, "html") == 0) { /* a page instead of an answer */
        send_text(c, page);
    } else if (strcmp(mode, "whole") == 0) { /* not a stream */
        send_status(
            c, "200 OK", "",
            "{\"choices\":[{\"message\":{\"content\":\"one two\"},\"finish_reason\":\"stop\"}],"
            "\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3}}");
    } else if (strcmp(mode, "streamless") == 0) { /* streams that end before they begin */
        if (strstr(c->body, "\"stream\":true") != NULL)
            send_text(c, EVENTS);
        else
            send_status(c, "200 OK", "",
                        "{\"choices\":[{\"message\":{\"content\":\"one two\"},"
                        "\"finish_reason\":\"stop\"}]}");
    } else if (strcmp(mode, "empty") == 0) { /* not a byte, ever */
        send_text(c, EVENTS);
    } else if (strcmp(mode, "small") == 0) {
        small(c);
    } else if (strcmp(mode, "numberless") == 0) {
        takes_half(c);
    } else if (strcmp(mode, "refuses") == 0) { /* 400 with the text that was set */
        json_t *body = json_pack("{s:{s:s}}", "error", "message", c->server->text);
        char *said = json_dumps(body, JSON_COMPACT);
        send_status(c, "400 Bad Request", "", said);
        free(said);
        json_decref(body);
    } else if (strcmp(mode, "key") == 0) { /* refuses the key, and says it */
        send_status(c, "401 Unauthorized", "",
                    "{\"error\":{\"message\":\"Incorrect API key provided: s3cret-key\"}}");
    } else if (strcmp(mode, "think") == 0) {
        think(c);
    } else if (strcmp(mode, "reasoning") == 0) {
        reasoning(c);
    } else if (strcmp(mode, "new") ==
               0) { /* wants max_completion_tokens, knows no stream_options */
        if (strstr(c->body, "\"max_tokens\"") != NULL)
            send_status(c, "400 Bad Request", "",
                        "{\"error\":{\"message\":\"Use 'max_completion_tokens' instead\"}}");
        else if (strstr(c->body, "stream_options") != NULL)
            send_status(c, "422 Unprocessable Entity", "",
                        "{\"detail\":[{\"loc\":[\"body\",\"stream_options\"]}]}");
        else
            send_good(c, "one two");
    } else if (g_str_has_prefix(mode, "picky-")) {
        picky(c, mode + strlen("picky-"));
    } else if (strcmp(mode, "unlawful") ==
               0) { /* takes a schema and does not keep it, the first time */
        send_good(c, c->n == 1 ? "{\"n\": \"three\"}" : "{\"n\": 3}");
    } else {
        send_status(c, "404 Not Found", "", "{\"error\":\"no such thing\"}");
    }
}

/* ---- requests ---- */

static gboolean
read_request(int fd, GString *head, GString *body)
{
    char buffer[65536];
    size_t wanted = G_MAXSIZE;
    while (body->len < wanted) {
        const ssize_t n = recv(fd, buffer, sizeof buffer, 0);
        if (n <= 0) return FALSE;
        g_string_append_len(wanted == G_MAXSIZE ? head : body, buffer, n);
        if (wanted != G_MAXSIZE) continue;
        const char *end = strstr(head->str, "\r\n\r\n");
        if (end == NULL) continue;
        const size_t at = (size_t)(end - head->str) + 4;
        g_string_append_len(body, head->str + at, (gssize)(head->len - at));
        g_string_truncate(head, at);
        const char *length = strstr(head->str, "Content-Length: ");
        wanted = length != NULL ? (size_t)g_ascii_strtoull(length + 16, NULL, 10) : 0;
    }
    return TRUE;
}

static void
serve(endpoint_server *server, int fd)
{
    g_autoptr(GString) head = g_string_new(NULL), body = g_string_new(NULL);
    if (!read_request(fd, head, body)) return;
    g_mutex_lock(&server->lock);
    g_free(server->head);
    g_free(server->body);
    server->head = g_strdup(head->str);
    server->body = g_strdup(body->str);
    const call c = {server, fd, ++server->n_requests, body->str};
    server->n_now++;
    server->n_most = MAX(server->n_most, server->n_now);
    g_mutex_unlock(&server->lock);
    g_auto(GStrv) words = g_strsplit(head->str, " ", 3);
    g_auto(GStrv) path = g_strsplit(words[1] != NULL ? words[1] : "", "/", 3);
    run_mode(&c, path[0] != NULL && path[1] != NULL ? path[1] : "");
    g_mutex_lock(&server->lock);
    server->n_now--;
    g_mutex_unlock(&server->lock);
}

typedef struct {
    endpoint_server *server;
    int fd;
} accepted;

static gpointer
serve_thread(gpointer data)
{
    accepted *a = data;
    serve(a->server, a->fd);
    close(a->fd);
    g_free(a);
    return NULL;
}

static gpointer
accept_thread(gpointer data)
{
    endpoint_server *server = data;
    g_autoptr(GPtrArray) threads = g_ptr_array_new();
    for (;;) {
        const int fd = accept(server->fd, NULL, NULL);
        if (fd < 0 && errno == EINTR) continue;
        if (fd < 0 || g_atomic_int_get(&server->stop)) {
            if (fd >= 0) close(fd);
            break;
        }
        const struct timeval patience = {.tv_sec = 20};
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
        accepted *a = g_new(accepted, 1);
        *a = (accepted){server, fd};
        g_ptr_array_add(threads, g_thread_new("endpoint", serve_thread, a));
    }
    for (guint i = 0; i < threads->len; i++)
        g_thread_join(threads->pdata[i]);
    return NULL;
}

endpoint_server *
endpoint_server_start(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    endpoint_server *server = g_new0(endpoint_server, 1);
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(server->fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(server->fd, 16) != 0 ||
        getsockname(server->fd, (struct sockaddr *)&address, &len) != 0)
        g_error("no port on 127.0.0.1: %s", g_strerror(errno));
    server->port = ntohs(address.sin_port);
    g_mutex_init(&server->lock);
    server->thread = g_thread_new("endpoints", accept_thread, server);
    return server;
}

void
endpoint_server_stop(endpoint_server *server)
{
    g_atomic_int_set(&server->stop, 1);
    shutdown(server->fd, SHUT_RDWR);
    g_thread_join(server->thread);
    close(server->fd);
    g_mutex_clear(&server->lock);
    g_free(server->head);
    g_free(server->body);
    g_free(server->text);
    g_free(server);
}

char *
endpoint_server_url(endpoint_server *server, const char *mode)
{
    return g_strdup_printf("http://127.0.0.1:%u/%s/v1", server->port, mode);
}

guint
endpoint_server_requests(endpoint_server *server)
{
    g_mutex_lock(&server->lock);
    const guint n = server->n_requests;
    g_mutex_unlock(&server->lock);
    return n;
}

guint
endpoint_server_most_at_once(endpoint_server *server)
{
    g_mutex_lock(&server->lock);
    const guint n = server->n_most;
    g_mutex_unlock(&server->lock);
    return n;
}

void
endpoint_server_reset(endpoint_server *server)
{
    g_mutex_lock(&server->lock);
    server->n_requests = server->n_most = 0;
    g_mutex_unlock(&server->lock);
}

char *
endpoint_server_last_body(endpoint_server *server)
{
    g_mutex_lock(&server->lock);
    char *text = g_strdup(server->body);
    g_mutex_unlock(&server->lock);
    return text;
}

char *
endpoint_server_last_head(endpoint_server *server)
{
    g_mutex_lock(&server->lock);
    char *text = g_strdup(server->head);
    g_mutex_unlock(&server->lock);
    return text;
}

void
endpoint_server_set_text(endpoint_server *server, const char *text)
{
    g_free(server->text);
    server->text = g_strdup(text);
}

#include "tests/search/server.h"

#include <arpa/inet.h>
#include <gio/gio.h>
#include <microhttpd.h>
#include <string.h>

struct test_server {
    struct MHD_Daemon *daemon;
    guint port;
    GMutex lock;
    test_file file;
    guint requests;
    guint64 sent;
    char last_range[64];
    GBytes *bomb;
};

typedef struct {
    test_server *server;
    guchar *bytes;
    gsize size, start, cut;
} body_reader;

guchar *
test_file_bytes(const test_file *file)
{
    guchar *bytes = g_malloc(file->size);
    guint32 state = file->seed + 1u;
    for (gsize i = 0; i < file->size; i++) {
        state = state * 1664525u + 1013904223u;
        bytes[i] = (guchar)(state >> 24);
    }
    return bytes;
}

static ssize_t
read_file_body(void *cls, uint64_t pos, char *buffer, size_t max)
{
    body_reader *r = cls;
    if (pos >= r->cut) return MHD_CONTENT_READER_END_WITH_ERROR;
    gsize n = MIN(max, r->cut - pos);
    memcpy(buffer, r->bytes + r->start + pos, n);
    g_mutex_lock(&r->server->lock);
    r->server->sent += n;
    g_mutex_unlock(&r->server->lock);
    return (ssize_t)n;
}

static void
free_reader(void *cls)
{
    body_reader *r = cls;
    g_free(r->bytes);
    g_free(r);
}

/* One letter and then nothing for a long time; with a dribble: one letter every 50 ms. */
static ssize_t
read_stalling(void *cls, uint64_t pos, char *buffer, size_t max)
{
    gboolean dribble = GPOINTER_TO_INT(cls);
    (void)max;
    if (pos > 0) g_usleep(dribble ? 50 * 1000 : 3 * G_USEC_PER_SEC);
    if (pos > 1000 || (pos > 0 && !dribble)) return MHD_CONTENT_READER_END_WITH_ERROR;
    buffer[0] = 'x';
    return 1;
}

static ssize_t
read_endless(void *cls, uint64_t pos, char *buffer, size_t max)
{
    (void)cls, (void)pos;
    memset(buffer, 'x', max);
    return (ssize_t)max;
}

static struct MHD_Response *
text_response(const char *text, const char *type)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(text), (void *)(gsize)text, MHD_RESPMEM_MUST_COPY);
    MHD_add_response_header(response, "Content-Type", type);
    return response;
}

static enum MHD_Result
reply(struct MHD_Connection *connection, guint status, struct MHD_Response *response)
{
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result
reply_redirect(struct MHD_Connection *connection, const char *target)
{
    struct MHD_Response *response = text_response("elsewhere", "text/plain");
    MHD_add_response_header(response, "Location", target);
    return reply(connection, 302, response);
}

static enum MHD_Result
reply_file(test_server *server, struct MHD_Connection *connection)
{
    g_mutex_lock(&server->lock);
    test_file file = server->file;
    gboolean fail = server->file.fail_times > 0, cut = !fail && server->file.cut_times > 0;
    if (fail) server->file.fail_times--;
    if (cut) server->file.cut_times--;
    g_mutex_unlock(&server->lock);
    if (fail) return reply(connection, 503, text_response("later", "text/plain"));

    const char *range = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Range");
    const char *if_range = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "If-Range");
    gsize start = 0;
    if (range && !file.no_range && (!if_range || g_strcmp0(if_range, file.etag) == 0))
        start = (gsize)g_ascii_strtoull(range + strlen("bytes="), NULL, 10);
    gboolean partial = start > 0;
    char text[96];
    if (start >= file.size) {
        struct MHD_Response *none = text_response("", "text/plain");
        g_snprintf(text, sizeof text, "bytes */%" G_GSIZE_FORMAT, file.size);
        MHD_add_response_header(none, "Content-Range", text);
        return reply(connection, 416, none);
    }
    body_reader *reader = g_new0(body_reader, 1);
    reader->server = server;
    reader->bytes = test_file_bytes(&file);
    reader->size = file.size - start;
    reader->start = start;
    reader->cut = cut ? MIN(file.cut_after, reader->size) : reader->size;
    struct MHD_Response *response =
        MHD_create_response_from_callback(reader->size, 4096, read_file_body, reader, free_reader);
    if (file.etag) MHD_add_response_header(response, "ETag", file.etag);
    if (partial) {
        g_snprintf(text, sizeof text,
                   "bytes %" G_GSIZE_FORMAT "-%" G_GSIZE_FORMAT "/%" G_GSIZE_FORMAT, start,
                   file.size - 1, file.size);
        MHD_add_response_header(response, "Content-Range", text);
    }
    return reply(connection, partial ? 206 : 200, response);
}

static enum MHD_Result
reply_bomb(test_server *server, struct MHD_Connection *connection)
{
    gsize len = 0;
    gconstpointer data = g_bytes_get_data(server->bomb, &len);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(len, (void *)(gsize)data, MHD_RESPMEM_PERSISTENT);
    MHD_add_response_header(response, "Content-Encoding", "gzip");
    MHD_add_response_header(response, "Content-Type", "text/html");
    return reply(connection, 200, response);
}

static enum MHD_Result
on_request(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
           const char *version, const char *upload, size_t *upload_len, void **request)
{
    test_server *server = cls;
    (void)method, (void)version, (void)upload, (void)upload_len;
    if (!*request) { /* first call: headers only */
        *request = server;
        return MHD_YES;
    }
    const char *range = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Range");
    g_mutex_lock(&server->lock);
    server->requests++;
    g_strlcpy(server->last_range, range ? range : "", sizeof server->last_range);
    g_mutex_unlock(&server->lock);

    /* asked as a proxy, the path is a whole URL */
    const char *scheme = strstr(url, "://");
    if (scheme) url = strchr(scheme + 3, '/') ? strchr(scheme + 3, '/') : "/";
    char target[128];
    if (g_str_equal(url, "/ok"))
        return reply(connection, 200,
                     text_response("hello", "Text/HTML; a=\"b;c\"; charset=\"ISO-8859-1\""));
    if (g_str_equal(url, "/agent")) {
        const char *agent = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "User-Agent");
        return reply(connection, 200, text_response(agent ? agent : "", "text/plain"));
    }
    if (g_str_has_prefix(url, "/chain/")) {
        guint64 n = g_ascii_strtoull(url + 7, NULL, 10);
        g_snprintf(target, sizeof target, "../chain/%" G_GUINT64_FORMAT, n - 1);
        return reply_redirect(connection, n > 0 ? target : "/ok");
    }
    if (g_str_has_prefix(url, "/to/")) {
        const char *where = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "url");
        return reply_redirect(connection, where ? where : "/ok");
    }
    if (g_str_has_prefix(url, "/status/"))
        return reply(connection, (guint)g_ascii_strtoull(url + 8, NULL, 10),
                     text_response("no", "text/plain"));
    if (g_str_equal(url, "/stall") || g_str_equal(url, "/dribble"))
        return reply(
            connection, 200,
            MHD_create_response_from_callback(5000, 1024, read_stalling,
                                              GINT_TO_POINTER(g_str_equal(url, "/dribble")), NULL));
    if (g_str_equal(url, "/huge"))
        return reply(
            connection, 200,
            MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 65536, read_endless, NULL, NULL));
    if (g_str_equal(url, "/bomb")) return reply_bomb(server, connection);
    if (g_str_equal(url, "/file")) return reply_file(server, connection);
    return reply(connection, 404, text_response("not here", "text/plain"));
}

/* 64 MiB of zeros as gzip: some 64 KB. */
static GBytes *
make_bomb(void)
{
    g_autoptr(GZlibCompressor) zip = g_zlib_compressor_new(G_ZLIB_COMPRESSOR_FORMAT_GZIP, 9);
    g_autoptr(GOutputStream) memory = g_memory_output_stream_new_resizable();
    g_autoptr(GOutputStream) out = g_converter_output_stream_new(memory, G_CONVERTER(zip));
    g_autofree guchar *zeros = g_malloc0(1 << 20);
    for (int i = 0; i < 64; i++)
        g_assert_true(g_output_stream_write_all(out, zeros, 1 << 20, NULL, NULL, NULL));
    g_assert_true(g_output_stream_close(out, NULL, NULL));
    return g_memory_output_stream_steal_as_bytes(G_MEMORY_OUTPUT_STREAM(memory));
}

static test_server *
start_server(const char *key, const char *cert)
{
    test_server *server = g_new0(test_server, 1);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    guint flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD;

    g_mutex_init(&server->lock);
    server->bomb = make_bomb();
    if (key)
        server->daemon = MHD_start_daemon(flags | MHD_USE_TLS, 0, NULL, NULL, on_request, server,
                                          MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_HTTPS_MEM_KEY,
                                          key, MHD_OPTION_HTTPS_MEM_CERT, cert, MHD_OPTION_END);
    else
        server->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_request, server,
                                          MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_END);
    g_assert_nonnull(server->daemon);
    server->port = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    return server;
}

test_server *
test_server_start(void)
{
    return start_server(NULL, NULL);
}

test_server *
test_server_start_tls(const char *dir)
{
    if (MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES) return NULL;
    g_autofree char *key_path = g_build_filename(dir, "key.pem", NULL), *key = NULL;
    g_autofree char *cert_path = g_build_filename(dir, "cert.pem", NULL), *cert = NULL;
    g_assert_true(g_file_get_contents(key_path, &key, NULL, NULL));
    g_assert_true(g_file_get_contents(cert_path, &cert, NULL, NULL));
    return start_server(key, cert);
}

void
test_server_stop(test_server *server)
{
    MHD_stop_daemon(server->daemon);
    g_bytes_unref(server->bomb);
    g_mutex_clear(&server->lock);
    g_free(server);
}

guint
test_server_port(test_server *server)
{
    return server->port;
}

char *
test_server_url(test_server *server, const char *path)
{
    return g_strdup_printf("http://127.0.0.1:%u%s", server->port, path);
}

void
test_server_set_file(test_server *server, const test_file *file)
{
    g_mutex_lock(&server->lock);
    server->file = *file;
    server->requests = 0;
    server->sent = 0;
    g_mutex_unlock(&server->lock);
}

guint
test_server_requests(test_server *server)
{
    g_mutex_lock(&server->lock);
    guint n = server->requests;
    g_mutex_unlock(&server->lock);
    return n;
}

guint64
test_server_sent(test_server *server)
{
    g_mutex_lock(&server->lock);
    guint64 n = server->sent;
    g_mutex_unlock(&server->lock);
    return n;
}

char *
test_server_last_range(test_server *server)
{
    g_mutex_lock(&server->lock);
    char *range = g_strdup(server->last_range);
    g_mutex_unlock(&server->lock);
    return range;
}

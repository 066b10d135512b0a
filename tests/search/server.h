/* A small HTTP server on 127.0.0.1 for the tests of fetching: each path misbehaves in its own way. */
#ifndef LODE_TESTS_SEARCH_SERVER_H
#define LODE_TESTS_SEARCH_SERVER_H

#include <glib.h>

typedef struct test_server test_server;

/* What the file at /file is and how its server behaves. */
typedef struct {
    const char *etag;  /* NULL = none */
    gboolean no_range; /* answers 200 whatever range is asked for */
    guint cut_times;   /* so many answers break off ... */
    gsize cut_after;   /* ... after so many bytes of their body */
    guint fail_times;  /* so many answers are 503 */
    guchar seed;       /* the bytes: another seed, another version */
    gsize size;
} test_file;

test_server *test_server_start(void);
/* The same over TLS, with dir/key.pem and dir/cert.pem; NULL where libmicrohttpd has none. */
test_server *test_server_start_tls(const char *dir);
void test_server_stop(test_server *server);
/* "http://127.0.0.1:PORT" + path; g_free */
char *test_server_url(test_server *server, const char *path);
guint test_server_port(test_server *server);
void test_server_set_file(test_server *server, const test_file *file);
/* Requests so far, and the Range header of the last one ("" for none); g_free the text. */
guint test_server_requests(test_server *server);
char *test_server_last_range(test_server *server);
/* Body bytes of /file sent so far. */
guint64 test_server_sent(test_server *server);
/* The bytes of /file. */
guchar *test_file_bytes(const test_file *file);

#endif

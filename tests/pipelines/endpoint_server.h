/* An OpenAI-compatible endpoint on 127.0.0.1 that misbehaves on demand. The first part of a request's path chooses how:
 * "http://127.0.0.1:PORT/MODE/v1". Every MODE is described at its handler. */
#ifndef LODE_TESTS_PIPELINES_ENDPOINT_SERVER_H
#define LODE_TESTS_PIPELINES_ENDPOINT_SERVER_H

#include <glib.h>

typedef struct endpoint_server endpoint_server;

endpoint_server *endpoint_server_start(void);
void endpoint_server_stop(endpoint_server *server);
char *endpoint_server_url(endpoint_server *server, const char *mode); /* g_free */
/* Since the last call with this mode. */
guint endpoint_server_requests(endpoint_server *server);
/* Of these the most that were being answered at one time. */
guint endpoint_server_most_at_once(endpoint_server *server);
/* Of the last request: its body, and its head; g_free. */
char *endpoint_server_last_body(endpoint_server *server);
char *endpoint_server_last_head(endpoint_server *server);
void endpoint_server_reset(endpoint_server *server);
/* What modes like "says" answer with. */
void endpoint_server_set_text(endpoint_server *server, const char *text);

#endif

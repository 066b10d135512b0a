/* A web of our own on 127.0.0.1: a test says what each path answers, and reads what it was asked. */
#ifndef LODE_TESTS_SEARCH_WEB_H
#define LODE_TESTS_SEARCH_WEB_H

#include <glib.h>

typedef struct test_web test_web;

test_web *test_web_start(void);
void test_web_stop(test_web *web);
guint test_web_port(test_web *web);
/* "http://127.0.0.1:PORT" + path; g_free */
char *test_web_url(test_web *web, const char *path);

/* What path answers; said more than once: one after the other, the last for good. headers: "Name: value" lines, may
 * be NULL. A path with a query is looked for first, then without. An ETag that is sent back makes a 304. Paths
 * that nothing was said about are 404. */
void test_web_answer(test_web *web, const char *path, guint status, const char *headers,
                     const char *body);
/* The same with a file as body, and its type. */
void test_web_file(test_web *web, const char *path, guint status, const char *type,
                   const char *file);
/* Forget answers and requests. */
void test_web_reset(test_web *web);

guint test_web_requests(test_web *web);
/* The request of that index as text: "GET /path?query", then headers "Name: value" sorted by name, an empty line, the
 * body; NULL past the end. g_free */
char *test_web_request(test_web *web, guint index);

#endif

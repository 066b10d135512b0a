/* Real search engines, as programs that a test starts on a port of 127.0.0.1. */
#ifndef LODE_TESTS_SEARCH_ENGINE_H
#define LODE_TESTS_SEARCH_ENGINE_H

#include <gio/gio.h>

guint test_free_port(void); /* one that nobody listens on now */
/* Start argv and wait until url answers anything, 20 s at most; NULL when it does not. name, value: an environment
 * variable for it, may be NULL. */
GSubprocess *test_engine_start(const char *const *argv, const char *name, const char *value,
                               const char *url);
void test_engine_stop(GSubprocess *engine); /* NULL is fine */

#endif

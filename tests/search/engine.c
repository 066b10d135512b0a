#include "tests/search/engine.h"

#include <arpa/inet.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "search/search.h"

guint
test_free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    g_assert_true(bind(fd, (struct sockaddr *)&address, len) == 0);
    g_assert_true(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    close(fd);
    return ntohs(address.sin_port);
}

/* An engine must not outlive a test that is killed. */
static void
die_with_parent(gpointer data)
{
    (void)data;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

GSubprocess *
test_engine_start(const char *const *argv, const char *name, const char *value, const char *url)
{
    g_autoptr(GSubprocessLauncher) launcher = g_subprocess_launcher_new(
        G_SUBPROCESS_FLAGS_STDOUT_SILENCE | G_SUBPROCESS_FLAGS_STDERR_SILENCE);
    g_autoptr(GError) error = NULL;

    if (name) g_subprocess_launcher_setenv(launcher, name, value, TRUE);
    g_subprocess_launcher_set_child_setup(launcher, die_with_parent, NULL, NULL);
    GSubprocess *engine = g_subprocess_launcher_spawnv(launcher, argv, &error);
    g_assert_no_error(error);
    for (guint i = 0; i < 200; i++) {
        g_autoptr(GError) local = NULL;
        g_autoptr(search_response) there =
            search_fetch(url, &(search_fetch_options){.allow_private = TRUE}, &local);
        if (there || local->code == SEARCH_ERROR_STATUS) return engine;
        g_usleep(100 * 1000);
    }
    test_engine_stop(engine);
    return NULL;
}

void
test_engine_stop(GSubprocess *engine)
{
    if (!engine) return;
    g_subprocess_force_exit(engine);
    g_subprocess_wait(engine, NULL, NULL);
    g_object_unref(engine);
}

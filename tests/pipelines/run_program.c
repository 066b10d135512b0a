#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <sys/wait.h>

#include "tests/pipelines/run_program.h"

void
outcome_clear(outcome *o)
{
    g_free(o->out);
    g_free(o->err);
}

void
run_program(const char *const *first, const char *const *more, outcome *o)
{
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    g_ptr_array_add(argv, (gpointer)LODE_PROGRAM);
    for (; *first != NULL; first++)
        g_ptr_array_add(argv, (gpointer)*first);
    for (; more != NULL && *more != NULL; more++)
        g_ptr_array_add(argv, (gpointer)*more);
    g_ptr_array_add(argv, NULL);
    int status = 0;
    GError *error = NULL;
    if (!g_spawn_sync(NULL, (char **)argv->pdata, NULL, G_SPAWN_DEFAULT, NULL, NULL, &o->out,
                      &o->err, &status, &error))
        fail_msg("%s", error->message);
    if (!WIFEXITED(status)) fail_msg("killed: %s", o->err);
    o->code = WEXITSTATUS(status);
}

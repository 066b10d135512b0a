/* Models ask a flag whether to go on: here it is raised when the time of a search is over, or its caller has had enough. */
#include "pipelines/web.h"

enum { TICK_MS = 50 };

static gpointer
watch(gpointer data)
{
    web_run *run = data;
    g_mutex_lock(&run->watch_lock);
    while (!run->watch_over) {
        const gint64 now = g_get_monotonic_time();
        if (now >= run->deadline || pipelines_cancelled(run->setup->options.cancel)) {
            g_atomic_int_set(&run->stop, 1);
            break;
        }
        const gint64 tick = now + TICK_MS * G_TIME_SPAN_MILLISECOND;
        g_cond_wait_until(&run->watch_wakes, &run->watch_lock, MIN(run->deadline, tick));
    }
    g_mutex_unlock(&run->watch_lock);
    return NULL;
}

void
web_watch_begin(web_run *run)
{
    g_mutex_init(&run->watch_lock);
    g_cond_init(&run->watch_wakes);
    run->watcher = g_thread_new("lode-deadline", watch, run);
}

void
web_watch_end(web_run *run)
{
    g_mutex_lock(&run->watch_lock);
    run->watch_over = TRUE;
    g_cond_signal(&run->watch_wakes);
    g_mutex_unlock(&run->watch_lock);
    g_thread_join(run->watcher);
    g_cond_clear(&run->watch_wakes);
    g_mutex_clear(&run->watch_lock);
}

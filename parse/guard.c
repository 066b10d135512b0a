/* A wall clock limit on one call into MuPDF; see parse_internal.h for why it is a thread. */
#include "parse/parse_internal.h"

static gpointer
guard_thread(gpointer data)
{
    parse_guard *guard = data;
    g_mutex_lock(&guard->mutex);
    while (!guard->quit) {
        if (!guard->cookie) {
            guard->idle = TRUE;
            g_cond_wait(&guard->cond, &guard->mutex);
            guard->idle = FALSE;
        } else if (g_get_monotonic_time() >= guard->deadline_us) {
            /* the reader polls this int without a lock: MuPDF documents it as good enough */
            __atomic_store_n(&guard->cookie->abort, 1, __ATOMIC_RELAXED);
            guard->expired = TRUE;
            guard->cookie = NULL;
        } else {
            /* Re-arming moves the deadline without a signal: wake at the old one, look, sleep again. */
            g_cond_wait_until(&guard->cond, &guard->mutex, guard->deadline_us);
        }
    }
    g_mutex_unlock(&guard->mutex);
    return NULL;
}

void
parse_guard_init(parse_guard *guard)
{
    *guard = (parse_guard){0};
    g_mutex_init(&guard->mutex);
    g_cond_init(&guard->cond);
}

void
parse_guard_clear(parse_guard *guard)
{
    g_mutex_lock(&guard->mutex);
    guard->quit = TRUE;
    g_cond_signal(&guard->cond);
    g_mutex_unlock(&guard->mutex);
    if (guard->thread) g_thread_join(guard->thread);
    g_mutex_clear(&guard->mutex);
    g_cond_clear(&guard->cond);
}

void
parse_guard_arm(parse_guard *guard, fz_cookie *cookie, double seconds)
{
    guard->expired = FALSE;
    if (!(seconds >= 0)) return;
    g_mutex_lock(&guard->mutex);
    gint64 now = g_get_monotonic_time();
    guard->deadline_us = now + (gint64)(MIN(seconds, 1e9) * G_USEC_PER_SEC);
    guard->cookie = cookie;
    if (!guard->thread)
        guard->thread = g_thread_try_new("lode-limit", guard_thread, guard, NULL);
    else if (guard->idle)
        g_cond_signal(&guard->cond);
    g_mutex_unlock(&guard->mutex);
}

gboolean
parse_guard_disarm(parse_guard *guard)
{
    g_mutex_lock(&guard->mutex);
    guard->cookie = NULL;
    gboolean expired = guard->expired;
    g_mutex_unlock(&guard->mutex);
    return expired;
}

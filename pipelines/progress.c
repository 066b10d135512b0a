/* How far a long run is: on a terminal a bar with rate and time left, drawn over itself; elsewhere a line
 * every five seconds. Always on stderr. */
#include "pipelines/cli.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BAR_CELLS = 24, LINE_SECONDS = 5 };

struct cli_progress {
    gboolean enabled, bar, drawn;
    char *what;
    size_t n_total, n_done;
    gint64 start_us, last_us;
    GMutex mutex;
};

cli_progress *
cli_progress_new(const common_args *args, const char *what, size_t n_total)
{
    cli_progress *p = g_new0(cli_progress, 1);
    g_mutex_init(&p->mutex);
    p->enabled = !args->quiet;
    p->bar = isatty(STDERR_FILENO) && g_strcmp0(g_getenv("TERM"), "dumb") != 0;
    p->what = g_strdup(what);
    p->n_total = n_total;
    p->start_us = p->last_us = g_get_monotonic_time();
    return p;
}

static char *
time_left(const cli_progress *p, double seconds)
{
    if (p->n_done == 0 || p->n_done >= p->n_total) return g_strdup("");
    double left = seconds / (double)p->n_done * (double)(p->n_total - p->n_done);
    guint64 s = (guint64)(left + 0.5);
    if (s >= 3600)
        return g_strdup_printf(", %" G_GUINT64_FORMAT " h %02u min left", s / 3600,
                               (guint)(s / 60 % 60));
    if (s >= 60) return g_strdup_printf(", %u min %02u s left", (guint)(s / 60), (guint)(s % 60));
    return g_strdup_printf(", %u s left", (guint)s);
}

static void
draw(cli_progress *p, gint64 now)
{
    double seconds = (double)(now - p->start_us) / 1e6;
    double rate = seconds > 0 ? (double)p->n_done / seconds : 0;
    g_autofree char *left = time_left(p, seconds);
    if (!p->bar) {
        fprintf(stderr, "%s: %zu of %zu (%.1f/s%s)\n", p->what, p->n_done, p->n_total, rate, left);
        return;
    }
    char cells[BAR_CELLS + 1];
    size_t full = p->n_total > 0 ? p->n_done * BAR_CELLS / p->n_total : 0;
    for (size_t i = 0; i < BAR_CELLS; i++)
        cells[i] = i < full ? '#' : '.';
    cells[BAR_CELLS] = '\0';
    fprintf(stderr, "\r\033[K%s [%s] %zu/%zu  %.1f/s%s", p->what, cells, p->n_done, p->n_total,
            rate, left);
    fflush(stderr);
    p->drawn = TRUE;
}

void
cli_progress_update(cli_progress *p, size_t n_done)
{
    if (!p->enabled) return;
    g_mutex_lock(&p->mutex);
    gint64 now = g_get_monotonic_time();
    gint64 pause = p->bar ? G_USEC_PER_SEC / 10 : (gint64)LINE_SECONDS * G_USEC_PER_SEC;
    p->n_done = n_done;
    if (now - p->last_us >= pause || (p->bar && n_done >= p->n_total)) {
        p->last_us = now;
        draw(p, now);
    }
    g_mutex_unlock(&p->mutex);
}

void
cli_progress_clear(cli_progress *p)
{
    g_mutex_lock(&p->mutex);
    if (p->drawn) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
        p->drawn = FALSE;
        p->last_us = 0; /* draw again soon */
    }
    g_mutex_unlock(&p->mutex);
}

void
cli_progress_free(cli_progress *p)
{
    if (p == NULL) return;
    cli_progress_clear(p);
    g_mutex_clear(&p->mutex);
    g_free(p->what);
    g_free(p);
}

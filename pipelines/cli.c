/* Messages, signals, the end of the program. */
#include "pipelines/cli.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

gboolean
cli_color(int fd)
{
    const char *no_color = g_getenv("NO_COLOR");
    if (no_color != NULL && no_color[0] != '\0') return FALSE;
    return isatty(fd) && g_strcmp0(g_getenv("TERM"), "dumb") != 0;
}

static void
say_error(const char *text)
{
    if (cli_color(STDERR_FILENO))
        fprintf(stderr, "\033[31merror:\033[0m %s\n", text);
    else
        fprintf(stderr, "error: %s\n", text);
}

int
cli_error(int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    say_error(text);
    return code;
}

int
cli_usage_error(const char *name, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    g_autofree char *line = name != NULL ? g_strdup_printf("%s (see: lode help %s)", text, name)
                                         : g_strdup_printf("%s (see: lode help)", text);
    say_error(line);
    return EXIT_WRONG_USAGE;
}

void
cli_note(const common_args *args, const char *format, ...)
{
    if (args->quiet) return;
    va_list list;
    va_start(list, format);
    g_autofree char *text = g_strdup_vprintf(format, list);
    va_end(list);
    fprintf(stderr, "%s\n", text);
}

void
cli_file_error(const char *path, const char *message)
{
    g_autofree char *name = g_filename_display_name(path);
    g_autofree char *base = g_filename_display_basename(path);
    const char *const prefixes[] = {name, base};
    for (size_t i = 0; i < G_N_ELEMENTS(prefixes); i++) {
        size_t n = strlen(prefixes[i]);
        if (strncmp(message, prefixes[i], n) == 0 && strncmp(message + n, ": ", 2) == 0)
            message += n + 2;
    }
    cli_error(0, "%s: %s", name, message);
}

/* Why stdout failed first: by the time of cli_finish errno says something else. */
static int output_errno;

void
cli_write(const char *text, size_t len)
{
    errno = 0;
    if (fwrite(text, 1, len, stdout) != len && output_errno == 0) output_errno = errno;
}

void
cli_print(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    cli_write(text, strlen(text));
}

void
cli_print_json(const json_t *json)
{
    g_autofree char *text = pipelines_json_text(json);
    cli_write(text, strlen(text));
}

void
cli_print_json_line(const json_t *json)
{
    g_autofree char *line = pipelines_json_line(json);
    cli_write(line, strlen(line));
    fflush(stdout);
}

int
cli_finish(int code)
{
    errno = 0;
    if (fflush(stdout) != 0 && output_errno == 0) output_errno = errno;
    if (!ferror(stdout) && output_errno == 0) return code;
    if (output_errno == EPIPE) return code; /* "| head" has seen enough */
    return cli_error(EXIT_NOTHING_DONE, "standard output cannot be written: %s",
                     output_errno != 0 ? g_strerror(output_errno) : "write failed");
}

/* ---- signals ---- */

static volatile int cancel_flag;

static void
on_signal(int sig)
{
    cancel_flag = 1;
    signal(sig, SIG_DFL); /* the second one ends it */
}

const int *
cli_cancel(void)
{
    return (const int *)&cancel_flag;
}

void
cli_install_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    /* a reader process that died, and "| head", are told by write(2) instead */
    signal(SIGPIPE, SIG_IGN);
}

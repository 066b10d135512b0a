/* What the commands of the program share. */
#ifndef LODE_PIPELINES_CLI_H
#define LODE_PIPELINES_CLI_H

#include <glib.h>
#include <jansson.h>

#include "pipelines/internal.h"

G_BEGIN_DECLS

/* What a folder is searched for, and what is read: for messages and help. */
#define CLI_INPUTS "PDF, images, Word, HTML, EPUB, LaTeX, JATS XML, Markdown, text, archives"
#define CLI_INPUTS_LONG                                                                            \
    "PDF, XPS, FB2, CBZ, images (PNG, JPEG, TIFF, WebP, JPEG 2000, BMP),\n"                        \
    "Word, PowerPoint, Excel, OpenDocument text, HTML, EPUB, LaTeX source, JATS XML,\n"            \
    "Markdown, plain text; and archives of them (ZIP, tar, gzip, bzip2, xz, zstd), whose "         \
    "members\n"                                                                                    \
    "are papers.zip!/dir/paper.pdf. The type is found by content, not by name."

enum {
    EXIT_ALL_GOOD = 0,
    EXIT_SOME_FAILED = 1, /* each named, the rest done */
    EXIT_WRONG_USAGE = 2,
    EXIT_NOTHING_DONE = 3,
    EXIT_INSUFFICIENT = 4 /* asked, and the library has no answer */
};

/* First member of every command's arguments. */
typedef struct {
    gboolean quiet, json, help;
} common_args;

typedef struct {
    const char *name;
    const char *summary;     /* one line, lower case, no full stop */
    const char *usage;       /* "INPUT... -o OUT" */
    const char *description; /* paragraphs separated by empty lines */
    const char *examples;    /* lines "$ command" and what they do; NULL: none */
    size_t args_size;
    void (*init)(gpointer args); /* defaults; NULL: all zero */
    GOptionEntry *(*entries)(
        gpointer args); /* NULL-terminated, g_free; strings they store are g_freed */
    int (*run)(gpointer args, char **operands, int n_operands);
} command;

/* All commands, in the order of help; n counts them. */
const command *const *cli_commands(size_t *n);
const command *cli_find_command(const char *name);

extern const command cmd_convert, cmd_index, cmd_library, cmd_ask, cmd_chat, cmd_search,
    cmd_fetch_papers, cmd_verify, cmd_replay, cmd_eval, cmd_generate, cmd_model, cmd_bench,
    cmd_doctor, cmd_help;

/* ---- options (options.c) ---- */

/* argv [argc] of a command, its name at 0. Reads flags, then LODE_* variables, then the configuration file. Returns
 * -1 when run is to go on with *operands (free with g_strfreev), else the exit code. */
int cli_parse(const command *cmd, gpointer args, int argc, char **argv, char ***operands);
void cli_args_free(const command *cmd, gpointer args);
char *cli_help_text(const command *cmd); /* g_free */
/* The common ones; NULL-terminated. */
GOptionEntry *cli_common_entries(common_args *args); /* g_free */

/* ---- messages (cli.c) ---- */

/* "error: ..." on stderr; returns code. */
int cli_error(int code, const char *format, ...) G_GNUC_PRINTF(2, 3);
int cli_usage_error(const char *name, const char *format, ...) G_GNUC_PRINTF(2, 3);
void cli_note(const common_args *args, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* "error: PATH: message", without a name that the message repeats. */
void cli_file_error(const char *path, const char *message);
void cli_write(const char *text, size_t len); /* stdout, like the next two */
void cli_print(const char *format, ...) G_GNUC_PRINTF(1, 2);
void cli_print_json(const json_t *json);
void cli_print_json_line(const json_t *json); /* on one line, seen at once */
/* Flush stdout; the exit code, or EXIT_NOTHING_DONE with a message where it could not be written. */
int cli_finish(int code);
gboolean cli_color(int fd);
/* Raised by Ctrl-C and SIGTERM; a second Ctrl-C ends the program at once. */
const int *cli_cancel(void);
void cli_install_signals(void);

/* ---- the options of commands that read documents (cli_reader.c) ---- */

typedef struct {
    char *password, *password_file, *ocr, *ocr_languages;
    int jobs, memory_mb;
    double timeout;
} reader_args;

void cli_reader_init(reader_args *args);
/* own, and behind them those of args; both NULL-terminated; g_free. */
GOptionEntry *cli_reader_entries(const GOptionEntry *own, reader_args *args);
/* FALSE after a message. */
gboolean cli_reader_check(const char *command_name, const reader_args *args,
                          pipelines_worker_options *worker);
/* The password: from the option, a file (first line), or NULL. FALSE after a message. */
gboolean cli_password(const reader_args *args, char **out);

/* ---- the options of commands that let a model write (cli_endpoint.c) ---- */

typedef struct {
    char *url, *key_file;
} endpoint_args;

/* For a command's table of options; the model's name at the server comes from elsewhere. */
#define CLI_ENDPOINT_ENTRIES(args)                                                                 \
    {"endpoint",                                                                                   \
     0,                                                                                            \
     0,                                                                                            \
     G_OPTION_ARG_STRING,                                                                          \
     &(args)->url,                                                                                 \
     "Ask a server that speaks OpenAI's API, http://HOST:PORT/v1, instead of a model here; its "   \
     "key: LODE_API_KEY (default: none)",                                                          \
     "URL"},                                                                                       \
    {                                                                                              \
        "key-file", 0, 0, G_OPTION_ARG_FILENAME, &(args)->key_file,                                \
            "Read the server's key from the first line of this file (default: LODE_API_KEY)",      \
            "FILE"                                                                                 \
    }

/* model: as the server calls it. n_context 0: the default. */
lode_writer *cli_open_endpoint(const endpoint_args *args, const char *model, uint32_t n_context,
                               GError **error);

/* ---- the options of commands that run a model (cli_device.c) ---- */

typedef struct {
    char *device, *memory, *layers; /* as given; NULL: the defaults */
} device_args;

/* For a command's table of options. */
#define CLI_DEVICE_ENTRIES(args)                                                                   \
    {"device",                                                                                     \
     0,                                                                                            \
     0,                                                                                            \
     G_OPTION_ARG_STRING,                                                                          \
     &(args)->device,                                                                              \
     "Where models run: auto (default; a GPU where there is one), cpu, cuda, or cuda:N; lode "     \
     "doctor lists GPUs",                                                                          \
     "WHERE"},                                                                                     \
        {"gpu-memory",                                                                             \
         0,                                                                                        \
         0,                                                                                        \
         G_OPTION_ARG_STRING,                                                                      \
         &(args)->memory,                                                                          \
         "Memory of the GPU to use at most, such as 6G or 800M (default: what is free)",           \
         "SIZE"},                                                                                  \
    {                                                                                              \
        "gpu-layers", 0, 0, G_OPTION_ARG_STRING, &(args)->layers,                                  \
            "Layers of a model that run on the GPU, the last ones (default: all, as many as fit)", \
            "N"                                                                                    \
    }

/* EXIT_ALL_GOOD, or the exit code after a message. */
int cli_device_check(const char *command_name, const device_args *args);
/* args were checked, or are NULL: the defaults. The result borrows their strings. */
engine_model_options cli_device_options(const device_args *args);

/* ---- progress (progress.c) ---- */

typedef struct cli_progress cli_progress;

/* A bar with rate and time left on a terminal, else a line every 5 s; nothing when quiet. */
cli_progress *cli_progress_new(const common_args *args, const char *what, size_t n_total);
void cli_progress_update(cli_progress *progress, size_t n_done);
/* Take the bar away to print something else on stderr. */
void cli_progress_clear(cli_progress *progress);
void cli_progress_free(cli_progress *progress);

/* ---- manual pages (man.c) ---- */

char *cli_man_page(const command *cmd); /* NULL: lode(1); g_free */

G_END_DECLS
#endif

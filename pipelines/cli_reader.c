/* The options of every command that reads documents: one table for their flags, checks and meaning. */
#include "parse/parse.h"
#include "pipelines/cli.h"

#include <string.h>

void
cli_reader_init(reader_args *args)
{
    args->timeout = 120;
    args->memory_mb = 4096;
}

GOptionEntry *
cli_reader_entries(const GOptionEntry *own, reader_args *args)
{
    const GOptionEntry entries[] = {
        {"jobs", 'j', 0, G_OPTION_ARG_INT, &args->jobs,
         "Files read at once; with fewer files, pages of one (default: 0, one per core)", "N"},
        {"password", 0, 0, G_OPTION_ARG_STRING, &args->password,
         "Password of encrypted files; other users can see it here, prefer --password-file or "
         "LODE_PASSWORD",
         "WORD"},
        {"password-file", 0, 0, G_OPTION_ARG_FILENAME, &args->password_file,
         "Read the password from the first line of this file (default: none)", "FILE"},
        {"timeout", 0, 0, G_OPTION_ARG_DOUBLE, &args->timeout,
         "Give up on a file when no page finishes for so many seconds (default: 120)", "S"},
        {"memory", 0, 0, G_OPTION_ARG_INT, &args->memory_mb,
         "Memory one reader process may use, in MB (default: 4096)", "MB"},
        {"ocr", 0, 0, G_OPTION_ARG_STRING, &args->ocr,
         "Read text in pixels: auto (default; scans, garbled pages, tables that are pictures), "
         "off, "
         "or force (every page)",
         "WHEN"},
        {"ocr-lang", 0, 0, G_OPTION_ARG_STRING, &args->ocr_languages,
         "Languages of scanned pages as Tesseract names them, such as eng+deu (default: by the "
         "page, among those installed)",
         "LANGS"},
        G_OPTION_ENTRY_NULL,
    };
    size_t n = 0;
    while (own[n].long_name != NULL)
        n++;
    GOptionEntry *all = g_new(GOptionEntry, n + G_N_ELEMENTS(entries));
    memcpy(all, own, n * sizeof *all);
    memcpy(all + n, entries, sizeof entries);
    return all;
}

gboolean
cli_reader_check(const char *command_name, const reader_args *args,
                 pipelines_worker_options *worker)
{
    if (args->jobs < 0 || args->jobs > 1024) {
        cli_usage_error(command_name, "--jobs: %d: must be from 0 to 1024", args->jobs);
        return FALSE;
    }
    if (args->memory_mb < 16) {
        cli_usage_error(command_name, "--memory: %d: must be 16 or more", args->memory_mb);
        return FALSE;
    }
    if (!(args->timeout > 0)) {
        cli_usage_error(command_name, "--timeout: %g: must be more than 0", args->timeout);
        return FALSE;
    }
    if (!pipelines_ocr_mode_parse(args->ocr, &worker->ocr)) {
        cli_usage_error(command_name, "--ocr: %s: must be auto, off or force", args->ocr);
        return FALSE;
    }
    g_autoptr(GError) error = NULL;
    if (args->ocr_languages != NULL && !parse_ocr_languages_check(args->ocr_languages, &error)) {
        cli_usage_error(command_name, "--ocr-lang: %s", error->message);
        return FALSE;
    }
    worker->ocr_languages = args->ocr_languages;
    worker->stall_seconds = args->timeout;
    worker->memory_limit = (uint64_t)args->memory_mb << 20;
    return TRUE;
}

gboolean
cli_password(const reader_args *args, char **out)
{
    *out = NULL;
    if (args->password_file == NULL) {
        *out = g_strdup(args->password);
        return TRUE;
    }
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;
    if (!g_file_get_contents(args->password_file, &text, NULL, &error)) {
        cli_error(0, "--password-file: %s", error->message);
        return FALSE;
    }
    text[strcspn(text, "\r\n")] = '\0';
    *out = g_steal_pointer(&text);
    return TRUE;
}

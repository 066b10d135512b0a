/* The options of commands that can let a model behind an endpoint write. */
#include <string.h>

#include "pipelines/cli.h"
#include "pipelines/writer.h"

enum { MAX_KEY_FILE = 64 * 1024 };

/* The first line of a file; NULL with error. The key stands in no message. */
static char *
read_key(const char *path, GError **error)
{
    g_autofree char *text = NULL;
    gsize len = 0;
    g_autoptr(GError) cause = NULL;
    if (!pipelines_check_input(path, error)) return NULL;
    if (!g_file_get_contents(path, &text, &len, &cause)) {
        g_set_error(error, PIPELINES_ERROR, LODE_ERROR_IO, "%s", cause->message);
        return NULL;
    }
    text[strcspn(text, "\r\n")] = '\0';
    g_strstrip(text);
    if (len <= MAX_KEY_FILE && *text != '\0') return g_steal_pointer(&text);
    g_set_error(error, PIPELINES_ERROR, LODE_ERROR_FORMAT, "%s: its first line holds no key", path);
    return NULL;
}

lode_writer *
cli_open_endpoint(const endpoint_args *args, const char *model, uint32_t n_context, GError **error)
{
    lode_endpoint_options options = lode_endpoint_options_default();
    g_autofree char *key = NULL;
    if (model == NULL) {
        g_set_error(error, PIPELINES_ERROR, LODE_ERROR_ARGUMENT,
                    "--endpoint: what does the server call the model? Name it with --model");
        return NULL;
    }
    if (args->key_file != NULL) {
        key = read_key(args->key_file, error);
        if (key == NULL) return NULL;
        options.key = key;
    }
    options.n_context = n_context;
    return pipelines_writer_open_endpoint(args->url, model, &options, error);
}

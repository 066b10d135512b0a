/* lode generate --endpoint: a text by a model behind an endpoint. */
#include "pipelines/generate_remote.h"

#include <stdio.h>

#include "pipelines/writer.h"

static int
on_text(const char *text, size_t len, void *user_data)
{
    char *last = user_data;
    cli_write(text, len);
    fflush(stdout);
    if (len > 0) *last = text[len - 1];
    return !ferror(stdout);
}

gboolean
generate_remote(const common_args *common, const endpoint_args *endpoint, const char *model,
                const char *prompt, const lode_generate_options *options, GError **error)
{
    lode_generate_options how = *options;
    char last = '\n';
    g_autoptr(lode_writer) writer = cli_open_endpoint(endpoint, model, options->n_context, error);
    if (writer == NULL) return FALSE;
    if (!common->json) {
        how.text = on_text;
        how.user_data = &last;
    }
    g_autofree char *text = pipelines_generate_remote(writer, prompt, &how, error);
    if (!common->json && last != '\n') cli_print("\n");
    if (text == NULL) return FALSE;
    if (!common->json) return TRUE;
    g_autoptr(json_t) json = json_pack("{s:s,s:s}", "model", writer->id, "text", text);
    cli_print_json(json);
    return TRUE;
}

/* lode generate --endpoint: a text by a model behind an endpoint. */
#ifndef LODE_PIPELINES_GENERATE_REMOTE_H
#define LODE_PIPELINES_GENERATE_REMOTE_H

#include "pipelines/cli.h"

G_BEGIN_DECLS

/* Prints the text as it comes, or JSON at the end; thoughts go to stderr. options: text and user_data are set here. */
gboolean generate_remote(const common_args *common, const endpoint_args *endpoint,
                         const char *model, const char *prompt,
                         const lode_generate_options *options, GError **error);

/* Many: lines [len] as generate_prompts reads them, n_parallel asked at once. For each, in their order, a line of JSON
 * to stdout: the text and how it ended, or "error". *n_failed: so many had an error. FALSE with error when none could be
 * asked. */
gboolean generate_remote_prompts(const common_args *common, const endpoint_args *endpoint,
                                 const char *model, const char *lines, size_t len, int n_parallel,
                                 const lode_generate_options *options, size_t *n_failed,
                                 GError **error);

G_END_DECLS
#endif

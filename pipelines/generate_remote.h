/* lode generate --endpoint: a text by a model behind an endpoint. */
#ifndef LODE_PIPELINES_GENERATE_REMOTE_H
#define LODE_PIPELINES_GENERATE_REMOTE_H

#include "pipelines/cli.h"

G_BEGIN_DECLS

/* Prints the text as it comes, or JSON at the end; thoughts go to stderr. options: text and user_data are set here. */
gboolean generate_remote(const common_args *common, const endpoint_args *endpoint,
                         const char *model, const char *prompt,
                         const lode_generate_options *options, GError **error);

G_END_DECLS
#endif

/* lode model: what its two files share. */
#ifndef LODE_PIPELINES_CMD_MODEL_H
#define LODE_PIPELINES_CMD_MODEL_H

#include "pipelines/cli.h"

G_BEGIN_DECLS

typedef struct {
    common_args common;
    char *dir, *source;
    gboolean defaults, allow_private;
    char *type, *output_type, *embedding_type;
    int context, parallel, threads, split_mb;
} model_args;

/* info of a model's own files. */
int cmd_model_show_file(const model_args *args, const char *path);
/* quantize IN OUT. */
int cmd_model_quantize(const model_args *args, char **operands, int n_operands);
/* convert DIR OUT. */
int cmd_model_convert(const model_args *args, char **operands, int n_operands);

G_END_DECLS
#endif

/* A model's logits in a file, for comparison with other engines. */
#ifndef LODE_PIPELINES_GENERATE_LOGITS_H
#define LODE_PIPELINES_GENERATE_LOGITS_H

#include "engine/engine.h"

G_BEGIN_DECLS

/* Evaluate tokens [n] and write the logits behind each as float32, little-endian, [n, n_vocab] row-major: with a NumPy
 * header when path ends in .npy (format version 1.0), else nothing but them. The file is whole or not there. cancel may
 * be NULL. */
gboolean generate_write_logits(const engine_model *model, engine_session *session,
                               const int32_t *tokens, size_t n, const char *path, const int *cancel,
                               GError **error);

G_END_DECLS
#endif

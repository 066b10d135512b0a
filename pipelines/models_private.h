/* Between models.c and models_pull.c. */
#ifndef LODE_PIPELINES_MODELS_PRIVATE_H
#define LODE_PIPELINES_MODELS_PRIVATE_H

#include "pipelines/models.h"

/* Does the file at path hold what is promised? LODE_ERROR_NOT_FOUND, _FORMAT, _IO, _CANCELLED. */
gboolean models_file_check(const models_file *file, const char *path, const int *cancel,
                           GError **error);
/* The same for size bytes from offset on, of a file that may be longer. */
gboolean models_range_check(const char *path, uint64_t offset, uint64_t size, const char *sha256,
                            const int *cancel, GError **error);

#endif

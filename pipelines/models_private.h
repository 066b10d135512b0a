/* Between models.c and models_pull.c. */
#ifndef LODE_PIPELINES_MODELS_PRIVATE_H
#define LODE_PIPELINES_MODELS_PRIVATE_H

#include "pipelines/models.h"

/* Does the file at path hold what is promised? LODE_ERROR_NOT_FOUND, _FORMAT, _IO, _CANCELLED. */
gboolean models_file_check(const models_file *file, const char *path, const int *cancel,
                           GError **error);

#endif

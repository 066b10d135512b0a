/* files: what every file of a library is written and read with. Touches only its arguments. */
#ifndef LODE_RETRIEVAL_FILES_H
#define LODE_RETRIEVAL_FILES_H

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

/* Of data [len], going on from hash: finds damage, not malice. */
uint64_t retrieval_checksum(uint64_t hash, const void *data, size_t len);
/* Of the first n_bytes of a file, block by block: what is only summed up shall not fill the memory, as a mapping would.
 * *hash goes on from what it is. FALSE with errno. */
gboolean retrieval_checksum_file(int fd, uint64_t n_bytes, uint64_t *hash);
/* A rename to path is on disk for certain only when its folder is: FALSE with errno. */
gboolean retrieval_sync_folder(const char *path);

#endif

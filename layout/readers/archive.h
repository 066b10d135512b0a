/* Archives and compressed files as inputs. Private to layout. */
#ifndef LODE_LAYOUT_READERS_ARCHIVE_H
#define LODE_LAYOUT_READERS_ARCHIVE_H

#include "layout/readers/readers.h"

G_BEGIN_DECLS

/* Where a path's bytes are: the file itself, or, for "archive.zip!/dir/paper.pdf", a member unpacked into memory. An
 * archive that is the source of one LaTeX document is that document. Not for more than one thread at a time, but for
 * what reads local_path. */
typedef struct layout_input {
    layout_source source;
    char *local_path; /* a path that can be opened while this lives */
    char *name;       /* as it is shown */
    GMappedFile *file;
    GBytes *bytes;
    int fd;
    GHashTable *members;
} layout_input;

/* NULL with the error set: the archive cannot be read, or the member is not in it. A path that cannot be opened is no
 * error here: its source has no bytes. Free with layout_input_free. */
layout_input *layout_input_open(const char *path, GError **error);
void layout_input_free(layout_input *input);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(layout_input, layout_input_free)
/* For text that names files beside it: the archive's other members, as far as they are not too large. */
void layout_input_load_members(layout_input *input, const char *path);

G_END_DECLS
#endif

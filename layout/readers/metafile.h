/* What can be kept of Windows' metafiles, which office files hold pictures in. Private to layout. */
#ifndef LODE_LAYOUT_READERS_METAFILE_H
#define LODE_LAYOUT_READERS_METAFILE_H

#include <glib.h>

G_BEGIN_DECLS

/* picture: of the bitmap that fills most of the metafile, as PNG, JPEG or GIF; NULL where it is drawn in lines. Free
 * with g_bytes_unref.
 * text: the words in it, in the order they are drawn in, UTF-8; NULL where there are none. Free with g_free.
 * Both are set in either case. FALSE: the bytes are no EMF or WMF. */
gboolean layout_metafile_read(GBytes *bytes, GBytes **picture, char **text);

G_END_DECLS
#endif

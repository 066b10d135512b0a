/* Memory of a long document that is not needed right now, kept in a temporary file. Private to layout.
 *
 * Two kinds. Slots are written and read back whole: sheets between two passes. Blocks are mapped and keep
 * their address for good: the finished document's arrays and strings; layout_spill_rest() lets go of what
 * they occupy in memory, and touching them brings it back.
 *
 * The file is made when it is first needed, in the folder for temporary files, without a name, so that
 * nothing is left of it whatever happens. Where it cannot be made or grow, everything stays in memory: only
 * the bound is lost. One thread at a time; blocks may be read by any number of threads. */
#ifndef LODE_LAYOUT_SPILL_H
#define LODE_LAYOUT_SPILL_H

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

typedef struct layout_spill layout_spill;

layout_spill *layout_spill_new(void);
void layout_spill_free(layout_spill *spill); /* with all slots and blocks; NULL is fine */

/* Where something stands in the file; all zero: nowhere yet. */
typedef struct {
    uint64_t offset;
    size_t len, room;
} layout_slot;

/* Write data [len] to slot, over what it held. FALSE: there is no room for it, keep it. */
gboolean layout_spill_put(layout_spill *spill, layout_slot *slot, const void *data, size_t len);
/* Read a slot back into data [slot->len]. */
void layout_spill_get(layout_spill *spill, const layout_slot *slot, void *data);

/* size bytes, aligned for any type, not cleared. The first ones come from the heap: a short document never
 * sees the file. */
gpointer layout_spill_alloc(layout_spill *spill, size_t size);
/* The same without alignment. */
char *layout_spill_alloc_text(layout_spill *spill, size_t size);
/* A larger block with the content of block [size] (NULL with 0), which is gone. */
gpointer layout_spill_grow(layout_spill *spill, gpointer block, size_t size, size_t new_size);
/* Let go of the memory of all blocks until they are touched again. Cheap where there is nothing to do. */
void layout_spill_rest(layout_spill *spill);

G_END_DECLS
#endif

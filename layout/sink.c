/* Where a writer's text goes: handed on piece by piece, or collected. */
#include "layout/document.h"
#include "layout/writers.h"

#define PIECE_BYTES    ((gsize)64 << 10)
#define BLOCKS_AT_ONCE 32 /* between two rests of the document */

void
layout_sink_init(layout_sink *sink, const lode_document *document, layout_write_fn write,
                 void *user_data)
{
    *sink = (layout_sink){.document = document, .write = write, .user_data = user_data};
    sink->text = g_string_sized_new(write != NULL ? PIECE_BYTES + PIECE_BYTES / 4 : 4096);
}

static void
hand_on(layout_sink *sink, gsize len)
{
    if (!sink->failed && !sink->write(sink->text->str, len, sink->user_data)) sink->failed = TRUE;
    g_string_erase(sink->text, 0, (gssize)len);
    sink->n_before += len;
}

void
layout_sink_step(layout_sink *sink, guint n_blocks)
{
    sink->n_touched += n_blocks;
    if (sink->n_touched >= BLOCKS_AT_ONCE) {
        layout_document_rest(sink->document);
        sink->n_touched = 0;
    }
    /* the last byte stays: writers look at it to see whether a line is open */
    if (sink->write != NULL && sink->text->len > PIECE_BYTES) hand_on(sink, sink->text->len - 1);
}

gboolean
layout_sink_end(layout_sink *sink)
{
    if (sink->text->len > 0) hand_on(sink, sink->text->len);
    g_string_free(sink->text, TRUE);
    layout_document_rest(sink->document);
    return !sink->failed;
}

char *
layout_sink_take(layout_sink *sink)
{
    layout_document_rest(sink->document);
    return g_string_free(sink->text, FALSE);
}

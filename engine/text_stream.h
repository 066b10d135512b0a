/* Tokens to text while they are being written: whole characters only, ended by stop strings.
 *
 * Tokens are byte strings: one may end inside a UTF-8 character or inside a stop string. Bytes wait until neither
 * can be the case. What can never become valid UTF-8 is replaced by U+FFFD; a character that the end of the text
 * cuts is dropped. */
#ifndef LODE_ENGINE_TEXT_STREAM_H
#define LODE_ENGINE_TEXT_STREAM_H

#include "engine/engine.h"

G_BEGIN_DECLS

/* One thread at a time. Allocates nothing per token once its buffers have grown. */
typedef struct {
    const engine_model *model;
    const char *const *stop; /* NULL-terminated, borrowed; may be NULL */
    gboolean with_special;   /* control tokens have text too */
    int32_t previous;        /* token, -1: none */
    GString *bytes;          /* of the last token */
    GString *text;           /* what the last push, or finish, made deliverable: valid UTF-8 */
    GString *pending;        /* bytes not yet delivered */
    GString *before, *both;
} engine_text_stream;

/* previous: the prompt's last token, -1: none. */
void engine_text_stream_init(engine_text_stream *stream, const engine_model *model,
                             const char *const *stop, gboolean with_special, int32_t previous);
void engine_text_stream_clear(engine_text_stream *stream);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(engine_text_stream, engine_text_stream_clear)

/* Take a token; stream->bytes and stream->text are set. TRUE when a stop string is complete: what stood before it
 * comes with finish. */
gboolean engine_text_stream_push(engine_text_stream *stream, int32_t token);
/* No more tokens: stream->text is what was held back. */
void engine_text_stream_finish(engine_text_stream *stream);

G_END_DECLS
#endif

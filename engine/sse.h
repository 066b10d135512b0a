/* Server-sent events, as much of them as a stream of completions uses. Private to engine/.
 *
 *     data: {"choices": ...}          lines end in LF, CR or CRLF; an empty line ends an event;
 *     data: second line               several data lines are joined by "\n"; a line that begins with
 *                                     ":" is a comment, "event", "id" and "retry" are not looked at
 *     data: [DONE]
 *
 * Source: WHATWG HTML, section 9.2.6, "Interpreting an event stream". */
#ifndef LODE_ENGINE_SSE_H
#define LODE_ENGINE_SSE_H

#include <glib.h>

G_BEGIN_DECLS

/* data [len]: of one event, terminated. FALSE, with the error set, ends the stream. */
typedef gboolean (*sse_callback)(const char *data, size_t len, void *user_data, GError **error);

typedef struct {
    size_t max_bytes; /* of one line, and of one event */
    sse_callback callback;
    void *user_data;
    GString *line, *data;
    gboolean has_data, after_cr, begun;
} sse_parser;

void sse_parser_init(sse_parser *parser, size_t max_bytes, sse_callback callback, void *user_data);
void sse_parser_clear(sse_parser *parser);
/* Bytes as they come, cut anywhere. ENGINE_ERROR_LIMIT for an event that is too large. */
gboolean sse_parser_feed(sse_parser *parser, const char *bytes, size_t len, GError **error);
/* The stream has ended: an event without its empty line counts all the same, for some servers leave out the last. */
gboolean sse_parser_finish(sse_parser *parser, GError **error);

G_END_DECLS
#endif

/* Server-sent events: bytes -> the data of whole events. */
#include "engine/sse.h"

#include <string.h>

#include "engine/engine.h"

void
sse_parser_init(sse_parser *parser, size_t max_bytes, sse_callback callback, void *user_data)
{
    *parser = (sse_parser){.max_bytes = max_bytes,
                           .callback = callback,
                           .user_data = user_data,
                           .line = g_string_new(NULL),
                           .data = g_string_new(NULL)};
}

void
sse_parser_clear(sse_parser *parser)
{
    if (parser->line != NULL) g_string_free(parser->line, TRUE);
    if (parser->data != NULL) g_string_free(parser->data, TRUE);
    *parser = (sse_parser){0};
}

static gboolean
too_large(const sse_parser *parser, GError **error)
{
    g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT,
                "one event of the stream is larger than %zu bytes", parser->max_bytes);
    return FALSE;
}

static gboolean
end_event(sse_parser *parser, GError **error)
{
    if (!parser->has_data) return TRUE;
    parser->has_data = FALSE;
    const gboolean go_on =
        parser->callback(parser->data->str, parser->data->len, parser->user_data, error);
    g_string_truncate(parser->data, 0);
    return go_on;
}

static gboolean
end_line(sse_parser *parser, GError **error)
{
    static const char mark[] = "\xEF\xBB\xBF";
    const char *line = parser->line->str;
    size_t len = parser->line->len;
    if (!parser->begun && len >= 3 && memcmp(line, mark, 3) == 0) line += 3, len -= 3;
    parser->begun = TRUE;
    gboolean ok = TRUE;
    if (len == 0) {
        ok = end_event(parser, error);
    } else if (len >= 4 && memcmp(line, "data", 4) == 0 && (len == 4 || line[4] == ':')) {
        size_t start = MIN(len, 5);
        if (start < len && line[start] == ' ') start++;
        if (parser->data->len + (len - start) + 1 > parser->max_bytes)
            return too_large(parser, error);
        if (parser->has_data) g_string_append_c(parser->data, '\n');
        g_string_append_len(parser->data, line + start, (gssize)(len - start));
        parser->has_data = TRUE;
    }
    g_string_truncate(parser->line, 0);
    return ok;
}

gboolean
sse_parser_feed(sse_parser *parser, const char *bytes, size_t len, GError **error)
{
    for (size_t i = 0; i < len;) {
        if (parser->after_cr && bytes[i] == '\n') i++; /* the second half of a CRLF */
        parser->after_cr = FALSE;
        size_t n = 0;
        while (i + n < len && bytes[i + n] != '\n' && bytes[i + n] != '\r')
            n++;
        if (n > parser->max_bytes - parser->line->len) return too_large(parser, error);
        g_string_append_len(parser->line, bytes + i, (gssize)n);
        i += n;
        if (i == len) break;
        parser->after_cr = bytes[i++] == '\r';
        if (!end_line(parser, error)) return FALSE;
    }
    return TRUE;
}

gboolean
sse_parser_finish(sse_parser *parser, GError **error)
{
    if (parser->line->len > 0 && !end_line(parser, error)) return FALSE;
    return end_event(parser, error);
}

/* Tokens to text while they are being written. */
#include "engine/text_stream.h"

#include <string.h>

void
engine_text_stream_init(engine_text_stream *stream, const engine_model *model,
                        const char *const *stop, gboolean with_special, int32_t previous)
{
    *stream = (engine_text_stream){
        .model = model,
        .stop = stop,
        .with_special = with_special,
        .previous = previous,
        .bytes = g_string_new(NULL),
        .text = g_string_new(NULL),
        .pending = g_string_new(NULL),
        .before = g_string_new(NULL),
        .both = g_string_new(NULL),
    };
}

void
engine_text_stream_clear(engine_text_stream *stream)
{
    GString **const all[] = {&stream->bytes, &stream->text, &stream->pending, &stream->before,
                             &stream->both};
    for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
        if (*all[i]) g_string_free(*all[i], TRUE);
        *all[i] = NULL;
    }
}

/* Move the first n pending bytes to the text, ill-formed ones replaced. With `more` to come, a cut character at
 * the end of those n stays pending. */
static void
release(engine_text_stream *stream, size_t n, gboolean more)
{
    const char *p = stream->pending->str, *end = p + n;
    GString *out = stream->text;

    while (p < end) {
        const char *valid_end;
        if (g_utf8_validate_len(p, (gsize)(end - p), &valid_end)) {
            g_string_append_len(out, p, end - p);
            p = end;
            break;
        }
        g_string_append_len(out, p, valid_end - p);
        p = valid_end;
        if (*p == '\0') { /* NUL is a character, though GLib's validation stops at it */
            g_string_append_c(out, *p++);
            continue;
        }
        if (g_utf8_get_char_validated(p, end - p) == (gunichar)-2)
            break; /* cut, may be completed */
        g_string_append(out, "\xef\xbf\xbd");
        p++;
    }
    const size_t used = (size_t)(p - stream->pending->str);
    g_string_erase(stream->pending, 0, (gssize)(more ? used : n));
}

/* Where the first stop string begins in the pending bytes; -1 when none does. */
static gssize
find_stop(const engine_text_stream *stream)
{
    const char *found = NULL;

    for (const char *const *stop = stream->stop; stop && *stop; stop++) {
        if (**stop == '\0') continue;
        const char *at = memmem(stream->pending->str, stream->pending->len, *stop, strlen(*stop));
        if (at && (!found || at < found)) found = at;
    }
    return found ? found - stream->pending->str : -1;
}

/* Length of the longest end of the pending bytes that may be the start of a stop string. */
static size_t
possible_stop(const engine_text_stream *stream)
{
    size_t longest = 0;

    for (const char *const *stop = stream->stop; stop && *stop; stop++) {
        for (size_t n = MIN(strlen(*stop), stream->pending->len); n > longest; n--) {
            if (memcmp(stream->pending->str + stream->pending->len - n, *stop, n) == 0) longest = n;
        }
    }
    return longest;
}

/* The bytes that `token` adds after `previous`: some tokenizers spell a token differently at the start of a
 * text. */
static void
spell(engine_text_stream *stream, int32_t token)
{
    const int32_t pair[2] = {stream->previous, token};

    g_string_truncate(stream->bytes, 0);
    if (stream->previous < 0) {
        engine_detokenize(stream->model, &token, 1, stream->with_special, stream->bytes);
        return;
    }
    g_string_truncate(stream->before, 0);
    g_string_truncate(stream->both, 0);
    engine_detokenize(stream->model, pair, 1, stream->with_special, stream->before);
    engine_detokenize(stream->model, pair, 2, stream->with_special, stream->both);
    if (stream->both->len > stream->before->len)
        g_string_append_len(stream->bytes, stream->both->str + stream->before->len,
                            (gssize)(stream->both->len - stream->before->len));
}

gboolean
engine_text_stream_push(engine_text_stream *stream, int32_t token)
{
    spell(stream, token);
    stream->previous = token;
    g_string_truncate(stream->text, 0);
    g_string_append_len(stream->pending, stream->bytes->str, (gssize)stream->bytes->len);
    const gssize stop = find_stop(stream);
    if (stop >= 0) {
        g_string_truncate(stream->pending, (gsize)stop);
        return TRUE;
    }
    release(stream, stream->pending->len - possible_stop(stream), TRUE);
    return FALSE;
}

void
engine_text_stream_finish(engine_text_stream *stream)
{
    g_string_truncate(stream->text, 0);
    release(stream, stream->pending->len, FALSE);
}

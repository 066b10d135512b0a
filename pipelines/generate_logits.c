/* A model's logits in a file. */
#include "pipelines/generate_logits.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>

#include "pipelines/internal.h"

enum { ROWS = 32 }; /* at a time: a row of a large vocabulary is 600 KB */

/* Magic, version, length, and a Python dictionary filled up with blanks to a multiple of 64 bytes. */
static gboolean
write_npy_head(FILE *file, size_t rows, size_t columns)
{
    g_autoptr(GString) head = g_string_new(NULL);
    g_string_printf(head, "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %zu), }", rows,
                    columns);
    while ((10 + head->len + 1) % 64 != 0)
        g_string_append_c(head, ' ');
    g_string_append_c(head, '\n');
    const uint8_t start[10] = {0x93,
                               'N',
                               'U',
                               'M',
                               'P',
                               'Y',
                               1,
                               0,
                               (uint8_t)(head->len & 0xFF),
                               (uint8_t)(head->len >> 8)};
    return fwrite(start, 1, sizeof start, file) == sizeof start &&
           fwrite(head->str, 1, head->len, file) == head->len;
}

static gboolean
write_rows(const engine_model *model, engine_session *session, const int32_t *tokens, size_t n,
           FILE *file, const int *cancel, GError **error)
{
    const size_t n_vocab = engine_model_get_info(model)->n_vocab;
    g_autofree float *logits = g_try_malloc_n(ROWS * n_vocab, sizeof *logits);
    if (logits == NULL) {
        g_set_error_literal(error, PIPELINES_ERROR, LODE_ERROR_LIMIT, "no memory for the logits");
        return FALSE;
    }
    for (size_t done = 0; done < n;) {
        const size_t rows = MIN(n - done, (size_t)ROWS);
        if (cancel != NULL && *cancel) {
            g_set_error_literal(error, PIPELINES_ERROR, LODE_ERROR_CANCELLED, "interrupted");
            return FALSE;
        }
        if (!engine_session_eval(session, tokens + done, rows, NULL, logits, error)) return FALSE;
        if (fwrite(logits, sizeof *logits * n_vocab, rows, file) != rows) {
            g_set_error(error, PIPELINES_ERROR, LODE_ERROR_IO, "%s", g_strerror(errno));
            return FALSE;
        }
        done += rows;
    }
    return TRUE;
}

gboolean
generate_write_logits(const engine_model *model, engine_session *session, const int32_t *tokens,
                      size_t n, const char *path, const int *cancel, GError **error)
{
    const size_t n_vocab = engine_model_get_info(model)->n_vocab;
    g_autofree char *temporary = g_strconcat(path, ".part", NULL);
    FILE *file = g_fopen(temporary, "wb");
    gboolean good = FALSE;

    if (file != NULL) {
        good = !g_str_has_suffix(path, ".npy") || write_npy_head(file, n, n_vocab);
        if (!good) g_set_error(error, PIPELINES_ERROR, LODE_ERROR_IO, "%s", g_strerror(errno));
        good = good && write_rows(model, session, tokens, n, file, cancel, error);
        if (fclose(file) != 0 && good) good = FALSE;
        if (good && g_rename(temporary, path) != 0) good = FALSE;
        if (!good) g_unlink(temporary);
    }
    if (!good && error != NULL && *error == NULL)
        g_set_error(error, PIPELINES_ERROR, LODE_ERROR_IO, "%s", g_strerror(errno));
    if (!good) g_prefix_error(error, "%s: ", path);
    return good;
}

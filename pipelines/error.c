/* Errors of every module -> lode_status and one line of text. */
#include "pipelines/internal.h"

#include <string.h>

#include "parse/parse.h"
#include "search/search.h"

G_DEFINE_QUARK(lode - pipelines - error - quark, pipelines_error)

typedef struct {
    int code;
    lode_status status;
} code_status;

static lode_status
find_status(const code_status *table, size_t n, int code)
{
    for (size_t i = 0; i < n; i++)
        if (table[i].code == code) return table[i].status;
    return LODE_ERROR_INTERNAL;
}

static lode_status
status_of_engine(int code)
{
    static const code_status table[] = {
        {ENGINE_ERROR_IO, LODE_ERROR_IO},
        {ENGINE_ERROR_FORMAT, LODE_ERROR_FORMAT},
        {ENGINE_ERROR_UNSUPPORTED, LODE_ERROR_UNSUPPORTED},
        {ENGINE_ERROR_LIMIT, LODE_ERROR_LIMIT},
        {ENGINE_ERROR_LENGTH, LODE_ERROR_LIMIT},
        {ENGINE_ERROR_CANCELLED, LODE_ERROR_CANCELLED},
        {ENGINE_ERROR_ARGUMENT, LODE_ERROR_ARGUMENT},
        {ENGINE_ERROR_NETWORK, LODE_ERROR_NETWORK},
    };
    return find_status(table, G_N_ELEMENTS(table), code);
}

static lode_status
status_of_document(GQuark domain, int code)
{
    static const code_status parse[] = {
        {PARSE_ERROR_IO, LODE_ERROR_IO},
        {PARSE_ERROR_FORMAT, LODE_ERROR_FORMAT},
        {PARSE_ERROR_PASSWORD, LODE_ERROR_PASSWORD},
        {PARSE_ERROR_LIMIT, LODE_ERROR_LIMIT},
        {PARSE_ERROR_PAGE, LODE_ERROR_FORMAT},
        {PARSE_ERROR_CANCELLED, LODE_ERROR_CANCELLED},
    };
    static const code_status layout[] = {
        {LAYOUT_ERROR_IO, LODE_ERROR_IO},
        {LAYOUT_ERROR_FORMAT, LODE_ERROR_FORMAT},
        {LAYOUT_ERROR_PASSWORD, LODE_ERROR_PASSWORD},
        {LAYOUT_ERROR_LIMIT, LODE_ERROR_LIMIT},
        {LAYOUT_ERROR_CANCELLED, LODE_ERROR_CANCELLED},
    };
    if (domain == PARSE_ERROR) return find_status(parse, G_N_ELEMENTS(parse), code);
    return find_status(layout, G_N_ELEMENTS(layout), code);
}

static lode_status
status_of_retrieval(int code)
{
    static const code_status table[] = {
        {RETRIEVAL_ERROR_IO, LODE_ERROR_IO},
        {RETRIEVAL_ERROR_NOT_FOUND, LODE_ERROR_NOT_FOUND},
        {RETRIEVAL_ERROR_FORMAT, LODE_ERROR_FORMAT},
        {RETRIEVAL_ERROR_BUSY, LODE_ERROR_BUSY},
        {RETRIEVAL_ERROR_EMBEDDER, LODE_ERROR_MISMATCH},
        {RETRIEVAL_ERROR_CANCELLED, LODE_ERROR_CANCELLED},
        {RETRIEVAL_ERROR_WHERE, LODE_ERROR_ARGUMENT},
        {RETRIEVAL_ERROR_RERANKER, LODE_ERROR_UNSUPPORTED},
    };
    return find_status(table, G_N_ELEMENTS(table), code);
}

static lode_status
status_of_search(int code)
{
    static const code_status table[] = {
        {SEARCH_ERROR_URL, LODE_ERROR_ARGUMENT},
        {SEARCH_ERROR_ADDRESS, LODE_ERROR_NETWORK},
        {SEARCH_ERROR_NETWORK, LODE_ERROR_NETWORK},
        {SEARCH_ERROR_STATUS, LODE_ERROR_NETWORK},
        {SEARCH_ERROR_LIMIT, LODE_ERROR_LIMIT},
        {SEARCH_ERROR_CHECKSUM, LODE_ERROR_FORMAT},
        {SEARCH_ERROR_IO, LODE_ERROR_IO},
        {SEARCH_ERROR_FORMAT, LODE_ERROR_FORMAT},
        {SEARCH_ERROR_CANCELLED, LODE_ERROR_CANCELLED},
    };
    return find_status(table, G_N_ELEMENTS(table), code);
}

static lode_status
status_of_files(const GError *error)
{
    if (error->domain == G_IO_ERROR && error->code == G_IO_ERROR_CANCELLED)
        return LODE_ERROR_CANCELLED;
    return LODE_ERROR_IO;
}

lode_status
pipelines_status(const GError *error)
{
    if (error == NULL) return LODE_OK;
    if (error->domain == PIPELINES_ERROR) return (lode_status)error->code;
    if (error->domain == PARSE_ERROR || error->domain == LAYOUT_ERROR)
        return status_of_document(error->domain, error->code);
    if (error->domain == ENGINE_ERROR) return status_of_engine(error->code);
    if (error->domain == RETRIEVAL_ERROR) return status_of_retrieval(error->code);
    if (error->domain == SEARCH_ERROR) return status_of_search(error->code);
    if (error->domain == G_FILE_ERROR || error->domain == G_IO_ERROR) return status_of_files(error);
    return LODE_ERROR_INTERNAL;
}

void
pipelines_copy_line(char *dst, size_t size, const char *src)
{
    g_autofree char *valid = g_utf8_make_valid(src, -1);
    size_t len = strlen(valid);
    if (len >= size) {
        len = size - 1;
        while (len > 0 && ((guchar)valid[len] & 0xC0) == 0x80)
            len--;
    }
    for (size_t i = 0; i < len; i++)
        dst[i] = valid[i] == '\n' || valid[i] == '\r' ? ' ' : valid[i];
    dst[len] = '\0';
}

lode_status
pipelines_fail(lode_error *out, GError *error)
{
    lode_status status = pipelines_status(error);
    if (out != NULL) {
        out->code = status;
        out->page = 0;
        pipelines_copy_line(out->message, sizeof out->message, error->message);
    }
    g_error_free(error);
    return status;
}

lode_status
pipelines_fail_argument(lode_error *out, const char *message)
{
    return pipelines_fail(out, g_error_new_literal(PIPELINES_ERROR, LODE_ERROR_ARGUMENT, message));
}

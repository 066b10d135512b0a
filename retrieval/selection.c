/* A condition -> the chunks it holds for. First the documents, of which there are few; then, only when the
 * condition asks for what differs between chunks, the chunks of those documents it can hold for. */
#include "retrieval/selection.h"

#include "retrieval/about.h"

gboolean
retrieval_selection_has(const retrieval_selection *selection, int64_t chunk_id)
{
    if (!selection) return TRUE;
    if (chunk_id < 0 || chunk_id >= selection->n_bits) return FALSE;
    return (selection->bits[chunk_id / 64] >> (chunk_id % 64)) & 1u;
}

static gboolean
select_chunk(retrieval_selection *selection, int64_t chunk_id, const char *path, GError **error)
{
    if (chunk_id < 0 || chunk_id >= selection->n_bits) {
        g_set_error(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_FORMAT,
                    "%s: chunk number %" G_GINT64_FORMAT " is out of range", path, chunk_id);
        return FALSE;
    }
    selection->bits[chunk_id / 64] |= UINT64_C(1) << (chunk_id % 64);
    selection->n_chunks++;
    return TRUE;
}

static const char *
text_at(sqlite3_stmt *row, int column)
{
    return (const char *)sqlite3_column_text(row, column);
}

static gboolean
select_of_document(retrieval_selection *selection, retrieval_store *store,
                   const retrieval_where *where, retrieval_where_row *row, int64_t document,
                   GError **error)
{
    const gboolean needs_chunks = retrieval_where_needs_chunks(where);
    GError *failure = NULL;
    sqlite3_stmt *chunks = retrieval_store_get(
        store, needs_chunks ? STORE_LIST_PLACED_CHUNKS : STORE_LIST_CHUNKS, error);
    if (!chunks) return FALSE;
    sqlite3_bind_int64(chunks, 1, document);
    while (!failure && retrieval_store_next(store, chunks, &failure)) {
        if (needs_chunks) {
            g_auto(retrieval_about) about = {0};
            retrieval_read_about(chunks, 2, (size_t)sqlite3_column_int64(chunks, 4), &about);
            row->type = layout_block_type_name(about.type);
            row->section = text_at(chunks, 1);
            row->page = about.first_page + 1;
            if (!retrieval_where_holds(where, row)) continue;
        }
        select_chunk(selection, sqlite3_column_int64(chunks, 0), store->path, &failure);
    }
    sqlite3_reset(chunks);
    if (!failure) return TRUE;
    g_propagate_error(error, failure);
    return FALSE;
}

static gboolean
highest_chunk(retrieval_store *store, int64_t *id, GError **error)
{
    sqlite3_stmt *statement = retrieval_store_get(store, STORE_HIGHEST_CHUNK, error);
    if (!statement || !retrieval_store_next(store, statement, error)) return FALSE;
    *id = sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    return TRUE;
}

retrieval_selection *
retrieval_selection_new(retrieval_store *store, const retrieval_where *where, GError **error)
{
    enum { MAX_CHUNK = G_MAXINT32 };
    int64_t highest;
    GError *failure = NULL;
    if (!highest_chunk(store, &highest, error)) return NULL;
    if (highest < 0 || highest > MAX_CHUNK) {
        g_set_error(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_FORMAT,
                    "%s: chunk number %" G_GINT64_FORMAT " is out of range", store->path, highest);
        return NULL;
    }
    g_autoptr(retrieval_selection) selection = g_new0(retrieval_selection, 1);
    selection->n_bits = (highest / 64 + 1) * 64;
    selection->bits = g_new0(uint64_t, (gsize)(selection->n_bits / 64));

    sqlite3_stmt *documents = retrieval_store_get(store, STORE_LIST_DESCRIBED, error);
    if (!documents) return NULL;
    while (!failure && retrieval_store_next(store, documents, &failure)) {
        retrieval_where_row row = {.path = text_at(documents, 1),
                                   .title = text_at(documents, 2),
                                   .authors = text_at(documents, 3),
                                   .year = sqlite3_column_int(documents, 4),
                                   .venue = text_at(documents, 5),
                                   .doi = text_at(documents, 6),
                                   .arxiv = text_at(documents, 7)};
        if (!retrieval_where_needs_chunks(where) && !retrieval_where_holds(where, &row)) continue;
        select_of_document(selection, store, where, &row, sqlite3_column_int64(documents, 0),
                           &failure);
    }
    sqlite3_reset(documents);
    if (!failure) return g_steal_pointer(&selection);
    g_propagate_error(error, failure);
    return NULL;
}

void
retrieval_selection_free(retrieval_selection *selection)
{
    if (!selection) return;
    g_free(selection->bits);
    g_free(selection);
}

static void
selected_function(sqlite3_context *context, int n_values, sqlite3_value **values)
{
    (void)n_values;
    const retrieval_selection *selection =
        sqlite3_value_pointer(values[1], RETRIEVAL_SELECTION_POINTER);
    sqlite3_result_int(context, retrieval_selection_has(selection, sqlite3_value_int64(values[0])));
}

gboolean
retrieval_selection_register(sqlite3 *db)
{
    return sqlite3_create_function_v2(db, "lode_selected", 2, SQLITE_UTF8 | SQLITE_DIRECTONLY, NULL,
                                      selected_function, NULL, NULL, NULL) == SQLITE_OK;
}

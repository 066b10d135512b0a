/* Which bibliography entries a chunk calls: found when it is stored, resolved when somebody asks. */
#include "retrieval/calls.h"

#include <string.h>

#include "retrieval/about.h"
#include "retrieval/library.h"
#include "retrieval/numbers.h"

/* ---- finding ---- */

static int
compare_calls(gconstpointer a, gconstpointer b)
{
    const retrieval_call *x = a, *y = b;
    if (x->start != y->start) return x->start < y->start ? -1 : 1;
    return (x->entry > y->entry) - (x->entry < y->entry);
}

/* The call-out where a place of the chunk has its first byte. */
static void
find_in_places(const retrieval_chunk *chunk, const layout_citation *citation, GArray *calls)
{
    for (guint i = 0; i < chunk->places->len; i++) {
        const retrieval_place *place = &g_array_index(chunk->places, retrieval_place, i);
        if (place->block != citation->block || citation->start < place->block_start ||
            citation->start - place->block_start >= place->len)
            continue;
        const uint32_t start = place->start + (citation->start - place->block_start);
        const retrieval_call call = {
            start, MIN(citation->len, (uint32_t)strlen(chunk->text) - start), citation->reference};
        g_array_append_val(calls, call);
        return;
    }
}

/* The first citation of a block or one after it. */
static guint
first_citation(const lode_document *document, int block)
{
    guint low = 0, high = document->n_citations;
    while (low < high) {
        const guint middle = low + (high - low) / 2;
        if (document->citations[middle].block < block)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

GArray *
retrieval_find_calls(const lode_document *document, const retrieval_chunk *chunk)
{
    GArray *calls = g_array_new(FALSE, FALSE, sizeof(retrieval_call));
    for (guint i = first_citation(document, chunk->first_block);
         i < document->n_citations && document->citations[i].block <= chunk->last_block; i++)
        find_in_places(chunk, &document->citations[i], calls);
    g_array_sort(calls, compare_calls);
    return calls;
}

/* ---- keeping ---- */

GBytes *
retrieval_pack_calls(const GArray *calls)
{
    retrieval_call last = {0};
    if (calls->len == 0) return NULL;
    GByteArray *bytes = g_byte_array_new();
    retrieval_put_number(bytes, calls->len);
    for (guint i = 0; i < calls->len; i++) {
        const retrieval_call *call = &g_array_index(calls, retrieval_call, i);
        retrieval_put_number(bytes, (int64_t)call->start - last.start);
        retrieval_put_number(bytes, call->len);
        retrieval_put_number(bytes, (int64_t)call->entry - last.entry);
        last = *call;
    }
    return g_byte_array_free_to_bytes(bytes);
}

gboolean
retrieval_unpack_calls(const void *bytes, size_t n_bytes, GArray *calls)
{
    retrieval_number_reader r = {bytes, (const guint8 *)bytes + (bytes ? n_bytes : 0),
                                 bytes == NULL};
    retrieval_call call = {0};
    for (int64_t n = retrieval_get_number(&r); n > 0 && !r.failed; n--) {
        call.start = (uint32_t)retrieval_get_number_in(&r, call.start, 0, G_MAXINT32);
        call.len = (uint32_t)retrieval_get_number_in(&r, 0, 0, G_MAXINT32);
        call.entry = (int)retrieval_get_number_in(&r, call.entry, 0, G_MAXINT32);
        if (r.failed) return FALSE;
        g_array_append_val(calls, call);
    }
    return !r.failed;
}

/* ---- asking ---- */

void
retrieval_reference_free(retrieval_reference *reference)
{
    if (!reference) return;
    char *const texts[] = {reference->key,   reference->text,  reference->authors,
                           reference->title, reference->venue, reference->year,
                           reference->doi,   reference->arxiv, reference->url};
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++)
        g_free(texts[i]);
    g_free(reference);
}

static retrieval_reference *
read_entry(sqlite3_stmt *row, const retrieval_call *call)
{
    retrieval_reference *reference = g_new0(retrieval_reference, 1);
    char **const texts[] = {&reference->key,   &reference->text,  &reference->authors,
                            &reference->title, &reference->venue, &reference->year,
                            &reference->doi,   &reference->arxiv, &reference->url};
    reference->start = call->start;
    reference->len = call->len;
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++)
        *texts[i] = g_strdup((const char *)sqlite3_column_text(row, (int)i + 1));
    return reference;
}

static gboolean
load_entry(retrieval_store *store, int64_t document, const retrieval_call *call,
           GPtrArray *references, GError **error)
{
    GError *failure = NULL;
    sqlite3_stmt *row = retrieval_store_get(store, STORE_LOAD_ENTRIES, error);
    if (!row) return FALSE;
    sqlite3_bind_int64(row, 1, document);
    sqlite3_bind_int(row, 2, call->entry);
    if (retrieval_store_next(store, row, &failure))
        g_ptr_array_add(references, read_entry(row, call));
    sqlite3_reset(row);
    if (!failure) return TRUE;
    g_propagate_error(error, failure);
    return FALSE;
}

/* The chunk's document and calls. */
static gboolean
load_calls(retrieval_store *store, int64_t chunk_id, int64_t *document, GArray *calls,
           GError **error)
{
    GError *failure = NULL;
    sqlite3_stmt *row = retrieval_store_get(store, STORE_GET_CALLS, error);
    if (!row) return FALSE;
    sqlite3_bind_int64(row, 1, chunk_id);
    if (!retrieval_store_next(store, row, &failure)) {
        if (!failure)
            g_set_error(&failure, RETRIEVAL_ERROR, RETRIEVAL_ERROR_NOT_FOUND,
                        "passage %" G_GINT64_FORMAT " is not in the library", chunk_id);
        g_propagate_error(error, failure);
        return FALSE;
    }
    *document = sqlite3_column_int64(row, 0);
    const uint32_t len = (uint32_t)sqlite3_column_int64(row, 3);
    g_auto(retrieval_about) about = {0};
    retrieval_read_about(row, 1, len, &about);
    gsize n_bytes = 0;
    const void *bytes = about.calls ? g_bytes_get_data(about.calls, &n_bytes) : NULL;
    retrieval_unpack_calls(bytes, n_bytes, calls);
    for (guint i = calls->len; i-- > 0;) { /* within the text, whatever the database says */
        const retrieval_call *call = &g_array_index(calls, retrieval_call, i);
        if (call->start > len || call->len > len - call->start) g_array_remove_index(calls, i);
    }
    sqlite3_reset(row);
    return TRUE;
}

static gboolean
load_references(retrieval_store *store, int64_t chunk_id, uint32_t start, uint32_t len,
                GPtrArray *references, GError **error)
{
    int64_t document = 0;
    g_autoptr(GArray) calls = g_array_new(FALSE, FALSE, sizeof(retrieval_call));
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
    if (!load_calls(store, chunk_id, &document, calls, error)) return FALSE;
    for (guint i = 0; i < calls->len; i++) {
        const retrieval_call *call = &g_array_index(calls, retrieval_call, i);
        if (call->start < start || call->start - start >= len) continue;
        if (g_hash_table_add(seen, GINT_TO_POINTER(call->entry)) &&
            !load_entry(store, document, call, references, error))
            return FALSE;
    }
    return TRUE;
}

GPtrArray *
retrieval_library_load_references(retrieval_library *library, int64_t chunk_id, uint32_t start,
                                  uint32_t len, GError **error)
{
    g_autoptr(GPtrArray) references =
        g_ptr_array_new_with_free_func((GDestroyNotify)retrieval_reference_free);
    retrieval_store *store = retrieval_library_borrow(library, error);
    if (!store) return NULL;
    gboolean done = retrieval_store_exec(store, STORE_BEGIN_READ, error);
    if (done) {
        done = load_references(store, chunk_id, start, len, references, error);
        retrieval_store_rollback(store); /* only read */
    }
    retrieval_library_return(library, store);
    return done ? g_steal_pointer(&references) : NULL;
}

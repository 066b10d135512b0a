/* Chunks as callers see them, one by one or with what stands around them. */
#include "retrieval/hits.h"

#include <math.h>
#include <string.h>

#include "retrieval/about.h"
#include "retrieval/library.h"

void
retrieval_hit_free(retrieval_hit *hit)
{
    if (!hit) return;
    g_free(hit->path);
    g_free(hit->sha256);
    g_free(hit->title);
    g_free(hit->section);
    g_free(hit->text);
    g_free(hit->page_label);
    if (hit->boxes) g_array_unref(hit->boxes);
    if (hit->places) g_array_unref(hit->places);
    g_strfreev(hit->authors);
    g_free(hit->venue);
    g_free(hit->doi);
    g_free(hit->arxiv);
    g_free(hit);
}

void
retrieval_metadata_free(retrieval_metadata *metadata)
{
    if (!metadata) return;
    g_free(metadata->title);
    g_strfreev(metadata->authors);
    g_free(metadata->venue);
    g_free(metadata->doi);
    g_free(metadata->arxiv);
    g_free(metadata);
}

static char *
column_string(sqlite3_stmt *statement, int column)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);
    return g_strdup(text ? text : "");
}

static char *
column_or_null(sqlite3_stmt *statement, int column)
{
    return g_strdup((const char *)sqlite3_column_text(statement, column));
}

static char **
column_lines(sqlite3_stmt *statement, int column)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);
    return text && *text ? g_strsplit(text, "\n", -1) : NULL;
}

/* Stretches that lie in the text, whatever the database says. */
static void
take_places(retrieval_hit *hit, const GArray *places)
{
    const size_t len = strlen(hit->text);
    hit->boxes = g_array_new(FALSE, FALSE, sizeof(layout_box));
    hit->places = g_array_new(FALSE, FALSE, sizeof(retrieval_place));
    for (guint i = 0; i < places->len; i++) {
        const retrieval_place *place = &g_array_index(places, retrieval_place, i);
        if (place->start > len || place->len > len - place->start) continue;
        g_array_append_vals(hit->places, place, 1);
        g_array_append_vals(hit->boxes, &place->box, 1);
    }
}

/* A row of STORE_LOAD_HIT or STORE_LOAD_RANGE. */
static retrieval_hit *
read_hit(sqlite3_stmt *row)
{
    retrieval_hit *hit = g_new0(retrieval_hit, 1);
    hit->judgement = NAN;
    hit->path = column_string(row, 0);
    hit->sha256 = column_string(row, 1);
    hit->title = column_string(row, 2);
    hit->section = column_string(row, 3);
    hit->text = column_string(row, 4);
    g_auto(retrieval_about) about = {0};
    retrieval_read_about(row, 5, strlen(hit->text), &about);
    hit->type = about.type;
    hit->first_page = about.first_page;
    hit->last_page = about.last_page;
    hit->page_label = g_steal_pointer(&about.page_label);
    take_places(hit, about.places);
    hit->chunk_id = sqlite3_column_int64(row, 7);
    hit->document_id = sqlite3_column_int64(row, 8);
    hit->ordinal = sqlite3_column_int(row, 9);
    hit->first_block = about.first_block;
    hit->last_block = about.last_block;
    hit->authors = column_lines(row, 10);
    hit->year = sqlite3_column_int(row, 11);
    hit->venue = column_or_null(row, 12);
    hit->doi = column_or_null(row, 13);
    hit->arxiv = column_or_null(row, 14);
    return hit;
}

retrieval_hit *
retrieval_load_hit(retrieval_store *store, int64_t chunk_id, GError **error)
{
    GError *failure = NULL;
    sqlite3_stmt *statement = retrieval_store_get(store, STORE_LOAD_HIT, error);
    if (!statement) return NULL;
    sqlite3_bind_int64(statement, 1, chunk_id);
    if (!retrieval_store_next(store, statement, &failure)) {
        if (!failure)
            g_set_error(&failure, RETRIEVAL_ERROR, RETRIEVAL_ERROR_NOT_FOUND,
                        "%s: there is no chunk %" G_GINT64_FORMAT, store->path, chunk_id);
        g_propagate_error(error, failure);
        return NULL;
    }
    retrieval_hit *hit = read_hit(statement);
    sqlite3_reset(statement);
    return hit;
}

GArray *
retrieval_hit_boxes_of(const retrieval_hit *hit, uint32_t start, uint32_t len)
{
    GArray *boxes = g_array_new(FALSE, FALSE, sizeof(layout_box));
    const uint64_t end = (uint64_t)start + len;
    for (guint i = 0; hit->places && i < hit->places->len; i++) {
        const retrieval_place *place = &g_array_index(hit->places, retrieval_place, i);
        if (place->start < end && (uint64_t)place->start + place->len > start)
            g_array_append_vals(boxes, &place->box, 1);
    }
    return boxes;
}

/* ---- around a chunk ---- */

static GPtrArray *
load_range(retrieval_store *store, int64_t document, int first, int last, GError **error)
{
    GError *failure = NULL;
    g_autoptr(GPtrArray) hits = g_ptr_array_new_with_free_func((GDestroyNotify)retrieval_hit_free);
    sqlite3_stmt *statement = retrieval_store_get(store, STORE_LOAD_RANGE, error);
    if (!statement) return NULL;
    sqlite3_bind_int64(statement, 1, document);
    sqlite3_bind_int(statement, 2, first);
    sqlite3_bind_int(statement, 3, last);
    while (retrieval_store_next(store, statement, &failure))
        g_ptr_array_add(hits, read_hit(statement));
    if (!failure) return g_steal_pointer(&hits);
    g_propagate_error(error, failure);
    return NULL;
}

static GPtrArray *
load_neighbours(retrieval_store *store, int64_t chunk_id, guint n_before, guint n_after,
                GError **error)
{
    retrieval_hit *hit = retrieval_load_hit(store, chunk_id, error);
    if (!hit) return NULL;
    const int first = hit->ordinal - (int)MIN(n_before, (guint)hit->ordinal);
    const int last = (int)MIN((gint64)hit->ordinal + n_after, G_MAXINT);
    const int64_t document = hit->document_id;
    retrieval_hit_free(hit);
    return load_range(store, document, first, last, error);
}

GPtrArray *
retrieval_library_load_neighbours(retrieval_library *library, int64_t chunk_id, guint n_before,
                                  guint n_after, GError **error)
{
    retrieval_store *store = retrieval_library_borrow(library, error);
    if (!store) return NULL;
    GPtrArray *hits = load_neighbours(store, chunk_id, n_before, n_after, error);
    retrieval_library_return(library, store);
    return hits;
}

/* Length of the first depth headings of a path; all of it where it has fewer, and for 0. */
static size_t
section_length(const char *section, guint depth)
{
    const char *p = section;
    for (guint i = 0; depth > 0 && i < depth; i++) {
        const char *next = strstr(p, " > ");
        if (!next) break;
        if (i + 1 == depth) return (size_t)(next - section);
        p = next + 3;
    }
    return strlen(section);
}

static gboolean
is_within(const char *section, const char *parent, size_t len)
{
    return strncmp(section, parent, len) == 0 &&
           (section[len] == '\0' || (len > 0 && g_str_has_prefix(section + len, " > ")));
}

static GPtrArray *
load_section(retrieval_store *store, int64_t chunk_id, guint depth, GError **error)
{
    retrieval_hit *hit = retrieval_load_hit(store, chunk_id, error);
    if (!hit) return NULL;
    GPtrArray *hits = load_range(store, hit->document_id, 0, G_MAXINT, error);
    const size_t len = section_length(hit->section, depth);
    for (guint i = hits ? hits->len : 0; i-- > 0;) {
        const retrieval_hit *other = hits->pdata[i];
        if (!is_within(other->section, hit->section, len)) g_ptr_array_remove_index(hits, i);
    }
    retrieval_hit_free(hit);
    return hits;
}

GPtrArray *
retrieval_library_load_section(retrieval_library *library, int64_t chunk_id, guint depth,
                               GError **error)
{
    retrieval_store *store = retrieval_library_borrow(library, error);
    if (!store) return NULL;
    GPtrArray *hits = load_section(store, chunk_id, depth, error);
    retrieval_library_return(library, store);
    return hits;
}

static gboolean
set_not_in_library(const char *path, GError **error)
{
    g_set_error(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_NOT_FOUND, "%s: not in the library", path);
    return FALSE;
}

GPtrArray *
retrieval_library_load_document(retrieval_library *library, const char *path, GError **error)
{
    int64_t id;
    GPtrArray *hits = NULL;
    retrieval_store *store = retrieval_library_borrow(library, error);
    if (!store) return NULL;
    if (retrieval_store_find_document(store, path, &id, NULL, error)) {
        if (id == 0)
            set_not_in_library(path, error);
        else
            hits = load_range(store, id, 0, G_MAXINT, error);
    }
    retrieval_library_return(library, store);
    return hits;
}

retrieval_metadata *
retrieval_library_get_metadata(retrieval_library *library, const char *path, GError **error)
{
    GError *failure = NULL;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&library->lock);
    (void)locker;
    sqlite3_stmt *row = retrieval_store_get(library->store, STORE_GET_METADATA, error);
    if (!row) return NULL;
    sqlite3_bind_text(row, 1, path, -1, SQLITE_STATIC);
    if (!retrieval_store_next(library->store, row, &failure)) {
        if (!failure) set_not_in_library(path, &failure);
        g_propagate_error(error, failure);
        return NULL;
    }
    retrieval_metadata *metadata = g_new0(retrieval_metadata, 1);
    metadata->title = column_or_null(row, 0);
    metadata->authors = column_lines(row, 1);
    metadata->year = sqlite3_column_int(row, 2);
    metadata->venue = column_or_null(row, 3);
    metadata->doi = column_or_null(row, 4);
    metadata->arxiv = column_or_null(row, 5);
    sqlite3_reset(row);
    return metadata;
}

/* Searching: a full-text and a vector ranking of one snapshot of the library, joined by rank.
 *
 * Reciprocal-rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009): score = sum over rankings of
 * weight / (k + rank). It needs no common scale for BM25 and cosine. */
#include "retrieval/library.h"

#include <string.h>

#include "retrieval/fulltext.h"
#include "retrieval/hits.h"
#include "retrieval/selection.h"

/* Chosen on SciFact's 809 training queries with all-MiniLM-L6-v2: nDCG@10 0.731 with k 10 and these
 * weights, 0.717 with the paper's k 60 and equal ones; BM25 alone 0.706, vectors alone 0.660. */
static const double bm25_weight = 1.0, dense_weight = 0.8;
static const double default_k = 10.0;

#define MAX_CANDIDATES 10000

typedef struct {
    int64_t id;
    double score;
    int bm25_rank, dense_rank; /* 1-based, 0: not ranked */
} candidate;

retrieval_search_options
retrieval_search_options_default(void)
{
    return (retrieval_search_options){
        .method = RETRIEVAL_FUSION, .n_results = 10, .n_candidates = 100, .rrf_k = default_k};
}

/* ---- the two rankings: arrays of candidate, best first ---- */

/* How many passages have a word. */
static gboolean
count_passages(retrieval_library *library, const char *word, int64_t *n, GError **error)
{
    g_autofree char *phrase = retrieval_fulltext_phrase(word);
    sqlite3_stmt *statement = retrieval_store_get(library->store, STORE_COUNT_MATCHES, error);
    if (!statement) return FALSE;
    sqlite3_bind_text(statement, 1, phrase, -1, SQLITE_TRANSIENT);
    if (!retrieval_store_next(library->store, statement, error))
        return FALSE; /* always has a row */
    *n = sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    return TRUE;
}

static gboolean
rank_fulltext(retrieval_library *library, const char *query, guint n,
              const retrieval_selection *selection, GArray *ranking, GError **error)
{
    GError *failure = NULL;
    retrieval_fulltext_plan plan;
    int64_t n_passages[RETRIEVAL_MAX_QUERY_TERMS] = {0};
    g_autoptr(GPtrArray) words = retrieval_fulltext_words(query);
    for (guint i = 0; i < words->len; i++)
        if (!count_passages(library, words->pdata[i], &n_passages[i], error)) return FALSE;
    g_autofree char *expression =
        retrieval_fulltext_plan_query(words, n_passages, library->max_scored, &plan);
    if (!expression) return TRUE;

    sqlite3_stmt *statement = retrieval_store_get(library->store, STORE_RANK_FULLTEXT, error);
    if (!statement) return FALSE;
    sqlite3_bind_text(statement, 1, expression, -1, SQLITE_TRANSIENT);
    sqlite3_bind_int64(statement, 2, n);
    sqlite3_bind_pointer(statement, 3, &plan, RETRIEVAL_PLAN_POINTER, NULL);
    sqlite3_bind_pointer(statement, 4, (void *)selection, RETRIEVAL_SELECTION_POINTER, NULL);
    while (retrieval_store_next(library->store, statement, &failure)) {
        candidate found = {.id = sqlite3_column_int64(statement, 0),
                           .score = sqlite3_column_double(statement, 1),
                           .bm25_rank = (int)ranking->len + 1};
        g_array_append_val(ranking, found);
    }
    sqlite3_clear_bindings(statement); /* plan is about to go */
    if (!failure) return TRUE;
    g_propagate_error(error, failure);
    return FALSE;
}

static gboolean
rank_dense(retrieval_library *library, const float *vector, guint n,
           const retrieval_selection *selection, GArray *ranking, GError **error)
{
    if (!retrieval_library_refresh(library, error)) return FALSE;
    if (!library->vectors) return TRUE;
    if (retrieval_vectors_n_dims(library->vectors) != library->n_dims) {
        g_set_error(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_EMBEDDER,
                    "%s: its vectors have %u dimensions, the embedder's %u", library->dir,
                    retrieval_vectors_n_dims(library->vectors), library->n_dims);
        return FALSE;
    }
    /* the selected ones among the best k, for k rising until there are enough */
    for (size_t k = n;; k *= 4) {
        g_autoptr(GArray) matches = g_array_new(FALSE, FALSE, sizeof(retrieval_match));
        if (!retrieval_vectors_search(library->vectors, vector, k, matches, error)) return FALSE;
        g_array_set_size(ranking, 0);
        for (guint i = 0; i < matches->len && ranking->len < n; i++) {
            const retrieval_match *match = &g_array_index(matches, retrieval_match, i);
            if (!retrieval_selection_has(selection, match->id)) continue;
            candidate found = {.id = match->id,
                               .score = (double)match->score,
                               .dense_rank = (int)ranking->len + 1};
            g_array_append_val(ranking, found);
        }
        if (ranking->len >= n || matches->len < k) return TRUE;
    }
}

/* ---- fusion ---- */

static int
compare_candidates(gconstpointer a, gconstpointer b)
{
    const candidate *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

static GArray *
fuse(const GArray *fulltext, const GArray *dense, double k)
{
    g_autoptr(GHashTable) places = g_hash_table_new(g_int64_hash, g_int64_equal);
    GArray *fused = g_array_sized_new(FALSE, FALSE, sizeof(candidate), fulltext->len + dense->len);
    for (guint i = 0; i < fulltext->len; i++) {
        candidate found = g_array_index(fulltext, candidate, i);
        found.score = bm25_weight / (k + found.bm25_rank);
        g_array_append_val(fused, found);
        g_hash_table_insert(places, &g_array_index(fulltext, candidate, i).id,
                            GUINT_TO_POINTER(i + 1));
    }
    for (guint i = 0; i < dense->len; i++) {
        candidate found = g_array_index(dense, candidate, i);
        const double score = dense_weight / (k + found.dense_rank);
        const guint place = GPOINTER_TO_UINT(g_hash_table_lookup(places, &found.id));
        if (place > 0) {
            candidate *both = &g_array_index(fused, candidate, place - 1);
            both->dense_rank = found.dense_rank;
            both->score += score;
        } else {
            found.score = score;
            g_array_append_val(fused, found);
        }
    }
    g_array_sort(fused, compare_candidates);
    return fused;
}

/* ---- search ---- */

/* The query's vector; NULL without an error where the method or the library has no use for one. */
static gboolean
embed_query(retrieval_library *library, const char *query, retrieval_method method, float **vector,
            GError **error)
{
    *vector = NULL;
    if (method == RETRIEVAL_BM25) return TRUE;
    if (!library->embed) {
        if (method == RETRIEVAL_FUSION) return TRUE;
        g_set_error(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_EMBEDDER,
                    "%s: a search by meaning needs the library to be opened with its embedder",
                    library->dir);
        return FALSE;
    }
    g_autofree char *valid = g_utf8_make_valid(query, -1);
    g_autofree char *text = g_strconcat(library->query_prefix, valid, NULL);
    const char *const texts[] = {text};
    g_autofree float *values = g_new0(float, library->n_dims);
    if (!retrieval_library_embed(library, texts, 1, values, NULL, error)) return FALSE;
    *vector = g_steal_pointer(&values);
    return TRUE;
}

/* Counts what was taken of every page and document. */
typedef struct {
    guint max_per_page, max_per_document;
    GHashTable *taken; /* "document page" -> how many */
} diversity;

static gboolean
take_one(diversity *d, int64_t document, int page, guint max)
{
    if (max == 0) return TRUE;
    g_autofree char *key = g_strdup_printf("%" G_GINT64_FORMAT " %d", document, page);
    const guint n = GPOINTER_TO_UINT(g_hash_table_lookup(d->taken, key));
    if (n >= max) return FALSE;
    g_hash_table_insert(d->taken, g_steal_pointer(&key), GUINT_TO_POINTER(n + 1));
    return TRUE;
}

static gboolean
load_hits(retrieval_library *library, const GArray *ranking, const retrieval_search_options *o,
          GPtrArray *hits, GError **error)
{
    g_autoptr(GHashTable) taken = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    diversity d = {o->max_per_page, o->max_per_document, taken};
    for (guint i = 0; i < ranking->len && hits->len < o->n_results; i++) {
        const candidate *found = &g_array_index(ranking, candidate, i);
        retrieval_hit *hit = retrieval_load_hit(library->store, found->id, error);
        if (!hit) return FALSE;
        if (!take_one(&d, hit->document_id, hit->first_page, d.max_per_page) ||
            !take_one(&d, hit->document_id, -1, d.max_per_document)) {
            retrieval_hit_free(hit);
            continue;
        }
        hit->score = found->score;
        hit->bm25_rank = found->bm25_rank;
        hit->dense_rank = found->dense_rank;
        g_ptr_array_add(hits, hit);
    }
    return TRUE;
}

/* Inside a transaction: all of it sees the same library. */
static GPtrArray *
search_snapshot(retrieval_library *library, const char *query, const float *vector,
                const retrieval_where *where, const retrieval_search_options *o, GError **error)
{
    const guint n = MIN(MAX(o->n_candidates, o->n_results), MAX_CANDIDATES);
    g_autoptr(GArray) fulltext = g_array_new(FALSE, FALSE, sizeof(candidate));
    g_autoptr(GArray) dense = g_array_new(FALSE, FALSE, sizeof(candidate));
    g_autoptr(retrieval_selection) selection = NULL;
    if (where && !(selection = retrieval_selection_new(library->store, where, error))) return NULL;
    if (o->method != RETRIEVAL_DENSE &&
        !rank_fulltext(library, query, n, selection, fulltext, error))
        return NULL;
    if (vector && !rank_dense(library, vector, n, selection, dense, error)) return NULL;

    g_autoptr(GArray) fused = NULL;
    const GArray *ranking = o->method == RETRIEVAL_BM25 ? fulltext : dense;
    if (o->method == RETRIEVAL_FUSION) ranking = fused = fuse(fulltext, dense, o->rrf_k);

    g_autoptr(GPtrArray) hits = g_ptr_array_new_with_free_func((GDestroyNotify)retrieval_hit_free);
    return load_hits(library, ranking, o, hits, error) ? g_steal_pointer(&hits) : NULL;
}

GPtrArray *
retrieval_library_search(retrieval_library *library, const char *query,
                         const retrieval_search_options *options, GError **error)
{
    const retrieval_search_options o = options ? *options : retrieval_search_options_default();
    g_autofree float *vector = NULL;
    g_autoptr(retrieval_where) where = NULL;
    if (o.where && !(where = retrieval_where_parse(o.where, error))) return NULL;
    if (!embed_query(library, query, o.method, &vector, error)) return NULL;

    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&library->lock);
    (void)locker;
    if (!retrieval_store_exec(library->store, STORE_BEGIN_READ, error)) return NULL;
    GPtrArray *hits = search_snapshot(library, query, vector, where, &o, error);
    retrieval_store_rollback(library->store); /* only read */
    return hits;
}

/* Searching: a full-text and a vector ranking of one snapshot of the library, joined by score or by rank. */
#include "retrieval/library.h"

#include <math.h>
#include <string.h>

#include "retrieval/choose.h"
#include "retrieval/fulltext.h"
#include "retrieval/fuse.h"
#include "retrieval/half.h"
#include "retrieval/hits.h"
#include "retrieval/selection.h"

#define MAX_CANDIDATES 10000

retrieval_search_options
retrieval_search_options_default(void)
{
    return (retrieval_search_options){
        .method = RETRIEVAL_FUSION, .n_results = 10, .n_candidates = 100, .n_reranked = 20};
}

/* ---- the two rankings: arrays of retrieval_candidate, best first ---- */

/* How many passages have a word. */
static gboolean
count_passages(retrieval_store *store, const char *word, int64_t *n, GError **error)
{
    g_autofree char *phrase = retrieval_fulltext_phrase(word);
    sqlite3_stmt *statement = retrieval_store_get(store, STORE_COUNT_MATCHES, error);
    if (!statement) return FALSE;
    sqlite3_bind_text(statement, 1, phrase, -1, SQLITE_TRANSIENT);
    if (!retrieval_store_next(store, statement, error)) return FALSE; /* always has a row */
    *n = sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    return TRUE;
}

/* One search: what it asks for and the snapshot it asks in. */
typedef struct {
    retrieval_library *library;
    retrieval_store *store;
    const char *query;
    const float *vector; /* NULL: none */
    const retrieval_search_options *options;
    retrieval_selection *selection; /* NULL: all */
    guint n;                        /* candidates wanted of each ranking */
    int64_t compact_through;        /* the database has no vectors up to this chunk */
    double ideal;                   /* what BM25 could not exceed; 0 before rank_fulltext */
} search;

/* The question's words, and in how many passages each is. */
typedef struct {
    GPtrArray *words; /* of retrieval_fulltext_word */
    int64_t in_fts[RETRIEVAL_MAX_QUERY_TERMS], in_file[RETRIEVAL_MAX_QUERY_TERMS];
    double n_all, mean_length; /* of all passages, where some are in a file; else 0 */
} question;

static gboolean
rank_fts(const search *s, const question *q, GArray *ranking, GError **error)
{
    GError *failure = NULL;
    retrieval_fulltext_plan plan;
    g_autofree char *expression = retrieval_fulltext_plan_query(q->words, q->in_fts, q->in_file,
                                                                s->library->max_scored, &plan);
    if (!expression) return TRUE;
    plan.n_all = q->n_all;
    plan.mean_length = q->mean_length;

    sqlite3_stmt *statement = retrieval_store_get(s->store, STORE_RANK_FULLTEXT, error);
    if (!statement) return FALSE;
    sqlite3_bind_text(statement, 1, expression, -1, SQLITE_TRANSIENT);
    sqlite3_bind_int64(statement, 2, s->n);
    sqlite3_bind_pointer(statement, 3, &plan, RETRIEVAL_PLAN_POINTER, NULL);
    sqlite3_bind_pointer(statement, 4, s->selection, RETRIEVAL_SELECTION_POINTER, NULL);
    while (retrieval_store_next(s->store, statement, &failure)) {
        retrieval_candidate found = {.id = sqlite3_column_int64(statement, 0),
                                     .score = sqlite3_column_double(statement, 1)};
        g_array_append_val(ranking, found);
    }
    sqlite3_clear_bindings(statement); /* plan is about to go */
    if (!failure) return TRUE;
    g_propagate_error(error, failure);
    return FALSE;
}

/* What in the words file counts: not what FTS5 has newer words of. */
typedef struct {
    const retrieval_selection *selection;
    GHashTable *reworded; /* of int64_t */
} file_filter;

static gboolean
is_wanted(int64_t id, void *user_data)
{
    const file_filter *filter = user_data;
    return retrieval_selection_has(filter->selection, id) &&
           (g_hash_table_size(filter->reworded) == 0 ||
            !g_hash_table_contains(filter->reworded, &id));
}

static gboolean
rank_file(const search *s, const retrieval_words *file, const question *q, GArray *ranking,
          GError **error)
{
    GError *failure = NULL;
    const char *words[RETRIEVAL_MAX_QUERY_TERMS];
    double idf[RETRIEVAL_MAX_QUERY_TERMS];
    g_autoptr(GHashTable) reworded =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    sqlite3_stmt *row = retrieval_store_get(s->store, STORE_LIST_REWORDED, error);
    if (!row) return FALSE;
    while (retrieval_store_next(s->store, row, &failure)) {
        const int64_t id = sqlite3_column_int64(row, 0);
        g_hash_table_add(reworded, g_memdup2(&id, sizeof id));
    }
    if (failure) {
        g_propagate_error(error, failure);
        return FALSE;
    }
    for (guint i = 0; i < q->words->len; i++) {
        const retrieval_fulltext_word *word = q->words->pdata[i];
        words[i] = word->text;
        idf[i] = retrieval_bm25_idf(word->weight, (double)(q->in_fts[i] + q->in_file[i]), q->n_all);
    }
    file_filter filter = {s->selection, reworded};
    const retrieval_words_query query = {.words = words,
                                         .idf = idf,
                                         .n = q->words->len,
                                         .mean_length = q->mean_length,
                                         .wanted = is_wanted,
                                         .user_data = &filter};
    g_autoptr(GArray) matches = g_array_new(FALSE, FALSE, sizeof(retrieval_words_match));
    retrieval_words_rank(file, &query, s->n, matches);
    for (guint i = 0; i < matches->len; i++) {
        const retrieval_words_match *match = &g_array_index(matches, retrieval_words_match, i);
        const retrieval_candidate found = {.id = match->id, .score = match->score};
        g_array_append_val(ranking, found);
    }
    return TRUE;
}

/* All passages: those of the file, and at most so many with the ids behind them. */
static gboolean
measure_collection(const search *s, const retrieval_words *file, question *q, GError **error)
{
    const double n = (double)retrieval_words_n_chunks(file);
    sqlite3_stmt *row = retrieval_store_get(s->store, STORE_HIGHEST_CHUNK, error);
    if (!row || !retrieval_store_next(s->store, row, error)) return FALSE; /* always has a row */
    const int64_t behind = sqlite3_column_int64(row, 0) - retrieval_words_last_id(file);
    sqlite3_reset(row);
    q->n_all = n + (double)MAX(behind, 0);
    q->mean_length = n > 0 ? MAX((double)retrieval_words_n_tokens(file) / n, 1.0) : 1.0;
    return TRUE;
}

/* What a passage of nothing but the question's words would have. */
static gboolean
find_ideal(search *s, const question *q, GError **error)
{
    double n_all = q->n_all;
    if (n_all <= 0) {
        sqlite3_stmt *row = retrieval_store_get(s->store, STORE_COUNT_WORDLESS, error);
        if (!row) return FALSE;
        sqlite3_bind_int64(row, 1, 0);                                 /* behind none: all */
        if (!retrieval_store_next(s->store, row, error)) return FALSE; /* always has a row */
        n_all = (double)sqlite3_column_int64(row, 0);
        sqlite3_reset(row);
    }
    s->ideal = 0.0;
    for (guint i = 0; i < q->words->len; i++) {
        const retrieval_fulltext_word *word = q->words->pdata[i];
        s->ideal += retrieval_bm25_idf(word->weight, (double)(q->in_fts[i] + q->in_file[i]), n_all);
    }
    s->ideal *= retrieval_bm25_length_of(1.0).gain;
    return TRUE;
}

/* By BM25: of what FTS5 has and what a words file has, in the same measure. */
static gboolean
rank_fulltext(search *s, GArray *ranking, GError **error)
{
    g_autoptr(retrieval_words) file = NULL;
    g_autoptr(GPtrArray) words = retrieval_fulltext_words(s->query);
    question q = {.words = words};
    if (!retrieval_library_borrow_words(s->library, s->store, &file, error)) return FALSE;
    for (guint i = 0; i < words->len; i++) {
        const retrieval_fulltext_word *word = words->pdata[i];
        if (!count_passages(s->store, word->text, &q.in_fts[i], error)) return FALSE;
        if (file) q.in_file[i] = (int64_t)retrieval_words_count(file, word->text);
    }
    if (file &&
        (!measure_collection(s, file, &q, error) || !rank_file(s, file, &q, ranking, error)))
        return FALSE;
    if (!rank_fts(s, &q, ranking, error) || !find_ideal(s, &q, error)) return FALSE;
    if (file) g_array_sort(ranking, retrieval_candidate_compare);
    if (ranking->len > s->n) g_array_set_size(ranking, s->n);
    for (guint i = 0; i < ranking->len; i++)
        g_array_index(ranking, retrieval_candidate, i).bm25_rank = (int)i + 1;
    return TRUE;
}

/* ---- the vectors of passages ---- */

/* The database's own vector into values [n_dims]; *has says whether it is there. */
static gboolean
load_vector(const search *s, int64_t id, float *values, gboolean *has, GError **error)
{
    const uint32_t n_dims = s->library->n_dims;
    GError *failure = NULL;
    *has = FALSE;
    sqlite3_stmt *row = retrieval_store_get(s->store, STORE_GET_VECTOR, error);
    if (!row) return FALSE;
    sqlite3_bind_int64(row, 1, id);
    if (retrieval_store_next(s->store, row, &failure) &&
        (size_t)sqlite3_column_bytes(row, 0) == n_dims * sizeof(uint16_t)) {
        retrieval_unpack_halves(sqlite3_column_blob(row, 0), n_dims, values);
        *has = TRUE;
    }
    sqlite3_reset(row);
    if (!failure) return TRUE;
    g_propagate_error(error, failure);
    return FALSE;
}

/* Those of ids [n] that have one, from the database, else from the index, into values [n, n_dims]; known [n] says
 * which. */
static gboolean
load_vectors(const search *s, const int64_t *ids, guint n, float *values, gboolean *known,
             GError **error)
{
    gboolean all_known = TRUE, done = TRUE;
    for (guint i = 0; i < n; i++) {
        known[i] = FALSE;
        if (ids[i] > s->compact_through &&
            !load_vector(s, ids[i], values + (gsize)i * s->library->n_dims, &known[i], error))
            return FALSE;
        all_known = all_known && (known[i] || ids[i] > s->compact_through);
    }
    if (all_known) return TRUE;
    if (!retrieval_library_lock_vectors(s->library, s->store, error)) return FALSE;
    if (s->library->vectors)
        done = retrieval_vectors_get_many(s->library->vectors, ids, n, values, known, error);
    g_rw_lock_reader_unlock(&s->library->vectors_lock);
    return done;
}

/* ---- by meaning ---- */

/* The cosine by the database's own vector; score stays what it is where the database does not have it. */
static gboolean
score_exactly(const search *s, int64_t id, float *scratch, double *score, GError **error)
{
    gboolean has;
    if (id <= s->compact_through) return TRUE;
    if (!load_vector(s, id, scratch, &has, error)) return FALSE;
    if (has) *score = retrieval_dot(scratch, s->vector, s->library->n_dims);
    return TRUE;
}

/* The selected ones among the best k, for k rising until there are n; with vectors_lock held. */
static gboolean
nearest_selected(const search *s, guint n, GArray *ranking, GError **error)
{
    const retrieval_vectors *vectors = s->library->vectors;
    for (size_t k = n;; k *= 4) {
        g_autoptr(GArray) matches = g_array_new(FALSE, FALSE, sizeof(retrieval_match));
        if (!retrieval_vectors_search(vectors, s->vector, k, matches, error)) return FALSE;
        g_array_set_size(ranking, 0);
        for (guint i = 0; i < matches->len && ranking->len < n; i++) {
            const retrieval_match *match = &g_array_index(matches, retrieval_match, i);
            if (!retrieval_selection_has(s->selection, match->id)) continue;
            retrieval_candidate found = {.id = match->id, .score = (double)match->score};
            g_array_append_val(ranking, found);
        }
        if (ranking->len >= n || matches->len < k) return TRUE;
    }
}

static gboolean
rank_nearest(const search *s, GArray *ranking, GError **error)
{
    enum { OVERSAMPLE = 3 };
    const retrieval_vectors *vectors = s->library->vectors;
    if (!vectors) return TRUE;
    if (retrieval_vectors_n_dims(vectors) != s->library->n_dims) {
        g_set_error(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_EMBEDDER,
                    "%s: its vectors have %u dimensions, the embedder's %u", s->library->dir,
                    retrieval_vectors_n_dims(vectors), s->library->n_dims);
        return FALSE;
    }
    if (retrieval_vectors_kind(vectors) == RETRIEVAL_INDEX_EXACT)
        return nearest_selected(s, s->n, ranking, error);
    /* lists are lossy: more than wanted, scored by the vectors themselves where the database has them */
    if (!nearest_selected(s, s->n * OVERSAMPLE, ranking, error)) return FALSE;
    g_autofree float *scratch = g_new(float, s->library->n_dims);
    for (guint i = 0; i < ranking->len; i++) {
        retrieval_candidate *c = &g_array_index(ranking, retrieval_candidate, i);
        if (!score_exactly(s, c->id, scratch, &c->score, error)) return FALSE;
    }
    g_array_sort(ranking, retrieval_candidate_compare);
    if (ranking->len > s->n) g_array_set_size(ranking, s->n);
    return TRUE;
}

static gboolean
rank_dense(const search *s, GArray *ranking, GError **error)
{
    if (!retrieval_library_lock_vectors(s->library, s->store, error)) return FALSE;
    const gboolean done = rank_nearest(s, ranking, error);
    g_rw_lock_reader_unlock(&s->library->vectors_lock);
    for (guint i = 0; i < ranking->len; i++)
        g_array_index(ranking, retrieval_candidate, i).dense_rank = (int)i + 1;
    return done;
}

/* ---- fusion ---- */

/* How far the best cosine is above the tenth. */
static double
spread_of(const GArray *dense)
{
    enum { TENTH = 9 };
    if (dense->len == 0) return 0.0;
    return g_array_index(dense, retrieval_candidate, 0).score -
           g_array_index(dense, retrieval_candidate, MIN(TENTH, dense->len - 1)).score;
}

/* By score: with the cosines of what only the words found, and what all of it is like. */
static gboolean
fuse_scores(const search *s, GArray *all, double spread, GError **error)
{
    const uint32_t n_dims = s->library->n_dims;
    if (!s->vector || all->len == 0) {
        retrieval_fuse_scores(all, s->ideal, spread, NULL);
        return TRUE;
    }
    g_autofree float *values = g_try_malloc_n((gsize)all->len * n_dims, sizeof *values);
    g_autofree gboolean *known = g_new0(gboolean, all->len);
    g_autofree int64_t *ids = g_new(int64_t, all->len);
    if (!values) {
        g_set_error(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_IO, "no memory for %u vectors",
                    all->len);
        return FALSE;
    }
    for (guint i = 0; i < all->len; i++)
        ids[i] = g_array_index(all, retrieval_fused, i).found.id;
    if (!load_vectors(s, ids, all->len, values, known, error)) return FALSE;
    for (guint i = 0; i < all->len; i++) {
        retrieval_fused *f = &g_array_index(all, retrieval_fused, i);
        if (f->found.dense_rank == 0 && known[i])
            f->cosine = retrieval_dot(values + (gsize)i * n_dims, s->vector, n_dims);
    }
    const retrieval_fuse_vectors vectors = {n_dims, values, known};
    retrieval_fuse_scores(all, s->ideal, spread, &vectors);
    return TRUE;
}

static gboolean
fuse(const search *s, const GArray *fulltext, const GArray *dense, GArray *fused, GError **error)
{
    g_autoptr(GArray) all = retrieval_fuse_join(fulltext, dense, s->n);
    if (s->options->rrf_k > 0.0)
        retrieval_fuse_ranks(all, s->options->rrf_k);
    else if (!fuse_scores(s, all, spread_of(dense), error))
        return FALSE;
    for (guint i = 0; i < all->len; i++)
        g_array_append_val(fused, g_array_index(all, retrieval_fused, i).found);
    g_array_sort(fused, retrieval_candidate_compare);
    return TRUE;
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

/* Their vectors, of unit length, where anything has them. */
static gboolean
load_choice_vectors(const search *s, GArray *choices, GError **error)
{
    const uint32_t n_dims = s->library->n_dims;
    const guint n = choices->len;
    g_autofree float *values = g_new(float, (gsize)n *n_dims + 1);
    g_autofree gboolean *known = g_new0(gboolean, (gsize)n + 1);
    g_autofree int64_t *ids = g_new(int64_t, (gsize)n + 1);
    for (guint i = 0; i < n; i++)
        ids[i] = g_array_index(choices, retrieval_choice, i).hit->chunk_id;
    if (!load_vectors(s, ids, n, values, known, error)) return FALSE;
    for (guint i = 0; i < n; i++) {
        float *row = values + (gsize)i * n_dims;
        const double length = known[i] ? sqrt(retrieval_dot(row, row, n_dims)) : 0.0;
        if (!(length > 0.0)) continue;
        for (uint32_t j = 0; j < n_dims; j++)
            row[j] = (float)((double)row[j] / length); /* what was quantised is a little short */
        g_array_index(choices, retrieval_choice, i).vector = g_memdup2(row, n_dims * sizeof *row);
    }
    return TRUE;
}

/* Those of the ranking that may be shown, with their vectors where these are wanted. */
static gboolean
load_choices(const search *s, const GArray *ranking, GArray *choices, GError **error)
{
    const retrieval_search_options *o = s->options;
    const gboolean has_limits = o->max_per_page > 0 || o->max_per_document > 0;
    guint most = has_limits || o->diversity > 0.0 ? ranking->len : o->n_results;
    if (o->reranker) most = MAX(most, o->n_reranked);
    for (guint i = 0; i < ranking->len && choices->len < most; i++) {
        const retrieval_candidate *found = &g_array_index(ranking, retrieval_candidate, i);
        GError *failure = NULL;
        retrieval_choice choice = {.hit = retrieval_load_hit(s->store, found->id, &failure)};
        if (g_error_matches(failure, RETRIEVAL_ERROR, RETRIEVAL_ERROR_NOT_FOUND)) {
            g_error_free(failure); /* added after this snapshot was taken */
            continue;
        }
        if (choice.hit) {
            choice.hit->score = found->score;
            choice.hit->bm25_rank = found->bm25_rank;
            choice.hit->dense_rank = found->dense_rank;
            g_array_append_val(choices, choice);
        }
        if (failure) {
            g_propagate_error(error, failure);
            return FALSE;
        }
    }
    return o->diversity <= 0.0 || !s->vector || load_choice_vectors(s, choices, error);
}

/* Inside a transaction: all of it sees the same library. */
static gboolean
search_snapshot(search *s, const retrieval_where *where, GArray *choices, GError **error)
{
    const retrieval_search_options *o = s->options;
    g_autoptr(GArray) fulltext = g_array_new(FALSE, FALSE, sizeof(retrieval_candidate));
    g_autoptr(GArray) dense = g_array_new(FALSE, FALSE, sizeof(retrieval_candidate));
    g_autoptr(retrieval_selection) selection = NULL;
    if (where && !(selection = retrieval_selection_new(s->store, where, error))) return FALSE;
    s->selection = selection;
    if (!retrieval_store_get_compact_through(s->store, &s->compact_through, error)) return FALSE;
    if (o->method != RETRIEVAL_DENSE && !rank_fulltext(s, fulltext, error)) return FALSE;
    if (s->vector && !rank_dense(s, dense, error)) return FALSE;

    g_autoptr(GArray) fused = g_array_new(FALSE, FALSE, sizeof(retrieval_candidate));
    const GArray *ranking = o->method == RETRIEVAL_BM25 ? fulltext : dense;
    if (o->method == RETRIEVAL_FUSION) {
        if (!fuse(s, fulltext, dense, fused, error)) return FALSE;
        ranking = fused;
    }
    return load_choices(s, ranking, choices, error);
}

static gboolean
search_once(search *s, const retrieval_where *where, GArray *choices, GError **error)
{
    if (!retrieval_store_exec(s->store, STORE_BEGIN_READ, error)) return FALSE;
    const gboolean done = search_snapshot(s, where, choices, error);
    retrieval_store_rollback(s->store); /* only read */
    return done;
}

GPtrArray *
retrieval_library_search(retrieval_library *library, const char *query,
                         const retrieval_search_options *options, GError **error)
{
    const retrieval_search_options o = options ? *options : retrieval_search_options_default();
    g_autofree float *vector = NULL;
    g_autoptr(retrieval_where) where = NULL;
    if (o.where && !(where = retrieval_where_parse(o.where, error))) return NULL;
    if (o.reranker && !retrieval_reranker_check(o.reranker, error)) return NULL;
    if (!embed_query(library, query, o.method, &vector, error)) return NULL;

    search s = {.library = library,
                .query = query,
                .vector = vector,
                .options = &o,
                .n = MIN(MAX(o.n_candidates, o.n_results), MAX_CANDIDATES)};
    g_autoptr(GArray) choices = g_array_new(FALSE, FALSE, sizeof(retrieval_choice));
    g_array_set_clear_func(choices, retrieval_choice_clear);
    s.store = retrieval_library_borrow(library, error);
    if (!s.store) return NULL;
    GError *failure = NULL;
    gboolean done = search_once(&s, where, choices, &failure);
    if (!done && g_error_matches(failure, RETRIEVAL_ERROR, RETRIEVAL_ERROR_NOT_FOUND)) {
        /* the words file this snapshot names has just been replaced: what names the new one is there */
        g_clear_error(&failure);
        g_array_set_size(choices, 0);
        done = search_once(&s, where, choices, &failure);
    }
    retrieval_library_return(library, s.store);
    if (failure) g_propagate_error(error, failure);
    /* a model takes its time: nobody waits for it with a snapshot open */
    if (done && o.reranker) done = retrieval_rerank(choices, query, &o, error);
    if (!done) return NULL;
    GPtrArray *hits = g_ptr_array_new_with_free_func((GDestroyNotify)retrieval_hit_free);
    retrieval_choose(choices, library->n_dims, &o, hits);
    return hits;
}

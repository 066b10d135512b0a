/* Retrieval on a data set in BEIR's layout (corpus.jsonl, queries.jsonl), through the public interface:
 *
 *     bench_beir index CORPUS.jsonl LIBRARY [MODEL]
 *     bench_beir run LIBRARY QUERIES.jsonl bm25|dense|fusion [MODEL [OPTION...]] > run.trec
 *     bench_beir quantise LIBRARY MODEL
 *     bench_beir recall EXACT QUANTISED QUERIES.jsonl MODEL
 *
 * MODEL is an embedding model as engine_model_open takes it; without it, or "", there is full text alone. Texts of
 * more than 6,000 bytes are papers and cut into passages; a paper's rank is that of its best one. The run has the 100
 * best of every query in TREC's format, its last column lode:SCORE:JUDGEMENT. Times go to stderr. Options of a run:
 *
 *     limit=N         only N queries, evenly spread
 *     reranker=MODEL  a cross-encoder or a model that writes; reranked=N passages, 20 where it is not given
 *     diversity=X     as retrieval_search_options has it
 *
 * index makes an exact index of vectors, however large. quantise gives a library, however small, the product-quantised lists that one of 200,000 passages has; recall says what
 * they find of what the exact index of an unquantised copy finds. */
#include <glib.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "retrieval/library.h"

enum { BATCH = 128, DEPTH = 100, PAPER_BYTES = 6000, PAPER_CANDIDATES = 500 };

typedef gboolean (*line_func)(json_t *object, void *user_data, GError **error);

static gboolean
for_each_line(const char *path, line_func each, void *user_data, GError **error)
{
    g_autofree char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, error)) return FALSE;
    gboolean done = TRUE;
    for (char *line = text, *next; done && line && *line; line = next) {
        if ((next = strchr(line, '\n')) != NULL) *next++ = '\0';
        if (!*line) continue;
        json_error_t problem;
        json_t *object = json_loads(line, 0, &problem);
        if (object) {
            done = each(object, user_data, error);
        } else {
            g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s: %s", path, problem.text);
            done = FALSE;
        }
        json_decref(object);
    }
    return done;
}

static const char *
field(json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));
    return value ? value : "";
}

typedef struct {
    retrieval_library *library;
    GArray *batch; /* of retrieval_passage, strings owned */
    guint n_done;
} indexer;

static void
passage_clear(gpointer data)
{
    const retrieval_passage *passage = data;
    g_free((char *)passage->id);
    g_free((char *)passage->title);
    g_free((char *)passage->text);
}

static gboolean
index_flush(indexer *i, GError **error)
{
    if (!retrieval_library_add_passages(i->library,
                                        (const retrieval_passage *)(void *)i->batch->data,
                                        i->batch->len, NULL, error))
        return FALSE;
    i->n_done += i->batch->len;
    g_array_set_size(i->batch, 0);
    return TRUE;
}

/* A paragraph for each line. */
static gboolean
index_paper(indexer *i, const char *id, const char *title, const char *text, GError **error)
{
    layout_builder *builder = layout_builder_new();
    layout_metadata *meta = layout_builder_meta(builder);
    meta->title = layout_builder_copy(builder, title, -1);
    meta->source_name = layout_builder_copy(builder, id, -1);
    const layout_page page = {.width_pt = 612, .height_pt = 792};
    layout_builder_add_page(builder, &page);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    const layout_box box = {0, {72, 72, 540, 720}};
    for (char **line = lines; *line; line++) {
        if (!*g_strstrip(*line)) continue;
        const layout_block block = {.type = LAYOUT_BLOCK_PARAGRAPH,
                                    .text = *line,
                                    .parent = LAYOUT_NONE,
                                    .item = LAYOUT_NONE,
                                    .confidence = 1};
        layout_builder_add_block(builder, &block, &box, 1, NULL, 0, NULL, 0);
    }
    lode_document *paper = layout_builder_finish(builder);
    const gboolean done = retrieval_library_add(i->library, id, paper, NULL, NULL, error);
    lode_document_free(paper);
    i->n_done++;
    return done;
}

static gboolean
index_line(json_t *object, void *user_data, GError **error)
{
    indexer *i = user_data;
    if (strlen(field(object, "text")) > PAPER_BYTES)
        return index_paper(i, field(object, "_id"), field(object, "title"), field(object, "text"),
                           error);
    retrieval_passage passage = {.id = g_strdup(field(object, "_id")),
                                 .title = g_strdup(field(object, "title")),
                                 .text = g_strdup(field(object, "text"))};
    g_array_append_val(i->batch, passage);
    return i->batch->len < BATCH || index_flush(i, error);
}

static gboolean
run_index(retrieval_library *library, const char *corpus, GError **error)
{
    indexer i = {.library = library, .batch = g_array_new(FALSE, FALSE, sizeof(retrieval_passage))};
    g_array_set_clear_func(i.batch, passage_clear);
    const gint64 start = g_get_monotonic_time();
    library->exact_limit = G_MAXUINT64;
    gboolean done = for_each_line(corpus, index_line, &i, error) && index_flush(&i, error) &&
                    retrieval_library_commit(library, error);
    const double seconds = (double)(g_get_monotonic_time() - start) / 1e6;
    if (done)
        g_printerr("%u passages in %.1f s, %.0f per second\n", i.n_done, seconds,
                   i.n_done / seconds);
    g_array_unref(i.batch);
    return done;
}

typedef struct {
    retrieval_library *library;
    retrieval_search_options options;
    guint n_seen, n_queries, step;
    gint64 us;
} runner;

static gboolean
run_line(json_t *object, void *user_data, GError **error)
{
    runner *r = user_data;
    if (r->n_seen++ % r->step != 0) return TRUE;
    const gint64 start = g_get_monotonic_time();
    g_autoptr(GPtrArray) hits =
        retrieval_library_search(r->library, field(object, "text"), &r->options, error);
    r->us += g_get_monotonic_time() - start;
    if (!hits) return FALSE;
    r->n_queries++;
    for (guint i = 0; i < hits->len; i++) {
        const retrieval_hit *hit = hits->pdata[i];
        /* the scorer breaks ties its own way, and a reranker's order is not the score's: the rank, then */
        printf("%s Q0 %s %u %u lode:%.6g:%.6g\n", field(object, "_id"), hit->path, i + 1,
               hits->len - i, hit->score, hit->judgement);
    }
    return TRUE;
}

static gboolean
set_method(retrieval_search_options *options, const char *method, GError **error)
{
    static const char *const names[] = {"fusion", "bm25", "dense"};
    static const retrieval_method methods[] = {RETRIEVAL_FUSION, RETRIEVAL_BM25, RETRIEVAL_DENSE};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        if (strcmp(method, names[i]) != 0) continue;
        options->method = methods[i];
        return TRUE;
    }
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "no method %s", method);
    return FALSE;
}

static gboolean
count_line(json_t *object, void *user_data, GError **error)
{
    (void)object, (void)error;
    (*(guint *)user_data)++;
    return TRUE;
}

/* What stands behind "name=" in one of the options [n]; NULL: it is not there. */
static const char *
option(char **options, int n, const char *name)
{
    g_autofree char *start = g_strconcat(name, "=", NULL);
    for (int i = 0; i < n; i++)
        if (g_str_has_prefix(options[i], start)) return options[i] + strlen(start);
    return NULL;
}

static gboolean
run_queries(retrieval_library *library, const char *queries, const char *method, engine_pool *pool,
            char **options, int n_options, GError **error)
{
    runner r = {.library = library, .options = retrieval_search_options_default(), .step = 1};
    retrieval_stats stats;
    guint n_all = 0;
    r.options.n_results = DEPTH;
    if (!set_method(&r.options, method, error) ||
        !for_each_line(queries, count_line, &n_all, error) ||
        !retrieval_library_get_stats(library, &stats, error))
        return FALSE;
    g_free(stats.embedder_id);
    if (stats.n_chunks > stats.n_documents) {
        r.options.max_per_document = 1;
        r.options.n_candidates = PAPER_CANDIDATES;
    }
    const char *limit = option(options, n_options, "limit");
    if (limit) r.step = MAX(n_all / MAX((guint)strtoul(limit, NULL, 10), 1), 1);
    const char *diversity = option(options, n_options, "diversity");
    if (diversity) r.options.diversity = g_ascii_strtod(diversity, NULL);
    const char *reranked = option(options, n_options, "reranked");
    if (reranked) r.options.n_reranked = (guint)strtoul(reranked, NULL, 10);
    const char *path = option(options, n_options, "reranker");
    g_autoptr(engine_model) model = path ? engine_model_open(path, error) : NULL;
    if (path && !model) return FALSE;
    g_autoptr(engine_pool) own = pool ? NULL : engine_pool_new(0);
    const retrieval_reranker reranker = {model, pool ? pool : own};
    if (model) r.options.reranker = &reranker;
    if (!for_each_line(queries, run_line, &r, error)) return FALSE;
    g_printerr("%u queries by %s, %.2f ms each\n", r.n_queries, method,
               (double)r.us / 1e3 / MAX(r.n_queries, 1));
    return TRUE;
}

/* ---- product quantisation ---- */

static gboolean
run_quantise(retrieval_library *library, GError **error)
{
    library->exact_limit = library->scalar_limit = 1;
    return retrieval_library_commit(library, error);
}

enum { N_BEST = 100, MOST_TAKEN = 1000 };
static const guint taken[] = {100, 300, MOST_TAKEN};

typedef struct {
    retrieval_library *exact, *quantised;
    float *vector;
    guint n_queries, n_asked, n_nearest, n_best[G_N_ELEMENTS(taken)];
} comparison;

/* How many of the first n of a are among the first n_taken of b. */
static guint
count_common(const GArray *a, guint n, const GArray *b, guint n_taken)
{
    guint n_common = 0;
    for (guint i = 0; i < MIN(a->len, n); i++)
        for (guint k = 0; k < MIN(b->len, n_taken); k++)
            n_common +=
                g_array_index(a, retrieval_match, i).id == g_array_index(b, retrieval_match, k).id
                    ? 1
                    : 0;
    return n_common;
}

static gboolean
compare_line(json_t *object, void *user_data, GError **error)
{
    comparison *c = user_data;
    const char *const texts[] = {field(object, "text")};
    g_autoptr(GArray) truth = g_array_new(FALSE, FALSE, sizeof(retrieval_match));
    g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(retrieval_match));
    if (!retrieval_library_embed(c->exact, texts, 1, c->vector, NULL, error) ||
        !retrieval_vectors_search(c->exact->vectors, c->vector, N_BEST, truth, error) ||
        !retrieval_vectors_search(c->quantised->vectors, c->vector, MOST_TAKEN, found, error))
        return FALSE;
    c->n_queries++;
    c->n_asked += truth->len;
    c->n_nearest += count_common(truth, 1, found, N_BEST);
    for (gsize i = 0; i < G_N_ELEMENTS(taken); i++)
        c->n_best[i] += count_common(truth, N_BEST, found, taken[i]);
    return TRUE;
}

static retrieval_library *
open_with_vectors(const char *dir, const retrieval_library_options *options,
                  retrieval_index_kind kind, GError **error)
{
    retrieval_search_options dense = retrieval_search_options_default();
    dense.method = RETRIEVAL_DENSE;
    g_autoptr(retrieval_library) library =
        retrieval_library_open(dir, RETRIEVAL_OPEN_READ, options, error);
    g_autoptr(GPtrArray) hits =
        library ? retrieval_library_search(library, "loads them", &dense, error) : NULL;
    if (!hits) return NULL;
    if (library->vectors && retrieval_vectors_kind(library->vectors) == kind)
        return g_steal_pointer(&library);
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s: its index of vectors is not: %s", dir,
                retrieval_index_kind_name(kind));
    return NULL;
}

static gboolean
run_recall(const char *exact, const char *quantised, const char *queries,
           const retrieval_library_options *options, GError **error)
{
    g_autoptr(retrieval_library) a =
        open_with_vectors(exact, options, RETRIEVAL_INDEX_EXACT, error);
    g_autoptr(retrieval_library) b =
        a ? open_with_vectors(quantised, options, RETRIEVAL_INDEX_PRODUCT, error) : NULL;
    if (!b) return FALSE;
    g_autofree float *vector = g_new(float, a->n_dims);
    comparison c = {.exact = a, .quantised = b, .vector = vector};
    if (!for_each_line(queries, compare_line, &c, error)) return FALSE;
    printf("nearest among 100 found: %.3f; of the best 100 among",
           c.n_nearest / (double)c.n_queries);
    for (gsize i = 0; i < G_N_ELEMENTS(taken); i++)
        printf(" %u: %.3f%s", taken[i], c.n_best[i] / (double)c.n_asked,
               i + 1 < G_N_ELEMENTS(taken) ? "," : "");
    printf(" (%u queries, %zu passages)\n", c.n_queries, retrieval_vectors_count(a->vectors));
    return TRUE;
}

/* ---- the program ---- */

static gboolean
run_command(char **args, int n, const retrieval_library_options *options, engine_pool *pool,
            GError **error)
{
    if (strcmp(args[1], "recall") == 0)
        return run_recall(args[2], args[3], args[4], options, error);
    const gboolean is_run = strcmp(args[1], "run") == 0, is_index = strcmp(args[1], "index") == 0;
    g_autoptr(retrieval_library) library =
        retrieval_library_open(args[is_index ? 3 : 2],
                               is_run ? RETRIEVAL_OPEN_READ : RETRIEVAL_OPEN_WRITE, options, error);
    if (!library) return FALSE;
    if (is_index) return run_index(library, args[2], error);
    if (!is_run) return run_quantise(library, error);
    return run_queries(library, args[3], args[4], pool, args + MIN(6, n), MAX(n - 6, 0), error);
}

/* Where MODEL stands, and how many words there are at least; 0: no such command. */
static int
find_model(const char *name, int *least)
{
    static const struct {
        const char *name;
        int least, model;
    } commands[] = {{"index", 4, 4}, {"run", 5, 5}, {"quantise", 4, 3}, {"recall", 6, 5}};
    for (gsize i = 0; i < G_N_ELEMENTS(commands); i++) {
        if (strcmp(commands[i].name, name) != 0) continue;
        *least = commands[i].least;
        return commands[i].model;
    }
    return 0;
}

int
main(int argc, char **argv)
{
    int least = 0;
    const int place = argc > 1 ? find_model(argv[1], &least) : 0;
    if (place == 0 || argc < least) {
        g_printerr(
            "usage: bench_beir index CORPUS.jsonl LIBRARY [MODEL]\n"
            "       bench_beir run LIBRARY QUERIES.jsonl bm25|dense|fusion [MODEL [OPTION...]]\n"
            "       bench_beir quantise LIBRARY MODEL\n"
            "       bench_beir recall EXACT QUANTISED QUERIES.jsonl MODEL\n");
        return 2;
    }
    const char *path = argc > place && *argv[place] ? argv[place] : NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(engine_model) model = path ? engine_model_open(path, &error) : NULL;
    g_autoptr(engine_pool) pool = model ? engine_pool_new(0) : NULL;
    retrieval_library_options options = {0};
    if (model)
        options = (retrieval_library_options){
            .embedder = model, .embedder_id = path, .pool = pool, .query_prefix = ""};
    const gboolean done = (!path || model) && run_command(argv, argc, &options, pool, &error);
    if (!done) g_printerr("error: %s\n", error->message);
    return done ? 0 : 1;
}

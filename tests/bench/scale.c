/* A library of many generated chunks: how long a search takes, how large it is, how much memory it needs.
 *
 *     bench_scale DIR N_CHUNKS [N_QUERIES [N_DIMS]]
 *
 * Documents of 100 passages each. Texts are about 100 words whose frequencies fall as 1 / rank (Zipf) from a vocabulary
 * of 200,000; every tenth word belongs to one of 5,000 topics. Vectors are unit vectors around their topic's. A question
 * is six words of a topic and two common ones, with a vector near the topic's. A library that is there already is
 * searched as it is; what its index of vectors finds is held against the products with all of them. Searches run on one
 * thread, after one that loads the index; OMP_NUM_THREADS=1 and OPENBLAS_NUM_THREADS=1 keep it so. */
#include <glib.h>
#include <glib/gstdio.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "retrieval/fuse.h"
#include "retrieval/library.h"

enum {
    VOCABULARY = 200000,
    N_TOPICS = 5000,
    TOPIC_WORDS = 40,
    PASSAGES = 100,
    STEP = 100000,
    MAX_DIMS = 4096
};

static uint32_t n_dims = 384;

static double
next_double(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

static guint
zipf(uint64_t *state)
{
    return (guint)MIN(exp(next_double(state) * log(VOCABULARY)), VOCABULARY - 1);
}

static guint
topic_word(guint topic, guint i)
{
    uint64_t state = (uint64_t)topic * TOPIC_WORDS + i;
    return 1000 + (guint)(next_double(&state) * (VOCABULARY - 1000));
}

/* A passage begins with "t<topic>", the last line of what is embedded: the embedder's only clue. */
static gboolean
embed(void *user_data, const char *const *texts, size_t n, float *out, const int *cancel,
      GError **error)
{
    (void)user_data, (void)cancel, (void)error;
    for (size_t i = 0; i < n; i++) {
        float *row = out + i * n_dims;
        const char *line = strrchr(texts[i], '\n');
        const char *text = line ? line + 1 : texts[i];
        uint64_t topic = strtoull(text + 1, NULL, 10) + 1, noise = g_str_hash(text);
        for (uint32_t j = 0; j < n_dims; j++)
            row[j] = (float)(next_double(&topic) - 0.5 + 0.8 * (next_double(&noise) - 0.5));
    }
    return TRUE;
}

static char *
make_text(uint64_t *state, guint n_words, guint n_topic)
{
    const guint topic = (guint)(next_double(state) * N_TOPICS);
    GString *text = g_string_new(NULL);
    g_string_append_printf(text, "t%u", topic);
    for (guint i = 0; i < n_words + n_topic; i++) {
        const gboolean on_topic = next_double(state) * (n_words + n_topic) < n_topic;
        const guint word =
            on_topic ? topic_word(topic, (guint)(next_double(state) * TOPIC_WORDS)) : zipf(state);
        g_string_append_printf(text, " w%uq", word);
    }
    return g_string_free(text, FALSE);
}

static double
cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double
peak_mb(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024.0;
}

static lode_document *
make_document(uint64_t *state, uint64_t *text_bytes)
{
    layout_builder *builder = layout_builder_new();
    const layout_page page = {.width_pt = 612, .height_pt = 792};
    const layout_box box = {0, {72, 72, 540, 720}};
    layout_builder_add_page(builder, &page);
    for (int i = 0; i < PASSAGES; i++) {
        g_autofree char *text = make_text(state, 90, 10);
        const layout_block block = {.type = LAYOUT_BLOCK_PARAGRAPH,
                                    .text = text,
                                    .parent = LAYOUT_NONE,
                                    .item = LAYOUT_NONE,
                                    .confidence = 1};
        *text_bytes += strlen(text);
        layout_builder_add_block(builder, &block, &box, 1, NULL, 0, NULL, 0);
    }
    return layout_builder_finish(builder);
}

static gboolean
fill(retrieval_library *library, guint n, uint64_t *text_bytes, GError **error)
{
    /* every paragraph a passage of its own */
    const retrieval_chunk_options chunks = {.target_tokens = 100, .max_tokens = 200};
    uint64_t state = 1;
    const gint64 start = g_get_monotonic_time();
    for (guint done = 0; done < n; done += PASSAGES) {
        g_autofree char *path = g_strdup_printf("/papers/d%u.pdf", done / PASSAGES);
        g_autoptr(lode_document) document = make_document(&state, text_bytes);
        if (!retrieval_library_add(library, path, document, &chunks, NULL, error)) return FALSE;
        const guint n_now = done + PASSAGES;
        if (n_now % STEP != 0) continue;
        g_printerr("%u documents, %u passages, %.0f s, peak %.0f MB\n", n_now / PASSAGES, n_now,
                   (double)(g_get_monotonic_time() - start) / 1e6, peak_mb());
    }
    /* once, as a run of lode index */
    return retrieval_library_commit(library, error);
}

static int
compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static gboolean
measure(retrieval_library *library, retrieval_method method, const char *name, guint n,
        GError **error)
{
    uint64_t state = 99;
    g_autofree double *ms = g_new(double, n + 1);
    retrieval_search_options options = retrieval_search_options_default();
    options.method = method;
    for (guint i = 0; i <= n; i++) {
        g_autofree char *query = make_text(&state, 2, 6);
        const double start = cpu_seconds();
        g_autoptr(GPtrArray) hits = retrieval_library_search(library, query, &options, error);
        if (!hits) return FALSE;
        if (i > 0) ms[i - 1] = (cpu_seconds() - start) * 1e3;
    }
    qsort(ms, n, sizeof *ms, compare);
    printf("%-8s p50 %6.2f ms  p99 %6.2f ms  (CPU, %u queries)\n", name, ms[n / 2],
           ms[n * 99 / 100], n);
    return TRUE;
}

enum { N_BEST = 100 };

/* The best N_BEST so far, the worst of them first found by looking: few are let in. */
typedef struct {
    float vector[MAX_DIMS];
    retrieval_match best[N_BEST];
    guint n;
} asked;

static void
offer(asked *query, int64_t id, const float *vector)
{
    const float score = (float)retrieval_dot(vector, query->vector, n_dims);
    guint place = query->n;
    if (query->n < N_BEST)
        query->n++;
    else
        for (guint i = place = 0; i < N_BEST; i++)
            if (query->best[i].score < query->best[place].score) place = i;
    if (place < query->n && (query->best[place].id == 0 || query->best[place].score < score))
        query->best[place] = (retrieval_match){id, score};
}

static void
embed_unit(const char *text, float *out)
{
    const char *const texts[] = {text};
    embed(NULL, texts, 1, out, NULL, NULL);
    const double length = sqrt(retrieval_dot(out, out, n_dims));
    for (uint32_t j = 0; j < n_dims; j++)
        out[j] = (float)((double)out[j] / length);
}

/* How many of the first n_found are among the best of all. */
static guint
count_best(const asked *query, const GArray *found, guint n_found)
{
    guint n = 0;
    for (guint i = 0; i < MIN(found->len, n_found); i++)
        for (guint k = 0; k < query->n; k++)
            n += query->best[k].id == g_array_index(found, retrieval_match, i).id ? 1 : 0;
    return n;
}

/* Against the products with all vectors, which are generated again. Chunks are numbered from 1 on as they were added. */
static gboolean
measure_recall(retrieval_library *library, guint n, GError **error)
{
    enum { N_ASKED = 20 };
    static const guint taken[] = {100, 300, 1000};
    g_autofree asked *queries = g_new0(asked, N_ASKED);
    g_autofree float *vector = g_new(float, n_dims);
    uint64_t state = 99, passages = 1;
    for (guint q = 0; q < N_ASKED; q++) {
        g_autofree char *text = make_text(&state, 2, 6);
        embed_unit(text, queries[q].vector);
    }
    for (guint i = 0; i < n; i++) {
        g_autofree char *text = make_text(&passages, 90, 10);
        embed_unit(text, vector);
        for (guint q = 0; q < N_ASKED; q++)
            offer(&queries[q], i + 1, vector);
    }
    guint n_best[G_N_ELEMENTS(taken)] = {0}, n_nearest = 0;
    for (guint q = 0; q < N_ASKED; q++) {
        g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(retrieval_match));
        asked nearest = {.n = 1, .best = {queries[q].best[0]}};
        for (guint i = 1; i < queries[q].n; i++)
            if (queries[q].best[i].score > nearest.best[0].score)
                nearest.best[0] = queries[q].best[i];
        if (!retrieval_vectors_search(library->vectors, queries[q].vector, 1000, found, error))
            return FALSE;
        n_nearest += count_best(&nearest, found, N_BEST);
        for (gsize i = 0; i < G_N_ELEMENTS(taken); i++)
            n_best[i] += count_best(&queries[q], found, taken[i]);
    }
    printf("nearest among 100 found: %.3f; of the best 100 among 100, 300, 1000 found: %.3f, %.3f, "
           "%.3f (%d queries)\n",
           (double)n_nearest / N_ASKED, n_best[0] / (double)(N_ASKED * N_BEST),
           n_best[1] / (double)(N_ASKED * N_BEST), n_best[2] / (double)(N_ASKED * N_BEST), N_ASKED);
    return TRUE;
}

/* All files but the lock; what stands in library.db besides text: keys, places, the journal, free pages. */
static void
print_sizes(const char *dir, uint64_t n, double text)
{
    double index = 0, all = 0;
    g_autoptr(GDir) files = g_dir_open(dir, 0, NULL);
    for (const char *name; files && (name = g_dir_read_name(files));) {
        g_autofree char *path = g_build_filename(dir, name, NULL);
        GStatBuf info;
        if (g_stat(path, &info) != 0 || info.st_size == 0) continue;
        const double each = (double)info.st_size / (double)n;
        printf("%-28s %8.1f MB, %6.1f bytes a passage\n", name, (double)info.st_size / 1e6, each);
        all += each;
        if (!g_str_has_prefix(name, "library.")) index += each;
        if (strcmp(name, "library.db") == 0 && text > 0)
            printf("%-28s %17.1f of them are not text\n", "", each - text);
    }
    printf("words and vectors %.1f bytes a passage\n", index);
    if (text > 0) printf("all besides text %.1f bytes a passage\n", all - text);
}

int
main(int argc, char **argv)
{
    if (argc < 3) {
        g_printerr("usage: bench_scale DIR N_CHUNKS [N_QUERIES [N_DIMS]]\n");
        return 2;
    }
    const guint n = (guint)strtoul(argv[2], NULL, 10);
    const guint n_queries = argc > 3 ? (guint)strtoul(argv[3], NULL, 10) : 200;
    if (argc > 4) n_dims = (uint32_t)CLAMP(strtoul(argv[4], NULL, 10), 1, MAX_DIMS);
    g_autoptr(GError) error = NULL;
    retrieval_embedder embedder = {.embed = embed, .n_dims = n_dims, .id = "generated"};
    uint64_t text_bytes = 0;
    gboolean done = TRUE;
    if (!g_file_test(argv[1], G_FILE_TEST_EXISTS)) {
        g_autoptr(retrieval_library) writer =
            retrieval_library_open_with(argv[1], RETRIEVAL_OPEN_WRITE, &embedder, &error);
        done = writer && fill(writer, n, &text_bytes, &error);
        if (done)
            printf("text %.1f bytes per chunk; peak memory while indexing %.0f MB\n",
                   (double)text_bytes / n, peak_mb());
    }
    g_autoptr(retrieval_library) library =
        done ? retrieval_library_open_with(argv[1], RETRIEVAL_OPEN_READ, &embedder, &error) : NULL;
    done = library && measure(library, RETRIEVAL_FUSION, "fusion", n_queries, &error) &&
           measure(library, RETRIEVAL_BM25, "bm25", n_queries, &error) &&
           measure(library, RETRIEVAL_DENSE, "dense", n_queries, &error) &&
           measure_recall(library, n, &error);
    if (!done) {
        g_printerr("error: %s\n", error->message);
        return 1;
    }
    printf("index %s, peak memory %.0f MB\n",
           retrieval_index_kind_name(retrieval_vectors_kind(library->vectors)), peak_mb());
    print_sizes(argv[1], n, (double)text_bytes / n);
    return 0;
}

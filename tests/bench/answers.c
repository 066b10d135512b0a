/* Extractive answers on a set of questions about papers (corpus.jsonl, questions.jsonl):
 *
 *     bench_answers index CORPUS.jsonl LIBRARY
 *     bench_answers run LIBRARY QUESTIONS.jsonl > answers.jsonl      what lode ask --extractive says
 *     bench_answers baseline LIBRARY QUESTIONS.jsonl > answers.jsonl the best passage, whole
 *     bench_answers features LIBRARY QUESTIONS.jsonl > features.jsonl
 *     bench_answers signals LIBRARY QUESTIONS.jsonl > signals.jsonl  what speaks for there being an answer
 *     bench_answers support LIBRARY CLAIMS.jsonl > support.jsonl     does each claim pass against its gold sentences?
 *     bench_answers chains LIBRARY PASSAGES.jsonl > chains.jsonl     sentences with what leads to them
 *
 * The default embedder is used when it is installed. A paper enters as a document of one paragraph per line of its
 * text. answers.jsonl is what a scorer of answers and citations reads; features.jsonl has every sentence that could
 * be quoted with its features, for tests/bench/fit_evidence.py; signals.jsonl is for fit_confidence.py. A line of
 * PASSAGES.jsonl has "_id", "question" and "passages", [title, text] each; chains.jsonl is for fit_chain.py. */
#include <stdio.h>
#include <string.h>

#include "pipelines/evidence.h"
#include "search/search.h"

typedef struct {
    retrieval_library *library;
    pipelines_model *embedder;
    engine_pool *pool;
    const char *mode;
    guint n_done;
} bench;

static const char *
field(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));
    return value != NULL ? value : "";
}

/* ---- index ---- */

static lode_document *
make_document(const json_t *object)
{
    layout_builder *builder = layout_builder_new();
    g_autofree char *sha =
        g_compute_checksum_for_string(G_CHECKSUM_SHA256, field(object, "text"), -1);
    layout_metadata *meta = layout_builder_meta(builder);
    meta->title = layout_builder_copy(builder, field(object, "title"), -1);
    meta->source_name = layout_builder_copy(builder, field(object, "_id"), -1);
    meta->source_sha256 = layout_builder_copy(builder, sha, -1);
    layout_page page = {.width_pt = 612, .height_pt = 792};
    layout_builder_add_page(builder, &page);
    g_auto(GStrv) lines = g_strsplit(field(object, "text"), "\n", -1);
    const layout_box box = {0, {72, 72, 540, 720}};
    for (char **line = lines; *line != NULL; line++) {
        if (g_strstrip(*line)[0] == '\0') continue;
        layout_block block = {.type = LAYOUT_BLOCK_PARAGRAPH,
                              .text = *line,
                              .parent = LAYOUT_NONE,
                              .item = LAYOUT_NONE,
                              .confidence = 1};
        layout_builder_add_block(builder, &block, &box, 1, NULL, 0, NULL, 0);
    }
    return layout_builder_finish(builder);
}

static gboolean
index_paper(bench *b, const json_t *object, GError **error)
{
    lode_document *document = make_document(object);
    gboolean done =
        retrieval_library_add(b->library, field(object, "_id"), document, NULL, NULL, error);
    lode_document_free(document);
    return done;
}

/* ---- run ---- */

static void
print_line(json_t *line)
{
    g_autofree char *text = json_dumps(line, JSON_COMPACT);
    puts(text);
    json_decref(line);
}

static json_t *
passages(const GPtrArray *hits)
{
    json_t *ids = json_array();
    for (guint i = 0; i < hits->len; i++)
        json_array_append_new(ids, json_string(((const retrieval_hit *)hits->pdata[i])->path));
    return ids;
}

static gboolean
answer_question(bench *b, const json_t *object, GError **error)
{
    pipelines_ask_context context = {
        .library = b->library, .embedder = b->embedder, .pool = b->pool};
    lode_ask_options options = lode_ask_options_default();
    options.extractive = 1;
    lode_answer *answer = pipelines_ask(&context, field(object, "question"), &options, error);
    if (answer == NULL) return FALSE;
    json_t *citations = json_array();
    for (size_t i = 0; i < lode_answer_n_citations(answer); i++)
        json_array_append_new(citations,
                              json_pack("{s:s, s:s}", "doc", lode_citation_path(answer, i), "quote",
                                        lode_citation_quote(answer, i)));
    json_t *line = json_object();
    json_object_set_new(line, "_id", json_string(field(object, "_id")));
    const char *core = lode_answer_short(answer);
    json_object_set_new(line, "answer",
                        json_string(core != NULL ? core : lode_answer_text(answer)));
    json_object_set_new(line, "confidence", json_real(answer->shortfall.confidence));
    json_object_set_new(line, "abstain",
                        json_boolean(lode_answer_get_status(answer) == LODE_ANSWER_INSUFFICIENT));
    json_object_set_new(line, "citations", citations);
    json_object_set_new(line, "passages", passages(answer->hits));
    print_line(line);
    lode_answer_free(answer);
    return TRUE;
}

static gboolean
best_passage(bench *b, const json_t *object, GError **error)
{
    retrieval_search_options options = retrieval_search_options_default();
    g_autoptr(GPtrArray) hits =
        retrieval_library_search(b->library, field(object, "question"), &options, error);
    if (hits == NULL) return FALSE;
    if (hits->len == 0) return TRUE;
    const retrieval_hit *hit = hits->pdata[0];
    json_t *line = json_object();
    json_object_set_new(line, "_id", json_string(field(object, "_id")));
    json_object_set_new(line, "answer", json_string(hit->text));
    json_object_set_new(line, "citations",
                        json_pack("[{s:s, s:s}]", "doc", hit->path, "quote", hit->text));
    json_object_set_new(line, "passages", passages(hits));
    print_line(line);
    return TRUE;
}

/* Every sentence with its features, [document, text, features]. */
static gboolean
print_features(bench *b, const json_t *object, GError **error)
{
    retrieval_search_options options = retrieval_search_options_default();
    options.n_results = (guint)lode_ask_options_default().n_passages;
    const char *question = field(object, "question");
    g_autoptr(GPtrArray) hits = retrieval_library_search(b->library, question, &options, error);
    if (hits == NULL) return FALSE;
    g_autoptr(GArray) all = evidence_collect(hits, question, b->embedder, b->pool, NULL, error);
    if (all == NULL) return FALSE;
    json_t *sentences = json_array();
    for (guint i = 0; i < all->len; i++) {
        const evidence_sentence *s = &g_array_index(all, evidence_sentence, i);
        const retrieval_hit *hit = hits->pdata[s->quote.passage];
        json_t *features = json_array();
        for (int j = 0; j < EVIDENCE_N_FEATURES; j++)
            json_array_append_new(features, json_real(s->features[j]));
        json_array_append_new(sentences,
                              json_pack("[s, s%, o]", hit->path, hit->text + s->quote.start,
                                        (size_t)s->quote.len, features));
    }
    json_t *line = json_object();
    json_object_set_new(line, "_id", json_string(field(object, "_id")));
    json_object_set_new(line, "sentences", sentences);
    print_line(line);
    return TRUE;
}

/* What speaks for there being an answer. */
static gboolean
print_signals(bench *b, const json_t *object, GError **error)
{
    retrieval_search_options options = retrieval_search_options_default();
    options.n_results = (guint)lode_ask_options_default().n_passages;
    const char *question = field(object, "question");
    g_autoptr(GPtrArray) hits = retrieval_library_search(b->library, question, &options, error);
    if (hits == NULL) return FALSE;
    g_autoptr(GArray) ranked =
        pipelines_rank_sentences(hits, question, b->embedder, b->pool, NULL, error);
    if (ranked == NULL) return FALSE;
    json_t *line = json_object(), *list = json_array();
    json_object_set_new(line, "_id", json_string(field(object, "_id")));
    json_object_set_new(line, "signals", list);
    double signals[EVIDENCE_N_SIGNALS];
    if (ranked->len > 0) {
        evidence_signals(hits, question, ranked, signals);
        for (int i = 0; i < EVIDENCE_N_SIGNALS; i++)
            json_array_append_new(list, json_real(signals[i]));
    }
    print_line(line);
    return TRUE;
}

/* What speaks against each claim's resting on its gold sentences. */
static gboolean
print_support(bench *b, const json_t *object, GError **error)
{
    (void)b, (void)error;
    g_autoptr(GString) text = g_string_new(NULL);
    size_t i;
    const json_t *item;
    json_array_foreach(json_object_get(object, "evidence"), i, item)
        g_string_append_printf(text, "%s%s", text->len > 0 ? " " : "", field(item, "quote"));
    if (text->len == 0) return TRUE;
    retrieval_hit hit = {.title = (char *)"", .section = (char *)"", .text = text->str};
    const double shares[] = {0.5, 0.85};
    json_t *problems = json_array();
    for (i = 0; i < G_N_ELEMENTS(shares); i++) {
        gboolean elsewhere;
        g_autofree char *problem = pipelines_support_problem(
            &hit, 0, text->len, field(object, "question"), shares[i], &elsewhere);
        json_array_append_new(problems, pipelines_json_string(problem));
    }
    print_line(json_pack("{s:s, s:s, s:o}", "_id", field(object, "_id"), "label",
                         field(object, "label"), "problems", problems));
    return TRUE;
}

/* Every pair of a sentence and what leads to it, [sentence, the one before, features]. */
static gboolean
print_chains(bench *b, const json_t *object, GError **error)
{
    (void)b, (void)error;
    const json_t *list = json_object_get(object, "passages");
    const size_t n = json_array_size(list);
    g_autofree search_passage *read = g_new0(search_passage, n + 1);
    g_autoptr(GPtrArray) ends = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
    for (size_t i = 0; i < n; i++) {
        const json_t *passage = json_array_get(list, i);
        const char *text = json_string_value(json_array_get(passage, 1));
        GArray *of_text = g_array_new(FALSE, FALSE, sizeof(uint32_t));
        g_ptr_array_add(ends, of_text);
        retrieval_split_sentences(text, (uint32_t)strlen(text), of_text);
        read[i] = (search_passage){json_string_value(json_array_get(passage, 0)), text, of_text};
    }
    g_autoptr(GArray) chains = search_chains(field(object, "question"), read, n, TRUE);
    json_t *pairs = json_array();
    for (guint i = 0; i < chains->len; i++) {
        const search_chain *c = &g_array_index(chains, search_chain, i);
        json_t *features = json_array();
        for (int j = 0; j < SEARCH_CHAIN_N_FEATURES; j++)
            json_array_append_new(features, json_real(c->features[j]));
        const char *before = c->before >= 0 ? read[c->before].text + c->before_start : "";
        json_array_append_new(pairs, json_pack("[s%, s%, s, o]", read[c->passage].text + c->start,
                                               (size_t)c->len, before, (size_t)c->before_len,
                                               read[c->passage].title, features));
    }
    print_line(json_pack("{s:s, s:o}", "_id", field(object, "_id"), "pairs", pairs));
    return TRUE;
}

/* ---- all ---- */

static gboolean
each(bench *b, const json_t *object, GError **error)
{
    b->n_done++;
    if (strcmp(b->mode, "index") == 0) return index_paper(b, object, error);
    if (strcmp(b->mode, "run") == 0) return answer_question(b, object, error);
    if (strcmp(b->mode, "features") == 0) return print_features(b, object, error);
    if (strcmp(b->mode, "signals") == 0) return print_signals(b, object, error);
    if (strcmp(b->mode, "support") == 0) return print_support(b, object, error);
    if (strcmp(b->mode, "chains") == 0) return print_chains(b, object, error);
    return best_passage(b, object, error);
}

static gboolean
for_each_line(bench *b, const char *path, GError **error)
{
    g_autofree char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, error)) return FALSE;
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line != NULL; line++) {
        if (**line == '\0') continue;
        json_error_t problem;
        g_autoptr(json_t) object = json_loads(*line, 0, &problem);
        if (object == NULL) {
            g_set_error(error, PIPELINES_ERROR, LODE_ERROR_FORMAT, "%s: %s", path, problem.text);
            return FALSE;
        }
        if (!each(b, object, error)) return FALSE;
    }
    return TRUE;
}

static gboolean
run(bench *b, const char *library, const char *file, GError **error)
{
    gboolean writes = strcmp(b->mode, "index") == 0;
    b->pool = engine_pool_new(0);
    b->embedder = pipelines_model_open(NULL, ENGINE_KIND_ENCODER, NULL, NULL);
    retrieval_library_options options = {0};
    if (b->embedder != NULL)
        options = (retrieval_library_options){.embedder = b->embedder->model,
                                              .embedder_id = b->embedder->id,
                                              .pool = b->pool,
                                              .query_prefix = b->embedder->query_prefix};
    b->library = retrieval_library_open(
        library, writes ? RETRIEVAL_OPEN_WRITE : RETRIEVAL_OPEN_READ, &options, error);
    gint64 start = g_get_monotonic_time();
    gboolean done = b->library != NULL && for_each_line(b, file, error) &&
                    (!writes || retrieval_library_commit(b->library, error));
    g_printerr("%u lines in %.1f s\n", b->n_done, (double)(g_get_monotonic_time() - start) / 1e6);
    retrieval_library_free(b->library);
    pipelines_model_free(b->embedder);
    engine_pool_free(b->pool);
    return done;
}

int
main(int argc, char **argv)
{
    static const char *const modes[] = {"index",   "run",     "baseline", "features",
                                        "signals", "support", "chains",   NULL};
    if (argc != 4 || !g_strv_contains(modes, argv[1])) {
        g_printerr("usage: bench_answers index CORPUS.jsonl LIBRARY\n"
                   "       bench_answers run|baseline|features|signals|support|chains LIBRARY "
                   "QUESTIONS.jsonl\n");
        return 2;
    }
    bench b = {.mode = argv[1]};
    gboolean index = strcmp(b.mode, "index") == 0;
    g_autoptr(GError) error = NULL;
    if (run(&b, argv[index ? 3 : 2], argv[index ? 2 : 3], &error)) return 0;
    g_printerr("bench_answers: %s\n", error->message);
    return 1;
}

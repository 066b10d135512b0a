/* A question -> an answer with sources.
 *
 *   retrieve -> enough evidence? -> choose what is read -> write claims -> check each against the passages
 *                    |                                     (or quote, without a writer)
 *                    no -> say so, and why
 *
 * An answer is made of claims. One is printed as supported only where a program has found its quote in a passage:
 * quotes are stretches of the passages, never the model's words. */
#include "pipelines/answer.h"

#include <string.h>

#include "pipelines/evidence.h"
#include "pipelines/writer.h"
#include "search/search.h"

enum { MAX_EXTRACTED = 3 };

#define ALSO_EXTRACTED  0.8 /* of the best sentence's score: a further one is quoted too */
#define ALMOST_THE_SAME 0.7 /* Jaccard index of two sentences' words */

static const char INSUFFICIENT[] = "The library holds no passage that answers this question.";
static const char NOTHING_READ[] = "Nothing that was read answers this question.";

lode_ask_options
lode_ask_options_default(void)
{
    return (lode_ask_options){
        .struct_size = sizeof(lode_ask_options), .n_passages = 8, .max_tokens = 256};
}

lode_ask_options
pipelines_ask_options(const lode_ask_options *options)
{
    lode_ask_options filled = lode_ask_options_default();
    if (options != NULL) {
        memcpy(&filled, options, MIN(options->struct_size, sizeof filled));
        filled.struct_size = sizeof filled;
    }
    filled.n_passages = CLAMP(filled.n_passages, 1, 1000);
    filled.n_scored = MIN(filled.n_scored, 1000);
    filled.max_tokens = CLAMP(filled.max_tokens, 1, 1u << 20);
    return filled;
}

static void
claim_free(gpointer data)
{
    pipelines_claim *claim = data;
    g_free(claim->text);
    g_array_unref(claim->citations);
    g_free(claim->problem);
    g_free(claim);
}

void
lode_answer_free(lode_answer *answer)
{
    if (answer == NULL) return;
    g_free(answer->question);
    g_string_free(answer->text, TRUE);
    g_free(answer->short_answer);
    g_clear_pointer(&answer->hits, g_ptr_array_unref);
    g_clear_pointer(&answer->judgements, g_array_unref);
    g_array_unref(answer->numbers);
    g_ptr_array_unref(answer->claims);
    g_ptr_array_unref(answer->quotes);
    g_ptr_array_unref(answer->works);
    g_array_unref(answer->cells);
    g_ptr_array_unref(answer->references);
    g_array_unref(answer->citations);
    g_ptr_array_unref(answer->unsupported);
    g_ptr_array_unref(answer->conflicts);
    g_clear_pointer(&answer->chosen, g_array_unref);
    g_free(answer->shortfall.reason);
    g_ptr_array_unref(answer->shortfall.missing);
    g_ptr_array_unref(answer->shortfall.tried);
    g_free(answer->prompt);
    g_free(answer->reasoning);
    g_free(answer->writer_id);
    g_free(answer->embedder_id);
    g_free(answer->reranker_id);
    json_decref(answer->replies);
    g_free(answer);
}

lode_answer *
pipelines_answer_new(const pipelines_ask_context *context, const char *question,
                     const lode_ask_options *options)
{
    lode_answer *answer = g_new0(lode_answer, 1);
    answer->question = g_utf8_make_valid(question, -1);
    answer->options = *options;
    answer->text = g_string_new(NULL);
    answer->numbers = g_array_new(FALSE, FALSE, sizeof(guint));
    answer->claims = g_ptr_array_new_with_free_func(claim_free);
    answer->quotes = g_ptr_array_new_with_free_func(g_free);
    answer->works = g_ptr_array_new_with_free_func(g_free);
    answer->cells = g_array_new(FALSE, TRUE, sizeof(pipelines_cell));
    g_array_set_clear_func(answer->cells, (GDestroyNotify)pipelines_cell_clear);
    answer->references = g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);
    answer->citations = g_array_new(FALSE, FALSE, sizeof(pipelines_citation));
    answer->unsupported = g_ptr_array_new_with_free_func(g_free);
    answer->conflicts = g_ptr_array_new_with_free_func((GDestroyNotify)pipelines_conflict_free);
    answer->shortfall.missing = g_ptr_array_new_with_free_func(g_free);
    answer->shortfall.tried = g_ptr_array_new_with_free_func(g_free);
    answer->context = LODE_CONTEXT_PASSAGES;
    answer->extractive = options->extractive || context->writer == NULL;
    if (!answer->extractive) answer->writer_id = g_strdup(context->writer->id);
    if (context->embedder != NULL) answer->embedder_id = g_strdup(context->embedder->id);
    return answer;
}

/* ---- claims and citations ---- */

gboolean
pipelines_emit(lode_answer *answer, const char *text, size_t len)
{
    if (len == 0) return TRUE;
    g_string_append_len(answer->text, text, (gssize)len);
    return answer->options.text == NULL ||
           answer->options.text(text, len, answer->options.user_data) != 0;
}

/* Of the web, a page has one number; of a library, a passage. */
static gboolean
has_one_number(const lode_answer *answer, guint a, guint b)
{
    if (a == b || !answer->by_document) return a == b;
    const retrieval_hit *x = answer->hits->pdata[a], *y = answer->hits->pdata[b];
    return g_strcmp0(x->path, y->path) == 0;
}

static int
number_of(lode_answer *answer, guint passage)
{
    for (guint i = 0; i < answer->numbers->len; i++)
        if (has_one_number(answer, g_array_index(answer->numbers, guint, i), passage))
            return (int)i + 1;
    g_array_append_val(answer->numbers, passage);
    return (int)answer->numbers->len;
}

guint
pipelines_cite(lode_answer *answer, const pipelines_quote *quote, pipelines_match match,
               double match_score)
{
    for (guint i = 0; i < answer->citations->len; i++) {
        const pipelines_citation *c = &g_array_index(answer->citations, pipelines_citation, i);
        if (c->passage == quote->passage && c->quote.start == quote->start &&
            c->quote.len == quote->len)
            return i;
    }
    pipelines_citation citation = {.passage = quote->passage,
                                   .number = number_of(answer, quote->passage),
                                   .quote = *quote,
                                   .match = match,
                                   .match_score = match_score};
    g_array_append_val(answer->citations, citation);
    return answer->citations->len - 1;
}

pipelines_claim *
pipelines_claim_add(lode_answer *answer, const char *text, size_t len)
{
    pipelines_claim *claim = g_new0(pipelines_claim, 1);
    claim->text = g_strstrip(g_strndup(text, len));
    claim->citations = g_array_new(FALSE, FALSE, sizeof(guint));
    g_ptr_array_add(answer->claims, claim);
    return claim;
}

gboolean
pipelines_emit_claim(lode_answer *answer, const pipelines_claim *claim)
{
    if (!claim->supported) {
        g_ptr_array_add(answer->unsupported, g_strdup(claim->text));
        if (answer->options.strict) return TRUE;
    }
    g_autoptr(GString) line = g_string_new(NULL);
    if (answer->text->len > 0) g_string_append_c(line, claim->verbatim ? '\n' : ' ');
    g_string_append_printf(line, claim->verbatim ? "\"%s\"" : "%s", claim->text);
    if (!claim->supported) g_string_append(line, " [unsupported]");
    g_autoptr(GArray) shown = g_array_new(FALSE, FALSE, sizeof(int));
    for (guint i = 0; i < claim->citations->len; i++) {
        guint index = g_array_index(claim->citations, guint, i);
        int number = g_array_index(answer->citations, pipelines_citation, index).number;
        gboolean twice = FALSE;
        for (guint j = 0; j < shown->len; j++)
            twice = twice || g_array_index(shown, int, j) == number;
        if (twice) continue;
        g_string_append_printf(line, "%s%d", shown->len == 0 ? " [" : ", ", number);
        g_array_append_val(shown, number);
    }
    if (shown->len > 0) g_string_append_c(line, ']');
    return pipelines_emit(answer, line->str, line->len);
}

gboolean
pipelines_claim_quote(lode_answer *answer, const pipelines_quote *quote)
{
    const retrieval_hit *hit = answer->hits->pdata[quote->passage];
    pipelines_claim *claim = pipelines_claim_add(answer, hit->text + quote->start, quote->len);
    guint citation = pipelines_cite(answer, quote, PIPELINES_MATCH_EXACT, 1);
    g_array_append_val(claim->citations, citation);
    claim->supported = claim->verbatim = TRUE;
    return pipelines_emit_claim(answer, claim);
}

static gint
compare_citations(gconstpointer a, gconstpointer b, gpointer data)
{
    const GArray *citations = data;
    const pipelines_citation *x = &g_array_index(citations, pipelines_citation, *(const guint *)a);
    const pipelines_citation *y = &g_array_index(citations, pipelines_citation, *(const guint *)b);
    if (x->number != y->number) return x->number < y->number ? -1 : 1;
    if (x->quote.start != y->quote.start) return x->quote.start < y->quote.start ? -1 : 1;
    return x->quote.len < y->quote.len ? -1 : x->quote.len > y->quote.len;
}

void
pipelines_finish_citations(lode_answer *answer)
{
    guint n = answer->citations->len;
    g_autofree guint *order = g_new(guint, n + 1), *place = g_new(guint, n + 1);
    for (guint i = 0; i < n; i++)
        order[i] = i;
    g_qsort_with_data(order, (gint)n, sizeof *order, compare_citations, answer->citations);
    GArray *sorted = g_array_sized_new(FALSE, FALSE, sizeof(pipelines_citation), n);
    for (guint i = 0; i < n; i++) {
        place[order[i]] = i;
        g_array_append_val(sorted, g_array_index(answer->citations, pipelines_citation, order[i]));
    }
    g_array_unref(answer->citations);
    answer->citations = sorted;
    for (guint i = 0; i < answer->claims->len; i++) {
        GArray *citations = ((pipelines_claim *)answer->claims->pdata[i])->citations;
        for (guint j = 0; j < citations->len; j++)
            g_array_index(citations, guint, j) = place[g_array_index(citations, guint, j)];
    }
    for (guint i = 0; i < n; i++) {
        const pipelines_citation *c = &g_array_index(sorted, pipelines_citation, i);
        const retrieval_hit *hit = answer->hits->pdata[c->passage];
        g_ptr_array_add(answer->quotes, g_strndup(hit->text + c->quote.start, c->quote.len));
        g_ptr_array_add(answer->works, pipelines_work_name(hit));
        pipelines_cell cell;
        pipelines_cell_read(hit, c->quote.start, c->quote.len, &cell);
        g_array_append_val(answer->cells, cell);
    }
}

/* ---- extractive ---- */

static gboolean
already_said(const GPtrArray *said, GHashTable *words)
{
    for (guint i = 0; i < said->len; i++)
        if (search_words_overlap(said->pdata[i], words) > ALMOST_THE_SAME) return TRUE;
    return FALSE;
}

static gboolean
is_cited(const lode_answer *answer, guint passage)
{
    for (guint i = 0; i < answer->citations->len; i++)
        if (g_array_index(answer->citations, pipelines_citation, i).passage == passage) return TRUE;
    return FALSE;
}

/* Quote the best sentences, n at most. */
static void
extract(lode_answer *answer, const GArray *ranked, guint n)
{
    if (ranked->len == 0) return;
    g_autoptr(GPtrArray) said = g_ptr_array_new_with_free_func((GDestroyNotify)g_hash_table_unref);
    double best = g_array_index(ranked, pipelines_quote, 0).score;
    for (guint i = 0; i < ranked->len && said->len < n; i++) {
        const pipelines_quote *quote = &g_array_index(ranked, pipelines_quote, i);
        if (quote->score < ALSO_EXTRACTED * best) break;
        const retrieval_hit *hit = answer->hits->pdata[quote->passage];
        GHashTable *words = pipelines_content_words(hit->text + quote->start, quote->len);
        /* of one table the row that fits best: the others answer for other rows */
        if (already_said(said, words) ||
            (hit->type == LAYOUT_BLOCK_TABLE && is_cited(answer, quote->passage))) {
            g_hash_table_unref(words);
            continue;
        }
        g_ptr_array_add(said, words);
        const pipelines_quote core = pipelines_cell_narrow(hit, quote, answer->question, NULL);
        if (!pipelines_claim_quote(answer, &core)) return;
    }
}

/* Quote what was chosen for the answer, or the best sentences. */
static void
answer_by_quotes(lode_answer *answer, const GArray *ranked)
{
    if (answer->short_answer == NULL) {
        const pipelines_quote *best =
            &g_array_index(answer->chosen != NULL ? answer->chosen : ranked, pipelines_quote, 0);
        const retrieval_hit *hit = answer->hits->pdata[best->passage];
        pipelines_quote core = evidence_trim(hit, best, answer->question);
        answer->short_answer = g_strndup(hit->text + core.start, core.len);
    }
    if (answer->chosen == NULL) {
        extract(answer, ranked, MAX_EXTRACTED);
        return;
    }
    for (guint i = 0; i < answer->chosen->len; i++)
        if (!pipelines_claim_quote(answer, &g_array_index(answer->chosen, pipelines_quote, i)))
            return;
}

/* ---- all of it ---- */

/* An empty library is a mistake to be told, not a lack of evidence. */
static gboolean
check_library(const pipelines_ask_context *context, GError **error)
{
    retrieval_stats stats = {0};
    if (!retrieval_library_get_stats(context->library, &stats, error)) return FALSE;
    g_free(stats.embedder_id);
    if (stats.n_chunks > 0) return TRUE;
    g_set_error(error, PIPELINES_ERROR, LODE_ERROR_NOT_FOUND,
                "%s: the library is empty: bring documents into it with lode index",
                context->library_dir != NULL ? context->library_dir : "library");
    return FALSE;
}

static gboolean
retrieve(lode_answer *answer, const pipelines_ask_context *context, GError **error)
{
    if (!check_library(context, error)) return FALSE;
    retrieval_search_options options = retrieval_search_options_default();
    options.n_results = (guint)MAX(answer->options.n_passages, answer->options.n_scored);
    options.where = answer->options.where != NULL ? answer->options.where : context->where;
    const lode_reranker *reranker =
        answer->options.reranker != NULL ? answer->options.reranker : context->reranker;
    if (reranker != NULL) {
        options.reranker = &reranker->inner;
        answer->reranker_id = g_strdup(reranker->id);
    }
    if (answer->options.n_reranked > 0) options.n_reranked = (guint)answer->options.n_reranked;
    options.diversity = answer->options.diversity;
    options.cancel = answer->options.cancel;
    answer->hits = retrieval_library_search(context->library, answer->question, &options, error);
    if (answer->hits == NULL) return FALSE;
    answer->n_shown = answer->n_found = answer->hits->len;
    return TRUE;
}

void
pipelines_refuse(lode_answer *answer, const char *reason)
{
    answer->status = LODE_ANSWER_INSUFFICIENT;
    g_free(answer->shortfall.reason);
    answer->shortfall.reason = g_strdup(reason);
    g_clear_pointer(&answer->short_answer, g_free);
    const char *text = answer->by_document ? NOTHING_READ : INSUFFICIENT;
    if (answer->text->len == 0) pipelines_emit(answer, text, strlen(text));
}

/* What became of the claims. */
static void
judge(lode_answer *answer, const GArray *ranked)
{
    guint n_supported = 0;
    if (answer->shortfall.reason != NULL) return; /* refused already */
    for (guint i = 0; i < answer->claims->len; i++)
        if (((const pipelines_claim *)answer->claims->pdata[i])->supported) n_supported++;
    if (answer->status == LODE_ANSWER_INSUFFICIENT && n_supported == 0) {
        pipelines_refuse(answer, "the writer found no answer in the passages");
        return;
    }
    if (n_supported == 0 && (answer->options.strict || answer->claims->len == 0)) {
        pipelines_refuse(answer, "no statement of the writer could be tied to a quote");
        return;
    }
    answer->status = n_supported == answer->claims->len ? LODE_ANSWERED : LODE_ANSWER_PARTIAL;
    /* a reader whom the writer left without a source gets the best sentence itself */
    if (n_supported == 0) extract(answer, ranked, 1);
}

static gboolean
write_claims(lode_answer *answer, const pipelines_ask_context *context, GArray *ranked,
             GError **error)
{
    /* without a library the passages are all there is */
    gboolean relevant = TRUE;
    if (context->library != NULL &&
        !pipelines_choose_context(answer, context, ranked, &relevant, error))
        return FALSE;
    if (relevant) return pipelines_write_claims(answer, context, error);
    pipelines_refuse(answer, "the writer finds that none of the passages helps with the question");
    return TRUE;
}

/* A server that takes less than was planned for says so by refusing; the passages are then chosen again, for what it
 * takes, rather than cut where the prompt happens to be full. */
static gboolean
write_answer(lode_answer *answer, const pipelines_ask_context *context, GArray *ranked,
             GError **error)
{
    const lode_writer *writer = context->writer;
    const uint32_t wanted = answer->options.n_context;
    if (writer->is_small) return pipelines_write_sentences(answer, context, ranked, error);
    g_autoptr(GPtrArray) hits = g_ptr_array_ref(answer->hits);
    g_autoptr(GArray) all = g_array_copy(ranked);
    const guint n_shown = answer->n_shown;
    for (;;) {
        g_autoptr(GError) failure = NULL;
        const uint32_t planned = pipelines_writer_context(writer, wanted);
        if (write_claims(answer, context, ranked, &failure)) return TRUE;
        if (!pipelines_writer_takes_less(writer, wanted, planned)) {
            g_propagate_error(error, g_steal_pointer(&failure));
            return FALSE;
        }
        g_ptr_array_unref(answer->hits);
        answer->hits = g_ptr_array_ref(hits);
        answer->n_shown = n_shown;
        g_clear_pointer(&answer->judgements, g_array_unref);
        g_array_set_size(ranked, 0);
        g_array_append_vals(ranked, all->data, all->len);
    }
}

gboolean
pipelines_answer_from_hits(lode_answer *answer, const pipelines_ask_context *context,
                           GError **error)
{
    g_autoptr(GArray) ranked =
        pipelines_rank_sentences(answer->hits, answer->question, context->embedder, context->pool,
                                 answer->options.cancel, error);
    if (ranked == NULL) return FALSE;
    if (context->library != NULL) pipelines_explain_search(answer, context);
    if (!pipelines_evidence_suffices(answer->hits, answer->question, ranked,
                                     context->embedder != NULL, &answer->shortfall)) {
        pipelines_refuse(answer, answer->hits->len > 0 ? "no passage speaks of what was asked"
                                 : answer->by_document
                                     ? "nothing could be read"
                                     : "nothing in the library has words of the question");
        return TRUE;
    }
    if (answer->extractive) {
        answer_by_quotes(answer, ranked);
    } else if (!write_answer(answer, context, ranked, error)) {
        return FALSE;
    }
    judge(answer, ranked);
    for (guint i = 0; i < answer->claims->len && answer->short_answer == NULL; i++) {
        const pipelines_claim *claim = answer->claims->pdata[i];
        if (claim->supported) answer->short_answer = g_strdup(claim->text);
    }
    pipelines_finish_citations(answer);
    if (context->library != NULL && !pipelines_find_references(answer, context, error))
        return FALSE;
    pipelines_find_conflicts(answer);
    if (answer->status == LODE_ANSWERED && answer->conflicts->len > 0)
        answer->status = LODE_ANSWER_CONFLICTING;
    return TRUE;
}

static lode_answer *
ask(const pipelines_ask_context *context, const char *question, const lode_ask_options *options,
    GError **error)
{
    lode_ask_options filled = pipelines_ask_options(options);
    g_autoptr(lode_answer) answer = pipelines_answer_new(context, question, &filled);
    gint64 start = g_get_monotonic_time();
    if (!retrieve(answer, context, error)) return NULL;
    gint64 retrieved = g_get_monotonic_time();
    answer->retrieve_seconds = (double)(retrieved - start) / 1e6;
    if (!pipelines_answer_from_hits(answer, context, error)) return NULL;
    answer->answer_seconds = (double)(g_get_monotonic_time() - retrieved) / 1e6;
    if (context->writer != NULL) {
        answer->writer_context = pipelines_writer_limit(context->writer);
        answer->writer_claims = context->writer->most_claims;
        answer->replies = json_incref(pipelines_writer_replies(context->writer));
    }
    if (filled.record) {
        g_autofree char *name = pipelines_record_run(answer, context->library_dir, error);
        if (name == NULL) return NULL;
    }
    return g_steal_pointer(&answer);
}

lode_answer *
pipelines_ask(const pipelines_ask_context *context, const char *question,
              const lode_ask_options *options, GError **error)
{
    const lode_writer *writer = context->writer;
    if (writer == NULL || writer->model != NULL || pipelines_writer_replies(writer) != NULL)
        return ask(context, question, options, error);
    /* elsewhere: it may say something else another time, so the record keeps what it said */
    pipelines_ask_context recorded = *context;
    g_autoptr(lode_writer) recorder = pipelines_writer_new_recording(writer);
    recorded.writer = recorder;
    return ask(&recorded, question, options, error);
}

/* ---- where papers disagree ---- */

/* Headings and captions without an end assert nothing. */
static gboolean
is_statement(const char *sentence)
{
    gsize len = strlen(sentence);
    while (len > 0 && strchr("\"')]", sentence[len - 1]) != NULL)
        len--;
    return len > 0 && strchr(".!?", sentence[len - 1]) != NULL;
}

/* Cite both sides of every pair of sentences from different documents that contradict each other. */
static void
cite_conflicts(lode_answer *answer, const GArray *ranked)
{
    enum { MAX_SENTENCES = 64, MAX_CITED = 20 };
    guint n = MIN(ranked->len, MAX_SENTENCES);
    for (guint i = 0; i < n; i++)
        for (guint j = i + 1; j < n && answer->citations->len < MAX_CITED; j++) {
            const pipelines_quote *x = &g_array_index(ranked, pipelines_quote, i);
            const pipelines_quote *y = &g_array_index(ranked, pipelines_quote, j);
            const retrieval_hit *p = answer->hits->pdata[x->passage];
            const retrieval_hit *q = answer->hits->pdata[y->passage];
            if (g_strcmp0(p->path, q->path) == 0) continue;
            g_autofree char *a = g_strndup(p->text + x->start, x->len);
            g_autofree char *b = g_strndup(q->text + y->start, y->len);
            const char *kind = NULL;
            double similarity;
            if (!is_statement(a) || !is_statement(b)) continue;
            if (!pipelines_contradict(a, b, &kind, &similarity)) continue;
            pipelines_cite(answer, x, PIPELINES_MATCH_EXACT, 1);
            pipelines_cite(answer, y, PIPELINES_MATCH_EXACT, 1);
        }
}

lode_answer *
pipelines_ask_conflicts(const pipelines_ask_context *context, const char *question,
                        const lode_ask_options *options, GError **error)
{
    enum { MIN_PASSAGES = 48 };
    lode_ask_options filled = pipelines_ask_options(options);
    filled.extractive = 1;
    filled.n_passages = MAX(filled.n_passages, MIN_PASSAGES);
    g_autoptr(lode_answer) answer = pipelines_answer_new(context, question, &filled);
    if (!retrieve(answer, context, error)) return NULL;
    pipelines_explain_search(answer, context);
    g_autoptr(GArray) ranked = pipelines_rank_sentences(
        answer->hits, answer->question, context->embedder, context->pool, filled.cancel, error);
    if (ranked == NULL) return NULL;
    cite_conflicts(answer, ranked);
    pipelines_finish_citations(answer);
    if (!pipelines_find_references(answer, context, error)) return NULL;
    pipelines_find_conflicts(answer);
    if (answer->conflicts->len == 0) {
        static const char none[] = "No two papers of the library contradict each other on this.";
        pipelines_emit(answer, none, strlen(none));
        pipelines_refuse(answer, "no two sentences of different papers contradict each other");
        return g_steal_pointer(&answer);
    }
    answer->status = LODE_ANSWER_CONFLICTING;
    g_autofree char *text =
        g_strdup_printf("%u contradiction%s between papers.", answer->conflicts->len,
                        answer->conflicts->len == 1 ? "" : "s");
    pipelines_emit(answer, text, strlen(text));
    return g_steal_pointer(&answer);
}

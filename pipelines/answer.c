/* A question -> an answer with sources.
 *
 *   retrieve -> enough evidence? -> write, sentence by sentence -> check each sentence against the passages
 *                    |                        (or quote, without a writer)
 *                    no -> say so
 *
 * A written sentence leaves only when it is whole: numbers of passages that do not exist are dropped, one that
 * carries no number gets that of the passage which supports it, and one that no passage supports is listed as
 * such. Quotes are stretches of the passages, never the model's words. */
#include "pipelines/internal.h"

#include <string.h>

#include "pipelines/writer.h"

enum { MAX_EXTRACTED = 3, MAX_CONTEXT = 8192, MAX_FALLBACK_QUOTES = 2, MAX_CHOSEN = 3 };

/* A writer smaller than this loses the thread in whole passages: it gets the best sentences of them. */
#define SMALL_WRITER 1500000000u

#define SUPPORTED       0.5 /* pipelines_best_support from which a claim rests on a passage */
#define ALSO_EXTRACTED  0.8 /* of the best sentence's score: a further one is quoted too */
#define ALMOST_THE_SAME 0.7 /* Jaccard index of two sentences' words */

static const char INSUFFICIENT[] = "The library holds no passage that answers this question.";

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
    filled.max_tokens = CLAMP(filled.max_tokens, 1, 1u << 20);
    return filled;
}

void
lode_answer_free(lode_answer *answer)
{
    if (answer == NULL) return;
    g_free(answer->question);
    g_string_free(answer->text, TRUE);
    g_clear_pointer(&answer->hits, g_ptr_array_unref);
    g_ptr_array_unref(answer->quotes);
    g_array_unref(answer->citations);
    g_ptr_array_unref(answer->unsupported);
    g_free(answer->prompt);
    g_free(answer->writer_id);
    g_free(answer->embedder_id);
    json_decref(answer->replies);
    g_free(answer);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(lode_answer, lode_answer_free)

static lode_answer *
answer_new(const pipelines_ask_context *context, const char *question,
           const lode_ask_options *options)
{
    lode_answer *answer = g_new0(lode_answer, 1);
    answer->question = g_utf8_make_valid(question, -1);
    answer->options = *options;
    answer->text = g_string_new(NULL);
    answer->quotes = g_ptr_array_new_with_free_func(g_free);
    answer->citations = g_array_new(FALSE, FALSE, sizeof(pipelines_citation));
    answer->unsupported = g_ptr_array_new_with_free_func(g_free);
    answer->extractive = options->extractive || context->writer == NULL;
    if (!answer->extractive) answer->writer_id = g_strdup(context->writer->id);
    if (context->embedder != NULL) answer->embedder_id = g_strdup(context->embedder->id);
    return answer;
}

/* Append to the text and hand it to the caller; FALSE: the caller has had enough. */
static gboolean
emit(lode_answer *answer, const char *text, size_t len)
{
    if (len == 0) return TRUE;
    g_string_append_len(answer->text, text, (gssize)len);
    return answer->options.text == NULL ||
           answer->options.text(text, len, answer->options.user_data) != 0;
}

static void
cite(lode_answer *answer, pipelines_quote quote)
{
    for (guint i = 0; i < answer->citations->len; i++) {
        const pipelines_citation *c = &g_array_index(answer->citations, pipelines_citation, i);
        if (c->quote.passage == quote.passage && c->quote.start == quote.start) return;
    }
    pipelines_citation citation = {.passage = quote.passage, .quote = quote};
    g_array_append_val(answer->citations, citation);
}

static gint
compare_citations(gconstpointer a, gconstpointer b)
{
    const pipelines_citation *x = a, *y = b;
    if (x->passage != y->passage) return x->passage < y->passage ? -1 : 1;
    return x->quote.start < y->quote.start ? -1 : x->quote.start > y->quote.start;
}

static void
finish_citations(lode_answer *answer)
{
    g_array_sort(answer->citations, compare_citations);
    for (guint i = 0; i < answer->citations->len; i++) {
        const pipelines_citation *c = &g_array_index(answer->citations, pipelines_citation, i);
        const retrieval_hit *hit = answer->hits->pdata[c->passage];
        g_ptr_array_add(answer->quotes, g_strndup(hit->text + c->quote.start, c->quote.len));
    }
}

/* ---- extractive ---- */

static double
jaccard(GHashTable *a, GHashTable *b)
{
    guint both = 0;
    GHashTableIter iter;
    gpointer word;
    g_hash_table_iter_init(&iter, a);
    while (g_hash_table_iter_next(&iter, &word, NULL))
        if (g_hash_table_contains(b, word)) both++;
    guint either = g_hash_table_size(a) + g_hash_table_size(b) - both;
    return either > 0 ? (double)both / either : 1;
}

static gboolean
already_said(const GPtrArray *said, GHashTable *words)
{
    for (guint i = 0; i < said->len; i++)
        if (jaccard(said->pdata[i], words) > ALMOST_THE_SAME) return TRUE;
    return FALSE;
}

static void
extract(lode_answer *answer, const GArray *ranked)
{
    g_autoptr(GPtrArray) said = g_ptr_array_new_with_free_func((GDestroyNotify)g_hash_table_unref);
    double best = g_array_index(ranked, pipelines_quote, 0).score;
    for (guint i = 0; i < ranked->len && said->len < MAX_EXTRACTED; i++) {
        const pipelines_quote *quote = &g_array_index(ranked, pipelines_quote, i);
        if (quote->score < ALSO_EXTRACTED * best) break;
        const retrieval_hit *hit = answer->hits->pdata[quote->passage];
        GHashTable *words = pipelines_content_words(hit->text + quote->start, quote->len);
        if (already_said(said, words)) {
            g_hash_table_unref(words);
            continue;
        }
        g_autofree char *line =
            g_strdup_printf("%s\"%.*s\" [%u]", said->len > 0 ? "\n" : "", (int)quote->len,
                            hit->text + quote->start, quote->passage + 1);
        g_ptr_array_add(said, words);
        cite(answer, *quote);
        if (!emit(answer, line, strlen(line))) return;
    }
}

/* ---- written ---- */

typedef struct {
    lode_answer *answer;
    pipelines_citation_filter filter;
    GString *pending; /* filtered text whose last sentence may go on */
    guint n_sentences, n_supported;
    gboolean refused;
} writing;

/* Passage numbers in a sentence; TRUE when there is one. */
static gboolean
cited_passages(const char *text, size_t len, guint n_passages, gboolean *cited)
{
    gboolean any = FALSE;
    for (size_t i = 0; i < len; i++) {
        if (text[i] != '[') continue;
        for (i++; i < len && text[i] != ']'; i++) {
            if (!g_ascii_isdigit(text[i])) continue;
            guint64 number = 0;
            for (; i < len && g_ascii_isdigit(text[i]) && number < G_MAXUINT32; i++)
                number = number * 10 + (guint64)(text[i] - '0');
            i--;
            if (number < 1 || number > n_passages) continue;
            cited[number - 1] = TRUE;
            any = TRUE;
        }
    }
    return any;
}

/* The text without its "[n]", for comparing words. */
static char *
without_numbers(const char *text, size_t len)
{
    g_autoptr(GString) plain = g_string_new(NULL);
    gboolean inside = FALSE;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '[') inside = TRUE;
        if (!inside) g_string_append_c(plain, text[i]);
        if (text[i] == ']') inside = FALSE;
    }
    return g_string_free(g_steal_pointer(&plain), FALSE);
}

static pipelines_quote
best_among(const lode_answer *answer, const gboolean *among, const char *claim)
{
    pipelines_quote best = {.score = -1};
    for (guint i = 0; i < answer->n_shown; i++) {
        if (among != NULL && !among[i]) continue;
        pipelines_quote quote =
            pipelines_best_support(answer->hits->pdata[i], i, claim, strlen(claim));
        if (quote.len > 0 && quote.score > best.score) best = quote;
    }
    return best;
}

static gboolean
is_refusal(const char *sentence)
{
    g_autofree char *folded = g_utf8_casefold(sentence, -1);
    static const char *const phrases[] = {"passages do not answer", "passages do not contain",
                                          "not enough information", "passages don't answer"};
    for (size_t i = 0; i < G_N_ELEMENTS(phrases); i++)
        if (strstr(folded, phrases[i]) != NULL) return TRUE;
    return FALSE;
}

/* One whole sentence: find what supports it, give it a number if it has none, pass it on. */
static gboolean
finish_sentence(writing *w, const char *text, size_t len)
{
    lode_answer *answer = w->answer;
    g_autofree char *claim = without_numbers(text, len);
    g_autoptr(GHashTable) words = pipelines_content_words(claim, strlen(claim));
    if (is_refusal(claim)) w->refused = TRUE;
    if (w->refused || g_hash_table_size(words) == 0) return emit(answer, text, len);

    g_autofree gboolean *cited = g_new0(gboolean, answer->n_shown + 1);
    gboolean any = cited_passages(text, len, answer->n_shown, cited);
    pipelines_quote best = best_among(answer, any ? cited : NULL, claim);
    w->n_sentences++;
    if (best.score >= SUPPORTED) {
        w->n_supported++;
        cite(answer, best);
    } else {
        g_ptr_array_add(answer->unsupported, g_strstrip(g_strdup(claim)));
    }
    /* the other passages it names are sources too where they carry it */
    for (guint i = 0; any && i < answer->n_shown; i++) {
        if (!cited[i] || i == best.passage) continue;
        pipelines_quote quote =
            pipelines_best_support(answer->hits->pdata[i], i, claim, strlen(claim));
        if (quote.score >= SUPPORTED) cite(answer, quote);
    }
    if (!emit(answer, text, len)) return FALSE;
    if (any || best.score < SUPPORTED) return TRUE;
    g_autofree char *number = g_strdup_printf(" [%u]", best.passage + 1);
    return emit(answer, number, strlen(number));
}

/* Pass on all whole sentences of pending; at the end the last one too. */
static gboolean
flush_sentences(writing *w, gboolean at_end)
{
    g_autoptr(GArray) sentences = pipelines_sentences(w->pending->str, w->pending->len);
    guint n = at_end ? sentences->len : (sentences->len > 0 ? sentences->len - 1 : 0);
    size_t done = 0;
    gboolean go_on = TRUE;
    for (guint i = 0; i < n && go_on; i++) {
        const pipelines_quote *s = &g_array_index(sentences, pipelines_quote, i);
        if (w->answer->text->len > 0)
            go_on = emit(w->answer, w->pending->str + done, s->start - done);
        go_on = go_on && finish_sentence(w, w->pending->str + s->start, s->len);
        done = s->start + s->len;
    }
    g_string_erase(w->pending, 0, (gssize)done);
    return go_on;
}

static gboolean
on_text(const char *text, size_t len, void *user_data)
{
    writing *w = user_data;
    pipelines_citation_filter_feed(&w->filter, text, len, w->pending);
    return flush_sentences(w, FALSE);
}

/* Bring the passages of the best sentences to the front, so that they carry the first numbers; returns how many
 * those are. ranked keeps pointing at the same text. */
static guint
front_best(lode_answer *answer, GArray *ranked)
{
    guint n = answer->hits->len, n_front = 0;
    g_autofree guint *place = g_new(guint, n); /* old index -> new */
    g_autofree gboolean *taken = g_new0(gboolean, n);
    g_autofree gpointer *order = g_new(gpointer, n);
    for (guint i = 0; i < MIN(ranked->len, MAX_CHOSEN); i++) {
        guint passage = g_array_index(ranked, pipelines_quote, i).passage;
        if (taken[passage]) continue;
        taken[passage] = TRUE;
        place[passage] = n_front;
        order[n_front++] = answer->hits->pdata[passage];
    }
    for (guint i = 0, next = n_front; i < n; i++) {
        if (taken[i]) continue;
        place[i] = next;
        order[next++] = answer->hits->pdata[i];
    }
    memcpy(answer->hits->pdata, order, n * sizeof *order);
    for (guint i = 0; i < ranked->len; i++) {
        pipelines_quote *quote = &g_array_index(ranked, pipelines_quote, i);
        quote->passage = place[quote->passage];
    }
    return n_front;
}

static pipelines_prompt *
make_prompt(lode_answer *answer, const engine_model *writer, GArray *ranked, uint32_t n_context,
            GError **error)
{
    uint32_t max_tokens = answer->options.max_tokens;
    if (engine_model_get_info(writer)->n_parameters >= SMALL_WRITER)
        return pipelines_prompt_new(writer, answer->hits, answer->hits->len, NULL, answer->question,
                                    n_context, max_tokens, error);
    guint n = front_best(answer, ranked);
    g_autoptr(GArray) chosen = g_array_new(FALSE, FALSE, sizeof(pipelines_quote));
    g_array_append_vals(chosen, ranked->data, MIN(ranked->len, MAX_CHOSEN));
    return pipelines_prompt_new(writer, answer->hits, n, chosen, answer->question, n_context,
                                max_tokens, error);
}

static gboolean
generate(writing *w, const pipelines_ask_context *context, const pipelines_prompt *prompt,
         uint32_t n_context, GError **error)
{
    lode_answer *answer = w->answer;
    g_autoptr(engine_session) session =
        engine_session_new(context->writer->model->model, context->pool, n_context, error);
    if (session == NULL) return FALSE;
    engine_generate_options options = engine_generate_options_default();
    options.max_tokens = answer->options.max_tokens;
    options.temperature = (float)answer->options.temperature;
    options.seed = answer->options.seed;
    options.cancel = answer->options.cancel;
    static const char *const stop[] = {
        "\n\n", NULL}; /* a second paragraph is where small models drift off */
    options.stop = stop;
    if (!engine_generate(session, (const int32_t *)(void *)prompt->tokens->data,
                         prompt->tokens->len, &options, on_text, w, NULL, &answer->generation,
                         error))
        return FALSE;
    pipelines_citation_filter_finish(&w->filter, w->pending);
    if (answer->generation.reason == ENGINE_STOP_CALLBACK) return TRUE;
    if (answer->generation.reason == ENGINE_STOP_CANCELLED) {
        g_set_error_literal(error, PIPELINES_ERROR, LODE_ERROR_CANCELLED, "interrupted");
        return FALSE;
    }
    flush_sentences(w, TRUE);
    return TRUE;
}

static void
judge(writing *w, const GArray *ranked)
{
    lode_answer *answer = w->answer;
    answer->n_removed = w->filter.n_removed;
    if (w->refused && w->n_supported == 0) {
        answer->status = LODE_ANSWER_INSUFFICIENT;
        return;
    }
    gboolean all = w->n_sentences > 0 && w->n_supported == w->n_sentences;
    answer->status = all ? LODE_ANSWERED : LODE_ANSWER_PARTIAL;
    /* a reader whom the writer left without a source gets the best quotes at least */
    for (guint i = 0; w->n_supported == 0 && i < MIN(ranked->len, MAX_FALLBACK_QUOTES); i++)
        cite(answer, g_array_index(ranked, pipelines_quote, i));
}

static gboolean
write_answer(lode_answer *answer, const pipelines_ask_context *context, GArray *ranked,
             GError **error)
{
    uint32_t trained = engine_model_get_info(context->writer->model->model)->n_context;
    uint32_t n_context = answer->options.n_context > 0 ? answer->options.n_context : MAX_CONTEXT;
    if (trained > 0) n_context = MIN(n_context, trained);
    g_autoptr(pipelines_prompt) prompt =
        make_prompt(answer, context->writer->model->model, ranked, n_context, error);
    if (prompt == NULL) return FALSE;
    answer->n_shown = prompt->n_passages;
    answer->prompt = g_strdup(prompt->text);
    writing w = {
        .answer = answer,
        .filter = {.n_passages = prompt->n_passages},
        .pending = g_string_new(NULL),
    };
    /* the cache is sized to what this answer can need */
    uint32_t needed = prompt->tokens->len + answer->options.max_tokens;
    gboolean written = generate(&w, context, prompt, MIN(n_context, needed), error);
    if (written) judge(&w, ranked);
    g_string_free(w.pending, TRUE);
    if (w.filter.held != NULL) g_string_free(w.filter.held, TRUE);
    return written;
}

/* ---- all of it ---- */

static gboolean
retrieve(lode_answer *answer, const pipelines_ask_context *context, GError **error)
{
    retrieval_search_options options = retrieval_search_options_default();
    options.n_results = (guint)answer->options.n_passages;
    options.where = context->where;
    answer->hits = retrieval_library_search(context->library, answer->question, &options, error);
    if (answer->hits == NULL) return FALSE;
    answer->n_shown = answer->hits->len;
    return TRUE;
}

static gboolean
answer_from_hits(lode_answer *answer, const pipelines_ask_context *context, GError **error)
{
    g_autoptr(GArray) ranked =
        pipelines_rank_sentences(answer->hits, answer->question, context->embedder, context->pool,
                                 answer->options.cancel, error);
    if (ranked == NULL) return FALSE;
    if (!pipelines_evidence_suffices(answer->hits, answer->question, ranked)) {
        answer->status = LODE_ANSWER_INSUFFICIENT;
        emit(answer, INSUFFICIENT, strlen(INSUFFICIENT));
        return TRUE;
    }
    if (answer->extractive)
        extract(answer, ranked);
    else if (!write_answer(answer, context, ranked, error))
        return FALSE;
    finish_citations(answer);
    return TRUE;
}

static lode_answer *
ask(const pipelines_ask_context *context, const char *question, const lode_ask_options *options,
    GError **error)
{
    lode_ask_options filled = pipelines_ask_options(options);
    g_autoptr(lode_answer) answer = answer_new(context, question, &filled);
    gint64 start = g_get_monotonic_time();
    if (!retrieve(answer, context, error)) return NULL;
    gint64 retrieved = g_get_monotonic_time();
    answer->retrieve_seconds = (double)(retrieved - start) / 1e6;
    if (!answer_from_hits(answer, context, error)) return NULL;
    answer->answer_seconds = (double)(g_get_monotonic_time() - retrieved) / 1e6;
    if (context->writer != NULL) {
        answer->writer_context = context->writer->n_context;
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

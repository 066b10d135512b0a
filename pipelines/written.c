/* A small writer's sentences -> claims.
 *
 * It gets the best sentences of the passages and copies or rewords one of them. Each sentence it writes is a claim as
 * soon as it is whole; lode finds the passage that carries it. Numbers of passages that the writer invents are dropped. */
#include <string.h>

#include "pipelines/answer.h"
#include "pipelines/writer.h"

enum { MAX_CHOSEN = 3 };

#define SUPPORTED    0.5  /* pipelines_best_support from which a claim may rest on a passage */
#define SHARED_WORDS 0.85 /* of its content words: what it adds to the passage it has invented */

typedef struct {
    lode_answer *answer;
    pipelines_citation_filter filter;
    GString *pending; /* filtered text whose last sentence may go on */
    gboolean refused;
} writing;

/* ---- a sentence ---- */

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

/* The text without its "[n]". */
static char *
without_numbers(const char *text, size_t len)
{
    g_autoptr(GString) plain = g_string_new(NULL);
    for (size_t i = 0; i < len; i++) {
        size_t end = i;
        if (text[i] == '[') {
            end++;
            while (end < len && (g_ascii_isdigit(text[end]) || strchr(",; ", text[end]) != NULL))
                end++;
        }
        if (end > i + 1 && end < len && text[end] == ']') {
            while (plain->len > 0 && plain->str[plain->len - 1] == ' ')
                g_string_truncate(plain, plain->len - 1);
            i = end;
        } else {
            g_string_append_c(plain, text[i]);
        }
    }
    return g_string_free(g_steal_pointer(&plain), FALSE);
}

/* The sentence of a passage that carries the claim; score 0: none does, and *problem (g_free; may be NULL) says why. */
static pipelines_quote
carrier(const lode_answer *answer, guint passage, const char *claim, char **problem)
{
    const retrieval_hit *hit = answer->hits->pdata[passage];
    pipelines_quote quote = pipelines_best_support(hit, passage, claim, strlen(claim));
    gboolean elsewhere = FALSE;
    g_autofree char *against = NULL;
    if (quote.len == 0 || quote.score < SUPPORTED)
        against = g_strdup("no passage says so");
    else
        against =
            pipelines_support_problem(hit, quote.start, quote.len, claim, SHARED_WORDS, &elsewhere);
    if (against != NULL) quote.score = 0;
    if (problem != NULL) *problem = g_steal_pointer(&against);
    return quote;
}

/* The best carrier among the passages shown; score 0: none, and *problem is what speaks against the likeliest one. */
static pipelines_quote
best_among(const lode_answer *answer, const gboolean *among, const char *claim, char **problem)
{
    pipelines_quote best = {.score = 0};
    for (guint i = 0; i < answer->n_shown; i++) {
        if (among != NULL && !among[i]) continue;
        g_autofree char *against = NULL;
        pipelines_quote quote = carrier(answer, i, claim, &against);
        if (quote.score > best.score) best = quote;
        if (*problem == NULL) *problem = g_steal_pointer(&against);
    }
    if (best.score > 0) g_clear_pointer(problem, g_free);
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

static void
cite_for(lode_answer *answer, pipelines_claim *claim, const pipelines_quote *quote)
{
    const pipelines_quote core = pipelines_cell_narrow(answer->hits->pdata[quote->passage], quote,
                                                       answer->question, claim->text);
    guint citation = pipelines_cite(answer, &core, PIPELINES_MATCH_EXACT, 1);
    g_array_append_val(claim->citations, citation);
}

/* One whole sentence: find what supports it, and pass it on with its number. */
static gboolean
finish_sentence(writing *w, const char *text, size_t len)
{
    lode_answer *answer = w->answer;
    g_autofree char *said = without_numbers(text, len);
    g_autoptr(GHashTable) words = pipelines_content_words(said, strlen(said));
    if (is_refusal(said)) w->refused = TRUE;
    if (w->refused) return pipelines_emit(answer, text, len);
    if (g_hash_table_size(words) == 0) return TRUE;

    g_autofree gboolean *cited = g_new0(gboolean, answer->n_shown + 1);
    gboolean any = cited_passages(text, len, answer->n_shown, cited);
    pipelines_claim *claim = pipelines_claim_add(answer, said, strlen(said));
    pipelines_quote best = best_among(answer, any ? cited : NULL, claim->text, &claim->problem);
    claim->supported = best.score > 0;
    if (claim->supported) cite_for(answer, claim, &best);
    /* the other passages it names are sources too where they carry it */
    for (guint i = 0; any && claim->supported && i < answer->n_shown; i++) {
        if (!cited[i] || i == best.passage) continue;
        pipelines_quote quote = carrier(answer, i, claim->text, NULL);
        if (quote.score > 0) cite_for(answer, claim, &quote);
    }
    return pipelines_emit_claim(answer, claim);
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
        go_on = finish_sentence(w, w->pending->str + s->start, s->len);
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

/* ---- writing ---- */

/* Bring the passages of the best sentences to the front; returns how many those are. ranked keeps pointing at the same
 * text. */
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
make_prompt(lode_answer *answer, const lode_writer *writer, GArray *ranked, uint32_t n_context,
            GError **error)
{
    guint n = front_best(answer, ranked);
    g_autoptr(GArray) chosen = g_array_new(FALSE, FALSE, sizeof(pipelines_quote));
    g_array_append_vals(chosen, ranked->data, MIN(ranked->len, MAX_CHOSEN));
    return pipelines_prompt_new(writer, answer->hits, n, PIPELINES_PROMPT_COPY, chosen, NULL,
                                answer->question, n_context, answer->options.max_tokens, error);
}

gboolean
pipelines_write_sentences(lode_answer *answer, const pipelines_ask_context *context, GArray *ranked,
                          GError **error)
{
    /* a second paragraph is where small models drift off */
    static const char *const stop[] = {"\n\n", NULL};
    uint32_t n_context = pipelines_writer_context(context->writer, answer->options.n_context);
    g_autoptr(pipelines_prompt) prompt =
        make_prompt(answer, context->writer, ranked, n_context, error);
    if (prompt == NULL) return FALSE;
    answer->n_shown = prompt->n_passages;
    g_autoptr(GString) pending = g_string_new(NULL);
    writing w = {
        .answer = answer, .filter = {.n_passages = prompt->n_passages}, .pending = pending};
    pipelines_write_request request = {.messages = prompt->messages,
                                       .n_messages = G_N_ELEMENTS(prompt->messages),
                                       .stop = stop,
                                       .max_tokens = answer->options.max_tokens,
                                       .n_context = n_context,
                                       .temperature = answer->options.temperature,
                                       .seed = answer->options.seed,
                                       .cancel = answer->options.cancel,
                                       .text = on_text,
                                       .user_data = &w};
    g_auto(pipelines_written) written = {0};
    gboolean done =
        pipelines_writer_write(context->writer, context->pool, &request, &written, error);
    pipelines_citation_filter_finish(&w.filter, pending);
    if (!done) return FALSE;
    answer->generation = written.generation;
    answer->prompt = g_steal_pointer(&written.prompt);
    answer->reasoning = g_steal_pointer(&written.reasoning);
    if (written.generation.reason != ENGINE_STOP_CALLBACK) flush_sentences(&w, TRUE);
    answer->n_removed = w.filter.n_removed;
    if (w.refused) answer->status = LODE_ANSWER_INSUFFICIENT;
    return TRUE;
}

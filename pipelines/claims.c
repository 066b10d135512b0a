/* A writer's claims -> those that their quotes carry.
 *
 *   {"claims": [{"text": "One sentence.", "passage": 2, "quote": "verbatim"}], "missing": "what is not there"}
 *
 * The text comes before the quote: with the quote first Qwen2.5-Coder-1.5B copies passages until it may not go on, and
 * says the same again as its text. A claim counts as supported when its quote stands in a passage (quote.h), the claim's
 * numbers are among the quote's, and the quote's sentence speaks of what the claim says. A quote that stands in another
 * passage than the one named is moved there; one that lacks the claim's number, or was copied with slips, gives way to
 * the sentence that has nearly all of the claim's words. */
#include <string.h>

#include "pipelines/answer.h"
#include "pipelines/writer.h"

enum { MIN_QUOTE_CHARS = 12, JSON_TOKENS = 3 };

/* What the schema lets a writer say in a claim. */
enum { QUOTE_CHARS = 300, TEXT_CHARS = 200 };

/* Of the claim's content words: a writer that quotes may use its own words, one whose sentence lode finds may not. */
#define SHARED_WORDS   0.5
#define UNQUOTED_WORDS 0.85
#define MIN_SUPPORT                                                                                \
    0.5 /* pipelines_best_support of a sentence that the writer did not quote itself */

/* ---- checking ---- */

typedef struct {
    pipelines_alignment at;
    guint passage;
} placed_quote;

/* Share of the content words of said that text [len] has. */
static double
share_in(const char *said, const char *text, size_t len)
{
    g_autoptr(GHashTable) words = pipelines_content_words(said, strlen(said));
    g_autoptr(GHashTable) there = pipelines_content_words(text, len);
    return pipelines_share_of(words, there);
}

/* In the passage it is said to be from, else in the best of the others. */
static placed_quote
place_quote(const lode_answer *answer, guint passage, const char *quote)
{
    placed_quote best = {.passage = passage};
    if (g_utf8_strlen(quote, -1) < MIN_QUOTE_CHARS) return best;
    if (passage < answer->n_shown) {
        const retrieval_hit *hit = answer->hits->pdata[passage];
        best.at = pipelines_align_quote(quote, hit->text);
        if (best.at.match != PIPELINES_MATCH_NONE) return best;
    }
    for (guint i = 0; i < answer->n_shown; i++) {
        if (i == passage) continue;
        const retrieval_hit *hit = answer->hits->pdata[i];
        pipelines_alignment at = pipelines_align_quote(quote, hit->text);
        if (at.match == PIPELINES_MATCH_NONE || at.score <= best.at.score) continue;
        best = (placed_quote){at, i};
    }
    return best;
}

static char *
find_problem(const lode_answer *answer, const char *claim, const placed_quote *placed,
             double min_shared, gboolean *elsewhere)
{
    return pipelines_support_problem(answer->hits->pdata[placed->passage], placed->at.start,
                                     placed->at.len, claim, min_shared, elsewhere);
}

/* A writer may quote the caption and take the number from the sentence beside it: the sentence of the passages that
 * carries the claim, or no match. */
static placed_quote
place_anew(const lode_answer *answer, const char *claim)
{
    placed_quote placed = {0};
    pipelines_quote best = {.score = MIN_SUPPORT};
    for (guint i = 0; i < answer->n_shown; i++) {
        pipelines_quote quote =
            pipelines_best_support(answer->hits->pdata[i], i, claim, strlen(claim));
        if (quote.len > 0 && quote.score > best.score) best = quote;
    }
    if (best.len == 0) return placed;
    placed.passage = best.passage;
    placed.at = (pipelines_alignment){
        .match = PIPELINES_MATCH_EXACT, .score = 1, .start = best.start, .len = best.len};
    gboolean elsewhere = FALSE;
    g_autofree char *problem = find_problem(answer, claim, &placed, UNQUOTED_WORDS, &elsewhere);
    if (problem != NULL) placed.at.match = PIPELINES_MATCH_NONE;
    return placed;
}

/* A writer that copies may leave out the raised numbers of citations, or a word: the sentence that carries the claim, if
 * it has nearly all of the quote too. What was made up is not made good by a sentence that happens to be there. */
static placed_quote
place_slip(const lode_answer *answer, const char *claim, const char *quote)
{
    placed_quote placed = place_anew(answer, claim);
    if (placed.at.match == PIPELINES_MATCH_NONE) return placed;
    const retrieval_hit *hit = answer->hits->pdata[placed.passage];
    g_autofree char *sentence = g_strndup(hit->text + placed.at.start, placed.at.len);
    if (share_in(quote, sentence, placed.at.len) < UNQUOTED_WORDS ||
        !pipelines_numbers_supported(quote, sentence, NULL))
        placed.at.match = PIPELINES_MATCH_NONE;
    return placed;
}

/* A writer may quote "Linden et al., 2019" for what the sentence before those words says: a quote that does not show the
 * claim by itself becomes the sentence that it stands in. One of several sentences stays as it is. */
static void
widen(const retrieval_hit *hit, const char *claim, pipelines_quote *quote)
{
    if (share_in(claim, hit->text + quote->start, quote->len) >= SHARED_WORDS) return;
    g_autoptr(GArray) sentences = pipelines_hit_sentences(hit);
    for (guint i = 0; i < sentences->len; i++) {
        const pipelines_quote *s = &g_array_index(sentences, pipelines_quote, i);
        if (s->start > quote->start || s->start + s->len < quote->start + quote->len) continue;
        quote->start = s->start;
        quote->len = s->len;
        return;
    }
}

static void
check_claim(lode_answer *answer, pipelines_claim *claim, guint passage, const char *quote)
{
    placed_quote placed = place_quote(answer, passage, quote);
    if (placed.at.match == PIPELINES_MATCH_NONE && g_utf8_strlen(quote, -1) >= MIN_QUOTE_CHARS)
        placed = place_slip(answer, claim->text, quote);
    if (placed.at.match == PIPELINES_MATCH_NONE) {
        claim->problem =
            g_strdup(quote[0] == '\0' ? "it has no quote" : "its quote stands in no passage");
        return;
    }
    gboolean elsewhere = FALSE;
    g_autofree char *problem = find_problem(answer, claim->text, &placed, SHARED_WORDS, &elsewhere);
    if (problem != NULL && elsewhere) {
        placed = place_anew(answer, claim->text);
        if (placed.at.match != PIPELINES_MATCH_NONE) g_clear_pointer(&problem, g_free);
    }
    claim->supported = problem == NULL;
    claim->problem = g_steal_pointer(&problem);
    if (!claim->supported) return;
    pipelines_quote stretch = {.passage = placed.passage,
                               .start = (uint32_t)placed.at.start,
                               .len = (uint32_t)placed.at.len,
                               .score = placed.at.score};
    widen(answer->hits->pdata[placed.passage], claim->text, &stretch);
    stretch = pipelines_cell_narrow(answer->hits->pdata[placed.passage], &stretch, answer->question,
                                    claim->text);
    guint citation = pipelines_cite(answer, &stretch, placed.at.match, placed.at.score);
    g_array_append_val(claim->citations, citation);
}

/* ---- reading ---- */

/* A reply that was cut short ends after its last whole claim. */
static json_t *
parse_cut(const char *json, size_t len)
{
    for (size_t end = len; end > 0; end--) {
        if (json[end - 1] != '}') continue;
        g_autofree char *whole = g_strdup_printf("%.*s]}", (int)MIN(end, G_MAXINT32), json);
        json_t *parsed = json_loads(whole, 0, NULL);
        if (parsed != NULL) return parsed;
    }
    return NULL;
}

/* The JSON of a reply that may have words around it. */
static json_t *
parse_reply(const char *text, size_t len)
{
    g_autofree char *copy = g_strndup(text, len);
    const char *begin = strchr(copy, '{');
    if (begin == NULL) return NULL;
    json_t *parsed = json_loads(begin, JSON_DISABLE_EOF_CHECK, NULL);
    return parsed != NULL ? parsed : parse_cut(begin, strlen(begin));
}

static gboolean
is_said_already(const lode_answer *answer, const char *text)
{
    for (guint i = 0; i < answer->claims->len; i++)
        if (strcmp(((const pipelines_claim *)answer->claims->pdata[i])->text, text) == 0)
            return TRUE;
    return FALSE;
}

/* A claim that the schema's limit has cut ends with its last whole word. */
static void
end_at_word(GString *text)
{
    if (text->len == 0 || strchr(".!?", text->str[text->len - 1]) != NULL) return;
    const char *blank = strrchr(text->str, ' ');
    if (blank == NULL) return;
    g_string_truncate(text, (gsize)(blank - text->str));
    g_string_append(text, " \u2026");
}

/* "[2]" in a claim would look like a citation of ours. */
static char *
clean_text(const char *text)
{
    g_autoptr(GString) out = g_string_new(NULL);
    pipelines_citation_filter filter = {.n_passages = 0};
    pipelines_citation_filter_feed(&filter, text, strlen(text), out);
    pipelines_citation_filter_finish(&filter, out);
    if (g_utf8_strlen(text, -1) >= TEXT_CHARS) end_at_word(out);
    for (gsize i = 0; i < out->len; i++)
        if (out->str[i] == '\n' || out->str[i] == '\r' || out->str[i] == '\t') out->str[i] = ' ';
    return g_strstrip(g_string_free(g_steal_pointer(&out), FALSE));
}

gboolean
pipelines_read_claims(lode_answer *answer, const char *json, size_t len)
{
    g_autoptr(json_t) reply = parse_reply(json, len);
    const json_t *claims = json_object_get(reply, "claims");
    if (!json_is_array(claims)) return FALSE;
    const char *missing = json_string_value(json_object_get(reply, "missing"));
    if (missing != NULL && missing[0] != '\0')
        g_ptr_array_add(answer->shortfall.missing, clean_text(missing));
    for (size_t i = 0; i < json_array_size(claims) && answer->claims->len < PIPELINES_MOST_CLAIMS;
         i++) {
        const json_t *item = json_array_get(claims, i);
        const char *text = json_string_value(json_object_get(item, "text"));
        const char *quote = json_string_value(json_object_get(item, "quote"));
        json_int_t number = json_integer_value(json_object_get(item, "passage"));
        if (text == NULL) continue;
        g_autofree char *clean = clean_text(text);
        if (clean[0] == '\0' || is_said_already(answer, clean)) continue;
        pipelines_claim *claim = pipelines_claim_add(answer, clean, strlen(clean));
        guint passage =
            number >= 1 && number <= (json_int_t)answer->n_shown ? (guint)number - 1 : G_MAXUINT;
        if (passage == G_MAXUINT) answer->n_removed++;
        check_claim(answer, claim, passage, quote != NULL ? quote : "");
        if (!pipelines_emit_claim(answer, claim)) return TRUE;
    }
    if (answer->claims->len == 0) answer->status = LODE_ANSWER_INSUFFICIENT;
    return TRUE;
}

/* ---- writing ---- */

static char *
claims_schema(guint n_passages, guint most_claims)
{
    return g_strdup_printf(
        "{\"type\":\"object\",\"properties\":{\"claims\":{\"type\":\"array\",\"maxItems\":%u,"
        "\"items\":{\"type\":\"object\",\"properties\":{"
        "\"text\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":%d},"
        "\"passage\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":%u},"
        "\"quote\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":%d}},"
        "\"required\":[\"text\",\"passage\",\"quote\"],\"additionalProperties\":false}},"
        "\"missing\":{\"type\":\"string\",\"maxLength\":200}},"
        "\"required\":[\"claims\",\"missing\"],\"additionalProperties\":false}",
        most_claims, TEXT_CHARS, n_passages, QUOTE_CHARS);
}

gboolean
pipelines_write_claims(lode_answer *answer, const pipelines_ask_context *context, GError **error)
{
    uint32_t n_context = pipelines_writer_context(context->writer, answer->options.n_context);
    /* a claim is its sentence, its quote and the marks around them */
    uint32_t max_tokens = MIN(answer->options.max_tokens * JSON_TOKENS, n_context / 2);
    g_autoptr(pipelines_prompt) prompt = pipelines_prompt_new(
        context->writer, answer->hits, answer->n_shown, PIPELINES_PROMPT_CLAIMS, NULL,
        answer->judgements, answer->question, n_context, max_tokens, error);
    if (prompt == NULL) return FALSE;
    answer->n_shown = prompt->n_passages;
    g_autofree char *schema = claims_schema(
        prompt->n_passages, pipelines_writer_most_claims(context->writer, max_tokens));
    pipelines_write_request request = {.messages = prompt->messages,
                                       .n_messages = G_N_ELEMENTS(prompt->messages),
                                       .json_schema = schema,
                                       .json_name = "claims",
                                       .max_tokens = max_tokens,
                                       .n_context = n_context,
                                       .temperature = answer->options.temperature,
                                       .seed = answer->options.seed,
                                       .cancel = answer->options.cancel};
    g_auto(pipelines_written) written = {0};
    if (!pipelines_writer_write(context->writer, context->pool, &request, &written, error))
        return FALSE;
    answer->generation = written.generation;
    answer->prompt = g_steal_pointer(&written.prompt);
    answer->reasoning = g_steal_pointer(&written.reasoning);
    if (!pipelines_read_claims(answer, written.text->str, written.text->len))
        answer->status = LODE_ANSWER_INSUFFICIENT;
    return TRUE;
}

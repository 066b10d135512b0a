/* The state of one sequence's choices; sample_pick.c does the arithmetic.
 *
 * The random number of the n-th token is splitmix64's (n+1)-th output for a mixed seed (Steele, Lea and Flood,
 * 2014: "Fast splittable pseudorandom number generators"): its state after n steps is seed + n * constant, so any
 * position's number is at hand without those before. */
#include "engine/sample.h"

#include "engine/grammar_mask.h"
#include "engine/sample_pick.h"

#include <math.h>
#include <string.h>

struct engine_sampler {
    size_t n_vocab;
    sample_options pick;
    float repeat, frequency, presence;
    uint32_t window, min_tokens;
    gboolean ignore_eos;
    uint64_t key;                      /* the mixed seed */
    GArray *biases;                    /* engine_token_bias */
    GArray *ends;                      /* int32_t: tokens that end a text */
    GArray *history;                   /* int32_t: the prompt, then what was accepted */
    size_t n_prompt;                   /* of them */
    const engine_tokenizer *tokenizer; /* borrowed */
    grammar_matcher *matcher;          /* NULL without a grammar */
    gboolean think_first;
    uint32_t think_budget;
    int32_t think_open, think_close; /* tokens; -1 unless thoughts are a matter */
    /* Accepted tokens: those before the thoughts' first one, and up to "</think>". THINK_NEVER: not there (yet). */
    size_t think_from, think_to;
    int32_t *counts; /* [n_vocab] in the window; NULL without penalties */
    float *work;     /* [n_vocab] */
    sample_scratch scratch;
};

#define GOLDEN      0x9e3779b97f4a7c15u
#define THINK_NEVER SIZE_MAX

static uint64_t
mix(uint64_t z)
{
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* In [0, 1), 53 bits. */
static double
uniform_at(uint64_t key, uint64_t n)
{
    return (double)(mix(key + (n + 1) * GOLDEN) >> 11) * 0x1p-53;
}

static gboolean
has_penalties(const engine_sampler *s)
{
    return s->window > 0 && (s->repeat != 1.0f || s->frequency != 0.0f || s->presence != 0.0f);
}

static gboolean
allocate(engine_sampler *s, GError **error)
{
    s->work = g_try_malloc_n(s->n_vocab, sizeof *s->work);
    s->scratch.weights = g_try_malloc_n(s->n_vocab, sizeof *s->scratch.weights);
    s->scratch.candidates = g_try_malloc_n(s->n_vocab, sizeof *s->scratch.candidates);
    if (has_penalties(s)) s->counts = g_try_malloc0_n(s->n_vocab, sizeof *s->counts);
    if (s->work && s->scratch.weights && s->scratch.candidates && (s->counts || !has_penalties(s)))
        return TRUE;
    g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT, "no memory to choose among %zu tokens",
                s->n_vocab);
    return FALSE;
}

static void
find_ends(engine_sampler *s, const engine_tokenizer *tokenizer,
          const engine_generate_options *options)
{
    size_t n = 0;
    const int32_t *own = tokenizer ? engine_tokenizer_ends(tokenizer, &n) : NULL;
    g_array_append_vals(s->ends, own, (guint)n);
    for (size_t i = 0; i < options->n_stop_tokens; i++)
        if (options->stop_tokens[i] >= 0 && (size_t)options->stop_tokens[i] < s->n_vocab)
            g_array_append_val(s->ends, options->stop_tokens[i]);
}

static gboolean
check_options(const engine_generate_options *options, size_t n_vocab,
              const engine_tokenizer *tokenizer, GError **error)
{
    if (options->grammar &&
        (!tokenizer || options->grammar->trie != engine_tokenizer_trie(tokenizer) ||
         options->grammar->trie->n_tokens > n_vocab)) {
        g_set_error_literal(error, ENGINE_ERROR, ENGINE_ERROR_ARGUMENT,
                            "the grammar was made for another model");
        return FALSE;
    }
    for (size_t i = 0; i < options->n_biases; i++) {
        if (options->biases[i].id >= 0 && (size_t)options->biases[i].id < n_vocab) continue;
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_ARGUMENT,
                    "a bias for token %d, which is not in the vocabulary of %zu",
                    options->biases[i].id, n_vocab);
        return FALSE;
    }
    return TRUE;
}

static gboolean
find_thoughts(engine_sampler *s, const engine_tokenizer *tokenizer,
              const engine_generate_options *options, GError **error)
{
    s->think_open = s->think_close = -1;
    s->think_from = s->think_to = THINK_NEVER;
    s->think_first = options->think_first;
    s->think_budget = options->think_budget;
    if (!s->think_first && s->think_budget == 0) return TRUE;
    if (tokenizer) {
        s->think_open = engine_tokenizer_find_added(tokenizer, "<think>");
        s->think_close = engine_tokenizer_find_added(tokenizer, "</think>");
    }
    if (s->think_open >= 0 && s->think_close >= 0) return TRUE;
    g_set_error_literal(error, ENGINE_ERROR, ENGINE_ERROR_UNSUPPORTED,
                        "this model does not think: its vocabulary has no <think> and </think>");
    return FALSE;
}

engine_sampler *
engine_sampler_new(size_t n_vocab, const engine_tokenizer *tokenizer,
                   const engine_generate_options *options, GError **error)
{
    if (!check_options(options, n_vocab, tokenizer, error)) return NULL;
    g_autoptr(engine_sampler) s = g_new0(engine_sampler, 1);
    s->n_vocab = n_vocab;
    s->pick = (sample_options){options->temperature, options->top_p, options->min_p,
                               options->typical_p, options->top_k};
    s->repeat = options->repeat_penalty > 0.0f ? options->repeat_penalty : 1.0f;
    s->frequency = options->frequency_penalty;
    s->presence = options->presence_penalty;
    s->window = options->penalty_window;
    s->min_tokens = options->min_tokens;
    s->ignore_eos = options->ignore_eos;
    s->key = mix(options->seed + GOLDEN);
    s->biases = g_array_new(FALSE, FALSE, sizeof(engine_token_bias));
    g_array_append_vals(s->biases, options->biases, (guint)options->n_biases);
    s->ends = g_array_new(FALSE, FALSE, sizeof(int32_t));
    find_ends(s, tokenizer, options);
    s->history = g_array_sized_new(FALSE, FALSE, sizeof(int32_t), 1024);
    s->tokenizer = tokenizer;
    if (options->grammar) s->matcher = grammar_matcher_new(options->grammar);
    if (!find_thoughts(s, tokenizer, options, error)) return NULL;
    return allocate(s, error) ? g_steal_pointer(&s) : NULL;
}

engine_sampler *
engine_sampler_clone(const engine_sampler *sampler, GError **error)
{
    g_autoptr(engine_sampler) s = g_memdup2(sampler, sizeof *sampler);
    s->work = NULL;
    s->counts = NULL;
    s->matcher = sampler->matcher ? grammar_matcher_clone(sampler->matcher) : NULL;
    s->scratch = (sample_scratch){0};
    s->biases = g_array_copy(sampler->biases);
    s->ends = g_array_copy(sampler->ends);
    s->history = g_array_copy(sampler->history);
    if (!allocate(s, error)) return NULL;
    if (s->counts) memcpy(s->counts, sampler->counts, s->n_vocab * sizeof *s->counts);
    return g_steal_pointer(&s);
}

void
engine_sampler_free(engine_sampler *s)
{
    if (!s) return;
    g_clear_pointer(&s->biases, g_array_unref);
    g_clear_pointer(&s->ends, g_array_unref);
    g_clear_pointer(&s->history, g_array_unref);
    grammar_matcher_free(s->matcher);
    g_free(s->counts);
    g_free(s->work);
    g_free(s->scratch.weights);
    g_free(s->scratch.candidates);
    g_free(s);
}

/* ---- the tokens so far ------------------------------------------------------------------------ */

static void
count_token(engine_sampler *s, size_t at, int32_t by)
{
    const int32_t token = g_array_index(s->history, int32_t, at);
    if (token >= 0 && (size_t)token < s->n_vocab) s->counts[token] += by;
}

static void
append(engine_sampler *s, int32_t token)
{
    g_array_append_val(s->history, token);
    if (!s->counts) return;
    const size_t n = s->history->len;
    count_token(s, n - 1, 1);
    if (n > s->window) count_token(s, n - 1 - s->window, -1);
}

void
engine_sampler_reset(engine_sampler *s, const int32_t *prompt, size_t n)
{
    g_array_set_size(s->history, 0);
    if (s->counts) memset(s->counts, 0, s->n_vocab * sizeof *s->counts);
    for (size_t i = 0; i < n; i++)
        append(s, prompt[i]);
    s->n_prompt = n;
    if (s->matcher) grammar_matcher_reset(s->matcher);
    s->think_from = s->think_to = THINK_NEVER;
    for (size_t i = n; s->think_close >= 0 && i-- > 0 && prompt[i] != s->think_close;)
        if (prompt[i] == s->think_open) { /* and not closed */
            s->think_from = 0;
            break;
        }
}

/* ---- thoughts --------------------------------------------------------------------------------- */

static gboolean
is_thinking(const engine_sampler *s)
{
    if (s->think_to != THINK_NEVER) return FALSE;
    return s->think_first || s->think_from != THINK_NEVER;
}

/* The grammar that holds for the next token. */
static grammar_matcher *
matcher_now(const engine_sampler *s)
{
    return is_thinking(s) ? NULL : s->matcher;
}

/* The only token that may come next in thoughts, -1 when any may. */
static int32_t
forced_thought(const engine_sampler *s)
{
    if (!is_thinking(s)) return -1;
    if (s->think_from == THINK_NEVER) return s->think_open;
    const size_t n = engine_sampler_n_accepted(s) - s->think_from;
    return s->think_budget > 0 && n >= s->think_budget ? s->think_close : -1;
}

/* Where thoughts stand once `token` is the n-th that was accepted. */
static void
follow_thoughts(engine_sampler *s, int32_t token, size_t n)
{
    if (s->think_close < 0 || s->think_to != THINK_NEVER) return;
    const gboolean free_text = s->matcher == NULL || s->think_first;
    if (s->think_from == THINK_NEVER && token == s->think_open && free_text)
        s->think_from = n;
    else if (s->think_from != THINK_NEVER && token == s->think_close)
        s->think_to = n;
}

gboolean
engine_sampler_accept(engine_sampler *s, int32_t token)
{
    const char *bytes = NULL;
    size_t len = 0;

    grammar_matcher *matcher = matcher_now(s);
    if (matcher && (!engine_tokenizer_token_bytes(s->tokenizer, token, &bytes, &len) ||
                    !grammar_matcher_accept(matcher, bytes, len)))
        return FALSE;
    append(s, token);
    follow_thoughts(s, token, engine_sampler_n_accepted(s));
    return TRUE;
}

void
engine_sampler_rewind(engine_sampler *s, size_t n)
{
    g_return_if_fail(n <= ENGINE_SAMPLER_MAX_REWIND && n <= engine_sampler_n_accepted(s));
    const size_t stays = engine_sampler_n_accepted(s) - n;
    if (s->matcher && !is_thinking(s)) {
        const size_t free_of_it = s->think_to != THINK_NEVER ? s->think_to : 0;
        const size_t held = engine_sampler_n_accepted(s) - free_of_it;
        grammar_matcher_rewind(s->matcher, MIN(n, held));
    }
    if (s->think_to != THINK_NEVER && stays < s->think_to) s->think_to = THINK_NEVER;
    if (s->think_from != THINK_NEVER && stays < s->think_from) s->think_from = THINK_NEVER;
    for (; n > 0; n--) {
        const size_t len = s->history->len;
        if (s->counts) {
            count_token(s, len - 1, -1);
            if (len > s->window) count_token(s, len - 1 - s->window, 1);
        }
        g_array_set_size(s->history, (guint)len - 1);
    }
}

size_t
engine_sampler_n_accepted(const engine_sampler *s)
{
    return s->history->len - s->n_prompt;
}

gboolean
engine_sampler_ends_text(const engine_sampler *s, int32_t token)
{
    for (guint i = 0; i < s->ends->len; i++)
        if (g_array_index(s->ends, int32_t, i) == token) return TRUE;
    return FALSE;
}

/* ---- the choice ------------------------------------------------------------------------------- */

/* Each token of the window once, whatever its place: the sign of its count says that it had its turn. */
static void
penalise(engine_sampler *s)
{
    const size_t n = s->history->len, from = n > s->window ? n - s->window : 0;
    const int32_t *tokens = (const int32_t *)(void *)s->history->data;

    for (size_t i = from; i < n; i++) {
        if (tokens[i] < 0 || (size_t)tokens[i] >= s->n_vocab) continue;
        int32_t *count = &s->counts[tokens[i]];
        if (*count <= 0) continue;
        float *logit = &s->work[tokens[i]];
        *logit = *logit > 0.0f ? *logit / s->repeat : *logit * s->repeat;
        *logit -= (float)*count * s->frequency + s->presence;
        *count = -*count;
    }
    for (size_t i = from; i < n; i++) {
        if (tokens[i] < 0 || (size_t)tokens[i] >= s->n_vocab) continue;
        s->counts[tokens[i]] = ABS(s->counts[tokens[i]]);
    }
}

static gboolean
mask_is_empty(const uint64_t *mask, uint32_t n_words)
{
    for (uint32_t w = 0; w < n_words; w++)
        if (mask[w]) return FALSE;
    return TRUE;
}

static uint32_t
n_mask_words(const engine_sampler *s)
{
    return engine_tokenizer_trie(s->tokenizer)->n_words;
}

gboolean
engine_sampler_is_complete(engine_sampler *s)
{
    grammar_matcher *matcher = matcher_now(s);
    return matcher && grammar_matcher_can_end(matcher) &&
           mask_is_empty(grammar_matcher_mask(matcher), n_mask_words(s));
}

/* The options keep ends away, or the grammar does; where it admits nothing else, they stay. */
static gboolean
ends_are_excluded(engine_sampler *s)
{
    const grammar_matcher *matcher = matcher_now(s);

    if (is_thinking(s) && s->think_first) return TRUE;
    if (matcher && !grammar_matcher_can_end(matcher)) return TRUE;
    return (s->ignore_eos || engine_sampler_n_accepted(s) < s->min_tokens) &&
           !engine_sampler_is_complete(s);
}

gboolean
engine_sampler_allows(engine_sampler *s, int32_t token)
{
    const int32_t thought = forced_thought(s);
    grammar_matcher *matcher = matcher_now(s);

    if (token < 0 || (size_t)token >= s->n_vocab) return FALSE;
    if (thought >= 0) return token == thought;
    if (engine_sampler_ends_text(s, token)) return !ends_are_excluded(s);
    if (!matcher) return TRUE;
    const uint64_t *mask = grammar_matcher_mask(matcher);
    return (uint32_t)token / 64 < n_mask_words(s) && (mask[token / 64] >> token % 64 & 1) != 0;
}

int32_t
engine_sampler_forced(engine_sampler *s)
{
    grammar_matcher *matcher = matcher_now(s);
    int32_t only = forced_thought(s);

    if (only >= 0) return only;
    if (!matcher || s->biases->len > 0 || grammar_matcher_can_end(matcher)) return -1;
    const uint64_t *mask = grammar_matcher_mask(matcher);
    for (uint32_t w = 0, n = n_mask_words(s); w < n; w++) {
        if (!mask[w]) continue;
        if (only >= 0 || (mask[w] & (mask[w] - 1))) return -1;
        only = (int32_t)(w * 64 + (uint32_t)g_bit_nth_lsf(mask[w], -1));
    }
    return only >= 0 && !engine_sampler_ends_text(s, only) ? only : -1;
}

void
engine_sampler_forced_text(engine_sampler *s, size_t max, GString *out)
{
    grammar_matcher *matcher = matcher_now(s);
    if (matcher) grammar_matcher_forced(matcher, max, out);
}

/* To -infinity what the grammar does not allow; ends are looked at elsewhere. */
static void
exclude_by_grammar(engine_sampler *s)
{
    const uint64_t *mask = grammar_matcher_mask(s->matcher);
    const uint32_t n_words = n_mask_words(s);

    for (size_t w = 0; w * 64 < s->n_vocab; w++) {
        const uint64_t bits = w < n_words ? mask[w] : 0;
        if (bits == UINT64_MAX) continue;
        const size_t n = MIN((size_t)64, s->n_vocab - w * 64);
        float *work = s->work + w * 64;
        for (size_t i = 0; i < n; i++)
            work[i] = bits >> i & 1 ? work[i] : -INFINITY;
    }
}

static float
biased(const engine_sampler *s, const float *logits, int32_t token)
{
    float logit = logits[token];
    for (guint i = 0; i < s->biases->len; i++) {
        const engine_token_bias *bias = &g_array_index(s->biases, engine_token_bias, i);
        if (bias->id == token) logit += bias->value;
    }
    return logit;
}

int32_t
engine_sampler_sample(engine_sampler *s, const float *logits)
{
    const gboolean exclude_ends = s->ends->len > 0 && ends_are_excluded(s);
    const double uniform = uniform_at(s->key, engine_sampler_n_accepted(s));
    const int32_t thought = forced_thought(s);
    const grammar_matcher *matcher = matcher_now(s);
    const float *from = logits;

    if (thought >= 0) return thought;
    if (matcher && grammar_matcher_failed(matcher)) return -1;
    if (exclude_ends || s->counts || s->biases->len > 0 || matcher) {
        memcpy(s->work, logits, s->n_vocab * sizeof *logits);
        from = s->work;
        for (guint i = 0; i < s->biases->len; i++) {
            const engine_token_bias *bias = &g_array_index(s->biases, engine_token_bias, i);
            s->work[bias->id] += bias->value;
        }
        if (matcher) {
            exclude_by_grammar(s);
            for (guint i = 0; i < s->ends->len; i++) {
                const int32_t end = g_array_index(s->ends, int32_t, i);
                s->work[end] = biased(s, logits, end);
            }
        }
        for (guint i = 0; exclude_ends && i < s->ends->len; i++)
            s->work[g_array_index(s->ends, int32_t, i)] = -INFINITY;
        if (s->counts) penalise(s);
    }
    const size_t index = sample_pick(from, s->n_vocab, &s->pick, uniform, &s->scratch);
    return index < s->n_vocab ? (int32_t)index : -1;
}

float
engine_sampler_logprobs(engine_sampler *s, const float *logits, int32_t token,
                        engine_token_logprob *top, size_t n_top)
{
    const size_t best = sample_largest(logits, s->n_vocab);
    const float max = best < s->n_vocab ? logits[best] : 0.0f;
    const double total = sample_weights(logits, s->n_vocab, max, 1.0f, s->scratch.weights);
    const double log_total = log(total);
    const size_t n = n_top > 0 ? sample_top(logits, s->n_vocab, n_top, &s->scratch) : 0;

    for (size_t i = 0; i < n_top; i++) {
        const uint32_t id = i < n ? s->scratch.candidates[i].index : 0;
        top[i] = i < n ? (engine_token_logprob){(int32_t)id,
                                                (float)((double)(logits[id] - max) - log_total)}
                       : (engine_token_logprob){-1, -INFINITY};
    }
    if (token < 0 || (size_t)token >= s->n_vocab) return -INFINITY;
    return (float)((double)(logits[token] - max) - log_total);
}

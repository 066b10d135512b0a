/* Choosing the next token from logits.
 *
 * An engine_sampler is the whole state of one sequence's choices: the tokens so far and, with a grammar, where
 * it stands in it. There is no hidden random state: the number that decides about the n-th token after the prompt
 * is a function of (seed, n) alone. So a sequence may be cut back, cloned, or verified several positions at a
 * time, and goes on as if that had never happened:
 *
 *     draft d1 d2 d3 behind t: one batch gives the logits rows L0 (behind t), L1 (behind d1), L2, L3
 *     for i = 0, 1, ...:  x = sample(Li); accept(x); stop when x != d(i+1)
 *
 * writes the very tokens that one-at-a-time decoding writes, at any temperature.
 *
 * The steps of a choice, in this order:
 *
 *   1 logit bias        added
 *   2 exclusions        to -infinity: ends while fewer than min_tokens are out or with ignore_eos, and what the
 *                       grammar does not allow
 *   3 penalties         over the last penalty_window tokens, the prompt's among them: repeat (positive logits
 *                       divided, others multiplied, once per token), frequency (minus, per occurrence), presence
 *                       (minus, once)
 *   4 temperature       0 ends here: the largest logit, the lowest id among equals
 *   5 top_k             the k likeliest; of equal ones the lower ids
 *   6 top_p             of those the fewest whose probabilities (over what top_k left) reach p
 *   7 min_p             without those below p times the likeliest
 *   8 typical_p         of what is left the fewest that reach p, those first whose surprise (-ln of the probability) is
 *                       nearest to the mean one, the entropy. Source: Meister et al., "Locally Typical Sampling",
 *                       arXiv:2202.00666
 *   9 the draw
 *
 * With think_first or a think_budget the thoughts of a text are a phase of their own: until the token "</think>" the
 * grammar waits and nothing ends the text; when the budget is used up, that token is the only choice.
 *
 * Sums are double, in a fixed order, and the exponential is our own: same logits, same token, on any machine. */
#ifndef LODE_ENGINE_SAMPLE_H
#define LODE_ENGINE_SAMPLE_H

#include "engine/engine.h"
#include "engine/tokenizer.h"

G_BEGIN_DECLS

/* How many accepted tokens engine_sampler_rewind can take back. */
#define ENGINE_SAMPLER_MAX_REWIND 256

/* One thread at a time. */
typedef struct engine_sampler engine_sampler;

/* n_vocab  length of a row of logits. tokenizer: which tokens end a text; NULL: none does. It and
 * options->grammar must outlive the sampler; the rest of options is copied. LIMIT when memory is short, ARGUMENT
 * when a bias names a token that is not there, UNSUPPORTED when thoughts are asked for and the vocabulary has no
 * tokens to open and close them. */
engine_sampler *engine_sampler_new(size_t n_vocab, const engine_tokenizer *tokenizer,
                                   const engine_generate_options *options, GError **error);
/* An independent copy with the same future. NULL and LIMIT when memory is short. */
engine_sampler *engine_sampler_clone(const engine_sampler *sampler, GError **error);
void engine_sampler_free(engine_sampler *sampler); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(engine_sampler, engine_sampler_free)

/* Begin anew behind prompt [n], which penalties see and the grammar does not. */
void engine_sampler_reset(engine_sampler *sampler, const int32_t *prompt, size_t n);

/* The next token for logits [n_vocab]; the sampler's state is as before, so asking again gives the same.
 * -1 when every token is excluded: the grammar wants a byte that no token has. */
int32_t engine_sampler_sample(engine_sampler *sampler, const float *logits);

/* The only token that sample could return whatever the logits, -1 when there are several (or none). With a
 * grammar, a run of them can be evaluated in one batch. */
int32_t engine_sampler_forced(engine_sampler *sampler);

/* Would sample ever return this token here? For pruning drafts. */
gboolean engine_sampler_allows(engine_sampler *sampler, int32_t token);

/* Append the bytes that the grammar admits no alternative to, at most max of them: tokenized they make a good draft.
 * Nothing without a grammar. */
void engine_sampler_forced_text(engine_sampler *sampler, size_t max, GString *out);

/* The token stands: go on behind it. FALSE, and nothing has changed, when the grammar does not allow it. */
gboolean engine_sampler_accept(engine_sampler *sampler, int32_t token);

/* Take back the last n accepted tokens, at most ENGINE_SAMPLER_MAX_REWIND and those accepted since the reset. */
void engine_sampler_rewind(engine_sampler *sampler, size_t n);

/* Tokens accepted since the reset. */
size_t engine_sampler_n_accepted(const engine_sampler *sampler);

/* TRUE when the grammar has been satisfied and cannot go on: only an end is allowed. */
gboolean engine_sampler_is_complete(engine_sampler *sampler);

/* Ends a text, as the tokenizer says. */
gboolean engine_sampler_ends_text(const engine_sampler *sampler, int32_t token);

/* ln softmax(logits)[token]: of the model's own logits, before bias, exclusions, penalties and temperature.
 * top [n_top] receives the likeliest tokens, best first, of equals the lower id; n_top <= n_vocab. */
float engine_sampler_logprobs(engine_sampler *sampler, const float *logits, int32_t token,
                              engine_token_logprob *top, size_t n_top);

G_END_DECLS
#endif

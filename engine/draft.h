/* Guessing what comes next from what the text says already: quotes, names and lists repeat their source. */
#ifndef LODE_ENGINE_DRAFT_H
#define LODE_ENGINE_DRAFT_H

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

#define ENGINE_MAX_DRAFT 15 /* tokens */

/* How far to guess: further after guesses that held, shorter after others. */
typedef struct {
    uint32_t most;   /* 0: never guess */
    uint32_t reach;  /* now */
    uint32_t misses; /* guesses in a row of which nothing held */
    uint32_t pause;  /* steps to go without */
} engine_draft_pace;

void engine_draft_pace_init(engine_draft_pace *pace, uint32_t most);
/* Tokens to guess in this step. */
uint32_t engine_draft_pace_next(engine_draft_pace *pace);
/* n_held of the n guessed tokens were right. */
void engine_draft_pace_learn(engine_draft_pace *pace, uint32_t n, uint32_t n_held);

/* What followed the longest earlier occurrence of the end of tokens [n], of equal ones the latest: at most `most`
 * tokens into out. Returns how many; 0 when fewer than two tokens at the end occurred before. */
uint32_t engine_draft_lookup(const int32_t *tokens, uint32_t n, uint32_t most, int32_t *out);

/* The token of the largest of logits [n], the lowest among equals. */
int32_t engine_draft_likeliest(const float *logits, size_t n);

G_END_DECLS
#endif

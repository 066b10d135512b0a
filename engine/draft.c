/* Draft tokens by looking the end of the text up in the text.
 *
 * Source: Saxena, Prompt Lookup Decoding (2023); Leviathan et al., arXiv:2211.17192, for the checking in one pass
 * (session.c). */
#include "engine/draft.h"

#include <string.h>

#define LONGEST     8  /* tokens of the end that are compared */
#define SHORTEST    2  /* fewer say nothing about what follows */
#define PAUSE       16 /* steps without guesses after */
#define MOST_MISSES 4  /* so many in vain */

void
engine_draft_pace_init(engine_draft_pace *pace, uint32_t most)
{
    *pace = (engine_draft_pace){.most = most, .reach = MIN(most, 4)};
}

uint32_t
engine_draft_pace_next(engine_draft_pace *pace)
{
    if (pace->pause == 0) return pace->reach;
    pace->pause--;
    return 0;
}

void
engine_draft_pace_learn(engine_draft_pace *pace, uint32_t n, uint32_t n_held)
{
    if (n == 0) return;
    if (n_held == n) {
        pace->reach = MIN(pace->most, 2 * pace->reach);
    } else if (n_held < n / 2) {
        pace->reach = MAX(1, pace->reach / 2);
    }
    pace->misses = n_held > 0 ? 0 : pace->misses + 1;
    if (pace->misses < MOST_MISSES) return;
    pace->misses = 0;
    pace->pause = PAUSE;
}

uint32_t
engine_draft_lookup(const int32_t *tokens, uint32_t n, uint32_t most, int32_t *out)
{
    uint32_t best = 0, best_end = 0;

    if (n < SHORTEST + 1) return 0;
    const int32_t last = tokens[n - 1];
    for (uint32_t end = n - 1; end >= SHORTEST && best < LONGEST; end--) {
        uint32_t length = 1;
        if (tokens[end - 1] != last) continue;
        while (length < LONGEST && length < end &&
               tokens[end - 1 - length] == tokens[n - 1 - length])
            length++;
        if (length > best) {
            best = length;
            best_end = end;
        }
    }
    if (best < SHORTEST) return 0;
    const uint32_t count = MIN(most, n - best_end);
    memcpy(out, tokens + best_end, count * sizeof *out);
    return count;
}

int32_t
engine_draft_likeliest(const float *logits, size_t n)
{
    size_t best = 0;

    for (size_t i = 1; i < n; i++)
        if (logits[i] > logits[best]) best = i;
    return (int32_t)best;
}

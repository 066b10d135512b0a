/* Unigram (Kudo, arXiv:1804.10959, section 3.2): of all ways to cut a text into pieces, the one whose
 * scores (log probabilities) sum highest, by Viterbi's algorithm over byte positions.
 *
 * A character that is no piece itself may stand alone as an unknown one, at the lowest score less 10.
 * Among equal sums the cut found first stays: that with the earlier start. Pieces at a position are found by
 * walking along the text as long as what was read is the beginning of some piece. */
#include "engine/tokenizer_impl.h"

#include <math.h>
#include <string.h>

#define UNKNOWN_PENALTY 10.0

typedef struct {
    double score;  /* of the best cut of what lies before this byte */
    uint32_t from; /* where its last piece starts; UINT32_MAX: not reached */
    int32_t id;    /* of that piece, -1: unknown */
} best_cut;

gboolean
tokenizer_unigram_build(engine_tokenizer *t, const double *scores, GError **error)
{
    double lowest = 0;
    if (!tokenizer_spm_build(t, NULL, error)) return FALSE;
    t->spm.scores = g_new(double, t->tokens->len);
    for (guint i = 0; i < t->tokens->len; i++) {
        const tokenizer_token *token = &g_array_index(t->tokens, tokenizer_token, i);
        t->spm.scores[i] = scores[i];
        if (token->type != TOKENIZER_TYPE_NORMAL) continue;
        if (!isfinite(scores[i])) {
            g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                        "tokenizer: the score of token %u is not a number", i);
            return FALSE;
        }
        lowest = MIN(lowest, scores[i]);
        for (uint32_t n = 1; n < token->len; n++)
            tokenizer_map_add_key(&t->spm.starts, t->text->str + token->offset, n);
    }
    t->spm.unknown_score = lowest - UNKNOWN_PENALTY;
    if (t->spm.single) t->spm.unknown_score = (double)(float)t->spm.unknown_score;
    return TRUE;
}

static void
offer(const tokenizer_spm *spm, best_cut *to, double score, size_t from, int32_t id)
{
    if (spm->single) score = (double)(float)score;
    if (to->from != UINT32_MAX && score <= to->score) return;
    *to = (best_cut){score, (uint32_t)from, id};
}

static void
offer_pieces(const engine_tokenizer *t, const char *s, size_t len, size_t i, best_cut *path)
{
    uint32_t cp = 0;
    const size_t n_char = unicode_next(s + i, len - i, &cp);
    gboolean single = FALSE;
    uint64_t hash = TOKENIZER_HASH_START;
    for (size_t n = 1; i + n <= len; n++) {
        hash = tokenizer_hash_step(hash, s[i + n - 1]);
        const int32_t id = tokenizer_map_lookup_hashed(&t->map, hash, s + i, n);
        const int32_t more = tokenizer_map_lookup_hashed(&t->spm.starts, hash, s + i, n);
        if (id >= 0) {
            offer(&t->spm, &path[i + n], path[i].score + t->spm.scores[id], i, id);
            single = single || n == n_char;
        }
        if (more < 0) break;
    }
    if (single) return;
    offer(&t->spm, &path[i + n_char], path[i].score + t->spm.unknown_score, i, -1);
}

void
tokenizer_unigram_piece(tokenizer_bpe_run *run, const char *s, size_t len)
{
    const engine_tokenizer *t = run->tokenizer;
    if (!run->path) run->path = g_array_new(FALSE, FALSE, sizeof(best_cut));
    g_array_set_size(run->path, (guint)len + 1);
    best_cut *path = (best_cut *)(void *)run->path->data;
    for (size_t i = 0; i <= len; i++)
        path[i] = (best_cut){0, UINT32_MAX, -1};
    uint32_t cp = 0;
    for (size_t i = 0; i < len; i += unicode_next(s + i, len - i, &cp))
        offer_pieces(t, s, len, i, path);
    g_array_set_size(run->merged, 0); /* the ends of the pieces, last first */
    for (int32_t end = (int32_t)len; end > 0; end = (int32_t)path[end].from)
        g_array_append_val(run->merged, end);
    for (guint i = run->merged->len; i-- > 0;) {
        const best_cut *cut = &path[g_array_index(run->merged, int32_t, i)];
        if (cut->id < 0) {
            const size_t end = (size_t)g_array_index(run->merged, int32_t, i);
            tokenizer_spm_put_unknown(run, s + cut->from, end - cut->from);
        } else {
            g_array_append_val(run->out, cut->id);
            run->after_unknown = FALSE;
        }
    }
}

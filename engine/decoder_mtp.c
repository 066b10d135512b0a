/* Drafting with the model's own heads.
 *
 *   z_i = join [ norm(embed(t_{i+1})) ; norm(H_i) ],  one layer with its own keys and values,
 *   H'_i = norm(z_i),  logits for t_{i+2} = output H'_i
 *
 * H_i is the trunk's normed output at position i, and i is also the position of the row in the head's own
 * cache. A further draft takes H' for H and the drafted token for the next one.
 *
 * Source: DeepSeek-V3 technical report, arXiv:2412.19437, section 2.2; Qwen3.5's use of it. */
#include "engine/decoder_private.h"

#include <string.h>

uint32_t
engine_decoder_n_mtp(const engine_model *model)
{
    const engine_decoder *d = model->arch;
    return model->info.kind == ENGINE_KIND_DECODER ? d->n_mtp : 0;
}

gboolean
engine_decoder_choose_mtp(engine_decoder_scratch *scratch, const char *name)
{
    for (uint32_t i = 0; i < scratch->decoder->n_mtp; i++) {
        if (strcmp(scratch->decoder->mtp[i].name, name) != 0) continue;
        scratch->mtp = i;
        return TRUE;
    }
    return FALSE;
}

/* The side where the trunk ends. */
static void
enter_end(engine_decoder_scratch *s)
{
    engine_decoder_enter(s, s->placement && s->placement->output, 0);
}

/* The head over pass->n rows: tokens in s->tokens, trunk outputs (rows s->rows) of `hidden`. Leaves the
 * spans' last outputs in s->draft and their logits in draft_logits. */
static gboolean
run_head(engine_decoder_scratch *s, const engine_decoder_pass *pass, const float *hidden,
         float *draft_logits, GError **error)
{
    const engine_decoder *d = s->decoder;
    const engine_mtp *mtp = &d->mtp[s->mtp];
    const size_t n_embd = d->n_embd, n = pass->n;
    const engine_projection in = {.x = s->joined, .n_in = 2 * n_embd};
    const engine_matmul_job join = {mtp->join.w, mtp->join.bias, s->x, n_embd};

    engine_decoder_begin_pass(s, pass);
    /* the head lies where the trunk ends, and so do its outputs */
    enter_end(s);
    engine_backend *b = s->backend;
    engine_decoder_embed(s, mtp->embd, s->tokens, n, s->joined, 2 * n_embd);
    b->ops->rms_norm(b, s->joined, 2 * n_embd, mtp->embd_norm, d->norm_eps, n_embd, n, s->joined,
                     2 * n_embd);
    b->ops->gather(b, hidden, s->rows, n, n_embd, s->y);
    b->ops->rms_norm(b, s->y, n_embd, mtp->hidden_norm, d->norm_eps, n_embd, n, s->joined + n_embd,
                     2 * n_embd);
    b->ops->project(b, &in, &join, 1, n);
    if (!engine_decoder_run_layer(s, pass, &mtp->layer, error)) return FALSE;
    for (size_t i = 0; i < pass->n_spans; i++)
        s->rows[i] = pass->spans[i].row + pass->spans[i].n - 1;
    b->ops->gather(b, s->x, s->rows, pass->n_spans, n_embd, s->y);
    b->ops->rms_norm(b, s->y, n_embd, mtp->output_norm, d->norm_eps, n_embd, pass->n_spans,
                     s->draft, n_embd);
    b->ops->logits(b, mtp->output, s->draft, pass->n_spans, draft_logits);
    return engine_decoder_check(s, error);
}

gboolean
engine_decoder_mtp(engine_decoder_scratch *s, engine_kv *kv, const int32_t *tokens_next,
                   size_t rows, const engine_decoder_span *spans, size_t n_spans,
                   float *draft_logits, GError **error)
{
    uint32_t n = 0;
    size_t n_used = 0;

    g_assert(s->decoder->n_mtp > 0 && rows <= s->max_rows && n_spans <= rows);
    for (size_t i = 0; i < n_spans; i++) {
        engine_decoder_span draft = spans[i];
        draft.row = n;
        draft.n = 0;
        while (draft.n < spans[i].n && tokens_next[spans[i].row + draft.n] >= 0) {
            s->rows[n] = spans[i].row + draft.n;
            s->tokens[n++] = tokens_next[spans[i].row + draft.n++];
        }
        if (draft.n > 0) s->draft_spans[n_used++] = draft;
    }
    const engine_decoder_pass pass = {kv, s->draft_spans, n_used, n};
    enter_end(s);
    return n == 0 || run_head(s, &pass, s->hidden, draft_logits, error);
}

gboolean
engine_decoder_mtp_again(engine_decoder_scratch *s, engine_kv *kv, const int32_t *tokens,
                         const uint32_t *from, const engine_decoder_span *spans, size_t n_spans,
                         float *draft_logits, GError **error)
{
    const engine_decoder_pass pass = {kv, s->draft_spans, n_spans, n_spans};

    g_assert(s->decoder->n_mtp > 0 && n_spans <= s->max_rows);
    for (uint32_t i = 0; i < n_spans; i++) {
        s->draft_spans[i] = (engine_decoder_span){spans[i].sequence, i, 1, spans[i].first};
        s->tokens[i] = tokens[i];
        s->rows[i] = from[i];
    }
    enter_end(s);
    return n_spans == 0 || run_head(s, &pass, s->draft, draft_logits, error);
}

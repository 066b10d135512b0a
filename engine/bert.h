/* The BERT encoder behind engine_embed. bert.c finds its parts in a model's files, bert_forward.c computes,
 * embed.c is the public face. */
#ifndef LODE_ENGINE_BERT_H
#define LODE_ENGINE_BERT_H

#include "engine/model.h"

G_BEGIN_DECLS

/* Linear maps as they are stored; vectors expanded to floats, in engine_bert.vectors. d = n_embd. */
typedef struct {
    const engine_tensor *w; /* {n_in, n_out} */
    const float *bias;      /* [n_out] */
} engine_bert_linear;

typedef struct {
    const float *weight, *bias; /* [d] */
} engine_bert_norm;

typedef struct {
    engine_bert_linear query, key, value, output; /* {d, d} */
    engine_bert_linear up, down;                  /* {d, ff}, {ff, d} */
    engine_bert_norm attention_norm, output_norm;
} engine_bert_layer;

typedef struct {
    const engine_tensor *words, *positions, *types; /* {d, ...} */
    engine_bert_norm embedding_norm;
    engine_bert_layer *layers; /* [n_layers] */
    engine_bert_linear pooler; /* {d, d}, before a tanh; w NULL: none */
    engine_bert_linear labels; /* {d, n_labels}; w NULL: no head that judges pairs */
    gboolean gelu_tanh;        /* the approximation instead of the exact GELU */
    GPtrArray *vectors;        /* owns the float vectors */
} engine_bert;

/* Read the hyperparameters and find the tensors of a `bert` model in model->weights (either format). Fills
 * model->info, model->arch and model->free_arch. model->tokenizer may be NULL still: do not use it here. */
gboolean engine_bert_load(engine_model *model, GError **error);

/* Several texts, their tokens one behind the other without padding. */
typedef struct {
    const int32_t *tokens; /* [first[n_texts]] */
    const size_t *first;   /* [n_texts + 1] where each text's tokens start; none is empty */
    const size_t *second;  /* [n_texts] where each text's second part starts; NULL: none has one */
    size_t n_texts;
} engine_bert_batch;

/* Floats of scratch that a batch of n_tokens needs; FALSE when that does not fit. */
gboolean engine_bert_scratch_size(const engine_model *model, size_t n_tokens, size_t *n_floats);

/* out [n_texts, d]: pooled and normalised as model->info says. Texts hold at most n_context tokens, tokens
 * are below n_vocab. Each row depends on its own text's tokens alone. */
void engine_bert_forward(const engine_model *model, engine_pool *pool,
                         const engine_bert_batch *batch, float *scratch, float *out);

/* What the head makes of texts [batch->n_texts] that have two parts: out [n_texts, n_labels]. first_rows
 * [2, n_texts, d]: scratch. */
void engine_bert_judge(const engine_model *model, engine_pool *pool, const engine_bert_batch *batch,
                       float *scratch, float *first_rows, float *out);
/* The head alone, for n texts whose first tokens' rows are there already: first_rows [2, n, d], the second half scratch. */
void engine_bert_judge_rows(const engine_model *model, engine_pool *pool, float *first_rows,
                            size_t n, float *out);

G_END_DECLS
#endif

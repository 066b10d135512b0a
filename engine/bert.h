/* The BERT encoder behind engine_embed. */
#ifndef LODE_ENGINE_BERT_H
#define LODE_ENGINE_BERT_H

#include "engine/model.h"

G_BEGIN_DECLS

/* Read the hyperparameters and find the tensors of a `bert` model in model->weights (either format). Fills
 * model->info, model->arch and model->free_arch. model->tokenizer may be NULL still: do not use it here. */
gboolean engine_bert_load(engine_model *model, GError **error);

G_END_DECLS
#endif

/* Comparing engine_embed with the vectors recorded by reference/bert_record.py. */
#ifndef LODE_TESTS_BERT_CHECK_H
#define LODE_TESTS_BERT_CHECK_H

#include "engine/engine.h"

/* The recorded texts; NULL-terminated, *n of them. Free with g_strfreev. */
char **bert_texts(size_t *n);

/* Embed the texts with pool and compare row by row with tests/data/engine/NAME: every cosine at least
 * 1 - 1e-6. Fails the cmocka test. */
void bert_check_vectors(const engine_model *model, engine_pool *pool, const char *name);

/* The tiny cross-encoder, its files put together in dir, which may be there already: it has its vocabulary from the tiny
 * encoder. weights: the folder of its model.safetensors. Fails the cmocka test. */
engine_model *bert_open_cross(const char *dir, const char *weights);
/* The same from a folder that is gone again when it returns. */
engine_model *bert_open_judge(void);

#endif

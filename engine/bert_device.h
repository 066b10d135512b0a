/* BERT on a GPU, for embedding and judging in bulk. */
#ifndef LODE_ENGINE_BERT_DEVICE_H
#define LODE_ENGINE_BERT_DEVICE_H

#include "engine/bert.h"
#include "engine/device.h"

G_BEGIN_DECLS

#define ENGINE_BERT_DEVICE_TOKENS 8192 /* of a batch; longer texts than that have no model */

/* Weights and buffers on a device, which owns it (engine_device_bert). Locked inside. */
typedef struct engine_bert_device engine_bert_device;

engine_bert_device *engine_bert_device_new(const engine_model *model, engine_device *device,
                                           GError **error);
void engine_bert_device_free(engine_bert_device *bert); /* NULL is fine */

/* As engine_bert_forward; at most ENGINE_BERT_DEVICE_TOKENS tokens. */
gboolean engine_bert_device_forward(engine_bert_device *bert, const engine_bert_batch *batch,
                                    float *out, GError **error);
/* The rows of the texts' first tokens, as they are: what engine_bert_judge_rows judges by. */
gboolean engine_bert_device_first_rows(engine_bert_device *bert, const engine_bert_batch *batch,
                                       float *out, GError **error);

/* What a model's batches should run on: *out NULL where that is the CPU. FALSE where its device is demanded and cannot. */
gboolean engine_bert_device_find(const engine_model *model, engine_bert_device **out,
                                 GError **error);
/* After the device's failure, which this takes over: TRUE to go on with the CPU, now and later; else it becomes error. */
gboolean engine_bert_device_give_up(const engine_model *model, GError *failure, GError **error);

/* device.c: the device's own, made when it is first asked for; NULL with the error of that. */
engine_bert_device *engine_device_bert(engine_device *device, const engine_model *model,
                                       GError **error);
/* Remember that embedding there failed, the first reason of several; and that reason, NULL: none. Free with g_free. */
void engine_device_bert_fail(engine_device *device, const char *reason);
char *engine_device_bert_failure(engine_device *device);

G_END_DECLS
#endif

/* What must hold of a decoder on a device, whatever computes it: the checks of test_device (plain C) and of
 * test_cuda_forward (the plug-in's kernels). Each fails the test with the model's name. */
#ifndef LODE_TESTS_FORWARD_CHECK_H
#define LODE_TESTS_FORWARD_CHECK_H

#include "engine/cuda/compute.h"
#include "engine/device.h"
#include "engine/placement.h"

#include "../engine/tiny_case.h"

/* Largest differences allowed, over the largest |logit|. */
typedef struct {
    const lode_cuda_compute *compute;
    double f32, f16,
        bf16;       /* from the recorded logits, by the type of the matrices; packed types as f16 */
    double same;    /* between two ways through the same model; 0: every bit */
    gboolean exact; /* models are opened to be */
    size_t n_tokens;     /* of a case at most; 0: all */
    void (*reset)(void); /* before a model is opened; may be NULL */
} device_kind;

typedef enum {
    DEVICE_WHOLE,   /* everything on it */
    DEVICE_EXPERTS, /* routed experts on the host */
    DEVICE_HALF     /* half of the layers */
} device_share;

/* The model of a case with that much of it on the device; the folder goes with forward_close. */
typedef struct {
    tiny_case *c;
    char *folder;
    engine_model *model;
    engine_pool *pool;
    size_t n; /* tokens to run */
    device_share share;
    const device_kind *kind; /* borrowed */
} forward_bench;

forward_bench forward_open(const device_kind *kind, const char *name, tiny_format format,
                           device_share share);
void forward_close(forward_bench *b);
/* All logits [n, n_vocab] of the first n tokens, `step` at a time. Free with g_free. */
float *forward_logits(const forward_bench *b, size_t step, engine_kv_type kv_type);

void forward_check_reference(const device_kind *kind, const char *name, tiny_format format,
                             device_share share);
/* The same of a model that is opened to be exact: within the tolerance of floats, whatever its weights are stored as. */
void forward_check_exact(const device_kind *kind, const char *name, tiny_format format,
                         device_share share);
void forward_check_chunks(const device_kind *kind, const char *name, device_share share);
void forward_check_long(const device_kind *kind, const char *name, size_t n);
void forward_check_kv_types(const device_kind *kind, const char *name);
void forward_check_batch(const device_kind *kind, const char *name, device_share share);
void forward_check_prefixes(const device_kind *kind, const char *name, device_share share);
void forward_check_drafts(const device_kind *kind, const char *name);

/* The tiny encoder, embedding the recorded texts (the first n_texts; 0: all): against the CPU's vectors. */
void forward_check_encoder(const device_kind *kind, size_t n_texts);
/* The tiny cross-encoder, judging the first n_texts beside each other: against the CPU's scores. */
void forward_check_judge(const device_kind *kind, size_t n_texts);

#endif

/* One case of tests/data/engine/tiny: a tiny random model as a recipe, its tokens and the logits it must give.
 * The format is described in reference/tiny_case.py. Every function fails the test when something is wrong with
 * the case itself. */
#ifndef LODE_TESTS_TINY_CASE_H
#define LODE_TESTS_TINY_CASE_H

#include <glib.h>
#include <jansson.h>
#include <stdint.h>

typedef struct {
    char *name;
    json_t *json;
    int32_t *ids, *positions;
    size_t n_ids, n_positions, n_vocab;
    float *logits; /* [n_positions, n_vocab]: of ids, at these positions */
} tiny_case;

tiny_case *tiny_case_load(const char *name);
void tiny_case_free(tiny_case *c);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(tiny_case, tiny_case_free)

/* Names of all cases, sorted, NULL-terminated. Free with g_strfreev. */
char **tiny_case_names(void);

/* The largest |difference| of logits [n_ids, n_vocab] from the recorded ones, over the largest |logit|. */
double tiny_case_error(const tiny_case *c, const float *logits);

/* The same for a multi-token-prediction head ("mtp", "normal", "sci"): drafts [n_ids - 1, n_vocab], row p the
 * distribution of token p + 2 out of the trunk's state at p (its output after the last norm) and token p + 1. */
gboolean tiny_case_has_drafts(const tiny_case *c, const char *head);
double tiny_case_draft_error(const tiny_case *c, const char *head, const float *drafts);

/* ---- tiny_case_write.c: the model as files ---- */

typedef enum {
    TINY_F32,  /* safetensors + config.json, each tensor in the type its case says */
    TINY_BF16, /* the same with every F32 tensor in BF16: its values are the same numbers */
    TINY_F16,
    TINY_GGUF, /* model.gguf; only when the case has that side */
    TINY_N_FORMATS
} tiny_format;

const char *tiny_format_name(tiny_format format);
gboolean tiny_case_has(const tiny_case *c, tiny_format format);

/* Writes the model into a new temporary folder, to be removed with tiny_case_remove (which frees the path).
 * engine_model_open takes the folder. */
char *tiny_case_write(const tiny_case *c, tiny_format format);
void tiny_case_remove(char *folder);

#endif

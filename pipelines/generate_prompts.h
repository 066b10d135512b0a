/* Many prompts from one file, written side by side. */
#ifndef LODE_PIPELINES_GENERATE_PROMPTS_H
#define LODE_PIPELINES_GENERATE_PROMPTS_H

#include <jansson.h>

#include "engine/engine.h"

G_BEGIN_DECLS

typedef struct {
    const engine_model *model;
    engine_pool *pool;
    engine_generate_options options; /* of every text */
    engine_batch_options batch;      /* n_context is worked out from the prompts */
    uint32_t n_context;              /* of every text; 0: what it needs, at most the model's */
    gboolean chat;                   /* prompts are what a user says */
    const char *system;              /* may be NULL */
    engine_thinking thinking;
    void (*done)(size_t n_done, size_t n, void *user_data); /* may be NULL */
    void *user_data;
} generate_prompts_options;

typedef struct {
    size_t n, n_failed;
    uint64_t n_read, n_written; /* tokens */
    double seconds;
    engine_batch_stats batch;
} generate_prompts_stats;

/* One line of such a file. */
typedef struct {
    json_t *json;       /* all of it; json_decref */
    const json_t *id;   /* lent by json, as all below; NULL: none given */
    const char *prompt; /* NULL: json is a conversation, with "messages" and perhaps "tools" */
    size_t len;         /* of prompt */
    const char *system; /* NULL: none of its own */
} generate_line;

/* line->json is set, and line->id where there is one, even where it is no prompt. */
gboolean generate_line_parse(const char *json, size_t len, generate_line *line, GError **error);
/* Calls each for every line of lines [len] that is not blank. */
void generate_lines_each(const char *lines, size_t len,
                         void (*each)(const char *line, size_t len, void *user_data),
                         void *user_data);

/* text [len]: a line of JSON for each prompt: a string, or an object with "prompt" or "messages" (and "tools"), and
 * perhaps "system" and an "id" that comes back. For each, in this order, a line of JSON goes to stdout: the text and
 * how it ended, or "error". One that cannot be written hinders no other. FALSE with error when none could be. */
gboolean generate_prompts(const generate_prompts_options *options, const char *text, size_t len,
                          generate_prompts_stats *stats, GError **error);

G_END_DECLS
#endif

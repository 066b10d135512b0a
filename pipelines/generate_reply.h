/* What a model has written, taken apart: content, thoughts, calls of tools, log-probabilities. */
#ifndef LODE_PIPELINES_GENERATE_REPLY_H
#define LODE_PIPELINES_GENERATE_REPLY_H

#include <glib.h>
#include <jansson.h>

#include "engine/engine.h"

G_BEGIN_DECLS

/* One thread at a time. */
typedef struct {
    const engine_model *model;
    engine_reply_parser *parser; /* NULL: all of it is content */
    GString *content, *reasoning;
    json_t *calls, *logprobs;   /* arrays */
    engine_reply_callback sink; /* hears every part, kept already; may be NULL */
    void *user_data;
} generate_reply;

void generate_reply_init(generate_reply *reply, const engine_model *model,
                         engine_reply_callback sink, void *user_data);
void generate_reply_clear(generate_reply *reply);

/* What comes is a turn of a conversation: what the model continues, and its tools, as engine_reply_parser_new wants
 * them. The text must have its special tokens where `options` says so now. */
void generate_reply_expect_turn(generate_reply *reply, const char *prompt, const char *tools,
                                engine_generate_options *options);

/* Takes a piece of text. */
void generate_reply_feed(generate_reply *reply, const char *text, size_t len);
void generate_reply_finish(generate_reply *reply);

/* An engine_token_callback, for options->logprobs. */
gboolean generate_reply_on_token(const engine_token_event *event, void *reply);

json_t *generate_call_to_json(const engine_tool_call *call);
const char *generate_reason_name(engine_stop_reason reason);

/* Members of an object: all that was kept, but for logprobs, which only come when with_logprobs. */
void generate_reply_to_json(const generate_reply *reply, gboolean with_logprobs, json_t *into);
/* And how it went; times are left out for a text that was written beside others. */
void generate_result_to_json(const engine_generate_result *result, gboolean with_drafts,
                             gboolean with_times, json_t *into);
/* Of experts read as they are needed, and of those kept in spare GPU memory: how many were there. Nothing where there are
 * none. */
void generate_experts_to_json(const engine_session_stats *stats, json_t *into);

G_END_DECLS
#endif

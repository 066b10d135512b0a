#include "pipelines/generate_reply.h"

#include <math.h>

void
generate_reply_init(generate_reply *reply, const engine_model *model, engine_reply_callback sink,
                    void *user_data)
{
    *reply = (generate_reply){.model = model,
                              .content = g_string_new(NULL),
                              .reasoning = g_string_new(NULL),
                              .calls = json_array(),
                              .logprobs = json_array(),
                              .sink = sink,
                              .user_data = user_data};
}

void
generate_reply_clear(generate_reply *reply)
{
    if (reply->content == NULL) return;
    engine_reply_parser_free(reply->parser);
    g_string_free(reply->content, TRUE);
    g_string_free(reply->reasoning, TRUE);
    json_decref(reply->calls);
    json_decref(reply->logprobs);
    *reply = (generate_reply){0};
}

json_t *
generate_call_to_json(const engine_tool_call *call)
{
    json_t *arguments = json_loads(call->arguments, JSON_DECODE_ANY, NULL);
    return json_pack("{s:s,s:o}", "name", call->name, "arguments",
                     arguments != NULL ? arguments : json_string(call->arguments));
}

static void
on_part(engine_reply_part part, const char *text, size_t len, const engine_tool_call *call,
        void *user_data)
{
    generate_reply *reply = user_data;
    if (part == ENGINE_REPLY_CALL)
        json_array_append_new(reply->calls, generate_call_to_json(call));
    else
        g_string_append_len(part == ENGINE_REPLY_CONTENT ? reply->content : reply->reasoning, text,
                            (gssize)len);
    if (reply->sink != NULL) reply->sink(part, text, len, call, reply->user_data);
}

void
generate_reply_expect_turn(generate_reply *reply, const char *prompt, const char *tools,
                           engine_generate_options *options)
{
    /* what a grammar describes is content, whatever it looks like */
    const engine_calls_format format =
        options->grammar != NULL ? ENGINE_CALLS_PLAIN : engine_chat_calls_format(reply->model);
    options->with_special = format != ENGINE_CALLS_PLAIN || options->think_first;
    reply->parser = engine_reply_parser_new(format, prompt, tools, on_part, reply);
}

void
generate_reply_feed(generate_reply *reply, const char *text, size_t len)
{
    if (reply->parser != NULL)
        engine_reply_parser_feed(reply->parser, text, len);
    else
        on_part(ENGINE_REPLY_CONTENT, text, len, NULL, reply);
}

void
generate_reply_finish(generate_reply *reply)
{
    if (reply->parser != NULL) engine_reply_parser_finish(reply->parser);
}

static json_t *
token_to_json(const generate_reply *reply, int32_t id, double logprob)
{
    g_autoptr(GString) bytes = g_string_new(NULL);
    engine_detokenize(reply->model, &id, 1, TRUE, bytes);
    g_autofree char *text = g_utf8_make_valid(bytes->str, (gssize)bytes->len);
    return json_pack("{s:i,s:s,s:o}", "token", (int)id, "text", text, "logprob",
                     json_real(isfinite(logprob) ? logprob : -1e30));
}

gboolean
generate_reply_on_token(const engine_token_event *event, void *user_data)
{
    const generate_reply *reply = user_data;
    if (event->id < 0) return TRUE;
    json_t *token = token_to_json(reply, event->id, (double)event->logprob);
    json_t *top = json_array();
    for (size_t i = 0; i < event->n_top; i++)
        json_array_append_new(top,
                              token_to_json(reply, event->top[i].id, (double)event->top[i].value));
    json_object_set_new(token, "top", top);
    json_array_append_new(reply->logprobs, token);
    return TRUE;
}

const char *
generate_reason_name(engine_stop_reason reason)
{
    switch (reason) {
    case ENGINE_STOP_EOS:
        return "end";
    case ENGINE_STOP_STRING:
        return "stop";
    case ENGINE_STOP_LENGTH:
        return "length";
    case ENGINE_STOP_CONTEXT:
        return "context";
    case ENGINE_STOP_CALLBACK:
    case ENGINE_STOP_CANCELLED:
        return "cancelled";
    }
    return "cancelled";
}

void
generate_reply_to_json(const generate_reply *reply, gboolean with_logprobs, json_t *into)
{
    json_object_set_new(into, "text", json_stringn(reply->content->str, reply->content->len));
    if (reply->reasoning->len > 0)
        json_object_set_new(into, "reasoning",
                            json_stringn(reply->reasoning->str, reply->reasoning->len));
    if (json_array_size(reply->calls) > 0) json_object_set(into, "tool_calls", reply->calls);
    if (with_logprobs) json_object_set(into, "logprobs", reply->logprobs);
}

void
generate_result_to_json(const engine_generate_result *result, gboolean with_drafts,
                        gboolean with_times, json_t *into)
{
    json_object_set_new(into, "finish_reason", json_string(generate_reason_name(result->reason)));
    json_object_set_new(into, "prompt_tokens", json_integer(result->n_prompt));
    json_object_set_new(into, "reused_tokens", json_integer(result->n_reused));
    json_object_set_new(into, "generated_tokens", json_integer(result->n_generated));
    if (with_drafts) {
        json_object_set_new(into, "drafted_tokens", json_integer(result->n_drafted));
        json_object_set_new(into, "accepted_tokens", json_integer(result->n_accepted));
    }
    if (!with_times) return;
    json_object_set_new(into, "prompt_seconds", json_real(result->prompt_seconds));
    json_object_set_new(into, "generate_seconds", json_real(result->generate_seconds));
}

void
generate_experts_to_json(const engine_session_stats *stats, json_t *into)
{
    const engine_expert_stats *read = &stats->experts;
    const engine_device_expert_stats *there = &stats->gpu_experts;

    if (read->n_reads > 0) {
        json_object_set_new(into, "experts_found", json_integer((json_int_t)read->n_hits));
        json_object_set_new(into, "experts_read", json_integer((json_int_t)read->n_reads));
        json_object_set_new(into, "expert_bytes_read", json_integer((json_int_t)read->n_bytes));
    }
    if (there->n_slabs > 0) {
        json_object_set_new(into, "gpu_experts_asked", json_integer((json_int_t)there->n_asked));
        json_object_set_new(into, "gpu_experts_found", json_integer((json_int_t)there->n_hits));
        json_object_set_new(into, "gpu_experts_copied", json_integer((json_int_t)there->n_brought));
        json_object_set_new(into, "gpu_experts_room", json_integer(there->n_slabs));
    }
}

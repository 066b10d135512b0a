/* Chat messages as OpenAI's API writes them. */
#ifndef LODE_PIPELINES_MESSAGES_H
#define LODE_PIPELINES_MESSAGES_H

#include <glib.h>
#include <jansson.h>

#include "engine/engine.h"

G_BEGIN_DECLS

typedef struct {
    GArray *list; /* engine_message; its strings are kept below */
    char *tools;  /* JSON array, NULL: none */
    GPtrArray *strings;
} pipelines_messages;

pipelines_messages *pipelines_messages_new(void);
void pipelines_messages_free(pipelines_messages *messages); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(pipelines_messages, pipelines_messages_free)

/* Copies both. */
void pipelines_messages_add(pipelines_messages *messages, const char *role, const char *content);

/* json [len]: a list of messages, or an object with "messages" and perhaps "tools". Contents are strings, null, or
 * lists of {"type": "text", "text"}; other parts are refused. Appends. LODE_ERROR_FORMAT. */
gboolean pipelines_messages_parse(pipelines_messages *messages, const char *json, size_t len,
                                  GError **error);

G_END_DECLS
#endif

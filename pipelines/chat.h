/* Follow-up questions. */
#ifndef LODE_PIPELINES_CHAT_H
#define LODE_PIPELINES_CHAT_H

#include "pipelines/internal.h"

G_BEGIN_DECLS

enum { PIPELINES_CHAT_TURNS = 6 }; /* that a follow-up question may refer to */

/* What was asked, as questions that stand alone, and answered; the last PIPELINES_CHAT_TURNS. One thread at a time. */
typedef struct pipelines_chat pipelines_chat;

pipelines_chat *pipelines_chat_new(void);
void pipelines_chat_free(pipelines_chat *chat); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(pipelines_chat, pipelines_chat_free)
void pipelines_chat_add(pipelines_chat *chat, const char *question, const char *answer);
guint pipelines_chat_n_turns(const pipelines_chat *chat);

/* The question as it would be asked by someone who has not said anything before. A writer that can is asked to put it
 * so; else, and where its reply is no question, a question that leans on the one before ("How was it measured?", "And
 * for adults?") gets that one's missing words. g_free; never NULL but with error. */
char *pipelines_chat_condense(const pipelines_chat *chat, const lode_writer *writer,
                              engine_pool *pool, const char *question, const int *cancel,
                              GError **error);

G_END_DECLS
#endif

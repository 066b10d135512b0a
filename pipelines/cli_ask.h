/* What the commands that answer share: lode ask and lode chat. */
#ifndef LODE_PIPELINES_CLI_ASK_H
#define LODE_PIPELINES_CLI_ASK_H

#include "pipelines/cli_session.h"

G_BEGIN_DECLS

typedef struct {
    common_args common;
    char *library, *model, *embedder, *context, *where, *rerank, *reranker;
    endpoint_args endpoint;
    device_args device;
    int n_passages, max_tokens, n_scored, n_reranked;
    gint64 seed;
    double temperature, diversity;
    gboolean extractive, strict, show_prompt, no_record, no_embeddings;
} ask_args;

void cli_ask_init(ask_args *args);
/* own, and behind them those of args; both NULL-terminated; g_free. */
GOptionEntry *cli_ask_entries(const GOptionEntry *own, ask_args *args);
/* The exit code after a message, or EXIT_ALL_GOOD. */
int cli_ask_check(const char *name, const ask_args *args);
/* FALSE after a message. */
gboolean cli_ask_open(const ask_args *args, cli_session *session);
/* Text goes to stdout as it comes, but where JSON is wanted. */
lode_ask_options cli_ask_options(const ask_args *args);
/* All but the text: sources and conflicts on stdout, doubts on stderr; or the whole as JSON. */
void cli_ask_print(const ask_args *args, const lode_answer *answer);
void cli_ask_print_sources(const lode_answer *answer);
void cli_ask_print_quote(const char *quote); /* wrapped and indented */
/* For lode_ask_options.text: to stdout, at once. */
int cli_ask_on_text(const char *text, size_t len, void *user_data);

G_END_DECLS
#endif

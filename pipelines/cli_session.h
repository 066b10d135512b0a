/* A library and the models beside it, as the commands that answer open them: lode ask, chat, eval, replay. */
#ifndef LODE_PIPELINES_CLI_SESSION_H
#define LODE_PIPELINES_CLI_SESSION_H

#include "pipelines/answer.h"
#include "pipelines/cli.h"
#include "pipelines/writer.h"

G_BEGIN_DECLS

typedef struct {
    engine_model_options on; /* where models run; its strings are the command's arguments */
    engine_model_options embedder_on; /* the same, but for cli_session_expect_questions */
    engine_pool *pool;
    pipelines_model *embedder;  /* NULL: full-text search only */
    lode_writer *writer;        /* NULL: quotes */
    lode_reranker *reranker;    /* NULL: the ranking of the search stands */
    retrieval_library *library; /* NULL before it is opened */
} cli_session;

/* The session is all zeros but for the pool and what `device`, NULL for the defaults, says. */
void cli_session_init(cli_session *session, const device_args *device);
/* Before the embedder is opened: it will embed nothing but questions, one at a time. Unless a GPU was asked for it stays on
 * the CPU, which has a question's vector before a GPU's context is open and the library's vectors are there. */
void cli_session_expect_questions(cli_session *session);
void cli_session_close(cli_session *session);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(cli_session, cli_session_close)

/* FALSE with error. path NULL: the default, which is done without, after a note to common, when it is not installed;
 * common NULL: it must be there. */
gboolean cli_session_open_embedder(cli_session *session, const char *path,
                                   const common_args *common, GError **error);
/* The model of that name at endpoint where one is given, else one here. n_context: tokens, 0: the endpoint's default.
 * endpoint may be NULL. */
gboolean cli_session_open_writer(cli_session *session, const char *model,
                                 const endpoint_args *endpoint, uint32_t n_context,
                                 const common_args *common, GError **error);
/* After the writer, whose model it is where path is NULL. */
gboolean cli_session_open_reranker(cli_session *session, const char *path, GError **error);
/* After the embedder; a library that is open already is closed. */
gboolean cli_session_open_library(cli_session *session, const char *dir, retrieval_open_mode mode,
                                  GError **error);
/* Valid as long as the session and library_dir. */
pipelines_ask_context cli_session_context(const cli_session *session, const char *library_dir);

/* How a library is opened beside an embedder, NULL: without one. Borrows both. */
retrieval_library_options cli_library_options(const pipelines_model *embedder, engine_pool *pool);

G_END_DECLS
#endif

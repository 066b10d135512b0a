/* A model that writes, wherever it runs. */
#ifndef LODE_PIPELINES_WRITER_H
#define LODE_PIPELINES_WRITER_H

#include "pipelines/internal.h"

G_BEGIN_DECLS

/* A writer with fewer parameters loses the thread in whole passages and cannot quote them: it gets the best
 * sentences, and lode finds the quotes. */
#define PIPELINES_SMALL_WRITER 1400000000u

/* A writer with fewer goes on claiming until it may not: three of Qwen2.5-Coder-1.5B's claims are about the question.
 * A larger one knows when to end, and a question of several parts needs more. */
#define PIPELINES_LARGE_WRITER 4000000000u
#define PIPELINES_FEW_CLAIMS   3u
#define PIPELINES_MOST_CLAIMS  12u

/* Tokens of prompt and reply where nothing else is said. */
#define PIPELINES_MAX_CONTEXT 8192u

typedef struct {
    const engine_message *messages; /* [n_messages] */
    size_t n_messages;
    const char *json_schema; /* the reply is JSON that it accepts; NULL: any text */
    const char *json_name;   /* of the schema, for endpoints: [a-z_]+; NULL: "reply" */
    gboolean
        is_brief; /* a short reply at once: no thoughts before it, where the model can do without */
    const char *const *stop; /* NULL-terminated; NULL: none */
    uint32_t max_tokens;     /* of the reply, >= 1 */
    uint32_t n_context; /* of prompt and reply; 0: the writer's, PIPELINES_MAX_CONTEXT at most */
    double temperature; /* 0: the likeliest token */
    uint64_t seed;
    const int *cancel; /* may be NULL */
    engine_text_callback
        text; /* the reply as it is written, thoughts left out; FALSE stops. May be NULL */
    void *user_data;
} pipelines_write_request;

typedef struct {
    GString *text;                     /* the reply */
    char *reasoning;                   /* thoughts, NULL where there are none */
    char *prompt;                      /* what the model read, for the record */
    engine_generate_result generation; /* tokens, seconds, why it ended */
} pipelines_written;
/* Did it end where the limit of tokens or of the context was, and not where the model wanted? */
gboolean pipelines_is_truncated(engine_stop_reason reason);
void pipelines_written_clear(pipelines_written *written);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(pipelines_written, pipelines_written_clear)

/* What one kind of writer does. Called from one thread at a time for one pool. */
typedef struct {
    const char *name; /* "local", "endpoint" */
    /* written->text is there and empty. Being cancelled is a success with its reason. */
    gboolean (*write)(const lode_writer *writer, engine_pool *pool,
                      const pipelines_write_request *request, pipelines_written *written,
                      GError **error);
    /* pipelines_writer_write_many; NULL: one after the other. written [n] have their empty texts. */
    gboolean (*write_many)(const lode_writer *writer, engine_pool *pool,
                           const pipelines_write_request *requests, size_t n,
                           pipelines_written *written, GError **error);
    /* Tokens of the prompt; an estimate on the safe side where the tokenizer is elsewhere. */
    gboolean (*count)(const lode_writer *writer, const pipelines_write_request *request,
                      size_t *n_tokens, GError **error);
    /* Of one that learns what it takes by being refused: tokens, at most n_context. May be NULL. */
    uint32_t (*context)(const lode_writer *writer);
    void (*free)(lode_writer *writer); /* model and data */
} pipelines_writer_kind;

/* Immutable. */
struct lode_writer {
    const pipelines_writer_kind *kind;
    pipelines_model *model; /* in this process; else NULL */
    gpointer data;          /* of other kinds */
    char *id;               /* name and hash, or endpoint and name: for the record */
    uint32_t n_context;     /* 0: not known */
    gboolean is_small;      /* PIPELINES_SMALL_WRITER */
    guint most_claims;      /* that it may make where there is room; 0: PIPELINES_FEW_CLAIMS */
    gboolean keeps_schema;  /* else the schema is asked for in words, and the reply may break it */
};

/* path NULL: the default writer. LODE_ERROR_NOT_FOUND when it is not installed. options NULL: the defaults. */
lode_writer *pipelines_writer_open_local(const char *path, const engine_model_options *options,
                                         GError **error);
/* A writer behind an OpenAI-compatible endpoint (writer_endpoint.c); options as of lode.h, NULL: the defaults. */
lode_writer *pipelines_writer_open_endpoint(const char *url, const char *name,
                                            const lode_endpoint_options *options, GError **error);
/* lode_generate by one of those; reply as engine_remote_generate fills it. */
gboolean pipelines_generate_remote(const lode_writer *writer, const char *prompt,
                                   const lode_generate_options *options, engine_remote_reply *reply,
                                   GError **error);
/* A guess from above at the tokens of a prompt whose tokenizer is elsewhere. */
size_t pipelines_endpoint_tokens(const pipelines_write_request *request);

/* ---- records of what cannot be asked twice (writer_record.c) ---- */

/* Like inner, which is lent, but remembers the replies. One that replies with them again: LODE_ERROR_MISMATCH for what
 * was not asked then. */
lode_writer *pipelines_writer_new_recording(const lode_writer *inner);
lode_writer *pipelines_writer_new_replay(json_t *replies, const char *id, uint32_t n_context,
                                         guint most_claims);
/* Of one of those, lent; else NULL. */
json_t *pipelines_writer_replies(const lode_writer *writer);

/* Claims that a writer may make in a reply of so many tokens: as many as have room when each is as long as it may be, no
 * fewer than PIPELINES_FEW_CLAIMS and no more than its kind should. */
guint pipelines_writer_most_claims(const lode_writer *writer, uint32_t max_tokens);

/* Tokens of prompt and reply that it takes, as far as is known by now; 0: not known. */
uint32_t pipelines_writer_limit(const lode_writer *writer);
/* The context to plan with: wanted tokens (0: PIPELINES_MAX_CONTEXT), at most the writer's limit. Where writing has
 * failed and this has become less since, the prompt was too long for the server: plan again. */
uint32_t pipelines_writer_context(const lode_writer *writer, uint32_t wanted);
/* Is it less now than it was planned with? Then what failed was too long, and a shorter prompt may do. */
gboolean pipelines_writer_takes_less(const lode_writer *writer, uint32_t wanted, uint32_t planned);
gboolean pipelines_writer_count(const lode_writer *writer, const pipelines_write_request *request,
                                size_t *n_tokens, GError **error);
/* The one way to a writer's text. pool: not NULL for a local writer. written is cleared on failure; being
 * cancelled is LODE_ERROR_CANCELLED. */
gboolean pipelines_writer_write(const lode_writer *writer, engine_pool *pool,
                                const pipelines_write_request *request, pipelines_written *written,
                                GError **error);
/* Short texts for requests [n] to written [n], the same as each alone; a model in this process writes them together, and
 * reads what their prompts begin with alike once. Nothing of them is streamed, schemas are not kept. All are cleared on
 * failure. */
gboolean pipelines_writer_write_many(const lode_writer *writer, engine_pool *pool,
                                     const pipelines_write_request *requests, size_t n,
                                     pipelines_written *written, GError **error);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(lode_writer, lode_writer_free)

G_END_DECLS
#endif

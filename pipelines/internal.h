/* What the program and the public API share, inside pipelines only.
 *
 *   error.c     GError of every module -> lode_status, one line for people
 *   formats.c   what a document can be written as: the one table of it
 *   pages.c     "1-3,7,10-"
 *   inputs.c    files and folders on a command line -> a sorted list of files
 *   output.c    one document -> its folder of outputs
 *   journal.c   out/convert.jsonl: what is done, so that a batch resumes
 *   worker.c    a process of its own for reading files: a crash there costs one file
 *   batch.c     many files -> many folders, by worker processes
 *   library.c   many files -> a library
 *   bibliography.h  BibTeX and CSL JSON -> what is known of a library's documents
 *   models.h    registry of installable models, where they are
 *   model.c     opening embedders and writers, their identity
 *   writer.h    a model that writes, here or behind an endpoint: the one way to its text
 *   sentences.c a text -> sentences, content words
 *   evidence.h  passages and a question -> the sentences that answer; suffices.c are there any?
 *   support.c   does a passage carry a claim?
 *   quote.h     a quote and a source -> where the one stands in the other
 *   context.c   which passages a writer gets to read, and in which order
 *   prompt.c    passages and a question -> messages that fit; the answer's [n] filtered
 *   claims.c    a writer's claims -> those that their quotes carry
 *   written.c   a small writer's sentences -> claims
 *   answer.c    a question -> an answer with sources; record.c its JSON */
#ifndef LODE_PIPELINES_INTERNAL_H
#define LODE_PIPELINES_INTERNAL_H

#include <gio/gio.h>
#include <glib.h>
#include <jansson.h>

#include "engine/engine.h"
#include "layout/layout.h"
#include "pipelines/lode.h"
#include "pipelines/quote.h"
#include "retrieval/retrieval.h"

G_BEGIN_DECLS

G_DEFINE_AUTOPTR_CLEANUP_FUNC(json_t, json_decref)

/* ---- errors ---- */

#define PIPELINES_ERROR (pipelines_error_quark()) /* codes are lode_status */
GQuark pipelines_error_quark(void);
lode_status pipelines_status(const GError *error); /* of any module's error; LODE_OK for NULL */
/* Fill out (may be NULL) from error, free error, return the status. */
lode_status pipelines_fail(lode_error *out, GError *error);
lode_status pipelines_fail_argument(lode_error *out, const char *message);
/* Copy src into dst [size], cut on a character border, line breaks as spaces. */
void pipelines_copy_line(char *dst, size_t size, const char *src);

static inline gboolean
pipelines_cancelled(const int *cancel)
{
    return cancel != NULL && *(const volatile int *)cancel != 0;
}

/* ---- inputs ---- */

/* Expand args [n]: a file stands for itself, a folder for the documents in and below it: by extension (pdf xps
 * oxps epub fb2 cbz), or "%PDF-" in the first 1024 bytes of a file without a known extension; hidden names
 * left out. Returns absolute, canonical paths without duplicates, in byte order; an argument that does not
 * exist is an element all the same: reading it says so. */
GPtrArray *pipelines_collect_inputs(const char *const *args, size_t n);

/* A pipe or a device would block for ever where a file is expected. */
gboolean pipelines_check_input(const char *path, GError **error);

/* Base name without extension, safe as a file name, never empty; free with g_free. */
char *pipelines_stem(const char *path);

/* ---- outputs ---- */

typedef struct {
    unsigned flag;            /* LODE_FORMAT_* */
    const char *name, *alias; /* of --format; alias NULL: none */
    const char *suffix;       /* the file is STEM + suffix; CSV: one for each table, in tables/ */
    const char *what;         /* for help: "Markdown" */
    /* New text, ending in a newline where it is not empty. NULL: drawn from the source, see output.c. */
    char *(*write)(const lode_document *document, const layout_write_options *options);
    /* The same text handed on piece by piece; NULL where a format is only made whole. */
    gboolean (*stream)(const lode_document *document, const layout_write_options *options,
                       layout_write_fn write, void *user_data);
} pipelines_format;

const pipelines_format *pipelines_formats(size_t *n); /* in the order they are written in */
/* NULL where flag is not exactly one format. */
const pipelines_format *pipelines_format_by_flag(unsigned flag);
/* "md,json": names, "default" and "all". */
gboolean pipelines_formats_parse(const char *list, unsigned *flags, GError **error);
char *pipelines_format_names(unsigned flags); /* "md, json"; g_free */

/* Pages like "1-3,7,10-" -> layout_page_range, sorted and disjoint, at least one. g_array_unref. */
GArray *pipelines_pages_parse(const char *text, GError **error);
char *pipelines_pages_text(const GArray *ranges); /* the inverse; NULL gives ""; g_free */

typedef struct {
    unsigned formats; /* LODE_FORMAT_* */
    layout_images images;
    layout_formulas formulas;
    gboolean page_breaks;
    double dpi;
    const layout_options *reading; /* what the document was read with; NULL: unknown */
} pipelines_output_options;

/* How the writers are to write for these outputs. */
layout_write_options pipelines_write_options(const pipelines_output_options *options);

/* The text, or null for NULL. */
json_t *pipelines_json_string(const char *text);
/* The text of a member, lent by object; "" where it has none. */
const char *pipelines_json_member(const json_t *object, const char *key);

/* Write the outputs of one document into dir (made with parents). path NULL: no images. What went wrong without
 * failing is appended to warnings (of char *; may be NULL). */
gboolean pipelines_write_document(const lode_document *document, const char *path,
                                  const char *password, const char *dir, const char *stem,
                                  const pipelines_output_options *options, GPtrArray *warnings,
                                  GError **error);
gboolean pipelines_make_dir(const char *dir, GError **error);
/* To a temporary name, synced, renamed. */
gboolean pipelines_write_file(const char *path, const char *data, size_t len, GError **error);
/* Are all files there that pipelines_write_document would write, images apart? */
gboolean pipelines_outputs_exist(const char *dir, const char *stem, unsigned formats);
/* JSON for people and programs: compact, or indented by two; newline at the end. Free with g_free. */
char *pipelines_json_line(const json_t *json);
char *pipelines_json_text(const json_t *json);
/* JSON string of a file name of any bytes. */
json_t *pipelines_json_path(const char *path);

/* ---- journal ---- */

/* One line of convert.jsonl. Strings owned; NULL where they have no meaning. */
typedef struct {
    char *input; /* absolute path; percent-escaped where it is not UTF-8 */
    char *stem;
    char *sha256;
    char *options; /* hash of what the outputs depend on besides the input */
    gboolean ok;
    char *error;
    guint n_pages, n_failed_pages;
    double seconds;
    GPtrArray *warnings; /* of char * */
} pipelines_record;

pipelines_record *pipelines_record_new(void);
void pipelines_record_free(pipelines_record *record);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(pipelines_record, pipelines_record_free)
json_t *pipelines_record_to_json(const pipelines_record *record);

typedef struct pipelines_journal pipelines_journal;

/* dir/convert.jsonl, made when missing. A last line cut short by a kill is dropped; foreign lines are kept out.
 * Takes a lock, so two batches into one folder do not mix. */
pipelines_journal *pipelines_journal_open(const char *dir, GError **error);
/* Rewrites the file: one line per input, sorted. */
gboolean pipelines_journal_close(pipelines_journal *journal, GError **error);
void pipelines_journal_free(pipelines_journal *journal); /* without the rewrite */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(pipelines_journal, pipelines_journal_free)
/* The last record of an input, lent; NULL when there is none. */
const pipelines_record *pipelines_journal_lookup(pipelines_journal *journal, const char *input);
/* The stem an input has or gets: its own when free, else STEM-2, STEM-3, ... What an earlier run gave stays. */
const char *pipelines_journal_stem(pipelines_journal *journal, const char *input);
/* Append and keep; takes record. One thread at a time. */
gboolean pipelines_journal_append(pipelines_journal *journal, pipelines_record *record,
                                  GError **error);

/* ---- worker processes ---- */

/* "auto", "off", "force"; NULL is auto. FALSE: none of them. */
gboolean pipelines_ocr_mode_parse(const char *name, layout_ocr_mode *mode);

typedef struct {
    const char *path, *password; /* password NULL: none */
    const GArray *pages;         /* layout_page_range; NULL: all */
    int n_threads;               /* that read pages; the result is the same for any */
    gboolean keep_hidden;        /* text that no reader sees */
    layout_ocr_mode ocr;         /* of a worker's jobs: what its options say */
    const char *ocr_languages;   /* likewise */
    const char *dir, *stem;      /* dir NULL: write nothing */
    pipelines_output_options output;
    gboolean want_document; /* hand the document back */
} pipelines_job;

typedef struct {
    guint n_pages, n_failed_pages;
    GPtrArray *warnings; /* of char * */
    double read_seconds, write_seconds;
    lode_document *document;
} pipelines_job_result;
void pipelines_job_result_clear(pipelines_job_result *result);

typedef struct {
    double stall_seconds;  /* killed after so long without a finished page; 0 = 120 */
    uint64_t memory_limit; /* address space in bytes; 0 = 4 GiB */
    int n_threads;         /* that read pages, for jobs that name no number; 0 = 1 */
    layout_ocr_mode ocr;
    const char *ocr_languages; /* NULL: by the page; must outlive the worker */
} pipelines_worker_options;

typedef struct pipelines_worker pipelines_worker;

/* The process starts with the first job, and again after one that it did not survive. One thread at a time. */
pipelines_worker *pipelines_worker_new(const pipelines_worker_options *options);
void pipelines_worker_free(pipelines_worker *worker);
gboolean pipelines_worker_run(pipelines_worker *worker, const pipelines_job *job, const int *cancel,
                              pipelines_job_result *result, GError **error);
/* The other side: jobs from stdin until its end. Returns the exit code. */
int pipelines_worker_main(int argc, char **argv);

/* Do one job in this process. */
gboolean pipelines_job_run(const pipelines_job *job, const int *cancel,
                           void (*progress)(int page, int n_pages, void *user_data),
                           void *user_data, pipelines_job_result *result, GError **error);

/* ---- batch conversion ---- */

typedef struct {
    const char *dir; /* of the outputs */
    const char *password;
    const GArray *pages;  /* layout_page_range; NULL: all */
    gboolean keep_hidden; /* text that no reader sees */
    pipelines_output_options output;
    int n_jobs; /* threads in all, 0 = one per core: files first, then pages of one file */
    gboolean force;
    pipelines_worker_options worker;
    const int *cancel;
    /* One at a time, in the order in which files finish. skipped: unchanged since an earlier run. */
    void (*done)(const char *path, const pipelines_record *record, gboolean skipped,
                 void *user_data);
    void *user_data;
} pipelines_batch_options;

typedef struct {
    size_t n_converted, n_skipped, n_failed, n_left; /* left: cancelled before their turn */
    guint64 n_pages;
} pipelines_batch_report;

/* Fails only when nothing can be done (the folder, the journal). */
gboolean pipelines_batch_run(GPtrArray *inputs, const pipelines_batch_options *options,
                             pipelines_batch_report *report, GError **error);

int pipelines_n_cores(void);

/* ---- indexing ---- */

/* How a thread of its own reads files: in this process, or by a worker. */
typedef struct {
    gpointer (*open)(gpointer data);
    lode_document *(*read)(gpointer reader, const char *path, const char *password,
                           const int *cancel, GError **error);
    void (*close)(gpointer reader);
    gpointer data;
} pipelines_reader;

const pipelines_reader *pipelines_reader_in_process(void);

typedef enum {
    PIPELINES_INDEX_ADDED,
    PIPELINES_INDEX_REPLACED,
    PIPELINES_INDEX_UNCHANGED,
    PIPELINES_INDEX_PRUNED,
    PIPELINES_INDEX_FAILED
} pipelines_index_outcome;
const char *pipelines_index_outcome_name(pipelines_index_outcome outcome);

typedef struct {
    int n_jobs;
    const char *password;
    gboolean prune;
    const int *cancel;
    const pipelines_reader *reader;
    /* In input order; message NULL unless it failed. */
    void (*done)(const char *path, pipelines_index_outcome outcome, const GError *failure,
                 size_t n_done, size_t n_total, void *user_data);
    void *user_data;
} pipelines_index_options;

/* Documents enter in input order whatever the number of threads: the same inputs make the same library, also
 * over several runs with kills between them. LODE_ERROR_CANCELLED when stopped: what is in stays in. */
gboolean pipelines_index_run(retrieval_library *library, GPtrArray *inputs,
                             const pipelines_index_options *options, lode_index_report *report,
                             GError **error);

/* ---- models ---- */

typedef struct {
    engine_model *model;
    char *id;           /* "NAME sha256:HEX" */
    char *query_prefix; /* embedders; "" where none */
} pipelines_model;

/* options NULL: the defaults. path NULL: the default of its kind, LODE_ERROR_NOT_FOUND when it is not installed. */
pipelines_model *pipelines_model_open(const char *path, engine_kind kind,
                                      const engine_model_options *options, GError **error);
pipelines_model *pipelines_model_open_any(const char *path, const engine_model_options *options,
                                          GError **error);
/* SHA-256 of a large file, remembered between runs; g_free. */
char *pipelines_cached_sha256(const char *file, GError **error);
void pipelines_model_free(pipelines_model *model);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(pipelines_model, pipelines_model_free)

/* NULL: defaults; fields an older program does not know keep theirs. */
lode_generate_options pipelines_generate_options(const lode_generate_options *options);
/* lode_generate: NULL with error; g_free. */
char *pipelines_generate(const engine_model *model, engine_pool *pool, const char *prompt,
                         const lode_generate_options *options, GError **error);

/* ---- evidence ---- */

/* A stretch of a passage: hits[passage]->text [start, start + len). */
typedef struct {
    guint passage; /* index into the hits */
    uint32_t start, len;
    double score; /* 0..1, for the question or claim it was chosen for */
} pipelines_quote;

/* Content words of a text, lower case, stop words left out, lightly stemmed; as a set. */
GHashTable *pipelines_content_words(const char *text, size_t len);
/* Members of a set of strings that another has. */
guint pipelines_count_in(GHashTable *set, GHashTable *other);
/* Share of the words of a set that another has; 0 of an empty one. */
double pipelines_share_of(GHashTable *words, GHashTable *there);

/* Rank the sentences of the passages for the question: GArray of pipelines_quote, best first. embedder may be
 * NULL: words alone. */
GArray *pipelines_rank_sentences(GPtrArray *hits, const char *question,
                                 const pipelines_model *embedder, engine_pool *pool,
                                 const int *cancel, GError **error);
/* The sentence of one passage that supports the claim best, by the claim's content words found in it. */
pipelines_quote pipelines_best_support(const retrieval_hit *hit, guint passage, const char *claim,
                                       size_t len);
/* What speaks against a claim's resting on text [start, start + len) of a passage, the sentences it touches: a number it
 * has not, fewer than min_shared of the claim's content words, a negation or a direction the other way; g_free. NULL:
 * nothing. *elsewhere: another stretch may carry the claim all the same. */
char *pipelines_support_problem(const retrieval_hit *hit, size_t start, size_t len,
                                const char *claim, double min_shared, gboolean *elsewhere);
/* Why an answer is insufficient, for people. */
typedef struct {
    char *reason;
    GPtrArray *missing; /* of char *: words of the question that no passage has */
    GPtrArray *tried;   /* of char *: a line each */
    double confidence;  /* 0..1 that the passages speak of what was asked */
} pipelines_shortfall;

/* Do the passages speak of what is asked? ranked: of pipelines_rank_sentences, embedded: with an embedder. shortfall
 * (may be NULL): its confidence is set, and the missing words added. */
gboolean pipelines_evidence_suffices(GPtrArray *hits, const char *question, const GArray *ranked,
                                     gboolean embedded, pipelines_shortfall *shortfall);
/* Does a text speak to the program that reads it ("ignore previous instructions")? Such a sentence is no evidence. */
gboolean pipelines_is_instruction(const char *text, size_t len);
/* Sentences of a text as pipelines_quote (passage 0). */
GArray *pipelines_sentences(const char *text, size_t len);
/* The same of a passage: a row of a table is one, whatever its cells say. */
GArray *pipelines_hit_sentences(const retrieval_hit *hit);
/* cell.c: of a stretch in one row of a table the cell that answers the question or, where claim is not NULL, carries the
 * claim; the stretch itself where that takes more than one. */
pipelines_quote pipelines_cell_narrow(const retrieval_hit *hit, const pipelines_quote *stretch,
                                      const char *question, const char *claim);

/* ---- prompt ---- */

typedef struct {
    engine_message messages[2]; /* system, user; their texts are the prompt's own */
    char *system, *user;
    guint n_passages; /* the first so many hits are in it */
} pipelines_prompt;
void pipelines_prompt_free(pipelines_prompt *prompt);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(pipelines_prompt, pipelines_prompt_free)
/* A hit's text, max_bytes at most, as data: between marks that the text can neither open nor close. */
void pipelines_append_passage(GString *out, const retrieval_hit *hit, guint number,
                              size_t max_bytes);

typedef enum {
    PIPELINES_PROMPT_CLAIMS,    /* whole passages; the reply is JSON, see claims.c */
    PIPELINES_PROMPT_SENTENCES, /* whole passages; the reply is text with [n] */
    PIPELINES_PROMPT_COPY       /* the chosen sentences only; the reply is one of them */
} pipelines_prompt_style;

/* The first n_hits passages, numbered, as many as fit into n_context - max_tokens, then the question. chosen (of
 * pipelines_quote): the sentences of PIPELINES_PROMPT_COPY, else NULL. judgements (of pipelines_judgement, one per hit):
 * their summaries are notes for PIPELINES_PROMPT_CLAIMS; may be NULL. LODE_ERROR_LIMIT when not even the question
 * fits. */
pipelines_prompt *pipelines_prompt_new(const lode_writer *writer, GPtrArray *hits, guint n_hits,
                                       pipelines_prompt_style style, const GArray *chosen,
                                       const GArray *judgements, const char *question,
                                       uint32_t n_context, uint32_t max_tokens, GError **error);

/* Drops "[n]" with n outside 1..n_passages from a text that comes in pieces. */
typedef struct {
    guint n_passages;
    guint n_removed;
    GString *held; /* "[12" that may yet become a citation */
} pipelines_citation_filter;
void pipelines_citation_filter_feed(pipelines_citation_filter *filter, const char *text, size_t len,
                                    GString *out);
void pipelines_citation_filter_finish(pipelines_citation_filter *filter, GString *out);

/* ---- answers ---- */

typedef struct {
    guint passage;         /* index into the hits */
    int number;            /* as printed: that of its passage, in the order of first use */
    pipelines_quote quote; /* the stretch of the passage */
    pipelines_match match; /* how what was quoted stands there; EXACT for what lode quotes itself */
    double match_score;
} pipelines_citation;

typedef struct {
    char *text; /* one statement, without numbers */
    gboolean supported;
    gboolean verbatim; /* it is its own quote, and printed as one */
    GArray *citations; /* of guint: indices into the answer's citations */
    char *problem;     /* what is wrong with it, NULL where nothing is */
} pipelines_claim;

struct lode_answer {
    lode_answer_status status;
    gboolean extractive;
    gboolean
        by_document; /* from the web: one number for each page or paper, not for each passage */
    char *question;
    GString *text;
    char *short_answer; /* the words of the best sentence that answer; NULL where there are none */
    GPtrArray *hits;    /* of retrieval_hit: the passages, in the order they were shown */
    GArray *judgements; /* of pipelines_judgement, one per hit; NULL where they were not judged */
    guint n_found;      /* passages looked at */
    guint n_shown;      /* of hits in the prompt */
    lode_context context;   /* as it was done: not AUTO */
    GArray *numbers;        /* of guint: the passage of number i + 1 */
    GPtrArray *claims;      /* of pipelines_claim, in order */
    GPtrArray *quotes;      /* of char *, one per citation: verbatim */
    GPtrArray *works;       /* of char *, one per citation: "Li et al. 2023" */
    GArray *cells;          /* of pipelines_cell, one per citation; row 0 where it is none */
    GArray *citations;      /* of pipelines_citation, by number and place */
    GPtrArray *references;  /* of GPtrArray of retrieval_reference: what each quote cites itself;
                               one per citation, or none at all without a library */
    GPtrArray *unsupported; /* of char *: statements no quote carries */
    GPtrArray *conflicts;   /* of pipelines_conflict: quotes that contradict each other */
    GArray *chosen;         /* of pipelines_quote: what to quote; NULL: the best sentences */
    pipelines_shortfall shortfall;
    guint n_removed; /* citation numbers that did not exist */
    char *prompt;    /* NULL when extractive */
    char *reasoning; /* a reasoning writer's thoughts, NULL where there are none */
    char *writer_id, *embedder_id, *reranker_id;
    uint32_t writer_context; /* tokens it holds; 0: not known, or no writer */
    guint writer_claims;     /* pipelines_writer: most_claims */
    json_t *replies;         /* of a writer elsewhere: writer_record.c; NULL: none */
    lode_ask_options options;
    engine_generate_result generation;
    double retrieve_seconds, answer_seconds;
};

struct lode_reranker {
    pipelines_model *model; /* owned; NULL: a writer's, which it borrows */
    retrieval_reranker inner;
    char *id;
};

/* path NULL: the writer's own model, which must run here and outlive it. */
lode_reranker *pipelines_reranker_open(const char *path, const lode_writer *writer,
                                       engine_pool *pool, const engine_model_options *options,
                                       GError **error);

typedef struct {
    retrieval_library *library;
    const char *library_dir;
    const pipelines_model *embedder; /* NULL: words alone */
    const lode_writer *writer;       /* NULL: extractive */
    engine_pool *pool;               /* not NULL when one of them runs here */
    const char *where;               /* only passages for which this holds; NULL: all */
    const lode_reranker *reranker;   /* unless the options have one; NULL: none */
} pipelines_ask_context;

lode_answer *pipelines_ask(const pipelines_ask_context *context, const char *question,
                           const lode_ask_options *options, GError **error);
/* NULL: defaults; fields an older program does not know keep theirs. */
lode_ask_options pipelines_ask_options(const lode_ask_options *options);
lode_box pipelines_box(const layout_box *box);
json_t *pipelines_answer_to_json(const lode_answer *answer);
/* The record of a run: what it was asked, with what, and what came out. */
json_t *pipelines_run_to_json(const lode_answer *answer);
/* Fill in options as a record's settings have them; texts in it live as long as settings. */
void pipelines_run_options(const json_t *settings, lode_ask_options *options);
/* Keep the run in dir/runs/; returns the file's name (g_free). */
char *pipelines_record_run(const lode_answer *answer, const char *dir, GError **error);

G_END_DECLS
#endif

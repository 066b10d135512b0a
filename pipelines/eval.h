/* Evaluation: a data set, a way of answering -> predictions -> scores -> a report.
 *
 *     eval_data.c     corpus.jsonl, questions.jsonl, queries.jsonl, qrels.tsv; SQuAD JSON; BEIR folders
 *     eval_text.c     texts as the metrics see them
 *     eval_score.c    one prediction -> its metrics; all of them -> means with intervals
 *     eval_infer.c    one question -> a prediction, by lane
 *     eval_run.c      all questions, resumable
 *     eval_report.c   Markdown and HTML of one run; eval_diff.c of two
 *
 * Metrics are those of SQuAD (Rajpurkar et al., arXiv:1606.05250) and trec_eval; eval_score.c has their definitions. */
#ifndef LODE_PIPELINES_EVAL_H
#define LODE_PIPELINES_EVAL_H

#include "pipelines/internal.h"
#include "pipelines/writer.h"

G_BEGIN_DECLS

/* ---- data sets ---- */

typedef struct {
    char *id, *title, *text;
} eval_document;

typedef struct {
    char *doc, *quote; /* quote "" where there is none */
} eval_evidence;

typedef struct {
    char *id, *text, *type; /* type "" where there is none */
    char *label, *doc;      /* NULL where there is none */
    GPtrArray *answers;     /* of char * */
    GPtrArray *parts;       /* of GPtrArray of char *: of an answer that is a list; NULL: none */
    GArray *evidence;       /* of eval_evidence */
    gboolean answerable;
} eval_question;

typedef struct {
    char *name, *sha256; /* of all its files */
    GArray *documents;   /* of eval_document */
    GArray *questions;   /* of eval_question, in the order of the file */
    GHashTable
        *judgements;   /* question id -> GHashTable of document id -> relevance + 1; may be empty */
    GHashTable *by_id; /* document id -> eval_document */
    GPtrArray *labels; /* of char *, sorted; empty where it has none */
    gboolean tells_answerable;
} eval_dataset;

/* path: a folder (corpus.jsonl with questions.jsonl, or with queries.jsonl and qrels.tsv or qrels/test.tsv), or a file of
 * SQuAD JSON. corpus: another corpus.jsonl; may be NULL. */
eval_dataset *eval_dataset_load(const char *path, const char *corpus, GError **error);
void eval_dataset_free(eval_dataset *dataset); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(eval_dataset, eval_dataset_free)

/* ---- texts (eval_text.c) ---- */

/* Lower case, dashes and slashes as blanks, no punctuation, no articles, single blanks; g_free. */
char *eval_normal(const char *text);
/* Lower case, single blanks: how a quote is looked up; g_free. */
char *eval_flat(const char *text);
/* An answer without its "[3]". */
char *eval_without_marks(const char *text); /* g_free */
double eval_token_f1(const char *answer, const char *gold);
/* gold's tokens stand in text in a row. */
gboolean eval_holds(const char *text, const char *gold);
/* 80 % of gold's tokens stand in cited, in order. */
gboolean eval_covers(const char *cited, const char *gold);
/* Of labels the one that is named first in text; NULL. */
const char *eval_named_label(const char *text, const GPtrArray *labels);

/* ---- scores ---- */

typedef enum {
    EVAL_RETRIEVAL,
    EVAL_ANSWER,
    EVAL_LABEL, /* yes / no / maybe */
    EVAL_CLAIM, /* supported, contradicted, neither, and by which sentences */
    EVAL_PAPER, /* questions on one long paper each */
    EVAL_HOPS   /* several documents together */
} eval_lane;

const char *eval_lane_name(
    eval_lane lane); /* "retrieval", "answer", "label", "claim", "paper", "hops" */
gboolean eval_lane_parse(const char *name, eval_lane *lane);
/* What the questions ask for. */
eval_lane eval_lane_guess(const eval_dataset *dataset);

/* One metric over the questions it applies to. */
typedef struct {
    char *name;
    double mean, low, high; /* the 95 % interval */
    guint n;
} eval_metric;

/* Metrics of one question by name; values may be absent. */
typedef struct {
    char *id, *type;
    GHashTable *values; /* name -> double * */
    char *gold, *got;   /* of a labelled set; got NULL: no label */
} eval_row;

typedef struct {
    GPtrArray *rows;    /* of eval_row * */
    GPtrArray *metrics; /* of eval_metric *, in the order of the definitions */
    guint n_absent;     /* questions without a prediction: they count 0 */
    guint n_refused;
    guint n_with_evidence, n_refused_wrongly; /* of the questions asked: with gold evidence; those of them refused */
} eval_scores;

/* predictions: question id -> json_t. questions: ids that were asked, NULL: all. */
eval_scores *eval_score(const eval_dataset *dataset, eval_lane lane, GHashTable *predictions,
                        GHashTable *asked, uint64_t seed);
void eval_scores_free(eval_scores *scores);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(eval_scores, eval_scores_free)

enum { EVAL_RESAMPLES = 1000 };

/* values [n]: percentile bootstrap of the mean, same seed, same interval.
 * Source: Efron and Tibshirani, "An introduction to the bootstrap", 1993, chapter 13. */
void eval_bootstrap(const double *values, size_t n, uint64_t seed, double *low, double *high);
/* Of paired differences [n]: the interval of their mean and how often, were there no difference, one as large would be
 * seen (two-sided; Berg-Kirkpatrick, Burkett and Klein, EMNLP 2012). */
double eval_paired_test(const double *differences, size_t n, uint64_t seed, double *low,
                        double *high);
uint64_t eval_random(uint64_t *state); /* splitmix64 */

/* ---- inference ---- */

typedef struct {
    eval_lane lane;
    const eval_dataset *dataset;
    pipelines_ask_context ask;
    lode_ask_options options;
    gboolean dense; /* the library has vectors */
    const int *cancel;
} eval_context;

/* The documents into the library: whole papers cut like those of lode index, short texts as they are. */
gboolean eval_index(retrieval_library *library, const eval_dataset *dataset, const int *cancel,
                    GError **error);
/* One line of predictions.jsonl. Thread-safe. */
json_t *eval_infer(const eval_context *context, const eval_question *question, GError **error);

/* ---- runs ---- */

typedef struct {
    const char *dir;  /* of the outputs */
    const char *spec; /* name of the data set for people */
    json_t *settings; /* all that the predictions depend on */
    guint n_jobs;
    guint limit; /* 0: all questions */
    uint64_t seed;
    const int *cancel;
    void (*progress)(size_t n_done, size_t n_total, void *user_data);
    void *user_data;
} eval_run_options;

/* Ask what predictions.jsonl has no answer to yet, then score all and write results.json, report.md and report.html.
 * The results, or NULL with error; *n_failed: questions that failed, each with a line in errors.jsonl. */
json_t *eval_run(const eval_context *context, const eval_run_options *options, guint *n_failed,
                 GError **error);

/* ---- reports ---- */

char *eval_report_markdown(const json_t *results); /* g_free */
char *eval_report_html(const json_t *results);     /* g_free */

/* Two results.json: {"metrics": [...], "regressions": [...], "improvements": [...], "settings": [...]}; NULL with
 * error. */
json_t *eval_diff(const json_t *a, const json_t *b, uint64_t seed, GError **error);
char *eval_diff_markdown(const json_t *diff);
/* results.json of a folder, or the file itself. */
json_t *eval_results_load(const char *path, GError **error);

G_END_DECLS
#endif

/* lode search: what its parts share.
 *
 *   web_run.c     the plan is carried out: waves of sub-questions, pages read as they come
 *   web_read.c    what a server sent -> a document in a library that lives as long as the run
 *   web_chain.c   passages -> the sentences that answer over several of them, without a writer
 *   web_answer.c  passages -> the answers of the sub-questions, and the one of the question
 *   web_watch.c   the deadline, for models that write or embed
 *   web_events.c  what happens, as JSON; the record of a run
 *   web_json.c    the whole as JSON; web_html.c as a page */
#ifndef LODE_PIPELINES_WEB_H
#define LODE_PIPELINES_WEB_H

#include <stdio.h>

#include "pipelines/answer.h"
#include "search/search.h"

G_BEGIN_DECLS

typedef enum {
    WEB_PAGE_FOUND, /* not asked for yet */
    WEB_PAGE_COMING,
    WEB_PAGE_PAPER, /* a PDF that waits for its reader */
    WEB_PAGE_READ,
    WEB_PAGE_FAILED
} web_page_state;

/* A page, a paper, or a document of the user's own library. */
typedef struct {
    char *key;       /* canonical URL, or the document's path */
    search_hit *hit; /* as it was found first; NULL for own documents */
    web_page_state state;
    const char *kind; /* "page", "paper", "abstract", "own"; static */
    char *title, *problem;
    gint64 retrieved;         /* Unix time */
    gboolean cached, flagged; /* flagged: text in it speaks to programs */
    guint64 transfer;         /* of WEB_PAGE_COMING */
    GPtrArray *tasks;         /* that wait for it, lent */
    GBytes *paper;            /* of WEB_PAGE_PAPER */
    retrieval_hit *best;      /* the passage by which it was found; NULL: none */
} web_page;

typedef struct web_run web_run;

/* Lent for the run. */
typedef struct {
    GPtrArray *providers;
    search_client *client;
    retrieval_library *own; /* NULL: none */
    const pipelines_model *embedder;
    const lode_writer *writer;
    engine_pool *pool;
    pipelines_worker *worker; /* reads PDFs; NULL: in this process */
    lode_web_options options; /* filled in */
    lode_ask_options ask;     /* the same */
    /* json is the event; run is as it stands. May be NULL. */
    void (*event)(const char *name, json_t *json, const web_run *run, void *user_data);
    void *user_data;
} web_setup;

struct web_run {
    const web_setup *setup;
    search_plan *plan;
    search_trail *trail;
    char *dir; /* of the library of what was read */
    retrieval_library *library;
    GPtrArray *pages; /* of web_page, as they were found */
    GHashTable *by_key;
    GHashTable *steps;    /* search_node * -> its step of the trail + 1 */
    GPtrArray *seen_by;   /* of search_node *: who saw the trail's passages first */
    GHashTable *quotes;   /* search_node * -> GPtrArray of char *: path, quote, path, quote, ... */
    GPtrArray *problems;  /* of char *: a line each */
    GPtrArray *providers; /* of search_provider *, lent: those that have not failed */
    lode_answer *answer;
    GPtrArray *ranking;     /* of web_page *, lent: those with a passage, best first */
    gint64 start, deadline; /* monotonic */
    int stop;               /* raised by the watcher: at the deadline, or when the caller cancels */
    GThread *watcher;
    GMutex watch_lock;
    GCond watch_wakes;
    gboolean watch_over; /* under the lock */
    gint64 started_at;      /* Unix time */
    gboolean closing;       /* what is under way is being cut off: nothing new begins */
    gboolean cut_off;
    double seconds;
    FILE *record;
    GHashTable *resumed; /* asked -> json of its node_answer; NULL: nothing to resume */
};

struct lode_web_answer {
    search_plan *plan;
    lode_answer *answer;
    GPtrArray *pages, *ranking, *problems;
    char *providers;
    gboolean cut_off;
    double seconds;
};

/* NULL: defaults; fields an older program does not know keep theirs. */
lode_web_options pipelines_web_options(const lode_web_options *options);
search_client *pipelines_web_client(const lode_web_options *options, GError **error);
/* NULL with error only where nothing could be begun. */
lode_web_answer *pipelines_web_search(const web_setup *setup, const char *question, GError **error);

/* ---- web_read.c ---- */

gboolean web_library_open(web_run *run, GError **error);
void web_library_close(web_run *run);
/* Take what came for a page: now, or for a paper, its bytes for web_read_paper. */
void web_read_response(web_run *run, web_page *page, const search_response *response);
void web_read_paper(web_run *run, web_page *page);
/* The abstract that came with the hit, where the paper itself could not be read. */
gboolean web_read_abstract(web_run *run, web_page *page);

/* ---- web_answer.c ---- */

/* The passages of these pages [web_page *] for a question, best first, by words, and by meaning where there is an
 * embedder and by_words does not say otherwise; each page's best is kept in it. */
GPtrArray *web_passages(web_run *run, const GPtrArray *pages, const char *question,
                        gboolean by_words, GError **error);
/* Answer a sub-question from passages, and settle it. by_words: neither model is asked. */
gboolean web_answer_node(web_run *run, search_node *node, GPtrArray *passages, gboolean by_words,
                         GError **error);
/* The answer to the question itself. */
gboolean web_answer_question(web_run *run, GError **error);

/* ---- web_chain.c ---- */

/* Choose what to quote for the question, and its short answer: the sentence that answers and the one that leads to it,
 * of a comparison for each side. Without such a chain the answer stays as it is. */
void web_choose_quotes(const web_run *run, lode_answer *answer);
/* The sides of a comparison, the parts of a question: nodes that the plan asked for themselves. g_ptr_array_unref. */
GPtrArray *web_parts(const web_run *run);
/* Does another node wait for its answer? */
gboolean web_is_needed(const web_run *run, search_node *node);

/* ---- web_watch.c ---- */

void web_watch_begin(web_run *run); /* run->deadline is set, run stays where it is */
void web_watch_end(web_run *run);

/* ---- web_events.c ---- */

void web_event(web_run *run, const char *name, json_t *json); /* takes json */
void web_problem(web_run *run, const char *format, ...) G_GNUC_PRINTF(2, 3);
json_t *web_node_to_json(const search_node *node);
json_t *web_page_to_json(const web_page *page);
/* The record: one line per event, so that another run can go on; FALSE with error where it cannot be written. */
gboolean web_record_open(web_run *run, GError **error);

/* ---- web_json.c, web_html.c ---- */

json_t *pipelines_web_to_json(const lode_web_answer *answer);
char *pipelines_web_to_html(const lode_web_answer *answer); /* g_free */
/* "URL#:~:text=first,last": the quote on its page, as browsers show it; the URL alone for what is no page. g_free. */
char *pipelines_text_link(const char *url, const char *quote);
/* MindSearch's stream: one object per event, everything so far in it. */
json_t *pipelines_web_stream(const web_run *run, const char *event, const json_t *json);

void web_page_free(web_page *page);

G_END_DECLS
#endif

/* search: the web side. The only module that opens network connections.
 *
 *   search_fetch, search_download   one transfer, with limits, an address policy on every hop, resume, checksum
 *   search_client                   many transfers at once on one thread: cache, robots.txt, rates, retries
 *   search_query                    one question to several search engines and catalogues of papers
 *   search_plan, search_trail       a question -> smaller ones, and what to ask next
 *
 * Fetching speaks http and https only, to ports 80, 443 and from 1024 on, and verifies certificates (against
 * $SSL_CERT_FILE where that is set, else the system's). URLs with a password are refused. Proxies are those
 * of the environment (http_proxy, https_proxy, all_proxy, no_proxy); behind one, the proxy resolves names,
 * so of the address policy only what the URL itself shows can be enforced: addresses, and local names.
 *
 * Thread-safe, with nothing kept between calls, but for what takes a search_client: that is used by one
 * thread at a time. Errors are GError in SEARCH_ERROR. */
#ifndef LODE_SEARCH_SEARCH_H
#define LODE_SEARCH_SEARCH_H

#include <glib.h>
#include <stdint.h>

#include "layout/layout.h"

G_BEGIN_DECLS

#define SEARCH_ERROR (search_error_quark())
GQuark search_error_quark(void);

typedef enum {
    SEARCH_ERROR_URL,      /* not an http(s) URL */
    SEARCH_ERROR_ADDRESS,  /* loopback, private, link-local, multicast: not allowed */
    SEARCH_ERROR_NETWORK,  /* name, connection, TLS, time */
    SEARCH_ERROR_STATUS,   /* HTTP status >= 400 */
    SEARCH_ERROR_LIMIT,    /* too large, too slow, too many redirects */
    SEARCH_ERROR_CHECKSUM, /* not the bytes that were promised */
    SEARCH_ERROR_IO,
    SEARCH_ERROR_FORMAT, /* not what a search engine answers */
    SEARCH_ERROR_CANCELLED,
    SEARCH_ERROR_ROBOTS,  /* the site's robots.txt asks programs to stay away */
    SEARCH_ERROR_OFFLINE, /* not in the cache, and nothing else is asked */
    SEARCH_ERROR_KEY,     /* a key is missing or was not taken */
    SEARCH_ERROR_QUOTA    /* out of credits, or asked too often */
} search_error_code;

typedef struct {
    uint64_t max_bytes;     /* of the body after decompression; 0 = 32 MiB (8 GiB for downloads) */
    double connect_seconds; /* 0 = 10 */
    double total_seconds;   /* 0 = 60 (none for downloads) */
    double stall_seconds;   /* fewer than 1 byte/s for so long ends it; 0 = 30 */
    guint max_redirects;    /* 0 = 5 */
    gboolean allow_private; /* loopback, private and link-local targets */
    const char *user_agent; /* NULL = "lode/VERSION" */
    const int *cancel;      /* may be NULL */
    void (*progress)(uint64_t done, uint64_t total,
                     void *user_data); /* total 0 = unknown; may be NULL */
    void *user_data;
} search_fetch_options;

/* What a body is by its first bytes, with the declared type to decide between what looks alike. */
typedef enum {
    SEARCH_CONTENT_OTHER, /* pictures, archives, programs ... */
    SEARCH_CONTENT_HTML,
    SEARCH_CONTENT_PDF,
    SEARCH_CONTENT_TEXT,
    SEARCH_CONTENT_JSON,
    SEARCH_CONTENT_XML
} search_content;

typedef struct {
    long status;
    char *url;          /* after redirects */
    char *content_type; /* lower case, without parameters; "" where absent */
    char *charset;      /* from the header, NULL where absent */
    GBytes *body;
    search_content content;
    gint64 retrieved; /* Unix time at which the server sent it, or last said that it still holds */
    gboolean cached;  /* out of the cache, with or without asking whether it still holds */
} search_response;
void search_response_free(search_response *response); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(search_response, search_response_free)

/* GET into memory, whatever compression undone. options NULL: defaults. Anything but a 2xx at the end of the
 * redirects is SEARCH_ERROR_STATUS. Nothing is tried twice. */
search_response *search_fetch(const char *url, const search_fetch_options *options, GError **error);

/* GET into a file: written to path + ".part", resumed from what a broken transfer left there, checked
 * against sha256 (hex, NULL = unchecked), synced, renamed. A wrong checksum removes the part.
 *
 * A transfer that breaks, stalls or meets a passing server error (408, 425, 429, 5xx) goes on where it
 * stopped, up to 4 times in a row without progress; a host that cannot be reached at all is an error at
 * once. Without sha256, the part of an earlier run is only used while the server's ETag or Last-Modified is
 * the one it came with (kept in path + ".part.etag"). Two processes cannot download to the same path. */
gboolean search_download(const char *url, const char *path, const char *sha256,
                         const search_fetch_options *options, GError **error);

/* ---- many at once ---- */

/* Transfers over one connection pool, driven by the thread that calls search_client_run: no thread per
 * transfer. Each one passes, in this order:
 *
 *   cache        fresh: the answer; offline: the answer or SEARCH_ERROR_OFFLINE
 *   robots.txt   of its host (RFC 9309), asked for once a day
 *   its turn     so many at once in all and per host, so many per second and host (arXiv: one in 3 s ...)
 *   the web      with If-None-Match or If-Modified-Since where the cache has an older answer
 *   again        after 408, 425, 429, 5xx or a broken connection: Retry-After, or 1, 2, 4, 8 s
 *
 * One thread at a time. */
typedef struct search_client search_client;

typedef struct {
    const char *contact;    /* your mail address or page, for the User-Agent; NULL = none */
    const char *cache_dir;  /* created with mode 0700; NULL = no cache on disk */
    double cache_seconds;   /* answers younger than this are not asked for again; 0 = 3600 */
    uint64_t cache_bytes;   /* the oldest beyond this are dropped; 0 = 1 GiB */
    guint max_in_flight;    /* 0 = 200 */
    guint max_per_host;     /* 0 = 6 */
    double connect_seconds; /* 0 = 5 */
    double total_seconds;   /* of one attempt; 0 = 20, 120 for a PDF */
    double stall_seconds;   /* 0 = 10 */
    double retry_seconds; /* longest sum of pauses between attempts; 0 = 20, below 0: never again */
    gboolean offline;     /* the cache is all there is */
    gboolean allow_private; /* loopback, private and link-local targets */
    const int *cancel; /* may be NULL; set to 1 by a signal handler: all that is under way ends */
    const char *const
        *resolve; /* "HOST:PORT:ADDRESS", NULL at the end: instead of asking DNS; may be NULL.
                                   The addresses are held to the policy like any other. */
} search_client_options;

/* options may be NULL. Copied but for cancel. */
search_client *search_client_new(const search_client_options *options, GError **error);
/* What is under way ends with SEARCH_ERROR_CANCELLED, callbacks called. NULL is fine. */
void search_client_free(search_client *client);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(search_client, search_client_free)

typedef struct {
    const char *const
        *headers;           /* "Name: value", NULL at the end; may be NULL. Those with keys in them
                                   (Authorization, X-API-Key ...) go to no other host on a redirect. */
    const char *body;       /* sends a POST; NULL: GET */
    const char *body_type;  /* NULL = "application/json" */
    const char *accept;     /* NULL = pages and papers */
    uint64_t max_bytes;     /* 0 = 64 MiB for a PDF, 8 MiB for JSON and XML, 5 MiB for the rest */
    double total_seconds;   /* 0 = the client's */
    gboolean ignore_robots; /* APIs, and URLs that the user typed */
    gboolean
        own_server; /* the user's own: this origin may be private, and is asked without pauses */
    gboolean any_content; /* else what is neither page, paper, text, JSON nor XML is an error */
} search_request;

/* response: to be freed with search_response_free, NULL on failure; then error says why. Each message names
 * the URL, with keys as "***". Called from search_client_run (also for what the cache had), once. */
typedef void (*search_done)(search_response *response, const GError *error, void *user_data);

/* Start a transfer. request: NULL = defaults; copied. Returns its number, for search_client_cancel. */
guint64 search_client_get(search_client *client, const char *url, const search_request *request,
                          search_done done, void *user_data);
/* Its callback is called with SEARCH_ERROR_CANCELLED by the next search_client_run. Numbers that are
 * through already are ignored. */
void search_client_cancel(search_client *client, guint64 number);

/* Drive transfers and call callbacks, which may start and cancel others but not run or free the client, until something was called, or for
 * timeout_ms (< 0: no limit). FALSE when nothing is left to wait for. */
gboolean search_client_run(search_client *client, int timeout_ms);

/* ---- search engines and catalogues ---- */

typedef enum {
    SEARCH_PROVIDER_WEB,     /* searxng brave serper tavily duckduckgo wikipedia */
    SEARCH_PROVIDER_SCIENCE, /* arxiv semanticscholar openalex crossref europepmc pubmed core */
    SEARCH_PROVIDER_OFFLINE  /* kiwix */
} search_provider_group;

typedef struct search_provider search_provider;

/* "NAME[=URL],...": engines to ask together. URL replaces the provider's own, for one's own server or a
 * proxy; a group's name (web, science) stands for those of it that can be asked, "*" for all of these. NULL or
 * "": $LODE_PROVIDER, else the web engines that are configured (a URL or a key in the environment), else
 * duckduckgo and wikipedia. A missing key is no error here but in the answer. Free with g_ptr_array_unref. */
GPtrArray *search_providers_parse(const char *list, GError **error); /* of search_provider * */

/* Lent: static, or as long as the provider. */
const char *search_provider_name(const search_provider *provider);
search_provider_group search_provider_get_group(const search_provider *provider);
const char *search_provider_url(const search_provider *provider); /* NULL: none known */
/* NULL when it can be asked, else what is missing and how to set it, one line. Free with g_free. */
char *search_provider_problem(const search_provider *provider);

/* All there are, for help and doctor: name, one-line description, environment variables. NULL past the end. */
typedef struct {
    const char *name, *summary;
    search_provider_group group;
    const char *key_env; /* NULL: no key */
    const char *url_env; /* replaces the URL */
    gboolean key_required;
} search_provider_info;
const search_provider_info *search_provider_list(gsize index);

/* A place where a free PDF is said to be. */
typedef struct {
    const char *provider;          /* static: who says so */
    char *url, *license, *version; /* the last two NULL where not known */
} search_copy;

/* One result. Strings are UTF-8 without markup, NULL where not known. */
typedef struct {
    char *title, *url, *snippet; /* url is never NULL */
    char *published;             /* a date as the provider gives it, ISO 8601 where possible */
    const char *provider;        /* static; of the best rank after fusion */
    char *providers;             /* all that had it, "arxiv,openalex" */
    guint rank;                  /* from 1 */
    double score;                /* of the provider; after fusion the sum of 1 / (60 + rank) */
    gboolean own_server;         /* url is on the user's own server: for search_request */
    /* papers */
    char *pdf_url, *doi, *arxiv, *pmid,
        *pmcid;     /* ids bare: "10.1/x", "2401.04088", "123", "PMC123" */
    char **authors; /* "Family, Given" or "Given Family"; NULL-terminated */
    char *venue, *abstract, *license, *version;
    GPtrArray
        *copies; /* of search_copy *, of a fused hit: every pdf_url that was joined; may be NULL */
    int year;    /* 0 unknown */
    gboolean retracted;
} search_hit;
search_hit *search_hit_copy(const search_hit *hit);
void search_hit_free(search_hit *hit); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(search_hit, search_hit_free)

typedef struct {
    guint limit; /* hits per provider; 0 = 10 */
    const char *
        keywords; /* for engines that want words rather than a question; NULL: made from the query */
    const char *language;   /* "en"; NULL = any */
    int year_from, year_to; /* papers of these years; 0 = open */
    gboolean open_access;   /* papers that can be read freely, where the provider can tell */
} search_query_options;

/* What one provider said. All lent for the call. */
typedef struct {
    const search_provider *provider;
    const char *query;   /* as sent */
    GPtrArray *hits;     /* of search_hit *, NULL on failure */
    const GError *error; /* one line, names the provider and what to do */
    double seconds;
    gboolean cached;
} search_answer;

typedef void (*search_answered)(const search_answer *answer, void *user_data);
/* hits: fused, best first; g_ptr_array_unref. Never NULL, empty when nobody found anything. */
typedef void (*search_fused)(GPtrArray *hits, void *user_data);

/* Ask the providers [search_provider *] at once; they must outlive the query. answered (may be NULL) as each
 * answers, fused at the end, both from search_client_run. options may be NULL. Returns a number for
 * search_client_cancel. */
guint64 search_query(search_client *client, const GPtrArray *providers, const char *query,
                     const search_query_options *options, search_answered answered,
                     search_fused fused, void *user_data);

/* Reciprocal rank fusion of lists [GPtrArray * of search_hit *]: one hit per page or paper, fields completed
 * from each other. The lists stay as they are. */
GPtrArray *search_hits_fuse(const GPtrArray *lists);

/* Which hits [search_hit *] to read first, without a model: words of the question in title and snippet, the rank, what
 * kind of place it is, and not more than two of one host as long as there are others. Returns their indices, best first;
 * g_array_unref. */
GArray *search_hits_select(const GPtrArray *hits, const char *question);

/* ---- papers into a folder ---- */

typedef enum {
    SEARCH_PAPER_FETCHED,
    SEARCH_PAPER_KEPT,         /* was there already */
    SEARCH_PAPER_ABSTRACT_ONLY /* no free PDF was found */
} search_paper_state;

typedef struct {
    search_hit *hit;
    search_paper_state state;
    char *file;              /* base name, NULL where there is no PDF */
    char *source;            /* where it came from */
    char *license, *version; /* as the source says, NULL where it does not */
    char *sha256;
    gint64 retrieved; /* Unix time */
    char *reason;     /* of SEARCH_PAPER_ABSTRACT_ONLY: what was tried */
} search_paper;

typedef struct {
    guint limit;                /* papers; 0 = 20 */
    search_query_options query; /* its limit: per provider, 0 = the papers' */
    const char *unpaywall_url;  /* NULL = $LODE_UNPAYWALL_URL, else https://api.unpaywall.org/v2 */
    search_answered answered;   /* as each provider answers; may be NULL */
    /* As each paper is through, n_done of n_total; may be NULL. paper is lent. */
    void (*progress)(const search_paper *paper, guint n_done, guint n_total, void *user_data);
    void *user_data;
} search_papers_options;

/* Find papers and download those that may be read freely: from arXiv, else Europe PMC, else where Unpaywall (which
 * wants the client's contact), OpenAlex, Semantic Scholar, CORE or Crossref know a copy, else where the landing page names one.
 * Only what is a PDF is kept. In folder, made when missing:
 *
 *   10.1000_x.pdf ...   the papers, one file each
 *   papers.json         what is known of each: ids, source, licence, version, date, SHA-256; or why it has no PDF
 *   papers.bib, papers.csl.json   the same for reference managers, and for lode index --metadata
 *
 * A folder that has papers keeps them: nothing is downloaded twice, also after a run that was ended. NULL with the
 * error set when no provider answered or the folder cannot be written; SEARCH_ERROR_CANCELLED leaves what was
 * done so far. Elements search_paper *, owned by the array. */
GPtrArray *search_papers_fetch(search_client *client, const GPtrArray *providers, const char *query,
                               const char *folder, const search_papers_options *options,
                               GError **error);

/* The same page under one name: lower-case host, no fragment, no default port, no tracking parameters, no slash
 * at the end; arXiv's and DOI's addresses by their id. NULL when it is no http(s) URL. Free with g_free. */
char *search_canonical_url(const char *url);

/* url with the values of keys, tokens and mail addresses as "***". Free with g_free. */
char *search_redact_url(const char *url);

/* Words of a question for engines that join words with AND: without function words, punctuation and
 * operators; at most max_words. Free with g_free. */
char *search_keywords(const char *question, guint max_words);

/* ---- plans ---- */

/* What a question is broken into: a graph of smaller ones, each of which one search can answer. Nodes come in turns: the
 * first from the question alone, later ones from what the answers so far open. Whoever plans, a model, the rules below
 * or the trail, these hold, because here is where nodes are made:
 *
 *   ids match [a-z0-9_]{1,32}; a node needs only nodes that are there, so that the graph has no cycle;
 *   8 nodes a turn, 24 in all, 4 deep, 10 turns at most;
 *   a question whose words are those of another (Jaccard index > 0.85) is that other node.
 *
 * One thread at a time. */
typedef struct search_plan search_plan;

typedef enum {
    SEARCH_NODE_WAITING, /* for the answers it needs, or its turn */
    SEARCH_NODE_SEARCHING,
    SEARCH_NODE_READING,
    SEARCH_NODE_ANSWERED,
    SEARCH_NODE_NO_EVIDENCE, /* nothing that was read answers it */
    SEARCH_NODE_FAILED,      /* nothing could be searched or read */
    SEARCH_NODE_CUT_OFF      /* out of time, or stopped */
} search_node_state;
const char *search_node_state_name(search_node_state state); /* "waiting", "no_evidence", ... */

typedef struct {
    char *id;
    char *question;    /* "{n1}" stands for the answer of n1 */
    char *query;       /* what engines are asked instead of the question; NULL: the question */
    char *phrase;      /* what the question speaks of, "the author of X"; NULL: not known */
    GPtrArray *needs;  /* of search_node *, lent */
    guint turn, depth; /* from 1 */
    search_node_state state;
    char *asked;   /* the question with the answers it needs in it; NULL before it starts */
    char *answer;  /* short; NULL where there is none */
    char *problem; /* why there is none; NULL where not known */
} search_node;

typedef struct {
    guint max_nodes;    /* 0 = 24, which is also the most */
    guint max_per_turn; /* 0 = 8 */
    guint max_depth;    /* 0 = 4 */
    guint max_turns;    /* 0 = 10 */
} search_plan_limits;

/* limits: NULL for the defaults. */
search_plan *search_plan_new(const char *question, const search_plan_limits *limits);
void search_plan_free(search_plan *plan); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(search_plan, search_plan_free)

/* All lent. */
const char *search_plan_question(const search_plan *plan);
guint search_plan_n_nodes(const search_plan *plan);
search_node *search_plan_node(const search_plan *plan, guint index);      /* as they were added */
search_node *search_plan_lookup(const search_plan *plan, const char *id); /* NULL: none */
guint search_plan_turn(const search_plan *plan);

/* FALSE: no turn, or no node, is left. */
gboolean search_plan_begin_turn(search_plan *plan);
/* Add a node to this turn. id NULL: the next free of n1, n2, ...; needs: ids, NULL-terminated, may be NULL. Lent: the
 * node, or the one there is already with this question. NULL with SEARCH_ERROR_LIMIT or SEARCH_ERROR_FORMAT where a
 * rule forbids it. */
search_node *search_plan_add(search_plan *plan, const char *id, const char *question,
                             const char *const *needs, GError **error);
/* Take out a node that waits and that no other needs. */
gboolean search_plan_drop(search_plan *plan, const char *id, GError **error);

/* Nodes that wait for nothing any more, in order; g_ptr_array_unref. */
GPtrArray *search_plan_ready(const search_plan *plan);
/* It begins: node->asked is made, "{n1}" being the answer of n1, or what n1 was about where it has none. */
void search_plan_start(search_plan *plan, search_node *node);
/* It is over. answer, problem: copied, may be NULL. */
void search_plan_settle(search_node *node, search_node_state state, const char *answer,
                        const char *problem);

/* The name that answers, for a question that needs it: the first one in the sentence that the question does not have,
 * else the page's title, else NULL. g_free. */
char *search_answer_name(const char *question, const char *sentence, const char *title);

/* In Graphviz's language, and as JSON: {"question", "nodes": [...], "edges": [[from, to], ...]}. g_free. */
char *search_plan_to_dot(const search_plan *plan);
char *search_plan_to_json(const search_plan *plan);

/* ---- planners ---- */

/* JSON Schema of one turn of a plan:
 *   {"think": "...", "add": [{"id": "n1", "question": "...", "needs": ["n0"]}], "drop": ["n3"], "finish": false} */
extern const char search_plan_schema[];

/* Take one turn from its JSON, whoever wrote it. What a rule forbids is left out, and said in refused (of char *, may be
 * NULL). finish: nothing more is to be asked. FALSE with SEARCH_ERROR_FORMAT when it is no turn, or nothing of it
 * could be taken. */
gboolean search_plan_read(search_plan *plan, const char *json, gsize len, GPtrArray *refused,
                          gboolean *finish, GError **error);

/* A language model, as the caller has one. Returns the reply, to be freed with g_free; NULL with error. */
typedef char *(*search_write)(const char *system, const char *user, const char *json_schema,
                              void *user_data, GError **error);

/* Let a model plan the next turn from the question and the answers so far. A reply that is no turn is told why and
 * tried once more; after that the turn is what the rules make where there is no node yet, else nothing. The first turn
 * has the question itself too. FALSE only where the model itself failed. The turn must have begun. */
gboolean search_plan_write(search_plan *plan, search_write write, void *user_data,
                           GPtrArray *refused, GError **error);

/* The first turn by rules, for English: what stands inside the question ("the director of the film that ..."), the sides
 * of a comparison ("A or B", "both A and B", "the same ... as"), the parts of a question with several. The question
 * itself is always a node. Deterministic. The turn must have begun. */
void search_plan_apply_rules(search_plan *plan);

/* ---- trails ---- */

/* From passage to passage by the names in them, without a model. A passage that speaks of a part of the question often
 * names what the rest is about: "Kris Benson" for "What team was Anna Benson's husband on?". Such a name, searched with
 * the words that no passage on the way has covered yet, leads on; a path is as good as its passages cover the
 * question and as the names are those of the pages they led to. */
typedef struct search_trail search_trail;

typedef struct {
    char *name;  /* that leads on */
    char *query; /* it, and the question's words that are still open */
    guint from;  /* passage it was found in */
    guint step;  /* for search_trail_see */
} search_hop;

search_trail *search_trail_new(const char *question);
void search_trail_free(search_trail *trail); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(search_trail, search_trail_free)

/* Another question is asked on the way, a planner's. Its passages count as those of the question itself, which is step
 * 0. Returns its step. */
guint search_trail_ask(search_trail *trail, const char *question);
/* A passage was found: the rank-th (from 1) of a step's search. key: what tells pages apart; of one page the last text
 * counts. Returns its index. */
guint search_trail_see(search_trail *trail, guint step, const char *key, const char *title,
                       const char *text, guint rank);
/* The round is over: where to look next, at most max, best first; of search_hop *, lent until the trail is freed.
 * Free with g_ptr_array_unref. */
GPtrArray *search_trail_next(search_trail *trail, guint max);
/* All passages, best first: array of indices, g_array_unref; and how good each is. */
GArray *search_trail_rank(const search_trail *trail);
double search_trail_score(const search_trail *trail, guint index);
const char *search_trail_key(const search_trail *trail, guint index); /* lent */

/* Jaccard index of two sets of words (GHashTable as a set, keys char *): 0..1, 0 of two empty ones. */
double search_words_overlap(GHashTable *a, GHashTable *b);

/* ---- chains ---- */

/* The sentence that answers, of passages that together speak of a question. Often it shares no word with the question:
 * of "Where did the creator of X die?" a first passage says who made X, and the answer's passage is about that person and
 * says "in Mantua". So a sentence is judged together with the passage that leads to it: by the question's words that
 * both cover, by those that only the sentence adds, by the name that joins them, and by whether there is in it what the
 * question asks for, a date, a number, a person, a place. */
typedef struct {
    const char *title, *text; /* lent for the call */
    const GArray *ends;       /* of uint32_t: byte offset behind each sentence of text */
} search_passage;

enum {
    SEARCH_CHAIN_JOINT, /* share of the question's words, weighted by rarity, in the sentence, its title and the
                            passage that leads to it */
    SEARCH_CHAIN_NEW,    /* of those that the passage before has not, in the sentence */
    SEARCH_CHAIN_OWN,    /* of all, in the sentence */
    SEARCH_CHAIN_TITLED, /* the passage before names the sentence's page: 1 */
    SEARCH_CHAIN_NAMED, /* share of the question's words in a sentence before that has a name of this one */
    SEARCH_CHAIN_KIND, /* 1 what is asked for is there, -1 it is not, 0 cannot be told */
    SEARCH_CHAIN_RANK, /* 1 / rank of the passage, and of the one before */
    SEARCH_CHAIN_RANK_BEFORE,
    SEARCH_CHAIN_FRESH,    /* share of the sentence's words that the question has not */
    SEARCH_CHAIN_IN_ASKED, /* the question names the page: 1 */
    SEARCH_CHAIN_TURNED,   /* and another passage leads there all the same: 1 */
    SEARCH_CHAIN_FIRST,    /* the page's first sentence: 1 */
    SEARCH_CHAIN_MEANT, /* share of the words of which the sentence has only one that says the same */
    SEARCH_CHAIN_TITLE,  /* share of the question's words in the title */
    SEARCH_CHAIN_BEFORE, /* in the passage before */
    SEARCH_CHAIN_N_FEATURES
};

typedef struct {
    guint passage, start, len; /* the sentence, without blanks at its ends */
    gint before;               /* the passage that leads to it; -1: none */
    guint before_start,
        before_len; /* the sentence there that names it, or covers most of the question */
    double alone;   /* SEARCH_CHAIN_JOINT, were no passage before it */
    double score;   /* greater is better; of no meaning beside another question's */
    double features[SEARCH_CHAIN_N_FEATURES];
} search_chain;

/* passages [n], best first, n <= 64 are looked at. GArray of search_chain, best first, every sentence once with what
 * leads to it best; all: every pair instead (for fitting). Deterministic. */
GArray *search_chains(const char *question, const search_passage *passages, gsize n, gboolean all);

/* The words of a sentence that answer: a date, a number, a name, as the question asks for; else the page's title where
 * the question does not have it; NULL: neither. g_free. */
char *search_answer_words(const char *question, const char *sentence, const char *title);

/* "Which came first, A or B?": 0 or 1, the side whose sentence has the earlier date, or the later one, as the question
 * asks; -1: it asks for neither, or a date is missing. */
int search_compare_dates(const char *question, const char *a, const char *b);

/* Is this IP address (text form) one that the policy allows? For tests and for callers that resolve. */
gboolean search_address_is_public(const char *address);

const char *search_curl_version(void); /* "7.88.1", for lode doctor; static */

G_END_DECLS
#endif

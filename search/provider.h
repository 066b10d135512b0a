/* Shared by the providers: what each has to know how to do. */
#ifndef LODE_SEARCH_PROVIDER_H
#define LODE_SEARCH_PROVIDER_H

#include <jansson.h>
#include <libxml/tree.h>
#include <stddef.h>

#include "search/client.h"

/* A request, under construction. */
typedef struct {
    char *url;
    GPtrArray *headers; /* of char *, NULL until the first */
    char *body;
    const char *body_type, *accept;
} search_call;

void search_call_clear(search_call *call);
void search_call_header(search_call *call, const char *name, const char *value);

typedef struct {
    const search_provider *provider;
    const char *query, *keywords;
    const char *contact;          /* may be NULL */
    search_query_options options; /* limit filled in */
    guint step;                   /* 0 for the first call, then counting */
} search_ask;

typedef struct {
    search_provider_info info;
    const char *url;    /* NULL: only with one of the user's */
    gboolean own_pages; /* what it finds is served by itself: on one's own server, too */
    void (*build)(const search_ask *ask, search_call *call);
    /* Append hits, of search_hit *. A next call that is wanted goes into next. */
    gboolean (*parse)(const search_ask *ask, const search_response *response, GPtrArray *hits,
                      search_call *next, GError **error);
    /* Another call instead of an error of this status; may be NULL. */
    gboolean (*instead)(const search_ask *ask, long status, search_call *next);
    const char *forbidden; /* what a 403 means here, NULL: the key */
    const char *page_hint; /* what a web page instead of an answer means, NULL: the address */
} search_provider_kind;

struct search_provider {
    const search_provider_kind *kind;
    char *url; /* without a slash at the end */
    char *key;
    gboolean own_server; /* the URL is the user's own */
};

extern const search_provider_kind search_kinds[]; /* ends with one without a name */

/* ---- building ---- */

/* base + "?" or "&" + NAME=VALUE..., values escaped; NULL values are left out. Ends with NULL. */
char *search_url_with(const char *base, ...) G_GNUC_NULL_TERMINATED;

/* ---- reading ---- */

/* The answer as JSON; NULL with the error set when it is not. json_decref. */
json_t *search_answer_json(const search_ask *ask, const search_response *response, GError **error);
/* As XML without entities of its own. xmlFreeDoc. */
xmlDoc *search_answer_xml(const search_ask *ask, const search_response *response, GError **error);

/* The string at a path of keys, "a.b"; NULL where it is none. Lent. */
const char *search_json_text(const json_t *object, const char *path);
const json_t *search_json_at(const json_t *object, const char *path);
/* A string or number as text; NULL. g_free */
char *search_json_word(const json_t *object, const char *path);
/* Which member of a record is which field of a hit. */
typedef enum {
    SEARCH_FIELD_TEXT,  /* as it stands */
    SEARCH_FIELD_PLAIN, /* without markup */
    SEARCH_FIELD_WORD,  /* a string or a number */
    SEARCH_FIELD_DOI,
    SEARCH_FIELD_ARXIV,
    SEARCH_FIELD_YEAR, /* a number, or a date that begins with one */
    SEARCH_FIELD_SCORE
} search_field_kind;

typedef struct {
    const char *path; /* of keys in the record, "a.b" */
    size_t offset;    /* of the field in search_hit */
    search_field_kind kind;
} search_field;

#define SEARCH_FIELD(path, member, kind)                                                           \
    {                                                                                              \
        path, offsetof(search_hit, member), SEARCH_FIELD_##kind                                    \
    }

/* Fill in what record has of fields [n]; a field that is there already stays, so that of several members for one field
 * the first that says something counts. */
void search_hit_read(search_hit *hit, const json_t *record, const search_field *fields, size_t n);

/* First element below node with that local name; path "a/b". NULL. */
xmlNode *search_xml_find(const xmlNode *node, const char *path);
gboolean search_xml_is(const xmlNode *node, const char *name);
/* Its text, collapsed; NULL where there is none. g_free */
char *search_xml_text(const xmlNode *node, const char *path);

/* Text of a piece of HTML or JATS, collapsed; NULL for NULL or nothing. g_free */
char *search_plain(const char *markup);

/* The first max characters, on one line; "" for NULL. g_free */
char *search_brief(const char *text, glong max);

/* A hit of this provider with a copy of url. */
search_hit *search_hit_new(const search_ask *ask, const char *url);
/* Take value when *field is empty; else free it. */
void search_take(char **field, char *value);
/* Ids that the other fields tell (a DOI in the URL ...), and a URL from the ids where there is none. */
void search_hit_settle(search_hit *hit);
int search_year_of(const char *date); /* "2024-05-01" -> 2024, 0 for none; date may be NULL */

/* hits.c: one more place where a free PDF is said to be. */
void search_hit_add_copy(search_hit *hit, const char *provider, const char *url,
                         const char *license, const char *version);
/* All names this hit goes by ("doi:...", "title:..."); spread: also those of the years beside its own. Strings owned. */
GPtrArray *search_hit_keys(const search_hit *hit, gboolean spread);

/* ---- the kinds, by file ---- */

#define SEARCH_PROVIDER(name)                                                                      \
    void search_build_##name(const search_ask *ask, search_call *call);                            \
    gboolean search_parse_##name(const search_ask *ask, const search_response *response,           \
                                 GPtrArray *hits, search_call *next, GError **error)
SEARCH_PROVIDER(searxng);
SEARCH_PROVIDER(brave);
SEARCH_PROVIDER(serper);
SEARCH_PROVIDER(tavily);
SEARCH_PROVIDER(duckduckgo);
SEARCH_PROVIDER(wikipedia);
SEARCH_PROVIDER(kiwix);
SEARCH_PROVIDER(arxiv);
SEARCH_PROVIDER(semanticscholar);
SEARCH_PROVIDER(openalex);
SEARCH_PROVIDER(crossref);
SEARCH_PROVIDER(europepmc);
SEARCH_PROVIDER(pubmed);
SEARCH_PROVIDER(core);
#undef SEARCH_PROVIDER
gboolean search_instead_kiwix(const search_ask *ask, long status, search_call *next);

/* One record of each catalogue, also for looking up by id. */
search_hit *search_hit_of_openalex(const search_ask *ask, const json_t *work);
search_hit *search_hit_of_crossref(const search_ask *ask, const json_t *work);
search_hit *search_hit_of_semanticscholar(const search_ask *ask, const json_t *paper);

#endif

/* One question to several providers at once.
 *
 *   query ---> leg per provider: build -> transfer -> parse -+-> next call (PubMed's records, arXiv's second try)
 *                                             |              |
 *                                             +-> answered   +-> all through: fused
 *
 * Every way a provider can fail becomes one line that names it and what to do; the others go on. */
#include "search/provider.h"
#include "search/words.h"

#include <string.h>

#define STEPS_MAX 4

typedef struct query query;

typedef struct {
    query *owner;
    search_ask ask;
    guint64 transfer; /* 0 = none under way */
    GPtrArray *hits;
    gint64 start_us;
    gboolean cached, through;
} leg;

struct query {
    search_client *client;
    guint64 number;
    char *text, *keywords, *language;
    leg *legs;
    guint n_legs, open;
    search_answered answered;
    search_fused fused;
    void *user_data;
};

/* ---- words ---- */

char *
search_keywords(const char *question, guint max_words)
{
    g_autofree char *plain = g_strdup(question);
    g_autoptr(GString) out = g_string_new(NULL);
    guint n = 0;

    for (char *p = plain; *p; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        /* hyphens and points inside of a word belong to it: "GPT-4", "3.5" */
        gboolean inside =
            (c == '-' || c == '.') && p > plain && g_ascii_isalnum(p[-1]) && g_ascii_isalnum(p[1]);
        if (c < 0x80 && !g_ascii_isalnum((char)c) && !inside) *p = ' ';
    }
    g_auto(GStrv) words = g_strsplit(plain, " ", -1);
    for (char **w = words; *w && n < max_words; w++) {
        if (!**w || search_is_function_word(*w)) continue;
        /* AND, OR and NOT would be operators */
        if (n++) g_string_append_c(out, ' ');
        g_string_append(out, *w);
    }
    return g_strdup(out->len ? out->str : question);
}

/* ---- what went wrong ---- */

/* The reason in the body of an error: one of the usual members of JSON, or nothing. g_free */
static char *
reason_in(const char *body)
{
    static const char *const places[] = {"message",      "error.message", "error.detail", "error",
                                         "detail.error", "detail",        "details",      "reason"};
    json_t *json = body ? json_loads(body, JSON_DISABLE_EOF_CHECK, NULL) : NULL;
    char *reason = NULL;

    for (gsize i = 0; i < G_N_ELEMENTS(places) && json && !reason; i++)
        reason = search_plain(search_json_text(json, places[i]));
    json_decref(json);
    if (!reason) return NULL;
    char *brief = search_brief(reason, 160);
    g_free(reason);
    return brief;
}

static GError *
status_error(const search_provider *provider, const search_outcome *outcome)
{
    const search_provider_info *info = &provider->kind->info;
    g_autofree char *reason = reason_in(outcome->refusal);
    g_autofree char *tail = reason ? g_strconcat(" (", reason, ")", NULL) : g_strdup("");
    long status = outcome->status;

    if (status == 403 && provider->kind->forbidden)
        return g_error_new(SEARCH_ERROR, SEARCH_ERROR_KEY, "%s: refused (HTTP 403): %s", info->name,
                           provider->kind->forbidden);
    if ((status == 401 || status == 403) && provider->key)
        return g_error_new(SEARCH_ERROR, SEARCH_ERROR_KEY,
                           "%s: the key in %s was not taken (HTTP %ld)%s", info->name,
                           info->key_env, status, tail);
    if (status == 401 || status == 403)
        return g_error_new(SEARCH_ERROR, SEARCH_ERROR_KEY, "%s: refused (HTTP %ld)%s%s%s",
                           info->name, status, tail, info->key_env ? "; a key goes into " : "",
                           info->key_env ? info->key_env : "");
    if (status == 402)
        return g_error_new(SEARCH_ERROR, SEARCH_ERROR_QUOTA, "%s: out of credits (HTTP 402)%s",
                           info->name, tail);
    if (status == 429) {
        g_autofree char *wait =
            outcome->retry_after > 0
                ? g_strdup_printf("; it asks to wait %.0f s", outcome->retry_after)
                : g_strdup("");
        gboolean keyless = info->key_env && !provider->key;
        return g_error_new(SEARCH_ERROR, SEARCH_ERROR_QUOTA,
                           "%s: asked too often or over its quota (HTTP 429)%s%s%s%s", info->name,
                           wait, tail, keyless ? "; with a key it allows more: set " : "",
                           keyless ? info->key_env : "");
    }
    if (status == 400 || status == 422)
        return g_error_new(SEARCH_ERROR, SEARCH_ERROR_STATUS,
                           "%s: does not take this query (HTTP %ld)%s", info->name, status, tail);
    if (status == 404)
        return g_error_new(SEARCH_ERROR, SEARCH_ERROR_STATUS,
                           "%s: nothing at %s (HTTP 404)%s; is the address right?", info->name,
                           provider->url, tail);
    if (status >= 500)
        return g_error_new(SEARCH_ERROR, SEARCH_ERROR_STATUS,
                           "%s: the service has trouble (HTTP %ld)%s", info->name, status, tail);
    return g_error_new(SEARCH_ERROR, SEARCH_ERROR_STATUS, "%s: HTTP status %ld%s", info->name,
                       status, tail);
}

static GError *
outcome_error(const search_provider *provider, const search_outcome *outcome)
{
    if (outcome->error->code == SEARCH_ERROR_STATUS && outcome->status >= 400)
        return status_error(provider, outcome);
    return g_error_new(SEARCH_ERROR, outcome->error->code, "%s: %s", provider->kind->info.name,
                       outcome->error->message);
}

/* ---- legs ---- */

static void
query_free(query *q)
{
    for (guint i = 0; i < q->n_legs; i++)
        if (q->legs[i].hits) g_ptr_array_unref(q->legs[i].hits);
    search_client_unregister(q->client, q->number);
    g_free(q->legs);
    g_free(q->text);
    g_free(q->keywords);
    g_free(q->language);
    g_free(q);
}

static void
finish(query *q)
{
    g_autoptr(GPtrArray) lists = g_ptr_array_new();

    for (guint i = 0; i < q->n_legs; i++)
        if (q->legs[i].hits) g_ptr_array_add(lists, q->legs[i].hits);
    GPtrArray *hits = search_hits_fuse(lists);
    search_fused fused = q->fused;
    void *user_data = q->user_data;
    query_free(q);
    fused(hits, user_data);
}

/* error: taken, NULL when the hits are there. */
static void
leg_ended(leg *l, GError *error)
{
    query *q = l->owner;
    g_autoptr(GError) local = error;

    l->through = TRUE;
    if (error) g_clear_pointer(&l->hits, g_ptr_array_unref);
    for (guint i = 0; l->hits && i < l->hits->len; i++)
        ((search_hit *)l->hits->pdata[i])->rank = i + 1;
    const search_answer answer = {
        .provider = l->ask.provider,
        .query = l->ask.query,
        .hits = l->hits,
        .error = local,
        .seconds = (double)(g_get_monotonic_time() - l->start_us) / G_USEC_PER_SEC,
        .cached = l->cached,
    };
    if (q->answered) q->answered(&answer, q->user_data);
    if (--q->open == 0) finish(q);
}

static void on_outcome(search_outcome *outcome, void *user_data);

static void
start_call(leg *l, search_call *call)
{
    const search_provider *provider = l->ask.provider;
    if (call->headers) g_ptr_array_add(call->headers, NULL);
    const search_request request = {
        .headers = call->headers ? (const char *const *)call->headers->pdata : NULL,
        .body = call->body,
        .body_type = call->body_type,
        .accept = call->accept,
        .ignore_robots = TRUE, /* an interface for programs */
        .own_server = provider->own_server,
    };
    l->transfer = search_client_start(l->owner->client, call->url, &request, on_outcome, l);
    search_call_clear(call);
}

static void
free_hit(gpointer hit)
{
    search_hit_free(hit);
}

static void
on_outcome(search_outcome *outcome, void *user_data)
{
    leg *l = user_data;
    const search_provider_kind *kind = l->ask.provider->kind;
    search_call next = {0};
    GError *error = NULL;

    l->transfer = 0;
    if (!outcome->response) {
        gboolean answered = outcome->error->code == SEARCH_ERROR_STATUS;
        if (answered && kind->instead && kind->instead(&l->ask, outcome->status, &next)) {
            l->ask.step++;
            start_call(l, &next);
            return;
        }
        leg_ended(l, outcome_error(l->ask.provider, outcome));
        return;
    }
    l->cached = (l->ask.step == 0 || l->cached) && outcome->response->cached;
    if (!kind->parse(&l->ask, outcome->response, l->hits, &next, &error)) {
        search_call_clear(&next);
        leg_ended(l, error);
    } else if (next.url && ++l->ask.step < STEPS_MAX) {
        start_call(l, &next);
    } else {
        search_call_clear(&next);
        if (l->hits->len > l->ask.options.limit)
            g_ptr_array_set_size(l->hits, (int)l->ask.options.limit);
        leg_ended(l, NULL);
    }
}

static void
start_leg(leg *l)
{
    search_call call = {0};
    g_autofree char *problem = search_provider_problem(l->ask.provider);

    l->start_us = g_get_monotonic_time();
    if (problem) {
        gboolean keyless = l->ask.provider->url != NULL;
        leg_ended(l, g_error_new_literal(SEARCH_ERROR,
                                         keyless ? SEARCH_ERROR_KEY : SEARCH_ERROR_URL, problem));
        return;
    }
    l->hits = g_ptr_array_new_with_free_func(free_hit);
    l->ask.provider->kind->build(&l->ask, &call);
    start_call(l, &call);
}

/* The first thing from search_client_run, so that no callback comes out of search_query. */
static void
start_query(void *data)
{
    query *q = data;

    if (q->n_legs == 0) {
        q->open = 0;
        finish(q);
        return;
    }
    /* the last leg to end frees the query: hold it open until all have begun */
    q->open++;
    for (guint i = 0; i < q->n_legs; i++)
        if (!q->legs[i].through) start_leg(&q->legs[i]);
    if (--q->open == 0) finish(q);
}

static void
cancel_query(void *data)
{
    query *q = data;
    guint n = q->n_legs;

    q->open++;
    for (guint i = 0; i < n; i++) {
        leg *l = &q->legs[i];
        if (l->through) continue;
        if (l->transfer)
            search_client_cancel(q->client, l->transfer); /* ends in on_outcome */
        else
            leg_ended(l, g_error_new(SEARCH_ERROR, SEARCH_ERROR_CANCELLED, "%s: cancelled",
                                     search_provider_name(l->ask.provider)));
    }
    q->open--;
}

guint64
search_query(search_client *client, const GPtrArray *providers, const char *text,
             const search_query_options *options, search_answered answered, search_fused fused,
             void *user_data)
{
    static const search_query_options none = {0};
    query *q = g_new0(query, 1);

    if (!options) options = &none;
    q->client = client;
    q->text = g_strdup(text);
    q->keywords = options->keywords ? g_strdup(options->keywords) : search_keywords(text, 8);
    q->language = g_strdup(options->language);
    q->answered = answered;
    q->fused = fused;
    q->user_data = user_data;
    q->n_legs = q->open = providers->len;
    q->legs = g_new0(leg, MAX(providers->len, 1));
    for (guint i = 0; i < providers->len; i++) {
        search_ask *ask = &q->legs[i].ask;
        q->legs[i].owner = q;
        ask->provider = providers->pdata[i];
        ask->query = q->text;
        ask->keywords = q->keywords;
        ask->contact = search_client_contact(client);
        ask->options = *options;
        ask->options.keywords = q->keywords;
        ask->options.language = q->language;
        if (ask->options.limit == 0) ask->options.limit = 10;
    }
    q->number = search_client_register(client, cancel_query, q);
    search_client_later(client, start_query, q);
    return q->number;
}

/* The result of a web search as JSON, and the stream of one in MindSearch's shape. */
#include <string.h>

#include "pipelines/web.h"

/* Where the words begin and end on a page, as browsers look for them; the first and last few of a long quote. What
 * stands there as "-" or "," is told apart from the syntax. Source: WICG, "URL Fragment Text Directives", 2023. */
char *
pipelines_text_link(const char *url, const char *quote)
{
    enum { SHORT = 12, ENDS = 4 };
    if (!g_str_has_prefix(url, "http://") && !g_str_has_prefix(url, "https://"))
        return g_strdup(url);
    g_auto(GStrv) all = g_strsplit_set(quote, " \n\t", -1);
    g_autoptr(GPtrArray) words = g_ptr_array_new();
    for (char **word = all; *word != NULL; word++)
        if ((*word)[0] != '\0') g_ptr_array_add(words, *word);
    if (words->len == 0) return g_strdup(url);
    g_autoptr(GString) link = g_string_new(url);
    g_string_append(link, strchr(url, '#') != NULL ? ":~:text=" : "#:~:text=");
    for (guint i = 0; i < words->len; i++) {
        if (words->len > SHORT && i >= ENDS && i < words->len - ENDS) continue;
        if (words->len > SHORT && i == words->len - ENDS)
            g_string_append_c(link, ',');
        else if (i > 0)
            g_string_append(link, "%20");
        g_autofree char *escaped = g_uri_escape_string(words->pdata[i], NULL, FALSE);
        for (const char *p = escaped; *p != '\0'; p++)
            g_string_append(link, *p == '-' ? "%2D" : (char[]){*p, '\0'});
    }
    return g_string_free(g_steal_pointer(&link), FALSE);
}

static const web_page *
find_page(const lode_web_answer *answer, const char *key)
{
    for (guint i = 0; i < answer->pages->len; i++) {
        const web_page *page = answer->pages->pdata[i];
        if (strcmp(page->key, key) == 0) return page;
    }
    return NULL;
}

/* A page has no page number and no boxes; a paper has both, and its address no text fragment. */
static json_t *
citation_to_json(const lode_web_answer *answer, guint index)
{
    const pipelines_citation *c =
        &g_array_index(answer->answer->citations, pipelines_citation, index);
    const retrieval_hit *hit = answer->answer->hits->pdata[c->passage];
    const web_page *page = find_page(answer, hit->path);
    const char *kind = page != NULL && page->kind != NULL ? page->kind : "page";
    gboolean is_page = strcmp(kind, "page") == 0;
    json_t *json = pipelines_evidence_to_json(answer->answer, index);
    g_autofree char *link =
        is_page ? pipelines_text_link(hit->path, answer->answer->quotes->pdata[index])
                : g_strdup(hit->path);
    json_object_set_new(json, "source", json_string(kind));
    json_object_set_new(json, "url", pipelines_json_path(hit->path));
    json_object_set_new(json, "link", pipelines_json_path(link));
    if (page != NULL && page->retrieved > 0) {
        g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(page->retrieved);
        g_autofree char *text = g_date_time_format_iso8601(time);
        json_object_set_new(json, "retrieved", json_string(text));
    }
    if (is_page) {
        json_object_set_new(json, "page", json_null());
        json_object_set_new(json, "boxes", json_array());
        json_object_del(json, "where");
    }
    return json;
}

json_t *
pipelines_web_to_json(const lode_web_answer *answer)
{
    json_t *json = pipelines_answer_to_json(answer->answer);
    g_autofree char *plan = search_plan_to_json(answer->plan);
    json_t *citations = json_array(), *pages = json_array(), *ranking = json_array(),
           *problems = json_array();
    for (guint i = 0; i < answer->answer->citations->len; i++)
        json_array_append_new(citations, citation_to_json(answer, i));
    for (guint i = 0; i < answer->pages->len; i++)
        json_array_append_new(pages, web_page_to_json(answer->pages->pdata[i]));
    for (guint i = 0; i < answer->ranking->len; i++)
        json_array_append_new(
            ranking, pipelines_json_path(((const web_page *)answer->ranking->pdata[i])->key));
    for (guint i = 0; i < answer->problems->len; i++)
        json_array_append_new(problems, pipelines_json_string(answer->problems->pdata[i]));
    json_object_set_new(json, "schema", json_string("lode-web-answer"));
    json_object_set_new(json, "citations", citations);
    json_object_set_new(json, "providers", json_string(answer->providers));
    json_object_set_new(json, "plan", json_loads(plan, 0, NULL));
    json_object_set_new(json, "pages", pages);
    json_object_set_new(json, "ranking", ranking);
    json_object_set_new(json, "problems", problems);
    json_object_set_new(json, "cut_off", json_boolean(answer->cut_off));
    return json;
}

/* ---- MindSearch's stream ---- */

/* 1 running, 2 not started, 3 finished. */
static int
edge_state(search_node_state state)
{
    if (state == SEARCH_NODE_WAITING) return 2;
    return state >= SEARCH_NODE_ANSWERED ? 3 : 1;
}

static void
add_edge(json_t *lists, const char *from, const search_node *to)
{
    json_t *list = json_object_get(lists, from);
    if (list == NULL) {
        list = json_array();
        json_object_set_new(lists, from, list);
    }
    json_array_append_new(list, json_pack("{s:s, s:s, s:i}", "id", to->id, "name", to->id, "state",
                                          edge_state(to->state)));
}

json_t *
pipelines_web_stream(const web_run *run, const char *event, const json_t *data)
{
    json_t *nodes = json_object(), *edges = json_object(), *urls = json_object();
    json_object_set_new(
        nodes, "root",
        json_pack("{s:s, s:s}", "content", search_plan_question(run->plan), "type", "root"));
    for (guint i = 0; i < search_plan_n_nodes(run->plan); i++) {
        const search_node *node = search_plan_node(run->plan, i);
        const char *asked = node->asked != NULL ? node->asked : node->question;
        json_object_set_new(nodes, node->id,
                            json_pack("{s:s, s:s, s:o}", "content", asked, "type", "searcher",
                                      "response", pipelines_json_string(node->answer)));
        if (node->needs->len == 0) add_edge(edges, "root", node);
        for (guint j = 0; j < node->needs->len; j++)
            add_edge(edges, ((const search_node *)node->needs->pdata[j])->id, node);
    }
    const lode_answer *answer = run->answer;
    for (guint i = 0; answer != NULL && i < answer->citations->len; i++) {
        const pipelines_citation *c = &g_array_index(answer->citations, pipelines_citation, i);
        const retrieval_hit *hit = answer->hits->pdata[c->passage];
        g_autofree char *number = g_strdup_printf("%d", c->number);
        json_object_set_new(urls, number, pipelines_json_path(hit->path));
    }
    gboolean done = strcmp(event, "done") == 0;
    const char *node = json_string_value(json_object_get(data, "node"));
    if (node == NULL) node = json_string_value(json_object_get(data, "id"));
    json_t *formatted =
        json_pack("{s:s, s:o, s:s, s:o, s:o, s:o}", "thought", "", "action", json_null(),
                  "tool_type", event, "node", nodes, "adjacency_list", edges, "ref2url", urls);
    json_t *response = json_pack("{s:s, s:s, s:o, s:i}", "sender", "lode", "content",
                                 answer != NULL ? answer->text->str : "", "formatted", formatted,
                                 "stream_state", done ? 0 : 1);
    return json_pack("{s:o, s:o, s:s, s:O}", "current_node", pipelines_json_string(node),
                     "response", response, "event", event, "data", (json_t *)data);
}

/* A plan for people and programs. */
#include <jansson.h>
#include <string.h>

#include "search/search.h"

static void
append_dot_text(GString *out, const char *text)
{
    enum { WIDTH = 32, MOST = 160 };
    glong column = 0, n = 0;
    for (const char *p = text; *p != '\0'; p = g_utf8_next_char(p), n++) {
        if (n >= MOST) {
            g_string_append(out, "\xE2\x80\xA6");
            return;
        }
        if (*p == '"' || *p == '\\') g_string_append_c(out, '\\');
        if (*p == ' ' && column >= WIDTH) {
            g_string_append(out, "\\n");
            column = 0;
            continue;
        }
        g_string_append_len(out, p, g_utf8_next_char(p) - p);
        column++;
    }
}

static const char *
color_of(search_node_state state)
{
    switch (state) {
    case SEARCH_NODE_ANSWERED:
        return "#d7f0d7";
    case SEARCH_NODE_NO_EVIDENCE:
        return "#f4efd2";
    case SEARCH_NODE_FAILED:
    case SEARCH_NODE_CUT_OFF:
        return "#f6d9d5";
    default:
        return "#e8eef7";
    }
}

char *
search_plan_to_dot(const search_plan *plan)
{
    g_autoptr(GString) out = g_string_new("digraph plan {\n    rankdir=LR;\n    node [shape=box, "
                                          "style=\"rounded,filled\", fontname=\"sans-serif\"];\n"
                                          "    root [fillcolor=\"#ffffff\", label=\"");
    append_dot_text(out, search_plan_question(plan));
    g_string_append(out, "\"];\n");
    for (guint i = 0; i < search_plan_n_nodes(plan); i++) {
        const search_node *node = search_plan_node(plan, i);
        g_string_append_printf(out, "    \"%s\" [fillcolor=\"%s\", label=\"", node->id,
                               color_of(node->state));
        append_dot_text(out, node->asked != NULL ? node->asked : node->question);
        if (node->answer != NULL) {
            g_string_append(out, "\\n= ");
            append_dot_text(out, node->answer);
        }
        g_string_append(out, "\"];\n");
    }
    for (guint i = 0; i < search_plan_n_nodes(plan); i++) {
        const search_node *node = search_plan_node(plan, i);
        if (node->needs->len == 0) g_string_append_printf(out, "    root -> \"%s\";\n", node->id);
        for (guint j = 0; j < node->needs->len; j++)
            g_string_append_printf(out, "    \"%s\" -> \"%s\";\n",
                                   ((const search_node *)node->needs->pdata[j])->id, node->id);
    }
    g_string_append(out, "}\n");
    return g_string_free(g_steal_pointer(&out), FALSE);
}

static json_t *
text_or_null(const char *text)
{
    return text != NULL ? json_string(text) : json_null();
}

char *
search_plan_to_json(const search_plan *plan)
{
    json_t *nodes = json_array(), *edges = json_array();
    for (guint i = 0; i < search_plan_n_nodes(plan); i++) {
        const search_node *node = search_plan_node(plan, i);
        json_t *needs = json_array();
        for (guint j = 0; j < node->needs->len; j++) {
            const char *need = ((const search_node *)node->needs->pdata[j])->id;
            json_array_append_new(needs, json_string(need));
            json_array_append_new(edges, json_pack("[s, s]", need, node->id));
        }
        if (node->needs->len == 0)
            json_array_append_new(edges, json_pack("[s, s]", "root", node->id));
        json_array_append_new(
            nodes,
            json_pack("{s:s, s:s, s:o, s:o, s:o, s:i, s:s, s:o, s:o}", "id", node->id, "question",
                      node->question, "asked", text_or_null(node->asked), "query",
                      text_or_null(node->query), "needs", needs, "turn", (int)node->turn, "state",
                      search_node_state_name(node->state), "answer", text_or_null(node->answer),
                      "problem", text_or_null(node->problem)));
    }
    json_t *json = json_pack("{s:s, s:o, s:o}", "question", search_plan_question(plan), "nodes",
                             nodes, "edges", edges);
    char *text = json_dumps(json, JSON_COMPACT);
    char *copy = g_strdup(text);
    free(text);
    json_decref(json);
    return copy;
}

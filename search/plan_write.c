/* A language model plans a turn. Its reply is data: read, checked, and taken as far as the rules allow. */
#include <string.h>

#include "search/search.h"

enum { MAX_ANSWER_SHOWN = 300 };

/* The example says nothing: SmolLM2-135M, and Qwen2.5-Coder-1.5B at times, give back one that does. */
static const char instructions[] =
    "You plan a web search. Break the question into the fewest single facts that searches can "
    "find, each a full question that makes sense on its own. Facts that do not depend on each "
    "other need nothing. A fact that depends on another's answer lists its id in \"needs\" and "
    "writes the id in braces where the answer belongs. Never ask again what was asked. When the "
    "answers so far suffice, set \"finish\" to true and add nothing. Reply with JSON only, of this "
    "form:\n"
    "{\"think\": \"...\", \"add\": [{\"id\": \"a1\", \"question\": \"...?\", \"needs\": []}, "
    "{\"id\": \"a2\", \"question\": \"... {a1} ...?\", \"needs\": [\"a1\"]}], \"drop\": [], "
    "\"finish\": false}";

static void
append_line(GString *out, const char *text)
{
    const char *end = text;
    for (int n = 0; *end != '\0' && n < MAX_ANSWER_SHOWN; n++)
        end = g_utf8_next_char(end);
    for (const char *p = text; p < end; p++)
        g_string_append_c(out, *p == '\n' || *p == '\r' ? ' ' : *p);
}

static char *
describe(const search_plan *plan)
{
    g_autoptr(GString) out = g_string_new("Question: ");
    append_line(out, search_plan_question(plan));
    if (search_plan_n_nodes(plan) > 0) g_string_append(out, "\n\nAsked so far:");
    for (guint i = 0; i < search_plan_n_nodes(plan); i++) {
        const search_node *node = search_plan_node(plan, i);
        g_string_append_printf(out, "\n%s: ", node->id);
        append_line(out, node->asked != NULL ? node->asked : node->question);
        g_string_append(out, " -> ");
        append_line(out, node->answer != NULL ? node->answer : search_node_state_name(node->state));
    }
    g_string_append(out, "\n\nYour next step as JSON:");
    return g_string_free(g_steal_pointer(&out), FALSE);
}

/* One reply, read; why it could not be in problem. FALSE: neither this nor another attempt can succeed. */
static gboolean
attempt(search_plan *plan, search_write write, void *user_data, const char *prompt,
        GPtrArray *refused, char **problem, GError **error)
{
    GError *failure = NULL;
    gboolean finish = FALSE;
    g_autofree char *reply = write(instructions, prompt, search_plan_schema, user_data, error);
    if (reply == NULL) return FALSE;
    if (search_plan_read(plan, reply, strlen(reply), refused, &finish, &failure)) return TRUE;
    *problem = g_strdup(failure->message);
    g_error_free(failure);
    return TRUE;
}

gboolean
search_plan_write(search_plan *plan, search_write write, void *user_data, GPtrArray *refused,
                  GError **error)
{
    g_autofree char *prompt = describe(plan), *problem = NULL, *again = NULL;
    const gboolean is_first = search_plan_n_nodes(plan) == 0;
    /* whatever the model makes of it, the question is searched for as it is */
    if (is_first) search_plan_add(plan, "question", search_plan_question(plan), NULL, NULL);
    if (!attempt(plan, write, user_data, prompt, refused, &problem, error)) return FALSE;
    if (problem != NULL) {
        g_autofree char *repair = g_strdup_printf(
            "%s\n\nYour last reply could not be used: %s. Reply again, with JSON only:", prompt,
            problem);
        if (!attempt(plan, write, user_data, repair, refused, &again, error)) return FALSE;
        if (again != NULL && refused != NULL)
            g_ptr_array_add(refused, g_strdup_printf("the writer's plan: %s", again));
    }
    if (is_first && search_plan_n_nodes(plan) == 1) search_plan_apply_rules(plan);
    return TRUE;
}

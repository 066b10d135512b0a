/* A plan: nodes, what they need, and the rules that hold whoever plans.
 *
 * A node can only need nodes that are there already, so there is nothing to search cycles in: a turn that
 * describes one (a needs b, b needs a) has a node whose need is unknown, and that is refused (plan_read.c
 * sorts a turn's nodes first, so that their order in it does not matter). */
#include <string.h>

#include "search/search.h"
#include "search/words.h"

enum {
    MAX_ID = 32,
    MAX_QUESTION = 1000,
    MAX_NODES = 24,
    MAX_PER_TURN = 8,
    MAX_DEPTH = 4,
    MAX_TURNS = 10
};

#define THE_SAME 0.85 /* Jaccard index of two questions' words */

struct search_plan {
    char *question;
    search_plan_limits limits;
    GPtrArray *nodes; /* of search_node *, owned */
    GHashTable *by_id;
    guint turn, n_in_turn, n_named;
};

static const char *const state_names[] = {"waiting",     "searching", "reading", "answered",
                                          "no_evidence", "failed",    "cut_off"};

const char *
search_node_state_name(search_node_state state)
{
    return state_names[state];
}

static void
node_free(gpointer data)
{
    search_node *node = data;
    g_free(node->id);
    g_free(node->question);
    g_free(node->query);
    g_free(node->phrase);
    g_ptr_array_unref(node->needs);
    g_free(node->asked);
    g_free(node->answer);
    g_free(node->problem);
    g_free(node);
}

static guint
limit_of(guint wanted, guint most)
{
    return wanted == 0 ? most : MIN(wanted, most);
}

search_plan *
search_plan_new(const char *question, const search_plan_limits *limits)
{
    search_plan *plan = g_new0(search_plan, 1);
    search_plan_limits wanted = limits != NULL ? *limits : (search_plan_limits){0};
    plan->question = g_utf8_make_valid(question, -1);
    plan->limits = (search_plan_limits){
        limit_of(wanted.max_nodes, MAX_NODES), limit_of(wanted.max_per_turn, MAX_PER_TURN),
        limit_of(wanted.max_depth, MAX_DEPTH), limit_of(wanted.max_turns, MAX_TURNS)};
    plan->nodes = g_ptr_array_new_with_free_func(node_free);
    plan->by_id = g_hash_table_new(g_str_hash, g_str_equal);
    return plan;
}

void
search_plan_free(search_plan *plan)
{
    if (plan == NULL) return;
    g_hash_table_unref(plan->by_id);
    g_ptr_array_unref(plan->nodes);
    g_free(plan->question);
    g_free(plan);
}

const char *
search_plan_question(const search_plan *plan)
{
    return plan->question;
}

guint
search_plan_n_nodes(const search_plan *plan)
{
    return plan->nodes->len;
}

search_node *
search_plan_node(const search_plan *plan, guint index)
{
    g_assert(index < plan->nodes->len);
    return plan->nodes->pdata[index];
}

search_node *
search_plan_lookup(const search_plan *plan, const char *id)
{
    return g_hash_table_lookup(plan->by_id, id);
}

guint
search_plan_turn(const search_plan *plan)
{
    return plan->turn;
}

/* ---- adding ---- */

gboolean
search_plan_begin_turn(search_plan *plan)
{
    if (plan->turn >= plan->limits.max_turns || plan->nodes->len >= plan->limits.max_nodes)
        return FALSE;
    plan->turn++;
    plan->n_in_turn = 0;
    return TRUE;
}

static gboolean
is_id(const char *id)
{
    gsize len = strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return len >= 1 && len <= MAX_ID && id[len] == '\0';
}

static search_node *
find_same(const search_plan *plan, const char *question)
{
    g_autoptr(GHashTable) words = search_word_set(question);
    for (guint i = 0; i < plan->nodes->len; i++) {
        search_node *node = plan->nodes->pdata[i];
        if (strcmp(node->question, question) == 0) return node;
        g_autoptr(GHashTable) others = search_word_set(node->question);
        if (search_words_overlap(words, others) > THE_SAME) return node;
    }
    return NULL;
}

static gboolean
refuse(GError **error, int code, const char *id, const char *reason)
{
    g_set_error(error, SEARCH_ERROR, code, "node %s: %s", id != NULL ? id : "without an id",
                reason);
    return FALSE;
}

static gboolean
check_limits(const search_plan *plan, const char *id, GError **error)
{
    if (plan->turn == 0) return refuse(error, SEARCH_ERROR_LIMIT, id, "no turn has begun");
    if (plan->n_in_turn >= plan->limits.max_per_turn)
        return refuse(error, SEARCH_ERROR_LIMIT, id, "too many nodes in this turn");
    if (plan->nodes->len >= plan->limits.max_nodes)
        return refuse(error, SEARCH_ERROR_LIMIT, id, "too many nodes in the plan");
    return TRUE;
}

/* The needed nodes; NULL with error. */
static GPtrArray *
find_needs(const search_plan *plan, const char *id, const char *const *needs, guint *depth,
           GError **error)
{
    g_autoptr(GPtrArray) found = g_ptr_array_new();
    *depth = 1;
    for (gsize i = 0; needs != NULL && needs[i] != NULL; i++) {
        search_node *need = search_plan_lookup(plan, needs[i]);
        if (need == NULL) {
            g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_FORMAT,
                        "node %s: needs %.40s, which is not there",
                        id != NULL ? id : "without an id", needs[i]);
            return NULL;
        }
        *depth = MAX(*depth, need->depth + 1);
        if (!g_ptr_array_find(found, need, NULL)) g_ptr_array_add(found, need);
    }
    if (*depth > plan->limits.max_depth) {
        refuse(error, SEARCH_ERROR_LIMIT, id, "too deep");
        return NULL;
    }
    return g_steal_pointer(&found);
}

static char *
next_id(search_plan *plan)
{
    for (;;) {
        char *id = g_strdup_printf("n%u", ++plan->n_named);
        if (!g_hash_table_contains(plan->by_id, id)) return id;
        g_free(id);
    }
}

/* One line, valid, without white space at its ends. */
static char *
clean_question(const char *question)
{
    char *clean = g_utf8_make_valid(question, -1);
    for (char *p = clean; *p != '\0'; p++)
        if ((guchar)*p < 0x20 || *p == 0x7F) *p = ' ';
    return g_strstrip(clean);
}

search_node *
search_plan_add(search_plan *plan, const char *id, const char *question, const char *const *needs,
                GError **error)
{
    g_autofree char *clean = clean_question(question);
    if (id != NULL && !is_id(id)) {
        g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_FORMAT,
                    "node \"%.40s\": an id is 1 to 32 of a-z, 0-9 and _", id);
        return NULL;
    }
    if (clean[0] == '\0' || strlen(clean) > MAX_QUESTION) {
        refuse(error, SEARCH_ERROR_FORMAT, id,
               clean[0] == '\0' ? "has no question" : "its question is too long");
        return NULL;
    }
    guint depth = 1;
    g_autoptr(GPtrArray) found = find_needs(plan, id, needs, &depth, error);
    if (found == NULL) return NULL;
    search_node *same = find_same(plan, clean);
    if (same != NULL) return same;
    if (id != NULL && search_plan_lookup(plan, id) != NULL) {
        refuse(error, SEARCH_ERROR_FORMAT, id, "is there already with another question");
        return NULL;
    }
    if (!check_limits(plan, id, error)) return NULL;
    search_node *node = g_new0(search_node, 1);
    node->id = id != NULL ? g_strdup(id) : next_id(plan);
    node->question = g_steal_pointer(&clean);
    node->needs = g_steal_pointer(&found);
    node->depth = depth;
    node->turn = plan->turn;
    g_ptr_array_add(plan->nodes, node);
    g_hash_table_insert(plan->by_id, node->id, node);
    plan->n_in_turn++;
    return node;
}

gboolean
search_plan_drop(search_plan *plan, const char *id, GError **error)
{
    search_node *node = search_plan_lookup(plan, id);
    if (node == NULL || node->state != SEARCH_NODE_WAITING)
        return refuse(error, SEARCH_ERROR_FORMAT, id,
                      node == NULL ? "is not there" : "has been asked already");
    for (guint i = 0; i < plan->nodes->len; i++) {
        const search_node *other = plan->nodes->pdata[i];
        if (g_ptr_array_find(other->needs, node, NULL))
            return refuse(error, SEARCH_ERROR_FORMAT, id, "is needed by another");
    }
    g_hash_table_remove(plan->by_id, id);
    g_ptr_array_remove(plan->nodes, node);
    return TRUE;
}

/* ---- asking ---- */

static gboolean
is_over(const search_node *node)
{
    return node->state >= SEARCH_NODE_ANSWERED;
}

GPtrArray *
search_plan_ready(const search_plan *plan)
{
    GPtrArray *ready = g_ptr_array_new();
    for (guint i = 0; i < plan->nodes->len; i++) {
        search_node *node = plan->nodes->pdata[i];
        gboolean waits = node->state != SEARCH_NODE_WAITING;
        for (guint j = 0; j < node->needs->len; j++)
            waits = waits || !is_over(node->needs->pdata[j]);
        if (!waits) g_ptr_array_add(ready, node);
    }
    return ready;
}

/* What a node gives to those that need it. */
static const char *
gift_of(const search_node *node)
{
    if (node->answer != NULL) return node->answer;
    return node->phrase != NULL ? node->phrase : node->question;
}

static gboolean
fill_in(GString *text, const search_node *need)
{
    g_autofree char *reference = g_strdup_printf("{%s}", need->id);
    return g_string_replace(text, reference, gift_of(need), 0) > 0;
}

void
search_plan_start(search_plan *plan, search_node *node)
{
    (void)plan;
    g_autoptr(GString) asked = g_string_new(node->question);
    g_autoptr(GString) query = g_string_new(node->query);
    for (guint i = 0; i < node->needs->len; i++) {
        const search_node *need = node->needs->pdata[i];
        fill_in(query, need);
        /* a planner that forgot the reference meant the answer all the same; a hop has its name in it */
        if (!fill_in(asked, need) && need->answer != NULL && node->query == NULL)
            g_string_append_printf(asked, " (%s)", need->answer);
    }
    g_free(node->asked);
    node->asked = g_string_free(g_steal_pointer(&asked), FALSE);
    if (node->query != NULL) {
        g_free(node->query);
        node->query = g_string_free(g_steal_pointer(&query), FALSE);
    }
    node->state = SEARCH_NODE_SEARCHING;
}

void
search_plan_settle(search_node *node, search_node_state state, const char *answer,
                   const char *problem)
{
    char *kept = g_strdup(answer), *why = g_strdup(problem);
    g_free(node->answer);
    g_free(node->problem);
    node->state = state;
    node->answer = kept;
    node->problem = why;
}

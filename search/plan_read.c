/* One turn of a plan from JSON: hostile, whoever wrote it. */
#include <jansson.h>
#include <string.h>

#include "search/search.h"
#include "search/words.h"

enum { MAX_JSON = 64 * 1024, MAX_LISTED = 64 };

const char search_plan_schema[] =
    "{\"type\":\"object\",\"properties\":{"
    "\"think\":{\"type\":\"string\",\"maxLength\":300},"
    "\"add\":{\"type\":\"array\",\"maxItems\":8,\"items\":{\"type\":\"object\",\"properties\":{"
    "\"id\":{\"type\":\"string\",\"maxLength\":32},"
    "\"question\":{\"type\":\"string\",\"maxLength\":200},"
    "\"needs\":{\"type\":\"array\",\"maxItems\":4,\"items\":{\"type\":\"string\",\"maxLength\":32}}"
    "},"
    "\"required\":[\"id\",\"question\",\"needs\"],\"additionalProperties\":false}},"
    "\"drop\":{\"type\":\"array\",\"maxItems\":8,\"items\":{\"type\":\"string\",\"maxLength\":32}},"
    "\"finish\":{\"type\":\"boolean\"}},"
    "\"required\":[\"think\",\"add\",\"drop\",\"finish\"],\"additionalProperties\":false}";

/* Models put their JSON between other text and fences: from the first brace to the last. */
static json_t *
parse(const char *text, gsize len, GError **error)
{
    const char *start = memchr(text, '{', len);
    const char *end = start != NULL ? memrchr(start, '}', len - (gsize)(start - text)) : NULL;
    if (len > MAX_JSON || end == NULL) {
        g_set_error_literal(error, SEARCH_ERROR, SEARCH_ERROR_FORMAT,
                            len > MAX_JSON ? "the plan is too long" : "the plan is no JSON object");
        return NULL;
    }
    json_error_t problem;
    json_t *json = json_loadb(start, (size_t)(end - start) + 1, JSON_REJECT_DUPLICATES, &problem);
    if (json == NULL)
        g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_FORMAT, "the plan is not JSON: %s",
                    problem.text);
    return json;
}

static void
note(GPtrArray *refused, GError *error)
{
    /* an id may have been cut in a character */
    if (refused != NULL) g_ptr_array_add(refused, g_utf8_make_valid(error->message, -1));
    g_error_free(error);
}

/* ids of "needs", NULL-terminated; g_free the array alone. */
static const char **
read_needs(const json_t *item)
{
    const json_t *list = json_object_get(item, "needs");
    size_t n = MIN(json_array_size(list), MAX_LISTED);
    const char **needs = g_new0(const char *, n + 1);
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        const char *id = json_string_value(json_array_get(list, i));
        if (id != NULL) needs[used++] = id;
    }
    return needs;
}

/* Does the item need an id that a later pass may still bring? */
static gboolean
needs_pending(const search_plan *plan, const json_t *item, GHashTable *pending)
{
    g_autofree const char **needs = read_needs(item);
    for (gsize i = 0; needs[i] != NULL; i++)
        if (search_plan_lookup(plan, needs[i]) == NULL && g_hash_table_contains(pending, needs[i]))
            return TRUE;
    return FALSE;
}

/* What the plan knows: the words of its question and of the answers so far. */
static GHashTable *
known_words(const search_plan *plan)
{
    g_autoptr(GString) known = g_string_new(search_plan_question(plan));
    for (guint i = 0; i < search_plan_n_nodes(plan); i++) {
        const char *answer = search_plan_node(plan, i)->answer;
        if (answer != NULL) g_string_append_printf(known, " %s", answer);
    }
    return search_word_set(known->str);
}

/* A small model copies from its instructions, or makes names up: a question that needs no answer and names somebody or
 * something, none of it with a word that is known, is about something else. Other words for the same thing are fine.
 * Dots alone, as the form in the instructions has them, ask nothing. */
static gboolean
is_strange(const search_plan *plan, const char *question, const char *const *needs)
{
    enum { MAX_NAMES = 8 };
    g_autoptr(GPtrArray) all = search_words(question);
    if (all->len == 0) return TRUE;
    if (needs[0] != NULL) return FALSE;
    g_autoptr(GHashTable) known = known_words(plan);
    g_autoptr(GPtrArray) names = search_names(question, MAX_NAMES);
    for (guint i = 0; i < names->len; i++) {
        g_autoptr(GPtrArray) words = search_words(names->pdata[i]);
        for (guint j = 0; j < words->len; j++)
            if (g_hash_table_contains(known, words->pdata[j])) return FALSE;
    }
    return names->len > 0;
}

static gboolean
add_item(search_plan *plan, const json_t *item, GHashTable *renamed, GPtrArray *refused)
{
    const char *id = json_string_value(json_object_get(item, "id"));
    const char *question = json_string_value(json_object_get(item, "question"));
    GError *error = NULL;
    if (question == NULL) {
        g_set_error_literal(&error, SEARCH_ERROR, SEARCH_ERROR_FORMAT, "a node has no question");
        note(refused, error);
        return FALSE;
    }
    g_autofree const char **needs = read_needs(item);
    for (gsize i = 0; needs[i] != NULL; i++) {
        const char *merged = g_hash_table_lookup(renamed, needs[i]);
        if (merged != NULL) needs[i] = merged;
    }
    guint before = search_plan_n_nodes(plan);
    search_node *node = NULL;
    if (is_strange(plan, question, needs))
        g_set_error(&error, SEARCH_ERROR, SEARCH_ERROR_FORMAT,
                    "node \"%.40s\": has nothing to do with the question", id != NULL ? id : "");
    else
        node = search_plan_add(plan, id, question, needs, &error);
    if (node == NULL) {
        note(refused, error);
        return FALSE;
    }
    if (id != NULL && strcmp(node->id, id) != 0) {
        g_hash_table_insert(renamed, (char *)id, node->id);
        if (refused != NULL)
            g_ptr_array_add(refused, g_strdup_printf("node %s: asks what %s asks", id, node->id));
    }
    return search_plan_n_nodes(plan) > before;
}

/* Nodes in an order in which what they need comes first; those that wait for each other are refused by name. */
static guint
add_all(search_plan *plan, const json_t *list, GPtrArray *refused)
{
    size_t n = MIN(json_array_size(list), MAX_LISTED);
    g_autofree gboolean *done = g_new0(gboolean, n + 1);
    g_autoptr(GHashTable) pending = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GHashTable) renamed = g_hash_table_new(g_str_hash, g_str_equal);
    for (size_t i = 0; i < n; i++) {
        const char *id = json_string_value(json_object_get(json_array_get(list, i), "id"));
        if (id != NULL) g_hash_table_add(pending, (char *)id);
    }
    guint n_added = 0;
    for (gboolean moved = TRUE, forced = FALSE; moved || !forced;) {
        forced = !moved; /* what is left is a cycle: adding it says which need is missing */
        moved = FALSE;
        for (size_t i = 0; i < n; i++) {
            const json_t *item = json_array_get(list, i);
            if (done[i] || (!forced && needs_pending(plan, item, pending))) continue;
            done[i] = moved = TRUE;
            n_added += add_item(plan, item, renamed, refused) ? 1 : 0;
            const char *id = json_string_value(json_object_get(item, "id"));
            if (id != NULL) g_hash_table_remove(pending, id);
        }
    }
    return n_added;
}

gboolean
search_plan_read(search_plan *plan, const char *json, gsize len, GPtrArray *refused,
                 gboolean *finish, GError **error)
{
    json_t *turn = parse(json, len, error);
    if (turn == NULL) return FALSE;
    *finish = json_is_true(json_object_get(turn, "finish"));
    const json_t *drop = json_object_get(turn, "drop"), *add = json_object_get(turn, "add");
    guint n_done = 0;
    for (size_t i = 0; i < MIN(json_array_size(drop), MAX_LISTED); i++) {
        GError *problem = NULL;
        const char *id = json_string_value(json_array_get(drop, i));
        if (id == NULL) continue;
        if (search_plan_drop(plan, id, &problem))
            n_done++;
        else
            note(refused, problem);
    }
    n_done += add_all(plan, add, refused);
    gboolean good = n_done > 0 || *finish;
    if (!good)
        g_set_error(error, SEARCH_ERROR, SEARCH_ERROR_FORMAT, "the plan adds nothing%s%s",
                    refused != NULL && refused->len > 0 ? ": " : "",
                    refused != NULL && refused->len > 0
                        ? (const char *)refused->pdata[refused->len - 1]
                        : "");
    json_decref(turn);
    return good;
}

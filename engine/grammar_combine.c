/* Intersection and difference of regular texts: the nodes become a nondeterministic automaton over characters
 * (Thompson's construction), its sets of states a deterministic one (the subset construction), and every set a
 * right-linear rule.
 *
 * Source: Rabin and Scott, "Finite Automata and Their Decision Problems", IBM Journal 3(2), 1959; Thompson,
 * "Regular Expression Search Algorithm", CACM 11(6), 1968. */
#include "engine/grammar_nodes.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_STATES = 20000, MAX_SETS = 3000, MAX_CALLS = 1000, MAX_OPERANDS = 40 };

typedef struct {
    uint32_t first, n; /* ranges of the character that leads on; n 0: none does */
    uint32_t next[2];  /* with ranges next[0]; without them both, UINT32_MAX: none */
    int32_t accepts;   /* operand that ends here, -1: none */
} nfa_state;

typedef struct {
    grammar_build *build;
    GArray *states;      /* nfa_state */
    GHashTable *entered; /* rule and what follows it -> state + 1 */
    size_t n_all, n_operands;
    guint calls;
    gboolean failed;
} combiner;

#define NOWHERE UINT32_MAX

static uint32_t
add_state(combiner *c, nfa_state state)
{
    if (c->states->len >= MAX_STATES) {
        c->failed = TRUE;
        return 0;
    }
    g_array_append_val(c->states, state);
    return c->states->len - 1;
}

static uint32_t
add_split(combiner *c, uint32_t a, uint32_t b)
{
    return add_state(c, (nfa_state){.next = {a, b}, .accepts = -1});
}

static uint32_t
add_character(combiner *c, uint32_t first, uint32_t n, uint32_t next)
{
    if (n == 0) return add_split(c, NOWHERE, NOWHERE);
    return add_state(c, (nfa_state){first, n, {next, NOWHERE}, -1});
}

static uint32_t enter(combiner *c, grammar_node at, uint32_t next);

static uint32_t
enter_text(combiner *c, const node *n, uint32_t next)
{
    const char *text = c->build->bytes->str + n->first, *p = text + n->n;
    if (!g_utf8_validate_len(text, n->n, NULL)) c->failed = TRUE;
    while (p > text && !c->failed) {
        p = g_utf8_prev_char(p);
        const gunichar character = g_utf8_get_char(p);
        const grammar_range range = {character, character};
        g_array_append_val(c->build->ranges, range);
        next = add_character(c, c->build->ranges->len - 1, 1, next);
    }
    return next;
}

static uint32_t
enter_repeat(combiner *c, const node *n, uint32_t next)
{
    const uint32_t child = n->child, min = n->min, max = n->max, behind = next;
    if (max == GRAMMAR_UNLIMITED) {
        const uint32_t loop = add_split(c, NOWHERE, next);
        const uint32_t body = enter(c, child, loop);
        g_array_index(c->states, nfa_state, loop).next[0] = body;
        next = loop;
    }
    for (uint32_t i = min; i < max && max != GRAMMAR_UNLIMITED && !c->failed; i++)
        next = add_split(c, enter(c, child, next), behind);
    for (uint32_t i = 0; i < min && !c->failed; i++)
        next = enter(c, child, next);
    return next;
}

/* A rule that refers to itself at its end comes back to the state it began with: its own loop. One that does so
 * elsewhere would take ever more states, until they are too many. */
static uint32_t
enter_rule(combiner *c, uint32_t rule, uint32_t next)
{
    const uint32_t root = g_array_index(c->build->rules, node_rule, rule).root;
    const gint64 key = (gint64)rule << 32 | next;
    const guint known = GPOINTER_TO_UINT(g_hash_table_lookup(c->entered, &key));

    if (known > 0) return known - 1;
    if (root == UINT32_MAX || c->calls >= MAX_CALLS) {
        c->failed = TRUE;
        return 0;
    }
    const uint32_t start = add_split(c, NOWHERE, NOWHERE);
    g_hash_table_insert(c->entered, g_memdup2(&key, sizeof key), GUINT_TO_POINTER(start + 1));
    c->calls++;
    const uint32_t body = enter(c, root, next);
    c->calls--;
    if (!c->failed) g_array_index(c->states, nfa_state, start).next[0] = body;
    return start;
}

/* The state from which what the node matches leads to `next`. */
static uint32_t
enter(combiner *c, grammar_node at, uint32_t next)
{
    const node n = *node_at(c->build, at);
    uint32_t result = NOWHERE;
    if (c->failed) return 0;
    switch ((node_kind)n.kind) {
    case NODE_TEXT:
        return enter_text(c, &n, next);
    case NODE_CLASS:
        return add_character(c, n.first, n.n, next);
    case NODE_SEQ:
        for (uint32_t i = n.n; i-- > 0;)
            next = enter(c, node_child(c->build, n.first + i), next);
        return next;
    case NODE_ALT:
        for (uint32_t i = n.n; i-- > 0;)
            result = add_split(c, enter(c, node_child(c->build, n.first + i), next), result);
        return result == NOWHERE ? add_split(c, NOWHERE, NOWHERE) : result;
    case NODE_REPEAT:
        return enter_repeat(c, &n, next);
    case NODE_REF:
        return enter_rule(c, n.child, next);
    }
    return 0;
}

/* ---- sets of states ---- */

typedef struct {
    GPtrArray
        *sets; /* of GArray of uint32_t, sorted: only states that take a character or accept */
    GHashTable *index; /* GBytes -> number + 1 */
    GArray *rules;     /* uint32_t, a set's rule */
} set_table;

static void
close_over(const combiner *c, uint32_t state, uint8_t *seen, GArray *out)
{
    g_autoptr(GArray) todo = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    g_array_append_val(todo, state);
    while (todo->len > 0) {
        const uint32_t at = g_array_index(todo, uint32_t, todo->len - 1);
        g_array_set_size(todo, todo->len - 1);
        if (at == NOWHERE || seen[at]) continue;
        seen[at] = 1;
        const nfa_state *s = &g_array_index(c->states, nfa_state, at);
        if (s->n > 0 || s->accepts >= 0) g_array_append_val(out, at);
        if (s->n > 0) continue;
        g_array_append_vals(todo, s->next, 2);
    }
}

static int
compare_numbers(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* The set's number, -1 when there are too many. Takes states. */
static int
find_set(combiner *c, set_table *t, GArray *states)
{
    if (states->len > 0) qsort(states->data, states->len, sizeof(uint32_t), compare_numbers);
    GBytes *key = g_bytes_new(states->data, states->len * sizeof(uint32_t));
    const guint known = GPOINTER_TO_UINT(g_hash_table_lookup(t->index, key));
    if (known > 0) {
        g_bytes_unref(key);
        g_array_unref(states);
        return (int)known - 1;
    }
    const uint32_t rule = grammar_rule(c->build, "characters");
    g_hash_table_insert(t->index, key, GUINT_TO_POINTER(t->sets->len + 1));
    g_ptr_array_add(t->sets, states);
    g_array_append_val(t->rules, rule);
    if (t->sets->len > MAX_SETS || grammar_is_full(c->build)) c->failed = TRUE;
    return (int)t->sets->len - 1;
}

static gboolean
takes(const combiner *c, const nfa_state *s, uint32_t character)
{
    const grammar_range *ranges = &g_array_index(c->build->ranges, grammar_range, s->first);
    for (uint32_t i = 0; i < s->n; i++)
        if (character >= ranges[i].first && character <= ranges[i].last) return TRUE;
    return FALSE;
}

static gboolean
is_accepted(const combiner *c, const GArray *set)
{
    guint8 accepted[MAX_OPERANDS] = {0};
    for (guint i = 0; i < set->len; i++) {
        const nfa_state *s = &g_array_index(c->states, nfa_state, g_array_index(set, uint32_t, i));
        if (s->accepts >= 0) accepted[s->accepts] = 1;
    }
    for (size_t i = 0; i < c->n_operands; i++)
        if (accepted[i] != (i < c->n_all)) return FALSE;
    return TRUE;
}

/* Where the characters that a set tells apart begin. */
static GArray *
find_cuts(const combiner *c, const GArray *set)
{
    GArray *cuts = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    for (guint i = 0; i < set->len; i++) {
        const nfa_state *s = &g_array_index(c->states, nfa_state, g_array_index(set, uint32_t, i));
        for (uint32_t k = 0; k < s->n; k++) {
            const grammar_range r = g_array_index(c->build->ranges, grammar_range, s->first + k);
            const uint32_t behind = r.last + 1;
            g_array_append_val(cuts, r.first);
            g_array_append_val(cuts, behind);
        }
    }
    g_array_sort(cuts, compare_numbers);
    return cuts;
}

/* A set's rule: for every set that follows it, the characters that lead there. */
static void
write_rule(combiner *c, set_table *t, guint number, uint8_t *seen)
{
    const GArray *set = t->sets->pdata[number];
    g_autoptr(GArray) cuts = find_cuts(c, set);
    g_autoptr(GHashTable) by_target =
        g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)g_array_unref);
    g_autoptr(GArray) targets = g_array_new(FALSE, FALSE, sizeof(int));
    g_autoptr(GArray) nodes = g_array_new(FALSE, FALSE, sizeof(grammar_node));

    for (guint i = 0; i + 1 < cuts->len && !c->failed; i++) {
        const grammar_range range = {g_array_index(cuts, uint32_t, i),
                                     g_array_index(cuts, uint32_t, i + 1) - 1};
        if (range.first > range.last) continue; /* twice the same cut */
        GArray *next = g_array_new(FALSE, FALSE, sizeof(uint32_t));
        memset(seen, 0, c->states->len);
        for (guint k = 0; k < set->len; k++) {
            const nfa_state *s =
                &g_array_index(c->states, nfa_state, g_array_index(set, uint32_t, k));
            if (takes(c, s, range.first)) close_over(c, s->next[0], seen, next);
        }
        const int target = find_set(c, t, next);
        GArray *ranges = g_hash_table_lookup(by_target, GINT_TO_POINTER(target));
        if (!ranges) {
            ranges = g_array_new(FALSE, FALSE, sizeof(grammar_range));
            g_hash_table_insert(by_target, GINT_TO_POINTER(target), ranges);
            g_array_append_val(targets, target);
        }
        g_array_append_val(ranges, range);
    }
    for (guint i = 0; i < targets->len && !c->failed; i++) {
        const int target = g_array_index(targets, int, i);
        const GArray *ranges = g_hash_table_lookup(by_target, GINT_TO_POINTER(target));
        const grammar_node pair[2] = {
            grammar_class(c->build, (const grammar_range *)(void *)ranges->data, ranges->len,
                          FALSE),
            grammar_ref(c->build, g_array_index(t->rules, uint32_t, target))};
        const grammar_node step = grammar_seq(c->build, pair, 2);
        g_array_append_val(nodes, step);
    }
    if (is_accepted(c, set)) {
        const grammar_node end = grammar_empty(c->build);
        g_array_append_val(nodes, end);
    }
    const grammar_node body =
        nodes->len > 0
            ? grammar_alt(c->build, (const grammar_node *)(void *)nodes->data, nodes->len)
            : grammar_class(c->build, NULL, 0, FALSE);
    if (!c->failed && !grammar_is_full(c->build))
        grammar_define(c->build, g_array_index(t->rules, uint32_t, number), body);
}

gboolean
grammar_combine(grammar_build *build, const grammar_node *all, size_t n_all,
                const grammar_node *none, size_t n_none, grammar_node *out, gboolean *is_empty)
{
    g_autoptr(GArray) states = g_array_new(FALSE, FALSE, sizeof(nfa_state));
    g_autoptr(GPtrArray) sets = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
    g_autoptr(GHashTable) index =
        g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL);
    g_autoptr(GArray) rules = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    set_table table = {sets, index, rules};
    g_autoptr(GHashTable) entered =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    combiner c = {build, states, entered, n_all, n_all + n_none, 0, FALSE};
    uint32_t starts[MAX_OPERANDS];

    if (n_all + n_none > MAX_OPERANDS || grammar_is_full(build)) return FALSE;
    for (size_t i = 0; i < c.n_operands; i++) {
        const uint32_t end =
            add_state(&c, (nfa_state){.next = {NOWHERE, NOWHERE}, .accepts = (int32_t)i});
        starts[i] = enter(&c, i < n_all ? all[i] : none[i - n_all], end);
    }
    if (c.failed) return FALSE;
    g_autofree uint8_t *seen = g_new0(uint8_t, states->len);
    GArray *start = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    for (size_t i = 0; i < c.n_operands; i++)
        close_over(&c, starts[i], seen, start);
    find_set(&c, &table, start);
    *is_empty = TRUE;
    for (guint i = 0; i < sets->len && !c.failed; i++) {
        write_rule(&c, &table, i, seen);
        if (is_accepted(&c, sets->pdata[i])) *is_empty = FALSE;
    }
    if (c.failed) return FALSE;
    *out = grammar_ref(build, g_array_index(rules, uint32_t, 0));
    return TRUE;
}

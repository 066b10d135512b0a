/* From the tree of a grammar to positions over bytes: a nondeterministic automaton per rule, and calls.
 *
 * Three questions are answered about every node first, each by following what it depends on once: can it end at all
 * (what cannot is left out, so a matcher is never in a place without a way out), can it be empty, and does a rule
 * begin with itself (which a matcher that follows calls could not stop following). */
#include "engine/grammar_nodes.h"

#include <string.h>

#define NONE UINT32_MAX

void
grammar_program_free(grammar_program *p)
{
    if (!p) return;
    g_free(p->positions);
    g_free(p->edges);
    g_free(p->targets);
    g_free(p->rules);
    g_free(p->bodies);
    g_free(p);
}

typedef struct {
    const grammar_build *build;
    uint8_t *productive, *nullable; /* [nodes] */
    GArray *positions, *edges, *targets, *rules, *bodies;
    uint32_t *rule_of_rule;                  /* of the tree -> of the program, NONE */
    GHashTable *rule_of_node, *body_of_node; /* repeated node -> index + 1 */
    GArray *todo;                            /* uint32_t: nodes of program rules, by index */
    gboolean in_body, full;
} compiler;

/* ---- facts about nodes ------------------------------------------------------------------------ */

/* Who depends on whom, backwards: users of node i are list[start[i] .. start[i + 1]). */
typedef struct {
    uint32_t *start, *list;
} users;

static void
each_child(const grammar_build *b, const node *n, void (*fn)(uint32_t child, void *data),
           void *data)
{
    switch ((node_kind)n->kind) {
    case NODE_SEQ:
    case NODE_ALT:
        for (uint32_t i = 0; i < n->n; i++)
            fn(node_child(b, n->first + i), data);
        break;
    case NODE_REPEAT:
        fn(n->child, data);
        break;
    case NODE_REF:
        fn(g_array_index(b->rules, node_rule, n->child).root, data);
        break;
    case NODE_TEXT:
    case NODE_CLASS:
        break;
    }
}

static void
count_user(uint32_t child, void *data)
{
    ((uint32_t *)data)[child + 1]++;
}

typedef struct {
    uint32_t *fill, *list, user;
} user_filler;

static void
enter_user(uint32_t child, void *data)
{
    user_filler *f = data;
    f->list[f->fill[child]++] = f->user;
}

static users
find_users(const grammar_build *b)
{
    const guint n = b->nodes->len;
    users u = {g_new0(uint32_t, n + 2), NULL};
    for (guint i = 0; i < n; i++)
        each_child(b, node_at(b, i), count_user, u.start);
    for (guint i = 0; i < n; i++)
        u.start[i + 1] += u.start[i];
    u.list = g_new(uint32_t, u.start[n] + 1);
    g_autofree uint32_t *fill = g_memdup2(u.start, ((gsize)n + 1) * sizeof *u.start);
    for (guint i = 0; i < n; i++)
        each_child(b, node_at(b, i), enter_user, &(user_filler){fill, u.list, i});
    return u;
}

/* Does node i hold of itself? nullable: of being empty, else of being able to end. */
static gboolean
holds_alone(const grammar_build *b, guint i, gboolean nullable)
{
    const node *n = node_at(b, i);
    switch ((node_kind)n->kind) {
    case NODE_TEXT:
        return !nullable || n->n == 0;
    case NODE_CLASS:
        return !nullable && n->n > 0;
    case NODE_SEQ:
        return n->n == 0;
    case NODE_REPEAT:
        return n->min == 0;
    case NODE_ALT:
    case NODE_REF:
        return FALSE;
    }
    return FALSE;
}

/* The least solution: a sequence holds when all of it does, everything else when one child does. */
static uint8_t *
solve(const grammar_build *b, const users *u, gboolean nullable)
{
    const guint n = b->nodes->len;
    uint8_t *holds = g_new0(uint8_t, n);
    g_autofree uint32_t *missing = g_new0(uint32_t, n);
    g_autofree uint32_t *queue = g_new(uint32_t, n);
    guint n_queue = 0;

    for (guint i = 0; i < n; i++) {
        missing[i] = node_at(b, i)->kind == NODE_SEQ ? node_at(b, i)->n : 1;
        if (!holds_alone(b, i, nullable)) continue;
        holds[i] = 1;
        queue[n_queue++] = i;
    }
    while (n_queue > 0) {
        const uint32_t done = queue[--n_queue];
        for (uint32_t k = u->start[done]; k < u->start[done + 1]; k++) {
            const uint32_t user = u->list[k];
            if (holds[user] || --missing[user] > 0) continue;
            holds[user] = 1;
            queue[n_queue++] = user;
        }
    }
    return holds;
}

/* The k-th node that node i may begin with; NONE behind the last. */
static uint32_t
left_corner(const compiler *c, uint32_t i, uint32_t k)
{
    const grammar_build *b = c->build;
    const node *n = node_at(b, i);
    switch ((node_kind)n->kind) {
    case NODE_SEQ:
        if (k >= n->n) return NONE;
        return k > 0 && !c->nullable[node_child(b, n->first + k - 1)] ? NONE
                                                                      : node_child(b, n->first + k);
    case NODE_ALT:
        return k < n->n ? node_child(b, n->first + k) : NONE;
    case NODE_REPEAT:
        return k == 0 ? n->child : NONE;
    case NODE_REF:
        return k == 0 ? g_array_index(b->rules, node_rule, n->child).root : NONE;
    case NODE_TEXT:
    case NODE_CLASS:
        break;
    }
    return NONE;
}

typedef struct {
    uint32_t node, k;
} walk_step;

static gboolean
check_left_recursion(const compiler *c, uint32_t from, uint8_t *colour, GError **error)
{
    enum { NEW, OPEN, DONE };
    g_autoptr(GArray) stack = g_array_new(FALSE, FALSE, sizeof(walk_step));
    walk_step first = {from, 0};

    if (colour[from] != NEW) return TRUE;
    colour[from] = OPEN;
    g_array_append_val(stack, first);
    while (stack->len > 0) {
        walk_step *top = &g_array_index(stack, walk_step, stack->len - 1);
        const uint32_t next = left_corner(c, top->node, top->k++);
        if (next == NONE) {
            colour[top->node] = DONE;
            g_array_set_size(stack, stack->len - 1);
        } else if (colour[next] == OPEN) {
            const char *name = "(unnamed)";
            for (guint i = 0; i < stack->len; i++) {
                const node *n = node_at(c->build, g_array_index(stack, walk_step, i).node);
                if (n->kind == NODE_REF)
                    name = g_array_index(c->build->rules, node_rule, n->child).name;
            }
            g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                        "grammar: rule %.80s begins with itself", name);
            return FALSE;
        } else if (colour[next] == NEW) {
            const walk_step step = {next, 0};
            colour[next] = OPEN;
            g_array_append_val(stack, step);
        }
    }
    return TRUE;
}

static gboolean
check_rules(const compiler *c, GError **error)
{
    const grammar_build *b = c->build;
    for (guint i = 0; i < b->rules->len; i++) {
        const node_rule *rule = &g_array_index(b->rules, node_rule, i);
        if (rule->root != NONE) continue;
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT, "grammar: there is no rule %.80s",
                    rule->name);
        return FALSE;
    }
    return TRUE;
}

/* ---- positions -------------------------------------------------------------------------------- */

static uint32_t
add_position(compiler *c, grammar_position p)
{
    if (c->positions->len >= NODE_MAX_POSITIONS) {
        c->full = TRUE;
        return 0;
    }
    p.in_body = (uint8_t)c->in_body;
    g_array_append_val(c->positions, p);
    return c->positions->len - 1;
}

static uint32_t
add_bytes(compiler *c, const grammar_edge *edges, guint n)
{
    const uint32_t first = c->edges->len;
    g_array_append_vals(c->edges, edges, n);
    const uint32_t body = c->in_body ? c->bodies->len : 0;
    return add_position(
        c, (grammar_position){.kind = GRAMMAR_BYTES, .first = first, .n = n, .a = body});
}

static uint32_t
emit_text(compiler *c, const node *n, uint32_t next)
{
    for (uint32_t i = n->n; i-- > 0 && !c->full;) {
        const uint8_t byte = (uint8_t)c->build->bytes->str[n->first + i];
        next = add_bytes(c, &(grammar_edge){byte, byte, next}, 1);
    }
    return next;
}

/* Where a character's last 1, 2, 3 bytes are any continuation; made when first needed. */
typedef struct {
    uint32_t at[4];
} tails;

static uint32_t
tail(compiler *c, tails *t, size_t n)
{
    if (t->at[n] == NONE) {
        const uint32_t target = tail(c, t, n - 1);
        t->at[n] = add_bytes(c, &(grammar_edge){0x80, 0xBF, target}, 1);
    }
    return t->at[n];
}

static gboolean
all_are(const uint8_t *bytes, size_t n, uint8_t value)
{
    for (size_t i = 0; i < n; i++)
        if (bytes[i] != value) return FALSE;
    return TRUE;
}

static void append_edges(compiler *c, tails *t, const uint8_t *lo, const uint8_t *hi, size_t n,
                         GArray *edges);

static void
append_narrow(compiler *c, tails *t, uint8_t byte, const uint8_t *lo, const uint8_t *hi, size_t n,
              GArray *edges)
{
    g_autoptr(GArray) inner = g_array_new(FALSE, FALSE, sizeof(grammar_edge));
    append_edges(c, t, lo, hi, n, inner);
    const grammar_edge edge = {byte, byte,
                               add_bytes(c, (const grammar_edge *)(void *)inner->data, inner->len)};
    g_array_append_val(edges, edge);
}

/* Edges for all sequences of n bytes between lo and hi, which are encodings of one length. */
static void
append_edges(compiler *c, tails *t, const uint8_t *lo, const uint8_t *hi, size_t n, GArray *edges)
{
    static const uint8_t least[3] = {0x80, 0x80, 0x80}, most[3] = {0xBF, 0xBF, 0xBF};
    uint8_t from = lo[0], to = hi[0];

    if (n > 1 && from == to) {
        append_narrow(c, t, from, lo + 1, hi + 1, n - 1, edges);
        return;
    }
    if (n > 1 && !all_are(lo + 1, n - 1, 0x80)) {
        append_narrow(c, t, from, lo + 1, most, n - 1, edges);
        from++;
    }
    const gboolean cut = n > 1 && !all_are(hi + 1, n - 1, 0xBF);
    if (cut) to--;
    if (from <= to) {
        const grammar_edge edge = {from, to, tail(c, t, n - 1)};
        g_array_append_val(edges, edge);
    }
    if (cut) append_narrow(c, t, hi[0], least, hi + 1, n - 1, edges);
}

/* Ranges of characters to edges over their UTF-8, length by length. */
static uint32_t
emit_class(compiler *c, const node *n, uint32_t next)
{
    static const uint32_t last_of_length[] = {0x7F, 0x7FF, 0xFFFF, 0x10FFFF};
    g_autoptr(GArray) edges = g_array_new(FALSE, FALSE, sizeof(grammar_edge));
    tails t = {{next, NONE, NONE, NONE}};

    for (uint32_t i = 0; i < n->n && !c->full; i++) {
        const grammar_range r = g_array_index(c->build->ranges, grammar_range, n->first + i);
        uint32_t first = r.first;
        for (size_t length = 1; length <= 4 && first <= r.last; length++) {
            char lo[6], hi[6];
            if (first > last_of_length[length - 1]) continue;
            const uint32_t last = MIN(r.last, last_of_length[length - 1]);
            g_unichar_to_utf8(first, lo);
            g_unichar_to_utf8(last, hi);
            append_edges(c, &t, (const uint8_t *)lo, (const uint8_t *)hi, length, edges);
            first = last + 1;
        }
    }
    return add_bytes(c, (const grammar_edge *)(void *)edges->data, edges->len);
}

/* ---- nodes ------------------------------------------------------------------------------------ */

static uint32_t emit(compiler *c, uint32_t index, uint32_t next);

static uint32_t
add_split(compiler *c, const uint32_t *targets, guint n)
{
    const uint32_t first = c->targets->len;
    g_array_append_vals(c->targets, targets, n);
    return add_position(c, (grammar_position){.kind = GRAMMAR_SPLIT, .first = first, .n = n});
}

static uint32_t
emit_alt(compiler *c, const node *n, uint32_t next)
{
    g_autoptr(GArray) live = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    for (uint32_t i = 0; i < n->n && !c->full; i++) {
        const uint32_t child = node_child(c->build, n->first + i);
        if (!c->productive[child]) continue;
        const uint32_t at = emit(c, child, next);
        g_array_append_val(live, at);
    }
    if (live->len == 1) return g_array_index(live, uint32_t, 0);
    return add_split(c, (const uint32_t *)(void *)live->data, live->len);
}

/* The program's rule for a node that is called or repeated; its positions come later. */
static uint32_t
new_rule(compiler *c, uint32_t root)
{
    g_array_append_val(c->todo, root);
    return c->todo->len - 1;
}

static uint32_t
emit_ref(compiler *c, const node *n, uint32_t next)
{
    const uint32_t root = g_array_index(c->build->rules, node_rule, n->child).root;
    const node *body = node_at(c->build, root);
    /* small rules are written in place: the fewer borders, the more a mask says without its context */
    if (body->simple && body->size <= NODE_UNROLL) return emit(c, root, next);
    if (c->rule_of_rule[n->child] == NONE) c->rule_of_rule[n->child] = new_rule(c, root);
    return add_position(
        c, (grammar_position){.kind = GRAMMAR_CALL, .a = c->rule_of_rule[n->child], .next = next});
}

static void
add_first_bytes(const grammar_range *r, uint64_t set[4])
{
    char lo[6], hi[6];
    g_unichar_to_utf8(r->first, lo);
    g_unichar_to_utf8(r->last, hi);
    for (unsigned byte = (uint8_t)lo[0]; byte <= (uint8_t)hi[0]; byte++)
        set[byte / 64] |= (uint64_t)1 << byte % 64;
}

/* Is no text of the node the beginning of another one? Answers FALSE when that is not plain to see. first: the
 * bytes it may begin with. */
static gboolean
is_prefix_code(const compiler *c, uint32_t index, uint64_t first[4])
{
    const grammar_build *b = c->build;
    const node *n = node_at(b, index);

    if (!n->simple) return FALSE;
    if (n->kind == NODE_REPEAT) return n->min == n->max && is_prefix_code(c, n->child, first);
    if (n->n == 0) return FALSE;
    switch ((node_kind)n->kind) {
    case NODE_TEXT: {
        const uint8_t byte = (uint8_t)b->bytes->str[n->first];
        first[byte / 64] |= (uint64_t)1 << byte % 64;
        return TRUE;
    }
    case NODE_CLASS:
        for (uint32_t i = 0; i < n->n; i++)
            add_first_bytes(&g_array_index(b->ranges, grammar_range, n->first + i), first);
        return TRUE;
    case NODE_SEQ:
        for (uint32_t i = 0; i < n->n; i++) {
            uint64_t rest[4] = {0};
            if (!is_prefix_code(c, node_child(b, n->first + i), i == 0 ? first : rest))
                return FALSE;
        }
        return TRUE;
    case NODE_ALT:
        for (uint32_t i = 0; i < n->n; i++) {
            uint64_t own[4] = {0};
            if (!is_prefix_code(c, node_child(b, n->first + i), own)) return FALSE;
            for (int w = 0; w < 4; w++) {
                if (first[w] & own[w]) return FALSE;
                first[w] |= own[w];
            }
        }
        return TRUE;
    case NODE_REPEAT:
    case NODE_REF:
        break;
    }
    return FALSE;
}

static uint32_t
emit_copies(compiler *c, const node *n, uint32_t next)
{
    if (n->max == GRAMMAR_UNLIMITED) {
        /* a split that comes back to itself */
        const uint32_t split = add_split(c, (const uint32_t[]){0, 0}, 2);
        const uint32_t first =
            c->full ? 0 : g_array_index(c->positions, grammar_position, split).first;
        const uint32_t body = emit(c, n->child, split);
        if (c->full) return next;
        g_array_index(c->targets, uint32_t, first) = body;
        g_array_index(c->targets, uint32_t, first + 1) = next;
        next = split;
    } else {
        const uint32_t out = next;
        for (uint32_t i = n->min; i < n->max && !c->full; i++) {
            const uint32_t body = emit(c, n->child, next);
            next = add_split(c, (const uint32_t[]){body, out}, 2);
        }
    }
    for (uint32_t i = 0; i < n->min && !c->full; i++)
        next = emit(c, n->child, next);
    return next;
}

static uint32_t
body_of(compiler *c, uint32_t child)
{
    const gpointer known = g_hash_table_lookup(c->body_of_node, GUINT_TO_POINTER(child));
    if (known) return GPOINTER_TO_UINT(known) - 1;
    c->in_body = TRUE;
    const uint32_t end = add_position(c, (grammar_position){.kind = GRAMMAR_BODY_END});
    const uint32_t start = emit(c, child, end);
    c->in_body = FALSE;
    g_array_append_val(c->bodies, start);
    g_hash_table_insert(c->body_of_node, GUINT_TO_POINTER(child), GUINT_TO_POINTER(c->bodies->len));
    return c->bodies->len - 1;
}

static uint32_t
emit_repeat(compiler *c, const node *n, uint32_t next)
{
    const node *child = node_at(c->build, n->child);
    const uint64_t copies = n->max == GRAMMAR_UNLIMITED ? (uint64_t)n->min + 1 : n->max;
    const uint64_t unrolled = copies * ((uint64_t)child->size + 1);
    node whole = *n;
    uint64_t first[4] = {0};

    if (!c->productive[n->child]) return next; /* min is 0, else this node could not end */
    if (c->nullable[n->child]) whole.min = 0;
    if (unrolled <= NODE_UNROLL || copies == 1 ||
        (whole.max == GRAMMAR_UNLIMITED && whole.min == 0))
        return emit_copies(c, &whole, next);
    if (c->nullable[n->child]) { /* counting what may be nothing would never end */
        if (unrolled > 4096) c->full = TRUE;
        return c->full ? next : emit_copies(c, &whole, next);
    }
    if (!c->in_body && child->size <= 4096 && is_prefix_code(c, n->child, first)) {
        const uint32_t body = body_of(c, n->child);
        return add_position(
            c, (grammar_position){
                   .kind = GRAMMAR_LOOP, .a = body, .next = next, .min = n->min, .max = n->max});
    }
    gpointer rule = g_hash_table_lookup(c->rule_of_node, GUINT_TO_POINTER(n->child));
    if (!rule) {
        rule = GUINT_TO_POINTER(new_rule(c, n->child) + 1);
        g_hash_table_insert(c->rule_of_node, GUINT_TO_POINTER(n->child), rule);
    }
    return add_position(c, (grammar_position){.kind = GRAMMAR_REPEAT,
                                              .a = GPOINTER_TO_UINT(rule) - 1,
                                              .next = next,
                                              .min = n->min,
                                              .max = n->max});
}

/* Positions for a node that can end, followed by next: made from the back. */
static uint32_t
emit(compiler *c, uint32_t index, uint32_t next)
{
    const node *n = node_at(c->build, index);

    if (c->full) return next;
    switch ((node_kind)n->kind) {
    case NODE_TEXT:
        return emit_text(c, n, next);
    case NODE_CLASS:
        return emit_class(c, n, next);
    case NODE_SEQ:
        for (uint32_t i = n->n; i-- > 0;)
            next = emit(c, node_child(c->build, n->first + i), next);
        return next;
    case NODE_ALT:
        return emit_alt(c, n, next);
    case NODE_REPEAT:
        return emit_repeat(c, n, next);
    case NODE_REF:
        return emit_ref(c, n, next);
    }
    return next;
}

/* ---- the whole -------------------------------------------------------------------------------- */

static grammar_program *
compile(compiler *c, uint32_t root, GError **error)
{
    const node_rule *rule = &g_array_index(c->build->rules, node_rule, root);

    if (!c->productive[rule->root]) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                    "grammar: no text satisfies rule %.80s", rule->name);
        return NULL;
    }
    new_rule(c, rule->root);
    for (guint i = 0; i < c->todo->len && !c->full; i++) {
        const uint32_t end = add_position(c, (grammar_position){.kind = GRAMMAR_END});
        const uint32_t start = emit(c, g_array_index(c->todo, uint32_t, i), end);
        g_array_append_val(c->rules, start);
    }
    if (c->full) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT,
                    "grammar: it takes more than %d positions", NODE_MAX_POSITIONS);
        return NULL;
    }
    grammar_program *p = g_new0(grammar_program, 1);
    p->n_positions = c->positions->len;
    p->n_edges = c->edges->len;
    p->n_targets = c->targets->len;
    p->n_rules = c->rules->len;
    p->n_bodies = c->bodies->len;
    p->positions = g_memdup2(c->positions->data, p->n_positions * sizeof *p->positions);
    p->edges = g_memdup2(c->edges->data, p->n_edges * sizeof *p->edges);
    p->targets = g_memdup2(c->targets->data, p->n_targets * sizeof *p->targets);
    p->rules = g_memdup2(c->rules->data, p->n_rules * sizeof *p->rules);
    p->bodies = g_memdup2(c->bodies->data, p->n_bodies * sizeof *p->bodies);
    p->root = p->rules[0];
    return p;
}

static grammar_program *
analyse_and_compile(compiler *c, uint32_t root, GError **error)
{
    const grammar_build *b = c->build;
    if (!check_rules(c, error)) return NULL;
    users u = find_users(b);
    c->productive = solve(b, &u, FALSE);
    c->nullable = solve(b, &u, TRUE);
    g_free(u.start);
    g_free(u.list);
    g_autofree uint8_t *colour = g_new0(uint8_t, b->nodes->len);
    for (guint i = 0; i < b->rules->len; i++)
        if (!check_left_recursion(c, g_array_index(b->rules, node_rule, i).root, colour, error))
            return NULL;
    return compile(c, root, error);
}

grammar_program *
grammar_build_finish(grammar_build *b, uint32_t root, GError **error)
{
    if (b->full) {
        g_set_error_literal(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT,
                            "grammar: too large, or nested too deeply");
        return NULL;
    }
    compiler c = {
        .build = b,
        .positions = g_array_new(FALSE, FALSE, sizeof(grammar_position)),
        .edges = g_array_new(FALSE, FALSE, sizeof(grammar_edge)),
        .targets = g_array_new(FALSE, FALSE, sizeof(uint32_t)),
        .rules = g_array_new(FALSE, FALSE, sizeof(uint32_t)),
        .bodies = g_array_new(FALSE, FALSE, sizeof(uint32_t)),
        .todo = g_array_new(FALSE, FALSE, sizeof(uint32_t)),
        .rule_of_rule = g_malloc_n(b->rules->len + 1, sizeof(uint32_t)),
        .rule_of_node = g_hash_table_new(NULL, NULL),
        .body_of_node = g_hash_table_new(NULL, NULL),
    };
    memset(c.rule_of_rule, 0xFF, (b->rules->len + 1) * sizeof *c.rule_of_rule);
    grammar_program *result = analyse_and_compile(&c, root, error);
    GArray *const arrays[] = {c.positions, c.edges, c.targets, c.rules, c.bodies, c.todo};
    for (size_t i = 0; i < G_N_ELEMENTS(arrays); i++)
        g_array_unref(arrays[i]);
    g_hash_table_unref(c.rule_of_node);
    g_hash_table_unref(c.body_of_node);
    g_free(c.rule_of_rule);
    g_free(c.productive);
    g_free(c.nullable);
    return result;
}

/* What a vocabulary's tokens do at a position.
 *
 * A mask of 150,000 tokens must not cost a walk of all of them at every step. What most tokens do is decided inside
 * the rule or loop they begin in, whatever stands around it: the letters of a string are letters of a string in every
 * field of every object. That part is found once per position, by one walk over the vocabulary's tree with a stack
 * that ends at the rule's edge. Left are the few tokens that cross the edge (a quote with a comma behind it); they are
 * kept by the node at which they cross, and finished for every context anew. The same idea, for another automaton:
 * Dong et al., "XGrammar", arXiv:2411.15100, section 3.
 *
 * Counted loops are one position each whatever the count: the walk notes how many rounds a token needs. */
#include "engine/grammar_mask.h"

#include "engine/model.h"

#include <string.h>

typedef struct {
    uint32_t id, rounds;
} inside_token;

typedef struct {
    GArray *inside; /* inside_token */
    GArray *whole;  /* mask_exit */
    GArray *dead;   /* mask_exit */
    GArray *live;   /* mask_exit, of live_byte */
    int live_byte;  /* -1: none is asked for */
    gboolean has_live[256];
} walk;

static void
add_exit(GArray *array, uint32_t node, uint32_t rounds)
{
    const mask_exit exit = {node, rounds};
    g_array_append_val(array, exit);
}

static void
add_inside(const vocab_trie *trie, walk *w, uint32_t node, uint32_t rounds)
{
    for (uint32_t i = trie->first[node]; i < trie->first[node + 1]; i++) {
        const inside_token token = {(uint32_t)trie->ids[i], rounds};
        g_array_append_val(w->inside, token);
    }
}

static uint32_t
start_state(grammar_machine *m, uint32_t position)
{
    /* BODY_END finds its body in the count */
    const grammar_place place = {position, m->program->positions[position].a, MACHINE_EDGE};
    return machine_intern(m, &place, 1, 0);
}

static void
walk_vocabulary(const engine_grammar *g, uint32_t position, walk *w)
{
    grammar_machine *m = (grammar_machine *)(void *)&g->machine; /* guarded by the lock */
    const vocab_trie *trie = g->trie;
    const gboolean loop = g->program->positions[position].in_body;

    machine_forget(m, TRUE);
    g->state_at[0] = start_state(m, position);
    g->rounds_at[0] = 0;
    for (uint32_t i = 1; i < trie->n_nodes;) {
        const uint32_t depth = trie->depth[i], parent = g->state_at[depth - 1];
        const uint32_t rounds = g->rounds_at[depth - 1];
        const uint8_t byte = trie->byte[i];
        const gboolean at_exit = (machine_state_at(m, parent)->flags & MACHINE_ESCAPES) != 0;
        const uint32_t next = machine_next(m, parent, byte);
        if (next == MACHINE_DEAD) {
            if (at_exit) add_exit(w->dead, i, rounds);
            i = trie->skip[i];
            continue;
        }
        if (at_exit) {
            w->has_live[byte] = TRUE;
            if (byte == w->live_byte) add_exit(w->live, i, rounds);
        }
        const machine_state *state = machine_state_at(m, next);
        const uint32_t ends = (state->flags & MACHINE_ESCAPES) != 0;
        const uint32_t done = rounds + (loop ? ends : 0);
        add_inside(trie, w, i, loop ? done + !ends : 0);
        if (state->n == 0) {
            if (trie->skip[i] > i + 1) add_exit(w->whole, i, done);
            i = trie->skip[i];
            continue;
        }
        g->state_at[depth] = next;
        g->rounds_at[depth] = done;
        i++;
    }
}

static void
walk_init(walk *w, int live_byte)
{
    *w = (walk){.inside = g_array_new(FALSE, FALSE, sizeof(inside_token)),
                .whole = g_array_new(FALSE, FALSE, sizeof(mask_exit)),
                .dead = g_array_new(FALSE, FALSE, sizeof(mask_exit)),
                .live = g_array_new(FALSE, FALSE, sizeof(mask_exit)),
                .live_byte = live_byte};
}

static void
walk_clear(walk *w)
{
    g_array_unref(w->inside);
    g_array_unref(w->whole);
    g_array_unref(w->dead);
    g_array_unref(w->live);
}

/* ---- keeping it ------------------------------------------------------------------------------- */

/* By rounds, each group in the order of the walk. */
static void
keep_by_rounds(local_mask *local, const walk *w)
{
    const inside_token *tokens = (const inside_token *)(void *)w->inside->data;
    for (guint i = 0; i < w->inside->len; i++)
        local->most_rounds = MAX(local->most_rounds, tokens[i].rounds);
    local->up_to = g_new0(uint32_t, (gsize)local->most_rounds + 2);
    for (guint i = 0; i < w->inside->len; i++)
        local->up_to[tokens[i].rounds + 1]++;
    for (uint32_t r = 0; r <= local->most_rounds; r++)
        local->up_to[r + 1] += local->up_to[r];
    /* up_to[r] is now where the group begins; filling moves it to where it ends */
    for (guint i = 0; i < w->inside->len; i++)
        local->ids[local->up_to[tokens[i].rounds]++] = tokens[i].id;
}

static void
keep_inside(local_mask *local, const walk *w, uint32_t n_words, gboolean loop)
{
    local->n_ids = w->inside->len;
    /* a list is smaller where tokens are few */
    if (local->n_ids > 2 * n_words) {
        local->bits = g_new0(uint64_t, n_words);
        for (guint i = 0; i < w->inside->len; i++) {
            const uint32_t id = g_array_index(w->inside, inside_token, i).id;
            local->bits[id / 64] |= (uint64_t)1 << id % 64;
        }
        if (!loop) return;
    }
    local->ids = g_new(uint32_t, local->n_ids + 1);
    if (loop) {
        keep_by_rounds(local, w);
        return;
    }
    for (guint i = 0; i < w->inside->len; i++)
        local->ids[i] = g_array_index(w->inside, inside_token, i).id;
}

static void
keep_dead(local_mask *local, const walk *w, const vocab_trie *trie)
{
    const mask_exit *dead = (const mask_exit *)(void *)w->dead->data;
    uint32_t fill[257] = {0};
    for (guint i = 0; i < w->dead->len; i++)
        fill[trie->byte[dead[i].node] + 1]++;
    for (int byte = 0; byte < 256; byte++)
        fill[byte + 1] += fill[byte];
    memcpy(local->dead_from, fill, sizeof fill);
    local->dead = g_new(mask_exit, w->dead->len + 1);
    for (guint i = 0; i < w->dead->len; i++)
        local->dead[fill[trie->byte[dead[i].node]]++] = dead[i];
}

const local_mask *
grammar_local(const engine_grammar *grammar, uint32_t position)
{
    GMutex *lock = (GMutex *)(void *)&grammar->lock;
    g_mutex_lock(lock);
    if (!grammar->locals[position]) {
        local_mask *local = g_new0(local_mask, 1);
        walk w;
        walk_init(&w, -1);
        walk_vocabulary(grammar, position, &w);
        keep_inside(local, &w, grammar->trie->n_words,
                    grammar->program->positions[position].in_body);
        keep_dead(local, &w, grammar->trie);
        local->whole = g_memdup2(w.whole->data, w.whole->len * sizeof *local->whole);
        local->n_whole = w.whole->len;
        memcpy(local->has_live, w.has_live, sizeof w.has_live);
        walk_clear(&w);
        grammar->locals[position] = local;
    }
    g_mutex_unlock(lock);
    return grammar->locals[position];
}

const mask_exit *
grammar_live(const engine_grammar *grammar, uint32_t position, uint8_t byte, uint32_t *n)
{
    GMutex *lock = (GMutex *)(void *)&grammar->lock;
    g_mutex_lock(lock);
    local_mask *local = grammar->locals[position];
    if (!local->live[byte]) {
        walk w;
        walk_init(&w, byte);
        walk_vocabulary(grammar, position, &w);
        local->n_live[byte] = w.live->len;
        local->live[byte] = g_new(mask_exit, w.live->len + 1);
        memcpy(local->live[byte], w.live->data, w.live->len * sizeof(mask_exit));
        walk_clear(&w);
    }
    *n = local->n_live[byte];
    const mask_exit *exits = local->live[byte];
    g_mutex_unlock(lock);
    return exits;
}

/* ---- the grammar ------------------------------------------------------------------------------ */

engine_grammar *
grammar_bind(grammar_program *program, const vocab_trie *trie)
{
    engine_grammar *g = g_new0(engine_grammar, 1);
    g->program = program;
    g->trie = trie;
    g_mutex_init(&g->lock);
    g->locals = g_new0(local_mask *, program->n_positions);
    g->state_at = g_new0(uint32_t, (gsize)trie->max_depth + 1);
    g->rounds_at = g_new0(uint32_t, (gsize)trie->max_depth + 1);
    machine_init(&g->machine, program);
    return g;
}

static void
local_free(local_mask *local)
{
    if (!local) return;
    g_free(local->bits);
    g_free(local->ids);
    g_free(local->up_to);
    g_free(local->whole);
    g_free(local->dead);
    for (int byte = 0; byte < 256; byte++)
        g_free(local->live[byte]);
    g_free(local);
}

void
engine_grammar_free(engine_grammar *g)
{
    if (!g) return;
    for (uint32_t i = 0; i < g->program->n_positions; i++)
        local_free(g->locals[i]);
    g_free(g->locals);
    g_free(g->state_at);
    g_free(g->rounds_at);
    machine_clear(&g->machine);
    g_mutex_clear(&g->lock);
    grammar_program_free(g->program);
    g_free(g);
}

static engine_grammar *
bind_to_model(const engine_model *model, grammar_program *program, GError **error)
{
    const engine_tokenizer *tokenizer = model->tokenizer;
    if (!program) return NULL;
    if (tokenizer) return grammar_bind(program, engine_tokenizer_trie(tokenizer));
    g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_ARGUMENT,
                "%s has no vocabulary that a grammar could be kept with",
                engine_model_get_info(model)->name);
    grammar_program_free(program);
    return NULL;
}

engine_grammar *
engine_grammar_new(const engine_model *model, const char *text, GError **error)
{
    return bind_to_model(model, grammar_program_parse(text, error), error);
}

engine_grammar *
engine_grammar_new_from_json_schema(const engine_model *model, const char *schema, GError **error)
{
    return bind_to_model(model, grammar_program_from_schema(schema, error), error);
}

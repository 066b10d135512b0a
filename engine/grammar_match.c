/* Where one sequence stands in a grammar, and which tokens may come next. */
#include "engine/grammar_mask.h"

#include <string.h>

enum {
    KEPT_MASKS = 32,
    MAX_STATES = 8192, /* each may have a row of 1 KB */
    MIN_FRAMES = 1 << 18
};

typedef struct {
    uint32_t first, n, flags; /* of history */
} history_mark;

struct grammar_matcher {
    const engine_grammar *grammar;
    grammar_machine machine;
    uint32_t state;
    GArray *history; /* grammar_place */
    GArray *marks;   /* history_mark: the start, then one per accept; the last is `state` */
    uint32_t max_frames;
    uint64_t *masks[KEPT_MASKS];
    uint32_t mask_of[KEPT_MASKS]; /* state, 0: none */
    guint next_mask;
    uint32_t *state_at; /* [trie->max_depth + 1] of a walk */
};

static void
remember(grammar_matcher *x)
{
    const machine_state *s = machine_state_at(&x->machine, x->state);
    const history_mark mark = {x->history->len, s->n, s->flags};
    if (s->n > 0)
        g_array_append_vals(x->history, &g_array_index(x->machine.places, grammar_place, s->first),
                            s->n);
    g_array_append_val(x->marks, mark);
}

/* The state of the last mark. */
static void
recall(grammar_matcher *x)
{
    const history_mark *mark = &g_array_index(x->marks, history_mark, x->marks->len - 1);
    const grammar_place *places = (const grammar_place *)(void *)x->history->data;
    x->state = machine_intern(&x->machine, mark->n > 0 ? places + mark->first : NULL, mark->n,
                              mark->flags);
}

static void
forget_masks(grammar_matcher *x)
{
    memset(x->mask_of, 0, sizeof x->mask_of);
}

static grammar_matcher *
matcher_alloc(const engine_grammar *grammar)
{
    grammar_matcher *x = g_new0(grammar_matcher, 1);
    x->grammar = grammar;
    x->max_frames = MIN_FRAMES;
    x->history = g_array_new(FALSE, FALSE, sizeof(grammar_place));
    x->marks = g_array_new(FALSE, FALSE, sizeof(history_mark));
    x->state_at = g_new0(uint32_t, (gsize)grammar->trie->max_depth + 1);
    machine_init(&x->machine, grammar->program);
    return x;
}

grammar_matcher *
grammar_matcher_new(const engine_grammar *grammar)
{
    grammar_matcher *x = matcher_alloc(grammar);
    grammar_matcher_reset(x);
    return x;
}

void
grammar_matcher_free(grammar_matcher *x)
{
    if (!x) return;
    machine_clear(&x->machine);
    g_array_unref(x->history);
    g_array_unref(x->marks);
    for (int i = 0; i < KEPT_MASKS; i++)
        g_free(x->masks[i]);
    g_free(x->state_at);
    g_free(x);
}

void
grammar_matcher_reset(grammar_matcher *x)
{
    machine_forget(&x->machine, TRUE);
    x->machine.failed = FALSE;
    forget_masks(x);
    g_array_set_size(x->history, 0);
    g_array_set_size(x->marks, 0);
    machine_begin(&x->machine);
    machine_add(&x->machine, x->grammar->program->root, 0, MACHINE_BOTTOM);
    x->state = machine_finish(&x->machine);
    remember(x);
}

/* ---- keeping memory bounded ------------------------------------------------------------------- */

/* Start the machine anew with the stacks of the history alone; a frame always lies below those made later. */
static void
rebuild(grammar_matcher *x, const GArray *old)
{
    g_autofree uint32_t *number = g_new0(uint32_t, old->len);
    grammar_place *places = (grammar_place *)(void *)x->history->data;

    for (guint i = 0; i < x->history->len; i++)
        number[places[i].stack] = 1;
    for (guint i = old->len; i-- > 2;)
        if (number[i]) number[g_array_index(old, machine_frame, i).below] = 1;
    number[MACHINE_BOTTOM] = MACHINE_BOTTOM;
    number[MACHINE_EDGE] = MACHINE_EDGE;
    for (guint i = 2; i < old->len; i++) {
        if (!number[i]) continue;
        const machine_frame *f = &g_array_index(old, machine_frame, i);
        number[i] = machine_push(&x->machine, f->position, f->count, number[f->below]);
    }
    for (guint i = 0; i < x->history->len; i++)
        places[i].stack = number[places[i].stack];
}

static void
tidy(grammar_matcher *x)
{
    if (x->machine.states->len > MAX_STATES || x->machine.frames->len > x->max_frames) {
        g_autoptr(GArray) old = g_array_copy(x->machine.frames);
        machine_forget(&x->machine, TRUE);
        rebuild(x, old);
        if (x->machine.frames->len > x->max_frames / 2) x->max_frames *= 2;
        forget_masks(x);
        recall(x);
    }
    if (x->marks->len > 2 * GRAMMAR_MAX_REWIND + 1) {
        const guint drop = x->marks->len - GRAMMAR_MAX_REWIND - 1;
        const uint32_t first = g_array_index(x->marks, history_mark, drop).first;
        g_array_remove_range(x->marks, 0, drop);
        if (first > 0) g_array_remove_range(x->history, 0, first);
        for (guint i = 0; i < x->marks->len; i++)
            g_array_index(x->marks, history_mark, i).first -= first;
    }
}

grammar_matcher *
grammar_matcher_clone(const grammar_matcher *matcher)
{
    grammar_matcher *x = matcher_alloc(matcher->grammar);
    x->machine.failed = matcher->machine.failed;
    x->max_frames = matcher->max_frames;
    g_array_append_vals(x->history, matcher->history->data, matcher->history->len);
    g_array_append_vals(x->marks, matcher->marks->data, matcher->marks->len);
    rebuild(x, matcher->machine.frames);
    recall(x);
    return x;
}

/* ---- moving ----------------------------------------------------------------------------------- */

static uint32_t
follow(grammar_matcher *x, const char *bytes, size_t len)
{
    uint32_t state = x->state;
    for (size_t i = 0; i < len && state != MACHINE_DEAD; i++)
        state = machine_next(&x->machine, state, (uint8_t)bytes[i]);
    return state;
}

gboolean
grammar_matcher_accept(grammar_matcher *x, const char *bytes, size_t len)
{
    const uint32_t state = follow(x, bytes, len);
    if (state == MACHINE_DEAD) return FALSE;
    x->state = state;
    remember(x);
    tidy(x);
    return TRUE;
}

gboolean
grammar_matcher_allows(grammar_matcher *x, const char *bytes, size_t len)
{
    return follow(x, bytes, len) != MACHINE_DEAD;
}

void
grammar_matcher_rewind(grammar_matcher *x, size_t n)
{
    g_return_if_fail(n < x->marks->len);
    if (n == 0) return;
    g_array_set_size(x->marks, x->marks->len - (guint)n);
    const history_mark *mark = &g_array_index(x->marks, history_mark, x->marks->len - 1);
    g_array_set_size(x->history, mark->first + mark->n);
    recall(x);
}

gboolean
grammar_matcher_can_end(const grammar_matcher *x)
{
    return (machine_state_at(&x->machine, x->state)->flags & MACHINE_CAN_END) != 0;
}

gboolean
grammar_matcher_failed(const grammar_matcher *x)
{
    return x->machine.failed;
}

void
grammar_matcher_forced(grammar_matcher *x, size_t max, GString *out)
{
    const grammar_program *program = x->grammar->program;
    uint32_t state = x->state;

    for (size_t done = 0; done < max; done++) {
        const machine_state s = *machine_state_at(&x->machine, state);
        int only = -1;
        if (s.flags & MACHINE_CAN_END) return;
        for (uint32_t i = 0; i < s.n; i++) {
            const grammar_place *place =
                &g_array_index(x->machine.places, grammar_place, s.first + i);
            const grammar_position *p = &program->positions[place->position];
            for (uint32_t e = 0; e < p->n; e++) {
                const grammar_edge *edge = &program->edges[p->first + e];
                if (edge->lo != edge->hi || (only >= 0 && edge->lo != only)) return;
                only = edge->lo;
            }
        }
        if (only < 0) return;
        g_string_append_c(out, (char)only);
        state = machine_next(&x->machine, state, (uint8_t)only);
    }
}

/* ---- masks ------------------------------------------------------------------------------------ */

static void
set_bit(uint64_t *mask, uint32_t id)
{
    mask[id / 64] |= (uint64_t)1 << id % 64;
}

static void
set_tokens(const vocab_trie *trie, uint32_t node, uint64_t *mask)
{
    for (uint32_t i = trie->first[node]; i < trie->first[node + 1]; i++)
        set_bit(mask, (uint32_t)trie->ids[i]);
}

/* All tokens below a node whose text leads to `state`. */
static void
set_subtree(grammar_matcher *x, uint32_t node, uint32_t state, uint64_t *mask)
{
    const vocab_trie *trie = x->grammar->trie;
    const uint32_t end = trie->skip[node];

    x->state_at[trie->depth[node]] = state;
    for (uint32_t i = node + 1; i < end;) {
        const uint32_t depth = trie->depth[i];
        const uint32_t next = machine_next(&x->machine, x->state_at[depth - 1], trie->byte[i]);
        if (next == MACHINE_DEAD) {
            i = trie->skip[i];
            continue;
        }
        x->state_at[depth] = next;
        set_tokens(trie, i, mask);
        i++;
    }
}

/* How a place can be left: to which state, after how many rounds of its loop. */
typedef struct {
    uint32_t state;
    uint32_t min, max; /* rounds; both 0 and unlimited outside loops */
} way_out;

static void
set_exits(grammar_matcher *x, const mask_exit *exits, uint32_t n, const way_out *out,
          uint32_t state, gboolean with_node, uint64_t *mask)
{
    for (uint32_t i = 0; i < n; i++) {
        if (exits[i].rounds < out->min || exits[i].rounds > out->max) continue;
        if (with_node) set_tokens(x->grammar->trie, exits[i].node, mask);
        set_subtree(x, exits[i].node, state, mask);
    }
}

/* The tokens that stay inside, with `room` for so many rounds. */
static void
set_inside(const local_mask *local, uint32_t room, uint32_t n_words, uint64_t *mask)
{
    if (local->bits && (!local->up_to || room >= local->most_rounds)) {
        for (uint32_t w = 0; w < n_words; w++)
            mask[w] |= local->bits[w];
        return;
    }
    const uint32_t n = local->up_to ? local->up_to[MIN(room, local->most_rounds)] : local->n_ids;
    for (uint32_t i = 0; i < n; i++)
        set_bit(mask, local->ids[i]);
}

static way_out
find_way_out(grammar_matcher *x, const grammar_place *place)
{
    grammar_machine *m = &x->machine;
    way_out out = {0, 0, GRAMMAR_UNLIMITED};

    machine_begin(m);
    if (m->program->positions[place->position].in_body) {
        const machine_frame f = g_array_index(m->frames, machine_frame, place->stack);
        const grammar_position *loop = &m->program->positions[f.position];
        out.min = loop->min > place->count ? loop->min - place->count : 0;
        if (loop->max != GRAMMAR_UNLIMITED) out.max = loop->max - place->count;
        machine_add(m, loop->next, 0, f.below);
    } else {
        machine_leave(m, place->stack);
    }
    out.state = machine_finish(m);
    return out;
}

static void
set_place(grammar_matcher *x, const grammar_place *place, uint64_t *mask)
{
    const engine_grammar *g = x->grammar;
    const local_mask *local = grammar_local(g, place->position);
    const way_out out = find_way_out(x, place);

    set_inside(local, out.max, g->trie->n_words, mask);
    set_exits(x, local->whole, local->n_whole, &out, out.state, FALSE, mask);
    for (int byte = 0; byte < 256; byte++) {
        const uint32_t from = local->dead_from[byte], n = local->dead_from[byte + 1] - from;
        if (n == 0 && !local->has_live[byte]) continue;
        const uint32_t next = machine_next(&x->machine, out.state, (uint8_t)byte);
        if (next == MACHINE_DEAD) continue;
        set_exits(x, local->dead + from, n, &out, next, TRUE, mask);
        if (!local->has_live[byte]) continue;
        uint32_t n_live = 0;
        const mask_exit *live = grammar_live(g, place->position, (uint8_t)byte, &n_live);
        set_exits(x, live, n_live, &out, next, TRUE, mask);
    }
}

const uint64_t *
grammar_matcher_mask(grammar_matcher *x)
{
    const uint32_t n_words = x->grammar->trie->n_words;

    for (int i = 0; i < KEPT_MASKS; i++)
        if (x->mask_of[i] == x->state) return x->masks[i];
    const guint slot = x->next_mask++ % KEPT_MASKS;
    if (!x->masks[slot]) x->masks[slot] = g_new(uint64_t, (gsize)n_words + 1);
    uint64_t *mask = x->masks[slot];
    memset(mask, 0, n_words * sizeof *mask);
    const machine_state s = *machine_state_at(&x->machine, x->state);
    for (uint32_t i = 0; i < s.n; i++) {
        const grammar_place place = g_array_index(x->machine.places, grammar_place, s.first + i);
        set_place(x, &place, mask);
    }
    x->mask_of[slot] = x->state;
    return mask;
}

/* Following a program byte by byte. */
#include "engine/grammar_machine.h"

#include <stdlib.h>
#include <string.h>

static uint32_t
hash3(uint32_t a, uint32_t b, uint32_t c)
{
    uint64_t h = (uint64_t)a * 0x9e3779b97f4a7c15u + (uint64_t)b * 0xc2b2ae3d27d4eb4fu +
                 (uint64_t)c * 0x165667b19e3779f9u;
    return (uint32_t)((h ^ h >> 29) * 0xbf58476d1ce4e5b9u >> 32);
}

void
machine_init(grammar_machine *m, const grammar_program *program)
{
    *m = (grammar_machine){
        .program = program,
        .frames = g_array_new(FALSE, FALSE, sizeof(machine_frame)),
        .states = g_array_new(FALSE, FALSE, sizeof(machine_state)),
        .places = g_array_new(FALSE, FALSE, sizeof(grammar_place)),
        .rows = g_array_new(FALSE, TRUE, sizeof(uint32_t)),
        .work = g_array_new(FALSE, FALSE, sizeof(grammar_place)),
        .result = g_array_new(FALSE, FALSE, sizeof(grammar_place)),
        .sorted = g_array_new(FALSE, FALSE, sizeof(grammar_place)),
        .n_frame_slots = 256,
        .n_state_slots = 256,
        .n_seen = 256,
    };
    m->frame_slots = g_new0(uint32_t, m->n_frame_slots);
    m->state_slots = g_new0(uint32_t, m->n_state_slots);
    m->seen = g_new0(uint32_t, m->n_seen);
    machine_forget(m, TRUE);
}

void
machine_clear(grammar_machine *m)
{
    GArray *const arrays[] = {m->frames, m->states, m->places, m->rows,
                              m->work,   m->result, m->sorted};
    for (size_t i = 0; i < G_N_ELEMENTS(arrays); i++)
        g_array_unref(arrays[i]);
    g_free(m->frame_slots);
    g_free(m->state_slots);
    g_free(m->seen);
}

void
machine_forget(grammar_machine *m, gboolean frames)
{
    g_array_set_size(m->states, 0);
    g_array_set_size(m->places, 0);
    g_array_set_size(m->rows, 0);
    memset(m->state_slots, 0, m->n_state_slots * sizeof *m->state_slots);
    const machine_state dead = {0};
    g_array_append_val(m->states, dead);
    if (!frames) return;
    g_array_set_size(m->frames, 0);
    memset(m->frame_slots, 0, m->n_frame_slots * sizeof *m->frame_slots);
    const machine_frame ground[2] = {{0}};
    g_array_append_vals(m->frames, ground, 2); /* MACHINE_BOTTOM, MACHINE_EDGE */
}

/* ---- stacks ----------------------------------------------------------------------------------- */

static void
grow_frames(grammar_machine *m)
{
    g_free(m->frame_slots);
    m->n_frame_slots *= 2;
    m->frame_slots = g_new0(uint32_t, m->n_frame_slots);
    for (guint i = 2; i < m->frames->len; i++) {
        const machine_frame *f = &g_array_index(m->frames, machine_frame, i);
        uint32_t slot = hash3(f->position, f->count, f->below) & (m->n_frame_slots - 1);
        while (m->frame_slots[slot])
            slot = (slot + 1) & (m->n_frame_slots - 1);
        m->frame_slots[slot] = i + 1;
    }
}

uint32_t
machine_push(grammar_machine *m, uint32_t position, uint32_t count, uint32_t below)
{
    const machine_frame frame = {position, count, below};
    uint32_t slot = hash3(position, count, below) & (m->n_frame_slots - 1);

    for (; m->frame_slots[slot]; slot = (slot + 1) & (m->n_frame_slots - 1)) {
        const uint32_t number = m->frame_slots[slot] - 1;
        const machine_frame *f = &g_array_index(m->frames, machine_frame, number);
        if (f->position == position && f->count == count && f->below == below) return number;
    }
    g_array_append_val(m->frames, frame);
    const uint32_t number = m->frames->len - 1;
    m->frame_slots[slot] = number + 1;
    if (m->frames->len * 2 > m->n_frame_slots) grow_frames(m);
    return number;
}

/* ---- sets of places --------------------------------------------------------------------------- */

void
machine_begin(grammar_machine *m)
{
    g_array_set_size(m->work, 0);
    g_array_set_size(m->result, 0);
    memset(m->seen, 0, m->n_seen * sizeof *m->seen);
    m->flags = 0;
}

static void
grow_seen(grammar_machine *m)
{
    g_free(m->seen);
    m->n_seen *= 2;
    m->seen = g_new0(uint32_t, m->n_seen);
    for (guint i = 0; i < m->work->len; i++) {
        const grammar_place *p = &g_array_index(m->work, grammar_place, i);
        uint32_t slot = hash3(p->position, p->count, p->stack) & (m->n_seen - 1);
        while (m->seen[slot])
            slot = (slot + 1) & (m->n_seen - 1);
        m->seen[slot] = i + 1;
    }
}

void
machine_add(grammar_machine *m, uint32_t position, uint32_t count, uint32_t stack)
{
    const grammar_place place = {position, count, stack};
    uint32_t slot = hash3(position, count, stack) & (m->n_seen - 1);

    for (; m->seen[slot]; slot = (slot + 1) & (m->n_seen - 1)) {
        const grammar_place *p = &g_array_index(m->work, grammar_place, m->seen[slot] - 1);
        if (p->position == position && p->count == count && p->stack == stack) return;
    }
    if (m->work->len >= MACHINE_MAX_PLACES) {
        m->failed = TRUE;
        return;
    }
    g_array_append_val(m->work, place);
    m->seen[slot] = m->work->len;
    if (m->work->len * 2 > m->n_seen) grow_seen(m);
}

/* Before the (count + 1)-th round of a REPEAT or LOOP that stands on `below`. */
static void
enter_round(grammar_machine *m, uint32_t at, uint32_t count, uint32_t below)
{
    const grammar_position *p = &m->program->positions[at];

    if (count >= p->min) machine_add(m, p->next, 0, below);
    if (count >= p->max) return;
    if (p->kind == GRAMMAR_REPEAT)
        machine_add(m, m->program->rules[p->a], 0, machine_push(m, at, count, below));
    else
        machine_add(m, m->program->bodies[p->a], count, machine_push(m, at, 0, below));
}

/* One round more, as far as it matters. */
static uint32_t
count_on(const grammar_position *p, uint32_t count)
{
    const uint32_t enough = p->max == GRAMMAR_UNLIMITED ? p->min : p->max;
    return count < enough ? count + 1 : count;
}

void
machine_leave(grammar_machine *m, uint32_t stack)
{
    if (stack == MACHINE_BOTTOM || stack == MACHINE_EDGE) {
        m->flags |= stack == MACHINE_BOTTOM ? MACHINE_CAN_END : MACHINE_ESCAPES;
        return;
    }
    const machine_frame f = g_array_index(m->frames, machine_frame, stack);
    const grammar_position *p = &m->program->positions[f.position];
    if (p->kind == GRAMMAR_CALL)
        machine_add(m, p->next, 0, f.below);
    else
        enter_round(m, f.position, count_on(p, f.count), f.below);
}

static void
call(grammar_machine *m, const grammar_place *place, const grammar_position *p)
{
    /* a call at a rule's end returns to where the rule itself returns: right recursion needs no stack */
    const gboolean last = m->program->positions[p->next].kind == GRAMMAR_END;
    machine_add(m, m->program->rules[p->a], 0,
                last ? place->stack : machine_push(m, place->position, 0, place->stack));
}

static void
follow(grammar_machine *m, grammar_place place)
{
    const grammar_program *program = m->program;
    const grammar_position *p = &program->positions[place.position];

    switch ((grammar_kind)p->kind) {
    case GRAMMAR_BYTES:
        g_array_append_val(m->result, place);
        break;
    case GRAMMAR_SPLIT:
        for (uint32_t i = 0; i < p->n; i++)
            machine_add(m, program->targets[p->first + i], place.count, place.stack);
        break;
    case GRAMMAR_CALL:
        call(m, &place, p);
        break;
    case GRAMMAR_REPEAT:
    case GRAMMAR_LOOP:
        enter_round(m, place.position, 0, place.stack);
        break;
    case GRAMMAR_END:
        machine_leave(m, place.stack);
        break;
    case GRAMMAR_BODY_END:
        if (place.stack == MACHINE_EDGE) {
            /* looking at the body alone: a round is over, whichever it was, and another one begins; the count
             * tells which body this is */
            m->flags |= MACHINE_ESCAPES;
            machine_add(m, program->bodies[place.count], place.count, place.stack);
        } else {
            const machine_frame f = g_array_index(m->frames, machine_frame, place.stack);
            enter_round(m, f.position, count_on(&program->positions[f.position], place.count),
                        f.below);
        }
        break;
    }
}

static int
compare_places(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(grammar_place));
}

/* In the order of compare_places, byte by byte from the last one: an ambiguous grammar has thousands of places in each
 * of thousands of sets, and comparing them took most of its time. Bytes that all places share are passed over. */
static void
sort_places(grammar_machine *m)
{
    const guint n = m->result->len;
    grammar_place *from = (grammar_place *)(void *)m->result->data;

    if (n < 64) {
        if (n > 1) qsort(from, n, sizeof *from, compare_places);
        return;
    }
    g_array_set_size(m->sorted, n);
    grammar_place *to = (grammar_place *)(void *)m->sorted->data;
    for (size_t byte = sizeof *from; byte-- > 0;) {
        uint32_t start[257] = {0};
        for (guint i = 0; i < n; i++)
            start[((const uint8_t *)&from[i])[byte] + 1u]++;
        if (start[((const uint8_t *)from)[byte] + 1u] == n) continue;
        for (size_t i = 1; i < 256; i++)
            start[i] += start[i - 1];
        for (guint i = 0; i < n; i++)
            to[start[((const uint8_t *)&from[i])[byte]]++] = from[i];
        grammar_place *const other = from;
        from = to;
        to = other;
    }
    if ((gpointer)from != m->result->data) memcpy(m->result->data, from, n * sizeof *from);
}

static uint32_t
hash_places(const grammar_place *places, uint32_t n, uint32_t flags)
{
    uint32_t h = flags + n * 31;
    for (uint32_t i = 0; i < n; i++)
        h = hash3(h ^ places[i].position, places[i].count, places[i].stack);
    return h;
}

static uint32_t
hash_state(const grammar_machine *m, const machine_state *s)
{
    return hash_places(&g_array_index(m->places, grammar_place, s->first), s->n, s->flags);
}

static void
grow_states(grammar_machine *m)
{
    g_free(m->state_slots);
    m->n_state_slots *= 2;
    m->state_slots = g_new0(uint32_t, m->n_state_slots);
    for (guint i = 1; i < m->states->len; i++) {
        uint32_t slot = hash_state(m, machine_state_at(m, i)) & (m->n_state_slots - 1);
        while (m->state_slots[slot])
            slot = (slot + 1) & (m->n_state_slots - 1);
        m->state_slots[slot] = i + 1;
    }
}

uint32_t
machine_intern(grammar_machine *m, const grammar_place *places, uint32_t n, uint32_t flags)
{
    if (n == 0 && flags == 0) return MACHINE_DEAD;
    uint32_t slot = hash_places(places, n, flags) & (m->n_state_slots - 1);
    for (; m->state_slots[slot]; slot = (slot + 1) & (m->n_state_slots - 1)) {
        const uint32_t number = m->state_slots[slot] - 1;
        const machine_state *s = machine_state_at(m, number);
        if (s->n == n && s->flags == flags &&
            (n == 0 || memcmp(&g_array_index(m->places, grammar_place, s->first), places,
                              n * sizeof *places) == 0))
            return number;
    }
    const machine_state state = {m->places->len, n, flags, 0};
    g_array_append_vals(m->places, places, n);
    g_array_append_val(m->states, state);
    const uint32_t number = m->states->len - 1;
    m->state_slots[slot] = number + 1;
    if (m->states->len * 2 > m->n_state_slots) grow_states(m);
    return number;
}

uint32_t
machine_finish(grammar_machine *m)
{
    for (guint i = 0; i < m->work->len; i++)
        follow(m, g_array_index(m->work, grammar_place, i));
    sort_places(m);
    return machine_intern(m, (const grammar_place *)(const void *)m->result->data, m->result->len,
                          m->flags);
}

uint32_t
machine_step(grammar_machine *m, uint32_t state, uint8_t byte)
{
    const machine_state s = *machine_state_at(m, state);

    machine_begin(m);
    for (uint32_t i = 0; i < s.n; i++) {
        const grammar_place place = g_array_index(m->places, grammar_place, s.first + i);
        const grammar_position *p = &m->program->positions[place.position];
        for (uint32_t e = 0; e < p->n; e++) {
            const grammar_edge *edge = &m->program->edges[p->first + e];
            if (byte >= edge->lo && byte <= edge->hi)
                machine_add(m, edge->target, place.count, place.stack);
        }
    }
    const uint32_t next = machine_finish(m);
    if (s.row == 0) {
        if (m->rows->len / 256 >= MACHINE_MAX_ROWS) return next;
        g_array_set_size(m->rows, m->rows->len + 256);
        memset(&g_array_index(m->rows, uint32_t, m->rows->len - 256), 0, 256 * sizeof(uint32_t));
        g_array_index(m->states, machine_state, state).row = m->rows->len / 256;
    }
    const uint32_t row = machine_state_at(m, state)->row;
    g_array_index(m->rows, uint32_t, (row - 1) * 256u + byte) = next + 1;
    return next;
}

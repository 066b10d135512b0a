/* Following a program byte by byte. Private to grammar_*.c.
 *
 * A place in a program is (position, count, stack): the count belongs to a loop's body, the stack says what to return
 * to. Stacks are shared: each is one frame on another one, equal ones have one number. A state is the set of places
 * that consume a byte, plus whether the text may end here; states are numbered too, and remember where each byte
 * leads, so what has been walked once is walked again by table look-ups: a deterministic automaton that is built
 * where it is needed. */
#ifndef LODE_ENGINE_GRAMMAR_MACHINE_H
#define LODE_ENGINE_GRAMMAR_MACHINE_H

#include "engine/grammar.h"

G_BEGIN_DECLS

enum {
    MACHINE_BOTTOM = 0, /* stack of the root: leaving it ends the text */
    MACHINE_EDGE = 1, /* stack below what we look at: leaving a rule or a loop there is an escape */
    MACHINE_MAX_PLACES = 4096,
    MACHINE_MAX_ROWS = 32768, /* of 1 KB */
    MACHINE_DEAD = 0          /* the state without places */
};

typedef struct {
    uint32_t position, count, stack;
} grammar_place;

typedef struct {
    uint32_t position, count, below; /* a CALL, REPEAT or LOOP that was entered */
} machine_frame;

enum { MACHINE_CAN_END = 1, MACHINE_ESCAPES = 2 };

typedef struct {
    uint32_t first, n; /* places */
    uint32_t flags;
    uint32_t row; /* of `rows` + 1; 0: none yet */
} machine_state;

typedef struct {
    const grammar_program *program;
    GArray *frames;        /* machine_frame; stacks by number */
    uint32_t *frame_slots; /* hash: number + 1 */
    uint32_t n_frame_slots;
    GArray *states;        /* machine_state; 0 is dead */
    GArray *places;        /* grammar_place, of all states */
    uint32_t *state_slots; /* hash: number + 1 */
    uint32_t n_state_slots;
    GArray *rows; /* uint32_t [256] each: next state + 1, 0 unknown */
    /* scratch of one step */
    GArray *work, *result, *sorted; /* grammar_place */
    uint32_t *seen;                 /* hash into work: index + 1 */
    uint32_t n_seen;
    uint32_t flags;
    gboolean failed; /* a set outgrew MACHINE_MAX_PLACES */
} grammar_machine;

void machine_init(grammar_machine *m, const grammar_program *program);
void machine_clear(grammar_machine *m);
/* Forget states, and with `frames` stacks too. */
void machine_forget(grammar_machine *m, gboolean frames);

uint32_t machine_push(grammar_machine *m, uint32_t position, uint32_t count, uint32_t below);

/* Build a set: begin, add places of any kind (calls are followed), finish with the state's number. */
void machine_begin(grammar_machine *m);
void machine_add(grammar_machine *m, uint32_t position, uint32_t count, uint32_t stack);
void machine_leave(grammar_machine *m, uint32_t stack); /* add what follows the end of a rule */
uint32_t machine_finish(grammar_machine *m);
/* The state of these byte places [n], as they came from another state. */
uint32_t machine_intern(grammar_machine *m, const grammar_place *places, uint32_t n,
                        uint32_t flags);
uint32_t machine_step(grammar_machine *m, uint32_t state, uint8_t byte);

static inline const machine_state *
machine_state_at(const grammar_machine *m, uint32_t state)
{
    return &g_array_index(m->states, machine_state, state);
}

static inline uint32_t
machine_next(grammar_machine *m, uint32_t state, uint8_t byte)
{
    const uint32_t row = machine_state_at(m, state)->row;
    if (row > 0) {
        const uint32_t next = g_array_index(m->rows, uint32_t, (row - 1) * 256u + byte);
        if (next > 0) return next - 1;
    }
    return machine_step(m, state, byte);
}

G_END_DECLS
#endif

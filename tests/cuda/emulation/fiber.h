/* Fibers: a stack and where it left off. One runs at a time, all on the thread that runs the block. */
#ifndef LODE_EMULATION_FIBER_H
#define LODE_EMULATION_FIBER_H

#include <cstddef>

struct emulation_fiber_stack; /* one per thread index, kept between blocks */

/* Make the fiber begin at `entry` when it is next switched to. */
void emulation_fiber_prepare(size_t index, void (*entry)(void));
void emulation_fiber_enter(size_t index); /* from the scheduler; back at the fiber's next leave */
void emulation_fiber_leave(size_t index); /* from the fiber */
[[noreturn]] void emulation_fiber_finish(size_t index); /* the same, never to come back */
/* Give up all fibers where they stand. */
void emulation_fiber_abandon(size_t n);

#endif

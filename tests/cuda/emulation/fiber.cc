/* Switching by saving what the calling convention says a callee keeps: on x86-64 a dozen instructions, elsewhere
 * ucontext (which also asks the kernel for the signal mask, twenty times slower). AddressSanitizer is told of every
 * switch, else it takes a fiber's stack for an overflow. Below each stack lies a page without access. */
#include "fiber.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <sys/mman.h>
#include <ucontext.h>

#if defined(__SANITIZE_ADDRESS__)
#define FIBER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIBER_ASAN 1
#endif
#endif
#ifdef FIBER_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#define FIBER_STACK (256u << 10)
#define FIBER_GUARD 4096u
#define FIBER_MOST  1024

struct fiber {
    unsigned char *stack; /* [FIBER_STACK] behind its guard page */
    void (*entry)(void);
    void *fake; /* AddressSanitizer's */
#ifdef __x86_64__
    void *sp;
#else
    ucontext_t context;
#endif
};

static fiber fibers[FIBER_MOST];
static fiber scheduler;
#ifdef FIBER_ASAN
static const void *scheduler_bottom;
static size_t scheduler_size;
#endif

#ifdef __x86_64__
extern "C" void emulation_fiber_switch(void **save, void *load);
__asm__(".text\n"
        ".globl emulation_fiber_switch\n"
        ".hidden emulation_fiber_switch\n"
        ".type emulation_fiber_switch,@function\n"
        "emulation_fiber_switch:\n"
        "    endbr64\n"
        "    pushq %rbp\n"
        "    pushq %rbx\n"
        "    pushq %r12\n"
        "    pushq %r13\n"
        "    pushq %r14\n"
        "    pushq %r15\n"
        "    movq %rsp, (%rdi)\n"
        "    movq %rsi, %rsp\n"
        "    popq %r15\n"
        "    popq %r14\n"
        "    popq %r13\n"
        "    popq %r12\n"
        "    popq %rbx\n"
        "    popq %rbp\n"
        "    ret\n"
        ".size emulation_fiber_switch,.-emulation_fiber_switch\n");

static void
raw_switch(fiber *from, fiber *to)
{
    emulation_fiber_switch(&from->sp, to->sp);
}
#else
static void
raw_switch(fiber *from, fiber *to)
{
    swapcontext(&from->context, &to->context);
}
#endif

static size_t entering;

static void
begin(void)
{
    fiber *self = &fibers[entering];
#ifdef FIBER_ASAN
    __sanitizer_finish_switch_fiber(NULL, &scheduler_bottom, &scheduler_size);
#endif
    self->entry();
    abort(); /* an entry ends with emulation_fiber_finish */
}

void
emulation_fiber_prepare(size_t index, void (*entry)(void))
{
    fiber *f = &fibers[index];

    if (f->stack == NULL) {
        void *memory = mmap(NULL, FIBER_GUARD + FIBER_STACK, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) {
            fputs("emulation: no memory for a thread's stack\n", stderr);
            abort();
        }
        mprotect(memory, FIBER_GUARD, PROT_NONE);
        f->stack = static_cast<unsigned char *>(memory) + FIBER_GUARD;
    }
    f->entry = entry;
    f->fake = NULL;
#ifdef __x86_64__
    /* as if `begin` had been called: its return address, then six registers */
    void **top = reinterpret_cast<void **>(f->stack + FIBER_STACK) - 1;
    *top = NULL;
    *--top = reinterpret_cast<void *>(begin);
    for (int i = 0; i < 6; i++)
        *--top = NULL;
    f->sp = top;
#else
    getcontext(&f->context);
    f->context.uc_stack.ss_sp = f->stack;
    f->context.uc_stack.ss_size = FIBER_STACK;
    f->context.uc_link = NULL;
    makecontext(&f->context, begin, 0);
#endif
}

void
emulation_fiber_enter(size_t index)
{
    fiber *f = &fibers[index];

    entering = index;
#ifdef FIBER_ASAN
    __sanitizer_start_switch_fiber(&scheduler.fake, f->stack, FIBER_STACK);
#endif
    raw_switch(&scheduler, f);
#ifdef FIBER_ASAN
    __sanitizer_finish_switch_fiber(scheduler.fake, NULL, NULL);
#endif
}

static void
leave(size_t index, bool for_good)
{
    fiber *f = &fibers[index];
#ifdef FIBER_ASAN
    __sanitizer_start_switch_fiber(for_good ? NULL : &f->fake, scheduler_bottom, scheduler_size);
#else
    (void)for_good;
#endif
    raw_switch(f, &scheduler);
#ifdef FIBER_ASAN
    __sanitizer_finish_switch_fiber(f->fake, &scheduler_bottom, &scheduler_size);
#endif
}

void
emulation_fiber_leave(size_t index)
{
    leave(index, false);
}

void
emulation_fiber_finish(size_t index)
{
    leave(index, true);
    abort();
}

void
emulation_fiber_abandon(size_t n)
{
#ifdef FIBER_ASAN
    for (size_t i = 0; i < n && i < FIBER_MOST; i++)
        if (fibers[i].stack) __asan_unpoison_memory_region(fibers[i].stack, FIBER_STACK);
#else
    (void)n;
#endif
}

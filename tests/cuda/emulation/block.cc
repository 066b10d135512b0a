/* One block at a time: its threads, what they wait for, its shared memory. */
#include "internal.h"
#include "fiber.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#define SHARED_MOST  (232u << 10) /* behind the largest card's */
#define SHARED_GUARD 64u
#define SHARED_ALIGN 128u
#define GUARD_BYTE   0x5c

enum thread_state { READY, AT_BARRIER, IN_WARP, RETURNED };

struct async_copy {
    void *dst;
    const void *src;
    size_t n_bytes, src_bytes;
    size_t group;
};

struct block_thread {
    emulation_thread facts;
    thread_state state;
    emulation_request *request;
    const char *barrier, *file;
    int line, predicate;
    std::vector<async_copy> copies;
    size_t group;
};

struct shared_site {
    const void *site;
    unsigned char *memory;
    size_t n_bytes;
};

const emulation_thread *emulation_running;

static std::vector<block_thread> threads;
/* Who can go on. Some warps are ahead (a bit each): they go on to the next barrier of the block before the others do.
 * Without that all warps come to their first shuffle at about the same time, and it is as good as a barrier. */
static std::vector<unsigned> ready, ready_ahead;
static uint32_t ahead;
static unsigned running, n_threads, n_waiting, n_returned;
static int barrier_sum;
static const std::function<void()> *body;
static const char *kernel_name = "";
static uint3 block_index;
static bool faulted;
static std::string fault_text;
static emulation_random draws;

alignas(1024) static unsigned char shared_memory[SHARED_MOST + 64 * SHARED_GUARD];
static std::vector<shared_site> sites;
static size_t shared_used, shared_dynamic, shared_limit, shared_payload;

void
emulation_fault(const char *format, ...)
{
    char text[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    char whole[768];
    snprintf(whole, sizeof whole, "kernel %s, block (%u, %u, %u)%s: %s", kernel_name, block_index.x,
             block_index.y, block_index.z,
             emulation_running ? (", thread " + std::to_string(running)).c_str() : "", text);
    emulation_fault_found(whole);
    faulted = true;
    if (!emulation_running) abort(); /* the scheduler returns by itself, see fault_here */
    emulation_running = NULL;
    emulation_fiber_finish(running);
}

/* The same, from the scheduler. */
static void __attribute__((format(printf, 1, 2))) fault_here(const char *format, ...)
{
    char text[512], whole[768];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    snprintf(whole, sizeof whole, "kernel %s, block (%u, %u, %u): %s", kernel_name, block_index.x,
             block_index.y, block_index.z, text);
    emulation_fault_found(whole);
    faulted = true;
}

/* ---- shared memory ---- */

/* Room for n_bytes with a guard behind it. */
static unsigned char *
shared_take(size_t n_bytes, size_t align)
{
    const size_t at = (shared_used + align - 1) / align * align;

    if (at + n_bytes + SHARED_GUARD > sizeof shared_memory) return NULL;
    unsigned char *memory = shared_memory + at;
    memset(memory, EMULATION_POISON, n_bytes);
    memset(memory + n_bytes, GUARD_BYTE, SHARED_GUARD);
    emulation_unpoison(memory, n_bytes);
    emulation_poison(memory + n_bytes, SHARED_GUARD);
    shared_used = at + n_bytes + SHARED_GUARD;
    return memory;
}

static bool
guard_whole(const unsigned char *memory, size_t n_bytes)
{
    emulation_unpoison(memory + n_bytes, SHARED_GUARD);
    for (size_t i = 0; i < SHARED_GUARD; i++)
        if (memory[n_bytes + i] != GUARD_BYTE) return false;
    return true;
}

static void
shared_begin(const emulation_launch_config *config, size_t limit)
{
    sites.clear();
    shared_used = 0;
    shared_dynamic = shared_payload = config->shared;
    shared_limit = limit;
    emulation_unpoison(shared_memory, sizeof shared_memory);
    shared_take(config->shared, SHARED_ALIGN);
}

static void
shared_end(void)
{
    if (!guard_whole(shared_memory, shared_dynamic))
        fault_here("wrote behind its %zu bytes of dynamic shared memory", shared_dynamic);
    for (const shared_site &s : sites)
        if (!faulted && !guard_whole(s.memory, s.n_bytes))
            fault_here("wrote behind %zu bytes of static shared memory", s.n_bytes);
}

void *
emulation_shared(void)
{
    return shared_memory;
}

void *
emulation_static_shared(const void *site, size_t n_bytes, size_t align)
{
    for (const shared_site &s : sites)
        if (s.site == site) return s.memory;
    size_t n_static = n_bytes;
    for (const shared_site &s : sites)
        n_static += s.n_bytes;
    if (n_static > 48u << 10)
        emulation_fault("%zu bytes of static shared memory, at most 49152", n_static);
    shared_payload += n_bytes;
    if (shared_payload > shared_limit)
        emulation_fault("%zu bytes of shared memory, at most %zu for this kernel on this card",
                        shared_payload, shared_limit);
    unsigned char *memory = shared_take(n_bytes, align < 16 ? 16 : align);
    if (!memory) emulation_fault("no room for %zu bytes of shared memory", n_bytes);
    sites.push_back({site, memory, n_bytes});
    return memory;
}

/* ---- waiting ---- */

static void
wait_here(thread_state state)
{
    const unsigned self = running;

    threads[self].state = state;
    emulation_fiber_leave(self);
}

static void
make_ready(unsigned i)
{
    threads[i].state = READY;
    (ahead >> i / 32 & 1u ? ready_ahead : ready).push_back(i);
}

/* For the time until the next barrier. */
static void
make_all_ready(void)
{
    ahead = (uint32_t)draws.next();
    for (unsigned i = 0; i < n_threads; i++)
        make_ready(i);
}

static unsigned
take_ready(void)
{
    std::vector<unsigned> &from = ready_ahead.empty() ? ready : ready_ahead;
    const size_t pick = draws.below(from.size());
    const unsigned taken = from[pick];

    from[pick] = from.back();
    from.pop_back();
    return taken;
}

void
emulation_give_way(void)
{
    if (!emulation_running) return;
    ready.push_back(running); /* behind those ahead too: it may wait for what another does */
    wait_here(READY);
}

static void
release_barrier(void)
{
    const block_thread &first = threads[0];
    int sum = 0;

    for (unsigned i = 0; i < n_threads; i++) {
        const block_thread &t = threads[i];
        if (t.line != first.line || strcmp(t.file, first.file) != 0) {
            fault_here("divergent barrier: thread 0 waits in %s at %s:%d, thread %u in %s at %s:%d",
                       first.barrier, first.file, first.line, i, t.barrier, t.file, t.line);
            return;
        }
        sum += t.predicate != 0;
    }
    barrier_sum = sum;
    n_waiting = 0;
    make_all_ready();
}

int
emulation_barrier(const char *name, int predicate, const char *file, int line)
{
    block_thread &t = threads[running];

    t.barrier = name;
    t.file = file;
    t.line = line;
    t.predicate = predicate;
    if (++n_waiting == n_threads) {
        t.state = AT_BARRIER;
        release_barrier();
        emulation_fiber_leave(running);
    } else {
        wait_here(AT_BARRIER);
    }
    return barrier_sum;
}

/* Complete the request when all of its lanes wait with it. */
static void
try_warp(unsigned first_thread, const emulation_request *r)
{
    emulation_request *lanes[32] = {0};

    for (unsigned i = 0; i < 32; i++) {
        if (!(r->mask >> i & 1u)) continue;
        if (first_thread + i >= n_threads) return;
        const block_thread &t = threads[first_thread + i];
        if (t.state != IN_WARP) return;
        const emulation_request *other = t.request;
        if (other->complete != r->complete || other->mask != r->mask || other->line != r->line ||
            strcmp(other->file, r->file) != 0)
            return;
        lanes[i] = t.request;
    }
    r->complete(lanes, r->mask); /* may fault, then it does not return */
    for (unsigned i = 0; i < 32; i++) {
        if (!lanes[i]) continue;
        make_ready(first_thread + i);
    }
}

void
emulation_warp(emulation_request *request)
{
    block_thread &t = threads[running];
    const unsigned lane = running % 32;

    if (!(request->mask >> lane & 1u))
        emulation_fault("%s at %s:%d: lane %u is not in its own mask 0x%08x", request->name,
                        request->file, request->line, lane, request->mask);
    t.request = request;
    t.state = IN_WARP;
    const unsigned self = running;
    try_warp(running - lane, request);
    emulation_fiber_leave(self);
}

/* ---- cp.async ---- */

void
emulation_copy_async(void *dst, const void *src, size_t n_bytes, size_t src_bytes)
{
    block_thread &t = threads[running];

    if ((n_bytes != 4 && n_bytes != 8 && n_bytes != 16) || src_bytes > n_bytes)
        emulation_fault("cp.async of %zu from %zu bytes", n_bytes, src_bytes);
    if ((uintptr_t)dst % n_bytes != 0 || (uintptr_t)src % n_bytes != 0)
        emulation_fault("cp.async of %zu bytes at addresses that are not aligned to them", n_bytes);
    memset(dst, EMULATION_POISON, n_bytes);
    t.copies.push_back({dst, src, n_bytes, src_bytes, t.group});
}

void
emulation_copy_commit(void)
{
    threads[running].group++;
}

void
emulation_copy_wait(size_t n_pending)
{
    block_thread &t = threads[running];
    size_t kept = 0;

    for (const async_copy &c : t.copies) {
        if (c.group + n_pending >= t.group) {
            t.copies[kept++] = c;
            continue;
        }
        memcpy(c.dst, c.src, c.src_bytes);
        memset(static_cast<unsigned char *>(c.dst) + c.src_bytes, 0, c.n_bytes - c.src_bytes);
    }
    t.copies.resize(kept);
}

/* ---- the scheduler ---- */

static void
thread_main(void)
{
    (*body)();
    const unsigned self = running;
    if (!threads[self].copies.empty())
        emulation_fault("returned with a cp.async that nobody waited for");
    threads[self].state = RETURNED;
    n_returned++;
    emulation_running = NULL;
    emulation_fiber_finish(self);
}

static std::string
place_of(unsigned i)
{
    const block_thread &t = threads[i];
    char text[256];

    if (t.state == RETURNED) return "has returned";
    if (t.state == AT_BARRIER)
        snprintf(text, sizeof text, "waits in %s at %s:%d", t.barrier, t.file, t.line);
    else
        snprintf(text, sizeof text, "waits in %s at %s:%d for lanes 0x%08x", t.request->name,
                 t.request->file, t.request->line, t.request->mask);
    return text;
}

/* Nobody can go on: say who waits where for whom. */
static void
report_stuck(void)
{
    unsigned waits = 0;

    while (threads[waits].state == RETURNED)
        waits++;
    const block_thread &t = threads[waits];
    unsigned other = 0;
    if (t.state == IN_WARP) {
        const unsigned first = waits / 32 * 32;
        for (unsigned i = 0; i < 32; i++) {
            if (!(t.request->mask >> i & 1u)) continue;
            if (first + i >= n_threads) {
                fault_here("thread %u %s, but the block has no lane %u there", waits,
                           place_of(waits).c_str(), i);
                return;
            }
            const block_thread &o = threads[first + i];
            if (o.state != IN_WARP || o.request->complete != t.request->complete ||
                o.request->mask != t.request->mask || o.request->line != t.request->line) {
                other = first + i;
                break;
            }
        }
    } else {
        while (threads[other].state == AT_BARRIER)
            other++;
    }
    fault_here("thread %u %s, but thread %u %s (%u of %u threads returned, %u at a barrier)", waits,
               place_of(waits).c_str(), other, place_of(other).c_str(), n_returned, n_threads,
               n_waiting);
}

static void
run_block(const emulation_launch_config *config, size_t limit)
{
    const dim3 b = config->block;

    shared_begin(config, limit);
    ready.clear();
    ready_ahead.clear();
    n_waiting = n_returned = 0;
    for (unsigned i = 0; i < n_threads; i++) {
        block_thread &t = threads[i];
        t.facts.thread_index = {i % b.x, i / b.x % b.y, i / b.x / b.y};
        t.facts.block_index = block_index;
        t.facts.lane = i % 32;
        t.copies.clear();
        t.group = 0;
        emulation_fiber_prepare(i, thread_main);
    }
    make_all_ready();
    while (!(ready.empty() && ready_ahead.empty()) && !faulted) {
        running = take_ready();
        emulation_running = &threads[running].facts;
        emulation_fiber_enter(running);
        emulation_running = NULL;
    }
    if (!faulted && n_returned < n_threads) report_stuck();
    if (faulted)
        emulation_fiber_abandon(n_threads);
    else
        shared_end();
}

bool
emulation_run_grid(const emulation_launch_config *config, const std::function<void()> &run,
                   size_t limit, uint64_t seed)
{
    const dim3 g = config->grid, b = config->block;
    const uint64_t n_blocks = (uint64_t)g.x * g.y * g.z;

    draws = emulation_random(seed);
    body = &run;
    kernel_name = config->kernel;
    n_threads = b.x * b.y * b.z;
    faulted = false;
    if (threads.size() < n_threads) threads.resize(n_threads);
    for (unsigned i = 0; i < n_threads; i++) {
        threads[i].facts.block_dim = b;
        threads[i].facts.grid_dim = g;
    }
    /* a permutation of the blocks in which no list is kept: i -> (a i + c) mod n with a prime to n */
    uint64_t a = draws.below(n_blocks) | 1u, c = draws.below(n_blocks);
    while (emulation_gcd(a, n_blocks) != 1)
        a += 2;
    for (uint64_t i = 0; i < n_blocks && !faulted; i++) {
        const uint64_t at = (uint64_t)(((unsigned __int128)a * i + c) % n_blocks);
        block_index = {(unsigned)(at % g.x), (unsigned)(at / g.x % g.y),
                       (unsigned)(at / g.x / g.y)};
        run_block(config, limit);
    }
    return !faulted;
}

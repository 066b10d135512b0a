/* A persistent thread pool.
 *
 * A run's tasks are cut into a share for each thread. A thread claims the tasks of its own share one after the other,
 * so that it reads memory in order and what it fetched ahead is what it wants next: with tasks of 128 KiB taken in
 * turns two threads read a sixth less a second. Who has used up his own share takes from the others', so that a worker
 * that the kernel kept off the processor holds nobody up.
 *
 * What a region costs is how often a line of memory moves from one core to another (a third of a microsecond each where
 * the two do not share a cache). So all that a worker must know of a run is one line, the notice, which it watches
 * while it waits; shares are not handed out but follow from it; and tasks are counted once when a share is used up.
 *
 *   notice   sequence (odd while it is written), n_tasks, fn, data. What is read between two looks at the same even
 *            sequence belongs together.
 *   share i  in one 64-bit word the sequence of the run that it is of (high half) and its first unclaimed task. Where
 *            the sequence is an older one nobody has claimed any. A word of a later run leaves nothing to claim.
 *
 * Who has claimed a task may use the run's function and data: the run cannot end before the task is done.
 *
 * Waiting spins for at most SPIN_US (a decoder asks again that soon), then sleeps on a condition. Spinning on a
 * busy machine takes the processor from the very thread that is waited for, so a thread spins less once it
 * has been put off the processor meanwhile (the clock jumped), and more again when spinning paid. A pool of
 * more threads than processors does not spin at all.
 *
 * A pool as large as the machine pins its workers, one to a processor, so that the scheduler does not put
 * two on one. The caller, whose thread is not ours, is left where it is; a worker that it meets there moves to the
 * processor left free (a kernel that packs threads otherwise keeps both on one: half the speed). Smaller pools are
 * not pinned: several of them would meet on the first processors. */
#include "engine/pool.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAX_THREADS    256
#define HUGE_PAGE      ((size_t)2 << 20)
#define SPIN_US        50
#define LOOK_EVERY     32 /* pauses between two looks at the clock: 1 to 2 microseconds */
#define SEQUENCES_KEPT (1u << 24)
#define PUT_OFF_US     100 /* two looks this far apart: another thread ran in between */

typedef struct {
    void *data;
    size_t n_bytes;
    char padding[48]; /* a cache line each: workers grow theirs side by side */
} scratch_buffer;

/* How long one thread spins, in microseconds. */
typedef struct {
    int64_t now, most;
} spin_budget;

/* What a worker must know of a run. */
typedef struct {
    uint32_t sequence, n_tasks;
    engine_pool_fn fn;
    void *data;
} run_notice;

typedef struct {
    _Alignas(64) atomic_uint_least32_t sequence;
    atomic_uint_least32_t n_tasks;
    _Atomic(engine_pool_fn) fn;
    _Atomic(void *) data;
} shared_notice;

typedef struct {
    _Alignas(64) atomic_uint_least64_t word;
} task_share;

struct engine_pool {
    int n_threads;
    GThread *threads[MAX_THREADS]; /* 1 .. n_threads-1; the caller is worker 0 */
    scratch_buffer scratch[MAX_THREADS], shared;
    GRecMutex caller;        /* one run at a time */
    spin_budget caller_spin; /* held by who holds the lock */
    int64_t most_spin;
    gboolean pinned;
    int processors
        [MAX_THREADS]; /* of pinned workers, [0]: left to the caller; held by who holds the lock */
    atomic_int ids[MAX_THREADS]; /* the kernel's, of pinned workers; 0: not begun */

    size_t n_posted; /* by workers, before this run; held by who holds the lock */

    shared_notice notice;
    task_share shares[MAX_THREADS];
    _Alignas(64) atomic_size_t n_done; /* by workers, in all runs */
    _Alignas(64) atomic_int n_asleep;  /* workers waiting on has_work */
    atomic_int caller_asleep;
    atomic_bool stop;
    GMutex mutex; /* for the conditions only */
    GCond has_work, all_done;
};

typedef struct {
    engine_pool *pool;
    int worker;
} worker_start;

static inline void
pause_cpu(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

/* Spin until done(pool, n) or the budget is used up; TRUE when done. */
static gboolean
spin(engine_pool *pool, spin_budget *budget, gboolean (*done)(engine_pool *pool, size_t n),
     size_t n)
{
    const int64_t start = budget->most > 0 ? g_get_monotonic_time() : 0;
    int64_t last = start;

    if (done(pool, n)) return TRUE;
    while (budget->now > 0 && last - start < budget->now) {
        for (int i = 0; i < LOOK_EVERY; i++) {
            pause_cpu();
            if (done(pool, n)) {
                budget->now = MIN(budget->most, 2 * budget->now);
                return TRUE;
            }
        }
        const int64_t now = g_get_monotonic_time();
        if (now - last > PUT_OFF_US) budget->now = MAX(1, budget->now / 4);
        last = now;
    }
    return FALSE;
}

/* ---- tasks ---- */

static uint32_t
share_begin(const engine_pool *pool, const run_notice *run, int i)
{
    return (uint32_t)((uint64_t)run->n_tasks * (uint64_t)i / (uint64_t)pool->n_threads);
}

/* The first unclaimed task of share i. */
static gboolean
claim(engine_pool *pool, const run_notice *run, int i, uint32_t *task)
{
    const uint32_t end = share_begin(pool, run, i + 1);
    uint64_t word = atomic_load(&pool->shares[i].word);

    for (;;) {
        const int32_t later = (int32_t)((uint32_t)(word >> 32) - run->sequence);
        *task = later == 0 ? (uint32_t)word : share_begin(pool, run, i);
        if (later > 0 || *task >= end) return FALSE;
        if (atomic_compare_exchange_weak(&pool->shares[i].word, &word,
                                         (uint64_t)run->sequence << 32 | (*task + 1)))
            return TRUE;
    }
}

static void
post(engine_pool *pool, size_t n)
{
    atomic_fetch_add(&pool->n_done, n);
    if (!atomic_load(&pool->caller_asleep)) return;
    g_mutex_lock(&pool->mutex);
    g_cond_broadcast(&pool->all_done);
    g_mutex_unlock(&pool->mutex);
}

/* Run tasks until no share has any left. Workers post theirs; returns how many the caller, worker 0, has done. */
static size_t
work(engine_pool *pool, const run_notice *run, int worker)
{
    size_t n = 0;

    for (int i = 0; i < pool->n_threads; i++) {
        const int share = (worker + i) % pool->n_threads;
        uint32_t task;
        size_t n_here = 0;
        while (claim(pool, run, share, &task)) {
            run->fn(run->data, task, worker);
            n_here++;
        }
        if (worker > 0 && n_here > 0) post(pool, n_here);
        n += n_here;
    }
    return n;
}

/* ---- waiting ---- */

/* Is there a run other than the one of that sequence? */
static gboolean
has_work(engine_pool *pool, size_t sequence)
{
    const uint32_t now = atomic_load(&pool->notice.sequence);
    return (now != sequence && now % 2 == 0) || atomic_load(&pool->stop);
}

/* FALSE while it is being written. */
static gboolean
read_notice(engine_pool *pool, run_notice *run)
{
    run->sequence = atomic_load(&pool->notice.sequence);
    run->n_tasks = atomic_load(&pool->notice.n_tasks);
    run->fn = atomic_load(&pool->notice.fn);
    run->data = atomic_load(&pool->notice.data);
    return run->sequence % 2 == 0 && atomic_load(&pool->notice.sequence) == run->sequence;
}

static void
announce(engine_pool *pool, run_notice *run)
{
    shared_notice *notice = &pool->notice;

    run->sequence = atomic_load_explicit(&notice->sequence, memory_order_relaxed) + 2;
    /* a share that went without tasks for half of all sequences would pass for one of a later run */
    for (int i = 0; run->sequence % SEQUENCES_KEPT == 0 && i < pool->n_threads; i++)
        atomic_store(&pool->shares[i].word,
                     (uint64_t)run->sequence << 32 | share_begin(pool, run, i));
    atomic_store_explicit(&notice->sequence, run->sequence - 1, memory_order_relaxed);
    atomic_store_explicit(&notice->n_tasks, run->n_tasks, memory_order_release);
    atomic_store_explicit(&notice->fn, run->fn, memory_order_release);
    atomic_store_explicit(&notice->data, run->data, memory_order_release);
    atomic_store_explicit(&notice->sequence, run->sequence, memory_order_release);
    /* publish first, look second (see worker_main): adding nothing is a look that waits for the stores */
    if (atomic_fetch_add(&pool->n_asleep, 0) == 0) return;
    g_mutex_lock(&pool->mutex);
    g_cond_broadcast(&pool->has_work);
    g_mutex_unlock(&pool->mutex);
}

/* ---- threads ---- */

/* The processors this process may use; FALSE on machines with more than a cpu_set_t holds. */
static gboolean
get_processors(cpu_set_t *set)
{
    return sched_getaffinity(0, sizeof *set, set) == 0;
}

static int
count_processors(void)
{
    cpu_set_t set;
    return get_processors(&set) ? MAX(1, CPU_COUNT(&set)) : (int)g_get_num_processors();
}

/* The first n processors into out; FALSE when there are fewer. */
static gboolean
list_processors(int n, int *out)
{
    cpu_set_t all;
    int found = 0;

    if (!get_processors(&all)) return FALSE;
    for (int cpu = 0; cpu < CPU_SETSIZE && found < n; cpu++)
        if (CPU_ISSET((size_t)cpu, &all)) out[found++] = cpu;
    return found == n;
}

/* Keep a thread (0: the calling one) to one processor. */
static gboolean
keep_to(pid_t thread, int processor)
{
    cpu_set_t one;

    CPU_ZERO(&one);
    CPU_SET((size_t)processor, &one);
    return sched_setaffinity(thread, sizeof one, &one) == 0;
}

/* The caller runs where a worker is kept: the worker takes the free processor. */
static void
make_way(engine_pool *pool)
{
    const int here = sched_getcpu();

    if (here == pool->processors[0]) return;
    for (int i = 1; i < pool->n_threads; i++) {
        if (pool->processors[i] != here) continue;
        const pid_t id = atomic_load(&pool->ids[i]);
        if (id > 0 && keep_to(id, pool->processors[0])) {
            pool->processors[i] = pool->processors[0];
            pool->processors[0] = here;
        }
        return;
    }
}

static gpointer
worker_main(gpointer arg)
{
    worker_start start = *(worker_start *)arg;
    engine_pool *pool = start.pool;
    spin_budget budget = {pool->most_spin, pool->most_spin};
    run_notice run = {0};

    if (pool->pinned && keep_to(0, pool->processors[start.worker]))
        atomic_store(&pool->ids[start.worker], gettid());
    g_free(arg);
    for (;;) {
        const uint32_t last = run.sequence;
        if (!spin(pool, &budget, has_work, last)) {
            g_mutex_lock(&pool->mutex);
            /* announce first, look second; the caller publishes first, looks second: one sees the other */
            atomic_fetch_add(&pool->n_asleep, 1);
            while (!has_work(pool, last))
                g_cond_wait(&pool->has_work, &pool->mutex);
            atomic_fetch_sub(&pool->n_asleep, 1);
            g_mutex_unlock(&pool->mutex);
        }
        if (atomic_load(&pool->stop)) return NULL;
        if (read_notice(pool, &run))
            work(pool, &run, start.worker);
        else
            run.sequence = last;
    }
}

engine_pool *
engine_pool_new(int n_threads)
{
    engine_pool *pool = g_aligned_alloc0(1, sizeof *pool, 64);

    const int n_processors = count_processors();
    if (n_threads <= 0) n_threads = n_processors;
    n_threads = MIN(n_threads, MAX_THREADS);
    pool->most_spin = n_threads > n_processors ? 0 : SPIN_US;
    pool->caller_spin = (spin_budget){pool->most_spin, pool->most_spin};
    pool->pinned = n_threads == n_processors && list_processors(n_threads, pool->processors);
    g_rec_mutex_init(&pool->caller);
    g_mutex_init(&pool->mutex);
    g_cond_init(&pool->has_work);
    g_cond_init(&pool->all_done);
    pool->n_threads = 1;
    for (int i = 1; i < n_threads; i++) {
        worker_start *start = g_new(worker_start, 1);
        *start = (worker_start){pool, i};
        pool->threads[i] = g_thread_try_new("engine", worker_main, start, NULL);
        if (!pool->threads[i]) { /* the system has no more to give: fewer do the same work */
            g_free(start);
            break;
        }
        pool->n_threads = i + 1;
    }
    return pool;
}

int
engine_pool_n_threads(const engine_pool *pool)
{
    return pool->n_threads;
}

void
engine_pool_free(engine_pool *pool)
{
    if (!pool) return;
    g_mutex_lock(&pool->mutex);
    atomic_store(&pool->stop, TRUE);
    g_cond_broadcast(&pool->has_work);
    g_mutex_unlock(&pool->mutex);
    for (int i = 1; i < pool->n_threads; i++)
        g_thread_join(pool->threads[i]);
    for (int i = 0; i < pool->n_threads; i++)
        free(pool->scratch[i].data);
    free(pool->shared.data);
    g_cond_clear(&pool->has_work);
    g_cond_clear(&pool->all_done);
    g_mutex_clear(&pool->mutex);
    g_rec_mutex_clear(&pool->caller);
    g_aligned_free(pool);
}

void
engine_pool_lock(engine_pool *pool)
{
    g_rec_mutex_lock(&pool->caller);
}

void
engine_pool_unlock(engine_pool *pool)
{
    g_rec_mutex_unlock(&pool->caller);
}

static gboolean
is_done(engine_pool *pool, size_t n_done)
{
    return atomic_load(&pool->n_done) == n_done;
}

static void
wait_until_done(engine_pool *pool, size_t n_done)
{
    if (spin(pool, &pool->caller_spin, is_done, n_done)) return;
    g_mutex_lock(&pool->mutex);
    atomic_store(&pool->caller_asleep, 1);
    while (!is_done(pool, n_done))
        g_cond_wait(&pool->all_done, &pool->mutex);
    atomic_store(&pool->caller_asleep, 0);
    g_mutex_unlock(&pool->mutex);
}

void
engine_pool_run(engine_pool *pool, size_t n_tasks, engine_pool_fn fn, void *data)
{
    g_assert(n_tasks <= G_MAXINT32);
    g_rec_mutex_lock(&pool->caller);
    if (pool->n_threads == 1 || n_tasks <= 1) {
        for (size_t i = 0; i < n_tasks; i++)
            fn(data, i, 0);
    } else {
        run_notice run = {.n_tasks = (uint32_t)n_tasks, .fn = fn, .data = data};
        if (pool->pinned) make_way(pool);
        announce(pool, &run);
        pool->n_posted += n_tasks - work(pool, &run, 0);
        wait_until_done(pool, pool->n_posted);
    }
    g_rec_mutex_unlock(&pool->caller);
}

void *
engine_buffer_alloc(size_t n_bytes)
{
    const size_t alignment = n_bytes >= 2 * HUGE_PAGE ? HUGE_PAGE : 64;

    if (n_bytes > SIZE_MAX - alignment) return NULL;
    const size_t rounded = MAX((n_bytes + alignment - 1) / alignment, 1) * alignment;
    void *memory = aligned_alloc(alignment, rounded);
#ifdef MADV_HUGEPAGE
    if (memory && alignment == HUGE_PAGE) (void)madvise(memory, rounded, MADV_HUGEPAGE);
#endif
    return memory;
}

static void *
grow(scratch_buffer *buffer, size_t n_bytes)
{
    if (buffer->n_bytes < n_bytes) {
        free(buffer->data);
        buffer->data = engine_buffer_alloc(n_bytes);
        if (!buffer->data) g_error("no memory for %zu bytes of scratch", n_bytes);
        buffer->n_bytes = n_bytes;
    }
    return buffer->data;
}

void *
engine_pool_scratch(engine_pool *pool, int worker, size_t n_bytes)
{
    return grow(&pool->scratch[worker], n_bytes);
}

void *
engine_pool_shared(engine_pool *pool, size_t n_bytes)
{
    return grow(&pool->shared, n_bytes);
}

/* A persistent thread pool.
 *
 * One 64-bit word holds the run's number (high half) and how many of its tasks are still unclaimed (low
 * half). A thread claims a task by lowering the word; only then may it look at the run's function and
 * data, which stay valid because the run cannot end before every claimed task is done. So a worker that
 * the kernel kept off the processor holds nobody up: the others do its share, and it finds a word with
 * nothing left, or a later run's.
 *
 * Waiting spins for at most SPIN_US (a decoder asks again that soon), then sleeps on a condition. Spinning on a
 * busy machine takes the processor from the very thread that is waited for, so a thread spins less once it
 * has been put off the processor meanwhile (the clock jumped), and more again when spinning paid. A pool of
 * more threads than processors does not spin at all.
 *
 * A pool as large as the machine pins its workers, one to a processor, so that the scheduler does not put
 * two on one. The caller, whose thread is not ours, is left where it is. Smaller pools are not pinned:
 * several of them would meet on the first processors. */
#include "engine/pool.h"

#include <sched.h>
#include <stdatomic.h>

#define MAX_THREADS 256
#define SPIN_US     50
#define LOOK_EVERY  32  /* pauses between two looks at the clock: 1 to 2 microseconds */
#define PUT_OFF_US  100 /* two looks this far apart: another thread ran in between */

typedef struct {
    void *data;
    size_t n_bytes;
    char padding[48]; /* a cache line each: workers grow theirs side by side */
} scratch_buffer;

/* How long one thread spins, in microseconds. */
typedef struct {
    int64_t now, most;
} spin_budget;

struct engine_pool {
    int n_threads;
    GThread *threads[MAX_THREADS]; /* 1 .. n_threads-1; the caller is worker 0 */
    scratch_buffer scratch[MAX_THREADS], shared;
    GRecMutex caller;        /* one run at a time */
    spin_budget caller_spin; /* held by who holds the lock */
    int64_t most_spin;
    gboolean pinned;

    engine_pool_fn fn; /* of the current run; see above for who may read them */
    void *data;
    size_t n_tasks;

    _Alignas(64) atomic_uint_least64_t word;
    _Alignas(64) atomic_size_t n_done;
    _Alignas(64) atomic_int n_asleep; /* workers waiting on has_work */
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

/* Run tasks until the word has none left. */
static void
work(engine_pool *pool, int worker)
{
    uint64_t word = atomic_load(&pool->word);

    while ((uint32_t)word > 0) {
        if (!atomic_compare_exchange_weak(&pool->word, &word, word - 1)) continue;
        const size_t n_tasks = pool->n_tasks;
        pool->fn(pool->data, n_tasks - (uint32_t)word, worker);
        if (atomic_fetch_add(&pool->n_done, 1) + 1 == n_tasks &&
            atomic_load(&pool->caller_asleep)) {
            g_mutex_lock(&pool->mutex);
            g_cond_broadcast(&pool->all_done);
            g_mutex_unlock(&pool->mutex);
        }
        word = atomic_load(&pool->word);
    }
}

static gboolean
has_work(engine_pool *pool, size_t unused)
{
    (void)unused;
    return (uint32_t)atomic_load(&pool->word) > 0 || atomic_load(&pool->stop);
}

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

/* Keep the calling thread to the nth of the processors. Failing is harmless. */
static void
pin_to(int nth)
{
    cpu_set_t all, one;

    if (!get_processors(&all)) return;
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &all) || nth-- > 0) continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        sched_setaffinity(0, sizeof one, &one);
        return;
    }
}

static gpointer
worker_main(gpointer arg)
{
    worker_start start = *(worker_start *)arg;
    engine_pool *pool = start.pool;
    spin_budget budget = {pool->most_spin, pool->most_spin};

    if (pool->pinned) pin_to(start.worker);
    g_free(arg);
    while (!atomic_load(&pool->stop)) {
        if (!spin(pool, &budget, has_work, 0)) {
            g_mutex_lock(&pool->mutex);
            /* announce first, look second; the caller publishes first, looks second: one sees the other */
            atomic_fetch_add(&pool->n_asleep, 1);
            while (!has_work(pool, 0))
                g_cond_wait(&pool->has_work, &pool->mutex);
            atomic_fetch_sub(&pool->n_asleep, 1);
            g_mutex_unlock(&pool->mutex);
        }
        work(pool, start.worker);
    }
    return NULL;
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
    pool->pinned = n_threads == n_processors;
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
        g_aligned_free(pool->scratch[i].data);
    g_aligned_free(pool->shared.data);
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
is_done(engine_pool *pool, size_t n_tasks)
{
    return atomic_load(&pool->n_done) == n_tasks;
}

static void
wait_until_done(engine_pool *pool, size_t n_tasks)
{
    if (spin(pool, &pool->caller_spin, is_done, n_tasks)) return;
    g_mutex_lock(&pool->mutex);
    atomic_store(&pool->caller_asleep, 1);
    while (!is_done(pool, n_tasks))
        g_cond_wait(&pool->all_done, &pool->mutex);
    atomic_store(&pool->caller_asleep, 0);
    g_mutex_unlock(&pool->mutex);
}

void
engine_pool_run(engine_pool *pool, size_t n_tasks, engine_pool_fn fn, void *data)
{
    g_assert(n_tasks <= G_MAXUINT32);
    g_rec_mutex_lock(&pool->caller);
    if (pool->n_threads == 1 || n_tasks <= 1) {
        for (size_t i = 0; i < n_tasks; i++)
            fn(data, i, 0);
        g_rec_mutex_unlock(&pool->caller);
        return;
    }
    pool->fn = fn;
    pool->data = data;
    pool->n_tasks = n_tasks;
    atomic_store(&pool->n_done, 0);
    const uint64_t run = (atomic_load(&pool->word) >> 32) + 1;
    atomic_store(&pool->word, run << 32 | n_tasks);
    if (atomic_load(&pool->n_asleep) > 0) {
        g_mutex_lock(&pool->mutex);
        g_cond_broadcast(&pool->has_work);
        g_mutex_unlock(&pool->mutex);
    }
    work(pool, 0);
    wait_until_done(pool, n_tasks);
    g_rec_mutex_unlock(&pool->caller);
}

static void *
grow(scratch_buffer *buffer, size_t n_bytes)
{
    if (buffer->n_bytes < n_bytes) {
        g_aligned_free(buffer->data);
        buffer->data = g_aligned_alloc(1, n_bytes, 64);
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

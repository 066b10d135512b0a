/* The thread pool: every task once, whoever calls, however often. */
#include "engine/pool.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = 500 };

typedef struct {
    atomic_int count[MOST];
    int n_threads;
    atomic_int bad_worker;
} tally;

static void
count_task(void *data, size_t task, int worker)
{
    tally *t = data;
    atomic_fetch_add(&t->count[task], 1);
    if (worker < 0 || worker >= t->n_threads) atomic_store(&t->bad_worker, 1);
}

static void
check_runs(engine_pool *pool, int rounds)
{
    for (int round = 0; round < rounds; round++) {
        const size_t n = (size_t)(round * 37 % MOST);
        tally *t = g_new0(tally, 1);
        t->n_threads = engine_pool_n_threads(pool);
        engine_pool_run(pool, n, count_task, t);
        /* all done on return, each once, none beyond */
        for (size_t i = 0; i < MOST; i++)
            assert_int_equal(atomic_load(&t->count[i]), i < n ? 1 : 0);
        assert_int_equal(atomic_load(&t->bad_worker), 0);
        g_free(t);
    }
}

static void
every_task_runs_exactly_once(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 5; threads++) {
        g_autoptr(engine_pool) pool = engine_pool_new(threads);
        assert_int_equal(engine_pool_n_threads(pool), threads);
        check_runs(pool, 300);
    }
}

static void
the_default_is_at_least_one_thread(void **state)
{
    (void)state;
    g_autoptr(engine_pool) pool = engine_pool_new(0);
    assert_true(engine_pool_n_threads(pool) >= 1);
    engine_pool_free(NULL);
}

static gpointer
caller_main(gpointer data)
{
    check_runs(data, 200);
    return NULL;
}

static void
callers_from_several_threads_take_turns(void **state)
{
    (void)state;
    g_autoptr(engine_pool) pool = engine_pool_new(3);
    GThread *callers[3];
    for (int i = 0; i < 3; i++)
        callers[i] = g_thread_new("caller", caller_main, pool);
    for (int i = 0; i < 3; i++)
        g_thread_join(callers[i]);
}

static void
work_arrives_after_the_workers_fell_asleep(void **state)
{
    (void)state;
    g_autoptr(engine_pool) pool = engine_pool_new(3);
    for (int i = 0; i < 5; i++) {
        g_usleep(20000);
        check_runs(pool, 3);
    }
}

static void
scratch_task(void *data, size_t task, int worker)
{
    engine_pool *pool = data;
    const size_t n = 1 + task * 100;
    char *scratch = engine_pool_scratch(pool, worker, n);
    assert_int_equal((uintptr_t)scratch % 64, 0);
    memset(scratch, (int)task, n);
    assert_int_equal((unsigned char)scratch[n - 1], task & 255);
}

static void
scratch_belongs_to_one_worker(void **state)
{
    (void)state;
    g_autoptr(engine_pool) pool = engine_pool_new(3);
    for (int i = 0; i < 50; i++)
        engine_pool_run(pool, 64, scratch_task, pool);
}

typedef struct {
    GMutex mutex;
    GCond finished;
    atomic_int n_finished; /* the thread sanitizer does not see GLib's locks */
    int n_tasks;
} blocked_run;

/* Task 0 ends only when all the others have. */
static void
wait_for_others(void *data, size_t task, int worker)
{
    blocked_run *run = data;

    (void)worker;
    g_mutex_lock(&run->mutex);
    if (task > 0) atomic_fetch_add(&run->n_finished, 1);
    g_cond_signal(&run->finished);
    while (task == 0 && atomic_load(&run->n_finished) < run->n_tasks - 1)
        g_cond_wait(&run->finished, &run->mutex);
    g_mutex_unlock(&run->mutex);
}

static void
a_share_whose_thread_is_kept_busy_is_done_by_the_others(void **state)
{
    (void)state;
    for (int threads = 2; threads <= 4; threads++) {
        g_autoptr(engine_pool) pool = engine_pool_new(threads);
        for (int round = 0; round < 50; round++) {
            blocked_run run = {.n_tasks = 1 + 7 * threads};
            g_mutex_init(&run.mutex);
            g_cond_init(&run.finished);
            engine_pool_run(pool, (size_t)run.n_tasks, wait_for_others, &run);
            assert_int_equal(atomic_load(&run.n_finished), run.n_tasks - 1);
            g_mutex_clear(&run.mutex);
            g_cond_clear(&run.finished);
        }
    }
}

typedef struct {
    int caller; /* the processor that worker 0 is kept to */
    atomic_int n_beside, n_met;
} processor_run;

static void
see_processor(void *data, size_t task, int worker)
{
    processor_run *run = data;
    const gint64 until = g_get_monotonic_time() + 200; /* long enough for every thread to come by */

    (void)task;
    while (g_get_monotonic_time() < until)
        continue;
    if (worker > 0)
        atomic_fetch_add(sched_getcpu() == run->caller ? &run->n_met : &run->n_beside, 1);
}

/* A worker that a caller on its processor held up would do nothing, or share it. */
static void
workers_make_way_for_the_caller(void **state)
{
    cpu_set_t before;

    (void)state;
    if (sched_getaffinity(0, sizeof before, &before) != 0 || CPU_COUNT(&before) < 2) skip();
    g_autoptr(engine_pool) pool = engine_pool_new(0);
    processor_run start = {.caller = -1};
    int n_beside = 0;
    /* a worker that has not begun cannot be moved */
    for (int i = 0; i < 1000 && atomic_load(&start.n_beside) == 0; i++)
        engine_pool_run(pool, 64, see_processor, &start);
    for (int round = 0; round < 3; round++) {
        for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
            cpu_set_t one;
            if (!CPU_ISSET((size_t)cpu, &before)) continue;
            CPU_ZERO(&one);
            CPU_SET((size_t)cpu, &one);
            assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
            processor_run run = {.caller = cpu};
            engine_pool_run(pool, 1, see_processor, &run); /* one task: the caller's */
            assert_int_equal(atomic_load(&run.n_beside) + atomic_load(&run.n_met), 0);
            engine_pool_run(pool, 64, see_processor, &run);
            n_beside += atomic_load(&run.n_beside);
            assert_int_equal(atomic_load(&run.n_met), 0);
        }
    }
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
    assert_true(n_beside > 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_share_whose_thread_is_kept_busy_is_done_by_the_others),
        cmocka_unit_test(every_task_runs_exactly_once),
        cmocka_unit_test(the_default_is_at_least_one_thread),
        cmocka_unit_test(callers_from_several_threads_take_turns),
        cmocka_unit_test(work_arrives_after_the_workers_fell_asleep),
        cmocka_unit_test(scratch_belongs_to_one_worker),
        cmocka_unit_test(workers_make_way_for_the_caller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

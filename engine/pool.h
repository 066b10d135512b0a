/* The thread pool inside engine.
 *
 * engine_pool_run cuts work into tasks by index; which thread runs a task is left to chance, so a task
 * may write only to what its index owns and results never depend on the number of threads. */
#ifndef LODE_ENGINE_POOL_H
#define LODE_ENGINE_POOL_H

#include "engine/engine.h"

G_BEGIN_DECLS

/* task 0 .. n_tasks-1, each exactly once. worker 0 .. n_threads-1 names the thread, for its scratch. */
typedef void (*engine_pool_fn)(void *data, size_t task, int worker);

/* Run all tasks and return when the last is done. The caller works too. Locked inside: another thread's
 * call waits. A task must not call engine_pool_run on the same pool. */
void engine_pool_run(engine_pool *pool, size_t n_tasks, engine_pool_fn fn, void *data);

/* Keep the pool to this thread over several runs (and so the scratch too); nests. */
void engine_pool_lock(engine_pool *pool);
void engine_pool_unlock(engine_pool *pool);

/* Scratch of one worker, at least n_bytes, 64-byte aligned, kept until the pool is freed: grows only, its
 * content is lost when it grows. Call from the task that owns `worker`. */
void *engine_pool_scratch(engine_pool *pool, int worker, size_t n_bytes);

/* The same for the thread that holds the lock, to share with its tasks. engine_matmul and engine_moe use
 * it: what was in it is gone after they ran. */
void *engine_pool_shared(engine_pool *pool, size_t n_bytes);

/* Memory for a buffer that stays, 64-byte aligned, of any content; from 4 MiB on in huge pages where the kernel gives
 * them. NULL when there is none. Release it with free(). */
void *engine_buffer_alloc(size_t n_bytes);

G_END_DECLS
#endif

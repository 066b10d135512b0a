/* The cache of experts on a GPU: an arena of slabs, each an expert's matrices as they lie in the file with their expanded
 * scales behind them; expert_policy.c says whose.
 *
 * The device is told of all choices of a layer: for those it does not have, of an expert that it has, with weight 0,
 * which it leaves out of the sum. Copies run in a stream of their own behind the work that was asked for before, and the
 * next use of the cache waits for them there, not here. */
#include "engine/device_experts.h"

#include "engine/expert_policy.h"
#include "engine/model.h"

#include <string.h>

#define ALIGNMENT    256
#define MOST_BROUGHT 4 /* experts of a layer in a pass: copies are not to hold up what follows */

enum { N_PARTS = 3, N_TABLES = 2 * N_PARTS }; /* gate (or gate and up in one), up, down; scales */

typedef struct {
    const engine_tensor *parts[N_PARTS]; /* [n_experts] each; up NULL where gate holds both */
    size_t at[N_TABLES];                 /* of each part in a slab, then of its scales */
    uint32_t n_experts, n_used, n_ff;
    gboolean joined;
} pack;

struct engine_device_cache {
    engine_device *device; /* borrowed, as is the queue */
    const lode_cuda_compute *compute;
    lode_cuda_queue *queue;
    pack *packs;
    uint32_t n_packs, n_slabs, max_experts;
    size_t slab_bytes;
    engine_expert_policy *policy;
    uint8_t *arena; /* there: [n_slabs][slab_bytes] */
    /* there and here: addresses [N_TABLES][max_experts], choices and weights [max_rows * most used] */
    void *tables, *chosen, *weights;
    const void **tables_here;
    int32_t *chosen_here;
    float *weights_here;
    int32_t *slabs;  /* [max_experts] of the last split; -1: not there, -2: not asked for */
    const pack *now; /* of the last split */
    uint32_t now_index;
    size_t n_there;   /* choices of it that the device has */
    gboolean pending; /* copies that the work has not waited for */
    engine_device_expert_stats stats;
};

static size_t
aligned(size_t n)
{
    return (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* ---- opening ---- */

static size_t
scales_bytes(const engine_tensor *t)
{
    return t->scales ? engine_tensor_n_elems(t->scales) * sizeof(float) : 0;
}

/* Returns the bytes of an expert. */
static size_t
fill_pack(pack *p, const engine_moe_ffn *m)
{
    size_t used = 0;

    *p = (pack){.parts = {m->gate_up ? m->gate_up : m->gate, m->gate_up ? NULL : m->up, m->down},
                .n_experts = m->router.n_experts,
                .n_used = m->router.n_used,
                .n_ff = m->n_ff,
                .joined = m->gate_up != NULL};
    for (size_t i = 0; i < N_PARTS; i++) {
        if (!p->parts[i]) continue;
        p->at[i] = used;
        used += aligned(p->parts[i]->n_bytes);
        p->at[N_PARTS + i] = used;
        used += aligned(scales_bytes(p->parts[i]));
    }
    return used;
}

static gboolean
add_layer(engine_device_cache *c, const engine_decoder_layer *layer)
{
    const engine_moe_ffn *m = &layer->moe;

    if (!layer->is_moe) return TRUE;
    if (m->pack >= c->n_packs) {
        c->packs = g_renew(pack, c->packs, m->pack + 1);
        memset(c->packs + c->n_packs, 0, (m->pack + 1 - c->n_packs) * sizeof *c->packs);
        c->n_packs = m->pack + 1;
    }
    pack *p = &c->packs[m->pack];
    c->slab_bytes = MAX(c->slab_bytes, fill_pack(p, m));
    c->max_experts = MAX(c->max_experts, p->n_experts);
    for (size_t i = 0; i < N_PARTS; i++) /* doubles go over as floats: not as they are */
        if (p->parts[i] && p->parts[i]->type == ENGINE_TYPE_F64) return FALSE;
    return TRUE;
}

static gboolean
find_packs(engine_device_cache *c, const engine_decoder *d)
{
    gboolean ok = TRUE;

    for (uint32_t i = 0; ok && i < d->n_layers; i++)
        ok = add_layer(c, &d->layers[i]);
    for (uint32_t i = 0; ok && i < d->n_mtp; i++)
        ok = add_layer(c, &d->mtp[i].layer);
    return ok;
}

static void *
take(engine_device_cache *c, size_t n_bytes, char *message)
{
    void *memory = NULL;
    const int code = c->compute->alloc(engine_device_handle(c->device), n_bytes, &memory, message);
    return code == LODE_CUDA_OK ? memory : NULL;
}

static gboolean
take_memory(engine_device_cache *c, size_t n_slots, uint64_t n_bytes, GError **error)
{
    const size_t table_bytes = (size_t)N_TABLES * c->max_experts * sizeof(void *);
    const uint64_t small = aligned(table_bytes) + 2 * aligned(n_slots * sizeof(float));
    char message[LODE_CUDA_ERROR] = "no memory for experts on the GPU";
    g_autofree uint32_t *n_experts = g_new0(uint32_t, MAX(c->n_packs, 1));
    uint64_t n_all = 0;

    for (uint32_t i = 0; i < c->n_packs; i++)
        n_all += n_experts[i] = c->packs[i].n_experts;
    if (c->slab_bytes == 0 || n_bytes < small + c->slab_bytes) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT,
                    "one expert takes %zu bytes, and %" G_GUINT64_FORMAT " are left for them",
                    c->slab_bytes, n_bytes);
        return FALSE;
    }
    c->n_slabs = (uint32_t)MIN(MIN((n_bytes - small) / c->slab_bytes, n_all), INT32_MAX);
    c->policy = engine_expert_policy_new(n_experts, c->n_packs, c->n_slabs);
    c->tables_here = g_try_malloc0(table_bytes);
    c->chosen_here = g_try_new(int32_t, n_slots);
    c->weights_here = g_try_new(float, n_slots);
    c->slabs = g_try_new(int32_t, c->max_experts);
    if (c->tables_here && c->chosen_here && c->weights_here && c->slabs &&
        (c->tables = take(c, table_bytes, message)) &&
        (c->chosen = take(c, n_slots * sizeof(int32_t), message)) &&
        (c->weights = take(c, n_slots * sizeof(float), message)) &&
        (c->arena = take(c, c->n_slabs * c->slab_bytes, message)))
        return TRUE;
    g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT, "%s", message);
    return FALSE;
}

engine_device_cache *
engine_device_cache_new(engine_device *device, lode_cuda_queue *queue, const engine_model *model,
                        size_t max_rows, uint64_t n_bytes, GError **error)
{
    const engine_decoder *d = model->arch;
    engine_device_cache *c = g_new0(engine_device_cache, 1);
    gboolean ok;

    c->device = device;
    c->compute = engine_device_compute(device);
    c->queue = queue;
    ok = find_packs(c, d);
    if (!ok) g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_UNSUPPORTED, "experts of 64-bit floats");
    if (ok && take_memory(c, max_rows * d->max_used, n_bytes, error)) {
        c->stats.n_slabs = c->n_slabs;
        return c;
    }
    engine_device_cache_free(c);
    return NULL;
}

void
engine_device_cache_free(engine_device_cache *c)
{
    if (!c) return;
    void *const there[] = {c->tables, c->chosen, c->weights, c->arena};

    for (size_t i = 0; i < G_N_ELEMENTS(there); i++)
        if (there[i]) c->compute->release(engine_device_handle(c->device), there[i]);
    engine_expert_policy_free(c->policy);
    g_free(c->packs);
    g_free(c->tables_here);
    g_free(c->chosen_here);
    g_free(c->weights_here);
    g_free(c->slabs);
    g_free(c);
}

engine_device_expert_stats
engine_device_cache_get_stats(const engine_device_cache *c)
{
    engine_device_expert_stats stats = c->stats;

    stats.n_asked = engine_expert_policy_n_asked(c->policy);
    stats.n_hits = engine_expert_policy_n_hits(c->policy);
    return stats;
}

/* ---- a layer ---- */

static uint8_t *
slab_at(const engine_device_cache *c, int32_t index)
{
    return c->arena + (size_t)index * c->slab_bytes;
}

/* Where the experts lie that are there; the others' addresses are those of one that is, never read through. */
static void
fill_tables(engine_device_cache *c, int32_t any)
{
    const pack *p = c->now;

    for (uint32_t e = 0; e < p->n_experts; e++) {
        const uint8_t *slab = slab_at(c, c->slabs[e] >= 0 ? c->slabs[e] : any);
        for (size_t i = 0; i < N_TABLES; i++)
            c->tables_here[i * c->max_experts + e] = slab + p->at[i];
    }
}

size_t
engine_device_cache_split(engine_device_cache *c, const engine_moe_job *job, size_t n,
                          int32_t *chosen, const float *weights)
{
    const size_t n_slots = n * job->n_used;
    int32_t any = -1;

    g_assert(job->layer < c->n_packs);
    c->now_index = job->layer;
    c->now = &c->packs[job->layer];
    g_assert(c->now->n_experts == job->n_experts);
    engine_expert_policy_begin(c->policy);
    for (uint32_t e = 0; e < job->n_experts; e++)
        c->slabs[e] = -2;
    c->n_there = 0;
    for (size_t i = 0; i < n_slots; i++) {
        int32_t *slab = &c->slabs[chosen[i]];
        if (*slab == -2)
            *slab = engine_expert_policy_ask(c->policy, job->layer, (uint32_t)chosen[i]);
        if (*slab < 0) continue;
        c->n_there++;
        any = chosen[i];
    }
    if (c->n_there == 0) return n_slots;
    fill_tables(c, c->slabs[any]);
    for (size_t i = 0; i < n_slots; i++) {
        const gboolean there = c->slabs[chosen[i]] >= 0;
        c->chosen_here[i] = there ? chosen[i] : any;
        c->weights_here[i] = there ? weights[i] : 0.0f;
        if (there) chosen[i] = -1;
    }
    return n_slots - c->n_there;
}

static lode_cuda_matrix
shape_of(const engine_tensor *t)
{
    return (lode_cuda_matrix){.type = (uint32_t)t->type,
                              .n_in = (uint32_t)t->dims[0],
                              .n_out = (uint32_t)t->dims[1],
                              .scale_rows = t->scale_rows,
                              .scale_cols = t->scale_cols};
}

static lode_cuda_experts
job_there(const engine_device_cache *c)
{
    const pack *p = c->now;
    const void *const *tables = c->tables;
    const size_t each = c->max_experts;
    lode_cuda_experts e = {.gate = shape_of(p->parts[0]),
                           .down = shape_of(p->parts[2]),
                           .gates = tables,
                           .downs = tables + 2 * each,
                           .n_experts = p->n_experts,
                           .n_used = p->n_used,
                           .n_ff = p->n_ff,
                           .joined = p->joined,
                           .chosen = c->chosen,
                           .weights = c->weights};
    const float *const *scales = (const float *const *)c->tables + N_PARTS * each;

    if (p->parts[1]) {
        e.up = shape_of(p->parts[1]);
        e.ups = tables + each;
        if (p->parts[1]->scales) e.up_scales = scales + each;
    }
    if (p->parts[0]->scales) e.gate_scales = scales;
    if (p->parts[2]->scales) e.down_scales = scales + 2 * each;
    return e;
}

int
engine_device_cache_run(engine_device_cache *c, const float *x, size_t n, float *y, char *message)
{
    const lode_cuda_compute *k = c->compute;
    const size_t n_slots = n * c->now->n_used;
    int code = LODE_CUDA_OK;

    if (c->n_there == 0) return code;
    if (c->pending) code = k->brought(c->queue, message);
    if (!code) c->pending = FALSE;
    if (!code)
        code = k->copy_in(c->queue, c->tables, c->tables_here,
                          (size_t)N_TABLES * c->max_experts * sizeof(void *), message);
    if (!code)
        code = k->copy_in(c->queue, c->chosen, c->chosen_here, n_slots * sizeof(int32_t), message);
    if (!code)
        code = k->copy_in(c->queue, c->weights, c->weights_here, n_slots * sizeof(float), message);
    const lode_cuda_experts there = job_there(c);
    return code ? code : k->experts(c->queue, &there, x, n, y, message);
}

static int
bring_scales(engine_device_cache *c, const engine_tensor *scales, uint8_t *to, char *message)
{
    const size_t n_in = (size_t)scales->dims[0], n_rows = engine_tensor_n_rows(scales);
    g_autofree float *floats = g_new(float, n_in *n_rows);

    for (size_t r = 0; r < n_rows; r++)
        engine_tensor_row(scales, r, floats + r * n_in);
    return c->compute->bring(c->queue, to, floats, n_in * n_rows * sizeof *floats, message);
}

static int
bring_expert(engine_device_cache *c, uint32_t expert, int32_t slab, char *message)
{
    const pack *p = c->now;
    uint8_t *to = slab_at(c, slab);
    int code = LODE_CUDA_OK;

    c->pending = TRUE;
    for (size_t i = 0; !code && i < N_PARTS; i++) {
        if (!p->parts[i]) continue;
        const engine_tensor *t = &p->parts[i][expert];
        code = c->compute->bring(c->queue, to + p->at[i], t->data, t->n_bytes, message);
        if (!code) c->stats.n_bytes += t->n_bytes;
        if (!code && t->scales) code = bring_scales(c, t->scales, to + p->at[N_PARTS + i], message);
    }
    return code;
}

/* An expert that cannot be copied stays the host's: nothing of this pass depends on it. */
void
engine_device_cache_bring(engine_device_cache *c)
{
    char message[LODE_CUDA_ERROR];

    for (uint32_t e = 0, n = 0; e < c->now->n_experts && n < MOST_BROUGHT; e++) {
        if (c->slabs[e] != -1) continue;
        const int32_t slab = engine_expert_policy_admit(c->policy, c->now_index, e);
        if (slab < 0) continue;
        if (bring_expert(c, e, slab, message) != LODE_CUDA_OK) {
            engine_expert_policy_forget(c->policy, c->now_index, e);
            return;
        }
        c->stats.n_brought++;
        n++;
    }
}

/* The weights of a model in a GPU's memory: copied once in the blocks they are stored in, found by the pointer that
 * names them here. */
#include "engine/bert_device.h"
#include "engine/model.h"

#include <string.h>

#define ALIGNMENT 256 /* of each expert's matrix in the memory of its layer */

typedef struct {
    lode_cuda_experts experts;
    void *owned[9]; /* the parts, the tables of their addresses, and scales */
    size_t n_owned;
} placed_experts;

struct engine_device {
    gatomicrefcount holders;
    const lode_cuda_compute *compute;
    lode_cuda_device *handle;
    GMutex mutex;         /* the tables */
    GHashTable *matrices; /* engine_tensor.data -> lode_cuda_matrix, owned */
    GHashTable *vectors;  /* float * here -> float * there */
    GHashTable *experts;  /* first tensor of down -> placed_experts, owned */
    GMutex bert_mutex;
    engine_bert_device *bert; /* owned; NULL: not asked for yet */
    char *bert_failure;       /* why it is asked no more; NULL: it is */
};

void
engine_device_set_error(GError **error, int code, const char *message)
{
    const engine_error_code kind = code == LODE_CUDA_NO_MEMORY     ? ENGINE_ERROR_LIMIT
                                   : code == LODE_CUDA_UNSUPPORTED ? ENGINE_ERROR_UNSUPPORTED
                                                                   : ENGINE_ERROR_IO;

    g_set_error(error, ENGINE_ERROR, (int)kind, "%s", message);
}

engine_device *
engine_device_open(const lode_cuda_compute *compute, int index, uint64_t limit, GError **error)
{
    char message[LODE_CUDA_ERROR] = "";
    lode_cuda_device *handle = NULL;
    const int code = compute->device_open(index, limit, &handle, message);

    if (code != LODE_CUDA_OK) {
        engine_device_set_error(error, code, message);
        return NULL;
    }
    engine_device *device = g_new0(engine_device, 1);
    g_atomic_ref_count_init(&device->holders);
    device->compute = compute;
    device->handle = handle;
    g_mutex_init(&device->mutex);
    g_mutex_init(&device->bert_mutex);
    device->matrices = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    device->vectors = g_hash_table_new(NULL, NULL);
    device->experts = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    return device;
}

engine_device *
engine_device_ref(engine_device *device)
{
    g_atomic_ref_count_inc(&device->holders);
    return device;
}

void
engine_device_unref(engine_device *device)
{
    if (!device || !g_atomic_ref_count_dec(&device->holders)) return;
    engine_bert_device_free(device->bert);
    device->compute->device_close(device->handle); /* with all memory of it */
    g_mutex_clear(&device->bert_mutex);
    g_hash_table_unref(device->matrices);
    g_hash_table_unref(device->vectors);
    g_hash_table_unref(device->experts);
    g_mutex_clear(&device->mutex);
    g_free(device->bert_failure);
    g_free(device);
}

const lode_cuda_compute *
engine_device_compute(const engine_device *device)
{
    return device->compute;
}

lode_cuda_device *
engine_device_handle(const engine_device *device)
{
    return device->handle;
}

uint64_t
engine_device_left(engine_device *device)
{
    char message[LODE_CUDA_ERROR];
    uint64_t used = 0, left = 0;

    if (device->compute->device_memory(device->handle, &used, &left, message) != LODE_CUDA_OK)
        return 0;
    return left;
}

/* ---- copying ---- */

static void *
allocate(engine_device *device, size_t n_bytes, GError **error)
{
    char message[LODE_CUDA_ERROR] = "";
    void *memory = NULL;
    const int code = device->compute->alloc(device->handle, n_bytes, &memory, message);

    if (code == LODE_CUDA_OK) return memory;
    engine_device_set_error(error, code, message);
    return NULL;
}

static gboolean
fill(engine_device *device, void *there, const void *here, size_t n_bytes, GError **error)
{
    char message[LODE_CUDA_ERROR] = "";
    const int code = device->compute->fill(device->handle, there, here, n_bytes, message);

    if (code == LODE_CUDA_OK) return TRUE;
    engine_device_set_error(error, code, message);
    return FALSE;
}

/* A copy in memory of the device's, NULL with error when there is no room for it. */
static void *
copy_there(engine_device *device, const void *here, size_t n_bytes, GError **error)
{
    void *there = allocate(device, n_bytes, error);

    if (!there || fill(device, there, here, n_bytes, error)) return there;
    device->compute->release(device->handle, there);
    return NULL;
}

/* Doubles have no kernel: they go over as floats. */
static gboolean
goes_as_floats(const engine_tensor *t)
{
    return t->type == ENGINE_TYPE_F64;
}

static size_t
matrix_bytes(const engine_tensor *t)
{
    return goes_as_floats(t) ? engine_tensor_n_elems(t) * sizeof(float) : t->n_bytes;
}

static size_t
scales_floats(const engine_tensor *t)
{
    return t->scales ? engine_tensor_n_elems(t->scales) : 0;
}

uint64_t
engine_device_tensor_bytes(const engine_tensor *tensor)
{
    return matrix_bytes(tensor) + scales_floats(tensor) * sizeof(float);
}

static float *
expand(const engine_tensor *t)
{
    const size_t n_in = (size_t)t->dims[0], n_rows = engine_tensor_n_rows(t);
    float *out = g_try_malloc_n(n_rows, n_in * sizeof *out);

    for (size_t r = 0; out && r < n_rows; r++)
        engine_tensor_row(t, r, out + r * n_in);
    return out;
}

/* Expanded floats of t at `there`, or in memory of their own when that is NULL. */
static void *
copy_floats(engine_device *device, const engine_tensor *t, void *there, GError **error)
{
    const size_t n_bytes = engine_tensor_n_elems(t) * sizeof(float);
    g_autofree float *floats = expand(t);

    if (!floats) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_LIMIT, "no memory to expand tensor %s",
                    t->name);
        return NULL;
    }
    if (!there) return copy_there(device, floats, n_bytes, error);
    return fill(device, there, floats, n_bytes, error) ? there : NULL;
}

static lode_cuda_matrix
shape_of(const engine_tensor *t)
{
    return (lode_cuda_matrix){.type = goes_as_floats(t) ? ENGINE_TYPE_F32 : (uint32_t)t->type,
                              .n_in = (uint32_t)t->dims[0],
                              .n_out = (uint32_t)t->dims[1],
                              .scale_rows = t->scale_rows,
                              .scale_cols = t->scale_cols};
}

gboolean
engine_device_place(engine_device *device, const engine_tensor *t, GError **error)
{
    if (!t || engine_device_matrix(device, t)) return TRUE;
    lode_cuda_matrix m = shape_of(t);
    float *scales = NULL;

    m.data = goes_as_floats(t) ? copy_floats(device, t, NULL, error)
                               : copy_there(device, t->data, t->n_bytes, error);
    if (m.data && t->scales) scales = copy_floats(device, t->scales, NULL, error);
    m.scales = scales;
    if (!m.data || (t->scales && !scales)) {
        device->compute->release(device->handle, (void *)m.data);
        g_prefix_error(error, "tensor %s: ", t->name);
        return FALSE;
    }
    g_mutex_lock(&device->mutex);
    g_hash_table_insert(device->matrices, (gpointer)t->data, g_memdup2(&m, sizeof m));
    g_mutex_unlock(&device->mutex);
    return TRUE;
}

gboolean
engine_device_place_vector(engine_device *device, const float *vector, size_t n, GError **error)
{
    if (!vector || engine_device_vector(device, vector)) return TRUE;
    float *there = copy_there(device, vector, n * sizeof *vector, error);

    if (!there) return FALSE;
    g_mutex_lock(&device->mutex);
    g_hash_table_insert(device->vectors, (gpointer)vector, there);
    g_mutex_unlock(&device->mutex);
    return TRUE;
}

/* ---- experts ---- */

static void *
own(engine_device *device, placed_experts *p, size_t n_bytes, GError **error)
{
    void *memory = allocate(device, n_bytes, error);

    g_assert(p->n_owned < G_N_ELEMENTS(p->owned));
    if (memory) p->owned[p->n_owned++] = memory;
    return memory;
}

static size_t
aligned(size_t n)
{
    return (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* One kind of matrix of all experts, side by side, and the table of where each begins. */
static gboolean
place_part(engine_device *device, placed_experts *p, const engine_tensor *tensors, uint32_t n,
           lode_cuda_matrix *shape, const void *const **table, GError **error)
{
    const size_t each = aligned(matrix_bytes(tensors)), list_bytes = n * sizeof(void *);
    uint8_t *there = own(device, p, each * n, error);
    void *list = there ? own(device, p, list_bytes, error) : NULL;
    g_autofree const void **at = g_new(const void *, n);

    if (!list) return FALSE;
    *shape = shape_of(tensors);
    for (uint32_t e = 0; e < n; e++) {
        const engine_tensor *t = &tensors[e];
        at[e] = there + e * each;
        if (goes_as_floats(t) ? !copy_floats(device, t, there + e * each, error)
                              : !fill(device, there + e * each, t->data, t->n_bytes, error))
            return FALSE;
    }
    *table = list;
    return fill(device, list, at, list_bytes, error);
}

/* The scales of one kind, all experts' in one piece; TRUE without doing anything where it has none. */
static gboolean
place_scales(engine_device *device, placed_experts *p, const engine_tensor *tensors, uint32_t n,
             const float *const **table, GError **error)
{
    const size_t each = scales_floats(tensors), list_bytes = n * sizeof(float *);

    if (each == 0) return TRUE;
    /* the scales and their addresses in one piece, the addresses first */
    uint8_t *there = own(device, p, aligned(list_bytes) + n * each * sizeof(float), error);
    g_autofree const float **at = g_new(const float *, n);
    if (!there) return FALSE;
    for (uint32_t e = 0; e < n; e++) {
        uint8_t *to = there + aligned(list_bytes) + e * each * sizeof(float);
        at[e] = (const float *)(void *)to;
        if (!copy_floats(device, tensors[e].scales, to, error)) return FALSE;
    }
    *table = (const float *const *)(void *)there;
    return fill(device, there, at, list_bytes, error);
}

static gboolean
place_all_parts(engine_device *device, placed_experts *p, const engine_moe_ffn *m, GError **error)
{
    const uint32_t n = m->router.n_experts;
    const engine_tensor *gate = m->gate_up ? m->gate_up : m->gate;
    lode_cuda_experts *e = &p->experts;

    e->n_experts = n;
    e->n_used = m->router.n_used;
    e->n_ff = m->n_ff;
    e->joined = m->gate_up != NULL;
    if (!place_part(device, p, gate, n, &e->gate, &e->gates, error) ||
        !place_scales(device, p, gate, n, &e->gate_scales, error) ||
        !place_part(device, p, m->down, n, &e->down, &e->downs, error) ||
        !place_scales(device, p, m->down, n, &e->down_scales, error))
        return FALSE;
    return m->gate_up || (place_part(device, p, m->up, n, &e->up, &e->ups, error) &&
                          place_scales(device, p, m->up, n, &e->up_scales, error));
}

gboolean
engine_device_place_experts(engine_device *device, const engine_moe_ffn *moe, GError **error)
{
    if (engine_device_experts(device, moe->down)) return TRUE;
    placed_experts *p = g_new0(placed_experts, 1);

    if (!place_all_parts(device, p, moe, error)) {
        g_prefix_error(error, "experts %s: ", moe->down->name);
        while (p->n_owned > 0)
            device->compute->release(device->handle, p->owned[--p->n_owned]);
        g_free(p);
        return FALSE;
    }
    g_mutex_lock(&device->mutex);
    g_hash_table_insert(device->experts, (gpointer)moe->down->data, p);
    g_mutex_unlock(&device->mutex);
    return TRUE;
}

/* ---- finding ---- */

static void *
find(engine_device *device, GHashTable *table, const void *key)
{
    g_mutex_lock(&device->mutex);
    void *found = g_hash_table_lookup(table, key);
    g_mutex_unlock(&device->mutex);
    return found;
}

const lode_cuda_matrix *
engine_device_matrix(engine_device *device, const engine_tensor *tensor)
{
    return find(device, device->matrices, tensor->data);
}

const float *
engine_device_vector(engine_device *device, const float *vector)
{
    return vector ? find(device, device->vectors, vector) : NULL;
}

const lode_cuda_experts *
engine_device_experts(engine_device *device, const engine_tensor *down)
{
    const placed_experts *p = find(device, device->experts, down->data);
    return p ? &p->experts : NULL;
}

gboolean
engine_device_stores(const engine_kv_shape *shape, GError **error)
{
    const engine_type type = shape->type_k;

    if (type == shape->type_v &&
        (type == ENGINE_TYPE_F32 || type == ENGINE_TYPE_F16 || type == ENGINE_TYPE_Q8_0 ||
         type == ENGINE_TYPE_Q4_0))
        return TRUE;
    g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_UNSUPPORTED,
                "a GPU keeps no keys and values as %s", engine_type_lookup((uint32_t)type)->name);
    return FALSE;
}

engine_bert_device *
engine_device_bert(engine_device *device, const engine_model *model, GError **error)
{
    g_mutex_lock(&device->bert_mutex);
    if (!device->bert) device->bert = engine_bert_device_new(model, device, error);
    engine_bert_device *bert = device->bert;
    g_mutex_unlock(&device->bert_mutex);
    return bert;
}

void
engine_device_bert_fail(engine_device *device, const char *reason)
{
    g_mutex_lock(&device->bert_mutex);
    if (!device->bert_failure) device->bert_failure = g_strdup(reason);
    g_mutex_unlock(&device->bert_mutex);
}

char *
engine_device_bert_failure(engine_device *device)
{
    g_mutex_lock(&device->bert_mutex);
    char *reason = g_strdup(device->bert_failure);
    g_mutex_unlock(&device->bert_mutex);
    return reason;
}

gboolean
engine_model_use_device(engine_model *model, const lode_cuda_compute *compute, int index,
                        uint64_t limit, gboolean demanded, int n_layers, GError **error)
{
    engine_device *device = engine_device_open(compute, index, limit, error);

    if (!device) return FALSE;
    engine_device_unref(model->device);
    model->device = device;
    model->wish = (engine_device_wish){.demanded = demanded, .n_layers = n_layers};
    return TRUE;
}

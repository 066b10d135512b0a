/* Making the rows of a converted tensor out of the stored ones.
 *
 *   pairs    q and k of llama and internlm2: a head's rows 0 1 .. h-1 are stored as halves and become
 *            0 h/2 1 h/2+1 ..., so that the elements that rotate together are neighbours
 *   groups   InternLM2's wqkv: for each key head its query heads, the key, the value
 *   tiled    Qwen3.5: value heads k r + j (r of them share key head k) become j n_k + k
 *
 * Source: the converters of llama.cpp, whose files these have to agree with. */
#include <math.h>
#include <string.h>

#include "engine/convert.h"

typedef struct {
    engine_row_source s;
    size_t n_cols;
    const engine_tensor *tensors[];
} owned_source;

void *
engine_row_source_copy(const engine_row_source *source, const uint64_t dims[4])
{
    const size_t n_bytes = source->n_tensors * sizeof *source->tensors;
    owned_source *copy = g_malloc0(sizeof *copy + n_bytes);

    copy->s = *source;
    copy->n_cols = (size_t)dims[0];
    if (n_bytes > 0) memcpy(copy->tensors, source->tensors, n_bytes);
    return copy;
}

/* Value head `head` of the output, counted from 0: the stored one. */
static size_t
tiled_head(const engine_row_source *s, size_t head)
{
    const size_t ratio = s->n_values / s->n_keys;
    return head % s->n_keys * ratio + head / s->n_keys;
}

/* Where row r of a slab is stored. */
static size_t
stored_row(const engine_row_source *s, size_t r)
{
    if (s->order == ENGINE_ORDER_TILED) {
        if (r < s->plain) return r;
        r -= s->plain;
        return s->plain + tiled_head(s, r / s->head) * s->head + r % s->head;
    }
    if (s->order == ENGINE_ORDER_HEADS) {
        const size_t head = r / s->head, group = head / s->taken;
        size_t j = r % s->head;
        if (s->pairs) j = j % 2 * (s->head / 2) + j / 2;
        return (group * s->stride + s->start + head % s->taken) * s->head + j;
    }
    return r;
}

/* A vector, or a matrix of one row, element by element. */
static void
gather_elements(const owned_source *o, float *out)
{
    const engine_tensor *t = o->tensors[0];
    g_autofree float *stored = g_new(float, (size_t)t->dims[0]);

    engine_tensor_row(t, 0, stored);
    for (size_t i = 0; i < o->n_cols; i++)
        out[i] = stored[stored_row(&o->s, i)];
}

static void
gather_row(const owned_source *o, size_t row, float *out)
{
    const engine_row_source *s = &o->s;
    const size_t slab = s->slab ? row / s->slab : 0, r = s->slab ? row % s->slab : row;
    const engine_tensor *t = o->tensors[s->n_tensors > 1 ? slab : 0];
    const size_t in_slab = s->first + stored_row(s, r);

    if (s->turned) { /* row in_slab of [columns, stored_slab] is a column there */
        for (size_t i = 0; i < o->n_cols; i++)
            out[i] = engine_tensor_element(t, slab * o->n_cols + i, in_slab);
        return;
    }
    engine_tensor_row(t, (s->n_tensors > 1 ? 0 : slab * s->stored_slab) + in_slab, out);
    if (s->tile_columns == 0) return;
    g_autofree float *stored = g_memdup2(out, o->n_cols * sizeof *out);
    for (size_t head = 0; head < s->n_values; head++)
        memcpy(out + head * s->tile_columns, stored + tiled_head(s, head) * s->tile_columns,
               s->tile_columns * sizeof *out);
}

void
engine_convert_row(const void *data, size_t row, float *out)
{
    const owned_source *o = data;
    const engine_row_source *s = &o->s;

    if (s->values) {
        memcpy(out, s->values, o->n_cols * sizeof *out);
        return;
    }
    if (s->order != ENGINE_ORDER_PLAIN && o->tensors[0]->n_dims <= 1)
        gather_elements(o, out);
    else
        gather_row(o, row, out);
    for (size_t i = 0; s->add != 0.0f && i < o->n_cols; i++)
        out[i] += s->add;
    for (size_t i = 0; s->negative_exp && i < o->n_cols; i++)
        out[i] = -expf(out[i]);
}

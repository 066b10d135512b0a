#include "moe_twin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static gpointer
own(engine_decoder *d, size_t n_bytes)
{
    gpointer memory = g_malloc0(n_bytes);
    g_ptr_array_add(d->owned, memory);
    return memory;
}

/* Rows from .. from+n of w, where they are. */
static engine_tensor
some_rows(const engine_tensor *w, size_t from, size_t n)
{
    const size_t row_bytes = engine_tensor_row_bytes(w);
    engine_tensor part = *w;

    part.dims[1] = n;
    part.data = w->data + from * row_bytes;
    part.n_bytes = n * row_bytes;
    return part;
}

/* Columns from .. from+n of w, whole blocks, copied. */
static engine_tensor
some_columns(engine_decoder *d, const engine_tensor *w, size_t from, size_t n)
{
    const engine_type_traits *traits = engine_type_lookup((uint32_t)w->type);
    const size_t row_bytes = engine_tensor_row_bytes(w);
    engine_tensor part = *w;

    assert_int_equal(from % traits->block_elems + n % traits->block_elems, 0);
    part.dims[0] = n;
    const size_t part_bytes = engine_tensor_row_bytes(&part);
    uint8_t *data = own(d, part_bytes * (size_t)w->dims[1]);
    for (size_t r = 0; r < w->dims[1]; r++)
        memcpy(data + r * part_bytes,
               w->data + r * row_bytes + from / traits->block_elems * traits->block_bytes,
               part_bytes);
    part.data = data;
    part.n_bytes = part_bytes * (size_t)w->dims[1];
    return part;
}

void
moe_twin(engine_model *model, moe_twin_kind kind, uint32_t n_experts)
{
    engine_decoder *d = model->arch;
    /* a router of zeros gives all experts the same weight */
    engine_tensor *router = own(d, sizeof *router);
    *router = (engine_tensor){.name = "router",
                              .type = ENGINE_TYPE_F32,
                              .n_dims = 2,
                              .dims = {d->n_embd, n_experts, 1, 1},
                              .n_bytes = (size_t)d->n_embd * n_experts * sizeof(float)};
    router->data = own(d, router->n_bytes);
    const uint32_t n_used = kind == MOE_TWIN_CUT ? n_experts : 2;

    for (uint32_t i = 0; i < d->n_layers; i++) {
        engine_decoder_layer *layer = &d->layers[i];
        const engine_dense_ffn *f = &layer->dense;
        const uint32_t n_ff = kind == MOE_TWIN_CUT ? f->n_ff / n_experts : f->n_ff;
        engine_tensor *views = own(d, 3 * n_experts * sizeof *views);

        assert_false(layer->is_moe);
        assert_true(!f->gate.bias && !f->up.bias && !f->down.bias);
        assert_int_equal(f->n_ff % n_experts, 0);
        for (uint32_t e = 0; e < n_experts; e++) {
            const size_t from = kind == MOE_TWIN_CUT ? (size_t)e * n_ff : 0;
            views[e] = some_rows(f->gate.w, from, n_ff);
            views[n_experts + e] = some_rows(f->up.w, from, n_ff);
            views[2 * n_experts + e] =
                kind == MOE_TWIN_CUT ? some_columns(d, f->down.w, from, n_ff) : *f->down.w;
        }
        layer->is_moe = TRUE;
        layer->moe =
            (engine_moe_ffn){.router = {.n_experts = n_experts,
                                        .n_used = n_used,
                                        .n_groups = 1,
                                        .normalize = TRUE,
                                        .scale = kind == MOE_TWIN_CUT ? (float)n_experts : 1.0f},
                             .logits = {.w = router},
                             .gate = views,
                             .up = views + n_experts,
                             .down = views + 2 * n_experts,
                             .n_ff = n_ff,
                             .pack = i};
    }
    d->max_experts = n_experts;
    d->max_used = n_used;
}

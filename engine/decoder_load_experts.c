/* Experts: stacked in one tensor or each in its own, in either orientation, always as one view per expert. */
#include "engine/decoder_load.h"

#include <string.h>

/* n_experts views {n_in, n_out} of the slabs of one tensor {n_in, n_out, n_experts}, each with its slab of the
 * scales. */
static const engine_tensor *
cut_slabs(engine_loader *l, const engine_tensor *stacked)
{
    const size_t n = (size_t)stacked->dims[2], slab = stacked->n_bytes / n;
    engine_tensor *views = engine_load_own(l, n, sizeof *views);
    const engine_tensor *scales = stacked->scales ? cut_slabs(l, stacked->scales) : NULL;

    if (!views || (stacked->scales && !scales)) return NULL;
    for (size_t e = 0; e < n; e++) {
        views[e] = *stacked;
        views[e].n_dims = 2;
        views[e].dims[2] = 1;
        views[e].data = stacked->data + e * slab;
        views[e].n_bytes = slab;
        if (scales) views[e].scales = &scales[e];
    }
    return views;
}

/* Stored as {n_out, n_in, n_experts}: turned over into memory of our own, in the type it has, and the scales of
 * its blocks with it. */
static gboolean
turn_over(engine_loader *l, const engine_tensor *stored, engine_tensor *turned)
{
    const engine_type_traits *traits = engine_type_lookup((uint32_t)stored->type);
    const size_t size = traits->block_bytes, n_out = (size_t)stored->dims[0],
                 n_in = (size_t)stored->dims[1];

    if (traits->block_elems != 1)
        return engine_load_fail(l, ENGINE_ERROR_UNSUPPORTED,
                                "tensor %s: experts of type %s stored input by input", stored->name,
                                traits->name);
    uint8_t *copy = engine_load_own(l, stored->n_bytes, 1);
    if (!copy) return FALSE;
    for (size_t e = 0; e < stored->dims[2]; e++) {
        const uint8_t *from = stored->data + e * n_in * n_out * size;
        uint8_t *to = copy + e * n_in * n_out * size;
        for (size_t i = 0; i < n_in; i++)
            for (size_t o = 0; o < n_out; o++)
                memcpy(to + (o * n_in + i) * size, from + (i * n_out + o) * size, size);
    }
    *turned = *stored;
    turned->dims[0] = n_in;
    turned->dims[1] = n_out;
    turned->data = copy;
    if (!stored->scales) return TRUE;
    engine_tensor *scales = engine_load_own(l, 1, sizeof *scales);
    turned->scales = scales;
    turned->scale_rows = stored->scale_cols;
    turned->scale_cols = stored->scale_rows;
    return scales && turn_over(l, stored->scales, scales);
}

/* A stacked tensor's experts. name is whole, after the prefix. */
static gboolean
load_stacked(engine_loader *l, const char *prefix, const char *name, uint32_t n_in, uint32_t n_out,
             const engine_tensor **out)
{
    g_autofree char *full = g_strconcat(prefix, name, NULL);
    const engine_tensor *t = engine_weights_lookup(l->weights, full);
    const gboolean right = t && t->dims[0] == n_in && t->dims[1] == n_out;
    const gboolean turned = t && t->dims[0] == n_out && t->dims[1] == n_in;

    if (!t || (!right && !turned) || t->dims[2] != l->n_experts || t->dims[3] != 1)
        return engine_load_fail(l, ENGINE_ERROR_FORMAT,
                                "tensor %s is missing or not %u x %u for each of %u experts", full,
                                n_in, n_out, l->n_experts);
    if (!engine_type_lookup((uint32_t)t->type)->dequantize)
        return engine_load_fail(l, ENGINE_ERROR_UNSUPPORTED, "tensor %s has no weight type", full);
    engine_load_use(l, t);
    /* where both readings fit, the family tells */
    const gboolean turn =
        !right || (turned && !l->gguf && (l->family->flags & FAMILY_EXPERTS_TRANSPOSED));
    engine_tensor copy;
    if (turn && !turn_over(l, t, &copy)) return FALSE;
    *out = cut_slabs(l, turn ? &copy : t);
    return *out != NULL;
}

/* Experts that are tensors of their own; format holds the expert's number. */
static gboolean
load_single(engine_loader *l, const char *prefix, const char *format, uint32_t n_in, uint32_t n_out,
            const engine_tensor **out)
{
    engine_tensor *views = engine_load_own(l, l->n_experts, sizeof *views);

    if (!views) return FALSE;
    for (uint32_t e = 0; e < l->n_experts; e++) {
        g_autofree char *name = g_strdup_printf(format, e);
        g_autofree char *full = g_strconcat(prefix, name, ".weight", NULL);
        const engine_tensor *t = engine_weights_require(l->weights, full, n_in, n_out, l->error);
        if (!t) return FALSE;
        if (e > 0 && t->type != views[0].type)
            return engine_load_fail(l, ENGINE_ERROR_UNSUPPORTED,
                                    "tensor %s: experts of one layer in different types", full);
        engine_load_use(l, t);
        views[e] = *t;
    }
    *out = views;
    return TRUE;
}

static gboolean
exists(const engine_loader *l, const char *prefix, const char *name)
{
    g_autofree char *full = g_strconcat(prefix, name, NULL);
    return name && engine_weights_lookup(l->weights, full) != NULL;
}

static gboolean
load_experts(engine_loader *l, const char *prefix, engine_moe_ffn *out)
{
    const engine_names *n = l->names;
    const uint32_t d = l->d->n_embd, ff = l->n_expert_ff;

    out->n_ff = ff;
    if (exists(l, prefix, n->experts_gate_up))
        return load_stacked(l, prefix, n->experts_gate_up, d, 2 * ff, &out->gate_up) &&
               load_stacked(l, prefix, n->experts_down, ff, d, &out->down);
    if (exists(l, prefix, n->experts_gate))
        return load_stacked(l, prefix, n->experts_gate, d, ff, &out->gate) &&
               load_stacked(l, prefix, n->experts_up, d, ff, &out->up) &&
               load_stacked(l, prefix, n->experts_down, ff, d, &out->down);
    return load_single(l, prefix, n->expert_gate, d, ff, &out->gate) &&
           load_single(l, prefix, n->expert_up, d, ff, &out->up) &&
           load_single(l, prefix, n->expert_down, ff, d, &out->down);
}

static gboolean
load_shared(engine_loader *l, const char *prefix, engine_moe_ffn *out)
{
    const engine_names *n = l->names;
    const engine_tensor *gate = engine_load_lookup(l, prefix, n->shared_gate);
    uint32_t n_ff;

    if (!gate) return TRUE;
    if (!engine_load_size_or(l, "expert_shared_feed_forward_length",
                             "shared_expert_intermediate_size",
                             (uint32_t)MIN(gate->dims[1], G_MAXUINT32), 1, 1u << 20, &n_ff) ||
        !engine_load_dense(l, prefix, n->shared_gate, n->shared_up, n->shared_down, n_ff,
                           &out->shared))
        return FALSE;
    if (!engine_load_lookup(l, prefix, n->shared_router)) return TRUE;
    return engine_load_linear(l, prefix, n->shared_router, l->d->n_embd, 1, 0, &out->shared_gate);
}

gboolean
engine_load_moe(engine_loader *l, const char *prefix, const char *layer_prefix, engine_moe_ffn *out)
{
    out->router = (engine_router){.n_experts = l->n_experts,
                                  .n_used = l->n_used,
                                  .n_groups = l->n_groups,
                                  .gate = l->expert_gate,
                                  .normalize = l->normalize,
                                  .scale = l->expert_scale};
    if (l->n_experts == 0)
        return engine_load_fail(l, ENGINE_ERROR_FORMAT, "the number of experts is missing");
    return engine_load_linear(l, prefix, l->names->router, l->d->n_embd, l->n_experts, 0,
                              &out->logits) &&
           load_experts(l, prefix, out) && load_shared(l, layer_prefix, out);
}

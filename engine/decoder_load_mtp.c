/* Draft heads: a layer that reads the trunk's output and the next token. GGUF keeps one as its last block;
 * safetensors under mtp., or two of them, for ordinary and for scientific text, as mtp.normal. and mtp.sci.. */
#include "engine/decoder_load.h"

#include <string.h>

/* The norms and the joining matrix lie at the head, or with its layer. */
static const char *
hf_place(const engine_loader *l, const char *head, const char *layer, const char *name)
{
    return engine_load_lookup(l, layer, name) ? layer : head;
}

static gboolean
load_hf_head(engine_loader *l, const char *head, const char *label, engine_mtp *out)
{
    const uint32_t d = l->d->n_embd;
    g_autofree char *layer = g_strconcat(head, "layers.0.", NULL);
    static const char join[] = "fc", embd[] = "pre_fc_norm_embedding",
                      hidden[] = "pre_fc_norm_hidden", norm[] = "norm";
    const uint32_t n_experts = l->n_experts, n_used = l->n_used;

    out->name = label;
    out->embd = l->d->embd;
    out->output = l->d->output;
    if (!engine_load_linear(l, hf_place(l, head, layer, join), join, 2 * d, d, 0, &out->join))
        return FALSE;
    out->embd_norm = engine_load_norm(l, hf_place(l, head, layer, embd), embd, d);
    if (!out->embd_norm) return FALSE;
    out->hidden_norm = engine_load_norm(l, hf_place(l, head, layer, hidden), hidden, d);
    if (!out->hidden_norm) return FALSE;
    out->output_norm = engine_load_norm(l, hf_place(l, head, layer, norm), norm, d);
    if (!out->output_norm) return FALSE;
    /* Mobius gives its draft layer experts of its own number */
    engine_load_u32(l, NULL, "mtp_num_experts", &l->n_experts);
    engine_load_u32(l, NULL, "mtp_num_experts_per_tok", &l->n_used);
    if (l->n_experts > 4096 || l->n_used > l->n_experts ||
        (l->n_experts > 0 &&
         (l->n_used == 0 || l->n_experts % l->n_groups != 0 || l->n_used % l->n_groups != 0)))
        return engine_load_fail(l, ENGINE_ERROR_FORMAT, "impossible experts of the draft layer");
    const gboolean ok = engine_load_layer(l, layer, G_MAXUINT32, &out->layer);
    l->n_experts = n_experts;
    l->n_used = n_used;
    out->layer.moe.pack =
        l->d->n_layers + (uint32_t)(out - l->d->mtp); /* nobody shares its experts */
    return ok;
}

static gboolean
load_hf(engine_loader *l)
{
    static const struct {
        const char *prefix, *label;
    } heads[] = {{"mtp.normal.", "normal"}, {"mtp.sci.", "sci"}, {"mtp.", "mtp"}};
    engine_decoder *d = l->d;
    gboolean sci = FALSE;

    for (size_t i = 0; i < G_N_ELEMENTS(heads) && d->n_mtp < ENGINE_MAX_MTP; i++) {
        g_autofree char *layer = g_strconcat(heads[i].prefix, "layers.0.", NULL);
        if (!engine_load_lookup(l, layer, "input_layernorm")) continue;
        if (!load_hf_head(l, heads[i].prefix, heads[i].label, &d->mtp[d->n_mtp])) return FALSE;
        d->n_mtp++;
    }
    engine_load_bool(l, NULL, "enable_sci_mtp", &sci);
    for (uint32_t i = 0; i < d->n_mtp; i++)
        if (sci == (strcmp(d->mtp[i].name, "sci") == 0)) d->mtp_default = i;
    return TRUE;
}

static gboolean
load_gguf(engine_loader *l)
{
    engine_decoder *d = l->d;
    engine_mtp *out = &d->mtp[0];
    g_autofree char *block = g_strdup_printf("blk.%u.", d->n_layers);
    engine_linear own = {0};

    out->name = "mtp";
    out->embd = d->embd;
    out->output = d->output;
    if (!engine_load_linear(l, block, "nextn.eh_proj", 2 * d->n_embd, d->n_embd, 0, &out->join))
        return FALSE;
    out->embd_norm = engine_load_norm(l, block, "nextn.enorm", d->n_embd);
    if (!out->embd_norm) return FALSE;
    out->hidden_norm = engine_load_norm(l, block, "nextn.hnorm", d->n_embd);
    if (!out->hidden_norm) return FALSE;
    /* without a norm of its own the head uses the trunk's */
    out->output_norm = d->output_norm;
    if (engine_load_lookup(l, block, "nextn.shared_head_norm") &&
        !(out->output_norm = engine_load_norm(l, block, "nextn.shared_head_norm", d->n_embd)))
        return FALSE;
    if (engine_load_lookup(l, block, "nextn.embed_tokens")) {
        if (!engine_load_linear(l, block, "nextn.embed_tokens", d->n_embd, d->n_vocab, 0, &own))
            return FALSE;
        out->embd = own.w;
    }
    if (engine_load_lookup(l, block, "nextn.shared_head_head")) {
        if (!engine_load_linear(l, block, "nextn.shared_head_head", d->n_embd, d->n_vocab, 0, &own))
            return FALSE;
        out->output = own.w;
    }
    d->n_mtp = 1;
    return engine_load_layer(l, block, G_MAXUINT32, &out->layer);
}

gboolean
engine_load_mtp(engine_loader *l)
{
    if (!(l->family->flags & FAMILY_DELTA)) return TRUE;
    if (l->n_mtp > 1)
        return engine_load_fail(l, ENGINE_ERROR_UNSUPPORTED, "%u draft layers; one is supported",
                                l->n_mtp);
    if (l->gguf) return l->n_mtp == 0 || load_gguf(l);
    return load_hf(l);
}

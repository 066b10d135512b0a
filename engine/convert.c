/* safetensors to GGUF: the tensors of every architecture that GGUF has a form for.
 *
 * llama (Llama, SmolLM2, Mixtral, InternLM3), internlm2, qwen2, qwen3, qwen3moe, qwen35, qwen35moe and bert are
 * as llama.cpp reads them. Intern-S1-Pro has no form there; ours (interns1_pro with lode.* keys) is read by
 * this program alone. Mobius shares experts between layers, which GGUF cannot say: refused. */
#include "engine/convert.h"

#include <math.h>
#include <string.h>

void
engine_convert_add(engine_converter *c, const char *name, uint32_t n_dims, const uint64_t *dims,
                   const engine_row_source *source)
{
    engine_output o = {.name = g_strdup(name), .n_dims = n_dims, .dims = {1, 1, 1, 1}};
    gboolean fallback;

    memcpy(o.dims, dims, n_dims * sizeof *dims);
    o.type = engine_type_choose(&c->choice, name, n_dims, o.dims, c->n_blocks, c->tied, &fallback);
    if (fallback) c->fallbacks.count[o.type]++;
    o.row = engine_convert_row;
    o.data = engine_row_source_copy(source, o.dims);
    g_array_append_val(c->outputs, o);
}

/* One stored tensor, its shape kept. */
static void
add_whole(engine_converter *c, const char *name, const engine_tensor *t, engine_row_source source)
{
    source.tensors = &t;
    source.n_tensors = 1;
    engine_convert_add(c, name, MAX(t->n_dims, 1), t->dims, &source);
}

/* ---- decoders ---- */

typedef struct {
    engine_converter *c;
    const engine_decoder *d;
    const engine_family *family;
    const engine_names *from, *to;
    char *src, *dst; /* prefixes of the layer */
} layer_writer;

/* src's NAME.weight, and .bias where it has one, both in this order. FALSE when it is not there. */
static gboolean
put(const layer_writer *w, const char *src, const char *dst, engine_row_source source)
{
    static const char *const suffixes[] = {".weight", ".bias"};
    gboolean found = FALSE;

    for (size_t i = 0; src && dst && i < G_N_ELEMENTS(suffixes); i++) {
        g_autofree char *from = g_strconcat(w->src, src, suffixes[i], NULL);
        g_autofree char *to = g_strconcat(w->dst, dst, suffixes[i], NULL);
        const engine_tensor *t = engine_weights_lookup(w->c->weights, from);
        if (!t) continue;
        add_whole(w->c, to, t, source);
        found = TRUE;
    }
    return found;
}

static void
put_norm(const layer_writer *w, const char *src, const char *dst)
{
    put(w, src, dst,
        (engine_row_source){.add = w->family->flags & FAMILY_HF_PLUS_ONE ? 1.0f : 0.0f});
}

static void
put_plain(const layer_writer *w, const char *src, const char *dst)
{
    put(w, src, dst, (engine_row_source){0});
}

/* Heads of q, k or v; of every stride heads that are stored together these are `taken`. */
static engine_row_source
heads(const layer_writer *w, size_t taken, size_t stride, size_t start, gboolean rotated)
{
    return (engine_row_source){.order = ENGINE_ORDER_HEADS,
                               .head = w->d->head_dim,
                               .taken = taken,
                               .stride = stride,
                               .start = start,
                               .pairs = rotated && (strcmp(w->c->arch, "llama") == 0 ||
                                                    strcmp(w->c->arch, "internlm2") == 0)};
}

/* InternLM2's matrix of all three, cut up. */
static void
put_fused(const layer_writer *w, const engine_tensor *t)
{
    const size_t ratio = w->d->n_heads / w->d->n_kv_heads;
    const struct {
        const char *name;
        size_t taken, start;
        uint32_t n_heads;
    } parts[] = {{w->to->q, ratio, 0, w->d->n_heads},
                 {w->to->k, 1, ratio, w->d->n_kv_heads},
                 {w->to->v, 1, ratio + 1, w->d->n_kv_heads}};

    for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
        g_autofree char *name = g_strconcat(w->dst, parts[i].name, ".weight", NULL);
        engine_row_source source = heads(w, parts[i].taken, ratio + 2, parts[i].start, i < 2);
        source.tensors = &t;
        source.n_tensors = 1;
        engine_convert_add(w->c, name, 2,
                           (uint64_t[2]){t->dims[0], (uint64_t)parts[i].n_heads * w->d->head_dim},
                           &source);
    }
}

static void
put_attention(const layer_writer *w)
{
    g_autofree char *fused =
        w->from->qkv ? g_strconcat(w->src, w->from->qkv, ".weight", NULL) : g_strdup("");
    const engine_tensor *t = engine_weights_lookup(w->c->weights, fused);

    if (t) {
        put_fused(w, t);
    } else {
        /* a gate between the query heads moves with nothing: those models are not reordered */
        const gboolean pairs = heads(w, 1, 1, 0, TRUE).pairs;
        put(w, w->from->q, w->to->q, pairs ? heads(w, 1, 1, 0, TRUE) : (engine_row_source){0});
        put(w, w->from->k, w->to->k, pairs ? heads(w, 1, 1, 0, TRUE) : (engine_row_source){0});
        put_plain(w, w->from->v, w->to->v);
    }
    put_plain(w, w->from->o, w->to->o);
    put_norm(w, w->from->q_norm, w->to->q_norm);
    put_norm(w, w->from->k_norm, w->to->k_norm);
}

static engine_row_source
tiled(const layer_writer *w, size_t plain, size_t head)
{
    return (engine_row_source){.order = ENGINE_ORDER_TILED,
                               .plain = plain,
                               .head = head,
                               .n_keys = w->d->delta.n_k,
                               .n_values = w->d->delta.n_v};
}

/* The gated delta rule of Qwen3.5. Three tensors are no matrices and have no ".weight". */
static gboolean
put_delta(const layer_writer *w)
{
    const engine_delta_shape *s = &w->d->delta;
    const size_t keys = 2 * (size_t)s->n_k * s->d_k;
    g_autofree char *conv = g_strconcat(w->src, w->from->delta_conv, ".weight", NULL);
    g_autofree char *a = g_strconcat(w->src, w->from->delta_a, NULL);
    g_autofree char *dt = g_strconcat(w->src, w->from->delta_dt, NULL);
    g_autofree char *conv_to = g_strconcat(w->dst, w->to->delta_conv, ".weight", NULL);
    g_autofree char *a_to = g_strconcat(w->dst, w->to->delta_a, NULL);
    g_autofree char *dt_to = g_strconcat(w->dst, w->to->delta_dt, NULL);
    const engine_tensor *t = engine_weights_lookup(w->c->weights, a);

    if (!t) return FALSE;
    put(w, w->from->delta_qkv, w->to->delta_qkv, tiled(w, keys, s->d_v));
    put(w, w->from->delta_z, w->to->delta_z, tiled(w, 0, s->d_v));
    put(w, w->from->delta_beta, w->to->delta_beta, tiled(w, 0, 1));
    put(w, w->from->delta_alpha, w->to->delta_alpha, tiled(w, 0, 1));
    put_plain(w, w->from->delta_norm, w->to->delta_norm);
    engine_row_source source = tiled(w, 0, 1);
    add_whole(w->c, dt_to, engine_weights_lookup(w->c->weights, dt), source);
    source.negative_exp = TRUE;
    add_whole(w->c, a_to, t, source);
    source = (engine_row_source){.tile_columns = s->d_v, .n_keys = s->n_k, .n_values = s->n_v};
    put(w, w->from->delta_out, w->to->delta_out, source);
    /* [channels, 1, kernel] without its middle axis */
    const engine_tensor *stored = engine_weights_lookup(w->c->weights, conv);
    source = tiled(w, keys, s->d_v);
    source.tensors = &stored;
    source.n_tensors = 1;
    engine_convert_add(w->c, conv_to, 2, (uint64_t[2]){s->kernel, s->n_channels}, &source);
    return TRUE;
}

/* All experts' matrices {n_in, n_out}: slabs of `name` (rows first .. of stored_out), or tensors of their own. */
static void
put_experts(const layer_writer *w, const engine_moe_ffn *moe, const char *stacked,
            const char *single, const char *dst, uint64_t n_in, uint64_t n_out, uint64_t first,
            uint64_t stored_out)
{
    const uint32_t n = moe->router.n_experts;
    g_autofree char *name = g_strconcat(w->src, stacked ? stacked : "", NULL);
    g_autofree char *to = g_strconcat(w->dst, dst, NULL);
    const engine_tensor *t = stacked ? engine_weights_lookup(w->c->weights, name) : NULL;
    g_autofree const engine_tensor **each = g_new0(const engine_tensor *, n);
    engine_row_source source = {.slab = (size_t)n_out, .stored_slab = (size_t)stored_out};

    source.tensors = each;
    if (t) {
        const gboolean right = t->dims[0] == n_in, other = t->dims[1] == n_in;
        source.turned = !right || (other && (w->family->flags & FAMILY_EXPERTS_TRANSPOSED));
        source.first = (size_t)first;
        source.n_tensors = 1;
        each[0] = t;
    } else {
        for (uint32_t e = 0; e < n; e++) {
            g_autofree char *part = g_strdup_printf(single, e);
            g_autofree char *full = g_strconcat(w->src, part, ".weight", NULL);
            each[e] = engine_weights_lookup(w->c->weights, full);
        }
        source.n_tensors = n;
    }
    engine_convert_add(w->c, to, 3, (uint64_t[3]){n_in, n_out, n}, &source);
}

static void
put_moe(const layer_writer *w, const engine_moe_ffn *moe)
{
    const engine_names *f = w->from, *t = w->to;
    const uint64_t d = w->d->n_embd, ff = moe->n_ff;

    put_plain(w, f->router, t->router);
    put_experts(w, moe, f->experts_gate_up, f->expert_gate, t->experts_gate, d, ff, 0, 2 * ff);
    put_experts(w, moe, f->experts_gate_up, f->expert_up, t->experts_up, d, ff, ff, 2 * ff);
    put_experts(w, moe, f->experts_down, f->expert_down, t->experts_down, ff, d, 0, d);
    put_plain(w, f->shared_gate, t->shared_gate);
    put_plain(w, f->shared_up, t->shared_up);
    put_plain(w, f->shared_down, t->shared_down);
    if (!f->shared_router) return;
    /* [1, n_embd] is a vector there */
    g_autofree char *from = g_strconcat(w->src, f->shared_router, ".weight", NULL);
    g_autofree char *to = g_strconcat(w->dst, t->shared_router, ".weight", NULL);
    const engine_tensor *gate = engine_weights_lookup(w->c->weights, from);
    if (!gate) return;
    engine_row_source source = {.tensors = &gate, .n_tensors = 1};
    engine_convert_add(w->c, to, 1, (uint64_t[1]){d}, &source);
}

static void
put_layer(layer_writer *w, const engine_decoder_layer *layer)
{
    const engine_names *f = w->from, *t = w->to;
    /* Qwen3.5 in GGUF names the second norm for where it stands */
    const gboolean qwen35 = (w->family->flags & FAMILY_GGUF_TILED) != 0;

    put_norm(w, f->mixer_norm, t->mixer_norm);
    put_norm(w, f->ffn_norm, qwen35 ? "post_attention_norm" : t->ffn_norm);
    if (!layer->is_delta || !put_delta(w)) put_attention(w);
    if (layer->is_moe) {
        put_moe(w, &layer->moe);
        return;
    }
    put_plain(w, f->gate, t->gate);
    put_plain(w, f->up, t->up);
    put_plain(w, f->down, t->down);
}

/* The draft head that the configuration prefers, as the block behind the last. */
static void
put_draft(layer_writer *w)
{
    static const struct {
        const char *from, *to;
    } norms[] = {{"pre_fc_norm_embedding", "nextn.enorm"},
                 {"pre_fc_norm_hidden", "nextn.hnorm"},
                 {"norm", "nextn.shared_head_norm"}};
    const engine_mtp *mtp = &w->d->mtp[w->d->mtp_default];
    g_autofree char *head =
        strcmp(mtp->name, "mtp") == 0 ? g_strdup("mtp.") : g_strdup_printf("mtp.%s.", mtp->name);
    g_autofree char *layer = g_strconcat(head, "layers.0.", NULL);
    g_autofree char *block = g_strdup_printf("blk.%u.", w->d->n_layers);

    w->src = layer;
    w->dst = block;
    put_layer(w, &mtp->layer);
    /* the joining parts lie with the layer or with the head */
    for (int at_head = 0; at_head < 2; at_head++) {
        w->src = at_head ? head : layer;
        put_plain(w, "fc", "nextn.eh_proj");
        for (size_t i = 0; i < G_N_ELEMENTS(norms); i++)
            put_norm(w, norms[i].from, norms[i].to);
    }
}

static void
put_globals(layer_writer *w)
{
    static const char *const fope[][2] = {{"model.rotary_emb.cos_coef", "fope_cos"},
                                          {"model.rotary_emb.sin_coef", "fope_sin"}};

    w->src = w->dst = (char *)"";
    put_plain(w, w->from->embd, w->to->embd);
    put_norm(w, w->from->output_norm, w->to->output_norm);
    if (!w->c->tied) put_plain(w, w->from->output, w->to->output);
    for (size_t i = 0; i < G_N_ELEMENTS(fope); i++) {
        const engine_tensor *t = engine_weights_lookup(w->c->weights, fope[i][0]);
        if (t) add_whole(w->c, fope[i][1], t, (engine_row_source){0});
    }
    if (w->d->rope.kind != ENGINE_ROPE_LLAMA3) return;
    /* GGUF keeps this scaling as what every frequency is divided by */
    const uint32_t n = w->d->rope.n_rot / 2;
    float *divisors = g_new(float, n);
    for (uint32_t j = 0; j < n; j++)
        divisors[j] =
            (float)(pow((double)w->c->model->info.rope_theta, -2.0 * j / w->d->rope.n_rot) /
                    (double)w->d->rope.inv_freq[j]);
    g_ptr_array_add(w->c->owned, divisors);
    engine_row_source source = {.values = divisors};
    engine_convert_add(w->c, "rope_freqs.weight", 1, (uint64_t[1]){n}, &source);
}

static void
put_decoder(engine_converter *c, const engine_family *family)
{
    const engine_decoder *d = c->model->arch;
    layer_writer w = {c, d, family, family->hf_names, &engine_names_gguf, NULL, NULL};

    put_globals(&w);
    for (uint32_t i = 0; i < d->n_layers; i++) {
        g_autofree char *src = g_strdup_printf(w.from->layer, i);
        g_autofree char *dst = g_strdup_printf(w.to->layer, i);
        w.src = src;
        w.dst = dst;
        put_layer(&w, &d->layers[i]);
    }
    if (d->n_mtp > 0) put_draft(&w);
}

/* ---- BERT ---- */

/* NAME.weight and NAME.bias; LayerNorms of old files have gamma and beta. */
static void
put_bert(engine_converter *c, const char *from, const char *to)
{
    static const char *const suffixes[][2] = {
        {".weight", ".weight"}, {".bias", ".bias"}, {".gamma", ".weight"}, {".beta", ".bias"}};

    for (size_t i = 0; i < G_N_ELEMENTS(suffixes); i++) {
        g_autofree char *src = g_strconcat(from, suffixes[i][0], NULL);
        g_autofree char *longer = g_strconcat("bert.", src, NULL);
        g_autofree char *dst = g_strconcat(to, suffixes[i][1], NULL);
        const engine_tensor *t = engine_weights_lookup(c->weights, src);
        if (!t) t = engine_weights_lookup(c->weights, longer);
        if (t) add_whole(c, dst, t, (engine_row_source){0});
    }
}

static void
put_encoder(engine_converter *c)
{
    static const char *const globals[][2] = {{"embeddings.word_embeddings", "token_embd"},
                                             {"embeddings.position_embeddings", "position_embd"},
                                             {"embeddings.token_type_embeddings", "token_types"},
                                             {"embeddings.LayerNorm", "token_embd_norm"}};
    static const char *const layer[][2] = {{"attention.self.query", "attn_q"},
                                           {"attention.self.key", "attn_k"},
                                           {"attention.self.value", "attn_v"},
                                           {"attention.output.dense", "attn_output"},
                                           {"attention.output.LayerNorm", "attn_output_norm"},
                                           {"intermediate.dense", "ffn_up"},
                                           {"output.dense", "ffn_down"},
                                           {"output.LayerNorm", "layer_output_norm"}};

    for (size_t i = 0; i < G_N_ELEMENTS(globals); i++)
        put_bert(c, globals[i][0], globals[i][1]);
    for (uint32_t n = 0; n < c->model->info.n_layers; n++) {
        for (size_t i = 0; i < G_N_ELEMENTS(layer); i++) {
            g_autofree char *src = g_strdup_printf("encoder.layer.%u.%s", n, layer[i][0]);
            g_autofree char *dst = g_strdup_printf("blk.%u.%s", n, layer[i][1]);
            put_bert(c, src, dst);
        }
    }
}

/* ---- the whole ---- */

/* GGUF's name of the architecture; NULL with error when it has none. */
static const char *
architecture_in_gguf(const engine_converter *c, const engine_family *family, GError **error)
{
    const char *name = c->model->info.architecture;

    if (strcmp(name, "bert") == 0) return "bert";
    /* their layers are llama's under other names */
    if (strcmp(name, "mixtral") == 0 || strcmp(name, "internlm3") == 0) return "llama";
    if (family && family->gguf && strcmp(family->gguf, "qwen3next") != 0) return family->gguf;
    g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_UNSUPPORTED,
                "%s: %s models cannot be written as GGUF; they run from safetensors",
                engine_weights_path(c->weights), name);
    return NULL;
}

static gboolean
convert(engine_converter *c, engine_pool *pool, GError **error)
{
    const gboolean bert = c->model->info.kind == ENGINE_KIND_ENCODER;
    const engine_family *family =
        engine_family_lookup(FALSE, engine_weights_get_string(c->weights, "model_type"));

    c->arch = architecture_in_gguf(c, family, error);
    if (!c->arch) return FALSE;
    c->n_blocks = c->model->info.n_layers;
    if (bert) {
        c->tied = FALSE;
        put_encoder(c);
    } else {
        const engine_decoder *d = c->model->arch;
        c->tied = d->output == d->embd;
        c->n_blocks += d->n_mtp > 0;
        put_decoder(c, family);
    }
    engine_convert_metadata(c);
    engine_note_fallbacks(c->options, &c->fallbacks);
    return engine_convert_tokenizer(c, error) &&
           engine_write_outputs(c->writer, c->outputs, pool, c->options, error);
}

gboolean
engine_model_convert(const char *in, const char *out, const engine_write_options *options,
                     engine_pool *pool, GError **error)
{
    engine_converter c = {.options = options};
    if (!engine_type_choice_from_options(options, &c.choice, error)) return FALSE;
    g_autoptr(engine_model) model = engine_model_open(in, error);
    g_autoptr(engine_gguf_writer) writer = engine_gguf_writer_new(out, options->part_bytes);
    g_autoptr(GArray) outputs = g_array_new(FALSE, FALSE, sizeof(engine_output));
    g_autoptr(GPtrArray) owned = g_ptr_array_new_with_free_func(g_free);
    g_array_set_clear_func(outputs, engine_output_clear);

    if (!model) return FALSE;
    if (engine_weights_format(model->weights) == ENGINE_FORMAT_GGUF) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_ARGUMENT,
                    "%s: GGUF already; quantize gives it other types",
                    engine_weights_path(model->weights));
        return FALSE;
    }
    c.model = model;
    c.weights = model->weights;
    c.writer = writer;
    c.outputs = outputs;
    c.owned = owned;
    return convert(&c, pool, error);
}

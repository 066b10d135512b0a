/* The inside of a forward pass, for decoder.c and decoder_mtp.c. */
#ifndef LODE_ENGINE_DECODER_PRIVATE_H
#define LODE_ENGINE_DECODER_PRIVATE_H

#include "engine/placement.h"
#include "engine/recurrent.h"

G_BEGIN_DECLS

#define ENGINE_DECODER_BUFFERS 23

enum { ENGINE_HOST, ENGINE_DEVICE };

struct engine_decoder_scratch {
    const engine_model *model;
    const engine_decoder *decoder;
    engine_backend host;
    const engine_placement *placement;   /* borrowed; NULL: all on the host */
    const engine_expert_source *experts; /* borrowed; NULL: experts lie in the mapping */
    uint32_t max_rows;
    void *owned[2][ENGINE_DECODER_BUFFERS]; /* of each side; freeing asks no model */

    int side;                /* where the pass is */
    engine_backend *backend; /* of that side, and below: */

    /* its memory, a row for each of max_rows */
    float *x, *h, *y;          /* [n_embd] residual stream; its norm; a branch's result */
    float *hidden;             /* [n_embd] normed output of the last pass */
    float *raw;                /* [max_width] projected queries, keys, values */
    float *q, *k, *v, *att;    /* heads; attention's or the delta rule's result */
    float *gate, *up;          /* [max_ff]: of shared experts */
    float *tables;             /* [engine_rope_row_floats] */
    float *router, *weights;   /* [max_experts], [max_used] */
    int32_t *chosen;           /* [max_used] */
    float *shared_gate;        /* [1] */
    float *conv, *delta_gates; /* [n_channels], [2 n_v] */
    float *joined;             /* [2 n_embd], draft heads: embedding, hidden */
    float *draft;              /* [n_embd], a draft head's normed output, a row for each span */

    float *guess_router, *guess_weights; /* [max_experts], [max_used]: of the layer to come */
    int32_t *guess_chosen;               /* [max_used] */

    /* host memory */
    engine_kv_span *spans;            /* [max_rows] */
    engine_decoder_span *draft_spans; /* [max_rows] */
    int32_t *tokens;                  /* [max_rows] */
    uint32_t *rows;                   /* [max_rows] */
    float *inv_freq;                  /* [n_rot / 2] of the base at hand */
    uint32_t *guessed;                /* [max_experts] */
    uint32_t mtp;                     /* the draft head in use */
};

/* What the layers of one pass share. */
typedef struct {
    engine_kv *kv;
    const engine_decoder_span *spans;
    size_t n_spans, n;
} engine_decoder_pass;

void engine_decoder_begin_pass(engine_decoder_scratch *s, const engine_decoder_pass *pass);
/* What follows is done on the device or on the host; x [n, n_embd] goes along. */
void engine_decoder_enter(engine_decoder_scratch *s, gboolean on_device, size_t n);
/* out [n, ldx], one of the buffers: rows of the embedding table. */
void engine_decoder_embed(engine_decoder_scratch *s, const engine_tensor *table,
                          const int32_t *tokens, size_t n, float *out, size_t ldx);
/* FALSE when something failed on the device since it was last asked. */
gboolean engine_decoder_check(engine_decoder_scratch *s, GError **error);
/* x through one layer, on the side the pass is on. FALSE when an expert could not be read. */
gboolean engine_decoder_run_layer(engine_decoder_scratch *s, const engine_decoder_pass *pass,
                                  const engine_decoder_layer *layer, GError **error);

G_END_DECLS
#endif

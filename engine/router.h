/* Routing: which experts a token goes to, and with what weight. */
#ifndef LODE_ENGINE_ROUTER_H
#define LODE_ENGINE_ROUTER_H

#include "engine/kernels.h"

G_BEGIN_DECLS

typedef enum {
    ENGINE_GATE_SOFTMAX,      /* over all experts, then choose */
    ENGINE_GATE_SIGMOID,      /* each expert by itself */
    ENGINE_GATE_SOFTMAX_AFTER /* choose by logit, softmax over the chosen */
} engine_gate;

typedef struct {
    uint32_t n_experts, n_used;
    uint32_t
        n_groups; /* n_used / n_groups experts of each group of consecutive ones; 1: no groups */
    engine_gate gate;
    gboolean normalize; /* the chosen weights are divided by their sum */
    float scale;        /* and multiplied by this; 1 where the model has none */
} engine_router;

/* From logits [n_experts] (overwritten) the experts chosen [n_used] and their weights [n_used], the largest
 * first within a group, groups in order; of equal ones the lower index.
 * Sources: Mixtral of Experts, arXiv:2401.04088, section 2.1; the grouped form is Intern-S1-Pro's. */
void engine_route(const engine_router *router, const engine_kernels *kernels, float *logits,
                  int32_t *chosen, float *weights);

G_END_DECLS
#endif

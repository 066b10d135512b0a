/* Choosing experts; see router.h. */
#include "engine/router.h"

#include <math.h>

/* The k largest of p [n], descending, the lower index first among equals. */
static void
choose_largest(const float *p, uint32_t n, uint32_t k, int32_t base, int32_t *chosen,
               float *weights)
{
    uint32_t n_chosen = 0;

    for (uint32_t e = 0; e < n; e++) {
        /* written so that a NaN is never larger: it cannot push out a number, nor index anything */
        if (n_chosen == k && !(p[e] > weights[k - 1])) continue;
        uint32_t at = n_chosen < k ? n_chosen++ : k - 1;
        for (; at > 0 && p[e] > weights[at - 1]; at--) {
            weights[at] = weights[at - 1];
            chosen[at] = chosen[at - 1];
        }
        weights[at] = p[e];
        chosen[at] = base + (int32_t)e;
    }
}

void
engine_route(const engine_router *router, const engine_kernels *kernels, float *logits,
             int32_t *chosen, float *weights)
{
    const uint32_t n = router->n_experts / router->n_groups, k = router->n_used / router->n_groups;

    if (router->gate == ENGINE_GATE_SOFTMAX) kernels->softmax(logits, router->n_experts, 1.0f);
    if (router->gate == ENGINE_GATE_SIGMOID)
        for (uint32_t e = 0; e < router->n_experts; e++)
            logits[e] = 1.0f / (1.0f + expf(-logits[e]));
    for (uint32_t g = 0; g < router->n_groups; g++)
        choose_largest(logits + g * n, n, k, (int32_t)(g * n), chosen + g * k, weights + g * k);
    if (router->gate == ENGINE_GATE_SOFTMAX_AFTER) kernels->softmax(weights, router->n_used, 1.0f);
    float factor = router->scale;
    if (router->normalize) {
        float sum = 0.0f;
        for (uint32_t j = 0; j < router->n_used; j++)
            sum += weights[j];
        factor /= sum;
    }
    if (factor != 1.0f)
        for (uint32_t j = 0; j < router->n_used; j++)
            weights[j] *= factor;
}

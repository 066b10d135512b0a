/* Which experts a memory that need not hold what is asked for should hold: those asked for most. Nothing is copied here. */
#ifndef LODE_ENGINE_EXPERT_POLICY_H
#define LODE_ENGINE_EXPERT_POLICY_H

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

typedef struct engine_expert_policy engine_expert_policy;

/* n_slabs places, at least one, for the experts of n_packs packs, n_experts [n_packs] in each. One thread at a time. */
engine_expert_policy *engine_expert_policy_new(const uint32_t *n_experts, uint32_t n_packs,
                                               uint32_t n_slabs);
void engine_expert_policy_free(engine_expert_policy *policy); /* NULL is fine */

/* A pass begins: what is asked for in it is not let go before the next. */
void engine_expert_policy_begin(engine_expert_policy *policy);
/* An expert is needed: its slab, or -1. Counted either way. */
int32_t engine_expert_policy_ask(engine_expert_policy *policy, uint32_t pack, uint32_t expert);
/* The slab that an expert which is not there should be put into, and then has; -1: it is not worth what would be let go. */
int32_t engine_expert_policy_admit(engine_expert_policy *policy, uint32_t pack, uint32_t expert);

/* An expert could not be put into the slab it was given: it is not there. */
void engine_expert_policy_forget(engine_expert_policy *policy, uint32_t pack, uint32_t expert);

uint64_t engine_expert_policy_n_asked(const engine_expert_policy *policy);
uint64_t engine_expert_policy_n_hits(const engine_expert_policy *policy);

G_END_DECLS
#endif

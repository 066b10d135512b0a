/* Least frequently used, with admission: the out-of-core cache (expert_cache.c) must take in whatever is asked for; here a
 * miss can be computed elsewhere, and copying an expert costs more than computing it once. So all experts are counted,
 * those outside too, and one is let in only when it was asked for more often than the one that would have to go, the
 * longest unused of the least used. Counts are halved from time to time. Decisions depend on what was asked alone, not
 * on how long copies take.
 *
 * Source of the admission: Einziger, Friedman and Manes, TinyLFU, arXiv:1512.00727. */
#include "engine/expert_policy.h"

#define AGING 16 /* counts are halved after this many requests per slab */

typedef struct {
    uint32_t expert; /* index into counts; meaningful below n_taken */
    uint64_t pass;   /* that asked for it last */
} slab;

struct engine_expert_policy {
    uint32_t *first;  /* [n_packs + 1] index of a pack's first expert */
    uint32_t *counts; /* of every expert */
    int32_t *slab_of; /* of every expert; -1: not here */
    slab *slabs;
    uint32_t n_slabs, n_taken, n_packs;
    uint32_t floor; /* no expert here has a smaller count */
    uint64_t pass, n_asked, n_hits, next_aging;
};

engine_expert_policy *
engine_expert_policy_new(const uint32_t *n_experts, uint32_t n_packs, uint32_t n_slabs)
{
    engine_expert_policy *p = g_new0(engine_expert_policy, 1);

    g_assert(n_slabs > 0);
    p->n_packs = n_packs;
    p->first = g_new0(uint32_t, (gsize)n_packs + 1);
    for (uint32_t i = 0; i < n_packs; i++)
        p->first[i + 1] = p->first[i] + n_experts[i];
    const uint32_t n = p->first[n_packs];
    p->counts = g_new0(uint32_t, MAX(n, 1));
    p->slab_of = g_new(int32_t, MAX(n, 1));
    for (uint32_t i = 0; i < n; i++)
        p->slab_of[i] = -1;
    p->n_slabs = n_slabs;
    p->slabs = g_new0(slab, n_slabs);
    p->next_aging = (uint64_t)AGING * n_slabs;
    return p;
}

void
engine_expert_policy_free(engine_expert_policy *p)
{
    if (!p) return;
    g_free(p->first);
    g_free(p->counts);
    g_free(p->slab_of);
    g_free(p->slabs);
    g_free(p);
}

static uint32_t
index_of(const engine_expert_policy *p, uint32_t pack, uint32_t expert)
{
    g_assert(pack < p->n_packs && expert < p->first[pack + 1] - p->first[pack]);
    return p->first[pack] + expert;
}

static void
age(engine_expert_policy *p)
{
    if (++p->n_asked < p->next_aging) return;
    p->next_aging = p->n_asked + (uint64_t)AGING * p->n_slabs;
    for (uint32_t i = 0; i < p->first[p->n_packs]; i++)
        p->counts[i] /= 2;
    p->floor /= 2;
}

void
engine_expert_policy_begin(engine_expert_policy *p)
{
    p->pass++;
}

int32_t
engine_expert_policy_ask(engine_expert_policy *p, uint32_t pack, uint32_t expert)
{
    const uint32_t at = index_of(p, pack, expert);
    const int32_t found = p->slab_of[at];

    age(p);
    if (p->counts[at] < G_MAXUINT32) p->counts[at]++;
    if (found < 0) return -1;
    p->n_hits++;
    p->slabs[found].pass = p->pass;
    return found;
}

/* The one to let go for an expert of that count; -1: none is asked for less. */
static int32_t
find_victim(engine_expert_policy *p, uint32_t count)
{
    uint32_t least = G_MAXUINT32;
    int32_t best = -1;

    if (count <= p->floor) return -1;
    for (uint32_t i = 0; i < p->n_slabs; i++) {
        const slab *s = &p->slabs[i];
        const uint32_t its = p->counts[s->expert];
        least = MIN(least, its);
        if (s->pass == p->pass || its >= count) continue;
        if (best < 0 || its < p->counts[p->slabs[best].expert] ||
            (its == p->counts[p->slabs[best].expert] && s->pass < p->slabs[best].pass))
            best = (int32_t)i;
    }
    p->floor = least;
    return best;
}

int32_t
engine_expert_policy_admit(engine_expert_policy *p, uint32_t pack, uint32_t expert)
{
    const uint32_t at = index_of(p, pack, expert);

    g_assert(p->slab_of[at] < 0);
    const int32_t place =
        p->n_taken < p->n_slabs ? (int32_t)p->n_taken++ : find_victim(p, p->counts[at]);
    if (place < 0) return -1;
    slab *s = &p->slabs[place];
    if (p->slab_of[s->expert] == place) p->slab_of[s->expert] = -1; /* not so of a new slab */
    *s = (slab){at, p->pass};
    p->slab_of[at] = place;
    p->floor = MIN(p->floor, p->counts[at]);
    return place;
}

void
engine_expert_policy_forget(engine_expert_policy *p, uint32_t pack, uint32_t expert)
{
    const uint32_t at = index_of(p, pack, expert);

    g_assert(p->slab_of[at] >= 0);
    p->slab_of[at] = -1;
}

uint64_t
engine_expert_policy_n_asked(const engine_expert_policy *p)
{
    return p->n_asked;
}

uint64_t
engine_expert_policy_n_hits(const engine_expert_policy *p)
{
    return p->n_hits;
}

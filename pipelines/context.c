/* Which passages a writer reads, and in which order.
 *
 * The search gives passages; the writer may judge them first. Then as much of their surroundings as fits: whole papers,
 * else the sections they stand in, else the passages with their neighbours. What is read stands in the order of the
 * document; the document with the best passage comes first and the second best last, for a model remembers the
 * beginning and the end of what it reads best (Liu et al., "Lost in the middle", arXiv:2307.03172). */
#include <math.h>
#include <string.h>

#include "pipelines/answer.h"
#include "pipelines/relevance.h"
#include "pipelines/writer.h"

enum {
    BYTES_PER_TOKEN = 3, /* on the safe side for English; tables and formulas take more tokens */
    PASSAGE_TOKENS = 40, /* the marks and the title around a passage */
    PROMPT_TOKENS = 400  /* what the system's message says */
};

typedef struct {
    GPtrArray *hits;    /* of retrieval_hit, owned */
    GHashTable *chunks; /* ids of those: gint64 *, in the hits */
    guint64 n_tokens;
} selection;

static void
selection_clear(selection *s)
{
    g_clear_pointer(&s->hits, g_ptr_array_unref);
    g_clear_pointer(&s->chunks, g_hash_table_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(selection, selection_clear)

static selection
selection_new(void)
{
    return (selection){
        .hits = g_ptr_array_new_with_free_func((GDestroyNotify)retrieval_hit_free),
        .chunks = g_hash_table_new(g_int64_hash, g_int64_equal),
    };
}

static guint64
tokens_of(const retrieval_hit *hit)
{
    return strlen(hit->text) / BYTES_PER_TOKEN + PASSAGE_TOKENS;
}

/* Move the chunks of loaded that are not there yet into the selection, as long as they fit; FALSE: one did not. */
static gboolean
take(selection *s, GPtrArray *loaded, guint64 budget)
{
    for (guint i = 0; i < loaded->len; i++) {
        retrieval_hit *hit = loaded->pdata[i];
        if (g_hash_table_contains(s->chunks, &hit->chunk_id)) continue;
        if (s->n_tokens + tokens_of(hit) > budget) return FALSE;
        s->n_tokens += tokens_of(hit);
        loaded->pdata[i] = NULL;
        g_ptr_array_add(s->hits, hit);
        g_hash_table_add(s->chunks, &hit->chunk_id);
    }
    return TRUE;
}

static GPtrArray *
load_around(const pipelines_ask_context *context, const retrieval_hit *hit, lode_context how,
            GError **error)
{
    switch (how) {
    case LODE_CONTEXT_WHOLE:
        return retrieval_library_load_document(context->library, hit->path, error);
    case LODE_CONTEXT_SECTIONS:
        return retrieval_library_load_section(context->library, hit->chunk_id, 0, error);
    default:
        return retrieval_library_load_neighbours(context->library, hit->chunk_id, 0, 0, error);
    }
}

/* The surroundings of all hits, the best first; all: everything fitted. */
static gboolean
select_around(const pipelines_ask_context *context, GPtrArray *hits, lode_context how,
              guint64 budget, selection *s, gboolean *all, GError **error)
{
    *all = TRUE;
    for (guint i = 0; i < hits->len; i++) {
        const retrieval_hit *hit = hits->pdata[i];
        g_autoptr(GPtrArray) loaded = load_around(context, hit, how, error);
        if (loaded == NULL) return FALSE;
        if (take(s, loaded, budget)) continue;
        *all = FALSE;
        /* at least what was found itself */
        g_autoptr(GPtrArray) alone = load_around(context, hit, LODE_CONTEXT_PASSAGES, error);
        if (alone == NULL) return FALSE;
        take(s, alone, budget);
    }
    return TRUE;
}

/* One chunk on either side of each hit, of the same section, where there is room. */
static gboolean
add_neighbours(const pipelines_ask_context *context, GPtrArray *hits, guint64 budget, selection *s,
               GError **error)
{
    for (guint i = 0; i < hits->len; i++) {
        const retrieval_hit *hit = hits->pdata[i];
        g_autoptr(GPtrArray) loaded =
            retrieval_library_load_neighbours(context->library, hit->chunk_id, 1, 1, error);
        if (loaded == NULL) return FALSE;
        for (guint j = loaded->len; j-- > 0;)
            if (g_strcmp0(((retrieval_hit *)loaded->pdata[j])->section, hit->section) != 0)
                g_ptr_array_remove_index(loaded, j);
        if (!take(s, loaded, budget)) return TRUE;
    }
    return TRUE;
}

/* ---- order ---- */

/* Rank of a document: that of its first hit. */
static guint
document_rank(const GPtrArray *hits, const retrieval_hit *of)
{
    for (guint i = 0; i < hits->len; i++)
        if (((const retrieval_hit *)hits->pdata[i])->document_id == of->document_id) return i;
    return hits->len;
}

typedef struct {
    const GPtrArray *found;
    guint second; /* rank of the second best document, which goes last */
} ordering;

static gint
compare_places(gconstpointer a, gconstpointer b, gpointer data)
{
    const retrieval_hit *x = *(retrieval_hit *const *)a, *y = *(retrieval_hit *const *)b;
    const ordering *o = data;
    guint p = document_rank(o->found, x), q = document_rank(o->found, y);
    if (p == o->second) p = G_MAXUINT;
    if (q == o->second) q = G_MAXUINT;
    if (p != q) return p < q ? -1 : 1;
    return x->ordinal < y->ordinal ? -1 : x->ordinal > y->ordinal;
}

static void
sort_selection(GPtrArray *chosen, const GPtrArray *found)
{
    ordering o = {found, G_MAXUINT - 1};
    for (guint i = 1; i < found->len && o.second == G_MAXUINT - 1; i++)
        if (document_rank(found, found->pdata[i]) == i) o.second = i;
    g_ptr_array_sort_with_data(chosen, compare_places, &o);
}

/* The rank and the score a hit was found with go along with its copy; ranked gets the new indices, and loses what is
 * not read. */
static void
adopt(lode_answer *answer, GPtrArray *chosen, GArray *ranked)
{
    g_autofree guint *place = g_new(guint, (gsize)answer->hits->len + 1);
    g_autoptr(GArray) judgements = pipelines_judgements_new(chosen->len);
    for (guint i = 0; i < answer->hits->len; i++) {
        const retrieval_hit *old = answer->hits->pdata[i];
        place[i] = G_MAXUINT;
        for (guint j = 0; j < chosen->len; j++) {
            retrieval_hit *hit = chosen->pdata[j];
            if (hit->chunk_id != old->chunk_id) continue;
            place[i] = j;
            hit->score = old->score;
            hit->bm25_rank = old->bm25_rank;
            hit->dense_rank = old->dense_rank;
            if (answer->judgements == NULL) continue;
            pipelines_judgement *judged = &g_array_index(judgements, pipelines_judgement, j);
            g_free(judged->summary); /* of a hit that was found twice */
            *judged = g_array_index(answer->judgements, pipelines_judgement, i);
            g_array_index(answer->judgements, pipelines_judgement, i).summary = NULL;
        }
    }
    for (guint i = ranked->len; i-- > 0;) {
        pipelines_quote *quote = &g_array_index(ranked, pipelines_quote, i);
        quote->passage = place[quote->passage];
        if (quote->passage == G_MAXUINT) g_array_remove_index(ranked, i);
    }
    if (answer->judgements != NULL) {
        g_array_unref(answer->judgements);
        answer->judgements = g_steal_pointer(&judgements);
    }
    g_ptr_array_unref(answer->hits);
    answer->hits = chosen;
    answer->n_shown = chosen->len;
}

/* ---- judging ---- */

/* The hits in the order of their relevance in the writer's eyes; the best n_passages of them. */
static GPtrArray *
judge_hits(lode_answer *answer, const pipelines_ask_context *context, GError **error)
{
    answer->judgements =
        pipelines_judge_passages(context->writer, context->pool, answer->hits, answer->question,
                                 (guint)answer->options.n_passages, answer->options.cancel, error);
    if (answer->judgements == NULL) return NULL;
    g_autofree guint *order = pipelines_judgements_order(answer->judgements);
    GPtrArray *best = g_ptr_array_new();
    for (guint i = 0; i < MIN(answer->hits->len, answer->options.n_passages); i++)
        g_ptr_array_add(best, answer->hits->pdata[order[i]]);
    return best;
}

/* ---- all ---- */

static gboolean
select_context(const pipelines_ask_context *context, GPtrArray *found, lode_context wanted,
               guint64 budget, selection *s, lode_context *done, GError **error)
{
    static const lode_context order[] = {LODE_CONTEXT_WHOLE, LODE_CONTEXT_SECTIONS};
    for (size_t i = 0; i < G_N_ELEMENTS(order); i++) {
        if (wanted != LODE_CONTEXT_AUTO && wanted != order[i]) continue;
        gboolean all = FALSE;
        *s = selection_new();
        *done = order[i];
        if (!select_around(context, found, order[i], budget, s, &all, error)) return FALSE;
        if (all || wanted == order[i]) return TRUE;
        selection_clear(s);
    }
    gboolean all = FALSE;
    *s = selection_new();
    *done = LODE_CONTEXT_PASSAGES;
    return select_around(context, found, LODE_CONTEXT_PASSAGES, budget, s, &all, error) &&
           add_neighbours(context, found, budget / 2, s, error);
}

/* Has the writer called every passage useless? A low relevance alone is no such word: what a small model gives passages
 * that answer the question is often low, and it orders them all the same. */
static gboolean
all_useless(const lode_answer *answer)
{
    if (answer->judgements == NULL) return FALSE;
    for (guint i = 0; i < answer->judgements->len; i++)
        if (!g_array_index(answer->judgements, pipelines_judgement, i).is_useless) return FALSE;
    return TRUE;
}

gboolean
pipelines_choose_context(lode_answer *answer, const pipelines_ask_context *context, GArray *ranked,
                         gboolean *relevant, GError **error)
{
    g_autoptr(GPtrArray) found = NULL;
    if (answer->options.n_scored > 0)
        found = judge_hits(answer, context, error);
    else
        found = g_ptr_array_copy(answer->hits, NULL, NULL);
    if (found == NULL) return FALSE;
    g_ptr_array_set_free_func(found, NULL);
    *relevant = !all_useless(answer);
    if (!*relevant) return TRUE;
    uint32_t n_context = pipelines_writer_context(context->writer, answer->options.n_context);
    guint64 taken = PROMPT_TOKENS + strlen(answer->question) / BYTES_PER_TOKEN;
    taken += MIN(3 * (guint64)answer->options.max_tokens, n_context / 2);
    guint64 budget = n_context > taken ? n_context - taken : 0;
    g_auto(selection) s = {0};
    if (!select_context(context, found, answer->options.context, budget, &s, &answer->context,
                        error))
        return FALSE;
    if (s.hits->len == 0) { /* not even one fits whole: it will be cut */
        g_autoptr(GPtrArray) first =
            load_around(context, found->pdata[0], LODE_CONTEXT_PASSAGES, error);
        if (first == NULL) return FALSE;
        take(&s, first, G_MAXUINT64);
    }
    sort_selection(s.hits, found);
    adopt(answer, g_steal_pointer(&s.hits), ranked);
    return TRUE;
}

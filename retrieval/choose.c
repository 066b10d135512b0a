/* What is done with a ranking before anybody sees it; see choose.h. */
#include "retrieval/choose.h"

#include <math.h>
#include <string.h>

#include "retrieval/chunk.h"
#include "retrieval/fuse.h"

/* Of a writer's logit, tamed by tanh, beside the score of the fusion; see fuse.c. nDCG@10 of questions of HotpotQA's
 * development part, the ten best judged: SmolLM2-135M .856 with any weight up to 1 and without one (34 questions); of
 * Qwen2.5-Coder-1.5B, whose judgement says something, .821 without one, .835 from .1 to .7, .794 with 1 (6). */
static const double writer_weight = 0.5, writer_scale = 4.0;

void
retrieval_choice_clear(gpointer choice)
{
    retrieval_choice *c = choice;
    retrieval_hit_free(c->hit);
    g_free(c->vector);
}

static retrieval_choice *
at(const GArray *choices, guint i)
{
    return &g_array_index(choices, retrieval_choice, i);
}

/* ---- judging ---- */

typedef struct {
    double score;
    guint place;
    retrieval_choice choice;
} judged;

static int
compare_judged(gconstpointer a, gconstpointer b)
{
    const judged *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return (x->place > y->place) - (x->place < y->place);
}

gboolean
retrieval_rerank(GArray *choices, const char *question, const retrieval_search_options *options,
                 GError **error)
{
    const guint n = MIN(choices->len, options->n_reranked);
    const gboolean alone =
        engine_model_get_info(options->reranker->model)->kind == ENGINE_KIND_ENCODER;
    g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < n; i++) {
        const retrieval_hit *hit = at(choices, i)->hit;
        g_ptr_array_add(texts, retrieval_chunk_context(hit->title, hit->section, hit->text));
    }
    g_autofree double *scores = g_new0(double, (gsize)n + 1);
    if (!retrieval_reranker_judge(options->reranker, question, (const char *const *)texts->pdata, n,
                                  scores, options->cancel, error))
        return FALSE;
    g_autoptr(GArray) order = g_array_sized_new(FALSE, FALSE, sizeof(judged), n);
    for (guint i = 0; i < n; i++) {
        judged j = {scores[i], i, *at(choices, i)};
        j.choice.hit->judgement = scores[i];
        if (!alone) j.score = j.choice.hit->score + writer_weight * tanh(scores[i] / writer_scale);
        g_array_append_val(order, j);
    }
    g_array_sort(order, compare_judged);
    for (guint i = 0; i < n; i++)
        *at(choices, i) = g_array_index(order, judged, i).choice;
    return TRUE;
}

/* ---- choosing ---- */

/* Counts what was taken of every page and document. */
typedef struct {
    const retrieval_search_options *options;
    GHashTable *taken; /* "document page" -> how many */
} counts;

static gboolean
has_room(const counts *c, int64_t document, int page, guint max)
{
    g_autofree char *key = g_strdup_printf("%" G_GINT64_FORMAT " %d", document, page);
    return max == 0 || GPOINTER_TO_UINT(g_hash_table_lookup(c->taken, key)) < max;
}

static void
count(counts *c, int64_t document, int page)
{
    char *key = g_strdup_printf("%" G_GINT64_FORMAT " %d", document, page);
    const guint n = GPOINTER_TO_UINT(g_hash_table_lookup(c->taken, key));
    g_hash_table_insert(c->taken, key, GUINT_TO_POINTER(n + 1));
}

/* 1 for the first, 0 for the last. By score as far as scores fall with the order, which a reranker may have changed:
 * then by place. */
static double *
relevances(const GArray *choices)
{
    const guint n = choices->len;
    double *relevance = g_new(double, (gsize)n + 1);
    gboolean falls = TRUE;
    for (guint i = 1; i < n; i++)
        falls = falls && at(choices, i)->hit->score <= at(choices, i - 1)->hit->score;
    for (guint i = 0; i < n; i++) {
        const double first = at(choices, 0)->hit->score, last = at(choices, n - 1)->hit->score;
        relevance[i] = falls && first > last ? (at(choices, i)->hit->score - last) / (first - last)
                                             : 1.0 - (double)i / n;
    }
    return relevance;
}

void
retrieval_choose(GArray *choices, uint32_t n_dims, const retrieval_search_options *options,
                 GPtrArray *hits)
{
    const double diversity = CLAMP(options->diversity, 0.0, 1.0);
    const guint n = choices->len;
    g_autofree double *relevance = relevances(choices);
    g_autofree double *likeness = g_new0(double, (gsize)n + 1);
    g_autofree gboolean *is_gone = g_new0(gboolean, (gsize)n + 1);
    g_autoptr(GHashTable) taken = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    counts c = {options, taken};
    while (hits->len < options->n_results) {
        guint best = n;
        double most = 0.0;
        for (guint i = 0; i < n; i++) {
            if (is_gone[i]) continue;
            const double value = (1.0 - diversity) * relevance[i] - diversity * likeness[i];
            if (best < n && value <= most) continue;
            best = i;
            most = value;
        }
        if (best == n) return;
        is_gone[best] = TRUE;
        retrieval_choice *chosen = at(choices, best);
        const retrieval_hit *hit = chosen->hit;
        if (!has_room(&c, hit->document_id, hit->first_page, options->max_per_page) ||
            !has_room(&c, hit->document_id, -1, options->max_per_document))
            continue;
        count(&c, hit->document_id, hit->first_page);
        count(&c, hit->document_id, -1);
        for (guint i = 0; diversity > 0.0 && chosen->vector && i < n; i++)
            if (!is_gone[i] && at(choices, i)->vector)
                likeness[i] =
                    MAX(likeness[i], retrieval_dot(chosen->vector, at(choices, i)->vector, n_dims));
        g_ptr_array_add(hits, g_steal_pointer(&chosen->hit));
    }
}

/* Passages -> the answers of sub-questions, and from all of them the answer.
 *
 * Answers are made as lode ask makes them: claims, each tied to a quote that a program has found. A sub-question's
 * answer is short and goes into the questions that need it. The question's own answer reads the passages that all
 * searches together rank best; a comparison, or a question of several parts, quotes for each part. */
#include <math.h>
#include <string.h>

#include "pipelines/evidence.h"
#include "pipelines/web.h"

enum { MAX_CHUNKS = 200, MAX_EMBEDDED = 24, NODE_PASSAGES = 6, MAX_SHORT = 160 };

static retrieval_hit *
take_hit(GPtrArray *hits, guint index)
{
    retrieval_hit *hit = hits->pdata[index];
    hits->pdata[index] = NULL; /* the array frees what is left */
    return hit;
}

/* NULL elements are those that were taken. */
static void
free_hit(gpointer data)
{
    retrieval_hit_free(data);
}

static web_page *
page_of(const web_run *run, const GPtrArray *pages, const retrieval_hit *hit)
{
    web_page *page = g_hash_table_lookup(run->by_key, hit->path);
    return page != NULL && g_ptr_array_find((GPtrArray *)pages, page, NULL) ? page : NULL;
}

/* The passage by which the page was found first is kept: it fits what was asked first. */
static void
keep_best(web_page *page, const retrieval_hit *hit, retrieval_library *library)
{
    if (page->best != NULL) return;
    g_autoptr(GPtrArray) copy =
        retrieval_library_load_neighbours(library, hit->chunk_id, 0, 0, NULL);
    if (copy == NULL || copy->len != 1) return;
    page->best = take_hit(copy, 0);
    page->best->score = hit->score;
    page->best->bm25_rank = hit->bm25_rank;
    page->best->dense_rank = hit->dense_rank;
}

static gint
compare_hits(gconstpointer a, gconstpointer b)
{
    const retrieval_hit *x = *(retrieval_hit *const *)a, *y = *(retrieval_hit *const *)b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return x->chunk_id < y->chunk_id ? -1 : x->chunk_id > y->chunk_id;
}

/* Words found the passages; the first of them are put in order by meaning too, half and half. A page of a hundred
 * chunks would take a second to embed whole. */
static gboolean
compare_by_meaning(web_run *run, GPtrArray *passages, const char *question, GError **error)
{
    const web_setup *setup = run->setup;
    if (passages->len == 0) return TRUE;
    if (passages->len > MAX_EMBEDDED) g_ptr_array_set_size(passages, MAX_EMBEDDED);
    size_t n_dims = engine_model_get_info(setup->embedder->model)->n_embd;
    g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(texts, g_strconcat(setup->embedder->query_prefix, question, NULL));
    for (guint i = 0; i < passages->len; i++) {
        const retrieval_hit *hit = passages->pdata[i];
        g_ptr_array_add(texts, g_strconcat(hit->title, "\n", hit->text, NULL));
    }
    g_autofree float *vectors = g_new(float, (gsize)texts->len *n_dims);
    if (!engine_embed(setup->embedder->model, setup->pool, (const char *const *)texts->pdata,
                      texts->len, vectors, &run->stop, error))
        return FALSE;
    double best = ((const retrieval_hit *)passages->pdata[0])->score;
    for (guint i = 0; i < passages->len; i++) {
        retrieval_hit *hit = passages->pdata[i];
        double words = best > 0 ? hit->score / best : 0;
        hit->score = (words + evidence_cosine(vectors, vectors + (i + 1) * n_dims, n_dims)) / 2;
    }
    g_ptr_array_sort(passages, compare_hits);
    for (guint i = 0; i < passages->len; i++)
        ((retrieval_hit *)passages->pdata[i])->dense_rank = (int)i + 1;
    return TRUE;
}

/* A heading alone has all words of a question about its page, and no answer. */
static gboolean
says_something(const retrieval_hit *hit)
{
    enum { MIN_WORDS = 3 };
    g_autoptr(GHashTable) words = pipelines_content_words(hit->text, strlen(hit->text));
    return g_hash_table_size(words) >= MIN_WORDS;
}

GPtrArray *
web_passages(web_run *run, const GPtrArray *pages, const char *question, gboolean by_words,
             GError **error)
{
    retrieval_search_options options = retrieval_search_options_default();
    options.method = RETRIEVAL_BM25;
    options.n_results = options.n_candidates = MAX_CHUNKS;
    g_autoptr(GPtrArray) found = retrieval_library_search(run->library, question, &options, error);
    if (found == NULL) return NULL;
    g_autoptr(GPtrArray) passages = g_ptr_array_new_with_free_func(free_hit);
    for (guint i = 0; i < found->len; i++)
        if (page_of(run, pages, found->pdata[i]) != NULL && says_something(found->pdata[i]))
            g_ptr_array_add(passages, take_hit(found, i));
    GError *failure = NULL;
    if (!by_words && run->setup->embedder != NULL &&
        !compare_by_meaning(run, passages, question, &failure)) {
        gboolean cancelled = g_error_matches(failure, ENGINE_ERROR, ENGINE_ERROR_CANCELLED);
        if (!cancelled) {
            g_propagate_error(error, failure);
            return NULL;
        }
        g_error_free(failure); /* in the order of their words, then */
    }
    for (guint i = 0; i < passages->len; i++)
        keep_best(page_of(run, pages, passages->pdata[i]), passages->pdata[i], run->library);
    return g_steal_pointer(&passages);
}

/* ---- sub-questions ---- */

static pipelines_ask_context
context_of(const web_run *run, gboolean by_words)
{
    const web_setup *setup = run->setup;
    return (pipelines_ask_context){.embedder = by_words ? NULL : setup->embedder,
                                   .writer = by_words ? NULL : setup->writer,
                                   .pool = setup->pool};
}

/* An answer that takes the hits [retrieval_hit *, owned] for its passages. */
static lode_answer *
answer_new(const web_run *run, const pipelines_ask_context *context, const char *question,
           const lode_ask_options *options, GPtrArray *hits)
{
    lode_answer *answer = pipelines_answer_new(context, question, options);
    (void)run;
    answer->by_document = TRUE;
    answer->hits = hits;
    answer->n_found = answer->n_shown = hits->len;
    return answer;
}

static gboolean
is_cancelled(const GError *error)
{
    return pipelines_status(error) == LODE_ERROR_CANCELLED;
}

/* Cut on a character's border. */
static char *
shorten(const char *text)
{
    if (g_utf8_strlen(text, -1) <= MAX_SHORT) return g_strdup(text);
    g_autofree char *cut = g_utf8_substring(text, 0, MAX_SHORT - 1);
    return g_strconcat(cut, "\xE2\x80\xA6", NULL);
}

/* What a node hands on: where another needs it, the name in its answer; else the words that answer. */
static char *
short_answer_of(const web_run *run, search_node *node, const lode_answer *answer)
{
    if (answer->status == LODE_ANSWER_INSUFFICIENT || answer->citations->len == 0) return NULL;
    const pipelines_citation *c = &g_array_index(answer->citations, pipelines_citation, 0);
    const retrieval_hit *hit = answer->hits->pdata[c->passage];
    if (web_is_needed(run, node)) {
        char *name = search_answer_name(
            node->asked, answer->extractive ? answer->quotes->pdata[0] : answer->short_answer,
            hit->title);
        if (name != NULL) return name;
    }
    return shorten(answer->short_answer != NULL ? answer->short_answer : answer->text->str);
}

gboolean
web_answer_node(web_run *run, search_node *node, GPtrArray *passages, gboolean by_words,
                GError **error)
{
    pipelines_ask_context context = context_of(run, by_words);
    lode_ask_options options = run->setup->ask;
    options.text = NULL;
    options.cancel = &run->stop;
    options.extractive = by_words || run->setup->ask.extractive;
    options.max_tokens = MIN(options.max_tokens, 128);
    if (passages->len > NODE_PASSAGES) g_ptr_array_set_size(passages, NODE_PASSAGES);
    g_autoptr(lode_answer) answer =
        answer_new(run, &context, node->asked, &options, g_ptr_array_ref(passages));
    GError *failure = NULL;
    if (!pipelines_answer_from_hits(answer, &context, &failure)) {
        if (!is_cancelled(failure)) {
            g_propagate_error(error, failure);
            return FALSE;
        }
        g_error_free(failure);
        search_plan_settle(node, SEARCH_NODE_CUT_OFF, NULL, "interrupted");
        return TRUE;
    }
    g_autofree char *text = short_answer_of(run, node, answer);
    if (text == NULL) {
        search_plan_settle(node, SEARCH_NODE_NO_EVIDENCE, NULL, answer->shortfall.reason);
        return TRUE;
    }
    search_plan_settle(node, SEARCH_NODE_ANSWERED, text, NULL);
    GPtrArray *quotes = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < answer->citations->len; i++) {
        const pipelines_citation *c = &g_array_index(answer->citations, pipelines_citation, i);
        g_ptr_array_add(quotes, g_strdup(((retrieval_hit *)answer->hits->pdata[c->passage])->path));
        g_ptr_array_add(quotes, g_strdup(answer->quotes->pdata[i]));
    }
    g_hash_table_insert(run->quotes, node, quotes);
    return TRUE;
}

/* ---- the question ---- */

/* The pages that all searches together rank best. */
static GPtrArray *
best_pages(const web_run *run, guint n)
{
    GPtrArray *pages = g_ptr_array_new();
    for (guint i = 0; i < run->ranking->len && pages->len < n; i++) {
        web_page *page = run->ranking->pdata[i];
        if (page->best != NULL && page->state == WEB_PAGE_READ) g_ptr_array_add(pages, page);
    }
    return pages;
}

/* Of each of the best pages the passage that a sub-question chose, and the one that the question itself would: a page
 * may have been found by a name and hold the answer elsewhere. */
static GPtrArray *
best_passages(web_run *run, guint n, gboolean by_words, GError **error)
{
    g_autoptr(GPtrArray) pages = best_pages(run, n);
    g_autoptr(GPtrArray) direct =
        web_passages(run, pages, search_plan_question(run->plan), by_words, error);
    if (direct == NULL) return NULL;
    GPtrArray *hits = g_ptr_array_new_with_free_func(free_hit);
    for (guint i = 0; i < pages->len; i++) {
        web_page *page = pages->pdata[i];
        gboolean same = FALSE;
        for (guint j = 0; j < direct->len; j++) {
            const retrieval_hit *hit = direct->pdata[j];
            if (hit == NULL || strcmp(hit->path, page->key) != 0) continue;
            same = hit->chunk_id == page->best->chunk_id;
            if (!same) g_ptr_array_add(hits, take_hit(direct, j));
            break;
        }
        g_ptr_array_add(hits, g_steal_pointer(&page->best));
    }
    return hits;
}

/* Where a sub-question's quote stands in the passages of the answer. */
static gboolean
find_quote(const lode_answer *answer, const char *path, const char *quote, pipelines_quote *found)
{
    for (guint i = 0; i < answer->hits->len; i++) {
        const retrieval_hit *hit = answer->hits->pdata[i];
        const char *at = strcmp(hit->path, path) == 0 ? strstr(hit->text, quote) : NULL;
        if (at == NULL) continue;
        *found = (pipelines_quote){i, (uint32_t)(at - hit->text), (uint32_t)strlen(quote), 1};
        return TRUE;
    }
    return FALSE;
}

static gboolean
is_quoted(const lode_answer *answer, const pipelines_quote *quote)
{
    for (guint i = 0; i < answer->citations->len; i++) {
        const pipelines_quote *other =
            &g_array_index(answer->citations, pipelines_citation, i).quote;
        if (other->passage == quote->passage && other->start == quote->start) return TRUE;
    }
    return FALSE;
}

/* One quote for each part; FALSE when there is not more than one to quote. */
static gboolean
quote_parts(web_run *run, lode_answer *answer)
{
    g_autoptr(GPtrArray) parts = web_parts(run);
    for (guint i = 0; parts->len > 1 && i < parts->len; i++) {
        const GPtrArray *quotes = g_hash_table_lookup(run->quotes, parts->pdata[i]);
        pipelines_quote quote;
        if (quotes == NULL || quotes->len < 2 ||
            !find_quote(answer, quotes->pdata[0], quotes->pdata[1], &quote) ||
            is_quoted(answer, &quote))
            continue;
        if (!pipelines_claim_quote(answer, &quote)) break;
    }
    if (answer->claims->len == 0) return FALSE;
    answer->status = LODE_ANSWERED;
    answer->short_answer = g_strdup(((pipelines_claim *)answer->claims->pdata[0])->text);
    pipelines_finish_citations(answer);
    pipelines_find_conflicts(answer);
    return TRUE;
}

static void
explain(web_run *run, lode_answer *answer)
{
    guint n_read = 0;
    for (guint i = 0; i < run->pages->len; i++)
        n_read += ((const web_page *)run->pages->pdata[i])->state == WEB_PAGE_READ ? 1 : 0;
    g_ptr_array_add(answer->shortfall.tried,
                    g_strdup_printf("asked %u questions, found %u pages, read %u of them",
                                    search_plan_n_nodes(run->plan), run->pages->len, n_read));
}

static gboolean
answer_whole(web_run *run, GPtrArray *hits, gboolean by_words, GError **error)
{
    pipelines_ask_context context = context_of(run, by_words);
    lode_ask_options options = run->setup->ask;
    options.cancel = by_words ? NULL : &run->stop;
    run->answer =
        answer_new(run, &context, search_plan_question(run->plan), &options, g_ptr_array_ref(hits));
    explain(run, run->answer);
    if (run->answer->extractive) web_choose_quotes(run, run->answer);
    if (run->answer->extractive && run->answer->chosen == NULL && quote_parts(run, run->answer))
        return TRUE;
    if (hits->len > 0) return pipelines_answer_from_hits(run->answer, &context, error);
    pipelines_refuse(run->answer, run->pages->len == 0 ? "no sources: no search found anything"
                                                       : "no sources: nothing could be read");
    return TRUE;
}

gboolean
web_answer_question(web_run *run, GError **error)
{
    gboolean stopped = pipelines_cancelled(&run->stop);
    if (stopped) run->cut_off = TRUE;
    g_autoptr(GPtrArray) hits =
        best_passages(run, (guint)run->setup->ask.n_passages, stopped, error);
    GError *failure = NULL;
    if (hits == NULL) return FALSE;
    if (answer_whole(run, hits, stopped, &failure)) return TRUE;
    if (!is_cancelled(failure)) {
        g_propagate_error(error, failure);
        return FALSE;
    }
    /* stopped while it was written: quotes at least, which take no time */
    g_error_free(failure);
    run->cut_off = TRUE;
    g_clear_pointer(&run->answer, lode_answer_free);
    return answer_whole(run, hits, TRUE, error);
}

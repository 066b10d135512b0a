/* A plan is carried out.
 *
 *   wave    all nodes that wait for nothing search at once; each reads its best pages as they are found, other
 *           pages for those that fail; one thread drives all transfers
 *   answers when the wave is in: papers are read, passages chosen and sub-questions answered, in the plan's order, so
 *           that the same cache gives the same run
 *   turn    the writer plans on, or names in the passages lead on; then the next wave
 *
 * Out of time or cancelled, what is under way is cut off and the answer is made from what was read. */
#include <string.h>

#include "pipelines/web.h"
#include "pipelines/writer.h"

enum { TICK_MS = 100, FOUND_PER_NODE = 10, OWN_PASSAGES = 5, MAX_HOPS = 8, MAX_TRIED = 3 };

/* A node of the wave. */
typedef struct {
    web_run *run;
    search_node *node;
    GPtrArray *pages; /* of web_page, lent, in the order of the hits */
    GArray *order;    /* of guint: in which they are read */
    guint next, n_open, n_read, n_wanted;
    guint64 query;
    gboolean searched;
    GPtrArray *providers; /* that it asks, lent */
    GPtrArray *own;       /* of retrieval_hit: from the user's library */
} task;

static void
task_free(gpointer data)
{
    task *t = data;
    g_ptr_array_unref(t->pages);
    g_ptr_array_unref(t->providers);
    g_clear_pointer(&t->order, g_array_unref);
    g_clear_pointer(&t->own, g_ptr_array_unref);
    g_free(t);
}

static gboolean
is_stopped(const web_run *run)
{
    return pipelines_cancelled(run->setup->options.cancel) ||
           g_get_monotonic_time() >= run->deadline;
}

/* ---- pages ---- */

static web_page *
page_new(web_run *run, const char *key, const char *title)
{
    web_page *page = g_new0(web_page, 1);
    page->key = g_strdup(key);
    page->title = g_strdup(title);
    page->tasks = g_ptr_array_new();
    g_ptr_array_add(run->pages, page);
    g_hash_table_insert(run->by_key, page->key, page);
    return page;
}

static web_page *
page_for_hit(web_run *run, const search_hit *hit)
{
    g_autofree char *key = search_canonical_url(hit->url);
    if (key == NULL) return NULL;
    web_page *page = g_hash_table_lookup(run->by_key, key);
    if (page == NULL) page = page_new(run, key, hit->title);
    /* a library that was saved from the web knows it without a hit */
    if (page->hit == NULL) page->hit = search_hit_copy(hit);
    return page;
}

static void read_more(task *t);

typedef struct {
    web_run *run;
    web_page *page;
    gboolean is_pdf; /* the paper's own file was asked for, not its page */
} transfer;

static void ask_for_page(web_run *run, web_page *page, const char *url);

/* Those that waited for a page go on, with another one where it could not be read. */
static void
page_is_in(web_run *run, web_page *page)
{
    web_event(run, "page_fetched", web_page_to_json(page));
    g_autoptr(GPtrArray) tasks = g_steal_pointer(&page->tasks);
    page->tasks = g_ptr_array_new();
    for (guint i = 0; i < tasks->len; i++) {
        task *t = tasks->pdata[i];
        t->n_open--;
        if (page->state != WEB_PAGE_FAILED) t->n_read++;
        read_more(t);
    }
}

static void
on_page(search_response *response, const GError *error, void *user_data)
{
    g_autofree transfer *done = user_data;
    g_autoptr(search_response) owned = response;
    web_run *run = done->run;
    web_page *page = done->page;
    if (owned != NULL) {
        web_read_response(run, page, owned);
        /* a page where the paper should be says that one has to pay */
        if (done->is_pdf && page->state == WEB_PAGE_READ) page->kind = "page";
    } else if (done->is_pdf && !run->closing && !is_stopped(run)) {
        web_problem(run, "%s", error->message);
        ask_for_page(run, page, page->hit->url);
        return;
    } else {
        page->state = WEB_PAGE_FAILED;
        page->problem = g_utf8_make_valid(error->message, -1);
        if (!g_error_matches(error, SEARCH_ERROR, SEARCH_ERROR_CANCELLED))
            web_problem(run, "%s", error->message);
    }
    if (page->state == WEB_PAGE_FAILED) web_read_abstract(run, page);
    page_is_in(run, page);
}

static void
ask_for_page(web_run *run, web_page *page, const char *url)
{
    transfer *t = g_new0(transfer, 1);
    *t = (transfer){run, page, url == page->hit->pdf_url};
    search_request request = {.own_server = page->hit->own_server};
    page->state = WEB_PAGE_COMING;
    page->transfer = search_client_get(run->setup->client, url, &request, on_page, t);
}

/* Start as many pages as the node still wants. */
static void
read_more(task *t)
{
    while (t->order != NULL && t->next < t->order->len && t->n_open + t->n_read < t->n_wanted &&
           t->next < MAX_TRIED * t->n_wanted && !t->run->closing && !is_stopped(t->run)) {
        web_page *page = t->pages->pdata[g_array_index(t->order, guint, t->next++)];
        if (page->state == WEB_PAGE_READ || page->state == WEB_PAGE_PAPER) {
            t->n_read++;
        } else if (page->state != WEB_PAGE_FAILED) {
            gboolean first = page->state == WEB_PAGE_FOUND;
            t->n_open++;
            g_ptr_array_add(page->tasks, t);
            if (!first) continue;
            const char *pdf = page->hit->pdf_url;
            ask_for_page(t->run, page, pdf != NULL ? pdf : page->hit->url);
        }
    }
}

/* ---- searching ---- */

/* One line, and it is not asked again in this run: others wait for the slowest. */
static void
provider_failed(web_run *run, const search_answer *answer)
{
    if (g_error_matches(answer->error, SEARCH_ERROR, SEARCH_ERROR_CANCELLED)) return;
    if (g_error_matches(answer->error, SEARCH_ERROR, SEARCH_ERROR_OFFLINE)) {
        web_problem(run, "%s", answer->error->message);
        return;
    }
    if (g_ptr_array_remove(run->providers, (gpointer)answer->provider))
        web_problem(run, "%s", answer->error->message);
}

static void
on_answered(const search_answer *answer, void *user_data)
{
    task *t = user_data;
    if (answer->error != NULL) provider_failed(t->run, answer);
    json_t *json = json_object();
    json_object_set_new(json, "node", json_string(t->node->id));
    json_object_set_new(json, "provider", json_string(search_provider_name(answer->provider)));
    json_object_set_new(json, "query", pipelines_json_string(answer->query));
    json_object_set_new(json, "found",
                        json_integer(answer->hits != NULL ? (json_int_t)answer->hits->len : 0));
    json_object_set_new(json, "cached", json_boolean(answer->cached));
    json_object_set_new(json, "problem",
                        answer->error != NULL ? pipelines_json_string(answer->error->message)
                                              : json_null());
    web_event(t->run, "query", json);
}

static void
on_fused(GPtrArray *hits, void *user_data)
{
    task *t = user_data;
    g_autoptr(GPtrArray) owned = hits, known = g_ptr_array_new();
    json_t *list = json_array();
    for (guint i = 0; i < owned->len && known->len < FOUND_PER_NODE; i++) {
        const search_hit *hit = owned->pdata[i];
        web_page *page = page_for_hit(t->run, hit);
        if (page == NULL || g_ptr_array_find(t->pages, page, NULL)) continue;
        g_ptr_array_add(t->pages, page);
        g_ptr_array_add(known, (gpointer)hit);
        json_array_append_new(list, json_pack("{s:o, s:o}", "url", pipelines_json_path(page->key),
                                              "title", pipelines_json_string(page->title)));
    }
    t->searched = TRUE;
    t->order = search_hits_select(known, t->node->asked);
    web_event(t->run, "result_list", json_pack("{s:s, s:o}", "node", t->node->id, "results", list));
    t->node->state = SEARCH_NODE_READING;
    read_more(t);
}

static task *
start_node(web_run *run, search_node *node)
{
    const web_setup *setup = run->setup;
    task *t = g_new0(task, 1);
    t->run = run;
    t->node = node;
    t->n_wanted = (guint)setup->options.pages;
    t->pages = g_ptr_array_new();
    t->providers = g_ptr_array_copy(run->providers, NULL, NULL);
    search_plan_start(run->plan, node);
    web_event(run, "node_started", web_node_to_json(node));
    search_query_options options = {.limit = FOUND_PER_NODE};
    const char *query = node->query != NULL ? node->query : node->asked;
    t->query =
        search_query(setup->client, setup->providers, query, &options, on_answered, on_fused, t);
    return t;
}

static gboolean
any_open(const GPtrArray *tasks)
{
    for (guint i = 0; i < tasks->len; i++) {
        const task *t = tasks->pdata[i];
        if (!t->searched || t->n_open > 0) return TRUE;
    }
    return FALSE;
}

/* Drive all transfers until every node of the wave has what it wants, or time is up. */
static void
drive(web_run *run, const GPtrArray *tasks)
{
    gint64 end = MIN(run->deadline,
                     g_get_monotonic_time() + (gint64)(run->setup->options.node_seconds * 1e6));
    while (any_open(tasks) && g_get_monotonic_time() < end &&
           !pipelines_cancelled(run->setup->options.cancel))
        if (!search_client_run(run->setup->client, TICK_MS)) break;
}

/* ---- after the wave ---- */

/* Transfers that are not through end now: nothing may call back into a task that is gone. */
static void
cut_off(web_run *run, GPtrArray *tasks)
{
    gboolean cut = FALSE;
    for (guint i = 0; i < tasks->len; i++) {
        task *t = tasks->pdata[i];
        if (t->searched && t->n_open == 0) continue;
        cut = TRUE;
        if (!t->searched) search_client_cancel(run->setup->client, t->query);
    }
    if (!cut) return;
    run->cut_off = run->closing = TRUE;
    for (guint i = 0; i < run->pages->len; i++) {
        const web_page *page = run->pages->pdata[i];
        if (page->state == WEB_PAGE_COMING)
            search_client_cancel(run->setup->client, page->transfer);
    }
    /* the client may have more under way for itself, robots.txt: that is not waited for */
    while (any_open(tasks) && search_client_run(run->setup->client, TICK_MS))
        ;
    run->closing = FALSE;
}

static void
read_papers(web_run *run)
{
    for (guint i = 0; i < run->pages->len; i++) {
        web_page *page = run->pages->pdata[i];
        if (page->state != WEB_PAGE_PAPER) continue;
        if (is_stopped(run)) {
            page->state = WEB_PAGE_FAILED;
            page->problem = g_strdup("out of time");
            g_clear_pointer(&page->paper, g_bytes_unref);
        } else {
            web_read_paper(run, page);
        }
        if (page->state == WEB_PAGE_FAILED) web_read_abstract(run, page);
        web_event(run, "page_fetched", web_page_to_json(page));
    }
}

/* The user's own papers, as pages of the node. */
static gboolean
search_own(task *t, GError **error)
{
    web_run *run = t->run;
    if (run->setup->own == NULL) return TRUE;
    retrieval_search_options options = retrieval_search_options_default();
    options.n_results = OWN_PASSAGES;
    t->own = retrieval_library_search(run->setup->own, t->node->asked, &options, error);
    return t->own != NULL;
}

static guint
see(web_run *run, task *t, const char *key, const char *title, const char *text, guint rank)
{
    guint step = GPOINTER_TO_UINT(g_hash_table_lookup(run->steps, t->node)) - 1;
    guint index = search_trail_see(run->trail, step, key, title, text, rank);
    if (index == run->seen_by->len) g_ptr_array_add(run->seen_by, t->node);
    return index;
}

/* What the node found goes on the trail: the passage that fits its question best of a page that was read, else what
 * the search engine shows of it. */
static void
see_all(web_run *run, task *t, const GPtrArray *passages)
{
    for (guint i = 0; i < t->pages->len; i++) {
        const web_page *page = t->pages->pdata[i];
        const retrieval_hit *best = NULL;
        for (guint j = 0; j < passages->len && best == NULL; j++)
            if (strcmp(((retrieval_hit *)passages->pdata[j])->path, page->key) == 0)
                best = passages->pdata[j];
        const char *text = best != NULL ? best->text : page->hit->snippet;
        see(run, t, page->key, page->title, text, i + 1);
    }
    for (guint i = 0; t->own != NULL && i < t->own->len; i++) {
        const retrieval_hit *hit = t->own->pdata[i];
        see(run, t, hit->path, hit->title, hit->text, i + 1);
    }
}

/* Own passages join those of the web; their document becomes a page of the run. */
static void
add_own(web_run *run, task *t, GPtrArray *passages)
{
    for (guint i = 0; t->own != NULL && i < t->own->len; i++) {
        retrieval_hit *hit = t->own->pdata[i];
        web_page *page = g_hash_table_lookup(run->by_key, hit->path);
        if (page == NULL) {
            page = page_new(run, hit->path, hit->title);
            page->state = WEB_PAGE_READ;
            page->kind = "own";
        }
        g_autoptr(GPtrArray) copies =
            retrieval_library_load_neighbours(run->setup->own, hit->chunk_id, 0, 0, NULL);
        if (copies == NULL || copies->len != 1) continue;
        if (page->best == NULL) {
            page->best = g_steal_pointer(&copies->pdata[0]);
            page->best->score = hit->score;
        }
        g_ptr_array_insert(passages, (gint)MIN(2 * i, passages->len), hit);
        t->own->pdata[i] = NULL;
    }
    g_clear_pointer(&t->own, g_ptr_array_unref);
}

static gboolean
settle_from_record(web_run *run, search_node *node)
{
    const json_t *known =
        run->resumed != NULL ? g_hash_table_lookup(run->resumed, node->asked) : NULL;
    const char *answer = json_string_value(json_object_get(known, "answer"));
    if (answer == NULL) return FALSE;
    search_plan_settle(node, SEARCH_NODE_ANSWERED, answer, NULL);
    GPtrArray *quotes = g_ptr_array_new_with_free_func(g_free);
    size_t i;
    const json_t *quote;
    json_array_foreach(json_object_get(known, "quotes"), i, quote)
    {
        const char *path = json_string_value(json_array_get(quote, 0));
        const char *text = json_string_value(json_array_get(quote, 1));
        if (path == NULL || text == NULL) continue;
        g_ptr_array_add(quotes, g_strdup(path));
        g_ptr_array_add(quotes, g_strdup(text));
    }
    g_hash_table_insert(run->quotes, node, quotes);
    return TRUE;
}

/* The event of an answer: with its quotes, from which another run goes on. */
static json_t *
answer_to_json(const web_run *run, search_node *node)
{
    json_t *json = web_node_to_json(node), *list = json_array();
    const GPtrArray *quotes = g_hash_table_lookup(run->quotes, node);
    for (guint i = 0; quotes != NULL && i + 1 < quotes->len; i += 2)
        json_array_append_new(list, json_pack("[o, o]", pipelines_json_path(quotes->pdata[i]),
                                              pipelines_json_string(quotes->pdata[i + 1])));
    json_object_set_new(json, "quotes", list);
    return json;
}

static gboolean
finish_node(web_run *run, task *t, GError **error)
{
    search_node *node = t->node;
    gboolean by_words = node->query != NULL || is_stopped(run);
    g_autoptr(GPtrArray) passages = web_passages(run, t->pages, node->asked, by_words, error);
    if (passages == NULL || !search_own(t, error)) return FALSE;
    see_all(run, t, passages);
    add_own(run, t, passages);
    gboolean stopped = is_stopped(run);
    if (passages->len == 0 && stopped)
        search_plan_settle(node, SEARCH_NODE_CUT_OFF, NULL, "out of time");
    else if (passages->len == 0)
        search_plan_settle(node, t->pages->len > 0 ? SEARCH_NODE_NO_EVIDENCE : SEARCH_NODE_FAILED,
                           NULL, t->pages->len > 0 ? "nothing could be read" : "no sources");
    else if (!settle_from_record(run, node) &&
             !web_answer_node(run, node, passages, by_words || stopped, error))
        return FALSE;
    web_event(run, "node_answer", answer_to_json(run, node));
    return TRUE;
}

static gboolean
run_wave(web_run *run, const GPtrArray *ready, GError **error)
{
    g_autoptr(GPtrArray) tasks = g_ptr_array_new_with_free_func(task_free);
    for (guint i = 0; i < ready->len; i++) {
        search_node *node = ready->pdata[i];
        g_ptr_array_add(tasks, start_node(run, node));
        if (g_hash_table_contains(run->steps, node)) continue;
        /* step 0 is the question itself */
        gboolean whole = strcmp(node->question, search_plan_question(run->plan)) == 0;
        guint step = whole ? 0 : search_trail_ask(run->trail, node->asked);
        g_hash_table_insert(run->steps, node, GUINT_TO_POINTER(step + 1));
    }
    drive(run, tasks);
    cut_off(run, tasks);
    read_papers(run);
    for (guint i = 0; i < tasks->len; i++)
        if (!finish_node(run, tasks->pdata[i], error)) return FALSE;
    return TRUE;
}

/* ---- turns ---- */

static char *
write_plan(const char *system, const char *user, const char *json_schema, void *user_data,
           GError **error)
{
    const web_run *run = user_data;
    const web_setup *setup = run->setup;
    const engine_message messages[] = {{.role = "system", .content = system},
                                       {.role = "user", .content = user}};
    pipelines_write_request request = {.messages = messages,
                                       .n_messages = G_N_ELEMENTS(messages),
                                       .json_schema = json_schema,
                                       .json_name = "plan",
                                       .max_tokens = 512,
                                       .temperature = 0,
                                       .seed = setup->ask.seed,
                                       .cancel = &run->stop};
    g_auto(pipelines_written) written = {0};
    if (!pipelines_writer_write(setup->writer, setup->pool, &request, &written, error)) return NULL;
    return g_strdup(written.text->str);
}

/* The writer's turn. Where the model fails, the rules plan: a reason to say so, not to stop. */
static void
plan_by_writer(web_run *run)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) refused = g_ptr_array_new_with_free_func(g_free);
    if (!search_plan_write(run->plan, write_plan, run, refused, &error)) {
        if (!is_stopped(run)) web_problem(run, "the writer does not plan: %s", error->message);
        if (search_plan_n_nodes(run->plan) <= 1) search_plan_apply_rules(run->plan);
    }
    for (guint i = 0; i < refused->len; i++)
        web_event(run, "plan_refused",
                  json_pack("{s:o}", "message", pipelines_json_string(refused->pdata[i])));
}

/* Names in what was read lead on. */
static void
plan_by_names(web_run *run)
{
    g_autoptr(GPtrArray) hops = search_trail_next(run->trail, MAX_HOPS);
    for (guint i = 0; i < hops->len; i++) {
        const search_hop *hop = hops->pdata[i];
        const char *open = hop->query + strlen(hop->name);
        g_autofree char *question =
            g_strdup_printf("%s:%s?", hop->name, open[0] != '\0' ? open : " what is it");
        const search_node *from = run->seen_by->pdata[hop->from];
        const char *needs[] = {from->id, NULL};
        guint before = search_plan_n_nodes(run->plan);
        search_node *node = search_plan_add(run->plan, NULL, question, needs, NULL);
        if (node == NULL || search_plan_n_nodes(run->plan) == before) continue;
        node->query = g_strdup(hop->query);
        g_hash_table_insert(run->steps, node, GUINT_TO_POINTER(hop->step + 1));
    }
}

static void
plan_turn(web_run *run)
{
    const lode_web_options *options = &run->setup->options;
    gboolean first = search_plan_turn(run->plan) == 0;
    if (search_plan_turn(run->plan) >= (guint)options->rounds ||
        (!first && options->planner == LODE_PLANNER_NONE) || !search_plan_begin_turn(run->plan))
        return;
    if (options->planner == LODE_PLANNER_NONE)
        search_plan_add(run->plan, NULL, search_plan_question(run->plan), NULL, NULL);
    else if (options->planner == LODE_PLANNER_WRITER && run->setup->writer != NULL)
        plan_by_writer(run);
    else if (first)
        search_plan_apply_rules(run->plan);
    if (!first) plan_by_names(run);
    g_autofree char *text = search_plan_to_json(run->plan);
    web_event(run, "plan", json_loads(text, 0, NULL));
}

static gboolean
run_plan(web_run *run, GError **error)
{
    for (;;) {
        plan_turn(run);
        g_autoptr(GPtrArray) ready = search_plan_ready(run->plan);
        if (ready->len == 0) break;
        if (is_stopped(run)) {
            run->cut_off = TRUE;
            break;
        }
        if (!run_wave(run, ready, error)) return FALSE;
    }
    for (guint i = 0; i < search_plan_n_nodes(run->plan); i++) {
        search_node *node = search_plan_node(run->plan, i);
        if (node->state < SEARCH_NODE_ANSWERED)
            search_plan_settle(node, SEARCH_NODE_CUT_OFF, NULL, "out of time");
    }
    return TRUE;
}

/* ---- all of it ---- */

/* Pages in the order of the trail. */
static void
rank_pages(web_run *run)
{
    g_autoptr(GPtrArray) last = search_trail_next(run->trail, 0); /* closes the last round */
    g_autoptr(GArray) order = search_trail_rank(run->trail);
    for (guint i = 0; i < order->len; i++) {
        const char *key = search_trail_key(run->trail, g_array_index(order, guint, i));
        web_page *page = g_hash_table_lookup(run->by_key, key);
        if (page != NULL) g_ptr_array_add(run->ranking, page);
    }
}

static void
cite(web_run *run)
{
    for (guint i = 0; i < run->answer->citations->len; i++)
        web_event(run, "citation", pipelines_evidence_to_json(run->answer, i));
}

static gboolean
save(web_run *run, GError **error)
{
    const web_setup *setup = run->setup;
    if (setup->options.save == NULL) return TRUE;
    retrieval_library_options options = {0};
    if (setup->embedder != NULL)
        options = (retrieval_library_options){.embedder = setup->embedder->model,
                                              .embedder_id = setup->embedder->id,
                                              .pool = setup->pool,
                                              .query_prefix = setup->embedder->query_prefix};
    g_autoptr(retrieval_library) library =
        retrieval_library_open(setup->options.save, RETRIEVAL_OPEN_WRITE, &options, error);
    retrieval_merge_report report = {0};
    g_clear_pointer(&run->library, retrieval_library_free); /* one writer at a time */
    return library != NULL && retrieval_library_merge(library, run->dir, NULL, &report, error) &&
           (setup->embedder == NULL || retrieval_library_embed_missing(library, NULL, error)) &&
           retrieval_library_commit(library, error);
}

static gboolean
run_all(web_run *run, GError **error)
{
    if (!web_record_open(run, error) || !web_library_open(run, error) || !run_plan(run, error))
        return FALSE;
    rank_pages(run);
    if (!web_answer_question(run, error)) return FALSE;
    run->seconds = (double)(g_get_monotonic_time() - run->start) / 1e6;
    cite(run);
    if (!save(run, error)) return FALSE;
    web_event(run, "done",
              json_pack("{s:s, s:b, s:f}", "status", pipelines_status_name(run->answer->status),
                        "cut_off", run->cut_off, "seconds", run->seconds));
    return TRUE;
}

static void
run_clear(web_run *run)
{
    web_library_close(run);
    if (run->record != NULL) fclose(run->record);
    g_clear_pointer(&run->resumed, g_hash_table_unref);
    search_plan_free(run->plan);
    search_trail_free(run->trail);
    g_hash_table_unref(run->steps);
    g_hash_table_unref(run->quotes);
    g_hash_table_unref(run->by_key);
    g_ptr_array_unref(run->seen_by);
    g_ptr_array_unref(run->providers);
    g_clear_pointer(&run->ranking, g_ptr_array_unref);
    g_clear_pointer(&run->pages, g_ptr_array_unref);
    g_clear_pointer(&run->problems, g_ptr_array_unref);
    lode_answer_free(run->answer);
}

static char *
provider_names(const GPtrArray *providers)
{
    g_autoptr(GString) names = g_string_new(NULL);
    for (guint i = 0; i < providers->len; i++)
        g_string_append_printf(names, "%s%s", i > 0 ? "," : "",
                               search_provider_name(providers->pdata[i]));
    return g_string_free(g_steal_pointer(&names), FALSE);
}

lode_web_answer *
pipelines_web_search(const web_setup *setup, const char *question, GError **error)
{
    search_plan_limits limits = {.max_nodes = (guint)setup->options.nodes,
                                 .max_turns = (guint)setup->options.rounds};
    web_run run = {.setup = setup,
                   .plan = search_plan_new(question, &limits),
                   .trail = search_trail_new(question),
                   .pages = g_ptr_array_new_with_free_func((GDestroyNotify)web_page_free),
                   .by_key = g_hash_table_new(g_str_hash, g_str_equal),
                   .steps = g_hash_table_new(NULL, NULL),
                   .seen_by = g_ptr_array_new(),
                   .quotes =
                       g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)g_ptr_array_unref),
                   .problems = g_ptr_array_new_with_free_func(g_free),
                   .ranking = g_ptr_array_new(),
                   .providers = g_ptr_array_copy(setup->providers, NULL, NULL),
                   .start = g_get_monotonic_time(),
                   .started_at = g_get_real_time() / G_USEC_PER_SEC};
    g_ptr_array_set_free_func(run.providers, NULL); /* they are the caller's */
    run.deadline = run.start + (gint64)(setup->options.seconds * 1e6);
    lode_web_answer *result = NULL;
    web_watch_begin(&run);
    const gboolean done = run_all(&run, error);
    web_watch_end(&run);
    if (done) {
        result = g_new0(lode_web_answer, 1);
        result->plan = g_steal_pointer(&run.plan);
        result->answer = g_steal_pointer(&run.answer);
        result->pages = g_steal_pointer(&run.pages);
        result->ranking = g_steal_pointer(&run.ranking);
        result->problems = g_steal_pointer(&run.problems);
        result->providers = provider_names(setup->providers);
        result->cut_off = run.cut_off;
        result->seconds = run.seconds;
    }
    run_clear(&run);
    return result;
}

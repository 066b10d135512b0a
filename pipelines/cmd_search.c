/* lode search: a question -> a plan of smaller ones, pages and papers of the web, an answer with its sources. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pipelines/cli_ask.h"
#include "pipelines/web.h"

typedef struct {
    ask_args ask;
    char *providers, *planner, *save, *html, *record, *cache, *contact;
    int rounds, nodes, pages;
    double deadline, node_deadline;
    gboolean offline, allow_private, ndjson, dot;
} search_args;

static void
init_search(gpointer data)
{
    search_args *args = data;
    lode_web_options options = lode_web_options_default();
    cli_ask_init(&args->ask);
    args->rounds = options.rounds;
    args->nodes = options.nodes;
    args->pages = options.pages;
    args->deadline = options.seconds;
    args->node_deadline = options.node_seconds;
}

static GOptionEntry *
search_entries(gpointer data)
{
    search_args *args = data;
    const GOptionEntry entries[] = {
        {"provider", 'p', 0, G_OPTION_ARG_STRING, &args->providers,
         "Search engines and catalogues to ask together, NAME[=URL],..., or web, science, * "
         "(default: what is configured)",
         "LIST"},
        {"planner", 0, 0, G_OPTION_ARG_STRING, &args->planner,
         "Who breaks the question up: rules, writer (the model), none (default: rules)", "WHO"},
        {"rounds", 0, 0, G_OPTION_ARG_INT, &args->rounds,
         "Rounds of searching, 1 to 10 (default: 3)", "N"},
        {"nodes", 0, 0, G_OPTION_ARG_INT, &args->nodes,
         "Sub-questions in all, 1 to 24 (default: 16)", "N"},
        {"pages", 0, 0, G_OPTION_ARG_INT, &args->pages,
         "Pages read for each sub-question, 1 to 20 (default: 4)", "N"},
        {"deadline", 0, 0, G_OPTION_ARG_DOUBLE, &args->deadline,
         "Answer from what there is after so many seconds (default: 120)", "S"},
        {"node-deadline", 0, 0, G_OPTION_ARG_DOUBLE, &args->node_deadline,
         "Seconds for the searches and pages of one round (default: 30)", "S"},
        {"library", 'L', 0, G_OPTION_ARG_FILENAME, &args->ask.library,
         "Look into this library too (default: none)", "DIR"},
        {"save", 0, 0, G_OPTION_ARG_FILENAME, &args->save,
         "Add what was read to this library (default: forget it)", "DIR"},
        {"offline", 0, 0, G_OPTION_ARG_NONE, &args->offline,
         "Only what earlier searches have left in the cache (default: off)", NULL},
        {"cache", 0, 0, G_OPTION_ARG_FILENAME, &args->cache,
         "Folder of the cache (default: lode/web in the user's cache folder)", "DIR"},
        {"allow-private", 0, 0, G_OPTION_ARG_NONE, &args->allow_private,
         "Read pages on private and loopback addresses too (default: off)", NULL},
        {"contact", 0, 0, G_OPTION_ARG_STRING, &args->contact,
         "Your mail address or page, told to the servers that are asked (default: none)", "TEXT"},
        {"ndjson", 0, 0, G_OPTION_ARG_NONE, &args->ndjson,
         "Print what happens as JSON lines in the shape of MindSearch's stream (default: off)",
         NULL},
        {"dot", 0, 0, G_OPTION_ARG_NONE, &args->dot,
         "Print the plan for Graphviz instead of the answer (default: off)", NULL},
        {"html", 0, 0, G_OPTION_ARG_FILENAME, &args->html,
         "Also write a page with the answer, its sources and the plan (no default)", "FILE"},
        {"record", 0, 0, G_OPTION_ARG_FILENAME, &args->record,
         "Keep here how far the search came; a search of the same question goes on from it (no "
         "default)",
         "FILE"},
        {"extractive", 0, 0, G_OPTION_ARG_NONE, &args->ask.extractive,
         "Quote the best sentences, let no model write (default: when no writer is installed)",
         NULL},
        {"passages", 'k', 0, G_OPTION_ARG_INT, &args->ask.n_passages,
         "Passages to answer from (default: 8)", "N"},
        {"model", 'm', 0, G_OPTION_ARG_FILENAME, &args->ask.model,
         "The model that writes: a .gguf file, a folder or a name of `lode model list`; or with "
         "--endpoint its name there "
         "(default: SmolLM2-135M-Instruct, when installed)",
         "MODEL"},
        CLI_ENDPOINT_ENTRIES(&args->ask.endpoint),
        CLI_DEVICE_ENTRIES(&args->ask.device),
        {"embedder", 0, 0, G_OPTION_ARG_FILENAME, &args->ask.embedder,
         "The model that compares by meaning (default: all-MiniLM-L6-v2, when installed)", "PATH"},
        {"no-embeddings", 0, 0, G_OPTION_ARG_NONE, &args->ask.no_embeddings,
         "Compare by words only (default: by meaning too)", NULL},
        {"max-tokens", 0, 0, G_OPTION_ARG_INT, &args->ask.max_tokens,
         "Longest answer (default: 256)", "N"},
        {"strict", 0, 0, G_OPTION_ARG_NONE, &args->ask.strict,
         "Leave out what no quote carries (default: mark it [unsupported])", NULL},
        {"seed", 0, 0, G_OPTION_ARG_INT64, &args->ask.seed, "Same seed, same answer (default: 0)",
         "N"},
        G_OPTION_ENTRY_NULL,
    };
    return g_memdup2(entries, sizeof entries);
}

/* ---- what happens ---- */

typedef struct {
    const search_args *args;
    gboolean live;
    guint n_lines; /* of the plan, on the terminal */
} display;

/* The plan, a line for each node, drawn anew over itself. */
static void
draw_plan(display *d, const search_plan *plan)
{
    enum { WIDTH = 90 };
    static const char *const marks[] = {"\xC2\xB7", "\xE2\x80\xA6", "\xE2\x80\xA6", "\xE2\x9C\x93",
                                        "-",        "\xE2\x9C\x97", "\xE2\x9C\x97"};
    if (d->n_lines > 0) fprintf(stderr, "\033[%uA\033[J", d->n_lines);
    d->n_lines = search_plan_n_nodes(plan);
    for (guint i = 0; i < d->n_lines; i++) {
        const search_node *node = search_plan_node(plan, i);
        g_autofree char *line = g_strdup_printf(
            "%*s%s %s%s%s", (int)(2 * (node->depth - 1)), "", marks[node->state],
            node->asked != NULL ? node->asked : node->question, node->answer != NULL ? " = " : "",
            node->answer != NULL ? node->answer : "");
        g_autofree char *cut = g_utf8_substring(line, 0, MIN(g_utf8_strlen(line, -1), WIDTH));
        fprintf(stderr, "%s\n", cut);
    }
    fflush(stderr);
}

static void
on_event(const char *name, json_t *json, const web_run *run, void *user_data)
{
    display *d = user_data;
    if (d->args->ndjson) {
        g_autoptr(json_t) line = pipelines_web_stream(run, name, json);
        cli_print_json_line(line);
    }
    if (d->live && strcmp(name, "citation") != 0 && strcmp(name, "done") != 0 &&
        run->answer == NULL)
        draw_plan(d, run->plan);
}

/* ---- results ---- */

static void
print_sources(const lode_answer *answer)
{
    size_t n = lode_answer_n_citations(answer);
    if (n > 0) cli_print("\nSources\n");
    gboolean color = cli_color(STDOUT_FILENO);
    for (size_t i = 0; i < n; i++) {
        const char *path = lode_citation_path(answer, i);
        gboolean has_page = lode_citation_n_boxes(answer, i) > 0;
        g_autofree char *link =
            has_page ? g_strdup(path) : pipelines_text_link(path, lode_citation_quote(answer, i));
        cli_print("%s[%d]%s %s", color ? "\033[1m" : "", lode_citation_number(answer, i),
                  color ? "\033[0m" : "", lode_citation_title(answer, i));
        if (has_page) cli_print(", p. %d", lode_citation_page_number(answer, i));
        cli_print("\n      %s\n", link);
        cli_ask_print_quote(lode_citation_quote(answer, i));
    }
}

static void
print_problems(const search_args *args, const lode_web_answer *result)
{
    enum { MAX_NAMED = 10 };
    guint n = result->problems->len;
    for (guint i = 0; i < MIN(n, MAX_NAMED); i++)
        cli_note(&args->ask.common, "warning: %s", (const char *)result->problems->pdata[i]);
    if (n > MAX_NAMED)
        cli_note(&args->ask.common, "warning: and %u more; --json names them all", n - MAX_NAMED);
    if (result->cut_off)
        cli_note(&args->ask.common, "note: out of time or interrupted: not all was read");
    const lode_answer *answer = result->answer;
    for (size_t i = 0; i < lode_answer_n_claims(answer); i++)
        if (!lode_claim_is_supported(answer, i))
            cli_note(&args->ask.common, "warning: unsupported, %s: %s",
                     lode_claim_problem(answer, i), lode_claim_text(answer, i));
    if (answer->status != LODE_ANSWER_INSUFFICIENT) return;
    cli_note(&args->ask.common, "insufficient evidence: %s", answer->shortfall.reason);
    for (guint i = 0; i < answer->shortfall.tried->len; i++)
        cli_note(&args->ask.common, "tried: %s", (const char *)answer->shortfall.tried->pdata[i]);
}

static int
print_result(const search_args *args, const lode_web_answer *result)
{
    const lode_answer *answer = result->answer;
    if (args->dot) {
        g_autofree char *dot = search_plan_to_dot(result->plan);
        cli_write(dot, strlen(dot));
    } else if (args->ask.common.json) {
        g_autoptr(json_t) json = pipelines_web_to_json(result);
        cli_print_json(json);
    } else if (!args->ndjson) {
        cli_print("\n");
        print_sources(answer);
    }
    fflush(stdout);
    print_problems(args, result);
    int code = answer->status == LODE_ANSWER_INSUFFICIENT ? EXIT_INSUFFICIENT : EXIT_ALL_GOOD;
    if (args->html == NULL) return code;
    g_autofree char *html = pipelines_web_to_html(result);
    g_autoptr(GError) error = NULL;
    return pipelines_write_file(args->html, html, strlen(html), &error)
               ? code
               : cli_error(EXIT_SOME_FAILED, "%s", error->message);
}

/* ---- all ---- */

static gboolean
read_planner(const search_args *args, lode_planner *planner)
{
    static const char *const names[] = {"rules", "writer", "none"};
    *planner = LODE_PLANNER_RULES;
    for (guint i = 0; i < G_N_ELEMENTS(names) && args->planner != NULL; i++)
        if (strcmp(args->planner, names[i]) == 0) {
            *planner = (lode_planner)i;
            return TRUE;
        }
    return args->planner == NULL;
}

static int
check(const search_args *args)
{
    lode_planner planner;
    if (!read_planner(args, &planner))
        return cli_usage_error("search", "--planner: %s: rules, writer or none", args->planner);
    if (args->rounds < 1 || args->rounds > 10 || args->nodes < 1 || args->nodes > 24)
        return cli_usage_error("search", "--rounds must be from 1 to 10, --nodes from 1 to 24");
    if (args->pages < 1 || args->pages > 20 || args->ask.n_passages < 1 || args->ask.max_tokens < 1)
        return cli_usage_error("search", "--pages must be from 1 to 20, --passages and "
                                         "--max-tokens 1 or more");
    if (!(args->deadline > 0) || !(args->node_deadline > 0))
        return cli_usage_error("search", "--deadline and --node-deadline must be positive");
    return EXIT_ALL_GOOD;
}

static lode_web_options
options_of(const search_args *args)
{
    lode_web_options options = lode_web_options_default();
    read_planner(args, &options.planner);
    options.providers = args->providers;
    options.rounds = args->rounds;
    options.nodes = args->nodes;
    options.pages = args->pages;
    options.seconds = args->deadline;
    options.node_seconds = args->node_deadline;
    options.offline = args->offline;
    options.allow_private = args->allow_private;
    options.cache_dir = args->cache;
    options.contact = args->contact;
    options.save = args->save;
    options.record = args->record;
    options.cancel = cli_cancel();
    return pipelines_web_options(&options);
}

/* The planner needs the writer though the answer is to be quoted. */
static gboolean
open_models(const search_args *args, cli_session *s, GError **error)
{
    const ask_args *ask = &args->ask;
    lode_planner planner;
    read_planner(args, &planner);
    gboolean writes = !ask->extractive || planner == LODE_PLANNER_WRITER;
    if (!ask->no_embeddings && !cli_session_open_embedder(s, ask->embedder, &ask->common, error))
        return FALSE;
    if (ask->library != NULL &&
        !cli_session_open_library(s, ask->library, RETRIEVAL_OPEN_READ, error))
        return FALSE;
    if (writes && !cli_session_open_writer(s, ask->model, &ask->endpoint, 0, &ask->common, error))
        return FALSE;
    if (planner == LODE_PLANNER_WRITER && s->writer == NULL)
        cli_note(&ask->common, "note: the rules plan, for there is no writer");
    return TRUE;
}

static int
run_search(gpointer data, char **operands, int n_operands)
{
    const search_args *args = data;
    int wrong = check(args);
    if (wrong == EXIT_ALL_GOOD) wrong = cli_device_check("search", &args->ask.device);
    if (wrong != EXIT_ALL_GOOD) return wrong;
    if (n_operands == 0) return cli_usage_error("search", "what is the question?");
    if (n_operands > 1)
        return cli_usage_error("search", "one question at a time: put it in quotes");
    g_autofree char *question = g_strstrip(g_utf8_make_valid(operands[0], -1));
    if (question[0] == '\0') return cli_usage_error("search", "the question is empty");
    g_autoptr(GError) error = NULL;
    g_auto(cli_session) session = {0};
    cli_session_init(&session, &args->ask.device);
    if (!open_models(args, &session, &error))
        return cli_error(EXIT_NOTHING_DONE, "%s", error->message);
    display d = {.args = args,
                 .live = !args->ask.common.quiet && !args->ask.common.json && !args->ndjson &&
                         cli_color(STDERR_FILENO)};
    gboolean silent = args->ask.common.json || args->ndjson || args->dot;
    pipelines_worker_options reader = {0};
    web_setup setup = {.options = options_of(args),
                       .own = session.library,
                       .embedder = session.embedder,
                       .writer = session.writer,
                       .pool = session.pool,
                       .event = on_event,
                       .user_data = &d,
                       .ask = lode_ask_options_default()};
    setup.ask.n_passages = (size_t)args->ask.n_passages;
    setup.ask.max_tokens = (uint32_t)args->ask.max_tokens;
    setup.ask.seed = (uint64_t)args->ask.seed;
    setup.ask.extractive = args->ask.extractive;
    setup.ask.strict = args->ask.strict;
    setup.ask.cancel = cli_cancel();
    setup.ask.text = silent ? NULL : cli_ask_on_text;
    g_autoptr(search_client) client = pipelines_web_client(&setup.options, &error);
    g_autoptr(GPtrArray) providers =
        client != NULL ? search_providers_parse(args->providers, &error) : NULL;
    if (providers == NULL) return cli_error(EXIT_NOTHING_DONE, "%s", error->message);
    setup.client = client;
    setup.providers = providers;
    setup.worker = pipelines_worker_new(&reader);
    lode_web_answer *result = pipelines_web_search(&setup, question, &error);
    pipelines_worker_free(setup.worker);
    if (result == NULL) return cli_error(EXIT_NOTHING_DONE, "%s", error->message);
    int code = print_result(args, result);
    lode_web_answer_free(result);
    return code;
}

const command cmd_search = {
    .name = "search",
    .summary = "answer a question from the web, with pages and papers read and quoted",
    .usage = "\"QUESTION\" [OPTIONS]",
    .description =
        "Breaks the question into smaller ones, asks search engines for them side by side, reads "
        "pages and open papers,\nand goes on from the names in what it read. Then a model writes "
        "an "
        "answer from the best passages, or, with\n--extractive or without a model, quotes them.\n\n"
        "Every [n] is a page or a paper, listed with a link to the very words, which a program has "
        "found there. What\npages say is data: orders in them are not followed, and no text of a "
        "model is ever run or fetched. Servers that\nfail are named on stderr and the others go "
        "on. "
        "Without sources lode says so and exits with 4.\n\n"
        "Search engines: lode doctor lists them and what each needs. Keys come from the "
        "environment. "
        "What was fetched is\nkept in a cache: --offline answers from it, the same way each time.",
    .examples =
        "  $ lode search \"Which university did the author of The Selfish Gene attend?\"\n"
        "  $ lode search -p searxng=http://localhost:8888,arxiv --save lib/ \"Who first grew "
        "graphene on copper?\"",
    .args_size = sizeof(search_args),
    .init = init_search,
    .entries = search_entries,
    .run = run_search,
};

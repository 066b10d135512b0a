/* What lode ask and lode chat share: options, models, and how an answer is printed. */
#include "pipelines/cli_ask.h"

#include "pipelines/answer.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

void
cli_ask_init(ask_args *args)
{
    args->n_passages = 8;
    args->max_tokens = 256;
}

GOptionEntry *
cli_ask_entries(const GOptionEntry *own, ask_args *args)
{
    const GOptionEntry entries[] = {
        {"library", 'L', 0, G_OPTION_ARG_FILENAME, &args->library,
         "Folder of the library (no default)", "DIR"},
        {"extractive", 0, 0, G_OPTION_ARG_NONE, &args->extractive,
         "Quote the best sentences, let no model write (default: when no writer is installed)",
         NULL},
        {"passages", 'k', 0, G_OPTION_ARG_INT, &args->n_passages,
         "Passages to answer from (default: 8)", "N"},
        {"model", 'm', 0, G_OPTION_ARG_FILENAME, &args->model,
         "The model that writes: a .gguf file, a folder or a name of `lode model list`; or with "
         "--endpoint its name there "
         "(default: "
         "SmolLM2-135M-Instruct, when installed)",
         "MODEL"},
        CLI_ENDPOINT_ENTRIES(&args->endpoint),
        CLI_DEVICE_ENTRIES(&args->device),
        {"embedder", 0, 0, G_OPTION_ARG_FILENAME, &args->embedder,
         "The embedder the library was made with (default: all-MiniLM-L6-v2, when installed)",
         "PATH"},
        {"no-embeddings", 0, 0, G_OPTION_ARG_NONE, &args->no_embeddings,
         "Full-text search only (default: fused with search by meaning)", NULL},
        {"max-tokens", 0, 0, G_OPTION_ARG_INT, &args->max_tokens, "Longest answer (default: 256)",
         "N"},
        {"context", 0, 0, G_OPTION_ARG_STRING, &args->context,
         "What the model reads around the passages: whole papers, sections, passages, or as much "
         "as "
         "fits (default: auto); a number is the tokens of prompt and answer (default: the "
         "model's, at most 8192)",
         "HOW|N"},
        {"score", 0, 0, G_OPTION_ARG_INT, &args->n_scored,
         "Passages that the model judges and sums up before it answers from the best (default: 0)",
         "N"},
        {"where", 0, 0, G_OPTION_ARG_STRING, &args->where,
         "Only passages for which this holds: \"year >= 2020 and type = table\" (default: all)",
         "EXPR"},
        {"rerank", 0, 0, G_OPTION_ARG_STRING, &args->rerank,
         "Who puts the best passages into a new order: writer, model (see --reranker) or none "
         "(default: none, with --reranker model)",
         "WHO"},
        {"reranker", 0, 0, G_OPTION_ARG_FILENAME, &args->reranker,
         "A model that judges passages: a BERT cross-encoder, or one that writes (no default)",
         "PATH"},
        {"reranked", 0, 0, G_OPTION_ARG_INT, &args->n_reranked,
         "Passages that it judges (default: 20)", "N"},
        {"diversity", 0, 0, G_OPTION_ARG_DOUBLE, &args->diversity,
         "How much a passage's likeness to better ones takes from its place, 0 to 1 (default: 0)",
         "X"},
        {"strict", 0, 0, G_OPTION_ARG_NONE, &args->strict,
         "Leave out what no quote carries (default: mark it [unsupported])", NULL},
        {"temperature", 0, 0, G_OPTION_ARG_DOUBLE, &args->temperature,
         "Chance in the choice of words (default: 0, none)", "T"},
        {"seed", 0, 0, G_OPTION_ARG_INT64, &args->seed, "Same seed, same answer (default: 0)", "N"},
        {"show-prompt", 0, 0, G_OPTION_ARG_NONE, &args->show_prompt,
         "Print what the model is given on stderr (default: off)", NULL},
        {"no-record", 0, 0, G_OPTION_ARG_NONE, &args->no_record,
         "Keep no record of this run in DIR/runs/ (default: keep one)", NULL},
        G_OPTION_ENTRY_NULL,
    };
    guint n = 0;
    while (own != NULL && own[n].long_name != NULL)
        n++;
    GOptionEntry *all = g_new0(GOptionEntry, n + G_N_ELEMENTS(entries));
    if (n > 0) memcpy(all, own, n * sizeof *own);
    memcpy(all + n, entries, sizeof entries);
    return all;
}

/* ---- models ---- */

/* "whole" or "4096". */
static gboolean
read_context(const ask_args *args, lode_ask_options *options)
{
    static const char *const names[] = {"auto", "passages", "sections", "whole"};
    if (args->context == NULL) return TRUE;
    for (guint i = 0; i < G_N_ELEMENTS(names); i++)
        if (strcmp(names[i], args->context) == 0) {
            options->context = (lode_context)i;
            return TRUE;
        }
    guint64 n = 0;
    if (!g_ascii_string_to_unsigned(args->context, 10, 0, G_MAXINT32, &n, NULL)) return FALSE;
    options->n_context = (uint32_t)n;
    return TRUE;
}

/* "writer", "model" or "none", or what --reranker says. */
static const char *
rerank_of(const ask_args *args)
{
    if (args->rerank != NULL) return args->rerank;
    return args->reranker != NULL ? "model" : "none";
}

/* Does the library hold vectors? Else loading the embedder is time spent for nothing. */
static gboolean
has_vectors(const char *dir)
{
    retrieval_library_options none = {0};
    g_autoptr(retrieval_library) library =
        retrieval_library_open(dir, RETRIEVAL_OPEN_READ, &none, NULL);
    retrieval_stats stats = {0};
    if (library == NULL || !retrieval_library_get_stats(library, &stats, NULL)) return FALSE;
    g_free(stats.embedder_id);
    return stats.n_vectors > 0;
}

/* Options that say how much a writer reads do nothing where none reads passages. */
static void
note_unread(const ask_args *args, const cli_session *s)
{
    lode_ask_options options = lode_ask_options_default();
    read_context(args, &options);
    if (options.context == LODE_CONTEXT_AUTO && args->n_scored == 0) return;
    if (s->writer == NULL)
        cli_note(&args->common, "note: --context and --score do nothing without a writer");
    else if (s->writer->is_small)
        cli_note(&args->common, "note: --context and --score do nothing here: so small a writer "
                                "is given the best sentences alone");
}

static gboolean
open_all(const ask_args *args, cli_session *s, GError **error)
{
    lode_ask_options options = lode_ask_options_default();
    read_context(args, &options);
    if (!args->no_embeddings && (args->embedder != NULL || has_vectors(args->library)) &&
        !cli_session_open_embedder(s, args->embedder, &args->common, error))
        return FALSE;
    if (!cli_session_open_library(s, args->library, RETRIEVAL_OPEN_READ, error)) return FALSE;
    const char *rerank = rerank_of(args);
    const gboolean by_writer = strcmp(rerank, "writer") == 0;
    if ((!args->extractive || by_writer) &&
        !cli_session_open_writer(s, args->model, &args->endpoint, options.n_context, &args->common,
                                 error))
        return FALSE;
    return strcmp(rerank, "none") == 0 ||
           cli_session_open_reranker(s, by_writer ? NULL : args->reranker, error);
}

gboolean
cli_ask_open(const ask_args *args, cli_session *s)
{
    g_autoptr(GError) error = NULL;
    cli_session_init(s, &args->device);
    cli_session_expect_questions(s);
    if (!open_all(args, s, &error)) {
        cli_error(0, "%s", error->message);
        return FALSE;
    }
    note_unread(args, s);
    return TRUE;
}

int
cli_ask_check(const char *name, const ask_args *args)
{
    if (args->library == NULL)
        return cli_usage_error(name, "which library? Name its folder with -L");
    const int device = cli_device_check(name, &args->device);
    if (device != EXIT_ALL_GOOD) return device;
    if (args->n_passages < 1 || args->n_passages > 1000)
        return cli_usage_error(name, "--passages: %d: must be from 1 to 1000", args->n_passages);
    if (args->max_tokens < 1 || args->n_scored < 0 || !(args->temperature >= 0))
        return cli_usage_error(
            name, "--max-tokens must be 1 or more, --score and --temperature not negative");
    const char *rerank = rerank_of(args);
    if (strcmp(rerank, "writer") != 0 && strcmp(rerank, "model") != 0 &&
        strcmp(rerank, "none") != 0)
        return cli_usage_error(name, "--rerank: %s: writer, model or none", rerank);
    if (strcmp(rerank, "model") == 0 && args->reranker == NULL)
        return cli_usage_error(name, "--rerank model: which one? Name it with --reranker");
    if (args->n_reranked < 0 || !(args->diversity >= 0 && args->diversity <= 1))
        return cli_usage_error(name, "--reranked must not be negative, --diversity from 0 to 1");
    lode_ask_options unused = lode_ask_options_default();
    if (!read_context(args, &unused))
        return cli_usage_error(name, "--context: %s: whole, sections, passages, auto or a number",
                               args->context);
    return EXIT_ALL_GOOD;
}

/* ---- printing ---- */

int
cli_ask_on_text(const char *text, size_t len, void *user_data)
{
    (void)user_data;
    cli_write(text, len);
    fflush(stdout);
    return !ferror(stdout);
}

/* A text on the terminal behind a sign or a word: wrapped at 96 columns, indented. */
static void
print_wrapped(const char *before, const char *text, const char *after)
{
    enum { WIDTH = 92 };
    g_auto(GStrv) words = g_strsplit_set(text, " \n", -1);
    glong column = g_utf8_strlen(before, -1) - 1;
    cli_print("      %s", before);
    for (char **word = words; *word != NULL; word++) {
        if ((*word)[0] == '\0') continue;
        glong width = g_utf8_strlen(*word, -1);
        if (column > 0 && column + 1 + width > WIDTH) {
            cli_print("\n       ");
            column = 0;
        } else if (column > 0) {
            cli_print(" ");
            column++;
        }
        cli_print("%s", *word);
        column += width;
    }
    cli_print("%s\n", after);
}

void
cli_ask_print_quote(const char *quote)
{
    print_wrapped("\"", quote, "\"");
}

/* What a quote cites itself. */
static void
print_references(const lode_answer *answer, size_t citation)
{
    if (citation >= answer->references->len) return;
    const GPtrArray *references = answer->references->pdata[citation];
    for (guint i = 0; i < references->len; i++) {
        g_autofree char *line = pipelines_reference_line(references->pdata[i]);
        print_wrapped("cites", line, "");
    }
}

/* The page or section, and the cell of a table. */
static void
print_place(const lode_answer *answer, size_t i)
{
    const pipelines_citation *c = &g_array_index(answer->citations, pipelines_citation, i);
    g_autofree char *place =
        pipelines_place_name(answer->hits->pdata[c->passage], lode_citation_page_number(answer, i),
                             lode_citation_page_label(answer, i));
    g_autofree char *cell = pipelines_cell_name(answer, i);
    if (place != NULL) cli_print(", %s", place);
    if (cell != NULL) cli_print(", %s", cell);
}

void
cli_ask_print_sources(const lode_answer *answer)
{
    size_t n = lode_answer_n_citations(answer);
    if (n == 0) return;
    gboolean color = cli_color(STDOUT_FILENO);
    cli_print("\nSources\n");
    for (size_t i = 0; i < n; i++) {
        g_autofree char *name = g_filename_display_basename(lode_citation_path(answer, i));
        cli_print("%s[%d]%s %s", color ? "\033[1m" : "", lode_citation_number(answer, i),
                  color ? "\033[0m" : "", lode_citation_work(answer, i));
        print_place(answer, i);
        cli_print(". %s (%s)\n", lode_citation_title(answer, i), name);
        cli_ask_print_quote(lode_citation_quote(answer, i));
        print_references(answer, i);
    }
}

static void
print_conflicts(const lode_answer *answer)
{
    if (answer->conflicts->len == 0) return;
    cli_print("\nWhere sources disagree\n");
    for (guint i = 0; i < answer->conflicts->len; i++) {
        const pipelines_conflict *c = answer->conflicts->pdata[i];
        cli_print("[%d] against [%d] (%s)\n", lode_citation_number(answer, c->a),
                  lode_citation_number(answer, c->b), c->kind);
        cli_ask_print_quote(lode_citation_quote(answer, c->a));
        cli_ask_print_quote(lode_citation_quote(answer, c->b));
    }
}

static void
print_doubts(const common_args *common, const lode_answer *answer)
{
    for (size_t i = 0; i < lode_answer_n_claims(answer); i++)
        if (!lode_claim_is_supported(answer, i))
            cli_note(common, "warning: unsupported, %s: %s", lode_claim_problem(answer, i),
                     lode_claim_text(answer, i));
    if (answer->n_removed > 0)
        cli_note(common, "warning: %u citations of passages that do not exist were removed",
                 answer->n_removed);
    if (answer->n_shown < answer->n_found && !answer->extractive)
        cli_note(common, "note: %u of %u passages found were read", answer->n_shown,
                 answer->n_found);
}

/* Why there is no answer: what is missing, what was tried, and what came closest. */
static void
print_shortfall(const common_args *common, const lode_answer *answer)
{
    cli_note(common, "insufficient evidence: %s", answer->shortfall.reason);
    if (answer->shortfall.missing->len > 0) {
        g_autoptr(GPtrArray) words = g_ptr_array_new();
        for (guint i = 0; i < answer->shortfall.missing->len; i++)
            g_ptr_array_add(words, answer->shortfall.missing->pdata[i]);
        g_ptr_array_add(words, NULL);
        g_autofree char *list = g_strjoinv(", ", (char **)words->pdata);
        cli_note(common, "missing: %s", list);
    }
    for (guint i = 0; i < answer->shortfall.tried->len; i++)
        cli_note(common, "tried: %s", (const char *)answer->shortfall.tried->pdata[i]);
    for (guint i = 0; i < MIN(answer->hits->len, 3); i++) {
        const retrieval_hit *hit = answer->hits->pdata[i];
        g_autofree char *work = pipelines_work_name(hit);
        g_autofree char *place = pipelines_place_name(hit, hit->first_page + 1, NULL);
        cli_note(common, "closest: %s%s%s (score %.3f)", work, place != NULL ? ", " : "",
                 place != NULL ? place : "", hit->score);
    }
}

lode_ask_options
cli_ask_options(const ask_args *args)
{
    lode_ask_options options = lode_ask_options_default();
    options.n_passages = (size_t)args->n_passages;
    options.extractive = args->extractive;
    options.max_tokens = (uint32_t)args->max_tokens;
    options.temperature = args->temperature;
    options.seed = (uint64_t)args->seed;
    options.strict = args->strict;
    options.n_scored = (size_t)args->n_scored;
    options.where = args->where;
    options.n_reranked = (size_t)args->n_reranked;
    options.diversity = args->diversity;
    options.cancel = cli_cancel();
    options.text = args->common.json ? NULL : cli_ask_on_text;
    read_context(args, &options);
    return options;
}

void
cli_ask_print(const ask_args *args, const lode_answer *answer)
{
    if (args->show_prompt)
        fprintf(stderr, "%s\n",
                answer->prompt != NULL ? answer->prompt : "(no prompt: nothing was written)");
    if (args->common.json) {
        g_autoptr(json_t) json = pipelines_answer_to_json(answer);
        cli_print_json(json);
        return;
    }
    cli_print("\n");
    print_conflicts(answer);
    cli_ask_print_sources(answer);
    fflush(stdout);
    print_doubts(&args->common, answer);
    if (answer->status == LODE_ANSWER_INSUFFICIENT) print_shortfall(&args->common, answer);
}

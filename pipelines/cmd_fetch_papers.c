/* lode fetch-papers: papers on a question, those that may be read freely, into a folder for lode index. */
#include <string.h>

#include "pipelines/cli.h"
#include "search/search.h"

typedef struct {
    common_args common;
    char *output, *providers, *contact, *cache;
    int limit, from_year, to_year;
    gboolean open_access, offline, allow_private;
} fetch_args;

static void
init_fetch(gpointer data)
{
    fetch_args *args = data;
    args->limit = 20;
}

static GOptionEntry *
fetch_entries(gpointer data)
{
    fetch_args *args = data;
    const GOptionEntry entries[] = {
        {"output", 'o', 0, G_OPTION_ARG_FILENAME, &args->output,
         "Folder for the papers, made when missing (no default)", "DIR"},
        {"limit", 'n', 0, G_OPTION_ARG_INT, &args->limit, "Papers, 1 to 1000 (default: 20)", "N"},
        {"provider", 'p', 0, G_OPTION_ARG_STRING, &args->providers,
         "Catalogues to ask together, NAME[=URL],... (default: science, that is all that need no "
         "key "
         "or have one)",
         "LIST"},
        {"from-year", 0, 0, G_OPTION_ARG_INT, &args->from_year,
         "Papers of this year or later (default: all)", "YEAR"},
        {"to-year", 0, 0, G_OPTION_ARG_INT, &args->to_year,
         "Papers of this year or earlier (default: all)", "YEAR"},
        {"open-access", 0, 0, G_OPTION_ARG_NONE, &args->open_access,
         "Ask only for papers that can be read freely, where a catalogue can tell (default: all, "
         "abstracts of the others)",
         NULL},
        {"contact", 0, 0, G_OPTION_ARG_STRING, &args->contact,
         "Your mail address, told to the servers that are asked; Unpaywall answers nobody without "
         "(default: none)",
         "TEXT"},
        {"offline", 0, 0, G_OPTION_ARG_NONE, &args->offline,
         "Only what earlier runs have left in the cache (default: off)", NULL},
        {"cache", 0, 0, G_OPTION_ARG_FILENAME, &args->cache,
         "Folder of the cache (default: lode/web in the user's cache folder)", "DIR"},
        {"allow-private", 0, 0, G_OPTION_ARG_NONE, &args->allow_private,
         "Download from private and loopback addresses too (default: off)", NULL},
        G_OPTION_ENTRY_NULL,
    };
    return g_memdup2(entries, sizeof entries);
}

typedef struct {
    const fetch_args *args;
    guint n_fetched, n_kept, n_abstracts;
} display;

static void
on_answer(const search_answer *answer, void *user_data)
{
    const display *d = user_data;
    if (answer->error != NULL)
        cli_note(&d->args->common, "%s", answer->error->message);
    else
        cli_note(&d->args->common, "%s: %u papers", search_provider_name(answer->provider),
                 answer->hits->len);
}

static void
on_paper(const search_paper *paper, guint n_done, guint n_total, void *user_data)
{
    display *d = user_data;
    const char *title = paper->hit->title != NULL ? paper->hit->title : paper->hit->url;

    d->n_fetched += paper->state == SEARCH_PAPER_FETCHED;
    d->n_kept += paper->state == SEARCH_PAPER_KEPT;
    d->n_abstracts += paper->state == SEARCH_PAPER_ABSTRACT_ONLY;
    if (d->args->common.json) return;
    if (paper->state == SEARCH_PAPER_ABSTRACT_ONLY)
        cli_print("%u/%u  no free PDF  %s (%s)\n", n_done, n_total, title, paper->reason);
    else
        cli_print("%u/%u  %s  %s%s%s\n", n_done, n_total, paper->file, title,
                  paper->state == SEARCH_PAPER_KEPT ? " (there already)" : "",
                  paper->hit->retracted ? " RETRACTED" : "");
}

/* The folder's record, as it lies there now. */
static int
print_record(const char *folder)
{
    g_autofree char *path = g_build_filename(folder, "papers.json", NULL), *text = NULL;
    g_autoptr(GError) error = NULL;
    gsize len = 0;

    if (!g_file_get_contents(path, &text, &len, &error))
        return cli_error(EXIT_NOTHING_DONE, "%s", error->message);
    cli_write(text, len);
    cli_write("\n", 1);
    return EXIT_ALL_GOOD;
}

static search_client *
open_client(const fetch_args *args, GError **error)
{
    g_autofree char *cache = args->cache != NULL
                                 ? g_strdup(args->cache)
                                 : g_build_filename(g_get_user_cache_dir(), "lode", "web", NULL);
    const search_client_options options = {
        .contact = args->contact,
        .cache_dir = cache,
        .offline = args->offline,
        .allow_private = args->allow_private,
        .cancel = cli_cancel(),
    };
    return search_client_new(&options, error);
}

static int
run_fetch(gpointer data, char **operands, int n_operands)
{
    const fetch_args *args = data;
    g_autoptr(GError) error = NULL;
    display d = {.args = args};

    if (n_operands != 1 || *operands[0] == '\0')
        return cli_usage_error("fetch-papers", "give one question, in quotes");
    if (args->output == NULL) return cli_usage_error("fetch-papers", "where to? give -o DIR");
    if (args->limit < 1 || args->limit > 1000)
        return cli_usage_error("fetch-papers", "--limit: 1 to 1000");
    if (args->from_year < 0 || args->to_year < 0 ||
        (args->to_year > 0 && args->from_year > args->to_year))
        return cli_usage_error("fetch-papers", "--from-year and --to-year: no such years");
    if (!g_utf8_validate(operands[0], -1, NULL))
        return cli_usage_error("fetch-papers", "the question is not UTF-8");
    const char *list = args->providers != NULL ? args->providers : "science";
    g_autoptr(GPtrArray) providers = search_providers_parse(list, &error);
    if (providers == NULL) return cli_usage_error("fetch-papers", "%s", error->message);
    g_autoptr(search_client) client = open_client(args, &error);
    if (client == NULL) return cli_error(EXIT_NOTHING_DONE, "%s", error->message);

    const search_papers_options options = {
        .limit = (guint)args->limit,
        .query = {.year_from = args->from_year,
                  .year_to = args->to_year,
                  .open_access = args->open_access},
        .answered = on_answer,
        .progress = on_paper,
        .user_data = &d,
    };
    g_autoptr(GPtrArray) papers =
        search_papers_fetch(client, providers, operands[0], args->output, &options, &error);
    if (papers == NULL) {
        if (g_error_matches(error, SEARCH_ERROR, SEARCH_ERROR_CANCELLED))
            return cli_error(EXIT_NOTHING_DONE,
                             "stopped; the same command goes on where this one was");
        return cli_error(EXIT_NOTHING_DONE, "%s", error->message);
    }
    if (args->common.json) {
        int code = print_record(args->output);
        if (code != EXIT_ALL_GOOD) return code;
    } else {
        cli_print("%u papers downloaded, %u there already, %u without a free PDF\n", d.n_fetched,
                  d.n_kept, d.n_abstracts);
    }
    if (papers->len == 0) return cli_error(EXIT_INSUFFICIENT, "no papers were found");
    return EXIT_ALL_GOOD;
}

const command cmd_fetch_papers = {
    .name = "fetch-papers",
    .summary = "find papers and download those that are free to read",
    .usage = "\"QUESTION\" -o DIR [OPTIONS]",
    .description =
        "Asks catalogues of papers (arXiv, Semantic Scholar, OpenAlex, Crossref, Europe PMC, "
        "PubMed; CORE with a\n"
        "key), joins what they find, and downloads each paper that has a free copy: from arXiv, "
        "Europe PMC, where\n"
        "Unpaywall or a catalogue knows one, or where its page names one. Paywalls are left "
        "alone.\n\n"
        "Beside the PDFs lie papers.json (source, licence, version, date and SHA-256 of each; why "
        "a paper has no\n"
        "file), papers.bib and papers.csl.json, which lode index takes with --metadata. The same "
        "command again\n"
        "downloads only what is missing.\n\n"
        "Keys come from the environment: CORE_API_KEY; S2_API_KEY, OPENALEX_API_KEY and "
        "NCBI_API_KEY allow more\n"
        "than those without. Crossref, OpenAlex and PubMed are kinder to who gives --contact.",
    .examples = "  $ lode fetch-papers \"ammonia synthesis on ceria foams\" -o papers/ --contact "
                "you@example.org\n"
                "  $ lode index papers/ -L lib/ --metadata papers/papers.bib",
    .args_size = sizeof(fetch_args),
    .init = init_fetch,
    .entries = fetch_entries,
    .run = run_fetch,
};

/* lode convert --check: where every glyph of every page went, and whether any was lost. */
#include "pipelines/convert_check.h"

static void
append_count(GString *line, const char *separator, guint64 n, const char *name)
{
    if (n > 0) g_string_append_printf(line, "%s%" G_GUINT64_FORMAT " %s", separator, n, name);
}

typedef struct {
    guint64 n_glyphs, n_text, n_table, n_figure, n_furniture, n_discarded;
    guint64 by_reason[LAYOUT_N_DISCARD_REASONS];
} totals;

static void
add_page(totals *sum, const layout_ledger *ledger)
{
    sum->n_glyphs += ledger->n_glyphs;
    sum->n_text += ledger->n_text;
    sum->n_table += ledger->n_table;
    sum->n_figure += ledger->n_figure;
    sum->n_furniture += ledger->n_furniture;
    for (guint i = 0; i < LAYOUT_N_DISCARD_REASONS; i++) {
        sum->n_discarded += ledger->n_discarded[i];
        sum->by_reason[i] += ledger->n_discarded[i];
    }
}

static void
append_totals(GString *line, const totals *sum)
{
    g_string_append_printf(line, "%" G_GUINT64_FORMAT " glyphs", sum->n_glyphs);
    append_count(line, ": ", sum->n_text, "text");
    append_count(line, ", ", sum->n_table, "table");
    append_count(line, ", ", sum->n_figure, "figure");
    append_count(line, ", ", sum->n_furniture, "furniture");
    append_count(line, ", ", sum->n_discarded, "discarded");
    const char *separator = " (";
    for (guint i = 0; i < LAYOUT_N_DISCARD_REASONS; i++) {
        append_count(line, separator, sum->by_reason[i],
                     layout_discard_reason_name((layout_discard_reason)i));
        if (sum->by_reason[i] > 0) separator = ", ";
    }
    if (sum->n_discarded > 0) g_string_append_c(line, ')');
}

/* One line for the file, and one for each page that does not balance; FALSE where there is one. */
static gboolean
print_ledger(const char *name, const lode_document *document)
{
    g_autoptr(GString) pages = g_string_new(NULL);
    totals sum = {0};
    guint n_bad = 0, n_pages = 0;
    for (guint i = 0; i < document->n_pages; i++) {
        if (document->pages[i].skipped) continue;
        const layout_ledger *ledger = &document->pages[i].ledger;
        n_pages++;
        add_page(&sum, ledger);
        if (layout_ledger_balances(ledger)) continue;
        totals page = {0};
        add_page(&page, ledger);
        n_bad++;
        g_string_append_printf(pages, "%s: page %u: ", name, i + 1);
        append_totals(pages, &page);
        g_string_append(pages, ": does not balance\n");
    }
    g_autoptr(GString) line = g_string_new(name);
    g_string_append_printf(line, ": %u page%s, ", n_pages, n_pages == 1 ? "" : "s");
    append_totals(line, &sum);
    if (n_bad > 0)
        g_string_append_printf(line, ": %u page%s not balanced\n", n_bad, n_bad == 1 ? "" : "s");
    else
        g_string_append(line, ": balanced\n");
    cli_write(line->str, line->len);
    cli_write(pages->str, pages->len);
    return n_bad == 0;
}

static json_t *
ledger_to_json(const layout_ledger *ledger)
{
    json_t *discarded = json_object();
    for (guint i = 0; i < LAYOUT_N_DISCARD_REASONS; i++)
        if (ledger->n_discarded[i] > 0)
            json_object_set_new(discarded, layout_discard_reason_name((layout_discard_reason)i),
                                json_integer(ledger->n_discarded[i]));
    return json_pack("{s:i, s:i, s:i, s:i, s:i, s:o, s:b}", "drawn", ledger->n_glyphs, "text",
                     ledger->n_text, "table", ledger->n_table, "figure", ledger->n_figure,
                     "furniture", ledger->n_furniture, "discarded", discarded, "balanced",
                     layout_ledger_balances(ledger));
}

static gboolean
append_json(json_t *files, const char *name, const lode_document *document)
{
    gboolean good = TRUE;
    json_t *pages = json_array();
    for (guint i = 0; i < document->n_pages; i++) {
        good = good && layout_ledger_balances(&document->pages[i].ledger);
        json_array_append_new(pages, ledger_to_json(&document->pages[i].ledger));
    }
    json_array_append_new(
        files, json_pack("{s:s, s:b, s:o}", "input", name, "balanced", good, "pages", pages));
    return good;
}

int
convert_check(const common_args *args, GPtrArray *inputs, const pipelines_batch_options *options)
{
    pipelines_worker *worker = pipelines_worker_new(&options->worker);
    json_t *files = json_array();
    guint n_good = 0, n_read = 0;
    for (guint i = 0; i < inputs->len && !pipelines_cancelled(options->cancel); i++) {
        pipelines_job job = {
            .path = inputs->pdata[i],
            .password = options->password,
            .pages = options->pages,
            .keep_hidden = options->keep_hidden,
            .want_document = TRUE,
        };
        pipelines_job_result result = {0};
        g_autoptr(GError) error = NULL;
        g_autofree char *name = g_filename_display_name(job.path);
        if (pipelines_check_input(job.path, &error) &&
            pipelines_worker_run(worker, &job, options->cancel, &result, &error)) {
            n_read++;
            gboolean good = args->json ? append_json(files, name, result.document)
                                       : print_ledger(name, result.document);
            n_good += good ? 1 : 0;
        } else {
            cli_file_error(job.path, error->message);
        }
        pipelines_job_result_clear(&result);
    }
    pipelines_worker_free(worker);
    if (args->json) cli_print_json(files);
    json_decref(files);
    if (n_good == inputs->len) return EXIT_ALL_GOOD;
    return n_read > 0 ? EXIT_SOME_FAILED : EXIT_NOTHING_DONE;
}

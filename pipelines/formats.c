/* What a document can be written as: the one table that the command line, the public API, the folder of outputs and
 * help are made of. A new format is a line here and a bit in lode.h. */
#include "pipelines/internal.h"

#include <string.h>

static char *
write_bibtex(const lode_document *document, const layout_write_options *options)
{
    (void)options;
    return layout_document_to_bibtex(document);
}

static char *
write_csl(const lode_document *document, const layout_write_options *options)
{
    (void)options;
    return layout_document_to_csl(document);
}

static gboolean
stream_markdown(const lode_document *document, const layout_write_options *options,
                layout_write_fn write, void *user_data)
{
    return layout_document_write_markdown(document, options, NULL, write, user_data);
}

static const pipelines_format FORMATS[] = {
    {LODE_FORMAT_MARKDOWN, "md", "markdown", ".md", "Markdown", layout_document_to_markdown,
     stream_markdown},
    {LODE_FORMAT_JSON, "json", NULL, ".json", "the whole document, with boxes",
     layout_document_to_traced_json, layout_document_write_traced_json},
    {LODE_FORMAT_CONTENT_LIST, "content_list", NULL, "_content_list.json", "MinerU's content list",
     layout_document_to_content_list, layout_document_write_content_list},
    {LODE_FORMAT_MIDDLE, "middle", NULL, "_middle.json", "MinerU's middle file",
     layout_document_to_middle, NULL},
    {LODE_FORMAT_HTML, "html", NULL, ".html", "HTML", layout_document_to_html, NULL},
    {LODE_FORMAT_TEXT, "text", "txt", ".txt", "text alone", layout_document_to_text, NULL},
    {LODE_FORMAT_LAYOUT, "layout", NULL, "_layout.pdf", "the source with every block drawn", NULL,
     NULL},
    {LODE_FORMAT_BIBTEX, "bib", "bibtex", ".bib", "its references as BibTeX", write_bibtex, NULL},
    {LODE_FORMAT_CSL, "csl", NULL, "_csl.json", "its references as CSL JSON", write_csl, NULL},
    {LODE_FORMAT_CSV, "csv", NULL, ".csv", "each table as CSV", layout_document_to_csv, NULL},
    {LODE_FORMAT_PDF_OCR, "pdf-ocr", "pdf_ocr", "_ocr.pdf", "the source, its scans searchable",
     NULL, NULL},
};

const pipelines_format *
pipelines_formats(size_t *n)
{
    *n = G_N_ELEMENTS(FORMATS);
    return FORMATS;
}

const pipelines_format *
pipelines_format_by_flag(unsigned flag)
{
    for (size_t i = 0; i < G_N_ELEMENTS(FORMATS); i++)
        if (FORMATS[i].flag == flag) return &FORMATS[i];
    return NULL;
}

static unsigned
flags_of(const char *name)
{
    if (strcmp(name, "all") == 0) return LODE_FORMAT_ALL;
    if (strcmp(name, "default") == 0) return LODE_FORMAT_DEFAULT;
    for (size_t i = 0; i < G_N_ELEMENTS(FORMATS); i++)
        if (strcmp(FORMATS[i].name, name) == 0 || g_strcmp0(FORMATS[i].alias, name) == 0)
            return FORMATS[i].flag;
    return 0;
}

char *
pipelines_format_names(unsigned flags)
{
    GString *names = g_string_new(NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(FORMATS); i++)
        if (flags & FORMATS[i].flag)
            g_string_append_printf(names, "%s%s", names->len > 0 ? ", " : "", FORMATS[i].name);
    return g_string_free(names, FALSE);
}

gboolean
pipelines_formats_parse(const char *list, unsigned *flags, GError **error)
{
    g_auto(GStrv) names = g_strsplit(list, ",", -1);
    *flags = 0;
    for (char **name = names; *name != NULL; name++) {
        const unsigned found = flags_of(g_strstrip(*name));
        if (found == 0) {
            g_autofree char *known = pipelines_format_names(LODE_FORMAT_ALL);
            g_set_error(error, PIPELINES_ERROR, LODE_ERROR_ARGUMENT,
                        "%s: unknown, choose from %s, all", *name, known);
            return FALSE;
        }
        *flags |= found;
    }
    if (*flags != 0) return TRUE;
    g_set_error_literal(error, PIPELINES_ERROR, LODE_ERROR_ARGUMENT, "no format is named");
    return FALSE;
}

gboolean
pipelines_ocr_mode_parse(const char *name, layout_ocr_mode *mode)
{
    static const char *const names[] = {"auto", "off", "force"};
    *mode = LAYOUT_OCR_AUTO;
    for (guint i = 0; name != NULL && i < G_N_ELEMENTS(names); i++) {
        if (strcmp(name, names[i]) != 0) continue;
        *mode = (layout_ocr_mode)i;
        return TRUE;
    }
    return name == NULL;
}

/* A citation as JSON: all that is needed to find its quote in the file again, and to show it.
 *
 *   {"id": "e1", "number": 1, "kind": "text", "doc": {"sha256", "title", "authors", "year", "venue", "doi", "arxiv"},
 *    "where": {"page", "page_label", "section": [..], "block": "p7.b31", "char": [from, to], "boxes": [..],
 *              "cell": {"row", "column", "row_header", "column_header"}},
 *    "quote", "quote_sha256", "match", "match_score", "retrieval": {"bm25_rank", "dense_rank", "fused"},
 *    "references": [{"call", "key", "text", "authors", "title", "venue", "year", "doi", "arxiv", "url"}, ..],
 *    ...}
 *
 * references: the entries of the document's bibliography that the quote calls, null what could not be read of them, and
 * the words that call each; only in answers from a library. They are no evidence: lode verify leaves them alone.
 *
 * Pages count from 1. The block is its page and its index in the document's blocks; char are bytes of that block's text,
 * null in a table, whose cells are texts of their own, and in a formula, which is quoted as LaTeX. cell is null but for a
 * quote from one cell of a table; rows and columns count from 1, those of the header among them. Boxes are in PDF points, origin at the top left, one per
 * printed line. Paths, titles and pages stand beside doc and where too, for programs that read earlier versions. */
#include <math.h>
#include <string.h>

#include "pipelines/answer.h"

static json_t *
string_or_null(const char *text)
{
    return text != NULL && text[0] != '\0' ? json_string(text) : json_null();
}

/* "Family" of "Given Family". */
static const char *
family_name(const char *author)
{
    const char *space = strrchr(author, ' ');
    return space != NULL && space[1] != '\0' ? space + 1 : author;
}

char *
pipelines_place_name(const retrieval_hit *hit, int page, const char *label)
{
    if (hit->boxes == NULL ||
        hit->boxes->len == 0) { /* an office file, a book: pages are not known */
        const gboolean named = hit->section != NULL && hit->section[0] != '\0';
        return named ? g_strdup_printf("section \"%s\"", hit->section) : NULL;
    }
    g_autofree char *number = g_strdup_printf("%d", page);
    if (label == NULL || strcmp(label, number) == 0) return g_strdup_printf("p. %s", number);
    return g_strdup_printf("p. %s (page %s of the file)", label, number);
}

char *
pipelines_work_name(const retrieval_hit *hit)
{
    enum { MAX_TITLE = 60 };
    guint n = hit->authors != NULL ? g_strv_length(hit->authors) : 0;
    g_autofree char *year = hit->year > 0 ? g_strdup_printf(" %d", hit->year) : g_strdup("");
    if (n == 1) return g_strconcat(family_name(hit->authors[0]), year, NULL);
    if (n == 2)
        return g_strdup_printf("%s and %s%s", family_name(hit->authors[0]),
                               family_name(hit->authors[1]), year);
    if (n > 2) return g_strdup_printf("%s et al.%s", family_name(hit->authors[0]), year);
    if (hit->title == NULL) return g_strdup("untitled");
    if (g_utf8_strlen(hit->title, -1) <= MAX_TITLE) return g_strconcat(hit->title, year, NULL);
    g_autofree char *cut = g_utf8_substring(hit->title, 0, MAX_TITLE);
    char *space = strrchr(cut, ' ');
    if (space != NULL) *space = '\0';
    return g_strdup_printf("%s...%s", cut, year);
}

char *
pipelines_cell_name(const lode_answer *answer, size_t index)
{
    if (index >= answer->cells->len) return NULL;
    const pipelines_cell *cell = &g_array_index(answer->cells, pipelines_cell, index);
    if (cell->row == 0) return NULL;
    GString *name = g_string_new(NULL);
    if (cell->row_header != NULL)
        g_string_append_printf(name, "row \"%s\"", cell->row_header);
    else
        g_string_append_printf(name, "row %u", cell->row);
    if (cell->col_header != NULL)
        g_string_append_printf(name, ", column \"%s\"", cell->col_header);
    else
        g_string_append_printf(name, ", column %u", cell->col);
    return g_string_free(name, FALSE);
}

static const char *
kind_of(layout_block_type type)
{
    switch (type) {
    case LAYOUT_BLOCK_TABLE:
        return "table";
    case LAYOUT_BLOCK_FIGURE:
    case LAYOUT_BLOCK_CAPTION:
        return "figure";
    case LAYOUT_BLOCK_FORMULA:
        return "equation";
    case LAYOUT_BLOCK_REFERENCE:
        return "reference";
    default:
        return "text";
    }
}

static json_t *
doc_to_json(const retrieval_hit *hit)
{
    json_t *authors = json_array();
    for (char **author = hit->authors; author != NULL && *author != NULL; author++)
        json_array_append_new(authors, json_string(*author));
    json_t *json = json_object();
    json_object_set_new(json, "sha256", string_or_null(hit->sha256));
    json_object_set_new(json, "path", pipelines_json_path(hit->path));
    json_object_set_new(json, "title", string_or_null(hit->title));
    json_object_set_new(json, "authors", authors);
    json_object_set_new(json, "year", hit->year > 0 ? json_integer(hit->year) : json_null());
    json_object_set_new(json, "venue", string_or_null(hit->venue));
    json_object_set_new(json, "doi", string_or_null(hit->doi));
    json_object_set_new(json, "arxiv", string_or_null(hit->arxiv));
    return json;
}

/* Points, to the hundredth: what is written is what is read again, to the last bit. */
static json_t *
coordinate(float value)
{
    return json_real(round((double)value * 100) / 100);
}

static json_t *
boxes_to_json(const GArray *boxes)
{
    json_t *json = json_array();
    for (guint i = 0; i < boxes->len; i++) {
        const layout_box *box = &g_array_index(boxes, layout_box, i);
        json_array_append_new(json, json_pack("{s:i, s:[o,o,o,o]}", "page", box->page + 1, "box",
                                              coordinate(box->rect.x0), coordinate(box->rect.y0),
                                              coordinate(box->rect.x1), coordinate(box->rect.y1)));
    }
    return json;
}

static json_t *
section_to_json(const char *section)
{
    json_t *json = json_array();
    if (section == NULL || section[0] == '\0') return json;
    g_auto(GStrv) parts = g_strsplit(section, " > ", -1);
    for (char **part = parts; *part != NULL; part++)
        json_array_append_new(json, json_string(*part));
    return json;
}

/* The cell that is quoted; null where it is not one. */
static json_t *
cell_to_json(const lode_answer *answer, size_t index)
{
    if (index >= answer->cells->len) return json_null();
    const pipelines_cell *cell = &g_array_index(answer->cells, pipelines_cell, index);
    if (cell->row == 0) return json_null();
    json_t *json = json_object();
    json_object_set_new(json, "row", json_integer(cell->row));
    json_object_set_new(json, "column", json_integer(cell->col));
    json_object_set_new(json, "row_header", string_or_null(cell->row_header));
    json_object_set_new(json, "column_header", string_or_null(cell->col_header));
    return json;
}

static json_t *
where_to_json(const lode_answer *answer, size_t index, const retrieval_hit *hit,
              const pipelines_citation *c)
{
    pipelines_location at = pipelines_quote_location(hit, c->quote.start, c->quote.len);
    g_autoptr(GArray) boxes = pipelines_quote_boxes(hit, c->quote.start, c->quote.len);
    json_t *json = json_object();
    json_object_set_new(json, "page", json_integer(at.page + 1));
    json_object_set_new(json, "last_page", json_integer(at.last_page + 1));
    json_object_set_new(json, "page_label",
                        string_or_null(lode_citation_page_label(answer, index)));
    json_object_set_new(json, "section", section_to_json(hit->section));
    gboolean known = at.block != LAYOUT_NONE;
    json_object_set_new(json, "block",
                        known ? json_sprintf("p%d.b%d", at.page + 1, at.block) : json_null());
    json_object_set_new(json, "last_block",
                        known ? json_sprintf("p%d.b%d", at.last_page + 1, at.last_block)
                              : json_null());
    json_object_set_new(json, "char",
                        known && hit->type != LAYOUT_BLOCK_TABLE &&
                                hit->type != LAYOUT_BLOCK_FORMULA
                            ? json_pack("[I, I]", (json_int_t)at.block_start,
                                        (json_int_t)at.block_start + at.block_len)
                            : json_null());
    json_object_set_new(json, "boxes", boxes_to_json(boxes));
    json_object_set_new(json, "cell", cell_to_json(answer, index));
    return json;
}

json_t *
pipelines_evidence_to_json(const lode_answer *answer, size_t index)
{
    const pipelines_citation *c = &g_array_index(answer->citations, pipelines_citation, index);
    const retrieval_hit *hit = answer->hits->pdata[c->passage];
    const char *quote = answer->quotes->pdata[index];
    g_autofree char *hash = g_compute_checksum_for_string(G_CHECKSUM_SHA256, quote, -1);
    json_t *where = where_to_json(answer, index, hit, c);
    json_t *json = json_object();
    json_object_set_new(json, "id", json_sprintf("e%zu", index + 1));
    json_object_set_new(json, "number", json_integer(c->number));
    json_object_set_new(json, "kind", json_string(kind_of(hit->type)));
    json_object_set_new(json, "work", string_or_null(answer->works->pdata[index]));
    json_object_set_new(json, "doc", doc_to_json(hit));
    json_object_set_new(json, "where", where);
    json_object_set_new(json, "quote", json_string(quote));
    json_object_set_new(json, "quote_sha256", json_string(hash));
    json_object_set_new(json, "match", json_string(pipelines_match_name(c->match)));
    json_object_set_new(json, "match_score", json_real(c->match_score));
    json_object_set_new(json, "retrieval",
                        json_pack("{s:i, s:i, s:f}", "bm25_rank", hit->bm25_rank, "dense_rank",
                                  hit->dense_rank, "fused", hit->score));
    if (index < answer->references->len)
        json_object_set_new(json, "references", pipelines_references_to_json(answer, index));
    json_object_set_new(json, "title", string_or_null(hit->title));
    json_object_set_new(json, "path", pipelines_json_path(hit->path));
    json_object_set_new(json, "sha256", string_or_null(hit->sha256));
    json_object_set_new(json, "section", string_or_null(hit->section));
    json_object_set(json, "page", json_object_get(where, "page"));
    json_object_set(json, "page_label", json_object_get(where, "page_label"));
    json_object_set(json, "boxes", json_object_get(where, "boxes"));
    return json;
}

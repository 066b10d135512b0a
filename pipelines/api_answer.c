/* lode.h: reading an answer. */
#include "pipelines/answer.h"

#include <string.h>

lode_box
pipelines_box(const layout_box *box)
{
    return (lode_box){box->page + 1, (double)box->rect.x0, (double)box->rect.y0,
                      (double)box->rect.x1, (double)box->rect.y1};
}

lode_answer_status
lode_answer_get_status(const lode_answer *answer)
{
    return answer->status;
}

const char *
lode_answer_text(const lode_answer *answer)
{
    return answer->text->str;
}

char *
lode_answer_to_json(const lode_answer *answer)
{
    g_autoptr(json_t) json = pipelines_answer_to_json(answer);
    return pipelines_json_text(json);
}

static const pipelines_citation *
citation_at(const lode_answer *answer, size_t index)
{
    return index < answer->citations->len
               ? &g_array_index(answer->citations, pipelines_citation, index)
               : NULL;
}

static const retrieval_hit *
cited_hit(const lode_answer *answer, size_t index)
{
    const pipelines_citation *c = citation_at(answer, index);
    return c != NULL ? answer->hits->pdata[c->passage] : NULL;
}

size_t
lode_answer_n_citations(const lode_answer *answer)
{
    return answer->citations->len;
}

int
lode_citation_number(const lode_answer *answer, size_t index)
{
    const pipelines_citation *c = citation_at(answer, index);
    return c != NULL ? c->number : 0;
}

const char *
lode_citation_title(const lode_answer *answer, size_t index)
{
    const retrieval_hit *hit = cited_hit(answer, index);
    return hit != NULL ? hit->title : NULL;
}

const char *
lode_citation_path(const lode_answer *answer, size_t index)
{
    const retrieval_hit *hit = cited_hit(answer, index);
    return hit != NULL ? hit->path : NULL;
}

const char *
lode_citation_quote(const lode_answer *answer, size_t index)
{
    return index < answer->quotes->len ? answer->quotes->pdata[index] : NULL;
}

static pipelines_location
location_of(const lode_answer *answer, size_t index)
{
    const pipelines_citation *c = citation_at(answer, index);
    return pipelines_quote_location(cited_hit(answer, index), c->quote.start, c->quote.len);
}

int
lode_citation_page_number(const lode_answer *answer, size_t index)
{
    return citation_at(answer, index) != NULL ? location_of(answer, index).page + 1 : 0;
}

const char *
lode_citation_page_label(const lode_answer *answer, size_t index)
{
    const retrieval_hit *hit = cited_hit(answer, index);
    if (hit == NULL) return NULL;
    /* the library keeps the label of a passage's first page only */
    return location_of(answer, index).page == hit->first_page ? hit->page_label : NULL;
}

size_t
lode_citation_n_boxes(const lode_answer *answer, size_t index)
{
    const pipelines_citation *c = citation_at(answer, index);
    if (c == NULL) return 0;
    g_autoptr(GArray) boxes =
        pipelines_quote_boxes(cited_hit(answer, index), c->quote.start, c->quote.len);
    return boxes->len;
}

lode_box
lode_citation_box(const lode_answer *answer, size_t index, size_t box)
{
    const pipelines_citation *c = citation_at(answer, index);
    if (c == NULL) return (lode_box){0};
    g_autoptr(GArray) boxes =
        pipelines_quote_boxes(cited_hit(answer, index), c->quote.start, c->quote.len);
    return box < boxes->len ? pipelines_box(&g_array_index(boxes, layout_box, box)) : (lode_box){0};
}

const char *
lode_citation_work(const lode_answer *answer, size_t index)
{
    return index < answer->works->len ? answer->works->pdata[index] : NULL;
}

static const pipelines_cell *
cell_at(const lode_answer *answer, size_t index)
{
    static const pipelines_cell none = {0};
    return index < answer->cells->len ? &g_array_index(answer->cells, pipelines_cell, index)
                                      : &none;
}

int
lode_citation_row(const lode_answer *answer, size_t index)
{
    return (int)cell_at(answer, index)->row;
}

int
lode_citation_column(const lode_answer *answer, size_t index)
{
    return (int)cell_at(answer, index)->col;
}

const char *
lode_citation_row_header(const lode_answer *answer, size_t index)
{
    return cell_at(answer, index)->row_header;
}

const char *
lode_citation_column_header(const lode_answer *answer, size_t index)
{
    return cell_at(answer, index)->col_header;
}

const char *
lode_citation_match(const lode_answer *answer, size_t index)
{
    const pipelines_citation *c = citation_at(answer, index);
    return c != NULL ? pipelines_match_name(c->match) : NULL;
}

char *
lode_answer_to_html(const lode_answer *answer)
{
    return pipelines_answer_html(answer);
}

lode_verify_options
lode_verify_options_default(void)
{
    return (lode_verify_options){.struct_size = sizeof(lode_verify_options)};
}

lode_status
lode_verify(const char *json, const lode_verify_options *options, lode_verify_report *report,
            lode_error *error)
{
    if (json == NULL || report == NULL)
        return pipelines_fail_argument(error, "json and report must not be NULL");
    GError *failure = NULL;
    return pipelines_verify(json, strlen(json), options, report, &failure)
               ? LODE_OK
               : pipelines_fail(error, failure);
}

/* ---- claims ---- */

static const pipelines_claim *
claim_at(const lode_answer *answer, size_t index)
{
    return index < answer->claims->len ? answer->claims->pdata[index] : NULL;
}

size_t
lode_answer_n_claims(const lode_answer *answer)
{
    return answer->claims->len;
}

const char *
lode_claim_text(const lode_answer *answer, size_t index)
{
    const pipelines_claim *claim = claim_at(answer, index);
    return claim != NULL ? claim->text : NULL;
}

int
lode_claim_is_supported(const lode_answer *answer, size_t index)
{
    const pipelines_claim *claim = claim_at(answer, index);
    return claim != NULL && claim->supported;
}

const char *
lode_claim_problem(const lode_answer *answer, size_t index)
{
    const pipelines_claim *claim = claim_at(answer, index);
    return claim != NULL ? claim->problem : NULL;
}

size_t
lode_claim_n_citations(const lode_answer *answer, size_t index)
{
    const pipelines_claim *claim = claim_at(answer, index);
    return claim != NULL ? claim->citations->len : 0;
}

size_t
lode_claim_citation(const lode_answer *answer, size_t index, size_t citation)
{
    const pipelines_claim *claim = claim_at(answer, index);
    return claim != NULL && citation < claim->citations->len
               ? g_array_index(claim->citations, guint, citation)
               : 0;
}

const char *
lode_answer_short(const lode_answer *answer)
{
    return answer->short_answer;
}

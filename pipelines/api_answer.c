/* lode.h: reading an answer. */
#include "pipelines/internal.h"

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
    return c != NULL ? (int)c->passage + 1 : 0;
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

/* A passage that runs over a page break knows the page of each printed line, not of each character: the line at
 * the same share of the text tells, lines of a passage being about equally long. */
static int
page_of_quote(const retrieval_hit *hit, const pipelines_quote *quote)
{
    if (hit->first_page == hit->last_page || hit->boxes == NULL || hit->boxes->len == 0)
        return hit->first_page;
    gsize len = MAX(strlen(hit->text), 1);
    gsize middle = MIN(quote->start + quote->len / 2, len - 1);
    guint line = (guint)((guint64)middle * hit->boxes->len / len);
    return g_array_index(hit->boxes, layout_box, line).page;
}

int
lode_citation_page_number(const lode_answer *answer, size_t index)
{
    const pipelines_citation *c = citation_at(answer, index);
    return c != NULL ? page_of_quote(cited_hit(answer, index), &c->quote) + 1 : 0;
}

const char *
lode_citation_page_label(const lode_answer *answer, size_t index)
{
    const pipelines_citation *c = citation_at(answer, index);
    if (c == NULL) return NULL;
    const retrieval_hit *hit = cited_hit(answer, index);
    /* the library keeps the label of a passage's first page only */
    return page_of_quote(hit, &c->quote) == hit->first_page ? hit->page_label : NULL;
}

size_t
lode_citation_n_boxes(const lode_answer *answer, size_t index)
{
    const retrieval_hit *hit = cited_hit(answer, index);
    return hit != NULL && hit->boxes != NULL ? hit->boxes->len : 0;
}

lode_box
lode_citation_box(const lode_answer *answer, size_t index, size_t box)
{
    if (box >= lode_citation_n_boxes(answer, index)) return (lode_box){0};
    return pipelines_box(&g_array_index(cited_hit(answer, index)->boxes, layout_box, box));
}

/* An answer's JSON against the documents it cites, without any model.
 *
 * A file must have the very bytes that were indexed (SHA-256). It is read and cut into passages as it was then, and each
 * quote must stand in one of them character by character, on the page, in the block, at the characters and in the
 * boxes that the answer says. The numbers of each supported claim must be those of its quotes, every id it cites must
 * exist, and the answer's text must be its claims and nothing else. */
#include <math.h>
#include <string.h>

#include "pipelines/answer.h"

/* points: a step of the grid on which a library keeps boxes, a sixteenth, and what printing costs: a coordinate that was
 * printed on its way may fall on the other side of a step */
#define BOX_TOLERANCE 0.08

typedef struct {
    const json_t *answer;
    const char *password;
    const int *cancel;
    lode_verify_report *report;
    void (*problem)(const char *id, const char *message, void *user_data);
    void *user_data;
    GHashTable
        *sentences; /* id -> what stands around the quote, of char *; for those that are found */
} verifier;

static void complain(verifier *v, const char *id, const char *format, ...) G_GNUC_PRINTF(3, 4);

static void
complain(verifier *v, const char *id, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    if (v->problem != NULL) v->problem(id, message, v->user_data);
}

/* ---- one quote ---- */

static gboolean
same_boxes(const json_t *said, const GArray *boxes)
{
    if (json_array_size(said) != boxes->len) return FALSE;
    for (guint i = 0; i < boxes->len; i++) {
        const layout_box *box = &g_array_index(boxes, layout_box, i);
        const double there[4] = {(double)box->rect.x0, (double)box->rect.y0, (double)box->rect.x1,
                                 (double)box->rect.y1};
        const json_t *item = json_array_get(said, i), *rect = json_object_get(item, "box");
        if (json_integer_value(json_object_get(item, "page")) != box->page + 1) return FALSE;
        for (size_t j = 0; j < 4; j++)
            if (!(fabs(json_number_value(json_array_get(rect, j)) - there[j]) <= BOX_TOLERANCE))
                return FALSE;
    }
    return TRUE;
}

/* Is the cell the one that the answer says, with the same headers? Answers of before there were cells say nothing. */
static gboolean
is_same_cell(const json_t *said, const retrieval_hit *hit, size_t start, size_t len)
{
    pipelines_cell cell;
    const gboolean found = pipelines_cell_read(hit, start, len, &cell);
    gboolean same = said == NULL || json_is_null(said) != found;
    if (json_is_object(said) && found)
        same = json_integer_value(json_object_get(said, "row")) == (json_int_t)cell.row &&
               json_integer_value(json_object_get(said, "column")) == (json_int_t)cell.col &&
               strcmp(pipelines_json_member(said, "row_header"),
                      cell.row_header ? cell.row_header : "") == 0 &&
               strcmp(pipelines_json_member(said, "column_header"),
                      cell.col_header ? cell.col_header : "") == 0;
    pipelines_cell_clear(&cell);
    return same;
}

/* Does the answer say that the stretch of this passage is where it is? */
static gboolean
is_place(const json_t *where, const retrieval_hit *hit, size_t start, size_t len)
{
    pipelines_location at = pipelines_quote_location(hit, start, len);
    if (json_integer_value(json_object_get(where, "page")) != at.page + 1) return FALSE;
    g_autofree char *block = g_strdup_printf("p%d.b%d", at.page + 1, at.block);
    if (at.block != LAYOUT_NONE && strcmp(pipelines_json_member(where, "block"), block) != 0)
        return FALSE;
    const json_t *range = json_object_get(where, "char");
    if (json_is_array(range) &&
        (json_integer_value(json_array_get(range, 0)) != (json_int_t)at.block_start ||
         json_integer_value(json_array_get(range, 1)) != (json_int_t)at.block_start + at.block_len))
        return FALSE;
    if (!is_same_cell(json_object_get(where, "cell"), hit, start, len)) return FALSE;
    g_autoptr(GArray) boxes = pipelines_quote_boxes(hit, start, len);
    return same_boxes(json_object_get(where, "boxes"), boxes);
}

static retrieval_hit
hit_of(const retrieval_chunk *chunk)
{
    return (retrieval_hit){.text = chunk->text,
                           .section = chunk->section,
                           .type = chunk->type,
                           .first_page = chunk->first_page,
                           .last_page = chunk->last_page,
                           .places = chunk->places};
}

/* The quote with the rest of the sentences it stands in. */
static char *
sentences_around(const retrieval_hit *hit, size_t start, size_t len)
{
    const char *text = hit->text;
    g_autoptr(GArray) sentences = pipelines_hit_sentences(hit);
    size_t from = start, to = start + len;
    for (guint i = 0; i < sentences->len; i++) {
        const pipelines_quote *s = &g_array_index(sentences, pipelines_quote, i);
        if (s->start >= start + len || s->start + s->len <= start) continue;
        from = MIN(from, s->start);
        to = MAX(to, (size_t)s->start + s->len);
    }
    return g_strndup(text + from, to - from);
}

/* FALSE: it does not stand there, and the caller has been told. */
static gboolean
check_quote(verifier *v, const json_t *citation, const GPtrArray *chunks)
{
    const char *id = pipelines_json_member(citation, "id"),
               *quote = pipelines_json_member(citation, "quote");
    const json_t *where = json_object_get(citation, "where");
    g_autofree char *hash = g_compute_checksum_for_string(G_CHECKSUM_SHA256, quote, -1);
    if (quote[0] == '\0') {
        complain(v, id, "there is no quote");
        return FALSE;
    }
    if (strcmp(hash, pipelines_json_member(citation, "quote_sha256")) != 0) {
        complain(v, id, "the quote is not the one that was recorded");
        return FALSE;
    }
    int elsewhere = -1;
    for (guint i = 0; i < chunks->len; i++) {
        const retrieval_chunk *chunk = chunks->pdata[i];
        const retrieval_hit hit = hit_of(chunk);
        for (const char *p = chunk->text; (p = strstr(p, quote)) != NULL; p++) {
            size_t start = (size_t)(p - chunk->text);
            if (is_place(where, &hit, start, strlen(quote))) {
                g_hash_table_replace(v->sentences, g_strdup(id),
                                     sentences_around(&hit, start, strlen(quote)));
                return TRUE;
            }
            if (elsewhere < 0)
                elsewhere = pipelines_quote_location(&hit, start, strlen(quote)).page + 1;
        }
    }
    if (elsewhere > 0)
        complain(v, id, "the quote stands on page %d, not at the place the answer gives",
                 elsewhere);
    else
        complain(v, id, "the quote does not stand in the document");
    return FALSE;
}

/* ---- one file ---- */

/* The passages of the file as they were when it was indexed; NULL after a complaint for each quote from it. */
static GPtrArray *
read_file(verifier *v, const char *path, const char *sha256, char **problem)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *now = layout_file_sha256(path, &error);
    if (now == NULL) {
        *problem = g_strdup(error->message);
        return NULL;
    }
    if (strcmp(now, sha256) != 0) {
        *problem = g_strdup_printf("%s: the file has changed since it was indexed", path);
        return NULL;
    }
    layout_options options = {.password = v->password, .cancel = v->cancel};
    lode_document *document = layout_document_open(path, &options, &error);
    if (document == NULL) {
        *problem = g_strdup(error->message);
        return NULL;
    }
    GPtrArray *chunks = retrieval_chunk_document(document, NULL);
    lode_document_free(document);
    return chunks;
}

/* All quotes from the file of citation [first] on that come from the same. */
static void
check_file(verifier *v, const json_t *citations, size_t first, gboolean *done)
{
    const json_t *doc = json_object_get(json_array_get(citations, first), "doc");
    const char *path = pipelines_json_member(doc, "path"),
               *sha256 = pipelines_json_member(doc, "sha256");
    g_autofree char *problem = NULL;
    g_autoptr(GPtrArray) chunks = read_file(v, path, sha256, &problem);
    for (size_t i = first; i < json_array_size(citations); i++) {
        const json_t *citation = json_array_get(citations, i);
        const json_t *other = json_object_get(citation, "doc");
        if (done[i] || strcmp(pipelines_json_member(other, "path"), path) != 0 ||
            strcmp(pipelines_json_member(other, "sha256"), sha256) != 0)
            continue;
        done[i] = TRUE;
        v->report->n_quotes++;
        if (chunks == NULL) complain(v, pipelines_json_member(citation, "id"), "%s", problem);
        if (chunks == NULL || !check_quote(v, citation, chunks)) v->report->n_failed++;
    }
}

/* ---- claims ---- */

static gboolean
has_citation(const json_t *citations, const char *id)
{
    for (size_t i = 0; i < json_array_size(citations); i++)
        if (strcmp(pipelines_json_member(json_array_get(citations, i), "id"), id) == 0) return TRUE;
    return FALSE;
}

static gboolean
check_claim(verifier *v, const json_t *claim, const json_t *citations)
{
    g_autoptr(GString) evidence = g_string_new(NULL);
    const json_t *cites = json_object_get(claim, "cites");
    const char *text = pipelines_json_member(claim, "text");
    for (size_t i = 0; i < json_array_size(cites); i++) {
        const char *id = json_string_value(json_array_get(cites, i));
        if (id == NULL || !has_citation(citations, id)) {
            complain(v, id != NULL ? id : "?", "cited, but not among the sources: %s", text);
            return FALSE;
        }
        const char *sentences = g_hash_table_lookup(v->sentences, id);
        if (sentences == NULL) return TRUE; /* its quote has failed already */
        g_string_append_printf(evidence, "%s\n", sentences);
    }
    if (!json_is_true(json_object_get(claim, "supported"))) return TRUE;
    if (json_array_size(cites) == 0) {
        complain(v, "claim", "called supported, and cites nothing: %s", text);
        return FALSE;
    }
    g_autofree char *missing = NULL;
    if (pipelines_numbers_supported(text, evidence->str, &missing)) return TRUE;
    complain(v, "claim", "its number %s is in none of its quotes: %s", missing, text);
    return FALSE;
}

/* Take the claims out of the answer: nothing may stay but marks. */
static gboolean
is_its_claims(const json_t *answer, const json_t *claims)
{
    g_autofree char *rest = g_strdup(pipelines_json_member(answer, "answer"));
    for (size_t i = 0; i < json_array_size(claims); i++) {
        const char *text = pipelines_json_member(json_array_get(claims, i), "text");
        char *at = text[0] != '\0' ? strstr(rest, text) : NULL;
        if (at != NULL) memset(at, ' ', strlen(text));
    }
    for (char *mark; (mark = strstr(rest, "[unsupported]")) != NULL;)
        memset(mark, ' ', strlen("[unsupported]"));
    return strspn(rest, " \n\"[],0123456789") == strlen(rest);
}

static gboolean
check_claims(verifier *v)
{
    const json_t *claims = json_object_get(v->answer, "claims");
    const json_t *citations = json_object_get(v->answer, "citations");
    gboolean good = TRUE;
    for (size_t i = 0; i < json_array_size(claims); i++) {
        if (check_claim(v, json_array_get(claims, i), citations)) continue;
        v->report->n_failed++;
        good = FALSE;
    }
    if (json_array_size(claims) == 0 || is_its_claims(v->answer, claims)) return good;
    complain(v, "answer", "its text says more than its claims");
    v->report->n_failed++;
    return FALSE;
}

/* ---- all ---- */

static gboolean
check_form(const json_t *answer, GError **error)
{
    if (strcmp(pipelines_json_member(answer, "schema"), "lode-answer") == 0 &&
        json_is_array(json_object_get(answer, "citations")))
        return TRUE;
    g_set_error_literal(error, PIPELINES_ERROR, LODE_ERROR_FORMAT,
                        "not an answer of lode ask --json");
    return FALSE;
}

gboolean
pipelines_verify(const char *json, size_t len, const lode_verify_options *options,
                 lode_verify_report *report, GError **error)
{
    lode_verify_options filled = lode_verify_options_default();
    if (options != NULL) memcpy(&filled, options, MIN(options->struct_size, sizeof filled));
    json_error_t problem;
    g_autoptr(json_t) answer = json_loadb(json, len, 0, &problem);
    *report = (lode_verify_report){0};
    if (answer == NULL) {
        g_set_error(error, PIPELINES_ERROR, LODE_ERROR_FORMAT, "line %d: %s", problem.line,
                    problem.text);
        return FALSE;
    }
    /* a record of a run holds the answer among other things */
    const json_t *result = json_object_get(answer, "result");
    verifier v = {.answer = result != NULL ? result : answer,
                  .password = filled.password,
                  .cancel = filled.cancel,
                  .report = report,
                  .problem = filled.problem,
                  .user_data = filled.user_data};
    if (!check_form(v.answer, error)) return FALSE;
    v.sentences = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    const json_t *citations = json_object_get(v.answer, "citations");
    g_autofree gboolean *done = g_new0(gboolean, json_array_size(citations) + 1);
    for (size_t i = 0; i < json_array_size(citations); i++)
        if (!done[i] && !pipelines_cancelled(filled.cancel)) check_file(&v, citations, i, done);
    if (!pipelines_cancelled(filled.cancel)) check_claims(&v);
    g_hash_table_unref(v.sentences);
    if (!pipelines_cancelled(filled.cancel)) return TRUE;
    g_set_error_literal(error, PIPELINES_ERROR, LODE_ERROR_CANCELLED, "interrupted");
    return FALSE;
}

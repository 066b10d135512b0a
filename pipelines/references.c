/* What the cited passages cite themselves: the call-outs in a quote, "[12]" or "(Li et al., 2019)", lead to entries of
 * the document's bibliography. Nothing here is evidence: it tells a reader where the paper has it from. */
#include <string.h>

#include "pipelines/answer.h"

enum { MAX_GAP = 8, MAX_AUTHORS = 80 };

static gboolean
ends_a_sentence(const char *text, size_t end)
{
    return end > 0 && strchr(".!?", text[end - 1]) != NULL;
}

/* The first letter at p or after it; 0: none. */
static gunichar
next_letter(const char *p)
{
    for (; *p != '\0'; p = g_utf8_next_char(p))
        if (g_unichar_isalpha(g_utf8_get_char(p))) return g_utf8_get_char(p);
    return 0;
}

typedef struct {
    gboolean letter, blank, opened, closed, joined; /* joined: "," or ";" */
} gap;

static gap
look_between(const char *text, size_t from, size_t to)
{
    gap g = {0};
    for (const char *p = text + from; p < text + to; p = g_utf8_next_char(p)) {
        g.letter = g.letter || g_unichar_isalpha(g_utf8_get_char(p));
        g.blank = g.blank || *p == ' ' || *p == '\n';
        g.opened = g.opened || *p == '[' || *p == '(';
        g.closed = g.closed || *p == ']' || *p == ')';
        g.joined = g.joined || *p == ',' || *p == ';';
    }
    return g;
}

/* Does the call-out at [start, start + len) belong to what ends before it, at end? Signs alone stand between them. After
 * a full stop it may as well begin the next sentence, "[4] showed that", "Pike (1987) saw it": then the sentence goes on
 * in lower case, or no bracket opens before it. in_group: what ends is a call-out itself, as in "[4, 5]". */
static gboolean
follows(const char *text, size_t end, size_t start, size_t len, gboolean in_group)
{
    if (start - end > MAX_GAP) return FALSE;
    const gap g = look_between(text, end, start);
    if (g.letter) return FALSE;
    if (!g.blank || (in_group && g.joined && !g.closed)) return TRUE;
    if (!g.opened) return FALSE;
    return !ends_a_sentence(text, end) || !g_unichar_islower(next_letter(text + start + len));
}

void
pipelines_keep_called(GPtrArray *references, const char *text, const pipelines_quote *quote)
{
    const size_t n_text = strlen(text);
    const size_t quote_end = (size_t)quote->start + quote->len;
    size_t end = quote_end; /* of the quote and the call-outs behind it */
    guint n = 0;
    for (; n < references->len; n++) {
        const retrieval_reference *r = references->pdata[n];
        const size_t start = r->start, len = r->len;
        if (start > n_text || len > n_text - start) break;
        if (start >= end && !follows(text, end, start, len, end > quote_end)) break;
        end = MAX(end, start + len);
    }
    g_ptr_array_set_size(references, (gint)n);
}

gboolean
pipelines_find_references(lode_answer *answer, const pipelines_ask_context *context, GError **error)
{
    for (guint i = 0; i < answer->citations->len; i++) {
        const pipelines_citation *c = &g_array_index(answer->citations, pipelines_citation, i);
        const retrieval_hit *hit = answer->hits->pdata[c->passage];
        g_autoptr(GError) failure = NULL;
        GPtrArray *found = retrieval_library_load_references(
            context->library, hit->chunk_id, (uint32_t)c->quote.start, G_MAXUINT32, &failure);
        /* indexed anew in the meantime: the answer stands without them */
        if (found == NULL && g_error_matches(failure, RETRIEVAL_ERROR, RETRIEVAL_ERROR_NOT_FOUND))
            found = g_ptr_array_new();
        if (found == NULL) {
            g_propagate_error(error, g_steal_pointer(&failure));
            return FALSE;
        }
        pipelines_keep_called(found, hit->text, &c->quote);
        g_ptr_array_add(answer->references, found);
    }
    return TRUE;
}

/* ---- showing ---- */

/* Long lists end after a whole name. */
static void
append_authors(GString *line, const char *authors)
{
    if (g_utf8_strlen(authors, -1) <= MAX_AUTHORS) {
        g_string_append(line, authors);
        return;
    }
    g_autofree char *cut = g_utf8_substring(authors, 0, MAX_AUTHORS);
    size_t len = strlen(cut);
    while (len > 0 && strchr(",;", cut[len - 1]) == NULL)
        len--;
    g_string_append_len(line, cut, len > 0 ? (gssize)len - 1 : -1);
    g_string_append(line, " et al.");
}

/* The part begins a sentence of its own. */
static void
append_sentence(GString *line, const char *part)
{
    if (line->len > 0 && line->str[line->len - 1] != ' ')
        g_string_append(line, ends_a_sentence(line->str, line->len) ? " " : ". ");
    g_string_append(line, part);
}

char *
pipelines_reference_line(const retrieval_reference *r)
{
    if (r->title == NULL) return g_strdup(r->text != NULL ? r->text : "");
    GString *line = g_string_new(NULL);
    if (r->key != NULL) g_string_append_printf(line, "[%s] ", r->key);
    if (r->authors != NULL) append_authors(line, r->authors);
    if (r->year != NULL)
        g_string_append_printf(line, "%s(%s)", r->authors != NULL ? " " : "", r->year);
    append_sentence(line, r->title);
    append_sentence(line, "");
    if (r->doi != NULL)
        g_string_append_printf(line, "doi:%s", r->doi);
    else if (r->arxiv != NULL)
        g_string_append_printf(line, "arXiv:%s", r->arxiv);
    else if (r->url != NULL)
        g_string_append(line, r->url);
    return g_strchomp(g_string_free(line, FALSE));
}

json_t *
pipelines_references_to_json(const lode_answer *answer, size_t index)
{
    json_t *json = json_array();
    const GPtrArray *references = answer->references->pdata[index];
    const pipelines_citation *c = &g_array_index(answer->citations, pipelines_citation, index);
    const retrieval_hit *hit = answer->hits->pdata[c->passage];
    for (guint i = 0; i < references->len; i++) {
        const retrieval_reference *r = references->pdata[i];
        const struct {
            const char *key, *value;
        } fields[] = {{"key", r->key},     {"text", r->text},   {"authors", r->authors},
                      {"title", r->title}, {"venue", r->venue}, {"year", r->year},
                      {"doi", r->doi},     {"arxiv", r->arxiv}, {"url", r->url}};
        g_autofree char *call = g_strndup(hit->text + r->start, r->len);
        json_t *item = json_object();
        json_object_set_new(item, "call", pipelines_json_string(call));
        for (size_t j = 0; j < G_N_ELEMENTS(fields); j++)
            json_object_set_new(item, fields[j].key, pipelines_json_string(fields[j].value));
        json_array_append_new(json, item);
    }
    return json;
}

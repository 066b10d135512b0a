/* Answers from tables: which cell of a row says what was asked, and what its headers call it.
 *
 * A passage of a table has one line for each row, "Panel B | Model: first | Recall: 0.91"; what is printed in cells has
 * places, the words between them are headers of the same table. A quote is a cell's own text wherever one cell is
 * enough: that is what stands on the page. */
#include "pipelines/quote.h"

#include <string.h>

#include "pipelines/internal.h"

static const char SEPARATOR[] = " | ";

static const retrieval_place *
place_at(const retrieval_hit *hit, guint i)
{
    return &g_array_index(hit->places, retrieval_place, i);
}

/* A cell that lies within the text: places come from a file. */
static gboolean
is_cell(const retrieval_hit *hit, const retrieval_place *place, size_t n_text)
{
    return hit->type == LAYOUT_BLOCK_TABLE && place->row > 0 && place->len > 0 &&
           place->start <= n_text && place->len <= n_text - place->start;
}

static size_t
line_start(const char *text, size_t at)
{
    while (at > 0 && text[at - 1] != '\n')
        at--;
    return at;
}

/* Cells that [start, end) touches: GArray of const retrieval_place *. */
static GArray *
cells_in(const retrieval_hit *hit, size_t start, size_t end)
{
    GArray *cells = g_array_new(FALSE, FALSE, sizeof(const retrieval_place *));
    const size_t n_text = strlen(hit->text);
    for (guint i = 0; hit->places != NULL && i < hit->places->len; i++) {
        const retrieval_place *place = place_at(hit, i);
        if (is_cell(hit, place, n_text) && place->start < end && place->start + place->len > start)
            g_array_append_val(cells, place);
    }
    return cells;
}

#define cell_nth(cells, i) g_array_index((cells), const retrieval_place *, (i))

/* ---- headers ---- */

/* What stands before a cell in its line, up to the cell before: "Recall" of "| Recall: ". g_free; NULL where nothing
 * does. */
static char *
header_before(const retrieval_hit *hit, const retrieval_place *cell)
{
    const size_t begin = line_start(hit->text, cell->start);
    g_autoptr(GArray) before = cells_in(hit, begin, cell->start);
    size_t from = begin;
    for (guint i = 0; i < before->len; i++)
        from = MAX(from, (size_t)cell_nth(before, i)->start + cell_nth(before, i)->len);
    if (from >= cell->start) return NULL;
    g_autofree char *between = g_strndup(hit->text + from, cell->start - from);
    const char *last = g_strrstr(between, SEPARATOR);
    char *header = g_strdup(last != NULL ? last + strlen(SEPARATOR) : between);
    g_strstrip(header);
    const size_t len = strlen(header);
    if (len > 0 && header[len - 1] == ':') header[len - 1] = '\0';
    if (header[0] == '\0') g_clear_pointer(&header, g_free);
    return header;
}

/* What names the row: its first cell, and the heading of the rows around it. */
static char *
row_name(const retrieval_hit *hit, const retrieval_place *cell)
{
    const size_t begin = line_start(hit->text, cell->start);
    g_autoptr(GArray) before = cells_in(hit, begin, cell->start);
    g_autoptr(GString) name = g_string_new(NULL);
    gboolean stub = FALSE;
    for (guint i = 0; i < before->len && !stub && cell->row > 1; i++) {
        const retrieval_place *p = cell_nth(before, i);
        /* a heading of several rows stands in a row above */
        stub = p->row == cell->row || p->col > 1;
        if (name->len > 0) g_string_append(name, SEPARATOR);
        g_string_append_len(name, hit->text + p->start, p->len);
    }
    return name->len > 0 ? g_string_free(g_steal_pointer(&name), FALSE) : NULL;
}

gboolean
pipelines_cell_read(const retrieval_hit *hit, size_t start, size_t len, pipelines_cell *cell)
{
    g_autoptr(GArray) cells = cells_in(hit, start, start + len);
    *cell = (pipelines_cell){0};
    if (cells->len != 1) return FALSE;
    const retrieval_place *place = cell_nth(cells, 0);
    *cell =
        (pipelines_cell){place->row, place->col, row_name(hit, place), header_before(hit, place)};
    return TRUE;
}

void
pipelines_cell_clear(pipelines_cell *cell)
{
    g_clear_pointer(&cell->row_header, g_free);
    g_clear_pointer(&cell->col_header, g_free);
}

/* ---- which cell ---- */

static gboolean
asks_for_number(const char *question)
{
    static const char *const phrases[] = {"how many", "how much", "how long", "how large",
                                          "how high", "how old",  "how far",  "how often"};
    g_autofree char *folded = g_utf8_casefold(question, -1);
    for (guint i = 0; i < G_N_ELEMENTS(phrases); i++)
        if (strstr(folded, phrases[i]) != NULL) return TRUE;
    return FALSE;
}

typedef struct {
    const char *question, *claim;
    GHashTable *asked, *claimed; /* claimed NULL: no claim */
    guint n_claimed;             /* cells whose text the claim has anew */
} chooser;

/* How well a cell answers; 0: nothing speaks for it. */
static double
weigh(chooser *c, const retrieval_hit *hit, const retrieval_place *cell, gboolean first)
{
    const char *text = hit->text + cell->start;
    g_autofree char *header = header_before(hit, cell);
    g_autoptr(GHashTable) words = pipelines_content_words(text, cell->len);
    g_autoptr(GHashTable) named =
        pipelines_content_words(header != NULL ? header : "", header != NULL ? strlen(header) : 0);
    if (g_hash_table_size(words) == 0) return 0;
    /* what the question says already is no answer to it */
    if (pipelines_share_of(words, c->asked) >= 1) return 0;
    double score = pipelines_share_of(named, c->asked);
    if (score > 0) {
        /* of two that have all of their words in the question the one with more of them */
        score += 0.1 * MIN(g_hash_table_size(named), 5);
        if (g_ascii_isdigit(text[0]) && asks_for_number(c->question)) score += 0.1;
        if (first) score -= 0.05; /* it names the row */
    }
    if (c->claimed == NULL) return score;
    const gboolean said = pipelines_share_of(words, c->claimed) >= 1;
    c->n_claimed += said ? 1 : 0;
    return said ? score + 2 : 0;
}

pipelines_quote
pipelines_cell_narrow(const retrieval_hit *hit, const pipelines_quote *stretch,
                      const char *question, const char *claim)
{
    g_autoptr(GArray) cells = cells_in(hit, stretch->start, (size_t)stretch->start + stretch->len);
    pipelines_quote narrow = *stretch;
    if (cells->len == 0) return narrow;
    const size_t line = line_start(hit->text, cell_nth(cells, 0)->start);
    if (line_start(hit->text, cell_nth(cells, cells->len - 1)->start) != line) return narrow;
    g_autoptr(GHashTable) asked = pipelines_content_words(question, strlen(question));
    g_autoptr(GHashTable) claimed =
        claim != NULL ? pipelines_content_words(claim, strlen(claim)) : NULL;
    chooser c = {question, claim, asked, claimed, 0};
    const retrieval_place *best = cells->len == 1 ? cell_nth(cells, 0) : NULL;
    double most = 0;
    guint n_free = 0; /* cells that the question does not name */
    const retrieval_place *only = NULL;
    for (guint i = 0; i < cells->len && cells->len > 1; i++) {
        const retrieval_place *cell = cell_nth(cells, i);
        const double score = weigh(&c, hit, cell, cell->col == 1);
        g_autoptr(GHashTable) words = pipelines_content_words(hit->text + cell->start, cell->len);
        if (g_hash_table_size(words) > 0 && pipelines_share_of(words, asked) < 1) {
            n_free++;
            only = cell;
        }
        if (score <= most) continue;
        most = score;
        best = cell;
    }
    /* a claim of two cells rests on both */
    if (c.n_claimed > 1) return narrow;
    if (best == NULL && n_free == 1) best = only;
    if (best == NULL) return narrow;
    narrow.start = best->start;
    narrow.len = best->len;
    return narrow;
}

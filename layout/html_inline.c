/* A block's text -> HTML inlines. The text is cut wherever a span, a citation or a footnote's call begins or ends;
 * each stretch is wrapped in what covers it, so elements nest whatever overlaps. */
#include "layout/html.h"

#include <string.h>

static void
append_escaped(GString *out, const char *text, gsize len, const char *newline)
{
    for (gsize i = 0; i < len; i++) {
        const guchar c = (guchar)text[i];
        switch (c) {
        case '&':
            g_string_append(out, "&amp;");
            break;
        case '<':
            g_string_append(out, "&lt;");
            break;
        case '>':
            g_string_append(out, "&gt;");
            break;
        case '"':
            g_string_append(out, "&quot;");
            break;
        case '\n':
            g_string_append(out, newline);
            break;
        default:
            g_string_append_c(out, c < 0x20 || c == 0x7F ? ' ' : (char)c);
        }
    }
}

void
html_append_escaped(GString *out, const char *text)
{
    append_escaped(out, text, strlen(text), "<br />");
}

void
html_append_preformatted(GString *out, const char *text)
{
    append_escaped(out, text, strlen(text), "\n");
}

gboolean
layout_link_is_safe(const char *target)
{
    static const char *const schemes[] = {"http://", "https://", "ftp://", "mailto:"};
    for (guint i = 0; target && i < G_N_ELEMENTS(schemes); i++)
        if (g_ascii_strncasecmp(target, schemes[i], strlen(schemes[i])) == 0) return TRUE;
    return FALSE;
}

/* What covers the stretch in hand; each list is sorted, so one place in each is enough. */
typedef struct {
    const lode_document *d;
    const layout_block *block;
    guint span, citation, call, n_calls;
    guint last_citation; /* behind those of this block */
    const layout_note_call *calls;
} cursor;

static void
cursor_move(cursor *c, uint32_t at)
{
    while (c->span < c->block->n_spans) {
        const layout_span *span = &c->d->spans[c->block->first_span + c->span];
        if (span->start + span->len > at) break;
        c->span++;
    }
    while (c->citation < c->last_citation &&
           c->d->citations[c->citation].start + c->d->citations[c->citation].len <= at)
        c->citation++;
    while (c->call < c->n_calls && c->calls[c->call].start + c->calls[c->call].len <= at)
        c->call++;
}

static uint32_t
border(uint32_t at, uint32_t to, uint32_t start, uint32_t len)
{
    return start > at ? MIN(to, start) : MIN(to, start + len);
}

/* Where the stretch that begins at `at` ends. */
static uint32_t
cursor_stop(const cursor *c, uint32_t at, uint32_t to)
{
    if (c->span < c->block->n_spans) {
        const layout_span *span = &c->d->spans[c->block->first_span + c->span];
        to = border(at, to, span->start, span->len);
    }
    if (c->citation < c->last_citation) {
        const layout_citation *citation = &c->d->citations[c->citation];
        to = border(at, to, citation->start, citation->len);
    }
    if (c->call < c->n_calls) to = border(at, to, c->calls[c->call].start, c->calls[c->call].len);
    return to;
}

static void
append_styled(GString *out, const layout_block *block, const layout_span *span, uint32_t from,
              uint32_t to)
{
    static const struct {
        guint flag;
        const char *tag;
    } styles[] = {{LAYOUT_SPAN_BOLD, "strong"},     {LAYOUT_SPAN_ITALIC, "em"},
                  {LAYOUT_SPAN_STRUCK, "del"},      {LAYOUT_SPAN_MONO, "code"},
                  {LAYOUT_SPAN_SUPERSCRIPT, "sup"}, {LAYOUT_SPAN_SUBSCRIPT, "sub"}};
    const guint flags = span ? span->flags : 0;
    if ((flags & LAYOUT_SPAN_MATH) && span->target && *span->target &&
        !(flags & LAYOUT_SPAN_LINK)) {
        if (from != span->start) return; /* the formula is with its first stretch */
        g_string_append(out, "<span class=\"math\">\\(");
        html_append_escaped(out, span->target);
        g_string_append(out, "\\)</span>");
        return;
    }
    /* headings are bold by themselves */
    const gboolean heading =
        block->type == LAYOUT_BLOCK_HEADING || block->type == LAYOUT_BLOCK_TITLE;
    const guint kept = heading ? flags & ~(guint)(LAYOUT_SPAN_BOLD | LAYOUT_SPAN_ITALIC) : flags;
    /* blanks at the ends are not of the style */
    uint32_t start = from, end = to;
    while (start < end && block->text[start] == ' ')
        start++;
    while (end > start && block->text[end - 1] == ' ')
        end--;
    append_escaped(out, block->text + from, start - from, " ");
    for (guint i = 0; start < end && i < G_N_ELEMENTS(styles); i++)
        if (kept & styles[i].flag) g_string_append_printf(out, "<%s>", styles[i].tag);
    append_escaped(out, block->text + start, end - start, " ");
    for (guint i = G_N_ELEMENTS(styles); start < end && i-- > 0;)
        if (kept & styles[i].flag) g_string_append_printf(out, "</%s>", styles[i].tag);
    append_escaped(out, block->text + end, to - end, " ");
}

static void
append_stretch(GString *out, const cursor *c, uint32_t from, uint32_t to)
{
    const layout_span *span =
        c->span < c->block->n_spans ? &c->d->spans[c->block->first_span + c->span] : NULL;
    const layout_citation *citation =
        c->citation < c->last_citation ? &c->d->citations[c->citation] : NULL;
    const layout_note_call *call = c->call < c->n_calls ? &c->calls[c->call] : NULL;
    if (span && span->start > from) span = NULL;
    if (call && call->start <= from) {
        if (from == call->start)
            g_string_append_printf(out, "<sup><a id=\"call-%u\" href=\"#fn-%u\">%u</a></sup>",
                                   call->number, call->number, call->number);
        return;
    }
    if (citation && citation->start <= from) {
        g_string_append_printf(out, "<a class=\"citation\" href=\"#ref-%d\">",
                               citation->reference + 1);
        append_styled(out, c->block, span, from, to);
        g_string_append(out, "</a>");
    } else if (span && (span->flags & LAYOUT_SPAN_LINK) && layout_link_is_safe(span->target)) {
        g_string_append(out, "<a href=\"");
        html_append_escaped(out, span->target);
        g_string_append(out, "\">");
        append_styled(out, c->block, span, from, to);
        g_string_append(out, "</a>");
    } else {
        append_styled(out, c->block, span, from, to);
    }
}

/* The citations of a block: the document's are sorted by block. */
static guint
first_citation(const lode_document *d, guint block)
{
    guint low = 0, high = d->n_citations;
    while (low < high) {
        const guint middle = low + (high - low) / 2;
        if (d->citations[middle].block < (int)block)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void
html_inline(GString *out, const lode_document *document, guint block, uint32_t from, uint32_t to,
            const layout_note_call *calls, guint n_calls)
{
    cursor c = {.d = document,
                .block = &document->blocks[block],
                .citation = first_citation(document, block),
                .last_citation = first_citation(document, block + 1),
                .calls = calls,
                .n_calls = n_calls};
    for (uint32_t at = from; at < to;) {
        cursor_move(&c, at);
        const uint32_t stop = cursor_stop(&c, at, to);
        append_stretch(out, &c, at, stop);
        at = stop;
    }
}

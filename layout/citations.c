/* Where the text calls the bibliography.
 *
 *   [12], [3-5, 7], [12, p. 3], [Knu97]   numbers and labels in brackets
 *   (12)                                  where entries are numbered "(12)"
 *   a raised 3,5-7                        where no brackets are used
 *   (Li et al., 2023; Wu, 2020a)          names and years: citation_names.c
 *
 * Links that lead to an entry are taken at their word. A number is a call-out only when the bibliography has an entry
 * of that number, and which of the three kinds of number is used is decided once for the document: a raised 2 in a
 * paper that cites in brackets is an exponent or a footnote's mark. */
#include "layout/citations.h"

#include <math.h>
#include <string.h>

#define MAX_LIST      200  /* bytes of "[...]" */
#define MAX_PER_BLOCK 2000 /* more in one block is no text */
#define MAX_RANGE     60   /* entries in "[3-60]" */

static gboolean
may_call(layout_block_type type)
{
    return type == LAYOUT_BLOCK_PARAGRAPH || type == LAYOUT_BLOCK_ABSTRACT ||
           type == LAYOUT_BLOCK_LIST_ITEM || type == LAYOUT_BLOCK_CAPTION ||
           type == LAYOUT_BLOCK_FOOTNOTE || type == LAYOUT_BLOCK_HEADING;
}

void
citation_add(citation_finder *f, int block, uint32_t start, uint32_t len, guint reference)
{
    /* those of a block are found in order, by one kind of search after the other */
    guint seen = 0;
    for (guint i = f->found->len; i > 0; i--) {
        if (++seen > MAX_PER_BLOCK) return;
        const layout_citation *c = &g_array_index(f->found, layout_citation, i - 1);
        if (c->block != block) break;
        if (c->start == start && c->len == len) {
            if (c->reference == (int)reference) return;
            continue;
        }
        if (c->start < start + len && start < c->start + c->len) return;
    }
    const layout_citation one = {block, start, len, (int)reference};
    g_array_append_val(f->found, one);
}

static gboolean
lookup(const citation_finder *f, const char *key, gsize len, guint *reference)
{
    char buffer[48];
    if (len == 0 || len >= sizeof buffer) return FALSE;
    memcpy(buffer, key, len);
    buffer[len] = '\0';
    const guint found = GPOINTER_TO_UINT(g_hash_table_lookup(f->keys, buffer));
    *reference = found - 1;
    return found > 0;
}

/* ---- lists of numbers ---- */

static gsize
dash_len(const char *at)
{
    if (*at == '-') return at[1] == '-' ? 2 : 1;
    const gunichar ch = g_utf8_get_char(at);
    return (ch >= 0x2010 && ch <= 0x2015) || ch == 0x2212 ? 3 : 0;
}

typedef struct {
    guint32 start, len; /* of the stretch, from the list's start */
    guint reference;
} call;

/* "3-5, 7" in text [len] -> its calls; FALSE where it is something else. rest: ", p. 3" may follow. */
static gboolean
read_numbers(const citation_finder *f, const char *text, gsize len, gboolean rest, GArray *calls)
{
    gsize at = 0;
    g_array_set_size(calls, 0);
    while (at < len) {
        at += strspn(text + at, " ");
        const gsize digits = at < len ? strspn(text + at, "0123456789") : 0;
        if (digits == 0 || digits > 4 || at + digits > len) {
            /* "[12, Theorem 3]" */
            return rest && calls->len == 1 && at < len && g_ascii_isalpha(text[at]);
        }
        call one = {(guint32)at, (guint32)digits, 0};
        if (!lookup(f, text + at, digits, &one.reference)) return FALSE;
        gsize next = at + digits;
        const gsize blank = strspn(text + next, " ");
        const gsize dash = next + blank < len ? dash_len(text + next + blank) : 0;
        if (dash > 0) {
            const gsize from = next + blank + dash;
            const gsize second = from + strspn(text + from, " ");
            const gsize n = strspn(text + second, "0123456789");
            const guint low = (guint)strtoul(text + at, NULL, 10),
                        high = (guint)strtoul(text + second, NULL, 10);
            if (n == 0 || n > 4 || second + n > len || high <= low || high - low > MAX_RANGE)
                return FALSE;
            one.len = (guint32)(second + n - at);
            for (guint k = low; k <= high; k++) {
                char key[12];
                g_snprintf(key, sizeof key, "%u", k);
                if (!lookup(f, key, strlen(key), &one.reference)) return FALSE;
                g_array_append_val(calls, one);
            }
            next = second + n;
        } else {
            g_array_append_val(calls, one);
        }
        next += strspn(text + next, " ");
        if (next >= len) break;
        if (text[next] != ',' && text[next] != ';') return FALSE;
        at = next + 1;
        if (at >= len) break;
    }
    return calls->len > 0;
}

/* "Knu97, LBH15" */
static gboolean
read_labels(const citation_finder *f, const char *text, gsize len, GArray *calls)
{
    gsize at = 0;
    g_array_set_size(calls, 0);
    while (at < len) {
        at += strspn(text + at, " ");
        gsize n = MIN(strcspn(text + at, ",;]"), len - MIN(at, len));
        while (n > 0 && text[at + n - 1] == ' ')
            n--;
        call one = {(guint32)at, (guint32)n, 0};
        if (lookup(f, text + at, n, &one.reference)) {
            g_array_append_val(calls, one);
        } else if (calls->len == 0) {
            return FALSE;
        }
        at += n;
        at += strspn(text + at, " ,;");
    }
    return calls->len > 0;
}

static void
add_calls(citation_finder *f, int block, uint32_t start, const GArray *calls)
{
    for (guint i = 0; i < calls->len; i++) {
        const call *c = &g_array_index(calls, call, i);
        citation_add(f, block, start + c->start, c->len, c->reference);
    }
}

static gboolean
in_math(const citation_finder *f, const layout_block *block, uint32_t at)
{
    guint low = 0, high = block->n_spans;
    while (low < high) {
        const guint middle = low + (high - low) / 2;
        const layout_span *span = &f->d.spans[block->first_span + middle];
        if (at >= span->start + span->len)
            low = middle + 1;
        else if (at < span->start)
            high = middle;
        else
            return (span->flags & LAYOUT_SPAN_MATH) != 0;
    }
    return FALSE;
}

/* "[4]-[7]": the entries between, called by the second number too. before: where the first bracket closed. */
static void
fill_range(const citation_finder *f, const char *before, const char *open, GArray *calls)
{
    const char *dash = before + strspn(before, " ");
    const gsize n = dash_len(dash);
    if (n == 0 || dash + n + strspn(dash + n, " ") != open || calls->len == 0) return;
    const char *first = before - 1;
    while (g_ascii_isdigit(first[-1]))
        first--;
    const guint low = (guint)strtoul(first, NULL, 10), high = (guint)strtoul(open + 1, NULL, 10);
    if (!g_ascii_isdigit(*first) || high <= low || high - low > MAX_RANGE) return;
    for (guint k = low + 1; k < high; k++) {
        char key[12];
        call one = g_array_index(calls, call, 0);
        g_snprintf(key, sizeof key, "%u", k);
        if (lookup(f, key, strlen(key), &one.reference)) g_array_append_val(calls, one);
    }
}

/* Brackets in one block; how many calls there are. add FALSE: only count. */
static guint
find_bracketed(citation_finder *f, int index, char open, gboolean add)
{
    const layout_block *block = &f->d.blocks[index];
    const char close = open == '[' ? ']' : ')';
    g_autoptr(GArray) calls = g_array_new(FALSE, FALSE, sizeof(call));
    guint n = 0;
    const char *before = NULL; /* behind the bracket of calls before this one */
    for (const char *at = block->text; (at = strchr(at, open)) != NULL; at++) {
        const char *end = memchr(at, close, strnlen(at, MAX_LIST));
        if (end == NULL || end == at + 1) continue;
        const char *inner = at + 1;
        const gsize len = (gsize)(end - inner);
        const uint32_t start = (uint32_t)(inner - block->text);
        /* "f[1]", "x(2)" */
        if (at > block->text && g_ascii_isalnum(at[-1]) && in_math(f, block, start - 2)) continue;
        if (open == '(' && at > block->text + 1) {
            /* "Eq. (3)" */
            const gsize n_left = MIN((gsize)(at - block->text), 12);
            g_autofree char *left = g_ascii_strdown(at - n_left, (gssize)n_left);
            if (strstr(left, "eq") != NULL || strstr(left, "fig") != NULL ||
                strstr(left, "tab") != NULL)
                continue;
        }
        if (!read_numbers(f, inner, len, TRUE, calls) &&
            (open == '(' || !read_labels(f, inner, len, calls)))
            continue;
        if (before != NULL && open == '[') fill_range(f, before, at, calls);
        before = end + 1;
        n += calls->len;
        if (add) add_calls(f, index, start, calls);
    }
    return n;
}

/* Does the text before a raised number end a word of a language, rather than a unit or a symbol? */
static gboolean
follows_word(const char *text, uint32_t at)
{
    while (at > 0 && text[at - 1] == ' ')
        at--;
    if (at == 0) return FALSE;
    const gunichar last = g_utf8_get_char(g_utf8_prev_char(text + at));
    if (strchr(".,;:)]\"'", text[at - 1]) != NULL || last == 0x201D || last == 0x2019) return TRUE;
    if (!g_unichar_isalpha(last)) return FALSE;
    guint letters = 0;
    for (const char *p = text + at; p > text && letters < 4;) {
        p = g_utf8_prev_char(p);
        if (!g_unichar_isalpha(g_utf8_get_char(p))) break;
        letters++;
    }
    return letters >= 3;
}

static guint
find_raised(citation_finder *f, int index, gboolean add)
{
    const layout_block *block = &f->d.blocks[index];
    g_autoptr(GArray) calls = g_array_new(FALSE, FALSE, sizeof(call));
    guint n = 0;
    for (guint i = 0; i < block->n_spans; i++) {
        const layout_span *span = &f->d.spans[block->first_span + i];
        if (!(span->flags & LAYOUT_SPAN_SUPERSCRIPT) || span->start == 0) continue;
        /* "3,4" may be in several spans of one look */
        uint32_t end = span->start + span->len;
        while (i + 1 < block->n_spans) {
            const layout_span *next = span + 1;
            if (!(next->flags & LAYOUT_SPAN_SUPERSCRIPT) || next->start > end + 1) break;
            end = next->start + next->len;
            span = next;
            i++;
        }
        const layout_span *first = span;
        while (first > &f->d.spans[block->first_span] &&
               (first[-1].flags & LAYOUT_SPAN_SUPERSCRIPT) &&
               first[-1].start + first[-1].len + 1 >= first->start)
            first--;
        if (!follows_word(block->text, first->start)) continue;
        if (!read_numbers(f, block->text + first->start, end - first->start, FALSE, calls))
            continue;
        n += calls->len;
        if (add) add_calls(f, index, first->start, calls);
    }
    return n;
}

/* ---- links ---- */

/* Does the linked text name this entry: its number, its first author, its year? */
static gboolean
is_named(const citation_finder *f, guint index, const char *text, gsize len)
{
    const layout_reference *r = &f->d.references[index];
    if (r->key != NULL) return strlen(r->key) == len && memcmp(r->key, text, len) == 0;
    if (r->n_names > 0 && g_strstr_len(text, (gssize)len, f->d.names[r->first_name].family) != NULL)
        return TRUE;
    return r->year != NULL && strncmp(text, r->year, 4) == 0;
}

/* The entry that a link leads to: the one whose first line is nearest to its target; of entries in two columns, one
 * that the linked text names goes first. */
static gboolean
link_target(const citation_finder *f, const layout_link_use *use, const char *text, gsize len,
            const GArray *by_page, guint *reference)
{
    if (!isfinite(use->y) || use->page < 0) return FALSE;
    float best = G_MAXFLOAT;
    gboolean found = FALSE;
    guint low = 0, high = by_page->len;
    while (low < high) {
        const guint middle = low + (high - low) / 2;
        const layout_reference *r = &f->d.references[g_array_index(by_page, guint, middle)];
        if (f->d.boxes[f->d.blocks[r->block].first_box].page < use->page)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < by_page->len; low++) {
        const guint index = g_array_index(by_page, guint, low);
        const layout_box *box = &f->d.boxes[f->d.blocks[f->d.references[index].block].first_box];
        if (box->page != use->page) break;
        float off = fabsf(box->rect.y0 - use->y);
        if (isfinite(use->x) && use->x > 1 && (use->x > box->rect.x1 || use->x < box->rect.x0 - 60))
            off += 60;
        if (off >= (use->cite ? 40 : 14)) continue;
        if (!is_named(f, index, text, len)) {
            if (!use->cite) continue;
            off += 100;
        }
        if (off >= best) continue;
        best = off;
        *reference = index;
        found = TRUE;
    }
    return found;
}

static int
compare_page(gconstpointer a, gconstpointer b, gpointer data)
{
    const lode_document *d = data;
    const guint i = *(const guint *)a, j = *(const guint *)b;
    const int p = d->boxes[d->blocks[d->references[i].block].first_box].page;
    const int q = d->boxes[d->blocks[d->references[j].block].first_box].page;
    return p != q ? (p > q) - (p < q) : (i > j) - (i < j);
}

/* Does linked text look like a call-out, where the link's name does not say so? */
static gboolean
looks_called(const char *text, uint32_t start, uint32_t len)
{
    const char *at = text + start;
    const gsize digits = strspn(at, "0123456789");
    if (digits >= len && digits > 0) {
        const char before = start > 0 ? at[-1] : ' ';
        return before == '[' || before == ',' || before == ' ' || before == '-' ||
               (guchar)before >= 0x80;
    }
    return len >= 4 && g_unichar_isupper(g_utf8_get_char(at));
}

static void
find_linked(citation_finder *f, const layout_work *work, int index, guint *next,
            const GArray *by_page)
{
    const layout_block *block = &f->d.blocks[index];
    for (; *next < work->link_uses->len; (*next)++) {
        const layout_link_use *use = &g_array_index(work->link_uses, layout_link_use, *next);
        guint reference;
        if (use->block > index) break;
        if (use->block < index || !may_call(block->type)) continue;
        uint32_t start = use->start, len = use->len;
        while (len > 0 && strchr(" [(,;", block->text[start]) != NULL)
            start++, len--;
        while (len > 0 && strchr(" ])(,;[.", block->text[start + len - 1]) != NULL)
            len--;
        /* a stretch must not cut a character; hyphens taken out may have moved it */
        if (len == 0 || start + len > block->text_len ||
            ((guchar)block->text[start] & 0xC0) == 0x80 ||
            ((guchar)block->text[start + len] & 0xC0) == 0x80)
            continue;
        if (!use->cite && !looks_called(block->text, start, len)) continue;
        if (!link_target(f, use, block->text + start, len, by_page, &reference)) continue;
        /* "Li et al." and "2023", linked one by one, are one call-out */
        layout_citation *last =
            f->found->len > 0 ? &g_array_index(f->found, layout_citation, f->found->len - 1) : NULL;
        const uint32_t end = last != NULL ? last->start + last->len : 0;
        if (last != NULL && last->block == index && last->reference == (int)reference &&
            start >= end && start <= end + 3 && !g_ascii_isdigit(block->text[last->start])) {
            last->len = start + len - last->start;
            continue;
        }
        citation_add(f, index, start, len, reference);
    }
}

/* ---- the whole ---- */

static void
keys_learn(citation_finder *f)
{
    for (guint i = 0; i < f->d.n_references; i++) {
        const char *key = f->d.references[i].key;
        layout_document_pass(&f->d, i);
        /* of two bibliographies that count from 1, the first */
        if (key != NULL && !g_hash_table_contains(f->keys, key))
            g_hash_table_insert(f->keys, (gpointer)key, GUINT_TO_POINTER(i + 1));
    }
}

typedef enum { CALLS_NONE, CALLS_BRACKET, CALLS_RAISED, CALLS_PAREN } call_style;

static call_style
decide(citation_finder *f)
{
    guint brackets = 0, raised = 0, parens = 0;
    gboolean paren_markers = FALSE;
    if (g_hash_table_size(f->keys) == 0) return CALLS_NONE;
    for (guint i = 0; i < f->d.n_references && !paren_markers; i++) {
        const char *marker = f->d.blocks[f->d.references[i].block].marker;
        layout_document_pass(&f->d, i);
        paren_markers = marker != NULL && marker[0] == '(';
    }
    for (guint b = 0; b < f->d.n_blocks; b++) {
        layout_document_pass(&f->d, b);
        if (!may_call(f->d.blocks[b].type)) continue;
        brackets += find_bracketed(f, (int)b, '[', FALSE);
        raised += find_raised(f, (int)b, FALSE);
        if (paren_markers) parens += find_bracketed(f, (int)b, '(', FALSE);
    }
    if (brackets > 0 && brackets * 3 >= raised) return CALLS_BRACKET;
    if (raised >= 2 && raised >= parens) return CALLS_RAISED;
    return parens >= 2 ? CALLS_PAREN : CALLS_NONE;
}

static void
block_calls(citation_finder *f, const layout_work *work, int index, call_style style, guint *next,
            const GArray *by_page)
{
    const layout_block_type type = f->d.blocks[index].type;
    const gboolean good = may_call(type);
    if (good && style == CALLS_BRACKET) find_bracketed(f, index, '[', TRUE);
    if (good && style == CALLS_RAISED && type != LAYOUT_BLOCK_HEADING) find_raised(f, index, TRUE);
    if (good && style == CALLS_PAREN) find_bracketed(f, index, '(', TRUE);
    find_linked(f, work, index, next, by_page);
    if (good && style == CALLS_NONE && type != LAYOUT_BLOCK_HEADING) citation_names_find(f, index);
}

void
layout_citations_find(const layout_work *work, layout_builder *builder)
{
    citation_finder f = {0};
    layout_builder_view(builder, &f.d);
    if (f.d.n_references == 0) return;
    f.keys = g_hash_table_new(g_str_hash, g_str_equal);
    f.found = g_array_new(FALSE, FALSE, sizeof(layout_citation));
    keys_learn(&f);
    citation_names_learn(&f);
    g_autoptr(GArray) by_page = g_array_new(FALSE, FALSE, sizeof(guint));
    for (guint i = 0; i < f.d.n_references; i++) {
        layout_document_pass(&f.d, i);
        if (f.d.blocks[f.d.references[i].block].n_boxes > 0) g_array_append_val(by_page, i);
    }
    g_qsort_with_data(by_page->data, (gint)by_page->len, sizeof(guint), compare_page, &f.d);
    const call_style style = decide(&f);
    guint next = 0;
    for (guint b = 0; b < f.d.n_blocks; b++) {
        const guint first = f.found->len;
        layout_document_pass(&f.d, b);
        block_calls(&f, work, (int)b, style, &next, by_page);
        if (f.found->len > first + 1)
            qsort(&g_array_index(f.found, layout_citation, first), f.found->len - first,
                  sizeof(layout_citation), layout_citation_compare);
    }
    for (guint i = 0; i < f.found->len; i++)
        layout_builder_add_citation(builder, &g_array_index(f.found, layout_citation, i));
    g_array_unref(f.found);
    g_hash_table_unref(f.keys);
    g_hash_table_unref(f.people);
    g_free(f.suffixes);
}

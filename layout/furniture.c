/* Running headers and footers, page numbers, line numbers: kept, but out of the text.
 *
 * A line near the top or bottom edge is furniture when the same words, digits aside, stand at the same
 * height on several pages, or when it shares its height with such a line. One page alone proves nothing, so
 * there only a bare number at the edge is taken for the page number. The first occurrence of a repeated
 * line that is set larger than body text is the title, and stays. */
#include "layout/analyze.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define EDGE_SHARE  0.16F /* of the page's height */
#define EDGE_ROWS   4
#define SAME_PT     3.0F

typedef struct {
    guint sheet, seg;
    gboolean bottom;
    float edge; /* distance from the page's top or bottom edge */
    char *key;
    gboolean number;
    gboolean marked;
} candidate;

static void
candidate_clear(gpointer data)
{
    g_free(((candidate *) data)->key);
}

static gboolean
is_roman(const char *text, gsize len)
{
    if (len == 0 || len > 7) return FALSE;
    for (gsize i = 0; i < len; i++)
        if (strchr("ivxlcIVXLC", text[i]) == NULL) return FALSE;
    return TRUE;
}

/* "12", "- 12 -", "Page 3 of 10", "xii" */
static gboolean
is_page_number(const char *text, gsize len)
{
    g_autofree char *copy = g_ascii_strdown(text, (gssize) len);
    char *at = copy;
    if (g_str_has_prefix(at, "page")) at += 4;
    while (*at != '\0' && strchr(" -|[(", *at) != NULL) at++;
    gsize digits = strspn(at, "0123456789");
    if (digits == 0) return is_roman(copy, len) && strcmp(copy, "i") >= 0 && len <= 6;
    if (digits > 4) return FALSE;
    at += digits;
    while (*at == ' ') at++;
    if (g_str_has_prefix(at, "of ")) at += 3;
    else if (*at == '/') at++;
    at += strspn(at, " 0123456789");
    at += strspn(at, " -|])");
    return *at == '\0';
}

/* Letters as they are, every number as '#', no spaces. */
static char *
key_of(const char *text, gsize len, gboolean bottom)
{
    GString *key = g_string_new(bottom ? "b" : "t");
    for (gsize i = 0; i < len; i++) {
        char c = text[i];
        if (g_ascii_isdigit(c)) {
            if (key->len == 0 || key->str[key->len - 1] != '#') g_string_append_c(key, '#');
        } else if (c != ' ') {
            g_string_append_c(key, c);
        }
    }
    if (is_roman(text, len)) g_string_assign(key, bottom ? "b#" : "t#");
    return g_string_free(key, FALSE);
}

static int
compare_top(gconstpointer a, gconstpointer b, gpointer data)
{
    const layout_sheet *sheet = data;
    guint i = *(const guint *) a, j = *(const guint *) b;
    const layout_seg *x = layout_sheet_seg(sheet, i), *y = layout_sheet_seg(sheet, j);
    if (x->baseline != y->baseline) return x->baseline < y->baseline ? -1 : 1;
    return (i > j) - (i < j);
}

static void
edge_collect(const layout_sheet *sheet, guint s, const guint *order, guint n, gboolean bottom, GArray *out)
{
    float last = -G_MAXFLOAT;
    guint rows = 0;
    for (guint k = 0; k < n; k++) {
        guint i = order[bottom ? n - 1 - k : k];
        const layout_seg *seg = layout_sheet_seg(sheet, i);
        float edge = bottom ? sheet->height - seg->baseline : seg->baseline;
        if (edge > EDGE_SHARE * sheet->height) break;
        if (fabsf(seg->baseline - last) > 2) rows++;
        last = seg->baseline;
        if (rows > EDGE_ROWS) break;
        const char *text = sheet->text->str + seg->start;
        candidate c = {.sheet = s, .seg = i, .bottom = bottom, .edge = edge,
                       .key = key_of(text, seg->len, bottom), .number = is_page_number(text, seg->len)};
        g_array_append_val(out, c);
    }
}

static GArray *
candidates_find(layout_work *work)
{
    GArray *all = g_array_new(FALSE, FALSE, sizeof(candidate));
    g_array_set_clear_func(all, candidate_clear);
    for (guint s = 0; s < work->sheets->len; s++) {
        const layout_sheet *sheet = layout_work_sheet(work, s);
        g_autofree guint *order = g_new(guint, sheet->segs->len + 1);
        guint n = 0;
        for (guint i = 0; i < sheet->segs->len; i++)
            if (layout_sheet_seg(sheet, i)->turn == 0) order[n++] = i;
        g_qsort_with_data(order, (gint) n, sizeof(guint), compare_top, (gpointer) sheet);
        edge_collect(sheet, s, order, n, FALSE, all);
        edge_collect(sheet, s, order, n, TRUE, all);
    }
    return all;
}

static int
compare_candidate(gconstpointer a, gconstpointer b)
{
    const candidate *x = a, *y = b;
    int k = strcmp(x->key, y->key);
    if (k != 0) return k;
    if (x->edge != y->edge) return x->edge < y->edge ? -1 : 1;
    if (x->sheet != y->sheet) return x->sheet < y->sheet ? -1 : 1;
    return (x->seg > y->seg) - (x->seg < y->seg);
}

/* How many pages prove a line to be furniture. */
static guint
pages_needed(guint n_pages)
{
    return n_pages <= 4 ? 2 : 3;
}

static void
repeated_mark(const layout_work *work, GArray *all)
{
    g_array_sort(all, compare_candidate);
    guint need = pages_needed(work->sheets->len);
    for (guint from = 0; from < all->len;) {
        const candidate *first = &g_array_index(all, candidate, from);
        guint to = from + 1, pages = 1, last_sheet = first->sheet;
        float last_edge = first->edge;
        for (; to < all->len; to++) {
            const candidate *c = &g_array_index(all, candidate, to);
            if (strcmp(c->key, first->key) != 0 || c->edge - last_edge > SAME_PT) break;
            pages += c->sheet != last_sheet;
            last_sheet = c->sheet;
            last_edge = c->edge;
        }
        if (pages >= need)
            for (guint i = from; i < to; i++) g_array_index(all, candidate, i).marked = TRUE;
        from = to;
    }
}

/* Lines at the height of proven ones: the other half of a header that alternates. */
static void
neighbours_mark(const layout_work *work, GArray *all)
{
    g_autoptr(GArray) top = g_array_new(FALSE, FALSE, sizeof(float));
    g_autoptr(GArray) bottom = g_array_new(FALSE, FALSE, sizeof(float));
    GArray *heights[2] = {top, bottom};
    for (guint i = 0; i < all->len; i++) {
        const candidate *c = &g_array_index(all, candidate, i);
        if (!c->marked) continue;
        GArray *list = heights[c->bottom];
        gboolean known = FALSE;
        for (guint k = 0; k < list->len && !known; k++)
            known = fabsf(g_array_index(list, float, k) - c->edge) < 1;
        if (!known && list->len < 64) g_array_append_val(list, c->edge);
    }
    for (guint i = 0; i < all->len; i++) {
        candidate *c = &g_array_index(all, candidate, i);
        const layout_seg *seg = layout_sheet_seg(layout_work_sheet(work, c->sheet), c->seg);
        if (c->marked || seg->size_pt > 1.15F * work->body_pt) continue;
        for (guint k = 0; k < heights[c->bottom]->len; k++)
            if (fabsf(g_array_index(heights[c->bottom], float, k) - c->edge) < 1) c->marked = TRUE;
    }
}

/* A bare number further out than everything else. */
static void
lone_numbers_mark(const layout_work *work, GArray *all)
{
    g_autofree guint *tried = g_new0(guint, work->sheets->len + 1);
    for (guint i = 0; i < all->len; i++) {
        candidate *c = &g_array_index(all, candidate, i);
        if (c->marked || !c->number) continue;
        const layout_sheet *sheet = layout_work_sheet(work, c->sheet);
        const layout_seg *seg = layout_sheet_seg(sheet, c->seg);
        if (c->edge > 0.11F * sheet->height || tried[c->sheet]++ > 8) continue;
        gboolean outermost = TRUE;
        for (guint k = 0; k < sheet->segs->len && outermost; k++) {
            const layout_seg *other = layout_sheet_seg(sheet, k);
            if (k == c->seg || other->turn != 0) continue;
            outermost = c->bottom ? other->baseline < seg->baseline - 1.2F * work->leading_pt
                                  : other->baseline > seg->baseline + 1.2F * work->leading_pt;
        }
        if (outermost) c->marked = TRUE;
    }
}

static void
roles_set(const layout_work *work, GArray *all)
{
    for (guint i = 0; i < all->len; i++) {
        const candidate *c = &g_array_index(all, candidate, i);
        if (!c->marked) continue;
        layout_seg *seg = layout_sheet_seg(layout_work_sheet(work, c->sheet), c->seg);
        if (c->sheet == 0 && seg->size_pt > 1.25F * work->body_pt) continue;
        seg->role = c->number ? LAYOUT_ROLE_PAGE_NUMBER
                              : c->bottom ? LAYOUT_ROLE_FOOTER : LAYOUT_ROLE_HEADER;
    }
}

/* Numbers down the left margin, one more each time. */
static void
line_numbers_mark(layout_sheet *sheet)
{
    g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(guint));
    guint steps = 0;
    long last = -1, step = 0;
    g_autofree guint *order = g_new(guint, sheet->segs->len + 1);
    for (guint i = 0; i < sheet->segs->len; i++) order[i] = i;
    g_qsort_with_data(order, (gint) sheet->segs->len, sizeof(guint), compare_top, sheet);
    for (guint k = 0; k < sheet->segs->len; k++) {
        guint i = order[k];
        const layout_seg *seg = layout_sheet_seg(sheet, i);
        const char *text = sheet->text->str + seg->start;
        if (seg->turn != 0 || seg->box.x1 > sheet->text_x0 + 1 || seg->len > 5 ||
            strspn(text, "0123456789") < seg->len)
            continue;
        long value = strtol(text, NULL, 10);
        if (last >= 0 && value > last && (step == 0 || value - last == step)) {
            step = value - last;
            steps++;
        }
        last = value;
        g_array_append_val(found, i);
    }
    if (steps < 5 || steps * 10 < found->len * 7) return;
    for (guint k = 0; k < found->len; k++)
        layout_sheet_seg(sheet, g_array_index(found, guint, k))->role = LAYOUT_ROLE_MARGIN;
}

void
layout_furniture_mark(layout_work *work)
{
    g_autoptr(GArray) all = candidates_find(work);
    if (work->sheets->len > 1) {
        repeated_mark(work, all);
        neighbours_mark(work, all);
    }
    lone_numbers_mark(work, all);
    roles_set(work, all);
    for (guint s = 0; s < work->sheets->len; s++) line_numbers_mark(layout_work_sheet(work, s));
}

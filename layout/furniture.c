/* Running headers and footers, page numbers, line numbers: kept, but out of the text.
 *
 * A line near the top or bottom edge is furniture when the same words, digits aside, stand at the same
 * height on several pages, or when it shares its height with such a line. The first occurrence of a repeated
 * line that is set larger than body text is the title, and stays. One page alone proves nothing by
 * repetition: what stands there is judged by furniture_edges.c. */
#include "layout/analyze.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define EDGE_SHARE 0.16F /* of the page's height */
#define EDGE_ROWS  4
#define SAME_PT    3.0F
#define CLEAR_GAP                                                                                  \
    1.3F /* white space that sets a running line apart from the text, in line distances */

typedef struct {
    guint sheet, seg;
    gboolean bottom;
    float edge; /* distance from the page's top or bottom edge */
    char *key;
    gboolean number;
    long value; /* of a number, -1 none */
    gboolean marked;
    guint row; /* counted from the edge, 1 the outermost */
    float gap; /* from its baseline to that of the next row inwards */
    float size_pt;
    guint n_words;
} candidate;

static void
candidate_clear(gpointer data)
{
    g_free(((candidate *)data)->key);
}

static gboolean
is_roman(const char *text, gsize len)
{
    if (len == 0 || len > 7) return FALSE;
    for (gsize i = 0; i < len; i++)
        if (strchr("ivxlcIVXLC", text[i]) == NULL) return FALSE;
    return TRUE;
}

/* En and em dashes as hyphens, in place: U+2013 and U+2014 are E2 80 93 and E2 80 94. */
static void
dashes_plain(char *text)
{
    char *to = text;
    for (const char *at = text; *at != '\0'; to++) {
        gboolean dash = strncmp(at, "\xE2\x80\x93", 3) == 0 || strncmp(at, "\xE2\x80\x94", 3) == 0;
        *to = dash ? '-' : *at;
        at += dash ? 3 : 1;
    }
    *to = '\0';
}

gboolean
layout_is_page_number(const char *text, gsize len)
{
    g_autofree char *copy = g_ascii_strdown(text, (gssize)len);
    char *at = copy;
    dashes_plain(copy);
    if (g_str_has_prefix(at, "page")) at += 4;
    while (*at != '\0' && strchr(" -|[(", *at) != NULL)
        at++;
    gsize digits = strspn(at, "0123456789");
    if (digits == 0) return is_roman(copy, strlen(copy)) && strlen(copy) <= 6;
    if (digits > 4) return FALSE;
    at += digits;
    while (*at == ' ')
        at++;
    if (g_str_has_prefix(at, "of "))
        at += 3;
    else if (*at == '/')
        at++;
    at += strspn(at, " 0123456789");
    at += strspn(at, " -|])");
    return *at == '\0';
}

static long
roman_value(const char *text, gsize len)
{
    static const struct {
        char c;
        long value;
    } digits[] = {{'i', 1}, {'v', 5}, {'x', 10}, {'l', 50}, {'c', 100}};
    long sum = 0, last = 0;
    for (gsize i = len; i-- > 0;) {
        long value = 0;
        for (guint k = 0; k < G_N_ELEMENTS(digits); k++)
            if (digits[k].c == g_ascii_tolower(text[i])) value = digits[k].value;
        sum += value < last ? -value : value;
        last = MAX(last, value);
    }
    return sum;
}

/* "Page 12 of 20" 12, "xii" 12 */
static long
number_value(const char *text, gsize len)
{
    gsize at = 0;
    while (at < len && !g_ascii_isdigit(text[at]))
        at++;
    if (at == len) return roman_value(text, len);
    long value = 0;
    for (; at < len && g_ascii_isdigit(text[at]) && value < 100000; at++)
        value = 10 * value + (text[at] - '0');
    return value;
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

/* Three numbers in a row belong to a table or an axis, not to a page. */
static void
table_rows_drop(GArray *all, guint first)
{
    guint kept = first;
    for (guint from = first; from < all->len;) {
        guint to = from, numbers = 0;
        guint row = g_array_index(all, candidate, from).row;
        for (; to < all->len && g_array_index(all, candidate, to).row == row; to++)
            numbers += g_array_index(all, candidate, to).number ? 1 : 0;
        for (; from < to; from++) {
            candidate c = g_array_index(all, candidate, from);
            if (numbers > 2) {
                g_free(c.key);
                continue;
            }
            g_array_index(all, candidate, kept++) = c;
        }
    }
    /* what is cut off was moved down or freed above */
    g_array_set_clear_func(all, NULL);
    g_array_set_size(all, kept);
    g_array_set_clear_func(all, candidate_clear);
}

static void
edge_collect(const layout_sheet *sheet, guint s, const guint *order, guint n, gboolean bottom,
             GArray *out)
{
    float last = -G_MAXFLOAT;
    guint rows = 0, first = out->len;
    for (guint k = 0; k < n; k++) {
        guint i = order[bottom ? n - 1 - k : k];
        const layout_seg *seg = layout_sheet_seg(sheet, i);
        float edge = bottom ? sheet->height - seg->baseline : seg->baseline;
        if (fabsf(seg->baseline - last) > 2) {
            for (guint c = first; c < out->len; c++)
                if (g_array_index(out, candidate, c).row == rows)
                    g_array_index(out, candidate, c).gap = fabsf(seg->baseline - last);
            rows++;
        }
        if (edge > EDGE_SHARE * sheet->height) break;
        last = seg->baseline;
        if (rows > EDGE_ROWS) break;
        const char *text = sheet->text->str + seg->start;
        candidate c = {.sheet = s,
                       .seg = i,
                       .bottom = bottom,
                       .edge = edge,
                       .key = key_of(text, seg->len, bottom),
                       .number = layout_is_page_number(text, seg->len),
                       .value = -1,
                       .row = rows,
                       .gap = G_MAXFLOAT,
                       .size_pt = seg->size_pt,
                       .n_words = seg->n_words};
        if (c.number) c.value = number_value(text, seg->len);
        g_array_append_val(out, c);
    }
    table_rows_drop(out, first);
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
            if (layout_sheet_seg(sheet, i)->turn == 0 &&
                layout_sheet_seg(sheet, i)->role == LAYOUT_ROLE_TEXT)
                order[n++] = i;
        g_qsort_with_data(order, (gint)n, sizeof(guint), layout_seg_compare, (gpointer)sheet);
        edge_collect(sheet, s, order, n, FALSE, all);
        edge_collect(sheet, s, order, n, TRUE, all);
        layout_work_release(work);
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

/* What figures repeat at one height is no header: the numbers of their axes, "(a)". */
static gboolean
may_repeat(const candidate *c)
{
    guint n = 0;
    for (const char *at = c->key + 1; *at != '\0'; at++)
        n += g_ascii_isalpha(*at) || (guchar)*at >= 0xC0;
    return n >= 3;
}

/* In the order of pages, for steps that look at them again. */
static int
compare_place(gconstpointer a, gconstpointer b)
{
    const candidate *x = a, *y = b;
    if (x->sheet != y->sheet) return x->sheet < y->sheet ? -1 : 1;
    if (x->seg != y->seg) return x->seg < y->seg ? -1 : 1;
    return x->bottom - y->bottom;
}

/* How many pages prove a line to be furniture. */
static guint
pages_needed(guint n_pages)
{
    return n_pages <= 4 ? 2 : 3;
}

/* Page numbers count the pages: mark those of all[from, to) that agree with most on the number of the first
 * page. */
static void
numbers_mark(GArray *all, guint from, guint to, guint need)
{
    long best = 0;
    guint most = 0;
    for (guint i = from; i < to && i < from + 64; i++) {
        const candidate *c = &g_array_index(all, candidate, i);
        guint votes = 0;
        for (guint k = from; k < to; k++) {
            const candidate *other = &g_array_index(all, candidate, k);
            votes += other->value - (long)other->sheet == c->value - (long)c->sheet ? 1 : 0;
        }
        if (votes > most) {
            most = votes;
            best = c->value - (long)c->sheet;
        }
    }
    for (guint i = from; most >= need && i < to; i++) {
        candidate *c = &g_array_index(all, candidate, i);
        if (c->value - (long)c->sheet == best) c->marked = TRUE;
    }
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
        if (first->number)
            numbers_mark(all, from, to, need);
        else if (pages >= need && may_repeat(first))
            for (guint i = from; i < to; i++)
                g_array_index(all, candidate, i).marked = TRUE;
        from = to;
    }
}

/* A height at which proven lines stand, and on how many pages. */
typedef struct {
    float edge;
    guint pages, last_sheet;
} running_height;

static void
heights_find(const GArray *all, gboolean bottom, GArray *heights)
{
    for (guint i = 0; i < all->len; i++) {
        const candidate *c = &g_array_index(all, candidate, i);
        if (!c->marked || c->bottom != bottom) continue;
        running_height *same = NULL;
        for (guint k = 0; k < heights->len && same == NULL; k++) {
            running_height *h = &g_array_index(heights, running_height, k);
            if (fabsf(h->edge - c->edge) < 1) same = h;
        }
        if (same == NULL && heights->len < 64) {
            running_height height = {c->edge, 1, c->sheet};
            g_array_append_val(heights, height);
        } else if (same != NULL && same->last_sheet != c->sheet) {
            same->pages++;
            same->last_sheet = c->sheet;
        }
    }
}

/* Lines at the height of proven ones: the other half of a header that alternates. */
static void
neighbours_mark(const layout_work *work, GArray *all)
{
    g_autoptr(GArray) top = g_array_new(FALSE, FALSE, sizeof(running_height));
    g_autoptr(GArray) bottom = g_array_new(FALSE, FALSE, sizeof(running_height));
    GArray *heights[2] = {top, bottom};
    guint need = MAX(pages_needed(work->sheets->len), work->sheets->len / 5);
    heights_find(all, FALSE, top);
    heights_find(all, TRUE, bottom);
    for (guint i = 0; i < all->len; i++) {
        candidate *c = &g_array_index(all, candidate, i);
        if (c->marked || c->row > 2 || c->size_pt > 1.15F * work->body_pt || c->n_words > 16 ||
            c->gap < CLEAR_GAP * work->leading_pt)
            continue;
        for (guint k = 0; k < heights[c->bottom]->len; k++) {
            const running_height *h = &g_array_index(heights[c->bottom], running_height, k);
            if (h->pages >= need && fabsf(h->edge - c->edge) < 1) c->marked = TRUE;
        }
    }
}

/* A bare number further out than everything else. */
static void
lone_numbers_mark(const layout_work *work, GArray *all)
{
    g_autofree guint *tried = g_new0(guint, work->sheets->len + 1);
    for (guint i = 0; i < all->len; i++) {
        candidate *c = &g_array_index(all, candidate, i);
        layout_work_release(work);
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

/* Would nothing be left but page numbers? Then what is repeated is what the document says. */
static gboolean
leaves_nothing(const layout_work *work, const GArray *all)
{
    guint n_marked = 0, n_text = 0;
    for (guint i = 0; i < all->len; i++) {
        const candidate *c = &g_array_index(all, candidate, i);
        n_marked += c->marked ? 1 : 0;
    }
    for (guint s = 0; s < work->sheets->len && n_text <= n_marked; s++) {
        layout_work_release(work);
        const layout_sheet *sheet = layout_work_sheet(work, s);
        for (guint i = 0; i < sheet->segs->len; i++)
            n_text += layout_sheet_seg(sheet, i)->role == LAYOUT_ROLE_TEXT ? 1 : 0;
    }
    return n_text <= n_marked;
}

static void
roles_set(const layout_work *work, GArray *all)
{
    gboolean only_numbers = leaves_nothing(work, all);
    for (guint i = 0; i < all->len; i++) {
        const candidate *c = &g_array_index(all, candidate, i);
        layout_work_release(work);
        if (!c->marked || (only_numbers && !c->number)) continue;
        layout_seg *seg = layout_sheet_seg(layout_work_sheet(work, c->sheet), c->seg);
        if (c->sheet == 0 && seg->size_pt > 1.25F * work->body_pt) continue;
        seg->role = c->number   ? LAYOUT_ROLE_PAGE_NUMBER
                    : c->bottom ? LAYOUT_ROLE_FOOTER
                                : LAYOUT_ROLE_HEADER;
    }
}

/* ---- line numbers ---- */

#define EDGE_SLACK_PT 2.1F /* right edges of one column of numbers */

typedef struct {
    guint seg;
    float x1, baseline;
    long value;
} margin_number;

static int
compare_number(gconstpointer a, gconstpointer b)
{
    const margin_number *x = a, *y = b;
    if (x->baseline != y->baseline) return x->baseline < y->baseline ? -1 : 1;
    return (x->seg > y->seg) - (x->seg < y->seg);
}

/* Numbers at the start of lines, by the tens of points their right edge stands at. */
static void
margin_numbers_find(const layout_sheet *sheet, GArray *found)
{
    for (guint i = 0; i < sheet->segs->len; i++) {
        const layout_seg *seg = layout_sheet_seg(sheet, i);
        if (seg->turn != 0 || seg->role != LAYOUT_ROLE_TEXT || seg->n_words == 0) continue;
        const layout_word *word = layout_sheet_word(sheet, seg->first_word);
        if (word->start != seg->start || word->len > 4) continue;
        if (strspn(sheet->text->str + word->start, "0123456789") < word->len) continue;
        margin_number n = {i, word->x1, seg->baseline,
                           strtol(sheet->text->str + word->start, NULL, 10)};
        g_array_append_val(found, n);
    }
    g_array_sort(found, compare_number);
}

/* How many lines of text there are on a page, those of two columns at one height counted once. */
static guint
lines_count(const layout_sheet *sheet)
{
    g_autoptr(GArray) baselines = g_array_new(FALSE, FALSE, sizeof(float));
    for (guint i = 0; i < sheet->segs->len; i++) {
        const layout_seg *seg = layout_sheet_seg(sheet, i);
        if (seg->turn == 0 && seg->n_words > 1) g_array_append_val(baselines, seg->baseline);
    }
    g_array_sort(baselines, layout_compare_float);
    guint n = 0;
    float last = -G_MAXFLOAT;
    for (guint i = 0; i < baselines->len; i++) {
        float y = g_array_index(baselines, float, i);
        if (y - last > 4) {
            n++;
            last = y;
        }
    }
    return n;
}

/* Years and counts at the head of a table's rows go on like line numbers. Those stand beside sentences and
 * outside of all text: prose begins right of them, nothing runs through their edge. */
static gboolean
beside_prose(const layout_sheet *sheet, const GArray *numbers, float edge)
{
    guint words = 0, members = 0, through = 0;
    for (guint i = 0; i < numbers->len; i++) {
        const margin_number *n = &g_array_index(numbers, margin_number, i);
        if (fabsf(n->x1 - edge) > EDGE_SLACK_PT) continue;
        members++;
        for (guint k = 0; k < sheet->segs->len; k++) {
            const layout_seg *seg = layout_sheet_seg(sheet, k);
            if (seg->turn != 0 || fabsf(seg->baseline - n->baseline) > 3) continue;
            for (guint w = seg->first_word; w < seg->first_word + seg->n_words; w++) {
                const layout_word *word = layout_sheet_word(sheet, w);
                words += word->x0 > edge && word->len > 1 &&
                                 !g_ascii_isdigit(sheet->text->str[word->start])
                             ? 1
                             : 0;
            }
        }
    }
    for (guint k = 0; k < sheet->segs->len; k++) {
        const layout_seg *seg = layout_sheet_seg(sheet, k);
        if (seg->turn != 0 || seg->role != LAYOUT_ROLE_TEXT || seg->n_words < 2) continue;
        const layout_word *first = layout_sheet_word(sheet, seg->first_word);
        through +=
            seg->box.x0 < edge - 4 && seg->box.x1 > edge + 20 && first->x1 > edge + 3 ? 1 : 0;
    }
    return words >= 3 * members && through * 10 <= lines_count(sheet);
}

/* Numbers down the margin, right-aligned, one more each time, beside most lines: of drafts for reviewers. They
 * may stand so close to the text that they became part of its segments. edges: where they stood on the pages
 * before; next: the number that would go on from those. */
static void
line_numbers_mark(layout_sheet *sheet, GArray *edges, long *next)
{
    g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(margin_number));
    margin_numbers_find(sheet, found);
    for (guint tries = 0; tries < 3 && found->len >= (edges->len > 0 ? 1U : 6U); tries++) {
        /* the right edge that most of them share */
        guint bins[4096] = {0}, best = 0;
        for (guint i = 0; i < found->len; i++) {
            float x1 = g_array_index(found, margin_number, i).x1;
            guint bin = (guint)CLAMP(x1 / 2, 0, 4094);
            bins[bin]++;
            bins[bin + 1]++;
            if (bins[bin] > bins[best]) best = bin;
            if (bins[bin + 1] > bins[best]) best = bin + 1;
        }
        float edge = 2 * (float)best;
        guint members = 0, steps = 0, kept = 0, covered = 0;
        long last = -1, first = -1;
        for (guint i = 0; i < found->len; i++) {
            const margin_number *n = &g_array_index(found, margin_number, i);
            if (fabsf(n->x1 - edge) > EDGE_SLACK_PT) continue;
            members++;
            if (last >= 0 && (n->value == last + 1 || n->value == last + 5)) {
                steps++;
                covered += (guint)(n->value - last);
            }
            if (first < 0) first = n->value;
            last = n->value;
        }
        gboolean known = FALSE;
        for (guint k = 0; k < edges->len; k++)
            known = known || fabsf(g_array_index(edges, float, k) - edge) < 3;
        gboolean most = 2 * covered >= lines_count(sheet);
        gboolean numbers = known ? steps + 1 >= members && (most || labs(first - *next) <= 5)
                                 : steps >= 5 && steps * 10 >= members * 7 && most &&
                                       (edges->len > 0 || beside_prose(sheet, found, edge));
        if (numbers) *next = last + 1;
        if (numbers && !known) g_array_append_val(edges, edge);
        for (guint i = 0; i < found->len; i++) {
            margin_number n = g_array_index(found, margin_number, i);
            if (fabsf(n.x1 - edge) > EDGE_SLACK_PT) {
                g_array_index(found, margin_number, kept++) = n;
                continue;
            }
            if (!numbers) continue;
            guint index = n.seg;
            if (layout_sheet_seg(sheet, index)->n_words > 1)
                index = layout_seg_split(sheet, index, 1);
            layout_sheet_seg(sheet, index)->role = LAYOUT_ROLE_MARGIN;
        }
        g_array_set_size(found, kept);
    }
}

/* ---- logos ---- */

static char *
cluster_key(const layout_cluster *c)
{
    return g_strdup_printf("%ld %ld %ld %ld", lroundf(c->box.x0 / 2), lroundf(c->box.y0 / 2),
                           lroundf(c->box.x1 / 2), lroundf(c->box.y1 / 2));
}

/* Drawings that stand at the same place on several pages are the publisher's, not the paper's. Rules alone
 * may be tables that go on. */
static void
repeated_graphics_drop(layout_work *work)
{
    if (work->sheets->len < 2) return;
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint pass = 0; pass < 2; pass++) {
        for (guint s = 0; s < work->sheets->len; s++) {
            layout_sheet *sheet = layout_work_sheet(work, s);
            guint kept = 0;
            for (guint i = 0; i < sheet->clusters->len; i++) {
                layout_cluster c = g_array_index(sheet->clusters, layout_cluster, i);
                gboolean drawn = c.n_images > 0 || c.n_curves > 0;
                char *key = cluster_key(&c);
                guint n = GPOINTER_TO_UINT(g_hash_table_lookup(seen, key));
                if (pass == 0 && drawn)
                    g_hash_table_insert(seen, g_strdup(key), GUINT_TO_POINTER(n + 1));
                g_free(key);
                if (pass == 1 && drawn && n >= pages_needed(work->sheets->len)) continue;
                if (pass == 1) g_array_index(sheet->clusters, layout_cluster, kept++) = c;
            }
            if (pass == 1) g_array_set_size(sheet->clusters, kept);
            layout_work_release(work);
        }
    }
}

void
layout_furniture_mark(layout_work *work)
{
    g_autoptr(GArray) edges = g_array_new(FALSE, FALSE, sizeof(float));
    long next = 1;
    for (guint s = 0; s < work->sheets->len; s++) {
        line_numbers_mark(layout_work_sheet(work, s), edges, &next);
        layout_work_release(work);
    }
    repeated_graphics_drop(work);
    g_autoptr(GArray) all = candidates_find(work);
    if (work->sheets->len > 1) {
        repeated_mark(work, all);
        neighbours_mark(work, all);
    }
    g_array_sort(all, compare_place);
    lone_numbers_mark(work, all);
    roles_set(work, all);
    for (guint s = 0; s < work->sheets->len; s++) {
        layout_furniture_edges_mark(work, layout_work_sheet(work, s));
        layout_work_release(work);
    }
}

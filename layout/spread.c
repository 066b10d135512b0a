/* Two pages scanned side by side, as an open book lies on the glass: each is read as a sheet of its own.
 *
 *   +-----------------------+   the scan is wider than high, nothing crosses the white between the two blocks of text,
 *   |  12 Lakes   Rivers 13 |   and that white is two margins wide, not the gutter of two columns; or each block has
 *   |  ------- :  --------- |   its page number, the right one's the next
 *   |  ------- :  --------- |
 *   |  ------- :  --------- |   The parts share the page of the file: what is told of places is told of that page.
 *   +-----------------------+
 *
 * Slides, posters and wide tables are wider than high too: large letters, rows that are mostly white, or whatever
 * crosses the middle, a title or a rule, keep the page whole. Only scans are parted: a program that sets two pages
 * on one sheet leaves them in the order in which it drew them. */
#include "layout/analyze.h"
#include "layout/hidden.h"

#include <math.h>
#include <stdlib.h>

#define MIN_ASPECT   1.1F /* width by height of two pages side by side */
#define MAX_ASPECT   1.9F
#define MIN_GLYPHS   40     /* on either side */
#define MIN_ROWS     2      /* likewise */
#define MIDDLE_SHARE 0.05F  /* of the width: so far from the middle may the gutter end */
#define MIN_GUTTER   0.045F /* of the width, where no page numbers tell */
#define NUMBERED     0.02F  /* likewise, where they do */
#define MARGIN_SHARE 0.6F   /* of the outer margins together: the inner ones */
#define OTHER_GUTTER 1.4F   /* times as wide as the widest between columns */
#define MAX_EM       0.016F /* of the width: letters of slides and posters are larger */
#define MIN_FILL     0.35F  /* of a block's rows: those of tables are white for the most part */
#define SPECK_EM     2.0F   /* that a speck is away from all else */
#define APART_EM     1.5F   /* between a page number and a header */
#define WHOLE_SHARE  0.85F  /* of the width: the picture that is the scan */

/* One glyph in the frame, in which text is upright. */
typedef struct {
    float x0, x1, y, size_pt;
    uint32_t ch;
} mark;

typedef struct {
    float width, height; /* of the frame */
    guint turn;
    GArray *marks;  /* mark, by y */
    guint *crossed; /* [n_bins] glyphs by points of the width */
    guint n_bins;
    float x0, x1; /* of most text */
    float gutter_x0, gutter_x1;
} finding;

static gboolean
is_scan(const parse_page *page)
{
    if (page->n_runs == 0) return FALSE;
    if (page->runs[0].flags & PARSE_RUN_OCR) return TRUE;
    layout_hidden *hidden = layout_hidden_new(page);
    const gboolean layer = layout_hidden_source(hidden) == LAYOUT_TEXT_OCR;
    layout_hidden_free(hidden);
    return layer;
}

static guint
main_turn(const parse_page *page)
{
    guint n[4] = {0}, most = 0;
    for (guint r = 0; r < page->n_runs; r++)
        n[layout_run_turn(&page->runs[r])] += page->runs[r].n_glyphs;
    for (guint t = 1; t < 4; t++)
        if (n[t] > n[most]) most = t;
    return most;
}

static layout_rect
to_frame(const finding *f, const parse_page *page, parse_rect box)
{
    return layout_rect_turn((layout_rect){box.x0, box.y0, box.x1, box.y1}, f->turn, page->width_pt,
                            page->height_pt);
}

static int
compare_mark(gconstpointer a, gconstpointer b)
{
    const mark *m = a, *n = b;
    if (m->y != n->y) return m->y < n->y ? -1 : 1;
    return (m->x0 > n->x0) - (m->x0 < n->x0);
}

static void
marks_collect(finding *f, const parse_page *page)
{
    for (guint r = 0; r < page->n_runs; r++) {
        const parse_run *run = &page->runs[r];
        if (layout_run_turn(run) != f->turn || (run->flags & PARSE_RUN_OFF_PAGE)) continue;
        for (guint i = run->first_glyph; i < run->first_glyph + run->n_glyphs; i++) {
            const parse_glyph *glyph = &page->glyphs[i];
            const layout_rect box = to_frame(f, page, glyph->box);
            /* a bar: what the fold looks like */
            if (glyph->unicode <= ' ' || glyph->unicode == 0xA0 || glyph->unicode == '|') continue;
            if (!isfinite(box.x0 + box.x1 + box.y0 + box.y1)) continue;
            const mark m = {box.x0, box.x1, 0.5F * (box.y0 + box.y1), run->size_pt, glyph->unicode};
            g_array_append_val(f->marks, m);
        }
    }
    g_array_sort(f->marks, compare_mark);
}

/* ---- the white in the middle ---- */

/* Does it stand alone, or with one other, far from all else in its row? What a fold and dust look like. */
static gboolean
is_speck(const finding *f, guint index)
{
    const mark *all = (const mark *)f->marks->data, *own = &all[index];
    guint n = 0;
    if (own->ch >= '0' && own->ch <= '9') return FALSE;
    for (guint i = index; i-- > 0 && own->y - all[i].y < 0.5F * own->size_pt;)
        n += MAX(all[i].x0 - own->x1, own->x0 - all[i].x1) < SPECK_EM * own->size_pt ? 1 : 0;
    for (guint i = index + 1; i < f->marks->len && all[i].y - own->y < 0.5F * own->size_pt; i++)
        n += MAX(all[i].x0 - own->x1, own->x0 - all[i].x1) < SPECK_EM * own->size_pt ? 1 : 0;
    return n < 2;
}

static void
bins_fill(finding *f)
{
    f->n_bins = (guint)CLAMP(f->width, 1, 20000);
    f->crossed = g_new0(guint, f->n_bins);
    for (guint i = 0; i < f->marks->len; i++) {
        const mark *m = &g_array_index(f->marks, mark, i);
        if (is_speck(f, i)) continue;
        const guint to = (guint)CLAMP(m->x1, 0, (float)f->n_bins);
        for (guint x = (guint)CLAMP(m->x0, 0, (float)f->n_bins); x < to; x++)
            f->crossed[x]++;
    }
}

/* The widest run of bins without text whose middle is between from and to. */
static float
widest_white(const finding *f, float from, float to, float *x0, float *x1)
{
    float best = 0;
    for (guint i = 0, start = 0; i <= f->n_bins; i++) {
        if (i < f->n_bins && f->crossed[i] == 0) continue;
        const float a = MAX((float)start, f->x0), z = MIN((float)i, f->x1);
        start = i + 1;
        if (z - a <= best || z < from || a > to) continue;
        best = z - a;
        *x0 = a;
        *x1 = z;
    }
    return best;
}

/* Left and right edge of the text. */
static void
edges_find(finding *f)
{
    guint first = 0, last = f->n_bins;
    while (first < last && f->crossed[first] == 0)
        first++;
    while (last > first && f->crossed[last - 1] == 0)
        last--;
    f->x0 = (float)first;
    f->x1 = (float)last;
}

/* Does a rule or a picture cross it? The picture that is the scan does not count. */
static gboolean
is_crossed(const finding *f, const parse_page *page)
{
    const guint n = page->n_images + page->n_paths;
    for (guint i = 0; i < n; i++) {
        const layout_rect box = to_frame(f, page,
                                         i < page->n_images ? page->images[i].box
                                                            : page->paths[i - page->n_images].box);
        if (box.x1 - box.x0 > WHOLE_SHARE * f->width && box.y1 - box.y0 > 0.5F * f->height)
            continue;
        if (box.x0 < f->gutter_x0 && box.x1 > f->gutter_x1) return TRUE;
    }
    return FALSE;
}

/* ---- the blocks of text ---- */

enum { ROW_FIRST, ROW_LAST, N_ENDS };

typedef struct {
    guint n_glyphs, n_rows;
    float x0, x1, ink;
    int numbers[N_ENDS]
               [2]; /* what its first and last row begin and end with, -1 where that is no number */
} block;

static int
compare_x(gconstpointer a, gconstpointer b)
{
    const mark *m = a, *n = b;
    return (m->x0 > n->x0) - (m->x0 < n->x0);
}

/* The number that row [from, to) is, -1 where it is none. */
static int
number_of(const GArray *row, guint from, guint to)
{
    int value = 0;
    if (to - from > 4) return -1;
    for (guint i = from; i < to; i++) {
        const uint32_t ch = g_array_index(row, mark, i).ch;
        if (ch < '0' || ch > '9') return -1;
        value = value * 10 + (int)(ch - '0');
    }
    return value > 0 ? value : -1;
}

/* Takes a row into the block: its page number, if any, stands apart from all else. */
static void
row_close(block *b, GArray *row)
{
    if (row->len == 0) return;
    guint first = row->len, last = 0; /* where the first stretch ends and the last begins */
    g_array_sort(row, compare_x);
    for (guint i = 1; i < row->len; i++) {
        const mark *m = &g_array_index(row, mark, i);
        if (m->x0 - m[-1].x1 < APART_EM * m->size_pt) continue;
        first = MIN(first, i);
        last = i;
    }
    const int numbers[2] = {number_of(row, 0, first), number_of(row, last, row->len)};
    for (guint i = 0; i < 2; i++) {
        if (b->n_rows == 0) b->numbers[ROW_FIRST][i] = numbers[i];
        b->numbers[ROW_LAST][i] = numbers[i];
    }
    b->n_rows++;
    g_array_set_size(row, 0);
}

static block
block_measure(const finding *f, gboolean right)
{
    block b = {.x0 = INFINITY, .x1 = -INFINITY};
    g_autoptr(GArray) row = g_array_new(FALSE, FALSE, sizeof(mark));
    const float middle = 0.5F * (f->gutter_x0 + f->gutter_x1);
    for (guint i = 0; i < f->marks->len; i++) {
        const mark *m = &g_array_index(f->marks, mark, i);
        if ((0.5F * (m->x0 + m->x1) > middle) != right) continue;
        if (row->len > 0 && m->y > g_array_index(row, mark, 0).y + 0.5F * m->size_pt)
            row_close(&b, row);
        g_array_append_vals(row, m, 1);
        b.n_glyphs++;
        b.x0 = MIN(b.x0, m->x0);
        b.x1 = MAX(b.x1, m->x1);
        b.ink += m->x1 - m->x0;
    }
    row_close(&b, row);
    return b;
}

static gboolean
is_text(const block *b)
{
    return b->n_glyphs >= MIN_GLYPHS && b->n_rows >= MIN_ROWS &&
           b->ink >= MIN_FILL * (float)b->n_rows * (b->x1 - b->x0);
}

static gboolean
are_numbered(const block *left, const block *right)
{
    for (guint end = 0; end < N_ENDS; end++)
        for (guint i = 0; i < 4; i++)
            if (left->numbers[end][i & 1] > 0 &&
                right->numbers[end][i >> 1] == left->numbers[end][i & 1] + 1)
                return TRUE;
    return FALSE;
}

static float
median_size(const finding *f)
{
    g_autofree float *sizes = g_new(float, f->marks->len);
    for (guint i = 0; i < f->marks->len; i++)
        sizes[i] = g_array_index(f->marks, mark, i).size_pt;
    qsort(sizes, f->marks->len, sizeof *sizes, layout_compare_float);
    return sizes[f->marks->len / 2];
}

static gboolean
parts_pages(finding *f, const parse_page *page)
{
    const float middle = 0.5F * f->width;
    if (f->marks->len < 2 * MIN_GLYPHS) return FALSE;
    bins_fill(f);
    edges_find(f);
    const float gutter =
        widest_white(f, middle - MIDDLE_SHARE * f->width, middle + MIDDLE_SHARE * f->width,
                     &f->gutter_x0, &f->gutter_x1);
    if (gutter < NUMBERED * f->width || is_crossed(f, page)) return FALSE;
    const block left = block_measure(f, FALSE), right = block_measure(f, TRUE);
    if (!is_text(&left) || !is_text(&right)) return FALSE;
    if (are_numbered(&left, &right)) return TRUE;
    float x0, x1;
    const float other = MAX(widest_white(f, f->x0, f->gutter_x0 - 1, &x0, &x1),
                            widest_white(f, f->gutter_x1 + 1, f->x1, &x0, &x1));
    return gutter >= MIN_GUTTER * f->width && gutter >= OTHER_GUTTER * other &&
           gutter >= MARGIN_SHARE * (f->x0 + f->width - f->x1) &&
           median_size(f) <= MAX_EM * f->width;
}

/* Where to cut, on the frame's x axis; 0 where the page is one. */
static float
cut_find(const parse_page *page, guint *turn)
{
    finding f = {.turn = main_turn(page), .marks = g_array_new(FALSE, FALSE, sizeof(mark))};
    f.width = f.turn & 1 ? page->height_pt : page->width_pt;
    f.height = f.turn & 1 ? page->width_pt : page->height_pt;
    float cut = 0;
    if (f.width >= MIN_ASPECT * f.height && f.width <= MAX_ASPECT * f.height && is_scan(page)) {
        marks_collect(&f, page);
        /* as near to the middle as the text lets it */
        if (parts_pages(&f, page)) {
            const float margin = 0.25F * (f.gutter_x1 - f.gutter_x0);
            cut = CLAMP(0.5F * f.width, f.gutter_x0 + margin, f.gutter_x1 - margin);
        }
    }
    *turn = f.turn;
    g_free(f.crossed);
    g_array_unref(f.marks);
    return cut;
}

/* ---- one part ---- */

typedef struct {
    const parse_page *page;
    parse_rect box; /* of the part on the page */
    parse_page part;
    GArray *glyphs, *runs, *paths, *images, *links;
} parting;

static gboolean
is_inside(const parting *p, parse_rect box)
{
    const float x = 0.5F * (box.x0 + box.x1), y = 0.5F * (box.y0 + box.y1);
    return x >= p->box.x0 && x < p->box.x1 && y >= p->box.y0 && y < p->box.y1;
}

/* What of box lies in the part, as seen from its corner; FALSE: nothing. */
static gboolean
clip(const parting *p, parse_rect *box)
{
    const float dx = p->box.x0, dy = p->box.y0;
    *box = (parse_rect){MAX(box->x0, p->box.x0) - dx, MAX(box->y0, p->box.y0) - dy,
                        MIN(box->x1, p->box.x1) - dx, MIN(box->y1, p->box.y1) - dy};
    return box->x1 > box->x0 || box->y1 > box->y0 ? box->x1 >= box->x0 && box->y1 >= box->y0
                                                  : FALSE;
}

static void
run_part(parting *p, parse_run run)
{
    const guint first = run.first_glyph, n = run.n_glyphs;
    run.first_glyph = p->glyphs->len;
    for (guint i = first; i < first + n; i++) {
        parse_glyph glyph = p->page->glyphs[i];
        if (!is_inside(p, glyph.box)) continue;
        glyph.x -= p->box.x0;
        glyph.y -= p->box.y0;
        glyph.box = (parse_rect){glyph.box.x0 - p->box.x0, glyph.box.y0 - p->box.y0,
                                 glyph.box.x1 - p->box.x0, glyph.box.y1 - p->box.y0};
        g_array_append_val(p->glyphs, glyph);
    }
    run.n_glyphs = p->glyphs->len - run.first_glyph;
    if (run.n_glyphs == 0) return;
    clip(p, &run.box);
    g_array_append_val(p->runs, run);
}

static void
parting_fill(parting *p)
{
    const parse_page *page = p->page;
    for (guint i = 0; i < page->n_runs; i++)
        run_part(p, page->runs[i]);
    for (guint i = 0; i < page->n_paths; i++) {
        parse_path path = page->paths[i];
        if (clip(p, &path.box)) g_array_append_val(p->paths, path);
    }
    for (guint i = 0; i < page->n_images; i++) {
        parse_image image = page->images[i];
        if (clip(p, &image.box)) g_array_append_val(p->images, image);
    }
    for (guint i = 0; i < page->n_links; i++) {
        parse_link link = page->links[i];
        if (is_inside(p, link.box) && clip(p, &link.box)) g_array_append_val(p->links, link);
    }
}

/* Glyphs that no part has, for they stand beside the page, are told of in the first. */
static layout_sheet *
part_boil(layout_work *fonts, const parse_page *page, parse_rect box, gboolean second,
          guint *n_taken)
{
    parting p = {.page = page, .box = box, .part = *page};
    p.glyphs = g_array_new(FALSE, FALSE, sizeof(parse_glyph));
    p.runs = g_array_new(FALSE, FALSE, sizeof(parse_run));
    p.paths = g_array_new(FALSE, FALSE, sizeof(parse_path));
    p.images = g_array_new(FALSE, FALSE, sizeof(parse_image));
    p.links = g_array_new(FALSE, FALSE, sizeof(parse_link));
    parting_fill(&p);
    p.part.width_pt = box.x1 - box.x0;
    p.part.height_pt = box.y1 - box.y0;
    p.part.glyphs = (parse_glyph *)p.glyphs->data, p.part.n_glyphs = p.glyphs->len;
    p.part.runs = (parse_run *)p.runs->data, p.part.n_runs = p.runs->len;
    p.part.paths = (parse_path *)p.paths->data, p.part.n_paths = p.paths->len;
    p.part.images = (parse_image *)p.images->data, p.part.n_images = p.images->len;
    p.part.links = (parse_link *)p.links->data, p.part.n_links = p.links->len;
    *n_taken += p.glyphs->len;
    if (second) {
        p.part.n_masked = 0;
        p.part.n_unplaced = page->n_glyphs - MIN(*n_taken, page->n_glyphs);
    }
    layout_sheet *sheet = layout_sheet_boil(fonts, &p.part);
    sheet->whole =
        (layout_rect){-box.x0, -box.y0, page->width_pt - box.x0, page->height_pt - box.y0};
    sheet->second = second;
    g_array_unref(p.glyphs);
    g_array_unref(p.runs);
    g_array_unref(p.paths);
    g_array_unref(p.images);
    g_array_unref(p.links);
    return sheet;
}

/* Hebrew and Arabic books are read from the right page to the left one. */
static gboolean
is_right_to_left(const parse_page *page)
{
    guint rtl = 0, other = 0;
    for (guint i = 0; i < page->n_glyphs; i++) {
        const uint32_t ch = page->glyphs[i].unicode;
        if (layout_is_rtl(ch))
            rtl++;
        else if (ch > ' ' && g_unichar_isalpha(ch))
            other++;
    }
    return rtl > other;
}

void
layout_spread_boil(layout_work *fonts, const parse_page *page, layout_sheet *sheets[2])
{
    guint turn;
    const float cut = cut_find(page, &turn);
    sheets[1] = NULL;
    if (cut <= 0) {
        sheets[0] = layout_sheet_boil(fonts, page);
        return;
    }
    const float w = page->width_pt, h = page->height_pt;
    const float width = turn & 1 ? h : w, height = turn & 1 ? w : h;
    const gboolean rtl = is_right_to_left(page);
    guint n_taken = 0;
    for (guint i = 0; i < 2; i++) {
        const gboolean right = (i == 1) != rtl;
        const layout_rect part = {right ? cut : 0, 0, right ? width : cut, height};
        const layout_rect box = layout_rect_unturn(part, turn, w, h);
        sheets[i] =
            part_boil(fonts, page, (parse_rect){box.x0, box.y0, box.x1, box.y1}, i == 1, &n_taken);
    }
}

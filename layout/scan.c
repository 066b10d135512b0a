/* Does a page say in its pixels what its text does not?
 *
 * A page is recognised (OCR) where it has pictures or outlines and hardly any text, or text that is none: glyphs
 * without Unicode, letters that are not distributed as letters of a language are, because the font's map is wrong.
 * A text layer that another OCR put below a scan is kept while it reads as a language. On a page with text of its
 * own, a picture is recognised where a caption calls it a table, or where it is most of the page. */
#include "layout/scan.h"
#include "layout/hidden.h"

#include <math.h>
#include <string.h>

/* of 1: what recognition must add to the worth of a page's own text to take its place */
/* of 1: handwriting, and drawings taken for text, come out below */
#define LEGIBLE        0.35
#define CLEARLY_BETTER 0.05
#define MIN_GLYPHS     12    /* fewer than that below a picture are a stamp or a page number */
#define STAMP_GLYPHS   400   /* native text beside a scan that fills the page */
#define SCAN_SHARE     0.45F /* of the page: a picture that may be all of it */
#define PICTURE_SHARE  0.02F /* of the page: a picture that may hold text */
#define OUTLINES       200   /* drawn paths, on a page without text */
#define MIN_LETTERS    200   /* to compare their distribution */
#define BAD_SHARE      0.2F  /* of glyphs without meaning */
#define BAD_COSINE     0.75F
#define CAPTION_REACH  30.0F /* points between a caption and its picture */

/* ---- what text is worth ---- */

typedef struct {
    guint n, meaningless;
    guint letters[26], n_letters, n_other_letters, n_digits;
} census;

/* Per mille, the mean of English, German, French, Spanish and Italian as published tables have them; accents left
 * out. */
static const guint16 usual_letters[26] = {88, 12, 30, 41, 146, 11, 16, 22, 82, 3, 6, 45, 27,
                                          74, 66, 21, 5,  65,  63, 68, 42, 13, 9, 2, 6,  7};

static gboolean
is_meaningless(uint32_t ch)
{
    return ch == 0xFFFD || ch < 0x20 || (ch >= 0x7F && ch < 0xA0) ||
           (ch >= 0xE000 && ch <= 0xF8FF) || ch > 0x10FFFF || (ch >= 0xF0000 && ch <= 0x10FFFF);
}

static void
census_add(census *c, uint32_t ch)
{
    if (ch == ' ' || ch == 0xA0 || ch == '\t') return;
    c->n++;
    if (is_meaningless(ch)) {
        c->meaningless++;
    } else if (ch < 128 && g_ascii_isalpha((char)ch)) {
        c->letters[g_ascii_tolower((char)ch) - 'a']++;
        c->n_letters++;
    } else if (g_unichar_isalpha(ch)) {
        c->n_other_letters++;
    } else if (g_unichar_isdigit(ch)) {
        c->n_digits++;
    }
}

static double
letters_cosine(const census *c)
{
    double dot = 0, a = 0, b = 0;
    for (guint i = 0; i < 26; i++) {
        dot += (double)c->letters[i] * usual_letters[i];
        a += (double)c->letters[i] * c->letters[i];
        b += (double)usual_letters[i] * usual_letters[i];
    }
    return a > 0 ? dot / sqrt(a * b) : 0;
}

/* 0 (noise) to 1 (text); what little there is to judge counts as text. */
static double
census_worth(const census *c)
{
    if (c->n == 0) return 0;
    const double sense = 1 - (double)c->meaningless / c->n;
    /* other scripts, and pages of numbers, are not measured by Latin letters */
    if (c->n_letters < MIN_LETTERS || c->n_letters < c->n_other_letters ||
        c->n_letters < c->n_digits)
        return sense;
    return sense * MIN(1, letters_cosine(c) / (double)BAD_COSINE);
}

static gboolean
counts(const parse_page *page, const layout_hidden *hidden, const parse_run *run)
{
    const int verdict = layout_hidden_run(hidden, run);
    return run->font < page->n_fonts && (verdict == LAYOUT_SEEN || verdict == LAYOUT_SEEN_IN_PART);
}

/* Of the text that a reader sees; outside: only what stands beside this box, NULL: all. */
static census
census_take(const parse_page *page, const layout_hidden *hidden, const parse_rect *outside)
{
    census c = {0};
    for (guint r = 0; r < page->n_runs; r++) {
        const parse_run *run = &page->runs[r];
        if (!counts(page, hidden, run)) continue;
        const float x = 0.5F * (run->box.x0 + run->box.x1), y = 0.5F * (run->box.y0 + run->box.y1);
        if (outside != NULL && x > outside->x0 && x < outside->x1 && y > outside->y0 &&
            y < outside->y1)
            continue;
        /* a word that was hardly legible means as little as a glyph without Unicode */
        const gboolean doubtful = (run->flags & PARSE_RUN_DOUBTFUL) != 0;
        for (guint i = 0; i < run->n_glyphs; i++) {
            const uint32_t ch = page->glyphs[run->first_glyph + i].unicode;
            census_add(&c, doubtful && ch != ' ' ? 0xFFFD : ch);
        }
    }
    return c;
}

double
layout_scan_worth(const parse_page *page)
{
    layout_hidden *hidden = layout_hidden_new(page);
    const census c = census_take(page, hidden, NULL);
    layout_hidden_free(hidden);
    return census_worth(&c) * MIN(1, (double)c.n / MIN_GLYPHS);
}

/* ---- pictures ---- */

static parse_rect
on_page(const parse_page *page, parse_rect box)
{
    return (parse_rect){MAX(box.x0, 0), MAX(box.y0, 0), MIN(box.x1, page->width_pt),
                        MIN(box.y1, page->height_pt)};
}

static float
share_of(const parse_page *page, parse_rect box)
{
    const parse_rect r = on_page(page, box);
    const float area = page->width_pt * page->height_pt;
    return area > 0 && r.x1 > r.x0 && r.y1 > r.y0 ? (r.x1 - r.x0) * (r.y1 - r.y0) / area : 0;
}

/* All pictures of a page, which may come in strips, as one box; the share of the page that they cover. */
static float
pictures_hull(const parse_page *page, parse_rect *hull)
{
    float share = 0;
    *hull = (parse_rect){INFINITY, INFINITY, -INFINITY, -INFINITY};
    for (guint i = 0; i < page->n_images; i++) {
        const float part = share_of(page, page->images[i].box);
        if (part <= 0) continue;
        const parse_rect r = on_page(page, page->images[i].box);
        *hull = (parse_rect){MIN(hull->x0, r.x0), MIN(hull->y0, r.y0), MAX(hull->x1, r.x1),
                             MAX(hull->y1, r.y1)};
        share += part;
    }
    return MIN(share, 1);
}

static gboolean
has_outlines(const parse_page *page)
{
    guint64 n = 0;
    for (guint i = 0; i < page->n_paths; i++)
        if (page->paths[i].kind == PARSE_PATH_OTHER) n += page->paths[i].n_segments;
    return n >= OUTLINES;
}

/* Does the run begin as the caption of a table does? */
static gboolean
calls_table(const parse_page *page, const parse_run *run)
{
    static const char *const words[] = {"table", "tabelle", "tableau", "tabla", "tabella"};
    char start[16] = "";
    guint n = 0;
    for (guint i = 0; i < run->n_glyphs && n + 1 < sizeof start; i++) {
        const uint32_t ch = page->glyphs[run->first_glyph + i].unicode;
        if (ch == ' ' && n == 0) continue;
        if (ch >= 128) return FALSE;
        start[n++] = g_ascii_tolower((char)ch);
    }
    for (guint i = 0; i < G_N_ELEMENTS(words); i++) {
        const size_t len = strlen(words[i]);
        if (strncmp(start, words[i], len) != 0) continue;
        const char *rest = start + len;
        if (*rest == '\0' || (*rest == ' ' && (rest[1] == '\0' || g_ascii_isalnum(rest[1]))))
            return TRUE;
    }
    return FALSE;
}

static gboolean
captioned_table(const parse_page *page, parse_rect box)
{
    for (guint r = 0; r < page->n_runs; r++) {
        const parse_rect line = page->runs[r].box;
        const float gap = MAX(box.y0 - line.y1, line.y0 - box.y1);
        if (gap < -CAPTION_REACH || gap > CAPTION_REACH || line.x0 > box.x1 || line.x1 < box.x0)
            continue;
        if (line.y0 > box.y0 && line.y1 < box.y1) continue;
        if (calls_table(page, &page->runs[r])) return TRUE;
    }
    return FALSE;
}

static void
regions_find(const parse_page *page, layout_scan *scan)
{
    for (guint i = 0; i < page->n_images && scan->n_regions < LAYOUT_SCAN_MAX_REGIONS; i++) {
        const parse_rect box = on_page(page, page->images[i].box);
        if (page->images[i].mask || share_of(page, box) < PICTURE_SHARE) continue;
        if (captioned_table(page, box)) scan->regions[scan->n_regions++] = box;
    }
    scan->verdict = scan->n_regions > 0 ? LAYOUT_SCAN_REGIONS : LAYOUT_SCAN_NONE;
}

void
layout_scan_judge(const parse_page *page, layout_scan *scan)
{
    *scan = (layout_scan){.verdict = LAYOUT_SCAN_NONE};
    parse_rect hull;
    const float pictured = pictures_hull(page, &hull);
    if (page->n_runs == 0) {
        if (pictured >= PICTURE_SHARE || has_outlines(page)) scan->verdict = LAYOUT_SCAN_PAGE;
        return;
    }
    layout_hidden *hidden = layout_hidden_new(page);
    const census all = census_take(page, hidden, NULL);
    const gboolean layer = layout_hidden_source(hidden) == LAYOUT_TEXT_OCR;
    scan->worth = census_worth(&all) * MIN(1, (double)all.n / MIN_GLYPHS);
    if (all.n < MIN_GLYPHS) {
        if (pictured >= PICTURE_SHARE || has_outlines(page)) scan->verdict = LAYOUT_SCAN_PAGE;
    } else if (census_worth(&all) < 1 - (double)BAD_SHARE) {
        scan->verdict = LAYOUT_SCAN_PAGE;
    } else if (!layer && pictured >= SCAN_SHARE && all.n < STAMP_GLYPHS) {
        const census beside = census_take(page, hidden, &hull);
        /* labels in a picture that fills the page belong to a drawing */
        if (2 * beside.n >= all.n) scan->verdict = LAYOUT_SCAN_PAGE;
    } else if (!layer && page->n_images > 0) {
        regions_find(page, scan);
    }
    layout_hidden_free(hidden);
}

parse_page *
layout_scan_recognize(const layout_scan *scan, gboolean force, parse_ocr *ocr, parse_file *file,
                      const parse_page *page, GError **error)
{
    const gboolean regions = !force && scan->verdict == LAYOUT_SCAN_REGIONS;
    if (!force && scan->verdict == LAYOUT_SCAN_NONE) return NULL;
    g_autoptr(parse_page) recognized =
        parse_ocr_page(ocr, file, page, scan->regions, regions ? scan->n_regions : 0, error);
    if (recognized == NULL) return NULL;
    if (force || regions) return g_steal_pointer(&recognized);
    const double worth = layout_scan_worth(recognized);
    if (worth < LEGIBLE && scan->worth <= 0 && recognized->n_glyphs > 0)
        g_set_error(error, PARSE_ERROR, PARSE_ERROR_PAGE, "page %d: its pixels are not legible",
                    page->index + 1);
    if (worth < MAX(LEGIBLE, scan->worth + CLEARLY_BETTER)) return NULL;
    return g_steal_pointer(&recognized);
}

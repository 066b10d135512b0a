/* Scans that were recognised twice, or whose words are drawn as well: text that comes again at its own place.
 *
 * A second pass of another program leaves a second invisible layer, a little beside the first and not quite of the same
 * words, so that comparing characters (the twins of lines.c) finds nothing. Two words of one size never stand at one place
 * of a page, though: word for word, what is at least half covered by words of a better layer is left out, and lines that
 * nearly are. Better is what is drawn for the eye, then what was added last. What a layer alone has stays. */
#include "layout/hidden.h"

#include <math.h>
#include <string.h>

#define WORD_COVERED    0.5F /* of a word's length */
#define STRETCH_COVERED 0.8F /* of a line's: its words may stand a little off theirs */
#define BESIDE          0.5F /* of the lower word's height, that both share */
#define WORD_GAP_EM     0.3F /* ends a word where no blank does */
#define STRETCH_GAP_EM  1.5F /* to another column */
#define MAX_RATIO       1.7F /* of sizes: a stamp over text says something else */
#define CELL_PT         32.0F
#define MAX_CELLS       512 /* of one word */
#define CROWDED         256 /* words in a cell: more are no page */

typedef struct {
    float from, to, top, bottom; /* along the line and across it */
    float size_pt;
    gboolean sideways;
} place;

typedef struct {
    place place;
    guint first, n, n_unreadable; /* glyphs */
} layer_word;

typedef struct {
    const layout_hidden *hidden;
    const parse_page *page;
    GHashTable *cells; /* cell -> GArray of place */
    guint8 *repeated;  /* [n_glyphs] */
    GArray *words;     /* layer_word: of the stretch that is being read */
    gboolean any;
} finder;

static gpointer
cell_key(int along, int across, gboolean sideways)
{
    return GSIZE_TO_POINTER(
        ((gsize)(along & 0x3FFFFF) << 23 | (gsize)(across & 0x3FFFFF) << 1 | (sideways ? 1U : 0U)) +
        1);
}

static int
cell_of(float v)
{
    return (int)floorf(CLAMP(v, -20000, 20000) / CELL_PT);
}

static float
covered_by(const place *word, const place *other)
{
    if (other->size_pt > MAX_RATIO * word->size_pt || word->size_pt > MAX_RATIO * other->size_pt)
        return 0;
    const float shared = MIN(word->bottom, other->bottom) - MAX(word->top, other->top);
    const float lower = MIN(word->bottom - word->top, other->bottom - other->top);
    return shared > BESIDE * lower ? MIN(word->to, other->to) - MAX(word->from, other->from) : 0;
}

/* Its length under words that are there already. Each counts in the cell that its part of the word begins in. */
static float
covered_length(const finder *f, const place *word)
{
    float sum = 0;
    const int first = cell_of(word->from), last = MIN(cell_of(word->to), first + MAX_CELLS);
    for (int along = first; along <= last; along++) {
        for (int across = cell_of(word->top); across <= cell_of(word->bottom); across++) {
            const GArray *cell =
                g_hash_table_lookup(f->cells, cell_key(along, across, word->sideways));
            for (guint i = 0; cell != NULL && i < cell->len; i++) {
                const place *other = &g_array_index(cell, place, i);
                const float part = covered_by(word, other);
                const gboolean here = cell_of(MAX(word->from, other->from)) == along &&
                                      cell_of(MAX(word->top, other->top)) == across;
                if (part > 0 && here) sum += part;
            }
        }
    }
    return sum;
}

static void
place_add(finder *f, const place *word)
{
    const int first = cell_of(word->from), last = MIN(cell_of(word->to), first + MAX_CELLS);
    for (int along = first; along <= last; along++) {
        for (int across = cell_of(word->top); across <= cell_of(word->bottom); across++) {
            const gpointer key = cell_key(along, across, word->sideways);
            GArray *cell = g_hash_table_lookup(f->cells, key);
            if (cell == NULL) {
                cell = g_array_new(FALSE, FALSE, sizeof(place));
                g_hash_table_insert(f->cells, key, cell);
            }
            if (cell->len < CROWDED) g_array_append_val(cell, *word);
        }
    }
}

/* Where glyph stands; FALSE for blanks and what is nowhere. */
static gboolean
place_of(const parse_run *run, const parse_glyph *glyph, place *out)
{
    const parse_rect b = glyph->box;
    const gboolean sideways = fabsf(run->dir_y) > fabsf(run->dir_x);
    if (glyph->unicode == ' ' || glyph->unicode == 0xA0 || !isfinite(b.x0 + b.x1 + b.y0 + b.y1))
        return FALSE;
    *out = sideways ? (place){b.y0, b.y1, b.x0, b.x1, run->size_pt, TRUE}
                    : (place){b.x0, b.x1, b.y0, b.y1, run->size_pt, FALSE};
    return TRUE;
}

static gboolean
is_unreadable(uint32_t ch)
{
    return ch == 0xFFFD || (ch >= 0xE000 && ch <= 0xF8FF);
}

static place
joined(place a, place b)
{
    return (place){MIN(a.from, b.from),     MAX(a.to, b.to), MIN(a.top, b.top),
                   MAX(a.bottom, b.bottom), a.size_pt,       a.sideways};
}

static float
gap_between(place a, place b)
{
    return MAX(b.from - a.to, a.from - b.to);
}

static gboolean
is_covered(const finder *f, const place *what, float share)
{
    return covered_length(f, what) >= share * MAX(what->to - what->from, 0.01F);
}

/* The words of a stretch of a line: left out where they repeat, else later ones are held against them, and against the
 * blanks between them. layer: they may be left out. */
static void
stretch_take(finder *f, gboolean layer)
{
    const layer_word *words = (const layer_word *)(gpointer)f->words->data;
    const guint n = f->words->len;
    if (n == 0) return;
    place all = words[0].place, kept = {0};
    gboolean open = FALSE;
    for (guint i = 1; i < n; i++)
        all = joined(all, words[i].place);
    const gboolean whole = layer && is_covered(f, &all, STRETCH_COVERED);
    for (guint i = 0; i < n; i++)
        if (whole || (layer && is_covered(f, &words[i].place, WORD_COVERED)))
            memset(f->repeated + words[i].first, 1, words[i].n);
    for (guint i = 0; i < n; i++) {
        const gboolean repeated = f->repeated[words[i].first] != 0;
        f->any |= repeated;
        if (!repeated && 2 * words[i].n_unreadable < words[i].n) {
            kept = open ? joined(kept, words[i].place) : words[i].place;
            open = TRUE;
        } else if (open) {
            place_add(f, &kept);
            open = FALSE;
        }
    }
    if (open) place_add(f, &kept);
    g_array_set_size(f->words, 0);
}

static void
run_take(finder *f, const parse_run *run, gboolean layer)
{
    const int verdict = layout_hidden_run(f->hidden, run);
    gboolean blank = TRUE;
    if (verdict != LAYOUT_SEEN && verdict != LAYOUT_SEEN_IN_PART) return;
    for (guint i = run->first_glyph; i < run->first_glyph + run->n_glyphs; i++) {
        const parse_glyph *glyph = &f->page->glyphs[i];
        const guint unreadable = is_unreadable(glyph->unicode) ? 1 : 0;
        layer_word new = {.first = i, .n = 1, .n_unreadable = unreadable};
        if (!place_of(run, glyph, &new.place) ||
            (verdict == LAYOUT_SEEN_IN_PART &&
             layout_hidden_glyph(f->hidden, run, glyph) != LAYOUT_SEEN)) {
            blank = TRUE;
            continue;
        }
        layer_word *last =
            f->words->len > 0 ? &g_array_index(f->words, layer_word, f->words->len - 1) : NULL;
        const float gap = last != NULL ? gap_between(last->place, new.place) : 0;
        if (last != NULL && gap > STRETCH_GAP_EM * run->size_pt) {
            stretch_take(f, layer);
            last = NULL;
        }
        if (last == NULL || blank || gap > WORD_GAP_EM * run->size_pt) {
            g_array_append_val(f->words, new);
        } else {
            last->place = joined(last->place, new.place);
            last->n = i + 1 - last->first;
            last->n_unreadable += unreadable;
        }
        blank = FALSE;
    }
    stretch_take(f, layer);
}

guint8 *
layout_hidden_repeats(const layout_hidden *hidden, const parse_page *page)
{
    if (!layout_hidden_has_layer(hidden) || page->n_glyphs == 0) return NULL;
    finder f = {.hidden = hidden,
                .page = page,
                .cells = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)g_array_unref),
                .repeated = g_new0(guint8, page->n_glyphs),
                .words = g_array_new(FALSE, FALSE, sizeof(layer_word))};
    for (guint r = 0; r < page->n_runs; r++)
        if (!layout_hidden_is_layer(hidden, &page->runs[r])) run_take(&f, &page->runs[r], FALSE);
    for (guint r = page->n_runs; r-- > 0;)
        if (layout_hidden_is_layer(hidden, &page->runs[r])) run_take(&f, &page->runs[r], TRUE);
    g_hash_table_unref(f.cells);
    g_array_unref(f.words);
    if (!f.any) g_clear_pointer(&f.repeated, g_free);
    return f.repeated;
}

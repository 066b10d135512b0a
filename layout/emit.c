/* Blocks in the making -> the document: texts put together, hyphens repaired, spans, lines and boxes. */
#include "layout/document.h"
#include "layout/flow.h"
#include "layout/mathtext.h"

#include <math.h>
#include <string.h>

#define MAX_LINK_HEIGHT_PT 60
#define MAX_LINKS_PER_SEG  64
#define PARAS_AT_ONCE      128 /* between two rests of the builder */

typedef struct {
    layout_work *work;
    layout_builder *builder;
    GString *text;
    GArray *spans; /* layout_span */
    GArray *lines; /* layout_line */
    GArray *boxes; /* layout_box */
    GArray *uses;  /* layout_link_use */
    guint last_region;
    int last_sheet;
    gsize skip;            /* bytes of the first row still to be left out: its marker */
    gboolean code;         /* keep line breaks and indentation */
    gboolean contents;     /* leave out rows of dots */
    float code_x0;         /* left edge of the block's code */
    GStringChunk *strings; /* targets of spans, until copied */
    GString *latex;        /* of the formula in hand */
    gboolean furniture;    /* the block in hand is none of the text */
} composer;

static void
composer_reset(composer *c)
{
    g_string_truncate(c->text, 0);
    g_array_set_size(c->spans, 0);
    g_array_set_size(c->lines, 0);
    g_array_set_size(c->boxes, 0);
    g_array_set_size(c->uses, 0);
    if (c->strings != NULL) g_string_chunk_clear(c->strings);
    c->last_sheet = LAYOUT_NONE;
    c->skip = 0;
    c->code = FALSE;
    c->contents = FALSE;
    c->furniture = FALSE;
}

static void
span_add(composer *c, uint32_t start, uint32_t len, guint flags, const char *target)
{
    flags &= 0xFFFF;
    if (len == 0 || flags == 0) return;
    if (c->spans->len > 0) {
        layout_span *last = &g_array_index(c->spans, layout_span, c->spans->len - 1);
        uint32_t end = last->start + last->len;
        gboolean near = end == start || (end + 1 == start && c->text->str[end] == ' ');
        if (near && last->flags == flags && g_strcmp0(last->target, target) == 0) {
            last->len = start + len - last->start;
            return;
        }
    }
    layout_span span = {start, len, flags, target};
    g_array_append_val(c->spans, span);
}

/* ---- links ---- */

typedef struct {
    const layout_link *links[MAX_LINKS_PER_SEG];
    guint n;
} near_links;

static int
compare_link(gconstpointer a, gconstpointer b)
{
    const layout_link *x = a, *y = b;
    if (x->box.y0 != y->box.y0) return x->box.y0 < y->box.y0 ? -1 : 1;
    if (x->box.x0 != y->box.x0) return x->box.x0 < y->box.x0 ? -1 : 1;
    return (x->box.x1 > y->box.x1) - (x->box.x1 < y->box.x1);
}

/* The links over one segment; those of a sheet are sorted by their upper edge. */
static void
links_near(const layout_sheet *sheet, const layout_seg *seg, near_links *near)
{
    float middle = seg->baseline - 0.3F * seg->size_pt;
    guint lo = 0, hi = sheet->links->len;
    near->n = 0;
    while (lo < hi) {
        guint mid = lo + (hi - lo) / 2;
        if (g_array_index(sheet->links, layout_link, mid).box.y0 < middle - MAX_LINK_HEIGHT_PT)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (; lo < sheet->links->len && near->n < MAX_LINKS_PER_SEG; lo++) {
        const layout_link *link = &g_array_index(sheet->links, layout_link, lo);
        if (link->box.y0 > middle) break;
        if (link->uri == NULL || link->box.y1 < middle ||
            link->box.y1 - link->box.y0 > MAX_LINK_HEIGHT_PT)
            continue;
        if (layout_overlap_1d(link->box.x0, link->box.x1, seg->box.x0, seg->box.x1) > 0)
            near->links[near->n++] = link;
    }
}

static const layout_link *
link_at(const near_links *near, float x)
{
    for (guint i = 0; i < near->n; i++)
        if (near->links[i]->box.x0 - 0.5F <= x && x <= near->links[i]->box.x1 + 0.5F)
            return near->links[i];
    return NULL;
}

/* A stretch of text under an internal link; the words of one link become one stretch. */
static void
link_use_add(composer *c, const layout_link *link, uint32_t start, uint32_t len)
{
    static const char *const names[] = {"cite", "bib", "ref-", "CR", "b", "R", "Ref"};
    layout_link_use use = {
        .start = start, .len = len, .page = link->dest_page, .x = link->dest_x, .y = link->dest_y};
    if (link->dest_page < 0 || len == 0) return;
    for (guint i = 0; i < G_N_ELEMENTS(names) && link->dest != NULL; i++) {
        const gsize n = strlen(names[i]);
        use.cite |=
            strncmp(link->dest, names[i], n) == 0 && (i == 0 || !g_ascii_isalpha(link->dest[n]));
    }
    if (c->uses->len > 0) {
        layout_link_use *last = &g_array_index(c->uses, layout_link_use, c->uses->len - 1);
        const uint32_t end = last->start + last->len;
        /* names and the year behind them are linked one by one; coordinates may be unspecified */
        const gboolean same = last->page == use.page &&
                              (last->x == use.x || (isnan(last->x) && isnan(use.x))) &&
                              (last->y == use.y || (isnan(last->y) && isnan(use.y)));
        if (start <= end + 3 && same) {
            last->len = start + len - last->start;
            return;
        }
    }
    g_array_append_val(c->uses, use);
}

/* ---- text ---- */

/* Text of a table of contents without its dots, and with one blank where there were several. */
static void
contents_append(composer *c, const char *text, gsize len)
{
    gboolean after_blank = c->text->len == 0 || c->text->str[c->text->len - 1] == ' ';
    if (after_blank && (strspn(text, ".") >= len || strspn(text, " ") >= len)) return;
    gsize leader_len = 0, leader = layout_contents_leader(text, len, &leader_len);
    g_string_append_len(c->text, text, (gssize)leader);
    if (leader_len == 0) return;
    g_string_append_c(c->text, ' ');
    g_string_append_len(c->text, text + leader + leader_len, (gssize)(len - leader - leader_len));
}

static void
style_append(composer *c, const layout_sheet *sheet, const layout_style *style,
             const layout_seg *seg, const near_links *near, guint *word)
{
    guint flags = style->flags;
    uint32_t at = style->start, end = style->start + style->len;
    while (at < end) {
        /* the word this byte is in decides about the link */
        while (*word < seg->first_word + seg->n_words) {
            const layout_word *w = layout_sheet_word(sheet, *word);
            if (at < w->start + w->len) break;
            (*word)++;
        }
        uint32_t stop = end;
        const layout_link *link = NULL;
        if (*word < seg->first_word + seg->n_words) {
            const layout_word *w = layout_sheet_word(sheet, *word);
            if (at < w->start) {
                stop = MIN(end, w->start);
            } else {
                stop = MIN(end, w->start + w->len);
                if (near->n > 0 && w->len > 0) {
                    float t = ((float)(at - w->start) + 0.5F * (float)(stop - at)) / (float)w->len;
                    link = link_at(near, w->x0 + t * (w->x1 - w->x0));
                }
            }
        }
        uint32_t from = at;
        if (c->skip > 0) {
            uint32_t cut = (uint32_t)MIN(c->skip, (gsize)(stop - from));
            c->skip -= cut;
            from += cut;
        }
        uint32_t start = (uint32_t)c->text->len;
        if (c->contents)
            contents_append(c, sheet->text->str + from, stop - from);
        else
            g_string_append_len(c->text, sheet->text->str + from, (gssize)(stop - from));
        span_add(c, start, (uint32_t)c->text->len - start,
                 flags | (link != NULL ? LAYOUT_SPAN_LINK : 0), link != NULL ? link->uri : NULL);
        if (link != NULL) link_use_add(c, link, start, (uint32_t)c->text->len - start);
        at = stop;
    }
}

/* A block takes the glyphs of a segment. */
static void
seg_take(composer *c, layout_sheet *sheet, layout_seg *seg, guint n_glyphs)
{
    layout_ledger *ledger = &layout_builder_page(c->builder, sheet->index)->ledger;
    seg->n_taken++;
    if (seg->role == LAYOUT_ROLE_TABLE)
        ledger->n_table += n_glyphs;
    else if (seg->role == LAYOUT_ROLE_FIGURE)
        ledger->n_figure += n_glyphs;
    else if (c->furniture)
        ledger->n_furniture += n_glyphs;
    else
        ledger->n_text += n_glyphs;
}

static void
seg_append(composer *c, layout_sheet *sheet, layout_seg *seg)
{
    near_links near;
    guint word = seg->first_word;
    links_near(sheet, seg, &near);
    for (guint i = seg->first_style; i < seg->first_style + seg->n_styles; i++)
        style_append(c, sheet, layout_sheet_style(sheet, i), seg, &near, &word);
    seg_take(c, sheet, seg, layout_ledger_count(sheet, seg->start, seg->len));
}

static gunichar
last_char(const GString *text)
{
    const char *at = g_utf8_find_prev_char(text->str, text->str + text->len);
    return at != NULL ? g_utf8_get_char(at) : 0;
}

static gboolean
is_ideograph(gunichar ch)
{
    return (ch >= 0x2E80 && ch <= 0x9FFF) || (ch >= 0xF900 && ch <= 0xFAFF) ||
           (ch >= 0xFF00 && ch <= 0xFF60) || (ch >= 0x20000 && ch <= 0x3FFFF);
}

static void
text_cut(composer *c, gsize len)
{
    g_string_truncate(c->text, len);
    while (c->spans->len > 0) {
        layout_span *last = &g_array_index(c->spans, layout_span, c->spans->len - 1);
        if (last->start < len) {
            last->len = MIN(last->len, (uint32_t)len - last->start);
            break;
        }
        g_array_set_size(c->spans, c->spans->len - 1);
    }
    if (c->lines->len > 0) {
        layout_line *line = &g_array_index(c->lines, layout_line, c->lines->len - 1);
        line->len = MIN(line->len, (uint32_t)len - MIN(line->start, (uint32_t)len));
    }
}

/* Does the address that text ends in go on with next, behind a sign at which addresses are broken? */
static gboolean
address_goes_on(const GString *text, const char *next, gsize next_len)
{
    const char *space = strrchr(text->str, ' ');
    const char *word = space != NULL ? space + 1 : text->str;
    const char end = text->str[text->len - 1];
    if (strstr(word, "://") == NULL && !g_str_has_prefix(word, "www.")) return FALSE;
    if (!g_ascii_islower(*next) && !g_ascii_isdigit(*next)) return FALSE;
    const gsize n = MIN(strcspn(next, " "), next_len);
    /* a full stop may end the sentence */
    return end != '.' || memchr(next, '/', n) != NULL ||
           (n > 1 && memchr(next, '.', n - 1) != NULL);
}

/* The end of one printed line meets the start of the next. */
static void
lines_meet(composer *c, const char *next, gsize next_len)
{
    GString *text = c->text;
    if (text->len == 0 || next_len == 0) return;
    if (c->code) {
        g_string_append_c(text, '\n');
        return;
    }
    gunichar end = last_char(text), begin = g_utf8_get_char(next);
    if (end == 0xAD) {
        text_cut(c, text->len - 2);
        return;
    }
    if (end == '-' || end == 0x2010) {
        gsize cut = text->len - (end == '-' ? 1 : 3);
        gunichar before = cut > 0 ? g_utf8_get_char(g_utf8_prev_char(text->str + cut)) : ' ';
        if (g_unichar_isalpha(before) && g_unichar_isalpha(begin)) {
            if (layout_hyphen_drops(c->work, text->str, cut, next, next_len)) text_cut(c, cut);
            return;
        }
        if (g_unichar_isalnum(before) && g_unichar_isalnum(begin)) return;
    }
    if (is_ideograph(end) && is_ideograph(begin)) return;
    /* "pp. 87-|95", "Navier-|Stokes" with long dashes; one that has a blank before it gets one behind */
    if (end == 0x2013 || end == 0x2014) {
        const char *before = g_utf8_find_prev_char(text->str, text->str + text->len - 3);
        if (before != NULL && *before != ' ' && begin != ' ') return;
    }
    /* An address goes on. */
    if (end == '/' || begin == '/') {
        const char *space = strrchr(text->str, ' ');
        const char *word = space != NULL ? space + 1 : text->str;
        if (strstr(word, "://") != NULL || g_str_has_prefix(word, "www.") ||
            g_str_has_prefix(word, "10.") || g_ascii_strncasecmp(word, "doi:10.", 7) == 0)
            return;
    }
    if (end < 128 && strchr("-_=&?%#~.", (int)end) != NULL && address_goes_on(text, next, next_len))
        return;
    g_string_append_c(text, ' ');
}

static void
box_extend(composer *c, const layout_sheet *sheet, layout_rect frame_box, guint region)
{
    layout_rect rect = layout_sheet_to_page(sheet, frame_box);
    if (c->boxes->len > 0 && c->last_sheet == sheet->index && c->last_region == region) {
        layout_box *box = &g_array_index(c->boxes, layout_box, c->boxes->len - 1);
        box->rect = layout_rect_join(box->rect, rect);
    } else {
        layout_box box = {sheet->index, rect};
        g_array_append_val(c->boxes, box);
    }
    c->last_sheet = sheet->index;
    c->last_region = region;
}

/* How many characters of this code fit into a distance. */
static float
code_columns(const layout_seg *seg, float distance)
{
    float width = seg->flags & LAYOUT_SPAN_MONO
                      ? (seg->box.x1 - seg->box.x0) / (float)MAX(1, seg->len)
                      : 0.5F * seg->size_pt;
    return width > 0.5F ? roundf(distance / width) : 0;
}

/* Code keeps its indentation: as many spaces as its characters are wide. */
static void
indent_append(composer *c, const layout_seg *seg)
{
    float n = code_columns(seg, seg->box.x0 - c->code_x0);
    for (guint i = 0; i < (guint)CLAMP(n, 0, 60); i++)
        g_string_append_c(c->text, ' ');
}

static void
gap_append(composer *c, const layout_seg *left, const layout_seg *right)
{
    float n = code_columns(right, right->box.x0 - left->box.x1);
    for (guint i = 0; i < (guint)CLAMP(n, 1, 60); i++)
        g_string_append_c(c->text, ' ');
}

static void
segs_append(composer *c, layout_sheet *sheet, const guint *segs, guint n, layout_rect frame_box,
            guint region)
{
    if (n == 0) return;
    const layout_seg *first = layout_sheet_seg(sheet, segs[0]);
    lines_meet(c, sheet->text->str + first->start, first->len);
    layout_line line = {.start = (uint32_t)c->text->len,
                        .box = {sheet->index, layout_sheet_to_page(sheet, frame_box)}};
    for (guint i = 0; i < n; i++) {
        if (i == 0 && c->code) indent_append(c, layout_sheet_seg(sheet, segs[0]));
        gboolean blank = c->contents && c->text->len > 0 && c->text->str[c->text->len - 1] == ' ';
        if (i > 0 && c->code)
            gap_append(c, layout_sheet_seg(sheet, segs[i - 1]), layout_sheet_seg(sheet, segs[i]));
        else if (i > 0 && c->text->len > line.start && !blank)
            g_string_append_c(c->text, ' ');
        else if (i > 0 && c->skip > 0)
            c->skip--; /* the blank between segments counts in a marker's length */
        seg_append(c, sheet, layout_sheet_seg(sheet, segs[i]));
    }
    line.len = (uint32_t)c->text->len - line.start;
    g_array_append_val(c->lines, line);
    box_extend(c, sheet, frame_box, region);
}

static void
row_append(composer *c, layout_sheet *sheet, const layout_row *row)
{
    segs_append(c, sheet, &g_array_index(sheet->row_segs, guint, row->first_seg), row->n_segs,
                row->box, row->region);
}

/* ---- blocks ---- */

/* ---- addresses ---- */

static void
byte_remove(composer *c, uint32_t at)
{
    g_string_erase(c->text, at, 1);
    for (guint i = 0; i < c->spans->len; i++) {
        layout_span *span = &g_array_index(c->spans, layout_span, i);
        if (span->start > at)
            span->start--;
        else if (span->start + span->len > at)
            span->len--;
    }
    for (guint i = 0; i < c->lines->len; i++) {
        layout_line *line = &g_array_index(c->lines, layout_line, i);
        if (line->start > at)
            line->start--;
        else if (line->start + line->len > at)
            line->len--;
    }
    for (guint i = 0; i < c->uses->len; i++) {
        layout_link_use *use = &g_array_index(c->uses, layout_link_use, i);
        if (use->start > at)
            use->start--;
        else if (use->start + use->len > at)
            use->len--;
    }
}

/* Is text [len] without its blanks the address, or its end? */
static gboolean
is_address_with_blanks(const char *text, gsize len, const char *address)
{
    gsize n = 0;
    for (gsize i = 0; i < len; i++)
        n += text[i] != ' ' ? 1 : 0;
    const gsize all = strlen(address);
    if (n == len || n < 8 || n > all) return FALSE;
    address += all - n;
    for (gsize i = 0; i < len; i++)
        if (text[i] != ' ' && text[i] != *address++) return FALSE;
    return TRUE;
}

/* Addresses that are broken over lines, or stretched to fill one, get their blanks taken out. */
static void
urls_mend(composer *c)
{
    if (c->code) return;
    for (guint i = 0; i < c->spans->len; i++) {
        const layout_span *span = &g_array_index(c->spans, layout_span, i);
        if (!(span->flags & LAYOUT_SPAN_LINK) || span->target == NULL || span->target[0] == '#')
            continue;
        if (!is_address_with_blanks(c->text->str + span->start, span->len, span->target)) continue;
        for (uint32_t at = span->start; at < span->start + span->len;) {
            if (c->text->str[at] == ' ')
                byte_remove(c, at);
            else
                at++;
        }
    }
    guint n_mended = 0; /* each moves the rest of the text */
    for (char *at = c->text->str; n_mended < 200 && (at = strstr(at, "http")) != NULL; at += 4) {
        const gsize n = at[4] == 's' ? 5 : 4;
        if (strncmp(at + n, ": //", 4) != 0) continue;
        const gsize offset = (gsize)(at - c->text->str);
        byte_remove(c, (uint32_t)(offset + n + 1));
        n_mended++;
        at = c->text->str + offset;
    }
}

static int
block_add(composer *c, layout_block_type type, int level, const char *marker, float size_pt,
          float confidence)
{
    urls_mend(c);
    layout_logos_mend(c->text, c->spans);
    guint n_unreadable = layout_count_unreadable(c->text->str, c->text->len);
    if (n_unreadable > 0)
        confidence *= 1 - (float)n_unreadable / (float)g_utf8_strlen(c->text->str, -1);
    layout_block block = {.type = type,
                          .level = level,
                          .text = c->text->str,
                          .text_len = (uint32_t)c->text->len,
                          .marker = marker,
                          .parent = LAYOUT_NONE,
                          .item = LAYOUT_NONE,
                          .font_size_pt = size_pt,
                          .confidence = confidence};
    const int index = layout_builder_add_block(
        c->builder, &block, (layout_box *)c->boxes->data, c->boxes->len,
        (layout_span *)c->spans->data, c->spans->len, (layout_line *)c->lines->data, c->lines->len);
    for (guint i = 0; i < c->uses->len; i++) {
        layout_link_use use = g_array_index(c->uses, layout_link_use, i);
        /* hyphens and blanks at line ends may be gone */
        if (use.start >= c->text->len) break;
        use.len = MIN(use.len, (uint32_t)c->text->len - use.start);
        use.block = index;
        g_array_append_val(c->work->link_uses, use);
    }
    return index;
}

/* The words of a displayed line, its rules, and what they make as LaTeX. */
static void
formula_latex(composer *c, const layout_sheet *sheet, const guint *segs, guint n, layout_rect box)
{
    g_autoptr(GArray) words = g_array_new(FALSE, FALSE, sizeof(layout_math_word));
    g_autoptr(GPtrArray) flags = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < n; i++) {
        const layout_seg *seg = layout_sheet_seg(sheet, segs[i]);
        guint32 *marks = g_new0(guint32, seg->len + 1);
        g_ptr_array_add(flags, marks);
        for (guint k = seg->first_style; k < seg->first_style + seg->n_styles; k++) {
            const layout_style *style = layout_sheet_style(sheet, k);
            for (uint32_t b = style->start; b < style->start + style->len; b++)
                marks[b - seg->start] = style->flags;
        }
        for (guint k = seg->first_word; k < seg->first_word + seg->n_words; k++) {
            const layout_word *word = layout_sheet_word(sheet, k);
            layout_math_word one = {word->x0,
                                    word->x1,
                                    seg->baseline,
                                    seg->size_pt,
                                    sheet->text->str + word->start,
                                    word->len,
                                    marks + (word->start - seg->start)};
            g_array_append_val(words, one);
        }
    }
    g_autoptr(GArray) rules = g_array_new(FALSE, FALSE, sizeof(layout_rule));
    for (guint i = 0; i < sheet->hrules->len && rules->len < 24; i++) {
        const layout_rule *rule = &g_array_index(sheet->hrules, layout_rule, i);
        if (rule->y0 > box.y1) break;
        if (rule->y0 > box.y0 && rule->x0 > box.x0 - 2 && rule->x1 < box.x1 + 2 &&
            rule->x1 - rule->x0 > 2)
            g_array_append_vals(rules, rule, 1);
    }
    if (c->latex->len > 0) g_string_append(c->latex, " \\\\ ");
    layout_math_display(c->latex, (layout_math_word *)words->data, words->len,
                        (layout_rule *)rules->data, rules->len);
}

static int
compare_seg_x(gconstpointer a, gconstpointer b, gpointer data)
{
    const layout_sheet *sheet = data;
    guint i = *(const guint *)a, j = *(const guint *)b;
    const layout_seg *x = layout_sheet_seg(sheet, i), *y = layout_sheet_seg(sheet, j);
    if (x->box.x0 != y->box.x0) return x->box.x0 < y->box.x0 ? -1 : 1;
    return (i > j) - (i < j);
}

/* A formula's rows that overlap in height are one line of it, read from left to right. */
static void
formula_append(composer *c, layout_para *para)
{
    for (guint i = 0; i < para->places->len;) {
        const layout_place *place = &g_array_index(para->places, layout_place, i);
        layout_sheet *sheet = layout_work_sheet(c->work, place->sheet);
        g_autoptr(GArray) segs = g_array_new(FALSE, FALSE, sizeof(guint));
        layout_rect box = layout_sheet_row(sheet, place->row)->box;
        guint region = layout_sheet_row(sheet, place->row)->region;
        for (; i < para->places->len; i++) {
            const layout_place *next = &g_array_index(para->places, layout_place, i);
            const layout_row *row = layout_sheet_row(sheet, next->row);
            if (next->sheet != place->sheet || row->box.y0 > box.y1) break;
            box = layout_rect_join(box, row->box);
            g_array_append_vals(segs, &g_array_index(sheet->row_segs, guint, row->first_seg),
                                row->n_segs);
        }
        g_qsort_with_data(segs->data, (gint)segs->len, sizeof(guint), compare_seg_x, sheet);
        guint n = segs->len;
        layout_seg *last = layout_sheet_seg(sheet, g_array_index(segs, guint, n - 1));
        const char *text = sheet->text->str + last->start;
        if (n > 1 && layout_equation_number(text, last->len) && para->number == NULL) {
            para->number = g_strndup(text + 1, last->len - 2);
            seg_take(c, sheet, last, layout_ledger_count(sheet, last->start, last->len));
            n--;
        }
        segs_append(c, sheet, (guint *)segs->data, n, box, region);
        formula_latex(c, sheet, (guint *)segs->data, n, box);
    }
}

static void
formula_emit(composer *c, layout_para *para, float size_pt)
{
    g_string_truncate(c->latex, 0);
    formula_append(c, para);
    para->block = block_add(c, LAYOUT_BLOCK_FORMULA, 0, NULL, size_pt, 0.5F);
    layout_formula formula = {.block = para->block,
                              .latex = c->latex->len > 0 ? c->latex->str : NULL,
                              .number = para->number,
                              .confidence = 0.5F};
    layout_builder_add_formula(c->builder, &formula);
}

static void
figure_emit(composer *c, layout_para *para)
{
    layout_sheet *sheet = layout_work_sheet(c->work, para->sheet);
    layout_figure_region *region =
        &g_array_index(sheet->figures, layout_figure_region, para->figure);
    box_extend(c, sheet, region->box, G_MAXUINT);
    para->block = region->block = block_add(c, LAYOUT_BLOCK_FIGURE, 0, NULL, 0, 0.8F);
    g_autoptr(GString) inner = g_string_new(NULL);
    for (guint i = 0; i < sheet->segs->len; i++) {
        layout_seg *seg = layout_sheet_seg(sheet, i);
        if (seg->role != LAYOUT_ROLE_FIGURE || seg->owner != para->figure) continue;
        seg_take(c, sheet, seg, layout_ledger_count(sheet, seg->start, seg->len));
        if (inner->len > 0) g_string_append_c(inner, ' ');
        g_string_append_len(inner, sheet->text->str + seg->start, seg->len);
    }
    layout_figure figure = {.block = para->block,
                            .caption = LAYOUT_NONE,
                            .box = {sheet->index, layout_sheet_to_page(sheet, region->box)},
                            .vector = region->vector,
                            .label = para->marker};
    if (inner->len > 0) figure.inner_text = inner->str;
    g_autoptr(GArray) panels = g_array_new(FALSE, TRUE, sizeof(layout_panel));
    for (guint i = region->first_panel; i < region->first_panel + region->n_panels; i++) {
        const layout_panel_region *from = &g_array_index(sheet->panels, layout_panel_region, i);
        layout_panel panel = {.box = {sheet->index, layout_sheet_to_page(sheet, from->box)},
                              .label = from->label[0] != '\0' ? from->label : NULL};
        g_array_append_val(panels, panel);
    }
    layout_builder_add_figure(c->builder, &figure, (layout_panel *)panels->data, panels->len);
}

static void
table_emit(composer *c, layout_para *para)
{
    layout_sheet *sheet = layout_work_sheet(c->work, para->sheet);
    layout_table_region *region = &g_array_index(sheet->tables, layout_table_region, para->table);
    box_extend(c, sheet, region->box, G_MAXUINT);
    /* The block's text: the cells in order, for whoever only reads text. */
    g_autoptr(GArray) cells = g_array_new(FALSE, TRUE, sizeof(layout_cell));
    for (guint i = 0; i < region->cells->len; i++) {
        const layout_grid_cell *from = &g_array_index(region->cells, layout_grid_cell, i);
        layout_cell cell = {.row = from->row,
                            .col = from->col,
                            .row_span = from->row_span,
                            .col_span = from->col_span,
                            .header = from->header,
                            .text = from->text != NULL ? from->text : "",
                            .box = {sheet->index, layout_sheet_to_page(sheet, from->box)}};
        g_array_append_val(cells, cell);
        layout_builder_page(c->builder, sheet->index)->ledger.n_table += from->n_glyphs;
        if (cell.text[0] == '\0') continue;
        if (c->text->len > 0) g_string_append_c(c->text, ' ');
        g_string_append(c->text, cell.text);
    }
    for (guint i = 0; i < sheet->segs->len; i++) {
        layout_seg *seg = layout_sheet_seg(sheet, i);
        if (seg->role == LAYOUT_ROLE_TABLE && seg->owner == para->table) seg_take(c, sheet, seg, 0);
    }
    para->block = block_add(c, LAYOUT_BLOCK_TABLE, 0, NULL, 0, region->confidence);
    layout_table table = {.block = para->block,
                          .caption = LAYOUT_NONE,
                          .n_rows = region->n_rows,
                          .n_cols = region->n_cols,
                          .n_header_rows = region->n_header_rows};
    layout_builder_add_table(c->builder, &table, (layout_cell *)cells->data, cells->len);
}

static void
reference_emit(composer *c, layout_para *para)
{
    layout_reference reference = {.block = para->block};
    g_autoptr(GArray) names = g_array_new(FALSE, FALSE, sizeof(layout_name));
    layout_reference_parse(c->builder, c->text->str, (layout_span *)c->spans->data, c->spans->len,
                           para->marker, &reference, names);
    layout_builder_add_reference(c->builder, &reference, (layout_name *)names->data, names->len);
}

/* A heading that stands alone loses what divided it from its paragraph. */
static void
run_in_trim(composer *c)
{
    gsize len = c->text->len;
    while (len > 0) {
        const char *last = g_utf8_prev_char(c->text->str + len);
        gunichar ch = g_utf8_get_char(last);
        if (ch != ' ' && ch != 0x2013 && ch != 0x2014 && ch != '-' && ch != ':' && ch != '.') break;
        len = (gsize)(last - c->text->str);
    }
    if (len > 0) text_cut(c, len);
}

static void
para_emit(composer *c, layout_para *para)
{
    composer_reset(c);
    if (para->figure >= 0) {
        figure_emit(c, para);
        return;
    }
    if (para->table >= 0) {
        table_emit(c, para);
        return;
    }
    float size_pt = layout_para_row(c->work, para, 0)->size_pt;
    if (para->type == LAYOUT_BLOCK_FORMULA) {
        formula_emit(c, para, size_pt);
        return;
    }
    c->code = para->type == LAYOUT_BLOCK_CODE;
    c->contents = para->contents;
    if (para->type == LAYOUT_BLOCK_LIST_ITEM && !para->contents) {
        g_autofree char *first = layout_para_row_text(c->work, para, 0);
        c->skip = layout_list_marker(first, &para->marker);
    } else if (para->type == LAYOUT_BLOCK_REFERENCE && para->marker != NULL) {
        c->skip = (gsize)para->skip;
    }
    c->code_x0 = G_MAXFLOAT;
    for (guint i = 0; i < para->places->len; i++)
        c->code_x0 = MIN(c->code_x0, layout_para_row(c->work, para, i)->box.x0);
    for (guint i = 0; i < para->places->len; i++) {
        const layout_place *place = &g_array_index(para->places, layout_place, i);
        layout_sheet *sheet = layout_work_sheet(c->work, place->sheet);
        row_append(c, sheet, layout_sheet_row(sheet, place->row));
    }
    if (para->run_in && para->outline > 0) run_in_trim(c);
    if (!c->code) layout_math_spans(c->text->str, c->text->len, c->spans, c->strings);
    para->block = block_add(c, para->type, para->level, para->marker, size_pt, para->confidence);
    layout_builder_block(c->builder, para->block)->run_in = para->run_in && para->outline == 0;
    if (para->type == LAYOUT_BLOCK_REFERENCE) reference_emit(c, para);
}

/* ---- furniture ---- */

static layout_block_type
type_of_role(layout_role role)
{
    switch (role) {
    case LAYOUT_ROLE_HEADER:
        return LAYOUT_BLOCK_HEADER;
    case LAYOUT_ROLE_FOOTER:
        return LAYOUT_BLOCK_FOOTER;
    case LAYOUT_ROLE_PAGE_NUMBER:
        return LAYOUT_BLOCK_PAGE_NUMBER;
    default:
        return LAYOUT_BLOCK_WATERMARK;
    }
}

/* One block per kind and page: line numbers alone would be fifty. */
static void
furniture_emit(composer *c, layout_sheet *sheet)
{
    static const layout_role roles[] = {LAYOUT_ROLE_HEADER, LAYOUT_ROLE_FOOTER,
                                        LAYOUT_ROLE_PAGE_NUMBER, LAYOUT_ROLE_MARGIN};
    for (guint r = 0; r < G_N_ELEMENTS(roles); r++) {
        composer_reset(c);
        c->furniture = TRUE;
        float size_pt = 0;
        for (guint i = 0; i < sheet->segs->len; i++) {
            const layout_seg *seg = layout_sheet_seg(sheet, i);
            if (seg->role != roles[r]) continue;
            size_pt = size_pt > 0 ? size_pt : seg->size_pt;
            segs_append(c, sheet, &i, 1, seg->box, 0);
        }
        if (c->text->len > 0) block_add(c, type_of_role(roles[r]), 0, NULL, size_pt, 1);
    }
}

static void
pages_add(layout_work *work, layout_builder *builder)
{
    for (guint s = 0; s < work->sheets->len; s++) {
        layout_sheet *sheet = layout_work_sheet(work, s);
        g_array_sort(sheet->links, compare_link);
        layout_page page = {.width_pt = sheet->page_width,
                            .height_pt = sheet->page_height,
                            .rotation = sheet->rotation,
                            .source = sheet->source,
                            .order_confidence = sheet->order_confidence,
                            .ledger = sheet->ledger,
                            .label = sheet->label,
                            .failure = sheet->failure,
                            .skipped = sheet->skipped};
        int index = layout_builder_add_page(builder, &page);
        if (sheet->failure != NULL) layout_builder_add_warning(builder, index, sheet->failure);
        layout_work_release(work);
    }
}

static void
parents_set(layout_work *work, layout_builder *builder)
{
    for (guint i = 0; i < work->paras->len; i++) {
        const layout_para *para = layout_work_para(work, i);
        if (para->parent < 0 || para->block < 0) continue;
        if (i % PARAS_AT_ONCE == 0) layout_builder_rest(builder);
        layout_builder_block(builder, para->block)->parent =
            layout_work_para(work, para->parent)->block;
    }
}

void
layout_emit(layout_work *work, layout_builder *builder)
{
    composer c = {.work = work,
                  .builder = builder,
                  .text = g_string_new(NULL),
                  .spans = g_array_new(FALSE, TRUE, sizeof(layout_span)),
                  .lines = g_array_new(FALSE, TRUE, sizeof(layout_line)),
                  .boxes = g_array_new(FALSE, TRUE, sizeof(layout_box)),
                  .uses = g_array_new(FALSE, TRUE, sizeof(layout_link_use))};
    c.strings = g_string_chunk_new(4096);
    c.latex = g_string_new(NULL);
    pages_add(work, builder);
    guint s = 0;
    for (guint i = 0; i < work->paras->len; i++) {
        layout_para *para = layout_work_para(work, i);
        for (; !para->moved && s < para->sheet; s++)
            furniture_emit(&c, layout_work_sheet(work, s));
        layout_work_release(work);
        if (i % PARAS_AT_ONCE == 0) layout_builder_rest(builder);
        para_emit(&c, para);
    }
    for (; s < work->sheets->len; s++) {
        layout_work_release(work);
        furniture_emit(&c, layout_work_sheet(work, s));
    }
    parents_set(work, builder);
    for (s = 0; s < work->sheets->len; s++) {
        layout_work_release(work);
        layout_ledger_close(work, layout_work_sheet(work, s), builder);
        if (s % 8 == 0) layout_builder_rest(builder);
    }
    g_string_free(c.text, TRUE);
    g_string_free(c.latex, TRUE);
    g_string_chunk_free(c.strings);
    g_array_unref(c.spans);
    g_array_unref(c.lines);
    g_array_unref(c.boxes);
    g_array_unref(c.uses);
}

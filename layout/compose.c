/* Text of a block in the making: segments and rows put together, line ends repaired, and with the text its
 * spans, links, lines and boxes. */
#include "layout/compose.h"
#include "layout/flow.h"

#include <math.h>
#include <string.h>

#define MAX_LINK_HEIGHT_PT 60
#define MAX_LINKS_PER_SEG  64

void
layout_composer_init(layout_composer *c, layout_work *work, layout_builder *builder)
{
    *c = (layout_composer){.work = work,
                           .builder = builder,
                           .text = g_string_new(NULL),
                           .spans = g_array_new(FALSE, TRUE, sizeof(layout_span)),
                           .lines = g_array_new(FALSE, TRUE, sizeof(layout_line)),
                           .boxes = g_array_new(FALSE, TRUE, sizeof(layout_box)),
                           .uses = g_array_new(FALSE, TRUE, sizeof(layout_link_use)),
                           .origins = g_array_new(FALSE, TRUE, sizeof(layout_origin)),
                           .strings = g_string_chunk_new(4096),
                           .latex = g_string_new(NULL)};
    c->last_sheet = LAYOUT_NONE;
}

void
layout_composer_clear(layout_composer *c)
{
    g_string_free(c->text, TRUE);
    g_string_free(c->latex, TRUE);
    g_string_chunk_free(c->strings);
    g_array_unref(c->spans);
    g_array_unref(c->lines);
    g_array_unref(c->boxes);
    g_array_unref(c->uses);
    g_array_unref(c->origins);
}

void
layout_compose_reset(layout_composer *c)
{
    g_string_truncate(c->text, 0);
    g_array_set_size(c->spans, 0);
    g_array_set_size(c->lines, 0);
    g_array_set_size(c->boxes, 0);
    g_array_set_size(c->uses, 0);
    g_array_set_size(c->origins, 0);
    g_string_chunk_clear(c->strings);
    c->last_sheet = LAYOUT_NONE;
    c->skip = 0;
    c->code = FALSE;
    c->contents = FALSE;
    c->furniture = FALSE;
}

static void
origin_add(layout_composer *c, const layout_sheet *sheet, uint32_t start, uint32_t len,
           uint32_t from)
{
    if (len == 0) return;
    if (c->origins->len > 0) {
        layout_origin *last = &g_array_index(c->origins, layout_origin, c->origins->len - 1);
        if (last->sheet == sheet && last->start + last->len == start &&
            last->from + last->len == from) {
            last->len += len;
            return;
        }
    }
    layout_origin origin = {start, len, from, sheet};
    g_array_append_val(c->origins, origin);
}

static void
span_add(layout_composer *c, uint32_t start, uint32_t len, guint flags, const char *target)
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
link_use_add(layout_composer *c, const layout_link *link, uint32_t start, uint32_t len)
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
contents_append(layout_composer *c, const char *text, gsize len)
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
style_append(layout_composer *c, const layout_sheet *sheet, const layout_style *style,
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
        if (!c->contents) origin_add(c, sheet, start, (uint32_t)c->text->len - start, from);
        span_add(c, start, (uint32_t)c->text->len - start,
                 flags | (link != NULL ? LAYOUT_SPAN_LINK : 0), link != NULL ? link->uri : NULL);
        if (link != NULL) link_use_add(c, link, start, (uint32_t)c->text->len - start);
        at = stop;
    }
}

void
layout_compose_take(layout_composer *c, layout_sheet *sheet, layout_seg *seg, guint n_glyphs)
{
    layout_ledger *ledger = &layout_builder_page(c->builder, sheet->page)->ledger;
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
seg_append(layout_composer *c, layout_sheet *sheet, layout_seg *seg)
{
    near_links near;
    guint word = seg->first_word;
    links_near(sheet, seg, &near);
    for (guint i = seg->first_style; i < seg->first_style + seg->n_styles; i++)
        style_append(c, sheet, layout_sheet_style(sheet, i), seg, &near, &word);
    layout_compose_take(c, sheet, seg, layout_ledger_count(sheet, seg->start, seg->len));
}

static gunichar
last_char(const GString *text)
{
    const char *at = g_utf8_find_prev_char(text->str, text->str + text->len);
    return at != NULL ? g_utf8_get_char(at) : 0;
}

gboolean
layout_is_ideograph(gunichar ch)
{
    return (ch >= 0x2E80 && ch <= 0x9FFF) || (ch >= 0xF900 && ch <= 0xFAFF) ||
           (ch >= 0xFF00 && ch <= 0xFF60) || (ch >= 0x20000 && ch <= 0x3FFFF);
}

void
layout_compose_cut(layout_composer *c, gsize len)
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

/* What joins the end of one printed line to the start of the next: so many bytes less of the one, then a blank. */
typedef struct {
    gsize cut;
    gboolean blank;
} joint;

static joint
joint_of(const layout_work *work, const GString *text, const char *next, gsize next_len)
{
    const joint none = {0, FALSE}, blank = {0, TRUE};
    if (text->len == 0 || next_len == 0) return none;
    gunichar end = last_char(text), begin = g_utf8_get_char(next);
    if (end == 0xAD) return (joint){2, FALSE};
    if (end == '-' || end == 0x2010) {
        gsize hyphen = end == '-' ? 1 : 3, cut = text->len - hyphen;
        gunichar before = cut > 0 ? g_utf8_get_char(g_utf8_prev_char(text->str + cut)) : ' ';
        if (g_unichar_isalpha(before) && g_unichar_isalpha(begin)) {
            gboolean drops = layout_hyphen_drops(work, text->str, cut, next, next_len);
            return (joint){drops ? hyphen : 0, FALSE};
        }
        if (g_unichar_isalnum(before) && g_unichar_isalnum(begin)) return none;
    }
    if (layout_is_ideograph(end) && layout_is_ideograph(begin)) return none;
    /* "pp. 87-|95", "Navier-|Stokes" with long dashes; one that has a blank before it gets one behind */
    if (end == 0x2013 || end == 0x2014) {
        const char *before = g_utf8_find_prev_char(text->str, text->str + text->len - 3);
        if (before != NULL && *before != ' ' && begin != ' ') return none;
    }
    /* An address goes on. */
    if (end == '/' || begin == '/') {
        const char *space = strrchr(text->str, ' ');
        const char *word = space != NULL ? space + 1 : text->str;
        if (strstr(word, "://") != NULL || g_str_has_prefix(word, "www.") ||
            g_str_has_prefix(word, "10.") || g_ascii_strncasecmp(word, "doi:10.", 7) == 0)
            return none;
    }
    if (end < 128 && strchr("-_=&?%#~.", (int)end) != NULL && address_goes_on(text, next, next_len))
        return none;
    return blank;
}

/* The end of one printed line meets the start of the next. */
static void
lines_meet(layout_composer *c, const char *next, gsize next_len)
{
    if (c->text->len == 0 || next_len == 0) return;
    if (c->code) {
        g_string_append_c(c->text, '\n');
        return;
    }
    const joint met = joint_of(c->work, c->text, next, next_len);
    if (met.cut > 0) layout_compose_cut(c, c->text->len - met.cut);
    if (met.blank) g_string_append_c(c->text, ' ');
}

void
layout_compose_box(layout_composer *c, const layout_sheet *sheet, layout_rect frame_box,
                   guint region)
{
    layout_rect rect = layout_sheet_to_page(sheet, frame_box);
    if (c->boxes->len > 0 && c->last_sheet == sheet->index && c->last_region == region) {
        layout_box *box = &g_array_index(c->boxes, layout_box, c->boxes->len - 1);
        box->rect = layout_rect_join(box->rect, rect);
    } else {
        layout_box box = {sheet->page, rect};
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
indent_append(layout_composer *c, const layout_seg *seg)
{
    float n = code_columns(seg, seg->box.x0 - c->code_x0);
    for (guint i = 0; i < (guint)CLAMP(n, 0, 60); i++)
        g_string_append_c(c->text, ' ');
}

static void
gap_append(layout_composer *c, const layout_seg *left, const layout_seg *right)
{
    float n = code_columns(right, right->box.x0 - left->box.x1);
    for (guint i = 0; i < (guint)CLAMP(n, 1, 60); i++)
        g_string_append_c(c->text, ' ');
}

void
layout_compose_segs(layout_composer *c, layout_sheet *sheet, const guint *segs, guint n,
                    layout_rect frame_box, guint region)
{
    if (n == 0) return;
    const layout_seg *first = layout_sheet_seg(sheet, segs[0]);
    lines_meet(c, sheet->text->str + first->start, first->len);
    layout_line line = {.start = (uint32_t)c->text->len,
                        .box = {sheet->page, layout_sheet_to_page(sheet, frame_box)}};
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
    layout_compose_box(c, sheet, frame_box, region);
}

void
layout_compose_cell_line(layout_composer *c, const char *next, gsize next_len)
{
    const char *last = strrchr(c->text->str, '\n');
    last = last != NULL ? last + 1 : c->text->str;
    if (c->text->len > 0 && (layout_list_bullet(next, next_len) > 0 ||
                             layout_list_goes_on(last, strlen(last), next, next_len)))
        g_string_append_c(c->text, '\n');
    else
        lines_meet(c, next, next_len);
}

void
layout_compose_part(layout_composer *c, const layout_sheet *sheet, const layout_cell_part *part)
{
    const layout_seg *seg = layout_sheet_seg(sheet, part->seg);
    const char *text = sheet->text->str;
    if (part->line)
        layout_compose_cell_line(c, text + part->start, part->len);
    else if (c->text->len > 0)
        g_string_append_c(c->text, ' ');
    for (guint i = seg->first_style; i < seg->first_style + seg->n_styles; i++) {
        const layout_style *style = layout_sheet_style(sheet, i);
        const uint32_t from = MAX(style->start, part->start);
        const uint32_t end = MIN(style->start + style->len, part->start + part->len);
        if (from >= end) continue;
        const uint32_t start = (uint32_t)c->text->len;
        g_string_append_len(c->text, text + from, (gssize)(end - from));
        origin_add(c, sheet, start, end - from, from);
        span_add(c, start, end - from, style->flags, NULL);
    }
}

void
layout_compose_row(layout_composer *c, layout_sheet *sheet, const layout_row *row)
{
    layout_compose_segs(c, sheet, &g_array_index(sheet->row_segs, guint, row->first_seg),
                        row->n_segs, row->box, row->region);
}

/* ---- addresses ---- */

static void
byte_remove(layout_composer *c, uint32_t at)
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

static gsize
count_printed(const char *text, gsize len)
{
    gsize n = 0;
    for (gsize i = 0; i < len; i++)
        n += text[i] != ' ' ? 1 : 0;
    return n;
}

/* Is text [len] without its blanks the address, or its end? */
static gboolean
is_address_with_blanks(const char *text, gsize len, const char *address)
{
    const gsize n = count_printed(text, len), all = strlen(address);
    if (n == len || n < 8 || n > all) return FALSE;
    address += all - n;
    for (gsize i = 0; i < len; i++)
        if (text[i] != ' ' && text[i] != *address++) return FALSE;
    return TRUE;
}

/* Does the span lead where the link does, or hold only the blank before one that does? */
static gboolean
goes_on(const layout_composer *c, const layout_span *link, guint next)
{
    if (next >= c->spans->len) return FALSE;
    const layout_span *span = &g_array_index(c->spans, layout_span, next);
    const layout_span *last = span - 1;
    if (span->start != last->start + last->len) return FALSE;
    if (span->flags & LAYOUT_SPAN_LINK)
        return span->target != NULL && strcmp(span->target, link->target) == 0;
    return span->len == 1 && c->text->str[span->start] == ' ' && goes_on(c, link, next + 1);
}

/* Takes the blanks out of an address that the spans from first on are the text of; they become one. */
static void
address_mend(layout_composer *c, guint first)
{
    layout_span *span = &g_array_index(c->spans, layout_span, first);
    if (!(span->flags & LAYOUT_SPAN_LINK) || span->target == NULL || span->target[0] == '#') return;
    const gsize most = strlen(span->target);
    gsize n = count_printed(c->text->str + span->start, span->len);
    uint32_t len = span->len;
    guint end = first + 1;
    for (; n <= most && goes_on(c, span, end); end++) {
        const layout_span *next = &g_array_index(c->spans, layout_span, end);
        n += count_printed(c->text->str + next->start, next->len);
        len += next->len;
    }
    if (!is_address_with_blanks(c->text->str + span->start, len, span->target)) return;
    span->len = len;
    if (end > first + 1) g_array_remove_range(c->spans, first + 1, end - first - 1);
    for (uint32_t at = span->start; at < span->start + span->len;) {
        if (c->text->str[at] == ' ')
            byte_remove(c, at);
        else
            at++;
    }
}

void
layout_compose_mend(layout_composer *c)
{
    if (c->code) return;
    for (guint i = 0; i < c->spans->len; i++)
        address_mend(c, i);
    guint n_mended = 0; /* each moves the rest of the text */
    for (char *at = c->text->str; n_mended < 200 && (at = strstr(at, "http")) != NULL; at += 4) {
        const gsize n = at[4] == 's' ? 5 : 4;
        if (strncmp(at + n, ": //", 4) != 0) continue;
        const gsize offset = (gsize)(at - c->text->str);
        byte_remove(c, (uint32_t)(offset + n + 1));
        n_mended++;
        at = c->text->str + offset;
    }
    for (guint i = c->spans->len; i-- > 0;)
        if (g_array_index(c->spans, layout_span, i).len == 0) g_array_remove_index(c->spans, i);
    for (guint i = c->uses->len; i-- > 0;)
        if (g_array_index(c->uses, layout_link_use, i).len == 0) g_array_remove_index(c->uses, i);
}

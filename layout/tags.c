/* Reading order and roles from the structure tree of a tagged PDF (ISO 32000-1, 14.7 and 14.8).
 *
 * A tree is written by programs that know the text, or by such as only claim to. It is trusted when its marked
 * content holds nine tenths of the text; then artifacts at the edges of a page are headers and footers, and rows
 * carry what their element says they are. For the order, geometry and tags are compared page by page: where they
 * agree nothing is done, since geometry knows the columns' edges; where not, the tags win, unless they jump
 * back up the page within a column again and again. */
#include "layout/flow.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COVERED 0.9F /* share of the text that the tree has to hold */
#define ARTIFACTS                                                                                  \
    0.3F /* with more artifacts than this share of the text the tree is not meant seriously */
#define AGREES       0.97F /* of neighbouring rows in the same order: leave it at that */
#define EDGE_SHARE   0.12F /* of the page's height: artifacts there are headers and footers */
#define MAX_ANCESTRY 64
#define MAX_LOOSE    400 /* items without a tag on a page whose order is the tags' */

/* ---- segments to elements ---- */

typedef struct {
    int page;
    int32_t mcid;
    int element; /* of block level */
} leaf;

static int
compare_leaf(gconstpointer a, gconstpointer b)
{
    const leaf *x = a, *y = b;
    if (x->page != y->page) return x->page < y->page ? -1 : 1;
    if (x->mcid != y->mcid) return x->mcid < y->mcid ? -1 : 1;
    return (x->element > y->element) - (x->element < y->element);
}

static gboolean
is_block_role(const char *role)
{
    static const char *const roles[] = {
        "P",     "H",      "H1",      "H2",      "H3",         "H4",    "H5",      "H6",
        "Title", "LI",     "L",       "Caption", "Note",       "Code",  "TOCI",    "TOC",
        "Table", "Figure", "Formula", "FENote",  "BlockQuote", "Aside", "BibEntry"};
    for (guint i = 0; i < G_N_ELEMENTS(roles); i++)
        if (strcmp(role, roles[i]) == 0) return TRUE;
    return FALSE;
}

/* Spans, links and labels belong to the paragraph or item above them; a paragraph in an item or a caption to
 * that. */
static int
block_of(const parse_tag *tags, int index)
{
    int block = LAYOUT_NONE, direct = MAX(tags[index].parent, 0);
    index = tags[index].parent;
    for (guint step = 0; index >= 0 && step < MAX_ANCESTRY; step++, index = tags[index].parent) {
        const char *role = tags[index].role;
        if (strcmp(role, "LI") == 0 || strcmp(role, "Caption") == 0 || strcmp(role, "Note") == 0 ||
            strcmp(role, "FENote") == 0 || strcmp(role, "Table") == 0 || strcmp(role, "TOCI") == 0)
            return index;
        if (block < 0 && is_block_role(role)) block = index;
    }
    return block >= 0 ? block : direct;
}

static GArray *
leaves_sort(const layout_work *work)
{
    GArray *leaves = g_array_new(FALSE, FALSE, sizeof(leaf));
    for (guint i = 0; i < work->n_tags; i++) {
        const parse_tag *tag = &work->tags[i];
        if (tag->mcid < 0 || tag->page < 0) continue;
        leaf one = {tag->page, tag->mcid, block_of(work->tags, (int)i)};
        g_array_append_val(leaves, one);
    }
    g_array_sort(leaves, compare_leaf);
    return leaves;
}

static int
element_of(const GArray *leaves, int page, int32_t mcid)
{
    guint from = 0, to = leaves->len;
    while (from < to) {
        guint middle = from + (to - from) / 2;
        const leaf *l = &g_array_index(leaves, leaf, middle);
        if (l->page < page || (l->page == page && l->mcid < mcid))
            from = middle + 1;
        else
            to = middle;
    }
    if (from == leaves->len) return LAYOUT_NONE;
    const leaf *l = &g_array_index(leaves, leaf, from);
    return l->page == page && l->mcid == mcid ? l->element : LAYOUT_NONE;
}

static void
artifacts_mark(const layout_sheet *sheet)
{
    for (guint i = 0; i < sheet->segs->len; i++) {
        layout_seg *seg = layout_sheet_seg(sheet, i);
        if (seg->mcid != LAYOUT_MCID_ARTIFACT || seg->role != LAYOUT_ROLE_TEXT) continue;
        /* some layout programs leave captions untagged */
        const char *text = sheet->text->str + seg->start;
        if (layout_caption_match(text, seg->len, NULL, NULL) != LAYOUT_CAPTION_NONE) continue;
        if (seg->box.y1 < EDGE_SHARE * sheet->height)
            seg->role = LAYOUT_ROLE_HEADER;
        else if (seg->box.y0 > (1 - EDGE_SHARE) * sheet->height)
            seg->role = LAYOUT_ROLE_FOOTER;
        else
            continue;
        if (layout_is_page_number(text, seg->len)) seg->role = LAYOUT_ROLE_PAGE_NUMBER;
    }
}

void
layout_tags_apply(layout_work *work)
{
    guint64 all = 0, held = 0, artifacts = 0;
    work->tagged = FALSE;
    if (work->n_tags == 0) return;
    g_autoptr(GArray) leaves = leaves_sort(work);
    for (guint s = 0; s < work->sheets->len; s++) {
        layout_sheet *sheet = layout_work_sheet(work, s);
        for (guint i = 0; i < sheet->segs->len; i++) {
            layout_seg *seg = layout_sheet_seg(sheet, i);
            if (seg->mcid >= 0) seg->tag = element_of(leaves, sheet->page, seg->mcid);
            all += seg->n_chars;
            artifacts += seg->mcid == LAYOUT_MCID_ARTIFACT ? seg->n_chars : 0;
            held += seg->tag >= 0 ? seg->n_chars : 0;
        }
        layout_work_release(work);
    }
    guint64 text = all - artifacts;
    work->tagged = text > 0 && (float)held >= COVERED * (float)text &&
                   (float)artifacts <= ARTIFACTS * (float)all;
    for (guint s = 0; work->tagged && s < work->sheets->len; s++) {
        artifacts_mark(layout_work_sheet(work, s));
        layout_work_release(work);
    }
}

/* ---- order ---- */

/* The element of a row; that of its text for a float is found by its segments' owner. */
static int
row_tag(const layout_sheet *sheet, const layout_row *row)
{
    for (guint i = 0; i < row->n_segs; i++) {
        guint index = g_array_index(sheet->row_segs, guint, row->first_seg + i);
        if (layout_sheet_seg(sheet, index)->tag >= 0) return layout_sheet_seg(sheet, index)->tag;
    }
    return LAYOUT_NONE;
}

static float
agreement(const layout_sheet *sheet)
{
    guint pairs = 0, same = 0;
    int last = LAYOUT_NONE;
    for (guint i = 0; i < sheet->rows->len; i++) {
        int tag = row_tag(sheet, layout_sheet_row(sheet, i));
        if (tag < 0) continue;
        if (last >= 0) {
            pairs++;
            same += tag >= last ? 1 : 0;
        }
        last = tag;
    }
    return pairs > 0 ? (float)same / (float)pairs : 1;
}

/* The same with the order in which the file draws its text, which most programs do in reading order. */
static float
stream_agreement(const layout_sheet *sheet)
{
    guint pairs = 0, same = 0;
    uint32_t last = 0;
    for (guint i = 0; i < sheet->rows->len; i++) {
        const layout_row *row = layout_sheet_row(sheet, i);
        if (row->n_segs == 0) continue;
        uint32_t nth =
            layout_sheet_seg(sheet, g_array_index(sheet->row_segs, guint, row->first_seg))->nth;
        same += nth >= last ? 1 : 0;
        pairs++;
        last = nth;
    }
    return pairs > 0 ? (float)same / (float)pairs : 1;
}

static guint
n_loose(const layout_sheet *sheet)
{
    guint n = sheet->figures->len + sheet->tables->len;
    for (guint i = 0; i < sheet->segs->len; i++)
        n += layout_sheet_seg(sheet, i)->tag < 0 ? 1 : 0;
    return n;
}

/* A group of items of one element, or a float. */
typedef struct {
    int tag;
    guint from, to; /* items */
    layout_rect box;
} group;

typedef struct {
    int tag;
    layout_item item;
} tagged_item;

static int
compare_tagged(gconstpointer a, gconstpointer b)
{
    const tagged_item *x = a, *y = b;
    if (x->tag != y->tag) return x->tag < y->tag ? -1 : 1;
    return layout_item_compare(&x->item, &y->item);
}

/* Where something without a tag belongs: behind the nearest tagged item above it in its column, else before
 * all. */
static int
tag_nearby(const GArray *items, guint n_tagged, const layout_item *item)
{
    int best = -1;
    float nearest = G_MAXFLOAT;
    for (guint i = 0; i < n_tagged; i++) {
        const tagged_item *other = &g_array_index(items, tagged_item, i);
        float down = item->box.y0 - other->item.box.y1 + 2;
        if (layout_overlap_1d(item->box.x0, item->box.x1, other->item.box.x0, other->item.box.x1) <=
                0 ||
            down < 0 || down > nearest)
            continue;
        nearest = down;
        best = other->tag;
    }
    return best;
}

/* The items of all rows with the elements they belong to, in the tags' order. */
static GArray *
items_by_tag(const layout_sheet *sheet)
{
    GArray *items = g_array_new(FALSE, FALSE, sizeof(tagged_item));
    g_autoptr(GArray) loose = g_array_new(FALSE, FALSE, sizeof(tagged_item));
    for (guint r = 0; r < sheet->rows->len; r++) {
        const layout_row *row = layout_sheet_row(sheet, r);
        tagged_item one = {
            LAYOUT_NONE, {row->box, LAYOUT_NONE, row->figure, row->table, row->baseline, 0, 0, 0}};
        if (row->n_segs == 0) g_array_append_val(loose, one);
        for (guint i = 0; i < row->n_segs; i++) {
            guint index = g_array_index(sheet->row_segs, guint, row->first_seg + i);
            const layout_seg *seg = layout_sheet_seg(sheet, index);
            one.tag = seg->tag;
            one.item = (layout_item){seg->box,      (int)index,   LAYOUT_NONE,  LAYOUT_NONE,
                                     seg->baseline, seg->size_pt, seg->n_words, 0};
            g_array_append_vals(seg->tag >= 0 ? items : loose, &one, 1);
        }
    }
    guint n = items->len;
    for (guint i = 0; i < loose->len; i++) {
        tagged_item one = g_array_index(loose, tagged_item, i);
        one.tag = tag_nearby(items, n, &one.item);
        g_array_append_val(items, one);
    }
    g_array_sort(items, compare_tagged);
    return items;
}

static GArray *
groups_make(const GArray *items)
{
    GArray *groups = g_array_new(FALSE, FALSE, sizeof(group));
    for (guint from = 0; from < items->len;) {
        const tagged_item *first = &g_array_index(items, tagged_item, from);
        group g = {first->tag, from, from + 1, first->item.box};
        for (; g.to < items->len; g.to++) {
            const tagged_item *next = &g_array_index(items, tagged_item, g.to);
            if (next->tag != g.tag) break;
            g.box = layout_rect_join(g.box, next->item.box);
        }
        g_array_append_val(groups, g);
        from = g.to;
    }
    return groups;
}

static gboolean
goes_on_below(const group *above, const group *below)
{
    float narrow = MIN(above->box.x1 - above->box.x0, below->box.x1 - below->box.x0);
    return below->box.y0 >= above->box.y0 &&
           layout_overlap_1d(above->box.x0, above->box.x1, below->box.x0, below->box.x1) >
               0.5F * narrow;
}

/* An order that returns upwards within a column, more than once in a while, is none. */
static gboolean
is_sane(const GArray *groups)
{
    guint back = 0;
    for (guint i = 1; i < groups->len; i++) {
        const group *a = &g_array_index(groups, group, i - 1),
                    *b = &g_array_index(groups, group, i);
        float narrow = MIN(a->box.x1 - a->box.x0, b->box.x1 - b->box.x0);
        float beside = layout_overlap_1d(a->box.x0, a->box.x1, b->box.x0, b->box.x1);
        if (b->box.y1 < a->box.y0 && beside > 0.5F * narrow) back++;
    }
    return back <= 1 + groups->len / 20;
}

static void
rows_rebuild(layout_sheet *sheet, GArray *items, const GArray *groups)
{
    g_array_set_size(sheet->rows, 0);
    g_array_set_size(sheet->row_segs, 0);
    g_autofree layout_item *column = g_new(layout_item, items->len + 1);
    guint region = 0;
    for (guint g = 0; g < groups->len;) {
        const group *last = &g_array_index(groups, group, g);
        guint n = 0, from = last->from, to = last->to;
        layout_rect box = last->box;
        for (g++; g < groups->len; g++) {
            const group *next = &g_array_index(groups, group, g);
            if (!goes_on_below(last, next)) break;
            box = layout_rect_join(box, next->box);
            to = next->to;
            last = next;
        }
        for (guint i = from; i < to; i++)
            column[n++] = g_array_index(items, tagged_item, i).item;
        layout_rows_append(sheet, column, n, box.x0, box.x1, region++);
    }
}

/* ---- hints ---- */

static layout_hint
hint_of_role(const char *role, int *level)
{
    static const struct {
        const char *role;
        layout_hint hint;
    } hints[] = {{"P", LAYOUT_HINT_PARAGRAPH},  {"Title", LAYOUT_HINT_TITLE},
                 {"H", LAYOUT_HINT_HEADING},    {"Caption", LAYOUT_HINT_CAPTION},
                 {"Note", LAYOUT_HINT_NOTE},    {"FENote", LAYOUT_HINT_NOTE},
                 {"LI", LAYOUT_HINT_LIST_ITEM}, {"Code", LAYOUT_HINT_CODE},
                 {"TOCI", LAYOUT_HINT_CONTENTS}};
    *level = 0;
    if (role[0] == 'H' && role[1] >= '1' && role[1] <= '6' && role[2] == '\0') {
        *level = role[1] - '0';
        return LAYOUT_HINT_HEADING;
    }
    for (guint i = 0; i < G_N_ELEMENTS(hints); i++)
        if (strcmp(role, hints[i].role) == 0) return hints[i].hint;
    return LAYOUT_HINT_NONE;
}

void
layout_tags_order(const layout_work *work, layout_sheet *sheet)
{
    sheet->order_confidence = work->tagged ? agreement(sheet) : stream_agreement(sheet);
    if (!work->tagged) return;
    if (sheet->order_confidence < AGREES && n_loose(sheet) <= MAX_LOOSE) {
        g_autoptr(GArray) items = items_by_tag(sheet);
        g_autoptr(GArray) groups = groups_make(items);
        if (is_sane(groups)) {
            rows_rebuild(sheet, items, groups);
            sheet->order_confidence = 0.5F + 0.5F * sheet->order_confidence;
        }
    }
    for (guint i = 0; i < sheet->rows->len; i++) {
        layout_row *row = layout_sheet_row(sheet, i);
        int tag = row_tag(sheet, row);
        if (tag >= 0) row->hint = hint_of_role(work->tags[tag].role, &row->hint_level);
    }
}

/* What all rows of a block are said to be. */
static layout_hint
hint_of_para(const layout_work *work, const layout_para *para)
{
    layout_hint hint = layout_para_row(work, para, 0)->hint;
    for (guint i = 1; i < para->places->len; i++)
        if (layout_para_row(work, para, i)->hint != hint) return LAYOUT_HINT_NONE;
    return hint;
}

static gboolean
is_plain(const layout_para *para)
{
    return (para->type == LAYOUT_BLOCK_PARAGRAPH || para->type == LAYOUT_BLOCK_AUTHOR) &&
           para->places->len > 0;
}

void
layout_tags_classify(layout_work *work)
{
    guint headings = 0, plain = 0;
    for (guint i = 0; work->tagged && i < work->paras->len; i++) {
        const layout_para *para = layout_work_para(work, i);
        layout_work_release(work);
        if (!is_plain(para)) continue;
        plain++;
        headings += hint_of_para(work, para) == LAYOUT_HINT_HEADING ? 1 : 0;
    }
    /* there are files in which everything is a heading */
    gboolean believe = headings * 5 <= plain * 3, begun = FALSE;
    for (guint i = 0; work->tagged && i < work->paras->len; i++) {
        layout_para *para = layout_work_para(work, i);
        layout_work_release(work);
        if (!is_plain(para)) continue;
        layout_hint hint = hint_of_para(work, para);
        /* authors stand before the first heading */
        if (begun && para->type == LAYOUT_BLOCK_AUTHOR) para->type = LAYOUT_BLOCK_PARAGRAPH;
        if (hint == LAYOUT_HINT_HEADING && believe && para->places->len <= 3) {
            para->type = LAYOUT_BLOCK_HEADING;
            begun = TRUE;
        } else if (hint == LAYOUT_HINT_NOTE)
            para->type = LAYOUT_BLOCK_FOOTNOTE;
        else if (hint == LAYOUT_HINT_CAPTION)
            para->type = LAYOUT_BLOCK_CAPTION;
    }
}

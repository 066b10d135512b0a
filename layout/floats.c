/* Floats back to where they are called: a figure or table that a typesetter moved to the head or foot of a column is
 * read after the paragraph that first speaks of it. Its boxes keep saying where it stands on the page.
 *
 * One that stands between two paragraphs of the same column was put there by its author, and stays. */
#include "layout/flow.h"

#include <string.h>

#define PAGES_BEFORE 2 /* a call further away is a remark in passing: "as Table 9 will show" */
#define PAGES_AFTER  2
#define NEAR_BLOCKS  1  /* so far from its call a float reads as well where it stands */
#define MAX_RANGE    12 /* "Figures 2-7" */

typedef struct {
    guint first, n; /* paras[first .. first + n): the float, its caption */
    guint para;     /* the figure or table */
    int after;      /* para index it is read after, LAYOUT_NONE: stays */
    char *key;      /* "F3", "TIV" */
} float_group;

typedef struct {
    guint para, sheet;
} float_call;

typedef struct {
    layout_work *work;
    GHashTable *calls; /* key -> GArray of float_call: paras that call it, in order */
    GArray *groups;    /* float_group, in reading order */
    GString *text;
} floats;

static void
group_clear(gpointer data)
{
    g_free(((float_group *)data)->key);
}

/* ---- calls ---- */

/* "3", "S1", "A.2", "IV"; a panel's letter ("3b") is left out. Bytes of it, 0 where there is none. */
static gsize
number_of(const char *text, gsize *used)
{
    gsize i = strspn(text, "IVX");
    *used = i;
    if (i > 0 && i <= 5 && !g_ascii_isalnum(text[i])) return i;
    i = 0;
    if (g_ascii_isupper(text[0])) i = text[1] == '.' ? 2 : 1;
    gsize digits = strspn(text + i, "0123456789");
    if (digits == 0 || digits > 3) return 0;
    i += digits;
    while (text[i] == '.' && g_ascii_isdigit(text[i + 1]))
        i += 1 + strspn(text + i + 1, "0123456789");
    *used = i;
    if (g_ascii_islower(text[i]) && !g_ascii_isalnum(text[i + 1])) ++*used;
    return i;
}

static void
call_add(floats *f, char kind, const char *number, gsize len, guint para)
{
    g_autofree char *key = g_strdup_printf("%c%.*s", kind, (int)len, number);
    GArray *calls = g_hash_table_lookup(f->calls, key);
    if (calls == NULL) return; /* nothing here has that number */
    if (calls->len > 0 && g_array_index(calls, float_call, calls->len - 1).para == para) return;
    float_call call = {para, layout_work_para(f->work, para)->sheet};
    g_array_append_val(calls, call);
}

/* What joins the numbers of "Figures 2, 3 and 5-7": its length; range: it was a dash. */
static gsize
joint_len(const char *text, gboolean *range)
{
    static const char *const joints[] = {", and ", ", ", " and ", " & ", ","};
    static const char *const dashes[] = {"\xE2\x80\x93", "\xE2\x80\x94", "-", " to "};
    *range = FALSE;
    for (guint i = 0; i < G_N_ELEMENTS(joints); i++)
        if (g_str_has_prefix(text, joints[i])) return strlen(joints[i]);
    *range = TRUE;
    for (guint i = 0; i < G_N_ELEMENTS(dashes); i++)
        if (g_str_has_prefix(text, dashes[i])) return strlen(dashes[i]);
    return 0;
}

static void
numbers_add(floats *f, char kind, const char *at, guint para)
{
    guint64 last = 0;
    gboolean range = FALSE;
    for (;;) {
        gsize used = 0, len = number_of(at, &used);
        if (len == 0) return;
        guint64 value = g_ascii_strtoull(at, NULL, 10);
        if (range && last > 0 && value > last && value - last <= MAX_RANGE) {
            for (guint64 k = last + 1; k < value; k++) {
                g_autofree char *middle = g_strdup_printf("%" G_GUINT64_FORMAT, k);
                call_add(f, kind, middle, strlen(middle), para);
            }
        }
        call_add(f, kind, at, len, para);
        last = value;
        at += used;
        gsize joint = joint_len(at, &range);
        if (joint == 0) return;
        at += joint;
    }
}

/* Calls in one paragraph's text: "Figure 3", "Figs. 2 and 3", "(see Tab. IV)". */
static void
calls_scan(floats *f, const char *text, guint para)
{
    static const struct {
        const char *word;
        char kind;
    } words[] = {{"figures", 'F'}, {"figure", 'F'}, {"figs.", 'F'}, {"figs", 'F'}, {"fig.", 'F'},
                 {"fig", 'F'},     {"tables", 'T'}, {"table", 'T'}, {"tab.", 'T'}};
    for (const char *at = text; (at = strpbrk(at, "FfTt")) != NULL; at++) {
        if (at > text && g_ascii_isalnum(at[-1])) continue;
        for (guint w = 0; w < G_N_ELEMENTS(words); w++) {
            gsize len = strlen(words[w].word);
            if (g_ascii_strncasecmp(at, words[w].word, len) != 0) continue;
            const char *number = at + len;
            while (*number == ' ' || g_str_has_prefix(number, "\xC2\xA0"))
                number += *number == ' ' ? 1 : 2;
            numbers_add(f, words[w].kind, number, para);
            break;
        }
    }
}

static gboolean
may_call(const layout_para *para)
{
    return para->type == LAYOUT_BLOCK_PARAGRAPH || para->type == LAYOUT_BLOCK_LIST_ITEM;
}

static void
calls_find(floats *f)
{
    for (guint i = 0; i < f->work->paras->len; i++) {
        const layout_para *para = layout_work_para(f->work, i);
        layout_work_release(f->work);
        if (!may_call(para)) continue;
        g_string_truncate(f->text, 0);
        for (guint p = 0; p < para->places->len; p++) {
            const layout_place *place = &g_array_index(para->places, layout_place, p);
            const layout_sheet *sheet = layout_work_sheet(f->work, place->sheet);
            const layout_row *row = layout_sheet_row(sheet, place->row);
            for (guint s = 0; s < row->n_segs; s++) {
                const layout_seg *seg = layout_sheet_seg(
                    sheet, g_array_index(sheet->row_segs, guint, row->first_seg + s));
                g_string_append_len(f->text, sheet->text->str + seg->start, seg->len);
                g_string_append_c(f->text, ' ');
            }
        }
        calls_scan(f, f->text->str, i);
    }
}

/* ---- floats ---- */

/* Is there running text in the same column, next to row in one direction? */
static gboolean
has_text(const layout_sheet *sheet, const guint8 *is_text, guint row, int step)
{
    const layout_row *own = layout_sheet_row(sheet, row);
    for (guint i = row; (step > 0 || i > 0) && i + (guint)step < sheet->rows->len;) {
        i += (guint)step;
        if (layout_sheet_row(sheet, i)->region != own->region) return FALSE;
        if (is_text[i]) return TRUE;
    }
    return FALSE;
}

/* Marks the rows of a sheet that hold running text; paras from first to the sheet's last. */
static guint8 *
text_rows(const layout_work *work, guint at, guint s)
{
    const layout_sheet *sheet = layout_work_sheet(work, s);
    guint8 *is_text = g_new0(guint8, sheet->rows->len + 1);
    /* Blocks of a page are neighbours in the list; one begun on an earlier page may reach into this one. */
    for (guint step = 0; step < 2; step++) {
        for (guint i = at; i < work->paras->len; i += step == 0 ? (guint)-1 : 1) {
            const layout_para *para = layout_work_para(work, i);
            if (para->sheet > s || para->sheet + 4 < s) break;
            if (para->type == LAYOUT_BLOCK_CAPTION || para->type == LAYOUT_BLOCK_FOOTNOTE ||
                para->parent >= 0 || para->table >= 0 || layout_block_type_is_furniture(para->type))
                continue;
            for (guint p = 0; p < para->places->len; p++) {
                const layout_place *place = &g_array_index(para->places, layout_place, p);
                if (place->sheet == s) is_text[place->row] = 1;
            }
        }
    }
    return is_text;
}

static gboolean
was_moved(const layout_work *work, guint index)
{
    const layout_para *para = layout_work_para(work, index);
    const layout_sheet *sheet = layout_work_sheet(work, para->sheet);
    g_autofree guint8 *is_text = text_rows(work, index, para->sheet);
    for (guint r = 0; r < sheet->rows->len; r++) {
        const layout_row *row = layout_sheet_row(sheet, r);
        if (row->figure != para->figure || row->table != para->table) continue;
        return !has_text(sheet, is_text, r, -1) || !has_text(sheet, is_text, r, 1);
    }
    return FALSE;
}

static char *
key_of(const layout_para *owner)
{
    static const char digits[] = "0123456789IVX";
    if (owner->marker == NULL) return NULL;
    const char *number = strrchr(owner->marker, ' ');
    number = number != NULL ? number + 1 : strpbrk(owner->marker, digits);
    gsize used = 0, len = number != NULL ? number_of(number, &used) : 0;
    if (len == 0) return NULL;
    return g_strdup_printf("%c%.*s", owner->table >= 0 ? 'T' : 'F', (int)len, number);
}

/* Every captioned figure and table, with its caption where the two are neighbours. */
static void
groups_find(floats *f)
{
    const layout_work *work = f->work;
    for (guint i = 0; i < work->paras->len; i++) {
        const layout_para *caption = layout_work_para(work, i);
        if (caption->type != LAYOUT_BLOCK_CAPTION || caption->parent < 0) continue;
        guint owner = (guint)caption->parent, first = MIN(i, owner), last = MAX(i, owner);
        if (last - first != 1) continue;
        char *key = key_of(layout_work_para(work, owner));
        if (key == NULL) continue;
        float_group group = {first, last - first + 1, owner, LAYOUT_NONE, key};
        g_array_append_val(f->groups, group);
        if (!g_hash_table_contains(f->calls, key))
            g_hash_table_insert(f->calls, g_strdup(key),
                                g_array_new(FALSE, FALSE, sizeof(float_call)));
    }
}

static gboolean
is_float(const layout_para *para)
{
    return para->figure >= 0 || para->table >= 0 || para->type == LAYOUT_BLOCK_CAPTION ||
           para->type == LAYOUT_BLOCK_FOOTNOTE || layout_block_type_is_furniture(para->type);
}

/* Where a group read after para goes: a sentence is not broken, past the formula it leads up to and what goes on
 * behind it; nor are floats overtaken that stand there. goes: [n paras] moved away themselves. */
static guint
sentence_end(const layout_work *work, guint para, const guint8 *goes)
{
    guint end = para, last = para; /* last: the last one that is text */
    for (guint i = para + 1; i < work->paras->len; i++) {
        const layout_para *next = layout_work_para(work, i);
        layout_block_type type = layout_work_para(work, last)->type;
        if (is_float(next)) {
            if (!goes[i]) end = i;
            continue;
        }
        gboolean on = next->type == LAYOUT_BLOCK_FORMULA ||
                      (next->type == LAYOUT_BLOCK_LIST_ITEM && type == LAYOUT_BLOCK_LIST_ITEM);
        if (!on && type == LAYOUT_BLOCK_FORMULA && next->type == LAYOUT_BLOCK_PARAGRAPH &&
            next->places->len > 0) {
            g_autofree char *begin = layout_para_row_text(work, next, 0);
            on = g_unichar_islower(g_utf8_get_char(begin));
        }
        if (!on) break;
        end = last = i;
    }
    return end;
}

/* The nearest block before (step -1) or behind a group that is no float; LAYOUT_NONE at the ends. */
static int
neighbour(const layout_work *work, const float_group *group, int step)
{
    int i = step < 0 ? (int)group->first : (int)(group->first + group->n) - 1;
    do
        i += step;
    while (i >= 0 && i < (int)work->paras->len && is_float(layout_work_para(work, (guint)i)));
    return i < (int)work->paras->len ? i : LAYOUT_NONE;
}

/* Does a section hold nothing but floats here, as one headed "Figures" does? */
static gboolean
fills_section(const layout_work *work, int before, int behind)
{
    return before >= 0 && layout_work_para(work, (guint)before)->type == LAYOUT_BLOCK_HEADING &&
           (behind < 0 || layout_work_para(work, (guint)behind)->type == LAYOUT_BLOCK_HEADING);
}

/* Text between a call and the float behind it, in blocks. */
static guint
distance(const layout_work *work, guint call, const float_group *group)
{
    guint n = 0;
    if (call > group->first) return G_MAXUINT;
    for (guint i = call + 1; i < group->first; i++)
        if (!is_float(layout_work_para(work, i))) n++;
    return n;
}

static void
targets_choose(floats *f)
{
    g_autofree guint8 *goes = g_new0(guint8, f->work->paras->len + 1);
    for (guint g = 0; g < f->groups->len; g++) {
        float_group *group = &g_array_index(f->groups, float_group, g);
        const GArray *calls = g_hash_table_lookup(f->calls, group->key);
        guint sheet = layout_work_para(f->work, group->para)->sheet;
        int before = neighbour(f->work, group, -1), behind = neighbour(f->work, group, 1);
        layout_work_release(f->work);
        if (fills_section(f->work, before, behind)) continue;
        for (guint c = 0; c < calls->len; c++) {
            guint call = g_array_index(calls, float_call, c).para;
            guint s = g_array_index(calls, float_call, c).sheet;
            if (s + PAGES_BEFORE < sheet || s > sheet + PAGES_AFTER) continue;
            if ((int)call != behind && distance(f->work, call, group) > NEAR_BLOCKS &&
                was_moved(f->work, group->para)) {
                group->after = (int)call;
                memset(goes + group->first, 1, group->n);
            }
            break;
        }
    }
    for (guint g = 0; g < f->groups->len; g++) {
        float_group *group = &g_array_index(f->groups, float_group, g);
        if (group->after >= 0) group->after = (int)sentence_end(f->work, (guint)group->after, goes);
    }
}

/* ---- the new order ---- */

/* order: old indices in the order they are to be read in. */
static void
paras_permute(layout_work *work, const GArray *order)
{
    guint n = work->paras->len;
    g_autofree gpointer *old = g_memdup2(work->paras->pdata, n * sizeof(gpointer));
    g_autofree int *now = g_new(int, n + 1);
    for (guint i = 0; i < n; i++) {
        guint from = g_array_index(order, guint, i);
        work->paras->pdata[i] = old[from];
        now[from] = (int)i;
    }
    for (guint i = 0; i < n; i++) {
        layout_para *para = layout_work_para(work, i);
        if (para->parent >= 0) para->parent = now[para->parent];
    }
}

static void
paras_reorder(const floats *f)
{
    guint n = f->work->paras->len;
    g_autofree int *group_at = g_new(int, n + 1); /* the group a para belongs to, where it moves */
    g_autofree int *next = g_new(int, f->groups->len + 1); /* groups read after the same para */
    g_autofree int *head = g_new(int, n + 1);
    for (guint i = 0; i < n; i++)
        group_at[i] = head[i] = LAYOUT_NONE;
    for (guint g = f->groups->len; g-- > 0;) {
        const float_group *group = &g_array_index(f->groups, float_group, g);
        if (group->after < 0) continue;
        next[g] = head[group->after];
        head[group->after] = (int)g;
        for (guint i = 0; i < group->n; i++) {
            group_at[group->first + i] = (int)g;
            layout_work_para(f->work, group->first + i)->moved = TRUE;
        }
    }
    g_autoptr(GArray) order = g_array_sized_new(FALSE, FALSE, sizeof(guint), n);
    for (guint i = 0; i < n; i++) {
        if (group_at[i] >= 0) continue;
        g_array_append_val(order, i);
        for (int g = head[i]; g >= 0; g = next[g]) {
            const float_group *group = &g_array_index(f->groups, float_group, g);
            for (guint k = group->first; k < group->first + group->n; k++)
                g_array_append_val(order, k);
        }
    }
    paras_permute(f->work, order);
}

void
layout_floats_place(layout_work *work)
{
    floats f = {
        .work = work,
        .calls =
            g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_array_unref),
        .groups = g_array_new(FALSE, FALSE, sizeof(float_group)),
        .text = g_string_new(NULL),
    };
    g_array_set_clear_func(f.groups, group_clear);
    groups_find(&f);
    if (f.groups->len > 0) {
        calls_find(&f);
        targets_choose(&f);
        paras_reorder(&f);
    }
    g_hash_table_unref(f.calls);
    g_array_unref(f.groups);
    g_string_free(f.text, TRUE);
}

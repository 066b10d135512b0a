/* Which sheets are in memory. The passes go over a document page after page; a few sheets around the place
 * where they are stay as they are, the others lie in the spill file, each as one record:
 *
 *   layout_sheet | text | arrays ... | links' and strings' bytes, with their NUL | cells of each table
 *
 * Nothing is ever put away behind a caller's back: layout_work_sheet() only fetches, and only
 * layout_work_release(), which the passes call where they hold no pointer into a sheet, makes room. */
#include "layout/analyze.h"
#include "layout/spill.h"

#include <string.h>

#define WINDOW 8 /* sheets that stay; a file of so many pages never sees the disk */

/* Blocks in the making that stay, by where they lie: touching one brings in what is around it, as the
 * kernel maps a file. */
#define REGION_BYTES ((guintptr)64 << 10)
#define REGIONS_STAY 8

/* Every GArray of a sheet whose elements hold no pointers: one that is missing here comes back empty. */
static const struct {
    gsize member;
    guint element;
} plain[] = {
    {G_STRUCT_OFFSET(layout_sheet, words), sizeof(layout_word)},
    {G_STRUCT_OFFSET(layout_sheet, styles), sizeof(layout_style)},
    {G_STRUCT_OFFSET(layout_sheet, marks), sizeof(layout_mark)},
    {G_STRUCT_OFFSET(layout_sheet, segs), sizeof(layout_seg)},
    {G_STRUCT_OFFSET(layout_sheet, hrules), sizeof(layout_rule)},
    {G_STRUCT_OFFSET(layout_sheet, vrules), sizeof(layout_rule)},
    {G_STRUCT_OFFSET(layout_sheet, fills), sizeof(layout_fill)},
    {G_STRUCT_OFFSET(layout_sheet, clusters), sizeof(layout_cluster)},
    {G_STRUCT_OFFSET(layout_sheet, shapes), sizeof(layout_rect)},
    {G_STRUCT_OFFSET(layout_sheet, pictures), sizeof(layout_rect)},
    {G_STRUCT_OFFSET(layout_sheet, captions), sizeof(layout_caption_region)},
    {G_STRUCT_OFFSET(layout_sheet, panels), sizeof(layout_panel_region)},
    {G_STRUCT_OFFSET(layout_sheet, figures), sizeof(layout_figure_region)},
    {G_STRUCT_OFFSET(layout_sheet, rows), sizeof(layout_row)},
    {G_STRUCT_OFFSET(layout_sheet, row_segs), sizeof(guint)},
    {G_STRUCT_OFFSET(layout_sheet, losses), sizeof(layout_loss)},
    {G_STRUCT_OFFSET(layout_sheet, laid), sizeof(layout_laid)},
};
/* A new member of layout_sheet has to be put away and fetched too: a plain array by a line above, anything
 * that holds pointers by code below, numbers by nothing. Then put the new count of pointers here. */
#define N_POINTERS 22
G_STATIC_ASSERT(G_N_ELEMENTS(plain) + 5 == N_POINTERS); /* label failure text links tables */
G_STATIC_ASSERT(sizeof(gpointer) != 8 ||
                sizeof(layout_sheet) == 72 + N_POINTERS * 8 + 24 + sizeof(layout_ledger));

static GArray **
array_of(const layout_sheet *sheet, guint i)
{
    return (GArray **)(gpointer)((char *)sheet + plain[i].member);
}

/* ---- writing ---- */

static void
put_bytes(GByteArray *out, gconstpointer data, gsize len)
{
    if (len > 0) g_byte_array_append(out, data, (guint)len);
}

static void
put_len(GByteArray *out, gsize len)
{
    guint32 n = (guint32)len;
    put_bytes(out, &n, sizeof n);
}

static void
put_string(GByteArray *out, const char *text)
{
    put_len(out, text != NULL ? strlen(text) + 1 : 0);
    put_bytes(out, text, text != NULL ? strlen(text) + 1 : 0);
}

static void
put_array(GByteArray *out, const GArray *array, gsize element)
{
    put_len(out, array->len);
    put_bytes(out, array->data, array->len * element);
}

static void
put_cell(GByteArray *out, const layout_grid_cell *cell)
{
    put_string(out, cell->text);
    if (cell->parts != NULL) put_array(out, cell->parts, sizeof(layout_cell_part));
}

static void
sheet_write(GByteArray *out, const layout_sheet *sheet)
{
    g_byte_array_set_size(out, 0);
    put_bytes(out, sheet, sizeof *sheet);
    put_len(out, sheet->text->len);
    put_bytes(out, sheet->text->str, sheet->text->len);
    for (guint i = 0; i < G_N_ELEMENTS(plain); i++)
        put_array(out, *array_of(sheet, i), plain[i].element);
    put_string(out, sheet->label);
    put_string(out, sheet->failure);
    put_array(out, sheet->links, sizeof(layout_link));
    for (guint i = 0; i < sheet->links->len; i++) {
        const layout_link *link = &g_array_index(sheet->links, layout_link, i);
        put_string(out, link->uri);
        put_string(out, link->dest);
    }
    put_array(out, sheet->tables, sizeof(layout_table_region));
    for (guint i = 0; i < sheet->tables->len; i++) {
        const GArray *cells = g_array_index(sheet->tables, layout_table_region, i).cells;
        put_array(out, cells, sizeof(layout_grid_cell));
        for (guint k = 0; k < cells->len; k++)
            put_cell(out, &g_array_index(cells, layout_grid_cell, k));
    }
}

/* ---- reading: our own bytes, so nothing is checked ---- */

typedef struct {
    const guint8 *at;
} source;

static gsize
get_len(source *in)
{
    guint32 n;
    memcpy(&n, in->at, sizeof n);
    in->at += sizeof n;
    return n;
}

static char *
get_string(source *in)
{
    gsize len = get_len(in);
    char *text = len > 0 ? g_memdup2(in->at, len) : NULL;
    in->at += len;
    return text;
}

static void
get_array(source *in, GArray *array, gsize element)
{
    gsize n = get_len(in);
    g_array_set_size(array, 0);
    if (n > 0) g_array_append_vals(array, in->at, (guint)n);
    in->at += n * element;
}

static void
get_cell(source *in, layout_grid_cell *cell)
{
    cell->text = get_string(in);
    if (cell->parts == NULL) return; /* where they once were */
    cell->parts = g_array_new(FALSE, FALSE, sizeof(layout_cell_part));
    get_array(in, cell->parts, sizeof(layout_cell_part));
}

static layout_sheet *
sheet_read(const guint8 *data)
{
    source in = {data};
    layout_sheet *sheet = layout_sheet_new(0), kept;
    memcpy(&kept, in.at, sizeof kept);
    in.at += sizeof kept;
    kept.text = sheet->text;
    kept.links = sheet->links;
    kept.tables = sheet->tables;
    for (guint i = 0; i < G_N_ELEMENTS(plain); i++)
        *array_of(&kept, i) = *array_of(sheet, i);
    *sheet = kept;

    gsize len = get_len(&in);
    g_string_append_len(sheet->text, (const char *)in.at, (gssize)len);
    in.at += len;
    for (guint i = 0; i < G_N_ELEMENTS(plain); i++)
        get_array(&in, *array_of(sheet, i), plain[i].element);
    sheet->label = get_string(&in);
    sheet->failure = get_string(&in);
    get_array(&in, sheet->links, sizeof(layout_link));
    for (guint i = 0; i < sheet->links->len; i++) {
        layout_link *link = &g_array_index(sheet->links, layout_link, i);
        link->uri = get_string(&in);
        link->dest = get_string(&in);
    }
    get_array(&in, sheet->tables, sizeof(layout_table_region));
    for (guint i = 0; i < sheet->tables->len; i++) {
        GArray *cells = layout_grid_cells_new();
        g_array_index(sheet->tables, layout_table_region, i).cells = cells;
        get_array(&in, cells, sizeof(layout_grid_cell));
        for (guint k = 0; k < cells->len; k++)
            get_cell(&in, &g_array_index(cells, layout_grid_cell, k));
    }
    return sheet;
}

/* ---- the window ---- */

struct layout_residency {
    layout_spill *spill; /* slots: sheets put away */
    layout_spill *paras; /* blocks in the making */
    GArray *slots;       /* layout_slot of each sheet */
    GArray *resident;    /* guint: the sheets in memory */
    GByteArray *scratch; /* one record */
    guint64 clock;
    guint window;
    guintptr
        regions[REGIONS_STAY]; /* where blocks were asked for since they were last put to rest */
    guint n_regions;
    guintptr region; /* the last of them */
};

layout_residency *
layout_residency_new(void)
{
    layout_residency *r = g_new0(layout_residency, 1);
    r->spill = layout_spill_new();
    r->paras = layout_spill_new();
    r->slots = g_array_new(FALSE, TRUE, sizeof(layout_slot));
    r->resident = g_array_new(FALSE, FALSE, sizeof(guint));
    r->scratch = g_byte_array_new();
    r->window = WINDOW;
    return r;
}

void
layout_residency_free(layout_residency *r)
{
    layout_spill_free(r->spill);
    layout_spill_free(r->paras);
    g_array_unref(r->slots);
    g_array_unref(r->resident);
    g_byte_array_unref(r->scratch);
    g_free(r);
}

layout_spill *
layout_work_spill(const layout_work *work)
{
    return work->residency->paras;
}

void
layout_work_set_window(layout_work *work, guint n_sheets)
{
    work->residency->window = MAX(n_sheets, 1);
}

void
layout_work_add_sheet(layout_work *work, layout_sheet *sheet)
{
    layout_residency *r = work->residency;
    guint index = work->sheets->len;
    sheet->index = (int)index;
    if (!sheet->second) work->n_pages++;
    sheet->page = (int)work->n_pages - 1;
    sheet->used = ++r->clock;
    g_ptr_array_add(work->sheets, sheet);
    g_array_set_size(r->slots, index + 1);
    g_array_append_val(r->resident, index);
}

void
layout_work_forget_sheets(layout_work *work)
{
    work->n_pages = 0;
    layout_residency *fresh = layout_residency_new();
    fresh->window = work->residency->window;
    layout_residency_free(work->residency);
    work->residency = fresh;
    g_ptr_array_set_size(work->sheets, 0);
    g_hash_table_remove_all(work->font_ids);
    g_array_set_size(work->fonts, 0);
}

layout_sheet *
layout_work_sheet(const layout_work *work, guint index)
{
    layout_residency *r = work->residency;
    layout_sheet *sheet = work->sheets->pdata[index];
    if (sheet == NULL) {
        const layout_slot *slot = &g_array_index(r->slots, layout_slot, index);
        g_byte_array_set_size(r->scratch, (guint)slot->len);
        layout_spill_get(r->spill, slot, r->scratch->data);
        work->sheets->pdata[index] = sheet = sheet_read(r->scratch->data);
        g_array_append_val(r->resident, index);
    }
    sheet->used = ++r->clock;
    return sheet;
}

static gboolean
sheet_put_away(const layout_work *work, guint index)
{
    layout_residency *r = work->residency;
    layout_sheet *sheet = work->sheets->pdata[index];
    layout_slot *slot = &g_array_index(r->slots, layout_slot, index);
    sheet_write(r->scratch, sheet);
    if (!layout_spill_put(r->spill, slot, r->scratch->data, r->scratch->len)) return FALSE;
    work->sheets->pdata[index] = NULL;
    layout_sheet_free(sheet);
    return TRUE;
}

static int
compare_used(gconstpointer a, gconstpointer b, gpointer data)
{
    const layout_work *work = data;
    const layout_sheet *x = work->sheets->pdata[*(const guint *)a];
    const layout_sheet *y = work->sheets->pdata[*(const guint *)b];
    return (x->used > y->used) - (x->used < y->used);
}

static void
paras_rest(layout_residency *r)
{
    layout_spill_rest(r->paras);
    r->n_regions = 0;
}

layout_para *
layout_work_para(const layout_work *work, guint index)
{
    layout_residency *r = work->residency;
    layout_para *para = work->paras->pdata[index];
    const guintptr region = (guintptr)para / REGION_BYTES;
    if (region == r->region) return para;
    r->region = region;
    for (guint i = 0; i < r->n_regions; i++)
        if (r->regions[i] == region) return para;
    if (r->n_regions == REGIONS_STAY) paras_rest(r);
    r->regions[r->n_regions++] = region;
    return para;
}

void
layout_work_release(const layout_work *work)
{
    layout_residency *r = work->residency;
    guint n = r->resident->len, keep = r->window / 2, kept = 0;
    if (n <= r->window) return;
    g_array_sort_with_data(r->resident, compare_used, (gpointer)work);
    paras_rest(r);
    guint *list = (guint *)(gpointer)r->resident->data;
    for (guint i = 0; i < n; i++)
        if (n - i <= keep || !sheet_put_away(work, list[i])) list[kept++] = list[i];
    g_array_set_size(r->resident, kept);
    /* no room in the file: look again only when there is more to gain */
    if (kept > keep) r->window = 2 * kept;
}

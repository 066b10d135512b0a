/* Spreadsheets (SpreadsheetML, ISO/IEC 29500-1, clause 18) -> a heading and tables for each sheet.
 *
 * Cells are read as they show: strings, numbers in their format, the last value of a formula. What stands apart on a
 * sheet, with empty rows and columns between, becomes tables of their own; a region of one cell is a paragraph.
 * Hidden sheets are left out, with a warning, unless hidden text is kept. */
#include "layout/readers/xlsx.h"
#include "layout/readers/html.h"
#include "layout/readers/package.h"
#include "layout/readers/pen.h"
#include "layout/readers/xml.h"

#include <stdlib.h>
#include <string.h>

#define MAX_CELLS  2000000 /* of a workbook */
#define MAX_ROW    1048576
#define MAX_COL    16384
#define MAX_WIDTH  1000 /* columns of a table */
#define MAX_SPLITS 8

typedef struct {
    guint row, col;
    guint row_span, col_span;
    gboolean number;
    const char *text; /* from the sheet's strings */
} sheet_cell;

typedef struct {
    layout_package *package;
    layout_pen pen;
    GPtrArray *shared;  /* char * */
    GPtrArray *formats; /* lent codes by style index; NULL: general */
    GHashTable *codes;  /* numFmtId -> code */
    xmlDoc *styles;
    gboolean date1904, keep_hidden;
    guint n_cells;
    gboolean cut;
    GArray *cells; /* of the sheet, by row and column */
    GStringChunk *strings;
    GHashTable *pictures;
} workbook;

/* ---- strings and formats ---- */

/* Rich text without how it sounds (<rPh>). */
static void
gather_text(GString *out, const xmlNode *node, guint depth)
{
    for (const xmlNode *n = depth < 16 ? node->children : NULL; n != NULL; n = n->next) {
        if (layout_html_is(n, "t")) {
            g_autofree char *text = layout_xml_text(n);
            g_string_append(out, text);
        } else if (n->type == XML_ELEMENT_NODE && !layout_html_is(n, "rPh")) {
            gather_text(out, n, depth + 1);
        }
    }
}

static void
read_shared(workbook *w, const char *part)
{
    xmlDoc *tree = part != NULL ? layout_package_xml(w->package, part, NULL) : NULL;
    const xmlNode *root = tree != NULL ? xmlDocGetRootElement(tree) : NULL;
    for (const xmlNode *n = root != NULL ? root->children : NULL; n != NULL; n = n->next) {
        if (!layout_html_is(n, "si")) continue;
        GString *text = g_string_new(NULL);
        gather_text(text, n, 0);
        g_ptr_array_add(w->shared, g_string_free(text, FALSE));
    }
    if (tree != NULL) xmlFreeDoc(tree);
}

static void
read_formats(workbook *w, const char *part)
{
    w->styles = part != NULL ? layout_package_xml(w->package, part, NULL) : NULL;
    const xmlNode *root = w->styles != NULL ? xmlDocGetRootElement(w->styles) : NULL;
    const xmlNode *own = layout_xml_child(root, "numFmts"),
                  *cells = layout_xml_child(root, "cellXfs");
    for (const xmlNode *n = own != NULL ? own->children : NULL; n != NULL; n = n->next) {
        const char *id = layout_html_is(n, "numFmt") ? layout_html_attribute(n, "numFmtId") : NULL;
        const char *code = id != NULL ? layout_html_attribute(n, "formatCode") : NULL;
        if (code != NULL) g_hash_table_insert(w->codes, GINT_TO_POINTER(atoi(id)), (gpointer)code);
    }
    for (const xmlNode *n = cells != NULL ? cells->children : NULL; n != NULL; n = n->next) {
        if (!layout_html_is(n, "xf")) continue;
        const char *id = layout_html_attribute(n, "numFmtId");
        const int number = id != NULL ? atoi(id) : 0;
        const char *code = g_hash_table_lookup(w->codes, GINT_TO_POINTER(number));
        g_ptr_array_add(w->formats, (gpointer)(code != NULL ? code : layout_xlsx_builtin(number)));
    }
}

/* ---- cells ---- */

/* "BC12" -> row 11, column 54. FALSE for what is no reference. */
static gboolean
read_reference(const char *text, guint *row, guint *col)
{
    guint c = 0;
    const char *p = text;
    for (; g_ascii_isalpha(*p) && c <= MAX_COL; p++)
        c = c * 26 + (guint)(g_ascii_toupper(*p) - 'A') + 1;
    const guint64 r = g_ascii_isdigit(*p) ? g_ascii_strtoull(p, NULL, 10) : 0;
    if (c == 0 || c > MAX_COL || r == 0 || r > MAX_ROW) return FALSE;
    *row = (guint)r - 1, *col = c - 1;
    return TRUE;
}

static char *
cell_text(workbook *w, const xmlNode *cell, gboolean *is_number)
{
    const char *type = layout_html_attribute(cell, "t"), *style = layout_html_attribute(cell, "s");
    const xmlNode *inline_text = layout_xml_child(cell, "is"), *v = layout_xml_child(cell, "v");
    *is_number = FALSE;
    if (inline_text != NULL) {
        GString *text = g_string_new(NULL);
        gather_text(text, inline_text, 0);
        return g_string_free(text, FALSE);
    }
    if (v == NULL) return NULL;
    g_autofree char *value = layout_xml_text(v);
    if (g_strcmp0(type, "s") == 0) {
        const guint64 index = g_ascii_strtoull(value, NULL, 10);
        return index < w->shared->len ? g_strdup(w->shared->pdata[index]) : NULL;
    }
    if (g_strcmp0(type, "b") == 0) return g_strdup(value[0] == '1' ? "TRUE" : "FALSE");
    if (type != NULL && strcmp(type, "n") != 0) return g_steal_pointer(&value);
    char *end = NULL;
    const double number = g_ascii_strtod(value, &end);
    if (end == value || *end != '\0') return g_steal_pointer(&value);
    const guint64 index = style != NULL ? g_ascii_strtoull(style, NULL, 10) : 0;
    *is_number = TRUE;
    return layout_xlsx_number(number, index < w->formats->len ? w->formats->pdata[index] : NULL,
                              w->date1904);
}

static int
compare_cells(gconstpointer a, gconstpointer b)
{
    const sheet_cell *x = a, *y = b;
    if (x->row != y->row) return x->row < y->row ? -1 : 1;
    return (x->col > y->col) - (x->col < y->col);
}

static void
read_row(workbook *w, const xmlNode *row, guint *at)
{
    const char *number = layout_html_attribute(row, "r");
    const guint64 r = number != NULL ? g_ascii_strtoull(number, NULL, 10) : 0;
    guint col = 0;
    if (r >= 1 && r <= MAX_ROW) *at = (guint)r - 1;
    for (const xmlNode *c = row->children; c != NULL; c = c->next) {
        if (!layout_html_is(c, "c")) continue;
        const char *reference = layout_html_attribute(c, "r");
        sheet_cell cell = {.row = *at, .col = col, .row_span = 1, .col_span = 1};
        if (reference != NULL) read_reference(reference, &cell.row, &cell.col);
        col = cell.col + 1;
        g_autofree char *text = cell_text(w, c, &cell.number);
        g_autofree char *clean = layout_html_clean(text);
        if (clean == NULL || cell.col >= MAX_COL || cell.row >= MAX_ROW) continue;
        if (++w->n_cells > MAX_CELLS) {
            w->cut = TRUE;
            return;
        }
        cell.text = g_string_chunk_insert_const(w->strings, clean);
        g_array_append_val(w->cells, cell);
    }
    (*at)++;
}

static void
unite_cells(workbook *w, const xmlNode *merges)
{
    for (const xmlNode *n = merges != NULL ? merges->children : NULL; n != NULL; n = n->next) {
        const char *reference =
            layout_html_is(n, "mergeCell") ? layout_html_attribute(n, "ref") : NULL;
        const char *colon = reference != NULL ? strchr(reference, ':') : NULL;
        sheet_cell key = {0};
        guint row = 0, col = 0, at = 0;
        if (colon == NULL || !read_reference(reference, &key.row, &key.col) ||
            !read_reference(colon + 1, &row, &col) || row < key.row || col < key.col)
            continue;
        if (!g_array_binary_search(w->cells, &key, compare_cells, &at)) continue;
        sheet_cell *cell = &g_array_index(w->cells, sheet_cell, at);
        cell->row_span = row - key.row + 1, cell->col_span = col - key.col + 1;
    }
}

static void
read_cells(workbook *w, const xmlNode *sheet)
{
    const xmlNode *data = layout_xml_child(sheet, "sheetData");
    guint at = 0, kept = 0;
    g_array_set_size(w->cells, 0);
    for (const xmlNode *row = data != NULL ? data->children : NULL; row != NULL && !w->cut;
         row = row->next)
        if (layout_html_is(row, "row")) read_row(w, row, &at);
    g_array_sort(w->cells, compare_cells);
    for (guint i = 0; i < w->cells->len; i++) { /* one cell per place */
        const sheet_cell cell = g_array_index(w->cells, sheet_cell, i);
        if (kept > 0 && compare_cells(&cell, &g_array_index(w->cells, sheet_cell, kept - 1)) == 0)
            continue;
        g_array_index(w->cells, sheet_cell, kept++) = cell;
    }
    g_array_set_size(w->cells, kept);
    unite_cells(w, layout_xml_child(sheet, "mergeCells"));
}

/* ---- regions ---- */

typedef struct {
    guint row0, row1, col0, col1; /* before row1 and col1 */
} region;

/* lent cells (sheet_cell *) */
static region
bounds_of(const GPtrArray *cells)
{
    region r = {G_MAXUINT, 0, G_MAXUINT, 0};
    for (guint i = 0; i < cells->len; i++) {
        const sheet_cell *c = cells->pdata[i];
        r.row0 = MIN(r.row0, c->row), r.row1 = MAX(r.row1, c->row + c->row_span);
        r.col0 = MIN(r.col0, c->col), r.col1 = MAX(r.col1, c->col + c->col_span);
    }
    return r;
}

static int
by_col(gconstpointer a, gconstpointer b)
{
    const sheet_cell *x = *(const sheet_cell *const *)a, *y = *(const sheet_cell *const *)b;
    if (x->col != y->col) return x->col < y->col ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

static int
by_row(gconstpointer a, gconstpointer b)
{
    return compare_cells(*(const sheet_cell *const *)a, *(const sheet_cell *const *)b);
}

static gboolean
is_header_row(const GPtrArray *cells, const region *r)
{
    guint n = 0;
    if (r->row1 - r->row0 < 2 || r->col1 - r->col0 < 2) return FALSE;
    for (guint i = 0; i < cells->len; i++) {
        const sheet_cell *c = cells->pdata[i];
        if (c->row != r->row0) continue;
        if (c->number || c->row_span > 1) return FALSE;
        n += c->col_span;
    }
    return n * 2 >= r->col1 - r->col0;
}

static void
put_table(workbook *w, GPtrArray *cells)
{
    const region r = bounds_of(cells);
    g_autoptr(layout_pen_grid) grid = layout_pen_grid_new();
    const gboolean header = is_header_row(cells, &r);
    guint next = 0;

    if (cells->len == 1) {
        layout_pen_text(&w->pen, ((const sheet_cell *)cells->pdata[0])->text, -1);
        layout_pen_block(&w->pen, LAYOUT_BLOCK_PARAGRAPH, 0, NULL);
        return;
    }
    if (r.col1 - r.col0 > MAX_WIDTH) w->cut = TRUE;
    for (guint row = r.row0; row < r.row1; row++) {
        if (!layout_pen_grid_row(grid, header && row == r.row0)) {
            w->cut = TRUE;
            break;
        }
        /* only up to the row's last cell: the grid fills what is left */
        while (next < cells->len && ((const sheet_cell *)cells->pdata[next])->row < row)
            next++;
        for (; next < cells->len; next++) {
            const sheet_cell *c = cells->pdata[next];
            if (c->row != row) break;
            layout_pen_grid_skip(grid, c->col - r.col0);
            if (!layout_pen_grid_cell(grid, c->row_span, c->col_span, FALSE, c->text)) break;
        }
    }
    layout_pen_grid_write(grid, &w->pen);
}

/* Parts with empty rows between them, then columns, and again, as long as there are some. */
static void
put_region(workbook *w, GPtrArray *cells, gboolean rows, gboolean last, guint depth)
{
    guint reach = 0, from = 0;
    gboolean split = FALSE;
    if (cells->len == 0) return;
    g_ptr_array_sort(cells, rows ? by_row : by_col);
    for (guint i = 0; i <= cells->len; i++) {
        const sheet_cell *c = i < cells->len ? cells->pdata[i] : NULL;
        const guint start = c != NULL ? (rows ? c->row : c->col) : G_MAXUINT;
        if (c != NULL && (i == from || start <= reach)) {
            reach = MAX(i == from ? 0 : reach, start + (rows ? c->row_span : c->col_span));
            continue;
        }
        if (from == 0 && i == cells->len) break; /* all of it */
        split = TRUE;
        g_autoptr(GPtrArray) part = g_ptr_array_new();
        for (guint k = from; k < i; k++)
            g_ptr_array_add(part, cells->pdata[k]);
        if (depth < MAX_SPLITS)
            put_region(w, part, !rows, FALSE, depth + 1);
        else
            put_table(w, part);
        from = i;
        reach = c != NULL ? start + (rows ? c->row_span : c->col_span) : 0;
    }
    if (split) return;
    if (!last && depth < MAX_SPLITS) {
        put_region(w, cells, !rows, TRUE, depth + 1);
        return;
    }
    g_ptr_array_sort(cells, by_row);
    put_table(w, cells);
}

/* ---- sheets ---- */

static void
put_pictures(workbook *w, const char *part)
{
    g_autoptr(GHashTable) relations = layout_package_relations(w->package, part);
    const char *drawing = layout_relations_find(relations, "drawing");
    xmlDoc *tree = drawing != NULL ? layout_package_xml(w->package, drawing, NULL) : NULL;
    if (tree == NULL) return;
    g_autoptr(GHashTable) images = layout_package_relations(w->package, drawing);
    const xmlNode *root = xmlDocGetRootElement(tree);
    for (const xmlNode *anchor = root != NULL ? root->children : NULL; anchor != NULL;
         anchor = anchor->next) {
        const xmlNode *blip =
            anchor->type == XML_ELEMENT_NODE ? layout_xml_find(anchor, "blip") : NULL;
        const char *id = blip != NULL ? layout_html_attribute(blip, "embed") : NULL;
        const char *target = layout_relations_part(images, id);
        const xmlNode *about = layout_xml_find(anchor, "cNvPr");
        const char *name =
            target != NULL ? layout_package_picture(w->package, target, w->pictures) : NULL;
        g_autofree char *words = layout_package_picture_words(
            w->package, target, about != NULL ? layout_html_attribute(about, "descr") : NULL);
        if (name != NULL || (target != NULL && words != NULL))
            layout_pen_figure(&w->pen, NULL, name, words);
    }
    xmlFreeDoc(tree);
}

static void
put_sheet(workbook *w, const char *name, const char *part)
{
    g_autoptr(GError) cause = NULL;
    xmlDoc *tree = layout_package_xml(w->package, part, &cause);
    if (tree == NULL) {
        g_autofree char *message =
            g_strdup_printf("sheet \"%s\" cannot be read: %s", name, cause->message);
        layout_builder_add_warning(w->pen.builder, LAYOUT_NONE, message);
        return;
    }
    read_cells(w, xmlDocGetRootElement(tree));
    xmlFreeDoc(tree);
    layout_pen_text(&w->pen, name, -1);
    layout_pen_block(&w->pen, LAYOUT_BLOCK_HEADING, 1, NULL);
    g_autoptr(GPtrArray) cells = g_ptr_array_new();
    for (guint i = 0; i < w->cells->len; i++)
        g_ptr_array_add(cells, &g_array_index(w->cells, sheet_cell, i));
    put_region(w, cells, TRUE, FALSE, 0);
    put_pictures(w, part);
}

static void
put_sheets(workbook *w, const xmlNode *book, GHashTable *relations)
{
    const xmlNode *sheets = layout_xml_child(book, "sheets");
    for (const xmlNode *n = sheets != NULL ? sheets->children : NULL; n != NULL; n = n->next) {
        const char *id = layout_html_is(n, "sheet") ? layout_html_attribute(n, "id") : NULL;
        const char *part = layout_relations_part(relations, id);
        const char *state = part != NULL ? layout_html_attribute(n, "state") : NULL;
        const char *name = part != NULL ? layout_html_attribute(n, "name") : NULL;
        const layout_relation *relation = part != NULL ? g_hash_table_lookup(relations, id) : NULL;
        if (relation == NULL || strcmp(relation->type, "worksheet") != 0) continue;
        if (state != NULL && strcmp(state, "visible") != 0) {
            g_autofree char *message =
                g_strdup_printf("sheet \"%s\" is hidden%s", name != NULL ? name : "",
                                w->keep_hidden ? "" : ": left out");
            layout_builder_add_warning(w->pen.builder, LAYOUT_NONE, message);
            if (!w->keep_hidden) continue;
        }
        put_sheet(w, name != NULL ? name : "Sheet", part);
    }
}

static void
read_workbook(workbook *w, xmlDoc *tree, const char *part)
{
    const xmlNode *book = xmlDocGetRootElement(tree),
                  *properties = layout_xml_child(book, "workbookPr");
    const char *epoch = properties != NULL ? layout_html_attribute(properties, "date1904") : NULL;
    g_autoptr(GHashTable) relations = layout_package_relations(w->package, part);
    w->date1904 = epoch != NULL && (strcmp(epoch, "1") == 0 || strcmp(epoch, "true") == 0);
    read_shared(w, layout_relations_find(relations, "sharedStrings"));
    read_formats(w, layout_relations_find(relations, "styles"));
    put_sheets(w, book, relations);
    if (w->cut)
        layout_builder_add_warning(w->pen.builder, LAYOUT_NONE,
                                   "more cells than are read (2,000,000, 1,000 columns a table)");
    layout_package_warn(w->package, w->pen.builder);
    if (w->styles != NULL) xmlFreeDoc(w->styles);
}

layout_sniff
layout_xlsx_sniff(const layout_source *source)
{
    return layout_source_zip_lists(source, "xl/workbook.xml") ? LAYOUT_SNIFF_SURE : LAYOUT_SNIFF_NO;
}

gboolean
layout_xlsx_read(const layout_source *source, const layout_options *options,
                 layout_builder *builder, GHashTable *pictures, GError **error)
{
    g_autoptr(layout_package) package = layout_package_open(source, error);
    if (package == NULL) return FALSE;
    xmlDoc *tree = layout_package_xml(package, "xl/workbook.xml", error);
    if (tree == NULL) return FALSE;
    workbook w = {.package = package,
                  .keep_hidden = options != NULL && options->keep_hidden,
                  .shared = g_ptr_array_new_with_free_func(g_free),
                  .formats = g_ptr_array_new(),
                  .codes = g_hash_table_new(NULL, NULL),
                  .cells = g_array_new(FALSE, FALSE, sizeof(sheet_cell)),
                  .strings = g_string_chunk_new(65536),
                  .pictures = pictures};
    layout_reader_add_page(builder);
    layout_pen_init(&w.pen, builder);
    read_workbook(&w, tree, "xl/workbook.xml");
    layout_pen_finish(&w.pen);
    layout_package_read_properties(package, builder);
    layout_pen_clear(&w.pen);
    g_ptr_array_unref(w.shared);
    g_ptr_array_unref(w.formats);
    g_hash_table_unref(w.codes);
    g_array_unref(w.cells);
    g_string_chunk_free(w.strings);
    xmlFreeDoc(tree);
    return TRUE;
}

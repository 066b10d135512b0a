/* Word documents (WordprocessingML, ISO/IEC 29500-1, clause 17) -> blocks.
 *
 * One walk through the body. What a paragraph is, its style says, or an outline level of its own; what is printed
 * before it, its numbering. A caption is bound to the figure above or the table below it, by looking one block ahead.
 * Pages end where Word last laid them out (lastRenderedPageBreak); without such marks there is one page and no
 * boxes, with them a block's box is all of its page. Comments are left out, their number is a warning. */
#include "layout/readers/docx.h"
#include "layout/analyze.h"
#include "layout/readers/chart.h"
#include "layout/readers/tex.h"

#include <string.h>

#define MAX_DEPTH  48
#define MAX_HIDDEN 4096

static void put_blocks(docx *d, const xmlNode *parent);
static void put_paragraph(docx *d, const xmlNode *node);

/* ---- looking around ---- */

static const xmlNode *
next_block(const xmlNode *node)
{
    for (const xmlNode *n = node->next; n != NULL; n = n->next)
        if (layout_html_is_one_of(n, " p tbl sdt ")) return n;
    return NULL;
}

static docx_style
style_of(docx *d, const xmlNode *paragraph)
{
    const xmlNode *properties = layout_xml_child(paragraph, "pPr");
    docx_style style = docx_styles_lookup(d->styles, docx_value(properties, "pStyle"));
    const char *outline = docx_value(properties, "outlineLvl");
    const xmlNode *list = layout_xml_child(properties, "numPr");
    if (outline != NULL && outline[0] >= '0' && outline[0] <= '8' && outline[1] == '\0')
        style.role = DOCX_HEADING, style.level = outline[0] - '0' + 1;
    if (list != NULL) {
        const char *id = docx_value(list, "numId"), *level = docx_value(list, "ilvl");
        if (id != NULL) style.num_id = (int)g_ascii_strtoll(id, NULL, 10);
        if (level != NULL) style.ilvl = (int)CLAMP(g_ascii_strtoll(level, NULL, 10), 0, 8);
    }
    return style;
}

static gboolean
is_caption(docx *d, const xmlNode *node)
{
    if (!layout_html_is(node, "p")) return FALSE;
    if (style_of(d, node).role == DOCX_CAPTION) return !docx_has_picture(node);
    if (!docx_has_sequence(node, 0) || docx_has_picture(node)) return FALSE;
    g_autofree char *text = layout_html_text(node);
    return strlen(text) < 2000;
}

static gboolean
is_table_caption(const xmlNode *node)
{
    g_autofree char *text = layout_html_text(node);
    return g_ascii_strncasecmp(text, "tab", 3) == 0;
}

/* ---- what a paragraph leaves behind ---- */

/* Text that no reader sees is told of, not read. */
static void
put_hidden(docx *d)
{
    if (d->hidden->len == 0) return;
    g_autofree char *text = layout_html_clean(d->hidden->str);
    if (text != NULL) {
        const layout_box nowhere = {0};
        const GArray *boxes = d->pen.boxes;
        if (strlen(text) > MAX_HIDDEN) *g_utf8_find_prev_char(text, text + MAX_HIDDEN) = '\0';
        const layout_discard discard = {
            .reason = LAYOUT_DISCARD_INVISIBLE,
            .box = boxes->len > 0 ? g_array_index(boxes, layout_box, boxes->len - 1) : nowhere,
            .n_glyphs = (guint)g_utf8_strlen(text, -1),
            .text = text};
        layout_builder_add_discard(d->builder, &discard);
    }
    g_string_truncate(d->hidden, 0);
}

static void
put_notes(docx *d, int caller)
{
    g_autoptr(GPtrArray) notes = d->notes;
    d->notes = g_ptr_array_new();
    for (guint i = 0; i < notes->len; i++) {
        const xmlNode *note = notes->pdata[i];
        const gboolean end = layout_html_is(note, "endnote");
        GHashTable *outer = d->relations;
        char mark[16];
        g_snprintf(mark, sizeof mark, "%u", ++d->n_notes);
        d->relations = end ? d->endnote_relations : d->footnote_relations;
        for (const xmlNode *p = note->children; p != NULL; p = p->next) {
            if (layout_html_is(p, "p")) docx_inline(d, p, 0);
            layout_pen_text(&d->pen, " ", 1);
        }
        d->relations = outer;
        g_ptr_array_set_size(d->notes, 0); /* a note has none of its own */
        const int block = layout_pen_block(&d->pen, LAYOUT_BLOCK_FOOTNOTE, 0, mark);
        if (block != LAYOUT_NONE) layout_builder_block(d->builder, block)->parent = caller;
    }
}

/* The caption that stands with what is written now: the one held for it, else the next block. Written into the pen. */
static char *
write_caption(docx *d, const xmlNode *owner, gboolean table)
{
    const xmlNode *caption = d->held;
    d->held = NULL;
    if (caption == NULL) {
        const xmlNode *next = owner != NULL ? next_block(owner) : NULL;
        if (next == NULL || !is_caption(d, next) || g_hash_table_contains(d->taken, next))
            return NULL;
        const xmlNode *behind = next_block(next);
        const gboolean tables = is_table_caption(next);
        if (tables != table || (tables && behind != NULL && layout_html_is(behind, "tbl")))
            return NULL;
        caption = next;
    }
    g_hash_table_add(d->taken, (gpointer)caption);
    docx_inline(d, caption, 0);
    return g_strdup(d->pen.text->str);
}

static void
put_pictures(docx *d, const xmlNode *owner)
{
    g_autoptr(GArray) waiting = d->waiting;
    d->waiting = g_array_new(FALSE, FALSE, sizeof(docx_picture));
    for (guint i = 0; i < waiting->len; i++) {
        const docx_picture *picture = &g_array_index(waiting, docx_picture, i);
        g_autofree char *caption = i + 1 == waiting->len ? write_caption(d, owner, FALSE) : NULL;
        g_autofree char *label = caption != NULL ? layout_caption_label(caption) : NULL;
        /* a chart's numbers follow what the document says of it */
        if (picture->chart == NULL || caption != NULL || picture->inner_text != NULL)
            layout_pen_figure(&d->pen, label, picture->image, picture->inner_text);
        if (picture->chart != NULL &&
            layout_chart_write(d->package, picture->chart, &d->pen) == LAYOUT_NONE)
            d->n_charts++;
    }
}

static void
put_text_boxes(docx *d)
{
    g_autoptr(GPtrArray) boxes = d->boxes;
    d->boxes = g_ptr_array_new();
    for (guint i = 0; i < boxes->len; i++)
        put_blocks(d, boxes->pdata[i]);
}

/* ---- paragraphs ---- */

static void
gather_code(GString *out, const xmlNode *node, guint depth)
{
    for (const xmlNode *n = depth < MAX_DEPTH ? node->children : NULL; n != NULL; n = n->next) {
        if (layout_html_is(n, "t")) {
            g_autofree char *text = layout_xml_text(n);
            g_string_append(out, text);
        } else if (layout_html_is_one_of(n, " br cr ")) {
            g_string_append_c(out, '\n');
        } else if (layout_html_is(n, "tab")) {
            g_string_append_c(out, '\t');
        } else if (n->type == XML_ELEMENT_NODE && !layout_html_is_one_of(n, " pPr rPr del ")) {
            gather_code(out, n, depth + 1);
        }
    }
}

/* This paragraph of code with those behind it. */
static void
put_code(docx *d, const xmlNode *node)
{
    g_autoptr(GString) code = g_string_new(NULL);
    for (const xmlNode *n = node; n != NULL && layout_html_is(n, "p"); n = next_block(n)) {
        if (style_of(d, n).role != DOCX_CODE) break;
        gather_code(code, n, 0);
        g_string_append_c(code, '\n');
        g_hash_table_add(d->taken, (gpointer)n);
    }
    layout_pen_code(&d->pen, code->str);
}

static void
put_formulas(docx *d, const xmlNode *math)
{
    if (layout_html_is(math, "oMathPara")) {
        for (const xmlNode *n = math->children; n != NULL; n = n->next)
            if (layout_html_is(n, "oMath")) put_formulas(d, n);
        return;
    }
    g_autofree char *number = NULL;
    g_autofree char *latex = layout_omml_to_latex(math, &number);
    if (latex != NULL) layout_pen_formula(&d->pen, latex, number);
}

/* Which block the paragraph becomes, and the block's index. */
static int
put_role(docx *d, const docx_style *style, const char *marker)
{
    switch (style->role) {
    case DOCX_TITLE:
        if (!d->has_title) {
            layout_metadata *meta = layout_builder_meta(d->builder);
            meta->title = layout_builder_copy(d->builder, d->pen.text->str, -1);
            d->has_title = TRUE;
            return layout_pen_block(&d->pen, LAYOUT_BLOCK_TITLE, 0, NULL);
        }
        return layout_pen_block(&d->pen, LAYOUT_BLOCK_HEADING, 1, NULL);
    case DOCX_AUTHOR:
        return layout_pen_block(&d->pen, LAYOUT_BLOCK_AUTHOR, 0, NULL);
    case DOCX_ABSTRACT:
        return layout_pen_block(&d->pen, LAYOUT_BLOCK_ABSTRACT, 0, NULL);
    case DOCX_HEADING:
        d->in_references = layout_heading_is_references(d->pen.text->str);
        return layout_pen_block(&d->pen, LAYOUT_BLOCK_HEADING, MAX(style->level, 1), NULL);
    case DOCX_CAPTION:
        return layout_pen_block(&d->pen, LAYOUT_BLOCK_CAPTION, 0, NULL);
    case DOCX_LIST:
    case DOCX_BODY:
    default:
        if (style->role == DOCX_REFERENCE || (d->in_references && d->pen.text->len > 20)) {
            return layout_pen_printed_reference(&d->pen, NULL, marker);
        }
        if (marker != NULL || style->role == DOCX_LIST)
            return layout_pen_block(&d->pen, LAYOUT_BLOCK_LIST_ITEM,
                                    MAX(style->num_id > 0 ? style->ilvl + 1 : 1,
                                        style->role == DOCX_LIST ? style->level : 1),
                                    marker != NULL ? marker : "-");
        return layout_pen_block(&d->pen, LAYOUT_BLOCK_PARAGRAPH, 0, NULL);
    }
}

static void
put_text_paragraph(docx *d, const xmlNode *node, docx_style *style)
{
    g_autofree char *marker = docx_styles_count(d->styles, style->num_id, style->ilvl);
    const gboolean heading = style->role == DOCX_HEADING || style->role == DOCX_TITLE;
    if (heading && style->role == DOCX_HEADING && d->n_skipped > 0) docx_fields_clear(d);
    if (heading && marker != NULL && strcmp(marker, "-") != 0) {
        layout_pen_text(&d->pen, marker, -1);
        layout_pen_text(&d->pen, " ", 1);
    }
    const gsize prefix = d->prefix = d->pen.text->len;
    docx_inline(d, node, heading || style->role == DOCX_CAPTION ? 0 : style->flags);
    d->prefix = 0;
    if (d->pen.text->len == prefix) { /* a number before nothing */
        g_string_truncate(d->pen.text, 0);
        g_array_set_size(d->pen.spans, 0);
    }
    if (d->has_sequence && style->role == DOCX_BODY && is_caption(d, node))
        style->role = DOCX_CAPTION;
    const int block = d->pen.text->len > 0 ? put_role(d, style, marker) : LAYOUT_NONE;
    d->has_sequence = FALSE;
    put_hidden(d);
    put_pictures(d, node);
    put_text_boxes(d);
    put_notes(d, block);
}

static void
put_paragraph(docx *d, const xmlNode *node)
{
    if (g_hash_table_contains(d->taken, node)) return;
    docx_style style = style_of(d, node);
    if (style.role == DOCX_CONTENTS) { /* its fields begin and end all the same */
        d->n_skipped++;
        docx_inline(d, node, 0);
        d->n_skipped--;
        return;
    }
    if (style.role == DOCX_CODE && d->n_skipped == 0) {
        put_code(d, node);
        return;
    }
    if (d->n_skipped == 0 && is_caption(d, node)) {
        const xmlNode *next = next_block(node);
        const gboolean before =
            next != NULL &&
            (layout_html_is(next, "tbl")
                 ? TRUE
                 : layout_html_is(next, "p") && docx_has_picture(next) && !is_table_caption(node));
        if (before) {
            d->held = node;
            return;
        }
    }
    const xmlNode *math = d->n_skipped == 0 ? docx_only_formula(node) : NULL;
    if (math != NULL)
        put_formulas(d, math);
    else
        put_text_paragraph(d, node, &style);
}

/* ---- tables ---- */

typedef struct {
    const xmlNode *node;
    guint col, span;
    gboolean goes_on; /* belongs to the cell above */
} table_cell;

static guint
count_of(const xmlNode *properties, const char *name)
{
    const char *value = docx_value(properties, name);
    return value != NULL ? (guint)CLAMP(g_ascii_strtoll(value, NULL, 10), 0, 1000) : 0;
}

static void
take_cells(GArray *cells, const xmlNode *row, guint *col, guint depth)
{
    for (const xmlNode *n = depth < 8 ? row->children : NULL; n != NULL; n = n->next) {
        if (layout_html_is_one_of(n, " sdt sdtContent customXml ins ")) {
            take_cells(cells, n, col, depth + 1);
        } else if (layout_html_is(n, "tc")) {
            const xmlNode *properties = layout_xml_child(n, "tcPr");
            const xmlNode *merge = layout_xml_child(properties, "vMerge");
            const char *kind = merge != NULL ? layout_html_attribute(merge, "val") : NULL;
            const table_cell cell = {n, *col, MAX(count_of(properties, "gridSpan"), 1),
                                     merge != NULL && g_strcmp0(kind, "restart") != 0};
            g_array_append_val(cells, cell);
            *col += cell.span;
        }
    }
}

static void
take_rows(GPtrArray *rows, GPtrArray *nodes, const xmlNode *table, guint depth)
{
    for (const xmlNode *n = depth < 8 ? table->children : NULL; n != NULL; n = n->next) {
        if (layout_html_is_one_of(n, " sdt sdtContent customXml ins ")) {
            take_rows(rows, nodes, n, depth + 1);
        } else if (layout_html_is(n, "tr")) {
            GArray *cells = g_array_new(FALSE, FALSE, sizeof(table_cell));
            guint col = count_of(layout_xml_child(n, "trPr"), "gridBefore");
            take_cells(cells, n, &col, 0);
            g_ptr_array_add(rows, cells);
            g_ptr_array_add(nodes, (gpointer)n);
        }
    }
}

static const table_cell *
cell_at(const GArray *row, guint col)
{
    for (guint i = 0; i < row->len; i++)
        if (g_array_index(row, table_cell, i).col == col) return &g_array_index(row, table_cell, i);
    return NULL;
}

static guint
rows_of(const GPtrArray *rows, guint at, const table_cell *cell)
{
    guint n = 1;
    while (at + n < rows->len) {
        const table_cell *below = cell_at(rows->pdata[at + n], cell->col);
        if (below == NULL || !below->goes_on || below->span != cell->span) break;
        n++;
    }
    return n;
}

static void
put_cell_text(docx *d, const xmlNode *node)
{
    if (d->depth >= MAX_DEPTH) return;
    d->depth++;
    for (const xmlNode *n = node->children; n != NULL; n = n->next) {
        if (layout_html_is(n, "p")) {
            const docx_style style = style_of(d, n);
            g_autofree char *marker = docx_styles_count(d->styles, style.num_id, style.ilvl);
            if (marker != NULL && strcmp(marker, "-") != 0) {
                layout_pen_text(&d->pen, marker, -1);
                layout_pen_text(&d->pen, " ", 1);
            }
            docx_inline(d, n, 0);
            layout_pen_text(&d->pen, " ", 1);
        } else if (n->type == XML_ELEMENT_NODE &&
                   !layout_html_is_one_of(n, " tcPr tblPr tblGrid trPr del sdtPr ")) {
            put_cell_text(d, n);
        }
    }
    d->depth--;
}

static char *
cell_text(docx *d, const xmlNode *node)
{
    put_cell_text(d, node);
    char *text = g_strchomp(g_strdup(d->pen.text->str));
    g_string_truncate(d->pen.text, 0);
    g_array_set_size(d->pen.spans, 0);
    return text;
}

static gboolean
is_header(const xmlNode *table, const xmlNode *row, guint index, guint n_rows)
{
    if (docx_is_on(layout_xml_child(row, "trPr"), "tblHeader", FALSE)) return TRUE;
    const xmlNode *look = layout_xml_child(layout_xml_child(table, "tblPr"), "tblLook");
    if (look == NULL || index > 0 || n_rows < 2) return FALSE;
    const char *first = layout_html_attribute(look, "firstRow"),
               *bits = layout_html_attribute(look, "val");
    if (first != NULL) return strcmp(first, "1") == 0 || strcmp(first, "true") == 0;
    return bits != NULL && (g_ascii_strtoull(bits, NULL, 16) & 0x20) != 0;
}

/* "(3)" beside a formula in a table without lines: how equations were numbered before Word could. */
static gboolean
put_numbered_formula(docx *d, const GPtrArray *rows)
{
    const GArray *row = rows->len == 1 ? rows->pdata[0] : NULL;
    const xmlNode *math = NULL;
    g_autofree char *number = NULL;
    for (guint i = 0; row != NULL && i < row->len; i++) {
        const xmlNode *cell = g_array_index(row, table_cell, i).node,
                      *p = layout_xml_child(cell, "p");
        const xmlNode *found = p != NULL ? docx_only_formula(p) : NULL;
        g_autofree char *text = layout_html_text(cell);
        const gsize len = strlen(text);
        if (found != NULL && math == NULL)
            math = found;
        else if (len > 2 && len < 12 && text[0] == '(' && text[len - 1] == ')' && number == NULL)
            number = g_strndup(text + 1, len - 2);
        else if (len > 0)
            return FALSE;
    }
    if (math == NULL) return FALSE;
    if (layout_html_is(math, "oMathPara")) math = layout_xml_child(math, "oMath");
    g_autofree char *latex = math != NULL ? layout_omml_to_latex(math, NULL) : NULL;
    if (latex != NULL) layout_pen_formula(&d->pen, latex, number);
    return latex != NULL;
}

static void
put_grid(docx *d, const xmlNode *table, const GPtrArray *rows, const GPtrArray *nodes)
{
    g_autoptr(layout_pen_grid) grid = layout_pen_grid_new();
    for (guint r = 0; r < rows->len; r++) {
        const GArray *row = rows->pdata[r];
        if (!layout_pen_grid_row(grid, is_header(table, nodes->pdata[r], r, rows->len))) break;
        for (guint c = 0; c < row->len; c++) {
            const table_cell *cell = &g_array_index(row, table_cell, c);
            if (c == 0 && cell->col > 0) layout_pen_grid_cell(grid, 1, cell->col, FALSE, "");
            if (cell->goes_on && r > 0 && cell_at(rows->pdata[r - 1], cell->col) != NULL) continue;
            g_autofree char *text = cell_text(d, cell->node);
            if (!layout_pen_grid_cell(grid, rows_of(rows, r, cell), cell->span, FALSE, text)) break;
        }
    }
    g_autofree char *caption =
        layout_pen_grid_is_table(grid) ? write_caption(d, table, TRUE) : NULL;
    layout_pen_grid_write(grid, &d->pen);
    layout_pen_block(&d->pen, LAYOUT_BLOCK_PARAGRAPH, 0, NULL); /* the caption of an empty table */
}

static void
put_table(docx *d, const xmlNode *table)
{
    g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
    g_autoptr(GPtrArray) nodes = g_ptr_array_new();
    if (d->n_skipped > 0 && d->fields->len > 0) docx_fields_clear(d);
    take_rows(rows, nodes, table, 0);
    if (rows->len == 0 || put_numbered_formula(d, rows)) return;
    const GArray *first = rows->pdata[0];
    if (rows->len == 1 && first->len == 1) { /* a frame around text */
        put_blocks(d, g_array_index(first, table_cell, 0).node);
        return;
    }
    put_grid(d, table, rows, nodes);
    put_hidden(d);
    put_pictures(d, NULL);
    put_text_boxes(d);
    put_notes(d, LAYOUT_NONE);
}

/* ---- the body ---- */

static gboolean
is_contents(const xmlNode *sdt)
{
    const xmlNode *part = layout_xml_child(layout_xml_child(sdt, "sdtPr"), "docPartObj");
    return g_strcmp0(docx_value(part, "docPartGallery"), "Table of Contents") == 0;
}

static void
put_block(docx *d, const xmlNode *n)
{
    if (layout_html_is(n, "p"))
        put_paragraph(d, n);
    else if (layout_html_is(n, "tbl"))
        put_table(d, n);
    else if (layout_html_is_one_of(n, " oMathPara oMath "))
        put_formulas(d, n);
    else if (layout_html_is(n, "sdt")) {
        if (!is_contents(n)) put_blocks(d, n);
    } else if (layout_html_is_one_of(n, " del moveFrom "))
        d->n_deleted++;
    else if (layout_html_is(n, "AlternateContent")) {
        const xmlNode *choice = layout_xml_child(n, "Choice");
        if (choice != NULL) put_blocks(d, choice);
    } else if (layout_html_is_one_of(n, " sdtContent ins moveTo customXml smartTag txbxContent "))
        put_blocks(d, n);
}

static void
put_blocks(docx *d, const xmlNode *parent)
{
    if (d->depth >= MAX_DEPTH) return;
    d->depth++;
    for (const xmlNode *n = parent->children; n != NULL; n = n->next)
        if (n->type == XML_ELEMENT_NODE) put_block(d, n);
    d->depth--;
}

/* ---- the document ---- */

static gboolean
has_name(const xmlNode *node, const char *name, guint depth)
{
    for (const xmlNode *n = depth < 256 ? node->children : NULL; n != NULL; n = n->next)
        if (n->type == XML_ELEMENT_NODE &&
            (layout_html_is(n, name) || has_name(n, name, depth + 1)))
            return TRUE;
    return FALSE;
}

static void
begin_pages(docx *d, const xmlNode *body)
{
    const xmlNode *size = layout_xml_child(layout_xml_child(body, "sectPr"), "pgSz");
    const char *width = size != NULL ? layout_html_attribute(size, "w") : NULL;
    const char *height = size != NULL ? layout_html_attribute(size, "h") : NULL;
    d->page_width = width != NULL ? (float)g_ascii_strtod(width, NULL) / 20 : 612;
    d->page_height = height != NULL ? (float)g_ascii_strtod(height, NULL) / 20 : 792;
    if (!(d->page_width >= 36 && d->page_width < 14400)) d->page_width = 612;
    if (!(d->page_height >= 36 && d->page_height < 14400)) d->page_height = 792;
    d->has_pages = has_name(body, "lastRenderedPageBreak", 0);
    if (d->has_pages)
        docx_page_break(d);
    else
        layout_reader_add_page(d->builder);
}

static void
warn_of(docx *d, guint n, const char *what)
{
    if (n == 0) return;
    g_autofree char *message = g_strdup_printf("%u %s left out", n, what);
    layout_builder_add_warning(d->builder, LAYOUT_NONE, message);
}

static void
read_document(docx *d, xmlDoc *tree)
{
    const xmlNode *body = layout_xml_child(xmlDocGetRootElement(tree), "body");
    const char *footnotes = layout_relations_find(d->relations, "footnotes");
    const char *endnotes = layout_relations_find(d->relations, "endnotes");
    d->styles = docx_styles_read(d->package, layout_relations_find(d->relations, "styles"),
                                 layout_relations_find(d->relations, "numbering"));
    if (footnotes != NULL) d->footnotes = layout_package_xml(d->package, footnotes, NULL);
    if (endnotes != NULL) d->endnotes = layout_package_xml(d->package, endnotes, NULL);
    d->footnote_relations =
        layout_package_relations(d->package, footnotes != NULL ? footnotes : "none");
    d->endnote_relations =
        layout_package_relations(d->package, endnotes != NULL ? endnotes : "none");
    if (body != NULL) {
        begin_pages(d, body);
        put_blocks(d, body);
    } else {
        layout_reader_add_page(d->builder);
    }
    layout_pen_finish(&d->pen);
    warn_of(d, d->n_comments, "comments");
    warn_of(d, d->n_deleted, "tracked deletions");
    warn_of(d, d->n_charts, "charts without numbers");
    layout_package_warn(d->package, d->builder);
    docx_fields_clear(d);
    docx_styles_free(d->styles);
    if (d->footnotes != NULL) xmlFreeDoc(d->footnotes);
    if (d->endnotes != NULL) xmlFreeDoc(d->endnotes);
    g_hash_table_unref(d->footnote_relations);
    g_hash_table_unref(d->endnote_relations);
}

layout_sniff
layout_docx_sniff(const layout_source *source)
{
    return layout_source_zip_lists(source, "word/") ? LAYOUT_SNIFF_SURE : LAYOUT_SNIFF_NO;
}

gboolean
layout_docx_read(const layout_source *source, const layout_options *options,
                 layout_builder *builder, GHashTable *pictures, GError **error)
{
    g_autoptr(layout_package) package = layout_package_open(source, error);
    if (package == NULL) return FALSE;
    g_autoptr(GHashTable) roots = layout_package_relations(package, "");
    const char *found = layout_relations_find(roots, "officeDocument");
    g_autofree char *part = g_strdup(found != NULL ? found : "word/document.xml");
    xmlDoc *tree = layout_package_xml(package, part, error);
    if (tree == NULL) {
        g_clear_error(error);
        g_set_error(error, LAYOUT_ERROR, LAYOUT_ERROR_FORMAT,
                    "a Word document without a readable %s", part);
        return FALSE;
    }
    g_autoptr(GHashTable) relations = layout_package_relations(package, part);
    docx d = {.package = package,
              .builder = builder,
              .pictures = pictures,
              .relations = relations,
              .keep_hidden = options != NULL && options->keep_hidden,
              .fields = g_array_new(FALSE, FALSE, sizeof(docx_field)),
              .waiting = g_array_new(FALSE, FALSE, sizeof(docx_picture)),
              .boxes = g_ptr_array_new(),
              .notes = g_ptr_array_new(),
              .hidden = g_string_new(NULL),
              .taken = g_hash_table_new(NULL, NULL)};
    layout_pen_init(&d.pen, builder);
    read_document(&d, tree);
    layout_package_read_properties(package, builder);
    layout_pen_clear(&d.pen);
    g_array_unref(d.fields);
    g_array_unref(d.waiting);
    g_ptr_array_unref(d.boxes);
    g_ptr_array_unref(d.notes);
    g_string_free(d.hidden, TRUE);
    g_hash_table_unref(d.taken);
    xmlFreeDoc(tree);
    return TRUE;
}

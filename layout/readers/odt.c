/* OpenDocument texts (ISO/IEC 26300-1) -> blocks.
 *
 * Headings say that they are; other paragraphs are what the name of their style, or of one it is based on, says.
 * LibreOffice puts a figure and its caption in one paragraph of a text box; a table's caption stands beside it.
 * Formulas are objects of their own in the archive, in MathML. Pages end at soft page breaks, where the file has them:
 * a block's box is then all of its page. Annotations and what change tracking removed are left out. */
#include "layout/readers/odt.h"
#include "layout/analyze.h"
#include "layout/readers/tex.h"

#include <stdlib.h>
#include <string.h>

#define MAX_DEPTH 64
#define MAX_PAGES 100000

typedef struct {
    layout_package *package;
    layout_builder *builder;
    layout_pen pen;
    GHashTable *pictures;
    odt_styles *styles;
    gboolean keep_hidden, has_pages, has_title, in_references;
    int n_pages;
    float width, height;
    GPtrArray *frames; /* const xmlNode *: of the open paragraph */
    GPtrArray *notes;  /* likewise */
    GHashTable *taken;
    const xmlNode *held; /* a caption for the table behind it */
    const char *list_style;
    int list_level;
    guint depth, n_comments, n_notes;
} text_reader;

static void put_blocks(text_reader *t, const xmlNode *parent);
static void put_inline(text_reader *t, const xmlNode *node, guint flags);
static void put_list(text_reader *t, const xmlNode *list);

/* ---- pages ---- */

static void
page_break(text_reader *t)
{
    if (!t->has_pages || t->n_pages >= MAX_PAGES) return;
    const layout_page page = {
        .width_pt = t->width, .height_pt = t->height, .source = LAYOUT_TEXT_NATIVE};
    const layout_box box = {layout_builder_add_page(t->builder, &page),
                            {0, 0, t->width, t->height}};
    t->n_pages++;
    layout_pen_move(&t->pen, &box);
}

/* ---- inline ---- */

static void
put_text(text_reader *t, const char *text, guint flags)
{
    t->pen.style = flags | (t->pen.target != NULL ? LAYOUT_SPAN_LINK : 0);
    layout_pen_text(&t->pen, text, -1);
    t->pen.style = 0;
}

static void
put_span(text_reader *t, const xmlNode *node, guint flags)
{
    const odt_style style = odt_styles_lookup(t->styles, layout_html_attribute(node, "style-name"));
    if (style.is_hidden && !t->keep_hidden) {
        g_autofree char *text = layout_html_text(node);
        const layout_discard discard = {.reason = LAYOUT_DISCARD_INVISIBLE,
                                        .n_glyphs = (guint)g_utf8_strlen(text, -1),
                                        .text = text};
        if (*text != '\0') layout_builder_add_discard(t->builder, &discard);
        return;
    }
    put_inline(t, node, (flags & ~style.mask) | style.flags);
}

static void
put_link(text_reader *t, const xmlNode *node, guint flags)
{
    const char *outer = t->pen.target, *href = layout_html_attribute(node, "href");
    if (href != NULL && (g_str_has_prefix(href, "http") || g_str_has_prefix(href, "mailto:")) &&
        g_utf8_validate(href, -1, NULL))
        t->pen.target = g_string_chunk_insert_const(t->pen.strings, href);
    put_inline(t, node, flags);
    t->pen.target = outer;
}

/* The LaTeX of an object that is a formula; NULL for others. Free with g_free. */
static char *
object_latex(text_reader *t, const xmlNode *object)
{
    const xmlNode *inner = layout_xml_child(object, "math");
    if (inner != NULL) return layout_mathml_to_latex(inner);
    const char *href = layout_html_attribute(object, "href");
    g_autofree char *folder = href != NULL ? layout_package_resolve("", href) : NULL;
    if (folder == NULL || *folder == '\0') return NULL;
    g_autofree char *part = g_strconcat(folder, "/content.xml", NULL);
    xmlDoc *tree = layout_package_xml(t->package, part, NULL);
    char *latex = NULL;
    if (tree != NULL && layout_html_is(xmlDocGetRootElement(tree), "math"))
        latex = layout_mathml_to_latex(xmlDocGetRootElement(tree));
    if (tree != NULL) xmlFreeDoc(tree);
    return latex;
}

static void
take_frame(text_reader *t, const xmlNode *frame)
{
    const xmlNode *object = layout_xml_child(frame, "object");
    g_autofree char *latex = object != NULL ? object_latex(t, object) : NULL;
    if (latex != NULL)
        layout_pen_math(&t->pen, latex, NULL);
    else
        g_ptr_array_add(t->frames, (gpointer)frame);
}

static void
take_note(text_reader *t, const xmlNode *note, guint flags)
{
    char mark[16];
    g_snprintf(mark, sizeof mark, "%u", t->n_notes + t->notes->len + 1);
    put_text(t, mark, (flags & ~(guint)LAYOUT_SPAN_SUBSCRIPT) | LAYOUT_SPAN_SUPERSCRIPT);
    g_ptr_array_add(t->notes, (gpointer)note);
}

static void
put_inline_element(text_reader *t, const xmlNode *n, guint flags)
{
    if (layout_html_is(n, "span"))
        put_span(t, n, flags);
    else if (layout_html_is(n, "a"))
        put_link(t, n, flags);
    else if (layout_html_is_one_of(n, " s tab line-break "))
        put_text(t, " ", flags);
    else if (layout_html_is(n, "soft-page-break"))
        page_break(t);
    else if (layout_html_is(n, "note"))
        take_note(t, n, flags);
    else if (layout_html_is(n, "frame"))
        take_frame(t, n);
    else if (layout_html_is_one_of(n, " annotation "))
        t->n_comments++;
    else if (layout_html_is(n, "ruby"))
        put_inline(t,
                   layout_xml_child(n, "ruby-base") != NULL ? layout_xml_child(n, "ruby-base") : n,
                   flags);
    else if (!layout_html_is_one_of(
                 n,
                 " hidden-text hidden-paragraph tracked-changes annotation-end number desc title "))
        put_inline(t, n, flags);
}

static void
put_inline(text_reader *t, const xmlNode *node, guint flags)
{
    if (t->depth >= MAX_DEPTH) return;
    t->depth++;
    for (const xmlNode *n = node->children; n != NULL; n = n->next) {
        if (n->type == XML_TEXT_NODE && n->content != NULL)
            put_text(t, (const char *)n->content, flags);
        else if (n->type == XML_ELEMENT_NODE)
            put_inline_element(t, n, flags);
    }
    t->depth--;
}

/* ---- figures, notes, captions ---- */

static gboolean
is_caption(text_reader *t, const xmlNode *node)
{
    if (!layout_html_is(node, "p") || layout_xml_find(node, "image") != NULL) return FALSE;
    const odt_style style = odt_styles_lookup(t->styles, layout_html_attribute(node, "style-name"));
    return style.role == ODT_CAPTION || layout_xml_child(node, "sequence") != NULL;
}

static const xmlNode *
next_block(const xmlNode *node)
{
    for (const xmlNode *n = node->next; n != NULL; n = n->next)
        if (layout_html_is_one_of(n, " p h table list ")) return n;
    return NULL;
}

/* A figure whose caption, if any, is what the pen holds. */
static gboolean
put_image(text_reader *t, const xmlNode *frame)
{
    const xmlNode *image = layout_xml_child(frame, "image");
    const char *href = image != NULL ? layout_html_attribute(image, "href") : NULL;
    g_autofree char *part = href != NULL ? layout_package_resolve("", href) : NULL;
    const char *name = part != NULL ? layout_package_picture(t->package, part, t->pictures) : NULL;
    g_autofree char *description = layout_xml_clean_text(layout_xml_child(frame, "desc"));
    g_autofree char *words = layout_package_picture_words(t->package, part, description);
    g_autofree char *label = layout_caption_label(t->pen.text->str);
    if (name == NULL && words == NULL) return FALSE;
    layout_pen_figure(&t->pen, label, name, words);
    return TRUE;
}

/* captioned: the pen holds what the first picture is called. */
static void
put_frames(text_reader *t, gboolean captioned)
{
    g_autoptr(GPtrArray) frames = t->frames;
    const xmlNode *first = NULL;
    t->frames = g_ptr_array_new();
    for (guint i = 0; captioned && first == NULL && i < frames->len; i++)
        if (layout_xml_child(frames->pdata[i], "text-box") == NULL &&
            put_image(t, frames->pdata[i]))
            first = frames->pdata[i];
    if (captioned) layout_pen_block(&t->pen, LAYOUT_BLOCK_CAPTION, 0, NULL); /* of no picture */
    for (guint i = 0; i < frames->len; i++) {
        const xmlNode *frame = frames->pdata[i], *box = layout_xml_child(frame, "text-box");
        if (box != NULL)
            put_blocks(t, box);
        else if (frame != first)
            put_image(t, frame);
    }
}

static void
put_notes(text_reader *t, int caller)
{
    g_autoptr(GPtrArray) notes = t->notes;
    t->notes = g_ptr_array_new();
    for (guint i = 0; i < notes->len; i++) {
        const xmlNode *body = layout_xml_child(notes->pdata[i], "note-body");
        char mark[16];
        g_snprintf(mark, sizeof mark, "%u", ++t->n_notes);
        for (const xmlNode *p = body != NULL ? body->children : NULL; p != NULL; p = p->next) {
            if (p->type != XML_ELEMENT_NODE) continue;
            put_inline(t, p, 0);
            layout_pen_text(&t->pen, " ", 1);
        }
        const int block = layout_pen_block(&t->pen, LAYOUT_BLOCK_FOOTNOTE, 0, mark);
        if (block != LAYOUT_NONE) layout_builder_block(t->builder, block)->parent = caller;
    }
}

/* ---- paragraphs ---- */

static void
gather_code(GString *out, const xmlNode *node, guint depth)
{
    for (const xmlNode *n = depth < MAX_DEPTH ? node->children : NULL; n != NULL; n = n->next) {
        if (n->type == XML_TEXT_NODE && n->content != NULL) {
            g_string_append(out, (const char *)n->content);
        } else if (layout_html_is(n, "s")) {
            const char *count = layout_html_attribute(n, "c");
            for (int i = CLAMP(count != NULL ? atoi(count) : 1, 1, 200); i > 0; i--)
                g_string_append_c(out, ' ');
        } else if (layout_html_is(n, "tab")) {
            g_string_append_c(out, '\t');
        } else if (layout_html_is(n, "line-break")) {
            g_string_append_c(out, '\n');
        } else if (n->type == XML_ELEMENT_NODE) {
            gather_code(out, n, depth + 1);
        }
    }
}

static void
put_code(text_reader *t, const xmlNode *node)
{
    g_autoptr(GString) code = g_string_new(NULL);
    for (const xmlNode *n = node; n != NULL && layout_html_is(n, "p"); n = next_block(n)) {
        if (odt_styles_lookup(t->styles, layout_html_attribute(n, "style-name")).role != ODT_CODE)
            break;
        gather_code(code, n, 0);
        g_string_append_c(code, '\n');
        g_hash_table_add(t->taken, (gpointer)n);
    }
    layout_pen_code(&t->pen, code->str);
}

/* A paragraph that is one formula and nothing else: its LaTeX, NULL. Free with g_free. */
static char *
only_formula(text_reader *t, const xmlNode *node)
{
    const xmlNode *found = NULL;
    for (const xmlNode *n = node->children; n != NULL; n = n->next) {
        g_autofree char *text =
            n->type == XML_TEXT_NODE ? layout_html_clean((const char *)n->content) : NULL;
        if (text != NULL) return NULL;
        if (n->type != XML_ELEMENT_NODE || layout_html_is_one_of(n, " soft-page-break s tab "))
            continue;
        if (found != NULL || !layout_html_is(n, "frame")) return NULL;
        found = layout_xml_child(n, "object");
    }
    return found != NULL ? object_latex(t, found) : NULL;
}

static int
put_role(text_reader *t, const odt_style *style, const char *marker)
{
    switch (style->role) {
    case ODT_TITLE:
        if (t->has_title) return layout_pen_block(&t->pen, LAYOUT_BLOCK_HEADING, 1, NULL);
        layout_builder_meta(t->builder)->title =
            layout_builder_copy(t->builder, t->pen.text->str, -1);
        t->has_title = TRUE;
        return layout_pen_block(&t->pen, LAYOUT_BLOCK_TITLE, 0, NULL);
    case ODT_AUTHOR:
        return layout_pen_block(&t->pen, LAYOUT_BLOCK_AUTHOR, 0, NULL);
    case ODT_ABSTRACT:
        return layout_pen_block(&t->pen, LAYOUT_BLOCK_ABSTRACT, 0, NULL);
    case ODT_CAPTION:
        return layout_pen_block(&t->pen, LAYOUT_BLOCK_CAPTION, 0, NULL);
    default:
        break;
    }
    if (style->role == ODT_REFERENCE || (t->in_references && t->pen.text->len > 20))
        return layout_pen_printed_reference(&t->pen, NULL, marker);
    if (marker != NULL)
        return layout_pen_block(&t->pen, LAYOUT_BLOCK_LIST_ITEM, MAX(t->list_level, 1), marker);
    return layout_pen_block(&t->pen, LAYOUT_BLOCK_PARAGRAPH, 0, NULL);
}

/* marker: of the list item that begins here, NULL. */
static void
put_paragraph(text_reader *t, const xmlNode *node, const char *marker)
{
    if (g_hash_table_contains(t->taken, node)) return;
    const odt_style style = odt_styles_lookup(t->styles, layout_html_attribute(node, "style-name"));
    if (style.role == ODT_CONTENTS) return;
    if (style.role == ODT_CODE && layout_xml_find(node, "frame") == NULL) {
        put_code(t, node);
        return;
    }
    const xmlNode *next = next_block(node);
    if (is_caption(t, node) && next != NULL && layout_html_is(next, "table")) {
        t->held = node;
        return;
    }
    g_autofree char *latex = only_formula(t, node);
    if (latex != NULL) {
        layout_pen_formula(&t->pen, latex, NULL);
        return;
    }
    const gboolean plain = style.role == ODT_TITLE || style.role == ODT_CAPTION;
    put_inline(t, node, plain ? 0 : style.flags);
    const gboolean captions =
        t->frames->len > 0 && t->pen.text->len > 0 &&
        (style.role == ODT_CAPTION || layout_xml_child(node, "sequence") != NULL);
    int block = LAYOUT_NONE;
    if (!captions && t->pen.text->len > 0) block = put_role(t, &style, marker);
    put_frames(t, captions);
    put_notes(t, block);
}

static void
put_heading(text_reader *t, const xmlNode *node)
{
    const char *value = layout_html_attribute(node, "outline-level");
    const int level = value != NULL ? CLAMP(atoi(value), 1, 10) : 1;
    g_autofree char *text = layout_html_text(node);
    if (*text == '\0') return;
    g_autofree char *number = odt_heading_number(t->styles, level);
    if (number != NULL) {
        layout_pen_text(&t->pen, number, -1);
        layout_pen_text(&t->pen, " ", 1);
    }
    put_inline(t, node, 0);
    t->in_references = layout_heading_is_references(t->pen.text->str);
    const int block = layout_pen_block(&t->pen, LAYOUT_BLOCK_HEADING, level, NULL);
    put_frames(t, FALSE);
    put_notes(t, block);
}

/* ---- lists ---- */

static void
put_item(text_reader *t, const xmlNode *item, int n)
{
    g_autofree char *marker =
        n > 0 ? odt_list_marker(t->styles, t->list_style, t->list_level, n) : NULL;
    gboolean begun = n == 0;
    for (const xmlNode *c = item->children; c != NULL; c = c->next) {
        if (layout_html_is(c, "p")) {
            put_paragraph(t, c, begun ? NULL : marker);
            begun = TRUE;
        } else if (layout_html_is(c, "h")) {
            put_heading(t, c);
        } else if (layout_html_is(c, "list")) {
            put_list(t, c);
        }
    }
}

static void
put_list(text_reader *t, const xmlNode *list)
{
    const char *outer = t->list_style, *own = layout_html_attribute(list, "style-name");
    int n = 0;
    if (t->depth >= MAX_DEPTH) return;
    t->depth++;
    t->list_level++;
    if (own != NULL) t->list_style = own;
    for (const xmlNode *item = list->children; item != NULL; item = item->next) {
        if (layout_html_is(item, "list-item")) {
            const char *start = layout_html_attribute(item, "start-value");
            n = start != NULL ? CLAMP(atoi(start), 0, 1000000) : n + 1;
            put_item(t, item, n);
        } else if (layout_html_is(item, "list-header")) {
            put_item(t, item, 0);
        }
    }
    t->list_style = outer;
    t->list_level--;
    t->depth--;
}

/* ---- tables ---- */

static guint
count_of(const xmlNode *node, const char *name, guint max)
{
    const char *value = layout_html_attribute(node, name);
    return value != NULL ? (guint)CLAMP(atoi(value), 1, (int)max) : 1;
}

static void
put_cell_text(text_reader *t, const xmlNode *node)
{
    if (t->depth >= MAX_DEPTH) return;
    t->depth++;
    for (const xmlNode *n = node->children; n != NULL; n = n->next) {
        if (layout_html_is_one_of(n, " p h ")) {
            put_inline(t, n, 0);
            layout_pen_text(&t->pen, " ", 1);
        } else if (n->type == XML_ELEMENT_NODE) {
            put_cell_text(t, n);
        }
    }
    t->depth--;
}

static void
put_rows(text_reader *t, layout_pen_grid *grid, const xmlNode *parent, gboolean header, guint depth)
{
    for (const xmlNode *row = depth < 8 ? parent->children : NULL; row != NULL; row = row->next) {
        if (layout_html_is_one_of(row, " table-header-rows table-rows table-row-group ")) {
            put_rows(t, grid, row, header || layout_html_is(row, "table-header-rows"), depth + 1);
        } else if (layout_html_is(row, "soft-page-break")) {
            page_break(t);
        } else if (layout_html_is(row, "table-row")) {
            if (!layout_pen_grid_row(grid, header)) return;
            for (const xmlNode *cell = row->children; cell != NULL; cell = cell->next) {
                if (!layout_html_is(cell, "table-cell")) continue;
                put_cell_text(t, cell);
                g_autofree char *text = g_strchomp(g_strdup(t->pen.text->str));
                g_string_truncate(t->pen.text, 0);
                g_array_set_size(t->pen.spans, 0);
                for (guint i = count_of(cell, "number-columns-repeated", 100); i > 0; i--)
                    layout_pen_grid_cell(grid, count_of(cell, "number-rows-spanned", 65535),
                                         count_of(cell, "number-columns-spanned", 1000), FALSE,
                                         text);
            }
        }
    }
}

static void
put_table(text_reader *t, const xmlNode *table)
{
    g_autoptr(layout_pen_grid) grid = layout_pen_grid_new();
    put_rows(t, grid, table, FALSE, 0);
    if (layout_pen_grid_is_table(grid)) {
        const xmlNode *caption = t->held, *next = next_block(table);
        const xmlNode *behind = next != NULL ? next_block(next) : NULL;
        if (caption == NULL && next != NULL && is_caption(t, next) &&
            !(behind != NULL && layout_html_is(behind, "table")))
            caption = next;
        if (caption != NULL) {
            g_hash_table_add(t->taken, (gpointer)caption);
            put_inline(t, caption, 0);
        }
    } else if (t->held != NULL) {
        put_inline(t, t->held, 0);
    }
    t->held = NULL;
    layout_pen_grid_write(grid, &t->pen);
    layout_pen_block(&t->pen, LAYOUT_BLOCK_PARAGRAPH, 0, NULL);
    put_frames(t, FALSE);
    put_notes(t, LAYOUT_NONE);
}

/* ---- the body ---- */

static void
put_blocks(text_reader *t, const xmlNode *parent)
{
    if (t->depth >= MAX_DEPTH) return;
    t->depth++;
    for (const xmlNode *n = parent->children; n != NULL; n = n->next) {
        if (layout_html_is(n, "p"))
            put_paragraph(t, n, NULL);
        else if (layout_html_is(n, "h"))
            put_heading(t, n);
        else if (layout_html_is(n, "list"))
            put_list(t, n);
        else if (layout_html_is(n, "table"))
            put_table(t, n);
        else if (layout_html_is(n, "soft-page-break"))
            page_break(t);
        else if (layout_html_is(n, "frame")) {
            take_frame(t, n);
            layout_pen_block(&t->pen, LAYOUT_BLOCK_PARAGRAPH, 0, NULL);
            put_frames(t, FALSE);
        } else if (layout_html_is_one_of(n, " section bibliography index-body numbered-paragraph "))
            put_blocks(t, n);
    }
    t->depth--;
}

static void
read_meta(text_reader *t)
{
    layout_metadata *meta = layout_builder_meta(t->builder);
    xmlDoc *tree = layout_package_xml(t->package, "meta.xml", NULL);
    const xmlNode *root =
        tree != NULL ? layout_xml_child(xmlDocGetRootElement(tree), "meta") : NULL;
    g_autofree char *author = NULL;
    for (const xmlNode *n = root != NULL ? root->children : NULL; n != NULL; n = n->next) {
        if (n->type != XML_ELEMENT_NODE) continue;
        g_autofree char *text = layout_html_text(n);
        if (*text == '\0') continue;
        if (layout_html_is(n, "title") && meta->title == NULL)
            meta->title = layout_builder_copy(t->builder, text, -1);
        else if (layout_html_is(n, "generator"))
            meta->producer = layout_builder_copy(t->builder, text, -1);
        else if (layout_html_is(n, "initial-creator") ||
                 (layout_html_is(n, "creator") && author == NULL)) {
            g_free(author);
            author = g_steal_pointer(&text);
        } else if (layout_html_is(n, "language")) {
            g_autofree char *language = layout_language_of(text);
            meta->language = layout_builder_copy(t->builder, language, -1);
        } else if (layout_html_is(n, "creation-date") ||
                   (layout_html_is(n, "date") && meta->year == NULL)) {
            g_autofree char *year = layout_year_of(text);
            if (year != NULL) meta->year = layout_builder_copy(t->builder, year, -1);
        }
    }
    if (author != NULL) layout_builder_set_authors(t->builder, (const char *const *)&author, 1);
    if (tree != NULL) xmlFreeDoc(tree);
}

layout_sniff
layout_odt_sniff(const layout_source *source)
{
    return layout_source_zip_mimetype(source, "application/vnd.oasis.opendocument.text")
               ? LAYOUT_SNIFF_SURE
               : LAYOUT_SNIFF_NO;
}

gboolean
layout_odt_read(const layout_source *source, const layout_options *options, layout_builder *builder,
                GHashTable *pictures, GError **error)
{
    g_autoptr(layout_package) package = layout_package_open(source, error);
    xmlDoc *tree = package != NULL ? layout_package_xml(package, "content.xml", error) : NULL;
    if (tree == NULL) return FALSE;
    text_reader t = {.package = package,
                     .builder = builder,
                     .pictures = pictures,
                     .keep_hidden = options != NULL && options->keep_hidden,
                     .frames = g_ptr_array_new(),
                     .notes = g_ptr_array_new(),
                     .taken = g_hash_table_new(NULL, NULL)};
    const xmlNode *body =
        layout_xml_child(layout_xml_child(xmlDocGetRootElement(tree), "body"), "text");
    layout_pen_init(&t.pen, builder);
    t.styles = odt_styles_read(package, tree);
    t.has_pages = body != NULL && layout_xml_find(body, "soft-page-break") != NULL;
    if (!odt_page_size(t.styles, &t.width, &t.height)) t.width = 612, t.height = 792;
    if (t.has_pages)
        page_break(&t);
    else
        layout_reader_add_page(builder);
    if (body != NULL) put_blocks(&t, body);
    layout_pen_finish(&t.pen);
    read_meta(&t);
    if (t.n_comments > 0) {
        g_autofree char *message = g_strdup_printf("%u comments left out", t.n_comments);
        layout_builder_add_warning(builder, LAYOUT_NONE, message);
    }
    layout_package_warn(package, builder);
    odt_styles_free(t.styles);
    layout_pen_clear(&t.pen);
    g_ptr_array_unref(t.frames);
    g_ptr_array_unref(t.notes);
    g_hash_table_unref(t.taken);
    xmlFreeDoc(tree);
    return TRUE;
}

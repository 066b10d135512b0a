/* Presentations (PresentationML and DrawingML, ISO/IEC 29500-1, clauses 19 and 21) -> a page for each slide.
 *
 * A slide has places: its shapes' boxes are the blocks' boxes, in points. A placeholder that says nothing of where it
 * stands inherits that from the slide's layout, then from the master. The title comes first and is a heading; bodies
 * are lists; date, footer and number are furniture. What is said in the notes is a paragraph that begins "Notes:".
 * Hidden slides are left out, with a warning, unless hidden text is kept. */
#include "layout/readers/chart.h"
#include "layout/readers/html.h"
#include "layout/readers/package.h"
#include "layout/readers/pen.h"
#include "layout/readers/tex.h"
#include "layout/readers/xml.h"

#include <string.h>

#define EMU_PER_PT 12700.0
#define MAX_SLIDES 10000
#define MAX_DEPTH  64
#define MAX_LEVEL  9

typedef struct {
    layout_package *package;
    layout_builder *builder;
    layout_pen pen;
    GHashTable *pictures;
    GHashTable *relations;   /* of the slide */
    xmlDoc *layout, *master; /* of the slide; NULL */
    float width, height;
    int page;
    gboolean keep_hidden, has_title;
    guint depth, n_charts; /* n_charts: left out */
} deck;

typedef enum {
    ROLE_TEXT,
    ROLE_TITLE,
    ROLE_BODY,
    ROLE_SUBTITLE,
    ROLE_DATE,
    ROLE_FOOTER,
    ROLE_NUMBER
} shape_role;

/* ---- placeholders ---- */

static const xmlNode *
placeholder_of(const xmlNode *shape)
{
    for (const xmlNode *n = shape->children; n != NULL; n = n->next) {
        if (!layout_html_is_one_of(n, " nvSpPr nvPicPr nvGraphicFramePr ")) continue;
        return layout_xml_child(layout_xml_child(n, "nvPr"), "ph");
    }
    return NULL;
}

static const char *
value_of(const xmlNode *node, const char *name, const char *otherwise)
{
    const char *value = node != NULL ? layout_html_attribute(node, name) : NULL;
    return value != NULL ? value : otherwise;
}

static shape_role
role_of(const xmlNode *ph)
{
    static const struct {
        const char *type;
        shape_role role;
    } roles[] = {{"title", ROLE_TITLE}, {"ctrTitle", ROLE_TITLE}, {"subTitle", ROLE_SUBTITLE},
                 {"body", ROLE_BODY},   {"obj", ROLE_BODY},       {"dt", ROLE_DATE},
                 {"ftr", ROLE_FOOTER},  {"hdr", ROLE_FOOTER},     {"sldNum", ROLE_NUMBER}};
    if (ph == NULL) return ROLE_TEXT;
    const char *type = value_of(ph, "type", "obj");
    for (guint i = 0; i < G_N_ELEMENTS(roles); i++)
        if (strcmp(roles[i].type, type) == 0) return roles[i].role;
    return ROLE_TEXT;
}

static const xmlNode *
shapes_of(xmlDoc *tree)
{
    const xmlNode *root = tree != NULL ? xmlDocGetRootElement(tree) : NULL;
    return layout_xml_child(layout_xml_child(root, "cSld"), "spTree");
}

/* The placeholder there that ph inherits from: of its index, else of its type. */
static const xmlNode *
ancestor_of(xmlDoc *tree, const xmlNode *ph, gboolean by_index)
{
    const xmlNode *shapes = shapes_of(tree), *same = NULL;
    for (const xmlNode *n = shapes != NULL ? shapes->children : NULL; n != NULL; n = n->next) {
        const xmlNode *other = n->type == XML_ELEMENT_NODE ? placeholder_of(n) : NULL;
        if (other == NULL) continue;
        if (by_index && strcmp(value_of(ph, "idx", "0"), value_of(other, "idx", "0")) == 0)
            return n;
        if (same == NULL &&
            (strcmp(value_of(ph, "type", "obj"), value_of(other, "type", "obj")) == 0 ||
             (role_of(ph) != ROLE_TEXT && role_of(ph) == role_of(other))))
            same = n;
    }
    return same;
}

/* ---- places ---- */

static gboolean
read_box(const deck *d, const xmlNode *shape, layout_box *box)
{
    const xmlNode *properties = layout_xml_child(shape, "spPr");
    const xmlNode *frame = layout_xml_child(properties != NULL ? properties : shape, "xfrm");
    const xmlNode *off = layout_xml_child(frame, "off"), *ext = layout_xml_child(frame, "ext");
    if (off == NULL || ext == NULL) return FALSE;
    const float x = (float)(g_ascii_strtod(value_of(off, "x", "0"), NULL) / EMU_PER_PT);
    const float y = (float)(g_ascii_strtod(value_of(off, "y", "0"), NULL) / EMU_PER_PT);
    const float w = (float)(g_ascii_strtod(value_of(ext, "cx", "0"), NULL) / EMU_PER_PT);
    const float h = (float)(g_ascii_strtod(value_of(ext, "cy", "0"), NULL) / EMU_PER_PT);
    const layout_rect rect = {CLAMP(x, 0, d->width), CLAMP(y, 0, d->height),
                              CLAMP(x + w, 0, d->width), CLAMP(y + h, 0, d->height)};
    if (!(rect.x1 > rect.x0 && rect.y1 > rect.y0)) return FALSE;
    *box = (layout_box){d->page, rect};
    return TRUE;
}

/* In a group coordinates are of the group's own; its own box is good enough for what it holds. */
static void
place(deck *d, const xmlNode *shape, const xmlNode *ph, const layout_box *group)
{
    layout_box box = {d->page, {0, 0, d->width, d->height}};
    if (group != NULL) {
        box = *group;
    } else if (!read_box(d, shape, &box) && ph != NULL) {
        const xmlNode *above = ancestor_of(d->layout, ph, TRUE);
        if (above == NULL || !read_box(d, above, &box)) {
            above = ancestor_of(d->master, ph, FALSE);
            if (above != NULL) read_box(d, above, &box);
        }
    }
    layout_pen_place(&d->pen, &box);
}

/* ---- text ---- */

static void
put_run(deck *d, const xmlNode *run)
{
    const xmlNode *properties = layout_xml_child(run, "rPr"), *text = layout_xml_child(run, "t");
    guint style = 0;
    if (text == NULL) return;
    if (strcmp(value_of(properties, "b", "0"), "1") == 0) style |= LAYOUT_SPAN_BOLD;
    if (strcmp(value_of(properties, "i", "0"), "1") == 0) style |= LAYOUT_SPAN_ITALIC;
    const gint64 raised = g_ascii_strtoll(value_of(properties, "baseline", "0"), NULL, 10);
    if (raised != 0) style |= raised > 0 ? LAYOUT_SPAN_SUPERSCRIPT : LAYOUT_SPAN_SUBSCRIPT;
    const xmlNode *link = layout_xml_child(properties, "hlinkClick");
    const char *id = value_of(link, "id", NULL);
    const layout_relation *relation = id != NULL ? g_hash_table_lookup(d->relations, id) : NULL;
    if (relation != NULL && relation->external && g_str_has_prefix(relation->target, "http") &&
        g_utf8_validate(relation->target, -1, NULL)) {
        style |= LAYOUT_SPAN_LINK;
        d->pen.target = g_string_chunk_insert_const(d->pen.strings, relation->target);
    }
    g_autofree char *words = layout_xml_text(text);
    d->pen.style = style;
    layout_pen_text(&d->pen, words, -1);
    d->pen.style = 0;
    d->pen.target = NULL;
}

static void
put_inline(deck *d, const xmlNode *paragraph)
{
    if (d->depth >= MAX_DEPTH) return;
    d->depth++;
    for (const xmlNode *n = paragraph->children; n != NULL; n = n->next) {
        if (layout_html_is_one_of(n, " r fld ")) {
            put_run(d, n);
        } else if (layout_html_is(n, "br")) {
            layout_pen_text(&d->pen, " ", 1);
        } else if (layout_html_is(n, "oMath")) {
            g_autofree char *latex = layout_omml_to_latex(n, NULL);
            if (latex != NULL) layout_pen_math(&d->pen, latex, NULL);
        } else if (layout_html_is(n, "AlternateContent")) {
            const xmlNode *choice = layout_xml_child(n, "Choice");
            if (choice != NULL) put_inline(d, choice);
        } else if (layout_html_is_one_of(n, " m oMathPara ")) {
            put_inline(d, n);
        }
    }
    d->depth--;
}

/* A paragraph that is nothing but a formula; NULL. */
static const xmlNode *
only_formula(const xmlNode *paragraph)
{
    for (const xmlNode *n = paragraph->children; n != NULL; n = n->next) {
        g_autofree char *text = layout_html_is_one_of(n, " r fld ") ? layout_html_text(n) : NULL;
        if (text != NULL && *text != '\0') return NULL;
    }
    const xmlNode *math = layout_xml_find(paragraph, "oMathPara");
    return math != NULL ? layout_xml_child(math, "oMath") : NULL;
}

/* What the list style of a placeholder's ancestors says of this level: 1 bullets, 0 none, -1 nothing. */
static int
inherited_bullet(const deck *d, const xmlNode *ph, int level)
{
    char name[16];
    g_snprintf(name, sizeof name, "lvl%dpPr", level + 1);
    for (int i = 0; ph != NULL && i < 2; i++) {
        const xmlNode *above = ancestor_of(i == 0 ? d->layout : d->master, ph, i == 0);
        const xmlNode *list = layout_xml_child(layout_xml_child(above, "txBody"), "lstStyle");
        const xmlNode *properties = layout_xml_child(list, name);
        if (layout_xml_child(properties, "buNone") != NULL) return 0;
        if (layout_xml_child(properties, "buChar") != NULL ||
            layout_xml_child(properties, "buAutoNum") != NULL)
            return 1;
    }
    return -1;
}

/* "-", "3." or NULL: what stands before the paragraph. Free with g_free. */
static char *
marker_of(const deck *d, const xmlNode *paragraph, const xmlNode *ph, int level, guint *counts)
{
    const xmlNode *properties = layout_xml_child(paragraph, "pPr");
    const xmlNode *number = layout_xml_child(properties, "buAutoNum");
    for (int i = level + 1; i <= MAX_LEVEL; i++)
        counts[i] = 0;
    if (number != NULL) {
        const char *type = value_of(number, "type", "arabicPeriod");
        const guint start =
            (guint)CLAMP(g_ascii_strtoll(value_of(number, "startAt", "1"), NULL, 10), 1, 32767);
        const guint n = start + counts[level]++;
        const char *end =
            g_str_has_suffix(type, "ParenR") || g_str_has_suffix(type, "ParenBoth") ? ")" : ".";
        if (g_str_has_prefix(type, "alpha") && n <= 26)
            return g_strdup_printf(
                "%c%s", (g_str_has_prefix(type, "alphaUc") ? 'A' : 'a') + (int)n - 1, end);
        return g_strdup_printf("%u%s", n, end);
    }
    counts[level] = 0;
    if (layout_xml_child(properties, "buNone") != NULL) return NULL;
    if (layout_xml_child(properties, "buChar") != NULL ||
        layout_xml_child(properties, "buBlip") != NULL)
        return g_strdup("-");
    if (role_of(ph) != ROLE_BODY) return NULL;
    return inherited_bullet(d, ph, level) != 0 ? g_strdup("-") : NULL;
}

static void
put_body(deck *d, const xmlNode *body, const xmlNode *ph)
{
    guint counts[MAX_LEVEL + 1] = {0};
    for (const xmlNode *p = body->children; p != NULL; p = p->next) {
        if (!layout_html_is(p, "p")) continue;
        const xmlNode *math = only_formula(p);
        if (math != NULL) {
            g_autofree char *latex = layout_omml_to_latex(math, NULL);
            if (latex != NULL) layout_pen_formula(&d->pen, latex, NULL);
            continue;
        }
        const char *lvl = value_of(layout_xml_child(p, "pPr"), "lvl", "0");
        const int level = (int)CLAMP(g_ascii_strtoll(lvl, NULL, 10), 0, MAX_LEVEL - 1);
        put_inline(d, p);
        if (d->pen.text->len == 0) continue;
        g_autofree char *marker = marker_of(d, p, ph, level, counts);
        layout_pen_block(&d->pen, marker != NULL ? LAYOUT_BLOCK_LIST_ITEM : LAYOUT_BLOCK_PARAGRAPH,
                         marker != NULL ? level + 1 : 0, marker);
    }
}

/* All paragraphs as one block. */
static void
put_joined(deck *d, const xmlNode *body, layout_block_type type, int level)
{
    for (const xmlNode *p = body->children; p != NULL; p = p->next) {
        if (!layout_html_is(p, "p")) continue;
        if (d->pen.text->len > 0) layout_pen_text(&d->pen, " ", 1);
        put_inline(d, p);
    }
    if (type == LAYOUT_BLOCK_TITLE && d->pen.text->len > 0) {
        layout_metadata *meta = layout_builder_meta(d->builder);
        meta->title = layout_builder_copy(d->builder, g_strchomp(d->pen.text->str), -1);
        g_string_truncate(d->pen.text, strlen(d->pen.text->str));
        d->has_title = TRUE;
    }
    layout_pen_block(&d->pen, type, level, NULL);
}

/* ---- shapes ---- */

static void
put_text_shape(deck *d, const xmlNode *shape, gboolean furniture, const layout_box *group)
{
    const xmlNode *ph = placeholder_of(shape), *body = layout_xml_child(shape, "txBody");
    const shape_role role = role_of(ph);
    const gboolean is_furniture = role == ROLE_DATE || role == ROLE_FOOTER || role == ROLE_NUMBER;
    if (body == NULL || is_furniture != furniture) return;
    place(d, shape, ph, group);
    if (role == ROLE_TITLE)
        put_joined(d, body,
                   d->page == 0 && !d->has_title ? LAYOUT_BLOCK_TITLE : LAYOUT_BLOCK_HEADING,
                   d->page == 0 && !d->has_title ? 0 : 1);
    else if (role == ROLE_NUMBER)
        put_joined(d, body, LAYOUT_BLOCK_PAGE_NUMBER, 0);
    else if (is_furniture)
        put_joined(d, body, LAYOUT_BLOCK_FOOTER, 0);
    else
        put_body(d, body, ph);
}

static void
put_picture(deck *d, const xmlNode *shape, const layout_box *group)
{
    const xmlNode *blip = layout_xml_find(shape, "blip"), *about = layout_xml_find(shape, "cNvPr");
    const char *part = layout_relations_part(d->relations, value_of(blip, "embed", NULL));
    const char *name = part != NULL ? layout_package_picture(d->package, part, d->pictures) : NULL;
    g_autofree char *alt =
        layout_package_picture_words(d->package, part, value_of(about, "descr", NULL));
    if (name == NULL && alt == NULL) return;
    place(d, shape, placeholder_of(shape), group);
    layout_pen_figure(&d->pen, NULL, name, alt);
}

static guint
span_of(const xmlNode *cell, const char *name)
{
    return (guint)CLAMP(g_ascii_strtoll(value_of(cell, name, "1"), NULL, 10), 1, 1000);
}

static gboolean
is_merged(const xmlNode *cell)
{
    return strcmp(value_of(cell, "hMerge", "0"), "1") == 0 ||
           strcmp(value_of(cell, "vMerge", "0"), "1") == 0;
}

static void
put_table(deck *d, const xmlNode *table)
{
    const xmlNode *look = layout_xml_child(table, "tblPr");
    const gboolean header = strcmp(value_of(look, "firstRow", "0"), "1") == 0;
    g_autoptr(layout_pen_grid) grid = layout_pen_grid_new();
    guint n = 0;
    for (const xmlNode *row = table->children; row != NULL; row = row->next) {
        if (!layout_html_is(row, "tr")) continue;
        if (!layout_pen_grid_row(grid, header && n == 0)) break;
        n++;
        for (const xmlNode *cell = row->children; cell != NULL; cell = cell->next) {
            if (!layout_html_is(cell, "tc") || is_merged(cell)) continue;
            const xmlNode *body = layout_xml_child(cell, "txBody");
            for (const xmlNode *p = body != NULL ? body->children : NULL; p != NULL; p = p->next) {
                if (!layout_html_is(p, "p")) continue;
                put_inline(d, p);
                layout_pen_text(&d->pen, " ", 1);
            }
            g_autofree char *text = g_strchomp(g_strdup(d->pen.text->str));
            g_string_truncate(d->pen.text, 0);
            g_array_set_size(d->pen.spans, 0);
            layout_pen_grid_cell(grid, span_of(cell, "rowSpan"), span_of(cell, "gridSpan"), FALSE,
                                 text);
        }
    }
    layout_pen_grid_write(grid, &d->pen);
}

/* What a diagram says: its points, in their order. */
static void
put_diagram(deck *d, const xmlNode *ids)
{
    const char *part = layout_relations_part(d->relations, value_of(ids, "dm", NULL));
    xmlDoc *tree = part != NULL ? layout_package_xml(d->package, part, NULL) : NULL;
    const xmlNode *points =
        tree != NULL ? layout_xml_child(xmlDocGetRootElement(tree), "ptLst") : NULL;
    for (const xmlNode *n = points != NULL ? points->children : NULL; n != NULL; n = n->next) {
        const xmlNode *text = layout_html_is(n, "pt") ? layout_xml_child(n, "t") : NULL;
        for (const xmlNode *p = text != NULL ? text->children : NULL; p != NULL; p = p->next) {
            if (!layout_html_is(p, "p")) continue;
            put_inline(d, p);
            layout_pen_block(&d->pen, LAYOUT_BLOCK_LIST_ITEM, 1, "-");
        }
    }
    if (tree != NULL) xmlFreeDoc(tree);
}

static void
put_chart(deck *d, const xmlNode *chart)
{
    const char *part = layout_relations_part(d->relations, value_of(chart, "id", NULL));
    if (part == NULL || layout_chart_write(d->package, part, &d->pen) == LAYOUT_NONE) d->n_charts++;
}

static void
put_frame(deck *d, const xmlNode *frame, const layout_box *group)
{
    const xmlNode *data = layout_xml_child(layout_xml_child(frame, "graphic"), "graphicData");
    const xmlNode *table = layout_xml_child(data, "tbl"),
                  *diagram = layout_xml_child(data, "relIds");
    place(d, frame, placeholder_of(frame), group);
    if (table != NULL)
        put_table(d, table);
    else if (diagram != NULL)
        put_diagram(d, diagram);
    else if (layout_xml_child(data, "chart") != NULL)
        put_chart(d, layout_xml_child(data, "chart"));
    else if (data != NULL && layout_xml_find(data, "blip") != NULL)
        put_picture(d, frame, group);
}

static void
put_shapes(deck *d, const xmlNode *tree, gboolean furniture, gboolean titles,
           const layout_box *group)
{
    if (tree == NULL || d->depth >= MAX_DEPTH) return;
    d->depth++;
    for (const xmlNode *n = tree->children; n != NULL; n = n->next) {
        if (layout_html_is(n, "sp")) {
            const gboolean title = role_of(placeholder_of(n)) == ROLE_TITLE;
            if (title == titles) put_text_shape(d, n, furniture, group);
        } else if (layout_html_is(n, "grpSp")) {
            const xmlNode *properties = layout_xml_child(n, "grpSpPr");
            layout_box box = {d->page, {0, 0, d->width, d->height}};
            if (group == NULL && properties != NULL) read_box(d, properties, &box);
            put_shapes(d, n, furniture, titles, group != NULL ? group : &box);
        } else if (layout_html_is(n, "AlternateContent")) {
            const xmlNode *choice = layout_xml_child(n, "Choice");
            put_shapes(d, choice != NULL ? choice : layout_xml_child(n, "Fallback"), furniture,
                       titles, group);
        } else if (!furniture && !titles && layout_html_is(n, "pic")) {
            put_picture(d, n, group);
        } else if (!furniture && !titles && layout_html_is(n, "graphicFrame")) {
            put_frame(d, n, group);
        }
    }
    d->depth--;
}

/* ---- slides ---- */

static void
put_notes(deck *d)
{
    const char *part = layout_relations_find(d->relations, "notesSlide");
    xmlDoc *tree = part != NULL ? layout_package_xml(d->package, part, NULL) : NULL;
    const xmlNode *shapes = shapes_of(tree);
    const layout_box box = {d->page, {0, 0, d->width, d->height}};
    gboolean begun = FALSE;
    layout_pen_place(&d->pen, &box);
    for (const xmlNode *n = shapes != NULL ? shapes->children : NULL; n != NULL; n = n->next) {
        const xmlNode *ph = layout_html_is(n, "sp") ? placeholder_of(n) : NULL;
        const xmlNode *body = ph != NULL ? layout_xml_child(n, "txBody") : NULL;
        if (body == NULL || strcmp(value_of(ph, "type", ""), "body") != 0) continue;
        for (const xmlNode *p = body->children; p != NULL; p = p->next) {
            g_autofree char *text = layout_html_is(p, "p") ? layout_html_text(p) : NULL;
            if (text == NULL || *text == '\0') continue;
            d->pen.style = LAYOUT_SPAN_BOLD;
            if (!begun) layout_pen_text(&d->pen, "Notes:", -1);
            d->pen.style = 0;
            if (!begun) layout_pen_text(&d->pen, " ", 1);
            begun = TRUE;
            put_inline(d, p);
            layout_pen_block(&d->pen, LAYOUT_BLOCK_PARAGRAPH, 0, NULL);
        }
    }
    if (tree != NULL) xmlFreeDoc(tree);
}

static void
read_ancestors(deck *d)
{
    const char *layout = layout_relations_find(d->relations, "slideLayout");
    if (layout == NULL) return;
    d->layout = layout_package_xml(d->package, layout, NULL);
    g_autoptr(GHashTable) relations = layout_package_relations(d->package, layout);
    const char *master = layout_relations_find(relations, "slideMaster");
    if (master != NULL) d->master = layout_package_xml(d->package, master, NULL);
}

static void
warn_slide(deck *d, const char *what)
{
    g_autofree char *message = g_strdup_printf("slide %d %s", d->page + 1, what);
    layout_builder_add_warning(d->builder, d->page, message);
}

static void
put_slide(deck *d, const char *part)
{
    layout_page page = {.width_pt = d->width, .height_pt = d->height, .source = LAYOUT_TEXT_NATIVE};
    g_autoptr(GError) cause = NULL;
    xmlDoc *tree = layout_package_xml(d->package, part, &cause);
    if (tree == NULL) page.source = LAYOUT_TEXT_NONE, page.failure = cause->message;
    d->page = layout_builder_add_page(d->builder, &page);
    if (tree == NULL) {
        warn_slide(d, cause->message);
        return;
    }
    const gboolean hidden = strcmp(value_of(xmlDocGetRootElement(tree), "show", "1"), "0") == 0;
    if (hidden) warn_slide(d, d->keep_hidden ? "is hidden" : "is hidden: left out");
    if (!hidden || d->keep_hidden) {
        d->relations = layout_package_relations(d->package, part);
        read_ancestors(d);
        put_shapes(d, shapes_of(tree), FALSE, TRUE, NULL);
        put_shapes(d, shapes_of(tree), FALSE, FALSE, NULL);
        put_notes(d);
        put_shapes(d, shapes_of(tree), TRUE, FALSE, NULL);
        g_clear_pointer(&d->layout, xmlFreeDoc);
        g_clear_pointer(&d->master, xmlFreeDoc);
        g_clear_pointer(&d->relations, g_hash_table_unref);
    }
    xmlFreeDoc(tree);
}

static void
read_deck(deck *d, xmlDoc *tree, const char *part, const layout_options *options)
{
    const xmlNode *root = xmlDocGetRootElement(tree), *list = layout_xml_child(root, "sldIdLst");
    const xmlNode *size = layout_xml_child(root, "sldSz");
    g_autoptr(GHashTable) relations = layout_package_relations(d->package, part);
    int n = 0;
    d->width = (float)(g_ascii_strtod(value_of(size, "cx", "0"), NULL) / EMU_PER_PT);
    d->height = (float)(g_ascii_strtod(value_of(size, "cy", "0"), NULL) / EMU_PER_PT);
    if (!(d->width >= 36 && d->width < 14400)) d->width = 720;
    if (!(d->height >= 36 && d->height < 14400)) d->height = 540;
    for (const xmlNode *s = list != NULL ? list->children : NULL; s != NULL && n < MAX_SLIDES;
         s = s->next) {
        const char *slide = NULL;
        if (!layout_html_is(s, "sldId")) continue;
        for (const xmlAttr *a = s->properties; a != NULL && slide == NULL;
             a = a->next) /* "id" and "r:id" */
            if (a->children != NULL && a->children->content != NULL)
                slide = layout_relations_part(relations, (const char *)a->children->content);
        if (slide == NULL) continue;
        put_slide(d, slide);
        n++;
        if (options != NULL && options->cancel != NULL &&
            __atomic_load_n(options->cancel, __ATOMIC_RELAXED) != 0)
            return;
    }
    if (n == 0) layout_reader_add_page(d->builder);
}

layout_sniff
layout_pptx_sniff(const layout_source *source)
{
    return layout_source_zip_lists(source, "ppt/presentation.xml") ? LAYOUT_SNIFF_SURE
                                                                   : LAYOUT_SNIFF_NO;
}

gboolean
layout_pptx_read(const layout_source *source, const layout_options *options,
                 layout_builder *builder, GHashTable *pictures, GError **error)
{
    const char *part = "ppt/presentation.xml";
    g_autoptr(layout_package) package = layout_package_open(source, error);
    xmlDoc *tree = package != NULL ? layout_package_xml(package, part, error) : NULL;
    if (tree == NULL) return FALSE;
    deck d = {.package = package,
              .builder = builder,
              .pictures = pictures,
              .keep_hidden = options != NULL && options->keep_hidden};
    layout_pen_init(&d.pen, builder);
    read_deck(&d, tree, part, options);
    layout_pen_finish(&d.pen);
    xmlFreeDoc(tree);
    if (d.n_charts > 0) {
        g_autofree char *message = g_strdup_printf("%u charts left out", d.n_charts);
        layout_builder_add_warning(builder, LAYOUT_NONE, message);
    }
    layout_package_warn(package, builder);
    layout_package_read_properties(package, builder);
    layout_pen_clear(&d.pen);
    return TRUE;
}

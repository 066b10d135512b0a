/* The body of a JATS article: sections, paragraphs and what stands in them. */
#include "layout/readers/jats.h"
#include "layout/readers/tex.h"

#include <string.h>

#define MAX_LEVEL   6
#define MAX_PICTURE ((gsize)64 << 20)

/* Blocks that may stand inside a paragraph. */
#define INNER_BLOCKS                                                                               \
    " list def-list table-wrap table-wrap-group fig fig-group disp-formula disp-formula-group "    \
    "boxed-text disp-quote code preformat statement verse-group speech supplementary-material "    \
    "media chem-struct-wrap array p sec "

static void block(jats_reader *r, const xmlNode *node, int level);
static void end_paragraph(jats_reader *r, layout_block_type type, int level, const char *marker);

/* ---- formulas ---- */

/* "\documentclass{minimal} ... \begin{document}$$x$$\end{document}" -> "x": what publishers wrap around it. */
static char *
unwrap_tex(const char *tex)
{
    const char *begin = strstr(tex, "\\begin{document}"), *end = strstr(tex, "\\end{document}");
    if (begin != NULL) begin += strlen("\\begin{document}");
    if (begin == NULL) begin = tex;
    if (end == NULL || end < begin) end = begin + strlen(begin);
    g_autofree char *text = g_strstrip(g_strndup(begin, (gsize)(end - begin)));
    static const char *const around[][2] = {
        {"$$", "$$"}, {"$", "$"}, {"\\[", "\\]"}, {"\\(", "\\)"}};
    for (gsize i = 0; i < G_N_ELEMENTS(around); i++) {
        const gsize n = strlen(text), a = strlen(around[i][0]), b = strlen(around[i][1]);
        if (n <= a + b || !g_str_has_prefix(text, around[i][0]) ||
            !g_str_has_suffix(text, around[i][1]))
            continue;
        return g_strstrip(g_strndup(text + a, n - a - b));
    }
    return g_steal_pointer(&text);
}

char *
jats_latex(const xmlNode *formula)
{
    const xmlNode *tex =
        layout_xml_is(formula, "tex-math") ? formula : layout_xml_find(formula, "tex-math");
    if (tex != NULL) {
        g_autofree char *text = layout_xml_text(tex);
        return unwrap_tex(text);
    }
    const xmlNode *math =
        layout_xml_is(formula, "math") ? formula : layout_xml_find(formula, "math");
    return math != NULL ? layout_mathml_to_latex(math) : NULL;
}

/* The label "(3)" -> "3". */
static char *
formula_number(const xmlNode *formula)
{
    g_autofree char *text = layout_xml_clean_text(layout_xml_child(formula, "label"));
    const gsize n = strlen(text);
    if (n == 0) return NULL;
    return n > 2 && text[0] == '(' && text[n - 1] == ')' ? g_strndup(text + 1, n - 2)
                                                         : g_steal_pointer(&text);
}

/* Text of a formula without LaTeX: everything but its label. */
static void
formula_glyphs(jats_reader *r, const xmlNode *formula)
{
    for (const xmlNode *n = formula->children; n != NULL; n = n->next) {
        if (layout_xml_is(n, "label")) continue;
        g_autofree char *text = n->type == XML_ELEMENT_NODE ? layout_xml_text(n)
                                : n->type == XML_TEXT_NODE  ? g_strdup((const char *)n->content)
                                                            : NULL;
        if (text != NULL) layout_pen_text(&r->pen, text, -1);
    }
}

static void
display_formula(jats_reader *r, const xmlNode *formula)
{
    g_autofree char *latex = jats_latex(formula), *number = formula_number(formula);
    if (latex != NULL && *latex != '\0') {
        layout_pen_formula(&r->pen, latex, number);
        return;
    }
    formula_glyphs(r, formula);
    const int index = layout_pen_block(&r->pen, LAYOUT_BLOCK_FORMULA, 0, NULL);
    if (index == LAYOUT_NONE) return;
    const layout_formula item = {.block = index, .number = number, .confidence = 1};
    layout_builder_add_formula(r->pen.builder, &item);
}

static void
inline_formula(jats_reader *r, const xmlNode *formula)
{
    g_autofree char *latex = jats_latex(formula);
    if (latex != NULL)
        layout_pen_math(&r->pen, latex, NULL);
    else
        formula_glyphs(r, formula);
}

/* ---- inline ---- */

static guint
style_of(const xmlNode *node)
{
    static const struct {
        const char *name;
        guint style;
    } styles[] = {{"bold", LAYOUT_SPAN_BOLD},       {"italic", LAYOUT_SPAN_ITALIC},
                  {"sup", LAYOUT_SPAN_SUPERSCRIPT}, {"sub", LAYOUT_SPAN_SUBSCRIPT},
                  {"monospace", LAYOUT_SPAN_MONO},  {"code", LAYOUT_SPAN_MONO},
                  {"strike", LAYOUT_SPAN_STRUCK}};
    for (gsize i = 0; i < G_N_ELEMENTS(styles); i++)
        if (layout_xml_is(node, styles[i].name)) return styles[i].style;
    return 0;
}

static void
inline_link(jats_reader *r, const xmlNode *node)
{
    g_autofree char *href = layout_xml_attribute(node, "href");
    g_autofree char *own = href == NULL ? layout_xml_clean_text(node) : NULL;
    const char *target = href != NULL ? href : own;
    const guint style = r->pen.style;
    const char *before = r->pen.target;
    if (g_str_has_prefix(target, "http://") || g_str_has_prefix(target, "https://")) {
        r->pen.style |= LAYOUT_SPAN_LINK;
        r->pen.target = g_string_chunk_insert(r->pen.strings, target);
    }
    jats_inline(r, node);
    r->pen.style = style;
    r->pen.target = before;
}

static void
inline_reference(jats_reader *r, const xmlNode *node)
{
    g_autofree char *kind = layout_xml_attribute(node, "ref-type");
    g_autofree char *ids = layout_xml_attribute(node, "rid");
    const gsize start = r->pen.text->len;
    jats_inline(r, node);
    if (ids == NULL || kind == NULL || strcmp(kind, "bibr") != 0) return;
    g_auto(GStrv) words = g_strsplit_set(ids, " \t\r\n", -1);
    for (char **word = words; *word != NULL; word++)
        if (**word != '\0' && start < r->pen.text->len) layout_pen_call(&r->pen, start, *word);
}

static void
inline_node(jats_reader *r, const xmlNode *node)
{
    char buffer[8];
    if (node->type == XML_TEXT_NODE || node->type == XML_CDATA_SECTION_NODE)
        layout_pen_text(&r->pen, node->content != NULL ? (const char *)node->content : "", -1);
    else if (node->type == XML_ENTITY_REF_NODE)
        layout_pen_text(&r->pen, layout_xml_entity(node, buffer), -1);
    if (node->type != XML_ELEMENT_NODE) return;
    const guint before = r->pen.style, style = style_of(node);
    if (layout_xml_is(node, "inline-formula") || layout_xml_is_one_of(node, " tex-math math ")) {
        inline_formula(r, node);
    } else if (layout_xml_is_one_of(node, " ext-link uri email self-uri ")) {
        inline_link(r, node);
    } else if (layout_xml_is(node, "xref")) {
        inline_reference(r, node);
    } else if (layout_xml_is(node, "break")) {
        layout_pen_text(&r->pen, " ", 1);
    } else if (layout_xml_is(node, "fn")) {
        g_ptr_array_add(r->notes, (gpointer)node);
        g_autofree char *label = layout_xml_clean_text(layout_xml_child(node, "label"));
        r->pen.style |= LAYOUT_SPAN_SUPERSCRIPT;
        layout_pen_text(&r->pen, label, -1);
        r->pen.style = before;
    } else if (layout_xml_is(node, "alternatives")) {
        if (layout_xml_find(node, "tex-math") != NULL || layout_xml_find(node, "math") != NULL)
            inline_formula(r, node);
    } else if (layout_xml_is_one_of(node, INNER_BLOCKS) && !layout_xml_is(node, "code")) {
        end_paragraph(r, r->paragraph, 0, NULL);
        block(r, node, MAX_LEVEL);
    } else if (!layout_xml_is_one_of(node, " graphic inline-graphic media object-id private-char "
                                           "inline-supplementary-material ") ||
               node->children != NULL) {
        r->pen.style |= style;
        jats_inline(r, node);
        r->pen.style = before;
    }
}

void
jats_inline(jats_reader *r, const xmlNode *node)
{
    for (const xmlNode *n = node->children; n != NULL; n = n->next)
        inline_node(r, n);
}

static void
flat_append(GString *out, const xmlNode *node)
{
    char buffer[8];
    for (const xmlNode *n = node->children; n != NULL; n = n->next) {
        g_autofree char *latex =
            layout_xml_is_one_of(n, " inline-formula disp-formula tex-math math ") ? jats_latex(n)
                                                                                   : NULL;
        if (latex != NULL)
            g_string_append_printf(out, "$%s$", latex);
        else if (n->type == XML_TEXT_NODE || n->type == XML_CDATA_SECTION_NODE)
            g_string_append(out, n->content != NULL ? (const char *)n->content : "");
        else if (n->type == XML_ENTITY_REF_NODE)
            g_string_append(out, layout_xml_entity(n, buffer));
        else if (layout_xml_is_one_of(n, " break p list-item "))
            g_string_append_c(out, ' ');
        if (latex == NULL && n->type == XML_ELEMENT_NODE && !layout_xml_is(n, "fn"))
            flat_append(out, n);
    }
}

char *
jats_flat_text(const xmlNode *node)
{
    g_autoptr(GString) out = g_string_new(NULL);
    flat_append(out, node);
    char *clean = layout_html_clean(out->str);
    return clean != NULL ? clean : g_strdup("");
}

/* ---- footnotes ---- */

static void
write_note(jats_reader *r, const xmlNode *note, int caller)
{
    const layout_block_type outer = r->paragraph;
    r->paragraph = LAYOUT_BLOCK_FOOTNOTE;
    g_autofree char *label = layout_xml_clean_text(layout_xml_child(note, "label"));
    if (*label != '\0') {
        r->pen.style |= LAYOUT_SPAN_SUPERSCRIPT;
        layout_pen_text(&r->pen, label, -1);
        r->pen.style &= ~(guint)LAYOUT_SPAN_SUPERSCRIPT;
        layout_pen_text(&r->pen, " ", 1);
    }
    for (const xmlNode *n = note->children; n != NULL; n = n->next) {
        if (layout_xml_is(n, "label")) continue;
        if (layout_xml_is(n, "p")) /* all of them make one note */
            jats_inline(r, n);
        else
            inline_node(r, n);
        layout_pen_text(&r->pen, " ", 1);
    }
    const int index = layout_pen_block(&r->pen, LAYOUT_BLOCK_FOOTNOTE, 0, NULL);
    if (index != LAYOUT_NONE) layout_builder_block(r->pen.builder, index)->parent = caller;
    r->paragraph = outer;
}

/* Ends the paragraph in hand; its footnotes follow it. */
static void
end_paragraph(jats_reader *r, layout_block_type type, int level, const char *marker)
{
    const int index = layout_pen_block(&r->pen, type, level, marker);
    if (r->notes->len == 0 || type == LAYOUT_BLOCK_FOOTNOTE) return;
    g_autoptr(GPtrArray) notes = r->notes;
    r->notes = g_ptr_array_new();
    for (guint i = 0; i < notes->len; i++)
        write_note(r, notes->pdata[i], index);
}

/* ---- blocks ---- */

void
jats_heading(jats_reader *r, const xmlNode *label, const xmlNode *title, const char *otherwise,
             int level)
{
    if (label != NULL) {
        jats_inline(r, label);
        layout_pen_text(&r->pen, " ", 1);
    }
    if (title != NULL) jats_inline(r, title);
    if (r->pen.text->len == 0 && otherwise != NULL) layout_pen_text(&r->pen, otherwise, -1);
    end_paragraph(r, LAYOUT_BLOCK_HEADING, CLAMP(level, 1, MAX_LEVEL), NULL);
}

/* "2.", "b.", "iv." as the list's type has it; an item's own label goes first. */
static char *
item_marker(const char *type, const xmlNode *item, guint n)
{
    g_autofree char *label = layout_xml_clean_text(layout_xml_child(item, "label"));
    if (*label != '\0' && strlen(label) < 12) return g_steal_pointer(&label);
    if (type == NULL || strcmp(type, "bullet") == 0 || strcmp(type, "simple") == 0)
        return g_strdup("-");
    if (g_str_has_prefix(type, "alpha") && n <= 26)
        return g_strdup_printf("%c.", (g_str_has_suffix(type, "upper") ? '@' : '`') + (int)n);
    return g_strdup_printf("%u.", n);
}

static void
write_list(jats_reader *r, const xmlNode *list)
{
    g_autofree char *type = layout_xml_attribute(list, "list-type");
    const layout_block_type outer = r->paragraph;
    guint n_items = 0;
    r->list_depth++;
    for (const xmlNode *item = list->children; item != NULL; item = item->next) {
        if (!layout_xml_is(item, "list-item")) continue;
        g_autofree char *marker = item_marker(type, item, ++n_items);
        for (const xmlNode *n = item->children; n != NULL; n = n->next) {
            if (layout_xml_is(n, "label")) continue;
            if (layout_xml_is(n, "list")) {
                end_paragraph(r, LAYOUT_BLOCK_LIST_ITEM, r->list_depth, marker);
                write_list(r, n);
                continue;
            }
            if (layout_xml_is(n, "p")) { /* a list inside of a paragraph ends the item's text */
                for (const xmlNode *k = n->children; k != NULL; k = k->next) {
                    if (layout_xml_is_one_of(k, INNER_BLOCKS))
                        end_paragraph(r, LAYOUT_BLOCK_LIST_ITEM, r->list_depth, marker);
                    inline_node(r, k);
                }
                layout_pen_text(&r->pen, " ", 1);
            } else if (n->type == XML_ELEMENT_NODE) {
                end_paragraph(r, LAYOUT_BLOCK_LIST_ITEM, r->list_depth, marker);
                block(r, n, MAX_LEVEL);
            }
        }
        end_paragraph(r, LAYOUT_BLOCK_LIST_ITEM, r->list_depth, marker);
    }
    r->list_depth--;
    r->paragraph = outer;
}

static void
write_definitions(jats_reader *r, const xmlNode *list)
{
    for (const xmlNode *item = list->children; item != NULL; item = item->next) {
        if (layout_xml_is(item, "title")) {
            jats_inline(r, item);
            end_paragraph(r, r->paragraph, 0, NULL);
        }
        if (!layout_xml_is(item, "def-item")) continue;
        const xmlNode *term = layout_xml_child(item, "term");
        if (term != NULL) {
            r->pen.style |= LAYOUT_SPAN_BOLD;
            jats_inline(r, term);
            r->pen.style &= ~(guint)LAYOUT_SPAN_BOLD;
            layout_pen_text(&r->pen, ": ", 2);
        }
        for (const xmlNode *n = layout_xml_child(item, "def"); n != NULL; n = n->next) {
            if (!layout_xml_is(n, "def")) continue;
            for (const xmlNode *p = n->children; p != NULL; p = p->next) {
                if (layout_xml_is(p, "p"))
                    jats_inline(r, p);
                else
                    inline_node(r, p);
                layout_pen_text(&r->pen, " ", 1);
            }
        }
        end_paragraph(r, LAYOUT_BLOCK_LIST_ITEM, 1, "-");
    }
}

/* The picture's name in the document, NULL where there is none beside the file. */
static char *
take_picture(jats_reader *r, const xmlNode *figure)
{
    static const char *const endings[] = {"", ".jpg", ".png", ".jpeg", ".gif", ".tif", ".svg"};
    const xmlNode *graphic = layout_xml_find(figure, "graphic");
    g_autofree char *href = layout_xml_attribute(graphic, "href");
    if (href == NULL || *href == '\0' || strstr(href, "://") != NULL) return NULL;
    for (gsize i = 0; i < G_N_ELEMENTS(endings); i++) {
        g_autofree char *name = g_strconcat(href, endings[i], NULL);
        const char *dot = strrchr(name, '.');
        if (dot == NULL || strlen(dot) > 5 || strlen(dot) < 4) continue;
        GBytes *bytes = layout_source_beside(r->source, name, MAX_PICTURE, NULL);
        if (bytes == NULL) continue;
        g_autofree char *ending = g_ascii_strdown(dot, -1);
        char *made = g_strdup_printf("figure-%u%s", r->n_figures, ending);
        if (r->pictures != NULL)
            g_hash_table_insert(r->pictures, g_strdup(made), bytes);
        else
            g_bytes_unref(bytes);
        return made;
    }
    return NULL;
}

/* "Figure 1: What is seen." into the open block; the label. Free with g_free. */
static char *
open_caption(jats_reader *r, const xmlNode *owner)
{
    const xmlNode *label = layout_xml_child(owner, "label"),
                  *caption = layout_xml_child(owner, "caption");
    char *text = layout_xml_clean_text(label);
    gsize n = strlen(text);
    while (n > 0 && strchr(".: ", text[n - 1]) != NULL)
        text[--n] = '\0';
    if (n > 0) {
        layout_pen_text(&r->pen, text, -1);
        if (caption != NULL) layout_pen_text(&r->pen, ": ", 2);
    }
    for (const xmlNode *c = caption != NULL ? caption->children : NULL; c != NULL; c = c->next) {
        if (c->type != XML_ELEMENT_NODE) continue;
        jats_inline(r, c);
        layout_pen_text(&r->pen, " ", 1);
    }
    if (n > 0) return text;
    g_free(text);
    return NULL;
}

static void
write_figure(jats_reader *r, const xmlNode *figure)
{
    r->n_figures++;
    g_autofree char *image = take_picture(r, figure);
    g_autofree char *label = open_caption(r, figure);
    const xmlNode *alt = layout_xml_find(figure, "alt-text");
    g_autofree char *inner = alt != NULL ? layout_xml_clean_text(alt) : NULL;
    layout_pen_figure(&r->pen, label, image, inner != NULL && *inner != '\0' ? inner : NULL);
}

static void
write_code(jats_reader *r, const xmlNode *code)
{
    g_autofree char *text = layout_xml_text(code);
    layout_pen_code(&r->pen, text);
}

/* What has a caption or title and blocks inside: a box, a theorem, a quotation, a supplement. */
static void
write_box(jats_reader *r, const xmlNode *box, int level)
{
    const xmlNode *title = layout_xml_child(box, "title"), *label = layout_xml_child(box, "label");
    const xmlNode *caption = layout_xml_child(box, "caption");
    if (title == NULL && caption != NULL) title = layout_xml_child(caption, "title");
    if (title != NULL || label != NULL) {
        r->pen.style |= LAYOUT_SPAN_BOLD;
        if (label != NULL) jats_inline(r, label);
        if (label != NULL && title != NULL) layout_pen_text(&r->pen, " ", 1);
        if (title != NULL) jats_inline(r, title);
        r->pen.style &= ~(guint)LAYOUT_SPAN_BOLD;
        end_paragraph(r, r->paragraph, 0, NULL);
    }
    for (const xmlNode *n = caption != NULL ? caption->children : NULL; n != NULL; n = n->next)
        if (layout_xml_is(n, "p")) block(r, n, level);
    jats_blocks(r, box, level);
}

static void
block(jats_reader *r, const xmlNode *node, int level)
{
    if (layout_xml_is_one_of(node, " p attrib verse-line ")) {
        jats_inline(r, node);
        end_paragraph(r, r->paragraph, 0, NULL);
    } else if (layout_xml_is_one_of(node, " sec app ack glossary notes bio ")) {
        jats_heading(r, layout_xml_child(node, "label"), layout_xml_child(node, "title"),
                     layout_xml_is(node, "ack") ? "Acknowledgements" : NULL, level);
        jats_blocks(r, node, level + 1);
    } else if (layout_xml_is(node, "list")) {
        write_list(r, node);
    } else if (layout_xml_is(node, "def-list")) {
        write_definitions(r, node);
    } else if (layout_xml_is(node, "disp-formula")) {
        display_formula(r, node);
    } else if (layout_xml_is_one_of(node, " table-wrap array ")) {
        r->pen.style = 0;
        g_free(open_caption(r, node));
        jats_table_wrap(r, node);
    } else if (layout_xml_is(node, "fig")) {
        write_figure(r, node);
    } else if (layout_xml_is_one_of(node, " code preformat ")) {
        write_code(r, node);
    } else if (layout_xml_is(node, "ref-list")) {
        jats_ref_list(r, node, level);
    } else if (layout_xml_is(node, "fn")) {
        write_note(r, node, LAYOUT_NONE);
    } else if (layout_xml_is_one_of(node, " boxed-text statement disp-quote verse-group speech "
                                          "supplementary-material fn-group ")) {
        write_box(r, node, level);
    } else if (layout_xml_is_one_of(node, " app-group fig-group table-wrap-group floats-group "
                                          "disp-formula-group ")) {
        jats_blocks(r, node, level);
    }
}

void
jats_blocks(jats_reader *r, const xmlNode *node, int level)
{
    for (const xmlNode *n = node->children; n != NULL; n = n->next)
        if (n->type == XML_ELEMENT_NODE && !layout_xml_is_one_of(n, " title label caption "))
            block(r, n, level);
}

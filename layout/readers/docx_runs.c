/* The inline content of Word's paragraphs: runs, links, fields, formulas, notes, pictures (ISO/IEC 29500-1, 17.3 and
 * 17.16).
 *
 * What was inserted as a tracked change is kept, what was deleted left out. Fields show their result; those of tables
 * of contents and indexes show nothing. Text boxes and pictures wait until the paragraph is written. */
#include "layout/readers/docx.h"
#include "layout/readers/tex.h"

#include <string.h>

#define MAX_DEPTH  64
#define MAX_FIELDS 256
#define EMU_PER_PT 12700.0F
#define MAX_PAGES  100000

static void put_inline(docx *d, const xmlNode *node, guint flags);

/* ---- pages ---- */

void
docx_page_break(docx *d)
{
    if (!d->has_pages || d->n_pages >= MAX_PAGES) return;
    const layout_page page = {
        .width_pt = d->page_width, .height_pt = d->page_height, .source = LAYOUT_TEXT_NATIVE};
    layout_builder_add_page(d->builder, &page);
    const layout_box box = {d->n_pages++, {0, 0, d->page_width, d->page_height}};
    if (d->pen.text->len <= d->prefix)
        layout_pen_place(&d->pen, &box);
    else
        layout_pen_move(&d->pen, &box);
}

/* ---- text ---- */

static void
put_text(docx *d, const char *text, guint flags, gboolean is_hidden)
{
    if (d->n_skipped > 0) return;
    if (is_hidden && !d->keep_hidden) {
        g_string_append(d->hidden, text);
        return;
    }
    d->pen.style = flags | (d->pen.target != NULL ? LAYOUT_SPAN_LINK : 0);
    layout_pen_text(&d->pen, text, -1);
    d->pen.style = 0;
}

static void
put_node_text(docx *d, const xmlNode *node, guint flags, gboolean is_hidden)
{
    for (const xmlNode *n = node->children; n != NULL; n = n->next)
        if (n->content != NULL) put_text(d, (const char *)n->content, flags, is_hidden);
}

/* Letters of the Symbol font by their place in it; others as Unicode has them. */
static void
put_symbol(docx *d, const xmlNode *node, guint flags, gboolean is_hidden)
{
    static const gunichar greek[] = {0x391, 0x392, 0x3A7, 0x394, 0x395, 0x3A6, 0x393, 0x397, 0x399,
                                     0x3D1, 0x39A, 0x39B, 0x39C, 0x39D, 0x39F, 0x3A0, 0x398, 0x3A1,
                                     0x3A3, 0x3A4, 0x3A5, 0x3C2, 0x3A9, 0x39E, 0x3A8, 0x396};
    static const gunichar small[] = {0x3B1, 0x3B2, 0x3C7, 0x3B4, 0x3B5, 0x3D5, 0x3B3, 0x3B7, 0x3B9,
                                     0x3C6, 0x3BA, 0x3BB, 0x3BC, 0x3BD, 0x3BF, 0x3C0, 0x3B8, 0x3C1,
                                     0x3C3, 0x3C4, 0x3C5, 0x3D6, 0x3C9, 0x3BE, 0x3C8, 0x3B6};
    static const struct {
        guint64 code;
        gunichar sign;
    } signs[] = {{0xA3, 0x2264}, {0xA5, 0x221E}, {0xAE, 0x2192}, {0xB3, 0x2265},
                 {0xB4, 0xD7},   {0xB9, 0x2260}, {0xBB, 0x2248}, {0xCE, 0x2208}};
    const char *font = layout_html_attribute(node, "font"),
               *code = layout_html_attribute(node, "char");
    guint64 ch = code != NULL ? g_ascii_strtoull(code, NULL, 16) : 0;
    char text[8] = {0};
    if (ch >= 0xF000 && ch <= 0xF0FF) ch -= 0xF000;
    if (g_strcmp0(font, "Symbol") == 0) {
        if (ch >= 'A' && ch <= 'Z') ch = greek[ch - 'A'];
        if (ch >= 'a' && ch <= 'z') ch = small[ch - 'a'];
        for (guint i = 0; i < G_N_ELEMENTS(signs); i++)
            if (signs[i].code == ch) {
                ch = signs[i].sign;
                break;
            }
    } else if (font != NULL && g_str_has_prefix(font, "Wingdings")) {
        ch = ch == 0xFC ? 0x2713 : ch == 0xE0 ? 0x2192 : 0x25A1;
    }
    if (ch < 0x20 || !g_unichar_validate((gunichar)ch)) return;
    g_unichar_to_utf8((gunichar)ch, text);
    put_text(d, text, flags, is_hidden);
}

/* ---- fields ---- */

static gboolean
starts_with_word(const char *text, const char *word)
{
    while (*text == ' ')
        text++;
    const gsize n = strlen(word);
    return g_ascii_strncasecmp(text, word, n) == 0 && !g_ascii_isalnum(text[n]);
}

/* HYPERLINK "address" */
static const char *
field_link(docx *d, const char *instruction)
{
    if (!starts_with_word(instruction, "HYPERLINK")) return NULL;
    const char *open = strchr(instruction, '"'),
               *close = open != NULL ? strchr(open + 1, '"') : NULL;
    if (close == NULL || strstr(instruction, "\\l \"") == open - 3) return NULL;
    g_autofree char *address = g_strndup(open + 1, (gsize)(close - open - 1));
    if (!g_str_has_prefix(address, "http") && !g_str_has_prefix(address, "mailto:")) return NULL;
    return g_utf8_validate(address, -1, NULL) ? g_string_chunk_insert_const(d->pen.strings, address)
                                              : NULL;
}

static gboolean
is_skipped(const char *instruction)
{
    return starts_with_word(instruction, "TOC") || starts_with_word(instruction, "INDEX") ||
           starts_with_word(instruction, "XE") || starts_with_word(instruction, "TA");
}

static docx_field *
last_field(docx *d)
{
    return d->fields->len > 0 ? &g_array_index(d->fields, docx_field, d->fields->len - 1) : NULL;
}

static void
field_end(docx *d)
{
    docx_field *field = last_field(d);
    if (field == NULL) return;
    if (field->skipped) d->n_skipped--;
    d->pen.target = field->target;
    g_free(field->instruction);
    g_array_set_size(d->fields, d->fields->len - 1);
}

void
docx_fields_clear(docx *d)
{
    while (d->fields->len > 0)
        field_end(d);
}

static void
put_field_mark(docx *d, const xmlNode *node)
{
    const char *kind = layout_html_attribute(node, "fldCharType");
    docx_field *field = last_field(d);
    if (g_strcmp0(kind, "begin") == 0 && d->fields->len < MAX_FIELDS) {
        const docx_field begun = {.instruction = g_strdup(""), .target = d->pen.target};
        g_array_append_val(d->fields, begun);
    } else if (g_strcmp0(kind, "separate") == 0 && field != NULL && !field->in_result) {
        field->in_result = TRUE;
        field->skipped = is_skipped(field->instruction);
        if (field->skipped) d->n_skipped++;
        if (starts_with_word(field->instruction, "SEQ")) d->has_sequence = TRUE;
        const char *link = field_link(d, field->instruction);
        if (link != NULL) d->pen.target = link;
    } else if (g_strcmp0(kind, "end") == 0) {
        field_end(d);
    }
}

static void
put_instruction(docx *d, const xmlNode *node)
{
    docx_field *field = last_field(d);
    if (field == NULL || field->in_result || strlen(field->instruction) > 4096) return;
    g_autofree char *text = layout_html_text(node), *before = field->instruction;
    field->instruction = g_strconcat(before, text, NULL);
}

static gboolean
in_instruction(const docx *d)
{
    return d->fields->len > 0 &&
           !g_array_index(d->fields, docx_field, d->fields->len - 1).in_result;
}

/* ---- pictures and text boxes ---- */

static const xmlNode *
find_below(const xmlNode *node, const char *names, guint depth)
{
    for (const xmlNode *n = depth < MAX_DEPTH ? node->children : NULL; n != NULL; n = n->next) {
        if (n->type != XML_ELEMENT_NODE) continue;
        if (layout_html_is_one_of(n, names)) return n;
        const xmlNode *found = find_below(n, names, depth + 1);
        if (found != NULL) return found;
    }
    return NULL;
}

gboolean
docx_has_picture(const xmlNode *node)
{
    return find_below(node, " blip imagedata chart ", 0) != NULL;
}

gboolean
docx_has_sequence(const xmlNode *node, guint depth)
{
    for (const xmlNode *n = depth < MAX_DEPTH ? node->children : NULL; n != NULL; n = n->next) {
        if (n->type != XML_ELEMENT_NODE) continue;
        const char *instruction =
            layout_html_is(n, "fldSimple") ? layout_html_attribute(n, "instr") : NULL;
        if (instruction != NULL && starts_with_word(instruction, "SEQ")) return TRUE;
        if (layout_html_is(n, "instrText")) {
            g_autofree char *text = layout_html_text(n);
            if (starts_with_word(text, "SEQ")) return TRUE;
        }
        if (docx_has_sequence(n, depth + 1)) return TRUE;
    }
    return FALSE;
}

static float
points(const xmlNode *node, const char *name)
{
    const char *value = node != NULL ? layout_html_attribute(node, name) : NULL;
    return value != NULL ? (float)g_ascii_strtod(value, NULL) / EMU_PER_PT : 0;
}

static void
take_picture(docx *d, const xmlNode *drawing)
{
    const xmlNode *blip = find_below(drawing, " blip imagedata chart ", 0);
    const xmlNode *about = find_below(drawing, " docPr ", 0),
                  *extent = find_below(drawing, " extent ", 0);
    if (blip == NULL) return;
    const char *id = layout_html_attribute(blip, "embed");
    if (id == NULL) id = layout_html_attribute(blip, "id");
    const char *part = layout_relations_part(d->relations, id);
    const char *alt = about != NULL ? layout_html_attribute(about, "descr") : NULL;
    const gboolean is_chart = layout_html_is(blip, "chart");
    if (is_chart && part == NULL) d->n_charts++;
    docx_picture picture = {
        .image = part != NULL && !is_chart ? layout_package_picture(d->package, part, d->pictures)
                                           : NULL,
        .chart = part != NULL && is_chart ? g_string_chunk_insert(d->pen.strings, part) : NULL,
        .width_pt = points(extent, "cx"),
        .height_pt = points(extent, "cy")};
    g_autofree char *words = layout_package_picture_words(d->package, part, alt);
    if (words != NULL) picture.inner_text = g_string_chunk_insert(d->pen.strings, words);
    /* lines and bullets drawn as pictures */
    if (picture.image == NULL && picture.inner_text == NULL && picture.chart == NULL) return;
    if (extent != NULL && (picture.width_pt < 12 || picture.height_pt < 12)) return;
    g_array_append_val(d->waiting, picture);
}

/* A drawing may hold pictures, text boxes and charts; one in a text box belongs to it. */
static void
take_drawing(docx *d, const xmlNode *drawing)
{
    if (d->n_skipped > 0) return;
    const xmlNode *text = find_below(drawing, " txbxContent ", 0);
    if (text != NULL)
        g_ptr_array_add(d->boxes, (gpointer)text);
    else
        take_picture(d, drawing);
}

/* ---- runs ---- */

static void
take_note(docx *d, const xmlNode *node, guint flags)
{
    const gboolean end = layout_html_is(node, "endnoteReference");
    const char *id = layout_html_attribute(node, "id");
    xmlDoc *tree = end ? d->endnotes : d->footnotes;
    const xmlNode *root = tree != NULL && id != NULL ? xmlDocGetRootElement(tree) : NULL;
    for (const xmlNode *n = root != NULL ? root->children : NULL; n != NULL; n = n->next) {
        if (!layout_html_is_one_of(n, " footnote endnote ")) continue;
        if (g_strcmp0(layout_html_attribute(n, "id"), id) != 0) continue;
        char mark[16];
        g_snprintf(mark, sizeof mark, "%u", d->n_notes + d->notes->len + 1);
        put_text(d, mark, (flags & ~(guint)LAYOUT_SPAN_SUBSCRIPT) | LAYOUT_SPAN_SUPERSCRIPT, FALSE);
        g_ptr_array_add(d->notes, (gpointer)n);
        return;
    }
}

static void put_run(docx *d, const xmlNode *run, guint flags);

static void
put_run_part(docx *d, const xmlNode *n, guint flags, gboolean is_hidden)
{
    if (layout_html_is_one_of(n, " fldChar "))
        put_field_mark(d, n);
    else if (layout_html_is(n, "instrText"))
        put_instruction(d, n);
    else if (layout_html_is(n, "lastRenderedPageBreak"))
        docx_page_break(d);
    else if (in_instruction(d))
        return;
    else if (layout_html_is(n, "t"))
        put_node_text(d, n, flags, is_hidden);
    else if (layout_html_is_one_of(n, " tab cr ptab "))
        put_text(d, " ", flags, is_hidden);
    else if (layout_html_is(n, "br"))
        put_text(d, " ", flags, is_hidden);
    else if (layout_html_is(n, "noBreakHyphen"))
        put_text(d, "-", flags, is_hidden);
    else if (layout_html_is(n, "sym"))
        put_symbol(d, n, flags, is_hidden);
    else if (layout_html_is_one_of(n, " footnoteReference endnoteReference "))
        take_note(d, n, flags);
    else if (layout_html_is_one_of(n, " drawing pict object "))
        take_drawing(d, n);
    else if (layout_html_is(n, "commentReference"))
        d->n_comments++;
    else if (layout_html_is(n, "ruby")) {
        const xmlNode *base = layout_xml_child(n, "rubyBase");
        for (const xmlNode *r = base != NULL ? base->children : NULL; r != NULL; r = r->next)
            if (layout_html_is(r, "r")) put_run(d, r, flags);
    } else if (layout_html_is(n, "AlternateContent")) {
        const xmlNode *choice = layout_xml_child(n, "Choice");
        if (choice == NULL) choice = layout_xml_child(n, "Fallback");
        for (const xmlNode *c = choice != NULL ? choice->children : NULL; c != NULL; c = c->next)
            if (c->type == XML_ELEMENT_NODE) put_run_part(d, c, flags, is_hidden);
    }
}

static void
put_run(docx *d, const xmlNode *run, guint flags)
{
    gboolean is_hidden = FALSE;
    if (d->depth >= MAX_DEPTH) return;
    d->depth++;
    const xmlNode *properties = layout_xml_child(run, "rPr");
    const char *style = docx_value(properties, "rStyle");
    if (style != NULL) {
        const docx_style own = docx_styles_lookup(d->styles, style);
        flags |= own.flags;
        is_hidden = own.is_hidden;
    }
    flags = docx_run_flags(properties, flags, &is_hidden);
    for (const xmlNode *n = run->children; n != NULL; n = n->next)
        if (n->type == XML_ELEMENT_NODE) put_run_part(d, n, flags, is_hidden);
    d->depth--;
}

/* ---- what holds runs ---- */

static void
put_children(docx *d, const xmlNode *node, guint flags)
{
    for (const xmlNode *n = node->children; n != NULL; n = n->next)
        if (n->type == XML_ELEMENT_NODE) put_inline(d, n, flags);
}

static void
put_link(docx *d, const xmlNode *node, guint flags)
{
    const char *outer = d->pen.target, *id = layout_html_attribute(node, "id");
    const layout_relation *relation = id != NULL ? g_hash_table_lookup(d->relations, id) : NULL;
    if (relation != NULL && relation->external && g_utf8_validate(relation->target, -1, NULL) &&
        (g_str_has_prefix(relation->target, "http") ||
         g_str_has_prefix(relation->target, "mailto:")))
        d->pen.target = g_string_chunk_insert_const(d->pen.strings, relation->target);
    put_children(d, node, flags & ~(guint)LAYOUT_SPAN_LINK);
    d->pen.target = outer;
}

static void
put_simple_field(docx *d, const xmlNode *node, guint flags)
{
    const char *instruction = layout_html_attribute(node, "instr");
    if (instruction != NULL && is_skipped(instruction)) return;
    if (instruction != NULL && starts_with_word(instruction, "SEQ")) d->has_sequence = TRUE;
    const char *outer = d->pen.target,
               *link = instruction != NULL ? field_link(d, instruction) : NULL;
    if (link != NULL) d->pen.target = link;
    put_children(d, node, flags);
    d->pen.target = outer;
}

static void
put_math(docx *d, const xmlNode *node)
{
    if (d->n_skipped > 0 || in_instruction(d)) return;
    g_autofree char *latex = layout_omml_to_latex(node, NULL);
    if (latex != NULL) layout_pen_math(&d->pen, latex, NULL);
}

static void
put_inline(docx *d, const xmlNode *node, guint flags)
{
    if (d->depth >= MAX_DEPTH) return;
    d->depth++;
    if (layout_html_is(node, "r"))
        put_run(d, node, flags);
    else if (layout_html_is(node, "hyperlink"))
        put_link(d, node, flags);
    else if (layout_html_is(node, "fldSimple"))
        put_simple_field(d, node, flags);
    else if (layout_html_is(node, "oMath"))
        put_math(d, node);
    else if (layout_html_is_one_of(node, " del moveFrom "))
        d->n_deleted++;
    else if (layout_html_is(node, "AlternateContent")) {
        const xmlNode *choice = layout_xml_child(node, "Choice");
        if (choice == NULL) choice = layout_xml_child(node, "Fallback");
        if (choice != NULL) put_children(d, choice, flags);
    } else if (!layout_html_is_one_of(node, " pPr sdtPr sdtEndPr rPr bookmarkStart bookmarkEnd "))
        put_children(d, node, flags);
    d->depth--;
}

void
docx_inline(docx *d, const xmlNode *paragraph, guint flags)
{
    put_children(d, paragraph, flags);
}

const xmlNode *
docx_only_formula(const xmlNode *paragraph)
{
    const xmlNode *found = NULL;
    for (const xmlNode *n = paragraph->children; n != NULL; n = n->next) {
        if (layout_html_is_one_of(n, " pPr bookmarkStart bookmarkEnd proofErr ")) continue;
        if (n->type != XML_ELEMENT_NODE) continue;
        if (layout_html_is_one_of(n, " oMath oMathPara ")) {
            if (found != NULL) return NULL;
            found = n;
            continue;
        }
        g_autofree char *text = layout_html_text(n);
        if (*text != '\0' || docx_has_picture(n)) return NULL;
    }
    return found;
}

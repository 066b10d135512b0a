/* The main element of a page -> blocks.
 *
 * One walk in document order. Inline content collects in the open block with its styles as spans; whatever
 * is a block closes it. Headings wait until something follows them, so that one whose section was left out
 * ("Related articles") goes with it. A <br> is a blank, two are a new paragraph. Paragraphs inside a list
 * item belong to the item. */
#include "layout/readers/html_emit.h"
#include "layout/readers/pen.h"
#include "layout/readers/tex.h"

#include <libxml/uri.h>
#include <stdlib.h>
#include <string.h>

#define MAX_REFERENCE_KEY 999999
#define ENOUGH_BYTES      250

#define PARAGRAPHS                                                                                 \
    " address article aside blockquote body caption center dd details dir div dl dt fieldset "     \
    "figcaption figure footer form h1 h2 h3 h4 h5 h6 header hgroup legend li main menu ol p pre "  \
    "search section summary table tbody td tfoot th thead tr ul "

typedef struct {
    layout_block_type type;
    int level;
    char *text;
    GArray *spans;
} pending_heading;

static void
pending_heading_free(gpointer data)
{
    pending_heading *h = data;
    g_free(h->text);
    g_array_unref(h->spans);
    g_free(h);
}

static void emit_node(layout_html_emitter *e, const xmlNode *node);

void
layout_html_emit_children(layout_html_emitter *e, const xmlNode *node)
{
    for (const xmlNode *n = node->children; n; n = n->next)
        emit_node(e, n);
}

/* ---- the open block ---- */

static void
add_text(layout_html_emitter *e, const char *text)
{
    g_autofree char *normal = layout_html_normalize(text);
    gsize start = e->text->len;

    layout_html_append_collapsed(e->text, normal);
    gsize len = e->text->len - start;
    if (len == 0 || e->text->len > G_MAXINT32) return;
    if (len > 1 || e->text->str[start] != ' ') e->after_br = FALSE;
    if (e->style == 0) return;
    layout_span *last =
        e->spans->len > 0 ? &g_array_index(e->spans, layout_span, e->spans->len - 1) : NULL;
    if (last && last->start + last->len == start && last->flags == e->style &&
        g_strcmp0(last->target, e->target) == 0 && !(e->style & LAYOUT_SPAN_MATH)) {
        last->len += (uint32_t)len;
        return;
    }
    layout_span span = {(uint32_t)start, (uint32_t)len, e->style, e->target};
    g_array_append_val(e->spans, span);
}

/* No span begins or ends with a blank, none is empty, none leaves the text. */
static void
trim_spans(GArray *spans, const GString *text)
{
    guint kept = 0;
    for (guint i = 0; i < spans->len; i++) {
        layout_span s = g_array_index(spans, layout_span, i);
        if (s.start >= text->len) continue;
        s.len = (uint32_t)MIN(s.len, text->len - s.start);
        while (s.len > 0 && text->str[s.start] == ' ')
            s.start++, s.len--;
        while (s.len > 0 && text->str[s.start + s.len - 1] == ' ')
            s.len--;
        if (s.len > 0) g_array_index(spans, layout_span, kept++) = s;
    }
    g_array_set_size(spans, kept);
}

static int
add_block(layout_html_emitter *e, layout_block_type type, int level, const char *marker,
          const char *text, const GArray *spans)
{
    layout_block block = {.type = type,
                          .level = level,
                          .text = text,
                          .text_len = (uint32_t)strlen(text),
                          .marker = marker,
                          .parent = LAYOUT_NONE,
                          .item = LAYOUT_NONE,
                          .confidence = 1};
    e->chars += block.text_len;
    return layout_builder_add_block(e->builder, &block, NULL, 0,
                                    spans ? (const layout_span *)(gpointer)spans->data : NULL,
                                    spans ? spans->len : 0, NULL, 0);
}

void
layout_html_emit_headings(layout_html_emitter *e)
{
    for (guint i = 0; i < e->pending->len; i++) {
        const pending_heading *h = e->pending->pdata[i];
        add_block(e, h->type, h->level, NULL, h->text, h->spans);
    }
    g_ptr_array_set_size(e->pending, 0);
}

static gboolean
same_words(const char *a, const char *b)
{
    g_autofree char *fold_a = g_utf8_casefold(a, -1), *fold_b = g_utf8_casefold(b, -1);
    return strcmp(fold_a, fold_b) == 0;
}

static void
hold_heading(layout_html_emitter *e)
{
    if (e->title && same_words(e->text->str, e->title)) {
        e->title = NULL; /* once: a section may be called like the page */
        return;
    }
    /* ranks are chosen for their looks and skip: what counts is which headings a heading stands below */
    while (e->n_ranks > 0 && e->ranks[e->n_ranks - 1] >= e->heading)
        e->n_ranks--;
    e->ranks[e->n_ranks++] = e->heading;
    int level = (int)e->n_ranks + e->how->level;
    /* a heading of the same rank or higher came before anything did: that section is empty */
    while (e->pending->len > 0) {
        const pending_heading *last = e->pending->pdata[e->pending->len - 1];
        if (last->level < level) break;
        g_ptr_array_set_size(e->pending, (int)e->pending->len - 1);
    }
    pending_heading *h = g_new0(pending_heading, 1);
    h->type = LAYOUT_BLOCK_HEADING;
    h->level = level;
    h->text = g_strdup(e->text->str);
    h->spans = g_array_copy(e->spans);
    g_ptr_array_add(e->pending, h);
}

/* ---- references ---- */

static void
take_reference_link(const char *href, layout_reference *reference, GStringChunk *strings)
{
    const char *doi = strstr(href, "doi.org/10."), *arxiv = strstr(href, "arxiv.org/abs/");
    if (doi && !reference->doi) {
        g_autofree char *id = g_uri_unescape_string(doi + strlen("doi.org/"), NULL);
        if (id && g_utf8_validate(id, -1, NULL))
            reference->doi = g_string_chunk_insert(strings, id);
    } else if (arxiv && !reference->arxiv) {
        reference->arxiv = g_string_chunk_insert(strings, arxiv + strlen("arxiv.org/abs/"));
    } else if (!reference->url) {
        reference->url = g_string_chunk_insert(strings, href);
    }
}

/* An entry of a bibliography; what its links say goes into the reference. */
static void
write_reference(layout_html_emitter *e)
{
    layout_reference reference = {0};
    char key[16];

    layout_html_emit_headings(e);
    e->n_references = MIN(e->n_references + 1, MAX_REFERENCE_KEY);
    g_snprintf(key, sizeof key, "%u", e->n_references);
    g_autofree char *marker = g_strdup_printf("[%s]", key);
    for (guint i = 0; i < e->spans->len; i++) {
        const layout_span *s = &g_array_index(e->spans, layout_span, i);
        if ((s->flags & LAYOUT_SPAN_LINK) && s->target)
            take_reference_link(s->target, &reference, e->strings);
    }
    reference.key = key;
    reference.block = add_block(e, LAYOUT_BLOCK_REFERENCE, 0, marker, e->text->str, e->spans);
    layout_builder_add_reference(e->builder, &reference, NULL, 0);
}

void
layout_html_emit_flush(layout_html_emitter *e)
{
    while (e->text->len > 0 && e->text->str[e->text->len - 1] == ' ')
        g_string_truncate(e->text, e->text->len - 1);
    e->after_br = FALSE;
    if (e->text->len > 0) {
        trim_spans(e->spans, e->text);
        if (e->heading > 0) {
            hold_heading(e);
        } else if (e->item_open && e->type == LAYOUT_BLOCK_REFERENCE) {
            write_reference(e);
            e->item_open = FALSE;
        } else if (e->item_open) {
            layout_html_emit_headings(e);
            add_block(e, LAYOUT_BLOCK_LIST_ITEM, MAX(e->list_depth, 1), e->marker, e->text->str,
                      e->spans);
            e->item_open = FALSE;
        } else {
            layout_html_emit_headings(e);
            layout_block_type type =
                e->type == LAYOUT_BLOCK_REFERENCE ? LAYOUT_BLOCK_PARAGRAPH : e->type;
            add_block(e, type, 0, NULL, e->text->str, e->spans);
        }
    }
    g_string_truncate(e->text, 0);
    g_array_set_size(e->spans, 0);
}

/* ---- inline ---- */

/* Absolute form of a link to the web; NULL for anything else. Lent by e->strings. */
static const char *
resolve_link(layout_html_emitter *e, const char *href)
{
    g_autofree char *trimmed = g_strstrip(g_strdup(href));
    if (!*trimmed || *trimmed == '#' || strlen(trimmed) > 4096) return NULL;
    g_autofree char *escaped = g_uri_escape_string(trimmed, ":/?#[]@!$&'()*+,;=%", FALSE);
    xmlChar *full = e->base_url
                        ? xmlBuildURI((const xmlChar *)escaped, (const xmlChar *)e->base_url)
                        : xmlStrdup((const xmlChar *)escaped);
    const char *result = NULL;
    if (full &&
        (g_ascii_strncasecmp((const char *)full, "http://", 7) == 0 ||
         g_ascii_strncasecmp((const char *)full, "https://", 8) == 0) &&
        g_utf8_validate((const char *)full, -1, NULL))
        result = g_string_chunk_insert_const(e->strings, (const char *)full);
    free(full); /* xmlFree is a variable: it would bind the program to libxml2 from its start */
    return result;
}

static guint
style_of(const xmlNode *node)
{
    if (layout_html_is_one_of(node, " b strong ")) return LAYOUT_SPAN_BOLD;
    if (layout_html_is_one_of(node, " i em cite var dfn ")) return LAYOUT_SPAN_ITALIC;
    if (layout_html_is_one_of(node, " code tt kbd samp ")) return LAYOUT_SPAN_MONO;
    if (layout_html_is_one_of(node, " del s strike ")) return LAYOUT_SPAN_STRUCK;
    if (layout_html_is(node, "sup")) return LAYOUT_SPAN_SUPERSCRIPT;
    if (layout_html_is(node, "sub")) return LAYOUT_SPAN_SUBSCRIPT;
    return 0;
}

static void
emit_inline(layout_html_emitter *e, const xmlNode *node)
{
    guint style = e->style;
    const char *target = e->target;

    e->style |= style_of(node);
    if (layout_html_is(node, "a")) {
        const char *href = layout_html_attribute(node, "href");
        const char *link = href ? resolve_link(e, href) : NULL;
        if (link) e->style |= LAYOUT_SPAN_LINK, e->target = link;
        /* where a note is called, raised or not in this file's style sheet */
        if (g_strcmp0(layout_html_attribute(node, "epub:type"), "noteref") == 0 ||
            g_strcmp0(layout_html_attribute(node, "role"), "doc-noteref") == 0)
            e->style |= LAYOUT_SPAN_SUPERSCRIPT;
    }
    gboolean quote = layout_html_is(node, "q");
    if (quote) add_text(e, "\342\200\234");
    layout_html_emit_children(e, node);
    if (quote) add_text(e, "\342\200\235");
    e->style = style;
    e->target = target;
}

static void
emit_br(layout_html_emitter *e)
{
    if (e->after_br && e->heading == 0 && !e->item_open) {
        layout_html_emit_flush(e);
        return;
    }
    add_text(e, " ");
    e->after_br = TRUE;
}

/* ---- formulas ---- */

/* "{\displaystyle x}" -> "x": how MediaWiki wraps every formula */
static char *
unwrap_latex(char *latex)
{
    static const char *const styles[] = {"{\\displaystyle", "{\\textstyle"};
    gsize len = strlen(latex);
    for (gsize i = 0; i < G_N_ELEMENTS(styles); i++) {
        gsize n = strlen(styles[i]);
        if (len <= n || !g_str_has_prefix(latex, styles[i]) || latex[len - 1] != '}') continue;
        char *inner = g_strndup(latex + n, len - n - 1);
        g_free(latex);
        return g_strstrip(inner);
    }
    return latex;
}

static gboolean
is_formula_picture(const xmlNode *node)
{
    const char *class = layout_html_attribute(node, "class");
    return class && layout_html_attribute(node, "alt") &&
           (strstr(class, "math") || strstr(class, "tex") || strstr(class, "latex"));
}

char *
layout_html_math_latex(const xmlNode *node)
{
    g_autofree char *latex = NULL;
    if (layout_html_is(node, "math")) {
        /* what the page says in TeX is better than what we make of the marks */
        const char *alt = layout_html_attribute(node, "alttext");
        latex = layout_mathml_annotation(node);
        if (!latex) latex = layout_html_clean(alt);
        if (!latex) latex = layout_mathml_to_latex(node);
    } else if (layout_html_is(node, "script")) {
        latex = layout_html_clean(node->children ? (const char *)node->children->content : NULL);
    } else if (layout_html_is(node, "img")) {
        if (is_formula_picture(node)) latex = layout_html_clean(layout_html_attribute(node, "alt"));
    }
    return latex ? unwrap_latex(g_steal_pointer(&latex)) : NULL;
}

static gboolean
is_display_math(const xmlNode *node)
{
    const char *display = layout_html_attribute(node, "display"),
               *type = layout_html_attribute(node, "type");
    return (display && g_str_equal(display, "block")) || (type && strstr(type, "mode=display"));
}

static gboolean
is_equation_number(const xmlNode *node)
{
    const char *class =
        layout_html_is_one_of(node, " td span ") ? layout_html_attribute(node, "class") : NULL;
    return class && (strstr(class, "ltx_eqn_eqno") || strstr(class, "ltx_tag_equation"));
}

/* "(3)" of the cell beside a formula -> "3"; NULL where there is none. Free with g_free. */
static char *
equation_number(const xmlNode *math)
{
    const xmlNode *row = math;
    for (int i = 0; row && !layout_html_is(row, "tr") && i < 5; i++)
        row = row->parent;
    for (const xmlNode *n = layout_html_is(row, "tr") ? row->children : NULL; n; n = n->next) {
        if (!is_equation_number(n)) continue;
        g_autofree char *text = layout_html_text(n);
        gsize len = strlen(text);
        if (len > 2 && len < 16 && text[0] == '(' && text[len - 1] == ')')
            return g_strndup(text + 1, len - 2);
    }
    return NULL;
}

static void
emit_math(layout_html_emitter *e, const xmlNode *node)
{
    g_autofree char *latex = layout_html_math_latex(node);
    g_autofree char *glyphs = layout_html_is(node, "math") ? layout_html_text(node) : NULL;
    const char *text = glyphs && *glyphs ? glyphs : latex;

    if (!text) return;
    if (is_display_math(node) && e->heading == 0) {
        layout_html_emit_flush(e);
        layout_html_emit_headings(e);
        g_autofree char *number = equation_number(node);
        layout_formula formula = {.latex = latex, .number = number, .confidence = 1};
        formula.block = add_block(e, LAYOUT_BLOCK_FORMULA, 0, NULL, text, NULL);
        layout_builder_add_formula(e->builder, &formula);
        return;
    }
    guint style = e->style;
    const char *target = e->target;
    e->style = (style & ~(guint)LAYOUT_SPAN_LINK) | LAYOUT_SPAN_MATH;
    e->target = latex ? g_string_chunk_insert(e->strings, latex) : NULL;
    add_text(e, text);
    e->style = style;
    e->target = target;
}

/* ---- code ---- */

static void
gather_code(GString *out, const xmlNode *node)
{
    for (const xmlNode *n = node->children; n; n = n->next) {
        if ((n->type == XML_TEXT_NODE || n->type == XML_CDATA_SECTION_NODE) && n->content) {
            for (const char *p = (const char *)n->content; *p; p = g_utf8_next_char(p)) {
                gunichar c = g_utf8_get_char(p);
                if (c == '\r') continue;
                if (c == 0xa0)
                    g_string_append_c(out, ' ');
                else if (c != 0xfeff && c != 0x200b && (c < 0xe0000 || c > 0xe0fff))
                    g_string_append_unichar(out, c);
            }
        } else if (layout_html_is(n, "br")) {
            g_string_append_c(out, '\n');
        } else if (n->type == XML_ELEMENT_NODE) {
            gather_code(out, n);
            if (layout_html_is_one_of(n, " div p li tr ") && out->len > 0 &&
                out->str[out->len - 1] != '\n')
                g_string_append_c(out, '\n');
        }
    }
}

static void
emit_code(layout_html_emitter *e, const xmlNode *node)
{
    GString *code = g_string_new(NULL);

    layout_html_emit_flush(e);
    gather_code(code, node);
    while (code->len > 0 && g_ascii_isspace(code->str[code->len - 1]))
        g_string_truncate(code, code->len - 1);
    const char *start =
        code->str; /* without the empty lines in front, with the first line's indent */
    for (const char *p = start; g_ascii_isspace(*p); p++)
        if (*p == '\n') start = p + 1;
    g_autofree char *text = layout_html_normalize(start);
    if (*text) {
        layout_html_emit_headings(e);
        add_block(e, LAYOUT_BLOCK_CODE, 0, NULL, text, NULL);
    }
    g_string_free(code, TRUE);
}

/* ---- lists ---- */

static char *
list_marker(const char *type, gint64 n)
{
    const char kind = type && strlen(type) == 1 ? type[0] : '1';
    const gboolean letter = kind == 'a' || kind == 'A';
    GString *out = g_string_new(NULL);
    layout_number_append(out, letter && n > 26 ? '1' : kind, n);
    g_string_append_c(out, '.');
    return g_string_free(out, FALSE);
}

static gint64
integer_attribute(const xmlNode *node, const char *name, gint64 otherwise)
{
    const char *value = layout_html_attribute(node, name);
    if (!value || !*value) return otherwise;
    return CLAMP(g_ascii_strtoll(value, NULL, 10), -1000000, 1000000);
}

static void
emit_item(layout_html_emitter *e, const xmlNode *node, const char *marker)
{
    char *outer = e->marker;
    gboolean outer_open = e->item_open;

    layout_html_emit_flush(e);
    e->marker = (char *)marker;
    e->item_open = TRUE;
    layout_html_emit_children(e, node);
    layout_html_emit_flush(e);
    e->marker = outer;
    e->item_open = outer_open;
}

static void
emit_list(layout_html_emitter *e, const xmlNode *node)
{
    gboolean ordered = layout_html_is(node, "ol");
    gint64 n = integer_attribute(node, "start", 1);

    layout_html_emit_flush(e);
    e->item_open = FALSE; /* of the outer item, what comes after this list is a paragraph */
    e->list_depth++;
    for (const xmlNode *item = node->children; item; item = item->next) {
        if (!layout_html_is(item, "li")) {
            emit_node(e, item);
            continue;
        }
        n = integer_attribute(item, "value", n);
        g_autofree char *marker =
            ordered ? list_marker(layout_html_attribute(node, "type"), n) : g_strdup("-");
        n++;
        emit_item(e, item, marker);
    }
    layout_html_emit_flush(e);
    e->list_depth--;
}

/* ---- figures ---- */

int
layout_html_emit_caption(layout_html_emitter *e, const xmlNode *caption, int parent)
{
    if (!caption) return LAYOUT_NONE;
    g_autofree char *text = layout_html_text(caption);
    if (!*text) return LAYOUT_NONE;
    if (parent == LAYOUT_NONE) layout_html_emit_headings(e);
    int index = add_block(e, LAYOUT_BLOCK_CAPTION, 0, NULL, text, NULL);
    layout_builder_block(e->builder, index)->parent = parent;
    return index;
}

static const xmlNode *
find_below(const xmlNode *node, const char *names)
{
    for (const xmlNode *n = node->children; n; n = n->next) {
        if (n->type != XML_ELEMENT_NODE) continue;
        if (layout_html_is_one_of(n, names)) return n;
        const xmlNode *found = find_below(n, names);
        if (found) return found;
    }
    return NULL;
}

/* "Figure 3: ..." -> "Figure 3"; NULL where the caption does not begin so. */
static char *
figure_label(const xmlNode *caption)
{
    g_autofree char *text = caption ? layout_html_text(caption) : NULL;
    if (!text) return NULL;
    for (gsize i = 0; i < 2; i++) {
        const char *word = i == 0 ? "Figure " : "Fig. ";
        if (!g_str_has_prefix(text, word)) continue;
        const char *number = text + strlen(word);
        gsize n = strspn(number, "0123456789ABCDEFabcdef.-");
        while (n > 0 && strchr(".-", number[n - 1]))
            n--;
        if (n > 0 && n < 12 && g_ascii_isdigit(number[0] >= 'A' && n > 1 ? number[1] : number[0]))
            return g_strndup(text, strlen(word) + n);
    }
    return NULL;
}

static const char *
image_source(const xmlNode *image)
{
    if (layout_html_is(image, "picture")) image = find_below(image, " img ");
    const char *src = image ? layout_html_attribute(image, "src") : NULL;
    return src && *src ? src : NULL;
}

/* FALSE: there is nothing to be said or shown of it. */
static gboolean
put_image(layout_html_emitter *e, const xmlNode *image, const xmlNode *caption)
{
    const char *alt = layout_html_attribute(image, "alt"), *src = image_source(image);
    const char *name = e->how->picture && src ? e->how->picture(src, e->how->user_data) : NULL;
    g_autofree char *inner = layout_html_clean(alt), *label = figure_label(caption);
    if (!inner && !caption && !name) return FALSE;
    layout_html_emit_headings(e);
    int block = add_block(e, LAYOUT_BLOCK_FIGURE, 0, NULL, "", NULL);
    layout_figure figure = {.block = block,
                            .caption = layout_html_emit_caption(e, caption, block),
                            .label = label,
                            .inner_text = inner,
                            .image = name};
    layout_builder_add_figure(e->builder, &figure, NULL, 0);
    e->chars += name != NULL;
    return TRUE;
}

/* A picture in the text. Small ones are bullets, smileys and counters of visits. */
static gboolean
emit_image(layout_html_emitter *e, const xmlNode *image)
{
    const char *width = layout_html_attribute(image, "width");
    const char *height = layout_html_attribute(image, "height"), *src = image_source(image);
    if (!e->how->picture || !src || (width && atoi(width) > 0 && atoi(width) < 24) ||
        (height && atoi(height) > 0 && atoi(height) < 24))
        return FALSE;
    if (!e->how->picture(src, e->how->user_data)) return FALSE;
    layout_html_emit_flush(e);
    return put_image(e, image, NULL);
}

static void
emit_figure(layout_html_emitter *e, const xmlNode *node)
{
    const xmlNode *caption = find_below(node, " figcaption "), *table = find_below(node, " table ");
    const xmlNode *image = find_below(node, " img picture ");

    layout_html_emit_flush(e);
    if (table && layout_html_emit_table(e, table, caption)) return;
    if (!image || table || find_below(node, " pre p ul ol blockquote math ")) {
        layout_html_emit_children(e,
                                  node); /* a box that calls itself a figure: code, a quotation */
        layout_html_emit_flush(e);
        return;
    }
    put_image(e, image, caption);
}

/* ---- dispatch ---- */

static gboolean
class_has(const xmlNode *node, const char *const *words)
{
    const char *values[] = {layout_html_attribute(node, "class"),
                            layout_html_attribute(node, "id")};
    for (gsize v = 0; v < 2; v++) {
        if (!values[v]) continue;
        g_autofree char *low = g_ascii_strdown(values[v], -1);
        g_auto(GStrv) names = g_strsplit_set(low, " \t\r\n_-", -1);
        for (const char *const *w = words; *w; w++)
            if (g_strv_contains((const char *const *)names, *w)) return TRUE;
    }
    return FALSE;
}

/* EPUB's and ARIA's words for it. */
static gboolean
is_note(const xmlNode *node)
{
    const char *type = layout_html_attribute(node, "epub:type");
    const char *role = layout_html_attribute(node, "role");
    return (type && (strcmp(type, "footnote") == 0 || strcmp(type, "endnote") == 0 ||
                     strcmp(type, "rearnote") == 0)) ||
           (role && (strcmp(role, "doc-footnote") == 0 || strcmp(role, "doc-endnote") == 0));
}

/* Sections whose paragraphs are of a kind of their own. */
static layout_block_type
type_inside(const layout_html_emitter *e, const xmlNode *node)
{
    static const char *const abstract[] = {"abstract", NULL};
    static const char *const references[] = {"references", "reflist", "bibliography",
                                             "biblist",    "refs",    NULL};

    if (e->type != LAYOUT_BLOCK_PARAGRAPH) return e->type;
    if (layout_html_is_one_of(node, " aside section div li p ") && is_note(node))
        return LAYOUT_BLOCK_FOOTNOTE;
    if (layout_html_is_one_of(node, " section div blockquote ") && class_has(node, abstract))
        return LAYOUT_BLOCK_ABSTRACT;
    if (layout_html_is_one_of(node, " section div ol ul ") && class_has(node, references))
        return LAYOUT_BLOCK_REFERENCE;
    return e->type;
}

static void
emit_heading(layout_html_emitter *e, const xmlNode *node)
{
    gboolean item_open = e->item_open;

    layout_html_emit_flush(e);
    e->heading = node->name[1] - '0';
    e->item_open = FALSE;
    layout_html_emit_children(e, node);
    layout_html_emit_flush(e);
    e->heading = 0;
    e->item_open = item_open;
}

static void
emit_paragraph(layout_html_emitter *e, const xmlNode *node)
{
    /* inside a heading or a list item a paragraph is a stretch of it */
    gboolean joins = e->heading > 0 || e->item_open;
    guint style = e->style;

    if (joins)
        add_text(e, " ");
    else
        layout_html_emit_flush(e);
    if (layout_html_is(node, "dt")) e->style |= LAYOUT_SPAN_BOLD;
    layout_html_emit_children(e, node);
    e->style = style;
    if (joins)
        add_text(e, " ");
    else
        layout_html_emit_flush(e);
}

static void
emit_element(layout_html_emitter *e, const xmlNode *node)
{
    if (is_equation_number(node)) return; /* its formula has it */
    if (layout_html_is_one_of(node, " h1 h2 h3 h4 h5 h6 ") && e->heading == 0)
        emit_heading(e, node);
    else if (layout_html_is_one_of(node, " ul ol ") && e->heading == 0)
        emit_list(e, node);
    else if (layout_html_is(node, "li") && e->heading == 0)
        emit_item(e, node, "-"); /* without a list around it */
    else if (layout_html_is(node, "pre") && e->heading == 0)
        emit_code(e, node);
    else if (layout_html_is(node, "figure") && e->heading == 0)
        emit_figure(e, node);
    else if (layout_html_is(node, "figcaption") && e->heading == 0) {
        layout_html_emit_flush(e);
        layout_html_emit_caption(e, node, LAYOUT_NONE);
    } else if (layout_html_is(node, "table") && e->heading == 0) {
        layout_html_emit_flush(e);
        if (!layout_html_emit_table(e, node, NULL)) emit_paragraph(e, node);
    } else if (layout_html_is_one_of(node, " math script img ")) {
        const gboolean picture =
            layout_html_is(node, "img") && e->heading == 0 && !is_formula_picture(node);
        if (!picture || !emit_image(e, node)) emit_math(e, node);
    } else if (layout_html_is(node, "br"))
        emit_br(e);
    else if (layout_html_is(node, "hr"))
        layout_html_emit_flush(e);
    else if (layout_html_is_one_of(node, PARAGRAPHS))
        emit_paragraph(e, node);
    else
        emit_inline(e, node);
}

static void
emit_node(layout_html_emitter *e, const xmlNode *node)
{
    if (node->type == XML_TEXT_NODE || node->type == XML_CDATA_SECTION_NODE) {
        if (node->content) add_text(e, (const char *)node->content);
        return;
    }
    if (node->type != XML_ELEMENT_NODE) return;
    layout_block_type outer = e->type, inner = type_inside(e, node);
    if (inner != outer) layout_html_emit_flush(e);
    e->type = inner;
    emit_element(e, node);
    if (inner != outer) layout_html_emit_flush(e);
    e->type = outer;
}

/* The page's own words for text that could not be found in its tree. */
static void
emit_article_body(layout_html_emitter *e, const char *body)
{
    g_auto(GStrv) paragraphs = g_strsplit(body, "\n", -1);
    for (char **p = paragraphs; *p; p++) {
        add_text(e, *p);
        layout_html_emit_flush(e);
    }
}

gsize
layout_html_blocks_emit(layout_builder *builder, const xmlNode *main_node,
                        const layout_html_emission *how)
{
    layout_html_emitter e = {.builder = builder,
                             .base_url = how->base_url,
                             .title = how->title,
                             .strings = g_string_chunk_new(4096),
                             .text = g_string_new(NULL),
                             .spans = g_array_new(FALSE, FALSE, sizeof(layout_span)),
                             .type = LAYOUT_BLOCK_PARAGRAPH,
                             .pending = g_ptr_array_new_with_free_func(pending_heading_free),
                             .how = how};

    if (how->title) add_block(&e, LAYOUT_BLOCK_TITLE, 0, NULL, how->title, NULL);
    e.chars = 0; /* of the body */
    g_autofree char *text = layout_html_text(main_node);
    gsize len = strlen(text);
    /* a page that a script would fill */
    if (how->body && len < ENOUGH_BYTES && strlen(how->body) > 2 * len)
        emit_article_body(&e, how->body);
    else
        layout_html_emit_children(&e, main_node);
    layout_html_emit_flush(&e);
    g_ptr_array_unref(e.pending);
    g_array_unref(e.spans);
    g_string_free(e.text, TRUE);
    g_string_chunk_free(e.strings);
    return e.chars;
}

/* Markdown: CommonMark with GFM's tables, footnotes, $mathematics$ and YAML in front. MD4C (github.com/mity/md4c) parses;
 * here its events become blocks.
 *
 * Footnotes are none of MD4C's: their definitions are taken out before, "[^1]" is found in the text. Raw HTML is
 * tables, which have spans where ours do, and sub- and superscripts; other tags are left out and their text is kept.
 * The only heading of the first rank is the title. */
#include <libxml/HTMLparser.h>
#include <md4c.h>
#include <string.h>

#include "layout/analyze.h"
#include "layout/readers/html.h"
#include "layout/readers/pen.h"
#include "layout/readers/readers.h"
#include "layout/readers/xml.h"

#define MAX_MARKDOWN ((gsize)256 << 20)
#define MAX_PICTURE  ((gsize)64 << 20)
#define MAX_DEPTH    16

typedef struct {
    const layout_source *source;
    layout_pen pen;
    GHashTable *pictures;
    GHashTable *notes; /* id -> text */
    GPtrArray *called; /* char *: ids of the notes of the paragraph in hand */
    guint n_notes, n_pictures;
    guint n_ranks[7];   /* headings of each rank */
    const int *note_of; /* inside of a note: the block that calls it; else NULL */
    gboolean titled;

    layout_block_type type;
    gboolean references; /* below such a heading */
    struct {
        gboolean ordered;
        guint n;
    } lists[MAX_DEPTH];
    int depth; /* of lists, may exceed MAX_DEPTH */
    gboolean in_item;
    layout_pen_grid *grid;
    GString *raw; /* code, HTML, mathematics that collects; NULL */
    gboolean head;
    char *image;    /* of the paragraph's image, where it points */
    gsize image_at; /* length of the text before it */
} md_reader;

/* ---- which files ---- */

layout_sniff
layout_markdown_sniff(const layout_source *source)
{
    g_autofree char *head = layout_source_head(source);
    if (head == NULL || head[strspn(head, " \t\r\n")] == '\0' || *head == '<' || *head == '%' ||
        *head == '{')
        return LAYOUT_SNIFF_NO;
    static const char *const signs[] = {"^(?:```|~~~)",
                                        "\\[[^\\]\\n]+\\]\\([^)\\s]+\\)",
                                        "^\\|?\\s*:?-{3,}:?\\s*\\|",
                                        "\\*\\*[^*\\s][^*\\n]*\\*\\*",
                                        "^\\[\\^[^\\]]+\\]:",
                                        "^\\s{0,3}[-*] \\S.*\\n\\s{0,3}[-*] \\S",
                                        "`[^`\\n]+`",
                                        "\\A---\\n(?:.*\\n){1,40}?---\\n"};
    guint n = 0;
    for (gsize i = 0; i < G_N_ELEMENTS(signs); i++)
        n += g_regex_match_simple(signs[i], head, G_REGEX_MULTILINE, 0) ? 1 : 0;
    const gboolean heading =
        g_regex_match_simple("(?:\\A|\\n\\r?\\n)#{1,6} \\S", head, 0, 0) ||
        g_regex_match_simple("(?:\\A|\\n\\r?\\n)\\S.*\\r?\\n(?:=+|-+)\\r?\\n", head, 0, 0);
    const gboolean named = layout_source_has_extension(source, " md markdown mkd mdown ");
    if (heading && n >= 2) return LAYOUT_SNIFF_LIKELY;
    return named ? LAYOUT_SNIFF_WEAK : LAYOUT_SNIFF_NO;
}

/* ---- before the parser ---- */

/* The value of "key: value", without quotes; NULL where the line is another. */
static char *
yaml_value(const char *line, const char *key)
{
    const gsize n = strlen(key);
    if (g_ascii_strncasecmp(line, key, n) != 0 || line[n] != ':') return NULL;
    char *value = g_strstrip(g_strdup(line + n + 1));
    const gsize len = strlen(value);
    if (len >= 2 && (*value == '"' || *value == '\'') && value[len - 1] == *value) {
        value[len - 1] = '\0';
        memmove(value, value + 1, len - 1);
    }
    return value;
}

/* Metadata in front between two "---"; returns what follows. Only single lines, and lists of authors. */
static const char *
read_yaml(md_reader *r, const char *text)
{
    if (!g_str_has_prefix(text, "---\n") && !g_str_has_prefix(text, "---\r\n")) return text;
    const char *end = strstr(text, "\n---");
    if (end == NULL || end - text > 65536) return text;
    g_autofree char *head = g_strndup(text, (gsize)(end - text));
    g_auto(GStrv) lines = g_strsplit(head, "\n", -1);
    g_autoptr(GPtrArray) authors = g_ptr_array_new_with_free_func(g_free);
    layout_metadata *meta = layout_builder_meta(r->pen.builder);
    gboolean listing = FALSE;
    for (char **line = lines; *line != NULL; line++) {
        g_autofree char *title = yaml_value(*line, "title"), *author = yaml_value(*line, "author");
        g_autofree char *authors_line = yaml_value(*line, "authors");
        g_autofree char *date = yaml_value(*line, "date"), *doi = yaml_value(*line, "doi");
        g_autofree char *language = yaml_value(*line, "lang");
        g_autofree char *trimmed = g_strstrip(g_strdup(*line));
        g_autofree char *name =
            g_str_has_prefix(trimmed, "- name:") ? g_strstrip(g_strdup(trimmed + 7))
            : listing && g_str_has_prefix(trimmed, "- ") && !strchr(trimmed, ':')
                ? g_strstrip(g_strdup(trimmed + 2))
                : NULL;
        if (title != NULL && *title != '\0') {
            meta->title = layout_builder_copy(r->pen.builder, title, -1);
            layout_pen_text(&r->pen, title, -1);
            layout_pen_block(&r->pen, LAYOUT_BLOCK_TITLE, 0, NULL);
            r->titled = TRUE;
        }
        if (author != NULL || authors_line != NULL) listing = TRUE;
        if (author != NULL && *author != '\0' && *author != '[')
            g_ptr_array_add(authors, g_steal_pointer(&author));
        if (listing && name != NULL && *name != '\0')
            g_ptr_array_add(authors, g_steal_pointer(&name));
        if (g_ascii_isalpha(**line) && author == NULL && authors_line == NULL) listing = FALSE;
        if (date != NULL && g_regex_match_simple("\\b(1[89]|20)\\d\\d\\b", date, 0, 0)) {
            const char *at = date;
            while (strspn(at, "0123456789") != 4)
                at += strspn(at, "0123456789") > 0 ? strspn(at, "0123456789") : 1;
            meta->year = layout_builder_copy(r->pen.builder, at, 4);
        }
        if (doi != NULL && g_str_has_prefix(doi, "10."))
            meta->doi = layout_builder_copy(r->pen.builder, doi, -1);
        if (language != NULL && *language != '\0')
            meta->language = layout_builder_copy(r->pen.builder, language,
                                                 (gssize)MIN(strcspn(language, "-_"), 8));
    }
    layout_builder_set_authors(r->pen.builder, (const char *const *)(gpointer)authors->pdata,
                               authors->len);
    for (guint i = 0; i < authors->len; i++) {
        if (i > 0) layout_pen_text(&r->pen, ", ", 2);
        layout_pen_text(&r->pen, authors->pdata[i], -1);
    }
    layout_pen_block(&r->pen, LAYOUT_BLOCK_AUTHOR, 0, NULL);
    end += 4;
    return end + strcspn(end, "\n");
}

/* text without the definitions of footnotes, which go into notes. Those in code stay. */
static GString *
take_notes(md_reader *r, const char *text)
{
    GString *out = g_string_sized_new(strlen(text));
    g_autoptr(GString) note = NULL;
    g_autofree char *id = NULL;
    gboolean fenced = FALSE;
    for (const char *line = text; *line != '\0';) {
        const gsize n = strcspn(line, "\n"), step = n + (line[n] == '\n' ? 1 : 0);
        const char *close = NULL;
        if (g_str_has_prefix(line, "```") || g_str_has_prefix(line, "~~~")) fenced = !fenced;
        if (!fenced && line[0] == '[' && line[1] == '^' &&
            (close = memchr(line, ']', MIN(n, 80))) != NULL && close[1] == ':') {
            if (note != NULL)
                g_hash_table_replace(r->notes, g_steal_pointer(&id), g_strdup(note->str));
            g_free(id);
            id = g_strndup(line + 2, (gsize)(close - line - 2));
            if (note == NULL) note = g_string_new(NULL);
            g_string_truncate(note, 0);
            g_string_append_len(note, close + 2, (gssize)n - (close + 2 - line));
            line += step;
            continue;
        }
        const gboolean goes_on =
            id != NULL && n > 0 && (line[0] == ' ' || line[0] == '\t' || line[0] == '\r');
        if (goes_on) {
            g_string_append_c(note, ' ');
            g_string_append_len(note, line, (gssize)n);
        } else {
            if (id != NULL && n > 0) {
                g_hash_table_replace(r->notes, g_steal_pointer(&id), g_strdup(note->str));
                id = NULL;
            }
            g_string_append_len(out, line, (gssize)step);
        }
        line += step;
    }
    if (id != NULL) g_hash_table_replace(r->notes, g_steal_pointer(&id), g_strdup(note->str));
    return out;
}

/* ---- text ---- */

/* Text in which "[^id]" calls a note. */
static void
put_text(md_reader *r, const char *text, gsize len)
{
    const char *end = text + len;
    for (const char *at = text; at < end;) {
        const char *call = g_strstr_len(at, end - at, "[^");
        const char *close = call != NULL ? memchr(call, ']', (gsize)(end - call)) : NULL;
        g_autofree char *id = close != NULL ? g_strndup(call + 2, (gsize)(close - call - 2)) : NULL;
        if (id == NULL || r->note_of != NULL || !g_hash_table_contains(r->notes, id)) {
            layout_pen_text(&r->pen, at, end - at);
            return;
        }
        layout_pen_text(&r->pen, at, call - at);
        g_ptr_array_add(r->called, g_steal_pointer(&id));
        char number[16];
        g_snprintf(number, sizeof number, "%u", r->n_notes + r->called->len);
        const guint style = r->pen.style;
        r->pen.style |= LAYOUT_SPAN_SUPERSCRIPT;
        layout_pen_text(&r->pen, number, -1);
        r->pen.style = style;
        at = close + 1;
    }
}

static void
put_entity(md_reader *r, const char *text, gsize len)
{
    g_autofree char *name = g_strndup(text, len);
    char buffer[8] = "";
    gunichar ch = 0;
    if (g_str_has_prefix(name, "&#")) {
        const gboolean hex = name[2] == 'x' || name[2] == 'X';
        ch = (gunichar)g_ascii_strtoull(name + (hex ? 3 : 2), NULL, hex ? 16 : 10);
    } else if (len > 2) {
        name[len - 1] = '\0';
        const htmlEntityDesc *known = htmlEntityLookup((const xmlChar *)name + 1);
        ch = known != NULL ? known->value : 0;
    }
    if (ch == 0 || !g_unichar_validate(ch)) return;
    buffer[g_unichar_to_utf8(ch, buffer)] = '\0';
    layout_pen_text(&r->pen, buffer, -1);
}

static void
put_tag(md_reader *r, const char *tag, gsize len)
{
    static const struct {
        const char *open, *close;
        guint style;
    } tags[] = {{"<sup>", "</sup>", LAYOUT_SPAN_SUPERSCRIPT},
                {"<sub>", "</sub>", LAYOUT_SPAN_SUBSCRIPT},
                {"<b>", "</b>", LAYOUT_SPAN_BOLD},
                {"<i>", "</i>", LAYOUT_SPAN_ITALIC}};
    for (gsize i = 0; i < G_N_ELEMENTS(tags); i++) {
        if (len == strlen(tags[i].open) && g_ascii_strncasecmp(tag, tags[i].open, len) == 0)
            r->pen.style |= tags[i].style;
        if (len == strlen(tags[i].close) && g_ascii_strncasecmp(tag, tags[i].close, len) == 0)
            r->pen.style &= ~tags[i].style;
    }
    if (len >= 4 && g_ascii_strncasecmp(tag, "<br", 3) == 0) layout_pen_text(&r->pen, " ", 1);
}

static int
on_text(MD_TEXTTYPE type, const MD_CHAR *text, MD_SIZE size, void *user_data)
{
    md_reader *r = user_data;
    if (r->raw != NULL) {
        g_string_append_len(r->raw, text, (gssize)size);
        return 0;
    }
    switch (type) {
    case MD_TEXT_BR:
    case MD_TEXT_SOFTBR:
        layout_pen_text(&r->pen, " ", 1);
        break;
    case MD_TEXT_ENTITY:
        put_entity(r, text, size);
        break;
    case MD_TEXT_HTML:
        put_tag(r, text, size);
        break;
    case MD_TEXT_NULLCHAR:
        break;
    default:
        put_text(r, text, size);
    }
    return 0;
}

/* ---- blocks ---- */

static void
end_note(md_reader *r)
{
    const int index = layout_pen_block(&r->pen, LAYOUT_BLOCK_FOOTNOTE, 0, NULL);
    if (index != LAYOUT_NONE) layout_builder_block(r->pen.builder, index)->parent = *r->note_of;
}

static void parse(md_reader *r, const char *text, gsize len, int *failed);

static void
write_notes(md_reader *r, int caller)
{
    if (r->note_of != NULL) return;
    r->note_of = &caller;
    for (guint i = 0; i < r->called->len; i++) {
        char number[16];
        g_snprintf(number, sizeof number, "%u", ++r->n_notes);
        r->pen.style = LAYOUT_SPAN_SUPERSCRIPT;
        layout_pen_text(&r->pen, number, -1);
        r->pen.style = 0;
        layout_pen_text(&r->pen, " ", 1);
        const char *note = g_hash_table_lookup(r->notes, r->called->pdata[i]);
        int failed = 0;
        note += strspn(note, " ");
        parse(r, note, strlen(note), &failed);
        if (r->pen.text->len > 0) end_note(r);
    }
    r->note_of = NULL;
    g_ptr_array_set_size(r->called, 0);
}

/* A paragraph that is one image is a figure, its alternative text the caption. */
static gboolean
end_figure(md_reader *r)
{
    g_autofree char *image = g_steal_pointer(&r->image);
    if (image == NULL || r->image_at > 0 || r->in_item) return FALSE;
    char *name = NULL;
    const char *dot = strrchr(image, '.');
    if (dot != NULL && strlen(dot) <= 5 && strstr(image, "://") == NULL) {
        GBytes *bytes = layout_source_beside(r->source, image, MAX_PICTURE, NULL);
        g_autofree char *ending = g_ascii_strdown(dot, -1);
        if (bytes != NULL) name = g_strdup_printf("figure-%u%s", ++r->n_pictures, ending);
        if (bytes != NULL && r->pictures != NULL)
            g_hash_table_insert(r->pictures, g_strdup(name), bytes);
        else
            g_clear_pointer(&bytes, g_bytes_unref);
    }
    layout_pen_figure(&r->pen, NULL, name, NULL);
    g_free(name);
    return TRUE;
}

static void
end_paragraph(md_reader *r)
{
    int index;
    if (r->note_of != NULL) {
        end_note(r);
        return;
    }
    if (end_figure(r)) return;
    if (r->references) {
        g_autofree char *marker = NULL;
        const gsize skip = layout_reference_marker(r->pen.text->str, &marker);
        if (marker == NULL && r->depth > 0 && r->lists[MIN(r->depth, MAX_DEPTH) - 1].ordered)
            marker = g_strdup_printf("[%u]", r->lists[MIN(r->depth, MAX_DEPTH) - 1].n);
        if (skip > 0 && r->pen.spans->len == 0) g_string_erase(r->pen.text, 0, (gssize)skip);
        layout_pen_printed_reference(&r->pen, NULL, marker);
        r->in_item = FALSE;
        return;
    }
    if (r->in_item && r->pen.text->len > 0) {
        const int at = MIN(r->depth, MAX_DEPTH) - 1;
        char marker[16] = "-";
        if (r->lists[at].ordered) g_snprintf(marker, sizeof marker, "%u.", r->lists[at].n);
        index = layout_pen_block(&r->pen, LAYOUT_BLOCK_LIST_ITEM, r->depth, marker);
        r->in_item = FALSE;
    } else {
        index = layout_pen_block(&r->pen, r->type, 0, NULL);
    }
    write_notes(r, index);
}

static void
end_heading(md_reader *r, guint rank)
{
    g_autofree char *text = g_strstrip(g_strdup(r->pen.text->str));
    layout_metadata *meta = layout_builder_meta(r->pen.builder);
    if (*text == '\0') return;
    if (rank == 1 && !r->titled && r->n_ranks[1] == 1) {
        meta->title = layout_builder_copy(r->pen.builder, text, -1);
        r->titled = TRUE;
        layout_pen_block(&r->pen, LAYOUT_BLOCK_TITLE, 0, NULL);
        return;
    }
    r->references = layout_heading_is_references(text);
    r->type =
        g_ascii_strcasecmp(text, "abstract") == 0 ? LAYOUT_BLOCK_ABSTRACT : LAYOUT_BLOCK_PARAGRAPH;
    /* the highest rank that is no title is the first level */
    guint first = r->titled && r->n_ranks[1] == 1 ? 2 : 1;
    while (first < rank && r->n_ranks[first] == 0)
        first++;
    const int index =
        layout_pen_block(&r->pen, LAYOUT_BLOCK_HEADING, (int)(rank - MIN(first, rank)) + 1, NULL);
    write_notes(r, index);
}

static void
take_html_rows(layout_pen_grid *grid, const xmlNode *node, gboolean head)
{
    for (const xmlNode *n = node->children; n != NULL; n = n->next) {
        if (layout_xml_is_one_of(n, " thead tbody tfoot ")) {
            take_html_rows(grid, n, layout_xml_is(n, "thead"));
        } else if (layout_xml_is(n, "tr") && layout_pen_grid_row(grid, head)) {
            for (const xmlNode *c = n->children; c != NULL; c = c->next) {
                if (!layout_xml_is_one_of(c, " td th ")) continue;
                g_autofree char *text = layout_xml_clean_text(c);
                g_autofree char *rows = layout_xml_attribute(c, "rowspan"),
                                *cols = layout_xml_attribute(c, "colspan");
                const guint64 tall = rows != NULL ? g_ascii_strtoull(rows, NULL, 10) : 1,
                              wide = cols != NULL ? g_ascii_strtoull(cols, NULL, 10) : 1;
                layout_pen_grid_cell(grid, (guint)CLAMP(tall, 1, 65534),
                                     (guint)CLAMP(wide, 1, 1000), layout_xml_is(c, "th"), text);
            }
        }
    }
}

static void
end_html(md_reader *r, const char *html)
{
    htmlDocPtr tree = htmlReadMemory(html, (int)MIN(strlen(html), G_MAXINT), NULL, "UTF-8",
                                     HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING | HTML_PARSE_NONET |
                                         HTML_PARSE_RECOVER);
    const xmlNode *root = tree != NULL ? xmlDocGetRootElement(tree) : NULL;
    const xmlNode *table = root != NULL ? layout_xml_find(root, "table") : NULL;
    if (table != NULL) {
        layout_pen_grid *grid = layout_pen_grid_new();
        take_html_rows(grid, table, FALSE);
        layout_pen_grid_write(grid, &r->pen);
        layout_pen_grid_free(grid);
    } else if (root != NULL && layout_xml_find(root, "script") == NULL &&
               layout_xml_find(root, "style") == NULL) {
        g_autofree char *text = layout_xml_clean_text(root);
        layout_pen_text(&r->pen, text, -1);
        layout_pen_block(&r->pen, LAYOUT_BLOCK_PARAGRAPH, 0, NULL);
    }
    if (tree != NULL) xmlFreeDoc(tree);
}

static void
begin_raw(md_reader *r)
{
    r->raw = g_string_new(NULL);
}

static GString *
end_raw(md_reader *r)
{
    return g_steal_pointer(&r->raw);
}

static int
on_enter_block(MD_BLOCKTYPE type, void *detail, void *user_data)
{
    md_reader *r = user_data;
    const int at = MIN(r->depth, MAX_DEPTH) - 1;
    switch (type) {
    case MD_BLOCK_UL:
    case MD_BLOCK_OL: {
        if (r->pen.text->len > 0) end_paragraph(r);
        r->depth++;
        const int inner = MIN(r->depth, MAX_DEPTH) - 1;
        r->lists[inner].ordered = type == MD_BLOCK_OL;
        r->lists[inner].n = type == MD_BLOCK_OL ? ((MD_BLOCK_OL_DETAIL *)detail)->start - 1 : 0;
        break;
    }
    case MD_BLOCK_LI:
        r->lists[at].n++;
        r->in_item = TRUE;
        break;
    case MD_BLOCK_CODE:
    case MD_BLOCK_HTML:
        if (r->pen.text->len > 0) end_paragraph(r);
        begin_raw(r);
        break;
    case MD_BLOCK_TABLE:
        if (r->pen.text->len > 0) end_paragraph(r);
        r->grid = layout_pen_grid_new();
        break;
    case MD_BLOCK_THEAD:
    case MD_BLOCK_TBODY:
        r->head = type == MD_BLOCK_THEAD;
        break;
    case MD_BLOCK_TR:
        layout_pen_grid_row(r->grid, r->head);
        break;
    default:
        break;
    }
    return 0;
}

/* What was written, as a cell's text: mathematics between dollars. */
static void
end_cell(md_reader *r)
{
    g_autofree char *text = layout_pen_take_flat(&r->pen);
    layout_pen_grid_cell(r->grid, 1, 1, FALSE, text);
}

static int
on_leave_block(MD_BLOCKTYPE type, void *detail, void *user_data)
{
    md_reader *r = user_data;
    switch (type) {
    case MD_BLOCK_P:
        end_paragraph(r);
        break;
    case MD_BLOCK_LI:
        if (r->pen.text->len > 0) end_paragraph(r); /* of a tight list */
        r->in_item = FALSE;
        break;
    case MD_BLOCK_UL:
    case MD_BLOCK_OL:
        r->depth--;
        break;
    case MD_BLOCK_H:
        end_heading(r, ((MD_BLOCK_H_DETAIL *)detail)->level);
        break;
    case MD_BLOCK_CODE:
    case MD_BLOCK_HTML: {
        GString *raw = end_raw(r);
        if (type == MD_BLOCK_CODE)
            layout_pen_code(&r->pen, raw->str);
        else
            end_html(r, raw->str);
        g_string_free(raw, TRUE);
        break;
    }
    case MD_BLOCK_TH:
    case MD_BLOCK_TD:
        end_cell(r);
        break;
    case MD_BLOCK_TABLE:
        layout_pen_grid_write(r->grid, &r->pen);
        g_clear_pointer(&r->grid, layout_pen_grid_free);
        break;
    default:
        break;
    }
    return 0;
}

/* ---- spans ---- */

static char *
attribute_text(const MD_ATTRIBUTE *attribute)
{
    return g_strndup(attribute->text != NULL ? attribute->text : "", attribute->size);
}

static int
on_enter_span(MD_SPANTYPE type, void *detail, void *user_data)
{
    md_reader *r = user_data;
    switch (type) {
    case MD_SPAN_EM:
        r->pen.style |= LAYOUT_SPAN_ITALIC;
        break;
    case MD_SPAN_STRONG:
        r->pen.style |= LAYOUT_SPAN_BOLD;
        break;
    case MD_SPAN_CODE:
        r->pen.style |= LAYOUT_SPAN_MONO;
        break;
    case MD_SPAN_DEL:
        r->pen.style |= LAYOUT_SPAN_STRUCK;
        break;
    case MD_SPAN_A: {
        g_autofree char *href = attribute_text(&((MD_SPAN_A_DETAIL *)detail)->href);
        if (!g_str_has_prefix(href, "http://") && !g_str_has_prefix(href, "https://")) break;
        g_autofree char *valid = g_utf8_make_valid(href, -1);
        r->pen.style |= LAYOUT_SPAN_LINK;
        r->pen.target = g_string_chunk_insert(r->pen.strings, valid);
        break;
    }
    case MD_SPAN_IMG:
        g_free(r->image);
        r->image = attribute_text(&((MD_SPAN_IMG_DETAIL *)detail)->src);
        r->image_at = r->pen.text->len;
        break;
    case MD_SPAN_LATEXMATH:
    case MD_SPAN_LATEXMATH_DISPLAY:
        if (r->raw == NULL) begin_raw(r);
        break;
    default:
        break;
    }
    return 0;
}

static void
end_math(md_reader *r, gboolean display)
{
    GString *raw = end_raw(r);
    if (raw == NULL) return;
    if (display && r->grid == NULL && r->depth == 0) {
        if (r->pen.text->len > 0) end_paragraph(r);
        g_autoptr(GRegex) tag = g_regex_new("\\\\tag\\{([^{}]*)\\}", 0, 0, NULL);
        g_autoptr(GMatchInfo) match = NULL;
        g_autofree char *valid = g_utf8_make_valid(raw->str, (gssize)raw->len);
        g_autofree char *number =
            g_regex_match(tag, valid, 0, &match) ? g_match_info_fetch(match, 1) : NULL;
        g_autofree char *latex = g_regex_replace_literal(tag, valid, -1, 0, "", 0, NULL);
        layout_pen_formula(&r->pen, latex != NULL ? latex : valid, number);
    } else {
        g_autofree char *valid = g_utf8_make_valid(raw->str, (gssize)raw->len);
        layout_pen_math(&r->pen, valid, NULL);
    }
    g_string_free(raw, TRUE);
}

static int
on_leave_span(MD_SPANTYPE type, void *detail, void *user_data)
{
    md_reader *r = user_data;
    (void)detail;
    switch (type) {
    case MD_SPAN_EM:
        r->pen.style &= ~(guint)LAYOUT_SPAN_ITALIC;
        break;
    case MD_SPAN_STRONG:
        r->pen.style &= ~(guint)LAYOUT_SPAN_BOLD;
        break;
    case MD_SPAN_CODE:
        r->pen.style &= ~(guint)LAYOUT_SPAN_MONO;
        break;
    case MD_SPAN_DEL:
        r->pen.style &= ~(guint)LAYOUT_SPAN_STRUCK;
        break;
    case MD_SPAN_A:
        r->pen.style &= ~(guint)LAYOUT_SPAN_LINK;
        r->pen.target = NULL;
        break;
    case MD_SPAN_LATEXMATH:
    case MD_SPAN_LATEXMATH_DISPLAY:
        end_math(r, type == MD_SPAN_LATEXMATH_DISPLAY);
        break;
    default:
        break;
    }
    return 0;
}

/* ---- the whole ---- */

static int
count_heading(MD_BLOCKTYPE type, void *detail, void *user_data)
{
    const guint rank = type == MD_BLOCK_H ? ((MD_BLOCK_H_DETAIL *)detail)->level : 0;
    if (rank >= 1 && rank <= 6) ((guint *)user_data)[rank]++;
    return 0;
}

static int
pass_block(MD_BLOCKTYPE type, void *detail, void *user_data)
{
    (void)type, (void)detail, (void)user_data;
    return 0;
}

static int
pass_span(MD_SPANTYPE type, void *detail, void *user_data)
{
    (void)type, (void)detail, (void)user_data;
    return 0;
}

static int
pass_text(MD_TEXTTYPE type, const MD_CHAR *text, MD_SIZE size, void *user_data)
{
    (void)type, (void)text, (void)size, (void)user_data;
    return 0;
}

#define FLAGS                                                                                      \
    (MD_FLAG_TABLES | MD_FLAG_STRIKETHROUGH | MD_FLAG_TASKLISTS | MD_FLAG_PERMISSIVEURLAUTOLINKS | \
     MD_FLAG_LATEXMATHSPANS)

static void
parse(md_reader *r, const char *text, gsize len, int *failed)
{
    const MD_PARSER parser = {
        0,    FLAGS, on_enter_block, on_leave_block, on_enter_span, on_leave_span, on_text,
        NULL, NULL};
    *failed = md_parse(text, (MD_SIZE)len, &parser, r);
}

gboolean
layout_markdown_read(const layout_source *source, const layout_options *options,
                     layout_builder *builder, GHashTable *pictures, GError **error)
{
    (void)options;
    if (source->len > MAX_MARKDOWN) {
        g_set_error_literal(error, LAYOUT_ERROR, LAYOUT_ERROR_LIMIT,
                            "more than 256 MiB of Markdown");
        return FALSE;
    }
    const MD_PARSER count = {0,         FLAGS,     count_heading, pass_block, pass_span,
                             pass_span, pass_text, NULL,          NULL};
    md_reader r = {.source = source,
                   .pictures = pictures,
                   .notes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free),
                   .called = g_ptr_array_new_with_free_func(g_free),
                   .type = LAYOUT_BLOCK_PARAGRAPH};
    layout_reader_add_page(builder);
    layout_pen_init(&r.pen, builder);
    GString *decoded = layout_text_to_utf8((const char *)source->data, source->len, NULL);
    GString *text = take_notes(&r, read_yaml(&r, decoded->str));
    g_string_free(decoded, TRUE);
    int failed = md_parse(text->str, (MD_SIZE)text->len, &count, r.n_ranks);
    if (failed == 0) parse(&r, text->str, text->len, &failed);
    g_string_free(text, TRUE);
    layout_pen_finish(&r.pen);
    const gboolean found = failed == 0 && r.pen.chars > 0;
    g_clear_pointer(&r.grid, layout_pen_grid_free);
    if (r.raw != NULL) g_string_free(r.raw, TRUE);
    g_free(r.image);
    layout_pen_clear(&r.pen);
    g_hash_table_unref(r.notes);
    g_ptr_array_unref(r.called);
    if (!found)
        g_set_error_literal(error, LAYOUT_ERROR, LAYOUT_ERROR_FORMAT, "Markdown without text");
    return found;
}

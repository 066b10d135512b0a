/* A document -> one HTML page that is also XML: every element closed, every text escaped, ids unique, so that any
 * reader gets the same tree.
 *
 *   article > section (by heading) > h1..h6 p ol ul figure table pre aside div
 *
 * A block is the element with id "bN". Footnotes stand at the end of their section as asides, linked with their
 * calls both ways; bibliography entries are items with id "ref-N", to which citations link. LaTeX stays as text in
 * \(...\) and \[...\], where MathJax and KaTeX look for it. */
#include "layout/html.h"

#include <string.h>

typedef struct {
    const lode_document *document;
    const layout_write_options *options;
    GString *out;
    guint heading_offset;
    guint sections[8]; /* heading levels of the open sections */
    guint n_sections;
    struct {
        gboolean ordered;
        gboolean item_open;
    } lists[8];
    guint n_lists; /* open ones */
    gboolean in_references;
    layout_captions captions;
    layout_notes notes;
    GArray *waiting; /* guint: footnotes of this section */
} writer;

static void append_captions(writer *w, guint owner, gboolean before);

/* ---- the frame of a block ---- */

/* id="b3" data-page="1 2" data-box="60 50 540 62.25; 60 50 540 90" */
static void
append_place(writer *w, guint index)
{
    const layout_block *block = &w->document->blocks[index];
    const layout_box *boxes = &w->document->boxes[block->first_box];
    g_string_append_printf(w->out, " id=\"b%u\"", index);
    if (block->n_boxes == 0) return;
    g_string_append(w->out, " data-page=\"");
    for (guint i = 0; i < block->n_boxes; i++)
        g_string_append_printf(w->out, "%s%d", i > 0 ? " " : "", boxes[i].page + 1);
    g_string_append(w->out, "\" data-box=\"");
    for (guint i = 0; i < block->n_boxes; i++) {
        const float sides[] = {boxes[i].rect.x0, boxes[i].rect.y0, boxes[i].rect.x1,
                               boxes[i].rect.y1};
        for (guint k = 0; k < G_N_ELEMENTS(sides); k++) {
            char number[G_ASCII_DTOSTR_BUF_SIZE];
            g_ascii_formatd(number, sizeof number, "%.2f", layout_hundredths(sides[k]));
            g_string_append_printf(w->out, "%s%s", k > 0 ? " " : i > 0 ? "; " : "", number);
        }
    }
    g_string_append_c(w->out, '"');
}

/* <tag class="class" id=... >; class NULL: none. */
static void
open_tag(writer *w, const char *tag, const char *class, guint index)
{
    g_string_append_printf(w->out, "<%s", tag);
    if (class) g_string_append_printf(w->out, " class=\"%s\"", class);
    append_place(w, index);
    g_string_append_c(w->out, '>');
}

static void
append_text(writer *w, guint index, uint32_t from)
{
    const layout_block *block = &w->document->blocks[index];
    guint n_calls = 0;
    const layout_note_call *calls = layout_notes_calls(&w->notes, (int)index, &n_calls);
    html_inline(w->out, w->document, index, from, block->text_len, calls, n_calls);
}

static void
append_marker(writer *w, const layout_block *block)
{
    if (!block->marker || g_str_has_prefix(block->text, block->marker)) return;
    g_string_append(w->out, "<span class=\"marker\">");
    html_append_escaped(w->out, block->marker);
    g_string_append(w->out, "</span> ");
}

static void
append_simple(writer *w, const char *tag, const char *class, guint index)
{
    const layout_block *block = &w->document->blocks[index];
    if (block->text_len == 0) return;
    open_tag(w, tag, class, index);
    append_marker(w, block);
    append_text(w, index, 0);
    g_string_append_printf(w->out, "</%s>\n", tag);
}

/* ---- lists ---- */

static void
close_list(writer *w)
{
    w->n_lists--;
    if (w->lists[w->n_lists].item_open) g_string_append(w->out, "</li>\n");
    g_string_append(w->out, w->lists[w->n_lists].ordered ? "</ol>\n" : "</ul>\n");
}

static void
close_lists(writer *w, guint n_left)
{
    while (w->n_lists > n_left)
        close_list(w);
}

static void
open_list(writer *w, gboolean ordered, gboolean marked)
{
    g_string_append(w->out, ordered ? "<ol>\n" : marked ? "<ul class=\"marked\">\n" : "<ul>\n");
    w->lists[w->n_lists].ordered = ordered;
    w->lists[w->n_lists].item_open = FALSE;
    w->n_lists++;
}

static void
append_list_item(writer *w, guint index)
{
    const layout_block *block = &w->document->blocks[index];
    guint number = 0;
    const gboolean ordered = block->marker && markdown_is_ordered_marker(block->marker, &number);
    const gboolean marked = !ordered && !markdown_is_bullet(block->marker);
    const guint depth =
        MIN((guint)CLAMP(block->level, 1, (int)G_N_ELEMENTS(w->lists) - 1), w->n_lists + 1);
    close_lists(w, depth);
    if (w->n_lists == depth && w->lists[depth - 1].ordered != ordered) close_list(w);
    if (w->n_lists < depth) open_list(w, ordered, marked);
    if (w->lists[depth - 1].item_open) g_string_append(w->out, "</li>\n");
    w->lists[depth - 1].item_open = TRUE;
    g_string_append(w->out, "<li");
    append_place(w, index);
    if (ordered) g_string_append_printf(w->out, " value=\"%u\"", number);
    g_string_append_c(w->out, '>');
    if (marked) append_marker(w, block);
    append_text(w, index, 0);
}

static void
append_reference(writer *w, guint index)
{
    const layout_block *block = &w->document->blocks[index];
    if (!w->in_references) g_string_append(w->out, "<ul class=\"references\">\n");
    w->in_references = TRUE;
    open_tag(w, "li", NULL, index);
    if (block->item != LAYOUT_NONE)
        g_string_append_printf(w->out, "<span id=\"ref-%d\">", block->item + 1);
    append_marker(w, block);
    append_text(w, index, 0);
    g_string_append(w->out, block->item != LAYOUT_NONE ? "</span></li>\n" : "</li>\n");
}

/* ---- sections ---- */

static void
flush_notes(writer *w)
{
    for (guint i = 0; i < w->waiting->len; i++) {
        const guint index = g_array_index(w->waiting, guint, i);
        const layout_block *note = &w->document->blocks[index];
        const guint number = w->notes.number[index];
        const char *key;
        size_t len;
        uint32_t rest = 0;
        if (number > 0) layout_note_key(w->document, note, &key, &len, &rest);
        open_tag(w, "aside", "footnote", index);
        if (number > 0)
            g_string_append_printf(w->out,
                                   "<a class=\"back\" id=\"fn-%u\" href=\"#call-%u\">%u</a> ",
                                   number, number, number);
        else
            append_marker(w, note);
        append_text(w, index, rest);
        g_string_append(w->out, "</aside>\n");
    }
    g_array_set_size(w->waiting, 0);
}

static void
close_references(writer *w)
{
    if (w->in_references) g_string_append(w->out, "</ul>\n");
    w->in_references = FALSE;
}

static void
append_heading(writer *w, guint index)
{
    const layout_block *block = &w->document->blocks[index];
    const guint level = (guint)CLAMP(block->level, 1, 7);
    flush_notes(w);
    while (w->n_sections > 0 && w->sections[w->n_sections - 1] >= level) {
        g_string_append(w->out, "</section>\n");
        w->n_sections--;
    }
    w->sections[w->n_sections++] = level;
    const guint shown = MIN(level + w->heading_offset, 6);
    char tag[] = {'h', (char)('0' + shown), '\0'};
    g_string_append(w->out, "<section>\n");
    append_simple(w, tag, NULL, index);
}

/* ---- what is shown ---- */

static void
append_table(writer *w, guint index)
{
    const layout_block *block = &w->document->blocks[index];
    if (block->item == LAYOUT_NONE) {
        append_simple(w, "p", NULL, index);
        return;
    }
    open_tag(w, "figure", "table", index);
    g_string_append_c(w->out, '\n');
    append_captions(w, index, TRUE);
    layout_table_to_html(w->out, w->document, &w->document->tables[block->item], LAYOUT_TABLE_PAGE,
                         w->options);
    append_captions(w, index, FALSE);
    g_string_append(w->out, "</figure>\n");
}

/* What the picture shows, for those who do not see it: its caption, else its label. */
static void
append_alt(writer *w, guint index, const layout_figure *figure)
{
    const int caption = w->captions.first[index];
    const char *text = caption != LAYOUT_NONE ? w->document->blocks[caption].text
                       : figure->label        ? figure->label
                                              : "Figure";
    g_autofree char *line = g_strdelimit(g_strdup(text), "\n\t\r", ' ');
    g_string_append(w->out, " alt=\"");
    html_append_escaped(w->out, line);
    g_string_append_c(w->out, '"');
}

static void
append_figure(writer *w, guint index)
{
    const layout_block *block = &w->document->blocks[index];
    const layout_figure *figure =
        block->item == LAYOUT_NONE ? NULL : &w->document->figures[block->item];
    open_tag(w, "figure", NULL, index);
    g_string_append_c(w->out, '\n');
    append_captions(w, index, TRUE);
    if (figure && layout_has_figure_image(w->options, figure->image)) {
        html_append_source(w->out, w->options, figure->image);
        append_alt(w, index, figure);
        g_string_append(w->out, " />\n");
    }
    append_captions(w, index, FALSE);
    g_string_append(w->out, "</figure>\n");
}

static void
append_captions(writer *w, guint owner, gboolean before)
{
    gboolean open = FALSE;
    for (int c = w->captions.first[owner]; c != LAYOUT_NONE; c = w->captions.next[c]) {
        if (((guint)c < owner) != before) continue;
        /* a figure has one figcaption */
        if (!open) g_string_append(w->out, "<figcaption>\n");
        open = TRUE;
        append_simple(w, "p",
                      w->document->blocks[c].type == LAYOUT_BLOCK_FOOTNOTE ? "note" : "caption",
                      (guint)c);
    }
    if (open) g_string_append(w->out, "</figcaption>\n");
}

static void
append_formula(writer *w, guint index)
{
    const layout_block *block = &w->document->blocks[index];
    const layout_formula *formula =
        block->item == LAYOUT_NONE ? NULL : &w->document->formulas[block->item];
    const char *picture = formula ? layout_formula_picture(w->options, formula) : NULL;
    const char *latex = formula ? layout_formula_shown(w->options, formula) : NULL;
    open_tag(w, "div", "formula", index);
    if (latex) {
        g_string_append(w->out, "<span class=\"math\">\\[");
        html_append_escaped(w->out, latex);
        g_string_append(w->out, "\\]</span>");
    } else if (!picture || !formula->latex) {
        append_text(w, index, 0);
    }
    if (picture) {
        html_append_source(w->out, w->options, picture);
        g_string_append(w->out, " alt=\"");
        html_append_escaped(w->out, formula->latex ? formula->latex : block->text);
        g_string_append(w->out, "\" />");
    }
    if (formula && formula->number) {
        g_string_append(w->out, " <span class=\"number\">(");
        html_append_escaped(w->out, formula->number);
        g_string_append(w->out, ")</span>");
    }
    g_string_append(w->out, "</div>\n");
}

static void
append_code(writer *w, guint index)
{
    open_tag(w, "pre", NULL, index);
    g_string_append(w->out, "<code>");
    html_append_preformatted(w->out, w->document->blocks[index].text);
    g_string_append(w->out, "</code></pre>\n");
}

/* ---- the whole ---- */

static void
append_block(writer *w, guint index)
{
    const layout_block *block = &w->document->blocks[index];
    if (layout_block_type_is_furniture(block->type) && !w->options->furniture) return;
    if (w->captions.owner[index] != LAYOUT_NONE) return;
    if (block->type == LAYOUT_BLOCK_FOOTNOTE) {
        g_array_append_val(w->waiting, index);
        return;
    }
    if (block->type != LAYOUT_BLOCK_LIST_ITEM) close_lists(w, 0);
    if (block->type != LAYOUT_BLOCK_REFERENCE) close_references(w);
    switch (block->type) {
    case LAYOUT_BLOCK_TITLE:
        append_simple(w, "h1", "title", index);
        break;
    case LAYOUT_BLOCK_HEADING:
        append_heading(w, index);
        break;
    case LAYOUT_BLOCK_LIST_ITEM:
        append_list_item(w, index);
        break;
    case LAYOUT_BLOCK_TABLE:
        append_table(w, index);
        break;
    case LAYOUT_BLOCK_FIGURE:
        append_figure(w, index);
        break;
    case LAYOUT_BLOCK_FORMULA:
        append_formula(w, index);
        break;
    case LAYOUT_BLOCK_CODE:
        append_code(w, index);
        break;
    case LAYOUT_BLOCK_REFERENCE:
        append_reference(w, index);
        break;
    case LAYOUT_BLOCK_PARAGRAPH:
        append_simple(w, "p", NULL, index);
        break;
    default:
        append_simple(w, "p", layout_block_type_name(block->type), index);
        break;
    }
}

static void
append_head(writer *w)
{
    const layout_metadata *meta = &w->document->meta;
    g_string_append(w->out, "<!DOCTYPE html>\n<html");
    if (meta->language) {
        g_string_append(w->out, " lang=\"");
        html_append_escaped(w->out, meta->language);
        g_string_append_c(w->out, '"');
    }
    g_string_append(w->out, ">\n<head>\n<meta charset=\"utf-8\" />\n<title>");
    const char *title = meta->title         ? meta->title
                        : meta->source_name ? meta->source_name
                                            : "Document";
    html_append_escaped(w->out, title);
    g_string_append(w->out,
                    "</title>\n<style>\n"
                    "body { max-width: 44em; margin: 2em auto; padding: 0 1em; line-height: 1.5; "
                    "font-family: serif; }\n"
                    "h1, h2, h3, h4, h5, h6 { line-height: 1.2; font-family: sans-serif; }\n"
                    "figure { margin: 1.5em 0; overflow-x: auto; }\n"
                    "img { max-width: 100%; }\n"
                    "table { border-collapse: collapse; }\n"
                    "td, th { border: 1px solid; padding: 0.1em 0.5em; text-align: left; }\n"
                    "pre { overflow-x: auto; }\n"
                    ".author, .abstract { font-style: italic; }\n"
                    ".caption, .footnote { font-size: 0.9em; }\n"
                    ".formula { text-align: center; }\n"
                    ".references, .marked { list-style: none; padding-left: 1em; }\n"
                    "</style>\n</head>\n<body>\n<article>\n");
}

char *
layout_document_to_html(const lode_document *document, const layout_write_options *options)
{
    const layout_write_options defaults = layout_write_options_default();
    writer w = {.document = document,
                .options = options ? options : &defaults,
                .out = g_string_new(NULL),
                .waiting = g_array_new(FALSE, FALSE, sizeof(guint))};
    layout_captions_init(&w.captions, document);
    layout_notes_init(&w.notes, document);
    w.heading_offset = layout_document_has_title(document) ? 1 : 0;
    append_head(&w);
    for (guint b = 0; b < document->n_blocks; b++) {
        layout_document_pass(document, b);
        append_block(&w, b);
    }
    close_lists(&w, 0);
    close_references(&w);
    flush_notes(&w);
    for (; w.n_sections > 0; w.n_sections--)
        g_string_append(w.out, "</section>\n");
    g_string_append(w.out, "</article>\n</body>\n</html>\n");
    layout_captions_clear(&w.captions);
    layout_notes_clear(&w.notes);
    g_array_unref(w.waiting);
    return g_string_free(w.out, FALSE);
}

/* A document -> Markdown: CommonMark, GFM tables and footnotes, $$...$$ formulas.
 *
 * The title is "# ", first-level sections "## "; a document without a title begins at "# ". Blocks come in
 * reading order, with three exceptions that make sentences and sections whole again: a caption stands with
 * its figure or table, footnotes at the end of the section that calls them, furniture only when asked for.
 * A table is GFM when its grid is plain, else HTML. A figure's alternative text is its label only: the
 * caption below says the rest, and saying it twice would count twice in a search index. */
#include "layout/writers.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    guint widths[8]; /* columns that an item of this depth is indented by, [0] = 0 */
    guint depth;     /* of the item written last; 0 outside a list */
    gboolean ordered[8];
    guint number[8]; /* of the last ordered item */
} list_state;

typedef struct {
    const lode_document *document;
    const layout_write_options *options;
    layout_sink *sink;
    GString *out; /* the sink's */
    guint heading_offset;
    gboolean run_in; /* the paragraph that comes next goes on in this line */
    int page;        /* of the last "<!-- page -->" */
    int *page_from;  /* [n_blocks] the lowest page that this block or a later one begins on */
    list_state list;
    layout_captions captions;
    layout_notes notes;
    GArray *waiting;      /* int: footnotes of this section, to be written at its end */
    layout_range *ranges; /* [n_blocks] where each block went; may be NULL */
} writer;

/* ---- blocks ---- */

/* Returns where the block starts. */
static gsize
begin_block(writer *w)
{
    w->list.depth = 0;
    if (w->run_in) {
        w->run_in = FALSE;
        g_string_append_c(w->out, ' ');
        return w->out->len;
    }
    if (w->out->len == 0) return 0;
    if (w->out->str[w->out->len - 1] != '\n') g_string_append_c(w->out, '\n');
    g_string_append_c(w->out, '\n');
    return w->out->len;
}

/* The block index reaches from start to the last character but the line's end. */
static void
end_block(writer *w, guint index, gsize start)
{
    gsize end = w->out->len;
    while (end > start && w->out->str[end - 1] == '\n')
        end--;
    if (w->ranges && end > start) {
        const gsize before = w->sink->n_before;
        w->ranges[index] = (layout_range){before + start, before + end};
    }
}

/* The text of a block from byte `from` on, as inlines; "from" is 0 but for footnotes and abstracts. */
static void
append_text(writer *w, guint index, uint32_t from, guint flags)
{
    const lode_document *d = w->document;
    const layout_block *block = &d->blocks[index];
    guint n_calls = 0, n_spans = block->n_spans;
    const layout_note_call *calls = layout_notes_calls(&w->notes, (int)index, &n_calls);
    const layout_span *spans = n_spans ? &d->spans[block->first_span] : NULL;
    g_autofree layout_span *moved = NULL;
    g_autofree layout_note_call *moved_calls = NULL;
    if (from > 0) {
        moved = g_new(layout_span, MAX(n_spans, 1));
        guint kept = 0;
        for (guint i = 0; i < n_spans; i++) {
            if (spans[i].start < from) continue;
            moved[kept] = spans[i];
            moved[kept++].start -= from;
        }
        spans = moved;
        n_spans = kept;
        while (n_calls > 0 && calls->start < from) {
            calls++;
            n_calls--;
        }
        moved_calls = g_new(layout_note_call, MAX(n_calls, 1));
        for (guint i = 0; i < n_calls; i++) {
            moved_calls[i] = calls[i];
            moved_calls[i].start -= from;
        }
        calls = moved_calls;
    }
    markdown_inline(w->out, block->text + from, block->text_len - from, spans, n_spans, calls,
                    n_calls, flags);
}

static void
append_paragraph(writer *w, guint index, uint32_t from, guint flags)
{
    if (w->document->blocks[index].text_len == from) return;
    const gsize start = begin_block(w);
    append_text(w, index, from, flags);
    markdown_escape_block_start(w->out, start);
    g_string_append_c(w->out, '\n');
    end_block(w, index, start);
}

static void
append_marks(GString *out, char mark, guint n)
{
    for (guint i = 0; i < n; i++)
        g_string_append_c(out, mark);
}

static void
append_heading(writer *w, guint index, guint level)
{
    const gsize start = begin_block(w);
    append_marks(w->out, '#', CLAMP(level, 1, 6));
    g_string_append_c(w->out, ' ');
    append_text(w, index, 0, MARKDOWN_NO_EMPHASIS);
    /* a closing run of # would be dropped by readers */
    gsize end = w->out->len;
    while (end > 0 && w->out->str[end - 1] == '#')
        end--;
    if (end < w->out->len && w->out->str[end - 1] == ' ')
        g_string_insert_c(w->out, (gssize)end, '\\');
    g_string_append_c(w->out, '\n');
    end_block(w, index, start);
}

/* A heading inside the first line of its paragraph: the next block goes on behind it. */
static void
append_run_in(writer *w, guint index)
{
    const gsize start = begin_block(w);
    append_text(w, index, 0, 0);
    markdown_escape_block_start(w->out, start);
    end_block(w, index, start);
    w->run_in = TRUE;
}

/* Bytes of a run-in label at the start of an abstract ("Abstract—", "ABSTRACT. "), 0 where none. */
static uint32_t
abstract_label(const layout_block *block)
{
    static const char *const words[] = {"abstract", "summary"};
    for (guint i = 0; i < G_N_ELEMENTS(words); i++) {
        const size_t n = strlen(words[i]);
        if (g_ascii_strncasecmp(block->text, words[i], n) != 0) continue;
        const char *p = block->text + n;
        gboolean mark = FALSE;
        while (*p == ' ' || *p == '.' || *p == ':' || *p == '-' || g_str_has_prefix(p, "—") ||
               g_str_has_prefix(p, "–")) {
            mark |= *p != ' ';
            p = g_utf8_next_char(p);
        }
        if (mark && *p) return (uint32_t)(p - block->text);
    }
    return 0;
}

/* Is the block before this one in the text already its heading, or part of the same abstract? */
static gboolean
abstract_has_heading(const writer *w, guint index)
{
    const lode_document *d = w->document;
    for (guint b = index; b-- > 0;) {
        const layout_block *before = &d->blocks[b];
        if (layout_block_type_is_furniture(before->type) || before->type == LAYOUT_BLOCK_FOOTNOTE)
            continue;
        return before->type == LAYOUT_BLOCK_HEADING || before->type == LAYOUT_BLOCK_ABSTRACT;
    }
    return FALSE;
}

static void
append_abstract(writer *w, guint index)
{
    const layout_block *block = &w->document->blocks[index];
    const uint32_t label = abstract_label(block);
    gsize start = G_MAXSIZE;
    if (!abstract_has_heading(w, index)) {
        start = begin_block(w);
        append_marks(w->out, '#', 1 + w->heading_offset);
        g_string_append(w->out, g_ascii_strncasecmp(block->text, "summary", 7) == 0 && label > 0
                                    ? " Summary\n"
                                    : " Abstract\n");
    }
    append_paragraph(w, index, label, 0);
    /* the heading stands for the printed label */
    if (start != G_MAXSIZE) end_block(w, index, start);
}

/* ---- lists ---- */

gboolean
markdown_is_ordered_marker(const char *marker, guint *number)
{
    const size_t digits = strspn(marker, "0123456789");
    if (digits < 1 || digits > 9 || (marker[digits] != '.' && marker[digits] != ')') ||
        marker[digits + 1])
        return FALSE;
    *number = (guint)strtoul(marker, NULL, 10);
    return TRUE;
}

gboolean
markdown_is_bullet(const char *marker)
{
    if (!marker || !*marker) return TRUE;
    return !*g_utf8_next_char(marker) && !g_unichar_isalnum(g_utf8_get_char(marker));
}

static void
append_list_item(writer *w, guint index)
{
    const layout_block *block = &w->document->blocks[index];
    list_state *list = &w->list;
    const guint max_depth = G_N_ELEMENTS(list->widths) - 1;
    guint depth = (guint)CLAMP(block->level, 1, (int)max_depth);
    guint number = 0;
    const gboolean ordered = block->marker && markdown_is_ordered_marker(block->marker, &number);

    if (list->depth == 0) {
        begin_block(w);
        depth = 1;
    } else {
        depth = MIN(depth, list->depth + 1);
        /* readers would join two lists of one kind and renumber the second */
        if (ordered && depth <= list->depth && list->ordered[depth] &&
            number != list->number[depth] + 1) {
            begin_block(w);
            append_marks(w->out, ' ', list->widths[depth - 1]);
            g_string_append(w->out, "<!-- -->\n\n");
        }
    }
    const guint indent = list->widths[depth - 1];
    append_marks(w->out, ' ', indent);
    const gsize begin = w->out->len;
    if (ordered)
        g_string_append_printf(w->out, "%s ", block->marker);
    else
        g_string_append(w->out, "- ");
    list->widths[depth] = indent + (ordered ? (guint)strlen(block->marker) + 1 : 2);
    list->ordered[depth] = ordered;
    list->number[depth] = number;
    list->depth = depth;

    const gsize start = w->out->len;
    if (!ordered && !markdown_is_bullet(block->marker)) {
        markdown_inline(w->out, block->marker, (uint32_t)strlen(block->marker), NULL, 0, NULL, 0,
                        MARKDOWN_NO_EMPHASIS);
        g_string_append_c(w->out, ' ');
    }
    append_text(w, index, 0, 0);
    markdown_escape_block_start(w->out, start);
    g_string_append_c(w->out, '\n');
    end_block(w, index, begin);
}

/* ---- tables, figures, formulas, code, references, footnotes ---- */

/* GFM has one header row, no spans and no line ends. */
static gboolean
is_plain_grid(const lode_document *d, const layout_table *table)
{
    if (table->n_header_rows > 1 || table->n_rows == 0 || table->n_cols == 0) return FALSE;
    for (guint i = 0; i < table->n_cells; i++) {
        const layout_cell *cell = &d->cells[table->first_cell + i];
        if (cell->row_span > 1 || cell->col_span > 1 || strchr(cell->text, '\n')) return FALSE;
    }
    return TRUE;
}

/* From start on: a cell ends at any "|" without a backslash, even one in code or mathematics. */
static void
escape_bars(GString *out, gsize start)
{
    for (gsize i = start; i < out->len; i++)
        if (out->str[i] == '|') g_string_insert_c(out, (gssize)i++, '\\');
}

/* What stands under the heading of a column; GFM has nothing for decimal points. */
static const char *
rule_of(const layout_table *table, guint column)
{
    switch (table->align != NULL ? table->align[column] : LAYOUT_ALIGN_NONE) {
    case LAYOUT_ALIGN_LEFT:
        return "| :--- ";
    case LAYOUT_ALIGN_CENTER:
        return "| :---: ";
    case LAYOUT_ALIGN_RIGHT:
    case LAYOUT_ALIGN_DECIMAL:
        return "| ---: ";
    default:
        return "| --- ";
    }
}

static void
append_picture(writer *w, const char *image, const char *label)
{
    const char *dir = w->options->image_dir ? w->options->image_dir : "images";
    g_autofree char *path = *dir ? g_strconcat(dir, "/", image, NULL) : g_strdup(image);
    g_string_append(w->out, "![");
    markdown_inline(w->out, label, (uint32_t)strlen(label), NULL, 0, NULL, 0, MARKDOWN_NO_EMPHASIS);
    g_string_append_printf(w->out, strpbrk(path, " ()") ? "](<%s>)" : "](%s)", path);
}

static void
append_gfm_table(writer *w, const layout_table *table)
{
    g_autoptr(GArray) spans = g_array_new(FALSE, FALSE, sizeof(layout_span));
    g_autoptr(GStringChunk) strings = g_string_chunk_new(256);
    for (guint i = 0; i < table->n_cells; i++) {
        const layout_cell *cell = &w->document->cells[table->first_cell + i];
        g_string_append(w->out, cell->col == 0 ? "| " : " | ");
        const gsize start = w->out->len;
        const uint32_t len = (uint32_t)strlen(cell->text) - cell->n_mark;
        layout_cell_math(cell->text, spans, strings);
        const layout_span mark = {
            .start = len, .len = cell->n_mark, .flags = LAYOUT_SPAN_SUPERSCRIPT};
        if (cell->n_mark > 0) g_array_append_val(spans, mark);
        markdown_inline(w->out, cell->text, len + cell->n_mark,
                        (const layout_span *)(gpointer)spans->data, spans->len, NULL, 0,
                        MARKDOWN_NO_EMPHASIS);
        if (layout_has_figure_image(w->options, cell->image)) {
            if (*cell->text != '\0') g_string_append_c(w->out, ' ');
            append_picture(w, cell->image, "");
        }
        escape_bars(w->out, start);
        if (cell->col + 1 < table->n_cols) continue;
        g_string_append(w->out, " |\n");
        if (cell->row > 0) continue;
        for (guint c = 0; c < table->n_cols; c++)
            g_string_append(w->out, rule_of(table, c));
        g_string_append(w->out, "|\n");
    }
}

static void
append_captions(writer *w, guint owner, gboolean before)
{
    for (int c = w->captions.first[owner]; c != LAYOUT_NONE; c = w->captions.next[c]) {
        if (((guint)c < owner) == before) append_paragraph(w, (guint)c, 0, MARKDOWN_NO_EMPHASIS);
    }
}

static void
append_table(writer *w, guint index)
{
    const layout_block *block = &w->document->blocks[index];
    if (block->item == LAYOUT_NONE) {
        if (block->text_len > 0) append_paragraph(w, index, 0, 0);
        return;
    }
    const layout_table *table = &w->document->tables[block->item];
    append_captions(w, index, TRUE);
    const gsize start = begin_block(w);
    if (is_plain_grid(w->document, table))
        append_gfm_table(w, table);
    else
        layout_table_to_html(w->out, w->document, table, LAYOUT_TABLE_MARKDOWN, w->options);
    end_block(w, index, start);
    append_captions(w, index, FALSE);
}

static void
append_figure(writer *w, guint index)
{
    const layout_block *block = &w->document->blocks[index];
    const layout_figure *figure =
        block->item == LAYOUT_NONE ? NULL : &w->document->figures[block->item];
    if (figure && layout_has_figure_image(w->options, figure->image)) {
        const gsize start = begin_block(w);
        append_picture(w, figure->image, figure->label ? figure->label : "Figure");
        g_string_append_c(w->out, '\n');
        end_block(w, index, start);
    }
    append_captions(w, index, TRUE);
    append_captions(w, index, FALSE);
}

/* "$$" or an empty line inside would end the formula early. */
static gboolean
is_display(const char *latex)
{
    return latex && *latex && !strstr(latex, "$$") && !strstr(latex, "\n\n");
}

/* A formula without LaTeX: its characters, and its number behind them. */
static void
append_formula_text(writer *w, guint index, const layout_formula *formula)
{
    const gsize start = w->out->len;
    append_text(w, index, 0, MARKDOWN_NO_EMPHASIS);
    if (formula != NULL && formula->number != NULL) {
        g_autofree char *number = g_strdup_printf("(%s)", formula->number);
        g_string_append_c(w->out, ' ');
        markdown_inline(w->out, number, (uint32_t)strlen(number), NULL, 0, NULL, 0,
                        MARKDOWN_NO_EMPHASIS);
    }
    markdown_escape_block_start(w->out, start);
    g_string_append_c(w->out, '\n');
}

static void
append_formula(writer *w, guint index)
{
    const layout_block *block = &w->document->blocks[index];
    const layout_formula *formula =
        block->item == LAYOUT_NONE ? NULL : &w->document->formulas[block->item];
    const char *picture = formula ? layout_formula_picture(w->options, formula) : NULL;
    const char *latex = formula ? layout_formula_shown(w->options, formula) : NULL;
    const gboolean replaced = picture && formula->latex && !latex;
    if (!picture && !is_display(latex) && block->text_len == 0) return;
    const gsize start = begin_block(w);
    if (is_display(latex)) {
        g_string_append_printf(w->out, "$$%s", latex);
        if (formula->number && !strstr(latex, "\\tag") && !strpbrk(formula->number, "{}\\$"))
            g_string_append_printf(w->out, " \\tag{%s}", formula->number);
        g_string_append(w->out, "$$\n");
    } else if (!replaced) {
        append_formula_text(w, index, formula);
    }
    if (picture) {
        g_autofree char *label = formula->number ? g_strdup_printf("Formula (%s)", formula->number)
                                                 : g_strdup("Formula");
        if (w->out->len > start) g_string_append_c(w->out, '\n');
        append_picture(w, picture, label);
        g_string_append_c(w->out, '\n');
    }
    end_block(w, index, start);
}

static void
append_code(writer *w, guint index)
{
    const layout_block *block = &w->document->blocks[index];
    guint longest = 0, run = 0;
    for (const char *p = block->text; *p; p++) {
        run = *p == '`' ? run + 1 : 0;
        longest = MAX(longest, run);
    }
    const guint fence = MAX(3, longest + 1);
    const gsize start = begin_block(w);
    append_marks(w->out, '`', fence);
    g_string_append_printf(w->out, "\n%s", block->text);
    if (!g_str_has_suffix(block->text, "\n")) g_string_append_c(w->out, '\n');
    append_marks(w->out, '`', fence);
    g_string_append_c(w->out, '\n');
    end_block(w, index, start);
}

/* A paragraph with its printed marker in front, unless the text has it already. */
static void
append_marked(writer *w, guint index)
{
    const layout_block *block = &w->document->blocks[index];
    const gsize start = begin_block(w);
    if (block->marker && !g_str_has_prefix(block->text, block->marker)) {
        markdown_inline(w->out, block->marker, (uint32_t)strlen(block->marker), NULL, 0, NULL, 0,
                        MARKDOWN_NO_EMPHASIS);
        g_string_append_c(w->out, ' ');
    }
    append_text(w, index, 0, 0);
    markdown_escape_block_start(w->out, start);
    g_string_append_c(w->out, '\n');
    end_block(w, index, start);
}

static void
flush_notes(writer *w)
{
    for (guint i = 0; i < w->waiting->len; i++) {
        const guint index = (guint)g_array_index(w->waiting, int, i);
        const layout_block *note = &w->document->blocks[index];
        if (w->notes.number[index] == 0) {
            append_marked(w, index);
            continue;
        }
        const char *key;
        size_t len;
        uint32_t rest = 0;
        layout_note_key(w->document, note, &key, &len, &rest);
        const gsize start = begin_block(w);
        g_string_append_printf(w->out, "[^%u]: ", w->notes.number[index]);
        append_text(w, index, rest, 0);
        g_string_append_c(w->out, '\n');
        end_block(w, index, start);
    }
    g_array_set_size(w->waiting, 0);
}

/* ---- the whole ---- */

/* A float read away from its place begins on a page before or behind that of its neighbours: a page is broken
 * where nothing more of the pages before it follows. */
static int *
pages_from(const lode_document *d)
{
    int *from = g_new(int, MAX(d->n_blocks, 1)), lowest = G_MAXINT;
    for (guint b = d->n_blocks; b-- > 0;) {
        const layout_block *block = &d->blocks[b];
        layout_document_pass(d, b);
        if (block->n_boxes > 0 && !layout_block_type_is_furniture(block->type))
            lowest = MIN(lowest, d->boxes[block->first_box].page);
        from[b] = lowest;
    }
    return from;
}

static void
append_page_break(writer *w, guint index)
{
    const int page = w->page_from[index];
    if (!w->options->page_breaks || page <= w->page || page == G_MAXINT) return;
    w->page = page;
    begin_block(w);
    g_string_append_printf(w->out, "<!-- page %d -->\n", page + 1);
}

static void
append_block(writer *w, guint index)
{
    const layout_block *block = &w->document->blocks[index];
    if (layout_block_type_is_furniture(block->type) && !w->options->furniture) return;
    if (w->captions.owner[index] != LAYOUT_NONE) return;
    if (block->type == LAYOUT_BLOCK_FOOTNOTE) {
        const int note = (int)index;
        g_array_append_val(w->waiting, note);
        return;
    }
    if (block->type != LAYOUT_BLOCK_PARAGRAPH) w->run_in = FALSE;
    if (block->type == LAYOUT_BLOCK_HEADING && !block->run_in) flush_notes(w);
    append_page_break(w, index);

    switch (block->type) {
    case LAYOUT_BLOCK_TITLE:
        append_heading(w, index, 1);
        break;
    case LAYOUT_BLOCK_HEADING:
        if (block->run_in)
            append_run_in(w, index);
        else
            append_heading(w, index, (guint)MAX(block->level, 1) + w->heading_offset);
        break;
    case LAYOUT_BLOCK_ABSTRACT:
        append_abstract(w, index);
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
        append_marked(w, index);
        break;
    case LAYOUT_BLOCK_CAPTION:
        append_paragraph(w, index, 0, MARKDOWN_NO_EMPHASIS);
        break;
    case LAYOUT_BLOCK_AUTHOR:
        append_paragraph(w, index, 0, MARKDOWN_NO_EMPHASIS);
        break;
    default:
        append_paragraph(w, index, 0, 0);
        break;
    }
}

static void
write_markdown(layout_sink *sink, const layout_write_options *options, layout_range *ranges)
{
    const layout_write_options defaults = layout_write_options_default();
    const lode_document *document = sink->document;
    writer w = {.document = document,
                .options = options ? options : &defaults,
                .sink = sink,
                .out = sink->text,
                .page = -1,
                .page_from = pages_from(document),
                .ranges = ranges,
                .waiting = g_array_new(FALSE, FALSE, sizeof(int))};
    w.heading_offset = layout_document_has_title(document) ? 1 : 0;
    if (ranges) memset(ranges, 0, document->n_blocks * sizeof *ranges);
    layout_captions_init(&w.captions, document);
    layout_notes_init(&w.notes, document);
    for (guint b = 0; b < document->n_blocks && !sink->failed; b++) {
        append_block(&w, b);
        layout_sink_step(sink, 1);
    }
    flush_notes(&w);

    layout_captions_clear(&w.captions);
    g_free(w.page_from);
    layout_notes_clear(&w.notes);
    g_array_unref(w.waiting);
}

gboolean
layout_document_write_markdown(const lode_document *document, const layout_write_options *options,
                               layout_range *ranges, layout_write_fn write, void *user_data)
{
    layout_sink sink;
    layout_sink_init(&sink, document, write, user_data);
    write_markdown(&sink, options, ranges);
    return layout_sink_end(&sink);
}

char *
layout_document_to_markdown_ranges(const lode_document *document,
                                   const layout_write_options *options, layout_range *ranges)
{
    layout_sink sink;
    layout_sink_init(&sink, document, NULL, NULL);
    write_markdown(&sink, options, ranges);
    return layout_sink_take(&sink);
}

char *
layout_document_to_markdown(const lode_document *document, const layout_write_options *options)
{
    return layout_document_to_markdown_ranges(document, options, NULL);
}

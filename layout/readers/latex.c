/* LaTeX source: articles as their authors wrote them.
 *
 * No TeX: no boxes, no counters in registers, no category codes. What authors write in the body of a paper is read
 * for what it means, with their own macros expanded; what is there for looks alone is left out. Files are read only
 * below the main file's folder, see layout_source_beside.
 *
 * Grammar and commands: Lamport, "LaTeX: A Document Preparation System", 2nd edition, appendix C; the packages'
 * manuals for natbib, biblatex, booktabs, multirow, amsmath, amsthm, algorithmic, listings. */
#include "layout/readers/latex.h"

#include <string.h>

#include "layout/readers/html.h"

#define MAX_SOURCE ((gsize)64 << 20)
#define MAX_RUNS   64

layout_sniff
layout_latex_sniff(const layout_source *source)
{
    g_autofree char *head = layout_source_head(source);
    if (head == NULL) return LAYOUT_SNIFF_NO;
    for (const char *at = head; (at = strstr(at, "\\document")) != NULL; at++) {
        if (!g_str_has_prefix(at, "\\documentclass") && !g_str_has_prefix(at, "\\documentstyle"))
            continue;
        /* not in a comment, nor quoted in the prose of something else */
        const char *line = at;
        while (line > head && line[-1] != '\n')
            line--;
        if (line[strspn(line, " \t")] == '\\') return LAYOUT_SNIFF_SURE;
    }
    if (strstr(head, "\n\\begin{document}") != NULL || g_str_has_prefix(head, "\\begin{document}"))
        return LAYOUT_SNIFF_SURE;
    static const char *const words[] = {"\\section{", "\\begin{", "\\end{", "\\label{", "\\cite"};
    guint n = 0;
    for (gsize i = 0; i < G_N_ELEMENTS(words); i++)
        n += strstr(head, words[i]) != NULL ? 1 : 0;
    if (n >= 3 && layout_source_has_extension(source, " tex ltx ")) return LAYOUT_SNIFF_LIKELY;
    return n >= 1 && layout_source_has_extension(source, " tex ltx ") ? LAYOUT_SNIFF_WEAK
                                                                      : LAYOUT_SNIFF_NO;
}

/* ---- numbers ---- */

void
tex_set_current(tex_reader *r, const char *kind, const char *number)
{
    g_free(r->current);
    g_free(r->current_kind);
    r->current = g_strdup(number);
    r->current_kind = g_strdup(kind);
}

void
tex_label(tex_reader *r, const char *label)
{
    if (r->current == NULL) return;
    g_hash_table_replace(r->labels, g_strdup(label), g_strdup(r->current));
    g_hash_table_replace(r->kinds, g_strdup(label), g_strdup(r->current_kind));
}

char *
tex_step(tex_reader *r, const char *counter)
{
    const guint n = GPOINTER_TO_UINT(g_hash_table_lookup(r->counters, counter)) + 1;
    g_hash_table_replace(r->counters, g_strdup(counter), GUINT_TO_POINTER(n));
    return r->chapters && r->section[1] > 0 ? g_strdup_printf("%u.%u", r->section[1], n)
                                            : g_strdup_printf("%u", n);
}

/* ---- text ---- */

/* "--" and the like as TeX's fonts have them. */
static void
put_text(tex_reader *r, const char *text, gsize len)
{
    g_autoptr(GString) out = g_string_sized_new(len);
    for (const char *p = text, *end = text + len; p < end; p++) {
        gsize n = 1;
        while (n < 3 && p + n < end && p[n] == *p)
            n++;
        if (*p == '-' && n > 1) {
            g_string_append(out, n == 3 ? "\342\200\224" : "\342\200\223");
            p += n - 1;
        } else if (*p == '`') {
            g_string_append(out, n > 1 ? "\342\200\234" : "\342\200\230");
            p += MIN(n, 2) - 1;
        } else if (*p == '\'' && n > 1) {
            g_string_append(out, "\342\200\235");
            p += 1;
        } else if (*p == '~') {
            g_string_append_c(out, ' ');
        } else {
            g_string_append_c(out, *p);
        }
    }
    layout_pen_text(&r->pen, out->str, (gssize)out->len);
}

static void
write_notes(tex_reader *r, int caller)
{
    if (r->notes->len == 0) return;
    g_autoptr(GPtrArray) notes = r->notes;
    r->notes = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < notes->len; i++) {
        g_autofree char *number = g_strdup_printf("%u", r->first_note + i);
        r->pen.style = LAYOUT_SPAN_SUPERSCRIPT;
        layout_pen_text(&r->pen, number, -1);
        r->pen.style = 0;
        layout_pen_text(&r->pen, " ", 1);
        r->flat++; /* a note is one block */
        tex_run(r, notes->pdata[i]);
        r->flat--;
        const int index = layout_pen_block(&r->pen, LAYOUT_BLOCK_FOOTNOTE, 0, NULL);
        if (index != LAYOUT_NONE) layout_builder_block(r->pen.builder, index)->parent = caller;
    }
}

void
tex_end_block(tex_reader *r)
{
    if (r->flat > 0) {
        layout_pen_text(&r->pen, " ", 1);
        return;
    }
    const guint style = r->pen.style;
    int index;
    if (r->in_item && r->pen.text->len > 0) {
        index = layout_pen_block(&r->pen, LAYOUT_BLOCK_LIST_ITEM, MAX(r->list_depth, 1),
                                 r->marker != NULL ? r->marker : "-");
        r->in_item = FALSE;
    } else {
        index = layout_pen_block(&r->pen, r->type, 0, NULL);
    }
    r->pen.style = 0;
    write_notes(r, index);
    r->pen.style = style;
}

void
tex_heading(tex_reader *r, const char *title, int level)
{
    tex_end_block(r);
    const guint style = r->pen.style;
    r->pen.style = 0;
    r->flat++;
    tex_run(r, title);
    r->flat--;
    const int index =
        r->flat > 0 ? LAYOUT_NONE : layout_pen_block(&r->pen, LAYOUT_BLOCK_HEADING, level, NULL);
    if (r->flat == 0) write_notes(r, index);
    r->pen.style = style;
}

/* ---- runs ---- */

static void
take_token(tex_reader *r, const tex_token *token)
{
    switch (token->kind) {
    case TEX_TEXT:
        if (r->in_document) put_text(r, token->text, token->len);
        break;
    case TEX_SPACE:
        layout_pen_text(&r->pen, " ", 1);
        break;
    case TEX_PAR:
        if (r->in_item && r->pen.text->len == 0) break;
        tex_end_block(r);
        break;
    case TEX_OPEN:
        g_array_append_val(r->styles, r->pen.style);
        break;
    case TEX_CLOSE:
        if (r->styles->len == 0) break;
        r->pen.style = g_array_index(r->styles, guint, r->styles->len - 1);
        g_array_set_size(r->styles, r->styles->len - 1);
        break;
    case TEX_MATH:
        tex_dollar(r);
        break;
    case TEX_AND:
        layout_pen_text(&r->pen, " ", 1);
        break;
    default:
        tex_command(r, token->name);
    }
}

void
tex_run(tex_reader *r, const char *text)
{
    if (r->failed != NULL || r->ended) return;
    if (r->depth >= MAX_RUNS) {
        r->failed = g_error_new_literal(LAYOUT_ERROR, LAYOUT_ERROR_LIMIT,
                                        "commands stand inside of each other without end");
        return;
    }
    const guint base = r->base, style = r->pen.style, n_styles = r->styles->len;
    r->base = r->frames->len;
    r->depth++;
    if (tex_push(r, g_strdup(text), NULL, "the text")) {
        tex_token token;
        for (tex_next(r, &token); token.kind != TEX_END; tex_next(r, &token))
            take_token(r, &token);
    }
    r->depth--;
    r->base = base;
    r->pen.style = style;
    g_array_set_size(r->styles, MIN(r->styles->len, n_styles));
}

char *
tex_flat(tex_reader *r, const char *text)
{
    layout_pen *pen = &r->pen;
    GString *outer = pen->text;
    GArray *spans = pen->spans;
    const guint n_calls = pen->calls->len, style = pen->style;
    pen->text = g_string_new(NULL);
    pen->spans = g_array_new(FALSE, FALSE, sizeof(layout_span));
    pen->style = 0;
    r->flat++;
    tex_run(r, text);
    r->flat--;
    const guint outer_first = pen->first_call;
    pen->first_call = n_calls;
    char *flat = layout_pen_take_flat(pen);
    pen->first_call = outer_first;
    g_string_free(pen->text, TRUE);
    g_array_unref(pen->spans);
    pen->text = outer;
    pen->spans = spans;
    pen->style = style;
    return flat;
}

/* ---- title and authors ---- */

/* A name without its footnotes' marks: formulas, stars, numbers at its end. */
static char *
without_marks(const char *name)
{
    GString *out = g_string_new(NULL);
    gboolean math = FALSE;
    for (const char *p = name; *p != '\0'; p = g_utf8_next_char(p)) {
        const gunichar ch = g_utf8_get_char(p);
        if (ch == '$')
            math = !math;
        else if (!math && ch != '*' && ch != 0x2020 && ch != 0x2021 && !g_unichar_isdigit(ch))
            g_string_append_unichar(out, ch);
    }
    return g_strstrip(g_string_free(out, FALSE));
}

/* "A. B. Hopper\inst{1} \and C. Wu\\ University" -> the names alone. */
static void
gather_names(tex_reader *r, const char *author, GPtrArray *names)
{
    static const char *const breaks[] = {"\\and", "\\And", "\\AND", "\\quad", "\\qquad"};
    g_autoptr(GString) text = g_string_new(author);
    for (gsize i = 0; i < G_N_ELEMENTS(breaks); i++) {
        g_autofree char *pattern = g_strdup_printf("\\\\%s(?![a-zA-Z])", breaks[i] + 1);
        g_autoptr(GRegex) regex = g_regex_new(pattern, 0, 0, NULL);
        g_autofree char *made =
            g_regex_replace_literal(regex, text->str, (gssize)text->len, 0, "\x1E", 0, NULL);
        if (made != NULL) g_string_assign(text, made);
    }
    g_auto(GStrv) people = g_strsplit(text->str, "\x1E", -1);
    for (char **person = people; *person != NULL && names->len < 400; person++) {
        char *line = strstr(*person, "\\\\"); /* what follows is an address */
        if (line != NULL) *line = '\0';
        g_autofree char *flat = tex_flat(r, *person);
        g_auto(GStrv) parts = g_regex_split_simple(",\\s+(?:and\\s+)?|\\s+and\\s+", flat, 0, 0);
        for (char **part = parts; *part != NULL; part++) {
            g_autofree char *name = without_marks(*part);
            if (g_utf8_strlen(name, -1) > 2 && strchr(name, '@') == NULL)
                g_ptr_array_add(names, g_steal_pointer(&name));
        }
    }
}

/* What was read for its plain text alone must not number its notes. */
static void
forget_notes(tex_reader *r, guint n_notes, gpointer counter)
{
    g_ptr_array_set_size(r->notes, (int)n_notes);
    g_hash_table_replace(r->counters, g_strdup("footnote"), counter);
}

void
tex_front(tex_reader *r)
{
    if (r->front_done || (r->title == NULL && r->authors->len == 0)) return;
    r->front_done = TRUE;
    tex_end_block(r);
    layout_builder *builder = r->pen.builder;
    if (r->title != NULL) {
        const gpointer counter = g_hash_table_lookup(r->counters, "footnote");
        g_autofree char *plain = tex_flat(r, r->title);
        forget_notes(r, 0, counter);
        if (*plain != '\0')
            layout_builder_meta(builder)->title = layout_builder_copy(builder, plain, -1);
        r->flat++;
        tex_run(r, r->title);
        r->flat--;
        write_notes(r, layout_pen_block(&r->pen, LAYOUT_BLOCK_TITLE, 0, NULL));
    }
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < r->authors->len; i++) {
        const gpointer counter = g_hash_table_lookup(r->counters, "footnote");
        gather_names(r, r->authors->pdata[i], names);
        forget_notes(r, 0, counter);
        r->flat++;
        tex_run(r, r->authors->pdata[i]);
        r->flat--;
        write_notes(r, layout_pen_block(&r->pen, LAYOUT_BLOCK_AUTHOR, 0, NULL));
    }
    layout_builder_set_authors(builder, (const char *const *)(gpointer)names->pdata, names->len);
}

/* ---- the whole ---- */

static void
environment_clear(gpointer data)
{
    tex_environment *environment = data;
    g_free(environment->name);
    g_free(environment->option);
}

static void
pass_begin(tex_reader *r, layout_builder *builder)
{
    layout_pen_init(&r->pen, builder);
    tex_input_init(r);
    r->theorems = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    r->shared = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    r->counters = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    r->environments = g_array_new(FALSE, TRUE, sizeof(tex_environment));
    g_array_set_clear_func(r->environments, environment_clear);
    r->styles = g_array_new(FALSE, FALSE, sizeof(guint));
    r->notes = g_ptr_array_new_with_free_func(g_free);
    r->authors = g_ptr_array_new_with_free_func(g_free);
    r->cited = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    r->number = g_string_new(NULL);
    r->type = LAYOUT_BLOCK_PARAGRAPH;
}

static void
pass_end(tex_reader *r)
{
    char **const texts[] = {&r->marker, &r->current,   &r->current_kind,
                            &r->title,  &r->bib_files, &r->bib_style};
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++)
        g_free(*texts[i]);
    g_hash_table_unref(r->theorems);
    g_hash_table_unref(r->shared);
    g_hash_table_unref(r->counters);
    g_hash_table_unref(r->cited);
    g_array_unref(r->environments);
    g_array_unref(r->styles);
    g_ptr_array_unref(r->notes);
    g_ptr_array_unref(r->authors);
    g_string_free(r->number, TRUE);
    tex_input_clear(r);
    layout_pen_clear(&r->pen);
}

/* One reading of the document; labels and call-outs' texts are kept for the next. FALSE: error is set. */
static gboolean
pass(const layout_source *source, const char *text, layout_builder *builder, tex_reader *kept,
     gboolean final, GHashTable *pictures, GError **error)
{
    tex_reader r = {.source = source,
                    .labels = kept->labels,
                    .kinds = kept->kinds,
                    .cite_text = kept->cite_text,
                    .author_year = kept->author_year,
                    .all_cited = kept->all_cited,
                    .bib_files = g_strdup(kept->bib_files),
                    .bib_style = g_strdup(kept->bib_style),
                    .final = final,
                    .pictures = pictures};
    pass_begin(&r, builder);
    /* a part of a document has no preamble */
    r.in_document = strstr(text, "\\begin{document}") == NULL;
    tex_push(&r, g_strdup(text), source->name, "the document");
    tex_token token;
    for (tex_next(&r, &token); token.kind != TEX_END; tex_next(&r, &token))
        take_token(&r, &token);
    r.ended = FALSE;
    r.flat = 0;
    tex_front(&r);
    tex_end_block(&r);
    if (!r.bibliography_done && r.bib_files != NULL) tex_bibliography(&r);
    if (r.bib_waits) tex_bib_entries(&r, r.cited);
    tex_number_calls(&r);
    layout_pen_finish(&r.pen);
    if (final && r.failed == NULL && r.pen.chars == 0)
        r.failed = g_error_new_literal(LAYOUT_ERROR, LAYOUT_ERROR_FORMAT, "LaTeX without text");
    kept->author_year = r.author_year;
    if (!final) {
        kept->all_cited = g_hash_table_ref(r.cited);
        kept->bib_files = g_steal_pointer(&r.bib_files);
        kept->bib_style = g_steal_pointer(&r.bib_style);
    }
    GError *failed = r.failed;
    pass_end(&r);
    if (failed != NULL) g_propagate_error(error, failed);
    return failed == NULL;
}

gboolean
layout_latex_read(const layout_source *source, const layout_options *options,
                  layout_builder *builder, GHashTable *pictures, GError **error)
{
    (void)options;
    if (source->len > MAX_SOURCE) {
        g_set_error_literal(error, LAYOUT_ERROR, LAYOUT_ERROR_LIMIT, "more than 64 MiB of LaTeX");
        return FALSE;
    }
    GString *text = layout_text_to_utf8((const char *)source->data, source->len, NULL);
    tex_reader kept = {.labels = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free),
                       .kinds = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free),
                       .cite_text = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free)};
    layout_builder *first = layout_builder_new();
    layout_reader_add_page(first);
    layout_reader_add_page(builder);
    const gboolean done = pass(source, text->str, first, &kept, FALSE, NULL, error) &&
                          pass(source, text->str, builder, &kept, TRUE, pictures, error);
    layout_builder_free(first);
    g_hash_table_unref(kept.labels);
    g_hash_table_unref(kept.kinds);
    g_hash_table_unref(kept.cite_text);
    if (kept.all_cited != NULL) g_hash_table_unref(kept.all_cited);
    g_free(kept.bib_files);
    g_free(kept.bib_style);
    g_string_free(text, TRUE);
    return done;
}

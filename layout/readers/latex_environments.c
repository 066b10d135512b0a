/* LaTeX's environments: lists, floats, theorems, code, and what is only a frame. */
#include "layout/readers/latex.h"
#include "parse/parse.h"

#include <math.h>
#include <string.h>

#define MAX_PICTURE  ((gsize)64 << 20)
#define DRAWN_DPI    200.0
#define DRAWN_PIXELS 16e6 /* of a picture that is a PDF; a poster is drawn coarser */

static gboolean
is_one_of(const char *name, const char *const *names)
{
    for (; *names != NULL; names++)
        if (strcmp(name, *names) == 0) return TRUE;
    return FALSE;
}

/* ---- floats ---- */

static const char *
float_kind(const char *name)
{
    if (strstr(name, "longtable") != NULL) return NULL; /* a table that has its own caption */
    if (g_str_has_prefix(name, "table") || g_str_has_prefix(name, "wraptable") ||
        g_str_has_prefix(name, "sidewaystable") || g_str_has_prefix(name, "margintable"))
        return "Table";
    if (g_str_has_prefix(name, "figure") || g_str_has_prefix(name, "wrapfigure") ||
        g_str_has_prefix(name, "sidewaysfigure") || strcmp(name, "SCfigure") == 0 ||
        strcmp(name, "teaserfigure") == 0 || strcmp(name, "marginfigure") == 0)
        return "Figure";
    if (strcmp(name, "algorithm") == 0 || strcmp(name, "algorithm*") == 0) return "Algorithm";
    return NULL;
}

void
tex_caption(tex_reader *r, const char *text)
{
    if (r->open == NULL || r->open->inner > 0) { /* of a sub-figure */
        tex_end_block(r);
        tex_run(r, text);
        tex_end_block(r);
        return;
    }
    g_free(r->open->caption);
    r->open->caption = g_strdup(text);
    if (r->open->number == NULL) {
        g_autofree char *counter = g_ascii_strdown(r->open->kind, -1);
        r->open->number = tex_step(r, counter);
    }
    tex_set_current(r, r->open->kind, r->open->number);
    /* a label may stand in the caption */
    const char *label = strstr(text, "\\label{");
    if (label != NULL) {
        label += strlen("\\label{");
        g_autofree char *name = g_strndup(label, strcspn(label, "}"));
        tex_label(r, name);
    }
}

/* The first page of a PDF as a picture, which is what \includegraphics shows of it; NULL where it cannot be drawn. */
static GBytes *
draw_pdf(tex_reader *r, const char *name, GBytes *pdf)
{
    gsize len = 0;
    const void *data = g_bytes_get_data(pdf, &len);
    g_autoptr(GError) error = NULL;
    g_autoptr(parse_file) file = parse_file_open_memory(data, len, name, NULL, &error);
    g_autoptr(parse_page) page = file != NULL ? parse_file_load_page(file, 0, &error) : NULL;
    GBytes *png = NULL;
    if (page != NULL) {
        const double inches = (double)(page->width_pt * page->height_pt) / (72.0 * 72.0);
        const double dpi = MIN(DRAWN_DPI, sqrt(DRAWN_PIXELS / MAX(inches, 0.01)));
        png = parse_file_render_png(file, 0, NULL, 0, dpi, &error);
    }
    if (png == NULL) tex_warn(r, "\\includegraphics{%s}: not drawn: %s", name, error->message);
    return png;
}

/* A picture beside the document under the name it has in the output; NULL: there is none. */
static char *
load_picture(tex_reader *r, const char *name)
{
    static const char *const endings[] = {".pdf", ".png", ".jpg", ".jpeg", ".svg", NULL};
    const char *dot = strrchr(name, '.');
    g_autofree char *ending = g_ascii_strdown(dot != NULL ? dot : "", -1);
    if (!is_one_of(ending, endings)) return NULL;
    g_autoptr(GBytes) bytes = layout_source_beside(r->source, name, MAX_PICTURE, NULL);
    const gboolean pdf = strcmp(ending, ".pdf") == 0;
    /* drawn in either reading: a name is given only to what can be */
    g_autoptr(GBytes) shown = bytes == NULL ? NULL
                              : pdf         ? draw_pdf(r, name, bytes)
                                            : g_bytes_ref(bytes);
    if (shown == NULL) return NULL;
    char *made = g_strdup_printf("figure-%u%s", ++r->n_pictures, pdf ? ".png" : ending);
    if (r->pictures != NULL) g_hash_table_insert(r->pictures, g_strdup(made), g_bytes_ref(shown));
    return made;
}

/* The first of the float's pictures that stands beside the document: its name in the output. NULL: none. Without an
 * ending the order is that of pdfTeX, which takes a PDF first. */
static char *
take_picture(tex_reader *r, const tex_float *f)
{
    static const char *const endings[] = {"", ".pdf", ".png", ".jpg", ".jpeg", ".svg"};
    if (!r->final) return NULL; /* the first reading is for labels */
    for (guint i = 0; i < f->pictures->len; i++) {
        for (gsize k = 0; k < G_N_ELEMENTS(endings); k++) {
            g_autofree char *name = g_strconcat(f->pictures->pdata[i], endings[k], NULL);
            char *made = load_picture(r, name);
            if (made != NULL) return made;
        }
    }
    return NULL;
}

static void
write_caption(tex_reader *r, const tex_float *f)
{
    if (f->caption == NULL) return;
    layout_pen_text(&r->pen, f->kind, -1);
    layout_pen_text(&r->pen, " ", 1);
    if (f->number != NULL) layout_pen_text(&r->pen, f->number, -1);
    layout_pen_text(&r->pen, ": ", 2);
    r->flat++;
    tex_run(r, f->caption);
    r->flat--;
}

static void
write_float(tex_reader *r, const tex_float *f)
{
    const guint style = r->pen.style;
    r->pen.style = 0;
    gboolean told = FALSE;
    if (f->grids->len == 0 && strcmp(f->kind, "Algorithm") != 0) {
        g_autofree char *label =
            f->number != NULL ? g_strdup_printf("%s %s", f->kind, f->number) : NULL;
        g_autofree char *image = take_picture(r, f);
        write_caption(r, f);
        if (r->pen.text->len > 0 || image != NULL) layout_pen_figure(&r->pen, label, image, NULL);
        told = TRUE;
    }
    for (guint i = 0; i < f->grids->len; i++) {
        if (!told) write_caption(r, f);
        if (layout_pen_grid_write(f->grids->pdata[i], &r->pen) != LAYOUT_NONE) told = TRUE;
    }
    if (!told) {
        write_caption(r, f);
        layout_pen_block(&r->pen, LAYOUT_BLOCK_CAPTION, 0, NULL);
    }
    r->pen.style = style;
}

void
tex_picture(tex_reader *r, const char *name)
{
    if (r->open != NULL) {
        g_ptr_array_add(r->open->pictures, g_strdup(name));
        return;
    }
    if (r->flat > 0 || !r->in_document) return;
    tex_end_block(r);
    const tex_float alone = {.kind = "Figure",
                             .grids = g_ptr_array_new(),
                             .pictures = g_ptr_array_new_with_free_func(g_free)};
    g_ptr_array_add(alone.pictures, g_strdup(name));
    write_float(r, &alone);
    g_ptr_array_unref(alone.grids);
    g_ptr_array_unref(alone.pictures);
}

/* body without "[ht]" in front and so many arguments in braces (wrapfigure: side and width). */
static const char *
behind_arguments(const char *body, guint n_args)
{
    for (guint i = 0; i <= 2 * n_args; i++) {
        const char *at = body + strspn(body, " \t");
        const gboolean option = *at == '[';
        if (!option && (n_args == 0 || *at != '{')) continue;
        const char *close = strchr(at, option ? ']' : '}');
        if (close == NULL) break;
        if (!option) n_args--;
        body = close + 1;
    }
    return body;
}

static void
run_float(tex_reader *r, const char *name, const char *kind)
{
    g_autofree char *body = tex_environment_body(r, name, FALSE);
    if (r->open != NULL || r->flat > 0) {
        tex_run(r, body);
        return;
    }
    tex_end_block(r);
    tex_float f = {.kind = kind,
                   .grids = g_ptr_array_new_with_free_func((GDestroyNotify)layout_pen_grid_free),
                   .pictures = g_ptr_array_new_with_free_func(g_free)};
    r->open = &f;
    tex_run(r, behind_arguments(body, g_str_has_prefix(name, "wrap") ? 2 : 0));
    tex_end_block(r);
    r->open = NULL;
    write_float(r, &f);
    g_free(f.caption);
    g_free(f.number);
    g_ptr_array_unref(f.grids);
    g_ptr_array_unref(f.pictures);
}

/* ---- tables ---- */

static gboolean
run_table(tex_reader *r, const char *name)
{
    static const char *const names[] = {"tabular",  "tabular*",    "tabularx",     "longtable",
                                        "tabulary", "deluxetable", "deluxetable*", "tblr",
                                        "longtabu", "tabu",        "supertabular", NULL};
    if (!is_one_of(name, names)) return FALSE;
    g_autofree char *body = tex_environment_body(r, name, FALSE);
    const gboolean own =
        r->open == NULL && (strstr(body, "\\caption") || strstr(body, "\\tablecaption"));
    layout_pen_grid *grid = NULL;
    if (r->flat > 0) { /* inside of a cell or title: its text */
        g_autofree char *flat = g_strdelimit(g_strdup(body), "&", ' ');
        const char *at = flat + strcspn(flat, "}");
        tex_run(r, *at == '}' ? at + 1 : flat);
        return TRUE;
    }
    tex_float f = {.kind = "Table",
                   .grids = g_ptr_array_new_with_free_func((GDestroyNotify)layout_pen_grid_free),
                   .pictures = g_ptr_array_new_with_free_func(g_free)};
    if (own) { /* longtable: the caption is a row */
        r->open = &f;
        tex_end_block(r);
        g_autoptr(GRegex) regex =
            g_regex_new("\\\\(?:table)?caption\\s*(?:\\[[^\\]]*\\])?\\s*(\\{(?:[^{}]|(?1))*\\})\\s*"
                        "(?:\\\\label\\{[^}]*\\})?\\s*(?:\\\\\\\\)?",
                        0, 0, NULL);
        g_autoptr(GMatchInfo) match = NULL;
        if (g_regex_match(regex, body, 0, &match)) {
            g_autofree char *text = g_match_info_fetch(match, 1);
            text[strlen(text) - 1] = '\0';
            tex_caption(r, text + 1);
            g_autofree char *whole = g_match_info_fetch(match, 0);
            const char *label = strstr(whole, "\\label{");
            if (label != NULL) {
                g_autofree char *key = g_strndup(label + 7, strcspn(label + 7, "}"));
                tex_label(r, key);
            }
            char *rest = g_regex_replace_literal(regex, body, -1, 0, "", 0, NULL);
            if (rest != NULL) {
                g_free(body);
                body = rest;
            }
        }
        r->open = NULL;
    }
    grid = tex_table(r, name, body);
    if (own) {
        g_ptr_array_add(f.grids, grid);
        write_float(r, &f);
    } else if (r->open != NULL) {
        g_ptr_array_add(r->open->grids, grid);
    } else {
        tex_end_block(r);
        layout_pen_grid_write(grid, &r->pen);
        layout_pen_grid_free(grid);
    }
    g_free(f.caption);
    g_free(f.number);
    g_ptr_array_unref(f.grids);
    g_ptr_array_unref(f.pictures);
    return TRUE;
}

/* ---- code, and what is left out ---- */

static gboolean
run_verbatim(tex_reader *r, const char *name)
{
    static const char *const code[] = {"verbatim", "verbatim*", "Verbatim", "lstlisting",
                                       "minted",   "alltt",     "code",     NULL};
    static const char *const left_out[] = {
        "comment", "tikzpicture",  "pgfpicture",    "picture", "CCSXML", "forest",
        "keyword", "filecontents", "filecontents*", "tikzcd",  "axis",   NULL};
    if (!is_one_of(name, code) && !is_one_of(name, left_out)) return FALSE;
    if (is_one_of(name, code)) {
        g_free(tex_optional(r));
        if (strcmp(name, "minted") == 0) g_free(tex_argument(r));
    }
    g_autofree char *file = NULL;
    if (g_str_has_prefix(name, "filecontents")) {
        g_free(tex_optional(r));
        file = tex_name_argument(r);
    }
    g_autofree char *body = tex_environment_body(r, name, TRUE);
    if (file != NULL) {
        g_hash_table_replace(r->files, g_steal_pointer(&file), g_steal_pointer(&body));
    } else if (is_one_of(name, code) && r->in_document) {
        if (r->flat > 0) {
            layout_pen_text(&r->pen, body, -1);
            return TRUE;
        }
        tex_end_block(r);
        layout_pen_code(&r->pen, body);
    }
    return TRUE;
}

/* ---- frames ---- */

static tex_environment *
open_environment(tex_reader *r, const char *name)
{
    const tex_environment e = {.name = g_strdup(name), .style = r->pen.style, .type = r->type};
    g_array_append_val(r->environments, e);
    return &g_array_index(r->environments, tex_environment, r->environments->len - 1);
}

static gboolean
is_list(const char *name)
{
    static const char *const names[] = {"itemize",     "enumerate",  "description", "compactitem",
                                        "compactenum", "inparaenum", "enumerate*",  "itemize*",
                                        "list",        "trivlist",   NULL};
    return is_one_of(name, names);
}

static gboolean
begin_theorem(tex_reader *r, const char *name)
{
    const char *title = g_hash_table_lookup(r->theorems, name);
    const gboolean proof = strcmp(name, "proof") == 0;
    if (title == NULL && !proof) return FALSE;
    tex_end_block(r);
    g_autofree char *note = tex_optional(r);
    const guint style = r->pen.style;
    r->pen.style = proof ? LAYOUT_SPAN_ITALIC : LAYOUT_SPAN_BOLD;
    if (proof) {
        tex_run(r, note != NULL ? note : "Proof");
        layout_pen_text(&r->pen, ".", 1);
    } else {
        const char *shared = g_hash_table_lookup(r->shared, name);
        g_autofree char *number = tex_step(r, shared != NULL ? shared : name);
        tex_set_current(r, title, number);
        tex_run(r, title);
        layout_pen_text(&r->pen, " ", 1);
        layout_pen_text(&r->pen, number, -1);
        if (note != NULL) {
            layout_pen_text(&r->pen, " (", 2);
            tex_run(r, note);
            layout_pen_text(&r->pen, ")", 1);
        }
        layout_pen_text(&r->pen, ".", 1);
    }
    r->pen.style = style;
    layout_pen_text(&r->pen, " ", 1);
    open_environment(r, name);
    return TRUE;
}

static gboolean
begin_own(tex_reader *r, const char *name)
{
    const tex_macro *macro = g_hash_table_lookup(r->user_environments, name);
    if (macro == NULL) return FALSE;
    char *text = tex_call(r, macro, macro->body);
    open_environment(r, name)->macro = macro;
    tex_push(r, text, NULL, name);
    return TRUE;
}

/* Arguments of frames that say nothing. */
static void
skip_frame_arguments(tex_reader *r, const char *name)
{
    static const char *const one[] = {"minipage",      "multicols", "adjustbox", "spacing",
                                      "subfigure",     "list",      "subtable",  "tcolorbox",
                                      "IEEEbiography", NULL};
    g_free(tex_optional(r));
    if (!is_one_of(name, one)) return;
    g_free(tex_optional(r));
    g_free(tex_argument(r));
    if (strcmp(name, "list") == 0) g_free(tex_argument(r));
}

void
tex_begin(tex_reader *r, const char *name)
{
    const char *kind = float_kind(name);
    if (strcmp(name, "document") == 0) {
        r->in_document = TRUE;
        return;
    }
    if (!r->in_document && strcmp(name, "abstract") != 0) {
        run_verbatim(r, name);
        return;
    }
    if (run_verbatim(r, name)) return;
    if (tex_is_math_environment(name)) {
        g_free(strcmp(name, "subequations") == 0 ? NULL : tex_optional(r));
        if (g_str_has_prefix(name, "alignat")) g_free(tex_argument(r));
        g_autofree char *body = tex_environment_body(r, name, FALSE);
        tex_display(r, name, body);
    } else if (kind != NULL) {
        run_float(r, name, kind);
    } else if (run_table(r, name)) {
        return;
    } else if (strcmp(name, "thebibliography") == 0) {
        g_free(tex_argument(r));
        g_autofree char *body = tex_environment_body(r, name, FALSE);
        tex_thebibliography(r, body);
    } else if (begin_own(r, name) || begin_theorem(r, name)) {
        return;
    } else if (is_list(name)) {
        tex_end_block(r);
        char *option = strcmp(name, "list") != 0 ? tex_optional(r) : NULL;
        if (option == NULL) skip_frame_arguments(r, name);
        open_environment(r, name)->option = option;
        if (r->list_depth < (int)G_N_ELEMENTS(r->items))
            r->items[r->list_depth] = tex_list_start(option) - 1U;
        r->list_depth++;
    } else if (strcmp(name, "abstract") == 0) {
        tex_front(r);
        tex_end_block(r);
        open_environment(r, name);
        r->type = LAYOUT_BLOCK_ABSTRACT;
    } else {
        if (strcmp(name, "frontmatter") != 0 && r->flat == 0) tex_end_block(r);
        skip_frame_arguments(r, name);
        if (g_str_has_prefix(name, "subfigure") || g_str_has_prefix(name, "subtable")) {
            if (r->open != NULL) r->open->inner++;
        }
        open_environment(r, name);
    }
}

void
tex_end(tex_reader *r, const char *name)
{
    if (strcmp(name, "document") == 0) {
        tex_end_block(r);
        r->ended = TRUE;
        return;
    }
    guint at = r->environments->len;
    while (at > 0 &&
           strcmp(g_array_index(r->environments, tex_environment, at - 1).name, name) != 0)
        at--;
    if (at == 0) return; /* never begun */
    const tex_environment *e = &g_array_index(r->environments, tex_environment, at - 1);
    const tex_macro *macro = e->macro;
    const guint style = e->style;
    const layout_block_type type = e->type;
    if (macro != NULL && macro->end != NULL) {
        tex_run(r, macro->end);
        at = MIN(at, r->environments->len);
        if (at == 0) return;
    }
    if (r->open == NULL || r->flat == 0) tex_end_block(r);
    if (is_list(name) && r->list_depth > 0) {
        r->list_depth--;
        r->in_item = FALSE;
        g_clear_pointer(&r->marker, g_free);
    }
    if ((g_str_has_prefix(name, "subfigure") || g_str_has_prefix(name, "subtable")) &&
        r->open != NULL && r->open->inner > 0)
        r->open->inner--;
    if (strcmp(name, "frontmatter") == 0) tex_front(r);
    r->type = type;
    r->pen.style = style;
    g_array_set_size(r->environments, at - 1);
}

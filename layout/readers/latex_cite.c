/* Call-outs and bibliographies of LaTeX documents.
 *
 * Entries come from a thebibliography, from the .bbl that BibTeX left beside the document or, without one, from the .bib
 * files (latex_bib.c). What a call-out looks like ("[3]", "(Li et al., 2023)") is known when the entries are: the first
 * of the two readings learns it. */
#include "layout/readers/latex.h"

#include <string.h>

#define MAX_BIB ((gsize)64 << 20)

/* ---- call-outs ---- */

typedef enum {
    CITE_BRACKETS,
    CITE_IN_TEXT,
    CITE_BARE,
    CITE_RAISED,
    CITE_AUTHOR,
    CITE_YEAR
} cite_form;

static gboolean
form_of(const char *command, cite_form *form)
{
    static const struct {
        const char *name;
        cite_form form;
    } forms[] = {
        {"cite", CITE_BRACKETS},      {"citep", CITE_BRACKETS},    {"parencite", CITE_BRACKETS},
        {"autocite", CITE_BRACKETS},  {"citet", CITE_IN_TEXT},     {"textcite", CITE_IN_TEXT},
        {"newcite", CITE_IN_TEXT},    {"citealp", CITE_BARE},      {"citealt", CITE_BARE},
        {"supercite", CITE_RAISED},   {"citeauthor", CITE_AUTHOR}, {"citeyear", CITE_YEAR},
        {"citeyearpar", CITE_YEAR},   {"footcite", CITE_BRACKETS}, {"citenum", CITE_BARE},
        {"Citet", CITE_IN_TEXT},      {"Citep", CITE_BRACKETS},    {"onlinecite", CITE_BARE},
        {"shortcite", CITE_BRACKETS}, {"fullcite", CITE_IN_TEXT}};
    for (gsize i = 0; i < G_N_ELEMENTS(forms); i++) {
        if (strcmp(forms[i].name, command) != 0) continue;
        *form = forms[i].form;
        return TRUE;
    }
    return FALSE;
}

/* What stands for key: "Li et al." and "2023", or its number alone. Free with g_strfreev. */
static char **
words_of(const tex_reader *r, const char *key)
{
    const char *text = g_hash_table_lookup(r->cite_text, key);
    return g_strsplit(text != NULL ? text : "?", "\n", 2);
}

static void
put_call(tex_reader *r, const char *key, cite_form form)
{
    g_auto(GStrv) words = words_of(r, key);
    const gsize start = r->pen.text->len;
    const gboolean named = words[1] != NULL;
    if (form == CITE_YEAR && named) {
        layout_pen_text(&r->pen, words[1], -1);
    } else if (form == CITE_AUTHOR || !named) {
        layout_pen_text(&r->pen, words[0], -1);
    } else {
        layout_pen_text(&r->pen, words[0], -1);
        layout_pen_text(&r->pen, form == CITE_IN_TEXT ? " (" : ", ", 2);
        layout_pen_text(&r->pen, words[1], -1);
        if (form == CITE_IN_TEXT) layout_pen_text(&r->pen, ")", 1);
    }
    layout_pen_call(&r->pen, start, key);
}

static void
remember_calls(tex_reader *r, const char *all)
{
    g_auto(GStrv) keys = g_strsplit(all, ",", -1);
    for (char **key = keys; *key != NULL; key++)
        if (!g_hash_table_contains(r->cited, g_strstrip(*key)))
            g_hash_table_insert(r->cited, g_strdup(*key),
                                GUINT_TO_POINTER(g_hash_table_size(r->cited) + 1));
}

gboolean
tex_cite(tex_reader *r, const char *command)
{
    cite_form form;
    if (strcmp(command, "nocite") == 0) {
        g_autofree char *all = tex_name_argument(r);
        remember_calls(r, all);
        return TRUE;
    }
    if (!form_of(command, &form)) return FALSE;
    tex_take(r, '*');
    g_autofree char *first = tex_optional(r), *second = first != NULL ? tex_optional(r) : NULL;
    const char *before = second != NULL ? first : NULL, *after = second != NULL ? second : first;
    g_autofree char *all = tex_name_argument(r);
    remember_calls(r, all);
    g_auto(GStrv) keys = g_strsplit(all, ",", -1);
    const gboolean around = form == CITE_BRACKETS;
    const guint style = r->pen.style;
    if (form == CITE_RAISED) r->pen.style |= LAYOUT_SPAN_SUPERSCRIPT;
    if (around) layout_pen_text(&r->pen, r->author_year ? "(" : "[", 1);
    if (before != NULL && *before != '\0') {
        tex_run(r, before);
        layout_pen_text(&r->pen, " ", 1);
    }
    for (guint i = 0; keys[i] != NULL; i++) {
        const char *key = g_strstrip(keys[i]);
        if (i > 0) layout_pen_text(&r->pen, r->author_year && around ? "; " : ", ", 2);
        put_call(r, key, form);
    }
    if (after != NULL && *after != '\0') {
        layout_pen_text(&r->pen, ", ", 2);
        tex_run(r, after);
    }
    if (around) layout_pen_text(&r->pen, r->author_year ? ")" : "]", 1);
    r->pen.style = style;
    return TRUE;
}

/* ---- entries as printed ---- */

void
tex_begin_bibliography(tex_reader *r)
{
    tex_end_block(r);
    layout_pen_text(&r->pen, "References", -1);
    layout_pen_block(&r->pen, LAYOUT_BLOCK_HEADING, 1, NULL);
    r->bibliography_done = TRUE;
}

/* natbib's "{Li et al.(2023)Li, Wu}" -> "Li et al.\n2023"; NULL for another label. */
static char *
names_and_year(tex_reader *r, const char *label)
{
    g_autofree char *flat = tex_flat(r, label);
    const char *open = strchr(flat, '('), *close = open != NULL ? strchr(open, ')') : NULL;
    if (close == NULL || open == flat || close - open < 5) return NULL;
    g_autofree char *names = g_strstrip(g_strndup(flat, (gsize)(open - flat)));
    return g_strdup_printf("%s\n%.*s", names, (int)(close - open - 1), open + 1);
}

static void
write_entry(tex_reader *r, const char *key, const char *label, const char *text, guint number)
{
    char marker[24];
    g_autofree char *called = label != NULL ? names_and_year(r, label) : NULL;
    g_snprintf(marker, sizeof marker, "[%u]", number);
    if (called != NULL) {
        r->author_year = TRUE;
    } else if (label != NULL) {
        g_autofree char *flat = tex_flat(r, label);
        called = strlen(flat) < 12 && *flat != '\0' ? g_steal_pointer(&flat) : NULL;
        if (called != NULL) g_snprintf(marker, sizeof marker, "[%s]", called);
    }
    if (called == NULL) called = g_strdup_printf("%u", number);
    g_hash_table_replace(r->cite_text, g_strdup(key), g_steal_pointer(&called));
    r->flat++;
    tex_run(r, text);
    r->flat--;
    layout_pen_printed_reference(&r->pen, key, r->author_year ? NULL : marker);
}

void
tex_thebibliography(tex_reader *r, const char *body)
{
    tex_begin_bibliography(r);
    guint number = 0;
    const char *at = strstr(body, "\\bibitem");
    /* what stands in front defines the style's own commands */
    g_autofree char *front = g_strndup(body, at != NULL ? (gsize)(at - body) : 0);
    g_free(tex_flat(r, front));
    for (const char *next; at != NULL && r->failed == NULL; at = next) {
        const char *p = at + strlen("\\bibitem");
        next = strstr(p, "\\bibitem");
        while (next != NULL && g_ascii_isalpha(next[8])) /* \bibitemStop */
            next = strstr(next + 8, "\\bibitem");
        if (g_ascii_isalpha(*p)) continue;
        g_autofree char *entry = next != NULL ? g_strndup(p, (gsize)(next - p)) : g_strdup(p);
        const guint base = r->base;
        r->base = r->frames->len;
        tex_push(r, g_strdup(entry), NULL, "\\bibitem");
        g_autofree char *label = tex_optional(r), *key = tex_name_argument(r);
        GString *text = g_string_new(NULL); /* what the arguments left of the entry */
        tex_token token;
        for (tex_next(r, &token); token.kind != TEX_END; tex_next(r, &token)) {
            if (token.kind == TEX_TEXT) g_string_append_len(text, token.text, (gssize)token.len);
            if (token.kind == TEX_SPACE || token.kind == TEX_PAR) g_string_append_c(text, ' ');
            if (token.kind >= TEX_OPEN) g_string_append_c(text, "{}$&"[token.kind - TEX_OPEN]);
            if (token.kind == TEX_COMMAND)
                g_string_append_printf(text, g_ascii_isalpha(token.name[0]) ? "\\%s " : "\\%s",
                                       token.name);
        }
        r->base = base;
        write_entry(r, key, label, text->str, ++number);
        g_string_free(text, TRUE);
    }
}

/* ---- .bbl ---- */

char *
tex_load_beside(tex_reader *r, const char *name)
{
    const char *own = g_hash_table_lookup(r->files, name);
    if (own != NULL) return g_strdup(own);
    g_autoptr(GBytes) bytes = layout_source_beside(r->source, name, MAX_BIB, NULL);
    if (bytes == NULL) return NULL;
    gsize len = 0;
    const char *data = g_bytes_get_data(bytes, &len);
    return g_utf8_make_valid(data != NULL ? data : "", (gssize)len);
}

static char *
load_bbl(tex_reader *r)
{
    const char *name = r->source->member != NULL ? r->source->member : r->source->name;
    g_autofree char *base = g_path_get_basename(name);
    char *dot = strrchr(base, '.');
    if (dot != NULL) *dot = '\0';
    g_autofree char *bbl = g_strconcat(base, ".bbl", NULL);
    return tex_load_beside(r, bbl);
}

void
tex_bibliography(tex_reader *r)
{
    if (r->bibliography_done) return;
    r->bibliography_done = TRUE;
    g_autofree char *bbl = load_bbl(r);
    const char *begin = bbl != NULL ? strstr(bbl, "\\begin{thebibliography}") : NULL;
    if (begin == NULL) {
        /* all that is called, also behind this place: known when the first reading ends */
        if (r->final)
            tex_bib_entries(r, r->all_cited);
        else
            r->bib_waits = TRUE;
        return;
    }
    tex_end_block(r);
    tex_run(r, bbl);
}

static void
number_one(gpointer key, gpointer order, gpointer data)
{
    tex_reader *r = data;
    if (g_hash_table_contains(r->cite_text, key)) return;
    g_hash_table_insert(r->cite_text, g_strdup(key),
                        g_strdup_printf("%u", GPOINTER_TO_UINT(order)));
}

void
tex_number_calls(tex_reader *r)
{
    if (!r->bib_written) g_hash_table_foreach(r->cited, number_one, r);
}

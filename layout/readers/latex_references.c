/* What LaTeX's text refers to, and what it sets in a way of its own: numbers of sections and figures, links, footnotes,
 * quantities with units, verbatim words. */
#include "layout/readers/latex.h"

#include <string.h>

/* ---- references to what has a number ---- */

static void
put_reference(tex_reader *r, const char *name)
{
    const gboolean clever =
        strcmp(name, "cref") == 0 || strcmp(name, "autoref") == 0 || strcmp(name, "Cref") == 0;
    tex_take(r, '*');
    g_autofree char *all = tex_name_argument(r);
    g_auto(GStrv) labels = g_strsplit(all, ",", -1);
    for (guint i = 0; labels[i] != NULL; i++) {
        const char *label = g_strstrip(labels[i]);
        const char *number = g_hash_table_lookup(r->labels, label);
        const char *kind = g_hash_table_lookup(r->kinds, label);
        if (i > 0) layout_pen_text(&r->pen, ", ", 2);
        if (clever && i == 0 && kind != NULL) {
            g_autofree char *word =
                strcmp(name, "cref") == 0 ? g_utf8_strdown(kind, -1) : g_strdup(kind);
            layout_pen_text(&r->pen, word, -1);
            layout_pen_text(&r->pen, " ", 1);
        }
        const gboolean brackets =
            strcmp(name, "eqref") == 0 || (clever && kind != NULL && strcmp(kind, "Equation") == 0);
        if (brackets) layout_pen_text(&r->pen, "(", 1);
        layout_pen_text(&r->pen, number != NULL ? number : "??", -1);
        if (brackets) layout_pen_text(&r->pen, ")", 1);
    }
}

static gboolean
is_reference(const char *name)
{
    static const char *const names[] = {"ref",     "eqref",     "cref",  "Cref",
                                        "autoref", "labelcref", "subref"};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
        if (strcmp(name, names[i]) == 0) return TRUE;
    return FALSE;
}

/* ---- links, notes, units ---- */

static void
put_link(tex_reader *r, const char *name)
{
    g_free(tex_optional(r));
    g_autofree char *address = tex_name_argument(r);
    g_autofree char *text = strcmp(name, "href") == 0 ? tex_argument(r) : NULL;
    g_autofree char *plain = g_strdup(address);
    char *to = plain; /* "\%", "\_" */
    for (const char *p = address; *p != '\0'; p++)
        if (*p != '\\' || p[1] == '\0' || g_ascii_isalnum(p[1])) *to++ = *p;
    *to = '\0';
    const guint style = r->pen.style;
    const char *target = r->pen.target;
    if (strstr(plain, "://") != NULL) {
        r->pen.style |= LAYOUT_SPAN_LINK;
        r->pen.target = g_string_chunk_insert(r->pen.strings, plain);
    }
    if (text != NULL)
        tex_run(r, text);
    else
        layout_pen_text(&r->pen, plain, -1);
    r->pen.style = style;
    r->pen.target = target;
}

static void
put_footnote(tex_reader *r)
{
    g_free(tex_optional(r));
    char *text = tex_argument(r);
    if (text == NULL || !r->in_document) {
        g_free(text);
        return;
    }
    const guint n = GPOINTER_TO_UINT(g_hash_table_lookup(r->counters, "footnote")) + 1;
    g_hash_table_replace(r->counters, g_strdup("footnote"), GUINT_TO_POINTER(n));
    if (r->notes->len == 0) r->first_note = n;
    g_ptr_array_add(r->notes, text);
    char number[16];
    g_snprintf(number, sizeof number, "%u", n);
    const guint style = r->pen.style;
    r->pen.style = LAYOUT_SPAN_SUPERSCRIPT;
    layout_pen_text(&r->pen, number, -1);
    r->pen.style = style;
}

/* "\meter\per\second" -> "m/s" */
static void
put_unit(tex_reader *r, const char *unit)
{
    static const struct {
        const char *name, *text;
    } units[] = {
        {"per", "/"},      {"meter", "m"},          {"metre", "m"},    {"second", "s"},
        {"gram", "g"},     {"kilogram", "kg"},      {"kelvin", "K"},   {"ampere", "A"},
        {"mole", "mol"},   {"hertz", "Hz"},         {"newton", "N"},   {"pascal", "Pa"},
        {"joule", "J"},    {"watt", "W"},           {"volt", "V"},     {"ohm", "Ω"},
        {"tesla", "T"},    {"electronvolt", "eV"},  {"percent", "%"},  {"degree", "°"},
        {"celsius", "°C"}, {"degreeCelsius", "°C"}, {"litre", "L"},    {"liter", "L"},
        {"minute", "min"}, {"hour", "h"},           {"day", "d"},      {"byte", "B"},
        {"bit", "bit"},    {"kilo", "k"},           {"mega", "M"},     {"giga", "G"},
        {"tera", "T"},     {"milli", "m"},          {"micro", "µ"},    {"nano", "n"},
        {"pico", "p"},     {"femto", "f"},          {"centi", "c"},    {"squared", "²"},
        {"cubed", "³"},    {"square", ""},          {"cubic", ""},     {"angstrom", "Å"},
        {"metres", "m"},   {"radian", "rad"},       {"decibel", "dB"}, {"micrometer", "µm"}};
    for (const char *p = unit; *p != '\0';) {
        const gsize n = *p == '\\' ? 1 + strspn(p + 1, "abcdefghijklmnopqrstuvwxyz"
                                                       "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
                                   : 1;
        const char *text = NULL;
        for (gsize i = 0; *p == '\\' && i < G_N_ELEMENTS(units); i++)
            if (strlen(units[i].name) == n - 1 && memcmp(units[i].name, p + 1, n - 1) == 0)
                text = units[i].text;
        if (*p != '\\' && strchr("{}~", *p) == NULL)
            layout_pen_text(&r->pen, p, (gssize)n);
        else if (text != NULL)
            layout_pen_text(&r->pen, text, -1);
        p += n;
    }
}

static gboolean
put_quantity(tex_reader *r, const char *name)
{
    const gboolean both = strcmp(name, "SI") == 0 || strcmp(name, "qty") == 0;
    const gboolean unit = strcmp(name, "si") == 0 || strcmp(name, "unit") == 0;
    if (!both && !unit && strcmp(name, "num") != 0 && strcmp(name, "ang") != 0) return FALSE;
    g_free(tex_optional(r));
    g_autofree char *number = unit ? NULL : tex_argument(r);
    if (number != NULL) layout_pen_text(&r->pen, number, -1);
    if (both) layout_pen_text(&r->pen, " ", 1);
    g_autofree char *units = both || unit ? tex_argument(r) : NULL;
    if (units != NULL) put_unit(r, units);
    return TRUE;
}

/* \verb|...|: any sign around it. */
static void
put_verb(tex_reader *r)
{
    tex_token token;
    GString *out = g_string_new(NULL);
    tex_take(r, '*');
    tex_next(r, &token);
    char sign = token.kind == TEX_TEXT ? token.text[0] : token.kind == TEX_MATH ? '$' : '\0';
    if (token.kind == TEX_TEXT) {
        const char *end = memchr(token.text + 1, sign, token.len - 1);
        g_string_append_len(out, token.text + 1,
                            (end != NULL ? end - token.text : (gssize)token.len) - 1);
        if (end != NULL) { /* what stands behind is text again */
            layout_pen_text(&r->pen, "", 0);
            const guint before = r->pen.style;
            r->pen.style |= LAYOUT_SPAN_MONO;
            layout_pen_text(&r->pen, out->str, -1);
            r->pen.style = before;
            layout_pen_text(&r->pen, end + 1, (gssize)token.len - (end + 1 - token.text));
            g_string_free(out, TRUE);
            return;
        }
    }
    for (tex_next(r, &token); token.kind != TEX_END && token.kind != TEX_PAR; tex_next(r, &token)) {
        if (token.kind == TEX_TEXT) {
            const char *end = memchr(token.text, sign, token.len);
            g_string_append_len(out, token.text,
                                end != NULL ? end - token.text : (gssize)token.len);
            if (end != NULL) break;
        } else {
            g_string_append(out, token.kind == TEX_SPACE   ? " "
                                 : token.kind == TEX_OPEN  ? "{"
                                 : token.kind == TEX_CLOSE ? "}"
                                 : token.kind == TEX_MATH  ? "$"
                                 : token.kind == TEX_AND   ? "&"
                                                           : "\\");
            if (token.kind == TEX_COMMAND) g_string_append(out, token.name);
        }
    }
    const guint style = r->pen.style;
    r->pen.style |= LAYOUT_SPAN_MONO;
    layout_pen_text(&r->pen, out->str, -1);
    r->pen.style = style;
    g_string_free(out, TRUE);
}

/* ---- by name ---- */

gboolean
tex_reference(tex_reader *r, const char *name)
{
    static const char *const links[] = {"url", "href", "path", "nolinkurl"};
    for (gsize i = 0; i < G_N_ELEMENTS(links); i++) {
        if (strcmp(name, links[i]) != 0) continue;
        put_link(r, name);
        return TRUE;
    }
    if (is_reference(name))
        put_reference(r, name);
    else if (strcmp(name, "footnote") == 0 || strcmp(name, "thanks") == 0)
        put_footnote(r);
    else if (strcmp(name, "verb") == 0)
        put_verb(r);
    else
        return put_quantity(r, name);
    return TRUE;
}

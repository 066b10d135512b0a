/* Characters and their styles -> LaTeX, where nothing tells where the glyphs stand. */
#include "layout/mathtext.h"

#include <string.h>

/* One stretch of text of one script level. */
static void
latex_run(GString *out, const char *text, gsize len, gboolean math)
{
    for (const char *at = text; at < text + len;) {
        gsize letters = 0;
        while (at + letters < text + len && g_ascii_isalpha(at[letters]))
            letters++;
        if (letters >= 2 && layout_math_is_function(at, letters)) {
            layout_math_function(out, at, letters);
            g_string_append_c(out, ' ');
            at += letters;
        } else if (letters >= 2 && !math) {
            g_string_append_printf(out, "\\text{%.*s}", (int)letters, at);
            at += letters;
        } else {
            const char *next = g_utf8_next_char(at);
            gunichar ch = g_utf8_get_char(at), mark = next < text + len ? g_utf8_get_char(next) : 0;
            gunichar parts[G_UNICHAR_MAX_DECOMPOSITION_LENGTH];
            const char *accent = layout_math_accent(mark);
            if (accent != NULL)
                next = g_utf8_next_char(next);
            else if (g_unichar_fully_decompose(ch, FALSE, parts, G_N_ELEMENTS(parts)) == 2 &&
                     (accent = layout_math_accent(parts[1])) != NULL)
                ch = parts[0];
            if (accent != NULL) g_string_append_printf(out, "%s{", accent);
            layout_math_char(out, ch);
            if (accent != NULL) g_string_append_c(out, '}');
            at = next;
        }
    }
}

void
layout_math_latex(GString *out, const char *text, gsize len, const guint32 *flags)
{
    guint script = 0;
    for (gsize i = 0; i < len;) {
        guint level = flags[i] & (LAYOUT_SPAN_SUPERSCRIPT | LAYOUT_SPAN_SUBSCRIPT);
        gboolean math = (flags[i] & LAYOUT_SPAN_MATH) != 0;
        gsize to = i;
        while (to < len &&
               (flags[to] & (LAYOUT_SPAN_SUPERSCRIPT | LAYOUT_SPAN_SUBSCRIPT)) == level &&
               ((flags[to] & LAYOUT_SPAN_MATH) != 0) == math)
            to++;
        if (level != script) {
            if (script != 0) g_string_append_c(out, '}');
            if (level != 0) g_string_append(out, level & LAYOUT_SPAN_SUPERSCRIPT ? "^{" : "_{");
            script = level;
        }
        latex_run(out, text + i, to - i, math);
        i = to;
    }
    if (script != 0) g_string_append_c(out, '}');
}

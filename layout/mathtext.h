/* Mathematics as LaTeX. Private to layout. */
#ifndef LODE_LAYOUT_MATHTEXT_H
#define LODE_LAYOUT_MATHTEXT_H

#include "layout/analyze.h"

G_BEGIN_DECLS

/* ---- mathsymbols.c ---- */
/* "max", "log": is it a function that LaTeX has a command for? */
gboolean layout_math_is_function(const char *text, gsize len);
/* Appends the command for it. */
void layout_math_function(GString *out, const char *name, gsize len);
/* Appends a character: a command, with a blank behind it if it ends in a letter, or the character itself. */
void layout_math_char(GString *out, gunichar ch);
/* "\\hat" for a combining mark, NULL for none. */
const char *layout_math_accent(gunichar mark);

/* ---- mathtext.c ---- */
/* Appends text as LaTeX. flags: one per byte, layout_span_flags; scripts become ^{} and _{}. */
void layout_math_latex(GString *out, const char *text, gsize len, const guint32 *flags);

/* ---- mathspans.c ---- */
/* What bytes from .. to of a block's text say as LaTeX; free with g_free. NULL where it cannot tell. */
typedef char *(*layout_math_reader)(gsize from, gsize to, gpointer data);

/* Rewrites the spans (layout_span) of a block's text: stretches of mathematics become one span each, with
 * their LaTeX, kept in strings, as target. It comes from reader, or where that is NULL or gives none from the
 * characters and their styles. */
void layout_math_spans(const char *text, gsize len, GArray *spans, GStringChunk *strings,
                       layout_math_reader reader, gpointer data);

G_END_DECLS
#endif

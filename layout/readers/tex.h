/* Mathematics of markup -> LaTeX: what MathML and OMML have in common. Private to layout.
 *
 * All of it appends to text in which braces, \left and \right balance, and leaves them balanced. */
#ifndef LODE_LAYOUT_READERS_TEX_H
#define LODE_LAYOUT_READERS_TEX_H

#include <glib.h>

G_BEGIN_DECLS

struct _xmlNode;

/* ---- mathml.c, omml.c ---- */

/* LaTeX of a <math> element (MathML 3: presentation; of content markup the usual operators). An annotation in TeX is
 * preferred to the marks. NULL where nothing can be said. Free with g_free. */
char *layout_mathml_to_latex(const struct _xmlNode *math);
/* The TeX that a <math> element carries beside its marks; NULL where it has none. Free with g_free. */
char *layout_mathml_annotation(const struct _xmlNode *math);
/* LaTeX of an <m:oMath> element (Office Math Markup, ISO/IEC 29500-1, 22.1). number: what stands behind a "#" at its
 * end, "(3)" -> "3"; may be NULL, freed with g_free. NULL where nothing can be said. Free with g_free. */
char *layout_omml_to_latex(const struct _xmlNode *math, char **number);

/* ---- tex.c ---- */

/* Appends LaTeX, with a blank where a command would run into a letter. */
void layout_tex_put(GString *out, const char *latex);
/* Takes the blanks off its end. */
void layout_tex_trim(GString *out);
/* Appends the characters of a text as symbols, one by one. */
void layout_tex_symbols(GString *out, const char *text);
/* Appends a name: a function's command, else upright where it has several letters. */
void layout_tex_name(GString *out, const char *name);
/* Appends \text{...}; nothing for "". */
void layout_tex_text(GString *out, const char *text);
/* A function's name that LaTeX has a command for? */
gboolean layout_tex_is_function(const char *name);
/* Appends "{latex}". */
void layout_tex_group(GString *out, const char *latex);
/* Appends base with its scripts, each NULL or LaTeX. */
void layout_tex_scripts(GString *out, const char *base, const char *sub, const char *sup);
/* A large operator or a function that takes its limits below and above? */
gboolean layout_tex_has_limits(const char *base);
/* Appends base with something right below and above it, each NULL or LaTeX. */
void layout_tex_limits(GString *out, const char *base, const char *under, const char *over);
/* The command for an accent or a stretched mark, NULL for none. wide: its base is more than one letter. */
const char *layout_tex_accent(gunichar mark, gboolean under, gboolean wide);
/* Is it one letter, digit or command? */
gboolean layout_tex_is_single(const char *latex);
/* What \left and \right take; "." for "". NULL: this is no delimiter. Lent by out's caller: static. */
const char *layout_tex_delimiter(const char *text);
/* Does it stand higher than a line, so that its brackets grow? */
gboolean layout_tex_is_tall(const char *latex);
/* Appends open, body and close; brackets grow with what is tall. open and close are the delimiters' characters. */
void layout_tex_fence(GString *out, const char *open, const char *body, const char *close);
/* Appends \mathbf and the like around latex; NULL: nothing around it. */
void layout_tex_style(GString *out, const char *command, const char *latex);

G_END_DECLS
#endif

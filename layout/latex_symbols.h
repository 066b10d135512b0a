/* Private to layout: characters of formulas as LaTeX. */
#ifndef LODE_LAYOUT_LATEX_SYMBOLS_H
#define LODE_LAYOUT_LATEX_SYMBOLS_H

#include <glib.h>

G_BEGIN_DECLS

/* Append a character in math mode, with the blank that a preceding control word needs. FALSE and nothing
 * appended where there is no LaTeX for it (U+FFFD, letters of other scripts). */
gboolean latex_append_char(GString *out, gunichar ch);

G_END_DECLS
#endif

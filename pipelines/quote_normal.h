/* What the search for quotes and their normalised form share; see quote_normal.c. */
#ifndef LODE_PIPELINES_QUOTE_NORMAL_H
#define LODE_PIPELINES_QUOTE_NORMAL_H

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

typedef struct {
    gunichar c;
    uint32_t start, end; /* bytes of the original */
} quote_symbol;

/* UTF-8 of len <= G_MAXUINT32 bytes -> GArray of quote_symbol. */
GArray *quote_normalise(const char *text, size_t len);
/* 0 behind the end. */
gunichar quote_symbol_at(const GArray *symbols, guint i);
gboolean quote_is_hyphen(gunichar c); /* or a dash, or a minus sign */

G_END_DECLS
#endif

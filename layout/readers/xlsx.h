/* Shared by the files that read spreadsheets. Private to layout. */
#ifndef LODE_LAYOUT_READERS_XLSX_H
#define LODE_LAYOUT_READERS_XLSX_H

#include <glib.h>

G_BEGIN_DECLS

/* ---- xlsx_format.c ---- */
/* A number as its cell shows it, by the format's code ("0.00%", "yyyy-mm-dd"; NULL or "General": as it is). Dates are
 * ISO 8601 whatever order the code puts them in, and thousands are not grouped. Free with g_free. */
char *layout_xlsx_number(double value, const char *code, gboolean date1904);
/* The code that a built-in number format stands for (ISO/IEC 29500-1, 18.8.30); NULL for general. */
const char *layout_xlsx_builtin(int id);

G_END_DECLS
#endif

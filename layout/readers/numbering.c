/* Numbers of lists and sections as they are printed. */
#include "layout/readers/pen.h"

#define MOST_LETTERS (26 * 20)
#define END_ROMAN    4000 /* the signs end there */

static void
append_roman(GString *out, gint64 n)
{
    static const struct {
        int value;
        const char *digits;
    } steps[] = {{1000, "m"}, {900, "cm"}, {500, "d"}, {400, "cd"}, {100, "c"},
                 {90, "xc"},  {50, "l"},   {40, "xl"}, {10, "x"},   {9, "ix"},
                 {5, "v"},    {4, "iv"},   {1, "i"}};
    for (gsize i = 0; i < G_N_ELEMENTS(steps); i++)
        for (; n >= steps[i].value; n -= steps[i].value)
            g_string_append(out, steps[i].digits);
}

void
layout_number_append(GString *out, char kind, gint64 n)
{
    const gsize from = out->len;
    if ((kind == 'i' || kind == 'I') && n > 0 && n < END_ROMAN)
        append_roman(out, n);
    else if ((kind == 'a' || kind == 'A') && n > 0 && n <= MOST_LETTERS)
        for (gint64 i = 0; i <= (n - 1) / 26; i++)
            g_string_append_c(out, (char)('a' + (n - 1) % 26));
    else
        g_string_append_printf(out, "%" G_GINT64_FORMAT, n);
    for (gsize i = from; g_ascii_isupper(kind) && i < out->len; i++)
        out->str[i] = g_ascii_toupper(out->str[i]);
}

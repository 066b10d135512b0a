/* Printed page labels: the number tree /PageLabels (ISO 32000-1, 12.4.2). */
#include <string.h>

#include "parse/parse_internal.h"

#define MAX_RANGES 20000
#define MAX_DEPTH  32

static void
add_range(fz_context *ctx, parse_file *file, int first, pdf_obj *dict)
{
    const char *style = pdf_dict_get_name(ctx, dict, PDF_NAME(S));
    const char *prefix = pdf_dict_get_text_string(ctx, dict, PDF_NAME(P));
    pdf_obj *start = pdf_dict_gets(ctx, dict, "St");
    parse_label_range range = {
        .first = first,
        .start = pdf_is_int(ctx, start) ? pdf_to_int(ctx, start) : 1,
        .style = style && strchr("DRrAa", style[0]) ? style[0] : 0,
        .prefix = parse_string(file->strings, prefix && *prefix ? prefix : NULL),
    };
    if (first >= 0) g_array_append_val(file->labels, range);
}

static void
load_node(fz_context *ctx, parse_file *file, pdf_obj *node, int depth, guint *budget)
{
    if (depth > MAX_DEPTH) return;
    pdf_obj *nums = pdf_dict_get(ctx, node, PDF_NAME(Nums));
    for (int i = 0, n = pdf_array_len(ctx, nums); i + 1 < n && *budget > 0; i += 2, --*budget)
        add_range(ctx, file, pdf_array_get_int(ctx, nums, i), pdf_array_get(ctx, nums, i + 1));
    pdf_obj *kids = pdf_dict_get(ctx, node, PDF_NAME(Kids));
    for (int i = 0, n = pdf_array_len(ctx, kids); i<n && * budget> 0; i++, --*budget)
        load_node(ctx, file, pdf_array_get(ctx, kids, i), depth + 1, budget);
}

static gint
by_first(gconstpointer a, gconstpointer b)
{
    int x = ((const parse_label_range *)a)->first, y = ((const parse_label_range *)b)->first;
    return (x > y) - (x < y);
}

void
parse_labels_load(fz_context *ctx, parse_file *file)
{
    guint budget = MAX_RANGES;
    if (!file->pdf) return;
    load_node(ctx, file, pdf_dict_getp(ctx, pdf_trailer(ctx, file->pdf), "Root/PageLabels"), 0,
              &budget);
    g_array_sort(file->labels, by_first);
}

static void
append_roman(GString *out, int number)
{
    static const struct {
        int value;
        const char *digits;
    } roman[] = {{1000, "m"}, {900, "cm"}, {500, "d"}, {400, "cd"}, {100, "c"},
                 {90, "xc"},  {50, "l"},   {40, "xl"}, {10, "x"},   {9, "ix"},
                 {5, "v"},    {4, "iv"},   {1, "i"}};
    if (number > 9999) { /* 10 letters m would follow; nobody prints that */
        g_string_append_printf(out, "%d", number);
        return;
    }
    for (gsize i = 0; i < G_N_ELEMENTS(roman); i++)
        for (; number >= roman[i].value; number -= roman[i].value)
            g_string_append(out, roman[i].digits);
}

/* a to z, aa to zz, aaa ... */
static void
append_letters(GString *out, int number)
{
    int repeat = (number - 1) / 26 + 1;
    if (repeat > 100) {
        g_string_append_printf(out, "%d", number);
        return;
    }
    for (int i = 0; i < repeat; i++)
        g_string_append_c(out, (char)('a' + (number - 1) % 26));
}

char *
parse_label_format(const parse_label_range *ranges, guint n, int index)
{
    const parse_label_range *range = NULL;
    for (guint low = 0, high = n; low < high;) {
        guint mid = low + (high - low) / 2;
        if (ranges[mid].first <= index)
            range = &ranges[mid], low = mid + 1;
        else
            high = mid;
    }
    if (!range) return NULL;
    GString *out = g_string_new(range->prefix);
    g_autoptr(GString) number = g_string_new(NULL);
    gint64 wide = (gint64)range->start + (index - range->first);
    int value = (int)CLAMP(wide, 1, G_MAXINT);
    switch (range->style) {
    case 'D':
        g_string_append_printf(number, "%d", value);
        break;
    case 'R':
    case 'r':
        append_roman(number, value);
        break;
    case 'A':
    case 'a':
        append_letters(number, value);
        break;
    default:
        break;
    }
    if (range->style == 'R' || range->style == 'A') g_string_ascii_up(number);
    g_string_append(out, number->str);
    return g_string_free(out, FALSE);
}

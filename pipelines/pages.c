/* "1-3,7,10-" -> ranges of pages: sorted, joined where they meet. */
#include "pipelines/internal.h"

#include <string.h>

enum { MAX_RANGES = 10000 };

static gboolean
parse_number(const char *text, size_t len, int *number)
{
    guint64 value = 0;
    g_autofree char *digits = g_strndup(text, len);
    if (!g_ascii_string_to_unsigned(g_strstrip(digits), 10, 1, G_MAXINT, &value, NULL))
        return FALSE;
    *number = (int)value;
    return TRUE;
}

/* "A", "A-B", "A-" or "-B". */
static gboolean
parse_range(const char *text, layout_page_range *range)
{
    const char *dash = strchr(text, '-');
    *range = (layout_page_range){1, 0};
    if (dash == NULL) {
        if (!parse_number(text, strlen(text), &range->first)) return FALSE;
        range->last = range->first;
        return TRUE;
    }
    const char *rest = dash + 1 + strspn(dash + 1, " ");
    const gboolean open_start = strspn(text, " ") == (size_t)(dash - text), open_end = !*rest;
    if (open_start && open_end) return FALSE;
    if (!open_start && !parse_number(text, (size_t)(dash - text), &range->first)) return FALSE;
    if (!open_end && !parse_number(rest, strlen(rest), &range->last)) return FALSE;
    return open_end || range->first <= range->last;
}

static gint
compare_ranges(gconstpointer a, gconstpointer b)
{
    const layout_page_range *x = a, *y = b;
    return (x->first > y->first) - (x->first < y->first);
}

static void
join(GArray *ranges)
{
    guint n = 0;
    layout_page_range *r = (layout_page_range *)(void *)ranges->data;
    for (guint i = 0; i < ranges->len; i++) {
        layout_page_range *last = n > 0 ? &r[n - 1] : NULL;
        if (last == NULL || (last->last > 0 && r[i].first - 1 > last->last))
            r[n++] = r[i];
        else if (last->last > 0)
            last->last = r[i].last == 0 ? 0 : MAX(last->last, r[i].last);
    }
    g_array_set_size(ranges, n);
}

GArray *
pipelines_pages_parse(const char *text, GError **error)
{
    g_autoptr(GArray) ranges = g_array_new(FALSE, FALSE, sizeof(layout_page_range));
    g_auto(GStrv) parts = g_strsplit(text, ",", MAX_RANGES + 1);
    gboolean good = parts[0] != NULL && g_strv_length(parts) <= MAX_RANGES;
    for (char **part = parts; good && *part != NULL; part++) {
        layout_page_range range;
        good = parse_range(*part, &range);
        if (good) g_array_append_val(ranges, range);
    }
    if (!good) {
        g_set_error(error, PIPELINES_ERROR, LODE_ERROR_ARGUMENT, "%.60s: not pages like 1-3,7,10-",
                    text);
        return NULL;
    }
    g_array_sort(ranges, compare_ranges);
    join(ranges);
    return g_steal_pointer(&ranges);
}

char *
pipelines_pages_text(const GArray *ranges)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; ranges != NULL && i < ranges->len; i++) {
        const layout_page_range *range = &g_array_index(ranges, layout_page_range, i);
        g_string_append_printf(text, "%s%d", i > 0 ? "," : "", range->first);
        if (range->last == 0)
            g_string_append_c(text, '-');
        else if (range->last != range->first)
            g_string_append_printf(text, "-%d", range->last);
    }
    return g_string_free(text, FALSE);
}

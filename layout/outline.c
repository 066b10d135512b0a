/* The file's bookmarks, asked for the heading in hand: by title and page.
 *
 * Titles are compared by their letters and digits alone, without a leading number. A bookmark leads to the
 * page its heading is on, or to the end of the page before. Mathematics and line breaks get lost in
 * bookmarks, so on that page a title that is the same at both ends will do. */
#include "layout/flow.h"

#include <string.h>

#define MAX_ITEMS 20000

struct layout_outline {
    const parse_outline_item *items;
    guint n;
    char **keys;
    GHashTable *by_key; /* char * -> index + 1 of the first item */
    int *next;          /* the next item with the same key, LAYOUT_NONE */
    GHashTable *by_page;
    int *next_on_page;
};

/* Letters and digits in lower case, without a leading number. */
static char *
key_of(const char *text)
{
    layout_heading_form form = layout_heading_parse(text);
    GString *key = g_string_new(NULL);
    for (const char *at = text + form.number_len; *at != '\0'; at = g_utf8_next_char(at)) {
        gunichar ch = g_utf8_get_char(at);
        if (g_unichar_isalnum(ch)) g_string_append_unichar(key, g_unichar_tolower(ch));
    }
    return g_string_free(key, FALSE);
}

layout_outline *
layout_outline_new(const layout_work *work)
{
    layout_outline *outline = g_new0(layout_outline, 1);
    guint n = MIN(work->n_outline, MAX_ITEMS);
    outline->items = work->outline;
    outline->n = n;
    outline->keys = g_new0(char *, n + 1);
    outline->next = g_new(int, n + 1);
    outline->next_on_page = g_new(int, n + 1);
    outline->by_key = g_hash_table_new(g_str_hash, g_str_equal);
    outline->by_page = g_hash_table_new(NULL, NULL);
    for (guint i = n; i-- > 0;) {
        const parse_outline_item *item = &work->outline[i];
        char *key = outline->keys[i] = key_of(item->title != NULL ? item->title : "");
        outline->next[i] = GPOINTER_TO_INT(g_hash_table_lookup(outline->by_key, key)) - 1;
        g_hash_table_insert(outline->by_key, key, GINT_TO_POINTER((int)i + 1));
        gpointer page = GINT_TO_POINTER(item->page);
        outline->next_on_page[i] = GPOINTER_TO_INT(g_hash_table_lookup(outline->by_page, page)) - 1;
        g_hash_table_insert(outline->by_page, page, GINT_TO_POINTER((int)i + 1));
    }
    return outline;
}

void
layout_outline_free(layout_outline *outline)
{
    if (outline == NULL) return;
    g_hash_table_unref(outline->by_key);
    g_hash_table_unref(outline->by_page);
    for (guint i = 0; i < outline->n; i++)
        g_free(outline->keys[i]);
    g_free(outline->keys);
    g_free(outline->next);
    g_free(outline->next_on_page);
    g_free(outline);
}

/* The same at both ends, but for a fifth in the middle. */
static gboolean
is_alike(const char *a, const char *b)
{
    gsize n = strlen(a), m = strlen(b), longest = MAX(n, m), head = 0, tail = 0;
    if (MIN(n, m) < 8) return FALSE;
    while (head < MIN(n, m) && a[head] == b[head])
        head++;
    while (tail < MIN(n, m) - head && a[n - 1 - tail] == b[m - 1 - tail])
        tail++;
    return (head + tail) * 5 >= longest * 4;
}

int
layout_outline_level(const layout_outline *outline, const char *text, int page)
{
    if (outline->n == 0) return 0;
    g_autofree char *key = key_of(text);
    if (*key == '\0') return 0;
    int first = GPOINTER_TO_INT(g_hash_table_lookup(outline->by_key, key)) - 1;
    int tries = 0;
    for (int i = first; i >= 0 && tries++ < 64; i = outline->next[i]) {
        int to = outline->items[i].page;
        if (to < 0 || to == page || to == page - 1 || to == page + 1)
            return MAX(1, outline->items[i].level);
    }
    first = GPOINTER_TO_INT(g_hash_table_lookup(outline->by_page, GINT_TO_POINTER(page))) - 1;
    for (int i = first; i >= 0 && tries++ < 128; i = outline->next_on_page[i])
        if (is_alike(key, outline->keys[i])) return MAX(1, outline->items[i].level);
    return 0;
}

/* How well the main text of pages is told from the rest: F over the words of the labelled pages in
 * tests/data/html_labelled, whose recipe is make.py there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "layout/layout.h"

#define LEAST_MEAN 0.85

/* Words with how often they occur. */
static GHashTable *
count_words(const char *text)
{
    GHashTable *counts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_auto(GStrv) words = g_strsplit_set(text, " \n\t", -1);
    for (char **word = words; *word != NULL; word++) {
        if ((*word)[0] == '\0') continue;
        guint n = GPOINTER_TO_UINT(g_hash_table_lookup(counts, *word));
        g_hash_table_insert(counts, g_strdup(*word), GUINT_TO_POINTER(n + 1));
    }
    return counts;
}

static guint
total_of(GHashTable *counts)
{
    guint total = 0;
    GHashTableIter iter;
    gpointer n;
    g_hash_table_iter_init(&iter, counts);
    while (g_hash_table_iter_next(&iter, NULL, &n))
        total += GPOINTER_TO_UINT(n);
    return total;
}

static double
f_of(const char *found, const char *label)
{
    g_autoptr(GHashTable) a = count_words(found), b = count_words(label);
    guint both = 0;
    GHashTableIter iter;
    gpointer word, n;
    g_hash_table_iter_init(&iter, a);
    while (g_hash_table_iter_next(&iter, &word, &n))
        both += MIN(GPOINTER_TO_UINT(n), GPOINTER_TO_UINT(g_hash_table_lookup(b, word)));
    guint sum = total_of(a) + total_of(b);
    return sum > 0 ? 2.0 * both / sum : 0;
}

static char *
main_text(const char *path)
{
    g_autofree char *page = NULL;
    gsize len = 0;
    g_autoptr(GError) error = NULL;
    assert_true(g_file_get_contents(path, &page, &len, NULL));
    g_autoptr(lode_document) document =
        layout_document_from_html(page, len, NULL, "https://example.org/page", &error);
    GString *text = g_string_new(NULL);
    if (document == NULL) return g_string_free(text, FALSE);
    for (guint i = 0; i < document->n_blocks; i++)
        if (document->blocks[i].type != LAYOUT_BLOCK_TABLE)
            g_string_append_printf(text, "%s\n", document->blocks[i].text);
    for (guint i = 0; i < document->n_cells; i++)
        g_string_append_printf(text, "%s\n", document->cells[i].text);
    return g_string_free(text, FALSE);
}

static gint
compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void
main_text_is_told_from_the_rest(void **state)
{
    (void)state;
    g_autoptr(GDir) dir = g_dir_open(LODE_TEST_DATA "/html_labelled", 0, NULL);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    assert_non_null(dir);
    for (const char *name; (name = g_dir_read_name(dir)) != NULL;)
        if (g_str_has_suffix(name, ".html"))
            g_ptr_array_add(names, g_strndup(name, strlen(name) - strlen(".html")));
    g_ptr_array_sort(names, compare_names);
    assert_true(names->len >= 40);
    double sum = 0;
    for (guint i = 0; i < names->len; i++) {
        const char *name = names->pdata[i];
        g_autofree char *page = g_strdup_printf("%s/html_labelled/%s.html", LODE_TEST_DATA, name);
        g_autofree char *file = g_strdup_printf("%s/html_labelled/%s.txt", LODE_TEST_DATA, name);
        g_autofree char *label = NULL, *found = main_text(page);
        assert_true(g_file_get_contents(file, &label, NULL, NULL));
        double f = f_of(found, label);
        if (f < LEAST_MEAN) print_message("%-14s F %.3f\n", name, f);
        sum += f;
    }
    print_message("%u pages, F %.3f\n", names->len, sum / names->len);
    assert_true(sum / names->len >= LEAST_MEAN);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(main_text_is_told_from_the_rest)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

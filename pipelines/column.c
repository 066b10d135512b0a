/* Does a quote say what a column of a table asks for? Without a model that reads, the sentence that fits best may only
 * speak of the matter: here it has to name the column and to give a value for it, or the cell stays empty. */
#include "pipelines/table.h"

#include <string.h>

#include "pipelines/evidence.h"
#include "pipelines/quote.h"

/* How far from the column's name its value may stand, in words: "a learning rate of 2e-5", "reaches, on the test set
 * of 500 images, an accuracy of 91.2 %", "43 parameters". A name has to be closer than a number is. */
enum { NUMBER_AFTER = 12, NUMBER_BEFORE = 4, NAME_AFTER = 5, NAME_BEFORE = 3 };

typedef enum { VALUE_NONE, VALUE_NUMBER, VALUE_NAME, VALUE_LETTER } value_kind;

typedef struct {
    char *stem;     /* NULL: a stop word */
    gboolean joins; /* "of": may stand within a name */
    value_kind value;
} word;

static void
word_clear(gpointer data)
{
    g_free(((word *)data)->stem);
}

#define word_at(words, i) g_array_index((words), word, (i))

static char *
stem_of(const char *text, size_t len)
{
    g_autoptr(GHashTable) stems = pipelines_content_words(text, len);
    GHashTableIter iter;
    gpointer stem;
    g_hash_table_iter_init(&iter, stems);
    return g_hash_table_iter_next(&iter, &stem, NULL) ? g_strdup(stem) : NULL;
}

/* ---- words ---- */

/* A call-out or an aside at p: its length, else 0. Numbers and names of other works and places are no values, unless the
 * aside itself speaks of what is asked (NULL: nothing): "(learning rate of 2e-5)". */
static size_t
aside_at(const char *p, const char *end, const GPtrArray *asked)
{
    const char close = *p == '(' ? ')' : *p == '[' ? ']' : '\0';
    if (close == '\0') return 0;
    const char *last = memchr(p, close, (size_t)(end - p));
    if (last == NULL) return 0;
    g_autoptr(GHashTable) stems = pipelines_content_words(p, (size_t)(last - p));
    for (guint i = 0; asked != NULL && i < asked->len; i++)
        if (g_hash_table_contains(stems, asked->pdata[i])) return 0;
    return (size_t)(last + 1 - p);
}

static gboolean
is_joint(const char *text, size_t len)
{
    static const char *const joints[] = {"of", "the", "a", "an", "for", "in"};
    for (size_t i = 0; i < G_N_ELEMENTS(joints); i++)
        if (strlen(joints[i]) == len && g_ascii_strncasecmp(text, joints[i], len) == 0) return TRUE;
    return FALSE;
}

/* "Figure", "Table", "Section": the number behind it is a place's. */
static gboolean
names_a_place(const char *stem)
{
    static const char *const places[] = {
        "figur",   "fig",      "tabl", "section",   "sec", "equation", "eq",      "algorithm",
        "chapter", "appendix", "step", "reference", "ref", "page",     "listing", "list"};
    for (size_t i = 0; stem != NULL && i < G_N_ELEMENTS(places); i++)
        if (strcmp(stem, places[i]) == 0) return TRUE;
    return FALSE;
}

/* Capitals within a word, or at its head where no sentence begins. */
static gboolean
is_name(const char *text, size_t len, gboolean first)
{
    guint n_upper = 0;
    const char *end = text + len;
    for (const char *p = text; p < end; p = g_utf8_next_char(p))
        if (g_unichar_isupper(g_utf8_get_char(p)) && (p > text || !first)) n_upper++;
    return n_upper > 0 && len > 1;
}

/* "R", "C": a name only right beside what it is the name of. */
static gboolean
is_letter(const char *text, size_t len, gboolean first)
{
    return len == 1 && !first && g_ascii_isupper(*text) && *text != 'I' && *text != 'A';
}

/* Words of a text [len], UTF-8: GArray of word. asked: as of aside_at. */
static GArray *
read_words(const char *text, size_t len, const GPtrArray *asked)
{
    GArray *words = g_array_new(FALSE, FALSE, sizeof(word));
    g_array_set_clear_func(words, word_clear);
    const char *end = text + len;
    gboolean first = TRUE, place = FALSE;
    for (const char *p = text; p < end;) {
        const size_t aside = aside_at(p, end, asked);
        if (aside > 0) {
            p += aside;
            continue;
        }
        const gunichar c = g_utf8_get_char(p);
        if (!g_unichar_isalnum(c)) {
            first = first || c == '.' || c == ':' || c == '|' || c == 0x2022;
            p = g_utf8_next_char(p);
            continue;
        }
        const char *start = p;
        while (p < end && (g_unichar_isalnum(g_utf8_get_char(p)) ||
                           ((*p == '.' || *p == ',') && p + 1 < end && g_ascii_isdigit(p[-1]) &&
                            g_ascii_isdigit(p[1]))))
            p = g_utf8_next_char(p);
        word w = {stem_of(start, (size_t)(p - start)), is_joint(start, (size_t)(p - start)),
                  VALUE_NONE};
        if (g_unichar_isdigit(c) && !place)
            w.value = VALUE_NUMBER;
        else if (is_name(start, (size_t)(p - start), first))
            w.value = VALUE_NAME;
        else if (is_letter(start, (size_t)(p - start), first))
            w.value = VALUE_LETTER;
        place = names_a_place(w.stem);
        if (place) w.value = VALUE_NONE;
        first = FALSE;
        g_array_append_val(words, w);
    }
    return words;
}

/* ---- the column's name ---- */

/* Is stems [n] all there, in any order, or, joined, the same: "data set" and "dataset"? */
static gboolean
is_same_name(const GPtrArray *asked, const GPtrArray *said)
{
    g_autoptr(GString) a = g_string_new(NULL), b = g_string_new(NULL);
    for (guint i = 0; i < asked->len; i++)
        g_string_append(a, asked->pdata[i]);
    for (guint i = 0; i < said->len; i++)
        g_string_append(b, said->pdata[i]);
    if (g_string_equal(a, b)) return TRUE;
    if (asked->len != said->len) return FALSE;
    for (guint i = 0; i < asked->len; i++)
        if (!g_ptr_array_find_with_equal_func((GPtrArray *)(gpointer)said, asked->pdata[i],
                                              g_str_equal, NULL))
            return FALSE;
    return TRUE;
}

/* Where words from `from` on name the column: the word behind it, else 0. What is between the words of a name is words
 * like "of". */
static guint
name_at(const GArray *words, guint from, const GPtrArray *asked)
{
    g_autoptr(GPtrArray) said = g_ptr_array_new();
    for (guint i = from; i < words->len && said->len <= asked->len; i++) {
        if (word_at(words, i).stem == NULL && word_at(words, i).joins && said->len > 0) continue;
        if (word_at(words, i).stem == NULL) return 0;
        g_ptr_array_add(said, word_at(words, i).stem);
        if (is_same_name(asked, said)) return i + 1;
    }
    return 0;
}

static gboolean
is_value(const GArray *words, guint at, const GPtrArray *asked, gboolean number, guint distance,
         guint numbers, guint names)
{
    const word *w = &word_at(words, at);
    if (w->value == VALUE_NONE || (w->value != VALUE_NUMBER && number)) return FALSE;
    if (w->stem != NULL &&
        g_ptr_array_find_with_equal_func((GPtrArray *)(gpointer)asked, w->stem, g_str_equal, NULL))
        return FALSE;
    if (w->value == VALUE_LETTER) return distance == 1;
    return distance <= (w->value == VALUE_NUMBER ? numbers : names);
}

/* ---- all of it ---- */

static GPtrArray *
read_name(const char *column)
{
    g_autoptr(GArray) words = read_words(column, strlen(column), NULL);
    GPtrArray *asked = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < words->len; i++)
        if (word_at(words, i).stem != NULL)
            g_ptr_array_add(asked, g_strdup(word_at(words, i).stem));
    return asked;
}

/* In a table headers name what stands in a cell. A column's header alone does not, where there are rows for other things:
 * the name has to come from the row, or from both. */
static gboolean
is_named_by_headers(const pipelines_cell *cell, const GPtrArray *asked)
{
    const char *row = cell->row_header != NULL ? cell->row_header : "";
    const char *col = cell->col_header != NULL ? cell->col_header : "";
    g_autoptr(GHashTable) in_row = pipelines_content_words(row, strlen(row));
    g_autoptr(GHashTable) in_col = pipelines_content_words(col, strlen(col));
    guint n_row = 0;
    for (guint i = 0; i < asked->len; i++) {
        const gboolean there = g_hash_table_contains(in_row, asked->pdata[i]);
        if (!there && !g_hash_table_contains(in_col, asked->pdata[i])) return FALSE;
        n_row += there ? 1 : 0;
    }
    return n_row > 0;
}

gboolean
pipelines_column_is_answered(const char *column, const char *text, size_t len,
                             const pipelines_cell *cell)
{
    g_autoptr(GPtrArray) asked = read_name(column);
    g_autoptr(GArray) words = read_words(text, len, asked);
    if (asked->len == 0 || words->len == 0) return FALSE;
    if (cell != NULL && cell->row > 0) return is_named_by_headers(cell, asked);
    /* a caption says what is shown, not what came out */
    if (names_a_place(word_at(words, 0).stem) && words->len > 1) return FALSE;
    const gboolean number = evidence_asks_for_number(column);
    for (guint i = 0; i < words->len; i++) {
        const guint behind = name_at(words, i, asked);
        if (behind == 0) continue;
        for (guint j = behind; j < MIN(words->len, behind + NUMBER_AFTER); j++)
            if (is_value(words, j, asked, number, j - behind + 1, NUMBER_AFTER, NAME_AFTER))
                return TRUE;
        for (guint j = i; j > 0 && i - j < NUMBER_BEFORE; j--)
            if (is_value(words, j - 1, asked, number, i - j + 1, NUMBER_BEFORE, NAME_BEFORE))
                return TRUE;
    }
    return FALSE;
}

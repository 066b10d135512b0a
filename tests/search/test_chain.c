/* The sentence that answers over two passages, and what a question asks for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "search/asked.h"
#include "search/search.h"
#include "search/words.h"

typedef struct {
    const char *title, *text;
} source;

/* Sentences end at ". " here: a sentence splitter is another module's. */
static GArray *
chains_of(const char *question, const source *sources, gsize n, gboolean all)
{
    search_passage passages[8];
    assert_true(n <= G_N_ELEMENTS(passages));
    for (gsize i = 0; i < n; i++) {
        GArray *ends = g_array_new(FALSE, FALSE, sizeof(uint32_t));
        const char *text = sources[i].text;
        for (const char *p = text; (p = strstr(p, ". ")) != NULL; p += 2) {
            const uint32_t end = (uint32_t)(p + 2 - text);
            g_array_append_val(ends, end);
        }
        const uint32_t len = (uint32_t)strlen(text);
        g_array_append_val(ends, len);
        passages[i] = (search_passage){sources[i].title, text, ends};
    }
    GArray *chains = search_chains(question, passages, n, all);
    for (gsize i = 0; i < n; i++)
        g_array_unref((GArray *)passages[i].ends);
    return chains;
}

static const source MILL[] = {
    {"The Red Mill", "The Red Mill is a painting by Anna Orloff. It was shown in Vienna."},
    {"Mills of Holland", "A mill that is red stands near Delft. Many painters saw the mill."},
    {"Anna Orloff", "Anna Orloff was a painter. She studied under her uncle. Orloff was born in "
                    "Tromso, the daughter of a fisherman."},
};

static void
the_answer_stands_on_the_page_that_another_names(void **state)
{
    (void)state;
    g_autoptr(GArray) chains = chains_of("Where is the birthplace of the painter of The Red Mill?",
                                         MILL, G_N_ELEMENTS(MILL), FALSE);
    const search_chain *best = &g_array_index(chains, search_chain, 0);
    assert_int_equal(best->passage, 2);
    assert_true(g_str_has_prefix(MILL[2].text + best->start, "Orloff was born in Tromso"));
    assert_int_equal(best->len, strlen("Orloff was born in Tromso, the daughter of a fisherman."));
    assert_int_equal(best->before, 0);
    assert_true(g_str_has_prefix(MILL[0].text + best->before_start, "The Red Mill is a painting"));
    assert_true(best->features[SEARCH_CHAIN_TITLED] == 1);
    assert_true(best->features[SEARCH_CHAIN_MEANT] > 0); /* "born" for "birthplace" */
    assert_true(best->features[SEARCH_CHAIN_KIND] == 1);
}

static void
each_sentence_is_there_once_and_within_its_passage(void **state)
{
    (void)state;
    const char question[] = "Where was the painter of The Red Mill born?";
    g_autoptr(GArray) chains = chains_of(question, MILL, G_N_ELEMENTS(MILL), FALSE);
    g_autoptr(GArray) pairs = chains_of(question, MILL, G_N_ELEMENTS(MILL), TRUE);
    assert_true(pairs->len > chains->len);
    for (guint i = 0; i < chains->len; i++) {
        const search_chain *c = &g_array_index(chains, search_chain, i);
        assert_true(c->start + c->len <= strlen(MILL[c->passage].text));
        assert_true(i == 0 || c->score <= (c - 1)->score);
        for (int j = 0; j < SEARCH_CHAIN_N_FEATURES; j++)
            assert_true(c->features[j] >= -1 && c->features[j] <= 1 + 1e-9);
        for (guint j = 0; j < i; j++) {
            const search_chain *other = &g_array_index(chains, search_chain, j);
            assert_false(other->passage == c->passage && other->start == c->start);
        }
    }
}

static void
nothing_has_no_chains(void **state)
{
    (void)state;
    g_autoptr(GArray) none = chains_of("Who?", NULL, 0, FALSE);
    assert_int_equal(none->len, 0);
    const source blank[] = {{"", ""}, {"A", "   "}};
    g_autoptr(GArray) blanks = chains_of("", blank, G_N_ELEMENTS(blank), FALSE);
    assert_int_equal(blanks->len, 0);
    /* more words than there are bits */
    g_autoptr(GString) question = g_string_new("Who");
    for (int i = 0; i < 300; i++)
        g_string_append_printf(question, " word%d", i);
    g_autoptr(GArray) chains = chains_of(question->str, MILL, G_N_ELEMENTS(MILL), FALSE);
    assert_true(chains->len > 0);
}

static void
a_question_asks_for_the_kind_its_first_word_of_asking_says(void **state)
{
    (void)state;
    static const struct {
        const char *question;
        asked_kind kind;
    } cases[] = {
        {"What city was the author of When We Two Parted born in?", ASKED_PLACE},
        {"When did the author who lived in Oslo die?", ASKED_DATE},
        {"In which year was it built, and who built it?", ASKED_DATE},
        {"How many people live where he was born?", ASKED_NUMBER},
        {"Who is the father of the man that led when it fell?", ASKED_PERSON},
        {"Which film whose director is younger, A or B?", ASKED_THING},
        {"Is it red?", ASKED_OTHER},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
        assert_int_equal(search_asked_kind(cases[i].question), cases[i].kind);
}

static void
assert_answer(const char *question, const char *sentence, const char *title, const char *expected)
{
    g_autofree char *words = search_answer_words(question, sentence, title);
    assert_string_equal(words != NULL ? words : "", expected);
}

static void
the_words_that_answer_are_of_the_kind_asked_for(void **state)
{
    (void)state;
    static const char life[] = "Pal Gabor (2 November 1932 - 21 October 1987) was a director who "
                               "worked with Eva Ras in Budapest on 14 films.";
    assert_answer("When was Pal Gabor born?", life, "Pal Gabor", "2 November 1932");
    assert_answer("When did Pal Gabor die?", life, "Pal Gabor", "21 October 1987");
    assert_answer("Where did Pal Gabor work?", life, "Pal Gabor", "Budapest");
    assert_answer("Who worked with Pal Gabor?", life, "Pal Gabor", "Eva Ras");
    assert_answer("Who made Angi Vera?", "He made it in a year.", "Pal Gabor (director)",
                  "Pal Gabor");
    assert_answer("Is Pal Gabor alive?", life, "Pal Gabor", "");
}

static void
dates_are_compared_as_the_question_asks(void **state)
{
    (void)state;
    static const char a[] = "Ada Brun (born 24 July 1987) is a singer.";
    static const char b[] = "Carl Dahl (born July 3, 1987) is a singer.";
    assert_int_equal(search_compare_dates("Who is younger, Ada Brun or Carl Dahl?", a, b), 0);
    assert_int_equal(search_compare_dates("Who is older, Ada Brun or Carl Dahl?", a, b), 1);
    assert_int_equal(search_compare_dates("Who is taller, Ada Brun or Carl Dahl?", a, b), -1);
    assert_int_equal(search_compare_dates("Who is older?", a, "No date."), -1);
    assert_int_equal(search_compare_dates("Who is older?", a, a), -1);
    assert_int_equal(search_compare_dates("Who died first?", "A (1900 \xE2\x80\x93 May 1950).",
                                          "B (1 May 1890 - 3 June 1960)."),
                     0);
}

static void
two_sets_of_words_overlap_by_what_they_share(void **state)
{
    (void)state;
    g_autoptr(GHashTable) a = search_word_set("red mill river");
    g_autoptr(GHashTable) b = search_word_set("red mill painting");
    g_autoptr(GHashTable) none = search_word_set("");
    assert_true(search_words_overlap(a, b) == 0.5);
    assert_true(search_words_overlap(a, a) == 1);
    assert_true(search_words_overlap(a, none) == 0);
    assert_true(search_words_overlap(none, none) == 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_answer_stands_on_the_page_that_another_names),
        cmocka_unit_test(each_sentence_is_there_once_and_within_its_passage),
        cmocka_unit_test(nothing_has_no_chains),
        cmocka_unit_test(a_question_asks_for_the_kind_its_first_word_of_asking_says),
        cmocka_unit_test(the_words_that_answer_are_of_the_kind_asked_for),
        cmocka_unit_test(dates_are_compared_as_the_question_asks),
        cmocka_unit_test(two_sets_of_words_overlap_by_what_they_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

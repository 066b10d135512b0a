/* Quotes: what stands in a source and what does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

#include "pipelines/quote.h"

static const char SOURCE[] =
    "Foam RC-4 reached an ammonia conversion of 87.3 % at 415 \xC2\xB0"
    "C, which is not significantly higher than the 86.9 % of RC-3 (p = 0.41). The "
    "con\xEF\xAC\x81rmed "
    "value was 10\xC2\xB2 times the long-term mean; IL-6 rose by 12 mg in 1.5 h, and HIV-1 did "
    "not. "
    "\xE2\x80\x9CNo loss\xE2\x80\x9D was seen after 40 cycles\xE2\x80\x94"
    "a range of 2\xE2\x80\x93"
    "5 \xCE\xBCm remained stable in all of the twenty samples that were examined here.";

static pipelines_match
match_of(const char *quote)
{
    pipelines_alignment a = pipelines_align_quote(quote, SOURCE);
    assert_true(a.start <= strlen(SOURCE) && a.len <= strlen(SOURCE) - a.start);
    assert_int_equal(a.match == PIPELINES_MATCH_NONE, a.len == 0);
    return a.match;
}

static void
a_verbatim_quote_is_exact_and_in_its_place(void **state)
{
    (void)state;
    static const char quote[] = "  an ammonia conversion of 87.3 %\n";
    pipelines_alignment a = pipelines_align_quote(quote, SOURCE);
    assert_int_equal(a.match, PIPELINES_MATCH_EXACT);
    assert_int_equal(a.len, strlen(quote) - 3);
    assert_memory_equal(SOURCE + a.start, quote + 2, a.len);
    assert_int_equal(match_of(SOURCE), PIPELINES_MATCH_EXACT);
}

static void
print_makes_no_difference(void **state)
{
    (void)state;
    static const char *const quotes[] = {
        "The confirmed value was 10^2 times the long-term mean",       /* ligature, raised digit */
        "The confir-\nmed value was 10^{2} times the long- term mean", /* line ends */
        "times the longterm mean",
        "\"No loss\" was seen after 40 cycles-a range",
        "conversion of  87.3%\nat 415\xC2\xA0\xC2\xB0"
        "C", /* white space */
        "higher than the 86.9% of RC-3 (p=0.41)",
        "a range of 2-5 \xC2\xB5m remained", /* dash, micro sign */
        "87.3 \\% at 415",
        "con\xC2\xAD"
        "version of 87.3 %",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(quotes); i++)
        if (match_of(quotes[i]) != PIPELINES_MATCH_NORMALISED) fail_msg("%s", quotes[i]);
}

static void
a_slip_of_a_letter_is_fuzzy(void **state)
{
    (void)state;
    static const char *const quotes[] = {
        "Foam RC-4 reached a ammonia conversion of 87.3 % at 415 \xC2\xB0"
        "C",
        "foam RC-4 reached an ammonia conversion of 87.3 %",
        "remained stable in all the twenty samples that were examned here",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(quotes); i++) {
        pipelines_alignment a = pipelines_align_quote(quotes[i], SOURCE);
        if (a.match != PIPELINES_MATCH_FUZZY) fail_msg("%s", quotes[i]);
        assert_true(a.score >= PIPELINES_MIN_SIMILARITY && a.score < 1);
    }
}

static void
what_says_something_else_is_not_verified(void **state)
{
    (void)state;
    static const char *const quotes[] = {
        "",
        "   ",
        "Foam RC-4 reached an ammonia conversion of 87.8 % at 415 \xC2\xB0"
        "C",                                                                /* a digit */
        "Foam RC-5 reached an ammonia conversion of 87.3 % at 415",         /* a name's digit */
        "which is significantly higher than the 86.9 % of RC-3 (p = 0.41)", /* no "not" */
        "which is not significantly lower than the 86.9 % of RC-3 (p = 0.41)",
        "which is not significantly higher than the 86.9 \xE2\x80\xB0 of RC-3 (p = 0.41)",
        "value was 102 times the long-term mean; IL-6 rose by 12 mg in 1.5 h",
        "IL-6 rose by 12 ml in 1.5 h, and HIV-1 did not.",
        "IL-8 rose by 12 mg in 1.5 h, and HIV-1 did not.",
        "IL-6 rose by 12 mg in 1.5 h, and HCV-1 did not.",
        "IL-6 rose by 12 mg in 15 h, and HIV-1 did not.",
        "IL-6 rose by 12 mg in 1.5 h, and HIV-1 did now.",
        "2 mg in 1.5 h",  /* of "12 mg" */
        "12 mg in 1",     /* of "1.5" */
        "5 h, and HIV-1", /* of "1.5 h" */
        "remained stable in most of the twenty samples that were examined here",
        "onia conversion", /* cuts a word */
        "The capital of France is Paris",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(quotes); i++)
        if (match_of(quotes[i]) != PIPELINES_MATCH_NONE)
            fail_msg("\"%s\": %s", quotes[i], pipelines_match_name(match_of(quotes[i])));
}

static void
a_quote_takes_the_negation_before_it_along(void **state)
{
    (void)state;
    pipelines_alignment a = pipelines_align_quote("significantly higher than the 86.9 %", SOURCE);
    assert_int_equal(a.match, PIPELINES_MATCH_EXACT);
    assert_memory_equal(SOURCE + a.start, "not significantly", 17);
}

static void
other_places_are_tried_when_one_cuts_a_number(void **state)
{
    (void)state;
    static const char text[] = "It was 12 mg at first, then 2 mg.";
    pipelines_alignment a = pipelines_align_quote("2 mg", text);
    assert_int_equal(a.match, PIPELINES_MATCH_EXACT);
    assert_string_equal(text + a.start, "2 mg.");
}

/* ---- properties ---- */

static char *
random_text(GRand *rand, guint n_words)
{
    static const char *const words[] = {"the",
                                        "dose",
                                        "of",
                                        "12.5",
                                        "mg",
                                        "did",
                                        "not",
                                        "raise",
                                        "\xC3\xA9tal",
                                        "mean",
                                        "IL-6",
                                        "higher",
                                        "rate,",
                                        "by",
                                        "45",
                                        "%.",
                                        "cells",
                                        "after",
                                        "(Fig.",
                                        "3)",
                                        "\xCE\xB2-blockers",
                                        "e\xEF\xAC\x83"
                                        "cient"};
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < n_words; i++)
        g_string_append_printf(text, "%s%s", i > 0 ? " " : "",
                               words[g_rand_int_range(rand, 0, G_N_ELEMENTS(words))]);
    return g_string_free(text, FALSE);
}

static void
whole_words_of_a_text_are_always_found(void **state)
{
    (void)state;
    g_autoptr(GRand) rand = g_rand_new_with_seed(11);
    for (int round = 0; round < 500; round++) {
        g_autofree char *text = random_text(rand, 80);
        g_auto(GStrv) words = g_strsplit(text, " ", -1);
        guint from = (guint)g_rand_int_range(rand, 0, 70), n = (guint)g_rand_int_range(rand, 3, 10);
        g_autofree char *end = words[from + n];
        words[from + n] = NULL;
        g_autofree char *quote = g_strjoinv(" ", words + from);
        words[from + n] = g_steal_pointer(&end);
        pipelines_alignment a = pipelines_align_quote(quote, text);
        assert_int_equal(a.match, PIPELINES_MATCH_EXACT);
        /* normalising twice changes nothing, and the found stretch normalises to the quote */
        g_autofree char *stretch = g_strndup(text + a.start, a.len);
        assert_non_null(strstr(stretch, quote));
        g_autofree char *once = pipelines_normalise(quote);
        g_autofree char *twice = pipelines_normalise(once);
        assert_string_equal(once, twice);
    }
}

static void
no_changed_digit_passes(void **state)
{
    (void)state;
    g_autoptr(GRand) rand = g_rand_new_with_seed(12);
    guint n_changed = 0;
    for (int round = 0; round < 400; round++) {
        g_autofree char *text = random_text(rand, 60);
        g_autofree char *quote = g_strdup(text);
        size_t len = strlen(quote), at = (size_t)g_rand_int_range(rand, 0, (int)len);
        while (at < len && !g_ascii_isdigit(quote[at]))
            at++;
        if (at == len) continue;
        quote[at] = quote[at] == '9' ? '1' : (char)(quote[at] + 1);
        n_changed++;
        assert_int_equal(pipelines_align_quote(quote, text).match, PIPELINES_MATCH_NONE);
    }
    assert_true(n_changed > 200);
}

static void
no_dropped_negation_passes(void **state)
{
    (void)state;
    g_autoptr(GRand) rand = g_rand_new_with_seed(13);
    guint n_changed = 0;
    for (int round = 0; round < 400; round++) {
        g_autofree char *text = random_text(rand, 60);
        const char *at = strstr(text, " not ");
        if (at == NULL) continue;
        g_autofree char *quote = g_strdup_printf("%.*s%s", (int)(at - text), text, at + 4);
        n_changed++;
        if (pipelines_align_quote(quote, text).match != PIPELINES_MATCH_NONE)
            fail_msg("\"%s\" in \"%s\"", quote, text);
    }
    assert_true(n_changed > 200);
}

static void
long_and_repetitive_texts_take_no_time(void **state)
{
    (void)state;
    g_autoptr(GString) text = g_string_new(NULL), quote = g_string_new(NULL);
    for (int i = 0; i < 5000; i++)
        g_string_append(text, "ab ");
    for (int i = 0; i < 1300; i++)
        g_string_append(quote, "ab ");
    g_string_append(quote, "ac");
    gint64 start = g_get_monotonic_time();
    assert_int_equal(pipelines_align_quote(quote->str, text->str).match, PIPELINES_MATCH_FUZZY);
    for (int i = 0; i < 100; i++)
        g_string_append_printf(quote, "%d ", i);
    assert_int_equal(pipelines_align_quote(quote->str, text->str).match, PIPELINES_MATCH_NONE);
    assert_int_equal(pipelines_align_quote(text->str, quote->str).match, PIPELINES_MATCH_NONE);
    for (int i = 0; i < 100000; i++)
        g_string_append(text, "ab ");
    assert_int_equal(pipelines_align_quote(quote->str, text->str).match, PIPELINES_MATCH_NONE);
    assert_true(g_get_monotonic_time() - start < 8 * G_USEC_PER_SEC);
}

/* ---- numbers ---- */

static void
numbers_of_a_claim_stand_in_its_quote(void **state)
{
    (void)state;
    static const struct {
        const char *claim, *quote;
        gboolean supported;
    } cases[] = {
        {"It reached 87.3 %.", "a conversion of 87.3 % was found", TRUE},
        {"It reached 87 %.", "a conversion of 87.3 % was found", TRUE},
        {"It reached 88 %.", "a conversion of 87.3 % was found", FALSE},
        {"It reached 87.30 %.", "a conversion of 87.3 % was found", TRUE},
        {"It reached 87.34 %.", "a conversion of 87.3 % was found", FALSE},
        {"It reached 90 %.", "a conversion of 87.3 % was found", FALSE},
        {"It took 12 mg.", "12 ml were given", FALSE},
        {"It took 12.", "12 ml were given", TRUE},
        {"Three trials ran.", "We ran 3 trials", TRUE},
        {"Three trials ran.", "We ran 4 trials", FALSE},
        {"10,000 people were ill.", "some 10000 people", TRUE},
        {"2.5 million died.", "2,500,000 deaths", TRUE},
        {"92 % agreed.", "a share of 0.92", TRUE},
        {"COVID-19 and H1N1 spread.", "the viruses spread", TRUE},
        {"It fell by 5 percent [3].", "a drop of 5%", TRUE},
        {"No numbers here.", "none", TRUE},
        {"From 2019 to 2021.", "from 2019 on", FALSE},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *missing = NULL;
        gboolean supported = pipelines_numbers_supported(cases[i].claim, cases[i].quote, &missing);
        if (supported != cases[i].supported)
            fail_msg("\"%s\" by \"%s\"", cases[i].claim, cases[i].quote);
        assert_int_equal(missing == NULL, supported);
    }
}

/* ---- places ---- */

static void
boxes_are_one_per_line_and_cut_to_the_quote(void **state)
{
    (void)state;
    char text[] = "aaaaaaaaaabbbbbbbbbbcccccccccc"; /* three lines of ten letters */
    retrieval_place places[3];
    for (uint32_t i = 0; i < 3; i++)
        places[i] =
            (retrieval_place){10 * i,
                              10,
                              4,
                              100 + 10 * i,
                              {i < 2 ? 6 : 7, {100, 20 * (float)i, 200, 20 * (float)i + 10}},
                              0,
                              0};
    g_autoptr(GArray) array = g_array_new(FALSE, FALSE, sizeof(retrieval_place));
    g_array_append_vals(array, places, 3);
    retrieval_hit hit = {.text = text, .places = array, .first_page = 6, .last_page = 7};
    g_autoptr(GArray) boxes = pipelines_quote_boxes(&hit, 5, 20);
    assert_int_equal(boxes->len, 3);
    const layout_box *box = (const layout_box *)(void *)boxes->data;
    assert_true(box[0].rect.x0 == 150 && box[0].rect.x1 == 200 && box[0].page == 6);
    assert_true(box[1].rect.x0 == 100 && box[1].rect.x1 == 200);
    assert_true(box[2].rect.x0 == 100 && box[2].rect.x1 == 150 && box[2].page == 7);
    pipelines_location at = pipelines_quote_location(&hit, 12, 3);
    assert_int_equal(at.page, 6);
    assert_int_equal(at.block, 4);
    assert_int_equal(at.block_start, 112);
    assert_int_equal(at.block_len, 3);
    g_autoptr(GArray) one = pipelines_quote_boxes(&hit, 12, 3);
    assert_int_equal(one->len, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_verbatim_quote_is_exact_and_in_its_place),
        cmocka_unit_test(print_makes_no_difference),
        cmocka_unit_test(a_slip_of_a_letter_is_fuzzy),
        cmocka_unit_test(what_says_something_else_is_not_verified),
        cmocka_unit_test(a_quote_takes_the_negation_before_it_along),
        cmocka_unit_test(other_places_are_tried_when_one_cuts_a_number),
        cmocka_unit_test(whole_words_of_a_text_are_always_found),
        cmocka_unit_test(no_changed_digit_passes),
        cmocka_unit_test(no_dropped_negation_passes),
        cmocka_unit_test(long_and_repetitive_texts_take_no_time),
        cmocka_unit_test(numbers_of_a_claim_stand_in_its_quote),
        cmocka_unit_test(boxes_are_one_per_line_and_cut_to_the_quote),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

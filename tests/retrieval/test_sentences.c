/* Sentence ends in scientific prose, token counts. */
#include "support.h"

#include <string.h>

#include "retrieval/sentences.h"

/* text with "|" where a sentence must end */
static void
check_split(const char *marked)
{
    g_autoptr(GArray) expected = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    g_autoptr(GArray) ends = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    g_autoptr(GString) text = g_string_new(NULL);
    for (const char *p = marked; *p; p++) {
        if (*p == '|') {
            uint32_t end = (uint32_t)text->len;
            g_array_append_val(expected, end);
        } else {
            g_string_append_c(text, *p);
        }
    }
    uint32_t len = (uint32_t)text->len;
    if (len > 0) g_array_append_val(expected, len);

    retrieval_split_sentences(text->str, len, ends);
    for (guint i = 0; i < MIN(ends->len, expected->len); i++) {
        uint32_t is = g_array_index(ends, uint32_t, i),
                 should = g_array_index(expected, uint32_t, i);
        if (is != should) print_error("in '%s': end %u at %u, not %u\n", marked, i, is, should);
        assert_int_equal(is, should);
    }
    if (ends->len != expected->len) print_error("in '%s': %u ends\n", marked, ends->len);
    assert_int_equal(ends->len, expected->len);
}

static void
sentences_end_where_a_reader_ends_them(void **state)
{
    (void)state;
    check_split("");
    check_split("No stop at all");
    check_split("One. |Two. |Three.");
    check_split("Is it so? |Yes! |It is.");
    check_split("He said \"no.\" |Then he left.");
    check_split("It holds (see below). |We go on.");
    check_split("This was shown.[3] |It was new.");
    check_split("This was shown.\xc2\xb9 |It was new.");
    check_split("The dose was 5 mg. |2 patients died.");
    check_split("\xe7\x8c\xab\xe3\x81\x8c\xe3\x81\x84\xe3\x82\x8b\xe3\x80\x82|"
                "\xe7\x8a\xac\xe3\x82\x82\xe3\x80\x82");
    check_split("Cells grew, etc. |Then they died.");
    check_split("Take vitamins. |Eat.");
    check_split("The last [3]. [4] |And it went on.");
    check_split("We used nitrate.1 |After that we stopped.");
    check_split("It is 3.14 there.");
    check_split("At 415 \xc2\xb0"
                "C. |Then it cooled.");
}

static void
stops_inside_a_sentence_do_not_end_it(void **state)
{
    (void)state;
    check_split("As Smith et al. [3] showed, it holds.");
    check_split("As Smith et al. (2010) showed.");
    check_split("As shown in Fig. 3 and Figs. 4 and 5.");
    check_split("By Eq. (2) and Sec. 3.1 we get 0.5 and .05 of it.");
    check_split("Use it, e.g. in cells, i.e. Escherichia.");
    check_split("J. R. R. Tolkien wrote it. |Nobody else did.");
    check_split("The U.S. Army paid.");
    check_split("Dr. Jones vs. Prof. Smith.");
    check_split("Sample no. 5 was lost. |No. |It was found.");
    check_split("It was approx. 5 kg, cf. Table 2.");
    check_split("S. aureus and E. coli. |Both grow.");
    check_split("Version 1.2.3 of foo.c was used.");
    check_split("and so on ... but then");
    check_split("(Fig. 2) shows (see Ref. 4) it.");
}

static void
ends_rise_and_cover_any_text(void **state)
{
    (void)state;
    static const char *const parts[] = {
        ".", " ", "!",  "?", "a",      "B",  "\xc3\xa9", "\xe3\x80\x82",
        "(", ")", "\"", "1", "et al.", "\n", "Fig",      "\xf0\x9f\x98\x80"};
    g_autoptr(GRand) rand = g_rand_new_with_seed(1);
    for (int round = 0; round < 3000; round++) {
        g_autoptr(GString) text = g_string_new(NULL);
        const int n = g_rand_int_range(rand, 0, 40);
        for (int i = 0; i < n; i++)
            g_string_append(text, parts[g_rand_int_range(rand, 0, G_N_ELEMENTS(parts))]);
        g_autoptr(GArray) ends = g_array_new(FALSE, FALSE, sizeof(uint32_t));
        retrieval_split_sentences(text->str, (uint32_t)text->len, ends);
        uint32_t last = 0;
        for (guint i = 0; i < ends->len; i++) {
            const uint32_t end = g_array_index(ends, uint32_t, i);
            assert_true(end > last);
            assert_true(((guchar)text->str[end] & 0xc0) != 0x80);
            last = end;
        }
        assert_int_equal(last, text->len);
    }
}

static void
tokens_are_four_per_three_words(void **state)
{
    (void)state;
    assert_int_equal(retrieval_count_tokens("", 0), 0);
    assert_int_equal(retrieval_count_tokens("one two three", 13), 4);
    assert_int_equal(retrieval_count_tokens("  one  ", 7), 2);
    /* a word of 33 characters counts as three */
    assert_int_equal(retrieval_count_tokens("123456789012345678901234567890123", 33), 4);
    const char *wide = "\xe7\x8c\xab\xe7\x8a\xac\xe9\xb3\xa5";
    assert_int_equal(retrieval_count_tokens(wide, strlen(wide)), 4);
}

static void
a_cut_never_exceeds_its_limit(void **state)
{
    (void)state;
    g_autoptr(GRand) rand = g_rand_new_with_seed(2);
    g_autoptr(GString) text = g_string_new(NULL);
    for (int i = 0; i < 300; i++) {
        g_autofree char *sentence = random_sentence(rand, 5);
        g_string_append_printf(text, i % 3 ? "%s " : "%s", sentence);
    }
    for (int i = 0; i < 500; i++)
        g_string_append(text, "\xe7\x8c\xab");
    for (guint max = 1; max < 60; max += 3) {
        uint32_t at = 0;
        while (at < text->len) {
            uint32_t n = retrieval_cut_tokens(text->str + at, (uint32_t)text->len - at, max);
            assert_true(n > 0 && n <= text->len - at);
            if (max >= 2) assert_true(retrieval_count_tokens(text->str + at, n) <= max);
            at += n;
            assert_true(((guchar)text->str[at] & 0xc0) != 0x80);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sentences_end_where_a_reader_ends_them),
        cmocka_unit_test(stops_inside_a_sentence_do_not_end_it),
        cmocka_unit_test(ends_rise_and_cover_any_text),
        cmocka_unit_test(tokens_are_four_per_three_words),
        cmocka_unit_test(a_cut_never_exceeds_its_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

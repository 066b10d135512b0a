/* Scientific words: what a text is found by. */
#include "support.h"

#include <string.h>

#include "retrieval/stem.h"
#include "retrieval/tokens.h"

static gboolean
append_token(const retrieval_token *token, void *user_data)
{
    GString *out = user_data;
    if (out->len > 0) g_string_append_c(out, ' ');
    if (token->is_colocated) g_string_append_c(out, '+');
    g_string_append_len(out, token->text, (gssize)token->len);
    return TRUE;
}

static void
check_words(const char *text, const char *expected)
{
    g_autoptr(GString) words = g_string_new(NULL);
    retrieval_tokenize(text, strlen(text), append_token, words);
    assert_string_equal(words->str, expected);
}

static void
compounds_are_their_parts_and_their_whole(void **state)
{
    (void)state;
    check_words("SARS-CoV-2", "sar cov 2 +sarscov2");
    check_words("IL\xe2\x80\x91"
                "2",
                "il 2 +il2"); /* non-breaking hyphen */
    check_words("2,4-dinitrophenol", "2 4 dinitrophenol +24dinitrophenol");
    check_words("5\xe2\x80\xb2-UTR", "5 utr +5utr");
    check_words("either/or", "either or +eitheror");
    check_words("yes - no", "ye no");
    check_words("BRCA1 p53 H\xe2\x82\x82O Ca2+", "brca1 p53 h2o ca2");
}

static void
greek_letters_are_spelled_out_and_greek_words_are_not(void **state)
{
    (void)state;
    check_words("TNF-\xce\xb1", "tnf alpha +tnfalpha");
    check_words("NF\xce\xba"
                "B",
                "nfkappab");
    check_words("\xce\xb2-carotene", "beta caroten +betacaroten");
    check_words("\xce\x94"
                "9",
                "delta9");
    check_words("\xce\xbb\xcf\x8c\xce\xb3\xce\xbf\xcf\x82",
                "\xce\xbb\xce\xbf\xce\xb3\xce\xbf\xcf\x82");
}

static void
numbers_and_units_are_found_together_and_apart(void **state)
{
    (void)state;
    check_words("5mg/mL", "5 mg +5mg ml +5mgml");
    check_words("10 \xce\xbcm, 10 \xc2\xb5m", "10 um 10 um");
    check_words("3.5kg of 10,000", "3.5 kg +3.5kg of 10000");
    check_words("p<.05", "p 0.05");
    check_words("1,2 and 3. Then", "1 2 and 3 then");
    check_words("12,345,678", "12345678");
}

static void
accents_forms_and_endings_do_not_matter(void **state)
{
    (void)state;
    check_words("M\xc3\xbcller Mu\xcc\x88ller MULLER", "muller muller muller");
    check_words("\xef\xac\x81nding na\xc3\xafve Stra\xc3\x9f"
                "e",
                "find naiv strass");
    check_words("patient's patients' don't", "patient patient dont");
    check_words("hyphen\xc2\xad"
                "ation",
                "hyphen");
    check_words("generalizations relational running", "gener relat run");
    check_words("\xe7\x8c\xab\xe3\x81\x8c", "\xe7\x8c\xab \xe3\x81\x8c");
}

static void
porter_stems_are_those_of_the_paper(void **state)
{
    (void)state;
    static const char *const pairs[] = {"caresses",    "caress",       "ponies",
                                        "poni",        "ties",         "ti",
                                        "cats",        "cat",          "feed",
                                        "feed",        "agreed",       "agre",
                                        "plastered",   "plaster",      "motoring",
                                        "motor",       "sing",         "sing",
                                        "conflated",   "conflat",      "troubled",
                                        "troubl",      "sized",        "size",
                                        "hopping",     "hop",          "falling",
                                        "fall",        "hissing",      "hiss",
                                        "fizzed",      "fizz",         "failing",
                                        "fail",        "filing",       "file",
                                        "happy",       "happi",        "sky",
                                        "sky",         "relational",   "relat",
                                        "conditional", "condit",       "valenci",
                                        "valenc",      "digitizer",    "digit",
                                        "radicalli",   "radic",        "vietnamization",
                                        "vietnam",     "predication",  "predic",
                                        "operator",    "oper",         "feudalism",
                                        "feudal",      "decisiveness", "decis",
                                        "hopefulness", "hope",         "formaliti",
                                        "formal",      "sensibiliti",  "sensibl",
                                        "triplicate",  "triplic",      "formative",
                                        "form",        "electriciti",  "electr",
                                        "goodness",    "good",         "revival",
                                        "reviv",       "allowance",    "allow",
                                        "airliner",    "airlin",       "adjustable",
                                        "adjust",      "defensible",   "defens",
                                        "irritant",    "irrit",        "replacement",
                                        "replac",      "adoption",     "adopt",
                                        "communism",   "commun",       "effective",
                                        "effect",      "bowdlerize",   "bowdler",
                                        "probate",     "probat",       "rate",
                                        "rate",        "cease",        "ceas",
                                        "controll",    "control",      "roll",
                                        "roll",        "as",           "as"};
    for (gsize i = 0; i < G_N_ELEMENTS(pairs); i += 2) {
        char word[64];
        g_strlcpy(word, pairs[i], sizeof word);
        word[retrieval_stem(word, strlen(word))] = '\0';
        assert_string_equal(word, pairs[i + 1]);
    }
}

static gboolean
check_range(const retrieval_token *token, void *user_data)
{
    const size_t *len = user_data;
    assert_true(token->start < token->end && token->end <= *len);
    assert_true(token->len > 0 && token->len < 128);
    return TRUE;
}

static void
any_bytes_can_be_read(void **state)
{
    (void)state;
    static const char *const bits[] = {"-",        "'",    ",", ".", "\xce",     "\xb1",
                                       "\xce\xb1", "\xff", "9", "a", "Z",        "\xe2\x80\xb2",
                                       "\xc2\xb5", "m",    "/", " ", "\xf0\x9f", "\xe7\x8c\xab",
                                       "\xc2\xbd"};
    g_autoptr(GRand) rand = g_rand_new_with_seed(11);
    for (int round = 0; round < 20000; round++) {
        g_autoptr(GString) text = g_string_new(NULL);
        const int n = g_rand_int_range(rand, 0, 40);
        for (int i = 0; i < n; i++)
            g_string_append(text, bits[g_rand_int_range(rand, 0, G_N_ELEMENTS(bits))]);
        g_autofree char *exact = g_memdup2(text->str, text->len); /* no NUL to stop at */
        size_t len = text->len;
        retrieval_tokenize(exact ? exact : "", len, check_range, &len);
    }
    g_autofree char *long_word = g_strnfill(1000000, 'a');
    size_t len = 1000000;
    retrieval_tokenize(long_word, len, check_range, &len);
}

static void
check_found(retrieval_library *library, const char *query, const char *path)
{
    g_autoptr(GError) error = NULL;
    retrieval_search_options options = retrieval_search_options_default();
    options.method = RETRIEVAL_BM25;
    g_autoptr(GPtrArray) hits = retrieval_library_search(library, query, &options, &error);
    assert_no_error(error);
    if (hits->len == 0) fail_msg("nothing found by %s", query);
    assert_string_equal(((retrieval_hit *)hits->pdata[0])->path, path);
}

static void
a_name_is_found_however_it_is_written(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    g_autoptr(retrieval_library) library = open_writer();
    retrieval_library_add_passage(library, "il", "", "Levels of IL-2 rose.", &error);
    retrieval_library_add_passage(library, "tnf", "", "TNF-\xce\xb1 was blocked.", &error);
    retrieval_library_add_passage(library, "dose", "", "We gave 5mg of it.", &error);
    retrieval_library_add_passage(library, "other", "", "Nothing of that kind.", &error);
    assert_no_error(error);
    static const char *const il[] = {"IL2", "il-2", "IL 2",
                                     "Il\xe2\x80\x93"
                                     "2"};
    static const char *const tnf[] = {"TNFalpha", "tnf alpha", "TNF\xce\xb1", "tnf-\xce\x91"};
    for (gsize i = 0; i < G_N_ELEMENTS(il); i++)
        check_found(library, il[i], "il");
    for (gsize i = 0; i < G_N_ELEMENTS(tnf); i++)
        check_found(library, tnf[i], "tnf");
    check_found(library, "5 mg", "dose");
    check_found(library, "5mg", "dose");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compounds_are_their_parts_and_their_whole),
        cmocka_unit_test(greek_letters_are_spelled_out_and_greek_words_are_not),
        cmocka_unit_test(numbers_and_units_are_found_together_and_apart),
        cmocka_unit_test(accents_forms_and_endings_do_not_matter),
        cmocka_unit_test(porter_stems_are_those_of_the_paper),
        cmocka_unit_test(any_bytes_can_be_read),
        cmocka_unit_test_setup_teardown(a_name_is_found_however_it_is_written, setup_folder,
                                        teardown_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

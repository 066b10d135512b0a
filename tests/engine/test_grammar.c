/* Grammars: reading them, following them, and the masks of a vocabulary. */
#include "grammar_vocab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#ifdef LODE_SANITIZED
#define MOST_SECONDS 15.0
#else
#define MOST_SECONDS 3.0 /* of the processor, for any one input */
#endif

static engine_grammar *
bind(const test_vocab *vocab, const char *text)
{
    g_autoptr(GError) error = NULL;
    grammar_program *program = grammar_program_parse(text, &error);
    if (!program) fail_msg("%s: %s", text, error->message);
    return grammar_bind(program, vocab->trie);
}

static gboolean
matches(const engine_grammar *grammar, const char *text)
{
    g_autoptr(grammar_matcher) matcher = grammar_matcher_new(grammar);
    return grammar_matcher_accept(matcher, text, strlen(text)) && grammar_matcher_can_end(matcher);
}

/* ---- the notation ---- */

static void
a_grammar_matches_its_texts_and_no_others(void **state)
{
    static const struct {
        const char *grammar, *yes[6], *no[6];
    } cases[] = {
        {"root ::= \"a\" | \"bc\"", {"a", "bc"}, {"", "b", "abc", "ac"}},
        {"root ::= [a-c]+ \"-\"? # comment\n  [^x]{2}", {"a12", "abc-é日"}, {"a1", "ax1", "a1x"}},
        {"root ::= x x\nx ::= \"1\"*", {"", "1", "1111"}, {"2"}},
        {"root ::= \"(\" root \")\" | \"\"", {"", "()", "((()))"}, {"(", "(()", ")("}},
        {"root ::= .{3,5}", {"abc", "日本語", "😀é\n€x"}, {"ab", "abcdef", "\xff\xff\xff"}},
        {"root ::= [a-z]{3,200} \"!\"", {"abc!", "zzzzzzzzzzzzzzzzzzzzzzzzzzz!"}, {"ab!", "abc"}},
        {"root ::= (\"ab\" | \"c\"){60,61}",
         {"cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc",
          "ccccccccccccccccccccccccccccccababccccccccccccccccccccccccccccc"},
         {"ababab", "ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"}},
        {"root ::= (item \",\"){20,30} \".\"\nitem ::= \"x\" | \"[\" item \"]\"",
         {"x,x,x,x,x,x,x,x,x,x,[x],x,x,x,x,x,x,x,x,x,."},
         {"x,x,.", "x,x,x,x,x,x,x,x,x,x,[x,x,x,x,x,x,x,x,x,x,."}},
        {"root ::= \"\\x41\\u00e9\\U0001F600\\\"\\\\\"", {"Aé😀\"\\"}, {"A"}},
        {"root ::= [\\]\\^\\-\\x41-\\x43]+", {"]^-ABC"}, {"D", ""}},
        {"root ::= [\u0400-\u04ff😀]+", {"жЀӿ😀"}, {"a", "Ͽ"}},
        {"root ::= [\u07f0-\u0810\ufff0-\U00010010]",
         {"\u07f0", "\u0800", "\u0810", "\uffff", "\U00010000"},
         {"\u07ef", "\u0811", "\U00010011", "a"}},
        {"root ::= a b c\na ::= \"a\"?\nb ::= a a\nc ::= (a | b)*", {"", "a", "aaaaaaa"}, {"b"}},
        {"root ::= (\"a\"? \"b\"?)*", {"", "ab", "ba", "bbbaaa"}, {"c"}},
        {"root ::= (\"a\"?){3,5} \"b\"", {"b", "aaaaab"}, {"aaaaaab"}},
        {"root ::= dead | \"x\"\ndead ::= \"y\" dead", {"x"}, {"y", "yyy"}},
        {"a-1 ::= \"x\"   root ::= a-1 a_2   a_2 ::= \"y\"", {"xy"}, {"x"}},
    };
    const test_vocab *vocab = *state;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(engine_grammar) grammar = bind(vocab, cases[i].grammar);
        for (size_t k = 0; k < 6 && cases[i].yes[k]; k++)
            if (!matches(grammar, cases[i].yes[k]))
                fail_msg("%s does not match '%s'", cases[i].grammar, cases[i].yes[k]);
        for (size_t k = 0; k < 6 && cases[i].no[k]; k++)
            if (matches(grammar, cases[i].no[k]))
                fail_msg("%s matches '%s'", cases[i].grammar, cases[i].no[k]);
    }
}

static void
mistakes_are_named_with_their_place(void **state)
{
    (void)state;
    static const struct {
        const char *grammar, *message;
    } cases[] = {
        {"", "no rule root"},
        {"x ::= \"a\"", "no rule root"},
        {"root ::= y", "no rule y"},
        {"root = \"a\"", "line 1, column 1: a rule"},
        {"root ::= \"a\"\nroot ::= \"b\"", "line 2, column 1: this rule is there already"},
        {"root ::= \"a", "not closed"},
        {"root ::= [a", "not closed"},
        {"root ::= (\"a\"", "not closed"},
        {"root ::= \"a\")", "not opened"},
        {"root ::= [b-a]", "ends before it begins"},
        {"root ::= \"a\"{3,2}", "ends before it begins"},
        {"root ::= \"a\"{3", "not closed"},
        {"root ::= \"a\"{99999999999}", "too large"},
        {"root ::= \"\\q\"", "escape is unknown"},
        {"root ::= \"\\x4\"", "hexadecimal"},
        {"root ::= \"\\ud800\"", "no character"},
        {"root ::= *", "is missing"},
        {"root ::= root \"a\" | \"b\"", "rule root begins with itself"},
        {"root ::= a\na ::= b? c\nb ::= \"x\"\nc ::= a \"y\" | \"z\"", "begins with itself"},
        {"root ::= \"a\" root", "no text satisfies rule root"},
        {"root ::= []", "no text satisfies rule root"},
        {"root ::= \"\xff\"", "not UTF-8"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(grammar_program) program = grammar_program_parse(cases[i].grammar, &error);
        if (program || error->domain != ENGINE_ERROR || !strstr(error->message, cases[i].message))
            fail_msg("%s: %s", cases[i].grammar, program ? "was read" : error->message);
    }
}

/* ---- masks ---- */

static const char *const GRAMMARS[] = {
    "root ::= \"\\\"\" char* \"\\\"\"\nchar ::= [^\"\\\\\\x00-\\x1f] | \"\\\\\" [nt\"\\\\]",
    "root ::= value\n"
    "value ::= object | array | string | number | \"true\" | \"false\" | \"null\"\n"
    "ws ::= (\" \" | \"\\n\" [ ]{0,8})?\n"
    "object ::= \"{\" ws (pair (\",\" ws pair)*)? ws \"}\"\npair ::= string \":\" ws value\n"
    "array ::= \"[\" ws (value (\",\" ws value)*)? ws \"]\"\n"
    "string ::= \"\\\"\" ([^\"\\\\\\x00-\\x1f] | \"\\\\\" [nt\"\\\\])* \"\\\"\"\n"
    "number ::= \"-\"? (\"0\" | [1-9] [0-9]*) (\".\" [0-9]+)? ([eE] [-+]? [0-9]+)?",
    "root ::= \"\\\"\" [^\"]{5,100} \"\\\",\" [a-z]{2,70} \"foo\" .*",
    "root ::= [a-z]{3,60} \"foo\" | [a-y]{2,80} \"bar\"",
    "root ::= ([a-z] [0-9]){10,90} \"a\"",
    "root ::= (name \", \"){3,90} name\nname ::= [A-Za-z] name | [日本語😀éü]+ | \"x\" name \"y\"",
    "root ::= word (\" \" word)* \".\"\nword ::= [a-z] rest\nrest ::= [a-z] rest | \"\"",
    "root ::= .{0,300} \"z\"",
    ("root ::= (\"name\" | \"title\" | \"the\" | \"foo\" | \"foobar\") (\"bar\")? "
     "[\\x00-\\uffff]{2}"),
};

/* The mask is what single questions give, all along random texts, with rewinds and copies on the way. */
static void
masks_hold_every_token_that_can_be_accepted_and_no_other(void **state)
{
    const test_vocab *vocab = *state;
    GRand *rand = g_rand_new_with_seed(5);
    for (size_t i = 0; i < G_N_ELEMENTS(GRAMMARS); i++) {
        g_autoptr(engine_grammar) grammar = bind(vocab, GRAMMARS[i]);
        for (guint round = 0; round < 6; round++) {
            grammar_matcher *matcher = grammar_matcher_new(grammar);
            guint n_accepted = 0;
            for (guint step = 0; step < 40; step++) {
                test_vocab_check_mask(vocab, matcher);
                const gint id = test_vocab_pick(vocab, grammar_matcher_mask(matcher), rand);
                if (id < 0) {
                    assert_true(grammar_matcher_can_end(matcher)); /* never stuck */
                    break;
                }
                const GString *token = test_vocab_token(vocab, (guint)id);
                assert_true(grammar_matcher_accept(matcher, token->str, token->len));
                n_accepted++;
                if (step % 9 == 8) {
                    grammar_matcher *copy = grammar_matcher_clone(matcher);
                    grammar_matcher_free(matcher);
                    matcher = copy;
                }
                if (step % 13 == 12) {
                    const guint back = (guint)g_rand_int_range(rand, 0, (gint32)n_accepted + 1);
                    grammar_matcher_rewind(matcher, back);
                    n_accepted -= back;
                }
            }
            assert_false(grammar_matcher_failed(matcher));
            grammar_matcher_free(matcher);
        }
    }
    g_rand_free(rand);
}

static void
rewinding_leads_to_the_same_masks(void **state)
{
    const test_vocab *vocab = *state;
    const uint32_t n_words = vocab->trie->n_words;
    g_autoptr(engine_grammar) grammar = bind(vocab, GRAMMARS[1]);
    g_autoptr(grammar_matcher) matcher = grammar_matcher_new(grammar);
    static const char *const steps[] = {"{\"", "name\":", " [", "12", ", ", "{", "\"a",
                                        "\":", "[[[",     "[",  "[",  "]",  "]"};
    g_autofree uint64_t *masks = g_new(uint64_t, G_N_ELEMENTS(steps) * n_words);

    for (size_t i = 0; i < G_N_ELEMENTS(steps); i++) {
        memcpy(masks + i * n_words, grammar_matcher_mask(matcher), n_words * sizeof *masks);
        assert_true(grammar_matcher_accept(matcher, steps[i], strlen(steps[i])));
    }
    assert_false(grammar_matcher_accept(matcher, "}", 1));
    for (size_t i = G_N_ELEMENTS(steps); i-- > 0;) {
        grammar_matcher_rewind(matcher, 1);
        assert_memory_equal(grammar_matcher_mask(matcher), masks + i * n_words,
                            n_words * sizeof *masks);
    }
}

static void
long_texts_stay_small_and_go_back_far(void **state)
{
    const test_vocab *vocab = *state;
    g_autoptr(engine_grammar) grammar = bind(vocab, GRAMMARS[1]);
    g_autoptr(grammar_matcher) matcher = grammar_matcher_new(grammar);
    assert_true(grammar_matcher_accept(matcher, "[", 1));
    for (guint i = 0; i < 3000; i++) {
        assert_true(grammar_matcher_accept(matcher, "[{\"a\":[0,", 9));
        assert_true(grammar_matcher_accept(matcher, "1],\"b\":", 7));
    }
    grammar_matcher_rewind(matcher, GRAMMAR_MAX_REWIND);
    for (guint i = 0; i < GRAMMAR_MAX_REWIND / 2; i++)
        assert_true(grammar_matcher_accept(matcher, "[{\"a\":[0,1],\"b\":", 16));
    assert_true(grammar_matcher_accept(matcher, "0", 1));
    for (guint i = 0; i < 3000; i++)
        assert_true(grammar_matcher_accept(matcher, "}]", 2));
    assert_false(grammar_matcher_can_end(matcher));
    assert_true(grammar_matcher_accept(matcher, "]", 1));
    assert_true(grammar_matcher_can_end(matcher));
    assert_false(grammar_matcher_accept(matcher, "]", 1));
}

static void
forced_bytes_end_where_there_is_a_choice(void **state)
{
    const test_vocab *vocab = *state;
    g_autoptr(engine_grammar) grammar =
        bind(vocab, "root ::= \"{\\\"name\\\":\" [0-9] \"x\" (\"yz1\" | \"yz2\") \"end\"");
    g_autoptr(grammar_matcher) matcher = grammar_matcher_new(grammar);
    g_autoptr(GString) out = g_string_new(NULL);
    grammar_matcher_forced(matcher, 100, out);
    assert_string_equal(out->str, "{\"name\":");
    assert_true(grammar_matcher_accept(matcher, "{\"name\":5", 9));
    g_string_truncate(out, 0);
    grammar_matcher_forced(matcher, 2, out);
    assert_string_equal(out->str, "xy");
    grammar_matcher_forced(matcher, 100, out);
    assert_string_equal(out->str, "xyxyz");
    assert_true(grammar_matcher_accept(matcher, "xyz2end", 7));
    g_string_truncate(out, 0);
    grammar_matcher_forced(matcher, 100, out);
    assert_int_equal(out->len, 0);
}

/* ---- hostile grammars ---- */

static void
hostile_grammars_end_soon(void **state)
{
    const test_vocab *vocab = *state;
    g_autoptr(GString) deep = g_string_new("root ::= "), chain = g_string_new(NULL),
                       wide = g_string_new("root ::= \"x\"");
    for (int i = 0; i < 100000; i++)
        g_string_append_c(deep, '(');
    for (int i = 0; i < 5000; i++)
        g_string_append_printf(chain, "r%d ::= r%d r%d \"x\"?\n", i, i + 1, i + 1);
    g_string_append(chain, "r5000 ::= \"a\"\nroot ::= r0");
    for (int i = 0; i < 100000; i++)
        g_string_append(wide, " | [a-z]{1,1000} \"q\"");
    const char *const texts[] = {
        deep->str,
        chain->str,
        wide->str,
        "root ::= ((((((\"a\"{1,99}){1,99}){1,99}){1,99}){1,99}){1,99}){1,99}",
        "root ::= ((((((((\"\"){40}){40}){40}){40}){40}){40}){40}){40}",
        "root ::= \"a\"{0,4294967294}",
        "root ::= a{4000000000}\na ::= \"x\" a \"y\" | \"z\"",
        "root ::= \"a\" root \"b\" | \"a\" root \"c\" | \"a\" root \"d\" | \"\"",
        "root ::= (\"a\" | \"aa\" | \"aaa\" | \"b\"){0,100000} \"z\"",
        "root ::= x x x x x x x x\nx ::= y*\ny ::= (\"a\" | \"a\" \"a\")*",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;
        const clock_t start = clock();
        grammar_program *program = grammar_program_parse(texts[i], &error);
        if (program) {
            g_autoptr(engine_grammar) grammar = grammar_bind(program, vocab->trie);
            g_autoptr(grammar_matcher) matcher = grammar_matcher_new(grammar);
            for (guint k = 0; k < 200; k++) {
                if (k < 20 && !grammar_matcher_failed(matcher)) grammar_matcher_mask(matcher);
                if (!grammar_matcher_accept(matcher, "a", 1)) break;
            }
        } else {
            assert_int_equal(error->domain, ENGINE_ERROR);
        }
        const double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
        if (seconds > MOST_SECONDS) fail_msg("grammar %zu took %.1f s", i, seconds);
    }
}

/* ---- main ---- */

static int
set_up(void **state)
{
    *state = test_vocab_new(1500, 42);
    return 0;
}

static int
tear_down(void **state)
{
    test_vocab_free(*state);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_grammar_matches_its_texts_and_no_others),
        cmocka_unit_test(mistakes_are_named_with_their_place),
        cmocka_unit_test(masks_hold_every_token_that_can_be_accepted_and_no_other),
        cmocka_unit_test(rewinding_leads_to_the_same_masks),
        cmocka_unit_test(long_texts_stay_small_and_go_back_far),
        cmocka_unit_test(forced_bytes_end_where_there_is_a_choice),
        cmocka_unit_test(hostile_grammars_end_soon),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

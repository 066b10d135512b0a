/* Sentences, words, evidence, citations in a stream. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

#include "pipelines/answer.h"

static void
sentences_end_where_they_end(void **state)
{
    (void)state;
    static const char text[] =
        "The yield was 93.5 % (Fig. 2). See Smith et al. for more! It holds, cf. Eq. 3, "
        "e.g. here. \"Quoted.\" Next one.\nA heading\n\nThe last [3]. [4] And J. Doe agreed? At "
        "415 \xC2\xB0"
        "C. Of nitrate.1 After it.";
    static const char *const expected[] = {"The yield was 93.5 % (Fig. 2).",
                                           "See Smith et al. for more!",
                                           "It holds, cf. Eq. 3, e.g. here.",
                                           "\"Quoted.\"",
                                           "Next one.",
                                           "A heading",
                                           "The last [3]. [4]",
                                           "And J. Doe agreed?",
                                           "At 415 \xC2\xB0"
                                           "C.",
                                           "Of nitrate.1",
                                           "After it."};
    g_autoptr(GArray) sentences = pipelines_sentences(text, strlen(text));
    for (guint i = 0; i < MIN(sentences->len, G_N_ELEMENTS(expected)); i++) {
        const pipelines_quote *s = &g_array_index(sentences, pipelines_quote, i);
        g_autofree char *sentence = g_strndup(text + s->start, s->len);
        assert_string_equal(sentence, expected[i]);
    }
    assert_int_equal(sentences->len, G_N_ELEMENTS(expected));
}

static void
sentences_cover_any_text(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",     " ",      ".",      "...",
        "\n\n", "no end", "A.B.C.", "\xE4\xB8\xAD\xE6\x96\x87. \xE4\xB8\xAD",
        "x [",  "x. [1",  "x. [1]"};
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        size_t len = strlen(texts[i]), covered = 0;
        g_autoptr(GArray) sentences = pipelines_sentences(texts[i], len);
        for (guint j = 0; j < sentences->len; j++) {
            const pipelines_quote *s = &g_array_index(sentences, pipelines_quote, j);
            assert_true(s->len > 0 && s->start >= covered && s->start + s->len <= len);
            for (size_t k = covered; k < s->start; k++)
                assert_true(texts[i][k] == ' ' || texts[i][k] == '\n');
            covered = s->start + s->len;
        }
    }
}

static void
content_words_meet_across_forms(void **state)
{
    (void)state;
    g_autoptr(GHashTable) a =
        pipelines_content_words("What STUDIES reached 93.5 % of the yields?", 42);
    g_autoptr(GHashTable) b = pipelines_content_words("the study reaches a yield: 93.5", 31);
    assert_int_equal(g_hash_table_size(a), 4);
    GHashTableIter iter;
    gpointer word;
    g_hash_table_iter_init(&iter, b);
    while (g_hash_table_iter_next(&iter, &word, NULL))
        assert_true(g_hash_table_contains(a, word));
    assert_true(g_hash_table_contains(a, "93.5"));
}

/* ---- evidence ---- */

static retrieval_hit *
hit(const char *title, const char *text)
{
    retrieval_hit *h = g_new0(retrieval_hit, 1);
    h->title = (char *)title;
    h->section = (char *)"";
    h->text = (char *)text;
    return h;
}

static GPtrArray *
catalyst_hits(void)
{
    GPtrArray *hits = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(hits, hit("Lakes in winter",
                              "The lake froze in January. Its ice was 30 cm thick at most."));
    g_ptr_array_add(hits, hit("A cobalt catalyst",
                              "We prepared the catalyst in water. The cobalt catalyst reached "
                              "a yield of 93 % after two hours. It was stable for a week."));
    return hits;
}

static void
the_answering_sentence_ranks_first(void **state)
{
    (void)state;
    g_autoptr(GPtrArray) hits = catalyst_hits();
    const char *question = "What yield did the cobalt catalyst reach?";
    g_autoptr(GArray) ranked = pipelines_rank_sentences(hits, question, NULL, NULL, NULL, NULL);
    const pipelines_quote *best = &g_array_index(ranked, pipelines_quote, 0);
    assert_int_equal(best->passage, 1);
    const retrieval_hit *h = hits->pdata[1];
    assert_memory_equal(h->text + best->start, "The cobalt catalyst reached", 27);
    assert_true(pipelines_evidence_suffices(hits, question, ranked, FALSE, NULL));
}

static void
an_unrelated_question_has_no_evidence(void **state)
{
    (void)state;
    g_autoptr(GPtrArray) hits = catalyst_hits();
    const char *question = "Who wrote the constitution of Iceland?";
    g_autoptr(GArray) ranked = pipelines_rank_sentences(hits, question, NULL, NULL, NULL, NULL);
    assert_false(pipelines_evidence_suffices(hits, question, ranked, FALSE, NULL));
    g_autoptr(GPtrArray) none = g_ptr_array_new();
    g_autoptr(GArray) empty = pipelines_rank_sentences(none, question, NULL, NULL, NULL, NULL);
    assert_int_equal(empty->len, 0);
    assert_false(pipelines_evidence_suffices(none, question, empty, FALSE, NULL));
}

static void
an_invented_number_is_not_supported(void **state)
{
    (void)state;
    g_autoptr(GPtrArray) hits = catalyst_hits();
    const char *right = "The cobalt catalyst reached a yield of 93 %.",
               *wrong = "The cobalt catalyst reached a yield of 99 %.";
    assert_true(pipelines_best_support(hits->pdata[1], 1, right, strlen(right)).score > 0.9);
    assert_true(pipelines_best_support(hits->pdata[1], 1, wrong, strlen(wrong)).score < 0.1);
    assert_true(pipelines_best_support(hits->pdata[0], 0, right, strlen(right)).score < 0.5);
}

/* ---- citations in a stream ---- */

static char *
filtered(const char *text, size_t step, guint n_passages, guint *n_removed)
{
    pipelines_citation_filter filter = {.n_passages = n_passages};
    g_autoptr(GString) out = g_string_new(NULL);
    for (size_t i = 0, len = strlen(text); i < len; i += step)
        pipelines_citation_filter_feed(&filter, text + i, MIN(step, len - i), out);
    pipelines_citation_filter_finish(&filter, out);
    *n_removed = filter.n_removed;
    return g_string_free(g_steal_pointer(&out), FALSE);
}

static void
only_citations_that_exist_pass_in_pieces_of_any_size(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
        guint n_removed;
    } cases[] = {
        {"It is so [1].", "It is so [1].", 0},
        {"It is so [7].", "It is so.", 1},
        {"Both [2, 9] and [3][4].", "Both [2] and [3].", 2},
        {"a [x] b [] c [ ] d [1", "a [x] b [] c [ ] d [1", 0},
        {"[0] zero [99999999999999999999] big", " zero big", 2},
        {"x  [1] y [ 2 ; 3 ]", "x  [1] y [2, 3]", 0},
        {"end [", "end [", 0},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
        for (size_t step = 1; step < 8; step++) {
            guint n_removed = 0;
            g_autofree char *out = filtered(cases[i].text, step, 3, &n_removed);
            assert_string_equal(out, cases[i].expected);
            assert_int_equal(n_removed, cases[i].n_removed);
        }
}

/* A reference that is called where what first stands in the text. */
static retrieval_reference *
called(const char *text, const char *what)
{
    retrieval_reference *r = g_new0(retrieval_reference, 1);
    r->start = (uint32_t)(strstr(text, what) - text);
    r->len = (uint32_t)strlen(what);
    return r;
}

static void
call_outs_right_behind_a_quote_belong_to_it(void **state)
{
    (void)state;
    static const struct {
        const char *text, *quote;
        const char *calls[4]; /* from the quote on */
        guint n;              /* of them that belong to it */
    } cases[] = {
        {"Iron rusts [1, 2] in rain. Others [3] agree.",
         "Iron rusts [1, 2] in rain.",
         {"1", "2", "3"},
         2},
        {"Iron rusts [1, 2], they say [3].", "Iron rusts", {"1", "2", "3"}, 2},
        {"Iron rusts. [4] Tin does not.", "Iron rusts.", {"4"}, 1},
        {"Iron rusts. [4] showed that tin does not.", "Iron rusts.", {"4"}, 0},
        {"Iron rusts.7,8 Tin does not.9", "Iron rusts.", {"7", "8", "9"}, 2},
        {"Iron rusts.7 Pike (1987) saw it.", "Iron rusts.7", {"7", "Pike (1987)"}, 1},
        {"Iron rusts. Pike (1987) saw it.", "Iron rusts.", {"Pike (1987)"}, 0},
        {"Iron rusts (Moor, 2011; Reed, 2014) in rain.",
         "Iron rusts",
         {"Moor, 2011", "Reed, 2014"},
         2},
        {"Iron rusts and tin [5] does not.", "Iron rusts", {"5"}, 0},
        {"Iron rusts.", "Iron rusts.", {NULL}, 0},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GPtrArray) references =
            g_ptr_array_new_with_free_func((GDestroyNotify)retrieval_reference_free);
        for (size_t j = 0; j < 4 && cases[i].calls[j] != NULL; j++)
            g_ptr_array_add(references, called(cases[i].text, cases[i].calls[j]));
        const pipelines_quote quote = {.len = (uint32_t)strlen(cases[i].quote)};
        pipelines_keep_called(references, cases[i].text, &quote);
        if (references->len != cases[i].n)
            print_error("%s: %u of %u\n", cases[i].text, references->len, cases[i].n);
        assert_int_equal(references->len, cases[i].n);
    }
    /* places that a damaged library gives */
    g_autoptr(GPtrArray) wild =
        g_ptr_array_new_with_free_func((GDestroyNotify)retrieval_reference_free);
    g_ptr_array_add(wild, called("Iron [1]", "1"));
    ((retrieval_reference *)wild->pdata[0])->start = G_MAXUINT32;
    pipelines_keep_called(wild, "Iron [1]", &(pipelines_quote){.len = 8});
    assert_int_equal(wild->len, 0);
}

static void
a_reference_is_told_in_short(void **state)
{
    (void)state;
    static const struct {
        retrieval_reference reference;
        const char *line;
    } cases[] = {
        {{.key = (char *)"2",
          .authors = (char *)"D. Spout",
          .year = (char *)"2004",
          .title = (char *)"On steam",
          .doi = (char *)"10.5555/tea.2"},
         "[2] D. Spout (2004). On steam. doi:10.5555/tea.2"},
        {{.authors = (char *)"Moor, A.",
          .title = (char *)"Is it ice?",
          .url = (char *)"https://example.org/ice"},
         "Moor, A. Is it ice? https://example.org/ice"},
        {{.title = (char *)"Ice", .arxiv = (char *)"1904.01234"}, "Ice. arXiv:1904.01234"},
        {{.authors = (char *)"Abel, A., Baker, B., Charles, C., Dexter, D., Eaton, E., Foster, F., "
                             "Gibbs, G., Hall, H.",
          .year = (char *)"1999",
          .title = (char *)"Many"},
         "Abel, A., Baker, B., Charles, C., Dexter, D., Eaton, E., Foster, F., Gibbs, G. et al. "
         "(1999). Many."},
        {{.key = (char *)"4", .authors = (char *)"Leaf, G.", .text = (char *)"4. Leaf, G. Lichen."},
         "4. Leaf, G. Lichen."},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *line = pipelines_reference_line(&cases[i].reference);
        assert_string_equal(line, cases[i].line);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sentences_end_where_they_end),
        cmocka_unit_test(sentences_cover_any_text),
        cmocka_unit_test(content_words_meet_across_forms),
        cmocka_unit_test(the_answering_sentence_ranks_first),
        cmocka_unit_test(an_unrelated_question_has_no_evidence),
        cmocka_unit_test(an_invented_number_is_not_supported),
        cmocka_unit_test(only_citations_that_exist_pass_in_pieces_of_any_size),
        cmocka_unit_test(call_outs_right_behind_a_quote_belong_to_it),
        cmocka_unit_test(a_reference_is_told_in_short),
    };
    return cmocka_run_group_tests_name("evidence", tests, NULL, NULL);
}

/* What becomes of a ranking: judged by a model, told apart, counted. */
#include "support.h"

#include <math.h>
#include <string.h>

#include "retrieval/choose.h"

#define ENGINE_DATA LODE_TEST_DATA "/engine"

enum { DIMS = 3 };

static GArray *
choices_new(void)
{
    GArray *choices = g_array_new(FALSE, FALSE, sizeof(retrieval_choice));
    g_array_set_clear_func(choices, retrieval_choice_clear);
    return choices;
}

/* vector NULL: none. */
static void
add_choice(GArray *choices, double score, int64_t document, int page, const float *vector)
{
    retrieval_choice choice = {.hit = g_new0(retrieval_hit, 1)};
    choice.hit->chunk_id = choices->len + 1;
    choice.hit->score = score;
    choice.hit->document_id = document;
    choice.hit->first_page = page;
    if (vector) choice.vector = g_memdup2(vector, DIMS * sizeof *vector);
    g_array_append_val(choices, choice);
}

/* The numbers of what was chosen, from 1. */
static void
check_choice(GArray *choices, const retrieval_search_options *options, const char *expected)
{
    g_autoptr(GPtrArray) hits = g_ptr_array_new_with_free_func((GDestroyNotify)retrieval_hit_free);
    g_autoptr(GString) found = g_string_new(NULL);
    retrieval_choose(choices, DIMS, options, hits);
    for (guint i = 0; i < hits->len; i++)
        g_string_append_printf(found, "%d", (int)((retrieval_hit *)hits->pdata[i])->chunk_id);
    assert_string_equal(found->str, expected);
    g_array_unref(choices);
}

static const float east[DIMS] = {1, 0, 0}, north[DIMS] = {0, 1, 0},
                   nearly_east[DIMS] = {0.8F, 0.6F, 0};

static GArray *
four_choices(void)
{
    GArray *choices = choices_new();
    add_choice(choices, 2.0, 1, 0, east);
    add_choice(choices, 1.9, 1, 0, east);
    add_choice(choices, 1.8, 1, 1, nearly_east);
    add_choice(choices, 1.0, 2, 0, north);
    return choices;
}

static void
without_diversity_the_order_stays(void **state)
{
    (void)state;
    const retrieval_search_options options = {.n_results = 3};
    check_choice(four_choices(), &options, "123");
}

static void
diversity_puts_what_is_alike_behind(void **state)
{
    (void)state;
    /* second place, half and half: 2 has 0.45 - 0.5, 3 has 0.4 - 0.4, 4 has 0 - 0; then 3 has 0.4 - 0.4 still */
    const retrieval_search_options options = {.n_results = 4, .diversity = 0.5};
    check_choice(four_choices(), &options, "1432");
    const retrieval_search_options little = {.n_results = 4, .diversity = 0.01};
    check_choice(four_choices(), &little, "1234");
}

static void
a_passage_without_a_vector_is_like_no_other(void **state)
{
    (void)state;
    GArray *choices = choices_new();
    add_choice(choices, 2.0, 1, 0, east);
    add_choice(choices, 1.9, 1, 0, east);
    add_choice(choices, 1.5, 1, 0, NULL);
    add_choice(choices, 1.0, 1, 0, NULL);
    const retrieval_search_options options = {.n_results = 3, .diversity = 0.5};
    check_choice(choices, &options, "134");
}

static void
pages_and_documents_have_their_limits(void **state)
{
    (void)state;
    const retrieval_search_options pages = {.n_results = 4, .max_per_page = 1};
    check_choice(four_choices(), &pages, "134");
    const retrieval_search_options documents = {.n_results = 4, .max_per_document = 1};
    check_choice(four_choices(), &documents, "14");
}

/* ---- a reranker ---- */

static engine_model *
open_cross_encoder(void)
{
    static const char *const files[] = {"tiny_cross/config.json", "tiny_bert/vocab.txt",
                                        "tiny_cross/model.safetensors"};
    g_autoptr(GError) error = NULL;
    for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *from = g_build_filename(ENGINE_DATA, files[i], NULL);
        g_autofree char *name = g_path_get_basename(files[i]);
        g_autofree char *to = g_build_filename(folder, name, NULL);
        g_autofree char *data = NULL;
        gsize n = 0;
        assert_true(g_file_get_contents(from, &data, &n, NULL));
        assert_true(g_file_set_contents(to, data, (gssize)n, NULL));
    }
    engine_model *model = engine_model_open(folder, &error);
    assert_no_error(error);
    return model;
}

/* What the library gives without it, judged here one by one. */
static void
a_cross_encoder_orders_what_it_judges_and_no_more(void **state)
{
    (void)state;
    static const char question[] = "energy of the model";
    static const char *const texts[] = {
        "the energy of the model",   "energy, energy, energy of a model", "a model of the energy",
        "the model = model.energy.", "the energying modeler of the",      "0 model 1 energy 2"};
    enum { JUDGED = 4 };
    g_autoptr(GError) error = NULL;
    g_autoptr(engine_model) model = open_cross_encoder();
    g_autoptr(engine_pool) pool = engine_pool_new(1);
    const retrieval_reranker reranker = {model, pool};
    g_autofree char *dir = g_build_filename(folder, "library", NULL);
    g_autoptr(retrieval_library) library = open_library(dir, RETRIEVAL_OPEN_WRITE, &no_embedder);
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autofree char *id = g_strdup_printf("p%u", (guint)i);
        assert_true(retrieval_library_add_passage(library, id, "", texts[i], &error));
    }
    retrieval_search_options options = retrieval_search_options_default();
    options.method = RETRIEVAL_BM25;
    g_autoptr(GPtrArray) before = retrieval_library_search(library, question, &options, &error);
    assert_no_error(error);
    assert_int_equal(before->len, G_N_ELEMENTS(texts));
    options.reranker = &reranker;
    options.n_reranked = JUDGED;
    g_autoptr(GPtrArray) after = retrieval_library_search(library, question, &options, &error);
    assert_no_error(error);
    assert_int_equal(after->len, before->len);
    gboolean has_moved = FALSE;
    for (guint i = 0; i < after->len; i++) {
        const retrieval_hit *hit = after->pdata[i], *old = before->pdata[i];
        has_moved = has_moved || hit->chunk_id != old->chunk_id;
        if (i >= JUDGED) {
            assert_int_equal(hit->chunk_id, old->chunk_id);
            assert_true(isnan(hit->judgement));
            continue;
        }
        float alone = 0;
        const char *const passage[] = {hit->text};
        assert_true(engine_cross_score(model, pool, question, passage, 1, &alone, NULL, &error));
        assert_true(hit->judgement == (double)alone);
        if (i > 0) assert_true(((retrieval_hit *)after->pdata[i - 1])->judgement >= hit->judgement);
    }
    assert_true(has_moved);
    g_clear_pointer(&library, retrieval_library_free);
    remove_folder(dir);
}

static void
a_plain_embedder_is_refused_as_a_judge(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    g_autoptr(engine_model) model = engine_model_open(ENGINE_DATA "/tiny_bert", &error);
    assert_no_error(error);
    g_autoptr(engine_pool) pool = engine_pool_new(1);
    const retrieval_reranker reranker = {model, pool};
    assert_false(retrieval_reranker_check(&reranker, &error));
    assert_true(g_error_matches(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_RERANKER));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_diversity_the_order_stays),
        cmocka_unit_test(diversity_puts_what_is_alike_behind),
        cmocka_unit_test(a_passage_without_a_vector_is_like_no_other),
        cmocka_unit_test(pages_and_documents_have_their_limits),
        cmocka_unit_test_setup_teardown(a_cross_encoder_orders_what_it_judges_and_no_more,
                                        setup_folder, teardown_folder),
        cmocka_unit_test(a_plain_embedder_is_refused_as_a_judge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

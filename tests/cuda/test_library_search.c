/* A library searched by the emulated card: what is found is what FAISS finds, to the last rank and bit, whatever has been
 * added, replaced and removed, and when the card is full or fails. */
#include "emulated_card.h"
#include "faulty_compute.h"

#include "engine/device.h"
#include "engine/model.h"
#include "tests/retrieval/support.h"

enum { N_DOCUMENTS = 40, N_QUESTIONS = 6 };

/* A model of nothing but a GPU. */
static engine_model
open_card(const lode_cuda_compute *compute, uint64_t limit)
{
    g_autoptr(GError) error = NULL;
    engine_model model = {.info = {.name = "card"}};
    emulated_card_fresh();
    model.device = engine_device_open(compute, 0, limit, &error);
    if (!model.device) fail_msg("%s", error->message);
    return model;
}

static void
add_document(retrieval_library *library, guint32 seed, const char *path)
{
    g_autoptr(GError) error = NULL;
    lode_document *document = random_document(seed);
    retrieval_library_add(library, path, document, NULL, NULL, &error);
    assert_no_error(error);
    lode_document_free(document);
}

static retrieval_library *
make_library(void)
{
    retrieval_library *library = open_writer();
    g_autoptr(GError) error = NULL;
    for (guint32 i = 0; i < N_DOCUMENTS; i++) {
        g_autofree char *path = g_strdup_printf("/p/%u.pdf", i);
        add_document(library, i / 2, path); /* every one twice: scores tie */
    }
    retrieval_library_commit(library, &error);
    assert_no_error(error);
    return library;
}

static retrieval_library *
open_with_card(const engine_model *model)
{
    retrieval_embedder embedder = fake_embedder;
    embedder.searcher = model;
    return open_library(folder, RETRIEVAL_OPEN_READ, &embedder);
}

static GPtrArray *
ask(retrieval_library *library, guint32 seed)
{
    g_autoptr(GError) error = NULL;
    GRand *rand = g_rand_new_with_seed(seed);
    g_autofree char *question = random_sentence(rand, 8);
    retrieval_search_options options = retrieval_search_options_default();
    options.method = RETRIEVAL_DENSE;
    options.n_results = 40;
    GPtrArray *hits = retrieval_library_search(library, question, &options, &error);
    assert_no_error(error);
    g_rand_free(rand);
    return hits;
}

static void
check_same(retrieval_library *here, retrieval_library *there)
{
    for (guint32 i = 0; i < N_QUESTIONS; i++) {
        g_autoptr(GPtrArray) expected = ask(here, i), found = ask(there, i);
        assert_true(expected->len > 10);
        assert_int_equal(found->len, expected->len);
        for (guint h = 0; h < found->len; h++) {
            const retrieval_hit *a = expected->pdata[h], *b = found->pdata[h];
            assert_string_equal(a->path, b->path);
            assert_string_equal(a->text, b->text);
            assert_true(a->score == b->score);
        }
    }
}

static void
check_searcher(retrieval_library *library, const char *start)
{
    g_autofree char *searcher = retrieval_library_describe_searcher(library);
    if (!searcher || !g_str_has_prefix(searcher, start))
        fail_msg("\"%s\" instead of \"%s\"", searcher ? searcher : "nobody", start);
}

static void
every_rank_is_the_cpu_s_after_every_change(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    engine_model model = open_card(lode_cuda_compute_get(), 0);
    retrieval_library *here = make_library(), *there = open_with_card(&model);
    assert_null(retrieval_library_describe_searcher(there));
    check_same(here, there);
    check_searcher(here, "CPU");
    check_searcher(there, "GPU");

    add_document(here, 100, "/p/new.pdf");
    check_same(here, there); /* without a commit: readers go on from what they have */
    assert_true(retrieval_library_remove(here, "/p/3.pdf", &error));
    assert_true(retrieval_library_remove(here, "/p/20.pdf", &error));
    check_same(here, there);
    add_document(here, 101, "/p/4.pdf"); /* in place of the one there was */
    retrieval_library_commit(here, &error);
    assert_no_error(error);
    check_same(here, there);
    check_searcher(there, "GPU");
    retrieval_library_free(there);
    retrieval_library_free(here);
    engine_device_unref(model.device);
}

static void
a_card_that_is_too_small_leaves_it_to_the_cpu(void **state)
{
    (void)state;
    engine_model model = open_card(lode_cuda_compute_get(), 4096);
    retrieval_library *here = make_library(), *there = open_with_card(&model);
    check_same(here, there);
    check_searcher(there, "CPU: the GPU's memory is full: ");
    retrieval_library_free(there);
    retrieval_library_free(here);
    engine_device_unref(model.device);
}

/* Every call, of opening and of searching, gets to fail; after the next change the card is asked again. */
static void
a_card_that_fails_is_not_missed(void **state)
{
    (void)state;
    engine_model model = open_card(faulty_compute(lode_cuda_compute_get()), 0);
    retrieval_library *here = make_library();
    for (unsigned nth = 1;; nth++) {
        retrieval_library *there = open_with_card(&model);
        faulty_compute_arm(nth);
        check_same(here, there);
        const gboolean fired = faulty_compute_n_calls() >= nth;
        check_searcher(there, fired ? "CPU: call " : "GPU");
        faulty_compute_arm(0);
        if (nth == 1) {
            add_document(here, 200, "/p/late.pdf");
            check_same(here, there);
            check_searcher(there, "GPU");
        }
        retrieval_library_free(there);
        if (!fired) break;
    }
    retrieval_library_free(here);
    engine_device_unref(model.device);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_rank_is_the_cpu_s_after_every_change, setup_folder,
                                        teardown_folder),
        cmocka_unit_test_setup_teardown(a_card_that_is_too_small_leaves_it_to_the_cpu, setup_folder,
                                        teardown_folder),
        cmocka_unit_test_setup_teardown(a_card_that_fails_is_not_missed, setup_folder,
                                        teardown_folder),
    };
    return cmocka_run_group_tests_name("cuda_library", tests, NULL, NULL);
}

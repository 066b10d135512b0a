/* The public API, through lode.h alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipelines/lode.h"

#define PAPER    LODE_TEST_DATA "/papers/ceria.pdf"
#define QUESTION "What ammonia conversion did foam RC-4 reach?"

static lode_document *
convert(const char *path)
{
    lode_error error;
    lode_document *document = NULL;
    if (lode_convert_file(path, NULL, &document, &error) != LODE_OK) fail_msg("%s", error.message);
    return document;
}

static void
a_document_tells_what_is_on_its_pages(void **state)
{
    (void)state;
    lode_document *document = convert(PAPER);
    assert_string_equal(
        lode_document_title(document),
        "Ammonia Decomposition over Ruthenium-Doped Ceria Foams at Moderate Temperature");
    assert_int_equal(lode_document_n_pages(document), 4);
    assert_true(lode_document_n_authors(document) >= 1);
    assert_null(lode_document_author(document, 1000));
    assert_int_equal(strlen(lode_document_source_sha256(document)), 64);
    assert_string_equal(lode_document_source_name(document), "ceria.pdf");

    size_t n_headings = 0, n_boxes = 0;
    for (size_t i = 0; i < lode_document_n_blocks(document); i++) {
        assert_non_null(lode_document_block_text(document, i));
        assert_true(lode_document_block_parent(document, i) <
                    (long)lode_document_n_blocks(document));
        if (strcmp(lode_document_block_type(document, i), "heading") == 0) {
            n_headings++;
            assert_true(lode_document_block_level(document, i) >= 1);
        }
        for (size_t j = 0; j < lode_document_block_n_boxes(document, i); j++, n_boxes++) {
            lode_box box = lode_document_block_box(document, i, j);
            assert_in_range(box.page_number, 1, 4);
            assert_true(box.x0 <= box.x1 && box.y0 <= box.y1);
            assert_true(box.x1 <=
                        lode_document_page_width(document, (size_t)box.page_number - 1) + 1);
            assert_true(box.y1 <=
                        lode_document_page_height(document, (size_t)box.page_number - 1) + 1);
        }
    }
    assert_true(n_headings >= 5 && n_boxes > 20);

    size_t beyond = lode_document_n_blocks(document);
    assert_null(lode_document_block_type(document, beyond));
    assert_null(lode_document_block_text(document, beyond));
    assert_int_equal(lode_document_block_box(document, beyond, 0).page_number, 0);
    assert_null(lode_document_page_failure(document, 99));
    assert_null(lode_document_warning(document, 99999));
    assert_int_equal(lode_document_page_balances(document, 1), 1);
    assert_int_equal(lode_document_page_balances(document, 99999), 0);
    assert_true(lode_document_page_glyphs(document, 1, "drawn") > 100);
    assert_true(lode_document_page_glyphs(document, 1, "text") <=
                lode_document_page_glyphs(document, 1, "drawn"));
    assert_int_equal(lode_document_page_glyphs(document, 1, "nowhere"), 0);
    assert_int_equal(lode_document_n_discarded(document), 0);
    assert_null(lode_document_discarded_text(document, 0));
    assert_null(lode_document_discarded_reason(document, 0));
    assert_int_equal(lode_document_discarded_page(document, 0), 0);
    lode_document_free(document);
    lode_document_free(NULL);
}

static void
json_there_and_back_is_the_same_document(void **state)
{
    (void)state;
    lode_document *document = convert(PAPER), *again = NULL;
    char *json = lode_document_to_json(document);
    lode_error error;
    assert_int_equal(lode_document_from_json(json, strlen(json), &again, &error), LODE_OK);
    char *json_again = lode_document_to_json(again), *a = lode_document_to_markdown(document),
         *b = lode_document_to_markdown(again);
    assert_string_equal(json, json_again);
    assert_string_equal(a, b);
    lode_free(json);
    lode_free(json_again);
    lode_free(a);
    lode_free(b);
    lode_document_free(document);
    lode_document_free(again);
    assert_int_equal(lode_document_from_json("{}", 2, &again, &error), LODE_ERROR_FORMAT);
    assert_null(again);
}

static void
failures_have_a_status_and_a_message(void **state)
{
    (void)state;
    lode_error error = {LODE_OK, 0, ""};
    lode_document *document = (lode_document *)(void *)&error;
    assert_int_equal(lode_convert_file("/nonexistent/a.pdf", NULL, &document, &error),
                     LODE_ERROR_IO);
    assert_null(document);
    assert_int_equal(error.code, LODE_ERROR_IO);
    assert_non_null(strstr(error.message, "a.pdf"));
    assert_int_equal(lode_convert_file("/nonexistent/a.pdf", NULL, &document, NULL), LODE_ERROR_IO);
    assert_int_equal(lode_convert_file(NULL, NULL, &document, &error), LODE_ERROR_ARGUMENT);
    assert_int_equal(
        lode_convert_file(LODE_TEST_DATA "/pdf/encrypted.pdf", NULL, &document, &error),
        LODE_ERROR_PASSWORD);
    lode_convert_options options = lode_convert_options_default();
    options.password = "user";
    assert_int_equal(
        lode_convert_file(LODE_TEST_DATA "/pdf/encrypted.pdf", &options, &document, &error),
        LODE_OK);
    lode_document_free(document);
    int cancel = 1;
    options.cancel = &cancel;
    assert_int_equal(lode_convert_file(PAPER, &options, &document, &error), LODE_ERROR_CANCELLED);
    lode_library *library = NULL;
    assert_int_equal(
        lode_library_open("/nonexistent/lib", LODE_LIBRARY_READ, NULL, NULL, &library, &error),
        LODE_ERROR_NOT_FOUND);
}

static void
count_pages(int n_done, int n_pages, void *user_data)
{
    int *last = user_data;
    assert_int_equal(n_pages, 4);
    assert_int_equal(n_done, *last + 1);
    *last = n_done;
}

static void
options_of_an_older_program_are_filled_up(void **state)
{
    (void)state;
    lode_convert_options options = lode_convert_options_default();
    int last = 0;
    options.progress = count_pages;
    options.user_data = &last;
    lode_document *document = NULL;
    assert_int_equal(lode_convert_file(PAPER, &options, &document, NULL), LODE_OK);
    lode_document_free(document);
    assert_int_equal(last, 4);
    /* a program from before the callback: the field is there but does not count */
    last = 0;
    options.struct_size = offsetof(lode_convert_options, progress);
    assert_int_equal(lode_convert_file(PAPER, &options, &document, NULL), LODE_OK);
    lode_document_free(document);
    assert_int_equal(last, 0);
}

static void
saving_writes_what_convert_writes(void **state)
{
    (void)state;
    char dir[] = "api-save-XXXXXX";
    assert_non_null(mkdtemp(dir));
    const char *source = LODE_TEST_DATA "/papers/manual.pdf"; /* without figures */
    lode_document *document = convert(source);
    lode_save_options options = lode_save_options_default();
    options.images = LODE_IMAGES_NONE;
    options.formats = LODE_FORMAT_MARKDOWN;
    lode_error error;
    assert_int_equal(lode_document_save(document, source, dir, NULL, &options, &error), LODE_OK);
    assert_int_equal(lode_document_save(document, source, "/dev/null/x", NULL, &options, &error),
                     LODE_ERROR_IO);
    char path[64];
    snprintf(path, sizeof path, "%s/manual.md", dir);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *markdown = lode_document_to_markdown(document), *read = malloc(strlen(markdown) + 2);
    size_t n = fread(read, 1, strlen(markdown) + 1, file);
    assert_int_equal(n, strlen(markdown));
    assert_memory_equal(read, markdown, n);
    fclose(file);
    free(read);
    lode_free(markdown);
    lode_document_free(document);
    unlink(path);
    rmdir(dir);
}

/* ---- a library ---- */

static char library_dir[] = "api-library-XXXXXX";

static int
make_library(void **state)
{
    (void)state;
    strcpy(library_dir, "api-library-XXXXXX");
    return mkdtemp(library_dir) == NULL;
}

static int
drop_library(void **state)
{
    (void)state;
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", library_dir);
    return system(command) != 0;
}

typedef struct {
    size_t n_ok, n_failed;
} outcomes;

static void
on_indexed(const char *path, lode_status status, const char *message, size_t n_done, size_t n_total,
           void *user_data)
{
    outcomes *o = user_data;
    assert_true(path[0] == '/' && n_done <= n_total);
    assert_true((status == LODE_OK) == (message == NULL));
    if (status == LODE_OK)
        o->n_ok++;
    else
        o->n_failed++;
}

static void
index_papers(lode_library *library, lode_index_report *report)
{
    const char *paths[] = {LODE_TEST_DATA "/papers", LODE_TEST_DATA "/pdf/cut_short.pdf"};
    outcomes o = {0, 0};
    lode_index_options options = lode_index_options_default();
    options.progress = on_indexed;
    options.user_data = &o;
    lode_error error;
    if (lode_library_index(library, paths, 2, &options, report, &error) != LODE_OK)
        fail_msg("%s", error.message);
    assert_int_equal(o.n_ok, 3);
    assert_int_equal(o.n_failed, 1);
}

static void
check_citations(const lode_answer *answer)
{
    assert_true(lode_answer_n_citations(answer) >= 1);
    for (size_t i = 0; i < lode_answer_n_citations(answer); i++) {
        assert_true(lode_citation_number(answer, i) >= 1);
        assert_in_range(lode_citation_page_number(answer, i), 1, 4);
        assert_non_null(lode_citation_quote(answer, i));
        assert_true(lode_citation_path(answer, i)[0] == '/');
        assert_true(lode_citation_n_boxes(answer, i) >= 1);
        assert_true(lode_citation_box(answer, i, 0).page_number >= 1);
    }
    assert_null(lode_citation_quote(answer, 1000));
    assert_int_equal(lode_citation_number(answer, 1000), 0);
}

/* A bibliography completes ceria.pdf; searches may then ask for what it said. */
static void
check_conditions(lode_library *library)
{
    static const char bib[] =
        "@article{a, title = {On Foams}, author = {M{\\\"u}ller, Eva and Li, Wei},"
        " year = 1987, journal = {Foam Letters}, doi = {10.1000/Foam},"
        " file = {:x/ceria.pdf:PDF}}\n@book{b, title = {Elsewhere}}";
    lode_error error;
    lode_metadata_report report;
    lode_passages *passages = NULL;
    char path[4200];
    snprintf(path, sizeof path, "%s/refs.bib", library_dir);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(bib, file) >= 0 && fclose(file) == 0);
    if (lode_library_add_metadata(library, path, &report, &error) != LODE_OK)
        fail_msg("%s", error.message);
    assert_true(report.n_entries == 2 && report.n_matched == 1 && report.n_documents == 1);

    lode_search_options options = lode_search_options_default();
    options.where = "year < 1990 and author = Muller";
    options.n_results = 4;
    options.max_per_page = 1;
    assert_int_equal(lode_library_search_with(library, QUESTION, &options, &passages, &error),
                     LODE_OK);
    assert_in_range(lode_passages_n(passages), 1, 4);
    for (size_t i = 0; i < lode_passages_n(passages); i++) {
        assert_non_null(strstr(lode_passage_path(passages, i), "ceria.pdf"));
        assert_int_equal(lode_passage_year(passages, i), 1987);
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(lode_passage_page_number(passages, i),
                                 lode_passage_page_number(passages, j));
    }
    assert_int_equal(lode_passage_n_authors(passages, 0), 2);
    assert_string_equal(lode_passage_author(passages, 0, 0), "Eva M\xC3\xBCller");
    assert_string_equal(lode_passage_title(passages, 0), "On Foams");
    assert_string_equal(lode_passage_venue(passages, 0), "Foam Letters");
    assert_string_equal(lode_passage_doi(passages, 0), "10.1000/foam");
    assert_non_null(lode_passage_type(passages, 0));
    assert_null(lode_passage_author(passages, 0, 2));
    assert_null(lode_passage_doi(passages, 99));
    lode_passages_free(passages);

    options.where = "year <";
    assert_int_equal(lode_library_search_with(library, QUESTION, &options, &passages, &error),
                     LODE_ERROR_ARGUMENT);
    assert_null(passages);
    options.struct_size = offsetof(lode_search_options, where); /* an older program's */
    assert_int_equal(lode_library_search_with(library, QUESTION, &options, &passages, &error),
                     LODE_OK);
    lode_passages_free(passages);
}

static int
collect_text(const char *text, size_t len, void *user_data)
{
    strncat(user_data, text, len);
    return 1;
}

static void
a_library_answers_with_quotes(void **state)
{
    (void)state;
    lode_error error;
    lode_library *library = NULL;
    lode_index_report report;
    assert_int_equal(
        lode_library_open(library_dir, LODE_LIBRARY_WRITE, NULL, NULL, &library, &error), LODE_OK);
    lode_answer *none = NULL;
    assert_int_equal(lode_ask(library, NULL, NULL, QUESTION, NULL, &none, &error),
                     LODE_ERROR_NOT_FOUND); /* an empty library is no lack of evidence */
    assert_null(none);
    index_papers(library, &report);
    assert_true(report.n_added == 3 && report.n_failed == 1 && report.n_unchanged == 0);
    index_papers(library, &report);
    assert_true(report.n_added == 0 && report.n_failed == 1 && report.n_unchanged == 3);

    lode_passages *passages = NULL;
    assert_int_equal(
        lode_library_search(library, QUESTION, LODE_SEARCH_FUSION, 5, &passages, &error), LODE_OK);
    assert_in_range(lode_passages_n(passages), 1, 5);
    assert_non_null(strstr(lode_passage_path(passages, 0), "ceria.pdf"));
    assert_true(lode_passage_page_number(passages, 0) >= 1 && lode_passage_score(passages, 0) > 0);
    assert_non_null(lode_passage_section(passages, 0));
    assert_null(lode_passage_text(passages, 99));
    lode_passages_free(passages);

    char streamed[8192] = "";
    lode_ask_options options = lode_ask_options_default();
    options.text = collect_text;
    options.user_data = streamed;
    lode_answer *answer = NULL;
    assert_int_equal(lode_ask(library, NULL, NULL, QUESTION, &options, &answer, &error), LODE_OK);
    assert_int_equal(lode_answer_get_status(answer), LODE_ANSWERED);
    assert_non_null(strstr(lode_answer_text(answer), "87.3"));
    assert_string_equal(lode_answer_text(answer), streamed);
    check_citations(answer);
    char *json = lode_answer_to_json(answer);
    assert_non_null(strstr(json, "\"status\": \"answered\""));
    lode_verify_report checked;
    assert_int_equal(lode_verify(json, NULL, &checked, &error), LODE_OK);
    assert_true(checked.n_quotes == lode_answer_n_citations(answer) && checked.n_failed == 0);
    *strstr(json, "87.3") = '9';
    assert_int_equal(lode_verify(json, NULL, &checked, &error), LODE_OK);
    assert_true(checked.n_failed > 0);
    lode_free(json);
    assert_true(lode_answer_n_claims(answer) >= 1 && lode_claim_is_supported(answer, 0));
    assert_string_equal(lode_citation_match(answer, lode_claim_citation(answer, 0, 0)), "exact");
    assert_non_null(lode_answer_short(answer));
    lode_answer_free(answer);

    assert_int_equal(lode_ask(library, NULL, NULL, "Who wrote the constitution of Iceland?", NULL,
                              &answer, &error),
                     LODE_OK);
    assert_int_equal(lode_answer_get_status(answer), LODE_ANSWER_INSUFFICIENT);
    assert_int_equal(lode_answer_n_citations(answer), 0);
    lode_answer_free(answer);

    lode_library_stats stats;
    assert_int_equal(lode_library_get_stats(library, &stats, &error), LODE_OK);
    assert_true(stats.n_documents == 3 && stats.n_passages > 10 && stats.n_vectors == 0);
    check_conditions(library);
    assert_int_equal(lode_library_remove(library, "/nowhere.pdf", &error), LODE_ERROR_NOT_FOUND);
    assert_int_equal(lode_library_remove(library, PAPER, &error), LODE_OK);
    assert_int_equal(lode_library_get_stats(library, &stats, &error), LODE_OK);
    assert_int_equal(stats.n_documents, 2);
    lode_library_close(library);

    assert_int_equal(
        lode_library_open(library_dir, LODE_LIBRARY_READ, NULL, NULL, &library, &error), LODE_OK);
    assert_int_equal(lode_library_remove(library, PAPER, &error), LODE_ERROR_ARGUMENT);
    lode_library_close(library);
}

static void
models_answer_with_sources(void **state)
{
    (void)state;
    const char *models = getenv("LODE_MODELS");
    lode_error error;
    lode_embedder *embedder = NULL;
    lode_writer *writer = NULL;
    if (models == NULL || lode_embedder_open(NULL, &embedder, &error) != LODE_OK ||
        lode_writer_open(NULL, &writer, &error) != LODE_OK) {
        print_message("no models: set LODE_MODELS\n");
        lode_embedder_free(embedder);
        skip();
    }
    lode_engine *engine = lode_engine_new(2);
    size_t n_dims = lode_embedder_n_dims(embedder);
    float *vectors = calloc(2 * n_dims, sizeof *vectors);
    const char *texts[] = {"a cat", "a feline"};
    assert_int_equal(lode_embedder_embed(embedder, engine, texts, 2, vectors, &error), LODE_OK);
    double cosine = 0;
    for (size_t i = 0; i < n_dims; i++)
        cosine += (double)vectors[i] * (double)vectors[n_dims + i];
    assert_true(cosine > 0.5);
    free(vectors);
    lode_writer *none = NULL;
    assert_int_equal(lode_writer_open("/nonexistent.gguf", &none, &error), LODE_ERROR_NOT_FOUND);
    assert_null(none);

    lode_library *library = NULL;
    lode_index_report report;
    assert_int_equal(
        lode_library_open(library_dir, LODE_LIBRARY_WRITE, embedder, engine, &library, &error),
        LODE_OK);
    const char *paper = PAPER;
    assert_int_equal(lode_library_index(library, &paper, 1, NULL, &report, &error), LODE_OK);
    lode_ask_options options = lode_ask_options_default();
    options.max_tokens = 12;
    options.record = 1;
    lode_answer *first = NULL, *second = NULL;
    assert_int_equal(lode_ask(library, writer, engine, QUESTION, &options, &first, &error),
                     LODE_OK);
    assert_int_equal(lode_ask(library, writer, engine, QUESTION, &options, &second, &error),
                     LODE_OK);
    assert_string_equal(lode_answer_text(first), lode_answer_text(second));
    check_citations(first);
    lode_answer_free(first);
    lode_answer_free(second);
    lode_library_close(library);
    lode_writer_free(writer);
    lode_embedder_free(embedder);
    lode_engine_free(engine);
}

static int
hear(const char *text, size_t len, void *user_data)
{
    char *heard = user_data;
    const size_t have = strlen(heard);
    assert_true(have + len < 256);
    memcpy(heard + have, text, len);
    heard[have + len] = '\0';
    return 1;
}

static void
a_model_writes_what_a_schema_asks_for(void **state)
{
    (void)state;
    lode_error error;
    lode_writer *writer = NULL;
    char *text = NULL, *again = NULL, heard[256] = "";
    lode_generate_options options = lode_generate_options_default();
    assert_int_equal(lode_writer_open(LODE_TEST_DATA "/engine/llama_gguf", &writer, &error),
                     LODE_OK);
    lode_engine *engine = lode_engine_new(1);
    options.json_schema = "{\"type\": \"array\", \"items\": {\"enum\": [\"a\", \"b\"]}, "
                          "\"minItems\": 2, \"maxItems\": 3}";
    options.raw = 1;
    options.temperature = 1.0;
    options.seed = 5;
    options.text = hear;
    options.user_data = heard;
    assert_int_equal(lode_generate(writer, engine, "x", &options, &text, &error), LODE_OK);
    assert_string_equal(text, heard);
    assert_true(text[0] == '[' && text[strlen(text) - 1] == ']');
    options.text = NULL;
    assert_int_equal(lode_generate(writer, engine, "x", &options, &again, &error), LODE_OK);
    assert_string_equal(text, again);
    lode_free(text);
    lode_free(again);
    char *typical = NULL;
    options.typical_p = 0.2; /* fewer choices, other words */
    assert_int_equal(lode_generate(writer, engine, "x", &options, &typical, &error), LODE_OK);
    assert_string_not_equal(typical, heard);
    lode_free(typical);
    options.struct_size =
        offsetof(lode_generate_options, thinking); /* before there was the field */
    assert_int_equal(lode_generate(writer, engine, "x", &options, &typical, &error), LODE_OK);
    assert_string_equal(typical, heard);
    lode_free(typical);
    options.struct_size = sizeof options;
    options.typical_p = 1.0;
    options.json_schema = "{\"type\": \"array\", \"uniqueItems\": true}";
    assert_int_equal(lode_generate(writer, engine, "x", &options, &text, &error),
                     LODE_ERROR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "the keyword uniqueItems"));
    options.json_schema = NULL;
    assert_int_equal(lode_generate(writer, engine, NULL, &options, &text, &error),
                     LODE_ERROR_ARGUMENT);
    assert_int_equal(lode_generate(NULL, engine, "x", &options, &text, &error),
                     LODE_ERROR_ARGUMENT);
    options.struct_size = offsetof(lode_generate_options, max_tokens); /* an older program's */
    options.max_tokens = 0;
    assert_int_equal(lode_generate(writer, engine, "x", &options, &text, &error), LODE_OK);
    assert_true(strlen(text) > 0);
    lode_free(text);
    lode_writer_free(writer);
    lode_engine_free(engine);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_writes_what_a_schema_asks_for),
        cmocka_unit_test(a_document_tells_what_is_on_its_pages),
        cmocka_unit_test(json_there_and_back_is_the_same_document),
        cmocka_unit_test(failures_have_a_status_and_a_message),
        cmocka_unit_test(options_of_an_older_program_are_filled_up),
        cmocka_unit_test(saving_writes_what_convert_writes),
        cmocka_unit_test_setup_teardown(a_library_answers_with_quotes, make_library, drop_library),
        cmocka_unit_test_setup_teardown(models_answer_with_sources, make_library, drop_library),
    };
    return cmocka_run_group_tests_name("api", tests, NULL, NULL);
}

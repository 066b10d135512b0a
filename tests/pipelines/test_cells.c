/* Tables and answers from their cells, through lode.h alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipelines/lode.h"

#define PAPER LODE_TEST_DATA "/papers/ceria.pdf"
#define LAKE  LODE_TEST_DATA "/papers/lake.pdf"

static lode_document *
convert(const char *path)
{
    lode_error error;
    lode_document *document = NULL;
    if (lode_convert_file(path, NULL, &document, &error) != LODE_OK) fail_msg("%s", error.message);
    return document;
}

/* The table that has this cell; its index goes to *cell. */
static size_t
find_cell(const lode_document *document, const char *text, size_t *cell)
{
    for (size_t t = 0; t < lode_document_n_tables(document); t++)
        for (size_t i = 0; i < lode_document_table_n_cells(document, t); i++)
            if (strcmp(lode_document_cell_text(document, t, i), text) == 0) {
                *cell = i;
                return t;
            }
    fail_msg("no cell \"%s\"", text);
    return 0;
}

static void
cells_are_reached_by_their_place(void **state)
{
    (void)state;
    lode_document *document = convert(PAPER);
    size_t cell = 0, table = find_cell(document, "69.5", &cell);
    const size_t row = lode_document_cell_row(document, table, cell);
    const size_t column = lode_document_cell_column(document, table, cell);
    assert_int_equal(lode_document_table_n_columns(document, table), 4);
    assert_int_equal(lode_document_table_n_rows(document, table), 6);
    assert_int_equal(column, 3);
    assert_int_equal(lode_document_table_cell_at(document, table, row, column), cell);
    assert_string_equal(lode_document_cell_text(
                            document, table, lode_document_table_cell_at(document, table, row, 0)),
                        "RC-3");
    assert_int_equal(lode_document_table_cell_at(document, table, 6, 0),
                     lode_document_table_n_cells(document, table));
    const size_t block = (size_t)lode_document_table_block(document, table);
    assert_string_equal(lode_document_block_type(document, block), "table");
    const lode_box whole = lode_document_block_box(document, block, 0);
    const lode_box box = lode_document_cell_box(document, table, cell);
    assert_int_equal(box.page_number, whole.page_number);
    assert_true(box.x0 < box.x1 && box.y0 < box.y1);
    assert_true(box.x0 >= whole.x0 - 1 && box.x1 <= whole.x1 + 1 && box.y0 >= whole.y0 - 1 &&
                box.y1 <= whole.y1 + 1);
    /* nothing of it was read in pixels */
    size_t len = 1;
    assert_int_equal(lode_document_cell_is_doubtful(document, table, cell), 0);
    assert_int_equal(lode_document_block_n_doubtful(document, block), 0);
    assert_int_equal(lode_document_block_doubtful(document, block, 0, &len), 0);
    assert_int_equal(len, 0);
    /* out of range */
    assert_int_equal(lode_document_block_n_doubtful(document, 100000), 0);
    assert_int_equal(lode_document_cell_is_doubtful(document, 1000, 0), 0);
    assert_null(lode_document_cell_text(document, table, 1000));
    assert_null(lode_document_cell_text(document, 1000, 0));
    assert_int_equal(lode_document_cell_box(document, 1000, 0).page_number, 0);
    assert_int_equal(lode_document_table_block(document, 1000), -1);
    assert_null(lode_document_table_to_csv(document, 1000));
    lode_document_free(document);
}

/* A cell over two rows, in the first of them alone; every row has all fields. */
static void
a_table_is_written_as_csv(void **state)
{
    (void)state;
    lode_document *document = convert(LAKE);
    size_t cell = 0, table = find_cell(document, "Pine", &cell);
    char *csv = lode_document_table_to_csv(document, table);
    assert_non_null(strstr(csv, "Species,Method,Trees,Uncertainty (years)\r\n"));
    assert_non_null(strstr(csv, "Pine,Rings,131,1\r\n,Radiocarbon,22,18\r\n"));
    lode_free(csv);
    lode_document_free(document);
}

/* ---- answers ---- */

typedef struct {
    char dir[64];
    lode_library *library;
    lode_answer *answer;
} asked;

static asked
ask(const char *question)
{
    asked a = {.dir = P_tmpdir "/lode-test-cells-XXXXXX"};
    lode_error error;
    assert_non_null(mkdtemp(a.dir));
    static const char *const paths[] = {PAPER};
    if (lode_library_open(a.dir, LODE_LIBRARY_WRITE, NULL, NULL, &a.library, &error) != LODE_OK ||
        lode_library_index(a.library, paths, 1, NULL, NULL, &error) != LODE_OK)
        fail_msg("%s", error.message);
    lode_ask_options options = lode_ask_options_default();
    options.extractive = 1;
    if (lode_ask(a.library, NULL, NULL, question, &options, &a.answer, &error) != LODE_OK)
        fail_msg("%s", error.message);
    return a;
}

static void
forget(asked *a)
{
    char command[128];
    lode_answer_free(a->answer);
    lode_library_close(a->library);
    snprintf(command, sizeof command, "rm -rf %s", a->dir);
    assert_int_equal(system(command), 0);
}

static size_t
find_citation(const lode_answer *answer, const char *quote)
{
    for (size_t i = 0; i < lode_answer_n_citations(answer); i++)
        if (strcmp(lode_citation_quote(answer, i), quote) == 0) return i;
    fail_msg("\"%s\" is not quoted in: %s", quote, lode_answer_text(answer));
    return 0;
}

/* What only a cell says is quoted from it, and the box is the cell's, not the table's. */
static void
an_answer_quotes_the_cell(void **state)
{
    (void)state;
    asked a = ask("What Ru loading in wt % does foam RC-2 have?");
    const size_t i = find_citation(a.answer, "0.6");
    assert_string_equal(lode_citation_row_header(a.answer, i), "RC-2");
    assert_non_null(strstr(lode_citation_column_header(a.answer, i), "Ru"));
    assert_int_equal(lode_citation_row(a.answer, i), 3);
    assert_int_equal(lode_citation_column(a.answer, i), 2);
    assert_int_equal(lode_citation_n_boxes(a.answer, i), 1);
    const lode_box quoted = lode_citation_box(a.answer, i, 0);

    lode_document *document = convert(PAPER);
    size_t cell = 0, table = find_cell(document, "0.6", &cell);
    const lode_box box = lode_document_cell_box(document, table, cell);
    assert_int_equal(quoted.page_number, box.page_number);
    assert_true(quoted.x0 >= box.x0 - 0.1 && quoted.x1 <= box.x1 + 0.1 &&
                quoted.y0 >= box.y0 - 0.1 && quoted.y1 <= box.y1 + 0.1);
    lode_document_free(document);

    /* the answer can be checked, and a header that was changed is found out */
    lode_verify_report report = {0};
    lode_error error;
    char *json = lode_answer_to_json(a.answer);
    assert_int_equal(lode_verify(json, NULL, &report, &error), LODE_OK);
    assert_true(report.n_quotes > 0);
    assert_int_equal(report.n_failed, 0);
    char *header = strstr(json, "\"row_header\": \"RC-2\"");
    assert_non_null(header);
    header[strlen("\"row_header\": \"RC-")] = '5';
    assert_int_equal(lode_verify(json, NULL, &report, &error), LODE_OK);
    assert_true(report.n_failed > 0);
    lode_free(json);
    forget(&a);
}

/* The other way round: the row's name is asked for, and its value given. */
static void
a_row_is_found_by_its_value(void **state)
{
    (void)state;
    asked a = ask("Which foam has a pore size of 418?");
    const size_t i = find_citation(a.answer, "RC-3");
    assert_non_null(strstr(lode_citation_column_header(a.answer, i), "Foam"));
    assert_null(lode_citation_row_header(a.answer, i));
    forget(&a);
}

static void
text_is_no_cell(void **state)
{
    (void)state;
    asked a = ask("What ammonia conversion did the best of five foams reach?");
    assert_true(lode_answer_n_citations(a.answer) > 0);
    assert_int_equal(lode_citation_row(a.answer, 0), 0);
    assert_null(lode_citation_column_header(a.answer, 0));
    forget(&a);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_are_reached_by_their_place),
        cmocka_unit_test(a_table_is_written_as_csv),
        cmocka_unit_test(an_answer_quotes_the_cell),
        cmocka_unit_test(a_row_is_found_by_its_value),
        cmocka_unit_test(text_is_no_cell),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

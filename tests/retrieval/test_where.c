/* Conditions: how they read, what they select, and what the surroundings of a hit are. */
#include "support.h"

#include <string.h>

#include "retrieval/where.h"

static const retrieval_where_row row = {.path = "/papers/Garcia2021.pdf",
                                        .title = "Sp\xc3\xadn glasses",
                                        .authors = "Mar\xc3\xad"
                                                   "a Garc\xc3\xad"
                                                   "a\nWei Li",
                                        .venue = "Physical Review B",
                                        .doi = "10.1103/PhysRevB.1",
                                        .year = 2021,
                                        .section = "3 Methods > 3.2 Training",
                                        .type = "table",
                                        .page = 4};

static gboolean
holds(const char *expression)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(retrieval_where) where = retrieval_where_parse(expression, &error);
    assert_no_error(error);
    return retrieval_where_holds(where, &row);
}

static void
a_condition_holds_or_not(void **state)
{
    (void)state;
    static const char *const yes[] = {"year>=2020 and type=table",
                                      "year = 2021",
                                      "year != 2020",
                                      "page<5",
                                      "page <= 4",
                                      "author = garcia",
                                      "author = \"maria garcia\"",
                                      "author=LI",
                                      "author ~ 'gar'",
                                      "section = training",
                                      "section='3.2 Training'",
                                      "section = Methods",
                                      "section ~ methods",
                                      "document = garcia2021",
                                      "document=Garcia2021.PDF",
                                      "document = /papers/Garcia2021.pdf",
                                      "title ~ spin",
                                      "venue = 'physical review b'",
                                      "doi = 10.1103/physrevb.1",
                                      "not year < 2021",
                                      "year=1 or year=2 or (year=2021)",
                                      "year=1 and year=2 or year=2021",
                                      "NOT (type = figure OR type = caption)",
                                      "not arxiv = 2101.00001",
                                      "type != paragraph"};
    static const char *const no[] = {"year > 2021",
                                     "year < 2021",
                                     "author = gar",
                                     "author = aria",
                                     "author != li",
                                     "section = train",
                                     "document = garcia",
                                     "arxiv = x",
                                     "arxiv != x",
                                     "year=2021 and page=1",
                                     "year=2021 and (page=1 or page=2)",
                                     "not (year=2021)",
                                     "title = spin"};
    for (gsize i = 0; i < G_N_ELEMENTS(yes); i++)
        if (!holds(yes[i])) fail_msg("%s", yes[i]);
    for (gsize i = 0; i < G_N_ELEMENTS(no); i++)
        if (holds(no[i])) fail_msg("%s", no[i]);
}

static void
a_mistake_is_shown_where_it_is(void **state)
{
    (void)state;
    static const struct {
        const char *expression, *marked;
    } cases[] = {{"year >= and type = table", "year >= <here>and"},
                 {"yaer = 2020", "<here>yaer"},
                 {"year 2020", "year <here>2020"},
                 {"year = 2020 type = table", "2020 <here>type"},
                 {"type = tabel", "type = <here>tabel"},
                 {"(year = 2020", "<here>(year"},
                 {"title ~ \"x", "~ <here>\"x"},
                 {"year = twenty", "= <here>twenty"},
                 {"author < li", "author <here><"},
                 {"year ~ 2", "year <here>~"},
                 {"", "\"<here>\""},
                 {"year = 2020 and", "and<here>\""},
                 {"year = 99999999999", "<here>99999999999"}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        assert_false(retrieval_where_check(cases[i].expression, &error));
        assert_true(g_error_matches(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_WHERE));
        if (!strstr(error->message, cases[i].marked)) fail_msg("%s", error->message);
    }
}

static void
depth_and_length_have_limits(void **state)
{
    (void)state;
    g_autoptr(GString) deep = g_string_new(NULL), wide = g_string_new("year=1");
    for (int i = 0; i < 100000; i++)
        g_string_append_c(deep, '(');
    for (int i = 0; i < 100000; i++)
        g_string_append(wide, " or year=1");
    g_autoptr(GError) error = NULL;
    assert_false(retrieval_where_check(deep->str, &error));
    g_clear_error(&error);
    assert_false(retrieval_where_check(wide->str, &error));
}

/* ---- in a library ---- */

static void
add_paper(retrieval_library *library, const char *path, const char *year, const char *author)
{
    g_autoptr(GError) error = NULL;
    writer w = writer_start();
    writer_add(&w, LAYOUT_BLOCK_HEADING, 1, "1 Introduction");
    writer_add(&w, LAYOUT_BLOCK_PARAGRAPH, 0, "Spin glasses relax slowly.");
    writer_add(&w, LAYOUT_BLOCK_HEADING, 1, "2 Methods");
    writer_add(&w, LAYOUT_BLOCK_PARAGRAPH, 0, "Samples were cooled slowly.");
    writer_add(&w, LAYOUT_BLOCK_HEADING, 2, "2.1 Cooling");
    writer_add(&w, LAYOUT_BLOCK_PARAGRAPH, 0, "Spin freezing came at 7 K.");
    writer_add(&w, LAYOUT_BLOCK_CAPTION, 0, "Figure 1. Spin relaxation.");
    writer_add(&w, LAYOUT_BLOCK_HEADING, 1, "3 Results");
    writer_add(&w, LAYOUT_BLOCK_PARAGRAPH, 0, "Spin order is absent.");
    layout_metadata *meta = layout_builder_meta(w.builder);
    meta->year = layout_builder_copy(w.builder, year, -1);
    const char *const authors[] = {author, "Second Author"};
    layout_builder_set_authors(w.builder, authors, 2);
    g_autoptr(lode_document) document = writer_finish(&w, "Spin glasses", path);
    assert_true(retrieval_library_add(library, path, document, NULL, NULL, &error));
}

static retrieval_library *
two_papers(void)
{
    retrieval_library *library = open_writer();
    add_paper(library, "/p/old.pdf", "1999", "Ann Old");
    add_paper(library, "/p/new.pdf", "2022", "Ben New");
    return library;
}

static GPtrArray *
search_where(retrieval_library *library, const char *where, retrieval_method method)
{
    g_autoptr(GError) error = NULL;
    retrieval_search_options options = retrieval_search_options_default();
    options.where = where;
    options.method = method;
    options.n_results = 100;
    GPtrArray *hits = retrieval_library_search(library, "spin", &options, &error);
    assert_no_error(error);
    return hits;
}

static void
a_search_returns_only_what_its_condition_allows(void **state)
{
    (void)state;
    g_autoptr(retrieval_library) library = two_papers();
    static const retrieval_method methods[] = {RETRIEVAL_FUSION, RETRIEVAL_BM25, RETRIEVAL_DENSE};
    for (gsize i = 0; i < G_N_ELEMENTS(methods); i++) {
        g_autoptr(GPtrArray) recent = search_where(library, "year >= 2020", methods[i]);
        assert_true(recent->len >= 3);
        for (guint j = 0; j < recent->len; j++) {
            const retrieval_hit *hit = recent->pdata[j];
            assert_string_equal(hit->path, "/p/new.pdf");
            assert_int_equal(hit->year, 2022);
            assert_string_equal(hit->authors[0], "Ben New");
            assert_int_equal(g_strv_length(hit->authors), 2);
        }
        g_autoptr(GPtrArray) captions =
            search_where(library, "type = caption and author = old", methods[i]);
        assert_int_equal(captions->len, 1);
        assert_string_equal(((retrieval_hit *)captions->pdata[0])->path, "/p/old.pdf");
        g_autoptr(GPtrArray) none = search_where(library, "year = 1", methods[i]);
        assert_int_equal(none->len, 0);
    }
}

static void
a_condition_that_cannot_be_read_fails_the_search(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    g_autoptr(retrieval_library) library = two_papers();
    retrieval_search_options options = retrieval_search_options_default();
    options.where = "year >";
    assert_null(retrieval_library_search(library, "spin", &options, &error));
    assert_true(g_error_matches(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_WHERE));
}

static void
a_page_and_a_document_give_no_more_than_their_share(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    g_autoptr(retrieval_library) library = two_papers();
    retrieval_search_options options = retrieval_search_options_default();
    options.max_per_document = 1;
    g_autoptr(GPtrArray) one = retrieval_library_search(library, "spin", &options, &error);
    assert_no_error(error);
    assert_int_equal(one->len, 2);
    options.max_per_document = 0;
    options.max_per_page = 2;
    g_autoptr(GPtrArray) two = retrieval_library_search(library, "spin", &options, &error);
    assert_int_equal(two->len, 4);
}

static const retrieval_hit *
chunk_with(retrieval_library *library, const char *text, GPtrArray **document)
{
    g_autoptr(GError) error = NULL;
    *document = retrieval_library_load_document(library, "/p/old.pdf", &error);
    assert_no_error(error);
    for (guint i = 0; i < (*document)->len; i++) {
        const retrieval_hit *hit = (*document)->pdata[i];
        assert_int_equal(hit->ordinal, i);
        if (strstr(hit->text, text)) return hit;
    }
    fail();
    return NULL;
}

static void
a_hit_leads_to_its_neighbours_section_and_document(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    g_autoptr(retrieval_library) library = two_papers();
    g_autoptr(GPtrArray) document = NULL;
    const retrieval_hit *cooling = chunk_with(library, "freezing", &document);
    assert_int_equal(document->len, 5);

    g_autoptr(GPtrArray) around =
        retrieval_library_load_neighbours(library, cooling->chunk_id, 1, 1000, &error);
    assert_no_error(error);
    assert_int_equal(around->len, document->len - (guint)cooling->ordinal + 1);
    assert_int_equal(((retrieval_hit *)around->pdata[0])->ordinal, cooling->ordinal - 1);

    g_autoptr(GPtrArray) inner =
        retrieval_library_load_section(library, cooling->chunk_id, 0, &error);
    assert_no_error(error);
    for (guint i = 0; i < inner->len; i++)
        assert_string_equal(((retrieval_hit *)inner->pdata[i])->section, cooling->section);
    g_autoptr(GPtrArray) chapter =
        retrieval_library_load_section(library, cooling->chunk_id, 1, &error);
    assert_int_equal(chapter->len, inner->len + 1);
    assert_string_equal(((retrieval_hit *)chapter->pdata[0])->text, "Samples were cooled slowly.");

    assert_null(retrieval_library_load_section(library, 999999, 0, &error));
    assert_true(g_error_matches(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_NOT_FOUND));
}

static void
metadata_can_be_completed_later(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    g_autoptr(retrieval_library) library = two_papers();
    char *const authors[] = {(char *)"Zo\xc3\xab Neu", NULL};
    const retrieval_metadata change = {.title = (char *)"Frozen moments",
                                       .authors = (char **)authors,
                                       .venue = (char *)"Nature",
                                       .doi = (char *)"10.1/x"};
    assert_true(retrieval_library_set_metadata(library, "/p/old.pdf", &change, &error));
    g_autoptr(retrieval_metadata) now =
        retrieval_library_get_metadata(library, "/p/old.pdf", &error);
    assert_no_error(error);
    assert_string_equal(now->title, "Frozen moments");
    assert_string_equal(now->venue, "Nature");
    assert_int_equal(now->year, 1999); /* kept */
    assert_int_equal(g_strv_length(now->authors), 1);
    assert_null(now->arxiv);

    retrieval_search_options options = retrieval_search_options_default();
    options.method = RETRIEVAL_BM25;
    g_autoptr(GPtrArray) hits =
        retrieval_library_search(library, "frozen moments", &options, &error);
    assert_int_equal(hits->len, 5);
    assert_string_equal(((retrieval_hit *)hits->pdata[0])->title, "Frozen moments");
    assert_true(retrieval_library_check(library, &error));
    assert_no_error(error);
    assert_false(retrieval_library_set_metadata(library, "/p/none.pdf", &change, &error));
    assert_true(g_error_matches(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_NOT_FOUND));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_folder, teardown_folder)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_condition_holds_or_not),
        cmocka_unit_test(a_mistake_is_shown_where_it_is),
        cmocka_unit_test(depth_and_length_have_limits),
        TEST(a_search_returns_only_what_its_condition_allows),
        TEST(a_condition_that_cannot_be_read_fails_the_search),
        TEST(a_page_and_a_document_give_no_more_than_their_share),
        TEST(a_hit_leads_to_its_neighbours_section_and_document),
        TEST(metadata_can_be_completed_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Bibliographies: BibTeX and CSL JSON as people have them, and which document they speak of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <glib/gstdio.h>
#include <string.h>

#include "pipelines/bibliography.h"

static GPtrArray *
parse(const char *text)
{
    g_autoptr(GError) error = NULL;
    GPtrArray *entries = pipelines_bibtex_parse("refs.bib", text, strlen(text), &error);
    if (error != NULL) print_error("%s\n", error->message);
    assert_non_null(entries);
    return entries;
}

static const bibliography_entry *
at(const GPtrArray *entries, guint i)
{
    assert_true(i < entries->len);
    return entries->pdata[i];
}

static char *
authors_of(const bibliography_entry *entry)
{
    return entry->known->authors != NULL ? g_strjoinv("|", entry->known->authors) : g_strdup("");
}

static void
tex_becomes_text(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"G{\\\"o}del, \\'{E}cole, \\'\\i, {\\v{S}}i\\v s", "Gödel, École, í, Šiš"},
        {"Erd\\H{o}s \\c{C}elik \\.Zak \\aa{} \\O re \\l\\'od\\'z", "Erdős Çelik Żak å Øre łódź"},
        {"B\\'{\\^e}", "Bế"},
        {"pages 1--2 --- ``quoted'' `it' don't", "pages 1–2 — “quoted” 'it' don't"},
        {"{CO}$_2$ and $\\alpha$-Fe$^{2+}$ at 5~\\%", "CO2 and α-Fe2+ at 5 %"},
        {"\\emph{Deep} \\textbf{nets} \\& \\unknown{more}", "Deep nets & more"},
        {"  a\n\t b\\,c  ", "a b c"},
        {"snake\\_case a_b \\", "snake_case a_b \\"},
        {"\\\"{} x \\\"", "x"},
        {"", ""},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = pipelines_tex_to_text(cases[i][0], strlen(cases[i][0]));
        if (strcmp(text, cases[i][1]) != 0) fail_msg("%s: %s", cases[i][0], text);
    }
}

static void
an_entry_is_read_with_all_that_bibtex_has(void **state)
{
    (void)state;
    g_autoptr(GPtrArray) entries = parse(
        "Text by j@example.org is no entry.\n"
        "% @article{hidden, title = {Not there}}\n"
        "@comment{jabref-meta: {nested} @article{no, title={no}}}\n"
        "@preamble{\"\\newcommand{\\x}{y}\" # { z }}\n"
        "@STRING{ jmlr = \"Journal of {M}achine\" # { Learning} }\n"
        "@Article{li2023,\n"
        "  Author = {Li, Wei and van der Berg, Jan and Ludwig {von Mises} and {Barnes and Noble}\n"
        "            AND King, Jr, Martin and others},\n"
        "  title = \"The {Lake} {\\\"O}sten: \" # {a {\"}new{\"} view},\n"
        "  journal = jmlr # \" B\", year = 2023, month = 5 # \"~\" # may,\n"
        "  doi = {https://doi.org/10.1000/ABC_1.}, file = {Full Text:lib/a b.pdf:application/pdf;"
        ":C$\\backslash$:/x/c.pdf:PDF},\n"
        "}\n"
        "@misc(arx, title = {On (round) brackets}, eprint = {2301.00001v3}, archivePrefix = "
        "\"arXiv\",\n date = {2021-04-05})\n"
        "@inproceedings{scholar, title={T}, journal={arXiv preprint arXiv:hep-th/9901001},"
        " booktitle = undefined}");
    assert_int_equal(entries->len, 3);
    const bibliography_entry *e = at(entries, 0);
    g_autofree char *authors = authors_of(e);
    assert_string_equal(e->key, "li2023");
    assert_string_equal(authors, "Wei Li|Jan van der Berg|Ludwig von Mises|Barnes and Noble|"
                                 "Martin King Jr");
    assert_string_equal(e->known->title, "The Lake Östen: a \"new\" view");
    assert_string_equal(e->known->venue, "Journal of Machine Learning B");
    assert_int_equal(e->known->year, 2023);
    assert_string_equal(e->known->doi, "10.1000/abc_1");
    assert_string_equal(e->files[0], "a b.pdf");
    assert_string_equal(e->files[1], "c.pdf");
    assert_null(e->files[2]);
    assert_string_equal(at(entries, 1)->known->title, "On (round) brackets");
    assert_string_equal(at(entries, 1)->known->arxiv, "2301.00001");
    assert_int_equal(at(entries, 1)->known->year, 2021);
    assert_string_equal(at(entries, 2)->known->arxiv, "hep-th/9901001");
}

static void
a_mistake_is_named_with_its_line_and_column(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"@article{a,\n  title = {open {braces\n}\n", "refs.bib: line 2, column 11: this { is"},
        {"@article{a, title = \"x", "line 1, column 21: this quote is never closed"},
        {"@article{a,\n title = {é} year = 2}", "line 2, column 14: expected a comma or }"},
        {"@article{a, title {x}}", "line 1, column 19: expected = behind \"title\""},
        {"@article{a, title = }", "column 21: a value is missing"},
        {"@article{a, title = \"}\"}", "column 22: a } without its {"},
        {"@article{a, = {x}}", "column 13: expected a field's name"},
        {"\n@article a", "line 2, column 10: expected { behind \"@article\""},
        {"@article{a, x = 1", "line 1, column 1: this entry is never closed"},
        {"@string{a = {b}, c = {d}}", "column 16: expected }"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        assert_null(pipelines_bibtex_parse("refs.bib", cases[i][0], strlen(cases[i][0]), &error));
        assert_true(g_error_matches(error, PIPELINES_ERROR, LODE_ERROR_FORMAT));
        if (strstr(error->message, cases[i][1]) == NULL) fail_msg("%s", error->message);
    }
}

static void
strings_that_double_are_stopped(void **state)
{
    (void)state;
    g_autoptr(GString) text = g_string_new("@string{a0 = {0123456789abcdef}}\n");
    for (int i = 1; i < 64; i++)
        g_string_append_printf(text, "@string{a%d = a%d # a%d}\n", i, i - 1, i - 1);
    g_autoptr(GError) error = NULL;
    assert_null(pipelines_bibtex_parse("x.bib", text->str, text->len, &error));
    assert_non_null(strstr(error->message, "expand to more than"));
}

static void
every_prefix_and_every_lost_byte_end_well(void **state)
{
    (void)state;
    static const char text[] =
        "@string{s = \"x\" # {y}}@a{k, author = {A, B and \\'{e} C}, t = s # "
        "2, file = {a\\:b:c.pdf:PDF}, doi = {10.1/x}}";
    const size_t len = strlen(text);
    for (size_t i = 0; i <= len; i++) {
        g_autofree char *prefix = g_strndup(text, i);
        g_autoptr(GPtrArray) cut = pipelines_bibtex_parse("x", prefix, i, NULL);
        g_autofree char *hole = g_strconcat(prefix, i < len ? text + i + 1 : "", NULL);
        g_autoptr(GPtrArray) lost = pipelines_bibtex_parse("x", hole, strlen(hole), NULL);
        assert_true(cut == NULL || cut->len <= 1);
        assert_true(lost == NULL || lost->len <= 1);
        g_autofree char *plain = pipelines_tex_to_text(prefix, i);
        assert_true(g_utf8_validate(plain, -1, NULL));
    }
}

static void
a_part_has_from_the_whole_what_it_leaves_open(void **state)
{
    (void)state;
    g_autoptr(GPtrArray) entries = parse(
        "@inproceedings{a, title = {Nets}, subtitle = {A {S}tudy}, crossref = {Proc2020}}\n"
        "@inproceedings{b, title = {Why?}, subtitle = {Because}, crossref = \"proc2020\", year = "
        "2019,"
        " booktitle = {Own}}\n"
        "@incollection{c, title = {Lost}, crossref = {nowhere}}\n"
        "@proceedings{proc2020, title = {Proc. of Nets}, year = 2020, crossref = {proc2020}}\n"
        "@proceedings{PROC2020, title = {Another}, year = 1900}\n");
    assert_int_equal(entries->len, 5);
    assert_string_equal(at(entries, 0)->known->title, "Nets: A Study");
    assert_string_equal(at(entries, 0)->known->venue, "Proc. of Nets");
    assert_int_equal(at(entries, 0)->known->year, 2020);
    assert_string_equal(at(entries, 1)->known->title, "Why? Because");
    assert_string_equal(at(entries, 1)->known->venue, "Own");
    assert_int_equal(at(entries, 1)->known->year, 2019);
    assert_null(at(entries, 2)->known->venue);
    assert_null(at(entries, 3)->known->venue);
}

/* Each text has a mark that could begin something on every few bytes, and nothing that ends it: looked for without a
 * bound, a million bytes are read a hundred thousand times. */
static void
what_never_ends_is_not_looked_for_again_and_again(void **state)
{
    (void)state;
#ifdef LODE_SANITIZED /* its strstr() measures the whole text each time */
    enum { LEN = 1 << 16 };
#else
    enum { LEN = 1 << 20 };
#endif
    static const char *const pieces[] = {"<i",   "</span x", "arxiv:", "arxiv abcdefghijkl",
                                         "{\\'", "$^{",      "10.1"};
    for (size_t i = 0; i < G_N_ELEMENTS(pieces); i++) {
        g_autoptr(GString) text = g_string_new(NULL);
        while (text->len < LEN)
            g_string_append(text, pieces[i]);
        g_autofree char *plain = pipelines_tex_to_text(text->str, text->len);
        assert_true(g_utf8_validate(plain, -1, NULL));
        g_autofree char *doi = pipelines_bare_doi(text->str);
        g_autofree char *arxiv = pipelines_bare_arxiv(text->str, TRUE);
        assert_null(arxiv);
        g_autoptr(json_t) item = json_pack("[{s:s, s:s}]", "title", text->str, "note", text->str);
        g_autofree char *json = json_dumps(item, 0);
        g_autoptr(GPtrArray) entries = pipelines_csl_parse("x", json, strlen(json), NULL);
        assert_non_null(entries);
        assert_int_equal(entries->len, 1);
    }
}

static void
tags_accents_and_archives_have_a_longest(void **state)
{
    (void)state;
    static const struct {
        size_t n;
        const char *title;
    } cases[] = {{200, "x"}, {300, NULL}};
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *blanks = g_strnfill(cases[i].n, '-');
        g_autofree char *title = g_strdup_printf("<span %s>x</span>", blanks);
        g_autoptr(json_t) item = json_pack("[{s:s}]", "title", title);
        g_autofree char *json = json_dumps(item, 0);
        g_autoptr(GPtrArray) entries = pipelines_csl_parse("x", json, strlen(json), NULL);
        if (cases[i].title != NULL)
            assert_string_equal(at(entries, 0)->known->title, cases[i].title);
        else
            assert_true(strlen(at(entries, 0)->known->title) > cases[i].n);
    }
    g_autofree char *accented = pipelines_tex_to_text("\\d\\c\\k\\b\\t\\u\\v q", 16);
    assert_int_equal(g_utf8_strlen(accented, -1), 5); /* the letter and four marks */
    g_autofree char *known = pipelines_bare_arxiv("arxiv:cond-mat.mtrl-sci/9901001", FALSE);
    assert_string_equal(known, "cond-mat.mtrl-sci/9901001");
    g_autofree char *none =
        pipelines_bare_arxiv("arxiv:an-archive-of-a-name-that-nobody-has/9901001", FALSE);
    assert_null(none);
}

static void
csl_json_is_read_as_crossref_and_zotero_write_it(void **state)
{
    (void)state;
    static const char text[] =
        "[{\"id\": 7, \"title\": [\"<i>In situ</i> CO<sub>2</sub> &lt; 5\"], \"DOI\": \"10.1/X\","
        "  \"author\": [{\"family\": \"Berg\", \"given\": \"Jan\", \"non-dropping-particle\": "
        "\"van\"},"
        "  {\"literal\": \"WHO\"}, {}], \"issued\": {\"date-parts\": [[\"2019\", 2]]},"
        "  \"container-title\": \"Lakes\"},"
        " {\"id\": \"x\", \"title\": 3, \"issued\": {\"raw\": \"2020-01-02\"},"
        "  \"number\": \"arXiv:2301.00001\"}]";
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) entries = pipelines_csl_parse("c.json", text, strlen(text), &error);
    assert_non_null(entries);
    assert_int_equal(entries->len, 2);
    g_autofree char *authors = authors_of(at(entries, 0));
    assert_string_equal(at(entries, 0)->key, "7");
    assert_string_equal(at(entries, 0)->known->title, "In situ CO2 &lt; 5");
    assert_string_equal(authors, "Jan van Berg|WHO");
    assert_int_equal(at(entries, 0)->known->year, 2019);
    assert_string_equal(at(entries, 0)->known->venue, "Lakes");
    assert_string_equal(at(entries, 0)->known->doi, "10.1/x");
    assert_null(at(entries, 1)->known->title);
    assert_int_equal(at(entries, 1)->known->year, 2020);
    assert_string_equal(at(entries, 1)->known->arxiv, "2301.00001");

    static const char *const wrong[][2] = {{"[\n {\"id\": }]", "c.json: line 2, column"},
                                           {"[1]", "c.json: item 1 is no object"},
                                           {"{\"items\": 3}", "c.json: no list"}};
    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) failure = NULL;
        assert_null(pipelines_csl_parse("c.json", wrong[i][0], strlen(wrong[i][0]), &failure));
        if (strstr(failure->message, wrong[i][1]) == NULL) fail_msg("%s", failure->message);
    }
}

static void
identifiers_are_found_in_what_people_write(void **state)
{
    (void)state;
    static const struct {
        const char *text, *doi, *arxiv;
    } cases[] = {
        {"https://doi.org/10.1000/XYZ(2).", "10.1000/xyz(2)", NULL},
        {"doi:10.1038/s41586-021-03819-2", "10.1038/s41586-021-03819-2", NULL},
        {"https://arxiv.org/abs/2301.00001v2", NULL, "2301.00001"},
        {"arXiv: 2301.0001 [cs.CL]", NULL, "2301.0001"},
        {"10.48550/arXiv.2301.00001", "10.48550/arxiv.2301.00001", "2301.00001"},
        {"version 10.2/beta of 3.10.1/x", "10.2/beta", NULL},
        {"arXiv", NULL, NULL},
        {"https://arxiv.org/", NULL, NULL},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *doi = pipelines_bare_doi(cases[i].text);
        g_autofree char *arxiv = pipelines_bare_arxiv(cases[i].text, FALSE);
        assert_int_equal(g_strcmp0(doi, cases[i].doi), 0);
        assert_int_equal(g_strcmp0(arxiv, cases[i].arxiv), 0);
    }
}

static retrieval_library *
library_of_four(const char *dir)
{
    static const char *const titles[] = {"Über Café-Nets: A Study", "Wrong", "Twins", "Wrong too"};
    static const char *const ids[] = {"/p/a.pdf", "/p/b.pdf", "/p/c.pdf", "/p/d.pdf"};
    retrieval_library_options options = {0};
    g_autoptr(GError) error = NULL;
    retrieval_library *library =
        retrieval_library_open(dir, RETRIEVAL_OPEN_WRITE, &options, &error);
    assert_non_null(library);
    for (size_t i = 0; i < G_N_ELEMENTS(ids); i++)
        assert_true(retrieval_library_add_passage(library, ids[i], titles[i], "text", &error));
    char doi[] = "10.1000/B", arxiv[] = "2301.00001v1", other[] = "10.1000/c";
    assert_true(
        retrieval_library_set_metadata(library, ids[1], &(retrieval_metadata){.doi = doi}, &error));
    assert_true(retrieval_library_set_metadata(library, ids[2], &(retrieval_metadata){.doi = other},
                                               &error));
    assert_true(retrieval_library_set_metadata(
        library, ids[3], &(retrieval_metadata){.arxiv = arxiv, .year = 1999}, &error));
    return library;
}

static int
year_of(retrieval_library *library, const char *path)
{
    g_autoptr(retrieval_metadata) known = retrieval_library_get_metadata(library, path, NULL);
    assert_non_null(known);
    return known->year;
}

static void
documents_learn_from_the_entry_that_is_their_own(void **state)
{
    (void)state;
    g_autofree char *dir = g_dir_make_tmp("lode-bib-XXXXXX", NULL);
    g_autoptr(retrieval_library) library = library_of_four(dir);
    g_autoptr(GPtrArray) entries =
        parse("@a{title, title = {{\\\"U}ber Cafe Nets -- a study}, year = 2001}\n"
              "@a{file, title = {Something}, file = {:x/b.pdf:PDF}, year = 2002}\n"
              "@a{doi, title = {Right}, doi = {10.1000/b}, author = {Li, Wei}, year = 2003}\n"
              "@a{twin, title = {Twins}, doi = {10.1000/another}, year = 2004}\n"
              "@a{arxiv, eprint = {2301.00001}, journal = {Nature}}\n"
              "@a{nobody, title = {Elsewhere}}\n");
    bibliography_report report;
    g_autoptr(GError) error = NULL;
    assert_true(pipelines_bibliography_apply(library, entries, &report, &error));
    assert_int_equal(report.n_entries, 6);
    assert_int_equal(report.n_matched, 4);
    assert_int_equal(report.n_documents, 3);
    assert_int_equal(report.unmatched->len, 2);
    assert_string_equal(at(report.unmatched, 0)->key, "twin");
    assert_string_equal(at(report.unmatched, 1)->key, "nobody");
    g_ptr_array_unref(report.unmatched);
    assert_int_equal(year_of(library, "/p/a.pdf"), 2001);
    assert_int_equal(year_of(library, "/p/b.pdf"), 2003); /* a DOI is surer than a file's name */
    assert_int_equal(year_of(library, "/p/c.pdf"), 0);    /* the same title, another DOI */
    assert_int_equal(year_of(library, "/p/d.pdf"), 1999); /* the entry has no year */
    g_autoptr(retrieval_metadata) b = retrieval_library_get_metadata(library, "/p/b.pdf", NULL);
    assert_string_equal(b->title, "Right");
    assert_string_equal(b->authors[0], "Wei Li");

    assert_true(pipelines_bibliography_apply(library, entries, &report, &error));
    assert_int_equal(report.n_matched, 4);
    assert_int_equal(report.n_documents, 0); /* nothing new the second time */
    g_ptr_array_unref(report.unmatched);
    g_clear_pointer(&library, retrieval_library_free);
    const char *const rm[] = {"rm", "-rf", dir, NULL};
    assert_true(g_spawn_sync(NULL, (char **)rm, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL,
                             NULL, NULL));
}

static void
files_of_either_kind_and_of_old_encodings_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len;
        const char *title; /* NULL: an error */
    } cases[] = {
        {"\xEF\xBB\xBF@a{k, title = {x}}", 21, "x"}, {"@a{k, title = {M\xFCnchen}}", 24, "München"},
        {"\n [{\"title\": \"y\"}]", 18, "y"},        {"no entries", 10, NULL},
        {"%PDF-1.7\0@a{k, title = {x}}", 27, NULL},  {"", 0, NULL},
    };
    g_autofree char *dir = g_dir_make_tmp("lode-bib-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "refs", NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        assert_true(g_file_set_contents(path, cases[i].text, (gssize)cases[i].len, NULL));
        g_autoptr(GPtrArray) entries = pipelines_bibliography_load(path, &error);
        if (cases[i].title != NULL) {
            assert_non_null(entries);
            assert_string_equal(at(entries, 0)->known->title, cases[i].title);
        } else {
            assert_null(entries);
            assert_non_null(strstr(error->message, path));
        }
    }
    g_remove(path);
    g_autoptr(GError) error = NULL;
    assert_null(pipelines_bibliography_load(path, &error));
    assert_non_null(strstr(error->message, path));
    g_rmdir(dir);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tex_becomes_text),
        cmocka_unit_test(an_entry_is_read_with_all_that_bibtex_has),
        cmocka_unit_test(a_mistake_is_named_with_its_line_and_column),
        cmocka_unit_test(strings_that_double_are_stopped),
        cmocka_unit_test(every_prefix_and_every_lost_byte_end_well),
        cmocka_unit_test(a_part_has_from_the_whole_what_it_leaves_open),
        cmocka_unit_test(what_never_ends_is_not_looked_for_again_and_again),
        cmocka_unit_test(tags_accents_and_archives_have_a_longest),
        cmocka_unit_test(csl_json_is_read_as_crossref_and_zotero_write_it),
        cmocka_unit_test(identifiers_are_found_in_what_people_write),
        cmocka_unit_test(documents_learn_from_the_entry_that_is_their_own),
        cmocka_unit_test(files_of_either_kind_and_of_old_encodings_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

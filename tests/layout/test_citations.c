/* Call-outs and the entries they call, on the small PDFs of tests/data/cases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "layout/document.h"

#include <string.h>

/* "calling text>key or first author and year" of every citation, blanks between. */
static char *
list_calls(const char *name)
{
    g_autofree char *path = g_strdup_printf("%s/cases/%s.pdf", LODE_TEST_DATA, name);
    g_autoptr(GError) error = NULL;
    g_autoptr(lode_document) d = layout_document_open(path, NULL, &error);
    if (d == NULL) fail_msg("%s", error->message);
    assert_true(layout_document_check(d, NULL));
    GString *list = g_string_new(NULL);
    for (guint i = 0; i < d->n_citations; i++) {
        const layout_citation *c = &d->citations[i];
        const layout_reference *r = &d->references[c->reference];
        if (i > 0) g_string_append(list, " | ");
        g_string_append_len(list, d->blocks[c->block].text + c->start, (gssize)c->len);
        g_string_append_c(list, '>');
        if (r->key != NULL)
            g_string_append(list, r->key);
        else
            g_string_append_printf(list, "%s %s %s", d->names[r->first_name].family, r->year,
                                   r->title);
    }
    return g_string_free(list, FALSE);
}

static void
numbers_in_brackets_call_entries_and_intervals_do_not(void **state)
{
    (void)state;
    g_autofree char *calls = list_calls("cite_numbers");
    assert_string_equal(calls, "1>1 | 2>2 | 4>4 | 1–3>1 | 1–3>2 | 1–3>3 | 3>3 | 4>4 | 2>2");
}

static void
names_and_years_tell_a_from_b(void **state)
{
    (void)state;
    g_autofree char *calls = list_calls("cite_names");
    assert_string_equal(calls, "Moor and Fenn, 2011>Moor 2011 Why small lakes freeze first | "
                               "Reed et al., 2014a>Reed 2014 Ice on forty lakes | "
                               "Pike (1987>Pike 1987 One winter | "
                               "Reed et al. (2014b>Reed 2014 Snow on forty lakes | "
                               "2019>Reed 2019 Forty lakes again | "
                               "de Marsh, 2001>de Marsh 2001 Depth and ice | "
                               "de Marsh (2001>de Marsh 2001 Depth and ice");
}

static void
raised_numbers_call_entries_and_exponents_do_not(void **state)
{
    (void)state;
    g_autofree char *calls = list_calls("cite_raised");
    assert_string_equal(calls, "1>1 | 2>2 | 3>3 | 1–3>1 | 1–3>2 | 1–3>3 | 4>4");
}

static void
entries_are_read_as_they_are_printed(void **state)
{
    (void)state;
    g_autofree char *path = g_strdup_printf("%s/cases/cite_numbers.pdf", LODE_TEST_DATA);
    g_autoptr(lode_document) d = layout_document_open(path, NULL, NULL);
    assert_non_null(d);
    assert_int_equal(d->n_references, 4);
    const layout_reference *r = d->references;
    assert_int_equal(r[0].kind, LAYOUT_REFERENCE_ARTICLE);
    assert_string_equal(d->names[r[0].first_name + 1].family, "van der Kettle");
    assert_string_equal(r[0].pages, "45-67");
    assert_int_equal(r[1].kind, LAYOUT_REFERENCE_CONFERENCE);
    assert_string_equal(r[1].venue, "Proceedings of the Third Conference on Boiling");
    assert_string_equal(r[1].publisher, "Teapot Press");
    assert_int_equal(r[2].kind, LAYOUT_REFERENCE_BOOK);
    assert_string_equal(r[2].publisher, "Kettle University Press");
    assert_string_equal(r[2].year, "2010");
    assert_int_equal(r[3].kind, LAYOUT_REFERENCE_REPORT);
    assert_true(r[3].et_al);
    assert_string_equal(r[3].publisher, "Institute of Warm Drinks");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_in_brackets_call_entries_and_intervals_do_not),
        cmocka_unit_test(names_and_years_tell_a_from_b),
        cmocka_unit_test(raised_numbers_call_entries_and_exponents_do_not),
        cmocka_unit_test(entries_are_read_as_they_are_printed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

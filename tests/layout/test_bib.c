/* The bibliography's writers: BibTeX, read back by a small parser of its grammar, and CSL JSON, read by Jansson. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "layout/analyze.h"
#include "sample_document.h"

#include <jansson.h>
#include <string.h>

/* ---- a BibTeX reader: entries "@type{key, name = {balanced text}, ...}", nothing else ---- */

typedef struct {
    char *type, *key;
    GHashTable *fields;
} bib_entry;

static void
bib_entry_free(gpointer data)
{
    bib_entry *entry = data;
    g_free(entry->type);
    g_free(entry->key);
    g_hash_table_unref(entry->fields);
    g_free(entry);
}

static char *
take(const char **at, const char *stops)
{
    const gsize len = strcspn(*at, stops);
    char *word = g_strstrip(g_strndup(*at, len));
    *at += len;
    return word;
}

static GPtrArray *
read_bibtex(const char *text)
{
    GPtrArray *entries = g_ptr_array_new_with_free_func(bib_entry_free);
    for (const char *at = text; *at;) {
        at += strspn(at, " \n");
        if (!*at) break;
        assert_int_equal(*at, '@');
        bib_entry *entry = g_new0(bib_entry, 1);
        g_ptr_array_add(entries, entry);
        entry->fields = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        at++;
        entry->type = take(&at, "{");
        assert_int_equal(*at++, '{');
        entry->key = take(&at, ",}");
        assert_true(strspn(entry->key, "abcdefghijklmnopqrstuvwxyz0123456789-") ==
                    strlen(entry->key));
        assert_true(*entry->key != '\0');
        while (*at == ',') {
            at++;
            char *name = take(&at, "=");
            at += strspn(at, "= ");
            assert_int_equal(*at, '{');
            const char *start = ++at;
            for (int depth = 1; depth > 0; at++) {
                assert_true(*at != '\0');
                depth += *at == '{' ? 1 : *at == '}' ? -1 : 0;
            }
            assert_false(g_hash_table_contains(entry->fields, name));
            g_hash_table_insert(entry->fields, name, g_strndup(start, (gsize)(at - 1 - start)));
            at += strspn(at, " \n");
        }
        assert_int_equal(*at++, '}');
    }
    return entries;
}

static const char *
field(const GPtrArray *entries, guint i, const char *name)
{
    return g_hash_table_lookup(((bib_entry *)entries->pdata[i])->fields, name);
}

static const char *
key(const GPtrArray *entries, guint i)
{
    return ((bib_entry *)entries->pdata[i])->key;
}

/* ---- a bibliography to write ---- */

static void
add(layout_builder *b, layout_reference reference, const char *family, const char *given)
{
    const layout_name name = {family, given};
    reference.block = sample_add(b, LAYOUT_BLOCK_REFERENCE, "As {printed}.", 0, 100);
    layout_builder_add_reference(b, &reference, &name, family ? 1 : 0);
}

static lode_document *
make_bibliography(void)
{
    layout_builder *b = sample_builder(1);
    const layout_reference book = {.kind = LAYOUT_REFERENCE_BOOK,
                                   .title = "The Art of {Brewing} 100% Tea & More",
                                   .publisher = "Kettle Press",
                                   .year = "1999"};
    const layout_reference article = {.kind = LAYOUT_REFERENCE_ARTICLE,
                                      .title = "On the flow of DNA in the Danube: A study",
                                      .venue = "J. Rivers",
                                      .volume = "12",
                                      .pages = "3-9",
                                      .year = "2001",
                                      .doi = "10.1000/a_b{c}",
                                      .et_al = TRUE};
    const layout_reference preprint = {.title = "Boiling", .arxiv = "2301.01234", .year = "2023"};
    const layout_reference thesis = {.kind = LAYOUT_REFERENCE_THESIS,
                                     .title = "Steam",
                                     .publisher = "A University",
                                     .year = "2010"};
    add(b, book, "Müller-Lüdenscheidt", "K.");
    add(b, article, "van der Berg", "Jan");
    add(b, article, "van der Berg", "Jan");
    add(b, preprint, "Tea Consortium", NULL);
    add(b, thesis, "Åse", "B. C.");
    add(b, (layout_reference){0}, NULL, NULL);
    add(b, (layout_reference){.year = "2010"}, NULL, NULL);
    return layout_builder_finish(b);
}

static void
every_entry_is_one_that_bibtex_reads(void **state)
{
    (void)state;
    g_autoptr(lode_document) document = make_bibliography();
    g_autofree char *text = layout_document_to_bibtex(document);
    g_autoptr(GPtrArray) entries = read_bibtex(text);
    assert_int_equal(entries->len, 7);
    static const char *const types[] = {"book",      "article", "article", "misc",
                                        "phdthesis", "misc",    "misc"};
    for (guint i = 0; i < entries->len; i++)
        assert_string_equal(((bib_entry *)entries->pdata[i])->type, types[i]);
    assert_string_equal(field(entries, 0, "author"), "Müller-Lüdenscheidt, K.");
    assert_string_equal(
        field(entries, 0, "title"),
        "The Art of \\textbraceleft{}Brewing\\textbraceright{} 100\\% Tea \\& More");
    assert_string_equal(field(entries, 1, "author"), "van der Berg, Jan and others");
    assert_string_equal(field(entries, 1, "pages"), "3--9");
    assert_string_equal(field(entries, 1, "journal"), "J. Rivers");
    assert_string_equal(field(entries, 1, "doi"), "10.1000/a_b%7Bc%7D");
    assert_string_equal(field(entries, 3, "author"), "{Tea Consortium}");
    assert_string_equal(field(entries, 3, "eprint"), "2301.01234");
    assert_string_equal(field(entries, 4, "school"), "A University");
    assert_string_equal(field(entries, 5, "note"),
                        "As \\textbraceleft{}printed\\textbraceright{}.");
    assert_null(field(entries, 0, "note"));
}

static void
capitals_that_mean_something_are_protected(void **state)
{
    (void)state;
    g_autoptr(lode_document) document = make_bibliography();
    g_autofree char *text = layout_document_to_bibtex(document);
    g_autoptr(GPtrArray) entries = read_bibtex(text);
    assert_string_equal(field(entries, 1, "title"),
                        "On the flow of {DNA} in the {Danube:} A study");
}

static void
keys_are_unique_and_say_who_when_what(void **state)
{
    (void)state;
    g_autoptr(lode_document) document = make_bibliography();
    g_autofree char *text = layout_document_to_bibtex(document);
    g_autoptr(GPtrArray) entries = read_bibtex(text);
    static const char *const keys[] = {"mullerludenscheidt1999art",
                                       "vanderberg2001flow",
                                       "vanderberg2001flowb",
                                       "teaconsortium2023boiling",
                                       "ase2010steam",
                                       "ref6",
                                       "ref2010"};
    for (guint i = 0; i < entries->len; i++)
        assert_string_equal(key(entries, i), keys[i]);
}

static void
csl_names_dates_and_types(void **state)
{
    (void)state;
    g_autoptr(lode_document) document = make_bibliography();
    g_autofree char *text = layout_document_to_csl(document);
    json_t *items = json_loads(text, 0, NULL);
    assert_int_equal(json_array_size(items), 7);
    const json_t *article = json_array_get(items, 1);
    const char *type, *family, *given, *literal, *page, *doi;
    int year;
    assert_int_equal(json_unpack((json_t *)article, "{s:s,s:[{s:s,s:s},{s:s}],s:s,s:{s:[[i]]},s:s}",
                                 "type", &type, "author", "family", &family, "given", &given,
                                 "literal", &literal, "page", &page, "issued", "date-parts", &year,
                                 "DOI", &doi),
                     0);
    assert_string_equal(type, "article-journal");
    assert_string_equal(family, "van der Berg");
    assert_string_equal(given, "Jan");
    assert_string_equal(literal, "others");
    assert_string_equal(page, "3-9");
    assert_string_equal(doi, "10.1000/a_b{c}");
    assert_int_equal(year, 2001);
    const json_t *preprint = json_array_get(items, 3);
    assert_string_equal(json_string_value(json_object_get(preprint, "type")), "article");
    assert_string_equal(json_string_value(json_object_get(preprint, "number")), "arXiv:2301.01234");
    assert_string_equal(json_string_value(json_object_get(json_array_get(items, 5), "id")), "ref6");
    json_decref(items);
}

static void
a_document_without_references_gives_empty_lists(void **state)
{
    (void)state;
    g_autoptr(lode_document) document = layout_builder_finish(sample_builder(1));
    g_autofree char *bibtex = layout_document_to_bibtex(document);
    g_autofree char *csl = layout_document_to_csl(document);
    assert_string_equal(bibtex, "");
    assert_string_equal(csl, "[]\n");
}

/* Signs whose bytes are those of a quotation mark or a dash in another order, anywhere in an entry: what is read off
 * it begins and ends with whole characters. */
static void
signs_anywhere_cut_no_character(void **state)
{
    (void)state;
    static const char *const entries[] = {
        "A. Moor and B. Fenn, “Why small lakes freeze first,” Cold Water, vol. 7, no. 2, pp. 3–9, "
        "2011.",
        "Moor, A., Fenn, C. (2011). Why lakes freeze? In H. Alder (Ed.), Waters (pp. 88–120). "
        "Birch & Sons.",
        "D. Pike. One winter. PhD thesis, University of the North, 1987."};
    static const char *const signs[] = {"⟩", "—", "’", "ß", "−", "”", "漢", "\xe2\x80\xa9"};
    for (guint i = 0; i < G_N_ELEMENTS(entries) * G_N_ELEMENTS(signs); i++) {
        const char *entry = entries[i / G_N_ELEMENTS(signs)];
        for (const char *at = entry; *at != '\0'; at = g_utf8_next_char(at)) {
            layout_builder *b = sample_builder(1);
            g_autofree char *text = g_strdup_printf("%.*s%s %s", (int)(at - entry), entry,
                                                    signs[i % G_N_ELEMENTS(signs)], at);
            g_autoptr(GArray) names = g_array_new(FALSE, FALSE, sizeof(layout_name));
            layout_reference r = {0};
            layout_reference_parse(b, text, NULL, 0, NULL, &r, names);
            const char *const parts[] = {r.authors, r.title, r.venue, r.publisher,
                                         r.volume,  r.issue, r.pages, r.year};
            for (guint k = 0; k < G_N_ELEMENTS(parts); k++)
                if (parts[k] != NULL && !g_utf8_validate(parts[k], -1, NULL))
                    fail_msg("part %u of \"%s\" is cut: \"%s\"", k, text, parts[k]);
            for (guint k = 0; k < names->len; k++)
                assert_true(g_utf8_validate(g_array_index(names, layout_name, k).family, -1, NULL));
            lode_document_free(layout_builder_finish(b));
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_entry_is_one_that_bibtex_reads),
        cmocka_unit_test(capitals_that_mean_something_are_protected),
        cmocka_unit_test(keys_are_unique_and_say_who_when_what),
        cmocka_unit_test(csl_names_dates_and_types),
        cmocka_unit_test(a_document_without_references_gives_empty_lists),
        cmocka_unit_test(signs_anywhere_cut_no_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

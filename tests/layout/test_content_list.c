/* MinerU's content list: types, members and boxes as its users read them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "sample_document.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static json_t *
load_list(void)
{
    g_autoptr(lode_document) document = sample_document();
    g_autofree char *text = layout_document_to_content_list(document, NULL);
    json_t *list = json_loads(text, 0, NULL);
    assert_true(json_is_array(list));
    return list;
}

/* The n-th entry of a type, asserted to be there. */
static json_t *
find_entry(const json_t *list, const char *type, guint n)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *entry = json_array_get(list, i);
        if (strcmp(json_string_value(json_object_get(entry, "type")), type) == 0 && n-- == 0)
            return entry;
    }
    fail_msg("no entry of type %s", type);
    return NULL;
}

static const char *
member(const json_t *entry, const char *key)
{
    return json_string_value(json_object_get(entry, key));
}

static void
every_entry_has_type_box_and_page(void **state)
{
    (void)state;
    json_t *list = load_list();
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *entry = json_array_get(list, i), *bbox = json_object_get(entry, "bbox");
        assert_non_null(member(entry, "type"));
        assert_true(json_is_integer(json_object_get(entry, "page_idx")));
        assert_int_equal(json_array_size(bbox), 4);
        for (size_t k = 0; k < 4; k++) {
            const json_int_t side = json_integer_value(json_array_get(bbox, k));
            assert_true(json_is_integer(json_array_get(bbox, k)) && side >= 0 && side <= 1000);
        }
        const char *text = member(entry, "text");
        assert_true(!text || *text);
    }
    json_decref(list);
}

static void
titles_have_levels_and_boxes_are_per_mille(void **state)
{
    (void)state;
    json_t *list = load_list();
    json_t *title = json_array_get(list, 0);
    assert_string_equal(member(title, "type"), "text");
    assert_string_equal(member(title, "text"), "A Título");
    assert_int_equal(json_integer_value(json_object_get(title, "text_level")), 1);
    g_autofree char *bbox = NULL;
    char *dumped = json_dumps(json_object_get(title, "bbox"), JSON_COMPACT);
    bbox = g_strdup(dumped);
    free(dumped);
    assert_string_equal(bbox, "[100,62,900,77]"); /* 60, 50, 540, 62.25 of 600 by 800 */
    assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 3), "text_level")), 2);
    assert_null(json_object_get(json_array_get(list, 4), "text_level"));
    assert_non_null(strstr(member(json_array_get(list, 4), "text"), "and $E = mc^2$, see"));
    json_decref(list);
}

static void
tables_figures_and_formulas_carry_their_parts(void **state)
{
    (void)state;
    json_t *list = load_list();
    const json_t *plain = find_entry(list, "table", 0), *merged = find_entry(list, "table", 1);
    assert_string_equal(member(plain, "img_path"), "");
    assert_string_equal(
        json_string_value(json_array_get(json_object_get(plain, "table_caption"), 0)),
        "Table 1: Plain & simple.");
    assert_string_equal(
        member(plain, "table_body"),
        "<table><tr><th>Foam</th><th>X</th></tr><tr><td>RC-4</td><td>87.3</td></tr></table>");
    assert_string_equal(member(merged, "img_path"), "images/page-2-table-1.png");
    assert_int_equal(json_array_size(json_object_get(merged, "table_caption")), 0);

    const json_t *image = find_entry(list, "image", 0);
    assert_string_equal(member(image, "img_path"), "images/page-2-figure-1.png");
    assert_string_equal(
        json_string_value(json_array_get(json_object_get(image, "image_caption"), 0)),
        "Figure 1: A curve.");
    assert_true(json_is_array(json_object_get(image, "image_footnote")));

    const json_t *known = find_entry(list, "equation", 0),
                 *unknown = find_entry(list, "equation", 1);
    assert_string_equal(member(known, "text"), "$$\nE = mc^2\n$$");
    assert_string_equal(member(known, "text_format"), "latex");
    assert_string_equal(member(unknown, "text"), "∑ a * b");
    assert_null(member(unknown, "text_format"));
    json_decref(list);
}

static void
references_are_one_list_and_furniture_has_types(void **state)
{
    (void)state;
    json_t *list = load_list();
    const json_t *references = find_entry(list, "list", 0);
    assert_string_equal(member(references, "sub_type"), "ref_text");
    assert_int_equal(json_array_size(json_object_get(references, "list_items")), 2);
    assert_string_equal(
        json_string_value(json_array_get(json_object_get(references, "list_items"), 1)),
        "[2] B. Writer. Another. 2021.");
    /* the hull of both: 520 to 547.25 of 800 */
    assert_int_equal(json_integer_value(json_array_get(json_object_get(references, "bbox"), 1)),
                     650);
    assert_int_equal(json_integer_value(json_array_get(json_object_get(references, "bbox"), 3)),
                     684);
    assert_string_equal(member(find_entry(list, "header", 0), "text"), "Running header");
    assert_string_equal(member(find_entry(list, "page_number", 0), "text"), "2");
    assert_string_equal(member(find_entry(list, "page_footnote", 0), "text"),
                        "1 Bought in a shop.");
    assert_string_equal(member(find_entry(list, "code", 0), "sub_type"), "code");
    json_decref(list);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_entry_has_type_box_and_page),
        cmocka_unit_test(titles_have_levels_and_boxes_are_per_mille),
        cmocka_unit_test(tables_figures_and_formulas_carry_their_parts),
        cmocka_unit_test(references_are_one_list_and_furniture_has_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

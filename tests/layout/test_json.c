/* lode's own JSON: what is written is read back as the same document, and nothing broken is read at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "sample_document.h"

#include <locale.h>
#include <string.h>

static void
reading_and_writing_again_gives_the_same_bytes(void **state)
{
    (void)state;
    g_autoptr(lode_document) document = sample_document();
    g_autofree char *first = layout_document_to_json(document);
    g_autoptr(GError) error = NULL;
    g_autoptr(lode_document) again = layout_document_from_json(first, strlen(first), &error);
    assert_null(error);
    assert_non_null(again);
    g_autofree char *second = layout_document_to_json(again);
    assert_string_equal(first, second);

    g_autofree char *markdown = layout_document_to_markdown(document, NULL);
    g_autofree char *markdown_again = layout_document_to_markdown(again, NULL);
    assert_string_equal(markdown, markdown_again);
}

static void
everything_survives(void **state)
{
    (void)state;
    g_autoptr(lode_document) d = sample_document();
    g_autofree char *json = layout_document_to_json(d);
    g_autoptr(lode_document) e = layout_document_from_json(json, strlen(json), NULL);
    assert_non_null(e);
    assert_string_equal(e->meta.title, "A Título");
    assert_string_equal(e->meta.authors[1], "Bo \"B\" Reader");
    assert_null(e->meta.authors[2]);
    assert_null(e->meta.doi);
    assert_int_equal(e->n_blocks, d->n_blocks);
    assert_int_equal(e->n_boxes, d->n_boxes);
    assert_int_equal(e->n_spans, d->n_spans);
    assert_int_equal(e->n_lines, d->n_lines);
    for (guint b = 0; b < d->n_blocks; b++) {
        assert_string_equal(e->blocks[b].text, d->blocks[b].text);
        assert_int_equal(e->blocks[b].type, d->blocks[b].type);
        assert_int_equal(e->blocks[b].item, d->blocks[b].item);
        assert_int_equal(e->blocks[b].parent, d->blocks[b].parent);
    }
    for (guint s = 0; s < d->n_spans; s++) {
        assert_int_equal(e->spans[s].flags, d->spans[s].flags);
        assert_int_equal(e->spans[s].start, d->spans[s].start);
        assert_int_equal(g_strcmp0(e->spans[s].target, d->spans[s].target), 0);
    }
    assert_int_equal(e->n_cells, 8);
    assert_string_equal(e->cells[7].text, "d\ne");
    assert_true(e->figures[0].vector);
    assert_string_equal(e->figures[0].inner_text, "0 50 100");
    assert_true(e->figures[0].box.rect.y1 == 418.5f);
    assert_string_equal(e->figures[0].svg, "page-2-figure-1.svg");
    assert_int_equal(e->figures[0].n_panels, 2);
    assert_string_equal(e->panels[e->figures[0].first_panel].label, "a");
    assert_true(e->panels[e->figures[0].first_panel + 1].box.rect.x0 == 310);
    assert_null(e->panels[e->figures[0].first_panel + 1].label);
    assert_true(e->formulas[0].confidence == 0.875f);
    assert_string_equal(e->references[0].url, "https://example.org/\\");
    assert_int_equal(e->references[0].kind, LAYOUT_REFERENCE_ARTICLE);
    assert_string_equal(e->references[0].pages, "3-14");
    assert_true(e->references[0].et_al);
    assert_int_equal(e->references[0].n_names, 2);
    assert_string_equal(e->names[0].given, "A.");
    assert_null(e->names[1].given);
    assert_int_equal(e->n_citations, 1);
    assert_memory_equal(&e->citations[0], &d->citations[0], sizeof(layout_citation));
    assert_memory_equal(&e->pages[1].ledger, &d->pages[1].ledger, sizeof(layout_ledger));
    assert_true(layout_ledger_balances(&e->pages[1].ledger));
    assert_int_equal(e->n_discards, 1);
    assert_int_equal(e->discards[0].reason, LAYOUT_DISCARD_OFF_PAGE);
    assert_int_equal(e->discards[0].n_glyphs, 4);
    assert_true(e->discards[0].box.rect.x0 == -40);
    assert_string_equal(e->discards[0].text, "crop");
    assert_int_equal(e->warnings[0].page, 1);
    assert_int_equal(e->warnings[1].page, LAYOUT_NONE);
}

static void
numbers_are_short_and_do_not_depend_on_the_locale(void **state)
{
    (void)state;
    layout_builder *builder = sample_builder(1);
    const layout_box boxes[] = {{0, {0.1f, -0.001f, 72.005f, 100.5f}},
                                {0, {-1.25f, 1e-9f, 99999.99f, 123456.78f}}};
    const layout_block block = {.text = "x", .parent = LAYOUT_NONE, .confidence = 1.0f / 3};
    layout_builder_add_block(builder, &block, boxes, 2, NULL, 0, NULL, 0);
    g_autoptr(lode_document) document = layout_builder_finish(builder);
    const char *old =
        setlocale(LC_NUMERIC, "de_DE.UTF-8"); /* may be missing: then this is the C locale */
    g_autofree char *json = layout_document_to_json(document);
    if (old) setlocale(LC_NUMERIC, "C");
    assert_non_null(
        strstr(json, "\"boxes\": [[0, 0.1, 0, 72, 100.5], [0, -1.25, 0, 99999.99, 123456.78]]"));
    assert_non_null(strstr(json, "\"confidence\": 0.333"));
}

static void
control_characters_and_bad_utf8_are_written_as_json(void **state)
{
    (void)state;
    layout_builder *builder = sample_builder(1);
    sample_add(builder, LAYOUT_BLOCK_CODE, "\x01\t\n\"\\/\x7f ü", 0, 10);
    layout_builder_meta(builder)->title = layout_builder_copy(builder, "bad \xff name", -1);
    g_autoptr(lode_document) document = layout_builder_finish(builder);
    g_autofree char *json = layout_document_to_json(document);
    assert_non_null(strstr(json, "\"\\u0001\\t\\n\\\"\\\\/\x7f ü\""));
    assert_true(g_utf8_validate(json, -1, NULL));
    g_autoptr(lode_document) again = layout_document_from_json(json, strlen(json), NULL);
    assert_string_equal(again->blocks[0].text, document->blocks[0].text);
}

static void
damage_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *what, *instead, *message;
    } changes[] = {
        {"\"lode-document\"", "\"other\"", "schema"},
        {"\"version\": 2", "\"version\": 3", "newer"},
        {"\"version\": 2", "\"version\": \"2\"", "schema"},
        {"\"title\": \"A", "\"title\": 7, \"x\": \"A", "title"},
        {"\"index\": 1", "\"index\": 0", "index"},
        {"\"index\": 1", "\"index\": 1000000", "index"},
        {"\"width\": 600", "\"width\": -1", "width"},
        {"\"rotation\": 0", "\"rotation\": 45", "rotation"},
        {"\"source\": \"native\"", "\"source\": \"magic\"", "source"},
        {"\"type\": \"author\"", "\"type\": \"writer\"", "type"},
        {"\"level\": 1", "\"level\": -1", "level"},
        {"[0, 60, 50, 540, 62.25]", "[2, 60, 50, 540, 62.25]", "box"},
        {"[0, 60, 50, 540, 62.25]", "[0, 60, 50, 59, 62.25]", "box"},
        {"[0, 60, 50, 540, 62.25]", "[0, 60, 50, 1e300, 62.25]", "box"},
        {"[0, 60, 50, 540, 62.25]", "[0, 60, 50, 540]", "box"},
        {"{\"start\": 9, \"len\": 1", "{\"start\": 999, \"len\": 1", "span"},
        {"{\"start\": 9, \"len\": 1", "{\"start\": 9, \"len\": 0", "span"},
        {"{\"start\": 9, \"len\": 1", "{\"start\": 9, \"len\": 2147483647", "span"},
        {"{\"start\": 9, \"len\": 1", "{\"start\": 15, \"len\": 5", "span"},
        {"\"style\": [\"bold\"]", "\"style\": [\"loud\"]", "span"},
        {"[0, 9, 0, 60, 50", "[0, 4, 0, 60, 50", "line"},
        {"\"parent\": 4", "\"parent\": 4000", "parent"},
        {"\"item\": 0", "\"item\": 1", "item"},
        {"\"rows\": 2", "\"rows\": 3", "grid"},
        {"\"rows\": 2", "\"rows\": 2000000000", "rows"},
        {"\"at\": [0, 1, 1, 2]", "\"at\": [0, 1, 1, 3]", "grid"},
        {"\"at\": [0, 1, 1, 2]", "\"at\": [0, 1, 2, 2]", "grid"},
        {"\"at\": [0, 0, 2, 1]", "\"at\": [0, 0, 0, 1]", "cells"},
        {"\"block\": 20", "\"block\": 2", "block"},
        {"\"vector\": true", "\"vector\": 1", "vector"},
        {"\"latex\": \"E", "\"latex\": null, \"x\": \"E", "latex"},
        {"\"confidence\": 0.875", "\"confidence\": 1.5", "confidence"},
        {"\"page\": 1", "\"page\": 9", "page"},
        {"\"tables\": [", "\"tables\": 3, \"x\": [", "tables"},
        {"\"figures\": [", "\"figures\": [[]], \"x\": [", "figures"},
    };
    g_autoptr(lode_document) document = sample_document();
    g_autofree char *json = layout_document_to_json(document);
    for (guint i = 0; i < G_N_ELEMENTS(changes); i++) {
        const char *at = strstr(json, changes[i].what);
        if (!at) fail_msg("change %u: %s is not in the JSON", i, changes[i].what);
        g_autoptr(GString) broken = g_string_new_len(json, at - json);
        g_string_append(broken, changes[i].instead);
        g_string_append(broken, at + strlen(changes[i].what));
        g_autoptr(GError) error = NULL;
        g_autoptr(lode_document) read = layout_document_from_json(broken->str, broken->len, &error);
        if (read) fail_msg("change %u (%s) was accepted", i, changes[i].instead);
        assert_non_null(error);
        assert_true(error->domain == LAYOUT_ERROR);
        if (!strstr(error->message, changes[i].message))
            fail_msg("change %u (%s): message is \"%s\"", i, changes[i].instead, error->message);
    }
}

static void
other_json_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "{",
        "[]",
        "null",
        "{}",
        "\"lode-document\"",
        "{\"schema\": \"lode-document\", \"version\": 1}",
        "{\"schema\": \"lode-document\", \"version\": 1, \"version\": 1}"};
    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;
        assert_null(layout_document_from_json(texts[i], strlen(texts[i]), &error));
        assert_non_null(error);
        assert_int_equal(error->code, LAYOUT_ERROR_FORMAT);
    }
}

/* Pages that were not asked for are not in the JSON, and the others keep their index. */
static void
skipped_pages_leave_a_gap(void **state)
{
    (void)state;
    layout_builder *builder = layout_builder_new();
    for (int i = 0; i < 4; i++) {
        const layout_page page = {.width_pt = 600, .height_pt = 800, .skipped = i < 2};
        layout_builder_add_page(builder, &page);
    }
    sample_add(builder, LAYOUT_BLOCK_PARAGRAPH, "third", 2, 50);
    g_autoptr(lode_document) document = layout_builder_finish(builder);
    g_autofree char *json = layout_document_to_json(document);
    assert_null(strstr(json, "\"index\": 1,"));
    assert_non_null(strstr(json, "\"index\": 2,"));
    g_autoptr(lode_document) again = layout_document_from_json(json, strlen(json), NULL);
    assert_int_equal(again->n_pages, 4);
    assert_true(again->pages[1].skipped && !again->pages[2].skipped);
    g_autofree char *same = layout_document_to_json(again);
    assert_string_equal(json, same);
}

/* What version 1 wrote had neither gaps nor indices. */
static void
version_1_is_read(void **state)
{
    (void)state;
    static const char json[] =
        "{\"schema\": \"lode-document\", \"version\": 1, \"metadata\": {\"source_name\": \"a\", "
        "\"source_sha256\": \"00\", \"format\": \"PDF\"}, \"pages\": [{\"width\": 6, \"height\": "
        "8, "
        "\"rotation\": 0, \"source\": \"none\"}, {\"width\": 7, \"height\": 9, \"rotation\": 90, "
        "\"source\": \"none\"}], \"blocks\": [], \"tables\": [], \"figures\": [], \"formulas\": "
        "[], "
        "\"references\": [], \"warnings\": []}";
    g_autoptr(GError) error = NULL;
    g_autoptr(lode_document) document = layout_document_from_json(json, strlen(json), &error);
    if (!document) fail_msg("%s", error->message);
    assert_int_equal(document->n_pages, 2);
    assert_int_equal(document->pages[1].rotation, 90);
}

static void
unknown_keys_are_ignored(void **state)
{
    (void)state;
    g_autoptr(lode_document) document = sample_document();
    g_autofree char *json = layout_document_to_json(document);
    g_autofree char *more = g_strconcat("{\"future\": [1, {}],", json + 1, NULL);
    g_autoptr(lode_document) read = layout_document_from_json(more, strlen(more), NULL);
    assert_non_null(read);
    g_autofree char *again = layout_document_to_json(read);
    assert_string_equal(json, again);
}

static void
an_empty_document_round_trips(void **state)
{
    (void)state;
    g_autoptr(lode_document) document = layout_builder_finish(layout_builder_new());
    g_autofree char *json = layout_document_to_json(document);
    g_autoptr(GError) error = NULL;
    g_autoptr(lode_document) read = layout_document_from_json(json, strlen(json), &error);
    assert_null(error);
    g_autofree char *again = layout_document_to_json(read);
    assert_string_equal(json, again);
    g_autofree char *markdown = layout_document_to_markdown(read, NULL);
    assert_string_equal(markdown, "");
    g_autofree char *list = layout_document_to_content_list(read, NULL);
    assert_string_equal(list, "[]\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading_and_writing_again_gives_the_same_bytes),
        cmocka_unit_test(everything_survives),
        cmocka_unit_test(numbers_are_short_and_do_not_depend_on_the_locale),
        cmocka_unit_test(control_characters_and_bad_utf8_are_written_as_json),
        cmocka_unit_test(damage_is_named),
        cmocka_unit_test(other_json_is_refused),
        cmocka_unit_test(skipped_pages_leave_a_gap),
        cmocka_unit_test(version_1_is_read),
        cmocka_unit_test(unknown_keys_are_ignored),
        cmocka_unit_test(an_empty_document_round_trips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

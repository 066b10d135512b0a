/* MinerU's middle file against its contract: every member of every object is known, of the right type, and what
 * must be there is there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "every_document.h"
#include "sample_document.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *key;
    char type; /* i integer, n number, s string, a array, t true */
    gboolean required;
} member;

static const member root_members[] = {
    {"pdf_info", 'a', TRUE}, {"_backend", 's', TRUE}, {"_version_name", 's', TRUE}, {0}};
static const member page_members[] = {{"preproc_blocks", 'a', TRUE},   {"para_blocks", 'a', TRUE},
                                      {"discarded_blocks", 'a', TRUE}, {"page_idx", 'i', TRUE},
                                      {"page_size", 'a', TRUE},        {0}};
static const member block_members[] = {{"type", 's', TRUE},           {"bbox", 'a', TRUE},
                                       {"index", 'i', TRUE},          {"lines", 'a', FALSE},
                                       {"blocks", 'a', FALSE},        {"level", 'i', FALSE},
                                       {"bbox_fs", 'a', FALSE},       {"sub_type", 's', FALSE},
                                       {"lines_deleted", 't', FALSE}, {0}};
static const member line_members[] = {{"bbox", 'a', TRUE}, {"spans", 'a', TRUE}, {0}};
static const member span_members[] = {{"bbox", 'a', TRUE},        {"type", 's', TRUE},
                                      {"score", 'n', TRUE},       {"content", 's', FALSE},
                                      {"html", 's', FALSE},       {"image_path", 's', FALSE},
                                      {"cross_page", 't', FALSE}, {0}};

typedef struct {
    const char *name;
    double width, height;
    int page, last_index;
} place;

static gboolean
has_type(const json_t *value, char type)
{
    switch (type) {
    case 'i':
        return json_is_integer(value);
    case 'n':
        return json_is_number(value);
    case 's':
        return json_is_string(value);
    case 'a':
        return json_is_array(value);
    default:
        return json_is_true(value);
    }
}

static void
check_members(const place *p, const char *what, json_t *object, const member *members)
{
    const char *key;
    json_t *value;
    if (!json_is_object(object)) fail_msg("%s: page %d: %s is no object", p->name, p->page, what);
    json_object_foreach(object, key, value)
    {
        const member *m = members;
        while (m->key && strcmp(m->key, key) != 0)
            m++;
        if (!m->key || !has_type(value, m->type))
            fail_msg("%s: page %d: %s.%s is not in the contract", p->name, p->page, what, key);
    }
    for (const member *m = members; m->key; m++)
        if (m->required && !json_object_get(object, m->key))
            fail_msg("%s: page %d: %s has no %s", p->name, p->page, what, m->key);
}

static void
check_bbox(const place *p, const json_t *bbox)
{
    assert_int_equal(json_array_size(bbox), 4);
    double v[4];
    for (size_t i = 0; i < 4; i++)
        v[i] = json_number_value(json_array_get(bbox, i));
    assert_true(v[0] <= v[2] && v[1] <= v[3]);
    assert_true(v[0] >= -1 && v[1] >= -1 && v[2] <= p->width + 1 && v[3] <= p->height + 1);
}

static const char *
string_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static void
check_span(const place *p, json_t *span)
{
    check_members(p, "span", span, span_members);
    /* a span from the next page has that page's box */
    if (!json_object_get(span, "cross_page")) check_bbox(p, json_object_get(span, "bbox"));
    const char *type = string_of(span, "type");
    const double score = json_number_value(json_object_get(span, "score"));
    assert_true(score >= 0 && score <= 1);
    if (strcmp(type, "table") == 0)
        assert_true(g_str_has_prefix(string_of(span, "html"), "<table>"));
    else if (strcmp(type, "image") == 0)
        assert_non_null(json_object_get(span, "image_path"));
    else if (strcmp(type, "text") == 0 || strcmp(type, "inline_equation") == 0 ||
             strcmp(type, "interline_equation") == 0)
        assert_true(*string_of(span, "content") != '\0' || strcmp(type, "text") != 0);
    else
        fail_msg("%s: span of type %s", p->name, type);
}

static void
check_lines(place *p, json_t *block)
{
    size_t i, k;
    json_t *line, *span;
    json_array_foreach(json_object_get(block, "lines"), i, line)
    {
        check_members(p, "line", line, line_members);
        assert_int_equal(json_array_size(json_object_get(line, "bbox")), 4);
        json_array_foreach(json_object_get(line, "spans"), k, span) check_span(p, span);
    }
    if (json_object_get(block, "lines_deleted"))
        assert_int_equal(json_array_size(json_object_get(block, "lines")), 0);
}

static gboolean
is_one_of(const char *type, const char *const *names)
{
    return g_strv_contains(names, type);
}

static void
check_block(place *p, json_t *block, int level, const char *parent)
{
    static const char *const first[] = {
        "text", "title", "abstract", "interline_equation", "image", "table", "code", "list", NULL};
    static const char *const nested[] = {"image", "table", "code", "list", NULL};
    static const char *const discarded[] = {"header",     "footer",        "page_number",
                                            "aside_text", "page_footnote", NULL};
    check_members(p, "block", block, block_members);
    check_bbox(p, json_object_get(block, "bbox"));
    const char *type = string_of(block, "type");
    const gboolean group = json_object_get(block, "blocks") != NULL;
    if (group == (json_object_get(block, "lines") != NULL))
        fail_msg("%s: %s has both or neither of lines and blocks", p->name, type);
    const json_int_t index = json_integer_value(json_object_get(block, "index"));
    if (!group) {
        assert_int_equal(index, p->last_index + 1);
        p->last_index = (int)index;
    }
    check_lines(p, block);
    if (level == 2) {
        const gboolean list = strcmp(parent, "list") == 0;
        if (list ? strcmp(type, "text") && strcmp(type, "ref_text")
                 : !g_str_has_prefix(type, parent))
            fail_msg("%s: %s in %s", p->name, type, parent);
        return;
    }
    if (level == 0 ? !is_one_of(type, discarded) : !is_one_of(type, first))
        fail_msg("%s: block of type %s", p->name, type);
    assert_true(group == (level == 1 && is_one_of(type, nested)));
    if (strcmp(type, "title") == 0)
        assert_true(json_integer_value(json_object_get(block, "level")) >= 1);
    size_t i;
    json_t *child;
    json_array_foreach(json_object_get(block, "blocks"), i, child) check_block(p, child, 2, type);
    if (group) assert_true(i > 0);
}

static void
check_blocks(place *p, json_t *blocks, int level)
{
    size_t i;
    json_t *block;
    json_array_foreach(blocks, i, block) check_block(p, block, level, NULL);
}

static void
check_document(const char *name, const char *path, const lode_document *d)
{
    (void)path;
    g_autofree char *text = layout_document_to_middle(d, NULL);
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL), *page;
    assert_non_null(root);
    place p = {.name = name};
    check_members(&p, "root", root, root_members);
    assert_string_equal(string_of(root, "_backend"), "pipeline");
    size_t i;
    json_array_foreach(json_object_get(root, "pdf_info"), i, page)
    {
        p.page = (int)i;
        check_members(&p, "page", page, page_members);
        const json_t *size = json_object_get(page, "page_size");
        assert_int_equal(json_array_size(size), 2);
        p.width = (double)json_integer_value(json_array_get(size, 0));
        p.height = (double)json_integer_value(json_array_get(size, 1));
        assert_true(abs((int)(p.width - (double)d->pages[i].width_pt)) <= 1);
        assert_int_equal(json_integer_value(json_object_get(page, "page_idx")), i);
        p.last_index = -1;
        check_blocks(&p, json_object_get(page, "preproc_blocks"), 1);
        check_blocks(&p, json_object_get(page, "discarded_blocks"), 0);
        p.last_index = -1;
        check_blocks(&p, json_object_get(page, "para_blocks"), 1);
    }
    assert_int_equal(i, d->n_pages);
    json_decref(root);
}

static void
every_member_is_in_the_contract(void **state)
{
    (void)state;
    every_document(check_document);
    every_document_without_paper(check_document);
    g_autoptr(lode_document) sample = sample_document();
    check_document("sample", NULL, sample);
}

static json_t *
block_at(json_t *root, size_t page, const char *kind, size_t index)
{
    json_t *p = json_array_get(json_object_get(root, "pdf_info"), page);
    return json_array_get(json_object_get(p, kind), index);
}

/* A paragraph over two columns and a page. */
static void
a_merged_paragraph_has_its_lines_in_the_first_place(void **state)
{
    (void)state;
    layout_builder *b = sample_builder(2);
    const layout_box boxes[] = {
        {0, {60, 700, 280, 724}}, {0, {320, 50, 540, 62}}, {1, {60, 50, 280, 62}}};
    const layout_line lines[] = {{0, 3, {0, {60, 700, 280, 712}}},
                                 {4, 3, {0, {60, 712, 280, 724}}},
                                 {8, 5, {0, {320, 50, 540, 62}}},
                                 {14, 4, {1, {60, 50, 280, 62}}}};
    const layout_block block = {.type = LAYOUT_BLOCK_PARAGRAPH,
                                .text = "one two three four",
                                .confidence = 1,
                                .parent = LAYOUT_NONE};
    layout_builder_add_block(b, &block, boxes, 3, NULL, 0, lines, 4);
    g_autoptr(lode_document) d = layout_builder_finish(b);
    check_document("merged", NULL, d);
    g_autofree char *text = layout_document_to_middle(d, NULL);
    json_t *root = json_loads(text, 0, NULL);
    static const size_t before[] = {2, 1, 1}, after[] = {4, 0, 0};
    for (size_t i = 0; i < 3; i++) {
        const size_t page = i < 2 ? 0 : 1, index = i < 2 ? i : 0;
        json_t *pre = block_at(root, page, "preproc_blocks", index);
        json_t *para = block_at(root, page, "para_blocks", index);
        assert_int_equal(json_array_size(json_object_get(pre, "lines")), before[i]);
        assert_int_equal(json_array_size(json_object_get(para, "lines")), after[i]);
        assert_true((json_object_get(para, "lines_deleted") != NULL) == (i > 0));
        assert_true((json_object_get(para, "bbox_fs") != NULL) == (i == 0));
        assert_null(json_object_get(pre, "lines_deleted"));
    }
    json_t *merged = json_object_get(block_at(root, 0, "para_blocks", 0), "lines");
    for (size_t i = 0; i < 4; i++) {
        json_t *span = json_array_get(json_object_get(json_array_get(merged, i), "spans"), 0);
        assert_true((json_object_get(span, "cross_page") != NULL) == (i == 3));
    }
    json_decref(root);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_member_is_in_the_contract),
        cmocka_unit_test(a_merged_paragraph_has_its_lines_in_the_first_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

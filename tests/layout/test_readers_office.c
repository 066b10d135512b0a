/* Office files, books and saved pages: golden documents (tests/data/readers: NAME.EXT, with golden/NAME.EXT.md and
 * NAME.EXT.json, what is made of it), and damaged and hostile ones, which make_office.py there writes as well. Rewrite
 * with: test_layout_readers_office --update */
#include "layout/layout.h"
#include "layout/readers/metafile.h"
#include "layout/readers/package.h"

#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define DATA(name) LODE_TEST_DATA "/readers/" name

static gboolean update;

static lode_document *
open_file(const char *path)
{
    g_autoptr(GError) error = NULL;
    lode_document *document = layout_document_open(path, NULL, &error);
    if (document == NULL) fail_msg("%s", error->message);
    return document;
}

static gboolean
check_golden(const char *path, const char *actual)
{
    g_autofree char *expected = NULL;
    if (update) {
        assert_true(g_file_set_contents(path, actual, -1, NULL));
        return TRUE;
    }
    if (!g_file_get_contents(path, &expected, NULL, NULL)) return FALSE;
    if (strcmp(expected, actual) == 0) return TRUE;
    print_error("%s: got\n%s\n", path, actual);
    return FALSE;
}

static void
every_kind_of_file_becomes_its_golden_document(void **state)
{
    static const char *const names[] = {"paper.docx",  "slides.pptx", "depths.xlsx",
                                        "letters.odt", "book.epub",   "page.html",
                                        "charts.docx", "charts.pptx", "metafiles.docx"};
    gboolean same = TRUE;
    (void)state;
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_strconcat(DATA(""), names[i], NULL);
        g_autofree char *md = g_strconcat(DATA("golden/"), names[i], ".md", NULL);
        g_autofree char *js = g_strconcat(DATA("golden/"), names[i], ".json", NULL);
        g_autoptr(lode_document) document = open_file(path);
        g_autofree char *markdown = layout_document_to_markdown(document, NULL);
        g_autofree char *json = layout_document_to_json(document);
        same &= check_golden(md, markdown);
        same &= check_golden(js, json);
        g_autoptr(GError) error = NULL;
        g_autoptr(lode_document) back = layout_document_from_json(json, strlen(json), &error);
        if (back == NULL) fail_msg("%s: %s", names[i], error->message);
        g_autofree char *again = layout_document_to_json(back);
        assert_string_equal(json, again);
    }
    assert_true(same);
}

static void
pictures_are_written_as_they_are_in_the_file(void **state)
{
    static const char *const names[] = {"paper.docx", "slides.pptx", "letters.odt",
                                        "book.epub",  "page.html",   "metafiles.docx"};
    (void)state;
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_strconcat(DATA(""), names[i], NULL);
        g_autofree char *dir = g_strconcat("pictures_of_", names[i], NULL);
        g_autoptr(lode_document) document = open_file(path);
        g_autoptr(GError) error = NULL;
        if (!layout_document_write_images(document, path, NULL, dir, NULL, &error))
            fail_msg("%s", error->message);
        g_autofree char *picture = g_build_filename(dir, "figure-1.png", NULL);
        g_autofree char *bytes = NULL;
        gsize len = 0;
        assert_true(g_file_get_contents(picture, &bytes, &len, NULL));
        assert_true(len > 8 && memcmp(bytes, "\x89PNG", 4) == 0);
        g_remove(picture);
        g_rmdir(dir);
    }
}

static void
hidden_text_is_told_of_and_not_read(void **state)
{
    const layout_options keep = {.keep_hidden = TRUE};
    (void)state;
    g_autoptr(lode_document) document = open_file(DATA("paper.docx"));
    assert_int_equal(document->n_discards, 1);
    assert_int_equal(document->discards[0].reason, LAYOUT_DISCARD_INVISIBLE);
    assert_string_equal(document->discards[0].text, "Nobody sees this.");
    g_autofree char *text = layout_document_to_text(document, NULL);
    assert_null(strstr(text, "Nobody"));
    g_autoptr(lode_document) all = layout_document_open(DATA("paper.docx"), &keep, NULL);
    g_autofree char *full = layout_document_to_text(all, NULL);
    assert_non_null(strstr(full, "Nobody sees this."));
    g_autoptr(lode_document) sheets = layout_document_open(DATA("depths.xlsx"), &keep, NULL);
    g_autofree char *cells = layout_document_to_text(sheets, NULL);
    assert_non_null(strstr(cells, "Drafts"));
}

static void
blocks_stand_on_the_pages_that_the_file_knows_of(void **state)
{
    (void)state;
    g_autoptr(lode_document) paper = open_file(DATA("paper.docx"));
    assert_int_equal(paper->n_pages, 2);
    for (guint b = 0; b < paper->n_blocks; b++) {
        assert_true(paper->blocks[b].n_boxes > 0);
        if (strcmp(paper->blocks[b].text, "2 Results") == 0)
            assert_int_equal(paper->boxes[paper->blocks[b].first_box].page, 1);
    }
    g_autoptr(lode_document) slides = open_file(DATA("slides.pptx"));
    assert_int_equal(slides->n_pages, 3);
    const layout_block *title = NULL;
    for (guint b = 0; b < slides->n_blocks && title == NULL; b++)
        if (strcmp(slides->blocks[b].text, "What was measured") == 0) title = &slides->blocks[b];
    assert_non_null(title);
    /* the slide says nothing of where it stands, its layout does */
    const layout_box box = slides->boxes[title->first_box];
    assert_int_equal(box.page, 1);
    assert_true(box.rect.x0 > 35 && box.rect.x0 < 37);
}

/* What the files of bad/ are to become: an error of that code, or a document with (or without) these words. */
static void
damaged_and_hostile_files_are_refused_or_read_as_far_as_they_go(void **state)
{
    static const struct {
        const char *name;
        int code; /* -1: a document */
        const char *has, *has_not;
    } cases[] = {
        {"bomb.docx", LAYOUT_ERROR_LIMIT, NULL, NULL},
        {"laughs.docx", LAYOUT_ERROR_FORMAT, NULL, NULL},
        {"outside_entity.docx", LAYOUT_ERROR_FORMAT, NULL, NULL},
        {"no_document.docx", LAYOUT_ERROR_FORMAT, NULL, NULL},
        {"not_xml.docx", LAYOUT_ERROR_FORMAT, NULL, NULL},
        {"locked.epub", LAYOUT_ERROR_PASSWORD, NULL, NULL},
        {"no_styles.docx", -1, "Slopes of small lakes", NULL},
        {"cut_xml.docx", -1, "Methods", "Results"},
        {"cyclic.docx", -1, "Results", NULL},
        {"deep.docx", -1, "Results", NULL},
        {"named_otherwise.pdf", -1, "Results", NULL},
        {"cyclic.pptx", -1, "Small lakes", NULL},
        {"wide.xlsx", -1, "Lake", NULL},
        {"charts.docx", -1, "Behind the charts.", NULL},
        {"outside.epub", -1, "About water.", "Shores"},
    };
    (void)state;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strconcat(DATA("bad/"), cases[i].name, NULL);
        g_autoptr(GError) error = NULL;
        const gint64 start = g_get_monotonic_time();
        g_autoptr(lode_document) document = layout_document_open(path, NULL, &error);
        if (g_get_monotonic_time() - start > 20 * G_TIME_SPAN_SECOND)
            fail_msg("%s: too slow", cases[i].name);
        if (cases[i].code >= 0) {
            if (document != NULL) fail_msg("%s: was read", cases[i].name);
            if (!g_error_matches(error, LAYOUT_ERROR, cases[i].code))
                fail_msg("%s: %s", cases[i].name, error->message);
            assert_non_null(strstr(error->message, cases[i].name));
            continue;
        }
        if (document == NULL) fail_msg("%s", error->message);
        g_autofree char *text = layout_document_to_text(document, NULL);
        if (strstr(text, cases[i].has) == NULL) fail_msg("%s: %s", cases[i].name, text);
        if (cases[i].has_not != NULL && strstr(text, cases[i].has_not) != NULL)
            fail_msg("%s: %s", cases[i].name, text);
    }
}

/* Half an archive is an error or a document, never a crash; likewise with bytes changed. */
static void
every_cut_of_a_file_is_an_error_or_a_document(void **state)
{
    static const char *const names[] = {"paper.docx",  "slides.pptx", "depths.xlsx",
                                        "letters.odt", "book.epub",   "charts.docx"};
    (void)state;
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_strconcat(DATA(""), names[i], NULL), *whole = NULL;
        gsize len = 0;
        assert_true(g_file_get_contents(path, &whole, &len, NULL));
        for (gsize cut = 0; cut < 24; cut++) {
            g_autoptr(GError) error = NULL;
            g_autofree char *copy = g_memdup2(whole, len);
            if (cut % 2 == 1) copy[len * cut / 24] ^= 0x55;
            assert_true(g_file_set_contents(
                "cut.bin", copy, cut % 2 == 1 ? (gssize)len : (gssize)(len * (cut + 1) / 25),
                NULL));
            g_autoptr(lode_document) document = layout_document_open("cut.bin", NULL, &error);
            assert_true((document == NULL) == (error != NULL));
        }
    }
    g_remove("cut.bin");
}

/* Whatever is cut off or changed in a metafile: a picture, words or neither. */
static void
try_damage(const guchar *data, gsize len)
{
    static const guchar values[] = {0, 0x7F, 0x80, 0xFF};
    for (gsize at = 0; at < len; at += at < 256 ? 1 : 97) {
        for (gsize k = 0; k <= G_N_ELEMENTS(values); k++) {
            const gboolean cut = k == G_N_ELEMENTS(values);
            guchar *copy = g_memdup2(data, len);
            if (!cut) copy[at] = values[k];
            g_autoptr(GBytes) bad = g_bytes_new_take(copy, cut ? at : len);
            g_autoptr(GBytes) picture = NULL;
            g_autofree char *words = NULL;
            const gboolean known = layout_metafile_read(bad, &picture, &words);
            assert_true(known || (picture == NULL && words == NULL));
            assert_true(words == NULL || g_utf8_validate(words, -1, NULL));
        }
    }
}

static void
damaged_metafiles_are_read_within_their_bytes(void **state)
{
    static const struct {
        const char *part, *words;
        gboolean picture;
    } cases[] = {{"word/media/screen.emf", NULL, TRUE},
                 {"word/media/drawing.emf", "Depth in metres Lake \xc3\x96", FALSE},
                 {"word/media/plus.emf", NULL, TRUE},
                 {"word/media/photo.wmf", NULL, TRUE},
                 {"word/media/drawing.wmf", "Wind in m/s", FALSE}};
    g_autofree char *file = NULL;
    gsize len = 0;
    (void)state;
    assert_true(g_file_get_contents(DATA("metafiles.docx"), &file, &len, NULL));
    const layout_source source = {
        .name = "metafiles.docx", .data = (const guchar *)file, .len = len};
    g_autoptr(layout_package) package = layout_package_open(&source, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        GBytes *whole = layout_package_part(package, cases[i].part);
        g_autoptr(GBytes) picture = NULL;
        g_autofree char *words = NULL;
        assert_non_null(whole);
        assert_true(layout_metafile_read(whole, &picture, &words));
        assert_int_equal(picture != NULL, cases[i].picture);
        if (cases[i].words == NULL)
            assert_null(words);
        else
            assert_string_equal(words, cases[i].words);
        const guchar *data = g_bytes_get_data(whole, &len);
        try_damage(data, len);
    }
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_file_becomes_its_golden_document),
        cmocka_unit_test(pictures_are_written_as_they_are_in_the_file),
        cmocka_unit_test(hidden_text_is_told_of_and_not_read),
        cmocka_unit_test(blocks_stand_on_the_pages_that_the_file_knows_of),
        cmocka_unit_test(damaged_and_hostile_files_are_refused_or_read_as_far_as_they_go),
        cmocka_unit_test(every_cut_of_a_file_is_an_error_or_a_document),
        cmocka_unit_test(damaged_metafiles_are_read_within_their_bytes),
    };
    update = argc > 1 && strcmp(argv[1], "--update") == 0;
    return cmocka_run_group_tests_name("readers_office", tests, NULL, NULL);
}

/* Loss accounting: every glyph of every page is in one place. Three counts that know nothing of each other must agree:
 * what parse hands out, the ledger of each page, and the letters in the finished document.
 *
 * Runs over the PDFs of the tests' data, and over those of the folder LODE_CORPUS names, if any. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "layout/layout.h"
#include "parse/parse.h"

#include <stdlib.h>
#include <string.h>

#define PAGE_SECONDS 2.0 /* a decompression bomb is among the data */

/* Letters and digits by what they decompose to, in lower case, so that it does not matter which accents were composed,
 * which ligatures taken apart, how a logo is spelled. */
typedef struct {
    gint64 count[0x3400];
} bag;

static void
bag_add_char(bag *b, gunichar ch, int sign)
{
    gunichar parts[G_UNICHAR_MAX_DECOMPOSITION_LENGTH];
    gsize n = g_unichar_fully_decompose(ch, TRUE, parts, G_N_ELEMENTS(parts));
    for (gsize i = 0; i < n; i++) {
        gunichar one = g_unichar_tolower(parts[i]);
        one = one == 0x131 ? 'i' : one == 0x237 ? 'j' : one == 0x142 ? 'l' : one;
        gboolean accent = one >= 0x2B0 && one < 0x300; /* composed with its letter */
        if (one < G_N_ELEMENTS(b->count) && g_unichar_isalnum(one) && !accent)
            b->count[one] += sign;
    }
}

static void
bag_add(bag *b, const char *text)
{
    for (; text != NULL && *text != '\0'; text = g_utf8_next_char(text))
        bag_add_char(b, g_utf8_get_char(text), 1);
}

/* A cell's mathematics is LaTeX: a Greek letter is the name behind a backslash, other names are signs and no letters. */
static void
bag_add_cell(bag *b, const char *text)
{
    static const struct {
        const char *name;
        gunichar letter;
    } greek[] = {{"alpha", 0x3B1}, {"beta", 0x3B2}};

    for (const char *at = text; at != NULL && *at != '\0';) {
        if (*at != '\\' || !g_ascii_isalpha(at[1])) {
            bag_add_char(b, g_utf8_get_char(at), 1);
            at = g_utf8_next_char(at);
            continue;
        }
        const size_t len = strspn(++at, G_CSET_a_2_z G_CSET_A_2_Z);
        for (guint i = 0; i < G_N_ELEMENTS(greek); i++)
            if (strlen(greek[i].name) == len && memcmp(greek[i].name, at, len) == 0)
                bag_add_char(b, greek[i].letter, 1);
        at += len;
    }
}

/* Everything a document says, once: a table's block repeats its cells. */
static void
bag_add_document(bag *b, const lode_document *d)
{
    for (guint i = 0; i < d->n_blocks; i++) {
        bag_add(b, d->blocks[i].marker);
        if (d->blocks[i].type != LAYOUT_BLOCK_TABLE) bag_add(b, d->blocks[i].text);
    }
    for (guint i = 0; i < d->n_cells; i++)
        bag_add_cell(b, d->cells[i].text);
    for (guint i = 0; i < d->n_figures; i++)
        bag_add(b, d->figures[i].inner_text);
    for (guint i = 0; i < d->n_formulas; i++)
        bag_add(b, d->formulas[i].number);
    for (guint i = 0; i < d->n_discards; i++)
        bag_add(b, d->discards[i].text);
}

/* FALSE: the page cannot be read; the document says so. */
static gboolean
take_page(bag *b, parse_file *file, int index, guint *n_drawn)
{
    g_autoptr(parse_page) page = parse_file_load_page(file, index, NULL);
    if (page == NULL) return FALSE;
    *n_drawn = page->n_glyphs + page->n_unplaced + page->n_masked;
    for (guint i = 0; i < page->n_glyphs; i++)
        bag_add_char(b, page->glyphs[i].unicode, -1);
    return TRUE;
}

static guint
report_letters(const char *path, const bag *b)
{
    guint n_bad = 0;
    for (guint ch = 0; ch < G_N_ELEMENTS(b->count); ch++) {
        if (b->count[ch] == 0) continue;
        char utf8[7] = "";
        g_unichar_to_utf8(ch, utf8);
        if (n_bad++ < 5)
            print_error("%s: U+%04X %s: %s%d\n", path, ch, utf8, b->count[ch] > 0 ? "+" : "",
                        (int)b->count[ch]);
    }
    return n_bad;
}

static guint
report_page(const char *path, guint index, const layout_ledger *ledger, guint n_drawn)
{
    if (ledger->n_glyphs == n_drawn && layout_ledger_balances(ledger)) return 0;
    print_error("%s: page %u: %u glyphs drawn, %u in the ledger: %u text, %u table, %u figure, "
                "%u furniture, %u lost\n",
                path, index + 1, n_drawn, ledger->n_glyphs, ledger->n_text, ledger->n_table,
                ledger->n_figure, ledger->n_furniture, ledger->n_discarded[LAYOUT_DISCARD_LOST]);
    return 1;
}

/* Number of faults; *n_glyphs counts what was looked at. A file that is refused has nothing to lose. */
static guint
check_file(const char *path, guint64 *n_glyphs)
{
    /* what the file draws, not what its pixels say */
    const layout_options options = {.page_seconds = PAGE_SECONDS, .ocr = LAYOUT_OCR_OFF};
    const parse_options limits = {.page_seconds = PAGE_SECONDS};
    g_autoptr(lode_document) document = layout_document_open(path, &options, NULL);
    g_autoptr(parse_file) file = parse_file_open(path, &limits, NULL);
    if (document == NULL || file == NULL) return 0;
    g_autofree bag *letters = g_new0(bag, 1);
    guint n_bad = 0;
    gboolean whole = TRUE;
    for (guint i = 0; i < document->n_pages; i++) {
        guint n_drawn = 0;
        gboolean read = take_page(letters, file, (int)i, &n_drawn);
        /* a page that runs into its time limit does so sooner or later */
        if (read && document->pages[i].failure == NULL)
            n_bad += report_page(path, i, &document->pages[i].ledger, n_drawn);
        else
            whole = FALSE;
        *n_glyphs += n_drawn;
    }
    bag_add_document(letters, document);
    return n_bad + (whole ? report_letters(path, letters) : 0);
}

static guint
check_folder(const char *folder, guint64 *n_glyphs)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    guint n_bad = 0;
    for (const char *name; dir != NULL && (name = g_dir_read_name(dir)) != NULL;) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        if (g_file_test(path, G_FILE_TEST_IS_DIR))
            n_bad += check_folder(path, n_glyphs);
        else if (g_str_has_suffix(name, ".pdf"))
            n_bad += check_file(path, n_glyphs);
    }
    return n_bad;
}

static void
every_glyph_is_in_one_place(void **state)
{
    (void)state;
    guint64 n_glyphs = 0;
    guint n_bad = check_folder(LODE_TEST_DATA, &n_glyphs);
    if (g_getenv("LODE_CORPUS") != NULL) n_bad += check_folder(g_getenv("LODE_CORPUS"), &n_glyphs);
    assert_true(n_glyphs > 10000);
    assert_int_equal(n_bad, 0);
}

static lode_document *
open_case(const char *name, gboolean keep_hidden)
{
    g_autofree char *path = g_build_filename(LODE_TEST_DATA, "cases", name, NULL);
    const layout_options options = {.keep_hidden = keep_hidden};
    lode_document *document = layout_document_open(path, &options, NULL);
    assert_non_null(document);
    return document;
}

static void
hidden_text_is_left_out_with_its_reason(void **state)
{
    (void)state;
    static const struct {
        layout_discard_reason reason;
        const char *text;
    } hidden[] = {
        {LAYOUT_DISCARD_BACKGROUND, "White words on white paper praise this paper to machines. "
                                    "Grey words in a grey box."},
        {LAYOUT_DISCARD_INVISIBLE, "Words without ink for nobody."},
        {LAYOUT_DISCARD_TINY, "Words too small for any eye, set in six tenths of a point."},
        {LAYOUT_DISCARD_OFF_PAGE, "Words beside the page."},
        {LAYOUT_DISCARD_COVERED, "The name of the informant."},
        {LAYOUT_DISCARD_COVERED, "Below a picture."},
    };
    g_autoptr(lode_document) document = open_case("hidden_text.pdf", FALSE);
    assert_int_equal(document->n_discards, G_N_ELEMENTS(hidden));
    for (guint i = 0; i < document->n_discards; i++) {
        assert_int_equal(document->discards[i].reason, hidden[i].reason);
        assert_string_equal(document->discards[i].text, hidden[i].text);
    }
    assert_int_equal(document->pages[1].source, LAYOUT_TEXT_OCR);
    assert_int_equal(document->n_warnings, 1);
}

static void
hidden_text_can_be_kept(void **state)
{
    (void)state;
    g_autoptr(lode_document) document = open_case("hidden_text.pdf", TRUE);
    g_autofree char *markdown = layout_document_to_markdown(document, NULL);
    assert_non_null(strstr(markdown, "White words on white paper"));
    assert_non_null(strstr(markdown, "The name of the informant."));
    assert_null(strstr(markdown, "Words beside the page."));
}

static void
a_lost_or_doubled_glyph_shows(void **state)
{
    (void)state;
    layout_ledger ledger = {
        .n_glyphs = 10, .n_text = 6, .n_table = 1, .n_figure = 1, .n_furniture = 1};
    assert_false(layout_ledger_balances(&ledger));
    ledger.n_discarded[LAYOUT_DISCARD_SPACE] = 1;
    assert_true(layout_ledger_balances(&ledger));
    ledger.n_text++;
    assert_false(layout_ledger_balances(&ledger));
    ledger.n_text -= 2;
    ledger.n_discarded[LAYOUT_DISCARD_LOST] = 1;
    assert_false(layout_ledger_balances(&ledger));
}

static void
reasons_have_names(void **state)
{
    (void)state;
    for (guint i = 0; i < LAYOUT_N_DISCARD_REASONS; i++) {
        layout_discard_reason back = LAYOUT_N_DISCARD_REASONS;
        assert_true(layout_discard_reason_from_name(
            layout_discard_reason_name((layout_discard_reason)i), &back));
        assert_int_equal(back, i);
    }
    layout_discard_reason none;
    assert_false(layout_discard_reason_from_name("elsewhere", &none));
    assert_true(layout_discard_reason_is_hidden(LAYOUT_DISCARD_COVERED));
    assert_false(layout_discard_reason_is_hidden(LAYOUT_DISCARD_REPEATED));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_glyph_is_in_one_place),
        cmocka_unit_test(hidden_text_is_left_out_with_its_reason),
        cmocka_unit_test(hidden_text_can_be_kept),
        cmocka_unit_test(a_lost_or_doubled_glyph_shows),
        cmocka_unit_test(reasons_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What is not a PDF: every kind of input becomes the document it says it is, and hostile ones end with one line that
 * says why. tests/data/inputs/NAME with NAME.golden.md beside it; --update writes those. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "layout/layout.h"

#define INPUTS LODE_TEST_DATA "/inputs/"

static gboolean update;

static lode_document *
open_input(const char *name)
{
    g_autofree char *path = g_strconcat(INPUTS, name, NULL);
    g_autoptr(GError) error = NULL;
    lode_document *document = layout_document_open(path, NULL, &error);
    if (document == NULL) fail_msg("%s: %s", name, error->message);
    return document;
}

static void
assert_golden(const char *name, const lode_document *document)
{
    g_autofree char *tame = g_strdelimit(g_strdup(name), "!/", '_');
    g_autofree char *path = g_strconcat(INPUTS, tame, ".golden.md", NULL);
    g_autofree char *markdown = layout_document_to_markdown(document, NULL);
    g_autofree char *expected = NULL;
    if (update) g_file_set_contents(path, markdown, -1, NULL);
    assert_true(g_file_get_contents(path, &expected, NULL, NULL));
    assert_string_equal(markdown, expected);
    /* the writer walks every index, the reader checks every promise */
    g_autofree char *json = layout_document_to_json(document);
    g_autoptr(lode_document) again = layout_document_from_json(json, strlen(json), NULL);
    assert_non_null(again);
}

static void
each_kind_is_read_as_what_it_is(void **state)
{
    (void)state;
    static const struct {
        const char *name, *format;
    } inputs[] = {
        {"article.xml", "JATS XML"},
        {"wrong_name.docx", "JATS XML"},
        {"paper.md", "Markdown"},
        {"memo.txt", "plain text"},
        {"underlined.text", "plain text"},
        {"latin1.txt", "plain text"},
        {"utf16.txt", "plain text"},
        {"nul.txt", "plain text"},
        {"source/main.tex", "LaTeX"},
        {"bib/plain.tex", "LaTeX"},
        {"bib/unsrt.tex", "LaTeX"},
        {"bib/years.tex", "LaTeX"},
        {"bib/broken.tex", "LaTeX"},
        {"source.tar.gz", "LaTeX"},
        {"papers.zip!/a/paper.md", "Markdown"},
        {"outside.zip!/evil/paper.md", "Markdown"},
        {"nested.zip!/inner.zip!/article.xml", "JATS XML"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(inputs); i++) {
        g_autoptr(lode_document) document = open_input(inputs[i].name);
        if (strcmp(document->meta.format, inputs[i].format) != 0)
            fail_msg("%s is %s", inputs[i].name, document->meta.format);
        assert_golden(inputs[i].name, document);
    }
}

static void
hostile_inputs_are_refused_with_a_reason(void **state)
{
    (void)state;
    static const struct {
        const char *name, *reason;
    } inputs[] = {
        {"entities.xml", "declares entities"},
        {"outside.xml", "declares entities"},
        {"bomb.zip", "decompression bomb"},
        {"bomb.txt.bz2", "decompression bomb"},
        {"locked.zip", "encrypted"},
        {"cut_short.zip", "cut_short.zip: "},
        {"endless.tex", "expands without end"},
        {"prose.pdf", "it is plain text"},
        {"empty.md", "it is empty"},
        {"program.txt", "it is a program"},
        {"papers.zip", "name one as"},
        {"papers.zip!/none.md", "has no \"none.md\""},
        {"paper.md!/x", "paper.md"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(inputs); i++) {
        g_autofree char *path = g_strconcat(INPUTS, inputs[i].name, NULL);
        g_autoptr(GError) error = NULL;
        g_autoptr(lode_document) document = layout_document_open(path, NULL, &error);
        assert_null(document);
        if (strstr(error->message, inputs[i].reason) == NULL)
            fail_msg("%s: %s", inputs[i].name, error->message);
        assert_null(strchr(error->message, '\n'));
    }
}

/* As other programs left them: nothing in the file says how it is written. */
static void
old_encodings_are_told_by_their_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *encoding, *text;
    } cases[] = {
        {"GBK", "这是一个用于测试的简短文本。我们研究了湖泊的水位变化，并给出结果。"},
        {"BIG5", "這是一個用於測試的簡短文字。我們研究了湖泊的水位變化，並給出結果。"},
        {"CP932", "これは短い試験の文章です。湖の水位の変化を調べ、結果を示します。"},
        {"EUC-JP", "これは短い試験の文章です。湖の水位の変化を調べ、結果を示します。"},
        {"EUC-KR", "이것은 짧은 시험용 글입니다. 호수의 수위 변화를 조사하고 결과를 보입니다."},
        {"CP1251", "Это короткий проверочный текст. Мы изучили изменения уровня озера."},
        {"KOI8-R", "Это короткий проверочный текст. Мы изучили изменения уровня озера."},
        {"CP1253", "Αυτό είναι ένα σύντομο κείμενο. Μελετήσαμε τη στάθμη της λίμνης."},
        {"CP1255", "זהו טקסט קצר לבדיקה. חקרנו את השינויים במפלס האגם והצגנו את התוצאות."},
        {"CP1256", "هذا نص قصير للاختبار. درسنا تغيرات منسوب البحيرة وعرضنا النتائج."},
        {"CP1250", "Toto je krátký zkušební text. Zkoumali jsme změny hladiny jezera a uvádíme "
                   "výsledky, které byly získány během několika let pozorování."},
        {"CP1254", "Bu kısa bir deneme metnidir. Göldeki su seviyesinin değişimlerini inceledik "
                   "ve sonuçları gösterdik. Çeşitli ölçümler yapıldı."},
        {"CP1252", "Nous avons étudié les variations du niveau du lac — les résultats sont "
                   "présentés là où la mère a été décrite à côté."},
        {"CP1252", "Wir haben die Änderungen des Seespiegels untersucht; die Größe fällt."},
        {"CP1252", "A naïve façade stood by the café."}};
    static const struct {
        const char *name, *front, *end;
    } kinds[] = {{"plain.txt", "", ".\n"},
                 {"marks.md", "# Title\n\n", ".\n"},
                 {"page.html", "<html><body><p>", ".</p></body></html>"}};
    g_autofree char *folder = g_dir_make_tmp("lode-encodings-XXXXXX", NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
        for (gsize k = 0; k < G_N_ELEMENTS(kinds); k++) {
            g_autoptr(GError) error = NULL;
            gsize size = 0;
            g_autofree char *whole = g_strconcat(kinds[k].front, cases[i].text, kinds[k].end, NULL);
            g_autofree char *bytes =
                g_convert(whole, -1, cases[i].encoding, "UTF-8", NULL, &size, &error);
            assert_non_null(bytes);
            g_autofree char *path = g_build_filename(folder, kinds[k].name, NULL);
            assert_true(g_file_set_contents(path, bytes, (gssize)size, NULL));
            g_autoptr(lode_document) document = layout_document_open(path, NULL, &error);
            if (document == NULL) fail_msg("%s: %s", cases[i].encoding, error->message);
            g_autofree char *text = layout_document_to_text(document, NULL);
            if (strstr(text, cases[i].text) == NULL)
                fail_msg("%s in %s: %s", cases[i].encoding, kinds[k].name, text);
            g_remove(path);
            if (k > 0) continue;
            /* cut inside a character, or with a byte that is none: the rest is still read */
            bytes[size / 2] = (char)0xFF;
            assert_true(g_file_set_contents(path, bytes, (gssize)size - 3, NULL));
            g_autoptr(lode_document) hurt = layout_document_open(path, NULL, &error);
            assert_non_null(hurt);
            assert_true(hurt->n_blocks > 0);
            g_remove(path);
        }
    assert_int_equal(g_rmdir(folder), 0);
}

static void
what_is_struck_out_stays_struck_out(void **state)
{
    (void)state;
    static const struct {
        const char *name, *source, *markdown;
    } cases[] = {
        {"a.md", "Say ~~no~~ yes, ~~*two words* here~~.\n", "Say ~~no~~ yes, ~~two words here~~."},
        {"b.md", "Open ~~ended, a~b~c and 1~2.\n", NULL},
        {"c.md", "~~a~b~~ and x\\~~y.\n", NULL},
        {"a.html",
         "<html><body><p>Say <del>no</del> yes, <s>two <b>words</b></s>; x<s>(y)</s>z.</p>",
         "Say ~~no~~ yes, ~~two words~~; x<del>(y)</del>z."},
        {"b.html", "<html><body><p>Never <strike>closed.</p><p>Behind.</p></body>", NULL},
        {"a.tex", "\\begin{document}Say \\sout{no} yes.\\end{document}", "Say ~~no~~ yes."}};
    g_autofree char *folder = g_dir_make_tmp("lode-struck-XXXXXX", NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_build_filename(folder, cases[i].name, NULL);
        assert_true(g_file_set_contents(path, cases[i].source, -1, NULL));
        g_autoptr(lode_document) document = layout_document_open(path, NULL, NULL);
        assert_non_null(document);
        g_autofree char *markdown = layout_document_to_markdown(document, NULL);
        if (cases[i].markdown != NULL && strstr(markdown, cases[i].markdown) == NULL)
            fail_msg("%s: %s", cases[i].name, markdown);
        /* what was written is read as what it was */
        g_autofree char *again_path = g_build_filename(folder, "again.md", NULL);
        assert_true(g_file_set_contents(again_path, markdown, -1, NULL));
        g_autoptr(lode_document) again = layout_document_open(again_path, NULL, NULL);
        g_autofree char *before = layout_document_to_text(document, NULL);
        g_autofree char *after = layout_document_to_text(again, NULL);
        if (strstr(markdown, "<del>") == NULL) assert_string_equal(before, after);
        g_autofree char *json = layout_document_to_json(document);
        g_autoptr(lode_document) read = layout_document_from_json(json, strlen(json), NULL);
        assert_non_null(read);
        assert_int_equal(read->n_spans, document->n_spans);
        for (guint k = 0; k < read->n_spans; k++)
            assert_int_equal(read->spans[k].flags, document->spans[k].flags);
        g_remove(path);
        g_remove(again_path);
    }
    assert_int_equal(g_rmdir(folder), 0);
}

static gboolean
warns_of(const lode_document *document, const char *words)
{
    for (guint i = 0; i < document->n_warnings; i++)
        if (strstr(document->warnings[i].message, words) != NULL) return TRUE;
    return FALSE;
}

/* \includegraphics of a PDF: its first page as a picture; one that is none is told of, and what stands beside it taken. */
static void
pictures_that_are_pdfs_are_drawn(void **state)
{
    (void)state;
    static const char pdf[] =
        "%PDF-1.4\n1 0 obj <</Type/Catalog/Pages 2 0 R>> endobj\n"
        "2 0 obj <</Type/Pages/Kids[3 0 R]/Count 1>> endobj\n"
        "3 0 obj <</Type/Page/Parent 2 0 R/MediaBox[0 0 72 36]/Contents 4 0 R>> endobj\n"
        "4 0 obj <</Length 17>> stream\n1 0 0 rg 0 0 36 36 re f\nendstream endobj\n"
        "trailer <</Root 1 0 R>>\n";
    static const char tex[] =
        "\\begin{document}Text.\n"
        "\\begin{figure}\\includegraphics{plot}\\caption{A plot.}\\end{figure}\n"
        "\\begin{figure}\\includegraphics{torn}\\caption{Torn.}\\end{figure}\n"
        "\\end{document}";
    g_autofree char *folder = g_dir_make_tmp("lode-pictures-XXXXXX", NULL);
    g_autofree char *source = g_build_filename(folder, "a.tex", NULL);
    g_autofree char *plot = g_build_filename(folder, "plot.pdf", NULL);
    g_autofree char *torn = g_build_filename(folder, "torn.pdf", NULL);
    g_autofree char *out = g_build_filename(folder, "out", NULL);
    g_autofree char *drawn = g_build_filename(out, "figure-1.png", NULL);
    assert_true(g_file_set_contents(source, tex, -1, NULL));
    assert_true(g_file_set_contents(plot, pdf, -1, NULL));
    assert_true(g_file_set_contents(torn, "%PDF-1.4 and no more", -1, NULL));
    g_autoptr(GError) error = NULL;
    g_autoptr(lode_document) document = layout_document_open(source, NULL, &error);
    assert_non_null(document);
    assert_int_equal(document->n_figures, 2);
    assert_string_equal(document->figures[0].image, "figure-1.png");
    assert_null(document->figures[1].image);
    assert_true(warns_of(document, "\\includegraphics{torn.pdf}: not drawn: torn.pdf"));
    assert_true(layout_document_write_images(document, source, NULL, out, NULL, &error));
    g_autofree char *bytes = NULL;
    gsize len = 0;
    assert_true(g_file_get_contents(drawn, &bytes, &len, NULL));
    assert_true(len > 24 && memcmp(bytes, "\x89PNG", 4) == 0);
    /* 72 by 36 points at 200 dpi, in the header's big-endian numbers */
    assert_int_equal(((guint8)bytes[18] << 8) + (guint8)bytes[19], 200);
    assert_int_equal(((guint8)bytes[22] << 8) + (guint8)bytes[23], 100);
    g_remove(drawn), g_remove(source), g_remove(plot), g_remove(torn);
    assert_int_equal(g_rmdir(out), 0);
    assert_int_equal(g_rmdir(folder), 0);
}

static void
lists_of_latex_are_labelled_as_they_are_printed(void **state)
{
    (void)state;
    static const struct {
        const char *option, *markers[3];
    } cases[] = {{"", {"1.", "2.", "3."}},
                 {"[label=(\\alph*)]", {"(a)", "(b)", "(c)"}},
                 {"[leftmargin=*, label={\\textbf{\\Roman*},}, start=9]", {"IX,", "X,", "XI,"}},
                 {"[label=\\arabic{enumi})]", {"1)", "2)", "3)"}},
                 {"[start=26,label=\\Alph*:]", {"Z:", "AA:", "BB:"}},
                 {"[(i)]", {"(i)", "(ii)", "(iii)"}},
                 {"[{Ai} 1.]", {"Ai 1.", "Ai 2.", "Ai 3."}},
                 {"[leftmargin=3pt]", {"1.", "2.", "3."}},
                 {"[label={a very long label \\arabic*}]", {"1.", "2.", "3."}}};
    g_autofree char *folder = g_dir_make_tmp("lode-labels-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "a.tex", NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *tex = g_strdup_printf(
            "\\begin{document}\\begin{enumerate}%s\\item One\\item Two\\item Three\n"
            "\\end{enumerate}\\end{document}",
            cases[i].option);
        assert_true(g_file_set_contents(path, tex, -1, NULL));
        g_autoptr(lode_document) document = layout_document_open(path, NULL, NULL);
        assert_non_null(document);
        assert_int_equal(document->n_blocks, 3);
        for (guint k = 0; k < 3; k++) {
            assert_int_equal(document->blocks[k].type, LAYOUT_BLOCK_LIST_ITEM);
            assert_string_equal(document->blocks[k].marker, cases[i].markers[k]);
        }
    }
    g_remove(path);
    assert_int_equal(g_rmdir(folder), 0);
}

static void
lists_of_latex_in_lists_count_in_other_signs(void **state)
{
    (void)state;
    static const char *const markers[] = {"1.", "2.",  "(a)", "(b)", "\xE2\x80\xA2",
                                          "i.", "ii.", "A.",  "A.",  "3."};
    static const char tex[] =
        "\\begin{document}\\begin{enumerate}\\item One\\item Two\n"
        "\\begin{enumerate}\\item Three\\item Four\\begin{itemize}\\item Five\n"
        "\\begin{enumerate}\\item Six\\item Seven\n"
        "\\begin{enumerate}\\item Eight\\begin{enumerate}\\item "
        "Nine\\end{enumerate}\\end{enumerate}\n"
        "\\end{enumerate}\\end{itemize}\\end{enumerate}\\item Ten\n"
        "\\end{enumerate}\\end{document}";
    g_autofree char *folder = g_dir_make_tmp("lode-labels-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "a.tex", NULL);
    assert_true(g_file_set_contents(path, tex, -1, NULL));
    g_autoptr(lode_document) document = layout_document_open(path, NULL, NULL);
    assert_non_null(document);
    assert_int_equal(document->n_blocks, G_N_ELEMENTS(markers));
    for (guint k = 0; k < document->n_blocks; k++)
        if (k != 4) assert_string_equal(document->blocks[k].marker, markers[k]);
    g_remove(path);
    assert_int_equal(g_rmdir(folder), 0);
}

static void
files_outside_of_the_folder_and_cycles_are_not_followed(void **state)
{
    (void)state;
    g_autoptr(lode_document) document = open_input("source/main.tex");
    assert_true(warns_of(document, "parts/loop}: this file is being read already"));
    assert_true(warns_of(document, "\\input{/etc/passwd}: not read: /etc/passwd.tex: leads out"));
    assert_true(warns_of(document, "../outside.tex: leads out of the document's folder"));
    assert_true(warns_of(document, "\\input{missing}: not read"));
    assert_int_equal(document->n_warnings, 4);
}

static const layout_reference *
reference_titled(const lode_document *d, const char *title)
{
    for (guint i = 0; i < d->n_references; i++)
        if (g_strcmp0(d->references[i].title, title) == 0) return &d->references[i];
    fail_msg("no reference \"%s\"", title);
    return NULL;
}

static void
entries_come_from_the_bib_files_where_no_bbl_is(void **state)
{
    (void)state;
    g_autoptr(lode_document) plain = open_input("bib/plain.tex");
    g_autoptr(lode_document) unsrt = open_input("bib/unsrt.tex");
    g_autoptr(lode_document) years = open_input("bib/years.tex");
    /* only what is called, by name or as called; with \nocite{*} all there is */
    assert_int_equal(plain->n_references, 5);
    assert_int_equal(unsrt->n_references, 5);
    assert_int_equal(years->n_references, 7);
    assert_string_equal(plain->references[1].title, "On peat");
    assert_string_equal(unsrt->references[0].title, "Lake levels: 100% of a $\\alpha$-model");
    assert_string_equal(unsrt->references[3].title, "A page without people");
    const layout_reference *lake = &unsrt->references[0];
    assert_int_equal(lake->kind, LAYOUT_REFERENCE_ARTICLE);
    assert_string_equal(lake->venue, "Water Resources Research");
    assert_string_equal(lake->pages, "45-67");
    assert_string_equal(lake->doi, "10.5555/made.up.7");
    assert_int_equal(lake->n_names, 3);
    assert_string_equal(unsrt->names[lake->first_name + 1].family, "van der Berg");
    assert_string_equal(unsrt->names[lake->first_name + 1].given, "Ludwig");
    const layout_reference *drains = reference_titled(unsrt, "Drains & dykes");
    assert_string_equal(drains->venue, "Proceedings of the Dyke Days");
    assert_string_equal(drains->year, "2009");
    assert_string_equal(reference_titled(unsrt, "A note")->arxiv, "1101.00001");
    assert_true(reference_titled(unsrt, "A note")->et_al);
    /* calls lead to them, also those behind the list; one entry that is nowhere leads nowhere */
    assert_int_equal(plain->n_citations, 5);
    assert_int_equal(years->n_citations, 2);
    g_autoptr(lode_document) broken = open_input("bib/broken.tex");
    assert_true(warns_of(broken, "broken.bib: line 2"));
    assert_int_equal(broken->n_references, 1);
}

static void
damaged_xml_is_kept_up_to_the_damage(void **state)
{
    (void)state;
    g_autoptr(lode_document) document = open_input("cut_short.xml");
    assert_true(warns_of(document, "damaged XML"));
    g_autofree char *text = layout_document_to_text(document, NULL);
    assert_non_null(strstr(text, "Samples were made as before"));
}

static void
tags_of_an_article_say_what_it_cites(void **state)
{
    (void)state;
    g_autoptr(lode_document) d = open_input("article.xml");
    assert_string_equal(d->meta.doi, "10.5555/made.up.1");
    assert_string_equal(d->meta.year, "2021");
    assert_string_equal(d->meta.authors[0], "Ada B. Marsh");
    assert_string_equal(d->meta.authors[1], "The Ceria Group");
    assert_int_equal(d->n_references, 2);
    const layout_reference *hall = &d->references[0];
    assert_string_equal(hall->title, "Base flow recessions");
    assert_string_equal(hall->venue, "Water Resources Research");
    assert_string_equal(hall->pages, "973-983");
    assert_string_equal(d->names[hall->first_name].family, "Hall");
    assert_int_equal(d->references[1].kind, LAYOUT_REFERENCE_BOOK);
    assert_string_equal(d->references[1].title, "A book of oxides");
    assert_int_equal(d->n_citations, 2);
    for (guint i = 0; i < 2; i++) {
        const layout_citation *c = &d->citations[i];
        assert_int_equal(c->reference, (int)i);
        assert_memory_equal(d->blocks[c->block].text + c->start, "1, 2", 4);
    }
    assert_int_equal(d->n_tables, 2);
    assert_int_equal(d->tables[0].n_header_rows, 2);
    assert_int_equal(d->tables[1].n_cols, 2);
    assert_string_equal(d->formulas[0].latex, "k = A e^{-E/RT}");
    assert_string_equal(d->formulas[0].number, "1");
}

static void
an_archive_gives_its_documents_in_their_order(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) members = layout_archive_members(INPUTS "papers.zip", &error);
    assert_null(error);
    assert_int_equal(members->len, 2); /* its README is none */
    assert_string_equal(members->pdata[0], INPUTS "papers.zip!/a/paper.md");
    assert_string_equal(members->pdata[1], INPUTS "papers.zip!/article.xml");
    assert_null(layout_archive_members(INPUTS "source.tar.gz", &error)); /* one document */
    assert_null(error);
    assert_null(layout_archive_members(INPUTS "paper.md", &error));
    assert_null(error);
    assert_null(layout_archive_members(INPUTS "locked.zip", &error));
    assert_int_equal(error->code, LAYOUT_ERROR_PASSWORD);
}

static void
a_line_of_fifty_megabytes_is_read_in_pieces(void **state)
{
    (void)state;
    const gsize size = 50 << 20;
    g_autofree char *text = g_malloc(size);
    for (gsize i = 0; i < size; i++)
        text[i] = i % 7 == 6 ? ' ' : (char)('a' + i % 7);
    assert_true(g_file_set_contents("long_line.txt", text, (gssize)size, NULL));
    g_autoptr(GError) error = NULL;
    g_autoptr(lode_document) document = layout_document_open("long_line.txt", NULL, &error);
    g_unlink("long_line.txt");
    assert_null(error);
    assert_true(document->n_blocks > 1000);
    gsize n = 0;
    for (guint i = 0; i < document->n_blocks; i++) {
        assert_true(document->blocks[i].text_len <= 32768);
        n += document->blocks[i].text_len + 1;
    }
    assert_true(n >= size - 1 && n <= size + document->n_blocks);
}

int
main(int argc, char **argv)
{
    update = argc > 1 && strcmp(argv[1], "--update") == 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_is_read_as_what_it_is),
        cmocka_unit_test(hostile_inputs_are_refused_with_a_reason),
        cmocka_unit_test(pictures_that_are_pdfs_are_drawn),
        cmocka_unit_test(lists_of_latex_are_labelled_as_they_are_printed),
        cmocka_unit_test(lists_of_latex_in_lists_count_in_other_signs),
        cmocka_unit_test(files_outside_of_the_folder_and_cycles_are_not_followed),
        cmocka_unit_test(old_encodings_are_told_by_their_bytes),
        cmocka_unit_test(what_is_struck_out_stays_struck_out),
        cmocka_unit_test(entries_come_from_the_bib_files_where_no_bbl_is),
        cmocka_unit_test(damaged_xml_is_kept_up_to_the_damage),
        cmocka_unit_test(tags_of_an_article_say_what_it_cites),
        cmocka_unit_test(an_archive_gives_its_documents_in_their_order),
        cmocka_unit_test(a_line_of_fifty_megabytes_is_read_in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

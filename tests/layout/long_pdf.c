#include "long_pdf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    GString *out;
    GArray *offsets; /* gsize, by object number - 1 */
} writer;

static void
object_begin(writer *w, guint number)
{
    g_array_index(w->offsets, gsize, number - 1) = w->out->len;
    g_string_append_printf(w->out, "%u 0 obj\n", number);
}

/* Forty lines of text, a heading on some pages, a running header, a page number, a table's rules. */
static char *
page_content(guint page)
{
    GString *text = g_string_new("BT /F1 9 Tf 72 760 Td (The levels of lakes) Tj ET\n");
    if (page % 4 == 0)
        g_string_append_printf(text, "BT /F1 14 Tf 72 735 Td (%u Section of the lake) Tj ET\n",
                               page / 4 + 1);
    for (guint line = 0; line < 40; line++)
        g_string_append_printf(text,
                               "BT /F1 10 Tf 72 %u Td (line %u of page %u says how deep the "
                               "water stood in the spring of year %u.) Tj ET\n",
                               700 - 14 * line, line, page, 1000 + page * 7 % 900);
    if (page % 3 == 1)
        for (guint r = 0; r < 3; r++)
            g_string_append_printf(text, "72 %u m 300 %u l S\n", 120 - 20 * r, 120 - 20 * r);
    g_string_append_printf(text, "BT /F1 10 Tf 300 40 Td (%u) Tj ET\n", page + 1);
    return g_string_free(text, FALSE);
}

static void
page_write(writer *w, const long_pdf *pdf, guint page, guint number)
{
    gboolean failing = (int)page == pdf->failing_page;
    g_autofree char *content = page_content(page);
    object_begin(w, number);
    g_string_append_printf(w->out,
                           "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %s 792] /Contents %u 0 R "
                           "/Resources << /Font << /F1 %u 0 R >> >> >>\nendobj\n",
                           failing ? "900000" : "612", number + 1, pdf->own_fonts ? number + 2 : 3);
    if ((int)page == pdf->damaged_page) g_array_index(w->offsets, gsize, number) = 9;
    gsize kept = g_array_index(w->offsets, gsize, number);
    object_begin(w, number + 1);
    if ((int)page == pdf->damaged_page) g_array_index(w->offsets, gsize, number) = kept;
    g_string_append_printf(w->out, "<< /Length %zu >>\nstream\n%s\nendstream\nendobj\n",
                           strlen(content), content);
    object_begin(w, number + 2);
    g_string_append(w->out, "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>\nendobj\n");
}

char *
long_pdf_write(const long_pdf *pdf)
{
    const guint n_objects = 3 + 3 * pdf->n_pages;
    writer w = {g_string_new("%PDF-1.5\n"), g_array_new(FALSE, TRUE, sizeof(gsize))};
    g_array_set_size(w.offsets, n_objects);
    object_begin(&w, 1);
    g_string_append(w.out, "<< /Type /Catalog /Pages 2 0 R >>\nendobj\n");
    object_begin(&w, 2);
    g_string_append_printf(w.out, "<< /Type /Pages /Count %u /Kids [", pdf->n_pages);
    for (guint i = 0; i < pdf->n_pages; i++)
        g_string_append_printf(w.out, "%u 0 R ", 4 + 3 * i);
    g_string_append(w.out, "] >>\nendobj\n");
    object_begin(&w, 3);
    g_string_append(w.out, "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>\nendobj\n");
    for (guint i = 0; i < pdf->n_pages; i++)
        page_write(&w, pdf, i, 4 + 3 * i);
    gsize table = w.out->len;
    g_string_append_printf(w.out, "xref\n0 %u\n0000000000 65535 f \n", n_objects + 1);
    for (guint i = 0; i < n_objects; i++)
        g_string_append_printf(w.out, "%010zu 00000 n \n", g_array_index(w.offsets, gsize, i));
    g_string_append_printf(w.out, "trailer << /Size %u /Root 1 0 R >>\nstartxref\n%zu\n%%%%EOF\n",
                           n_objects + 1, table);
    char *path = NULL;
    int fd = g_file_open_tmp("lode-long-XXXXXX.pdf", &path, NULL);
    assert_true(fd >= 0);
    close(fd);
    assert_true(g_file_set_contents(path, w.out->str, (gssize)w.out->len, NULL));
    g_string_free(w.out, TRUE);
    g_array_unref(w.offsets);
    return path;
}

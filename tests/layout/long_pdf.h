/* A PDF of many pages, written by hand. */
#ifndef LODE_TESTS_LAYOUT_LONG_PDF_H
#define LODE_TESTS_LAYOUT_LONG_PDF_H

#include <glib.h>

typedef struct {
    guint n_pages;
    gboolean own_fonts; /* every page brings its own font object */
    int failing_page;   /* 0-based: larger than any page may be; -1 none */
    int damaged_page; /* its object is not where the table says: the file is rebuilt there; -1 none */
} long_pdf;

/* Writes it to a new file in the folder for temporary files; free with g_free after g_unlink. */
char *long_pdf_write(const long_pdf *pdf);

#endif

#include "every_document.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

/* Those of names, NULL-terminated, in tests/data. */
static void
open_all(const char *const *names,
         void (*check)(const char *name, const char *path, const lode_document *document))
{
    for (; *names != NULL; names++) {
        g_autofree char *path = g_build_filename(LODE_TEST_DATA, *names, NULL);
        g_autoptr(GError) error = NULL;
        g_autoptr(lode_document) document = layout_document_open(path, NULL, &error);
        if (document == NULL) fail_msg("%s", error->message);
        check(*names, path, document);
    }
}

void
every_document_without_paper(void (*check)(const char *name, const char *path,
                                           const lode_document *document))
{
    static const char *const names[] = {"readers/paper.docx",
                                        "readers/slides.pptx",
                                        "readers/depths.xlsx",
                                        "readers/letters.odt",
                                        "readers/book.epub",
                                        "readers/page.html",
                                        NULL};
    open_all(names, check);
}

void
every_document(void (*check)(const char *name, const char *path, const lode_document *document))
{
    static const char *const folders[] = {"papers", "cases"};
    guint n = 0;
    for (guint f = 0; f < G_N_ELEMENTS(folders); f++) {
        g_autofree char *folder = g_build_filename(LODE_TEST_DATA, folders[f], NULL);
        g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
        assert_non_null(dir);
        for (const char *name; (name = g_dir_read_name(dir)) != NULL;) {
            if (!g_str_has_suffix(name, ".pdf")) continue;
            g_autofree char *path = g_build_filename(folder, name, NULL);
            g_autoptr(GError) error = NULL;
            g_autoptr(lode_document) document = layout_document_open(path, NULL, &error);
            if (document == NULL) fail_msg("%s", error->message);
            check(name, path, document);
            n++;
        }
    }
    assert_true(n >= 4);
}

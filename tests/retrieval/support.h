/* What the tests of retrieval share: documents made by hand, an embedder without a model, folders. */
#ifndef LODE_TESTS_RETRIEVAL_SUPPORT_H
#define LODE_TESTS_RETRIEVAL_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <glib.h>

#include "layout/layout.h"
#include "retrieval/library.h"

#define FAKE_DIMS 48

/* Words hashed into FAKE_DIMS buckets: texts that share words are near. */
gboolean fake_embed(void *user_data, const char *const *texts, size_t n, float *out,
                    const int *cancel, GError **error);
extern const retrieval_embedder fake_embedder, no_embedder;

/* Opens or fails the test. */
retrieval_library *open_library(const char *dir, retrieval_open_mode mode,
                                const retrieval_embedder *embedder);

/* An empty folder under the working folder; free with g_free. remove_folder deletes flat folders. */
char *make_folder(const char *name);
void remove_folder(const char *dir);

/* For tests with a library of their own: a new folder for every test, and its library opened in it. */
extern char *folder;
int setup_folder(void **state);
int teardown_folder(void **state);
retrieval_library *open_writer(void);
retrieval_library *open_reader(void);

/* A block with one printed line per 60 bytes, on consecutive lines of a page, 50 lines a page. */
typedef struct {
    layout_builder *builder;
    int n_lines, n_pages;
} writer;

writer writer_start(void);
int writer_add(writer *w, layout_block_type type, int level, const char *text);
lode_document *writer_finish(writer *w, const char *title, const char *sha256);

/* A document of headings, paragraphs, lists, formulas, tables, captions and references; the same for the
 * same seed. */
lode_document *random_document(guint32 seed);

/* n words, the same for the same seed; ends with a full stop. Free with g_free. */
char *random_sentence(GRand *rand, guint n);

/* Passages "p00007" (from .. to-1) of random_sentence, seeded with from, in one transaction; no commit. */
void add_sentences(retrieval_library *library, int from, int to);

/* Fails the test with the error's message. */
void check_no_error(GError *error, const char *file, int line);
#define assert_no_error(error) check_no_error((error), __FILE__, __LINE__)

/* What verifying the library finds wrong with it. */
guint count_problems(retrieval_library *library);

#endif

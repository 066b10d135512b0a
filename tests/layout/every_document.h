/* The documents that properties are tested on: the golden papers and every case of tests/data/cases. */
#ifndef LODE_TEST_EVERY_DOCUMENT_H
#define LODE_TEST_EVERY_DOCUMENT_H

#include "layout/layout.h"

/* Calls check with each; name is for messages. Fails the test where one does not open or there are none. */
void every_document(void (*check)(const char *name, const char *path,
                                  const lode_document *document));

/* The same for office files, a book and a saved page. */
void every_document_without_paper(void (*check)(const char *name, const char *path,
                                                const lode_document *document));

#endif

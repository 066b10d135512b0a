/* Recognised pages of a document in work, kept on disk: a run that was killed goes on where it stood. */
#ifndef LODE_PIPELINES_OCR_STORE_H
#define LODE_PIPELINES_OCR_STORE_H

#include <glib.h>

#include "parse/parse.h"

typedef struct pipelines_ocr_store pipelines_ocr_store;

/* DIR/.ocr-pages, for the document source; neither is touched before a page is recognised. Without a file (no room,
 * or another process has it) there is nothing kept, and nothing else changes. Locked inside. */
pipelines_ocr_store *pipelines_ocr_store_new(const char *dir, const char *source);
/* What parse calls; lives as long as the store. */
const parse_ocr_store *pipelines_ocr_store_calls(const pipelines_ocr_store *store);
/* done: the document's outputs are written, and the file goes. NULL is fine. */
void pipelines_ocr_store_free(pipelines_ocr_store *store, gboolean done);

#endif

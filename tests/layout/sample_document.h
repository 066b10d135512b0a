/* A small document with one of everything, made by hand: for the tests of the writers. */
#ifndef LODE_TESTS_LAYOUT_SAMPLE_DOCUMENT_H
#define LODE_TESTS_LAYOUT_SAMPLE_DOCUMENT_H

#include "layout/layout.h"

/* Free with lode_document_free. Two pages; see the .c for what is where. */
lode_document *sample_document(void);

/* Add a block of plain text with one box and one line over all of it; its index. */
int sample_add(layout_builder *builder, layout_block_type type, const char *text, int page,
               float y);

/* A builder with n_pages pages of 600 by 800 points. */
layout_builder *sample_builder(int n_pages);

/* The span of the first occurrence of part in text. */
layout_span sample_span(const char *text, const char *part, guint flags, const char *target);

/* Markdown of a document with one block of this text and these spans, without its last line end. */
char *sample_markdown(layout_block_type type, const char *text, const layout_span *spans,
                      guint n_spans);

#endif

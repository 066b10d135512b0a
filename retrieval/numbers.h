/* numbers: whole numbers as bytes: little-endian base 128, seven bits a byte, zigzag coded (0, -1, 1, -2, ...). */
#ifndef LODE_RETRIEVAL_NUMBERS_H
#define LODE_RETRIEVAL_NUMBERS_H

#include <glib.h>
#include <stdint.h>

void retrieval_put_number(GByteArray *bytes, int64_t value);

typedef struct {
    const guint8 *at, *end;
    gboolean failed; /* once it is, numbers are 0 */
} retrieval_number_reader;

int64_t retrieval_get_number(retrieval_number_reader *reader);
/* The number as its difference to expected; failed, and low, when it is outside of low .. high. */
int64_t retrieval_get_number_in(retrieval_number_reader *reader, int64_t expected, int64_t low,
                                int64_t high);

#endif

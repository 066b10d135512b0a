/* Numbers in as few bytes as they need; see numbers.h. */
#include "retrieval/numbers.h"

void
retrieval_put_number(GByteArray *bytes, int64_t value)
{
    uint64_t rest = ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
    do {
        guint8 byte = (guint8)(rest & 0x7f);
        rest >>= 7;
        if (rest) byte |= 0x80;
        g_byte_array_append(bytes, &byte, 1);
    } while (rest);
}

int64_t
retrieval_get_number(retrieval_number_reader *r)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 64 && r->at < r->end; shift += 7) {
        const guint8 byte = *r->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
    }
    r->failed = TRUE;
    return 0;
}

int64_t
retrieval_get_number_in(retrieval_number_reader *r, int64_t expected, int64_t low, int64_t high)
{
    const int64_t difference = retrieval_get_number(r);
    if (difference < low - expected || difference > high - expected) {
        r->failed = TRUE;
        return low;
    }
    return expected + difference;
}

/* words_private: the file's form, shared by words.c (reading) and words_build.c (writing). */
#ifndef LODE_RETRIEVAL_WORDS_PRIVATE_H
#define LODE_RETRIEVAL_WORDS_PRIVATE_H

#include "retrieval/words.h"

#define WORDS_MAGIC   UINT64_C(0x3273647265646f6c) /* "loderds2" */
#define WORDS_PAD     16  /* zeros behind the postings: readers look ahead */
#define WORDS_MAX_LEN 512 /* bytes of a word, and one more */
#define WORDS_STEP    16  /* words of a step */
#define WORDS_MAX_F   255 /* how often a word counts at most */
#define WORDS_RICES   32  /* parameters of numbers are below; three of them make one number */
#define RICE_ESCAPE   24  /* ones, then the distance in 32 bits */
#define LENGTHS_BLOCK 64  /* lengths packed together */

typedef struct {
    uint64_t magic;
    uint64_t n_postings_bytes, n_vocabulary_bytes, n_words, n_chunks, n_tokens;
    int64_t last_id;
    uint64_t checksum; /* of all before it */
} words_trailer;

typedef struct {
    uint64_t vocabulary, postings; /* bytes into each */
} words_step;

struct retrieval_words {
    const uint8_t *bytes; /* mapped, owned */
    size_t n_bytes;
    words_trailer trailer;
    const uint8_t *postings, *vocabulary, *steps; /* in bytes; not aligned */
    uint16_t *lengths;                            /* [last id + 1], unpacked; owned */
};

/* One word of the vocabulary. Those behind a step's first say only how they differ from the one before: a cursor reads
 * them in order, with the entry of the one before. */
typedef struct {
    char text[WORDS_MAX_LEN]; /* [len], not terminated */
    size_t len;
    uint64_t n; /* postings */
    guint rice, run,
        often; /* parameters: of distances, of how many in a row have the word once, and
                              * of how often those between them have it */
    uint64_t start, n_bytes; /* of its postings */
} words_entry;

/* Walks through the vocabulary: begin at 0, 0, 0. FALSE at its end, or where it cannot be read. */
typedef struct {
    uint64_t at, postings;
    guint i; /* words read */
} words_cursor;
gboolean words_next(const retrieval_words *words, words_cursor *cursor, words_entry *entry);

/* Walks through the postings of a word. */
typedef struct {
    const uint8_t *bytes;
    uint64_t at, end; /* bits */
    guint rice, run, often;
    uint64_t left;  /* postings */
    uint64_t once;  /* of them, how many follow that have the word once */
    gboolean begun; /* once is known */
    int64_t id;     /* of the last one, before the first 0 */
    guint f;
} words_postings;
words_postings words_postings_of(const retrieval_words *words, const words_entry *entry);

static inline uint64_t
words_load(const uint8_t *bytes, uint64_t bit)
{
    uint64_t window;
    __builtin_memcpy(&window, bytes + (bit >> 3), sizeof window);
    return GUINT64_FROM_LE(window) >> (bit & 7); /* 57 bits and more */
}

/* A number of the parameter rice: its high part in unary, the low bits behind. */
static inline uint64_t
words_get_rice(words_postings *p, guint rice)
{
    const uint64_t window = words_load(p->bytes, p->at);
    const guint ones = (guint)__builtin_ctzll(~window | UINT64_C(1) << 56);
    if (ones < RICE_ESCAPE) {
        p->at += ones + 1 + rice;
        return (uint64_t)ones << rice | (window >> (ones + 1) & ((UINT64_C(1) << rice) - 1));
    }
    p->at += RICE_ESCAPE + 32;
    return window >> RICE_ESCAPE & 0xffffffffu;
}

/* FALSE when there are no more, or the stream goes over its end. */
static inline gboolean
words_postings_next(words_postings *p)
{
    if (p->left == 0 || p->at >= p->end) return FALSE;
    p->left--;
    if (!p->begun) {
        p->begun = TRUE;
        p->once = words_get_rice(p, p->run);
        if (p->at >= p->end) return FALSE;
    }
    p->id += (int64_t)words_get_rice(p, p->rice) + 1;
    if (p->once > 0) {
        p->once--;
        p->f = 1;
        return p->at <= p->end;
    }
    if (p->at >= p->end) return FALSE;
    const uint64_t more = words_get_rice(p, p->often);
    p->f = (guint)MIN(more, WORDS_MAX_F - 2) + 2;
    p->begun = FALSE;
    return p->at <= p->end;
}

/* Who walks through all postings has no more use for those before the byte `postings`: let their pages go, which would
 * count as memory of ours. *forgotten begins at 0. */
void words_forget(const retrieval_words *words, uint64_t *forgotten, uint64_t postings);

/* What a posting adds to the digest. */
uint64_t words_posting_digest(const char *word, size_t len, int64_t id, guint f);

/* Lengths [n] as they stand in the file, appended to bytes; and back, FALSE where n_bytes are not just those. */
void words_pack_lengths(GByteArray *bytes, const uint16_t *lengths, size_t n);
gboolean words_unpack_lengths(const uint8_t *bytes, uint64_t n_bytes, uint16_t *lengths, size_t n);

#endif

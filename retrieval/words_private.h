/* words_private: the file's form, shared by words.c (reading) and words_build.c (writing). */
#ifndef LODE_RETRIEVAL_WORDS_PRIVATE_H
#define LODE_RETRIEVAL_WORDS_PRIVATE_H

#include "retrieval/words.h"

#define WORDS_MAGIC  UINT64_C(0x3173647265646f6c) /* "loderds1" */
#define WORDS_PAD    16  /* zeros behind the postings: readers look ahead */
#define WORDS_STEP   16  /* words of a step */
#define WORDS_MAX_F  255 /* how often a word counts at most */
#define RICE_ESCAPE  24  /* ones, then the distance in 32 bits */
#define UNARY_ESCAPE 15  /* ones, then the number in 8 bits */

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
    const uint8_t *postings, *vocabulary, *steps, *lengths; /* in bytes; not aligned */
};

/* One word of the vocabulary. */
typedef struct {
    const char *text; /* [len], not terminated */
    size_t len;
    uint64_t n; /* postings */
    guint rice;
    uint64_t start, n_bytes; /* of its postings */
} words_entry;

/* Walks through the vocabulary: begin at 0, 0. FALSE at its end, or where it cannot be read. */
typedef struct {
    uint64_t at, postings;
} words_cursor;
gboolean words_next(const retrieval_words *words, words_cursor *cursor, words_entry *entry);

/* Walks through the postings of a word. */
typedef struct {
    const uint8_t *bytes;
    uint64_t at, end; /* bits */
    guint rice;
    uint64_t left; /* postings */
    int64_t id;    /* of the last one, before the first 0 */
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

/* FALSE when there are no more, or the stream goes over its end. */
static inline gboolean
words_postings_next(words_postings *p)
{
    if (p->left == 0 || p->at >= p->end) return FALSE;
    p->left--;
    uint64_t window = words_load(p->bytes, p->at);
    const guint ones = (guint)__builtin_ctzll(~window | UINT64_C(1) << 56);
    if (ones < RICE_ESCAPE) {
        const uint64_t low = window >> (ones + 1) & ((UINT64_C(1) << p->rice) - 1);
        p->id += (int64_t)((uint64_t)ones << p->rice | low) + 1;
        p->at += ones + 1 + p->rice;
    } else {
        p->id += (int64_t)(window >> RICE_ESCAPE & 0xffffffffu) + 1;
        p->at += RICE_ESCAPE + 32;
    }
    if (p->at >= p->end) return FALSE;
    window = words_load(p->bytes, p->at);
    const guint more = (guint)__builtin_ctzll(~window | UINT64_C(1) << 56);
    if (more < UNARY_ESCAPE) {
        p->f = more + 1;
        p->at += more + 1;
    } else {
        p->f = (guint)(window >> UNARY_ESCAPE & 0xff);
        p->at += UNARY_ESCAPE + 8;
    }
    return p->at <= p->end;
}

/* Who walks through all postings has no more use for those before the byte `postings`: let their pages go, which would
 * count as memory of ours. *forgotten begins at 0. */
void words_forget(const retrieval_words *words, uint64_t *forgotten, uint64_t postings);

/* What a posting adds to the digest. */
uint64_t words_posting_digest(const char *word, size_t len, int64_t id, guint f);

#endif

/* words: the full-text index of a large library, in a file of its own.
 *
 * FTS5 takes some 550 bytes for a passage of a hundred words and reads posting lists row by row. What is in here takes
 * about 105 and is read at 5 ns a posting, so that every word of a question counts in every passage. It is made from
 * passages by the thousand and never changed: retrieval_words_write makes the next one of the last and what came since.
 *
 *     postings     word by word, a stream of bits: how many passages follow that have the word once; for each of them,
 *                  and for the one behind them, the distance to the id before it less one; behind that one's, how often
 *                  it has the word, less two; and so on. Numbers are Rice coded (Rice and Plaunt, IEEE Trans. Comm. 19,
 *                  1971; parameters by word). Most words are there once: a bit for each would be a tenth of
 *                  the file
 *     vocabulary   words in order: bytes in common with the word before (none for a step's first), bytes that follow,
 *                  these, passages, parameters, bytes of postings; numbers in base 128
 *     steps        every 16th word: where it and its postings begin
 *     lengths      words of passages 0 .. last id, 64 in a block: bits of each (and 128 where one is not in here),
 *                  the smallest (uint16), then what each is above it; in a block with gaps one more, and 0 is a gap
 *     trailer
 *
 * Host byte order. A checksum over all of it finds damage, not malice; what is read is checked against the file's
 * bounds all the same. */
#ifndef LODE_RETRIEVAL_WORDS_H
#define LODE_RETRIEVAL_WORDS_H

#include <glib.h>
#include <stdint.h>

typedef struct retrieval_words
    retrieval_words; /* immutable, counted: any number of threads may read it */

retrieval_words *retrieval_words_open(const char *path, GError **error);
retrieval_words *retrieval_words_ref(retrieval_words *words);
void retrieval_words_unref(retrieval_words *words); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(retrieval_words, retrieval_words_unref)

uint64_t retrieval_words_n_chunks(const retrieval_words *words);
uint64_t retrieval_words_n_tokens(const retrieval_words *words); /* of all chunks */
int64_t retrieval_words_last_id(const retrieval_words *words);
/* Chunks that have the word. */
uint64_t retrieval_words_count(const retrieval_words *words, const char *word);
/* A sum over the postings of the chunks for which keep holds, in any order; FALSE with error for a file that cannot be
 * read through. retrieval_words_builder_digest gives the same for the same chunks. */
gboolean retrieval_words_digest(const retrieval_words *words,
                                gboolean (*keep)(int64_t id, void *user_data), void *user_data,
                                uint64_t *digest, GError **error);

typedef struct {
    int64_t id;
    double score;
} retrieval_words_match;

typedef struct {
    const char *const *words; /* [n] */
    const double *idf;        /* [n] what a word counts for: fulltext.h */
    size_t n;
    double mean_length;                              /* of a chunk, in words */
    gboolean (*wanted)(int64_t id, void *user_data); /* NULL: all are */
    void *user_data;
} retrieval_words_query;

/* The n_best by BM25, appended to matches (GArray of retrieval_words_match): best first, ties by id. */
void retrieval_words_rank(const retrieval_words *words, const retrieval_words_query *query,
                          guint n_best, GArray *matches);

/* ---- making one ---- */

typedef struct retrieval_words_builder retrieval_words_builder;

retrieval_words_builder *retrieval_words_builder_new(void);
void retrieval_words_builder_free(retrieval_words_builder *builder); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(retrieval_words_builder, retrieval_words_builder_free)
/* ids 1 .. G_MAXINT32, rising. */
void retrieval_words_builder_add(retrieval_words_builder *builder, int64_t id, const char *title,
                                 const char *section, const char *text);
uint64_t retrieval_words_builder_digest(retrieval_words_builder *builder);

/* The chunks of old for which keep holds (NULL: none, none) and those of the builder, which no kept one is, into a file
 * that is on disk, whole, when this returns TRUE: written beside path, then renamed. */
gboolean retrieval_words_write(const retrieval_words *old,
                               gboolean (*keep)(int64_t id, void *user_data), void *user_data,
                               retrieval_words_builder *builder, const char *path, GError **error);

#endif

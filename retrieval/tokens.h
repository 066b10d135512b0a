/* tokens: text -> the words by which the full-text index knows it. */
#ifndef LODE_RETRIEVAL_TOKENS_H
#define LODE_RETRIEVAL_TOKENS_H

#include <glib.h>
#include <sqlite3.h>
#include <stdint.h>

/* Changes whenever the same text would give other words: then an index must be made anew. */
#define RETRIEVAL_TOKENIZER_VERSION "lode-science-1"

typedef struct {
    const char *text; /* the word: folded, stemmed; not terminated */
    size_t len;
    size_t start, end;     /* bytes of the text that it stands for */
    gboolean is_colocated; /* another form of what the token before it ends with */
    const char *plain;     /* folded, not stemmed; not terminated */
    size_t plain_len;
} retrieval_token;

/* FALSE stops. */
typedef gboolean (*retrieval_token_func)(const retrieval_token *token, void *user_data);

/* text [len], any bytes. */
void retrieval_tokenize(const char *text, size_t len, retrieval_token_func each, void *user_data);

/* What a connection extends FTS5 by, as long as it lives; NULL: no FTS5. */
fts5_api *retrieval_lookup_fts5(sqlite3 *db);

/* Make the FTS5 tokenizer "lode" known to a connection. In a query a string is one word as retrieval_tokenize
 * gives it. FALSE: no FTS5. */
gboolean retrieval_tokens_register(sqlite3 *db);

#endif

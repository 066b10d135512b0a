/* The bytes of a vocabulary's tokens as a tree. */
#include "engine/vocab_trie.h"

#include "engine/tokenizer_impl.h"

#include <stdlib.h>
#include <string.h>

#define MAX_TOKEN_BYTES 65000

typedef struct {
    const char *bytes;
    uint32_t len;
    int32_t id;
} sorted_token;

static int
compare_tokens(const void *a, const void *b)
{
    const sorted_token *x = a, *y = b;
    const int order = memcmp(x->bytes, y->bytes, MIN(x->len, y->len));
    if (order != 0) return order;
    if (x->len != y->len) return x->len < y->len ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static size_t
common_prefix(const sorted_token *a, const sorted_token *b)
{
    size_t n = 0;
    while (n < a->len && n < b->len && a->bytes[n] == b->bytes[n])
        n++;
    return n;
}

static void
allocate(vocab_trie *trie, const sorted_token *tokens, size_t n)
{
    size_t n_nodes = 1;
    for (size_t i = 0; i < n; i++)
        n_nodes += tokens[i].len - (i > 0 ? common_prefix(&tokens[i - 1], &tokens[i]) : 0);
    trie->byte = g_new0(uint8_t, n_nodes);
    trie->depth = g_new0(uint16_t, n_nodes);
    trie->skip = g_new0(uint32_t, n_nodes);
    trie->first = g_new0(uint32_t, n_nodes + 1);
    trie->ids = g_new0(int32_t, n + 1);
}

/* Nodes at and below `depth` on the current path end here. */
static void
close_nodes(vocab_trie *trie, uint32_t *path, size_t *open, size_t depth)
{
    while (*open > depth)
        trie->skip[path[--*open]] = trie->n_nodes;
}

vocab_trie *
vocab_trie_new(const vocab_token *tokens, size_t n)
{
    vocab_trie *trie = g_new0(vocab_trie, 1);
    g_autofree sorted_token *sorted = g_new(sorted_token, n + 1);
    size_t n_sorted = 0, open = 0;

    for (size_t i = 0; i < n; i++)
        if (tokens[i].bytes && tokens[i].len > 0 && tokens[i].len <= MAX_TOKEN_BYTES)
            sorted[n_sorted++] =
                (sorted_token){tokens[i].bytes, (uint32_t)tokens[i].len, (int32_t)i};
    qsort(sorted, n_sorted, sizeof *sorted, compare_tokens);
    trie->n_tokens = (uint32_t)n;
    trie->n_words = (uint32_t)((n + 63) / 64);
    allocate(trie, sorted, n_sorted);
    g_autofree uint32_t *path = g_new(uint32_t, MAX_TOKEN_BYTES + 1);
    path[open++] = trie->n_nodes++; /* the root */
    for (size_t i = 0; i < n_sorted; i++) {
        const size_t shared = i > 0 ? common_prefix(&sorted[i - 1], &sorted[i]) : 0;
        close_nodes(trie, path, &open, shared + 1);
        for (size_t at = shared; at < sorted[i].len; at++) {
            const uint32_t node = trie->n_nodes++;
            trie->byte[node] = (uint8_t)sorted[i].bytes[at];
            trie->depth[node] = (uint16_t)(at + 1);
            trie->first[node] = (uint32_t)i; /* all smaller tokens end at earlier nodes */
            path[open++] = node;
        }
        trie->ids[i] = sorted[i].id;
        trie->max_depth = MAX(trie->max_depth, sorted[i].len);
    }
    close_nodes(trie, path, &open, 0);
    trie->first[trie->n_nodes] = (uint32_t)n_sorted;
    return trie;
}

void
vocab_trie_free(vocab_trie *trie)
{
    if (!trie) return;
    g_free(trie->byte);
    g_free(trie->depth);
    g_free(trie->skip);
    g_free(trie->first);
    g_free(trie->ids);
    g_free(trie);
}

const vocab_trie *
engine_tokenizer_trie(const engine_tokenizer *tokenizer)
{
    static GMutex lock;
    engine_tokenizer *owner = (engine_tokenizer *)(void *)tokenizer; /* a cache, guarded here */
    g_mutex_lock(&lock);
    if (!owner->trie) {
        const size_t n = engine_tokenizer_n_vocab(tokenizer);
        g_autofree vocab_token *tokens = g_new0(vocab_token, n + 1);
        for (size_t i = 0; i < n; i++)
            if (!engine_tokenizer_token_bytes(tokenizer, (int32_t)i, &tokens[i].bytes,
                                              &tokens[i].len))
                tokens[i] = (vocab_token){0};
        owner->trie = vocab_trie_new(tokens, n);
    }
    g_mutex_unlock(&lock);
    return owner->trie;
}

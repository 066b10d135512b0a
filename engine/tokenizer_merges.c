/* The merges of a byte-level BPE: which two tokens become which third, and in what order.
 *
 * Training appends to the vocabulary what it merges, so in nearly every file merge i makes token first + i. Then the
 * list is not entered anywhere: of two tokens, the one with both texts says by its id which merge could have made it,
 * and `cuts` whether it was these two. A vocabulary of 150,000 loads in a third of the time. Other lists, and those
 * that follow from scores, are a table from pairs of ids. */
#include "engine/tokenizer_impl.h"

#include <string.h>

#define MERGES_AT_ONCE 32

static const tokenizer_merge NONE = {0, UINT32_MAX, TOKENIZER_NO_ID};

static uint64_t
pair_of(int32_t left, int32_t right)
{
    return (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
}

/* ---- the table -------------------------------------------------------------------------------- */

static size_t
home_slot(const tokenizer_bpe *bpe, uint64_t pair)
{
    const uint64_t h = pair * 0x9e3779b97f4a7c15u;
    return (size_t)(h ^ h >> 32) & (bpe->n_slots - 1);
}

static tokenizer_merge *
merge_slot(const tokenizer_bpe *bpe, uint64_t pair)
{
    size_t slot = home_slot(bpe, pair);
    while (bpe->merges[slot].rank != UINT32_MAX && bpe->merges[slot].pair != pair)
        slot = (slot + 1) & (bpe->n_slots - 1);
    return &bpe->merges[slot];
}

static void
grow_table(tokenizer_bpe *bpe, size_t n_slots)
{
    tokenizer_merge *old = bpe->merges;
    const size_t n_old = old ? bpe->n_slots : 0;
    bpe->n_slots = n_slots;
    bpe->merges = g_new(tokenizer_merge, n_slots);
    for (size_t i = 0; i < n_slots; i++)
        bpe->merges[i] = NONE;
    for (size_t i = 0; i < n_old; i++)
        if (old[i].rank != UINT32_MAX) *merge_slot(bpe, old[i].pair) = old[i];
    g_free(old);
}

void
tokenizer_bpe_add_merge(tokenizer_bpe *bpe, int32_t left, int32_t right, uint32_t rank,
                        int32_t merged)
{
    if (!bpe->merges) grow_table(bpe, 64);
    tokenizer_merge *slot = merge_slot(bpe, pair_of(left, right));
    if (slot->rank != UINT32_MAX) return;
    *slot = (tokenizer_merge){pair_of(left, right), rank, merged};
    bpe->n_merges++;
    if (bpe->n_merges + bpe->n_merges / 2 > bpe->n_slots) grow_table(bpe, bpe->n_slots * 2);
}

/* ---- reading the list ------------------------------------------------------------------------- */

/* A merge's parts on their way to ids. */
typedef struct {
    char *bytes; /* left and right, one behind the other: what they merge to */
    size_t n_left, n;
    uint64_t left, right; /* hashes */
    int32_t left_id, right_id, merged;
} merge_text;

/* "left right" to the bytes of both; FALSE when it is not that, in the alphabet. bytes: room for merge->len. */
static gboolean
read_merge(const engine_bytes *merge, char *bytes, merge_text *out)
{
    /* the only blank, but for a pair of them in a damaged file */
    const char *blank = merge->len > 2 ? memchr(merge->data + 1, ' ', merge->len - 2) : NULL;

    if (!blank) return FALSE;
    const size_t left = (size_t)(blank - merge->data);
    const gssize n_left = tokenizer_bpe_unmap(merge->data, left, bytes);
    if (n_left < 0) return FALSE;
    const gssize n_right = tokenizer_bpe_unmap(blank + 1, merge->len - left - 1, bytes + n_left);
    if (n_right < 0) return FALSE;
    *out = (merge_text){.bytes = bytes, .n_left = (size_t)n_left, .n = (size_t)(n_left + n_right)};
    return TRUE;
}

/* Token `id` if that is what the merge makes, else -1. */
static int32_t
check_guess(const engine_tokenizer *t, int32_t id, const merge_text *m)
{
    if (id < 0 || (guint)id >= t->tokens->len) return -1;
    const tokenizer_token *token = &g_array_index(t->tokens, tokenizer_token, id);
    return token->type == TOKENIZER_TYPE_NORMAL && token->len == m->n &&
                   memcmp(t->text->str + token->offset, m->bytes, m->n) == 0
               ? id
               : -1;
}

/* The bytes before the blank of "left right" when that without it is token, else 0. */
static size_t
match_merge(const engine_bytes *merge, const engine_bytes *token)
{
    size_t n = 0;

    if (merge->len != token->len + 1) return 0;
    while (n < token->len && merge->data[n] == token->data[n])
        n++;
    return n < token->len && merge->data[n] == ' ' &&
                   memcmp(merge->data + n + 1, token->data + n, token->len - n) == 0
               ? n
               : 0;
}

/* Whether merge i makes token first + i for all i; then it fills cuts. Tokens with one text would make the way
 * back from text to merge a matter of luck. tokens: the vocabulary in GPT-2's alphabet, by id. */
static gboolean
read_in_order(engine_tokenizer *t, const engine_bytes *tokens, const engine_bytes *merges, size_t n)
{
    g_autofree char *bytes = n > 0 ? g_malloc(merges[0].len + 1) : NULL;
    merge_text m;

    if (!bytes || !t->unique || !read_merge(&merges[0], bytes, &m)) return FALSE;
    const int32_t first = tokenizer_map_lookup(&t->map, m.bytes, m.n);
    if (first < 0 || n > t->tokens->len - (guint)first) return FALSE;
    g_autofree uint16_t *cuts = g_new(uint16_t, n);
    for (size_t i = 0; i < n; i++) {
        const size_t id = (size_t)first + i;
        const size_t left = match_merge(&merges[i], &tokens[id]);
        if (left == 0 ||
            g_array_index(t->tokens, tokenizer_token, id).type != TOKENIZER_TYPE_NORMAL)
            return FALSE;
        cuts[i] = (uint16_t)tokenizer_bpe_count(merges[i].data, left);
    }
    t->bpe.first_merged = first;
    t->bpe.n_merges = n;
    t->bpe.cuts = g_steal_pointer(&cuts);
    return TRUE;
}

/* The ids of merges [n]; *next: what the first of them probably makes, moved on. Returns how many were good. */
static size_t
find_ids(const engine_tokenizer *t, merge_text *merges, size_t n, int32_t *next)
{
    for (size_t i = 0; i < n; i++) {
        merge_text *m = &merges[i];
        m->left_id = tokenizer_map_lookup_hashed(&t->map, m->left, m->bytes, m->n_left);
        m->right_id =
            tokenizer_map_lookup_hashed(&t->map, m->right, m->bytes + m->n_left, m->n - m->n_left);
        m->merged = t->unique ? check_guess(t, *next, m) : -1;
        if (m->merged < 0) m->merged = tokenizer_map_lookup(&t->map, m->bytes, m->n);
        if (m->left_id < 0 || m->right_id < 0 || m->merged < 0) return i;
        *next = m->merged + 1;
        __builtin_prefetch(&t->bpe.merges[home_slot(&t->bpe, pair_of(m->left_id, m->right_id))], 1);
    }
    return n;
}

/* A handful at a time: their places in the tables are on the way to the caches while the next ones are read. */
static gboolean
fill_table(engine_tokenizer *t, const engine_bytes *merges, size_t n, size_t *bad)
{
    merge_text read[MERGES_AT_ONCE];
    g_autoptr(GString) bytes = g_string_new(NULL);
    int32_t next = -1;

    for (size_t done = 0; done < n;) {
        const size_t wanted = MIN(n - done, MERGES_AT_ONCE);
        size_t n_bytes = 0, n_read = 0;
        for (size_t i = 0; i < wanted; i++)
            n_bytes += merges[done + i].len; /* parts of one mapping: no overflow */
        g_string_set_size(bytes, n_bytes);
        char *at = bytes->str;
        for (merge_text *m; n_read < wanted; n_read++) {
            m = &read[n_read];
            if (!read_merge(&merges[done + n_read], at, m)) break;
            m->left = tokenizer_hash_on(TOKENIZER_HASH_START, at, m->n_left);
            m->right = tokenizer_hash_on(TOKENIZER_HASH_START, at + m->n_left, m->n - m->n_left);
            tokenizer_map_prefetch(&t->map, m->left);
            tokenizer_map_prefetch(&t->map, m->right);
            at += m->n;
        }
        const size_t n_good = find_ids(t, read, n_read, &next);
        for (size_t i = 0; i < n_good; i++)
            tokenizer_bpe_add_merge(&t->bpe, read[i].left_id, read[i].right_id,
                                    (uint32_t)(done + i), read[i].merged);
        done += n_good;
        *bad = done;
        if (n_good < wanted) return FALSE;
    }
    return TRUE;
}

gboolean
tokenizer_bpe_build(engine_tokenizer *t, const engine_bytes *tokens, const engine_bytes *merges,
                    size_t n, GError **error)
{
    size_t n_slots = 64, bad = 0;

    if (n > TOKENIZER_MAX_VOCAB) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT, "tokenizer: %zu merges", n);
        return FALSE;
    }
    for (unsigned byte = 0; byte < 256; byte++) {
        const char c = (char)byte;
        t->bpe.byte_id[byte] = tokenizer_map_lookup(&t->map, &c, 1);
    }
    if (tokens && read_in_order(t, tokens, merges, n)) return TRUE;
    while (n_slots < n + n / 2)
        n_slots *= 2;
    grow_table(&t->bpe, n_slots);
    if (!fill_table(t, merges, n, &bad)) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                    "tokenizer: merge %zu does not join two tokens to a third", bad);
        return FALSE;
    }
    return TRUE;
}

/* ---- looking up ------------------------------------------------------------------------------- */

static tokenizer_merge
find_in_order(const engine_tokenizer *t, int32_t left, int32_t right)
{
    if (left < 0 || right < 0) return NONE;
    const tokenizer_token *a = &g_array_index(t->tokens, tokenizer_token, left);
    const tokenizer_token *b = &g_array_index(t->tokens, tokenizer_token, right);
    if (a->type != TOKENIZER_TYPE_NORMAL || b->type != TOKENIZER_TYPE_NORMAL) return NONE;
    const int32_t id = tokenizer_map_lookup_joined(&t->map, t->text->str + a->offset, a->len,
                                                   t->text->str + b->offset, b->len);
    const size_t i = (size_t)(int64_t)(id - t->bpe.first_merged); /* huge when it is before them */
    if (id < 0 || i >= t->bpe.n_merges || t->bpe.cuts[i] != a->len) return NONE;
    return (tokenizer_merge){pair_of(left, right), (uint32_t)i, id};
}

tokenizer_merge
tokenizer_bpe_find_merge(const engine_tokenizer *t, int32_t left, int32_t right)
{
    return t->bpe.cuts ? find_in_order(t, left, right) : *merge_slot(&t->bpe, pair_of(left, right));
}

static int
compare_ranks(gconstpointer a, gconstpointer b)
{
    const tokenizer_merge *x = a, *y = b;
    if (x->rank != y->rank) return x->rank < y->rank ? -1 : 1;
    return (x->pair > y->pair) - (x->pair < y->pair);
}

GArray *
tokenizer_bpe_list_merges(const engine_tokenizer *t)
{
    GArray *list = g_array_new(FALSE, FALSE, sizeof(tokenizer_merge));
    const tokenizer_bpe *bpe = &t->bpe;

    for (size_t i = 0; bpe->cuts && i < bpe->n_merges; i++) {
        const int32_t id = bpe->first_merged + (int32_t)i;
        const tokenizer_token *token = &g_array_index(t->tokens, tokenizer_token, id);
        const char *s = t->text->str + token->offset;
        const int32_t left = tokenizer_map_lookup(&t->map, s, bpe->cuts[i]);
        const int32_t right =
            tokenizer_map_lookup(&t->map, s + bpe->cuts[i], (size_t)token->len - bpe->cuts[i]);
        const tokenizer_merge merge = {pair_of(left, right), (uint32_t)i, id};
        if (left >= 0 && right >= 0) g_array_append_val(list, merge);
    }
    for (size_t i = 0; bpe->merges && i < bpe->n_slots; i++)
        if (bpe->merges[i].rank != UINT32_MAX) g_array_append_val(list, bpe->merges[i]);
    g_array_sort(list, compare_ranks);
    return list;
}

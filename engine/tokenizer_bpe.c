/* Byte-level BPE (Sennrich et al., arXiv:1508.07909; bytes as in GPT-2).
 *
 * A piece starts as one symbol per byte. The adjacent pair with the lowest rank (its place in the list of
 * merges) becomes one symbol, the leftmost first among equals, until no pair is in the list. Symbols form
 * a doubly linked list and candidate pairs a binary heap; an entry whose symbols have changed since it
 * was pushed is skipped when it surfaces. O(n log n) for a piece of n bytes, whatever is in it. */
#include "engine/tokenizer_impl.h"

#include <string.h>

typedef struct {
    int32_t id; /* NO_ID: merged into the one before */
    uint32_t prev, next;
} bpe_symbol;

typedef struct {
    uint32_t rank, left; /* order: lowest rank, then leftmost */
    int32_t left_id, right_id, merged;
} bpe_candidate;

#define NO_SYMBOL UINT32_MAX
#define NO_ID     TOKENIZER_NO_ID

#define SHORT_PIECE    32 /* symbols */
#define CACHE_MIN_TEXT 2048
#define CACHE_ENTRIES  ((size_t)1 << 14)
#define CACHE_MAX_KEY  64
#define CACHE_BYTES    ((guint)1 << 20)

/* Longer pieces are cut. Only megabytes without a blank get there; the cut bounds the scratch. */
#define MAX_PIECE_BYTES ((size_t)1 << 20)

/* GPT-2 writes the bytes 33..126, 161..172 and 174..255 as themselves and the other 68, in order, as
 * U+0100, U+0101, ... */
static gboolean
is_own_character(unsigned byte)
{
    return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

int
tokenizer_bpe_byte(uint32_t cp)
{
    if (cp < 256) return is_own_character(cp) ? (int)cp : -1;
    if (cp >= 256 + 68) return -1;
    const int rest = (int)cp - 256; /* in order: 0 to 32, 127 to 160, 173 */
    return rest < 33 ? rest : rest < 67 ? rest - 33 + 127 : 173;
}

uint32_t
tokenizer_bpe_character(uint8_t byte)
{
    if (is_own_character(byte)) return byte;
    return 256u + (byte < 33 ? byte : byte < 173 ? byte - 127u + 33 : 67);
}

/* The byte of the character at *p < end, which goes past it; -1: not of the alphabet. */
static inline int
unmap_one(const char **p, const char *end)
{
    const uint8_t c = (uint8_t) * (*p)++;

    if ((uint8_t)(c - '!') <= '~' - '!') return c;
    /* the others are two bytes long */
    if (c < 0xC2 || c > 0xC5 || *p == end) return -1;
    const uint8_t d = (uint8_t) * (*p)++;
    return (d & 0xC0) == 0x80 ? tokenizer_bpe_byte((c & 0x1Fu) << 6 | (d & 0x3Fu)) : -1;
}

gssize
tokenizer_bpe_unmap(const char *text, size_t len, char *out)
{
    const char *const start = out, *p = text, *const end = text + len;

    while (p < end) {
        const int byte = unmap_one(&p, end);
        if (byte < 0) return -1;
        *out++ = (char)byte;
    }
    return out - start;
}

/* ---- merging ---------------------------------------------------------------------------------- */

static gboolean
comes_before(const bpe_candidate *a, const bpe_candidate *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->left < b->left;
}

static void
heap_push(GArray *heap, bpe_candidate c)
{
    g_array_append_val(heap, c);
    bpe_candidate *h = (bpe_candidate *)(void *)heap->data;
    guint i = heap->len - 1;
    for (; i > 0 && comes_before(&c, &h[(i - 1) / 2]); i = (i - 1) / 2)
        h[i] = h[(i - 1) / 2];
    h[i] = c;
}

static bpe_candidate
heap_pop(GArray *heap)
{
    bpe_candidate *h = (bpe_candidate *)(void *)heap->data;
    const bpe_candidate top = h[0], last = h[heap->len - 1];
    const guint n = heap->len - 1;
    g_array_set_size(heap, n);
    guint i = 0;
    for (guint child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && comes_before(&h[child + 1], &h[child])) child++;
        if (!comes_before(&h[child], &last)) break;
        h[i] = h[child];
    }
    if (n > 0) h[i] = last;
    return top;
}

static void
consider(tokenizer_bpe_run *run, uint32_t left)
{
    const bpe_symbol *s = (const bpe_symbol *)(const void *)run->symbols->data;
    if (left == NO_SYMBOL || s[left].next == NO_SYMBOL) return;
    const int32_t a = s[left].id, b = s[s[left].next].id;
    const tokenizer_merge merge = tokenizer_bpe_find_merge(run->tokenizer, a, b);
    if (merge.rank != UINT32_MAX)
        heap_push(run->heap, (bpe_candidate){merge.rank, left, a, b, merge.merged});
}

static void
merge_long(tokenizer_bpe_run *run)
{
    bpe_symbol *s = (bpe_symbol *)(void *)run->symbols->data;
    for (guint i = 0; i + 1 < run->symbols->len; i++)
        consider(run, i);
    while (run->heap->len > 0) {
        const bpe_candidate c = heap_pop(run->heap);
        bpe_symbol *left = &s[c.left];
        if (left->id != c.left_id || left->next == NO_SYMBOL || s[left->next].id != c.right_id)
            continue; /* one of the two has changed since */
        bpe_symbol *right = &s[left->next];
        left->id = c.merged;
        left->next = right->next;
        right->id = NO_ID;
        if (right->next != NO_SYMBOL) s[right->next].prev = c.left;
        consider(run, left->prev);
        consider(run, c.left);
    }
    for (uint32_t i = 0; i != NO_SYMBOL; i = s[i].next)
        g_array_append_val(run->merged, s[i].id);
}

/* Words are short: looking at all pairs for the best beats keeping them in order. */
static void
merge_short(tokenizer_bpe_run *run)
{
    const engine_tokenizer *t = run->tokenizer;
    const bpe_symbol *s = (const bpe_symbol *)(const void *)run->symbols->data;
    const tokenizer_merge none = {0, UINT32_MAX, NO_ID};
    tokenizer_merge best[SHORT_PIECE]; /* best[i]: of the symbols i and i+1 */
    int32_t ids[SHORT_PIECE];
    guint n = run->symbols->len;
    for (guint i = 0; i < n; i++)
        ids[i] = s[i].id;
    for (guint i = 0; i + 1 < n; i++)
        best[i] = tokenizer_bpe_find_merge(t, ids[i], ids[i + 1]);
    while (n > 1) {
        guint at = 0;
        for (guint i = 1; i + 1 < n; i++)
            if (best[i].rank < best[at].rank) at = i;
        if (best[at].rank == UINT32_MAX) break;
        ids[at] = best[at].merged;
        n--;
        memmove(&ids[at + 1], &ids[at + 2], (n - at - 1) * sizeof *ids);
        memmove(&best[at], &best[at + 1], (n - at) * sizeof *best);
        best[n - 1] = none;
        if (at + 1 < n) best[at] = tokenizer_bpe_find_merge(t, ids[at], ids[at + 1]);
        if (at > 0) best[at - 1] = tokenizer_bpe_find_merge(t, ids[at - 1], ids[at]);
    }
    g_array_append_vals(run->merged, ids, n);
}

void
tokenizer_bpe_push(tokenizer_bpe_run *run, int32_t id)
{
    const uint32_t n = run->symbols->len;
    if (n > 0) g_array_index(run->symbols, bpe_symbol, n - 1).next = n;
    const bpe_symbol symbol = {id, n == 0 ? NO_SYMBOL : n - 1, NO_SYMBOL};
    g_array_append_val(run->symbols, symbol);
}

void
tokenizer_bpe_merge_symbols(tokenizer_bpe_run *run)
{
    g_array_set_size(run->merged, 0);
    if (run->symbols->len == 0) return;
    if (run->tokenizer->bpe.n_merges == 0)
        for (guint i = 0; i < run->symbols->len; i++)
            g_array_append_val(run->merged, g_array_index(run->symbols, bpe_symbol, i).id);
    else if (run->symbols->len <= SHORT_PIECE)
        merge_short(run);
    else
        merge_long(run);
    g_array_set_size(run->symbols, 0);
}

/* ---- the cache -------------------------------------------------------------------------------- */

struct tokenizer_cache_entry {
    uint64_t hash; /* 0: free */
    uint32_t key, key_len, ids, n_ids;
};

static uint64_t
hash_bytes(const char *s, size_t len)
{
    uint64_t h = len * 0x9e3779b97f4a7c15u;
    for (; len >= 8; s += 8, len -= 8) {
        uint64_t v;
        memcpy(&v, s, 8);
        h = (h ^ v) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }
    uint64_t v = 0;
    memcpy(&v, s, len);
    h = (h ^ v) * 0xc4ceb9fe1a85ec53u;
    return (h ^ h >> 29) | 1;
}

static struct tokenizer_cache_entry *
cache_slot(tokenizer_bpe_run *run, uint64_t hash)
{
    return &run->cache.entries[hash >> 1 & (CACHE_ENTRIES - 1)];
}

gboolean
tokenizer_cache_get(tokenizer_bpe_run *run, const char *piece, size_t len)
{
    const tokenizer_cache *c = &run->cache;
    if (!c->entries || len > CACHE_MAX_KEY) return FALSE;
    const uint64_t hash = hash_bytes(piece, len);
    const struct tokenizer_cache_entry *e = cache_slot(run, hash);
    if (e->hash != hash || e->key_len != len || memcmp(c->keys->data + e->key, piece, len) != 0)
        return FALSE;
    g_array_append_vals(run->out, &g_array_index(c->ids, int32_t, e->ids), e->n_ids);
    return TRUE;
}

void
tokenizer_cache_put(tokenizer_bpe_run *run, const char *piece, size_t len, guint from)
{
    tokenizer_cache *c = &run->cache;
    if (!c->entries || len > CACHE_MAX_KEY) return;
    if (c->keys->len > CACHE_BYTES) { /* start again: the bytes of what was replaced are lost */
        memset(c->entries, 0, CACHE_ENTRIES * sizeof *c->entries);
        g_byte_array_set_size(c->keys, 0);
        g_array_set_size(c->ids, 0);
    }
    const uint64_t hash = hash_bytes(piece, len);
    *cache_slot(run, hash) = (struct tokenizer_cache_entry){hash, c->keys->len, (uint32_t)len,
                                                            c->ids->len, run->out->len - from};
    g_byte_array_append(c->keys, (const guint8 *)piece, (guint)len);
    g_array_append_vals(c->ids, &g_array_index(run->out, int32_t, from), run->out->len - from);
}

/* ---- one piece -------------------------------------------------------------------------------- */

static void
encode_piece(tokenizer_bpe_run *run, const char *piece, size_t len)
{
    const engine_tokenizer *t = run->tokenizer;
    if (t->bpe.ignore_merges || len == 1) {
        const int32_t id = tokenizer_map_lookup(&t->map, piece, len);
        if (id >= 0) {
            g_array_append_val(run->out, id);
            return;
        }
    }
    if (tokenizer_cache_get(run, piece, len)) return;
    const guint from = run->out->len;
    for (size_t i = 0; i < len; i++) {
        int32_t id = t->bpe.byte_id[(uint8_t)piece[i]];
        if (id < 0) id = t->bpe.unk;
        if (id >= 0) tokenizer_bpe_push(run, id); /* else left out, as the reference does */
    }
    tokenizer_bpe_merge_symbols(run);
    g_array_append_vals(run->out, run->merged->data, run->merged->len);
    tokenizer_cache_put(run, piece, len, from);
}

void
tokenizer_bpe_run_init(tokenizer_bpe_run *run, const engine_tokenizer *tokenizer, size_t len,
                       GArray *out)
{
    memset(run, 0, sizeof *run);
    run->tokenizer = tokenizer;
    run->out = out;
    run->symbols = g_array_new(FALSE, FALSE, sizeof(bpe_symbol));
    run->heap = g_array_new(FALSE, FALSE, sizeof(bpe_candidate));
    run->merged = g_array_new(FALSE, FALSE, sizeof(int32_t));
    run->text = g_string_new(NULL);
    if (len < CACHE_MIN_TEXT) return;
    run->cache.entries = g_new0(struct tokenizer_cache_entry, CACHE_ENTRIES);
    run->cache.keys = g_byte_array_new();
    run->cache.ids = g_array_new(FALSE, FALSE, sizeof(int32_t));
}

void
tokenizer_bpe_run_clear(tokenizer_bpe_run *run)
{
    g_array_unref(run->symbols);
    g_array_unref(run->heap);
    g_array_unref(run->merged);
    g_string_free(run->text, TRUE);
    if (run->path) g_array_unref(run->path);
    if (!run->cache.entries) return;
    g_free(run->cache.entries);
    g_byte_array_unref(run->cache.keys);
    g_array_unref(run->cache.ids);
}

void
tokenizer_bpe_piece(void *run, const char *piece, size_t len)
{
    for (; len > MAX_PIECE_BYTES; piece += MAX_PIECE_BYTES, len -= MAX_PIECE_BYTES)
        encode_piece(run, piece, MAX_PIECE_BYTES);
    encode_piece(run, piece, len);
}

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
#define NO_ID     INT32_MIN /* of no symbol: unknown characters have negative ids too */

#define MERGES_AT_ONCE 32
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

/* Bytes of text [len] to out, at most len of them; -1 when a character is not of the alphabet. */
static inline gssize
unmap(const char *text, size_t len, char *out)
{
    const char *const start = out;

    for (const char *p = text, *end = text + len; p < end; p++) {
        const uint8_t c = (uint8_t)*p;
        if ((uint8_t)(c - '!') <= '~' - '!') {
            *out++ = *p;
            continue;
        }
        /* the others are two bytes long */
        if (c < 0xC2 || c > 0xC5 || ++p == end || ((uint8_t)*p & 0xC0) != 0x80) return -1;
        const int byte = tokenizer_bpe_byte((c & 0x1Fu) << 6 | ((uint8_t)*p & 0x3Fu));
        if (byte < 0) return -1;
        *out++ = (char)byte;
    }
    return out - start;
}

gboolean
tokenizer_bpe_unmap(const char *text, size_t len, GString *out)
{
    const gsize start = out->len;

    g_string_set_size(out, start + len);
    const gssize n = unmap(text, len, out->str + start);
    g_string_truncate(out, start + (gsize)MAX(n, 0));
    return n >= 0;
}

/* ---- the table of merges ---------------------------------------------------------------------- */

static uint64_t
pair_of(int32_t left, int32_t right)
{
    return (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
}

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
        bpe->merges[i] = (tokenizer_merge){0, UINT32_MAX, -1};
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

/* "left right": where the blank is. It is the only one, but for a pair of blanks in a damaged file. */
static gboolean
cut_merge(const engine_bytes *merge, size_t *left)
{
    const char *blank = merge->len > 2 ? memchr(merge->data + 1, ' ', merge->len - 2) : NULL;
    if (!blank) return FALSE;
    *left = (size_t)(blank - merge->data);
    return TRUE;
}

/* A merge's parts on their way to ids. */
typedef struct {
    char *bytes; /* left and right, one behind the other: what they merge to */
    size_t n_left, n;
    uint64_t left, right; /* hashes */
    int32_t left_id, right_id, merged;
} merge_text;

static uint64_t
hash_on(uint64_t hash, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        hash = tokenizer_hash_step(hash, s[i]);
    return hash;
}

/* FALSE when it is not "left right" in the alphabet. bytes: room for merge->len. */
static gboolean
read_merge(const engine_bytes *merge, char *bytes, merge_text *out)
{
    size_t left = 0;

    if (!cut_merge(merge, &left)) return FALSE;
    const gssize n_left = unmap(merge->data, left, bytes);
    if (n_left < 0) return FALSE;
    const gssize n_right = unmap(merge->data + left + 1, merge->len - left - 1, bytes + n_left);
    if (n_right < 0) return FALSE;
    *out = (merge_text){.bytes = bytes, .n_left = (size_t)n_left, .n = (size_t)(n_left + n_right)};
    out->left = hash_on(TOKENIZER_HASH_START, bytes, out->n_left);
    out->right = hash_on(TOKENIZER_HASH_START, bytes + n_left, (size_t)n_right);
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

/* The ids of merges [n]; *next: what the first of them probably makes, moved on. Ids stand in the order of their
 * merges in nearly every file, so few need a search. Returns how many were good. */
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
build_merges(engine_tokenizer *t, const engine_bytes *merges, size_t n, size_t *bad)
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
        while (n_read < wanted && read_merge(&merges[done + n_read], at, &read[n_read])) {
            at += read[n_read].n;
            tokenizer_map_prefetch(&t->map, read[n_read].left);
            tokenizer_map_prefetch(&t->map, read[n_read++].right);
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
tokenizer_bpe_build(engine_tokenizer *t, const engine_bytes *merges, size_t n, GError **error)
{
    size_t n_slots = 64, bad = 0;

    if (n > TOKENIZER_MAX_VOCAB) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT, "tokenizer: %zu merges", n);
        return FALSE;
    }
    while (n_slots < n + n / 2)
        n_slots *= 2;
    grow_table(&t->bpe, n_slots);
    if (!build_merges(t, merges, n, &bad)) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                    "tokenizer: merge %zu does not join two tokens to a third", bad);
        return FALSE;
    }
    for (unsigned byte = 0; byte < 256; byte++) {
        const char c = (char)byte;
        t->bpe.byte_id[byte] = tokenizer_map_lookup(&t->map, &c, 1);
    }
    return TRUE;
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
    const tokenizer_merge *merge = merge_slot(&run->tokenizer->bpe, pair_of(a, b));
    if (merge->rank != UINT32_MAX)
        heap_push(run->heap, (bpe_candidate){merge->rank, left, a, b, merge->merged});
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
    const tokenizer_bpe *bpe = &run->tokenizer->bpe;
    const bpe_symbol *s = (const bpe_symbol *)(const void *)run->symbols->data;
    const tokenizer_merge none = {0, UINT32_MAX, NO_ID};
    tokenizer_merge best[SHORT_PIECE]; /* best[i]: of the symbols i and i+1 */
    int32_t ids[SHORT_PIECE];
    guint n = run->symbols->len;
    for (guint i = 0; i < n; i++)
        ids[i] = s[i].id;
    for (guint i = 0; i + 1 < n; i++)
        best[i] = *merge_slot(bpe, pair_of(ids[i], ids[i + 1]));
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
        if (at + 1 < n) best[at] = *merge_slot(bpe, pair_of(ids[at], ids[at + 1]));
        if (at > 0) best[at - 1] = *merge_slot(bpe, pair_of(ids[at - 1], ids[at]));
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
    if (!run->tokenizer->bpe.merges)
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

/* Open-addressing hash from byte strings to token ids, with longest-prefix search.
 *
 * The hash is FNV-1a, which is computed left to right: walking along a text gives the hash of every
 * prefix in turn, and so the longest known prefix in one pass. A slot is four bytes, the key's number and a few bits of
 * the hash, so that a search seldom looks at a key that is not the one and a vocabulary's table fits the caches. Keys
 * are not copied: they are parts of one text that outlives the map. */
#include "engine/tokenizer_impl.h"

#include <string.h>

/* slot: 0 free, else tag << KEY_BITS | key's number + 1 */
#define KEY_BITS    25
#define KEY_MASK    ((1u << KEY_BITS) - 1)
#define MAX_KEYS    ((size_t)KEY_MASK - 1) /* more than TOKENIZER_MAX_VOCAB */
#define FIRST_SLOTS 64

/* FNV's low bits are weak for short keys: fold the high ones in. The low bits of the result choose the slot. */
static uint32_t
fold(uint64_t hash)
{
    hash ^= hash >> 32;
    hash *= 0x9e3779b97f4a7c15u;
    return (uint32_t)(hash >> 32);
}

void
tokenizer_map_init(tokenizer_map *map, const GString *text, const GArray *tokens)
{
    memset(map, 0, sizeof *map);
    map->text = text;
    if (!tokens) tokens = map->own = g_array_new(FALSE, FALSE, sizeof(tokenizer_token));
    map->keys = tokens;
    map->n_slots = FIRST_SLOTS;
    map->slots = g_new0(uint32_t, map->n_slots);
}

void
tokenizer_map_clear(tokenizer_map *map)
{
    g_clear_pointer(&map->slots, g_free);
    g_clear_pointer(&map->own, g_array_unref);
    map->n_slots = map->n_keys = 0;
}

static const tokenizer_token *
key_of(const tokenizer_map *map, uint32_t slot)
{
    return &g_array_index(map->keys, tokenizer_token, (slot & KEY_MASK) - 1);
}

/* The id of the key that is a [n_a] followed by b [n_b], -1 when there is none: then *free_slot is its place. */
static inline int32_t
find(const tokenizer_map *map, uint32_t hash, const char *a, size_t n_a, const char *b, size_t n_b,
     size_t *free_slot)
{
    size_t at = hash & (map->n_slots - 1);

    for (uint32_t slot; (slot = map->slots[at]) != 0; at = (at + 1) & (map->n_slots - 1)) {
        if (slot >> KEY_BITS != hash >> KEY_BITS) continue;
        const tokenizer_token *key = key_of(map, slot);
        const char *s = map->text->str + key->offset;
        if (key->len == n_a + n_b && memcmp(s, a, n_a) == 0 && memcmp(s + n_a, b, n_b) == 0)
            return (int32_t)(slot & KEY_MASK) - 1;
    }
    if (free_slot) *free_slot = at;
    return -1;
}

static void
set_slots(tokenizer_map *map, size_t n_slots)
{
    g_autofree uint32_t *old = map->slots;
    const size_t n_old = map->n_slots;

    map->n_slots = n_slots;
    map->slots = g_new0(uint32_t, n_slots);
    for (size_t i = 0; i < n_old; i++) {
        if (old[i] == 0) continue;
        const tokenizer_token *key = key_of(map, old[i]);
        const uint64_t hash =
            tokenizer_hash_on(TOKENIZER_HASH_START, map->text->str + key->offset, key->len);
        size_t at = fold(hash) & (n_slots - 1);
        while (map->slots[at] != 0)
            at = (at + 1) & (n_slots - 1);
        map->slots[at] = old[i];
    }
}

void
tokenizer_map_reserve(tokenizer_map *map, size_t n)
{
    size_t n_slots = map->n_slots;

    while (n_slots < n + n / 2)
        n_slots *= 2;
    if (n_slots > map->n_slots) set_slots(map, n_slots);
}

/* Enter key number `index` of map->keys, whose hash this is; FALSE when its text is there already. */
static gboolean
enter(tokenizer_map *map, uint64_t whole, size_t index)
{
    const tokenizer_token *key = &g_array_index(map->keys, tokenizer_token, index);
    const char *s = map->text->str + key->offset;
    const uint32_t hash = fold(whole);
    size_t at = 0;

    if (key->len == 0 || index >= MAX_KEYS || find(map, hash, s, key->len, "", 0, &at) >= 0)
        return FALSE;
    map->slots[at] = hash >> KEY_BITS << KEY_BITS | ((uint32_t)index + 1);
    map->n_keys++;
    map->max_len = MAX(map->max_len, key->len);
    map->first[(uint8_t)*s] = TRUE;
    if (map->n_keys + map->n_keys / 2 > map->n_slots) set_slots(map, 2 * map->n_slots);
    return TRUE;
}

void
tokenizer_map_add(tokenizer_map *map, const int32_t *ids, size_t n)
{
    enum { AT_ONCE = 32 }; /* so many slots are on the way to the caches at a time */
    uint64_t hashes[AT_ONCE];

    for (size_t done = 0; done < n; done += AT_ONCE) {
        const size_t some = MIN(n - done, (size_t)AT_ONCE);
        for (size_t i = 0; i < some; i++) {
            const tokenizer_token *key = &g_array_index(map->keys, tokenizer_token, ids[done + i]);
            hashes[i] =
                tokenizer_hash_on(TOKENIZER_HASH_START, map->text->str + key->offset, key->len);
            tokenizer_map_prefetch(map, hashes[i]);
        }
        for (size_t i = 0; i < some; i++)
            (void)enter(map, hashes[i], (size_t)ids[done + i]);
    }
}

void
tokenizer_map_add_key(tokenizer_map *map, const char *key, size_t len)
{
    if (len == 0 || len > G_MAXUINT16) return;
    const tokenizer_token own = {.offset = (uint32_t)(key - map->text->str), .len = (uint16_t)len};
    g_array_append_val(map->own, own);
    if (!enter(map, tokenizer_hash_on(TOKENIZER_HASH_START, key, len), map->own->len - 1))
        g_array_set_size(map->own, map->own->len - 1);
}

int32_t
tokenizer_map_lookup_hashed(const tokenizer_map *map, uint64_t hash, const char *key, size_t len)
{
    return len > map->max_len ? -1 : find(map, fold(hash), key, len, "", 0, NULL);
}

void
tokenizer_map_prefetch(const tokenizer_map *map, uint64_t hash)
{
    __builtin_prefetch(&map->slots[fold(hash) & (map->n_slots - 1)]);
}

size_t
tokenizer_map_size(const tokenizer_map *map)
{
    return map->n_keys;
}

const char *
tokenizer_map_own_key(const tokenizer_map *map, size_t index, size_t *len)
{
    const tokenizer_token *key = &g_array_index(map->own, tokenizer_token, index);
    *len = key->len;
    return map->text->str + key->offset;
}

int32_t
tokenizer_map_lookup(const tokenizer_map *map, const char *key, size_t len)
{
    return tokenizer_map_lookup_joined(map, key, len, "", 0);
}

int32_t
tokenizer_map_lookup_joined(const tokenizer_map *map, const char *a, size_t n_a, const char *b,
                            size_t n_b)
{
    if (n_a > map->max_len || n_b > map->max_len - n_a) return -1;
    const uint64_t hash =
        tokenizer_hash_on(tokenizer_hash_on(TOKENIZER_HASH_START, a, n_a), b, n_b);
    return find(map, fold(hash), a, n_a, b, n_b, NULL);
}

size_t
tokenizer_map_longest(const tokenizer_map *map, const char *s, size_t n, int32_t *id)
{
    if (n == 0 || !map->first[(uint8_t)s[0]]) return 0;
    const size_t limit = MIN(n, map->max_len);
    uint64_t hash = TOKENIZER_HASH_START;
    size_t best = 0;
    for (size_t i = 0; i < limit; i++) {
        hash = tokenizer_hash_step(hash, s[i]);
        const int32_t found = find(map, fold(hash), s, i + 1, "", 0, NULL);
        if (found >= 0) best = i + 1, *id = found;
    }
    return best;
}

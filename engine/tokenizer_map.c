/* Open-addressing hash from byte strings to token ids, with longest-prefix search.
 *
 * The hash is FNV-1a, which is computed left to right: walking along a text gives the hash of every
 * prefix in turn, and so the longest known prefix in one pass. A slot keeps half of it, so that a search seldom
 * looks at a key that is not the one. Keys are not copied: they are parts of one text that outlives the map. */
#include "engine/tokenizer_impl.h"

#include <string.h>

struct tokenizer_map_slot {
    uint32_t hash;
    uint32_t entry; /* its number + 1; 0: free */
};

struct tokenizer_map_entry {
    size_t offset; /* in map->text */
    uint32_t len;
    int32_t id;
};

#define MAX_KEY_LENGTH 65536u
#define FIRST_SLOTS    64

/* FNV's low bits are weak for short keys: fold the high ones in. The low bits of the result choose the slot. */
static uint32_t
fold(uint64_t hash)
{
    hash ^= hash >> 32;
    hash *= 0x9e3779b97f4a7c15u;
    return (uint32_t)(hash >> 32);
}

void
tokenizer_map_init(tokenizer_map *map, const GString *text)
{
    memset(map, 0, sizeof *map);
    map->text = text;
    map->n_slots = FIRST_SLOTS;
    map->slots = g_new0(struct tokenizer_map_slot, map->n_slots);
}

void
tokenizer_map_clear(tokenizer_map *map)
{
    g_clear_pointer(&map->entries, g_free);
    g_clear_pointer(&map->slots, g_free);
    map->n_slots = map->n_entries = map->capacity = 0;
}

static const struct tokenizer_map_entry *
find(const tokenizer_map *map, uint32_t hash, const char *key, size_t len, size_t *free_slot)
{
    size_t at = hash & (map->n_slots - 1);

    for (; map->slots[at].entry != 0; at = (at + 1) & (map->n_slots - 1)) {
        if (map->slots[at].hash != hash) continue;
        const struct tokenizer_map_entry *e = &map->entries[map->slots[at].entry - 1];
        if (e->len == len && memcmp(map->text->str + e->offset, key, len) == 0) return e;
    }
    if (free_slot) *free_slot = at;
    return NULL;
}

static void
set_slots(tokenizer_map *map, size_t n_slots)
{
    struct tokenizer_map_slot *old = map->slots;
    const size_t n_old = map->n_slots;

    map->n_slots = n_slots;
    map->slots = g_new0(struct tokenizer_map_slot, n_slots);
    for (size_t i = 0; i < n_old; i++) {
        if (old[i].entry == 0) continue;
        size_t at = old[i].hash & (n_slots - 1);
        while (map->slots[at].entry != 0)
            at = (at + 1) & (n_slots - 1);
        map->slots[at] = old[i];
    }
    g_free(old);
}

void
tokenizer_map_reserve(tokenizer_map *map, size_t n)
{
    size_t n_slots = map->n_slots;

    while (n_slots < n + n / 2)
        n_slots *= 2;
    if (n_slots > map->n_slots) set_slots(map, n_slots);
    if (n <= map->capacity) return;
    map->capacity = n;
    map->entries = g_renew(struct tokenizer_map_entry, map->entries, n);
}

void
tokenizer_map_add(tokenizer_map *map, const char *key, size_t len, int32_t id)
{
    if (len == 0 || len > MAX_KEY_LENGTH || map->n_entries == G_MAXUINT32 - 1) return;
    uint64_t fnv = TOKENIZER_HASH_START;
    for (size_t i = 0; i < len; i++)
        fnv = tokenizer_hash_step(fnv, key[i]);
    const uint32_t hash = fold(fnv);
    size_t slot = 0;
    if (find(map, hash, key, len, &slot)) return;
    if (map->n_entries == map->capacity) {
        map->capacity = MAX(2 * map->capacity, FIRST_SLOTS / 2);
        map->entries = g_renew(struct tokenizer_map_entry, map->entries, map->capacity);
    }
    map->entries[map->n_entries++] =
        (struct tokenizer_map_entry){(size_t)(key - map->text->str), (uint32_t)len, id};
    map->slots[slot] = (struct tokenizer_map_slot){hash, (uint32_t)map->n_entries};
    map->max_len = MAX(map->max_len, len);
    map->first[(uint8_t)key[0]] = TRUE;
    if (map->n_entries + map->n_entries / 2 > map->n_slots) set_slots(map, 2 * map->n_slots);
}

int32_t
tokenizer_map_lookup_hashed(const tokenizer_map *map, uint64_t hash, const char *key, size_t len)
{
    if (len > map->max_len) return -1;
    const struct tokenizer_map_entry *e = find(map, fold(hash), key, len, NULL);
    return e ? e->id : -1;
}

void
tokenizer_map_prefetch(const tokenizer_map *map, uint64_t hash)
{
    __builtin_prefetch(&map->slots[fold(hash) & (map->n_slots - 1)]);
}

size_t
tokenizer_map_size(const tokenizer_map *map)
{
    return map->n_entries;
}

const char *
tokenizer_map_key(const tokenizer_map *map, size_t index, size_t *len)
{
    *len = map->entries[index].len;
    return map->text->str + map->entries[index].offset;
}

int32_t
tokenizer_map_lookup(const tokenizer_map *map, const char *key, size_t len)
{
    if (len > map->max_len) return -1;
    uint64_t hash = TOKENIZER_HASH_START;
    for (size_t i = 0; i < len; i++)
        hash = tokenizer_hash_step(hash, key[i]);
    return tokenizer_map_lookup_hashed(map, hash, key, len);
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
        const struct tokenizer_map_entry *e = find(map, fold(hash), s, i + 1, NULL);
        if (e) best = i + 1, *id = e->id;
    }
    return best;
}

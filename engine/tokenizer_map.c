/* Open-addressing hash from byte strings to token ids, with longest-prefix search.
 *
 * The hash is FNV-1a, which is computed left to right: walking along a text gives the hash of every
 * prefix in turn, and so the longest known prefix in one pass. */
#include "engine/tokenizer_impl.h"

#include <string.h>

typedef struct {
    uint64_t hash;
    size_t offset;
    uint32_t len;
    int32_t id;
} tokenizer_map_entry;

#define MAX_KEY_LENGTH 65536u

/* FNV's low bits are weak for short keys: fold the high ones in before masking. */
static size_t
slot_of(const tokenizer_map *map, uint64_t hash)
{
    hash ^= hash >> 32;
    hash *= 0x9e3779b97f4a7c15u;
    return (size_t)(hash >> 20) & (map->n_slots - 1);
}

void
tokenizer_map_init(tokenizer_map *map)
{
    memset(map, 0, sizeof *map);
    map->entries = g_array_new(FALSE, FALSE, sizeof(tokenizer_map_entry));
    map->bytes = g_byte_array_new();
    map->n_slots = 64;
    map->slots = g_new0(uint32_t, map->n_slots);
}

void
tokenizer_map_clear(tokenizer_map *map)
{
    g_clear_pointer(&map->entries, g_array_unref);
    g_clear_pointer(&map->bytes, g_byte_array_unref);
    g_clear_pointer(&map->slots, g_free);
    map->n_slots = 0;
}

static const tokenizer_map_entry *
find(const tokenizer_map *map, uint64_t hash, const char *key, size_t len, size_t *free_slot)
{
    size_t slot = slot_of(map, hash);
    while (map->slots[slot] != 0) {
        const tokenizer_map_entry *e =
            &g_array_index(map->entries, tokenizer_map_entry, map->slots[slot] - 1);
        if (e->hash == hash && e->len == len && memcmp(map->bytes->data + e->offset, key, len) == 0)
            return e;
        slot = (slot + 1) & (map->n_slots - 1);
    }
    if (free_slot) *free_slot = slot;
    return NULL;
}

static void
grow(tokenizer_map *map)
{
    map->n_slots *= 2;
    g_free(map->slots);
    map->slots = g_new0(uint32_t, map->n_slots);
    for (guint i = 0; i < map->entries->len; i++) {
        size_t slot = slot_of(map, g_array_index(map->entries, tokenizer_map_entry, i).hash);
        while (map->slots[slot] != 0)
            slot = (slot + 1) & (map->n_slots - 1);
        map->slots[slot] = i + 1;
    }
}

void
tokenizer_map_add(tokenizer_map *map, const char *key, size_t len, int32_t id)
{
    if (len == 0 || len > MAX_KEY_LENGTH || map->bytes->len > G_MAXUINT32 - len) return;
    uint64_t hash = TOKENIZER_HASH_START;
    for (size_t i = 0; i < len; i++)
        hash = tokenizer_hash_step(hash, key[i]);
    size_t slot = 0;
    if (find(map, hash, key, len, &slot)) return;
    const tokenizer_map_entry e = {hash, map->bytes->len, (uint32_t)len, id};
    g_byte_array_append(map->bytes, (const guint8 *)key, (guint)len);
    g_array_append_val(map->entries, e);
    map->slots[slot] = map->entries->len;
    map->max_len = MAX(map->max_len, len);
    map->first[(uint8_t)key[0]] = TRUE;
    if ((size_t)map->entries->len * 2 > map->n_slots) grow(map);
}

int32_t
tokenizer_map_lookup_hashed(const tokenizer_map *map, uint64_t hash, const char *key, size_t len)
{
    if (len > map->max_len) return -1;
    const tokenizer_map_entry *e = find(map, hash, key, len, NULL);
    return e ? e->id : -1;
}

size_t
tokenizer_map_size(const tokenizer_map *map)
{
    return map->entries->len;
}

const char *
tokenizer_map_key(const tokenizer_map *map, size_t index, size_t *len)
{
    const tokenizer_map_entry *e = &g_array_index(map->entries, tokenizer_map_entry, index);
    *len = e->len;
    return (const char *)map->bytes->data + e->offset;
}

int32_t
tokenizer_map_lookup(const tokenizer_map *map, const char *key, size_t len)
{
    if (len > map->max_len) return -1;
    uint64_t hash = TOKENIZER_HASH_START;
    for (size_t i = 0; i < len; i++)
        hash = tokenizer_hash_step(hash, key[i]);
    const tokenizer_map_entry *e = find(map, hash, key, len, NULL);
    return e ? e->id : -1;
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
        const tokenizer_map_entry *e = find(map, hash, s, i + 1, NULL);
        if (e) best = i + 1, *id = e->id;
    }
    return best;
}

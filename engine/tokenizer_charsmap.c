/* The normalisation rules inside a SentencePiece model (field precompiled_charsmap).
 *
 *   u32  size of the trie in bytes, a multiple of 4
 *   u32  units of the trie, a Darts-clone double array: text -> offset among the strings
 *   ...  strings, NUL-terminated
 *
 * A unit holds a label (low byte), whether a value hangs off it (bit 8), and the offset to its children
 * (bits 10 up, times 256 where bit 9 is set); a value's unit holds the value. The file is not trusted: a
 * step outside the array ends the search, an offset outside the strings is no match. */
#include "engine/tokenizer_impl.h"

#include <string.h>

#define MAX_RULE_BYTES 256u

gboolean
tokenizer_charsmap_init(tokenizer_charsmap *map, const uint8_t *data, size_t len, GError **error)
{
    uint32_t n_bytes = 0;
    if (len >= 4) memcpy(&n_bytes, data, 4);
    n_bytes = GUINT32_FROM_LE(n_bytes);
    if (len < 8 || n_bytes < 4 || n_bytes % 4 != 0 || n_bytes >= len - 4 || data[len - 1] != 0) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                    "tokenizer: the normalisation rules (%zu bytes) are malformed", len);
        return FALSE;
    }
    map->n_units = n_bytes / 4;
    map->units = g_new(uint32_t, map->n_units);
    memcpy(map->units, data + 4, n_bytes);
    for (size_t i = 0; i < map->n_units; i++)
        map->units[i] = GUINT32_FROM_LE(map->units[i]);
    map->n_strings = len - 4 - n_bytes;
    map->strings = g_memdup2(data + 4 + n_bytes, map->n_strings);
    const char *bad = NULL;
    for (size_t i = 0; i < map->n_strings && !bad; i += strlen(map->strings + i) + 1)
        if (!g_utf8_validate(map->strings + i, -1, NULL)) bad = map->strings + i;
    if (!bad) return TRUE;
    g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                "tokenizer: a normalisation rule makes ill-formed text");
    return FALSE;
}

void
tokenizer_charsmap_clear(tokenizer_charsmap *map)
{
    g_clear_pointer(&map->units, g_free);
    g_clear_pointer(&map->strings, g_free);
}

static size_t
children_of(uint32_t unit)
{
    return (size_t)(unit >> 10) << ((unit & 1u << 9) >> 6);
}

/* A rule may start inside what a hostile offset points at: then its text starts inside a character. */
static gboolean
is_string_at(const tokenizer_charsmap *map, size_t offset)
{
    return offset < map->n_strings && ((uint8_t)map->strings[offset] & 0xC0) != 0x80;
}

size_t
tokenizer_charsmap_match(const tokenizer_charsmap *map, const char *text, size_t len,
                         const char **with)
{
    if (!map->units) return 0;
    size_t best = 0, at = children_of(map->units[0]);
    /* no rule is about NUL, which an unused unit would match; and a trie that runs in circles ends */
    for (size_t i = 0; i < MIN(len, MAX_RULE_BYTES) && text[i] != '\0'; i++) {
        at ^= (uint8_t)text[i];
        if (at >= map->n_units) break;
        const uint32_t unit = map->units[at];
        if ((unit & (1u << 31 | 0xFFu)) != (uint8_t)text[i]) break;
        at ^= children_of(unit);
        if (!(unit >> 8 & 1) || at >= map->n_units) continue;
        const size_t offset = map->units[at] & ~(1u << 31);
        const gboolean whole = i + 1 == len || ((uint8_t)text[i + 1] & 0xC0) != 0x80;
        if (!whole || !is_string_at(map, offset)) continue;
        best = i + 1;
        *with = map->strings + offset;
    }
    return best;
}

/* UTF-8 decoding with defined repair, and look-ups in the class tables. */
#include "engine/unicode.h"

#include <string.h>

unsigned
unicode_class(uint32_t cp)
{
    if (cp < 128) return unicode_ascii[cp];
    size_t lo = 0, hi = unicode_n_segments; /* segment lo starts at or before cp, hi after it */
    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        if (unicode_segments[mid] >> UNICODE_FLAG_BITS <= cp)
            lo = mid;
        else
            hi = mid;
    }
    return unicode_segments[lo] & ((1u << UNICODE_FLAG_BITS) - 1);
}

uint32_t
unicode_lower(uint32_t cp)
{
    if (cp < 0x80) return cp >= 'A' && cp <= 'Z' ? cp + 32 : cp;
    size_t lo = 0, hi = unicode_n_lower_runs;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        const unicode_lower_run *run = &unicode_lower_runs[mid];
        if (cp > run->last)
            lo = mid + 1;
        else if (cp < run->first)
            hi = mid;
        else
            return (cp - run->first) % run->step == 0 ? (uint32_t)((int32_t)cp + run->delta) : cp;
    }
    return cp;
}

size_t
unicode_decompose(uint32_t cp, uint32_t out[UNICODE_MAX_DECOMPOSITION])
{
    gboolean hangul = cp >= 0xAC00 && cp <= 0xD7A3;
    if (!hangul && (cp < 0xC0 || !(unicode_class(cp) & UNICODE_DECOMPOSES))) {
        out[0] = cp;
        return 1;
    }
    gunichar parts[G_UNICHAR_MAX_DECOMPOSITION_LENGTH];
    size_t n = g_unichar_fully_decompose(cp, FALSE, parts, G_N_ELEMENTS(parts));
    n = CLAMP(n, 1, UNICODE_MAX_DECOMPOSITION); /* canonical ones have at most 4 */
    for (size_t i = 0; i < n; i++)
        out[i] = parts[i];
    return n;
}

size_t
unicode_next(const char *s, size_t n, uint32_t *cp)
{
    const uint8_t *p = (const uint8_t *)s;
    const uint8_t lead = p[0];
    if (lead < 0x80) {
        *cp = lead;
        return 1;
    }
    size_t need; /* continuation bytes; the second byte of some leads has a narrower range */
    uint8_t lo = 0x80, hi = 0xBF;
    uint32_t value;
    if (lead >= 0xC2 && lead <= 0xDF)
        need = 1, value = lead & 0x1Fu;
    else if (lead >= 0xE0 && lead <= 0xEF)
        need = 2, value = lead & 0x0Fu;
    else if (lead >= 0xF0 && lead <= 0xF4)
        need = 3, value = lead & 0x07u;
    else {
        *cp = 0xFFFD;
        return 1;
    }
    if (lead == 0xE0) lo = 0xA0;
    if (lead == 0xED) hi = 0x9F;
    if (lead == 0xF0) lo = 0x90;
    if (lead == 0xF4) hi = 0x8F;
    for (size_t i = 1; i <= need; i++) {
        if (i >= n || p[i] < lo || p[i] > hi) {
            *cp = 0xFFFD;
            return i;
        }
        value = value << 6 | (p[i] & 0x3Fu);
        lo = 0x80, hi = 0xBF;
    }
    *cp = value;
    return need + 1;
}

void
unicode_append(GString *out, uint32_t cp)
{
    char utf8[6];
    g_string_append_len(out, utf8, g_unichar_to_utf8(cp, utf8));
}

/* The character at s is U+FFFD and was not written so. */
static gboolean
is_ill_formed(const char *s, size_t n, uint32_t cp)
{
    return cp == 0xFFFD && !(n == 3 && memcmp(s, "\xEF\xBF\xBD", 3) == 0);
}

const char *
unicode_repair(const char *text, size_t len, char **owned, size_t *n_out)
{
    *owned = NULL;
    *n_out = len;
    size_t good = 0;
    uint32_t cp = 0;
    while (good < len) {
        size_t n = unicode_next(text + good, len - good, &cp);
        if (is_ill_formed(text + good, n, cp)) break;
        good += n;
    }
    if (good == len) return text;

    GString *fixed = g_string_sized_new(len + 16);
    g_string_append_len(fixed, text, (gssize)good);
    while (good < len) {
        size_t n = unicode_next(text + good, len - good, &cp);
        if (cp == 0xFFFD)
            g_string_append(fixed, "\xEF\xBF\xBD");
        else
            g_string_append_len(fixed, text + good, (gssize)n);
        good += n;
    }
    *n_out = fixed->len;
    *owned = g_string_free(fixed, FALSE);
    return *owned;
}

/* ---- normal form C (Unicode Standard Annex 15) ------------------------------------------------- */

typedef struct {
    uint32_t cp;
    int class; /* canonical combining class */
} combining_char;

static gint
compare_classes(gconstpointer a, gconstpointer b)
{
    return ((const combining_char *)a)->class - ((const combining_char *)b)->class;
}

/* Put chars from index start on, all marks, in canonical order: sorted by class, equal ones kept in order.
 * GLib's own normaliser does this with a bubble sort, which a text of nothing but marks can abuse. */
static void
order_marks(GArray *chars, guint start)
{
    if (chars->len - start < 2) return;
    g_autoptr(GArray) marks = g_array_new(FALSE, FALSE, sizeof(combining_char));
    g_array_append_vals(marks, &g_array_index(chars, combining_char, start), chars->len - start);
    g_array_sort(marks, compare_classes); /* stable, says GLib */
    memcpy(&g_array_index(chars, combining_char, start), marks->data,
           marks->len * sizeof(combining_char));
}

static GArray *
decompose_text(const char *text, size_t len)
{
    GArray *chars = g_array_new(FALSE, FALSE, sizeof(combining_char));
    guint n_ordered = 0; /* chars before this are final */
    for (size_t i = 0; i < len;) {
        uint32_t cp = 0, parts[UNICODE_MAX_DECOMPOSITION];
        i += unicode_next(text + i, len - i, &cp);
        const size_t n = unicode_decompose(cp, parts);
        for (size_t k = 0; k < n; k++) {
            const gboolean mark = (unicode_class(parts[k]) & UNICODE_COMBINING) != 0;
            const combining_char c = {parts[k], mark ? g_unichar_combining_class(parts[k]) : 0};
            if (!mark) {
                order_marks(chars, n_ordered);
                n_ordered = chars->len + 1;
            }
            g_array_append_val(chars, c);
        }
    }
    if (n_ordered < chars->len) order_marks(chars, n_ordered);
    return chars;
}

/* A pair joins only to a character that the tables decompose, so the two directions agree. */
static gboolean
compose_pair(uint32_t a, uint32_t b, uint32_t *joined)
{
    gunichar c = 0;
    if (!g_unichar_compose(a, b, &c)) return FALSE;
    if (!(c >= 0xAC00 && c <= 0xD7A3) && !(unicode_class(c) & UNICODE_DECOMPOSES)) return FALSE;
    *joined = c;
    return TRUE;
}

GString *
unicode_compose(const char *text, size_t len)
{
    g_autoptr(GArray) chars = decompose_text(text, len);
    combining_char *c = (combining_char *)(void *)chars->data;
    guint n = 0, starter = G_MAXUINT;
    for (guint i = 0; i < chars->len; i++) {
        const gboolean adjacent = n > 0 && starter == n - 1;
        const gboolean blocked =
            !adjacent && (n == 0 || c[n - 1].class == 0 || c[n - 1].class >= c[i].class);
        if (starter != G_MAXUINT && !blocked &&
            compose_pair(c[starter].cp, c[i].cp, &c[starter].cp))
            continue;
        if (c[i].class == 0) starter = n;
        c[n++] = c[i];
    }
    GString *out = g_string_sized_new(len);
    for (guint i = 0; i < n; i++)
        unicode_append(out, c[i].cp);
    return out;
}

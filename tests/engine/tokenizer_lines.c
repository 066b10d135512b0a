/* The generator of reference/tokenizer_lines.py in C, step for step. */
#include "tokenizer_lines.h"

#include <string.h>

static const uint32_t ranges[][2] = {
    {0x61, 0x7A},       {0x41, 0x5A},       {0x30, 0x39},       {0x21, 0x2F},
    {0x3A, 0x40},       {0x5B, 0x60},       {0xA0, 0xFF},       {0x100, 0x24F},
    {0x250, 0x36F},     {0x370, 0x3FF},     {0x400, 0x52F},     {0x590, 0x5FF},
    {0x600, 0x6FF},     {0x900, 0x97F},     {0xE00, 0xE7F},     {0x1100, 0x11FF},
    {0x1E00, 0x1FFF},   {0x2000, 0x206F},   {0x2070, 0x209F},   {0x20A0, 0x20FF},
    {0x2100, 0x218F},   {0x2190, 0x22FF},   {0x2300, 0x23FF},   {0x2460, 0x24FF},
    {0x2500, 0x27BF},   {0x3000, 0x303F},   {0x3040, 0x30FF},   {0x3400, 0x4DBF},
    {0x4E00, 0x9FFF},   {0xA640, 0xA7FF},   {0xAC00, 0xD7A3},   {0xE000, 0xF8FF},
    {0xF900, 0xFAFF},   {0xFB00, 0xFDFF},   {0xFE00, 0xFE0F},   {0xFF00, 0xFFEF},
    {0x10000, 0x10FFF}, {0x11000, 0x12FFF}, {0x16E00, 0x16FFF}, {0x1D100, 0x1D1FF},
    {0x1D400, 0x1D7FF}, {0x1F300, 0x1FAFF}, {0x20000, 0x2A6DF}, {0x2A700, 0x2CEAF},
    {0x2F800, 0x2FA1F}, {0xE0000, 0xE01EF}, {0x0, 0x1F},        {0x7F, 0x9F},
    {0x300, 0x36F},     {0x1DC0, 0x1DFF}};

static const uint32_t spaces[] = {0x20, 0x20, 0x20,   0x09,   0x0A,   0x0D,   0x0B,   0x0C,
                                  0x85, 0xA0, 0x1680, 0x2003, 0x2028, 0x202F, 0x3000, 0x200B};

static uint32_t
below(uint64_t *state, uint32_t n)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return (uint32_t)((z ^ z >> 31) >> 32) % n;
}

/* UTF-8 by the bit pattern alone: surrogates too. */
static void
put(GString *out, uint32_t cp)
{
    if (cp < 0x80) {
        g_string_append_c(out, (char)cp);
        return;
    }
    const int n = cp < 0x800 ? 1 : cp < 0x10000 ? 2 : 3;
    static const uint8_t lead[] = {0, 0xC0, 0xE0, 0xF0};
    g_string_append_c(out, (char)(lead[n] | cp >> (6 * n)));
    for (int i = n - 1; i >= 0; i--)
        g_string_append_c(out, (char)(0x80 | (cp >> (6 * i) & 0x3F)));
}

static void
put_block(uint64_t *r, uint32_t block, GString *out)
{
    put(out, ranges[block][0] + below(r, ranges[block][1] - ranges[block][0] + 1));
}

static void
put_repeated(uint64_t *r, const tokenizer_lines *lines, GString *out)
{
    g_autoptr(GString) unit = g_string_new(NULL);
    if (below(r, 2)) {
        const GString *word = lines->words->pdata[below(r, lines->words->len)];
        g_string_append_len(unit, word->str, (gssize)word->len);
    } else {
        put(unit, 0x21 + below(r, 0x5E));
    }
    const uint32_t most = below(r, 8) == 0 ? 60 : 6;
    for (uint32_t n = 1 + below(r, most); n > 0; n--)
        g_string_append_len(out, unit->str, (gssize)unit->len);
}

static void
put_part(uint64_t *r, const tokenizer_lines *lines, GString *out)
{
    const uint32_t kind = below(r, 32);
    uint32_t n;
    if (kind < 18) {
        const GPtrArray *from = kind < 14 ? lines->words : lines->fragments;
        const GString *text = from->pdata[below(r, from->len)];
        g_string_append_len(out, text->str, (gssize)text->len);
    } else if (kind < 21) {
        const uint32_t block = below(r, G_N_ELEMENTS(ranges));
        for (n = 1 + below(r, 6); n > 0; n--)
            put_block(r, block, out);
    } else if (kind < 23) {
        for (n = 1 + below(r, 6); n > 0; n--) {
            const uint32_t block = below(r, G_N_ELEMENTS(ranges));
            put_block(r, block, out);
        }
    } else if (kind == 23) {
        for (n = 1 + below(r, 4); n > 0; n--)
            put(out, below(r, 0x110000));
    } else if (kind == 24) {
        for (n = 1 + below(r, 8); n > 0; n--)
            g_string_append_c(out, (char)below(r, 256));
    } else if (kind == 25) {
        const GString *word = lines->words->pdata[below(r, lines->words->len)];
        g_string_append_len(out, word->str, (gssize)below(r, (uint32_t)word->len + 1));
    } else if (kind < 28) {
        for (n = 1 + below(r, 5); n > 0; n--)
            put(out, spaces[below(r, G_N_ELEMENTS(spaces))]);
    } else if (kind == 28) {
        for (n = 1 + below(r, 9); n > 0; n--)
            put(out, 0x30 + below(r, 10));
    } else if (kind == 29) {
        put(out, 0x61 + below(r, 26));
        for (n = 1 + below(r, 4); n > 0; n--)
            put(out, 0x300 + below(r, 0x70));
    } else if (kind == 30) {
        put_repeated(r, lines, out);
    } else {
        const gsize start = out->len;
        for (n = 1 + below(r, 14); n > 0; n--)
            put(out, 0x61 + below(r, 26));
        if (below(r, 2)) out->str[start] = g_ascii_toupper(out->str[start]);
    }
}

void
tokenizer_lines_make(const tokenizer_lines *lines, uint32_t n, GString *out)
{
    uint64_t r = n * 0x2545F4914F6CDD1Du + 1;
    g_string_truncate(out, 0);
    for (uint32_t parts = 1 + below(&r, 12); parts > 0; parts--) {
        put_part(&r, lines, out);
        if (below(&r, 4) != 0) g_string_append_c(out, ' ');
    }
}

uint32_t
tokenizer_lines_fnv(uint32_t hash, const void *data, size_t n)
{
    const uint8_t *p = data;
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ p[i]) * 0x01000193u;
    return hash;
}

static void
free_string(gpointer s)
{
    g_string_free(s, TRUE);
}

/* One entry per line of text up to end; \n, \r and \t are escapes in fragments. */
static GPtrArray *
split_lines(const char *text, const char *end, gboolean escapes)
{
    GPtrArray *out = g_ptr_array_new_with_free_func(free_string);
    while (text < end) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        if (!stop) stop = end;
        GString *s = g_string_new_len(text, stop - text);
        if (escapes) {
            g_string_replace(s, "\\n", "\n", 0);
            g_string_replace(s, "\\r", "\r", 0);
            g_string_replace(s, "\\t", "\t", 0);
        }
        g_ptr_array_add(out, s);
        text = stop + 1;
    }
    return out;
}

tokenizer_lines *
tokenizer_lines_load(const char *path)
{
    g_autofree char *text = NULL;
    gsize len = 0;
    if (!g_file_get_contents(path, &text, &len, NULL)) return NULL;
    const char *gap = strstr(text, "\n\n");
    if (!gap) return NULL;
    tokenizer_lines *lines = g_new0(tokenizer_lines, 1);
    lines->words = split_lines(text, gap, FALSE);
    lines->fragments = split_lines(gap + 2, text + len, TRUE);
    return lines;
}

void
tokenizer_lines_free(tokenizer_lines *lines)
{
    if (!lines) return;
    g_ptr_array_unref(lines->words);
    g_ptr_array_unref(lines->fragments);
    g_free(lines);
}

#include "tokenizer_check.h"
#include "tokenizer_lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define PER_GROUP 4

static void
report_group(const engine_tokenizer *tokenizer, const tokenizer_lines *lines, uint32_t group,
             engine_tokenize_flags flags)
{
    g_autoptr(GString) line = g_string_new(NULL);
    for (uint32_t n = group * PER_GROUP; n < (group + 1) * PER_GROUP; n++) {
        g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(int32_t));
        g_autoptr(GString) shown = g_string_new(NULL);
        tokenizer_lines_make(lines, n, line);
        engine_tokenizer_encode(tokenizer, line->str, line->len, flags, ids);
        for (guint i = 0; i < ids->len; i++)
            g_string_append_printf(shown, " %d", g_array_index(ids, int32_t, i));
        g_autofree char *text = g_strescape(line->str, NULL);
        print_message("line %u: \"%s\" gives%s\n", n, text, shown->str);
    }
}

void
tokenizer_check_stream(const engine_tokenizer *tokenizer, const char *stream,
                       engine_tokenize_flags flags)
{
    g_autoptr(tokenizer_lines) lines =
        tokenizer_lines_load(LODE_TEST_DATA "/engine/tokenizer_words.txt");
    assert_non_null(lines);
    g_autofree char *path = g_strdup_printf(LODE_TEST_DATA "/engine/ids_%s.u32", stream);
    g_autofree char *data = NULL;
    gsize n_bytes = 0;
    assert_true(g_file_get_contents(path, &data, &n_bytes, NULL));
    assert_int_equal(n_bytes, TOKENIZER_N_LINES / PER_GROUP * sizeof(uint32_t));

    g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(int32_t));
    g_autoptr(GString) line = g_string_new(NULL);
    uint32_t n_wrong = 0;
    for (uint32_t group = 0; group < TOKENIZER_N_LINES / PER_GROUP; group++) {
        g_array_set_size(ids, 0);
        for (uint32_t n = group * PER_GROUP; n < (group + 1) * PER_GROUP; n++) {
            const int32_t end = -1;
            tokenizer_lines_make(lines, n, line);
            engine_tokenizer_encode(tokenizer, line->str, line->len, flags, ids);
            g_array_append_val(ids, end);
        }
        const uint32_t hash =
            tokenizer_lines_fnv(TOKENIZER_FNV_START, ids->data, ids->len * sizeof(int32_t));
        const uint8_t *p = (const uint8_t *)data + group * 4;
        const uint32_t expected =
            (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        if (hash == expected) continue;
        if (n_wrong++ < 2) report_group(tokenizer, lines, group, flags);
    }
    if (n_wrong > 0)
        fail_msg("%s: %u of %d groups differ", stream, n_wrong, TOKENIZER_N_LINES / PER_GROUP);
}

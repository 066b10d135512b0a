/* The pre-tokenizers that a GGUF file's tokenizer.ggml.pre names. Source: llama.cpp, which gave the names
 * (llama-vocab.cpp); the expressions are those of the models' own tokenizer.json. */
#include "engine/tokenizer_impl.h"

#include <string.h>

/* Letters that have a case, as DeepSeek's first models list them. */
#define CASED                                                                                      \
    "A-Za-z\\x{b5}\\x{c0}-\\x{d6}\\x{d8}-\\x{f6}\\x{f8}-\\x{1ba}\\x{1bc}-\\x{1bf}"                 \
    "\\x{1c4}-\\x{293}\\x{295}-\\x{2af}\\x{370}-\\x{373}\\x{376}\\x{377}\\x{37b}-\\x{37d}"         \
    "\\x{37f}\\x{386}\\x{388}-\\x{38a}\\x{38c}\\x{38e}-\\x{3a1}\\x{3a3}-\\x{3f5}"                  \
    "\\x{3f7}-\\x{481}\\x{48a}-\\x{52f}\\x{531}-\\x{556}\\x{10a0}-\\x{10c5}\\x{13a0}-\\x{13f5}"    \
    "\\x{13f8}-\\x{13fd}\\x{1c90}-\\x{1cba}\\x{1cbd}-\\x{1cbf}\\x{1d00}-\\x{1d2b}"                 \
    "\\x{1d6b}-\\x{1d77}\\x{1d79}-\\x{1d9a}\\x{1e00}-\\x{1f15}\\x{1f18}-\\x{1f1d}"                 \
    "\\x{1f20}-\\x{1f45}\\x{1f48}-\\x{1f4d}\\x{1f50}-\\x{1f57}\\x{1f59}\\x{1f5b}\\x{1f5d}"         \
    "\\x{1f5f}-\\x{1f7d}\\x{1f80}-\\x{1fb4}\\x{1fb6}-\\x{1fbc}\\x{1fbe}\\x{1fc2}-\\x{1fc4}"        \
    "\\x{1fc6}-\\x{1fcc}\\x{1fd0}-\\x{1fd3}\\x{1fd6}-\\x{1fdb}\\x{1fe0}-\\x{1fec}"                 \
    "\\x{1ff2}-\\x{1ff4}\\x{1ff6}-\\x{1ffc}\\x{2102}\\x{2107}\\x{210a}-\\x{2113}\\x{2115}"         \
    "\\x{2119}-\\x{211d}\\x{2124}\\x{2126}\\x{2128}\\x{212a}-\\x{212d}\\x{212f}-\\x{2134}"         \
    "\\x{2139}\\x{213c}-\\x{213f}\\x{2145}-\\x{2149}\\x{214e}\\x{2183}\\x{2184}"                   \
    "\\x{2c00}-\\x{2c7b}\\x{2c7e}-\\x{2ce4}\\x{2ceb}-\\x{2cee}\\x{2cf2}\\x{2cf3}"                  \
    "\\x{a640}-\\x{a66d}\\x{a680}-\\x{a69b}\\x{a722}-\\x{a76f}\\x{a771}-\\x{a787}"                 \
    "\\x{a78b}-\\x{a78e}\\x{ab70}-\\x{abbf}\\x{fb00}-\\x{fb06}\\x{fb13}-\\x{fb17}"                 \
    "\\x{ff21}-\\x{ff3a}\\x{ff41}-\\x{ff5a}\\x{10400}-\\x{1044f}\\x{104b0}-\\x{104d3}"             \
    "\\x{104d8}-\\x{104fb}\\x{10c80}-\\x{10cb2}\\x{10cc0}-\\x{10cf2}\\x{118a0}-\\x{118df}"         \
    "\\x{1e900}-\\x{1e943}"
#define SIGNS          "!-/:-~\\x{ff01}-\\x{ff0f}\\x{ff1a}-\\x{ff5e}\\x{2018}-\\x{201f}\\x{3000}-\\x{3002}"
#define HAN_AND_HANGUL "[\\x{4e00}-\\x{9fa5}\\x{800}-\\x{4e00}\\x{ac00}-\\x{d7ff}]+"
#define V3_WORDS                                                                                   \
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+"                                        \
    "|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*"                      \
    "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

#define GPT2_PIECES "" /* a step that is tokenizer_split.c's gpt-2 */
#define MOST_STEPS  6

static const struct {
    const char *name;
    const char *steps[MOST_STEPS + 1];
} known[] = {
    {"deepseek-llm",
     {"[\\r\\n]", "\\s?[" CASED "]+", "\\s?[" SIGNS "]+", "\\s+$", HAN_AND_HANGUL, "\\p{N}+"}},
    {"deepseek-coder", {"[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", HAN_AND_HANGUL, "\\p{N}"}},
    {"deepseek-v3",
     {"\\p{N}{1,3}", "[\\x{4e00}-\\x{9fa5}\\x{3040}-\\x{309f}\\x{30a0}-\\x{30ff}]+", V3_WORDS}},
    {"hunyuan-dense",
     {"\\p{N}{1,3}", "[\\x{4e00}-\\x{9fa5}\\x{3040}-\\x{309f}\\x{30a0}-\\x{30ff}]+", V3_WORDS}},
    {"falcon", {"[\\p{P}\\$\\+<=>\\^~\\|`]+", GPT2_PIECES, "[0-9][0-9][0-9]"}},
};

tokenizer_pre *
tokenizer_pre_from_name(const char *name)
{
    size_t k = 0;

    while (k < G_N_ELEMENTS(known) && strcmp(known[k].name, name) != 0)
        k++;
    if (k == G_N_ELEMENTS(known)) return NULL;
    tokenizer_pre *pre = tokenizer_pre_new();
    for (size_t i = 0; known[k].steps[i]; i++) {
        const char *step = known[k].steps[i];
        const gboolean added =
            *step ? tokenizer_pre_add_regex(pre, step, TOKENIZER_ISOLATED, FALSE, NULL)
                  : tokenizer_pre_add_scanner(pre, TOKENIZER_SPLIT_GPT2, NULL);
        g_assert(added);
    }
    return pre;
}

/* ---- the name of steps ---- */

/* Text in which two pre-tokenizers that differ show it. Files write one expression in many ways, so that comparing those
 * would tell less. A few runs of everything tell most apart. */
static const char *const check_runs[] = {
    "it's WE'LL don't 'S 'tis",
    "a1b22c333d4444e55555 1,234.5678 3/4",
    "  two   three    \t\t\n\n\n \r\n \n  x \n",
    "!!! ... a--b (c) [d] {e} <f> $g #h @i _j",
    "\xe4\xb8\xad\xe6\x96\x87\xe5\xad\x97 \xe3\x81\x8b\xe3\x81\xaa"
    "\xe3\x82\xab\xe3\x83\x8a \xed\x95\x9c\xea\xb8\x80 x\xe4\xb8\xad"
    "1",
    "e\xcc\x81 n\xcc\x83 \xe0\xa4\xa8\xe0\xa5\x8d\xe0\xa4\xa4\xe0\xa5\x87 ",
    "trailing   "};

/* Then every character that begins one of Unicode's categories, between letters, digits, signs and blanks, and all pairs of
 * ASCII. */
static GString *
make_check_text(void)
{
    GString *text = g_string_new(NULL);

    for (size_t i = 0; i < unicode_n_categories; i++) {
        const uint32_t cp = unicode_categories[i] >> 5;
        if (cp == 0 || (cp >= 0xD800 && cp < 0xE000)) continue;
        for (const char *p = "a1 .\n"; *p; p++) {
            g_string_append_c(text, *p);
            g_string_append_unichar(text, cp);
        }
        g_string_append_unichar(text, cp);
        g_string_append_c(text, 'b');
    }
    for (int a = 1; a < 128; a++) {
        for (int b = 1; b < 128; b++) {
            g_string_append_c(text, (char)a);
            g_string_append_c(text, (char)b);
        }
    }
    return text;
}

static void
append_piece(void *data, const char *piece, size_t len)
{
    g_string_append_len(data, piece, (gssize)len);
    g_string_append_c(data, '\xff'); /* in no text */
}

/* pre, or the scanner `split` when it is NULL. */
static GString *
cut_all(const tokenizer_pre *pre, tokenizer_split split, const char *text, size_t len)
{
    GString *pieces = g_string_new(NULL);

    if (pre)
        tokenizer_pre_cut(pre, text, len, append_piece, pieces);
    else
        tokenizer_split_text(split, text, len, append_piece, pieces);
    return pieces;
}

static gboolean
cut_alike(const tokenizer_pre *a, const tokenizer_pre *b, tokenizer_split split, const char *text,
          size_t len)
{
    g_autoptr(GString) of_a = cut_all(a, TOKENIZER_SPLIT_DEFAULT, text, len);
    g_autoptr(GString) of_b = cut_all(b, split, text, len);

    return g_string_equal(of_a, of_b);
}

const char *
tokenizer_pre_find_name(const tokenizer_pre *pre)
{
    static const char *const scanners[] = {"gpt-2", "smollm", "llama-bpe", "qwen2", "qwen35"};
    g_autoptr(GString) text = NULL;

    for (size_t i = 0; i < G_N_ELEMENTS(scanners) + G_N_ELEMENTS(known); i++) {
        const size_t k = i - G_N_ELEMENTS(scanners); /* of known, when it is one */
        const char *name = i < G_N_ELEMENTS(scanners) ? scanners[i] : known[k].name;
        g_autoptr(tokenizer_pre) other = tokenizer_pre_from_name(name);
        tokenizer_split split = TOKENIZER_SPLIT_DEFAULT;
        gboolean alike = other || tokenizer_split_from_name(name, &split);
        for (size_t r = 0; alike && r < G_N_ELEMENTS(check_runs); r++)
            alike = cut_alike(pre, other, split, check_runs[r], strlen(check_runs[r]));
        if (!alike) continue;
        if (!text) text = make_check_text();
        if (cut_alike(pre, other, split, text->str, text->len)) return name;
    }
    return NULL;
}

/* What a grammar costs per token: bench_grammar VOCABULARY.gguf [TOKENS]
 *
 * For each of some schemas writes TOKENS tokens (default 300) at random, and prints in microseconds of one thread's time:
 * the first mask, the worst and the mean mask of a first text, then the mean of a second one, by when the positions'
 * own masks are known; and what the tree of the vocabulary takes to make. */
#include "engine/grammar.h"
#include "engine/sample.h"
#include "engine/weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const char *const SCHEMAS[][2] = {
    {"any JSON", "{}"},
    {"answer with citations",
     "{\"type\":\"object\",\"properties\":{\"answer\":{\"type\":\"string\"},\"citations\":{"
     "\"type\":\"array\","
     "\"items\":{\"type\":\"object\",\"properties\":{\"passage\":{\"type\":\"integer\",\"minimum\":"
     "1,"
     "\"maximum\":12},\"quote\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":400}},"
     "\"required\":["
     "\"passage\",\"quote\"],\"additionalProperties\":false},\"minItems\":1,\"maxItems\":8},"
     "\"confidence\":{\"type\":\"number\",\"minimum\":0,\"maximum\":1}},\"required\":[\"answer\","
     "\"citations\",\"confidence\"],\"additionalProperties\":false}"},
    {"list of short strings",
     "{\"type\":\"array\",\"items\":{\"type\":\"string\",\"maxLength\":40},\"minItems\":20}"},
    {"pattern", "{\"type\":\"string\",\"pattern\":\"^[A-Z][a-z]+( [a-z]+){3,200}[.!?]$\"}"},
    {"tree", "{\"$ref\":\"#/$defs/"
             "t\",\"$defs\":{\"t\":{\"type\":\"object\",\"properties\":{\"name\":{\"type\":"
             "\"string\"},\"children\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/"
             "t\"}}},\"required\":["
             "\"name\",\"children\"]}}}"},
};

static double
now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

static int32_t
pick(const uint64_t *mask, uint32_t n_words, GRand *rand)
{
    guint n = 0;
    int32_t chosen = -1;
    for (uint32_t w = 0; w < n_words; w++)
        for (uint64_t bits = mask[w]; bits; bits &= bits - 1)
            if (g_rand_int_range(rand, 0, (gint32)++n) == 0)
                chosen = (int32_t)(w * 64 + (uint32_t)__builtin_ctzll(bits));
    return chosen;
}

/* One text; returns the mean. */
static double
write_text(const engine_grammar *grammar, const engine_tokenizer *tokenizer, guint n, guint32 seed,
           double *first, double *worst)
{
    const uint32_t n_words = engine_tokenizer_trie(tokenizer)->n_words;
    g_autoptr(grammar_matcher) matcher = grammar_matcher_new(grammar);
    GRand *rand = g_rand_new_with_seed(seed);
    double sum = 0.0;
    guint done = 0;
    for (*first = *worst = 0.0; done < n; done++) {
        const double start = now_us();
        const uint64_t *mask = grammar_matcher_mask(matcher);
        const double spent = now_us() - start;
        sum += spent;
        *worst = MAX(*worst, spent);
        if (done == 0) *first = spent;
        const int32_t token = pick(mask, n_words, rand);
        const char *bytes = NULL;
        size_t len = 0;
        if (token < 0 || !engine_tokenizer_token_bytes(tokenizer, token, &bytes, &len)) break;
        const double before = now_us();
        grammar_matcher_accept(matcher, bytes, len);
        sum += now_us() - before;
    }
    g_rand_free(rand);
    return done > 0 ? sum / done : 0.0;
}

int
main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    const guint n = argc > 2 ? (guint)atoi(argv[2]) : 300;
    g_autoptr(engine_weights) weights = argc > 1 ? engine_weights_open(argv[1], &error) : NULL;
    g_autoptr(engine_tokenizer) tokenizer =
        weights ? engine_tokenizer_new_from_gguf(weights, &error) : NULL;
    if (!tokenizer) {
        fprintf(stderr, "%s\n",
                error ? error->message : "usage: bench_grammar VOCABULARY.gguf [TOKENS]");
        return 1;
    }
    const double start = now_us();
    const vocab_trie *trie = engine_tokenizer_trie(tokenizer);
    printf("%u tokens, %u nodes, tree made in %.1f ms\n", trie->n_tokens, trie->n_nodes,
           (now_us() - start) / 1e3);
    printf("%-24s %9s %9s %9s %9s %9s\n", "us per token", "compile", "first", "worst", "mean",
           "2nd mean");
    for (size_t i = 0; i < G_N_ELEMENTS(SCHEMAS); i++) {
        const double begin = now_us();
        grammar_program *program = grammar_program_from_schema(SCHEMAS[i][1], &error);
        if (!program) {
            fprintf(stderr, "%s\n", error->message);
            return 1;
        }
        const double compiled = now_us() - begin;
        g_autoptr(engine_grammar) grammar = grammar_bind(program, trie);
        double first, worst, ignored;
        const double cold = write_text(grammar, tokenizer, n, 1, &first, &worst);
        const double warm = write_text(grammar, tokenizer, n, 1, &ignored, &ignored);
        printf("%-24s %9.0f %9.0f %9.0f %9.1f %9.1f\n", SCHEMAS[i][0], compiled, first, worst, cold,
               warm);
    }
    return 0;
}

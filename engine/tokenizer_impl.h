/* What an engine_tokenizer is made of. Private to engine/tokenizer*.c.
 *
 *   tokenizer.c            encode, decode, splitting at added tokens
 *   tokenizer_map.c        bytes -> id
 *   tokenizer_split.c      pre-tokenizers: where a byte-level BPE may not merge across
 *   tokenizer_pre.c        and those made of steps; tokenizer_pre_named.c: the ones with a name
 *   tokenizer_bpe.c        byte-level BPE of one piece
 *   tokenizer_merges.c     its list of merges
 *   tokenizer_spm.c        SentencePiece: normalisation, BPE of characters by score
 *   tokenizer_charsmap.c   SentencePiece's compiled normalisation rules
 *   tokenizer_unigram.c    Unigram: the most probable cut
 *   tokenizer_science.c    Intern-S1: SentencePiece models between tags
 *   tokenizer_detect.c     Intern-S1: what they cut where there are no tags
 *   tokenizer_wordpiece.c  BERT normalisation and WordPiece
 *   tokenizer_gguf.c, tokenizer_json.c, tokenizer_model.c   the ways to load one */
#ifndef LODE_ENGINE_TOKENIZER_IMPL_H
#define LODE_ENGINE_TOKENIZER_IMPL_H

#include "engine/tokenizer.h"
#include "engine/unicode.h"

/* ---- map from byte strings to ids ------------------------------------------------------------- */

/* Eight bytes: a vocabulary is a hundred thousand of them and more. */
typedef struct {
    uint32_t offset; /* of its text in engine_tokenizer.text */
    uint16_t len;
    uint8_t type, flags; /* tokenizer_type, TOKENIZER_LSTRIP ... */
} tokenizer_token;

typedef struct {
    const GString *text; /* the keys are parts of it; borrowed */
    const GArray *keys;  /* of tokenizer_token: the tokenizer's tokens by id, borrowed, or `own` */
    GArray *own;         /* keys that are no tokens; NULL */
    uint32_t *slots;     /* [n_slots], a power of two */
    size_t n_slots, n_keys;
    size_t max_len;      /* of a key */
    gboolean first[256]; /* some key starts with this byte */
} tokenizer_map;

/* The keys are tokens' texts; with tokens NULL other parts of text, and their ids 0, 1, ... text and tokens may grow,
 * but what keys they hold must stay where they are. */
void tokenizer_map_init(tokenizer_map *map, const GString *text, const GArray *tokens);
void tokenizer_map_clear(tokenizer_map *map);
/* Make room for n keys in all: the table does not grow on the way. */
void tokenizer_map_reserve(tokenizer_map *map, size_t n);
/* Enter tokens ids [n]. A text that is there already keeps its first id; empty ones are left out. */
void tokenizer_map_add(tokenizer_map *map, const int32_t *ids, size_t n);
/* Enter key [len], which lies in the map's text, into a map without tokens; as above, and without those over 64 KiB. */
void tokenizer_map_add_key(tokenizer_map *map, const char *key, size_t len);
/* -1 when absent. */
int32_t tokenizer_map_lookup(const tokenizer_map *map, const char *key, size_t len);
/* The id of a [n_a] and b [n_b], one behind the other. */
int32_t tokenizer_map_lookup_joined(const tokenizer_map *map, const char *a, size_t n_a,
                                    const char *b, size_t n_b);
/* The longest key that s [n] starts with: its length (0: none) and its id. Time O(longest key). */
size_t tokenizer_map_longest(const tokenizer_map *map, const char *s, size_t n, int32_t *id);

/* A map's hash is computed left to right: walking along a text gives that of every beginning. */
#define TOKENIZER_HASH_START 0xcbf29ce484222325u
#define TOKENIZER_HASH_PRIME 0x100000001b3u
static inline uint64_t
tokenizer_hash_step(uint64_t hash, char c)
{
    return (hash ^ (uint8_t)c) * TOKENIZER_HASH_PRIME;
}
static inline uint64_t
tokenizer_hash_on(uint64_t hash, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        hash = tokenizer_hash_step(hash, s[i]);
    return hash;
}
int32_t tokenizer_map_lookup_hashed(const tokenizer_map *map, uint64_t hash, const char *key,
                                    size_t len);

/* The memory that a search for this hash begins with, into the caches: for who looks up many at a time. */
void tokenizer_map_prefetch(const tokenizer_map *map, uint64_t hash);

size_t tokenizer_map_size(const tokenizer_map *map);
/* Of a map without tokens: the key with id index, its bytes [*len], owned by map. */
const char *tokenizer_map_own_key(const tokenizer_map *map, size_t index, size_t *len);

/* ---- pre-tokenizers --------------------------------------------------------------------------- */

typedef enum {
    TOKENIZER_SPLIT_GPT2,
    TOKENIZER_SPLIT_SMOLLM, /* every digit alone, then gpt-2 */
    TOKENIZER_SPLIT_LLAMA3,
    TOKENIZER_SPLIT_QWEN2,
    TOKENIZER_SPLIT_QWEN35,
    TOKENIZER_SPLIT_DEFAULT /* llama.cpp's for files that name none */
} tokenizer_split;

/* Called with consecutive pieces that together are the text; none is empty. */
typedef void (*tokenizer_piece_fn)(void *data, const char *piece, size_t len);

/* text [len] is well-formed UTF-8. Linear time. */
void tokenizer_split_text(tokenizer_split split, const char *text, size_t len,
                          tokenizer_piece_fn fn, void *data);
/* The value of tokenizer.ggml.pre. */
gboolean tokenizer_split_from_name(const char *name, tokenizer_split *out);

/* Steps that cut one behind the other. What a step's matches become, in the words of tokenizer.json. */
typedef enum {
    TOKENIZER_ISOLATED, /* pieces of their own */
    TOKENIZER_REMOVED,
    TOKENIZER_CONTIGUOUS, /* one piece with the matches they touch */
    TOKENIZER_MERGED_WITH_PREVIOUS,
    TOKENIZER_MERGED_WITH_NEXT
} tokenizer_behavior;

typedef struct tokenizer_pre tokenizer_pre;

tokenizer_pre *tokenizer_pre_new(void);
void tokenizer_pre_free(tokenizer_pre *pre); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(tokenizer_pre, tokenizer_pre_free)
/* The steps of a value of tokenizer.ggml.pre, NULL when it names none that are made of steps. */
tokenizer_pre *tokenizer_pre_from_name(const char *name);
/* The value that names what cuts as these steps do, NULL when none does. */
const char *tokenizer_pre_find_name(const tokenizer_pre *pre);

/* Append a step: an expression in Oniguruma's syntax (UNSUPPORTED when it has something that we cannot read the same
 * way), characters with one of the flags class each alone or in runs, or a whole scanner. invert: what does not match
 * counts as matching. */
gboolean tokenizer_pre_add_regex(tokenizer_pre *pre, const char *pattern,
                                 tokenizer_behavior behavior, gboolean invert, GError **error);
gboolean tokenizer_pre_add_class(tokenizer_pre *pre, unsigned class, gboolean runs,
                                 tokenizer_behavior behavior, GError **error);
gboolean tokenizer_pre_add_scanner(tokenizer_pre *pre, tokenizer_split split, GError **error);
/* The steps added from now on see GPT-2's alphabet instead of the text. */
void tokenizer_pre_to_bytes(tokenizer_pre *pre);

/* text [len] is well-formed UTF-8. Pieces are not empty; together they are the text less what was removed. Each match
 * has a bounded time. Thread-safe. */
void tokenizer_pre_cut(const tokenizer_pre *pre, const char *text, size_t len,
                       tokenizer_piece_fn fn, void *data);

/* ---- byte-level BPE --------------------------------------------------------------------------- */

typedef struct {
    uint64_t pair; /* left id << 32 | right id */
    uint32_t rank; /* UINT32_MAX: free slot */
    int32_t merged;
} tokenizer_merge;

typedef struct {
    tokenizer_split split;
    tokenizer_pre *pre; /* takes the place of split; NULL: none */
    gboolean
        ignore_merges; /* a piece that is a token is that token, whatever the merges make of it */
    gboolean prefix_space; /* text that does not start with a space gets one */
    gboolean nfc;
    int32_t byte_id[256]; /* -1: the vocabulary lacks this byte */
    int32_t unk;          /* in place of such a byte; -1: it is left out */
    size_t n_merges;
    /* where merge i makes token first_merged + i: bytes of its left part; else NULL, and the table */
    uint16_t *cuts;
    int32_t first_merged;
    tokenizer_merge *merges; /* [n_slots] open addressing */
    size_t n_slots;
} tokenizer_bpe;

#define TOKENIZER_NO_ID INT32_MIN /* of no symbol: unknown characters have negative ids too */

/* The byte a character of GPT-2's printable alphabet stands for, -1 for any other character. */
int tokenizer_bpe_byte(uint32_t cp);
/* And back. */
uint32_t tokenizer_bpe_character(uint8_t byte);
/* How many bytes s [len] in that alphabet stands for: one a character. */
static inline size_t
tokenizer_bpe_count(const char *s, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++)
        n += ((uint8_t)s[i] & 0xC0) != 0x80;
    return n;
}
/* Token text in that alphabet [len] to bytes: at most len of them to out. Returns how many, -1 when a character is not
 * of the alphabet. */
gssize tokenizer_bpe_unmap(const char *text, size_t len, char *out);

/* Pieces met before in the same call and what they became: most words of a text are not new. */
typedef struct {
    struct tokenizer_cache_entry *entries; /* NULL until the text is long enough to be worth it */
    GByteArray *keys;
    GArray *ids; /* int32_t */
} tokenizer_cache;

/* Scratch of one encode call. */
typedef struct {
    const engine_tokenizer *tokenizer;
    GArray *symbols, *heap;
    GArray *merged; /* int32_t: what tokenizer_bpe_merge_symbols left */
    GArray *out;    /* int32_t */
    GString *text;  /* SentencePiece: a normalised stretch */
    GArray *path;   /* Unigram: the best way to each byte */
    gboolean after_unknown;
    tokenizer_cache cache;
} tokenizer_bpe_run;

/* len: bytes of the text to come. */
void tokenizer_bpe_run_init(tokenizer_bpe_run *run, const engine_tokenizer *tokenizer, size_t len,
                            GArray *out);
void tokenizer_bpe_run_clear(tokenizer_bpe_run *run);
/* Append to run->out what piece [len] became before; FALSE when it is new. Then, once run->out has its ids
 * from index `from` on, put remembers them. */
gboolean tokenizer_cache_get(tokenizer_bpe_run *run, const char *piece, size_t len);
void tokenizer_cache_put(tokenizer_bpe_run *run, const char *piece, size_t len, guint from);
/* A tokenizer_piece_fn; data is a tokenizer_bpe_run. */
void tokenizer_bpe_piece(void *run, const char *piece, size_t len);

/* Enter a pair; the first to name a pair wins. The table grows as needed. */
void tokenizer_bpe_add_merge(tokenizer_bpe *bpe, int32_t left, int32_t right, uint32_t rank,
                             int32_t merged);
/* What two neighbours become: rank UINT32_MAX for nothing. */
tokenizer_merge tokenizer_bpe_find_merge(const engine_tokenizer *tokenizer, int32_t left,
                                         int32_t right);
/* All merges (tokenizer_merge) by rank. Free with g_array_unref. */
GArray *tokenizer_bpe_list_merges(const engine_tokenizer *tokenizer);
/* Merge run->symbols, which the caller has filled with tokenizer_bpe_push, and leave what remains in
 * run->merged (int32_t). */
void tokenizer_bpe_push(tokenizer_bpe_run *run, int32_t id);
void tokenizer_bpe_merge_symbols(tokenizer_bpe_run *run);

/* ---- SentencePiece ---------------------------------------------------------------------------- */

/* A piece keeps U+2581 as the blank it stands for. Text is normalised to the same, so a literal U+2581
 * counts as a blank, as it does in the reference. */

typedef struct {
    uint32_t *units; /* [n_units] Darts-clone double array; NULL: no rules */
    size_t n_units;
    char *strings; /* [n_strings] NUL-terminated ones, the last byte is NUL */
    size_t n_strings;
} tokenizer_charsmap;

/* data [len]: precompiled_charsmap of a SentencePiece model. Copied. FALSE (FORMAT) when malformed. */
gboolean tokenizer_charsmap_init(tokenizer_charsmap *map, const uint8_t *data, size_t len,
                                 GError **error);
void tokenizer_charsmap_clear(tokenizer_charsmap *map);
/* The longest rule that applies at text [len]: bytes it takes the place of, 0 for none; what it puts there,
 * owned by map. */
size_t tokenizer_charsmap_match(const tokenizer_charsmap *map, const char *text, size_t len,
                                const char **with);

typedef enum {
    TOKENIZER_PREFIX_NEVER,
    TOKENIZER_PREFIX_TEXT,   /* a blank before the text */
    TOKENIZER_PREFIX_SEGMENT /* and before what follows a special token */
} tokenizer_prefix;

typedef struct {
    tokenizer_prefix prefix;
    gboolean prefix_if_none; /* only where the text does not start with a blank */
    gboolean remove_extra;   /* runs of blanks become one, those at the ends nothing */
    gboolean split_blanks;   /* every blank starts a word, also inside a run of them */
    gboolean fuse_unknown;   /* a run of unknown characters is one unknown token */
    gboolean inner_blanks;   /* some piece has a blank behind another character */
    tokenizer_charsmap charsmap;
    tokenizer_map user; /* user-defined pieces: found in the text and never merged */
    tokenizer_map
        rare; /* characters of pieces that are no pieces themselves: their ids go past the vocabulary */
    /* Unigram */
    double *scores;       /* [n_tokens] */
    double unknown_score; /* of a character without a piece */
    gboolean single;      /* sums are kept as float, as the reference in C++ has them */
    tokenizer_map
        starts; /* every beginning of a piece that is no piece itself; the id means nothing */
} tokenizer_spm;

/* Replace U+2581 by blanks; appends to out. */
void tokenizer_spm_unescape(const char *text, size_t len, GString *out);
/* The byte of "<0x41>", -1 when text is not of that form. */
int tokenizer_spm_byte(const char *text, size_t len);
/* After tokenizer_build_maps: byte tokens, characters; with scores [n_tokens] also the merges by score. */
gboolean tokenizer_spm_build(engine_tokenizer *tokenizer, const float *scores, GError **error);
gboolean tokenizer_unigram_build(engine_tokenizer *tokenizer, const double *scores, GError **error);

/* text [len] well formed; first: nothing comes before it, segment: it is the first thing behind a special
 * token. Appends to run->out. */
void tokenizer_spm_encode(tokenizer_bpe_run *run, const char *text, size_t len, gboolean first);
/* Normalised text [len]. */
void tokenizer_unigram_piece(tokenizer_bpe_run *run, const char *text, size_t len);
/* Appends a character without a piece: its byte tokens, or the unknown one. */
void tokenizer_spm_put_unknown(tokenizer_bpe_run *run, const char *text, size_t len);

/* ---- WordPiece -------------------------------------------------------------------------------- */

typedef struct {
    gboolean clean_text, chinese_chars, strip_accents, lowercase;
    size_t max_word_chars; /* longer words are unknown */
    tokenizer_map rest; /* pieces inside a word; those that start one are in the tokenizer's map */
} tokenizer_wordpiece;

/* text [len] is well-formed UTF-8. */
void tokenizer_wordpiece_encode(const engine_tokenizer *tokenizer, const char *text, size_t len,
                                GArray *out);

/* ---- Intern-S1's science tokenizers ------------------------------------------------------------ */

typedef struct tokenizer_science tokenizer_science;

/* Add the model that cuts what stands between <name> and </name>; the order of calls gives the ids. Takes
 * pieces, also when it fails. After tokenizer_build_maps. */
gboolean tokenizer_science_add(engine_tokenizer *tokenizer, const char *name,
                               engine_tokenizer *pieces, GError **error);
/* The model that an opening tag switches to, NULL for any other token; whether a token closes one. */
const tokenizer_science *tokenizer_science_at(const engine_tokenizer *tokenizer, int32_t tag);
gboolean tokenizer_science_closes(const engine_tokenizer *tokenizer, int32_t tag);
/* The model that a piece is of, NULL for tokens of the base vocabulary. */
const tokenizer_science *tokenizer_science_of(const engine_tokenizer *tokenizer, int32_t id);
void tokenizer_science_encode(const tokenizer_science *science, const char *text, size_t len,
                              GArray *out);
/* A blank was put before the text. */
gboolean tokenizer_science_strips(const tokenizer_science *science);
/* Text outside of tags: calls plain for what the base vocabulary cuts, in order, and encodes the molecules and proteins
 * between. *n_protected counts open <MOLFORMULA>, in which nothing is looked for; they are seen when with_tags. */
typedef void (*tokenizer_plain_fn)(void *data, const char *text, size_t len);
void tokenizer_science_detect(const engine_tokenizer *tokenizer, const char *text, size_t len,
                              gboolean with_tags, uint32_t *n_protected, tokenizer_plain_fn plain,
                              void *data, GArray *out);

/* tokenizer_detect.c: the next molecule (SMILES) or protein (FASTA) at or behind *start. */
gboolean tokenizer_detect_molecule(const char *text, size_t len, size_t *start, size_t *end);
gboolean tokenizer_detect_protein(const char *text, size_t len, size_t *start, size_t *end);

/* ---- the tokenizer ---------------------------------------------------------------------------- */

typedef enum {
    TOKENIZER_KIND_BPE,
    TOKENIZER_KIND_WORDPIECE,
    TOKENIZER_KIND_SPM, /* SentencePiece BPE */
    TOKENIZER_KIND_UNIGRAM
} tokenizer_kind;

/* As tokenizer.ggml.token_type. */
typedef enum {
    TOKENIZER_TYPE_NORMAL = 1,
    TOKENIZER_TYPE_UNKNOWN = 2,
    TOKENIZER_TYPE_CONTROL = 3,
    TOKENIZER_TYPE_USER = 4,
    TOKENIZER_TYPE_UNUSED = 5,
    TOKENIZER_TYPE_BYTE = 6
} tokenizer_type;

enum {                            /* tokenizer_token.flags */
       TOKENIZER_LSTRIP = 1 << 0, /* an added token that swallows the white space before it */
       TOKENIZER_RSTRIP = 1 << 1,
       TOKENIZER_SINGLE_WORD = 1 << 2, /* only where no letter, number, mark or _ touches it */
       TOKENIZER_INSIDE_WORD = 1 << 3, /* WordPiece: continues a word */
       TOKENIZER_PIECE = 1 << 4        /* SentencePiece: user-defined inside the model */
};

struct engine_tokenizer {
    tokenizer_kind kind;
    GArray *tokens;        /* of tokenizer_token, by id */
    size_t max_tokens;     /* ids are below this */
    GString *text;         /* what tokens decode to, one behind the other */
    tokenizer_map map;     /* BPE: normal tokens' bytes; WordPiece: pieces that start a word */
    gboolean unique;       /* no two normal tokens have the same text, none has an empty one */
    tokenizer_map added;   /* control and user-defined tokens, as they stand in a text */
    tokenizer_map literal; /* of those the user-defined ones: they are found in any text */
    tokenizer_map control; /* and the others */
    tokenizer_bpe bpe;
    tokenizer_spm spm;
    tokenizer_wordpiece wordpiece;
    GArray *prefix, *suffix; /* int32_t: what ADD_SPECIAL puts around a text */
    int32_t bos, eos, pad, unk;
    GArray *ends; /* int32_t */
    char *chat_template;
    GPtrArray *science;      /* of tokenizer_science, NULL for none */
    size_t n_base;           /* where the ids of the next one start */
    struct vocab_trie *trie; /* of engine_tokenizer_trie; NULL until asked for */
};

#define TOKENIZER_MAX_VOCAB ((size_t)1 << 24)
/* Ids of a file may have holes, but a few bytes of JSON must not ask for gigabytes of them. */
#define TOKENIZER_MAX_HOLES 65536

engine_tokenizer *tokenizer_new(tokenizer_kind kind);

/* Ids 0 .. n-1, n <= max_tokens, unused until they get their text; room for n_bytes of that. */
void tokenizer_reserve(engine_tokenizer *tokenizer, size_t n, size_t n_bytes);

/* Give an id its text; ids that come out of order leave unused ones between. FALSE (FORMAT) when id is
 * out of bounds or has a text already. */
gboolean tokenizer_set_token(engine_tokenizer *tokenizer, int64_t id, const char *text, size_t len,
                             tokenizer_type type, unsigned flags, GError **error);

/* Enter all tokens into the maps. */
gboolean tokenizer_build_maps(engine_tokenizer *tokenizer, GError **error);
/* Byte-level BPE: merges [n] as "left right" in GPT-2's alphabet. tokens: the vocabulary by id in the same, or NULL,
 * then the merges take longer to read. */
gboolean tokenizer_bpe_build(engine_tokenizer *tokenizer, const engine_bytes *tokens,
                             const engine_bytes *merges, size_t n, GError **error);
/* The id of a control or user-defined token by its text, else of a normal one, else -1. */
int32_t tokenizer_find(const engine_tokenizer *tokenizer, const char *text);
/* Collect the ids that end a text: eos and well-known names. */
void tokenizer_find_ends(engine_tokenizer *tokenizer);

#endif

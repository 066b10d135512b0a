/* Grammars that text is held to while it is generated. Private to engine/.
 *
 *     text or JSON Schema -> nodes (a tree of rules) -> program (positions over bytes) -> matcher -> token mask
 *
 * The notation of engine_grammar_new, close to the GBNF that other engines read:
 *
 *     root   ::= "{" pair ("," pair)* "}"      # a comment; rules may be spread over lines
 *     pair   ::= key ":" [0-9]{1,3}
 *     key    ::= "\"" [^"\\\x00-\x1F]+ "\""
 *
 *   "text"         these bytes; escapes \n \r \t \\ \" \xHH \uHHHH \UHHHHHHHH
 *   [a-z_] [^...]  one character of these, or not of these; escapes as above and \] \^ \-
 *   .              any character
 *   name           a rule: letters, digits, _ and -
 *   (...)  |       grouping, alternatives
 *   * + ? {n} {n,} {m,n}   repetition of what stands before
 *
 * Generation begins at `root`. Rules may refer to themselves, but not at their own left end. */
#ifndef LODE_ENGINE_GRAMMAR_H
#define LODE_ENGINE_GRAMMAR_H

#include "engine/engine.h"
#include "engine/vocab_trie.h"

G_BEGIN_DECLS

#define GRAMMAR_UNLIMITED UINT32_MAX

/* ---- nodes (grammar_build.c) ------------------------------------------------------------------ */

/* Nodes are numbers; a node may be used in any number of places. Nothing fails while building: when a grammar grows
 * beyond its limits, grammar_build_finish says so. One thread at a time. */
typedef uint32_t grammar_node;
typedef struct grammar_build grammar_build;
typedef struct grammar_program grammar_program;

typedef struct {
    uint32_t first, last; /* code points, both included */
} grammar_range;

grammar_build *grammar_build_new(void);
void grammar_build_free(grammar_build *build); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(grammar_build, grammar_build_free)

grammar_node grammar_empty(grammar_build *build); /* "" */
grammar_node grammar_text(grammar_build *build, const char *bytes, size_t len);
/* A character of ranges [n], in any order; with `negated` any other. Surrogates are no characters. */
grammar_node grammar_class(grammar_build *build, const grammar_range *ranges, size_t n,
                           gboolean negated);
grammar_node grammar_seq(grammar_build *build, const grammar_node *nodes, size_t n);
grammar_node grammar_alt(grammar_build *build, const grammar_node *nodes, size_t n);
/* max may be GRAMMAR_UNLIMITED. */
grammar_node grammar_repeat(grammar_build *build, grammar_node node, uint32_t min, uint32_t max);
grammar_node grammar_ref(grammar_build *build, uint32_t rule);
/* A new rule without a body; the name is for messages. */
uint32_t grammar_rule(grammar_build *build, const char *name);
void grammar_define(grammar_build *build, uint32_t rule, grammar_node node);
gboolean grammar_is_full(const grammar_build *build); /* beyond the limits: stop building */

/* The texts that all [n_all] match and none [n_none] do not: a node. The operands are regular: they refer to rules
 * with bodies, which come back to themselves at their ends at most. *is_empty: no text is left. FALSE, and nothing but some bytes
 * are lost, when that takes too many states or an operand is not regular. (grammar_combine.c) */
gboolean grammar_combine(grammar_build *build, const grammar_node *all, size_t n_all,
                         const grammar_node *none, size_t n_none, grammar_node *out,
                         gboolean *is_empty);

/* FORMAT: a rule without a body, a rule left-recursive, a root that no text satisfies; LIMIT. */
grammar_program *grammar_build_finish(grammar_build *build, uint32_t root, GError **error);

/* ---- the two readers -------------------------------------------------------------------------- */

grammar_program *grammar_program_parse(const char *text, GError **error); /* grammar_parse.c */
grammar_program *grammar_program_from_schema(const char *text, GError **error); /* json_schema.c */

/* A regular expression of JSON Schema's kind into nodes whose text stands inside a JSON string: quotes, backslashes
 * and control characters are written escaped. *min, *max: in, the lengths wished for, which an expression of one
 * repeated character is cut to; out, how many characters match, max GRAMMAR_UNLIMITED where there is no bound.
 * FALSE with FORMAT, UNSUPPORTED or LIMIT. (json_schema_pattern.c) */
gboolean json_schema_pattern(grammar_build *build, const char *pattern, grammar_node *out,
                             uint32_t *min, uint32_t *max, GError **error);

/* ---- program (grammar_program.c) -------------------------------------------------------------- */

/* What a position does. Alternatives are followed all at once; only BYTES consumes anything. */
typedef enum {
    GRAMMAR_BYTES,   /* edges [first, first + n): a byte of [lo, hi] leads to target */
    GRAMMAR_SPLIT,   /* targets [first, first + n) */
    GRAMMAR_CALL,    /* rule a, then next */
    GRAMMAR_REPEAT,  /* rule a, min to max times, counted on the stack, then next */
    GRAMMAR_LOOP,    /* body a, min to max times, counted beside the position, then next */
    GRAMMAR_END,     /* of a rule */
    GRAMMAR_BODY_END /* of a loop's body */
} grammar_kind;

typedef struct {
    uint8_t kind;
    uint8_t in_body;   /* belongs to a loop's body, else to a rule */
    uint32_t first, n; /* BYTES, SPLIT */
    uint32_t a, next;  /* CALL, REPEAT, LOOP; a of BYTES in a body: which body */
    uint32_t min, max;
} grammar_position;

typedef struct {
    uint8_t lo, hi;
    uint32_t target;
} grammar_edge;

/* Immutable. A loop's body is a prefix code without calls, so bytes alone tell how often it was run through. */
struct grammar_program {
    grammar_position *positions;
    grammar_edge *edges;
    uint32_t *targets;
    uint32_t *rules;  /* where each begins */
    uint32_t *bodies; /* where each begins */
    uint32_t n_positions, n_edges, n_targets, n_rules, n_bodies;
    uint32_t root;
};

void grammar_program_free(grammar_program *program); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(grammar_program, grammar_program_free)

/* ---- grammar bound to a vocabulary ------------------------------------------------------------ */

/* Takes program; trie is borrowed. */
engine_grammar *grammar_bind(grammar_program *program, const vocab_trie *trie);

/* ---- matcher (grammar_match.c) ---------------------------------------------------------------- */

/* Where one sequence stands in a grammar. One thread at a time; several matchers may share a grammar. */
typedef struct grammar_matcher grammar_matcher;

grammar_matcher *grammar_matcher_new(const engine_grammar *grammar);
grammar_matcher *grammar_matcher_clone(const grammar_matcher *matcher);
void grammar_matcher_free(grammar_matcher *matcher); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(grammar_matcher, grammar_matcher_free)

void grammar_matcher_reset(grammar_matcher *matcher);
/* Go on behind these bytes. FALSE, and nothing has changed, when they are not allowed. */
gboolean grammar_matcher_accept(grammar_matcher *matcher, const char *bytes, size_t len);
/* Take back the last n successful accepts, n <= GRAMMAR_MAX_REWIND. */
#define GRAMMAR_MAX_REWIND 256
void grammar_matcher_rewind(grammar_matcher *matcher, size_t n);
/* Could bytes be accepted? Changes nothing. */
gboolean grammar_matcher_allows(grammar_matcher *matcher, const char *bytes, size_t len);
/* The text may end here. */
gboolean grammar_matcher_can_end(const grammar_matcher *matcher);
/* Bit id of word id / 64 is set when token id may come next; [trie->n_words], until the next call. */
const uint64_t *grammar_matcher_mask(grammar_matcher *matcher);
/* The grammar was too ambiguous to follow: masks and accepts are incomplete from there on. */
gboolean grammar_matcher_failed(const grammar_matcher *matcher);
/* Append the bytes that must come next, at most max. */
void grammar_matcher_forced(grammar_matcher *matcher, size_t max, GString *out);

G_END_DECLS
#endif

/* The tree that grammar_build.c makes and grammar_program.c compiles. Private to these two. */
#ifndef LODE_ENGINE_GRAMMAR_NODES_H
#define LODE_ENGINE_GRAMMAR_NODES_H

#include "engine/grammar.h"

G_BEGIN_DECLS

enum {
    NODE_MAX = 1 << 20,
    NODE_MAX_RULES = 1 << 16,
    NODE_MAX_DEPTH = 400, /* of nested nodes; readers keep to less */
    NODE_MAX_BYTES = 1 << 24,
    NODE_MAX_RANGES = 1 << 20,
    NODE_MAX_POSITIONS = 1 << 20,
    NODE_UNROLL = 48 /* a repetition up to so many positions is written out */
};

typedef enum { NODE_TEXT, NODE_CLASS, NODE_SEQ, NODE_ALT, NODE_REPEAT, NODE_REF } node_kind;

typedef struct {
    uint8_t kind;
    uint8_t simple; /* becomes bytes and splits only: no calls, no counting */
    uint16_t depth;
    uint32_t first, n; /* TEXT: bytes; CLASS: ranges; SEQ, ALT: children */
    uint32_t child;    /* REPEAT: node; REF: rule */
    uint32_t min, max;
    uint32_t size; /* positions it will take, about; never too small by more than a factor */
} node;

typedef struct {
    char *name;
    uint32_t root; /* node, UINT32_MAX: not defined */
} node_rule;

struct grammar_build {
    GArray *nodes;    /* of node */
    GArray *children; /* of uint32_t */
    GArray *ranges;   /* of grammar_range: sorted, disjoint, without surrogates */
    GString *bytes;
    GArray *rules; /* of node_rule */
    gboolean full;
};

static inline node *
node_at(const grammar_build *b, uint32_t index)
{
    return &g_array_index(b->nodes, node, index);
}

static inline uint32_t
node_child(const grammar_build *b, uint32_t at)
{
    return g_array_index(b->children, uint32_t, at);
}

G_END_DECLS
#endif

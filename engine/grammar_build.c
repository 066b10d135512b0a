/* Building the tree of a grammar, within limits. */
#include "engine/grammar_nodes.h"

#include <stdlib.h>
#include <string.h>

grammar_build *
grammar_build_new(void)
{
    grammar_build *b = g_new0(grammar_build, 1);
    b->nodes = g_array_new(FALSE, FALSE, sizeof(node));
    b->children = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    b->ranges = g_array_new(FALSE, FALSE, sizeof(grammar_range));
    b->bytes = g_string_new(NULL);
    b->rules = g_array_new(FALSE, FALSE, sizeof(node_rule));
    grammar_text(b, "", 0); /* node 0 is the empty text */
    return b;
}

void
grammar_build_free(grammar_build *b)
{
    if (!b) return;
    for (guint i = 0; i < b->rules->len; i++)
        g_free(g_array_index(b->rules, node_rule, i).name);
    g_array_unref(b->nodes);
    g_array_unref(b->children);
    g_array_unref(b->ranges);
    g_array_unref(b->rules);
    g_string_free(b->bytes, TRUE);
    g_free(b);
}

gboolean
grammar_is_full(const grammar_build *b)
{
    return b->full;
}

static uint32_t
saturate(uint64_t n)
{
    return (uint32_t)MIN(n, (uint64_t)UINT32_MAX / 4);
}

static grammar_node
add(grammar_build *b, node n)
{
    if (b->full || b->nodes->len >= NODE_MAX || n.depth > NODE_MAX_DEPTH) {
        b->full = TRUE;
        return 0;
    }
    g_array_append_val(b->nodes, n);
    return b->nodes->len - 1;
}

grammar_node
grammar_empty(grammar_build *b)
{
    (void)b;
    return 0;
}

grammar_node
grammar_text(grammar_build *b, const char *bytes, size_t len)
{
    if (len > NODE_MAX_BYTES - b->bytes->len) {
        b->full = TRUE;
        return 0;
    }
    const node n = {.kind = NODE_TEXT,
                    .simple = TRUE,
                    .first = (uint32_t)b->bytes->len,
                    .n = (uint32_t)len,
                    .size = (uint32_t)len};
    g_string_append_len(b->bytes, bytes, (gssize)len);
    return add(b, n);
}

/* ---- classes ---- */

static int
compare_ranges(const void *a, const void *b)
{
    const grammar_range *x = a, *y = b;
    return x->first < y->first ? -1 : x->first > y->first;
}

/* Append [first, last] without the surrogates, which UTF-8 does not have. */
static void
append_range(grammar_build *b, uint32_t first, uint32_t last)
{
    const grammar_range parts[2] = {{first, MIN(last, 0xD7FF)}, {MAX(first, 0xE000), last}};
    for (int i = 0; i < 2; i++)
        if (parts[i].first <= parts[i].last) g_array_append_val(b->ranges, parts[i]);
}

grammar_node
grammar_class(grammar_build *b, const grammar_range *ranges, size_t n, gboolean negated)
{
    if (b->full || n > NODE_MAX_RANGES - b->ranges->len - 2 ||
        b->ranges->len > NODE_MAX_RANGES - 8) {
        b->full = TRUE;
        return 0;
    }
    g_autofree grammar_range *sorted = g_memdup2(ranges, n * sizeof *ranges);
    if (n > 0) qsort(sorted, n, sizeof *sorted, compare_ranges);
    const guint start = b->ranges->len;
    uint32_t at = 0; /* everything below is decided */
    for (size_t i = 0; i < n; i++) {
        const uint32_t first = MAX(sorted[i].first, at), last = MIN(sorted[i].last, 0x10FFFF);
        if (first > last) continue;
        if (!negated)
            append_range(b, first, last);
        else if (first > at)
            append_range(b, at, first - 1);
        at = last + 1;
    }
    if (negated && at <= 0x10FFFF) append_range(b, at, 0x10FFFF);
    node result = {
        .kind = NODE_CLASS, .simple = TRUE, .first = start, .n = b->ranges->len - start, .size = 1};
    for (guint i = start; i < b->ranges->len; i++)
        if (g_array_index(b->ranges, grammar_range, i).last > 0x7F) result.size += 4;
    return add(b, result);
}

/* ---- the rest ---- */

static grammar_node
add_list(grammar_build *b, node_kind kind, const grammar_node *nodes, size_t n)
{
    if (b->full || n > NODE_MAX - b->children->len) {
        b->full = TRUE;
        return 0;
    }
    node result = {.kind = (uint8_t)kind,
                   .simple = TRUE,
                   .first = b->children->len,
                   .n = (uint32_t)n,
                   .size = kind == NODE_ALT};
    for (size_t i = 0; i < n; i++) {
        const node *child = node_at(b, nodes[i]);
        result.simple = result.simple && child->simple;
        result.depth = MAX(result.depth, (uint16_t)(child->depth + 1));
        result.size = saturate((uint64_t)result.size + child->size);
    }
    g_array_append_vals(b->children, nodes, (guint)n);
    return add(b, result);
}

grammar_node
grammar_seq(grammar_build *b, const grammar_node *nodes, size_t n)
{
    return n == 1 ? nodes[0] : add_list(b, NODE_SEQ, nodes, n);
}

grammar_node
grammar_alt(grammar_build *b, const grammar_node *nodes, size_t n)
{
    return n == 1 ? nodes[0] : add_list(b, NODE_ALT, nodes, n);
}

grammar_node
grammar_repeat(grammar_build *b, grammar_node child, uint32_t min, uint32_t max)
{
    if (max == 0) return 0;
    if (min == 1 && max == 1) return child;
    const node *c = node_at(b, child);
    node result = {.kind = NODE_REPEAT,
                   .child = child,
                   .min = min,
                   .max = max,
                   .depth = (uint16_t)(c->depth + 1)};
    /* as grammar_program.c will write it: copies, or one that counts */
    const uint64_t copies = max == GRAMMAR_UNLIMITED ? (uint64_t)min + 1 : max;
    const uint64_t unrolled = copies * ((uint64_t)c->size + 1);
    const gboolean written_out = unrolled <= NODE_UNROLL || copies == 1;
    result.size = written_out ? saturate(unrolled) : 1;
    result.simple = c->simple && written_out;
    return add(b, result);
}

grammar_node
grammar_ref(grammar_build *b, uint32_t rule)
{
    return add(b, (node){.kind = NODE_REF, .child = rule, .size = 1});
}

uint32_t
grammar_rule(grammar_build *b, const char *name)
{
    if (b->rules->len >= NODE_MAX_RULES) {
        b->full = TRUE;
        return 0;
    }
    const node_rule rule = {g_strdup(name), UINT32_MAX};
    g_array_append_val(b->rules, rule);
    return b->rules->len - 1;
}

void
grammar_define(grammar_build *b, uint32_t rule, grammar_node root)
{
    g_array_index(b->rules, node_rule, rule).root = root;
}

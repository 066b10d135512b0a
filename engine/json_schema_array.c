/* Arrays: items by place and after it, contains, and what is unique among a few values.
 *
 *   contains      elements counted up to minContains, as far as the number of elements itself is bounded
 *   uniqueItems   of few values any order, by the set of those used; of more values the schema's order, for one way
 *                 to write a set is enough; else refused: what is unique cannot be told without memory */
#include "engine/json_schema.h"

#include <string.h>

enum {
    MAX_PLACES = 400,  /* elements that are told apart by their number */
    MAX_ANY_ORDER = 6, /* values that may come in any order */
    MAX_UNIQUE_VALUES = 200
};

/* What JSON Schema calls prefixItems and items, whichever draft wrote it. NULL: none given. */
static void
find_items(const json_t *schema, json_t **prefix, json_t **items)
{
    *prefix = json_object_get(schema, "prefixItems");
    *items = json_object_get(schema, "items");
    if (json_is_array(*items)) { /* until 2019-09 */
        *prefix = *items;
        *items = json_object_get(schema, "additionalItems");
    }
}

/* Elements from index k on, those before written already: each with its comma but the first of all. */
static gboolean
read_elements(schema_reader *r, const json_t *prefix, size_t k, json_t *items, uint32_t min,
              uint32_t max, grammar_node comma, grammar_node *out)
{
    const size_t n_prefix = json_array_size(prefix);
    grammar_node element, rest;

    *out = grammar_empty(r->build);
    if (k >= max) return TRUE;
    if (k < n_prefix) {
        g_autofree char *step = g_strdup_printf("prefixItems/%zu", k);
        if (!schema_read(r, step, json_array_get(prefix, k), &element) ||
            !read_elements(r, prefix, k + 1, items, min, max, comma, &rest))
            return FALSE;
        *out = schema_as_rule(
            r, "elements",
            schema_seq(r, 3, k > 0 ? comma : grammar_empty(r->build), element, rest));
        if (k >= min) *out = grammar_repeat(r->build, *out, 0, 1);
        return TRUE;
    }
    if ((!items && n_prefix > 0) || json_is_false(items)) {
        if (k < min) *out = r->dead;
        return TRUE;
    }
    g_autoptr(json_t) any = json_true();
    if (!schema_read(r, "items", items ? items : any, &element)) return FALSE;
    const uint32_t first = k == 0;
    const uint32_t least = min > k + first ? min - (uint32_t)k - first : 0;
    const uint32_t most = max == GRAMMAR_UNLIMITED ? max : max - (uint32_t)k - first;
    rest = grammar_repeat(r->build, schema_seq(r, 2, comma, element), least, most);
    *out = first ? schema_seq(r, 2, element, rest) : rest;
    if (first && min == 0) *out = grammar_repeat(r->build, *out, 0, 1);
    return TRUE;
}

/* ---- contains --------------------------------------------------------------------------------- */

typedef struct {
    uint32_t min, max;    /* elements */
    uint32_t wanted, top; /* those that contains speaks of: at least, and as many as are counted */
    grammar_node comma, item, found;
} counted;

/* From the last place to the first: what may follow when `at` elements stand there already, `found` of them what is
 * wanted. Behind the last place that matters everything is a repetition. */
static gboolean
read_counted(schema_reader *r, const counted *c, grammar_node *out)
{
    const gboolean bounded = c->max != GRAMMAR_UNLIMITED;
    const uint32_t last = bounded ? c->max : MAX(c->min, 1);
    const size_t width = (size_t)c->top + 1;

    if (last > MAX_PLACES || c->top > MAX_PLACES || last * width > (size_t)MAX_PLACES * 50)
        return schema_fail(r, ENGINE_ERROR_LIMIT, "contains in an array of more than %d elements",
                           MAX_PLACES);
    g_autofree grammar_node *rest = g_new(grammar_node, (last + 2) * width);
    for (uint32_t at = last + 1; at-- > 0;) {
        for (size_t found = width; found-- > 0;) {
            const grammar_node comma = at > 0 ? c->comma : grammar_empty(r->build);
            const gboolean may_end = at >= c->min && found >= c->wanted;
            const grammar_node end = may_end ? grammar_empty(r->build) : r->dead;
            grammar_node more = r->dead;
            if (at < last || !bounded) {
                /* behind the last place the rule leads back to itself */
                const uint32_t own = grammar_rule(r->build, "elements");
                const grammar_node self = grammar_ref(r->build, own);
                const grammar_node *next = at < last ? &rest[(at + 1) * width] : NULL;
                grammar_node hit = r->dead;
                const grammar_node miss =
                    schema_seq(r, 3, comma, c->item, next ? next[found] : self);
                if (found < c->top)
                    hit = schema_seq(r, 3, comma, c->found,
                                     next ? next[found + 1] : rest[at * width + found + 1]);
                if (grammar_is_full(r->build)) break;
                grammar_define(r->build, own, schema_alt(r, 3, end, miss, hit));
                more = self;
            } else {
                more = end;
            }
            rest[at * width + found] = more;
        }
    }
    *out = rest[0];
    return TRUE;
}

static gboolean
read_contains(schema_reader *r, const json_t *schema, json_t *items, counted *c, grammar_node *out)
{
    json_t *wanted = json_object_get(schema, "contains");
    uint32_t most = GRAMMAR_UNLIMITED;
    g_autoptr(json_t) any = json_true();

    c->wanted = 1;
    if (!schema_count(r, schema, "minContains", &c->wanted) ||
        !schema_count(r, schema, "maxContains", &most))
        return FALSE;
    if (!items) items = any;
    g_autoptr(json_t) both = json_pack("{s:[OO]}", "allOf", items, wanted);
    g_autoptr(json_t) others = NULL;
    if (most != GRAMMAR_UNLIMITED) { /* then the rest must not be what is wanted */
        others = json_pack("{s:[O{s:O}]}", "allOf", items, "not", wanted);
        if (most < c->wanted) {
            *out = r->dead;
            return TRUE;
        }
    }
    c->top = others ? MIN(most, MAX_PLACES) : c->wanted;
    if (!schema_read(r, "contains", both, &c->found) ||
        !schema_read(r, "items", others ? others : items, &c->item))
        return FALSE;
    return read_counted(r, c, out);
}

/* ---- uniqueItems ------------------------------------------------------------------------------ */

/* Elements of which those in `used` stand there already; every set is a rule, made once. */
static grammar_node
read_any_order(schema_reader *r, const counted *c, const grammar_node *values, size_t n,
               uint32_t used, grammar_node *rules)
{
    if (rules[used]) return rules[used];
    const uint32_t count = (uint32_t)__builtin_popcount(used);
    grammar_node nodes[MAX_ANY_ORDER + 1];
    size_t n_nodes = 0;

    if (count >= c->min) nodes[n_nodes++] = grammar_empty(r->build);
    for (size_t i = 0; i < n && count < c->max; i++) {
        if (used >> i & 1) continue;
        const grammar_node rest = read_any_order(r, c, values, n, used | 1u << i, rules);
        nodes[n_nodes++] =
            schema_seq(r, 3, count > 0 ? c->comma : grammar_empty(r->build), values[i], rest);
    }
    rules[used] = schema_as_rule(r, "elements",
                                 n_nodes > 0 ? grammar_alt(r->build, nodes, n_nodes) : r->dead);
    return rules[used];
}

/* Elements in the order of the values: those from value `i` on, `count` before them. */
static grammar_node
read_in_order(schema_reader *r, const counted *c, const grammar_node *values, size_t n)
{
    const uint32_t most = MIN(c->max, (uint32_t)n);
    const size_t width = (size_t)most + 1;
    g_autofree grammar_node *rest = g_new(grammar_node, (n + 1) * width);

    for (size_t i = n + 1; i-- > 0;) {
        for (uint32_t count = 0; count <= most && !grammar_is_full(r->build); count++) {
            const grammar_node end = count >= c->min ? grammar_empty(r->build) : r->dead;
            grammar_node *own = &rest[i * width + count];
            *own = end;
            if (i == n || count == most) continue;
            const grammar_node comma = count > 0 ? c->comma : grammar_empty(r->build);
            const grammar_node taken =
                schema_seq(r, 3, comma, values[i], rest[(i + 1) * width + count + 1]);
            *own = schema_as_rule(r, "elements",
                                  schema_alt(r, 2, taken, rest[(i + 1) * width + count]));
        }
    }
    return rest[0];
}

static gboolean
read_unique(schema_reader *r, json_t *items, const counted *c, grammar_node *out)
{
    g_autoptr(json_t) flat = items ? schema_flatten(r, items) : NULL;
    g_autoptr(json_t) list = flat ? schema_values(flat) : NULL;
    const size_t n = json_array_size(list);
    g_autofree grammar_node *values = g_new(grammar_node, n + 1);

    if (items && !flat) return FALSE;
    if (!list || n > MAX_UNIQUE_VALUES)
        return schema_fail(r, ENGINE_ERROR_UNSUPPORTED,
                           "the keyword uniqueItems is not supported but with items of a few "
                           "values (enum, const, boolean, null)");
    for (size_t i = 0; i < n; i++)
        if (!schema_constant(r, json_array_get(list, i), &values[i])) return FALSE;
    if (n <= MAX_ANY_ORDER) {
        grammar_node rules[1 << MAX_ANY_ORDER] = {0};
        *out = read_any_order(r, c, values, n, 0, rules);
    } else {
        *out = read_in_order(r, c, values, n);
    }
    return TRUE;
}

/* ---- the whole -------------------------------------------------------------------------------- */

gboolean
schema_array(schema_reader *r, const json_t *schema, grammar_node *out)
{
    uint32_t min = 0, max = GRAMMAR_UNLIMITED, least = 1;
    gboolean good;
    json_t *prefix, *items;
    grammar_node elements;

    find_items(schema, &prefix, &items);
    if (prefix && !json_is_array(prefix))
        return schema_fail(r, ENGINE_ERROR_FORMAT, "prefixItems is not a list");
    if (json_array_size(prefix) > 100)
        return schema_fail(r, ENGINE_ERROR_LIMIT, "prefixItems has more than 100 schemas");
    if (!schema_count(r, schema, "minItems", &min) || !schema_count(r, schema, "maxItems", &max))
        return FALSE;
    if (min > max) {
        *out = r->dead;
        return TRUE;
    }
    const gboolean unique = json_is_true(json_object_get(schema, "uniqueItems")) && max > 1;
    if (!schema_count(r, schema, "minContains", &least)) return FALSE;
    const gboolean contains = json_object_get(schema, "contains") &&
                              (least > 0 || json_object_get(schema, "maxContains"));
    if ((unique || contains) && (json_array_size(prefix) > 0 || (unique && contains)))
        return schema_fail(r, ENGINE_ERROR_UNSUPPORTED, "the keyword %s beside %s is not supported",
                           unique ? "uniqueItems" : "contains",
                           json_array_size(prefix) > 0 ? "prefixItems" : "contains");
    counted c = {.min = min, .max = max, .comma = schema_seq(r, 2, schema_text(r, ","), r->ws)};
    if (unique)
        good = read_unique(r, items, &c, &elements);
    else if (contains)
        good = read_contains(r, schema, items, &c, &elements);
    else
        good = read_elements(r, prefix, 0, items, min, max, c.comma, &elements);
    if (!good) return FALSE;
    *out = schema_seq(r, 5, schema_text(r, "["), r->ws, elements, r->ws, schema_text(r, "]"));
    return TRUE;
}

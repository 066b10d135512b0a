/* JSON Schema to grammar. Private to engine/json_schema*.c.
 *
 *   json_schema.c          a schema
 *   json_schema_array.c    its arrays
 *   json_schema_object.c   its objects
 *   json_schema_merge.c    $ref, allOf and siblings as one flat schema
 *   json_schema_logic.c    negations, conditions and dependencies as other keywords
 *   json_schema_string.c   strings, formats, what a character looks like inside quotes
 *   json_schema_pattern.c  regular expressions
 *   json_schema_number.c   numbers between bounds */
#ifndef LODE_ENGINE_JSON_SCHEMA_H
#define LODE_ENGINE_JSON_SCHEMA_H

#include "engine/grammar.h"

#include <jansson.h>

G_BEGIN_DECLS

G_DEFINE_AUTOPTR_CLEANUP_FUNC(json_t, json_decref)

enum {
    SCHEMA_MAX_DEPTH = 64,     /* of schemas within schemas */
    SCHEMA_MAX_MERGES = 20000, /* a small schema may ask for exponentially many */
    SCHEMA_MAX_BYTES = 1 << 20
};

typedef struct {
    grammar_build *build;
    json_t *root;      /* the whole schema */
    GHashTable *rules; /* text of a schema -> rule + 1 */
    GString *path;     /* where we are, for messages */
    guint depth, n_merges;
    grammar_node ws, dead, digit, character; /* character: inside a string */
    uint32_t any_value;                      /* rule */
    GError **error;
} schema_reader;

/* Always FALSE; the message is put behind the path. */
gboolean schema_fail(schema_reader *r, engine_error_code code, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

static inline grammar_node
schema_text(schema_reader *r, const char *text)
{
    return grammar_text(r->build, text, strlen(text));
}

grammar_node schema_seq(schema_reader *r, guint n, ...); /* of grammar_node */
grammar_node schema_alt(schema_reader *r, guint n, ...);
/* The node as a rule of its own: used in many places, it is written once. */
grammar_node schema_as_rule(schema_reader *r, const char *name, grammar_node node);

/* A new reference to a schema without $ref and allOf that accepts what `schema` does; NULL with error. */
json_t *schema_flatten(schema_reader *r, json_t *schema);
/* Of a copy of a schema: not, if/then/else and dependent* are taken out, and what they mean is appended to parts.
 * (json_schema_logic.c) */
gboolean schema_add_logic(schema_reader *r, json_t *schema, json_t *parts);
gboolean schema_has_logic(const json_t *schema);
json_t *schema_merge(schema_reader *r, json_t *a, json_t *b);
/* Can no value be accepted by both? FALSE when that is not plain to see. Both flat. */
gboolean schema_disjoint(schema_reader *r, json_t *a, json_t *b);
gboolean schema_has_type(const json_t *schema, const char *type); /* also TRUE when none is given */
const char *schema_type_of(const json_t *value); /* of a value; "integer" for those */

/* Keywords of our own, which only json_schema_logic.c and json_schema_merge.c write: values that are refused,
 * patterns that are, patterns that all hold. Each a list. */
#define SCHEMA_NOT_ENUM    "!enum"
#define SCHEMA_NOT_PATTERN "!pattern"
#define SCHEMA_PATTERNS    "&pattern"

/* Schemas within a schema, a step further down. (json_schema.c) */
gboolean schema_read(schema_reader *r, const char *step, json_t *schema, grammar_node *out);
/* A value written out. */
gboolean schema_constant(schema_reader *r, const json_t *value, grammar_node *out);
/* Is the value in the list? 1 and 1.0 are one value. (json_schema_merge.c) */
gboolean schema_lists(const json_t *list, const json_t *value);
/* The values of a flat schema that has but a few: a new list; NULL: it has more, or they are not plain to see. */
json_t *schema_values(const json_t *schema);

gboolean schema_array(schema_reader *r, const json_t *schema, grammar_node *out);
gboolean schema_object(schema_reader *r, const json_t *schema, grammar_node *out);

/* The node is the text between the quotes. (json_schema_string.c) */
grammar_node schema_character(grammar_build *build, const grammar_range *ranges, size_t n,
                              gboolean negated);
grammar_node schema_any_character(grammar_build *build);
gboolean schema_string(schema_reader *r, const json_t *schema, grammar_node *out);
/* The same without its quotes, every character in one spelling: to be combined with other such nodes. */
gboolean schema_string_text(schema_reader *r, const json_t *schema, grammar_node *out);
/* A pattern, likewise. */
gboolean schema_pattern_text(schema_reader *r, const char *pattern, grammar_node *out);
/* grammar_combine, a failure being the schema's. */
gboolean schema_combine(schema_reader *r, GArray *all, GArray *none, grammar_node *out,
                        gboolean *is_empty);
/* A key, with its quotes, that is none of names [n]. */
grammar_node schema_other_key(schema_reader *r, const char *const *names, size_t n);

gboolean schema_number(schema_reader *r, const json_t *schema, gboolean integer, grammar_node *out);

/* A number of characters from the schema; absent: as it was. */
gboolean schema_count(schema_reader *r, const json_t *schema, const char *key, uint32_t *out);

G_END_DECLS
#endif

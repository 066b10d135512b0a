/* Inside the template interpreter. Private to engine/jinja*.c.
 *
 *   jinja_lex.c      source -> tokens, white space as the trim marks say
 *   jinja_parse.c    tokens -> tree
 *   jinja_eval.c     tree + variables -> text
 *   jinja_value.c    values: memory, truth, order, Python's and JSON's spelling
 *   jinja_filters.c  filters
 *   jinja_tests.c    tests
 *   jinja_methods.c  methods of strings, lists and dicts; functions
 *
 * Everything a parse or a run makes lives in an arena and goes with it; nothing is counted or freed singly. */
#ifndef LODE_ENGINE_JINJA_IMPL_H
#define LODE_ENGINE_JINJA_IMPL_H

#include "engine/jinja.h"
#include "engine/unicode.h"

#include "engine/engine.h"

#define JINJA_MAX_SOURCE  ((size_t)512 << 10)
#define JINJA_MAX_NESTING 100 /* of brackets and blocks in a source */
#define JINJA_MAX_DEPTH   400 /* of evaluation; of values inside values */
#define JINJA_MAX_STEPS   ((uint64_t)4 << 20)
#define JINJA_MAX_MEMORY  ((size_t)64 << 20) /* and 64 times the size of the variables */
#define JINJA_MAX_RANGE   100000

/* ---- memory ----------------------------------------------------------------------------------- */

typedef struct {
    GPtrArray *blocks; /* owned */
    char *next;
    size_t left, used;
} jinja_arena;

void jinja_arena_init(jinja_arena *arena);
void jinja_arena_clear(jinja_arena *arena);
void *jinja_arena_take(jinja_arena *arena,
                       size_t n); /* zeroed, aligned; n is the caller's to limit */

/* ---- values ----------------------------------------------------------------------------------- */

typedef enum {
    JINJA_UNDEFINED,
    JINJA_NONE,
    JINJA_BOOL,
    JINJA_INT,
    JINJA_FLOAT,
    JINJA_STRING,
    JINJA_LIST, /* and tuples */
    JINJA_DICT,
    JINJA_NAMESPACE,
    JINJA_LOOP,
    JINJA_MACRO,
    JINJA_FUNCTION,
    JINJA_METHOD
} jinja_kind;

typedef struct jinja_list jinja_list;
typedef struct jinja_dict jinja_dict;
typedef struct jinja_loop jinja_loop;
typedef struct jinja_macro jinja_macro;
typedef struct jinja_method jinja_method;

typedef struct {
    jinja_kind kind;
    size_t len; /* of a string */
    union {
        gboolean b;
        int64_t i;
        double f;
        const char *s; /* [len] UTF-8 */
        jinja_list *list;
        jinja_dict *dict; /* of DICT and NAMESPACE */
        jinja_loop *loop;
        jinja_macro *macro;
        jinja_method *method;
        const char *name; /* UNDEFINED: of what; FUNCTION */
    } u;
} jinja_value;

struct jinja_list {
    jinja_value *items;
    size_t n, cap;
    gboolean tuple;
};

typedef struct {
    jinja_value key, value;
} jinja_pair;

struct jinja_dict { /* in the order of insertion; small ones, so looked through */
    jinja_pair *items;
    size_t n, cap;
};

struct jinja_loop {
    const jinja_list *list;
    size_t index;
};

struct jinja_method {
    jinja_value self;
    const char *name;
};

/* ---- tokens and trees ------------------------------------------------------------------------- */

typedef enum {
    TOKEN_END,
    TOKEN_TEXT,
    TOKEN_BLOCK_BEGIN,
    TOKEN_BLOCK_END,
    TOKEN_PRINT_BEGIN,
    TOKEN_PRINT_END,
    TOKEN_NAME,
    TOKEN_INT,
    TOKEN_FLOAT,
    TOKEN_STRING,
    TOKEN_OPERATOR
} jinja_token_kind;

typedef struct {
    jinja_token_kind kind;
    uint32_t line;
    const char *text; /* [len]; of a string, what it says; names and operators end in NUL */
    size_t len;
} jinja_token;

/* tokens: of jinja_token. */
gboolean jinja_lex(const char *source, size_t len, jinja_arena *arena, GArray *tokens,
                   GError **error);

typedef enum {
    /* statements */
    NODE_TEXT,     /* text */
    NODE_PRINT,    /* a */
    NODE_BLOCK,    /* list */
    NODE_IF,       /* a condition, b block, c the rest or NULL */
    NODE_FOR,      /* a target, b over, c condition or NULL, d block, e else block or NULL */
    NODE_SET,      /* a target, b value */
    NODE_SET_TEXT, /* a target, b block, c filters applied to NODE_HOLE or NULL */
    NODE_FILTERED, /* b block, c filters applied to NODE_HOLE */
    NODE_MACRO,    /* text name, list of NODE_KEYWORD (a: default or NULL), b block */
    NODE_BREAK,
    NODE_CONTINUE,
    /* expressions */
    NODE_CONST,     /* value */
    NODE_NAME,      /* text, interned */
    NODE_LIST,      /* list */
    NODE_TUPLE,     /* list */
    NODE_DICT,      /* list of key, value, key, value ... */
    NODE_NOT,       /* a */
    NODE_NEGATIVE,  /* a */
    NODE_POSITIVE,  /* a */
    NODE_BINARY,    /* a text b */
    NODE_AND,       /* a b */
    NODE_OR,        /* a b */
    NODE_COMPARE,   /* a, list of NODE_BINARY without a */
    NODE_CONDITION, /* b ? a : c, which may be NULL */
    NODE_ATTRIBUTE, /* a . text */
    NODE_INDEX,     /* a [ b ] */
    NODE_SLICE,     /* a [ b : c : d ], each may be NULL */
    NODE_CALL,      /* a ( list ) */
    NODE_FILTER,    /* a | text ( list ), index: which */
    NODE_TEST,      /* a is text ( list ), index: which */
    NODE_KEYWORD,   /* text = a, in arguments */
    NODE_HOLE       /* what a filter block has collected */
} jinja_node_kind;

typedef struct jinja_node jinja_node;
struct jinja_node {
    jinja_node_kind kind;
    uint32_t line;
    const char *text;
    size_t len;
    jinja_node *a, *b, *c, *d, *e;
    jinja_node **list;
    size_t n;
    size_t index;
    jinja_value value;
};

struct jinja_template {
    jinja_arena arena;
    char *source;      /* repaired, newlines as \n */
    GHashTable *names; /* interned: equal names are one pointer */
    jinja_node *root;
};

/* ---- a run ------------------------------------------------------------------------------------ */

typedef struct jinja_scope jinja_scope;
struct jinja_scope {
    jinja_scope *parent;
    struct {
        const char *name; /* interned */
        jinja_value value;
    } * vars;
    size_t n, cap;
};

struct jinja_macro {
    const jinja_node *node;
    jinja_scope *scope; /* where it was defined */
};

typedef struct {
    const jinja_template *template;
    jinja_arena arena;
    jinja_scope *globals;
    GString *out;
    GError *error; /* once set, everything returns at once */
    uint64_t steps;
    size_t max_memory, max_output;
    unsigned depth;
    uint32_t line;
    jinja_value hole;
} jinja_run;

/* Fails the run, unless it has failed already; the value is UNDEFINED, to return. */
jinja_value jinja_fail(jinja_run *run, engine_error_code code, const char *format, ...)
    G_GNUC_PRINTF(3, 4);
/* Room for n more bytes; FALSE fails the run. */
gboolean jinja_fits(jinja_run *run, size_t n);
/* One step of work, or n; FALSE fails the run. */
gboolean jinja_step(jinja_run *run, size_t n);

jinja_value jinja_undefined(const char *name);
jinja_value jinja_none(void);
jinja_value jinja_bool(gboolean b);
jinja_value jinja_int(int64_t i);
jinja_value jinja_float(double f);
jinja_value jinja_string(const char *s, size_t len); /* not copied */
jinja_value jinja_text(const char *s);
jinja_value jinja_copy(jinja_run *run, const char *s, size_t len);
/* Takes s. */
jinja_value jinja_take_string(jinja_run *run, GString *s);
jinja_value jinja_list_new(jinja_run *run);
void jinja_list_add(jinja_run *run, jinja_list *list, jinja_value value);
jinja_value jinja_dict_new(jinja_run *run);
void jinja_dict_set(jinja_run *run, jinja_dict *dict, jinja_value key, jinja_value value);
/* NULL: no such key. */
const jinja_value *jinja_dict_get(jinja_run *run, const jinja_dict *dict, jinja_value key);
jinja_value jinja_from_json(jinja_run *run, const json_t *json, unsigned depth);

gboolean jinja_is_number(jinja_value v); /* bool, int, float */
double jinja_to_double(jinja_value v);
gboolean jinja_truth(jinja_value v);
gboolean jinja_equal(jinja_run *run, jinja_value a, jinja_value b, unsigned depth);
/* < 0, 0, > 0; fails the run when the two have no order. */
int jinja_order(jinja_run *run, jinja_value a, jinja_value b);
/* str() and repr(). */
void jinja_write(jinja_run *run, jinja_value v, GString *out);
void jinja_write_repr(jinja_run *run, jinja_value v, GString *out, unsigned depth);
/* indent -1: on one line. */
void jinja_write_json(jinja_run *run, jinja_value v, int indent, gboolean sort, gboolean ascii,
                      unsigned depth, GString *out);
/* As a string value: itself, or str() of it. */
jinja_value jinja_to_string(jinja_run *run, jinja_value v);
/* The items of a list, the characters of a string, the keys of a dict; nothing for UNDEFINED. NULL fails
 * the run. */
const jinja_list *jinja_items(jinja_run *run, jinja_value v);
size_t jinja_length(jinja_value v); /* characters of a string */
/* Byte offset of character index of a string. */
size_t jinja_offset(jinja_value s, size_t index);

typedef struct {
    const jinja_value *values; /* [n] by position */
    size_t n;
    const char *const *names; /* [n_named] */
    const jinja_value *named;
    size_t n_named;
} jinja_args;

/* The argument at a position or of a name; UNDEFINED when it was not given. name may be NULL. */
jinja_value jinja_arg(const jinja_args *args, size_t index, const char *name);

/* ---- what is looked up by name ---------------------------------------------------------------- */

/* Index of a filter or test, -1 when there is none of this name. */
int jinja_find_filter(const char *name);
int jinja_find_test(const char *name);
jinja_value jinja_filter(jinja_run *run, size_t index, jinja_value v, const jinja_args *args);
gboolean jinja_test(jinja_run *run, size_t index, jinja_value v, const jinja_args *args);

/* a.name and a[key]; UNDEFINED when there is none, failure when a is UNDEFINED itself. */
jinja_value jinja_attribute(jinja_run *run, jinja_value a, const char *name);
jinja_value jinja_index(jinja_run *run, jinja_value a, jinja_value key);
gboolean jinja_has_method(jinja_value self, const char *name);
jinja_value jinja_call_method(jinja_run *run, const jinja_method *method, const jinja_args *args);
gboolean jinja_has_function(const char *name);
jinja_value jinja_call_function(jinja_run *run, const char *name, const jinja_args *args);
jinja_value jinja_strip(jinja_value s, jinja_value chars, gboolean left, gboolean right);
jinja_value jinja_replace(jinja_run *run, jinja_value s, jinja_value from, jinja_value to,
                          int64_t count);

#endif

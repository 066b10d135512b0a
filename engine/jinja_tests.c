/* Tests by name: what stands behind "is". */
#include "engine/jinja_impl.h"

#include <string.h>

typedef enum {
    TEST_DEFINED,
    TEST_UNDEFINED,
    TEST_NONE,
    TEST_STRING,
    TEST_MAPPING,
    TEST_ITERABLE,
    TEST_SEQUENCE,
    TEST_NUMBER,
    TEST_INTEGER,
    TEST_FLOAT,
    TEST_BOOLEAN,
    TEST_TRUE,
    TEST_FALSE,
    TEST_CALLABLE,
    TEST_ODD,
    TEST_EVEN,
    TEST_DIVISIBLE,
    TEST_UPPER,
    TEST_LOWER,
    TEST_EQ,
    TEST_NE,
    TEST_LT,
    TEST_LE,
    TEST_GT,
    TEST_GE,
    TEST_IN,
    TEST_SAME
} test_kind;

static const struct {
    const char *name;
    test_kind kind;
} tests[] = {
    {"defined", TEST_DEFINED},
    {"undefined", TEST_UNDEFINED},
    {"none", TEST_NONE},
    {"string", TEST_STRING},
    {"mapping", TEST_MAPPING},
    {"iterable", TEST_ITERABLE},
    {"sequence", TEST_SEQUENCE},
    {"number", TEST_NUMBER},
    {"integer", TEST_INTEGER},
    {"float", TEST_FLOAT},
    {"boolean", TEST_BOOLEAN},
    {"true", TEST_TRUE},
    {"false", TEST_FALSE},
    {"callable", TEST_CALLABLE},
    {"odd", TEST_ODD},
    {"even", TEST_EVEN},
    {"divisibleby", TEST_DIVISIBLE},
    {"upper", TEST_UPPER},
    {"lower", TEST_LOWER},
    {"eq", TEST_EQ},
    {"equalto", TEST_EQ},
    {"==", TEST_EQ},
    {"ne", TEST_NE},
    {"!=", TEST_NE},
    {"lt", TEST_LT},
    {"lessthan", TEST_LT},
    {"<", TEST_LT},
    {"le", TEST_LE},
    {"<=", TEST_LE},
    {"gt", TEST_GT},
    {"greaterthan", TEST_GT},
    {">", TEST_GT},
    {"ge", TEST_GE},
    {">=", TEST_GE},
    {"in", TEST_IN},
    {"sameas", TEST_SAME},
};

int
jinja_find_test(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(tests); i++)
        if (strcmp(tests[i].name, name) == 0) return (int)i;
    return -1;
}

static gboolean
is_kind(test_kind test, jinja_value v)
{
    const jinja_kind k = v.kind;
    switch (test) {
    case TEST_DEFINED:
        return k != JINJA_UNDEFINED;
    case TEST_UNDEFINED:
        return k == JINJA_UNDEFINED;
    case TEST_NONE:
        return k == JINJA_NONE;
    case TEST_STRING:
        return k == JINJA_STRING;
    case TEST_MAPPING:
        return k == JINJA_DICT;
    case TEST_ITERABLE:
        return k == JINJA_STRING || k == JINJA_LIST || k == JINJA_DICT || k == JINJA_UNDEFINED;
    case TEST_SEQUENCE:
        return k == JINJA_STRING || k == JINJA_LIST || k == JINJA_DICT;
    case TEST_NUMBER:
        return jinja_is_number(v);
    case TEST_INTEGER:
        return k == JINJA_INT;
    case TEST_FLOAT:
        return k == JINJA_FLOAT;
    case TEST_BOOLEAN:
        return k == JINJA_BOOL;
    case TEST_TRUE:
        return k == JINJA_BOOL && v.u.b;
    case TEST_FALSE:
        return k == JINJA_BOOL && !v.u.b;
    default:
        return k == JINJA_MACRO || k == JINJA_FUNCTION || k == JINJA_METHOD;
    }
}

static gboolean
is_divisible(jinja_run *run, jinja_value v, int64_t by, int64_t remainder)
{
    if (v.kind != JINJA_INT || by == 0) {
        jinja_fail(run, ENGINE_ERROR_FORMAT, "it divides what is no number, or by zero");
        return FALSE;
    }
    return by == -1 || ABS(v.u.i % by) == remainder;
}

static gboolean
is_in(jinja_run *run, jinja_value v, jinja_value in)
{
    if (in.kind == JINJA_STRING)
        return v.kind == JINJA_STRING &&
               (v.len == 0 || memmem(in.u.s, in.len, v.u.s, v.len) != NULL);
    const jinja_list *items = jinja_items(run, in);
    for (size_t i = 0; items && i < items->n && jinja_step(run, 1); i++)
        if (jinja_equal(run, items->items[i], v, 0)) return TRUE;
    return FALSE;
}

static gboolean
is_case(jinja_run *run, jinja_value v, const char *name)
{
    const jinja_method method = {jinja_to_string(run, v), name};
    const jinja_args none = {0};
    return !run->error && jinja_truth(jinja_call_method(run, &method, &none));
}

gboolean
jinja_test(jinja_run *run, size_t index, jinja_value v, const jinja_args *args)
{
    const test_kind kind = tests[index].kind;
    const jinja_value other = jinja_arg(args, 0, NULL);
    if (run->error) return FALSE;
    switch (kind) {
    case TEST_ODD:
        return is_divisible(run, v, 2, 1);
    case TEST_EVEN:
        return is_divisible(run, v, 2, 0);
    case TEST_DIVISIBLE:
        return is_divisible(run, v, other.kind == JINJA_INT ? other.u.i : 0, 0);
    case TEST_UPPER:
        return is_case(run, v, "isupper");
    case TEST_LOWER:
        return is_case(run, v, "islower");
    case TEST_EQ:
        return jinja_equal(run, v, other, 0);
    case TEST_NE:
        return !jinja_equal(run, v, other, 0);
    case TEST_LT:
        return jinja_order(run, v, other) < 0;
    case TEST_LE:
        return jinja_order(run, v, other) <= 0;
    case TEST_GT:
        return jinja_order(run, v, other) > 0;
    case TEST_GE:
        return jinja_order(run, v, other) >= 0;
    case TEST_IN:
        return is_in(run, v, other);
    case TEST_SAME:
        return v.kind == other.kind && jinja_equal(run, v, other, 0);
    default:
        return is_kind(kind, v);
    }
}

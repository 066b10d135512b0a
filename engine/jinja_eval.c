/* Running a template: a walk over its tree.
 *
 * A scope is a list of names; loops and macros open one, `if` does not. Reading looks outward, `set` writes
 * to the innermost: what a loop sets is gone after each round, as in the reference; a namespace is the way
 * out. A macro sees the scope it was defined in. Every node visited is a step; see the limits in
 * jinja_impl.h. */
#include "engine/jinja_impl.h"

#include <math.h>
#include <string.h>

#define MAX_ARGS 32

typedef enum { FLOW_ON, FLOW_BREAK, FLOW_CONTINUE } flow;

static jinja_value eval(jinja_run *run, jinja_scope *scope, const jinja_node *node);
static flow execute(jinja_run *run, jinja_scope *scope, const jinja_node *node);

/* ---- scopes ----------------------------------------------------------------------------------- */

static jinja_scope *
scope_new(jinja_run *run, jinja_scope *parent)
{
    jinja_fits(run, sizeof(jinja_scope));
    jinja_scope *scope = jinja_arena_take(&run->arena, sizeof *scope);
    scope->parent = parent;
    return scope;
}

static void
scope_set(jinja_run *run, jinja_scope *scope, const char *name, jinja_value value)
{
    for (size_t i = 0; i < scope->n; i++) {
        if (scope->vars[i].name != name) continue;
        scope->vars[i].value = value;
        return;
    }
    if (scope->n == scope->cap) {
        const size_t cap = scope->cap ? scope->cap * 2 : 4;
        if (!jinja_fits(run, cap * sizeof *scope->vars)) return;
        void *vars = jinja_arena_take(&run->arena, cap * sizeof *scope->vars);
        if (scope->n > 0) memcpy(vars, scope->vars, scope->n * sizeof *scope->vars);
        scope->vars = vars;
        scope->cap = cap;
    }
    scope->vars[scope->n].name = name;
    scope->vars[scope->n++].value = value;
}

static jinja_value
lookup(const jinja_scope *scope, const char *name)
{
    for (; scope; scope = scope->parent)
        for (size_t i = 0; i < scope->n; i++)
            if (scope->vars[i].name == name) return scope->vars[i].value;
    if (jinja_has_function(name)) return (jinja_value){.kind = JINJA_FUNCTION, .u.name = name};
    return jinja_undefined(name);
}

/* ---- operators -------------------------------------------------------------------------------- */

static jinja_value
type_error(jinja_run *run, const char *op)
{
    return jinja_fail(run, ENGINE_ERROR_FORMAT, "'%s' between values it is not for", op);
}

static jinja_value
too_large(jinja_run *run)
{
    return jinja_fail(run, ENGINE_ERROR_LIMIT, "a number is too large");
}

static int64_t
as_int(jinja_value v)
{
    return v.kind == JINJA_BOOL ? v.u.b : v.u.i;
}

static jinja_value
integer_operation(jinja_run *run, const char *op, int64_t a, int64_t b)
{
    int64_t r = 0;
    if ((*op == '%' || *op == '/') && b == 0)
        return jinja_fail(run, ENGINE_ERROR_FORMAT, "it divides by zero");
    if (strcmp(op, "/") == 0) return jinja_float((double)a / (double)b);
    if ((*op == '%' || *op == '/') && b == -1) { /* INT64_MIN has no opposite */
        if (*op == '%') return jinja_int(0);
        return __builtin_sub_overflow(0, a, &r) ? too_large(run) : jinja_int(r);
    }
    if (*op == '%') { /* Python's: the sign is the divisor's */
        r = a % b;
        return jinja_int(r != 0 && (r < 0) != (b < 0) ? r + b : r);
    }
    if (*op == '/') {
        r = a / b;
        return jinja_int(a % b != 0 && (a < 0) != (b < 0) ? r - 1 : r);
    }
    const gboolean over = *op == '+'   ? __builtin_add_overflow(a, b, &r)
                          : *op == '-' ? __builtin_sub_overflow(a, b, &r)
                                       : __builtin_mul_overflow(a, b, &r);
    return over ? too_large(run) : jinja_int(r);
}

static jinja_value
power(jinja_run *run, jinja_value a, jinja_value b)
{
    if (a.kind == JINJA_FLOAT || b.kind == JINJA_FLOAT || as_int(b) < 0)
        return jinja_float(pow(jinja_to_double(a), jinja_to_double(b)));
    int64_t result = 1, base = as_int(a);
    for (int64_t n = as_int(b); n > 0; n >>= 1) {
        if (n & 1 && __builtin_mul_overflow(result, base, &result)) return too_large(run);
        if (n > 1 && __builtin_mul_overflow(base, base, &base)) return too_large(run);
    }
    return jinja_int(result);
}

static jinja_value
number_operation(jinja_run *run, const char *op, jinja_value a, jinja_value b)
{
    if (strcmp(op, "**") == 0) return power(run, a, b);
    if (a.kind != JINJA_FLOAT && b.kind != JINJA_FLOAT)
        return integer_operation(run, op, as_int(a), as_int(b));
    const double x = jinja_to_double(a), y = jinja_to_double(b);
    if ((*op == '/' || *op == '%') && y == 0)
        return jinja_fail(run, ENGINE_ERROR_FORMAT, "it divides by zero");
    if (*op == '+') return jinja_float(x + y);
    if (*op == '-') return jinja_float(x - y);
    if (*op == '*') return jinja_float(x * y);
    if (strcmp(op, "/") == 0) return jinja_float(x / y);
    const double quotient = floor(x / y);
    return jinja_float(*op == '/' ? quotient : x - quotient * y);
}

static jinja_value
join(jinja_run *run, jinja_value a, jinja_value b)
{
    if (a.kind == JINJA_STRING) {
        if (!jinja_fits(run, a.len + b.len)) return a;
        char *both = jinja_arena_take(&run->arena, a.len + b.len + 1);
        if (a.len > 0) memcpy(both, a.u.s, a.len);
        if (b.len > 0) memcpy(both + a.len, b.u.s, b.len);
        return jinja_string(both, a.len + b.len);
    }
    jinja_value list = jinja_list_new(run);
    list.u.list->tuple = a.u.list->tuple;
    for (size_t i = 0; i < a.u.list->n && jinja_step(run, 1); i++)
        jinja_list_add(run, list.u.list, a.u.list->items[i]);
    for (size_t i = 0; i < b.u.list->n && jinja_step(run, 1); i++)
        jinja_list_add(run, list.u.list, b.u.list->items[i]);
    return list;
}

static jinja_value
repeat(jinja_run *run, jinja_value s, int64_t times)
{
    if (times <= 0 || s.len == 0) return jinja_text("");
    const uint64_t n = (uint64_t)times > run->max_memory ? run->max_memory : (uint64_t)times;
    if (s.len > run->max_memory / n || !jinja_fits(run, s.len * n) || !jinja_step(run, n / 64))
        return jinja_fail(run, ENGINE_ERROR_LIMIT, "it takes too much memory");
    char *out = jinja_arena_take(&run->arena, s.len * n + 1);
    for (size_t i = 0; i < n; i++)
        memcpy(out + i * s.len, s.u.s, s.len);
    return jinja_string(out, s.len * n);
}

static jinja_value
binary(jinja_run *run, const char *op, jinja_value a, jinja_value b)
{
    if (run->error) return a;
    if (*op == '~') {
        a = jinja_to_string(run, a);
        b = jinja_to_string(run, b);
        return run->error ? a : join(run, a, b);
    }
    if (a.kind == JINJA_UNDEFINED || b.kind == JINJA_UNDEFINED)
        return jinja_fail(run, ENGINE_ERROR_FORMAT, "'%.40s' is undefined",
                          a.kind == JINJA_UNDEFINED ? a.u.name : b.u.name);
    if (jinja_is_number(a) && jinja_is_number(b)) return number_operation(run, op, a, b);
    if (*op == '+' && a.kind == b.kind && (a.kind == JINJA_STRING || a.kind == JINJA_LIST))
        return join(run, a, b);
    if (strcmp(op, "*") == 0 && a.kind == JINJA_STRING && b.kind == JINJA_INT)
        return repeat(run, a, b.u.i);
    if (strcmp(op, "*") == 0 && b.kind == JINJA_STRING && a.kind == JINJA_INT)
        return repeat(run, b, a.u.i);
    return type_error(run, op);
}

static gboolean
contains(jinja_run *run, jinja_value in, jinja_value what)
{
    if (in.kind == JINJA_STRING && what.kind == JINJA_STRING) {
        jinja_step(run, in.len / 64);
        return what.len == 0 || memmem(in.u.s, in.len, what.u.s, what.len) != NULL;
    }
    if (in.kind == JINJA_DICT) return jinja_dict_get(run, in.u.dict, what) != NULL;
    if (in.kind != JINJA_LIST && in.kind != JINJA_UNDEFINED) {
        type_error(run, "in");
        return FALSE;
    }
    const jinja_list *list = jinja_items(run, in);
    for (size_t i = 0; list && i < list->n && jinja_step(run, 1); i++)
        if (jinja_equal(run, list->items[i], what, 0)) return TRUE;
    return FALSE;
}

static gboolean
compare(jinja_run *run, const char *op, jinja_value a, jinja_value b)
{
    if (run->error) return FALSE;
    if (strcmp(op, "==") == 0) return jinja_equal(run, a, b, 0);
    if (strcmp(op, "!=") == 0) return !jinja_equal(run, a, b, 0);
    if (strcmp(op, "in") == 0) return contains(run, b, a);
    if (strcmp(op, "not in") == 0) return !contains(run, b, a);
    const int order = jinja_order(run, a, b);
    if (*op == '<') return op[1] ? order <= 0 : order < 0;
    return op[1] ? order >= 0 : order > 0;
}

/* ---- expressions ------------------------------------------------------------------------------ */

/* Python's slice: bounds count from the end when negative and are cut to what is there. */
static jinja_value
slice(jinja_run *run, jinja_value of, jinja_value from, jinja_value to, jinja_value by)
{
    const jinja_value *parts[] = {&from, &to, &by};
    for (size_t i = 0; i < G_N_ELEMENTS(parts); i++)
        if (parts[i]->kind != JINJA_INT && parts[i]->kind != JINJA_NONE)
            return jinja_fail(run, ENGINE_ERROR_FORMAT, "a slice is not between numbers");
    if (of.kind != JINJA_STRING && of.kind != JINJA_LIST)
        return jinja_fail(run, ENGINE_ERROR_FORMAT, "it slices what is no string or list");
    const int64_t n = (int64_t)jinja_length(of), step = by.kind == JINJA_INT ? by.u.i : 1;
    if (step == 0) return jinja_fail(run, ENGINE_ERROR_FORMAT, "a slice has step 0");
    jinja_step(run, (size_t)n / 16);
    const int64_t low = step > 0 ? 0 : -1, high = step > 0 ? n : n - 1;
    int64_t start = step > 0 ? low : high, stop = step > 0 ? high : low;
    if (from.kind == JINJA_INT)
        start = CLAMP(from.u.i < 0 ? MAX(from.u.i, -n - 1) + n : from.u.i, low, high);
    if (to.kind == JINJA_INT)
        stop = CLAMP(to.u.i < 0 ? MAX(to.u.i, -n - 1) + n : to.u.i, low, high);
    if (of.kind == JINJA_STRING && step == 1) {
        if (start >= stop) return jinja_text("");
        const size_t a = jinja_offset(of, (size_t)start);
        const jinja_value rest = jinja_string(of.u.s + a, of.len - a);
        return jinja_string(rest.u.s, jinja_offset(rest, (size_t)(stop - start)));
    }
    const jinja_list *items = jinja_items(run, of);
    jinja_value list = jinja_list_new(run);
    if (of.kind == JINJA_LIST) list.u.list->tuple = of.u.list->tuple;
    for (int64_t i = start; items && (step > 0 ? i < stop : i > stop) && jinja_step(run, 1);) {
        jinja_list_add(run, list.u.list, items->items[i]);
        if (__builtin_add_overflow(i, step, &i)) break;
    }
    if (of.kind == JINJA_LIST) return list;
    GString *out = g_string_new(NULL);
    for (size_t i = 0; i < list.u.list->n; i++)
        jinja_write(run, list.u.list->items[i], out);
    return jinja_take_string(run, out);
}

static jinja_value
eval_or_none(jinja_run *run, jinja_scope *scope, const jinja_node *node)
{
    return node ? eval(run, scope, node) : jinja_none();
}

static jinja_value
eval_items(jinja_run *run, jinja_scope *scope, const jinja_node *node)
{
    jinja_value list = jinja_list_new(run);
    list.u.list->tuple = node->kind == NODE_TUPLE;
    for (size_t i = 0; i < node->n && !run->error; i++)
        jinja_list_add(run, list.u.list, eval(run, scope, node->list[i]));
    return list;
}

static jinja_value
eval_dict(jinja_run *run, jinja_scope *scope, const jinja_node *node)
{
    jinja_value dict = jinja_dict_new(run);
    for (size_t i = 0; i + 1 < node->n && !run->error; i += 2) {
        const jinja_value key = eval(run, scope, node->list[i]);
        jinja_dict_set(run, dict.u.dict, key, eval(run, scope, node->list[i + 1]));
    }
    return dict;
}

typedef struct {
    jinja_value values[MAX_ARGS], named[MAX_ARGS];
    const char *names[MAX_ARGS];
    jinja_args args;
} arguments;

static gboolean
eval_arguments(jinja_run *run, jinja_scope *scope, const jinja_node *node, arguments *out)
{
    out->args = (jinja_args){out->values, 0, out->names, out->named, 0};
    if (node->n > MAX_ARGS) jinja_fail(run, ENGINE_ERROR_LIMIT, "a call has too many arguments");
    for (size_t i = 0; i < node->n && !run->error; i++) {
        const jinja_node *a = node->list[i];
        if (a->kind == NODE_KEYWORD) {
            out->names[out->args.n_named] = a->text;
            out->named[out->args.n_named++] = eval(run, scope, a->a);
        } else {
            out->values[out->args.n++] = eval(run, scope, a);
        }
    }
    return !run->error;
}

static jinja_value
call_macro(jinja_run *run, const jinja_macro *macro, const jinja_args *args)
{
    const jinja_node *node = macro->node;
    jinja_scope *scope = scope_new(run, macro->scope);
    if (args->n > node->n)
        return jinja_fail(run, ENGINE_ERROR_FORMAT, "macro '%.40s' is given too many arguments",
                          node->text);
    for (size_t i = 0; i < node->n && !run->error; i++) {
        const jinja_node *parameter = node->list[i];
        jinja_value value = jinja_arg(args, i, parameter->text);
        if (value.kind == JINJA_UNDEFINED && parameter->a) value = eval(run, scope, parameter->a);
        scope_set(run, scope, parameter->text, value);
    }
    GString *outer = run->out;
    run->out = g_string_new(NULL);
    execute(run, scope, node->b);
    GString *text = run->out;
    run->out = outer;
    return jinja_take_string(run, text);
}

static jinja_value
eval_call(jinja_run *run, jinja_scope *scope, const jinja_node *node)
{
    const jinja_value callee = eval(run, scope, node->a);
    if (run->error) return callee;
    g_autofree arguments *given = g_new(arguments, 1); /* off the stack: calls nest */
    if (!eval_arguments(run, scope, node, given)) return callee;
    run->line = node->line;
    if (callee.kind == JINJA_METHOD) return jinja_call_method(run, callee.u.method, &given->args);
    if (callee.kind == JINJA_FUNCTION) return jinja_call_function(run, callee.u.name, &given->args);
    if (callee.kind == JINJA_MACRO) return call_macro(run, callee.u.macro, &given->args);
    return jinja_fail(run, ENGINE_ERROR_FORMAT, "it calls '%.40s', which is no function",
                      callee.kind == JINJA_UNDEFINED ? callee.u.name : "a value");
}

static jinja_value
eval_filter(jinja_run *run, jinja_scope *scope, const jinja_node *node)
{
    const jinja_value v = eval(run, scope, node->a);
    if (run->error) return v;
    g_autofree arguments *given = g_new(arguments, 1);
    if (!eval_arguments(run, scope, node, given)) return v;
    run->line = node->line;
    return node->kind == NODE_FILTER ? jinja_filter(run, node->index, v, &given->args)
                                     : jinja_bool(jinja_test(run, node->index, v, &given->args));
}

static jinja_value
eval_compare(jinja_run *run, jinja_scope *scope, const jinja_node *node)
{
    jinja_value left = eval(run, scope, node->a);
    for (size_t i = 0; i < node->n && !run->error; i++) {
        const jinja_value right = eval(run, scope, node->list[i]->b);
        if (!compare(run, node->list[i]->text, left, right)) return jinja_bool(FALSE);
        left = right;
    }
    return jinja_bool(TRUE);
}

static jinja_value
eval_sign(jinja_run *run, jinja_value v, gboolean negative)
{
    if (run->error || !jinja_is_number(v)) return run->error ? v : type_error(run, "-");
    if (v.kind == JINJA_FLOAT) return jinja_float(negative ? -v.u.f : v.u.f);
    return negative ? integer_operation(run, "-", 0, as_int(v)) : jinja_int(as_int(v));
}

static jinja_value
eval_kind(jinja_run *run, jinja_scope *scope, const jinja_node *node)
{
    jinja_value v;
    switch (node->kind) {
    case NODE_CONST:
        return node->value;
    case NODE_NAME:
        return lookup(scope, node->text);
    case NODE_HOLE:
        return run->hole;
    case NODE_LIST:
    case NODE_TUPLE:
        return eval_items(run, scope, node);
    case NODE_DICT:
        return eval_dict(run, scope, node);
    case NODE_NOT:
        return jinja_bool(!jinja_truth(eval(run, scope, node->a)));
    case NODE_NEGATIVE:
    case NODE_POSITIVE:
        return eval_sign(run, eval(run, scope, node->a), node->kind == NODE_NEGATIVE);
    case NODE_BINARY:
        v = eval(run, scope, node->a);
        return binary(run, node->text, v, eval(run, scope, node->b));
    case NODE_AND:
        v = eval(run, scope, node->a);
        return jinja_truth(v) ? eval(run, scope, node->b) : v;
    case NODE_OR:
        v = eval(run, scope, node->a);
        return jinja_truth(v) ? v : eval(run, scope, node->b);
    case NODE_COMPARE:
        return eval_compare(run, scope, node);
    case NODE_CONDITION:
        if (jinja_truth(eval(run, scope, node->b))) return eval(run, scope, node->a);
        return node->c ? eval(run, scope, node->c) : jinja_undefined("");
    case NODE_ATTRIBUTE:
        return jinja_attribute(run, eval(run, scope, node->a), node->text);
    case NODE_INDEX:
        v = eval(run, scope, node->a);
        return jinja_index(run, v, eval(run, scope, node->b));
    case NODE_SLICE: {
        v = eval(run, scope, node->a);
        const jinja_value from = eval_or_none(run, scope, node->b);
        const jinja_value to = eval_or_none(run, scope, node->c);
        const jinja_value by = eval_or_none(run, scope, node->d);
        return run->error ? v : slice(run, v, from, to, by);
    }
    case NODE_CALL:
        return eval_call(run, scope, node);
    case NODE_FILTER:
    case NODE_TEST:
        return eval_filter(run, scope, node);
    default:
        return jinja_fail(run, ENGINE_ERROR_FORMAT, "an expression is missing");
    }
}

static jinja_value
eval(jinja_run *run, jinja_scope *scope, const jinja_node *node)
{
    if (!jinja_step(run, 1)) return jinja_undefined("");
    run->line = node->line;
    if (run->depth >= JINJA_MAX_DEPTH)
        return jinja_fail(run, ENGINE_ERROR_LIMIT, "it is nested too deep");
    run->depth++;
    const jinja_value v = eval_kind(run, scope, node);
    run->depth--;
    return run->error ? jinja_undefined("") : v;
}

/* ---- statements ------------------------------------------------------------------------------- */

static void
assign(jinja_run *run, jinja_scope *scope, const jinja_node *target, jinja_value value)
{
    if (run->error) return;
    if (target->kind == NODE_NAME) {
        scope_set(run, scope, target->text, value);
    } else if (target->kind == NODE_ATTRIBUTE) {
        const jinja_value object = eval(run, scope, target->a);
        if (object.kind != JINJA_NAMESPACE)
            jinja_fail(run, ENGINE_ERROR_FORMAT, "it sets a member of what is no namespace");
        else
            jinja_dict_set(run, object.u.dict, jinja_text(target->text), value);
    } else {
        const jinja_list *items = jinja_items(run, value);
        if (!items || target->kind != NODE_TUPLE || items->n != target->n) {
            jinja_fail(run, ENGINE_ERROR_FORMAT,
                       "it unpacks a value into the wrong number of names");
            return;
        }
        for (size_t i = 0; i < target->n; i++)
            assign(run, scope, target->list[i], items->items[i]);
    }
}

/* The items that pass the loop's condition. */
static const jinja_list *
select_items(jinja_run *run, jinja_scope *scope, const jinja_node *node, const jinja_list *all)
{
    if (!node->c || !all) return all;
    jinja_value chosen = jinja_list_new(run);
    jinja_scope *inner = scope_new(run, scope);
    for (size_t i = 0; i < all->n && !run->error; i++) {
        assign(run, inner, node->a, all->items[i]);
        if (jinja_truth(eval(run, inner, node->c)))
            jinja_list_add(run, chosen.u.list, all->items[i]);
    }
    return chosen.u.list;
}

static const char *
interned(const jinja_run *run, const char *name)
{
    return g_hash_table_lookup(run->template->names, name);
}

static flow
execute_for(jinja_run *run, jinja_scope *scope, const jinja_node *node)
{
    const jinja_list *items = jinja_items(run, eval(run, scope, node->b));
    items = select_items(run, scope, node, items);
    if (!items || run->error) return FLOW_ON;
    if (items->n == 0) return node->e ? execute(run, scope, node->e) : FLOW_ON;
    jinja_loop *loop = jinja_arena_take(&run->arena, sizeof *loop);
    loop->list = items;
    jinja_scope *inner = scope_new(run, scope);
    const char *name = interned(run, "loop"); /* NULL: the template never says it */
    for (; loop->index < items->n && !run->error; loop->index++) {
        inner->n = 0; /* a fresh scope for every round */
        if (name) scope_set(run, inner, name, (jinja_value){.kind = JINJA_LOOP, .u.loop = loop});
        assign(run, inner, node->a, items->items[loop->index]);
        if (execute(run, inner, node->d) == FLOW_BREAK) break;
    }
    return FLOW_ON;
}

/* What a block prints, as a value, through filters if there are any. */
static jinja_value
collect(jinja_run *run, jinja_scope *scope, const jinja_node *node)
{
    GString *outer = run->out;
    const jinja_value hole = run->hole;
    run->out = g_string_new(NULL);
    execute(run, scope_new(run, scope), node->b);
    GString *text = run->out;
    run->out = outer;
    jinja_value v = jinja_take_string(run, text);
    if (!node->c || run->error) return v;
    run->hole = v;
    v = eval(run, scope, node->c);
    run->hole = hole;
    return v;
}

static void
print(jinja_run *run, jinja_value v)
{
    if (run->error) return;
    jinja_write(run, v, run->out);
    if (run->out->len > run->max_output) jinja_fail(run, ENGINE_ERROR_LIMIT, "it prints too much");
}

static flow
execute_block(jinja_run *run, jinja_scope *scope, const jinja_node *node)
{
    flow f = FLOW_ON;
    for (size_t i = 0; i < node->n && f == FLOW_ON && !run->error; i++)
        f = execute(run, scope, node->list[i]);
    return f;
}

static flow
execute_if(jinja_run *run, jinja_scope *scope, const jinja_node *node)
{
    while (node && node->kind == NODE_IF && !run->error) {
        if (jinja_truth(eval(run, scope, node->a)))
            return run->error ? FLOW_ON : execute(run, scope, node->b);
        node = node->c;
    }
    return node && !run->error ? execute(run, scope, node) : FLOW_ON;
}

static flow
execute_kind(jinja_run *run, jinja_scope *scope, const jinja_node *node)
{
    switch (node->kind) {
    case NODE_TEXT:
        print(run, jinja_string(node->text, node->len));
        return FLOW_ON;
    case NODE_PRINT:
        print(run, eval(run, scope, node->a));
        return FLOW_ON;
    case NODE_BLOCK:
        return execute_block(run, scope, node);
    case NODE_IF:
        return execute_if(run, scope, node);
    case NODE_FOR:
        return execute_for(run, scope, node);
    case NODE_SET:
        assign(run, scope, node->a, eval(run, scope, node->b));
        return FLOW_ON;
    case NODE_SET_TEXT:
        assign(run, scope, node->a, collect(run, scope, node));
        return FLOW_ON;
    case NODE_FILTERED:
        print(run, collect(run, scope, node));
        return FLOW_ON;
    case NODE_MACRO: {
        jinja_macro *macro = jinja_arena_take(&run->arena, sizeof *macro);
        *macro = (jinja_macro){node, scope};
        scope_set(run, scope, node->text, (jinja_value){.kind = JINJA_MACRO, .u.macro = macro});
        return FLOW_ON;
    }
    case NODE_BREAK:
        return FLOW_BREAK;
    case NODE_CONTINUE:
        return FLOW_CONTINUE;
    default:
        jinja_fail(run, ENGINE_ERROR_FORMAT, "a statement is missing");
        return FLOW_ON;
    }
}

static flow
execute(jinja_run *run, jinja_scope *scope, const jinja_node *node)
{
    if (!jinja_step(run, 1)) return FLOW_ON;
    if (run->depth >= JINJA_MAX_DEPTH) {
        jinja_fail(run, ENGINE_ERROR_LIMIT, "it is nested too deep");
        return FLOW_ON;
    }
    run->depth++;
    const flow f = execute_kind(run, scope, node);
    run->depth--;
    return f;
}

/* ---- a run ------------------------------------------------------------------------------------ */

/* Bytes of all strings inside, roughly. */
static size_t
json_size(const json_t *json)
{
    size_t n = 16;
    const char *key;
    json_t *value;
    size_t i;
    if (json_is_string(json)) n += json_string_length(json);
    json_array_foreach((json_t *)(uintptr_t)json, i, value) n += json_size(value);
    if (json_is_object(json))
        json_object_foreach((json_t *)(uintptr_t)json, key, value) n +=
            strlen(key) + json_size(value);
    return n;
}

char *
jinja_render(const jinja_template *t, const json_t *context, GError **error)
{
    const size_t size = json_size(context);
    jinja_run run = {.template = t, .out = g_string_new(NULL)};
    run.max_memory = JINJA_MAX_MEMORY + 64 * size;
    run.max_output = JINJA_MAX_MEMORY / 4 + 8 * size;
    jinja_arena_init(&run.arena);
    run.globals = scope_new(&run, NULL);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)context, key, value)
    {
        const char *name = interned(&run, key); /* NULL: the template never says it */
        if (name) scope_set(&run, run.globals, name, jinja_from_json(&run, value, 0));
    }
    if (!run.error) execute(&run, run.globals, t->root);
    jinja_arena_clear(&run.arena);
    if (run.error) {
        g_string_free(run.out, TRUE);
        g_propagate_error(error, run.error);
        return NULL;
    }
    return g_string_free(run.out, FALSE);
}

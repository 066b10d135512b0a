/* Filters by name: the reference's own, with tojson as chat templates know it. */
#include "engine/jinja_impl.h"

#include <math.h>
#include <string.h>

typedef jinja_value (*filter_fn)(jinja_run *run, jinja_value v, const jinja_args *args);

static gboolean
flag(const jinja_args *args, size_t index, const char *name)
{
    return jinja_truth(jinja_arg(args, index, name));
}

static gboolean
is_given(jinja_value v)
{
    return v.kind != JINJA_UNDEFINED && v.kind != JINJA_NONE;
}

/* A method as a filter, on what the value reads as. */
static jinja_value
as_method(jinja_run *run, jinja_value v, const char *name, const jinja_args *args)
{
    const jinja_method method = {jinja_to_string(run, v), name};
    return run->error ? v : jinja_call_method(run, &method, args);
}

/* v.a.b or v[3], as filters take attributes. */
static jinja_value
attribute_of(jinja_run *run, jinja_value v, jinja_value attribute)
{
    if (attribute.kind != JINJA_STRING) return jinja_index(run, v, attribute);
    for (size_t from = 0; from <= attribute.len && !run->error;) {
        const char *s = attribute.u.s + from;
        const char *dot = memchr(s, '.', attribute.len - from);
        const size_t n = dot ? (size_t)(dot - s) : attribute.len - from;
        v = jinja_index(run, v, jinja_string(s, n));
        from += n + 1;
    }
    return v;
}

/* ---- strings ---------------------------------------------------------------------------------- */

static jinja_value
filter_tojson(jinja_run *run, jinja_value v, const jinja_args *args)
{
    const jinja_value indent = jinja_arg(args, 1, "indent");
    const int spaces = indent.kind == JINJA_INT ? (int)CLAMP(indent.u.i, 0, 16) : -1;
    GString *out = g_string_new(NULL);
    jinja_write_json(run, v, spaces, flag(args, 3, "sort_keys"), flag(args, 0, "ensure_ascii"), 0,
                     out);
    return jinja_take_string(run, out);
}

static jinja_value
filter_trim(jinja_run *run, jinja_value v, const jinja_args *args)
{
    return jinja_strip(jinja_to_string(run, v), jinja_arg(args, 0, "chars"), TRUE, TRUE);
}

static jinja_value
filter_string(jinja_run *run, jinja_value v, const jinja_args *args)
{
    (void)args;
    return jinja_to_string(run, v);
}

static jinja_value
filter_upper(jinja_run *run, jinja_value v, const jinja_args *args)
{
    return as_method(run, v, "upper", args);
}

static jinja_value
filter_lower(jinja_run *run, jinja_value v, const jinja_args *args)
{
    return as_method(run, v, "lower", args);
}

static jinja_value
filter_capitalize(jinja_run *run, jinja_value v, const jinja_args *args)
{
    return as_method(run, v, "capitalize", args);
}

/* Words start behind white space, hyphens and opening brackets only, unlike in str.title(). */
static jinja_value
filter_title(jinja_run *run, jinja_value v, const jinja_args *args)
{
    (void)args;
    const jinja_value s = jinja_to_string(run, v);
    GString *out = g_string_new(NULL);
    gboolean inside = FALSE;
    for (size_t i = 0; i < s.len && jinja_step(run, 1);) {
        uint32_t cp = 0;
        i += unicode_next(s.u.s + i, s.len - i, &cp);
        g_string_append_unichar(out, inside ? g_unichar_tolower(cp) : g_unichar_toupper(cp));
        inside =
            !(unicode_class(cp) & UNICODE_SPACE) && !(cp < 0x80 && cp && strchr("-({[<", (int)cp));
    }
    return jinja_take_string(run, out);
}

static jinja_value
filter_replace(jinja_run *run, jinja_value v, const jinja_args *args)
{
    const jinja_value count = jinja_arg(args, 2, "count");
    const jinja_value from = jinja_to_string(run, jinja_arg(args, 0, "old"));
    const jinja_value to = jinja_to_string(run, jinja_arg(args, 1, "new"));
    const jinja_value s = jinja_to_string(run, v);
    return run->error ? v
                      : jinja_replace(run, s, from, to, count.kind == JINJA_INT ? count.u.i : -1);
}

static jinja_value
filter_indent(jinja_run *run, jinja_value v, const jinja_args *args)
{
    const jinja_value width = jinja_arg(args, 0, "width");
    const gboolean blank = flag(args, 2, "blank");
    g_autoptr(GString) indent = g_string_new(NULL);
    if (width.kind == JINJA_STRING)
        g_string_append_len(indent, width.u.s, (gssize)width.len);
    else
        for (int64_t i = width.kind == JINJA_INT ? MIN(width.u.i, 64) : 4; i > 0; i--)
            g_string_append_c(indent, ' ');
    const jinja_value s = jinja_to_string(run, v);
    const jinja_value text = jinja_string(s.u.s, s.len);
    const jinja_args none = {0};
    const jinja_method split = {text, "splitlines"};
    const jinja_value lines = jinja_call_method(run, &split, &none);
    GString *out = g_string_new(NULL);
    if (flag(args, 1, "first")) g_string_append_len(out, indent->str, (gssize)indent->len);
    for (size_t i = 0; !run->error && i < lines.u.list->n; i++) {
        const jinja_value line = lines.u.list->items[i];
        if (i > 0) g_string_append_c(out, '\n');
        if (i > 0 && (line.len > 0 || blank))
            g_string_append_len(out, indent->str, (gssize)indent->len);
        g_string_append_len(out, line.u.s, (gssize)line.len);
        jinja_fits(run, out->len);
    }
    /* a newline at the end is kept, for the reference adds one before it looks for lines */
    if (s.len > 0 && s.u.s[s.len - 1] == '\n') {
        g_string_append_c(out, '\n');
        if (blank) g_string_append_len(out, indent->str, (gssize)indent->len);
    }
    return jinja_take_string(run, out);
}

static jinja_value
filter_escape(jinja_run *run, jinja_value v, const jinja_args *args)
{
    (void)args;
    const jinja_value s = jinja_to_string(run, v);
    GString *out = g_string_new(NULL);
    for (size_t i = 0; i < s.len && jinja_fits(run, out->len); i++) {
        const char c = s.u.s[i];
        const char *as = c == '&'    ? "&amp;"
                         : c == '<'  ? "&lt;"
                         : c == '>'  ? "&gt;"
                         : c == '\'' ? "&#39;"
                         : c == '"'  ? "&#34;"
                                     : NULL;
        if (as)
            g_string_append(out, as);
        else
            g_string_append_c(out, c);
    }
    return jinja_take_string(run, out);
}

/* ---- numbers ---------------------------------------------------------------------------------- */

static gboolean
parse_number(jinja_value s, double *out)
{
    const jinja_value t = jinja_strip(s, jinja_none(), TRUE, TRUE);
    g_autofree char *text = g_strndup(t.u.s, t.len);
    char *end = NULL;
    if (t.len == 0 || g_ascii_isxdigit(text[t.len - 1]) == 0) return FALSE;
    *out = g_ascii_strtod(text, &end);
    return *end == '\0' && !strpbrk(text, "xXpP");
}

static jinja_value
filter_int(jinja_run *run, jinja_value v, const jinja_args *args)
{
    (void)run;
    const jinja_value otherwise = jinja_arg(args, 0, "default");
    double number = 0;
    if (v.kind == JINJA_INT) return v;
    if (v.kind == JINJA_STRING) {
        if (!parse_number(v, &number)) return is_given(otherwise) ? otherwise : jinja_int(0);
    } else if (jinja_is_number(v)) {
        number = jinja_to_double(v);
    } else {
        return is_given(otherwise) ? otherwise : jinja_int(0);
    }
    if (!(fabs(number) < 9e18)) return is_given(otherwise) ? otherwise : jinja_int(0);
    return jinja_int((int64_t)number);
}

static jinja_value
filter_float(jinja_run *run, jinja_value v, const jinja_args *args)
{
    (void)run;
    const jinja_value otherwise = jinja_arg(args, 0, "default");
    double number = 0;
    if (jinja_is_number(v)) return jinja_float(jinja_to_double(v));
    if (v.kind == JINJA_STRING && parse_number(v, &number)) return jinja_float(number);
    return is_given(otherwise) ? otherwise : jinja_float(0);
}

static jinja_value
filter_abs(jinja_run *run, jinja_value v, const jinja_args *args)
{
    (void)args;
    if (v.kind == JINJA_FLOAT) return jinja_float(fabs(v.u.f));
    if (v.kind == JINJA_INT && v.u.i > INT64_MIN) return jinja_int(ABS(v.u.i));
    return jinja_fail(run, ENGINE_ERROR_FORMAT, "abs of what is no number");
}

/* Halves go to the even side, as Python's do. */
static jinja_value
filter_round(jinja_run *run, jinja_value v, const jinja_args *args)
{
    const jinja_value precision = jinja_arg(args, 0, "precision");
    const jinja_value method = jinja_arg(args, 1, "method");
    if (!jinja_is_number(v))
        return jinja_fail(run, ENGINE_ERROR_FORMAT, "round of what is no number");
    const int64_t digits = precision.kind == JINJA_INT ? CLAMP(precision.u.i, -300, 300) : 0;
    const double scale = pow(10, (double)digits);
    double x = jinja_to_double(v);
    if (method.kind == JINJA_STRING && method.len == 4 && memcmp(method.u.s, "ceil", 4) == 0)
        return jinja_float(ceil(x * scale) / scale);
    if (method.kind == JINJA_STRING && method.len == 5 && memcmp(method.u.s, "floor", 5) == 0)
        return jinja_float(floor(x * scale) / scale);
    if (digits >= 0 && digits <= 17) { /* by way of decimal digits, which rounds correctly */
        char format[8], text[400];
        g_snprintf(format, sizeof format, "%%.%df", (int)digits);
        if (fabs(x) < 1e300)
            return jinja_float(g_ascii_strtod(g_ascii_formatd(text, sizeof text, format, x), NULL));
    }
    return jinja_float(rint(x * scale) / scale);
}

/* ---- lists ------------------------------------------------------------------------------------ */

static jinja_value
filter_length(jinja_run *run, jinja_value v, const jinja_args *args)
{
    (void)args;
    if (v.kind != JINJA_STRING && v.kind != JINJA_LIST && v.kind != JINJA_DICT &&
        v.kind != JINJA_UNDEFINED)
        return jinja_fail(run, ENGINE_ERROR_FORMAT, "length of a value that has none");
    jinja_step(run, v.kind == JINJA_STRING ? v.len / 64 : 0);
    return jinja_int((int64_t)jinja_length(v));
}

static jinja_value
list_value(jinja_run *run, const jinja_list *items)
{
    jinja_value list = jinja_list_new(run);
    for (size_t i = 0; items && i < items->n && jinja_step(run, 1); i++)
        jinja_list_add(run, list.u.list, items->items[i]);
    return list;
}

static jinja_value
filter_list(jinja_run *run, jinja_value v, const jinja_args *args)
{
    (void)args;
    return list_value(run, jinja_items(run, v));
}

static jinja_value
filter_items(jinja_run *run, jinja_value v, const jinja_args *args)
{
    if (v.kind == JINJA_UNDEFINED) return jinja_list_new(run);
    if (v.kind != JINJA_DICT)
        return jinja_fail(run, ENGINE_ERROR_FORMAT, "items of what is no mapping");
    const jinja_method method = {v, "items"};
    return jinja_call_method(run, &method, args);
}

static jinja_value
filter_default(jinja_run *run, jinja_value v, const jinja_args *args)
{
    (void)run;
    const gboolean lacks =
        v.kind == JINJA_UNDEFINED || (flag(args, 1, "boolean") && !jinja_truth(v));
    if (!lacks) return v;
    const jinja_value other = jinja_arg(args, 0, "default_value");
    return args->n == 0 && other.kind == JINJA_UNDEFINED ? jinja_text("") : other;
}

static jinja_value
filter_join(jinja_run *run, jinja_value v, const jinja_args *args)
{
    const jinja_value between = jinja_to_string(run, jinja_arg(args, 0, "d"));
    const jinja_value attribute = jinja_arg(args, 1, "attribute");
    const jinja_list *items = jinja_items(run, v);
    GString *out = g_string_new(NULL);
    for (size_t i = 0; items && i < items->n && jinja_step(run, 1); i++) {
        if (i > 0) g_string_append_len(out, between.u.s, (gssize)between.len);
        jinja_write(run,
                    is_given(attribute) ? attribute_of(run, items->items[i], attribute)
                                        : items->items[i],
                    out);
        jinja_fits(run, out->len);
    }
    return jinja_take_string(run, out);
}

static jinja_value
filter_first(jinja_run *run, jinja_value v, const jinja_args *args)
{
    (void)args;
    const jinja_list *items = jinja_items(run, v);
    return items && items->n > 0 ? items->items[0] : jinja_undefined("first item");
}

static jinja_value
filter_last(jinja_run *run, jinja_value v, const jinja_args *args)
{
    (void)args;
    const jinja_list *items = jinja_items(run, v);
    return items && items->n > 0 ? items->items[items->n - 1] : jinja_undefined("last item");
}

static jinja_value
filter_reverse(jinja_run *run, jinja_value v, const jinja_args *args)
{
    (void)args;
    const jinja_list *items = jinja_items(run, v);
    jinja_value list = jinja_list_new(run);
    for (size_t i = items ? items->n : 0; i-- > 0 && jinja_step(run, 1);)
        jinja_list_add(run, list.u.list, items->items[i]);
    if (v.kind != JINJA_STRING || run->error) return list;
    GString *out = g_string_new(NULL);
    for (size_t i = 0; i < list.u.list->n; i++)
        jinja_write(run, list.u.list->items[i], out);
    return jinja_take_string(run, out);
}

/* What sort, unique, min and max compare: strings without case unless asked. */
static jinja_value
sort_key(jinja_run *run, jinja_value v, jinja_value attribute, gboolean with_case)
{
    const jinja_args none = {0};
    if (is_given(attribute)) v = attribute_of(run, v, attribute);
    return v.kind == JINJA_STRING && !with_case ? as_method(run, v, "lower", &none) : v;
}

static gint
compare_pairs(gconstpointer a, gconstpointer b, gpointer run)
{
    return jinja_order(run, ((const jinja_pair *)a)->key, ((const jinja_pair *)b)->key);
}

static gint
compare_pairs_back(gconstpointer a, gconstpointer b, gpointer run)
{
    return jinja_order(run, ((const jinja_pair *)b)->key, ((const jinja_pair *)a)->key);
}

static jinja_value
filter_sort(jinja_run *run, jinja_value v, const jinja_args *args)
{
    const gboolean back = flag(args, 0, "reverse"), with_case = flag(args, 1, "case_sensitive");
    const jinja_value attribute = jinja_arg(args, 2, "attribute");
    const jinja_list *items = jinja_items(run, v);
    g_autoptr(GArray) pairs = g_array_new(FALSE, FALSE, sizeof(jinja_pair));
    for (size_t i = 0; items && i < items->n && jinja_step(run, 16); i++) {
        const jinja_pair pair = {sort_key(run, items->items[i], attribute, with_case),
                                 items->items[i]};
        g_array_append_val(pairs, pair);
    }
    if (!run->error) g_array_sort_with_data(pairs, back ? compare_pairs_back : compare_pairs, run);
    jinja_value list = jinja_list_new(run);
    for (guint i = 0; i < pairs->len && !run->error; i++)
        jinja_list_add(run, list.u.list, g_array_index(pairs, jinja_pair, i).value);
    return list;
}

static jinja_value
filter_dictsort(jinja_run *run, jinja_value v, const jinja_args *args)
{
    const jinja_value by = jinja_arg(args, 1, "by");
    const jinja_args none = {0};
    const gboolean by_value =
        by.kind == JINJA_STRING && by.len == 5 && memcmp(by.u.s, "value", 5) == 0;
    const jinja_value values[3] = {jinja_arg(args, 2, "reverse"),
                                   jinja_arg(args, 0, "case_sensitive"), jinja_int(by_value)};
    const jinja_args inner = {values, 3, NULL, NULL, 0};
    return filter_sort(run, filter_items(run, v, &none), &inner);
}

static jinja_value
filter_unique(jinja_run *run, jinja_value v, const jinja_args *args)
{
    const gboolean with_case = flag(args, 0, "case_sensitive");
    const jinja_value attribute = jinja_arg(args, 1, "attribute");
    const jinja_list *items = jinja_items(run, v);
    jinja_value list = jinja_list_new(run), seen = jinja_dict_new(run);
    for (size_t i = 0; items && i < items->n && !run->error; i++) {
        const jinja_value key = sort_key(run, items->items[i], attribute, with_case);
        if (run->error || jinja_dict_get(run, seen.u.dict, key)) continue;
        jinja_dict_set(run, seen.u.dict, key, jinja_none());
        jinja_list_add(run, list.u.list, items->items[i]);
    }
    return list;
}

static jinja_value
extreme(jinja_run *run, jinja_value v, const jinja_args *args, int sign)
{
    const gboolean with_case = flag(args, 0, "case_sensitive");
    const jinja_value attribute = jinja_arg(args, 1, "attribute");
    const jinja_list *items = jinja_items(run, v);
    jinja_value best = jinja_undefined("extreme item"), best_key = best;
    for (size_t i = 0; items && i < items->n && jinja_step(run, 1); i++) {
        const jinja_value key = sort_key(run, items->items[i], attribute, with_case);
        if (i > 0 && jinja_order(run, key, best_key) * sign <= 0) continue;
        best = items->items[i];
        best_key = key;
    }
    return best;
}

static jinja_value
filter_min(jinja_run *run, jinja_value v, const jinja_args *args)
{
    return extreme(run, v, args, -1);
}

static jinja_value
filter_max(jinja_run *run, jinja_value v, const jinja_args *args)
{
    return extreme(run, v, args, 1);
}

static jinja_value
filter_sum(jinja_run *run, jinja_value v, const jinja_args *args)
{
    const jinja_value attribute = jinja_arg(args, 0, "attribute");
    const jinja_list *items = jinja_items(run, v);
    int64_t whole = 0;
    double real = 0;
    gboolean is_real = FALSE;
    for (size_t i = 0; items && i < items->n && jinja_step(run, 1); i++) {
        const jinja_value x =
            is_given(attribute) ? attribute_of(run, items->items[i], attribute) : items->items[i];
        if (!jinja_is_number(x))
            return jinja_fail(run, ENGINE_ERROR_FORMAT, "sum of what is no number");
        is_real = is_real || x.kind == JINJA_FLOAT;
        real += jinja_to_double(x);
        if (x.kind != JINJA_FLOAT &&
            __builtin_add_overflow(whole, x.kind == JINJA_INT ? x.u.i : x.u.b, &whole))
            return jinja_fail(run, ENGINE_ERROR_LIMIT, "a number is too large");
    }
    return is_real ? jinja_float(real) : jinja_int(whole);
}

static jinja_value
filter_attr(jinja_run *run, jinja_value v, const jinja_args *args)
{
    const jinja_value name = jinja_to_string(run, jinja_arg(args, 0, "name"));
    return run->error ? v : jinja_index(run, v, name);
}

/* The arguments behind the first n. */
static jinja_args
rest_of(const jinja_args *args, size_t n)
{
    jinja_args rest = *args;
    n = MIN(n, args->n);
    rest.values += n;
    rest.n -= n;
    return rest;
}

/* What map, select and reject go through: nothing for whatever is not true, none included. */
static const jinja_list *
items_if_any(jinja_run *run, jinja_value v)
{
    return jinja_items(run, jinja_truth(v) ? v : jinja_undefined(""));
}

/* A filter or test named by a value; -1 fails the run. */
static int
named(jinja_run *run, jinja_value name, int (*find)(const char *))
{
    g_autofree char *text =
        name.kind == JINJA_STRING ? g_strndup(name.u.s, name.len) : g_strdup("(no name)");
    const int index = find(text);
    if (index < 0)
        jinja_fail(run, ENGINE_ERROR_UNSUPPORTED, "no filter or test is called '%.40s'", text);
    return index;
}

static jinja_value
filter_map(jinja_run *run, jinja_value v, const jinja_args *args)
{
    const jinja_value attribute = args->n == 0 ? jinja_arg(args, 0, "attribute") : jinja_none();
    const jinja_value otherwise = args->n == 0 ? jinja_arg(args, 1, "default") : jinja_none();
    const jinja_list *items = items_if_any(run, v);
    const jinja_args rest = rest_of(args, 1);
    jinja_value list = jinja_list_new(run);
    const int filter =
        is_given(attribute) ? 0 : named(run, jinja_arg(args, 0, NULL), jinja_find_filter);
    for (size_t i = 0; items && i < items->n && jinja_step(run, 1); i++) {
        jinja_value x = is_given(attribute)
                            ? attribute_of(run, items->items[i], attribute)
                            : jinja_filter(run, (size_t)filter, items->items[i], &rest);
        if (x.kind == JINJA_UNDEFINED && is_given(otherwise)) x = otherwise;
        jinja_list_add(run, list.u.list, x);
    }
    return list;
}

/* select, reject; with_attribute: selectattr, rejectattr, whose first argument names it. */
static jinja_value
choose(jinja_run *run, jinja_value v, const jinja_args *args, gboolean with_attribute,
       gboolean want)
{
    const size_t n = with_attribute ? 1 : 0;
    const jinja_list *items = items_if_any(run, v);
    const jinja_args rest = rest_of(args, n + 1);
    const int test = args->n > n ? named(run, args->values[n], jinja_find_test) : -1;
    jinja_value list = jinja_list_new(run);
    if (with_attribute && args->n == 0)
        return jinja_fail(run, ENGINE_ERROR_FORMAT, "selectattr without an attribute");
    for (size_t i = 0; items && i < items->n && jinja_step(run, 1); i++) {
        jinja_value x = items->items[i];
        if (with_attribute) x = attribute_of(run, x, args->values[0]);
        const gboolean is = test >= 0 ? jinja_test(run, (size_t)test, x, &rest) : jinja_truth(x);
        if (is == want) jinja_list_add(run, list.u.list, items->items[i]);
    }
    return list;
}

static jinja_value
filter_select(jinja_run *run, jinja_value v, const jinja_args *args)
{
    return choose(run, v, args, FALSE, TRUE);
}

static jinja_value
filter_reject(jinja_run *run, jinja_value v, const jinja_args *args)
{
    return choose(run, v, args, FALSE, FALSE);
}

static jinja_value
filter_selectattr(jinja_run *run, jinja_value v, const jinja_args *args)
{
    return choose(run, v, args, TRUE, TRUE);
}

static jinja_value
filter_rejectattr(jinja_run *run, jinja_value v, const jinja_args *args)
{
    return choose(run, v, args, TRUE, FALSE);
}

static const struct {
    const char *name;
    filter_fn fn;
} filters[] = {
    {"tojson", filter_tojson},
    {"trim", filter_trim},
    {"string", filter_string},
    {"safe", filter_string},
    {"upper", filter_upper},
    {"lower", filter_lower},
    {"capitalize", filter_capitalize},
    {"title", filter_title},
    {"replace", filter_replace},
    {"indent", filter_indent},
    {"escape", filter_escape},
    {"e", filter_escape},
    {"int", filter_int},
    {"float", filter_float},
    {"abs", filter_abs},
    {"round", filter_round},
    {"length", filter_length},
    {"count", filter_length},
    {"list", filter_list},
    {"items", filter_items},
    {"default", filter_default},
    {"d", filter_default},
    {"join", filter_join},
    {"first", filter_first},
    {"last", filter_last},
    {"reverse", filter_reverse},
    {"sort", filter_sort},
    {"dictsort", filter_dictsort},
    {"unique", filter_unique},
    {"min", filter_min},
    {"max", filter_max},
    {"sum", filter_sum},
    {"attr", filter_attr},
    {"map", filter_map},
    {"select", filter_select},
    {"reject", filter_reject},
    {"selectattr", filter_selectattr},
    {"rejectattr", filter_rejectattr},
};

int
jinja_find_filter(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(filters); i++)
        if (strcmp(filters[i].name, name) == 0) return (int)i;
    return -1;
}

jinja_value
jinja_filter(jinja_run *run, size_t index, jinja_value v, const jinja_args *args)
{
    if (run->error) return v;
    if (run->depth >= JINJA_MAX_DEPTH) /* map('map', 'map', ...) */
        return jinja_fail(run, ENGINE_ERROR_LIMIT, "it is nested too deep");
    run->depth++;
    v = filters[index].fn(run, v, args);
    run->depth--;
    return v;
}

/* Attributes, indexes, methods and functions.
 *
 * Like the reference's immutable sandbox: nothing here changes a value that a variable holds. */
#include "engine/jinja_impl.h"

#include <string.h>

/* ---- strings ---------------------------------------------------------------------------------- */

static gboolean
is_space(uint32_t cp)
{
    return unicode_class(cp) & UNICODE_SPACE || (cp >= 0x1C && cp <= 0x1F);
}

static gboolean
is_among(uint32_t cp, jinja_value chars)
{
    if (chars.kind != JINJA_STRING) return is_space(cp);
    for (size_t i = 0; i < chars.len;) {
        uint32_t one = 0;
        i += unicode_next(chars.u.s + i, chars.len - i, &one);
        if (one == cp) return TRUE;
    }
    return FALSE;
}

jinja_value
jinja_strip(jinja_value s, jinja_value chars, gboolean left, gboolean right)
{
    size_t from = 0, to = s.len;
    uint32_t cp = 0;
    while (left && from < to) {
        const size_t n = unicode_next(s.u.s + from, to - from, &cp);
        if (!is_among(cp, chars)) break;
        from += n;
    }
    while (right && to > from) {
        size_t start = to - 1;
        while (start > from && ((uint8_t)s.u.s[start] & 0xC0) == 0x80)
            start--;
        unicode_next(s.u.s + start, to - start, &cp);
        if (!is_among(cp, chars)) break;
        to = start;
    }
    return jinja_string(s.u.s + from, to - from);
}

static const char *
find(jinja_value in, size_t from, jinja_value what)
{
    if (what.len == 0) return in.u.s + from;
    return in.len > from ? memmem(in.u.s + from, in.len - from, what.u.s, what.len) : NULL;
}

jinja_value
jinja_replace(jinja_run *run, jinja_value s, jinja_value from, jinja_value to, int64_t count)
{
    GString *out = g_string_new(NULL);
    size_t at = 0;
    jinja_step(run, s.len / 64);
    while (count != 0 && jinja_step(run, 1) && jinja_fits(run, out->len)) {
        const char *found = find(s, at, from);
        if (!found || (from.len == 0 && at > s.len)) break;
        g_string_append_len(out, s.u.s + at, found - (s.u.s + at));
        g_string_append_len(out, to.u.s, (gssize)to.len);
        at = (size_t)(found - s.u.s) + from.len;
        if (from.len == 0) { /* before every character and at the end */
            uint32_t cp;
            const size_t n = at < s.len ? unicode_next(s.u.s + at, s.len - at, &cp) : 1;
            if (at < s.len) g_string_append_len(out, s.u.s + at, (gssize)n);
            at += n;
        }
        count--;
    }
    if (at < s.len) g_string_append_len(out, s.u.s + at, (gssize)(s.len - at));
    return jinja_take_string(run, out);
}

/* At white space, from the left: runs of it separate, none is left at the ends. */
static jinja_value
split_blanks(jinja_run *run, jinja_value s, int64_t most)
{
    jinja_value list = jinja_list_new(run);
    jinja_value rest = jinja_strip(s, jinja_none(), TRUE, FALSE);
    while (rest.len > 0 && jinja_step(run, 1)) {
        size_t n = 0, len = 0;
        uint32_t cp = 0;
        while (n < rest.len) {
            len = unicode_next(rest.u.s + n, rest.len - n, &cp);
            if (is_space(cp)) break;
            n += len;
        }
        if (most-- == 0) {
            jinja_list_add(run, list.u.list, rest); /* with what blanks end it */
            break;
        }
        jinja_list_add(run, list.u.list, jinja_string(rest.u.s, n));
        rest = jinja_strip(jinja_string(rest.u.s + n, rest.len - n), jinja_none(), TRUE, FALSE);
    }
    return list;
}

static jinja_value
split(jinja_run *run, jinja_value s, jinja_value by, int64_t most)
{
    if (by.kind != JINJA_STRING) return split_blanks(run, s, most);
    if (by.len == 0) return jinja_fail(run, ENGINE_ERROR_FORMAT, "it splits at an empty string");
    jinja_value list = jinja_list_new(run);
    size_t at = 0;
    jinja_step(run, s.len / 64);
    for (const char *found; most != 0 && (found = find(s, at, by)) && jinja_step(run, 1); most--) {
        jinja_list_add(run, list.u.list, jinja_string(s.u.s + at, (size_t)(found - s.u.s) - at));
        at = (size_t)(found - s.u.s) + by.len;
    }
    jinja_list_add(run, list.u.list, jinja_string(s.u.s + at, s.len - at));
    return list;
}

static const char *
find_last(jinja_value s, size_t end, jinja_value what)
{
    if (what.len > end) return NULL;
    for (size_t i = end - what.len + 1; i-- > 0;)
        if (memcmp(s.u.s + i, what.u.s, what.len) == 0) return s.u.s + i;
    return NULL;
}

static jinja_value
split_right(jinja_run *run, jinja_value s, jinja_value by, int64_t most)
{
    if (by.kind != JINJA_STRING || most < 0) return split(run, s, by, -1);
    if (by.len == 0) return jinja_fail(run, ENGINE_ERROR_FORMAT, "it splits at an empty string");
    g_autoptr(GArray) parts = g_array_new(FALSE, FALSE, sizeof(jinja_value)); /* last first */
    size_t end = s.len;
    jinja_step(run, s.len / 16);
    for (const char *found; most > 0 && (found = find_last(s, end, by)) && jinja_step(run, 1);
         most--) {
        const size_t from = (size_t)(found - s.u.s) + by.len;
        const jinja_value part = jinja_string(s.u.s + from, end - from);
        g_array_append_val(parts, part);
        end = (size_t)(found - s.u.s);
    }
    jinja_value list = jinja_list_new(run);
    jinja_list_add(run, list.u.list, jinja_string(s.u.s, end));
    for (guint i = parts->len; i-- > 0;)
        jinja_list_add(run, list.u.list, g_array_index(parts, jinja_value, i));
    return list;
}

static jinja_value
split_lines(jinja_run *run, jinja_value s)
{
    jinja_value list = jinja_list_new(run);
    size_t from = 0;
    for (size_t i = 0; i < s.len && jinja_step(run, 1); i++) {
        if (s.u.s[i] != '\n' && s.u.s[i] != '\r') continue;
        jinja_list_add(run, list.u.list, jinja_string(s.u.s + from, i - from));
        if (s.u.s[i] == '\r' && i + 1 < s.len && s.u.s[i + 1] == '\n') i++;
        from = i + 1;
    }
    if (from < s.len) jinja_list_add(run, list.u.list, jinja_string(s.u.s + from, s.len - from));
    return list;
}

typedef enum { CASE_UPPER, CASE_LOWER, CASE_TITLE, CASE_CAPITAL } letter_case;

static jinja_value
change_case(jinja_run *run, jinja_value s, letter_case to)
{
    GString *out = g_string_new(NULL);
    gboolean inside = FALSE;
    for (size_t i = 0, n; i < s.len && jinja_step(run, 1); i += n) {
        uint32_t cp = 0;
        n = unicode_next(s.u.s + i, s.len - i, &cp);
        const gboolean upper = to == CASE_UPPER || (to != CASE_LOWER && !inside);
        if (upper && to != CASE_UPPER)
            g_string_append_unichar(out, g_unichar_totitle(cp));
        else
            g_string_append_unichar(out, upper ? g_unichar_toupper(cp) : g_unichar_tolower(cp));
        inside = to == CASE_CAPITAL || (to == CASE_TITLE && g_unichar_isalpha(cp));
    }
    return jinja_take_string(run, out);
}

static gboolean
all_of(jinja_value s, gboolean (*is)(gunichar))
{
    uint32_t cp = 0;
    for (size_t i = 0; i < s.len; i += unicode_next(s.u.s + i, s.len - i, &cp)) {
        unicode_next(s.u.s + i, s.len - i, &cp);
        if (!is(cp)) return FALSE;
    }
    return s.len > 0;
}

/* str.isupper, str.islower: some letter has case and none has the other. */
static gboolean
has_case(jinja_value s, gboolean (*is)(gunichar), gboolean (*other)(gunichar))
{
    gboolean any = FALSE;
    uint32_t cp = 0;
    for (size_t i = 0; i < s.len;) {
        i += unicode_next(s.u.s + i, s.len - i, &cp);
        if (other(cp)) return FALSE;
        any = any || is(cp);
    }
    return any;
}

/* A prefix or suffix, or any of a tuple of them. */
static gboolean
has_end(jinja_run *run, jinja_value s, jinja_value what, gboolean start)
{
    if (what.kind == JINJA_LIST) {
        for (size_t i = 0; i < what.u.list->n; i++)
            if (what.u.list->items[i].kind == JINJA_STRING &&
                has_end(run, s, what.u.list->items[i], start))
                return TRUE;
        return FALSE;
    }
    if (what.kind != JINJA_STRING) {
        jinja_fail(run, ENGINE_ERROR_FORMAT, "it looks for what is no string");
        return FALSE;
    }
    return what.len <= s.len &&
           memcmp(start ? s.u.s : s.u.s + s.len - what.len, what.u.s, what.len) == 0;
}

static jinja_value
join(jinja_run *run, jinja_value s, jinja_value list)
{
    GString *out = g_string_new(NULL);
    const jinja_list *items = jinja_items(run, list);
    for (size_t i = 0; items && i < items->n && jinja_step(run, 1); i++) {
        if (items->items[i].kind != JINJA_STRING)
            jinja_fail(run, ENGINE_ERROR_FORMAT, "it joins values that are no strings");
        if (i > 0) g_string_append_len(out, s.u.s, (gssize)s.len);
        if (!run->error) jinja_write(run, items->items[i], out);
        jinja_fits(run, out->len);
    }
    return jinja_take_string(run, out);
}

static int64_t
count_in(jinja_run *run, jinja_value s, jinja_value what)
{
    int64_t n = 0;
    if (what.kind != JINJA_STRING || what.len == 0) return 0;
    for (const char *p = s.u.s; jinja_step(run, 1);) {
        p = memmem(p, s.len - (size_t)(p - s.u.s), what.u.s, what.len);
        if (!p) break;
        p += what.len;
        n++;
    }
    return n;
}

/* Index in characters of the first or last place, -1 for none. */
static int64_t
place_of(jinja_run *run, jinja_value s, jinja_value what, gboolean last)
{
    if (what.kind != JINJA_STRING) {
        jinja_fail(run, ENGINE_ERROR_FORMAT, "it looks for what is no string");
        return -1;
    }
    jinja_step(run, s.len / 16);
    const char *found = last ? find_last(s, s.len, what) : find(s, 0, what);
    if (!found) return -1;
    return (int64_t)jinja_length(jinja_string(s.u.s, (size_t)(found - s.u.s)));
}

typedef enum {
    STR_STRIP,
    STR_LSTRIP,
    STR_RSTRIP,
    STR_SPLIT,
    STR_RSPLIT,
    STR_SPLITLINES,
    STR_STARTSWITH,
    STR_ENDSWITH,
    STR_UPPER,
    STR_LOWER,
    STR_TITLE,
    STR_CAPITALIZE,
    STR_REPLACE,
    STR_FIND,
    STR_RFIND,
    STR_INDEX,
    STR_COUNT,
    STR_JOIN,
    STR_ISDIGIT,
    STR_ISALPHA,
    STR_ISALNUM,
    STR_ISSPACE,
    STR_ISUPPER,
    STR_ISLOWER,
    STR_REMOVEPREFIX,
    STR_REMOVESUFFIX
} string_method;

static const char *const string_methods[] = {
    "strip",    "lstrip",  "rstrip",  "split",        "rsplit",       "splitlines", "startswith",
    "endswith", "upper",   "lower",   "title",        "capitalize",   "replace",    "find",
    "rfind",    "index",   "count",   "join",         "isdigit",      "isalpha",    "isalnum",
    "isspace",  "isupper", "islower", "removeprefix", "removesuffix", NULL};

static gboolean
is_white(gunichar cp)
{
    return is_space(cp);
}

static jinja_value
call_string(jinja_run *run, string_method m, jinja_value s, const jinja_args *args)
{
    const jinja_value a = jinja_arg(args, 0, "sep"), b = jinja_arg(args, 1, NULL);
    const jinja_value most = jinja_arg(args, 1, "maxsplit");
    const int64_t limit = most.kind == JINJA_INT ? most.u.i : -1;
    switch (m) {
    case STR_STRIP:
    case STR_LSTRIP:
    case STR_RSTRIP:
        return jinja_strip(s, a, m != STR_RSTRIP, m != STR_LSTRIP);
    case STR_SPLIT:
        return split(run, s, a, limit);
    case STR_RSPLIT:
        return split_right(run, s, a, limit);
    case STR_SPLITLINES:
        return split_lines(run, s);
    case STR_STARTSWITH:
    case STR_ENDSWITH:
        return jinja_bool(has_end(run, s, a, m == STR_STARTSWITH));
    case STR_UPPER:
        return change_case(run, s, CASE_UPPER);
    case STR_LOWER:
        return change_case(run, s, CASE_LOWER);
    case STR_TITLE:
        return change_case(run, s, CASE_TITLE);
    case STR_CAPITALIZE:
        return change_case(run, s, CASE_CAPITAL);
    case STR_REPLACE:
        if (a.kind != JINJA_STRING || b.kind != JINJA_STRING)
            return jinja_fail(run, ENGINE_ERROR_FORMAT, "it replaces what is no string");
        return jinja_replace(
            run, s, a, b,
            jinja_arg(args, 2, "count").kind == JINJA_INT ? jinja_arg(args, 2, "count").u.i : -1);
    case STR_FIND:
    case STR_RFIND:
        return jinja_int(place_of(run, s, a, m == STR_RFIND));
    case STR_INDEX: {
        const int64_t at = place_of(run, s, a, FALSE);
        return at >= 0 ? jinja_int(at)
                       : jinja_fail(run, ENGINE_ERROR_FORMAT, "index() finds nothing");
    }
    case STR_COUNT:
        return jinja_int(count_in(run, s, a));
    case STR_JOIN:
        return join(run, s, a);
    case STR_ISDIGIT:
        return jinja_bool(all_of(s, g_unichar_isdigit));
    case STR_ISALPHA:
        return jinja_bool(all_of(s, g_unichar_isalpha));
    case STR_ISALNUM:
        return jinja_bool(all_of(s, g_unichar_isalnum));
    case STR_ISSPACE:
        return jinja_bool(all_of(s, is_white));
    case STR_ISUPPER:
        return jinja_bool(has_case(s, g_unichar_isupper, g_unichar_islower));
    case STR_ISLOWER:
        return jinja_bool(has_case(s, g_unichar_islower, g_unichar_isupper));
    case STR_REMOVEPREFIX:
        return has_end(run, s, a, TRUE) && !run->error ? jinja_string(s.u.s + a.len, s.len - a.len)
                                                       : s;
    case STR_REMOVESUFFIX:
        return has_end(run, s, a, FALSE) && !run->error ? jinja_string(s.u.s, s.len - a.len) : s;
    }
    return s;
}

/* ---- dicts, lists, loops ---------------------------------------------------------------------- */

static const char *const dict_methods[] = {"items", "keys", "values", "get", NULL};
static const char *const list_methods[] = {"index", "count", NULL};
static const char *const loop_methods[] = {"cycle", NULL};

static int
index_of(const char *const *names, const char *name)
{
    for (int i = 0; names[i]; i++)
        if (strcmp(names[i], name) == 0) return i;
    return -1;
}

static const char *const *
methods_of(jinja_value v)
{
    static const char *const none[] = {NULL};
    return v.kind == JINJA_STRING ? string_methods
           : v.kind == JINJA_DICT ? dict_methods
           : v.kind == JINJA_LIST ? list_methods
           : v.kind == JINJA_LOOP ? loop_methods
                                  : none;
}

gboolean
jinja_has_method(jinja_value self, const char *name)
{
    return index_of(methods_of(self), name) >= 0;
}

static jinja_value
call_dict(jinja_run *run, int method, const jinja_dict *dict, const jinja_args *args)
{
    if (method == 3) { /* get */
        const jinja_value *found = jinja_dict_get(run, dict, jinja_arg(args, 0, "key"));
        const jinja_value otherwise = jinja_arg(args, 1, "default");
        if (found) return *found;
        return otherwise.kind == JINJA_UNDEFINED && args->n < 2 ? jinja_none() : otherwise;
    }
    jinja_value list = jinja_list_new(run);
    for (size_t i = 0; i < dict->n && jinja_step(run, 1); i++) {
        jinja_value item = method == 1 ? dict->items[i].key : dict->items[i].value;
        if (method == 0) {
            item = jinja_list_new(run);
            item.u.list->tuple = TRUE;
            jinja_list_add(run, item.u.list, dict->items[i].key);
            jinja_list_add(run, item.u.list, dict->items[i].value);
        }
        jinja_list_add(run, list.u.list, item);
    }
    return list;
}

static jinja_value
call_list(jinja_run *run, int method, const jinja_list *list, const jinja_args *args)
{
    const jinja_value what = jinja_arg(args, 0, NULL);
    int64_t n = 0;
    for (size_t i = 0; i < list->n && jinja_step(run, 1); i++) {
        if (!jinja_equal(run, list->items[i], what, 0)) continue;
        if (method == 0) return jinja_int((int64_t)i);
        n++;
    }
    return method == 0 ? jinja_fail(run, ENGINE_ERROR_FORMAT, "index() finds nothing")
                       : jinja_int(n);
}

jinja_value
jinja_call_method(jinja_run *run, const jinja_method *method, const jinja_args *args)
{
    const jinja_value self = method->self;
    const int index = index_of(methods_of(self), method->name);
    if (self.kind == JINJA_STRING) return call_string(run, (string_method)index, self, args);
    if (self.kind == JINJA_DICT) return call_dict(run, index, self.u.dict, args);
    if (self.kind == JINJA_LIST) return call_list(run, index, self.u.list, args);
    if (args->n == 0) return jinja_fail(run, ENGINE_ERROR_FORMAT, "cycle() has nothing to give");
    return args->values[self.u.loop->index % args->n];
}

static jinja_value
loop_attribute(const jinja_loop *loop, const char *name)
{
    const jinja_list *list = loop->list;
    const size_t i = loop->index;
    if (strcmp(name, "index") == 0) return jinja_int((int64_t)i + 1);
    if (strcmp(name, "index0") == 0) return jinja_int((int64_t)i);
    if (strcmp(name, "revindex") == 0) return jinja_int((int64_t)(list->n - i));
    if (strcmp(name, "revindex0") == 0) return jinja_int((int64_t)(list->n - i) - 1);
    if (strcmp(name, "first") == 0) return jinja_bool(i == 0);
    if (strcmp(name, "last") == 0) return jinja_bool(i + 1 == list->n);
    if (strcmp(name, "length") == 0) return jinja_int((int64_t)list->n);
    if (strcmp(name, "depth") == 0) return jinja_int(1);
    if (strcmp(name, "depth0") == 0) return jinja_int(0);
    if (strcmp(name, "previtem") == 0 && i > 0) return list->items[i - 1];
    if (strcmp(name, "nextitem") == 0 && i + 1 < list->n) return list->items[i + 1];
    return jinja_undefined(name);
}

/* ---- attributes and indexes ------------------------------------------------------------------- */

static jinja_value
bind(jinja_run *run, jinja_value self, const char *name)
{
    if (!jinja_fits(run, sizeof(jinja_method))) return self;
    jinja_method *method = jinja_arena_take(&run->arena, sizeof *method);
    *method = (jinja_method){self, name};
    return (jinja_value){.kind = JINJA_METHOD, .u.method = method};
}

static jinja_value
member(jinja_run *run, jinja_value a, jinja_value key, const char *name)
{
    const jinja_value *found = NULL;
    if (a.kind == JINJA_DICT || a.kind == JINJA_NAMESPACE)
        found = jinja_dict_get(run, a.u.dict, key);
    return found ? *found : jinja_undefined(name);
}

jinja_value
jinja_attribute(jinja_run *run, jinja_value a, const char *name)
{
    if (run->error) return a;
    if (a.kind == JINJA_UNDEFINED)
        return jinja_fail(run, ENGINE_ERROR_FORMAT, "'%.40s' is undefined", a.u.name);
    if (jinja_has_method(a, name)) return bind(run, a, name);
    if (a.kind == JINJA_LOOP) return loop_attribute(a.u.loop, name);
    return member(run, a, jinja_text(name), name);
}

jinja_value
jinja_index(jinja_run *run, jinja_value a, jinja_value key)
{
    if (run->error) return a;
    if (a.kind == JINJA_UNDEFINED)
        return jinja_fail(run, ENGINE_ERROR_FORMAT, "'%.40s' is undefined", a.u.name);
    if (key.kind == JINJA_INT && (a.kind == JINJA_LIST || a.kind == JINJA_STRING)) {
        const int64_t n = (int64_t)jinja_length(a), i = key.u.i < 0 ? key.u.i + n : key.u.i;
        if (i < 0 || i >= n) return jinja_undefined("an item of a list");
        if (a.kind == JINJA_LIST) return a.u.list->items[i];
        jinja_step(run, a.len / 16);
        const size_t at = jinja_offset(a, (size_t)i);
        uint32_t cp;
        return jinja_string(a.u.s + at, unicode_next(a.u.s + at, a.len - at, &cp));
    }
    if (key.kind != JINJA_STRING) return member(run, a, key, "a member");
    /* not terminated where it is a piece of another string */
    const jinja_value name = jinja_copy(run, key.u.s, key.len);
    const jinja_value found = member(run, a, key, name.u.s);
    if (found.kind != JINJA_UNDEFINED || run->error) return found;
    if (jinja_has_method(a, name.u.s)) return bind(run, a, name.u.s);
    return a.kind == JINJA_LOOP ? loop_attribute(a.u.loop, name.u.s) : found;
}

/* ---- functions -------------------------------------------------------------------------------- */

static const char *const functions[] = {"range",           "namespace",    "dict",
                                        "raise_exception", "strftime_now", NULL};

gboolean
jinja_has_function(const char *name)
{
    return index_of(functions, name) >= 0;
}

static jinja_value
call_range(jinja_run *run, const jinja_args *args)
{
    int64_t part[3] = {0, 0, 1};
    for (size_t i = 0; i < args->n && i < 3; i++) {
        if (args->values[i].kind != JINJA_INT)
            return jinja_fail(run, ENGINE_ERROR_FORMAT, "range() of what is no number");
        part[args->n == 1 ? 1 : i] = args->values[i].u.i;
    }
    if (part[2] == 0 || args->n == 0)
        return jinja_fail(run, ENGINE_ERROR_FORMAT, "range() without an end or a step");
    jinja_value list = jinja_list_new(run);
    for (int64_t i = part[0]; part[2] > 0 ? i < part[1] : i > part[1];) {
        if (list.u.list->n >= JINJA_MAX_RANGE)
            return jinja_fail(run, ENGINE_ERROR_LIMIT, "range() is too long");
        jinja_list_add(run, list.u.list, jinja_int(i));
        if (run->error || __builtin_add_overflow(i, part[2], &i)) break;
    }
    return list;
}

static jinja_value
call_dict_function(jinja_run *run, const jinja_args *args)
{
    jinja_value dict = jinja_dict_new(run);
    const jinja_value from = jinja_arg(args, 0, NULL);
    for (size_t i = 0; from.kind == JINJA_DICT && i < from.u.dict->n; i++)
        jinja_dict_set(run, dict.u.dict, from.u.dict->items[i].key, from.u.dict->items[i].value);
    for (size_t i = 0; i < args->n_named; i++)
        jinja_dict_set(run, dict.u.dict, jinja_text(args->names[i]), args->named[i]);
    return dict;
}

static jinja_value
call_now(jinja_run *run, const jinja_args *args)
{
    const jinja_value format = jinja_arg(args, 0, "format");
    if (format.kind != JINJA_STRING)
        return jinja_fail(run, ENGINE_ERROR_FORMAT, "strftime_now() without a format");
    g_autofree char *terminated = g_strndup(format.u.s, format.len);
    g_autoptr(GDateTime) now = g_date_time_new_now_local();
    g_autofree char *text = now ? g_date_time_format(now, terminated) : NULL;
    if (!text) return jinja_fail(run, ENGINE_ERROR_FORMAT, "strftime_now() with a bad format");
    return jinja_copy(run, text, strlen(text));
}

jinja_value
jinja_call_function(jinja_run *run, const char *name, const jinja_args *args)
{
    switch (index_of(functions, name)) {
    case 0:
        return call_range(run, args);
    case 1: {
        jinja_value space = call_dict_function(run, args);
        space.kind = JINJA_NAMESPACE;
        return space;
    }
    case 2:
        return call_dict_function(run, args);
    case 3: {
        const jinja_value what = jinja_to_string(run, jinja_arg(args, 0, NULL));
        return jinja_fail(run, ENGINE_ERROR_ARGUMENT, "%.*s", (int)MIN(what.len, 400), what.u.s);
    }
    default:
        return call_now(run, args);
    }
}

/* Values of the template language: memory, truth, equality, order, and how Python and JSON write them. */
#include "engine/jinja_impl.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- memory ----------------------------------------------------------------------------------- */

#define BLOCK_BYTES ((size_t)32 << 10)

void
jinja_arena_init(jinja_arena *arena)
{
    memset(arena, 0, sizeof *arena);
    arena->blocks = g_ptr_array_new_with_free_func(g_free);
}

void
jinja_arena_clear(jinja_arena *arena)
{
    g_clear_pointer(&arena->blocks, g_ptr_array_unref);
}

void *
jinja_arena_take(jinja_arena *arena, size_t n)
{
    n = (n + 15) & ~(size_t)15;
    arena->used += n;
    if (n > BLOCK_BYTES / 4) {
        void *own = g_malloc0(n);
        g_ptr_array_add(arena->blocks, own);
        return own;
    }
    if (n > arena->left) {
        arena->next = g_malloc0(BLOCK_BYTES);
        arena->left = BLOCK_BYTES;
        g_ptr_array_add(arena->blocks, arena->next);
    }
    void *taken = arena->next;
    arena->next += n;
    arena->left -= n;
    return taken;
}

jinja_value
jinja_fail(jinja_run *run, engine_error_code code, const char *format, ...)
{
    if (!run->error) {
        va_list list;
        va_start(list, format);
        g_autofree char *text = g_strdup_vprintf(format, list);
        va_end(list);
        g_autofree char *valid = g_utf8_make_valid(text, -1);
        run->error =
            g_error_new(ENGINE_ERROR, (gint)code, "chat template: line %u: %s", run->line, valid);
    }
    return jinja_undefined("");
}

gboolean
jinja_fits(jinja_run *run, size_t n)
{
    if (run->error) return FALSE;
    if (n <= run->max_memory && run->arena.used <= run->max_memory - n) return TRUE;
    jinja_fail(run, ENGINE_ERROR_LIMIT, "it takes too much memory");
    return FALSE;
}

gboolean
jinja_step(jinja_run *run, size_t n)
{
    run->steps += n;
    if (run->error) return FALSE;
    if (run->steps <= JINJA_MAX_STEPS) return TRUE;
    jinja_fail(run, ENGINE_ERROR_LIMIT, "it takes too many steps");
    return FALSE;
}

/* ---- making ----------------------------------------------------------------------------------- */

jinja_value
jinja_undefined(const char *name)
{
    return (jinja_value){.kind = JINJA_UNDEFINED, .u.name = name};
}

jinja_value
jinja_none(void)
{
    return (jinja_value){.kind = JINJA_NONE};
}

jinja_value
jinja_bool(gboolean b)
{
    return (jinja_value){.kind = JINJA_BOOL, .u.b = b != FALSE};
}

jinja_value
jinja_int(int64_t i)
{
    return (jinja_value){.kind = JINJA_INT, .u.i = i};
}

jinja_value
jinja_float(double f)
{
    return (jinja_value){.kind = JINJA_FLOAT, .u.f = f};
}

jinja_value
jinja_string(const char *s, size_t len)
{
    return (jinja_value){.kind = JINJA_STRING, .len = len, .u.s = s};
}

jinja_value
jinja_text(const char *s)
{
    return jinja_string(s, strlen(s));
}

jinja_value
jinja_copy(jinja_run *run, const char *s, size_t len)
{
    if (!jinja_fits(run, len)) return jinja_text("");
    char *copy = jinja_arena_take(&run->arena, len + 1);
    memcpy(copy, s, len);
    return jinja_string(copy, len);
}

jinja_value
jinja_take_string(jinja_run *run, GString *s)
{
    const jinja_value v = jinja_copy(run, s->str, s->len);
    g_string_free(s, TRUE);
    return v;
}

jinja_value
jinja_list_new(jinja_run *run)
{
    return (jinja_value){.kind = JINJA_LIST,
                         .u.list = jinja_arena_take(&run->arena, sizeof(jinja_list))};
}

void
jinja_list_add(jinja_run *run, jinja_list *list, jinja_value value)
{
    if (list->n == list->cap) {
        const size_t cap = list->cap ? list->cap * 2 : 4;
        if (!jinja_fits(run, cap * sizeof value)) return;
        jinja_value *items = jinja_arena_take(&run->arena, cap * sizeof value);
        if (list->n > 0) memcpy(items, list->items, list->n * sizeof value);
        list->items = items;
        list->cap = cap;
    }
    list->items[list->n++] = value;
}

jinja_value
jinja_dict_new(jinja_run *run)
{
    return (jinja_value){.kind = JINJA_DICT,
                         .u.dict = jinja_arena_take(&run->arena, sizeof(jinja_dict))};
}

const jinja_value *
jinja_dict_get(jinja_run *run, const jinja_dict *dict, jinja_value key)
{
    if (!jinja_step(run, dict->n / 8)) return NULL;
    for (size_t i = 0; i < dict->n; i++)
        if (jinja_equal(run, dict->items[i].key, key, 0)) return &dict->items[i].value;
    return NULL;
}

static void
dict_append(jinja_run *run, jinja_dict *dict, jinja_value key, jinja_value value)
{
    if (dict->n == dict->cap) {
        const size_t cap = dict->cap ? dict->cap * 2 : 4;
        if (!jinja_fits(run, cap * sizeof(jinja_pair))) return;
        jinja_pair *items = jinja_arena_take(&run->arena, cap * sizeof(jinja_pair));
        if (dict->n > 0) memcpy(items, dict->items, dict->n * sizeof(jinja_pair));
        dict->items = items;
        dict->cap = cap;
    }
    dict->items[dict->n++] = (jinja_pair){key, value};
}

void
jinja_dict_set(jinja_run *run, jinja_dict *dict, jinja_value key, jinja_value value)
{
    for (size_t i = 0; jinja_step(run, 1) && i < dict->n; i++) {
        if (!jinja_equal(run, dict->items[i].key, key, 0)) continue;
        dict->items[i].value = value;
        return;
    }
    dict_append(run, dict, key, value);
}

jinja_value
jinja_from_json(jinja_run *run, const json_t *json, unsigned depth)
{
    if (depth > JINJA_MAX_DEPTH)
        return jinja_fail(run, ENGINE_ERROR_LIMIT, "the variables are nested too deep");
    if (json_is_string(json))
        return jinja_string(json_string_value(json), json_string_length(json));
    if (json_is_integer(json)) return jinja_int(json_integer_value(json));
    if (json_is_real(json)) return jinja_float(json_real_value(json));
    if (json_is_boolean(json)) return jinja_bool(json_is_true(json));
    if (json_is_array(json)) {
        jinja_value list = jinja_list_new(run);
        for (size_t i = 0; !run->error && i < json_array_size(json); i++)
            jinja_list_add(run, list.u.list,
                           jinja_from_json(run, json_array_get(json, i), depth + 1));
        return list;
    }
    if (!json_is_object(json)) return jinja_none();
    jinja_value dict = jinja_dict_new(run);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)json, key,
                        value) /* the macro wants it without const */
    {
        /* keys are unique already */
        dict_append(run, dict.u.dict, jinja_text(key), jinja_from_json(run, value, depth + 1));
        if (run->error) break;
    }
    return dict;
}

/* ---- comparing -------------------------------------------------------------------------------- */

gboolean
jinja_is_number(jinja_value v)
{
    return v.kind == JINJA_BOOL || v.kind == JINJA_INT || v.kind == JINJA_FLOAT;
}

double
jinja_to_double(jinja_value v)
{
    if (v.kind == JINJA_FLOAT) return v.u.f;
    return v.kind == JINJA_INT ? (double)v.u.i : v.kind == JINJA_BOOL ? (double)v.u.b : 0;
}

static int64_t
to_int(jinja_value v)
{
    return v.kind == JINJA_BOOL ? v.u.b : v.u.i;
}

gboolean
jinja_truth(jinja_value v)
{
    switch (v.kind) {
    case JINJA_UNDEFINED:
    case JINJA_NONE:
        return FALSE;
    case JINJA_BOOL:
        return v.u.b;
    case JINJA_INT:
        return v.u.i != 0;
    case JINJA_FLOAT:
        return v.u.f != 0;
    case JINJA_STRING:
        return v.len > 0;
    case JINJA_LIST:
        return v.u.list->n > 0;
    case JINJA_DICT:
        return v.u.dict->n > 0;
    default:
        return TRUE;
    }
}

static gboolean
equal_dicts(jinja_run *run, const jinja_dict *a, const jinja_dict *b, unsigned depth)
{
    if (a->n != b->n) return FALSE;
    for (size_t i = 0; i < a->n; i++) {
        const jinja_value *other = jinja_dict_get(run, b, a->items[i].key);
        if (!other || !jinja_equal(run, a->items[i].value, *other, depth + 1)) return FALSE;
    }
    return TRUE;
}

gboolean
jinja_equal(jinja_run *run, jinja_value a, jinja_value b, unsigned depth)
{
    if (depth > JINJA_MAX_DEPTH) {
        jinja_fail(run, ENGINE_ERROR_LIMIT, "values are nested too deep");
        return FALSE;
    }
    if (jinja_is_number(a) && jinja_is_number(b))
        return a.kind == JINJA_FLOAT || b.kind == JINJA_FLOAT
                   ? jinja_to_double(a) == jinja_to_double(b)
                   : to_int(a) == to_int(b);
    if (a.kind != b.kind) return FALSE;
    switch (a.kind) {
    case JINJA_UNDEFINED:
    case JINJA_NONE:
        return TRUE;
    case JINJA_STRING:
        return a.len == b.len && memcmp(a.u.s, b.u.s, a.len) == 0;
    case JINJA_LIST:
        if (a.u.list->n != b.u.list->n || a.u.list->tuple != b.u.list->tuple) return FALSE;
        for (size_t i = 0; i < a.u.list->n; i++)
            if (!jinja_step(run, 1) ||
                !jinja_equal(run, a.u.list->items[i], b.u.list->items[i], depth + 1))
                return FALSE;
        return TRUE;
    case JINJA_DICT:
        return equal_dicts(run, a.u.dict, b.u.dict, depth);
    default:
        return a.u.dict == b.u.dict; /* all of these are pointers */
    }
}

int
jinja_order(jinja_run *run, jinja_value a, jinja_value b)
{
    if (jinja_is_number(a) && jinja_is_number(b)) {
        if (a.kind != JINJA_FLOAT && b.kind != JINJA_FLOAT)
            return (to_int(a) > to_int(b)) - (to_int(a) < to_int(b));
        const double x = jinja_to_double(a), y = jinja_to_double(b);
        return (x > y) - (x < y);
    }
    if (a.kind == JINJA_STRING && b.kind == JINJA_STRING) {
        /* the order of UTF-8 bytes is that of code points */
        const int order = memcmp(a.u.s, b.u.s, MIN(a.len, b.len));
        return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
    }
    if (a.kind == JINJA_LIST && b.kind == JINJA_LIST && run->depth < JINJA_MAX_DEPTH) {
        int order = 0;
        run->depth++;
        for (size_t i = 0; order == 0 && jinja_step(run, 1); i++) {
            if (i >= a.u.list->n || i >= b.u.list->n) {
                order = (a.u.list->n > b.u.list->n) - (a.u.list->n < b.u.list->n);
                break;
            }
            order = jinja_order(run, a.u.list->items[i], b.u.list->items[i]);
        }
        run->depth--;
        return order;
    }
    jinja_fail(run, ENGINE_ERROR_FORMAT, "it compares values that have no order");
    return 0;
}

/* ---- writing ---------------------------------------------------------------------------------- */

/* Python's repr: the shortest digits that give the number back, exponents below -4 and from 16 on. */
static void
write_float(double f, GString *out)
{
    if (isnan(f) || isinf(f)) {
        g_string_append(out, isnan(f) ? "nan" : f < 0 ? "-inf" : "inf");
        return;
    }
    char digits[G_ASCII_DTOSTR_BUF_SIZE];
    for (int precision = 0; precision < 17; precision++) {
        char format[8];
        g_snprintf(format, sizeof format, "%%.%de", precision);
        g_ascii_formatd(digits, sizeof digits, format, f);
        if (g_ascii_strtod(digits, NULL) == f) break;
    }
    const char *e = strchr(digits, 'e');
    const int exponent = (int)g_ascii_strtoll(e + 1, NULL, 10);
    g_autoptr(GString) mantissa = g_string_new(NULL);
    for (const char *p = digits; p < e; p++)
        if (g_ascii_isdigit(*p)) g_string_append_c(mantissa, *p);
    if (digits[0] == '-') g_string_append_c(out, '-');
    if (exponent < -4 || exponent >= 16) {
        g_string_append_c(out, mantissa->str[0]);
        if (mantissa->len > 1) g_string_append_printf(out, ".%s", mantissa->str + 1);
        g_string_append_printf(out, "e%c%02d", exponent < 0 ? '-' : '+', ABS(exponent));
        return;
    }
    if (exponent < 0) {
        g_string_append(out, "0.");
        for (int i = -1; i > exponent; i--)
            g_string_append_c(out, '0');
        g_string_append(out, mantissa->str);
        return;
    }
    while (mantissa->len <= (gsize)exponent + 1)
        g_string_append_c(mantissa, '0');
    g_string_append_len(out, mantissa->str, exponent + 1);
    g_string_append_printf(out, ".%s", mantissa->str + exponent + 1);
}

/* Python's repr of a string: in double quotes only when it has single ones and no double ones. */
static void
write_quoted(jinja_value v, GString *out)
{
    const gboolean has_single = memchr(v.u.s, '\'', v.len) != NULL;
    const char quote = has_single && !memchr(v.u.s, '"', v.len) ? '"' : '\'';
    g_string_append_c(out, quote);
    for (size_t i = 0, n; i < v.len; i += n) {
        uint32_t cp = 0;
        n = unicode_next(v.u.s + i, v.len - i, &cp);
        if (cp == (uint32_t)quote || cp == '\\')
            g_string_append_printf(out, "\\%c", (char)cp);
        else if (cp == '\n' || cp == '\r' || cp == '\t')
            g_string_append(out, cp == '\n' ? "\\n" : cp == '\r' ? "\\r" : "\\t");
        else if (cp < 0x20 || (cp >= 0x7F && cp < 0xA1) || cp == 0xAD)
            g_string_append_printf(out, "\\x%02x", cp);
        else if (cp > 0xFF && (!g_unichar_isprint(cp) || unicode_class(cp) & UNICODE_SPACE))
            g_string_append_printf(out, cp > 0xFFFF ? "\\U%08x" : "\\u%04x", cp);
        else
            g_string_append_len(out, v.u.s + i, (gssize)n);
    }
    g_string_append_c(out, quote);
}

static void
write_items(jinja_run *run, const jinja_list *list, GString *out, unsigned depth)
{
    g_string_append_c(out, list->tuple ? '(' : '[');
    for (size_t i = 0; i < list->n && !run->error; i++) {
        if (i > 0) g_string_append(out, ", ");
        jinja_write_repr(run, list->items[i], out, depth + 1);
    }
    if (list->tuple && list->n == 1) g_string_append_c(out, ',');
    g_string_append_c(out, list->tuple ? ')' : ']');
}

void
jinja_write_repr(jinja_run *run, jinja_value v, GString *out, unsigned depth)
{
    if (depth > JINJA_MAX_DEPTH) {
        jinja_fail(run, ENGINE_ERROR_LIMIT, "values are nested too deep");
        return;
    }
    if (!jinja_step(run, 1) || !jinja_fits(run, out->len)) return;
    switch (v.kind) {
    case JINJA_UNDEFINED:
        g_string_append(out, "Undefined");
        break;
    case JINJA_NONE:
        g_string_append(out, "None");
        break;
    case JINJA_BOOL:
        g_string_append(out, v.u.b ? "True" : "False");
        break;
    case JINJA_INT:
        g_string_append_printf(out, "%" G_GINT64_FORMAT, v.u.i);
        break;
    case JINJA_FLOAT:
        write_float(v.u.f, out);
        break;
    case JINJA_STRING:
        write_quoted(v, out);
        break;
    case JINJA_LIST:
        write_items(run, v.u.list, out, depth);
        break;
    case JINJA_DICT:
        g_string_append_c(out, '{');
        for (size_t i = 0; i < v.u.dict->n && !run->error; i++) {
            if (i > 0) g_string_append(out, ", ");
            jinja_write_repr(run, v.u.dict->items[i].key, out, depth + 1);
            g_string_append(out, ": ");
            jinja_write_repr(run, v.u.dict->items[i].value, out, depth + 1);
        }
        g_string_append_c(out, '}');
        break;
    default:
        jinja_fail(run, ENGINE_ERROR_FORMAT, "it prints a function or a namespace");
    }
}

void
jinja_write(jinja_run *run, jinja_value v, GString *out)
{
    if (v.kind == JINJA_STRING)
        g_string_append_len(out, v.u.s, (gssize)v.len);
    else if (v.kind != JINJA_UNDEFINED)
        jinja_write_repr(run, v, out, 0);
}

jinja_value
jinja_to_string(jinja_run *run, jinja_value v)
{
    if (v.kind == JINJA_STRING) return v;
    GString *out = g_string_new(NULL);
    jinja_write(run, v, out);
    return jinja_take_string(run, out);
}

/* ---- JSON ------------------------------------------------------------------------------------- */

static void
write_json_string(jinja_value v, gboolean ascii, GString *out)
{
    g_string_append_c(out, '"');
    for (size_t i = 0, n; i < v.len; i += n) {
        static const char known[] = "\"\"\\\\\nn\rr\tt\ff\bb";
        uint32_t cp = 0;
        n = unicode_next(v.u.s + i, v.len - i, &cp);
        const char *pair = NULL;
        for (size_t k = 0; known[k] && !pair; k += 2)
            if ((uint32_t)known[k] == cp) pair = known + k;
        if (pair)
            g_string_append_printf(out, "\\%c", pair[1]);
        else if (cp > 0xFFFF && ascii)
            g_string_append_printf(out, "\\u%04x\\u%04x", 0xD800 + ((cp - 0x10000) >> 10),
                                   0xDC00 + ((cp - 0x10000) & 0x3FF));
        else if (cp < 0x20 || (cp > 0x7E && ascii))
            g_string_append_printf(out, "\\u%04x", cp);
        else
            g_string_append_len(out, v.u.s + i, (gssize)n);
    }
    g_string_append_c(out, '"');
}

static void
new_line(int indent, unsigned depth, GString *out)
{
    if (indent < 0) return;
    g_string_append_c(out, '\n');
    for (size_t i = (size_t)indent * depth; i > 0; i--)
        g_string_append_c(out, ' ');
}

static gint
compare_keys(gconstpointer a, gconstpointer b, gpointer run)
{
    return jinja_order(run, ((const jinja_pair *)a)->key, ((const jinja_pair *)b)->key);
}

static void
write_json_dict(jinja_run *run, const jinja_dict *dict, int indent, gboolean sort, gboolean ascii,
                unsigned depth, GString *out)
{
    g_autofree jinja_pair *items = g_memdup2(dict->items, dict->n * sizeof(jinja_pair));
    if (sort && dict->n > 1)
        g_qsort_with_data(items, (gint)MIN(dict->n, G_MAXINT), sizeof *items, compare_keys, run);
    g_string_append_c(out, '{');
    for (size_t i = 0; i < dict->n && !run->error; i++) {
        const jinja_value key = items[i].key;
        if (i > 0) g_string_append(out, indent < 0 ? ", " : ",");
        new_line(indent, depth + 1, out);
        if (key.kind == JINJA_STRING) {
            write_json_string(key, ascii, out);
        } else {
            g_string_append_c(out, '"');
            jinja_write_json(run, key, -1, FALSE, ascii, depth + 1, out);
            g_string_append_c(out, '"');
        }
        g_string_append(out, ": ");
        jinja_write_json(run, items[i].value, indent, sort, ascii, depth + 1, out);
    }
    if (dict->n > 0) new_line(indent, depth, out);
    g_string_append_c(out, '}');
}

void
jinja_write_json(jinja_run *run, jinja_value v, int indent, gboolean sort, gboolean ascii,
                 unsigned depth, GString *out)
{
    if (depth > JINJA_MAX_DEPTH) {
        jinja_fail(run, ENGINE_ERROR_LIMIT, "values are nested too deep");
        return;
    }
    if (!jinja_step(run, 1) || !jinja_fits(run, out->len)) return;
    switch (v.kind) {
    case JINJA_NONE:
        g_string_append(out, "null");
        break;
    case JINJA_BOOL:
        g_string_append(out, v.u.b ? "true" : "false");
        break;
    case JINJA_INT:
    case JINJA_FLOAT:
        jinja_write_repr(run, v, out, depth);
        break;
    case JINJA_STRING:
        write_json_string(v, ascii, out);
        break;
    case JINJA_LIST:
        g_string_append_c(out, '[');
        for (size_t i = 0; i < v.u.list->n && !run->error; i++) {
            if (i > 0) g_string_append(out, indent < 0 ? ", " : ",");
            new_line(indent, depth + 1, out);
            jinja_write_json(run, v.u.list->items[i], indent, sort, ascii, depth + 1, out);
        }
        if (v.u.list->n > 0) new_line(indent, depth, out);
        g_string_append_c(out, ']');
        break;
    case JINJA_DICT:
        write_json_dict(run, v.u.dict, indent, sort, ascii, depth, out);
        break;
    default:
        jinja_fail(run, ENGINE_ERROR_FORMAT, "it writes as JSON what is not a value");
    }
}

/* ---- looking inside --------------------------------------------------------------------------- */

size_t
jinja_length(jinja_value v)
{
    if (v.kind == JINJA_LIST) return v.u.list->n;
    if (v.kind == JINJA_DICT) return v.u.dict->n;
    if (v.kind != JINJA_STRING) return 0;
    size_t n = 0;
    for (size_t i = 0; i < v.len; i++)
        n += ((uint8_t)v.u.s[i] & 0xC0) != 0x80;
    return n;
}

size_t
jinja_offset(jinja_value s, size_t index)
{
    size_t i = 0;
    uint32_t cp;
    for (; index > 0 && i < s.len; index--)
        i += unicode_next(s.u.s + i, s.len - i, &cp);
    return i;
}

const jinja_list *
jinja_items(jinja_run *run, jinja_value v)
{
    if (v.kind == JINJA_LIST) return v.u.list;
    jinja_value list = jinja_list_new(run);
    if (v.kind == JINJA_DICT) {
        for (size_t i = 0; i < v.u.dict->n && jinja_step(run, 1); i++)
            jinja_list_add(run, list.u.list, v.u.dict->items[i].key);
    } else if (v.kind == JINJA_STRING) {
        for (size_t i = 0, n; i < v.len && jinja_step(run, 1); i += n) {
            uint32_t cp = 0;
            n = unicode_next(v.u.s + i, v.len - i, &cp);
            jinja_list_add(run, list.u.list, jinja_string(v.u.s + i, n));
        }
    } else if (v.kind != JINJA_UNDEFINED) {
        jinja_fail(run, ENGINE_ERROR_FORMAT, "it goes through a value that has no items");
    }
    return run->error ? NULL : list.u.list;
}

jinja_value
jinja_arg(const jinja_args *args, size_t index, const char *name)
{
    if (index < args->n) return args->values[index];
    for (size_t i = 0; name && i < args->n_named; i++)
        if (strcmp(args->names[i], name) == 0) return args->named[i];
    return jinja_undefined(name ? name : "");
}

/* Styles, lists and page sizes of OpenDocument texts (ISO/IEC 26300-1, clauses 16 and 20). */
#include "layout/readers/odt.h"

#include <stdlib.h>
#include <string.h>

#define MAX_BASES  32
#define MAX_LEVELS 10

struct odt_styles {
    xmlDoc *styles;
    GHashTable *by_name; /* lent name -> const xmlNode * */
    GHashTable *lists;   /* likewise, list styles */
    GHashTable *made;    /* lent name -> odt_style */
    const xmlNode *outline, *page;
    int counts[MAX_LEVELS + 1];
};

static void
collect(odt_styles *s, const xmlNode *parent, guint depth)
{
    for (const xmlNode *n = parent != NULL && depth < 4 ? parent->children : NULL; n != NULL;
         n = n->next) {
        const char *name = n->type == XML_ELEMENT_NODE ? layout_html_attribute(n, "name") : NULL;
        if (layout_html_is(n, "style") && name != NULL) {
            if (!g_hash_table_contains(s->by_name, name))
                g_hash_table_insert(s->by_name, (gpointer)name, (gpointer)n);
        } else if (layout_html_is(n, "list-style") && name != NULL) {
            if (!g_hash_table_contains(s->lists, name))
                g_hash_table_insert(s->lists, (gpointer)name, (gpointer)n);
        } else if (layout_html_is(n, "outline-style")) {
            s->outline = n;
        } else if (layout_html_is(n, "page-layout") && s->page == NULL) {
            s->page = layout_xml_child(n, "page-layout-properties");
        } else if (layout_html_is_one_of(n, " automatic-styles styles master-styles ")) {
            collect(s, n, depth + 1);
        }
    }
}

odt_styles *
odt_styles_read(const layout_package *package, xmlDoc *content)
{
    odt_styles *s = g_new0(odt_styles, 1);
    s->by_name = g_hash_table_new(g_str_hash, g_str_equal);
    s->lists = g_hash_table_new(g_str_hash, g_str_equal);
    s->made = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
    s->styles = layout_package_xml(package, "styles.xml", NULL);
    collect(s, xmlDocGetRootElement(content), 0);
    if (s->styles != NULL) collect(s, xmlDocGetRootElement(s->styles), 0);
    return s;
}

void
odt_styles_free(odt_styles *s)
{
    g_hash_table_unref(s->by_name);
    g_hash_table_unref(s->lists);
    g_hash_table_unref(s->made);
    if (s->styles != NULL) xmlFreeDoc(s->styles);
    g_free(s);
}

/* "Text_20_body" -> "text body" */
static char *
plain_name(const char *name)
{
    GString *out = g_string_new(NULL);
    for (const char *p = name; *p != '\0'; p++) {
        if (p[0] == '_' && g_ascii_isxdigit(p[1]) && g_ascii_isxdigit(p[2]) && p[3] == '_') {
            g_string_append_c(out,
                              (char)(g_ascii_xdigit_value(p[1]) * 16 + g_ascii_xdigit_value(p[2])));
            p += 3;
        } else {
            g_string_append_c(out, g_ascii_tolower(*p));
        }
    }
    return g_string_free(out, FALSE);
}

static odt_role
role_of(const char *name)
{
    static const struct {
        const char *name;
        odt_role role;
    } roles[] = {{"title", ODT_TITLE},         {"heading", ODT_HEADING},
                 {"caption", ODT_CAPTION},     {"illustration", ODT_CAPTION},
                 {"figure", ODT_CAPTION},      {"table", ODT_CAPTION},
                 {"drawing", ODT_CAPTION},     {"preformatted text", ODT_CODE},
                 {"source code", ODT_CODE},    {"author", ODT_AUTHOR},
                 {"abstract", ODT_ABSTRACT},   {"figurecaption", ODT_CAPTION},
                 {"tablecaption", ODT_CAPTION}};
    g_autofree char *plain = plain_name(name);
    for (guint i = 0; i < G_N_ELEMENTS(roles); i++)
        if (strcmp(roles[i].name, plain) == 0) return roles[i].role;
    if (g_str_has_prefix(plain, "contents ") || strcmp(plain, "contents heading") == 0)
        return ODT_CONTENTS;
    if (g_str_has_prefix(plain, "bibliography ") && strstr(plain, "heading") == NULL)
        return ODT_REFERENCE;
    return ODT_BODY;
}

static void
set_flag(odt_style *style, guint flag, gboolean on)
{
    style->mask |= flag;
    style->flags = on ? style->flags | flag : style->flags & ~flag;
}

static void
take_properties(odt_style *style, const xmlNode *node)
{
    const xmlNode *text = layout_xml_child(node, "text-properties");
    if (text == NULL) return;
    const char *weight = layout_html_attribute(text, "font-weight");
    const char *slant = layout_html_attribute(text, "font-style");
    const char *position = layout_html_attribute(text, "text-position");
    const char *display = layout_html_attribute(text, "display");
    const char *font = layout_html_attribute(text, "font-name");
    if (weight != NULL)
        set_flag(style, LAYOUT_SPAN_BOLD, strcmp(weight, "bold") == 0 || atoi(weight) >= 600);
    if (slant != NULL) set_flag(style, LAYOUT_SPAN_ITALIC, strcmp(slant, "normal") != 0);
    const char *through = layout_html_attribute(text, "text-line-through-style");
    if (through != NULL) set_flag(style, LAYOUT_SPAN_STRUCK, strcmp(through, "none") != 0);
    if (position != NULL) {
        const gboolean low = g_str_has_prefix(position, "sub") || position[0] == '-';
        const gboolean flat = atoi(position) == 0 && g_ascii_isdigit(position[0]);
        set_flag(style, LAYOUT_SPAN_SUBSCRIPT, low && !flat);
        set_flag(style, LAYOUT_SPAN_SUPERSCRIPT, !low && !flat);
    }
    if (display != NULL) style->is_hidden = strcmp(display, "none") == 0;
    if (font != NULL)
        set_flag(style, LAYOUT_SPAN_MONO,
                 strstr(font, "Mono") != NULL || strstr(font, "Courier") != NULL ||
                     strstr(font, "Consolas") != NULL);
}

static odt_style
style_make(odt_styles *s, const char *name, int depth)
{
    const xmlNode *node = name != NULL ? g_hash_table_lookup(s->by_name, name) : NULL;
    odt_style style = {0};
    if (name == NULL || depth > MAX_BASES) return style;
    const odt_style *known = g_hash_table_lookup(s->made, name);
    if (known != NULL) return *known;
    const char *base = node != NULL ? layout_html_attribute(node, "parent-style-name") : NULL;
    if (base != NULL) style = style_make(s, base, depth + 1);
    const odt_role role = role_of(name);
    if (role != ODT_BODY) style.role = role;
    if (node == NULL) return style;
    take_properties(&style, node);
    if (depth == 0)
        g_hash_table_insert(s->made, (gpointer)layout_html_attribute(node, "name"),
                            g_memdup2(&style, sizeof style));
    return style;
}

odt_style
odt_styles_lookup(odt_styles *styles, const char *name)
{
    return style_make(styles, name, 0);
}

/* ---- numbers ---- */

static void
append_number(GString *out, const char *format, int n)
{
    if ((format[0] == 'a' || format[0] == 'A') && n >= 1 && n <= 26)
        g_string_append_c(out, (char)(format[0] + n - 1));
    else if ((format[0] == 'i' || format[0] == 'I') && n >= 1 && n < 40) {
        static const char *const tens[] = {"", "x", "xx", "xxx"};
        static const char *const ones[] = {"",  "i",  "ii",  "iii",  "iv",
                                           "v", "vi", "vii", "viii", "ix"};
        g_autofree char *digits = g_strconcat(tens[n / 10], ones[n % 10], NULL);
        g_autofree char *upper = g_ascii_strup(digits, -1);
        g_string_append(out, format[0] == 'I' ? upper : digits);
    } else
        g_string_append_printf(out, "%d", n);
}

static const xmlNode *
level_of(const xmlNode *list, int level)
{
    for (const xmlNode *n = list != NULL ? list->children : NULL; n != NULL; n = n->next) {
        const char *own = n->type == XML_ELEMENT_NODE ? layout_html_attribute(n, "level") : NULL;
        if (own != NULL && atoi(own) == level) return n;
    }
    return NULL;
}

static const char *
value_of(const xmlNode *node, const char *name)
{
    const char *value = node != NULL ? layout_html_attribute(node, name) : NULL;
    return value != NULL ? value : "";
}

char *
odt_list_marker(odt_styles *s, const char *list_style, int level, int n)
{
    const xmlNode *list = list_style != NULL ? g_hash_table_lookup(s->lists, list_style) : NULL;
    const xmlNode *own = level_of(list, level);
    const char *format = value_of(own, "num-format");
    if (own == NULL || !layout_html_is(own, "list-level-style-number") || *format == '\0')
        return g_strdup("-");
    const char *start = value_of(own, "start-value");
    GString *out = g_string_new(value_of(own, "num-prefix"));
    append_number(out, format, n + (*start != '\0' ? atoi(start) - 1 : 0));
    g_string_append(out, value_of(own, "num-suffix"));
    return g_string_free(out, FALSE);
}

char *
odt_heading_number(odt_styles *s, int level)
{
    if (level < 1 || level > MAX_LEVELS) return NULL;
    s->counts[level]++;
    for (int i = level + 1; i <= MAX_LEVELS; i++)
        s->counts[i] = 0;
    const xmlNode *own = level_of(s->outline, level);
    if (*value_of(own, "num-format") == '\0') return NULL;
    const int shown = CLAMP(atoi(value_of(own, "display-levels")), 1, level);
    GString *out = g_string_new(value_of(own, "num-prefix"));
    for (int i = level - shown + 1; i <= level; i++) {
        const char *format = value_of(level_of(s->outline, i), "num-format");
        if (i > level - shown + 1) g_string_append_c(out, '.');
        append_number(out, *format != '\0' ? format : "1", MAX(s->counts[i], 1));
    }
    g_string_append(out, value_of(own, "num-suffix"));
    return g_strstrip(g_string_free(out, FALSE));
}

/* ---- pages ---- */

static float
length_of(const char *text)
{
    static const struct {
        const char *unit;
        double points;
    } units[] = {{"cm", 72 / 2.54}, {"mm", 72 / 25.4}, {"in", 72}, {"pt", 1}, {"pc", 12}};
    char *end = NULL;
    const double value = g_ascii_strtod(text, &end);
    for (guint i = 0; i < G_N_ELEMENTS(units); i++)
        if (strcmp(end, units[i].unit) == 0) return (float)(value * units[i].points);
    return 0;
}

gboolean
odt_page_size(odt_styles *s, float *width, float *height)
{
    *width = length_of(value_of(s->page, "page-width"));
    *height = length_of(value_of(s->page, "page-height"));
    return *width >= 36 && *width < 14400 && *height >= 36 && *height < 14400;
}

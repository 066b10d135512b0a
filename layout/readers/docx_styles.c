/* Word's styles and numbering (ISO/IEC 29500-1, 17.7 and 17.9): what a paragraph is, and what is printed before it. */
#include "layout/readers/docx.h"

#include <stdlib.h>
#include <string.h>

#define MAX_BASES  32
#define MAX_LEVELS 9

typedef struct {
    const xmlNode *node;
    docx_style made;
    gboolean is_made;
} style_entry;

typedef struct {
    const xmlNode *levels[MAX_LEVELS];
    int starts[MAX_LEVELS]; /* overridden; -1: as the level says */
    int *counts; /* [MAX_LEVELS] of the abstract numbering, or its own where it starts anew */
} list;

struct docx_styles {
    xmlDoc *styles, *numbering;
    GHashTable *by_id; /* lent id -> style_entry */
    const char *standard;
    GHashTable *lists;   /* num_id -> list */
    GPtrArray *counters; /* owns counts */
};

/* ---- small questions ---- */

const char *
docx_value(const xmlNode *node, const char *name)
{
    const xmlNode *found = layout_xml_child(node, name);
    return found != NULL ? layout_html_attribute(found, "val") : NULL;
}

gboolean
docx_is_on(const xmlNode *properties, const char *name, gboolean absent)
{
    const xmlNode *found = layout_xml_child(properties, name);
    if (found == NULL) return absent;
    const char *value = layout_html_attribute(found, "val");
    return value == NULL || (strcmp(value, "0") != 0 && strcmp(value, "false") != 0 &&
                             strcmp(value, "off") != 0 && strcmp(value, "none") != 0);
}

static int
number(const char *text, int otherwise)
{
    return text != NULL && (g_ascii_isdigit(*text) || *text == '-')
               ? (int)CLAMP(strtol(text, NULL, 10), -1, 1 << 30)
               : otherwise;
}

static void
set_flag(guint *flags, guint flag, gboolean on)
{
    *flags = on ? *flags | flag : *flags & ~flag;
}

static gboolean
is_mono(const char *font)
{
    static const char *const fonts[] = {"Courier", "Consolas",       "Menlo",       "Monaco",
                                        "Mono",    "Lucida Console", "Source Code", "Inconsolata"};
    for (guint i = 0; font != NULL && i < G_N_ELEMENTS(fonts); i++)
        if (strstr(font, fonts[i]) != NULL) return TRUE;
    return FALSE;
}

guint
docx_run_flags(const xmlNode *properties, guint flags, gboolean *is_hidden)
{
    if (properties == NULL) return flags;
    set_flag(&flags, LAYOUT_SPAN_BOLD,
             docx_is_on(properties, "b", (flags & LAYOUT_SPAN_BOLD) != 0));
    set_flag(&flags, LAYOUT_SPAN_ITALIC,
             docx_is_on(properties, "i", (flags & LAYOUT_SPAN_ITALIC) != 0));
    set_flag(&flags, LAYOUT_SPAN_STRUCK,
             docx_is_on(properties, "strike",
                        docx_is_on(properties, "dstrike", (flags & LAYOUT_SPAN_STRUCK) != 0)));
    *is_hidden = docx_is_on(properties, "vanish", *is_hidden);
    const char *raised = docx_value(properties, "vertAlign");
    if (raised != NULL) {
        set_flag(&flags, LAYOUT_SPAN_SUPERSCRIPT, strcmp(raised, "superscript") == 0);
        set_flag(&flags, LAYOUT_SPAN_SUBSCRIPT, strcmp(raised, "subscript") == 0);
    }
    const xmlNode *fonts = layout_xml_child(properties, "rFonts");
    const char *font = fonts != NULL ? layout_html_attribute(fonts, "ascii") : NULL;
    if (font != NULL) set_flag(&flags, LAYOUT_SPAN_MONO, is_mono(font));
    return flags;
}

/* ---- styles ---- */

/* The role that a style's own name gives. Word keeps the English names of its own styles in any language. */
static docx_role
role_of_name(const char *name, int *level)
{
    static const struct {
        const char *name;
        docx_role role;
    } roles[] = {{"title", DOCX_TITLE},
                 {"author", DOCX_AUTHOR},
                 {"authors", DOCX_AUTHOR},
                 {"abstract", DOCX_ABSTRACT},
                 {"caption", DOCX_CAPTION},
                 {"image caption", DOCX_CAPTION},
                 {"table caption", DOCX_CAPTION},
                 {"figure caption", DOCX_CAPTION},
                 {"bibliography", DOCX_REFERENCE},
                 {"endnote bibliography", DOCX_REFERENCE},
                 {"reference", DOCX_REFERENCE},
                 {"references", DOCX_REFERENCE},
                 {"source code", DOCX_CODE},
                 {"html preformatted", DOCX_CODE},
                 {"macro text", DOCX_CODE},
                 {"macro", DOCX_CODE},
                 {"code", DOCX_CODE},
                 {"toc heading", DOCX_CONTENTS},
                 {"table of figures", DOCX_CONTENTS}};
    g_autofree char *low = g_ascii_strdown(name, -1);
    if (g_str_has_prefix(low, "heading ") && g_ascii_isdigit(low[8]) && low[9] == '\0' &&
        low[8] != '0') {
        *level = low[8] - '0';
        return DOCX_HEADING;
    }
    if (g_str_has_prefix(low, "toc ") && g_ascii_isdigit(low[4])) return DOCX_CONTENTS;
    if (g_str_has_prefix(low, "list bullet") || g_str_has_prefix(low, "list number")) {
        *level = g_ascii_isdigit(low[strlen(low) - 1]) ? low[strlen(low) - 1] - '0' : 1;
        return DOCX_LIST;
    }
    for (guint i = 0; i < G_N_ELEMENTS(roles); i++)
        if (strcmp(roles[i].name, low) == 0) return roles[i].role;
    return DOCX_BODY;
}

static docx_style
style_make(docx_styles *styles, const char *id, int depth)
{
    style_entry *entry = id != NULL ? g_hash_table_lookup(styles->by_id, id) : NULL;
    if (entry == NULL) return (docx_style){0};
    if (entry->is_made) return entry->made;
    const char *base = docx_value(entry->node, "basedOn");
    docx_style style =
        base != NULL && depth < MAX_BASES ? style_make(styles, base, depth + 1) : (docx_style){0};
    const char *name = docx_value(entry->node, "name");
    const xmlNode *paragraph = layout_xml_child(entry->node, "pPr"),
                  *numbered = layout_xml_child(paragraph, "numPr");
    int level = style.level;
    const docx_role role = name != NULL ? role_of_name(name, &level) : DOCX_BODY;
    if (role != DOCX_BODY) style.role = role, style.level = level;
    const int outline = number(docx_value(paragraph, "outlineLvl"), -1);
    if (outline >= 0 && outline < 9 && (style.role == DOCX_BODY || style.role == DOCX_HEADING))
        style.role = DOCX_HEADING, style.level = outline + 1;
    if (outline == 9 && style.role == DOCX_HEADING) style.role = DOCX_BODY; /* "body text" */
    if (numbered != NULL) {
        style.num_id = number(docx_value(numbered, "numId"), style.num_id);
        style.ilvl = number(docx_value(numbered, "ilvl"),
                            style.role == DOCX_HEADING ? style.level - 1 : style.ilvl);
    }
    style.flags =
        docx_run_flags(layout_xml_child(entry->node, "rPr"), style.flags, &style.is_hidden);
    entry->made = style;
    entry->is_made = depth < MAX_BASES;
    return style;
}

docx_style
docx_styles_lookup(docx_styles *styles, const char *id)
{
    return style_make(styles, id != NULL ? id : styles->standard, 0);
}

static void
read_styles(docx_styles *styles)
{
    const xmlNode *root = styles->styles != NULL ? xmlDocGetRootElement(styles->styles) : NULL;
    for (const xmlNode *n = root != NULL ? root->children : NULL; n != NULL; n = n->next) {
        const char *id = layout_html_is(n, "style") ? layout_html_attribute(n, "styleId") : NULL;
        if (id == NULL) continue;
        style_entry *entry = g_new0(style_entry, 1);
        entry->node = n;
        g_hash_table_insert(styles->by_id, (gpointer)id, entry);
        const char *type = layout_html_attribute(n, "type");
        const char *standard = layout_html_attribute(n, "default");
        if (g_strcmp0(type, "paragraph") == 0 && standard != NULL && standard[0] == '1')
            styles->standard = id;
    }
}

/* ---- numbering ---- */

static void
take_levels(list *l, const xmlNode *abstract)
{
    for (const xmlNode *n = abstract != NULL ? abstract->children : NULL; n != NULL; n = n->next) {
        const int level =
            layout_html_is(n, "lvl") ? number(layout_html_attribute(n, "ilvl"), -1) : -1;
        if (level >= 0 && level < MAX_LEVELS) l->levels[level] = n;
    }
}

static int *
counts_new(docx_styles *styles)
{
    int *counts = g_new(int, MAX_LEVELS);
    for (int i = 0; i < MAX_LEVELS; i++)
        counts[i] = G_MININT; /* not begun */
    g_ptr_array_add(styles->counters, counts);
    return counts;
}

static void
take_overrides(docx_styles *styles, list *l, const xmlNode *num)
{
    for (const xmlNode *n = num->children; n != NULL; n = n->next) {
        const int level =
            layout_html_is(n, "lvlOverride") ? number(layout_html_attribute(n, "ilvl"), -1) : -1;
        if (level < 0 || level >= MAX_LEVELS) continue;
        const char *start = docx_value(n, "startOverride");
        if (start != NULL) {
            l->starts[level] = number(start, 1);
            l->counts = counts_new(styles);
        }
        const xmlNode *own = layout_xml_child(n, "lvl");
        if (own != NULL) l->levels[level] = own;
    }
}

static void
read_numbering(docx_styles *styles)
{
    const xmlNode *root =
        styles->numbering != NULL ? xmlDocGetRootElement(styles->numbering) : NULL;
    if (root == NULL) return;
    g_autoptr(GHashTable) abstracts = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GHashTable) counts = g_hash_table_new(g_str_hash, g_str_equal);
    for (const xmlNode *n = root->children; n != NULL; n = n->next) {
        const char *id =
            layout_html_is(n, "abstractNum") ? layout_html_attribute(n, "abstractNumId") : NULL;
        if (id == NULL) continue;
        g_hash_table_insert(abstracts, (gpointer)id, (gpointer)n);
        g_hash_table_insert(counts, (gpointer)id, counts_new(styles));
    }
    for (const xmlNode *n = root->children; n != NULL; n = n->next) {
        const char *id = layout_html_is(n, "num") ? layout_html_attribute(n, "numId") : NULL;
        const char *abstract = id != NULL ? docx_value(n, "abstractNumId") : NULL;
        if (abstract == NULL || !g_hash_table_contains(abstracts, abstract)) continue;
        list *l = g_new0(list, 1);
        for (int i = 0; i < MAX_LEVELS; i++)
            l->starts[i] = -1;
        l->counts = g_hash_table_lookup(counts, abstract);
        take_levels(l, g_hash_table_lookup(abstracts, abstract));
        take_overrides(styles, l, n);
        g_hash_table_insert(styles->lists, GINT_TO_POINTER(number(id, 0)), l);
    }
}

/* A number as the level prints it. */
static void
append_number(GString *out, const char *format, int n)
{
    const gboolean upper = format != NULL && g_str_has_prefix(format, "upper");
    if (g_strcmp0(format, "decimalZero") == 0)
        g_string_append_printf(out, "%02d", n);
    else if (format != NULL && strstr(format, "Roman") != NULL)
        layout_number_append(out, upper ? 'I' : 'i', n);
    else
        layout_number_append(out,
                             format == NULL || strstr(format, "Letter") == NULL ? '1'
                             : upper                                            ? 'A'
                                                                                : 'a',
                             n);
}

static int
start_of(const list *l, int level)
{
    return l->starts[level] >= 0 ? l->starts[level]
                                 : number(docx_value(l->levels[level], "start"), 1);
}

char *
docx_styles_count(docx_styles *styles, int num_id, int ilvl)
{
    list *l = num_id > 0 ? g_hash_table_lookup(styles->lists, GINT_TO_POINTER(num_id)) : NULL;
    ilvl = CLAMP(ilvl, 0, MAX_LEVELS - 1);
    if (l == NULL || l->levels[ilvl] == NULL) return num_id > 0 ? g_strdup("-") : NULL;
    const char *format = docx_value(l->levels[ilvl], "numFmt");
    const char *text = docx_value(l->levels[ilvl], "lvlText");
    int *count = &l->counts[ilvl];
    *count = *count == G_MININT ? start_of(l, ilvl) : *count + (*count < G_MAXINT);
    for (int i = ilvl + 1; i < MAX_LEVELS; i++)
        l->counts[i] = G_MININT;
    if (g_strcmp0(format, "none") == 0) return NULL;
    if (g_strcmp0(format, "bullet") == 0 || text == NULL) return g_strdup("-");
    GString *out = g_string_new(NULL);
    for (const char *p = text; *p != '\0'; p++) {
        if (*p != '%' || p[1] < '1' || p[1] > '9') {
            g_string_append_c(out, *p);
            continue;
        }
        const int level = *++p - '1';
        const gboolean legal = docx_is_on(l->levels[ilvl], "isLgl", FALSE);
        const int n = l->counts[level] == G_MININT ? start_of(l, level) : l->counts[level];
        append_number(out, legal ? "decimal" : docx_value(l->levels[level], "numFmt"), n);
    }
    g_strstrip(out->str);
    if (*out->str != '\0') return g_string_free(out, FALSE);
    g_string_free(out, TRUE);
    return NULL;
}

/* ---- both ---- */

docx_styles *
docx_styles_read(const layout_package *package, const char *styles_part, const char *numbering_part)
{
    docx_styles *styles = g_new0(docx_styles, 1);
    styles->by_id = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
    styles->lists = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    styles->counters = g_ptr_array_new_with_free_func(g_free);
    if (styles_part != NULL) styles->styles = layout_package_xml(package, styles_part, NULL);
    if (numbering_part != NULL)
        styles->numbering = layout_package_xml(package, numbering_part, NULL);
    read_styles(styles);
    read_numbering(styles);
    return styles;
}

void
docx_styles_free(docx_styles *styles)
{
    g_hash_table_unref(styles->by_id);
    g_hash_table_unref(styles->lists);
    g_ptr_array_unref(styles->counters);
    if (styles->styles != NULL) xmlFreeDoc(styles->styles);
    if (styles->numbering != NULL) xmlFreeDoc(styles->numbering);
    g_free(styles);
}

/* The document's fonts: one entry per name and look, and what the name says about it.
 *
 * Flags in a font's descriptor are often missing in TeX's files, so names decide too: "CMBX10",
 * "NimbusRomNo9L-Medi" (the bold of Times there), "CMMI7" (math italic). */
#include "layout/analyze.h"

#include <string.h>

/* Families that set mathematics, by the start of their names, lower case. Computer Modern and AMS,
 * Latin Modern, Euler, tx/px/newtx/newpx, MathTime, STIX, Fourier, Lucida and the OpenType math fonts. */
static const char *const math_prefixes[] = {
    "cmmi",           "cmsy",        "cmex",          "cmbsy",    "cmmib",
    "msam",           "msbm",        "eufm",          "eufb",     "eusm",
    "eurm",           "euex",        "rsfs",          "lmmath",   "lmmi",
    "lmsy",           "lmex",        "txmi",          "txsy",     "txex",
    "rtxmi",          "pxmi",        "pxsy",          "pxex",     "rpxmi",
    "ntxmi",          "ntxsy",       "ntxex",         "newtxmi",  "newpxmi",
    "mtmi",           "mtsy",        "mtex",          "mt2",      "stmary",
    "wasy",           "esint",       "bbm",           "bbold",    "dsrom",
    "yhmath",         "mnsymb",      "fourier-math",  "pazomath", "zplm",
    "stixmath",       "xitsmath",    "cambriamath",   "asana",    "latinmodernmath",
    "lmmono-math",    "mathematica", "symbolmath",    "ntx-",     "txb",
    "hvmath",         "bickham",     "kp--m-",        "boondox",  "libertinemathmi",
    "libertinusmath", "firamath",    "xcharter-math", "cmmath",   "futm",
    "fut-",           "fourier-m",   "ltxmi",         "rmtmi",    "mtgu",
    "mtms",           "rblmi",       "blmi",          "blsy",     "blex",
};

static gboolean
is_math_name(const char *lower)
{
    for (guint i = 0; i < G_N_ELEMENTS(math_prefixes); i++)
        if (g_str_has_prefix(lower, math_prefixes[i])) return TRUE;
    return strstr(lower, "math") != NULL;
}

/* Symbols where TeX has them in Computer Modern's: its radical sign hangs from the line. */
static gboolean
is_tex_symbol_name(const char *lower)
{
    static const char *const prefixes[] = {"cmsy", "lmmathsymbols", "lmsy", "txsy",
                                           "mtsy", "mt2sy",         "blsy"};
    for (guint i = 0; i < G_N_ELEMENTS(prefixes); i++)
        if (g_str_has_prefix(lower, prefixes[i])) return TRUE;
    return FALSE;
}

static gboolean
has_any(const char *name, const char *const *parts)
{
    for (; *parts != NULL; parts++)
        if (strstr(name, *parts) != NULL) return TRUE;
    return FALSE;
}

static guint
flags_of_name(const char *lower)
{
    static const char *const bold[] = {"bold",  "black",  "heavy", "-medi", "demi",
                                       "cmbx",  "cmssbx", "sfbx",  "ecbx",  "lmroman10-bold",
                                       "cmb10", "-bd",    "sfrb",  "sfxb",  NULL};
    static const char *const italic[] = {"ital",   "obli",   "slant", "cmti", "cmsl",
                                         "cmbxti", "sfti",   "ecti",  "sfsl", "cmssi",
                                         "-it",    "kursiv", NULL};
    static const char *const mono[] = {
        "cmtt",       "courier",  "mono",     "typewriter", "consol", "inconsolata",
        "sftt",       "ectt",     "lmtt",     "txtt",       "menlo",  "monaco",
        "nimbusmonl", "beramono", "luximono", "cmsltt",     "cmitt",  NULL};
    static const char *const caps[] = {"cmcsc", "smallcap", "-sc",  "lmromancaps", "capsregular",
                                       "smcp",  "eccc",     "sfcc", NULL};
    guint flags = 0;
    if (has_any(lower, bold)) flags |= LAYOUT_SPAN_BOLD;
    if (has_any(lower, italic)) flags |= LAYOUT_SPAN_ITALIC;
    if (has_any(lower, mono) && strstr(lower, "monotype") == NULL) flags |= LAYOUT_SPAN_MONO;
    if (has_any(lower, caps)) flags |= LAYOUT_STYLE_CAPS;
    return flags;
}

static void
font_clear(gpointer data)
{
    g_free(((layout_font *)data)->name);
}

GArray *
layout_fonts_new(void)
{
    GArray *fonts = g_array_new(FALSE, TRUE, sizeof(layout_font));
    g_array_set_clear_func(fonts, font_clear);
    return fonts;
}

void
layout_font_copy(GArray *fonts, const layout_font *font)
{
    layout_font copy = *font;
    copy.name = g_strdup(font->name);
    g_array_append_val(fonts, copy);
}

static char *
key_of(const char *name, guint file_flags)
{
    return g_strdup_printf("%u %s", file_flags, name);
}

guint
layout_font_adopt(layout_work *work, const layout_font *font)
{
    g_autofree char *key = key_of(font->name, font->file_flags);
    gpointer found;
    if (g_hash_table_lookup_extended(work->font_ids, key, NULL, &found))
        return GPOINTER_TO_UINT(found);
    guint id = work->fonts->len;
    layout_font_copy(work->fonts, font);
    g_hash_table_insert(work->font_ids, g_steal_pointer(&key), GUINT_TO_POINTER(id));
    return id;
}

guint
layout_font_intern(layout_work *work, const parse_font *font)
{
    const char *name = font->name != NULL ? font->name : "";
    guint kept = font->flags & (PARSE_FONT_BOLD | PARSE_FONT_ITALIC | PARSE_FONT_MONO |
                                PARSE_FONT_MATH_EXTENSION);
    g_autofree char *key = key_of(name, kept);
    gpointer found;
    if (g_hash_table_lookup_extended(work->font_ids, key, NULL, &found))
        return GPOINTER_TO_UINT(found);

    g_autofree char *lower = g_ascii_strdown(name, -1);
    layout_font entry = {.name = g_strdup(name), .flags = flags_of_name(lower), .file_flags = kept};
    if (kept & PARSE_FONT_BOLD) entry.flags |= LAYOUT_SPAN_BOLD;
    if (kept & PARSE_FONT_ITALIC) entry.flags |= LAYOUT_SPAN_ITALIC;
    if (kept & PARSE_FONT_MONO) entry.flags |= LAYOUT_SPAN_MONO;
    if (is_math_name(lower) || (kept & PARSE_FONT_MATH_EXTENSION)) {
        /* Math italic is not emphasis, and symbol fonts often claim to be monospaced. */
        gboolean heavy = (entry.flags & LAYOUT_SPAN_BOLD) || g_str_has_prefix(lower, "cmmib") ||
                         g_str_has_prefix(lower, "cmbsy");
        entry.flags = LAYOUT_SPAN_MATH | (heavy ? LAYOUT_SPAN_BOLD : 0);
        /* OpenType's and STIX's have variables under characters of their own, or in another font */
        entry.upright = g_str_has_suffix(lower, "math-regular") || g_str_has_suffix(lower, "math");
        if (font->flags & PARSE_FONT_MATH_EXTENSION) entry.flags |= LAYOUT_STYLE_SYMBOL;
        if (is_tex_symbol_name(lower)) entry.flags |= LAYOUT_STYLE_TEX_SYMBOL;
    }
    guint id = work->fonts->len;
    g_array_append_val(work->fonts, entry);
    g_hash_table_insert(work->font_ids, g_steal_pointer(&key), GUINT_TO_POINTER(id));
    return id;
}

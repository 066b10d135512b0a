/* Fonts of a page: name, style, vertical extent.
 *
 * Descriptor flags lie often enough (TeX fonts say "symbolic" and nothing else), so what the name tells is
 * added to them. */
#include <math.h>
#include <string.h>

#include <ft2build.h>
#include FT_FREETYPE_H

#include "parse/parse_internal.h"

/* Prefixes of TeX's own fonts, longest first where one begins another. */
static const struct {
    const char *prefix;
    guint flags;
} tex_fonts[] = {
    {"CMBXTI", PARSE_FONT_BOLD | PARSE_FONT_ITALIC | PARSE_FONT_SERIF},
    {"CMBXSL", PARSE_FONT_BOLD | PARSE_FONT_ITALIC | PARSE_FONT_SERIF},
    {"CMBSY", PARSE_FONT_BOLD},
    {"CMBX", PARSE_FONT_BOLD | PARSE_FONT_SERIF},
    {"CMB", PARSE_FONT_BOLD | PARSE_FONT_SERIF},
    {"CMMIB", PARSE_FONT_BOLD | PARSE_FONT_ITALIC | PARSE_FONT_SERIF},
    {"CMMI", PARSE_FONT_ITALIC | PARSE_FONT_SERIF},
    {"CMTI", PARSE_FONT_ITALIC | PARSE_FONT_SERIF},
    {"CMSLTT", PARSE_FONT_ITALIC | PARSE_FONT_MONO},
    {"CMSL", PARSE_FONT_ITALIC | PARSE_FONT_SERIF},
    {"CMITT", PARSE_FONT_ITALIC | PARSE_FONT_MONO},
    {"CMTT", PARSE_FONT_MONO},
    {"CMTCSC", PARSE_FONT_MONO},
    {"CMSSBX", PARSE_FONT_BOLD},
    {"CMSSI", PARSE_FONT_ITALIC},
    {"CMR", PARSE_FONT_SERIF},
    {"CMCSC", PARSE_FONT_SERIF},
    {"SFBI", PARSE_FONT_BOLD | PARSE_FONT_ITALIC | PARSE_FONT_SERIF},
    {"SFBX", PARSE_FONT_BOLD | PARSE_FONT_SERIF},
    {"SFRB", PARSE_FONT_BOLD | PARSE_FONT_SERIF},
    {"SFSX", PARSE_FONT_BOLD},
    {"SFTI", PARSE_FONT_ITALIC | PARSE_FONT_SERIF},
    {"SFSL", PARSE_FONT_ITALIC | PARSE_FONT_SERIF},
    {"SFTT", PARSE_FONT_MONO},
    {"SFIT", PARSE_FONT_ITALIC | PARSE_FONT_MONO},
    {"SFRM", PARSE_FONT_SERIF},
    {"SFCC", PARSE_FONT_SERIF},
    {"LMMono", PARSE_FONT_MONO},
    {"LMRoman", PARSE_FONT_SERIF},
    {"LMMathItalic", PARSE_FONT_ITALIC | PARSE_FONT_SERIF},
    {"EURB", PARSE_FONT_BOLD},
};

static const struct {
    const char *word;
    guint flags;
} words[] = {
    {"bold", PARSE_FONT_BOLD},        {"black", PARSE_FONT_BOLD},
    {"heavy", PARSE_FONT_BOLD},       {"demi", PARSE_FONT_BOLD},
    {"-bd", PARSE_FONT_BOLD},         {"italic", PARSE_FONT_ITALIC},
    {"oblique", PARSE_FONT_ITALIC},   {"slanted", PARSE_FONT_ITALIC},
    {"ital", PARSE_FONT_ITALIC},      {"mono", PARSE_FONT_MONO},
    {"courier", PARSE_FONT_MONO},     {"consolas", PARSE_FONT_MONO},
    {"typewriter", PARSE_FONT_MONO},  {"menlo", PARSE_FONT_MONO},
    {"inconsolata", PARSE_FONT_MONO}, {"times", PARSE_FONT_SERIF},
    {"nimbusrom", PARSE_FONT_SERIF},  {"georgia", PARSE_FONT_SERIF},
    {"palatino", PARSE_FONT_SERIF},   {"palladio", PARSE_FONT_SERIF},
    {"garamond", PARSE_FONT_SERIF},   {"minion", PARSE_FONT_SERIF},
    {"cambria", PARSE_FONT_SERIF},
};

static gboolean
ends_with(const char *name, const char *suffix)
{
    return g_str_has_suffix(name, suffix);
}

guint
parse_font_name_flags(const char *name)
{
    for (gsize i = 0; i < G_N_ELEMENTS(tex_fonts); i++) {
        gsize len = strlen(tex_fonts[i].prefix);
        /* TeX's own names go on with the design size; "CMRoman" is somebody else's */
        if (strncmp(name, tex_fonts[i].prefix, len) == 0 &&
            (g_ascii_isdigit(name[len]) || g_str_has_prefix(name, "LM")))
            return tex_fonts[i].flags | (strstr(name, "Bold") ? PARSE_FONT_BOLD : 0) |
                   (strstr(name, "Italic") || strstr(name, "Oblique") ? PARSE_FONT_ITALIC : 0);
    }
    guint flags = 0;
    g_autofree char *lower = g_ascii_strdown(name, -1);
    for (gsize i = 0; i < G_N_ELEMENTS(words); i++)
        if (strstr(lower, words[i].word)) flags |= words[i].flags;
    if (strstr(lower, "monotype")) flags &= ~(guint)PARSE_FONT_MONO;
    /* URW's Nimbus calls its bold "Medi"; "Medium" elsewhere is not one */
    if (strstr(name, "-Medi") && !strstr(name, "-Medium")) flags |= PARSE_FONT_BOLD;
    if (ends_with(name, "-It") || ends_with(name, "-I") || ends_with(name, ".I") ||
        ends_with(name, ",I"))
        flags |= PARSE_FONT_ITALIC;
    if (ends_with(name, "-B") || ends_with(name, ".B")) flags |= PARSE_FONT_BOLD;
    if (ends_with(name, "-BI") || ends_with(name, ".BI") || ends_with(name, "-BdIt"))
        flags |= PARSE_FONT_BOLD | PARSE_FONT_ITALIC;
    return flags;
}

/* "ABCDEF+Name" -> "Name" */
static const char *
skip_subset_prefix(const char *name)
{
    for (int i = 0; i < 6; i++)
        if (!g_ascii_isupper(name[i])) return name;
    return name[6] == '+' ? name + 7 : name;
}

/* MuPDF cuts names at 31 bytes; the font program often has the rest of it. */
static const char *
font_full_name(fz_context *ctx, fz_font *font)
{
    const char *name = skip_subset_prefix(fz_font_name(ctx, font));
    FT_Face face = fz_font_ft_face(ctx, font);
    if (!face || strlen(fz_font_name(ctx, font)) < 31) return name;
    const char *full = FT_Get_Postscript_Name(face);
    if (!full) return name;
    full = skip_subset_prefix(full);
    return strlen(full) > strlen(name) && g_str_has_prefix(full, name) ? full : name;
}

static gboolean
starts_with_any(const char *name, const char *const *prefixes)
{
    for (; *prefixes; prefixes++)
        if (g_ascii_strncasecmp(name, *prefixes, strlen(*prefixes)) == 0) return TRUE;
    return FALSE;
}

static gboolean
is_tex_math_italic(const char *name)
{
    static const char *const prefixes[] = {"cmmi", "lmmi",  "lmmathitalic", "txmi",    "rtxmi",
                                           "pxmi", "rpxmi", "ntxmi",        "newtxmi", "newpxmi",
                                           "mtmi", "rmtmi", "mt2mi",        "mt2bmi",  "mt2hmi",
                                           "blmi", "rblmi", "kp--m-italic", NULL};
    return starts_with_any(name, prefixes) ||
           (g_str_has_prefix(name, "MathDesign") && strstr(name, "MathItalic"));
}

/* The math extension fonts of Computer Modern, Latin Modern, tx, px, newtx, MathTime, Euler, yhmath, Fourier. */
static gboolean
is_math_extension(const char *name)
{
    static const char *const prefixes[] = {
        "cmex",   "lmmathextension",  "lmex",     "txex",  "pxex", "ntxex", "mtex", "euex",
        "yhcmex", "fourier-math-ext", "kp--m-ex", "mt2ex", "blex", NULL};
    return starts_with_any(name, prefixes) || (strstr(name, "Math") && strstr(name, "-Extension"));
}

static guint
font_flags(fz_context *ctx, const parse_builder *builder, fz_font *font, const char *name)
{
    guint flags = parse_font_name_flags(name);
    flags |= GPOINTER_TO_UINT(g_hash_table_lookup(builder->descriptor_flags, font));
    if (fz_font_is_bold(ctx, font)) flags |= PARSE_FONT_BOLD;
    if (fz_font_is_italic(ctx, font)) flags |= PARSE_FONT_ITALIC;
    if (fz_font_is_serif(ctx, font)) flags |= PARSE_FONT_SERIF;
    if (fz_font_is_monospaced(ctx, font)) flags |= PARSE_FONT_MONO;
    if (fz_font_t3_procs(ctx, font)) flags |= PARSE_FONT_TYPE3;
    if (fz_font_flags(font)->ft_substitute) flags |= PARSE_FONT_SUBSTITUTE;
    if (is_math_extension(name)) flags |= PARSE_FONT_MATH_EXTENSION;
    return flags;
}

/* A bitmap of one of TeX's fonts? */
static parse_tex_match
tex_match(fz_context *ctx, const parse_builder *builder, fz_font *font, float size_pt)
{
    float widths[256];
    fz_buffer **procs = fz_font_t3_procs(ctx, font);
    if (procs == NULL || font->t3widths == NULL) return (parse_tex_match){0};
    for (int code = 0; code < 256; code++)
        /* the base encoding may name further codes after a glyph, for which there are no widths */
        widths[code] = procs[code] != NULL && (code < 128 || font->t3widths[code] > 0)
                           ? font->t3widths[code]
                           : -1;
    return parse_tex_font_match(widths, fabsf(font->t3matrix.a), size_pt, builder->file->from_tex);
}

/* Vertical extent in ems; fonts with nonsense there get a usual one. */
static void
font_extent(fz_context *ctx, fz_font *font, parse_builder_font *out)
{
    out->ascender = fz_font_ascender(ctx, font);
    out->descender = fz_font_descender(ctx, font);
    out->type3_scale = 1.0f;
    out->type3 = fz_font_t3_procs(ctx, font) != NULL;
    if (out->type3) {
        /* A Type 3 font has no em: bitmap fonts of dvips are drawn at "size 1" in a matrix of pixels.
         * Take the box of all its glyphs for 1.2 em, which is about what it is in text fonts. */
        if (out->tex.font != NULL) {
            out->type3_scale = out->tex.em;
            out->ascender = 0.75f;
            out->descender = -0.25f;
            return;
        }
        fz_rect box = fz_font_bbox(ctx, font);
        float height = box.y1 - box.y0;
        if (isfinite(height) && height > 0 && (height > 2.5f || height < 0.5f)) {
            out->type3_scale = height / 1.2f;
            out->ascender = box.y1 / out->type3_scale;
            out->descender = box.y0 / out->type3_scale;
        }
    }
    if (!(out->ascender > 0.1f && out->ascender <= 2.0f)) out->ascender = 0.8f;
    if (out->ascender > 1.2f) out->ascender = 1.2f;
    if (!(out->descender <= 0.0f && out->descender >= -2.0f)) out->descender = -0.2f;
    if (out->descender < -0.5f) out->descender = -0.5f;
}

guint
parse_builder_add_font(fz_context *ctx, parse_builder *builder, fz_font *font, float size_pt)
{
    parse_builder_font *fonts = (parse_builder_font *)(void *)builder->fonts->data;
    if (builder->last_font < builder->fonts->len && fonts[builder->last_font].font == font)
        return builder->last_font;
    gpointer found = g_hash_table_lookup(builder->font_index, font);
    if (found) return builder->last_font = GPOINTER_TO_UINT(found) - 1;

    parse_builder_font added = {.font = fz_keep_font(ctx, font),
                                .tex = tex_match(ctx, builder, font, size_pt)};
    font_extent(ctx, font, &added);
    const char *name = added.tex.font ? added.tex.font->name : font_full_name(ctx, font);
    parse_font public = {
        .name = parse_string(builder->storage->strings, name),
        .flags = font_flags(ctx, builder, font, name),
        .ascender = added.ascender,
        .descender = added.descender,
    };
    added.tex_italic = is_tex_math_italic(name);
    added.math = strstr(name, "Math") != NULL;
    added.hangs =
        (public.flags & PARSE_FONT_MATH_EXTENSION) != 0 && (!added.type3 || added.tex.font);
    g_array_append_val(builder->fonts, added);
    g_array_append_val(builder->storage->fonts, public);
    builder->last_font = builder->fonts->len - 1;
    g_hash_table_insert(builder->font_index, font, GUINT_TO_POINTER(builder->fonts->len));
    return builder->last_font;
}

guint
parse_builder_large_font(fz_context *ctx, parse_builder *builder, guint index)
{
    parse_builder_font *font = &g_array_index(builder->fonts, parse_builder_font, index);
    if (font->large) return font->large;
    parse_builder_font added = *font;
    added.font = fz_keep_font(ctx, font->font);
    added.recovered = NULL;
    added.hangs = TRUE;
    parse_font public = g_array_index(builder->storage->fonts, parse_font, index);
    public.flags |= PARSE_FONT_MATH_EXTENSION;
    font->large = builder->fonts->len;
    g_array_append_val(builder->fonts, added);
    g_array_append_val(builder->storage->fonts, public);
    return builder->fonts->len - 1;
}

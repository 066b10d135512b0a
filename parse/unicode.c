/* Characters for glyphs that the PDF gives none for.
 *
 * TeX's math and symbol fonts mostly come without a /ToUnicode map, under glyph names that the Adobe Glyph
 * List does not know ("summationdisplay", "parenleftBigg"). The font program still knows the name, and what
 * it stands for is in the tables of The TeXbook, appendix F, and of the AMS fonts. Fonts without glyph names
 * may have a character map of their own, which is read backwards. */
#include <string.h>

#include <ft2build.h>
#include FT_FREETYPE_H

#include "parse/parse_internal.h"

/* "uni2211", "u1D49C" */
static uint32_t
from_hex_name(const char *name)
{
    const char *hex = g_str_has_prefix(name, "uni") ? name + 3 : name[0] == 'u' ? name + 1 : NULL;
    gsize len = hex ? strlen(hex) : 0;
    if (len < 4 || len > 6 || strspn(hex, "0123456789ABCDEF") != len) return 0;
    guint64 value = g_ascii_strtoull(hex, NULL, 16);
    return value <= 0x10ffff && !(value >= 0xd800 && value < 0xe000) ? (uint32_t)value : 0;
}

static uint32_t
from_exact_name(const char *name)
{
    uint32_t own = parse_unicode_of_glyph(name);
    if (own) return own;
    int agl = fz_unicode_from_glyph_name_strict(name);
    return agl > 0 && agl != FZ_REPLACEMENT_CHARACTER ? (uint32_t)agl : from_hex_name(name);
}

/* "Lcal", "Rbbb", "gfrak" of MathDesign: the letter of that alphabet. */
static uint32_t
from_alphabet_name(const char *name)
{
    static const struct {
        const char *suffix;
        uint32_t first;      /* of its capitals; small letters follow */
        const char *letters; /* that Unicode had before */
        uint16_t codes[11];
    } alphabets[] = {
        {"cal",
         0x1d49c,
         "BEFHILMRego",
         {0x212c, 0x2130, 0x2131, 0x210b, 0x2110, 0x2112, 0x2133, 0x211b, 0x212f, 0x210a, 0x2134}},
        {"bbb", 0x1d538, "CHNPQRZ", {0x2102, 0x210d, 0x2115, 0x2119, 0x211a, 0x211d, 0x2124}},
        {"frak", 0x1d504, "CHIRZ", {0x212d, 0x210c, 0x2111, 0x211c, 0x2128}}};
    if (!g_ascii_isalpha(name[0])) return 0;
    for (gsize i = 0; i < G_N_ELEMENTS(alphabets); i++) {
        if (strcmp(name + 1, alphabets[i].suffix) != 0) continue;
        const char *old = strchr(alphabets[i].letters, name[0]);
        if (old) return alphabets[i].codes[old - alphabets[i].letters];
        return alphabets[i].first +
               (uint32_t)(g_ascii_isupper(name[0]) ? name[0] - 'A' : name[0] - 'a' + 26);
    }
    return 0;
}

uint32_t
parse_unicode_from_name(const char *name)
{
    /* sizes of one symbol, the longer suffix first */
    static const char *const sizes[] = {"Bigg", "bigg", "Big", "big", "display", "text"};
    char base[64];
    gsize len = strcspn(name, ".");
    if (len == 0 || len >= sizeof base) return 0;
    memcpy(base, name, len);
    base[len] = '\0';
    uint32_t unicode = from_exact_name(base);
    if (unicode == 0) unicode = from_alphabet_name(base);
    if (unicode == 0 && g_ascii_isdigit(base[len - 1])) base[--len] = '\0';
    for (gsize i = 0; unicode == 0 && i < G_N_ELEMENTS(sizes); i++) {
        if (!g_str_has_suffix(base, sizes[i])) continue;
        base[len - strlen(sizes[i])] = '\0';
        return from_exact_name(base);
    }
    return unicode;
}

/* The lowest character that a font's own map sends to gid. */
static uint32_t
from_charmap(FT_Face face, int gid)
{
    FT_CharMap before = face->charmap;
    uint32_t found = 0;
    if (FT_Select_Charmap(face, FT_ENCODING_UNICODE) == 0) {
        FT_UInt at = 0;
        for (FT_ULong c = FT_Get_First_Char(face, &at); at != 0 && !found;
             c = FT_Get_Next_Char(face, c, &at))
            if (at == (FT_UInt)gid) found = (uint32_t)c;
    }
    if (before) FT_Set_Charmap(face, before);
    return found;
}

uint32_t
parse_unicode_recover(fz_context *ctx, fz_font *font, int gid)
{
    FT_Face face = fz_font_ft_face(ctx, font);
    /* in a substitute font the glyph is a guess already */
    if (!face || gid <= 0 || fz_font_flags(font)->ft_substitute) return 0;
    char name[64];
    uint32_t unicode = 0;
    if (FT_HAS_GLYPH_NAMES(face) && FT_Get_Glyph_Name(face, (FT_UInt)gid, name, sizeof name) == 0)
        unicode = parse_unicode_from_name(name);
    return unicode ? unicode : from_charmap(face, gid);
}

uint32_t
parse_unicode_phi(fz_context *ctx, fz_font *font, int gid)
{
    FT_Face face = fz_font_ft_face(ctx, font);
    char name[64];
    if (!face || gid <= 0 || fz_font_flags(font)->ft_substitute || !FT_HAS_GLYPH_NAMES(face) ||
        FT_Get_Glyph_Name(face, (FT_UInt)gid, name, sizeof name) != 0)
        return 0;
    return strcmp(name, "phi") == 0 ? 0x3d5 : strcmp(name, "phi1") == 0 ? 0x3c6 : 0;
}

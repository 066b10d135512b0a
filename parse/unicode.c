/* Characters for glyphs that the PDF gives none for.
 *
 * TeX's math and symbol fonts mostly come without a /ToUnicode map, under glyph names that the Adobe Glyph
 * List does not know ("summationdisplay", "parenleftBigg"). The font program still knows the name, and what
 * it stands for is in the tables of The TeXbook, appendix F, and of the AMS fonts. Fonts without glyph names
 * may have a character map of their own, which is read backwards. */
#include <stdlib.h>
#include <string.h>

#include <ft2build.h>
#include FT_FREETYPE_H

#include "parse/parse_internal.h"

typedef struct {
    const char *name;
    uint32_t unicode;
} tex_glyph;

/* Sorted by name. Extensible pieces map to the pieces Unicode has (U+239B ff.); "mapsto" is the bar that is
 * printed in front of an arrow. */
static const tex_glyph tex_glyphs[] = {
    {"Finv", 0x2132},
    {"angbracketleft", 0x27e8},
    {"angbracketright", 0x27e9},
    {"anticlockwise", 0x21ba},
    {"approxequal", 0x2248},
    {"approxorequal", 0x224a},
    {"archleftdown", 0x21b6},
    {"archrightdown", 0x21b7},
    {"arrowboth", 0x2194},
    {"arrowbothv", 0x2195},
    {"arrowbt", 0x2193},
    {"arrowdblboth", 0x21d4},
    {"arrowdblbothv", 0x21d5},
    {"arrowdblbt", 0x21d3},
    {"arrowdbldown", 0x21d3},
    {"arrowdblleft", 0x21d0},
    {"arrowdblright", 0x21d2},
    {"arrowdbltp", 0x21d1},
    {"arrowdblup", 0x21d1},
    {"arrowhookleft", 0x21a9},
    {"arrowhookright", 0x21aa},
    {"arrowleftbothalf", 0x21bd},
    {"arrowlefttophalf", 0x21bc},
    {"arrownortheast", 0x2197},
    {"arrownorthwest", 0x2196},
    {"arrowparrleftright", 0x21c6},
    {"arrowparrrightleft", 0x21c4},
    {"arrowrightbothalf", 0x21c1},
    {"arrowrighttophalf", 0x21c0},
    {"arrowsoutheast", 0x2198},
    {"arrowsouthwest", 0x2199},
    {"arrowtailleft", 0x21a2},
    {"arrowtailright", 0x21a3},
    {"arrowtp", 0x2191},
    {"arrowtripleleft", 0x21da},
    {"arrowtripleright", 0x21db},
    {"arrowvertex", 0x23d0},
    {"ascendercompwordmark", 0x200c},
    {"asteriskmath", 0x2217},
    {"bardbl", 0x2016},
    {"beth", 0x2136},
    {"between", 0x226c},
    {"braceex", 0x23aa},
    {"bracehtipdownleft", 0x23de},
    {"bracehtipdownright", 0x23de},
    {"bracehtipupleft", 0x23df},
    {"bracehtipupright", 0x23df},
    {"braceleftbt", 0x23a9},
    {"braceleftmid", 0x23a8},
    {"bracelefttp", 0x23a7},
    {"bracerightbt", 0x23ad},
    {"bracerightmid", 0x23ac},
    {"bracerighttp", 0x23ab},
    {"bracketleftbt", 0x23a3},
    {"bracketleftex", 0x23a2},
    {"bracketlefttp", 0x23a1},
    {"bracketrightbt", 0x23a6},
    {"bracketrightex", 0x23a5},
    {"bracketrighttp", 0x23a4},
    {"ceilingleft", 0x2308},
    {"ceilingright", 0x2309},
    {"check", 0x2713},
    {"circleasterisk", 0x229b},
    {"circlecopyrt", 0x25cb},
    {"circledivide", 0x2298},
    {"circledot", 0x2299},
    {"circledotdisplay", 0x2a00},
    {"circledottext", 0x2a00},
    {"circleequal", 0x2257},
    {"circleminus", 0x2296},
    {"circlemultiply", 0x2297},
    {"circlemultiplydisplay", 0x2a02},
    {"circlemultiplytext", 0x2a02},
    {"circleplus", 0x2295},
    {"circleplusdisplay", 0x2a01},
    {"circleplustext", 0x2a01},
    {"circlering", 0x229a},
    {"clockwise", 0x21bb},
    {"complement", 0x2201},
    {"contintegral", 0x222e},
    {"coproduct", 0x2210},
    {"curlyleft", 0x21ab},
    {"curlyright", 0x21ac},
    {"daleth", 0x2138},
    {"dblarrowdwn", 0x21ca},
    {"dblarrowheadleft", 0x219e},
    {"dblarrowheadright", 0x21a0},
    {"dblarrowleft", 0x21c7},
    {"dblarrowright", 0x21c9},
    {"dblarrowup", 0x21c8},
    {"defines", 0x225c},
    {"diamondmath", 0x22c4},
    {"diamondsolid", 0x29eb},
    {"difference", 0x224f},
    {"digamma", 0x03dd},
    {"dotlessj", 0x0237},
    {"dotplus", 0x2214},
    {"downfall", 0x22ce},
    {"element", 0x2208},
    {"epsilon1", 0x03b5},
    {"epsiloninv", 0x03f6},
    {"equaldotleftright", 0x2252},
    {"equaldotrightleft", 0x2253},
    {"equalorfollows", 0x22df},
    {"equalorgreater", 0x22dd},
    {"equalorless", 0x22dc},
    {"equalorprecedes", 0x22de},
    {"equalsdots", 0x2251},
    {"equivalence", 0x2261},
    {"equivasymptotic", 0x224d},
    {"eth", 0x00f0},
    {"existential", 0x2203},
    {"flat", 0x266d},
    {"floorleft", 0x230a},
    {"floorright", 0x230b},
    {"follows", 0x227b},
    {"followsequal", 0x2ab0},
    {"followsorcurly", 0x227d},
    {"forces", 0x22a9},
    {"forcesbar", 0x22aa},
    {"fork", 0x22d4},
    {"frown", 0x2322},
    {"geomequivalent", 0x224e},
    {"gimel", 0x2137},
    {"greaterdbleqlless", 0x2a8c},
    {"greaterdblequal", 0x2267},
    {"greaterlessequal", 0x22db},
    {"greatermuch", 0x226b},
    {"greaterorapproxeql", 0x2a86},
    {"greaterorless", 0x2277},
    {"greaterorsimilar", 0x2273},
    {"harpoondownleft", 0x21c3},
    {"harpoondownright", 0x21c2},
    {"harpoonleftright", 0x21cc},
    {"harpoonrightleft", 0x21cb},
    {"harpoonupleft", 0x21bf},
    {"harpoonupright", 0x21be},
    {"hatwide", 0x02c6},
    {"hatwider", 0x02c6},
    {"hatwidest", 0x02c6},
    {"intercal", 0x22ba},
    {"intersection", 0x2229},
    {"intersectiondbl", 0x22d2},
    {"intersectiondisplay", 0x22c2},
    {"intersectionsq", 0x2293},
    {"intersectiontext", 0x22c2},
    {"kappa1", 0x03f0},
    {"latticetop", 0x22a4},
    {"lessdbleqlgreater", 0x2a8b},
    {"lessdblequal", 0x2266},
    {"lessequalgreater", 0x22da},
    {"lessmuch", 0x226a},
    {"lessorapproxeql", 0x2a85},
    {"lessorgreater", 0x2276},
    {"lessorsimilar", 0x2272},
    {"logicaland", 0x2227},
    {"logicalanddisplay", 0x22c0},
    {"logicalandtext", 0x22c0},
    {"logicalor", 0x2228},
    {"logicalordisplay", 0x22c1},
    {"logicalortext", 0x22c1},
    {"lscript", 0x2113},
    {"maltesecross", 0x2720},
    {"mapsto", 0x21a6},
    {"measuredangle", 0x2221},
    {"minusplus", 0x2213},
    {"muchgreater", 0x22d9},
    {"muchless", 0x22d8},
    {"multicloseleft", 0x22c9},
    {"multicloseright", 0x22ca},
    {"multimap", 0x22b8},
    {"multiopenleft", 0x22cb},
    {"multiopenright", 0x22cc},
    {"nabla", 0x2207},
    {"nand", 0x22bc},
    {"natural", 0x266e},
    {"negationslash", 0x0338},
    {"notarrowboth", 0x21ae},
    {"notarrowleft", 0x219a},
    {"notarrowright", 0x219b},
    {"notbar", 0x2224},
    {"notdblarrowboth", 0x21ce},
    {"notdblarrowleft", 0x21cd},
    {"notdblarrowright", 0x21cf},
    {"notelement", 0x2209},
    {"notexistential", 0x2204},
    {"notfollows", 0x2281},
    {"notforces", 0x22ae},
    {"notgreater", 0x226f},
    {"notgreaterequal", 0x2271},
    {"notless", 0x226e},
    {"notlessequal", 0x2270},
    {"notparallel", 0x2226},
    {"notprecedes", 0x2280},
    {"notsatisfies", 0x22ad},
    {"notsimilar", 0x2241},
    {"notsubseteql", 0x2288},
    {"notsuperseteql", 0x2289},
    {"notturnstile", 0x22ac},
    {"omega1", 0x03d6},
    {"openbullet", 0x2218},
    {"orunderscore", 0x22bb},
    {"owner", 0x220b},
    {"parenleftbt", 0x239d},
    {"parenleftex", 0x239c},
    {"parenlefttp", 0x239b},
    {"parenrightbt", 0x23a0},
    {"parenrightex", 0x239f},
    {"parenrighttp", 0x239e},
    {"partialdiff", 0x2202},
    {"perpcorrespond", 0x2306},
    {"perpendicular", 0x22a5},
    {"phi1", 0x03d5},
    {"pi1", 0x03d6},
    {"planckover2pi", 0x210f},
    {"planckover2pi1", 0x210f},
    {"precedes", 0x227a},
    {"precedesequal", 0x2aaf},
    {"precedesorcurly", 0x227c},
    {"prime", 0x2032},
    {"primereverse", 0x2035},
    {"product", 0x220f},
    {"propersubset", 0x2282},
    {"propersuperset", 0x2283},
    {"radicalbt", 0x221a},
    {"radicaltp", 0x250c},
    {"radicalvertex", 0x23d0},
    {"reflexsubset", 0x2286},
    {"reflexsuperset", 0x2287},
    {"revasymptequal", 0x22cd},
    {"revsimilar", 0x223d},
    {"rho1", 0x03f1},
    {"rightanglene", 0x231d},
    {"rightanglenw", 0x231c},
    {"rightanglese", 0x231f},
    {"rightanglesw", 0x231e},
    {"ringinequal", 0x2256},
    {"satisfies", 0x22a8},
    {"sharp", 0x266f},
    {"shiftleft", 0x21b0},
    {"shiftright", 0x21b1},
    {"shortbar", 0x2223},
    {"shortparallel", 0x2225},
    {"sigma1", 0x03c2},
    {"similar", 0x223c},
    {"similarequal", 0x2243},
    {"slurabove", 0x2322},
    {"slurbelow", 0x2323},
    {"smallintegral", 0x222b},
    {"smile", 0x2323},
    {"sphericalangle", 0x2222},
    {"square", 0x25a1},
    {"squaredot", 0x22a1},
    {"squareimage", 0x228f},
    {"squareminus", 0x229f},
    {"squaremultiply", 0x22a0},
    {"squareoriginal", 0x2290},
    {"squareplus", 0x229e},
    {"squaresmallsolid", 0x25aa},
    {"squaresolid", 0x25a0},
    {"squiggleleftright", 0x21ad},
    {"squiggleright", 0x21dd},
    {"star", 0x22c6},
    {"subsetdbl", 0x22d0},
    {"subsetdblequal", 0x2ac5},
    {"subsetnoteql", 0x228a},
    {"subsetsqequal", 0x2291},
    {"summation", 0x2211},
    {"supersetdbl", 0x22d1},
    {"supersetdblequal", 0x2ac6},
    {"supersetnoteql", 0x228b},
    {"supersetsqequal", 0x2292},
    {"suppress", 0x0337},
    {"theta1", 0x03d1},
    {"tie", 0x2040},
    {"tildewide", 0x02dc},
    {"tildewider", 0x02dc},
    {"tildewidest", 0x02dc},
    {"triangle", 0x25b3},
    {"triangledownsld", 0x25bc},
    {"triangleinv", 0x25bd},
    {"triangleleft", 0x25c1},
    {"triangleleftequal", 0x22b4},
    {"triangleleftsld", 0x25c0},
    {"triangleright", 0x25b7},
    {"trianglerightequal", 0x22b5},
    {"trianglerightsld", 0x25b6},
    {"trianglesolid", 0x25b2},
    {"turnstileleft", 0x22a2},
    {"turnstileright", 0x22a3},
    {"union", 0x222a},
    {"uniondbl", 0x22d3},
    {"uniondisplay", 0x22c3},
    {"unionmulti", 0x228e},
    {"unionmultidisplay", 0x2a04},
    {"unionmultitext", 0x2a04},
    {"unionsq", 0x2294},
    {"unionsqdisplay", 0x2a06},
    {"unionsqtext", 0x2a06},
    {"uniontext", 0x22c3},
    {"universal", 0x2200},
    {"uprise", 0x22cf},
    {"vector", 0x20d7},
    {"vextenddouble", 0x2225},
    {"vextendsingle", 0x2223},
    {"visiblespace", 0x2423},
    {"weierstrass", 0x2118},
    {"wreathproduct", 0x2240},
};

static int
compare_glyph(const void *key, const void *row)
{
    return strcmp(key, ((const tex_glyph *)row)->name);
}

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
    const tex_glyph *found =
        bsearch(name, tex_glyphs, G_N_ELEMENTS(tex_glyphs), sizeof tex_glyphs[0], compare_glyph);
    if (found) return found->unicode;
    int agl = fz_unicode_from_glyph_name_strict(name);
    return agl > 0 && agl != FZ_REPLACEMENT_CHARACTER ? (uint32_t)agl : from_hex_name(name);
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

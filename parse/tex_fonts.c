/* Bitmaps of TeX's fonts, known by their widths.
 *
 * dvips and pdfTeX put fonts that they have no outlines of into Type 3 fonts: bitmaps under names that say nothing
 * ("a65") and without a /ToUnicode map. But /Widths are those of the font's metric file (.tfm), as they are or rounded
 * to pixels of the printer, and a few of them tell fonts apart: a font of TeX's fits where there is one scale that
 * brings all of its widths to within half a pixel of those in the file. The family tells the encoding (The TeXbook,
 * appendix F; Berry, Fontname; the T1 encoding of Cork), and its name what it is for. Fonts in T1 (the EC fonts) have the
 * widths of Computer Modern, an accented letter that of the letter. */
#include "parse/tex_fonts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* T1: codes 0 to 31, and 127 to 255. */
static const uint16_t t1_low[32] = {0x60,   0xb4,   0x2c6,  0x2dc,  0xa8,   0x2dd,  0x2da,  0x2c7,
                                    0x2d8,  0xaf,   0x2d9,  0xb8,   0x2db,  0x201a, 0x2039, 0x203a,
                                    0x201c, 0x201d, 0x201e, 0xab,   0xbb,   0x2013, 0x2014, 0x200b,
                                    0x2080, 0x131,  0x237,  0xfb00, 0xfb01, 0xfb02, 0xfb03, 0xfb04};
static const uint16_t t1_high[65] = {
    0x2d,  0x102, 0x104, 0x106, 0x10c, 0x10e, 0x11a, 0x118, 0x11e, 0x139, 0x13d, 0x141, 0x143,
    0x147, 0x14a, 0x150, 0x154, 0x158, 0x15a, 0x160, 0x15e, 0x164, 0x162, 0x170, 0x16e, 0x178,
    0x179, 0x17d, 0x17b, 0x132, 0x130, 0x111, 0xa7,  0x103, 0x105, 0x107, 0x10d, 0x10f, 0x11b,
    0x119, 0x11f, 0x13a, 0x13e, 0x142, 0x144, 0x148, 0x14b, 0x151, 0x155, 0x159, 0x15b, 0x161,
    0x15f, 0x165, 0x163, 0x171, 0x16f, 0xff,  0x17a, 0x17e, 0x17c, 0x133, 0xa1,  0xbf,  0xa3};

static uint32_t
t1_character(int code)
{
    if (code < 32) return t1_low[code];
    if (code == 0x27) return 0x2019;
    if (code == 0x60) return 0x2018;
    if (code < 127) return (uint32_t)code;
    if (code < 192) return t1_high[code - 127];
    if (code == 0xd7 || code == 0xf7) return code == 0xd7 ? 0x152 : 0x153;
    return code == 0xdf ? 0x1e9e : code == 0xff ? 0xdf : (uint32_t)code;
}

/* The code of a T1 character in the old encoding, or that of its letter; -1 where it has none. Of these four the
 * accents make some wider. */
static int
old_code(parse_tex_kind kind, uint32_t character)
{
    gunichar parts[G_UNICHAR_MAX_DECOMPOSITION_LENGTH];
    if (character < 0xfb00 && g_unichar_isalpha(character) &&
        g_unichar_fully_decompose(character, FALSE, parts, G_N_ELEMENTS(parts)) > 1) {
        if (strchr("dilt", (int)parts[0]) != NULL) return -1;
        character = parts[0];
    }
    for (int code = 0; code < 128; code++)
        if (parse_tex_characters[kind][code] == character) return code;
    return -1;
}

/* In ems; -1: no such character, 0: not known. */
static float
width_of(const parse_tex_font *font, gboolean t1, int code)
{
    int old = t1 ? old_code(font->kind, t1_character(code)) : code;
    if (t1 && old < 0) return 0;
    if (old < font->first || old >= font->first + font->n) return -1;
    const uint16_t width = parse_tex_widths[font->at + old - font->first];
    return width > 0 ? 0.001F * (float)width : -1;
}

/* Is this code of the kind seldom seen? */
static gboolean
is_rare(parse_tex_kind kind, gboolean t1, int code)
{
    /* relations, operators and arrows of everyday */
    static const uint8_t oms[] = {0,  1,  2,  3,   6,   8,   10,  14,  15,  17,  18,  20, 21,
                                  24, 25, 26, 33,  40,  41,  48,  49,  50,  54,  56,  57, 91,
                                  92, 94, 95, 102, 103, 104, 105, 106, 107, 112, 114, 121};
    static const uint8_t msa[] = {3, 4, 38, 46, 52, 54, 62, 110};
    switch (kind) {
    case TEX_OT1:
    case TEX_TYPEWRITER:
        if (t1) return code < 16 || code == 23 || code == 24 || code == 26;
        return code < 11 || (code > 25 && code < 32) || code == 60 || code == 62;
    case TEX_OML:
        return code >= 40 && code < 58;
    case TEX_OMS:
        return memchr(oms, code, sizeof oms) == NULL && !g_ascii_isupper((char)code);
    case TEX_MSA:
        return memchr(msa, code, sizeof msa) == NULL;
    case TEX_MSB:
        return !g_ascii_isupper((char)code);
    case TEX_OMX:
        return FALSE;
    default:
        return !g_ascii_isalpha((char)code);
    }
}

/* How unusual a font is, and what is used of it: the logarithm of how many times less often it is seen than
 * Computer Modern's roman, roughly. */
static float
rarity(const parse_tex_font *font, gboolean t1, const uint8_t *codes, guint n)
{
    static const struct {
        const char *family; /* the first that the name begins with */
        float rarity;
    } families[] = {{"CMR17", 1.4F}, {"CMR", 0},      {"CMBX1", 0.5F}, {"CMBXTI", 1.5F},
                    {"CMBX", 0.8F},  {"CMTI", 0.5F},  {"CMMIB", 1.5F}, {"CMMI", 0.3F},
                    {"CMSY", 0.3F},  {"CMBSY", 1.8F}, {"CMEX", 1.6F},  {"CMTT", 0.8F},
                    {"CMSS1", 1.0F}, {"CMCSC", 1.0F}, {"MSAM", 1.0F},  {"MSBM", 0.7F},
                    {"EUFM", 2.0F},  {"RSFS", 2.0F},  {"", 2.5F}};
    gboolean only_t1 = FALSE;
    guint rare = 0, f = 0;
    for (guint i = 0; i < n; i++) {
        rare += is_rare(font->kind, t1, codes[i]) ? 1 : 0;
        only_t1 |= codes[i] > 127 || (codes[i] > 15 && codes[i] < 32);
    }
    while (!g_str_has_prefix(font->name, families[f].family))
        f++;
    return families[f].rarity + (!t1 ? 0 : only_t1 ? 0.7F : 2.5F) + 2.0F * (float)rare / (float)n;
}

typedef struct {
    uint8_t codes[256];
    float widths[256];
    guint n, n_distinct;
    float pixel, slack; /* slack: how far off a width may be */
    gboolean exact;     /* they are not rounded to pixels */
} observed;

static observed
observe(const float *widths, float pixel)
{
    observed o = {.pixel = pixel};
    for (int code = 0; code < 256; code++) {
        if (widths[code] < 0 || !isfinite(widths[code])) continue;
        o.codes[o.n] = (uint8_t)code;
        o.widths[o.n] = widths[code];
        const float px = widths[code] / pixel;
        if (fabsf(px - roundf(px)) > 0.02F) o.exact = TRUE;
        gboolean again = FALSE;
        for (guint i = 0; i < o.n && !again; i++)
            again = fabsf(o.widths[i] - widths[code]) <= pixel;
        o.n_distinct += !again;
        o.n++;
    }
    o.slack = o.exact ? 0.02F * pixel : 0.56F * pixel;
    return o;
}

/* How unusual it is for a font of this design size to be used at sizes from lo to hi, in TeX's points; *at: the usual
 * size among them. */
static float
size_rarity(float design, float lo, float hi, float *at)
{
    /* \magstephalf, \magstep1 and on; the font for 17.28 points is designed for 17 */
    static const float steps[] = {1, 1.095F, 1.2F, 1.44F, 1.728F, 2.074F, 2.488F};
    const float slack = 0.004F;
    for (guint i = 0; i < G_N_ELEMENTS(steps); i++) {
        const float size = (design > 16.5F ? 17.28F : design) * steps[i];
        if (size < lo * (1 - slack) || size > hi * (1 + slack)) continue;
        *at = CLAMP(size, lo, hi);
        return i == 0 ? 0 : i < 3 ? 0.4F : 0.9F;
    }
    *at = 0.5F * (lo + hi);
    return 2.0F;
}

static int
compare_float(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* The scales at which the widths fit; FALSE where there are none. One width in ten may be off: bitmaps of some
 * characters were made a pixel or two wider. */
static gboolean
fit(const observed *o, const parse_tex_font *font, gboolean t1, float *lo, float *hi)
{
    float ems[256], slacks[256], sorted[256];
    guint n = 0;
    int n_off = 0;
    for (guint i = 0; i < o->n; i++) {
        const float width = width_of(font, t1, o->codes[i]);
        if (width < 0) return FALSE;
        if (width == 0) continue;
        if (width < 0.0015F) {
            n_off += o->widths[i] > o->slack;
            continue;
        }
        sorted[n] = ems[n] = o->widths[i] / width;
        /* widths in the table are thousandths themselves */
        slacks[n] = o->slack / width + 0.0008F / width * ems[n];
        n++;
    }
    if (n == 0) return FALSE;
    qsort(sorted, n, sizeof sorted[0], compare_float);
    *lo = 0;
    *hi = INFINITY;
    for (guint i = 0; i < n; i++) {
        const float low = fmaxf(*lo, ems[i] - slacks[i]), high = fminf(*hi, ems[i] + slacks[i]);
        const gboolean off = fabsf(ems[i] - sorted[n / 2]) > 2 * slacks[i] || low > high;
        n_off += off;
        if (!off) *lo = low, *hi = high;
    }
    return n_off <= (int)o->n / 10 && *hi > 0 && isfinite(*hi);
}

/* How far widths are off at this scale, in slacks. */
static float
misfit(const observed *o, const parse_tex_font *font, gboolean t1, float scale)
{
    float off = 0;
    for (guint i = 0; i < o->n; i++) {
        const float width = width_of(font, t1, o->codes[i]);
        if (width > 0) off += fabsf(o->widths[i] - scale * width);
    }
    return off / ((float)o->n * (o->slack + 0.0008F * scale));
}

/* Blackboard letters of the msbm bitmaps: their METAFONT programs leave the width in pixels to a parameter that each
 * letter raises by a pixel, or by two at five points. */
static float
board_cost(const observed *o, float pixel_pt, parse_tex_match *match)
{
    static const struct {
        float design, width_of_a, step; /* width_of_a: in ems */
    } boards[] = {{10, 0.45F, 1}, {7, 0.516F, 1}, {5, 0.70F, 2}};
    static const float steps[] = {1, 1.095F, 1.2F};
    float least = INFINITY;
    for (guint i = 0; i < o->n; i++)
        if (o->exact || !g_ascii_isupper((char)o->codes[i])) return INFINITY;
    for (guint b = 0; b < G_N_ELEMENTS(boards) * G_N_ELEMENTS(steps); b++) {
        const float design = boards[b / 3].design, at = design * steps[b % 3] * 72.0F / 72.27F;
        float off = 0, most = 0;
        for (guint i = 0; i < o->n; i++) {
            const float px = boards[b / 3].width_of_a * at / pixel_pt +
                             boards[b / 3].step * (float)(o->codes[i] - 'A');
            const float miss = fabsf(o->widths[i] / o->pixel - px);
            off += miss;
            most = fmaxf(most, miss);
        }
        const float cost = off / (float)o->n + (b % 3 == 0 ? 0.5F : 0.8F);
        if (most > 1.1F || cost >= least) continue;
        for (guint f = 0; f < parse_n_tex_fonts; f++) {
            const parse_tex_font *font = &parse_tex_fonts[f];
            if (font->kind != TEX_MSB || font->design_pt != (uint8_t)design) continue;
            *match = (parse_tex_match){font, FALSE, at / pixel_pt * o->pixel, FALSE};
            least = cost;
        }
    }
    return least;
}

parse_tex_match
parse_tex_font_match(const float *widths, float pixel, float size_pt, gboolean tex_file)
{
    parse_tex_match best = {0};
    if (!(pixel > 0) || !isfinite(pixel) || !(size_pt > 0) || !isfinite(size_pt)) return best;
    const observed o = observe(widths, pixel);
    if (o.n == 0) return best;
    const float tex_pt = size_pt * 72.27F / 72.0F;
    const gboolean high = o.codes[o.n - 1] > 127;
    float least = tex_file ? board_cost(&o, pixel * size_pt, &best) : INFINITY;
    for (guint f = 0; f < parse_n_tex_fonts; f++) {
        const parse_tex_font *font = &parse_tex_fonts[f];
        const gboolean text = font->kind == TEX_OT1 || font->kind == TEX_TYPEWRITER;
        for (int t1 = high; t1 <= (int)text; t1++) {
            float lo, hi, at;
            if (!fit(&o, font, t1, &lo, &hi)) continue;
            const float odd = size_rarity(font->design_pt, lo * tex_pt, hi * tex_pt, &at);
            const float scale = at / tex_pt;
            const float cost = rarity(font, t1, o.codes, o.n) + odd + misfit(&o, font, t1, scale);
            if (cost >= least) continue;
            least = cost;
            best = (parse_tex_match){font, t1, scale, o.n_distinct >= 4};
            /* three widths may be anyone's, unless TeX made the file; and it has other fonts of symbols in the upper
             * half than these */
            if (!best.sure && !(tex_file && odd < 2 && o.codes[0] < 128)) best.font = NULL;
        }
    }
    return best;
}

uint32_t
parse_tex_character(const parse_tex_match *match, int code)
{
    if (match->font == NULL || code < 0 || code > 255) return 0;
    if (match->t1) return t1_character(code);
    return code < 128 ? parse_tex_characters[match->font->kind][code] : 0;
}

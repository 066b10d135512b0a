/* Pictures that MuPDF cannot decode, or not all of: through Leptonica.
 *
 * TIFF goes to libtiff first, which knows palettes, orientation, and every compression it was built with;
 * MuPDF's own reader is for what libtiff gives up on, a strip that is cut short. */
#include <dlfcn.h>
#include <leptonica/allheaders.h>

#include "parse/images.h"

static void
swallow(const char *message)
{
    (void)message;
}

/* The library never prints: neither Leptonica nor, behind it, libtiff, whose header need not be installed. */
static void
silence(void)
{
    static gsize done;
    if (!g_once_init_enter(&done)) return;
    setMsgSeverity(L_SEVERITY_NONE);
    leptSetStderrHandler(swallow);
    static const char *const setters[] = {"TIFFSetWarningHandler", "TIFFSetErrorHandler"};
    void *tiff = dlopen("libtiff.so.6", RTLD_LAZY | RTLD_NOLOAD);
    if (!tiff) tiff = dlopen("libtiff.so.5", RTLD_LAZY | RTLD_NOLOAD);
    for (gsize i = 0; tiff && i < G_N_ELEMENTS(setters); i++) {
        void *symbol = dlsym(tiff, setters[i]);
        void *(*set)(void *) = NULL;
        memcpy(&set, &symbol, sizeof set); /* ISO C has no cast from one to the other */
        if (set) set(NULL);
    }
    if (tiff) dlclose(tiff); /* Leptonica holds it */
    g_once_init_leave(&done, 1);
}

static void
copy_gray(fz_context *ctx, PIX *pix, fz_pixmap *pixmap)
{
    const l_uint32 *row = pixGetData(pix);
    const int wpl = pixGetWpl(pix), w = pixGetWidth(pix), h = pixGetHeight(pix);
    guint8 *out = fz_pixmap_samples(ctx, pixmap);
    for (int y = 0; y < h; y++, row += wpl, out += fz_pixmap_stride(ctx, pixmap))
        for (int x = 0; x < w; x++)
            out[x] = GET_DATA_BYTE(row, x);
}

static void
copy_color(fz_context *ctx, PIX *pix, fz_pixmap *pixmap)
{
    const l_uint32 *row = pixGetData(pix);
    const int wpl = pixGetWpl(pix), w = pixGetWidth(pix), h = pixGetHeight(pix);
    guint8 *out = fz_pixmap_samples(ctx, pixmap);
    for (int y = 0; y < h; y++, row += wpl, out += fz_pixmap_stride(ctx, pixmap))
        for (int x = 0; x < w; x++) {
            out[3 * x] = (guint8)(row[x] >> L_RED_SHIFT);
            out[3 * x + 1] = (guint8)(row[x] >> L_GREEN_SHIFT);
            out[3 * x + 2] = (guint8)(row[x] >> L_BLUE_SHIFT);
        }
}

/* Takes pix; gray where it has no colours. */
static fz_pixmap *
to_pixmap(fz_context *ctx, PIX *pix)
{
    fz_pixmap *pixmap = NULL;
    PIX *plain = NULL, *final = NULL;
    if (!pix) fz_throw(ctx, FZ_ERROR_GENERIC, "its pixels cannot be decoded");
    fz_var(pixmap);
    fz_var(plain);
    fz_var(final);
    fz_try(ctx)
    {
        if (pixGetSpp(pix) == 4) plain = pixAlphaBlendUniform(pix, 0xffffff00); /* on white paper */
        if (!plain) plain = pixRemoveColormap(pix, REMOVE_CMAP_BASED_ON_SRC);
        const gboolean color = plain && pixGetDepth(plain) == 32;
        final = color ? pixClone(plain) : plain ? pixConvertTo8(plain, FALSE) : NULL;
        if (!final) fz_throw(ctx, FZ_ERROR_MEMORY, "its pixels cannot be converted");
        pixmap = fz_new_pixmap(ctx, color ? fz_device_rgb(ctx) : fz_device_gray(ctx),
                               pixGetWidth(final), pixGetHeight(final), NULL, 0);
        (color ? copy_color : copy_gray)(ctx, final, pixmap);
    }
    fz_always(ctx)
    {
        pixDestroy(&final);
        pixDestroy(&plain);
        pixDestroy(&pix);
    }
    fz_catch(ctx)
    {
        fz_drop_pixmap(ctx, pixmap);
        fz_rethrow(ctx);
    }
    return pixmap;
}

fz_pixmap *
parse_pixels_tiff(fz_context *ctx, const guint8 *data, gsize n, guint64 at)
{
    size_t offset = at;
    silence();
    return to_pixmap(ctx, pixReadMemFromMultipageTiff(data, n, &offset));
}

fz_pixmap *
parse_pixels_webp(fz_context *ctx, const guint8 *data, gsize n)
{
    silence();
    return to_pixmap(ctx, pixReadMemWebP(data, n));
}

/* RIFF: "RIFF" size "WEBP", then chunks of { name, size, bytes, a pad byte where the size is odd }. */
static const guint8 *
find_chunk(const guint8 *data, gsize n, const char *name, gsize *n_found)
{
    for (gsize at = 12; at <= n && n - at >= 8;) {
        const guint8 *p = data + at;
        const gsize size = (gsize)p[4] | (gsize)p[5] << 8 | (gsize)p[6] << 16 | (gsize)p[7] << 24;
        at += 8;
        *n_found = MIN(size, n - at);
        if (memcmp(p, name, 4) == 0) return p + 8;
        if (size >= n - at) break;
        at += size + (size & 1);
    }
    return NULL;
}

gboolean
parse_pixels_webp_header(const guint8 *data, gsize n, parse_frame *frame)
{
    l_int32 w = 0, h = 0, spp = 0;
    gsize n_exif = 0;
    silence();
    if (readHeaderMemWebP(data, n, &w, &h, &spp) != 0 || w <= 0 || h <= 0) return FALSE;
    const guint8 *exif = find_chunk(data, n, "EXIF", &n_exif);
    *frame = (parse_frame){.width_px = (guint)w,
                           .height_px = (guint)h,
                           .orientation = exif ? parse_exif_orientation(exif, n_exif) : 1,
                           .n_channels = 4};
    return TRUE;
}

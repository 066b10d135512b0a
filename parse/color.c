/* Colours as 0xAARRGGBB.
 *
 * Layout asks "is it black, grey, white, the link colour?", so gray, RGB and CMYK spaces are converted by
 * the simple formulas of ISO 32000-1, 10.3, whatever their profile: colour management per text run costs
 * more than reading it. Lab, Indexed and Separation go through MuPDF. */
#include <math.h>

#include "parse/parse_internal.h"

static uint32_t
channel(float v)
{
    return v >= 1.0f ? 255u : v > 0.0f ? (uint32_t)(v * 255.0f + 0.5f) : 0u; /* NaN: 0 */
}

uint32_t
parse_color(fz_context *ctx, fz_colorspace *cs, const float *color, float alpha,
            fz_color_params params)
{
    float rgb[3] = {0, 0, 0};
    switch (cs && color ? fz_colorspace_type(ctx, cs) : FZ_COLORSPACE_NONE) {
    case FZ_COLORSPACE_NONE:
        break;
    case FZ_COLORSPACE_GRAY:
        rgb[0] = rgb[1] = rgb[2] = color[0];
        break;
    case FZ_COLORSPACE_RGB:
        rgb[0] = color[0], rgb[1] = color[1], rgb[2] = color[2];
        break;
    case FZ_COLORSPACE_BGR:
        rgb[0] = color[2], rgb[1] = color[1], rgb[2] = color[0];
        break;
    case FZ_COLORSPACE_CMYK:
        for (int i = 0; i < 3; i++)
            rgb[i] = 1.0f - fminf(1.0f, color[i] + color[3]);
        break;
    default:
        fz_convert_color(ctx, cs, color, fz_device_rgb(ctx), rgb, NULL, params);
        break;
    }
    return channel(alpha) << 24 | channel(rgb[0]) << 16 | channel(rgb[1]) << 8 | channel(rgb[2]);
}

/* How large the paper was that a picture shows. */
#include <math.h>

#include "parse/images.h"

#define LEAST_DPI    72.0
#define MOST_DPI     1200.0
#define DEFAULT_DPI  96.0 /* and 72: what programs write that know no better */
#define LEAST_INCHES 0.1
#define MOST_INCHES  48.0
#define PLAIN_INCHES 14.1

static const struct {
    double width_pt, height_pt;
} papers[] = {{595.28, 841.89}, {612, 792}}; /* A4, Letter */

static gboolean
is_believed(guint width_px, guint height_px, double dpi_x, double dpi_y)
{
    if (!(dpi_x >= LEAST_DPI && dpi_x <= MOST_DPI && dpi_y >= LEAST_DPI && dpi_y <= MOST_DPI))
        return FALSE;
    const double wide = width_px / dpi_x, high = height_px / dpi_y;
    if (dpi_x <= DEFAULT_DPI && dpi_y <= DEFAULT_DPI) return MAX(wide, high) <= PLAIN_INCHES;
    return MIN(wide, high) >= LEAST_INCHES && MAX(wide, high) <= MOST_INCHES;
}

void
parse_paper_size(guint width_px, guint height_px, double dpi_x, double dpi_y, float *width_pt,
                 float *height_pt)
{
    if (!is_believed(width_px, height_px, dpi_x, dpi_y)) {
        const double shorter = MIN(width_px, height_px), longer = MAX(width_px, height_px);
        gsize best = 0;
        for (gsize i = 1; i < G_N_ELEMENTS(papers); i++)
            if (fabs(longer / shorter - papers[i].height_pt / papers[i].width_pt) <
                fabs(longer / shorter - papers[best].height_pt / papers[best].width_pt))
                best = i;
        const double dpi =
            72 * MAX(shorter / papers[best].width_pt, longer / papers[best].height_pt);
        dpi_x = dpi_y = MAX(dpi, LEAST_DPI);
    }
    *width_pt = (float)(width_px * 72 / dpi_x);
    *height_pt = (float)(height_px * 72 / dpi_y);
}

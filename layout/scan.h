/* Which pages are to be read in their pixels. Private to layout. */
#ifndef LODE_LAYOUT_SCAN_H
#define LODE_LAYOUT_SCAN_H

#include "layout/analyze.h"

G_BEGIN_DECLS

typedef enum {
    LAYOUT_SCAN_NONE, /* its text is what it says */
    LAYOUT_SCAN_PAGE, /* all of it */
    LAYOUT_SCAN_REGIONS
} layout_scan_verdict;

#define LAYOUT_SCAN_MAX_REGIONS 8

typedef struct {
    layout_scan_verdict verdict;
    double worth; /* layout_scan_worth() of the page as it is */
    parse_rect regions[LAYOUT_SCAN_MAX_REGIONS];
    guint n_regions;
} layout_scan;

void layout_scan_judge(const parse_page *page, layout_scan *scan);

/* The page with what recognition reads where scan, or force (all of it), says; NULL: as it is, or error says what
 * failed. A page whose text was there stays as it is where recognition reads no better. */
parse_page *layout_scan_recognize(const layout_scan *scan, gboolean force, parse_ocr *ocr,
                                  parse_file *file, const parse_page *page, GError **error);

/* How far the visible text of a page reads as a language: 0 none or noise, 1 text. */
double layout_scan_worth(const parse_page *page);

G_END_DECLS
#endif

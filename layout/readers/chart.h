/* Charts of office files as tables. Private to layout. */
#ifndef LODE_LAYOUT_READERS_CHART_H
#define LODE_LAYOUT_READERS_CHART_H

#include "layout/readers/package.h"
#include "layout/readers/pen.h"

G_BEGIN_DECLS

/* The numbers that the chart in this part shows, as a table: a row for each category, a column for each series, the
 * axes' titles and the series' names above, the chart's title as its caption. pen must have nothing open. The table's
 * block, or LAYOUT_NONE where the part is missing, damaged or keeps no numbers (an extended chart, "cx:"). */
int layout_chart_write(const layout_package *package, const char *part, layout_pen *pen);

G_END_DECLS
#endif

/* Shared by fetch.c and download.c. */
#ifndef LODE_SEARCH_FETCH_H
#define LODE_SEARCH_FETCH_H

#include "search/transfer.h"

/* Fill in the defaults; options may be NULL. */
void search_limits_init(search_limits *limits, const search_fetch_options *options,
                        gboolean download);

/* "text/HTML; charset=\"UTF-8\"" -> "text/html", "utf-8"; header may be NULL. Both to be freed. */
void search_parse_content_type(const char *header, char **type, char **charset);

#endif

/* fulltext: a question in plain words -> an FTS5 query; the ranking function BM25. */
#ifndef LODE_RETRIEVAL_FULLTEXT_H
#define LODE_RETRIEVAL_FULLTEXT_H

#include <glib.h>
#include <sqlite3.h>

/* Most words of a query that are looked up; the rest is left out. */
#define RETRIEVAL_MAX_QUERY_TERMS 64

/* Make the SQL function lode_bm25(table) known to a connection. FALSE: no FTS5. */
gboolean retrieval_fulltext_register(sqlite3 *db);

/* text: any bytes. The FTS5 expression that finds every passage with one of its words, each quoted, so
 * nothing in text is syntax; NULL where it has no word. Stop words are left out unless there is nothing
 * else. Free with g_free. */
char *retrieval_fulltext_query(const char *text);

#endif

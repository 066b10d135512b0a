/* Shared by papers.c and papers_record.c. */
#ifndef LODE_SEARCH_PAPERS_H
#define LODE_SEARCH_PAPERS_H

#include "search/provider.h"

typedef struct paper_record paper_record;

/* What folder/papers.json says; an empty one where there is none. NULL with the error set when it is damaged. */
paper_record *paper_record_open(const char *folder, GError **error);
void paper_record_free(paper_record *record); /* NULL is fine */

/* Is the paper of this hit in the folder, its file as it was? Fills in paper from the record. */
gboolean paper_record_has(paper_record *record, search_paper *paper);
/* A file name for it that is no other paper's. g_free */
char *paper_record_name(paper_record *record, const search_hit *hit);
/* Take in what became of it and write papers.json. */
gboolean paper_record_add(paper_record *record, const search_paper *paper, GError **error);
/* Write papers.bib and papers.csl.json: all papers of the record that have a file. */
gboolean paper_record_export(paper_record *record, GError **error);

#endif

/* Bibliographies that a user brings along (BibTeX, CSL JSON) -> what is known of a library's documents. */
#ifndef LODE_PIPELINES_BIBLIOGRAPHY_H
#define LODE_PIPELINES_BIBLIOGRAPHY_H

#include "pipelines/internal.h"

G_BEGIN_DECLS

#define BIBLIOGRAPHY_MAX_BYTES   LAYOUT_BIBTEX_MAX_BYTES /* of a file */
#define BIBLIOGRAPHY_MAX_ENTRIES LAYOUT_BIBTEX_MAX_ENTRIES

/* One entry. Immutable once it was read. */
typedef struct {
    char *key; /* "li2023"; "" where there is none */
    retrieval_metadata
        *known;   /* plain text; doi and arxiv as pipelines_bare_doi and _arxiv give them */
    char **files; /* base names of its files; NULL-terminated; NULL where it names none */
} bibliography_entry;

/* ---- reading ---- */

/* Read a file of either kind, told apart by its first character. Elements are bibliography_entry *, owned by the array,
 * in their order. LODE_ERROR_FORMAT names file, line and column (a character's, from 1). Thread-safe, as is all here. */
GPtrArray *pipelines_bibliography_load(const char *path, GError **error);

/* The same from text [len], UTF-8 without zero bytes; name stands in messages.
 * BibTeX as layout_bibtex_read has it. */
GPtrArray *pipelines_bibtex_parse(const char *name, const char *text, size_t len, GError **error);
/* CSL JSON (citeproc's csl-data.json): a list of items, one item, or an object with a list "items". */
GPtrArray *pipelines_csl_parse(const char *name, const char *text, size_t len, GError **error);

/* For those who read: an empty list, an entry of which nothing is known. */
GPtrArray *pipelines_bibliography_entries_new(void);
bibliography_entry *pipelines_bibliography_entry_new(const char *key);
/* doi, arxiv, url, note, ...: take the identifier that stands in text, unless there is one already. */
void pipelines_bibliography_entry_identify(bibliography_entry *entry, const char *text);

/* TeX as it stands in bibliographies -> plain text in NFC: accents, letters, Greek, dashes, quotes; braces and commands
 * without a text of their own left out; white space is one blank. g_free. */
char *pipelines_tex_to_text(const char *tex, size_t len);

/* "https://doi.org/10.1000/XYZ", "doi:10.1000/xyz" -> "10.1000/xyz"; NULL where there is none. g_free. */
char *pipelines_bare_doi(const char *text);
/* "arXiv:2301.00001v2", "https://arxiv.org/abs/hep-th/9901001" -> "2301.00001"; NULL. bare: without "arxiv" in front,
 * too. g_free. */
char *pipelines_bare_arxiv(const char *text, gboolean bare);

/* ---- completing a library ---- */

typedef struct {
    size_t n_entries, n_matched, n_documents; /* documents: of which something was learnt */
    GPtrArray *unmatched;                     /* bibliography_entry *, borrowed */
} bibliography_report;

/* Give each document of the library what the entry that is its own says; what an entry leaves open stays as it was. An
 * entry is a document's by DOI, else arXiv id, else file name, else title (letters and digits compared, no matter which
 * case or accents; not when their DOIs differ). Where several claim one document, the surer way goes first, then the
 * earlier entry. report->unmatched is for g_ptr_array_unref. */
gboolean pipelines_bibliography_apply(retrieval_library *library, const GPtrArray *entries,
                                      bibliography_report *report, GError **error);

G_END_DECLS
#endif

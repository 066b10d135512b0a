/* retrieval: documents -> chunks, vectors, full-text index -> ranked passages.
 *
 * A library is a folder: library.db (SQLite, WAL: documents, chunks with pages and boxes, FTS5 index,
 * embeddings, settings) and vectors.faiss, which is derived: it carries the generation number of the
 * database it was made from and is rebuilt whenever the two differ. From 10,000 passages on the words of those that
 * were committed stand in words-*.index instead of FTS5: see compact.c. A document and its chunks enter or leave in
 * one transaction, so a kill at any moment leaves a sound library.
 *
 * A retrieval_library is locked inside: any number of threads may search; one process writes at a time
 * (a second writer gets RETRIEVAL_ERROR_BUSY). Errors are GError in RETRIEVAL_ERROR. */
#ifndef LODE_RETRIEVAL_RETRIEVAL_H
#define LODE_RETRIEVAL_RETRIEVAL_H

#include <glib.h>
#include <stdint.h>

#include "engine/engine.h"
#include "layout/layout.h"

G_BEGIN_DECLS

#define RETRIEVAL_ERROR (retrieval_error_quark())
GQuark retrieval_error_quark(void);

typedef enum {
    RETRIEVAL_ERROR_IO,
    RETRIEVAL_ERROR_NOT_FOUND, /* no library there */
    RETRIEVAL_ERROR_FORMAT,    /* not a library, damaged, or of a newer version */
    RETRIEVAL_ERROR_BUSY,      /* another process writes to it */
    RETRIEVAL_ERROR_EMBEDDER,  /* made with another embedder */
    RETRIEVAL_ERROR_CANCELLED,
    RETRIEVAL_ERROR_WHERE,   /* a condition that cannot be read */
    RETRIEVAL_ERROR_RERANKER /* a model that judges no passages */
} retrieval_error_code;

/* ---- chunks ---- */

/* Where a stretch of a chunk's text stands: a printed line, a table's cell, or all of a block whose lines are not
 * known. */
typedef struct {
    uint32_t start, len;  /* bytes into the chunk's text, on character borders */
    int block;            /* index into the document's blocks; LAYOUT_NONE where there is none */
    uint32_t block_start; /* the same bytes in the block's text; 0 in a table's cell */
    layout_box box;
    uint32_t row, col; /* a table's cell: where it begins, from 1; else 0 */
} retrieval_place;

typedef struct {
    char *text;    /* what is shown and quoted: source text, blocks joined by "\n\n" */
    char *section; /* heading path, "3 Methods > 3.2 Training"; "" where none */
    layout_block_type
        type; /* PARAGRAPH, or TABLE, FORMULA, CAPTION, ... when the chunk is just that */
    int first_block, last_block; /* lowest and highest index into the document's blocks */
    int first_page, last_page;   /* 0-based */
    GArray *boxes;               /* of layout_box, one per printed line where known */
    GArray *places;              /* of retrieval_place, one per box */
} retrieval_chunk;

typedef struct {
    guint target_tokens; /* aim, counted as words * 4 / 3; default 220 */
    guint max_tokens;    /* never more, but for a formula or caption kept whole; default 320 */
} retrieval_chunk_options;

retrieval_chunk_options retrieval_chunk_options_default(void);

/* Cut a document into chunks: never across a heading; formulas and captions kept whole; tables by their rows, each
 * chunk with the caption and each cell behind its column's header; running headers, footers and the bibliography left
 * out. Elements are retrieval_chunk *, owned by the array. */
GPtrArray *retrieval_chunk_document(const lode_document *document,
                                    const retrieval_chunk_options *options);

/* ---- sentences ---- */

/* Append to ends (GArray of uint32_t) the byte offset behind each sentence of text [len] (UTF-8), white space
 * after it included; the last is len. Nothing for an empty text. Knows abbreviations, initials, "et al.",
 * "Fig. 2"; when in doubt it does not split. */
void retrieval_split_sentences(const char *text, uint32_t len, GArray *ends);

/* ---- library ---- */

typedef struct retrieval_library retrieval_library;

typedef enum {
    RETRIEVAL_OPEN_READ,  /* must exist */
    RETRIEVAL_OPEN_WRITE, /* made when missing; takes the writer's lock */
    RETRIEVAL_OPEN_REPAIR /* must exist; takes the writer's lock, and an index of another tokenizer */
} retrieval_open_mode;

typedef struct {
    const engine_model
        *embedder;           /* NULL: full-text only (READ), or documents without vectors (WRITE) */
    const char *embedder_id; /* name and hash, recorded; a different one is refused */
    engine_pool *pool;       /* not NULL when embedder is not */
    const char *query_prefix; /* put before queries when embedding, "" where none */
    gboolean
        reembed; /* WRITE, another embedder: forget all vectors instead of refusing; default FALSE */
} retrieval_library_options;

retrieval_library *retrieval_library_open(const char *dir, retrieval_open_mode mode,
                                          const retrieval_library_options *options, GError **error);
void retrieval_library_free(retrieval_library *library); /* NULL is fine; commits nothing */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(retrieval_library, retrieval_library_free)

typedef struct {
    uint64_t n_documents, n_chunks, n_vectors;
    uint32_t n_dims;
    uint64_t generation;
    char *embedder_id; /* g_free */
} retrieval_stats;
gboolean retrieval_library_get_stats(retrieval_library *library, retrieval_stats *stats,
                                     GError **error);
/* Who looked for the nearest vectors in the last search: "GPU", "CPU", "CPU: reason" where an embedder with a GPU could
 * not use it; NULL before any. Free with g_free. */
char *retrieval_library_describe_searcher(retrieval_library *library);

typedef enum {
    RETRIEVAL_FILE_UNKNOWN,   /* not in the library */
    RETRIEVAL_FILE_UNCHANGED, /* same path, same SHA-256 */
    RETRIEVAL_FILE_CHANGED    /* same path, other bytes */
} retrieval_file_state;

/* path: absolute; sha256: hex of its bytes now. */
gboolean retrieval_library_file_state(retrieval_library *library, const char *path,
                                      const char *sha256, retrieval_file_state *state,
                                      GError **error);

/* Add a document, or replace the one of the same path: chunked, embedded and stored in one transaction.
 * options NULL: defaults. cancel may be NULL. */
gboolean retrieval_library_add(retrieval_library *library, const char *path,
                               const lode_document *document,
                               const retrieval_chunk_options *options, const int *cancel,
                               GError **error);

/* What is known of a document as a publication. */
typedef struct {
    char *title;    /* NULL where not known */
    char **authors; /* "Given Family", as printed; NULL-terminated; NULL where not known */
    int year;       /* 0 where not known */
    char *venue, *doi, *arxiv; /* NULL where not known; doi "10.1000/xyz", arxiv "2301.00001" */
} retrieval_metadata;

void retrieval_metadata_free(retrieval_metadata *metadata); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(retrieval_metadata, retrieval_metadata_free)

/* Of a document in the library, by its path; RETRIEVAL_ERROR_NOT_FOUND. */
retrieval_metadata *retrieval_library_get_metadata(retrieval_library *library, const char *path,
                                                   GError **error);
/* Replace what is known; fields that are NULL or 0 keep what was there. A new title is indexed; the vectors,
 * which were made with the old one, stay. */
gboolean retrieval_library_set_metadata(retrieval_library *library, const char *path,
                                        const retrieval_metadata *metadata, GError **error);

/* Add one plain passage (benches, notes): one document of one chunk, replacing the same id. */
gboolean retrieval_library_add_passage(retrieval_library *library, const char *id,
                                       const char *title, const char *text, GError **error);

typedef struct {
    const char *id, *title, *text;
} retrieval_passage;

/* Add n passages in one transaction, their embeddings made together: much faster than one by one. cancel
 * may be NULL. */
gboolean retrieval_library_add_passages(retrieval_library *library,
                                        const retrieval_passage *passages, size_t n,
                                        const int *cancel, GError **error);

/* Embed the chunks that were added without an embedder. Each batch is a transaction of its own, so what
 * was done stays done when cancelled. cancel may be NULL. */
gboolean retrieval_library_embed_missing(retrieval_library *library, const int *cancel,
                                         GError **error);

/* path: as added; removing what is not there is RETRIEVAL_ERROR_NOT_FOUND. */
gboolean retrieval_library_remove(retrieval_library *library, const char *path, GError **error);

/* Paths of all documents, sorted; NULL-terminated, free with g_strfreev. */
char **retrieval_library_list(retrieval_library *library, GError **error);

/* Bring vectors.faiss and the words file up to the database, atomically. Called by the writer at the end; who adds very
 * many passages has it done on the way, so that memory does not grow with them. A reader that finds an old file builds
 * the index in memory from the database instead. */
gboolean retrieval_library_commit(retrieval_library *library, GError **error);

/* ---- maintenance ---- */

/* Look at everything: the database's pages and keys, the full-text index against the text, vectors.faiss against
 * the database. problem (may be NULL) is told of each in one line; n_problems counts them. FALSE only when it could
 * not be looked at. */
gboolean retrieval_library_verify(retrieval_library *library,
                                  void (*problem)(const char *line, void *user_data),
                                  void *user_data, guint *n_problems, GError **error);

/* Make anew what can be made: the full-text index from the text, vectors.faiss from the database. Where vectors
 * were in a lost vectors.faiss only, their chunks have none afterwards: embed_missing gives them new ones. */
gboolean retrieval_library_repair(retrieval_library *library, GError **error);

typedef struct {
    guint64 n_added,
        n_known; /* documents; known: their path is there already, they stay as they are */
} retrieval_merge_report;

/* Copy the documents of the library in dir, with the vectors they have. RETRIEVAL_ERROR_EMBEDDER when they are of
 * another embedder. Each document is a transaction; cancel may be NULL. */
gboolean retrieval_library_merge(retrieval_library *library, const char *dir, const int *cancel,
                                 retrieval_merge_report *report, GError **error);

/* ---- judging once more ---- */

/* A model that reads a question and a passage at once: a cross-encoder, or one that writes, by how much likelier it
 * finds the reply "yes" than "no". Borrows both; any number of threads may share one. */
typedef struct {
    const engine_model *model;
    engine_pool *pool;
} retrieval_reranker;

/* FALSE with RETRIEVAL_ERROR_RERANKER for a model that can do neither: an encoder without a head. */
gboolean retrieval_reranker_check(const retrieval_reranker *reranker, GError **error);
/* Passages [n] -> scores [n], logits: 0 is undecided, above it speaks for the passage. A writer reads the first 2,400
 * bytes of each, all behind the question's part, which is computed once. cancel may be NULL. */
gboolean retrieval_reranker_judge(const retrieval_reranker *reranker, const char *question,
                                  const char *const *passages, size_t n, double *scores,
                                  const int *cancel, GError **error);

/* ---- search ---- */

typedef enum {
    RETRIEVAL_FUSION, /* both, their scores or ranks joined; full text alone where there are no vectors */
    RETRIEVAL_BM25,
    RETRIEVAL_DENSE
} retrieval_method;

typedef struct {
    retrieval_method method; /* default RETRIEVAL_FUSION */
    guint n_results;         /* default 10 */
    guint n_candidates;      /* taken from each ranking before fusion; default 100 */
    double rrf_k;            /* 0 (default): BM25 and cosine added; else by rank, 1 / (k + rank) */
    /* Only chunks for which this holds; NULL: all (default). See retrieval_where_check. */
    const char *where;
    guint max_per_page; /* chunks that begin on one page of one document; 0 = no limit (default) */
    guint max_per_document; /* 0 = no limit (default) */
    /* The best n_reranked (default 20) are put into a new order: by the reranker alone where it is a cross-encoder; a
     * writer's judgement is added to the score. NULL (default): none. */
    const retrieval_reranker *reranker;
    guint n_reranked;
    /* 0..1, default 0: how much a passage's likeness to those before it takes from its place; see choose.h. */
    double diversity;
    const int *cancel; /* may be NULL: looked at while a model judges */
} retrieval_search_options;

retrieval_search_options retrieval_search_options_default(void);

typedef struct {
    int64_t chunk_id;
    double score;              /* sum of the fusion, BM25 or cosine by method; higher is better */
    int bm25_rank, dense_rank; /* 1-based, 0 where it was not ranked */
    double judgement;          /* the reranker's; NAN where it was not asked */
    char *path;                /* of the document, or the passage's id */
    char *sha256;              /* of the document's bytes */
    char *title;               /* of the document, or its file name */
    char *section;
    char *text;
    layout_block_type type;
    int first_page, last_page; /* 0-based */
    char *page_label;          /* printed label of the first page, NULL where none */
    GArray *boxes;             /* of layout_box */
    GArray *places;            /* of retrieval_place, one per box; empty for a plain passage */
    int64_t document_id;
    int ordinal;                 /* of the chunk in its document, 0.. in reading order */
    int first_block, last_block; /* as retrieval_chunk */
    char **authors;              /* as retrieval_metadata; NULL where not known */
    int year;
    char *venue, *doi, *arxiv;
} retrieval_hit;

void retrieval_hit_free(retrieval_hit *hit); /* NULL is fine */

/* The boxes of what text [start, start + len) of a hit is printed in, in order: GArray of layout_box, one per
 * line; empty where it is not known. A line that holds only a part of the stretch is there whole. */
GArray *retrieval_hit_boxes_of(const retrieval_hit *hit, uint32_t start, uint32_t len);

/* query UTF-8, any text: no query syntax. Elements are retrieval_hit *, best first, owned by the array;
 * ties are broken by chunk id. Words match by their stem, without accents or case; of a query's words the
 * common ones only count in passages that have a rarer one, once more than 20,000 of those in FTS5 match.
 * Thread-safe. */
GPtrArray *retrieval_library_search(retrieval_library *library, const char *query,
                                    const retrieval_search_options *options, GError **error);

/* ---- the surroundings of a hit: arrays of retrieval_hit in reading order, their scores 0 ---- */

/* The chunk itself, up to n_before chunks of its document before it and n_after behind it.
 * RETRIEVAL_ERROR_NOT_FOUND when it is not there any more, here and below. */
GPtrArray *retrieval_library_load_neighbours(retrieval_library *library, int64_t chunk_id,
                                             guint n_before, guint n_after, GError **error);
/* All chunks of the section that the chunk stands in and of the sections in it. depth: how many headings of its
 * path count, 1: the chapter; 0: all of them, the innermost section. */
GPtrArray *retrieval_library_load_section(retrieval_library *library, int64_t chunk_id, guint depth,
                                          GError **error);
/* All chunks of a document, by its path. Neighbouring chunks may begin with the sentence the one before ended
 * with: places tell. */
GPtrArray *retrieval_library_load_document(retrieval_library *library, const char *path,
                                           GError **error);

/* ---- what a passage cites ---- */

/* An entry of a document's bibliography, as it was read off the page. */
typedef struct {
    uint32_t start,
        len;       /* the call-out that names it, bytes of the chunk's text: "12" in "[11, 12]" */
    char *key;     /* "12" of "[12]", NULL where unnumbered */
    char *text;    /* the entry as printed, one line */
    char *authors; /* as printed; NULL where not known, as all that follows */
    char *title, *venue, *year, *doi, *arxiv, *url;
} retrieval_reference;

void retrieval_reference_free(retrieval_reference *reference); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(retrieval_reference, retrieval_reference_free)

/* The entries that text [start, start + len) of a chunk calls, in the order of their call-outs, each once:
 * GPtrArray of retrieval_reference *, owned by the array; empty where it calls none. len G_MAXUINT32: to the chunk's
 * end. RETRIEVAL_ERROR_NOT_FOUND when the chunk is not there any more. */
GPtrArray *retrieval_library_load_references(retrieval_library *library, int64_t chunk_id,
                                             uint32_t start, uint32_t len, GError **error);

/* ---- conditions ---- */

/* Check an expression for retrieval_search_options.where:
 *
 *     year >= 2020 and type = table
 *     author ~ "garcia" and not (venue = Nature or doi = 10.1038/s41586-021-03819-2)
 *
 * Fields: year, page (1-based), author, title, venue, doi, arxiv, document (path or its last part), section, type
 * (a block type: paragraph, table, caption, ...). Operators: = != < <= > >= and ~ (contains); "and", "or", "not",
 * brackets. Text compares without case and accents; = with author holds when one of the authors has that name
 * or family name, with section when one heading of the path is it with or without its number. Text with spaces
 * or operators stands in double or single quotes. What is not known fulfils no comparison.
 * FALSE with RETRIEVAL_ERROR_WHERE, a message that shows the place. Thread-safe. */
gboolean retrieval_where_check(const char *expression, GError **error);

/* "3.40.1" with FTS5 or without, "FAISS 1.7.3 (own C API)": for lode doctor. Static. */
const char *retrieval_sqlite_version(void);
gboolean retrieval_sqlite_has_fts5(void);
const char *retrieval_faiss_version(void);

G_END_DECLS
#endif

/* lode: mines scientific papers for answers. The public C API, plain C99, usable from C++.
 *
 *     file -> lode_document -> Markdown, JSON, a folder of outputs
 *     files -> lode_library -> ranked passages -> lode_answer, every claim with its quote and its page
 *
 * Conventions
 *   Text        UTF-8. File names are bytes as the system spells them.
 *   Pages       a page *number* is 1-based and for people, a page *index* is 0-based.
 *   Space       PDF points (1/72 inch), origin at the top left of the page as a reader sees it, y downwards.
 *   Ownership   a function that opens, makes or asks hands you something to free with the call named
 *               in its comment. What an accessor returns lives as long as the handle it came from.
 *   Errors      every call that can fail returns a lode_status; on anything but LODE_OK the outputs are
 *               NULL or untouched and *error, when given, says what and where. The library never prints
 *               and never ends the process (except where memory is gone altogether).
 *   Options     structs come from their _default() function, which also sets struct_size; that is how later
 *               versions append fields without breaking programs. NULL means the defaults.
 *   Threads     each handle says: immutable (share it), locked inside (share it), one thread at a time.
 *               Results never depend on the number of threads. */
#ifndef LODE_LODE_H
#define LODE_LODE_H

#include <stddef.h>
#include <stdint.h>

#ifndef LODE_API
#if defined(__GNUC__)
#define LODE_API __attribute__((visibility("default")))
#else
#define LODE_API
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- status and errors ---------------------------------------------------------------------- */

typedef enum {
    LODE_OK = 0,
    LODE_ERROR_ARGUMENT = 1, /* a call that makes no sense: NULL, out of range */
    LODE_ERROR_IO = 2,       /* cannot be opened, read, written */
    LODE_ERROR_FORMAT = 3,   /* not what it should be: not a readable document, library or model */
    LODE_ERROR_PASSWORD = 4, /* encrypted, and the password is missing or wrong */
    LODE_ERROR_LIMIT = 5,    /* memory, time, pages, size, context */
    LODE_ERROR_UNSUPPORTED = 6, /* well formed, but something this version does not handle */
    LODE_ERROR_NOT_FOUND = 7,   /* no such library, model or document */
    LODE_ERROR_BUSY = 8,        /* another process writes to this library */
    LODE_ERROR_MISMATCH = 9,    /* the library was made with another embedder */
    LODE_ERROR_CANCELLED = 10,  /* the caller's cancel flag was raised */
    LODE_ERROR_NETWORK = 11,    /* name, connection, server */
    LODE_ERROR_INTERNAL = 12    /* a fault of ours: please report it */
} lode_status;

typedef struct {
    lode_status code;
    int page;          /* page number, 0 where it has no meaning */
    char message[256]; /* UTF-8, one line, names the thing; never cut inside a character */
} lode_error;

/* "no error", "not found", ...; static. */
LODE_API const char *lode_status_name(lode_status status);

/* The library's version, "0.1.0"; static. */
LODE_API const char *lode_version(void);

/* Releases a string this library handed out (lode_document_to_markdown ...). NULL is fine. */
LODE_API void lode_free(void *memory);

/* ---- documents ------------------------------------------------------------------------------ */

/* One document. Immutable once made: any number of threads may read it. */
typedef struct lode_document lode_document;

typedef struct {
    size_t struct_size;
    const char *password; /* of an encrypted file; NULL (default): none */
    const char *pages;    /* page numbers, "1-3,7,10-"; NULL (default): all */
    int n_threads;        /* that read pages; default 1; the result is the same for any */
    uint64_t memory;      /* bytes the PDF reader may hold for this file; 0 (default): 1 GiB */
    double page_seconds;  /* wall clock per page; 0 (default): 30, negative: no limit */
    const int *cancel;    /* may be NULL; a value other than 0 stops between pages */
    void (*progress)(int n_done, int n_pages, void *user_data); /* after each page; may be NULL */
    void *user_data;
    int keep_hidden_text; /* take text that no reader sees for text; 0 (default): leave it out */
    const char *
        ocr; /* read text in pixels: "auto" (scans, garbled pages, tables that are pictures; also NULL,
                      * the default), "off", "force" (every page) */
    const char *ocr_languages; /* "eng+deu", as Tesseract names them; NULL (default): by the page */
} lode_convert_options;

LODE_API lode_convert_options lode_convert_options_default(void);

/* Turn one file (PDF; also XPS, EPUB, FB2, CBZ, images, office formats, HTML, LaTeX, JATS XML, Markdown, plain text: found
 * by content) into one document. "papers.zip!/dir/paper.pdf" is a member of an archive.
 *
 * out    on LODE_OK the document, owned by the caller, else NULL.
 *
 * A page that fails does not fail the file: it is kept empty, with its reason in lode_document_page_failure
 * and a warning. Runs in the calling process: for hostile files prefer a process of their own, as the
 * program `lode convert` does. Thread-safe. */
LODE_API lode_status lode_convert_file(const char *path, const lode_convert_options *options,
                                       lode_document **out, lode_error *error);
LODE_API void lode_document_free(lode_document *document); /* NULL is fine */

/* The inverse of lode_document_to_json. json [len]: checked, any bytes are safe. */
LODE_API lode_status lode_document_from_json(const char *json, size_t len, lode_document **out,
                                             lode_error *error);

/* Metadata; NULL where it was not found. */
LODE_API const char *lode_document_title(const lode_document *document);
LODE_API size_t lode_document_n_authors(const lode_document *document);
LODE_API const char *lode_document_author(const lode_document *document, size_t index);
LODE_API const char *lode_document_abstract(const lode_document *document);
LODE_API const char *lode_document_doi(const lode_document *document);
LODE_API const char *lode_document_arxiv(const lode_document *document);
LODE_API const char *lode_document_year(const lode_document *document);
LODE_API const char *lode_document_source_name(const lode_document *document);   /* base name */
LODE_API const char *lode_document_source_sha256(const lode_document *document); /* hex */

/* Pages. Indices out of range give 0 or NULL. */
LODE_API size_t lode_document_n_pages(const lode_document *document);
LODE_API double lode_document_page_width(const lode_document *document, size_t page_index);
LODE_API double lode_document_page_height(const lode_document *document, size_t page_index);
LODE_API const char *lode_document_page_label(const lode_document *document, size_t page_index);
/* NULL, or why this page is empty. */
LODE_API const char *lode_document_page_failure(const lode_document *document, size_t page_index);

/* What went wrong without failing the file. */
LODE_API size_t lode_document_n_warnings(const lode_document *document);
LODE_API const char *lode_document_warning(const lode_document *document, size_t index);
/* A page number; 0: the whole file. */
LODE_API int lode_document_warning_page(const lode_document *document, size_t index);

/* Where the glyphs of a page went: the number of those in place, which is "drawn" (all of them), "text", "table",
 * "figure", "furniture", or why they are in no block: "space", "control", or one of the reasons below. page: from
 * 1. 0 where there is no such page or place. */
LODE_API size_t lode_document_page_glyphs(const lode_document *document, int page,
                                          const char *place);
/* 1: every glyph of the page is in one place, and none was lost by a fault of ours. */
LODE_API int lode_document_page_balances(const lode_document *document, int page);
/* Stretches of text that are in no block. */
LODE_API size_t lode_document_n_discarded(const lode_document *document);
/* NULL, or 0, where index is too large. */
LODE_API const char *lode_document_discarded_text(const lode_document *document, size_t index);
/* "repeated", "invisible", "background", "tiny", "off_page", "covered", "lost"; static. */
LODE_API const char *lode_document_discarded_reason(const lode_document *document, size_t index);
LODE_API int lode_document_discarded_page(const lode_document *document, size_t index);

typedef struct {
    int page_number; /* 1-based; 0 where the index was out of range */
    double x0, y0, x1, y1;
} lode_box;

/* Blocks in reading order; running headers and footers stand at their page's end. Types: "title" "author"
 * "abstract" "heading" "paragraph" "list_item" "table" "figure" "formula" "code" "caption" "footnote"
 * "reference" "header" "footer" "page_number" "watermark". A block that goes on in the next column or page is
 * ONE block with several boxes. */
LODE_API size_t lode_document_n_blocks(const lode_document *document);
LODE_API const char *lode_document_block_type(const lode_document *document, size_t block);
/* Headings: 1.. ; list items: depth of nesting. */
LODE_API int lode_document_block_level(const lode_document *document, size_t block);
LODE_API const char *lode_document_block_text(const lode_document *document, size_t block);
/* The block it belongs to (caption -> its figure or table, footnote -> its caller or the table it stands under), -1 for none. */
LODE_API long lode_document_block_parent(const lode_document *document, size_t block);
LODE_API size_t lode_document_block_n_boxes(const lode_document *document, size_t block);
LODE_API lode_box lode_document_block_box(const lode_document *document, size_t block,
                                          size_t index);
/* Stretches of the block's text, in order, that were read in pixels (OCR) and hardly legible. */
LODE_API size_t lode_document_block_n_doubtful(const lode_document *document, size_t block);
/* Bytes into lode_document_block_text(): where the stretch starts; *len (may be NULL) is how long it is, 0 where index
 * is too large. */
LODE_API size_t lode_document_block_doubtful(const lode_document *document, size_t block,
                                             size_t index, size_t *len);

/* Tables, in reading order: a grid whose places are covered by cells. One that goes on over pages is one table; its
 * block has a box for each part. Indices out of range give 0 or NULL. */
LODE_API size_t lode_document_n_tables(const lode_document *document);
/* Its block, -1 where there is no such table. */
LODE_API long lode_document_table_block(const lode_document *document, size_t table);
LODE_API size_t lode_document_table_n_rows(const lode_document *document, size_t table);
LODE_API size_t lode_document_table_n_columns(const lode_document *document, size_t table);
/* Rows at its top that name columns. */
LODE_API size_t lode_document_table_n_header_rows(const lode_document *document, size_t table);
/* How the cells of a column stand in it: "left", "center", "right", "decimal" (by their points), "none" where that is
 * not known; static. NULL where there is no such column. */
LODE_API const char *lode_document_table_column_align(const lode_document *document, size_t table,
                                                      size_t column);
/* Cells from left to right, row by row; empty ones are among them. Mathematics in them stands as LaTeX between dollars. */
LODE_API size_t lode_document_table_n_cells(const lode_document *document, size_t table);
/* The cell that covers a place of the grid, both counted from 0; the number of cells where there is none. */
LODE_API size_t lode_document_table_cell_at(const lode_document *document, size_t table, size_t row,
                                            size_t column);
LODE_API const char *lode_document_cell_text(const lode_document *document, size_t table,
                                             size_t cell);
/* On its own page: those of one table may stand on several. */
LODE_API lode_box lode_document_cell_box(const lode_document *document, size_t table, size_t cell);
LODE_API size_t lode_document_cell_row(const lode_document *document, size_t table, size_t cell);
LODE_API size_t lode_document_cell_column(const lode_document *document, size_t table, size_t cell);
LODE_API size_t lode_document_cell_row_span(const lode_document *document, size_t table,
                                            size_t cell);
LODE_API size_t lode_document_cell_column_span(const lode_document *document, size_t table,
                                               size_t cell);
/* 1: a cell of a header. */
LODE_API int lode_document_cell_is_header(const lode_document *document, size_t table, size_t cell);
/* 1: some of it was read in pixels (OCR) and hardly legible. */
LODE_API int lode_document_cell_is_doubtful(const lode_document *document, size_t table,
                                            size_t cell);
/* RFC 4180, UTF-8: a field for every column in every row. A cell over several places stands in the first of them, the
 * others are empty. A text that a spreadsheet would take for a formula, numbers apart, gets an apostrophe in front.
 * Release with lode_free. */
LODE_API char *lode_document_table_to_csv(const lode_document *document, size_t table);

/* The document as text; release with lode_free. Same document, same bytes. NULL only for NULL. */
LODE_API char *lode_document_to_markdown(const lode_document *document);
LODE_API char *lode_document_to_json(const lode_document *document);
LODE_API char *lode_document_to_content_list(const lode_document *document); /* MinerU's */

enum {
    LODE_FORMAT_MARKDOWN = 1,     /* STEM.md */
    LODE_FORMAT_JSON = 2,         /* STEM.json */
    LODE_FORMAT_CONTENT_LIST = 4, /* STEM_content_list.json, MinerU's */
    LODE_FORMAT_DEFAULT = 7,      /* the three above */
    LODE_FORMAT_MIDDLE = 8,       /* STEM_middle.json, MinerU's */
    LODE_FORMAT_HTML = 16,        /* STEM.html */
    LODE_FORMAT_BIBTEX = 32,      /* STEM.bib: the references */
    LODE_FORMAT_CSL = 64,         /* STEM_csl.json: the same as CSL JSON */
    LODE_FORMAT_TEXT = 128,       /* STEM.txt */
    LODE_FORMAT_LAYOUT = 256,     /* STEM_layout.pdf: the source with every block drawn over it */
    LODE_FORMAT_CSV =
        512, /* tables/page-P-table-N.csv: each table, see lode_document_table_to_csv */
    LODE_FORMAT_PDF_OCR =
        1024, /* STEM_ocr.pdf: the source, what was read in its pixels on it as unseen text */
    LODE_FORMAT_ALL = 2047 /* every format of this version */
};

/* Any one of the above that is text; CSV: all tables, an empty line between two. NULL for NULL and for what is not one format. */
LODE_API char *lode_document_to_format(const lode_document *document, unsigned format);

enum {
    LODE_IMAGES_NONE = 0,
    LODE_IMAGES_FIGURES = 1,
    LODE_IMAGES_ALL = 2 /* crops of tables and formulas too */
};

/* A formula's confidence is in the JSON. Pictures of formulas are only written with LODE_IMAGES_ALL. */
enum {
    LODE_FORMULAS_AUTO = 0, /* LaTeX, and beside it the picture where its confidence is below 0.7 */
    LODE_FORMULAS_LATEX = 1, /* no pictures */
    LODE_FORMULAS_IMAGE = 2, /* pictures instead of LaTeX in Markdown and HTML */
    LODE_FORMULAS_BOTH = 3   /* LaTeX and the picture of every formula */
};

typedef struct {
    size_t struct_size;
    unsigned formats;     /* LODE_FORMAT_* or-ed; default LODE_FORMAT_DEFAULT */
    int images;           /* what is written into images/; default LODE_IMAGES_ALL */
    double dpi;           /* of those images; default 200 */
    int page_breaks;      /* Markdown: "<!-- page N -->" between pages; default 0 */
    const char *password; /* images are drawn from the source file; NULL (default): none */
    int formulas;         /* how they are shown; default LODE_FORMULAS_AUTO */
} lode_save_options;

LODE_API lode_save_options lode_save_options_default(void);

/* Write what `lode convert` writes: dir/STEM.md, dir/STEM.json, dir/STEM_content_list.json, dir/images/.
 *
 * path   the file the document came from; NULL: no images.
 * dir    made when missing, with its parents.  stem  NULL: the source's base name without its extension.
 *
 * Each file is written to a temporary name, synced and renamed. */
LODE_API lode_status lode_document_save(const lode_document *document, const char *path,
                                        const char *dir, const char *stem,
                                        const lode_save_options *options, lode_error *error);

/* ---- models --------------------------------------------------------------------------------- */

/* The threads that models run on. Locked inside: calls from several threads take turns. Keep it alive
 * longer than the embedders, writers and libraries that use it. */
typedef struct lode_engine lode_engine;

/* n_threads 0 = one per core this process may use. Never NULL. */
LODE_API lode_engine *lode_engine_new(int n_threads);
LODE_API void lode_engine_free(lode_engine *engine); /* NULL is fine */

/* Where a model runs. */
typedef struct {
    size_t struct_size;
    const char *
        device; /* "auto" or NULL (default): a GPU where there is one, else the CPU; "cpu"; "cuda", "cuda:N" */
    uint64_t gpu_memory; /* bytes of the GPU's memory to use at most; 0 (default): what is free */
    int gpu_layers;      /* of a model that writes, the last ones; -1 (default): as many as fit */
} lode_device_options;

LODE_API lode_device_options lode_device_options_default(void);

/* A model that turns text into vectors. Immutable. */
typedef struct lode_embedder lode_embedder;

/* path: a folder, .safetensors or .gguf file, or a name of `lode model list`; NULL: the default embedder, as
 * `lode model pull` installs it.
 * LODE_ERROR_NOT_FOUND when there is none. Keep it alive longer than the libraries that use it. */
LODE_API lode_status lode_embedder_open(const char *path, lode_embedder **out, lode_error *error);
/* The same, on a device; options NULL means the defaults. LODE_ERROR_ARGUMENT for a device that is none,
 * LODE_ERROR_IO and LODE_ERROR_UNSUPPORTED, with the reason, for a GPU that was asked for and cannot be used. */
LODE_API lode_status lode_embedder_open_on(const char *path, const lode_device_options *options,
                                           lode_embedder **out, lode_error *error);
LODE_API void lode_embedder_free(lode_embedder *embedder); /* NULL is fine */
LODE_API size_t lode_embedder_n_dims(const lode_embedder *embedder);
LODE_API const char *lode_embedder_id(const lode_embedder *embedder); /* name and hash */

/* texts [n] -> vectors [n, n_dims], row-major, unit length where the model says so. */
LODE_API lode_status lode_embedder_embed(const lode_embedder *embedder, lode_engine *engine,
                                         const char *const *texts, size_t n, float *vectors,
                                         lode_error *error);

/* A model that writes text. Immutable. */
typedef struct lode_writer lode_writer;

/* path: a .gguf file or a model's folder, or a name of `lode model list`; NULL: the default writer.
 * LODE_ERROR_NOT_FOUND when there is none. */
LODE_API lode_status lode_writer_open(const char *path, lode_writer **out, lode_error *error);
/* The same, on a device, as lode_embedder_open_on has it. */
LODE_API lode_status lode_writer_open_on(const char *path, const lode_device_options *options,
                                         lode_writer **out, lode_error *error);
LODE_API void lode_writer_free(lode_writer *writer);            /* NULL is fine */
LODE_API const char *lode_writer_id(const lode_writer *writer); /* name and hash */

typedef struct {
    size_t struct_size;
    const char *key;        /* NULL (default): what the environment's LODE_API_KEY says, or none */
    double connect_seconds; /* until there is a connection; default 10 */
    double first_seconds;   /* until the first byte of an answer; default 600 */
    double stall_seconds;   /* between two pieces of it; default 60 */
    int retries;            /* of what may pass, with growing pauses; default 4 */
    uint32_t n_context;     /* tokens the model holds, prompt and answer; 0 (default): 8192 */
    uint64_t seed;          /* of the pauses' jitter; default 0 */
} lode_endpoint_options;

LODE_API lode_endpoint_options lode_endpoint_options_default(void);

/* A writer that another process or machine runs, spoken to as OpenAI's API has it: LMDeploy, vLLM, SGLang, llama.cpp.
 * url: "http://127.0.0.1:8000/v1". model: as the server calls it. Connects to nothing yet. What is written by it cannot
 * be promised to be the same twice. The key stands in no message and no record. */
LODE_API lode_status lode_writer_open_endpoint(const char *url, const char *model,
                                               const lode_endpoint_options *options,
                                               lode_writer **out, lode_error *error);

typedef enum {
    LODE_THINKING_DEFAULT = 0, /* as the chat template has it; off with a schema or a grammar */
    LODE_THINKING_ON = 1,      /* thoughts first; a schema or a grammar holds behind them */
    LODE_THINKING_OFF = 2
} lode_thinking;

typedef struct {
    size_t struct_size;
    int raw; /* 1: the prompt is text to go on with; 0 (default): what a user says, where the model
                           * has a chat template */
    const char *system; /* the system's message before it; NULL (default): none */
    const char *
        messages; /* a conversation before it, JSON as OpenAI's API has it: a list of messages, or an
                           * object with "messages" and "tools"; NULL (default): none */
    const char
        *json_schema;    /* the text is JSON that this schema accepts; NULL (default): any text */
    const char *grammar; /* the text is what these rules (GBNF) describe; NULL (default) */
    const char *const *stop; /* NULL-terminated: end before one of these; NULL (default) */
    uint32_t max_tokens;     /* default 256 */
    uint32_t n_context;  /* of prompt and text; 0 (default): what they need, at most the model's */
    uint32_t top_k;      /* choose among so many tokens; 0 (default): all */
    double temperature;  /* 0 (default): the likeliest token */
    double top_p, min_p; /* defaults 1 and 0: all */
    double repeat_penalty; /* default 1: none */
    uint64_t seed;         /* same seed, same text; default 0 */
    const int *cancel;     /* may be NULL; a value other than 0 ends the text: no error */
    /* Text as it is written, whole characters; return 0 to stop. May be NULL. */
    int (*text)(const char *text, size_t len, void *user_data);
    void *user_data;
    lode_thinking thinking; /* of models whose chat template knows thoughts; not with raw */
    uint32_t think_budget;  /* close them after so many tokens; 0 (default): never */
    double typical_p;       /* so much of what is of average surprise; default 1: all */
} lode_generate_options;

LODE_API lode_generate_options lode_generate_options_default(void);

/* Let a model write. prompt may be NULL where options->messages is not, engine where the writer is behind an endpoint;
 * such a one keeps no grammar, its thoughts are its own affair and are left out, and typical_p is refused
 * (LODE_ERROR_UNSUPPORTED for any of these that is not the default). out receives the whole text, thoughts and
 * calls of tools among it as the model writes them; release with lode_free. LODE_ERROR_UNSUPPORTED for a schema's
 * keyword that cannot be kept. Thread-safe. */
LODE_API lode_status lode_generate(const lode_writer *writer, lode_engine *engine,
                                   const char *prompt, const lode_generate_options *options,
                                   char **out, lode_error *error);

/* ---- libraries ------------------------------------------------------------------------------ */

/* A folder with documents ready to be searched. Locked inside: any number of threads may search; one process
 * writes at a time. A kill at any moment leaves a sound library. */
typedef struct lode_library lode_library;

typedef enum {
    LODE_LIBRARY_READ = 0, /* must exist */
    LODE_LIBRARY_WRITE = 1 /* made when missing; takes the writer's lock */
} lode_library_mode;

/* embedder, engine: both NULL for full text only; both must outlive the library. */
LODE_API lode_status lode_library_open(const char *dir, lode_library_mode mode,
                                       const lode_embedder *embedder, lode_engine *engine,
                                       lode_library **out, lode_error *error);
LODE_API void lode_library_close(lode_library *library); /* NULL is fine */

typedef struct {
    size_t struct_size;
    int threads;          /* files read at once; 0 (default): one per core */
    const char *password; /* tried on encrypted files; NULL (default): none */
    int prune;            /* drop documents whose file no longer exists; default 0 */
    const int *cancel;    /* may be NULL; what is in stays in, a rerun goes on */
    /* After every file: its absolute path, what became of it, and the message when it failed (else NULL).
     * Called from the thread that called lode_library_index. May be NULL. */
    void (*progress)(const char *path, lode_status status, const char *message, size_t n_done,
                     size_t n_total, void *user_data);
    void *user_data;
} lode_index_options;

LODE_API lode_index_options lode_index_options_default(void);

typedef struct {
    size_t n_added, n_replaced, n_unchanged, n_pruned, n_failed; /* files */
} lode_index_report;

/* Bring files [n] and folders (recursive) into the library: unchanged ones (same path, same SHA-256) are skipped,
 * changed ones replaced. A file that fails is counted and reported, the others go on: LODE_OK all the same.
 * report may be NULL. */
LODE_API lode_status lode_library_index(lode_library *library, const char *const *paths, size_t n,
                                        const lode_index_options *options,
                                        lode_index_report *report, lode_error *error);

/* path: as it was indexed. LODE_ERROR_NOT_FOUND when it is not in the library. */
LODE_API lode_status lode_library_remove(lode_library *library, const char *path,
                                         lode_error *error);

typedef struct {
    uint64_t n_documents, n_passages, n_vectors;
    uint32_t n_dims; /* 0 without vectors */
} lode_library_stats;

LODE_API lode_status lode_library_get_stats(lode_library *library, lode_library_stats *stats,
                                            lode_error *error);

typedef struct {
    size_t n_entries, n_matched; /* of the bibliography; matched: a document is theirs */
    size_t n_documents;          /* of which something was learnt */
} lode_metadata_report;

/* Complete titles, authors, years, venues and DOIs from a BibTeX or CSL JSON file. Entries are matched to documents by
 * DOI, arXiv id, the name of their file, or title, and go before what was read off the pages. report may be NULL. */
LODE_API lode_status lode_library_add_metadata(lode_library *library, const char *path,
                                               lode_metadata_report *report, lode_error *error);

/* ---- search --------------------------------------------------------------------------------- */

/* Ranked passages. Immutable. */
typedef struct lode_passages lode_passages;

typedef enum {
    LODE_SEARCH_FUSION = 0, /* both, fused by rank; full text alone without vectors */
    LODE_SEARCH_BM25 = 1,
    LODE_SEARCH_DENSE = 2
} lode_search_method;

/* query: any text, no query syntax. n_results: at most so many, 0 = 10. Free with lode_passages_free. */
LODE_API lode_status lode_library_search(lode_library *library, const char *query,
                                         lode_search_method method, size_t n_results,
                                         lode_passages **out, lode_error *error);
LODE_API void lode_passages_free(lode_passages *passages); /* NULL is fine */

/* A model that reads a question and a passage at once and judges how well they fit. Immutable: any number of threads
 * may share it. */
typedef struct lode_reranker lode_reranker;

/* path: a cross-encoder (BERT with a head of one or two labels: folder, .safetensors or .gguf file), or a model that
 * writes, which is asked for yes or no. engine must outlive it. LODE_ERROR_UNSUPPORTED: a plain embedder. */
LODE_API lode_status lode_reranker_open(const char *path, lode_engine *engine, lode_reranker **out,
                                        lode_error *error);
LODE_API void lode_reranker_free(lode_reranker *reranker); /* NULL is fine */

typedef struct {
    size_t struct_size;
    lode_search_method method; /* default LODE_SEARCH_FUSION */
    size_t n_results;          /* at most so many passages; 0 (default): 10 */
    size_t n_candidates;       /* of each ranking, before they are joined; 0 (default): 100 */
    /* Only passages for which this holds, as `lode ask --where` takes it: "year >= 2020 and type = table".
     * NULL (default): all. */
    const char *where;
    size_t max_per_page;     /* passages that begin on one page; 0 (default): no limit */
    size_t max_per_document; /* 0 (default): no limit */
    /* Puts the best n_reranked (0, the default: 20) into a new order: alone where it is a cross-encoder, else its
     * judgement is added to the score. NULL (default): none. */
    const lode_reranker *reranker;
    size_t n_reranked;
    /* 0 (default) to 1: how much a passage's likeness to those before it takes from its place. */
    double diversity;
} lode_search_options;

LODE_API lode_search_options lode_search_options_default(void);

/* As lode_library_search, with conditions and limits. options NULL means the defaults. LODE_ERROR_ARGUMENT: a
 * condition that cannot be read; the message shows where. */
LODE_API lode_status lode_library_search_with(lode_library *library, const char *query,
                                              const lode_search_options *options,
                                              lode_passages **out, lode_error *error);

LODE_API size_t lode_passages_n(const lode_passages *passages);
/* index < lode_passages_n, else NULL or 0. */
LODE_API const char *lode_passage_text(const lode_passages *passages, size_t index);
/* Title of the document. */
LODE_API const char *lode_passage_title(const lode_passages *passages, size_t index);
LODE_API const char *lode_passage_path(const lode_passages *passages, size_t index);
/* Headings above the passage, "3 Methods > 3.2 Training"; "" where none. */
LODE_API const char *lode_passage_section(const lode_passages *passages, size_t index);
LODE_API int lode_passage_page_number(const lode_passages *passages, size_t index);
/* As printed; NULL where the file has none. */
LODE_API const char *lode_passage_page_label(const lode_passages *passages, size_t index);
LODE_API double lode_passage_score(const lode_passages *passages, size_t index);
LODE_API size_t lode_passage_n_boxes(const lode_passages *passages, size_t index);
LODE_API lode_box lode_passage_box(const lode_passages *passages, size_t index, size_t box);
/* What is known of the document as a publication. Authors "Given Family". */
LODE_API size_t lode_passage_n_authors(const lode_passages *passages, size_t index);
LODE_API const char *lode_passage_author(const lode_passages *passages, size_t index,
                                         size_t author);
LODE_API int lode_passage_year(const lode_passages *passages, size_t index); /* 0: not known */
LODE_API const char *lode_passage_venue(const lode_passages *passages, size_t index); /* or NULL */
LODE_API const char *lode_passage_doi(const lode_passages *passages, size_t index);   /* or NULL */
LODE_API const char *lode_passage_arxiv(const lode_passages *passages, size_t index); /* or NULL */
/* "paragraph", "table", ...: as lode_document_block_type; static. */
LODE_API const char *lode_passage_type(const lode_passages *passages, size_t index);

/* ---- answers -------------------------------------------------------------------------------- */

/* An answer with its sources. Immutable. */
typedef struct lode_answer lode_answer;

typedef enum {
    LODE_ANSWERED = 0,       /* every sentence has a source */
    LODE_ANSWER_PARTIAL = 1, /* some sentence is without support in the passages: read with care */
    LODE_ANSWER_INSUFFICIENT = 2, /* the library holds nothing that answers: the text says so */
    LODE_ANSWER_CONFLICTING =
        3 /* every sentence has a source, and the sources contradict each other */
} lode_answer_status;

/* How much of a paper a writer reads around what was found. */
typedef enum {
    LODE_CONTEXT_AUTO = 0,     /* as much as fits: papers, else sections, else passages */
    LODE_CONTEXT_PASSAGES = 1, /* what was found, and its neighbours where there is room */
    LODE_CONTEXT_SECTIONS = 2, /* the sections it stands in */
    LODE_CONTEXT_WHOLE = 3     /* the papers */
} lode_context;

typedef struct {
    size_t struct_size;
    size_t n_passages;   /* passages retrieved; default 8 */
    int extractive;      /* quote instead of write, even with a writer; default 0 */
    uint32_t max_tokens; /* of the answer; default 256 */
    uint32_t n_context;  /* tokens of prompt and answer; 0 (default): the model's, at most 8192 */
    double temperature;  /* 0 (default): always the most likely token */
    uint64_t seed;       /* same seed, same answer; default 0 */
    int record;          /* keep a record of the run in the library's runs/; default 0 */
    const int *cancel;   /* may be NULL */
    /* The answer as it is written, whole characters, len bytes, not terminated. Return 0 to stop. May be NULL. */
    int (*text)(const char *text, size_t len, void *user_data);
    void *user_data;
    int strict;           /* leave out what no quote carries, instead of marking it; default 0 */
    lode_context context; /* default LODE_CONTEXT_AUTO */
    size_t n_scored;   /* passages that the writer judges and sums up before it answers; 0 (default): none,
                           * the ranking of the search stands */
    const char *where; /* only passages for which this holds, "year >= 2020"; NULL (default): all */
    const lode_reranker *reranker; /* these three as lode_search_options has them */
    size_t n_reranked;
    double diversity;
} lode_ask_options;

LODE_API lode_ask_options lode_ask_options_default(void);

/* Answer a question from the library: retrieve, write (or quote), check every source.
 *
 * writer, engine   NULL: extractive, the sentences that answer best, word for word.
 * out              also for LODE_ANSWER_INSUFFICIENT, which is an answer and not an error. Free with
 *                  lode_answer_free.
 *
 * Numbers [n] in the text are citation numbers; those that no passage carries were removed. */
LODE_API lode_status lode_ask(lode_library *library, const lode_writer *writer, lode_engine *engine,
                              const char *question, const lode_ask_options *options,
                              lode_answer **out, lode_error *error);
LODE_API void lode_answer_free(lode_answer *answer); /* NULL is fine */

LODE_API lode_answer_status lode_answer_get_status(const lode_answer *answer);
LODE_API const char *lode_answer_text(const lode_answer *answer);
LODE_API char *lode_answer_to_json(const lode_answer *answer); /* as `lode ask --json`; lode_free */

/* The sources, in the order of their numbers. Indices out of range give NULL or 0. */
LODE_API size_t lode_answer_n_citations(const lode_answer *answer);
LODE_API int lode_citation_number(const lode_answer *answer, size_t index); /* the n of "[n]" */
LODE_API const char *lode_citation_title(const lode_answer *answer, size_t index); /* document's */
LODE_API const char *lode_citation_path(const lode_answer *answer, size_t index);
/* Word for word from the passage. */
LODE_API const char *lode_citation_quote(const lode_answer *answer, size_t index);
LODE_API int lode_citation_page_number(const lode_answer *answer, size_t index);
/* As printed; NULL where the file has none, or on a passage's second page. */
LODE_API const char *lode_citation_page_label(const lode_answer *answer, size_t index);
/* Of the quote: one per printed line. */
LODE_API size_t lode_citation_n_boxes(const lode_answer *answer, size_t index);
LODE_API lode_box lode_citation_box(const lode_answer *answer, size_t index, size_t box);
/* Of a quote that is a cell of a table: where it begins, rows and columns counted from 1, those of the header among
 * them; 0 for other quotes. */
LODE_API int lode_citation_row(const lode_answer *answer, size_t index);
LODE_API int lode_citation_column(const lode_answer *answer, size_t index);
/* What its row and column are called; NULL where nothing says. */
LODE_API const char *lode_citation_row_header(const lode_answer *answer, size_t index);
LODE_API const char *lode_citation_column_header(const lode_answer *answer, size_t index);
/* "Li et al. 2023"; the title's beginning where authors or year are not known. */
LODE_API const char *lode_citation_work(const lode_answer *answer, size_t index);
/* How what the writer quoted stands in the source: "exact", "normalised" (but for hyphenation, ligatures, white space),
 * "fuzzy" (but for a letter; no number, unit or negation). The quote above is always the source's own text. */
LODE_API const char *lode_citation_match(const lode_answer *answer, size_t index);

/* The answer taken apart: one statement each. */
LODE_API size_t lode_answer_n_claims(const lode_answer *answer);
LODE_API const char *lode_claim_text(const lode_answer *answer, size_t index);
LODE_API int lode_claim_is_supported(const lode_answer *answer, size_t index);
/* What is wrong with it, for people; NULL where nothing is. */
LODE_API const char *lode_claim_problem(const lode_answer *answer, size_t index);
LODE_API size_t lode_claim_n_citations(const lode_answer *answer, size_t index);
/* Index of a citation. */
LODE_API size_t lode_claim_citation(const lode_answer *answer, size_t index, size_t citation);

/* One page of HTML that needs nothing else: a click on a source shows the page of the document with the quote marked on
 * it. The cited files are read again for their pictures; one that is gone or has changed is named instead. lode_free. */
LODE_API char *lode_answer_to_html(const lode_answer *answer);

typedef struct {
    size_t struct_size;
    const char *password; /* tried on encrypted files; NULL (default): none */
    const int *cancel;    /* may be NULL */
    /* One quote or claim that fails: its id ("e3", "claim", "answer") and why. May be NULL. */
    void (*problem)(const char *id, const char *message, void *user_data);
    void *user_data;
} lode_verify_options;

LODE_API lode_verify_options lode_verify_options_default(void);

typedef struct {
    size_t n_quotes, n_failed; /* checked; failed, claims and the answer's text among them */
} lode_verify_report;

/* Check an answer, as lode_answer_to_json gives it, against the documents it cites, without any model: same bytes of the
 * file, same words, same page, block, characters and boxes, and no number in a claim that its quotes do not have.
 * LODE_OK also when something fails: report counts. LODE_ERROR_FORMAT: no answer. Thread-safe. */
LODE_API lode_status lode_verify(const char *json, const lode_verify_options *options,
                                 lode_verify_report *report, lode_error *error);

/* The words of the best source that answer, out of a longer sentence; NULL where there are none. */
LODE_API const char *lode_answer_short(const lode_answer *answer);

/* ---- the web -------------------------------------------------------------------------------- */

typedef enum {
    LODE_PLANNER_RULES = 0,  /* fixed rules and the names in what was read; the same every time */
    LODE_PLANNER_WRITER = 1, /* a model, with the rules behind it where it fails */
    LODE_PLANNER_NONE = 2    /* one search with the question as it is */
} lode_planner;

typedef struct {
    size_t struct_size;
    const char *providers; /* "searxng=http://HOST,arxiv"; NULL (default): $LODE_PROVIDERS, else
                                    what is configured, see `lode help search` */
    lode_planner planner;  /* default LODE_PLANNER_RULES */
    int rounds;            /* of searching, at most 10; default 3 */
    int nodes;             /* sub-questions in all, at most 24; default 16 */
    int pages;             /* read for one sub-question; default 4 */
    double seconds; /* for all of it, then the answer is made from what is there; default 120 */
    double node_seconds;   /* to search and read for the sub-questions of one wave; default 30 */
    int offline;           /* only what the cache has; default 0 */
    int allow_private;     /* pages on private and loopback addresses; default 0 */
    const char *cache_dir; /* NULL (default): lode/web in the user's cache folder */
    const char *contact; /* your mail address or page, told to the servers; NULL (default): none */
    const char *save;    /* add what was read to the library in this folder; NULL (default) */
    const char *record;  /* a file that says how far it came; NULL (default): none */
    const lode_ask_options *ask; /* how the answer is made; NULL (default): the defaults of those */
    const int *cancel;           /* may be NULL */
    /* What happens, as it happens: "plan", "node_started", "query", "result_list", "page_fetched", "node_answer",
     * "citation", "error", "done"; json: one object, lives as long as the call. May be NULL. */
    void (*event)(const char *name, const char *json, void *user_data);
    void *user_data;
} lode_web_options;

LODE_API lode_web_options lode_web_options_default(void);

/* A question, the plan of its parts, and an answer from pages and papers of the web. Immutable. */
typedef struct lode_web_answer lode_web_answer;

/* Answer a question from the web: plan, search, read, answer, check every source.
 *
 * library            its passages are looked at too; NULL: none. It must have the same embedder.
 * embedder, writer   NULL: words alone; quotes instead of written text. engine: not NULL when one of them is not.
 * out                also where nothing was found, which is an answer: LODE_ANSWER_INSUFFICIENT. Free with
 *                    lode_web_answer_free.
 *
 * What single servers do wrong is in the answer's JSON and no error. Out of time or cancelled, the answer is made from
 * what was read until then. Runs readers of PDFs in processes of their own where the program `lode` does it. */
LODE_API lode_status lode_web_search(const char *question, const lode_web_options *options,
                                     lode_library *library, const lode_embedder *embedder,
                                     const lode_writer *writer, lode_engine *engine,
                                     lode_web_answer **out, lode_error *error);
LODE_API void lode_web_answer_free(lode_web_answer *answer); /* NULL is fine */

/* The answer, lent; lode_citation_path is the page's address, or the file's of one's own library. One number for
 * each page. */
LODE_API const lode_answer *lode_web_answer_get(const lode_web_answer *answer);
/* As `lode search --json`; the plan in Graphviz's language; a page with plan, answer and sources. lode_free. */
LODE_API char *lode_web_answer_to_json(const lode_web_answer *answer);
LODE_API char *lode_web_answer_to_dot(const lode_web_answer *answer);
LODE_API char *lode_web_answer_to_html(const lode_web_answer *answer);

#ifdef __cplusplus
}
#endif
#endif

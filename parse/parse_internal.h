/* parse, inside: the open file, the page under construction, and the calls between the .c files of this
 * folder. A function here that takes fz_context * can throw; one that does not, cannot. */
#ifndef LODE_PARSE_INTERNAL_H
#define LODE_PARSE_INTERNAL_H

#include <mupdf/fitz.h>
#include <mupdf/pdf.h>

#include "parse/parse.h"
#include "parse/tex_fonts.h"

/* memory.c: what MuPDF allocates for one file, counted and bounded. */
typedef struct {
    fz_alloc_context alloc; /* user points back here */
    uint64_t used_bytes, peak_bytes, limit_bytes;
    size_t
        refused_bytes; /* size of the last refusal not followed by a success of that size, else 0 */
} parse_memory;

void parse_memory_init(parse_memory *memory, uint64_t limit_bytes);

/* trim.c: MuPDF keeps every object and font it has read; in a long file, most belong to pages long gone. */
typedef struct {
    uint64_t step_bytes, at_bytes; /* look again when so much more, or so much, is used */
    guint pages;                   /* read since the last time */
    guint in_row;                  /* times that it was at every page */
    guint all_pages;               /* read in all */
} parse_trim;

/* guard.c: a wall clock limit on one call into MuPDF.
 *
 * A thread of the file's own sets cookie->abort when the time is up; MuPDF looks at it before every
 * operator of a content stream. Callbacks could watch the clock themselves, but a stream can run for
 * minutes without one (a decompression bomb full of "q Q"). The thread starts with the first armed limit
 * and wakes at most once per limit. */
typedef struct {
    GMutex mutex;
    GCond cond;
    GThread *thread;
    fz_cookie *cookie;  /* NULL: disarmed */
    gint64 deadline_us; /* monotonic, of the armed cookie */
    gboolean idle, quit, expired;
} parse_guard;

void parse_guard_init(parse_guard *guard);
void parse_guard_clear(parse_guard *guard);
void parse_guard_arm(parse_guard *guard, fz_cookie *cookie, double seconds);
/* TRUE if the time was up before this call. */
gboolean parse_guard_disarm(parse_guard *guard);

typedef struct parse_builder parse_builder;

/* One /PageLabels range. */
typedef struct {
    int first;  /* page index where it begins */
    int start;  /* number of that page */
    char style; /* D R r A a, or 0 for the prefix alone */
    const char *prefix;
} parse_label_range;

struct parse_file {
    fz_context *ctx;
    fz_document *doc;
    pdf_document *pdf; /* doc, where it is a PDF, else NULL */
    gboolean page_tree_loaded;
    char *name;
    parse_options options; /* defaults filled in; password NULL */
    parse_memory memory;
    parse_trim trim;
    parse_guard guard;
    int n_pages;
    GStringChunk *strings; /* owns every string below */
    parse_metadata metadata;
    gboolean from_tex; /* so the metadata say */
    GArray *outline;   /* parse_outline_item */
    GArray *tags;      /* parse_tag, NULL until asked for */
    GArray *labels;    /* parse_label_range, by first */
    GPtrArray *warnings;
    GHashTable *warnings_seen; /* borrowed from warnings */
    parse_builder *builder;    /* of the page being loaded, for the callbacks */
};

/* The nesting of marked content, as the device sees it. */
typedef struct {
    int32_t mcid;
    gboolean artifact;
} parse_mark;

/* A font of the page while it is being read. */
typedef struct {
    fz_font *font; /* kept: its address is the key */
    float ascender, descender;
    GHashTable
        *recovered;    /* gid -> character or 0, of glyphs without one; NULL until there is one */
    float type3_scale; /* em of a Type 3 font in ems of its own matrix; 1 for others */
    gboolean type3;
    gboolean hangs;      /* PARSE_FONT_MATH_EXTENSION */
    gboolean tex_italic; /* TeX's math italic */
    gboolean math;       /* "math" is in its name: one of OpenType's or STIX's, mostly */
    guint large;         /* index of the same font for its large signs, 0: not needed yet */
    parse_tex_match tex; /* a bitmap of one of TeX's fonts: which one */
} parse_builder_font;

typedef struct {
    GArray *fonts, *glyphs, *runs, *paths, *images, *links;
    GStringChunk *strings;
} parse_storage;

struct parse_builder {
    parse_file *file;
    parse_page *page;
    parse_storage *storage; /* page's */
    fz_cookie cookie;
    fz_rect bounds;               /* of the page, from (0, 0) */
    GArray *fonts;                /* parse_builder_font, same order as storage's */
    GHashTable *font_index;       /* fz_font * -> index + 1 */
    GHashTable *descriptor_flags; /* fz_font * -> parse_font_flags; content.c */
    guint last_font;
    GArray *marks; /* parse_mark, outermost first; content.c */
    guint mark_floor,
        mark_overflow; /* a form closes no marks of its caller; deeper ones are only counted */
    guint form_depth;
    int mask_depth, tile_depth;
    int mask_level, tile_level; /* container_len of the device in the outermost one */
    /* Text used as a clip, while the clip lasts: painting through it makes it visible text. */
    guint clip_depth, text_clip_depth, text_clip_first, text_clip_end;
    gboolean text_clip_painted;
    /* What is drawn now may let through what is below: the outermost clip that is no upright rectangle (or a
     * soft mask), the outermost group that is blended; 0 none. */
    guint soft_clip_depth, group_depth, soft_group_depth;
    guint paint;              /* of the last thing that was opaque */
    const fz_text *last_text; /* kept; device.c */
    guint last_text_run;      /* its first run */
    const fz_path *last_path; /* kept; path.c */
    guint last_path_item;     /* its first item */
    gboolean run_open;        /* the last run may be continued */
    fz_matrix run_trm;
    struct { /* the run processor's own operators; content.c */
        void (*BMC)(fz_context *, pdf_processor *, const char *);
        void (*BDC)(fz_context *, pdf_processor *, const char *, pdf_obj *, pdf_obj *);
        void (*EMC)(fz_context *, pdf_processor *);
        void (*Do_form)(fz_context *, pdf_processor *, const char *, pdf_obj *, pdf_obj *);
        void (*Tf)(fz_context *, pdf_processor *, const char *, pdf_font_desc *, float);
    } op;
};

/* error.c */
parse_error_code parse_error_from_mupdf(fz_context *ctx);

/* sniff.c: the MIME type MuPDF knows the format by, from the first bytes and, for archives, the name.
 * NULL: not a document, and *reason (static) says what it is instead. */
const char *parse_sniff(const uint8_t *head, size_t n, const char *name, const char **reason);

/* file.c */
void parse_file_warn(parse_file *file,
                     const char *message); /* any bytes; made UTF-8, cut, counted once */

void parse_file_unwarn(parse_file *file,
                       const char *message); /* it was the last, and is an error after all */

/* trim.c: after a page, or after opening: let go of what MuPDF could read again, when that has become much. */
void parse_file_trim(parse_file *file);
/* Objects that can be read from the file again: not those changed in memory (by us: a page tree made right),
 * which are in sections of their own, nor those of a file whose tables were lost. Lent objects that are not kept
 * are gone. */
void parse_objects_drop(fz_context *ctx, pdf_document *pdf);

/* pages.c: the page tree, checked before MuPDF walks it: recursion and counts there trust the file.
 * Returns the number of pages there really are; *direct: some are not objects of their own, so that MuPDF's
 * page map cannot hold them. Throws FZ_ERROR_MEMORY, which stands for limits, on one too large or deep. */
int parse_pages_check(fz_context *ctx, pdf_document *pdf, guint max_pages, gboolean *direct);

/* names.c: takes a tree of named destinations that is too deep, or none, out of the document. */
void parse_names_check(fz_context *ctx, pdf_document *pdf);

/* labels.c */
void parse_labels_load(fz_context *ctx, parse_file *file);
char *parse_label_format(const parse_label_range *ranges, guint n,
                         int index); /* NULL: none; g_free */

/* links.c: origin is the page's top left corner in MuPDF's space. */
void parse_links_load(fz_context *ctx, parse_builder *builder, fz_page *page, fz_point origin);

/* metadata.c, outline.c */
void parse_metadata_load(fz_context *ctx, parse_file *file);
void parse_outline_load(fz_context *ctx, parse_file *file);
const char *parse_string(GStringChunk *strings,
                         const char *text); /* valid UTF-8, NULL stays NULL */

/* font.c: the index of font among the page's, added if new. size_pt: one em of its matrix on the page. */
guint parse_builder_add_font(fz_context *ctx, parse_builder *builder, fz_font *font, float size_pt);
/* The index of the same font with PARSE_FONT_MATH_EXTENSION: for delimiters and operators of it that are as those of
 * TeX's extension fonts. */
guint parse_builder_large_font(fz_context *ctx, parse_builder *builder, guint index);
/* Style flags that a PostScript font name tells ("CMBX10", "NimbusRomNo9L-MediItal"). */
guint parse_font_name_flags(const char *name);

/* glyph_names.c: the character of a glyph's name that only fonts of mathematics have; 0 for others. */
uint32_t parse_unicode_of_glyph(const char *name);

/* unicode.c: 0 where not known. */
uint32_t parse_unicode_from_name(const char *glyph_name);
uint32_t parse_unicode_recover(fz_context *ctx, fz_font *font, int gid);
/* TeX's math italic fonts name the straight phi "phi" and the curly one "phi1"; Adobe's list has them the other way. */
uint32_t parse_unicode_phi(fz_context *ctx, fz_font *font, int gid);

/* color.c: 0xAARRGGBB. Device, ICC and calibrated gray, RGB and CMYK without colour management. */
uint32_t parse_color(fz_context *ctx, fz_colorspace *cs, const float *color, float alpha,
                     fz_color_params params);

/* path.c */
void parse_builder_fill_path(fz_context *ctx, parse_builder *builder, const fz_path *path,
                             fz_matrix ctm, fz_rect clip, uint32_t color);
void parse_builder_stroke_path(fz_context *ctx, parse_builder *builder, const fz_path *path,
                               const fz_stroke_state *stroke, fz_matrix ctm, fz_rect clip,
                               uint32_t color);
/* Does the inside of path, as a clip, have the shape of its box? */
gboolean parse_path_is_box(fz_context *ctx, const fz_path *path, fz_matrix ctm);
/* Does a fill in this colour hide what is below, as things stand? */
gboolean parse_builder_is_opaque(const parse_builder *builder, uint32_t color);
void parse_builder_add_region(fz_context *ctx, parse_builder *builder, fz_rect box, fz_rect clip,
                              uint32_t color);

/* device.c */
fz_device *parse_device_new(fz_context *ctx, parse_builder *builder);

/* content.c: run a page through dev, keeping track of marked content where it is a PDF. */
void parse_content_run(fz_context *ctx, parse_builder *builder, fz_page *page, fz_device *dev,
                       fz_matrix ctm);

/* overlay.c: from the points of parse.h (the page as it is seen, y downwards) to the coordinates of a PDF's page. bounds:
 * NULL, or where the page lies in points. Throws as MuPDF does. */
fz_matrix parse_points_to_pdf(fz_context *ctx, fz_page *page, fz_rect *bounds);

/* page.c */
void parse_builder_stop(parse_builder *builder); /* a limit: keep what there is, read no further */

/* An empty page to be filled, and its arrays made visible once it is. */
parse_page *parse_page_new(int index);
void parse_page_publish(parse_page *page);

/* ---- keep.c ---- */
/* A page as bytes, and back, as page index; NULL: these are none. */
GBytes *parse_page_pack(const parse_page *page);
parse_page *parse_page_unpack(GBytes *bytes, int index);
/* ---- overlay.c ---- */
/* Make the page tree one that can be written. Throws. */
void parse_pages_settle(fz_context *ctx, pdf_document *pdf);
/* The whole PDF to fd, with its encryption. Throws; *unwritable: because of fd. */
void parse_pdf_write(fz_context *ctx, pdf_document *pdf, int fd, gboolean *unwritable);

/* ---- render.c ---- */
/* (Part of) a page on white; throws where that has no pixels or too many. part NULL: all of it. to_pixels: the page's
 * points, scaled and turned. */
fz_pixmap *parse_draw_page(fz_context *ctx, parse_file *file, int index, const fz_rect *part,
                           fz_colorspace *colors, fz_matrix to_pixels, fz_cookie *cookie);
/* (Part of) a page, drawn into a buffer for the caller to drop; throws. part NULL: all of it. */
typedef fz_buffer *(*parse_render_fn)(fz_context *ctx, parse_file *file, int index,
                                      const fz_rect *part, fz_cookie *cookie,
                                      const void *user_data);
/* What render draws, within the page's time limit; free with g_bytes_unref. */
GBytes *parse_render_guarded(parse_file *file, int index, const parse_rect *clip,
                             parse_render_fn render, const void *user_data, GError **error);

#endif

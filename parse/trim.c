/* Keeping MuPDF's memory flat in the length of a file.
 *
 * Its store (fonts, colour spaces, images) shrinks only when its own limit is reached, and objects of the file
 * stay in its cross-reference table for good: 200 KB a page in a file of unrelated papers. So both are cut
 * back whenever memory has grown by a step; where page after page needs more than a step, each would lose
 * what the next one needs again: there, steps grow. Objects are quickly read again and go every
 * some pages anyway. */
#include "parse/parse_internal.h"

#define STEP_BYTES     ((uint64_t)2 << 20)
#define MAX_STEP_BYTES ((uint64_t)64 << 20)
#define ENTRY_BYTES    8  /* steps grow with the table, which is walked each time */
#define PAGES_IN_ROW   3  /* cut back at each of so many pages, a step is too short */
#define KEEP_PERCENT   50 /* of the store, the latest used */
#define SHORT_PAGES    10 /* a longer file is held to what so many pages need: */
#define LONG_STEP      ((uint64_t)1 << 20)
#define LONG_KEEP      25
#define OBJECT_PAGES   64 /* objects stay for so many pages */

static void
drop_table_objects(fz_context *ctx, pdf_xref_subsec *part)
{
    for (int i = 0; i < part->len; i++) {
        pdf_xref_entry *entry = &part->table[i];
        gboolean in_file = (entry->type == 'n' || entry->type == 'o') && entry->stm_buf == NULL;
        if (entry->obj == NULL || !in_file || pdf_obj_refs(ctx, entry->obj) > 1) continue;
        pdf_drop_obj(ctx, entry->obj);
        entry->obj = NULL;
    }
}

void
parse_objects_drop(fz_context *ctx, pdf_document *pdf)
{
    if (pdf->repair_attempted) return;
    for (int s = pdf->num_incremental_sections; s < pdf->num_xref_sections; s++)
        for (pdf_xref_subsec *part = pdf->xref_sections[s].subsec; part != NULL; part = part->next)
            drop_table_objects(ctx, part);
}

#if FZ_VERSION_MAJOR == 1 && FZ_VERSION_MINOR <= 21
/* Apart from its caller's loop, whose counters a longjmp could roll back. */
static G_GNUC_NO_INLINE void
drop_type3_font(fz_context *ctx, pdf_document *pdf, fz_font *font)
{
    fz_try(ctx) fz_decouple_type3_font(ctx, font, pdf);
    fz_always(ctx) fz_drop_font(ctx, font);
    fz_catch(ctx) fz_warn(ctx, "type 3 font: %s", fz_caught_message(ctx));
}
#endif

/* A document keeps each Type 3 font, with its glyphs as display lists, until it is closed: here are those that
 * nobody else holds. The fields are MuPDF's own; other versions may do without. */
static void
drop_type3_fonts(fz_context *ctx, pdf_document *pdf)
{
#if FZ_VERSION_MAJOR == 1 && FZ_VERSION_MINOR <= 21
    int kept = 0;
    for (int i = 0; i < pdf->num_type3_fonts; i++) {
        fz_font *font = pdf->type3_fonts[i];
        if (font->refs > 1) {
            pdf->type3_fonts[kept++] = font;
            continue;
        }
        drop_type3_font(ctx, pdf, font);
    }
    pdf->num_type3_fonts = kept;
#else
    (void)ctx;
    (void)pdf;
#endif
}

static void
drop_all(parse_file *file, guint keep_percent)
{
    fz_context *ctx = file->ctx;
    fz_try(ctx)
    {
        fz_shrink_store(ctx, keep_percent);
        if (file->pdf != NULL) {
            drop_type3_fonts(ctx, file->pdf);
            parse_objects_drop(ctx, file->pdf);
        }
    }
    fz_catch(ctx) fz_warn(ctx, "store: %s", fz_caught_message(ctx));
    file->trim.at_bytes = file->memory.used_bytes + file->trim.step_bytes;
    file->trim.pages = 0;
}

void
parse_file_rest(parse_file *file)
{
    drop_all(file, 0);
}

void
parse_file_trim(parse_file *file)
{
    parse_trim *trim = &file->trim;
    trim->pages++;
    if (trim->step_bytes == 0) {
        int n = file->pdf != NULL ? pdf_xref_len(file->ctx, file->pdf) : 0;
        trim->step_bytes = MIN(STEP_BYTES + ENTRY_BYTES * (uint64_t)MAX(n, 0), MAX_STEP_BYTES);
        trim->at_bytes = 2 * trim->step_bytes;
        trim->pages = 2; /* opening reads more than a page does */
    }
    trim->all_pages++;
    if (file->pdf != NULL && trim->all_pages % OBJECT_PAGES == 0)
        parse_objects_drop(file->ctx, file->pdf);
    if (trim->all_pages == SHORT_PAGES) {
        trim->step_bytes -= STEP_BYTES - LONG_STEP;
        trim->at_bytes = 0;
    }
    if (file->memory.used_bytes < trim->at_bytes) return;
    trim->in_row = trim->pages == 1 ? trim->in_row + 1 : 0;
    if (trim->in_row == PAGES_IN_ROW) {
        trim->step_bytes = MIN(2 * trim->step_bytes, MAX_STEP_BYTES);
        trim->in_row = 0;
    }
    drop_all(file, trim->all_pages < SHORT_PAGES ? KEEP_PERCENT : LONG_KEEP);
}

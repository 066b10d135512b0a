/* Loading one page. */
#include <math.h>
#include <string.h>

#include "parse/parse_internal.h"

/* ISO 32000-1 allows 14,400 units of up to 5 inches or so; posters are 5,000. Beyond this the numbers of
 * the file are damage or malice. */
#define MAX_PAGE_PT 200000.0f

static gboolean
is_finite_rect(fz_rect r)
{
    return isfinite(r.x0) && isfinite(r.y0) && isfinite(r.x1) && isfinite(r.y1);
}

static parse_storage *
storage_new(void)
{
    parse_storage *storage = g_new0(parse_storage, 1);
    storage->fonts = g_array_new(FALSE, FALSE, sizeof(parse_font));
    storage->glyphs = g_array_sized_new(FALSE, FALSE, sizeof(parse_glyph), 2048);
    storage->runs = g_array_sized_new(FALSE, FALSE, sizeof(parse_run), 128);
    storage->paths = g_array_new(FALSE, FALSE, sizeof(parse_path));
    storage->images = g_array_new(FALSE, FALSE, sizeof(parse_image));
    storage->links = g_array_new(FALSE, FALSE, sizeof(parse_link));
    storage->strings = g_string_chunk_new(256);
    return storage;
}

parse_page *
parse_page_new(int index)
{
    parse_page *page = g_new0(parse_page, 1);
    page->index = index;
    page->storage = storage_new();
    return page;
}

void
parse_page_free(parse_page *page)
{
    if (!page) return;
    parse_storage *storage = page->storage;
    g_array_unref(storage->fonts);
    g_array_unref(storage->glyphs);
    g_array_unref(storage->runs);
    g_array_unref(storage->paths);
    g_array_unref(storage->images);
    g_array_unref(storage->links);
    g_string_chunk_free(storage->strings);
    g_free(storage);
    g_free(page);
}

void
parse_page_publish(parse_page *page)
{
    parse_storage *s = page->storage;
    page->fonts = (const parse_font *)(const void *)s->fonts->data;
    page->n_fonts = s->fonts->len;
    page->glyphs = (const parse_glyph *)(const void *)s->glyphs->data;
    page->n_glyphs = s->glyphs->len;
    page->runs = (const parse_run *)(const void *)s->runs->data;
    page->n_runs = s->runs->len;
    page->paths = (const parse_path *)(const void *)s->paths->data;
    page->n_paths = s->paths->len;
    page->images = (const parse_image *)(const void *)s->images->data;
    page->n_images = s->images->len;
    page->links = (const parse_link *)(const void *)s->links->data;
    page->n_links = s->links->len;
}

static void
builder_init(parse_builder *builder, parse_file *file, int index)
{
    *builder = (parse_builder){.file = file};
    builder->page = parse_page_new(index);
    builder->storage = builder->page->storage;
    builder->fonts = g_array_new(FALSE, FALSE, sizeof(parse_builder_font));
    builder->font_index = g_hash_table_new(NULL, NULL);
    builder->descriptor_flags = g_hash_table_new(NULL, NULL);
    builder->marks = g_array_new(FALSE, FALSE, sizeof(parse_mark));
    builder->mark_floor = 1;
    parse_mark none = {.mcid = -1};
    g_array_append_val(builder->marks, none);
}

static void
builder_clear(fz_context *ctx, parse_builder *builder)
{
    for (guint i = 0; i < builder->fonts->len; i++) {
        parse_builder_font *font = &g_array_index(builder->fonts, parse_builder_font, i);
        if (font->recovered) g_hash_table_unref(font->recovered);
        fz_drop_font(ctx, font->font);
    }
    g_array_unref(builder->fonts);
    g_hash_table_unref(builder->font_index);
    g_hash_table_unref(builder->descriptor_flags);
    g_array_unref(builder->marks);
}

void
parse_builder_stop(parse_builder *builder)
{
    builder->page->truncated = TRUE;
    builder->cookie.abort = 1;
}

static void
set_size(fz_context *ctx, parse_builder *builder, fz_rect bounds, fz_page *fzpage)
{
    parse_page *page = builder->page;
    float w = bounds.x1 - bounds.x0, h = bounds.y1 - bounds.y0;
    if (!is_finite_rect(bounds) || !(w <= MAX_PAGE_PT && h <= MAX_PAGE_PT))
        fz_throw(ctx, FZ_ERROR_MEMORY, "it is larger than %g points", (double)MAX_PAGE_PT);
    page->width_pt = w;
    page->height_pt = h;
    builder->bounds = (fz_rect){0, 0, w, h};
    pdf_page *pdf = pdf_page_from_fz_page(ctx, fzpage);
    if (!pdf) return;
    int rotate = pdf_to_int(ctx, pdf_dict_get_inheritable(ctx, pdf->obj, PDF_NAME(Rotate)));
    page->rotation = ((rotate % 360 + 360) % 360) / 90 * 90;
}

/* What was collected before something broke is kept, with a warning; a page with nothing has failed. */
static void
run_page(fz_context *ctx, parse_builder *builder, fz_page *page, fz_matrix ctm)
{
    fz_device *dev = NULL;
    fz_var(dev);
    fz_try(ctx)
    {
        dev = parse_device_new(ctx, builder);
        parse_content_run(ctx, builder, page, dev, ctm);
        fz_close_device(ctx, dev);
    }
    fz_always(ctx) fz_drop_device(ctx, dev);
    fz_catch(ctx)
    {
        if (builder->storage->glyphs->len == 0) fz_rethrow(ctx);
        builder->page->truncated = TRUE;
        fz_warn(ctx, "page %d: stopped early: %s", builder->page->index + 1,
                fz_caught_message(ctx));
    }
}

static void
read_page(fz_context *ctx, parse_builder *builder)
{
    fz_page *page = NULL;
    fz_var(page);
    fz_try(ctx)
    {
        page = fz_load_page(ctx, builder->file->doc, builder->page->index);
        fz_rect bounds = fz_bound_page(ctx, page);
        set_size(ctx, builder, bounds, page);
        run_page(ctx, builder, page, fz_translate(-bounds.x0, -bounds.y0));
        parse_links_load(ctx, builder, page, (fz_point){bounds.x0, bounds.y0});
    }
    fz_always(ctx) fz_drop_page(ctx, page);
    fz_catch(ctx) fz_rethrow(ctx);
}

static void
set_label(parse_builder *builder)
{
    const GArray *ranges = builder->file->labels;
    g_autofree char *label = parse_label_format(
        (const parse_label_range *)(const void *)ranges->data, ranges->len, builder->page->index);
    if (label && *label) builder->page->label = parse_string(builder->storage->strings, label);
}

parse_page *
parse_file_load_page(parse_file *file, int index, GError **error)
{
    fz_context *ctx = file->ctx;
    if (index < 0 || index >= file->n_pages) {
        g_set_error(error, PARSE_ERROR, PARSE_ERROR_PAGE, "%s: there is no page %d", file->name,
                    index + 1);
        return NULL;
    }
    parse_builder builder; /* its address is taken, what it points to survives a longjmp */
    builder_init(&builder, file, index);
    set_label(&builder);
    file->builder = &builder;
    file->memory.refused_bytes = 0;
    parse_guard_arm(&file->guard, &builder.cookie, file->options.page_seconds);
    volatile gboolean failed = FALSE;
    fz_try(ctx) read_page(ctx, &builder);
    fz_always(ctx) builder_clear(ctx, &builder);
    fz_catch(ctx)
    {
        parse_error_code code = parse_error_from_mupdf(ctx);
        if (file->memory.refused_bytes) code = PARSE_ERROR_LIMIT;
        failed = TRUE;
        g_set_error(error, PARSE_ERROR, (gint)code, "%s: page %d: %s", file->name, index + 1,
                    fz_caught_message(ctx));
        parse_file_unwarn(file, fz_caught_message(ctx));
    }
    file->builder = NULL;
    parse_file_trim(file);
    if (file->pdf) file->metadata.repaired = pdf_was_repaired(ctx, file->pdf) != 0;
    if (parse_guard_disarm(&file->guard) && !failed) {
        failed = TRUE;
        g_set_error(error, PARSE_ERROR, PARSE_ERROR_LIMIT, "%s: page %d: took longer than %g s",
                    file->name, index + 1, file->options.page_seconds);
    }
    if (failed) {
        parse_page_free(builder.page);
        return NULL;
    }
    /* the interpreter goes on after an operator that ran out of memory; what it drew is not all */
    if (file->memory.refused_bytes) builder.page->truncated = TRUE;
    parse_page_publish(builder.page);
    return builder.page;
}

/* Links of a page.
 *
 * In PDF they are read from the annotations themselves: MuPDF resolves destinations on loading and forgets
 * their names, which in papers say what is linked ("cite.smith2020", "figure.3"). */
#include <math.h>

#include "parse/parse_internal.h"

#define MAX_LINKS 50000

/* uri as MuPDF spells it: internal ones begin with '#'. */
static void
add_link(fz_context *ctx, parse_builder *builder, fz_rect box, const char *uri,
         const char *dest_name)
{
    if (!isfinite(box.x0 + box.x1 + box.y0 + box.y1)) return;
    GStringChunk *strings = builder->storage->strings;
    parse_link added = {
        .box = {box.x0, box.y0, box.x1, box.y1},
        .dest = parse_string(strings, dest_name),
        .dest_page = -1,
        .dest_x = NAN,
        .dest_y = NAN,
    };
    if (uri && fz_is_external_link(ctx, uri)) {
        added.uri = parse_string(strings, uri);
    } else if (uri) {
        parse_file *file = builder->file;
        fz_link_dest dest = fz_resolve_link_dest(ctx, file->doc, uri);
        if (dest.loc.page >= 0)
            added.dest_page = fz_page_number_from_location(ctx, file->doc, dest.loc);
        if (added.dest_page >= file->n_pages) added.dest_page = -1;
        if (added.dest_page >= 0) added.dest_x = dest.x, added.dest_y = dest.y;
    }
    if (added.uri || added.dest || added.dest_page >= 0)
        g_array_append_val(builder->storage->links, added);
}

static const char *
name_of(fz_context *ctx, pdf_obj *dest)
{
    if (pdf_is_name(ctx, dest)) return pdf_to_name(ctx, dest);
    return pdf_is_string(ctx, dest) ? pdf_to_text_string(ctx, dest) : NULL;
}

static void
add_annotation(fz_context *ctx, parse_builder *builder, pdf_obj *annot, fz_matrix ctm)
{
    pdf_document *pdf = builder->file->pdf;
    char *uri = NULL;
    fz_var(uri);
    if (!pdf_name_eq(ctx, pdf_dict_get(ctx, annot, PDF_NAME(Subtype)), PDF_NAME(Link))) return;
    fz_try(ctx)
    {
        fz_rect box = fz_transform_rect(pdf_dict_get_rect(ctx, annot, PDF_NAME(Rect)), ctm);
        pdf_obj *dest = pdf_dict_get(ctx, annot, PDF_NAME(Dest));
        pdf_obj *action = pdf_dict_get(ctx, annot, PDF_NAME(A));
        if (dest)
            uri = pdf_parse_link_dest(ctx, pdf, dest);
        else if (action)
            uri = pdf_parse_link_action(ctx, pdf, action, builder->page->index);
        if (!dest && pdf_name_eq(ctx, pdf_dict_get(ctx, action, PDF_NAME(S)), PDF_NAME(GoTo)))
            dest = pdf_dict_get(ctx, action, PDF_NAME(D));
        add_link(ctx, builder, box, uri, name_of(ctx, dest));
    }
    fz_always(ctx) fz_free(ctx, uri);
    fz_catch(ctx)
        fz_warn(ctx, "page %d: link: %s", builder->page->index + 1, fz_caught_message(ctx));
}

static void
load_pdf(fz_context *ctx, parse_builder *builder, pdf_page *page, fz_point origin)
{
    fz_rect mediabox;
    fz_matrix ctm;
    pdf_page_transform(ctx, page, &mediabox, &ctm);
    ctm = fz_concat(ctm, fz_translate(-origin.x, -origin.y));
    pdf_obj *annots = pdf_dict_get(ctx, page->obj, PDF_NAME(Annots));
    for (int i = 0, n = MIN(pdf_array_len(ctx, annots), MAX_LINKS); i < n; i++)
        add_annotation(ctx, builder, pdf_array_get(ctx, annots, i), ctm);
}

static void
load_other(fz_context *ctx, parse_builder *builder, fz_page *page, fz_point origin)
{
    fz_link *links = NULL;
    fz_var(links);
    fz_try(ctx)
    {
        links = fz_load_links(ctx, page);
        guint n = 0;
        for (const fz_link *link = links; link && n < MAX_LINKS; link = link->next, n++) {
            fz_matrix to_origin = fz_translate(-origin.x, -origin.y);
            add_link(ctx, builder, fz_transform_rect(link->rect, to_origin), link->uri, NULL);
        }
    }
    fz_always(ctx) fz_drop_link(ctx, links);
    fz_catch(ctx)
        fz_warn(ctx, "page %d: links: %s", builder->page->index + 1, fz_caught_message(ctx));
}

void
parse_links_load(fz_context *ctx, parse_builder *builder, fz_page *page, fz_point origin)
{
    pdf_page *pdf = pdf_page_from_fz_page(ctx, page);
    if (pdf)
        load_pdf(ctx, builder, pdf, origin);
    else
        load_other(ctx, builder, page, origin);
}

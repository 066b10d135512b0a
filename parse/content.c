/* Running a page, with an eye on marked content.
 *
 * MuPDF 1.21 tells devices nothing of BDC/BMC/EMC. So the interpreter that fz_run_page would make is made
 * here, and some of its operators are wrapped: the marked-content ones, to know the current mcid and whether
 * we are inside an /Artifact; Do for forms, to bound their nesting; Tf, to see font descriptors. Annotations
 * and form fields then run as usual. */
#include <string.h>

#include "parse/parse_internal.h"

#define MAX_FORM_DEPTH 48
#define MAX_MARKS      4096

static parse_builder *
builder_of(fz_context *ctx)
{
    return ((parse_file *)fz_user_context(ctx))->builder;
}

/* The text so far belongs to the marks so far. MuPDF hands text out when the graphics state changes;
 * multiplying the matrix by the identity is such a change, without effect. */
static void
flush_text(fz_context *ctx, pdf_processor *proc)
{
    proc->op_cm(ctx, proc, 1, 0, 0, 1, 0, 0);
}

static void
push_mark(parse_builder *builder, const char *tag, int64_t mcid)
{
    GArray *marks = builder->marks;
    parse_mark mark = g_array_index(marks, parse_mark, marks->len - 1);
    if (tag && strcmp(tag, "Artifact") == 0) mark.artifact = TRUE, mark.mcid = -1;
    if (mcid >= 0 && mcid <= G_MAXINT32) mark.mcid = (int32_t)mcid;
    g_array_append_val(marks, mark);
}

static void
mark_begin(fz_context *ctx, pdf_processor *proc, const char *tag, pdf_obj *properties)
{
    parse_builder *builder = builder_of(ctx);
    flush_text(ctx, proc);
    int64_t mcid = -1;
    /* in a form the ids count anew; the ones of the page are those the structure tree nearly always uses */
    if (builder->form_depth == 0 && pdf_is_dict(ctx, properties)) {
        pdf_obj *id = pdf_dict_get(ctx, properties, PDF_NAME(MCID));
        if (pdf_is_int(ctx, id)) mcid = pdf_to_int(ctx, id);
    }
    if (builder->marks->len < MAX_MARKS)
        push_mark(builder, tag, mcid);
    else
        builder->mark_overflow++;
}

static void
mark_BMC(fz_context *ctx, pdf_processor *proc, const char *tag)
{
    mark_begin(ctx, proc, tag, NULL);
    builder_of(ctx)->op.BMC(ctx, proc, tag);
}

static void
mark_BDC(fz_context *ctx, pdf_processor *proc, const char *tag, pdf_obj *raw, pdf_obj *cooked)
{
    mark_begin(ctx, proc, tag, cooked);
    builder_of(ctx)->op.BDC(ctx, proc, tag, raw, cooked);
}

static void
mark_EMC(fz_context *ctx, pdf_processor *proc)
{
    parse_builder *builder = builder_of(ctx);
    flush_text(ctx, proc);
    if (builder->mark_overflow > 0)
        builder->mark_overflow--;
    else if (builder->marks->len > builder->mark_floor)
        g_array_set_size(builder->marks, builder->marks->len - 1);
    builder->op.EMC(ctx, proc);
}

static void
mark_Do_form(fz_context *ctx, pdf_processor *proc, const char *name, pdf_obj *form,
             pdf_obj *resources)
{
    parse_builder *builder = builder_of(ctx);
    if (builder->form_depth >= MAX_FORM_DEPTH) {
        fz_warn(ctx, "forms nested too deeply; the rest is not read");
        return;
    }
    guint floor = builder->mark_floor, overflow = builder->mark_overflow;
    builder->form_depth++;
    builder->mark_floor = builder->marks->len;
    builder->mark_overflow = 0;
    fz_try(ctx) builder->op.Do_form(ctx, proc, name, form, resources);
    fz_always(ctx)
    {
        /* a form that does not close its own marks must not shift ours */
        g_array_set_size(builder->marks, builder->mark_floor);
        builder->mark_floor = floor;
        builder->mark_overflow = overflow;
        builder->form_depth--;
    }
    fz_catch(ctx) fz_rethrow(ctx);
}

/* What the font's descriptor says is only known here; by the time of the device it is a bare fz_font. */
static void
note_Tf(fz_context *ctx, pdf_processor *proc, const char *name, pdf_font_desc *font, float size)
{
    parse_builder *builder = builder_of(ctx);
    if (font && font->font) {
        guint flags = 0;
        if (!font->is_embedded && !fz_font_t3_procs(ctx, font->font))
            flags |= PARSE_FONT_SUBSTITUTE;
        if (font->flags & PDF_FD_FIXED_PITCH) flags |= PARSE_FONT_MONO;
        if (font->flags & PDF_FD_SERIF) flags |= PARSE_FONT_SERIF;
        if (font->flags & PDF_FD_FORCE_BOLD) flags |= PARSE_FONT_BOLD;
        if (font->flags & PDF_FD_ITALIC || font->italic_angle != 0) flags |= PARSE_FONT_ITALIC;
        g_hash_table_insert(builder->descriptor_flags, font->font, GUINT_TO_POINTER(flags));
    }
    builder->op.Tf(ctx, proc, name, font, size);
}

static void
wrap_operators(parse_builder *builder, pdf_processor *proc)
{
    builder->op.BMC = proc->op_BMC;
    builder->op.BDC = proc->op_BDC;
    builder->op.EMC = proc->op_EMC;
    builder->op.Do_form = proc->op_Do_form;
    builder->op.Tf = proc->op_Tf;
    proc->op_Tf = note_Tf;
    proc->op_BMC = mark_BMC;
    proc->op_BDC = mark_BDC;
    proc->op_EMC = mark_EMC;
    proc->op_Do_form = mark_Do_form;
}

static void
run_contents(fz_context *ctx, parse_builder *builder, pdf_page *page, fz_device *dev, fz_matrix ctm)
{
    pdf_processor *proc = NULL;
    fz_default_colorspaces *default_cs = NULL;
    fz_rect mediabox;
    fz_matrix page_ctm;

    fz_var(proc);
    fz_var(default_cs);

    fz_try(ctx)
    {
        default_cs = pdf_load_default_colorspaces(ctx, page->doc, page);
        pdf_page_transform(ctx, page, &mediabox, &page_ctm);
        proc = pdf_new_run_processor(ctx, dev, fz_concat(page_ctm, ctm), "View", NULL, default_cs,
                                     &builder->cookie);
        wrap_operators(builder, proc);
        pdf_process_contents(ctx, proc, page->doc, pdf_page_resources(ctx, page),
                             pdf_page_contents(ctx, page), &builder->cookie);
        pdf_close_processor(ctx, proc);
    }
    fz_always(ctx)
    {
        pdf_drop_processor(ctx, proc);
        fz_drop_default_colorspaces(ctx, default_cs);
    }
    fz_catch(ctx) fz_rethrow(ctx);
}

void
parse_content_run(fz_context *ctx, parse_builder *builder, fz_page *page, fz_device *dev,
                  fz_matrix ctm)
{
    pdf_page *pdf = pdf_page_from_fz_page(ctx, page);
    if (!pdf) {
        fz_run_page_contents(ctx, page, dev, ctm, &builder->cookie);
        return;
    }
    run_contents(ctx, builder, pdf, dev, ctm);
    /* what is left open at the end of the page is closed by it */
    g_array_set_size(builder->marks, 1);
    builder->mark_overflow = 0;
    builder->run_open = FALSE;
    if (!builder->cookie.abort) fz_run_page_annots(ctx, page, dev, ctm, &builder->cookie);
    if (!builder->cookie.abort) fz_run_page_widgets(ctx, page, dev, ctm, &builder->cookie);
}

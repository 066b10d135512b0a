/* What the file says about itself. */
#include <string.h>

#include "parse/parse_internal.h"

#define MAX_VALUE_BYTES (64 * 1024)
#define MAX_XMP_BYTES   (1024 * 1024)

/* NULL where absent or blank. */
static const char *
lookup(fz_context *ctx, parse_file *file, const char *key)
{
    char small[256];
    int need = fz_lookup_metadata(ctx, file->doc, key, small, sizeof small);
    if (need <= 0) return NULL;
    const char *value = NULL;
    if ((size_t)need <= sizeof small) {
        value = parse_string(file->strings, g_strstrip(small));
    } else {
        int size = MIN(need, MAX_VALUE_BYTES);
        char *large = g_malloc((gsize)size);
        if (fz_lookup_metadata(ctx, file->doc, key, large, size) > 0)
            value = parse_string(file->strings, g_strstrip(large));
        g_free(large);
    }
    return value && *value ? value : NULL;
}

static const char *
load_xmp(fz_context *ctx, parse_file *file, pdf_obj *catalog)
{
    fz_stream *stream = NULL;
    fz_buffer *buffer = NULL;
    const char *xmp = NULL;
    pdf_obj *packet = pdf_dict_get(ctx, catalog, PDF_NAME(Metadata));
    if (!pdf_is_stream(ctx, packet)) return NULL;
    fz_var(stream);
    fz_var(buffer);
    fz_var(xmp);
    fz_try(ctx)
    {
        int truncated = 0;
        stream = pdf_open_stream(ctx, packet);
        buffer = fz_read_best(ctx, stream, 4096, &truncated, MAX_XMP_BYTES);
        if (!truncated && buffer->len > 0)
            xmp = parse_string(file->strings, fz_string_from_buffer(ctx, buffer));
    }
    fz_always(ctx)
    {
        fz_drop_stream(ctx, stream);
        fz_drop_buffer(ctx, buffer);
    }
    fz_catch(ctx) fz_warn(ctx, "XMP metadata: %s", fz_caught_message(ctx));
    return xmp;
}

/* "pdfTeX-1.40", "LaTeX with hyperref", "dvips(k) 5.95a", "paper.dvi" */
static gboolean
names_tex(const char *text)
{
    return text && (strstr(text, "TeX") || strstr(text, "dvips") || strstr(text, "dvipdf") ||
                    g_str_has_suffix(text, ".dvi"));
}

void
parse_metadata_load(fz_context *ctx, parse_file *file)
{
    parse_metadata *m = &file->metadata;
    m->format = lookup(ctx, file, FZ_META_FORMAT);
    m->title = lookup(ctx, file, FZ_META_INFO_TITLE);
    m->author = lookup(ctx, file, FZ_META_INFO_AUTHOR);
    m->subject = lookup(ctx, file, FZ_META_INFO_SUBJECT);
    m->keywords = lookup(ctx, file, FZ_META_INFO_KEYWORDS);
    m->creator = lookup(ctx, file, FZ_META_INFO_CREATOR);
    m->producer = lookup(ctx, file, FZ_META_INFO_PRODUCER);
    m->created = lookup(ctx, file, FZ_META_INFO_CREATIONDATE);
    m->modified = lookup(ctx, file, FZ_META_INFO_MODIFICATIONDATE);
    file->from_tex = names_tex(m->creator) || names_tex(m->producer) || names_tex(m->title);
    if (!file->pdf) return;
    pdf_obj *trailer = pdf_trailer(ctx, file->pdf);
    pdf_obj *catalog = pdf_dict_get(ctx, trailer, PDF_NAME(Root));
    m->encrypted = pdf_is_dict(ctx, pdf_dict_get(ctx, trailer, PDF_NAME(Encrypt)));
    m->tagged = pdf_is_dict(ctx, pdf_dict_gets(ctx, catalog, "StructTreeRoot"));
    m->repaired = pdf_was_repaired(ctx, file->pdf) != 0;
    pdf_obj *language = pdf_dict_gets(ctx, catalog, "Lang");
    if (pdf_is_string(ctx, language) && pdf_to_str_len(ctx, language) > 0)
        m->language = parse_string(file->strings, pdf_to_text_string(ctx, language));
    m->xmp = load_xmp(ctx, file, catalog);
}

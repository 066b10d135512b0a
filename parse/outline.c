/* The outline (bookmarks), pre-order.
 *
 * For PDF the linked list of items is walked here, with a stack of our own: MuPDF's loader recurses as deep
 * as the file says. */
#include <math.h>

#include "parse/parse_internal.h"

#define MAX_ITEMS 20000
#define MAX_DEPTH 64

static void
add_item(fz_context *ctx, parse_file *file, const char *title, const char *uri, int level)
{
    parse_outline_item item = {
        .title = parse_string(file->strings, title ? title : ""),
        .level = level,
        .page = -1,
        .x = NAN,
        .y = NAN,
    };
    if (uri && !fz_is_external_link(ctx, uri)) {
        fz_link_dest dest = fz_resolve_link_dest(ctx, file->doc, uri);
        if (dest.loc.page >= 0) item.page = fz_page_number_from_location(ctx, file->doc, dest.loc);
        if (item.page >= file->n_pages) item.page = -1;
        if (item.page >= 0) item.x = dest.x, item.y = dest.y;
    }
    g_array_append_val(file->outline, item);
}

static void
add_pdf_item(fz_context *ctx, parse_file *file, pdf_obj *node, int level)
{
    char *uri = NULL;
    fz_var(uri);
    fz_try(ctx)
    {
        pdf_obj *dest = pdf_dict_get(ctx, node, PDF_NAME(Dest));
        pdf_obj *action = pdf_dict_get(ctx, node, PDF_NAME(A));
        if (dest)
            uri = pdf_parse_link_dest(ctx, file->pdf, dest);
        else if (action)
            uri = pdf_parse_link_action(ctx, file->pdf, action, -1);
        add_item(ctx, file, pdf_dict_get_text_string(ctx, node, PDF_NAME(Title)), uri, level);
    }
    fz_always(ctx) fz_free(ctx, uri);
    fz_catch(ctx) fz_warn(ctx, "outline: %s", fz_caught_message(ctx));
}

/* The items on the way down to the current one. Kept, since a repair on the way would free what the
 * document owns. */
typedef struct {
    GHashTable *seen; /* object numbers */
    pdf_obj *items[MAX_DEPTH];
    int depth;
} outline_path;

static gboolean
push_item(fz_context *ctx, outline_path *path, pdf_obj *item)
{
    int num = pdf_to_num(ctx, item);
    if (path->depth == MAX_DEPTH || !pdf_is_dict(ctx, item)) return FALSE;
    if (num > 0 && !g_hash_table_add(path->seen, GINT_TO_POINTER(num))) return FALSE;
    path->items[path->depth++] = pdf_keep_obj(ctx, item);
    return TRUE;
}

static void
pop_item(fz_context *ctx, outline_path *path)
{
    pdf_drop_obj(ctx, path->items[--path->depth]);
}

static void
load_pdf(fz_context *ctx, parse_file *file, outline_path *path)
{
    push_item(ctx, path, pdf_dict_getp(ctx, pdf_trailer(ctx, file->pdf), "Root/Outlines/First"));
    while (path->depth > 0) {
        pdf_obj *item = path->items[path->depth - 1];
        if (file->outline->len == MAX_ITEMS) {
            fz_warn(ctx, "outline: more than %d items; the rest is left out", MAX_ITEMS);
            return;
        }
        add_pdf_item(ctx, file, item, path->depth);
        if (push_item(ctx, path, pdf_dict_get(ctx, item, PDF_NAME(First)))) continue;
        /* no children: the next sibling, or that of the nearest parent that has one */
        for (gboolean found = FALSE; path->depth > 0 && !found;) {
            pdf_obj *next = pdf_dict_get(ctx, path->items[path->depth - 1], PDF_NAME(Next));
            pdf_keep_obj(ctx, next);
            pop_item(ctx, path);
            found = push_item(ctx, path, next);
            pdf_drop_obj(ctx, next);
        }
    }
}

static void
load_other(fz_context *ctx, parse_file *file, const fz_outline *node, int level)
{
    for (; node && file->outline->len < MAX_ITEMS; node = node->next) {
        add_item(ctx, file, node->title, node->uri, level);
        if (level < MAX_DEPTH) load_other(ctx, file, node->down, level + 1);
    }
}

void
parse_outline_load(fz_context *ctx, parse_file *file)
{
    outline_path path = {.seen =
                             g_hash_table_new(NULL, NULL)}; /* only its memory changes: no fz_var */
    fz_outline *outline = NULL;
    fz_var(outline);
    fz_try(ctx)
    {
        if (file->pdf) {
            load_pdf(ctx, file, &path);
        } else {
            outline = fz_load_outline(ctx, file->doc);
            load_other(ctx, file, outline, 1);
        }
    }
    fz_always(ctx)
    {
        while (path.depth > 0)
            pop_item(ctx, &path);
        g_hash_table_unref(path.seen);
        fz_drop_outline(ctx, outline);
    }
    fz_catch(ctx) fz_warn(ctx, "outline: %s", fz_caught_message(ctx));
}

/* The tree of named destinations, checked before MuPDF looks anything up in it.
 *
 * Its lookup recurses along /Kids as deep as the file says, comparing each node with all above it. Trees of
 * real files are a few levels deep; one that is deeper, or not a tree, is taken out of the document (in
 * memory), so that its names lead nowhere instead of ending the process. */
#include "parse/parse_internal.h"

#define MAX_TREE_DEPTH 64
#define MAX_TREE_NODES 1000000

typedef struct {
    pdf_obj *kids; /* kept: a repair on the way would free what the document owns */
    int next, len;
} tree_level;

typedef struct {
    GHashTable *seen; /* object numbers */
    tree_level levels[MAX_TREE_DEPTH];
    int depth;
    guint n_nodes;
    gboolean unsound;
} tree_walk;

static void
visit_node(fz_context *ctx, tree_walk *walk, pdf_obj *node)
{
    int num = pdf_to_num(ctx, node);
    pdf_obj *kids = pdf_dict_get(ctx, node, PDF_NAME(Kids));
    if (!pdf_is_array(ctx, kids)) return;
    if (walk->depth == MAX_TREE_DEPTH || ++walk->n_nodes > MAX_TREE_NODES ||
        (num > 0 && !g_hash_table_add(walk->seen, GINT_TO_POINTER(num)))) {
        walk->unsound = TRUE;
        return;
    }
    int len = pdf_array_len(ctx, kids);
    walk->levels[walk->depth++] = (tree_level){pdf_keep_obj(ctx, kids), 0, len};
}

void
parse_names_check(fz_context *ctx, pdf_document *pdf)
{
    pdf_obj *names = pdf_dict_getp(ctx, pdf_trailer(ctx, pdf), "Root/Names");
    pdf_obj *dests = pdf_dict_get(ctx, names, PDF_NAME(Dests));
    if (!dests) return;
    tree_walk walk = {.seen = g_hash_table_new(NULL, NULL)};
    tree_walk *const w = &walk;
    fz_var(walk);
    fz_try(ctx)
    {
        visit_node(ctx, w, dests);
        while (w->depth > 0 && !w->unsound) {
            tree_level *level = &w->levels[w->depth - 1];
            if (level->next < level->len)
                visit_node(ctx, w, pdf_array_get(ctx, level->kids, level->next++));
            else
                pdf_drop_obj(ctx, w->levels[--w->depth].kids);
        }
        if (w->unsound) {
            fz_warn(ctx, "the tree of named destinations is no tree; left out");
            names = pdf_dict_getp(ctx, pdf_trailer(ctx, pdf), "Root/Names");
            pdf_dict_del(ctx, names, PDF_NAME(Dests));
        }
    }
    fz_always(ctx)
    {
        while (w->depth > 0)
            pdf_drop_obj(ctx, w->levels[--w->depth].kids);
        g_hash_table_unref(w->seen);
    }
    fz_catch(ctx) fz_rethrow(ctx);
}

/* The page tree, checked before MuPDF walks it.
 *
 * MuPDF recurses along /Kids and believes /Count; a file can nest kids 100,000 deep, let them lead back to
 * the root, or count a billion pages. It also finds page n by looking at all kids before it, so that a flat
 * tree of 20,000 pages takes minutes. This walk keeps its own stack, sees each node once and lists the
 * leaves. Where the tree is not sound, too deep or too flat, it is replaced (in memory) by one of two levels
 * with the same pages. What it has read it lets go of: the pages of a long file are read one by one later. */
#include "parse/parse_internal.h"

#define MAX_TREE_DEPTH 200000
/* deeper trees are sound, but not for a recursive reader's stack */
#define MAX_SAFE_DEPTH 64
#define MAX_KIDS       256
#define NODES_AT_ONCE  256 /* in memory */

typedef struct {
    pdf_obj *kids; /* kept: a repair on the way would free what the document owns */
    int next, len;
} tree_level;

typedef struct {
    GHashTable *seen; /* object numbers */
    GArray *levels;   /* tree_level */
    pdf_obj *root;    /* kept */
    pdf_obj *leaves;  /* an array of the pages, in order */
    guint max_pages, depth_reached, n_nodes;
    int most_kids;
    gboolean unsound;
    gboolean untyped; /* a node does not say that it is one */
    gboolean direct;  /* a page that is not an object of its own */
} tree_walk;

static void
visit_node(fz_context *ctx, tree_walk *walk, pdf_obj *node)
{
    int num = pdf_to_num(ctx, node);
    if (num > 0 && !g_hash_table_add(walk->seen, GINT_TO_POINTER(num))) {
        walk->unsound = TRUE;
        fz_warn(ctx, "page tree: a node is used twice");
        return;
    }
    pdf_obj *kids = pdf_dict_get(ctx, node, PDF_NAME(Kids));
    const gboolean leaf = !pdf_is_array(ctx, kids);
    if (!pdf_name_eq(ctx, pdf_dict_get(ctx, node, PDF_NAME(Type)),
                     leaf ? PDF_NAME(Page) : PDF_NAME(Pages)))
        walk->untyped = TRUE;
    if (leaf) {
        if (!pdf_is_dict(ctx, node)) return;
        if (num == 0) walk->direct = TRUE;
        if (pdf_array_len(ctx, walk->leaves) >= (int)walk->max_pages)
            fz_throw(ctx, FZ_ERROR_MEMORY, "it has more than %u pages", walk->max_pages);
        pdf_array_push(ctx, walk->leaves, node);
        return;
    }
    if (walk->levels->len == MAX_TREE_DEPTH)
        fz_throw(ctx, FZ_ERROR_MEMORY, "its page tree is nested deeper than %d", MAX_TREE_DEPTH);
    tree_level level = {.len = pdf_array_len(ctx, kids)};
    level.kids = pdf_keep_obj(ctx, kids);
    g_array_append_val(walk->levels, level);
    walk->depth_reached = MAX(walk->depth_reached, walk->levels->len);
    walk->most_kids = MAX(walk->most_kids, level.len);
}

static void
walk_tree(fz_context *ctx, tree_walk *walk, pdf_document *pdf, pdf_obj *root)
{
    visit_node(ctx, walk, root);
    while (walk->levels->len > 0) {
        tree_level *level = &g_array_index(walk->levels, tree_level, walk->levels->len - 1);
        if (++walk->n_nodes % NODES_AT_ONCE == 0) parse_objects_drop(ctx, pdf);
        if (level->next < level->len) {
            visit_node(ctx, walk, pdf_array_get(ctx, level->kids, level->next++));
        } else {
            pdf_drop_obj(ctx, level->kids);
            g_array_set_size(walk->levels, walk->levels->len - 1);
        }
    }
}

/* A node over leaves first to first + n - 1, appended to kids. */
static void
add_node(fz_context *ctx, pdf_document *pdf, pdf_obj *kids, pdf_obj *leaves, int first, int n)
{
    pdf_obj *node = pdf_new_dict(ctx, pdf, 3);
    fz_try(ctx)
    {
        pdf_dict_put(ctx, node, PDF_NAME(Type), PDF_NAME(Pages));
        pdf_dict_put_int(ctx, node, PDF_NAME(Count), n);
        pdf_obj *own = pdf_dict_put_array(ctx, node, PDF_NAME(Kids), n);
        for (int i = 0; i < n; i++)
            pdf_array_push(ctx, own, pdf_array_get(ctx, leaves, first + i));
        pdf_array_push(ctx, kids, node);
    }
    fz_always(ctx) pdf_drop_obj(ctx, node);
    fz_catch(ctx) fz_rethrow(ctx);
}

static void
replace_tree(fz_context *ctx, pdf_document *pdf, pdf_obj *root, pdf_obj *leaves)
{
    int n = pdf_array_len(ctx, leaves), width = 1;
    while (width < n / width)
        width++;
    pdf_obj *kids = pdf_new_array(ctx, pdf, n / width + 1);
    fz_try(ctx)
    {
        for (int i = 0; i < n; i += width)
            add_node(ctx, pdf, kids, leaves, i, MIN(width, n - i));
        pdf_dict_put(ctx, root, PDF_NAME(Kids), kids);
        pdf_dict_put_int(ctx, root, PDF_NAME(Count), n);
    }
    fz_always(ctx) pdf_drop_obj(ctx, kids);
    fz_catch(ctx) fz_rethrow(ctx);
}

static void
set_tree_right(fz_context *ctx, const tree_walk *walk, pdf_document *pdf, pdf_obj *root)
{
    int n = pdf_array_len(ctx, walk->leaves), count = pdf_count_pages(ctx, pdf);
    if (n != count) fz_warn(ctx, "the page tree counts %d pages and has %d", count, n);
    if (walk->unsound || n != count || walk->depth_reached > MAX_SAFE_DEPTH ||
        walk->most_kids > MAX_KIDS)
        replace_tree(ctx, pdf, root, walk->leaves);
}

#if FZ_VERSION_MAJOR == 1 && FZ_VERSION_MINOR <= 21
static int
compare_page_map(const void *a, const void *b)
{
    const pdf_rev_page_map *x = a, *y = b;
    return (x->object > y->object) - (x->object < y->object);
}

/* Page numbers by object, as pdf_load_page_tree() makes them by reading every page once more; pdf_drop_page_tree()
 * frees them. */
static void
map_pages(fz_context *ctx, const tree_walk *walk, pdf_document *pdf)
{
    int n = pdf_array_len(ctx, walk->leaves);
    if (walk->direct || walk->untyped || pdf->page_map_nesting > 0) return;
    pdf->rev_page_map = fz_malloc_array(ctx, (size_t)n, pdf_rev_page_map);
    for (int i = 0; i < n; i++)
        pdf->rev_page_map[i] =
            (pdf_rev_page_map){i, pdf_to_num(ctx, pdf_array_get(ctx, walk->leaves, i))};
    qsort(pdf->rev_page_map, (size_t)n, sizeof *pdf->rev_page_map, compare_page_map);
    pdf->map_page_count = n;
    pdf->page_map_nesting = 1;
}
#endif

int
parse_pages_check(fz_context *ctx, pdf_document *pdf, guint max_pages, gboolean *direct)
{
    /* only what these point to changes inside the block: no fz_var */
    tree_walk walk = {.seen = g_hash_table_new(NULL, NULL),
                      .levels = g_array_new(FALSE, FALSE, sizeof(tree_level)),
                      .max_pages = max_pages};
    tree_walk *const w = &walk;
    int n_pages = 0;
    fz_var(walk);
    fz_var(n_pages);
    fz_try(ctx)
    {
        pdf_obj *root = pdf_dict_getp(ctx, pdf_trailer(ctx, pdf), "Root/Pages");
        w->root = pdf_keep_obj(ctx, root);
        w->leaves = pdf_new_array(ctx, pdf, 16);
        walk_tree(ctx, w, pdf, root);
        n_pages = pdf_array_len(ctx, w->leaves);
        if (n_pages > 0) set_tree_right(ctx, w, pdf, root);
#if FZ_VERSION_MAJOR == 1 && FZ_VERSION_MINOR <= 21
        if (n_pages > 0) map_pages(ctx, w, pdf);
#endif
        *direct = w->direct;
    }
    fz_always(ctx)
    {
        for (guint i = 0; i < w->levels->len; i++)
            pdf_drop_obj(ctx, g_array_index(w->levels, tree_level, i).kids);
        g_array_unref(w->levels);
        g_hash_table_unref(w->seen);
        pdf_drop_obj(ctx, w->leaves);
        pdf_drop_obj(ctx, w->root);
    }
    fz_catch(ctx) fz_rethrow(ctx);
    return n_pages;
}

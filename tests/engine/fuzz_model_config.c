/* Any text as config.json (and, behind a NUL, as model.safetensors.index.json) of a small llama model in two
 * files: opening a folder, its index, the numbers of its architecture. */
#include "engine/engine.h"
#include "weight_builder.h"

#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct {
    const char *name;
    int rows, cols; /* rows 0: a vector */
} shape;

static const shape FIRST[] = {{"model.embed_tokens.weight", 40, 32},
                              {"model.norm.weight", 0, 32},
                              {"model.layers.0.input_layernorm.weight", 0, 32},
                              {"model.layers.0.post_attention_layernorm.weight", 0, 32},
                              {"model.layers.0.self_attn.q_proj.weight", 32, 32},
                              {"model.layers.0.self_attn.k_proj.weight", 16, 32}};
static const shape SECOND[] = {{"model.layers.0.self_attn.v_proj.weight", 16, 32},
                               {"model.layers.0.self_attn.o_proj.weight", 32, 32},
                               {"model.layers.0.mlp.gate_proj.weight", 64, 32},
                               {"model.layers.0.mlp.up_proj.weight", 64, 32},
                               {"model.layers.0.mlp.down_proj.weight", 32, 64}};

static void
write_part(const char *dir, const char *name, const shape *shapes, size_t n)
{
    g_autoptr(GString) header = g_string_new("{");
    g_autofree char *path = g_build_filename(dir, name, NULL);
    int at = 0;

    for (size_t i = 0; i < n; i++) {
        const int bytes = MAX(shapes[i].rows, 1) * shapes[i].cols * 2;
        g_autofree char *rows =
            shapes[i].rows > 0 ? g_strdup_printf("%d,", shapes[i].rows) : g_strdup("");
        g_string_append_printf(
            header, "%s\"%s\":{\"dtype\":\"F16\",\"shape\":[%s%d],\"data_offsets\":[%d,%d]}",
            i > 0 ? "," : "", shapes[i].name, rows, shapes[i].cols, at, at + bytes);
        at += bytes;
    }
    g_string_append_c(header, '}');
    g_autoptr(GByteArray) file = safetensors_file(header->str, (guint)at);
    g_file_set_contents(path, (const char *)file->data, file->len, NULL);
}

static char *dir;

/* What the fuzzer writes, once it is done: nothing else stands in the folder. */
static void
remove_folder(void)
{
    static const char *const files[] = {"a.safetensors", "b.safetensors", "config.json",
                                        "model.safetensors.index.json"};
    for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *path = g_build_filename(dir, files[i], NULL);
        g_remove(path);
    }
    g_rmdir(dir);
    g_clear_pointer(&dir, g_free);
}

/* Made once, and removed at the end of the program. */
static const char *
folder(void)
{
    if (dir) return dir;
    dir = g_dir_make_tmp("lode-fuzz-config-XXXXXX", NULL);
    g_assert(dir);
    write_part(dir, "a.safetensors", FIRST, G_N_ELEMENTS(FIRST));
    write_part(dir, "b.safetensors", SECOND, G_N_ELEMENTS(SECOND));
    if (atexit(remove_folder) != 0) g_error("what is left behind would stay");
    return dir;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *config = g_build_filename(folder(), "config.json", NULL);
    g_autofree char *index = g_build_filename(folder(), "model.safetensors.index.json", NULL);
    const uint8_t *cut = size > 0 ? memchr(data, 0, size) : NULL;
    const size_t n_config = cut ? (size_t)(cut - data) : size;
    const size_t n_index = cut ? size - n_config - 1 : 0;
    g_autoptr(GError) error = NULL;

    if (!g_file_set_contents(config, (const char *)data, (gssize)n_config, NULL) ||
        !g_file_set_contents(index, cut ? (const char *)cut + 1 : "", (gssize)n_index, NULL))
        return 0;
    g_autoptr(engine_model) model = engine_model_open(index, &error);
    g_assert((model == NULL) == (error != NULL));
    if (!model) return 0;
    engine_memory_plan plan;
    g_assert(engine_model_get_info(model)->n_vocab == 40);
    engine_model_memory(model, 0, 1, ENGINE_KV_F16, &plan, NULL);
    return 0;
}

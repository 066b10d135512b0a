/* The options of every command that runs a model: which device, and how much of it. */
#include "pipelines/cli.h"

#include <string.h>

/* "6G", "800M", "1.5G", "123456": bytes. FALSE for anything else. */
static gboolean
parse_bytes(const char *text, uint64_t *out)
{
    char *end = NULL;
    const double number = g_ascii_strtod(text, &end);
    double unit = 1.0;
    if (end == text || !g_ascii_isdigit(*text)) return FALSE;
    switch (*end) {
    case 'k':
    case 'K':
        unit = 1024.0;
        break;
    case 'm':
    case 'M':
        unit = 1048576.0;
        break;
    case 'g':
    case 'G':
        unit = 1073741824.0;
        break;
    case '\0':
        end--;
        break;
    default:
        return FALSE;
    }
    if (end[1] != '\0' || !(number * unit >= 1.0) || number * unit > 1e15) return FALSE;
    *out = (uint64_t)(number * unit);
    return TRUE;
}

static gboolean
parse_layers(const char *text, int *out)
{
    guint64 n = 0;
    *out = -1;
    if (strcmp(text, "all") == 0) return TRUE;
    if (!g_ascii_string_to_unsigned(text, 10, 0, 100000, &n, NULL)) return FALSE;
    *out = (int)n;
    return TRUE;
}

int
cli_device_check(const char *command_name, const device_args *args)
{
    uint64_t bytes;
    int layers;
    const char *wrong = engine_device_check(args->device);
    if (wrong != NULL) return cli_usage_error(command_name, "--device: %s %s", args->device, wrong);
    if (args->memory != NULL && !parse_bytes(args->memory, &bytes))
        return cli_usage_error(command_name, "--gpu-memory: %s is no size such as 6G or 800M",
                               args->memory);
    if (args->layers != NULL && !parse_layers(args->layers, &layers))
        return cli_usage_error(command_name, "--gpu-layers: %s is no number of layers, nor all",
                               args->layers);
    return EXIT_ALL_GOOD;
}

engine_model_options
cli_device_options(const device_args *args)
{
    engine_model_options options = engine_model_options_default();
    if (args == NULL) return options;
    options.device = args->device;
    if (args->memory != NULL) parse_bytes(args->memory, &options.gpu_memory);
    if (args->layers != NULL) parse_layers(args->layers, &options.n_gpu_layers);
    return options;
}

/* lode bench MODEL: how fast a model runs here, and how near that is to what the machine could do. */
#include "pipelines/cli.h"
#include "pipelines/generate_reply.h"
#include "pipelines/models.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

typedef struct {
    common_args common;
    char *prefill, *depth, *kv_type;
    int n_decode, rounds, threads;
    gboolean no_machine, cpu_time;
    device_args device;
} bench_args;

static void
init_bench(gpointer data)
{
    bench_args *args = data;
    args->n_decode = 64;
    args->rounds = 3;
}

static GOptionEntry *
bench_entries(gpointer data)
{
    bench_args *args = data;
    const GOptionEntry entries[] = {
        {"prefill", 'p', 0, G_OPTION_ARG_STRING, &args->prefill,
         "Prompt lengths to read (default: 512,2048)", "N,..."},
        {"depth", 'd', 0, G_OPTION_ARG_STRING, &args->depth,
         "Tokens already in the context when decoding (default: 0,2048,8192)", "N,..."},
        {"tokens", 'n', 0, G_OPTION_ARG_INT, &args->n_decode,
         "Tokens to decode at each depth (default: 64)", "N"},
        {"rounds", 'r', 0, G_OPTION_ARG_INT, &args->rounds,
         "Runs of each test; best and median are told (default: 3)", "N"},
        {"kv-type", 0, 0, G_OPTION_ARG_STRING, &args->kv_type,
         "How keys and values are kept: f32, f16, q8_0 or q4_0 (default: f16)", "TYPE"},
        {"threads", 't', 0, G_OPTION_ARG_INT, &args->threads, "Threads (default: 0, one per core)",
         "N"},
        CLI_DEVICE_ENTRIES(&args->device),
        {"cpu-time", 0, 0, G_OPTION_ARG_NONE, &args->cpu_time,
         "Count processor time instead, for one thread on a busy machine (default: the clock)",
         NULL},
        {"no-machine", 0, 0, G_OPTION_ARG_NONE, &args->no_machine,
         "Do not measure the machine's bandwidth and 8-bit arithmetic (default: measure)", NULL},
        G_OPTION_ENTRY_NULL,
    };
    return g_memdup2(entries, sizeof entries);
}

enum { MAX_LIST = 16, MAX_TOKENS = 1 << 20 };

typedef struct {
    uint32_t at[MAX_LIST];
    guint n;
} sizes;

/* "0,2048" as ascending numbers lowest .. MAX_TOKENS; FALSE after a message. "" is an empty list. */
static gboolean
parse_sizes(const char *option, const char *text, uint32_t lowest, sizes *out)
{
    g_auto(GStrv) parts = g_strsplit(text, ",", -1);

    out->n = 0;
    for (char **part = parts; *part != NULL; part++) {
        guint64 value = 0;
        if (out->n == MAX_LIST ||
            !g_ascii_string_to_unsigned(*part, 10, lowest, MAX_TOKENS, &value, NULL) ||
            (out->n > 0 && value <= out->at[out->n - 1])) {
            cli_usage_error("bench", "--%s: %s: up to %d rising numbers of %u to %d", option, text,
                            MAX_LIST, lowest, MAX_TOKENS);
            return FALSE;
        }
        out->at[out->n++] = (uint32_t)value;
    }
    return TRUE;
}

/* ---- running ---- */

typedef struct {
    const bench_args *args;
    sizes prefill, depth;
    engine_kv_type kv_type;
    engine_model *model;
    engine_pool *pool;
    engine_session *session;
    engine_machine machine;
    float *logits;
    int32_t *tokens;
    double load_seconds, first_token_seconds;
    uint64_t base_bytes; /* resident before the model was opened: the program and its libraries */
    uint64_t peak_bytes; /* before the machine was last measured */
    json_t *tests;
} bench;

static void
bench_clear(bench *b)
{
    engine_session_free(b->session);
    engine_model_free(b->model);
    engine_pool_free(b->pool);
    g_free(b->logits);
    g_free(b->tokens);
    json_decref(b->tests);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(bench, bench_clear)

/* Microseconds of the clock the rates are told by. */
static gint64
now(const bench *b)
{
    struct timespec t;

    if (!b->args->cpu_time || clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) != 0)
        return g_get_monotonic_time();
    return (gint64)t.tv_sec * G_USEC_PER_SEC + t.tv_nsec / 1000;
}

static double
seconds_since(const bench *b, gint64 start)
{
    return (double)MAX(now(b) - start, 1) / 1e6;
}

/* A line of a file in /proc that tells kilobytes, in bytes; 0 when it is not there. */
static uint64_t
kilobytes_of(const char *path, const char *key)
{
    g_autofree char *text = NULL;
    const char *line;

    if (!g_file_get_contents(path, &text, NULL, NULL) || (line = strstr(text, key)) == NULL)
        return 0;
    return g_ascii_strtoull(line + strlen(key), NULL, 10) * 1024;
}

/* Of mapped files, which are the weights, what lies in pages of 2 MiB. */
static uint64_t
huge_bytes(void)
{
    return kilobytes_of("/proc/self/smaps_rollup", "FilePmdMapped:");
}

/* The largest resident size since forget_peak, else since the start. */
static uint64_t
peak_bytes(void)
{
    struct rusage usage;
    const uint64_t peak = kilobytes_of("/proc/self/status", "VmHWM:");

    if (peak > 0) return peak;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)usage.ru_maxrss * 1024;
}

/* Measuring the machine takes more memory than a small model: it is not to count. proc(5), clear_refs. */
static void
forget_peak(void)
{
    const int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (fd < 0) return;
    (void)!write(fd, "5", 1);
    close(fd);
}

/* How fast memory is read now, the peak being that of the model still; 0 where the machine is not measured. */
static double
reading_now(bench *b)
{
    if (b->args->no_machine) return 0.0;
    b->peak_bytes = MAX(b->peak_bytes, peak_bytes());
    const double reading = engine_machine_reading(b->pool);
    forget_peak();
    return reading;
}

static int
compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Keys and values that one step reads with so many tokens in the context. */
static uint64_t
cache_bytes(const bench *b, uint32_t depth)
{
    engine_memory_plan plan = {0};

    if (depth == 0 || !engine_model_memory(b->model, depth, 1, b->kv_type, &plan, NULL)) return 0;
    return plan.kv_bytes + plan.recurrent_bytes;
}

/* Sorts them. */
static double
median_of(double *values, size_t n)
{
    qsort(values, n, sizeof *values, compare_doubles);
    return n % 2 ? values[n / 2] : 0.5 * (values[n / 2 - 1] + values[n / 2]);
}

/* The median part of what could be read while each round ran: the mean of before and after. rates [rounds];
 * readings [rounds + 1]; 0: not measured. */
static double
reading_fraction(const bench *b, const double *rates, const double *readings, uint64_t bytes)
{
    const int n = b->args->rounds;
    g_autofree double *parts = g_new(double, n);

    for (int i = 0; i < n; i++) {
        const double could = 0.5 * (readings[i] + readings[i + 1]);
        if (could <= 0.0) return 0.0;
        parts[i] = rates[i] * (double)bytes / could;
    }
    return median_of(parts, (size_t)n);
}

/* Keeps one test's result and, unless JSON is wanted, prints it. rates [rounds], tokens a second, get sorted;
 * readings [rounds + 1] of memory around the rounds of decoding, else NULL. */
static void
report(bench *b, const char *test, uint32_t size, double *rates, const double *readings)
{
    const engine_model_info *info = engine_model_get_info(b->model);
    const int n = b->args->rounds;
    g_autoptr(json_t) all = json_array();
    json_t *json = json_object();
    const gboolean decode = strcmp(test, "decode") == 0;

    for (int i = 0; i < n; i++)
        json_array_append_new(all, json_real(rates[i]));
    const uint64_t bytes = decode ? info->n_active_bytes + cache_bytes(b, size) : 0;
    const double fraction = decode ? reading_fraction(b, rates, readings, bytes) : 0.0;
    const double median = median_of(rates, (size_t)n);
    json_object_set_new(json, "test", json_string(test));
    json_object_set_new(json, decode ? "depth" : "tokens", json_integer(size));
    json_object_set_new(json, "best", json_real(rates[n - 1]));
    json_object_set_new(json, "median", json_real(median));
    json_object_set(json, "rounds", all);
    if (decode) json_object_set_new(json, "bytes_per_token", json_integer((json_int_t)bytes));
    if (fraction > 0.0) {
        json_t *measured = json_array();
        for (int i = 0; i <= n; i++)
            json_array_append_new(measured, json_real(readings[i]));
        json_object_set_new(json, "bandwidth", measured);
        json_object_set_new(json, "bandwidth_fraction", json_real(fraction));
    }
    /* the output matrix serves the last token alone */
    const double operations =
        decode ? 0.0
               : 2.0 * ((double)info->n_active_parameters - (double)info->n_vocab * info->n_embd);
    if (!decode && b->machine.int8_ops > 0.0)
        json_object_set_new(json, "int8_fraction",
                            json_real(rates[n - 1] * operations / b->machine.int8_ops));
    json_array_append_new(b->tests, json);
    if (b->args->common.json) return;
    g_autofree char *name =
        decode ? g_strdup_printf("decode at %u", size) : g_strdup_printf("prefill %u", size);
    cli_print("%-18s %9.1f %9.1f", name, rates[n - 1], median);
    if (fraction > 0.0)
        cli_print("   %5.2f GB/s, %3.0f %%", median * (double)bytes / 1e9, 100.0 * fraction);
    if (!decode && b->machine.int8_ops > 0.0)
        cli_print("   %5.1f Gop/s, %3.0f %%", rates[n - 1] * operations / 1e9,
                  100.0 * rates[n - 1] * operations / b->machine.int8_ops);
    cli_print("\n");
}

static gboolean
eval(bench *b, size_t n, GError **error)
{
    if (*cli_cancel()) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_CANCELLED, "interrupted");
        return FALSE;
    }
    return engine_session_eval(b->session, b->tokens, n, b->logits, NULL, error);
}

static gboolean
run_prefill(bench *b, uint32_t n, GError **error)
{
    g_autofree double *rates = g_new(double, b->args->rounds);

    for (int round = 0; round < b->args->rounds; round++) {
        engine_session_truncate(b->session, 0);
        const gint64 start = now(b);
        if (!eval(b, n, error)) return FALSE;
        rates[round] = n / seconds_since(b, start);
    }
    report(b, "prefill", n, rates, NULL);
    return TRUE;
}

/* Rounds go on where the last ended: some models cannot step back, and a few tokens more change little. */
static gboolean
run_decode(bench *b, uint32_t depth, GError **error)
{
    g_autofree double *rates = g_new(double, b->args->rounds),
                      *readings = g_new(double, b->args->rounds + 1);

    engine_session_truncate(b->session, 0);
    if (depth > 0 && !eval(b, depth, error)) return FALSE;
    readings[0] = reading_now(b);
    for (int round = 0; round < b->args->rounds; round++) {
        const gint64 start = now(b);
        for (int i = 0; i < b->args->n_decode; i++)
            if (!eval(b, 1, error)) return FALSE;
        rates[round] = b->args->n_decode / seconds_since(b, start);
        readings[round + 1] = reading_now(b);
    }
    report(b, "decode", depth, rates, readings);
    return TRUE;
}

static uint32_t
longest_test(const bench *b)
{
    const uint32_t decoded = (uint32_t)(b->args->n_decode * b->args->rounds);
    const uint32_t depth = b->depth.n > 0 ? b->depth.at[b->depth.n - 1] + decoded : 1;
    return MAX(depth, b->prefill.n > 0 ? b->prefill.at[b->prefill.n - 1] : 1);
}

/* Model, session, and the time from nothing to the logits of one token. */
static gboolean
start(bench *b, const char *name, GError **error)
{
    g_autofree char *path = models_find_named(name, error);
    if (path == NULL) return FALSE;
    const gint64 begin = now(b);
    const engine_model_options on = cli_device_options(&b->args->device);
    b->model = engine_model_open_with(path, &on, error);
    if (b->model == NULL) return FALSE;
    const engine_model_info *info = engine_model_get_info(b->model);
    if (info->kind != ENGINE_KIND_DECODER) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_ARGUMENT,
                    "%s: an encoder: it reads but does not write", path);
        return FALSE;
    }
    b->load_seconds = seconds_since(b, begin);
    const uint32_t n = longest_test(b);
    engine_session_options options = engine_session_options_default();
    options.n_context = n;
    options.kv_type = b->kv_type;
    b->session = engine_session_open(b->model, b->pool, &options, error);
    if (b->session == NULL) return FALSE;
    b->logits = g_new(float, info->n_vocab);
    b->tokens = g_new(int32_t, n);
    g_autoptr(GRand) random = g_rand_new_with_seed(1);
    for (uint32_t i = 0; i < n; i++)
        b->tokens[i] =
            g_rand_int_range(random, 0, (gint32)MIN(info->n_vocab, (uint32_t)G_MAXINT32));
    if (!eval(b, 1, error)) return FALSE;
    b->first_token_seconds = seconds_since(b, begin);
    return TRUE;
}

/* What lode model info says the model takes with as long a context. */
static uint64_t
planned_bytes(const bench *b)
{
    engine_memory_plan plan = {0};
    return engine_model_memory(b->model, longest_test(b), 1, b->kv_type, &plan, NULL)
               ? plan.total_bytes
               : 0;
}

static void
print_head(const bench *b)
{
    const engine_model_info *info = engine_model_get_info(b->model);
    g_autofree char *features = engine_cpu_features(), *size = g_format_size(info->n_bytes),
                    *active = g_format_size(info->n_active_bytes);

    cli_print("%s: %s %s, %.0f M parameters, %s, %s read per token\n", info->name,
              info->architecture, info->weight_type, (double)info->n_parameters / 1e6, size,
              active);
    cli_print("%s; %d threads; keys and values as %s\n", features, engine_pool_n_threads(b->pool),
              engine_kv_type_name(b->kv_type));
    if (engine_session_get_placement(b->session) != NULL)
        cli_print("%s\n", engine_session_get_placement(b->session));
    if (!b->args->no_machine)
        cli_print("ceilings: reading %.1f GB/s (4 KiB pages), %.1f GB/s (2 MiB pages); 8-bit "
                  "arithmetic %.0f Gop/s\n",
                  b->machine.read_4k / 1e9, b->machine.read_2m / 1e9, b->machine.int8_ops / 1e9);
    cli_print("loaded in %.0f ms, first token after %.0f ms\n\n%-18s %9s %9s\n",
              1e3 * b->load_seconds, 1e3 * b->first_token_seconds, "tokens a second", "best",
              "median");
}

static void
print_json(const bench *b)
{
    const engine_model_info *info = engine_model_get_info(b->model);
    g_autofree char *features = engine_cpu_features();
    g_autoptr(json_t) json = json_object();

    json_object_set_new(json, "model", json_string(info->name));
    json_object_set_new(json, "architecture", json_string(info->architecture));
    json_object_set_new(json, "weight_type", json_string(info->weight_type));
    json_object_set_new(json, "parameters", json_integer((json_int_t)info->n_parameters));
    json_object_set_new(json, "bytes", json_integer((json_int_t)info->n_bytes));
    json_object_set_new(json, "active_parameters",
                        json_integer((json_int_t)info->n_active_parameters));
    json_object_set_new(json, "active_bytes", json_integer((json_int_t)info->n_active_bytes));
    json_object_set_new(json, "cpu", json_string(features));
    json_object_set_new(json, "threads", json_integer(engine_pool_n_threads(b->pool)));
    json_object_set_new(json, "kv_type", json_string(engine_kv_type_name(b->kv_type)));
    if (!b->args->no_machine)
        json_object_set_new(json, "machine",
                            json_pack("{s:f,s:f,s:f}", "read_4k", b->machine.read_4k, "read_2m",
                                      b->machine.read_2m, "int8_ops", b->machine.int8_ops));
    if (engine_session_get_placement(b->session) != NULL)
        json_object_set_new(json, "placement",
                            json_string(engine_session_get_placement(b->session)));
    const engine_session_stats stats = engine_session_get_stats(b->session);
    generate_experts_to_json(&stats, json);
    json_object_set_new(json, "load_seconds", json_real(b->load_seconds));
    json_object_set_new(json, "first_token_seconds", json_real(b->first_token_seconds));
    json_object_set(json, "tests", b->tests);
    json_object_set_new(json, "peak_bytes",
                        json_integer((json_int_t)MAX(b->peak_bytes, peak_bytes())));
    json_object_set_new(json, "base_bytes", json_integer((json_int_t)b->base_bytes));
    json_object_set_new(json, "huge_bytes", json_integer((json_int_t)huge_bytes()));
    json_object_set_new(json, "planned_bytes", json_integer((json_int_t)planned_bytes(b)));
    cli_print_json(json);
}

/* How many of the experts needed were where they are computed soonest. */
static void
print_experts(const bench *b)
{
    const engine_session_stats stats = engine_session_get_stats(b->session);
    const engine_device_expert_stats *there = &stats.gpu_experts;
    const engine_expert_stats *read = &stats.experts;

    if (there->n_asked > 0)
        cli_print("%.0f%% of the experts needed were on the GPU (room for %u)\n",
                  100.0 * (double)there->n_hits / (double)there->n_asked, there->n_slabs);
    if (read->n_reads > 0)
        cli_print("%.0f%% of the experts needed were in memory, %.2f GB were read\n",
                  100.0 * (double)read->n_hits / (double)(read->n_hits + read->n_reads),
                  (double)read->n_bytes * 1e-9);
}

static int
run_bench(gpointer data, char **operands, int n_operands)
{
    const bench_args *args = data;
    g_auto(bench) b = {
        .args = args, .tests = json_array(), .kv_type = engine_session_options_default().kv_type};
    g_autoptr(GError) error = NULL;

    if (n_operands != 1) return cli_usage_error("bench", "which model? One file or folder");
    if (args->n_decode < 1 || args->n_decode > 1 << 16 || args->rounds < 1 || args->rounds > 99 ||
        args->threads < 0)
        return cli_usage_error("bench", "--tokens, --rounds or --threads out of range");
    if (!parse_sizes("prefill", args->prefill ? args->prefill : "512,2048", 1, &b.prefill) ||
        !parse_sizes("depth", args->depth ? args->depth : "0,2048,8192", 0, &b.depth))
        return EXIT_WRONG_USAGE;
    if (args->kv_type != NULL && !engine_kv_type_parse(args->kv_type, &b.kv_type))
        return cli_usage_error("bench", "--kv-type: choose from f32, f16, q8_0, q4_0");
    const int device = cli_device_check("bench", &args->device);
    if (device != EXIT_ALL_GOOD) return device;
    b.pool = engine_pool_new(args->threads);
    if (!args->no_machine) engine_machine_measure(b.pool, &b.machine);
    forget_peak();
    b.base_bytes = peak_bytes();
    gboolean good = start(&b, operands[0], &error);
    if (good && !args->common.json) print_head(&b);
    for (guint i = 0; good && i < b.prefill.n; i++)
        good = run_prefill(&b, b.prefill.at[i], &error);
    for (guint i = 0; good && i < b.depth.n; i++)
        good = run_decode(&b, b.depth.at[i], &error);
    if (!good) return cli_error(EXIT_NOTHING_DONE, "%s", error->message);
    if (args->common.json) {
        print_json(&b);
    } else {
        g_autofree char *peak = g_format_size(MAX(b.peak_bytes, peak_bytes())),
                        *base = g_format_size(b.base_bytes),
                        *planned = g_format_size(planned_bytes(&b));
        g_autofree char *huge = g_format_size(huge_bytes());
        cli_print("\npeak memory %s: %s before the model was opened, %s planned for it\n"
                  "weights mapped in pages of 2 MiB: %s\n",
                  peak, base, planned, huge);
        print_experts(&b);
    }
    return EXIT_ALL_GOOD;
}

const command cmd_bench = {
    .name = "bench",
    .summary = "measure a model's speed on this machine",
    .usage = "MODEL [OPTIONS]",
    .description =
        "Reads prompts of several lengths and decodes behind contexts of several lengths, with "
        "random tokens, and\n"
        "prints tokens a second. Decoding is bounded by reading: beside each rate stands what part "
        "of the memory\n"
        "bandwidth, measured before and after each round, the weights in use and the cache of the "
        "context take;\n"
        "beside a prompt's, what part of the machine's 8-bit arithmetic its matrices take, "
        "attention left out. Weights that the system "
        "holds in pages of\n"
        "2 MiB are read faster; a file that was just written is not held so before it is read from "
        "the disk again.\n"
        "MODEL is a .gguf file or a folder.",
    .examples = "  $ lode bench model.gguf\n"
                "  $ lode bench model.gguf -p 512 -d 0,16384 -t 2 --json",
    .args_size = sizeof(bench_args),
    .init = init_bench,
    .entries = bench_entries,
    .run = run_bench,
};

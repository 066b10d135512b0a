/* The loader of the CUDA plug-in: what is found, and why something is not. Each case is a process of its own, for a
 * plug-in stays loaded. */
#include "engine/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a fresh process with these two variables says of its GPUs. */
static char *
ask(const char *plugin, const char *card)
{
    int ends[2];
    char text[4096];
    size_t n = 0;

    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        g_autoptr(GString) said = g_string_new(NULL);
        g_autofree char *reason = NULL, *software = NULL;
        g_setenv("LODE_CUDA_PLUGIN", plugin, TRUE);
        if (card) g_setenv("LODE_EMULATED_CARD", card, TRUE);
        const int count = engine_gpu_count(&reason);
        g_string_printf(said, "%d|%s|", count, reason ? reason : "");
        for (int i = 0; i < MAX(count, 1); i++) {
            g_autoptr(GError) error = NULL;
            engine_gpu_info info;
            if (engine_gpu_describe(i, &info, &error))
                g_string_append_printf(said, "%s %d %" G_GUINT64_FORMAT "|", info.name,
                                       info.capability, info.memory_free);
            else
                g_string_append_printf(said, "%s|", error->message);
        }
        software = engine_gpu_software();
        g_string_append(said, software ? software : "(none)");
        if (write(ends[1], said->str, said->len) < 0) _exit(1);
        _exit(0);
    }
    close(ends[1]);
    for (ssize_t got; (got = read(ends[0], text + n, sizeof text - 1 - n)) > 0;)
        n += (size_t)got;
    close(ends[0]);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    text[n] = '\0';
    return g_strdup(text);
}

static void
says(const char *plugin, const char *card, const char *part)
{
    g_autofree char *text = ask(plugin, card);
    if (!strstr(text, part)) fail_msg("\"%s\" does not say \"%s\"", text, part);
}

static void
two_cards_are_described(void **state)
{
    (void)state;
    says(LODE_EMULATED_PLUGIN, "devices=2,cc=89,memory=48M",
         "2||Emulated card 0 89 50331648|Emulated card 1 89 50331648|");
    says(LODE_EMULATED_PLUGIN, NULL, "CUDA 13.0, driver for CUDA 13.0, cuBLAS 13.1");
}

static void
what_is_missing_is_named(void **state)
{
    (void)state;
    says(LODE_EMULATED_PLUGIN, "driver=0", "0|no NVIDIA driver (libcuda.so.1) is installed|");
    says(LODE_EMULATED_PLUGIN, "driver=12080",
         "0|the NVIDIA driver is too old: it knows CUDA 12.8, and 13.0 is needed|");
    says(LODE_EMULATED_PLUGIN, "devices=0", "0|a driver is installed, but no GPU is there|");
    says(LODE_EMULATED_PLUGIN, "cublas=0", "no cuBLAS: libcublas.so.13 is not found");
    says(LODE_EMULATED_PLUGIN, "cc=61",
         "Emulated card 0 has compute capability 6.1, and 7.5 is the least");
}

static void
a_plugin_that_cannot_be_used_is_named(void **state)
{
    (void)state;
    says("none", NULL, "0|LODE_CUDA_PLUGIN says none|");
    says("no/such/file.so", NULL, "0|no/such/file.so: no such file, which LODE_CUDA_PLUGIN names|");
    says(LODE_OTHER_LIBRARY, NULL, "is a CUDA plug-in of version 77, this lode needs version");
    says("/proc/self/maps", NULL, "0|the CUDA plug-in cannot be loaded: ");
}

static void
a_device_is_auto_cpu_or_a_gpu(void **state)
{
    static const char *const good[] = {"auto", "cpu", "cuda", "cuda:0", "cuda:12"};
    static const char *const bad[] = {"",       "gpu",   "cuda:",     "cuda:-1",
                                      "cuda:x", "cuda0", "cuda:9999", "CPU"};

    (void)state;
    assert_null(engine_device_check(NULL));
    for (size_t i = 0; i < G_N_ELEMENTS(good); i++)
        assert_null(engine_device_check(good[i]));
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
        assert_non_null(engine_device_check(bad[i]));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_cards_are_described),
        cmocka_unit_test(what_is_missing_is_named),
        cmocka_unit_test(a_plugin_that_cannot_be_used_is_named),
        cmocka_unit_test(a_device_is_auto_cpu_or_a_gpu),
    };
    return cmocka_run_group_tests_name("cuda_plugin", tests, NULL, NULL);
}

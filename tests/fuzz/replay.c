/* Runs a fuzz target without libFuzzer: every file of the corpus as it is, then damaged in fixed ways
 * (truncated at many lengths, single bytes flipped, 32-bit words set to extreme values). The damage is
 * the same in every run, so a failure can be repeated. */
#include <glib.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
replay_damaged(const uint8_t *data, size_t size)
{
    const size_t n_cuts = MIN(size, 64), n_flips = MIN(size, 256);
    /* exactly sized copies, so that a sanitizer sees a read past the end */
    for (size_t i = 0; i < n_cuts; i++) {
        size_t cut = size * i / n_cuts;
        g_autofree uint8_t *copy = g_memdup2(data, cut);
        LLVMFuzzerTestOneInput(copy, cut);
    }
    static const uint32_t extremes[] = {0, 0x7fffffffu, 0x80000000u, 0xffffffffu};
    g_autoptr(GRand) rand = g_rand_new_with_seed(20);
    for (size_t i = 0; i < n_flips; i++) {
        g_autofree uint8_t *copy = g_memdup2(data, size);
        /* headers are at the front: half of the damage goes to the first 512 bytes */
        size_t span = i % 2 == 0 ? MIN(size, 512) : size;
        size_t at = (size_t)g_rand_int_range(rand, 0, (gint32)MIN(span, (size_t)G_MAXINT32));
        if (i % 3 == 0 && size - at >= 4)
            memcpy(copy + at, &extremes[(i / 3) % 4], 4);
        else
            copy[at] = (uint8_t)(copy[at] ^ (1u << g_rand_int_range(rand, 0, 8)));
        LLVMFuzzerTestOneInput(copy, size);
    }
}

int
main(int argc, char **argv)
{
    guint n_files = 0;
    for (int a = 1; a < argc; a++) {
        g_autoptr(GDir) dir = g_dir_open(argv[a], 0, NULL);
        if (!dir) {
            g_printerr("no corpus folder %s\n", argv[a]);
            return 1;
        }
        const char *name;
        while ((name = g_dir_read_name(dir)) != NULL) {
            g_autofree char *path = g_build_filename(argv[a], name, NULL);
            g_autofree char *data = NULL;
            gsize size = 0;
            if (!g_file_get_contents(path, &data, &size, NULL)) continue;
            LLVMFuzzerTestOneInput((const uint8_t *)data, size);
            if (size > 0) replay_damaged((const uint8_t *)data, size);
            n_files++;
        }
    }
    g_print("replayed %u files\n", n_files);
    return n_files > 0 ? 0 : 1;
}

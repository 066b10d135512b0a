/* Any bytes through everything parse offers: opened, every page read, tags, links, a small rendering. */
#include "parse/parse_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
read_pages(parse_file *file)
{
    for (int i = 0; i < MIN(parse_file_n_pages(file), 5); i++) {
        g_autoptr(parse_page) page = parse_file_load_page(file, i, NULL);
        guint n = 0;
        for (guint r = 0; page && r < page->n_runs; r++) {
            g_assert(page->runs[r].first_glyph == n && page->runs[r].font < page->n_fonts);
            n += page->runs[r].n_glyphs;
        }
        g_assert(!page || n == page->n_glyphs);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    parse_options options = {.memory_limit = 64u << 20,
                             .max_pages = 1000,
                             .max_glyphs = 20000,
                             .max_paths = 20000,
                             .page_seconds = 1,
                             .password = "user"};
    g_autoptr(parse_file) file = parse_file_open_memory(data, size, "fuzz.pdf", &options, NULL);
    if (!file) return 0;
    read_pages(file);
    guint n = 0;
    const parse_tag *tags = parse_file_tags(file, &n);
    for (guint i = 0; i < n; i++)
        g_assert(tags[i].parent < (int)i);
    parse_rect corner = {0, 0, 50, 50};
    g_autoptr(GBytes) png = parse_file_render_png(file, 0, &corner, 0, 20, NULL);
    parse_file_warnings(file, &n);
    return 0;
}

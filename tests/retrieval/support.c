#include "support.h"

#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>

gboolean
fake_embed(void *user_data, const char *const *texts, size_t n, float *out, const int *cancel,
           GError **error)
{
    (void)user_data;
    if (cancel && *cancel) {
        g_set_error_literal(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_CANCELLED, "cancelled");
        return FALSE;
    }
    memset(out, 0, n * FAKE_DIMS * sizeof *out);
    for (size_t i = 0; i < n; i++) {
        g_auto(GStrv) words = g_strsplit_set(texts[i], " \n.,;:()", -1);
        for (char **word = words; *word; word++) {
            guint hash = g_str_hash(*word);
            if (**word) out[i * FAKE_DIMS + hash % FAKE_DIMS] += hash & 0x10000 ? 1.0f : -1.0f;
        }
    }
    return TRUE;
}

const retrieval_embedder fake_embedder = {.embed = fake_embed, .n_dims = FAKE_DIMS, .id = "fake-1"};
const retrieval_embedder no_embedder = {0};

void
check_no_error(GError *error, const char *file, int line)
{
    if (!error) return;
    print_error("%s\n", error->message);
    _fail(file, line);
}

retrieval_library *
open_library(const char *dir, retrieval_open_mode mode, const retrieval_embedder *embedder)
{
    g_autoptr(GError) error = NULL;
    retrieval_library *library = retrieval_library_open_with(dir, mode, embedder, &error);
    assert_no_error(error);
    assert_non_null(library);
    return library;
}

char *
make_folder(const char *name)
{
    char *path = g_strdup_printf("%s-XXXXXX", name);
    assert_non_null(g_mkdtemp(path));
    return path;
}

void
remove_folder(const char *path)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    const char *name;
    while (dir && (name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *file = g_build_filename(path, name, NULL);
        g_unlink(file);
    }
    g_rmdir(path);
}

writer
writer_start(void)
{
    return (writer){.builder = layout_builder_new()};
}

enum { LINE_BYTES = 60, PAGE_LINES = 50 };

int
writer_add(writer *w, layout_block_type type, int level, const char *text)
{
    const uint32_t len = (uint32_t)strlen(text);
    g_autoptr(GArray) lines = g_array_new(FALSE, FALSE, sizeof(layout_line));
    g_autoptr(GArray) boxes = g_array_new(FALSE, FALSE, sizeof(layout_box));
    for (uint32_t start = 0; start < len;) {
        uint32_t end = MIN(start + LINE_BYTES, len);
        while (end < len && ((guchar)text[end] & 0xc0) == 0x80)
            end++;
        const int page = w->n_lines / PAGE_LINES, row = w->n_lines % PAGE_LINES;
        while (w->n_pages <= page) {
            g_autofree char *label = g_strdup_printf("S%d", w->n_pages + 1);
            layout_page sheet = {.width_pt = 612, .height_pt = 792, .label = label};
            layout_builder_add_page(w->builder, &sheet);
            w->n_pages++;
        }
        const float y = 40.0f + 14.0f * (float)row;
        layout_line line = {start, end - start, {page, {72, y, 540, y + 12}}};
        g_array_append_val(lines, line);
        g_array_append_val(boxes, line.box);
        w->n_lines++;
        start = end;
    }
    layout_block block = {.type = type,
                          .level = level,
                          .text = text,
                          .text_len = len,
                          .parent = LAYOUT_NONE,
                          .item = LAYOUT_NONE,
                          .marker = type == LAYOUT_BLOCK_LIST_ITEM ? "-" : NULL,
                          .confidence = 1};
    return layout_builder_add_block(w->builder, &block, (layout_box *)(void *)boxes->data,
                                    boxes->len, NULL, 0, (layout_line *)(void *)lines->data,
                                    lines->len);
}

lode_document *
writer_finish(writer *w, const char *title, const char *sha256)
{
    layout_metadata *meta = layout_builder_meta(w->builder);
    meta->title = layout_builder_copy(w->builder, title, -1);
    meta->source_name = layout_builder_copy(w->builder, "paper.pdf", -1);
    meta->source_sha256 = layout_builder_copy(w->builder, sha256, -1);
    return layout_builder_finish(w->builder);
}

char *
random_sentence(GRand *rand, guint n)
{
    static const char *const syllables[] = {"ka",  "ro", "mi",  "ten", "sol", "va", "lu", "pex",
                                            "dor", "ni", "qua", "bel", "ist", "or", "um", "grä"};
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < n; i++) {
        if (i > 0) g_string_append_c(text, ' ');
        const int n_syllables = g_rand_int_range(rand, 1, 4);
        for (int j = 0; j < n_syllables; j++)
            g_string_append(text, syllables[g_rand_int_range(rand, 0, G_N_ELEMENTS(syllables))]);
    }
    text->str[0] = g_ascii_toupper(text->str[0]);
    g_string_append_c(text, '.');
    return g_string_free(text, FALSE);
}

static char *
random_paragraph(GRand *rand, int most_sentences)
{
    GString *text = g_string_new(NULL);
    const int n = g_rand_int_range(rand, 1, most_sentences + 1);
    for (int i = 0; i < n; i++) {
        g_autofree char *sentence = random_sentence(rand, (guint)g_rand_int_range(rand, 3, 30));
        g_string_append_printf(text, "%s%s", i > 0 ? " " : "", sentence);
    }
    return g_string_free(text, FALSE);
}

static void
add_random_table(writer *w, GRand *rand)
{
    g_autofree char *caption_text = random_paragraph(rand, 2);
    const int caption = writer_add(w, LAYOUT_BLOCK_CAPTION, 0, caption_text);
    const int block = writer_add(w, LAYOUT_BLOCK_TABLE, 0, "");
    const guint n_rows = (guint)g_rand_int_range(rand, 1, 8),
                n_cols = (guint)g_rand_int_range(rand, 1, 5);
    g_autoptr(GArray) cells = g_array_new(FALSE, FALSE, sizeof(layout_cell));
    g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < n_rows * n_cols; i++) {
        char *text = random_sentence(rand, 2);
        g_ptr_array_add(texts, text);
        layout_cell cell = {
            i / n_cols, i % n_cols, 1, 1, i < n_cols, text, .box = {0, {72, 40, 540, 60}}};
        g_array_append_val(cells, cell);
    }
    layout_builder_block(w->builder, caption)->parent = block;
    layout_table table = {.block = block, .caption = caption, .n_rows = n_rows, .n_cols = n_cols};
    layout_builder_add_table(w->builder, &table, (layout_cell *)(void *)cells->data, cells->len);
}

lode_document *
random_document(guint32 seed)
{
    static const layout_block_type plain[] = {
        LAYOUT_BLOCK_PARAGRAPH, LAYOUT_BLOCK_PARAGRAPH, LAYOUT_BLOCK_PARAGRAPH,
        LAYOUT_BLOCK_LIST_ITEM, LAYOUT_BLOCK_FORMULA,   LAYOUT_BLOCK_CAPTION,
        LAYOUT_BLOCK_FOOTNOTE,  LAYOUT_BLOCK_HEADER,    LAYOUT_BLOCK_CODE};
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
    writer w = writer_start();
    g_autofree char *title = random_sentence(rand, 6);
    writer_add(&w, LAYOUT_BLOCK_TITLE, 0, title);
    g_autofree char *abstract = random_paragraph(rand, 10);
    writer_add(&w, LAYOUT_BLOCK_ABSTRACT, 0, abstract);
    const int n_blocks = g_rand_int_range(rand, 1, 40);
    for (int i = 0; i < n_blocks; i++) {
        g_autofree char *text = NULL;
        switch (g_rand_int_range(rand, 0, 8)) {
        case 0:
            text = random_sentence(rand, (guint)g_rand_int_range(rand, 1, 6));
            writer_add(&w, LAYOUT_BLOCK_HEADING, g_rand_int_range(rand, 1, 4), text);
            break;
        case 1:
            add_random_table(&w, rand);
            break;
        default: {
            const int type = g_rand_int_range(rand, 0, G_N_ELEMENTS(plain));
            const int longest = plain[type] == LAYOUT_BLOCK_PARAGRAPH ? 40 : 3;
            text = random_paragraph(rand, longest);
            writer_add(&w, plain[type], 0, text);
        }
        }
    }
    writer_add(&w, LAYOUT_BLOCK_HEADING, 1, "References");
    for (int i = 0; i < 5; i++)
        writer_add(&w, LAYOUT_BLOCK_REFERENCE, 0, "Doe, J. Some work. 1999.");
    g_autofree char *sha256 = g_strdup_printf("%064x", seed);
    return writer_finish(&w, title, sha256);
}

char *folder;

int
setup_folder(void **state)
{
    (void)state;
    folder = make_folder("library");
    return 0;
}

int
teardown_folder(void **state)
{
    (void)state;
    remove_folder(folder);
    g_clear_pointer(&folder, g_free);
    return 0;
}

retrieval_library *
open_writer(void)
{
    return open_library(folder, RETRIEVAL_OPEN_WRITE, &fake_embedder);
}

retrieval_library *
open_reader(void)
{
    return open_library(folder, RETRIEVAL_OPEN_READ, &fake_embedder);
}

guint
count_problems(retrieval_library *library)
{
    g_autoptr(GError) error = NULL;
    guint n = 0;
    assert_true(retrieval_library_verify(library, NULL, NULL, &n, &error));
    assert_no_error(error);
    return n;
}

void
add_sentences(retrieval_library *library, int from, int to)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) strings = g_ptr_array_new_with_free_func(g_free);
    g_autofree retrieval_passage *passages = g_new0(retrieval_passage, (gsize)(to - from));
    g_autoptr(GRand) rand = g_rand_new_with_seed((guint32)from);
    for (int i = from; i < to; i++) {
        char *id = g_strdup_printf("p%05d", i), *text = random_sentence(rand, 12);
        g_ptr_array_add(strings, id);
        g_ptr_array_add(strings, text);
        passages[i - from] = (retrieval_passage){id, "", text};
    }
    assert_true(
        retrieval_library_add_passages(library, passages, (size_t)(to - from), NULL, &error));
    assert_no_error(error);
}

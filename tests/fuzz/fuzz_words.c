/* A words file with bytes of it changed, and its checksum made right again: refused with an error, or read within its
 * bounds: looked up, ranked, summed up, merged into a next one.
 *
 * The input is text, a passage a line, up to a NUL; behind it are changes of three bytes each: a place in the file, low
 * byte first, counted from its end for the odd ones, and what to combine the byte there with. */
#include <glib.h>
#include <glib/gstdio.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "retrieval/files.h"
#include "retrieval/retrieval.h"
#include "retrieval/words_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST_TEXT = 1 << 14, N_BEST = 5 };

static char *dir, *path, *next;

static void
remove_files(void)
{
    g_unlink(path);
    g_unlink(next);
    g_rmdir(dir);
    g_free(dir);
    g_free(path);
    g_free(next);
}

/* In memory where there is such a folder: every file is brought to the disk before it is used. */
static void
make_paths(void)
{
    if (dir) return;
    const char *parent = g_file_test("/dev/shm", G_FILE_TEST_IS_DIR) ? "/dev/shm" : g_get_tmp_dir();
    dir = g_build_filename(parent, "lode-words-XXXXXX", NULL);
    if (!g_mkdtemp(dir)) abort();
    path = g_build_filename(dir, "words.index", NULL);
    next = g_build_filename(dir, "next.index", NULL);
    atexit(remove_files);
}

static void
write_text(const char *text, const retrieval_words *old, const char *to)
{
    g_autoptr(retrieval_words_builder) builder = retrieval_words_builder_new();
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    int64_t id = old ? retrieval_words_last_id(old) : 0;
    for (char **line = lines; *line && id < G_MAXINT32; line++) {
        g_autofree char *valid = g_utf8_make_valid(*line, -1);
        retrieval_words_builder_add(builder, ++id, "", "", valid);
    }
    if (!retrieval_words_write(old, NULL, NULL, builder, to, NULL)) abort();
}

static void
change(char *bytes, gsize n, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i + 3 <= size; i += 3) {
        const gsize at = (gsize)(data[i] | data[i + 1] << 8) % n;
        char *byte = bytes + (i / 3 % 2 == 0 ? at : n - 1 - at);
        *byte = (char)(*byte ^ data[i + 2]);
    }
    const gsize n_summed = n - sizeof(uint64_t); /* the checksum is last */
    const uint64_t checksum = retrieval_checksum(WORDS_MAGIC, bytes, n_summed);
    memcpy(bytes + n_summed, &checksum, sizeof checksum);
}

static gboolean
keep_odd(int64_t id, void *user_data)
{
    (void)user_data;
    return id % 2 == 1;
}

static void
use(const retrieval_words *words)
{
    static const char *const asked[] = {"lead", "tin", "of", "zz"};
    static const double idf[] = {2.0, 1.5, 0.1, 3.0};
    g_autoptr(GError) error = NULL;
    uint64_t digest;
    for (gsize i = 0; i < G_N_ELEMENTS(asked); i++)
        retrieval_words_count(words, asked[i]);
    if (retrieval_words_digest(words, keep_odd, NULL, &digest, &error) == (error != NULL)) abort();
    const retrieval_words_query query = {
        .words = asked, .idf = idf, .n = G_N_ELEMENTS(asked), .mean_length = 5, .wanted = keep_odd};
    g_autoptr(GArray) matches = g_array_new(FALSE, FALSE, sizeof(retrieval_words_match));
    retrieval_words_rank(words, &query, N_BEST, matches);
    if (matches->len > N_BEST) abort();
    for (guint i = 0; i < matches->len; i++) {
        const retrieval_words_match *m = &g_array_index(matches, retrieval_words_match, i);
        if (m->id < 1 || m->id > retrieval_words_last_id(words) || m->id % 2 == 0) abort();
        if (i > 0 && m->score > (m - 1)->score) abort();
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *bytes = NULL;
    make_paths();
    const size_t n_text = size > 0 ? strnlen((const char *)data, MIN(size, MOST_TEXT)) : 0;
    g_autofree char *text = g_strndup(size > 0 ? (const char *)data : "", n_text);
    gsize n = 0;
    write_text(text, NULL, path);
    if (!g_file_get_contents(path, &bytes, &n, NULL)) abort();
    const size_t first = MIN(n_text + 1, size);
    if (first < size) change(bytes, n, data + first, size - first);
    if (!g_file_set_contents(path, bytes, (gssize)n, NULL)) abort();

    g_autoptr(GError) error = NULL;
    g_autoptr(retrieval_words) words = retrieval_words_open(path, &error);
    if ((words == NULL) == (error == NULL)) abort();
    if (!words) return 0;
    use(words);
    write_text("tin of zinc", words, next); /* the next file is sound, whatever this one says */
    g_autoptr(retrieval_words) sound = retrieval_words_open(next, &error);
    if (!sound) abort();
    use(sound);
    return 0;
}

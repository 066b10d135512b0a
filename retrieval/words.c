/* Reading a words file: looking words up, walking through their postings, BM25 over all of them. */
#include "retrieval/words.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "retrieval/files.h"
#include "retrieval/fulltext.h"
#include "retrieval/retrieval.h"
#include "retrieval/words_private.h"

/* ---- lengths ---- */

void
words_pack_lengths(GByteArray *bytes, const uint16_t *lengths, size_t n)
{
    for (size_t at = 0; at < n; at += LENGTHS_BLOCK) {
        const size_t n_here = MIN(n - at, LENGTHS_BLOCK);
        guint low = G_MAXUINT16, high = 0, bits = 0, gap = 0;
        for (size_t i = 0; i < n_here; i++) {
            if (lengths[at + i] == 0) gap = 1;
            if (lengths[at + i] > 0) low = MIN(low, lengths[at + i]);
            high = MAX(high, lengths[at + i]);
        }
        if (high == 0) low = 0; /* gaps alone */
        while ((high - low + gap) >> bits != 0)
            bits++;
        const guint8 head[] = {(guint8)(bits | gap << 7), (guint8)(low & 0xff), (guint8)(low >> 8)};
        guint8 packed[LENGTHS_BLOCK * 17 / 8 + 4] = {0};
        for (size_t i = 0; i < n_here; i++) {
            const guint value = lengths[at + i] > 0 ? lengths[at + i] - low + gap : 0;
            for (guint b = 0; b < bits; b++)
                packed[(i * bits + b) / 8] |= (guint8)((value >> b & 1) << (i * bits + b) % 8);
        }
        g_byte_array_append(bytes, head, sizeof head);
        g_byte_array_append(bytes, packed, (guint)((n_here * bits + 7) / 8));
    }
}

gboolean
words_unpack_lengths(const uint8_t *bytes, uint64_t n_bytes, uint16_t *lengths, size_t n)
{
    enum { HEAD = 3 };
    for (size_t at = 0; at < n; at += LENGTHS_BLOCK) {
        const size_t n_here = MIN(n - at, LENGTHS_BLOCK);
        if (n_bytes < HEAD) return FALSE;
        const guint bits = bytes[0] & 0x7f, gap = bytes[0] >> 7;
        const guint low = bytes[1] | (guint)bytes[2] << 8;
        const size_t n_packed = (n_here * bits + 7) / 8;
        bytes += HEAD, n_bytes -= HEAD;
        if (bits > 17 || n_packed > n_bytes) return FALSE;
        for (size_t i = 0; i < n_here; i++) {
            guint value = 0;
            for (guint b = 0; b < bits; b++)
                value |= (guint)(bytes[(i * bits + b) / 8] >> (i * bits + b) % 8 & 1) << b;
            const guint length = gap && value == 0 ? 0 : value - gap + low;
            if (length > G_MAXUINT16) return FALSE;
            lengths[at + i] = (uint16_t)length;
        }
        bytes += n_packed, n_bytes -= n_packed;
    }
    return n_bytes == 0;
}

/* ---- opening ---- */

/* Where each part stands, when they fill the file exactly; the file is whole. */
static gboolean
find_parts(retrieval_words *words)
{
    words_trailer *t = &words->trailer;
    if (words->n_bytes < sizeof *t) return FALSE;
    uint64_t left = words->n_bytes - sizeof *t;
    memcpy(t, words->bytes + left, sizeof *t);
    if (t->magic != WORDS_MAGIC || t->last_id < 0 || t->last_id > G_MAXINT32 ||
        t->n_postings_bytes > left || t->n_postings_bytes < WORDS_PAD)
        return FALSE;
    left -= t->n_postings_bytes;
    if (t->n_vocabulary_bytes > left) return FALSE;
    left -= t->n_vocabulary_bytes;
    if (t->n_words > left) return FALSE; /* each has a byte and more, so what follows cannot wrap */
    const uint64_t n_steps = (t->n_words + WORDS_STEP - 1) / WORDS_STEP;
    const uint64_t n_lengths = (uint64_t)t->last_id + 1;
    if (n_steps * sizeof(words_step) > left) return FALSE;
    left -= n_steps * sizeof(words_step);
    words->postings = words->bytes;
    words->vocabulary = words->postings + t->n_postings_bytes;
    words->steps = words->vocabulary + t->n_vocabulary_bytes;
    words->lengths = g_try_new(uint16_t, (size_t)n_lengths);
    return words->lengths && words_unpack_lengths(words->steps + n_steps * sizeof(words_step), left,
                                                  words->lengths, (size_t)n_lengths);
}

/* The checksum is the last of the trailer. */
static gboolean
is_whole(const retrieval_words *words, int fd)
{
    uint64_t hash = WORDS_MAGIC, checksum;
    if (words->n_bytes < sizeof words->trailer) return FALSE;
    const size_t n = words->n_bytes - sizeof checksum;
    memcpy(&checksum, words->bytes + n, sizeof checksum);
    return retrieval_checksum_file(fd, n, &hash) && hash == checksum;
}

static void
words_clear(gpointer data)
{
    retrieval_words *words = data;
    if (words->bytes) munmap((void *)words->bytes, words->n_bytes);
    g_free(words->lengths);
}

retrieval_words *
retrieval_words_open(const char *path, GError **error)
{
    struct stat info;
    g_autoptr(retrieval_words) words = g_atomic_rc_box_new0(retrieval_words);
    const int fd = g_open(path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0 || fstat(fd, &info) != 0) {
        const int code = errno;
        if (fd >= 0) close(fd);
        g_set_error(error, RETRIEVAL_ERROR,
                    code == ENOENT ? RETRIEVAL_ERROR_NOT_FOUND : RETRIEVAL_ERROR_IO, "%s: %s", path,
                    g_strerror(code));
        return NULL;
    }
    words->n_bytes = info.st_size > 0 ? (size_t)info.st_size : 0;
    void *bytes =
        words->n_bytes > 0 ? mmap(NULL, words->n_bytes, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    words->bytes = bytes != MAP_FAILED ? bytes : NULL;
    const gboolean is_sound = words->bytes && is_whole(words, fd) && find_parts(words);
    close(fd);
    if (is_sound) return g_steal_pointer(&words);
    g_set_error(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_FORMAT, "%s: damaged", path);
    return NULL;
}

retrieval_words *
retrieval_words_ref(retrieval_words *words)
{
    return g_atomic_rc_box_acquire(words);
}

void
retrieval_words_unref(retrieval_words *words)
{
    if (words) g_atomic_rc_box_release_full(words, words_clear);
}

uint64_t
retrieval_words_n_chunks(const retrieval_words *words)
{
    return words->trailer.n_chunks;
}

uint64_t
retrieval_words_n_tokens(const retrieval_words *words)
{
    return words->trailer.n_tokens;
}

int64_t
retrieval_words_last_id(const retrieval_words *words)
{
    return words->trailer.last_id;
}

/* ---- the vocabulary ---- */

static gboolean
read_number(const retrieval_words *words, uint64_t *at, uint64_t *value)
{
    *value = 0;
    for (guint shift = 0; shift < 63 && *at < words->trailer.n_vocabulary_bytes; shift += 7) {
        const uint8_t byte = words->vocabulary[(*at)++];
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) return TRUE;
    }
    return FALSE;
}

gboolean
words_next(const retrieval_words *words, words_cursor *cursor, words_entry *entry)
{
    const words_trailer *t = &words->trailer;
    uint64_t common = 0, len, rice, run, often;
    if (cursor->at >= t->n_vocabulary_bytes ||
        (cursor->i++ % WORDS_STEP != 0 && !read_number(words, &cursor->at, &common)) ||
        !read_number(words, &cursor->at, &len) || len > t->n_vocabulary_bytes - cursor->at ||
        (common > 0 && common > entry->len) || len >= sizeof entry->text - common)
        return FALSE;
    memcpy(entry->text + common, words->vocabulary + cursor->at, len);
    entry->len = common + len;
    cursor->at += len;
    if (!read_number(words, &cursor->at, &entry->n) || !read_number(words, &cursor->at, &rice) ||
        !read_number(words, &cursor->at, &entry->n_bytes))
        return FALSE;
    run = rice / WORDS_RICES;
    often = run / WORDS_RICES;
    if (often >= WORDS_RICES) return FALSE;
    const uint64_t most = t->n_postings_bytes - WORDS_PAD;
    if (cursor->postings > most || entry->n_bytes > most - cursor->postings) return FALSE;
    entry->rice = (guint)(rice % WORDS_RICES);
    entry->run = (guint)(run % WORDS_RICES);
    entry->often = (guint)often;
    entry->start = cursor->postings;
    cursor->postings += entry->n_bytes;
    return TRUE;
}

static int
compare_word(const words_entry *entry, const char *word, size_t len)
{
    const int order = memcmp(entry->text, word, MIN(entry->len, len));
    return order != 0 ? order : (entry->len > len) - (entry->len < len);
}

static words_cursor
step_at(const retrieval_words *words, uint64_t i)
{
    words_step step;
    memcpy(&step, words->steps + i * sizeof step, sizeof step);
    return (words_cursor){step.vocabulary, step.postings, 0};
}

static gboolean
find_word(const retrieval_words *words, const char *word, words_entry *entry)
{
    const size_t len = strlen(word);
    uint64_t low = 0, high = (words->trailer.n_words + WORDS_STEP - 1) / WORDS_STEP;
    while (low < high) { /* the first step whose word is behind this one */
        const uint64_t middle = low + (high - low) / 2;
        words_cursor cursor = step_at(words, middle);
        if (!words_next(words, &cursor, entry)) return FALSE;
        if (compare_word(entry, word, len) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0) return FALSE;
    words_cursor cursor = step_at(words, low - 1);
    for (int i = 0; i < WORDS_STEP && words_next(words, &cursor, entry); i++) {
        const int order = compare_word(entry, word, len);
        if (order >= 0) return order == 0;
    }
    return FALSE;
}

uint64_t
retrieval_words_count(const retrieval_words *words, const char *word)
{
    words_entry entry;
    return find_word(words, word, &entry) ? entry.n : 0;
}

words_postings
words_postings_of(const retrieval_words *words, const words_entry *entry)
{
    return (words_postings){.bytes = words->postings + entry->start,
                            .end = entry->n_bytes * 8,
                            .rice = entry->rice,
                            .run = entry->run,
                            .often = entry->often,
                            .left = entry->n};
}

void
words_forget(const retrieval_words *words, uint64_t *forgotten, uint64_t postings)
{
    enum { STRETCH = 4 << 20 };
    if (postings - *forgotten < STRETCH) return;
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const uintptr_t from = (uintptr_t)(words->postings + *forgotten) & ~(page - 1);
    const uintptr_t to = (uintptr_t)(words->postings + postings) & ~(page - 1);
    madvise((void *)from, to - from, MADV_DONTNEED); /* only advice: nothing hangs on it */
    *forgotten = postings;
}

uint64_t
words_posting_digest(const char *word, size_t len, int64_t id, guint f)
{
    uint64_t hash = (uint64_t)id << 8 | f;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (uint8_t)word[i]) * UINT64_C(0x100000001b3);
    hash ^= hash >> 32;
    return hash * UINT64_C(0x9e3779b97f4a7c15);
}

gboolean
retrieval_words_digest(const retrieval_words *words, gboolean (*keep)(int64_t id, void *user_data),
                       void *user_data, uint64_t *digest, GError **error)
{
    words_cursor cursor = {0};
    words_entry entry;
    uint64_t n_words = 0, forgotten = 0;
    *digest = 0;
    while (words_next(words, &cursor, &entry)) {
        words_forget(words, &forgotten, entry.start);
        words_postings p = words_postings_of(words, &entry);
        uint64_t n = 0;
        for (; words_postings_next(&p) && p.id <= words->trailer.last_id; n++)
            if (keep(p.id, user_data))
                *digest += words_posting_digest(entry.text, entry.len, p.id, p.f);
        if (n != entry.n) break;
        n_words++;
    }
    if (n_words == words->trailer.n_words) return TRUE;
    g_set_error(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_FORMAT,
                "the index of words cannot be read through");
    return FALSE;
}

/* ---- BM25 ---- */

static void
add_scores(const retrieval_words *words, const words_entry *entry, double idf, double mean_length,
           float *scores)
{
    const int64_t last = words->trailer.last_id;
    const retrieval_bm25_length norm = retrieval_bm25_length_of(mean_length);
    const float weight = (float)(idf * norm.gain), base = (float)norm.base,
                slope = (float)norm.slope;
    words_postings p = words_postings_of(words, entry);
    while (words_postings_next(&p) && p.id <= last) {
        const float f = (float)p.f;
        scores[p.id] += weight * f / (f + base + slope * (float)words->lengths[p.id]);
    }
}

static gboolean
is_better(const retrieval_words_match *a, const retrieval_words_match *b)
{
    return a->score != b->score ? a->score > b->score : a->id < b->id;
}

/* heap [n], the worst on top: put one in the place of the top, or, at i, of an empty leaf. */
static void
sift_down(retrieval_words_match *heap, guint n, guint i, retrieval_words_match match)
{
    for (;;) {
        guint child = 2 * i + 1;
        if (child >= n) break;
        if (child + 1 < n && is_better(&heap[child], &heap[child + 1])) child++;
        if (is_better(&heap[child], &match)) break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = match;
}

static void
sift_up(retrieval_words_match *heap, guint i, retrieval_words_match match)
{
    for (; i > 0 && is_better(&heap[(i - 1) / 2], &match); i = (i - 1) / 2)
        heap[i] = heap[(i - 1) / 2];
    heap[i] = match;
}

static int
compare_matches(gconstpointer a, gconstpointer b)
{
    return is_better(a, b) ? -1 : 1;
}

void
retrieval_words_rank(const retrieval_words *words, const retrieval_words_query *query, guint n_best,
                     GArray *matches)
{
    const size_t n_ids = (size_t)words->trailer.last_id + 1;
    words_entry entry;
    g_autofree float *scores = g_try_new0(float, n_ids);
    if (!scores || n_best == 0) return;
    for (size_t i = 0; i < query->n; i++)
        if (find_word(words, query->words[i], &entry))
            add_scores(words, &entry, query->idf[i], query->mean_length, scores);
    g_autofree retrieval_words_match *heap = g_new(retrieval_words_match, n_best);
    guint n = 0;
    for (size_t id = 0; id < n_ids; id++) {
        const retrieval_words_match match = {(int64_t)id, (double)scores[id]};
        if (!(scores[id] > 0.0F) || (n == n_best && !is_better(&match, &heap[0]))) continue;
        if (query->wanted && !query->wanted(match.id, query->user_data)) continue;
        if (n < n_best) {
            sift_up(heap, n, match);
            n++;
        } else {
            sift_down(heap, n, 0, match);
        }
    }
    const guint first = matches->len;
    g_array_append_vals(matches, heap, n);
    if (n > 0)
        qsort(&g_array_index(matches, retrieval_words_match, first), n,
              sizeof(retrieval_words_match), compare_matches);
}

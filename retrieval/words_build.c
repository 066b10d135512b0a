/* Making a words file: postings gathered in memory, then merged word by word with those of the file before. */
#include <errno.h>
#include <glib/gstdio.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "retrieval/retrieval.h"
#include "retrieval/files.h"
#include "retrieval/tokens.h"
#include "retrieval/words_private.h"

/* As fulltext.c weights columns, in whole numbers: title, section, text. */
static const guint column_weights[] = {2, 1, 1};

/* ---- gathering ---- */

/* A word with its postings, each the distance to the id before it and how often, base 128. */
typedef struct {
    GByteArray *bytes;
    uint64_t n;
    int64_t last_id; /* of what is in bytes */
    int64_t id;      /* of what is still being counted */
    guint f;
    char *text;
    size_t len;
} pending_word;

typedef struct {
    int64_t id;
    uint16_t length;
} chunk_length;

struct retrieval_words_builder {
    GHashTable *words; /* text -> pending_word, owned */
    GArray *lengths;   /* of chunk_length, ids rising */
    uint64_t n_tokens;
    /* of the chunk being read */
    int64_t id;
    guint weight, length;
};

static void
pending_word_free(gpointer data)
{
    pending_word *word = data;
    g_byte_array_unref(word->bytes);
    g_free(word->text);
    g_free(word);
}

retrieval_words_builder *
retrieval_words_builder_new(void)
{
    retrieval_words_builder *builder = g_new0(retrieval_words_builder, 1);
    builder->words = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, pending_word_free);
    builder->lengths = g_array_new(FALSE, FALSE, sizeof(chunk_length));
    return builder;
}

void
retrieval_words_builder_free(retrieval_words_builder *builder)
{
    if (!builder) return;
    g_hash_table_unref(builder->words);
    g_array_unref(builder->lengths);
    g_free(builder);
}

static void
put_number(GByteArray *bytes, uint64_t value)
{
    do {
        guint8 byte = (guint8)(value & 0x7f);
        value >>= 7;
        if (value) byte |= 0x80;
        g_byte_array_append(bytes, &byte, 1);
    } while (value);
}

static void
finish_posting(pending_word *word)
{
    if (word->f == 0) return;
    put_number(word->bytes, (uint64_t)(word->id - word->last_id));
    put_number(word->bytes, MIN(word->f, WORDS_MAX_F));
    word->last_id = word->id;
    word->f = 0;
    word->n++;
}

static gboolean
add_token(const retrieval_token *token, void *user_data)
{
    retrieval_words_builder *builder = user_data;
    char key[WORDS_MAX_LEN];
    if (!token->is_colocated) builder->length++; /* as FTS5 counts */
    if (token->len == 0 || token->len >= sizeof key) return TRUE;
    memcpy(key, token->text, token->len);
    key[token->len] = '\0';
    pending_word *word = g_hash_table_lookup(builder->words, key);
    if (!word) {
        word = g_new0(pending_word, 1);
        word->bytes = g_byte_array_new();
        word->text = g_strdup(key);
        word->len = strlen(key);
        g_hash_table_insert(builder->words, word->text, word);
    }
    if (word->id != builder->id) {
        finish_posting(word);
        word->id = builder->id;
    }
    word->f += builder->weight;
    return TRUE;
}

void
retrieval_words_builder_add(retrieval_words_builder *builder, int64_t id, const char *title,
                            const char *section, const char *text)
{
    const char *const columns[] = {title, section, text};
    g_assert(id > 0 && id <= G_MAXINT32);
    builder->id = id;
    builder->length = 0;
    for (gsize i = 0; i < G_N_ELEMENTS(columns); i++) {
        builder->weight = column_weights[i];
        if (columns[i]) retrieval_tokenize(columns[i], strlen(columns[i]), add_token, builder);
    }
    const chunk_length length = {id, (uint16_t)CLAMP(builder->length, 1, G_MAXUINT16)};
    g_array_append_val(builder->lengths, length);
}

/* The postings of a pending word, as those of a file are read. */
typedef struct {
    const uint8_t *at, *end;
    int64_t id;
    guint f;
} pending_postings;

static uint64_t
get_number(pending_postings *p)
{
    uint64_t value = 0;
    for (guint shift = 0; p->at < p->end; shift += 7) {
        const uint8_t byte = *p->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) break;
    }
    return value;
}

static pending_postings
pending_postings_of(pending_word *word)
{
    finish_posting(word);
    return (pending_postings){word->bytes->data, word->bytes->data + word->bytes->len, 0, 0};
}

static gboolean
pending_next(pending_postings *p)
{
    if (p->at == p->end) return FALSE;
    p->id += (int64_t)get_number(p);
    p->f = (guint)get_number(p);
    return TRUE;
}

uint64_t
retrieval_words_builder_digest(retrieval_words_builder *builder)
{
    uint64_t digest = 0;
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, builder->words);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        pending_word *word = value;
        pending_postings p = pending_postings_of(word);
        while (pending_next(&p))
            digest += words_posting_digest(word->text, word->len, p.id, p.f);
    }
    return digest;
}

/* ---- writing ---- */

typedef struct {
    int64_t id;
    guint f;
} posting;

typedef struct {
    FILE *file;
    uint64_t n_postings_bytes;
    GByteArray *vocabulary;
    GArray *steps; /* of words_step */
    uint64_t n_words;
    char last[WORDS_MAX_LEN]; /* the word before */
    size_t last_len;
    GArray *postings; /* of posting: of the word at hand */
    GByteArray *bits;
    uint64_t window;
    guint n_window; /* bits of it that are filled, fewer than 8 between calls */
    gboolean (*keep)(int64_t id, void *user_data);
    void *user_data;
} words_writer;

static void
put_bits(words_writer *w, uint64_t value, guint n)
{
    w->window |= value << w->n_window; /* n <= 56 */
    w->n_window += n;
    while (w->n_window >= 8) {
        const guint8 byte = (guint8)w->window;
        g_byte_array_append(w->bits, &byte, 1);
        w->window >>= 8;
        w->n_window -= 8;
    }
}

/* Bits of a number. */
static guint
rice_cost(uint64_t value, guint rice)
{
    const uint64_t ones = value >> rice;
    return ones < RICE_ESCAPE ? (guint)ones + 1 + rice : RICE_ESCAPE + 32;
}

static void
put_rice(words_writer *w, uint64_t value, guint rice)
{
    const uint64_t ones = value >> rice;
    if (ones < RICE_ESCAPE) {
        put_bits(w, (UINT64_C(1) << ones) - 1, (guint)ones + 1);
        put_bits(w, value & ((UINT64_C(1) << rice) - 1), rice);
    } else {
        put_bits(w, (UINT64_C(1) << RICE_ESCAPE) - 1, RICE_ESCAPE);
        put_bits(w, value, 32);
    }
}

/* The postings from i on that have the word once. */
static guint
count_once(const words_writer *w, guint i)
{
    guint n = 0;
    while (i + n < w->postings->len && g_array_index(w->postings, posting, i + n).f == 1)
        n++;
    return n;
}

/* Near the parameter that is best for numbers of a geometric distribution: ln 2 of their mean. */
static guint
likely_rice(double mean)
{
    guint rice = 0;
    while (rice < 24 && (double)(UINT64_C(2) << rice) <= mean * 0.6931)
        rice++;
    return rice;
}

/* The best of that one and its neighbours, for the distances of the postings at hand. */
static guint
rice_of_distances(const words_writer *w)
{
    const guint n = w->postings->len;
    const guint likely = likely_rice((double)g_array_index(w->postings, posting, n - 1).id / n);
    const guint first = likely > 0 ? likely - 1 : 0;
    uint64_t cost[3] = {0};
    int64_t before = 0;
    for (guint i = 0; i < n; i++) {
        const int64_t id = g_array_index(w->postings, posting, i).id;
        for (guint k = 0; k < G_N_ELEMENTS(cost); k++)
            cost[k] += rice_cost((uint64_t)(id - before - 1), first + k);
        before = id;
    }
    guint best = 0;
    for (guint k = 1; k < G_N_ELEMENTS(cost); k++)
        if (cost[k] < cost[best]) best = k;
    return first + best;
}

/* Of runs of passages that have the word once, and of how often the others have it, less two. */
static void
rices_of_counts(const words_writer *w, guint *run, guint *often)
{
    uint64_t n_often = 0, sum = 0;
    for (guint i = 0; i < w->postings->len; i++) {
        const guint f = g_array_index(w->postings, posting, i).f;
        if (f == 1) continue;
        n_often++;
        sum += f - 2;
    }
    *run = likely_rice((double)(w->postings->len - n_often) / (double)(n_often + 1));
    *often = n_often > 0 ? likely_rice((double)sum / (double)n_often) : 0;
}

static void
encode(words_writer *w, guint rice, guint run, guint often)
{
    int64_t before = 0;
    guint once = count_once(w, 0);
    g_byte_array_set_size(w->bits, 0);
    put_rice(w, once, run);
    for (guint i = 0; i < w->postings->len; i++) {
        const posting *p = &g_array_index(w->postings, posting, i);
        put_rice(w, (uint64_t)(p->id - before - 1), rice);
        before = p->id;
        if (once > 0) {
            once--;
            continue;
        }
        put_rice(w, p->f - 2, often);
        if (i + 1 == w->postings->len) break;
        once = count_once(w, i + 1);
        put_rice(w, once, run);
    }
    if (w->n_window > 0) put_bits(w, 0, 8 - w->n_window);
}

/* text is not the one that is kept. */
static void
put_word(words_writer *w, const char *text, size_t len)
{
    size_t common = 0;
    if (w->n_words % WORDS_STEP != 0) {
        while (common < MIN(len, w->last_len) && text[common] == w->last[common])
            common++;
        put_number(w->vocabulary, common);
    }
    put_number(w->vocabulary, len - common);
    g_byte_array_append(w->vocabulary, (const guint8 *)text + common, (guint)(len - common));
    memcpy(w->last, text, len);
    w->last_len = len;
}

/* The word whose postings are at hand. */
static gboolean
write_word(words_writer *w, const char *text, size_t len)
{
    const guint n = w->postings->len;
    if (n == 0) return TRUE; /* all of its chunks are gone */
    const guint rice = rice_of_distances(w);
    guint run, often;
    rices_of_counts(w, &run, &often);
    encode(w, rice, run, often);
    if (w->n_words % WORDS_STEP == 0) {
        const words_step step = {w->vocabulary->len, w->n_postings_bytes};
        g_array_append_val(w->steps, step);
    }
    put_word(w, text, len);
    w->n_words++;
    put_number(w->vocabulary, n);
    put_number(w->vocabulary, rice + WORDS_RICES * (run + WORDS_RICES * often));
    put_number(w->vocabulary, w->bits->len);
    w->n_postings_bytes += w->bits->len;
    return fwrite(w->bits->data, 1, w->bits->len, w->file) == w->bits->len;
}

/* Postings of the file's word (NULL: none) that are kept and of the pending one (NULL: none), by id. */
static void
join_postings(words_writer *w, const retrieval_words *old, const words_entry *entry,
              pending_word *word)
{
    words_postings kept = {0};
    pending_postings added = {0};
    if (entry) kept = words_postings_of(old, entry);
    if (word) added = pending_postings_of(word);
    gboolean has_added = word && pending_next(&added);
    g_array_set_size(w->postings, 0);
    while (entry && words_postings_next(&kept) && kept.id <= old->trailer.last_id) {
        if (!w->keep(kept.id, w->user_data)) continue;
        for (; has_added && added.id < kept.id; has_added = pending_next(&added)) {
            const posting p = {added.id, added.f};
            g_array_append_val(w->postings, p);
        }
        const posting p = {kept.id, kept.f};
        g_array_append_val(w->postings, p);
    }
    for (; has_added; has_added = pending_next(&added)) {
        const posting p = {added.id, added.f};
        g_array_append_val(w->postings, p);
    }
}

static int
compare_pending(gconstpointer a, gconstpointer b)
{
    return strcmp((*(pending_word *const *)a)->text, (*(pending_word *const *)b)->text);
}

static GPtrArray *
sorted_words(retrieval_words_builder *builder)
{
    GPtrArray *list = g_ptr_array_new();
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, builder->words);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        g_ptr_array_add(list, value);
    g_ptr_array_sort(list, compare_pending);
    return list;
}

/* Both vocabularies are in the order of their bytes. */
static gboolean
write_words(words_writer *w, const retrieval_words *old, retrieval_words_builder *builder)
{
    g_autoptr(GPtrArray) list = sorted_words(builder);
    words_cursor cursor = {0};
    words_entry entry;
    uint64_t forgotten = 0;
    gboolean has_entry = old && words_next(old, &cursor, &entry), done = TRUE;
    for (guint i = 0; done && (has_entry || i < list->len);) {
        pending_word *word = i < list->len ? list->pdata[i] : NULL;
        int order = has_entry ? -1 : 1;
        if (has_entry && word) {
            order = memcmp(entry.text, word->text, MIN(entry.len, word->len));
            if (order == 0) order = (entry.len > word->len) - (entry.len < word->len);
        }
        const gboolean takes_entry = has_entry && order <= 0, takes_word = word && order >= 0;
        if (takes_entry) words_forget(old, &forgotten, entry.start);
        join_postings(w, old, takes_entry ? &entry : NULL, takes_word ? word : NULL);
        done = takes_entry ? write_word(w, entry.text, entry.len)
                           : write_word(w, word->text, word->len);
        if (takes_entry) has_entry = words_next(old, &cursor, &entry);
        if (takes_word) i++;
    }
    return done;
}

/* [last id + 1], NULL where there is no memory. */
static uint16_t *
join_lengths(const words_writer *w, const retrieval_words *old,
             const retrieval_words_builder *builder, words_trailer *trailer)
{
    const GArray *added = builder->lengths;
    if (old) trailer->last_id = old->trailer.last_id;
    if (added->len > 0)
        trailer->last_id =
            MAX(trailer->last_id, g_array_index(added, chunk_length, added->len - 1).id);
    const size_t n = (size_t)trailer->last_id + 1;
    uint16_t *lengths = g_try_new0(uint16_t, n);
    if (!lengths) return NULL;
    if (old) memcpy(lengths, old->lengths, ((size_t)old->trailer.last_id + 1) * sizeof *lengths);
    for (size_t i = 0; old && i <= (size_t)old->trailer.last_id; i++)
        if (lengths[i] > 0 && !w->keep((int64_t)i, w->user_data)) lengths[i] = 0;
    for (guint i = 0; i < added->len; i++) {
        const chunk_length *l = &g_array_index(added, chunk_length, i);
        lengths[l->id] = l->length;
    }
    for (size_t i = 0; i < n; i++) {
        trailer->n_chunks += lengths[i] > 0 ? 1 : 0;
        trailer->n_tokens += lengths[i];
    }
    return lengths;
}

/* An empty array may have no bytes at all, and fwrite must be given some. */
static gboolean
put_items(FILE *file, const void *items, size_t size, size_t n)
{
    return n == 0 || fwrite(items, size, n, file) == n;
}

static gboolean
write_parts(words_writer *w, const retrieval_words *old, retrieval_words_builder *builder,
            words_trailer *trailer)
{
    static const uint8_t pad[WORDS_PAD];
    g_autofree uint16_t *lengths = join_lengths(w, old, builder, trailer);
    if (!lengths || !write_words(w, old, builder)) return FALSE;
    const size_t n_ids = (size_t)trailer->last_id + 1;
    trailer->n_postings_bytes = w->n_postings_bytes + sizeof pad;
    trailer->n_vocabulary_bytes = w->vocabulary->len;
    trailer->n_words = w->n_words;
    g_autoptr(GByteArray) packed = g_byte_array_new();
    words_pack_lengths(packed, lengths, n_ids);
    return put_items(w->file, pad, sizeof pad, 1) &&
           put_items(w->file, w->vocabulary->data, 1, w->vocabulary->len) &&
           put_items(w->file, w->steps->data, sizeof(words_step), w->steps->len) &&
           put_items(w->file, packed->data, 1, packed->len);
}

static gboolean
write_trailer(FILE *file, words_trailer *trailer)
{
    if (fwrite(trailer, offsetof(words_trailer, checksum), 1, file) != 1 || fflush(file) != 0)
        return FALSE;
    const size_t n = (size_t)ftello(file);
    trailer->checksum = WORDS_MAGIC;
    return retrieval_checksum_file(fileno(file), n, &trailer->checksum) &&
           fwrite(&trailer->checksum, sizeof trailer->checksum, 1, file) == 1 &&
           fflush(file) == 0 && fsync(fileno(file)) == 0;
}

static gboolean
keep_all(int64_t id, void *user_data)
{
    (void)id, (void)user_data;
    return TRUE;
}

gboolean
retrieval_words_write(const retrieval_words *old, gboolean (*keep)(int64_t id, void *user_data),
                      void *user_data, retrieval_words_builder *builder, const char *path,
                      GError **error)
{
    words_trailer trailer = {.magic = WORDS_MAGIC};
    g_autofree char *temporary = g_strconcat(path, ".tmp", NULL);
    FILE *file = g_fopen(temporary, "w+be");
    gboolean done = file != NULL;
    if (file) {
        g_autoptr(GByteArray) vocabulary = g_byte_array_new(), bits = g_byte_array_new();
        g_autoptr(GArray) steps = g_array_new(FALSE, FALSE, sizeof(words_step));
        g_autoptr(GArray) postings = g_array_new(FALSE, FALSE, sizeof(posting));
        words_writer w = {.file = file,
                          .vocabulary = vocabulary,
                          .steps = steps,
                          .postings = postings,
                          .bits = bits,
                          .keep = keep ? keep : keep_all,
                          .user_data = user_data};
        done = write_parts(&w, old, builder, &trailer) && write_trailer(file, &trailer);
        if (fclose(file) != 0) done = FALSE;
    }
    if (done && g_rename(temporary, path) == 0 && retrieval_sync_folder(path)) return TRUE;
    g_set_error(error, RETRIEVAL_ERROR, RETRIEVAL_ERROR_IO, "%s: cannot write: %s", path,
                g_strerror(errno));
    g_unlink(temporary);
    return FALSE;
}

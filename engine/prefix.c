/* The prefix cache: blocks of tokens in memory, chained by hash, least recently used first out.
 *
 *     key(block) = SHA-256(key(parent), n_tokens, tokens);  key of no tokens = SHA-256(identity, rope base)
 *
 * A block is a page's worth of tokens or, at the end of a text, fewer. It holds its page, so that the page outlives
 * the sequence that filled it; a sequence that goes on writing copies it first (engine_kv_reserve). A model with
 * recurrent layers can only continue where a state was kept: such blocks carry one. Tokens are compared, not only
 * their hash. */
#include "engine/prefix.h"

#include "engine/kv_private.h"
#include "engine/placement.h"

#include <string.h>

#define MOST_INTERVAL 32 /* pages between two states */
/* To be raised when a kernel rounds otherwise than before: what a store holds is then no cold run's any more. */
#define ARITHMETIC 2
#define SAMPLE     64 /* bytes of a tensor's data that enter the identity, at each of 4 places */

typedef struct {
    engine_prefix_key key, parent;
    uint32_t n_tokens;
    int32_t tokens[ENGINE_KV_PAGE];
    uint32_t page;  /* number in the KV cache, held */
    uint8_t *state; /* owned; NULL: none */
    GList link;     /* in cache->used; data is the entry */
} entry;

struct engine_prefix_cache {
    engine_kv *kv;
    size_t state_bytes;
    uint64_t states_kept, most_kept; /* bytes */
    engine_prefix_key identity;
    engine_prefix_store *store;
    GHashTable *entries; /* key -> entry, owned */
    GQueue used;         /* most recently used first */
};

static guint
hash_key(gconstpointer key)
{
    guint hash;
    memcpy(&hash, ((const engine_prefix_key *)key)->bytes, sizeof hash);
    return hash;
}

static gboolean
equal_keys(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, sizeof(engine_prefix_key)) == 0;
}

/* ---- keys ---- */

static engine_prefix_key
finish_key(GChecksum *sum)
{
    engine_prefix_key key;
    gsize len = sizeof key.bytes;

    g_checksum_get_digest(sum, key.bytes, &len);
    g_checksum_free(sum);
    return key;
}

static void
add(GChecksum *sum, const void *bytes, size_t n)
{
    for (const guchar *p = bytes; n > 0;) { /* GLib takes a gssize */
        const size_t step = MIN(n, 1u << 30);
        g_checksum_update(sum, p, (gssize)step);
        p += step;
        n -= step;
    }
}

static void
add_string(GChecksum *sum, const char *s)
{
    add(sum, s, strlen(s) + 1);
}

static engine_prefix_key
root_key(const engine_prefix_cache *cache, float rope_base)
{
    GChecksum *sum = g_checksum_new(G_CHECKSUM_SHA256);

    add(sum, cache->identity.bytes, sizeof cache->identity);
    add(sum, &rope_base, sizeof rope_base);
    return finish_key(sum);
}

static engine_prefix_key
block_key(const engine_prefix_key *parent, const int32_t *tokens, uint32_t n)
{
    GChecksum *sum = g_checksum_new(G_CHECKSUM_SHA256);

    add(sum, parent->bytes, sizeof *parent);
    add(sum, &n, sizeof n);
    add(sum, tokens, n * sizeof *tokens);
    return finish_key(sum);
}

engine_prefix_key
engine_prefix_identity(const engine_model *model, const engine_kv_shape *shape,
                       const engine_placement *placement)
{
    GChecksum *sum = g_checksum_new(G_CHECKSUM_SHA256);
    const engine_weights *weights = model->weights;
    const uint32_t layout[] = {ARITHMETIC, ENGINE_KV_PAGE, ENGINE_KV_TILE,
                               (uint32_t)model->kernels->cpu};

    add_string(sum, LODE_VERSION);
    add(sum, layout, sizeof layout);
    add(sum, shape, sizeof *shape);
    if (placement) { /* other arithmetic, and other bytes in a page */
        const engine_decoder *d = model->arch;
        add_string(sum, placement->device->ops->name);
        add(sum, placement->layers, d->n_layers * sizeof *placement->layers);
        add(sum, &placement->experts, sizeof placement->experts);
        add(sum, &placement->output, sizeof placement->output);
    }
    for (size_t i = 0; i < engine_weights_n_metadata(weights); i++) {
        const engine_metadata meta = engine_weights_metadata_at(weights, i);
        if (g_str_has_prefix(meta.key, "tokenizer.")) continue; /* long, and tokens are compared */
        add_string(sum, meta.key);
        add(sum, meta.payload, meta.len);
    }
    if (engine_weights_config(weights)) {
        char *text = json_dumps(engine_weights_config(weights), JSON_SORT_KEYS | JSON_COMPACT);
        if (text) add_string(sum, text);
        free(text);
    }
    for (size_t i = 0; i < engine_weights_n_tensors(weights); i++) {
        const engine_tensor *t = engine_weights_tensor_at(weights, i);
        const size_t n = MIN(t->n_bytes, SAMPLE);
        add_string(sum, t->name);
        add(sum, &t->type, sizeof t->type);
        add(sum, t->dims, sizeof t->dims);
        for (size_t place = 0; place < 4; place++)
            add(sum, t->data + (t->n_bytes - n) / 3 * place, n);
    }
    return finish_key(sum);
}

/* ---- entries ---- */

static void
drop_state(engine_prefix_cache *cache, entry *e)
{
    if (!e->state) return;
    g_clear_pointer(&e->state, g_free);
    cache->states_kept -= cache->state_bytes;
}

static void
drop_entry(engine_prefix_cache *cache, entry *e)
{
    drop_state(cache, e);
    engine_kv_page_drop(cache->kv, e->page);
    g_queue_unlink(&cache->used, &e->link);
    g_hash_table_remove(cache->entries, &e->key);
    g_free(e);
}

/* A block and those before it were used; the last is let go first, or the rest would be out of reach. */
static void
touch_chain(engine_prefix_cache *cache, const engine_prefix_key *key)
{
    entry *e;

    for (; (e = g_hash_table_lookup(cache->entries, key)); key = &e->parent) {
        g_queue_unlink(&cache->used, &e->link);
        g_queue_push_head_link(&cache->used, &e->link);
    }
}

engine_prefix_cache *
engine_prefix_cache_new(engine_kv *kv, size_t state_bytes, uint64_t most_bytes,
                        const engine_prefix_key *identity, engine_prefix_store *store)
{
    engine_prefix_cache *cache = g_new0(engine_prefix_cache, 1);

    cache->kv = kv;
    cache->state_bytes = state_bytes;
    cache->most_kept = most_bytes;
    cache->identity = *identity;
    cache->store = store;
    cache->entries = g_hash_table_new(hash_key, equal_keys);
    g_queue_init(&cache->used);
    return cache;
}

void
engine_prefix_cache_free(engine_prefix_cache *cache)
{
    if (!cache) return;
    while (cache->used.tail)
        drop_entry(cache, cache->used.tail->data);
    g_hash_table_unref(cache->entries);
    g_free(cache);
}

uint32_t
engine_prefix_n_entries(const engine_prefix_cache *cache)
{
    return cache->used.length;
}

uint32_t
engine_prefix_interval(const engine_prefix_cache *cache)
{
    if (cache->state_bytes == 0) return 0;
    const size_t page = cache->kv->layout.page;
    const size_t n = cache->state_bytes / page + (cache->state_bytes % page != 0);
    return (uint32_t)MIN(n, MOST_INTERVAL) * ENGINE_KV_PAGE;
}

gboolean
engine_prefix_reserve(engine_prefix_cache *cache, engine_kv_table *table, uint32_t n_tokens,
                      GError **error)
{
    while (!engine_kv_reserve(cache->kv, table, n_tokens, NULL)) {
        /* letting go of a page others hold too frees nothing, but may spare a copy */
        if (!cache->used.tail) return engine_kv_reserve(cache->kv, table, n_tokens, error);
        drop_entry(cache, cache->used.tail->data);
    }
    return TRUE;
}

/* Room for one more state: those used longest ago go. NULL when there is none. */
static uint8_t *
new_state(engine_prefix_cache *cache)
{
    if (cache->state_bytes > cache->most_kept) return NULL;
    for (GList *l = cache->used.tail;
         l && cache->states_kept + cache->state_bytes > cache->most_kept; l = l->prev)
        drop_state(cache, l->data);
    uint8_t *state = g_try_malloc(cache->state_bytes);
    if (state) cache->states_kept += cache->state_bytes;
    return state;
}

static entry *
lookup(const engine_prefix_cache *cache, const engine_prefix_key *key, const int32_t *tokens,
       uint32_t n)
{
    entry *e = g_hash_table_lookup(cache->entries, key);

    return e && e->n_tokens == n && memcmp(e->tokens, tokens, n * sizeof *tokens) == 0 ? e : NULL;
}

static entry *
add_entry(engine_prefix_cache *cache, const engine_prefix_key *key, const engine_prefix_key *parent,
          const int32_t *tokens, uint32_t n, const engine_kv_table *table, uint32_t page)
{
    entry *e = g_new0(entry, 1);

    e->key = *key;
    e->parent = *parent;
    e->n_tokens = n;
    memcpy(e->tokens, tokens, n * sizeof *tokens);
    e->page = engine_kv_page_hold(cache->kv, table, page);
    e->link.data = e;
    g_hash_table_replace(cache->entries, &e->key, e);
    g_queue_push_head_link(&cache->used, &e->link);
    return e;
}

static engine_prefix_block
block_of(const engine_prefix_cache *cache, const engine_prefix_key *key,
         const engine_prefix_key *parent, const int32_t *tokens, uint32_t n)
{
    return (engine_prefix_block){.key = *key,
                                 .parent = *parent,
                                 .n_tokens = n,
                                 .tokens = tokens,
                                 .page_bytes = cache->kv->layout.page,
                                 .state_bytes = cache->state_bytes};
}

/* Bring a block in from disk as a new page at the end of the table; NULL when it is not there or no page is free. */
static entry *
load_entry(engine_prefix_cache *cache, const engine_prefix_key *key,
           const engine_prefix_key *parent, const int32_t *tokens, uint32_t n,
           engine_kv_table *table)
{
    if (!cache->store) return NULL;
    const engine_prefix_block expected = block_of(cache, key, parent, tokens, n);
    g_autoptr(engine_prefix_file) file = engine_prefix_store_get(cache->store, &expected);
    const uint32_t page = table->n_pages;

    if (!file || !engine_prefix_reserve(cache, table, (page + 1) * ENGINE_KV_PAGE, NULL))
        return NULL;
    engine_kv_page_write(cache->kv, table, page, file->block.page);
    table->n_tokens = page * ENGINE_KV_PAGE + n;
    entry *e = add_entry(cache, key, parent, tokens, n, table, page);
    if (file->block.state && (e->state = new_state(cache)))
        memcpy(e->state, file->block.state, cache->state_bytes);
    return e;
}

/* ---- matching ---- */

/* A block in memory or on disk, its page added to the table. */
static entry *
take_block(engine_prefix_cache *cache, const engine_prefix_key *parent, const int32_t *tokens,
           uint32_t n, engine_kv_table *table, engine_prefix_key *key)
{
    *key = block_key(parent, tokens, n);
    entry *e = lookup(cache, key, tokens, n);
    if (!e) return load_entry(cache, key, parent, tokens, n, table);
    engine_kv_page_attach(cache->kv, table, e->page);
    table->n_tokens -= ENGINE_KV_PAGE - n;
    return e;
}

uint32_t
engine_prefix_match(engine_prefix_cache *cache, const int32_t *tokens, uint32_t n,
                    engine_sequence_state *into)
{
    const gboolean recurrent = cache->state_bytes > 0;
    /* without a state to match, the last token's row can be computed anew beside those that were stored */
    const uint32_t most = recurrent && n > 0 ? n - 1 : n;
    engine_prefix_key parent = root_key(cache, into->rope_base), key;
    uint32_t done = 0, usable = 0, step = ENGINE_KV_PAGE;

    g_assert(into->kv.n_pages == 0);
    while (step > 0 && done < most) {
        step = MIN(step, most - done);
        const entry *e = take_block(cache, &parent, tokens + done, step, &into->kv, &key);
        if (!e) { /* perhaps the stored text ended here, inside a block */
            step--;
            continue;
        }
        done += step;
        parent = key;
        if (e->state) engine_recurrent_write(into->recurrent, e->state); /* may be let go below */
        if (!recurrent || e->state) usable = done;
        if (step < ENGINE_KV_PAGE) break;
    }
    touch_chain(cache, &parent);
    if (usable == n && n > 0) usable--;
    engine_kv_truncate(cache->kv, &into->kv, usable);
    return usable;
}

/* ---- keeping ---- */

/* A page where it lies, or as a copy when part of it is on a device; NULL when there is no memory for one. */
static const uint8_t *
bytes_of_page(const engine_kv *kv, uint32_t number, uint8_t **copy)
{
    if (kv->device_page == 0) return kv->arena + number * kv->host_page;
    *copy = g_try_malloc(kv->layout.page);
    if (*copy) engine_kv_read_number(kv, number, *copy);
    return *copy;
}

void
engine_prefix_insert(engine_prefix_cache *cache, const int32_t *tokens, uint32_t n,
                     const engine_sequence_state *from)
{
    engine_prefix_key parent = root_key(cache, from->rope_base);

    g_assert(n <= from->kv.n_tokens);
    for (uint32_t done = 0; done < n;) {
        const uint32_t step = MIN(n - done, ENGINE_KV_PAGE), page = done / ENGINE_KV_PAGE;
        const engine_prefix_key key = block_key(&parent, tokens + done, step);
        entry *e = lookup(cache, &key, tokens + done, step);
        gboolean fresh = e == NULL;
        if (!e) e = add_entry(cache, &key, &parent, tokens + done, step, &from->kv, page);
        if (done + step == n && cache->state_bytes > 0 && !e->state &&
            (e->state = new_state(cache))) {
            engine_recurrent_read(from->recurrent, e->state);
            fresh = TRUE;
        }
        if (fresh && cache->store) {
            engine_prefix_block block = block_of(cache, &key, &parent, tokens + done, step);
            g_autofree uint8_t *copy = NULL;
            block.page = bytes_of_page(cache->kv, e->page, &copy);
            block.state = e->state;
            if (block.page) (void)engine_prefix_store_put(cache->store, &block);
        }
        parent = key;
        done += step;
    }
    touch_chain(cache, &parent);
}

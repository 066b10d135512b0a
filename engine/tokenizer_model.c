/* A tokenizer from SentencePiece's tokenizer.model: a protocol buffer (sentencepiece_model.proto), read here
 * as far as encoding needs it.
 *
 *   ModelProto      1 pieces*  2 trainer_spec  3 normalizer_spec
 *   piece           1 text  2 score (float)  3 type (as tokenizer.ggml.token_type)
 *   trainer_spec    3 model_type (1 unigram, 2 BPE)  24 treat_whitespace_as_suffix
 *                   40 unk_id  41 bos_id  42 eos_id  43 pad_id
 *   normalizer_spec 2 precompiled_charsmap  3 add_dummy_prefix  4 remove_extra_whitespaces
 *
 * A field is a varint key (number << 3 | wire type) and its value. Unknown fields are skipped; the last of
 * several values counts. tokenizer_config.json may put added tokens in the place of pieces. */
#include "engine/tokenizer_json.h"

#include <string.h>

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

typedef struct {
    const uint8_t *at, *end;
    gboolean bad;
} proto;

typedef struct {
    uint32_t number, wire;
    uint64_t value; /* of VARINT, and the bits of 32 and 64 */
    proto bytes;    /* of BYTES */
} proto_field;

static uint64_t
read_varint(proto *p)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && p->at < p->end; shift += 7) {
        const uint8_t b = *p->at++;
        value |= (uint64_t)(b & 0x7F) << shift;
        if (!(b & 0x80)) return value;
    }
    p->bad = TRUE;
    return 0;
}

static uint64_t
read_fixed(proto *p, size_t n)
{
    uint64_t value = 0;
    if ((size_t)(p->end - p->at) < n) {
        p->bad = TRUE;
        return 0;
    }
    for (size_t i = 0; i < n; i++)
        value |= (uint64_t)p->at[i] << (8 * i);
    p->at += n;
    return value;
}

/* FALSE at the end of the message, and with p->bad where it is malformed. */
static gboolean
next_field(proto *p, proto_field *f)
{
    if (p->bad || p->at == p->end) return FALSE;
    const uint64_t key = read_varint(p);
    *f = (proto_field){(uint32_t)(key >> 3), (uint32_t)key & 7, 0, {0}};
    switch (f->wire) {
    case WIRE_VARINT:
        f->value = read_varint(p);
        break;
    case WIRE_64:
        f->value = read_fixed(p, 8);
        break;
    case WIRE_32:
        f->value = read_fixed(p, 4);
        break;
    case WIRE_BYTES: {
        const uint64_t n = read_varint(p);
        if (p->bad || n > (uint64_t)(p->end - p->at)) {
            p->bad = TRUE;
            break;
        }
        f->bytes = (proto){p->at, p->at + n, FALSE};
        p->at += n;
        break;
    }
    default: /* groups, which this format has never used */
        p->bad = TRUE;
    }
    return !p->bad;
}

typedef struct {
    GArray *pieces; /* of piece */
    int64_t model_type, unk, bos, eos, pad;
    gboolean suffix, dummy_prefix, remove_extra;
    proto charsmap;
} model_proto;

typedef struct {
    proto text;
    float score;
    uint32_t type;
} piece;

static float
float_of(uint64_t bits)
{
    const uint32_t low = (uint32_t)bits;
    float value;
    memcpy(&value, &low, sizeof value);
    return value;
}

static gboolean
read_piece(proto message, GArray *pieces)
{
    piece p = {.type = TOKENIZER_TYPE_NORMAL};
    proto_field f;
    while (next_field(&message, &f)) {
        if (f.number == 1 && f.wire == WIRE_BYTES) p.text = f.bytes;
        if (f.number == 2 && f.wire == WIRE_32) p.score = float_of(f.value);
        if (f.number == 3 && f.wire == WIRE_VARINT) p.type = (uint32_t)MIN(f.value, 255);
    }
    if (message.bad || pieces->len >= TOKENIZER_MAX_VOCAB) return FALSE;
    if (p.type < TOKENIZER_TYPE_NORMAL || p.type > TOKENIZER_TYPE_BYTE) return FALSE;
    g_array_append_val(pieces, p);
    return TRUE;
}

static gboolean
read_trainer(proto message, model_proto *m)
{
    proto_field f;
    while (next_field(&message, &f)) {
        if (f.wire != WIRE_VARINT) continue;
        const int64_t value = (int64_t)f.value; /* int32 fields are sign-extended */
        if (f.number == 3) m->model_type = value;
        if (f.number == 24) m->suffix = value != 0;
        if (f.number == 40) m->unk = value;
        if (f.number == 41) m->bos = value;
        if (f.number == 42) m->eos = value;
        if (f.number == 43) m->pad = value;
    }
    return !message.bad;
}

static gboolean
read_normalizer(proto message, model_proto *m)
{
    proto_field f;
    while (next_field(&message, &f)) {
        if (f.number == 2 && f.wire == WIRE_BYTES) m->charsmap = f.bytes;
        if (f.number == 3 && f.wire == WIRE_VARINT) m->dummy_prefix = f.value != 0;
        if (f.number == 4 && f.wire == WIRE_VARINT) m->remove_extra = f.value != 0;
    }
    return !message.bad;
}

static gboolean
read_model(proto message, model_proto *m)
{
    proto_field f;
    while (next_field(&message, &f)) {
        gboolean ok = TRUE;
        if (f.wire != WIRE_BYTES) continue;
        if (f.number == 1) ok = read_piece(f.bytes, m->pieces);
        if (f.number == 2) ok = read_trainer(f.bytes, m);
        if (f.number == 3) ok = read_normalizer(f.bytes, m);
        if (!ok) return FALSE;
    }
    return !message.bad && m->pieces->len > 0;
}

static size_t
length(proto p)
{
    return (size_t)(p.end - p.at);
}

/* Pieces whose place an added token has taken stay out. */
static gboolean
set_pieces(engine_tokenizer *t, const model_proto *m, GError **error)
{
    for (guint i = 0; i < m->pieces->len; i++) {
        const piece *p = &g_array_index(m->pieces, piece, i);
        if (i < t->tokens->len && g_array_index(t->tokens, tokenizer_token, i).len > 0) continue;
        const unsigned flags = p->type == TOKENIZER_TYPE_USER ? TOKENIZER_PIECE : 0;
        const char *text = p->text.at ? (const char *)p->text.at : "";
        if (!tokenizer_set_token(t, i, text, length(p->text), (tokenizer_type)p->type, flags,
                                 error))
            return FALSE;
    }
    return tokenizer_build_maps(t, error);
}

static gboolean
build(engine_tokenizer *t, const model_proto *m, GError **error)
{
    g_autofree float *scores = g_new0(float, t->tokens->len);
    for (guint i = 0; i < m->pieces->len; i++)
        scores[i] = g_array_index(m->pieces, piece, i).score;
    if (t->kind == TOKENIZER_KIND_SPM) return tokenizer_spm_build(t, scores, error);
    g_autofree double *wide = g_new(double, t->tokens->len);
    for (guint i = 0; i < t->tokens->len; i++)
        wide[i] = (double)scores[i];
    t->spm.single = TRUE;
    return tokenizer_unigram_build(t, wide, error);
}

static int32_t
checked_id(const engine_tokenizer *t, int64_t id)
{
    return id >= 0 && id < (int64_t)t->tokens->len ? (int32_t)id : -1;
}

static gboolean
flag(const json_t *config, const char *key, gboolean otherwise)
{
    const json_t *value = json_object_get(config, key);
    return json_is_boolean(value) ? json_is_true(value) : otherwise;
}

static void
set_specials(engine_tokenizer *t, const model_proto *m, const json_t *tokenizer_config,
             const json_t *config)
{
    const gboolean unigram = t->kind == TOKENIZER_KIND_UNIGRAM;
    t->unk = checked_id(t, m->unk);
    t->bos = checked_id(t, m->bos);
    t->eos = checked_id(t, m->eos);
    t->pad = checked_id(t, m->pad);
    tokenizer_json_specials(t, tokenizer_config, config);
    /* the defaults are those of the families: Llama's starts a text, T5's ends it */
    if (t->bos >= 0 && flag(tokenizer_config, "add_bos_token", !unigram))
        g_array_append_val(t->prefix, t->bos);
    if (t->eos >= 0 && flag(tokenizer_config, "add_eos_token", unigram))
        g_array_append_val(t->suffix, t->eos);
}

engine_tokenizer *
engine_tokenizer_parse_model(const char *data, size_t len, const json_t *tokenizer_config,
                             const json_t *config, GError **error)
{
    g_autoptr(GArray) pieces = g_array_new(FALSE, FALSE, sizeof(piece));
    /* the defaults of sentencepiece_model.proto */
    model_proto m = {pieces, 1, 0, 1, 2, -1, FALSE, TRUE, TRUE, {0}};
    const proto message = {(const uint8_t *)data, (const uint8_t *)data + len, FALSE};
    if (!read_model(message, &m)) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_FORMAT,
                    "tokenizer.model: not a SentencePiece model, or a damaged one");
        return NULL;
    }
    if ((m.model_type != 1 && m.model_type != 2) || m.suffix) {
        g_set_error(error, ENGINE_ERROR, ENGINE_ERROR_UNSUPPORTED,
                    "tokenizer.model: %s %" G_GINT64_FORMAT " is not supported",
                    m.suffix ? "treat_whitespace_as_suffix in model type" : "model type",
                    m.model_type);
        return NULL;
    }
    g_autoptr(engine_tokenizer) t =
        tokenizer_new(m.model_type == 1 ? TOKENIZER_KIND_UNIGRAM : TOKENIZER_KIND_SPM);
    t->max_tokens = MIN(TOKENIZER_MAX_VOCAB, (size_t)pieces->len + TOKENIZER_MAX_HOLES);
    t->spm.prefix = m.dummy_prefix ? TOKENIZER_PREFIX_SEGMENT : TOKENIZER_PREFIX_NEVER;
    t->spm.remove_extra = m.remove_extra;
    t->spm.fuse_unknown = TRUE;
    if (length(m.charsmap) > 0 &&
        !tokenizer_charsmap_init(&t->spm.charsmap, m.charsmap.at, length(m.charsmap), error))
        return NULL;
    if (!tokenizer_json_added_decoder(t, tokenizer_config, error) || !set_pieces(t, &m, error) ||
        !build(t, &m, error))
        return NULL;
    set_specials(t, &m, tokenizer_config, config);
    return g_steal_pointer(&t);
}

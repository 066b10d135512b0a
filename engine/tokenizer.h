/* Tokenizers: bytes to token ids and back. Built once from a GGUF file's metadata or a Hugging Face
 * folder (tokenizer.json, tokenizer.model, vocab.txt); immutable, so any number of threads may use one. */
#ifndef LODE_ENGINE_TOKENIZER_H
#define LODE_ENGINE_TOKENIZER_H

#include "engine/engine.h"
#include "engine/weights.h"

G_BEGIN_DECLS

typedef struct engine_tokenizer engine_tokenizer;

/* From tokenizer.ggml.* of a GGUF file. */
engine_tokenizer *engine_tokenizer_new_from_gguf(const engine_weights *weights, GError **error);
/* From tokenizer.json, tokenizer.model (either with tokenizer_config.json) or vocab.txt in dir. config: the model's config.json,
 * may be NULL. */
engine_tokenizer *engine_tokenizer_new_from_hf(const char *dir, const json_t *config,
                                               GError **error);
/* The same from memory: the text of tokenizer.json or of vocab.txt [len]. tokenizer_config and config are
 * the files of those names, either may be NULL. */
engine_tokenizer *engine_tokenizer_parse_json(const char *data, size_t len,
                                              const json_t *tokenizer_config, const json_t *config,
                                              GError **error);
engine_tokenizer *engine_tokenizer_parse_vocab(const char *data, size_t len,
                                               const json_t *tokenizer_config, const json_t *config,
                                               GError **error);
/* And from the bytes of tokenizer.model, SentencePiece's own format. */
engine_tokenizer *engine_tokenizer_parse_model(const char *data, size_t len,
                                               const json_t *tokenizer_config, const json_t *config,
                                               GError **error);
/* And from vocab.json and merges.txt, which say nothing about pre-tokenizer and added tokens: those come
 * from tokenizer_config's tokenizer_class (Qwen2's, Intern-S1's, GPT-2's) and added_tokens_decoder. */
engine_tokenizer *engine_tokenizer_parse_merges(const char *vocab, size_t n_vocab,
                                                const char *merges, size_t n_merges,
                                                const json_t *tokenizer_config,
                                                const json_t *config, GError **error);
void engine_tokenizer_free(engine_tokenizer *tokenizer); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(engine_tokenizer, engine_tokenizer_free)

size_t engine_tokenizer_n_vocab(const engine_tokenizer *tokenizer);

/* As engine_tokenize and engine_detokenize (which model.c forwards here); ids out of range decode to
 * nothing. */
void engine_tokenizer_encode(const engine_tokenizer *tokenizer, const char *text, size_t len,
                             engine_tokenize_flags flags, GArray *out);
void engine_tokenizer_decode(const engine_tokenizer *tokenizer, const int32_t *tokens, size_t n,
                             gboolean with_special, GString *out);

/* Ids, -1 where there is none. */
int32_t engine_tokenizer_bos(const engine_tokenizer *tokenizer);
int32_t engine_tokenizer_eos(const engine_tokenizer *tokenizer);
int32_t engine_tokenizer_pad(const engine_tokenizer *tokenizer);
int32_t engine_tokenizer_unk(const engine_tokenizer *tokenizer);
/* Ends a turn or a text: eos, eot, eom, <|im_end|>, <|endoftext|>, </s>. */
gboolean engine_tokenizer_ends_text(const engine_tokenizer *tokenizer, int32_t token);
/* Their ids [*n]. */
const int32_t *engine_tokenizer_ends(const engine_tokenizer *tokenizer, size_t *n);

/* What a token of text stands for [*len]: what it adds behind other text, it may begin and end inside a character.
 * FALSE for tokens that no text gives: control, unknown and unused ones. */
gboolean engine_tokenizer_token_bytes(const engine_tokenizer *tokenizer, int32_t token,
                                      const char **bytes, size_t *len);

/* Bytes of the longest control token that text [len] starts with, 0 when it starts with none. */
size_t engine_tokenizer_match_control(const engine_tokenizer *tokenizer, const char *text,
                                      size_t len);

/* The id of the control or user-defined token with this text, -1 when there is none. */
int32_t engine_tokenizer_find_added(const engine_tokenizer *tokenizer, const char *text);

/* The chat template's source, NULL when the model has none. */
const char *engine_tokenizer_chat_template(const engine_tokenizer *tokenizer);

G_END_DECLS
#endif

/* What the readers of Hugging Face's tokenizer files share. Private to engine/tokenizer_*.c. */
#ifndef LODE_ENGINE_TOKENIZER_JSON_H
#define LODE_ENGINE_TOKENIZER_JSON_H

#include "engine/tokenizer_impl.h"

/* Both set the error and return FALSE. */
gboolean tokenizer_json_unsupported(GError **error, const char *what, const char *which);
gboolean tokenizer_json_malformed(GError **error, const char *what);

/* The member "type". */
const char *tokenizer_json_type(const json_t *object);
gboolean tokenizer_json_is_type(const json_t *object, const char *type);
gboolean tokenizer_json_is_true(const json_t *object, const char *key);

/* Added tokens that tokenizer_config.json lists by id (added_tokens_decoder). */
gboolean tokenizer_json_added_decoder(engine_tokenizer *tokenizer, const json_t *tokenizer_config,
                                      GError **error);
/* model.vocab, an object from text to id. inside: the mark of WordPiece's inner pieces, NULL for none;
 * bytes: "<0x41>" is a byte. */
gboolean tokenizer_json_vocabulary(engine_tokenizer *tokenizer, json_t *vocab, const char *inside,
                                   gboolean bytes, GError **error);
/* pre_tokenizer of a byte-level BPE. */
gboolean tokenizer_json_pre(engine_tokenizer *tokenizer, const json_t *pre, GError **error);
extern const char tokenizer_json_qwen2_pattern[];
/* bos, eos, pad and unk by name in tokenizer_config.json or by number in config.json, where those have them;
 * the chat template; what ends a text. Either may be NULL. */
void tokenizer_json_specials(engine_tokenizer *tokenizer, const json_t *tokenizer_config,
                             const json_t *config);

/* SentencePiece's BPE as the converter of Hugging Face writes it (byte_fallback), and Unigram. */
gboolean tokenizer_json_load_spm(engine_tokenizer *tokenizer, const json_t *root,
                                 const json_t *model, GError **error);
gboolean tokenizer_json_load_unigram(engine_tokenizer *tokenizer, const json_t *root,
                                     const json_t *model, GError **error);

#endif

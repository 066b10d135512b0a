/* engine: weights + tokens -> logits, text, embeddings.
 *
 * Three handles:
 *   engine_model    the mapped weights, the hyperparameters and the tokenizer of one model. Immutable
 *                   once opened: any number of threads may share it.
 *   engine_pool     a persistent thread pool. One caller at a time (calls from several threads are
 *                   serialised inside). Results never depend on its number of threads.
 *   engine_session  one decoding timeline: KV cache, position, random state. One thread at a time.
 *
 * Errors are GError in the domain ENGINE_ERROR; messages name the file and what is wrong with it.
 * Formats: GGUF v2/v3 and safetensors. Architectures: llama, mixtral, qwen2, qwen3, qwen3moe and Intern-S1,
 * Intern-S1-Pro, qwen3next, qwen35, qwen35moe and Intern-S2-Preview, Mobius, InternLM2 and 3; bert. */
#ifndef LODE_ENGINE_ENGINE_H
#define LODE_ENGINE_ENGINE_H

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

#define ENGINE_ERROR (engine_error_quark())
GQuark engine_error_quark(void);

typedef enum {
    ENGINE_ERROR_IO,          /* cannot open, map or read */
    ENGINE_ERROR_FORMAT,      /* the file lies, is truncated or malformed */
    ENGINE_ERROR_UNSUPPORTED, /* well formed, but an architecture or tensor type we do not run */
    ENGINE_ERROR_LIMIT,       /* more tokens than the context holds, or no memory for the cache */
    ENGINE_ERROR_CANCELLED,   /* the caller's cancel flag was raised */
    ENGINE_ERROR_ARGUMENT,    /* a call that this model cannot answer (embed with a decoder, ...) */
    ENGINE_ERROR_NETWORK,     /* name, connection, server */
    ENGINE_ERROR_LENGTH       /* a server finds the request too long */
} engine_error_code;

/* ---- CPU ------------------------------------------------------------------------------------ */

typedef enum {
    ENGINE_CPU_SCALAR, /* plain C reference kernels */
    ENGINE_CPU_AVX2,   /* AVX2 + FMA + F16C */
    ENGINE_CPU_AVX512, /* AVX-512 F, BW, VL, DQ */
    ENGINE_CPU_AVX512VNNI
} engine_cpu;

/* The best level this processor and build support; environment LODE_CPU=scalar|avx2|avx512|avx512vnni
 * lowers it. */
engine_cpu engine_cpu_best(void);
const char *engine_cpu_name(engine_cpu cpu); /* "scalar", "avx2", ... */
char *engine_cpu_features(void);             /* one line for people; free with g_free */

/* ---- thread pool ---------------------------------------------------------------------------- */

typedef struct engine_pool engine_pool;

/* n_threads 0 = one per core this process may use (sched_getaffinity). Never fails. */
engine_pool *engine_pool_new(int n_threads);
int engine_pool_n_threads(const engine_pool *pool);
void engine_pool_free(engine_pool *pool); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(engine_pool, engine_pool_free)

/* What the machine could do at most with this pool's threads: measured, 2 to 3 seconds. */
typedef struct {
    double read_4k,
        read_2m; /* bytes a second, streaming through pages of 4 KiB and of 2 MiB; 0: no memory */
    double int8_ops; /* 8-bit products and sums a second, both counted; 0: no such instruction */
} engine_machine;
void engine_machine_measure(engine_pool *pool, engine_machine *out);

/* read_2m once more, a tenth of a second: on a virtual machine it changes within seconds, by half where the host puts
 * two processors now behind one path to memory, now behind two. */
double engine_machine_reading(engine_pool *pool);

/* ---- GPUs ----------------------------------------------------------------------------------- */

/* CUDA comes as a plug-in, liblode_cuda.so: looked for in the file that LODE_CUDA_PLUGIN names (and then nowhere else;
 * "none" for no plug-in), beside the program or library, and in lode's folder of the libraries. Nothing of it is
 * touched before one of these functions, or a model opened for a GPU, asks. Thread-safe. */
typedef struct {
    char name[128];
    int capability; /* 10 * major + minor: 89 is 8.9 */
    int n_multiprocessors;
    uint64_t memory_total, memory_free; /* bytes, now */
} engine_gpu_info;

/* GPUs on this machine, which engine_gpu_describe may yet refuse. 0: *reason, when not NULL, says why, one line, free
 * with g_free: no plug-in, no driver, too old a driver, no card. */
int engine_gpu_count(char **reason);
/* UNSUPPORTED for one that models cannot run on, ARGUMENT for one that is not there, else IO. */
gboolean engine_gpu_describe(int index, engine_gpu_info *out, GError **error);
/* Which plug-in, CUDA, driver and cuBLAS there are, one line for people; NULL without a plug-in. g_free. */
char *engine_gpu_software(void);

/* ---- model ---------------------------------------------------------------------------------- */

typedef enum {
    ENGINE_KIND_DECODER, /* writes text */
    ENGINE_KIND_ENCODER  /* makes embeddings */
} engine_kind;

typedef enum { ENGINE_POOLING_NONE, ENGINE_POOLING_MEAN, ENGINE_POOLING_CLS } engine_pooling;

typedef struct {
    engine_kind kind;
    const char *architecture; /* "llama", "qwen3moe", "interns1_pro", "bert", ... */
    const char *name;         /* general.name, or the folder's name */
    const char *format;       /* "gguf", "safetensors" */
    const char *weight_type;  /* the type most matrix bytes are stored in: "Q4_1", "F32", ... */
    uint64_t n_parameters;
    uint64_t n_bytes; /* weights on disk */
    uint32_t n_layers, n_embd, n_heads, n_kv_heads, head_dim, n_ff, n_vocab;
    uint32_t n_context; /* trained context; for encoders the longest input in tokens */
    float rope_theta, norm_eps;
    engine_pooling pooling; /* encoders */
    gboolean normalize;     /* encoders: output is scaled to unit length */
    uint32_t n_labels; /* encoders: outputs of a head that judges pairs of texts; 0: it has none */
    int32_t bos, eos, pad, unk; /* token ids, -1 where the model has none */
    gboolean has_chat_template;

    /* decoders */
    const char *rope; /* "plain", "linear", "llama3", "yarn", "dynamic", "fope" */
    uint32_t n_attention_layers, n_recurrent_layers; /* of n_layers */
    uint32_t n_experts, n_experts_used, n_expert_ff; /* 0: no experts */
    uint32_t n_mtp;                                  /* draft heads to choose from */
    /* What one token reads: all but the embedding table, the experts not chosen, draft heads and parts
     * that are no text model. */
    uint64_t n_active_parameters, n_active_bytes;
} engine_model_info;

typedef struct engine_model engine_model;

/* path: a .gguf file, a .safetensors file with config.json and tokenizer.json or vocab.txt beside it, or
 * the folder that holds them. The weights are mapped, not read; every size is checked before use. */
engine_model *engine_model_open(const char *path, GError **error);

typedef struct {
    gboolean exact; /* multiply packed weights in float32, not int8: slower; default FALSE */
    /* "auto" or NULL (default): a GPU where there is one, else the CPU. "cpu". "cuda" or "cuda:N": that GPU, and an
     * error with the reason where it cannot be used. */
    const char *device;
    uint64_t gpu_memory; /* bytes of the GPU's memory to use at most; 0: what is free (default) */
    int n_gpu_layers;    /* layers that run on it, the last ones; -1: as many as fit (default) */
} engine_model_options;

/* Has the model been given a GPU? */
gboolean engine_model_has_device(const engine_model *model);

/* NULL when text is a device as engine_model_options has it, else what is wrong with it; static. */
const char *engine_device_check(const char *text);

engine_model_options engine_model_options_default(void);
engine_model *engine_model_open_with(const char *path, const engine_model_options *options,
                                     GError **error);
void engine_model_free(engine_model *model); /* NULL is fine; no session may be alive */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(engine_model, engine_model_free)
const engine_model_info *engine_model_get_info(
    const engine_model *model); /* lives as long as the model */

/* What running a model takes, known before anything of it is allocated. */
typedef struct {
    uint32_t n_context;    /* tokens of one sequence */
    uint32_t n_sequences;  /* at a time */
    uint64_t weight_bytes; /* mapped files: read as they are used, dropped when memory is short */
    uint64_t kv_bytes; /* keys and values of n_context tokens of each sequence, a page to spare */
    uint64_t recurrent_bytes; /* states of the layers that have one, of all sequences */
    uint64_t scratch_bytes;   /* buffers of a forward pass */
    uint64_t total_bytes;
} engine_memory_plan;

typedef enum { ENGINE_KV_F16, ENGINE_KV_Q8_0, ENGINE_KV_Q4_0, ENGINE_KV_F32 } engine_kv_type;
const char *engine_kv_type_name(engine_kv_type type); /* "f16", "q8_0", "q4_0", "f32" */
/* The type of that name into *type; FALSE, with *type as it was, where none has it. */
gboolean engine_kv_type_parse(const char *name, engine_kv_type *type);

/* Of a session (n_sequences 1) or a batch, both with options as they are by default. n_context 0: the model's trained
 * context. ARGUMENT for an encoder, which keeps nothing between calls; UNSUPPORTED where the heads are no whole
 * number of the type's blocks; LIMIT for more than can be counted. */
gboolean engine_model_memory(const engine_model *model, uint32_t n_context, uint32_t n_sequences,
                             engine_kv_type kv_type, engine_memory_plan *plan, GError **error);

/* What of the model a session (n_sequences 1) or a batch would put on its GPU, one line for people; of an encoder, where it
 * embeds, and why not there since it failed there. Free with g_free. NULL with no error where the model has no GPU;
 * LIMIT, with numbers, when nothing fits. */
char *engine_model_describe_placement(const engine_model *model, uint32_t n_context,
                                      uint32_t n_sequences, engine_kv_type kv_type, GError **error);

/* One stored type and what of the model has it. */
typedef struct {
    const char *name; /* "Q4_K" */
    uint32_t n_tensors;
    uint64_t n_bytes;
} engine_type_usage;

size_t engine_model_n_types(const engine_model *model);
engine_type_usage engine_model_type_at(const engine_model *model,
                                       size_t index); /* most bytes first */

/* Facts for people, in the words of the model's own files; NULL where they say nothing. Live as long as it. */
typedef struct {
    const char *tokenizer;     /* "gpt2", "llama", "bert"; "BPE", "WordPiece" */
    const char *pre_tokenizer; /* "qwen2", ... */
    const char *template_text; /* the chat template */
} engine_model_facts;

engine_model_facts engine_model_get_facts(const engine_model *model);

/* ---- writing models ------------------------------------------------------------------------- */

typedef struct {
    const char *type; /* of matrices: "q4_0", "bf16", ...; "q3_k_m", "q4_k_m" and "q5_k_m" give
                                more bits to the output and half of attn_v and ffn_down */
    const char *output_type;    /* NULL: as type says (default) */
    const char *embedding_type; /* the same, of the token embedding */
    uint64_t part_bytes; /* split the file after this many bytes of tensors; 0 = do not (default) */
    void (*progress)(uint64_t n_done, uint64_t n_total, void *user_data); /* bytes; may be NULL */
    void (*note)(const char *line, void *user_data); /* something to know, no error; may be NULL */
    void *user_data;
    const int *cancel; /* may be NULL */
} engine_write_options;

const char *engine_write_type_names(void); /* every type we write, "f32, f16, ..."; static */

/* A GGUF model to a GGUF file of other types. out may be the file that in names: it appears whole, when done.
 * Norms, routers and vectors stay F32; a row that a type's blocks do not divide has a type that fits it, with
 * a note. ARGUMENT for an unknown type, FORMAT for a weight that is not finite. The bytes do not depend on
 * the pool. */
gboolean engine_model_quantize(const char *in, const char *out, const engine_write_options *options,
                               engine_pool *pool, GError **error);

/* A safetensors model (folder, index or file) to a GGUF file that llama.cpp reads, tokenizer and chat template
 * included. Intern-S1-Pro, which GGUF has no form for, gets one of ours that only this program reads; a
 * dynamic rotary base is kept under a key of ours, so other readers see the plain one. UNSUPPORTED names an
 * architecture that cannot be written at all; else as engine_model_quantize. */
gboolean engine_model_convert(const char *in, const char *out, const engine_write_options *options,
                              engine_pool *pool, GError **error);

/* ---- tokens --------------------------------------------------------------------------------- */

typedef enum {
    ENGINE_TOKENIZE_PLAIN = 0,
    ENGINE_TOKENIZE_ADD_SPECIAL = 1
                                  << 0, /* BOS, or [CLS] ... [SEP], as the model's metadata says */
    ENGINE_TOKENIZE_PARSE_SPECIAL = 1 << 1 /* "<|im_start|>" in the text becomes that token */
} engine_tokenize_flags;

/* text [len] bytes, any bytes: ill-formed UTF-8 is replaced by U+FFFD, one per maximal ill-formed subpart.
 * Appends to out (GArray of int32_t). Never fails. Thread-safe. */
void engine_tokenize(const engine_model *model, const char *text, size_t len,
                     engine_tokenize_flags flags, GArray *out);

/* Bytes of tokens [n], special tokens left out unless with_special; may end inside a UTF-8 sequence when
 * the tokens do. Appends to out. */
void engine_detokenize(const engine_model *model, const int32_t *tokens, size_t n,
                       gboolean with_special, GString *out);

/* ---- embeddings ----------------------------------------------------------------------------- */

/* Embed texts [n] (UTF-8) into out [n, n_embd], row-major; pooling and normalisation as the model's own
 * configuration says; inputs longer than the model's context are truncated, keeping [SEP]. A row depends
 * on its text alone: not on the batch it came in, not on the number of threads.
 * cancel may be NULL; *cancel != 0 stops between batches with ENGINE_ERROR_CANCELLED. */
gboolean engine_embed(const engine_model *model, engine_pool *pool, const char *const *texts,
                      size_t n, float *out, const int *cancel, GError **error);

/* ---- vectors ---------------------------------------------------------------------------------- */

/* Vectors in the memory of a model's GPU, for exact search: the k with the largest inner products, as a flat index of
 * FAISS finds them. Locked inside. */
typedef struct engine_vectors engine_vectors;

/* vectors [n, n_dims], row-major, are copied there and used here too: they outlive it, and so does the model. ARGUMENT
 * when the model has no GPU, LIMIT with numbers when its memory is too small. */
engine_vectors *engine_vectors_new(const engine_model *model, const float *vectors, size_t n,
                                   size_t n_dims, GError **error);
void engine_vectors_free(engine_vectors *vectors); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(engine_vectors, engine_vectors_free)

/* queries [n_queries, n_dims]; ids and scores [n_queries, k], best first, the lower index first among equals; scores are
 * the exact products, rounded. Where there are fewer than k vectors: -1 and minus infinity. UNSUPPORTED when k, or so
 * many that equal the k-th, are more than the device finds at once; LIMIT without memory for them. */
gboolean engine_vectors_search(engine_vectors *vectors, const float *queries, size_t n_queries,
                               size_t k, int64_t *ids, float *scores, GError **error);

/* ---- cross-encoders ------------------------------------------------------------------------- */

/* How well passages [n] answer a query, in the eyes of an encoder that reads both at once, "[CLS] query [SEP] passage
 * [SEP]" (Nogueira and Cho, Passage Re-ranking with BERT, arXiv:1901.04085): out [n] are logits, higher is better; of
 * a head with two labels the second's above the first's. A passage too long for the model is cut at its end, a query
 * at half of what the model holds. A score depends on its own passage and query alone. cancel as engine_embed has it.
 * ARGUMENT for a model whose n_labels is not 1 or 2. */
gboolean engine_cross_score(const engine_model *model, engine_pool *pool, const char *query,
                            const char *const *passages, size_t n, float *out, const int *cancel,
                            GError **error);

/* ---- prefix store --------------------------------------------------------------------------- */

/* A folder of prompts already read: pages of keys and values (and recurrent states) under a hash of the tokens
 * that lead there, the model, the rotary base, the cache's types and the CPU level. A session that uses it begins a
 * long prompt where the longest stored one that it starts with ends, with the very bytes it would have computed.
 * Several processes may share a folder. Locked inside. */
typedef struct engine_prefix_store engine_prefix_store;

/* One line for people about a file that was ignored; called from any thread that uses the store. */
typedef void (*engine_prefix_warning)(const char *line, void *user_data);

/* dir is made when it is missing. max_bytes: files used longest ago go first; 0 = 8 GiB. warning may be NULL. */
engine_prefix_store *engine_prefix_store_open(const char *dir, uint64_t max_bytes,
                                              engine_prefix_warning warning, void *user_data,
                                              GError **error);
void engine_prefix_store_free(engine_prefix_store *store); /* NULL is fine; no session may use it */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(engine_prefix_store, engine_prefix_store_free)

/* ---- decoding ------------------------------------------------------------------------------- */

typedef struct engine_session engine_session;

typedef struct {
    uint32_t n_context;     /* tokens it can hold; 0 = the model's trained context, at most 8192 */
    engine_kv_type kv_type; /* how keys and values are kept; default ENGINE_KV_F16 */
    uint32_t chunk;         /* tokens of one pass over a prompt; 0 = 512 */
    uint64_t
        max_memory; /* bytes of weights, cache and buffers together; 0 = no limit (default). When only the
                               experts do not fit, they are read from the file as they are needed */
    uint32_t
        n_draft; /* tokens guessed ahead and checked together: by the model's own draft head, else from
                               what the text says already; changes no output; default 0 = none */
    engine_prefix_store *prefixes; /* may be NULL; outlives the session */
} engine_session_options;

engine_session_options engine_session_options_default(void);

/* options NULL means the defaults. ARGUMENT for an encoder; LIMIT, with what is needed, when it does not fit
 * max_memory or the machine. */
engine_session *engine_session_open(const engine_model *model, engine_pool *pool,
                                    const engine_session_options *options, GError **error);
/* The defaults, with this n_context. */
engine_session *engine_session_new(const engine_model *model, engine_pool *pool, uint32_t n_context,
                                   GError **error);
void engine_session_free(engine_session *session); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(engine_session, engine_session_free)
uint32_t engine_session_n_past(const engine_session *session);          /* tokens in the cache */
void engine_session_truncate(engine_session *session, uint32_t n_past); /* forget what came after */

/* Run tokens [n] at the positions n_past .. n_past+n-1. logits: NULL, or [n_vocab] for the last token.
 * all_logits: NULL, or [n, n_vocab]. Chunked and whole evaluation give the same bytes. */
gboolean engine_session_eval(engine_session *session, const int32_t *tokens, size_t n,
                             float *logits, float *all_logits, GError **error);

/* Make the session hold as much of the beginning of prompt [n] as it, or its prefix store, knows: at most n - 1
 * tokens. Returns how many; what follows must be evaluated. */
uint32_t engine_session_reuse(engine_session *session, const int32_t *prompt, size_t n);
/* Remember the tokens held so far, in memory and in the prefix store, for reuse. For the end of a prompt. */
void engine_session_keep(engine_session *session);

/* Experts that are read as they are needed; all 0 where they lie in memory. */
typedef struct {
    uint64_t n_hits;  /* experts asked for that were there, or on their way */
    uint64_t n_reads; /* experts read, ahead or not */
    uint64_t n_bytes; /* of those */
    uint32_t n_slabs; /* experts that there is room for */
} engine_expert_stats;

/* Experts of the CPU that lie in spare GPU memory too and are computed there; all 0 where none do. */
typedef struct {
    uint64_t n_asked;   /* experts needed, by a layer of a pass */
    uint64_t n_hits;    /* of those, there */
    uint64_t n_brought; /* copied there */
    uint64_t n_bytes;   /* of those */
    uint32_t n_slabs;   /* experts that there is room for */
} engine_device_expert_stats;

/* Since the session was opened. */
typedef struct {
    uint64_t n_passes;              /* forward passes */
    uint64_t n_drafted, n_accepted; /* tokens guessed; those that turned out right */
    engine_expert_stats experts;
    engine_device_expert_stats gpu_experts;
} engine_session_stats;
engine_session_stats engine_session_get_stats(const engine_session *session);
/* One line for people: what of the model is on its GPU, or why nothing is; NULL where there is no GPU to speak of. Lives as
 * long as the session. */
const char *engine_session_get_placement(const engine_session *session);

/* ---- many sequences at once ----------------------------------------------------------------- */

/* Sequences of one model that share its cache: each pass takes one token of every text being written and, with the
 * room that is left, a piece of the prompts still being read. What a sequence gets does not depend on the others.
 * When pages run out, the youngest gives its own back, waits, and is computed anew. One thread at a time. */
typedef struct engine_batch engine_batch;

typedef struct {
    uint32_t
        n_context; /* tokens that each of n_sequences has room for whatever the others take; 0: n_cached tells */
    uint32_t n_cached;      /* tokens that the cache holds, of all together; 0 = 8192 */
    uint32_t n_sequences;   /* running at a time, others wait; default 8 */
    engine_kv_type kv_type; /* default ENGINE_KV_F16 */
    uint32_t chunk;         /* tokens of one pass, at least n_sequences; 0 = 512 */
    uint64_t max_memory;    /* as engine_session_options has it; 0 = no limit (default) */
    uint32_t
        n_draft; /* tokens of each text guessed ahead: by the model's own draft head, else from what it says already;
                  * changes no output; default 0 */
    engine_prefix_store *prefixes; /* may be NULL; outlives the batch */
} engine_batch_options;

engine_batch_options engine_batch_options_default(void);

/* options NULL means the defaults. Errors as engine_session_open. */
engine_batch *engine_batch_new(const engine_model *model, engine_pool *pool,
                               const engine_batch_options *options, GError **error);
void engine_batch_free(engine_batch *batch); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(engine_batch, engine_batch_free)

/* The token behind logits [n_vocab]; negative: the text ends here. Called once for each token, in order, from
 * engine_batch_step; it must not call the batch. */
typedef int32_t (*engine_pick_callback)(const float *logits, void *user_data);

typedef struct {
    const int32_t *prompt; /* [n], n >= 1; copied */
    size_t n;
    uint32_t
        n_context; /* tokens of prompt and text together; a dynamic rotary base follows from it */
    engine_pick_callback pick;
    void *user_data;
    const int *cancel; /* may be NULL; looked at before every pass */
} engine_request;

typedef enum {
    ENGINE_REQUEST_WAITING,
    ENGINE_REQUEST_RUNNING,
    ENGINE_REQUEST_ENDED, /* pick said so */
    ENGINE_REQUEST_FULL,  /* n_context tokens, or alone in the cache and still too long for it */
    ENGINE_REQUEST_CANCELLED
} engine_request_state;

/* A number for the request, never 0; 0 with ARGUMENT or LIMIT for one that cannot be run. */
uint32_t engine_batch_add(engine_batch *batch, const engine_request *request, GError **error);
/* One pass. FALSE with error when an expert cannot be read; the sequences are then as before. */
gboolean engine_batch_step(engine_batch *batch, GError **error);
uint32_t engine_batch_n_unfinished(const engine_batch *batch); /* waiting and running */
engine_request_state engine_batch_get_state(const engine_batch *batch, uint32_t request);
/* Prompt and text so far; valid until the next step. */
const int32_t *engine_batch_get_tokens(const engine_batch *batch, uint32_t request, size_t *n);
void engine_batch_remove(engine_batch *batch, uint32_t request); /* finished or not */

typedef struct {
    uint64_t n_passes, n_rows;      /* forward passes and the tokens in them */
    uint64_t n_preempted;           /* times a sequence had to give its pages back */
    uint64_t n_drafted, n_accepted; /* tokens guessed; those that turned out right */
    engine_expert_stats experts;
    engine_device_expert_stats gpu_experts;
} engine_batch_stats;
engine_batch_stats engine_batch_get_stats(const engine_batch *batch);
const char *engine_batch_get_placement(const engine_batch *batch); /* as of a session */

/* What stands behind the beginning that the texts of a question share. */
typedef struct {
    const int32_t *tokens; /* [n] */
    size_t n;
    size_t n_judged; /* so many of them, the last, are to be judged themselves; 0 .. n */
} engine_score_text;

/* How likely a model finds what follows, for many texts that begin alike: "does this passage answer the question?",
 * asked about a hundred passages. */
typedef struct {
    const int32_t *prefix; /* [n_prefix], n_prefix >= 1: how every text begins; computed once */
    size_t n_prefix;
    const engine_score_text *texts; /* [n_texts] */
    size_t n_texts;
    const int32_t *
        choices; /* [n_choices] tokens that could come behind a text, such as "yes" and "no"; may be NULL */
    size_t n_choices;
    const int *cancel; /* may be NULL; looked at before every pass */
} engine_score_request;

/* All texts in as few passes as they fit into, beside or between the batch's own requests.
 *
 * choices  [n_texts, n_choices]: ln p(choice | prefix, text). NULL when there are none.
 * judged   [n_texts]: the sum of ln p(token | all before it) over a text's last n_judged tokens, 0 where that is
 *          none; NULL: not wanted.
 *
 * A text's numbers are those it gets alone, bit for bit: they depend neither on the other texts nor on threads. The
 * prefix stays in the batch's memory (and its prefix store), so the next call that begins with it starts warm.
 * LIMIT when prefix and text do not fit the cache; ARGUMENT for tokens outside the vocabulary or no prefix. */
gboolean engine_batch_score(engine_batch *batch, const engine_score_request *request,
                            float *choices, float *judged, GError **error);

/* ---- grammars ------------------------------------------------------------------------------- */

/* What the text must look like; see engine/grammar.h for the notation and the schema keywords that are understood.
 * Immutable for callers and locked inside: any number of sequences may use one. */
typedef struct engine_grammar engine_grammar;

/* text: rules in the notation of engine/grammar.h, beginning at `root`. FORMAT with line and column, LIMIT when the
 * grammar is too large. The model must outlive the grammar. */
engine_grammar *engine_grammar_new(const engine_model *model, const char *text, GError **error);
/* schema: a JSON Schema, as text; what is generated is one JSON value that it accepts. UNSUPPORTED, naming the place,
 * for a keyword that cannot be kept: none is ignored. */
engine_grammar *engine_grammar_new_from_json_schema(const engine_model *model, const char *schema,
                                                    GError **error);
void engine_grammar_free(engine_grammar *grammar); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(engine_grammar, engine_grammar_free)

typedef struct {
    int32_t id;
    float value; /* bias: added to the logit; logprob: natural logarithm of the probability */
} engine_token_logprob, engine_token_bias;

/* One token as it is written. Everything lives during the callback only. What was held back when the text ended, for
 * it might have become a stop string, comes last with id -1. */
typedef struct {
    int32_t id;
    const char *bytes; /* what the token stands for; may begin and end inside a character */
    size_t n_bytes;
    const char *text; /* what became deliverable with it: whole characters; may be empty */
    size_t len;
    float logprob; /* of the model itself, before any option; NAN unless options->logprobs */
    const engine_token_logprob *top; /* [n_top] */
    size_t n_top;
} engine_token_event;

/* Return FALSE to stop. */
typedef gboolean (*engine_token_callback)(const engine_token_event *event, void *user_data);

/* engine/sample.h says in which order the options of the choice apply. */
typedef struct {
    uint32_t max_tokens;             /* stop after this many; default 256 */
    uint32_t min_tokens;             /* no end before this many; default 0 */
    gboolean ignore_eos;             /* never end by itself (for measurements); default FALSE */
    float temperature;               /* 0 = greedy (default 0) */
    float top_p;                     /* (0, 1]; default 1 */
    uint32_t top_k;                  /* 0 = all (default) */
    float min_p;                     /* [0, 1]; default 0 = off */
    float typical_p;                 /* (0, 1]; default 1 = off */
    float repeat_penalty;            /* > 0; 1 = none (default) */
    float frequency_penalty;         /* default 0 */
    float presence_penalty;          /* default 0 */
    uint32_t penalty_window;         /* tokens the penalties look back; default 64 */
    uint64_t seed;                   /* same seed, same text; default 0 */
    const engine_token_bias *biases; /* [n_biases]; may be NULL */
    size_t n_biases;
    const engine_grammar *grammar; /* may be NULL */
    gboolean
        think_first; /* thoughts come first, free, and the grammar holds behind "</think>"; where the prompt does
                                not end in them the text opens them; default FALSE */
    uint32_t think_budget; /* tokens of thoughts, then they are closed; 0 = any number (default) */
    gboolean logprobs;     /* fill in engine_token_event.logprob; default FALSE */
    uint32_t n_top;        /* and so many alternatives; default 0 */
    const char *const
        *stop; /* NULL-terminated strings that end the text and are not part of it; may be NULL */
    const int32_t *stop_tokens; /* [n_stop_tokens] that end it like the model's own; may be NULL */
    size_t n_stop_tokens;
    gboolean
        with_special; /* the text has control tokens too, for engine_chat_parse; default FALSE */
    engine_token_callback on_token; /* after callback, not for tokens that end; may be NULL */
    void *on_token_data;
    const int *cancel; /* may be NULL; checked before every token */
} engine_generate_options;

engine_generate_options engine_generate_options_default(void);

typedef enum {
    ENGINE_STOP_EOS,      /* the model ended its turn */
    ENGINE_STOP_STRING,   /* one of options->stop */
    ENGINE_STOP_LENGTH,   /* max_tokens */
    ENGINE_STOP_CONTEXT,  /* the KV cache is full */
    ENGINE_STOP_CALLBACK, /* the callback returned FALSE */
    ENGINE_STOP_CANCELLED /* *cancel */
} engine_stop_reason;

typedef struct {
    engine_stop_reason reason;
    uint32_t n_prompt, n_generated; /* tokens */
    uint32_t n_reused;              /* of the prompt, not computed anew */
    uint32_t n_drafted, n_accepted; /* tokens guessed ahead; those that turned out right */
    double prompt_seconds, generate_seconds;
} engine_generate_result;

/* text [len]: whole UTF-8 characters only, never cut inside one; it may be
 * less than a token or several of them. Return FALSE to stop. */
typedef gboolean (*engine_text_callback)(const char *text, size_t len, void *user_data);

/* Continue the session after prompt [n] tokens. The leading part of the prompt that the session already
 * holds is reused, the rest of the cache dropped. text receives the bytes the callback saw; either may be
 * NULL. Being cancelled or stopped is a success with its reason. */
gboolean engine_generate(engine_session *session, const int32_t *prompt, size_t n,
                         const engine_generate_options *options, engine_text_callback callback,
                         void *user_data, GString *text, engine_generate_result *result,
                         GError **error);

/* One of many texts to write. */
typedef struct {
    const int32_t *prompt; /* [n], n >= 1 */
    size_t n;
    uint32_t n_context;                     /* tokens of prompt and text; 0: n + max_tokens */
    const engine_generate_options *options; /* NULL: the defaults */
    engine_text_callback callback;          /* may be NULL */
    void *user_data;
} engine_generate_job;

/* jobs[index] has ended: text is what it wrote, result how; error, NULL when all went well, why it could not be
 * written. All live during the callback only. */
typedef void (*engine_job_callback)(size_t index, const GString *text,
                                    const engine_generate_result *result, const GError *error,
                                    void *user_data);

/* Write many texts, as many at a time as the batch has sequences for; each is the one that engine_generate writes.
 * They end in any order. prompt_seconds and generate_seconds of one are the time that went by, others being written
 * beside it. A job that fails hinders no other; FALSE with error when a pass fails, and with it what is unfinished.
 * The batch must have no other requests. */
gboolean engine_generate_batch(engine_batch *batch, const engine_generate_job *jobs, size_t n_jobs,
                               engine_job_callback done, void *user_data, GError **error);

/* ---- chat ----------------------------------------------------------------------------------- */

typedef struct {
    const char *role;      /* "system", "user", "assistant", "tool", "environment" */
    const char *content;   /* NULL only beside tool_calls: the same as "" */
    const char *reasoning; /* assistant: its thoughts without their tags; may be NULL */
    const char
        *tool_calls;  /* assistant: JSON array of {"name", "arguments"} objects, or of OpenAI's
                               {"id", "type", "function": {...}}; may be NULL */
    const char *name; /* which tool or plugin speaks ("<|plugin|>"); may be NULL */
    const char *tool_call_id; /* the call that a tool answers; may be NULL */
} engine_message;

typedef enum {
    ENGINE_THINKING_DEFAULT, /* as the model's template has it */
    ENGINE_THINKING_ON,
    ENGINE_THINKING_OFF
} engine_thinking;

typedef struct {
    gboolean add_generation_prompt; /* open the assistant's turn; default TRUE */
    engine_thinking thinking;       /* default ENGINE_THINKING_DEFAULT */
    const char *tools;              /* JSON array of tools as OpenAI describes them; default NULL */
} engine_chat_options;

engine_chat_options engine_chat_options_default(void);

/* The messages [n] in the model's chat format, ready for engine_tokenize with PARSE_SPECIAL: what the Jinja
 * template that the model carries makes of them. options NULL means the defaults.
 *
 * Special-token strings inside contents, reasoning, tools and names are broken up by a blank, so untrusted
 * text cannot open a turn. ENGINE_ERROR_UNSUPPORTED when the model has no template, or one that we cannot
 * run; ENGINE_ERROR_ARGUMENT when a message has no role, JSON is malformed, or the template itself refuses
 * the messages. Free with g_free. Thread-safe. */
char *engine_chat_render(const engine_model *model, const engine_message *messages, size_t n,
                         const engine_chat_options *options, GError **error);

/* How a model writes tool calls. All but PLAIN need engine_detokenize with_special, for the marks are
 * special tokens in some vocabularies. */
typedef enum {
    ENGINE_CALLS_PLAIN, /* none: a reply is reasoning and content */
    ENGINE_CALLS_HERMES, /* <tool_call>{"name", "arguments"}</tool_call>: Qwen2.5, Qwen3, Intern-S1-Pro */
    ENGINE_CALLS_XML,    /* <tool_call><function=NAME><parameter=ARG>...: Qwen3.5, Intern-S2 */
    ENGINE_CALLS_ACTION, /* <|action_start|><|plugin|>{...}<|action_end|>: InternLM2 to 3, Intern-S1 */
    ENGINE_CALLS_LLAMA3, /* {"name", "parameters"} as the whole reply, <|python_tag|> before it or not */
    ENGINE_CALLS_MISTRAL /* [TOOL_CALLS][{"name", "arguments"}] or [TOOL_CALLS]NAME[ARGS]{...} */
} engine_calls_format;

/* As the model's template tells, else its vocabulary. */
engine_calls_format engine_chat_calls_format(const engine_model *model);

typedef struct {
    char *name;      /* code for the interpreter: "<|interpreter|>" with {"code": text} */
    char *arguments; /* a JSON object */
} engine_tool_call;

typedef enum { ENGINE_REPLY_REASONING, ENGINE_REPLY_CONTENT, ENGINE_REPLY_CALL } engine_reply_part;

/* text [len] for reasoning and content, call for a call; either lives only during this one. */
typedef void (*engine_reply_callback)(engine_reply_part part, const char *text, size_t len,
                                      const engine_tool_call *call, void *user_data);

/* Takes a reply apart while it is being written. One thread at a time.
 *
 * prompt  what the model continues, may be NULL: when it ends by opening <think>, the reply begins with
 *         reasoning. tools: the options' tools, may be NULL; they type the arguments of ENGINE_CALLS_XML.
 *
 * Marks cut by the border of two pieces are found; nothing that may still become one is passed on. White
 * space around reasoning and before a call is dropped. A call that cannot be read comes as content, as it
 * stands; nothing a model writes is an error. */
typedef struct engine_reply_parser engine_reply_parser;
engine_reply_parser *engine_reply_parser_new(engine_calls_format format, const char *prompt,
                                             const char *tools, engine_reply_callback callback,
                                             void *user_data);
void engine_reply_parser_feed(engine_reply_parser *parser, const char *text, size_t len);
void engine_reply_parser_finish(engine_reply_parser *parser); /* the reply has ended */
void engine_reply_parser_free(engine_reply_parser *parser);   /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(engine_reply_parser, engine_reply_parser_free)

typedef struct {
    char *reasoning; /* NULL when there is none */
    char *content;
    engine_tool_call *calls; /* [n_calls] */
    size_t n_calls;
} engine_reply;

/* The same for a whole reply. Never fails. */
engine_reply *engine_chat_parse(const engine_model *model, const char *prompt, const char *tools,
                                const char *text, size_t len);
void engine_reply_free(engine_reply *reply); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(engine_reply, engine_reply_free)

/* ---- models behind an endpoint --------------------------------------------------------------- */

/* A model that another process or machine runs, spoken to as OpenAI's API has it (LMDeploy, vLLM, SGLang, llama.cpp).
 * Immutable for callers and locked inside: any number of threads may ask at once. */
typedef struct engine_remote engine_remote;

typedef struct {
    const char *key; /* sent as "Authorization: Bearer"; in no message; NULL (default): none */
    double connect_seconds; /* until there is a connection; default 10 */
    double first_seconds;   /* from there to the first byte of an answer; default 600 */
    double stall_seconds;   /* between two pieces of it; default 60 */
    uint32_t n_retries;     /* after what may pass: cuts, 429, 500, ...; default 4 */
    double backoff_seconds; /* before the first retry, doubled before each further; default 0.5 */
    uint64_t max_bytes;     /* of one answer; default 64 MiB */
    uint64_t seed;          /* of the backoff's jitter; default 0 */
} engine_remote_options;

engine_remote_options engine_remote_options_default(void);

/* endpoint: "http://host:port/v1", with or without the slash or "/chat/completions" at its end. Connects to nothing.
 * ARGUMENT: no URL, or one with a user name in it. */
engine_remote *engine_remote_new(const char *endpoint, const char *model,
                                 const engine_remote_options *options, GError **error);
void engine_remote_free(engine_remote *remote); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(engine_remote, engine_remote_free)
const char *engine_remote_id(const engine_remote *remote); /* "MODEL at ENDPOINT" */
/* Tokens of prompt and text that the server takes: known once it has refused a request as longer and said so; else 0. A
 * refusal for its length is ENGINE_ERROR_LENGTH, with a number or without. Locked inside. */
uint32_t engine_remote_context(engine_remote *remote);

/* What engine_generate_options says of the same names; 0 in max_tokens leaves the length to the server. */
typedef struct {
    const engine_message *messages; /* [n_messages] */
    size_t n_messages;
    const char *tools;       /* JSON array of tools as OpenAI describes them; may be NULL */
    const char *prompt;      /* instead of messages: text to go on with */
    const char *json_schema; /* the text is JSON that this schema accepts; may be NULL */
    uint32_t max_tokens, top_k;
    double temperature, top_p, min_p,
        repeat_penalty; /* 0, 1, 0, 1: as the local models' defaults */
    uint64_t seed;
    const char *const *stop;
    const int *cancel; /* looked at ten times a second */
    /* Reasoning and content as they come, whole characters; FALSE ends it. May be NULL. */
    gboolean (*callback)(engine_reply_part part, const char *text, size_t len, void *user_data);
    void *user_data;
} engine_remote_request;

typedef struct {
    char *content;     /* without <think>...</think> */
    char *reasoning;   /* NULL: none */
    char *tool_calls;  /* JSON array as OpenAI writes it; NULL: none */
    char *model;       /* what the server calls the model that answered; may be NULL */
    char *fingerprint; /* its "system_fingerprint"; may be NULL */
    engine_stop_reason reason;
    gboolean has_usage; /* the server counted: */
    uint64_t n_prompt, n_generated, n_reasoning;
    guint n_attempts;              /* requests it took */
    double first_seconds, seconds; /* until the first text; in all */
} engine_remote_reply;
void engine_remote_reply_clear(engine_remote_reply *reply);

/* Ask once. A request that breaks off after some of its text was handed on is asked again, and the new text goes on
 * where it was where it begins the same, else that is an error. With a schema nothing is handed on before the whole
 * answer has been checked against it: servers that cannot keep one are asked for JSON, then for plain text.
 *
 * reply  filled on success, with a reason CANCELLED too; release with engine_remote_reply_clear.
 * NETWORK; FORMAT: no answer of this API, or none that the schema accepts; LIMIT: too large, too slow;
 * LENGTH: the request is too long for the server. */
gboolean engine_remote_generate(engine_remote *remote, const engine_remote_request *request,
                                engine_remote_reply *reply, GError **error);

/* Is text [len] one JSON value that the schema accepts? FORMAT naming the place in text where it is not. Keywords that
 * describe and formats are not looked at; UNSUPPORTED for others that are not known. */
gboolean engine_json_schema_check(const char *schema, const char *text, size_t len, GError **error);

G_END_DECLS
#endif

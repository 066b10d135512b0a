/* The tensor names of GGUF and of the checkpoints transformers reads, and the families we run. */
#include "engine/decoder_names.h"

#include <string.h>

const engine_names engine_names_gguf = {
    .embd = "token_embd",
    .output = "output",
    .output_norm = "output_norm",
    .layer = "blk.%u.",
    .mixer_norm = "attn_norm",
    .ffn_norm = "ffn_norm",
    .q = "attn_q",
    .k = "attn_k",
    .v = "attn_v",
    .qkv = "attn_qkv",
    .o = "attn_output",
    .q_norm = "attn_q_norm",
    .k_norm = "attn_k_norm",
    .gate = "ffn_gate",
    .up = "ffn_up",
    .down = "ffn_down",
    .router = "ffn_gate_inp",
    .shared_gate = "ffn_gate_shexp",
    .shared_up = "ffn_up_shexp",
    .shared_down = "ffn_down_shexp",
    .shared_router = "ffn_gate_inp_shexp",
    .experts_gate = "ffn_gate_exps.weight",
    .experts_up = "ffn_up_exps.weight",
    .experts_down = "ffn_down_exps.weight",
    .experts_gate_up = "ffn_gate_up_exps.weight",
    .expert_gate = "ffn_gate.%u",
    .expert_up = "ffn_up.%u",
    .expert_down = "ffn_down.%u",
    .delta_qkv = "attn_qkv",
    .delta_z = "attn_gate",
    .delta_beta = "ssm_beta",
    .delta_alpha = "ssm_alpha",
    .delta_qkvz = "ssm_in",
    .delta_ba = "ssm_ba",
    .delta_out = "ssm_out",
    .delta_conv = "ssm_conv1d",
    .delta_a = "ssm_a",
    .delta_dt = "ssm_dt.bias",
    .delta_norm = "ssm_norm",
};

/* Members common to everything that keeps transformers' names. */
#define HF_COMMON                                                                                  \
    .embd = "model.embed_tokens", .output = "lm_head", .output_norm = "model.norm",                \
    .layer = "model.layers.%u.", .mixer_norm = "input_layernorm",                                  \
    .ffn_norm = "post_attention_layernorm", .q = "self_attn.q_proj", .k = "self_attn.k_proj",      \
    .v = "self_attn.v_proj", .o = "self_attn.o_proj", .q_norm = "self_attn.q_norm",                \
    .k_norm = "self_attn.k_norm", .gate = "mlp.gate_proj", .up = "mlp.up_proj",                    \
    .down = "mlp.down_proj", .shared_gate = "mlp.shared_expert.gate_proj",                         \
    .shared_up = "mlp.shared_expert.up_proj", .shared_down = "mlp.shared_expert.down_proj",        \
    .shared_router = "mlp.shared_expert_gate", .delta_qkv = "linear_attn.in_proj_qkv",             \
    .delta_z = "linear_attn.in_proj_z", .delta_beta = "linear_attn.in_proj_b",                     \
    .delta_alpha = "linear_attn.in_proj_a", .delta_qkvz = "linear_attn.in_proj_qkvz",              \
    .delta_ba = "linear_attn.in_proj_ba", .delta_out = "linear_attn.out_proj",                     \
    .delta_conv = "linear_attn.conv1d", .delta_a = "linear_attn.A_log",                            \
    .delta_dt = "linear_attn.dt_bias", .delta_norm = "linear_attn.norm"

static const engine_names HF = {
    HF_COMMON,
    .router = "mlp.gate",
    .experts_gate_up = "mlp.experts.gate_up_proj",
    .experts_down = "mlp.experts.down_proj",
    .expert_gate = "mlp.experts.%u.gate_proj",
    .expert_up = "mlp.experts.%u.up_proj",
    .expert_down = "mlp.experts.%u.down_proj",
};

static const engine_names MIXTRAL = {
    HF_COMMON,
    .router = "block_sparse_moe.gate",
    .expert_gate = "block_sparse_moe.experts.%u.w1",
    .expert_up = "block_sparse_moe.experts.%u.w3",
    .expert_down = "block_sparse_moe.experts.%u.w2",
};

/* The packs of experts that layers share; the names follow "model.meta_mlp.PACK.". */
const engine_names engine_names_pack = {
    .router = "gate",
    .experts_gate_up = "experts.gate_up_proj",
    .experts_down = "experts.down_proj",
    .expert_gate = "experts.%u.gate_proj",
    .expert_up = "experts.%u.up_proj",
    .expert_down = "experts.%u.down_proj",
    .shared_gate = "shared_expert.gate_proj",
    .shared_up = "shared_expert.up_proj",
    .shared_down = "shared_expert.down_proj",
    .shared_router = "shared_expert_gate",
};

static const engine_names INTERNLM2 = {
    .embd = "model.tok_embeddings",
    .output = "output",
    .output_norm = "model.norm",
    .layer = "model.layers.%u.",
    .mixer_norm = "attention_norm",
    .ffn_norm = "ffn_norm",
    .qkv = "attention.wqkv",
    .o = "attention.wo",
    .gate = "feed_forward.w1",
    .up = "feed_forward.w3",
    .down = "feed_forward.w2",
};

#define QWEN35                                                                                     \
    (FAMILY_QK_NORM | FAMILY_DELTA | FAMILY_HF_PLUS_ONE | FAMILY_GGUF_TILED |                      \
     FAMILY_ALWAYS_NORMALIZE)

static const engine_family FAMILIES[] = {
    {"llama", "llama", {"llama"}, FAMILY_GGUF_PAIRS | FAMILY_ALWAYS_NORMALIZE, &HF},
    {"mixtral", NULL, {"mixtral"}, FAMILY_ALWAYS_NORMALIZE, &MIXTRAL},
    {"qwen2", "qwen2", {"qwen2"}, 0, &HF},
    {"qwen3", "qwen3", {"qwen3"}, FAMILY_QK_NORM, &HF},
    {"qwen3moe", "qwen3moe", {"qwen3_moe"}, FAMILY_QK_NORM, &HF},
    {"interns1_pro",
     "interns1_pro",
     {"interns1_pro_text", "interns1_pro", "interns1_1_text", "interns1_1"},
     FAMILY_QK_NORM | FAMILY_FOPE | FAMILY_EXPERTS_TRANSPOSED,
     &HF},
    {"internlm2", "internlm2", {"internlm2"}, FAMILY_GGUF_PAIRS | FAMILY_FUSED_QKV, &INTERNLM2},
    {"internlm3", NULL, {"internlm3"}, 0, &HF},
    {"qwen3next",
     "qwen3next",
     {"qwen3_next"},
     FAMILY_QK_NORM | FAMILY_DELTA | FAMILY_HF_PLUS_ONE,
     &HF},
    {"qwen35", "qwen35", {"qwen3_5_text", "qwen3_5"}, QWEN35, &HF},
    {"qwen35moe",
     "qwen35moe",
     {"qwen3_5_moe_text", "qwen3_5_moe", "intern_s2_preview_text", "intern_s2_preview"},
     QWEN35,
     &HF},
    {"interns2_mobius", NULL, {"interns2_mobius_text", "interns2_mobius"}, QWEN35, &HF},
};

const engine_family *
engine_family_lookup(gboolean gguf, const char *name)
{
    for (size_t i = 0; name && i < G_N_ELEMENTS(FAMILIES); i++) {
        if (gguf && g_strcmp0(FAMILIES[i].gguf, name) == 0) return &FAMILIES[i];
        for (size_t j = 0; !gguf && j < G_N_ELEMENTS(FAMILIES[i].hf) && FAMILIES[i].hf[j]; j++)
            if (strcmp(FAMILIES[i].hf[j], name) == 0) return &FAMILIES[i];
    }
    return NULL;
}

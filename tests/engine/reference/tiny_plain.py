"""A plain decoder for every architecture of the family, one token after another, in float64.

Written from the papers' and configurations' formulas alone; it shares no code with the engine or with
transformers. tiny_models.py uses it where transformers has no class, and checks it against transformers where
there is one. `w` maps names without prefix ("layers.0.self_attn.q_proj.weight") to tensors; `c` is the text
configuration.

    rotary positions   Su et al., arXiv:2104.09864; YaRN, arXiv:2309.00071; FoPE, arXiv:2412.17739
    gated delta rule   Yang et al., arXiv:2412.06464
    experts            Mixtral, arXiv:2401.04088
"""

import math

import torch

F = torch.float64


def rms(x, weight, eps):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) * weight


def silu(x):
    return x * torch.sigmoid(x)


def rope_fields(c):
    return {**(c.get("rope_scaling") or {}), **(c.get("rope_parameters") or {})}


def rope_frequencies(c, n_rot, n_tokens):
    """Frequencies [n_rot / 2] and the factor on cos and sin."""
    r = rope_fields(c)
    theta = float(r.get("rope_theta", c.get("rope_theta", 10000.0)))
    kind = r.get("rope_type", r.get("type", "default"))
    limit = c["max_position_embeddings"]
    if kind == "dynamic" and n_tokens > limit:
        theta *= (r["factor"] * n_tokens / limit - (r["factor"] - 1)) ** (n_rot / (n_rot - 2))
    j = torch.arange(n_rot // 2, dtype=F)
    omega = theta ** (-2 * j / n_rot)
    scale = 1.0
    if kind == "linear":
        omega = omega / r["factor"]
    elif kind == "llama3":
        old, low, high = r["original_max_position_embeddings"], r["low_freq_factor"], r["high_freq_factor"]
        wave = 2 * math.pi / omega
        s = (old / wave - low) / (high - low)
        blend = (1 - s) * omega / r["factor"] + s * omega
        omega = torch.where(wave < old / high, omega, torch.where(wave > old / low, omega / r["factor"], blend))
    elif kind == "yarn":
        f, old = r["factor"], r["original_max_position_embeddings"]
        dim = lambda n: n_rot * math.log(old / (2 * math.pi * n)) / (2 * math.log(theta))
        lo = max(math.floor(dim(r.get("beta_fast", 32))), 0)
        hi = min(math.ceil(dim(r.get("beta_slow", 1))), n_rot - 1)
        ramp = ((j - lo) / max(hi - lo, 1e-3)).clamp(0, 1)
        omega = omega / f * ramp + omega * (1 - ramp)
        scale = r.get("attention_factor") or 0.1 * math.log(f) + 1
    return omega, scale


class Rotary:
    """cos and sin [n_kv or 1, n_tokens, n_rot / 2]; FoPE mixes the frequencies per KV head."""

    def __init__(self, w, c, d, n_tokens):
        r = rope_fields(c)
        self.n_rot = int(d * r.get("partial_rotary_factor", c.get("partial_rotary_factor", 1.0)))
        omega, scale = rope_frequencies(c, self.n_rot, n_tokens)
        if "rotary_emb.cos_coef" in w:
            cos_coef, sin_coef = w["rotary_emb.cos_coef"], w["rotary_emb.sin_coef"]
            if cos_coef.dim() == 2:
                cos_coef, sin_coef = cos_coef[None], sin_coef[None]
            kept = r.get("fope_num_inv_freq") or int((omega > 2 * math.pi / c["max_position_embeddings"]).sum())
            assert kept == cos_coef.shape[-1] < d // 2
            angle = torch.outer(torch.arange(n_tokens, dtype=F), omega[:kept])
            ones = torch.ones(cos_coef.shape[0], n_tokens, d // 2 - kept, dtype=F)  # beyond the kept: 1, also sin
            self.cos = torch.cat([torch.einsum("tk,gkc->gtc", angle.cos(), cos_coef), ones], -1)
            self.sin = torch.cat([torch.einsum("tk,gkc->gtc", angle.sin(), sin_coef), ones], -1)
        else:
            angle = torch.outer(torch.arange(n_tokens, dtype=F), omega)
            self.cos, self.sin = (angle.cos() * scale)[None], (angle.sin() * scale)[None]

    def turn(self, x, group):
        """x [heads, T, d]; head h uses the tables of h // group."""
        half = self.n_rot // 2
        a, b, rest = x[..., :half], x[..., half : self.n_rot], x[..., self.n_rot :]
        pick = torch.arange(x.shape[0]) // group if self.cos.shape[0] > 1 else torch.zeros(x.shape[0], dtype=int)
        cos, sin = self.cos[pick], self.sin[pick]
        return torch.cat([a * cos - b * sin, b * cos + a * sin, rest], -1)


class Plain:
    def __init__(self, w, c, plus_one=False):
        self.w, self.c = {k: v.to(F) for k, v in w.items()}, c
        self.plus_one = plus_one  # norm weights are stored minus one
        self.eps = c["rms_norm_eps"]
        self.margin = math.inf  # smallest gap between the last chosen and the first left-out expert

    def norm(self, x, name):
        return rms(x, self.w[name + ".weight"] + (1.0 if self.plus_one else 0.0), self.eps)

    def linear(self, x, name):
        y = x @ self.w[name + ".weight"].T
        return y + self.w[name + ".bias"] if name + ".bias" in self.w else y

    # ---- attention ----

    def attention(self, x, at, rotary):
        c, t = self.c, x.shape[0]
        n_q, n_kv = c["num_attention_heads"], c["num_key_value_heads"]
        d = c.get("head_dim") or c["hidden_size"] // n_q
        gate = None
        if at + "wqkv.weight" in self.w:  # InternLM2: per KV head its query heads, then k, then v
            qkv = self.linear(x, at + "wqkv").view(t, n_kv, n_q // n_kv + 2, d)
            q, k, v = qkv[:, :, :-2].reshape(t, n_q, d), qkv[:, :, -2], qkv[:, :, -1]
        else:
            q = self.linear(x, at + "q_proj")
            if q.shape[1] == 2 * n_q * d:  # per head: query, then output gate
                q, gate = q.view(t, n_q, 2, d).unbind(2)
            q = q.reshape(t, n_q, d)
            k, v = (self.linear(x, at + n).view(t, n_kv, d) for n in ("k_proj", "v_proj"))
        if at + "q_norm.weight" in self.w:
            q, k = self.norm(q, at + "q_norm"), self.norm(k, at + "k_norm")
        q, k = rotary.turn(q.transpose(0, 1), n_q // n_kv), rotary.turn(k.transpose(0, 1), 1)
        k, v = (y.repeat_interleave(n_q // n_kv, 0) for y in (k, v.transpose(0, 1)))
        scores = q @ k.transpose(1, 2) / math.sqrt(d)
        scores = scores.masked_fill(torch.ones(t, t).triu(1).bool(), -math.inf)
        out = (scores.softmax(-1) @ v).transpose(0, 1)
        if gate is not None:
            out = out * torch.sigmoid(gate)
        out_name = at + ("wo" if at + "wo.weight" in self.w else "o_proj")
        return self.linear(out.reshape(t, n_q * d), out_name)

    def delta_net(self, x, at):
        """The recurrence as it stands, token by token."""
        c, w, t = self.c, self.w, x.shape[0]
        n_k, n_v = c["linear_num_key_heads"], c["linear_num_value_heads"]
        d_k, d_v = c["linear_key_head_dim"], c["linear_value_head_dim"]
        if at + "in_proj_qkvz.weight" in w:  # Qwen3-Next: interleaved per key head
            r = n_v // n_k
            qkvz = self.linear(x, at + "in_proj_qkvz").view(t, n_k, 2 * d_k + 2 * r * d_v)
            q, k, v, z = qkvz.split([d_k, d_k, r * d_v, r * d_v], -1)
            u, z = torch.cat([y.reshape(t, -1) for y in (q, k, v)], -1), z.reshape(t, n_v, d_v)
            b, a = self.linear(x, at + "in_proj_ba").view(t, n_k, 2, r).unbind(2)
            b, a = b.reshape(t, n_v), a.reshape(t, n_v)
        else:
            u, z = self.linear(x, at + "in_proj_qkv"), self.linear(x, at + "in_proj_z").view(t, n_v, d_v)
            b, a = self.linear(x, at + "in_proj_b"), self.linear(x, at + "in_proj_a")
        kernel = w[at + "conv1d.weight"].squeeze(1)
        width = kernel.shape[1]
        padded = torch.cat([torch.zeros(width - 1, u.shape[1], dtype=F), u])
        u = silu(sum(kernel[:, i] * padded[i : i + t] for i in range(width)))
        q, k, v = u.split([n_k * d_k, n_k * d_k, n_v * d_v], -1)
        q, k, v = q.view(t, n_k, d_k), k.view(t, n_k, d_k), v.view(t, n_v, d_v)
        q = q / (q.pow(2).sum(-1, keepdim=True) + 1e-6).sqrt() / math.sqrt(d_k)
        k = k / (k.pow(2).sum(-1, keepdim=True) + 1e-6).sqrt()
        q, k = (y.repeat_interleave(n_v // n_k, 1) for y in (q, k))
        beta = torch.sigmoid(b)
        decay = (-torch.exp(w[at + "A_log"]) * torch.nn.functional.softplus(a + w[at + "dt_bias"])).exp()
        state, rows = torch.zeros(n_v, d_k, d_v, dtype=F), []
        for i in range(t):
            state = state * decay[i][:, None, None]
            error = (v[i] - torch.einsum("hkv,hk->hv", state, k[i])) * beta[i][:, None]
            state = state + k[i][:, :, None] * error[:, None, :]
            rows.append(torch.einsum("hkv,hk->hv", state, q[i]))
        y = rms(torch.stack(rows), w[at + "norm.weight"], self.eps) * silu(z)
        return self.linear(y.reshape(t, n_v * d_v), at + "out_proj")

    # ---- feed-forward ----

    def dense(self, x, at, names=("gate_proj", "up_proj", "down_proj")):
        gate, up, down = (at + n for n in names)
        return self.linear(silu(self.linear(x, gate)) * self.linear(x, up), down)

    def expert(self, x, at, e):
        w = self.w
        if at + "experts.gate_up_proj" in w:
            both, down = w[at + "experts.gate_up_proj"][e], w[at + "experts.down_proj"][e]
            if both.shape[-1] != x.shape[-1]:  # the transposed layout of Qwen3-VL-MoE and Intern-S1-Pro
                both, down = both.T, down.T
            gate, up = (x @ both.T).chunk(2, -1)
            return (silu(gate) * up) @ down.T
        names = ("gate_proj", "up_proj", "down_proj")
        if at + f"experts.{e}.w1.weight" in w:
            names = ("w1", "w3", "w2")
        return self.dense(x, at + f"experts.{e}.", names)

    def choose(self, prob, k):
        """The k largest; remembers how close the call was."""
        ranked, index = prob.sort(descending=True, stable=True)
        if k < len(prob):
            self.margin = min(self.margin, float((ranked[k - 1] - ranked[k]) / ranked[0]))
        return index[:k]

    def moe(self, x, at, k, renormalise, n_groups=1):
        prob = (x @ self.w[at + "gate.weight"].T).softmax(-1)
        out = torch.zeros_like(x)
        for i in range(x.shape[0]):
            size = prob.shape[1] // n_groups
            chosen = torch.cat([g * size + self.choose(prob[i, g * size : (g + 1) * size], k // n_groups)
                                for g in range(n_groups)])
            share = prob[i, chosen]
            if renormalise:
                share = share / share.sum()
            for e, s in zip(chosen.tolist(), share):
                out[i] += s * self.expert(x[i : i + 1], at, e)[0]
        return out

    def feed_forward(self, x, layer, at):
        c, mlp = self.c, at + "mlp."
        if at + "feed_forward.w1.weight" in self.w:
            return self.dense(x, at + "feed_forward.", ("w1", "w3", "w2"))
        if at + "block_sparse_moe.gate.weight" in self.w:
            return self.moe(x, at + "block_sparse_moe.", c["num_experts_per_tok"], True)
        always = c["model_type"] not in ("qwen3_moe", "interns1_pro_text")
        renormalise = always or c.get("norm_topk_prob", False)
        if "meta_mlp.0.gate.weight" in self.w and at.startswith("layers."):  # Mobius
            y = self.moe(x, f"meta_mlp.{layer % c['num_blocks']}.", c["num_experts_per_tok"], True)
            mlp = at
        elif mlp + "gate.weight" in self.w:
            y = self.moe(x, mlp, c.get("mtp_num_experts_per_tok", c["num_experts_per_tok"])
                         if not at.startswith("layers.") else c["num_experts_per_tok"],
                         renormalise, c.get("router_n_groups") or 1)
        else:
            return self.dense(x, mlp)
        if mlp + "shared_expert.gate_proj.weight" in self.w:
            y = y + torch.sigmoid(self.linear(x, mlp + "shared_expert_gate")) * self.dense(x, mlp + "shared_expert.")
        return y

    # ---- the whole ----

    def block(self, x, layer, at, rotary):
        old = at + "attention_norm.weight" in self.w  # InternLM2's names
        first, second = ("attention_norm", "ffn_norm") if old else ("input_layernorm", "post_attention_layernorm")
        a = self.norm(x, at + first)
        if at + "linear_attn.A_log" in self.w:
            x = x + self.delta_net(a, at + "linear_attn.")
        else:
            x = x + self.attention(a, at + ("attention." if old else "self_attn."), rotary)
        return x + self.feed_forward(self.norm(x, at + second), layer, at)

    def embed(self, ids):
        name = "tok_embeddings.weight" if "tok_embeddings.weight" in self.w else "embed_tokens.weight"
        return self.w[name][torch.tensor(ids)]

    def head(self, x):
        for name in ("lm_head.weight", "output.weight", "embed_tokens.weight"):
            if name in self.w:
                return x @ self.w[name].T

    def forward(self, ids):
        """Logits [T, vocab]; keeps the trunk's output after the last norm."""
        c = self.c
        d = c.get("head_dim") or c["hidden_size"] // c["num_attention_heads"]
        self.rotary = Rotary(self.w, c, d, len(ids))
        x = self.embed(ids)
        for layer in range(c["num_hidden_layers"]):
            x = self.block(x, layer, f"layers.{layer}.", self.rotary)
        self.trunk = self.norm(x, "norm")
        return self.head(self.trunk)

    def draft(self, ids, head="mtp."):
        """After forward(ids): logits [T - 1, vocab] of the multi-token-prediction head, row p for token p + 2.
        Row p sits at position p, which for rotary attention is as good as p + 1."""
        find = lambda name: head + name if head + name + ".weight" in self.w else head + "layers.0." + name
        e = self.norm(self.embed(ids[1:]), find("pre_fc_norm_embedding"))
        h = self.norm(self.trunk[:-1], find("pre_fc_norm_hidden"))
        x = self.linear(torch.cat([e, h], -1), find("fc"))
        d = self.c.get("head_dim")
        x = self.block(x, 0, head + "layers.0.", Rotary({}, self.c, d, len(ids) - 1))
        return self.head(self.norm(x, find("norm")))

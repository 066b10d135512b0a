"""llama.cpp through its C API (llama-cpp-python's ctypes bindings): what llama.sh and tiny_llama_cpp.py drive.

    llama_peer.py logits MODEL IDS OUT [--threads N]
        IDS: token ids, one a line. OUT: float32 logits of every position, position-major.
    llama_peer.py speed MODEL [--threads N] [--prefill 512,2048] [--depth 0,2048,8192] [--decode N] [--kv f16|q8_0]
        one JSON line: tokens a second of every test, peak memory, seconds to load and to the first token

A cache of DEPTH tokens is made by prefilling 512 and repeating their cells: the values do not change the speed of
a decode step, only their number does.
"""

import argparse
import ctypes
import json
import resource
import struct
import sys
import time

import llama_cpp as api
import numpy as np

FLASH = {"auto": -1, "off": 0, "on": 1}
KV_TYPES = {"f32": 0, "f16": 1, "q8_0": 8, "q4_0": 2}


@ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
def quiet(_level, _text, _data):
    pass


class Peer:
    def __init__(self, path, n_context=4096, threads=1, kv="f16", flash="auto", batch=2048):
        api.llama_log_set(quiet, None)
        api.llama_backend_init()
        start = time.perf_counter()
        params = api.llama_model_default_params()
        params.n_gpu_layers = 0
        self.model = api.llama_model_load_from_file(path.encode(), params)
        if not self.model:
            sys.exit(f"llama.cpp cannot load {path}")
        params = api.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = n_context, batch, min(batch, 512)
        params.n_threads = params.n_threads_batch = threads
        params.type_k = params.type_v = KV_TYPES[kv]
        params.flash_attn_type = FLASH[flash]
        self.context = api.llama_init_from_model(self.model, params)
        if not self.context:
            sys.exit(f"llama.cpp makes no context for {path}")
        self.load_seconds = time.perf_counter() - start
        self.n_vocab = api.llama_vocab_n_tokens(api.llama_model_get_vocab(self.model))
        self.memory = api.llama_get_memory(self.context)
        self.n_batch = batch
        self.batch = api.llama_batch_init(batch, 0, 1)

    def eval(self, ids, first=0, all_logits=False):
        """Tokens at positions first..; float32 logits of all of them, or of the last."""
        rows = []
        for done in range(0, len(ids), self.n_batch):
            piece = ids[done : done + self.n_batch]
            self.batch.n_tokens = len(piece)
            for i, token in enumerate(piece):
                self.batch.token[i], self.batch.pos[i] = token, first + done + i
                self.batch.n_seq_id[i], self.batch.seq_id[i][0] = 1, 0
                self.batch.logits[i] = all_logits or done + i + 1 == len(ids)
            if api.llama_decode(self.context, self.batch) != 0:
                sys.exit("llama.cpp cannot evaluate the tokens")
            wanted = range(len(piece)) if all_logits else [len(piece) - 1] if done + len(piece) == len(ids) else []
            for i in wanted:
                p = api.llama_get_logits_ith(self.context, i)
                rows.append(np.ctypeslib.as_array(p, (self.n_vocab,)).copy())
        return np.stack(rows)

    def clear(self):
        api.llama_memory_clear(self.memory, True)

    def cut(self, n):
        api.llama_memory_seq_rm(self.memory, 0, n, -1)

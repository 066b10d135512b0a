#!/usr/bin/env python3
"""Let llama.cpp read the GGUF side of the tiny models and compare its logits with the recorded ones.

    tiny_llama_cpp.py GGUFDIR      (what tiny_models.py --gguf GGUFDIR wrote; run in a venv with llama-cpp-python)

This proves the names, keys and reorderings of tiny_gguf.py, on which the engine's own reading rests.
"""

import json
import os
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "bench"))
from llama_peer import Peer  # noqa: E402

for file in sorted(os.listdir(sys.argv[1])):
    name = file[: -len(".gguf")]
    data = os.path.join(HERE, "..", "..", "data", "engine", "tiny", name)
    case = json.load(open(data + ".json"))
    positions = case["positions"]
    expected = np.fromfile(data + ".f32", dtype="<f4").reshape(len(positions), -1)
    pid = os.fork()  # one model a process: a file it refuses may abort
    if pid == 0:
        peer = Peer(os.path.join(sys.argv[1], file), 256, kv="f32", flash="off")
        got = peer.eval(case["ids"], all_logits=True)[positions]
        print(f"{name}: {np.abs(got - expected).max() / np.abs(expected).max():.1e}", flush=True)
        os._exit(0)
    if os.waitpid(pid, 0)[1] != 0:
        print(f"{name}: llama.cpp does not run it")

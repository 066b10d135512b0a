#!/bin/sh
# A model with experts in less memory than its weights take: the same text, and what it costs.
#
#   tests/bench/outofcore.sh BUILD MODEL [MB...]
#
# BUILD  lode's build folder     MODEL  with experts     MB  default: three, two and one quarter of the weights
#
# PROMPT, DECODE  (environment) tokens read and written, default 64 and 48     THREADS  default 1
#
# Exits with 1 when a text differs from the one written with all weights in memory.
set -eu
if [ $# -lt 2 ]; then
    sed -n '4,8s/^# \{0,3\}//p' "$0" >&2
    exit 2
fi
lode=$1/pipelines/lode model=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ $# -eq 0 ]; then
    mb=$(($(stat -L -c %s "$model") / 1000000))
    set -- $((mb * 3 / 4)) $((mb / 2)) $((mb / 4))
fi
n=${PROMPT:-64} decode=${DECODE:-48}
seq 100 $((99 + n)) > "$work/ids"
for limit in 0 "$@"; do # 0: no limit
    "$lode" generate "$model" --tokens "$work/ids" --context $((n + decode)) -n "$decode" --ignore-eos \
        --memory "$limit" -t "${THREADS:-1}" --json -q > "$work/$limit"
done
python3 - "$work" "$@" << 'END'
import json, os, sys
work, limits = sys.argv[1], sys.argv[2:]
whole = json.load(open(os.path.join(work, "0")))
different = 0
print("memory (MB)  experts in memory  GB read  prompt (s)  tokens/s written")
for limit in ["0"] + limits:
    run = json.load(open(os.path.join(work, limit)))
    found, read = run.get("experts_found", 1), run.get("experts_read", 0)
    same = run["text"] == whole["text"] and len(run["text"]) > 0
    different += not same
    print(f"{'all' if limit == '0' else limit:>11s} {found / (found + read):17.0%} "
          f"{run.get('expert_bytes_read', 0) / 1e9:8.2f} {run['prompt_seconds']:11.2f} "
          f"{run['generated_tokens'] / run['generate_seconds']:17.1f}  {'' if same else 'ANOTHER TEXT'}")
sys.exit(different > 0)
END

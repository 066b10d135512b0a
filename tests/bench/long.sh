#!/bin/sh
# A prompt far longer than any test's, in bounded memory: the peak beside what lode model info says it takes.
#
#   tests/bench/long.sh BUILD [N [MODEL]]
#
# BUILD  lode's build folder     N  tokens of the prompt, default 131072
# MODEL  default: a random-weight model of 2 layers, made by random_gguf.py (needs python3)
#
# Exits with 1 when the peak, less what the program took before it opened the model, is more than a tenth and 4 MB
# (libraries loaded as they are first used) over what was said.
set -eu
if [ $# -lt 1 ]; then
    sed -n '4,7s/^# \{0,3\}//p' "$0" >&2
    exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
lode=$1/pipelines/lode n=${2:-131072} model=${3:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ -z "$model" ]; then
    model=$work/model.gguf
    python3 "$here/random_gguf.py" "$model"
fi
"$lode" model info "$model" --context "$n" --json > "$work/info"
"$lode" bench "$model" -p "$n" -d "" -r 1 --no-machine --json > "$work/bench"
python3 - "$n" "$work/info" "$work/bench" << 'END'
import json, sys
said = json.load(open(sys.argv[2]))["memory"]["kv"]["f16"]["total_bytes"]
run = json.load(open(sys.argv[3]))
print(f"{sys.argv[1]} tokens: {run['tests'][0]['best']:.0f} tokens/s on {run['threads']} threads, "
      f"peak {run['peak_bytes'] / 1e6:.1f} MB, of which {run['base_bytes'] / 1e6:.1f} MB before; "
      f"said {said / 1e6:.1f} MB")
sys.exit(run["peak_bytes"] - run["base_bytes"] > 1.1 * said + 4e6)
END

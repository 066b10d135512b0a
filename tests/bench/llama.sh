#!/bin/bash
# lode beside llama.cpp on the same GGUF files, in one run.
#
#   tests/bench/llama.sh logits BUILD MODEL TEXT [TYPE...]   how far apart the answers are
#   tests/bench/llama.sh speed  BUILD MODEL...               tokens a second in alternating rounds
#
# BUILD    lode's build folder
# TEXT     1,000 tokens of it are read; TYPE: quantisations to compare, made with lode model quantize; without
#          any the file as it is
#
# Logits: both engines read the same file, and lode reads it once more with every weight widened to float32: the
# truth, as near as that file can tell it (tests/engine checks lode in float32 against transformers). llama.cpp
# rounds activations to 8 bits, so it differs from the truth too, and that is printed beside.
#
# ROUNDS   (environment) default 5       THREADS  default "1 2"       KV       default f16
# PREFILL  default 512,2048              DEPTH    default 0,2048,8192 DECODE   tokens at each depth, default 64
# CLOCK    cpu: processor time, for one thread on a busy machine; default: the clock
# PEER     llama-cpp-python (default; built from source) or ik-llama-cpp-python (a fork), both from PyPI
# CACHE    where it is installed and quantised files stay, default $XDG_CACHE_HOME/lode-llama
set -eu
if [ $# -lt 3 ]; then
    sed -n '4,20s/^# \{0,3\}//p' "$0" >&2
    exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
what=$1 build=$2
shift 2
peer=${PEER:-llama-cpp-python}
cache=${CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/lode-llama}
venv=$cache/$peer
python=$venv/bin/python
lode=$build/pipelines/lode
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

case $peer in
ik-*) module=ik_llama_cpp ;;
*) module=llama_cpp ;;
esac
if ! "$python" -c "import $module" 2> /dev/null; then
    mkdir -p "$cache"
    [ -x "$python" ] || python3 -m venv "$venv"
    CMAKE_ARGS="-DGGML_NATIVE=ON" "$venv/bin/pip" install -q "$peer" > "$venv/install.log" 2>&1 || {
        echo "$peer cannot be installed, see $venv/install.log" >&2
        exit 3
    }
fi

logits() {
    local model=$1 ids=$work/ids type file
    "$build/tests/engine/bench_logits" tokens "$model" "$2" 1000 > "$ids"
    shift 2
    printf '%-10s %-24s %10s %10s %8s\n' type "" "KL mean" "KL max" "top-1"
    for type in "${@:-as-is}"; do
        file=$model
        if [ "$type" != as-is ]; then
            file=$cache/$(basename "$model" .gguf).$type.gguf
            [ -e "$file" ] || "$lode" model quantize "$model" "$file" --type "$type" -q
        fi
        "$lode" model quantize "$file" "$work/wide.gguf" --type F32 -q
        "$build/tests/engine/bench_logits" eval "$work/wide.gguf" "$ids" "$work/truth" 2
        "$build/tests/engine/bench_logits" eval "$file" "$ids" "$work/lode" 2
        "$python" "$here/llama_peer.py" logits "$file" "$ids" "$work/peer" --threads 2 --kv "${KV:-f16}"
        "$python" "$here/llama_peer.py" compare "$work/peer" "$ids" "$work/lode" "$type" "lode against llama.cpp"
        "$python" "$here/llama_peer.py" compare "$work/truth" "$ids" "$work/lode" "$type" "lode against float32"
        "$python" "$here/llama_peer.py" compare "$work/truth" "$ids" "$work/peer" "$type" "llama.cpp against float32"
        rm -f "$work/wide.gguf"
    done
}

speed() {
    local model threads round args cpu=
    if [ "${CLOCK:-}" = cpu ]; then cpu=--cpu-time; fi
    for model in "$@"; do
        for threads in ${THREADS:-1 2}; do
            args="-t $threads -p ${PREFILL:-512,2048} -d ${DEPTH:-0,2048,8192} -n ${DECODE:-64} $cpu"
            : > "$work/rounds"
            for round in $(seq "${ROUNDS:-5}"); do
                # shellcheck disable=SC2086 # the options are words
                "$lode" bench "$model" -r 1 $args --json | tr -d '\n' >> "$work/rounds"
                echo >> "$work/rounds"
                # shellcheck disable=SC2086 # nothing or an option
                "$python" "$here/llama_peer.py" speed "$model" --threads "$threads" --kv "${KV:-f16}" $cpu \
                    --prefill "${PREFILL:-512,2048}" --depth "${DEPTH:-0,2048,8192}" \
                    --decode "${DECODE:-64}" >> "$work/rounds"
            done
            echo "== $(basename "$model"), $threads threads, ${ROUNDS:-5} rounds, $peer"
            "$python" "$here/llama_peer.py" report "$work/rounds"
        done
    done
}

"$what" "$@"

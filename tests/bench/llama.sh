#!/bin/bash
# lode beside llama.cpp on the same GGUF files, in one run.
#
#   tests/bench/llama.sh logits BUILD MODEL TEXT [TYPE...]   how far apart the answers are
#   tests/bench/llama.sh speed  BUILD MODEL...               tokens a second in alternating rounds
#
# BUILD    lode's build folder
# TEXT     tokens of it are read; TYPE: quantisations to compare, made with lode model quantize; without
#          any the file as it is
#
# Logits: both engines read the same file, and lode reads it once more multiplying in float32: the truth, as near as
# that file can tell it (tests/engine checks lode in float32 against transformers). llama.cpp rounds activations to 8
# bits, so it differs from the truth too, and from itself: where a number lies near the middle of two steps, the last
# bit of a sum decides which it becomes, and a few layers on that is as much as rounding itself does. How much, its
# own logits show, token by token against 64 at a time. Exits with 1 where lode is outside KL 1e-3 or 98 % of the same
# first choices, further from llama.cpp than that is from itself, and further from the truth than it.
#
# TOKENS   (environment) of TEXT, default 1000; SELF=no leaves out llama.cpp against itself
# ROUNDS   default 5                     THREADS  default "1 2"       KV       default f16
# PASSES   of each test in a round, a round being a process; its best counts; default 2: the first is what maps the
#          weights and fills the cache's pages with zeros, which llama.cpp does while it loads
# PREFILL  default 512,2048              DEPTH    default 0,2048,8192 DECODE   tokens at each depth, default 64
# CLOCK    cpu: processor time, for one thread on a busy machine; default: the clock
# PEER     llama-cpp-python (default; built from source) or ik-llama-cpp-python (a fork), both from PyPI
# CACHE    where it is installed and quantised files stay, default $XDG_CACHE_HOME/lode-llama
set -eu
if [ $# -lt 3 ]; then
    sed -n '4,26s/^# \{0,3\}//p' "$0" >&2
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
    local model=$1 ids=$work/ids threads=${THREADS:-2} type file single bad=0
    threads=${threads%% *}
    "$build/tests/engine/bench_logits" tokens "$model" "$2" "${TOKENS:-1000}" > "$ids"
    shift 2
    printf '%-10s %-26s %10s %10s %7s\n' type "" "KL mean" "KL max" "top-1"
    for type in "${@:-as-is}"; do
        file=$model
        if [ "$type" != as-is ]; then
            file=$cache/$(basename "$model" .gguf).$type.gguf
            [ -e "$file" ] || "$lode" model quantize "$model" "$file" --type "$type" -q
        fi
        "$build/tests/engine/bench_logits" eval "$file" "$ids" "$work/truth" "$threads" exact
        "$build/tests/engine/bench_logits" eval "$file" "$ids" "$work/lode" "$threads"
        "$python" "$here/llama_peer.py" logits "$file" "$ids" "$work/peer" --threads "$threads" --kv "${KV:-f16}"
        single=
        if [ "${SELF:-yes}" != no ]; then
            single=$work/single
            "$python" "$here/llama_peer.py" logits "$file" "$ids" "$single" --batch 1 --threads "$threads" \
                --kv "${KV:-f16}"
        fi
        # shellcheck disable=SC2086 # a path without blanks, or nothing
        "$python" "$here/llama_peer.py" judge "$type" "$ids" "$work/truth" "$work/lode" "$work/peer" $single || bad=1
    done
    return $bad
}

speed() {
    local model threads round args cpu=
    if [ "${CLOCK:-}" = cpu ]; then cpu=--cpu-time; fi
    for model in "$@"; do
        for threads in ${THREADS:-1 2}; do
            args="-t $threads -p ${PREFILL:-512,2048} -d ${DEPTH:-0,2048,8192} -n ${DECODE:-64} --kv-type ${KV:-f16} $cpu"
            : > "$work/rounds"
            for round in $(seq "${ROUNDS:-5}"); do
                # shellcheck disable=SC2086 # the options are words
                "$lode" bench "$model" -r "${PASSES:-2}" $args --json | tr -d '\n' >> "$work/rounds"
                echo >> "$work/rounds"
                # shellcheck disable=SC2086 # nothing or an option
                "$python" "$here/llama_peer.py" speed "$model" --threads "$threads" --kv "${KV:-f16}" $cpu \
                    --prefill "${PREFILL:-512,2048}" --depth "${DEPTH:-0,2048,8192}" \
                    --decode "${DECODE:-64}" --passes "${PASSES:-2}" >> "$work/rounds"
            done
            echo "== $(basename "$model"), $threads threads, ${ROUNDS:-5} rounds, $peer"
            "$python" "$here/llama_peer.py" report "$work/rounds"
        done
    done
}

"$what" "$@"

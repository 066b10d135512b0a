#!/bin/sh
# lode against a real server of OpenAI's API: llama-cpp-python's, with a model of yours.
#
#     PYTHON=venv/bin/python tests/bench/endpoint.sh LODE MODEL.gguf
#
# PYTHON has "llama-cpp-python[server]" from PyPI; without it the script says so and exits with 77. Prints what comes of
# a chat, of a text to go on with, of a JSON schema, of a question to a paper that is longer than the server's context
# (answered, or refused with 4), and of a wrong path. That server breaks off the answer it is writing
# when another question comes in, unless told not to: several at once (lode eval --jobs) want --interrupt_requests False.
set -u
lode=$1 model=$2 python=${PYTHON:-python3} port=${PORT:-8391} limit=${LIMIT:-600}
if ! "$python" -c 'import llama_cpp.server' 2> /dev/null; then
    echo "skipped: $python has no llama_cpp.server (pip install 'llama-cpp-python[server]')" >&2
    exit 77
fi
log=$(mktemp)
timeout "$limit" "$python" -m llama_cpp.server --model "$model" --model_alias bench --n_ctx 2048 --interrupt_requests False \
    --host 127.0.0.1 --port "$port" > "$log" 2>&1 &
server=$!
library=$(mktemp -d)
trap 'kill $server 2> /dev/null; rm -rf "$log" "$library"' EXIT
url=http://127.0.0.1:$port/v1
for _ in $(seq 60); do
    curl -s -o /dev/null "$url/models" && break
    kill -0 $server 2> /dev/null || { cat "$log" >&2; exit 1; }
    sleep 1
done
n=${TOKENS:-24}
failed=0
ask() { "$lode" generate --endpoint "$url" -n "$n" bench "$@" || failed=1; }
ask "Name three gases."
ask --raw "Once upon a time"
ask --json-schema '{"type":"object","properties":{"gas":{"enum":["helium","neon"]}},"required":["gas"],"additionalProperties":false}' \
    "Name a gas."
"$lode" index -q --no-embeddings -L "$library/lib" "$(dirname "$0")/../data/papers/ceria.pdf" || failed=1
"$lode" ask -q -L "$library/lib" --no-embeddings --context whole --max-tokens 200 --endpoint "$url" -m bench \
    "What ammonia conversion did foam RC-4 reach?"
case $? in 0 | 4) ;; *) failed=1 ;; esac
url=http://127.0.0.1:$port/nowhere
"$lode" generate --endpoint "$url" bench "x" && failed=1
exit $failed

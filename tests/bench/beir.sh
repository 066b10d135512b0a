#!/bin/sh
# Retrieval quality on a data set in BEIR's layout (corpus.jsonl, queries.jsonl, qrels.tsv).
#
#   tests/bench/beir.sh BENCH_BEIR DATASET SCORER [MODEL]
#
# BENCH_BEIR  the built program bench_beir        DATASET  the folder of the set
# SCORER      a program: SCORER RUN QRELS prints the measures of a TREC run (python3 retrieval.py; ir_measures)
# MODEL       embedding model, file or folder; without it only full text is measured
#
# Makes library and runs in a temporary folder, or in $BEIR_OUT, which is kept and reused.
set -eu
if [ $# -lt 3 ]; then
    sed -n '4,10s/^# \{0,3\}//p' "$0" >&2
    exit 2
fi
bench=$1 dataset=$2 scorer=$3 model=${4:-}
out=${BEIR_OUT:-}
if [ -z "$out" ]; then
    out=$(mktemp -d)
    trap 'rm -rf "$out"' EXIT
fi
mkdir -p "$out"
if [ ! -e "$out/library/library.db" ]; then
    "$bench" index "$dataset/corpus.jsonl" "$out/library" ${model:+"$model"}
fi
for method in bm25 ${model:+dense fusion}; do
    "$bench" run "$out/library" "$dataset/queries.jsonl" "$method" ${model:+"$model"} > "$out/$method.trec"
    echo "== $method"
    # a scorer may be several words: "python3 retrieval.py"
    $scorer "$out/$method.trec" "$dataset/qrels.tsv"
done

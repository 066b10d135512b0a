#!/bin/sh
# Retrieval quality on a data set in BEIR's layout (corpus.jsonl, queries.jsonl, qrels.tsv).
#
#   tests/bench/beir.sh BENCH_BEIR DATASET SCORER [MODEL]
#
# BENCH_BEIR  the built program bench_beir        DATASET  the folder of the set
# SCORER      a program: SCORER RUN QRELS prints the measures of a TREC run (python3 retrieval.py; ir_measures)
# MODEL       embedding model, file or folder; without it only full text is measured
#
# With BEIR_QUANTISE=1 vectors in product-quantised lists, as a library of 200,000 passages has them, are searched as well,
# and held against the search of all: R@100 of the judged documents (the scorer's recall@100), the nearest among the hundred
# found, and the best hundred.
#
# Makes library and runs in a temporary folder, or in $BEIR_OUT, which is kept and reused.
set -eu
if [ $# -lt 3 ]; then
    sed -n '4,14s/^# \{0,3\}//p' "$0" >&2
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
score() { # METHOD LIBRARY NAME
    "$bench" run "$2" "$dataset/queries.jsonl" "$1" ${model:+"$model"} > "$out/$3.trec"
    echo "== $3"
    # a scorer may be several words: "python3 retrieval.py"
    $scorer "$out/$3.trec" "$dataset/qrels.tsv"
}
for method in bm25 ${model:+dense fusion}; do
    score "$method" "$out/library" "$method"
done
[ -n "${BEIR_QUANTISE:-}" ] && [ -n "$model" ] || exit 0
if [ ! -e "$out/quantised/library.db" ]; then
    cp -r "$out/library" "$out/quantised"
    "$bench" quantise "$out/quantised" "$model"
fi
for method in dense fusion; do
    score "$method" "$out/quantised" "$method-quantised"
done
"$bench" recall "$out/library" "$out/quantised" "$dataset/queries.jsonl" "$model"

#!/bin/sh
# How sure lode is that a library can answer, for questions that it can and questions that it cannot.
#
#   tests/bench/calibrate.sh BENCH_ANSWERS LIBRARY ANSWERABLE.jsonl UNRELATED.jsonl...
#
# LIBRARY was made by "bench_answers index"; ANSWERABLE are questions about its papers, UNRELATED about other things, as
# JSON lines with "_id" and "question". Prints for each threshold of confidence the share of answerable questions that
# would be refused, and of unrelated ones: 0.5 is the one chosen, see pipelines/suffices.c.
set -eu
if [ $# -lt 4 ]; then
    sed -n '4,9s/^# \{0,3\}//p' "$0" >&2
    exit 2
fi
bench=$1 library=$2 answerable=$3
shift 3
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
confidence() { sed -n 's/.*"confidence":\([0-9.e-]*\).*"abstain":\([a-z]*\).*/\1 \2/p'; }
"$bench" run "$library" "$answerable" 2> /dev/null | confidence > "$out/yes"
for set in "$@"; do "$bench" run "$library" "$set" 2> /dev/null; done | confidence > "$out/no"
awk -v yes="$out/yes" -v no="$out/no" 'BEGIN {
    while ((getline line < yes) > 0) { split(line, f, " "); a[++n] = f[1]; wrong += f[2] == "true" }
    while ((getline line < no) > 0) { split(line, f, " "); b[++m] = f[1]; right += f[2] == "true" }
    print "threshold  answerable refused  unrelated refused"
    for (t = 0.1; t < 0.95; t += 0.1) {
        x = y = 0
        for (i = 1; i <= n; i++) x += a[i] < t
        for (i = 1; i <= m; i++) y += b[i] < t
        printf "%9.2f  %18.3f  %17.3f\n", t, x / n, y / m
    }
    printf "as it is   %18.3f  %17.3f\n", wrong / n, right / m
}'

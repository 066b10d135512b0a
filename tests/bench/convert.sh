#!/bin/bash
# How fast lode converts and in how much memory, beside MuPDF's own structured text on the same files.
#
#   tests/bench/convert.sh LODE [FOLDER...]
#
# LODE     the built program
# FOLDER   PDFs; default: tests/data/papers and tests/data/cases
# LONG     (environment) a PDF of ten pages or more for the long file, default tests/data/papers/manual.pdf
# RUNS     how often each is run, alternating; the fastest counts; default 5
#
# Everything is on but pictures and the recognition of scans, which mutool has none of. The long file is one of ten
# pages a hundred times over, made by qpdf. Needs mutool, qpdf, pdfinfo and GNU time. Exit status 1 when a target is
# missed: 1.6 times mutool's CPU time, 48 MB; a page of 1,000 costs what one of 10 does (a fifth is noise), in memory
# within a tenth.
set -eu
if [ $# -lt 1 ]; then
    sed -n '4,14s/^# \{0,3\}//p' "$0" >&2
    exit 2
fi
data=$(cd "$(dirname "$0")/../data" && pwd)
lode=$1
shift
[ $# -gt 0 ] || set -- "$data/papers" "$data/cases"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
missed=0

# used COMMAND...: "CPU seconds, wall seconds, peak KiB"
used() {
    /usr/bin/time -o "$tmp/used" -f '%U %S %e %M' "$@" > /dev/null 2>&1 || true
    tail -1 "$tmp/used" | awk '{print $1 + $2, $3, $4}'
}
# least FILE: the run with the least CPU time, with the greatest peak of all
least() { sort -n "$1" | awk 'NR == 1 {c = $1; w = $2} $3 > m {m = $3} END {print c, w, m}'; }
check() { # WHAT VALUE LIMIT
    if awk -v a="$2" -v b="$3" 'BEGIN {exit !(a <= b)}'; then
        echo "pass  $1: $2 <= $3"
    else
        echo "FAIL  $1: $2 > $3"
        missed=1
    fi
}
run_lode() { rm -rf "$tmp/out" && used "$lode" convert --no-images --ocr off -q -j 1 -o "$tmp/out" "$@"; }
run_mutool() { used bash -c 'for f; do mutool convert -F stext.json -o /dev/null "$f"; done' mutool "$@"; }

files=()
for folder; do
    while IFS= read -r file; do files+=("$file"); done < <(find "$folder" -name '*.pdf' | sort)
done
pages=$(for f in "${files[@]}"; do pdfinfo "$f" 2> /dev/null; done | awk '/^Pages:/ {n += $2} END {print n}')
for _ in $(seq "${RUNS:-5}"); do
    run_lode "${files[@]}" >> "$tmp/lode"
    run_mutool "${files[@]}" >> "$tmp/mutool"
done
for name in lode mutool; do
    least "$tmp/$name" | awk -v n="$name" -v p="$pages" \
        '{printf "%-7s %5d pages  %.2f s CPU (%.2f ms/page)  %.2f s wall (%.0f pages/s)  %.1f MB\n",
          n, p, $1, 1000 * $1 / p, $2, p / ($2 > 0 ? $2 : .01), $3 / 1024}'
done
ratio=$(cat <(least "$tmp/lode") <(least "$tmp/mutool") | awk 'NR == 1 {a = $1} NR == 2 {printf "%.2f", a / $1}')
check "CPU time over mutool's" "$ratio" 1.6
check "peak MB" "$(least "$tmp/lode" | awk '{printf "%.1f", $3 / 1024}')" 48

long=${LONG:-$data/papers/manual.pdf}
count=$(pdfinfo "$long" | awk '/^Pages:/ {print $2}')
ten=() thousand=()
for _ in $(seq $(((10 + count - 1) / count))); do ten+=("$long" 1-z); done
qpdf --object-streams=disable --empty --pages "${ten[@]}" -- "$tmp/all.pdf"
qpdf --object-streams=disable "$tmp/all.pdf" --pages . 1-10 -- "$tmp/10.pdf"
for _ in $(seq 100); do thousand+=("$tmp/10.pdf" 1-10); done
qpdf --object-streams=disable --empty --pages "${thousand[@]}" -- "$tmp/1000.pdf"
# starting up is not the pages': twenty copies of the short file are read by one process
short=()
for i in $(seq 20); do cp "$tmp/10.pdf" "$tmp/short-$i.pdf" && short+=("$tmp/short-$i.pdf"); done
run_lode "${short[@]}" > "$tmp/short"
run_lode "$tmp/10.pdf" > "$tmp/one"
run_lode "$tmp/1000.pdf" > "$tmp/long"
awk '{printf "10 pages, 20 times:  %.2f ms CPU/page  %.1f MB\n", 5 * $1, $3 / 1024}' "$tmp/short"
awk '{printf "1,000 pages:         %.2f ms CPU/page  %.1f MB\n", $1, $3 / 1024}' "$tmp/long"
check "CPU of a page, 1,000 over 10" "$(cat "$tmp/long" "$tmp/short" | awk 'NR == 1 {a = $1} NR == 2 {printf "%.2f", a / (5 * $1)}')" 1.2
check "memory, 1,000 pages over 10" "$(cat "$tmp/long" "$tmp/one" | awk 'NR == 1 {a = $3} NR == 2 {printf "%.2f", a / $3}')" 1.10
exit $missed

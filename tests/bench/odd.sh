#!/bin/sh
# Broken and strange files: each is converted or refused with its reason, within its time, and no glyph is lost.
#
#   tests/bench/odd.sh LODE FOLDER [SECONDS]
#
# LODE     the built program        FOLDER   documents to try, searched at any depth
# SECONDS  one file may take; default 20
#
# One line per file that fails the rule, a summary at the end; exit code 1 where there is such a file.
set -u
if [ $# -lt 2 ]; then
    sed -n '4,9s/^# \{0,3\}//p' "$0" >&2
    exit 2
fi
lode=$1 folder=$2 seconds=${3:-20}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
find "$folder" -type f -name '*.pdf' | LC_ALL=C sort > "$work/files"
converted=0 refused=0 bad=0
while IFS= read -r file; do
    rm -rf "$work/out"
    timeout "$seconds" "$lode" convert -q "$file" -o "$work/out" > "$work/stdout" 2> "$work/stderr"
    code=$?
    why=
    case $code in
    0)
        converted=$((converted + 1))
        timeout "$seconds" "$lode" convert -q --check "$file" > "$work/ledger" 2>&1 ||
            why="glyphs lost: $(tail -n 1 "$work/ledger")"
        ;;
    3)
        refused=$((refused + 1))
        grep -q '^error: .*: .' "$work/stderr" || why="refused without a reason"
        # the reader process died: a crash, however well it was survived
        grep -Eq 'signal|reader process|no page finished' "$work/stderr" && why=$(head -n 1 "$work/stderr")
        ;;
    124) why="took longer than $seconds s" ;;
    *) why="exit code $code: $(head -n 1 "$work/stderr")" ;;
    esac
    [ -z "$why" ] && continue
    bad=$((bad + 1))
    printf '%s: %s\n' "$file" "$why"
done < "$work/files"
printf '%d files: %d converted, %d refused, %d failed\n' "$((converted + refused))" "$converted" "$refused" "$bad"
[ "$bad" -eq 0 ]

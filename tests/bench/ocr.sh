#!/bin/bash
# OCR beside plain Tesseract: page by page, on degraded copies, on papers made pictures, and in time.
#
#   tests/bench/ocr.sh LODE CORPUS SCORE WORK
#
# LODE     the built program
# CORPUS   a folder with pdfs/NAME.pdf, pages that are only pixels, and truth/NAME.md
# SCORE    score.py of that corpus (its README tells how text is compared)
# WORK     a folder for copies and Tesseract's results, kept from run to run
#
# KINDS    (environment) of degrade.py, a list; "none": only the pages as they are; default: all
# NAMES    (environment) documents, a list; default: all
# PSM      (environment) page modes of Tesseract that count; default "1 3 4 6"
# PAPERS   (environment) a folder like CORPUS of papers with text: they are made pictures, and headings, tables and order
#          are scored beside those of the papers themselves; PAPER_NAMES of them, a list
# PYTHON   (environment) with numpy and Pillow; default python3
#
# Tesseract reads pages rendered by pdftoppm at 300 dpi, with one thread; its best mode of a page is the one with the
# lowest character error rate. It leaves running heads, page and line numbers in the text, as truths do, which are text
# layers as pdftotext prints them. So lode is compared page by page, and only there, by the better of two texts of the
# same reading: the Markdown with heads and page numbers put back, and the text layer of pdf-ocr as pdftotext prints it.
# Where that is worse by its order alone (a head of a table by columns, which the truth has by lines: as many words as
# Tesseract's are right, or more, in any order) the table says so. Exit status 1 when a target is missed: no page worse than that, each kind of
# copy within 1.5 times its clean pages (or .01), papers within .05, CPU time at most 1.1 times that of --psm 1.
set -eu
if [ $# -ne 4 ]; then
    sed -n '4,26s/^# \{0,3\}//p' "$0" >&2
    exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
lode=$1 corpus=$2 score=$3 work=$4
python=${PYTHON:-python3}
psm=${PSM:-1 3 4 6}
export OMP_THREAD_LIMIT=1
mkdir -p "$work/tesseract" "$work/rendered"

list() {
    local path name
    for path in "$1"/pdfs/*.pdf; do
        name=$(basename "$path" .pdf)
        case ",${2:-$name}," in *",$name,"*) echo "$name" ;; esac
    done
}
# used FILE COMMAND...: CPU seconds to FILE
used() {
    local file=$1
    shift
    /usr/bin/time -o "$work/used" -f '%U %S' "$@"
    tail -1 "$work/used" | awk '{print $1 + $2}' > "$file"
}
# converted FROM TO OPTIONS...: each document by a run of its own, TO/NAME.md and TO/NAME.seconds
converted() {
    local from=$1 to=$2 names=$3 name
    shift 3
    rm -rf "$to"
    mkdir -p "$to"
    for name in $(list "$from" "$names"); do
        used "$to/$name.seconds" "$lode" convert -q -j 1 --no-images -f md,json "$@" -o "$to/out" "$from/pdfs/$name.pdf" ||
            echo "  $name: not converted" >&2
        mv "$to/out/$name/$name.md" "$to/$name.md" 2> /dev/null || : > "$to/$name.md"
        mv "$to/out/$name/$name.json" "$to/$name.json" 2> /dev/null || echo '{}' > "$to/$name.json"
    done
}

for name in $(list "$corpus" "${NAMES:-}"); do
    page=$work/rendered/$name
    [ -f "$page.png" ] || pdftoppm -r 300 -png -singlefile "$corpus/pdfs/$name.pdf" "$page"
    for mode in $psm; do
        to=$work/tesseract/$mode
        mkdir -p "$to"
        [ -f "$to/$name.seconds" ] && continue
        used "$to/$name.seconds" tesseract "$page.png" "$to/$name" --psm "$mode" 2> /dev/null
        mv "$to/$name.txt" "$to/$name.md"
    done
done
converted "$corpus" "$work/lode/clean" "${NAMES:-}" --ocr force
mkdir -p "$work/layer"
for name in $(list "$corpus" "${NAMES:-}"); do
    "$lode" convert -q -j 1 --ocr force -f pdf-ocr -o "$work/layer/out" "$corpus/pdfs/$name.pdf"
    pdftotext "$work/layer/out/$name/${name}_ocr.pdf" "$work/layer/$name.md"
done
if [ "${KINDS:-}" != none ]; then
    # shellcheck disable=SC2086
    "$python" "$here/degrade.py" "$corpus" "$work/kinds" ${KINDS:+--kinds "$KINDS"} ${NAMES:+--names "$NAMES"}
    for kind in "$work"/kinds/*/; do
        kind=$(basename "$kind")
        case ",${KINDS:-$kind}," in
            *",$kind,"*) converted "$work/kinds/$kind" "$work/lode/$kind" "$([ "$kind" = spread ] || echo "${NAMES:-}")" --ocr force ;;
        esac
    done
fi
if [ -n "${PAPERS:-}" ]; then
    papers=${PAPER_NAMES:-$(list "$PAPERS" | head -5 | paste -sd,)}
    "$python" "$here/degrade.py" "$PAPERS" "$work/papers" --kinds image --names "$papers"
    converted "$PAPERS" "$work/lode-papers/native" "$papers"
    converted "$work/papers/image" "$work/lode-papers/image" "$papers" --ocr force
fi
"$python" "$here/ocr_report.py" "$score" "$corpus" "$work" "${NAMES:-}" "${PAPERS:-}" "${papers:-}"

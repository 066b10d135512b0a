#!/bin/bash
# lode beside the converters that run without downloading models, on the same files, in one run.
#
#   tests/bench/peers.sh LODE FOLDER...
#
# LODE     the built program
# FOLDER   a corpus: PDFs in FOLDER/pdfs (or in FOLDER itself), and for scores FOLDER/truth
#
# SCORER   (environment) a program like "python3 score.py", called with --truth DIR --pred DIR, that prints a
#          line "docs NAME ..." and then one "FOLDER N VALUE ..."; without it, times alone
# FACTS    the same where the truth is no Markdown but facts (olmocr): lines "KIND N of M ..."
# PEERS    which ones; default: all below
# CACHE    where the peers are installed, default $XDG_CACHE_HOME/lode-peers; needs python3, pip, java, and
#          pdftotext and mutool from the system
# OUT      keep the outputs there; default: a temporary folder
#
# Everyone converts born-digital text: no OCR, no pictures, one process, one thread where that can be said.
# What cannot be installed or run gets a line saying so.
set -u
if [ $# -lt 2 ]; then
    sed -n '4,17s/^# \{0,3\}//p' "$0" >&2
    exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
lode=$1
shift
cache=${CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/lode-peers}
out=${OUT:-}
if [ -z "$out" ]; then
    out=$(mktemp -d)
    trap 'rm -rf "$out"' EXIT
fi
peers=${PEERS:-lode mutool pdftotext liteparse opendataloader kreuzberg pymupdf4llm markitdown}
python=$cache/bin/python

install_peers() {
    mkdir -p "$cache"
    [ -x "$python" ] || python3 -m venv "$cache" || return 1
    local name package
    for name in $peers; do
        case $name in
        liteparse | kreuzberg) package=$name ;;
        opendataloader) package=opendataloader-pdf ;;
        pymupdf4llm) package='pymupdf>=2.0' ;; # holds what was the package pymupdf4llm
        markitdown) package='markitdown[pdf]' ;;
        *) continue ;;
        esac
        [ -e "$cache/.has-$name" ] && continue
        "$cache/bin/pip" install -q "$package" > "$cache/$name.log" 2>&1 && touch "$cache/.has-$name"
    done
}

version_of() {
    case $1 in
    lode) "$lode" --version | head -1 | awk '{print $NF}' ;;
    mutool) mutool -v 2>&1 | awk '{print $NF}' ;;
    pdftotext) pdftotext -v 2>&1 | awk 'NR == 1 {print $NF}' ;;
    pymupdf4llm) "$cache/bin/pip" list 2> /dev/null | awk '$1 == "pymupdf" || $1 == "PyMuPDF" {print $2}' ;;
    opendataloader) "$cache/bin/pip" list 2> /dev/null | awk '$1 == "opendataloader-pdf" {print $2}' ;;
    *) "$cache/bin/pip" list 2> /dev/null | awk -v n="$1" '$1 == n {print $2}' ;;
    esac
}

# each_file COMMAND... : with IN and OUT put in place of the words {in} and {out}
each_file() {
    local file status=0
    for file in "$pdfs"/*.pdf; do
        local words=("${@//\{in\}/$file}")
        "${words[@]//\{out\}/$raw/$(basename "$file" .pdf).txt}" || status=1
    done
    return $status
}

convert() {
    case $1 in
    lode) "$lode" convert --no-images -q -f md -j 1 "$pdfs" -o "$raw" ;;
    mutool) each_file mutool convert -F text -o '{out}' '{in}' ;;
    pdftotext) each_file pdftotext -q '{in}' '{out}' ;;
    opendataloader) PATH=$cache/bin:$PATH opendataloader-pdf -q -f markdown --image-output off -o "$raw" "$pdfs" ;;
    *) "$python" "$here/peers.py" run "$1" "$pdfs" "$raw" ;;
    esac
}
export -f convert each_file
export lode cache python here

measure_peer() {
    export pdfs=$1 raw=$out/$2/$3/raw
    local pred=$out/$2/$3/pred log=$out/$2/$3/log
    rm -rf "$out/$2/$3"
    mkdir -p "$raw" "$pred"
    case $3 in
    lode | mutool | pdftotext) ;;
    *) [ -e "$cache/.has-$3" ] || return 1 ;;
    esac
    "$python" "$here/peers.py" measure "$log" timeout "${LIMIT:-1800}" bash -c "convert $3" > "$out/$2/$3/say" 2>&1
    "$python" "$here/peers.py" collect "$raw" "$pred"
}

# The scorer's means, as "name value, ..."
score_peer() {
    local truth=$1 pred=$2
    [ -d "$truth" ] || return
    if ! compgen -G "$truth/*.md" > /dev/null; then
        [ -n "${FACTS:-}" ] && $FACTS --truth "$truth" --pred "$pred" 2> /dev/null |
            awk '$3 == "of" && /^[a-z]/ {printf "%s%s %s/%s", (n++ ? ", " : ""), $1, $2, $4}'
    elif [ -n "${SCORER:-}" ]; then
        # a header of names, then one line per source: its name, the number of documents, values
        $SCORER --truth "$truth" --pred "$pred" 2> /dev/null | awk '
            NF > 2 && $1 == "docs" {for (i = 2; i <= NF; i++) name[i] = $i; next}
            NF > 2 && name[2] {for (i = 3; i <= NF; i++) line = line (i > 3 ? ", " : "") name[i - 1] " " substr($i, 1, 5)
                               print line; exit}'
    fi
}

install_peers || echo "peers.sh: no virtual environment: only lode, mutool and pdftotext run" >&2
[ -x "$python" ] || python=python3
for folder; do
    name=$(basename "$folder")
    pdfs=$folder
    [ -d "$folder/pdfs" ] && pdfs=$folder/pdfs
    pages=0
    for file in "$pdfs"/*.pdf; do
        n=$(pdfinfo "$file" 2> /dev/null | awk '/^Pages:/ {print $2}')
        pages=$((pages + ${n:-0}))
    done
    echo "## $name: $pages pages"
    echo
    for peer in $peers; do
        if measure_peer "$pdfs" "$name" "$peer"; then
            scores=$(score_peer "$folder/truth" "$out/$name/$peer/pred")
        else
            scores="cannot be installed here"
        fi
        echo "$peer|$(version_of "$peer")|$out/$name/$peer/log|${scores//|/ }"
    done | "$python" "$here/peers.py" table "$pages"
    echo
done

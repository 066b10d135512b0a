#!/bin/sh
# Make the PDFs beside the recipes: NAME.tex by pdflatex (twice), NAME.py by running it with NAME.pdf as its argument.
# A recipe that begins with "% dvips" goes through latex, dvips with bitmaps of all fonts, and Ghostscript's ps2pdf.
# One that begins with "% lualatex" is set by lualatex.
# Without arguments all of them, else those named: ./make.sh two_columns rtl
# Then record what lode makes of them, and review it like code:
#     LODE_UPDATE_GOLDEN=1 ctest --test-dir BUILD -R layout_cases
set -eu
cd "$(dirname "$0")"
export SOURCE_DATE_EPOCH=1700000000 FORCE_SOURCE_DATE=1
[ $# -gt 0 ] || set -- $(ls -- *.tex *.py 2>/dev/null | sed 's/\.[a-z]*$//' | sort -u)
for name in "$@"; do
    if [ -f "$name.py" ]; then
        python3 "$name.py" "$name.pdf"
        continue
    fi
    work=$(mktemp -d)
    if [ "$(head -n 1 "$name.tex")" = "% dvips" ]; then
        latex -interaction=batchmode -output-directory "$work" "$name.tex" >/dev/null
        dvips -q -V -bitmapfontenc off -D 300 "$work/$name.dvi" -o "$work/$name.ps"
        ps2pdf "$work/$name.ps" "$name.pdf"
        rm -r "$work"
        continue
    fi
    tex=pdflatex
    [ "$(head -n 1 "$name.tex")" != "% lualatex" ] || tex=lualatex
    for pass in 1 2; do
        "$tex" -interaction=nonstopmode -halt-on-error -output-directory "$work" "$name.tex" >"$work/out" ||
            { cat "$work/out"; exit 1; }
    done
    mv "$work/$name.pdf" .
    rm -r "$work"
done

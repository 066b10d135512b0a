#!/bin/sh
# Makes the PDFs of this folder from their LaTeX (TeX Live with pdflatex, and Python 3). The same TeX Live gives the
# same bytes: dates and ids are fixed. Tests use the PDFs as they are and never run this.
set -eu
cd "$(dirname "$0")"
python3 micrograph.py
SOURCE_DATE_EPOCH=1640995200 FORCE_SOURCE_DATE=1
export SOURCE_DATE_EPOCH FORCE_SOURCE_DATE
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for name in ${*:-ceria lake manual}; do
    # thrice: references to figures and pages settle
    for pass in 1 2 3; do
        pdflatex -interaction=batchmode -halt-on-error -output-directory "$work" \
            '\pdfcompresslevel=9\pdfobjcompresslevel=2\pdftrailerid{lode}\pdfsuppressptexinfo=-1\input{'"$name"'}' >"$work/log" || { cat "$work/$name.log" "$work/log"; exit 1; }
    done
    mv "$work/texput.pdf" "$name.pdf" 2>/dev/null || mv "$work/$name.pdf" "$name.pdf"
done
ls -l ./*.pdf

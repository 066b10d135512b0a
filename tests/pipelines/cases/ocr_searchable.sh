# The words of scanned pages lie on them as text, in the picture's place.
"$LODE" convert -q "$DATA/images/words.tif" -o out -f pdf-ocr --pages 2-3 || exit 1
ls -A out/words
"$LODE" convert -q --ocr off out/words/words_ocr.pdf -f text
# a page with text stays as it is
"$LODE" convert -q "$DATA/pdf/document.pdf" -o out -f pdf-ocr || exit 1
"$LODE" convert -q --ocr off "$DATA/pdf/document.pdf" > native.md
"$LODE" convert -q --ocr off out/document/document_ocr.pdf > again.md
cmp native.md again.md && echo same

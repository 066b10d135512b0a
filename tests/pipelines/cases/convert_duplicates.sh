# two files of one name get folders of their own, and keep them whatever comes later
mkdir a b c; cp $DATA/pdf/glyphs.pdf b/x.pdf; cp $DATA/pdf/rules.pdf c/x.pdf
$LODE convert b c -o out -q && ls out && cp out/x/x.md first.md
cp $DATA/pdf/tagged.pdf a/x.pdf
$LODE convert a b c -o out -q && ls out && cmp first.md out/x/x.md
grep -o '"input":"[^"]*","stem":"[^"]*"' out/convert.jsonl | sed "s,$PWD/,,"

printf 'user\nsecond line\n' > word
$LODE convert $DATA/pdf/encrypted.pdf --password user > a && $LODE convert $DATA/pdf/encrypted.pdf --password-file word > b &&
LODE_PASSWORD=user $LODE convert $DATA/pdf/encrypted.pdf > c && cmp a b && cmp a c && test -s a &&
$LODE convert $DATA/pdf/encrypted.pdf --password user -o out -q && cmp a out/encrypted/encrypted.md && ! grep -r user out/convert.jsonl

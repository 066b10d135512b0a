mkdir out; : > out/glyphs; exec $LODE convert $DATA/pdf/glyphs.pdf $DATA/pdf/rules.pdf -o out -q

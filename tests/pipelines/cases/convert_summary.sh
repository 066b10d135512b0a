$LODE convert $DATA/pdf/glyphs.pdf $DATA/pdf/cut_short.pdf -o out --json -q

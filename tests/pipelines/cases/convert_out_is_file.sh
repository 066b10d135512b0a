: > out; exec $LODE convert $DATA/pdf/glyphs.pdf -o out

exec $LODE convert $DATA/pdf/glyphs.pdf $DATA/pdf/rules.pdf

$LODE --help > a && $LODE help > b && cmp a b && $LODE convert --help > c && $LODE help convert > d && cmp c d

$LODE convert $DATA/papers/ceria.pdf > /dev/full

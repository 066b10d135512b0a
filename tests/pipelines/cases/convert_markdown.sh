exec $LODE convert $DATA/papers/ceria.pdf

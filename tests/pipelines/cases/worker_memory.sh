exec $LODE convert $DATA/papers/ceria.pdf --memory 64

exec $LODE convert --json $DATA/papers/ceria.pdf

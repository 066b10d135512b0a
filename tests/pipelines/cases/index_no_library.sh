exec $LODE index $DATA/papers

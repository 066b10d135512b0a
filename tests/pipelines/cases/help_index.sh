exec $LODE help index

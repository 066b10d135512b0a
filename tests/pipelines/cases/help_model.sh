exec $LODE help model

exec $LODE

exec $LODE help

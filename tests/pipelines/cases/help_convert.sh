exec $LODE help convert

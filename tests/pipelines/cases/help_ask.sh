exec $LODE help ask

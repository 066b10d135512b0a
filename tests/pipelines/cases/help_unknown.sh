exec $LODE help nonsense

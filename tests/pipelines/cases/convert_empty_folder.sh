mkdir empty; exec $LODE convert empty -o out

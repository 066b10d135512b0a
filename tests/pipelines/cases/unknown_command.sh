exec $LODE frobnicate

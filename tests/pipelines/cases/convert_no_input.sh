exec $LODE convert -o out

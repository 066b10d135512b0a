exec $LODE convert nothing.pdf -o out

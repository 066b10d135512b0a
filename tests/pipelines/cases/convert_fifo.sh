mkfifo pipe.pdf; exec $LODE convert pipe.pdf -o out

exec $LODE convert --frob x.pdf

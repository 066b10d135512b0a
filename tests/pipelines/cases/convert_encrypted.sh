exec $LODE convert $DATA/pdf/encrypted.pdf

exec $LODE convert $DATA/pdf/encrypted.pdf --password nope

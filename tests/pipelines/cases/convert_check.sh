exec $LODE convert --check $DATA/papers/ceria.pdf $DATA/pdf/modes.pdf

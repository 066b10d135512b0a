exec $LODE convert --json $DATA/pdf/truncated.pdf

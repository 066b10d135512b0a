exec $LODE convert --hidden-text keep $DATA/cases/hidden_text.pdf

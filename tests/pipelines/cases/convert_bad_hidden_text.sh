exec $LODE convert --hidden-text maybe $DATA/cases/hidden_text.pdf

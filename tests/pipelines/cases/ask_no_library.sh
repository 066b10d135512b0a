exec $LODE ask -L nowhere "What?"

$LODE ask -L lib; echo $?; $LODE ask -L lib "  "; echo $?; $LODE ask -L lib two words

$LODE search; echo $?; $LODE search --extractive "  "; echo $?; $LODE search --extractive two words

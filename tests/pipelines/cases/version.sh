exec $LODE --version

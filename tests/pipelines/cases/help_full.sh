$LODE help > /dev/full; echo $? >&2; $LODE convert --help > /dev/full

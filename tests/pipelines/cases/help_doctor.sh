exec $LODE help doctor

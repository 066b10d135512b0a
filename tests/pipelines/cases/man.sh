$LODE help --man | head -n 1; $LODE help --man convert

[ -z "$SANITIZED" ] || { echo "sanitizers need address space" >&2; exit 77; }
exec $LODE convert $DATA/papers/ceria.pdf --memory 24

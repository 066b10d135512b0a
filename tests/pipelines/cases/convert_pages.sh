$LODE convert $DATA/papers/ceria.pdf --pages 2- --page-breaks > a && ! grep -q "^# Ammonia" a && grep -c "<!-- page" a

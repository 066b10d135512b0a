$LODE index $DATA/papers -L lib -q
$LODE ask -L lib -q --extractive "$(head -c 100000 /dev/zero | tr '\0' 'q')"
echo "code $?"
$LODE ask -L lib -q --extractive "¿Qué rendimiento alcanzó el catalizador según los autores del artículo?" > /dev/null
echo "code $?"
$LODE ask -L lib -q --extractive --where "year >= 3000" "What ammonia conversion did foam RC-4 reach?"
echo "code $?"
